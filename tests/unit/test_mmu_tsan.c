// SPDX-License-Identifier: GPL-2.0
/*
 * The tree of nested page tables under real threads and ThreadSanitizer: the
 * locks, the lockless paths and the TLB as mmu/tdp.c uses them, in small.
 *
 *   vCPUs	run "guest" bursts: each access goes through a private TLB and a
 *		hardware walk that sets accessed and dirty bits; faults map pages
 *		under the lock held for read, or repair entries with no lock
 *	host	takes pages away and gives others: notifier, zap, flush, free
 *	harvester  reads and clears the dirty log, write-protects, flushes, copies
 *	ager	walks without any lock
 *
 * What has to hold, whatever the interleaving:
 *
 *   no access reaches a page after the host freed it
 *   no hardware walk enters a table after it was cut off and flushed
 *   nothing is written into a table that was cut off
 *   the host hears of every page that was written when it loses its entry
 *   a write is in the log or in the copy made after it
 *   the leaves that were counted are the leaves that are there
 *   and ThreadSanitizer has nothing to say
 *
 * The guest's frames come as singles and as 2M blocks. The blocks start as
 * large writable pages, as when logging is switched on with all pages dirty,
 * so they are split while everybody is using them.
 *
 * All of it twice: with the log kept by taking write access away, and by hardware that
 * notes where it sets a dirty bit, which each vCPU marks when it leaves the guest.
 */
#include <check.h>
#include <sched.h>
#include <stdatomic.h>
#include "mmu_tree_mem.h"

#define NR_VCPUS	3
#define NR_FRAMES	(512 * 6)
#define FIRST_BLOCK	(512 * 2)		/* frames above it come in 2M blocks */
#define NR_PAGES	(1 << 21)
#define NR_TLB		16
#define NR_INVALIDATIONS 400

static struct mmu_tree tree;
static pthread_rwlock_t mmu_lock = PTHREAD_RWLOCK_INITIALIZER;

/* The host: page behind each frame, and which pages are in use. */
static _Atomic u64 backing[NR_FRAMES];
static _Atomic u8 alive[NR_PAGES];
static _Atomic u8 written[NR_PAGES];	/* by a guest */
static u8 host_dirty[NR_PAGES];		/* mmu_lock held for write: we told the host */
static u64 next_page = 512;

/* Notifier. */
static _Atomic unsigned long seq, in_progress, inv_start, inv_end;

/* Dirty log: pages written are counted by version. */
static _Atomic u8 dirty[NR_FRAMES];
static _Atomic u64 version[NR_FRAMES];
static u64 copy[NR_FRAMES];

static atomic_long counted[4];
static atomic_long dead_accesses, dead_tables, lost_dirty, faults, fixes, splits, flushes, cuts, logged;
static atomic_bool stop;

struct tlb_entry {
	u64 gfn, addr;
	bool valid, writable;
};

static bool hw_log;

struct vcpu {
	pthread_t thread;
	unsigned int seed;
	unsigned int nr_log;
	u64 log[32];		/* frames whose dirty bit this one has set since it entered */
	atomic_bool in_guest;
	atomic_ulong flush_seen;
	struct tlb_entry tlb[NR_TLB];
};

static struct vcpu vcpus[NR_VCPUS];
static atomic_ulong flush_gen;

/* ---- a format that dawdles between the look at an entry and its change ------------- */

static u64 slow_fix(u64 pte, bool write)
{
	sched_yield();
	return pte_x86_npt.fix(pte, write);
}

static u64 slow_wrprotect(u64 pte)
{
	sched_yield();
	return pte_x86_npt.wrprotect(pte);
}

static u64 slow_mkold(u64 pte)
{
	sched_yield();
	return pte_x86_npt.mkold(pte);
}

static u64 slow_make_table(u64 addr)
{
	sched_yield();
	return pte_x86_npt.make_table(addr);
}

static struct pte_format slow_format;

static void init_format(void)
{
	slow_format = pte_x86_npt;
	slow_format.fix = slow_fix;
	slow_format.wrprotect = slow_wrprotect;
	slow_format.mkold = slow_mkold;
	slow_format.make_table = slow_make_table;
	pte_x86_set_mmio_bit(BIT_ULL(51));
}

/* ---- tables that know when they were flushed ------------------------------------ */

#define MAX_TABLES 4096
static u64 *cut_tables[MAX_TABLES];
static int nr_cut, nr_flushed;		/* mmu_lock held for write */

