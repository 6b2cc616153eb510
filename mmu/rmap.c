// SPDX-License-Identifier: GPL-2.0
/*
 * Reverse maps. Layout and contract: rmap.h.
 */
#include "rmap.h"

static struct rmap_link *first_link(const struct mmu_rmap *r)
{
	return r->head & 1 ? (struct rmap_link *)(r->head & ~1UL) : NULL;
}

static void set_link(struct mmu_rmap *r, struct rmap_link *link)
{
	r->head = (unsigned long)link | 1;
}

bool rmap_add(struct mmu_rmap *r, u64 *entry, struct rmap_link *spare)
{
	struct rmap_link *link = first_link(r);

	if (!r->head) {
		r->head = (unsigned long)entry;
		return false;
	}
	if (link && link->nr < RMAP_LINK_ENTRIES) {
		link->entry[link->nr++] = entry;
		return false;
	}
	spare->next = link;
	spare->behind = link ? link->behind + link->nr : 0;
	spare->nr = 0;
	if (!link)
		spare->entry[spare->nr++] = (u64 *)r->head;
	spare->entry[spare->nr++] = entry;
	set_link(r, spare);
	return true;
}

/* Where @entry stands in the chain, or NULL. */
static u64 **find(const struct mmu_rmap *r, const u64 *entry)
{
	struct rmap_link *link;
	unsigned int i;

	for (link = first_link(r); link; link = link->next)
		for (i = 0; i < link->nr; i++)
			if (link->entry[i] == entry)
				return &link->entry[i];
	return NULL;
}

struct rmap_link *rmap_remove(struct mmu_rmap *r, u64 *entry, bool *found)
{
	struct rmap_link *link = first_link(r);
	u64 **at;

	if (!link) {
		*found = r->head == (unsigned long)entry;
		if (*found)
			r->head = 0;
		return NULL;
	}
	at = find(r, entry);
	*found = at;
	if (!at)
		return NULL;
	*at = link->entry[--link->nr];
	if (!link->nr && link->next)
		set_link(r, link->next);
	else if (link->nr == 1 && !link->next)
		r->head = (unsigned long)link->entry[0];
	else
		return NULL;
	return link;
}

unsigned int rmap_count(const struct mmu_rmap *r)
{
	const struct rmap_link *link = first_link(r);

	return link ? link->behind + link->nr : !rmap_empty(r);
}

u64 *rmap_any(const struct mmu_rmap *r)
{
	const struct rmap_link *link = first_link(r);

	return link ? link->entry[link->nr - 1] : (u64 *)r->head;
}

u64 *rmap_first(const struct mmu_rmap *r, struct rmap_iter *it)
{
	it->link = first_link(r);
	it->i = 0;
	return it->link ? it->link->entry[0] : (u64 *)r->head;
}

u64 *rmap_next(struct rmap_iter *it)
{
	if (!it->link)
		return NULL;
	if (++it->i == it->link->nr) {
		it->link = it->link->next;
		it->i = 0;
	}
	return it->link ? it->link->entry[it->i] : NULL;
}
