// SPDX-License-Identifier: GPL-2.0
/*
 * KVM_CHECK_EXTENSION and KVM_ENABLE_CAP: one table each.
 *
 * A capability is listed only if all of it works. VMMs trust the answer and
 * some compare it with exactly 1 (KVM API, "KVM_CHECK_EXTENSION"), so a value
 * other than 1 stands only where the API gives it a meaning. What is not listed
 * answers 0. A capability with an "enable" is never listed unless enabling it
 * succeeds.
 */
#include "arch.h"
#include "ioctl.h"
#include "irqchip.h"
#include "mmu.h"
#include "x86.h"

/* ---- values that depend on the machine or the VM ------------------------------- */

static int cap_nr_vcpus(struct kvm *kvm)
{
	return min_t(unsigned int, num_online_cpus(), KVM_MAX_VCPUS);
}

static int cap_tsc_control(struct kvm *kvm)
{
	return hw_caps.tsc_scaling;
}


static int cap_xsave2(struct kvm *kvm)
{
	return x86_xsave_size(kvm);
}

static int cap_xcrs(struct kvm *kvm)
{
	return boot_cpu_has(X86_FEATURE_XSAVE);
}

static int cap_adjust_clock(struct kvm *kvm)
{
	return KVM_CLOCK_TSC_STABLE | KVM_CLOCK_REALTIME | KVM_CLOCK_HOST_TSC;
}

/* MWAIT is not offered, so nothing is said about it. */
#define DISABLE_EXITS_KNOWN (KVM_X86_DISABLE_EXITS_HLT | KVM_X86_DISABLE_EXITS_PAUSE)

#define QUIRKS_KNOWN (KVM_X86_QUIRK_LINT0_REENABLED | KVM_X86_QUIRK_LAPIC_MMIO_HOLE | \
		      KVM_X86_QUIRK_OUT_7E_INC_RIP | KVM_X86_QUIRK_FIX_HYPERCALL_INSN)

#define MSR_EXITS_KNOWN (KVM_MSR_EXIT_REASON_INVAL | KVM_MSR_EXIT_REASON_UNKNOWN | \
			 KVM_MSR_EXIT_REASON_FILTER)

#define X2APIC_API_KNOWN (KVM_X2APIC_API_USE_32BIT_IDS | KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK)

#define CAP(cap, val)		{ KVM_CAP_##cap, val, NULL }
#define CAP_FN(cap, fn)		{ KVM_CAP_##cap, 0, fn }

