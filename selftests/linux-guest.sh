#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The main job: an unmodified Debian kernel boots as a guest of Trapeze to a shell prompt, runs commands there,
# and what that cost can be read from outside while it runs. `make run` shows this test.
. /lab/ktap.sh
. /lab/guest.sh

plan 10
tpz info 2>&1 | sed 's/^/# /'

start_guest $(patient) /guest/vmlinuz --initrd /guest/initrd --memory 256M --cpus 2 \
	--append "console=ttyS0 panic=-1 cryptomgr.notests"

check "a stock kernel boots to a shell prompt" within 600 prompts 1
check "it knows its hypervisor" said 'signature "KVMKVMKVM'
check "64 MiB hold what was written" said ': verified'

type_in 'uname -a; cat /proc/sys/kernel/osrelease'
check "the shell runs a command" within 60 prompts 2
type_in 'echo processors $(nproc)'
check "it has two processors" within 60 said '^processors 2'
type_in 'cat /sys/devices/system/clocksource/clocksource0/current_clocksource; echo answer $((6 * 7))'
check "and another" within 60 said '^answer 42'

check "tpz list shows the VM" tpz list
tpz list | sed 's/^/# /'
check "tpz stat shows what it cost" tpz stat
tpz stat | sed 's/^/# /'

type_in 'report --end 0'
end_guest
check "the guest ends the run with status 1" said '^tpz run ended with status 1$'
sleep 1
holds "no VM is left" "$(tpz list --json | tr -d ' \n')" = '[]'
finish
