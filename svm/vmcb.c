// SPDX-License-Identifier: GPL-2.0
/*
 * The VMCB: its life, what goes between it and the register cache, its ASID
 * and its clean bits.
 *
 * With nested paging the guest owns CR2, CR3 and most of CR0 and CR4 outright.
 * What the host wants differently in the CPU than the guest believes:
 *
 *	CR0	CD and NW are kept clear: a guest may not switch off the host's
 *		caches. ET always reads as 1.
 *	CR4	MCE as the host has it: with MCE clear a machine check would shut
 *		the machine down.
 *	EFER	SVME has to be set for VMRUN to accept the VMCB.
 *
 * Without nested paging the CPU walks our tables with the guest's registers, and
 * the guest owns CR3 no longer:
 *
 *	CR0	PG and WP are on, even in real mode (the paged real mode of
 *		chapter "Secure Virtual Machine").
 *	CR3	is the shadow root; accesses exit.
 *	CR4	PAE is on. PCIDE is off: roots are not told apart by it. A guest
 *		without paging has neither SMEP, SMAP nor PKE, since all of its
 *		pages are user pages to the hardware.
 *	EFER	NX is on; LME is off until LMA is on, as PG is on already.
 *
 * Wherever hardware's value differs from the guest's, reads of the register are
 * intercepted. Writes of CR4 and EFER always exit; writes of CR0 exit if they
 * change more than TS and MP, or always while the two values differ.
 *
 * Debug registers: all accesses exit at first; the first one hands the
 * registers to the guest (arch.dr_loaded) until the next exit.
 *
 * Segments: the VMCB holds twelve attribute bits for each. The cache's rules
 * are: an unusable segment is one that is not present, TR is always busy, and
 * SS.DPL is CPL.
 */
#include <linux/slab.h>
#include <asm/asm.h>
#include <asm/mem_encrypt.h>
#include <asm/tlbflush.h>
#include "svm.h"

/* ---- segments ---------------------------------------------------------------- */

static u16 svm_pack_attrib(const struct kvm_segment *seg)
{
	if (seg->unusable)
		return 0;
	return (seg->type & SVM_ATTR_TYPE) | (seg->s ? SVM_ATTR_S : 0) |
	       (seg->dpl & 3) << SVM_ATTR_DPL_SHIFT | (seg->present ? SVM_ATTR_P : 0) |
	       (seg->avl ? SVM_ATTR_AVL : 0) | (seg->l ? SVM_ATTR_L : 0) |
	       (seg->db ? SVM_ATTR_DB : 0) | (seg->g ? SVM_ATTR_G : 0);
}

static void svm_put_segment(struct svm_seg *hw, const struct kvm_segment *seg)
{
	hw->sel = seg->selector;
	hw->attrib = svm_pack_attrib(seg);
	hw->limit = seg->limit;
	hw->base = seg->base;
}

static void svm_get_segment(const struct svm_seg *hw, struct kvm_segment *seg)
{
	*seg = (struct kvm_segment) {
		.selector = hw->sel,
		.base = hw->base,
		.limit = hw->limit,
		.type = hw->attrib & SVM_ATTR_TYPE,
		.s = !!(hw->attrib & SVM_ATTR_S),
		.dpl = (hw->attrib >> SVM_ATTR_DPL_SHIFT) & 3,
		.present = !!(hw->attrib & SVM_ATTR_P),
		.avl = !!(hw->attrib & SVM_ATTR_AVL),
		.l = !!(hw->attrib & SVM_ATTR_L),
		.db = !!(hw->attrib & SVM_ATTR_DB),
		.g = !!(hw->attrib & SVM_ATTR_G),
		.unusable = !(hw->attrib & SVM_ATTR_P),
	};
}

static struct svm_seg *svm_hw_seg(struct kvm_vcpu *vcpu, enum x86_seg s)
{
#define SVM_SEG_AT(name) offsetof(struct svm_save, name)
	static const u16 at[X86_NR_SEGS] = {
		[X86_ES] = SVM_SEG_AT(es), [X86_CS] = SVM_SEG_AT(cs), [X86_SS] = SVM_SEG_AT(ss),
		[X86_DS] = SVM_SEG_AT(ds), [X86_FS] = SVM_SEG_AT(fs), [X86_GS] = SVM_SEG_AT(gs),
		[X86_TR] = SVM_SEG_AT(tr), [X86_LDTR] = SVM_SEG_AT(ldtr),
	};

