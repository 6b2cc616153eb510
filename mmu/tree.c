// SPDX-License-Identifier: GPL-2.0
/*
 * The radix tree of page tables. Contract and locking rules: tree.h.
 *
 * An entry goes through these changes, each one atomic exchange:
 *
 *	empty, MMIO   -> table, leaf, MMIO	shared
 *	leaf          -> leaf with more rights	shared, lockless (tree_fix)
 *	large leaf    -> table of small leaves	shared
 *	leaf          -> leaf without W or A	exclusive; A lockless
 *	anything      -> empty			exclusive
 *	anything in a table just cut off -> PTE_FROZEN	exclusive
 *
 * Nothing leads back from table to leaf in one step: a large page comes to
 * stand where a table was only after the table was cut off, its translations
 * flushed and the entry empty. So a shared walker may follow tables freely,
 * and two CPUs never see different pages through one entry without a flush
 * between.
 *
 * A split gives every small leaf the rights and marks of the large one, the
 * same translation in smaller pieces; it needs no TLB flush.
 */
#include "tree.h"

static u64 load(u64 *ptep)
{
	return READ_ONCE(*ptep);
}

/* On failure *old is what was found instead. */
static bool replace(u64 *ptep, u64 *old, u64 new)
{
	u64 was = cmpxchg(ptep, *old, new);
	bool done = was == *old;

	*old = was;
	return done;
}

static bool is_table(const struct mmu_tree *t, u64 pte, int level)
{
	return t->fmt->present(pte) && !t->fmt->leaf(pte, level);
}

static u64 *entry_in(u64 *pt, u64 gfn, int level)
{
	return &pt[pte_entry_index(gfn, level)];
}

struct tree_pos tree_find(const struct mmu_tree *t, u64 gfn)
{
	struct tree_pos pos = { .level = t->levels };
	u64 *pt = t->root;

	for (;;) {
		pos.ptep = entry_in(pt, gfn, pos.level);
		pos.pte = load(pos.ptep);
		if (!is_table(t, pos.pte, pos.level))
			return pos;
		pt = tree_table(t->fmt->addr(pos.pte));
		pos.level--;
	}
}

/* ---- adding --------------------------------------------------------------- */

static void fill_split(const struct mmu_tree *t, u64 *pt, u64 leaf, int level)
{
	unsigned int i;

	for (i = 0; i < PTE_ENTRIES; i++)
		WRITE_ONCE(pt[i], t->fmt->split(leaf, level, i));
}

/*
 * Put a table where @pos->pte is not one: an empty one, or a split large page.
 * TREE_DONE also if the entry changed meanwhile; @pos->pte is renewed.
 */
static enum tree_result add_table(const struct mmu_tree *t, const struct tree_ops *ops,
				  void *ctx, struct tree_pos *pos)
{
	bool split = tree_is_leaf(t, pos);
	u64 *pt = ops->get_table(ctx);
	u64 new;

	if (!pt)
		return TREE_NO_TABLE;
	if (split)
		fill_split(t, pt, pos->pte, pos->level);
	new = t->fmt->make_table(tree_table_addr(pt));
	if (!replace(pos->ptep, &pos->pte, new)) {
		if (split)
			memset(pt, 0, PTE_ENTRIES * sizeof(*pt));
		ops->put_table(ctx, pt);
		return TREE_DONE;
	}
	pos->pte = new;
	ops->linked(ctx, pt);
	if (split) {
		ops->count(ctx, pos->level, -1);
		ops->count(ctx, pos->level - 1, PTE_ENTRIES);
	}
	return TREE_DONE;
}

/* The leaf that tree_map() wants at @level. */
static u64 wanted_leaf(const struct mmu_tree *t, const struct tree_map *m, int level)
{
	u64 addr = m->addr & ~((pte_level_pages(level) << 12) - 1);

	return t->fmt->make_leaf(addr, level, m->map, m->memtype);
}

/* Put the leaf, or give more rights to the one that is there. */
static enum tree_result put_leaf(const struct mmu_tree *t, const struct tree_ops *ops, void *ctx,
				 const struct tree_map *m, struct tree_pos *pos)
{
	u64 leaf = wanted_leaf(t, m, pos->level);
	bool present;
	u64 new;

	for (;;) {
		new = leaf;
		present = t->fmt->present(pos->pte);
		if (present) {
			if (t->fmt->addr(pos->pte) != t->fmt->addr(leaf))
				return TREE_CONFLICT;
			if (t->fmt->usable(pos->pte, m->write))
				return TREE_SPURIOUS;
			new = t->fmt->fix(pos->pte, m->write) ?: leaf;
		}
		if (replace(pos->ptep, &pos->pte, new))
			break;
		if (is_table(t, pos->pte, pos->level))
			return TREE_SPURIOUS;	/* somebody was faster: fault again */
	}
	if (!present)
		ops->count(ctx, pos->level, 1);
	return TREE_DONE;
}

/* A large leaf lies above the wanted level: is it good enough as it is? */
static bool large_is_fine(const struct mmu_tree *t, const struct tree_map *m,
			  const struct tree_pos *pos)
{
	return tree_is_leaf(t, pos) && t->fmt->usable(pos->pte, m->write);
}

