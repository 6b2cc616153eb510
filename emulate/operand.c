// SPDX-License-Identifier: GPL-2.0
/*
 * Operands: registers, effective addresses, segments' rules, and every access
 * that leaves the emulator.
 *
 * Each access through a callback goes by the log. When a callback was pending,
 * the instruction runs again from its start, and accesses that had finished are
 * answered from the log: a device sees one read, the guest one write. The log
 * is a plain list without keys, because an instruction that starts from the
 * same registers and gets the same answers makes the same accesses in the same
 * order. Whoever changes a handler keeps that true. An instruction with more
 * accesses than the log holds simply cannot be pending after that point.
 */
#include "internal.h"

void em_log_reset(struct em_ctx *c)
{
	c->log.done = c->log.done_bytes = 0;
	c->log.pos = c->log.pos_bytes = 0;
	c->log.overflow = false;
}

/* Was this access finished in an earlier run? Then give its answer. */
static bool log_replay(struct em_ctx *c, void *data, unsigned int size)
{
	struct em_log *log = &c->log;

	if (log->pos == log->done)
		return false;
	if (data)
		memcpy(data, log->data + log->pos_bytes, size);
	log->pos++;
	log->pos_bytes += data ? size : 0;
	return true;
}

/* Note the outcome of an access; size 0 if there is no answer to remember. */
static enum em_result log_result(struct em_ctx *c, enum em_result r, const void *data,
				 unsigned int size)
{
	struct em_log *log = &c->log;

	if (r == EM_PENDING && log->overflow)
		return EM_UNSUPPORTED;
	if (r != EM_DONE || log->overflow)
		return r;
	if (log->done == U16_MAX || log->done_bytes + size > EM_LOG_BYTES) {
		log->overflow = true;
		return r;
	}
	memcpy(log->data + log->done_bytes, data, size);
	log->done_bytes += size;
	log->pos_bytes = log->done_bytes;
	log->pos = ++log->done;
	return r;
}

static unsigned int acc_flags(const struct em_ctx *c, unsigned int acc)
{
	return em_cpl(c) == 3 && !(acc & EM_ACC_SYSTEM) ? acc | EM_ACC_USER : acc;
}

enum em_result em_read_la(struct em_ctx *c, u64 la, void *buf, unsigned int size,
			  unsigned int acc)
{
	enum em_result r;

	if (log_replay(c, buf, size))
		return EM_DONE;
	r = c->ops->read_mem(c, la, buf, size, acc_flags(c, acc));
	return log_result(c, r, buf, size);
}

enum em_result em_write_la(struct em_ctx *c, u64 la, const void *buf,
			   unsigned int size, unsigned int acc)
{
	enum em_result r;

	if (log_replay(c, NULL, 0))
		return EM_DONE;
	r = c->ops->write_mem(c, la, buf, size, acc_flags(c, acc | EM_ACC_WRITE));
	return log_result(c, r, buf, 0);
}

enum em_result em_cmpxchg_la(struct em_ctx *c, u64 la, const void *old,
			     const void *new, unsigned int size, unsigned int acc)
{
	enum em_result r;

	if (log_replay(c, NULL, 0))
		return EM_DONE;
	acc = acc_flags(c, acc | EM_ACC_WRITE | EM_ACC_LOCK);
	r = c->ops->cmpxchg_mem(c, la, old, new, size, acc);
	return log_result(c, r, new, 0);
}

/* The data of port I/O stays in the caller's buffer, which outlives the exit. */
enum em_result em_port(struct em_ctx *c, bool write, u16 port, unsigned int size,
		       void *data, unsigned int count)
{
	enum em_result r;

	if (log_replay(c, NULL, 0))
		return EM_DONE;
	r = c->ops->port_io(c, write, port, size, data, count);
	return log_result(c, r, data, 0);
}

enum em_result em_get_reg(struct em_ctx *c, enum em_reg_class class, u32 nr, u64 *val)
{
	enum em_result r;

	if (log_replay(c, val, sizeof(*val)))
		return EM_DONE;
	r = c->ops->get_reg(c, class, nr, val);
	return log_result(c, r, val, sizeof(*val));
}

