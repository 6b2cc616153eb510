// SPDX-License-Identifier: GPL-2.0
/*
 * Between the emulator and the vCPU: the callbacks through which the emulator
 * reaches guest memory, devices and registers, and what its results mean for
 * the run loop.
 *
 * Memory. A linear access is cut at page boundaries and translated piece by
 * piece as the guest's CPU would. What lies in a slot is copied. What does not
 * is a device: the local APIC, a device on the MMIO bus, or userspace, in
 * pieces of at most 8 bytes. When userspace is needed the callback notes how
 * far it got in struct x86_mem_access and answers EM_PENDING; at the next
 * KVM_RUN the emulator calls it again with the same arguments and it goes on
 * from there, so that each piece reaches its device exactly once.
 *
 * Results. EM_DONE copies registers back and honours what the instruction asks
 * of the loop (halt, shadow, single step). EM_FAULT queues the exception.
 * EM_UNSUPPORTED: a program of the guest's gets #UD and the guest goes on; from
 * its kernel, and if the VMM has asked for it, userspace gets
 * KVM_EXIT_INTERNAL_ERROR with the instruction's bytes.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include "compat_cpuid.h"
#include "emul.h"
#include "io_bus.h"
#include "irqchip.h"
#include "lapic.h"
#include "mmu.h"
#include "trace.h"
#include "x86.h"

/* ---- memory ----------------------------------------------------------------- */

static u64 mmu_access(unsigned int acc)
{
	u64 a = 0;

	if (acc & EM_ACC_WRITE)
		a |= MMU_ACC_WRITE;
	if (acc & EM_ACC_USER)
		a |= MMU_ACC_USER;
	if (acc & EM_ACC_FETCH)
		a |= MMU_ACC_FETCH;
	if (acc & EM_ACC_SYSTEM)
		a |= MMU_ACC_IMPLICIT;
	return a;
}

/*
 * The nested fault that brought us here named the guest physical address of
 * the access, and the CPU had checked its rights. It is this access if the
 * instruction makes only one, in the same direction, at the same offset in a
 * page; walking the guest's tables again would find the same.
 */
static bool is_faulting_access(struct x86_emul *e, u64 la, unsigned int acc)
{
	if (!e->fault_usable || offset_in_page(la) != offset_in_page(e->fault_gpa))
		return false;
	return !(acc & EM_ACC_WRITE) || e->fault_write;
}

static enum em_result translate(struct em_ctx *ctx, u64 la, unsigned int acc, gpa_t *gpa)
{
	struct mmu_fault fault;

	if (is_faulting_access(emul_of(ctx), la, acc)) {
		*gpa = emul_of(ctx)->fault_gpa;
		return EM_DONE;
	}

	/* what crosses the end of the address space goes on at its start */
	if (!(ctx->efer & EFER_LMA))
		la = (u32)la;
	*gpa = mmu_gva_to_gpa(emul_of(ctx)->vcpu, la, mmu_access(acc), &fault);
	if (*gpa != MMU_GPA_BAD)
		return EM_DONE;
	if (fault.vector != 14)
		return em_raise(ctx, fault.vector, fault.error_code);
	return em_raise_pf(ctx, fault.gva, fault.error_code);
}

/* Is @gpa where the nested fault found no slot? Then there is no memory to try. */
static bool surely_device(const struct x86_emul *e, gpa_t gpa)
{
	return e->fault_usable && e->fault_no_slot && gpa == e->fault_gpa;
}

/* Bytes of an access of @size at @la that lie in the same page. */
static unsigned int in_page(u64 la, unsigned int size)
{
	return min_t(unsigned int, size, PAGE_SIZE - offset_in_page(la));
}

/* After the local APIC answered: was it the TPR, and does userspace care? */
static void apic_touched(struct kvm_vcpu *vcpu, gpa_t gpa, bool write)
{
	if (unlikely(vcpu->arch.tpr_access_reporting) && offset_in_page(gpa) == LAPIC_TPR)
		x86_vapic_report(vcpu, write);
}

static bool device_read(struct kvm_vcpu *vcpu, gpa_t gpa, unsigned int len, void *data)
{
	if (!irqchip_mmio_read(vcpu, gpa, len, data)) {
		apic_touched(vcpu, gpa, false);
		return true;
	}
	return !kvm_io_bus_read(vcpu, KVM_BUS_MMIO, gpa, len, data);
}

static bool device_write(struct kvm_vcpu *vcpu, gpa_t gpa, unsigned int len, const void *data)
{
	if (!irqchip_mmio_write(vcpu, gpa, len, data)) {
		apic_touched(vcpu, gpa, true);
		return true;
	}
	return !kvm_io_bus_write(vcpu, KVM_BUS_MMIO, gpa, len, data);
}

/* Hand one piece to userspace. */
static enum em_result user_mmio(struct kvm_vcpu *vcpu, struct x86_mem_access *m, gpa_t gpa,
				unsigned int len, const void *write)
{
	struct kvm_run *run = vcpu->run;

	m->waiting = true;
	m->gpa = gpa;
	m->frag = len;
	run->exit_reason = KVM_EXIT_MMIO;
	run->mmio.phys_addr = gpa;
	run->mmio.len = len;
	run->mmio.is_write = write != NULL;
	if (write)
		memcpy(run->mmio.data, write, len);
	vcpu->stat.mmio_exits++;
	return EM_PENDING;
}

static void note_mmio(int what, gpa_t gpa, const void *data, unsigned int len)
{
	u64 val = 0;

	if (!trace_kvm_mmio_enabled())
		return;
	memcpy(&val, data, min_t(unsigned int, len, 8));
	trace_kvm_mmio(what, len, gpa, val);
}

