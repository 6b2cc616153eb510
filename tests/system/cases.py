# SPDX-License-Identifier: GPL-2.0
"""The tests: tables of instructions, places, and what they work on, multiplied.

A family is a function that yields all its tests; where the product is large, a
sample of it is taken, another one for each round. Nothing here says what should
come out: that is what the machines are compared for.
"""
import itertools
import random
import re
import struct

from machine import (ARENA, DATA, GDT, IP, LDT, PLACES, REAL, S, SP, TARGET, TSS16B, TSS32, TSS32B, TSS64, TSS64B, V86, desc, gate,
                     tss16, tss32)

ALL = tuple(PLACES)
PROTECTED = tuple(p for p in ALL if p not in ("real", "v86"))
LEGACY = ("p32.0", "p32.3", "p16.0", "p16.3", "g32.0", "g32.3")
LONG = ("l64.0", "l64.3", "c32.0", "c32.3", "c16.0", "c16.3")
LONG64 = ("l64.0", "l64.3")
KERNEL = tuple(p for p in ALL if not PLACES[p]["cpl"])
USER = tuple(p for p in ALL if PLACES[p]["cpl"])
CF, TF, IF, OF, NT, RF, VM, AC, VIF, VIP, ID = (
    1, 1 << 8, 1 << 9, 1 << 11, 1 << 14, 1 << 16, 1 << 17, 1 << 18, 1 << 19, 1 << 20, 1 << 21)
VME, PVI, TSD, DE, UMIP, FSGSBASE, OSXSAVE = 1, 2, 4, 8, 1 << 11, 1 << 16, 1 << 18
PCE, MCE = 1 << 8, 1 << 6


class Case:
    def __init__(self, name, state, text, patches=(), ignore=""):
        self.name, self.state, self.text, self.patches = name, state, text, list(patches)
        self.ignore = ignore    # fields that differ by nature, as "ax,dx"

    def machines(self):
        """Where it is run; image.py says what these are."""
        return ["ours", "bochs"] + ["real"] * (self.state["mode"] == REAL) + ["tcg"] * (not stops_tcg(self))


FAMILIES = []


def family(size):
    """Up to so many tests of it in a round (0: all)."""
    def note(f):
        FAMILIES.append((f, size))
        return f
    return note


def at(off, *values, size=8):
    """A patch: numbers of @size bytes at an offset in the arena."""
    mask = (1 << 8 * size) - 1
    return off, b"".join((v & mask).to_bytes(size, "little") for v in values)


def data(*values, size=8):
    return at(DATA, *values, size=size)


def bits(place):
    return PLACES[place]["bits"]


def reg(place, name="bx"):
    return {16: "%", 32: "%e", 64: "%r"}[bits(place)] + name


def mem(place):
    """The operand at DATA."""
    return f"({reg(place)})"


def suffix(size):
    return {16: "w", 32: "l", 64: "q"}[size]


def base(place):
    """What is added to an offset in the arena where addresses are flat."""
    return ARENA if bits(place) == 64 else 0


def with_flags(place, flags):
    return PLACES[place].but(fl=PLACES[place]["fl"] | flags)


def with_cr4(state, more):
    return state.but(cr4=state["cr4"] | more)


def iopl(state, level):
    return state.but(fl=state["fl"] & ~0x3000 | level << 12)


# ---- one operand or none ---------------------------------------------------------------

SIMPLE = ("cli", "sti", "clts", "wbinvd", "invd", "clac", "stac", "swapgs", "rsm", "ud2", "xgetbv", "monitor",
          "mwait", "rdtsc", "rdtscp", "rdpmc", "sysenter", ".byte 0x0f, 0x35", "syscall", "sysretl", "int3", "int $0x21",
          "int $0x20", "int $0x24", ".byte 0xf1", ".byte 0x0f, 0xff", "rdmsr", "wrmsr", "xsetbv", "vmrun", "vmmcall",
          "stgi", "clgi", "skinit", "invlpga", "vmload", "vmsave")
VOLATILE = {"rdtsc": "ax,dx", "rdtscp": "ax,cx,dx"}


@family(0)
def simple(_):
    """At every place; as they are, locked, and while single-stepping."""
    for place, text, more in itertools.product(ALL, SIMPLE, ("", "lock", "tf")):
        if text == "vmmcall":
            continue            # the hypervisor's
        state = with_flags(place, TF if more == "tf" else 0).but(cx=1, ax=DATA + base(place))
        text = text if bits(place) == 64 or text != "swapgs" else ".byte 0x0f, 0x01, 0xf8"
        if text == "invlpga" or text in ("vmrun", "vmload", "vmsave"):
            text = {"invlpga": ".byte 0x0f, 0x01, 0xdf", "vmrun": ".byte 0x0f, 0x01, 0xd8",
                    "vmload": ".byte 0x0f, 0x01, 0xda", "vmsave": ".byte 0x0f, 0x01, 0xdb"}[text]
        code = f".byte 0xf0; {text}" if more == "lock" else text
        yield Case(f"simple/{place}/{text}/{more}", state, code, ignore=VOLATILE.get(text, ""))


@family(0)
def hlt(_):
    for place in USER:
        yield Case(f"hlt/{place}", PLACES[place], "hlt")


@family(0)
def counters(_):
    """RDTSC and RDPMC by CR4, RDPMC by counter."""
    for place, text, cr4 in itertools.product(ALL, ("rdtsc", "rdtscp"), (0, TSD)):
        yield Case(f"counters/{place}/{text}/{cr4}", with_cr4(PLACES[place], cr4), text, ignore="ax,cx,dx")
    for place, cr4, number in itertools.product(ALL, (0, PCE), (0, 3, 0x40000000)):
        yield Case(f"counters/{place}/rdpmc/{cr4}/{number:x}", with_cr4(PLACES[place], cr4).but(cx=number), "rdpmc",
                   ignore="ax,dx")