	return (void *)&to_svm(vcpu)->vmcb->save + at[s];
}

/* Hardware need not keep G, nor the bits that a loaded segment must have. */
static void svm_fetch_seg(struct kvm_vcpu *vcpu, enum x86_seg s)
{
	struct kvm_segment *seg = &vcpu->arch.regs.seg[s];

	svm_get_segment(svm_hw_seg(vcpu, s), seg);
	switch (s) {
	case X86_CS:
		seg->g = seg->limit > 0xfffff;
		return;
	case X86_TR:
		seg->type |= 2;
		return;
	case X86_LDTR:
		return;
	default:
		seg->type |= !seg->unusable;
	}
	if (s != X86_SS)
		return;
	if (seg->unusable)
		seg->db = 0;
	seg->dpl = to_svm(vcpu)->vmcb->save.cpl;
}

static void svm_flush_seg(struct kvm_vcpu *vcpu, enum x86_seg s)
{
	const struct kvm_segment *seg = &vcpu->arch.regs.seg[s];

	svm_put_segment(svm_hw_seg(vcpu, s), seg);
	if (s == X86_SS)
		to_svm(vcpu)->vmcb->save.cpl = seg->dpl & 3;
	svm_dirty(to_svm(vcpu), SVM_CLEAN_SEG);
}

static void svm_fetch_dt(struct kvm_vcpu *vcpu)
{
	const struct svm_save *save = &to_svm(vcpu)->vmcb->save;
	struct x86_regs *regs = &vcpu->arch.regs;

	regs->gdt.base = save->gdtr.base;
	regs->gdt.limit = save->gdtr.limit;
	regs->idt.base = save->idtr.base;
	regs->idt.limit = save->idtr.limit;
}

static void svm_flush_dt(struct kvm_vcpu *vcpu)
{
	struct svm_save *save = &to_svm(vcpu)->vmcb->save;
	const struct x86_regs *regs = &vcpu->arch.regs;

	save->gdtr.base = regs->gdt.base;
	save->gdtr.limit = regs->gdt.limit;
	save->idtr.base = regs->idt.base;
	save->idtr.limit = regs->idt.limit;
	svm_dirty(to_svm(vcpu), SVM_CLEAN_DT);
}

/* ---- control registers ----------------------------------------------------------- */

/* Bits whose value in hardware is not the guest's. */
static u64 svm_cr0_soft(void)
{
	return X86_CR0_CD | X86_CR0_NW | (hw_caps.tdp ? 0 : X86_CR0_PG | X86_CR0_WP);
}

static void svm_fetch_cr0(struct kvm_vcpu *vcpu)
{
	struct x86_regs *regs = &vcpu->arch.regs;

	/* Any write that touches those exits, so the cache knows them best. */
	regs->cr0 = (regs->cr0 & svm_cr0_soft()) |
		    (to_svm(vcpu)->vmcb->save.cr0 & ~svm_cr0_soft());
}

static void svm_flush_cr4(struct kvm_vcpu *vcpu);
static void svm_flush_efer(struct kvm_vcpu *vcpu);

static void svm_flush_cr0(struct kvm_vcpu *vcpu)
{
	struct vcpu_svm *svm = to_svm(vcpu);
	u64 cr0 = vcpu->arch.regs.cr0;
	u64 hw = (cr0 & ~(u64)(X86_CR0_CD | X86_CR0_NW)) | X86_CR0_ET;

	if (!hw_caps.tdp) {
		hw |= X86_CR0_PG | X86_CR0_WP;
		/* Whether the guest has paging decides about bits of theirs. */
		svm_flush_cr4(vcpu);
		svm_flush_efer(vcpu);
	}

	/*
	 * QEMU 10.0's emulator looks at CR0's bit for reads of any control register
	 * (tests/rig/qemu-cr-read.patch); without nested paging the guest must not see CR3.
	 */
	svm_intercept(svm, SVM_I_CR_READ(0), hw != cr0 || !hw_caps.tdp);
	svm_intercept(svm, SVM_I_CR_WRITE(0), hw != cr0);
	svm->vmcb->save.cr0 = hw;
	svm_dirty(svm, SVM_CLEAN_CR);
}

