# SPDX-License-Identifier: GPL-2.0
"""What a lab machine boots: an initramfs with everything a boot needs, and a CD image where an emulator wants one.

The initramfs is not compressed: in an emulator, reading more bytes is cheaper than unpacking them.
"""

import lzma
import os
import pathlib
import re
import shutil
import subprocess

import images
import kernels
from artefacts import LAB, LabError, Suite, locked, run

TOP = LAB.parent.parent
BUILD = TOP / "build"

PMEM_MODULES = ["nd_e820", "nd_pmem"]           # what makes memory of the command line's memmap=...! a disk

ISOLINUX_FILES = ["/usr/lib/ISOLINUX/isolinux.bin", "/usr/lib/syslinux/modules/bios/ldlinux.c32"]

ISOLINUX_CONFIG = """\
default lab
prompt 0
timeout 0
label lab
  kernel /vmlinuz
  append initrd=/initrd {command_line}
"""


def archive(root, file):
    """Pack a folder as an initramfs: the same bytes for the same files, so that a boot can be repeated exactly."""
    names = sorted(path.relative_to(root) for path in root.rglob("*"))
    for name in names:
        os.utime(root / name, (0, 0), follow_symlinks=False)
    with open(file, "wb") as output:
        subprocess.run(["cpio", "--null", "--create", "--format=newc", "--owner=0:0", "--reproducible", "--quiet"],
                       cwd=root, input=b"".join(bytes(name) + b"\0" for name in names), stdout=output, check=True)


def place(source, root, target):
    """Copy one file into an image's tree, keeping its mode."""
    if not pathlib.Path(source).exists():
        raise LabError(f"{source} is not there: was it built?")
    target = root / target.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)
    return target


def place_stripped(source, root, target):
    """The same for what was built with debugging information, which the lab machine has no use for."""
    target = place(source, root, target)
    with open(target, "rb") as file:
        is_elf = file.read(4) == b"\x7fELF"
    if is_elf:
        run("strip", "--strip-debug", target)


