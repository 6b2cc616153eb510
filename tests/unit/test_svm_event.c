// SPDX-License-Identifier: GPL-2.0
/*
 * Task switch exits of AMD-V, each cause of one: what kind it is, whether the old
 * task continues behind the instruction, and what error code the new one finds.
 * And #DB: whose it is, and what DR6 and DR7 say.
 */
#include <check.h>
#include "svm/event.h"

#define SEL	0x38
#define VALID	SVM_EV_VALID
#define GP	13
#define NP	11

static struct x86_task_switch decode(u64 info2, u32 event)
{
	/* EXITINFO1: the selector in bits 15:0, nothing is said of the others */
	return svm_decode_task_switch(0xabcd0000 | SEL, info2, event);
}

static void check(const struct x86_task_switch *ts, enum x86_task_reason reason, bool skip_insn)
{
	ck_assert_uint_eq(ts->sel, SEL);
	ck_assert_int_eq(ts->reason, reason);
	ck_assert_int_eq(ts->skip_insn, skip_insn);
}

static void check_no_error(const struct x86_task_switch *ts)
{
	ck_assert(!ts->has_error);
	ck_assert_uint_eq(ts->error, 0);
}

START_TEST(instructions)
{
	struct x86_task_switch ts;

	ts = decode(0, 0);
	check(&ts, X86_TASK_CALL, true);
	check_no_error(&ts);
	ts = decode(SVM_TASK_JMP, 0);
	check(&ts, X86_TASK_JMP, true);
	check_no_error(&ts);
	ts = decode(SVM_TASK_IRET, 0);
	check(&ts, X86_TASK_IRET, true);
	check_no_error(&ts);
}
END_TEST

/* EXITINTINFO without its valid bit is what some earlier exit left there. */
START_TEST(stale_event)
{
	struct x86_task_switch ts;

	ts = decode(0, SVM_EV_TYPE_EXC | SVM_EV_HAS_ERROR | GP);
	check(&ts, X86_TASK_CALL, true);
	ts = decode(SVM_TASK_JMP, SVM_EV_TYPE_INTR | 0x80);
	check(&ts, X86_TASK_JMP, true);
}
END_TEST

/* The bits that only an event's RF and error code fill don't make it one. */
START_TEST(other_bits)
{
	struct x86_task_switch ts;

	ts = decode(SVM_TASK_RF | 0x1234, 0);
	check(&ts, X86_TASK_CALL, true);
	check_no_error(&ts);
	ts = decode(SVM_TASK_IRET | SVM_TASK_RF | 0x1234, 0);
	check(&ts, X86_TASK_IRET, true);
	check_no_error(&ts);
}
END_TEST

/* The faulting instruction runs again when the handler's task has returned. */
START_TEST(exception_with_error_code)
{
	struct x86_task_switch ts;

	ts = decode(SVM_TASK_HAS_ERROR | SVM_TASK_RF | 0x7ffa,
		    VALID | SVM_EV_TYPE_EXC | SVM_EV_HAS_ERROR | NP);
	check(&ts, X86_TASK_GATE, false);
	ck_assert(ts.has_error);
	ck_assert_uint_eq(ts.error, 0x7ffa);
	/* an error code of 0 is one */
	ts = decode(SVM_TASK_HAS_ERROR, VALID | SVM_EV_TYPE_EXC | SVM_EV_HAS_ERROR | GP);
	check(&ts, X86_TASK_GATE, false);
	ck_assert(ts.has_error);
	ck_assert_uint_eq(ts.error, 0);
}
END_TEST

START_TEST(exception_without_error_code)
{
	static const u8 vectors[] = { 0, 1, 2, 5, 6, 7, 16, 19 };
	struct x86_task_switch ts;

	for (int i = 0; i < ARRAY_SIZE(vectors); i++) {
		ts = decode(0, VALID | SVM_EV_TYPE_EXC | vectors[i]);
		check(&ts, X86_TASK_GATE, false);
		check_no_error(&ts);
	}
}
END_TEST

START_TEST(software_interrupts)
{
	struct x86_task_switch ts;

	/* INT n, also with the vectors of exceptions that have an error code: it pushes none */
	for (int vector = 0; vector < 256; vector++) {
		ts = decode(0, VALID | SVM_EV_TYPE_SOFT | vector);
		check(&ts, X86_TASK_GATE, true);
		check_no_error(&ts);
	}
	/* INT3 and INTO */
	ts = decode(0, VALID | SVM_EV_TYPE_EXC | 3);
	check(&ts, X86_TASK_GATE, true);
	check_no_error(&ts);
	ts = decode(0, VALID | SVM_EV_TYPE_EXC | 4);
	check(&ts, X86_TASK_GATE, true);
	check_no_error(&ts);
}
END_TEST

START_TEST(interrupts)
{
	struct x86_task_switch ts;

	/* also those whose vectors INT3 and INTO have */
	for (int vector = 0; vector < 256; vector++) {
		ts = decode(0, VALID | SVM_EV_TYPE_INTR | vector);
		check(&ts, X86_TASK_GATE, false);
		check_no_error(&ts);
	}
	ts = decode(0, VALID | SVM_EV_TYPE_NMI | 2);
	check(&ts, X86_TASK_GATE, false);
	check_no_error(&ts);
}
END_TEST

START_TEST(soft_events)
{
	ck_assert(svm_event_is_soft(VALID | SVM_EV_TYPE_SOFT | 0x80));
	ck_assert(svm_event_is_soft(VALID | SVM_EV_TYPE_EXC | 3));
	ck_assert(svm_event_is_soft(VALID | SVM_EV_TYPE_EXC | 4));
	ck_assert(!svm_event_is_soft(VALID | SVM_EV_TYPE_EXC | 1));
	ck_assert(!svm_event_is_soft(VALID | SVM_EV_TYPE_INTR | 3));
	ck_assert(!svm_event_is_soft(VALID | SVM_EV_TYPE_NMI | 2));
}
END_TEST

