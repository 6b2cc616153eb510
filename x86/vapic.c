// SPDX-License-Identifier: GPL-2.0
/*
 * TPR access reporting and the vAPIC page: how 32-bit Windows runs without an
 * exit at each change of its task priority.
 *
 * Without hardware help each access to the TPR through the APIC page exits.
 * The VMM asks to be told of them (KVM_TPR_ACCESS_REPORTING), patches the
 * guest's instructions into calls to an option ROM, and names a guest page
 * (KVM_SET_VAPIC_ADDR) through which the ROM and KVM talk. Its four bytes are
 *
 *	0 TPR	the guest writes, KVM reads after each exit
 *	1 ISR	class of the highest vector in service, written by KVM
 *	2 zero
 *	3 IRR	the highest vector requested, written by KVM
 *
 * so that the ROM can tell whether lowering the TPR would release an interrupt,
 * and only then asks KVM to look (KVM_HC_VAPIC_POLL_IRQ).
 */
#include "apicv.h"
#include "irqchip.h"
#include "lapic.h"
#include "x86.h"

long x86_tpr_reporting(struct kvm_vcpu *vcpu, void *arg)
{
	const struct kvm_tpr_access_ctl *ctl = arg;

	if (ctl->flags)
		return -EINVAL;
	vcpu->arch.tpr_access_reporting = ctl->enabled;
	apicv_report_tpr(vcpu, ctl->enabled);
	return 0;
}

long x86_set_vapic_addr(struct kvm_vcpu *vcpu, void *arg)
{
	const struct kvm_vapic_addr *va = arg;
	int r = 0;

	if (!vcpu->arch.apic)
		return -EINVAL;
	if (va->vapic_addr)
		r = kvm_cache_init(vcpu->kvm, &vcpu->arch.vapic, va->vapic_addr, sizeof(u32));
	if (r)
		return -EINVAL;
	vcpu->arch.vapic_addr = va->vapic_addr;
	apicv_set_inhibit(vcpu, APICV_OFF_VAPIC, va->vapic_addr);
	return 0;
}

void x86_vapic_to_guest(struct kvm_vcpu *vcpu)
{
	struct lapic *apic = vcpu->arch.apic;
	int irr = lapic_highest_irr(apic), isr = lapic_highest_isr(apic);
	u32 page = lapic_reg(apic, LAPIC_TPR) & 0xff;

	page |= (isr > 0 ? isr & 0xf0 : 0) << 8;
	page |= (u32)(irr > 0 ? irr : 0) << 24;
	kvm_cache_write(vcpu->kvm, &vcpu->arch.vapic, &page, 0, sizeof(page));
}

void x86_vapic_from_guest(struct kvm_vcpu *vcpu)
{
	u32 page;

	if (kvm_cache_read(vcpu->kvm, &vcpu->arch.vapic, &page, 0, sizeof(page)))
		return;
	if ((page & 0xff) == (lapic_reg(vcpu->arch.apic, LAPIC_TPR) & 0xff))
		return;
	lapic_put_reg(vcpu->arch.apic, LAPIC_TPR, page & 0xff);
	kvm_set_request(KVM_REQ_EVENT, vcpu);
}

void x86_vapic_report(struct kvm_vcpu *vcpu, bool write)
{
	vcpu->run->tpr_access.rip = x86_rip(vcpu);
	vcpu->run->tpr_access.is_write = write;
	kvm_set_request(KVM_REQ_TPR_REPORT, vcpu);
}
