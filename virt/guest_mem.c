// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory: from a guest frame to the host page behind it, and copies to
 * and from guest physical addresses.
 *
 * Guest memory is user memory of the VMM, at the host virtual addresses that
 * the slots name. So a copy is copy_from_user() or copy_to_user(), and the
 * host's memory manager does the rest: swap, copy on write, userfaultfd. Only
 * threads of the VMM come here (ioctls check the mm).
 *
 * To map a page into the guest, kvm_slot_gfn_to_pfn() asks the host for it, in
 * this order:
 *
 *	1. the host's page tables as they are, without locks
 *	2. a page fault on behalf of the caller (may sleep)
 *	3. a mapping without struct page (device memory): its entry is read
 *
 * A guest that reads gets a writable page if the host has one ready, so that
 * its first write does not fault again; no copy on write is forced for a read.
 *
 * The caller gets a reference and drops it once the page is mapped: the mmu
 * notifier, not the reference, keeps the mapping honest. Frames without a
 * struct page, or with a reserved one, have no reference to take; the two
 * sides agree on which through counted_page().
 *
 * Writes are recorded in the slot's dirty log after the data is there, so that
 * who finds the bit finds the data.
 */
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/uaccess.h>
#include "compat.h"
#include "memslot.h"

/* ---- host addresses -------------------------------------------------------- */

static unsigned long slot_hva(const struct kvm_memory_slot *slot, gfn_t gfn, bool *writable)
{
	if (!slot || slot->invalid)
		return KVM_HVA_BAD;
	if (writable)
		*writable = !(slot->flags & KVM_MEM_READONLY);
	return kvm_slot_hva(slot, gfn);
}

unsigned long kvm_gfn_to_hva(struct kvm *kvm, gfn_t gfn, bool *writable)
{
	return slot_hva(kvm_gfn_to_slot(kvm, gfn), gfn, writable);
}

unsigned long kvm_vcpu_gfn_to_hva(struct kvm_vcpu *vcpu, gfn_t gfn, bool *writable)
{
	return slot_hva(kvm_vcpu_gfn_to_slot(vcpu, gfn), gfn, writable);
}

/* ---- host pages -------------------------------------------------------------- */

/* The struct page of @pfn if references to it are counted. */
static struct page *counted_page(kvm_pfn_t pfn)
{
	struct page *page;

	if (!pfn_valid(pfn))
		return NULL;
	page = pfn_to_page(pfn);
	if (PageReserved(page) && !is_zero_pfn(pfn) && !is_zone_device_page(page))
		return NULL;
	return page;
}

void kvm_release_pfn(kvm_pfn_t pfn, bool dirty)
{
	struct page *page;

	if (kvm_pfn_is_bad(pfn))
		return;
	page = counted_page(pfn);
	if (!page)
		return;
	/* The guest's writes set no dirty bit that the host would see. */
	if (dirty && !PageReserved(page))
		SetPageDirty(page);
	put_page(page);
}

static bool pfn_fast(unsigned long hva, unsigned int flags, kvm_pfn_t *pfn)
{
	struct page *page;

	if (get_user_pages_fast_only(hva, 1, flags, &page) != 1)
		return false;
	*pfn = page_to_pfn(page);
	return true;
}

static int pfn_slow(unsigned long hva, bool write, kvm_pfn_t *pfn)
{
	unsigned int flags = FOLL_HWPOISON | (write ? FOLL_WRITE : 0);
	struct page *page;
	long n = get_user_pages_unlocked(hva, 1, &page, flags);

	if (n != 1)
		return n < 0 ? n : -EFAULT;
	*pfn = page_to_pfn(page);
	return 0;
}

/* mmap lock held; it may be dropped and taken again by the fault: then *@retry. */
static int pfnmap_read(struct vm_area_struct *vma, unsigned long hva, bool write,
		       unsigned long *pfn, bool *writable, bool *retry)
{
	bool unlocked = false;
	int r = compat_follow_pfnmap(vma, hva, pfn, writable);

	if (!r && (!write || *writable))
		return 0;
	if (!r && write && !(vma->vm_flags & VM_WRITE))
		return -EFAULT;
	r = fixup_user_fault(current->mm, hva, write ? FAULT_FLAG_WRITE : 0, &unlocked);
	if (r)
		return r;
	if (unlocked) {
		*retry = true;
		return -EAGAIN;
	}
	r = compat_follow_pfnmap(vma, hva, pfn, writable);
	if (!r && write && !*writable)
		r = -EFAULT;
	return r;
}

