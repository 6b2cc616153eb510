// SPDX-License-Identifier: GPL-2.0
/*
 * kvm-amd: virtual machines on processors with AMD's secure virtual machine.
 *
 * This file is the module's front door: what this machine can do (setup), SVM on
 * and off for a CPU, a vCPU's life, and one stay in the guest (run). Behind it:
 *
 *	svm/vmcb.c	the control block and the register cache, ASIDs
 *	svm/msr.c	MSRs and their permission map
 *	svm/intr.c	events and windows
 *	svm/exits.c	exit handlers
 *	svm/enter.S	the world switch
 *
 * vmx.c has the same sections in the same order; ops of twin files carry twin
 * names. The table of them is the last thing below.
 *
 * Host state. VMRUN saves part of the host's state by itself (to the page that
 * VM_HSAVE_PA names). FS, GS, TR, LDTR and a few MSRs are saved by VMSAVE once
 * after each vcpu_load, because they change only when tasks are switched, and
 * loaded after every exit. LDTR is the exception: another thread may change the
 * process's LDT at any time, so while one is in use it is saved again before each
 * entry; or else we would bring back a table that has been freed.
 *
 * Per-CPU data (struct svm_cpu) is used with preemption off by its own CPU only;
 * all else belongs to the vCPU's thread.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ftrace.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mod_devicetable.h>
#include <asm/asm.h>
#include <asm/cpu_device_id.h>
#include <asm/mem_encrypt.h>
#include "compat_cpuid.h"
#include "compat_virt.h"
#include "guest_context.h"
#include "hw/apic_regs.h"
#include "irqchip.h"
#include "lapic.h"
#include "mmu.h"
#include "pte.h"
#include "svm/svm.h"
#include "trace.h"
#include "uret.h"

/* ---- parameters ------------------------------------------------------------------- */

static bool npt = true;
module_param(npt, bool, 0444);
MODULE_PARM_DESC(npt, "nested paging (default on where the CPU has it; off: shadow paging)");

static bool nested;
module_param(nested, bool, 0444);
MODULE_PARM_DESC(nested, "virtual machines inside guests (does not exist yet: always off)");

static bool avic;
module_param(avic, bool, 0444);
MODULE_PARM_DESC(avic, "interrupt controller virtualization (does not exist yet: always off)");

static bool sev;
module_param(sev, bool, 0444);
MODULE_PARM_DESC(sev, "encrypted guests (does not exist yet: always off)");

static bool emulate_real_mode;
module_param(emulate_real_mode, bool, 0444);
MODULE_PARM_DESC(emulate_real_mode, "run real mode in the emulator, as CPUs without support for it need (default off)");

bool svm_dump_invalid;
module_param_named(dump_invalid_vmcb, svm_dump_invalid, bool, 0644);
MODULE_PARM_DESC(dump_invalid_vmcb, "print the VMCB when the hardware refuses it");

bool svm_debug_clean;
module_param_named(debug_clean, svm_debug_clean, bool, 0444);
MODULE_PARM_DESC(debug_clean, "check before each entry that no field marked clean has changed");

/* ---- what this machine can do -------------------------------------------------------- */

DEFINE_PER_CPU(struct svm_cpu, svm_cpus);

bool svm_has_v_spec_ctrl, svm_has_lbrv;
int svm_tsc_aux_slot = -1;
u64 svm_iopm_pa;

static struct page *svm_iopm;

static int svm_check_cpu(void)
{
	u64 vm_cr;

	if (!boot_cpu_has(X86_FEATURE_SVM)) {
		pr_err("this CPU has no SVM, or the firmware disabled it\n");
		return -EOPNOTSUPP;
	}
	if (!compat_rdmsr_safe(SVM_MSR_VM_CR, &vm_cr) && (vm_cr & SVM_VM_CR_SVMDIS)) {
		pr_err("SVM is disabled by the firmware%s\n",
		       (vm_cr & SVM_VM_CR_LOCK) ? " and locked" : "");
		return -EOPNOTSUPP;
	}
	return 0;
}

