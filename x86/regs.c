// SPDX-License-Identifier: GPL-2.0
/*
 * Registers: rules and side effects of the control and debug registers, the
 * power-on state, and the ioctls that read and write it all.
 *
 * Two kinds of writers. The guest (through an exit or the emulator) gets the
 * architecture's rules: what a real MOV would refuse answers -EINVAL, which the
 * caller turns into #GP(0). Userspace sets whole states: KVM_SET_SREGS checks
 * that the combination can exist, then stores all of it; nothing is stored when
 * anything is wrong.
 *
 * Every change that alters how the guest's page tables read (CR0.PG/WP, CR4's
 * paging bits, EFER.NXE/LMA) ends in mmu_reset(); the hardware copies are
 * written back by the vendor at the next entry, because the class is dirty.
 */
#include <linux/percpu.h>
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include "apicv.h"
#include "irqchip.h"
#include "lapic.h"
#include "mmu.h"
#include "trace.h"
#include "x86.h"

#define CR0_DEFINED (X86_CR0_PE | X86_CR0_MP | X86_CR0_EM | X86_CR0_TS | X86_CR0_ET | \
		     X86_CR0_NE | X86_CR0_WP | X86_CR0_AM | X86_CR0_NW | X86_CR0_CD | X86_CR0_PG)
#define CR0_MMU_BITS (X86_CR0_PG | X86_CR0_WP | X86_CR0_PE)
#define CR4_MMU_BITS (X86_CR4_PSE | X86_CR4_PAE | X86_CR4_SMEP | X86_CR4_SMAP | \
		      X86_CR4_PKE | X86_CR4_LA57)
/* a change of these drops the guest's cached translations */
#define CR4_TLB_BITS (CR4_MMU_BITS | X86_CR4_PGE | X86_CR4_PCIDE)

u64 x86_linear_rip(struct kvm_vcpu *vcpu)
{
	if (x86_64bit_code(vcpu))
		return x86_rip(vcpu);
	return (u32)(x86_rip(vcpu) + x86_seg(vcpu, X86_CS)->base);
}
EXPORT_SYMBOL_GPL(x86_linear_rip);

/* ---- CR0, CR3, CR4, CR8, EFER ------------------------------------------------ */

static bool cr0_valid(u64 cr0)
{
	if (cr0 >> 32)
		return false;
	if ((cr0 & X86_CR0_NW) && !(cr0 & X86_CR0_CD))
		return false;
	return !(cr0 & X86_CR0_PG) || (cr0 & X86_CR0_PE);
}

/* Paging goes on: which mode, and may it? Answers EFER as it will be. */
static int cr0_enter_paging(struct kvm_vcpu *vcpu, u64 *efer)
{
	if (*efer & EFER_LME) {
		if (!(x86_cr4(vcpu) & X86_CR4_PAE) || x86_seg(vcpu, X86_CS)->l)
			return -EINVAL;
		*efer |= EFER_LMA;
		return 0;
	}
	if ((x86_cr4(vcpu) & X86_CR4_PAE) && !mmu_load_pdptrs(vcpu, x86_cr3(vcpu)))
		return -EINVAL;
	return 0;
}

int x86_set_cr0(struct kvm_vcpu *vcpu, u64 val)
{
	u64 old = x86_cr0(vcpu), efer = x86_efer(vcpu);

	val |= X86_CR0_ET;
	if (!cr0_valid(val))
		return -EINVAL;
	val &= CR0_DEFINED;
	if ((val & X86_CR0_PG) && !(old & X86_CR0_PG)) {
		if (cr0_enter_paging(vcpu, &efer))
			return -EINVAL;
	} else if (!(val & X86_CR0_PG) && (old & X86_CR0_PG)) {
		if (x86_64bit_code(vcpu) || (x86_cr4(vcpu) & X86_CR4_PCIDE))
			return -EINVAL;
		efer &= ~(u64)EFER_LMA;
	}
	trace_kvm_cr(true, 0, val);
	if (efer != x86_efer(vcpu))
		x86_put_efer(vcpu, efer);
	x86_put_cr0(vcpu, val);
	if ((old ^ val) & X86_CR0_PG)
		kvm_set_request(KVM_REQ_TLB_FLUSH, vcpu);
	if ((old ^ val) & CR0_MMU_BITS)
		mmu_reset(vcpu);
	return 0;
}
EXPORT_SYMBOL_GPL(x86_set_cr0);

