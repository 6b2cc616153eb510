// SPDX-License-Identifier: GPL-2.0
/*
 * From bytes to ctx->insn: prefixes, opcode map, ModRM, SIB, immediates.
 *
 * Bytes are fetched only when they are needed, in pieces that end at a page or
 * at byte 15: an instruction which ends right before an unmapped page must not
 * fault on that page. Byte 16 is never looked at: #GP as on hardware.
 *
 * Effective addresses are not computed here but when the instruction runs, since
 * registers may have changed by then (string instructions, going on after an
 * exit to userspace). What the opcode maps don't know still gets its length,
 * from the regular layout of the VEX, EVEX, XOP, 0F38 and 0F3A maps; it ends up
 * with exec == NULL.
 */
#include "internal.h"

#define INSN_MAX	15

/* Cursor over the bytes of ctx->insn. */
struct cursor {
	struct em_ctx *c;
	struct em_insn *insn;
	u8 pos;
	enum em_result err;
};

static enum em_result fetch_more(struct em_ctx *c)
{
	struct em_insn *insn = &c->insn;
	const struct em_seg *cs;
	u64 ip = c->rip + insn->fetched;
	unsigned int n = INSN_MAX - insn->fetched;
	enum em_result r;
	u64 la = ip;

	if (!n)
		return em_gp(c, 0);
	if (em_long(c)) {
		if (!em_canonical(c, la))
			return em_gp(c, 0);
	} else {
		cs = em_seg(c, EM_CS);
		ip = (u32)ip;
		if (ip > cs->limit)
			return em_gp(c, 0);
		n = min_t(u64, n, (u64)cs->limit - ip + 1);
		la = (u32)(cs->base + ip);
	}
	n = min_t(u64, n, 4096 - (la & 4095));
	r = c->ops->fetch(c, la, insn->bytes + insn->fetched, n);
	if (r == EM_DONE)
		insn->fetched += n;
	return r;
}

/* Make @n further bytes available. */
static bool need(struct cursor *k, unsigned int n)
{
	while (k->err == EM_DONE && k->pos + n > k->insn->fetched)
		k->err = fetch_more(k->c);
	return k->err == EM_DONE;
}

static u8 next_u8(struct cursor *k)
{
	return need(k, 1) ? k->insn->bytes[k->pos++] : 0;
}

static u64 next_imm(struct cursor *k, unsigned int size)
{
	u64 val = 0;

	if (!need(k, size))
		return 0;
	memcpy(&val, k->insn->bytes + k->pos, size);
	k->pos += size;
	return val;
}

static s64 next_simm(struct cursor *k, unsigned int size)
{
	return em_sext(next_imm(k, size), size);
}

/* Take one legacy prefix; false if @b is none. */
static bool legacy_prefix(struct em_insn *insn, u8 b, bool is64)
{
	static const s8 seg_of[256] = {
		[0x26] = 1 + EM_ES, [0x2e] = 1 + EM_CS, [0x36] = 1 + EM_SS,
		[0x3e] = 1 + EM_DS, [0x64] = 1 + EM_FS, [0x65] = 1 + EM_GS,
	};

	if (seg_of[b]) {
		if (!is64 || seg_of[b] - 1 >= EM_FS)
			insn->seg = seg_of[b] - 1;
		return true;
	}
	if (b == 0x66)
		insn->opsize_pfx = true;
	else if (b == 0x67)
		insn->addr_pfx = true;
	else if (b == 0xf0)
		insn->lock = true;
	else if (b == 0xf2 || b == 0xf3)
		insn->rep = b;
	else
		return false;
	return true;
}

/* Consume the prefixes; returns the first byte of the opcode. */
static u8 prefixes(struct cursor *k)
{
	bool is64 = em_long(k->c);
	u8 b;

	for (;;) {
		b = next_u8(k);
		if (k->err != EM_DONE)
			return 0;
		if (is64 && (b & 0xf0) == 0x40)
			k->insn->rex = b;
		else if (legacy_prefix(k->insn, b, is64))
			k->insn->rex = 0;	/* REX counts only right before the opcode */
		else
			return b;
	}
}

/* Which of four rows the mandatory prefix selects. */
static unsigned int mandatory(const struct em_insn *insn)
{
	if (insn->rep)
		return insn->rep == 0xf3 ? 2 : 3;
	return insn->opsize_pfx;
}

