/* SPDX-License-Identifier: GPL-2.0 */
/*
 * struct kvm: one virtual machine, and what may be done to it as a whole.
 *
 * Lock legend for the fields below (the order graph stands in
 * Documentation/locking.md):
 *   [I]   set before the VM is published, constant afterwards
 *   [L]   kvm->lock
 *   [S]   written under kvm->slots_lock, read under kvm->srcu
 *   [Q]   written under kvm->irq_lock, read under kvm->irq_srcu
 *   [M]   kvm->mmu_lock (read or write side as the comment says)
 *   [N]   kvm->notifier_lock
 *   [a]   atomic
 *   [g]   the global kvm_vms_lock
 */
#ifndef KVM_VM_H
#define KVM_VM_H

#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/srcu.h>
#include <linux/xarray.h>
#include <linux/mmu_notifier.h>
#include <linux/rcuwait.h>
#include "types.h"
#include "stats.h"
#include "x86_vm.h"

struct kvm_io_bus;
struct kvm_memslots;
struct kvm_irq_routing_table;
struct kvm_stat_file;

enum kvm_bus {
	KVM_BUS_MMIO,
	KVM_BUS_PIO,
	KVM_BUS_FAST_MMIO,	/* zero-length ioeventfds: address only */
	KVM_NR_BUSES
};

struct kvm {
	struct mm_struct *mm;			/* [I] holds mm_count */
	struct mutex lock;			/* vCPU creation, irqchips, caps */
	struct mutex slots_lock;		/* slots and buses; inside lock */
	struct mutex irq_lock;			/* routing, irqfds, ack notifiers */
	rwlock_t mmu_lock;

	struct srcu_struct srcu;		/* slots and buses */
	struct srcu_struct irq_srcu;		/* routing and ack notifiers */

	struct kvm_memslots __rcu *memslots[KVM_ADDRESS_SPACES];	/* [S] */
	struct kvm_io_bus __rcu *buses[KVM_NR_BUSES];		/* [S] */
	u64 nr_memslot_pages;			/* [S] sum over all slots */

	struct xarray vcpus;			/* [L] index = vcpu_idx; entries never
						 * leave before the VM does
						 */
	atomic_t nr_vcpus;			/* [a] published vCPUs */
	int nr_created;				/* [L] published + in creation */
	int max_vcpu_ids;			/* [L] KVM_CAP_MAX_VCPU_ID lowers it */
	s64 max_halt_poll_ns;			/* [a] KVM_CAP_HALT_POLL; -1: module's */
	unsigned int last_yielded_to;		/* [a] hint: vcpu_idx of the last directed yield */

	struct mmu_notifier notifier;
	spinlock_t notifier_lock;		/* the next four */
	unsigned long invalidate_seq;		/* [N] read locklessly + re-checked under mmu_lock */
	long invalidate_in_progress;		/* [N] */
	unsigned long invalidate_start;		/* [N] hva range of those running */
	unsigned long invalidate_end;		/* [N] */
	struct rcuwait invalidate_wait;		/* a slot commit waits here */

	struct kvm_irq_routing_table __rcu *irq_routing;	/* [Q] */
	struct list_head irqfds;		/* [irqfds_lock] */
	struct list_head irqfds_resamplers;	/* [resampler_lock] */
	spinlock_t irqfds_lock;
	struct mutex resampler_lock;
	struct list_head ioeventfds;		/* [S] */
	struct list_head coalesced_zones;	/* [S] */
	struct kvm_coalesced_mmio_ring *coalesced_ring;	/* [ring_lock] */
	spinlock_t ring_lock;
	struct hlist_head irq_ack_notifiers;	/* [Q] */
	struct list_head devices;		/* [L] KVM_CREATE_DEVICE */

	u64 manual_dirty_log_protect;		/* [L] KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 */
	struct list_head vm_list;		/* [g] */
	refcount_t users;			/* [a] */
	bool vm_dead;				/* [a] one way: false -> true */
	bool released;				/* [M write] notifier released: map nothing */

	struct kvm_vm_stat stat;
	char stats_id[48];			/* [I] */
	struct dentry *debugfs;			/* [I] */
	struct kvm_stat_file *debugfs_files;	/* [I] */
	struct x86_vm arch;			/* its tags: x86_vm.h */
};

/* Any context. The caller already holds a reference. */
void kvm_get_kvm(struct kvm *kvm);
/* Any context. False if the last reference is already gone. Looked up by name by vfio. */
bool kvm_get_kvm_safe(struct kvm *kvm);
/* Process context, may sleep: the last put tears the VM down. Looked up by name by vfio. */
void kvm_put_kvm(struct kvm *kvm);

/*
 * End this VM: every KVM_RUN and VM ioctl from now on answers -EIO. Any
 * context. @why goes to the kernel log once, at debug level.
 */
void kvm_vm_dead(struct kvm *kvm, const char *why);

/* The vCPU with creation index @idx, or NULL. Any context (RCU inside). */
static inline struct kvm_vcpu *kvm_get_vcpu(struct kvm *kvm, unsigned int idx)
{
	if (idx >= (unsigned int)atomic_read(&kvm->nr_vcpus))
		return NULL;
	smp_rmb();	/* pairs with the publication in vCPU creation */
	return xa_load(&kvm->vcpus, idx);
}

/* The vCPU with KVM_CREATE_VCPU's id (= APIC id at reset), or NULL. Any context. */
struct kvm_vcpu *kvm_vcpu_by_id(struct kvm *kvm, int id);

#define kvm_for_each_vcpu(i, vcpu, kvm) \
	for ((i) = 0; ((vcpu) = kvm_get_vcpu((kvm), (i))) != NULL; (i)++)

/* Every VM of this host, for module-wide work; kvm_vms_lock is a mutex. */
extern struct list_head kvm_vms;
extern struct mutex kvm_vms_lock;

/* virt/vm.c: what the descriptor layer calls. Process context. */
struct kvm *kvm_create_vm(unsigned long type);
/* Set while hardware is enabled: hardware users count, CPU hotplug. */
int kvm_hardware_get(void);
void kvm_hardware_put(void);

#endif
