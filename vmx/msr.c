// SPDX-License-Identifier: GPL-2.0
/*
 * MSRs that Intel VT holds or that only Intel processors have, and the map that
 * says which of them the guest touches without an exit.
 *
 * The bases of FS and GS and SYSENTER_* live in the VMCS while the guest runs,
 * KERNEL_GS_BASE in the CPU: direct access, unless userspace's MSR filter says
 * no. STAR to SYSCALL_MASK and TSC_AUX are nobody's but user mode's; the guest's
 * values are put into the CPU by x86_uret_set(), so its writes have to exit.
 *
 * SPEC_CTRL is switched by enter.S. It is intercepted until the guest first
 * writes it: as long as it has not, entry code need not read it back after each
 * exit.
 *
 * PRED_CMD and FLUSH_CMD are commands: a guest whose CPUID has them may give
 * them directly.
 *
 * The x2APIC's, where the hardware does the local APIC's work (vmx/apicv.c).
 *
 * The bitmap has a bit for reading and one for writing (set = exit) for the MSRs
 * of two ranges of 8192; all others exit.
 */
#include <linux/bitmap.h>
#include <linux/gfp.h>
#include <asm/spec-ctrl.h>
#include "compat_virt.h"
#include "hw/apic_regs.h"
#include "insn.h"
#include "uret.h"
#include "vmx.h"

/* ---- bitmap ----------------------------------------------------------------------- */

#define VMX_BITMAP_RANGE	0x2000
#define VMX_BITMAP_HIGH		0xc0000000
#define VMX_BITMAP_WRITE	(2 * VMX_BITMAP_RANGE)	/* bit number of the first write bit */

/* Bit number of @msr's read bit, or -1 where the bitmap does not reach: exits always. */
static int vmx_bitmap_bit(u32 msr)
{
	if (msr < VMX_BITMAP_RANGE)
		return msr;
	if (msr - VMX_BITMAP_HIGH < VMX_BITMAP_RANGE)
		return VMX_BITMAP_RANGE + (msr - VMX_BITMAP_HIGH);
	return -1;
}

/* The bitmap of a new vCPU: everything exits. */
int vmx_msr_bitmap_alloc(struct vcpu_vmx *vmx)
{
	vmx->msr_bitmap = (void *)__get_free_page(GFP_KERNEL_ACCOUNT);
	if (!vmx->msr_bitmap)
		return -ENOMEM;
	memset(vmx->msr_bitmap, 0xff, PAGE_SIZE);
	return 0;
}

void vmx_msr_bitmap_free(struct vcpu_vmx *vmx)
{
	free_page((unsigned long)vmx->msr_bitmap);
	vmx->msr_bitmap = NULL;
}

static void vmx_msr_direct(struct kvm_vcpu *vcpu, u32 msr, u32 types)
{
	unsigned long *map = to_vmx(vcpu)->msr_bitmap;
	int bit = vmx_bitmap_bit(msr);

	if (WARN_ON_ONCE(bit < 0))
		return;
	if ((types & KVM_MSR_FILTER_READ) && x86_msr_allowed(vcpu, msr, KVM_MSR_FILTER_READ))
		__clear_bit(bit, map);
	if ((types & KVM_MSR_FILTER_WRITE) && x86_msr_allowed(vcpu, msr, KVM_MSR_FILTER_WRITE))
		__clear_bit(bit + VMX_BITMAP_WRITE, map);
}

static const u32 vmx_direct_msrs[] = {
	MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE,
	MSR_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_ESP, MSR_IA32_SYSENTER_EIP,
};

static void vmx_direct_range(struct kvm_vcpu *vcpu, u32 first, u32 last, u32 types)
{
	u32 off;

	for (off = first; off <= last; off += 0x10)
		vmx_msr_direct(vcpu, LAPIC_X2_MSR_BASE + (off >> 4), types);
}

/*
 * The x2APIC's registers that can be read from the page: not the current count, which
 * nobody puts there, nor ICR, whose halves lie apart; and those whose writes the hardware does.
 */
