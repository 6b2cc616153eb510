// SPDX-License-Identifier: GPL-2.0
/*
 * Model-specific registers: one table, three kinds of callers.
 *
 * msr_table[] is sorted by index; a row covers a range and names a getter and
 * a setter. Those answer 0, -EINVAL (the access is invalid: #GP) or 1 ("not
 * here"), in which case the vendor module is asked; what nobody knows is
 * "unknown", which differs from "invalid" only in what a VMM is told and in
 * that the parameter ignore_msrs makes unknown registers read as zero.
 *
 * Callers:
 *   the guest      RDMSR and WRMSR exits and the emulator: the VM's filter
 *                  comes first, then the register's rules; what fails may go to
 *                  userspace (KVM_CAP_X86_USER_SPACE_MSR), else it is a #GP
 *   userspace      KVM_GET_MSRS and KVM_SET_MSRS: msr->host is set and rules
 *                  that depend on the guest's CPUID or on its history are off,
 *                  so that state can be restored in any order
 *   the fast path  interrupts off, right after the exit: the few local APIC
 *                  registers that need neither sleep nor another thread
 *
 * Two promises to VMMs that save and restore blindly: every register in
 * KVM_GET_MSR_INDEX_LIST can be read and written back, and every value that
 * the system descriptor reports for a feature MSR can be set in a vCPU.
 *
 * All registers are the vCPU's own (vcpu->mutex), unless their room says else.
 */
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <asm/msr-index.h>
#include <asm/kvm_para.h>
#include "compat_virt.h"
#include "irqchip.h"
#include "trace.h"
#include "x86.h"

#define MSR_UNKNOWN	1	/* the getters' and setters' third answer */
#define MSR_MAX_IO	256	/* entries in one KVM_GET_MSRS or KVM_SET_MSRS */

typedef int (*msr_get_fn)(struct kvm_vcpu *vcpu, struct x86_msr *msr);
typedef int (*msr_set_fn)(struct kvm_vcpu *vcpu, const struct x86_msr *msr);

struct msr_row {
	u32 first, last;
	msr_get_fn get;
	msr_set_fn set;
};

/* ---- registers that are there but empty ------------------------------------- */

static int get_zero(struct kvm_vcpu *vcpu, struct x86_msr *msr)
{
	msr->data = 0;
	return 0;
}

static int set_ignored(struct kvm_vcpu *vcpu, const struct x86_msr *msr)
{
	return 0;
}

/* Performance counters without a PMU: guests probe them blindly, VMMs write zeros. */
static int set_counter(struct kvm_vcpu *vcpu, const struct x86_msr *msr)
{
	return msr->host && msr->data ? -EINVAL : 0;
}

static int set_readonly(struct kvm_vcpu *vcpu, const struct x86_msr *msr)
{
	return -EINVAL;
}

/* ---- time ------------------------------------------------------------------- */

static int get_tsc(struct kvm_vcpu *vcpu, struct x86_msr *msr)
{
	msr->data = x86_read_tsc(vcpu, rdtsc());
	return 0;
}

static int set_tsc(struct kvm_vcpu *vcpu, const struct x86_msr *msr)
{
	u64 delta;

	if (msr->host) {
		x86_write_tsc(vcpu, msr->data, true);
		return 0;
	}
	/* a guest's write moves TSC_ADJUST by as much as the counter */
	delta = msr->data - x86_read_tsc(vcpu, rdtsc());
	x86_adjust_tsc(vcpu, delta);
	vcpu->arch.tsc.adjust += delta;
	return 0;
}

static int get_tsc_adjust(struct kvm_vcpu *vcpu, struct x86_msr *msr)
{
	if (!msr->host && !x86_guest_has(vcpu, X86_FEATURE_TSC_ADJUST))
		return MSR_UNKNOWN;
	msr->data = vcpu->arch.tsc.adjust;
	return 0;
}

static int set_tsc_adjust(struct kvm_vcpu *vcpu, const struct x86_msr *msr)
{
	if (!msr->host) {
		if (!x86_guest_has(vcpu, X86_FEATURE_TSC_ADJUST))
			return MSR_UNKNOWN;
		x86_adjust_tsc(vcpu, msr->data - vcpu->arch.tsc.adjust);
	}
	vcpu->arch.tsc.adjust = msr->data;
	return 0;
}

/* ---- local APIC ------------------------------------------------------------- */

static int get_apic_base(struct kvm_vcpu *vcpu, struct x86_msr *msr)
{
	msr->data = vcpu->arch.apic_base;
	return 0;
}

static int set_apic_base(struct kvm_vcpu *vcpu, const struct x86_msr *msr)
{
	return irqchip_set_apic_base(vcpu, msr->data, msr->host);
}

static int get_tsc_deadline(struct kvm_vcpu *vcpu, struct x86_msr *msr)
{
	if (!msr->host && !x86_guest_has(vcpu, X86_FEATURE_TSC_DEADLINE_TIMER))
		return MSR_UNKNOWN;
	msr->data = vcpu->arch.apic ? lapic_timer_read_tsc(vcpu->arch.apic) : 0;
	return 0;
}