/* Start of a callback: a new access, or the piece that userspace has finished. */
static void access_begin(struct kvm_vcpu *vcpu, struct x86_mem_access *m, bool write)
{
	if (!m->active) {
		m->active = true;
		m->waiting = false;
		m->done = 0;
		return;
	}
	if (!m->waiting)
		return;
	m->waiting = false;
	if (!write) {
		memcpy(m->data + m->done, vcpu->run->mmio.data, m->frag);
		note_mmio(KVM_TRACE_MMIO_READ, m->gpa, vcpu->run->mmio.data, m->frag);
	}
	m->done += m->frag;
}

/* The largest power of two up to 8: devices see natural sizes. */
static unsigned int mmio_piece(unsigned int len)
{
	return len >= 8 ? 8 : rounddown_pow_of_two(len);
}

static enum em_result read_piece(struct em_ctx *ctx, u64 la, unsigned int size, unsigned int acc)
{
	struct x86_emul *e = emul_of(ctx);
	struct kvm_vcpu *vcpu = e->vcpu;
	struct x86_mem_access *m = &e->mem;
	unsigned int n = in_page(la, size);
	enum em_result r;
	gpa_t gpa;

	r = translate(ctx, la, acc, &gpa);
	if (r != EM_DONE)
		return r;
	if (surely_device(e, gpa) || kvm_vcpu_read_guest(vcpu, gpa, m->data + m->done, n)) {
		n = mmio_piece(n);
		if (!device_read(vcpu, gpa, n, m->data + m->done))
			return user_mmio(vcpu, m, gpa, n, NULL);
		note_mmio(KVM_TRACE_MMIO_READ, gpa, m->data + m->done, n);
	}
	m->done += n;
	return EM_DONE;
}

static enum em_result emul_read_mem(struct em_ctx *ctx, u64 la, void *buf, unsigned int size,
				    unsigned int acc)
{
	struct x86_emul *e = emul_of(ctx);
	enum em_result r;

	access_begin(e->vcpu, &e->mem, false);
	while (e->mem.done < size) {
		r = read_piece(ctx, la + e->mem.done, size - e->mem.done, acc);
		if (r != EM_DONE) {
			e->mem.active = r == EM_PENDING;
			return r;
		}
	}
	e->mem.active = false;
	memcpy(buf, e->mem.data, size);
	return EM_DONE;
}

/* A page of the guest's tables that it clears, say, is none after the first few elements. */
static void guest_wrote(struct x86_emul *e, gpa_t gpa, unsigned int n)
{
	if (mmu_guest_wrote(e->vcpu, gpa, n))
		e->ctx.give_way = true;
}

/* False: it is no memory. */
static bool write_memory(struct x86_emul *e, gpa_t gpa, const void *data, unsigned int n)
{
	if (surely_device(e, gpa) || kvm_vcpu_write_guest(e->vcpu, gpa, data, n))
		return false;
	guest_wrote(e, gpa, n);
	return true;
}

static enum em_result write_piece(struct em_ctx *ctx, u64 la, const void *data, unsigned int size,
				  unsigned int acc)
{
	struct x86_emul *e = emul_of(ctx);
	struct kvm_vcpu *vcpu = e->vcpu;
	unsigned int n = in_page(la, size);
	enum em_result r;
	gpa_t gpa;

	r = translate(ctx, la, acc | EM_ACC_WRITE, &gpa);
	if (r != EM_DONE)
		return r;
	if (!(acc & EM_ACC_PROBE) && !write_memory(e, gpa, data, n)) {
		n = mmio_piece(n);
		note_mmio(KVM_TRACE_MMIO_WRITE, gpa, data, n);
		if (!device_write(vcpu, gpa, n, data))
			return user_mmio(vcpu, &e->mem, gpa, n, data);
	}
	e->mem.done += n;
	return EM_DONE;
}

/*
 * A write that crosses a page must not be half done when the second page faults. If
 * both do it is the first that counts.
 */
static enum em_result probe_both_pages(struct em_ctx *ctx, u64 la, unsigned int size,
				       unsigned int acc)
{
	unsigned int first = in_page(la, size);
	enum em_result r;
	gpa_t gpa;

	if (first == size)
		return EM_DONE;
	r = translate(ctx, la, acc | EM_ACC_WRITE, &gpa);
	return r == EM_DONE ? translate(ctx, la + first, acc | EM_ACC_WRITE, &gpa) : r;
}

static enum em_result emul_write_mem(struct em_ctx *ctx, u64 la, const void *buf,
				     unsigned int size, unsigned int acc)
{
	struct x86_emul *e = emul_of(ctx);
	enum em_result r = EM_DONE;

	if (!e->mem.active)
		r = probe_both_pages(ctx, la, size, acc);
	if (r != EM_DONE)
		return r;
	access_begin(e->vcpu, &e->mem, true);
	while (e->mem.done < size) {
		r = write_piece(ctx, la + e->mem.done, buf + e->mem.done, size - e->mem.done, acc);
		if (r != EM_DONE) {
			e->mem.active = r == EM_PENDING;
			return r;
		}
	}
	e->mem.active = false;
	return EM_DONE;
}

static enum em_result emul_cmpxchg_mem(struct em_ctx *ctx, u64 la, const void *old,
				       const void *new, unsigned int size, unsigned int acc)
{
	struct x86_emul *e = emul_of(ctx);
	u8 expected[16];
	enum em_result r;
	gpa_t gpa;

	/* A lock across pages, or one on a device, can't be had: plain write. */
	if (e->mem.active || in_page(la, size) != size || size > sizeof(expected))
		return emul_write_mem(ctx, la, new, size, acc);
	r = translate(ctx, la, acc | EM_ACC_WRITE, &gpa);
	if (r != EM_DONE)
		return r;
	memcpy(expected, old, size);
	switch (kvm_vcpu_cmpxchg_guest(e->vcpu, gpa, expected, new, size)) {
	case 0:
		guest_wrote(e, gpa, size);
		return EM_DONE;
	case 1:
		return EM_RESTART;
	default:
		return emul_write_mem(ctx, la, new, size, acc);
	}
}