/* ---- TLB flush: nobody is in the guest with a TLB older than this -------------------- */

/* mmu_lock held for write. */
static void flush_tlbs(void)
{
	unsigned long gen = atomic_fetch_add(&flush_gen, 1) + 1;
	int i;

	for (i = 0; i < NR_VCPUS; i++)
		while (atomic_load(&vcpus[i].in_guest) &&
		       atomic_load(&vcpus[i].flush_seen) < gen)
			sched_yield();
	atomic_fetch_add(&flushes, 1);
	/* From here on hardware must not see them: the word before them says so. */
	for (; nr_flushed < nr_cut; nr_flushed++)
		__atomic_store_n(cut_tables[nr_flushed] - 1, 1, __ATOMIC_SEQ_CST);
}

static u64 *get_table(void *ctx)
{
	/* The page before the table holds its mark. */
	return mem_new_tables(2) + PTE_ENTRIES;
}

static void put_table(void *ctx, u64 *pt)
{
}

static void on_linked(void *ctx, u64 *pt)
{
}

static void on_cut(void *ctx, u64 *pt)
{
	ck_assert_int_lt(nr_cut, MAX_TABLES);
	cut_tables[nr_cut++] = pt;
	atomic_fetch_add(&cuts, 1);
}

static void on_count(void *ctx, int level, int n)
{
	atomic_fetch_add(&counted[level], n);
	if (n == PTE_ENTRIES)
		atomic_fetch_add(&splits, 1);
}

static void on_drop(void *ctx, int level, u64 pte)
{
	u64 page = (pte & GENMASK_ULL(51, 12)) >> 12, i;

	if (!pte_x86_npt.dirty(pte))
		return;
	for (i = 0; i < pte_level_pages(level); i++)
		host_dirty[page + i] = 1;
}

static const struct tree_ops ops = {
	.get_table = get_table, .put_table = put_table, .linked = on_linked,
	.cut = on_cut, .count = on_count, .drop = on_drop,
};

/* ---- hardware ------------------------------------------------------------------------- */

static bool hw_set(u64 *ptep, u64 *pte, u64 bits)
{
	u64 old = *pte;

	if ((old & bits) == bits)
		return true;
	if (!__atomic_compare_exchange_n(ptep, pte, old | bits, false, __ATOMIC_SEQ_CST,
					 __ATOMIC_SEQ_CST))
		return false;
	*pte = old | bits;
	return true;
}

/* A nested walk. False: fault. */
static bool hw_walk(struct vcpu *v, u64 gfn, bool write, struct tlb_entry *e)
{
	u64 *pt, pte, *ptep;
	bool dirties;
	int level;

again:
	pt = tree.root;
	for (level = tree.levels; ; level--) {
		if (pt != tree.root && __atomic_load_n(pt - 1, __ATOMIC_SEQ_CST))
			atomic_fetch_add(&dead_tables, 1);
		ptep = &pt[pte_entry_index(gfn, level)];
		pte = READ_ONCE(*ptep);
		if (!(pte & 1))
			return false;
		if (level == 1 || (pte & 0x80))
			break;
		pt = tree_table(pte & GENMASK_ULL(51, 12));
	}
	if (write && !(pte & 2))
		return false;
	dirties = write && !(pte & 0x40);
	if (!hw_set(ptep, &pte, write ? 0x60 : 0x20))
		goto again;
	if (hw_log && dirties)
		v->log[v->nr_log++] = gfn;
	*e = (struct tlb_entry) {
		.gfn = gfn,
		.addr = (pte & GENMASK_ULL(51, 12)) +
			((gfn & (pte_level_pages(level) - 1)) << 12),
		.valid = true,
		.writable = (pte & 2) && (pte & 0x40),
	};
	return true;
}

static bool guest_access(struct vcpu *v, u64 gfn, bool write)
{
	struct tlb_entry *e = &v->tlb[gfn % NR_TLB];

	if (!e->valid || e->gfn != gfn || (write && !e->writable)) {
		e->valid = false;
		if (!hw_walk(v, gfn, write, e))
			return false;
	}
	if (!atomic_load(&alive[e->addr >> 12]))
		atomic_fetch_add(&dead_accesses, 1);
	if (write) {
		atomic_store(&written[e->addr >> 12], 1);
		atomic_fetch_add(&version[gfn], 1);
	}
	return true;
}

/* ---- the fault path ----------------------------------------------------------------------- */

