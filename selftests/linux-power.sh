#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# A stock kernel finds the whole machine by ACPI, and each way in which it can end has its own status and sentence:
# power off by its power button; with the argument "ends" reset, panic and hang instead, a boot for each. Its drivers are
# the distribution's own modules.
. /lab/ktap.sh
. /lab/guest.sh

# boot [OPTION...]: up to the prompt
boot() {
	start_guest /guest/vmlinuz --initrd /tmp/initrd --memory 192M "$@"
	check "a stock kernel boots" within 600 said "$PROMPT"
}

told() {
	said "$2" && ended_with "$1"
}

# ends NAME STATUS SENTENCE: the point that the guest ended by itself, with tpz run's sentence and status
ends() {
	end_guest
	check "$1" told "$2" "$3"
}

# other_ends: all but the power button's
other_ends() {
	boot --append "$APPEND reboot=acpi"
	type_in 'reboot -f'
	ends "it resets itself by ACPI's register" 4 'reset itself by port 0xcf9'

	boot --append "$APPEND panic=60"
	type_in 'modprobe pvpanic-mmio && echo c >/proc/sysrq-trigger'
	ends "it panics" 24 'the guest panicked'

	boot --append "$APPEND"
	type_in 'modprobe wdat_wdt timeout=3 && echo >/dev/watchdog'
	ends "it hangs, as its watchdog sees it" 26 'the guest hangs'
}

APPEND="console=ttyS0 panic=-1 cryptomgr.notests quiet"
guest_initrd /tmp/initrd
if [ "$1" = ends ]; then
	plan 6
	other_ends
	finish
fi

plan 15
dd if=/dev/urandom of=/tmp/disk bs=64k count=16 2>/dev/null
disk_sum=$(md5sum </tmp/disk | cut -d' ' -f1)

# The PCI bus by ACPI, with MSI-X off: interrupts come by the lines that _PRT tells
boot --name power --disk /tmp/disk --append "$APPEND pci=nomsi"
type_in 'dmesg >/log'
check "ACPI complains of nothing" answers none complaints \
	'grep -iE "acpi|pci|pnp|mmconfig" /log | grep -iE "error|warn|fail|bug:|invalid|firmware info" || echo none'
check "it knows how to switch off" answers 1 s5 'grep -c "supports S0 S5" /log'
check "PCI configuration space is mapped" answers "reserved 4096" ecam \
	'grep -qiE "(mmconfig|ecam).* reserved (in|as)" /log && echo reserved; stat -c %s /sys/bus/pci/devices/0000:00:00.0/config'
check "the bus has the windows told" answers "2" windows \
	'grep -cE "root bus resource .(io +0x1000-0xffff|mem 0xd0000000-0xdfffffff)" /log'
check "the disk's driver loads" answers "0 0" loaded 'modprobe virtio_pci; a=$?; modprobe virtio_blk; echo $a $?'
check "the disk's line is the one told" answers 11 line 'cat /sys/bus/pci/devices/0000:00:01.0/irq'
check "the disk works by it" answers "$disk_sum" read 'md5sum </dev/vda | cut -d" " -f1'
check "its interrupt is a level of the I/O APIC" answers 1 level \
	'grep -c "IO-APIC *11-fasteoi.*virtio" /proc/interrupts'
before=$(date +%s)
guest_time=$(ask rtc 'cat /sys/class/rtc/rtc0/since_epoch')
check "the real-time clock tells the host's time" test "$guest_time" -ge "$before" -a "$guest_time" -le "$(date +%s)"
type_in 'echo +2 >/sys/class/rtc/rtc0/wakealarm'
type_in 'until grep -q " 8: *[1-9].*rtc0" /proc/interrupts; do sleep 1; done; echo rang'
check "its alarm comes" within 60 said ^rang
type_in 'modprobe button; modprobe evdev'
type_in 'echo listens; head -c 24 </dev/input/event0 >/dev/null; echo pressed; poweroff -f'
check "it listens to its power button" within 60 said ^listens
check "tpz stop presses it, and the guest follows" tpz stop power --timeout 100
check "the press came by the input device" said ^pressed
ends "it switches itself off" 0 'switched its machine off'
finish
