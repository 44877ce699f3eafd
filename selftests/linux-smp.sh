#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The same kernel with four vCPUs pinned to the lab machine's two CPUs: the topology that it finds is what was asked for,
# all four work at once, and each stays where it was put.
. /lab/ktap.sh

OUT=/tmp/guest.out
IN=/tmp/guest.in
PROMPT='guest# '

# within SECONDS COMMAND...: wait until it succeeds, or the guest is gone.
within() {
	within_seconds=$1
	shift
	while [ "$within_seconds" -gt 0 ]; do
		"$@" && return 0
		kill -0 "$TPZ" 2>/dev/null || return 1
		sleep 1
		within_seconds=$((within_seconds - 1))
	done
	return 1
}

said() {
	grep -q -- "$1" $OUT
}

# answers EXPECTED WORD COMMAND: the guest runs it; within two minutes it tells WORD and what is expected.
answers() {
	echo "echo $2 \$($3)" >&3
	within 120 said "^$2 " || return 1
	answer=$(tr -d '\r' <$OUT | sed -n "s/^$2 //p" | tail -n 1)
	[ "$answer" = "$1" ] || { echo "expected '$1', the guest told '$answer'"; return 1; }
}

# Of each processor: socket, core, its siblings
T=/sys/devices/system/cpu/cpu
TOPOLOGY="for c in 0 1 2 3; do echo \$c: \$(cd $T\$c/topology; cat physical_package_id core_id thread_siblings_list core_siblings_list); done"

# allowed CPU: how many threads of tpz may run on that one alone
allowed() {
	grep -lx "Cpus_allowed_list:	$1" /proc/"$TPZ"/task/*/status | wc -l
}

plan 9
mkfifo $IN
: >$OUT
tpz run /guest/vmlinuz --initrd /guest/initrd --memory 256M --cpus 4,sockets=1,cores=2,threads=2 --pin 0-1 \
	--append "console=ttyS0 panic=-1 cryptomgr.notests" <$IN >$OUT 2>&1 &
TPZ=$!
exec 3>$IN
tail -f $OUT | tr -d '\r' | while read -r line; do echo "# guest| $line"; done &
TAIL=$!

check "a stock kernel boots to a shell prompt" within 700 said "$PROMPT"
check "it has four processors" answers 4 processors nproc
check "its topology is what was asked for" answers \
	"0: 0 0 0-1 0-3 1: 0 0 0-1 0-3 2: 0 1 2-3 0-3 3: 0 1 2-3 0-3" topology "$TOPOLOGY"
check "/proc/cpuinfo agrees" answers "4 4" cpuinfo \
	"grep -c 'siblings.*: 4' /proc/cpuinfo; grep -c 'cpu cores.*: 2' /proc/cpuinfo"
check "all four work at once, and rightly" answers "1 4" work \
	'for i in 0 1 2 3; do seq 20000 | md5sum >/sum$i & done; wait; sort -u /sum? | wc -l; grep -c "^cpu[0-3] *[1-9]" /proc/stat'
holds "two vCPUs may run on CPU 0 alone" "$(allowed 0)" = 2
holds "two on CPU 1" "$(allowed 1)" = 2

echo 'report --end 0' >&3
wait $TPZ
holds "the guest ends the run with status 1" $? = 1
sleep 1
kill $TAIL
holds "no VM is left" "$(tpz list --json | tr -d ' \n')" = '[]'
finish
