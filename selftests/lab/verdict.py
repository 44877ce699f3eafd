# SPDX-License-Identifier: GPL-2.0
"""The verdict: what a boot's report, kernel log and ending prove.

Only a complete, clean story passes: every planned test reported every point it promised, its exit status
agrees, the kernel's log is free of complaints, the emulator refused the VM entries that tests announced and no
others, the taint is what an out-of-tree module causes, the report ends with its token, and the machine powered
itself off. Anything else is a failure with a message.
"""

import dataclasses
import itertools
import re

# A complaint of the kernel, at the start of a line of its log.
COMPLAINT = re.compile(r"""^(?:\[\s*\d+\.\d+\](?:\[[^]]*\])?\ )? (?:
      WARNING:
    | BUG:
    | Oops | .*\bOops:
    | Kernel\ panic
    | general\ protection\ fault | divide\ error: | invalid\ opcode: | int3: | stack\ segment: | double\ fault:
    | traps:\ PANIC | PANIC:
    | (?:watchdog:\ )?BUG:\ soft\ lockup | .*\bsoft\ lockup\b | .*\bhard\ LOCKUP\b
    | rcu:.*(?:stall|kthread\ starved) | .*\bself-detected\ stall\b
    | INFO:\ task\ .*\ blocked\ for\ more
    | INFO:\ (?:trying|possible)
    | UBSAN: | .*\bKASAN: | .*\bKCSAN: | ODEBUG: | kmemleak:\ (?:\d+\ new | .*(?:disabled|Cannot|stopped))
    | INFO:\ lockdep\ is\ turned\ off | turning\ off\ the\ locking\ correctness
    | ------------\[\ cut\ here
    | list_(?:add|del)\ corruption | refcount_t: | Bad\ page | .*\bBUG\ at\b
    | unchecked\ MSR\ access | .*\bunexpectedly\ (?:dead|tainted)\b
    | APIC\ error | Uhhuh
  )""", re.X)

TAINT_ALLOWED = 1 << 12 | 1 << 13       # an out-of-tree module, an unsigned module
TAINT_MICROCODE = 1 << 2                # "S": Linux 7 knows newer microcode than an emulated CPU can have
TAINT_LETTERS = "PFSRMBUDAWCIOELKXTN"

POINT = re.compile(r"^(not )?ok\b\s*(\d+)?(?:\s*-)?\s*(.*?)(?:\s+#\s*(SKIP|TODO)\b\s*(.*))?$", re.I)
ANNOUNCEMENT = "# emulator: "
PLAN = re.compile(r"^1\.\.(\d+)(?:\s*#\s*(SKIP)\b\s*(.*))?\s*$", re.I)