static void svm_take_away(struct hw_caps *caps, unsigned int feature)
{
	caps->cpuid_clear[feature / 32] |= BIT(feature % 32);
}

static void svm_fill_caps(struct hw_caps *caps)
{
	*caps = (struct hw_caps) {
		.tdp = npt,
		/* nested tables have the depth of the host's own */
		.tdp_levels = boot_cpu_has(X86_FEATURE_LA57) &&
			      (__read_cr4() & X86_CR4_LA57) ? 5 : 4,
		.max_page_level = boot_cpu_has(X86_FEATURE_GBPAGES) ? 3 : 2,
		.tdp_ad = true,
		.pte_format = &pte_x86_npt,
		.nr_counters = 4,	/* that every AMD processor has */
		.nrips = boot_cpu_has(X86_FEATURE_NRIPS),
		.decode_assists = boot_cpu_has(X86_FEATURE_DECODEASSISTS),
		.flush_by_asid = boot_cpu_has(X86_FEATURE_FLUSHBYASID),
		.pause_filter = boot_cpu_has(X86_FEATURE_PAUSEFILTER),
		.vgif = boot_cpu_has(X86_FEATURE_VGIF),
		.tsc_scaling = boot_cpu_has(X86_FEATURE_TSCRATEMSR),
		.xsaves = boot_cpu_has(X86_FEATURE_XSAVES),
		.emulate_real = emulate_real_mode,
		.max_tsc_scaling_ratio = SVM_RATIO_MAX,
		.tsc_scaling_frac_bits = 32,
		.efer_bits = EFER_SCE | EFER_LME | EFER_LMA | EFER_NX |
			     (boot_cpu_has(X86_FEATURE_FXSR_OPT) ? EFER_FFXSR : 0),
		.hypercall_insn = { 0x0f, 0x01, 0xd9 },	/* VMMCALL */
		.exit_isa = KVM_ISA_SVM,
	};
	svm_take_away(caps, X86_FEATURE_SVM);
	if (!npt) {
		svm_take_away(caps, X86_FEATURE_LA57);	/* shadow tables have four levels */
		svm_take_away(caps, X86_FEATURE_INVPCID);
	}
	if (svm_tsc_aux_slot < 0) {
		svm_take_away(caps, X86_FEATURE_RDTSCP);
		svm_take_away(caps, X86_FEATURE_RDPID);
	}
}

static void svm_free_cpus(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct svm_cpu *sc = &per_cpu(svm_cpus, cpu);

		if (sc->hsave)
			__free_page(sc->hsave);
		if (sc->host_state)
			__free_page(sc->host_state);
		*sc = (struct svm_cpu) {};
	}
}

static int svm_alloc_cpus(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct svm_cpu *sc = &per_cpu(svm_cpus, cpu);
		int node = cpu_to_node(cpu);

		sc->hsave = alloc_pages_node(node, GFP_KERNEL | __GFP_ZERO, 0);
		sc->host_state = alloc_pages_node(node, GFP_KERNEL | __GFP_ZERO, 0);
		if (!sc->hsave || !sc->host_state) {
			svm_free_cpus();
			return -ENOMEM;
		}
	}
	return 0;
}

/* All ports exit, and so do the three bits beyond ffffh that a 4-byte access looks at. */
static int svm_alloc_iopm(void)
{
	svm_iopm = alloc_pages(GFP_KERNEL, SVM_IOPM_ORDER);
	if (!svm_iopm)
		return -ENOMEM;
	memset(page_address(svm_iopm), 0xff, PAGE_SIZE << SVM_IOPM_ORDER);
	svm_iopm_pa = __sme_set(page_to_phys(svm_iopm));
	return 0;
}

/* ---- L1D ------------------------------------------------------------------------------------ */

/* Nothing: no processor of AMD's has L1 terminal fault. */

/* ---- CPU on and off ---------------------------------------------------------------------- */