static void svm_fetch_cr3(struct kvm_vcpu *vcpu)
{
	if (hw_caps.tdp)	/* else what is there is not the guest's */
		vcpu->arch.regs.cr3 = to_svm(vcpu)->vmcb->save.cr3;
}

static void svm_flush_cr3(struct kvm_vcpu *vcpu)
{
	if (!hw_caps.tdp)
		return;		/* svm_load_root() writes it */
	to_svm(vcpu)->vmcb->save.cr3 = vcpu->arch.regs.cr3;
	svm_dirty(to_svm(vcpu), SVM_CLEAN_CR);
}

static u64 svm_shadow_cr4(struct kvm_vcpu *vcpu, u64 cr4)
{
	cr4 = (cr4 | X86_CR4_PAE) & ~(u64)X86_CR4_PCIDE;
	if (!(vcpu->arch.regs.cr0 & X86_CR0_PG))
		cr4 &= ~(u64)(X86_CR4_SMEP | X86_CR4_SMAP | X86_CR4_PKE);
	return cr4;
}

static void svm_flush_cr4(struct kvm_vcpu *vcpu)
{
	struct vcpu_svm *svm = to_svm(vcpu);
	u64 cr4 = vcpu->arch.regs.cr4;
	u64 hw = cr4 | (__read_cr4() & X86_CR4_MCE);

	if (!hw_caps.tdp)
		hw = svm_shadow_cr4(vcpu, hw);
	svm_intercept(svm, SVM_I_CR_READ(4), hw != cr4);
	svm->vmcb->save.cr4 = hw;
	svm_dirty(svm, SVM_CLEAN_CR);
}

static void svm_flush_efer(struct kvm_vcpu *vcpu)
{
	u64 efer = vcpu->arch.regs.efer | EFER_SVME;

	if (!hw_caps.tdp) {
		efer |= EFER_NX;
		if (!(efer & EFER_LMA))
			efer &= ~(u64)EFER_LME;
	}
	to_svm(vcpu)->vmcb->save.efer = efer;
	svm_dirty(to_svm(vcpu), SVM_CLEAN_CR);
}

/* ---- debug registers, RIP, RSP, RFLAGS ---------------------------------------------- */

static void svm_fetch_dr(struct kvm_vcpu *vcpu)
{
	const struct svm_save *save = &to_svm(vcpu)->vmcb->save;

	/* A debugger's view of DR6 is reported by exits; the guest keeps its own. */
	if (vcpu->arch.dbg.control & KVM_GUESTDBG_USE_HW_BP)
		return;
	vcpu->arch.regs.dr6 = save->dr6;
	if (vcpu->arch.dr_loaded)
		vcpu->arch.regs.dr7 = save->dr7;
}

static void svm_flush_dr(struct kvm_vcpu *vcpu)
{
	struct svm_save *save = &to_svm(vcpu)->vmcb->save;

	save->dr6 = vcpu->arch.regs.dr6;
	save->dr7 = x86_effective_dr7(vcpu);
	svm_dirty(to_svm(vcpu), SVM_CLEAN_DR);
}

static u64 svm_guest_rflags(const struct vcpu_svm *svm)
{
	u64 rflags = svm->vmcb->save.rflags;

	/* Our own step is nobody's business. */
	if (unlikely(svm->step.on) && !svm->step.guest_tf)
		rflags &= ~(u64)X86_EFLAGS_TF;
	return rflags;
}

static u64 svm_hw_rflags(struct vcpu_svm *svm)
{
	u64 rflags = svm->vcpu.arch.regs.rflags;

	if (unlikely(svm->step.on)) {
		svm->step.guest_tf = rflags & X86_EFLAGS_TF;
		rflags |= X86_EFLAGS_TF;
	}
	return rflags;
}

