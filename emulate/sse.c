// SPDX-License-Identifier: GPL-2.0
/*
 * Moves between memory, general and vector registers.
 *
 * Device drivers and compilers touch device memory with vector registers now
 * and then; arithmetic on device memory they leave alone, and so do we. The
 * registers themselves belong to the callback ops->vec, so nothing here needs the FPU.
 *
 * Legacy encodings leave the upper part of a ymm register alone, VEX encodings
 * clear it: operand.c has chosen the EM_VEC_* kind accordingly. Moves into part
 * of a register merge with the destination, or with VEX.vvvv if there is one.
 */
#include "internal.h"

enum em_result em_i_vmov(struct em_ctx *c)
{
	memcpy(c->dst.b, c->src.b, sizeof(c->dst.b));
	return EM_DONE;
}

/* Scalar moves ignore VEX.L. */
static void narrow(struct em_ctx *c)
{
	if (c->dst.kind == EM_OPND_VEC && c->dst.vec == EM_VEC_YMM)
		c->dst.vec = EM_VEC_XMM_ZX;
}

/* Load dst with what the new part is merged into. */
static enum em_result merge_base(struct em_ctx *c)
{
	unsigned int reg = c->insn.vex ? c->insn.vvvv : c->dst.reg;

	if (!em_long(c))
		reg &= 7;
	return c->ops->vec(c, EM_VEC_XMM, reg, c->dst.b, false);
}

static enum em_result scalar(struct em_ctx *c, unsigned int size)
{
	enum em_result r;

	narrow(c);
	if (c->src.kind == EM_OPND_MEM || c->dst.kind == EM_OPND_MEM) {
		memset(c->dst.b, 0, sizeof(c->dst.b));
		memcpy(c->dst.b, c->src.b, size);
		return EM_DONE;
	}
	r = merge_base(c);
	memcpy(c->dst.b, c->src.b, size);
	return r;
}

enum em_result em_i_vmov_scalar4(struct em_ctx *c)
{
	return scalar(c, 4);
}

enum em_result em_i_vmov_scalar8(struct em_ctx *c)
{
	return scalar(c, 8);
}

/* MOVLPS and MOVLPD from memory, MOVHLPS between registers. */
enum em_result em_i_vmov_low(struct em_ctx *c)
{
	bool mem = c->src.kind == EM_OPND_MEM;
	enum em_result r;

	if (!mem && c->insn.opsize_pfx)
		return em_undef(c);
	r = merge_base(c);
	c->dst.q[0] = mem ? c->src.q[0] : c->src.q[1];
	return r;
}

/* MOVHPS and MOVHPD from memory, MOVLHPS between registers. */
enum em_result em_i_vmov_high(struct em_ctx *c)
{
	bool mem = c->src.kind == EM_OPND_MEM;
	enum em_result r;

	if (!mem && c->insn.opsize_pfx)
		return em_undef(c);
	r = merge_base(c);
	c->dst.q[1] = c->src.q[0];
	return r;
}

enum em_result em_i_vmov_store_high(struct em_ctx *c)
{
	if (c->dst.kind != EM_OPND_MEM)
		return em_undef(c);
	c->dst.q[0] = c->src.q[1];
	return EM_DONE;
}

enum em_result em_i_vmovq_load(struct em_ctx *c)
{
	c->dst.q[0] = c->src.q[0];
	return EM_DONE;
}

/* 0F D6 has a register form, 0F 13 (MOVLPS) has none. */
enum em_result em_i_vmovq_store(struct em_ctx *c)
{
	if (c->insn.opcode == 0x13 && c->dst.kind != EM_OPND_MEM)
		return em_undef(c);
	return em_i_vmovq_load(c);
}

enum em_result em_i_vmovd_load(struct em_ctx *c)
{
	return em_i_vmovq_load(c);
}

enum em_result em_i_vmovd_store(struct em_ctx *c)
{
	return em_i_vmovq_load(c);
}

enum em_result em_i_movq2dq(struct em_ctx *c)
{
	return em_i_vmovq_load(c);
}

enum em_result em_i_movdq2q(struct em_ctx *c)
{
	return em_i_vmovq_load(c);
}

enum em_result em_i_emms(struct em_ctx *c)
{
	return c->ops->vec(c, EM_VEC_EMMS, 0, NULL, true);
}

enum em_result em_i_ldmxcsr(struct em_ctx *c)
{
	if (c->src.kind != EM_OPND_MEM)
		return em_undef(c);
	return c->ops->vec(c, EM_VEC_MXCSR, 0, c->src.b, true);
}

enum em_result em_i_stmxcsr(struct em_ctx *c)
{
	if (c->dst.kind != EM_OPND_MEM)
		return em_undef(c);
	return c->ops->vec(c, EM_VEC_MXCSR, 0, c->dst.b, false);
}

/* MOVSLDUP, MOVSHDUP: every second dword, twice. */
static enum em_result every_second(struct em_ctx *c, unsigned int first)
{
	unsigned int i;