enum tree_result tree_map(const struct mmu_tree *t, const struct tree_ops *ops, void *ctx,
			  const struct tree_map *m)
{
	struct tree_pos pos = { .level = t->levels };
	enum tree_result r;
	u64 *pt = t->root;

	for (;;) {
		pos.ptep = entry_in(pt, m->gfn, pos.level);
		pos.pte = load(pos.ptep);
		while (pos.level > m->level && !is_table(t, pos.pte, pos.level)) {
			if (large_is_fine(t, m, &pos))
				return TREE_SPURIOUS;
			r = add_table(t, ops, ctx, &pos);
			if (r != TREE_DONE)
				return r;
		}
		if (!is_table(t, pos.pte, pos.level))
			return put_leaf(t, ops, ctx, m, &pos);
		pt = tree_table(t->fmt->addr(pos.pte));
		pos.level--;
	}
}

enum tree_result tree_mark_mmio(const struct mmu_tree *t, const struct tree_ops *ops, void *ctx,
				u64 gfn, u64 marker)
{
	struct tree_pos pos = tree_find(t, gfn);
	enum tree_result r;

	while (!t->fmt->present(pos.pte) && pos.level > PTE_LEVEL_4K) {
		r = add_table(t, ops, ctx, &pos);
		if (r != TREE_DONE)
			return r;
		pos = tree_find(t, gfn);
	}
	if (t->fmt->present(pos.pte))
		return TREE_SPURIOUS;
	return replace(pos.ptep, &pos.pte, marker) ? TREE_DONE : TREE_SPURIOUS;
}

/* ---- marks and rights ------------------------------------------------------- */

bool tree_fix(const struct mmu_tree *t, struct tree_pos *pos, bool write)
{
	u64 new;

	do {
		if (!tree_is_leaf(t, pos))
			return false;
		if (t->fmt->usable(pos->pte, write))
			return true;
		new = t->fmt->fix(pos->pte, write);
		if (!new)
			return false;
	} while (!replace(pos->ptep, &pos->pte, new));

	pos->pte = new;
	return true;
}

bool tree_age(const struct mmu_tree *t, struct tree_pos *pos, bool clear)
{
	u64 new;

	do {
		if (!tree_is_leaf(t, pos) || !t->fmt->young(pos->pte))
			return false;
		if (!clear)
			return true;
		new = t->fmt->mkold(pos->pte);
	} while (!replace(pos->ptep, &pos->pte, new));

	pos->pte = new;
	return true;
}

bool tree_protect(const struct mmu_tree *t, struct tree_pos *pos)
{
	u64 new;

	do {
		if (!tree_is_leaf(t, pos) || !t->fmt->writable(pos->pte))
			return false;
		new = t->fmt->wrprotect(pos->pte);
	} while (!replace(pos->ptep, &pos->pte, new));

	pos->pte = new;
	return true;
}

bool tree_mkclean(const struct mmu_tree *t, struct tree_pos *pos)
{
	u64 new;

	do {
		if (!tree_is_leaf(t, pos) || !t->fmt->dirty(pos->pte))
			return false;
		new = t->fmt->mkclean(pos->pte);
	} while (!replace(pos->ptep, &pos->pte, new));

	pos->pte = new;
	return true;
}

/* ---- taking away ------------------------------------------------------------ */

static void drop_leaf(const struct tree_ops *ops, void *ctx, int level, u64 pte)
{
	ops->count(ctx, level, -1);
	ops->drop(ctx, level, pte);
}

/* Freeze all entries of a table that nothing points to any more, then let it go. */
static void cut_table(const struct mmu_tree *t, const struct tree_ops *ops, void *ctx,
		      u64 *pt, int level)
{
	unsigned int i;
	u64 pte;

	for (i = 0; i < PTE_ENTRIES; i++) {
		pte = xchg(&pt[i], PTE_FROZEN);
		if (!t->fmt->present(pte))
			continue;
		if (t->fmt->leaf(pte, level))
			drop_leaf(ops, ctx, level, pte);
		else
			cut_table(t, ops, ctx, tree_table(t->fmt->addr(pte)), level - 1);
	}
	ops->cut(ctx, pt);
}

bool tree_detach(const struct mmu_tree *t, const struct tree_ops *ops, void *ctx,
		 struct tree_pos *pos)
{
	u64 pte = xchg(pos->ptep, 0);

	pos->pte = 0;
	if (!t->fmt->present(pte))
		return false;
	if (t->fmt->leaf(pte, pos->level))
		drop_leaf(ops, ctx, pos->level, pte);
	else
		cut_table(t, ops, ctx, tree_table(t->fmt->addr(pte)), pos->level - 1);
	return true;
}

/* ---- going over a range ------------------------------------------------------ */

static void cursor_load(struct tree_cursor *cur)
{
	cur->pos.ptep = entry_in(cur->table[cur->pos.level], cur->gfn, cur->pos.level);
	cur->pos.pte = load(cur->pos.ptep);
}

void tree_begin(struct tree_cursor *cur, const struct mmu_tree *t, u64 start, u64 end,
		int min_level)
{
	*cur = (struct tree_cursor) {
		.t = t,
		.gfn = start,
		.end = min(end, pte_level_pages(t->levels + 1)),
		.min_level = min_level,
		.pos.level = t->levels,
	};
	cur->table[t->levels] = t->root;
	if (tree_valid(cur))
		cursor_load(cur);
}

void tree_next(struct tree_cursor *cur)
{
	struct tree_pos *pos = &cur->pos;

	if (tree_is_table(cur->t, pos) && pos->level > cur->min_level) {
		cur->table[pos->level - 1] = tree_table(cur->t->fmt->addr(pos->pte));
		pos->level--;
	} else {
		cur->gfn = tree_entry_end(cur);
		while (pos->level < cur->t->levels && !pte_entry_index(cur->gfn, pos->level))
			pos->level++;
		if (!tree_valid(cur))
			return;
	}
	cursor_load(cur);
}