enum em_result em_set_reg(struct em_ctx *c, enum em_reg_class class, u32 nr, u64 val)
{
	enum em_result r;

	if (log_replay(c, NULL, 0))
		return EM_DONE;
	r = c->ops->set_reg(c, class, nr, val);
	return log_result(c, r, &val, 0);
}

/*
 * An x87 instruction on the guest's registers: it must not run twice, hence it
 * goes by the log as accesses do.
 */
enum em_result em_x87(struct em_ctx *c, struct em_x87 *x)
{
	enum em_result r;

	if (log_replay(c, x, sizeof(*x)))
		return EM_DONE;
	r = c->ops->vec(c, EM_VEC_X87, (c->insn.opcode & 7) << 8 | c->insn.modrm, x, true);
	return log_result(c, r, x, sizeof(*x));
}

enum em_result em_system(struct em_ctx *c, enum em_sys what, u64 arg)
{
	enum em_result r;

	if (log_replay(c, NULL, 0))
		return EM_DONE;
	r = c->ops->system(c, what, arg);
	return log_result(c, r, &arg, 0);
}

const struct em_seg *em_seg(struct em_ctx *c, enum em_seg_id id)
{
	if (!(c->seg_valid & BIT(id))) {
		c->ops->get_seg(c, id, &c->seg[id]);
		c->seg_valid |= BIT(id);
	}
	return &c->seg[id];
}

void em_set_seg(struct em_ctx *c, enum em_seg_id id, const struct em_seg *seg)
{
	c->seg[id] = *seg;
	c->seg_valid |= BIT(id);
	c->ops->set_seg(c, id, seg);
}

bool em_canonical(const struct em_ctx *c, u64 la)
{
	unsigned int bits = c->cr4 & X86_CR4_LA57 ? 57 : 48;

	return (u64)sign_extend64(la, bits - 1) == la;
}

static bool expand_down(const struct em_seg *s)
{
	return (s->attr & (EM_SEG_S | 0xc)) == (EM_SEG_S | 0x4);
}

static bool in_limit(const struct em_seg *s, u64 off, unsigned int size)
{
	u64 last = off + size - 1;

	if (expand_down(s))
		return off > s->limit && last <= (s->attr & EM_SEG_DB ? U32_MAX : U16_MAX);
	return last <= s->limit;
}

/* May this segment be used that way at all? */
static bool type_allows(const struct em_seg *s, bool write)
{
	unsigned int type = s->attr & EM_SEG_TYPE;

	if (!(s->attr & EM_SEG_P))
		return false;
	if (type & 8)
		return !write && type & 2;
	return !write || type & 2;
}

static enum em_result check_align(struct em_ctx *c, u64 la, unsigned int size)
{
	if (em_cpl(c) != 3 || !(c->rflags & X86_EFLAGS_AC) || !(c->cr0 & X86_CR0_AM))
		return EM_DONE;
	if (size == 10)
		size = 8;	/* x87 */
	if (size >= 32)
		size = 16;
	/* Intel's processors don't check what vector registers move. */
	if ((size > 8 && c->intel) || !is_power_of_2(size) || !(la & (size - 1)))
		return EM_DONE;
	return em_raise(c, EM_EX_AC, 0);
}

static enum em_result seg_fault(struct em_ctx *c, int seg)
{
	return em_raise(c, seg == EM_SS ? EM_EX_SS : EM_EX_GP, 0);
}

/* em_linear() for what #AC never looks at. */
enum em_result em_linear_any(struct em_ctx *c, int seg, u64 off, unsigned int size,
			     unsigned int acc, u64 *la)
{
	const struct em_seg *s;

	if (em_long(c)) {
		*la = off;
		if (seg == EM_FS || seg == EM_GS)
			*la += em_seg(c, seg)->base;
		if (!em_canonical(c, *la) || !em_canonical(c, *la + size - 1))
			return seg_fault(c, seg);
		return EM_DONE;
	}
	s = em_seg(c, seg);
	if (em_prot(c) && !type_allows(s, acc & EM_ACC_WRITE))
		return seg_fault(c, seg);
	if (!in_limit(s, off, size))
		return seg_fault(c, seg);
	*la = (u32)(s->base + off);
	return EM_DONE;
}

