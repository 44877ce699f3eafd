#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# What `tpz run` promises: both ways to load an ELF, command line and module, every ending with its own status and
# sentence, and that nothing is left behind, however it ends. /guest/hello says what it was given.
. /lab/ktap.sh

OUT=/tmp/tpz.out
echo "this module" >/tmp/module

# ends STATUS ARGUMENTS...: tpz run ends with that status; what it printed is in $OUT.
ends() {
	ends_status=$1
	shift
	tpz run "$@" >$OUT 2>&1 </dev/null
	ends_found=$?
	sed 's/^/# /' $OUT
	test "$ends_found" = "$ends_status" || { echo "status $ends_found"; return 1; }
}

says() {
	grep -q -- "$1" $OUT || { cat $OUT; return 1; }
}

module_users() {
	sed -n 's/^trapeze [0-9]* \([0-9]*\) .*/\1/p' /proc/modules
}

# spinning: a guest that never ends, in the background, until it is listed
spinning() {
	tpz run /guest/hello --protocol multiboot --module /tmp/module --append spin >$OUT 2>&1 </dev/null &
	TPZ=$!
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		grep -q 'module: this' $OUT && return 0
		sleep 1
	done
	return 1
}

plan 30

check "PVH: the guest ends the run with 20h at port f4h" ends 65 /guest/hello --protocol pvh --module /tmp/module --append one
check "PVH it was" says 'hello by PVH'
check "with its command line" says 'command line: one$'
check "and its module" says 'module: this module'
check "multiboot: it ends with 10h" ends 33 /guest/hello --protocol multiboot --module /tmp/module --append mine
check "multiboot it was" says 'hello by multiboot'
check "with its command line" says 'command line: .*mine$'
check "and its module" says 'module: this module'

check "a reset" ends 4 /guest/hello --protocol pvh --module /tmp/module --append reset
check "a triple fault" ends 6 /guest/hello --protocol pvh --module /tmp/module --append triple
check "memory that is not there" ends 8 /guest/hello --protocol pvh --module /tmp/module --append unbacked
check "names its address" says '0xd0000000'
check "a timeout" ends 16 /guest/hello --protocol pvh --module /tmp/module --append spin --timeout 2

check "no such image" ends 2 /no/such/file
check "names the file" says '/no/such/file'
check "65 vCPUs are too many" ends 2 --cpus 65 /guest/hello
check "8 vCPUs, of which one runs" ends 65 --cpus 8,sockets=2,threads=2 /guest/hello --protocol pvh --module /tmp/module --append one
check "a topology of another number" ends 2 --cpus 4,sockets=3 /guest/hello
check "an image that is none" ends 2 /tmp/module
check "pinned to CPU 0" ends 65 --pin 0 --cpus 2 /guest/hello --protocol pvh --module /tmp/module --append one
check "pinned to a CPU that is not there" ends 2 --pin 0,1000 --cpus 2 /guest/hello --protocol pvh --module /tmp/module
check "names vCPU and CPU" says 'vCPU 1 cannot be pinned to CPU 1000: there is none'
for list in 1-0 0, x; do
	check "'$list' is no list of CPUs" ends 2 --pin "$list" /guest/hello
done

spinning
holds "a guest that spins" $? = 0
kill -TERM "$TPZ"
wait "$TPZ"
holds "SIGTERM ends it, and by that signal" $? = 143
spinning
holds "another" $? = 0
kill -KILL "$TPZ"
wait "$TPZ" 2>/dev/null
sleep 1
holds "SIGKILL leaves no VM" "$(tpz list --json | tr -d ' \n')" = '[]'
holds "and nobody holds the module" "$(module_users)" = 0
finish
