# SPDX-License-Identifier: GPL-2.0
"""Bochs. Its exit status says nothing; its own log says how the machine ended."""

import os
import re

import image
import images
from artefacts import LabError, Suite, locked, run
from machines import MACHINES


# Two words of the C library that Bochs gets otherwise. It seeds its random numbers, RDRAND's too, from the build machine's
# clock; but a boot is to be repeatable. And it reads a file for the machine's memory as if that were in one piece, when it
# is of blocks, which stand in the order of their first use: a read gives it one block.
PRELOADED = """
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BLOCK	(128 << 10)

void srand(unsigned int seed)
{
	srandom(atoi(getenv("LAB_SEED")));
}

ssize_t read(int fd, void *buffer, size_t bytes)
{
	return syscall(SYS_read, fd, buffer, bytes < BLOCK ? bytes : BLOCK);
}
"""


def preloaded():
    """A library to load before Bochs's own."""
    library = image.BUILD / "lab/bochs-preloaded.so"
    with locked(image.BUILD / "lab/bochs-preloaded.lock"):
        if not library.exists():
            source = library.with_suffix(".c")
            source.write_text(PRELOADED)
            run("gcc", "-shared", "-fPIC", "-O", "-o", library, source)
    return library


class Bochs:
    ENDINGS = [     # (words in the log, what they mean); None is a clean end. The first found counts.
        ("3rd (13) exception with no resolution",
         "TRIPLE FAULT: the lab kernel panicked, or the machine was reset"),
        ("ACPI control: soft power off", None),
    ]
    own_debugger = True

    def __init__(self, machine):
        self.machine = machine
        self.ips = machine["ips"]
        package = machine["package"]
        suite = Suite(package["suite"])
        self.root = suite.fetch(package["emulator"])
        self.libraries = suite.fetch(package["libraries"]) / "usr/lib/x86_64-linux-gnu"

    def command(self, folder, software, hardware, terminal=None, debugger=False):
        """Make the CD, write the configuration into the run's folder; return the command line and its environment."""
        if hardware.parallel or hardware.counted and hardware.cpus > 1:
            raise LabError("Bochs runs CPUs in turns, and its TSC counts instructions with one CPU alone")
        self.ips = self.machine["counted_ips" if hardware.counted else "ips"]
        template = (MACHINES / self.machine["config"]).read_text()
        console = f"mode=term, dev={terminal}" if terminal else f"mode=file, dev={folder}/console"
        config = folder / "bochsrc"
        config.write_text(template.format(
            cpu=hardware.cpu, memory=hardware.memory, cpus=hardware.cpus, ips=self.ips,
            share=self.root / "usr/share/bochs", iso=image.cd(software, folder), firmware=self.firmware(folder, hardware),
            disk=f"optramimage1: file={hardware.disk}, address={images.DISK_AT << 20:#x}" if hardware.disk else "",
            console=console, report=f"mode=file, dev={folder}/report", log=folder / "emulator.log"))
        command = [self.libraries / "ld-linux-x86-64.so.2", "--library-path",
                   f"{self.libraries}:/usr/lib/x86_64-linux-gnu:/lib/x86_64-linux-gnu",
                   self.root / "usr/bin/bochs-bin", "-q", "-f", config,
                   *(["-debugger"] if debugger else [])]
        if not terminal:
            command += ["-dumpstats", self.ips // 1_000_000]     # a line for each second of guest time
        environment = {**os.environ, "LD_PRELOAD": str(preloaded()), "LAB_SEED": str(hardware.seed),
                       "LTDL_LIBRARY_PATH": f"{self.root}/usr/lib/x86_64-linux-gnu/bochs/plugins",
                       "BXSHARE": f"{self.root}/usr/share/bochs"}
        return [str(word) for word in command], environment

    def firmware(self, folder, hardware):
        """The BIOS, or a copy of it that locks IA32_FEATURE_CONTROL without enabling VMX."""
        bios = self.root / "usr/share/bochs/BIOS-bochs-latest"
        if not hardware.vmx_off:
            return bios
        lock_and_enable, lock = (bytes([0x83, 0xc8, bits, 0x0f, 0x30]) for bits in (5, 1))  # or $bits, %eax; wrmsr
        code = bios.read_bytes()
        if lock_and_enable not in code:
            raise LabError(f"vmx-off: {bios} does not set IA32_FEATURE_CONTROL as it used to")
        copy = folder / "bios"
        copy.write_bytes(code.replace(lock_and_enable, lock))
        return copy

    def ask(self, process, folder):
        """It tells its time without being asked."""

    def guest_seconds(self, folder):
        """Guest time so far. (Bochs can stop at a number of ticks, but not while interrupts are off.)"""
        with open(folder / "emulator.out", "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 4096))
            told = re.findall(rb"=== statistics dump (\d+) ===", file.read())
        return int(told[-1]) // self.ips if told else 0

    def refusals(self, folder):
        """Why VM entries (or other VMX instructions) were refused, in order; None from an emulator that does not tell."""
        log = folder / "emulator.log"
        text = log.read_text(errors="replace") if log.exists() else ""
        return re.findall(r"\] (?:VMFAIL|VMENTER FAIL|VMENTER|(?:SVM: )?VMRUN(?:\(\))?|SvmInjectEvents):? (.*)$", text, re.M)

    def ending(self, folder):
        """None if the machine powered itself off, else a sentence that says how it ended."""
        log = "".join((folder / name).read_text(errors="replace")
                      for name in ("emulator.log", "emulator.out") if (folder / name).exists())
        for words, meaning in self.ENDINGS:
            if words in log:
                return meaning
        panics = [line for line in log.splitlines() if ">>PANIC<<" in line]
        return f"EMULATOR DIED: {panics[0] if panics else 'without a word'}"
