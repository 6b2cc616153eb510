/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Switching virtualization on and off for a CPU, and other services of the
 * host's that vendor modules use and that kernels spell differently.
 *
 * Up to 6.x the module itself sets EFER.SVME (CR4.VMXE and VMXON on Intel),
 * and clears it in a callback (compat_cpu.h) when the machine crashes or reboots.
 * Since 7.x the kernel's core counts users (asm/virt.h) and does both; VM_HSAVE_PA stays the
 * module's.
 *
 * The MSR accessors were renamed (rdmsrl became rdmsrq); the native_ ones would
 * do, but they bypass paravirt hosts.
 */
#ifndef COMPAT_VIRT_H
#define COMPAT_VIRT_H

#include <linux/hardirq.h>
#include <linux/ptrace.h>
#include <linux/rcupdate.h>
#include <linux/smp.h>
#include <asm/asm.h>
#include <asm/cpufeature.h>
#include <asm/desc.h>
#include <asm/mce.h>
#include <asm/msr.h>
#include <asm/nospec-branch.h>
#include <asm/processor.h>
#include <asm/segment.h>
#include <asm/tlbflush.h>
#ifdef HAVE_X86_ENTRY_FROM_KVM
#include <asm/entry-common.h>
#include <asm/irq_vectors.h>
#endif
#ifdef HAVE_X86_VIRT_REF
#include <asm/virt.h>
#endif

static inline u64 compat_rdmsr(u32 msr)
{
	u64 val;

#ifdef HAVE_RDMSRQ
	rdmsrq(msr, val);
#else
	rdmsrl(msr, val);
#endif
	return val;
}

static inline void compat_wrmsr(u32 msr, u64 val)
{
#ifdef HAVE_RDMSRQ
	wrmsrq(msr, val);
#else
	wrmsrl(msr, val);
#endif
}

/* 0, or -EIO if the MSR does not exist. */
static inline int compat_rdmsr_safe(u32 msr, u64 *val)
{
#ifdef HAVE_RDMSRQ
	return rdmsrq_safe(msr, val);
#else
	unsigned long long v = 0;
	int r = rdmsrl_safe(msr, &v);

	*val = v;
	return r;
#endif
}

static inline int compat_wrmsr_safe(u32 msr, u64 val)
{
#ifdef HAVE_RDMSRQ
	return wrmsrq_safe(msr, val);
#else
	return wrmsrl_safe(msr, val);
#endif
}

#ifdef HAVE_X86_VIRT_REF

/* This CPU, preemption off. 0, or -errno if somebody else has it. */
static inline int compat_svm_on(void)
{
	return x86_virt_get_ref(X86_FEATURE_SVM);
}

static inline void compat_svm_off(void)
{
	x86_virt_put_ref(X86_FEATURE_SVM);
}

static inline void compat_svm_emergency_off(void)
{
	/* the core's own business */
}

/* The core has a VMXON region of its own for each CPU. */
static inline int compat_vmx_on(phys_addr_t region)
{
	return x86_virt_get_ref(X86_FEATURE_VMX);
}

static inline void compat_vmx_off(void)
{
	x86_virt_put_ref(X86_FEATURE_VMX);
}

static inline void compat_vmx_emergency_off(void)
{
	/* the core's own business */
}

#else

static inline int compat_svm_on(void)
{
	u64 efer = compat_rdmsr(MSR_EFER);

	if (efer & EFER_SVME)
		return -EBUSY;
	compat_wrmsr(MSR_EFER, efer | EFER_SVME);
	return 0;
}

static inline void compat_svm_off(void)
{
	compat_wrmsr(MSR_EFER, compat_rdmsr(MSR_EFER) & ~(u64)EFER_SVME);
}

/* Any context. With GIF clear INIT would be held back, and the next kernel not boot. */
static inline void compat_svm_emergency_off(void)
{
	if (!(compat_rdmsr(MSR_EFER) & EFER_SVME))
		return;
	asm volatile("stgi" : : : "memory");
	compat_svm_off();
}

/*
 * This CPU, preemption off. @region: a page that begins with the VMCS revision.
 * -EBUSY if somebody else has VMX, -EIO if the CPU refuses.
 */
static inline int compat_vmx_on(phys_addr_t region)
{
	bool failed = true;	/* as it stays if the instruction faults */

	if (__read_cr4() & X86_CR4_VMXE)
		return -EBUSY;
	cr4_set_bits(X86_CR4_VMXE);
	asm volatile("1: vmxon %1\n\t"
		     "setbe %0\n\t"
		     "2:\n\t"
		     _ASM_EXTABLE(1b, 2b)
		     : "+qm" (failed) : "m" (region) : "cc", "memory");
	if (!failed)
		return 0;
	cr4_clear_bits(X86_CR4_VMXE);
	return -EIO;
}

