# SPDX-License-Identifier: GPL-2.0
# For test scripts on the lab machine that talk to a Linux guest at its shell prompt: `. /lab/guest.sh` after ktap.sh.
# start_guest runs it; its output is in $OUT, what it reads comes from descriptor 3.

OUT=/tmp/guest.out
IN=/tmp/guest.in
PROMPT='guest# '

# patient: an option for guests with several CPUs. One that waits for another one with interrupts off keeps Bochs's CPU for
# good (lab.md): each PAUSE ends its stay.
patient() {
	tpz info | grep -q 'backend vmx' && echo '--trap pause'
}

# guest_initrd FILE: the demonstration's initramfs with this machine's stock modules
guest_initrd() {
	(cat /guest/initrd; cd / && { echo lib; find lib/modules; } | cpio -o -H newc 2>/dev/null) >"$1"
}

# start_guest OPTION...: tpz run in the background; TPZ is its process, GUEST the one to wait for
start_guest() {
	start_under "tpz run" "$@"
}

# start_under COMMAND OPTION...: the same with another hypervisor's; the guest's console is its standard input and output
start_under() {
	under=$1
	shift
	rm -f $IN
	mkfifo $IN
	: >$OUT
	($under "$@" <$IN 2>&1; echo "$under ended with status $?") | tr -d '\r' >$OUT &
	GUEST=$!
	exec 3>$IN
	TPZ=
	while [ -z "$TPZ" ] && kill -0 $GUEST 2>/dev/null; do
		sleep 1
		TPZ=$(pidof "${under%% *}")
	done
	tail -f $OUT | while read -r line; do echo "# guest| $line"; done &
	TAIL=$!
}

# end_guest: waits for its end. Not by check, whose command is no parent of the guest
end_guest() {
	exec 3>&-
	wait $GUEST
	kill $TAIL
}

# ended_with STATUS: tpz run's, or the other hypervisor's, once end_guest has waited
ended_with() {
	said "^$under ended with status $1\$" || { tail -n 3 $OUT; return 1; }
}

# within SECONDS COMMAND...: wait until it succeeds, or the guest is gone.
within() {
	within_seconds=$1
	shift
	while [ "$within_seconds" -gt 0 ]; do
		"$@" && return 0
		kill -0 "$TPZ" 2>/dev/null || { "$@" || { echo "the guest is gone:"; tail -n 5 $OUT; return 1; }; return; }
		sleep 1
		within_seconds=$((within_seconds - 1))
	done
	return 1
}

said() {
	grep -q -- "$1" $OUT
}

# prompts NUMBER: so many are there
prompts() {
	[ "$(grep -c "$PROMPT" $OUT)" -ge "$1" ]
}

# type_in COMMAND: to the guest's shell
type_in() {
	echo "$1" >&3
}

# ask WORD COMMAND: the guest runs it; within a minute (or $ASK_SECONDS) a line begins with that word.
ask() {
	type_in "echo $1 \$($2)"
	within ${ASK_SECONDS:-60} said "^$1 " && sed -n "s/^$1 //p" $OUT | tail -n 1
}

# answers EXPECTED WORD COMMAND
answers() {
	answer=$(ask "$2" "$3") && [ "$answer" = "$1" ] || { echo "expected '$1', the guest told '$answer'"; return 1; }
}
