# SPDX-License-Identifier: GPL-2.0
"""The kernels of the lab machines: where each comes from, and how a module is built for it.

Three kinds, by flavour:

  stock       Debian's own for this release: image from the cache, headers installed;
  backports   the newest one of the next release's backports: its build tools need a newer C library than this
              machine has, so the module is built in a root directory of unpacked packages (kernels/enter);
  debug       built here from Debian's source with everything on that finds bugs (kernels/debug.config): once, and again
              when that file, the source or the compiler changes.
"""

import functools
import hashlib
import os
import pathlib
import re
import shutil
import subprocess

from artefacts import CACHE, LAB, LabError, Suite, install, locked, run, say

STOCK = {"cloud": "cloud-amd64", "generic": "amd64", "cloud-6.12": "6.12-cloud-amd64"}
CONFIGURATION = LAB / "kernels/debug.config"


class Kernel:
    """A kernel's image, modules and headers. `release` and `root` are the subclass's."""

    instrumentation = ()        # words for make that switch a module's instrumentation on

    def __init__(self, flavour):
        self.flavour = flavour

    @property
    def headers(self):
        """What a module for this kernel is built against."""
        raise NotImplementedError

    def build_words(self):
        """The words for `make module` that build for this kernel."""
        return [f"KDIR={self.headers}", *self.instrumentation]

    @property
    def image(self):
        return self.root / "boot" / f"vmlinuz-{self.release}"

    @property
    def guest(self):
        """The kernel that a Linux guest boots on this one."""
        return self

    @property
    def module_folder(self):
        return self.root / "lib/modules" / self.release

    def resolve_modules(self, root):
        """Resolve the dependencies of the modules below `root`, once."""
        with locked(CACHE / "depmod.lock"):
            if not (root / "lib/modules" / self.release / "modules.dep").exists():
                run("depmod", "-b", root, self.release)
        return root

    def modules_for(self, names):
        """Files of the named modules and of all they depend on, relative to lib/modules/<release>."""
        folder = self.module_folder
        depends = {}
        for line in (folder / "modules.dep").read_text().splitlines():
            file, _, needs = line.partition(":")
            depends[file] = needs.split()
        by_name = {pathlib.Path(file).stem.partition(".")[0].replace("-", "_"): file for file in depends}
        builtin = {pathlib.Path(file).stem.replace("-", "_")
                   for file in (folder / "modules.builtin").read_text().split()}
        files = []
        for name in (name.replace("-", "_") for name in names):
            if name in builtin:
                continue
            if name not in by_name:
                raise LabError(f"kernel {self.release} has no module {name}")
            files += [*depends[by_name[name]], by_name[name]]
        return folder, sorted(set(files))


class StockKernel(Kernel):
    """Debian's kernel for this release: its image and modules from the cache, its headers installed."""

    def __init__(self, flavour):
        super().__init__(flavour)
        meta = f"linux-image-{STOCK[flavour]}"
        self.release = Suite().remembered(("release", meta), lambda: self.newest(meta))

    @staticmethod
    def newest(meta):
        """The release that Debian's metapackage stands for today."""
        for refresh in (lambda: None, Suite().refresh):
            refresh()
            depends = subprocess.run(["apt-cache", "depends", "--important", meta], capture_output=True, text=True)
            if found := re.search(r"Depends: linux-image-(\S+)", depends.stdout):
                return found[1]
        raise LabError(f"apt knows no package {meta}")

    @property
    def headers(self):
        install([f"linux-headers-{self.release}"])
        return pathlib.Path(f"/usr/src/linux-headers-{self.release}")

    @property
    def root(self):
        return self.resolve_modules(Suite().fetch([f"linux-image-{self.release}"]))


