#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# An unmodified Debian boots from a virtio disk by its own kernel and initrd to a login, knows where and when it is, has a
# network, keeps what it writes, restarts and powers off.
. /lab/ktap.sh
. /lab/guest.sh
. /lab/network.sh

MIB=4
ASK_SECONDS=600

# boot OPTION...
boot() {
	start_guest /guest/debian/vmlinuz --initrd /guest/debian/initrd --disk /dev/pmem0 --net user --rng --memory 512M --stat \
		$(patient) "$@" \
		--append "root=/dev/vda quiet console=ttyS0 panic=-1 cryptomgr.notests systemd.show_status=true"
}

# log_in: as root, who has no password; to a shell that echoes no control sequences
log_in() {
	type_in root
	within 300 said 'root@guest:' || return 1	# behind what tells a terminal to mark what is pasted
	type_in "exec env PS1='$PROMPT' sh"
	within 100 prompts 2		# the first is echoed
}

# knows_the_time: to the minutes that an answer may take, and a second: it has it from a real-time clock, which tells no less
knows_the_time() {
	from=$(date +%s)
	told=$(ask time 'date +%s') && [ "$told" -ge $((from - 1)) ] && [ "$told" -le $(($(date +%s) + 1)) ] ||
		{ echo "between $from and $(date +%s) it told '$told'"; return 1; }
}

plan 16
date -s @1900000000 >/dev/null	# systemd takes no time that was before its own making
modprobe nd_e820
modprobe nd_pmem
serve $MIB

boot --cpus 2
check "it boots to a login" within 1500 said 'guest login: '
check "root logs in" log_in
check "it has two processors" answers 2 processors nproc
check "systemd knows its hypervisor" answers kvm virt systemd-detect-virt
check "its root file system is on the virtio disk" answers /dev/vda root 'findmnt --noheadings --output SOURCE /'
check "its clock is right" knows_the_time
check "it has its address from the user-mode network" answers 10.0.2.15 address \
	'until hostname -I | grep -q .; do sleep 1; done; hostname -I'
check "it fetches $MIB MiB from a server on the host" answers "$sum" fetched \
	'wget -q -O - http://10.0.2.2:8080/file | md5sum | cut -d" " -f1'
check "it writes and syncs 64 MiB" answers 0 written \
	'head -c 64M /dev/urandom >/file; md5sum /file >/sum; sync /file /sum; echo $?'
check "and reads them back from the disk" answers 0 read 'echo 3 >/proc/sys/vm/drop_caches; md5sum --check --status /sum; echo $?'
type_in reboot
end_guest
check "it restarts" ended_with 4

boot --no-hv		# with one processor: waiting for another one takes long without paravirtual services
check "it boots again, not told that it is a guest" within 1500 said 'guest login: '
check "root logs in" log_in
check "systemd knows no hypervisor" answers none bare systemd-detect-virt
check "the file is there" answers 0 kept 'md5sum --check --status /sum; echo $?'
type_in poweroff
end_guest
check "it powers off" ended_with 0
kill $HTTPD
finish
