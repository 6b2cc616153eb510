// SPDX-License-Identifier: GPL-2.0
/*
 * The VMCS: its life, what goes between it and the register cache, its TLB tags.
 *
 * With EPT and unrestricted guests the guest owns CR2, CR3 and most of CR0 and
 * CR4 outright. A bit that the guest owns (clear in the mask) is the hardware's;
 * of the others it reads the shadow, and a write that would change the shadow
 * exits. What the host wants differently in the CPU than the guest believes:
 *
 *	CR0	CD and NW are kept clear: a guest may not switch off the host's
 *		caches. NE is set, VT wants it so.
 *	CR4	VMXE is set, and MCE as the host has it: with MCE clear a machine
 *		check would shut the machine down.
 *
 * Without unrestricted guests the hardware knows paged protected mode only. Real
 * mode is emulated (hw_caps.emulate_real). Protected mode without paging under EPT
 * runs on an identity map of ours:
 *
 *	CR0	PG is on.
 *	CR3	is that map; accesses exit.
 *	CR4	PSE is on, PAE, SMEP, SMAP and PKE are off.
 *
 * Without EPT the CPU walks our tables with the guest's registers:
 *
 *	CR0	PG and WP are on.
 *	CR3	is the shadow root; accesses exit.
 *	CR4	PAE is on, PCIDE is off; without paging neither SMEP, SMAP nor PKE.
 *	EFER	NX is on.
 *
 * In both of them LME is off until LMA is on, as PG is on already.
 *
 * PAE paging under EPT: the four directory pointers are in the VMCS, loaded by
 * the guest's MOV to CR3 without an exit. They come with the class of CR3.
 *
 * Debug registers: all accesses exit at first; the first one hands the registers
 * to the guest (arch.dr_loaded) until the next exit. DR6 is not in the VMCS: it
 * goes by hand.
 *
 * TLB tags. A VPID belongs to a vCPU for its life. What a CPU has cached for it
 * may be stale when the vCPU comes back to that CPU, so each change of CPU
 * flushes. The same goes for what is cached under an EPT root.
 */
#include <linux/slab.h>
#include <asm/tlbflush.h>
#include "compat_virt.h"
#include "hw/apic_regs.h"
#include "insn.h"
#include "lapic.h"
#include "mmu.h"
#include "vmx.h"

/* ---- controls ------------------------------------------------------------------ */

static void vmx_put_control(u32 *was, unsigned long field, u32 val)
{
	if (*was == val)
		return;
	*was = val;
	vmx_write(field, val);
}

static u32 vmx_with(u32 word, u32 bits, bool on)
{
	return on ? word | bits : word & ~bits;
}

void vmx_pin_control(struct vcpu_vmx *vmx, u32 bits, bool on)
{
	u32 *was = &vmx->vmcs->ctl.pin;

	vmx_put_control(was, PIN_BASED_VM_EXEC_CONTROL, vmx_with(*was, bits, on));
}

void vmx_cpu_control(struct vcpu_vmx *vmx, u32 bits, bool on)
{
	u32 *was = &vmx->vmcs->ctl.cpu;

	vmx_put_control(was, CPU_BASED_VM_EXEC_CONTROL, vmx_with(*was, bits, on));
}

void vmx_entry_control(struct vcpu_vmx *vmx, u32 bits, bool on)
{
	u32 *was = &vmx->vmcs->ctl.entry;

	vmx_put_control(was, VM_ENTRY_CONTROLS, vmx_with(*was, bits, on));
}

void vmx_cpu2_control(struct vcpu_vmx *vmx, u32 bits, bool on)
{
	u32 *was = &vmx->vmcs->ctl.cpu2;

	vmx_put_control(was, SECONDARY_VM_EXEC_CONTROL, vmx_with(*was, bits & vmx_base.cpu2, on));
}

/* ---- segments ---------------------------------------------------------------------- */

/* Fields of consecutive segments are two encodings apart, ours and the VMCS's in other order. */
static const u8 vmx_seg_order[X86_NR_SEGS] = {
	[X86_ES] = 0, [X86_CS] = 2, [X86_SS] = 4, [X86_DS] = 6, [X86_FS] = 8, [X86_GS] = 10,
	[X86_LDTR] = 12, [X86_TR] = 14,
};

/* Limit and granularity have to go together. */
static bool vmx_seg_g(const struct kvm_segment *seg)
{
	if (seg->limit >> 20)
		return true;
	return seg->g && (seg->limit & 0xfff) == 0xfff;
}

static u32 vmx_pack_ar(const struct kvm_segment *seg)
{
	return (seg->type & VMX_AR_TYPE_MASK) | (seg->s ? VMX_AR_S_MASK : 0) |
	       (seg->dpl & 3) << VMX_AR_DPL_SHIFT | (seg->present ? VMX_AR_P_MASK : 0) |
	       (seg->avl ? BIT(12) : 0) | (seg->l ? VMX_AR_L_MASK : 0) |
	       (seg->db ? VMX_AR_DB_MASK : 0) | (vmx_seg_g(seg) ? VMX_AR_G_MASK : 0) |
	       (seg->unusable || !seg->present ? VMX_AR_UNUSABLE_MASK : 0);
}