static void svm_emergency_off(void)
{
	compat_svm_emergency_off();
}

static int svm_setup(struct hw_caps *caps)
{
	int r = svm_check_cpu();

	if (r)
		return r;
	r = svm_alloc_iopm();
	if (r)
		return r;
	r = svm_alloc_cpus();
	if (r) {
		__free_pages(svm_iopm, SVM_IOPM_ORDER);
		return r;
	}
	svm_has_v_spec_ctrl = boot_cpu_has(X86_FEATURE_V_SPEC_CTRL);
	svm_has_lbrv = boot_cpu_has(X86_FEATURE_LBRV);
	if (boot_cpu_has(X86_FEATURE_RDTSCP) || boot_cpu_has(X86_FEATURE_RDPID))
		svm_tsc_aux_slot = x86_uret_add(MSR_TSC_AUX);
	npt = npt && boot_cpu_has(X86_FEATURE_NPT);
	nested = avic = sev = false;	/* say what is, whatever was asked for */
	svm_fill_caps(caps);
	return 0;
}

static void svm_teardown(void)
{
	x86_uret_clear();
	svm_tsc_aux_slot = -1;
	svm_free_cpus();
	__free_pages(svm_iopm, SVM_IOPM_ORDER);
}

static void svm_put_tsc_ratio(struct svm_cpu *sc, u64 ratio)
{
	if (!hw_caps.tsc_scaling || sc->tsc_ratio == ratio)
		return;
	compat_wrmsr(SVM_MSR_TSC_RATIO, ratio);
	sc->tsc_ratio = ratio;
}

static int svm_cpu_on(void)
{
	struct svm_cpu *sc = this_cpu_ptr(&svm_cpus);
	int r = compat_svm_on();

	if (r)
		return r;
	compat_wrmsr(SVM_MSR_HSAVE_PA, __sme_set(page_to_phys(sc->hsave)));
	/*
	 * Nothing that was cached for guests before is ours: a new generation,
	 * and the first ASID that is handed out flushes.
	 */
	sc->asid_generation++;
	sc->max_asid = cpuid_ebx(SVM_CPUID) - 1;
	sc->next_asid = sc->max_asid + 1;
	sc->last = NULL;
	sc->tsc_ratio = 0;
	svm_put_tsc_ratio(sc, SVM_RATIO_ONE);
	return 0;
}

static void svm_cpu_off(void)
{
	x86_uret_cpu_off();
	svm_put_tsc_ratio(this_cpu_ptr(&svm_cpus), SVM_RATIO_ONE);
	compat_wrmsr(SVM_MSR_HSAVE_PA, 0);
	compat_svm_off();
}

/* ---- VM and vCPU life ------------------------------------------------------------------------ */

/* Nothing for a VM as a whole: all of AMD-V's state belongs to vCPUs or CPUs. */
static int svm_vm_init(struct kvm *kvm)
{
	return 0;
}

static void svm_vm_destroy(struct kvm *kvm)
{
}

static int svm_vcpu_create(struct kvm_vcpu *vcpu)
{
	struct vcpu_svm *svm = to_svm(vcpu);
	int r = svm_vmcb_alloc(svm);

	if (r)
		return r;
	r = svm_msrpm_alloc(svm);
	if (r)
		svm_vmcb_free(svm);
	return r;
}

static void svm_vcpu_free(struct kvm_vcpu *vcpu)
{
	struct vcpu_svm *svm = to_svm(vcpu);
	int cpu;

	/* Its page may become another vCPU's VMCB, which must not look known anywhere. */
	for_each_possible_cpu(cpu)
		cmpxchg(&per_cpu(svm_cpus, cpu).last, svm->vmcb, NULL);
	svm_msrpm_free(svm);
	svm_vmcb_free(svm);
}

static void svm_vcpu_reset(struct kvm_vcpu *vcpu, bool init)
{
	svm_vmcb_reset(vcpu, init);
	if (!init)
		svm_msr_reset(vcpu);
}