static enum em_result emul_fetch(struct em_ctx *ctx, u64 la, void *buf, unsigned int size)
{
	struct kvm_vcpu *vcpu = emul_of(ctx)->vcpu;
	enum em_result r;
	u64 bytes[2];
	gpa_t gpa;

	r = translate(ctx, la, EM_ACC_FETCH | (ctx->cpl == 3 ? EM_ACC_USER : 0), &gpa);
	if (r != EM_DONE)
		return r;
	/* Code in device memory: real machines run it, nobody here needs it. */
	if (size > sizeof(bytes) || in_page(gpa, sizeof(bytes)) < sizeof(bytes))
		return kvm_vcpu_read_guest(vcpu, gpa, buf, size) ? EM_UNSUPPORTED : EM_DONE;
	/* two words are read faster than a number of bytes */
	if (kvm_vcpu_read_guest(vcpu, gpa, bytes, sizeof(bytes)))
		return EM_UNSUPPORTED;
	memcpy(buf, bytes, size);
	return EM_DONE;
}

/* ---- ports --------------------------------------------------------------------- */

static bool bus_pio(struct kvm_vcpu *vcpu, bool write, u16 port, unsigned int size, void *data)
{
	if (write)
		return !kvm_io_bus_write(vcpu, KVM_BUS_PIO, port, size, data);
	return !kvm_io_bus_read(vcpu, KVM_BUS_PIO, port, size, data);
}

static void user_pio(struct kvm_vcpu *vcpu, bool write, u16 port, unsigned int size,
		     const void *data, unsigned int count)
{
	struct kvm_run *run = vcpu->run;

	run->exit_reason = KVM_EXIT_IO;
	run->io.direction = write ? KVM_EXIT_IO_OUT : KVM_EXIT_IO_IN;
	run->io.size = size;
	run->io.port = port;
	run->io.count = count;
	run->io.data_offset = KVM_PIO_PAGE_OFFSET * PAGE_SIZE;
	if (write)
		memcpy(vcpu->arch.pio_data, data, size * count);
}

/* Start of the callback: elements that userspace has finished. */
static void port_begin(struct kvm_vcpu *vcpu, struct x86_port_access *p, bool write,
		       unsigned int size, void *data)
{
	if (p->waiting && !write)
		memcpy(data + p->done * size, vcpu->arch.pio_data, p->waiting * size);
	p->done += p->waiting;
	p->waiting = 0;
}

/*
 * Each element is offered to the bus once. Of those that nobody takes userspace
 * gets all that are left, unless a device listens at the port that may take one
 * of them (an eventfd for one value, say): then they go one by one.
 */
static enum em_result emul_port_io(struct em_ctx *ctx, bool write, u16 port, unsigned int size,
				   void *data, unsigned int count)
{
	struct x86_emul *e = emul_of(ctx);
	struct kvm_vcpu *vcpu = e->vcpu;
	struct x86_port_access *p = &e->pio;

	port_begin(vcpu, p, write, size, data);
	while (p->done < count && bus_pio(vcpu, write, port, size, data + p->done * size))
		p->done++;
	if (p->done == count) {
		trace_kvm_pio(write, port, size, count, data);
		p->done = 0;
		return EM_DONE;
	}
	p->waiting = kvm_io_bus_listens(vcpu, KVM_BUS_PIO, port, size) ? 1 : count - p->done;
	user_pio(vcpu, write, port, size, data + p->done * size, p->waiting);
	return EM_PENDING;
}

static u32 pio_mask(int size)
{
	return size == 4 ? ~0u : (1u << (size * 8)) - 1;
}

static int fast_pio_done(struct kvm_vcpu *vcpu, u16 port, int size, bool in, u32 val)
{
	u64 *rax = &vcpu->arch.regs.gpr[X86_RAX];

	trace_kvm_pio(!in, port, size, 1, &val);
	if (in && size == 4)
		*rax = val;
	else if (in)
		*rax = (*rax & ~(u64)pio_mask(size)) | (val & pio_mask(size));
	return x86_skip(vcpu);
}

static int fast_pio_complete(struct kvm_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	u32 val = 0;

	memcpy(&val, vcpu->arch.pio_data, min_t(int, run->io.size, 4));
	return fast_pio_done(vcpu, run->io.port, min_t(int, run->io.size, 4),
			     run->io.direction == KVM_EXIT_IO_IN, val);
}

int x86_fast_pio(struct kvm_vcpu *vcpu, int size, u16 port, bool in)
{
	u32 val = in ? 0 : vcpu->arch.regs.gpr[X86_RAX] & pio_mask(size);

	if (bus_pio(vcpu, !in, port, size, &val))
		return fast_pio_done(vcpu, port, size, in, val);

	user_pio(vcpu, !in, port, size, &val, 1);
	/* The quirk of port 0x7e: RIP moves before userspace sees the exit. */
	if (!in && port == 0x7e &&
	    !(vcpu->kvm->arch.disabled_quirks & KVM_X86_QUIRK_OUT_7E_INC_RIP)) {
		x86_skip(vcpu);
		return KVM_EXIT_TO_USER;
	}
	x86_complete_later(vcpu, fast_pio_complete);
	return KVM_EXIT_TO_USER;
}
EXPORT_SYMBOL_GPL(x86_fast_pio);

/* ---- registers ------------------------------------------------------------------- */

static_assert((int)EM_LDTR == (int)X86_LDTR && (int)EM_CS == (int)X86_CS);

