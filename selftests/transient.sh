#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# vmx=: whether CPUs stay in VMX operation. Each way runs guests and is told by `tpz info`; nonsense is refused in words.
#
# That VMX operation really ends between two stays needs no look from here: a window that finds CR4.VMXE set kills its VM.
. /lab/ktap.sh

# refused PARAMETER SENTENCE
refused() {
	dmesg -c >/dev/null
	! insmod "$TRAPEZE_KO" "$1" && dmesg | grep -qF "$2"
}

# runs PARAMETER STATE: loads, and the feature has this state before and after a guest has run
runs() {
	insmod "$TRAPEZE_KO" $1 || return 1
	tpz info | grep "^transient-vmx  *$2 " &&
		tpz run --timeout 1 /guest/spin
	[ $? = 16 ] && tpz info | grep "^transient-vmx  *$2 "
	status=$?
	rmmod trapeze && return $status
}

plan 4
check "what it is not: vmx=sometimes" refused vmx=sometimes "vmx=sometimes is unknown; it is auto, resident or transient"
check "vmx=transient" runs vmx=transient yes
check "vmx=transient enable=first-vm" runs "vmx=transient enable=first-vm" yes
insmod "$TRAPEZE_KO"
default=$(tpz info | sed -n 's/^transient-vmx  *\([a-z]*\) .*/\1/p')
rmmod trapeze
if [ "$default" = unused ]; then
	check "vmx=resident" runs vmx=resident unused
else
	check "vmx=resident, which this kernel keeps for KVM" refused vmx=resident "vmx=resident cannot be had"
fi
finish
