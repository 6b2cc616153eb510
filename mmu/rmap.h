/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reverse maps: from a guest frame to every entry that maps it, and from a
 * shadow table to every entry that leads to it.
 *
 * Most frames are mapped once, so the head is one word that holds the address
 * of that entry. More than one need links, small arrays chained from the head.
 * All links but the first of a chain are full: what is removed is replaced by
 * the last one put in.
 *
 * Pure: memory comes from and goes to the caller. mmu_lock held for write.
 */
#ifndef KVM_MMU_RMAP_H
#define KVM_MMU_RMAP_H

#include "pure.h"

/* 0: nobody. Bit 0 clear: one entry's address. Bit 0 set: first link's address. */
struct mmu_rmap {
	unsigned long head;
};

#define RMAP_LINK_ENTRIES	14

struct rmap_link {
	struct rmap_link *next;
	u32 nr;
	u32 behind;			/* entries of the links that follow */
	u64 *entry[RMAP_LINK_ENTRIES];
};

/* At most this many links are taken by one rmap_add(). */
#define RMAP_ADD_LINKS		1

/* @spare is taken (true) or not needed (false). */
bool rmap_add(struct mmu_rmap *r, u64 *entry, struct rmap_link *spare);

/* The link that became free, or NULL. @entry was there; if not, *@found is false. */
struct rmap_link *rmap_remove(struct mmu_rmap *r, u64 *entry, bool *found);

static inline bool rmap_empty(const struct mmu_rmap *r)
{
	return !r->head;
}

/* How many entries are there. Does not walk the chain. */
unsigned int rmap_count(const struct mmu_rmap *r);

/* Some entry of the map, or NULL. To take all away: while ((e = rmap_any(r))) remove it. */
u64 *rmap_any(const struct mmu_rmap *r);

/* To look at all of them; nothing may be added or removed meanwhile. */
struct rmap_iter {
	const struct rmap_link *link;
	unsigned int i;
};

u64 *rmap_first(const struct mmu_rmap *r, struct rmap_iter *it);
u64 *rmap_next(struct rmap_iter *it);

#define rmap_for_each(entry, r, it) \
	for ((entry) = rmap_first(r, it); (entry); (entry) = rmap_next(it))

#endif