static bool fix_lockless(u64 gfn, bool write)
{
	struct tree_pos pos = tree_find(&tree, gfn);
	bool fixed = !(write && pos.level > 1) && tree_fix(&tree, &pos, write);

	if (fixed && write)
		atomic_store(&dirty[gfn], 1);
	if (fixed)
		atomic_fetch_add(&fixes, 1);
	return fixed;
}

static bool must_retry(unsigned long old, u64 gfn)
{
	if (atomic_load(&in_progress) && gfn >= atomic_load(&inv_start) &&
	    gfn < atomic_load(&inv_end))
		return true;
	return atomic_load(&seq) != old;
}

static void map_fault(u64 gfn, bool write)
{
	unsigned long old = atomic_load(&seq);
	struct tree_map m = {
		.gfn = gfn,
		.addr = atomic_load(&backing[gfn]),
		.level = 1,
		.map = PTE_MAP_EXEC | PTE_MAP_YOUNG | PTE_MAP_MAY |
		       (write ? PTE_MAP_WRITE | PTE_MAP_DIRTY : hw_log ? PTE_MAP_WRITE : 0),
		.write = write,
	};
	enum tree_result r;

	pthread_rwlock_rdlock(&mmu_lock);
	if (!must_retry(old, gfn)) {
		r = tree_map(&tree, &ops, NULL, &m);
		ck_assert_int_ne(r, TREE_CONFLICT);
		ck_assert_int_ne(r, TREE_NO_TABLE);
		if (r == TREE_DONE && write)
			atomic_store(&dirty[gfn], 1);
	}
	pthread_rwlock_unlock(&mmu_lock);
	atomic_fetch_add(&faults, 1);
}

static void enter_guest(struct vcpu *v)
{
	unsigned long gen;

	atomic_store(&v->in_guest, true);
	gen = atomic_load(&flush_gen);
	if (atomic_load(&v->flush_seen) != gen) {
		memset(v->tlb, 0, sizeof(v->tlb));
		atomic_store(&v->flush_seen, gen);
	}
}

static void leave_guest(struct vcpu *v)
{
	atomic_store(&v->in_guest, false);
	sched_yield();		/* the harvester may come first */
	while (v->nr_log) {
		atomic_store(&dirty[v->log[--v->nr_log]], 1);
		atomic_fetch_add(&logged, 1);
	}
}

static void *vcpu_main(void *arg)
{
	struct vcpu *v = arg;
	bool write = false, ok;
	u64 gfn = 0;
	int i;

	while (!atomic_load(&stop)) {
		enter_guest(v);
		for (i = 0, ok = true; ok && i < 20; i++) {
			/* near each other often, so that vCPUs meet */
			gfn = rand_r(&v->seed) % 4 ? rand_r(&v->seed) % 64 * 48 :
			      rand_r(&v->seed) % NR_FRAMES;
			write = rand_r(&v->seed) % 3 == 0;
			ok = guest_access(v, gfn, write);
		}
		leave_guest(v);
		if (!ok && !fix_lockless(gfn, write))
			map_fault(gfn, write);
	}
	return NULL;
}

/* ---- the host -------------------------------------------------------------------------------- */

/* Zap under the lock, then flush before it is dropped. */
static void unmap(u64 start, u64 end)
{
	struct tree_cursor cur;
	bool flush = false;

	pthread_rwlock_wrlock(&mmu_lock);
	for (tree_begin(&cur, &tree, start, end, 1); tree_valid(&cur); tree_next(&cur)) {
		bool inside = tree_entry_start(&cur) >= start && tree_entry_end(&cur) <= end;

		if (tree_is_leaf(&tree, &cur.pos) || (inside && cur.pos.level == 2))
			flush |= tree_detach(&tree, &ops, NULL, &cur.pos);
	}
	if (flush)
		flush_tlbs();
	pthread_rwlock_unlock(&mmu_lock);
}

static u64 new_pages(u64 n)
{
	u64 page = ALIGN(next_page, n), i;

	next_page = page + n;
	ck_assert_uint_le(next_page, NR_PAGES);
	for (i = page; i < next_page; i++)
		atomic_store(&alive[i], 1);
	return page;
}

static void back(u64 start, u64 n)
{
	u64 page = new_pages(n), i;

	for (i = 0; i < n; i++)
		atomic_store(&backing[start + i], (page + i) << 12);
}

