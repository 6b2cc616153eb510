// SPDX-License-Identifier: GPL-2.0
/*
 * The x86 rows of the three ioctl tables, and the few handlers that belong to
 * no room. Locks and preconditions are in the flags (ioctl.h); a row says all
 * that the dispatcher does around its handler.
 */
#include <linux/uaccess.h>
#include "ioctl.h"
#include "irqchip.h"
#include "lapic.h"
#include "mmu.h"
#include "x86.h"

/* ---- VM ------------------------------------------------------------------------- */

static long vm_set_tss_addr(struct kvm *kvm, void *arg)
{
	unsigned long addr = (unsigned long)arg;

	/* three pages that must lie below 4 GiB */
	if (addr > U32_MAX - 3 * PAGE_SIZE)
		return -EINVAL;
	kvm->arch.tss_addr = addr;
	return 0;
}

static long vm_set_identity_map(struct kvm *kvm, void *arg)
{
	kvm->arch.identity_map_addr = *(u64 *)arg ?: 0xfffbc000;
	return 0;
}

static long vm_set_nr_mmu_pages(struct kvm *kvm, void *arg)
{
	return mmu_set_nr_pages(kvm, (unsigned long)arg);
}

static long vm_get_nr_mmu_pages(struct kvm *kvm, void *arg)
{
	return mmu_nr_pages(kvm);
}

static long vm_set_boot_cpu(struct kvm *kvm, void *arg)
{
	unsigned long id = (unsigned long)arg;

	if (kvm->nr_created)
		return -EBUSY;
	kvm->arch.boot_vcpu_id = id;
	return 0;
}

static const struct kvm_ioctl vm_rows[] = {
	{ KVM_SET_TSS_ADDR,		IOCTL_VALUE, .vm = vm_set_tss_addr },
	{ KVM_SET_IDENTITY_MAP_ADDR,	IOCTL_LOCK | IOCTL_NO_VCPUS, .vm = vm_set_identity_map },
	{ KVM_SET_NR_MMU_PAGES,		IOCTL_VALUE, .vm = vm_set_nr_mmu_pages },
	{ KVM_GET_NR_MMU_PAGES,		IOCTL_VALUE, .vm = vm_get_nr_mmu_pages },
	{ KVM_SET_BOOT_CPU_ID,		IOCTL_VALUE | IOCTL_LOCK, .vm = vm_set_boot_cpu },
	{ KVM_CREATE_IRQCHIP,		IOCTL_VALUE | IOCTL_LOCK, .vm = irqchip_ioctl_create },
	{ KVM_GET_IRQCHIP,		IOCTL_IRQCHIP, .vm = irqchip_ioctl_get },
	{ KVM_SET_IRQCHIP,		IOCTL_IRQCHIP, .vm = irqchip_ioctl_set },
	{ KVM_IRQ_LINE_STATUS,		0, .vm = irqchip_ioctl_irq_line },
	{ KVM_IRQ_LINE,			0, .vm = irqchip_ioctl_irq_line },
	{ KVM_SIGNAL_MSI,		0, .vm = irqchip_ioctl_signal_msi },
	{ KVM_CREATE_PIT,		IOCTL_VALUE | IOCTL_LOCK, .vm = pit_ioctl_create },
	{ KVM_CREATE_PIT2,		IOCTL_LOCK, .vm = pit_ioctl_create2 },
	{ KVM_GET_PIT,			IOCTL_LOCK, .vm = pit_ioctl_get },
	{ KVM_SET_PIT,			IOCTL_LOCK, .vm = pit_ioctl_set },
	{ KVM_GET_PIT2,			IOCTL_LOCK, .vm = pit_ioctl_get2 },
	{ KVM_SET_PIT2,			IOCTL_LOCK, .vm = pit_ioctl_set2 },
	{ KVM_REINJECT_CONTROL,		IOCTL_RAW | IOCTL_LOCK, .vm = pit_ioctl_reinject },
	{ KVM_GET_CLOCK,		0, .vm = pv_vm_get_clock },
	{ KVM_SET_CLOCK,		0, .vm = pv_vm_set_clock },
	{ KVM_X86_SET_MSR_FILTER,	0, .vm = x86_vm_set_msr_filter },
	{ KVM_SET_TSC_KHZ,		IOCTL_VALUE, .vm = x86_vm_set_tsc_khz },
	{ KVM_GET_TSC_KHZ,		IOCTL_VALUE, .vm = x86_vm_get_tsc_khz },
};

