#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""trim.py VMLINUZ OUT

Unpack a kernel into an ELF file of its loadable segments alone, without the
zeros at their ends, so that QEMU boots it through PVH without a decompressor.
"""
import struct
import sys

import kernel

PAGE = 4096


def pad(out):
    out.extend(bytes(-len(out) % PAGE))


def main(vmlinuz, name):
    with open(vmlinuz, "rb") as f:
        elf = kernel.unpack(f.read())
    headers = kernel.segments(elf)
    out = bytearray(elf[:64]).ljust(PAGE, b"\0")
    struct.pack_into("<QQ", out, 32, 64, 0)         # program headers here, no sections
    struct.pack_into("<HHH", out, 58, 0, 0, 0)
    moved = []
    for h in headers:
        if h[0] != kernel.PT_LOAD:
            continue
        body = elf[h[2]:h[2] + h[5]].rstrip(b"\0")
        body += bytes(min(-len(body) % PAGE, h[5] - len(body)))
        moved.append((h[2], h[5], len(out)))
        h[2], h[5], h[7] = len(out), len(body), PAGE
        out.extend(body)
        pad(out)
    for h in headers:
        if h[0] != kernel.PT_NOTE:
            continue
        for start, size, now in moved:
            if start <= h[2] < start + size:
                h[2] += now - start
                break
    for i, h in enumerate(headers):
        struct.pack_into("<IIQQQQQQ", out, 64 + 56 * i, *h)
    with open(name, "wb") as f:
        f.write(out)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