#define SVM_ALWAYS_FLUSHED	(BIT(X86_RIP) | BIT(X86_RSP) | BIT(X86_RFLAGS))

/* CR4 and EFER a guest can't change without an exit: the cache stays valid. */
#define SVM_ALWAYS_AVAIL	(SVM_ALWAYS_FLUSHED | BIT(X86_CR4) | BIT(X86_EFER))

void svm_fetch_basic(struct vcpu_svm *svm)
{
	const struct svm_save *save = &svm->vmcb->save;
	struct x86_regs *regs = &svm->vcpu.arch.regs;

	regs->rip = save->rip;
	regs->gpr[X86_RSP_IDX] = save->rsp;
	regs->rflags = svm_guest_rflags(svm);
	regs->cpl = save->cpl;
	regs->cs_l = save->cs.attrib & SVM_ATTR_L;
	regs->avail = SVM_ALWAYS_AVAIL;
}

/* No clean bit is about these three. */
static void svm_flush_basic(struct vcpu_svm *svm)
{
	const struct x86_regs *regs = &svm->vcpu.arch.regs;
	struct svm_save *save = &svm->vmcb->save;

	save->rip = regs->rip;
	save->rsp = regs->gpr[X86_RSP_IDX];
	save->rflags = svm_hw_rflags(svm);
}

/* ---- classes ---------------------------------------------------------------------------- */

/*
 * Switches, because calls through a table would be indirect branches on the
 * hottest path there is.
 */
void svm_fetch(struct kvm_vcpu *vcpu, int class)
{
	switch ((enum x86_class)class) {
	case X86_CR0:
		svm_fetch_cr0(vcpu);
		break;
	case X86_CR3:
		svm_fetch_cr3(vcpu);
		break;
	case X86_SEG_CLASS ... X86_SEG_LAST:
		svm_fetch_seg(vcpu, class - X86_SEG_CLASS);
		break;
	case X86_DT:
		svm_fetch_dt(vcpu);
		break;
	case X86_DR:
		svm_fetch_dr(vcpu);
		break;
	case X86_RIP:	/* svm_fetch_basic() */
	case X86_RSP:
	case X86_RFLAGS:
	case X86_CR4:
	case X86_EFER:
	case X86_NR_CLASSES:
		return;
	}
	vcpu->arch.regs.avail |= BIT(class);
}

static void svm_flush_class(struct kvm_vcpu *vcpu, enum x86_class class)
{
	switch (class) {
	case X86_CR0:
		svm_flush_cr0(vcpu);
		break;
	case X86_CR3:
		svm_flush_cr3(vcpu);
		break;
	case X86_CR4:
		svm_flush_cr4(vcpu);
		break;
	case X86_EFER:
		svm_flush_efer(vcpu);
		break;
	case X86_SEG_CLASS ... X86_SEG_LAST:
		svm_flush_seg(vcpu, class - X86_SEG_CLASS);
		break;
	case X86_DT:
		svm_flush_dt(vcpu);
		break;
	case X86_DR:
		svm_flush_dr(vcpu);
		break;
	case X86_RIP:	/* svm_flush_basic() */
	case X86_RSP:
	case X86_RFLAGS:
	case X86_NR_CLASSES:
		break;
	}
}

void svm_flush(struct kvm_vcpu *vcpu)
{
	struct x86_regs *regs = &vcpu->arch.regs;
	struct vcpu_svm *svm = to_svm(vcpu);
	struct svm_save *save = &svm->vmcb->save;
	unsigned long dirty = regs->dirty & ~SVM_ALWAYS_FLUSHED;
	int class;

	if (unlikely(dirty))
		for_each_set_bit(class, &dirty, X86_NR_CLASSES)
			svm_flush_class(vcpu, class);
	regs->dirty = 0;
	svm_flush_basic(svm);

	save->rax = regs->gpr[X86_RAX];
	if (save->cr2 != regs->cr2) {
		save->cr2 = regs->cr2;
		svm_dirty(svm, SVM_CLEAN_CR2);
	}
	if (unlikely(save->g_pat != vcpu->arch.pat)) {
		save->g_pat = vcpu->arch.pat;
		svm_dirty(svm, SVM_CLEAN_NP);
	}
}

