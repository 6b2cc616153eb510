// SPDX-License-Identifier: GPL-2.0
/*
 * The x87: control instructions, environment and state, and everything else.
 *
 * Loads, stores and arithmetic are run by the embedder on the guest's registers
 * (EM_VEC_X87), with the memory operand in a buffer: conversions and exceptions
 * are the hardware's own. A store is probed first, since what was popped from
 * the register stack cannot be put back.
 *
 * Such an instruction leaves its address and its operand's in the x87; the ones
 * that the embedder's copy left there are replaced by the guest's. Selectors
 * are stored as zero, as recent processors do.
 *
 * FLDENV, FSTENV, FSAVE, FRSTOR, FXSAVE and FXRSTOR work on a picture of all
 * registers (struct em_fx), so that their formats, seven of them, are made here.
 */
#include "internal.h"

#define FSW_ES	BIT(7)	/* an unmasked exception is pending */

enum em_result em_i_fnstcw(struct em_ctx *c)
{
	return c->ops->vec(c, EM_VEC_FCW, 0, c->dst.b, false);
}

enum em_result em_i_fldcw(struct em_ctx *c)
{
	enum em_result r = em_x87_pending(c);

	if (r == EM_DONE)
		r = em_read(c, c->src.seg, c->src.off, c->src.b, 2);
	return r == EM_DONE ? c->ops->vec(c, EM_VEC_FCW, 0, c->src.b, true) : r;
}

enum em_result em_i_fnstsw(struct em_ctx *c)
{
	return c->ops->vec(c, EM_VEC_FSW, 0, c->dst.b, false);
}

enum em_result em_i_fnstsw_ax(struct em_ctx *c)
{
	enum em_result r;
	u16 fsw = 0;

	r = c->ops->vec(c, EM_VEC_FSW, 0, &fsw, false);
	if (r == EM_DONE)
		em_put_gpr(c, RAX, 2, fsw);
	return r;
}

enum em_result em_i_fninit(struct em_ctx *c)
{
	return c->ops->vec(c, EM_VEC_FNINIT, 0, NULL, true);
}

enum em_result em_i_fnclex(struct em_ctx *c)
{
	return c->ops->vec(c, EM_VEC_FNCLEX, 0, NULL, true);
}

/* The instructions without N in their name look for an exception from before. */
enum em_result em_x87_pending(struct em_ctx *c)
{
	enum em_result r;
	u16 fsw = 0;

	r = c->ops->vec(c, EM_VEC_FSW, 0, &fsw, false);
	return r == EM_DONE && fsw & FSW_ES ? em_raise(c, EM_EX_MF, 0) : r;
}

enum em_result em_i_fwait(struct em_ctx *c)
{
	if (c->cr0 & X86_CR0_MP && c->cr0 & X86_CR0_TS)
		return em_raise(c, EM_EX_NM, 0);
	return em_x87_pending(c);
}

static enum em_result get_fx(struct em_ctx *c, struct em_fx *fx)
{
	return c->ops->vec(c, EM_VEC_FX, 0, fx, false);
}

static enum em_result put_fx(struct em_ctx *c, struct em_fx *fx)
{
	return c->ops->vec(c, EM_VEC_FX, 0, fx, true);
}

/* The instruction's own address, opcode and operand, not the embedder's. */
static enum em_result note_pointers(struct em_ctx *c, u64 operand)
{
	enum em_result r;
	struct em_fx fx;

	r = get_fx(c, &fx);
	if (r != EM_DONE)
		return r;
	fx.fop = (c->insn.opcode & 7) << 8 | c->insn.modrm;
	fx.fip = c->rip;
	if (!em_prot(c))
		fx.fip = (u32)(em_seg(c, EM_CS)->base + c->rip);
	fx.fdp = operand;
	return put_fx(c, &fx);
}

enum em_result em_i_x87_reg(struct em_ctx *c)
{
	struct em_x87 x = {};
	enum em_result r;