static void vmx_unpack_ar(struct kvm_segment *seg, u32 ar)
{
	seg->type = ar & VMX_AR_TYPE_MASK;
	seg->s = !!(ar & VMX_AR_S_MASK);
	seg->dpl = VMX_AR_DPL(ar);
	seg->unusable = !!(ar & VMX_AR_UNUSABLE_MASK);
	seg->present = !seg->unusable;
	seg->avl = !!(ar & BIT(12));
	seg->l = !!(ar & VMX_AR_L_MASK);
	seg->db = !!(ar & VMX_AR_DB_MASK);
	seg->g = !!(ar & VMX_AR_G_MASK);
}

static void vmx_fetch_seg(struct kvm_vcpu *vcpu, enum x86_seg s)
{
	struct kvm_segment *seg = &vcpu->arch.regs.seg[s];
	unsigned long at = vmx_seg_order[s];

	*seg = (struct kvm_segment) {
		.selector = vmx_read(GUEST_ES_SELECTOR + at),
		.base = vmx_read(GUEST_ES_BASE + at),
		.limit = vmx_read32(GUEST_ES_LIMIT + at),
	};
	vmx_unpack_ar(seg, vmx_read32(GUEST_ES_AR_BYTES + at));
}

static void vmx_flush_seg(struct kvm_vcpu *vcpu, enum x86_seg s)
{
	const struct kvm_segment *seg = &vcpu->arch.regs.seg[s];
	unsigned long at = vmx_seg_order[s];
	u32 ar = vmx_pack_ar(seg);

	if (s == X86_TR)	/* always usable, always busy */
		ar = (ar & ~VMX_AR_UNUSABLE_MASK) | VMX_AR_P_MASK | 2;
	vmx_write(GUEST_ES_SELECTOR + at, seg->selector);
	vmx_write(GUEST_ES_BASE + at, seg->base);
	vmx_write(GUEST_ES_LIMIT + at, seg->limit);
	vmx_write(GUEST_ES_AR_BYTES + at, ar);
}

static void vmx_fetch_dt(struct kvm_vcpu *vcpu)
{
	struct x86_regs *regs = &vcpu->arch.regs;

	regs->gdt.base = vmx_read(GUEST_GDTR_BASE);
	regs->gdt.limit = vmx_read32(GUEST_GDTR_LIMIT);
	regs->idt.base = vmx_read(GUEST_IDTR_BASE);
	regs->idt.limit = vmx_read32(GUEST_IDTR_LIMIT);
}

static void vmx_flush_dt(struct kvm_vcpu *vcpu)
{
	const struct x86_regs *regs = &vcpu->arch.regs;

	vmx_write(GUEST_GDTR_BASE, regs->gdt.base);
	vmx_write(GUEST_GDTR_LIMIT, regs->gdt.limit);
	vmx_write(GUEST_IDTR_BASE, regs->idt.base);
	vmx_write(GUEST_IDTR_LIMIT, regs->idt.limit);
}

/* ---- control registers ----------------------------------------------------------------- */

/* The hardware pages although the guest does not, and not by shadow tables. */
static bool vmx_on_identity_map(const struct kvm_vcpu *vcpu)
{
	return vmx_ept && !vmx_unrestricted && !(vcpu->arch.regs.cr0 & X86_CR0_PG);
}

static u64 vmx_cr0_owned(const struct kvm_vcpu *vcpu)
{
	return X86_CR0_TS | (vmx_ept && !vmx_on_identity_map(vcpu) ? X86_CR0_WP : 0);
}

static void vmx_fetch_cr0(struct kvm_vcpu *vcpu)
{
	struct x86_regs *regs = &vcpu->arch.regs;
	u64 owned = vmx_cr0_owned(vcpu);

	/* Any write that touches the others exits, so the cache knows them best. */
	regs->cr0 = (regs->cr0 & ~owned) | (vmx_read(GUEST_CR0) & owned);
}

static void vmx_flush_cr3(struct kvm_vcpu *vcpu);
static void vmx_flush_cr4(struct kvm_vcpu *vcpu);
static void vmx_flush_efer(struct kvm_vcpu *vcpu);

static void vmx_flush_cr0(struct kvm_vcpu *vcpu)
{
	u64 cr0 = vcpu->arch.regs.cr0, must = vmx_caps.cr0_must;
	u64 hw = cr0 & ~(u64)(X86_CR0_CD | X86_CR0_NW);

	if (vmx_unrestricted)
		must &= ~(u64)(X86_CR0_PE | X86_CR0_PG);
	if (!vmx_ept)
		must |= X86_CR0_PG | X86_CR0_WP;
	vmx_write(CR0_GUEST_HOST_MASK, ~vmx_cr0_owned(vcpu));
	vmx_write(CR0_READ_SHADOW, cr0);
	vmx_write(GUEST_CR0, hw | must);
	if (vmx_unrestricted)
		return;
	/* Whether the guest has paging decides about bits of the others. */
	vmx_flush_cr4(vcpu);
	vmx_flush_efer(vcpu);
	if (!vmx_ept)
		return;
	vmx_cpu_control(to_vmx(vcpu), CPU_BASED_CR3_LOAD_EXITING | CPU_BASED_CR3_STORE_EXITING,
			vmx_on_identity_map(vcpu));
	vmx_flush_cr3(vcpu);
}

