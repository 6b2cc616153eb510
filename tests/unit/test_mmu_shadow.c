// SPDX-License-Identifier: GPL-2.0
/*
 * Shadow paging's pure parts: roles and the tables a walk comes to in each
 * paging mode, what entries grant, which entries a guest's write concerns, what
 * is left of a leaf after the guest changed its table; and the reverse map
 * against a flat model.
 */
#include <check.h>
#include "mmu/rmap.h"
#include "mmu/shadow_pte.h"

#define P	1ULL
#define W	2ULL
#define U	4ULL
#define A	0x20ULL
#define D	0x40ULL
#define NX	BIT_ULL(63)
#define KEY(k)	((u64)(k) << 59)
#define PAGE(n)	((u64)(n) << 12)

static const struct mmu_mode long_mode = { .levels = 4, .nx = true, .maxphyaddr = 40, .pse = true };
static const struct mmu_mode pae = { .levels = 3, .maxphyaddr = 40 };
static const struct mmu_mode legacy = { .levels = 2, .maxphyaddr = 40, .pse = true };
static const struct mmu_mode unpaged = { .maxphyaddr = 40, .nx = true };

static union shadow_role role_at(const struct mmu_mode *mode, int level, unsigned int quarter)
{
	union shadow_role role = shadow_root_role(mode, quarter);

	role.level = level;
	return role;
}

/* ---- roles ------------------------------------------------------------------ */

START_TEST(roots)
{
	struct mmu_mode m = long_mode;
	union shadow_role role = shadow_root_role(&m, 0);

	ck_assert_uint_eq(role.level, 4);
	ck_assert_uint_eq(role.levels, 4);
	ck_assert(!role.direct);
	/* What reads the guest's entries differently makes another table ... */
	m.nx = false;
	ck_assert_uint_ne(shadow_root_role(&m, 0).word, role.word);
	m.nx = true;
	m.maxphyaddr = 39;
	ck_assert_uint_ne(shadow_root_role(&m, 0).word, role.word);
	m.maxphyaddr = 40;
	/* ... what only judges them does not. */
	m.wp = m.smep = m.smap = m.pku = true;
	m.pse = false;
	ck_assert_uint_eq(shadow_root_role(&m, 0).word, role.word);

	ck_assert_uint_eq(shadow_root_role(&pae, 2).level, 2);
	ck_assert_uint_eq(shadow_root_role(&pae, 2).word, shadow_root_role(&pae, 0).word);
	ck_assert_uint_eq(shadow_root_role(&legacy, 3).quarter, 3);
	m = legacy;
	m.pse = false;
	ck_assert_uint_ne(shadow_root_role(&m, 0).word, shadow_root_role(&legacy, 0).word);
	ck_assert(shadow_root_role(&unpaged, 1).direct);
	ck_assert_uint_eq(shadow_root_role(&unpaged, 1).word, shadow_root_role(&unpaged, 0).word);
}
END_TEST

START_TEST(children_long)
{
	struct walk w = { .level = 1, .table = { [1] = PAGE(0x77) + 8 } };
	struct shadow_key k = shadow_child(0x10, role_at(&long_mode, 2, 0), 5, &w, 0);

	ck_assert_uint_eq(k.gfn, 0x77);
	ck_assert_uint_eq(k.role.level, 1);
	ck_assert_uint_eq(k.role.quarter, 0);
	ck_assert(k.role.nx && !k.role.direct);

	/* A large page of the guest: direct tables of its frames, with its key. */
	w = (struct walk) { .level = 2, .gpa = 0x40345000, .entry[2] = KEY(9) };
	k = shadow_child(0x10, role_at(&long_mode, 2, 0), 5, &w, 0);
	ck_assert(k.role.direct);
	ck_assert_uint_eq(k.gfn, 0x40200);
	ck_assert_uint_eq(k.role.level, 1);
	ck_assert_uint_eq(k.role.key, 9);
	/* The same frames under other paging modes: the same table, but for keys. */
	w.entry[2] = 0;
	ck_assert_uint_eq(shadow_child(0x99, role_at(&pae, 2, 0), 1, &w, 0).role.word,
			  shadow_child(0x10, role_at(&long_mode, 2, 0), 5, &w, 0).role.word);

	w = (struct walk) { .level = 3, .gpa = 0x7fff0000 };
	k = shadow_child(0x10, role_at(&long_mode, 3, 0), 1, &w, 0);
	ck_assert_uint_eq(k.gfn, 0x40000);
	ck_assert_uint_eq(k.role.level, 2);
	k = shadow_child(k.gfn, k.role, 0x1ff, &w, 0);
	ck_assert_uint_eq(k.gfn, 0x7fe00);
	ck_assert_uint_eq(k.role.level, 1);
	ck_assert_uint_eq(shadow_direct_gfn(k.gfn, k.role, 0x1f0), 0x7fff0);
}
END_TEST