	for (i = 0; i < 8; i += 2) {
		u32 v;

		memcpy(&v, c->src.b + (i + first) * 4, 4);
		memcpy(c->dst.b + i * 4, &v, 4);
		memcpy(c->dst.b + i * 4 + 4, &v, 4);
	}
	return EM_DONE;
}

enum em_result em_i_vmov_even(struct em_ctx *c)
{
	return every_second(c, 0);
}

enum em_result em_i_vmov_odd(struct em_ctx *c)
{
	return every_second(c, 1);
}

enum em_result em_i_vmov_dup(struct em_ctx *c)
{
	c->dst.q[0] = c->dst.q[1] = c->src.q[0];
	c->dst.q[2] = c->dst.q[3] = c->src.q[2];
	return EM_DONE;
}

/* The sign bits of elements of @esize bytes, gathered. */
static enum em_result sign_bits(struct em_ctx *c, unsigned int esize)
{
	unsigned int i;
	u64 bits = 0;

	for (i = 0; i < c->src.size / esize; i++)
		bits |= (u64)(c->src.b[i * esize + esize - 1] >> 7) << i;
	c->dst.val = bits;
	return EM_DONE;
}

enum em_result em_i_movmskps(struct em_ctx *c)
{
	return sign_bits(c, 4);
}

enum em_result em_i_movmskpd(struct em_ctx *c)
{
	return sign_bits(c, 8);
}

enum em_result em_i_pmovmskb(struct em_ctx *c)
{
	return sign_bits(c, 1);
}

/* Bytes in an element of PINSR and PEXTR. */
static unsigned int element(const struct em_ctx *c)
{
	switch (c->insn.opcode) {
	case 0x14:
	case 0x20:
		return 1;
	case 0x16:
	case 0x22:
		return c->insn.rex & 8 && em_long(c) ? 8 : 4;
	case 0x17:
		return 4;
	default:
		return 2;
	}
}

/* Where the element that the immediate byte names begins, in a register of @size bytes. */
static unsigned int element_at(const struct em_ctx *c, unsigned int size)
{
	return c->src2.val * element(c) & (size - 1);
}

enum em_result em_i_pinsr(struct em_ctx *c)
{
	enum em_result r = EM_DONE;

	if (c->dst.vec != EM_VEC_MMX)
		r = merge_base(c);
	memcpy(c->dst.b + element_at(c, c->dst.size), c->src.b, element(c));
	return r;
}

enum em_result em_i_pextr(struct em_ctx *c)
{
	c->dst.val = 0;
	memcpy(c->dst.b, c->src.b + element_at(c, c->src.size), element(c));
	return EM_DONE;
}

/* INSERTPS: which dword, to where, and which of the result become zero. */
enum em_result em_i_insertps(struct em_ctx *c)
{
	unsigned int imm = c->src2.val, i;
	unsigned int from = c->src.kind == EM_OPND_MEM ? 0 : imm >> 6 & 3;
	enum em_result r = merge_base(c);

	memcpy(c->dst.b + (imm >> 4 & 3) * 4, c->src.b + from * 4, 4);
	for (i = 0; i < 4; i++)
		if (imm & BIT(i))
			memset(c->dst.b + i * 4, 0, 4);
	return r;
}

/*
 * Masked moves touch only the elements whose mask has its sign bit set, each by
 * an access of its own. A store looks first whether all of them can be written.
 */
struct masked {
	int seg;
	u64 off;
	unsigned int esize, count;
	const u8 *mask;
	u8 *data;
};

enum masked_op { MASKED_PROBE, MASKED_READ, MASKED_WRITE };

static enum em_result one_masked(struct em_ctx *c, const struct masked *m, unsigned int i,
				 enum masked_op op)
{
	u64 off = (m->off + i * m->esize) & em_mask(c->insn.addr_size);
	unsigned int acc = op == MASKED_READ ? 0 : EM_ACC_WRITE;
	u8 *at = m->data + i * m->esize;
	enum em_result r;
	u64 la;

	r = em_linear_any(c, m->seg, off, m->esize, acc, &la);
	if (r != EM_DONE)
		return r;
	if (op == MASKED_READ)
		return em_read_la(c, la, at, m->esize, 0);
	return em_write_la(c, la, at, m->esize, op == MASKED_PROBE ? EM_ACC_PROBE : 0);
}

static enum em_result all_masked(struct em_ctx *c, const struct masked *m, enum masked_op op)
{
	enum em_result r = EM_DONE;
	unsigned int i;

	for (i = 0; i < m->count && r == EM_DONE; i++)
		if (m->mask[(i + 1) * m->esize - 1] & 0x80)
			r = one_masked(c, m, i, op);
	return r;
}

static enum em_result store_masked(struct em_ctx *c, const struct masked *m)
{
	enum em_result r = all_masked(c, m, MASKED_PROBE);

	return r == EM_DONE ? all_masked(c, m, MASKED_WRITE) : r;
}