static void svm_vcpu_load(struct kvm_vcpu *vcpu, int cpu)
{
	struct vcpu_svm *svm = to_svm(vcpu);
	struct svm_cpu *sc = this_cpu_ptr(&svm_cpus);

	if (svm->last_cpu != cpu) {
		svm->last_cpu = cpu;
		svm->asid_generation = 0;
		svm->vmcb->ctl.clean = 0;
		svm->entry.host_pa = __sme_set(page_to_phys(sc->host_state));
	}
	if (sc->last != svm->vmcb) {
		sc->last = svm->vmcb;
		indirect_branch_prediction_barrier();
	}
	svm->host_loaded = false;
}

static void svm_vcpu_put(struct kvm_vcpu *vcpu)
{
	to_svm(vcpu)->host_loaded = false;
}

/* ---- run ----------------------------------------------------------------------------------------- */

/* After a reboot has switched SVM off it faults; the entry does not come then. */
static void svm_save_host(struct vcpu_svm *svm)
{
	asm volatile("1: vmsave %0\n\t"
		     "2:\n\t"
		     _ASM_EXTABLE(1b, 2b)
		     : : "a" (svm->entry.host_pa) : "memory");
}

static void svm_prepare_switch(struct kvm_vcpu *vcpu)
{
	struct vcpu_svm *svm = to_svm(vcpu);

	/* Breakpoints that the guest has armed need DR0-3 in the CPU. */
	if (unlikely(vcpu->arch.regs.dr7 & 0xff) && !vcpu->arch.dr_loaded &&
	    !(vcpu->arch.dbg.control & KVM_GUESTDBG_USE_HW_BP)) {
		vcpu->arch.dr_loaded = true;
		svm_update_intercepts(vcpu);
	}
	if (likely(svm->host_loaded))
		return;
	svm_save_host(svm);
	vcpu->stat.host_state_reload++;
	svm_put_tsc_ratio(this_cpu_ptr(&svm_cpus),
			  vcpu->arch.tsc.multiplier ?: SVM_RATIO_ONE);
	if (svm_tsc_aux_slot >= 0)
		x86_uret_set(svm_tsc_aux_slot, svm->tsc_aux);
	svm->host_loaded = true;
}

/* The host's LDT may have come, gone or changed since VMSAVE; see the top of this file. */
static void svm_refresh_ldt(struct vcpu_svm *svm)
{
	const struct svm_vmcb *host = page_address(this_cpu_read(svm_cpus.host_state));
	unsigned long ldt;

	asm volatile("sldt %0" : "=r" (ldt));
	if (unlikely((u16)ldt | host->save.ldtr.sel))
		svm_save_host(svm);
}

/* x86_get_cr8() without the call: it is asked for twice in each turn. */
static u32 svm_cr8(struct vcpu_svm *svm)
{
	const struct lapic *apic = svm->vcpu.arch.apic;

	return (apic ? lapic_reg(apic, LAPIC_TPR) >> 4 : svm->vcpu.arch.cr8) & SVM_V_TPR;
}

/* V_TPR is CR8 as the guest sees it; both sides may move it. */
static void svm_cr8_to_vmcb(struct vcpu_svm *svm)
{
	struct svm_control *ctl = &svm->vmcb->ctl;
	u32 cr8 = svm_cr8(svm);

	if (likely((ctl->int_ctl & SVM_V_TPR) == cr8))
		return;
	ctl->int_ctl = (ctl->int_ctl & ~SVM_V_TPR) | cr8;
	svm_dirty(svm, SVM_CLEAN_TPR);
}

static void svm_cr8_from_vmcb(struct vcpu_svm *svm)
{
	u32 cr8 = svm->vmcb->ctl.int_ctl & SVM_V_TPR;

	if (unlikely(cr8 != svm_cr8(svm)))
		x86_set_cr8(&svm->vcpu, cr8);
}