@family(0)
def xcr(_):
    for place, cr4, number, value in itertools.product(ALL, (0, OSXSAVE), (0, 1, 2), (1, 3, 7, 0, 2, 5, 1 << 63, 0x18)):
        state = with_cr4(PLACES[place], cr4).but(cx=number, ax=value & 0xFFFFFFFF, dx=value >> 32)
        if value == 1:
            yield Case(f"xcr/{place}/{cr4}/get{number}", state, "xgetbv")
        yield Case(f"xcr/{place}/{cr4}/set{number}/{value:x}", state, "xsetbv")


@family(0)
def stores(_):
    """SGDT and its like, to memory and registers, with and without UMIP."""
    for place, cr4 in itertools.product(ALL, (0, UMIP)):
        state = with_cr4(PLACES[place], cr4)
        for text in ("sgdt", "sidt", "sldt", "str", "smsw"):
            if bits(place) == 64 or text not in ("sgdt", "sidt"):
                yield Case(f"stores/{place}/{cr4}/{text}", state, f"{text} {mem(place)}")
            else:
                for size in (16, 32):
                    yield Case(f"stores/{place}/{cr4}/{text}{size}", state, f"{text}{suffix(size)} {mem(place)}")
        for text in ("sldt", "str", "smsw"):
            for r in ("%cx", "%ecx", "%rcx")[:3 if bits(place) == 64 else 2]:
                yield Case(f"stores/{place}/{cr4}/{text}/{r}", state, f"{text} {r}")


@family(0)
def lmsw(_):
    for place, value in itertools.product(ALL, (0, 1, 2, 4, 8, 0xE, 0xF, 0xFFF0)):
        if place == "real" and value & 1:
            continue            # protected mode without tables
        yield Case(f"lmsw/{place}/{value:x}", PLACES[place].but(cx=value), "lmsw %cx")
        yield Case(f"lmsw/{place}/{value:x}/m", PLACES[place], f"lmsw {mem(place)}", [data(value, size=2)])


@family(0)
def bases(_):
    for place, cr4 in itertools.product(LONG64, (0, FSGSBASE)):
        for text in ("rdfsbase %rcx", "rdgsbase %ecx", "wrfsbase %rdx", "wrgsbase %rdx", "wrgsbase %edx", "wrfsbase %rbx"):
            for value in (0x1122334455667788, 0x7FFFFFFFFFFF, 0xFFFF800000000000):
                yield Case(f"bases/{place}/{cr4}/{text}/{value:x}", with_cr4(PLACES[place], cr4).but(
                    dx=value, fsb=0x12345000, gsb=0xFFFFFFFF80000000), text)
    for place in ("c32.0", "c32.3", "p32.0"):
        yield Case(f"bases/{place}", with_cr4(PLACES[place], FSGSBASE), ".byte 0xf3, 0x0f, 0xae, 0xc1")
    for place in LONG64:
        yield Case(f"bases/{place}/swapgs", PLACES[place].but(gsb=0x1234, kgsb=0xFFFF800000001234), "swapgs")


# ---- flags ---------------------------------------------------------------------------------

FLAG_VALUES = (0, 0xFD5, TF, IF, 0x3000, 0x1000, NT, RF, VM, AC, VIF, VIP, VIF | VIP, ID, 0x3F7FD7, 0xFFFFFFFF)


def virtual_modes(place):
    return {"v86": (0, VME), "p32.3": (0, PVI), "p16.3": (0, PVI), "l64.3": (0, PVI), "c32.3": (0, PVI)}.get(place, (0,))


@family(0)
def interrupt_flag(_):
    for place, text, level, flags in itertools.product(ALL, ("cli", "sti"), (0, 1, 3), (0, IF, VIF, VIP, VIP | VIF)):
        for cr4 in virtual_modes(place):
            state = with_cr4(iopl(with_flags(place, flags), level), cr4)
            yield Case(f"interrupt_flag/{place}/{text}/{level}/{flags:x}/{cr4}", state, text)


@family(900)
def pushf(_):
    for place, level, flags in itertools.product(ALL, (0, 2, 3), (0, 0xCD5, IF, NT, AC, ID, VIF, VIP, VIF | IF)):
        for cr4, size in itertools.product(virtual_modes(place), (16, 32)):
            text = "pushfq" if bits(place) == 64 and size == 32 else f"pushf{suffix(size)}"
            state = with_cr4(iopl(with_flags(place, flags), level), cr4)
            yield Case(f"pushf/{place}/{text}/{level}/{flags:x}/{cr4}", state, text)


@family(1200)
def popf(_):
    for place, level, flags, value in itertools.product(ALL, (0, 1, 3), (0, IF, VIF, VIP), FLAG_VALUES):
        for cr4, size in itertools.product(virtual_modes(place), (16, 32)):
            text = "popfq" if bits(place) == 64 and size == 32 else f"popf{suffix(size)}"
            state = with_cr4(iopl(with_flags(place, flags), level), cr4)
            yield Case(f"popf/{place}/{text}/{level}/{flags:x}/{value:x}/{cr4}", state, text, [at(SP, value)])


# ---- ports -----------------------------------------------------------------------------------

PORT_INSNS = (("in %dx, %al", 1), ("in %dx, %ax", 2), ("in %dx, %eax", 4), ("out %al, %dx", 1), ("out %ax, %dx", 2),
              ("out %eax, %dx", 4), ("in $0xed, %al", 1), ("out %al, $0xed", 1), ("insb", 1), ("outsl", 4), ("rep outsb", 1))


@family(900)
def ports(_):
    """The bitmap refuses 0x280 to 0x29f; a TSS may be too short for it, or not have one."""
    for place, (text, _), port, level in itertools.product(
            ALL, PORT_INSNS, (0x27D, 0x27F, 0x280, 0x29F, 0x2A0, 0x337, 0x338, 0x6F0), (0, 3)):
        state = iopl(PLACES[place], level).but(dx=port, cx=2)
        yield Case(f"ports/{place}/{text}/{port:x}/{level}", state, text)
        tr = state["tr"]
        short = at(GDT + tr, 0xD1, size=2)
        yield Case(f"ports/{place}/{text}/{port:x}/{level}/short", state, text, [short])
        far = at((TSS64 if place in LONG else TSS32) + 0x66, 0xFFFF, size=2)
        yield Case(f"ports/{place}/{text}/{port:x}/{level}/none", state, text, [far])