static void invalidate(u64 start, u64 n)
{
	u64 i;

	atomic_store(&inv_start, start);
	atomic_store(&inv_end, start + n);
	atomic_fetch_add(&in_progress, 1);
	unmap(start, start + n);
	for (i = start; i < start + n; i++) {
		u64 page = atomic_load(&backing[i]) >> 12;

		atomic_store(&alive[page], 0);
		if (atomic_load(&written[page]) && !host_dirty[page])
			atomic_fetch_add(&lost_dirty, 1);
	}
	back(start, n);
	atomic_fetch_add(&seq, 1);
	atomic_fetch_sub(&in_progress, 1);
}

/*
 * A fault that finds a large host page, as before logging began. A writable
 * one is in the log as a whole; its dirty bit is left to the hardware.
 */
static void map_block(u64 gfn, bool writable)
{
	struct tree_map m = {
		.gfn = gfn, .addr = atomic_load(&backing[gfn]), .level = 2,
		.map = PTE_MAP_MAY | PTE_MAP_EXEC | (writable ? PTE_MAP_WRITE : 0),
	};
	int i;

	pthread_rwlock_rdlock(&mmu_lock);
	if (tree_map(&tree, &ops, NULL, &m) == TREE_DONE && writable)
		for (i = 0; i < 512; i++)
			atomic_store(&dirty[gfn + i], 1);
	pthread_rwlock_unlock(&mmu_lock);
}

static void *host_main(void *arg)
{
	unsigned int seed = 7;
	int i;

	for (i = 0; i < NR_INVALIDATIONS; i++) {
		u64 gfn = rand_r(&seed) % NR_FRAMES;

		if (gfn < FIRST_BLOCK) {
			invalidate(gfn, 1);
		} else if (rand_r(&seed) % 4 == 0) {
			invalidate(gfn & ~511ULL, 512);
			map_block(gfn & ~511ULL, i % 2);
		}
		sched_yield();
	}
	atomic_store(&stop, true);
	return NULL;
}

/* ---- the dirty log --------------------------------------------------------------- */

/* The next write shall be heard of. */
static void rearm(u64 gfn)
{
	struct tree_pos pos = tree_find(&tree, gfn);

	if (!hw_log || pos.level > 1)
		tree_protect(&tree, &pos);
	else if (tree_mkclean(&tree, &pos))
		on_drop(NULL, 1, pos.pte | 0x40);
}

/* 64 frames: take the log, re-arm, flush, then copy what was dirty. */
static void harvest(u64 first)
{
	u8 was[64];
	int i;

	pthread_rwlock_wrlock(&mmu_lock);
	for (i = 0; i < 64; i++) {
		was[i] = atomic_exchange(&dirty[first + i], 0);
		if (was[i])
			rearm(first + i);
	}
	pthread_rwlock_unlock(&mmu_lock);
	/* As virt/ does it: after the lock, before userspace sees the log. */
	pthread_rwlock_wrlock(&mmu_lock);
	flush_tlbs();
	pthread_rwlock_unlock(&mmu_lock);
	for (i = 0; i < 64; i++)
		if (was[i])
			copy[first + i] = atomic_load(&version[first + i]);
}

static void *harvest_main(void *arg)
{
	unsigned int seed = 11;

	while (!atomic_load(&stop)) {
		harvest(rand_r(&seed) % (NR_FRAMES / 64) * 64);
		sched_yield();
	}
	return NULL;
}

static void *age_main(void *arg)
{
	unsigned int seed = 13;
	struct tree_cursor cur;

	while (!atomic_load(&stop)) {
		u64 gfn = rand_r(&seed) % NR_FRAMES;

		for (tree_begin(&cur, &tree, gfn, gfn + 100, 1); tree_valid(&cur);
		     tree_next(&cur))
			tree_age(&tree, &cur.pos, true);
		sched_yield();
	}
	return NULL;
}

/* ---- the test --------------------------------------------------------------------- */

static void forget_everything(void)
{
	static atomic_long *const counts[] = { &dead_accesses, &dead_tables, &lost_dirty, &faults,
		&fixes, &splits, &flushes, &cuts, &logged };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(counts); i++)
		atomic_store(counts[i], 0);
	memset((void *)counted, 0, sizeof(counted));
	memset((void *)alive, 0, sizeof(alive));
	memset((void *)written, 0, sizeof(written));
	memset(host_dirty, 0, sizeof(host_dirty));
	memset(copy, 0, sizeof(copy));
	memset((void *)version, 0, sizeof(version));
	memset(vcpus, 0, sizeof(vcpus));
	next_page = 512;
	nr_cut = nr_flushed = 0;
	atomic_store(&flush_gen, 0);
	atomic_store(&stop, false);
}