/* PAE paging under EPT: @write or read the VMCS's copies of the directory pointers. */
static void vmx_pdptrs(struct kvm_vcpu *vcpu, bool write)
{
	static const u32 field[] = { GUEST_PDPTR0, GUEST_PDPTR1, GUEST_PDPTR2, GUEST_PDPTR3 };
	const struct x86_regs *regs = &vcpu->arch.regs;
	struct mmu_vcpu *mmu = &vcpu->arch.mmu;
	int i;

	if (!vmx_ept || !(regs->cr0 & X86_CR0_PG) || (regs->efer & EFER_LMA) ||
	    !(regs->cr4 & X86_CR4_PAE) || mmu->pdptrs_valid != write)
		return;
	for (i = 0; i < ARRAY_SIZE(field); i++) {
		if (write)
			vmx_write(field[i], mmu->pdptrs[i]);
		else
			mmu->pdptrs[i] = vmx_read(field[i]);
	}
	mmu->pdptrs_valid = true;
}

static void vmx_fetch_cr3(struct kvm_vcpu *vcpu)
{
	if (to_vmx(vcpu)->vmcs->ctl.cpu & CPU_BASED_CR3_LOAD_EXITING)
		return;		/* what is there is not the guest's */
	vcpu->arch.regs.cr3 = vmx_read(GUEST_CR3);
	vmx_pdptrs(vcpu, false);
}

static void vmx_flush_cr3(struct kvm_vcpu *vcpu)
{
	if (!vmx_ept)
		return;		/* vmx_load_root() writes it */
	vmx_write(GUEST_CR3, vmx_on_identity_map(vcpu) ? vcpu->kvm->arch.identity_map_addr :
							 vcpu->arch.regs.cr3);
}

/* Bits that change nothing but what the hardware does by itself. */
#define VMX_CR4_FREE	(X86_CR4_VME | X86_CR4_PVI | X86_CR4_TSD | X86_CR4_DE | X86_CR4_PCE | \
			 X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT | X86_CR4_PGE)

static u64 vmx_cr4_owned(const struct kvm_vcpu *vcpu)
{
	return vmx_ept ? VMX_CR4_FREE & ~vcpu->arch.cpuid.cr4_reserved : 0;
}

static void vmx_fetch_cr4(struct kvm_vcpu *vcpu)
{
	struct x86_regs *regs = &vcpu->arch.regs;
	u64 owned = vmx_cr4_owned(vcpu);

	BUILD_BUG_ON(VMX_CR4_FREE & X86_CR4_KEPT);
	regs->cr4 = (regs->cr4 & ~owned) | (vmx_read(GUEST_CR4) & owned);
}

#define VMX_CR4_PAGED	(X86_CR4_SMEP | X86_CR4_SMAP | X86_CR4_PKE)

static u64 vmx_hw_cr4(const struct kvm_vcpu *vcpu, u64 cr4)
{
	if (vmx_on_identity_map(vcpu))
		return (cr4 | X86_CR4_PSE) & ~(u64)(X86_CR4_PAE | VMX_CR4_PAGED);
	if (vmx_ept)
		return cr4;
	if (!(vcpu->arch.regs.cr0 & X86_CR0_PG))
		cr4 &= ~(u64)VMX_CR4_PAGED;
	return (cr4 | X86_CR4_PAE) & ~(u64)X86_CR4_PCIDE;
}

static void vmx_flush_cr4(struct kvm_vcpu *vcpu)
{
	u64 cr4 = vcpu->arch.regs.cr4;
	u64 hw = vmx_hw_cr4(vcpu, cr4) | (__read_cr4() & X86_CR4_MCE) | vmx_caps.cr4_must;

	vmx_write(CR4_GUEST_HOST_MASK, ~vmx_cr4_owned(vcpu));
	vmx_write(CR4_READ_SHADOW, cr4);
	vmx_write(GUEST_CR4, hw);
}

static void vmx_flush_efer(struct kvm_vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	u64 efer = vcpu->arch.regs.efer;

	if (!vmx_ept)
		efer |= EFER_NX;
	if (!vmx_unrestricted && !(efer & EFER_LMA))
		efer &= ~(u64)EFER_LME;
	vmx_entry_control(vmx, VM_ENTRY_IA32E_MODE, efer & EFER_LMA);
	if (vmx_base.entry & VM_ENTRY_LOAD_IA32_EFER)
		vmx_write(GUEST_IA32_EFER, efer);
	else
		vmx->autoload->guest[0].value = efer;
}

/* ---- debug registers, RIP, RSP, RFLAGS --------------------------------------------------------- */

static void vmx_fetch_dr(struct kvm_vcpu *vcpu)
{
	/* A debugger's view is reported by exits; the guest keeps its own. */
	if (vcpu->arch.dr_loaded && !(vcpu->arch.dbg.control & KVM_GUESTDBG_USE_HW_BP))
		vcpu->arch.regs.dr7 = vmx_read(GUEST_DR7);
}

static void vmx_flush_dr(struct kvm_vcpu *vcpu)
{
	vmx_write(GUEST_DR7, x86_effective_dr7(vcpu));
}

#define VMX_PENDING_BS	BIT(14)

/*
 * With TF set in a shadow the trap is pending, and the hardware wants to be told so;
 * STI's shadow exists with IF alone.
 */
static void vmx_flush_rflags(struct vcpu_vmx *vmx)
{
	u64 rflags = vmx->vcpu.arch.regs.rflags;
	u32 state = vmx_int_state(vmx), shadow = GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS;

	if (!(rflags & X86_EFLAGS_IF))
		state &= ~GUEST_INTR_STATE_STI;
	vmx_put_int_state(vmx, state);
	if (unlikely(state & shadow))
		vmx_write(GUEST_PENDING_DBG_EXCEPTIONS,
			  rflags & X86_EFLAGS_TF ? VMX_PENDING_BS : 0);
	vmx_write(GUEST_RFLAGS, rflags);
}

