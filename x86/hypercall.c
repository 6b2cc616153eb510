// SPDX-License-Identifier: GPL-2.0
/*
 * Hypercalls: what a guest asks for with VMMCALL or VMCALL.
 *
 * The number is in RAX, up to four arguments in RBX, RCX, RDX and RSI, the
 * answer in RAX (Documentation of KVM, "Linux KVM Hypercall ABI"). Only the
 * kernel of the guest may ask. A call whose feature bit the guest's CPUID does
 * not show is unknown if userspace asked for that to be enforced.
 */
#include <linux/kvm_para.h>
#include "irqchip.h"
#include "lapic.h"
#include "trace.h"
#include "x86.h"

static bool has_feature(struct kvm_vcpu *vcpu, unsigned int bit)
{
	return !vcpu->arch.cpuid.enforce_pv || (vcpu->arch.cpuid.kvm_features & BIT(bit));
}

static struct kvm_vcpu *vcpu_by_apicid(struct kvm *kvm, u32 apicid)
{
	return kvm_vcpu_by_id(kvm, apicid);	/* ids are APIC ids: lapic.h */
}

/* A vCPU that spun on a lock and halted may go on. */
static long hc_kick_cpu(struct kvm_vcpu *vcpu, const u64 *a)
{
	struct kvm_vcpu *target = vcpu_by_apicid(vcpu->kvm, a[1]);

	if (target) {
		set_bit(0, &target->arch.pv_unhalted);
		kvm_set_request(KVM_REQ_EVENT, target);
		kvm_vcpu_kick(target);
	}
	return 0;
}

static long send_ipi_mask(struct kvm_vcpu *vcpu, u64 mask, u32 first, struct lapic_irq *irq)
{
	struct kvm_vcpu *target;
	long count = 0;
	int bit;

	for (bit = 0; bit < 64; bit++) {
		if (!(mask & BIT_ULL(bit)))
			continue;
		target = vcpu_by_apicid(vcpu->kvm, first + bit);
		if (target && target->arch.apic)
			count += lapic_accept(target->arch.apic, irq) >= 0;
	}
	return count;
}

/* One IPI to up to 128 CPUs, 64 if words have 32 bits: two words of bits from a lowest APIC id on. */
static long hc_send_ipi(struct kvm_vcpu *vcpu, const u64 *a)
{
	u32 icr = a[3], second = a[2] + (x86_64bit_code(vcpu) ? 64 : 32);
	struct lapic_irq irq = {
		.vector = icr & 0xff, .mode = icr & LAPIC_MODE, .assert = true,
	};

	if (!vcpu->arch.apic || (icr & LAPIC_SHORTHAND) || (icr & LAPIC_DEST_LOGICAL))
		return -KVM_EINVAL;
	if (irq.mode != LAPIC_MODE_FIXED && irq.mode != LAPIC_MODE_NMI)
		return -KVM_EINVAL;
	return send_ipi_mask(vcpu, a[0], a[2], &irq) + send_ipi_mask(vcpu, a[1], second, &irq);
}

static long hc_vapic_poll(struct kvm_vcpu *vcpu, const u64 *a)
{
	return 0;
}

static const struct {
	u32 nr;
	int feature;		/* CPUID 0x40000001 EAX bit, -1 none */
	long (*call)(struct kvm_vcpu *vcpu, const u64 *args);
} hypercalls[] = {
	{ KVM_HC_VAPIC_POLL_IRQ, -1, hc_vapic_poll },
	{ KVM_HC_KICK_CPU, KVM_FEATURE_PV_UNHALT, hc_kick_cpu },
	{ KVM_HC_SEND_IPI, KVM_FEATURE_PV_SEND_IPI, hc_send_ipi },
};

u64 x86_hypercall(struct kvm_vcpu *vcpu, const u64 *gpr, bool is64, int cpl)
{
	u64 mask = is64 ? ~0ull : 0xffffffff;
	u64 nr = gpr[X86_RAX] & mask;
	u64 args[4] = { gpr[X86_RBX] & mask, gpr[X86_RCX] & mask,
			gpr[X86_RDX] & mask, gpr[X86_RSI] & mask };
	long ret = -KVM_ENOSYS;
	int i;

	vcpu->stat.hypercalls++;
	trace_kvm_hypercall(nr, args[0], args[1], args[2], args[3]);
	if (cpl)
		return -KVM_EPERM & mask;
	for (i = 0; i < ARRAY_SIZE(hypercalls); i++)
		if (hypercalls[i].nr == nr &&
		    (hypercalls[i].feature < 0 || has_feature(vcpu, hypercalls[i].feature)))
			ret = hypercalls[i].call(vcpu, args);
	return ret & mask;
}

int x86_handle_hypercall(struct kvm_vcpu *vcpu)
{
	vcpu->arch.regs.gpr[X86_RAX] = x86_hypercall(vcpu, vcpu->arch.regs.gpr,
						     x86_64bit_code(vcpu), x86_cpl(vcpu));
	return x86_skip(vcpu);
}
EXPORT_SYMBOL_GPL(x86_handle_hypercall);