/* ---- intercepts --------------------------------------------------------------------------- */

static void svm_intercept_exceptions(struct kvm_vcpu *vcpu)
{
	struct vcpu_svm *svm = to_svm(vcpu);
	u32 control = vcpu->arch.dbg.control;

	/*
	 * #DB and #AC always: a guest could make the CPU loop in delivering
	 * either, where no interrupt gets through.
	 */
	svm_intercept(svm, SVM_I_EXCEPTION(1), true);
	svm_intercept(svm, SVM_I_EXCEPTION(17), true);
	svm_intercept(svm, SVM_I_EXCEPTION(18), true);
	svm_intercept(svm, SVM_I_EXCEPTION(6), true);
	svm_intercept(svm, SVM_I_EXCEPTION(14), !hw_caps.tdp);
	svm_intercept(svm, SVM_I_EXCEPTION(3), control & KVM_GUESTDBG_USE_SW_BP);
}

static void svm_intercept_drs(struct kvm_vcpu *vcpu)
{
	struct vcpu_svm *svm = to_svm(vcpu);
	bool debugger = vcpu->arch.dbg.control & KVM_GUESTDBG_USE_HW_BP;
	u32 mask = debugger || !vcpu->arch.dr_loaded ? 0x00ff00ff : 0;

	if (svm->vmcb->ctl.intercepts[1] == mask)
		return;
	svm->vmcb->ctl.intercepts[1] = mask;
	svm_dirty(svm, SVM_CLEAN_CTL);
}

/* Instructions that this guest's CPUID says it has not got. */
static void svm_intercept_by_cpuid(struct kvm_vcpu *vcpu)
{
	struct vcpu_svm *svm = to_svm(vcpu);

	svm_intercept(svm, SVM_I_RDTSCP, !x86_guest_has(vcpu, X86_FEATURE_RDTSCP) &&
					 boot_cpu_has(X86_FEATURE_RDTSCP));
	svm_intercept(svm, SVM_I_INVPCID, !x86_guest_has(vcpu, X86_FEATURE_INVPCID) &&
					  boot_cpu_has(X86_FEATURE_INVPCID));
	svm_intercept(svm, SVM_I_RDPRU, boot_cpu_has(X86_FEATURE_RDPRU));
}

void svm_update_intercepts(struct kvm_vcpu *vcpu)
{
	svm_intercept_exceptions(vcpu);
	svm_intercept_drs(vcpu);
	svm_intercept_by_cpuid(vcpu);
	/* DR7 in effect may be the debugger's, or no longer. */
	x86_need(vcpu, X86_DR);
	x86_touch(vcpu, X86_DR);
}

/* That many PAUSEs, each within so many cycles of the one before, are a spin loop. */
#define SVM_PAUSE_COUNT		3000
#define SVM_PAUSE_THRESHOLD	128

static void svm_intercept_always(struct kvm_vcpu *vcpu)
{
	static const u8 always[] = {
		SVM_I_CR_WRITE(4),
		SVM_I_INTR, SVM_I_NMI, SVM_I_SMI, SVM_I_INIT, SVM_I_CR0_SEL_WRITE,
		SVM_I_RDPMC, SVM_I_CPUID, SVM_I_RSM, SVM_I_INVD, SVM_I_INVLPGA,
		SVM_I_IOIO, SVM_I_MSR, SVM_I_TASK_SWITCH, SVM_I_SHUTDOWN,
		SVM_I_VMRUN, SVM_I_VMMCALL, SVM_I_VMLOAD, SVM_I_VMSAVE, SVM_I_STGI,
		SVM_I_CLGI, SVM_I_SKINIT, SVM_I_WBINVD, SVM_I_XSETBV,
	};
	struct vcpu_svm *svm = to_svm(vcpu);
	u64 disabled = vcpu->kvm->arch.disabled_exits;
	int i;

	for (i = 0; i < ARRAY_SIZE(always); i++)
		svm_intercept(svm, always[i], true);
	svm_intercept(svm, SVM_I_CR_READ(3), !hw_caps.tdp);
	svm_intercept(svm, SVM_I_CR_WRITE(3), !hw_caps.tdp);
	svm_intercept(svm, SVM_I_INVLPG, !hw_caps.tdp);
	svm_intercept(svm, SVM_I_HLT, !(disabled & KVM_X86_DISABLE_EXITS_HLT));
	svm_intercept(svm, SVM_I_MONITOR, !(disabled & KVM_X86_DISABLE_EXITS_MWAIT));
	svm_intercept(svm, SVM_I_MWAIT, !(disabled & KVM_X86_DISABLE_EXITS_MWAIT));
	if (hw_caps.pause_filter && !(disabled & KVM_X86_DISABLE_EXITS_PAUSE)) {
		svm->vmcb->ctl.pause_count = SVM_PAUSE_COUNT;
		if (boot_cpu_has(X86_FEATURE_PFTHRESHOLD))
			svm->vmcb->ctl.pause_thresh = SVM_PAUSE_THRESHOLD;
		svm_intercept(svm, SVM_I_PAUSE, true);
	}
}