class DebugKernel(Kernel):
    """A kernel with every checker on, of this release's source."""

    SOURCE = "linux-source-6.1"
    instrumentation = ("UBSAN_SANITIZE=y", "KCOV_INSTRUMENT=y")     # the kernel itself has none (debug.config)

    def __init__(self, flavour):
        super().__init__(flavour)
        self.source = Suite().fetch([self.SOURCE]) / "usr/src" / f"{self.SOURCE}.tar.xz"
        made_of = [CONFIGURATION.read_text(), str(self.source), run("gcc", "--version")]
        self.folder = CACHE / "kernels" / f"debug-{hashlib.sha256(repr(made_of).encode()).hexdigest()[:16]}"
        self.build()

    def build(self):
        """Build the kernel, unless that has been done; an interrupted build goes on where it was."""
        with locked(self.folder.with_suffix(".lock")):
            if not (self.folder / "done").exists():
                install(["flex", "bison", "bc", "libelf-dev", "libssl-dev", "lz4", "rsync"])
                self.unpack()
                self.configure()
                self.compile()
                (self.folder / "done").touch()
        self.release = (self.headers / "include/config/kernel.release").read_text().strip()

    def unpack(self):
        if not self.headers.exists():
            say(f"unpacking {self.source.name}")
            scratch = self.folder / "unpacking"
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir(parents=True)
            run("tar", "--extract", "--file", self.source, "--strip-components=1", "--directory", scratch)
            scratch.rename(self.headers)

    def configure(self):
        """Nothing but what the fragment asks for, and all of it."""
        run("make", "-C", self.headers, "allnoconfig", env={**os.environ, "KCONFIG_ALLCONFIG": str(CONFIGURATION)})
        came_true = set((self.headers / ".config").read_text().splitlines())
        wanted = [line for line in CONFIGURATION.read_text().splitlines() if re.match(r"(# )?CONFIG_", line)]
        missing = [line for line in wanted if line not in came_true and not
                   (line.startswith("# ") and f"{line.split()[1]}=" not in "\n".join(came_true))]
        if missing:
            raise LabError(f"{CONFIGURATION.name}: this source does not give {', '.join(missing)}")

    def compile(self):
        say("building the debug kernel: a quarter of an hour on two CPUs, this once")
        root, jobs = self.folder / "root", f"-j{os.cpu_count()}"
        run("nice", "make", "-s", "-C", self.headers, jobs, "bzImage", "modules")
        run("make", "-s", "-C", self.headers, jobs, "modules_install", f"INSTALL_MOD_PATH={root}")
        release = (self.headers / "include/config/kernel.release").read_text().strip()
        (root / "boot").mkdir(parents=True, exist_ok=True)
        shutil.copy(self.headers / "arch/x86/boot/bzImage", root / "boot" / f"vmlinuz-{release}")
        for file in self.headers.rglob("*.o"):      # a gigabyte; the tools that build modules are linked
            file.unlink()

    @property
    def headers(self):
        return self.folder / "source"

    @property
    def root(self):
        return self.folder / "root"

    @property
    def guest(self):
        return named("cloud")


class BackportsKernel(Kernel):
    """The newest kernel of the next release's backports."""

    RELEASE, SUITE = "trixie", "trixie-backports"
    COMPILER = ("gcc-14", "make", "binutils", "base-files", "dash", "bash", "coreutils", "grep", "sed", "findutils",
                "gawk", "perl-base", "pahole", "kmod", "xz-utils", "zstd", "diffutils", "util-linux",
                "libelf1t64", "libssl3t64", "zlib1g")

    def __init__(self, flavour):
        super().__init__(flavour)
        self.suite = Suite(self.SUITE)
        self.release = self.suite.remembered("newest kernel", self.newest)

    def newest(self):
        """The highest release that has headers, an image and modules."""
        for refresh in (lambda: None, self.suite.refresh):
            refresh()
            names = set(self.suite.names())
            releases = [found[1] for name in names if (found := re.fullmatch(r"linux-headers-([\d.]+\+\S+-cloud-amd64)", name))]
            releases = [release for release in releases
                        if f"linux-modules-{release}" in names and self.binary(release, names)]
            if releases:
                return max(releases, key=lambda release: [int(part) for part in re.findall(r"\d+", release)])
        raise LabError(f"{self.SUITE} has no kernel")

    @staticmethod
    def binary(release, names):
        return next((name for name in (f"linux-binary-{release}", f"linux-binary-unsigned-{release}") if name in names), None)

    @property
    def root(self):
        binary = self.suite.remembered(("binary", self.release), lambda: self.binary(self.release, set(self.suite.names())))
        root = self.suite.fetch([f"linux-modules-{self.release}", binary, f"linux-base-{self.release}"])
        if not (root / "lib").exists():
            (root / "lib").symlink_to("usr/lib")
        return self.resolve_modules(root)

    @property
    def image(self):
        return next(self.module_folder.glob("vmlinuz*"))

    @functools.cached_property
    def build_root(self):
        """A root directory with the compiler that Debian used, and the headers."""
        compiler = Suite(self.RELEASE)
        version = re.match(r"[\d.]+\+[^-]+", self.release)[0]
        tools = compiler.fetch(compiler.with_dependencies(self.COMPILER))
        headers = self.suite.fetch([f"linux-headers-{self.release}", f"linux-headers-{version}-common",
                                    f"linux-kbuild-{version}"])
        folder = CACHE / "roots" / f"{headers.name}-{tools.name}"
        with locked(CACHE / "roots.lock"):
            if not folder.exists():
                scratch = folder.with_suffix(".new")
                shutil.rmtree(scratch, ignore_errors=True)
                scratch.mkdir(parents=True)
                run("cp", "-al", f"{tools}/.", scratch)
                run("cp", "-al", f"{headers}/.", scratch)
                (scratch / "usr/bin/awk").symlink_to("gawk")
                for mount_point in ("proc", "dev", "tmp"):
                    (scratch / mount_point).mkdir(exist_ok=True)
                scratch.rename(folder)
        return folder

    @property
    def headers(self):
        return pathlib.Path(f"/usr/src/linux-headers-{self.release}")

    def build_words(self):
        return [*super().build_words(), f"KROOT={self.build_root}"]


@functools.cache
def named(flavour):
    """The kernel of a flavour, made ready if need be."""
    kinds = {**{name: StockKernel for name in STOCK}, "debug": DebugKernel, "cloud-7": BackportsKernel}
    if flavour not in kinds:
        raise LabError(f"no kernel flavour {flavour!r}: there are {', '.join(kinds)}")
    return kinds[flavour](flavour)
