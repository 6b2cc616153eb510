// SPDX-License-Identifier: GPL-2.0
/*
 * The dirty log: which pages of a slot the guest has written to.
 *
 * A page is in one of two states: its bit is clear and a write to it faults (or
 * its entry's dirty bit is clear), or its bit is set and writes go through.
 * Reading the log takes bits and re-arms their pages, in this order, under
 * mmu_lock: clear the bit, re-arm the page, and flush TLBs before userspace is
 * told. A write that still goes through a stale TLB entry comes before that
 * flush, so it is in what userspace copies afterwards.
 *
 * With KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 reading neither takes nor re-arms;
 * KVM_CLEAR_DIRTY_LOG does, for the pages that it names.
 *
 * Locks: slots_lock around all of it; mmu_lock for write while re-arming, given
 * up between batches so that vCPUs can fault.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "arch.h"
#include "memslot.h"

/* Words re-armed in one go: 64 x 64 pages. */
#define BATCH	64

static struct kvm_memory_slot *logged_slot(struct kvm *kvm, u32 id)
{
	struct kvm_memslots *slots;
	int i;

	if (id >> 16 >= KVM_ADDRESS_SPACES || (u16)id >= KVM_USER_MEM_SLOTS)
		return ERR_PTR(-EINVAL);
	slots = kvm_memslots(kvm, id >> 16);
	for (i = 0; i < slots->nr; i++) {
		if (slots->slot[i]->id == (u16)id)
			return slots->slot[i]->dirty ? slots->slot[i] : ERR_PTR(-ENOENT);
	}
	return ERR_PTR(-ENOENT);
}

/*
 * Take the bits of @want (all, if @take_all) of word @w and re-arm their pages.
 * What was taken goes to *@want. mmu_lock held for write.
 */
static bool take_word(struct kvm *kvm, struct kvm_memory_slot *slot, unsigned long w,
		      unsigned long *want, bool take_all)
{
	unsigned long *word = &slot->dirty[w], taken;

	if (!READ_ONCE(*word)) {
		*want = 0;
		return false;
	}
	if (take_all)
		taken = xchg(word, 0);
	else
		taken = atomic_long_fetch_andnot(*want, (atomic_long_t *)word) & *want;
	*want = taken;
	if (taken)
		arch_dirty_log_protect(kvm, slot, (gfn_t)w * BITS_PER_LONG, taken);
	return taken;
}

/* Words [@first, @first + @n) of the log against @bits. TLBs are flushed when this returns. */
static void take_words(struct kvm *kvm, struct kvm_memory_slot *slot, unsigned long first,
		       unsigned long n, unsigned long *bits, bool take_all)
{
	unsigned long i = 0, end;
	bool flush = false;

	while (i < n) {
		end = min(i + BATCH, n);
		write_lock(&kvm->mmu_lock);
		for (; i < end; i++)
			flush |= take_word(kvm, slot, first + i, &bits[i], take_all);
		write_unlock(&kvm->mmu_lock);
		cond_resched();
	}
	if (flush)
		kvm_flush_tlbs(kvm);
}

static int get_log_locked(struct kvm *kvm, struct kvm_dirty_log *log)
{
	struct kvm_memory_slot *slot = logged_slot(kvm, log->slot);
	unsigned long n, *bits;
	int r = 0;

	if (IS_ERR(slot))
		return PTR_ERR(slot);
	arch_dirty_log_sync(kvm);
	n = BITS_TO_LONGS(slot->npages);
	if (kvm->manual_dirty_log_protect)
		return copy_to_user(log->dirty_bitmap, slot->dirty, n * sizeof(long)) ?
			-EFAULT : 0;

	/* A bad address is found before bits are taken; else they would be lost. */
	if (clear_user(log->dirty_bitmap, n * sizeof(long)))
		return -EFAULT;
	bits = kvmalloc_array(n, sizeof(long), GFP_KERNEL_ACCOUNT);
	if (!bits)
		return -ENOMEM;
	take_words(kvm, slot, 0, n, bits, true);
	if (copy_to_user(log->dirty_bitmap, bits, n * sizeof(long)))
		r = -EFAULT;
	kvfree(bits);
	return r;
}

int kvm_get_dirty_log(struct kvm *kvm, struct kvm_dirty_log *log)
{
	int r;

	mutex_lock(&kvm->slots_lock);
	r = get_log_locked(kvm, log);
	mutex_unlock(&kvm->slots_lock);
	return r;
}

/* The window must begin at a multiple of 64, and end at one or at the slot's end. */
static bool clear_window_ok(const struct kvm_memory_slot *slot,
			    const struct kvm_clear_dirty_log *log)
{
	if (log->first_page % 64 || log->first_page > slot->npages ||
	    log->num_pages > slot->npages - log->first_page)
		return false;
	return !(log->num_pages % 64) || log->first_page + log->num_pages == slot->npages;
}

static int clear_log_locked(struct kvm *kvm, struct kvm_clear_dirty_log *log)
{
	struct kvm_memory_slot *slot = logged_slot(kvm, log->slot);
	unsigned long n, *bits;

	if (IS_ERR(slot))
		return PTR_ERR(slot);
	if (!clear_window_ok(slot, log))
		return -EINVAL;
	n = BITS_TO_LONGS(log->num_pages);
	if (!n)
		return 0;
	bits = kvmalloc_array(n, sizeof(long), GFP_KERNEL_ACCOUNT);
	if (!bits)
		return -ENOMEM;
	if (copy_from_user(bits, log->dirty_bitmap, n * sizeof(long))) {
		kvfree(bits);
		return -EFAULT;
	}
	take_words(kvm, slot, log->first_page / BITS_PER_LONG, n, bits, false);
	kvfree(bits);
	return 0;
}

int kvm_clear_dirty_log(struct kvm *kvm, struct kvm_clear_dirty_log *log)
{
	int r;

	mutex_lock(&kvm->slots_lock);
	r = clear_log_locked(kvm, log);
	mutex_unlock(&kvm->slots_lock);
	return r;
}