static int set_tsc_deadline(struct kvm_vcpu *vcpu, const struct x86_msr *msr)
{
	if (!msr->host && !x86_guest_has(vcpu, X86_FEATURE_TSC_DEADLINE_TIMER))
		return MSR_UNKNOWN;
	if (vcpu->arch.apic)
		lapic_timer_write_tsc(vcpu->arch.apic, msr->data);
	return 0;
}

static bool is_x2apic(u32 index)
{
	return index >= 0x800 && index <= 0x8ff;
}

static int get_x2apic(struct kvm_vcpu *vcpu, struct x86_msr *msr)
{
	if (!vcpu->arch.apic)
		return MSR_UNKNOWN;
	return lapic_x2_read(vcpu->arch.apic, msr->index, &msr->data);
}

static int set_x2apic(struct kvm_vcpu *vcpu, const struct x86_msr *msr)
{
	if (!vcpu->arch.apic)
		return MSR_UNKNOWN;
	return lapic_x2_write(vcpu->arch.apic, msr->index, msr->data);
}

/* ---- identity and features --------------------------------------------------- */

static int get_ucode_rev(struct kvm_vcpu *vcpu, struct x86_msr *msr)
{
	msr->data = vcpu->arch.ucode_rev;
	return 0;
}

/* Guests write zero before they read the revision; that is not an update. */
static int set_ucode_rev(struct kvm_vcpu *vcpu, const struct x86_msr *msr)
{
	if (msr->host)
		vcpu->arch.ucode_rev = msr->data;
	return 0;
}

static int get_arch_caps(struct kvm_vcpu *vcpu, struct x86_msr *msr)
{
	if (!msr->host && !x86_guest_has(vcpu, X86_FEATURE_ARCH_CAPABILITIES))
		return MSR_UNKNOWN;
	msr->data = vcpu->arch.arch_capabilities;
	return 0;
}

static int set_arch_caps(struct kvm_vcpu *vcpu, const struct x86_msr *msr)
{
	if (!msr->host)
		return -EINVAL;
	vcpu->arch.arch_capabilities = msr->data;
	return 0;
}

static int get_platform_info(struct kvm_vcpu *vcpu, struct x86_msr *msr)
{
	if (!msr->host && !vcpu->kvm->arch.platform_info_readable)
		return MSR_UNKNOWN;
	msr->data = vcpu->arch.platform_info;
	return 0;
}

static int set_platform_info(struct kvm_vcpu *vcpu, const struct x86_msr *msr)
{
	bool faulting = vcpu->arch.misc_features & MSR_MISC_FEATURES_ENABLES_CPUID_FAULT;

	if (!msr->host)
		return -EINVAL;
	/* the ability can't go away while it is in use */
	if (faulting && !(msr->data & MSR_PLATFORM_INFO_CPUID_FAULT))
		return -EINVAL;
	vcpu->arch.platform_info = msr->data;
	return 0;
}

static int get_misc_features(struct kvm_vcpu *vcpu, struct x86_msr *msr)
{
	msr->data = vcpu->arch.misc_features;
	return 0;
}

static int set_misc_features(struct kvm_vcpu *vcpu, const struct x86_msr *msr)
{
	if (msr->data & ~(u64)MSR_MISC_FEATURES_ENABLES_CPUID_FAULT)
		return -EINVAL;
	if (msr->data && !(vcpu->arch.platform_info & MSR_PLATFORM_INFO_CPUID_FAULT))
		return -EINVAL;
	vcpu->arch.misc_features = msr->data;
	return 0;
}

static int get_misc_enable(struct kvm_vcpu *vcpu, struct x86_msr *msr)
{
	msr->data = vcpu->arch.misc_enable;
	return 0;
}

#define MISC_ENABLE_FIXED \
	(MSR_IA32_MISC_ENABLE_BTS_UNAVAIL | MSR_IA32_MISC_ENABLE_PEBS_UNAVAIL | \
	 MSR_IA32_MISC_ENABLE_EMON)

/* Bits that tell of missing facilities keep their value whatever a guest writes. */
static int set_misc_enable(struct kvm_vcpu *vcpu, const struct x86_msr *msr)
{
	u64 old = vcpu->arch.misc_enable, val = msr->data;

	if (!msr->host)
		val = (val & ~MISC_ENABLE_FIXED) | (old & MISC_ENABLE_FIXED);
	vcpu->arch.misc_enable = val;
	if ((old ^ val) & MSR_IA32_MISC_ENABLE_MWAIT)
		x86_cpuid_update_runtime(vcpu);
	return 0;
}

static int get_hwcr(struct kvm_vcpu *vcpu, struct x86_msr *msr)
{
	msr->data = vcpu->arch.hwcr;
	return 0;
}

#define HWCR_DROPPED	(BIT_ULL(3) | BIT_ULL(6) | BIT_ULL(8))	/* TlbCacheDis, FFDIS, IGNNE */
#define HWCR_KEPT	(BIT_ULL(18) | BIT_ULL(24))	/* McStatusWrEn, TscFreqSel */

static int set_hwcr(struct kvm_vcpu *vcpu, const struct x86_msr *msr)
{
	u64 val = msr->data & ~HWCR_DROPPED;

	if (val & ~HWCR_KEPT)
		return -EINVAL;
	vcpu->arch.hwcr = val;
	return 0;
}

