// SPDX-License-Identifier: GPL-2.0
/*
 * System management mode: the state save area, on the way in and on RSM.
 *
 * The save area is the last 512 bytes of the 64K at SMBASE. Its layout depends
 * on the processor: the 64-bit one (AMD's, with a revision of 20064) if it has
 * long mode, else the 32-bit one. Both are described by tables of {offset, size,
 * register}, walked once to save and once to restore.
 *
 * On entry everything is gathered first, then the machine is brought into SMM's
 * unpaged state, then the area is written: so its addresses are physical. RSM
 * reads the area (SMM's own page tables map it, or paging is off), leaves
 * whatever mode the handler runs in, and builds the old one up in an order the
 * control registers accept. Handlers change the area, hence every value goes
 * through the same checks as a guest's MOV to CR or WRMSR; what they refuse
 * would shut a processor down, and is EM_UNSUPPORTED here.
 *
 * The embedder switches its view of memory to SMM before em_smi(), and back
 * after em_rsm() (ctx->retire.rsm).
 */
#include "internal.h"

#define AREA_OFFSET	0xfe00
#define AREA_SIZE	512
#define AREA(off)	((off) - 0x7e00)

#define AUTO_HALT_32	0x7f02
#define AUTO_HALT_64	0x7ec9
#define REVISION	0x7efc
#define REVISION_32	0x00020000
#define REVISION_64	0x00020064
#define SMBASE_32	0x7ef8
#define SMBASE_64	0x7f00

/* RIP, RFLAGS and so on live in ctx, the rest behind em_get_reg(). */
enum { S_GPR, S_RIP, S_RFLAGS, S_CR, S_DR, S_EFER };

struct slot {
	u16 off;
	u8 size;
	u8 what;
	u8 nr;
};

static const struct slot slots_64[] = {
	{ 0x7ff8, 8, S_GPR, RAX }, { 0x7ff0, 8, S_GPR, RCX }, { 0x7fe8, 8, S_GPR, RDX },
	{ 0x7fe0, 8, S_GPR, RBX }, { 0x7fd8, 8, S_GPR, RSP }, { 0x7fd0, 8, S_GPR, RBP },
	{ 0x7fc8, 8, S_GPR, RSI }, { 0x7fc0, 8, S_GPR, RDI }, { 0x7fb8, 8, S_GPR, 8 },
	{ 0x7fb0, 8, S_GPR, 9 }, { 0x7fa8, 8, S_GPR, 10 }, { 0x7fa0, 8, S_GPR, 11 },
	{ 0x7f98, 8, S_GPR, 12 }, { 0x7f90, 8, S_GPR, 13 }, { 0x7f88, 8, S_GPR, 14 },
	{ 0x7f80, 8, S_GPR, 15 },
	{ 0x7f78, 8, S_RIP }, { 0x7f70, 8, S_RFLAGS }, { 0x7f68, 8, S_DR, 6 },
	{ 0x7f60, 8, S_DR, 7 }, { 0x7f58, 8, S_CR, 0 }, { 0x7f50, 8, S_CR, 3 },
	{ 0x7f48, 8, S_CR, 4 }, { 0x7ed0, 8, S_EFER },
	{ }
};

static const struct slot slots_32[] = {
	{ 0x7fd0, 4, S_GPR, RAX }, { 0x7fd4, 4, S_GPR, RCX }, { 0x7fd8, 4, S_GPR, RDX },
	{ 0x7fdc, 4, S_GPR, RBX }, { 0x7fe0, 4, S_GPR, RSP }, { 0x7fe4, 4, S_GPR, RBP },
	{ 0x7fe8, 4, S_GPR, RSI }, { 0x7fec, 4, S_GPR, RDI },
	{ 0x7ff0, 4, S_RIP }, { 0x7ff4, 4, S_RFLAGS }, { 0x7fcc, 4, S_DR, 6 },
	{ 0x7fc8, 4, S_DR, 7 }, { 0x7ffc, 4, S_CR, 0 }, { 0x7ff8, 4, S_CR, 3 },
	{ 0x7f14, 4, S_CR, 4 },
	{ }
};

/* Where the parts of a segment register lie. */
struct seg_slot {
	u16 sel, attr, limit, base;
};