def busybox_tree(root):
    """The least that a shell script needs."""
    for folder in ("bin", "dev", "proc", "sys", "tmp", "root", "etc"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    place("/bin/busybox", root, "bin/busybox")
    for applet in run("/bin/busybox", "--list").split():
        if applet != "busybox":
            (root / "bin" / applet).symlink_to("busybox")


def place_program(name, root):
    """One of ours or of the build machine's programs, with the shared libraries that it names; a static one names none."""
    program = shutil.which(name, path=f"{BUILD}/tools:/usr/sbin:/usr/bin:/sbin:/bin")
    if not program:
        raise LabError(f"extras: the build machine has no program {name}")
    place_stripped(program, root, f"bin/{name}")
    libraries = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
    for library in re.findall(r"(/\S+)", libraries):
        place(library, root, library)


def place_modules(kernel, names, root):
    """Stock modules and their dependencies, for modprobe. An emulated CPU would take minutes to unpack KVM's from XZ."""
    source, files = kernel.modules_for(names)
    target = f"lib/modules/{kernel.release}"
    for file in files:
        if file.endswith(".xz"):
            to = root / target / file.removesuffix(".xz")
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes(lzma.decompress((source / file).read_bytes()))
        else:
            place(source / file, root, f"{target}/{file}")
    for index in ("modules.order", "modules.builtin"):
        place(source / index, root, f"{target}/{index}")
    run("depmod", "-b", root, kernel.release)


def place_guest_kernel(kernel, modules, root, folder):
    """Another kernel for a Linux guest, not compressed, and an archive of modules to append to the guest's initramfs."""
    tree = folder / "guest-modules"
    place_modules(kernel, modules, tree)
    place(kernel.elf_image, root, "guest/vmlinux")
    archive(tree, root / "guest/modules.cpio")
    shutil.rmtree(tree)


def small_guests():
    """The small guests for `tpz run`, built from guest/*.S."""
    files = []
    with locked(BUILD / "lab/guest.lock"):
        for source in sorted((LAB / "guest").glob("*.S")):
            file = BUILD / "lab" / source.stem
            if not file.exists() or file.stat().st_mtime < source.stat().st_mtime:
                run("gcc", "-m32", "-nostdlib", "-static", "-Wl,--nmagic,-Ttext=0x100000,--build-id=none,-z,noexecstack",
                    "-Wl,--no-warn-rwx-segments", "-o", file, source)
            files.append(file)
    return files


def find_test(name):
    """A selftest; or one of the programs that show that the lab can fail."""
    return next((file for file in (BUILD / "selftests" / name, LAB / "selfcheck" / name) if file.is_file()),
                BUILD / "selftests" / name)


def initramfs(boot, kernel, module, token, mode, folder):
    """Build the initramfs of one boot."""
    root = folder / "root"
    busybox_tree(root)
    place(LAB / "init", root, "init")
    (root / "lab").mkdir()
    (root / "lab/boot").write_text(f"TOKEN={token}\nMODE={mode}\n")
    (root / "lab/plan").write_text("".join(test.plan_line() + "\n" for test in boot.tests))
    for file in ("motd", "ktap.sh", "guest.sh", "network.sh", "checkers.sh"):
        place(LAB / file, root, f"lab/{file}")
    for guest in small_guests():
        place(guest, root, f"guest/{guest.name}")
    if module:
        place_stripped(module, root, "lib/modules/trapeze.ko")
    if (BUILD / "tools/tpz").exists():
        place_stripped(BUILD / "tools/tpz", root, "bin/tpz")
    tests = {find_test(test.name) for test in boot.tests}
    if mode == "shell":
        tests = [file for file in (BUILD / "selftests").glob("*") if file.is_file()]
    for test in tests:
        place_stripped(test, root, f"selftests/{test.name}")
    if (BUILD / "selftests/guests").is_dir():
        shutil.copytree(BUILD / "selftests/guests", root / "selftests/guests")
    guest = kernels.named(boot.value("guest")) if boot.value("guest") else kernel.guest
    if boot.values("modules"):
        place_modules(guest if boot.has("payload") else kernel, boot.values("modules"), root)
    if boot.has("image"):
        place_modules(kernel, PMEM_MODULES, root)
    for extra in [*boot.values("extras"), *(["kexec"] if boot.has("kexec") else [])]:
        place_program(extra, root)
    if boot.has("kexec"):
        archive(root, folder / "second.cpio")       # the same system, without this and the payload
        place(kernel.image, root, "boot/vmlinuz")
        place(folder / "second.cpio", root, "boot/initrd")
    if boot.has("payload"):
        place(guest.image, root, "guest/vmlinuz")
        place(BUILD / "tools/guest.cpio", root, "guest/initrd")
    if boot.value("guest-kernel"):
        place_guest_kernel(kernels.named(boot.value("guest-kernel")), boot.values("guest-modules"), root, folder)
    for package, _, file in (words.partition(":") for words in boot.values("from")):
        place(Suite().fetch([package]) / file.lstrip("/"), root, f"guest/{pathlib.Path(file).name}")
    if boot.has("image"):
        for name in ("vmlinuz", "initrd"):
            place(images.debian() / name, root, f"guest/debian/{name}")
    if boot.has("grub"):
        place(images.grub(), root, "guest/grub.iso")
    archive(root, folder / "initrd")
    shutil.rmtree(root)
    return folder / "initrd"


def cd(software, folder):
    """Build a CD image that boots this; it takes the initramfs into itself."""
    tree = folder / "iso"
    tree.mkdir()
    for file in ISOLINUX_FILES:
        shutil.copy(file, tree)
    shutil.copy(software.kernel, tree / "vmlinuz")
    software.initrd.rename(tree / "initrd")
    (tree / "isolinux.cfg").write_text(ISOLINUX_CONFIG.format(command_line=software.command_line))
    run("xorriso", "-as", "mkisofs", "-quiet", "-o", folder / "lab.iso", "-b", "isolinux.bin", "-c", "boot.cat",
        "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table", tree)
    shutil.rmtree(tree)
    return folder / "lab.iso"