START_TEST(children_legacy)
{
	struct walk w = { .level = 1, .table = { [1] = PAGE(0x55) } };

	/* Each half of the guest's 1024 entries is a table of its own. */
	ck_assert_uint_eq(shadow_child(1, role_at(&legacy, 2, 3), 0, &w, 0xc0000000).role.quarter,
			  0);
	ck_assert_uint_eq(shadow_child(1, role_at(&legacy, 2, 3), 1, &w, 0xc0200000).role.quarter,
			  1);
	/* A 4M page is two of our entries. */
	w = (struct walk) { .level = 2, .gpa = 0x00c12000, .page_shift = 22 };
	ck_assert_uint_eq(shadow_child(1, role_at(&legacy, 2, 0), 6, &w, 0).gfn, 0xc00);
	w.gpa = 0x00e12000;
	ck_assert_uint_eq(shadow_child(1, role_at(&legacy, 2, 0), 7, &w, 0).gfn, 0xe00);
}
END_TEST

/* ---- a guest's write ----------------------------------------------------------- */

static void written(union shadow_role role, unsigned int offset, unsigned int len,
		    unsigned int want_first, unsigned int want_n)
{
	unsigned int first = ~0u, n = shadow_written(role, offset, len, &first);

	ck_assert_uint_eq(n, want_n);
	if (want_n)
		ck_assert_uint_eq(first, want_first);
}

START_TEST(writes)
{
	written(role_at(&long_mode, 1, 0), 0, 8, 0, 1);
	written(role_at(&long_mode, 4, 0), 4088, 8, 511, 1);
	written(role_at(&pae, 2, 0), 12, 4, 1, 1);
	written(role_at(&pae, 1, 0), 12, 8, 1, 2);
	written(role_at(&long_mode, 1, 0), 0, 4096, 0, 512);
	written(role_at(&long_mode, 1, 0), 8, 0, 0, 0);

	written(role_at(&legacy, 1, 0), 2044, 4, 511, 1);
	written(role_at(&legacy, 1, 0), 2048, 4, 0, 0);
	written(role_at(&legacy, 1, 1), 2048, 4, 0, 1);
	written(role_at(&legacy, 1, 1), 2044, 8, 0, 1);
	written(role_at(&legacy, 2, 0), 1020, 4, 510, 2);
	written(role_at(&legacy, 2, 0), 1024, 4, 0, 0);
	written(role_at(&legacy, 2, 3), 3072, 8, 0, 4);
}
END_TEST

/* Every entry's offset leads back to that entry. */
START_TEST(writes_match_offsets)
{
	const union shadow_role role[] = {
		role_at(&long_mode, 3, 0), role_at(&pae, 1, 0), role_at(&legacy, 1, 0),
		role_at(&legacy, 1, 1), role_at(&legacy, 2, 0), role_at(&legacy, 2, 2),
	};
	unsigned int i, r, first, n;

	for (r = 0; r < ARRAY_SIZE(role); r++) {
		for (i = 0; i < PTE_ENTRIES; i++) {
			n = shadow_written(role[r], shadow_entry_offset(role[r], i),
					   shadow_entry_size(role[r]), &first);
			ck_assert(n && i >= first && i < first + n);
			ck_assert_uint_le(shadow_entry_offset(role[r], i),
					  4096 - shadow_entry_size(role[r]));
		}
	}
}
END_TEST

