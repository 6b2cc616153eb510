/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside the MMU: nested paging and its table pages, as mmu.c uses them.
 */
#ifndef KVM_MMU_TDP_H
#define KVM_MMU_TDP_H

#include "mmu.h"
#include "tree.h"

/* ---- page.c: table pages ------------------------------------------------------ */

/* A table page and what is needed to let it go. Found from the table's struct page. */
struct mmu_page {
	u64 *pt;
	struct mmu_page *next;		/* list of pages cut off, mmu_lock held for write */
	struct rcu_head rcu;
};

int mmu_page_module_init(void);
void mmu_page_module_exit(void);	/* waits for the last grace period */

/* A zeroed table or NULL. May sleep; charged to the VM's memory cgroup. */
struct mmu_page *mmu_page_alloc(void);
/* Nobody can reach it: hardware was flushed, lockless walkers are gone. */
void mmu_page_free(struct mmu_page *page);
/* Hardware was flushed; lockless walkers may still look at it. Any context. */
void mmu_page_free_rcu(struct mmu_page *page);
struct mmu_page *mmu_page_of(u64 *pt);

/*
 * Fill the stock so that one fault in a tree of @levels finds all tables it may
 * need. 0 or -ENOMEM. May sleep.
 */
int mmu_cache_fill(struct mmu_cache *cache, int levels);
void mmu_cache_drain(struct mmu_cache *cache);

/* ---- hostmap.c: how the host maps it ------------------------------------------- */

/*
 * The size of the host's page-table entry for @hva in current->mm as a level.
 * PTE_LEVEL_4K if nothing is mapped. The caller re-checks the notifier sequence
 * afterwards. Any context.
 */
int mmu_host_level(unsigned long hva);

/*
 * A leaf with the hardware's dirty bit goes, or loses the bit: the page behind it was
 * written to. mmu_lock held for write.
 */
void mmu_carry_dirty(unsigned long pfn);

/* ---- tdp.c --------------------------------------------------------------------- */

/* A page fault, nested or shadow, while it is being handled. */
struct mmu_pf {
	gpa_t gpa;
	gfn_t gfn;
	u64 error;
	bool write;
	struct kvm_memory_slot *slot;
	u64 gen;			/* of the slots, read before the slot */
	unsigned long seq;		/* notifier sequence, read before the page */
	unsigned long hva;
	kvm_pfn_t pfn;
	bool host_writable;
	int level;			/* shadow paging: the largest page that may stand here */
	gva_t gva;			/* shadow paging: the address that faulted ... */
	const struct walk *walk;	/* ... and the guest's walk to gpa */
};

/* The level of the largest page that host and slot allow for pf->pfn at pf->gfn. */
int mmu_page_level(const struct mmu_pf *pf);
/* Lockless: was it only a tracked write? srcu held. */
bool tdp_fix(struct kvm_vcpu *vcpu, const struct mmu_pf *pf);
/* Is a valid MMIO marker at @gfn? srcu held. */
bool tdp_is_known_mmio(struct kvm_vcpu *vcpu, gfn_t gfn);
/* Leave a marker for generation @gen. Cache filled, srcu held. */
void tdp_mark_mmio(struct kvm_vcpu *vcpu, gfn_t gfn, u64 gen);
/* Map pf->pfn. Cache filled, srcu held, mmu_lock not held. RESUME or -errno. */
int tdp_map(struct kvm_vcpu *vcpu, struct mmu_pf *pf);
/*
 * Map a page of the host's own, that is in no slot, if @wanted (NULL: it is) says so with
 * mmu_lock held. Stock filled. 0, or -EFAULT: a slot is there.
 */
int tdp_map_own(struct kvm_vcpu *vcpu, gfn_t gfn, kvm_pfn_t pfn, const bool *wanted);

/*
 * Unmap [start, end). mmu_lock held for write; dropped in between only if
 * @may_yield. True: the caller flushes TLBs before it drops mmu_lock.
 */
bool tdp_zap(struct kvm *kvm, gfn_t start, gfn_t end, bool may_yield);
/* The same with locking and TLB flush. */
void tdp_zap_flush(struct kvm *kvm, gfn_t start, gfn_t end);
/* Take write access from every page of [start, end), and flush. Takes mmu_lock. */
void tdp_protect(struct kvm *kvm, gfn_t start, gfn_t end);
/* Take write access from one page. mmu_lock held for write; the caller flushes. */
void tdp_protect_gfn(struct kvm *kvm, gfn_t gfn);
/* Was any page of [start, end) used? Lockless. */
bool tdp_age(struct kvm *kvm, gfn_t start, gfn_t end, bool clear);
/* Cut off tables where a large page could stand. current->mm is the VM's. */
void tdp_collapse(struct kvm *kvm, const struct kvm_memory_slot *slot);

/* The tree of a new VM, and its end (no vCPU left). */
int tdp_vm_init(struct kvm *kvm);
void tdp_vm_destroy(struct kvm *kvm);

#endif
