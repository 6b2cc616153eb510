// SPDX-License-Identifier: GPL-2.0
/*
 * The host's memory manager speaks: mmu notifier callbacks.
 *
 * No page is pinned because a guest has it mapped. The host may take any page
 * away, and says so first: between invalidate_range_start() and _end() nothing
 * of the range may be mapped into the guest, and nothing may be there already.
 *
 * The race to close: a vCPU looks up a page in the host's tables, the host
 * takes it away, the vCPU maps it. So the vCPU notes invalidate_seq before the
 * lookup and asks kvm_notifier_retry() with mmu_lock held before it maps:
 *
 *  - an invalidation that ended since has moved invalidate_seq;
 *  - one that is under way is counted in invalidate_in_progress, with a host
 *    range that covers all those under way. It was counted before it took
 *    mmu_lock to drop mappings; so if the vCPU doesn't see the count yet, the
 *    dropping comes after the vCPU's mapping and drops it, too.
 *
 * The count is raised for every invalidation, whichever slots exist: slots may
 * come and go between _start and _end, and the two must agree. mmu_lock is only
 * taken if some slot overlaps the range. A slot that is published while an
 * invalidation is under way would have missed its dropping, therefore
 * kvm_notifier_lock_idle() holds a publication back until there is none.
 *
 * The host calls some of these where nothing may sleep (non-blockable ranges):
 * what is taken here are spinning locks only.
 *
 * change_pte() is not offered: the host brackets it with start and end anyway.
 */
#include <linux/mmu_notifier.h>
#include <linux/sched/mm.h>
#include "arch.h"
#include "compat.h"
#include "memslot.h"
#include "trace.h"

typedef bool (*gfn_range_fn)(struct kvm *kvm, struct kvm_memory_slot *slot,
			     gfn_t start, gfn_t end, bool may_block);

struct hva_range {
	unsigned long start, end;
	gfn_range_fn fn;
	bool may_block;
};

static struct kvm *to_kvm(struct mmu_notifier *mn)
{
	return container_of(mn, struct kvm, notifier);
}

static bool range_hits_slot(const struct kvm_memory_slot *slot, const struct hva_range *r)
{
	return r->start < slot->hva + (slot->npages << PAGE_SHIFT) && slot->hva < r->end;
}

static bool range_any_slot(struct kvm *kvm, const struct hva_range *r)
{
	int as, i;

	for (as = 0; as < KVM_ADDRESS_SPACES; as++) {
		struct kvm_memslots *slots = kvm_memslots(kvm, as);

		for (i = 0; i < slots->nr; i++) {
			if (range_hits_slot(slots->slot[i], r))
				return true;
		}
	}
	return false;
}

/* Call @r->fn for the part of @slot that the host range covers. */
static bool range_slot(struct kvm *kvm, struct kvm_memory_slot *slot, const struct hva_range *r)
{
	unsigned long slot_last = slot->hva + (slot->npages << PAGE_SHIFT) - 1;
	unsigned long start = max(r->start, slot->hva), last = min(r->end - 1, slot_last);

	return r->fn(kvm, slot, slot->base_gfn + ((start - slot->hva) >> PAGE_SHIFT),
		     slot->base_gfn + ((last - slot->hva) >> PAGE_SHIFT) + 1, r->may_block);
}

/* mmu_lock held for write. True if any call said so. */
static bool range_each_slot(struct kvm *kvm, const struct hva_range *r)
{
	bool ret = false;
	int as, i;

	for (as = 0; as < KVM_ADDRESS_SPACES; as++) {
		struct kvm_memslots *slots = kvm_memslots(kvm, as);

		for (i = 0; i < slots->nr; i++) {
			if (range_hits_slot(slots->slot[i], r))
				ret |= range_slot(kvm, slots->slot[i], r);
		}
	}
	return ret;
}

/* As above, for who holds nothing. Most ranges of a VMM touch no slot. */
static bool range_walk(struct kvm *kvm, const struct hva_range *r, bool flush)
{
	bool ret = false;
	int idx;

	idx = srcu_read_lock(&kvm->srcu);
	if (range_any_slot(kvm, r)) {
		write_lock(&kvm->mmu_lock);
		ret = range_each_slot(kvm, r);
		if (ret && flush)
			kvm_flush_tlbs(kvm);
		write_unlock(&kvm->mmu_lock);
	}
	srcu_read_unlock(&kvm->srcu, idx);
	return ret;
}

static void invalidate_begin(struct kvm *kvm, unsigned long start, unsigned long end)
{
	spin_lock(&kvm->notifier_lock);
	if (!kvm->invalidate_in_progress) {
		WRITE_ONCE(kvm->invalidate_start, start);
		WRITE_ONCE(kvm->invalidate_end, end);
	} else {
		WRITE_ONCE(kvm->invalidate_start, min(start, kvm->invalidate_start));
		WRITE_ONCE(kvm->invalidate_end, max(end, kvm->invalidate_end));
	}
	smp_wmb();	/* the range is there before the count says so */
	WRITE_ONCE(kvm->invalidate_in_progress, kvm->invalidate_in_progress + 1);
	spin_unlock(&kvm->notifier_lock);
}

