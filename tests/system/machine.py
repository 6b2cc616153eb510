# SPDX-License-Identifier: GPL-2.0
"""What every test starts from: descriptors, the arena, and the modes as "places".

case.h says where things lie in memory; the numbers here are the same.
"""
import struct

ARENA, ARENA_SIZE = 0x20000, 0xC000
GDT, LDT, TSS32, TSS32B, TSS16B, TSS64, TSS64B, CODE = (
    0x1000, 0x1800, 0x2000, 0x2100, 0x2200, 0x2300, 0x2400, 0x4000)
IP, SP, DATA = 0x4100, 0x5800, 0x100
INNER_SP = 0x5F00               # the stack of privilege 0
KERNEL_SP = 0x1F800             # the stack of IST1, below the arena
IO_MAP = 0x80                   # in a TSS
TARGET = 0x200                  # where a test puts a descriptor of its own (32 bytes)

REAL, V86, PROT, LONG = range(4)
SEGS = ("es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr")
GPRS = ("ax", "cx", "dx", "bx", "sp", "bp", "si", "di",
        "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15")
MSRS = ("star", "lstar", "cstar", "sfmask", "secs", "sesp", "seip", "fsb", "gsb", "kgsb")


def desc(kind, dpl=0, base=ARENA, limit=0xFFFF, p=1, db=0, l=0, g=0, avl=0):
    """A descriptor; kind: bits 0-4 of its access byte (with 0x10 a segment)."""
    return (limit & 0xFFFF | (base & 0xFFFFFF) << 16 | (kind | dpl << 5 | p << 7) << 40 |
            (limit >> 16 & 15) << 48 | (avl | l << 1 | db << 2 | g << 3) << 52 | (base >> 24) << 56)


def gate(kind, sel, off, dpl=0, p=1, count=0):
    return (off & 0xFFFF | sel << 16 | count << 32 | (kind | dpl << 5 | p << 7) << 40 |
            (off >> 16 & 0xFFFF) << 48)


# Access bytes without privilege: accessed, so that a test shows only what it changes.
CODE_R, DATA_W = 0x1B, 0x13

SELECTORS = {}
GDT_IMAGE = [0] * 128


def fixed(name, sel, value, high=None):
    SELECTORS[name] = sel
    GDT_IMAGE[sel >> 3] = value
    if high is not None:
        GDT_IMAGE[(sel >> 3) + 1] = high


fixed("flat32", 0x08, desc(CODE_R, base=0, limit=0xFFFFF, g=1, db=1))
fixed("flat", 0x10, desc(DATA_W, base=0, limit=0xFFFFF, g=1, db=1))
fixed("flat64", 0x18, desc(CODE_R, base=0, limit=0xFFFFF, g=1, l=1))
fixed("low16", 0x20, desc(CODE_R, base=0x10000))
fixed("lowdata", 0x28, desc(DATA_W, base=0x10000))
for _n, _dpl in enumerate((0, 3)):
    _at = 0x40 + _n * 0x40
    fixed(f"c32_{_dpl}", _at + 0x00, desc(CODE_R, _dpl, db=1))
    fixed(f"c16_{_dpl}", _at + 0x08, desc(CODE_R, _dpl))
    fixed(f"c64_{_dpl}", _at + 0x10, desc(CODE_R, _dpl, l=1))
    fixed(f"d32_{_dpl}", _at + 0x18, desc(DATA_W, _dpl, db=1))
    fixed(f"d16_{_dpl}", _at + 0x20, desc(DATA_W, _dpl))
    fixed(f"f32_{_dpl}", _at + 0x28, desc(CODE_R, _dpl, base=0, limit=0xFFFFF, g=1, db=1))
    fixed(f"fd_{_dpl}", _at + 0x30, desc(DATA_W, _dpl, base=0, limit=0xFFFFF, g=1, db=1))