/*
 * Linear address of @size bytes at @off in @seg, checked against everything
 * that comes before paging.
 */
enum em_result em_linear(struct em_ctx *c, int seg, u64 off, unsigned int size,
			 unsigned int acc, u64 *la)
{
	enum em_result r = em_linear_any(c, seg, off, size, acc, la);

	return r == EM_DONE ? check_align(c, *la, size) : r;
}

enum em_result em_read(struct em_ctx *c, int seg, u64 off, void *buf, unsigned int size)
{
	enum em_result r;
	u64 la;

	r = em_linear(c, seg, off, size, 0, &la);
	return r == EM_DONE ? em_read_la(c, la, buf, size, 0) : r;
}

enum em_result em_write(struct em_ctx *c, int seg, u64 off, const void *buf,
			unsigned int size)
{
	enum em_result r;
	u64 la;

	r = em_linear(c, seg, off, size, EM_ACC_WRITE, &la);
	return r == EM_DONE ? em_write_la(c, la, buf, size, 0) : r;
}

enum block_op { BLOCK_READ, BLOCK_WRITE, BLOCK_PROBE };

static enum em_result block_piece(struct em_ctx *c, int seg, u64 off, void *buf,
				  unsigned int size, enum block_op op)
{
	unsigned int acc = op == BLOCK_READ ? 0 : EM_ACC_WRITE;
	enum em_result r;
	u64 la;

	r = em_linear_any(c, seg, off & em_mask(c->insn.addr_size), size, acc, &la);
	if (r != EM_DONE)
		return r;
	if (op == BLOCK_READ)
		return em_read_la(c, la, buf, size, 0);
	return em_write_la(c, la, buf, size, op == BLOCK_PROBE ? EM_ACC_PROBE : 0);
}

/* Would a write fault, #AC aside? Changes nothing. */
enum em_result em_probe_any(struct em_ctx *c, int seg, u64 off, unsigned int size)
{
	static u8 nothing[EM_MAX_ACCESS];

	return block_piece(c, seg, off, nothing, size, BLOCK_PROBE);
}

enum em_result em_probe(struct em_ctx *c, int seg, u64 off, unsigned int size)
{
	enum em_result r;
	u64 la;

	r = em_linear(c, seg, off, size, EM_ACC_WRITE, &la);
	return r == EM_DONE ? em_probe_any(c, seg, off, size) : r;
}

/*
 * Larger structures, in pieces that the callbacks take, with no look at #AC: @write probes all of it
 * first, so that nothing is written if some of it can't be.
 */
enum em_result em_block(struct em_ctx *c, int seg, u64 off, void *buf, unsigned int size,
			bool write)
{
	enum em_result r = EM_DONE;
	unsigned int i, n;

	for (i = 0; write && i < size && r == EM_DONE; i += n) {
		n = min_t(unsigned int, size - i, EM_MAX_ACCESS);
		r = block_piece(c, seg, off + i, buf + i, n, BLOCK_PROBE);
	}
	for (i = 0; i < size && r == EM_DONE; i += n) {
		n = min_t(unsigned int, size - i, EM_MAX_ACCESS);
		r = block_piece(c, seg, off + i, buf + i, n, write ? BLOCK_WRITE : BLOCK_READ);
	}
	return r;
}

u64 em_gpr(const struct em_ctx *c, unsigned int reg, unsigned int size)
{
	return c->gpr[reg & 15] & em_mask(size);
}

/* Bytes and words leave the rest of the register alone, dwords clear it. */
void em_put_gpr(struct em_ctx *c, unsigned int reg, unsigned int size, u64 val)
{
	u64 *p = &c->gpr[reg & 15];
	u64 mask = em_mask(size);

	if (size < 4)
		*p = (*p & ~mask) | (val & mask);
	else
		*p = val & mask;
}

void em_add_gpr(struct em_ctx *c, unsigned int reg, unsigned int size, s64 add)
{
	em_put_gpr(c, reg, size, em_gpr(c, reg, size) + add);
}

