#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# An unmodified Debian boots from a virtio disk by its own kernel and initrd to a login, knows where it is, gets its
# address and a file over a user-mode network, keeps what it writes, restarts and powers off.
. /lab/ktap.sh
. /lab/guest.sh

ASK_SECONDS=300

boot() {
	start_guest /guest/debian/vmlinuz --initrd /guest/debian/initrd --disk /dev/pmem0 --rng --net user --cpus 2 --memory 512M --stat $(patient) \
		--append "root=/dev/vda quiet console=ttyS0 panic=-1 cryptomgr.notests systemd.default_timeout_start_sec=900s systemd.default_device_timeout_sec=900s"
}

# log_in: as root, who has no password; to a shell that echoes no control sequences
log_in() {
	type_in root
	within 300 said '^root@guest' || return 1
	type_in "exec env PS1='$PROMPT' sh"
	within 100 prompts 2		# the first is echoed
}

plan 14
modprobe nd_e820
modprobe nd_pmem
mkdir -p /tmp/served
dd if=/dev/urandom of=/tmp/served/file bs=1M count=4 2>/dev/null
sum=$(md5sum </tmp/served/file | cut -d' ' -f1)
httpd -f -p 127.0.0.1:8080 -h /tmp/served &
HTTPD=$!

boot
check "it boots to a login" within 900 said '^guest login: '
check "root logs in" log_in
check "it has two processors" answers 2 processors nproc
check "systemd knows its hypervisor" answers kvm virt systemd-detect-virt
check "its root file system is on the virtio disk" answers /dev/vda root 'findmnt --noheadings --output SOURCE /'
check "it has its address by DHCP" answers 10.0.2.15 address \
	'/lib/systemd/systemd-networkd-wait-online --timeout=250; hostname -I | cut -d" " -f1'
check "it fetches 4 MiB from a server on the host" answers "$sum" fetched \
	'wget -q -O - http://10.0.2.2:8080/file | md5sum | cut -d" " -f1'
check "it writes and syncs 64 MiB" answers 0 written \
	'head -c 64M /dev/urandom >/file; md5sum /file >/sum; sync /file /sum; echo $?'
check "and reads them back from the disk" answers 0 read 'echo 3 >/proc/sys/vm/drop_caches; md5sum --check --status /sum; echo $?'
type_in reboot
check "it restarts" guest_ends 4

boot
check "it boots again" within 900 said '^guest login: '
check "root logs in" log_in
check "the file is there" answers 0 kept 'md5sum --check --status /sum; echo $?'
type_in poweroff
check "it powers off" guest_ends 0
kill $HTTPD
finish
