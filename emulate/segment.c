// SPDX-License-Identifier: GPL-2.0
/*
 * Descriptors: reading them, judging them, making segment registers of them.
 *
 * Checking and loading are apart. The em_check_* functions read a descriptor,
 * raise the fault the processor would, and hand back the segment register's new
 * contents; nothing has changed until em_set_seg(). An instruction that loads
 * several registers checks all of them first.
 *
 * The accessed bit is set with a compare and exchange on the descriptor's upper
 * half, since another vCPU may be changing the table. It is set as soon as the
 * checks on that descriptor passed.
 */
#include "internal.h"

enum em_result em_sel_fault(struct em_ctx *c, u8 vector, u16 sel)
{
	return em_raise(c, vector, sel & ~3);
}

/* Table that a selector points into; false if there is no such table. */
static bool desc_table(struct em_ctx *c, u16 sel, struct em_dt *dt)
{
	const struct em_seg *ldt;

	if (!(sel & 4)) {
		c->ops->get_dt(c, false, dt);
		return true;
	}
	ldt = em_seg(c, EM_LDTR);
	if (!(ldt->attr & EM_SEG_P))
		return false;
	dt->base = ldt->base;
	dt->limit = min_t(u32, ldt->limit, 0xffff);
	return true;
}

enum em_result em_read_desc(struct em_ctx *c, u16 sel, u8 vector, struct em_desc *d)
{
	struct em_dt dt;

	if (!desc_table(c, sel, &dt) || (sel | 7U) > dt.limit)
		return em_sel_fault(c, vector, sel);
	d->la = dt.base + (sel & ~7);
	if (!em_lma(c))
		d->la = (u32)d->la;
	d->top = 0;
	return em_read_la(c, d->la, &d->lo, 8, EM_ACC_SYSTEM);
}

/*
 * In long mode LDT, TSS and gates have 16 bytes, the second half of which must not
 * look like a descriptor of its own.
 */
enum em_result em_read_desc_top(struct em_ctx *c, u16 sel, u8 vector, struct em_desc *d)
{
	enum em_result r;
	struct em_dt dt;

	if (!desc_table(c, sel, &dt) || (sel & ~7U) + 15 > dt.limit)
		return em_sel_fault(c, vector, sel);
	r = em_read_la(c, d->la + 8, &d->top, 8, EM_ACC_SYSTEM);
	if (r == EM_DONE && d->top >> 40 & 0x1f)
		r = em_sel_fault(c, vector, sel);
	return r;
}

/* A system segment in @seg begins at an address that exists. */
enum em_result em_check_base(struct em_ctx *c, u8 vector, const struct em_seg *seg)
{
	return em_lma(c) && !em_canonical(c, seg->base) ? em_sel_fault(c, vector, seg->sel) : EM_DONE;
}

void em_desc_to_seg(const struct em_desc *d, u16 sel, struct em_seg *seg)
{
	seg->sel = sel;
	seg->attr = (d->hi >> 8 & 0xff) | (d->hi >> 12 & 0xf00);
	seg->base = (d->lo >> 16) | (d->hi & 0xff) << 16 | (d->hi & 0xff000000) | d->top << 32;
	seg->limit = (d->lo & 0xffff) | (d->hi & 0xf0000);
	if (seg->attr & EM_SEG_G)
		seg->limit = seg->limit << 12 | 0xfff;
}

/* Set @bit of the upper half (accessed, busy) unless it is set. */
enum em_result em_mark_accessed(struct em_ctx *c, struct em_desc *d, u32 bit)
{
	u32 old = d->hi;

	if (old & bit)
		return EM_DONE;
	d->hi |= bit;
	return em_cmpxchg_la(c, d->la + 4, &old, &d->hi, 4, EM_ACC_SYSTEM);
}

void em_null_seg(u16 sel, struct em_seg *seg)
{
	*seg = (struct em_seg) { .sel = sel };
}

/*
 * Real mode takes base from the selector and leaves limit and type alone (that
 * is what "unreal" mode lives on); virtual-8086 mode sets all.
 */
void em_real_seg(struct em_ctx *c, enum em_seg_id id, u16 sel, struct em_seg *seg)
{
	*seg = *em_seg(c, id);
	seg->sel = sel;
	seg->base = (u32)sel << 4;
	if (c->mode == EM_VM86) {
		seg->limit = 0xffff;
		seg->attr = 0xf3;
	} else if (!(seg->attr & EM_SEG_P)) {
		seg->limit = 0xffff;
		seg->attr = 0x93;
	}
}