#define PCID_MASK	0xfffull
#define PCID_NOFLUSH	BIT_ULL(63)

int x86_set_cr3(struct kvm_vcpu *vcpu, u64 val)
{
	bool pcid = x86_cr4(vcpu) & X86_CR4_PCIDE;

	/* What that bit lets a CPU keep is flushed all the same: always right. */
	if (pcid)
		val &= ~PCID_NOFLUSH;
	if (x86_long_mode(vcpu)) {
		if (val & vcpu->arch.cpuid.reserved_gpa_bits)
			return -EINVAL;
	} else if (x86_paging(vcpu) && (x86_cr4(vcpu) & X86_CR4_PAE) &&
		   !mmu_load_pdptrs(vcpu, val)) {
		return -EINVAL;
	}
	trace_kvm_cr(true, 3, val);
	x86_put_cr3(vcpu, val);
	mmu_new_cr3(vcpu, val);
	return 0;
}
EXPORT_SYMBOL_GPL(x86_set_cr3);

static bool cr4_valid(struct kvm_vcpu *vcpu, u64 cr4)
{
	return !(cr4 & vcpu->arch.cpuid.cr4_reserved) && vendor_call(cr4_valid)(vcpu, cr4);
}

/* Rules that depend on what is in force now. */
static int cr4_transition(struct kvm_vcpu *vcpu, u64 old, u64 val)
{
	u64 changed = old ^ val;

	if (x86_long_mode(vcpu)) {
		if (!(val & X86_CR4_PAE) || (changed & X86_CR4_LA57))
			return -EINVAL;
	} else if (x86_paging(vcpu) && (val & X86_CR4_PAE) &&
		   (changed & (X86_CR4_PAE | X86_CR4_PGE | X86_CR4_PSE | X86_CR4_SMEP)) &&
		   !mmu_load_pdptrs(vcpu, x86_cr3(vcpu))) {
		return -EINVAL;
	}
	if ((val & X86_CR4_PCIDE) && !(old & X86_CR4_PCIDE) &&
	    ((x86_cr3(vcpu) & PCID_MASK) || !x86_long_mode(vcpu)))
		return -EINVAL;
	return 0;
}

int x86_set_cr4(struct kvm_vcpu *vcpu, u64 val)
{
	u64 old = x86_cr4(vcpu);

	if (!cr4_valid(vcpu, val) || cr4_transition(vcpu, old, val))
		return -EINVAL;
	trace_kvm_cr(true, 4, val);
	x86_put_cr4(vcpu, val);
	if ((old ^ val) & CR4_TLB_BITS)
		mmu_flush_guest(vcpu);
	if ((old ^ val) & CR4_MMU_BITS)
		mmu_reset(vcpu);
	if ((old ^ val) & (X86_CR4_OSXSAVE | X86_CR4_PKE))
		x86_cpuid_update_runtime(vcpu);
	return 0;
}
EXPORT_SYMBOL_GPL(x86_set_cr4);

int x86_set_cr8(struct kvm_vcpu *vcpu, u64 val)
{
	if (val & ~0xfull)
		return -EINVAL;
	if (vcpu->arch.apic)
		lapic_set_cr8(vcpu->arch.apic, val);
	else
		vcpu->arch.cr8 = val;
	return 0;
}
EXPORT_SYMBOL_GPL(x86_set_cr8);

u64 x86_get_cr8(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.apic ? lapic_get_cr8(vcpu->arch.apic) : vcpu->arch.cr8;
}
EXPORT_SYMBOL_GPL(x86_get_cr8);

u64 x86_get_cr(struct kvm_vcpu *vcpu, int nr)
{
	switch (nr) {
	case 0:
		return x86_cr0(vcpu);
	case 2:
		return vcpu->arch.regs.cr2;
	case 3:
		return x86_cr3(vcpu);
	case 4:
		return x86_cr4(vcpu);
	default:
		return x86_get_cr8(vcpu);
	}
}
EXPORT_SYMBOL_GPL(x86_get_cr);

