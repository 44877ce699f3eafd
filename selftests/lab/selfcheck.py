# SPDX-License-Identifier: GPL-2.0
"""Show that the lab can fail: tests and a module that are broken on purpose, and the words each must be told with."""

import argparse
import os
import re
import shutil

import artefacts
import image
import kernels
import testlist
import verdict
from artefacts import LAB, LabError, locked, say
from boot import LabBoot
from machines import default_machines, machine_named

# The tests of one boot, and what its verdict must say of them, in order. Nothing: they must pass.
CASES = [
    (["good.sh"], []),
    (["good.sh cpus=2"], []),
    (["fails.sh", "hangs.sh 5", "silent.sh", "truncated.sh", "liar.sh", "good.sh"],
     ["fails.sh: not ok 2 on purpose",
      "hangs.sh: HANG: killed at its limit",
      "silent.sh: MISSING REPORT",
      "truncated.sh: TRUNCATED: 1 of 3",
      "liar.sh: not ok 1", "liar.sh: exit status 0 (pass), but points failed"]),
    (["powers-off.sh", "good.sh"],
     ["powers-off.sh: TRUNCATED", "good.sh: NOT RUN", "NO TOKEN"]),
    (["good.sh params=oops=1"],
     ["good.sh: TRUNCATED", "KERNEL COMPLAINT: BUG: kernel NULL pointer dereference", "TRIPLE FAULT", "NO TOKEN"]),
    (["good.sh params=warn=1"],
     ["KERNEL COMPLAINT: WARNING: CPU", "TAINT: the kernel is tainted (W)"]),
    (["good.sh 5 params=spin=1"],
     ["good.sh: TRUNCATED", "HANG: it did not end good.sh", "NO TOKEN"]),
]

# On a machine with a kernel that has every checker on: each of them.
CHECKER_CASES = [
    (["good.sh"], []),
    (["good.sh params=reuse=1"], ["KERNEL COMPLAINT: BUG: KASAN: use-after-free", "TAINT: the kernel is tainted (B)"]),
    (["good.sh params=shift=1"], ["KERNEL COMPLAINT: UBSAN: shift-out-of-bounds"]),
    (["good.sh params=order=1"], ["KERNEL COMPLAINT: WARNING: possible circular locking dependency"]),
    (["good.sh params=sleep=1"],        # the kernel taints itself with this report, though it is no WARN()
     ["KERNEL COMPLAINT: BUG: sleeping function called", "TAINT: the kernel is tainted (W)"]),
    (["good.sh params=leak=1"], ["KERNEL COMPLAINT: kmemleak: 1 new suspected memory leak"]),
    (["good.sh params=object=1"], ["KERNEL COMPLAINT: ODEBUG: free active", "TAINT: the kernel is tainted (W)"]),
]

# There, too: our own module without these lines leaks when memory runs out: whole pages, which failures.c counts, and
# memory of the slabs, which kmemleak finds.
LEAKS = [("kmod/hw/svm/vmcb.c", "\tfree_page((unsigned long)x->vmcb);\n"),
         ("kmod/hw/svm/vmcb.c", "\tkfree(x);\n")]
LEAK_CASES = [
    (["failures 600 cpus=2 -- vCPU"], ["failures: not ok 1 creating a vCPU", "KERNEL COMPLAINT: kmemleak: "]),
]
LEAK_TOLD = re.compile(r"allocation \d+ failed \d+ times, and \d+ bytes are held")      # failures.c, of the pages


def broken_module(kernel):
    """Build the module whose parameters break the kernel in three ways."""
    folder = image.BUILD / "lab" / f"broken-{kernel.release}"
    with locked(image.BUILD / "build.lock"):
        folder.mkdir(parents=True, exist_ok=True)
        for source in (LAB / "selfcheck/kmod").iterdir():
            image.place(source, folder, source.name)
        artefacts.run("make", "-C", kernel.headers, f"M={folder}", *kernel.instrumentation, "modules")
    return folder / "trapeze.ko"


