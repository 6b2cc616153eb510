// SPDX-License-Identifier: GPL-2.0
/*
 * Control transfer: near and far jumps, calls and returns, call gates, software
 * interrupts, IRET, and the fast system calls.
 *
 * A far transfer goes in steps that the helpers here keep apart: find and judge
 * the new code segment, find and judge the new stack if the privilege changes,
 * push or pop, and only then load the registers. While pushing on a new stack
 * the emulator's own copy of SS, and cpl and mode, already are the new ones; if
 * anything fails then, the door forgets them.
 *
 * Software interrupts in protected mode are not delivered here. They come out
 * as a fault with "soft" and "trap" set, and hardware walks the IDT when the
 * caller injects them: it does so better and with all its checks.
 */
#include "internal.h"

static enum em_result jump_near(struct em_ctx *c, u64 target)
{
	enum em_result r;

	if (c->insn.op_size == 2)
		target &= 0xffff;
	else if (!em_long(c))
		target = (u32)target;
	r = em_check_target(c, em_seg(c, EM_CS), target);
	if (r == EM_DONE)
		c->next_rip = target;
	return r;
}

static enum em_result jump_rel(struct em_ctx *c)
{
	return jump_near(c, c->next_rip + c->src.val);
}

enum em_result em_i_jmp(struct em_ctx *c)
{
	return jump_rel(c);
}

enum em_result em_i_jmp_abs(struct em_ctx *c)
{
	return jump_near(c, c->src.val);
}

enum em_result em_i_jcc(struct em_ctx *c)
{
	return em_condition(c->rflags, c->insn.opcode & 15) ? jump_rel(c) : EM_DONE;
}

static enum em_result call_near(struct em_ctx *c, u64 target)
{
	enum em_result r;

	/* Processors push first, and only then look where they are going. */
	r = em_push(c, c->next_rip, c->insn.op_size);
	return r == EM_DONE ? jump_near(c, target) : r;
}

enum em_result em_i_call(struct em_ctx *c)
{
	return call_near(c, c->next_rip + c->src.val);
}

enum em_result em_i_call_abs(struct em_ctx *c)
{
	return call_near(c, c->src.val);
}

enum em_result em_i_ret(struct em_ctx *c)
{
	enum em_result r;
	u64 target;

	r = em_pop(c, &target, c->insn.op_size);
	if (r == EM_DONE)
		r = jump_near(c, target);
	if (r == EM_DONE)
		em_add_gpr(c, RSP, em_stack_size(c), c->src.val);
	return r;
}

static enum em_result loop_if(struct em_ctx *c, bool cond)
{
	em_add_gpr(c, RCX, c->insn.addr_size, -1);
	return cond && em_gpr(c, RCX, c->insn.addr_size) ? jump_rel(c) : EM_DONE;
}

enum em_result em_i_loop(struct em_ctx *c)
{
	return loop_if(c, true);
}

/*
 * AMD's processors let a repeat prefix overrule the condition in the opcode, as
 * if this were a string instruction; nothing is written about that anywhere.
 */
static enum em_result loop_zf(struct em_ctx *c, bool want)
{
	if (!c->intel && c->insn.rep)
		want = c->insn.rep == 0xf3;
	return loop_if(c, want == !!(c->rflags & X86_EFLAGS_ZF));
}

enum em_result em_i_loope(struct em_ctx *c)
{
	return loop_zf(c, true);
}

enum em_result em_i_loopne(struct em_ctx *c)
{
	return loop_zf(c, false);
}

enum em_result em_i_jcxz(struct em_ctx *c)
{
	return em_gpr(c, RCX, c->insn.addr_size) ? EM_DONE : jump_rel(c);
}

/* Where a far transfer goes, and by which kind of instruction. */
struct far {
	u16 sel;
	u64 off;
	unsigned int size;	/* of what is pushed and popped */
	bool call;
};

static enum em_result push_return(struct em_ctx *c, const struct far *f)
{
	enum em_result r;

	r = em_push(c, em_seg(c, EM_CS)->sel, f->size);
	return r == EM_DONE ? em_push(c, c->saved_rip + c->insn.len, f->size) : r;
}

static enum em_result far_real(struct em_ctx *c, const struct far *f)
{
	enum em_result r = EM_DONE;
	struct em_seg cs;

	em_real_seg(c, EM_CS, f->sel, &cs);
	if (f->off > cs.limit)
		return em_gp(c, 0);
	if (f->call)
		r = push_return(c, f);
	if (r != EM_DONE)
		return r;
	em_set_seg(c, EM_CS, &cs);
	c->next_rip = f->off;
	return EM_DONE;
}

/* Last step: new CS with the privilege in ctx, and where to go on. */
static enum em_result enter_code(struct em_ctx *c, struct em_desc *d, struct em_seg *cs, u64 off)
{
	enum em_result r;