# ---- descriptors -------------------------------------------------------------------------------

def descriptors(rng, n):
    """Random descriptors: mostly of a good kind with one thing or two wrong."""
    for _ in range(n):
        kind = rng.choice((0x10, 0x11, 0x12, 0x13, 0x14, 0x16, 0x17, 0x18, 0x19, 0x1A, 0x1B, 0x1C, 0x1E, 0x1F, 0x12, 0x1A,
                           rng.randrange(32)))
        down = kind & 0x1C == 0x14
        yield desc(kind, rng.randrange(4), limit=0x3FFF if down else 0xFFFF, p=rng.random() < 0.85,
                   db=rng.random() < 0.6, l=kind & 0x18 == 0x18 and rng.random() < 0.3, avl=rng.random() < 0.3)


def selectors(rng):
    """What selects the descriptor: in the GDT, in the LDT, or something else altogether."""
    r = rng.random()
    if r < 0.08:
        return rng.choice((0, 1, 2, 3)), []
    if r < 0.16:
        return rng.choice((0x3F8, 0x400, 0x407, 0xFFF8, 0x104, 0xFC)) & ~3 | rng.randrange(4), []
    if r < 0.3:
        return 0x84 | rng.randrange(4), [LDT + 0x80]
    return TARGET | rng.randrange(4), [GDT + TARGET]


def aimed(rng, n):
    """(selector, patches) pairs."""
    for d in descriptors(rng, n):
        sel, where = selectors(rng)
        yield sel, d, [at(w, d) for w in where]


@family(0)
def shadows(_):
    """What holds off an interrupt, or the trap of a single step, for an instruction."""
    for place, flags in itertools.product(ALL, (0, TF, IF, TF | IF)):
        ss = PLACES[place]["ss"]
        state = iopl(with_flags(place, flags), 3).but(cx=ss)
        for text in ("mov %cx, %ss", "mov %cx, %es", "sti", "cli"):
            yield Case(f"shadows/{place}/{text}/{flags:x}", state, text)
        size = bits(place) // 8
        for text in ("pop %ss", "pop %es") if size != 8 else ("pop %fs",):
            yield Case(f"shadows/{place}/{text}/{flags:x}", state, text, [at(SP, ss)])
        for seg in ("ss", "gs"):
            yield Case(f"shadows/{place}/l{seg}/{flags:x}", state, f"l{seg} {mem(place)}, %esp", [data(SP + base(place), ss, size=4)])
        for popped in (0, TF, IF, TF | IF):
            popf = {16: "popfw", 32: "popfl", 64: "popfq"}[bits(place)]
            yield Case(f"shadows/{place}/{popf}/{flags:x}/{popped:x}", state, popf, [at(SP, popped | 0x3002)])


