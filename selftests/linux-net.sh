#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The same kernel with two virtio network cards. On a user-mode network it gets its address by DHCP, and what it fetches
# from a server on the host and the host fetches from it is what was there; a tap leads to the host, too; each queue has
# an interrupt of its own. The guest's drivers are the distribution's own modules.
. /lab/ktap.sh
. /lab/guest.sh
. /lab/network.sh

MIB=4
PINGS=1000
ASK_SECONDS=400

# What the guest has cost so far: its exits by reason, and its packets; WORD is new each time.
cost() {
	tpz stat | awk '$6 == "%" { print $1, $2 }' >/tmp/cost.$1
	echo packets $(ask $1 'cd /sys/class/net/eth1/statistics; cat rx_packets tx_packets | tr "\n" "+"; echo 0') |
		sed 's/+/ /' >>/tmp/cost.$1
}

# told WHAT BEFORE AFTER: the difference, in the report.
told() {
	awk -v what="$1" 'NR == FNR { old[$1] = $2; sent = $1 == "packets" ? $3 : sent; next }
		$1 == "packets" {
			print "# " what ": " exits " exits, packets received " $2 - old[$1] ", sent " $3 - sent
			next
		}
		$2 > old[$1] { print "#   " $1, $2 - old[$1]; exits += $2 - old[$1] }' /tmp/cost.$2 /tmp/cost.$3
}

# refused WORDS NET: tpz run --net NET ends with these words.
refused() {
	! tpz run /guest/vmlinuz --timeout 60 --net "$2" </dev/null >/tmp/refused 2>&1 && grep -q -- "$1" /tmp/refused ||
		{ cat /tmp/refused; return 1; }
}

plan 13
serve $MIB
guest_initrd /tmp/initrd
dhcp_client >>/tmp/initrd

check "a forwarded port that is taken is named" refused "port 8080 of this host" user,hostfwd=tcp:8080:80
check "a tap that is not there is named" refused "tap none: there is none; as root: ip tuntap add none" tap=none
modprobe tun
tunctl -t tap0 >/dev/null && ifconfig tap0 10.9.0.1 netmask 255.255.255.0 up

start_guest /guest/vmlinuz --initrd /tmp/initrd --memory 256M --net tap=tap0 \
	--net user,mac=02:00:00:00:00:17,hostfwd=tcp:8081:80 --append "console=ttyS0 panic=-1 cryptomgr.notests quiet"
check "a stock kernel boots to a shell prompt" within 600 said "$PROMPT"
check "its virtio drivers load" answers "0 0" loaded \
	'modprobe virtio_pci; a=$?; modprobe virtio_net; echo $a $?'
check "the card has its address" answers "02:00:00:00:00:17" mac 'cat /sys/class/net/eth1/address'
check "the guest gets its address by DHCP" answers "10.0.2.15 10.0.2.2 10.0.2.3" lease \
	"ifconfig lo up; $(lease eth1)"
cost cost0
check "it fetches $MIB MiB from a server on the host" answers "$sum" fetch \
	'wget -q -O /got http://10.0.2.2:8080/file; md5sum </got | cut -d" " -f1'
cost cost1
told "fetching" cost0 cost1
ask serve 'mkdir /www; mv /got /www/back; httpd -p 80 -h /www >/dev/null 2>&1; echo $?' >/dev/null
check "the host fetches them from it" fetched_from_guest
cost cost2
told "serving" cost1 cost2
check "$PINGS pings to the gateway come back" answers "$PINGS packets received" pings \
	"ping -A -q -c $PINGS 10.0.2.2 | sed -n 's/.*, \\(.*received\\).*/\\1/p'"
cost cost3
told "pings" cost2 cost3
check "the tap leads to the host" answers "20 packets received" tap \
	"ifconfig eth0 10.9.0.2; ping -A -q -c 20 10.9.0.1 | sed -n 's/.*, \\(.*received\\).*/\\1/p'"
check "each queue has an interrupt of its own" answers "1 1 1 1" vectors \
	'for q in 0-input 0-output 1-input 1-output; do grep -c "MSI.* virtio$q.0\$" /proc/interrupts; done'

type_in 'cat /proc/interrupts; cat /proc/net/dev; report --end 0'
end_guest
check "the guest ends the run" ended_with 1
check "its network ends with it" sh -c 'for i in 1 2 3 4 5 6 7 8 9; do pidof tpz-net || exit 0; sleep 1; done; exit 1'
kill $HTTPD
finish