u64 em_ea(struct em_ctx *c)
{
	const struct em_insn *insn = &c->insn;
	u64 ea = insn->disp;

	if (insn->base == 16)
		ea += c->rip + insn->len;
	else if (insn->base >= 0)
		ea += c->gpr[insn->base];
	if (insn->index >= 0)
		ea += c->gpr[insn->index] << insn->scale;
	return ea & em_mask(insn->addr_size);
}

/* rbp and rsp as base mean the stack segment, unless a prefix says otherwise. */
int em_ea_seg(struct em_ctx *c)
{
	const struct em_insn *insn = &c->insn;

	if (insn->seg >= 0)
		return insn->seg;
	return insn->base == RBP || insn->base == RSP ? EM_SS : EM_DS;
}

/* Offset in a far pointer: AMD's processors know none of 64 bits. */
unsigned int em_far_size(const struct em_ctx *c)
{
	return c->intel ? c->insn.op_size : min_t(unsigned int, c->insn.op_size, 4);
}

unsigned int em_stack_size(struct em_ctx *c)
{
	if (em_long(c))
		return 8;
	return em_seg(c, EM_SS)->attr & EM_SEG_DB ? 4 : 2;
}

enum em_result em_push(struct em_ctx *c, u64 val, unsigned int size)
{
	unsigned int ssize = em_stack_size(c);
	u64 sp = (em_gpr(c, RSP, ssize) - size) & em_mask(ssize);
	enum em_result r;

	r = em_write(c, EM_SS, sp, &val, size);
	if (r == EM_DONE)
		em_put_gpr(c, RSP, ssize, sp);
	return r;
}

enum em_result em_pop(struct em_ctx *c, u64 *val, unsigned int size)
{
	unsigned int ssize = em_stack_size(c);
	enum em_result r;

	*val = 0;
	r = em_read(c, EM_SS, em_gpr(c, RSP, ssize), val, size);
	if (r == EM_DONE)
		em_add_gpr(c, RSP, ssize, size);
	return r;
}

bool em_condition(u64 f, unsigned int cc)
{
	bool sf_of = !(f & X86_EFLAGS_SF) != !(f & X86_EFLAGS_OF);
	bool yes = false;

	switch (cc >> 1 & 7) {
	case 0:
		yes = f & X86_EFLAGS_OF;
		break;
	case 1:
		yes = f & X86_EFLAGS_CF;
		break;
	case 2:
		yes = f & X86_EFLAGS_ZF;
		break;
	case 3:
		yes = f & (X86_EFLAGS_CF | X86_EFLAGS_ZF);
		break;
	case 4:
		yes = f & X86_EFLAGS_SF;
		break;
	case 5:
		yes = f & X86_EFLAGS_PF;
		break;
	case 6:
		yes = sf_of;
		break;
	case 7:
		yes = sf_of || f & X86_EFLAGS_ZF;
		break;
	}
	return yes != (cc & 1);
}

/* What an operand kind amounts to. */
enum place { P_NONE, P_RM, P_MEM, P_REG, P_RNAT, P_VVVV, P_ACC, P_OPREG, P_CL, P_DX,
	     P_ONE, P_IMM, P_MOFFS, P_SREG, P_VREG, P_VRM, P_VVREG };

/* Sizes that are not a number of bytes. */
enum { S_OP = 0x80, S_Y, S_D, S_V, S_NAT, S_B4, S_W4, S_DUP, S_X16, S_H2, S_H4, S_H8 };

struct kind {
	u8 place;
	u8 size;
	u8 vec;		/* EM_VEC_XMM stands for the size VEX.L selects */
};