int x86_set_cr(struct kvm_vcpu *vcpu, int nr, u64 val)
{
	switch (nr) {
	case 0:
		return x86_set_cr0(vcpu, val);
	case 2:
		vcpu->arch.regs.cr2 = val;
		return 0;
	case 3:
		return x86_set_cr3(vcpu, val);
	case 4:
		return x86_set_cr4(vcpu, val);
	default:
		return x86_set_cr8(vcpu, val);
	}
}
EXPORT_SYMBOL_GPL(x86_set_cr);

/* EFER bits that need a CPUID bit to be set by the guest. */
static bool efer_allowed(struct kvm_vcpu *vcpu, u64 efer)
{
	static const struct { u64 bit; unsigned int feature; } needs[] = {
		{ EFER_SCE | 0,	X86_FEATURE_SYSCALL },
		{ EFER_LME,	X86_FEATURE_LM },
		{ EFER_LMA,	X86_FEATURE_LM },
		{ EFER_NX,	X86_FEATURE_NX },
		{ EFER_SVME,	X86_FEATURE_SVM },
		{ EFER_FFXSR,	X86_FEATURE_FXSR_OPT },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(needs); i++)
		if ((efer & needs[i].bit) && !x86_guest_has(vcpu, needs[i].feature))
			return false;
	return true;
}

int x86_set_efer(struct kvm_vcpu *vcpu, u64 val, bool host)
{
	u64 old = x86_efer(vcpu);

	if (val & ~hw_caps.efer_bits)
		return -EINVAL;
	if (!host) {
		if (!efer_allowed(vcpu, val))
			return -EINVAL;
		if (x86_paging(vcpu) && ((old ^ val) & EFER_LME))
			return -EINVAL;
	}
	/* LMA follows CR0.PG, whatever is written */
	val = (val & ~(u64)EFER_LMA) | (old & EFER_LMA);
	x86_put_efer(vcpu, val);
	if ((old ^ val) & (EFER_NX | EFER_LME)) {
		kvm_set_request(KVM_REQ_TLB_FLUSH, vcpu);
		mmu_reset(vcpu);
	}
	return 0;
}
EXPORT_SYMBOL_GPL(x86_set_efer);

/* ---- XCR0 ------------------------------------------------------------------- */

static bool xcr0_valid(struct kvm_vcpu *vcpu, u64 xcr0)
{
	u64 avx512 = XFEATURE_MASK_AVX512;

	if (!(xcr0 & XFEATURE_MASK_FP) || (xcr0 & ~vcpu->arch.cpuid.xcr0_supported))
		return false;
	if ((xcr0 & XFEATURE_MASK_YMM) && !(xcr0 & XFEATURE_MASK_SSE))
		return false;
	if (!(xcr0 & XFEATURE_MASK_BNDREGS) != !(xcr0 & XFEATURE_MASK_BNDCSR))
		return false;
	if ((xcr0 & avx512) && ((xcr0 & avx512) != avx512 || !(xcr0 & XFEATURE_MASK_YMM)))
		return false;
	return !(xcr0 & XFEATURE_MASK_XTILE) ||
	       (xcr0 & XFEATURE_MASK_XTILE) == XFEATURE_MASK_XTILE;
}

int x86_set_xcr(struct kvm_vcpu *vcpu, u32 index, u64 val)
{
	if (index != 0 || !xcr0_valid(vcpu, val))
		return -EINVAL;
	if (vcpu->arch.xcr0 != val) {
		vcpu->arch.xcr0 = val;
		x86_cpuid_update_runtime(vcpu);
	}
	return 0;
}
EXPORT_SYMBOL_GPL(x86_set_xcr);

int x86_handle_xsetbv(struct kvm_vcpu *vcpu)
{
	u64 val = (u32)vcpu->arch.regs.gpr[X86_RAX] | vcpu->arch.regs.gpr[X86_RDX] << 32;

	if (!(x86_cr4(vcpu) & X86_CR4_OSXSAVE)) {
		x86_queue_exception(vcpu, 6);
		return KVM_EXIT_RESUME;
	}
	return x86_complete(vcpu, x86_cpl(vcpu) ? -EINVAL :
			    x86_set_xcr(vcpu, vcpu->arch.regs.gpr[X86_RCX], val));
}
EXPORT_SYMBOL_GPL(x86_handle_xsetbv);

/* ---- debug registers ---------------------------------------------------------- */