/* Device memory and the like. */
static int pfn_of_pfnmap(unsigned long hva, bool write, kvm_pfn_t *out, bool *writable)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	unsigned long pfn = 0;
	struct page *page;
	bool can_write = false, retry;
	int r;

	mmap_read_lock(mm);
	do {
		retry = false;
		vma = vma_lookup(mm, hva);
		if (!vma || !(vma->vm_flags & (VM_IO | VM_PFNMAP)) ||
		    (write && !(vma->vm_flags & VM_WRITE))) {
			r = -EFAULT;
			break;
		}
		r = pfnmap_read(vma, hva, write, &pfn, &can_write, &retry);
		if (r)
			continue;
		/* Balance kvm_release_pfn(); a page nobody holds can't be taken. */
		page = counted_page(pfn);
		if (page && !get_page_unless_zero(page))
			r = -EFAULT;
	} while (retry);
	mmap_read_unlock(mm);

	if (r)
		return r;
	*out = pfn;
	if (writable)
		*writable &= can_write;
	return 0;
}

/* A read got its page without write access: is there a writable one by now? */
static void pfn_upgrade(unsigned long hva, kvm_pfn_t *pfn, bool *writable)
{
	kvm_pfn_t other;

	*writable = pfn_fast(hva, FOLL_WRITE, &other);
	if (!*writable)
		return;
	kvm_release_pfn(*pfn, false);
	*pfn = other;
}

static kvm_pfn_t hva_to_pfn(unsigned long hva, bool atomic, bool write, bool *writable)
{
	kvm_pfn_t pfn;
	int r;

	if ((write || writable) && pfn_fast(hva, FOLL_WRITE, &pfn))
		return pfn;
	if (atomic)
		return KVM_PFN_FAULT;

	r = pfn_slow(hva, write, &pfn);
	if (!r) {
		if (!write && writable)
			pfn_upgrade(hva, &pfn, writable);
		return pfn;
	}
	if (r == -EHWPOISON)
		return KVM_PFN_HWPOISON;
	if (r == -EINTR || r == -EAGAIN)
		return fatal_signal_pending(current) ? KVM_PFN_SIGPENDING : KVM_PFN_FAULT;
	if (!pfn_of_pfnmap(hva, write, &pfn, writable))
		return pfn;
	return KVM_PFN_FAULT;
}

kvm_pfn_t kvm_slot_gfn_to_pfn(struct kvm_memory_slot *slot, gfn_t gfn, bool atomic,
			      bool write, bool *writable)
{
	if (writable)
		*writable = false;
	if (!slot || slot->invalid)
		return KVM_PFN_NOSLOT;
	if (slot->flags & KVM_MEM_READONLY) {
		if (write)
			return KVM_PFN_RO_FAULT;
		/* Mapped read-only whatever the host allows. */
		return hva_to_pfn(kvm_slot_hva(slot, gfn), atomic, false, NULL);
	}
	if (writable)
		*writable = true;
	return hva_to_pfn(kvm_slot_hva(slot, gfn), atomic, write, writable);
}

unsigned int kvm_slot_get_ready(const struct kvm_memory_slot *slot, gfn_t gfn, unsigned int n,
				struct page **pages)
{
	int got = get_user_pages_fast_only(kvm_slot_hva(slot, gfn), n, FOLL_WRITE, pages);

	return got > 0 ? got : 0;
}

/* ---- dirty bits ---------------------------------------------------------------- */

void kvm_mark_slot_dirty(struct kvm *kvm, struct kvm_memory_slot *slot, gfn_t gfn)
{
	if (slot && slot->dirty)
		set_bit(gfn - slot->base_gfn, slot->dirty);
}

void kvm_mark_page_dirty(struct kvm *kvm, gfn_t gfn)
{
	kvm_mark_slot_dirty(kvm, kvm_gfn_to_slot(kvm, gfn), gfn);
}

/* ---- copies ---------------------------------------------------------------------- */

/* Where @gfn's slot comes from: the vCPU's cache, or the VM. */
static struct kvm_memory_slot *find_slot(struct kvm *kvm, struct kvm_vcpu *vcpu, gfn_t gfn)
{
	return vcpu ? kvm_vcpu_gfn_to_slot(vcpu, gfn) : kvm_gfn_to_slot(kvm, gfn);
}

#define READ_AS(type, data, from) ({				\
	type v_;						\
	int r_ = get_user(v_, (type __user *)(from));		\
								\
	if (!r_)						\
		memcpy(data, &v_, sizeof(v_));			\
	r_;							\
})

#define WRITE_AS(type, to, data) ({				\
	type v_;						\
								\
	memcpy(&v_, data, sizeof(v_));				\
	put_user(v_, (type __user *)(to));			\
})

/*
 * What instructions read, without the detour that checks buffers of lengths
 * unknown to the compiler. 16 bytes are instruction bytes or an SSE operand,
 * neither of which is promised to be read at once.
 */