static void emul_get_seg(struct em_ctx *ctx, enum em_seg_id id, struct em_seg *seg)
{
	const struct kvm_segment *s = x86_seg(emul_of(ctx)->vcpu, (enum x86_seg)id);

	seg->sel = s->selector;
	seg->base = s->base;
	seg->limit = s->limit;
	seg->attr = (s->type & 0xf) | s->s << 4 | (s->dpl & 3) << EM_SEG_DPL_SHIFT | s->avl << 8 |
		    s->l << 9 | s->db << 10 | s->g << 11;
	if (s->present && !s->unusable)
		seg->attr |= EM_SEG_P;
}

static void emul_set_seg(struct em_ctx *ctx, enum em_seg_id id, const struct em_seg *seg)
{
	struct kvm_segment s = {
		.selector = seg->sel, .base = seg->base, .limit = seg->limit,
		.type = seg->attr & EM_SEG_TYPE,
		.s = !!(seg->attr & EM_SEG_S),
		.dpl = (seg->attr & EM_SEG_DPL) >> EM_SEG_DPL_SHIFT,
		.present = !!(seg->attr & EM_SEG_P), .unusable = !(seg->attr & EM_SEG_P),
		.avl = !!(seg->attr & EM_SEG_AVL), .l = !!(seg->attr & EM_SEG_L),
		.db = !!(seg->attr & EM_SEG_DB), .g = !!(seg->attr & EM_SEG_G),
	};

	x86_put_seg(emul_of(ctx)->vcpu, (enum x86_seg)id, &s);
}

static void emul_get_dt(struct em_ctx *ctx, bool idt, struct em_dt *dt)
{
	struct kvm_vcpu *vcpu = emul_of(ctx)->vcpu;
	struct kvm_dtable *t = idt ? &vcpu->arch.regs.idt : &vcpu->arch.regs.gdt;

	x86_need(vcpu, X86_DT);
	dt->base = t->base;
	dt->limit = t->limit;
}

static void emul_set_dt(struct em_ctx *ctx, bool idt, const struct em_dt *dt)
{
	struct kvm_vcpu *vcpu = emul_of(ctx)->vcpu;
	struct kvm_dtable *t = idt ? &vcpu->arch.regs.idt : &vcpu->arch.regs.gdt;

	x86_need(vcpu, X86_DT);
	t->base = dt->base;
	t->limit = dt->limit;
	x86_touch(vcpu, X86_DT);
}

static enum em_result reg_result(struct em_ctx *ctx, int r)
{
	if (r == -EAGAIN)
		return EM_PENDING;
	return r ? em_raise(ctx, EM_EX_GP, 0) : EM_DONE;
}

static enum em_result emul_get_reg(struct em_ctx *ctx, enum em_reg_class class, u32 nr, u64 *val)
{
	struct kvm_vcpu *vcpu = emul_of(ctx)->vcpu;

	switch (class) {
	case EM_REG_CR:
		*val = x86_get_cr(vcpu, nr);
		return EM_DONE;
	case EM_REG_DR:
		*val = x86_get_dr(vcpu, nr);
		return EM_DONE;
	case EM_REG_MSR:
		return reg_result(ctx, x86_emul_get_msr(vcpu, nr, val));
	case EM_REG_XCR:
		*val = vcpu->arch.xcr0;
		/* 1: those of them that are in use; all may be */
		if (nr > 1 || (nr && !x86_guest_has(vcpu, X86_FEATURE_XGETBV1)))
			return em_raise(ctx, EM_EX_GP, 0);
		return EM_DONE;
	case EM_REG_PKRU:
		*val = vcpu->arch.pkru;
		return EM_DONE;
	}
	return EM_UNSUPPORTED;
}

static enum em_result emul_set_reg(struct em_ctx *ctx, enum em_reg_class class, u32 nr, u64 val)
{
	struct kvm_vcpu *vcpu = emul_of(ctx)->vcpu;

	switch (class) {
	case EM_REG_CR:
		return reg_result(ctx, x86_set_cr(vcpu, nr, val));
	case EM_REG_DR:
		return reg_result(ctx, x86_set_dr(vcpu, nr, val));
	case EM_REG_MSR:
		return reg_result(ctx, x86_emul_set_msr(vcpu, nr, val));
	case EM_REG_XCR:
		return reg_result(ctx, x86_set_xcr(vcpu, nr, val));
	case EM_REG_PKRU:
		vcpu->arch.pkru = val;
		return EM_DONE;
	}
	return EM_UNSUPPORTED;
}

static void put_edx_eax(struct em_ctx *ctx, u64 val)
{
	ctx->gpr[X86_RAX] = (u32)val;
	ctx->gpr[X86_RDX] = val >> 32;
}

static enum em_result emul_cpuid(struct em_ctx *ctx)
{
	struct kvm_vcpu *vcpu = emul_of(ctx)->vcpu;
	u32 r[4] = { ctx->gpr[X86_RAX], 0, ctx->gpr[X86_RCX], 0 };

	if (vcpu->arch.misc_features & MSR_MISC_FEATURES_ENABLES_CPUID_FAULT && ctx->cpl)
		return em_raise(ctx, EM_EX_GP, 0);
	x86_cpuid(vcpu, &r[0], &r[1], &r[2], &r[3]);
	ctx->gpr[X86_RAX] = r[0];
	ctx->gpr[X86_RBX] = r[1];
	ctx->gpr[X86_RCX] = r[2];
	ctx->gpr[X86_RDX] = r[3];
	return EM_DONE;
}

/* TSC_AUX for RDTSCP and RDPID, which no MSR filter knows of. */
static enum em_result emul_tsc_aux(struct em_ctx *ctx, unsigned int reg)
{
	struct x86_msr aux = { .index = MSR_TSC_AUX, .host = true };

