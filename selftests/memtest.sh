#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# A system that is not Linux: Memtest86+ starts by Linux's boot protocol, finds the machine's memory and no error in it.
. /lab/ktap.sh
. /lab/guest.sh

plan 3
start_guest /guest/memtest86+x64.bin --memory 16M --append "console=ttyS0,115200 nobench" --stat
check "it draws its screen" within 300 said 'Memtest86+ v'
# Said once a pass is over, and only if no test found an error. It sends no more of its screen than the lines that change
check "it tests all memory without an error" within 1700 said 'Status: Pass '
printf '\033' >&3
end_guest
check "Escape restarts the machine" ended_with 4
finish