static void set_mandatory(struct em_insn *insn, unsigned int pp)
{
	static const u8 rep[4] = { 0, 0, 0xf3, 0xf2 };

	insn->opsize_pfx = pp == 1;
	insn->rep = rep[pp];
}

/* Legacy prefixes that a VEX, EVEX or XOP prefix must not follow. */
static bool vex_forbidden(const struct em_insn *insn)
{
	return insn->rex || insn->rep || insn->opsize_pfx || insn->lock;
}

/* C5: two bytes, C4 and 8F (XOP): three. Returns the map number. */
static unsigned int vex_prefix(struct cursor *k, u8 first)
{
	struct em_insn *insn = k->insn;
	u8 p1 = next_u8(k), p2 = p1;
	unsigned int map = 1;

	if (first != 0xc5) {
		map = p1 & 0x1f;
		p2 = next_u8(k);
		insn->rex = 0x40 | (~p1 >> 5 & 7) | (p2 >> 7 << 3);
	} else {
		insn->rex = 0x40 | (~p1 >> 5 & 4);
	}
	if (!em_long(k->c))
		insn->rex &= 0x48;
	insn->vex = true;
	insn->vex_l = p2 >> 2 & 1;
	insn->vvvv = ~p2 >> 3 & 0xf;
	set_mandatory(insn, p2 & 3);
	return map;
}

/* 62: only the length matters, nothing EVEX encoded is executed. */
static unsigned int evex_prefix(struct cursor *k)
{
	u64 p = next_imm(k, 3);

	k->insn->vex = true;
	k->insn->rex = 0x40;
	return EM_MAP_EVEX + (p & 7);
}

/*
 * Opcodes of which only the length is known: ModRM everywhere, an immediate
 * byte by map and opcode.
 */
static const struct em_row len_modrm = { .flags = EMF_MODRM };
static const struct em_row len_modrm_imm8 = { .flags = EMF_MODRM, .src = K_IMM8 };
static const struct em_row len_none = { .flags = 0 };
static const struct em_row row_ud = { .exec = em_i_ud, .flags = EMF_UD };

/* XOP's maps 8 to 10: an immediate byte, none, four. */
#define XOP_FLAGS	(EMF_MODRM | EMF_VEX | EMF_VVVV | EMF_FEATURE | EMF_D64)

static const struct em_row xop_rows[] = {
	{ .exec = em_i_xop, .flags = XOP_FLAGS, .src = K_IMM8 },
	{ .exec = em_i_xop, .flags = XOP_FLAGS },
	{ .exec = em_i_xop, .flags = XOP_FLAGS, .src = K_IMM },
};

static const struct em_row *xop_row(unsigned int map)
{
	return map <= 10 ? &xop_rows[array_index_nospec(map - 8, ARRAY_SIZE(xop_rows))] : &row_ud;
}

static const struct em_row *vex_length_row(unsigned int map, u8 op)
{
	if (map == 1 && op == 0x77)
		return &len_none;
	if (map == 3)
		return &len_modrm_imm8;
	if (map == 1 && ((op & 0xfc) == 0x70 || op == 0xc2 || (op >= 0xc4 && op <= 0xc6)))
		return &len_modrm_imm8;
	return &len_modrm;
}

/* In map 1 only what a prefix or the form selects has VEX encodings. */
static const struct em_row *vex_0f_row(u8 op)
{
	const struct em_row *row = &em_map_0f[array_index_nospec(op, 256)];

	return row->kind == EM_BY_PFX || row->kind == EM_BY_MOD ? row : vex_length_row(1, op);
}

const struct em_row *em_vex_row(unsigned int map, u8 op)
{
	switch (map) {
	case 1:
		return op == 0x77 ? &em_row_vzero : vex_0f_row(op);
	case 2:
		return op < 0xf0 ? &em_map_0f38[array_index_nospec(op, 0xf0)] :
				   &em_map_vex_0f38_f[op & 15];
	case 3:
		return op < 0xf0 ? &em_map_0f3a[array_index_nospec(op, 0xf0)] :
				   &em_map_vex_0f3a_f[op & 15];
	default:
		return vex_length_row(map, op);
	}
}

