#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Unit tests of the verdict: a lab that cannot fail proves nothing. Prints KTAP."""

import contextlib
import io
import sys

from boot import Limits
from machines import machine_named
from qemu import seconds
from testlist import boots, parse
from verdict import complaints, judge_boot, judge_program

TOKEN = "0123456789abcdef"
LOG = "[    1.000000] Linux version 6.1\n[   12.500000] RETBleed: WARNING: Spectre v2 leaves CPU vulnerable\n"


def program(text, status="0"):
    verdict = judge_program("t", text.splitlines(), status)
    return verdict.passed, verdict.failed, verdict.skipped


def report(*programs, end=f"@lab {TOKEN} done 12288\n"):
    text = f"@lab {TOKEN} ready 44.0 0.0\n"
    for name, lines, status in programs:
        text += f"@lab {TOKEN} begin {name}\n{lines}@lab {TOKEN} end {name} {status}\n"
    return text + end


def boot(text, log=LOG, ending=None, planned=("a",), expected=(), refusals=None):
    return judge_boot(list(planned), text, log, ending, TOKEN, list(expected), refusals).problems


def problem_with(words, *arguments, **keywords):
    return any(words in problem for problem in boot(*arguments, **keywords))


def runs(line, machine, flavour="cloud"):
    """Does a test of the list run there?"""
    with contextlib.redirect_stdout(io.StringIO()):
        return parse(line)[0].runs_on(machine_named(machine), flavour)


def limited(*story):
    """What the limits say to a story of guest times and words of the report: sentences, one for each time."""
    limits = Limits(boots(parse("a 100"))[0], 300, 30)
    return [limits.at(each) for each in story if isinstance(each, int) or limits.told(each.split())]


GOOD = ("a", "1..1\nok 1 fine\n", 0)
BREAKS = ("a", "1..1\n# emulator: invalid CR3\n# emulator: TR invalid\nok 1 fine\n", 0)

CASES = {
    "a full report passes": lambda: program("TAP version 13\n1..2\nok 1 x\nok 2 - y") == (2, 0, 0),
    "the plan may come last": lambda: program("ok 1 x\nok 2 y\n1..2") == (2, 0, 0),
    "lines that are not KTAP are ignored": lambda: program("hello\n# note\n1..1\n    ok 1 nested\nok 1 x") == (1, 0, 0),
    "a skipped point is told as skipped": lambda: program("1..2\nok 1 x # SKIP no PML\nok 2 y") == (1, 0, 1),
    "a skipped program is told as skipped": lambda: program("1..0 # SKIP no such CPU", "4") == (0, 0, 1),
    "a failing point fails": lambda: program("1..1\nnot ok 1 x", "1") == (0, 1, 0),
    "a failing point in a program that exits 0 fails twice": lambda: program("1..1\nnot ok 1 x", "0") == (0, 2, 0),
    "a point marked TODO still fails": lambda: program("1..1\nnot ok 1 x # TODO later", "1") == (0, 1, 0),
    "exit status 1 without a failing point fails": lambda: program("1..1\nok 1 x", "1") == (1, 1, 0),
    "exit status 4 without a skip fails": lambda: program("1..1\nok 1 x", "4") == (1, 1, 0),
    "a crash after the last point fails": lambda: program("1..1\nok 1 x", "139") == (1, 1, 0),
    "silence fails": lambda: program("") == (0, 1, 0),
    "words without a plan or a point fail": lambda: program("all is well") == (0, 1, 0),
    "an empty plan without a reason fails": lambda: program("1..0") == (0, 1, 0),
    "points without a plan fail": lambda: program("ok 1 x") == (1, 1, 0),
    "fewer points than planned fail": lambda: program("1..3\nok 1 x") == (1, 1, 0),
    "more points than planned fail": lambda: program("1..1\nok 1 x\nok 2 y") == (2, 1, 0),
    "points out of order fail": lambda: program("1..2\nok 2 x\nok 1 y") == (2, 2, 0),
    "two plans fail": lambda: program("1..1\nok 1 x\n1..1") == (1, 1, 0),
    "a bail-out fails": lambda: program("1..1\nok 1 x\nBail out! no device") == (1, 1, 0),
    "a program over its limit fails": lambda: program("1..1\nok 1 x", "timeout") == (1, 1, 0),
    "a program whose end was not seen fails": lambda: program("1..1\nok 1 x", None) == (1, 1, 0),
    "a module that would not load fails": lambda: program("insmod: can't insert", "noload") == (0, 1, 0),

    "a clean boot passes": lambda: boot(report(GOOD)) == [],
    "carriage returns change nothing": lambda: boot(report(GOOD).replace("\n", "\r\n"), LOG.replace("\n", "\r\n")) == [],
    "an unfinished line before a mark is kept apart":
        lambda: boot(report(("a", "1..1\nok 1 fine\nno newline", 0))) == [],
    "a test that was not reached fails": lambda: problem_with("b: NOT RUN", report(GOOD), planned=("a", "b")),
    "a report cut short fails":
        lambda: problem_with("TRUNCATED", f"@lab {TOKEN} begin a\n1..1\nok 1 fine\n", ending="EMULATOR DIED"),
    "a report without the token fails": lambda: problem_with("NO TOKEN", report(GOOD, end="")),
    "a forged token fails": lambda: problem_with("NO TOKEN", report(GOOD, end="@lab ffff done 0\n")),
    "an unclean end fails": lambda: problem_with("EMULATOR DIED", report(GOOD), ending="EMULATOR DIED: x"),
    "a warning taint fails": lambda: problem_with("TAINT", report(GOOD, end=f"@lab {TOKEN} done {12288 | 512}\n")),
    "old microcode taints an emulated CPU":
        lambda: boot(report(GOOD, end=f"@lab {TOKEN} done {12288 | 4}\n"), LOG + "x86/CPU: Running old microcode\n") == [],
    "the same taint without that reason fails":
        lambda: problem_with("(S)", report(GOOD, end=f"@lab {TOKEN} done {12288 | 4}\n")),
    "expected words must be there": lambda: problem_with("lacks", report(GOOD), expected=["sysrq triggered crash"]),
    "expected words are not held against the boot":
        lambda: boot(report(GOOD), LOG + "[ 3.0] Kernel panic - not syncing: sysrq triggered crash\n",
                     expected=["Kernel panic - not syncing: sysrq triggered crash"]) == [],
    "refused entries that were announced are right":
        lambda: boot(report(BREAKS), refusals=["host state invalid CR3", "guest TR invalid"]) == [],
    "a refused entry that is missing fails":
        lambda: problem_with("did not refuse VM entry 2", report(BREAKS), refusals=["host state invalid CR3"]),
    "entries refused in another order fail":
        lambda: problem_with("VM entry 1 because of: guest TR", report(BREAKS), refusals=["guest TR invalid", "invalid CR3"]),
    "a refused entry that nobody announced fails":
        lambda: problem_with("no test announced", report(GOOD), refusals=["invalid CR4"]),
    "an emulator that does not tell is not asked": lambda: boot(report(BREAKS), refusals=None) == [],
    "a remark of the boot about a CPU flaw is no complaint": lambda: complaints(LOG) == [],
    "a test runs on every machine": lambda: runs("a", "vmx") and runs("a", "svm"),
    "a test of one machine runs there and on what is based on it":
        lambda: [runs("a machine=svm", name) for name in ("svm", "svm-debug", "vmx")] == [True, True, False],
    "a machine like another is not that machine": lambda: not runs("a machine=vmx", "svm-bochs"),
    "a test is left out on a machine, a kernel, or the two together":
        lambda: [runs(f"a not={where}", "svm", "cloud-6.12") for where in
                 ("svm", "vmx", "cloud", "cloud-6.12", "vmx/cloud-6.12", "svm/cloud-6.12")]
        == [False, True, True, False, True, False],
    "a limit counts from the first time told after its cause":
        lambda: [bool(each) for each in limited(0, 299, "ready", "begin a", 400, 530, 531)]
        == [False, False, False, False, True],
    "a machine that does not come up is told": lambda: "reach /init" in limited(1, 302)[1],
    "QEMU's clock is read over the end of a month":
        lambda: seconds({"tm_year": 124, "tm_mon": 1, "tm_mday": 1, "tm_hour": 1, "tm_min": 1, "tm_sec": 1})
        == 31 * 86400 + 3661,
    "tests with equal boot options share a boot":
        lambda: [len(each.tests) for each in boots(parse("a\nb 5 noload\nc cpus=2\nd 9 cpus=2 params=x=1"))] == [2, 2],
}

