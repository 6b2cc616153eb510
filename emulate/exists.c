// SPDX-License-Identifier: GPL-2.0
/*
 * Which opcodes exist: to tell what this emulator lacks (EM_UNSUPPORTED) from what
 * no processor has, or no guest of ours is offered (#UD). Only of use for rows that
 * are known by their length.
 *
 * One byte for each opcode: under which mandatory prefixes it is an instruction, the
 * lower half for legacy encodings, the upper one for VEX.
 */
#include "internal.h"

#define NP	0x01
#define P66	0x02
#define F3	0x04
#define F2	0x08
#define PS_PD	(NP | P66)
#define ALL	(PS_PD | F3 | F2)
#define V(p)	((p) << 4)
#define BOTH(p)	((p) | V(p))

static const u8 exists_0f[256] = {
	[0x14 ... 0x15] = BOTH(PS_PD),
	[0x2a] = ALL | V(F3 | F2), [0x2c ... 0x2d] = ALL | V(F3 | F2), [0x2e ... 0x2f] = BOTH(PS_PD),
	[0x41 ... 0x42] = V(PS_PD), [0x44 ... 0x47] = V(PS_PD), [0x4a ... 0x4b] = V(PS_PD),
	[0x51] = BOTH(ALL), [0x52 ... 0x53] = BOTH(NP | F3), [0x54 ... 0x57] = BOTH(PS_PD),
	[0x58 ... 0x5a] = BOTH(ALL), [0x5b] = BOTH(PS_PD | F3), [0x5c ... 0x5f] = BOTH(ALL),
	[0x60 ... 0x6b] = PS_PD | V(P66), [0x6c ... 0x6d] = BOTH(P66),
	[0x70] = ALL | V(P66 | F3 | F2), [0x71 ... 0x76] = PS_PD | V(P66),
	[0x78 ... 0x79] = P66 | F2, [0x7c ... 0x7d] = BOTH(P66 | F2),
	[0x90 ... 0x91] = V(PS_PD), [0x92 ... 0x93] = V(PS_PD | F2), [0x98 ... 0x99] = V(PS_PD),
	[0xc2] = BOTH(ALL), [0xc6] = BOTH(PS_PD),
	[0xd0] = BOTH(P66 | F2), [0xd1 ... 0xd5] = PS_PD | V(P66),
	[0xd8 ... 0xe5] = PS_PD | V(P66), [0xe6] = BOTH(P66 | F3 | F2),
	[0xe8 ... 0xef] = PS_PD | V(P66), [0xf1 ... 0xfe] = PS_PD | V(P66),
};

static const u8 exists_0f38[256] = {
	[0x00 ... 0x0b] = PS_PD | V(P66), [0x0c ... 0x0f] = V(P66),
	[0x10] = P66, [0x13] = V(P66), [0x14 ... 0x15] = P66, [0x16] = V(P66), [0x17] = BOTH(P66),
	[0x1c ... 0x1e] = PS_PD | V(P66),
	[0x28 ... 0x29] = BOTH(P66), [0x2b] = BOTH(P66),
	[0x36] = V(P66), [0x37 ... 0x41] = BOTH(P66), [0x45 ... 0x47] = V(P66),
	[0x50 ... 0x51] = V(ALL), [0x52 ... 0x53] = V(P66), [0x72] = V(F3), [0x90 ... 0x93] = V(P66), [0x96 ... 0x9f] = V(P66),
	[0xa6 ... 0xaf] = V(P66), [0xb0] = V(ALL), [0xb1] = V(P66 | F3), [0xb4 ... 0xbf] = V(P66),
	[0xc8 ... 0xcd] = NP, [0xcf] = BOTH(P66),
	[0xdb ... 0xdf] = BOTH(P66),
};

static const u8 exists_0f3a[256] = {
	[0x00 ... 0x02] = V(P66), [0x04 ... 0x06] = V(P66),
	[0x08 ... 0x0e] = BOTH(P66), [0x0f] = PS_PD | V(P66),
	[0x1d] = V(P66), [0x30 ... 0x33] = V(P66), [0x40 ... 0x42] = BOTH(P66), [0x44] = BOTH(P66),
	[0x46] = V(P66), [0x48 ... 0x4c] = V(P66), [0x5c ... 0x5f] = V(P66), [0x60 ... 0x63] = BOTH(P66),
	[0x68 ... 0x6f] = V(P66), [0x78 ... 0x7f] = V(P66),
	[0xcc] = NP, [0xce ... 0xcf] = BOTH(P66), [0xdf] = BOTH(P66),
};

bool em_exists(const struct em_insn *insn, unsigned int pfx)
{
	static const u8 *const maps[] = { exists_0f, exists_0f38, exists_0f3a };

	if (insn->map < 1 || insn->map > ARRAY_SIZE(maps))
		return !insn->vex || insn->map >= EM_MAP_EVEX;
	return maps[array_index_nospec(insn->map - 1, ARRAY_SIZE(maps))][insn->opcode] &
	       (insn->vex ? V(BIT(pfx)) : BIT(pfx));
}
