#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# A guest with the emulated card, an Intel 82545GM, driven by the distribution's own module: it gets its address by
# DHCP, files go both ways unharmed, the driver may go and come back. Then the same file by a virtio card, and what each has
# cost: exits a packet, and instructions of the host's (of tpz's threads outside of the guest).
# The guest's kernel is another one than the lab's, which has no such driver.
. /lab/ktap.sh
. /lab/guest.sh
. /lab/network.sh

MIB=2
PINGS=200
NIC=02:00:00:00:00:e1
VIRTIO=02:00:00:00:00:17
ASK_SECONDS=400

# card MAC: a word for the guest's shell: the interface of that address
card() {
	echo "\$(grep -l $1 /sys/class/net/*/address | cut -d/ -f5)"
}

# What the guest has cost so far, and the card's packets, to /tmp/cost.WORD
cost() {
	tpz stat --json | tr -d ' \n\t' | sed 's/.*"total":{//' | tr ',' '\n' | tr -d '"}' | tr ':' ' ' >/tmp/cost.$2
	cat /proc/$TPZ/task/*/sched | awk '/^se.sum_exec_runtime/ { ms += $3 } END { printf "cpu %.0f\n", ms * 1000000 }' \
		>>/tmp/cost.$2
	echo packets $(ask $2 "cat /sys/class/net/$(card $1)/statistics/?x_packets | awk '{ s += \$1 } END { print s }'") \
		>>/tmp/cost.$2
}

# grown NAME BEFORE AFTER
grown() {
	awk -v name="$1" '$1 == name { value[FILENAME] = $2 } END { printf "%.0f\n", value[ARGV[2]] - value[ARGV[1]] }' \
		/tmp/cost.$2 /tmp/cost.$3
}

# told WHAT BEFORE AFTER: the difference, in the report; sets $exits_100, exits for 100 packets, and $host, ns for one
told() {
	packets=$(grown packets $2 $3)
	exits=$(grown exits $2 $3)
	host=$((($(grown cpu $2 $3) - $(grown guest_cycles $2 $3) * 1000000 / tsc_khz) / packets))
	exits_100=$((exits * 100 / packets))
	echo "# $1: $packets packets, $exits exits, $(grown user_exits $2 $3) of them to user space; for 100 packets" \
		"$exits_100 exits; CPU time $(grown cpu $2 $3) ns, $(grown guest_cycles $2 $3) cycles of it in the guest: $host ns" \
		"of the host's a packet (one instruction: 1 ns with counted)"
}

refused() {
	! tpz run /guest/vmlinux --timeout 60 --net user,model=ne2000 </dev/null >/tmp/refused 2>&1 &&
		grep -q "model= takes virtio or e1000, not 'ne2000'" /tmp/refused || { cat /tmp/refused; return 1; }
}

plan 14
serve $MIB
{
	cat /guest/initrd /guest/modules.cpio
	dhcp_client
} >/tmp/initrd

check "a model that is not there is named" refused
start_guest /guest/vmlinux --initrd /tmp/initrd --memory 384M --net user,model=e1000,mac=$NIC,hostfwd=tcp:8081:80 \
	--net user,mac=$VIRTIO --append "console=ttyS0 panic=-1 cryptomgr.notests"
check "a stock kernel boots to a shell prompt" within 900 said "$PROMPT"
tsc_khz=$(tpz stat --json | tr -d ' ' | sed -n 's/.*"tsc_khz":\([0-9]*\).*/\1/p')

check "its drivers load" answers "0 0 0" loaded \
	'modprobe e1000; a=$?; modprobe virtio_pci; b=$?; modprobe virtio_net; echo $a $b $?'
check "the EEPROM tells the card's address" answers $NIC mac 'cat /sys/bus/pci/drivers/e1000/*/net/*/address'
check "it gets its address by DHCP" answers "10.0.2.15 10.0.2.2 10.0.2.3" lease "ifconfig lo up; $(lease "$(card $NIC)")"
check "the PHY tells the link" answers "1000 full" link "cat /sys/class/net/$(card $NIC)/speed /sys/class/net/$(card $NIC)/duplex"
cost $NIC nic0
check "it fetches $MIB MiB from a server on the host" answers "$sum" fetch \
	'wget -q -O /got http://10.0.2.2:8080/file; md5sum </got | cut -d" " -f1'
cost $NIC nic1
told "fetching, e1000" nic0 nic1
nic_100=$exits_100
nic_host=$host
ask serve 'mkdir /www; mv /got /www/back; httpd -p 80 -h /www >/dev/null 2>&1; echo $?' >/dev/null
check "the host fetches them from it" fetched_from_guest
cost $NIC nic2
told "serving, e1000" nic1 nic2
check "$PINGS pings to the gateway come back" answers "$PINGS packets received" pings \
	"ping -A -q -c $PINGS 10.0.2.2 | sed -n 's/.*, \\(.*received\\).*/\\1/p'"
cost $NIC nic3
told "pings, e1000" nic2 nic3
check "the driver goes and comes back" answers "0 20 packets received" again \
	"rmmod e1000; modprobe e1000; echo \$?; sleep 1; ($(lease "$(card $NIC)")) >/dev/null; ping -A -q -c 20 10.0.2.2 | sed -n 's/.*, \\(.*received\\).*/\\1/p'"

ask down "ifconfig $(card $NIC) down; rm /lease; echo 0" >/dev/null
check "the virtio card beside it has a network, too" answers "10.0.2.15 10.0.2.2 10.0.2.3" lease2 "$(lease "$(card $VIRTIO)")"
cost $VIRTIO virtio0
check "it fetches the same" answers "$sum" fetch2 \
	'wget -q -O /got http://10.0.2.2:8080/file; md5sum </got | cut -d" " -f1'
cost $VIRTIO virtio1
told "fetching, virtio" virtio0 virtio1
echo "# by virtio against e1000: $((nic_100 * 100 / (exits_100 + 1))) % of packets an exit, $((nic_host * 100 / (host + 1))) % of packets an instruction"
holds "virtio needs fewer exits a packet" $exits_100 -lt $nic_100

type_in 'cat /proc/interrupts; cat /proc/net/dev; report --end 0'
end_guest
check "the guest ends the run" said 'ended the run'
kill $HTTPD
finish