/* Is there anything at all that svm_spec_prepare() could have to switch? */
static __always_inline bool svm_switches_spec(void)
{
	return cpu_feature_enabled(X86_FEATURE_MSR_SPEC_CTRL) ||
	       cpu_feature_enabled(X86_FEATURE_LS_CFG_SSBD) || cpu_feature_enabled(X86_FEATURE_VIRT_SSBD);
}

static noinstr void svm_world_switch(struct vcpu_svm *svm)
{
	x86_guest_enter_irqoff(&svm->vcpu);
	svm_vmrun(&svm->entry);
	x86_guest_exit_irqoff(&svm->vcpu);
}

static void svm_before_guest(struct vcpu_svm *svm)
{
	svm_flush(&svm->vcpu);
	svm_cr8_to_vmcb(svm);
	if (unlikely(svm->asid_generation != this_cpu_read(svm_cpus.asid_generation)))
		svm_assign_asid(svm);
	svm_refresh_ldt(svm);
	if (unlikely(svm_debug_clean))
		svm_check_clean(svm);
	irqchip_hold_entry(&svm->vcpu);
	if (svm_switches_spec())
		svm_spec_prepare(svm);
	compat_clear_divider();
	/* an NMI after the exit, but before svm_after_guest(), may ask for RIP and CPL */
	svm->vcpu.arch.regs.avail = BIT(X86_CR4) | BIT(X86_EFER);
}

static void svm_after_guest(struct vcpu_svm *svm)
{
	struct x86_regs *regs = &svm->vcpu.arch.regs;
	struct svm_vmcb *vmcb = svm->vmcb;

	if (svm_switches_spec())
		svm_spec_finish(svm);
	compat_guest_was_here();
	vmcb->ctl.tlb_ctl = SVM_TLB_NOTHING;
	vmcb->ctl.clean = SVM_CLEAN_ALL;
	if (unlikely(svm_debug_clean))
		svm_remember_clean(svm);
	if (unlikely(svm->entry.faulted)) {
		svm->entry.faulted = 0;
		vmcb->ctl.exit_code = SVM_EXITCODE_INVALID;
	}
	svm->insn_len = 0;
	regs->gpr[X86_RAX] = vmcb->save.rax;
	regs->cr2 = vmcb->save.cr2;
	svm_fetch_basic(svm);
	if (hw_caps.tdp)	/* it does write CR3, if that is its own */
		svm->vcpu.arch.mmu.pdptrs_valid = false;
	svm_cr8_from_vmcb(svm);
	if (svm->injected || svm->iret_started || (vmcb->ctl.exit_int_info & SVM_EV_VALID))
		svm_complete_events(&svm->vcpu);
}

/*
 * Handled with interrupts still off: only if the hardware says how long the
 * instruction is. To decode it guest memory would have to be read, which may
 * fault.
 */
static enum x86_fastpath svm_fastpath(struct vcpu_svm *svm)
{
	const struct svm_control *ctl = &svm->vmcb->ctl;

	if (ctl->exit_code == SVM_EXIT_OF(SVM_I_MSR) && ctl->exit_info1 && hw_caps.nrips)
		return x86_fast_wrmsr(&svm->vcpu);
	return X86_FAST_NONE;
}

static enum x86_fastpath svm_run(struct kvm_vcpu *vcpu)
{
	struct vcpu_svm *svm = to_svm(vcpu);

	svm_before_guest(svm);
	svm_world_switch(svm);
	svm_after_guest(svm);
	trace_kvm_exit(vcpu);
	return svm_fastpath(svm);
}

/* NMIs were taken at STGI, interrupts will be when they are enabled. Left: #MC. */
static void svm_exit_irqoff(struct kvm_vcpu *vcpu)
{
	if (unlikely(to_svm(vcpu)->vmcb->ctl.exit_code == SVM_EXIT_EXC(18)))
		compat_machine_check();
}

/* ---- state ------------------------------------------------------------------------------------------- */

