# SPDX-License-Identifier: GPL-2.0
"""What the lab is made of: Debian packages, and the cache that holds what is unpacked from them.

Three kinds of things come from Debian's mirrors:

  1. packages the build machine itself needs (compiler, headers, ...): the file `packages` lists
     them, and those missing are installed with apt-get;
  2. kernels for the lab machines: downloaded and unpacked into the cache, never installed, so the
     build machine's /boot stays as it is;
  3. an emulator newer than the build machine's release: downloaded from a newer Debian suite
     through a private apt state, unpacked into the cache, run with its own C library.

The cache is keyed by content: a folder's name is a digest of the packages inside it. No mirror's name
is written here: apt tells which one this machine uses.
"""

import contextlib
import fcntl
import hashlib
import os
import pathlib
import re
import subprocess
import sys
import tempfile

LAB = pathlib.Path(__file__).resolve().parent
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "trapeze"
DEBIAN_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


class LabError(Exception):
    """The lab cannot do what was asked; the message says why, and what to do."""


def say(text):
    print(f"# {text}", flush=True)


def run(*command, **options):
    """Run a command; return its output; fail with its error output."""
    done = subprocess.run([str(word) for word in command], text=True, stdin=subprocess.DEVNULL,
                          capture_output=True, **options)
    if done.returncode:
        raise LabError(f"`{' '.join(map(str, command))}` failed:\n{done.stdout}{done.stderr}".rstrip())
    return done.stdout


@contextlib.contextmanager
def locked(path):
    """Hold an exclusive lock on a file: several labs may run at once from one checkout."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


# -- 1. packages of the build machine ---------------------------------------------------------------

def apt_get(*words):
    return run("apt-get", "-q", "-y", *words, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})


def installed(packages):
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Status}\n", *packages], capture_output=True, text=True)
    return {line.split()[0] for line in done.stdout.splitlines() if line.endswith("ok installed")}


def install(packages):
    """Install what is missing, as root; a stale package list is refreshed once."""
    present = installed(packages)
    missing = [package for package in packages if package not in present]
    if not missing:
        return
    say(f"installing {' '.join(missing)}")
    if os.geteuid() != 0:
        raise LabError(f"missing packages; as root: apt-get install {' '.join(missing)}")
    with locked(CACHE / "apt.lock"):
        try:
            apt_get("install", "--no-install-recommends", *missing)
        except LabError:
            apt_get("update")
            apt_get("install", "--no-install-recommends", *missing)


def needed_packages():
    words = (line.partition("#")[0].split() for line in (LAB / "packages").read_text().splitlines())
    return [word for line in words for word in line]


# -- 2. and 3. packages unpacked into the cache -----------------------------------------------------

class Suite:
    """One Debian suite to download from: this machine's own, or (with a name) another one."""

    def __init__(self, name=None):
        self.name = name
        self.options = []
        self.lists = pathlib.Path("/var/lib/apt/lists")
        if name:
            self.state = CACHE / "apt" / name
            self.lists = self.state / "state/lists"
            self.options = ["-o", f"Dir::State={self.state}/state", "-o", f"Dir::State::status={self.state}/status",
                            "-o", f"Dir::Cache={self.state}/cache", "-o", "Dir::Etc::SourceParts=/dev/null",
                            "-o", f"Dir::Etc::SourceList={self.state}/sources.list"]

    def create(self):
        """Make the private apt state, on the mirror that this machine's own apt uses."""
        for folder in ("state/lists/partial", "cache/archives/partial"):
            (self.state / folder).mkdir(parents=True, exist_ok=True)
        (self.state / "status").touch()
        codename = re.search(r"^VERSION_CODENAME=(\w+)", pathlib.Path("/etc/os-release").read_text(), re.M)[1]
        mirrors = run("apt-get", "indextargets", "--format", "$(REPO_URI)",
                      "Created-By: Packages", f"Codename: {codename}").split()
        if not mirrors:
            raise LabError(f"apt has no source for {codename}: add one, then `apt-get update`")
        (self.state / "sources.list").write_text(
            f"deb [signed-by={DEBIAN_KEYRING}] {mirrors[0]} {self.name} main\n")

    def refresh(self):
        if self.name:
            self.create()
        say(f"reading the package lists of {self.name or 'this machine'}")
        run("apt-get", *self.options, "update")

    def names(self):
        """Every package that the suite has, as its lists tell."""
        return run("apt-cache", *self.options, "pkgnames").split()

    def with_dependencies(self, packages):
        """The packages, and all that they need where nothing is installed (in another suite: a private apt state)."""
        def ask():
            uris = run("apt-get", *self.options, "install", "--print-uris", "-y", "--no-install-recommends", *packages)
            return " ".join(sorted(re.findall(r"^'\S+' ([^_\s]+)_\S+ \d+ ", uris, re.M)))

        def ask_twice():
            try:
                return ask()
            except LabError:
                self.refresh()
                return ask()
        return self.remembered(("dependencies", *packages), ask_twice).split()

    def locate(self, packages):
        """The (file name, SHA-256) of each package, from the lists; no network."""
        uris = run("apt-get", *self.options, "--print-uris", "download", *packages)
        found = re.findall(r"^'\S+' (\S+) \d+ (?:SHA256|SHA512):(\w+)$", uris, re.M)
        if len(found) != len(packages):
            raise LabError(f"apt cannot tell where {' '.join(packages)} are:\n{uris}")
        return sorted(found)

    def remembered(self, question, ask):
        """The answer to a question to apt, which is slow: asked again only when the package lists have changed."""
        age = self.lists.stat().st_mtime_ns if self.lists.exists() else 0
        digest = hashlib.sha256(f"{self.name} {age} {question}".encode()).hexdigest()[:16]
        memo = CACHE / "answers" / digest
        if memo.exists():
            return memo.read_text()
        answer = str(ask())
        memo.parent.mkdir(parents=True, exist_ok=True)
        scratch = memo.with_suffix(f".{os.getpid()}")
        scratch.write_text(answer)
        scratch.rename(memo)
        return answer

    def fetch(self, packages):
        """Unpack packages into one folder of the cache, and return it."""
        with locked(CACHE / "fetch.lock"):
            folder = pathlib.Path(self.remembered(("fetch", *packages), lambda: self.fetch_now(packages)))
            return folder if folder.exists() else self.fetch_now(packages)

    def fetch_now(self, packages):
        try:
            return self.fetch_located(packages, self.locate(packages))
        except LabError:
            self.refresh()      # no lists yet, or lists older than the mirror
            return self.fetch_located(packages, self.locate(packages))

    def fetch_located(self, packages, located):
        key = hashlib.sha256(repr(located).encode()).hexdigest()[:16]
        folder = CACHE / "unpacked" / f"{packages[0]}-{key}"
        if folder.exists():
            return folder
        names = [name for name, _ in located]
        say(f"downloading {' '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''}")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            run("apt-get", *self.options, "-o", "APT::Sandbox::User=root", "download", *packages, cwd=scratch)
            root = pathlib.Path(scratch) / "root"
            for package in pathlib.Path(scratch).glob("*.deb"):
                run("dpkg", "-x", package, root)
            root.rename(folder)
        return folder


def install_packages():
    """Everything the build machine needs, headers included."""
    install(needed_packages())


if __name__ == "__main__":
    try:
        install_packages()
    except LabError as error:
        sys.exit(f"lab: {error}")
