// SPDX-License-Identifier: GPL-2.0
/*
 * Hardware tasks: the task switch, and the I/O permission bitmap in the TSS.
 *
 * A task switch saves the registers in the old task state segment, loads new
 * ones from the other, and only then checks the new segments: faults from there
 * on belong to the new task. So the switch has a point of no return, marked by
 * em_commit() with the new registers. It cannot be suspended for an exit to
 * userspace: a task state segment in device memory is refused.
 *
 * 16-bit and 32-bit segments differ in layout only. Both are turned into struct
 * task right after reading, so that the rest is written once.
 */
#include "internal.h"

enum { T_ES, T_CS, T_SS, T_DS, T_FS, T_GS, T_NR_SEGS };

struct task {
	u32 cr3;
	u32 eip;
	u32 eflags;
	u32 gpr[8];
	u16 seg[T_NR_SEGS];
	u16 ldt;
	bool trap;
};

struct tss32 {
	u32 link;
	u32 stack[6];
	u32 cr3;
	u32 eip;
	u32 eflags;
	u32 gpr[8];
	u32 seg[6];
	u32 ldt;
	u16 trap;
	u16 iomap;
};

struct tss16 {
	u16 link;
	u16 stack[6];
	u16 ip;
	u16 flags;
	u16 gpr[8];
	u16 seg[4];
	u16 ldt;
};

static_assert(sizeof(struct tss32) == 104);
static_assert(sizeof(struct tss16) == 44);

/* Move a range of a TSS in pieces the callbacks take. */
static enum em_result tss_io(struct em_ctx *c, u64 la, void *buf, unsigned int size, bool write)
{
	enum em_result r = EM_DONE;
	unsigned int done, n;

	for (done = 0; done < size && r == EM_DONE; done += n) {
		n = min_t(unsigned int, size - done, EM_MAX_ACCESS);
		if (write)
			r = em_write_la(c, (u32)(la + done), buf + done, n, EM_ACC_SYSTEM);
		else
			r = em_read_la(c, (u32)(la + done), buf + done, n, EM_ACC_SYSTEM);
	}
	return r;
}

static bool is_tss32(const struct em_seg *tr)
{
	return tr->attr & 8;
}

static enum em_result load_tss(struct em_ctx *c, const struct em_seg *tr, struct task *t)
{
	struct tss32 t32;
	struct tss16 t16;
	enum em_result r;
	unsigned int i;

	memset(t, 0, sizeof(*t));
	if (is_tss32(tr)) {
		r = tss_io(c, tr->base, &t32, sizeof(t32), false);
		t->cr3 = t32.cr3;
		t->eip = t32.eip;
		t->eflags = t32.eflags;
		memcpy(t->gpr, t32.gpr, sizeof(t->gpr));
		for (i = 0; i < T_NR_SEGS; i++)
			t->seg[i] = t32.seg[i];
		t->ldt = t32.ldt;
		t->trap = t32.trap & 1;
		return r;
	}
	r = tss_io(c, tr->base, &t16, sizeof(t16), false);
	t->eip = t16.ip;
	t->eflags = t16.flags;
	for (i = 0; i < 8; i++)
		t->gpr[i] = t16.gpr[i] | 0xffff0000;
	for (i = 0; i < 4; i++)
		t->seg[i] = t16.seg[i];
	t->ldt = t16.ldt;
	return r;
}

/* Of the old task the part from EIP to the segment registers is written. */
static enum em_result save_tss(struct em_ctx *c, const struct em_seg *tr, u32 eflags)
{
	struct tss32 t32 = { .eip = c->next_rip, .eflags = eflags };
	struct tss16 t16 = { .ip = c->next_rip, .flags = eflags };
	unsigned int i;

	for (i = 0; i < 8; i++) {
		t32.gpr[i] = c->gpr[i];
		t16.gpr[i] = c->gpr[i];
	}
	for (i = 0; i < T_NR_SEGS; i++)
		t32.seg[i] = em_seg(c, i)->sel;
	for (i = 0; i < 4; i++)
		t16.seg[i] = em_seg(c, i)->sel;
	if (is_tss32(tr))
		return tss_io(c, tr->base + offsetof(struct tss32, eip), &t32.eip,
			      offsetof(struct tss32, ldt) - offsetof(struct tss32, eip), true);
	return tss_io(c, tr->base + offsetof(struct tss16, ip), &t16.ip,
		      offsetof(struct tss16, ldt) - offsetof(struct tss16, ip), true);
}