u64 x86_effective_dr7(struct kvm_vcpu *vcpu)
{
	if (vcpu->arch.dbg.control & KVM_GUESTDBG_USE_HW_BP)
		return vcpu->arch.dbg.dr7;
	x86_need(vcpu, X86_DR);
	return vcpu->arch.regs.dr7;
}
EXPORT_SYMBOL_GPL(x86_effective_dr7);

u64 x86_effective_dr(struct kvm_vcpu *vcpu, int i)
{
	if (vcpu->arch.dbg.control & KVM_GUESTDBG_USE_HW_BP)
		return vcpu->arch.dbg.dr[i];
	return vcpu->arch.regs.dr[i];
}
EXPORT_SYMBOL_GPL(x86_effective_dr);

int x86_set_dr(struct kvm_vcpu *vcpu, int dr, u64 val)
{
	x86_need(vcpu, X86_DR);
	switch (dr) {
	case 0 ... 3:
		vcpu->arch.regs.dr[array_index_nospec(dr, 4)] = val;
		return 0;
	case 4:
	case 6:
		if (val >> 32)
			return -EINVAL;
		x86_put_dr6(vcpu, (val & (X86_DR6_TRAPS)) | X86_DR6_FIXED);
		return 0;
	default:
		if (val >> 32)
			return -EINVAL;
		vcpu->arch.regs.dr7 = (val & X86_DR7_RW) | X86_DR7_FIXED;
		x86_touch(vcpu, X86_DR);
		vendor_call(update_intercepts)(vcpu);
		return 0;
	}
}
EXPORT_SYMBOL_GPL(x86_set_dr);

u64 x86_get_dr(struct kvm_vcpu *vcpu, int dr)
{
	x86_need(vcpu, X86_DR);
	if (dr < 4)
		return vcpu->arch.regs.dr[array_index_nospec(dr, 4)];
	return dr == 4 || dr == 6 ? vcpu->arch.regs.dr6 : vcpu->arch.regs.dr7;
}
EXPORT_SYMBOL_GPL(x86_get_dr);

/*
 * While userspace single-steps the guest, TF is the debugger's: the guest must
 * neither see it nor be able to clear it.
 */
u64 x86_get_rflags(struct kvm_vcpu *vcpu)
{
	u64 rflags = x86_rflags(vcpu);

	if (vcpu->arch.dbg.control & KVM_GUESTDBG_SINGLESTEP)
		rflags &= ~(u64)X86_EFLAGS_TF;
	return rflags;
}
EXPORT_SYMBOL_GPL(x86_get_rflags);

void x86_set_rflags(struct kvm_vcpu *vcpu, u64 rflags)
{
	if (vcpu->arch.dbg.control & KVM_GUESTDBG_SINGLESTEP)
		rflags |= X86_EFLAGS_TF;
	if ((x86_rflags(vcpu) ^ rflags) & X86_EFLAGS_IF)
		kvm_set_request(KVM_REQ_EVENT, vcpu);
	x86_put_rflags(vcpu, rflags);
}
EXPORT_SYMBOL_GPL(x86_set_rflags);

long x86_get_debugregs(struct kvm_vcpu *vcpu, void *arg)
{
	struct kvm_debugregs *d = arg;

	x86_need(vcpu, X86_DR);
	memcpy(d->db, vcpu->arch.regs.dr, sizeof(d->db));
	d->dr6 = vcpu->arch.regs.dr6;
	d->dr7 = vcpu->arch.regs.dr7;
	return 0;
}

long x86_set_debugregs(struct kvm_vcpu *vcpu, void *arg)
{
	const struct kvm_debugregs *d = arg;

	if (d->flags || d->dr6 >> 32 || d->dr7 >> 32)
		return -EINVAL;
	memcpy(vcpu->arch.regs.dr, d->db, sizeof(d->db));
	vcpu->arch.regs.dr6 = d->dr6;
	vcpu->arch.regs.dr7 = d->dr7;
	x86_touch(vcpu, X86_DR);
	vendor_call(update_intercepts)(vcpu);
	return 0;
}

