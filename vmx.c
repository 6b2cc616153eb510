// SPDX-License-Identifier: GPL-2.0
/*
 * kvm-intel: virtual machines on processors with Intel's virtualization technology.
 *
 * This file is the module's front door: what this machine can do (setup), VMX on
 * and off for a CPU, a vCPU's life, and one stay in the guest (run). Behind it:
 *
 *	vmx/caps.c	capabilities, and the controls we choose
 *	vmx/vmcs.c	the control structure and the register cache, TLB tags
 *	vmx/host.c	the host's state around a stay
 *	vmx/msr.c	MSRs and their bitmap
 *	vmx/intr.c	events and windows
 *	vmx/apicv.c	the local APIC's work done by the CPU, posted interrupts
 *	vmx/exits.c	exit handlers
 *	vmx/enter.S	the world switch
 *
 * svm.c has the same sections in the same order; ops of twin files carry twin
 * names. The table of them is the last thing below.
 *
 * Interrupts that end the guest's turn stay pending and are taken as soon as
 * they are enabled. An NMI does not: its exit has swallowed it, and so it is
 * raised by hand before anything else happens.
 *
 * L1D. On processors with L1 terminal fault a guest can read what is in the L1
 * data cache. It is flushed before entries after which the host did more than
 * a tidy exit asks for (vmx_exit_is_tidy()), or before each, or never, as the
 * parameter vmentry_l1d_flush says or else the kernel's l1tf=.
 *
 * Per-CPU data (struct vmx_cpu) is used with preemption off by its own CPU only;
 * all else belongs to the vCPU's thread.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/ftrace.h>
#include <linux/io.h>
#include <linux/kvm_para.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mod_devicetable.h>
#include <asm/cpu_device_id.h>
#include <asm/debugreg.h>
#include "apicv.h"
#include "compat_cpuid.h"
#include "compat_virt.h"
#include "guest_context.h"
#include "irqchip.h"
#include "mmu.h"
#include "pte.h"
#include "trace.h"
#include "uret.h"
#include "vmx/insn.h"
#include "vmx/vmx.h"

/* ---- parameters ------------------------------------------------------------------- */

bool vmx_ept = true;
module_param_named(ept, vmx_ept, bool, 0444);
MODULE_PARM_DESC(ept, "extended page tables (default on where the CPU has them; off: shadow paging)");

bool vmx_ept_ad = true;
module_param_named(eptad, vmx_ept_ad, bool, 0444);
MODULE_PARM_DESC(eptad, "accessed and dirty bits in them (default on where the CPU has them)");

bool vmx_unrestricted = true;
module_param_named(unrestricted_guest, vmx_unrestricted, bool, 0444);
MODULE_PARM_DESC(unrestricted_guest, "real mode and unpaged mode on the CPU (default on where it can)");

bool vmx_vpid = true;
module_param_named(vpid, vmx_vpid, bool, 0444);
MODULE_PARM_DESC(vpid, "TLB tags (default on where the CPU has them)");

unsigned int vmx_ple_gap = 128;
module_param_named(ple_gap, vmx_ple_gap, uint, 0444);
MODULE_PARM_DESC(ple_gap, "PAUSEs closer than that many cycles are one spin loop; 0: no such exits");

unsigned int vmx_ple_window = 4096;
module_param_named(ple_window, vmx_ple_window, uint, 0444);
MODULE_PARM_DESC(ple_window, "cycles in a spin loop before it exits");

static bool nested;
module_param(nested, bool, 0444);
MODULE_PARM_DESC(nested, "virtual machines inside guests (does not exist yet: always off)");

bool vmx_apicv = true;
module_param_named(enable_apicv, vmx_apicv, bool, 0444);
MODULE_PARM_DESC(enable_apicv, "the local APIC's work done by the CPU (default on where it can)");

bool vmx_posts;
module_param_named(posted_interrupts, vmx_posts, bool, 0444);
MODULE_PARM_DESC(posted_interrupts, "a running vCPU takes others' interrupts without an exit (default off; with enable_apicv, where the CPU can)");

bool vmx_preemption_timer = true;
module_param_named(preemption_timer, vmx_preemption_timer, bool, 0444);
MODULE_PARM_DESC(preemption_timer, "the guest's TSC deadlines by VMX's timer (default on where it can be relied on)");

bool vmx_pml = true;
module_param_named(pml, vmx_pml, bool, 0444);
MODULE_PARM_DESC(pml, "dirty logging by hardware (default on where the CPU has it)");