	if (x86_get_msr(emul_of(ctx)->vcpu, &aux))
		return em_raise(ctx, EM_EX_UD, 0);
	ctx->gpr[reg & 15] = (u32)aux.data;
	return EM_DONE;
}

static enum em_result emul_rdtscp(struct em_ctx *ctx)
{
	put_edx_eax(ctx, x86_read_tsc(emul_of(ctx)->vcpu, rdtsc()));
	return emul_tsc_aux(ctx, X86_RCX);
}

static enum em_result emul_rdpmc(struct em_ctx *ctx)
{
	if ((u32)ctx->gpr[X86_RCX] >= hw_caps.nr_counters)
		return em_raise(ctx, EM_EX_GP, 0);
	put_edx_eax(ctx, 0);
	return EM_DONE;
}

static void put_random(struct em_ctx *ctx, unsigned int reg, u64 val, bool ok)
{
	ctx->gpr[reg & 15] = ok ? val : 0;
	if (ok)
		ctx->rflags |= X86_EFLAGS_CF;
}

static enum em_result emul_rdrand(struct em_ctx *ctx, unsigned int reg)
{
	u64 val;
	bool ok;

	asm volatile("rdrand %0" : "=r" (val), "=@ccc" (ok));
	put_random(ctx, reg, val, ok);
	return EM_DONE;
}

static enum em_result emul_rdseed(struct em_ctx *ctx, unsigned int reg)
{
	u64 val;
	bool ok;

	asm volatile("rdseed %0" : "=r" (val), "=@ccc" (ok));
	put_random(ctx, reg, val, ok);
	return EM_DONE;
}

/* What looks at memory without reading it faults all the same. */
static enum em_result must_be_readable(struct em_ctx *ctx, u64 la)
{
	gpa_t gpa;

	return translate(ctx, la, ctx->cpl == 3 ? EM_ACC_USER : 0, &gpa);
}

static enum em_result emul_system(struct em_ctx *ctx, enum em_sys what, u64 arg)
{
	struct kvm_vcpu *vcpu = emul_of(ctx)->vcpu;

	switch (what) {
	case EM_SYS_CPUID:
		return emul_cpuid(ctx);
	case EM_SYS_RDTSC:
		put_edx_eax(ctx, x86_read_tsc(vcpu, rdtsc()));
		return EM_DONE;
	case EM_SYS_RDTSCP:
		return emul_rdtscp(ctx);
	case EM_SYS_RDPID:
		return emul_tsc_aux(ctx, arg);
	case EM_SYS_RDRAND:
		return emul_rdrand(ctx, arg);
	case EM_SYS_RDSEED:
		return emul_rdseed(ctx, arg);
	case EM_SYS_RDPMC:
		return emul_rdpmc(ctx);
	case EM_SYS_INVLPG:
		mmu_invlpg(vcpu, arg);
		return EM_DONE;
	case EM_SYS_INVPCID:
		vendor_call(flush_tlb)(vcpu, X86_FLUSH_GUEST, 0);
		return EM_DONE;
	case EM_SYS_VMCALL:
		ctx->gpr[X86_RAX] = x86_hypercall(vcpu, ctx->gpr, ctx->mode == EM_PROT64, ctx->cpl);
		return EM_DONE;
	case EM_SYS_RSM:
		return em_raise(ctx, EM_EX_UD, 0);	/* never in SMM: it is not offered */
	case EM_SYS_CLFLUSH:	/* memory is coherent: no device of ours bypasses the caches */
	case EM_SYS_MONITOR:
		return must_be_readable(ctx, arg);
	case EM_SYS_WBINVD:
	case EM_SYS_INVD:
	case EM_SYS_PAUSE:
	case EM_SYS_MWAIT:	/* a legal MWAIT may wake up at once */
		return EM_DONE;
	}
	return EM_UNSUPPORTED;
}

/*
 * A feature that only the processor guards the guest has if the processor has it:
 * what it can run it can run here, too. Where CPUID is enforced, or the instruction
 * is asked of the host's, the guest's own CPUID has to name it.
 */
static const struct {
	u16 feature;
	bool by_cpuid;
} emul_features[EM_NR_FEATURES] = {
	[EM_HAS_BMI1]		= { X86_FEATURE_BMI1 },
	[EM_HAS_BMI2]		= { X86_FEATURE_BMI2 },
	[EM_HAS_ABM]		= { X86_FEATURE_ABM },
	[EM_HAS_MOVBE]		= { X86_FEATURE_MOVBE },
	[EM_HAS_CRC32]		= { X86_FEATURE_XMM4_2 },
	[EM_HAS_POPCNT]		= { X86_FEATURE_POPCNT },
	[EM_HAS_ADX]		= { X86_FEATURE_ADX },
	[EM_HAS_CMPCCXADD]	= { X86_FEATURE_CMPCCXADD },
	[EM_HAS_MOVDIRI]	= { X86_FEATURE_MOVDIRI },
	[EM_HAS_MOVDIR64B]	= { X86_FEATURE_MOVDIR64B },
	[EM_HAS_CLFLUSHOPT]	= { X86_FEATURE_CLFLUSHOPT },
	[EM_HAS_CLWB]		= { X86_FEATURE_CLWB },
	[EM_HAS_CLZERO]		= { X86_FEATURE_CLZERO },
	[EM_HAS_RDRAND]		= { X86_FEATURE_RDRAND, true },
	[EM_HAS_RDSEED]		= { X86_FEATURE_RDSEED, true },
	[EM_HAS_RDTSCP]		= { X86_FEATURE_RDTSCP, true },
	[EM_HAS_RDPID]		= { X86_FEATURE_RDPID, true },
	[EM_HAS_INVPCID]	= { X86_FEATURE_INVPCID, true },
	[EM_HAS_SMAP]		= { X86_FEATURE_SMAP },
	[EM_HAS_SERIALIZE]	= { X86_FEATURE_SERIALIZE },
	[EM_HAS_MONITORX]	= { X86_FEATURE_MWAITX, true },
	[EM_HAS_RTM]		= { X86_FEATURE_RTM, true },
	[EM_HAS_TSXLDTRK]	= { X86_FEATURE_TSXLDTRK, true },
	[EM_HAS_3DNOW]		= { X86_FEATURE_3DNOW },
	[EM_HAS_XOP]		= { X86_FEATURE_XOP },
	[EM_HAS_XSAVEOPT]	= { X86_FEATURE_XSAVEOPT },
	[EM_HAS_XSAVEC]		= { X86_FEATURE_XSAVEC },
	[EM_HAS_XSAVES]		= { X86_FEATURE_XSAVES, true },
};

