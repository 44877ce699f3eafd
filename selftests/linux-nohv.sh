#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# A stock kernel that is not told that it is a guest: it boots without the paravirtual services, and its clock, which it
# must calibrate by itself, never steps back and goes as fast as the host's.
. /lab/ktap.sh
. /lab/guest.sh

ASK_SECONDS=300

plan 7
start_guest $(patient) /guest/vmlinuz --initrd /guest/initrd --memory 192M --cpus 2 --no-hv \
	--append "console=ttyS0 panic=-1 cryptomgr.notests quiet"
check "a stock kernel boots" within 900 said "$PROMPT"
check "its processor tells of no hypervisor" answers 0 flag 'grep -cw hypervisor /proc/cpuinfo'
check "its kernel knows of none" answers 0 log 'dmesg >/log; grep -ciE "kvm|hypervisor detected" /log'
check "it has two processors" answers 2 processors 'nproc'
check "its clock is the machine's" answers 1 source \
	'grep -cE "^(tsc|tsc-early|acpi_pm)$" /sys/devices/system/clocksource/clocksource0/current_clocksource'
type_in 'read_often() { i=0; while [ $i -lt 300 ]; do read now _ </proc/uptime; echo $now; i=$((i + 1)); done; }'
check "which never steps back" answers "0 300" steps \
	'read_often | awk "\$1 < last { back++ } { last = \$1 } END { print back + 0, NR }"'
# The real-time clock is the host's: half a minute of it, a fifth more or less
type_in 'both() { echo $(cat /sys/class/rtc/rtc0/since_epoch) $(cut -d. -f1 /proc/uptime); }'
type_in 'fair() { both; sleep 30; both; }; fast() { echo $(($3 - $1)) $(($4 - $2)); }'
rates=$(ask rates 'fast $(fair)')
echo "# seconds of the host's clock and of the guest's: $rates"
check "and goes as fast as the host's" awk "BEGIN { split(\"$rates\", s); exit !(s[1] && s[2] >= s[1] * .8 && s[2] * .8 <= s[1]) }"
type_in 'dmesg | grep -iE "tsc|clocksource|calibrat|pit"; poweroff -f'
end_guest
finish
