// SPDX-License-Identifier: GPL-2.0
/* The machine behind the emulator's unit tests; see em_machine.h. */
#include "em_machine.h"

#define M(ctx) container_of(ctx, struct machine, c)

static void note(struct machine *m, const struct access *a)
{
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
	m->traced %= TRACE_MAX;	/* nobody looks at it */
#endif
	assert(m->traced < TRACE_MAX);
	m->trace[m->traced++] = *a;
}

static bool same(const struct access *a, const struct access *b)
{
	return a->write == b->write && a->port == b->port && a->addr == b->addr &&
	       a->size == b->size && a->count == b->count && (!a->write || a->val == b->val);
}

/* True if the access has to wait for "userspace" once more. */
static bool has_to_wait(struct machine *m, const struct access *a)
{
	if (m->dev_sync)
		return false;
	if (m->pending) {
		assert(same(a, &m->ask));
		m->pending = false;
		return false;
	}
	m->pending = true;
	m->ask = *a;
	m->pendings++;
	return true;
}

static bool is_dev(u64 la, unsigned int size)
{
	return la >= DEV_BASE && la < DEV_BASE + DEV_SIZE && la + size <= DEV_BASE + DEV_SIZE;
}

static enum em_result device(struct machine *m, bool write, u64 la, void *buf, unsigned int size)
{
	struct access a = { .write = write, .addr = la, .size = size, .count = 1 };

	if (write)
		memcpy(&a.val, buf, min(size, 8u));
	if (has_to_wait(m, &a))
		return EM_PENDING;
	if (write)
		memcpy(m->dev + (la - DEV_BASE), buf, size);
	else
		memcpy(buf, m->dev + (la - DEV_BASE), size);
	if (!write)
		memcpy(&a.val, buf, min(size, 8u));
	note(m, &a);
	return EM_DONE;
}

static enum em_result page_fault(struct machine *m, u64 la, unsigned int acc)
{
	u32 err = (acc & EM_ACC_WRITE ? 2 : 0) | (acc & EM_ACC_USER ? 4 : 0) |
		  (acc & EM_ACC_FETCH ? 16 : 0);

	return em_raise_pf(&m->c, la, err);
}

static bool mapped(u64 la)
{
	return la < RAM_SIZE && la / 4096 != HOLE_BASE / 4096;
}

static enum em_result access_ram(struct machine *m, u64 la, void *buf, unsigned int size,
				 unsigned int acc, bool write)
{
	u64 last = la + size - 1;

	if (!mapped(la))
		return page_fault(m, la, acc);
	if (last < la || !mapped(last))
		return page_fault(m, last & ~4095ULL, acc);
	if (acc & EM_ACC_PROBE)
		return EM_DONE;
	if (write)
		memcpy(m->ram + la, buf, size);
	else
		memcpy(buf, m->ram + la, size);
	return EM_DONE;
}

static enum em_result op_fetch(struct em_ctx *c, u64 la, void *buf, unsigned int size)
{
	assert(la / 4096 == (la + size - 1) / 4096);
	return access_ram(M(c), la, buf, size, EM_ACC_FETCH | (c->cpl == 3 ? EM_ACC_USER : 0),
			  false);
}

static enum em_result op_read(struct em_ctx *c, u64 la, void *buf, unsigned int size,
			      unsigned int acc)
{
	assert(size <= EM_MAX_ACCESS);
	if (is_dev(la, size))
		return device(M(c), false, la, buf, size);
	return access_ram(M(c), la, buf, size, acc, false);
}

static enum em_result op_write(struct em_ctx *c, u64 la, const void *buf, unsigned int size,
			       unsigned int acc)
{
	assert(size <= EM_MAX_ACCESS && acc & EM_ACC_WRITE);
	if (is_dev(la, size))
		return acc & EM_ACC_PROBE ? EM_DONE : device(M(c), true, la, (void *)buf, size);
	if (M(c)->gives_way_at && la >= M(c)->gives_way_at)
		c->give_way = true;
	return access_ram(M(c), la, (void *)buf, size, acc, true);
}

