#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# kexec with a VM running: the next kernel gets CPUs without VMX, so it boots, and the module loads there again.

if [ "$LAB_STAGE" = 1 ]; then
	. /lab/ktap.sh
	plan 4
	tpz run /guest/spin >/dev/null 2>&1 </dev/null &
	sleep 2
	check "a VM runs before the kexec" sh -c "tpz list --json | grep -q comm"
	check "the next kernel is in place" \
		kexec -i -l /boot/vmlinuz --initrd=/boot/initrd --command-line="$LAB_NEXT"
	kexec -e
	finish
fi

KTAP_POINT=2 . /lab/ktap.sh
holds "the next kernel runs" "$LAB_STAGE" = 2
check "the module loads there" sh -c "insmod $TRAPEZE_KO && tpz info"
finish
