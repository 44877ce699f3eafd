#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The main job: an unmodified Debian kernel boots as a guest of Trapeze to a shell prompt, runs commands there,
# and what that cost can be read from outside while it runs. `make run` shows this test.
. /lab/ktap.sh

OUT=/tmp/guest.out
IN=/tmp/guest.in
PROMPT='guest# '

# within SECONDS COMMAND...: wait until it succeeds, or the guest is gone.
within() {
	within_seconds=$1
	shift
	while [ "$within_seconds" -gt 0 ]; do
		"$@" && return 0
		kill -0 "$TPZ" 2>/dev/null || return 1
		sleep 1
		within_seconds=$((within_seconds - 1))
	done
	return 1
}

said() {
	grep -q -- "$1" $OUT
}

prompts() {
	[ "$(grep -c "$PROMPT" $OUT)" -ge "$1" ]
}

type_in() {
	echo "$1" >&3
}

plan 10
tpz info 2>&1 | sed 's/^/# /'

# A guest's CPU that waits for another one with interrupts off keeps Bochs's CPU for good (lab.md): each PAUSE ends its stay
TRAPS=
if tpz info | grep -q 'backend vmx'; then
	TRAPS='--trap pause'
fi

mkfifo $IN
: >$OUT
tpz run $TRAPS /guest/vmlinuz --initrd /guest/initrd --memory 256M --cpus 2 --append "console=ttyS0 panic=-1 cryptomgr.notests" \
	<$IN >$OUT 2>&1 &
TPZ=$!
exec 3>$IN
tail -f $OUT | tr -d '\r' | while read -r line; do echo "# guest| $line"; done &
TAIL=$!

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
wait $TPZ
holds "the guest ends the run with status 1" $? = 1
sleep 1
kill $TAIL
holds "no VM is left" "$(tpz list --json | tr -d ' \n')" = '[]'
finish