	r = em_x87(c, &x);
	return r == EM_DONE ? note_pointers(c, 0) : r;
}

static u64 operand_pointer(struct em_ctx *c)
{
	return em_prot(c) ? c->src.off : (u32)(em_seg(c, c->src.seg)->base + c->src.off);
}

enum em_result em_i_x87_load(struct em_ctx *c)
{
	struct em_operand *m = &c->src;
	struct em_x87 x = {};
	enum em_result r;

	r = em_x87_pending(c);
	if (r == EM_DONE)
		r = em_read(c, m->seg, m->off, x.mem, m->size);
	if (r == EM_DONE)
		r = em_x87(c, &x);
	return r == EM_DONE ? note_pointers(c, operand_pointer(c)) : r;
}

enum em_result em_i_x87_store(struct em_ctx *c)
{
	struct em_operand *m = &c->src;
	struct em_x87 x = {};
	enum em_result r;

	r = em_x87_pending(c);
	if (r == EM_DONE)
		r = em_probe(c, m->seg, m->off, m->size);
	if (r == EM_DONE)
		r = em_x87(c, &x);
	if (r == EM_DONE && !x.no_store)
		r = em_write(c, m->seg, m->off, x.mem, m->size);
	return r == EM_DONE ? note_pointers(c, operand_pointer(c)) : r;
}

/* ---- environment and state ---- */

enum { TAG_VALID, TAG_ZERO, TAG_SPECIAL, TAG_EMPTY };

static unsigned int tag_of(const u8 *st)
{
	u64 mantissa;
	u16 exp;

	memcpy(&mantissa, st, 8);
	memcpy(&exp, st + 8, 2);
	exp &= 0x7fff;
	if (!exp && !mantissa)
		return TAG_ZERO;
	return exp == 0x7fff || !(mantissa >> 63) ? TAG_SPECIAL : TAG_VALID;
}

static unsigned int stack_top(const struct em_fx *fx)
{
	return fx->fsw >> 11 & 7;
}

/* Registers stay where they are when another one becomes the top. */
static void set_status(struct em_fx *fx, u16 fsw)
{
	unsigned int old = stack_top(fx), i;
	u8 st[8][16];

	memcpy(st, fx->st, sizeof(st));
	fx->fsw = fsw;
	for (i = 0; i < 8; i++)
		memcpy(fx->st[i], st[(i + stack_top(fx) - old) & 7], sizeof(st[i]));
}

/* Two bits for each physical register, from one bit and the contents. */
static u16 full_tags(const struct em_fx *fx)
{
	unsigned int i, tag, tags = 0;

	for (i = 0; i < 8; i++) {
		tag = TAG_EMPTY;
		if (fx->ftw >> i & 1)
			tag = tag_of(fx->st[(i - stack_top(fx)) & 7]);
		tags |= tag << (i * 2);
	}
	return tags;
}

static u8 short_tags(u16 tags)
{
	unsigned int i, ftw = 0;

	for (i = 0; i < 8; i++)
		ftw |= ((tags >> (i * 2) & 3) != TAG_EMPTY) << i;
	return ftw;
}

/*
 * The environment in words of 16 or 32 bits: control, status, tags, and four
 * for the pointers. In real and virtual-8086 mode these are linear addresses of
 * 20 or 32 bits, whose upper part shares a word with the opcode.
 */
#define ENV_WORDS	7

static void pack_env(struct em_ctx *c, const struct em_fx *fx, u32 *env)
{
	u32 upper = c->insn.op_size == 2 ? 0 : 0xffff0000;
	u16 fop = fx->fop & 0x7ff;

	env[0] = fx->fcw | upper;
	env[1] = fx->fsw | upper;
	env[2] = full_tags(fx) | upper;
	env[3] = fx->fip;
	env[5] = fx->fdp;
	if (em_prot(c)) {
		env[4] = fop << 16;
		env[6] = upper;
		return;
	}
	env[3] &= 0xffff;
	env[4] = (u32)fx->fip >> 16 << 12 | fop;
	env[5] &= 0xffff;
	env[6] = (u32)fx->fdp >> 16 << 12;
}

