# SPDX-License-Identifier: GPL-2.0
"""QEMU without acceleration (TCG). Its QMP monitor tells its time, and how the machine ended.

It counts instructions (-icount): one takes 2^shift ns, CPUs take turns in one thread, and an idle machine's clock
jumps to its next timer. So a boot is the same to the byte each time, however loaded the build machine is.
"""

import datetime
import json
import os
import re

import images
from artefacts import LabError, Suite

START = datetime.datetime(2024, 1, 1)       # what the machine's clock shows first


class Qemu:
    ENDINGS = {     # QMP's reason for the end; None is a clean one
        "guest-shutdown": None,
        "guest-reset": "TRIPLE FAULT: the lab kernel panicked, or the machine was reset",
    }
    own_debugger = False            # but a stub for gdb

    def __init__(self, machine):
        self.machine = machine
        package = machine["package"]
        self.root = Suite(package["suite"]).fetch(package["emulator"])

    def command(self, folder, software, hardware, terminal=None, debugger=False):
        """The command line, and its environment."""
        if hardware.vmx_off:
            raise LabError("vmx-off is for machines with VMX: the test's line lacks machine=vmx")
        share = self.root / "usr/share"
        console = f"serial,path={terminal}" if terminal else f"file,path={folder}/console"
        command = [self.root / "usr/bin/qemu-system-x86_64", "-L", share / "qemu", "-L", share / "seabios",
                   "-nodefaults", "-display", "none", "-no-reboot", "-no-user-config",
                   "-cpu", hardware.cpu, "-smp", hardware.cpus, "-m", hardware.memory,
                   "-kernel", software.kernel, "-initrd", software.initrd, "-append", software.command_line,
                   "-chardev", f"{console},id=console", "-serial", "chardev:console", "-serial", f"file:{folder}/report",
                   "-seed", hardware.seed]
        if hardware.parallel:
            command += ["-accel", "tcg,thread=multi", "-rtc", f"base={START.isoformat()}"]
        else:
            shift = 0 if hardware.counted else self.machine["icount_shift"]
            command += ["-accel", "tcg,thread=single", "-icount", f"shift={shift},sleep=off",
                        "-rtc", f"base={START.isoformat()},clock=vm"]
        if hardware.disk:
            command += ["-device", f"loader,file={hardware.disk},addr={images.DISK_AT << 20:#x},force-raw=on"]
        if not terminal:
            command += ["-chardev", "stdio,id=qmp,signal=off", "-mon", "chardev=qmp,mode=control"]
        if debugger:
            command += ["-S", "-gdb", f"unix:{folder}/gdb,server=on,wait=off"]
        return [str(word) for word in command], {**os.environ}

    def ask(self, process, folder):
        """Make it tell its time (the real-time clock's, which is the machine's own); wake it up if it is suspended."""
        said = (folder / "emulator.out").read_text(errors="replace")
        commands = [{"execute": "qom-get", "arguments": {"path": "/machine", "property": "rtc-time"}}]
        if '"return"' not in said:
            commands.insert(0, {"execute": "qmp_capabilities"})
        if said.count('"event": "SUSPEND"') > said.count('"event": "WAKEUP"'):
            commands.append({"execute": "system_wakeup"})
        try:
            os.write(process.stdin.fileno(), "".join(json.dumps(command) + "\n" for command in commands).encode())
        except OSError:
            pass        # it has ended

    @staticmethod
    def told(folder):
        """Everything QMP has said; other lines are QEMU's own words."""
        for line in (folder / "emulator.out").read_text(errors="replace").splitlines():
            try:
                yield json.loads(line), line
            except ValueError:
                yield {}, line

    def guest_seconds(self, folder):
        """Guest time so far, as last told."""
        with open(folder / "emulator.out", "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 4096))
            answers = re.findall(rb'^\{"return": (\{"tm_.*\})\}\r?$', file.read(), re.M)
        return seconds(json.loads(answers[-1])) if answers else 0

    def refusals(self, folder):
        """It does not tell why it refuses a VM entry."""
        return None

    def ending(self, folder):
        """None if the machine powered itself off, else a sentence that says how it ended."""
        reasons = [answer["data"]["reason"] for answer, _ in self.told(folder) if answer.get("event") == "SHUTDOWN"]
        words = [line for answer, line in self.told(folder) if not answer and line.strip()]
        if reasons:
            return self.ENDINGS.get(reasons[-1], f"EMULATOR DIED: its reason is {reasons[-1]}")
        return f"EMULATOR DIED: {words[-1] if words else 'without a word'}"


def seconds(clock):
    """Seconds since START that QEMU's real-time clock shows."""
    shown = datetime.datetime(clock["tm_year"] + 1900, clock["tm_mon"] + 1, clock["tm_mday"],
                              clock["tm_hour"], clock["tm_min"], clock["tm_sec"])
    return (shown - START).total_seconds()