/* EFER a guest can't change without an exit: the cache stays valid. */
#define VMX_ALWAYS_AVAIL	BIT(X86_EFER)

void vmx_fetch_basic(struct vcpu_vmx *vmx)
{
	struct x86_regs *regs = &vmx->vcpu.arch.regs;

	regs->cpl = VMX_AR_DPL(vmx_read32(GUEST_SS_AR_BYTES));
	regs->cs_l = (regs->efer & EFER_LMA) && (vmx_read32(GUEST_CS_AR_BYTES) & VMX_AR_L_MASK);
	regs->avail = VMX_ALWAYS_AVAIL;
}

/* ---- classes ---------------------------------------------------------------------------------------- */

/*
 * Switches, because calls through a table would be indirect branches on the
 * hottest path there is.
 */
void vmx_fetch(struct kvm_vcpu *vcpu, int class)
{
	struct x86_regs *regs = &vcpu->arch.regs;

	switch ((enum x86_class)class) {
	case X86_RIP:
		regs->rip = vmx_read(GUEST_RIP);
		break;
	case X86_RSP:
		regs->gpr[X86_RSP_IDX] = vmx_read(GUEST_RSP);
		break;
	case X86_RFLAGS:
		regs->rflags = vmx_read(GUEST_RFLAGS);
		break;
	case X86_CR0:
		vmx_fetch_cr0(vcpu);
		break;
	case X86_CR3:
		vmx_fetch_cr3(vcpu);
		break;
	case X86_CR4:
		vmx_fetch_cr4(vcpu);
		break;
	case X86_SEG_CLASS ... X86_SEG_LAST:
		vmx_fetch_seg(vcpu, class - X86_SEG_CLASS);
		break;
	case X86_DT:
		vmx_fetch_dt(vcpu);
		break;
	case X86_DR:
		vmx_fetch_dr(vcpu);
		break;
	case X86_EFER:
	case X86_NR_CLASSES:
		return;
	}
	regs->avail |= BIT(class);
}

static void vmx_flush_rip(struct kvm_vcpu *vcpu)
{
	vmx_wake(to_vmx(vcpu));
	vmx_write(GUEST_RIP, vcpu->arch.regs.rip);
}

static void vmx_flush_class(struct kvm_vcpu *vcpu, enum x86_class class)
{
	struct x86_regs *regs = &vcpu->arch.regs;

	switch (class) {
	case X86_RIP:
		vmx_flush_rip(vcpu);
		break;
	case X86_RSP:
		vmx_write(GUEST_RSP, regs->gpr[X86_RSP_IDX]);
		break;
	case X86_RFLAGS:
		vmx_flush_rflags(to_vmx(vcpu));
		break;
	case X86_CR0:
		vmx_flush_cr0(vcpu);
		break;
	case X86_CR3:
		vmx_flush_cr3(vcpu);
		break;
	case X86_CR4:
		vmx_flush_cr4(vcpu);
		break;
	case X86_EFER:
		vmx_flush_efer(vcpu);
		break;
	case X86_SEG_CLASS ... X86_SEG_LAST:
		vmx_flush_seg(vcpu, class - X86_SEG_CLASS);
		break;
	case X86_DT:
		vmx_flush_dt(vcpu);
		break;
	case X86_DR:
		vmx_flush_dr(vcpu);
		break;
	case X86_NR_CLASSES:
		break;
	}
}

/* The hardware refuses a threshold above TPR, which may have gone down since. */
static void vmx_check_threshold(struct vcpu_vmx *vmx)
{
	u32 tpr = lapic_reg(vmx->vcpu.arch.apic, LAPIC_TPR) >> 4;

	if (vmx->vmcs->tpr_threshold <= tpr)
		return;
	vmx->vmcs->tpr_threshold = tpr;
	vmx_write(TPR_THRESHOLD, tpr);
}

#define VMX_PAGING_CLASSES	(BIT(X86_CR0) | BIT(X86_CR3) | BIT(X86_CR4) | BIT(X86_EFER))

static noinline void vmx_flush_classes(struct kvm_vcpu *vcpu, unsigned long dirty)
{
	int class;

	if (dirty & VMX_PAGING_CLASSES) {
		/* they are written with regard to each other */
		x86_need(vcpu, X86_CR0);
		x86_need(vcpu, X86_CR4);
		x86_need(vcpu, X86_CR3);
	}
	for_each_set_bit(class, &dirty, X86_NR_CLASSES)
		vmx_flush_class(vcpu, class);
	if (dirty & VMX_PAGING_CLASSES)
		vmx_pdptrs(vcpu, true);
}

void vmx_flush(struct kvm_vcpu *vcpu)
{
	struct x86_regs *regs = &vcpu->arch.regs;
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	/* behind most instructions nothing else has changed */
	if (likely(regs->dirty == BIT(X86_RIP)))
		vmx_flush_rip(vcpu);
	else if (regs->dirty)
		vmx_flush_classes(vcpu, regs->dirty);
	regs->dirty = 0;
	if (unlikely(vmx->vmcs->tpr_threshold))
		vmx_check_threshold(vmx);
	if (unlikely(vmx->pat != vcpu->arch.pat) && (vmx_base.entry & VM_ENTRY_LOAD_IA32_PAT)) {
		vmx->pat = vcpu->arch.pat;
		vmx_write(GUEST_IA32_PAT, vmx->pat);
	}
}