fixed("tss32", 0xC0, desc(9, base=ARENA + TSS32, limit=0xE7))
fixed("tss32b", 0xC8, desc(9, base=ARENA + TSS32B, limit=0x67))
fixed("tss16b", 0xD0, desc(1, base=ARENA + TSS16B, limit=0x2B))
fixed("ldt", 0xD8, desc(2, base=ARENA + LDT, limit=0xFF))
fixed("tss64", 0xE0, desc(9, base=ARENA + TSS64, limit=0xE7), 0)
fixed("tss64b", 0xF0, desc(9, base=ARENA + TSS64B, limit=0x67), 0)
fixed("ldt64", 0x100, desc(2, base=ARENA + LDT, limit=0xFF), 0)
fixed("tss32_as_64", 0x110, desc(9, base=ARENA + TSS32, limit=0xE7), 0)
for _dpl in (1, 2):
    fixed(f"c32_{_dpl}", 0x110 + 0x20 * _dpl, desc(CODE_R, _dpl, db=1))
    fixed(f"d32_{_dpl}", 0x118 + 0x20 * _dpl, desc(DATA_W, _dpl, db=1))
    fixed(f"c64_{_dpl}", 0x120 + 0x20 * _dpl, desc(CODE_R, _dpl, l=1))
S = SELECTORS


def tss32(link=0, **regs):
    """A task that goes on at IP with its own stack; all segments are privilege 0's."""
    r = {"cr3": 0, "ip": IP + 0x100, "fl": 2, "ax": 0xA0, "cx": 0xA1, "dx": 0xA2, "bx": 0xA3,
         "sp": 0x5400, "bp": 0xA5, "si": 0xA6, "di": 0xA7, "es": S["d32_0"], "cs": S["c32_0"],
         "ss": S["d32_0"], "ds": S["d32_0"], "fs": S["d32_0"], "gs": 0, "ldtr": 0, "trap": 0}
    r.update(regs)
    return struct.pack(
        "<26I", link, INNER_SP, S["d32_0"], 0x5E00, S["d32_1"] | 1, 0x5D00, S["d32_2"] | 2,
        *(r[n] for n in ("cr3", "ip", "fl", "ax", "cx", "dx", "bx", "sp", "bp", "si", "di",
                         "es", "cs", "ss", "ds", "fs", "gs", "ldtr")), IO_MAP << 16 | r["trap"])


def tss16(link=0, **regs):
    r = {"ip": IP + 0x100, "fl": 2, "ax": 0xB0, "cx": 0xB1, "dx": 0xB2, "bx": 0xB3, "sp": 0x5400,
         "bp": 0xB5, "si": 0xB6, "di": 0xB7, "es": S["d32_0"], "cs": S["c16_0"],
         "ss": S["d16_0"], "ds": S["d32_0"], "ldtr": 0}
    r.update(regs)
    return struct.pack(
        "<22H", link, INNER_SP, S["d32_0"], 0x5E00, S["d32_1"] | 1, 0x5D00, S["d32_2"] | 2,
        *(r[n] for n in ("ip", "fl", "ax", "cx", "dx", "bx", "sp", "bp", "si", "di",
                         "es", "cs", "ss", "ds", "ldtr")))


def tss64():
    return struct.pack("<I3QQ7QQHH", 0, ARENA + INNER_SP, ARENA + 0x5E00, ARENA + 0x5D00, 0,
                       KERNEL_SP, *[0] * 6, 0, 0, IO_MAP)


def arena():
    a = bytearray(ARENA_SIZE)
    for i in range(0x1000):
        a[i] = (i * 7 + 3) & 0xFF
    a[GDT:GDT + 0x400] = struct.pack("<128Q", *GDT_IMAGE)
    # the LDT: code and data of privilege 0 and 3 where the GDT has them
    a[LDT:LDT + 0x100] = struct.pack("<32Q", *(GDT_IMAGE[i] if 8 <= i < 24 else 0 for i in range(32)))
    a[TSS32:TSS32 + 104] = tss32()
    a[TSS32B:TSS32B + 104] = tss32()
    a[TSS16B:TSS16B + 44] = tss16()
    a[TSS64:TSS64 + 104] = tss64()
    a[TSS64B:TSS64B + 104] = tss64()
    for tss in (TSS32, TSS64):      # ports 0x280 to 0x29f are refused
        a[tss + IO_MAP + 0x50:tss + IO_MAP + 0x54] = b"\xff" * 4
    a[CODE:CODE + 0x1000] = b"\xcc" * 0x1000
    return bytes(a)


