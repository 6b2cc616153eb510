#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""mkdisk.py VMLINUZ INITRD DISK COMMAND-LINE

Write a raw disk that boots the kernel directly; boot.S tells how. Prints the
number of cylinders (16 heads, 63 sectors), which Bochs wants to know.
"""
import os
import struct
import subprocess
import sys
import tempfile

import kernel

ADDR_PARAMS = 0x0E000000        # boot_params, command line, page tables
ADDR_CMDLINE = ADDR_PARAMS + 0x1000
ADDR_TABLES = ADDR_PARAMS + 0x2000
ADDR_INITRD = 0x10000000
SECTOR, CYLINDER = 512, 16 * 63 * 512

LOADER_UNKNOWN = 0xFF
LOADED_HIGH, CAN_USE_HEAP = 0x01, 0x80


def put(buf, where, fmt, *values):
    struct.pack_into("<" + fmt, buf, where, *values)


def boot_params(image, initrd_size):
    """The kernel's own setup header, with what a boot loader fills in."""
    params = bytearray(4096)
    end = 0x202 + image[0x201]
    params[0x1F1:end] = image[0x1F1:end]
    put(params, 0x006, "BB", 3, 80)             # screen_info: text mode
    put(params, 0x00E, "B", 25)
    put(params, 0x010, "H", 16)
    put(params, 0x1FA, "H", 0xFFFF)             # video mode: as it is
    put(params, 0x210, "B", LOADER_UNKNOWN)
    params[0x211] |= LOADED_HIGH | CAN_USE_HEAP
    put(params, 0x218, "II", ADDR_INITRD, initrd_size)
    put(params, 0x228, "I", ADDR_CMDLINE)
    return bytes(params)


def command_line(text):
    line = text.encode() + b"\0"
    if len(line) > 2048:
        raise SystemExit("command line too long")
    return line.ljust(4096, b"\0")


def page_tables():
    """4G mapped to itself by 2M pages."""
    tables = bytearray(6 * 4096)
    put(tables, 0, "Q", ADDR_TABLES + 4096 + 3)
    for i in range(4):
        put(tables, 4096 + 8 * i, "Q", ADDR_TABLES + (2 + i) * 4096 + 3)
    for i in range(4 * 512):
        put(tables, 2 * 4096 + 8 * i, "Q", i << 21 | 0x83)
    return bytes(tables)


def flat(elf):
    """The kernel as it lies in memory, and where."""
    loads = [s for s in kernel.segments(elf) if s[0] == kernel.PT_LOAD]
    base = min(s[4] for s in loads)
    memory = bytearray(max(s[4] + s[5] for s in loads) - base)
    for _, _, offset, _, paddr, size, _, _ in loads:
        memory[paddr - base:paddr - base + size] = elf[offset:offset + size]
    return bytes(memory), base


def assemble(defines):
    here = os.path.dirname(os.path.abspath(__file__))
    with tempfile.TemporaryDirectory() as tmp:
        obj, binary = tmp + "/boot.o", tmp + "/boot.bin"
        flags = [f"-D{name}={value:#x}" for name, value in defines.items()]
        subprocess.run(["gcc", "-c", *flags, "-o", obj, here + "/boot.S"], check=True)
        subprocess.run(["ld", "-Ttext=0x7c00", "--oformat=binary", "-o", binary, obj], check=True)
        with open(binary, "rb") as f:
            sector = f.read()
    if len(sector) != SECTOR:
        raise SystemExit(f"the boot sector has {len(sector)} bytes")
    return sector


def main(vmlinuz, initrd, disk, cmdline):
    with open(vmlinuz, "rb") as f:
        image = f.read()
    with open(initrd, "rb") as f:
        ramdisk = f.read()
    elf = kernel.unpack(image)
    body, base = flat(elf)
    pieces = {
        "PARAMS": (ADDR_PARAMS,
                   boot_params(image, len(ramdisk)) + command_line(cmdline) + page_tables()),
        "KERNEL": (base, body),
        "INITRD": (ADDR_INITRD, ramdisk),
    }
    defines = {"ENTRY": kernel.entry(elf), "ADDR_TABLES": ADDR_TABLES}
    lba, data = 1, []
    for name, (addr, content) in pieces.items():
        sectors = -(-len(content) // SECTOR)
        defines.update({"ADDR_" + name: addr, "LBA_" + name: lba, "SECTORS_" + name: sectors})
        data.append(content.ljust(sectors * SECTOR, b"\0"))
        lba += sectors
    with open(disk, "wb") as f:
        f.write(assemble(defines))
        for content in data:
            f.write(content)
        cylinders = -(-f.tell() // CYLINDER)
        f.truncate(cylinders * CYLINDER)
    print(cylinders)


if __name__ == "__main__":
    if len(sys.argv) != 5:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
