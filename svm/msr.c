// SPDX-License-Identifier: GPL-2.0
/*
 * MSRs that AMD-V holds or that only AMD processors have, and the map that says
 * which of them the guest touches without an exit.
 *
 * STAR to KERNEL_GS_BASE, SYSENTER_* and the bases of FS and GS live in the
 * VMCB while the guest runs (VMLOAD and VMSAVE move them), so there is nothing
 * to protect: direct access, unless userspace's MSR filter says no.
 *
 * SPEC_CTRL is switched by the hardware (virtual SPEC_CTRL) or by enter.S. It
 * is intercepted until the guest first writes it: as long as it has not, entry
 * code need not read it back after each exit.
 *
 * PRED_CMD is a command: a guest that has IBPB may give it directly.
 *
 * The permission map has two bits for each MSR (read, write; set = exit), in
 * three ranges of 8192 MSRs.
 */
#include <linux/bitmap.h>
#include <linux/gfp.h>
#include <asm/spec-ctrl.h>
#include "compat_virt.h"
#include "svm.h"
#include "uret.h"

/* ---- permission map ----------------------------------------------------------- */

#define SVM_MSRPM_SIZE	(PAGE_SIZE << SVM_MSRPM_ORDER)

/* Bit number of @msr's read bit, or -1 where the map does not reach: exits always. */
static int svm_msrpm_bit(u32 msr)
{
	static const u32 base[] = { 0, 0xc0000000, 0xc0010000 };
	int i;

	for (i = 0; i < ARRAY_SIZE(base); i++)
		if (msr - base[i] < 0x2000)
			return (i * 0x2000 + (msr - base[i])) * 2;
	return -1;
}

/* The map of a new vCPU: everything exits. */
int svm_msrpm_alloc(struct vcpu_svm *svm)
{
	svm->msrpm = (void *)__get_free_pages(GFP_KERNEL_ACCOUNT, SVM_MSRPM_ORDER);
	if (!svm->msrpm)
		return -ENOMEM;
	memset(svm->msrpm, 0xff, SVM_MSRPM_SIZE);
	return 0;
}

void svm_msrpm_free(struct vcpu_svm *svm)
{
	free_pages((unsigned long)svm->msrpm, SVM_MSRPM_ORDER);
	svm->msrpm = NULL;
}

static void svm_msr_direct(struct kvm_vcpu *vcpu, u32 msr, u32 types)
{
	unsigned long *map = (unsigned long *)to_svm(vcpu)->msrpm;
	int bit = svm_msrpm_bit(msr);

	if (WARN_ON_ONCE(bit < 0))
		return;
	if ((types & KVM_MSR_FILTER_READ) && x86_msr_allowed(vcpu, msr, KVM_MSR_FILTER_READ))
		__clear_bit(bit, map);
	if ((types & KVM_MSR_FILTER_WRITE) && x86_msr_allowed(vcpu, msr, KVM_MSR_FILTER_WRITE))
		__clear_bit(bit + 1, map);
}

static const u32 svm_direct_msrs[] = {
	MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_SYSCALL_MASK, MSR_KERNEL_GS_BASE,
	MSR_FS_BASE, MSR_GS_BASE,
	MSR_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_ESP, MSR_IA32_SYSENTER_EIP,
};

void svm_msr_intercepts(struct kvm_vcpu *vcpu)
{
	struct vcpu_svm *svm = to_svm(vcpu);
	int i;

	memset(svm->msrpm, 0xff, SVM_MSRPM_SIZE);
	for (i = 0; i < ARRAY_SIZE(svm_direct_msrs); i++)
		svm_msr_direct(vcpu, svm_direct_msrs[i],
			       KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE);
	if (svm->spec_ctrl_direct)
		svm_msr_direct(vcpu, MSR_IA32_SPEC_CTRL,
			       KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE);
	if (x86_guest_has_ibpb(vcpu) && boot_cpu_has(X86_FEATURE_IBPB))
		svm_msr_direct(vcpu, MSR_IA32_PRED_CMD, KVM_MSR_FILTER_WRITE);
	svm_dirty(svm, SVM_CLEAN_PERM);
}

/* ---- SPEC_CTRL -------------------------------------------------------------------- */

