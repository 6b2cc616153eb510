// SPDX-License-Identifier: GPL-2.0
/*
 * The guest page-table walker against hand-made tables: every paging mode,
 * permission rule, reserved bit and error code, and the accessed and dirty bits.
 */
#include <check.h>
#include "walk.h"

#define P	1ULL
#define W	2ULL
#define U	4ULL
#define A	0x20ULL
#define D	0x40ULL
#define PS	0x80ULL
#define G	0x100ULL
#define NX	BIT_ULL(63)
#define RWU	(P | W | U)

#define MEM_PAGES 16

/* Guest memory: a few pages at 0, the tables. */
static u8 mem[MEM_PAGES * 4096];
static int updates, change_under_walk;
static u64 rom_from;		/* writes at or above it fail */

static struct mmu_mode mode;
static struct walk_req req;
static struct walk w;

static int mem_read(void *ctx, u64 gpa, u64 *entry, unsigned int size)
{
	if (gpa + size > sizeof(mem))
		return -EFAULT;
	ck_assert_uint_eq(gpa % size, 0);
	memcpy(entry, mem + gpa, size);
	return 0;
}

static int mem_update(void *ctx, u64 gpa, u64 old, u64 new, unsigned int size)
{
	u64 now = 0;

	ck_assert_uint_le(gpa + size, sizeof(mem));
	if (gpa >= rom_from)
		return -EFAULT;
	memcpy(&now, mem + gpa, size);
	if (change_under_walk > 0) {
		change_under_walk--;
		return 1;
	}
	ck_assert_uint_eq(now, old);
	memcpy(mem + gpa, &new, size);
	updates++;
	return 0;
}

static const struct walk_ops ops = { .read = mem_read, .update = mem_update };

static u64 get64(unsigned int page, unsigned int index)
{
	u64 v;

	memcpy(&v, mem + page * 4096 + index * 8, 8);
	return v;
}

static void put64(unsigned int page, unsigned int index, u64 val)
{
	memcpy(mem + page * 4096 + index * 8, &val, 8);
}

static void put32(unsigned int page, unsigned int index, u32 val)
{
	memcpy(mem + page * 4096 + index * 4, &val, 4);
}

static u32 get32(unsigned int page, unsigned int index)
{
	u32 v;

	memcpy(&v, mem + page * 4096 + index * 4, 4);
	return v;
}

static enum walk_status walk(u64 addr, u64 access)
{
	req.addr = addr;
	req.access = access;
	walk_prepare(&mode);
	return walk_guest(&mode, &req, &ops, NULL, &w);
}

static void expect_ok(u64 addr, u64 access, u64 gpa)
{
	ck_assert_int_eq(walk(addr, access), WALK_OK);
	ck_assert_uint_eq(w.gpa, gpa);
}

static void expect_fault(u64 addr, u64 access, u32 error)
{
	ck_assert_int_eq(walk(addr, access), WALK_FAULT);
	ck_assert_uint_eq(w.error, error);
}

/* Page 1: top, 2, 3, 4: next levels; address 0x8080604000 + x, page at 0x123456789000. */
#define VA4	((1ULL << 39) | (2ULL << 30) | (3ULL << 21) | (4ULL << 12))
#define PA4	0x123456789000ULL

static void setup(void)
{
	memset(mem, 0, sizeof(mem));
	memset(&req, 0, sizeof(req));
	updates = change_under_walk = 0;
	rom_from = sizeof(mem);
	mode = (struct mmu_mode) {
		.levels = 4, .pae = true, .lma = true, .nx = true, .wp = true,
		.gbpages = true, .maxphyaddr = 48,
	};
	req.cr3 = 0x1000;
	put64(1, 1, 0x2000 | RWU);
	put64(2, 2, 0x3000 | RWU);
	put64(3, 3, 0x4000 | RWU);
	put64(4, 4, PA4 | RWU);
}

START_TEST(unpaged)
{
	mode.levels = 0;
	expect_ok(0xfffff123, MMU_ACC_WRITE | MMU_ACC_USER, 0xfffff123);
	ck_assert_int_eq(w.level, 0);
	ck_assert(w.writable && w.user && w.exec);
}
END_TEST

