#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The same kernel with devices whose queues the host's kernel serves (vhost): bytes go both ways between guest and host by AF_VSOCK,
# whoever calls, and by a tap; also after the guest's driver was taken away and has come again. What the host lacks, or has
# given to another guest, is told. The guest's drivers are the distribution's own modules.
. /lab/ktap.sh
. /lab/guest.sh

BYTES=1000000
CID=42
PINGS=200

# refused WORDS OPTION...: tpz run with these ends at once, with these words
refused() {
	words=$1
	shift
	! tpz run /guest/vmlinuz --timeout 60 "$@" </dev/null >/tmp/refused 2>&1 && grep -q -- "$words" /tmp/refused ||
		{ cat /tmp/refused; return 1; }
}

sum_of() {
	md5sum <"$1" | cut -d' ' -f1
}

# Each side sends its file and takes the other's: the host's was /tmp/file; the guest's is /mine there
host_has_it() {
	[ "$(sum_of /tmp/got)" = "$mine" ]
}

# guest_calls PORT: two points
guest_calls() {
	guest-vsock listen $1 </tmp/file >/tmp/got &
	HOST_SIDE=$!
	check "the guest calls the host, and gets what it sends" answers "$(sum_of /tmp/file) 0" called$1 \
		"guest-vsock connect 2 $1 </mine >/got; s=\$?; md5sum </got | cut -d' ' -f1; echo \$s"
	check "the host gets what the guest sends" within 60 host_has_it
	kill $HOST_SIDE 2>/dev/null
}

# host_calls PORT: two points. Before the guest listens the call is refused
host_calls() {
	type_in "guest-vsock listen $1 </mine >/got; echo served$1 \$(md5sum </got | cut -d' ' -f1)"
	check "the host calls the guest, and gets what it sends" within 60 call $1
	check "the guest gets what the host sends" within 60 said "^served$1 $(sum_of /tmp/file)"
}

call() {
	guest-vsock connect $CID $1 </tmp/file >/tmp/got && host_has_it
}

fetched_by_tap() {
	answers "$(sum_of /tmp/file)" $1 'rm -f /got; wget -q -O /got http://10.9.0.1:8080/file; md5sum </got | cut -d" " -f1'
}

pinged() {
	answers "$PINGS packets received" $1 "ifconfig eth0 10.9.0.2; ping -A -q -c $PINGS 10.9.0.1 | sed -n 's/.*, \\(.*received\\).*/\\1/p'"
}

vhost_files() {
	ls -l /proc/$TPZ/fd | sed -n 's/.* -> \/dev\/\(vhost.*\)/\1/p' | sort | tr '\n' ' '
}

plan 23
dd if=/dev/urandom of=/tmp/file bs=$BYTES count=1 2>/dev/null
guest_initrd /tmp/initrd
(cd / && echo bin/guest-vsock | cpio -o -H newc 2>/dev/null) >>/tmp/initrd

check "a host without vhost_vsock is told of" refused "/dev/vhost-vsock: this host has none; as root: modprobe vhost_vsock" --vsock cid=$CID
modprobe tun
tunctl -t tap0 >/dev/null && ifconfig tap0 10.9.0.1 netmask 255.255.255.0 up
check "a host without vhost_net is told of, if that was asked for" refused "/dev/vhost-net: this host has none" --net tap=tap0,vhost=on
check "the host's own CID is no guest's" refused "a guest's CID is 3 to" --vsock cid=2
modprobe vhost_vsock
modprobe vhost_net
mkdir /tmp/served
cp /tmp/file /tmp/served
httpd -f -p 10.9.0.1:8080 -h /tmp/served &
HTTPD=$!

start_guest /guest/vmlinuz --initrd /tmp/initrd --memory 256M --vsock cid=$CID --net tap=tap0 \
	--append "console=ttyS0 panic=-1 cryptomgr.notests"
check "a stock kernel boots to a shell prompt" within 600 said "$PROMPT"
holds "the host's kernel serves both devices" "$(vhost_files)" = "vhost-net vhost-vsock "
check "a CID that another guest has is told of" refused "cid=$CID: another guest of this host has that CID" --vsock cid=$CID
check "the guest's drivers load" answers "0 0 0" loaded \
	'modprobe virtio_pci; a=$?; modprobe vmw_vsock_virtio_transport; b=$?; modprobe virtio_net; echo $a $b $?'
mine=$(ask mine "dd if=/dev/urandom of=/mine bs=$BYTES count=1 2>/dev/null; md5sum </mine | cut -d' ' -f1")

guest_calls 5001
host_calls 5002
check "the tap leads to the host" pinged pings
check "the guest fetches a file over it" fetched_by_tap fetched
check "each queue has an interrupt of its own" answers "1 1 1 1 1" vectors \
	'for q in rx tx event input.0 output.0; do grep -c "MSI.* virtio[01]-$q\$" /proc/interrupts; done'

# A reset stops the queues, and another driver begins with its own
check "the drivers go and come again" answers "0 0 0 0" reloaded \
	'rmmod virtio_net; a=$?; rmmod vmw_vsock_virtio_transport; b=$?; modprobe vmw_vsock_virtio_transport; c=$?; modprobe virtio_net; echo $a $b $c $?'
guest_calls 5003
host_calls 5004
check "the tap leads to the host again" pinged pings2
check "and the file comes" fetched_by_tap fetched2

type_in 'cat /proc/interrupts; cat /proc/net/dev; report --end 0'
end_guest
check "the guest ends the run" said 'ended the run'
# Its queues have gone with it
check "what it had is free again" refused "the time is over" --vsock cid=$CID --net tap=tap0,vhost=on --timeout 1
kill $HTTPD
finish
