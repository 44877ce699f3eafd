#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The same kernel, initramfs, disk and user-mode network under tpz run and then under QEMU with KVM, in one boot: both
# carry the same bytes, and the report tells each one's throughput and their ratio. Time is the guest's own clock, which
# is a count of instructions where the lab machine's is (lab.md).
. /lab/ktap.sh
. /lab/guest.sh
. /lab/network.sh

MIB=8			# read, written and fetched by each
SMALL=500		# reads of 4 KiB, one after the other
ASK_SECONDS=600
QEMU=qemu-system-x86_64
SIDES="ours QEMU/KVM"
APPEND="console=ttyS0 panic=-1 cryptomgr.notests quiet"

sum_of() {
	dd if=/tmp/disk bs=1M skip="$1" count=$MIB 2>/dev/null | md5sum | cut -d' ' -f1
}

# The guest's exits so far
exits() {
	if [ "$side" = ours ]; then
		tpz stat --json | tr -d ' \n\t"' | sed 's/.*total:{//' | tr ',' '\n' | sed -n 's/^exits://p'
	else
		cat /sys/kernel/debug/kvm/exits
	fi
}

# measured WHAT WORD KIB COMMAND: the guest's command succeeds; KiB/s and exits are remembered for this side
measured() {
	before=$(exits)
	answer=$(ask $2 "t=\$(now); $4 >/dev/null 2>&1; s=\$?; echo \$s \$((\$(now) - t))")
	[ "${answer% *}" = 0 ] && [ "${answer#* }" -gt 0 ] || { echo "the guest told '$answer'"; return 1; }
	echo "$side $(($3 * 1000000000 / ${answer#* })) $(($(exits) - before)) $1" >>/tmp/figures
}

# clock WORD: the guest's and the host's, in ms
clock() {
	answer=$(ask $1 now) || return
	read -r uptime idle </proc/uptime
	echo "${answer%??????} ${uptime%.*}${uptime#*.}0" >/tmp/clock.$1
}

# Guest and host have seen the same time pass; the host sees each answer up to a second late
clocks_agree() {
	cat /tmp/clock.first /tmp/clock.last | awk '{ guest = $1 - guest; host = $2 - host }
		END {
			print "guest " guest " ms, host " host " ms"
			exit host < guest - 1500 || host > guest + 1500
		}'
}

# told WHAT: both sides' figures
told() {
	awk -v what="$1" '{ side = $1; rate = $2; exits = $3; sub(/^[^ ]* [^ ]* [^ ]* /, "") }
		$0 == what { of[side] = rate; exits_of[side] = exits }
		END {
			printf "# %s: ours %d KiB/s, QEMU/KVM %d KiB/s, ratio %d %%; exits %d and %d\n",
				what, of["ours"], of["QEMU/KVM"], 100 * of["ours"] / of["QEMU/KVM"],
				exits_of["ours"], exits_of["QEMU/KVM"]
		}' /tmp/figures
}

start_ours() {
	start_guest /guest/vmlinuz --initrd /tmp/initrd --memory 256M --disk /tmp/disk --net user --append "$APPEND"
}

# QEMU with io_uring for the disk, as ours has it; the rest is what it does by itself. But an exit ends each interrupt
# (no PV EOI): the emulator delivers too many twice else, and the guest hangs (lab.md).
start_peer() {
	start_under $QEMU -L /guest -machine q35,accel=kvm -cpu host,kvm-pv-eoi=off -m 256M \
		-nodefaults -no-user-config -display none -serial stdio \
		-kernel /guest/vmlinuz -initrd /tmp/initrd -append "$APPEND" \
		-drive file=/tmp/disk,format=raw,if=none,id=disk,aio=io_uring -device virtio-blk-pci,drive=disk \
		-netdev user,id=net -device virtio-net-pci,netdev=net,romfile=
}

# What the guest's processor can do decides how it copies: it should be the same on both sides
features() {
	ask flags 'sed -n "s/^flags.*: //p" /proc/cpuinfo' | tr ' ' '\n' | sort >/tmp/flags.${side%/*}
}

# Each side's points
uses() {
	check "$side: a stock kernel boots to a shell prompt" within 600 said "$PROMPT"
	check "$side: its virtio drivers load" answers "0 0 0" loaded \
		'modprobe virtio_pci; a=$?; modprobe virtio_blk; b=$?; modprobe virtio_net; echo $a $b $?'
	check "$side: it has the disk and the network" answers "$((MIB * 4096)) 0" has \
		'cat /sys/block/vda/size; ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up; echo $?'
	type_in 'now() { sed -n "s/^now at \([0-9]*\) nsecs/\1/p" /proc/timer_list; }'
	features
	clock first
	check "$side: it reads $MIB MiB" measured "disk read" read $((MIB << 10)) \
		"dd if=/dev/vda of=/data bs=64k count=$((MIB * 16))"
	check "$side: it reads $SMALL times 4 KiB" measured "disk read by 4 KiB" small $((SMALL * 4)) \
		"dd if=/dev/vda of=/dev/null bs=4k count=$SMALL iflag=direct"
	check "$side: it writes $MIB MiB and fsyncs" measured "disk write" write $((MIB << 10)) \
		"dd if=/data of=/dev/vda bs=64k seek=$((MIB * 16)) conv=fsync"
	holds "$side: what it wrote is in the file" "$(sum_of $MIB)" = "$sum"
	check "$side: it fetches $MIB MiB" measured "network" fetch $((MIB << 10)) \
		'wget -q -O /got http://10.0.2.2:8080/file'
	check "$side: what it fetched is what was there" answers "$sum" got 'md5sum </got | cut -d" " -f1'
	clock last
	check "$side: its clock went as the host's" clocks_agree
	type_in 'poweroff -f'
	end_guest
	check "$side: the guest ends the run" ended_with 0
}

plan 23
serve $MIB
guest_initrd /tmp/initrd

for side in $SIDES; do
	cp /tmp/served/file /tmp/disk
	truncate -s $((2 * MIB))M /tmp/disk
	if [ "$side" = ours ]; then
		start_ours
	else
		check "KVM takes the CPU's virtualization over" \
			sh -c 'rmmod trapeze && modprobe kvm-amd && [ -c /dev/kvm ]'
		start_peer
	fi
	uses
done

for what in "disk read" "disk read by 4 KiB" "disk write" "network"; do
	told "$what"
done
echo "# CPU features of ours alone:" $(grep -vxFf /tmp/flags.QEMU /tmp/flags.ours)
echo "# CPU features of QEMU/KVM alone:" $(grep -vxFf /tmp/flags.ours /tmp/flags.QEMU)
kill $HTTPD
finish