static u64 svm_spec_ctrl(struct vcpu_svm *svm)
{
	return svm_has_v_spec_ctrl ? svm->vmcb->save.spec_ctrl : svm->entry.guest_spec;
}

static void svm_put_spec_ctrl(struct vcpu_svm *svm, u64 val)
{
	if (svm_has_v_spec_ctrl)
		svm->vmcb->save.spec_ctrl = val;
	else
		svm->entry.guest_spec = val;
}

static int svm_get_spec_ctrl(struct kvm_vcpu *vcpu, struct x86_msr *msr)
{
	if (!msr->host && !x86_guest_has_spec_ctrl(vcpu))
		return -EINVAL;
	msr->data = svm_spec_ctrl(to_svm(vcpu));
	return 0;
}

static int svm_set_spec_ctrl(struct kvm_vcpu *vcpu, const struct x86_msr *msr)
{
	struct vcpu_svm *svm = to_svm(vcpu);

	if (!msr->host && !x86_guest_has_spec_ctrl(vcpu))
		return -EINVAL;
	if (msr->data & ~x86_spec_ctrl_valid(vcpu, msr->host))
		return -EINVAL;
	svm_put_spec_ctrl(svm, msr->data);
	if (msr->data && !svm->spec_ctrl_direct) {
		svm->spec_ctrl_direct = true;
		svm_msr_intercepts(vcpu);
	}
	return 0;
}

static bool svm_host_virt_ssbd(void)
{
	return cpu_feature_enabled(X86_FEATURE_LS_CFG_SSBD) || cpu_feature_enabled(X86_FEATURE_VIRT_SSBD);
}

void svm_spec_prepare(struct vcpu_svm *svm)
{
	struct svm_entry *e = &svm->entry;

	if (svm_host_virt_ssbd())
		x86_virt_spec_ctrl(svm->vcpu.arch.virt_spec_ctrl, true);
	if (svm_has_v_spec_ctrl || !cpu_feature_enabled(X86_FEATURE_MSR_SPEC_CTRL)) {
		e->spec_mode = SVM_SPEC_NONE;
		return;
	}
	e->spec_mode = svm->spec_ctrl_direct ? SVM_SPEC_READ_BACK : SVM_SPEC_SWITCH;
	e->host_spec = this_cpu_read(x86_spec_ctrl_current);
}

void svm_spec_finish(struct vcpu_svm *svm)
{
	if (svm_host_virt_ssbd())
		x86_virt_spec_ctrl(svm->vcpu.arch.virt_spec_ctrl, false);
}

static int svm_get_virt_spec_ctrl(struct kvm_vcpu *vcpu, struct x86_msr *msr)
{
	if (!msr->host && !x86_guest_has(vcpu, X86_FEATURE_VIRT_SSBD))
		return -EINVAL;
	msr->data = vcpu->arch.virt_spec_ctrl;
	return 0;
}

static int svm_set_virt_spec_ctrl(struct kvm_vcpu *vcpu, const struct x86_msr *msr)
{
	if (!msr->host && !x86_guest_has(vcpu, X86_FEATURE_VIRT_SSBD))
		return -EINVAL;
	if (msr->data & ~SVM_VIRT_SPEC_CTRL_SSBD)
		return -EINVAL;
	vcpu->arch.virt_spec_ctrl = msr->data;
	return 0;
}

/* ---- single registers ----------------------------------------------------------------- */

static int svm_get_tsc_aux(struct kvm_vcpu *vcpu, struct x86_msr *msr)
{
	if (svm_tsc_aux_slot < 0)
		return 1;
	if (!msr->host && !x86_guest_has(vcpu, X86_FEATURE_RDTSCP) &&
	    !x86_guest_has(vcpu, X86_FEATURE_RDPID))
		return -EINVAL;
	msr->data = to_svm(vcpu)->tsc_aux;
	return 0;
}

static int svm_set_tsc_aux(struct kvm_vcpu *vcpu, const struct x86_msr *msr)
{
	struct x86_msr old = { .host = msr->host };
	int r = svm_get_tsc_aux(vcpu, &old);

	if (r)
		return r;
	/* The upper half is ignored by the hardware. */
	to_svm(vcpu)->tsc_aux = (u32)msr->data;
	to_svm(vcpu)->host_loaded = false;	/* load it at the next entry */
	return 0;
}

