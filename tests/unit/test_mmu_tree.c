// SPDX-License-Identifier: GPL-2.0
/*
 * The entry formats and the radix tree, one thread: each change of an entry,
 * what is counted and handed back, the cursor, and random operations against a
 * flat model, with each format. The threads are test_mmu_tsan.c's.
 */
#include <check.h>
#include "mmu_tree_mem.h"

#define FMT		fmt	/* the one under test */
#define ADDR(gfn)	(((u64)(gfn) + 0x1000000) << 12)	/* where gfn is backed */
#define RW		(PTE_MAP_WRITE | PTE_MAP_MAY | PTE_MAP_EXEC | PTE_MAP_YOUNG)
#define RO_TRACKED	(PTE_MAP_MAY | PTE_MAP_EXEC | PTE_MAP_YOUNG)
#define RO		(PTE_MAP_EXEC | PTE_MAP_YOUNG)
#define MARKER_BIT	BIT_ULL(51)

static const struct pte_format *fmt;
static struct mmu_tree tree;
static int leaves[4], linked, cut, unused, dropped, dropped_dirty, tables_left;

static u64 *get_table(void *ctx)
{
	return tables_left-- > 0 ? mem_new_tables(1) : NULL;
}

static void put_table(void *ctx, u64 *pt)
{
	unused++;
}

static void on_linked(void *ctx, u64 *pt)
{
	linked++;
}

static void on_cut(void *ctx, u64 *pt)
{
	unsigned int i, frozen = 0;

	for (i = 0; i < PTE_ENTRIES; i++)
		frozen += pt[i] == PTE_FROZEN;
	ck_assert_uint_eq(frozen, PTE_ENTRIES);
	cut++;
}

static void on_count(void *ctx, int level, int n)
{
	leaves[level] += n;
	if (leaves[level] < 0)
		ck_abort_msg("more leaves of level %d went than came", level);
}

static void on_drop(void *ctx, int level, u64 pte)
{
	dropped++;
	dropped_dirty += FMT->dirty(pte);
}

static const struct tree_ops ops = {
	.get_table = get_table, .put_table = put_table, .linked = on_linked,
	.cut = on_cut, .count = on_count, .drop = on_drop,
};

static void setup(const struct pte_format *format)
{
	fmt = format;
	pte_x86_set_mmio_bit(MARKER_BIT);
	tree = (struct mmu_tree) { .root = mem_new_tables(1), .fmt = FMT, .levels = 4 };
	memset(leaves, 0, sizeof(leaves));
	linked = cut = unused = dropped = dropped_dirty = 0;
	tables_left = 1 << 20;
}

static void setup_npt(void)
{
	setup(&pte_x86_npt);
}

static void setup_ept(void)
{
	setup(&pte_ept);
}

static void setup_ept_noad(void)
{
	setup(&pte_ept_noad);
}

static void teardown(void)
{
	mem_free_all();
}

static enum tree_result map(u64 gfn, int level, unsigned int rights, bool write)
{
	struct tree_map m = {
		.gfn = gfn, .addr = ADDR(gfn), .level = level, .map = rights, .write = write,
	};

	return tree_map(&tree, &ops, NULL, &m);
}

static struct tree_pos find(u64 gfn)
{
	return tree_find(&tree, gfn);
}

/* The page that hardware would reach. 0: none. */
static u64 reach(u64 gfn, bool write)
{
	struct tree_pos pos = find(gfn);

	if (!FMT->present(pos.pte) || !FMT->usable(pos.pte, write))
		return 0;
	return FMT->addr(pos.pte) + ((gfn & (pte_level_pages(pos.level) - 1)) << 12);
}

