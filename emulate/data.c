// SPDX-License-Identifier: GPL-2.0
/*
 * Moving data: MOV and its kin, the stack, segment registers, flags, addresses.
 *
 * Most of these are one line, because the operands were read before and dst is
 * stored afterwards. The stack instructions are the ones with rules of their
 * own: which size of stack pointer wraps where (em_push and em_pop know), POP
 * with a memory operand based on the stack pointer, and the order in which the
 * words of PUSHA and ENTER can fault.
 */
#include "internal.h"

enum em_result em_i_mov(struct em_ctx *c)
{
	c->dst.val = c->src.val;
	return EM_DONE;
}

enum em_result em_i_movnti(struct em_ctx *c)
{
	return em_i_mov(c);
}

enum em_result em_i_movdiri(struct em_ctx *c)
{
	return em_i_mov(c);
}

/* 64 bytes to ES:reg, from any segment. */
enum em_result em_i_movdir64b(struct em_ctx *c)
{
	u64 to = em_gpr(c, em_modrm_reg(&c->insn), c->insn.addr_size);
	enum em_result r;
	u8 line[64];
	u64 la;

	r = em_linear(c, c->src.seg, c->src.off, sizeof(line), 0, &la);
	if (r == EM_DONE)
		r = em_block(c, c->src.seg, c->src.off, line, sizeof(line), false);
	if (r == EM_DONE)
		r = em_linear_any(c, EM_ES, to, sizeof(line), EM_ACC_WRITE, &la);
	if (r == EM_DONE && la & (sizeof(line) - 1))
		r = em_gp(c, 0);
	return r == EM_DONE ? em_block(c, EM_ES, to, line, sizeof(line), true) : r;
}

enum em_result em_i_movzx(struct em_ctx *c)
{
	return em_i_mov(c);
}

enum em_result em_i_movsx(struct em_ctx *c)
{
	c->dst.val = em_sext(c->src.val, c->src.size);
	return EM_DONE;
}

enum em_result em_i_movsxd(struct em_ctx *c)
{
	return em_i_movsx(c);
}

enum em_result em_i_lea(struct em_ctx *c)
{
	c->dst.val = c->src.off;
	return EM_DONE;
}

enum em_result em_i_xchg(struct em_ctx *c)
{
	struct em_operand *s = &c->src;
	u64 val = c->dst.val;

	/* 90 is NOP; as XCHG it would clear the upper half of rax. */
	if (c->insn.opcode == 0x90 && !(c->insn.rex & 1)) {
		c->no_writeback = true;
		return EM_DONE;
	}
	c->dst.val = s->val;
	if (s->kind == EM_OPND_HIGH)
		c->gpr[s->reg & 3] = (c->gpr[s->reg & 3] & ~0xff00ULL) | (val & 0xff) << 8;
	else
		em_put_gpr(c, s->reg, s->size, val);
	return EM_DONE;
}

enum em_result em_i_xlat(struct em_ctx *c)
{
	unsigned int asize = c->insn.addr_size;
	u64 off = (em_gpr(c, RBX, asize) + (c->gpr[RAX] & 0xff)) & em_mask(asize);
	int seg = c->insn.seg >= 0 ? c->insn.seg : EM_DS;
	enum em_result r;
	u8 val;

	r = em_read(c, seg, off, &val, 1);
	if (r == EM_DONE)
		em_put_gpr(c, RAX, 1, val);
	return r;
}

enum em_result em_i_salc(struct em_ctx *c)
{
	em_put_gpr(c, RAX, 1, c->rflags & X86_EFLAGS_CF ? 0xff : 0);
	return EM_DONE;
}

/* CBW, CWDE, CDQE: the lower half extended into the whole. */
enum em_result em_i_cbw(struct em_ctx *c)
{
	unsigned int size = c->insn.op_size;

	em_put_gpr(c, RAX, size, em_sext(c->gpr[RAX] & em_mask(size / 2), size / 2));
	return EM_DONE;
}

/* CWD, CDQ, CQO: the sign fills rdx. */
enum em_result em_i_cwd(struct em_ctx *c)
{
	unsigned int size = c->insn.op_size;

	em_put_gpr(c, RDX, size, em_sext(em_gpr(c, RAX, size), size) < 0 ? ~0ULL : 0);
	return EM_DONE;
}

