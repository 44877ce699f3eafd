# SPDX-License-Identifier: GPL-2.0
# For test scripts whose guests have a user-mode network: `. /lab/network.sh` after guest.sh.

# serve MIB: random bytes at http://10.0.2.2:8080/file of the guest's network; sets $sum, and $HTTPD to kill at the end
serve() {
	mkdir -p /tmp/served
	dd if=/dev/urandom of=/tmp/served/file bs=1M count="$1" 2>/dev/null
	sum=$(md5sum </tmp/served/file | cut -d' ' -f1)
	httpd -f -p 127.0.0.1:8080 -h /tmp/served &
	HTTPD=$!
}

# fetched_from_guest: the guest has the same at its port 80, to which port 8081 of this machine leads
fetched_from_guest() {
	[ "$(timeout 300 wget -q -O - http://127.0.0.1:8081/back | md5sum | cut -d' ' -f1)" = "$sum" ]
}

# dhcp_client: what the guest's udhcpc calls, as an archive for its initramfs
dhcp_client() {
	mkdir -p /tmp/client/etc
	cat >/tmp/client/etc/dhcp <<'END'
#!/bin/sh
[ "$1" = bound ] || exit 0
ifconfig $interface $ip netmask $subnet
route add default gw $router
echo "$ip $router $dns" >/lease
END
	chmod 755 /tmp/client/etc/dhcp
	(cd /tmp/client && { echo etc; echo etc/dhcp; } | cpio -o -H newc 2>/dev/null)
}

# lease CARD: a command for the guest: it asks for an address there, and tells it, the router and the name server
lease() {
	echo "ifconfig $1 up; udhcpc -n -q -f -i $1 -s /etc/dhcp >/dev/null 2>&1; cat /lease"
}