START_TEST(npt_format)
{
	u64 pte = FMT->make_leaf(0x123456789000, 1, RW | PTE_MAP_DIRTY, 0);

	ck_assert_uint_eq(pte, 0x123456789000 | 0x267);	/* P W U A D, MAY */
	ck_assert(FMT->present(pte) && FMT->leaf(pte, 1) && FMT->dirty(pte) && FMT->young(pte));
	ck_assert(FMT->usable(pte, true));
	ck_assert(FMT->usable(FMT->mkclean(pte), true) && !FMT->dirty(FMT->mkclean(pte)));
	pte = FMT->wrprotect(pte);
	ck_assert(FMT->usable(pte, false) && !FMT->usable(pte, true));
	ck_assert(FMT->usable(FMT->fix(pte, true), true));
	ck_assert(!FMT->young(FMT->mkold(pte)));
	pte = FMT->make_leaf(0x1000, 1, RO, 0);
	ck_assert_uint_eq(FMT->fix(pte, true), 0);
	ck_assert_uint_eq(FMT->make_leaf(0x1000, 1, 0, 0x18), BIT_ULL(63) | 0x101d);

	pte = FMT->make_leaf(0x40000000, 3, RW, 0);
	ck_assert(FMT->leaf(pte, 3) && (pte & 0x80));
	pte = FMT->split(pte, 3, 5);
	ck_assert_uint_eq(FMT->addr(pte), 0x40a00000);
	ck_assert(FMT->leaf(pte, 2));
	pte = FMT->split(pte, 2, 511);
	ck_assert_uint_eq(FMT->addr(pte), 0x40bff000);
	ck_assert_uint_eq(pte & 0x80, 0);

	pte = FMT->make_table(0x7000);
	ck_assert_uint_eq(pte, 0x7027);
	ck_assert(FMT->present(pte) && !FMT->leaf(pte, 2));
	ck_assert(!FMT->present(PTE_FROZEN) && !FMT->is_mmio(PTE_FROZEN));
	ck_assert(!FMT->present(0) && !FMT->is_mmio(0));
}
END_TEST

START_TEST(npt_mmio_format)
{
	static const u64 gens[] = { 0, 2, 0xfffffff, 0x10000000, 0x7fffffffffULL, 0x5a5a5a5a5aULL };
	static const u64 bits[] = { BIT_ULL(51), BIT_ULL(50), BIT_ULL(40) };
	unsigned int i, j;

	for (j = 0; j < ARRAY_SIZE(bits); j++) {
		pte_x86_set_mmio_bit(bits[j]);
		for (i = 0; i < ARRAY_SIZE(gens); i++) {
			u64 pte = FMT->make_mmio(gens[i]);

			ck_assert(FMT->is_mmio(pte) && !FMT->present(pte));
			ck_assert_uint_eq(pte & 1, 1);	/* else no RSVD fault */
			ck_assert_uint_eq(pte & bits[j], bits[j]);
			ck_assert_uint_eq(FMT->mmio_gen(pte), gens[i]);
		}
	}
	pte_x86_set_mmio_bit(0);
	ck_assert_uint_eq(FMT->make_mmio(2), 0);
	ck_assert(!FMT->is_mmio(FMT->make_leaf(BIT_ULL(51), 1, RW, 0)));
	ck_assert(FMT->present(FMT->make_leaf(BIT_ULL(51), 1, RW, 0)));
}
END_TEST

#define EPT_WB	0x70	/* write-back, the guest's PAT ignored */

START_TEST(ept_format)
{
	u64 pte = FMT->make_leaf(0x123456789000, 1, RW | PTE_MAP_DIRTY, EPT_WB);

	ck_assert_uint_eq(pte, 0x123456789000 | 0xb77);	/* R W X, A D, MAY */
	ck_assert(FMT->present(pte) && FMT->leaf(pte, 1) && FMT->dirty(pte) && FMT->young(pte));
	ck_assert_uint_eq(FMT->addr(pte), 0x123456789000);
	ck_assert_uint_eq(FMT->mkclean(pte), 0x123456789000 | 0x977);	/* and still W */
	pte = FMT->wrprotect(pte);
	ck_assert(FMT->usable(pte, false) && !FMT->usable(pte, true) && FMT->dirty(pte));
	ck_assert(FMT->usable(FMT->fix(pte, true), true));
	ck_assert_uint_eq(FMT->fix(FMT->make_leaf(0x1000, 1, RO, 0), true), 0);
	/* a leaf never grants writing alone, which the hardware refuses */
	ck_assert_uint_eq(FMT->make_leaf(0x1000, 1, PTE_MAP_WRITE, 0) & 7, 3);

	pte = FMT->make_leaf(0x40000000, 3, RW, EPT_WB);
	ck_assert(FMT->leaf(pte, 3) && (pte & 0x80));
	pte = FMT->split(pte, 3, 5);
	ck_assert_uint_eq(FMT->addr(pte), 0x40a00000);
	ck_assert(FMT->leaf(pte, 2));
	pte = FMT->split(pte, 2, 511);
	ck_assert_uint_eq(FMT->addr(pte), 0x40bff000);
	ck_assert_uint_eq(pte & 0xff, EPT_WB | 7);

	pte = FMT->make_table(0x7000);
	ck_assert_uint_eq(pte, 0x7107);
	ck_assert(FMT->present(pte) && !FMT->leaf(pte, 2));
	ck_assert(!FMT->present(PTE_FROZEN) && !FMT->is_mmio(PTE_FROZEN));
	ck_assert(!FMT->present(0) && !FMT->is_mmio(0));
}
END_TEST