static char *vmentry_l1d_flush = "auto";
module_param(vmentry_l1d_flush, charp, 0444);
MODULE_PARM_DESC(vmentry_l1d_flush, "auto, never, cond or always");

bool vmx_dump_invalid;
module_param_named(dump_invalid_vmcs, vmx_dump_invalid, bool, 0644);
MODULE_PARM_DESC(dump_invalid_vmcs, "print the VMCS when the hardware refuses it");

/* ---- what this machine can do -------------------------------------------------------- */

DEFINE_PER_CPU(struct vmx_cpu, vmx_cpus);

#define CPUID_1_ECX_VMX	BIT(5)

static int vmx_check_cpu(void)
{
	u64 feat = 0;

	if (!(cpuid_ecx(1) & CPUID_1_ECX_VMX)) {
		pr_err("this CPU has no VMX\n");
		return -EOPNOTSUPP;
	}
	compat_rdmsr_safe(MSR_IA32_FEAT_CTL, &feat);
	if ((feat & FEAT_CTL_LOCKED) && !(feat & FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX)) {
		pr_err("VMX is disabled by the firmware and locked\n");
		return -EOPNOTSUPP;
	}
	if (!(feat & FEAT_CTL_LOCKED)) {
		pr_err("VMX was enabled neither by the firmware nor by the kernel\n");
		return -EOPNOTSUPP;
	}
	return 0;
}

static void vmx_take_away(struct hw_caps *caps, unsigned int feature)
{
	caps->cpuid_clear[feature / 32] |= BIT(feature % 32);
}

/* Instructions that the guest has by leave of a control only. */
static void vmx_take_away_without(struct hw_caps *caps, u32 control, unsigned int feature)
{
	if (!(vmx_base.cpu2 & control))
		vmx_take_away(caps, feature);
}

static u8 vmx_ept_levels(void)
{
	return (vmx_caps.ept_vpid & VMX_EPT_PAGE_WALK_5_BIT) &&
	       boot_cpu_data.x86_phys_bits > 48 ? 5 : 4;
}

static u8 vmx_max_page_level(void)
{
	/*
	 * A guest that changes the size of a page it executes can stop such a CPU for
	 * good, if the CPU finds a large one to run from.
	 */
	if (boot_cpu_has_bug(X86_BUG_ITLB_MULTIHIT) && !cpu_mitigations_off())
		return PTE_LEVEL_4K;
	if (!vmx_ept)
		return PTE_LEVEL_2M;
	if (!(vmx_caps.ept_vpid & VMX_EPT_2MB_PAGE_BIT))
		return PTE_LEVEL_4K;
	return vmx_caps.ept_vpid & VMX_EPT_1GB_PAGE_BIT ? PTE_LEVEL_1G : PTE_LEVEL_2M;
}

static void vmx_fill_caps(struct hw_caps *caps)
{
	*caps = (struct hw_caps) {
		.tdp = vmx_ept,
		.tdp_levels = vmx_ept_levels(),
		.max_page_level = vmx_max_page_level(),
		.tdp_ad = vmx_ept_ad,
		.write_log = vmx_pml,
		.pte_format = vmx_ept_ad ? &pte_ept : &pte_ept_noad,
		.nrips = true,
		.pause_filter = vmx_ple_gap,
		.tsc_scaling = vmx_base.cpu2 & SECONDARY_EXEC_TSC_SCALING,
		.xsaves = vmx_base.cpu2 & SECONDARY_EXEC_XSAVES,
		.emulate_real = !vmx_unrestricted,
		.apicv = vmx_apicv,
		.max_tsc_scaling_ratio = U64_MAX,
		.tsc_scaling_frac_bits = VMX_TSC_FRAC_BITS,
		.entry_timer_span = vmx_preemption_timer ? (u64)U32_MAX << vmx_timer_shift() : 0,
		.efer_bits = EFER_SCE | EFER_LME | EFER_LMA | EFER_NX,
		.hypercall_insn = { 0x0f, 0x01, 0xc1 },	/* VMCALL */
		.exit_isa = KVM_ISA_VMX,
	};
	vmx_take_away(caps, X86_FEATURE_VMX);
	if (!vmx_ept)
		vmx_take_away(caps, X86_FEATURE_LA57);	/* shadow tables have four levels */
	vmx_take_away_without(caps, SECONDARY_EXEC_ENABLE_RDTSCP, X86_FEATURE_RDTSCP);
	vmx_take_away_without(caps, SECONDARY_EXEC_ENABLE_RDTSCP, X86_FEATURE_RDPID);
	vmx_take_away_without(caps, SECONDARY_EXEC_ENABLE_INVPCID, X86_FEATURE_INVPCID);
	vmx_take_away_without(caps, SECONDARY_EXEC_XSAVES, X86_FEATURE_XSAVES);
	if (vmx_uret_slots[VMX_URET_TSC_AUX] < 0) {
		vmx_take_away(caps, X86_FEATURE_RDTSCP);
		vmx_take_away(caps, X86_FEATURE_RDPID);
	}
}

