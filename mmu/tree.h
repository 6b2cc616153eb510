/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The radix tree of page tables: every change of an entry, and nothing else.
 *
 * Pure: it knows neither vCPUs nor slots nor the lock that protects it, so that
 * it also runs as a userspace program with real threads under ThreadSanitizer
 * (tests/unit/test_mmu_tsan.c). Rules that its callers keep:
 *
 *   shared   tree_map() and tree_mark_mmio(): any number of threads at once,
 *            none of the exclusive functions at the same time (mmu_lock held
 *            for read). They add tables and replace entries; they never take
 *            a table away.
 *   exclusive  tree_detach(), tree_protect(), tree_mkclean(): one thread, mmu_lock held for
 *            write. Only they take tables away.
 *   lockless tree_find(), tree_fix(), tree_age(): at any time, inside an RCU
 *            read-side section. A table they look at may have been cut off
 *            meanwhile; its entries then are PTE_FROZEN or about to be, and a
 *            compare-and-exchange either comes before the freezing exchange,
 *            which then sees its result, or fails.
 *
 * The hardware walks and sets accessed and dirty bits all the time, so every
 * store to an entry that can be present is an exchange or a compare-and-
 * exchange, and what it replaced is looked at.
 *
 * Frames are named by gfn, guest address >> 12.
 */
#ifndef KVM_MMU_TREE_H
#define KVM_MMU_TREE_H

#include "pte.h"

/* What the tree needs from its owner. @ctx is passed through. */
struct tree_ops {
	u64 *(*get_table)(void *ctx);		/* a zeroed table, NULL: none left */
	void (*put_table)(void *ctx, u64 *pt);	/* one that was not used after all */
	void (*linked)(void *ctx, u64 *pt);	/* a table became part of the tree */
	/* A table was cut off: free it after TLB flush and grace period. */
	void (*cut)(void *ctx, u64 *pt);
	/* Leaves of this level appeared (n > 0) or went. */
	void (*count)(void *ctx, int level, int n);
	/* This leaf maps its page no longer. */
	void (*drop)(void *ctx, int level, u64 pte);
};

/* Between the address in an entry and the table in memory. */
u64 *tree_table(u64 addr);
u64 tree_table_addr(u64 *pt);

struct tree_pos {
	u64 *ptep;
	u64 pte;
	int level;
};

/* The lowest entry on the way to @gfn. Lockless. */
struct tree_pos tree_find(const struct mmu_tree *t, u64 gfn);

struct tree_map {
	u64 gfn;
	u64 addr;		/* of the 4K frame behind gfn, whatever the level */
	int level;		/* largest page wanted */
	unsigned int map;	/* PTE_MAP_* */
	u8 memtype;
	bool write;		/* the access that faulted */
};

enum tree_result {
	TREE_DONE,	/* mapped */
	TREE_SPURIOUS,	/* was mapped well enough already */
	TREE_NO_TABLE,	/* get_table() had none */
	TREE_CONFLICT,	/* another page is mapped there: zap it first */
};

/* Map a page of at most @m->level; smaller where a table exists already. Shared. */
enum tree_result tree_map(const struct mmu_tree *t, const struct tree_ops *ops, void *ctx,
			  const struct tree_map *m);
/* Leave the MMIO marker @marker at @gfn unless a page is mapped there. Shared. */
enum tree_result tree_mark_mmio(const struct mmu_tree *t, const struct tree_ops *ops, void *ctx,
				u64 gfn, u64 marker);

/*
 * Make the leaf at @pos good for the access if only tracking forbids it. False:
 * not that simple, take the long way. @pos->pte is renewed. Lockless.
 */
bool tree_fix(const struct mmu_tree *t, struct tree_pos *pos, bool write);
/* Was the leaf at @pos used? Clears the mark if @clear. Lockless. */
bool tree_age(const struct mmu_tree *t, struct tree_pos *pos, bool clear);
/* Take write access from the leaf at @pos; true if it had it. Exclusive. */
bool tree_protect(const struct mmu_tree *t, struct tree_pos *pos);
/* Clear the dirty bit of the leaf at @pos; true if it was set. Exclusive. */
bool tree_mkclean(const struct mmu_tree *t, struct tree_pos *pos);
/* Empty the entry at @pos with all that hangs below. True if a TLB may know it. Exclusive. */
bool tree_detach(const struct mmu_tree *t, const struct tree_ops *ops, void *ctx,
		 struct tree_pos *pos);

/*
 * All entries of level >= @min_level that cover frames of [start, end), top
 * down. The visitor may change the current entry; it then stores the new value
 * in cur.pos.pte, so that the cursor does not go down a table that is gone.
 * After the lock was dropped: tree_begin() again from cur.gfn.
 */
struct tree_cursor {
	const struct mmu_tree *t;
	u64 gfn, end;
	int min_level;
	struct tree_pos pos;
	u64 *table[PTE_MAX_LEVELS + 1];
};

void tree_begin(struct tree_cursor *cur, const struct mmu_tree *t, u64 start, u64 end,
		int min_level);
void tree_next(struct tree_cursor *cur);

static inline bool tree_valid(const struct tree_cursor *cur)
{
	return cur->gfn < cur->end;
}

/* First frame that the current entry covers, and the first it does not. */
static inline u64 tree_entry_start(const struct tree_cursor *cur)
{
	return cur->gfn & ~(pte_level_pages(cur->pos.level) - 1);
}

static inline u64 tree_entry_end(const struct tree_cursor *cur)
{
	return tree_entry_start(cur) + pte_level_pages(cur->pos.level);
}

static inline bool tree_is_leaf(const struct mmu_tree *t, const struct tree_pos *pos)
{
	return t->fmt->present(pos->pte) && t->fmt->leaf(pos->pte, pos->level);
}

static inline bool tree_is_table(const struct mmu_tree *t, const struct tree_pos *pos)
{
	return t->fmt->present(pos->pte) && !t->fmt->leaf(pos->pte, pos->level);
}

/* Does the tree reach @gfn at all? */
static inline bool tree_covers(const struct mmu_tree *t, u64 gfn)
{
	return !(gfn >> (t->levels * PTE_LEVEL_BITS));
}

#endif