long x86_set_guest_debug(struct kvm_vcpu *vcpu, void *arg)
{
	const struct kvm_guest_debug *d = arg;
	struct x86_guest_debug *dbg = &vcpu->arch.dbg;
	u64 rflags;

	if (d->control & ~(u32)X86_GUESTDBG_KNOWN)
		return -EINVAL;
	if (d->control & (KVM_GUESTDBG_INJECT_DB | KVM_GUESTDBG_INJECT_BP)) {
		if (vcpu->arch.ev.exc.pending)
			return -EBUSY;
		x86_queue_exception(vcpu, d->control & KVM_GUESTDBG_INJECT_DB ? 1 : 3);
	}
	rflags = x86_get_rflags(vcpu);	/* as the guest set it */
	dbg->control = d->control & KVM_GUESTDBG_ENABLE ? d->control : 0;
	if (dbg->control & KVM_GUESTDBG_USE_HW_BP) {
		memcpy(dbg->dr, d->arch.debugreg, sizeof(dbg->dr));
		dbg->dr7 = d->arch.debugreg[7];
	}
	x86_set_rflags(vcpu, rflags);
	apicv_set_inhibit(vcpu, APICV_OFF_BLOCKIRQ, dbg->control & KVM_GUESTDBG_BLOCKIRQ);
	kvm_set_request(KVM_REQ_EVENT, vcpu);	/* KVM_GUESTDBG_BLOCKIRQ */
	x86_need(vcpu, X86_DR);
	x86_touch(vcpu, X86_DR);	/* DR7 in effect changes */
	vendor_call(update_intercepts)(vcpu);
	return 0;
}

/* ---- whole states: KVM_GET/SET_REGS, SREGS, SREGS2 ------------------------------- */

/* struct kvm_regs has its own order of registers. */
static const u8 regs_order[X86_NR_GPRS] = {
	X86_RAX, X86_RBX, X86_RCX, X86_RDX, X86_RSI, X86_RDI, X86_RSP_IDX, X86_RBP,
	X86_R8, X86_R9, X86_R10, X86_R11, X86_R12, X86_R13, X86_R14, X86_R15,
};

static_assert(offsetof(struct kvm_regs, rip) == X86_NR_GPRS * sizeof(u64));

long x86_get_regs(struct kvm_vcpu *vcpu, void *arg)
{
	struct kvm_regs *regs = arg;
	u64 *gpr = arg;
	int i;

	for (i = 0; i < X86_NR_GPRS; i++)
		gpr[i] = x86_gpr(vcpu, regs_order[i]);
	regs->rip = x86_rip(vcpu);
	regs->rflags = x86_get_rflags(vcpu);
	return 0;
}

long x86_set_regs(struct kvm_vcpu *vcpu, void *arg)
{
	const struct kvm_regs *regs = arg;
	const u64 *gpr = arg;
	int i;

	for (i = 0; i < X86_NR_GPRS; i++)
		x86_put_gpr(vcpu, regs_order[i], gpr[i]);
	x86_put_rip(vcpu, regs->rip);
	x86_set_rflags(vcpu, regs->rflags | X86_EFLAGS_FIXED);
	vcpu->arch.ev.exc.pending = false;
	kvm_set_request(KVM_REQ_EVENT, vcpu);
	return 0;
}

static void get_sregs_common(struct kvm_vcpu *vcpu, struct kvm_sregs *s)
{
	x86_need(vcpu, X86_DT);
	s->cs = *x86_seg(vcpu, X86_CS);
	s->ds = *x86_seg(vcpu, X86_DS);
	s->es = *x86_seg(vcpu, X86_ES);
	s->fs = *x86_seg(vcpu, X86_FS);
	s->gs = *x86_seg(vcpu, X86_GS);
	s->ss = *x86_seg(vcpu, X86_SS);
	s->tr = *x86_seg(vcpu, X86_TR);
	s->ldt = *x86_seg(vcpu, X86_LDTR);
	s->gdt = vcpu->arch.regs.gdt;
	s->idt = vcpu->arch.regs.idt;
	s->cr0 = x86_cr0(vcpu);
	s->cr2 = vcpu->arch.regs.cr2;
	s->cr3 = x86_cr3(vcpu);
	s->cr4 = x86_cr4(vcpu);
	s->cr8 = x86_get_cr8(vcpu);
	s->efer = x86_efer(vcpu);
	s->apic_base = irqchip_get_apic_base(vcpu);
}

