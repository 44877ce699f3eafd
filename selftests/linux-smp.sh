#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The same kernel with several vCPUs pinned to the lab machine's two CPUs: the topology that it finds, also by `lscpu -p`, is
# what was asked for, all work at once, and each stays where it was put.
# Arguments: the topologies to boot, as CPUS,SOCKETS,CORES,THREADS; the first one is looked at more closely.
. /lab/ktap.sh
. /lab/guest.sh

ASK_SECONDS=120
T=/sys/devices/system/cpu
[ $# -gt 0 ] || set -- 4,1,2,2

# The guest has lscpu as the lab machine has it, with its libraries.
guest_with_lscpu() {
	cat /guest/initrd
	cd / && { echo lib; find bin/lscpu lib/x86_64-linux-gnu lib64; } | cpio -o -H newc 2>/dev/null
}

# allowed CPU: how many threads of tpz may run on that one alone
allowed() {
	grep -lx "Cpus_allowed_list:	$1" /proc/"$TPZ"/task/*/status | wc -l
}

# begin CPUS SOCKETS CORES THREADS
begin() {
	start_guest $(patient) /guest/vmlinuz --initrd /tmp/initrd --memory 256M --pin 0-1 \
		--cpus "$1,sockets=$2,cores=$3,threads=$4" --append "console=ttyS0 panic=-1 cryptomgr.notests"
}

# The lines of `lscpu -p`: processor, core, socket; and what the guest's own say
asked() {
	for cpu in $(seq 0 $(($1 - 1))); do
		echo "$cpu,$((cpu / $4)),$((cpu / ($3 * $4)))"
	done
}

lscpu_agrees() {
	answers "$(asked "$@" | tr '\n' ' ' | sed 's/ $//')" lscpu "lscpu -p | grep -v '^#' | cut -d, -f1-3"
}

# Caches: the first level belongs to a core, as far as the guest's kernel is told of caches
first_cache_agrees() {
	answers agree caches "cd $T; for c in cpu[0-9]*; do [ ! -e \$c/cache/index0 ] ||
		cmp -s \$c/cache/index0/shared_cpu_list \$c/topology/thread_siblings_list || echo \$c; done; echo agree"
}

# Of each processor: socket, core, its siblings
TOPOLOGY="for c in 0 1 2 3; do echo \$c: \$(cd $T/cpu\$c/topology; cat physical_package_id core_id thread_siblings_list core_siblings_list); done"

# A guest of 1 socket, 2 cores, 2 threads, by more than lscpu
four_at_work() {
	check "sysfs agrees" answers "0: 0 0 0-1 0-3 1: 0 0 0-1 0-3 2: 0 1 2-3 0-3 3: 0 1 2-3 0-3" topology "$TOPOLOGY"
	check "/proc/cpuinfo agrees" answers "4 4" cpuinfo \
		"grep -c 'siblings.*: 4' /proc/cpuinfo; grep -c 'cpu cores.*: 2' /proc/cpuinfo"
	check "all four work at once, and rightly" answers "1 4" work \
		'for i in 0 1 2 3; do seq 20000 | md5sum >/sum$i & done; wait; sort -u /sum? | wc -l; grep -c "^cpu[0-3] *[1-9]" /proc/stat'
	holds "two vCPUs may run on CPU 0 alone" "$(allowed 0)" = 2
	holds "two on CPU 1" "$(allowed 1)" = 2
}

boot() {
	begin "$@"
	check "$1 vCPUs, $2 sockets of $3 cores of $4 threads: a stock kernel boots to a shell prompt" within 700 prompts 1
	check "it has as many processors" answers "$1" processors nproc
	check "lscpu -p tells what was asked for" lscpu_agrees "$@"
	check "threads of one core share their first cache" first_cache_agrees
	[ "$*" != "4 1 2 2" ] || four_at_work
	type_in 'lscpu -p; lscpu'
	type_in 'report --end 0'
	end_guest
	check "the guest ends the run with status 1" ended_with 1
}

points=1
for topology; do
	[ "$topology" = 4,1,2,2 ] && points=$((points + 5))
	points=$((points + 5))
done
plan $points
guest_with_lscpu >/tmp/initrd
for topology; do
	boot $(echo "$topology" | tr ',' ' ')
done
sleep 1
holds "no VM is left" "$(tpz list --json | tr -d ' \n')" = '[]'
finish