static void vmx_direct_x2(struct kvm_vcpu *vcpu)
{
	const u32 read = KVM_MSR_FILTER_READ, write = KVM_MSR_FILTER_WRITE;

	vmx_direct_range(vcpu, LAPIC_ID, LAPIC_VERSION, read);
	vmx_direct_range(vcpu, LAPIC_TPR, LAPIC_TPR, read | write);
	vmx_direct_range(vcpu, LAPIC_PPR, LAPIC_PPR, read);
	vmx_direct_range(vcpu, LAPIC_EOI, LAPIC_EOI, write);
	vmx_direct_range(vcpu, LAPIC_LDR, LAPIC_LDR, read);
	vmx_direct_range(vcpu, LAPIC_SPIV, LAPIC_ESR, read);
	vmx_direct_range(vcpu, LAPIC_LVT_TIMER, LAPIC_TMICT, read);
	vmx_direct_range(vcpu, LAPIC_TDCR, LAPIC_TDCR, read);
	vmx_direct_range(vcpu, LAPIC_SELF_IPI, LAPIC_SELF_IPI, write);
}

void vmx_msr_intercepts(struct kvm_vcpu *vcpu)
{
	const u32 both = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE;
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	int i;

	memset(vmx->msr_bitmap, 0xff, PAGE_SIZE);
	for (i = 0; i < ARRAY_SIZE(vmx_direct_msrs); i++)
		vmx_msr_direct(vcpu, vmx_direct_msrs[i], both);
	if (vmx->spec_ctrl_direct)
		vmx_msr_direct(vcpu, MSR_IA32_SPEC_CTRL, both);
	if (vmx_apicv_x2(vmx))
		vmx_direct_x2(vcpu);
	if (x86_guest_has_ibpb(vcpu) && boot_cpu_has(X86_FEATURE_IBPB))
		vmx_msr_direct(vcpu, MSR_IA32_PRED_CMD, KVM_MSR_FILTER_WRITE);
	if (x86_guest_has(vcpu, X86_FEATURE_FLUSH_L1D) && boot_cpu_has(X86_FEATURE_FLUSH_L1D))
		vmx_msr_direct(vcpu, MSR_IA32_FLUSH_CMD, KVM_MSR_FILTER_WRITE);
}

/* ---- SPEC_CTRL and the commands ---------------------------------------------------------- */

static int vmx_get_spec_ctrl(struct kvm_vcpu *vcpu, struct x86_msr *msr)
{
	if (!msr->host && !x86_guest_has_spec_ctrl(vcpu))
		return -EINVAL;
	msr->data = to_vmx(vcpu)->entry.guest_spec;
	return 0;
}

static int vmx_set_spec_ctrl(struct kvm_vcpu *vcpu, const struct x86_msr *msr)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	if (!msr->host && !x86_guest_has_spec_ctrl(vcpu))
		return -EINVAL;
	if (msr->data & ~x86_spec_ctrl_valid(vcpu, msr->host))
		return -EINVAL;
	vmx->entry.guest_spec = msr->data;
	if (msr->data && !vmx->spec_ctrl_direct) {
		/* without a bitmap every write exits and is known */
		vmx->spec_ctrl_direct = vmx_base.cpu & CPU_BASED_USE_MSR_BITMAPS;
		vmx_msr_intercepts(vcpu);
	}
	return 0;
}

void vmx_spec_prepare(struct vcpu_vmx *vmx)
{
	struct vmx_entry *e = &vmx->entry;

	e->spec_mode = VMX_SPEC_NONE;
	if (!cpu_feature_enabled(X86_FEATURE_MSR_SPEC_CTRL))
		return;
	e->spec_mode = vmx->spec_ctrl_direct ? VMX_SPEC_READ_BACK : VMX_SPEC_SWITCH;
	/* Where IBRS is a barrier rather than a mode it has to be written anew. */
	if (cpu_feature_enabled(X86_FEATURE_KERNEL_IBRS))
		e->spec_mode |= VMX_SPEC_ALWAYS;
	e->host_spec = this_cpu_read(x86_spec_ctrl_current);
}

static int vmx_get_command(struct kvm_vcpu *vcpu, struct x86_msr *msr)
{
	msr->data = 0;
	return msr->host ? 0 : -EINVAL;
}

static int vmx_set_flush_cmd(struct kvm_vcpu *vcpu, const struct x86_msr *msr)
{
	if (!msr->host && !x86_guest_has(vcpu, X86_FEATURE_FLUSH_L1D))
		return -EINVAL;
	if (msr->data & ~(u64)L1D_FLUSH)
		return -EINVAL;
	if (msr->data && boot_cpu_has(X86_FEATURE_FLUSH_L1D))
		compat_wrmsr(MSR_IA32_FLUSH_CMD, L1D_FLUSH);
	return 0;
}

/* ---- what user mode alone looks at ------------------------------------------------------------ */

int vmx_uret_slots[VMX_NR_URET];