/* ---- intercepts ---------------------------------------------------------------------------------------- */

static void vmx_intercept_exceptions(struct kvm_vcpu *vcpu)
{
	/*
	 * #DB and #AC always: a guest could make the CPU loop in delivering
	 * either, where no interrupt gets through.
	 */
	u32 want = BIT(1) | BIT(6) | BIT(17) | BIT(18);

	if (!vmx_ept)
		want |= BIT(14);
	if (vcpu->arch.dbg.control & KVM_GUESTDBG_USE_SW_BP)
		want |= BIT(3);
	vmx_put_control(&to_vmx(vcpu)->vmcs->exceptions, EXCEPTION_BITMAP, want);
}

void vmx_update_intercepts(struct kvm_vcpu *vcpu)
{
	bool debugger = vcpu->arch.dbg.control & KVM_GUESTDBG_USE_HW_BP;

	vmx_intercept_exceptions(vcpu);
	vmx_cpu_control(to_vmx(vcpu), CPU_BASED_MOV_DR_EXITING, debugger || !vcpu->arch.dr_loaded);
	/* DR7 in effect may be the debugger's, or no longer. */
	x86_need(vcpu, X86_DR);
	x86_touch(vcpu, X86_DR);
}

/* Instructions that exist by leave of a control: as this guest's CPUID says. */
void vmx_cpuid_controls(struct kvm_vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	vmx_cpu2_control(vmx, SECONDARY_EXEC_ENABLE_RDTSCP,
			 x86_guest_has(vcpu, X86_FEATURE_RDTSCP) ||
			 x86_guest_has(vcpu, X86_FEATURE_RDPID));
	vmx_cpu2_control(vmx, SECONDARY_EXEC_ENABLE_INVPCID,
			 x86_guest_has(vcpu, X86_FEATURE_INVPCID));
	vmx_cpu2_control(vmx, SECONDARY_EXEC_XSAVES, x86_guest_has(vcpu, X86_FEATURE_XSAVES));
	x86_need(vcpu, X86_CR4);
	x86_touch(vcpu, X86_CR4);	/* its reserved bits may have changed */
}

/* ---- TLB tags --------------------------------------------------------------------------------------------- */

static DECLARE_BITMAP(vmx_vpids, VMX_NR_VPIDS);	/* [vmx_vpid_lock]; 0 is the host's */
static DEFINE_SPINLOCK(vmx_vpid_lock);

int vmx_vpid_alloc(void)
{
	int vpid;

	if (!vmx_vpid)
		return 0;
	spin_lock(&vmx_vpid_lock);
	vpid = find_next_zero_bit(vmx_vpids, VMX_NR_VPIDS, 1);
	if (vpid < VMX_NR_VPIDS)
		__set_bit(vpid, vmx_vpids);
	else
		vpid = 0;
	spin_unlock(&vmx_vpid_lock);
	return vpid;
}

void vmx_vpid_free(u16 vpid)
{
	if (!vpid)
		return;
	spin_lock(&vmx_vpid_lock);
	__clear_bit(vpid, vmx_vpids);
	spin_unlock(&vmx_vpid_lock);
}

static bool vmx_can_invvpid(u32 extent_bit)
{
	return vmx_caps.ept_vpid & (u64)extent_bit << 32;
}

static void vmx_flush_vpid(struct vcpu_vmx *vmx)
{
	if (!vmx->vpid)
		return;		/* each entry and exit does it */
	if (vmx_can_invvpid(VMX_VPID_EXTENT_SINGLE_CONTEXT_BIT))
		vmx_invvpid(VMX_VPID_EXTENT_SINGLE_CONTEXT, vmx->vpid, 0);
	else
		vmx_invvpid(VMX_VPID_EXTENT_ALL_CONTEXT, 0, 0);
}

static void vmx_flush_gva(struct vcpu_vmx *vmx, gva_t gva)
{
	if (!vmx_can_invvpid(VMX_VPID_EXTENT_INDIVIDUAL_ADDR_BIT))
		vmx_flush_vpid(vmx);
	else if (vmx->vpid && __is_canonical_address(gva, boot_cpu_data.x86_virt_bits))
		vmx_invvpid(VMX_VPID_EXTENT_INDIVIDUAL_ADDR, vmx->vpid, gva);
}

static void vmx_flush_ept(struct vcpu_vmx *vmx)
{
	if (!vmx->eptp)
		return;
	if (vmx_caps.ept_vpid & VMX_EPT_EXTENT_CONTEXT_BIT)
		vmx_invept(VMX_EPT_EXTENT_CONTEXT, vmx->eptp);
	else
		vmx_invept(VMX_EPT_EXTENT_GLOBAL, 0);
}

/* What other CPUs have cached is flushed when the vCPU gets there. */
void vmx_flush_tlb(struct kvm_vcpu *vcpu, enum x86_flush what, gva_t gva)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	preempt_disable();
	if (what == X86_FLUSH_GVA) {
		vmx_flush_gva(vmx, gva);
	} else {
		vmx_flush_vpid(vmx);
		if (what == X86_FLUSH_ALL)
			vmx_flush_ept(vmx);
	}
	preempt_enable();
}