	r = em_mark_accessed(c, d, BIT(8));
	if (r != EM_DONE)
		return r;
	cs->attr |= 1;
	em_set_seg(c, EM_CS, cs);
	c->next_rip = off;
	return EM_DONE;
}

static enum em_result far_direct(struct em_ctx *c, const struct far *f, struct em_desc *d)
{
	struct em_seg cs;
	enum em_result r;
	u64 off = f->off;

	r = em_check_code(c, f->sel, d, true);
	if (r != EM_DONE)
		return r;
	em_desc_to_seg(d, (f->sel & ~3) | em_cpl(c), &cs);
	/* AMD's processors push first, and are in the new mode then. */
	if (!c->intel)
		c->mode = em_mode_of(c->cr0, c->efer, c->rflags, cs.attr);
	if (!c->intel && f->call)
		r = push_return(c, f);
	if (r == EM_DONE)
		r = em_check_target(c, &cs, off);
	if (r == EM_DONE && c->intel && f->call)
		r = push_return(c, f);
	return r == EM_DONE ? enter_code(c, d, &cs, off) : r;
}

/* Read the stack for privilege @cpl out of the task state segment. */
static enum em_result tss_stack(struct em_ctx *c, unsigned int cpl, u16 *sel, u64 *sp)
{
	const struct em_seg *tr = em_seg(c, EM_TR);
	bool wide = tr->attr & 8;
	unsigned int size = em_lma(c) ? 8 : wide ? 4 : 2;
	unsigned int off = wide ? 4 + cpl * 8 : 2 + cpl * 4;
	unsigned int len = em_lma(c) ? 8 : size * 2;
	u8 buf[8] = {};
	enum em_result r;

	*sel = cpl;	/* a null selector is what long mode loads */
	if (off + len - 1 > tr->limit)
		return em_sel_fault(c, EM_EX_TS, tr->sel);
	r = em_read_la(c, tr->base + off, buf, len, EM_ACC_SYSTEM);
	*sp = 0;
	memcpy(sp, buf, size);
	if (!em_lma(c))
		memcpy(sel, buf + size, 2);
	return r;
}

/* Parameters of a call gate travel from the old stack to the new one. */
static enum em_result read_params(struct em_ctx *c, unsigned int size, unsigned int count,
				  u32 *params)
{
	unsigned int ssize = em_stack_size(c), i;
	u64 sp = em_gpr(c, RSP, ssize);
	enum em_result r = EM_DONE;

	for (i = 0; i < count && r == EM_DONE; i++) {
		params[i] = 0;
		r = em_read(c, EM_SS, (sp + i * size) & em_mask(ssize), &params[i], size);
	}
	return r;
}

static enum em_result push_inner(struct em_ctx *c, const struct far *f, u16 old_ss, u64 old_sp,
				 const u32 *params, unsigned int count)
{
	enum em_result r;

	r = em_push(c, old_ss, f->size);
	if (r == EM_DONE)
		r = em_push(c, old_sp, f->size);
	while (r == EM_DONE && count--)
		r = em_push(c, params[count], f->size);
	return r == EM_DONE ? push_return(c, f) : r;
}

/* A call through a gate to a more privileged segment, on that level's stack. */
static enum em_result call_inner(struct em_ctx *c, const struct far *f, struct em_desc *d,
				 struct em_seg *cs, unsigned int count)
{
	unsigned int cpl = em_desc_dpl(d);
	u16 old_ss = em_seg(c, EM_SS)->sel, sel;
	u64 old_sp = em_gpr(c, RSP, em_stack_size(c)), sp;
	u32 params[32];
	struct em_seg ss;
	enum em_result r;

	r = tss_stack(c, cpl, &sel, &sp);
	if (r != EM_DONE)
		return r;
	if (em_lma(c)) {
		em_null_seg(sel, &ss);
		ss.attr = cpl << EM_SEG_DPL_SHIFT;
		count = 0;
	} else {
		r = em_check_data_seg(c, EM_SS, sel, cpl, EM_EX_TS, &ss);
	}
	if (r == EM_DONE)
		r = read_params(c, f->size, count, params);
	if (r != EM_DONE)
		return r;
	c->seg[EM_SS] = ss;
	c->cpl = cpl;
	if (em_lma(c))
		c->mode = EM_PROT64;
	em_put_gpr(c, RSP, em_stack_size(c) == 2 ? 2 : 8, sp);
	r = push_inner(c, f, old_ss, old_sp, params, count);
	if (r == EM_FAULT && c->fault.vector == EM_EX_SS)
		return em_sel_fault(c, EM_EX_SS, sel);	/* no room on the new stack */
	if (r == EM_DONE)
		r = em_check_target(c, cs, f->off);
	if (r == EM_DONE)
		r = enter_code(c, d, cs, f->off);
	if (r == EM_DONE)
		em_set_seg(c, EM_SS, &ss);
	return r;
}

