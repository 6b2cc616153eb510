// SPDX-License-Identifier: GPL-2.0
/*
 * Random bytes in random modes: whatever a guest executes, the emulator ends in
 * one of its five results, within its bounds, under the sanitizers, and:
 *
 *   EM_UNSUPPORTED, EM_PENDING and faults leave the registers as they were
 *   EM_PENDING goes on when it is asked again with the same answers
 *   the instruction's length is 1 to 15, and em_insn_len() agrees
 *
 * EM_FUZZ_ROUNDS and EM_FUZZ_SEED set number and seed.
 */
#include <check.h>
#include "em_machine.h"

static struct machine m;
static u64 state;

static u64 rnd(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state * 0x2545f4914f6cdd1dULL;
}

static u64 rnd_address(void)
{
	switch (rnd() % 4) {
	case 0:
		return DEV_BASE + rnd() % DEV_SIZE;
	case 1:
		return HOLE_BASE - 8 + rnd() % 16;
	case 2:
		return 0x20000 + rnd() % 0x10000;
	}
	return rnd();
}

/* Registers that point somewhere, descriptor tables full of anything. */
static void random_machine(void)
{
	unsigned int i;

	machine_any(&m, rnd());
	if (m.c.mode >= EM_PROT16 && rnd() % 3 == 0)
		m.c.cpl = 3;
	for (i = 0; i < 16; i++)
		m.c.gpr[i] = rnd_address();
	if (rnd() % 2)
		m.c.gpr[4] = 0x8000;
	if (rnd() % 2)
		m.c.gpr[1] = rnd() % 2000;
	m.c.rflags |= rnd() & 0x244dd5;
	for (i = 0; i < 0x20; i++)	/* more descriptors, of every type */
		machine_desc(&m, 0x40 + i * 8, rnd(), rnd(), rnd());
	m.gdt.limit = 0x13f;
	for (i = 0; i < 64; i++)
		((u64 *)(m.ram + 0x8000))[i] = rnd() % 2 ? rnd() & 0x7b : rnd_address();
	m.dev_sync = rnd() % 2;
	m.races = rnd() % 8 == 0;
	m.lacks = rnd() % 4 ? 0 : rnd();
	m.xcr0 = rnd() % 8 ? 7 : 3;
	m.c.intel = rnd() % 2;
}

static void one_round(void)
{
	static const u8 prefixes[] = { 0x66, 0x67, 0xf2, 0xf3, 0x44, 0x48, 0xf0 };
	u64 gpr[16], rip, rflags;
	enum em_result r;
	u8 code[16], cpl;
	unsigned int i;
	int len;

	random_machine();
	for (i = 0; i < 16; i++)
		code[i] = rnd();
	if (rnd() % 3 == 0)
		code[rnd() % 3] = 0x0f;
	if (rnd() % 4 == 0)
		code[0] = prefixes[rnd() % sizeof(prefixes)];
	memcpy(m.ram + m.seg[EM_CS].base + m.c.rip, code, 16);
	len = em_insn_len(&m.c, NULL, 0);
	r = em_decode(&m.c, code, rnd() % 16);
	ck_assert_int_eq(r == EM_DONE, len > 0);
	if (r != EM_DONE)
		return;
	ck_assert_int_eq(len, m.c.insn.len);
	ck_assert_int_le(len, 15);
	memcpy(gpr, m.c.gpr, sizeof(gpr));
	rip = m.c.rip;
	rflags = m.c.rflags;
	cpl = m.c.cpl;
	for (i = 0; i < 5000; i++) {
		r = em_execute(&m.c);
		if (r != EM_PENDING)
			break;
		ck_assert_uint_eq(m.c.rip, rip);
	}
	ck_assert_int_ne(r, EM_PENDING);
	if (r == EM_UNSUPPORTED && m.pendings == 0 && !m.traced && !m.tr_loads) {
		ck_assert_int_eq(memcmp(gpr, m.c.gpr, sizeof(gpr)), 0);
		ck_assert_uint_eq(m.c.rip, rip);
		ck_assert_uint_eq(m.c.rflags, rflags);
		ck_assert_uint_eq(m.c.cpl, cpl);
	}
	if (r == EM_FAULT && !m.c.fault.trap && !m.tr_loads)
		ck_assert_uint_eq(m.c.rip, rip);
	if (m.c.mode != EM_PROT64 && r == EM_DONE && m.seg[EM_CS].attr & EM_SEG_P && !m.efer)
		ck_assert_uint_le(m.c.rip, U32_MAX);
}

START_TEST(fuzz)
{
	const char *s = getenv("EM_FUZZ_ROUNDS"), *seed = getenv("EM_FUZZ_SEED");
	unsigned long n = s ? strtoul(s, NULL, 0) : 20000;

	for (state = seed ? strtoul(seed, NULL, 0) : 4711; n; n--)
		one_round();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("emulator, random bytes");
	TCase *tc = tcase_create("fuzz");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 600);
	tcase_add_test(tc, fuzz);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
