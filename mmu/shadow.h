/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside shadow paging.
 *
 * Without nested paging the hardware walks one set of tables only, so those it
 * walks must lead from guest virtual straight to host physical addresses. They
 * are made by us, piece by piece as the guest faults: the guest's tables say
 * what the guest wants, the slots say where its memory is, and the shadow
 * tables hold both together. The guest never sees them.
 *
 * Rules, with mmu_lock held for write around all of it:
 *
 *  1. A table that is in step: each of its entries is empty or says what the
 *     guest's entry says at this moment. For that the guest's table is write
 *     protected wherever it is mapped, and what the guest writes there
 *     is emulated and reported (shadow_guest_wrote()).
 *  2. A table of level 1 may fall behind (unsync) instead: then the guest
 *     writes to its own table freely, and our entries are what a TLB would be:
 *     perhaps old until the guest flushes. When it does, on whatever vCPU, all
 *     tables that fell behind are protected again and brought in step.
 *  3. Before an entry is made the guest's entry is read again, under the lock;
 *     the walk that led there ran without.
 *  4. Every leaf is in the reverse map of its frame, every table in the list
 *     of those that lead to it. A table to which nothing leads and which is no
 *     root goes at once.
 *
 * TLBs. What a leaf maps may be given back to the host, and what a table
 * occupied be freed, only after all vCPUs have flushed. Not everything that is
 * dropped is flushed at once: what the guest itself took back waits (stale),
 * since its own flush rules cover what the guest can see. Then
 *
 *  - tables wait in limbo for the flush, and
 *  - whoever would find nothing to flush looks at stale: the host's
 *    invalidations, and write protection. Both flush before the lock is dropped.
 *
 * Making an entry, or adding rights to one, needs no flush: a vCPU that faults
 * because its TLB knows less flushes that one address.
 */
#ifndef KVM_MMU_SHADOW_H
#define KVM_MMU_SHADOW_H

#include <linux/list.h>
#include "rmap.h"
#include "shadow_pte.h"
#include "tdp.h"

struct shadow_table {
	u64 *pt;
	gfn_t gfn;			/* of the guest's table, or the first mapped (direct) */
	union shadow_role role;
	u64 rsvd;			/* level 1: reserved bits of the guest's entries */
	u64 *gfns;			/* levels 1 and 2, not direct: the frame behind each leaf */
	struct hlist_node hash;
	struct list_head lru;
	struct list_head unsync;	/* empty: in step */
	struct mmu_rmap parents;	/* entries that lead here */
	unsigned int users;		/* vCPUs that have it as a root */
	unsigned int present;		/* entries that are not empty */
	unsigned int writes;		/* emulated since it was last used */
	unsigned int write_round;
	bool counted;			/* in its slot's tables_2m */
	bool dead;			/* out of the hash; goes with its last user */
	struct shadow_table *next;	/* limbo */
};

static inline struct shadow_vm *shadow_of(struct kvm *kvm)
{
	return &kvm->arch.mmu.shadow;
}

static inline bool shadow_is_behind(const struct shadow_table *t)
{
	return !list_empty(&t->unsync);
}

/* The table that an entry lies in, and which of its entries that is. */
struct shadow_table *shadow_table_of(u64 *entry);
static inline unsigned int shadow_slot(const u64 *entry)
{
	return offset_in_page(entry) / sizeof(u64);
}

static inline bool shadow_is_leaf(const struct shadow_table *t, u64 pte)
{
	return t->role.level == PTE_LEVEL_4K || (pte & SHADOW_PS);
}

/* The reverse map of @gfn in its @slot, for leaves of @level. */
struct mmu_rmap *shadow_rmap_of(const struct kvm_memory_slot *slot, gfn_t gfn, int level);

/* The table that a present entry of level 2 and up, no leaf, leads to. */
struct shadow_table *shadow_below(u64 pte);

/* ---- cache.c: tables, found by frame and role -------------------------------------- */

int shadow_cache_module_init(void);
void shadow_cache_module_exit(void);

/* 0 or -ENOMEM. May sleep. */
int shadow_stock_fill(struct shadow_stock *stock);
void shadow_stock_drain(struct shadow_stock *stock);

/*
 * The functions from here on: mmu_lock held for write, srcu held.
 *
 * shadow_lock() and shadow_unlock() are what takes and drops it. The latter
 * first settles what the stay owes to other CPUs.
 */
void shadow_lock(struct kvm *kvm);
void shadow_unlock(struct kvm *kvm);
/* Every vCPU flushes; limbo is emptied. */
void shadow_flush(struct kvm *kvm);