const struct em_row *em_legacy_row(unsigned int map, u8 op)
{
	switch (map) {
	case 1:
		return &em_map_0f[array_index_nospec(op, 256)];
	case 2:
		return op < 0xf0 ? &em_map_0f38[array_index_nospec(op, 0xf0)] :
				   &em_map_0f38_f[op & 15];
	default:
		return op < 0xf0 ? &em_map_0f3a[array_index_nospec(op, 0xf0)] : &len_modrm_imm8;
	}
}

/* EVEX and XOP share opcodes with the maps of VEX, but nothing else. */
static const struct em_row *vex_row(struct cursor *k, u8 prefix, unsigned int map)
{
	u8 op = k->insn->opcode = next_u8(k);

	k->insn->map = map;
	if (prefix == 0x8f)
		return xop_row(map);
	return prefix == 0x62 ? vex_length_row(map - EM_MAP_EVEX, op) : em_vex_row(map, op);
}

static const struct em_row *escape_row(struct cursor *k)
{
	struct em_insn *insn = k->insn;
	u8 op = next_u8(k);

	insn->map = 1;
	if (op == 0x38 || op == 0x3a) {
		insn->map = op == 0x38 ? 2 : 3;
		op = next_u8(k);
	}
	insn->opcode = op;
	return em_legacy_row(insn->map, op);
}

/* C4, C5, 62 and 8F are prefixes or old instructions, by mode and next byte. */
static bool is_vex(struct cursor *k, u8 b)
{
	u8 next;

	if (b != 0xc4 && b != 0xc5 && b != 0x62 && b != 0x8f)
		return false;
	if (!need(k, 1))
		return false;
	next = k->insn->bytes[k->pos];
	if (b == 0x8f)	/* else POP r/m */
		return em_prot(k->c) && (next & 0x1f) >= 8;
	if (em_long(k->c))
		return true;
	return em_prot(k->c) && (next & 0xc0) == 0xc0;
}

static const struct em_row *opcode(struct cursor *k)
{
	u8 b = prefixes(k);
	bool bad = vex_forbidden(k->insn);
	const struct em_row *row;

	if (is_vex(k, b)) {
		unsigned int map = b == 0x62 ? evex_prefix(k) : vex_prefix(k, b);

		row = vex_row(k, b, map);
		return bad ? &row_ud : row;
	}
	if (b == 0x0f)
		return escape_row(k);
	k->insn->opcode = b;
	if (b == 0x63 && em_long(k->c))
		return &em_row_movsxd;
	return &em_map_1[array_index_nospec(b, 256)];
}

static bool kind_has_modrm(u8 kind)
{
	return kind >= K_RM && kind <= K_LAST_MODRM && kind != K_VVVV;
}

static void addr16(struct cursor *k, u8 mod, u8 rm)
{
	static const s8 base[8] = { RBX, RBX, RBP, RBP, RSI, RDI, RBP, RBX };
	static const s8 index[8] = { RSI, RDI, RSI, RDI, -1, -1, -1, -1 };
	struct em_insn *insn = k->insn;

	insn->base = base[rm];
	insn->index = index[rm];
	if (mod == 0 && rm == 6) {
		insn->base = -1;
		insn->disp = (u16)next_imm(k, 2);
	} else if (mod == 1) {
		insn->disp = next_simm(k, 1);
	} else if (mod == 2) {
		insn->disp = next_simm(k, 2);
	}
}

static void sib(struct cursor *k, u8 mod)
{
	struct em_insn *insn = k->insn;
	u8 b = next_u8(k);

	insn->scale = b >> 6;
	insn->index = (b >> 3 & 7) | (insn->rex & 2) << 2;
	if (insn->index == 4)
		insn->index = -1;
	insn->base = (b & 7) | (insn->rex & 1) << 3;
	if ((b & 7) == 5 && mod == 0) {
		insn->base = -1;
		insn->disp = next_simm(k, 4);
	}
}

static void addr32(struct cursor *k, u8 mod, u8 rm)
{
	struct em_insn *insn = k->insn;

	if (rm == 4) {
		sib(k, mod);
	} else if (rm == 5 && mod == 0) {
		insn->base = em_long(k->c) ? 16 : -1;
		insn->disp = next_simm(k, 4);
	} else {
		insn->base = rm | (insn->rex & 1) << 3;
	}
	if (mod == 1)
		insn->disp = next_simm(k, 1);
	else if (mod == 2)
		insn->disp = next_simm(k, 4);
}

