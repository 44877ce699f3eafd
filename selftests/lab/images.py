# SPDX-License-Identifier: GPL-2.0
"""Disk images that guests boot: a small Debian of this release, built once by mmdebstrap and kept in the cache.

An image is a folder of the cache: `disk` (an ext4 file system, no partitions), with `vmlinuz` and `initrd` beside it, which are
those in its /boot. Its name is a digest of what it is made of: the recipe below, and every package with its own digest.

There is also a rescue image of GRUB, for guests that start with a BIOS: a boot loader, its prompt, and no system.

On the lab machine Debian's disk is "persistent memory" (/dev/pmem0): the emulator has put it into the machine's RAM, which costs no
instruction and leaves boots repeatable. What a test writes to it is gone afterwards.
"""

import functools
import hashlib
import os
import pathlib
import re
import shutil
import tempfile

from artefacts import CACHE, LabError, Suite, locked, run, say

PACKAGES = ["systemd-sysv", "udev", "linux-image-cloud-amd64", "initramfs-tools", "zstd", "wget"]
DISK_MIB = 400
DISK_AT = 512                   # MiB: above the lab's kernel, below its initramfs, which stands at the end of memory
EPOCH = 1700000000              # the time of everything in the image
IDENTIFIER = "74726170-657a-6500-0000-000000000001"

LEFT_OUT = ["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/i18n/*",
            "/usr/lib/x86_64-linux-gnu/gconv/*"]

# In the image, after its packages: root has no password, networkd asks for an address, systemd has patience. (Its initrd
# has most modules, as Debian does it.)
FILES = {
    "etc/hostname": "guest\n",
    "etc/hosts": "127.0.0.1 localhost guest\n",
    "etc/fstab": "/dev/vda / ext4 errors=remount-ro 0 1\n",
    "etc/machine-id": IDENTIFIER.replace("-", "") + "\n",
    "etc/systemd/system.conf.d/slow.conf": "[Manager]\nDefaultTimeoutStartSec=900s\nDefaultDeviceTimeoutSec=900s\n",
    "etc/systemd/network/ether.network": "[Match]\nType=ether\n\n[Network]\nDHCP=yes\n",
}
COMMANDS = [
    "passwd --delete root",
    "systemctl enable systemd-networkd.service",
    "systemctl disable systemd-networkd-wait-online.service",
]


# The partition maps' are those that grub-mkrescue's own configuration asks for
GRUB_MODULES = ("normal biosdisk iso9660 newc linux linux16 lsmmap lsacpi ls echo halt reboot "
                "part_acorn part_amiga part_apple part_bsd part_dfly part_dvh part_gpt part_msdos part_plan part_sun part_sunpc")
GRUB_CONFIG = "insmod newc\necho GRUB reads its disk\n"     # else it tries every file system on a disk of cpio


def command_line():
    """What makes the lab's kernel take the memory for a disk."""
    return f"memmap={DISK_MIB}M!{DISK_AT}M"


def sources():
    """The build machine's own Debian sources, one line each: apt tells which mirror, this release's suites."""
    codename = re.search(r"^VERSION_CODENAME=(\w+)", pathlib.Path("/etc/os-release").read_text(), re.M)[1]
    lines = run("apt-get", "indextargets", "--format", "deb $(REPO_URI) $(RELEASE) $(COMPONENT)",
                "Created-By: Packages", "Origin: Debian").splitlines()
    lines = sorted({line for line in lines if re.fullmatch(rf"{codename}(-updates|-security)?", line.split()[2])})
    if not lines:
        raise LabError(f"apt has no source of Debian {codename}: add one, then `apt-get update`")
    return codename, "\n".join(lines) + "\n"


def contents():
    """Every package that the image holds, with its digest, as apt's lists tell today."""
    uris = run("apt-get", "install", "--print-uris", "-y", "--no-install-recommends", "-o", "Dir::State::status=/dev/null",
               "?essential", "apt", *PACKAGES)
    return sorted(re.findall(r"^'\S+' (\S+) \d+ (\S+)$", uris, re.M))