#define SVM_DEBUGCTL_VALID	GENMASK_ULL(5, 0)	/* LBR, BTF, pin control */

static int svm_get_debugctl(struct kvm_vcpu *vcpu, struct x86_msr *msr)
{
	msr->data = svm_has_lbrv ? to_svm(vcpu)->vmcb->save.dbgctl : 0;
	return 0;
}

/* Without LBR virtualization nothing can be switched on: it goes on reading as zero. */
static int svm_set_debugctl(struct kvm_vcpu *vcpu, const struct x86_msr *msr)
{
	struct vcpu_svm *svm = to_svm(vcpu);

	if (msr->data & ~SVM_DEBUGCTL_VALID)
		return -EINVAL;
	if (!svm_has_lbrv)
		return 0;
	svm->vmcb->save.dbgctl = msr->data;
	if (msr->data)
		svm->vmcb->ctl.virt_ext |= SVM_LBR_VIRT;
	else
		svm->vmcb->ctl.virt_ext &= ~SVM_LBR_VIRT;
	svm_dirty(svm, SVM_CLEAN_LBR);
	return 0;
}

static u64 svm_de_cfg_supported(void)
{
	return boot_cpu_has(X86_FEATURE_LFENCE_RDTSC) ? SVM_DE_CFG_LFENCE : 0;
}

static int svm_get_de_cfg(struct kvm_vcpu *vcpu, struct x86_msr *msr)
{
	msr->data = to_svm(vcpu)->de_cfg;
	return 0;
}

static int svm_set_de_cfg(struct kvm_vcpu *vcpu, const struct x86_msr *msr)
{
	if (msr->data & ~svm_de_cfg_supported())
		return -EINVAL;
	/* A guest can't take away from itself what the hardware does anyway. */
	if (!msr->host && msr->data != to_svm(vcpu)->de_cfg)
		return -EINVAL;
	to_svm(vcpu)->de_cfg = msr->data;
	return 0;
}

/* The guest's CPUID has no SVM: these exist for userspace alone, and are empty. */
static int svm_get_zero(struct kvm_vcpu *vcpu, struct x86_msr *msr)
{
	msr->data = 0;
	return 0;
}

static int svm_get_zero_host(struct kvm_vcpu *vcpu, struct x86_msr *msr)
{
	msr->data = 0;
	return msr->host ? 0 : -EINVAL;
}

static int svm_set_zero(struct kvm_vcpu *vcpu, const struct x86_msr *msr)
{
	return msr->data ? -EINVAL : 0;
}

static int svm_get_base(struct kvm_vcpu *vcpu, struct x86_msr *msr)
{
	enum x86_seg s = msr->index == MSR_FS_BASE ? X86_FS : X86_GS;

	msr->data = x86_seg(vcpu, s)->base;
	return 0;
}

static int svm_set_base(struct kvm_vcpu *vcpu, const struct x86_msr *msr)
{
	enum x86_seg s = msr->index == MSR_FS_BASE ? X86_FS : X86_GS;
	struct kvm_segment seg = *x86_seg(vcpu, s);

	if (!x86_canonical(vcpu, msr->data))
		return -EINVAL;
	seg.base = msr->data;
	x86_put_seg(vcpu, s, &seg);
	return 0;
}

/* ---- registers that are plain fields of the VMCB ------------------------------------------ */

#define SVM_FIELD(msr, name, canonical) \
	{ msr, offsetof(struct svm_save, name), canonical }

static const struct svm_msr_field {
	u32 index;
	u16 offset;
	bool canonical;		/* must hold a canonical address */
} svm_msr_fields[] = {
	SVM_FIELD(MSR_STAR, star, false),
	SVM_FIELD(MSR_LSTAR, lstar, true),
	SVM_FIELD(MSR_CSTAR, cstar, true),
	SVM_FIELD(MSR_SYSCALL_MASK, sfmask, false),
	SVM_FIELD(MSR_KERNEL_GS_BASE, kernel_gs_base, true),
	SVM_FIELD(MSR_IA32_SYSENTER_CS, sysenter_cs, false),
	SVM_FIELD(MSR_IA32_SYSENTER_ESP, sysenter_esp, true),
	SVM_FIELD(MSR_IA32_SYSENTER_EIP, sysenter_eip, true),
};

