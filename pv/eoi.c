// SPDX-License-Identifier: GPL-2.0
/*
 * PV EOI: end of interrupt by clearing a bit in guest memory instead of an
 * access to the local APIC that exits.
 *
 * Before an entry, if exactly one edge interrupt is in service and nothing
 * waits behind it, the bit is set: the guest's EOI has no effect that anybody
 * must learn of now. After the exit the bit tells whether the guest took the
 * offer; then the EOI is done here. If it did not, the offer is withdrawn, so
 * that every other part of the house finds a local APIC that means what it
 * says. Where the hardware ends interrupts without an exit there is nothing to
 * save, and it would not learn of it: no offer is made.
 *
 * Withdrawing is a plain write, not an exchange: the guest's CPU is this
 * thread, and it is not running.
 */
#include <asm/kvm_para.h>
#include "irqchip.h"
#include "pv.h"
#include "trace.h"

int pv_set_eoi(struct kvm_vcpu *vcpu, u64 data)
{
	struct x86_pv *pv = &vcpu->arch.pv;

	if (data & BIT_ULL(1))
		return -EINVAL;
	pv->eoi_msr = data;
	pv->eoi_pending = false;
	if (data & KVM_MSR_ENABLED)
		kvm_cache_init(vcpu->kvm, &pv->eoi_mem, data & ~3ULL, sizeof(u8));
	return 0;
}

static int eoi_put(struct kvm_vcpu *vcpu, u8 val)
{
	return kvm_cache_write(vcpu->kvm, &vcpu->arch.pv.eoi_mem, &val, 0, sizeof(val));
}

void pv_eoi_before_entry(struct kvm_vcpu *vcpu)
{
	struct x86_pv *pv = &vcpu->arch.pv;

	if (!(pv->eoi_msr & KVM_MSR_ENABLED) || pv->eoi_pending || !vcpu->arch.apic)
		return;
	if (vcpu->arch.apicv_active || !lapic_eoi_may_be_lazy(vcpu->arch.apic))
		return;
	pv->eoi_pending = !eoi_put(vcpu, KVM_PV_EOI_ENABLED);
}

void pv_eoi_look(struct kvm_vcpu *vcpu)
{
	struct x86_pv *pv = &vcpu->arch.pv;
	u8 val;

	/* unreadable: stay with the offer until the guest's memory is back */
	if (kvm_cache_read(vcpu->kvm, &pv->eoi_mem, &val, 0, sizeof(val)))
		return;
	pv->eoi_pending = false;
	if (val & KVM_PV_EOI_ENABLED) {
		eoi_put(vcpu, val & ~KVM_PV_EOI_ENABLED);
		return;
	}
	trace_kvm_pv_eoi(vcpu->arch.apic->id, lapic_highest_isr(vcpu->arch.apic));
	lapic_eoi(vcpu->arch.apic);
}