static int read_user(void *data, const void __user *from, size_t len)
{
	switch (len) {
	case 1:
		return READ_AS(u8, data, from);
	case 2:
		return READ_AS(u16, data, from);
	case 4:
		return READ_AS(u32, data, from);
	case 8:
		return READ_AS(u64, data, from);
	case 16:
		return READ_AS(u64, data, from) ?: READ_AS(u64, data + 8, from + 8);
	default:
		return copy_from_user(data, from, len) ? -EFAULT : 0;
	}
}

static int write_user(void __user *to, const void *data, size_t len)
{
	switch (len) {
	case 1:
		return WRITE_AS(u8, to, data);
	case 2:
		return WRITE_AS(u16, to, data);
	case 4:
		return WRITE_AS(u32, to, data);
	case 8:
		return WRITE_AS(u64, to, data);
	default:
		return copy_to_user(to, data, len) ? -EFAULT : 0;
	}
}

static int read_page(struct kvm_memory_slot *slot, gpa_t gpa, void *data, size_t len)
{
	unsigned long hva = slot_hva(slot, gpa_to_gfn(gpa), NULL);

	if (kvm_hva_is_bad(hva))
		return -EFAULT;
	hva += offset_in_page(gpa);
	return read_user(data, (void __user *)hva, len);
}

/* @data NULL: zeros. */
static int write_page(struct kvm *kvm, struct kvm_memory_slot *slot, gpa_t gpa,
		      const void *data, size_t len)
{
	bool writable = false;
	unsigned long hva = slot_hva(slot, gpa_to_gfn(gpa), &writable);
	void __user *to = (void __user *)(hva + offset_in_page(gpa));

	if (kvm_hva_is_bad(hva) || !writable)
		return -EFAULT;
	if (data ? write_user(to, data, len) : clear_user(to, len) != 0)
		return -EFAULT;
	kvm_mark_slot_dirty(kvm, slot, gpa_to_gfn(gpa));
	return 0;
}

static size_t in_page(gpa_t gpa, size_t len)
{
	return min_t(size_t, len, PAGE_SIZE - offset_in_page(gpa));
}

static int guest_read(struct kvm *kvm, struct kvm_vcpu *vcpu, gpa_t gpa, void *data, size_t len)
{
	while (len) {
		size_t n = in_page(gpa, len);
		int r = read_page(find_slot(kvm, vcpu, gpa_to_gfn(gpa)), gpa, data, n);

		if (r)
			return r;
		gpa += n;
		data += n;
		len -= n;
	}
	return 0;
}

static int guest_write(struct kvm *kvm, struct kvm_vcpu *vcpu, gpa_t gpa, const void *data,
		       size_t len)
{
	while (len) {
		size_t n = in_page(gpa, len);
		int r = write_page(kvm, find_slot(kvm, vcpu, gpa_to_gfn(gpa)), gpa, data, n);

		if (r)
			return r;
		gpa += n;
		if (data)
			data += n;
		len -= n;
	}
	return 0;
}

int kvm_read_guest(struct kvm *kvm, gpa_t gpa, void *data, size_t len)
{
	return guest_read(kvm, NULL, gpa, data, len);
}

int kvm_write_guest(struct kvm *kvm, gpa_t gpa, const void *data, size_t len)
{
	return guest_write(kvm, NULL, gpa, data, len);
}

int kvm_clear_guest(struct kvm *kvm, gpa_t gpa, size_t len)
{
	return guest_write(kvm, NULL, gpa, NULL, len);
}

int kvm_vcpu_read_guest(struct kvm_vcpu *vcpu, gpa_t gpa, void *data, size_t len)
{
	return guest_read(vcpu->kvm, vcpu, gpa, data, len);
}

int kvm_vcpu_write_guest(struct kvm_vcpu *vcpu, gpa_t gpa, const void *data, size_t len)
{
	return guest_write(vcpu->kvm, vcpu, gpa, data, len);
}

int kvm_vcpu_read_guest_atomic(struct kvm_vcpu *vcpu, gpa_t gpa, void *data, size_t len)
{
	unsigned long hva = kvm_vcpu_gfn_to_hva(vcpu, gpa_to_gfn(gpa), NULL);
	unsigned long left;

	if (kvm_hva_is_bad(hva) || in_page(gpa, len) != len)
		return -EFAULT;
	pagefault_disable();
	left = __copy_from_user_inatomic(data, (void __user *)(hva + offset_in_page(gpa)), len);
	pagefault_enable();
	return left ? -EFAULT : 0;
}