static const struct seg_slot segs_64[EM_NR_SEGS] = {
	[EM_ES] = { 0x7e00, 0x7e02, 0x7e04, 0x7e08 },
	[EM_CS] = { 0x7e10, 0x7e12, 0x7e14, 0x7e18 },
	[EM_SS] = { 0x7e20, 0x7e22, 0x7e24, 0x7e28 },
	[EM_DS] = { 0x7e30, 0x7e32, 0x7e34, 0x7e38 },
	[EM_FS] = { 0x7e40, 0x7e42, 0x7e44, 0x7e48 },
	[EM_GS] = { 0x7e50, 0x7e52, 0x7e54, 0x7e58 },
	[EM_LDTR] = { 0x7e70, 0x7e72, 0x7e74, 0x7e78 },
	[EM_TR] = { 0x7e90, 0x7e92, 0x7e94, 0x7e98 },
};

static const struct seg_slot segs_32[EM_NR_SEGS] = {
	[EM_ES] = { 0x7fa8, 0x7f84, 0x7f88, 0x7f8c },
	[EM_CS] = { 0x7fac, 0x7f90, 0x7f94, 0x7f98 },
	[EM_SS] = { 0x7fb0, 0x7f9c, 0x7fa0, 0x7fa4 },
	[EM_DS] = { 0x7fb4, 0x7f2c, 0x7f30, 0x7f34 },
	[EM_FS] = { 0x7fb8, 0x7f38, 0x7f3c, 0x7f40 },
	[EM_GS] = { 0x7fbc, 0x7f44, 0x7f48, 0x7f4c },
	[EM_LDTR] = { 0x7fc0, 0x7f78, 0x7f7c, 0x7f80 },
	[EM_TR] = { 0x7fc4, 0x7f5c, 0x7f60, 0x7f64 },
};

struct layout {
	const struct slot *slots;
	const struct seg_slot *segs;
	u8 base_size;
	u16 gdt_limit, gdt_base, idt_limit, idt_base;
	u16 smbase, auto_halt;
	u32 revision;
};

static const struct layout layouts[2] = {
	{ slots_32, segs_32, 4, 0x7f70, 0x7f74, 0x7f54, 0x7f58, SMBASE_32, AUTO_HALT_32,
	  REVISION_32 },
	{ slots_64, segs_64, 8, 0x7e64, 0x7e68, 0x7e84, 0x7e88, SMBASE_64, AUTO_HALT_64,
	  REVISION_64 },
};

/* Values of the registers that are not in ctx directly. */
struct shadow_regs {
	u64 cr0, cr3, cr4, dr6, dr7, efer;
};

static u64 *slot_value(struct em_ctx *c, struct shadow_regs *x, const struct slot *s)
{
	switch (s->what) {
	case S_GPR:
		return &c->gpr[s->nr];
	case S_RIP:
		return &c->rip;
	case S_RFLAGS:
		return &c->rflags;
	case S_DR:
		return s->nr == 6 ? &x->dr6 : &x->dr7;
	case S_CR:
		return s->nr == 0 ? &x->cr0 : s->nr == 3 ? &x->cr3 : &x->cr4;
	default:
		return &x->efer;
	}
}

static void put(u8 *area, u16 off, u64 val, unsigned int size)
{
	memcpy(area + AREA(off), &val, size);
}

static u64 get(const u8 *area, u16 off, unsigned int size)
{
	u64 val = 0;

	memcpy(&val, area + AREA(off), size);
	return val;
}

static enum em_result read_shadow(struct em_ctx *c, struct shadow_regs *x)
{
	const struct { enum em_reg_class class; u32 nr; u64 *val; } regs[] = {
		{ EM_REG_CR, 0, &x->cr0 }, { EM_REG_CR, 3, &x->cr3 }, { EM_REG_CR, 4, &x->cr4 },
		{ EM_REG_DR, 6, &x->dr6 }, { EM_REG_DR, 7, &x->dr7 },
	};
	enum em_result r = EM_DONE;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(regs) && r == EM_DONE; i++)
		r = c->ops->get_reg(c, regs[i].class, regs[i].nr, regs[i].val);
	x->efer = c->efer;
	return r;
}

static void save_segs(struct em_ctx *c, const struct layout *l, u8 *area)
{
	const struct em_seg *s;
	unsigned int i;

	for (i = 0; i < EM_NR_SEGS; i++) {
		s = em_seg(c, i);
		put(area, l->segs[i].sel, s->sel, 2);
		put(area, l->segs[i].limit, s->limit, 4);
		put(area, l->segs[i].base, s->base, l->base_size);
		/* 64-bit: packed as in struct em_seg; 32-bit: as in a descriptor. */
		if (l->base_size == 8)
			put(area, l->segs[i].attr, s->attr, 2);
		else
			put(area, l->segs[i].attr, (s->attr & 0xff) | (s->attr & 0xf00) << 4, 4);
	}
}