static void vmx_free_cpus(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct vmx_cpu *vc = &per_cpu(vmx_cpus, cpu);

		if (vc->vmxon)
			__free_page(vc->vmxon);
		*vc = (struct vmx_cpu) {};
	}
}

static int vmx_alloc_cpus(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct vmx_cpu *vc = &per_cpu(vmx_cpus, cpu);

		INIT_LIST_HEAD(&vc->active);
		vc->vmxon = alloc_pages_node(cpu_to_node(cpu), GFP_KERNEL | __GFP_ZERO, 0);
		if (!vc->vmxon) {
			vmx_free_cpus();
			return -ENOMEM;
		}
		*(u32 *)page_address(vc->vmxon) = vmx_caps.revision;
	}
	return 0;
}

static void vmx_add_urets(void)
{
	static const u32 msrs[VMX_NR_URET] = {
		[VMX_URET_STAR] = MSR_STAR, [VMX_URET_LSTAR] = MSR_LSTAR,
		[VMX_URET_CSTAR] = MSR_CSTAR, [VMX_URET_SFMASK] = MSR_SYSCALL_MASK,
		[VMX_URET_TSC_AUX] = MSR_TSC_AUX,
	};
	int i;

	for (i = 0; i < VMX_NR_URET; i++)
		vmx_uret_slots[i] = -1;
	for (i = 0; i < VMX_URET_TSC_AUX; i++)
		vmx_uret_slots[i] = x86_uret_add(msrs[i]);
	if (boot_cpu_has(X86_FEATURE_RDTSCP) || boot_cpu_has(X86_FEATURE_RDPID))
		vmx_uret_slots[VMX_URET_TSC_AUX] = x86_uret_add(MSR_TSC_AUX);
}

/* ---- L1D ------------------------------------------------------------------------------------ */

#define VMX_L1D_ORDER	4	/* 64K: twice the largest such cache */

static struct page *vmx_l1d_pages;	/* read through where there is no command for it */

static enum vmx_l1d_flush_state vmx_l1d_wanted(void)
{
	static const char * const names[] = { "auto", "never", "cond", "always" };
	int i = match_string(names, ARRAY_SIZE(names), vmentry_l1d_flush);

	if (l1tf_mitigation == L1TF_MITIGATION_FULL_FORCE)
		return VMENTER_L1D_FLUSH_ALWAYS;	/* no parameter may weaken it */
	if (i > 0)
		return i;	/* the enum has their order */
	switch (l1tf_mitigation) {
	case L1TF_MITIGATION_OFF:
		return VMENTER_L1D_FLUSH_NEVER;
	case L1TF_MITIGATION_FULL:
	case L1TF_MITIGATION_FULL_FORCE:
		return VMENTER_L1D_FLUSH_ALWAYS;
	default:
		return VMENTER_L1D_FLUSH_COND;
	}
}

static bool vmx_l1d_skips(void)
{
	u64 caps = 0;

	if (boot_cpu_has(X86_FEATURE_ARCH_CAPABILITIES))
		compat_rdmsr_safe(MSR_IA32_ARCH_CAPABILITIES, &caps);
	return !boot_cpu_has_bug(X86_BUG_L1TF) || (caps & ARCH_CAP_SKIP_VMENTRY_L1DFLUSH);
}

static int vmx_l1d_setup(void)
{
	static_assert(VMENTER_L1D_FLUSH_ALWAYS == 3);

	if (vmx_l1d_skips())
		l1tf_vmx_mitigation = VMENTER_L1D_FLUSH_NOT_REQUIRED;
	else if (!vmx_ept)
		l1tf_vmx_mitigation = VMENTER_L1D_FLUSH_EPT_DISABLED;
	else
		l1tf_vmx_mitigation = vmx_l1d_wanted();
	if (l1tf_vmx_mitigation != VMENTER_L1D_FLUSH_COND &&
	    l1tf_vmx_mitigation != VMENTER_L1D_FLUSH_ALWAYS)
		return 0;
	if (boot_cpu_has(X86_FEATURE_FLUSH_L1D))
		return 0;
	/* never written: one page of zeros would lie in one place of the cache */
	vmx_l1d_pages = alloc_pages(GFP_KERNEL | __GFP_ZERO, VMX_L1D_ORDER);
	return vmx_l1d_pages ? 0 : -ENOMEM;
}