static bool emul_has(struct em_ctx *ctx, enum em_feature what)
{
	unsigned int f = emul_features[array_index_nospec(what, EM_NR_FEATURES)].feature;
	struct kvm_vcpu *vcpu = emul_of(ctx)->vcpu;

	/* the exits of these are NOPs whatever CPUID says, unless the VMM has turned that quirk off */
	if (what == EM_HAS_MONITOR)
		return x86_has_mwait(vcpu);
	/* what the vendor took away (INVPCID under shadow paging) would not be done right */
	if (!test_cpu_cap(&boot_cpu_data, f) || hw_caps.cpuid_clear[f / 32] & BIT(f % 32))
		return false;
	return !emul_features[what].by_cpuid || x86_guest_has(vcpu, f);
}

static const struct em_ops emul_ops = {
	.fetch		= emul_fetch,
	.read_mem	= emul_read_mem,
	.write_mem	= emul_write_mem,
	.cmpxchg_mem	= emul_cmpxchg_mem,
	.port_io	= emul_port_io,
	.get_seg	= emul_get_seg,
	.set_seg	= emul_set_seg,
	.get_dt		= emul_get_dt,
	.set_dt		= emul_set_dt,
	.get_reg	= emul_get_reg,
	.set_reg	= emul_set_reg,
	.vec		= x86_emul_vec,
	.system		= emul_system,
	.has		= emul_has,
};

/* ---- running it ---------------------------------------------------------------------- */

/* What em_insn_len() needs; the rest follows in load_context(). */
static struct em_ctx *load_code_context(struct kvm_vcpu *vcpu)
{
	struct em_ctx *ctx = &vcpu->arch.emul->ctx;
	struct em_seg cs;

	ctx->rip = x86_rip(vcpu);
	ctx->rflags = x86_rflags(vcpu);
	ctx->cpl = x86_cpl(vcpu);
	ctx->cr0 = x86_cr0(vcpu);
	ctx->efer = x86_efer(vcpu);
	if (x86_64bit_code(vcpu)) {
		ctx->mode = EM_PROT64;
	} else {
		emul_get_seg(ctx, EM_CS, &cs);
		ctx->mode = em_mode_of(ctx->cr0, ctx->efer, ctx->rflags, cs.attr);
	}
	ctx->fault = (struct em_fault){};
	vcpu->arch.emul->fault_usable = false;	/* that was the last instruction's */
	return ctx;
}

static struct em_ctx *load_context(struct kvm_vcpu *vcpu)
{
	struct x86_emul *e = vcpu->arch.emul;
	struct em_ctx *ctx = load_code_context(vcpu);

	x86_need(vcpu, X86_RSP);
	memcpy(ctx->gpr, vcpu->arch.regs.gpr, sizeof(ctx->gpr));
	ctx->cr4 = x86_cr4(vcpu);
	ctx->intel = !vcpu->arch.cpuid.is_amd;
	ctx->retire = (struct em_retire){};
	e->old_rflags = ctx->rflags;
	e->mem.active = false;
	e->pio = (struct x86_port_access){};
	return ctx;
}

static void store_context(struct kvm_vcpu *vcpu, struct em_ctx *ctx)
{
	memcpy(vcpu->arch.regs.gpr, ctx->gpr, sizeof(ctx->gpr));
	x86_touch(vcpu, X86_RSP);
	x86_put_rip(vcpu, ctx->rip);
	x86_set_rflags(vcpu, ctx->rflags);
}

/*
 * INT n, INT3 or INTO outside real mode: the hardware delivers it, as if the
 * guest had executed it. RIP goes back to the instruction; the vendor's
 * injection moves it over again.
 */
static void queue_soft_event(struct kvm_vcpu *vcpu, u8 vector, u8 len)
{
	struct x86_event ev = {
		.kind = X86_EV_INTR, .vector = vector, .soft = true, .insn_len = len,
	};

	x86_put_rip(vcpu, x86_rip(vcpu) - len);
	if (vector == 3 || vector == 4)
		x86_queue_soft_exception(vcpu, vector, len);
	else
		x86_requeue_event(vcpu, &ev);
}

static void queue_fault(struct kvm_vcpu *vcpu, const struct em_fault *f)
{
	struct mmu_fault pf = { .vector = 14, .error_code = f->error, .gva = f->payload };

	if (f->vector == 14)
		x86_inject_fault(vcpu, &pf);
	else if (f->vector == 1)
		x86_queue_exception_p(vcpu, 1, f->payload);
	else if (f->has_error)
		x86_queue_exception_e(vcpu, f->vector, f->error);
	else
		x86_queue_exception(vcpu, f->vector);
}