static const struct {
	u32 cap;
	int value;
	int (*fn)(struct kvm *kvm);
} caps[] = {
	CAP(IRQCHIP, 1),
	CAP(HLT, 1),
	CAP(MMU_SHADOW_CACHE_CONTROL, 1),
	CAP(USER_MEMORY, 1),
	CAP(SET_TSS_ADDR, 1),
	CAP(EXT_CPUID, 1),
	CAP(CLOCKSOURCE, 1),
	CAP_FN(NR_VCPUS, cap_nr_vcpus),
	CAP(NR_MEMSLOTS, KVM_USER_MEM_SLOTS),
	CAP(PIT, 1),
	CAP(NOP_IO_DELAY, 1),
	CAP(MP_STATE, 1),
	CAP(COALESCED_MMIO, KVM_COALESCED_MMIO_PAGE_OFFSET),
	CAP(SYNC_MMU, 1),
	CAP(DESTROY_MEMORY_REGION_WORKS, 1),
	CAP(USER_NMI, 1),
	CAP(SET_GUEST_DEBUG, 1),
	CAP(REINJECT_CONTROL, 1),
	CAP(IRQ_ROUTING, KVM_MAX_IRQ_ROUTES),
	CAP(IRQ_INJECT_STATUS, 1),
	CAP(JOIN_MEMORY_REGIONS_WORKS, 1),
	CAP(MCE, X86_MCE_BANKS),
	CAP(IRQFD, 1),
	CAP(PIT2, 1),
	CAP(SET_BOOT_CPU_ID, 1),
	CAP(PIT_STATE2, 1),
	CAP(IOEVENTFD, 1),
	CAP(SET_IDENTITY_MAP_ADDR, 1),
	CAP_FN(ADJUST_CLOCK, cap_adjust_clock),
	CAP(INTERNAL_ERROR_DATA, 1),
	CAP(VCPU_EVENTS, 1),
	CAP(INTR_SHADOW, 1),
	CAP(DEBUGREGS, 1),
	CAP(X86_ROBUST_SINGLESTEP, 1),
	CAP(ENABLE_CAP, 1),
	CAP(XSAVE, 1),
	CAP_FN(XCRS, cap_xcrs),
	CAP_FN(TSC_CONTROL, cap_tsc_control),
	CAP(GET_TSC_KHZ, 1),
	CAP(MAX_VCPUS, KVM_MAX_VCPUS),
	CAP(TSC_DEADLINE_TIMER, 1),
	CAP(KVMCLOCK_CTRL, 1),
	CAP(SIGNAL_MSI, 1),
	CAP(READONLY_MEM, 1),
	CAP(IRQFD_RESAMPLE, 1),
	CAP(DEVICE_CTRL, 1),
	CAP(EXT_EMUL_CPUID, 1),
	CAP(IOAPIC_POLARITY_IGNORED, 1),
	CAP(ENABLE_CAP_VM, 1),
	CAP(IOEVENTFD_NO_LENGTH, 1),
	CAP(CHECK_EXTENSION_VM, 1),
	CAP(DISABLE_QUIRKS, 1),
	CAP(MULTI_ADDRESS_SPACE, KVM_ADDRESS_SPACES),
	CAP(SPLIT_IRQCHIP, 1),
	CAP(IOEVENTFD_ANY_LENGTH, 1),
	CAP(VCPU_ATTRIBUTES, 1),
	CAP(MAX_VCPU_ID, KVM_MAX_VCPU_IDS),
	CAP(X2APIC_API, X2APIC_API_KNOWN),
	CAP(SYNC_REGS, X86_SYNC_REGS_KNOWN),
	CAP(IMMEDIATE_EXIT, 1),
	CAP(X86_DISABLE_EXITS, DISABLE_EXITS_KNOWN),
	CAP(GET_MSR_FEATURES, 1),
	CAP(MSR_PLATFORM_INFO, 1),
	CAP(COALESCED_PIO, 1),
	CAP(EXCEPTION_PAYLOAD, 1),
	CAP(MANUAL_DIRTY_LOG_PROTECT2,
	    KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVM_DIRTY_LOG_INITIALLY_SET),
	CAP(HALT_POLL, 1),
	CAP(X86_USER_SPACE_MSR, 1),
	CAP(X86_MSR_FILTER, 1),
	CAP(ENFORCE_PV_FEATURE_CPUID, 1),
	CAP(SET_GUEST_DEBUG2, X86_GUESTDBG_KNOWN),
	CAP(SREGS2, 1),
	CAP(BINARY_STATS_FD, 1),
	CAP(EXIT_ON_EMULATION_FAILURE, 1),
	CAP_FN(XSAVE2, cap_xsave2),
	CAP(SYS_ATTRIBUTES, 1),
	CAP(DISABLE_QUIRKS2, QUIRKS_KNOWN),
	CAP_FN(VM_TSC_CONTROL, cap_tsc_control),
	CAP(X86_TRIPLE_FAULT_EVENT, 1),
};

int x86_check_extension(struct kvm *kvm, long cap)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(caps); i++)
		if (caps[i].cap == cap)
			return caps[i].fn ? caps[i].fn(kvm) : caps[i].value;
	return 0;
}

/* ---- enabling on a VM; kvm->lock held -------------------------------------------- */

static int enable_disable_quirks(struct kvm *kvm, u64 arg)
{
	kvm->arch.disabled_quirks = arg;
	return 0;
}

static int enable_split_irqchip(struct kvm *kvm, u64 arg)
{
	return irqchip_create_split(kvm, arg);
}

static int enable_x2apic_api(struct kvm *kvm, u64 arg)
{
	if (arg & KVM_X2APIC_API_USE_32BIT_IDS)
		kvm->arch.x2apic_format = true;
	if (arg & KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK)
		kvm->arch.x2apic_broadcast_quirk_off = true;
	return 0;
}

static int enable_disable_exits(struct kvm *kvm, u64 arg)
{
	if (kvm->nr_created)
		return -EINVAL;
	kvm->arch.disabled_exits |= arg;
	return 0;
}

static int enable_platform_info(struct kvm *kvm, u64 arg)
{
	kvm->arch.platform_info_readable = arg;
	return 0;
}

