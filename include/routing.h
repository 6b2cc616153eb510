/* SPDX-License-Identifier: GPL-2.0 */
/*
 * GSI routing: what a GSI number means: pins of in-kernel chips, or an MSI.
 * The table is replaced as a whole (kvm->irq_srcu); irqfds keep a copy of the
 * MSI entry they use, guarded by a seqcount.
 */
#ifndef KVM_ROUTING_H
#define KVM_ROUTING_H

#include "vm.h"

#define KVM_IRQ_SOURCE_USER	0	/* KVM_IRQ_LINE and plain irqfds */
#define KVM_IRQ_SOURCE_RESAMPLE	1	/* resampling irqfds */
#define KVM_IRQ_SOURCE_PIT	2

struct kvm_irq_route {
	u32 gsi, type;			/* KVM_IRQ_ROUTING_* */
	/*
	 * Raise or lower. <0: masked, nobody listens; 0: coalesced with one still
	 * pending; >0: number of CPUs it reached. Process or atomic context
	 * (interrupts may be off) unless the route is MSI to many destinations.
	 */
	int (*set)(struct kvm_irq_route *r, struct kvm *kvm, int source, int level, bool line_status);
	union {
		struct { u32 irqchip, pin; } chip;
		struct { u32 addr_lo, addr_hi, data, flags, devid; } msi;
	};
	struct hlist_node link;
};

struct kvm_irq_routing_table {
	int chip_pin_gsi[3][24];	/* [irqchip][pin] -> gsi, -1 none */
	u32 nr_gsis;
	struct hlist_head by_gsi[];	/* nr_gsis heads of routes */
};

/* Told when the guest EOIs a level interrupt of @gsi (irqfd resample, PIT). */
struct kvm_irq_ack_notifier {
	struct hlist_node link;
	int gsi;
	void (*acked)(struct kvm_irq_ack_notifier *n);	/* irq_srcu held, may be atomic */
};

/* KVM_SET_GSI_ROUTING: replaces the table. 0, -EINVAL, -ENOMEM. Takes irq_lock. */
int kvm_set_irq_routing(struct kvm *kvm, const struct kvm_irq_routing_entry *entries, unsigned int nr);
void kvm_free_irq_routing(struct kvm *kvm);
/* Copy the routes of @gsi into @out (room for 3); their number. irq_srcu held. */
int kvm_gsi_routes(struct kvm *kvm, u32 gsi, struct kvm_irq_route *out);
/* Raise or lower a GSI; result as in kvm_irq_route.set, -1 if nothing is routed. */
int kvm_set_irq(struct kvm *kvm, int source, u32 gsi, int level, bool line_status);
/* As kvm_set_irq() for edge MSIs, never sleeps; -EWOULDBLOCK if it would have to. */
int kvm_set_irq_inatomic(struct kvm *kvm, int source, u32 gsi, int level);
/* Chip models call this when (irqchip, pin) is acknowledged. Any context. */
void kvm_notify_acked_irq(struct kvm *kvm, unsigned int irqchip, unsigned int pin);
bool kvm_irq_has_notifier(struct kvm *kvm, unsigned int irqchip, unsigned int pin);
void kvm_register_ack_notifier(struct kvm *kvm, struct kvm_irq_ack_notifier *n);
void kvm_unregister_ack_notifier(struct kvm *kvm, struct kvm_irq_ack_notifier *n);
/* KVM_SIGNAL_MSI: >0 delivered, 0 blocked by the guest, -errno. */
int kvm_send_msi(struct kvm *kvm, const struct kvm_msi *msi);

/*
 * What irq/ provides to the above: fill in r->set for a validated userspace
 * entry. -EINVAL if the chip or pin does not exist.
 */
int irqchip_set_route(struct kvm *kvm, struct kvm_irq_route *r, const struct kvm_irq_routing_entry *e);
/* @t is about to be published: note what its interrupts will need. irq_lock held. */
void irqchip_routes_coming(struct kvm *kvm, const struct kvm_irq_routing_table *t);
/* GSIs accepted by KVM_IRQ_LINE and irqfd? In-kernel or split chips exist. */
bool irqchip_in_kernel(struct kvm *kvm);

#endif
