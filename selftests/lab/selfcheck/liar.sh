#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
echo 1..1
echo "not ok 1 but nobody is told"
exit 0
