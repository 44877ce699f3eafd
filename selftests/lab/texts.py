# SPDX-License-Identifier: GPL-2.0
"""Real machine code for the instruction decoder's tests: the .text of Debian's kernel, of libc and of a video codec.

    texts.py            extract them (into the cache) and print the folder
"""

import hashlib
import lzma
import pathlib
import struct
import sys

import kernels
from artefacts import CACHE, LabError, Suite, locked, say

KERNEL = "generic"                  # compressed with XZ, which Python can undo; the cloud kernel's LZ4 it cannot
VIDEO = "libdav1d6"                 # an AV1 decoder: most of it is written by hand for SSE, AVX2 and AVX-512
LIBC = pathlib.Path("/lib/x86_64-linux-gnu/libc.so.6")


def elf_text(elf):
    """The section .text of an ELF64 file."""
    if elf[:5] != b"\x7fELF\x02":
        raise LabError("not an ELF64 file")
    table, = struct.unpack_from("<Q", elf, 0x28)
    size, count, names = struct.unpack_from("<HHH", elf, 0x3a)
    sections = [struct.unpack_from("<IIQQQQ", elf, table + size * number) for number in range(count)]
    for name, _, _, _, offset, length in sections:
        start = sections[names][4] + name
        if elf[start:elf.index(b"\0", start)] == b".text":
            return elf[offset:offset + length]
    raise LabError("no .text in an ELF file")


def kernel_elf(image):
    """The ELF file inside a compressed kernel image (Documentation/x86/boot.rst: payload_offset, payload_length)."""
    sectors = image[0x1f1] or 4
    offset, length = struct.unpack_from("<II", image, 0x248)
    start = (sectors + 1) * 512 + offset
    # Behind the stream stands the size of what it unpacks to
    return lzma.LZMADecompressor().decompress(image[start:start + length])


def sources():
    """What is extracted: by name, a file and how its code is found."""
    video = Suite().fetch([VIDEO])
    return {
        "kernel": (kernels.named(KERNEL).image, lambda data: elf_text(kernel_elf(data))),
        "libc": (LIBC, elf_text),
        "libdav1d": (next(video.glob("usr/lib/x86_64-linux-gnu/libdav1d.so.*.*")), elf_text),
    }


def folder():
    """Extract what is not yet in the cache; return its folder, named by the files that it comes from."""
    found = sources()
    identity = [(name, str(file), file.stat().st_size, file.stat().st_mtime_ns) for name, (file, _) in found.items()]
    where = CACHE / "texts" / hashlib.sha256(repr(identity).encode()).hexdigest()[:16]
    with locked(CACHE / "texts.lock"):
        if not where.exists():
            say("extracting machine code for the decoder's tests")
            scratch = where.with_suffix(".new")
            scratch.mkdir(parents=True, exist_ok=True)
            for name, (file, extract) in found.items():
                (scratch / f"{name}.text").write_bytes(extract(file.read_bytes()))
            scratch.rename(where)
    return where


if __name__ == "__main__":
    try:
        print(folder())
    except LabError as error:
        sys.exit(f"texts: {error}")
