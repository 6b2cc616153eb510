# SPDX-License-Identifier: GPL-2.0
"""What a bzImage is made of: its setup header, and the ELF file packed in it."""
import gzip
import lzma
import struct
import subprocess

PAYLOAD_OFFSET, PAYLOAD_LENGTH = 0x248, 0x24C
SETUP_SECTS = 0x1F1
PT_LOAD, PT_NOTE = 1, 4


def _zstd(data):
    return subprocess.run(["zstd", "-dc"], input=data, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=False).stdout


# Behind the packed file its length follows, which is no part of the stream.
PACKERS = (
    (b"\xfd7zXZ\0", lambda d: lzma.LZMADecompressor().decompress(d)),
    (b"\x28\xb5\x2f\xfd", _zstd),
    (b"\x1f\x8b", gzip.decompress),
)


def unpack(image):
    """The ELF file inside the bzImage @image."""
    start = (max(image[SETUP_SECTS], 1) + 1) * 512
    start += struct.unpack_from("<I", image, PAYLOAD_OFFSET)[0]
    length = struct.unpack_from("<I", image, PAYLOAD_LENGTH)[0]
    payload = image[start:start + length]
    for magic, packer in PACKERS:
        if payload.startswith(magic):
            elf = packer(payload[:-4])
            if elf[:4] != b"\x7fELF":
                raise SystemExit("the kernel's payload is no ELF file")
            return elf
    raise SystemExit("no way to unpack this kernel")


def entry(elf):
    return struct.unpack_from("<Q", elf, 24)[0]


def segments(elf):
    """Program headers as lists: type, flags, offset, vaddr, paddr, filesz, memsz, align."""
    table = struct.unpack_from("<Q", elf, 32)[0]
    count = struct.unpack_from("<H", elf, 56)[0]
    return [list(struct.unpack_from("<IIQQQQQQ", elf, table + 56 * i)) for i in range(count)]
