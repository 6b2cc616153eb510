// SPDX-License-Identifier: GPL-2.0
/*
 * Which encodings exist: prefixes that must not be there, modes that lack an
 * encoding, instructions that hang on a CPUID feature or a control register. What
 * a user program can run is compared with the processor in test_em_native.c, too;
 * here are the manuals' values for the rest.
 */
#include <check.h>
#include "em_machine.h"

#define RUN(bytes)	machine_run(&m, bytes, sizeof(bytes) - 1)
#define GPR(r)		m.c.gpr[r]

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI };

static struct machine m;

static void ck_raises(enum em_result r, unsigned int vector)
{
	ck_assert_int_eq(r, EM_FAULT);
	ck_assert_uint_eq(m.c.fault.vector, vector);
	ck_assert_uint_eq(m.c.fault.error, 0);
}

#define RAISES(bytes, vector)	ck_raises(RUN(bytes), vector)

/* vmovdqu (%rbx), %xmm0, with what no VEX prefix can stand behind. */
START_TEST(vex_behind_prefix)
{
	machine_long(&m);
	GPR(RBX) = 0x3000;
	ck_assert_int_eq(RUN("\xc5\xfa\x6f\x03"), EM_DONE);
	ck_assert_int_eq(RUN("\x67\x64\xc5\xfa\x6f\x03"), EM_DONE);
	RAISES("\x66\xc5\xfa\x6f\x03", EM_EX_UD);
	RAISES("\xf3\xc5\xfa\x6f\x03", EM_EX_UD);
	RAISES("\xf2\xc5\xfa\x6f\x03", EM_EX_UD);
	RAISES("\xf0\xc5\xfa\x6f\x03", EM_EX_UD);
	RAISES("\x48\xc5\xfa\x6f\x03", EM_EX_UD);
	RAISES("\x48\x62\xf1\x7e\x08\x6f\x03", EM_EX_UD);	/* EVEX */
	RAISES("\xc5\xfa\x13\x03", EM_EX_UD);	/* no F3 row there */
	RAISES("\xc5\xf2\x6f\x03", EM_EX_UD);	/* vvvv in use */
	RAISES("\xc5\xfc\xae\x13", EM_EX_UD);	/* vldmxcsr with L */
}
END_TEST

/* In real and virtual-8086 mode C4, C5, 62 and 8F are the old instructions only. */
START_TEST(vex_by_mode)
{
	machine_any(&m, 3);
	RAISES("\xc5\xfa\x6f\x07", EM_EX_UD);	/* lds with a register */
	RAISES("\x62\xf1\x7e\x08", EM_EX_UD);
	RAISES("\x8f\xe8\x60\xcc", EM_EX_UD);
	machine_real(&m);
	RAISES("\xc4\xe2\x79\x18\x07", EM_EX_UD);
	RAISES("\x8f\xe8\x60\xcc", EM_EX_UD);
	GPR(RBX) = 0x3000;
	ck_assert_int_eq(RUN("\xc5\x07"), EM_DONE);	/* lds (%bx), %ax */
}
END_TEST

int main(void)
{
	Suite *s = suite_create("emulator, opcodes");
	TCase *tc = tcase_create("opcodes");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, vex_behind_prefix);
	tcase_add_test(tc, vex_by_mode);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
