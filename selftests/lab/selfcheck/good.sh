#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
echo 1..2
echo "ok 1 first"
echo "ok 2 second # SKIP no reason at all"