/* A shadow root may be a table that was freed and made anew since: always flush. */
void vmx_load_root(struct kvm_vcpu *vcpu, hpa_t root, int level)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	if (vmx_ept) {
		vmx->eptp = root | VMX_EPTP_MT_WB | (level - 1) << 3 |
			    (vmx_ept_ad ? VMX_EPTP_AD_ENABLE_BIT : 0);
		vmx_write(EPT_POINTER, vmx->eptp);
	} else {
		vmx_write(GUEST_CR3, root);
	}
	vmx_flush_tlb(vcpu, X86_FLUSH_ALL, 0);
}

/* ---- where a VMCS is ------------------------------------------------------------------------------------------ */

/* On the CPU where it is active, interrupts off. */
static void vmx_clear_here(struct vmx_vmcs *vmcs)
{
	struct vmx_cpu *vc = this_cpu_ptr(&vmx_cpus);

	vmx_vmclear(vmcs->pa);
	if (vc->current_vmcs == vmcs)
		vc->current_vmcs = NULL;
	list_del(&vmcs->link);
	smp_wmb();	/* off the list before another CPU puts it on its own */
	WRITE_ONCE(vmcs->cpu, -1);
}

static void vmx_clear_ipi(void *arg)
{
	struct vmx_vmcs *vmcs = arg;

	if (READ_ONCE(vmcs->cpu) == smp_processor_id())
		vmx_clear_here(vmcs);
}

void vmx_vmcs_clear(struct vmx_vmcs *vmcs)
{
	int cpu = READ_ONCE(vmcs->cpu);

	/* A CPU that goes offline clears all of its own. */
	if (cpu >= 0)
		smp_call_function_single(cpu, vmx_clear_ipi, vmcs, 1);
}

/* One that is off the list may be on another CPU's at once. */
void vmx_vmcs_clear_all(void)
{
	struct vmx_cpu *vc = this_cpu_ptr(&vmx_cpus);
	struct vmx_vmcs *vmcs, *next;
	unsigned long flags;

	if (!vc->on)
		return;
	local_irq_save(flags);	/* against vmx_clear_ipi() */
	list_for_each_entry_safe(vmcs, next, &vc->active, link)
		vmx_clear_here(vmcs);
	local_irq_restore(flags);
}

/* The other CPUs stand still. Only forward links are followed: good at any moment of a change. */
void vmx_vmcs_clear_crash(void)
{
	struct vmx_cpu *vc = this_cpu_ptr(&vmx_cpus);
	struct vmx_vmcs *vmcs;

	if (!vc->on)
		return;
	list_for_each_entry(vmcs, &vc->active, link)
		vmx_vmclear(vmcs->pa);
}

void vmx_vmcs_make_current(struct vmx_vmcs *vmcs, int cpu)
{
	struct vmx_cpu *vc = this_cpu_ptr(&vmx_cpus);
	unsigned long flags;

	if (vmcs->cpu != cpu) {
		vmx_vmcs_clear(vmcs);
		local_irq_save(flags);
		smp_rmb();	/* its old list before ours */
		list_add(&vmcs->link, &vc->active);
		WRITE_ONCE(vmcs->cpu, cpu);
		local_irq_restore(flags);
	}
	if (vc->current_vmcs == vmcs)
		return;
	vc->current_vmcs = vmcs;
	vmx_vmptrld(vmcs->pa);
}

/* ---- page modification log ----------------------------------------------------------------------------------- */

/* The hardware fills the page from its end; what it says is the next free entry. */
#define VMX_PML_ENTRIES		512

void vmx_take_written(struct kvm_vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	u16 next = vmx_read(GUEST_PML_INDEX);
	int i;

	for (i = VMX_PML_ENTRIES - 1; i > (s16)next; i--)
		mmu_written(vcpu, vmx->written[i]);
	if (next != VMX_PML_ENTRIES - 1)
		vmx_write(GUEST_PML_INDEX, VMX_PML_ENTRIES - 1);
}

/* ---- life --------------------------------------------------------------------------------------------------------- */

static void vmx_reset_controls(struct kvm_vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	struct vmx_controls *ctl = &vmx->vmcs->ctl;
	u64 disabled = vcpu->kvm->arch.disabled_exits;

	*ctl = vmx_base;
	if (disabled & KVM_X86_DISABLE_EXITS_HLT)
		ctl->cpu &= ~CPU_BASED_HLT_EXITING;
	if (disabled & KVM_X86_DISABLE_EXITS_MWAIT)
		ctl->cpu &= ~(CPU_BASED_MWAIT_EXITING | CPU_BASED_MONITOR_EXITING);
	if (disabled & KVM_X86_DISABLE_EXITS_PAUSE)
		ctl->cpu2 &= ~SECONDARY_EXEC_PAUSE_LOOP_EXITING;
	if (vcpu->arch.apic && (ctl->cpu & CPU_BASED_TPR_SHADOW))
		ctl->cpu &= ~(CPU_BASED_CR8_LOAD_EXITING | CPU_BASED_CR8_STORE_EXITING);
	else
		ctl->cpu &= ~CPU_BASED_TPR_SHADOW;
	if (!vmx->vpid)
		ctl->cpu2 &= ~SECONDARY_EXEC_ENABLE_VPID;
	ctl->cpu2 &= ~VMX_CPU2_APICV;	/* KVM_REQ_APICV brings them back */
	vmx_write(PIN_BASED_VM_EXEC_CONTROL, ctl->pin);
	vmx_write(CPU_BASED_VM_EXEC_CONTROL, ctl->cpu);
	if (ctl->cpu & CPU_BASED_ACTIVATE_SECONDARY_CONTROLS)
		vmx_write(SECONDARY_VM_EXEC_CONTROL, ctl->cpu2);
	vmx_write(VM_EXIT_CONTROLS, ctl->exit);
	vmx_write(VM_ENTRY_CONTROLS, ctl->entry);
	vmx->vmcs->exceptions = 0;
	vmx_write(EXCEPTION_BITMAP, 0);
}