START_TEST(ept_mmio_format)
{
	static const u64 gens[] = { 0, 2, 0xfffffff, 0x10000000, 0x7fffffffffULL, 0x5a5a5a5a5aULL };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(gens); i++) {
		u64 pte = FMT->make_mmio(gens[i]);

		ck_assert(FMT->is_mmio(pte) && !FMT->present(pte));
		ck_assert_uint_eq(pte & 7, 0);		/* else no violation, or no reason */
		ck_assert_uint_eq(FMT->mmio_gen(pte), gens[i]);
	}
	ck_assert(!FMT->is_mmio(FMT->make_leaf(0x1000, 1, RO_TRACKED, 0)));
	ck_assert(!FMT->is_mmio(FMT->mkold(FMT->make_leaf(0x1000, 1, RW, 0))));
}
END_TEST

/* Without an accessed bit the next access has to fault, and nothing may get lost over it. */
START_TEST(ept_aging_by_faults)
{
	u64 young = FMT->make_leaf(0x5000, 1, RW, EPT_WB), old = FMT->mkold(young);

	ck_assert(FMT->present(old) && !FMT->young(old) && FMT->writable(old));
	ck_assert_uint_eq(old & 7, 0);
	ck_assert(!FMT->usable(old, false) && !FMT->usable(old, true));
	ck_assert_uint_eq(FMT->fix(old, false), young);
	ck_assert_uint_eq(FMT->fix(old, true), young);
	ck_assert(FMT->dirty(young) && FMT->dirty(old));
	/* write protection of an old one holds when it comes back */
	old = FMT->wrprotect(old);
	ck_assert(!FMT->writable(old));
	ck_assert(!FMT->usable(FMT->fix(old, false), true));
	ck_assert(FMT->usable(FMT->fix(old, true), true));
	old = FMT->mkold(FMT->make_leaf(0x5000, 1, RO, EPT_WB));
	ck_assert_uint_eq(FMT->fix(old, true), 0);
	ck_assert(FMT->usable(FMT->fix(old, false), false));
}
END_TEST

START_TEST(map_sizes)
{
	ck_assert_int_eq(map(0x12345, 1, RW, true), TREE_DONE);
	ck_assert_uint_eq(reach(0x12345, true), ADDR(0x12345));
	ck_assert_uint_eq(reach(0x12346, false), 0);
	ck_assert_int_eq(map(0x40007, 2, RW, false), TREE_DONE);
	ck_assert_uint_eq(reach(0x40000, true), ADDR(0x40000));
	ck_assert_uint_eq(reach(0x401ff, true), ADDR(0x401ff));
	ck_assert_uint_eq(reach(0x40200, true), 0);
	ck_assert_int_eq(map(0x80007, 3, RW, false), TREE_DONE);
	ck_assert_uint_eq(reach(0xbffff, true), ADDR(0xbffff));
	ck_assert_int_eq(leaves[1], 1);
	ck_assert_int_eq(leaves[2], 1);
	ck_assert_int_eq(leaves[3], 1);
	/* again: nothing to do */
	ck_assert_int_eq(map(0x12345, 1, RW, true), TREE_SPURIOUS);
	ck_assert_int_eq(map(0x40100, 1, RW, true), TREE_SPURIOUS);
	/* a table stands there already: smaller */
	ck_assert_int_eq(map(0x12346, 2, RW, true), TREE_DONE);
	ck_assert_int_eq(leaves[1], 2);
	ck_assert_uint_eq(reach(0x12347, false), 0);
}
END_TEST

START_TEST(more_rights)
{
	map(5, 1, RO, false);
	ck_assert_uint_eq(reach(5, true), 0);
	ck_assert_int_eq(map(5, 1, RW, true), TREE_DONE);
	ck_assert_uint_eq(reach(5, true), ADDR(5));
	ck_assert_int_eq(leaves[1], 1);
	ck_assert_int_eq(dropped, 0);
}
END_TEST