static enum em_result check_stack_desc(struct em_ctx *c, u16 sel, unsigned int cpl,
				       u8 vector, const struct em_desc *d)
{
	unsigned int type = em_desc_type(d);

	if ((sel & 3) != cpl || em_desc_dpl(d) != cpl || (type & 0x1a) != 0x12)
		return em_sel_fault(c, vector, sel);
	if (!em_desc_present(d))
		return em_sel_fault(c, EM_EX_SS, sel);
	return EM_DONE;
}

static enum em_result check_data_desc(struct em_ctx *c, u16 sel, unsigned int cpl,
				      u8 vector, const struct em_desc *d)
{
	unsigned int type = em_desc_type(d), dpl = em_desc_dpl(d);

	if (!(type & 0x10) || (type & 0x1a) == 0x18)
		return em_sel_fault(c, vector, sel);
	if ((type & 0xc) != 0xc && ((sel & 3U) > dpl || cpl > dpl))
		return em_sel_fault(c, vector, sel);
	if (!em_desc_present(d))
		return em_sel_fault(c, EM_EX_NP, sel);
	return EM_DONE;
}

static enum em_result check_null(struct em_ctx *c, enum em_seg_id id, u16 sel,
				 unsigned int cpl, u8 vector, struct em_seg *seg)
{
	em_null_seg(sel, seg);
	if (id != EM_SS)
		return EM_DONE;
	if (!em_long(c) || cpl == 3 || (sel & 3) != cpl)
		return em_raise(c, vector, 0);
	seg->attr = cpl << EM_SEG_DPL_SHIFT;
	return EM_DONE;
}

enum em_result em_check_data_seg(struct em_ctx *c, enum em_seg_id id, u16 sel,
				 unsigned int cpl, u8 vector, struct em_seg *seg)
{
	enum em_result r;
	struct em_desc d;

	if (!(sel & ~3))
		return check_null(c, id, sel, cpl, vector, seg);
	r = em_read_desc(c, sel, vector, &d);
	if (r != EM_DONE)
		return r;
	if (id == EM_SS)
		r = check_stack_desc(c, sel, cpl, vector, &d);
	else
		r = check_data_desc(c, sel, cpl, vector, &d);
	if (r == EM_DONE)
		r = em_mark_accessed(c, &d, BIT(8));
	if (r == EM_DONE)
		em_desc_to_seg(&d, sel, seg);
	return r;
}

enum em_result em_load_data_seg(struct em_ctx *c, enum em_seg_id id, u16 sel)
{
	enum em_result r = EM_DONE;
	struct em_seg seg;

	if (em_prot(c))
		r = em_check_data_seg(c, id, sel, em_cpl(c), EM_EX_GP, &seg);
	else
		em_real_seg(c, id, sel, &seg);
	if (r == EM_DONE)
		em_set_seg(c, id, &seg);
	return r;
}

enum em_result em_check_ldt(struct em_ctx *c, u16 sel, u8 vector, struct em_seg *seg)
{
	enum em_result r;
	struct em_desc d;

	em_null_seg(sel, seg);
	if (!(sel & ~3))
		return EM_DONE;
	if (sel & 4)
		return em_sel_fault(c, vector, sel);
	r = em_read_desc(c, sel, vector, &d);
	if (r == EM_DONE && em_lma(c))
		r = em_read_desc_top(c, sel, vector, &d);
	if (r != EM_DONE)
		return r;
	if (em_desc_type(&d) != 2)
		return em_sel_fault(c, vector, sel);
	if (!em_desc_present(&d))
		return em_sel_fault(c, vector == EM_EX_TS ? EM_EX_TS : EM_EX_NP, sel);
	em_desc_to_seg(&d, sel, seg);
	return em_check_base(c, vector, seg);
}

/*
 * Direct far JMP and CALL (@exact: RPL counts, privilege stays), or the target
 * of a call gate (more privileged targets are fine).
 */
enum em_result em_check_code(struct em_ctx *c, u16 sel, const struct em_desc *d, bool exact)
{
	unsigned int type = em_desc_type(d), dpl = em_desc_dpl(d), cpl = em_cpl(c);
	bool ok = em_type_code(type) && dpl <= cpl;

	if (exact && !(type & 4))
		ok = ok && dpl == cpl && (sel & 3U) <= cpl;
	if (em_lma(c) && (d->hi & 0x600000) == 0x600000)
		ok = false;	/* L and D together */
	if (!ok)
		return em_sel_fault(c, EM_EX_GP, sel);
	if (!em_desc_present(d))
		return em_sel_fault(c, EM_EX_NP, sel);
	return EM_DONE;
}

enum em_result em_check_target(struct em_ctx *c, const struct em_seg *cs, u64 rip)
{
	if (em_lma(c) && cs->attr & EM_SEG_L)
		return em_canonical(c, rip) ? EM_DONE : em_gp(c, 0);
	return rip <= cs->limit ? EM_DONE : em_gp(c, 0);
}