static void modrm(struct cursor *k)
{
	struct em_insn *insn = k->insn;
	u8 mod;

	if (insn->has_modrm)
		return;
	insn->modrm = next_u8(k);
	insn->has_modrm = true;
	mod = insn->modrm >> 6;
	/* MOV to and from CR and DR take every ModRM as registers. */
	if (mod == 3 || (insn->map == 1 && !insn->vex && (insn->opcode & 0xfc) == 0x20))
		return;
	if (insn->addr_size == 2)
		addr16(k, mod, insn->modrm & 7);
	else
		addr32(k, mod, insn->modrm & 7);
}

/* Follow groups down to a leaf, gathering flags and operand kinds. */
static void resolve(struct cursor *k, const struct em_row *row)
{
	struct em_insn *insn = k->insn;
	unsigned int i = 0;

	for (;;) {
		insn->flags |= row->flags;
		insn->k_dst = row->dst ?: insn->k_dst;
		insn->k_src = row->src ?: insn->k_src;
		insn->k_src2 = row->src2 ?: insn->k_src2;
		if (row->flags & EMF_MODRM || row->kind == EM_BY_REG ||
		    row->kind == EM_BY_MOD || row->kind == EM_BY_RM ||
		    kind_has_modrm(insn->k_dst) || kind_has_modrm(insn->k_src))
			modrm(k);
		switch (row->kind) {
		case EM_LEAF:
			insn->exec = row->exec;
			return;
		case EM_BY_REG:
			i = insn->modrm >> 3 & 7;
			break;
		case EM_BY_MOD:
			i = insn->modrm >> 6 == 3;
			break;
		case EM_BY_RM:
			i = insn->modrm & 7;
			break;
		case EM_BY_PFX:
			i = mandatory(insn);
			break;
		}
		row = &row->group[array_index_nospec(i, 8)];
	}
}

static void sizes(struct cursor *k)
{
	struct em_ctx *c = k->c;
	struct em_insn *insn = k->insn;

	if (em_long(c)) {
		insn->addr_size = insn->addr_pfx ? 4 : 8;
		insn->op_size = insn->opsize_pfx ? 2 : 4;
		return;
	}
	insn->addr_size = (c->mode == EM_PROT32) != insn->addr_pfx ? 4 : 2;
	insn->op_size = (c->mode == EM_PROT32) != insn->opsize_pfx ? 4 : 2;
}

/* The rest of what decides on the operand size is known only with the row. */
static void op_size_64(struct cursor *k)
{
	struct em_insn *insn = k->insn;

	if (!em_long(k->c))
		return;
	if (insn->rex & 8)
		insn->op_size = 8;
	else if (insn->flags & EMF_F64 && (k->c->intel || !insn->opsize_pfx))
		insn->op_size = 8;
	else if (insn->flags & EMF_D64 && !insn->opsize_pfx)
		insn->op_size = 8;
}

static u64 immediate(struct cursor *k, u8 kind)
{
	struct em_insn *insn = k->insn;
	unsigned int size = insn->flags & EMF_BYTE ? 1 : insn->op_size;
	u64 val;

	switch (kind) {
	case K_IMM:
		return next_simm(k, min_t(unsigned int, size, 4));
	case K_IMMV:
		return next_imm(k, size);
	case K_IMM8:
		return next_imm(k, 1);
	case K_IMM16:
		return next_imm(k, 2);
	case K_SIMM8:
		return next_simm(k, 1);
	case K_FAR:
		val = next_imm(k, size);
		insn->imm2 = next_imm(k, 2);
		return val;
	case K_MOFFS:
		insn->disp = next_imm(k, insn->addr_size);
		return 0;
	}
	return 0;
}

static bool is_immediate(u8 kind)
{
	return kind >= K_IMM && kind <= K_MOFFS;
}

/* At most two operands are immediate; the second one ends up in imm2. */
static void immediates(struct cursor *k)
{
	struct em_insn *insn = k->insn;

	if (is_immediate(insn->k_dst))
		insn->imm = immediate(k, insn->k_dst);
	if (is_immediate(insn->k_src))
		insn->imm = immediate(k, insn->k_src);
	if (is_immediate(insn->k_src2))
		insn->imm2 = immediate(k, insn->k_src2);
}