static enum em_result op_cmpxchg(struct em_ctx *c, u64 la, const void *old, const void *new,
				 unsigned int size, unsigned int acc)
{
	struct machine *m = M(c);
	u8 now[16];
	enum em_result r;

	assert(acc & EM_ACC_LOCK);
	if (is_dev(la, size))
		return device(m, true, la, (void *)new, size);
	r = access_ram(m, la, now, size, acc, false);
	if (r != EM_DONE)
		return r;
	if (m->races) {
		m->races--;
		m->ram[la]++;
		return EM_RESTART;
	}
	if (memcmp(now, old, size))
		return EM_RESTART;
	return access_ram(m, la, (void *)new, size, acc, true);
}

static enum em_result op_port(struct em_ctx *c, bool write, u16 port, unsigned int size,
			      void *data, unsigned int count)
{
	struct access a = { .write = write, .port = true, .addr = port, .size = size,
			    .count = count };
	struct machine *m = M(c);
	unsigned int i;

	assert(size * count <= EM_PIO_BYTES);
	if (write)
		memcpy(&a.val, data, min(size * count, 8u));
	if (has_to_wait(m, &a))
		return EM_PENDING;
	for (i = 0; !write && i < count; i++, m->port_next++)
		memcpy((u8 *)data + i * size, &m->port_next, size);
	note(m, &a);
	return EM_DONE;
}

static void op_get_seg(struct em_ctx *c, enum em_seg_id id, struct em_seg *seg)
{
	*seg = M(c)->seg[id];
}

static void op_set_seg(struct em_ctx *c, enum em_seg_id id, const struct em_seg *seg)
{
	M(c)->seg[id] = *seg;
	M(c)->tr_loads += id == EM_TR;
}

static void op_get_dt(struct em_ctx *c, bool idt, struct em_dt *dt)
{
	*dt = idt ? M(c)->idt : M(c)->gdt;
}

static void op_set_dt(struct em_ctx *c, bool idt, const struct em_dt *dt)
{
	*(idt ? &M(c)->idt : &M(c)->gdt) = *dt;
}

static u64 *reg_of(struct machine *m, enum em_reg_class class, u32 nr)
{
	switch (class) {
	case EM_REG_CR:
		return nr < 16 ? &m->cr[nr] : NULL;
	case EM_REG_DR:
		return nr < 8 ? &m->dr[nr] : NULL;
	case EM_REG_XCR:
		return nr ? NULL : &m->xcr0;
	case EM_REG_PKRU:
		return &m->pkru;
	case EM_REG_MSR:
		break;
	}
	switch (nr) {
	case 0x174 ... 0x176:
		return &m->sysenter[nr - 0x174];
	case 0xc0000080:
		return &m->efer;
	case 0xc0000081:
		return &m->star;
	case 0xc0000082:
		return &m->lstar;
	case 0xc0000083:
		return &m->cstar;
	case 0xc0000084:
		return &m->sfmask;
	case 0xc0000102:
		return &m->kernel_gs;
	}
	return NULL;
}

static enum em_result op_get_reg(struct em_ctx *c, enum em_reg_class class, u32 nr, u64 *val)
{
	u64 *p = reg_of(M(c), class, nr);

	if (!p)
		return em_raise(c, EM_EX_GP, 0);
	*val = *p;
	return EM_DONE;
}

static enum em_result op_set_reg(struct em_ctx *c, enum em_reg_class class, u32 nr, u64 val)
{
	u64 *p = reg_of(M(c), class, nr);

	if (!p)
		return em_raise(c, EM_EX_GP, 0);
	*p = val;
	return EM_DONE;
}

static enum em_result fx_picture(struct machine *m, struct em_fx *fx, bool write)
{
	unsigned int i;

	if (write) {
		m->fx = *fx;
		m->fcw = fx->fcw;
		m->mxcsr = fx->mxcsr;
		for (i = 0; i < 16; i++)
			memcpy(m->vec[i], fx->xmm[i], 16);
		return EM_DONE;
	}
	*fx = m->fx;
	fx->fcw = m->fcw;
	fx->mxcsr = m->mxcsr;
	fx->mxcsr_mask = 0xffff;
	for (i = 0; i < 16; i++)
		memcpy(fx->xmm[i], m->vec[i], 16);
	return EM_DONE;
}

/* One register, to which loads of 80 bits go and from which stores come. */
static enum em_result x87(struct machine *m, unsigned int reg, struct em_x87 *x)
{
	bool store = reg == (3 << 8 | 0x3b) || (reg & 0x738) == 0x338;