enum em_result em_i_setcc(struct em_ctx *c)
{
	c->dst.val = em_condition(c->rflags, c->insn.opcode & 15);
	return EM_DONE;
}

/* A 32-bit CMOV clears the upper half even if the condition is false. */
enum em_result em_i_cmov(struct em_ctx *c)
{
	if (em_condition(c->rflags, c->insn.opcode & 15))
		c->dst.val = c->src.val;
	return EM_DONE;
}

enum em_result em_i_push(struct em_ctx *c)
{
	return em_push(c, c->src.val, c->insn.op_size);
}

enum em_result em_i_pop(struct em_ctx *c)
{
	enum em_result r;

	r = em_pop(c, &c->dst.val, c->insn.op_size);
	/* The address is computed with the stack pointer after the pop. */
	if (c->dst.kind == EM_OPND_MEM)
		c->dst.off = em_ea(c);
	return r;
}

enum em_result em_i_pusha(struct em_ctx *c)
{
	unsigned int size = c->insn.op_size;
	u64 sp = em_gpr(c, RSP, size);
	enum em_result r = EM_DONE;
	unsigned int reg;

	for (reg = RAX; reg <= RDI && r == EM_DONE; reg++)
		r = em_push(c, reg == RSP ? sp : em_gpr(c, reg, size), size);
	return r;
}

enum em_result em_i_popa(struct em_ctx *c)
{
	unsigned int size = c->insn.op_size;
	enum em_result r;
	u64 val;
	int reg;

	for (reg = RDI; reg >= RAX; reg--) {
		r = em_pop(c, &val, size);
		if (r != EM_DONE)
			return r;
		if (reg != RSP)
			em_put_gpr(c, reg, size, val);
	}
	return EM_DONE;
}

/* In virtual-8086 mode the flags are the monitor's unless IOPL is 3. */
static bool v86_flags_trap(struct em_ctx *c)
{
	return c->mode == EM_VM86 && em_iopl(c) < 3;
}

/* Under CR4.VME they are half virtual: VIF stands in for IF, in 16-bit images only. */
bool em_v86_virtual_flags(struct em_ctx *c)
{
	return v86_flags_trap(c) && c->cr4 & X86_CR4_VME && c->insn.op_size == 2;
}

/* As the program of virtual-8086 mode sees them: IF is VIF, and IOPL is 3. */
u64 em_v86_flags(struct em_ctx *c)
{
	u64 flags = c->rflags & ~(u64)X86_EFLAGS_IF;

	return flags | X86_EFLAGS_IOPL | (c->rflags & X86_EFLAGS_VIF ? X86_EFLAGS_IF : 0);
}

/* The way back. A trap flag, and IF while an interrupt waits, are for the monitor. */
enum em_result em_v86_set_flags(struct em_ctx *c, u64 flags)
{
	u64 keep = ~0xffffULL | X86_EFLAGS_IF | X86_EFLAGS_IOPL;

	if (flags & X86_EFLAGS_TF || (flags & X86_EFLAGS_IF && c->rflags & X86_EFLAGS_VIP))
		return em_gp(c, 0);
	c->rflags = (c->rflags & keep) | (flags & ~keep) | X86_EFLAGS_FIXED;
	em_set_flag(c, X86_EFLAGS_VIF, flags & X86_EFLAGS_IF);
	return EM_DONE;
}

enum em_result em_i_pushf(struct em_ctx *c)
{
	if (em_v86_virtual_flags(c))
		return em_push(c, em_v86_flags(c), 2);
	if (v86_flags_trap(c))
		return em_gp(c, 0);
	return em_push(c, c->rflags & ~(X86_EFLAGS_VM | X86_EFLAGS_RF), c->insn.op_size);
}

enum em_result em_i_popf(struct em_ctx *c)
{
	u64 may = EM_EFLAGS_ARITH | X86_EFLAGS_TF | X86_EFLAGS_DF | X86_EFLAGS_NT |
		  X86_EFLAGS_AC | X86_EFLAGS_ID;
	enum em_result r;
	u64 val;