static const struct kind kinds[K_NR] = {
	[K_RM] = { P_RM, S_OP },
	[K_RM8] = { P_RM, 1 },
	[K_RM16] = { P_RM, 2 },
	[K_RM32] = { P_RM, 4 },
	[K_RMY] = { P_RM, S_Y },
	[K_RMD] = { P_RM, S_D },
	[K_RMV] = { P_RM, S_V },
	[K_RMBIT] = { P_RM, S_OP },
	[K_MEM] = { P_MEM, S_OP },
	[K_REG] = { P_REG, S_OP },
	[K_REG32] = { P_REG, S_Y },
	[K_SREG] = { P_SREG, 2 },
	[K_CREG] = { P_NONE },
	[K_RNAT] = { P_RNAT, S_NAT },
	[K_VVVV] = { P_VVVV, S_Y },
	[K_XREG] = { P_VREG, 16, EM_VEC_XMM },
	[K_XRM] = { P_VRM, 16, EM_VEC_XMM },
	[K_XRM8] = { P_VRM, 8, EM_VEC_XMM },
	[K_XRM4] = { P_VRM, 4, EM_VEC_XMM },
	[K_XRM2] = { P_VRM, 2, EM_VEC_XMM },
	[K_XRM1] = { P_VRM, 1, EM_VEC_XMM },
	[K_XRM16] = { P_VRM, S_X16, EM_VEC_XMM },
	[K_XRMDUP] = { P_VRM, S_DUP, EM_VEC_XMM },
	[K_XRMH2] = { P_VRM, S_H2, EM_VEC_XMM },
	[K_XRMH4] = { P_VRM, S_H4, EM_VEC_XMM },
	[K_XRMH8] = { P_VRM, S_H8, EM_VEC_XMM },
	[K_VREG] = { P_VVREG, 16, EM_VEC_XMM },
	[K_M16] = { P_MEM, 2 },
	[K_M32] = { P_MEM, 4 },
	[K_M64] = { P_MEM, 8 },
	[K_M80] = { P_MEM, 10 },
	[K_M128] = { P_MEM, S_X16 },
	[K_RMB32] = { P_RM, S_B4 },
	[K_RMW32] = { P_RM, S_W4 },
	[K_MREG] = { P_VREG, 8, EM_VEC_MMX },
	[K_MRM] = { P_VRM, 8, EM_VEC_MMX },
	[K_ACC] = { P_ACC, S_OP },
	[K_OPREG] = { P_OPREG, S_OP },
	[K_CL] = { P_CL, 1 },
	[K_DX] = { P_DX, 2 },
	[K_ONE] = { P_ONE, 1 },
	[K_IMM] = { P_IMM, S_OP },
	[K_IMMV] = { P_IMM, S_OP },
	[K_IMM8] = { P_IMM, 1 },
	[K_IMM16] = { P_IMM, 2 },
	[K_SIMM8] = { P_IMM, S_OP },
	[K_FAR] = { P_IMM, S_OP },
	[K_MOFFS] = { P_MOFFS, S_OP },
};

static unsigned int kind_size(struct em_ctx *c, const struct kind *k)
{
	switch (k->size) {
	case S_OP:
		return c->insn.flags & EMF_BYTE ? 1 : c->insn.op_size;
	case S_Y:
		return c->insn.rex & 8 && em_long(c) ? 8 : 4;
	case S_D:
		return c->intel ? min_t(unsigned int, c->insn.op_size, 4) : 4;
	case S_V:
		return c->insn.modrm >= 0xc0 ? c->insn.op_size : 2;
	case S_NAT:
		return em_long(c) ? 8 : 4;
	case S_B4:
		return c->insn.modrm >= 0xc0 ? 4 : 1;
	case S_W4:
		return c->insn.modrm >= 0xc0 ? 4 : 2;
	case S_DUP:
		return c->insn.vex_l ? 32 : 8;
	case S_X16:
		return 16;
	case S_H2:
	case S_H4:
	case S_H8:
		return (c->insn.vex_l ? 32 : 16) >> (k->size - S_H2 + 1);
	case 16:
		return c->insn.vex_l ? 32 : 16;
	}
	return k->size;
}

/* Without REX, byte registers 4-7 are the high halves of the first four. */
static void set_reg(struct em_ctx *c, struct em_operand *o, unsigned int reg)
{
	o->kind = EM_OPND_REG;
	o->reg = reg;
	if (o->size == 1 && !c->insn.rex && reg >= 4) {
		o->kind = EM_OPND_HIGH;
		o->reg = reg - 4;
	}
}

static void set_mem(struct em_ctx *c, struct em_operand *o)
{
	o->kind = EM_OPND_MEM;
	o->seg = em_ea_seg(c);
	o->off = em_ea(c);
}