def customize(folder):
    """mmdebstrap's words that bring FILES into the image and run COMMANDS there."""
    for name, text in FILES.items():
        file = folder / "files" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o644)
    hooks = [f'mkdir -p "$1/{pathlib.Path(name).parent}"; cp "{folder}/files/{name}" "$1/{name}"' for name in FILES]
    hooks += [f'chroot "$1" {command}' for command in COMMANDS]
    return [f"--customize-hook={hook}" for hook in hooks]


def make_tree(folder):
    """The image's files, unpacked and configured, in a folder of the build machine."""
    codename, lines = sources()
    tree, listed = folder / "tree", folder / "sources.list"
    listed.write_text(lines)
    run("mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", "--format=directory", "--skip=output/dev",
        f"--include={','.join(PACKAGES)}", "--aptopt=APT::Install-Recommends false",
        *(f"--dpkgopt=path-exclude={path}" for path in LEFT_OUT), *customize(folder),
        codename, tree, listed, env={**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH)})
    return tree


def make_disk(tree, disk):
    """An ext4 file system of it, without mounting one; nothing is left for the first mount to initialize."""
    with open(disk, "wb") as file:
        file.truncate(DISK_MIB << 20)
    run("mkfs.ext4", "-q", "-F", "-d", tree, "-U", IDENTIFIER, "-L", "debian", "-m", "0", "-J", "size=8",
        "-E", f"hash_seed={IDENTIFIER},lazy_itable_init=0,lazy_journal_init=0", disk,
        env={**os.environ, "E2FSPROGS_FAKE_TIME": str(EPOCH)})


def build(folder):
    say("building the Debian image for guests: some minutes, this once")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="new-") as scratch:
        scratch = pathlib.Path(scratch)
        tree, done = make_tree(scratch), scratch / "done"
        done.mkdir()
        make_disk(tree, done / "disk")
        for name in ("vmlinuz", "initrd.img"):      # links to the one kernel's
            shutil.copy(tree / os.readlink(tree / name), done / name.partition(".")[0])
        done.rename(folder)


@functools.cache
def debian():
    """The image's folder, built if need be."""
    packages = Suite().remembered(("image", *PACKAGES), contents)
    recipe = repr((PACKAGES, LEFT_OUT, FILES, COMMANDS, DISK_MIB, EPOCH, IDENTIFIER))
    made_of = hashlib.sha256((recipe + packages).encode()).hexdigest()[:16]
    folder = CACHE / "images" / f"debian-{made_of}"
    with locked(CACHE / "images.lock"):
        if not folder.exists():
            build(folder)
    return folder


def build_grub(file):
    with tempfile.TemporaryDirectory(dir=file.parent, prefix="new-") as scratch:
        tree = pathlib.Path(scratch) / "tree/boot/grub"
        tree.mkdir(parents=True)
        (tree / "grub.cfg").write_text(GRUB_CONFIG)
        image = pathlib.Path(scratch) / "grub.iso"
        run("grub-mkrescue", "--directory=/usr/lib/grub/i386-pc", f"--install-modules={GRUB_MODULES}", "--fonts=", "--locales=",
            "--themes=", "-o", image, pathlib.Path(scratch) / "tree", env={**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH)})
        image.rename(file)


@functools.cache
def grub():
    """The file of GRUB's rescue image, a disk that a BIOS boots."""
    version = run("dpkg-query", "-W", "grub-common", "grub-pc-bin")
    made_of = hashlib.sha256(repr((GRUB_MODULES, GRUB_CONFIG, EPOCH, version)).encode()).hexdigest()[:16]
    file = CACHE / "images" / f"grub-{made_of}.iso"
    with locked(CACHE / "images.lock"):
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            build_grub(file)
    return file