static int enable_exception_payload(struct kvm *kvm, u64 arg)
{
	kvm->arch.exception_payload = arg;
	return 0;
}

static int enable_triple_fault(struct kvm *kvm, u64 arg)
{
	kvm->arch.triple_fault_event = arg;
	return 0;
}

static int enable_user_msr(struct kvm *kvm, u64 arg)
{
	kvm->arch.user_space_msr_mask = arg;
	return 0;
}

static int enable_emulation_failure(struct kvm *kvm, u64 arg)
{
	kvm->arch.exit_on_emulation_error = arg;
	return 0;
}

static int enable_dirty_protect(struct kvm *kvm, u64 arg)
{
	/* INITIALLY_SET only makes sense with the protocol it modifies */
	if (arg == KVM_DIRTY_LOG_INITIALLY_SET)
		return -EINVAL;
	kvm->manual_dirty_log_protect = arg;
	return 0;
}

static int enable_halt_poll(struct kvm *kvm, u64 arg)
{
	if (arg != (u32)arg)
		return -EINVAL;
	WRITE_ONCE(kvm->max_halt_poll_ns, arg);
	return 0;
}

static int enable_max_vcpu_id(struct kvm *kvm, u64 arg)
{
	/* once, before the first vCPU: creation checks ids against it */
	if (!arg || arg > KVM_MAX_VCPU_IDS || kvm->nr_created ||
	    (kvm->max_vcpu_ids != KVM_MAX_VCPU_IDS && kvm->max_vcpu_ids != (int)arg))
		return -EINVAL;
	kvm->max_vcpu_ids = arg;
	return 0;
}

/* Arguments may have no bits outside @valid. */
static const struct {
	u32 cap;
	u64 valid;
	int (*enable)(struct kvm *kvm, u64 arg);
} vm_caps[] = {
	{ KVM_CAP_DISABLE_QUIRKS,	~0ull,			enable_disable_quirks },
	{ KVM_CAP_DISABLE_QUIRKS2,	QUIRKS_KNOWN,		enable_disable_quirks },
	{ KVM_CAP_SPLIT_IRQCHIP,	~0ull,			enable_split_irqchip },
	{ KVM_CAP_X2APIC_API,		X2APIC_API_KNOWN,	enable_x2apic_api },
	{ KVM_CAP_X86_DISABLE_EXITS,	DISABLE_EXITS_KNOWN,	enable_disable_exits },
	{ KVM_CAP_MSR_PLATFORM_INFO,	~0ull,			enable_platform_info },
	{ KVM_CAP_EXCEPTION_PAYLOAD,	~0ull,			enable_exception_payload },
	{ KVM_CAP_X86_TRIPLE_FAULT_EVENT, ~0ull,		enable_triple_fault },
	{ KVM_CAP_X86_USER_SPACE_MSR,	MSR_EXITS_KNOWN,	enable_user_msr },
	{ KVM_CAP_EXIT_ON_EMULATION_FAILURE, 1,			enable_emulation_failure },
	{ KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE |
					KVM_DIRTY_LOG_INITIALLY_SET, enable_dirty_protect },
	{ KVM_CAP_HALT_POLL,		~0ull,			enable_halt_poll },
	{ KVM_CAP_MAX_VCPU_ID,		~0ull, enable_max_vcpu_id },
};

int x86_vm_enable_cap(struct kvm *kvm, const struct kvm_enable_cap *cap)
{
	int i, r = -EINVAL;

	if (cap->flags)
		return -EINVAL;
	for (i = 0; i < ARRAY_SIZE(vm_caps); i++) {
		if (vm_caps[i].cap != cap->cap)
			continue;
		if (cap->args[0] & ~vm_caps[i].valid)
			return -EINVAL;
		mutex_lock(&kvm->lock);
		r = vm_caps[i].enable(kvm, cap->args[0]);
		mutex_unlock(&kvm->lock);
		break;
	}
	return r;
}

int x86_vcpu_enable_cap(struct kvm_vcpu *vcpu, const struct kvm_enable_cap *cap)
{
	if (cap->flags || cap->cap != KVM_CAP_ENFORCE_PV_FEATURE_CPUID)
		return -EINVAL;
	vcpu->arch.cpuid.enforce_pv = cap->args[0];
	return 0;
}
