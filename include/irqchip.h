/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The interrupt chips of a VM and of a vCPU as the rest of KVM sees them:
 * creation, ioctls, delivery, and what is pending for a vCPU. The models
 * themselves are lapic.h, ioapic.h, pic.h, pit.h.
 *
 * Locks, none held while calling out of irq/ except where said:
 *   pic lock, ioapic lock   spinlocks, interrupts off; inside everything else.
 *                           Under them: lapic delivery (lock-free), kicks.
 *   pit lock                a mutex; outside the two above and irq_srcu.
 *   lapic_map_lock          a mutex; rebuilding the destination map.
 * Ack notifiers run without any of them.
 *
 * Rules of naming: irqchip_...(kvm or vcpu) is this file's; lapic_...(struct
 * lapic *) is the model of lapic.h, which x86/ calls directly with
 * vcpu->arch.apic where no more than the model is meant: lapic_reset(),
 * lapic_set_cr8(), lapic_x2_read(), lapic_timer_write_tsc() ...
 */
#ifndef KVM_IRQCHIP_H
#define KVM_IRQCHIP_H

#include "vcpu.h"
#include "routing.h"
#include "lapic.h"

/* ---- VM: irq/irqchip.c ------------------------------------------------------ */

/* arch_vm_init(): what must exist before any chip does. */
void irqchip_vm_init(struct kvm *kvm);
/* Stop the PIT and all else that may still reach vCPUs. Before those are freed. Sleeps. */
void irqchip_vm_stop(struct kvm *kvm);
/* After all vCPUs, irqfds and the routing table are gone. */
void irqchip_vm_destroy(struct kvm *kvm);

/* KVM_CAP_SPLIT_IRQCHIP; kvm->lock. -EINVAL pins or vCPUs exist, -EEXIST chips exist. */
int irqchip_create_split(struct kvm *kvm, u64 nr_pins);

/*
 * ioctls. Creation needs kvm->lock: -EEXIST if there are chips, -EINVAL if
 * there are vCPUs, -ENOMEM. get and set: a full irqchip (IOCTL_IRQCHIP).
 */
long irqchip_ioctl_create(struct kvm *kvm, void *arg);
long irqchip_ioctl_get(struct kvm *kvm, void *arg);		/* -EINVAL no such chip */
long irqchip_ioctl_set(struct kvm *kvm, void *arg);		/* -EINVAL, nothing changed */
long irqchip_ioctl_irq_line(struct kvm *kvm, void *arg);	/* both; fills status. -ENXIO */

/* As kvm_send_msi(); -EINVAL without chips. */
long irqchip_ioctl_signal_msi(struct kvm *kvm, void *arg);

/* irq/pit_dev.c, ioctls; kvm->lock. All but creation: -ENXIO without a PIT. */
long pit_ioctl_create(struct kvm *kvm, void *arg);
long pit_ioctl_create2(struct kvm *kvm, void *arg);		/* -ENOENT irqchip, -EEXIST, -EINVAL */
long pit_ioctl_get(struct kvm *kvm, void *arg);
long pit_ioctl_set(struct kvm *kvm, void *arg);
long pit_ioctl_get2(struct kvm *kvm, void *arg);
long pit_ioctl_set2(struct kvm *kvm, void *arg);
/* IOCTL_RAW: the command number carries no size. -EFAULT */
long pit_ioctl_reinject(struct kvm *kvm, void *arg);

/*
 * Deliver a message; @src is the sending vCPU or NULL. Any context. -1 nobody
 * took it, 0 pending already, else the number of vCPUs it reached.
 */
int irqchip_deliver(struct kvm *kvm, struct kvm_vcpu *src, const struct lapic_irq *irq);

/* ---- vCPU: irq/irqchip_vcpu.c ----------------------------------------------- */
/* Unless noted: the vCPU's thread, vcpu->mutex held. */

/* arch_vcpu_create(): 0, and no APIC if the VM has none; -ENOMEM. */
int irqchip_vcpu_create(struct kvm_vcpu *vcpu);
/* arch_vcpu_postcreate(): others may send to it from now on. Sleeps. */
void irqchip_vcpu_published(struct kvm_vcpu *vcpu);
/* arch_vcpu_destroy(): nobody sends any more. */
void irqchip_vcpu_destroy(struct kvm_vcpu *vcpu);
/* Guest CPUID was set: x2APIC, TSC-deadline, physical address width. */
void irqchip_cpuid_changed(struct kvm_vcpu *vcpu);
/* vcpu_load on another CPU: the timer follows. Preemption off. */
void irqchip_vcpu_migrated(struct kvm_vcpu *vcpu);