static enum vmx_uret vmx_uret_of(u32 index)
{
	switch (index) {
	case MSR_STAR:
		return VMX_URET_STAR;
	case MSR_LSTAR:
		return VMX_URET_LSTAR;
	case MSR_CSTAR:
		return VMX_URET_CSTAR;
	case MSR_SYSCALL_MASK:
		return VMX_URET_SFMASK;
	default:
		return VMX_URET_TSC_AUX;
	}
}

static bool vmx_may_tsc_aux(struct kvm_vcpu *vcpu, bool host)
{
	return host || x86_guest_has(vcpu, X86_FEATURE_RDTSCP) ||
	       x86_guest_has(vcpu, X86_FEATURE_RDPID);
}

static int vmx_get_uret(struct kvm_vcpu *vcpu, struct x86_msr *msr)
{
	enum vmx_uret i = vmx_uret_of(msr->index);

	if (vmx_uret_slots[i] < 0)
		return 1;
	if (i == VMX_URET_TSC_AUX && !vmx_may_tsc_aux(vcpu, msr->host))
		return -EINVAL;
	msr->data = to_vmx(vcpu)->uret[i];
	return 0;
}

static int vmx_set_uret(struct kvm_vcpu *vcpu, const struct x86_msr *msr)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	struct x86_msr old = *msr;
	enum vmx_uret i = vmx_uret_of(msr->index);
	int r = vmx_get_uret(vcpu, &old);
	u64 val = msr->data;

	if (r)
		return r;
	if ((i == VMX_URET_LSTAR || i == VMX_URET_CSTAR) && !x86_canonical(vcpu, val))
		return -EINVAL;
	if (i == VMX_URET_SFMASK || i == VMX_URET_TSC_AUX)
		val = (u32)val;		/* the upper half is not there */
	vmx->uret[i] = val;
	vmx->uret_changed = true;
	return 0;
}

/* ---- in the VMCS, or in the CPU ------------------------------------------------------------------ */

static int vmx_get_base(struct kvm_vcpu *vcpu, struct x86_msr *msr)
{
	enum x86_seg s = msr->index == MSR_FS_BASE ? X86_FS : X86_GS;

	msr->data = x86_seg(vcpu, s)->base;
	return 0;
}

static int vmx_set_base(struct kvm_vcpu *vcpu, const struct x86_msr *msr)
{
	enum x86_seg s = msr->index == MSR_FS_BASE ? X86_FS : X86_GS;
	struct kvm_segment seg = *x86_seg(vcpu, s);

	if (!x86_canonical(vcpu, msr->data))
		return -EINVAL;
	seg.base = msr->data;
	x86_put_seg(vcpu, s, &seg);
	return 0;
}

static int vmx_get_kernel_gs(struct kvm_vcpu *vcpu, struct x86_msr *msr)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	preempt_disable();
	msr->data = vmx->host.saved ? compat_rdmsr(MSR_KERNEL_GS_BASE) : vmx->kernel_gs_base;
	preempt_enable();
	return 0;
}

static int vmx_set_kernel_gs(struct kvm_vcpu *vcpu, const struct x86_msr *msr)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	if (!x86_canonical(vcpu, msr->data))
		return -EINVAL;
	preempt_disable();
	vmx->kernel_gs_base = msr->data;
	if (vmx->host.saved)
		compat_wrmsr(MSR_KERNEL_GS_BASE, msr->data);
	preempt_enable();
	return 0;
}

static u32 vmx_sysenter_field(u32 index)
{
	switch (index) {
	case MSR_IA32_SYSENTER_CS:
		return GUEST_SYSENTER_CS;
	case MSR_IA32_SYSENTER_ESP:
		return GUEST_SYSENTER_ESP;
	default:
		return GUEST_SYSENTER_EIP;
	}
}

static int vmx_get_sysenter(struct kvm_vcpu *vcpu, struct x86_msr *msr)
{
	msr->data = vmx_read(vmx_sysenter_field(msr->index));
	return 0;
}

static int vmx_set_sysenter(struct kvm_vcpu *vcpu, const struct x86_msr *msr)
{
	if (msr->index != MSR_IA32_SYSENTER_CS && !x86_canonical(vcpu, msr->data))
		return -EINVAL;
	vmx_write(vmx_sysenter_field(msr->index), msr->data);
	return 0;
}

/* Branch recording and its kin are not switched: they stay off. BTF is the hardware's. */
#define VMX_DEBUGCTL_KEPT	DEBUGCTLMSR_BTF
#define VMX_DEBUGCTL_DROPPED	DEBUGCTLMSR_LBR