static void vmx_l1d_teardown(void)
{
	l1tf_vmx_mitigation = VMENTER_L1D_FLUSH_AUTO;
	if (vmx_l1d_pages)
		__free_pages(vmx_l1d_pages, VMX_L1D_ORDER);
	vmx_l1d_pages = NULL;
}

/* Its pages into the TLB first, so that the second round is nothing but loads. */
static void vmx_l1d_read_through(void)
{
	const char *p = page_address(vmx_l1d_pages);
	unsigned int i;

	for (i = 0; i < PAGE_SIZE << VMX_L1D_ORDER; i += PAGE_SIZE)
		(void)READ_ONCE(p[i]);
	rmb();	/* the first round before the second */
#pragma GCC unroll 16
	for (i = 0; i < PAGE_SIZE << VMX_L1D_ORDER; i += L1_CACHE_BYTES)
		(void)READ_ONCE(p[i]);
	rmb();	/* all of it before the entry */
}

static bool vmx_msr_has_address(u32 msr)
{
	return msr == MSR_KVM_WALL_CLOCK || msr == MSR_KVM_SYSTEM_TIME ||
	       (msr >= MSR_KVM_WALL_CLOCK_NEW && msr <= MSR_KVM_WALL_CLOCK_NEW + 0xff);
}

/*
 * Exits whose handlers read and write nothing but what is this guest's anyway, its
 * registers and devices, and tables of ours. Not among them is what goes to guest
 * memory, which the host may first have to find. Of interrupts that come meanwhile
 * compat_interrupted() knows; who sleeps or returns to the VMM comes back by
 * vcpu_load().
 */
static bool vmx_exit_is_tidy(struct vcpu_vmx *vmx)
{
	const u64 tidy = BIT_ULL(EXIT_REASON_EXTERNAL_INTERRUPT) |
		BIT_ULL(EXIT_REASON_INTERRUPT_WINDOW) | BIT_ULL(EXIT_REASON_NMI_WINDOW) |
		BIT_ULL(EXIT_REASON_CPUID) | BIT_ULL(EXIT_REASON_HLT) |
		BIT_ULL(EXIT_REASON_RDPMC) | BIT_ULL(EXIT_REASON_VMCALL) |
		BIT_ULL(EXIT_REASON_MSR_READ) | BIT_ULL(EXIT_REASON_PAUSE_INSTRUCTION) |
		BIT_ULL(EXIT_REASON_TPR_BELOW_THRESHOLD) |
		BIT_ULL(EXIT_REASON_EOI_INDUCED) | BIT_ULL(EXIT_REASON_APIC_WRITE) |
		BIT_ULL(EXIT_REASON_PREEMPTION_TIMER);
	u32 reason = vmx->exit.reason;

	if (reason == EXIT_REASON_IO_INSTRUCTION)
		return !(vmx_qualification(vmx) & VMX_IO_STRING);
	if (reason == EXIT_REASON_MSR_WRITE)
		return !vmx_msr_has_address(x86_gpr(&vmx->vcpu, X86_RCX));
	return reason < 64 && (tidy & BIT_ULL(reason));
}

/* The last thing before an entry, interrupts off. */
static void vmx_l1d_flush(struct vcpu_vmx *vmx)
{
	if (l1tf_vmx_mitigation == VMENTER_L1D_FLUSH_COND) {
		if (!compat_interrupted() && !vmx->l1d_dirty)
			return;
	} else if (l1tf_vmx_mitigation != VMENTER_L1D_FLUSH_ALWAYS) {
		return;
	}
	vmx->l1d_dirty = false;
	if (boot_cpu_has(X86_FEATURE_FLUSH_L1D))
		compat_wrmsr(MSR_IA32_FLUSH_CMD, L1D_FLUSH);
	else
		vmx_l1d_read_through();
}

/* ---- CPU on and off ---------------------------------------------------------------------- */

/* Whatever is cached has to be in memory before the next kernel uses it. */
static void vmx_emergency_off(void)
{
	vmx_vmcs_clear_crash();
	compat_vmx_emergency_off();
}

static int vmx_setup(struct hw_caps *caps)
{
	int r = vmx_check_cpu();

	if (!r)
		r = vmx_read_caps(&vmx_caps);
	if (!r)
		r = vmx_choose_controls();
	if (r)
		return r;
	r = vmx_alloc_cpus();
	if (r)
		return r;
	r = vmx_l1d_setup();
	if (r) {
		vmx_free_cpus();
		return r;
	}
	vmx_add_urets();
	/* say what is, whatever was asked for */
	nested = false;
	vmx_fill_caps(caps);
	return 0;
}

