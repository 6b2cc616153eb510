// SPDX-License-Identifier: GPL-2.0
/*
 * The paravirtual interface's front: which features exist, and its MSRs.
 *
 * A feature bit in CPUID 0x40000001 and the MSR behind it are offered together
 * and only if the thing works. What is not there: asynchronous page faults
 * (4, 10, 14), the TLB flush by flag in the steal time area (9), the yield
 * hypercall (13), the page encryption hypercall and its MSR (16, 17). Bit 15 (extended destination ids
 * in MSIs) is the VMM's to add when it routes interrupts itself.
 *
 * A VMM may insist that guests use only what their CPUID shows
 * (KVM_CAP_ENFORCE_PV_FEATURE_CPUID); without that, history has it that the
 * MSRs work whatever CPUID says. Userspace can always read and write them.
 */
#include <linux/sched/stat.h>
#include <asm/kvm_para.h>
#include "arch.h"
#include "pv.h"

u32 pv_supported_features(void)
{
	return BIT(KVM_FEATURE_CLOCKSOURCE) | BIT(KVM_FEATURE_NOP_IO_DELAY) |
	       BIT(KVM_FEATURE_CLOCKSOURCE2) | BIT(KVM_FEATURE_CLOCKSOURCE_STABLE_BIT) |
	       (sched_info_on() ? BIT(KVM_FEATURE_STEAL_TIME) : 0) |
	       BIT(KVM_FEATURE_PV_EOI) | BIT(KVM_FEATURE_PV_UNHALT) |
	       BIT(KVM_FEATURE_PV_SEND_IPI) | BIT(KVM_FEATURE_POLL_CONTROL);
}

static int set_poll_control(struct kvm_vcpu *vcpu, u64 data)
{
	if (data & ~1ULL)
		return -EINVAL;
	vcpu->arch.pv.poll_ctl = data;
	return 0;
}

bool arch_vcpu_may_poll(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.pv.poll_ctl & 1;
}

static u64 get_wall_clock(struct kvm_vcpu *vcpu)
{
	return vcpu->kvm->arch.wall_clock;
}

static u64 get_system_time(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.pv.clock_msr;
}

static u64 get_steal_time(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.pv.steal_msr;
}

static u64 get_eoi(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.pv.eoi_msr;
}

static u64 get_poll_control(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.pv.poll_ctl;
}

static const struct pv_msr {
	u32 index;
	u32 feature;		/* bit number in 0x40000001:EAX */
	u64 (*get)(struct kvm_vcpu *vcpu);
	int (*set)(struct kvm_vcpu *vcpu, u64 data);
} pv_msrs[] = {
	{ MSR_KVM_WALL_CLOCK, KVM_FEATURE_CLOCKSOURCE, get_wall_clock, pv_set_wall_clock },
	{ MSR_KVM_SYSTEM_TIME, KVM_FEATURE_CLOCKSOURCE, get_system_time, pv_set_system_time },
	{ MSR_KVM_WALL_CLOCK_NEW, KVM_FEATURE_CLOCKSOURCE2, get_wall_clock, pv_set_wall_clock },
	{ MSR_KVM_SYSTEM_TIME_NEW, KVM_FEATURE_CLOCKSOURCE2,
	  get_system_time, pv_set_system_time },
	{ MSR_KVM_STEAL_TIME, KVM_FEATURE_STEAL_TIME, get_steal_time, pv_set_steal_time },
	{ MSR_KVM_PV_EOI_EN, KVM_FEATURE_PV_EOI, get_eoi, pv_set_eoi },
	{ MSR_KVM_POLL_CONTROL, KVM_FEATURE_POLL_CONTROL, get_poll_control, set_poll_control },
};

static const struct pv_msr *pv_find(struct kvm_vcpu *vcpu, const struct x86_msr *msr)
{
	const struct x86_cpuid *c = &vcpu->arch.cpuid;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(pv_msrs); i++)
		if (pv_msrs[i].index == msr->index)
			break;
	if (i == ARRAY_SIZE(pv_msrs))
		return NULL;
	if (!msr->host && c->enforce_pv && !(c->kvm_features & BIT(pv_msrs[i].feature)))
		return NULL;
	return &pv_msrs[i];
}

int pv_get_msr(struct kvm_vcpu *vcpu, struct x86_msr *msr)
{
	const struct pv_msr *m = pv_find(vcpu, msr);

	if (!m)
		return 1;
	msr->data = m->get(vcpu);
	return 0;
}

int pv_set_msr(struct kvm_vcpu *vcpu, const struct x86_msr *msr)
{
	const struct pv_msr *m = pv_find(vcpu, msr);

	return m ? m->set(vcpu, msr->data) : 1;
}

/* Power-on: nothing is registered; the host may poll. */
void pv_vcpu_reset(struct kvm_vcpu *vcpu)
{
	memset(&vcpu->arch.pv, 0, sizeof(vcpu->arch.pv));
	vcpu->arch.pv.poll_ctl = 1;
}