static int emulation_failed(struct kvm_vcpu *vcpu, struct em_ctx *ctx)
{
	struct kvm_run *run = vcpu->run;
	u8 n = min_t(u8, ctx->insn.fetched, 15);

	if (mmu_emulation_failed(vcpu))
		return KVM_EXIT_RESUME;
	vcpu->stat.insn_emulation_fail++;
	trace_kvm_emulate_insn(vcpu, ctx, true);
	/* A program must not end its guest, unless the VMM has asked to hear of it. */
	if (x86_cpl(vcpu) == 3 && !vcpu->kvm->arch.exit_on_emulation_error) {
		x86_queue_exception(vcpu, 6);
		return KVM_EXIT_RESUME;
	}
	run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
	run->emulation_failure.suberror = KVM_INTERNAL_ERROR_EMULATION;
	run->emulation_failure.ndata = 0;
	run->emulation_failure.flags = 0;
	if (n) {
		/* flags, then the size and bytes of the instruction: 24 bytes */
		run->emulation_failure.ndata = 3;
		run->emulation_failure.flags = KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES;
		run->emulation_failure.insn_size = n;
		memset(run->emulation_failure.insn_bytes, 0x90,
		       sizeof(run->emulation_failure.insn_bytes));
		memcpy(run->emulation_failure.insn_bytes, ctx->insn.bytes, n);
	}
	return KVM_EXIT_TO_USER;
}

static int emul_retire(struct kvm_vcpu *vcpu, struct em_ctx *ctx)
{
	u32 shadow = (ctx->retire.sti ? KVM_X86_SHADOW_INT_STI : 0) |
		     (ctx->retire.mov_ss ? KVM_X86_SHADOW_INT_MOV_SS : 0);

	if (shadow || vendor_call(get_int_shadow)(vcpu))
		vendor_call(set_int_shadow)(vcpu, shadow);
	if (ctx->retire.unblock_nmi) {
		vendor_call(set_nmi_mask)(vcpu, false);
		kvm_set_request(KVM_REQ_EVENT, vcpu);
	}
	if (ctx->retire.hlt)
		return x86_halt(vcpu, false);
	/* INT n ends the guest's own steps, not a debugger's */
	if (ctx->retire.singlestep ||
	    (ctx->retire.interrupt && vcpu->arch.dbg.control & KVM_GUESTDBG_SINGLESTEP))
		return x86_retired(vcpu, vcpu->arch.emul->old_rflags);
	return KVM_EXIT_RESUME;
}

static int emul_finish(struct kvm_vcpu *vcpu, enum em_result r);

static int emul_complete(struct kvm_vcpu *vcpu)
{
	return emul_finish(vcpu, em_execute(&vcpu->arch.emul->ctx));
}

static int emul_finish(struct kvm_vcpu *vcpu, enum em_result r)
{
	struct em_ctx *ctx = &vcpu->arch.emul->ctx;

	switch (r) {
	case EM_DONE:
		store_context(vcpu, ctx);
		return emul_retire(vcpu, ctx);
	case EM_RESTART:
		store_context(vcpu, ctx);
		/* each element of a repeated string is a step */
		if (ctx->retire.singlestep)
			return x86_retired(vcpu, vcpu->arch.emul->old_rflags);
		return KVM_EXIT_RESUME;
	case EM_FAULT:
		store_context(vcpu, ctx);
		if (ctx->fault.soft)
			queue_soft_event(vcpu, ctx->fault.vector, ctx->insn.len);
		else
			queue_fault(vcpu, &ctx->fault);
		return KVM_EXIT_RESUME;
	case EM_PENDING:
		/* an MSR access has its own way to be finished: x86/msr.c */
		if (!vcpu->arch.complete_user)
			x86_complete_later(vcpu, emul_complete);
		return KVM_EXIT_TO_USER;
	case EM_UNSUPPORTED:
		break;
	}
	return emulation_failed(vcpu, ctx);
}

/* INT3 is the debugger's if it has set software breakpoints. */
static bool is_breakpoint(struct kvm_vcpu *vcpu, const struct em_insn *insn)
{
	return unlikely(vcpu->arch.dbg.control & KVM_GUESTDBG_USE_SW_BP) && !insn->map &&
	       insn->opcode == 0xcc;
}

static int emulate_decoded(struct kvm_vcpu *vcpu, struct em_ctx *ctx)
{
	if (is_breakpoint(vcpu, &ctx->insn))
		return x86_debug_exit(vcpu, 3, 0);
	vcpu->stat.insn_emulation++;
	trace_kvm_emulate_insn(vcpu, ctx, false);
	return emul_finish(vcpu, em_execute(ctx));
}

int x86_emulate_insn(struct kvm_vcpu *vcpu)
{
	struct em_ctx *ctx = load_context(vcpu);
	enum em_result r = em_decode(ctx, NULL, 0);

	if (r != EM_DONE)
		return emul_finish(vcpu, r);
	return emulate_decoded(vcpu, ctx);
}
EXPORT_SYMBOL_GPL(x86_emulate_insn);

/*
 * Does the instruction touch memory once, through its ModRM operand or a moffs?
 * The moves and arithmetic that drivers use on devices; anything else walks.
 */
static bool one_memory_access(const struct em_insn *insn)
{
	if (insn->rep)
		return false;
	switch (insn->map) {
	case 0:
		return insn->opcode < 0x40 || (insn->opcode >= 0x80 && insn->opcode <= 0x8b) ||
		       (insn->opcode >= 0xa0 && insn->opcode <= 0xa3) ||
		       insn->opcode == 0xc6 || insn->opcode == 0xc7;
	case 1:
		return insn->opcode == 0xb6 || insn->opcode == 0xb7 ||
		       insn->opcode == 0xbe || insn->opcode == 0xbf;
	default:
		return false;
	}
}