/* OS visible workarounds: the VMM passes on which errata the guest must mind. */
static int get_osvw(struct kvm_vcpu *vcpu, struct x86_msr *msr)
{
	if (!msr->host && !x86_guest_has(vcpu, X86_FEATURE_OSVW))
		return MSR_UNKNOWN;
	msr->data = vcpu->arch.osvw[msr->index & 1];
	return 0;
}

static int set_osvw(struct kvm_vcpu *vcpu, const struct x86_msr *msr)
{
	if (!msr->host)
		return -EINVAL;
	vcpu->arch.osvw[msr->index & 1] = msr->data;
	return 0;
}

/* ---- the core's own registers -------------------------------------------------- */

static int get_pat(struct kvm_vcpu *vcpu, struct x86_msr *msr)
{
	msr->data = vcpu->arch.pat;
	return 0;
}

static int set_pat(struct kvm_vcpu *vcpu, const struct x86_msr *msr)
{
	if (!x86_pat_valid(msr->data))
		return -EINVAL;
	vcpu->arch.pat = msr->data;
	return 0;
}

static int get_efer(struct kvm_vcpu *vcpu, struct x86_msr *msr)
{
	msr->data = x86_efer(vcpu);
	return 0;
}

static int set_efer(struct kvm_vcpu *vcpu, const struct x86_msr *msr)
{
	return x86_set_efer(vcpu, msr->data, msr->host);
}

static int get_xss(struct kvm_vcpu *vcpu, struct x86_msr *msr)
{
	if (!msr->host && !x86_guest_has(vcpu, X86_FEATURE_XSAVES))
		return MSR_UNKNOWN;
	msr->data = vcpu->arch.xss;
	return 0;
}

static int set_xss(struct kvm_vcpu *vcpu, const struct x86_msr *msr)
{
	u64 allowed = msr->host ? x86_supported_xss() : vcpu->arch.cpuid.xss_supported;

	if (!msr->host && !x86_guest_has(vcpu, X86_FEATURE_XSAVES))
		return MSR_UNKNOWN;
	if (msr->data & ~allowed)
		return -EINVAL;
	vcpu->arch.xss = msr->data;
	x86_cpuid_update_runtime(vcpu);
	return 0;
}

/* ---- speculation: what both vendors agree on ------------------------------------- */

bool x86_guest_has_spec_ctrl(struct kvm_vcpu *vcpu)
{
	return x86_guest_has(vcpu, X86_FEATURE_SPEC_CTRL) ||
	       x86_guest_has(vcpu, X86_FEATURE_AMD_IBRS) ||
	       x86_guest_has(vcpu, X86_FEATURE_AMD_STIBP) ||
	       x86_guest_has(vcpu, X86_FEATURE_AMD_SSBD);
}
EXPORT_SYMBOL_GPL(x86_guest_has_spec_ctrl);

bool x86_guest_has_ibpb(struct kvm_vcpu *vcpu)
{
	return x86_guest_has(vcpu, X86_FEATURE_SPEC_CTRL) ||
	       x86_guest_has(vcpu, X86_FEATURE_AMD_IBPB);
}
EXPORT_SYMBOL_GPL(x86_guest_has_ibpb);

/* A bit that the CPU does not have would fault at the next entry, whoever wrote it. */
static u64 cpu_spec_ctrl_bits(void)
{
	u64 bits = 0;

	if (!boot_cpu_has(X86_FEATURE_MSR_SPEC_CTRL))
		return 0;
	if (boot_cpu_has(X86_FEATURE_SPEC_CTRL) || boot_cpu_has(X86_FEATURE_AMD_IBRS))
		bits |= SPEC_CTRL_IBRS;
	if (boot_cpu_has(X86_FEATURE_INTEL_STIBP) || boot_cpu_has(X86_FEATURE_SPEC_CTRL) ||
	    boot_cpu_has(X86_FEATURE_AMD_STIBP))
		bits |= SPEC_CTRL_STIBP;
	if (boot_cpu_has(X86_FEATURE_SPEC_CTRL_SSBD) || boot_cpu_has(X86_FEATURE_AMD_SSBD))
		bits |= SPEC_CTRL_SSBD;
	return bits;
}

u64 x86_spec_ctrl_valid(struct kvm_vcpu *vcpu, bool host)
{
	bool intel = x86_guest_has(vcpu, X86_FEATURE_SPEC_CTRL);
	u64 valid = 0;

	if (host || intel || x86_guest_has(vcpu, X86_FEATURE_AMD_IBRS))
		valid |= SPEC_CTRL_IBRS;
	if (host || intel || x86_guest_has(vcpu, X86_FEATURE_AMD_STIBP))
		valid |= SPEC_CTRL_STIBP;
	if (host || x86_guest_has(vcpu, X86_FEATURE_SPEC_CTRL_SSBD) ||
	    x86_guest_has(vcpu, X86_FEATURE_AMD_SSBD))
		valid |= SPEC_CTRL_SSBD;
	return valid & cpu_spec_ctrl_bits();
}
EXPORT_SYMBOL_GPL(x86_spec_ctrl_valid);