/* ---- ASIDs ------------------------------------------------------------------------------------ */

void svm_assign_asid(struct vcpu_svm *svm)
{
	struct svm_cpu *sc = this_cpu_ptr(&svm_cpus);
	struct svm_control *ctl = &svm->vmcb->ctl;

	if (sc->next_asid > sc->max_asid) {
		sc->asid_generation++;
		sc->next_asid = 1;		/* 0 is the host's */
		ctl->tlb_ctl = SVM_TLB_FLUSH_ALL;
	}
	svm->asid_generation = sc->asid_generation;
	ctl->asid = sc->next_asid++;
	ctl->clean = 0;		/* the CPU may have been off since it last saw this VMCB */
}

/* False: this CPU no longer has the ASID, and the next entry takes a new one anyway. */
static bool svm_flush_gva(struct vcpu_svm *svm, gva_t gva)
{
	bool valid;

	preempt_disable();
	valid = svm->last_cpu == smp_processor_id() &&
		svm->asid_generation == this_cpu_read(svm_cpus.asid_generation);
	if (valid)
		asm volatile("1: invlpga %0, %1\n\t"
			     "2:\n\t"	/* SVM may be off, for a reboot */
			     _ASM_EXTABLE(1b, 2b)
			     : : "a" (gva), "c" (svm->vmcb->ctl.asid) : "memory");
	preempt_enable();
	return valid;
}

void svm_flush_tlb(struct kvm_vcpu *vcpu, enum x86_flush what, gva_t gva)
{
	struct vcpu_svm *svm = to_svm(vcpu);

	if (what == X86_FLUSH_GVA && svm_flush_gva(svm, gva))
		return;
	if (!hw_caps.flush_by_asid)
		svm->asid_generation = 0;
	else if (svm->vmcb->ctl.tlb_ctl == SVM_TLB_NOTHING)
		svm->vmcb->ctl.tlb_ctl = SVM_TLB_FLUSH_ASID;
}

/*
 * A shadow root may be a table that was freed and made anew since the last time,
 * and the four pointers of a PAE root may have changed: always flush.
 */
static void svm_load_shadow_root(struct vcpu_svm *svm, hpa_t root)
{
	svm->vmcb->save.cr3 = root;
	svm_dirty(svm, SVM_CLEAN_CR);
	svm_flush_tlb(&svm->vcpu, X86_FLUSH_ALL, 0);
}

void svm_load_root(struct kvm_vcpu *vcpu, hpa_t root, int level)
{
	struct vcpu_svm *svm = to_svm(vcpu);

	root = __sme_set(root);
	if (!hw_caps.tdp) {
		svm_load_shadow_root(svm, root);
		return;
	}
	if (svm->vmcb->ctl.ncr3 == root)
		return;
	svm->vmcb->ctl.ncr3 = root;
	svm_dirty(svm, SVM_CLEAN_NP);
	svm_flush_tlb(vcpu, X86_FLUSH_ALL, 0);
}