/* An unmasked exception among those flagged makes the next instruction fault. */
static void set_summary(struct em_fx *fx)
{
	fx->fcw = (fx->fcw & 0x1f7f) | 0x40;
	fx->fsw &= 0x7f7f;
	if (fx->fsw & ~fx->fcw & 0x3f)
		fx->fsw |= 0x8080;
}

static void unpack_env(struct em_ctx *c, struct em_fx *fx, const u32 *env)
{
	fx->fcw = env[0];
	set_status(fx, env[1]);
	fx->ftw = short_tags(env[2]);
	fx->fip = env[3];
	fx->fdp = env[5];
	fx->fop = (c->insn.op_size == 2 ? 0 : env[4] >> 16) & 0x7ff;
	if (!em_prot(c)) {
		fx->fip = (env[3] & 0xffff) | (env[4] & 0x0ffff000) << 4;
		fx->fdp = (env[5] & 0xffff) | (env[6] & 0x0ffff000) << 4;
		fx->fop = env[4] & 0x7ff;
	}
	set_summary(fx);
}

static unsigned int env_word(const struct em_ctx *c)
{
	return c->insn.op_size == 2 ? 2 : 4;
}

static unsigned int env_size(const struct em_ctx *c)
{
	return ENV_WORDS * env_word(c);
}

/* Space for the environment and eight registers of ten bytes. */
struct x87_state {
	u8 b[ENV_WORDS * 4 + 80];
};

/* The environment is aligned if its words are. */
static enum em_result env_aligned(struct em_ctx *c, unsigned int acc)
{
	enum em_result r;
	u64 la;

	r = em_linear_any(c, c->src.seg, c->src.off, env_size(c), acc, &la);
	return r == EM_DONE ? em_linear(c, c->src.seg, c->src.off, env_word(c), acc, &la) : r;
}

static void env_to_bytes(struct em_ctx *c, const struct em_fx *fx, u8 *b)
{
	u32 env[ENV_WORDS];
	unsigned int i;

	pack_env(c, fx, env);
	for (i = 0; i < ENV_WORDS; i++)
		memcpy(b + i * env_word(c), &env[i], env_word(c));
}

static void env_from_bytes(struct em_ctx *c, struct em_fx *fx, const u8 *b)
{
	u32 env[ENV_WORDS] = {};
	unsigned int i;

	for (i = 0; i < ENV_WORDS; i++)
		memcpy(&env[i], b + i * env_word(c), env_word(c));
	unpack_env(c, fx, env);
}

/* Also masks all exceptions. */
enum em_result em_i_x87_stenv(struct em_ctx *c)
{
	struct x87_state s;
	struct em_fx fx;
	enum em_result r;

	r = env_aligned(c, EM_ACC_WRITE);
	if (r == EM_DONE)
		r = get_fx(c, &fx);
	if (r != EM_DONE)
		return r;
	env_to_bytes(c, &fx, s.b);
	r = em_block(c, c->src.seg, c->src.off, s.b, env_size(c), true);
	if (r != EM_DONE)
		return r;
	fx.fcw |= 0x3f;
	set_summary(&fx);
	return put_fx(c, &fx);
}

enum em_result em_i_x87_ldenv(struct em_ctx *c)
{
	struct x87_state s;
	struct em_fx fx;
	enum em_result r;

	r = em_x87_pending(c);
	if (r == EM_DONE)
		r = env_aligned(c, 0);
	if (r == EM_DONE)
		r = em_block(c, c->src.seg, c->src.off, s.b, env_size(c), false);
	if (r == EM_DONE)
		r = get_fx(c, &fx);
	if (r != EM_DONE)
		return r;
	env_from_bytes(c, &fx, s.b);
	return put_fx(c, &fx);
}