/* What the guest's CPUID forbids the core knows; Intel's VMXE is nobody's here. */
static bool svm_cr4_valid(struct kvm_vcpu *vcpu, u64 cr4)
{
	return !(cr4 & X86_CR4_VMXE);
}

static void svm_cpuid_changed(struct kvm_vcpu *vcpu)
{
	svm_update_intercepts(vcpu);
	svm_msr_intercepts(vcpu);
}

/*
 * Nested tables carry no memory type: the guest's PAT over write-back decides.
 * Shadow tables are read with the host's PAT: PCD alone is uncached there.
 */
static u8 svm_memtype(struct kvm_vcpu *vcpu, gfn_t gfn, bool mmio)
{
	return !hw_caps.tdp && mmio ? BIT(4) : 0;
}

static void svm_write_tsc(struct kvm_vcpu *vcpu)
{
	struct vcpu_svm *svm = to_svm(vcpu);

	svm->vmcb->ctl.tsc_offset = vcpu->arch.tsc.offset;
	svm_dirty(svm, SVM_CLEAN_CTL);
	svm->host_loaded = false;	/* the ratio may have changed, too */
}

/* ---- the table --------------------------------------------------------------------------------------- */

static const struct vendor_ops svm_ops = {
	.name			= "kvm-amd",
	.owner			= THIS_MODULE,
	.apicv			= NULL,		/* AVIC does not exist yet */
	.vcpu_size		= sizeof(struct vcpu_svm),
	.setup			= svm_setup,
	.teardown		= svm_teardown,
	.emergency_off		= svm_emergency_off,

	.cpu_on			= svm_cpu_on,
	.cpu_off		= svm_cpu_off,
	.vm_init		= svm_vm_init,
	.vm_destroy		= svm_vm_destroy,

	.vcpu_create		= svm_vcpu_create,
	.vcpu_free		= svm_vcpu_free,
	.vcpu_reset		= svm_vcpu_reset,
	.vcpu_load		= svm_vcpu_load,
	.vcpu_put		= svm_vcpu_put,

	.prepare_switch		= svm_prepare_switch,
	.run			= svm_run,
	.exit_irqoff		= svm_exit_irqoff,
	.handle_exit		= svm_handle_exit,

	.fetch			= svm_fetch,
	.cr4_valid		= svm_cr4_valid,
	.update_intercepts	= svm_update_intercepts,
	.get_int_shadow		= svm_get_int_shadow,
	.set_int_shadow		= svm_set_int_shadow,
	.get_nmi_mask		= svm_get_nmi_mask,
	.set_nmi_mask		= svm_set_nmi_mask,

	.inject			= svm_inject,
	.cancel_injection	= svm_cancel_injection,
	.can_inject		= svm_can_inject,
	.open_window		= svm_open_window,
	.update_cr8		= svm_update_cr8,

	.get_msr		= svm_get_msr,
	.set_msr		= svm_set_msr,
	.feature_msr		= svm_feature_msr,
	.msr_intercepts		= svm_msr_intercepts,
	.cpuid_changed		= svm_cpuid_changed,

	.load_root		= svm_load_root,
	.flush_tlb		= svm_flush_tlb,
	.memtype		= svm_memtype,

	.write_tsc		= svm_write_tsc,

	.insn_len		= svm_insn_len,
	.insn_bytes		= svm_insn_bytes,

	.exit_info		= svm_exit_info,
	.dump_state		= svm_dump_state,
};

static int __init svm_module_init(void)
{
	return kvm_x_register_vendor(&svm_ops);
}
module_init(svm_module_init);

static void __exit svm_module_exit(void)
{
	kvm_x_unregister_vendor(&svm_ops);
}
module_exit(svm_module_exit);

static const struct x86_cpu_id svm_cpu_ids[] = {
	X86_MATCH_FEATURE(X86_FEATURE_SVM, NULL),
	{}
};
MODULE_DEVICE_TABLE(x86cpu, svm_cpu_ids);

MODULE_DESCRIPTION("KVM on AMD-V");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1");