/* ---- clean bits, checked ------------------------------------------------------------------------ */

#define SVM_FIELD(bit, field)	{ bit, offsetof(struct svm_vmcb, field), \
				  sizeof_field(struct svm_vmcb, field), #field }

static const struct svm_clean_field {
	u16 bit, offset, size;
	const char *name;
} svm_clean_fields[] = {
	SVM_FIELD(SVM_CLEAN_CTL, ctl.intercepts),
	SVM_FIELD(SVM_CLEAN_CTL, ctl.pause_thresh),
	SVM_FIELD(SVM_CLEAN_CTL, ctl.pause_count),
	SVM_FIELD(SVM_CLEAN_CTL, ctl.tsc_offset),
	SVM_FIELD(SVM_CLEAN_PERM, ctl.iopm_pa),
	SVM_FIELD(SVM_CLEAN_PERM, ctl.msrpm_pa),
	SVM_FIELD(SVM_CLEAN_ASID, ctl.asid),
	SVM_FIELD(SVM_CLEAN_TPR, ctl.int_ctl),
	SVM_FIELD(SVM_CLEAN_TPR, ctl.int_vector),
	SVM_FIELD(SVM_CLEAN_NP, ctl.np_ctl),
	SVM_FIELD(SVM_CLEAN_NP, ctl.ncr3),
	SVM_FIELD(SVM_CLEAN_NP, save.g_pat),
	SVM_FIELD(SVM_CLEAN_CR, save.cr0),
	SVM_FIELD(SVM_CLEAN_CR, save.cr3),
	SVM_FIELD(SVM_CLEAN_CR, save.cr4),
	SVM_FIELD(SVM_CLEAN_CR, save.efer),
	SVM_FIELD(SVM_CLEAN_DR, save.dr6),
	SVM_FIELD(SVM_CLEAN_DR, save.dr7),
	SVM_FIELD(SVM_CLEAN_DT, save.gdtr),
	SVM_FIELD(SVM_CLEAN_DT, save.idtr),
	SVM_FIELD(SVM_CLEAN_SEG, save.es),
	SVM_FIELD(SVM_CLEAN_SEG, save.cs),
	SVM_FIELD(SVM_CLEAN_SEG, save.ss),
	SVM_FIELD(SVM_CLEAN_SEG, save.ds),
	SVM_FIELD(SVM_CLEAN_SEG, save.cpl),
	SVM_FIELD(SVM_CLEAN_CR2, save.cr2),
	SVM_FIELD(SVM_CLEAN_LBR, save.dbgctl),
};

void svm_check_clean(struct vcpu_svm *svm)
{
	const struct svm_clean_field *f;

	if (!svm->shadow)
		return;
	for (f = svm_clean_fields; f < svm_clean_fields + ARRAY_SIZE(svm_clean_fields); f++)
		if (svm->vmcb->ctl.clean & BIT(f->bit))
			WARN_ONCE(memcmp((u8 *)svm->vmcb + f->offset,
					 (u8 *)svm->shadow + f->offset, f->size),
				  "VMCB: %s was changed but is marked clean\n", f->name);
}

void svm_remember_clean(struct vcpu_svm *svm)
{
	if (svm->shadow)
		*svm->shadow = *svm->vmcb;
}

/* ---- life ------------------------------------------------------------------------------------------ */

static void svm_reset_control(struct kvm_vcpu *vcpu)
{
	struct vcpu_svm *svm = to_svm(vcpu);
	struct svm_control *ctl = &svm->vmcb->ctl;

	svm_intercept_always(vcpu);
	svm_intercept(svm, SVM_I_IRET, false);
	svm_intercept(svm, SVM_I_VINTR, false);
	ctl->iopm_pa = svm_iopm_pa;
	ctl->msrpm_pa = __sme_set(__pa(svm->msrpm));
	ctl->tsc_offset = vcpu->arch.tsc.offset;
	ctl->int_ctl = SVM_V_INTR_MASKING;
	ctl->int_state = 0;
	ctl->event_inj = 0;
	ctl->np_ctl = hw_caps.tdp ? SVM_NP_ENABLE : 0;
	ctl->clean = 0;
}