int x86_set_pred_cmd(struct kvm_vcpu *vcpu, const struct x86_msr *msr)
{
	if (!msr->host && !x86_guest_has_ibpb(vcpu))
		return -EINVAL;
	if (msr->data & ~(u64)PRED_CMD_IBPB)
		return -EINVAL;
	if (msr->data && boot_cpu_has(X86_FEATURE_IBPB))
		compat_wrmsr(MSR_IA32_PRED_CMD, PRED_CMD_IBPB);
	return 0;
}
EXPORT_SYMBOL_GPL(x86_set_pred_cmd);

/* ---- the table ------------------------------------------------------------------ */

#define ROW(msr, get, set)		{ msr, msr, get, set }
#define RANGE(lo, hi, get, set)		{ lo, hi, get, set }

/* Sorted, ranges do not overlap: checked once by x86_msr_init(). */
static const struct msr_row msr_table[] = {
	ROW(MSR_IA32_TSC, get_tsc, set_tsc),
	RANGE(MSR_KVM_WALL_CLOCK, MSR_KVM_SYSTEM_TIME, pv_get_msr, pv_set_msr),
	ROW(MSR_IA32_PLATFORM_ID, get_zero, set_readonly),
	ROW(MSR_IA32_APICBASE, get_apic_base, set_apic_base),
	ROW(MSR_IA32_EBL_CR_POWERON, get_zero, set_ignored),
	ROW(MSR_IA32_TSC_ADJUST, get_tsc_adjust, set_tsc_adjust),
	ROW(MSR_IA32_UCODE_WRITE, NULL, set_ignored),
	ROW(MSR_IA32_UCODE_REV, get_ucode_rev, set_ucode_rev),
	RANGE(MSR_IA32_PERFCTR0, MSR_IA32_PERFCTR1, get_zero, set_counter),
	ROW(MSR_PLATFORM_INFO, get_platform_info, set_platform_info),
	ROW(MSR_MTRRcap, x86_mtrr_get_msr, x86_mtrr_set_msr),
	ROW(MSR_IA32_ARCH_CAPABILITIES, get_arch_caps, set_arch_caps),
	ROW(MSR_MISC_FEATURES_ENABLES, get_misc_features, set_misc_features),
	RANGE(MSR_IA32_MCG_CAP, MSR_IA32_MCG_CTL, x86_mce_get_msr, x86_mce_set_msr),
	RANGE(MSR_P6_EVNTSEL0, MSR_P6_EVNTSEL1, get_zero, set_counter),
	ROW(MSR_IA32_MISC_ENABLE, get_misc_enable, set_misc_enable),
	RANGE(0x200, 0x20f, x86_mtrr_get_msr, x86_mtrr_set_msr),
	ROW(MSR_MTRRfix64K_00000, x86_mtrr_get_msr, x86_mtrr_set_msr),
	RANGE(MSR_MTRRfix16K_80000, MSR_MTRRfix16K_A0000, x86_mtrr_get_msr, x86_mtrr_set_msr),
	RANGE(MSR_MTRRfix4K_C0000, MSR_MTRRfix4K_F8000, x86_mtrr_get_msr, x86_mtrr_set_msr),
	ROW(MSR_IA32_CR_PAT, get_pat, set_pat),
	ROW(MSR_MTRRdefType, x86_mtrr_get_msr, x86_mtrr_set_msr),
	RANGE(MSR_IA32_MC0_CTL, MSR_IA32_MC0_CTL + 4 * X86_MCE_BANKS - 1,
	      x86_mce_get_msr, x86_mce_set_msr),
	ROW(MSR_IA32_TSC_DEADLINE, get_tsc_deadline, set_tsc_deadline),
	/* 0x800 - 0x8ff, the x2APIC: see msr_read() */
	ROW(MSR_IA32_XSS, get_xss, set_xss),
	RANGE(MSR_KVM_WALL_CLOCK_NEW, MSR_KVM_MIGRATION_CONTROL, pv_get_msr, pv_set_msr),
	ROW(MSR_EFER, get_efer, set_efer),
	RANGE(MSR_K7_EVNTSEL0, MSR_K7_PERFCTR3, get_zero, set_counter),
	ROW(MSR_AMD64_SYSCFG, get_zero, set_ignored),
	ROW(MSR_K7_HWCR, get_hwcr, set_hwcr),
	ROW(MSR_AMD64_NB_CFG, get_zero, set_ignored),
	ROW(MSR_AMD64_PATCH_LOADER, NULL, set_ignored),
	ROW(MSR_K8_INT_PENDING_MSG, get_zero, set_ignored),
	ROW(MSR_FAM10H_MMIO_CONF_BASE, get_zero, set_ignored),
	RANGE(MSR_K8_TSEG_ADDR, MSR_K8_TSEG_MASK, get_zero, set_ignored),
	RANGE(MSR_AMD64_OSVW_ID_LENGTH, MSR_AMD64_OSVW_STATUS, get_osvw, set_osvw),
	RANGE(MSR_F15H_PERF_CTL, MSR_F15H_PERF_CTR5, get_zero, set_counter),
	ROW(MSR_AMD64_DC_CFG, get_zero, set_ignored),
	ROW(MSR_AMD64_BU_CFG2, get_zero, set_ignored),
	ROW(MSR_F15H_EX_CFG, get_zero, set_ignored),
};