class State(dict):
    """All registers of a test by name; a copy may be changed by keyword."""

    def but(self, **changes):
        new = State(self)
        for name, value in changes.items():
            if name not in new:
                raise KeyError(name)
            new[name] = value
        return new

    def pack(self, number, insn, patches):
        body = b"".join(struct.pack("<HH", off, len(data)) + data for off, data in patches)
        head = struct.pack("<8H", *(self[n] for n in SEGS))
        head += struct.pack("<16QQQ", *(self[n] for n in GPRS), self["ip"], self["fl"])
        head += struct.pack("<3Q", self["cr0"], self["cr4"], self["efer"])
        head += struct.pack("<6Q", *(self["dr%d" % i] for i in (0, 1, 2, 3, 6, 7)))
        head += struct.pack("<10Q", *(self[n] for n in MSRS))
        # behind the instruction: one to end a single step on, and INT3
        head += (insn + b"\x90").ljust(16, b"\xcc")
        return struct.pack("<IHBB", number, 8 + len(head) + len(body), self["mode"], self["cpl"]) + head + body


def base_state():
    s = State({n: 0x11111111 * (i + 1) & 0x7FFFFFFF for i, n in enumerate(GPRS[:8])})
    s.update({n: 0 for n in GPRS[8:]})
    s.update(bx=DATA, si=DATA + 0x40, di=DATA + 0x80, sp=SP, bp=DATA + 0xC0)
    s.update({n: 0 for n in MSRS})
    s.update(ip=IP, fl=2, cr0=0x11, cr4=0x40, efer=0, dr0=0, dr1=0, dr2=0, dr3=0, dr6=0xFFFF0FF0,
             dr7=0x400, ldtr=S["ldt"], tr=S["tss32"], bits=32, cpl=0, mode=PROT, pages=0)
    return s


def real():
    s = base_state().but(mode=REAL, bits=16, cr0=0x10)
    s.update({n: ARENA >> 4 for n in SEGS[:6]})
    return s


def v86(iopl=3):
    s = base_state().but(mode=V86, bits=16, cpl=3, fl=0x20002 | iopl << 12)
    s.update({n: ARENA >> 4 for n in SEGS[:6]})
    return s


def prot(bits, cpl):
    data = S[f"d{bits}_{cpl}"] | cpl
    s = base_state()
    s.update(bits=bits, cpl=cpl, cs=S[f"c{bits}_{cpl}"] | cpl, ss=data, ds=data, es=data, fs=0,
             gs=S[f"d32_{cpl}"] | cpl)
    return s


def paged(bits, cpl):
    return prot(bits, cpl).but(cr0=0x80000011, pages=1)


def long(bits, cpl):
    """64-bit code, or compatibility mode with 32 or 16 bits."""
    s = prot(32 if bits == 64 else bits, cpl)
    s.update(mode=LONG, bits=bits, cs=S[f"c{bits}_{cpl}"] | cpl, tr=S["tss64"], ldtr=S["ldt64"],
             cr0=0x80000011, cr4=0x60, efer=0x500, pages=1)
    if bits == 64:
        s.update({n: (i + 9) * 0x1111111111111111 & (1 << 64) - 1 for i, n in enumerate(GPRS[8:])})
        s.update({n: s[n] + ARENA for n in ("sp", "bx", "si", "di", "bp", "ip")})
        s.update(ax=0x123456789ABCDEF0, cx=0x0FEDCBA987654321, dx=0x1122334455667788)
    return s


PLACES = {
    "real": real(), "v86": v86(),
    "p32.0": prot(32, 0), "p32.3": prot(32, 3), "p16.0": prot(16, 0), "p16.3": prot(16, 3),
    "g32.3": paged(32, 3), "g32.0": paged(32, 0),
    "l64.0": long(64, 0), "l64.3": long(64, 3),
    "c32.0": long(32, 0), "c32.3": long(32, 3), "c16.0": long(16, 0), "c16.3": long(16, 3),
}
