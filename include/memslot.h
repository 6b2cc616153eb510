/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory slots: which guest frames are backed by which host virtual range,
 * and access to guest memory through them.
 *
 * The slots of an address space are one immutable array sorted by base_gfn,
 * replaced as a whole (SRCU). Readers hold kvm->srcu. Writers hold
 * kvm->slots_lock. A delete or move first publishes the slot as invalid,
 * waits for readers, flushes its mappings, then publishes the new array.
 */
#ifndef KVM_MEMSLOT_H
#define KVM_MEMSLOT_H

#include "vm.h"
#include "vcpu.h"

struct mmu_rmap;

/* The MMU's per-slot data. */
struct mmu_slot {
	struct mmu_rmap *rmap;		/* shadow paging: one for each frame ... */
	struct mmu_rmap *rmap_2m;	/* ... and each 2M that the slot touches */
	unsigned int *tables_2m;	/* shadowed tables of the guest's in each of these */
};

struct kvm_memory_slot {
	gfn_t base_gfn;
	unsigned long npages;
	unsigned long hva;
	u32 flags;			/* KVM_MEM_* */
	u16 id, as_id;
	bool invalid;			/* being deleted or moved: map nothing new */
	unsigned long *dirty;		/* bitmap [a], NULL when not logged */
	struct mmu_slot arch;
};

struct kvm_memslots {
	u64 generation;			/* even; odd while an update is under way */
	int nr;
	struct kvm_memory_slot *slot[];	/* sorted by base_gfn */
};

/* Address space 0 = normal, 1 = SMM (not offered yet). Readers: kvm->srcu or slots_lock. */
struct kvm_memslots *kvm_memslots(struct kvm *kvm, int as_id);
struct kvm_memslots *kvm_vcpu_memslots(struct kvm_vcpu *vcpu);

/* The slot that holds @gfn, or NULL. Invalid slots are returned: check ->invalid to map. */
struct kvm_memory_slot *kvm_gfn_to_slot(struct kvm *kvm, gfn_t gfn);
struct kvm_memory_slot *kvm_vcpu_gfn_to_slot(struct kvm_vcpu *vcpu, gfn_t gfn);

/* KVM_SET_USER_MEMORY_REGION: 0, -EINVAL, -EEXIST, -ENOMEM, -EBUSY. */
int kvm_set_memory_region(struct kvm *kvm, const struct kvm_userspace_memory_region *mem);
/* The same for slots of KVM's own (ids >= KVM_USER_MEM_SLOTS). slots_lock held. */
int kvm_set_internal_slot(struct kvm *kvm, const struct kvm_userspace_memory_region *mem);
/* VM life: empty arrays; and everything, when no reader is left. */
int kvm_init_memslots(struct kvm *kvm);
void kvm_free_memslots(struct kvm *kvm);

static inline unsigned long kvm_slot_hva(const struct kvm_memory_slot *slot, gfn_t gfn)
{
	return slot->hva + ((unsigned long)(gfn - slot->base_gfn) << PAGE_SHIFT);
}

/* hva of @gfn; KVM_HVA_BAD or KVM_HVA_RO_BAD. @writable may be NULL. */
unsigned long kvm_gfn_to_hva(struct kvm *kvm, gfn_t gfn, bool *writable);
unsigned long kvm_vcpu_gfn_to_hva(struct kvm_vcpu *vcpu, gfn_t gfn, bool *writable);

/*
 * The page behind (@slot, @gfn), faulted in through the host's mm. No reference
 * is kept across the mapping: the caller re-checks kvm->invalidate_seq under
 * mmu_lock (mmu_notifier_retry below) and then drops the page.
 * @write: need write access; *@writable says whether it may be mapped writable.
 * @atomic: do not sleep: KVM_PFN_FAULT if it would. Else process context.
 * The answer is a pfn with a reference if it is refcounted, or KVM_PFN_*.
 */
kvm_pfn_t kvm_slot_gfn_to_pfn(struct kvm_memory_slot *slot, gfn_t gfn, bool atomic,
			      bool write, bool *writable);

/*
 * As many of the @n pages from @gfn on as the host has ready for writing, one after the other, with
 * a reference to each. The range lies in the slot, which can be written to. Does not sleep.
 */
unsigned int kvm_slot_get_ready(const struct kvm_memory_slot *slot, gfn_t gfn, unsigned int n,
				struct page **pages);
void kvm_release_pfn(kvm_pfn_t pfn, bool dirty);

/*
 * Racing with the host's mm: read seq = kvm->invalidate_seq, smp_rmb(), look
 * the page up, take mmu_lock, then ask this. True: drop the page and retry.
 */
bool kvm_notifier_retry(struct kvm *kvm, unsigned long seq, unsigned long hva);

/* Mark dirty in the log of the slot. Any context with srcu held. */
void kvm_mark_page_dirty(struct kvm *kvm, gfn_t gfn);
void kvm_mark_slot_dirty(struct kvm *kvm, struct kvm_memory_slot *slot, gfn_t gfn);

/*
 * Guest memory by guest physical address. Process context, srcu held; any
 * length, pages may be apart. 0 or -EFAULT; a failed write may be partial.
 */
int kvm_read_guest(struct kvm *kvm, gpa_t gpa, void *data, size_t len);
int kvm_write_guest(struct kvm *kvm, gpa_t gpa, const void *data, size_t len);
int kvm_clear_guest(struct kvm *kvm, gpa_t gpa, size_t len);
int kvm_vcpu_read_guest(struct kvm_vcpu *vcpu, gpa_t gpa, void *data, size_t len);
int kvm_vcpu_write_guest(struct kvm_vcpu *vcpu, gpa_t gpa, const void *data, size_t len);
/* Never sleeps; -EFAULT if the page is not present. Within one page. */
int kvm_vcpu_read_guest_atomic(struct kvm_vcpu *vcpu, gpa_t gpa, void *data, size_t len);
/* Compare and exchange 1, 2, 4, 8 or 16 aligned bytes in guest memory: 0 done, 1 differed (@old updated), -EFAULT. */
int kvm_vcpu_cmpxchg_guest(struct kvm_vcpu *vcpu, gpa_t gpa, void *old, const void *new, size_t len);

/* struct kvm_guest_cache: types.h. 0 or -EFAULT; -EINVAL for a bad range. srcu held. */
int kvm_cache_init(struct kvm *kvm, struct kvm_guest_cache *c, gpa_t gpa, size_t len);
int kvm_cache_read(struct kvm *kvm, struct kvm_guest_cache *c, void *data, size_t off, size_t len);
int kvm_cache_write(struct kvm *kvm, struct kvm_guest_cache *c, const void *data, size_t off, size_t len);

/* Dirty log ioctls: 0, -EINVAL, -ENOENT (no slot or not logged), -EFAULT. */
int kvm_get_dirty_log(struct kvm *kvm, struct kvm_dirty_log *log);
int kvm_clear_dirty_log(struct kvm *kvm, struct kvm_clear_dirty_log *log);

/* virt/notifier.c: registered with current->mm; destroy waits for running callbacks. */
int kvm_notifier_init(struct kvm *kvm);
void kvm_notifier_destroy(struct kvm *kvm);
/*
 * Wait until no invalidation by the host is under way; returns with
 * notifier_lock held, so that none begins. May sleep, slots_lock held.
 */
void kvm_notifier_lock_idle(struct kvm *kvm) __acquires(&kvm->notifier_lock);

#endif
