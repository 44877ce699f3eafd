#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Four vCPUs on two CPUs that have other work too: all four compute, and the guest's kernel finds no time missing.
. /lab/ktap.sh
. /lab/guest.sh

ASK_SECONDS=600
ROUNDS=20000

plan 5
for _ in 1 2; do
	while :; do :; done &
	LOAD="$LOAD $!"
done

start_guest /guest/vmlinuz --initrd /guest/initrd --memory 256M --cpus 4 --stat $(patient) \
	--append "console=ttyS0 panic=-1 cryptomgr.notests quiet"
check "a stock kernel boots to a shell prompt" within 1200 prompts 1
check "it has four processors" answers 4 processors nproc
check "all four compute" answers "$ROUNDS $ROUNDS $ROUNDS $ROUNDS" computed \
	"for f in 1 2 3 4; do (i=0; while [ \$i -lt $ROUNDS ]; do i=\$((i+1)); done; echo \$i >/\$f) & done; wait; cat /1 /2 /3 /4"
# "TSCs unsynchronized" is what the kernel says of several AMD processors without a constant TSC, before it has looked
check "each had its time, and no lock-up, stall or lost clock is told of" answers "4 0" times \
	'grep -c "^cpu[0-9] [1-9]" /proc/stat; dmesg | grep -v "TSCs unsynchronized" | grep -cE "lockup|stall|unstable|hung|WARNING: CPU"'
type_in 'report --end 0'
end_guest
check "the guest ends the run" ended_with 1
kill $LOAD
finish