static const struct msr_row *msr_find(u32 index)
{
	int lo = 0, hi = ARRAY_SIZE(msr_table) - 1;

	while (lo <= hi) {
		int mid = (lo + hi) / 2;
		const struct msr_row *row = &msr_table[mid];

		if (index < row->first)
			hi = mid - 1;
		else if (index > row->last)
			lo = mid + 1;
		else
			return row;
	}
	return NULL;
}

/*
 * 0, -EINVAL invalid, MSR_UNKNOWN. The registers that guests really use often,
 * those of the local APIC and its timer, are reached without an indirect call.
 */
static int msr_read(struct kvm_vcpu *vcpu, struct x86_msr *msr)
{
	const struct msr_row *row;
	int r;

	if (is_x2apic(msr->index))
		return get_x2apic(vcpu, msr);
	row = msr_find(msr->index);
	r = row && row->get ? row->get(vcpu, msr) : MSR_UNKNOWN;
	return r == MSR_UNKNOWN ? vendor_call(get_msr)(vcpu, msr) : r;
}

static int msr_write(struct kvm_vcpu *vcpu, const struct x86_msr *msr)
{
	const struct msr_row *row;
	int r;

	if (is_x2apic(msr->index))
		return set_x2apic(vcpu, msr);
	if (msr->index == MSR_IA32_TSC_DEADLINE)
		return set_tsc_deadline(vcpu, msr);
	row = msr_find(msr->index);
	r = row && row->set ? row->set(vcpu, msr) : MSR_UNKNOWN;
	return r == MSR_UNKNOWN ? vendor_call(set_msr)(vcpu, msr) : r;
}

static bool ignore_unknown(const char *what, const struct x86_msr *msr)
{
	if (!x86_ignore_msrs)
		return false;
	if (x86_report_ignored_msrs)
		pr_info_ratelimited("kvm: ignored %s of MSR 0x%x, data 0x%llx\n",
				    what, msr->index, msr->data);
	return true;
}

/* As msr_read() and msr_write(), with the parameter ignore_msrs. */
static int msr_read_or_ignore(struct kvm_vcpu *vcpu, struct x86_msr *msr)
{
	int r = msr_read(vcpu, msr);

	if (r != MSR_UNKNOWN)
		return r;
	msr->data = 0;
	return ignore_unknown("read", msr) ? 0 : MSR_UNKNOWN;
}

static int msr_write_or_ignore(struct kvm_vcpu *vcpu, const struct x86_msr *msr)
{
	int r = msr_write(vcpu, msr);

	if (r != MSR_UNKNOWN)
		return r;
	return ignore_unknown("write", msr) ? 0 : MSR_UNKNOWN;
}

int x86_get_msr(struct kvm_vcpu *vcpu, struct x86_msr *msr)
{
	return msr_read_or_ignore(vcpu, msr) ? -EINVAL : 0;
}
EXPORT_SYMBOL_GPL(x86_get_msr);

int x86_set_msr(struct kvm_vcpu *vcpu, const struct x86_msr *msr)
{
	return msr_write_or_ignore(vcpu, msr) ? -EINVAL : 0;
}
EXPORT_SYMBOL_GPL(x86_set_msr);

/* ---- the guest's instructions ------------------------------------------------------ */

/* Why an access failed, as KVM_MSR_EXIT_REASON_*; 0: it did not. */
static u32 guest_read(struct kvm_vcpu *vcpu, struct x86_msr *msr)
{
	int r;

	if (!x86_msr_allowed(vcpu, msr->index, KVM_MSR_FILTER_READ))
		return KVM_MSR_EXIT_REASON_FILTER;
	r = msr_read_or_ignore(vcpu, msr);
	if (!r)
		return 0;
	return r == MSR_UNKNOWN ? KVM_MSR_EXIT_REASON_UNKNOWN : KVM_MSR_EXIT_REASON_INVAL;
}

static u32 guest_write(struct kvm_vcpu *vcpu, const struct x86_msr *msr)
{
	int r;

	if (!x86_msr_allowed(vcpu, msr->index, KVM_MSR_FILTER_WRITE))
		return KVM_MSR_EXIT_REASON_FILTER;
	r = msr_write_or_ignore(vcpu, msr);
	if (!r)
		return 0;
	return r == MSR_UNKNOWN ? KVM_MSR_EXIT_REASON_UNKNOWN : KVM_MSR_EXIT_REASON_INVAL;
}

static void put_edx_eax(struct kvm_vcpu *vcpu, u64 data)
{
	vcpu->arch.regs.gpr[X86_RAX] = lower_32_bits(data);
	vcpu->arch.regs.gpr[X86_RDX] = upper_32_bits(data);
}

/* At the next KVM_RUN: userspace has decided. */
static int complete_rdmsr(struct kvm_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	if (READ_ONCE(run->msr.error))
		return x86_complete(vcpu, -EINVAL);
	put_edx_eax(vcpu, READ_ONCE(run->msr.data));
	return x86_skip(vcpu);
}

static int complete_wrmsr(struct kvm_vcpu *vcpu)
{
	return x86_complete(vcpu, READ_ONCE(vcpu->run->msr.error) ? -EINVAL : 0);
}