static void set_vec(struct em_ctx *c, struct em_operand *o, const struct kind *k,
		    unsigned int reg)
{
	o->kind = EM_OPND_VEC;
	o->reg = k->vec == EM_VEC_MMX ? reg & 7 : reg;
	o->vec = k->vec;
	if (k->vec == EM_VEC_XMM && c->insn.vex)
		o->vec = c->insn.vex_l && k->size != S_X16 ? EM_VEC_YMM : EM_VEC_XMM_ZX;
}

/* VEX.vvvv has 16 values everywhere; outside 64-bit mode there are eight registers. */
static unsigned int vvvv_reg(const struct em_ctx *c)
{
	return em_long(c) ? c->insn.vvvv : c->insn.vvvv & 7;
}

static unsigned int modrm_rm(const struct em_insn *insn)
{
	return (insn->modrm & 7) | (insn->rex & 1) << 3;
}

/* The general register at @place, or -1. */
static int gpr_at(struct em_ctx *c, u8 place)
{
	const struct em_insn *insn = &c->insn;

	switch (place) {
	case P_RM:
		return insn->modrm < 0xc0 ? -1 : (int)modrm_rm(insn);
	case P_RNAT:
		return modrm_rm(insn);
	case P_REG:
		return em_modrm_reg(insn);
	case P_VVVV:
		return vvvv_reg(c);
	case P_OPREG:
		return (insn->opcode & 7) | (insn->rex & 1) << 3;
	case P_ACC:
		return RAX;
	case P_CL:
		return RCX;
	case P_DX:
		return RDX;
	}
	return -1;
}

static enum em_result set_sreg(struct em_ctx *c, struct em_operand *o)
{
	o->kind = EM_OPND_SREG;
	o->reg = c->insn.modrm >> 3 & 7;
	return o->reg > EM_GS ? em_undef(c) : EM_DONE;
}

/* Fill in kind, size, register or address of an operand; reads nothing. */
static enum em_result locate(struct em_ctx *c, struct em_operand *o, u8 opk, u64 imm)
{
	const struct kind *k = &kinds[opk];
	bool mem = c->insn.modrm < 0xc0;
	int reg;

	o->kind = EM_OPND_NONE;
	o->val = 0;
	if (opk == K_NONE)
		return EM_DONE;
	reg = gpr_at(c, k->place);
	o->size = kind_size(c, k);
	memset(o->q, 0, sizeof(o->q));
	if (reg >= 0) {
		set_reg(c, o, reg);
		return EM_DONE;
	}
	switch (k->place) {
	case P_MEM:
		if (!mem)
			return em_undef(c);
		fallthrough;
	case P_RM:	/* a register was handled above */
	case P_MOFFS:
		set_mem(c, o);
		break;
	case P_IMM:
	case P_ONE:
		o->kind = EM_OPND_IMM;
		o->val = k->place == P_ONE ? 1 : imm;
		break;
	case P_SREG:
		return set_sreg(c, o);
	case P_VRM:
		if (mem)
			set_mem(c, o);
		else
			set_vec(c, o, k, modrm_rm(&c->insn));
		break;
	case P_VREG:
		set_vec(c, o, k, em_modrm_reg(&c->insn));
		break;
	case P_VVREG:
		set_vec(c, o, k, vvvv_reg(c));
		break;
	}
	return EM_DONE;
}

/* Vector operands: some are aligned always, the others unless VEX encoded. */
static bool misaligned(const struct em_ctx *c, const struct em_operand *o)
{
	u32 must = c->insn.vex ? EMF_ALIGN : EMF_ALIGN | EMF_ALIGN_SSE;

	return c->insn.flags & must && o->la & (o->size - 1);
}

/* em_linear() for an operand; that kind of misalignment comes before #AC. */
static enum em_result operand_la(struct em_ctx *c, struct em_operand *o, unsigned int acc)
{
	enum em_result r = em_linear_any(c, o->seg, o->off, o->size, acc, &o->la);

	if (r != EM_DONE)
		return r;
	return misaligned(c, o) ? em_gp(c, 0) : check_align(c, o->la, o->size);
}

static enum em_result read_memory(struct em_ctx *c, struct em_operand *o, unsigned int acc)
{
	enum em_result r;

