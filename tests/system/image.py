#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""image.py SEED LIMIT ROUNDS OBJ-DIR OUT-DIR

Write OUT-DIR/plain.img and forced.img, disks that run the tests, the second with the
prefix that has the instruction emulated; idle.img, which loads all and runs none; and
OUT-DIR/names, a line for each test. No
family of tests gives more than LIMIT (0: no limit) of its own for one of the ROUNDS.
Prints the number of tests.
"""
import os
import struct
import subprocess
import sys
import tempfile

import cases
import machine

SECTOR, CYLINDER = 512, 16 * 63 * 512
MAGIC = 0x74737973


def assemble(wanted):
    """Machine code of (bits, text) pairs, all at once."""
    wanted = list(wanted)
    with tempfile.TemporaryDirectory() as tmp:
        source, obj, binary = tmp + "/a.s", tmp + "/a.o", tmp + "/a.bin"
        with open(source, "w") as f:
            f.write(".text\n")
            for bits, text in wanted:
                f.write(f".code{bits}\n1: {text}\n2: .fill 15 - (2b - 1b), 1, 0\n.byte 2b - 1b\n")
        subprocess.run(["as", "--64", "-o", obj, source], check=True)
        subprocess.run(["objcopy", "-O", "binary", "-j", ".text", obj, binary], check=True)
        with open(binary, "rb") as f:
            code = f.read()
    if len(code) != 16 * len(wanted):
        raise SystemExit("an instruction is too long")
    return {w: code[16 * i:16 * i + code[16 * i + 15]] for i, w in enumerate(wanted)}


def main(seed, limit, rounds, objdir, outdir):
    tests = cases.in_order(cases.all_cases(seed, limit, rounds))
    code = assemble(dict.fromkeys((t.state["bits"], t.text) for t in tests))
    records = b"".join(t.state.pack(i, code[t.state["bits"], t.text], t.patches) for i, t in enumerate(tests))
    with open(objdir + "/payload.bin", "rb") as f:
        payload = f.read()
    with open(objdir + "/boot.bin", "rb") as f:
        boot = bytearray(f.read())
    for name, count, prefix in (("plain", len(tests), 0), ("forced", len(tests), 1), ("idle", 0, 0)):
        body = payload + struct.pack("<4I", MAGIC, count, prefix, 0) + machine.arena() + records
        boot[4:8] = struct.pack("<I", -(-len(body) // SECTOR))
        size = -(-(SECTOR + len(body)) // CYLINDER) * CYLINDER
        with open(f"{outdir}/{name}.img", "wb") as f:
            f.write(bytes(boot) + body.ljust(size - SECTOR, b"\0"))
    with open(outdir + "/names", "w") as f:
        for i, t in enumerate(tests):
            f.write(f"{i:x}\t{t.name}\t{code[t.state['bits'], t.text].hex()}\t{t.ignore}\n")
    print(len(tests))


if __name__ == "__main__":
    if len(sys.argv) != 6:
        raise SystemExit(__doc__)
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5])
