// SPDX-License-Identifier: GPL-2.0
/*
 * Memory slots: the map from guest frames to host virtual addresses, and the
 * ioctl that changes it.
 *
 * The slots of an address space are one array of pointers sorted by base_gfn.
 * Neither the array nor a slot in it changes once published: an update builds
 * the next array, publishes it and waits until nobody reads the old one. So a
 * reader sees all of a change or none, and pays a binary search and no lock.
 *
 * Each array has a generation of its own. It is odd until the readers of the
 * array before are gone, then the next even number. Whoever caches something
 * looked up in an array tags it with the generation; a tag can be equal only
 * while that very array is in force. Nothing that must outlive the update
 * (such as "this frame is MMIO") may be tagged with an odd one, because it may
 * have been looked up in the array before.
 *
 * Deleting or moving a slot takes two arrays:
 *
 *	1. the slot is there but invalid: readers map nothing new from it
 *	2. wait for readers; drop every mapping that was made from it
 *	3. the slot is gone, or stands at its new place
 *	4. wait for readers; free the old slot
 *
 * Everything that can fail comes before step 1.
 *
 * A new array is published only while no invalidation by the host's mm is
 * under way, and with notifier_lock held: notifier.c says why.
 *
 * Locks: kvm->slots_lock for all changes, kvm->srcu for all readers.
 */
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "arch.h"
#include "memslot.h"

#define MAX_PAGES_PER_SLOT	((1UL << 31) - 1)

/* What a request does to the slot it names. */
enum slot_change { SLOT_CREATE, SLOT_DELETE, SLOT_MOVE, SLOT_FLAGS };

struct kvm_memslots *kvm_memslots(struct kvm *kvm, int as_id)
{
	return srcu_dereference_check(kvm->memslots[as_id], &kvm->srcu,
				      lockdep_is_held(&kvm->slots_lock) ||
				      !refcount_read(&kvm->users));
}

struct kvm_memslots *kvm_vcpu_memslots(struct kvm_vcpu *vcpu)
{
	return kvm_memslots(vcpu->kvm, 0);
}

static bool slot_contains(const struct kvm_memory_slot *slot, gfn_t gfn)
{
	return gfn >= slot->base_gfn && gfn - slot->base_gfn < slot->npages;
}

