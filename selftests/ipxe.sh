#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# iPXE's CD image boots as a disk by SeaBIOS, drives the virtio network card, and gets its address from the user-mode
# network.
. /lab/ktap.sh
. /lab/guest.sh

ESCAPE=$(printf '\033')

shows() {
	sed "s/$ESCAPE\[[0-9;?]*[A-Za-z]//g" $OUT | grep -q -- "$1"
}

plan 3
start_guest --bios=/guest/bios-256k.bin --memory 64M --disk /guest/ipxe.iso,ro --net user --name ipxe --stat
check "SeaBIOS boots iPXE from the disk" within 900 shows 'iPXE 1'
check "it gets its address" within 900 shows 'net0: 10.0.2.15/255.255.255.0 gw 10.0.2.2'
tpz stop --force ipxe
end_guest
check "it is stopped" ended_with 20
finish