def leaking_module(kernel):
    """Build our own module with its leaks."""
    folder = image.BUILD / "lab" / f"leaking-{kernel.release}"
    with locked(image.BUILD / "build.lock"):
        shutil.rmtree(folder, ignore_errors=True)
        for part in ("kmod", "uapi"):
            shutil.copytree(image.TOP / part, folder / part)
        image.place(image.TOP / "Kbuild", folder, "Kbuild")
        for file, line in LEAKS:
            text = (folder / file).read_text()
            if text.count(line) != 1:
                raise LabError(f"selfcheck: {file} has not one {line!r} to leave out")
            (folder / file).write_text(text.replace(line, ""))
        artefacts.run("make", "-C", kernel.headers, f"-j{os.cpu_count()}", f"M={folder}", *kernel.instrumentation, "modules")
        artefacts.run("make", "-C", image.TOP, "selftests", f"SELFTESTS={image.BUILD}/selftests/failures")
    return folder / "trapeze.ko"


# Boots that must be the same to the byte when done twice.
REPEATED = ["good.sh cpus=2", "good.sh counted"]


def run(options, run_boots):
    """Run the cases on each machine, each in a boot of its own; the verdict is on the lab."""
    plain = argparse.Namespace(**vars(options) | {"kernel": None, "cpus": None, "memory": None, "append": [], "cpu": None,
                                                  "counted": False, "parallel": False})
    total = verdict.Verdict()
    for machine in map(machine_named, [options.machine] if options.machine else default_machines()):
        module = broken_module(kernels.named(machine["kernel"]))

        def boot(lines, module=module, machine=machine):
            return LabBoot(machine, testlist.boots(testlist.parse("\n".join(lines)))[0], plain, module)

        cases = CHECKER_CASES if machine.get("checkers") else CASES
        boots = [boot(lines) for lines, _ in cases]
        if machine.get("checkers"):
            leaking = leaking_module(kernels.named(machine["kernel"]))
            cases, leaks = cases + LEAK_CASES, [boot(lines, leaking) for lines, _ in LEAK_CASES]
            total.add(judge_cases(machine["name"], cases, run_boots(boots + leaks, options.jobs)))
            total.add(judge_leaks(machine["name"], leaks))
            continue
        total.add(judge_cases(machine["name"], cases, run_boots(boots, options.jobs)))
        lines = [line for line in REPEATED if machine.get("repeatable_smp") or "cpus=" not in line]
        repeated = [boot([line]) for line in lines for _ in range(2)]
        total.add(judge_repeated(machine["name"], lines, repeated, run_boots(repeated, options.jobs)))
    return total


def judge_cases(machine, cases, results):
    total = verdict.Verdict()
    for (lines, wanted), result in zip(cases, results):
        if len(wanted) == len(result.problems) and all(map(str.startswith, result.problems, wanted)):
            total.passed += 1
            say(f"selfcheck: {machine}: {'; '.join(lines)}: {'told' if wanted else 'passed'} as it should be")
        else:
            total.fail(f"selfcheck: {machine}: {'; '.join(lines)}: wanted {wanted}, got {result.problems}")
    return total


def judge_leaks(machine, boots):
    """failures.c must have named the allocation behind which pages leak."""
    total = verdict.Verdict()
    for boot in boots:
        if LEAK_TOLD.search(boot.text("report")):
            total.passed += 1
            say(f"selfcheck: {machine}: a leak of pages: named")
        else:
            total.fail(f"selfcheck: {machine}: failures named no leak of pages")
    return total


def judge_repeated(machine, lines, boots, results):
    """Two boots of one kind must have passed and left the same: every byte and every time in the kernel's log."""
    total = verdict.Verdict()
    for number, line in enumerate(lines):
        pair = slice(2 * number, 2 * number + 2)
        told = [boot.text("console") + boot.text("report") for boot in boots[pair]]
        problems = [problem for result in results[pair] for problem in result.problems]
        if told[0] == told[1] and "Power down" in told[0] and not problems:
            total.passed += 1
            say(f"selfcheck: {machine}: {line}: twice the same")
        else:
            total.fail(f"selfcheck: {machine}: {line}: two boots differ, or failed: {problems}")
    return total
