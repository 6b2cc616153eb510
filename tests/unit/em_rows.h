/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The decode tables, unrolled: one struct leaf for each row that an instruction
 * can end in, with what its bytes have to be to get there. A test that goes
 * through them all has visited every row of every table.
 */
#ifndef EM_ROWS_H
#define EM_ROWS_H

#include "emulate/internal.h"

struct leaf {
	const struct em_row *row;
	u8 map;		/* 0 one byte, 1: 0F, 2: 0F38, 3: 0F3A */
	u8 opcode;
	bool vex;
	/* -1: whatever */
	s8 pfx;		/* mandatory prefix: 0 none, 1 66, 2 F3, 3 F2 */
	s8 reg, rm;	/* fields of ModRM */
	s8 mod;		/* 0 memory, 1 register */
};

#define EM_MAX_LEAVES	4096

/* Fill @leaves (EM_MAX_LEAVES of them) for 64-bit mode or the others; their number. */
unsigned int em_rows(struct leaf *leaves, bool is64);

/* Legacy prefixes, escapes and REX, which have rows that nothing ends in. */
bool em_row_is_prefix(const struct leaf *l, bool is64);

/* "0f 38 f0 /2 reg 66", in a static buffer. */
const char *em_row_name(const struct leaf *l);

#endif