	m->x87_runs++;
	if (store)
		memcpy(x->mem, m->fx.st[0], 10);
	else
		memcpy(m->fx.st[0], x->mem, 10);
	return EM_DONE;
}

static enum em_result op_vec(struct em_ctx *c, enum em_vec what, unsigned int reg, void *data,
			     bool write)
{
	struct machine *m = M(c);
	u8 *p = m->vec[reg & 15];

	switch (what) {
	case EM_VEC_MMX:
		write ? memcpy(m->mmx[reg & 7], data, 8) : memcpy(data, m->mmx[reg & 7], 8);
		return EM_DONE;
	case EM_VEC_XMM_ZX:
		if (write)
			memset(p, 0, 32);
		fallthrough;
	case EM_VEC_XMM:
		write ? memcpy(p, data, 16) : memcpy(data, p, 16);
		return EM_DONE;
	case EM_VEC_YMM:
		write ? memcpy(p, data, 32) : memcpy(data, p, 32);
		return EM_DONE;
	case EM_VEC_MXCSR:
		write ? memcpy(&m->mxcsr, data, 4) : memcpy(data, &m->mxcsr, 4);
		return EM_DONE;
	case EM_VEC_FCW:
		write ? memcpy(&m->fcw, data, 2) : memcpy(data, &m->fcw, 2);
		return EM_DONE;
	case EM_VEC_FNINIT:
		m->fcw = 0x37f;
		m->fx.fsw = m->fx.ftw = 0;
		return EM_DONE;
	case EM_VEC_FNCLEX:
		m->fx.fsw &= 0x7f00;
		return EM_DONE;
	case EM_VEC_FSW:
		memcpy(data, &m->fx.fsw, 2);
		return EM_DONE;
	case EM_VEC_EMMS:
		m->fx.ftw = 0;
		return EM_DONE;
	case EM_VEC_FX:
		return fx_picture(m, data, write);
	case EM_VEC_X87:
		return x87(m, reg, data);
	default:
		return EM_UNSUPPORTED;
	}
}

/* Random numbers are all alike here, and there are none while the source is dry. */
static void random_number(struct machine *m, unsigned int reg)
{
	m->c.gpr[reg] = m->dry ? 0 : 0x0123456789abcdefULL;
	if (!m->dry)
		m->c.rflags |= X86_EFLAGS_CF;
}

static enum em_result op_system(struct em_ctx *c, enum em_sys what, u64 arg)
{
	struct machine *m = M(c);

	m->last_sys = what;
	m->sys_arg = arg;
	if (what == EM_SYS_RDRAND || what == EM_SYS_RDSEED)
		random_number(m, arg);
	if (what == EM_SYS_RDPID)
		c->gpr[arg] = 0x77;
	return EM_DONE;
}

static bool op_has(struct em_ctx *c, enum em_feature what)
{
	return !(M(c)->lacks & BIT_ULL(what));
}

static const struct em_ops ops = {
	.fetch = op_fetch,
	.read_mem = op_read,
	.write_mem = op_write,
	.cmpxchg_mem = op_cmpxchg,
	.port_io = op_port,
	.get_seg = op_get_seg,
	.set_seg = op_set_seg,
	.get_dt = op_get_dt,
	.set_dt = op_set_dt,
	.get_reg = op_get_reg,
	.set_reg = op_set_reg,
	.vec = op_vec,
	.system = op_system,
	.has = op_has,
};

static void machine_common(struct machine *m)
{
	memset(m, 0, sizeof(*m));
	em_init(&m->c, &ops);
	m->c.rip = 0x1000;
	m->c.rflags = X86_EFLAGS_FIXED;
	m->c.gpr[4] = 0x8000;
	m->idt.limit = 0x3ff;
	m->mxcsr = 0x1f80;
	m->xcr0 = 7;
}

void machine_real(struct machine *m)
{
	unsigned int i;

	machine_common(m);
	m->c.mode = EM_REAL;
	for (i = EM_ES; i <= EM_GS; i++)
		m->seg[i] = (struct em_seg) { .attr = 0x93, .limit = 0xffff };
}