static void invalidate_finish(struct kvm *kvm)
{
	bool idle;

	spin_lock(&kvm->notifier_lock);
	WRITE_ONCE(kvm->invalidate_seq, kvm->invalidate_seq + 1);
	smp_wmb();	/* who sees the count fall must see the sequence move */
	WRITE_ONCE(kvm->invalidate_in_progress, kvm->invalidate_in_progress - 1);
	idle = !kvm->invalidate_in_progress;
	WARN_ON_ONCE(kvm->invalidate_in_progress < 0);
	spin_unlock(&kvm->notifier_lock);

	if (idle)
		rcuwait_wake_up(&kvm->invalidate_wait);
}

bool kvm_notifier_retry(struct kvm *kvm, unsigned long seq, unsigned long hva)
{
	lockdep_assert_held(&kvm->mmu_lock);
	if (unlikely(kvm->released))
		return true;
	if (unlikely(READ_ONCE(kvm->invalidate_in_progress))) {
		smp_rmb();	/* count, then range */
		if (hva >= READ_ONCE(kvm->invalidate_start) &&
		    hva < READ_ONCE(kvm->invalidate_end))
			return true;
	}
	smp_rmb();		/* count, then sequence */
	return READ_ONCE(kvm->invalidate_seq) != seq;
}

void kvm_notifier_lock_idle(struct kvm *kvm)
	__acquires(&kvm->notifier_lock)
{
	lockdep_assert_held(&kvm->slots_lock);	/* one waiter at a time */
	spin_lock(&kvm->notifier_lock);
	while (kvm->invalidate_in_progress) {
		spin_unlock(&kvm->notifier_lock);
		rcuwait_wait_event(&kvm->invalidate_wait,
				   !READ_ONCE(kvm->invalidate_in_progress), TASK_UNINTERRUPTIBLE);
		spin_lock(&kvm->notifier_lock);
	}
}

static int notifier_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct kvm *kvm = to_kvm(mn);
	struct hva_range r = {
		.start = range->start,
		.end = range->end,
		.fn = arch_unmap_gfns,
		.may_block = mmu_notifier_range_blockable(range),
	};

	trace_kvm_unmap_hva_range(range->start, range->end);
	invalidate_begin(kvm, range->start, range->end);
	range_walk(kvm, &r, true);
	return 0;
}

static void notifier_end(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	invalidate_finish(to_kvm(mn));
}

static bool age_range(struct kvm *kvm, struct kvm_memory_slot *slot, gfn_t start, gfn_t end,
		      bool may_block)
{
	return arch_age_gfns(kvm, slot, start, end);
}

static bool test_age_range(struct kvm *kvm, struct kvm_memory_slot *slot, gfn_t start, gfn_t end,
			   bool may_block)
{
	return arch_test_age_gfns(kvm, slot, start, end);
}

static compat_young_t notifier_clear_flush_young(struct mmu_notifier *mn, struct mm_struct *mm,
						 unsigned long start, unsigned long end)
{
	struct hva_range r = { .start = start, .end = end, .fn = age_range };

	trace_kvm_age_hva(start, end);
	return range_walk(to_kvm(mn), &r, true);
}

/* As above, but a stale accessed bit in some TLB is no matter. */
static compat_young_t notifier_clear_young(struct mmu_notifier *mn, struct mm_struct *mm,
					   unsigned long start, unsigned long end)
{
	struct hva_range r = { .start = start, .end = end, .fn = age_range };

	trace_kvm_age_hva(start, end);
	return range_walk(to_kvm(mn), &r, false);
}

static compat_young_t notifier_test_young(struct mmu_notifier *mn, struct mm_struct *mm,
					  unsigned long addr)
{
	struct hva_range r = { .start = addr, .end = addr + 1, .fn = test_age_range };

	trace_kvm_test_age_hva(addr);
	return range_walk(to_kvm(mn), &r, false);
}

/* The mm goes away, or we unregister: descriptors may live on elsewhere, mappings not. */
static void notifier_release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct kvm *kvm = to_kvm(mn);
	int idx = srcu_read_lock(&kvm->srcu);

	write_lock(&kvm->mmu_lock);
	kvm->released = true;
	write_unlock(&kvm->mmu_lock);
	arch_flush_shadow_all(kvm);
	srcu_read_unlock(&kvm->srcu, idx);
}

static const struct mmu_notifier_ops notifier_ops = {
	.invalidate_range_start	= notifier_start,
	.invalidate_range_end	= notifier_end,
	.clear_flush_young	= notifier_clear_flush_young,
	.clear_young		= notifier_clear_young,
	.test_young		= notifier_test_young,
	.release		= notifier_release,
};

int kvm_notifier_init(struct kvm *kvm)
{
	kvm->notifier.ops = &notifier_ops;
	return mmu_notifier_register(&kvm->notifier, current->mm);
}

void kvm_notifier_destroy(struct kvm *kvm)
{
	mmu_notifier_unregister(&kvm->notifier, kvm->mm);
	/*
	 * Unregistering between a start and its end loses the end. Nobody waits
	 * for the count any more.
	 */
	kvm->invalidate_in_progress = 0;
}