/* ---- entries ---------------------------------------------------------------------- */

START_TEST(links)
{
	union shadow_role role = role_at(&long_mode, 3, 0);
	u64 at = PAGE(0x1234);

	ck_assert_uint_eq(shadow_link(role, at, P | W | U | A, false, false), at | P | W | U | A);
	ck_assert_uint_eq(shadow_link(role, at, P | A | NX, false, false), at | P | A | NX);
	/* A large page is not writable before it is dirty. */
	ck_assert_uint_eq(shadow_link(role, at, P | W | A, true, false), at | P | A);
	ck_assert_uint_eq(shadow_link(role, at, P | W | A, true, true), at | P | W | A);
	ck_assert_uint_eq(shadow_link(role, at, P | W | A | D, true, false), at | P | W | A);
	/* Bit 63 means nothing without NXE. */
	ck_assert_uint_eq(shadow_link(role_at(&pae, 2, 0), at, P | A | NX, false, false),
			  at | P | A);
	ck_assert_uint_eq(shadow_link(shadow_root_role(&unpaged, 0), at, 0, false, false),
			  at | P | W | U | A);
}
END_TEST

START_TEST(leaves)
{
	union shadow_role role = role_at(&long_mode, 1, 0), direct;
	u64 at = PAGE(0x4321);

	ck_assert_uint_eq(shadow_leaf(role, at, P | W | U | A | D | KEY(3), SHADOW_LEAF_WRITE, 0),
			  at | P | W | U | A | KEY(3));
	ck_assert_uint_eq(shadow_leaf(role, at, P | W | U | A, 0, 0x10), at | P | U | A | 0x10);
	ck_assert_uint_eq(shadow_leaf(role, at, P | W | A,
				      SHADOW_LEAF_WRITE | SHADOW_LEAF_DIRTY, 0),
			  at | P | W | A | D);
	/* The guest grants no W: none, and no D either. */
	ck_assert_uint_eq(shadow_leaf(role, at, P | A, SHADOW_LEAF_WRITE | SHADOW_LEAF_DIRTY, 0),
			  at | P | A);

	direct = shadow_root_role(&unpaged, 0);
	direct.level = 1;
	direct.key = 5;
	ck_assert_uint_eq(shadow_leaf(direct, at, 0, SHADOW_LEAF_WRITE, 0),
			  at | P | W | U | A | KEY(5));
	ck_assert_uint_eq(shadow_leaf(direct, at, 0, 0, 0), at | P | U | A | KEY(5));
}
END_TEST

START_TEST(refresh)
{
	union shadow_role role = role_at(&long_mode, 1, 0);
	u64 rsvd = GENMASK_ULL(51, 40), full = PAGE(7) | P | W | U | A | D;
	u64 leaf = shadow_leaf(role, PAGE(0x900), full, SHADOW_LEAF_WRITE, 0);

	ck_assert_uint_eq(shadow_refresh(role, leaf, 7, full, rsvd), leaf);
	ck_assert_uint_eq(shadow_refresh(role, leaf, 7, full & ~W, rsvd), leaf & ~W);
	ck_assert_uint_eq(shadow_refresh(role, leaf, 7, full & ~U, rsvd), leaf & ~U);
	ck_assert_uint_eq(shadow_refresh(role, leaf, 7, full & ~D, rsvd), leaf & ~W);
	ck_assert_uint_eq(shadow_refresh(role, leaf, 7, full | NX, rsvd), leaf | NX);
	/* Rights are only taken: W of a leaf that we protected does not come back. */
	ck_assert_uint_eq(shadow_refresh(role, leaf & ~W, 7, full, rsvd), leaf & ~W);

	ck_assert_uint_eq(shadow_refresh(role, leaf, 7, full & ~P, rsvd), 0);
	ck_assert_uint_eq(shadow_refresh(role, leaf, 7, full & ~A, rsvd), 0);
	ck_assert_uint_eq(shadow_refresh(role, leaf, 8, full, rsvd), 0);
	ck_assert_uint_eq(shadow_refresh(role, leaf, 7, full | KEY(1), rsvd), 0);
	ck_assert_uint_eq(shadow_refresh(role, leaf, 7, full | BIT_ULL(45), rsvd), 0);
	ck_assert_uint_eq(shadow_refresh(role, leaf, 7, 0, rsvd), 0);
}
END_TEST