static int vmx_get_debugctl(struct kvm_vcpu *vcpu, struct x86_msr *msr)
{
	msr->data = vmx_read(GUEST_IA32_DEBUGCTL);
	return 0;
}

static int vmx_set_debugctl(struct kvm_vcpu *vcpu, const struct x86_msr *msr)
{
	if (msr->data & ~(u64)(VMX_DEBUGCTL_KEPT | VMX_DEBUGCTL_DROPPED))
		return -EINVAL;
	vmx_write(GUEST_IA32_DEBUGCTL, msr->data & VMX_DEBUGCTL_KEPT);
	return 0;
}

/* The guest's CPUID has no VMX: locked, with nothing switched on. */
static int vmx_get_feat_ctl(struct kvm_vcpu *vcpu, struct x86_msr *msr)
{
	msr->data = to_vmx(vcpu)->feat_ctl;
	return 0;
}

static int vmx_set_feat_ctl(struct kvm_vcpu *vcpu, const struct x86_msr *msr)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	if (!msr->host && (vmx->feat_ctl & FEAT_CTL_LOCKED))
		return -EINVAL;
	if (msr->data & ~(u64)FEAT_CTL_LOCKED)
		return -EINVAL;
	vmx->feat_ctl = msr->data;
	return 0;
}

/* ---- the table ------------------------------------------------------------------------------------ */

static const struct vmx_msr_row {
	u32 first, last;
	int (*get)(struct kvm_vcpu *vcpu, struct x86_msr *msr);
	int (*set)(struct kvm_vcpu *vcpu, const struct x86_msr *msr);
} vmx_msr_rows[] = {
	{ MSR_FS_BASE, MSR_GS_BASE, vmx_get_base, vmx_set_base },
	{ MSR_KERNEL_GS_BASE, MSR_KERNEL_GS_BASE, vmx_get_kernel_gs, vmx_set_kernel_gs },
	{ MSR_STAR, MSR_SYSCALL_MASK, vmx_get_uret, vmx_set_uret },
	{ MSR_TSC_AUX, MSR_TSC_AUX, vmx_get_uret, vmx_set_uret },
	{ MSR_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_EIP, vmx_get_sysenter, vmx_set_sysenter },
	{ MSR_IA32_SPEC_CTRL, MSR_IA32_SPEC_CTRL, vmx_get_spec_ctrl, vmx_set_spec_ctrl },
	{ MSR_IA32_PRED_CMD, MSR_IA32_PRED_CMD, vmx_get_command, x86_set_pred_cmd },
	{ MSR_IA32_FLUSH_CMD, MSR_IA32_FLUSH_CMD, vmx_get_command, vmx_set_flush_cmd },
	{ MSR_IA32_DEBUGCTLMSR, MSR_IA32_DEBUGCTLMSR, vmx_get_debugctl, vmx_set_debugctl },
	{ MSR_IA32_FEAT_CTL, MSR_IA32_FEAT_CTL, vmx_get_feat_ctl, vmx_set_feat_ctl },
};

static const struct vmx_msr_row *vmx_find_row(u32 index)
{
	const struct vmx_msr_row *row = vmx_msr_rows;

	for (; row < vmx_msr_rows + ARRAY_SIZE(vmx_msr_rows); row++)
		if (index >= row->first && index <= row->last)
			return row;
	return NULL;
}

int vmx_get_msr(struct kvm_vcpu *vcpu, struct x86_msr *msr)
{
	const struct vmx_msr_row *row = vmx_find_row(msr->index);

	return row ? row->get(vcpu, msr) : 1;
}

int vmx_set_msr(struct kvm_vcpu *vcpu, const struct x86_msr *msr)
{
	const struct vmx_msr_row *row = vmx_find_row(msr->index);

	return row ? row->set(vcpu, msr) : 1;
}

/* None of the vendor's own: what VT could do for nested guests is not offered yet. */
int vmx_feature_msr(struct x86_msr *msr)
{
	return 1;
}

void vmx_msr_reset(struct kvm_vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	struct x86_msr gs = { .index = MSR_KERNEL_GS_BASE, .host = true };

	vmx->entry.guest_spec = 0;
	vmx->spec_ctrl_direct = false;
	vmx->feat_ctl = 0;
	memset(vmx->uret, 0, sizeof(vmx->uret));
	vmx->uret_changed = true;
	vmx_set_kernel_gs(vcpu, &gs);
	vmx_msr_intercepts(vcpu);
}