/* INIT leaves the MSRs in the save area alone. The root is the MMU's: it stays, or is loaded anew. */
void svm_vmcb_reset(struct kvm_vcpu *vcpu, bool init)
{
	struct vcpu_svm *svm = to_svm(vcpu);

	if (!init)
		memset(&svm->vmcb->save, 0, sizeof(svm->vmcb->save));
	svm->asid_generation = 0;
	svm->nmi_masked = false;
	svm->iret_started = false;
	svm->step = (struct svm_step) {};
	svm->soft_len = 0;
	svm->injected = false;
	/* The core has set or will set the registers: none is left in the VMCB. */
	vcpu->arch.regs.avail = X86_ALL_CLASSES;
	vcpu->arch.regs.dirty = X86_ALL_CLASSES;
	svm_reset_control(vcpu);
	svm_update_intercepts(vcpu);
}

int svm_vmcb_alloc(struct vcpu_svm *svm)
{
	svm->vmcb = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!svm->vmcb)
		return -ENOMEM;
	if (svm_debug_clean)
		svm->shadow = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	svm->entry.vmcb_pa = __sme_set(__pa(svm->vmcb));
	svm->entry.gprs = (unsigned long *)svm->vcpu.arch.regs.gpr;
	svm->last_cpu = -1;
	return 0;
}

void svm_vmcb_free(struct vcpu_svm *svm)
{
	free_page((unsigned long)svm->shadow);
	free_page((unsigned long)svm->vmcb);
	svm->shadow = NULL;
	svm->vmcb = NULL;
}

/* ---- diagnostics -------------------------------------------------------------------------------------- */

static void svm_dump_segment(const char *name, const struct svm_seg *s)
{
	pr_err("%-5s sel %04x attrib %03x limit %08x base %016llx\n",
	       name, s->sel, s->attrib, s->limit, s->base);
}

void svm_dump_state(struct kvm_vcpu *vcpu)
{
	const struct svm_control *c = &to_svm(vcpu)->vmcb->ctl;
	const struct svm_save *s = &to_svm(vcpu)->vmcb->save;
	int i;

	if (!svm_dump_invalid)
		return;
	pr_err("VMCB of vCPU %d on CPU %d\n", vcpu->vcpu_id, vcpu->cpu);
	for (i = 0; i < SVM_I_WORDS; i++)
		pr_err("intercepts[%d] %08x\n", i, c->intercepts[i]);
	pr_err("exit %llx info %llx %llx int_info %08x:%08x next_rip %llx\n", c->exit_code,
	       c->exit_info1, c->exit_info2, c->exit_int_info, c->exit_int_error, c->next_rip);
	pr_err("event_inj %08x:%08x int_ctl %08x vector %x state %llx\n", c->event_inj,
	       c->event_inj_error, c->int_ctl, c->int_vector, c->int_state);
	pr_err("asid %u tlb_ctl %u clean %03x np %llx ncr3 %llx iopm %llx msrpm %llx\n", c->asid,
	       c->tlb_ctl, c->clean, c->np_ctl, c->ncr3, c->iopm_pa, c->msrpm_pa);
	pr_err("cr0 %llx cr2 %llx cr3 %llx cr4 %llx efer %llx cpl %u\n",
	       s->cr0, s->cr2, s->cr3, s->cr4, s->efer, s->cpl);
	pr_err("rip %llx rsp %llx rax %llx rflags %llx dr6 %llx dr7 %llx pat %llx\n",
	       s->rip, s->rsp, s->rax, s->rflags, s->dr6, s->dr7, s->g_pat);
	svm_dump_segment("es", &s->es);
	svm_dump_segment("cs", &s->cs);
	svm_dump_segment("ss", &s->ss);
	svm_dump_segment("ds", &s->ds);
	svm_dump_segment("fs", &s->fs);
	svm_dump_segment("gs", &s->gs);
	svm_dump_segment("tr", &s->tr);
	svm_dump_segment("ldtr", &s->ldtr);
	svm_dump_segment("gdtr", &s->gdtr);
	svm_dump_segment("idtr", &s->idtr);
}
