/* SPDX-License-Identifier: GPL-2.0 */
/*
 * linux/mm.h, linux/mmu_notifier.h: the host frame behind a page-table entry
 * that has no struct page, and what the notifier's "young" callbacks return.
 */
#ifndef COMPAT_MM_H
#define COMPAT_MM_H

#include <linux/mm.h>
#include <linux/mmu_notifier.h>

#ifdef HAVE_MMU_NOTIFIER_YOUNG_BOOL
typedef bool compat_young_t;
#else
typedef int compat_young_t;
#endif

/*
 * The frame that @vma (VM_IO or VM_PFNMAP) maps at @addr, with the mmap lock
 * held for reading. 0, or -errno if nothing is mapped there yet. The frame may
 * go away as soon as this returns: the mmu notifier tells.
 */
#ifdef HAVE_FOLLOW_PFNMAP
static inline int compat_follow_pfnmap(struct vm_area_struct *vma, unsigned long addr,
				       unsigned long *pfn, bool *writable)
{
	struct follow_pfnmap_args args = { .vma = vma, .address = addr };
	int r = follow_pfnmap_start(&args);

	if (r)
		return r;
	*pfn = args.pfn;
	*writable = args.writable;
	follow_pfnmap_end(&args);
	return 0;
}
#else
static inline int compat_follow_pfnmap(struct vm_area_struct *vma, unsigned long addr,
				       unsigned long *pfn, bool *writable)
{
	spinlock_t *lock;
	pte_t *ptep;
	int r = follow_pte(vma->vm_mm, addr, &ptep, &lock);

	if (r)
		return r;
	__acquire(lock);	/* follow_pte() took it, but does not tell sparse */
	*pfn = pte_pfn(*ptep);
	*writable = pte_write(*ptep);
	pte_unmap_unlock(ptep, lock);
	return 0;
}
#endif

struct compat_16 {
	u64 half[2];
};

/*
 * Compare and exchange 16 aligned bytes: 0 done, 1 differed and *@old updated.
 * Kernels name it differently or not at all; every CPU with long mode and
 * hardware virtualization has the instruction.
 */
static inline int compat_cmpxchg16(void *p, void *old, const void *new)
{
	u64 *o = old;
	const u64 *n = new;
	bool done;

	asm volatile("lock cmpxchg16b %[mem]"
		     : [mem] "+m" (*(struct compat_16 *)p), "=@ccz" (done), "+a" (o[0]), "+d" (o[1])
		     : "b" (n[0]), "c" (n[1])
		     : "memory");
	return !done;
}

#endif
