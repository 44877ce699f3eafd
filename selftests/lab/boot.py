# SPDX-License-Identifier: GPL-2.0
"""One boot of a lab machine: build its disk, start the emulator, follow the report, watch the limits, judge.

Limits are in guest time, which the emulator tells as it goes, so that a loaded build machine changes nothing.
/init ends a test that is over its limit; the runner ends a machine that no longer does even that. An emulator whose
guest time stands still is given up when it has used much CPU time, and wall time only if it uses none.
"""

import dataclasses
import hashlib
import os
import secrets
import shutil
import subprocess
import time

import image
import images
import kernels
import verdict
from artefacts import say
from emulators import Hardware, Software, emulator_for
from terminal import Terminal

RUNS = image.BUILD / "lab" / "runs"
RUNS_KEPT = 60
TAIL_LINES = 40

GRACE = 30              # guest seconds that /init gets beyond a test's limit, and between tests
STANDSTILL_CPU = 120    # seconds of the emulator's CPU time without any guest time passing
STANDSTILL_WALL = 1200  # and of wall time: it sleeps for good


def new_run_folder(name):
    """A folder for one boot's files; the oldest ones go."""
    RUNS.mkdir(parents=True, exist_ok=True)
    for old in sorted(RUNS.iterdir(), key=lambda path: path.name)[:-RUNS_KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    folder = RUNS / f"{time.strftime('%m%d-%H%M%S')}-{name}-{secrets.token_hex(2)}"
    folder.mkdir()
    return folder


class Report:
    """The growing report file: hands out its lines as they are completed."""

    def __init__(self, file):
        self.file, self.offset, self.partial = file, 0, ""

    def new_lines(self):
        if not self.file.exists():
            return []
        with open(self.file, errors="replace", newline="") as file:
            file.seek(self.offset)
            self.partial += file.read()
            self.offset = file.tell()
        *lines, self.partial = self.partial.split("\n")
        return [line.rstrip("\r") for line in lines]


class Limits:
    """What the machine must do next, and until when (guest seconds). `now` is known only now and then: a time granted
    counts from the first time that is told after its cause."""

    def __init__(self, boot, boot_seconds, grace):
        self.grace = grace
        self.seconds = {test.name: test.seconds for test in boot.tests}
        self.again = boot_seconds if boot.has("kexec") else 0       # a test that boots a second kernel
        self.waiting, self.granted, self.deadline = "reach /init", boot_seconds, None

    def told(self, words):
        """The report said something about the boot's progress."""
        if words[0] in ("begin", "resume"):
            self.waiting = f"end {words[1]}"
            self.granted = self.seconds.get(words[1], 0) + self.again + self.grace
        else:
            self.waiting, self.granted = "go on after " + " ".join(words[:2]), self.grace
        self.deadline = None

    def at(self, now):
        """Guest time has moved on to `now`: a sentence if it is too late."""
        if self.deadline is None:
            self.deadline = now + self.granted
        if now > self.deadline:
            return f"HANG: it did not {self.waiting} within {self.granted:.0f} s of guest time"
        return None


class Standstill:
    """Watches that the emulator's guest time moves on as its CPU time does."""

    def __init__(self, process):
        self.stat = f"/proc/{process.pid}/stat"
        self.moved()

    def cpu_seconds(self):
        try:
            with open(self.stat, encoding="ascii", errors="replace") as file:
                fields = file.read().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        except OSError:
            return 0.0      # it has ended

    def moved(self):
        self.cpu, self.wall = self.cpu_seconds(), time.monotonic()

    def problem(self):
        if self.cpu_seconds() - self.cpu > STANDSTILL_CPU:
            return f"EMULATOR STUCK: no guest time passed in {STANDSTILL_CPU} s of its CPU time"
        if time.monotonic() - self.wall > STANDSTILL_WALL:
            return f"EMULATOR STUCK: no guest time passed in {STANDSTILL_WALL} s"
        return None


class LabBoot:
    """One boot of a lab machine. `options` are the command line's; they win over the boot's own."""

    def __init__(self, machine, boot, options, module, mode="tests"):
        self.machine = machine
        self.boot, self.module, self.mode = slowed(boot, machine.get("slow", 1)), module, mode
        self.kernel = kernels.named(kernel_flavour(self.machine, boot, options))
        self.cpus = int(options.cpus or boot.value("cpus", self.machine["cpus"]))
        memory = int(options.memory or boot.value("memory", self.machine["memory"]))
        self.hardware = Hardware(
            cpu=options.cpu or boot.value("cpu", self.machine["cpu"]), cpus=self.cpus,
            memory=memory + (images.DISK_MIB if boot.has("image") else 0), seed=options.seed,
            vmx_off=boot.has("vmx-off"), counted=options.counted or boot.has("counted"), parallel=options.parallel,
            disk=images.debian() / "disk" if boot.has("image") else None)
        self.append = [*boot.values("append"), *options.append]
        self.name = f"{machine['name']}-{self.kernel.flavour}-{self.cpus}cpu"
        self.emulator = emulator_for(self.machine)
        self.token = self.new_token()
        self.wall = 0.0

    def new_token(self):
        """What no other boot's report holds; the same for the same boot, which is to be repeatable."""
        boot = repr((self.name, self.hardware, self.append, self.boot))
        return hashlib.sha256(boot.encode()).hexdigest()[:16]

    def prepare(self):
        """Make the run's folder and what the machine boots."""
        self.folder = new_run_folder(self.name)
        command_line = self.machine["command_line"].split()
        command_line += self.machine.get("more_command_line", {}).get(self.kernel.flavour, "").split()
        if not self.hardware.parallel:
            command_line += self.machine.get("repeatable_command_line", "").split()
        if self.hardware.counted:
            command_line += self.machine.get("counted_command_line", "").split()
        if self.hardware.disk:
            command_line.append(images.command_line())
        initrd = image.initramfs(self.boot, self.kernel, self.module, self.token, self.mode, self.folder)
        return Software(self.kernel.image, initrd, " ".join(command_line + self.append))

    def clean(self):
        """Remove what is large."""
        for name in ("initrd", "lab.iso"):
            (self.folder / name).unlink(missing_ok=True)

    def run(self, prefix=""):
        """Boot, stream the report, and return the verdict."""
        software = self.prepare()
        say(f"boot {self.name}: {len(self.boot.tests)} tests; files in {self.folder.relative_to(image.TOP)}")
        command, environment = self.emulator.command(self.folder, software, self.hardware)
        started = time.monotonic()
        with open(self.folder / "emulator.out", "w") as output:
            process = subprocess.Popen(command, env=environment, cwd=self.folder, stdin=subprocess.PIPE,
                                       stdout=output, stderr=subprocess.STDOUT)
            try:
                broken_limit = self.follow(process, prefix)
            finally:
                process.kill()
                process.wait()
                process.stdin.close()
        self.wall = time.monotonic() - started
        self.clean()
        return self.judge(broken_limit or self.emulator.ending(self.folder))

    def follow(self, process, prefix):
        """Stream until the emulator ends; return a sentence if it had to be stopped."""
        report = Report(self.folder / "report")
        limits = Limits(self.boot, self.machine["boot_seconds"][self.kernel.flavour],
                        self.machine.get("grace", GRACE))
        standstill = Standstill(process)
        mark = f"@lab {self.token} "
        now, round_number, running = 0, 0, True
        while running:
            running = process.poll() is None        # before the last look at the report
            clock = self.emulator.guest_seconds(self.folder)
            for line in report.new_lines():
                before, marked, words = line.partition(mark)
                if before or not marked:
                    print(f"{prefix}{before}", flush=True)
                if marked:
                    print(f"{prefix}# lab: {words}", flush=True)
                    limits.told(words.split())
            if clock > now:
                now = clock
                standstill.moved()
                if running and (problem := limits.at(now)):
                    return problem
            elif running and (problem := standstill.problem()):
                return problem
            if round_number % 10 == 0:
                self.emulator.ask(process, self.folder)
            round_number += 1
            time.sleep(0.1)
        return None

    def judge(self, ending):
        """Tell, and return, what the run's files prove."""
        expected = [words.replace("_", " ") for words in self.boot.values("expect")]
        result = verdict.judge_boot([test.name for test in self.boot.tests], self.text("report"),
                                    self.text("console"), ending, self.token, expected,
                                    self.emulator.refusals(self.folder))
        lines = []
        if result.problems:
            lines += [f"---- last lines of the kernel's log ({self.folder.relative_to(image.TOP)}/console)"]
            lines += [f"| {line.rstrip()}" for line in self.text("console").splitlines()[-TAIL_LINES:]]
            lines += [f"FAIL {self.name}: {problem}" for problem in result.problems]
        lines += [f"boot {self.name}: {result.totals()}; {self.wall:.0f} s, "
                  f"{self.emulator.guest_seconds(self.folder):.0f} s of guest time"]
        say("\n# ".join(lines))
        return result

    def text(self, name):
        file = self.folder / name
        return file.read_text(errors="replace") if file.exists() else ""

    def shell(self, debugger):
        """Boot with the console (and the emulator's debugger) on the user's terminal."""
        software, terminal = self.prepare(), Terminal(debugger and self.emulator.own_debugger)
        command, environment = self.emulator.command(self.folder, software, self.hardware, terminal=terminal.device,
                                                     debugger=debugger)
        say(f"boot {self.name}; Ctrl-] leaves; files in {self.folder.relative_to(image.TOP)}")
        if debugger and self.emulator.own_debugger:
            say("Ctrl-\\ switches to the debugger and back")
        elif debugger:
            say("the machine waits for gdb (Documentation/lab.md has more); in another terminal:\n" +
                f"  gdb -ex 'target remote {self.folder.relative_to(image.TOP)}/gdb' -ex continue")
        try:
            terminal.run(command, environment, self.folder)
        finally:
            self.clean()


def slowed(boot, factor):
    """The boot with its tests' limits multiplied, for a machine that takes longer to everything."""
    tests = [dataclasses.replace(test, seconds=test.seconds * factor) for test in boot.tests]
    return dataclasses.replace(boot, tests=tests)


def kernel_flavour(machine, boot, options):
    return options.kernel or boot.value("kernel", machine["kernel"])
