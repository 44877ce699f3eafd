#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# A guest whose terminal is a virtio console and that mounts two shared folders by 9P: it reads what the host wrote and the
# other way round, a read-only folder stays as it is, and nothing leads out of a folder.
# The guest's kernel is another one than the lab's, which has no 9P; its drivers are the distribution's own modules.
. /lab/ktap.sh
. /lab/guest.sh

ASK_SECONDS=120
PROMPT='hvc# '
SHARE=/tmp/share/folder
RO=/tmp/share/readonly

sum_of() {
	md5sum <"$1" | cut -d' ' -f1
}

# The guest's first program: it needs a module to have a terminal.
guest_init() {
	mkdir /tmp/more
	cat >/tmp/more/share-init <<-'END'
		#!/bin/busybox sh
		/bin/busybox mkdir -p /proc /sys /dev /mnt /ro /up
		/bin/busybox mount -t devtmpfs dev /dev
		/bin/busybox mount -t proc proc /proc
		/bin/busybox mount -t sysfs sys /sys
		/bin/busybox --install -s /bin
		export PATH=/bin HOME=/ PS1='hvc# '
		exec </dev/console >/dev/console 2>&1
		modprobe virtio_pci
		modprobe virtio_console
		setsid sh -c 'exec sh -i </dev/hvc0 >/dev/hvc0 2>&1'
		report --end $?
	END
	chmod +x /tmp/more/share-init
	(cd /tmp/more && echo share-init | cpio -o -H newc 2>/dev/null)
}

no_server() {
	! pidof diod
}

# Without the server's program: told, and no guest.
without_diod() {
	mv /bin/diod /bin/diod.away
	tpz run /guest/vmlinux --share $SHARE:share 2>/tmp/told
	status=$?
	mv /bin/diod.away /bin/diod
	cat /tmp/told
	[ $status = 2 ] && grep -q 'apt-get install diod' /tmp/told
}

plan 17
mkdir -p $SHARE/many $RO /tmp/outside
chmod 755 /tmp/share
echo 'nobody may read this' >/tmp/outside/secret
dd if=/dev/urandom of=$SHARE/from-host bs=64k count=16 2>/dev/null
echo 'stays as it is' >$RO/file
for i in 1 2 3 4 5 6 7 8 9; do echo $i >$SHARE/many/$i; done
{ cat /guest/initrd /guest/modules.cpio; guest_init; } >/tmp/initrd

check "without diod tpz says what to install" without_diod
start_guest /guest/vmlinux --initrd /tmp/initrd --memory 384M --console virtio \
	--share $SHARE:share --share $RO:readonly,ro --share $SHARE:again \
	--append "console=ttyS0 panic=-1 cryptomgr.notests quiet rdinit=/share-init"
check "a stock kernel's shell prompts on hvc0" within 900 said "$PROMPT"
check "what is typed there arrives" answers /dev/hvc0 terminal 'readlink /proc/self/fd/0'
check "its 9P drivers load" answers "0 0" loaded 'modprobe 9pnet_virtio; a=$?; modprobe 9p; echo $a $?'
check "it finds the folders" answers "again readonly share" tags 'cat /sys/bus/virtio/drivers/9pnet_virtio/virtio*/mount_tag | tr "\0" "\n" | sort'
check "it mounts them" answers "0 0" mounted \
	'mount -t 9p -o trans=virtio,version=9p2000.L share /mnt; a=$?; mount -t 9p -o trans=virtio readonly /ro; echo $a $?'
check "it reads what the host wrote" answers "$(sum_of $SHARE/from-host)" read 'md5sum </mnt/from-host | cut -d" " -f1'
check "it lists a folder" answers "1 2 3 4 5 6 7 8 9 45" listed 'ls /mnt/many; cat /mnt/many/* | awk "{ s += \$1 } END { print s }"'
check "it writes" answers 0 wrote \
	'dd if=/dev/urandom of=/new bs=64k count=16 2>/dev/null; cp /new /mnt/from-guest && sync; echo $?'
sum=$(ask sum 'md5sum </new | cut -d" " -f1')
holds "what it wrote is in the host's folder" "$sum" = "$(sum_of $SHARE/from-guest)"
check "files change and go" answers "renamed 0" changed 'cd /mnt; mv many/1 renamed; echo x >>renamed; rm many/2; ls | grep ren; cd /; echo $?'
holds "and the host sees it" "$(cat $SHARE/renamed; ls $SHARE/many)" = "$(printf '1\nx\n3\n4\n5\n6\n7\n8\n9')"
check "the read-only folder is not written to" answers "stays as it is 1 1 1" kept \
	'cat /ro/file; echo x 2>/dev/null >/ro/new; echo $?; echo x 2>/dev/null >>/ro/file; echo $?; rm -f /ro/file 2>/dev/null; echo $?'
holds "and the host sees no change" "$(ls $RO; cat $RO/file)" = "$(printf 'file\nstays as it is')"
# The guest's own kernel resolves symlinks, but for the one that it mounts: that is followed by the server
ask linked 'ln -s / /mnt/up; ln -s ../../../tmp/outside/secret /mnt/secret; mount -t 9p -o trans=virtio,aname=/up again /up; echo $?' >/dev/null
check "no link leads the server out of the folder" answers "0 none none" outside \
	'ls /up/tmp /up/guest /up/lab 2>/dev/null | wc -l; cat /up/tmp/outside/secret 2>/dev/null || echo none; cat /mnt/secret 2>/dev/null || echo none'
check "a folder within it can be mounted" answers "3 4 5" within_it \
	'umount /up; mount -t 9p -o trans=virtio,aname=/many again /up; ls /up | head -n 3'

type_in 'report --end 0'
end_guest
check "the servers end with the guest" no_server
finish