static void vmx_teardown(void)
{
	x86_uret_clear();
	vmx_l1d_teardown();
	vmx_free_cpus();
}

/* Tags that another hypervisor may have used before us. */
static void vmx_forget_all(void)
{
	if (vmx_ept)
		vmx_invept(vmx_caps.ept_vpid & VMX_EPT_EXTENT_GLOBAL_BIT ?
			   VMX_EPT_EXTENT_GLOBAL : VMX_EPT_EXTENT_CONTEXT, 0);
	if (vmx_vpid && (vmx_caps.ept_vpid & (u64)VMX_VPID_EXTENT_GLOBAL_CONTEXT_BIT << 32))
		vmx_invvpid(VMX_VPID_EXTENT_ALL_CONTEXT, 0, 0);
}

static int vmx_cpu_on(void)
{
	struct vmx_cpu *vc = this_cpu_ptr(&vmx_cpus);
	struct vmx_caps caps;
	int r = vmx_read_caps(&caps);

	if (r)
		return r;
	if (memcmp(&caps, &vmx_caps, sizeof(caps))) {
		pr_err("CPU %d's VT differs from that of the others\n", smp_processor_id());
		return -EIO;
	}
	r = compat_vmx_on(page_to_phys(vc->vmxon));
	if (r)
		return r;
	INIT_LIST_HEAD(&vc->active);
	vc->current_vmcs = NULL;
	vc->last = NULL;
	vc->on = true;
	vmx_forget_all();
	return 0;
}

static void vmx_cpu_off(void)
{
	struct vmx_cpu *vc = this_cpu_ptr(&vmx_cpus);

	x86_uret_cpu_off();
	vmx_vmcs_clear_all();
	vc->on = false;
	compat_vmx_off();
}

/* ---- VM and vCPU life ------------------------------------------------------------------------ */

/* 4G mapped to itself by 4M pages, for unpaged guests on a CPU that always pages. */
static int vmx_vm_init(struct kvm *kvm)
{
	struct page *page;
	u32 *entry, i;

	if (!vmx_ept || vmx_unrestricted)
		return 0;
	page = alloc_page(GFP_KERNEL_ACCOUNT);
	if (!page)
		return -ENOMEM;
	entry = page_address(page);
	for (i = 0; i < PAGE_SIZE / sizeof(*entry); i++)
		entry[i] = i << 22 | _PAGE_PRESENT | _PAGE_RW | _PAGE_USER | _PAGE_ACCESSED |
			   _PAGE_DIRTY | _PAGE_PSE;
	kvm->arch.vendor = page;
	return 0;
}

static void vmx_vm_destroy(struct kvm *kvm)
{
	if (kvm->arch.vendor)
		__free_page(kvm->arch.vendor);
}

static int vmx_vcpu_create(struct kvm_vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	int r = vmx_vmcs_alloc(vmx);

	if (r)
		return r;
	r = vmx_msr_bitmap_alloc(vmx);
	if (r)
		vmx_vmcs_free(vmx);
	return r;
}

static void vmx_vcpu_free(struct kvm_vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	int cpu;

	/* Its memory may become another vCPU's, which must not look known anywhere. */
	for_each_possible_cpu(cpu)
		cmpxchg(&per_cpu(vmx_cpus, cpu).last, vmx->vmcs, NULL);
	vmx_vmcs_free(vmx);
	vmx_msr_bitmap_free(vmx);
}

static void vmx_vcpu_reset(struct kvm_vcpu *vcpu, bool init)
{
	vmx_vmcs_reset(vcpu, init);
	if (!init)
		vmx_msr_reset(vcpu);
}

static void vmx_vcpu_load(struct kvm_vcpu *vcpu, int cpu)
{
	struct vmx_cpu *vc = this_cpu_ptr(&vmx_cpus);
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	if (vmx->vmcs->cpu != cpu)
		vmx->entry.launched = false;
	vmx_vmcs_make_current(vmx->vmcs, cpu);
	if (vmx->last_cpu != cpu) {
		vmx->last_cpu = cpu;
		vmx_host_per_cpu(vmx);
		vmx_flush_tlb(vcpu, X86_FLUSH_ALL, 0);
	}
	if (vc->last != vmx->vmcs) {
		vc->last = vmx->vmcs;
		indirect_branch_prediction_barrier();
	}
	vmx->l1d_dirty = true;
}