int x86_emulate_mmio(struct kvm_vcpu *vcpu, gpa_t gpa, u64 error_code, bool no_slot)
{
	struct em_ctx *ctx = load_context(vcpu);
	struct x86_emul *e = vcpu->arch.emul;
	enum em_result r;
	u8 insn[16];

	r = em_decode(ctx, insn, vendor_call(insn_bytes)(vcpu, insn));
	if (r != EM_DONE)
		return emul_finish(vcpu, r);
	e->fault_gpa = gpa;
	e->fault_write = error_code & MMU_PF_WRITE;
	e->fault_no_slot = no_slot;
	e->fault_usable = !(error_code & MMU_PF_GUEST_PAGE) && one_memory_access(&ctx->insn);
	return emulate_decoded(vcpu, ctx);
}

int x86_decode_insn_len(struct kvm_vcpu *vcpu)
{
	struct em_ctx *ctx = load_code_context(vcpu);
	int len = em_insn_len(ctx, NULL, 0);

	if (len > 0)
		return len;
	if (ctx->fault.vector)
		queue_fault(vcpu, &ctx->fault);
	else
		x86_inject_gp(vcpu, 0);
	return 0;
}
EXPORT_SYMBOL_GPL(x86_decode_insn_len);

int x86_fetch_code(struct kvm_vcpu *vcpu, u8 *buf, int n)
{
	struct em_ctx *ctx = load_code_context(vcpu);
	u64 la = x86_linear_rip(vcpu);

	if (offset_in_page(la) + n > PAGE_SIZE)
		return 0;
	return emul_fetch(ctx, la, buf, n) == EM_DONE ? n : 0;
}
EXPORT_SYMBOL_GPL(x86_fetch_code);

int x86_task_switch(struct kvm_vcpu *vcpu, const struct x86_task_switch *ts)
{
	static const enum em_switch why[] = {
		[X86_TASK_CALL] = EM_SWITCH_CALL, [X86_TASK_IRET] = EM_SWITCH_IRET,
		[X86_TASK_JMP] = EM_SWITCH_JMP, [X86_TASK_GATE] = EM_SWITCH_GATE,
	};
	struct em_ctx *ctx;
	int len = 0;

	if (ts->reason == X86_TASK_GATE)
		x86_clear_injected(vcpu);	/* the switch is the delivery */
	/* The task that is left saves the address behind its CALL, JMP, IRET or INT. */
	if (ts->skip_insn) {
		len = vendor_call(insn_len)(vcpu) ?: x86_decode_insn_len(vcpu);
		if (!len)
			return KVM_EXIT_RESUME;
	}
	ctx = load_context(vcpu);
	ctx->insn.fetched = 0;
	ctx->next_rip = ctx->rip + len;
	return emul_finish(vcpu, em_task_switch(ctx, ts->sel, why[ts->reason], ts->has_error,
						ts->error));
}
EXPORT_SYMBOL_GPL(x86_task_switch);

int x86_inject_realmode(struct kvm_vcpu *vcpu, int vector, int inc_eip)
{
	struct em_ctx *ctx = load_context(vcpu);

	ctx->rip += inc_eip;
	ctx->insn.fetched = 0;
	return emul_finish(vcpu, em_interrupt(ctx, vector));
}
EXPORT_SYMBOL_GPL(x86_inject_realmode);

/* ---- #UD exits --------------------------------------------------------------------- */

/* "ud2; .ascii "kvm"": a test asks that the instruction behind it be emulated. */
static const u8 force_prefix[5] = { 0x0f, 0x0b, 'k', 'v', 'm' };

/* The hypercall instruction of the other vendor becomes ours, in guest memory. */
static bool fix_hypercall_insn(struct kvm_vcpu *vcpu, const u8 *insn)
{
	gpa_t gpa = mmu_gva_to_gpa_system(vcpu, x86_linear_rip(vcpu));

	if (vcpu->kvm->arch.disabled_quirks & KVM_X86_QUIRK_FIX_HYPERCALL_INSN)
		return false;
	if (insn[0] != 0x0f || insn[1] != 0x01 || (insn[2] != 0xc1 && insn[2] != 0xd9) ||
	    !memcmp(insn, hw_caps.hypercall_insn, 3) || gpa == MMU_GPA_BAD)
		return false;
	return !kvm_vcpu_write_guest(vcpu, gpa, hw_caps.hypercall_insn, 3);
}

int x86_handle_ud(struct kvm_vcpu *vcpu)
{
	struct em_ctx *ctx = load_code_context(vcpu);
	u64 la = x86_linear_rip(vcpu);
	u8 insn[5] = {};
	int i;

	for (i = 0; i < (int)sizeof(insn); i++)
		if (emul_fetch(ctx, la + i, &insn[i], 1) != EM_DONE)
			break;
	if (x86_force_emulation_prefix && !memcmp(insn, force_prefix, sizeof(insn))) {
		x86_put_rip(vcpu, x86_rip(vcpu) + sizeof(insn));
		return x86_emulate_insn(vcpu);
	}
	if (!fix_hypercall_insn(vcpu, insn))
		x86_queue_exception(vcpu, 6);
	return KVM_EXIT_RESUME;
}
EXPORT_SYMBOL_GPL(x86_handle_ud);

int x86_emul_create(struct kvm_vcpu *vcpu)
{
	struct x86_emul *e = kzalloc(sizeof(*e), GFP_KERNEL_ACCOUNT);

	if (!e)
		return -ENOMEM;
	e->vcpu = vcpu;
	em_init(&e->ctx, &emul_ops);
	vcpu->arch.emul = e;
	return 0;
}

void x86_emul_free(struct kvm_vcpu *vcpu)
{
	kfree(vcpu->arch.emul);
}