/* False: userspace does not want to hear of it. */
static bool exit_to_user(struct kvm_vcpu *vcpu, u32 exit_reason, u32 why,
			 const struct x86_msr *msr, int (*complete)(struct kvm_vcpu *vcpu))
{
	struct kvm_run *run = vcpu->run;

	if (!(READ_ONCE(vcpu->kvm->arch.user_space_msr_mask) & why))
		return false;
	run->exit_reason = exit_reason;
	run->msr.error = 0;
	memset(run->msr.pad, 0, sizeof(run->msr.pad));
	run->msr.reason = why;
	run->msr.index = msr->index;
	run->msr.data = msr->data;
	x86_complete_later(vcpu, complete);
	return true;
}

int x86_handle_rdmsr(struct kvm_vcpu *vcpu)
{
	struct x86_msr msr = { .index = vcpu->arch.regs.gpr[X86_RCX] };
	u32 why = guest_read(vcpu, &msr);

	if (!why) {
		trace_kvm_msr(0, msr.index, msr.data, false);
		put_edx_eax(vcpu, msr.data);
		return x86_skip(vcpu);
	}
	msr.data = 0;
	if (exit_to_user(vcpu, KVM_EXIT_X86_RDMSR, why, &msr, complete_rdmsr))
		return KVM_EXIT_TO_USER;
	trace_kvm_msr(0, msr.index, 0, true);
	return x86_complete(vcpu, -EINVAL);
}
EXPORT_SYMBOL_GPL(x86_handle_rdmsr);

static u64 edx_eax(struct kvm_vcpu *vcpu)
{
	return (u32)vcpu->arch.regs.gpr[X86_RAX] | vcpu->arch.regs.gpr[X86_RDX] << 32;
}

int x86_handle_wrmsr(struct kvm_vcpu *vcpu)
{
	struct x86_msr msr = {
		.index = vcpu->arch.regs.gpr[X86_RCX],
		.data = edx_eax(vcpu),
	};
	u32 why = guest_write(vcpu, &msr);

	if (why && exit_to_user(vcpu, KVM_EXIT_X86_WRMSR, why, &msr, complete_wrmsr))
		return KVM_EXIT_TO_USER;
	trace_kvm_msr(1, msr.index, msr.data, why);
	return x86_complete(vcpu, why ? -EINVAL : 0);
}
EXPORT_SYMBOL_GPL(x86_handle_wrmsr);

/*
 * The emulator drops its instruction when it gets -EAGAIN: the completion
 * stores the result and advances RIP just as after an exit.
 */
int x86_emul_get_msr(struct kvm_vcpu *vcpu, u32 index, u64 *data)
{
	struct x86_msr msr = { .index = index };
	u32 why = guest_read(vcpu, &msr);

	*data = why ? 0 : msr.data;
	trace_kvm_msr(0, index, *data, why);
	if (!why)
		return 0;
	msr.data = 0;
	return exit_to_user(vcpu, KVM_EXIT_X86_RDMSR, why, &msr, complete_rdmsr) ?
	       -EAGAIN : -EINVAL;
}

int x86_emul_set_msr(struct kvm_vcpu *vcpu, u32 index, u64 data)
{
	struct x86_msr msr = { .index = index, .data = data };
	u32 why = guest_write(vcpu, &msr);

	trace_kvm_msr(1, index, data, why);
	if (!why)
		return 0;
	return exit_to_user(vcpu, KVM_EXIT_X86_WRMSR, why, &msr, complete_wrmsr) ?
	       -EAGAIN : -EINVAL;
}

/* ---- with interrupts off ------------------------------------------------------------- */

/*
 * Only where hardware tells the next RIP: decoding may sleep, and so may
 * leaving to a debugger.
 */
enum x86_fastpath x86_fast_wrmsr(struct kvm_vcpu *vcpu)
{
	u32 index = vcpu->arch.regs.gpr[X86_RCX];
	u64 data = edx_eax(vcpu);

	if (!vcpu->arch.apic || !hw_caps.nrips || (vcpu->arch.dbg.control & KVM_GUESTDBG_SINGLESTEP) ||
	    (x86_rflags(vcpu) & X86_EFLAGS_TF))
		return X86_FAST_NONE;
	/* srcu is not held here: with a filter in place take the long way */
	if (rcu_access_pointer(vcpu->kvm->arch.msr_filter) ||
	    !irqchip_fast_wrmsr(vcpu, index, data))
		return X86_FAST_NONE;
	trace_kvm_msr(1, index, data, false);
	return x86_skip(vcpu) == KVM_EXIT_RESUME ? X86_FAST_REENTER : X86_FAST_HANDLED;
}
EXPORT_SYMBOL_GPL(x86_fast_wrmsr);

/* ---- feature MSRs of the system descriptor --------------------------------------------- */

/* Bits of ARCH_CAPABILITIES that hold for a guest as they do for the host. */
#define ARCH_CAPS_PASS \
	(ARCH_CAP_RDCL_NO | ARCH_CAP_IBRS_ALL | ARCH_CAP_RSBA | \
	 ARCH_CAP_SKIP_VMENTRY_L1DFLUSH | ARCH_CAP_SSB_NO | ARCH_CAP_MDS_NO | \
	 ARCH_CAP_PSCHANGE_MC_NO | ARCH_CAP_TAA_NO | ARCH_CAP_SBDR_SSDP_NO | \
	 ARCH_CAP_FBSDP_NO | ARCH_CAP_PSDP_NO | ARCH_CAP_FB_CLEAR | ARCH_CAP_RRSBA | \
	 ARCH_CAP_PBRSB_NO)