static enum em_result check_gate(struct em_ctx *c, u16 sel, struct em_desc *gate)
{
	unsigned int dpl = em_desc_dpl(gate);

	if (dpl < em_cpl(c) || dpl < (sel & 3U))
		return em_sel_fault(c, EM_EX_GP, sel);
	if (!em_desc_present(gate))
		return em_sel_fault(c, EM_EX_NP, sel);
	return em_lma(c) ? em_read_desc_top(c, sel, EM_EX_GP, gate) : EM_DONE;
}

static enum em_result check_gate_code(struct em_ctx *c, const struct far *f, struct em_desc *d)
{
	enum em_result r;

	if (!(f->sel & ~3))
		return em_gp(c, 0);
	r = em_read_desc(c, f->sel, EM_EX_GP, d);
	if (r != EM_DONE)
		return r;
	if (em_lma(c) && !(d->hi & 0x200000))
		return em_sel_fault(c, EM_EX_GP, f->sel);
	if (!f->call && !(em_desc_type(d) & 4) && em_desc_dpl(d) != em_cpl(c))
		return em_sel_fault(c, EM_EX_GP, f->sel);
	return em_check_code(c, f->sel, d, false);
}

static enum em_result far_gate(struct em_ctx *c, const struct far *via, struct em_desc *gate)
{
	struct far f = { .call = via->call };
	struct em_desc d;
	struct em_seg cs;
	enum em_result r;
	bool inner;

	r = check_gate(c, via->sel, gate);
	if (r != EM_DONE)
		return r;
	f.sel = gate->lo >> 16;
	f.off = (gate->lo & 0xffff) | (gate->hi & 0xffff0000) | gate->top << 32;
	f.size = em_lma(c) ? 8 : em_desc_type(gate) & 8 ? 4 : 2;
	f.off &= em_mask(f.size);
	r = check_gate_code(c, &f, &d);
	if (r != EM_DONE)
		return r;
	inner = f.call && !(em_desc_type(&d) & 4) && em_desc_dpl(&d) < em_cpl(c);
	em_desc_to_seg(&d, (f.sel & ~3) | (inner ? em_desc_dpl(&d) : em_cpl(c)), &cs);
	/* AMD's processors look after the pushes, as with a call without a gate. */
	r = c->intel ? em_check_target(c, &cs, f.off) : EM_DONE;
	if (r == EM_DONE && inner)
		return call_inner(c, &f, &d, &cs, gate->hi & 31);
	if (r == EM_DONE && f.call) {
		if (em_lma(c))
			c->mode = EM_PROT64;	/* already: the stack is flat */
		r = push_return(c, &f);
	}
	if (r == EM_DONE)
		r = em_check_target(c, &cs, f.off);
	return r == EM_DONE ? enter_code(c, &d, &cs, f.off) : r;
}

static enum em_result far_task_gate(struct em_ctx *c, const struct far *f, struct em_desc *gate)
{
	enum em_switch why = f->call ? EM_SWITCH_CALL : EM_SWITCH_JMP;
	u16 sel = gate->lo >> 16;
	struct em_desc d;
	enum em_result r;

	r = check_gate(c, f->sel, gate);
	if (r == EM_DONE && sel & 4)
		r = em_sel_fault(c, EM_EX_GP, sel);
	if (r == EM_DONE)
		r = em_read_desc(c, sel, EM_EX_GP, &d);
	return r == EM_DONE ? em_switch_task(c, sel, &d, why, false, 0) : r;
}

static enum em_result far_task(struct em_ctx *c, const struct far *f, struct em_desc *d)
{
	enum em_switch why = f->call ? EM_SWITCH_CALL : EM_SWITCH_JMP;

	if (f->sel & 4 || em_desc_dpl(d) < em_cpl(c) || em_desc_dpl(d) < (f->sel & 3U))
		return em_sel_fault(c, EM_EX_GP, f->sel);
	return em_switch_task(c, f->sel, d, why, false, 0);
}

static enum em_result far_prot(struct em_ctx *c, const struct far *f)
{
	struct em_desc d;
	enum em_result r;
	unsigned int type;

	if (!(f->sel & ~3))
		return em_gp(c, 0);
	r = em_read_desc(c, f->sel, EM_EX_GP, &d);
	if (r != EM_DONE)
		return r;
	type = em_desc_type(&d);
	if (em_type_code(type))
		return far_direct(c, f, &d);
	if (type == 0xc || (type == 4 && !em_lma(c)))
		return far_gate(c, f, &d);
	if (type == 5 && !em_lma(c))
		return far_task_gate(c, f, &d);
	if ((type == 1 || type == 9) && !em_lma(c))
		return far_task(c, f, &d);
	return em_sel_fault(c, EM_EX_GP, f->sel);
}