START_TEST(four_levels)
{
	expect_ok(VA4 + 0xabc, MMU_ACC_READ, PA4 + 0xabc);
	ck_assert_int_eq(w.level, 1);
	ck_assert_int_eq(w.page_shift, 12);
	ck_assert(w.writable && w.user && w.exec && !w.global);
	ck_assert_uint_eq(w.table[4], 0x1008);
	ck_assert_uint_eq(w.table[1], 0x4020);
	/* each level in turn is not there */
	expect_fault(VA4 + (1ULL << 12), MMU_ACC_READ, 0);
	expect_fault(VA4 + (1ULL << 21), MMU_ACC_WRITE, MMU_PF_WRITE);
	expect_fault(VA4 + (1ULL << 30), MMU_ACC_USER, MMU_PF_USER);
	expect_fault(VA4 + (1ULL << 39), MMU_ACC_FETCH, MMU_PF_FETCH);
}
END_TEST

START_TEST(five_levels)
{
	mode.levels = 5;
	mode.la57 = true;
	put64(5, 7, 0x1000 | RWU);
	req.cr3 = 0x5000;
	expect_ok((7ULL << 48) | VA4, MMU_ACC_READ, PA4);
	ck_assert_uint_eq(w.table[5], 0x5038);
	put64(5, 7, 0x1000 | RWU | PS);
	expect_fault((7ULL << 48) | VA4, MMU_ACC_READ, MMU_PF_PRESENT | MMU_PF_RSVD);
}
END_TEST

START_TEST(non_canonical)
{
	ck_assert_int_eq(walk(1ULL << 47, 0), WALK_NON_CANONICAL);
	ck_assert_int_eq(walk(0xffff7fffffffffffULL, 0), WALK_NON_CANONICAL);
	expect_fault(0xffff800000000000ULL, 0, 0);
	mode.levels = 5;
	expect_fault(1ULL << 47, 0, 0);
	ck_assert_int_eq(walk(1ULL << 56, 0), WALK_NON_CANONICAL);
}
END_TEST

START_TEST(large_pages)
{
	put64(3, 3, 0x40000000 | RWU | PS | G);
	expect_ok(VA4 + 0x5678, 0, 0x40000000 + 0x4000 + 0x5678);
	ck_assert_int_eq(w.page_shift, 21);
	ck_assert(w.global);
	put64(3, 3, 0x40000000 | RWU | PS | BIT_ULL(12));	/* PAT */
	expect_ok(VA4, 0, 0x40004000);
	put64(3, 3, 0x40000000 | RWU | PS | BIT_ULL(13));
	expect_fault(VA4, 0, MMU_PF_PRESENT | MMU_PF_RSVD);

	put64(2, 2, 0x40000000 | RWU | PS);
	expect_ok(VA4, 0, 0x40000000 + (VA4 & 0x3fffffff));
	ck_assert_int_eq(w.page_shift, 30);
	put64(2, 2, 0x40000000 | RWU | PS | BIT_ULL(29));
	expect_fault(VA4, 0, MMU_PF_PRESENT | MMU_PF_RSVD);
	mode.gbpages = false;
	put64(2, 2, 0x40000000 | RWU | PS);
	expect_fault(VA4, MMU_ACC_WRITE, MMU_PF_PRESENT | MMU_PF_RSVD | MMU_PF_WRITE);
}
END_TEST

START_TEST(reserved_bits)
{
	u32 rsvd = MMU_PF_PRESENT | MMU_PF_RSVD;

	put64(4, 4, PA4 | RWU | BIT_ULL(48));
	expect_fault(VA4, 0, rsvd);
	mode.maxphyaddr = 52;
	expect_ok(VA4, 0, PA4 | BIT_ULL(48));
	mode.maxphyaddr = 48;

	put64(4, 4, PA4 | RWU | GENMASK_ULL(62, 52));	/* available in long mode */
	expect_ok(VA4, 0, PA4);
	put64(4, 4, PA4 | RWU | NX);
	expect_ok(VA4, 0, PA4);
	mode.nx = false;
	expect_fault(VA4, 0, rsvd);
	mode.nx = true;

	put64(1, 1, 0x2000 | RWU | G);		/* ignored by Intel, MBZ on AMD */
	expect_ok(VA4, 0, PA4);
	mode.amd = true;
	expect_fault(VA4, 0, rsvd);
	put64(1, 1, 0x2000 | RWU | PS);
	expect_fault(VA4, 0, rsvd);
	/* not present wins over reserved */
	put64(1, 1, 0x2000 | PS);
	expect_fault(VA4, 0, 0);
}
END_TEST