/* 0 done, 1 differed and *@old updated. */
#define CMPXCHG_AS(type, p, old, new)					\
({									\
	type was_ = *(type *)(old);					\
	type is_ = cmpxchg((type *)(p), was_, *(const type *)(new));	\
									\
	*(type *)(old) = is_;						\
	is_ != was_;							\
})

static int cmpxchg_any(void *p, void *old, const void *new, size_t len)
{
	switch (len) {
	case 1:
		return CMPXCHG_AS(u8, p, old, new);
	case 2:
		return CMPXCHG_AS(u16, p, old, new);
	case 4:
		return CMPXCHG_AS(u32, p, old, new);
	case 8:
		return CMPXCHG_AS(u64, p, old, new);
	default:
		return compat_cmpxchg16(p, old, new);
	}
}

int kvm_vcpu_cmpxchg_guest(struct kvm_vcpu *vcpu, gpa_t gpa, void *old, const void *new,
			   size_t len)
{
	struct kvm_memory_slot *slot = kvm_vcpu_gfn_to_slot(vcpu, gpa_to_gfn(gpa));
	bool writable = false;
	unsigned long hva = slot_hva(slot, gpa_to_gfn(gpa), &writable);
	struct page *page;
	void *map;
	int r;

	if (len > 16 || !is_power_of_2(len) || !IS_ALIGNED(gpa, len))
		return -EFAULT;
	if (kvm_hva_is_bad(hva) || !writable)
		return -EFAULT;
	if (pin_user_pages_fast(hva, 1, FOLL_WRITE, &page) != 1)
		return -EFAULT;

	map = kmap_local_page(page);
	r = cmpxchg_any(map + offset_in_page(gpa), old, new, len);
	kunmap_local(map);
	unpin_user_pages_dirty_lock(&page, 1, true);
	/* Even a failed compare writes, on the bus: so says the architecture. */
	kvm_mark_slot_dirty(vcpu->kvm, slot, gpa_to_gfn(gpa));
	return r;
}

/* ---- addresses used again and again -------------------------------------------------- */

static int cache_fill(struct kvm *kvm, struct kvm_memslots *slots, struct kvm_guest_cache *c)
{
	gfn_t first = gpa_to_gfn(c->gpa), last = gpa_to_gfn(c->gpa + c->len - 1);
	struct kvm_memory_slot *slot = kvm_gfn_to_slot(kvm, first);

	c->generation = READ_ONCE(slots->generation);
	c->slot = NULL;
	c->hva = slot_hva(slot, first, NULL);
	if (kvm_hva_is_bad(c->hva))
		return -EFAULT;
	c->hva += offset_in_page(c->gpa);
	/* Within one slot host addresses are contiguous. */
	if (last - slot->base_gfn < slot->npages)
		c->slot = slot;
	return 0;
}

int kvm_cache_init(struct kvm *kvm, struct kvm_guest_cache *c, gpa_t gpa, size_t len)
{
	c->gpa = gpa;
	c->len = len;
	if (!len || gpa + len - 1 < gpa)
		return -EFAULT;
	return cache_fill(kvm, kvm_memslots(kvm, 0), c);
}

static int cache_check(struct kvm *kvm, struct kvm_guest_cache *c, size_t off, size_t len)
{
	struct kvm_memslots *slots = kvm_memslots(kvm, 0);
	int r;

	if (WARN_ON_ONCE(off > c->len || len > c->len - off))
		return -EINVAL;
	if (c->generation != READ_ONCE(slots->generation)) {
		r = cache_fill(kvm, slots, c);
		if (r)
			return r;
	}
	return kvm_hva_is_bad(c->hva) ? -EFAULT : 0;
}

int kvm_cache_read(struct kvm *kvm, struct kvm_guest_cache *c, void *data, size_t off, size_t len)
{
	int r = cache_check(kvm, c, off, len);

	if (r)
		return r;
	if (!c->slot)
		return kvm_read_guest(kvm, c->gpa + off, data, len);
	return copy_from_user(data, (void __user *)(c->hva + off), len) ? -EFAULT : 0;
}

int kvm_cache_write(struct kvm *kvm, struct kvm_guest_cache *c, const void *data, size_t off,
		    size_t len)
{
	int r = cache_check(kvm, c, off, len);
	gfn_t gfn, last;

	if (r || !len)
		return r;
	if (!c->slot)
		return kvm_write_guest(kvm, c->gpa + off, data, len);
	if (c->slot->flags & KVM_MEM_READONLY)
		return -EFAULT;
	if (copy_to_user((void __user *)(c->hva + off), data, len))
		return -EFAULT;
	last = gpa_to_gfn(c->gpa + off + len - 1);
	for (gfn = gpa_to_gfn(c->gpa + off); gfn <= last; gfn++)
		kvm_mark_slot_dirty(kvm, c->slot, gfn);
	return 0;
}