static enum em_result far_transfer(struct em_ctx *c, u16 sel, u64 off, bool call)
{
	struct far f = { .sel = sel, .off = off, .size = c->insn.op_size, .call = call };

	return em_prot(c) ? far_prot(c, &f) : far_real(c, &f);
}

enum em_result em_i_jmp_far(struct em_ctx *c)
{
	return far_transfer(c, c->insn.imm2, c->src.val, false);
}

enum em_result em_i_call_far(struct em_ctx *c)
{
	return far_transfer(c, c->insn.imm2, c->src.val, true);
}

static enum em_result far_mem(struct em_ctx *c, bool call)
{
	unsigned int size = em_far_size(c);
	struct em_operand *m = &c->src;
	enum em_result r;
	u64 off = 0;
	u16 sel;

	r = em_read(c, m->seg, m->off, &off, size);
	if (r == EM_DONE)
		r = em_read(c, m->seg, (m->off + size) & em_mask(c->insn.addr_size), &sel, 2);
	return r == EM_DONE ? far_transfer(c, sel, off, call) : r;
}

enum em_result em_i_jmp_far_mem(struct em_ctx *c)
{
	return far_mem(c, false);
}

enum em_result em_i_call_far_mem(struct em_ctx *c)
{
	return far_mem(c, true);
}

/* What a far return or IRET took from the stack. */
struct ret {
	u64 rip;
	u16 cs;
	u64 flags;
	u64 rsp;
	u16 ss;
	bool iret;
	unsigned int size;
	u64 drop;	/* RETF n */
};

static enum em_result pop_u16(struct em_ctx *c, u16 *val, unsigned int size)
{
	enum em_result r;
	u64 v;

	r = em_pop(c, &v, size);
	*val = v;
	return r;
}

/* Flags that IRET may change at the privilege it runs at. */
static u64 iret_flags(struct em_ctx *c, u64 flags, unsigned int size)
{
	u64 may = EM_EFLAGS_ARITH | X86_EFLAGS_TF | X86_EFLAGS_DF | X86_EFLAGS_NT |
		  X86_EFLAGS_RF | X86_EFLAGS_AC | X86_EFLAGS_ID;

	if (c->saved_cpl <= em_iopl(c))
		may |= X86_EFLAGS_IF;
	if (c->saved_cpl == 0 && c->saved_mode != EM_VM86)
		may |= X86_EFLAGS_IOPL | X86_EFLAGS_VIF | X86_EFLAGS_VIP;
	if (c->saved_mode == EM_REAL)
		may |= X86_EFLAGS_IF | X86_EFLAGS_IOPL;
	if (size == 2)
		may &= 0xffff;
	return (c->rflags & ~may) | (flags & may) | X86_EFLAGS_FIXED;
}

static enum em_result return_real(struct em_ctx *c, const struct ret *t)
{
	struct em_seg cs;

	em_real_seg(c, EM_CS, t->cs, &cs);
	if (t->rip > cs.limit)
		return em_gp(c, 0);
	em_add_gpr(c, RSP, em_stack_size(c), t->drop);
	if (t->iret)
		c->rflags = iret_flags(c, t->flags, t->size);
	em_set_seg(c, EM_CS, &cs);
	c->next_rip = t->rip;
	return EM_DONE;
}

/* Judge the code segment a return goes back to. */
static enum em_result check_return_cs(struct em_ctx *c, u16 sel, struct em_desc *d)
{
	unsigned int rpl = sel & 3, dpl;
	enum em_result r;

	if (!(sel & ~3))
		return em_gp(c, 0);
	r = em_read_desc(c, sel, EM_EX_GP, d);
	if (r != EM_DONE)
		return r;
	dpl = em_desc_dpl(d);
	if (!em_type_code(em_desc_type(d)) || rpl < em_cpl(c) ||
	    (em_desc_type(d) & 4 ? dpl > rpl : dpl != rpl) ||
	    (em_lma(c) && (d->hi & 0x600000) == 0x600000))
		return em_sel_fault(c, EM_EX_GP, sel);
	if (!em_desc_present(d))
		return em_sel_fault(c, EM_EX_NP, sel);
	return EM_DONE;
}