/* Find or make the table (@key). Stock filled. Flushes if it has to protect the guest's. */
struct shadow_table *shadow_get(struct kvm_vcpu *vcpu, const struct shadow_key *key, u64 rsvd);
/* May a 2M page stand around @gfn: is none of the guest's tables in there? */
bool shadow_large_allowed(const struct kvm_memory_slot *slot, gfn_t gfn);
/* Lead from entry @i of @t to @child, with @pte's rights. Stock filled. */
void shadow_connect(struct kvm_vcpu *vcpu, struct shadow_table *t, unsigned int i,
		    struct shadow_table *child, u64 pte);
/* Empty entry @i of @t. What it led to may go, too. */
void shadow_drop(struct kvm *kvm, struct shadow_table *t, unsigned int i);
/* Give up @t and all that is only reached through it. */
void shadow_zap(struct kvm *kvm, struct shadow_table *t);
/* Give up everything, and flush. */
void shadow_zap_all(struct kvm *kvm);
/* Give up tables until @spare more fit under the VM's limit. */
void shadow_make_room(struct kvm *kvm, unsigned long spare);
/* KVM_SET_NR_MMU_PAGES. Takes mmu_lock; srcu not held. */
void shadow_limit_changed(struct kvm *kvm);
void shadow_use_root(struct shadow_table *t);
void shadow_drop_root(struct kvm *kvm, struct shadow_table *t);

/* Tables of @gfn, one after the other; none may go meanwhile. Direct ones are left out. */
struct shadow_table *shadow_first(struct kvm *kvm, gfn_t gfn);
struct shadow_table *shadow_next(struct shadow_table *t);

#define shadow_for_each(t, kvm, gfn) \
	for ((t) = shadow_first(kvm, gfn); (t); (t) = shadow_next(t))

/* ---- shadow.c: leaves, faults, roots -------------------------------------------------- */

/* Add leaf @entry to the reverse map of its frame. Stock filled. */
void shadow_rmap_add(struct kvm_vcpu *vcpu, struct mmu_rmap *r, u64 *entry);
/* The page behind a leaf that goes, or loses its dirty bit, was written to. */
void shadow_carry_dirty(u64 pte);
/* A leaf came to @t (n > 0) or went. */
void shadow_count_leaf(struct kvm *kvm, const struct shadow_table *t, int n);
gfn_t shadow_leaf_gfn(const struct shadow_table *t, unsigned int i);
/* Take W from every mapping of @gfn. Whoever counts on it flushes if stale says so. */
void shadow_protect_gfn(struct kvm *kvm, gfn_t gfn);
void shadow_free_link(struct rmap_link *link);

/* Map pf->pfn where pf->walk says. Stock filled, mmu_lock not held. RESUME or -errno. */
int shadow_map(struct kvm_vcpu *vcpu, struct mmu_pf *pf);
/* Emulate the write that can't be let through. */
int shadow_emulate_write(struct kvm_vcpu *vcpu, const struct mmu_pf *pf);

/* Roots for the guest's CR3 and mode exist and are in step. 0 or -errno; may sleep. */
int shadow_load(struct kvm_vcpu *vcpu, const struct mmu_mode *mode);
/* True if the guest has another page, or the same with other rights, there now. */
bool shadow_invlpg(struct kvm_vcpu *vcpu, gva_t gva);

int shadow_slot_prepare(struct kvm_memory_slot *slot);	/* 0 or -ENOMEM */
void shadow_slot_free(struct kvm_memory_slot *slot);
void shadow_slot_protect(struct kvm *kvm, struct kvm_memory_slot *slot);

/* mmu_lock held for write by the notifier. True: the caller flushes. */
bool shadow_unmap_gfns(struct kvm *kvm, struct kvm_memory_slot *slot, gfn_t start, gfn_t end);
bool shadow_age_gfns(struct kvm *kvm, struct kvm_memory_slot *slot, gfn_t start, gfn_t end,
		     bool clear);

int shadow_vm_init(struct kvm *kvm);
void shadow_vm_destroy(struct kvm *kvm);
int shadow_vcpu_create(struct kvm_vcpu *vcpu);
void shadow_vcpu_destroy(struct kvm_vcpu *vcpu);

/* shadow_zap_all() for who holds no lock. */
void shadow_forget(struct kvm *kvm);

/* ---- shadow_sync.c: the guest changes its tables ------------------------------------------ */

/* May @gfn be mapped writable now? Lets tables of it fall behind for that if @write. */
bool shadow_allow_write(struct kvm *kvm, gfn_t gfn, bool write);
/* Bring all tables that fell behind in step. */
void shadow_sync_all(struct kvm_vcpu *vcpu);
/* The emulator wrote. True if the page had tables and lost them by that. Takes mmu_lock. */
bool shadow_guest_wrote(struct kvm_vcpu *vcpu, gpa_t gpa, unsigned int len);
/* Give up the tables of @gfn. True if there were any. Takes mmu_lock. */
bool shadow_unprotect(struct kvm *kvm, gfn_t gfn);

#endif