static void vmx_reset_autoload(struct vcpu_vmx *vmx)
{
	vmx_write(VM_EXIT_MSR_STORE_COUNT, 0);
	vmx->autoload_nr = vmx_autoloads_efer();
	vmx_write(VM_EXIT_MSR_LOAD_COUNT, vmx->autoload_nr);
	vmx_write(VM_ENTRY_MSR_LOAD_COUNT, vmx->autoload_nr);
	if (!vmx->autoload)
		return;
	vmx_write(VM_EXIT_MSR_LOAD_ADDR, __pa(vmx->autoload->host));
	vmx_write(VM_ENTRY_MSR_LOAD_ADDR, __pa(vmx->autoload->guest));
}

/* Fields that our choice of controls makes matter. */
static void vmx_reset_control_fields(struct kvm_vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	const struct vmx_controls *ctl = &vmx->vmcs->ctl;

	if (ctl->cpu & CPU_BASED_USE_MSR_BITMAPS)
		vmx_write(MSR_BITMAP, __pa(vmx->msr_bitmap));
	if (ctl->cpu & CPU_BASED_TPR_SHADOW) {
		vmx_write(VIRTUAL_APIC_PAGE_ADDR, __pa(vcpu->arch.apic->regs));
		vmx_write(TPR_THRESHOLD, 0);
		vmx->vmcs->tpr_threshold = 0;
	}
	if (vmx_apicv && vcpu->arch.apic)
		vmx_apicv_reset(vmx);
	if (ctl->cpu2 & SECONDARY_EXEC_ENABLE_VPID)
		vmx_write(VIRTUAL_PROCESSOR_ID, vmx->vpid);
	if (ctl->cpu2 & SECONDARY_EXEC_PAUSE_LOOP_EXITING) {
		vmx_write(PLE_GAP, vmx_ple_gap);
		vmx_write(PLE_WINDOW, vmx_ple_window);
	}
	if (ctl->cpu2 & SECONDARY_EXEC_XSAVES)
		vmx_write(XSS_EXIT_BITMAP, 0);
	if (vmx->written) {
		vmx_write(PML_ADDRESS, __pa(vmx->written));
		vmx_write(GUEST_PML_INDEX, VMX_PML_ENTRIES - 1);
	}
	if (ctl->cpu2 & SECONDARY_EXEC_ENCLS_EXITING)
		vmx_write(ENCLS_EXITING_BITMAP, ~0ull);	/* no SGX for guests */
	if (ctl->cpu2 & SECONDARY_EXEC_TSC_SCALING)
		vmx_write(TSC_MULTIPLIER, vcpu->arch.tsc.multiplier ?: VMX_TSC_ONE);
	vmx_write(TSC_OFFSET, vcpu->arch.tsc.offset);
	vmx_write(PAGE_FAULT_ERROR_CODE_MASK, 0);
	vmx_write(PAGE_FAULT_ERROR_CODE_MATCH, 0);
	vmx_write(CR3_TARGET_COUNT, 0);
	vmx_write(VMCS_LINK_POINTER, ~0ull);
	vmx_write(VM_ENTRY_INTR_INFO_FIELD, 0);
	vmx_reset_autoload(vmx);
}

static void vmx_reset_guest_fields(struct vcpu_vmx *vmx)
{
	vmx_write(GUEST_ACTIVITY_STATE, GUEST_ACTIVITY_ACTIVE);
	vmx_write(GUEST_PENDING_DBG_EXCEPTIONS, 0);
	vmx_write(GUEST_INTERRUPTIBILITY_INFO, 0);
	vmx->int_state = 0;
	vmx->exit.known |= VMX_KNOWN_INT_STATE;
}

/* INIT leaves MSRs alone. The root is the MMU's: it stays, or is loaded anew. */
void vmx_vmcs_reset(struct kvm_vcpu *vcpu, bool init)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	vmx->injected = false;
	vmx->soft_injected = false;
	/* The core has set or will set the registers: none is left in the VMCS. */
	vcpu->arch.regs.avail = X86_ALL_CLASSES;
	vcpu->arch.regs.dirty = X86_ALL_CLASSES;
	vmx_reset_controls(vcpu);
	vmx_reset_control_fields(vcpu);
	vmx_reset_guest_fields(vmx);
	if (!init) {
		vmx_host_constant(vmx);
		vmx_write(GUEST_IA32_DEBUGCTL, 0);
		vmx_write(GUEST_SYSENTER_CS, 0);
		vmx_write(GUEST_SYSENTER_ESP, 0);
		vmx_write(GUEST_SYSENTER_EIP, 0);
	}
	vmx_cpuid_controls(vcpu);
	vmx_update_intercepts(vcpu);
}

static int vmx_alloc_autoload(struct vcpu_vmx *vmx)
{
	BUILD_BUG_ON(sizeof(struct vmx_autoload) > PAGE_SIZE);
	if (!vmx_autoloads_efer() && !boot_cpu_has(X86_FEATURE_ARCH_PERFMON))
		return 0;
	vmx->autoload = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!vmx->autoload)
		return -ENOMEM;
	vmx->autoload->guest[0].index = MSR_EFER;
	vmx->autoload->host[0].index = MSR_EFER;
	vmx->autoload->host[0].value = compat_rdmsr(MSR_EFER);
	return 0;
}