long x86_get_sregs(struct kvm_vcpu *vcpu, void *arg)
{
	struct kvm_sregs *s = arg;

	get_sregs_common(vcpu, s);
	if (vcpu->arch.ev.intr.injected && !vcpu->arch.ev.intr.soft)
		set_bit(vcpu->arch.ev.intr.vector, (unsigned long *)s->interrupt_bitmap);
	if (vcpu->arch.ev.held_vector >= 0)
		set_bit(vcpu->arch.ev.held_vector, (unsigned long *)s->interrupt_bitmap);
	/* A vector of KVM_INTERRUPT that waits is state that a VMM must find, too. */
	if (vcpu->arch.ev.user_vector >= 0 && !vcpu->arch.apic)
		set_bit(vcpu->arch.ev.user_vector, (unsigned long *)s->interrupt_bitmap);
	return 0;
}

static bool sregs_pae(const struct kvm_sregs *s)
{
	return (s->cr0 & X86_CR0_PG) && (s->cr4 & X86_CR4_PAE) && !(s->efer & EFER_LMA);
}

/* Can a CPU be in this state at all? */
static bool sregs_valid(struct kvm_vcpu *vcpu, const struct kvm_sregs *s)
{
	if (!cr4_valid(vcpu, s->cr4) || !cr0_valid(s->cr0))
		return false;
	if (s->efer & ~(hw_caps.efer_bits | EFER_LMA))
		return false;
	if ((s->efer & EFER_LME) && (s->cr0 & X86_CR0_PG)) {
		/* long mode must be on, and PAE with it */
		if (!(s->cr4 & X86_CR4_PAE) || !(s->efer & EFER_LMA))
			return false;
		return !(s->cr3 & vcpu->arch.cpuid.reserved_gpa_bits);
	}
	return !(s->efer & EFER_LMA) && !s->cs.l;
}

static void set_sregs_common(struct kvm_vcpu *vcpu, const struct kvm_sregs *s)
{
	struct x86_regs *r = &vcpu->arch.regs;

	x86_put_seg(vcpu, X86_CS, &s->cs);
	x86_put_seg(vcpu, X86_DS, &s->ds);
	x86_put_seg(vcpu, X86_ES, &s->es);
	x86_put_seg(vcpu, X86_FS, &s->fs);
	x86_put_seg(vcpu, X86_GS, &s->gs);
	x86_put_seg(vcpu, X86_SS, &s->ss);
	x86_put_seg(vcpu, X86_TR, &s->tr);
	x86_put_seg(vcpu, X86_LDTR, &s->ldt);
	r->gdt = s->gdt;
	r->idt = s->idt;
	x86_touch(vcpu, X86_DT);
	r->cr2 = s->cr2;
	x86_set_cr8(vcpu, s->cr8 & 0xf);
	x86_put_efer(vcpu, s->efer);
	x86_put_cr0(vcpu, (s->cr0 & CR0_DEFINED) | X86_CR0_ET);
	x86_put_cr4(vcpu, s->cr4);
	x86_put_cr3(vcpu, s->cr3);
	mmu_state_set(vcpu);
	x86_cpuid_update_runtime(vcpu);
	kvm_set_request(KVM_REQ_TLB_FLUSH, vcpu);
	kvm_set_request(KVM_REQ_EVENT, vcpu);
	/* A BSP that real mode code is about to start from reset is runnable. */
	if (vcpu->vcpu_id == vcpu->kvm->arch.boot_vcpu_id && x86_rip(vcpu) == 0xfff0 &&
	    s->cs.selector == 0xf000 && s->cs.base == 0xffff0000 && !(s->cr0 & X86_CR0_PE))
		vcpu->arch.mp_state = KVM_MP_STATE_RUNNABLE;
}

/* Checks everything, then sets all that both variants have. */
static int set_sregs(struct kvm_vcpu *vcpu, const struct kvm_sregs *s)
{
	if (!sregs_valid(vcpu, s))
		return -EINVAL;
	if (irqchip_set_apic_base(vcpu, s->apic_base, true))
		return -EINVAL;
	set_sregs_common(vcpu, s);
	return 0;
}