	if (em_v86_virtual_flags(c)) {
		r = em_pop(c, &val, 2);
		return r == EM_DONE ? em_v86_set_flags(c, val) : r;
	}
	if (v86_flags_trap(c))
		return em_gp(c, 0);
	if (em_cpl(c) <= em_iopl(c))
		may |= X86_EFLAGS_IF;
	if (em_cpl(c) == 0)
		may |= X86_EFLAGS_IOPL;
	if (c->insn.op_size == 2)
		may &= 0xffff;
	r = em_pop(c, &val, c->insn.op_size);
	if (r == EM_DONE)
		c->rflags = (c->rflags & ~may) | (val & may) | X86_EFLAGS_FIXED;
	return r;
}

/* 06, 0E, 16, 1E, 0F A0, 0F A8: the register number is in the opcode. */
enum em_result em_i_push_sreg(struct em_ctx *c)
{
	enum em_seg_id id = c->insn.opcode >> 3 & 7;

	return em_push(c, em_seg(c, array_index_nospec(id, EM_TR))->sel, c->insn.op_size);
}

/* Intel's processors read only two bytes; the stack pointer moves by the operand size. */
static enum em_result pop_sreg(struct em_ctx *c, enum em_seg_id id)
{
	unsigned int ssize = em_stack_size(c), size = c->insn.op_size;
	enum em_result r;
	u64 sel;

	r = em_read(c, EM_SS, em_gpr(c, RSP, ssize), &sel, c->intel ? 2 : size);
	if (r != EM_DONE)
		return r;
	em_add_gpr(c, RSP, ssize, size);
	if (id == EM_SS)
		c->retire.mov_ss = true;
	return em_load_data_seg(c, id, sel);
}

enum em_result em_i_pop_es(struct em_ctx *c)
{
	return pop_sreg(c, EM_ES);
}

enum em_result em_i_pop_ss(struct em_ctx *c)
{
	return pop_sreg(c, EM_SS);
}

enum em_result em_i_pop_ds(struct em_ctx *c)
{
	return pop_sreg(c, EM_DS);
}

enum em_result em_i_pop_fs(struct em_ctx *c)
{
	return pop_sreg(c, EM_FS);
}

enum em_result em_i_pop_gs(struct em_ctx *c)
{
	return pop_sreg(c, EM_GS);
}

enum em_result em_i_mov_from_sreg(struct em_ctx *c)
{
	return em_i_mov(c);
}

enum em_result em_i_mov_to_sreg(struct em_ctx *c)
{
	enum em_seg_id id = array_index_nospec(c->insn.modrm >> 3 & 7, EM_TR);

	if (id == EM_SS)
		c->retire.mov_ss = true;
	return em_load_data_seg(c, id, c->src.val);
}

/* LDS and friends: offset, then selector. */
static enum em_result load_far(struct em_ctx *c, enum em_seg_id id)
{
	unsigned int size = em_far_size(c);
	struct em_operand *m = &c->src;
	enum em_result r;
	u64 off = 0;
	u16 sel;

	r = em_read(c, m->seg, m->off, &off, size);
	if (r == EM_DONE)
		r = em_read(c, m->seg, (m->off + size) & em_mask(c->insn.addr_size), &sel, 2);
	if (r != EM_DONE)
		return r;
	c->dst.val = off;
	return em_load_data_seg(c, id, sel);
}

enum em_result em_i_les(struct em_ctx *c)
{
	return load_far(c, EM_ES);
}

enum em_result em_i_lds(struct em_ctx *c)
{
	return load_far(c, EM_DS);
}

enum em_result em_i_lss(struct em_ctx *c)
{
	return load_far(c, EM_SS);
}

enum em_result em_i_lfs(struct em_ctx *c)
{
	return load_far(c, EM_FS);
}

enum em_result em_i_lgs(struct em_ctx *c)
{
	return load_far(c, EM_GS);
}

/* Copy the frame pointers of the enclosing levels. */
static enum em_result enter_levels(struct em_ctx *c, unsigned int level, u64 frame)
{
	unsigned int ssize = em_stack_size(c), size = c->insn.op_size;
	u64 bp = em_gpr(c, RBP, ssize);
	enum em_result r;
	u64 val;

	for (; level > 1; level--) {
		bp = (bp - size) & em_mask(ssize);
		val = 0;
		r = em_read(c, EM_SS, bp, &val, size);
		if (r == EM_DONE)
			r = em_push(c, val, size);
		if (r != EM_DONE)
			return r;
	}
	return em_push(c, frame, size);
}