/* MASKMOVQ, MASKMOVDQU: bytes of src2 under the mask src to DS:rDI. */
enum em_result em_i_maskmov(struct em_ctx *c)
{
	const struct masked m = {
		.seg = c->insn.seg >= 0 ? c->insn.seg : EM_DS,
		.off = em_gpr(c, RDI, c->insn.addr_size),
		.esize = 1, .count = c->src.size, .mask = c->src.b, .data = c->src2.b,
	};

	/* the mask is looked at after the address */
	enum em_result r = em_probe_any(c, m.seg, m.off, m.count);

	return r == EM_DONE ? all_masked(c, &m, MASKED_WRITE) : r;
}

/* VMASKMOVPS has an opcode with bit 0 clear, VMASKMOVPD set; VPMASKMOV has VEX.W. */
static unsigned int mask_element(const struct em_ctx *c)
{
	bool wide = c->insn.opcode < 0x80 ? c->insn.opcode & 1 : c->insn.rex & 8;

	return wide ? 8 : 4;
}

enum em_result em_i_maskload(struct em_ctx *c)
{
	unsigned int esize = mask_element(c);
	const struct masked m = {
		.seg = c->src2.seg, .off = c->src2.off, .esize = esize,
		.count = c->dst.size / esize, .mask = c->src.b, .data = c->dst.b,
	};

	if (c->src2.kind != EM_OPND_MEM)
		return em_undef(c);
	memset(c->dst.b, 0, sizeof(c->dst.b));
	return all_masked(c, &m, MASKED_READ);
}

enum em_result em_i_maskstore(struct em_ctx *c)
{
	unsigned int esize = mask_element(c);
	const struct masked m = {
		.seg = c->dst.seg, .off = c->dst.off, .esize = esize,
		.count = c->src2.size / esize, .mask = c->src.b, .data = c->src2.b,
	};

	return store_masked(c, &m);
}

/* VBROADCAST*: the source over and over. */
enum em_result em_i_broadcast(struct em_ctx *c)
{
	unsigned int i, n = c->src.size;
	enum em_result r = EM_DONE;

	if (n == 16)
		r = em_read(c, c->src.seg, c->src.off, c->src.b, n);
	for (i = 0; i < sizeof(c->dst.b); i += n)
		memcpy(c->dst.b + i, c->src.b, n);
	return r;
}

enum em_result em_i_insert128(struct em_ctx *c)
{
	unsigned int reg = em_long(c) ? c->insn.vvvv : c->insn.vvvv & 7;
	enum em_result r;

	r = c->ops->vec(c, EM_VEC_YMM, reg, c->dst.b, false);
	memcpy(c->dst.b + (c->src2.val & 1) * 16, c->src.b, 16);
	return r;
}

enum em_result em_i_extract128(struct em_ctx *c)
{
	memcpy(c->dst.b, c->src.b + (c->src2.val & 1) * 16, 16);
	return EM_DONE;
}

/* Bytes of an element before and after PMOVSX and PMOVZX, by the low opcode bits. */
static const struct { u8 from, to; } widths[8] = {
	{ 1, 2 }, { 1, 4 }, { 1, 8 }, { 2, 4 }, { 2, 8 }, { 4, 8 },
};

static enum em_result widen(struct em_ctx *c, bool sign)
{
	unsigned int from = widths[c->insn.opcode & 7].from, to = widths[c->insn.opcode & 7].to;
	unsigned int i;

	for (i = 0; i < c->dst.size / to; i++) {
		u64 v = 0;

		memcpy(&v, c->src.b + i * from, from);
		if (sign)
			v = em_sext(v, from);
		memcpy(c->dst.b + i * to, &v, to);
	}
	return EM_DONE;
}

enum em_result em_i_pmovsx(struct em_ctx *c)
{
	return widen(c, true);
}

enum em_result em_i_pmovzx(struct em_ctx *c)
{
	return widen(c, false);
}

/* EMMS of the 3DNow! extensions. */
enum em_result em_i_femms(struct em_ctx *c)
{
	return em_i_emms(c);
}

/* Extensions of old processors that are all arithmetic: not here. */
enum em_result em_i_amd3dnow(struct em_ctx *c __maybe_unused)
{
	return EM_UNSUPPORTED;
}

enum em_result em_i_xop(struct em_ctx *c __maybe_unused)
{
	return EM_UNSUPPORTED;
}

/* VZEROUPPER, and with VEX.L VZEROALL. */
enum em_result em_i_vzero(struct em_ctx *c)
{
	unsigned int reg, regs = em_long(c) ? 16 : 8;
	enum em_result r = EM_DONE;
	u8 val[EM_MAX_ACCESS] = {};

	for (reg = 0; reg < regs && r == EM_DONE; reg++) {
		if (!c->insn.vex_l)
			r = c->ops->vec(c, EM_VEC_XMM, reg, val, false);
		if (r == EM_DONE)
			r = c->ops->vec(c, EM_VEC_XMM_ZX, reg, val, true);
	}
	return r;
}
