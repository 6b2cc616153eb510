/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the MMU keeps in each VM and each vCPU. Behaviour: mmu.h.
 */
#ifndef KVM_MMU_VM_H
#define KVM_MMU_VM_H

#include <linux/atomic.h>
#include <linux/list.h>
#include "types.h"
#include "pte.h"
#include "walk.h"

struct mmu_page;
struct shadow_table;
struct rmap_link;

/*
 * Shadow paging: every table by the guest frame it stands for. All of it is
 * [M], mmu_lock held for write; mmu/shadow.h tells the story.
 */
struct shadow_vm {
	struct hlist_head *hash;	/* [I] the heads; [M] the lists */
	struct list_head lru;		/* the same tables, longest unused first */
	struct list_head unsync;	/* tables that may be behind the guest's */
	struct shadow_table *limbo;	/* cut off; freed after the next flush */
	unsigned int nr_limbo;
	unsigned int write_round;	/* counts guest_wrote() */
	bool stale;			/* some TLB may know what is mapped no longer */
	bool reload;			/* a root that is in use was given up */
};

/*
 * [I] set at VM creation, [a] atomic. The entries of the tree have rules of
 * their own: mmu/tree.h.
 */
struct mmu_vm {
	struct mmu_tree tree;		/* [I] the nested page tables, root included */
	struct shadow_vm shadow;
	atomic_long_t nr_pages;		/* [a] table pages linked or waiting to be freed */
	unsigned long n_max;		/* [a] KVM_SET_NR_MMU_PAGES; only shadow paging has a limit */
};

/* A small stock of table pages filled where sleeping is allowed, drawn under mmu_lock. */
struct mmu_cache {
	int nr;
	struct mmu_page *page[PTE_MAX_LEVELS - 1];
};

/* The same for shadow paging: what one fault, or the loading of a root, may need. */
#define SHADOW_ROOTS		4
#define SHADOW_STOCK_TABLES	4
#define SHADOW_STOCK_LINKS	4

struct shadow_stock {
	int nr_tables, nr_links, nr_gfns;
	struct shadow_table *table[SHADOW_STOCK_TABLES];
	struct rmap_link *link[SHADOW_STOCK_LINKS];
	u64 *gfns[SHADOW_STOCK_TABLES];	/* any table may have leaves: four roots of level 2, too */
};

/* A vCPU's way into the shadow tables. */
struct shadow_vcpu {
	struct shadow_table *root[SHADOW_ROOTS];	/* held; one, or four below pae_root */
	u64 *pae_root;			/* [I] below 4G; in 32-bit modes what CR3 points to */
	struct shadow_stock stock;
	bool sync;			/* the guest flushed its TLB: catch up before entry */
	bool emulating;			/* a write to a page of the guest's tables, this one: */
	gfn_t emulated_gfn;
	gfn_t gave_up_gfn;		/* tables given up lest an instruction be emulated ... */
	u64 gave_up_rip;
	unsigned int gave_up;		/* ... so often in a row */
};

/*
 * The last translation of a kind, with the guest's entries it rests on. It holds
 * as long as they read the same; comparing them is cheaper than a walk.
 */
struct mmu_recall {
	u64 addr, gpa;			/* of the page */
	u64 access, cr3, mode, slots_gen;
	u32 pkru;
	bool ac;
	u8 nr;				/* entries, 0: empty */
	u64 entry[WALK_MAX_LEVELS];
	unsigned long hva[WALK_MAX_LEVELS];
};

/* All [V] (vcpu->mutex). */
struct mmu_vcpu {
	hpa_t root_hpa;			/* root that the hardware knows, 0: must load */
	struct mmu_mode guest;		/* how the guest's page tables read ... */
	u64 guest_cr0, guest_cr4, guest_efer;	/* ... as computed from these */
	bool guest_valid;
	struct mmu_recall recall[2];	/* data, code */
	struct mmu_cache cache;
	gfn_t mmio_gfn;			/* the last frame found to be no memory ... */
	u64 mmio_gen;			/* ... by the slots of this generation, + 1; 0: none yet */
	struct shadow_vcpu shadow;
	u64 pdptrs[4];			/* PAE pdptes as loaded by CR3 */
	bool pdptrs_valid;
};

#endif
