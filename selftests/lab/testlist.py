# SPDX-License-Identifier: GPL-2.0
"""Test lists: which selftests run, under which limits, and which of them share a boot.

One test per line of a list file:

    name  [seconds]  [option ...]  [-- argument ...]

`name` is a program or script in build/selftests/; `seconds` limits its guest time. Options for the test:

    noload          the module is not loaded when the test starts
    params=a=1,b=2  module parameters to load it with
    machine=NAME    only on this machine, or one that is based on it (may be repeated)
    not=WHERE       left out, and told so, there: MACHINE, KERNEL or MACHINE/KERNEL (may be repeated)

and for its boot (tests that agree on these share one):

    cpus=N  memory=MiB  kernel=FLAVOUR
    cpu=MODEL       another processor, by the emulator's name for it
    vmx-off         a firmware that has switched VMX off (Bochs)
    counted         one instruction is one tick of the TSC, and a short time: 1 ns (QEMU), 4 ns (Bochs)
    append=WORD     add to the kernel's command line (may be repeated)
    modules=a,b     stock kernel modules put where modprobe finds them (of the guest's kernel, with payload)
    extras=a,b      programs of build/tools or of the build machine, copied with their libraries
    from=PACKAGE:/FILE   a file of a Debian package, unpacked and not installed: put into /guest/ (may be repeated)
    guest=FLAVOUR   with payload: another kernel for the guest than the machine's own
    image           the Debian image for guests (images.py): its kernel and initrd in /guest/debian/, its disk as /dev/pmem0
    grub            a rescue image of GRUB (images.py): /guest/grub.iso
    payload         the stock kernel and initramfs that a Linux guest boots: /guest/
    guest-kernel=FLAVOUR  another kernel for that guest, not compressed: /guest/vmlinux
    guest-modules=a,b     and its modules, to append to the guest's initramfs: /guest/modules.cpio
    kexec           a second kernel to boot from inside the test, and the program to do so: /boot/
    boot=NAME       a boot of its own, shared by the tests that give the same name
    expect=WORDS    the kernel's log must hold these words ("_" for space), which else would fail the run
"""

import dataclasses

from artefacts import LAB, LabError

DEFAULT_SECONDS = 60
BOOT_WORDS = {"payload", "image", "grub", "kexec", "vmx-off", "counted"}
BOOT_VALUES = {"cpu", "cpus", "memory", "kernel", "append", "modules", "extras", "boot", "expect", "guest", "from",
               "guest-kernel", "guest-modules"}


@dataclasses.dataclass(frozen=True)
class Test:
    name: str
    seconds: int = DEFAULT_SECONDS
    module: str = "load:"               # what /init's want_module takes
    arguments: tuple = ()
    boot: tuple = ()                    # sorted (option, value) pairs
    machines: tuple = ()                # only there, if any are named
    not_on: tuple = ()                  # where the emulator cannot run it

    def runs_on(self, machine, flavour):
        """Does this test belong to the machine, and can its emulator run it? (Both as machine_named() gives them.)"""
        if self.machines and not set(self.machines) & set(machine["family"]):
            return False
        left_out = {flavour, *machine["family"], *(f"{name}/{flavour}" for name in machine["family"])} & set(self.not_on)
        if left_out:
            print(f"# left out on {machine['name']}, kernel {flavour}: {self.name} {' '.join(self.arguments)}", flush=True)
        return not left_out

    def plan_line(self):
        return " ".join([self.name, str(self.seconds), self.module, *self.arguments])


@dataclasses.dataclass
class Boot:
    """Tests that run one after the other in one boot of a lab machine."""
    options: tuple
    tests: list

    def value(self, name, default=None):
        return next((value for key, value in self.options if key == name), default)

    def values(self, name):
        return [word for key, value in self.options if key == name
                for word in (value.split(",") if name in ("modules", "extras", "guest-modules") else [value])]

    def has(self, word):
        return (word, True) in self.options

    def weight(self):
        """Which of two boots takes longer, by what is known before: counted time passes slowly."""
        return self.has("counted"), sum(test.seconds for test in self.tests)


def parse_line(line):
    words, _, arguments = line.partition(" -- ")
    name, *words = words.split()
    seconds, module, boot, machines, not_on = DEFAULT_SECONDS, "load:", [], [], []
    for word in words:
        key, _, value = word.partition("=")
        if word.isdigit():
            seconds = int(word)
        elif word == "noload":
            module = "noload"
        elif key == "params":
            module = f"load:{value}"
        elif key == "machine" and value:
            machines.append(value)
        elif key == "not" and value:
            not_on.append(value)
        elif word in BOOT_WORDS:
            boot.append((word, True))
        elif key in BOOT_VALUES and value:
            boot.append((key, value))
        else:
            raise LabError(f"test list: {word!r} is no option (test {name})")
    return Test(name, seconds, module, tuple(arguments.split()), tuple(sorted(boot)), tuple(machines), tuple(not_on))


def parse(text):
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [parse_line(line) for line in lines if line]


def load(words):
    """The tests that words name: each a list of lists/, or one test with the options of its lines in the list `all`."""
    lists = LAB / "lists"
    known, tests = {}, []
    for test in parse((lists / "all").read_text()):
        known.setdefault(test.name, []).append(test)
    for word in words:
        if (lists / word).is_file():
            for line in (line.partition("#")[0].strip() for line in (lists / word).read_text().splitlines()):
                if line:
                    tests += known.get(line) or [parse_line(line)]
        else:
            tests += known.get(word) or [Test(word)]
    return tests


def boots(tests):
    """Group tests into boots, in order of first appearance."""
    groups = {}
    for test in tests:
        groups.setdefault(test.boot, []).append(test)
    return [Boot(options, members) for options, members in groups.items()]