COMPLAINTS = [
    "[   44.320186] WARNING: CPU: 0 PID: 77 at kmod/x.c:12 f+0x1/0x2 [trapeze]",
    "[   44.320186][   T77] WARNING: possible circular locking dependency detected",
    "[   44.496083] BUG: kernel NULL pointer dereference, address: 0000000000000008",
    "[   44.496083] BUG: sleeping function called from invalid context at mm/slab.h:1",
    "[   44.496083] Oops: 0002 [#1] PREEMPT SMP PTI",
    "[   44.835370] Kernel panic - not syncing: Fatal exception",
    "[   44.835370] general protection fault, probably for non-canonical address 0x1: 0000 [#1]",
    "[   44.835370] watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [a:1]",
    "[   44.835370] rcu: INFO: rcu_preempt self-detected stall on CPU",
    "[   44.835370] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
    "[   44.835370] INFO: task a:1 blocked for more than 120 seconds.",
    "[   44.835370] kernel BUG at mm/slub.c:1!",
    "[   44.835370] BUG: KASAN: use-after-free in f+0x1/0x2",
    "[   44.835370] UBSAN: shift-out-of-bounds in /x/y.c:12:3",
    "[   44.835370] WARNING: possible circular locking dependency detected",
    "[   44.835370] BUG: sleeping function called from invalid context at /x/y.c:12",
    "[   44.835370] BUG: using smp_processor_id() in preemptible [00000000] code: init/1",
    "[   44.835370] ODEBUG: free active (active state 0) object type: timer_list hint: f+0x0/0x1",
    "[   44.835370] ODEBUG: Out of memory. ODEBUG disabled",
    "[   44.835370] kmemleak: 1 new suspected memory leaks (see /sys/kernel/debug/kmemleak)",
    "[   44.835370] kmemleak: Kernel memory leak detector disabled",
    "[   44.835370] BUG: the lock validator switched itself off",
    "[   44.835370] unchecked MSR access error: RDMSR from 0x1 at rIP: 0x1",
    "[   44.835370] refcount_t: underflow; use-after-free.",
    "[   44.835370] list_del corruption. prev->next should be 1, but was 2",
]
for complaint in COMPLAINTS:
    CASES[f"a complaint: {complaint[15:60]}"] = lambda line=complaint: len(complaints(LOG + line + "\n")) == 1


def main():
    print("TAP version 13")
    print(f"1..{len(CASES)}")
    failed = 0
    for number, (name, case) in enumerate(CASES.items(), 1):
        good = case()
        failed += not good
        print(f"{'ok' if good else 'not ok'} {number} {name.replace('#', '')}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