@family(1500)
def load_segment(rng):
    for place in ALL:
        for sel, d, patches in aimed(rng, 260):
            seg = rng.choice(("ds", "es", "ss", "fs", "gs"))
            if place in KERNEL and seg == "ss" and place == "real":
                continue
            form = rng.choice(("mov", "mov", "pop", "far"))
            name = f"load_segment/{place}/{form} {seg}/{sel:x}/{d:x}"
            state = PLACES[place].but(cx=sel)
            size = bits(place)
            if form == "mov":
                yield Case(name, state, f"mov {rng.choice(('%cx', '%ecx'))}, %{seg}", patches)
            elif form == "pop" and (size != 64 or seg in ("fs", "gs")):
                yield Case(name, state, f"pop %{seg}", patches + [at(SP, sel)])
            elif form == "far" and (size != 64 or seg in ("fs", "gs", "ss")):
                width = rng.choice((16, 32))
                # LSS must leave a stack to go on with
                off = SP + base(place) if seg == "ss" else 0xABCD1234
                reg = "%sp" if seg == "ss" else "%cx"
                reg = reg if width == 16 else "%e" + reg[1:]
                if seg == "ss" and size == 64 and width == 16:
                    continue
                yield Case(name + f"/{width}", state, f"l{seg} {mem(place)}, {reg}",
                           patches + [data(off, sel, size=width // 8)])


@family(1200)
def query(rng):
    for place in ALL:
        for sel, d, patches in aimed(rng, 200):
            if rng.random() < 0.5:      # system types
                d = d & ~(0x1F << 40) | rng.randrange(16) << 40
                patches = [at(w, d) for w, _ in patches]
            text = rng.choice(("lar %cx, %dx", "lsl %cx, %dx", "lar %ecx, %edx", "lsl %ecx, %edx", "verr %cx", "verw %cx",
                               "lar M, %edx", "lsl M, %edx", "verr M", "verw M")).replace("M", mem(place))
            yield Case(f"query/{place}/{text}/{sel:x}/{d:x}", PLACES[place].but(cx=sel), text, patches + [data(sel)])


@family(0)
def arpl(_):
    for place, dst, src in itertools.product(ALL, range(4), range(4)):
        if bits(place) != 64:
            yield Case(f"arpl/{place}/{dst}/{src}", PLACES[place].but(cx=0x1230 | dst, dx=src), "arpl %dx, %cx")
            yield Case(f"arpl/{place}/{dst}/{src}/m", PLACES[place].but(dx=src), f"arpl %dx, {mem(place)}",
                       [data(0x1230 | dst, size=2)])


def system_descriptor(rng, place, text, good):
    """An LDT's or a TSS's, with its upper half; what LTR gets must lead to stacks to come back on."""
    kind = good if rng.random() < 0.7 else rng.randrange(32)
    low = desc(kind, rng.choice((0, 0, 3)), base=ARENA + (LDT if text == "lldt" else TSS64B if place in LONG else TSS32B),
               limit=rng.choice((0xFF, 0x67, 0x2B, 0)), p=rng.random() < 0.85)
    return low, rng.choice((0, 0, 0, 0xFFFF8000, 0x12345678, 0x1F00 << 32 | 0, 0x100 << 32))


@family(600)
def load_system(rng):
    """LLDT and LTR."""
    for place, text, good in itertools.product(ALL, ("lldt", "ltr"), (2, 9)):
        for _ in range(14):
            sel, where = selectors(rng)
            low, high = system_descriptor(rng, place, text, good)
            if text == "ltr":
                low |= 0x67
                high &= ~0xFFFFFFFF
            yield Case(f"load_system/{place}/{text}/{sel:x}/{low:x}/{high:x}", PLACES[place].but(cx=sel), f"{text} %cx",
                       [at(w, low, high) for w in where])


@family(0)
def load_tables(_):
    """LGDT: the same table by another limit, or an address that cannot be; LIDT: likewise."""
    for place in ALL:
        if bits(place) == 64:
            sizes, values = (64,), (ARENA + GDT, 1 << 47, 0x8000000000000000 | ARENA + GDT)
        else:
            sizes, values = (16, 32), (ARENA + GDT,)
        for size, value, limit in itertools.product(sizes, values, (0x3FF, 0x7FF, 0xFFFF)):
            text = "lgdt" if size == 64 else f"lgdt{suffix(size)}"
            more = 0xAB000000 if size == 16 else 0
            yield Case(f"load_tables/{place}/{text}/{value:x}/{limit:x}", PLACES[place], f"{text} {mem(place)}",
                       [data(limit, size=2), (DATA + 2, struct.pack("<Q", value | more))])
        if bits(place) == 64:
            yield Case(f"load_tables/{place}/lidt", PLACES[place], f"lidt {mem(place)}", [data(1 << 60)])


# ---- far transfers ---------------------------------------------------------------------------------

LANDING = IP + 0x100


def code_descriptor(rng, place):
    kind = rng.choice((0x18, 0x19, 0x1A, 0x1B, 0x1A, 0x1B, 0x1C, 0x1E, 0x1F, 0x12))
    l = place in LONG and rng.random() < 0.5
    return desc(kind, rng.choice((PLACES[place]["cpl"],) * 3 + (0, 1, 2, 3)), p=rng.random() < 0.9, l=l,
                db=rng.random() < (0.1 if l else 0.6), limit=rng.choice((0xFFFF,) * 5 + (0x40FF,)))


def landing(d, place):
    """Where code of this descriptor finds INT3, mostly."""
    return LANDING + (ARENA if place in LONG and d >> 53 & 1 else 0)


def far_insn(rng, place, call, sel, off):
    """Text and patches of a far jump or call, direct or through memory."""
    name = "lcall" if call else "ljmp"
    size = bits(place)
    width = rng.choice((16, 32))
    if size != 64 and rng.random() < 0.5:
        return f"{name}{suffix(width)} ${sel:#x}, ${off & (0xFFFF if width == 16 else 0xFFFFFFFF):#x}", []
    if size == 64 and rng.random() < 0.2:
        return f"rex.w {name}l *{mem(place)}", [data(off, size=4), (DATA + 4, struct.pack("<HQ", sel, 0))]
    return f"{name}{suffix(width)} *{mem(place)}", [data(off, sel, size=width // 8)]


@family(2000)
def far_code(rng):
    """Straight to a code segment."""
    for place in PROTECTED:
        for _ in range(220):
            d = code_descriptor(rng, place)
            sel, where = selectors(rng)
            call = rng.random() < 0.5
            off = landing(d, place)
            text, patches = far_insn(rng, place, call, sel, off)
            yield Case(f"far_code/{place}/{text}/{sel:x}/{d:x}", PLACES[place], text,
                       patches + [at(w, d) for w in where])


@family(0)
def far_real(_):
    for place, call, sel, off in itertools.product(("real", "v86"), (0, 1), (0x2000, 0x2010), (LANDING, 0x10000 + LANDING)):
        for width in (16, 32):
            name = f"{('ljmp', 'lcall')[call]}{suffix(width)}"
            short = off & (0xFFFF if width == 16 else 0xFFFFFFFF)
            yield Case(f"far_real/{place}/{name}/{sel:x}:{off:x}", PLACES[place], f"{name} ${sel:#x}, ${short:#x}")
            yield Case(f"far_real/{place}/{name}/{sel:x}:{off:x}/m", PLACES[place], f"{name} *(%bx)",
                       [data(off, sel, size=width // 8)])


# System types but that of an idle task: a random one would have nothing to go on with.
NO_TASKS = tuple(t for t in range(16) if t not in (1, 9))


@family(2000)
def far_gate(rng):
    """Through a call gate, which may be wrong, to a code segment, which may be wrong."""
    for place in PROTECTED:
        for _ in range(220):
            d = code_descriptor(rng, place)
            if rng.random() < 0.6:
                d = d & ~(3 << 45) | rng.choice((0, 0, 1, 2)) << 45
            kind = 0xC if place in LONG else rng.choice((4, 0xC))
            target = TARGET + 0x10 | rng.randrange(4)
            if rng.random() < 0.06:
                target = rng.choice((0, 3, 0x3F8, 0xFFF8))
            off = landing(d, place)
            g = gate(kind if rng.random() < 0.9 else rng.choice(NO_TASKS), target, off, rng.choice((3, 3, 3, 0, 1, 2)),
                     p=rng.random() < 0.9, count=rng.choice((0, 0, 1, 3, 31)) if place not in LONG else 0)
            high = rng.choice((0, 0, 0, 0, 1 << 15, 0x1F00 << 32, 0x0100 << 32)) if place in LONG else 0
            sel = TARGET | rng.randrange(4)
            text, patches = far_insn(rng, place, rng.random() < 0.7, sel, 0x12345678)
            stack = [at(SP, *range(0x11, 0x31), size=4)]
            if place in LONG:
                both = [at(GDT + TARGET, g, high, d)]
            else:
                both = [at(GDT + TARGET, g), at(GDT + TARGET + 0x10, d)]
            yield Case(f"far_gate/{place}/{text}/{sel:x}/{g:x}/{high:x}/{d:x}", PLACES[place], text, patches + both + stack)


# ---- returns -------------------------------------------------------------------------------------------

def stack_selector(rng, cpl):
    r = rng.random()
    if r < 0.6:
        return S["d32_%d" % cpl] | cpl
    if r < 0.7:
        return S["d32_%d" % rng.randrange(4)] | rng.randrange(4)
    if r < 0.8:
        return rng.choice((0, 1, 2, 3))
    return S["d32_%d" % cpl] | rng.randrange(4)


def return_to(rng, place):
    """Selector and patches of a code segment to go back to."""
    d = code_descriptor(rng, place)
    rpl = rng.choice((PLACES[place]["cpl"], 3, 3, rng.randrange(4)))
    if rng.random() < 0.8:
        d = d & ~(3 << 45) | rpl << 45
    sel, where = TARGET | rpl, [GDT + TARGET]
    if rng.random() < 0.1:
        sel, where = selectors(rng)
    return sel, d, [at(w, d) for w in where]


def return_sizes(place):
    return ((16, "w"), (32, "l"), (64, "q"))[:3 if bits(place) == 64 else 2]


@family(1500)
def retf(rng):
    for place in PROTECTED:
        for _ in range(160):
            sel, d, patches = return_to(rng, place)
            size, s = rng.choice(return_sizes(place))
            drop = rng.choice((0, 0, 8))
            off = landing(d, place)
            outer = SP - 0x200 + (ARENA if place in LONG and d >> 53 & 1 else 0)
            stack = [off, sel]
            body = b"".join((v & (1 << size) - 1).to_bytes(size // 8, "little") for v in stack) + b"\0" * drop
            ss = stack_selector(rng, sel & 3)
            body += b"".join((v & (1 << size) - 1).to_bytes(size // 8, "little") for v in (outer, ss))
            text = f"lret{s}" + (f" ${drop}" if drop else "")
            yield Case(f"retf/{place}/{text}/{sel:x}/{ss:x}/{d:x}", PLACES[place], text, patches + [(SP, body)])


@family(2000)
def iret(rng):
    for place in PROTECTED:
        for _ in range(200):
            sel, d, patches = return_to(rng, place)
            size, s = rng.choice(return_sizes(place))
            off = landing(d, place)
            outer = SP - 0x200 + (ARENA if place in LONG and d >> 53 & 1 else 0)
            flags = rng.choice(FLAG_VALUES[:-1] + (0xFD7 | IF,)) & ~VM
            ss = stack_selector(rng, sel & 3)
            body = b"".join((v & (1 << size) - 1).to_bytes(size // 8, "little") for v in (off, sel, flags, outer, ss))
            level = rng.choice((0, 3))
            state = iopl(with_flags(place, rng.choice((0, 0, IF, NT if place in LONG else 0))), level)
            yield Case(f"iret/{place}/iret{s}/{sel:x}/{ss:x}/{flags:x}/{d:x}", state, f"iret{s}", patches + [(SP, body)])


@family(0)
def iret_to_v86(_):
    for place, flags, ip in itertools.product(("p32.0", "g32.0", "p32.3", "c32.0", "l64.0"), FLAG_VALUES,
                                              (LANDING, 0x50000 + LANDING)):
        frame = struct.pack("<9I", ip, 0x2000, flags & ~TF | VM | 2, 0x15400, 0x2000, 0x2001, 0x2002, 0x2003, 0x2004)
        yield Case(f"iret_to_v86/{place}/{flags:x}/{ip:x}", PLACES[place], "iretl", [(SP, frame)])


@family(0)
def iret_real(_):
    for place, size, flags, level, cr4 in itertools.product(("real", "v86"), (16, 32), FLAG_VALUES, (0, 3), (0, VME)):
        if place == "real" and cr4:
            continue
        frame = at(SP, LANDING, 0x2000, flags, size=size // 8)
        for more in (0, VIP):
            state = with_cr4(iopl(with_flags(place, more), level), cr4)
            yield Case(f"iret_real/{place}/{size}/{flags:x}/{level}/{cr4}/{more:x}", state, f"iret{suffix(size)}", [frame])
        yield Case(f"iret_real/{place}/{size}/retf/{flags:x}/{level}", iopl(PLACES[place], level), f"lret{suffix(size)} $6", [frame])


# ---- interrupts ----------------------------------------------------------------------------------------------

@family(0)
def software_interrupts(_):
    for place, text, level in itertools.product(ALL, ("int3", "int $3", "int $4", "int $0x21", "int $0x23", "int $0x24", "into"),
                                                (0, 3)):
        if text == "into" and bits(place) == 64:
            text = ".byte 0xce"
        for flags in (0, OF, TF):
            yield Case(f"software_interrupts/{place}/{text}/{level}/{flags:x}", iopl(with_flags(place, flags), level), text)


# ---- system calls -----------------------------------------------------------------------------------------------

@family(0)
def syscalls(_):
    """All of them at every place, with the MSRs set so that they lead to INT3."""
    flat = ARENA + LANDING
    for place, text, sce, secs in itertools.product(ALL, ("syscall", "sysretl", "sysretq", "sysenter", ".byte 0x0f, 0x35", ".byte 0x48, 0x0f, 0x35"),
                                                    (0, 1), (0, S["f32_0"])):
        if text in ("sysretq", ".byte 0x48, 0x0f, 0x35") and bits(place) != 64:
            continue
        for flags in (0, 0xCD5 | IF, TF, VIF):
            state = with_flags(place, flags)
            star = flat | S["flat32"] << 32 | S["f32_3"] << 48
            state = state.but(efer=state["efer"] & ~1 | sce, star=star, lstar=flat, cstar=flat + 1, sfmask=0x700,
                              secs=secs, sesp=ARENA + 0x5A00, seip=flat)
            state = state.but(cx=flat, dx=flat + 2)
            if "0x35" in text:
                state = state.but(cx=ARENA + 0x5A00)
            if text.startswith("sysret"):
                if state["bits"] == 64:
                    state = state.but(r11=0x277FD7 & ~TF)
                state = state.but(cx=flat)
            yield Case(f"syscalls/{place}/{text}/{sce}/{secs:x}/{flags:x}", state, text)


# ---- control and debug registers, MSRs -----------------------------------------------------------------------------

def cr_insns(place):
    r = "%rcx" if bits(place) == 64 else "%ecx"
    return r, range(9 if bits(place) == 64 else 8)


CR_VALUES = {
    0: (0x11, 0x10, 0x80000010, 0x80000011, 0x20000011, 0x60000011, 0x80010011, 0x80050033, 0xA0000011, 0x100000011,
        0x8000003F, 0x8000001D, 0x80000001, 0x8005003B, 0x7FFAFFD1),
    2: (0, 0x12345678, 0xFFFFFFFFFFFFFFFF),
    4: tuple(pae | MCE | more for pae in (0, 0x20) for more in (
        0, 1, 2, 4, 8, 0x10, 0x80, 0x100, 0x200, 0x600, 0x800, 0x1000, 0x2000, 0x4000, 0x8000, 0x10000, 0x20000, 0x40000, 0x100000,
        0x200000, 0x400000, 0x1000000, 0x80000000, 1 << 32, 1 << 63, 0xF)),
    8: (0, 5, 15, 16, 0x100000000, 0xFFFFFFFFFFFFFFFF),
}


def survives(place, number, value):
    """Would the code behind it still run, if the processor takes the value?"""
    mode = 0x80000001           # PG and PE
    if number == 0:
        return value & mode in (PLACES[place]["cr0"] & mode, mode - 1) or place in LONG64 or place in USER
    return number != 4 or place in LONG or not value & 0x20


@family(0)
def control_registers(_):
    for place in ALL:
        r, numbers = cr_insns(place)
        for n in numbers:
            yield Case(f"control_registers/{place}/get{n}", PLACES[place], f".byte 0x0f, 0x20, {0xC1 | n << 3:#x}"
                       if n < 8 else f"mov %cr8, {r}", ignore="cx" if n == 3 else "")
            for value in CR_VALUES.get(n, (0x12345678,)) if n != 3 else ():
                if bits(place) != 64:
                    value &= 0xFFFFFFFF
                if survives(place, n, value):
                    yield Case(f"control_registers/{place}/set{n}/{value:x}", PLACES[place].but(cx=value),
                               f".byte 0x0f, 0x22, {0xC1 | n << 3:#x}" if n < 8 else f"mov {r}, %cr8")
        for more in (0, 5, 0x10) if place in USER or place == "l64.0" else ():
            yield Case(f"control_registers/{place}/lock set0/{more:x}", PLACES[place].but(cx=more), ".byte 0xf0, 0x0f, 0x22, 0xc1")
        yield Case(f"control_registers/{place}/lock get0", PLACES[place], ".byte 0xf0, 0x0f, 0x20, 0xc1")
    for n in (9, 10, 15):
        yield Case(f"control_registers/l64.0/get{n}", PLACES["l64.0"], f".byte 0x44, 0x0f, 0x20, {0xC1 | (n & 7) << 3:#x}")
    # bits of CR3 beyond what an address has
    for value in (1 << 52, 1 << 63, 1 << 60):
        yield Case(f"control_registers/l64.0/set3/{value:x}", PLACES["l64.0"].but(cx=value), "mov %rcx, %cr3")


@family(0)
def debug_registers(_):
    for place, n, de in itertools.product(ALL, range(8), (0, DE)):
        state = with_cr4(PLACES[place], de)
        r = "%rcx" if bits(place) == 64 else "%ecx"
        # what is protected must be touched: nobody else can take the protection away
        for gd in (0, 0x2000) if place in KERNEL and not (de and n in (4, 5)) else (0,):
            s = state.but(dr7=0x400 | gd, dr0=0x1111, dr3=0x3333)
            yield Case(f"debug_registers/{place}/get{n}/{de}/{gd:x}", s, f"mov %db{n}, {r}")
            for value in (0, 0x12345678 & ~0x2000, 0xFFFFDFFF & ~0xFF, 0x112345678 & ~0x2000):
                if n in (5, 7):
                    value &= ~0xFF          # nothing enabled
                if value < 1 << 32 or bits(place) == 64 and not gd:
                    yield Case(f"debug_registers/{place}/set{n}/{de}/{gd:x}/{value:x}", s.but(cx=value), f"mov {r}, %db{n}")


MSR_VALUES = {
    0xC0000080: (0, 0x500, 0x501, 0xD01, 0x2500, 0x4500, 0x80000500, 0x100000500, 0xFFFFFFFFFFFFFFFF),
    0xC0000081: (0, 0xFFFFFFFFFFFFFFFF), 0xC0000082: (0x12345678, 1 << 47, 0xFFFF800000000000),
    0xC0000083: (0x12345678, 1 << 47), 0xC0000084: (0x700, 0xFFFFFFFFFFFFFFFF),
    0x174: (0, 0x18, 0xFFFFFFFF), 0x175: (0x1000, 1 << 47, 0xFFFF800000000000), 0x176: (0x1000, 1 << 47),
    0xC0000100: (0x1000, 1 << 47, 0xFFFF800000000000), 0xC0000101: (0x1000, 1 << 47), 0xC0000102: (0x1000, 1 << 47),
    0xC0000103: (0x1234, 0x100001234), 0x277: (0x0007040600070406, 2, 0x0800000000000000), 0x4000ABCD: (0,), 0xC0001234: (0,),
}


@family(0)
def msrs(_):
    for place in ALL:
        for n, values in MSR_VALUES.items():
            if n != 0xC0000080 or place in LONG:
                yield Case(f"msrs/{place}/get{n:x}", PLACES[place].but(cx=n), "rdmsr")
            for value in values:
                if n == 0xC0000080 and place not in LONG and value & 0x100:
                    continue
                yield Case(f"msrs/{place}/set{n:x}/{value:x}", PLACES[place].but(cx=n, ax=value & 0xFFFFFFFF, dx=value >> 32),
                           "wrmsr")


# ---- operands in memory ---------------------------------------------------------------------------------------------

MEMORY_INSNS = ("sgdt M", "sidt M", "sldt M", "str M", "smsw M", "lgdt M", "lldt M", "ltr M", "lmsw M", "verr M", "verw M",
                "lar M, %edx", "lsl M, %dx", "arpl %dx, M", "lds M, %ecx", "les M, %cx", "lfs M, %ecx", "lgs M, %cx",
                "ljmpl *M", "lcallw *M", "invlpg M", "movw %ds, M", "movw M, %es", "clflush M")
# around the limit, in and across the pages that are not there, read-only, the system's
PLACES_IN_ARENA = (0xFFFF, 0xFFFE, 0xFFFD, 0xFFFB, 0xFFF8, 0x7100, 0x6FFF, 0x6FFD, 0x7FFF, 0x8100, 0x8FFF, 0x9100, 0x7FFC)
NOT_CANONICAL = (1 << 47, (1 << 47) - 1, (1 << 47) - 3, 0xFFFF7FFFFFFFFFFF, 0xFFFF7FFFFFFFFFFD, (1 << 64) - 3)


def in_mode(place, text):
    """Whether the instruction exists there."""
    return bits(place) != 64 or not text.startswith(("arpl", "lds", "les"))


def runs_away(place, text, off):
    """Would it load a table, or go to a place, that happens to lie there?"""
    if text.startswith("lgdt"):
        return place in KERNEL
    return place in ("real", "v86") and ("jmp" in text and off < 0xFFFB or "call" in text and off < 0xFFFD)


@family(2500)
def operands(rng):
    for place, text in itertools.product(ALL, MEMORY_INSNS):
        if not in_mode(place, text):
            continue
        for seg in ("", "", "%ss:", "%cs:", "%gs:", "%fs:"):
            off = rng.choice(PLACES_IN_ARENA) + base(place)
            if bits(place) == 64 and rng.random() < 0.4:
                off = rng.choice(NOT_CANONICAL)
            if runs_away(place, text, off):
                continue
            ac = place in USER and place != "v86" and rng.random() < 0.3
            state = PLACES[place].but(bx=off, dx=3, cx=DATA)
            if ac:
                state = state.but(bx=DATA + base(place) + rng.choice((1, 2, 4)), fl=state["fl"] | AC, cr0=state["cr0"] | 1 << 18)
            kind = rng.choice((0x11, 0x13, 0x15, 0x17, 0x1B))
            gs = desc(kind, PLACES[place]["cpl"], limit=0x40FF if kind & 8 or not kind & 4 else 0x3FFF, db=rng.random() < 0.7)
            patches = []
            if seg == "%gs:" and place not in ("real", "v86"):
                state = state.but(gs=TARGET | state["cpl"])
                patches = [at(GDT + TARGET, gs)]
            operand = seg + mem(place)
            yield Case(f"operands/{place}/{text}/{seg}{state['bx']:x}/{ac:d}/{kind if patches else 0:x}", state,
                       text.replace("M", operand), patches)


STACK_INSNS = ("pushfw", "pushfl", "popfw", "popfl", "push %fs", "pop %fs", "pushw %gs", "lcallw $SEL, $0x4200", "lcalll $SEL, $0x4200",
               "lretw", "lretl", "lretl $4", "iretw", "iretl", "push %ds", "pop %es", "lcallw *M", "lcalll *M")


@family(1200)
def stacks(rng):
    """A stack that ends, or is not there."""
    for place, text in itertools.product(USER, STACK_INSNS):
        if bits(place) == 64 and text.endswith(("$0x4200", "%ds", "%es", "fl")):
            if not text.endswith("fl"):
                continue
            text = text[:-1] + "q"
        for _ in range(9):
            sp = rng.choice((0, 1, 2, 3, 4, 6, 0xFFFF, 0xFFFE, 0xFFFC, 0xFFFA, 0x10001, 0x7002, 0x7000, 0x7004, 0x6FFE, 0x8002, 0x8000,
                             0x9002, 0x9000, 0x8FFE, 0x8FFC, 0x9FFE))
            if bits(place) == 64:
                sp = rng.choice((sp + ARENA, (1 << 47) + rng.randrange(-9, 9), 1, (1 << 64) - (1 << 47) + rng.randrange(-9, 9)))
            if place == "v86" and text.startswith(("lret", "iret")):
                sp = 0xFFFF         # or it would go where nothing is
            cs = PLACES[place]["cs"]
            state = PLACES[place].but(sp=sp & (1 << 64) - 1)
            yield Case(f"stacks/{place}/{text}/{state['sp']:x}", state, text.replace("SEL", hex(cs)).replace("M", mem(place)),
                       [data(LANDING, cs, size=2 if "callw" in text else 4)])


# ---- tasks -------------------------------------------------------------------------------------------------------------

def task_mode(rng, wide):
    """Registers of the privilege, or the mode, that a task begins with."""
    r = rng.random()
    if r < 0.6:
        return {}
    if wide and r < 0.66:
        regs = {n: ARENA >> 4 for n in ("es", "cs", "ss", "ds", "fs", "gs")}
        return {**regs, "fl": VM | rng.choice((2, 0x3002, NT | 2, IF | 2))}
    cpl = rng.choice((3, 3, 3, 1, 2))
    regs = {n: S[f"d32_{cpl}"] | cpl for n in ("es", "ss", "ds")}
    return {**regs, "cs": S[f"c32_{cpl}"] | cpl}


def task(rng, wide):
    """A task to go to, with one thing wrong now and then."""
    regs = task_mode(rng, wide)
    r = rng.random()
    if r < 0.3 and not regs.get("fl"):
        regs["fl"] = rng.choice((0xFD5, NT | 2, 0x3002, IF | 2, 2, TF | 2))
    elif r < 0.5:
        regs[rng.choice(("ds", "es"))] = rng.choice((S["c32_0"], S["tss32"], 0x3F8, 0x1000, S["d32_3"] | 3, S["d32_0"] | 3, 3, TARGET))
    elif r < 0.6:
        regs["ldtr"] = S["ldt"]     # a wrong one is a fault amid the switch, with half of a task to handle it
    elif r < 0.65 and wide:
        regs["trap"] = 1
    elif r < 0.8:
        regs["ip"] = 0x14200 if wide else 0x4200
    return tss32(**regs) if wide else tss16(**regs)


@family(700)
def tasks(rng):
    for place in ("p32.0", "p32.3", "p16.0", "p16.3"):
        for _ in range(250):
            wide = rng.random() < 0.65
            busy = rng.random() < 0.08
            kind = (9 if wide else 1) | busy * 2
            dpl = rng.choice((0, 3, 3)) if PLACES[place]["cpl"] else rng.choice((0, 0, 3))
            limit = rng.choice((0x67,) * 6 + (0x66,)) if wide else rng.choice((0x2B,) * 6 + (0x2A,))
            where = TSS32B if wide else TSS16B
            d = desc(kind, dpl, base=ARENA + where, limit=limit, p=rng.random() < 0.94)
            patches = [(where, task(rng, wide))]
            sel = TARGET | rng.choice((0, PLACES[place]["cpl"], 3))
            way = rng.choice(("jump", "gate", "iret"))
            if way == "iret":
                link = TARGET | rng.choice((0, 0, 0, 4)) if rng.random() < 0.95 else 0
                patches += [at(TSS32, link, size=2), at(GDT + TARGET, d ^ (2 << 40))]
                yield Case(f"tasks/{place}/iret/{link:x}/{d ^ (2 << 40):x}/{patches[0][1].hex()}", with_flags(place, NT), "iretl", patches)
                continue
            if way == "gate":
                g = gate(5, (TARGET + 0x10) | rng.choice((0, 0, 3)) if rng.random() < 0.95 else TARGET + 0x14, 0x1234, dpl,
                         p=rng.random() < 0.95)
                patches += [at(GDT + TARGET, g, 0, d)]
            else:
                patches += [at(GDT + TARGET, d)]
            text, more = far_insn(rng, place, rng.random() < 0.5, sel, 0x5678)
            yield Case(f"tasks/{place}/{way}/{text}/{sel:x}/{d:x}/{patches[0][1].hex()}", PLACES[place], text, patches + more)


@family(0)
def redirected(_):
    """INT n in virtual-8086 mode with its bitmap: 0x60 goes to the monitor, 0x68 to the program."""
    for vector, level, flags, cr4 in itertools.product((0x60, 0x68), (0, 1, 3), (0, IF, VIF, VIP, NT, TF), (0, VME)):
        state = with_cr4(iopl(with_flags("v86", flags), level), cr4)
        yield Case(f"redirected/{vector:x}/{level}/{flags:x}/{cr4}", state, f"int ${vector:#x}", [at(TSS32 + 0x6C, 0x00FF, size=2)])


# What stops TCG, or leads it where nothing after it would be right: (pattern of names, why)
STOPS_TCG = tuple((re.compile(name), why) for name, why in (
    (r"^load_tables/l64\.0/l.dt(/(8.{11}|8.{15})/|$)", "it loads a base that is not canonical, and has no table then"),
    (r"^control_registers/(l64|c32|c16)\.0/set4/[0-9a-f]*[45c][0-9a-f]$", "it clears CR4.PAE in long mode"),
    (r"^control_registers/(real|...\.0)/set4/[0-9a-f]{4,}$", "it hangs at some of them"),
    (r"^control_registers/l64\.0/set0/(1?[0-9a-f]{1,7}|1?[0-7][0-9a-f]{7})$", "it turns paging off in 64-bit mode"),
    (r"^control_registers/(real|...\.0)/set0/80000010$", "it turns paging on without protection"),
    (r"^stacks/(p32|p16|g32)\.3/iretl/(.|10001|fff.)$", "it goes to virtual-8086 mode from any privilege, wherever that leads"),
    (r"^control_registers/l64\.0/set3/", "it uses an address with bits beyond its physical addresses"),
    (r"^operands/(l64|c32|c16)\.0/ltr M/", "it takes a null selector for LTR, and has no stack to come back on"),
    (r"^load_system/(l64|c32|c16)\.0/ltr/[0-3]/", "the same"),
    (r"^iret_to_v86/[^/]*/(80000|100000|180000|3f7fd7|ffffffff)/", "nothing clears there the virtual interrupt flags that it takes"),
))


def stops_tcg(case):
    """Those, and whatever begins with a virtual interrupt flag outside virtual-8086 mode: TCG's IRET does not set it."""
    virtual = case.state["fl"] & (VIF | VIP)
    return case.state["mode"] != V86 and virtual or any(name.search(case.name) for name, _ in STOPS_TCG)


# Not for any machine: (pattern of names, why)
LEFT_OUT = tuple((re.compile(name), why) for name, why in (
    (r"^control_registers/(g32|l64|c32|c16)\.0/set4/2000[46]0$", "SMAP: the arena, GDT and stack included, is the user's"),
    (r"^syscalls/real/(syscall|sysret.)/1/", "flat 32-bit code in real mode, to which neither Bochs nor TCG holds"),
))


def left_out(case):
    """Those; both virtual flags at once, which is #GP on the way there; any of them in real mode, where IRET has none."""
    virtual = case.state["fl"] & (VIF | VIP)
    if virtual == VIF | VIP or virtual and case.state["mode"] == REAL:
        return True
    return any(name.search(case.name) for name, _ in LEFT_OUT)


def take(f, limit, size, seed, round_):
    """A round of a family: at most @size tests of it, or @limit if that is less."""
    rng = random.Random(f"{seed} {f.__name__} {round_}")
    found = [c for c in f(rng) if not left_out(c)]
    size = min(size or len(found), limit or len(found))
    return rng.sample(found, size) if len(found) > size else found


def all_cases(seed, limit, rounds):
    for f, size in FAMILIES:
        for round_ in range(rounds if size else 1):
            yield from take(f, limit, size, seed, round_)


def in_order(tests):
    """Virtual-8086 mode last: it leaves TCG with a virtual interrupt flag that nothing clears."""
    return sorted(tests, key=lambda t: t.state["mode"] == V86)