	r = operand_la(c, o, acc);
	if (r != EM_DONE)
		return r;
	r = em_read_la(c, o->la, o->b, o->size, acc);
	o->orig = o->val;
	return r;
}

/* Of these kinds only the address is wanted. */
static bool address_only(u8 opk)
{
	return kinds[opk].place == P_MEM;
}

static enum em_result read_operand(struct em_ctx *c, struct em_operand *o, unsigned int acc)
{
	switch (o->kind) {
	case EM_OPND_REG:
		o->val = em_gpr(c, o->reg, o->size);
		break;
	case EM_OPND_HIGH:
		o->val = c->gpr[o->reg & 3] >> 8 & 0xff;
		break;
	case EM_OPND_SREG:
		o->val = em_seg(c, array_index_nospec(o->reg, EM_TR))->sel;
		break;
	case EM_OPND_MEM:
		return read_memory(c, o, acc);
	case EM_OPND_VEC:
		return c->ops->vec(c, o->vec, o->reg, o->b, false);
	}
	return EM_DONE;
}

/* A bit number beyond the operand moves a memory operand by whole operands. */
static void move_by_bit(struct em_ctx *c)
{
	struct em_operand *o = &c->dst;
	s64 bit = em_sext(c->src.val, c->src.size);
	unsigned int bits = o->size * 8;

	if (o->kind == EM_OPND_MEM)
		o->off = (o->off + (bit >> ilog2(bits)) * o->size) & em_mask(c->insn.addr_size);
}

/* Locate all operands and read those that are inputs. */
enum em_result em_operands(struct em_ctx *c)
{
	const struct em_insn *insn = &c->insn;
	unsigned int acc = insn->flags & EMF_NOWB ? 0 : EM_ACC_WRITE;
	enum em_result r;

	if (insn->lock)
		acc |= EM_ACC_LOCK;
	r = locate(c, &c->src, insn->k_src, insn->imm);
	if (r == EM_DONE)
		r = locate(c, &c->src2, insn->k_src2, insn->imm2);
	if (r == EM_DONE)
		r = locate(c, &c->dst, insn->k_dst, insn->imm);
	if (r == EM_DONE && insn->flags & EMF_MMX)
		r = em_x87_pending(c);
	/* Reading an mm register changes the x87's tags: the store must not fault then. */
	if (r == EM_DONE && insn->flags & EMF_MMX && c->dst.kind == EM_OPND_MEM)
		r = em_probe(c, c->dst.seg, c->dst.off, c->dst.size);
	if (r == EM_DONE && !address_only(insn->k_src))
		r = read_operand(c, &c->src, 0);
	if (r == EM_DONE && !address_only(insn->k_src2))
		r = read_operand(c, &c->src2, 0);
	if (r != EM_DONE)
		return r;
	if (insn->k_dst == K_RMBIT)
		move_by_bit(c);
	if (insn->flags & EMF_MOV || address_only(insn->k_dst))
		return EM_DONE;
	return read_operand(c, &c->dst, acc);
}

static enum em_result write_memory(struct em_ctx *c, struct em_operand *o)
{
	bool locked = c->insn.lock || c->insn.flags & EMF_XLOCK;
	enum em_result r;

	r = operand_la(c, o, EM_ACC_WRITE);
	if (r != EM_DONE)
		return r;
	if (locked)
		return em_cmpxchg_la(c, o->la, &o->orig, o->b, o->size, 0);
	return em_write_la(c, o->la, o->b, o->size, 0);
}

/* Store dst where it belongs. */
enum em_result em_writeback(struct em_ctx *c)
{
	struct em_operand *o = &c->dst;

	switch (o->kind) {
	case EM_OPND_REG:
		em_put_gpr(c, o->reg, o->size, o->val);
		break;
	case EM_OPND_HIGH:
		c->gpr[o->reg & 3] = (c->gpr[o->reg & 3] & ~0xff00ULL) | (o->val & 0xff) << 8;
		break;
	case EM_OPND_MEM:
		return write_memory(c, o);
	case EM_OPND_VEC:
		return c->ops->vec(c, o->vec, o->reg, o->b, true);
	}
	return EM_DONE;
}