/* Index of the first slot that begins above @gfn. */
static int slots_upper_bound(const struct kvm_memslots *slots, gfn_t gfn)
{
	int lo = 0, hi = slots->nr;

	while (lo < hi) {
		int mid = lo + (hi - lo) / 2;

		if (slots->slot[mid]->base_gfn > gfn)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

static struct kvm_memory_slot *slots_find(const struct kvm_memslots *slots, gfn_t gfn)
{
	int i = slots_upper_bound(slots, gfn);

	if (!i || !slot_contains(slots->slot[i - 1], gfn))
		return NULL;
	return slots->slot[i - 1];
}

struct kvm_memory_slot *kvm_gfn_to_slot(struct kvm *kvm, gfn_t gfn)
{
	return slots_find(kvm_memslots(kvm, 0), gfn);
}

struct kvm_memory_slot *kvm_vcpu_gfn_to_slot(struct kvm_vcpu *vcpu, gfn_t gfn)
{
	struct kvm_memslots *slots = kvm_vcpu_memslots(vcpu);
	u64 gen = READ_ONCE(slots->generation);
	struct kvm_memory_slot *slot = vcpu->last_slot;

	if (slot && vcpu->last_slot_gen == gen && slot_contains(slot, gfn))
		return slot;
	slot = slots_find(slots, gfn);
	if (slot) {
		vcpu->last_slot = slot;
		vcpu->last_slot_gen = gen;
	}
	return slot;
}

static struct kvm_memory_slot *slots_find_id(const struct kvm_memslots *slots, int id)
{
	int i;

	for (i = 0; i < slots->nr; i++) {
		if (slots->slot[i]->id == id)
			return slots->slot[i];
	}
	return NULL;
}

/* Would @new overlap a slot other than its own old self? */
static bool slots_overlap(const struct kvm_memslots *slots, const struct kvm_memory_slot *new)
{
	gfn_t last = new->base_gfn + new->npages - 1;
	int i = slots_upper_bound(slots, last);

	/* Slots don't overlap, so only those right below @last can reach into @new. */
	while (i-- > 0) {
		const struct kvm_memory_slot *slot = slots->slot[i];

		if (slot->id == new->id)
			continue;
		return slot->base_gfn + slot->npages > new->base_gfn;
	}
	return false;
}

static struct kvm_memslots *slots_alloc(int nr)
{
	struct kvm_memslots *slots;

	slots = kvzalloc(struct_size(slots, slot, nr), GFP_KERNEL_ACCOUNT);
	return slots;
}

/* Fill @to with the slots of @from, without @old and with @new; either may be NULL. */
static void slots_build(struct kvm_memslots *to, const struct kvm_memslots *from,
			const struct kvm_memory_slot *old, struct kvm_memory_slot *new)
{
	int i;

	to->nr = 0;
	for (i = 0; i < from->nr; i++) {
		struct kvm_memory_slot *slot = from->slot[i];

		if (slot == old)
			continue;
		if (new && new->base_gfn < slot->base_gfn) {
			to->slot[to->nr++] = new;
			new = NULL;
		}
		to->slot[to->nr++] = slot;
	}
	if (new)
		to->slot[to->nr++] = new;
}

/*
 * Publish @slots and wait until the array before, which is returned, has no
 * reader. It ends with an odd generation; slots_settle() makes it even.
 */
static struct kvm_memslots *slots_publish(struct kvm *kvm, int as_id, struct kvm_memslots *slots)
{
	struct kvm_memslots *before = kvm_memslots(kvm, as_id);

	slots->generation = (before->generation | 1) + (before->generation & 1 ? 2 : 0);

	kvm_notifier_lock_idle(kvm);
	rcu_assign_pointer(kvm->memslots[as_id], slots);
	spin_unlock(&kvm->notifier_lock);

	synchronize_srcu_expedited(&kvm->srcu);
	return before;
}

static void slots_settle(struct kvm *kvm, int as_id)
{
	struct kvm_memslots *slots = kvm_memslots(kvm, as_id);
	u64 gen = slots->generation + 1;

	WRITE_ONCE(slots->generation, gen);
	arch_slots_generation(kvm, gen);
}

static void slot_free(struct kvm_memory_slot *slot)
{
	kvfree(slot->dirty);
	kfree(slot);
}

static int slot_alloc_dirty(struct kvm *kvm, struct kvm_memory_slot *slot)
{
	slot->dirty = kvcalloc(BITS_TO_LONGS(slot->npages), sizeof(long), GFP_KERNEL_ACCOUNT);
	if (!slot->dirty)
		return -ENOMEM;
	if (kvm->manual_dirty_log_protect & KVM_DIRTY_LOG_INITIALLY_SET)
		bitmap_set(slot->dirty, 0, slot->npages);
	return 0;
}

/* The arrays and the invalid twin that a change needs, got before anything is touched. */
struct slot_update {
	struct kvm *kvm;
	int as_id;
	enum slot_change change;
	struct kvm_memory_slot *old, *new;
	struct kvm_memory_slot *invalid;	/* DELETE, MOVE: stands in for old */
	struct kvm_memslots *middle, *last;
};

static void update_free(struct slot_update *u)
{
	kvfree(u->middle);
	kvfree(u->last);
	kfree(u->invalid);
}

static int update_alloc(struct slot_update *u)
{
	int nr = kvm_memslots(u->kvm, u->as_id)->nr;

	u->last = slots_alloc(nr + 1);
	if (!u->last)
		return -ENOMEM;
	if (u->change != SLOT_DELETE && u->change != SLOT_MOVE)
		return 0;
	u->middle = slots_alloc(nr);
	u->invalid = kmemdup(u->old, sizeof(*u->old), GFP_KERNEL_ACCOUNT);
	if (!u->middle || !u->invalid)
		return -ENOMEM;
	u->invalid->invalid = true;
	return 0;
}

/* New slot's own memory. A change of flags keeps what the MMU has, a move keeps the log. */
static int update_prepare(struct slot_update *u)
{
	struct kvm_memory_slot *old = u->old, *new = u->new;
	bool fresh_log = false;
	int r = 0;

	if (!new)
		return arch_slot_prepare(u->kvm, old, NULL);
	if (new->flags & KVM_MEM_LOG_DIRTY_PAGES) {
		if (old && old->dirty)
			new->dirty = old->dirty;
		else
			r = slot_alloc_dirty(u->kvm, new);
		fresh_log = !old || !old->dirty;
	}
	if (u->change == SLOT_FLAGS)
		new->arch = old->arch;
	if (!r)
		r = arch_slot_prepare(u->kvm, old, new);
	if (r) {
		if (fresh_log)
			kvfree(new->dirty);
		new->dirty = NULL;
	}
	return r;
}

/* Steps 1 and 2: nothing is mapped from the old slot any more when this returns. */
static void update_invalidate(struct slot_update *u)
{
	struct kvm_memslots *before;

	if (!u->invalid)
		return;
	slots_build(u->middle, kvm_memslots(u->kvm, u->as_id), u->old, u->invalid);
	before = slots_publish(u->kvm, u->as_id, u->middle);
	u->middle = before;		/* freed with the rest */
	arch_slot_flush(u->kvm, u->invalid);
}

static void update_free_old(struct slot_update *u)
{
	struct kvm_memory_slot *old = u->old;

	if (!old)
		return;
	if (u->new && u->new->dirty == old->dirty)
		old->dirty = NULL;	/* handed on */
	if (u->change != SLOT_FLAGS)
		arch_slot_free(u->kvm, old);
	slot_free(old);
}

static void update_commit(struct slot_update *u)
{
	struct kvm *kvm = u->kvm;

	update_invalidate(u);
	slots_build(u->last, kvm_memslots(kvm, u->as_id), u->invalid ?: u->old, u->new);
	u->last = slots_publish(kvm, u->as_id, u->last);
	slots_settle(kvm, u->as_id);

	if (u->change == SLOT_CREATE)
		kvm->nr_memslot_pages += u->new->npages;
	if (u->change == SLOT_DELETE)
		kvm->nr_memslot_pages -= u->old->npages;
	arch_slot_commit(kvm, u->old, u->new);
	update_free_old(u);
}

static int slot_update(struct slot_update *u)
{
	int r = update_alloc(u);

	if (!r)
		r = update_prepare(u);
	if (!r)
		update_commit(u);
	update_free(u);
	return r;
}

/* Which change turns @old into @mem? 1: none. */
static int slot_classify(const struct kvm_memory_slot *old,
			 const struct kvm_userspace_memory_region *mem, enum slot_change *change)
{
	if (!mem->memory_size) {
		*change = SLOT_DELETE;
		return old ? 0 : -EINVAL;
	}
	if (!old) {
		*change = SLOT_CREATE;
		return 0;
	}
	if (old->hva != mem->userspace_addr || old->npages != mem->memory_size >> PAGE_SHIFT ||
	    (old->flags ^ mem->flags) & KVM_MEM_READONLY)
		return -EINVAL;
	if (old->base_gfn != mem->guest_phys_addr >> PAGE_SHIFT) {
		*change = SLOT_MOVE;
		return 0;
	}
	*change = SLOT_FLAGS;
	return old->flags == mem->flags;
}

static int check_region(const struct kvm_userspace_memory_region *mem)
{
	if (mem->flags & ~(KVM_MEM_LOG_DIRTY_PAGES | KVM_MEM_READONLY))
		return -EINVAL;
	if ((mem->memory_size | mem->guest_phys_addr | mem->userspace_addr) & ~PAGE_MASK)
		return -EINVAL;
	if (mem->slot >> 16 >= KVM_ADDRESS_SPACES)
		return -EINVAL;
	if (mem->memory_size >> PAGE_SHIFT > MAX_PAGES_PER_SLOT)
		return -EINVAL;
	if (mem->guest_phys_addr + mem->memory_size < mem->guest_phys_addr)
		return -EINVAL;
	if (mem->userspace_addr != untagged_addr(mem->userspace_addr) ||
	    !access_ok((void __user *)(unsigned long)mem->userspace_addr, mem->memory_size))
		return -EINVAL;
	return 0;
}

static struct kvm_memory_slot *slot_alloc(const struct kvm_userspace_memory_region *mem)
{
	struct kvm_memory_slot *slot = kzalloc(sizeof(*slot), GFP_KERNEL_ACCOUNT);

	if (!slot)
		return NULL;
	slot->base_gfn = mem->guest_phys_addr >> PAGE_SHIFT;
	slot->npages = mem->memory_size >> PAGE_SHIFT;
	slot->hva = mem->userspace_addr;
	slot->flags = mem->flags;
	slot->id = (u16)mem->slot;
	slot->as_id = mem->slot >> 16;
	return slot;
}

int kvm_set_internal_slot(struct kvm *kvm, const struct kvm_userspace_memory_region *mem)
{
	struct slot_update u = { .kvm = kvm, .as_id = mem->slot >> 16 };
	struct kvm_memslots *slots;
	int r = check_region(mem);

	lockdep_assert_held(&kvm->slots_lock);
	if (r)
		return r;
	slots = kvm_memslots(kvm, u.as_id);
	u.old = slots_find_id(slots, (u16)mem->slot);
	r = slot_classify(u.old, mem, &u.change);
	if (r)
		return r > 0 ? 0 : r;
	if (u.change == SLOT_DELETE)
		return slot_update(&u);

	u.new = slot_alloc(mem);
	if (!u.new)
		return -ENOMEM;
	if (u.change != SLOT_FLAGS && slots_overlap(slots, u.new))
		r = -EEXIST;
	else
		r = slot_update(&u);
	if (r)
		kfree(u.new);
	return r;
}

int kvm_set_memory_region(struct kvm *kvm, const struct kvm_userspace_memory_region *mem)
{
	int r;

	if ((u16)mem->slot >= KVM_USER_MEM_SLOTS)
		return -EINVAL;
	mutex_lock(&kvm->slots_lock);
	r = kvm_set_internal_slot(kvm, mem);
	mutex_unlock(&kvm->slots_lock);
	return r;
}

int kvm_init_memslots(struct kvm *kvm)
{
	int i;

	for (i = 0; i < KVM_ADDRESS_SPACES; i++) {
		struct kvm_memslots *slots = slots_alloc(0);

		if (!slots)
			return -ENOMEM;
		rcu_assign_pointer(kvm->memslots[i], slots);
	}
	return 0;
}

void kvm_free_memslots(struct kvm *kvm)
{
	int i, j;

	for (i = 0; i < KVM_ADDRESS_SPACES; i++) {
		struct kvm_memslots *slots = rcu_dereference_protected(kvm->memslots[i], 1);

		for (j = 0; slots && j < slots->nr; j++) {
			arch_slot_free(kvm, slots->slot[j]);
			slot_free(slots->slot[j]);
		}
		kvfree(slots);
		RCU_INIT_POINTER(kvm->memslots[i], NULL);
	}
}