/* VEX forms exist for few rows, and W, L and vvvv have to be right for them. */
static void check_vex(struct em_insn *insn, bool is64)
{
	u32 f = insn->flags;
	bool vvvv = f & EMF_VVVV || (f & EMF_SCALAR && insn->modrm >= 0xc0);

	if (!insn->vex || f & EMF_UD)
		return;
	if (!(f & EMF_VEX))
		insn->exec = NULL;
	else if ((!vvvv && insn->vvvv) || (f & EMF_L0 && insn->vex_l) ||
		 (f & EMF_L1 && !insn->vex_l) || ((f & EMF_W0 || (f & EMF_W64 && !is64)) && insn->rex & 8))
		insn->flags |= EMF_UD;
}

enum em_result em_decode(struct em_ctx *c, const void *bytes, unsigned int nbytes)
{
	struct em_insn *insn = &c->insn;
	struct cursor k = { .c = c, .insn = insn, .err = EM_DONE };
	const struct em_row *row;

	memset(insn, 0, sizeof(*insn));
	insn->seg = insn->base = insn->index = -1;
	insn->fetched = min_t(unsigned int, nbytes, INSN_MAX);
	if (insn->fetched)
		memcpy(insn->bytes, bytes, insn->fetched);
	c->executing = false;
	c->seg_valid = 0;

	row = opcode(&k);
	if (k.err != EM_DONE)
		return k.err;
	sizes(&k);
	resolve(&k, row);
	if (k.err != EM_DONE)
		return k.err;
	op_size_64(&k);
	immediates(&k);
	if (k.err != EM_DONE)
		return k.err;
	check_vex(insn, em_long(c));
	if (!insn->exec && !em_exists(insn, mandatory(insn))) {
		insn->exec = em_i_ud;
		insn->flags |= EMF_UD;
	}
	insn->len = k.pos;
	return EM_DONE;
}

/*
 * Lengths of instructions that end in an intercept: those whose length is asked
 * for on every exit if the processor does not save the next rip. 0: not here.
 */
static const u8 quick_1[256] = {
	[0x6c ... 0x6f] = 1,	/* ins, outs */
	[0x90] = 1,		/* pause, with F3 */
	[0x9c ... 0x9d] = 1,	/* pushf, popf */
	[0xcc] = 1, [0xcd] = 2, [0xce] = 1, [0xcf] = 1, /* int, iret */
	[0xe4 ... 0xe7] = 2, [0xec ... 0xef] = 1, /* in, out */
	[0xf1] = 1, [0xf4] = 1,	/* int1, hlt */
};

static const u8 quick_0f[256] = {
	[0x06] = 2, [0x08 ... 0x09] = 2, [0x0b] = 2, /* clts, invd, wbinvd, ud2 */
	[0x20 ... 0x23] = 3,	/* mov to and from cr and dr */
	[0x30 ... 0x33] = 2,	/* wrmsr, rdtsc, rdmsr, rdpmc */
	[0xa2] = 2, [0xaa] = 2,	/* cpuid, rsm */
};

static bool is_prefix(u8 b, bool is64)
{
	return b == 0x66 || b == 0x67 || b == 0xf2 || b == 0xf3 || (is64 && (b & 0xf0) == 0x40);
}

static int quick_len(const u8 *b, unsigned int n, bool is64)
{
	unsigned int i = 0;

	while (i < 4 && i < n && is_prefix(b[i], is64))
		i++;
	if (i + 3 > n)
		return 0;
	if (b[i] != 0x0f)
		return quick_1[b[i]] ? i + quick_1[b[i]] : 0;
	if (b[i + 1] == 0x01 && b[i + 2] >= 0xc0)
		return i + 3;	/* vmmcall, xsetbv, rdtscp ... */
	return quick_0f[b[i + 1]] ? i + quick_0f[b[i + 1]] : 0;
}

int em_insn_len(struct em_ctx *c, const void *bytes, unsigned int nbytes)
{
	struct em_insn *insn = &c->insn;
	u8 buf[INSN_MAX];
	unsigned int n;
	int len;

	c->executing = false;
	c->seg_valid = 0;
	insn->fetched = n = min_t(unsigned int, nbytes, INSN_MAX);
	if (n)
		memcpy(insn->bytes, bytes, n);
	else if (fetch_more(c) != EM_DONE)
		return -1;
	n = insn->fetched;
	len = quick_len(insn->bytes, n, em_long(c));
	if (len)
		return len;
	memcpy(buf, insn->bytes, n);
	return em_decode(c, buf, n) == EM_DONE ? insn->len : -1;
}