/* It faults if VMX is off already, which is just as well. */
static inline void compat_vmx_off(void)
{
	asm volatile("1: vmxoff\n\t"
		     "2:\n\t"
		     _ASM_EXTABLE(1b, 2b)
		     : : : "cc", "memory");
	cr4_clear_bits(X86_CR4_VMXE);
}

/* Any context. In VMX operation INIT would be held back, and the next kernel not boot. */
static inline void compat_vmx_emergency_off(void)
{
	if (__read_cr4() & X86_CR4_VMXE)
		compat_vmx_off();
}

#endif

/*
 * An NMI that ended the guest's turn: as if it had come now. Interrupts off, NMIs
 * blocked until this handler's IRET. May be called where RCU is not watching.
 */
static __always_inline void compat_host_nmi(void)
{
#ifdef HAVE_X86_ENTRY_FROM_KVM
	x86_entry_from_kvm(EVENT_TYPE_NMI, NMI_VECTOR);
#else
	asm volatile("int $2" : : : "memory");
#endif
}

#ifndef HAVE_X86_ENTRY_FROM_KVM
void vmx_call_gate(unsigned long handler);	/* enter.S */
#endif

/*
 * An external interrupt that ended the guest's turn, and which that has acknowledged: as if
 * it came now. Interrupts off.
 */
static inline void compat_host_irq(u8 vector)
{
#ifdef HAVE_X86_ENTRY_FROM_KVM
	x86_entry_from_kvm(EVENT_TYPE_EXTINT, vector);
#else
	struct desc_ptr idt;

	store_idt(&idt);
	vmx_call_gate(gate_offset((gate_desc *)idt.address + vector));
#endif
}

/*
 * A machine check that ended the guest's turn: as if it had come now, and in user
 * mode, for nothing of the host's was interrupted: bad memory of the guest's costs the
 * VMM a SIGBUS, not the host its life. Interrupts off.
 */
static inline void compat_machine_check(void)
{
#ifdef CONFIG_X86_MCE
	struct pt_regs regs = {
		.cs = __USER_CS,
		.flags = X86_EFLAGS_IF,
	};

	do_machine_check(&regs);
#endif
}

/*
 * Before guest code runs after host code did a division: some CPUs leak the
 * last quotient.
 */
static inline void compat_clear_divider(void)
{
#ifdef X86_BUG_DIV0
	if (boot_cpu_has_bug(X86_BUG_DIV0))
		amd_clear_divider();
#endif
}

/*
 * Before guest code runs, if it could read stale data of the host's through MMIO:
 * kernels that do not clear buffers in the entry code for that have a key for it.
 */
static inline void compat_clear_cpu_buffers_for_mmio(void)
{
#ifdef HAVE_MMIO_STALE_KEY
	if (static_branch_unlikely(&mmio_stale_data_clear))
		x86_clear_cpu_buffers();
#endif
}

/*
 * Has this CPU taken an interrupt since it was asked last? Interrupts off. Kernels that
 * are built without KVM for Intel, or without mitigations, do not note it: then yes.
 */
static inline bool compat_interrupted(void)
{
#if IS_ENABLED(CONFIG_KVM_INTEL) && \
	(IS_ENABLED(CONFIG_CPU_MITIGATIONS) || IS_ENABLED(CONFIG_SPECULATION_MITIGATIONS))
	bool taken = kvm_get_cpu_l1tf_flush_l1d();

	kvm_clear_cpu_l1tf_flush_l1d();
	return taken;
#else
	return true;
#endif
}

/* After a guest ran: its branch predictions may not steer the VMM's. */
static inline void compat_guest_was_here(void)
{
#ifdef X86_FEATURE_IBPB_EXIT_TO_USER
	if (cpu_feature_enabled(X86_FEATURE_IBPB_EXIT_TO_USER))
		this_cpu_write(x86_ibpb_exit_to_user, true);
#endif
}

/* RCU may take this CPU's entry into a guest as a quiescent state. Interrupts off. */
static __always_inline void compat_rcu_note_guest(void)
{
#ifdef HAVE_RCU_VIRT_NOTE_CPU
	rcu_virt_note_context_switch(raw_smp_processor_id());
#else
	rcu_virt_note_context_switch();
#endif
}

#endif