START_TEST(conflict)
{
	struct tree_map m = { .gfn = 5, .addr = 0x999000, .level = 1, .map = RW, .write = true };

	map(5, 1, RW, false);
	ck_assert_int_eq(tree_map(&tree, &ops, NULL, &m), TREE_CONFLICT);
	ck_assert_uint_eq(reach(5, true), ADDR(5));
}
END_TEST

START_TEST(split)
{
	struct tree_pos pos;
	int i;

	map(0x200, 2, RW | PTE_MAP_DIRTY, true);
	pos = find(0x200);
	ck_assert(tree_protect(&tree, &pos));
	ck_assert(!tree_protect(&tree, &pos));
	ck_assert_int_eq(map(0x205, 1, RW | PTE_MAP_DIRTY, true), TREE_DONE);
	ck_assert_int_eq(leaves[2], 0);
	ck_assert_int_eq(leaves[1], 512);
	for (i = 0; i < 512; i++) {
		ck_assert_uint_eq(reach(0x200 + i, false), ADDR(0x200 + i));
		ck_assert_uint_eq(reach(0x200 + i, true), i == 5 ? ADDR(0x205) : 0);
		ck_assert(FMT->dirty(find(0x200 + i).pte));
	}
	/* 1G to 4K in one go */
	map(0x40000, 3, RO_TRACKED, false);
	ck_assert_int_eq(map(0x40001, 1, RW, true), TREE_DONE);
	ck_assert_int_eq(leaves[3], 0);
	ck_assert_int_eq(leaves[2], 511);
	ck_assert_uint_eq(reach(0x7ffff, false), ADDR(0x7ffff));
	ck_assert_uint_eq(reach(0x40001, true), ADDR(0x40001));
}
END_TEST

START_TEST(fix)
{
	struct tree_pos pos;

	map(5, 1, RO_TRACKED, false);
	map(6, 1, RO, false);
	pos = find(5);
	ck_assert(tree_fix(&tree, &pos, true));
	ck_assert_uint_eq(reach(5, true), ADDR(5));
	ck_assert(FMT->dirty(find(5).pte));
	pos = find(6);
	ck_assert(!tree_fix(&tree, &pos, true));
	ck_assert(tree_fix(&tree, &pos, false));
	pos = find(7);
	ck_assert(!tree_fix(&tree, &pos, false));
	/* a stale look is not acted upon */
	map(8, 1, RO_TRACKED, false);
	pos = find(8);
	*pos.ptep = PTE_FROZEN;
	ck_assert(!tree_fix(&tree, &pos, true));
	ck_assert_uint_eq(*pos.ptep, PTE_FROZEN);
	*pos.ptep = 0;
}
END_TEST

START_TEST(age)
{
	struct tree_pos pos;

	map(5, 1, RW, false);
	pos = find(5);
	ck_assert(tree_age(&tree, &pos, false));
	ck_assert(tree_age(&tree, &pos, true));
	ck_assert(!tree_age(&tree, &pos, false));
	ck_assert(!FMT->young(find(5).pte));
	ck_assert_uint_eq(reach(5, true), FMT == &pte_ept_noad ? 0 : ADDR(5));
	pos = find(5);
	ck_assert(tree_fix(&tree, &pos, true));
	ck_assert_uint_eq(reach(5, true), ADDR(5));
	pos = find(6);
	ck_assert(!tree_age(&tree, &pos, true));
}
END_TEST

START_TEST(detach)
{
	struct tree_cursor cur;
	struct tree_pos pos;

	map(5, 1, RW | PTE_MAP_DIRTY, true);
	map(6, 1, RW, false);
	map(0x200, 2, RW, false);
	pos = find(5);
	ck_assert(tree_detach(&tree, &ops, NULL, &pos));
	ck_assert_int_eq(dropped_dirty, 1);
	ck_assert_uint_eq(reach(5, false), 0);
	pos = find(5);
	ck_assert(!tree_detach(&tree, &ops, NULL, &pos));
	/* the whole rest through the top entry */
	tree_begin(&cur, &tree, 0, 1, 4);
	ck_assert(tree_detach(&tree, &ops, NULL, &cur.pos));
	ck_assert_int_eq(cut, linked);
	ck_assert_int_eq(leaves[1] + leaves[2] + leaves[3], 0);
	ck_assert_int_eq(dropped, 3);
	ck_assert_uint_eq(reach(6, false), 0);
}
END_TEST