static void set_sregs_interrupt(struct kvm_vcpu *vcpu, const struct kvm_sregs *s)
{
	unsigned int vector = find_first_bit((const unsigned long *)s->interrupt_bitmap, 256);

	if (vector >= 256)
		return;
	vcpu->arch.ev.intr.injected = true;
	vcpu->arch.ev.intr.soft = false;
	vcpu->arch.ev.intr.vector = vector;
}

long x86_set_sregs(struct kvm_vcpu *vcpu, void *arg)
{
	const struct kvm_sregs *s = arg;
	int r = set_sregs(vcpu, s);

	if (r)
		return r;
	if (sregs_pae(s))
		mmu_load_pdptrs(vcpu, s->cr3);
	set_sregs_interrupt(vcpu, s);
	return 0;
}

/* The two structs share everything up to apic_base. */
static_assert(offsetof(struct kvm_sregs2, apic_base) == offsetof(struct kvm_sregs, apic_base));

long x86_get_sregs2(struct kvm_vcpu *vcpu, void *arg)
{
	struct kvm_sregs2 *s2 = arg;
	struct kvm_sregs s = {};

	get_sregs_common(vcpu, &s);
	memcpy(s2, &s, offsetofend(struct kvm_sregs, apic_base));
	if (sregs_pae(&s)) {
		if (!vcpu->arch.mmu.pdptrs_valid)
			mmu_load_pdptrs(vcpu, s.cr3);
		memcpy(s2->pdptrs, vcpu->arch.mmu.pdptrs, sizeof(s2->pdptrs));
		s2->flags = KVM_SREGS2_FLAGS_PDPTRS_VALID;
	}
	return 0;
}

long x86_set_sregs2(struct kvm_vcpu *vcpu, void *arg)
{
	const struct kvm_sregs2 *s2 = arg;
	bool valid_pdptrs = s2->flags & KVM_SREGS2_FLAGS_PDPTRS_VALID;
	struct kvm_sregs s = {};
	int r;

	memcpy(&s, s2, offsetofend(struct kvm_sregs, apic_base));
	if (s2->flags & ~KVM_SREGS2_FLAGS_PDPTRS_VALID)
		return -EINVAL;
	if (valid_pdptrs && !sregs_pae(&s))
		return -EINVAL;
	r = set_sregs(vcpu, &s);
	if (r)
		return r;
	if (valid_pdptrs) {
		memcpy(vcpu->arch.mmu.pdptrs, s2->pdptrs, sizeof(s2->pdptrs));
		vcpu->arch.mmu.pdptrs_valid = true;
	} else if (sregs_pae(&s)) {
		mmu_load_pdptrs(vcpu, s.cr3);
	}
	return 0;
}

/* ---- mp_state ------------------------------------------------------------------- */

long x86_get_mp_state(struct kvm_vcpu *vcpu, void *arg)
{
	struct kvm_mp_state *mp = arg;

	/* INIT and SIPI that wait are part of the state: take them first */
	x86_accept_init_sipi(vcpu);
	if ((vcpu->arch.mp_state == KVM_MP_STATE_HALTED ||
	     vcpu->arch.mp_state == KVM_MP_STATE_AP_RESET_HOLD) && vcpu->arch.pv_unhalted)
		mp->mp_state = KVM_MP_STATE_RUNNABLE;
	else
		mp->mp_state = vcpu->arch.mp_state;
	return 0;
}

long x86_set_mp_state(struct kvm_vcpu *vcpu, void *arg)
{
	const struct kvm_mp_state *mp = arg;

	switch (mp->mp_state) {
	case KVM_MP_STATE_RUNNABLE:
		break;
	case KVM_MP_STATE_UNINITIALIZED:
	case KVM_MP_STATE_HALTED:
	case KVM_MP_STATE_AP_RESET_HOLD:
	case KVM_MP_STATE_INIT_RECEIVED:
	case KVM_MP_STATE_SIPI_RECEIVED:
		if (!vcpu->arch.apic)
			return -EINVAL;
		break;
	default:
		return -EINVAL;
	}
	if (mp->mp_state == KVM_MP_STATE_SIPI_RECEIVED) {
		vcpu->arch.mp_state = KVM_MP_STATE_INIT_RECEIVED;
		set_bit(LAPIC_EVENT_SIPI, &vcpu->arch.apic->events);
	} else {
		vcpu->arch.mp_state = mp->mp_state;
	}
	kvm_set_request(KVM_REQ_EVENT, vcpu);
	return 0;
}