static void populate(void)
{
	u64 gfn;

	for (gfn = 0; gfn < FIRST_BLOCK; gfn++)
		back(gfn, 1);
	for (gfn = FIRST_BLOCK; gfn < NR_FRAMES; gfn += 512) {
		struct tree_map m = { .gfn = gfn, .level = 2,
			.map = PTE_MAP_WRITE | PTE_MAP_MAY | PTE_MAP_EXEC };

		back(gfn, 512);
		m.addr = atomic_load(&backing[gfn]);
		ck_assert_int_eq(tree_map(&tree, &ops, NULL, &m), TREE_DONE);
	}
	for (gfn = 0; gfn < NR_FRAMES; gfn++)
		atomic_store(&dirty[gfn], 1);
}

static void check_leaves(void)
{
	long found[4] = {};
	struct tree_cursor cur;
	int level;

	for (tree_begin(&cur, &tree, 0, ~0ULL, 1); tree_valid(&cur); tree_next(&cur))
		if (tree_is_leaf(&tree, &cur.pos))
			found[cur.pos.level]++;
	for (level = 1; level <= 3; level++)
		ck_assert_int_eq(found[level], atomic_load(&counted[level]));
}

/* What was handed to drop() was the last word: nobody wrote there afterwards. */
static void check_frozen(void)
{
	int i, n, thawed = 0;

	for (i = 0; i < nr_cut; i++)
		for (n = 0; n < PTE_ENTRIES; n++)
			thawed += cut_tables[i][n] != PTE_FROZEN;
	ck_assert_int_eq(thawed, 0);
}

static void check_log(void)
{
	u64 gfn;

	for (gfn = 0; gfn < NR_FRAMES; gfn++)
		if (!atomic_load(&dirty[gfn]) && copy[gfn] != atomic_load(&version[gfn]))
			ck_abort_msg("frame %llu: version %llu was never logged, copy has %llu",
				     gfn, atomic_load(&version[gfn]), copy[gfn]);
}

START_TEST(everybody_at_once)
{
	pthread_t host, harvester, ager;
	int i;

	hw_log = _i;
	forget_everything();
	init_format();
	tree = (struct mmu_tree) { .root = mem_new_tables(1), .fmt = &slow_format, .levels = 4 };
	populate();
	for (i = 0; i < NR_VCPUS; i++) {
		vcpus[i].seed = 100 + i;
		pthread_create(&vcpus[i].thread, NULL, vcpu_main, &vcpus[i]);
	}
	pthread_create(&harvester, NULL, harvest_main, NULL);
	pthread_create(&ager, NULL, age_main, NULL);
	pthread_create(&host, NULL, host_main, NULL);
	pthread_join(host, NULL);
	pthread_join(ager, NULL);
	pthread_join(harvester, NULL);
	for (i = 0; i < NR_VCPUS; i++)
		pthread_join(vcpus[i].thread, NULL);

	printf("log by %s: faults %ld, lockless repairs %ld, splits %ld, flushes %ld, tables cut %ld, noted %ld\n",
	       hw_log ? "hardware" : "faults", atomic_load(&faults), atomic_load(&fixes), atomic_load(&splits),
	       atomic_load(&flushes), atomic_load(&cuts), atomic_load(&logged));
	ck_assert_int_eq(atomic_load(&dead_accesses), 0);
	ck_assert_int_eq(atomic_load(&dead_tables), 0);
	ck_assert_int_eq(atomic_load(&lost_dirty), 0);
	check_leaves();
	check_frozen();
	check_log();
	/* a run in which nothing met nothing proves nothing */
	ck_assert_int_gt(atomic_load(&faults), 100);
	ck_assert_int_gt(atomic_load(&fixes), 20);
	ck_assert_int_gt(atomic_load(&splits), 1);
	ck_assert_int_gt(atomic_load(&cuts), 1);
	ck_assert_int_ge(atomic_load(&logged), hw_log ? 100 : 0);
	mem_free_all();
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("mmu tree, threads");
	TCase *tc = tcase_create("tsan");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, everybody_at_once, 0, 2);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(suite());
	int failed;

	/* ThreadSanitizer reports at the end of the process that ran the threads. */
	srunner_set_fork_status(sr, CK_NOFORK);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
