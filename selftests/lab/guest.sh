# SPDX-License-Identifier: GPL-2.0
# For test scripts that talk with a guest over its serial console: after ktap.sh, `. /lab/guest.sh`.

OUT=/tmp/guest.out		# what the guest (and tpz) said
IN=/tmp/guest.in
PROMPT='guest# '
ASK_SECONDS=60

# start_guest ARGUMENTS...: tpz run, with the console in $OUT; what goes to descriptor 3 is typed
start_guest() {
	rm -f $IN
	mkfifo $IN
	: >$OUT
	tpz run "$@" <$IN >$OUT 2>&1 &
	TPZ=$!
	exec 3>$IN
	tail -f $OUT | tr -d '\r' | while read -r guest_line; do echo "# guest| $guest_line"; done &
	TAIL=$!
}

# guest_ends STATUS: wait for its end, which has this status
guest_ends() {
	exec 3>&-
	wait $TPZ
	guest_status=$?
	sleep 1
	kill $TAIL
	test $guest_status = "$1" || { echo "tpz run ended with status $guest_status"; return 1; }
}

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
	tr -d '\r' <$OUT | grep -q -- "$1"
}

prompts() {
	[ "$(grep -c "$PROMPT" $OUT)" -ge "$1" ]
}

type_in() {
	echo "$1" >&3
}

# ask WORD COMMAND: the guest's shell runs it; its answer is the line that then begins with that word.
ask() {
	type_in "echo $1 \$($2)"
	within $ASK_SECONDS said "^$1 " && tr -d '\r' <$OUT | sed -n "s/^$1 //p" | tail -n 1
}

# answers EXPECTED WORD COMMAND
answers() {
	answer=$(ask "$2" "$3") && [ "$answer" = "$1" ] || { echo "expected '$1', the guest told '$answer'"; return 1; }
}