long x86_translate(struct kvm_vcpu *vcpu, void *arg)
{
	struct kvm_translation *tr = arg;
	gpa_t gpa = mmu_gva_to_gpa_system(vcpu, tr->linear_address);

	tr->physical_address = gpa;
	tr->valid = gpa != MMU_GPA_BAD;
	tr->writeable = 1;
	tr->usermode = 0;
	return 0;
}

/* ---- power-on and INIT ------------------------------------------------------------ */

#define SEG_DATA	{ .limit = 0xffff, .type = 3, .s = 1, .present = 1 }

/* AMD APM vol. 2, "Processor Initialization State". */
static const struct kvm_segment reset_segs[X86_NR_SEGS] = {
	[X86_ES] = SEG_DATA, [X86_SS] = SEG_DATA, [X86_DS] = SEG_DATA,
	[X86_FS] = SEG_DATA, [X86_GS] = SEG_DATA,
	[X86_CS] = { .base = 0xffff0000, .limit = 0xffff, .selector = 0xf000,
		     .type = 11, .s = 1, .present = 1 },
	[X86_TR] = { .limit = 0xffff, .type = 11, .present = 1 },
	[X86_LDTR] = { .limit = 0xffff, .type = 2, .present = 1 },
};

static void reset_events(struct kvm_vcpu *vcpu)
{
	struct x86_events *ev = &vcpu->arch.ev;

	memset(ev, 0, sizeof(*ev));
	ev->user_vector = -1;
	ev->held_vector = -1;
}

static u64 reset_cr0(struct kvm_vcpu *vcpu, bool init)
{
	u64 cd_nw = X86_CR0_NW | X86_CR0_CD;

	/* INIT leaves the caches as they were */
	if (init)
		cd_nw &= x86_cr0(vcpu);
	return X86_CR0_ET | cd_nw;
}

void x86_vcpu_reset(struct kvm_vcpu *vcpu, bool init)
{
	struct x86_regs *r = &vcpu->arch.regs;
	const struct kvm_cpuid_entry2 *sig;
	u64 cr0 = reset_cr0(vcpu, init);

	if (vcpu->arch.apic)
		lapic_reset(vcpu->arch.apic, init);
	reset_events(vcpu);
	if (!init) {
		vcpu->arch.pat = 0x0007040600070406ull;
		vcpu->arch.misc_enable = MSR_IA32_MISC_ENABLE_BTS_UNAVAIL |
					 MSR_IA32_MISC_ENABLE_PEBS_UNAVAIL;
		vcpu->arch.xcr0 = XFEATURE_MASK_FP;
		vcpu->arch.xss = 0;
		vcpu->arch.misc_features = 0;
		pv_vcpu_reset(vcpu);
	}
	x86_fpu_reset(vcpu, init);

	memset(r->gpr, 0, sizeof(r->gpr));
	sig = x86_cpuid_find(vcpu, 1, 0);
	r->gpr[X86_RDX] = sig ? sig->eax : 0x600;
	memset(r->dr, 0, sizeof(r->dr));
	r->dr6 = X86_DR6_FIXED;
	r->dr7 = X86_DR7_FIXED;
	r->rip = 0xfff0;
	r->rflags = X86_EFLAGS_FIXED;
	r->cr2 = r->cr3 = r->cr4 = r->efer = 0;
	r->cr0 = cr0;
	memcpy(r->seg, reset_segs, sizeof(r->seg));
	r->cpl = 0;
	r->cs_l = false;
	r->gdt = r->idt = (struct kvm_dtable){ .limit = 0xffff };
	r->avail = r->dirty = X86_ALL_CLASSES;
	vcpu->arch.cr8 = 0;
	vcpu->arch.dr_loaded = false;

	vendor_call(vcpu_reset)(vcpu, init);
	x86_set_rflags(vcpu, X86_EFLAGS_FIXED);
	vendor_call(update_intercepts)(vcpu);
	mmu_reset(vcpu);
	kvm_set_request(KVM_REQ_TLB_FLUSH, vcpu);
	kvm_set_request(KVM_REQ_APICV, vcpu);
	kvm_set_request(KVM_REQ_EVENT, vcpu);
}
EXPORT_SYMBOL_GPL(x86_vcpu_reset);