static void save_tables(struct em_ctx *c, const struct layout *l, u8 *area)
{
	struct em_dt dt;

	c->ops->get_dt(c, false, &dt);
	put(area, l->gdt_limit, dt.limit, 4);
	put(area, l->gdt_base, dt.base, l->base_size);
	c->ops->get_dt(c, true, &dt);
	put(area, l->idt_limit, dt.limit, 4);
	put(area, l->idt_base, dt.base, l->base_size);
}

/* Segments as a processor in unpaged real mode has them, with 4G limits. */
static void flat_segments(struct em_ctx *c, u16 cs_sel, u64 cs_base)
{
	static const u8 ids[] = { EM_ES, EM_CS, EM_SS, EM_DS, EM_FS, EM_GS };
	struct em_seg seg;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ids); i++) {
		seg = (struct em_seg) { .attr = 0x93 | EM_SEG_G, .limit = U32_MAX };
		if (ids[i] == EM_CS) {
			seg.sel = cs_sel;
			seg.base = cs_base;
		}
		em_set_seg(c, ids[i], &seg);
	}
	c->cpl = 0;
}

static enum em_result set(struct em_ctx *c, enum em_reg_class class, u32 nr, u64 val)
{
	enum em_result r = c->ops->set_reg(c, class, nr, val);

	/* A processor would shut down; let the embedder decide. */
	return r == EM_DONE ? r : EM_UNSUPPORTED;
}

/*
 * Out of whatever mode, into unpaged real mode; CS is not 64-bit any more. EFER
 * stays if the area has no place for it: then there is no long mode to leave.
 */
static enum em_result leave_modes(struct em_ctx *c, bool long_layout)
{
	u64 off = X86_CR0_PE | X86_CR0_EM | X86_CR0_TS | X86_CR0_PG;
	enum em_result r = EM_DONE;
	u64 cr0;

	if (c->cr4 & X86_CR4_PCIDE)
		r = set(c, EM_REG_CR, 4, c->cr4 & ~X86_CR4_PCIDE);
	if (r == EM_DONE)
		r = c->ops->get_reg(c, EM_REG_CR, 0, &cr0);
	if (r == EM_DONE)
		r = set(c, EM_REG_CR, 0, cr0 & ~off);
	if (r == EM_DONE)
		r = set(c, EM_REG_CR, 4, 0);
	c->mode = EM_REAL;
	c->cr4 = 0;
	if (r != EM_DONE || !long_layout)
		return r;
	c->efer = 0;
	return set(c, EM_REG_MSR, EM_MSR_EFER, 0);
}

static enum em_result area_io(struct em_ctx *c, u64 smbase, u8 *area, bool write)
{
	enum em_result r = EM_DONE;
	u64 la = smbase + AREA_OFFSET;
	unsigned int i;

	for (i = 0; i < AREA_SIZE && r == EM_DONE; i += EM_MAX_ACCESS) {
		if (write)
			r = c->ops->write_mem(c, la + i, area + i, EM_MAX_ACCESS,
					      EM_ACC_SYSTEM | EM_ACC_WRITE);
		else
			r = c->ops->read_mem(c, la + i, area + i, EM_MAX_ACCESS, EM_ACC_SYSTEM);
	}
	return r == EM_DONE ? r : EM_UNSUPPORTED;
}

static void begin(struct em_ctx *c)
{
	memset(&c->retire, 0, sizeof(c->retire));
	memset(&c->fault, 0, sizeof(c->fault));
	c->executing = false;
	c->seg_valid = 0;
	em_log_reset(c);
}

enum em_result em_smi(struct em_ctx *c, u32 smbase, bool long_layout, bool halted)
{
	const struct layout *l = &layouts[long_layout];
	u8 area[AREA_SIZE] = {};
	const struct em_dt no_idt = {};
	struct shadow_regs x;
	const struct slot *s;
	enum em_result r;

	begin(c);
	r = read_shadow(c, &x);
	if (r != EM_DONE)
		return r;
	for (s = l->slots; s->off; s++)
		put(area, s->off, *slot_value(c, &x, s), s->size);
	save_segs(c, l, area);
	save_tables(c, l, area);
	put(area, l->auto_halt, halted, 1);
	put(area, REVISION, l->revision, 4);
	put(area, l->smbase, smbase, 4);