START_TEST(markers)
{
	struct tree_pos pos;

	ck_assert_int_eq(tree_mark_mmio(&tree, &ops, NULL, 5, FMT->make_mmio(4)), TREE_DONE);
	ck_assert(FMT->is_mmio(find(5).pte));
	ck_assert_uint_eq(FMT->mmio_gen(find(5).pte), 4);
	ck_assert_int_eq(tree_mark_mmio(&tree, &ops, NULL, 5, FMT->make_mmio(6)), TREE_DONE);
	ck_assert_uint_eq(FMT->mmio_gen(find(5).pte), 6);
	/* a page replaces the marker, never the other way */
	ck_assert_int_eq(map(5, 1, RW, true), TREE_DONE);
	ck_assert_int_eq(tree_mark_mmio(&tree, &ops, NULL, 5, FMT->make_mmio(6)), TREE_SPURIOUS);
	ck_assert_uint_eq(reach(5, true), ADDR(5));
	map(0x200, 2, RW, false);
	ck_assert_int_eq(tree_mark_mmio(&tree, &ops, NULL, 0x210, FMT->make_mmio(6)),
			 TREE_SPURIOUS);
	/* a marker is no page: nothing to age, flush or drop */
	tree_mark_mmio(&tree, &ops, NULL, 7, FMT->make_mmio(6));
	pos = find(7);
	ck_assert(!tree_age(&tree, &pos, true));
	ck_assert(!tree_detach(&tree, &ops, NULL, &pos));
	ck_assert_int_eq(dropped, 0);
}
END_TEST

START_TEST(out_of_tables)
{
	tables_left = 2;
	ck_assert_int_eq(map(5, 1, RW, true), TREE_NO_TABLE);
	tables_left = 1;
	ck_assert_int_eq(map(5, 1, RW, true), TREE_DONE);
	ck_assert_int_eq(linked, 3);
}
END_TEST

START_TEST(cursor)
{
	struct tree_cursor cur;
	u64 next = 0x1fe;
	int n = 0;

	map(0x1ff, 1, RW, false);
	map(0x200, 2, RW, false);
	map(0x401, 1, RW, false);
	for (tree_begin(&cur, &tree, 0x1fe, 0x403, 1); tree_valid(&cur); tree_next(&cur)) {
		if (tree_is_table(&tree, &cur.pos))
			continue;
		/* without a gap, in order */
		ck_assert_uint_eq(max(tree_entry_start(&cur), 0x1feULL), next);
		next = tree_entry_end(&cur);
		n += tree_is_leaf(&tree, &cur.pos);
	}
	ck_assert_uint_eq(next, 0x403);
	ck_assert_int_eq(n, 3);
	/* nothing there, top level only, and the very end of the space */
	n = 0;
	for (tree_begin(&cur, &tree, 0, ~0ULL, 4); tree_valid(&cur); tree_next(&cur))
		n++;
	ck_assert_int_eq(n, 512);
	tree_begin(&cur, &tree, 7, 7, 1);
	ck_assert(!tree_valid(&cur));
	tree_begin(&cur, &tree, 1ULL << 36, 1ULL << 37, 1);
	ck_assert(!tree_valid(&cur));
	ck_assert(tree_covers(&tree, (1ULL << 36) - 1) && !tree_covers(&tree, 1ULL << 36));
}
END_TEST

/* Against a flat model: which frames are reachable, and writable. */
#define FRAMES	(4 * 512)
static bool m_map[FRAMES], m_write[FRAMES], m_may[FRAMES];

static void model_check(void)
{
	int i, n = 0, bad = 0;

	/* libcheck writes a line for each assertion that holds; be kind to it */
	for (i = 0; i < FRAMES; i++) {
		bad += reach(i, false) != (m_map[i] ? ADDR(i) : 0);
		bad += reach(i, true) != (m_map[i] && m_write[i] ? ADDR(i) : 0);
		n += m_map[i];
	}
	ck_assert_int_eq(bad, 0);
	ck_assert_int_eq(leaves[1] + 512 * leaves[2], n);
}