static u64 host_arch_caps(void)
{
	if (!boot_cpu_has(X86_FEATURE_ARCH_CAPABILITIES))
		return 0;
	return compat_rdmsr(MSR_IA32_ARCH_CAPABILITIES) & ARCH_CAPS_PASS;
}

/* 0, or MSR_UNKNOWN. */
static int feature_msr(struct x86_msr *msr)
{
	switch (msr->index) {
	case MSR_IA32_ARCH_CAPABILITIES:
		msr->data = host_arch_caps();
		return 0;
	case MSR_IA32_UCODE_REV:
		msr->data = 0;
		compat_rdmsr_safe(MSR_IA32_UCODE_REV, &msr->data);
		return 0;
	}
	return vendor_call(feature_msr)(msr);
}

/* Candidates; what feature_msr() does not know here is left out. */
static const u32 feature_candidates[] = {
	MSR_IA32_UCODE_REV,
	MSR_IA32_ARCH_CAPABILITIES,
	MSR_AMD64_DE_CFG,
	MSR_IA32_VMX_BASIC, MSR_IA32_VMX_PINBASED_CTLS, MSR_IA32_VMX_PROCBASED_CTLS,
	MSR_IA32_VMX_EXIT_CTLS, MSR_IA32_VMX_ENTRY_CTLS, MSR_IA32_VMX_MISC,
	MSR_IA32_VMX_CR0_FIXED0, MSR_IA32_VMX_CR0_FIXED1, MSR_IA32_VMX_CR4_FIXED0,
	MSR_IA32_VMX_CR4_FIXED1, MSR_IA32_VMX_VMCS_ENUM, MSR_IA32_VMX_PROCBASED_CTLS2,
	MSR_IA32_VMX_EPT_VPID_CAP, MSR_IA32_VMX_TRUE_PINBASED_CTLS,
	MSR_IA32_VMX_TRUE_PROCBASED_CTLS, MSR_IA32_VMX_TRUE_EXIT_CTLS,
	MSR_IA32_VMX_TRUE_ENTRY_CTLS, MSR_IA32_VMX_VMFUNC,
};

/* What is saved and restored; feature < 0: on every host. */
static const struct {
	u32 index;
	int feature;
} index_candidates[] = {
	{ MSR_IA32_SYSENTER_CS, -1 },
	{ MSR_IA32_SYSENTER_ESP, -1 },
	{ MSR_IA32_SYSENTER_EIP, -1 },
	{ MSR_STAR, -1 },
	{ MSR_CSTAR, -1 },
	{ MSR_KERNEL_GS_BASE, -1 },
	{ MSR_SYSCALL_MASK, -1 },
	{ MSR_LSTAR, -1 },
	{ MSR_IA32_TSC, -1 },
	{ MSR_IA32_CR_PAT, -1 },
	{ MSR_TSC_AUX, X86_FEATURE_RDTSCP },
	{ MSR_IA32_SPEC_CTRL, X86_FEATURE_SPEC_CTRL },
	{ MSR_IA32_SPEC_CTRL, X86_FEATURE_AMD_IBRS },
	{ MSR_IA32_SPEC_CTRL, X86_FEATURE_AMD_STIBP },
	{ MSR_IA32_SPEC_CTRL, X86_FEATURE_AMD_SSBD },
	{ MSR_AMD64_VIRT_SPEC_CTRL, X86_FEATURE_VIRT_SSBD },
	{ MSR_KVM_WALL_CLOCK, -1 },
	{ MSR_KVM_SYSTEM_TIME, -1 },
	{ MSR_KVM_WALL_CLOCK_NEW, -1 },
	{ MSR_KVM_SYSTEM_TIME_NEW, -1 },
	{ MSR_KVM_STEAL_TIME, -1 },
	{ MSR_KVM_PV_EOI_EN, -1 },
	{ MSR_KVM_POLL_CONTROL, -1 },
	{ MSR_IA32_TSC_ADJUST, -1 },
	{ MSR_IA32_TSC_DEADLINE, -1 },
	{ MSR_IA32_ARCH_CAPABILITIES, X86_FEATURE_ARCH_CAPABILITIES },
	{ MSR_IA32_MISC_ENABLE, -1 },
	{ MSR_IA32_MCG_STATUS, -1 },
	{ MSR_IA32_MCG_CTL, -1 },
	{ MSR_PLATFORM_INFO, -1 },
	{ MSR_MISC_FEATURES_ENABLES, -1 },
	{ MSR_K7_HWCR, -1 },
	{ MSR_IA32_UCODE_REV, -1 },
	{ MSR_IA32_XSS, X86_FEATURE_XSAVES },
};

static u32 feature_list[ARRAY_SIZE(feature_candidates)];
static u32 index_list[ARRAY_SIZE(index_candidates)];
static unsigned int nr_features, nr_indices;