#define DESC_BUSY	BIT(9)

/* Set or clear the busy bit of a TSS descriptor in the GDT. */
static enum em_result set_busy(struct em_ctx *c, u16 sel, bool busy)
{
	enum em_result r;
	struct em_desc d;
	u32 hi;

	r = em_read_desc(c, sel, EM_EX_TS, &d);
	if (r != EM_DONE)
		return r;
	hi = busy ? d.hi | DESC_BUSY : d.hi & ~DESC_BUSY;
	return em_cmpxchg_la(c, d.la + 4, &d.hi, &hi, 4, EM_ACC_SYSTEM);
}

static enum em_result check_tss(struct em_ctx *c, u16 sel, const struct em_desc *d,
				enum em_switch why, struct em_seg *tr)
{
	unsigned int type = em_desc_type(d);
	bool busy = type & 2, back = why == EM_SWITCH_IRET;

	if ((type & 0x15) != 1 || busy != back)
		return em_sel_fault(c, back ? EM_EX_TS : EM_EX_GP, sel);
	if (!em_desc_present(d))
		return em_sel_fault(c, EM_EX_NP, sel);
	em_desc_to_seg(d, sel, tr);
	tr->attr |= 2;
	if (tr->limit < (is_tss32(tr) ? sizeof(struct tss32) : sizeof(struct tss16)) - 1)
		return em_sel_fault(c, EM_EX_TS, sel);
	return EM_DONE;
}

static enum em_result leave_old(struct em_ctx *c, const struct em_seg *old, u16 sel,
				enum em_switch why, const struct em_seg *new)
{
	u32 eflags = c->rflags;
	enum em_result r;

	if (why == EM_SWITCH_IRET)
		eflags &= ~X86_EFLAGS_NT;
	r = save_tss(c, old, eflags);
	if (r == EM_DONE && (why == EM_SWITCH_JMP || why == EM_SWITCH_IRET))
		r = set_busy(c, old->sel, false);
	if (r == EM_DONE && why != EM_SWITCH_IRET)
		r = set_busy(c, sel, true);
	if (r == EM_DONE && (why == EM_SWITCH_CALL || why == EM_SWITCH_GATE))
		r = em_write_la(c, (u32)new->base, &old->sel, 2, EM_ACC_SYSTEM);
	return r;
}

#define DR7_LOCAL	0x55

/* Breakpoints that were enabled for the old task only. */
static enum em_result drop_local_breakpoints(struct em_ctx *c)
{
	enum em_result r;
	u64 dr7;

	r = em_get_reg(c, EM_REG_DR, 7, &dr7);
	if (r == EM_DONE && dr7 & DR7_LOCAL)
		r = em_set_reg(c, EM_REG_DR, 7, dr7 & ~(u64)DR7_LOCAL);
	return r;
}

/* Registers of the new task, as far as no check is needed. */
static enum em_result enter_new(struct em_ctx *c, const struct task *t, const struct em_seg *tr,
				enum em_switch why)
{
	enum em_result r = EM_DONE;
	unsigned int i;

	if (is_tss32(tr) && c->cr0 & X86_CR0_PG)
		r = em_set_reg(c, EM_REG_CR, 3, t->cr3);
	if (r == EM_DONE)
		r = em_set_reg(c, EM_REG_CR, 0, c->cr0 | X86_CR0_TS);
	if (r == EM_DONE)
		r = drop_local_breakpoints(c);
	if (r != EM_DONE)
		return r;
	c->cr0 |= X86_CR0_TS;
	for (i = 0; i < 8; i++)
		c->gpr[i] = t->gpr[i];
	c->rflags = t->eflags | X86_EFLAGS_FIXED;
	if (why == EM_SWITCH_CALL || why == EM_SWITCH_GATE)
		c->rflags |= X86_EFLAGS_NT;
	c->rip = c->next_rip = t->eip;
	em_set_seg(c, EM_TR, tr);
	c->mode = c->rflags & X86_EFLAGS_VM ? EM_VM86 : EM_PROT32;
	em_commit(c);
	return EM_DONE;
}

