/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Hardware that takes part in the local APIC's work: Intel's APIC-register
 * virtualization, virtual interrupt delivery and posted interrupts; one day AMD's
 * AVIC.
 *
 * The vendor's table of it is vendor_ops->apicv, NULL if the vendor has none; hw_caps.apicv
 * says whether this machine has the hardware and it is switched on. With it senders
 * leave vectors in lapic->posted (irq/lapic.c), and what the guest may do by itself
 * depends on two things that irq/apicv.c decides:
 *
 *	arch.apicv_active	for each vCPU: interrupts are delivered and ended by
 *		the hardware. Not while the APIC is disabled, or anything inhibits it
 *		for the VM. Changes in the vCPU's own thread only, between two stays
 *		in the guest (KVM_REQ_APICV).
 *	apicv.page_on		for the VM: at the APIC's default address lies a page by
 *		which the hardware knows accesses to it. Only while all APICs are
 *		there, in xAPIC mode: page tables are the same for all vCPUs.
 *
 * Whatever of it is off is done by the model, as on a processor that has nothing.
 */
#ifndef KVM_APICV_H
#define KVM_APICV_H

#include "vcpu.h"
#include "vendor_ops.h"

/* Why a VM does without for a while. Bits of apicv.inhibits and arch.apicv_inhibits. */
enum apicv_inhibit {
	APICV_OFF_BLOCKIRQ,	/* a debugger holds interrupts back */
	APICV_OFF_VAPIC,	/* the TPR is in a page of the guest's (x86/vapic.c) */
	APICV_OFF_TPR_REPORTS,	/* userspace is told of accesses to it; the page is off, too */
	APICV_NR_INHIBITS
};

struct apicv_ops {
	/* arch.apicv_active or the APIC's mode changed. Loaded. */
	void (*refresh)(struct kvm_vcpu *vcpu);
	/* The end of these vectors (256 bits) has to exit. Loaded. */
	void (*set_eoi_exits)(struct kvm_vcpu *vcpu, const unsigned long *vectors);
	/*
	 * Something was posted to a vCPU that may be in the guest. Any context. True: it
	 * takes it there. False: it has to come out.
	 */
	bool (*notify)(struct kvm_vcpu *vcpu);
};

/* ---- irq/apicv.c ------------------------------------------------------------ */

/* With the chips: kvm->lock. -ENOMEM. And after the MMU is gone. */
int apicv_vm_create(struct kvm *kvm);
void apicv_vm_destroy(struct kvm *kvm);
/* 0 or -ENOMEM, before the vCPU is published; and when nobody sends to it any more. */
int apicv_vcpu_create(struct kvm_vcpu *vcpu);
void apicv_vcpu_destroy(struct kvm_vcpu *vcpu);

/* KVM_REQ_APICV: the vCPU's thread, loaded. */
void apicv_update(struct kvm_vcpu *vcpu);
/* This vCPU's reasons; the VM's are those of all vCPUs. vcpu->mutex. */
void apicv_set_inhibit(struct kvm_vcpu *vcpu, enum apicv_inhibit reason, bool on);
/* KVM_TPR_ACCESS_REPORTING of this vCPU. vcpu->mutex, srcu held. Sleeps. */
void apicv_report_tpr(struct kvm_vcpu *vcpu, bool on);
/* May the page be there? lapic_map_lock, srcu held or no vCPU runs. Sleeps. */
void apicv_set_page(struct kvm *kvm, bool on);
/* Vectors whose ends matter have changed. Any context. */
void apicv_eoi_exits_changed(struct kvm *kvm);
/* A sender was the first to post. Any context. */
void apicv_posted(struct kvm_vcpu *vcpu);

/*
 * A nested fault at @gpa: is it the APIC's page, and not yet mapped? RESUME, -errno, or 0:
 * another fault. srcu held.
 */
int apicv_page_fault(struct kvm_vcpu *vcpu, gpa_t gpa);

#endif