static bool in_index_list(u32 index)
{
	unsigned int i;

	for (i = 0; i < nr_indices; i++)
		if (index_list[i] == index)
			return true;
	return false;
}

static void check_table(void)
{
	size_t i;

	for (i = 1; i < ARRAY_SIZE(msr_table); i++)
		WARN_ONCE(msr_table[i - 1].last >= msr_table[i].first,
			  "MSR table: row 0x%x out of order\n", msr_table[i].first);
}

void x86_msr_init(void)
{
	size_t i;

	check_table();
	nr_features = 0;
	nr_indices = 0;
	for (i = 0; i < ARRAY_SIZE(feature_candidates); i++) {
		struct x86_msr msr = { .index = feature_candidates[i], .host = true };

		if (!feature_msr(&msr))
			feature_list[nr_features++] = msr.index;
	}
	for (i = 0; i < ARRAY_SIZE(index_candidates); i++) {
		int f = index_candidates[i].feature;
		u32 index = index_candidates[i].index;

		if ((f < 0 || x86_kvm_has(f)) && !in_index_list(index))
			index_list[nr_indices++] = index;
	}
}

/* Registers whose value after power-on is not zero and that are the VMM's to change. */
void x86_msr_vcpu_init(struct kvm_vcpu *vcpu)
{
	vcpu->arch.arch_capabilities = x86_kvm_has(X86_FEATURE_ARCH_CAPABILITIES) ?
				       host_arch_caps() : 0;
	vcpu->arch.platform_info = MSR_PLATFORM_INFO_CPUID_FAULT;
	vcpu->arch.ucode_rev = boot_cpu_data.x86_vendor == X86_VENDOR_INTEL ?
			       0x100000000ULL : 0x01000065;
}

/* ---- ioctls -------------------------------------------------------------------------- */

static long put_index_list(void *arg, const u32 *list, unsigned int nr)
{
	struct kvm_msr_list __user *user = (void __user *)arg;
	u32 room;

	if (get_user(room, &user->nmsrs))
		return -EFAULT;
	/* also when the buffer is too small: that is how a VMM learns the size */
	if (put_user(nr, &user->nmsrs))
		return -EFAULT;
	if (room < nr)
		return -E2BIG;
	return copy_to_user(user->indices, list, nr * sizeof(*list)) ? -EFAULT : 0;
}

long x86_sys_msr_index_list(void *arg)
{
	return put_index_list(arg, index_list, nr_indices);
}

long x86_sys_msr_feature_list(void *arg)
{
	return put_index_list(arg, feature_list, nr_features);
}

/* One entry: 0 to go on, else the list ends here. @vcpu NULL: a feature MSR. */
typedef int (*msr_io_fn)(struct kvm_vcpu *vcpu, struct x86_msr *msr);

static int io_get(struct kvm_vcpu *vcpu, struct x86_msr *msr)
{
	return x86_get_msr(vcpu, msr);
}

static int io_set(struct kvm_vcpu *vcpu, struct x86_msr *msr)
{
	return x86_set_msr(vcpu, msr);
}

static int io_feature(struct kvm_vcpu *vcpu, struct x86_msr *msr)
{
	return feature_msr(msr);
}

static int msr_io_entries(struct kvm_vcpu *vcpu, struct kvm_msr_entry *e, u32 n, msr_io_fn fn)
{
	u32 i;

	for (i = 0; i < n; i++) {
		struct x86_msr msr = { .index = e[i].index, .data = e[i].data, .host = true };

		if (fn(vcpu, &msr))
			break;
		e[i].data = msr.data;
	}
	return i;
}

static long msr_io(struct kvm_vcpu *vcpu, void *arg, msr_io_fn fn, bool write_back)
{
	struct kvm_msrs __user *user = (void __user *)arg;
	struct kvm_msr_entry *e;
	struct kvm_msrs head;
	size_t bytes;
	long r;

	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	if (head.nmsrs > MSR_MAX_IO)
		return -E2BIG;
	bytes = head.nmsrs * sizeof(*e);
	e = memdup_user(user->entries, bytes);
	if (IS_ERR(e))
		return PTR_ERR(e);
	r = msr_io_entries(vcpu, e, head.nmsrs, fn);
	if (write_back && copy_to_user(user->entries, e, bytes))
		r = -EFAULT;
	kfree(e);
	return r;
}

/* Paravirtual registers touch guest memory: srcu. */
static long vcpu_msr_io(struct kvm_vcpu *vcpu, void *arg, msr_io_fn fn, bool write_back)
{
	int idx = srcu_read_lock(&vcpu->kvm->srcu);
	long r = msr_io(vcpu, arg, fn, write_back);

	srcu_read_unlock(&vcpu->kvm->srcu, idx);
	return r;
}

long x86_ioctl_get_msrs(struct kvm_vcpu *vcpu, void *arg)
{
	return vcpu_msr_io(vcpu, arg, io_get, true);
}

long x86_ioctl_set_msrs(struct kvm_vcpu *vcpu, void *arg)
{
	return vcpu_msr_io(vcpu, arg, io_set, false);
}

long x86_sys_get_msrs(void *arg)
{
	return msr_io(NULL, arg, io_feature, true);
}