/* Data segments that the outer level may not use become null. */
static void drop_segments(struct em_ctx *c, unsigned int cpl)
{
	static const u8 ids[] = { EM_ES, EM_DS, EM_FS, EM_GS };
	struct em_seg seg;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ids); i++) {
		seg = *em_seg(c, ids[i]);
		if (!(seg.attr & EM_SEG_P) || (seg.attr & 0x1c) == 0x1c)
			continue;
		if ((seg.attr & EM_SEG_DPL) >> EM_SEG_DPL_SHIFT >= cpl)
			continue;
		em_null_seg(0, &seg);
		em_set_seg(c, ids[i], &seg);
	}
}

static enum em_result return_outer(struct em_ctx *c, const struct ret *t, struct em_desc *d,
				   struct em_seg *cs)
{
	unsigned int rpl = t->cs & 3;
	struct em_seg ss;
	enum em_result r;

	c->mode = em_mode_of(c->cr0, c->efer, 0, cs->attr);
	r = em_check_data_seg(c, EM_SS, t->ss, rpl, EM_EX_GP, &ss);
	if (r == EM_DONE)
		r = enter_code(c, d, cs, t->rip);
	if (r != EM_DONE)
		return r;
	c->cpl = rpl;
	em_set_seg(c, EM_SS, &ss);
	em_put_gpr(c, RSP, em_stack_size(c) == 2 ? 2 : 8, t->rsp);
	em_add_gpr(c, RSP, em_stack_size(c), t->drop);
	if (rpl > c->saved_cpl)
		drop_segments(c, rpl);
	return EM_DONE;
}

/* RETF and IRET in protected mode, everything but virtual-8086 and tasks. */
static enum em_result return_prot(struct em_ctx *c, struct ret *t)
{
	struct em_desc d;
	struct em_seg cs;
	enum em_result r;
	bool outer;

	r = check_return_cs(c, t->cs, &d);
	if (r != EM_DONE)
		return r;
	em_desc_to_seg(&d, t->cs, &cs);
	r = em_check_target(c, &cs, t->rip);
	outer = (t->cs & 3) > em_cpl(c) || (t->iret && em_long(c));
	if (outer) {
		em_add_gpr(c, RSP, em_stack_size(c), t->drop);
		if (r == EM_DONE)
			r = em_pop(c, &t->rsp, t->size);
		if (r == EM_DONE)
			r = pop_u16(c, &t->ss, t->size);
	}
	if (r != EM_DONE)
		return r;
	if (t->iret)
		c->rflags = iret_flags(c, t->flags, t->size);
	if (outer)
		return return_outer(c, t, &d, &cs);
	em_add_gpr(c, RSP, em_stack_size(c), t->drop);
	return enter_code(c, &d, &cs, t->rip);
}

static enum em_result pop_return(struct em_ctx *c, struct ret *t)
{
	enum em_result r;

	t->size = c->insn.op_size;
	r = em_pop(c, &t->rip, t->size);
	if (r == EM_DONE)
		r = pop_u16(c, &t->cs, t->size);
	if (r == EM_DONE && t->iret)
		r = em_pop(c, &t->flags, t->size);
	return r;
}

enum em_result em_i_retf(struct em_ctx *c)
{
	struct ret t = { .drop = c->src.val };
	enum em_result r;

	r = pop_return(c, &t);
	if (r != EM_DONE)
		return r;
	return em_prot(c) ? return_prot(c, &t) : return_real(c, &t);
}

/* IRET to virtual-8086 mode: all segments come from the stack. */
static enum em_result return_v86(struct em_ctx *c, const struct ret *t)
{
	static const u8 ids[] = { EM_SS, EM_ES, EM_DS, EM_FS, EM_GS };
	u16 sel[ARRAY_SIZE(ids)];
	enum em_result r;
	struct em_seg seg;
	unsigned int i;
	u64 sp;

	r = em_pop(c, &sp, 4);
	for (i = 0; i < ARRAY_SIZE(ids) && r == EM_DONE; i++)
		r = pop_u16(c, &sel[i], 4);
	if (r != EM_DONE)
		return r;
	c->rflags = iret_flags(c, t->flags, 4) | X86_EFLAGS_VM;
	c->mode = EM_VM86;
	c->cpl = 3;
	em_real_seg(c, EM_CS, t->cs, &seg);
	em_set_seg(c, EM_CS, &seg);
	for (i = 0; i < ARRAY_SIZE(ids); i++) {
		em_real_seg(c, ids[i], sel[i], &seg);
		em_set_seg(c, ids[i], &seg);
	}
	em_put_gpr(c, RSP, 4, sp);
	c->next_rip = t->rip & 0xffff;
	return EM_DONE;
}

/* IRET with NT: back to the task that the current one was nested in. */
static enum em_result return_task(struct em_ctx *c)
{
	const struct em_seg *tr = em_seg(c, EM_TR);
	struct em_desc d;
	enum em_result r;
	u16 link;

