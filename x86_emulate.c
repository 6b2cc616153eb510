// SPDX-License-Identifier: GPL-2.0
/*
 * The door of the instruction emulator: rules common to all instructions, and
 * the way an instruction starts, goes on after an exit to userspace, and ends.
 *
 * em_execute() keeps a copy of the general registers, rip and rflags from the
 * moment the instruction began (for a string instruction: the element). Handlers
 * work on the registers in ctx directly; whatever does not end in EM_DONE puts
 * the copy back. So a fault, a lost race or an exit to userspace in the middle
 * leaves no half-done instruction behind, and no handler has to think of it.
 *
 * The order of checks is the hardware's: undefined opcode, then device not
 * available, then privilege, then operands from left to right.
 */
#include "emulate/internal.h"

void em_init(struct em_ctx *c, const struct em_ops *ops)
{
	memset(c, 0, sizeof(*c));
	c->ops = ops;
}

static enum em_result check_mode(struct em_ctx *c)
{
	const struct em_insn *insn = &c->insn;
	u32 f = insn->flags;

	if (em_long(c) ? f & EMF_N64 : f & EMF_O64)
		return em_undef(c);
	if (f & EMF_PROT && !em_prot(c))
		return em_undef(c);
	if (f & EMF_VEXONLY && !insn->vex)
		return em_undef(c);
	if (insn->lock && !(f & EMF_LOCK_CR) && (!(f & EMF_LOCK) || insn->modrm >= 0xc0))
		return em_undef(c);
	return EM_DONE;
}

static enum em_result check_feature(struct em_ctx *c)
{
	const struct em_insn *insn = &c->insn;

	if (!(insn->flags & EMF_FEATURE) || em_has(c, em_feature_of(insn->exec)))
		return EM_DONE;
	return em_undef(c);
}

/* XCR0 must have SSE and AVX. */
static enum em_result check_avx(struct em_ctx *c)
{
	enum em_result r;
	u64 xcr0;

	if (!em_prot(c) || !(c->cr4 & X86_CR4_OSXSAVE))
		return em_undef(c);
	r = em_get_reg(c, EM_REG_XCR, 0, &xcr0);
	return r == EM_DONE && (xcr0 & 6) != 6 ? em_undef(c) : r;
}

#define X86_CR0_EM_OR_TS (X86_CR0_EM | X86_CR0_TS)

static enum em_result check_fpu(struct em_ctx *c)
{
	u32 f = c->insn.flags;
	enum em_result r;

	if (f & EMF_X87)
		return c->cr0 & X86_CR0_EM_OR_TS ? em_raise(c, EM_EX_NM, 0) : EM_DONE;
	if (!(f & (EMF_SSE | EMF_MMX)))
		return EM_DONE;
	if (c->insn.vex) {
		r = check_avx(c);
		if (r != EM_DONE)
			return r;
	} else if (c->cr0 & X86_CR0_EM || (f & EMF_SSE && !(c->cr4 & X86_CR4_OSFXSR))) {
		return em_undef(c);
	}
	return c->cr0 & X86_CR0_TS ? em_raise(c, EM_EX_NM, 0) : EM_DONE;
}

static enum em_result run(struct em_ctx *c)
{
	const struct em_insn *insn = &c->insn;
	enum em_result r;

	if (!insn->exec)
		return EM_UNSUPPORTED;
	if (insn->flags & EMF_UD)
		return em_undef(c);
	r = check_mode(c);
	if (r == EM_DONE)
		r = check_feature(c);
	if (r == EM_DONE)
		r = check_fpu(c);
	if (r == EM_DONE && insn->flags & EMF_PRIV && em_cpl(c))
		r = em_gp(c, 0);
	if (r == EM_DONE)
		r = em_operands(c);
	if (r == EM_DONE)
		r = insn->exec(c);
	if (r == EM_DONE && !(insn->flags & EMF_NOWB) && !c->no_writeback)
		r = em_writeback(c);
	return r;
}

/* Everything up to here is final: start of an instruction, or of an element. */
void em_commit(struct em_ctx *c)
{
	memcpy(c->saved_gpr, c->gpr, sizeof(c->gpr));
	c->saved_rip = c->rip;
	c->saved_rflags = c->rflags;
	c->saved_cpl = c->cpl;
	c->saved_mode = c->mode;
	em_log_reset(c);
}

void em_roll_back(struct em_ctx *c)
{
	memcpy(c->gpr, c->saved_gpr, sizeof(c->gpr));
	c->rip = c->saved_rip;
	c->rflags = c->saved_rflags;
	c->cpl = c->saved_cpl;
	c->mode = c->saved_mode;
	c->seg_valid = 0;	/* may hold a stack that was being switched to */
}

static void begin(struct em_ctx *c)
{
	em_commit(c);
	memset(&c->retire, 0, sizeof(c->retire));
	memset(&c->fault, 0, sizeof(c->fault));
	c->executing = true;
	c->give_way = false;
}

static void finish(struct em_ctx *c)
{
	c->rip = c->next_rip;
	if (c->saved_rflags & X86_EFLAGS_TF && !c->retire.mov_ss && !c->retire.interrupt)
		c->retire.singlestep = true;
}

enum em_result em_execute(struct em_ctx *c)
{
	enum em_result r;

	if (!c->executing)
		begin(c);
	c->log.pos = c->log.pos_bytes = 0;
	c->no_writeback = false;
	c->next_rip = c->rip + c->insn.len;
	if (!em_long(c))
		c->next_rip = (u32)c->next_rip;
	c->rflags &= ~X86_EFLAGS_RF;

	r = run(c);
	if (r == EM_DONE)
		finish(c);
	else if (r == EM_FAULT && c->fault.trap)
		c->rip = c->next_rip;
	else
		em_roll_back(c);
	c->executing = r == EM_PENDING;
	return r;
}