void machine_desc(struct machine *m, u16 sel, u32 base, u32 limit, u16 attr)
{
	u32 lo = (limit & 0xffff) | base << 16;
	u32 hi = (base >> 16 & 0xff) | (attr & 0xff) << 8 | (limit & 0xf0000) |
		 (u32)(attr & 0xf00) << 12 | (base & 0xff000000);

	memcpy(m->ram + GDT_BASE + (sel & ~7), &lo, 4);
	memcpy(m->ram + GDT_BASE + (sel & ~7) + 4, &hi, 4);
}

static void flat(struct em_seg *s, u16 sel, u16 attr)
{
	*s = (struct em_seg) { .sel = sel, .attr = attr, .limit = U32_MAX };
}

void machine_prot(struct machine *m, bool wide)
{
	unsigned int i;

	machine_common(m);
	m->c.mode = wide ? EM_PROT32 : EM_PROT16;
	m->c.cr0 = m->cr[0] = X86_CR0_PE;
	m->gdt = (struct em_dt) { GDT_BASE, 0x9f };
	machine_desc(m, SEL_CODE0, 0, 0xfffff, 0xc9b);
	machine_desc(m, SEL_DATA0, 0, 0xfffff, 0xc93);
	machine_desc(m, SEL_CODE3, 0, 0xfffff, 0xcfb);
	machine_desc(m, SEL_DATA3, 0, 0xfffff, 0xcf3);
	machine_desc(m, SEL_CODE16, 0, 0xffff, 0x09b);
	machine_desc(m, SEL_RODATA, 0, 0xfff, 0x091);
	machine_desc(m, SEL_ABSENT, 0, 0xfffff, 0xc13);
	machine_desc(m, SEL_TSS, TSS_BASE, 0x2067, 0x089);
	machine_desc(m, SEL_LDT, 0x5000, 0xff, 0x082);
	machine_desc(m, SEL_TSS2, TSS2_BASE, 0x67, 0x089);
	machine_desc(m, SEL_CONF, 0, 0xfffff, 0xc9f);
	for (i = EM_ES; i <= EM_GS; i++)
		flat(&m->seg[i], SEL_DATA0, 0xc93);
	flat(&m->seg[EM_CS], SEL_CODE0, wide ? 0xc9b : 0x89b);
	if (!wide)
		m->seg[EM_SS].attr = 0x893;
	m->seg[EM_TR] = (struct em_seg) { SEL_TSS, 0x08b, 0x2067, TSS_BASE };
}

void machine_long(struct machine *m)
{
	machine_prot(m, true);
	m->c.mode = EM_PROT64;
	m->c.efer = m->efer = BIT(0) | BIT(8) | BIT(10);
	m->c.cr0 = m->cr[0] = X86_CR0_PE | X86_CR0_PG;
	m->c.cr4 = m->cr[4] = X86_CR4_PAE | X86_CR4_OSFXSR | X86_CR4_OSXSAVE;
	machine_desc(m, SEL_CODE0, 0, 0xfffff, 0xa9b);
	m->seg[EM_CS].attr = 0xa9b;
}

void machine_any(struct machine *m, unsigned int which)
{
	switch (which % 5) {
	case 0:
		machine_real(m);
		break;
	case 1:
		machine_prot(m, false);
		break;
	case 2:
		machine_prot(m, true);
		break;
	case 3:
		machine_prot(m, true);
		m->c.mode = EM_VM86;
		m->c.cpl = 3;
		m->c.rflags |= X86_EFLAGS_VM;
		break;
	default:
		machine_long(m);
	}
}

enum em_result machine_run(struct machine *m, const void *code, unsigned int size)
{
	enum em_result r;

	if (code) {
		assert(m->c.rip + size <= RAM_SIZE);
		memcpy(m->ram + m->seg[EM_CS].base + m->c.rip, code, size);
	}
	r = em_decode(&m->c, NULL, 0);
	return r == EM_DONE ? em_execute(&m->c) : r;
}

enum em_result machine_finish(struct machine *m, const void *code, unsigned int size)
{
	enum em_result r = machine_run(m, code, size);
	unsigned int n;

	for (n = 0; n < 100000 && (r == EM_PENDING || r == EM_RESTART); n++)
		r = r == EM_PENDING ? em_execute(&m->c) : machine_run(m, NULL, 0);
	assert(n < 100000);
	return r;
}
