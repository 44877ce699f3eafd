#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# A crash of the host kernel with a VM running: the crash kernel boots, and the module loads there.

if [ "$LAB_STAGE" = 1 ]; then
	. /lab/ktap.sh
	plan 4
	tpz run /guest/spin >/dev/null 2>&1 </dev/null &
	sleep 2
	check "a VM runs before the crash" sh -c "tpz list --json | grep -q comm"
	check "the crash kernel is in place" \
		kexec -i -p /boot/vmlinuz --initrd=/boot/initrd --command-line="$LAB_NEXT nr_cpus=1 reset_devices"
	echo c >/proc/sysrq-trigger
	finish
fi

KTAP_POINT=2 . /lab/ktap.sh
holds "the crash kernel runs" -e /proc/vmcore
check "the module loads there" sh -c "insmod $TRAPEZE_KO && tpz info"
finish
