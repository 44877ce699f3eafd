# SPDX-License-Identifier: GPL-2.0
"""Show that the lab can fail: tests and a module that are broken on purpose, and the words each must be told with."""

import argparse

import artefacts
import image
import kernels
import testlist
import verdict
from artefacts import LAB, locked, say
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


def broken_module(kernel):
    """Build the module whose parameters break the kernel in three ways."""
    folder = image.BUILD / "lab" / f"broken-{kernel.release}"
    with locked(image.BUILD / "build.lock"):
        folder.mkdir(parents=True, exist_ok=True)
        for source in (LAB / "selfcheck/kmod").iterdir():
            image.place(source, folder, source.name)
        artefacts.run("make", "-C", kernel.headers, f"M={folder}", "modules")
    return folder / "trapeze.ko"


def run(options, run_boots):
    """Run the cases, each in a boot of its own; the verdict is on the lab."""
    name = options.machine or default_machines()[0]
    module = broken_module(kernels.named(machine_named(name)["kernel"]))
    plain = argparse.Namespace(**vars(options) | {"kernel": None, "cpus": None, "memory": None, "append": []})
    boots = [LabBoot(machine_named(name), testlist.boots(testlist.parse("\n".join(lines)))[0], plain, module) for lines, _ in CASES]
    total = verdict.Verdict()
    for (lines, wanted), result in zip(CASES, run_boots(boots, options.jobs)):
        if len(wanted) == len(result.problems) and all(map(str.startswith, result.problems, wanted)):
            total.passed += 1
            say(f"selfcheck: {'; '.join(lines)}: {'told' if wanted else 'passed'} as it should be")
        else:
            total.fail(f"selfcheck: {'; '.join(lines)}: wanted {wanted}, got {result.problems}")
    return total
