#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""image.py SEED LIMIT ROUNDS OBJ-DIR OUT-DIR

Write programs that run the tests, as they ought to lie in memory from 1M on:
OUT-DIR/tcg.bin has those for a bare TCG, forced.bin those for our guest, each behind the
prefix that has it emulated, real.bin those of real mode, for a guest of ours that has all
of this mode emulated; idle.bin runs none. boot.img is a disk that starts what lies there;
bochs.img one that brings its tests with it. OUT-DIR/names has a line for each test:
number, name, code, fields to ignore, machines that it is for ("ours" is forced.bin).
No family of tests gives more than LIMIT (0: no limit) of its own for one of the ROUNDS.
Prints the number of tests.
"""
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


def program(payload, prefix, records):
    """What lies from 1M on."""
    return payload + struct.pack("<4I", MAGIC, len(records), prefix, 0) + machine.arena() + b"".join(records)


def disk(boot, body):
    """Of whole cylinders; the boot sector reads @body to 1M."""
    boot = boot[:4] + struct.pack("<I", -(-len(body) // SECTOR)) + boot[8:]
    size = -(-(SECTOR + len(body)) // CYLINDER) * CYLINDER
    return (boot + body).ljust(size, b"\0")


def read(path):
    with open(path, "rb") as f:
        return f.read()


def write(path, content):
    with open(path, "wb") as f:
        f.write(content)


def main(seed, limit, rounds, objdir, outdir):
    tests = cases.in_order(cases.all_cases(seed, limit, rounds))
    code = assemble(dict.fromkeys((t.state["bits"], t.text) for t in tests))
    records = [t.state.pack(i, code[t.state["bits"], t.text], t.patches) for i, t in enumerate(tests)]
    payload, boot = read(objdir + "/payload.bin"), read(objdir + "/boot.bin")

    def program_of(machine_, prefix=0):
        return program(payload, prefix, [r for r, t in zip(records, tests) if machine_ in t.machines()])

    write(outdir + "/tcg.bin", program_of("tcg"))
    write(outdir + "/forced.bin", program_of("ours", 1))
    write(outdir + "/real.bin", program_of("real"))
    write(outdir + "/idle.bin", program(payload, 0, []))
    write(outdir + "/boot.img", disk(boot, b""))
    write(outdir + "/bochs.img", disk(boot, program_of("bochs")))
    with open(outdir + "/names", "w") as f:
        for i, t in enumerate(tests):
            f.write(f"{i:x}\t{t.name}\t{code[t.state['bits'], t.text].hex()}\t{t.ignore}\t{','.join(t.machines())}\n")
    print(len(tests))


if __name__ == "__main__":
    if len(sys.argv) != 6:
        raise SystemExit(__doc__)
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5])