START_TEST(write_protection)
{
	u32 err = MMU_PF_PRESENT | MMU_PF_WRITE;
	int level;

	for (level = 1; level <= 4; level++) {
		unsigned int page = 5 - level, index = page;
		u64 was = get64(page, index);

		put64(page, index, was & ~W);
		expect_ok(VA4, MMU_ACC_USER, PA4);
		ck_assert(!w.writable);
		expect_fault(VA4, MMU_ACC_WRITE | MMU_ACC_USER, err | MMU_PF_USER);
		expect_fault(VA4, MMU_ACC_WRITE, err);
		mode.wp = false;
		expect_ok(VA4, MMU_ACC_WRITE, PA4);
		expect_fault(VA4, MMU_ACC_WRITE | MMU_ACC_USER, err | MMU_PF_USER);
		mode.wp = true;
		put64(page, index, was);
	}
}
END_TEST

START_TEST(user_bit)
{
	put64(2, 2, 0x3000 | P | W);
	expect_ok(VA4, MMU_ACC_WRITE, PA4);
	ck_assert(!w.user);
	expect_fault(VA4, MMU_ACC_USER, MMU_PF_PRESENT | MMU_PF_USER);
	expect_fault(VA4, MMU_ACC_USER | MMU_ACC_FETCH,
		     MMU_PF_PRESENT | MMU_PF_USER | MMU_PF_FETCH);
}
END_TEST

START_TEST(no_execute)
{
	put64(3, 3, 0x4000 | RWU | NX);
	expect_ok(VA4, MMU_ACC_USER | MMU_ACC_WRITE, PA4);
	ck_assert(!w.exec);
	expect_fault(VA4, MMU_ACC_FETCH, MMU_PF_PRESENT | MMU_PF_FETCH);
	expect_fault(VA4, MMU_ACC_FETCH | MMU_ACC_USER,
		     MMU_PF_PRESENT | MMU_PF_FETCH | MMU_PF_USER);
}
END_TEST

START_TEST(smep)
{
	expect_ok(VA4, MMU_ACC_FETCH, PA4);
	mode.smep = true;
	expect_fault(VA4, MMU_ACC_FETCH, MMU_PF_PRESENT | MMU_PF_FETCH);
	expect_ok(VA4, MMU_ACC_FETCH | MMU_ACC_USER, PA4);
	put64(4, 4, PA4 | P);
	expect_ok(VA4, MMU_ACC_FETCH, PA4);
	/* without NX the I/D bit is still reported because of SMEP */
	mode.nx = false;
	expect_fault(VA4 + 0x1000, MMU_ACC_FETCH, MMU_PF_FETCH);
	mode.smep = false;
	expect_fault(VA4 + 0x1000, MMU_ACC_FETCH, 0);
}
END_TEST

START_TEST(smap)
{
	mode.smap = true;
	expect_fault(VA4, MMU_ACC_READ, MMU_PF_PRESENT);
	expect_fault(VA4, MMU_ACC_WRITE, MMU_PF_PRESENT | MMU_PF_WRITE);
	expect_ok(VA4, MMU_ACC_USER, PA4);
	expect_ok(VA4, MMU_ACC_FETCH, PA4);
	req.ac = true;
	expect_ok(VA4, MMU_ACC_WRITE, PA4);
	expect_fault(VA4, MMU_ACC_IMPLICIT, MMU_PF_PRESENT);
	req.ac = false;
	put64(4, 4, PA4 | P | W);
	expect_ok(VA4, MMU_ACC_WRITE, PA4);
}
END_TEST