	flat_segments(c, smbase >> 4 & 0xffff, smbase);
	r = leave_modes(c, long_layout);
	if (r == EM_DONE)
		r = set(c, EM_REG_DR, 7, 0x400);
	if (r == EM_DONE)
		r = area_io(c, smbase, area, true);
	c->ops->set_dt(c, true, &no_idt);
	c->rflags = X86_EFLAGS_FIXED;
	c->rip = 0x8000;
	return r;
}

static void restore_segs(struct em_ctx *c, const struct layout *l, const u8 *area)
{
	struct em_seg seg;
	unsigned int i;
	u32 attr;

	for (i = 0; i < EM_NR_SEGS; i++) {
		attr = get(area, l->segs[i].attr, l->base_size == 8 ? 2 : 4);
		seg.sel = get(area, l->segs[i].sel, 2);
		seg.limit = get(area, l->segs[i].limit, 4);
		seg.base = get(area, l->segs[i].base, l->base_size);
		seg.attr = l->base_size == 8 ? attr & 0xfff : (attr & 0xff) | (attr >> 4 & 0xf00);
		em_set_seg(c, i, &seg);
	}
	c->cpl = (c->seg[EM_SS].attr & EM_SEG_DPL) >> EM_SEG_DPL_SHIFT;
}

static void restore_tables(struct em_ctx *c, const struct layout *l, const u8 *area)
{
	struct em_dt dt;

	dt.limit = get(area, l->gdt_limit, 2);
	dt.base = get(area, l->gdt_base, l->base_size);
	c->ops->set_dt(c, false, &dt);
	dt.limit = get(area, l->idt_limit, 2);
	dt.base = get(area, l->idt_base, l->base_size);
	c->ops->set_dt(c, true, &dt);
}

/* CR4.PCIDE only once long mode is active, LMA comes from setting PG. */
static enum em_result restore_modes(struct em_ctx *c, const struct shadow_regs *x)
{
	const struct { enum em_reg_class class; u32 nr; u64 val; } steps[] = {
		{ EM_REG_CR, 4, x->cr4 & ~X86_CR4_PCIDE },
		{ EM_REG_MSR, EM_MSR_EFER, x->efer & ~EM_EFER_LMA },
		{ EM_REG_CR, 3, x->cr3 & (x->cr4 & X86_CR4_PCIDE ? ~0xfffULL : ~0ULL) },
		{ EM_REG_CR, 0, x->cr0 },
		{ EM_REG_CR, 4, x->cr4 },
		{ EM_REG_CR, 3, x->cr3 },
		{ EM_REG_DR, 6, x->dr6 },
		{ EM_REG_DR, 7, x->dr7 },
	};
	bool pcide = x->cr4 & X86_CR4_PCIDE;
	enum em_result r = EM_DONE;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(steps) && r == EM_DONE; i++) {
		if ((i == 4 || i == 5) && !pcide)
			continue;
		r = set(c, steps[i].class, steps[i].nr, steps[i].val);
	}
	c->cr0 = x->cr0;
	c->cr4 = x->cr4;
	c->efer = x->efer;
	return r;
}

enum em_result em_rsm(struct em_ctx *c, u32 *smbase, bool long_layout)
{
	const struct layout *l = &layouts[long_layout];
	struct shadow_regs x = { .efer = c->efer };
	u8 area[AREA_SIZE];
	const struct slot *s;
	enum em_result r;

	begin(c);
	r = area_io(c, *smbase, area, false);
	if (r != EM_DONE)
		return r;
	flat_segments(c, 0, 0);
	r = leave_modes(c, long_layout);
	if (r != EM_DONE)
		return r;
	for (s = l->slots; s->off; s++)
		*slot_value(c, &x, s) = get(area, s->off, s->size);
	restore_tables(c, l, area);
	r = restore_modes(c, &x);
	if (r != EM_DONE)
		return r;
	restore_segs(c, l, area);
	c->rflags |= X86_EFLAGS_FIXED;
	c->mode = em_mode_of(c->cr0, c->efer, c->rflags, c->seg[EM_CS].attr);
	*smbase = get(area, l->smbase, 4);
	c->retire.rsm = true;
	c->retire.hlt = get(area, l->auto_halt, 1) & 1;
	return EM_DONE;
}
