# SPDX-License-Identifier: GPL-2.0
"""One boot of a lab machine: build its disk, start the emulator, follow the report, watch the limits, judge.

Limits are in guest time, which the emulator tells as it goes, so that a loaded build machine changes nothing.
/init ends a test that is over its limit; the runner ends a machine that no longer does even that. Wall time
counts only against an emulator whose guest time stands still.
"""

import secrets
import shutil
import subprocess
import time
import tomllib

import artefacts
import image
import verdict
from artefacts import LabError, say
from emulators import MACHINES, emulator_for
from terminal import Terminal

DEFAULT_MACHINE = "vmx"
RUNS = image.BUILD / "lab" / "runs"
RUNS_KEPT = 60
TAIL_LINES = 40

GRACE = 30              # guest seconds that /init gets beyond a test's limit, and between tests
STANDSTILL = 120        # wall seconds without any guest time passing


def machine_names():
    return sorted(file.stem for file in MACHINES.glob("*.toml"))


def machine_named(name):
    if name not in machine_names():
        raise LabError(f"no machine {name!r}: there are {', '.join(machine_names())}")
    return tomllib.loads((MACHINES / f"{name}.toml").read_text())


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
    """What the machine must do next, and until when (guest seconds)."""

    def __init__(self, boot, boot_seconds):
        self.seconds = {test.name: test.seconds for test in boot.tests}
        self.boot_seconds = boot_seconds
        self.again = boot_seconds if boot.has("kexec") else 0       # a test that boots a second kernel
        self.waiting, self.deadline = "reach /init", boot_seconds

    def told(self, words, now):
        """The report said something about the boot's progress."""
        if words[0] in ("begin", "resume"):
            self.waiting = f"end {words[1]}"
            self.deadline = now + self.seconds.get(words[1], 0) + self.again + GRACE
        else:
            self.waiting, self.deadline = "go on after " + " ".join(words[:2]), now + GRACE


class LabBoot:
    """One boot of a lab machine. `options` are the command line's; they win over the boot's own."""

    def __init__(self, machine_name, boot, options, module, mode="tests"):
        self.machine = machine_named(machine_name)
        self.boot, self.module, self.mode = boot, module, mode
        self.kernel = artefacts.Kernel(kernel_flavour(self.machine, boot, options))
        self.cpus = int(options.cpus or boot.value("cpus", self.machine["cpus"]))
        self.hardware = {"cpu": boot.value("cpu", self.machine["cpu"]), "cpus": self.cpus,
                         "memory": int(options.memory or boot.value("memory", self.machine["memory"])),
                         "vmx_off": boot.has("vmx-off")}
        self.append = [*boot.values("append"), *options.append]
        self.name = f"{machine_name}-{self.kernel.flavour}-{self.cpus}cpu"
        self.token = secrets.token_hex(8)
        self.emulator = emulator_for(self.machine)
        self.wall = 0.0

    def prepare(self):
        """Make the run's folder and its CD image."""
        self.folder = new_run_folder(self.name)
        ips = self.machine["ips"]
        command_line = self.machine["command_line"].format(khz=ips // 1000, lpj=ips // 250).split()
        command_line += self.machine.get("more_command_line", {}).get(self.kernel.flavour, "").split()
        initrd = image.initramfs(self.boot, self.kernel, self.module, self.token, self.mode, self.folder)
        return image.cd(self.kernel, initrd, " ".join(command_line + self.append), self.folder)

    def run(self, prefix=""):
        """Boot, stream the report, and return the verdict."""
        iso = self.prepare()
        say(f"boot {self.name}: {len(self.boot.tests)} tests; files in {self.folder.relative_to(image.TOP)}")
        command, environment = self.emulator.command(self.folder, iso, **self.hardware)
        started = time.monotonic()
        with open(self.folder / "emulator.out", "w") as output:
            process = subprocess.Popen(command, env=environment, cwd=self.folder, stdin=subprocess.DEVNULL,
                                       stdout=output, stderr=subprocess.STDOUT)
            try:
                broken_limit = self.follow(process, prefix)
            finally:
                process.kill()
                process.wait()
        self.wall = time.monotonic() - started
        iso.unlink()
        return self.judge(broken_limit or self.emulator.ending(self.folder))

    def follow(self, process, prefix):
        """Stream until the emulator ends; return a sentence if it had to be stopped."""
        report = Report(self.folder / "report")
        limits = Limits(self.boot, self.machine["boot_seconds"][self.kernel.flavour])
        mark = f"@lab {self.token} "
        now, moved = 0, time.monotonic()
        running = True
        while running:
            running = process.poll() is None        # before the last look at the report
            clock = self.emulator.guest_seconds(self.folder)
            if clock > now:
                now, moved = clock, time.monotonic()
            for line in report.new_lines():
                before, marked, words = line.partition(mark)
                if before or not marked:
                    print(f"{prefix}{before}", flush=True)
                if marked:
                    print(f"{prefix}# lab: {words}", flush=True)
                    limits.told(words.split(), now)
            if running and now > limits.deadline:
                return f"HANG: it did not {limits.waiting} within {limits.deadline:.0f} s of guest time"
            if running and time.monotonic() - moved > STANDSTILL:
                return f"EMULATOR STUCK: no guest time passed for {STANDSTILL} s"
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
                  f"{self.emulator.guest_seconds(self.folder)} s of guest time"]
        say("\n# ".join(lines))
        return result

    def text(self, name):
        file = self.folder / name
        return file.read_text(errors="replace") if file.exists() else ""

    def shell(self, debugger):
        """Boot with the console (and the emulator's debugger) on the user's terminal."""
        iso, terminal = self.prepare(), Terminal(debugger)
        command, environment = self.emulator.command(self.folder, iso, **self.hardware, terminal=terminal.device,
                                                     debugger=debugger)
        switch = "Ctrl-\\ switches to the debugger and back; " if debugger else ""
        say(f"boot {self.name}; {switch}Ctrl-] leaves; files in {self.folder.relative_to(image.TOP)}")
        try:
            terminal.run(command, environment, self.folder)
        finally:
            iso.unlink()


def kernel_flavour(machine, boot, options):
    return options.kernel or boot.value("kernel", machine["kernel"])