	if (em_lma(c))
		return em_gp(c, 0);
	r = em_read_la(c, tr->base, &link, 2, EM_ACC_SYSTEM);
	if (r != EM_DONE)
		return r;
	if (link & 4 || !(link & ~3))
		return em_sel_fault(c, EM_EX_TS, link);
	r = em_read_desc(c, link, EM_EX_TS, &d);
	return r == EM_DONE ? em_switch_task(c, link, &d, EM_SWITCH_IRET, false, 0) : r;
}

/* IRET in virtual-8086 mode with a virtual IF. */
static enum em_result return_virtual(struct em_ctx *c)
{
	struct ret t = { .iret = true };
	enum em_result r;
	struct em_seg cs;

	r = pop_return(c, &t);
	if (r == EM_DONE)
		r = em_v86_set_flags(c, t.flags);
	if (r != EM_DONE)
		return r;
	em_real_seg(c, EM_CS, t.cs, &cs);
	em_set_seg(c, EM_CS, &cs);
	c->next_rip = t.rip;
	return EM_DONE;
}

enum em_result em_i_iret(struct em_ctx *c)
{
	struct ret t = { .iret = true };
	enum em_result r;

	c->retire.unblock_nmi = true;
	if (em_v86_virtual_flags(c))
		return return_virtual(c);
	if (c->mode == EM_VM86 && em_iopl(c) < 3)
		return em_gp(c, 0);
	if (em_prot(c) && c->rflags & X86_EFLAGS_NT)
		return return_task(c);
	r = pop_return(c, &t);
	if (r != EM_DONE)
		return r;
	if (!em_prot(c))
		return return_real(c, &t);
	if (t.flags & X86_EFLAGS_VM && t.size == 4 && !em_lma(c) && !em_cpl(c))
		return return_v86(c, &t);
	return return_prot(c, &t);
}

/* Push what IRET takes back, and go where the @entry of a table of far pointers says. */
static enum em_result enter_real(struct em_ctx *c, const u16 *entry, u64 flags, u64 back)
{
	enum em_result r;
	struct em_seg cs;

	r = em_push(c, flags, 2);
	if (r == EM_DONE)
		r = em_push(c, em_seg(c, EM_CS)->sel, 2);
	if (r == EM_DONE)
		r = em_push(c, back, 2);
	if (r != EM_DONE)
		return r;
	em_real_seg(c, EM_CS, entry[1], &cs);
	em_set_seg(c, EM_CS, &cs);
	c->next_rip = entry[0];
	return EM_DONE;
}

/* Deliver through the table at IDTR, as real mode does. */
static enum em_result real_interrupt(struct em_ctx *c, u8 vector, u64 back)
{
	enum em_result r;
	struct em_dt dt;
	u16 entry[2];

	c->ops->get_dt(c, true, &dt);
	if (vector * 4U + 3 > dt.limit)
		return em_gp(c, 0);
	r = em_read_la(c, dt.base + vector * 4U, entry, 4, EM_ACC_SYSTEM);
	if (r == EM_DONE)
		r = enter_real(c, entry, c->rflags, back);
	c->rflags &= ~(X86_EFLAGS_IF | X86_EFLAGS_TF | X86_EFLAGS_AC | X86_EFLAGS_RF);
	c->retire.interrupt = true;
	return r;
}

/* INT n of virtual-8086 mode through the program's own table, at linear address 0. */
static enum em_result redirected_interrupt(struct em_ctx *c, u8 vector)
{
	bool virtual_if = em_iopl(c) < 3;
	enum em_result r;
	u16 entry[2];

	r = em_read_la(c, vector * 4U, entry, 4, 0);
	if (r == EM_DONE)
		r = enter_real(c, entry, virtual_if ? em_v86_flags(c) : c->rflags, c->next_rip);
	c->rflags &= ~(X86_EFLAGS_TF | X86_EFLAGS_RF |
		       (virtual_if ? X86_EFLAGS_VIF : X86_EFLAGS_IF));
	c->retire.interrupt = true;
	return r;
}

enum em_result em_interrupt(struct em_ctx *c, u8 vector)
{
	enum em_result r;

	c->seg_valid = 0;
	c->insn.op_size = 2;
	em_commit(c);
	r = real_interrupt(c, vector, c->rip);
	if (r == EM_DONE)
		c->rip = c->next_rip;
	else
		em_roll_back(c);
	/* There is no instruction to go on with. */
	return r == EM_PENDING ? EM_UNSUPPORTED : r;
}

static bool is_interrupt_gate(struct em_ctx *c, const struct em_desc *gate)
{
	unsigned int type = gate->hi >> 8 & 0x1f;

	if (em_lma(c))
		return type == 14 || type == 15;
	return type == 5 || type == 6 || type == 7 || type == 14 || type == 15;
}

