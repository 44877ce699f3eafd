#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The same kernel with two vCPUs, two virtio disks and a virtio entropy device on the PCI bus: what the guest reads is
# what the files hold, what it writes is in them afterwards, and each queue has an interrupt of its own (MSI-X).
# The guest's drivers are the distribution's own modules.
. /lab/ktap.sh
. /lab/guest.sh

SECTORS=16384		# of the first disk; the second has 2048

sum_of() {
	dd if="$1" bs=64k count="$2" 2>/dev/null | md5sum | cut -d' ' -f1
}

plan 11
dd if=/dev/urandom of=/tmp/disk bs=512 count=$SECTORS 2>/dev/null
dd if=/dev/urandom of=/tmp/readonly bs=512 count=2048 2>/dev/null
readonly_sum=$(md5sum </tmp/readonly | cut -d' ' -f1)
guest_initrd /tmp/initrd
start_guest $(patient) /guest/vmlinuz --initrd /tmp/initrd --memory 256M --cpus 2 --disk /tmp/disk --disk /tmp/readonly,ro --rng \
	--append "console=ttyS0 panic=-1 cryptomgr.notests"

check "a stock kernel boots to a shell prompt" within 600 said "$PROMPT"
check "its virtio drivers load" answers "0 0 0" loaded \
	'modprobe virtio_pci; a=$?; modprobe virtio_blk; b=$?; modprobe virtio-rng; echo $a $b $?'
check "it has both disks" answers "$SECTORS 0 2048 1" disks \
	'cat /sys/block/vda/size /sys/block/vda/ro /sys/block/vdb/size /sys/block/vdb/ro'
check "it reads what the file holds" answers "$(sum_of /tmp/disk 128)" read 'md5sum </dev/vda | cut -d" " -f1'
check "both disks are read at once" answers "$(sum_of /tmp/disk 128) $readonly_sum" both \
	'echo 3 >/proc/sys/vm/drop_caches; md5sum </dev/vda >/a & md5sum </dev/vdb >/b; wait; cat /a /b | cut -d" " -f1'
check "it writes" answers 0 wrote 'dd if=/dev/urandom of=/new bs=64k count=16 2>/dev/null; cat /new >/dev/vda; sync; echo $?'
check "what it wrote is in the file" answers "$(sum_of /tmp/disk 16)" written 'md5sum </new | cut -d" " -f1'
check "the read-only disk is not written to" answers "$readonly_sum" kept \
	'dd if=/new of=/dev/vdb bs=512 count=1 2>/dev/null; echo 3 >/proc/sys/vm/drop_caches; md5sum </dev/vdb | cut -d" " -f1'
check "entropy comes from the device" answers "virtio_rng.0 64" entropy \
	'cat /sys/class/misc/hw_random/rng_current; dd if=/dev/hwrng bs=64 count=1 2>/dev/null | wc -c'
check "each queue has an interrupt of its own" answers "2 1 1" vectors \
	'for q in virtio0-req.[01] virtio1-req.0 virtio2-input; do grep -c "MSI.* $q\$" /proc/interrupts; done'

type_in 'cat /proc/interrupts; report --end 0'
end_guest
check "the guest ends the run" said 'ended the run'
finish
