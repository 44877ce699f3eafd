#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# A guest starts as a PC does: SeaBIOS finds what its machine has and boots GRUB from a virtio disk. GRUB answers at its
# prompt, boots a stock kernel from a second disk, restarts the machine, and switches it off by ACPI. The BIOS's screen and
# keyboard are the terminal: what moves the cursor about is taken out of what was said, and a line that is typed ends
# with CR.
. /lab/ktap.sh
. /lab/guest.sh

BIOS=/guest/bios-256k.bin
MEMORY=256
ESCAPE=$(printf '\033')

shown() {
	sed "s/$ESCAPE\[[0-9;?]*[A-Za-z]//g" $OUT
}

shows() {
	shown | grep -q -- "$1"
}

type_line() {
	printf '%s\r' "$1" >&3
}

# prompted NUMBER: GRUB has prompted so often
prompted() {
	[ "$(shown | grep -c 'grub> ')" -ge "$1" ]
}

# says_where_memory_ends: of the ranges that GRUB told one ends where the memory does
says_where_memory_ends() {
	shown | sed -n 's/.*base_addr = \(0x[0-9a-f]*\), length = \(0x[0-9a-f]*\), .*/\1 \2/p' |
		while read -r start length; do echo $((start + length)); done | grep -qx $((MEMORY << 20))
}

start_grub() {
	start_guest --bios=$BIOS --disk /guest/grub.iso "$@"
}

plan 13

told=$(tpz run --disk /guest/grub.iso 2>&1)
holds "a disk and no kernel: without the package it cannot start" $? = 2
check "and says which package that is" grep -q 'package seabios' <<-END
	$told
END

guest_initrd /tmp/initrd
cd /
printf 'guest/vmlinuz\ntmp/initrd\n' | cpio -o -H newc >/tmp/archive 2>/dev/null
dd if=/tmp/archive of=/tmp/kernels bs=512 conv=sync 2>/dev/null	# whole sectors; not by a pipe, whose short reads it would fill up
start_grub --disk /tmp/kernels --memory ${MEMORY}M --stat
check "SeaBIOS boots GRUB from the disk" within 600 prompted 1
type_line lsmmap
check "its map of memory is right" within 200 says_where_memory_ends
type_line lsacpi
check "the ACPI tables are found" within 200 shows 'MCFG .*(valid)'
check "GRUB prompts again" within 200 prompted 3
type_line 'linux (hd1)/guest/vmlinuz console=ttyS0 panic=-1 cryptomgr.notests quiet'
within 300 prompted 4
type_line 'initrd (hd1)/tmp/initrd'
within 300 prompted 5
type_line boot
check "it boots a stock kernel from the other disk" within 900 said "$PROMPT"
check "the kernel has its ACPI tables" answers "APIC MCFG WDAT" tables \
	'cd /sys/firmware/acpi/tables; ls -d APIC MCFG WDAT'
check "and its disks, where the BIOS put their registers" answers "$(($(stat -c %s /guest/grub.iso) / 512)) 2" sectors \
	'modprobe virtio_pci; modprobe virtio_blk; cat /sys/block/vda/size; grep -c "febf.*virtio-pci-modern" /proc/iomem'
type_in 'poweroff -f'
end_guest
check "it powers off" ended_with 0

start_grub --memory 64M
check "GRUB boots with less memory" within 600 prompted 1
type_line reboot
end_guest
check "and restarts the machine" ended_with 4

start_grub --memory 64M --cpus 2
within 600 prompted 1
type_line halt
end_guest
check "or switches it off" ended_with 0
finish