static void vmx_vcpu_put(struct kvm_vcpu *vcpu)
{
	vmx_host_restore(to_vmx(vcpu));
}

/* ---- run ----------------------------------------------------------------------------------------- */

static void vmx_put_urets(struct vcpu_vmx *vmx)
{
	int i;

	for (i = 0; i < VMX_NR_URET; i++)
		if (vmx_uret_slots[i] >= 0)
			x86_uret_set(vmx_uret_slots[i], vmx->uret[i]);
	vmx->uret_changed = false;
}

static void vmx_prepare_switch(struct kvm_vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	/* Breakpoints that the guest has armed need DR0-3 in the CPU. */
	if (unlikely(vcpu->arch.regs.dr7 & 0xff) && !vcpu->arch.dr_loaded &&
	    !(vcpu->arch.dbg.control & KVM_GUESTDBG_USE_HW_BP)) {
		vcpu->arch.dr_loaded = true;
		vmx_update_intercepts(vcpu);
	}
	if (likely(vmx->host.saved && !vmx->uret_changed))
		return;
	vcpu->stat.host_state_reload++;
	vmx_host_save(vmx);
	vmx_put_urets(vmx);
}

/* CR2 and DR6 are in no VMCS. */
static void vmx_load_extras(struct kvm_vcpu *vcpu)
{
	if (native_read_cr2() != vcpu->arch.regs.cr2)
		native_write_cr2(vcpu->arch.regs.cr2);
	if (unlikely(vcpu->arch.dr_loaded))
		set_debugreg(vcpu->arch.regs.dr6, 6);
}

static void vmx_save_extras(struct kvm_vcpu *vcpu)
{
	if (likely(!vcpu->arch.dr_loaded))
		return;
	get_debugreg(vcpu->arch.regs.dr6, 6);
	set_debugreg(DR6_RESERVED, 6);
}

/* An enclave that was left sets a high bit of the reason, and so does an entry that failed. */
static __always_inline bool vmx_exit_is_exception(const struct vcpu_vmx *vmx)
{
	return (u16)vmx->exit.reason == EXIT_REASON_EXCEPTION_NMI &&
	       !(vmx->exit.reason & VMX_EXIT_REASONS_FAILED_VMENTRY);
}

static __always_inline bool vmx_exit_is_nmi(const struct vcpu_vmx *vmx)
{
	const u32 nmi = INTR_INFO_VALID_MASK | INTR_TYPE_NMI_INTR;
	const u32 mask = INTR_INFO_VALID_MASK | INTR_INFO_INTR_TYPE_MASK;

	return vmx_exit_is_exception(vmx) &&
	       (vmx_read(VM_EXIT_INTR_INFO) & mask) == nmi;
}

static noinstr void vmx_world_switch(struct vcpu_vmx *vmx)
{
	x86_guest_enter_irqoff(&vmx->vcpu);
	vmx_enter(&vmx->entry);
	vmx->vcpu.arch.regs.cr2 = native_read_cr2();	/* before anything can fault */
	if (likely(!vmx->entry.failed))
		vmx->exit.reason = vmx_read(VM_EXIT_REASON);
	else
		vmx->exit.reason = VMX_EXIT_REASONS_FAILED_VMENTRY;
	if (unlikely(vmx_exit_is_nmi(vmx))) {
		/* perf may ask what it hit */
		vmx->vcpu.arch.regs.cpl = VMX_AR_DPL(vmx_read(GUEST_SS_AR_BYTES));
		compat_host_nmi();
	}
	x86_guest_exit_irqoff(&vmx->vcpu);
}

/* It counts down while the guest runs, and starts from what is written here at each entry. */
static void vmx_load_timer(struct vcpu_vmx *vmx)
{
	u64 deadline = vmx->vcpu.arch.entry_deadline, now;

	if (likely(!deadline && !(vmx->vmcs->ctl.pin & PIN_BASED_VMX_PREEMPTION_TIMER)))
		return;
	vmx_pin_control(vmx, PIN_BASED_VMX_PREEMPTION_TIMER, deadline);
	if (!deadline)
		return;
	now = rdtsc();
	vmx_write(VMX_PREEMPTION_TIMER_VALUE, deadline <= now ? 0 :
		  min_t(u64, (deadline - now) >> vmx_timer_shift(), U32_MAX));
}