enum em_result em_i_enter(struct em_ctx *c)
{
	unsigned int ssize = em_stack_size(c), size = c->insn.op_size;
	unsigned int level = c->src2.val & 31;
	enum em_result r;
	u64 frame;

	r = em_push(c, em_gpr(c, RBP, size), size);
	if (r != EM_DONE)
		return r;
	frame = c->gpr[RSP];
	if (level)
		r = enter_levels(c, level, frame);
	if (r != EM_DONE)
		return r;
	em_add_gpr(c, RSP, ssize, -(s64)c->src.val);
	em_put_gpr(c, RBP, size, frame);
	/* The new top of the stack has to be writable, though nothing is written. */
	return em_probe(c, EM_SS, em_gpr(c, RSP, ssize), c->intel ? 1 : size);
}

enum em_result em_i_leave(struct em_ctx *c)
{
	unsigned int ssize = em_stack_size(c), size = c->insn.op_size;
	enum em_result r;
	u64 val;

	em_put_gpr(c, RSP, ssize, c->gpr[RBP]);
	r = em_pop(c, &val, size);
	if (r == EM_DONE)
		em_put_gpr(c, RBP, size, val);
	return r;
}

#define AH_FLAGS (X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_AF | X86_EFLAGS_ZF | X86_EFLAGS_SF)

enum em_result em_i_lahf(struct em_ctx *c)
{
	u64 ah = (c->rflags & AH_FLAGS) | X86_EFLAGS_FIXED;

	c->gpr[RAX] = (c->gpr[RAX] & ~0xff00ULL) | ah << 8;
	return EM_DONE;
}

enum em_result em_i_sahf(struct em_ctx *c)
{
	c->rflags = (c->rflags & ~AH_FLAGS) | (c->gpr[RAX] >> 8 & AH_FLAGS);
	return EM_DONE;
}

enum em_result em_i_cmc(struct em_ctx *c)
{
	c->rflags ^= X86_EFLAGS_CF;
	return EM_DONE;
}

enum em_result em_i_clc(struct em_ctx *c)
{
	em_set_flag(c, X86_EFLAGS_CF, false);
	return EM_DONE;
}

enum em_result em_i_stc(struct em_ctx *c)
{
	em_set_flag(c, X86_EFLAGS_CF, true);
	return EM_DONE;
}

enum em_result em_i_cld(struct em_ctx *c)
{
	em_set_flag(c, X86_EFLAGS_DF, false);
	return EM_DONE;
}

enum em_result em_i_std(struct em_ctx *c)
{
	em_set_flag(c, X86_EFLAGS_DF, true);
	return EM_DONE;
}

enum em_result em_i_nop(struct em_ctx *c __maybe_unused)
{
	return EM_DONE;
}

/* 0F 0D: AMD's processors have no register form. */
enum em_result em_i_prefetch(struct em_ctx *c)
{
	return c->insn.modrm >= 0xc0 && !c->intel ? em_undef(c) : EM_DONE;
}

enum em_result em_i_pause(struct em_ctx *c)
{
	if (c->insn.rex & 1)
		return em_i_xchg(c);	/* with r8: the prefix means nothing */
	c->no_writeback = true;
	return em_system(c, EM_SYS_PAUSE, 0);
}

enum em_result em_i_ud(struct em_ctx *c)
{
	return em_undef(c);
}

/* One bound, @nr 0 or 1. */
static enum em_result read_bound(struct em_ctx *c, unsigned int nr, s64 *val)
{
	unsigned int size = c->insn.op_size;
	u64 off = (c->src.off + nr * size) & em_mask(c->insn.addr_size);
	enum em_result r;
	u32 v = 0;

	r = em_read(c, c->src.seg, off, &v, size);
	*val = em_sext(v, size);
	return r;
}

enum em_result em_i_bound(struct em_ctx *c)
{
	s64 index = em_sext(c->dst.val, c->dst.size), lower, upper;
	enum em_result r;

	r = read_bound(c, 0, &lower);
	/* Intel's processors don't read the upper one if the lower one is violated. */
	if (r == EM_DONE && c->intel && index < lower)
		return em_raise(c, EM_EX_BR, 0);
	if (r == EM_DONE)
		r = read_bound(c, 1, &upper);
	if (r == EM_DONE && (index < lower || index > upper))
		r = em_raise(c, EM_EX_BR, 0);
	return r;
}