/*
 * What the gate itself refuses is a fault of the instruction. It is looked for here,
 * since without the next rip in the VMCB the hardware would report it behind the instruction.
 */
static enum em_result check_interrupt_gate(struct em_ctx *c, u8 vector)
{
	unsigned int size = em_lma(c) ? 16 : 8;
	u16 error = vector << 3 | 2;
	struct em_desc gate;
	enum em_result r;
	struct em_dt dt;

	c->ops->get_dt(c, true, &dt);
	if (vector * size + size - 1 > dt.limit)
		return em_gp(c, error);
	r = em_read_la(c, dt.base + vector * size, &gate.lo, 8, EM_ACC_SYSTEM);
	if (r != EM_DONE)
		return r;
	if (!is_interrupt_gate(c, &gate) || em_desc_dpl(&gate) < em_cpl(c))
		return em_gp(c, error);
	return em_desc_present(&gate) ? EM_DONE : em_raise(c, EM_EX_NP, error);
}

static enum em_result soft_interrupt(struct em_ctx *c, u8 vector)
{
	enum em_result r;

	if (c->mode == EM_REAL)
		return real_interrupt(c, vector, c->next_rip);
	r = check_interrupt_gate(c, vector);
	if (r != EM_DONE)
		return r;
	em_raise(c, vector, 0);
	c->fault.has_error = false;
	c->fault.error = 0;
	c->fault.soft = true;
	c->fault.trap = true;
	return EM_FAULT;
}

enum em_result em_i_int(struct em_ctx *c)
{
	bool redirected = false;
	enum em_result r;

	if (c->mode == EM_VM86 && c->cr4 & X86_CR4_VME) {
		r = em_redirected(c, c->src.val, &redirected);
		if (r != EM_DONE)
			return r;
	}
	if (redirected)
		return redirected_interrupt(c, c->src.val);
	if (c->mode == EM_VM86 && em_iopl(c) < 3)
		return em_gp(c, 0);
	return soft_interrupt(c, c->src.val);
}

enum em_result em_i_int3(struct em_ctx *c)
{
	return soft_interrupt(c, EM_EX_BP);
}

enum em_result em_i_into(struct em_ctx *c)
{
	return c->rflags & X86_EFLAGS_OF ? soft_interrupt(c, EM_EX_OF) : EM_DONE;
}

enum em_result em_i_int1(struct em_ctx *c)
{
	em_raise(c, EM_EX_DB, 0);
	c->fault.trap = true;
	return EM_FAULT;
}

/* Code and stack of the fast system calls: flat, whatever the tables say. */
static void flat_cs_ss(struct em_ctx *c, u16 cs_sel, u16 ss_sel, unsigned int cpl, bool code64)
{
	unsigned int dpl = cpl << EM_SEG_DPL_SHIFT;
	struct em_seg seg = {
		.sel = cs_sel,
		.attr = 0xb | EM_SEG_S | EM_SEG_P | EM_SEG_G | dpl |
			(code64 ? EM_SEG_L : EM_SEG_DB),
		.limit = U32_MAX,
	};

	c->cpl = cpl;
	em_set_seg(c, EM_CS, &seg);
	seg.sel = ss_sel;
	seg.attr = 0x3 | EM_SEG_S | EM_SEG_P | EM_SEG_G | EM_SEG_DB | dpl;
	em_set_seg(c, EM_SS, &seg);
}

static bool syscall_allowed(struct em_ctx *c)
{
	return c->efer & EM_EFER_SCE && (em_long(c) || !c->intel);
}

enum em_result em_i_syscall(struct em_ctx *c)
{
	u64 star, target, mask = 0;
	enum em_result r;

	if (!syscall_allowed(c) || c->mode == EM_REAL)
		return em_undef(c);
	r = em_get_reg(c, EM_REG_MSR, EM_MSR_STAR, &star);
	if (r == EM_DONE && em_lma(c)) {
		r = em_get_reg(c, EM_REG_MSR, em_long(c) ? EM_MSR_LSTAR : EM_MSR_CSTAR, &target);
		if (r == EM_DONE)
			r = em_get_reg(c, EM_REG_MSR, EM_MSR_SFMASK, &mask);
	}
	if (r != EM_DONE)
		return r;
	if (em_lma(c)) {
		c->gpr[RCX] = c->next_rip;
		c->gpr[11] = c->rflags;
		c->rflags = (c->rflags & ~(mask | X86_EFLAGS_RF)) | X86_EFLAGS_FIXED;
	} else {
		target = (u32)star;
		c->gpr[RCX] = (u32)c->next_rip;
		c->rflags &= ~(X86_EFLAGS_VM | X86_EFLAGS_IF | X86_EFLAGS_RF);
	}
	flat_cs_ss(c, star >> 32 & 0xfffc, (star >> 32 & 0xfffc) + 8, 0, em_lma(c));
	c->next_rip = target;
	return EM_DONE;
}

