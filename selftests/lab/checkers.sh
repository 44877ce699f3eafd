# SPDX-License-Identifier: GPL-2.0
# The end of a boot of the debug kernel: what its checkers know but have not said. They say it in the kernel's log, where
# verdict.py finds it. /init sources this; other kernels have none of these files.

# Has the lock validator stopped looking?
if [ -e /proc/lockdep_stats ] && ! grep -q 'debug_locks: *1$' /proc/lockdep_stats; then
	echo "BUG: the lock validator switched itself off" >/dev/kmsg
fi

# Memory that nobody points to. It passes over what is younger than five seconds, or has changed since the last look.
leaks=/sys/kernel/debug/kmemleak
if [ -e $leaks ]; then
	sed -n 's/^trapeze .* \(0x[0-9a-f]*\).*/lab: the module was at \1/p' /proc/modules >/dev/kmsg
	if grep -q '^trapeze ' /proc/modules && ! rmmod trapeze; then
		echo "BUG: the module cannot be removed" >/dev/kmsg
	fi
	sleep 6
	echo scan >$leaks || echo "BUG: the leak detector switched itself off" >/dev/kmsg
	echo scan >$leaks
	cat $leaks >/dev/console
fi