START_TEST(protection_keys)
{
	u64 pk = MMU_PF_PRESENT | MMU_PF_PK;

	put64(4, 4, PA4 | RWU | (3ULL << 59));
	req.pkru = 1 << 6;			/* key 3: access disabled */
	expect_ok(VA4, MMU_ACC_USER, PA4);
	mode.pku = true;
	expect_fault(VA4, MMU_ACC_USER, pk | MMU_PF_USER);
	expect_fault(VA4, MMU_ACC_READ, pk);
	expect_ok(VA4, MMU_ACC_USER | MMU_ACC_FETCH, PA4);
	req.pkru = 2 << 6;			/* write disabled */
	expect_ok(VA4, MMU_ACC_USER, PA4);
	expect_fault(VA4, MMU_ACC_USER | MMU_ACC_WRITE, pk | MMU_PF_USER | MMU_PF_WRITE);
	expect_fault(VA4, MMU_ACC_WRITE, pk | MMU_PF_WRITE);
	mode.wp = false;
	expect_ok(VA4, MMU_ACC_WRITE, PA4);
	expect_fault(VA4, MMU_ACC_USER | MMU_ACC_WRITE, pk | MMU_PF_USER | MMU_PF_WRITE);
	req.pkru = ~(3u << 6);			/* all other keys */
	expect_ok(VA4, MMU_ACC_USER | MMU_ACC_WRITE, PA4);
	req.pkru = ~0u;
	put64(4, 4, PA4 | P | W | (3ULL << 59));	/* supervisor page: keys don't matter */
	expect_ok(VA4, MMU_ACC_READ, PA4);
	/* an ordinary violation does not carry the PK bit */
	put64(4, 4, PA4 | P | U);
	expect_fault(VA4, MMU_ACC_USER | MMU_ACC_WRITE,
		     MMU_PF_PRESENT | MMU_PF_USER | MMU_PF_WRITE);
}
END_TEST

START_TEST(accessed_dirty)
{
	expect_ok(VA4, MMU_ACC_READ, PA4);
	ck_assert_int_eq(updates, 4);
	ck_assert_uint_eq(get64(1, 1), 0x2000 | RWU | A);
	ck_assert_uint_eq(get64(4, 4), PA4 | RWU | A);
	expect_ok(VA4, MMU_ACC_READ, PA4);
	ck_assert_int_eq(updates, 4);
	expect_ok(VA4, MMU_ACC_WRITE, PA4);
	ck_assert_int_eq(updates, 5);
	ck_assert_uint_eq(get64(4, 4), PA4 | RWU | A | D);
	ck_assert_uint_eq(get64(3, 3), 0x4000 | RWU | A);
}
END_TEST

START_TEST(no_bits_on_fault_or_debug)
{
	put64(4, 4, PA4 | P);
	expect_fault(VA4, MMU_ACC_USER, MMU_PF_PRESENT | MMU_PF_USER);
	ck_assert_int_eq(updates, 0);
	expect_ok(VA4, MMU_ACC_SYSTEM | MMU_ACC_WRITE, PA4);
	ck_assert_int_eq(updates, 0);
}
END_TEST

START_TEST(races)
{
	change_under_walk = 3;
	expect_ok(VA4, MMU_ACC_WRITE, PA4);
	ck_assert_int_eq(updates, 4);
	/* for ever: it ends all the same */
	setup();
	change_under_walk = 1000;
	expect_ok(VA4, MMU_ACC_WRITE, PA4);
	ck_assert_int_eq(updates, 0);
	ck_assert_int_gt(change_under_walk, 900);
}
END_TEST

START_TEST(tables_in_rom)
{
	rom_from = 0x3000;
	expect_ok(VA4, MMU_ACC_WRITE, PA4);
	ck_assert_int_eq(updates, 2);
	ck_assert_uint_eq(get64(4, 4), PA4 | RWU);
}
END_TEST

START_TEST(tables_outside_memory)
{
	put64(3, 3, 0x10000000 | RWU);
	expect_fault(VA4, MMU_ACC_READ, 0);
}
END_TEST

/* PAE: directory pointers at 0x1020, as CR3 is 32-byte aligned. */
static void setup_pae(void)
{
	setup();
	mode.levels = 3;
	mode.lma = false;
	req.cr3 = 0x1020;
	put64(1, 4 + 2, 0x2000 | P);
	put64(2, 3, 0x3000 | RWU);
	put64(3, 4, PA4 | RWU);
}

#define VA3	((2ULL << 30) | (3ULL << 21) | (4ULL << 12))

START_TEST(pae)
{
	u64 pdptrs[4] = { [2] = 0x2000 | P };

	setup_pae();
	/* the top level grants everything and has no accessed bit */
	expect_ok(VA3, MMU_ACC_USER | MMU_ACC_WRITE, PA4);
	ck_assert_uint_eq(get64(1, 6), 0x2000 | P);
	ck_assert_uint_eq(get64(3, 4), PA4 | RWU | A | D);
	/* loaded copies, not memory */
	put64(1, 6, 0);
	expect_fault(VA3, 0, 0);
	req.pdptrs = pdptrs;
	expect_ok(VA3, 0, PA4);
	expect_fault(VA3 + (1ULL << 30), 0, 0);
}
END_TEST

