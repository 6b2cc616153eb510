// SPDX-License-Identifier: GPL-2.0
/*
 * When hardware may do a local APIC's work, and what it has to be told: see
 * include/apicv.h.
 *
 * On and off. A reason to do without is set by a vCPU's own thread, counted for the
 * VM, and if it is the first or was the last all vCPUs get KVM_REQ_APICV. Each
 * changes its own arch.apicv_active when it serves that, so it never changes under a
 * guest that runs. What the hardware has left in the register page is what the model
 * finds there, and the other way round.
 *
 * Senders post whether the vCPU is active or not; only the way to wake it differs. A
 * sender posts, then reads apicv_active; the owner writes apicv_active, then looks
 * what was posted. So a sender that takes the vCPU for active although it is not any
 * more has posted before the owner looks.
 *
 * Ends of interrupts that an I/O APIC waits for have to exit. The vectors are those
 * that irqchip_wants_eoi() knows; when they change all vCPUs are told, by a kick that
 * is sent before the message of a changed pin is.
 *
 * The page at the APIC's address is nothing but an address to the hardware, and never
 * read or written as long as all goes well. It comes into the page tables by a fault and
 * goes when one vCPU leaves xAPIC mode or moves its APIC: that one would find memory
 * there. And the hardware would not tell of accesses to the TPR.
 */
#include <linux/gfp.h>
#include <linux/slab.h>
#include "apicv.h"
#include "ioapic.h"
#include "irqchip.h"
#include "mmu.h"
#include "trace.h"
#include "x86.h"

/* ---- on and off ---------------------------------------------------------------- */

static bool apicv_may(struct kvm_vcpu *vcpu)
{
	return !READ_ONCE(vcpu->kvm->arch.apicv.inhibits) && lapic_enabled(vcpu->arch.apic);
}

void apicv_update(struct kvm_vcpu *vcpu)
{
	const unsigned long *vectors;
	bool active;

	if (!hw_caps.apicv || !vcpu->arch.apic)
		return;
	active = apicv_may(vcpu);
	if (vcpu->arch.apicv_active != active) {
		WRITE_ONCE(vcpu->arch.apicv_active, active);
		smp_mb();	/* before what was posted is looked at */
		vcpu->arch.apic->status_stale = true;
		kvm_set_request(KVM_REQ_EVENT, vcpu);
	}
	vendor_ops->apicv->refresh(vcpu);
	vectors = irqchip_eoi_vectors(vcpu->kvm);
	if (active && vectors)
		vendor_ops->apicv->set_eoi_exits(vcpu, vectors);
}

static bool has_inhibit(const struct kvm_vcpu *vcpu, enum apicv_inhibit reason)
{
	return vcpu->arch.apicv_inhibits & BIT(reason);
}

void apicv_set_inhibit(struct kvm_vcpu *vcpu, enum apicv_inhibit reason, bool on)
{
	struct x86_vm_apicv *v = &vcpu->kvm->arch.apicv;
	unsigned long old, new;

	if (!hw_caps.apicv || !vcpu->arch.apic || on == has_inhibit(vcpu, reason))
		return;
	vcpu->arch.apicv_inhibits ^= BIT(reason);
	spin_lock(&v->lock);
	old = v->inhibits;
	v->nr[reason] += on ? 1 : -1;
	new = v->nr[reason] ? old | BIT(reason) : old & ~BIT(reason);
	WRITE_ONCE(v->inhibits, new);
	spin_unlock(&v->lock);
	trace_kvm_apicv_inhibit_changed(reason, on, new);
	if (!old != !new)
		kvm_request_all(vcpu->kvm, KVM_REQ_APICV);
}

void apicv_eoi_exits_changed(struct kvm *kvm)
{
	if (hw_caps.apicv)
		kvm_request_all(kvm, KVM_REQ_APICV);
}

void apicv_posted(struct kvm_vcpu *vcpu)
{
	if (!READ_ONCE(vcpu->arch.apicv_active))
		kvm_set_request(KVM_REQ_EVENT, vcpu);
	else if (READ_ONCE(vcpu->mode) != KVM_OUTSIDE_GUEST && vendor_ops->apicv->notify(vcpu))
		return;
	kvm_vcpu_kick(vcpu);
}

/* ---- the page ---------------------------------------------------------------------- */

#define APICV_GFN	(LAPIC_DEFAULT_BASE >> PAGE_SHIFT)

void apicv_set_page(struct kvm *kvm, bool on)
{
	struct x86_vm_apicv *v = &kvm->arch.apicv;

	lockdep_assert_held(&kvm->arch.lapic_map_lock);
	on = on && !(READ_ONCE(v->inhibits) & BIT(APICV_OFF_TPR_REPORTS));
	if (!v->page || v->page_on == on)
		return;
	WRITE_ONCE(v->page_on, on);
	if (!on)
		mmu_unmap_own_page(kvm, APICV_GFN);
}

void apicv_report_tpr(struct kvm_vcpu *vcpu, bool on)
{
	if (!hw_caps.apicv || !vcpu->arch.apic || on == has_inhibit(vcpu, APICV_OFF_TPR_REPORTS))
		return;
	apicv_set_inhibit(vcpu, APICV_OFF_TPR_REPORTS, on);
	irqchip_update_map(vcpu->kvm);	/* looks at the page again */
}

int apicv_page_fault(struct kvm_vcpu *vcpu, gpa_t gpa)
{
	struct x86_vm_apicv *v = &vcpu->kvm->arch.apicv;

	if (likely(gpa_to_gfn(gpa) != APICV_GFN) || !READ_ONCE(v->page_on))
		return 0;
	if (kvm_vcpu_gfn_to_slot(vcpu, APICV_GFN))
		return 0;	/* userspace has put memory there */
	return mmu_map_own_page(vcpu, gpa, v->page, &v->page_on) ?: KVM_EXIT_RESUME;
}
EXPORT_SYMBOL_GPL(apicv_page_fault);

/* ---- life ----------------------------------------------------------------------------- */

int apicv_vm_create(struct kvm *kvm)
{
	struct x86_vm_apicv *v = &kvm->arch.apicv;

	BUILD_BUG_ON(ARRAY_SIZE(v->nr) != APICV_NR_INHIBITS);
	spin_lock_init(&v->lock);
	if (!hw_caps.apicv || v->page)
		return 0;
	v->page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	return v->page ? 0 : -ENOMEM;
}

void apicv_vm_destroy(struct kvm *kvm)
{
	if (kvm->arch.apicv.page)
		__free_page(kvm->arch.apicv.page);
}

int apicv_vcpu_create(struct kvm_vcpu *vcpu)
{
	BUILD_BUG_ON(sizeof(struct lapic_posted) != 64);
	if (!hw_caps.apicv)
		return 0;
	/* of a power of two in size: aligned */
	vcpu->arch.apic->posted = kzalloc(sizeof(struct lapic_posted), GFP_KERNEL_ACCOUNT);
	return vcpu->arch.apic->posted ? 0 : -ENOMEM;
}

void apicv_vcpu_destroy(struct kvm_vcpu *vcpu)
{
	kfree(vcpu->arch.apic->posted);
}