static void vmx_free_pages(struct vcpu_vmx *vmx)
{
	free_page((unsigned long)vmx->vmcs01.page);
	free_page((unsigned long)vmx->written);
	free_page((unsigned long)vmx->autoload);
}

int vmx_vmcs_alloc(struct vcpu_vmx *vmx)
{
	struct vmx_vmcs *vmcs = &vmx->vmcs01;

	if (vmx_alloc_autoload(vmx))
		return -ENOMEM;
	if (vmx_pml)
		vmx->written = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	vmcs->page = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!vmcs->page || (vmx_pml && !vmx->written)) {
		vmx_free_pages(vmx);
		return -ENOMEM;
	}
	*(u32 *)vmcs->page = vmx_caps.revision;
	vmcs->pa = __pa(vmcs->page);
	vmcs->cpu = -1;
	/* Never active yet, and VMCLEAR makes it so that VMLAUNCH takes it. */
	preempt_disable();
	vmx_vmclear(vmcs->pa);
	preempt_enable();
	vmx->vmcs = vmcs;
	vmx->entry.gprs = vmx->vcpu.arch.regs.gpr;
	vmx->vpid = vmx_vpid_alloc();
	vmx->last_cpu = -1;
	return 0;
}

void vmx_vmcs_free(struct vcpu_vmx *vmx)
{
	vmx_vmcs_clear(&vmx->vmcs01);
	vmx_vpid_free(vmx->vpid);
	vmx_free_pages(vmx);
}

/* ---- diagnostics ----------------------------------------------------------------------------------------------------- */

static void vmx_dump_segment(const char *name, unsigned long at)
{
	pr_err("%-5s sel %04x ar %05x limit %08x base %016llx\n", name,
	       vmx_read32(GUEST_ES_SELECTOR + at), vmx_read32(GUEST_ES_AR_BYTES + at),
	       vmx_read32(GUEST_ES_LIMIT + at), vmx_read(GUEST_ES_BASE + at));
}

static void vmx_dump_segments(void)
{
	static const char * const names[] = { "es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr" };
	int i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		vmx_dump_segment(names[i], 2 * i);
	pr_err("gdtr  limit %08x base %016llx\n", vmx_read32(GUEST_GDTR_LIMIT),
	       vmx_read(GUEST_GDTR_BASE));
	pr_err("idtr  limit %08x base %016llx\n", vmx_read32(GUEST_IDTR_LIMIT),
	       vmx_read(GUEST_IDTR_BASE));
}

void vmx_dump_state(struct kvm_vcpu *vcpu)
{
	const struct vmx_controls *ctl = &to_vmx(vcpu)->vmcs->ctl;

	if (!vmx_dump_invalid)
		return;
	pr_err("VMCS of vCPU %d on CPU %d\n", vcpu->vcpu_id, vcpu->cpu);
	pr_err("pin %08x cpu %08x %08x exit %08x entry %08x exceptions %08x\n", ctl->pin, ctl->cpu,
	       ctl->cpu2, ctl->exit, ctl->entry, vmx_read32(EXCEPTION_BITMAP));
	pr_err("exit %08x error %u qualification %llx intr %08x:%08x vectoring %08x:%08x\n",
	       vmx_read32(VM_EXIT_REASON), vmx_read32(VM_INSTRUCTION_ERROR),
	       vmx_read(EXIT_QUALIFICATION), vmx_read32(VM_EXIT_INTR_INFO),
	       vmx_read32(VM_EXIT_INTR_ERROR_CODE), vmx_read32(IDT_VECTORING_INFO_FIELD),
	       vmx_read32(IDT_VECTORING_ERROR_CODE));
	pr_err("injection %08x:%08x interruptibility %x activity %x pending debug %llx\n",
	       vmx_read32(VM_ENTRY_INTR_INFO_FIELD), vmx_read32(VM_ENTRY_EXCEPTION_ERROR_CODE),
	       vmx_read32(GUEST_INTERRUPTIBILITY_INFO), vmx_read32(GUEST_ACTIVITY_STATE),
	       vmx_read(GUEST_PENDING_DBG_EXCEPTIONS));
	pr_err("cr0 %llx mask %llx shadow %llx cr4 %llx mask %llx shadow %llx\n",
	       vmx_read(GUEST_CR0), vmx_read(CR0_GUEST_HOST_MASK), vmx_read(CR0_READ_SHADOW),
	       vmx_read(GUEST_CR4), vmx_read(CR4_GUEST_HOST_MASK), vmx_read(CR4_READ_SHADOW));
	pr_err("cr3 %llx efer %llx (%llx) eptp %llx rip %llx rsp %llx rflags %llx dr7 %llx\n",
	       vmx_read(GUEST_CR3), vcpu->arch.regs.efer,
	       vmx_base.entry & VM_ENTRY_LOAD_IA32_EFER ? vmx_read(GUEST_IA32_EFER) : 0,
	       to_vmx(vcpu)->eptp, vmx_read(GUEST_RIP), vmx_read(GUEST_RSP),
	       vmx_read(GUEST_RFLAGS), vmx_read(GUEST_DR7));
	vmx_dump_segments();
}