enum em_result em_i_sysret(struct em_ctx *c)
{
	bool to64 = c->insn.op_size == 8;
	enum em_result r;
	u64 star;
	u16 sel;

	if (!syscall_allowed(c))
		return em_undef(c);
	if (!em_prot(c) || em_cpl(c))
		return em_gp(c, 0);
	if (to64 && !em_canonical(c, c->gpr[RCX]))
		return em_gp(c, 0);
	r = em_get_reg(c, EM_REG_MSR, EM_MSR_STAR, &star);
	if (r != EM_DONE)
		return r;
	sel = star >> 48;
	if (em_long(c))
		c->rflags = (c->gpr[11] & 0x3c7fd7) | X86_EFLAGS_FIXED;
	else
		c->rflags |= X86_EFLAGS_IF;
	c->next_rip = to64 ? c->gpr[RCX] : (u32)c->gpr[RCX];
	flat_cs_ss(c, (to64 ? sel + 16 : sel) | 3, (sel + 8) | 3, 3, to64);
	return EM_DONE;
}

/* AMD processors have SYSENTER outside long mode only. */
static enum em_result sysenter_check(struct em_ctx *c, u64 *cs)
{
	enum em_result r;

	if (em_lma(c) && !c->intel)
		return em_undef(c);
	if (c->mode == EM_REAL)
		return em_gp(c, 0);
	r = em_get_reg(c, EM_REG_MSR, EM_MSR_SYSENTER_CS, cs);
	if (r == EM_DONE && !(*cs & 0xfffc))
		r = em_gp(c, 0);
	return r;
}

enum em_result em_i_sysenter(struct em_ctx *c)
{
	enum em_result r;
	u64 cs, sp, ip;
	u16 sel;

	r = sysenter_check(c, &cs);
	if (r == EM_DONE)
		r = em_get_reg(c, EM_REG_MSR, EM_MSR_SYSENTER_ESP, &sp);
	if (r == EM_DONE)
		r = em_get_reg(c, EM_REG_MSR, EM_MSR_SYSENTER_EIP, &ip);
	if (r != EM_DONE)
		return r;
	sel = cs & 0xfffc;
	c->rflags &= ~(X86_EFLAGS_VM | X86_EFLAGS_IF | X86_EFLAGS_RF);
	flat_cs_ss(c, sel, sel + 8, 0, em_lma(c));
	c->next_rip = em_lma(c) ? ip : (u32)ip;
	c->gpr[RSP] = em_lma(c) ? sp : (u32)sp;
	return EM_DONE;
}

enum em_result em_i_sysexit(struct em_ctx *c)
{
	bool to64 = c->insn.op_size == 8;
	u64 cs, ip = c->gpr[RDX], sp = c->gpr[RCX];
	enum em_result r;
	u16 sel;

	/* privilege comes before everything else here, the mode included */
	r = em_cpl(c) ? em_gp(c, 0) : sysenter_check(c, &cs);
	if (r == EM_DONE && to64 && (!em_canonical(c, ip) || !em_canonical(c, sp)))
		r = em_gp(c, 0);
	if (r != EM_DONE)
		return r;
	sel = (cs & 0xfffc) + (to64 ? 32 : 16);
	flat_cs_ss(c, sel | 3, (sel + 8) | 3, 3, to64);
	c->next_rip = to64 ? ip : (u32)ip;
	c->gpr[RSP] = to64 ? sp : (u32)sp;
	return EM_DONE;
}

/*
 * Transactions always abort at once, for no reason that would be told, so that
 * the code after XBEGIN never runs in one.
 */
enum em_result em_i_xbegin(struct em_ctx *c)
{
	u64 fallback = c->next_rip + c->src.val;
	enum em_result r;

	if (!em_long(c))
		fallback = (u32)fallback;
	r = em_check_target(c, em_seg(c, EM_CS), fallback);
	if (r != EM_DONE)
		return r;
	em_put_gpr(c, RAX, 4, 0);
	c->next_rip = fallback;
	return EM_DONE;
}

enum em_result em_i_xend(struct em_ctx *c)
{
	return em_gp(c, 0);
}

enum em_result em_i_xabort(struct em_ctx *c __maybe_unused)
{
	return EM_DONE;
}

enum em_result em_i_xtest(struct em_ctx *c)
{
	c->rflags &= ~EM_EFLAGS_ARITH;
	em_set_flag(c, X86_EFLAGS_ZF, true);
	return EM_DONE;
}

enum em_result em_i_tsxldtrk(struct em_ctx *c __maybe_unused)
{
	return EM_UNSUPPORTED;
}