static void model_map(u64 gfn, int level, unsigned int rights, bool write)
{
	struct tree_pos pos = find(gfn);
	u64 n = pte_level_pages(min(level, pos.level)), first = gfn & ~(n - 1), i;

	if (m_map[gfn] && (!write || m_write[gfn])) {
		ck_assert_int_eq(map(gfn, level, rights, write), TREE_SPURIOUS);
		return;
	}
	ck_assert_int_eq(map(gfn, level, rights, write), TREE_DONE);
	for (i = first; i < first + n; i++) {
		m_write[i] = rights & PTE_MAP_WRITE;
		m_may[i] = rights & (PTE_MAP_WRITE | PTE_MAP_MAY);
		m_map[i] = true;
	}
}

static void model_zap(u64 start, u64 end)
{
	struct tree_cursor cur;
	u64 i;

	for (tree_begin(&cur, &tree, start, end, 1); tree_valid(&cur); tree_next(&cur)) {
		bool inside = tree_entry_start(&cur) >= start && tree_entry_end(&cur) <= end;

		if (!tree_is_leaf(&tree, &cur.pos) && !(inside && cur.pos.level == 2))
			continue;
		for (i = tree_entry_start(&cur); i < tree_entry_end(&cur); i++)
			m_map[i] = false;
		tree_detach(&tree, &ops, NULL, &cur.pos);
	}
}

static void model_protect(u64 start, u64 end)
{
	struct tree_cursor cur;
	u64 i;

	for (tree_begin(&cur, &tree, start, end, 1); tree_valid(&cur); tree_next(&cur))
		if (tree_is_leaf(&tree, &cur.pos)) {
			for (i = tree_entry_start(&cur); i < tree_entry_end(&cur); i++)
				m_write[i] = false;
			tree_protect(&tree, &cur.pos);
		}
}

static void model_fix(u64 gfn)
{
	struct tree_pos pos = find(gfn);
	u64 n = pte_level_pages(pos.level), first = gfn & ~(n - 1), i;
	bool ok = m_map[gfn] && (m_write[gfn] || m_may[gfn]);

	ck_assert_int_eq(tree_fix(&tree, &pos, true), ok);
	for (i = first; ok && i < first + n; i++)
		m_write[i] = true;
}

START_TEST(random_operations)
{
	unsigned int seed = 1 + _i, step;

	memset(m_map, 0, sizeof(m_map));
	for (step = 0; step < 3000; step++) {
		u64 gfn = rand_r(&seed) % FRAMES;
		u64 end = min(gfn + 1 + rand_r(&seed) % 700, (u64)FRAMES);
		int level = 1 + rand_r(&seed) % 2;

		switch (rand_r(&seed) % 6) {
		case 0:
			model_map(gfn, level, RW, false);
			break;
		case 1:
			model_map(gfn, level, RW, true);
			break;
		case 2:
			model_map(gfn, level, RO, false);
			break;
		case 3:
			model_fix(gfn);
			break;
		case 4:
			model_protect(gfn, end);
			break;
		case 5:
			if (rand_r(&seed) % 4 == 0)
				model_zap(gfn, end);
			break;
		}
		if (step % 16 == 0)
			model_check();
	}
	model_zap(0, FRAMES);
	model_check();
	ck_assert_int_eq(unused, 0);
}
END_TEST

static TCase *tree_case(const char *name, void (*setup_format)(void))
{
	TCase *tc = tcase_create(name);

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup_format, teardown);
	tcase_add_test(tc, map_sizes);
	tcase_add_test(tc, more_rights);
	tcase_add_test(tc, conflict);
	tcase_add_test(tc, split);
	tcase_add_test(tc, fix);
	tcase_add_test(tc, age);
	tcase_add_test(tc, detach);
	tcase_add_test(tc, markers);
	tcase_add_test(tc, out_of_tables);
	tcase_add_test(tc, cursor);
	tcase_add_loop_test(tc, random_operations, 0, 4);
	return tc;
}

static Suite *suite(void)
{
	Suite *s = suite_create("mmu tree");
	TCase *npt = tree_case("npt", setup_npt);
	TCase *ept = tree_case("ept", setup_ept);
	TCase *noad = tree_case("ept without A and D", setup_ept_noad);

	tcase_add_test(npt, npt_format);
	tcase_add_test(npt, npt_mmio_format);
	tcase_add_test(ept, ept_format);
	tcase_add_test(ept, ept_mmio_format);
	tcase_add_test(noad, ept_mmio_format);
	tcase_add_test(noad, ept_aging_by_faults);
	suite_add_tcase(s, npt);
	suite_add_tcase(s, ept);
	suite_add_tcase(s, noad);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(suite());
	int failed;

	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
