#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Suspend to RAM with a VM running: every CPU leaves VMX before and is back in it after, and the VM runs on.
. /lab/ktap.sh

running() {
	[ "$(tpz list --json | grep -c comm)" = 1 ]
}

entries() {
	tpz stat --json | sed -n 's/.*"entries": *\([0-9]*\).*/\1/p' | head -n 1
}

suspend() {
	echo mem >/sys/power/state
}

advances() {
	before=$(entries)
	sleep 2
	echo "entries: $before, then $(entries)"
	[ "$(entries)" -gt "$before" ]
}

plan 6
tpz run /guest/spin >/dev/null 2>&1 </dev/null &
sleep 2
check "a VM runs" running
check "it advances" advances
if [ -e /sys/power/pm_test ]; then
	echo core >/sys/power/pm_test
	check "a rehearsed suspend (pm_test core)" suspend
	echo none >/sys/power/pm_test
else
	skip "a rehearsed suspend (pm_test core)" "this kernel has no /sys/power/pm_test; the next point is the real thing"
fi
check "suspend to RAM, and back" suspend
check "the VM still advances" advances
kill %1
wait
check "another VM can be made" sh -c "tpz run --timeout 1 /guest/spin; test \$? = 16"
finish