enum em_result em_i_x87_save(struct em_ctx *c)
{
	unsigned int i, env = env_size(c);
	struct x87_state s;
	struct em_fx fx;
	enum em_result r;

	r = env_aligned(c, EM_ACC_WRITE);
	if (r == EM_DONE)
		r = get_fx(c, &fx);
	if (r != EM_DONE)
		return r;
	env_to_bytes(c, &fx, s.b);
	for (i = 0; i < 8; i++)
		memcpy(s.b + env + i * 10, fx.st[i], 10);
	r = em_block(c, c->src.seg, c->src.off, s.b, env + 80, true);
	return r == EM_DONE ? em_i_fninit(c) : r;
}

enum em_result em_i_x87_rstor(struct em_ctx *c)
{
	unsigned int i, env = env_size(c);
	struct x87_state s;
	struct em_fx fx;
	enum em_result r;

	r = em_x87_pending(c);
	if (r == EM_DONE)
		r = env_aligned(c, 0);
	if (r == EM_DONE)
		r = em_block(c, c->src.seg, c->src.off, s.b, env + 80, false);
	if (r == EM_DONE)
		r = get_fx(c, &fx);
	if (r != EM_DONE)
		return r;
	env_from_bytes(c, &fx, s.b);
	for (i = 0; i < 8; i++)
		memcpy(fx.st[i], s.b + env + i * 10, 10);
	return put_fx(c, &fx);
}

/* Legacy and x87 part and xmm0-7, in 64-bit mode xmm8-15 too. */
static unsigned int fx_size(const struct em_ctx *c)
{
	return em_long(c) ? offsetof(struct em_fx, rest) : offsetof(struct em_fx, xmm[8]);
}

static enum em_result fx_aligned(struct em_ctx *c)
{
	enum em_result r;
	u64 la;

	/* to #AC the operand consists of dwords */
	r = em_linear(c, c->src.seg, c->src.off, 4, 0, &la);
	return r == EM_DONE && la & 15 ? em_gp(c, 0) : r;
}

/* Without REX.W the pointers have 32 bits and a selector, which is zero. */
static u64 fx_pointer(const struct em_ctx *c, u64 ptr)
{
	return c->insn.rex & 8 && em_long(c) ? ptr : (u32)ptr;
}

enum em_result em_i_fxsave(struct em_ctx *c)
{
	struct em_fx fx;
	enum em_result r;

	r = fx_aligned(c);
	/* all 512 bytes have to be there, though the last ones are not written */
	if (r == EM_DONE)
		r = em_probe_any(c, c->src.seg, c->src.off + sizeof(fx) - 32, 32);
	if (r == EM_DONE)
		r = get_fx(c, &fx);
	if (r != EM_DONE)
		return r;
	fx.fip = fx_pointer(c, fx.fip);
	fx.fdp = fx_pointer(c, fx.fdp);
	return em_block(c, c->src.seg, c->src.off, &fx, fx_size(c), true);
}

enum em_result em_i_fxrstor(struct em_ctx *c)
{
	struct em_fx old, fx;
	enum em_result r;

	r = fx_aligned(c);
	if (r == EM_DONE)
		r = get_fx(c, &old);
	if (r != EM_DONE)
		return r;
	r = em_block(c, c->src.seg, c->src.off, &fx, sizeof(fx), false);
	memcpy((u8 *)&fx + fx_size(c), (u8 *)&old + fx_size(c), sizeof(fx) - fx_size(c));
	if (r == EM_DONE && fx.mxcsr & ~(old.mxcsr_mask ?: 0xffbf))
		r = em_gp(c, 0);	/* a mask of 0 stands for that one */
	fx.mxcsr_mask = old.mxcsr_mask;
	fx.fip = fx_pointer(c, fx.fip);
	fx.fdp = fx_pointer(c, fx.fdp);
	set_summary(&fx);
	return r == EM_DONE ? put_fx(c, &fx) : r;
}