static const struct svm_msr_field *svm_find_field(u32 index)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(svm_msr_fields); i++)
		if (svm_msr_fields[i].index == index)
			return &svm_msr_fields[i];
	return NULL;
}

static u64 *svm_field(struct kvm_vcpu *vcpu, const struct svm_msr_field *f)
{
	return (u64 *)((u8 *)&to_svm(vcpu)->vmcb->save + f->offset);
}

/* ---- the table ------------------------------------------------------------------------------ */

struct svm_msr_row {
	u32 first, last;
	int (*get)(struct kvm_vcpu *vcpu, struct x86_msr *msr);
	int (*set)(struct kvm_vcpu *vcpu, const struct x86_msr *msr);
};

static const struct svm_msr_row svm_msr_rows[] = {
	{ MSR_FS_BASE, MSR_GS_BASE, svm_get_base, svm_set_base },
	{ MSR_TSC_AUX, MSR_TSC_AUX, svm_get_tsc_aux, svm_set_tsc_aux },
	{ MSR_IA32_SPEC_CTRL, MSR_IA32_SPEC_CTRL, svm_get_spec_ctrl, svm_set_spec_ctrl },
	{ MSR_IA32_PRED_CMD, MSR_IA32_PRED_CMD, svm_get_zero_host, x86_set_pred_cmd },
	{ SVM_MSR_VIRT_SPEC_CTRL, SVM_MSR_VIRT_SPEC_CTRL,
	  svm_get_virt_spec_ctrl, svm_set_virt_spec_ctrl },
	{ MSR_IA32_DEBUGCTLMSR, MSR_IA32_DEBUGCTLMSR, svm_get_debugctl, svm_set_debugctl },
	/* last branch and last exception records: empty, LBRs can't be read back yet */
	{ MSR_IA32_LASTBRANCHFROMIP, MSR_IA32_LASTINTTOIP, svm_get_zero, svm_set_zero },
	{ SVM_MSR_DE_CFG, SVM_MSR_DE_CFG, svm_get_de_cfg, svm_set_de_cfg },
	{ SVM_MSR_VM_CR, SVM_MSR_VM_CR, svm_get_zero, svm_set_zero },
	{ SVM_MSR_HSAVE_PA, SVM_MSR_HSAVE_PA, svm_get_zero_host, svm_set_zero },
};

static const struct svm_msr_row *svm_find_row(u32 index)
{
	const struct svm_msr_row *row = svm_msr_rows;

	for (; row < svm_msr_rows + ARRAY_SIZE(svm_msr_rows); row++)
		if (index >= row->first && index <= row->last)
			return row;
	return NULL;
}

int svm_get_msr(struct kvm_vcpu *vcpu, struct x86_msr *msr)
{
	const struct svm_msr_field *f = svm_find_field(msr->index);
	const struct svm_msr_row *row;

	if (f) {
		msr->data = *svm_field(vcpu, f);
		return 0;
	}
	row = svm_find_row(msr->index);
	return row ? row->get(vcpu, msr) : 1;
}

int svm_set_msr(struct kvm_vcpu *vcpu, const struct x86_msr *msr)
{
	const struct svm_msr_field *f = svm_find_field(msr->index);
	const struct svm_msr_row *row;

	if (f) {
		if (f->canonical && !x86_canonical(vcpu, msr->data))
			return -EINVAL;
		*svm_field(vcpu, f) = msr->data;
		return 0;
	}
	row = svm_find_row(msr->index);
	return row ? row->set(vcpu, msr) : 1;
}

int svm_feature_msr(struct x86_msr *msr)
{
	if (msr->index != SVM_MSR_DE_CFG)
		return 1;
	msr->data = svm_de_cfg_supported();
	return 0;
}

void svm_msr_reset(struct kvm_vcpu *vcpu)
{
	struct vcpu_svm *svm = to_svm(vcpu);

	svm_put_spec_ctrl(svm, 0);
	vcpu->arch.virt_spec_ctrl = 0;
	svm->spec_ctrl_direct = false;
	svm->tsc_aux = 0;
	svm->de_cfg = svm_de_cfg_supported();
	svm->host_loaded = false;
	svm_msr_intercepts(vcpu);
}