@dataclasses.dataclass
class Verdict:
    """What came of one program, or of one boot."""
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    problems: list = dataclasses.field(default_factory=list)
    parts: list = dataclasses.field(default_factory=list)      # sentences that say where the figures come from

    def fail(self, problem):
        self.failed += 1
        self.problems.append(problem)

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.problems += other.problems
        self.parts += other.parts

    def totals(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def judge_program(name, lines, status):
    """Judge one test program by its KTAP lines and its exit status (a number, or what /init said of it)."""
    verdict = Verdict()
    planned, points, bad_points = None, 0, 0
    for line in lines:
        if plan := PLAN.match(line):
            if planned is not None:
                verdict.fail(f"{name}: two plans in one report")
            planned = int(plan[1])
            if planned == 0 and plan[2]:
                verdict.skipped += 1
            elif planned == 0:
                verdict.fail(f"{name}: an empty plan that says no reason to skip")
        elif point := POINT.match(line):
            points += 1
            failed, number, what, directive, _ = point.groups()
            if number and int(number) != points:
                verdict.fail(f"{name}: point {number} stands where {points} should")
            if failed:
                bad_points += 1
                verdict.fail(f"{name}: not ok {points} {what}")
            elif (directive or "").upper() == "SKIP":
                verdict.skipped += 1
            else:
                verdict.passed += 1
        elif line.startswith("Bail out!"):
            verdict.fail(f"{name}: {line}")

    if status == "timeout":
        verdict.fail(f"{name}: HANG: killed at its limit of guest time")
    elif status == "noload":
        verdict.fail(f"{name}: the module could not be brought to the state this test asks for")
    elif status is None:
        verdict.fail(f"{name}: TRUNCATED: the machine ended before this test did")
    elif planned is None and points == 0:
        verdict.fail(f"{name}: MISSING REPORT: it printed no plan and no test point (exit status {status})")
    elif planned is None:
        verdict.fail(f"{name}: TRUNCATED: {points} points without a plan (exit status {status})")
    elif points != planned:
        verdict.fail(f"{name}: TRUNCATED: {points} of {planned} points reported (exit status {status})")
    elif status == "4" and not verdict.skipped:
        verdict.fail(f"{name}: exit status 4 (skip), but nothing was skipped")
    elif status == "1" and not bad_points:
        verdict.fail(f"{name}: exit status 1 (fail), but every point passed")
    elif status == "0" and bad_points:
        verdict.fail(f"{name}: exit status 0 (pass), but points failed")
    elif status not in ("0", "1", "4"):
        verdict.fail(f"{name}: died with exit status {status}" +
                     (f" (signal {int(status) - 128})" if status.isdigit() and int(status) > 128 else ""))
    return verdict


def split_report(report, token):
    """Split a report at the runner's own lines: programs (name, lines, status), and the taint if it is complete."""
    mark = re.compile(rf"^(.*?)@lab {re.escape(token)} (\w+) ?(.*)$")
    programs, taint = [], None
    for line in report.replace("\r", "").split("\n"):
        found = mark.match(line)
        text = found[1] if found else line
        if programs and text and programs[-1][2] is None:
            programs[-1][1].append(text)
        if not found:
            continue
        word, rest = found[2], found[3]
        if word == "begin":
            programs.append([rest, [], None])
        elif word == "end" and programs and programs[-1][0] == rest.split()[0]:
            programs[-1][2] = rest.split()[1]
        elif word == "done":
            taint = int(rest)
    return programs, taint


def complaints(log, expected=()):
    """Lines of a kernel log that a healthy kernel would not print."""
    found = []
    for line in log.replace("\r", "").split("\n"):
        if COMPLAINT.match(line) and not any(words in line for words in expected):
            found.append(re.sub(r"^\[\s*\d+\.\d+\](?:\[[^]]*\])? ", "", line.strip()))
    return found


def compare_refusals(programs, told):
    """The first VM entry whose refusal the emulator told otherwise than a test had announced; or None.

    A test announces what the emulator must say of the next entry in a line "# emulator: WORDS".
    """
    announced = [line.removeprefix(ANNOUNCEMENT) for _, lines, _ in programs for line in lines
                 if line.startswith(ANNOUNCEMENT)]
    for number, (words, line) in enumerate(itertools.zip_longest(announced, told), 1):
        if line is None:
            return f"EMULATOR: it did not refuse VM entry {number} of {len(announced)}, announced as: {words}"
        if words is None:
            return f"EMULATOR: it refused a VM entry that no test announced: {line}"
        if words not in line:
            return f"EMULATOR: it refused VM entry {number} because of: {line}; announced was: {words}"
    return None


def judge_boot(planned, report, log, ending, token, expected=(), refusals=None):
    """Judge a whole boot.

    planned: names of the tests, in order; ending: None for a clean power-off, else a sentence; expected: words
    that the kernel's log must hold and that are not held against it; refusals: why the emulator refused VM
    entries, in order, or None if it does not tell.
    """
    verdict = Verdict()
    programs, taint = split_report(report, token)
    for name, lines, status in programs:
        verdict.add(judge_program(name, lines, status))
    started = [name for name, _, _ in programs]
    for name in planned[len(started):]:
        verdict.fail(f"{name}: NOT RUN: the machine ended before its turn")
    if started != planned[:len(started)]:
        verdict.fail(f"the report is out of order: {' '.join(started)}")

    found = complaints(log, expected)
    found.sort(key=lambda line: "cut here" in line)     # the line that names the trouble first
    if found:
        more = f" (and {len(found) - 1} more lines)" if len(found) > 1 else ""
        verdict.fail(f"KERNEL COMPLAINT: {found[0]}{more}")
    for words in expected:
        if words not in log:
            verdict.fail(f"the kernel's log lacks the expected words: {words}")
    problem = compare_refusals(programs, refusals) if refusals is not None else None
    if problem:
        verdict.fail(problem)
    if ending:
        verdict.fail(ending)
    if taint is None:
        verdict.fail("NO TOKEN: the machine never said that it was done")
        return verdict
    taint &= ~(TAINT_ALLOWED | (TAINT_MICROCODE if "Running old microcode" in log else 0))
    if taint:
        letters = "".join(letter for bit, letter in enumerate(TAINT_LETTERS) if taint & 1 << bit)
        verdict.fail(f"TAINT: the kernel is tainted ({letters}) beyond an out-of-tree module")
    return verdict
