# SPDX-License-Identifier: GPL-2.0
"""Emulators: what runs a machine description. Two boots of the same things with the same seed run the same (not if CPUs run
in parallel). One class each, with the same members:

    command(folder, software, hardware, terminal, debugger)     the command line and environment that boot it
    ask(process, folder)    called now and then while it runs
    guest_seconds(folder)   guest time so far
    ending(folder)          None for a clean power-off, else a sentence
    refusals(folder)        why it refused VM entries, in order, or None if it does not tell
    own_debugger            has it a debugger of its own? (else a stub for gdb)
"""

import dataclasses
import pathlib

from artefacts import LabError
from bochs import Bochs
from qemu import Qemu

EMULATORS = {"bochs": Bochs, "qemu": Qemu}


@dataclasses.dataclass(frozen=True)
class Software:
    """What a machine boots."""
    kernel: pathlib.Path
    initrd: pathlib.Path
    command_line: str


@dataclasses.dataclass(frozen=True)
class Hardware:
    """What it boots on."""
    cpu: str                    # the emulator's name for it
    cpus: int
    memory: int                 # MiB
    seed: int = 1               # of the emulator's random numbers
    vmx_off: bool = False       # a firmware that has switched VMX off
    counted: bool = False       # one instruction is one tick of the TSC
    parallel: bool = False      # CPUs run at once, each in its own thread, in the build machine's time
    disk: pathlib.Path | None = None    # its contents stand in memory at images.DISK_AT


def emulator_for(machine):
    if machine["emulator"] not in EMULATORS:
        raise LabError(f"no emulator {machine['emulator']!r}: there are {', '.join(EMULATORS)}")
    return EMULATORS[machine["emulator"]](machine)