START_TEST(pae_reserved)
{
	static const u64 bits[] = {
		BIT_ULL(1), BIT_ULL(2), BIT_ULL(5), BIT_ULL(8), BIT_ULL(48), BIT_ULL(52), NX,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bits); i++) {
		setup_pae();
		put64(1, 6, 0x2000 | P | bits[i]);
		expect_fault(VA3, 0, MMU_PF_PRESENT | MMU_PF_RSVD);
	}
	setup_pae();
	put64(3, 4, PA4 | RWU | BIT_ULL(52));
	expect_fault(VA3, 0, MMU_PF_PRESENT | MMU_PF_RSVD);
	put64(3, 4, PA4 | RWU | NX);
	expect_ok(VA3, 0, PA4);
	put64(2, 3, 0x40000000 | RWU | PS);
	expect_ok(VA3 + 5, 0, 0x40004005);
}
END_TEST

#define VA2	((5ULL << 22) | (6ULL << 12))

static void setup_32(void)
{
	setup();
	mode = (struct mmu_mode) { .levels = 2, .wp = true, .maxphyaddr = 40 };
	put32(1, 5, 0x2000 | RWU);
	put32(2, 6, 0xfedcb000 | RWU);
}

START_TEST(two_levels)
{
	setup_32();
	expect_ok(VA2 + 0x123, MMU_ACC_USER | MMU_ACC_WRITE, 0xfedcb123);
	ck_assert_uint_eq(get32(1, 5), 0x2000 | RWU | A);
	ck_assert_uint_eq(get32(2, 6), 0xfedcb000 | RWU | A | D);
	ck_assert_uint_eq(get32(2, 7), 0);	/* no 64-bit store */
	expect_fault(VA2 + 0x1000, MMU_ACC_FETCH, 0);	/* no NX, no SMEP: no I/D bit */
	put32(1, 5, 0x2000 | RWU | PS);		/* PS without CR4.PSE means nothing */
	expect_ok(VA2, 0, 0xfedcb000);
}
END_TEST

START_TEST(pse36)
{
	setup_32();
	mode.pse = true;
	put32(1, 5, 0x12400000 | RWU | PS);
	expect_ok(VA2 + 1, 0, 0x12400000 + 0x6001);
	ck_assert_int_eq(w.page_shift, 22);
	put32(1, 5, 0x12400000 | RWU | PS | (0xabu << 13));
	expect_ok(VA2, 0, (0xabULL << 32) + 0x12406000);
	put32(1, 5, 0x12400000 | RWU | PS | BIT(21));
	expect_fault(VA2, 0, MMU_PF_PRESENT | MMU_PF_RSVD);
	mode.maxphyaddr = 36;
	put32(1, 5, 0x12400000 | RWU | PS | (0xfu << 13));
	expect_ok(VA2, 0, 0xf12406000ULL);
	put32(1, 5, 0x12400000 | RWU | PS | BIT(17));
	expect_fault(VA2, 0, MMU_PF_PRESENT | MMU_PF_RSVD);
	mode.maxphyaddr = 52;
	put32(1, 5, 0x12400000 | RWU | PS | (0xffu << 13));
	expect_ok(VA2, 0, 0xff12406000ULL);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("mmu walk");
	TCase *tc = tcase_create("walk");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, unpaged);
	tcase_add_test(tc, four_levels);
	tcase_add_test(tc, five_levels);
	tcase_add_test(tc, non_canonical);
	tcase_add_test(tc, large_pages);
	tcase_add_test(tc, reserved_bits);
	tcase_add_test(tc, write_protection);
	tcase_add_test(tc, user_bit);
	tcase_add_test(tc, no_execute);
	tcase_add_test(tc, smep);
	tcase_add_test(tc, smap);
	tcase_add_test(tc, protection_keys);
	tcase_add_test(tc, accessed_dirty);
	tcase_add_test(tc, no_bits_on_fault_or_debug);
	tcase_add_test(tc, races);
	tcase_add_test(tc, tables_in_rom);
	tcase_add_test(tc, tables_outside_memory);
	tcase_add_test(tc, pae);
	tcase_add_test(tc, pae_reserved);
	tcase_add_test(tc, two_levels);
	tcase_add_test(tc, pse36);
	suite_add_tcase(s, tc);
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