/* ---- debug registers ----------------------------------------------------------- */

#define GUEST_STEPS	KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP
#define GUEST_HW_BP	KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP

START_TEST(own_step)
{
	u64 bs = X86_DR6_FIXED | X86_DR6_BS;

	ck_assert(svm_step_is_ours(false, 0, bs));
	/* The debugger has breakpoints, none was hit. */
	ck_assert(svm_step_is_ours(false, GUEST_HW_BP, bs));
	ck_assert(svm_step_is_ours(false, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP, bs));
	/* Somebody else steps, too: the debugger, the guest itself. */
	ck_assert(!svm_step_is_ours(false, GUEST_STEPS, bs));
	ck_assert(!svm_step_is_ours(true, 0, bs));
	/* The stepped instruction hit something. */
	for (int i = 0; i < 4; i++) {
		ck_assert(!svm_step_is_ours(false, 0, bs | BIT(i)));
		ck_assert(!svm_step_is_ours(false, GUEST_HW_BP, bs | BIT(i)));
	}
	ck_assert(!svm_step_is_ours(false, 0, X86_DR6_FIXED | X86_DR6_BD));
}
END_TEST

START_TEST(payloads)
{
	ck_assert_uint_eq(dr6_payload(X86_DR6_FIXED), 0);
	ck_assert_uint_eq(dr6_payload(X86_DR6_FIXED | X86_DR6_BS), X86_DR6_BS);
	ck_assert_uint_eq(dr6_payload(X86_DR6_FIXED | 5), 5);
	/* bus lock and RTM report with a 0 */
	ck_assert_uint_eq(dr6_payload(X86_DR6_FIXED & ~BIT_ULL(11)), BIT(11));
	ck_assert_uint_eq(dr6_payload(X86_DR6_FIXED & ~BIT_ULL(16)), BIT(16));
}
END_TEST

START_TEST(dr6)
{
	u64 none = X86_DR6_FIXED;

	ck_assert_uint_eq(dr6_after(none, 0), none);
	ck_assert_uint_eq(dr6_after(none, X86_DR6_BS), none | X86_DR6_BS);
	/* B0-3 are those of this #DB, the others stay until the guest clears them */
	ck_assert_uint_eq(dr6_after(none | 3, 4), none | 4);
	ck_assert_uint_eq(dr6_after(none | X86_DR6_BS | 1, 2), none | X86_DR6_BS | 2);
	ck_assert_uint_eq(dr6_after(none | X86_DR6_BD, X86_DR6_BS), none | X86_DR6_BD | X86_DR6_BS);
	/* bus lock and RTM: cleared if they are the reason, and set again by the next without */
	ck_assert_uint_eq(dr6_after(none, BIT(11)), none & ~BIT_ULL(11));
	ck_assert_uint_eq(dr6_after(none & ~BIT_ULL(11), 1), none | 1);
	ck_assert_uint_eq(dr6_after(none, BIT(16) | 1), (none & ~BIT_ULL(16)) | 1);
	/* what was written by a guest as 0 and can't be is 1 */
	ck_assert_uint_eq(dr6_after(0, 8), none | 8);
	/* there and back: of all reasons together */
	for (u64 payload = 0; payload <= 0x1ffff; payload++)
		if (!(payload & ~(X86_DR6_TRAPS | BIT(11) | BIT(16))))
			ck_assert_uint_eq(dr6_payload(dr6_after(none, payload)), payload);
}
END_TEST

START_TEST(code_breakpoints)
{
	static const u64 dr[] = { 0x1000, 0x2000, 0x1000, 0xffffffff80001000 };

	ck_assert_uint_eq(dr7_code_hits(0x400, dr, 0x1000), 0);
	/* local, global, both; two at one address */
	ck_assert_uint_eq(dr7_code_hits(0x401, dr, 0x1000), 1);
	ck_assert_uint_eq(dr7_code_hits(0x402, dr, 0x1000), 1);
	ck_assert_uint_eq(dr7_code_hits(0x4ff, dr, 0x1000), 5);
	ck_assert_uint_eq(dr7_code_hits(0x4ff, dr, 0x2000), 2);
	ck_assert_uint_eq(dr7_code_hits(0x4ff, dr, 0xffffffff80001000), 8);
	ck_assert_uint_eq(dr7_code_hits(0x4ff, dr, 0x80001000), 0);
	ck_assert_uint_eq(dr7_code_hits(0x4ff, dr, 0x1001), 0);
	/* of data or I/O; of code, but with a length, which is no breakpoint */
	for (u64 rw_len = 1; rw_len < 16; rw_len++)
		ck_assert_uint_eq(dr7_code_hits(0x4ff | rw_len << 16, dr, 0x1000), 4);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("svm_event");
	TCase *tc = tcase_create("all");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, instructions);
	tcase_add_test(tc, stale_event);
	tcase_add_test(tc, other_bits);
	tcase_add_test(tc, exception_with_error_code);
	tcase_add_test(tc, exception_without_error_code);
	tcase_add_test(tc, software_interrupts);
	tcase_add_test(tc, interrupts);
	tcase_add_test(tc, soft_events);
	tcase_add_test(tc, own_step);
	tcase_add_test(tc, payloads);
	tcase_add_test(tc, dr6);
	tcase_add_test(tc, code_breakpoints);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