const struct kvm_ioctl_table x86_vm_ioctls = { vm_rows, ARRAY_SIZE(vm_rows) };

/* ---- vCPU ------------------------------------------------------------------------ */

/* A vector from a VMM that has its own interrupt controller. */
long x86_ioctl_interrupt(struct kvm_vcpu *vcpu, void *arg)
{
	const struct kvm_interrupt *irq = arg;

	if (irq->irq >= 256)
		return -EINVAL;
	if (vcpu->kvm->arch.irqchip_mode == X86_IRQCHIP_FULL)
		return -ENXIO;
	/* with a local APIC in the kernel only ExtINT of a userspace PIC is left */
	if (vcpu->arch.ev.user_vector >= 0)
		return -EEXIST;
	vcpu->arch.ev.user_vector = irq->irq;
	kvm_set_request(KVM_REQ_EVENT, vcpu);
	return 0;
}

long x86_ioctl_nmi(struct kvm_vcpu *vcpu, void *arg)
{
	x86_queue_nmi(vcpu);
	return 0;
}

static const struct kvm_ioctl vcpu_rows[] = {
	{ KVM_GET_REGS,			0, .vcpu = x86_get_regs },
	{ KVM_SET_REGS,			0, .vcpu = x86_set_regs },
	{ KVM_GET_SREGS,		0, .vcpu = x86_get_sregs },
	{ KVM_SET_SREGS,		IOCTL_SRCU, .vcpu = x86_set_sregs },
	{ KVM_GET_SREGS2,		IOCTL_SRCU, .vcpu = x86_get_sregs2 },
	{ KVM_SET_SREGS2,		IOCTL_SRCU, .vcpu = x86_set_sregs2 },
	{ KVM_GET_MSRS,			IOCTL_RAW | IOCTL_SRCU, .vcpu = x86_ioctl_get_msrs },
	{ KVM_SET_MSRS,			IOCTL_RAW | IOCTL_SRCU, .vcpu = x86_ioctl_set_msrs },
	{ KVM_SET_CPUID,		IOCTL_RAW | IOCTL_SRCU, .vcpu = x86_set_cpuid },
	{ KVM_SET_CPUID2,		IOCTL_RAW | IOCTL_SRCU, .vcpu = x86_set_cpuid2 },
	{ KVM_GET_CPUID2,		IOCTL_RAW, .vcpu = x86_get_cpuid2 },
	{ KVM_GET_FPU,			0, .vcpu = x86_get_fpu },
	{ KVM_SET_FPU,			0, .vcpu = x86_set_fpu },
	{ KVM_GET_XSAVE,		IOCTL_RAW, .vcpu = x86_get_xsave },
	{ KVM_GET_XSAVE2,		IOCTL_RAW, .vcpu = x86_get_xsave2 },
	{ KVM_SET_XSAVE,		IOCTL_RAW, .vcpu = x86_set_xsave },
	{ KVM_GET_XCRS,			0, .vcpu = x86_get_xcrs },
	{ KVM_SET_XCRS,			0, .vcpu = x86_set_xcrs },
	{ KVM_GET_VCPU_EVENTS,		0, .vcpu = x86_get_vcpu_events },
	{ KVM_SET_VCPU_EVENTS,		0, .vcpu = x86_set_vcpu_events },
	{ KVM_GET_DEBUGREGS,		0, .vcpu = x86_get_debugregs },
	{ KVM_SET_DEBUGREGS,		0, .vcpu = x86_set_debugregs },
	{ KVM_SET_GUEST_DEBUG,		0, .vcpu = x86_set_guest_debug },
	{ KVM_GET_MP_STATE,		IOCTL_SRCU, .vcpu = x86_get_mp_state },
	{ KVM_SET_MP_STATE,		0, .vcpu = x86_set_mp_state },
	{ KVM_TRANSLATE,		IOCTL_SRCU, .vcpu = x86_translate },
	{ KVM_GET_LAPIC,		IOCTL_LAPIC, .vcpu = lapic_ioctl_get },
	{ KVM_SET_LAPIC,		IOCTL_LAPIC, .vcpu = lapic_ioctl_set },
	{ KVM_INTERRUPT,		0, .vcpu = x86_ioctl_interrupt },
	{ KVM_NMI,			IOCTL_VALUE, .vcpu = x86_ioctl_nmi },
	{ KVM_TPR_ACCESS_REPORTING,	IOCTL_SRCU, .vcpu = x86_tpr_reporting },
	{ KVM_SET_VAPIC_ADDR,		IOCTL_SRCU, .vcpu = x86_set_vapic_addr },
	{ KVM_X86_SETUP_MCE,		0, .vcpu = x86_setup_mce },
	{ KVM_X86_SET_MCE,		0, .vcpu = x86_set_mce },
	{ KVM_GET_TSC_KHZ,		IOCTL_VALUE, .vcpu = x86_get_tsc_khz },
	{ KVM_SET_TSC_KHZ,		IOCTL_VALUE, .vcpu = x86_set_tsc_khz },
	{ KVM_KVMCLOCK_CTRL,		IOCTL_VALUE, .vcpu = pv_kvmclock_ctrl },
	{ KVM_HAS_DEVICE_ATTR,		0, .vcpu = x86_vcpu_has_attr },
	{ KVM_GET_DEVICE_ATTR,		0, .vcpu = x86_vcpu_get_attr },
	{ KVM_SET_DEVICE_ATTR,		0, .vcpu = x86_vcpu_set_attr },
};