/* Whatever its mode, the new task has its own LDT; until it was checked only the selector. */
static void drop_ldt(struct em_ctx *c, const struct task *t)
{
	struct em_seg seg;

	em_null_seg(t->ldt, &seg);
	em_set_seg(c, EM_LDTR, &seg);
}

static enum em_result load_ldt(struct em_ctx *c, const struct task *t)
{
	struct em_seg seg;
	enum em_result r;

	r = em_check_ldt(c, t->ldt, EM_EX_TS, &seg);
	if (r == EM_DONE)
		em_set_seg(c, EM_LDTR, &seg);
	return r;
}

static enum em_result enter_v86(struct em_ctx *c, const struct task *t)
{
	struct em_seg seg;
	unsigned int i;

	c->cpl = 3;
	for (i = 0; i < T_NR_SEGS; i++) {
		em_real_seg(c, i, t->seg[i], &seg);
		em_set_seg(c, i, &seg);
	}
	drop_ldt(c, t);
	em_commit(c);
	return load_ldt(c, t);
}

static enum em_result check_new_cs(struct em_ctx *c, u16 sel, struct em_desc *d)
{
	unsigned int rpl = sel & 3, type, dpl;
	enum em_result r;

	if (!(sel & ~3))
		return em_raise(c, EM_EX_TS, 0);
	r = em_read_desc(c, sel, EM_EX_TS, d);
	if (r != EM_DONE)
		return r;
	type = em_desc_type(d);
	dpl = em_desc_dpl(d);
	if (!em_type_code(type) || (type & 4 ? dpl > rpl : dpl != rpl))
		return em_sel_fault(c, EM_EX_TS, sel);
	if (!em_desc_present(d))
		return em_sel_fault(c, EM_EX_NP, sel);
	return em_mark_accessed(c, d, BIT(8));
}

static enum em_result load_new_cs(struct em_ctx *c, u16 sel)
{
	enum em_result r;
	struct em_desc d;
	struct em_seg cs;

	r = check_new_cs(c, sel, &d);
	if (r != EM_DONE)
		return r;
	em_desc_to_seg(&d, sel, &cs);
	em_set_seg(c, EM_CS, &cs);
	c->mode = em_mode_of(c->cr0, c->efer, c->rflags, cs.attr);
	return EM_DONE;
}

/* Segment registers hold their selectors, unusable, until each was checked. */
static enum em_result load_segments(struct em_ctx *c, const struct task *t)
{
	static const u8 data[] = { EM_ES, EM_DS, EM_FS, EM_GS };
	struct em_seg seg;
	enum em_result r;
	unsigned int i;

	c->cpl = t->seg[T_CS] & 3;
	for (i = 0; i < T_NR_SEGS; i++) {
		em_null_seg(t->seg[i], &seg);
		if (i == EM_SS)
			seg.attr = c->cpl << EM_SEG_DPL_SHIFT;
		em_set_seg(c, i, &seg);
	}
	drop_ldt(c, t);
	em_commit(c);
	r = load_ldt(c, t);
	if (r == EM_DONE)
		r = load_new_cs(c, t->seg[T_CS]);
	if (r == EM_DONE)
		r = em_check_data_seg(c, EM_SS, t->seg[T_SS], c->cpl, EM_EX_TS, &seg);
	if (r == EM_DONE)
		em_set_seg(c, EM_SS, &seg);
	for (i = 0; i < ARRAY_SIZE(data) && r == EM_DONE; i++) {
		r = em_check_data_seg(c, data[i], t->seg[data[i]], c->cpl, EM_EX_TS, &seg);
		if (r == EM_DONE)
			em_set_seg(c, data[i], &seg);
	}
	return r;
}

static enum em_result start_new(struct em_ctx *c, const struct task *t, const struct em_seg *tr,
				bool has_err, u32 err)
{
	enum em_result r;

	r = c->mode == EM_VM86 ? enter_v86(c, t) : load_segments(c, t);
	em_commit(c);
	if (r == EM_DONE)
		r = em_check_target(c, em_seg(c, EM_CS), t->eip);
	if (r == EM_DONE && has_err)
		r = em_push(c, err, is_tss32(tr) ? 4 : 2);
	if (r == EM_DONE && t->trap) {
		em_raise(c, EM_EX_DB, 0);
		c->fault.payload = BIT(15);
		c->fault.trap = true;
		r = EM_FAULT;
	}
	return r;
}

