#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""The lab: boot an emulated machine with the module inside, run selftests, judge.

    lab.py run LIST-OR-TEST ...     run tests; end with the totals and a truthful status
    lab.py check [TEST ...]         everything: checked builds, unit tests, all tests on all machines
    lab.py shell                    an interactive shell on the machine
    lab.py selfcheck                show that the lab can fail

testlist.py says what a list may hold; Documentation/lab.md how to work with the lab.
"""

import argparse
import os
import pathlib
import secrets
import subprocess
import sys
import threading
import time

import artefacts
import image
import kernels
import selfcheck
import testlist
import texts
import verdict
from artefacts import LabError, locked, say
from boot import LabBoot, kernel_flavour
from machines import default_machines, machine_named, machine_names

CHECKED_KERNELS = ["cloud", "generic", "cloud-6.12"]    # the module builds free of any warning for these
OTHER_KERNELS = ["generic", "cloud-6.12"]               # the list `smoke` runs on these too

# A long check's parts, one after the other, each with its time: machine, kernel (None: the machine's own), lists.
LONG_PARTS = [
    ("svm-debug", None, ["all"]),
    ("svm", None, ["all", "long"]),
    ("vmx", None, ["all", "long"]),
    ("svm-bochs", None, ["second-opinion"]),
    ("svm", "cloud-7", ["smoke"]),
    ("vmx", "cloud-7", ["smoke"]),
    *((machine, flavour, ["all"]) for machine in ("svm", "vmx") for flavour in OTHER_KERNELS),
]
LONG_CHECKED_KERNELS = ["cloud-7"]


def make(*words):
    """Run make; one at a time, since labs may share the checkout."""
    with locked(image.BUILD / "build.lock"):
        done = subprocess.run(["make", "-C", image.TOP, "--no-print-directory", f"-j{os.cpu_count()}", *words], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise LabError(f"`make {' '.join(words)}` failed:\n{done.stdout}")


def module_for(flavour, options):
    """The module to load on a kernel, built if that is wanted."""
    if options.module:
        return options.module
    kernel = kernels.named(flavour)
    if not options.no_build:
        make("module", *kernel.build_words())
    return image.BUILD / f"mod-{kernel.release}" / "trapeze.ko"


def selftest_targets(tests):
    """What selftests/Makefile calls these tests. Only they are built: another may be half written just now."""
    return sorted({f"{image.BUILD}/selftests/{test.name}" for test in tests
                   if not (artefacts.LAB / "selfcheck" / test.name).exists()})


def machines_for(options):
    """The machines to run on."""
    return [machine_named(name) for name in ([options.machine] if options.machine else default_machines())]


def lab_boots(tests, options):
    """The boots of these tests on every machine asked for, with what they need built."""
    if not options.no_build:
        make("tools", "guest")
        make("selftests", f"SELFTESTS={' '.join(selftest_targets(tests))}")
    modules, boots = {}, []
    for machine in machines_for(options):
        here = [test for test in tests
                if test.runs_on(machine, kernel_flavour(machine, testlist.Boot(test.boot, []), options))]
        for group in testlist.boots(here):
            flavour = kernel_flavour(machine, group, options)
            if flavour not in modules:
                modules[flavour] = module_for(flavour, options)
            boots.append(LabBoot(machine, group, options, modules[flavour]))
    return boots


def run_boots(boots, jobs):
    """Run boots, at most `jobs` at a time, those that take long first; return each one's verdict."""
    verdicts, lock = [None] * len(boots), threading.Lock()
    waiting = sorted(range(len(boots)), key=lambda number: boots[number].boot.weight(), reverse=True)

    def worker():
        while True:
            with lock:
                if not waiting:
                    return
                number = waiting.pop(0)
            try:
                verdicts[number] = boots[number].run(prefix=f"{number + 1}| " if len(boots) > 1 else "")
            except Exception as error:      # a lab that cannot boot is a failed run, never a silent one
                verdicts[number] = verdict.Verdict()
                verdicts[number].fail(f"{boots[number].name}: the lab itself failed: {error!r}")

    threads = [threading.Thread(target=worker) for _ in range(min(jobs, len(boots)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return verdicts


def add_boots(total, boots, verdicts, more=""):
    """Add what came of boots to the total; tell it by machine and kernel, too, with `more` words."""
    parts = {}
    for boot, result in zip(boots, verdicts):
        total.add(result)
        parts.setdefault((boot.machine["name"], boot.kernel.release), verdict.Verdict()).add(result)
    for (machine, release), part in parts.items():
        total.parts.append(f"machine {machine}, Linux {release}: {part.totals()}{more}")


def conclude(total):
    """The last lines of every run, and its exit status."""
    for problem in total.problems:
        say(f"FAIL {problem}")
    for part in total.parts:
        say(part)
    print(total.totals(), flush=True)
    return 1 if total.failed or not total.passed else 0


def step(total, name, action, *words):
    """One build step of a check: counts as one test."""
    say(name)
    try:
        action(*words)
        total.passed += 1
    except LabError as error:
        print(error, flush=True)
        total.fail(name)


def listed():
    """Fail if a selftest stands in no list: it would never run."""
    known = {test.name for test in testlist.load(["all", "long", "guests"])}
    sources = image.TOP / "selftests"
    missing = [file.name for file in sources.glob("*.sh") if file.name not in known]
    missing += [file.name for file in sources.glob("*.c") if file.stem not in known]
    if missing:
        raise LabError(f"the lists all, long and guests lack {' '.join(sorted(missing))}")


def run_unit_tests():
    """Run what needs no lab machine: C unit tests, and the tests of the verdict itself."""
    total = verdict.Verdict()
    programs = [image.BUILD / "unit" / source.stem for source in sorted((image.TOP / "selftests/unit").glob("*.c"))]
    environment = os.environ | {"DECODE_TEXTS": str(texts.folder())}
    for program in [*programs, artefacts.LAB / "test_verdict.py"]:
        if not program.exists():
            total.fail(f"unit test {program.name} was not built")
            continue
        command = [sys.executable, program] if program.suffix == ".py" else [program]
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=3600, env=environment)
        result = verdict.judge_program(program.name, done.stdout.splitlines(), str(done.returncode))
        say(f"unit test {program.name}: {result.totals()}")
        if result.failed:
            print(done.stdout + done.stderr)
        total.add(result)
    return total


def command_run(options):
    total = verdict.Verdict()
    boots = lab_boots(testlist.load(options.tests), options)
    add_boots(total, boots, run_boots(boots, options.jobs))
    return conclude(total)


def command_demo(options):
    """The main job, from nothing: a Linux guest boots in Trapeze, in the lab."""
    options.tests = ["linux-guest.sh"]
    options.machine = options.machine or default_machines()[0]
    return command_run(options)


def command_check(options):
    total = verdict.Verdict()
    if not options.tests:
        step(total, "every selftest is listed", listed)
        for flavour in CHECKED_KERNELS + (LONG_CHECKED_KERNELS if options.long else []):
            step(total, f"checked build for the {flavour} kernel", make, "module-checked",
                 *kernels.named(flavour).build_words())
    boots = []
    if not options.long:
        step(total, "build of modules, tools and selftests", lambda: boots.extend(check_boots(options)))
    if not options.tests:
        step(total, "build of unit tests", make, "selftests")
        total.add(run_unit_tests())
        total.add(selfcheck.run(options, run_boots))
    if options.long:
        run_long_parts(total, options)
    add_boots(total, boots, run_boots(boots, options.jobs))
    return conclude(total)


def check_boots(options):
    """All boots of a check: every test on the machines' own kernels, and some on other kernels."""
    boots = lab_boots(testlist.load(options.tests or ["all"]), options)
    if not options.tests:
        for flavour in OTHER_KERNELS:
            other = argparse.Namespace(**vars(options) | {"kernel": flavour})
            boots = lab_boots(testlist.load(["smoke"]), other) + boots      # the slowest first
    return boots


def run_long_parts(total, options):
    """A long check: part by part, each with the time it took."""
    for machine, flavour, lists in LONG_PARTS:
        if options.machine not in (None, machine):
            continue
        started, boots = time.monotonic(), []
        part = argparse.Namespace(**vars(options) | {"machine": machine, "kernel": flavour})
        tests = testlist.load(options.tests or lists)
        step(total, f"build for machine {machine}, kernel {flavour or 'its own'}", lambda: boots.extend(lab_boots(tests, part)))
        if flavour is None and machine_named(machine).get("checkers") and not options.tests:
            total.add(selfcheck.run(part, run_boots))
        verdicts = run_boots(boots, options.jobs)
        add_boots(total, boots, verdicts, f"; {(time.monotonic() - started) / 60:.0f} min for {' and '.join(options.tests or lists)}")
        if total.parts:
            say(total.parts[-1])


def command_selfcheck(options):
    return conclude(selfcheck.run(options, run_boots))


def command_shell(options):
    machine = machine_named(options.machine or default_machines()[0])
    boot = testlist.Boot(testlist.parse_line(f"shell {options.options}").boot, [])
    if not options.no_build:
        make("tools", "guest", "selftests")
    module = module_for(kernel_flavour(machine, boot, options), options)
    if options.debugger:
        options.append.append("nokaslr")        # so that addresses are the same each time
    if not options.counted:         # a person's time passes as it does
        options.parallel = machine["emulator"] == "qemu"
    LabBoot(machine, boot, options, module, mode="shell").shell(options.debugger)
    return 0


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--machine", help=f"one of {', '.join(machine_names())} "
                        f"(default: {' and '.join(default_machines())}; a shell: {default_machines()[0]})")
    common.add_argument("--kernel", help="flavour of the lab kernel: cloud, generic, ... (kernels.py)")
    common.add_argument("--cpu", help="processor, by the emulator's name for it, for every boot")
    common.add_argument("--cpus", help="number of CPUs, for every boot")
    common.add_argument("--memory", help="MiB, for every boot")
    common.add_argument("--append", action="append", default=[], help="words for the kernel's command line")
    common.add_argument("--module", type=pathlib.Path, help="a module built elsewhere instead of ours")
    common.add_argument("--no-build", action="store_true", help="take what build/ holds")
    common.add_argument("--jobs", type=int, default=2, help="boots at a time")
    common.add_argument("--seed", type=lambda word: secrets.randbelow(1 << 32) if word == "random" else int(word), default=1,
                        help="of the emulated machine's random numbers, or `random` (QEMU; default: 1)")
    common.add_argument("--counted", action="store_true", help="one instruction is one tick of the TSC, and takes 1 ns (QEMU) or 4 ns (Bochs)")
    common.add_argument("--parallel", action="store_true",
                        help="CPUs run at once, in the build machine's time: not repeatable (QEMU)")

    def command(name, action, text):
        added = commands.add_parser(name, parents=[common], help=text)
        added.set_defaults(action=action)
        return added

    command("run", command_run, "run tests and judge").add_argument(
        "tests", nargs="+", help="names of lists (selftests/lab/lists) or of tests")
    command("demo", command_demo, "boot a Linux guest")
    check = command("check", command_check, "everything")
    check.add_argument("tests", nargs="*", help="only these")
    check.add_argument("--long", action="store_true", help="every test on every kernel")
    command("selfcheck", command_selfcheck, "show that the lab can fail")
    shell = command("shell", command_shell, "an interactive shell")
    shell.add_argument("--options", default="payload", help="boot options as in a test list")
    shell.add_argument("--debugger", action="store_true", help="with the emulator's debugger")
    return parser.parse_args()


def main():
    options = arguments()
    try:
        artefacts.install_packages()
        return options.action(options)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        if options.command != "shell":
            print("0 passed, 1 failed, 0 skipped")
        return 2


if __name__ == "__main__":
    sys.exit(main())
