# SPDX-License-Identifier: GPL-2.0
# For test scripts on the lab machine: `. /lab/ktap.sh`, then plan, check ..., finish.
# A script that goes on after a reboot of its own sets KTAP_POINT to the points already told.

ktap_point=${KTAP_POINT:-0}
ktap_status=0

plan() {
	echo "1..$1"
}

# check NAME COMMAND...: one test point; the command's output is shown if it fails.
check() {
	ktap_name=$1
	shift
	ktap_point=$((ktap_point + 1))
	if ktap_output=$("$@" 2>&1); then
		echo "ok $ktap_point $ktap_name"
	else
		echo "# \`$*\` ended with status $?"
		echo "$ktap_output" | sed 's/^/#   /'
		echo "not ok $ktap_point $ktap_name"
		ktap_status=1
	fi
}

# skip NAME REASON: one test point that cannot be tried here.
skip() {
	ktap_point=$((ktap_point + 1))
	echo "ok $ktap_point $1 # SKIP $2"
}

# holds NAME TEST-ARGUMENTS...: one test point; `test` decides.
holds() {
	ktap_name=$1
	shift
	check "$ktap_name" test "$@"
}

finish() {
	exit $ktap_status
}