static void vmx_before_guest(struct vcpu_vmx *vmx)
{
	if (vmx_delivers(vmx))
		vmx_apicv_before_guest(vmx);
	vmx_flush(&vmx->vcpu);
	vmx_load_timer(vmx);
	if (unlikely(vmx_logs_writes(vmx) != !!READ_ONCE(vmx->vcpu.kvm->arch.nr_logged)))
		vmx_cpu2_control(vmx, SECONDARY_EXEC_ENABLE_PML, !vmx_logs_writes(vmx));
	vmx_host_renew(vmx);
	if (boot_cpu_has(X86_FEATURE_ARCH_PERFMON))
		vmx_host_perf(vmx);
	vmx_load_extras(&vmx->vcpu);
	irqchip_hold_entry(&vmx->vcpu);
	vmx_spec_prepare(vmx);
	compat_clear_cpu_buffers_for_mmio();
	vmx_l1d_flush(vmx);
	/* an NMI after the exit, but before vmx_after_guest(), may ask for RIP and CPL */
	vmx->vcpu.arch.regs.avail = BIT(X86_EFER);
}

static void vmx_after_guest(struct vcpu_vmx *vmx)
{
	compat_guest_was_here();
	if (unlikely(vmx->host.debugctl))
		compat_wrmsr(MSR_IA32_DEBUGCTLMSR, vmx->host.debugctl);
	vmx_save_extras(&vmx->vcpu);
	vmx->exit.known = 0;
	vmx->exit.vectoring = 0;
	vmx_fetch_basic(vmx);
	if (vmx_delivers(vmx))
		lapic_hardware_ran(vmx->vcpu.arch.apic);
	if (vmx_ept)	/* MOV to CR3 loads them without an exit */
		vmx->vcpu.arch.mmu.pdptrs_valid = false;
	if (unlikely(vmx->exit.reason & VMX_EXIT_REASONS_FAILED_VMENTRY)) {
		vmx_cancel_injection(&vmx->vcpu);
		return;
	}
	vmx->entry.launched = true;
	vmx->exit.vectoring = vmx_read32(IDT_VECTORING_INFO_FIELD);
	if (vmx->injected || (vmx->exit.vectoring & VECTORING_INFO_VALID_MASK))
		vmx_complete_events(&vmx->vcpu);
}

/* Handled with interrupts still off. */
static enum x86_fastpath vmx_fastpath(struct vcpu_vmx *vmx)
{
	if (unlikely(vmx_logs_writes(vmx)))	/* the log is looked through in handle_exit() */
		return X86_FAST_NONE;
	switch (vmx->exit.reason) {
	case EXIT_REASON_MSR_WRITE:
		return x86_fast_wrmsr(&vmx->vcpu);
	case EXIT_REASON_PREEMPTION_TIMER:
		irqchip_deadline_reached(&vmx->vcpu);
		return X86_FAST_HANDLED;
	default:
		return X86_FAST_NONE;
	}
}

static enum x86_fastpath vmx_run(struct kvm_vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	vmx_before_guest(vmx);
	vmx_world_switch(vmx);
	vmx_after_guest(vmx);
	trace_kvm_exit(vcpu);
	return vmx_fastpath(vmx);
}

static bool vmx_exit_is_machine_check(struct vcpu_vmx *vmx)
{
	if ((u16)vmx->exit.reason == EXIT_REASON_MCE_DURING_VMENTRY)
		return true;
	return vmx_exit_is_exception(vmx) &&
	       (vmx_intr_info(vmx) & (INTR_INFO_VECTOR_MASK | INTR_INFO_INTR_TYPE_MASK)) ==
	       (18 | INTR_TYPE_HARD_EXCEPTION);
}

/* The processor has taken the interrupt from its APIC: whoever posts interrupts asks it to. */
static void vmx_forward_interrupt(struct vcpu_vmx *vmx)
{
	if ((u16)vmx->exit.reason == EXIT_REASON_EXTERNAL_INTERRUPT)
		compat_host_irq(vmx_intr_info(vmx) & INTR_INFO_VECTOR_MASK);
}

/*
 * NMIs were raised at the exit, interrupts will be taken when they are enabled, unless the
 * exit has acknowledged one. Left: #MC.
 */
static void vmx_exit_irqoff(struct kvm_vcpu *vcpu)
{
	if (vmx_posts)
		vmx_forward_interrupt(to_vmx(vcpu));
	if (!vmx_exit_is_tidy(to_vmx(vcpu)))
		to_vmx(vcpu)->l1d_dirty = true;	/* by what the host does from here on */
	if (unlikely(vmx_exit_is_machine_check(to_vmx(vcpu))))
		compat_machine_check();
}

/* ---- state ------------------------------------------------------------------------------------------- */