const struct kvm_ioctl_table x86_vcpu_ioctls = { vcpu_rows, ARRAY_SIZE(vcpu_rows) };

/* ---- /dev/kvm --------------------------------------------------------------------- */

static long sys_has_attr(void *arg)
{
	const struct kvm_device_attr *attr = arg;

	return attr->group == 0 && attr->attr == KVM_X86_XCOMP_GUEST_SUPP ? 0 : -ENXIO;
}

static long sys_get_attr(void *arg)
{
	const struct kvm_device_attr *attr = arg;

	if (sys_has_attr(arg))
		return -ENXIO;
	return put_user(x86_supported_xcr0(), (u64 __user *)(unsigned long)attr->addr);
}

static const struct kvm_ioctl sys_rows[] = {
	{ KVM_GET_SUPPORTED_CPUID,	IOCTL_RAW, .sys = x86_sys_supported_cpuid },
	{ KVM_GET_EMULATED_CPUID,	IOCTL_RAW, .sys = x86_sys_emulated_cpuid },
	{ KVM_GET_MSR_INDEX_LIST,	IOCTL_RAW, .sys = x86_sys_msr_index_list },
	{ KVM_GET_MSR_FEATURE_INDEX_LIST, IOCTL_RAW, .sys = x86_sys_msr_feature_list },
	{ KVM_GET_MSRS,			IOCTL_RAW, .sys = x86_sys_get_msrs },
	{ KVM_X86_GET_MCE_CAP_SUPPORTED, 0, .sys = x86_sys_mce_cap },
	{ KVM_HAS_DEVICE_ATTR,		0, .sys = sys_has_attr },
	{ KVM_GET_DEVICE_ATTR,		0, .sys = sys_get_attr },
};

const struct kvm_ioctl_table x86_sys_ioctls = { sys_rows, ARRAY_SIZE(sys_rows) };
