// SPDX-License-Identifier: GPL-2.0
/* Unrolls the decode tables; see em_rows.h. */
#include "em_rows.h"

struct list {
	struct leaf *leaves;
	unsigned int n;
};

static void unroll(struct list *l, const struct em_row *row, struct leaf at)
{
	static const u8 size[] = { [EM_BY_REG] = 8, [EM_BY_MOD] = 2, [EM_BY_RM] = 8,
				   [EM_BY_PFX] = 4 };
	unsigned int i;

	if (row->kind == EM_LEAF) {
		assert(l->n < EM_MAX_LEAVES);
		at.row = row;
		l->leaves[l->n++] = at;
		return;
	}
	for (i = 0; i < size[row->kind]; i++) {
		struct leaf next = at;

		if (row->kind == EM_BY_REG)
			next.reg = i;
		else if (row->kind == EM_BY_MOD)
			next.mod = i;
		else if (row->kind == EM_BY_RM)
			next.rm = i;
		else
			next.pfx = i;
		unroll(l, &row->group[i], next);
	}
}

static void opcode_rows(struct list *l, const struct em_row *row, u8 map, u8 op, bool vex)
{
	struct leaf at = { .map = map, .opcode = op, .vex = vex,
			   .pfx = -1, .reg = -1, .rm = -1, .mod = -1 };

	if (row)
		unroll(l, row, at);
}

bool em_row_is_prefix(const struct leaf *l, bool is64)
{
	if (l->map == 1)
		return !l->vex && (l->opcode == 0x38 || l->opcode == 0x3a);
	if (l->map || l->vex)
		return false;
	switch (l->opcode) {
	case 0x26: case 0x2e: case 0x36: case 0x3e: case 0x64: case 0x65:
	case 0x66: case 0x67: case 0xf0: case 0xf2: case 0xf3: case 0x0f:
		return true;
	case 0x40 ... 0x4f:
	case 0xc4: case 0xc5: case 0x62:
		return is64;
	}
	return false;
}

unsigned int em_rows(struct leaf *leaves, bool is64)
{
	struct list l = { .leaves = leaves };
	unsigned int op, map;

	for (op = 0; op < 256; op++)
		opcode_rows(&l, is64 && op == 0x63 ? &em_row_movsxd : &em_map_1[op], 0, op, false);
	for (map = 1; map <= 3; map++) {
		for (op = 0; op < 256; op++)
			opcode_rows(&l, em_legacy_row(map, op), map, op, false);
		for (op = 0; op < 256; op++)
			opcode_rows(&l, em_vex_row(map, op), map, op, true);
	}
	return l.n;
}

const char *em_row_name(const struct leaf *l)
{
	static const char *const maps[] = { "", "0f ", "0f 38 ", "0f 3a " };
	static const char *const pfx[] = { " np", " 66", " f3", " f2" };
	static char buf[64];
	unsigned int n;

	n = snprintf(buf, sizeof(buf), "%s%s%02x", l->vex ? "vex " : "", maps[l->map], l->opcode);
	if (l->reg >= 0)
		n += snprintf(buf + n, sizeof(buf) - n, " /%d", l->reg);
	if (l->rm >= 0)
		n += snprintf(buf + n, sizeof(buf) - n, " rm%d", l->rm);
	if (l->mod >= 0)
		n += snprintf(buf + n, sizeof(buf) - n, l->mod ? " reg" : " mem");
	if (l->pfx >= 0)
		snprintf(buf + n, sizeof(buf) - n, "%s", pfx[l->pfx]);
	return buf;
}