/* What the guest's CPUID forbids the core knows; VMXE is the host's. */
static bool vmx_cr4_valid(struct kvm_vcpu *vcpu, u64 cr4)
{
	return !(cr4 & (X86_CR4_VMXE | ~vmx_caps.cr4_may));
}

static void vmx_cpuid_changed(struct kvm_vcpu *vcpu)
{
	vmx_cpuid_controls(vcpu);
	vmx_update_intercepts(vcpu);
	vmx_msr_intercepts(vcpu);
}

#define VMX_MT_UC	0
#define VMX_MT_WB	(6 << VMX_EPT_MT_EPTE_SHIFT)

/*
 * Memory is write-back whatever the guest says, unless a device of the host's that
 * does not snoop uses it; what is not memory is uncached.
 * Shadow tables are read with the host's PAT: PCD alone is uncached there.
 */
static u8 vmx_memtype(struct kvm_vcpu *vcpu, gfn_t gfn, bool mmio)
{
	if (!vmx_ept)
		return mmio ? BIT(4) : 0;
	if (mmio)
		return VMX_MT_UC;
	return VMX_MT_WB | (vcpu->kvm->arch.noncoherent_dma ? 0 : VMX_EPT_IPAT_BIT);
}

static void vmx_write_tsc(struct kvm_vcpu *vcpu)
{
	vmx_write(TSC_OFFSET, vcpu->arch.tsc.offset);
	if (hw_caps.tsc_scaling)
		vmx_write(TSC_MULTIPLIER, vcpu->arch.tsc.multiplier ?: VMX_TSC_ONE);
}

/* ---- the table --------------------------------------------------------------------------------------- */

static const struct vendor_ops vmx_ops = {
	.name			= "kvm-intel",
	.owner			= THIS_MODULE,
	.apicv			= &vmx_apicv_ops,
	.vcpu_size		= sizeof(struct vcpu_vmx),
	.setup			= vmx_setup,
	.teardown		= vmx_teardown,
	.emergency_off		= vmx_emergency_off,

	.cpu_on			= vmx_cpu_on,
	.cpu_off		= vmx_cpu_off,
	.vm_init		= vmx_vm_init,
	.vm_destroy		= vmx_vm_destroy,

	.vcpu_create		= vmx_vcpu_create,
	.vcpu_free		= vmx_vcpu_free,
	.vcpu_reset		= vmx_vcpu_reset,
	.vcpu_load		= vmx_vcpu_load,
	.vcpu_put		= vmx_vcpu_put,

	.prepare_switch		= vmx_prepare_switch,
	.run			= vmx_run,
	.exit_irqoff		= vmx_exit_irqoff,
	.handle_exit		= vmx_handle_exit,

	.fetch			= vmx_fetch,
	.cr4_valid		= vmx_cr4_valid,
	.update_intercepts	= vmx_update_intercepts,
	.get_int_shadow		= vmx_get_int_shadow,
	.set_int_shadow		= vmx_set_int_shadow,
	.get_nmi_mask		= vmx_get_nmi_mask,
	.set_nmi_mask		= vmx_set_nmi_mask,

	.inject			= vmx_inject,
	.cancel_injection	= vmx_cancel_injection,
	.can_inject		= vmx_can_inject,
	.open_window		= vmx_open_window,
	.update_cr8		= vmx_update_cr8,

	.get_msr		= vmx_get_msr,
	.set_msr		= vmx_set_msr,
	.feature_msr		= vmx_feature_msr,
	.msr_intercepts		= vmx_msr_intercepts,
	.cpuid_changed		= vmx_cpuid_changed,

	.load_root		= vmx_load_root,
	.flush_tlb		= vmx_flush_tlb,
	.memtype		= vmx_memtype,

	.write_tsc		= vmx_write_tsc,

	.insn_len		= vmx_insn_len,
	.insn_bytes		= vmx_insn_bytes,

	.exit_info		= vmx_exit_info,
	.dump_state		= vmx_dump_state,
};

static int __init vmx_module_init(void)
{
	return kvm_x_register_vendor(&vmx_ops);
}
module_init(vmx_module_init);

static void __exit vmx_module_exit(void)
{
	kvm_x_unregister_vendor(&vmx_ops);
}
module_exit(vmx_module_exit);

static const struct x86_cpu_id vmx_cpu_ids[] = {
	X86_MATCH_FEATURE(X86_FEATURE_VMX, NULL),
	{}
};
MODULE_DEVICE_TABLE(x86cpu, vmx_cpu_ids);

MODULE_DESCRIPTION("KVM on Intel VT");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1");