static enum em_result do_switch(struct em_ctx *c, u16 sel, const struct em_desc *d,
				enum em_switch why, bool has_err, u32 err)
{
	struct em_seg old = *em_seg(c, EM_TR), new;
	enum em_result r;
	struct task t;

	r = check_tss(c, sel, d, why, &new);
	if (r == EM_DONE && !(old.attr & EM_SEG_P))
		r = em_sel_fault(c, EM_EX_TS, old.sel);
	if (r == EM_DONE)
		r = load_tss(c, &new, &t);
	if (r == EM_DONE)
		r = leave_old(c, &old, sel, why, &new);
	if (r == EM_DONE)
		r = enter_new(c, &t, &new, why);
	return r == EM_DONE ? start_new(c, &t, &new, has_err, err) : r;
}

enum em_result em_switch_task(struct em_ctx *c, u16 sel, const struct em_desc *d,
			      enum em_switch why, bool has_err, u32 err)
{
	enum em_result r = do_switch(c, sel, d, why, has_err, err);

	return r == EM_PENDING ? EM_UNSUPPORTED : r;
}

enum em_result em_task_switch(struct em_ctx *c, u16 sel, enum em_switch why,
			      bool has_err, u32 err)
{
	u8 vector = why == EM_SWITCH_IRET ? EM_EX_TS : EM_EX_GP;
	enum em_result r;
	struct em_desc d;

	memset(&c->retire, 0, sizeof(c->retire));
	memset(&c->fault, 0, sizeof(c->fault));
	c->executing = false;
	c->seg_valid = 0;
	em_commit(c);
	r = em_read_desc(c, sel, vector, &d);
	if (r == EM_DONE)
		r = em_switch_task(c, sel, &d, why, has_err, err);
	if (r == EM_PENDING)
		r = EM_UNSUPPORTED;
	if (r == EM_DONE || c->fault.trap)
		c->rip = c->next_rip;
	else
		em_roll_back(c);
	return r;
}

/* The bitmap is consulted one byte beyond, as an access may straddle. */
static enum em_result check_bitmap(struct em_ctx *c, u16 port, unsigned int size)
{
	const struct em_seg *tr = em_seg(c, EM_TR);
	u16 iomap, bits, mask = ((1U << size) - 1) << (port & 7);
	enum em_result r;
	u32 off;

	if (!(tr->attr & EM_SEG_P) || !is_tss32(tr) || tr->limit < sizeof(struct tss32) - 1)
		return em_gp(c, 0);
	r = em_read_la(c, tr->base + offsetof(struct tss32, iomap), &iomap, 2, EM_ACC_SYSTEM);
	if (r != EM_DONE)
		return r;
	off = iomap + port / 8;
	if (off + 1 > tr->limit)
		return em_gp(c, 0);
	r = em_read_la(c, tr->base + off, &bits, 2, EM_ACC_SYSTEM);
	if (r == EM_DONE && bits & mask)
		r = em_gp(c, 0);
	return r;
}

/* The redirection bitmap: 32 bytes right below the I/O bitmap, a 1 asks the monitor. */
enum em_result em_redirected(struct em_ctx *c, u8 vector, bool *yes)
{
	const struct em_seg *tr = em_seg(c, EM_TR);
	enum em_result r;
	u16 iomap;
	u32 off;
	u8 bits;

	if (!(tr->attr & EM_SEG_P) || !is_tss32(tr) || tr->limit < sizeof(struct tss32) - 1)
		return em_gp(c, 0);
	r = em_read_la(c, tr->base + offsetof(struct tss32, iomap), &iomap, 2, EM_ACC_SYSTEM);
	if (r != EM_DONE)
		return r;
	off = (u16)(iomap - 32) + vector / 8;
	if (off > tr->limit)
		return em_gp(c, 0);
	r = em_read_la(c, tr->base + off, &bits, 1, EM_ACC_SYSTEM);
	*yes = !(bits >> (vector & 7) & 1);
	return r;
}

enum em_result em_port_allowed(struct em_ctx *c, u16 port, unsigned int size)
{
	if (c->mode == EM_REAL)
		return EM_DONE;
	if (c->mode != EM_VM86 && em_cpl(c) <= em_iopl(c))
		return EM_DONE;
	return check_bitmap(c, port, size);
}