START_TEST(grants)
{
	ck_assert(shadow_grants(P | U, P | U | W));
	ck_assert(!shadow_grants(P | U | W, P | U));
	ck_assert(!shadow_grants(P | U, P | W));
	ck_assert(!shadow_grants(P, P | NX));
	ck_assert(shadow_grants(P | NX, P));
	ck_assert(shadow_grants(P | A | D, P));
}
END_TEST

/* ---- the reverse map ----------------------------------------------------------------- */

#define MODEL 100

static u64 entries[MODEL];
static bool in[MODEL];
static int links_out;

static void model_add(struct mmu_rmap *r, int i)
{
	struct rmap_link *spare = calloc(1, sizeof(*spare));

	links_out++;
	if (!rmap_add(r, &entries[i], spare)) {
		links_out--;
		free(spare);
	}
	in[i] = true;
}

static void model_remove(struct mmu_rmap *r, int i)
{
	bool found;
	struct rmap_link *link = rmap_remove(r, &entries[i], &found);

	ck_assert_int_eq(found, in[i]);
	in[i] = false;
	if (link) {
		links_out--;
		free(link);
	}
}

static void model_check(const struct mmu_rmap *r)
{
	struct rmap_iter it;
	int seen[MODEL] = {}, want[MODEL], i, n = 0;
	u64 *e;

	for (i = 0; i < MODEL; i++)
		want[i] = in[i];
	rmap_for_each(e, r, &it) {
		seen[e - entries]++;
		n++;
	}
	ck_assert(!memcmp(seen, want, sizeof(seen)));
	ck_assert_int_eq(!n, rmap_empty(r));
	ck_assert_uint_eq(rmap_count(r), n);
	if (n)
		ck_assert(in[rmap_any(r) - entries]);
	else
		ck_assert_ptr_null(rmap_any(r));
	ck_assert_int_eq(links_out, n <= 1 ? 0 : (n + RMAP_LINK_ENTRIES - 1) / RMAP_LINK_ENTRIES);
}

START_TEST(rmap_model)
{
	struct mmu_rmap r = {};
	unsigned int seed = 1, i, round;

	for (round = 0; round < 4000; round++) {
		i = rand_r(&seed) % MODEL;
		/* waves: mostly adding, then mostly removing */
		if (!in[i] && (round / 250 % 2 || rand_r(&seed) % 8 == 0))
			model_add(&r, i);
		else if (rand_r(&seed) % (round / 250 % 2 ? 8 : 1) == 0)
			model_remove(&r, i);
		model_check(&r);
	}
	for (i = 0; i < MODEL; i++)
		if (in[i])
			model_remove(&r, i);
	model_check(&r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mmu_shadow");
	TCase *tc = tcase_create("all");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, roots);
	tcase_add_test(tc, children_long);
	tcase_add_test(tc, children_legacy);
	tcase_add_test(tc, writes);
	tcase_add_test(tc, writes_match_offsets);
	tcase_add_test(tc, links);
	tcase_add_test(tc, leaves);
	tcase_add_test(tc, refresh);
	tcase_add_test(tc, grants);
	tcase_add_test(tc, rmap_model);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