/* IA32_APIC_BASE, with or without an in-kernel APIC. 0 or -EINVAL (= #GP). */
u64 irqchip_get_apic_base(struct kvm_vcpu *vcpu);
int irqchip_set_apic_base(struct kvm_vcpu *vcpu, u64 base, bool host);
/*
 * WRMSR that needs no other thread nor sleep: EOI of an interrupt that no
 * I/O APIC waits for, fixed IPIs, self IPI, TSC deadline. Interrupts may be
 * off. False: nothing was done, take the long way.
 */
bool irqchip_fast_wrmsr(struct kvm_vcpu *vcpu, u32 msr, u64 data);

/*
 * The timer's vector may have gone into IRR before its deadline: then wait until
 * that has come. The vendor's last thing before an entry, interrupts off. Not longer
 * than the timer may be early.
 */
void irqchip_wait_for_deadline(struct kvm_vcpu *vcpu);

static inline void irqchip_hold_entry(struct kvm_vcpu *vcpu)
{
	if (unlikely(vcpu->arch.apic && vcpu->arch.apic->timer.due))
		irqchip_wait_for_deadline(vcpu);
}

/* A stay in the guest was ended by arch.entry_deadline. Interrupts may be off. */
void irqchip_deadline_reached(struct kvm_vcpu *vcpu);
/* The vCPU will sleep: a deadline meant for its entries goes to the host's timer. */
void irqchip_before_wait(struct kvm_vcpu *vcpu);

/* The APIC page at the current base. 0, or -EOPNOTSUPP: another device's. */
int irqchip_mmio_read(struct kvm_vcpu *vcpu, gpa_t gpa, int len, void *data);
int irqchip_mmio_write(struct kvm_vcpu *vcpu, gpa_t gpa, int len, const void *data);

long lapic_ioctl_get(struct kvm_vcpu *vcpu, void *arg);		/* KVM_GET_LAPIC */
long lapic_ioctl_set(struct kvm_vcpu *vcpu, void *arg);		/* KVM_SET_LAPIC: -EINVAL */

/* INIT or SIPI waits. Any thread. */
bool irqchip_has_init_or_sipi(struct kvm_vcpu *vcpu);
/* The APIC timer expired and would interrupt. Any thread; a hint in others'. */
bool irqchip_timer_pending(struct kvm_vcpu *vcpu);
/* Raise it, if so. */
void irqchip_timer_inject(struct kvm_vcpu *vcpu);
/* The guest's TSC, or its frequency, was changed: arm the deadline again. */
void irqchip_tsc_changed(struct kvm_vcpu *vcpu);

/*
 * Is something deliverable (IF aside): APIC, ExtINT, KVM_INTERRUPT.
 */
bool irqchip_has_interrupt(struct kvm_vcpu *vcpu);
/* The same, after an expired timer was raised: before entry. Not what the hardware delivers. */
bool irqchip_has_injectable(struct kvm_vcpu *vcpu);
/* Take it: the vector is the guest's now. -1 if it is gone. */
int irqchip_get_interrupt(struct kvm_vcpu *vcpu);
/* Tell the vendor TPR and the highest request, as classes (vector >> 4). */
void irqchip_update_cr8(struct kvm_vcpu *vcpu);

/* ---- between the files of irq/ ----------------------------------------------- */

/* The destination map follows the vCPUs' APICs. Sleeps. */
void irqchip_update_map(struct kvm *kvm);
/* An EOI of @vector by a local APIC. May @vector be of interest at all? */
bool irqchip_wants_eoi(struct kvm *kvm, u8 vector, bool level);
/* All that may be, as 256 bits, which change under the reader; NULL: without chips. Any context. */
const unsigned long *irqchip_eoi_vectors(struct kvm *kvm);
void irqchip_eoi(struct kvm_vcpu *vcpu, u8 vector, bool level);
/* The PIC's INTR line, and the INTA cycle: a vector, or -1 if it is low. Any context. */
bool irqchip_pic_output(struct kvm *kvm);
int irqchip_ack_pic(struct kvm *kvm);
/* A pin of GSI 0 was unmasked. Any context. */
void irqchip_pit_unmasked(struct kvm *kvm);
void irqchip_pit_stop(struct kvm *kvm);
void irqchip_pit_free(struct kvm *kvm);

#endif
