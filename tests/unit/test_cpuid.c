// SPDX-License-Identifier: GPL-2.0
/*
 * The CPUID tables against a made-up machine.
 *
 * The machine has every feature bit set, or none, so that what comes out is
 * the policy and nothing else; its XSAVE layout is that of a real one.
 */
#include <check.h>
#include "cpuid_table.h"

#define MAX	256

static u32 host_basic, host_ext, host_all;

/* Standard-format layout: YMM, opmask, ZMM high halves, high ZMMs, PKRU. */
static const struct cpuid_xstate layout[] = {
	[2] = { 256, 576, 0 },
	[5] = { 64, 1088, 0 },
	[6] = { 512, 1152, 0 },
	[7] = { 1024, 1664, 0 },
	[9] = { 8, 2688, 0 },
	[11] = { 16, 0, 1 },
	[17] = { 64, 2752, 2 },
};

static void host(u32 fn, u32 index, struct cpuid_raw *r)
{
	memset(r, 0, sizeof(*r));
	switch (fn) {
	case 0:
		*r = (struct cpuid_raw) { { host_basic, 0x68747541, 0x444d4163, 0x69746e65 } };
		return;
	case 1:
		*r = (struct cpuid_raw) { { 0x00800f12, 0x03020800, host_all, host_all } };
		return;
	case 4:
		r->reg[0] = index < 4 ? 0x121 : 0;
		return;
	case 7:
		*r = (struct cpuid_raw) { { 2, host_all, host_all, host_all } };
		return;
	case 0xd:
		if (index < ARRAY_SIZE(layout)) {
			r->reg[CPUID_R_EAX] = layout[index].size;
			r->reg[CPUID_R_EBX] = layout[index].offset;
			r->reg[CPUID_R_ECX] = layout[index].flags;
		}
		return;
	case 0x80000000:
		r->reg[0] = host_ext;
		return;
	case 0x80000008:
		r->reg[0] = 48 | 57 << 8 | 47 << 16;
		r->reg[2] = 0x7007;
		return;
	case 0x8000001d:
		r->reg[0] = index < 4 ? 0x121 : 0;
		return;
	default:
		*r = (struct cpuid_raw) { { host_all, host_all, host_all, host_all } };
	}
}

static struct cpuid_env env;
static struct kvm_cpuid_entry2 list[MAX];

static void machine(u32 bits, u32 cleared, u64 xcr0)
{
	u32 kernel[CPUID_NR_WORDS], clear[CPUID_NR_WORDS];
	int i;

	for (i = 0; i < CPUID_NR_WORDS; i++) {
		kernel[i] = bits;
		clear[i] = cleared;
	}
	host_basic = 0x20;
	host_ext = 0x80000025;
	host_all = bits;
	env = (struct cpuid_env) { .host = host, .xcr0 = xcr0, .pv_features = 0x01000029 };
	cpuid_env_init(&env, kernel, clear);
}

#define XCR0_ALL	0x2e7ULL

static struct kvm_cpuid_entry2 *leaf(int n, u32 fn, u32 index)
{
	struct kvm_cpuid_entry2 *e = cpuid_find(list, n, fn, index);

	ck_assert_msg(e != NULL, "no leaf %x.%x", fn, index);
	return e;
}

START_TEST(fits_small_buffers)
{
	int n;

	machine(~0u, 0, XCR0_ALL);
	n = cpuid_supported(&env, list, MAX);
	ck_assert_int_gt(n, 20);
	ck_assert_int_lt(n, 80);
	ck_assert_int_eq(cpuid_supported(&env, list, n), n);
}
END_TEST

START_TEST(too_small_is_e2big)
{
	int n, i;

	machine(~0u, 0, XCR0_ALL);
	n = cpuid_supported(&env, list, MAX);
	for (i = 0; i < n; i++) {
		memset(list, 0xaa, sizeof(list));
		ck_assert_int_eq(cpuid_supported(&env, list, i), -E2BIG);
		ck_assert_uint_eq(list[i].function, 0xaaaaaaaa);
	}
	ck_assert_int_eq(cpuid_emulated(list, 1), -E2BIG);
	ck_assert_int_eq(cpuid_emulated(list, 2), 2);
}
END_TEST

START_TEST(entries_are_unique_and_in_range)
{
	int n, i, j;

	machine(~0u, 0, XCR0_ALL);
	n = cpuid_supported(&env, list, MAX);
	for (i = 0; i < n; i++) {
		u32 class = list[i].function & 0xf0000000;

		ck_assert_uint_le(list[i].function, leaf(n, class, 0)->eax);
		for (j = 0; j < i; j++)
			ck_assert(list[i].function != list[j].function ||
				  list[i].index != list[j].index);
	}
}
END_TEST

START_TEST(never_offered)
{
	struct kvm_cpuid_entry2 *e;
	int n;

	machine(~0u, 0, XCR0_ALL);
	n = cpuid_supported(&env, list, MAX);
	e = leaf(n, 1, 0);
	ck_assert(!(e->ecx & BIT(3)));	/* MONITOR */
	ck_assert(!(e->ecx & BIT(5)));	/* VMX */
	ck_assert(!(e->ecx & BIT(24)));	/* TSC deadline: its capability tells */
	ck_assert(!(e->ecx & BIT(27)));	/* OSXSAVE */
	ck_assert(!(leaf(n, 0x80000001, 0)->ecx & BIT(2)));	/* SVM */
	e = leaf(n, 7, 0);
	ck_assert(!(e->ebx & (BIT(2) | BIT(14) | BIT(25))));	/* SGX, MPX, PT */
	ck_assert(!(e->ecx & (BIT(4) | BIT(7))));		/* OSPKE, CET */
	ck_assert(!(e->edx & (BIT(20) | BIT(22) | BIT(24) | BIT(25))));	/* IBT, AMX */
	ck_assert_uint_eq(leaf(n, 0x8000000a, 0)->edx, 0);
	ck_assert_uint_eq(leaf(n, 0xa, 0)->eax, 0);
}
END_TEST

START_TEST(poor_machine)
{
	struct kvm_cpuid_entry2 *e;
	int n;

	machine(0, 0, 0);
	n = cpuid_supported(&env, list, MAX);
	e = leaf(n, 1, 0);
	ck_assert_uint_eq(e->ecx, BIT(21) | BIT(31));	/* x2APIC, hypervisor */
	ck_assert_uint_eq(e->edx, BIT(9) | BIT(12) | BIT(16));
	ck_assert_uint_eq(leaf(n, 7, 0)->ebx, BIT(1));	/* TSC_ADJUST */
	ck_assert_uint_eq(leaf(n, 0xd, 0)->eax, 0);
	ck_assert_ptr_null(cpuid_find(list, n, 0xd, 1));
}
END_TEST

START_TEST(vendor_takes_away)
{
	int n;

	machine(~0u, BIT(21) | BIT(9), XCR0_ALL);
	n = cpuid_supported(&env, list, MAX);
	ck_assert(!(leaf(n, 1, 0)->ecx & BIT(21)));
	ck_assert(!(leaf(n, 1, 0)->edx & BIT(9)));
}
END_TEST

START_TEST(no_state_no_instructions)
{
	struct kvm_cpuid_entry2 *e;
	int n;

	machine(~0u, 0, 3);
	n = cpuid_supported(&env, list, MAX);
	e = leaf(n, 1, 0);
	ck_assert(!(e->ecx & (BIT(12) | BIT(28) | BIT(29))));	/* FMA, AVX, F16C */
	ck_assert(e->ecx & BIT(26));				/* XSAVE stays */
	e = leaf(n, 7, 0);
	ck_assert(!(e->ebx & (BIT(5) | BIT(16) | BIT(30))));	/* AVX2, AVX512 */
	ck_assert(!(e->ecx & BIT(3)));				/* PKU */

	machine(~0u, 0, 7);	/* YMM, but no AVX-512 state */
	n = cpuid_supported(&env, list, MAX);
	e = leaf(n, 7, 0);
	ck_assert(e->ebx & BIT(5));
	ck_assert(!(e->ebx & BIT(16)));
}
END_TEST

START_TEST(xsave_sizes)
{
	struct kvm_cpuid_entry2 *e;
	int n;

	machine(~0u, 0, XCR0_ALL);
	ck_assert_uint_eq(cpuid_xsave_size(&env, 0, false), 576);
	ck_assert_uint_eq(cpuid_xsave_size(&env, 3, false), 576);
	ck_assert_uint_eq(cpuid_xsave_size(&env, 7, false), 832);
	ck_assert_uint_eq(cpuid_xsave_size(&env, 0x203, false), 2696);
	ck_assert_uint_eq(cpuid_xsave_size(&env, 0x203, true), 584);
	ck_assert_uint_eq(cpuid_xsave_size(&env, XCR0_ALL, true), 576 + 256 + 64 + 512 + 1024 + 8);
	env.xstate[17] = layout[17];
	/* the aligned component begins at the next multiple of 64 */
	ck_assert_uint_eq(cpuid_xsave_size(&env, BIT_ULL(17) | 0x203, true), 640 + 64);

	n = cpuid_supported(&env, list, MAX);
	e = leaf(n, 0xd, 0);
	ck_assert_uint_eq(e->eax, XCR0_ALL);
	ck_assert_uint_eq(e->ecx, 2696);
	ck_assert_uint_eq(leaf(n, 0xd, 2)->eax, 256);
	ck_assert_uint_eq(leaf(n, 0xd, 9)->ebx, 2688);
	ck_assert_ptr_null(cpuid_find(list, n, 0xd, 3));
}
END_TEST

START_TEST(identity_is_stable)
{
	struct kvm_cpuid_entry2 *e;
	int n;

	machine(~0u, 0, XCR0_ALL);
	n = cpuid_supported(&env, list, MAX);
	e = leaf(n, 1, 0);
	ck_assert_uint_eq(e->eax, 0x00800f12);
	ck_assert_uint_eq(e->ebx, 0x0800);	/* neither APIC id nor CPU count */
	ck_assert_uint_eq(leaf(n, 0xb, 0)->edx, 0);
	ck_assert_uint_eq(leaf(n, 0x8000001e, 0)->eax, 0);
	e = leaf(n, 0x80000008, 0);
	ck_assert_uint_eq(e->eax, 48 | 57 << 8);
	ck_assert_uint_eq(e->ecx, 0);
	env.maxphyaddr = 43;
	n = cpuid_supported(&env, list, MAX);
	ck_assert_uint_eq(leaf(n, 0x80000008, 0)->eax & 0xff, 43);
	ck_assert_uint_eq(leaf(n, 0x80000007, 0)->edx, 0);
	env.invtsc = true;
	n = cpuid_supported(&env, list, MAX);
	ck_assert_uint_eq(leaf(n, 0x80000007, 0)->edx, BIT(8));
}
END_TEST

START_TEST(signature)
{
	struct kvm_cpuid_entry2 *e;
	int n;

	machine(~0u, 0, XCR0_ALL);
	n = cpuid_supported(&env, list, MAX);
	e = leaf(n, 0x40000000, 0);
	ck_assert_uint_eq(e->eax, 0x40000001);
	ck_assert_mem_eq(&e->ebx, "KVMKVMKVM\0\0\0", 12);
	ck_assert_uint_eq(leaf(n, 0x40000001, 0)->eax, 0x01000029);
}
END_TEST

START_TEST(short_host)
{
	int n;

	machine(~0u, 0, XCR0_ALL);
	host_basic = 5;
	host_ext = 0x80000004;
	n = cpuid_supported(&env, list, MAX);
	ck_assert_uint_eq(leaf(n, 0, 0)->eax, 5);
	ck_assert_ptr_null(cpuid_find(list, n, 7, 0));
	ck_assert_ptr_null(cpuid_find(list, n, 0x80000008, 0));
	leaf(n, 0x80000004, 0);
	host_ext = 0;	/* no extended leaves at all */
	n = cpuid_supported(&env, list, MAX);
	ck_assert_ptr_null(cpuid_find(list, n, 0x80000001, 0));
}
END_TEST

/* A guest's list, for the instruction. */
static struct kvm_cpuid_entry2 guest[] = {
	{ .function = 0, .eax = 0xd },
	{ .function = 1, .eax = 0x1111 },
	{ .function = 0xb, .index = 0, .flags = 1, .eax = 1, .edx = 7 },
	{ .function = 0xb, .index = 1, .flags = 1, .eax = 4, .edx = 7 },
	{ .function = 0xd, .index = 0, .flags = 1, .eax = 7 },
	{ .function = 0xd, .index = 1, .flags = 1, .eax = 0xf },
	{ .function = 0x40000000, .eax = 0x40000001 },
	{ .function = 0x80000000, .eax = 0x80000008 },
};

static bool run(bool amd, u32 fn, u32 index, struct cpuid_raw *r)
{
	memset(r, 0xff, sizeof(*r));
	return cpuid_execute(guest, ARRAY_SIZE(guest), amd, fn, index, r);
}

static bool all_zero(const struct cpuid_raw *r)
{
	return !(r->reg[0] | r->reg[1] | r->reg[2] | r->reg[3]);
}

START_TEST(execute_exact)
{
	struct cpuid_raw r;

	ck_assert(run(true, 1, 77, &r));	/* index does not matter here */
	ck_assert_uint_eq(r.reg[CPUID_R_EAX], 0x1111);
	ck_assert(run(true, 0xd, 1, &r));
	ck_assert_uint_eq(r.reg[CPUID_R_EAX], 0xf);
	ck_assert(!run(true, 0xd, 5, &r));
	ck_assert(all_zero(&r));
}
END_TEST

START_TEST(execute_out_of_range)
{
	struct cpuid_raw r;

	/* AMD: zero everywhere */
	ck_assert(!run(true, 0x20, 0, &r));
	ck_assert(all_zero(&r));
	ck_assert(!run(true, 0x80000020, 0, &r));
	ck_assert(all_zero(&r));
	/* Intel: the last basic leaf, with the index asked for */
	ck_assert(!run(false, 0x20, 1, &r));
	ck_assert_uint_eq(r.reg[CPUID_R_EAX], 0xf);
	ck_assert(!run(false, 0x80000009, 0, &r));
	ck_assert_uint_eq(r.reg[CPUID_R_EAX], 7);
	ck_assert(!run(false, 0x40000005, 0, &r));
	ck_assert_uint_eq(r.reg[CPUID_R_EAX], 7);
	ck_assert(!run(false, 0x50000000, 0, &r));
	ck_assert_uint_eq(r.reg[CPUID_R_EAX], 7);
	/* in range but absent: zero */
	ck_assert(!run(false, 5, 0, &r));
	ck_assert(all_zero(&r));
	ck_assert(!run(false, 0x80000001, 0, &r));
	ck_assert(all_zero(&r));
}
END_TEST

START_TEST(execute_topology_tail)
{
	struct cpuid_raw r;

	ck_assert(!run(true, 0xb, 0x123, &r));
	ck_assert_uint_eq(r.reg[CPUID_R_EAX], 0);
	ck_assert_uint_eq(r.reg[CPUID_R_ECX], 0x23);
	ck_assert_uint_eq(r.reg[CPUID_R_EDX], 7);
}
END_TEST

START_TEST(execute_empty)
{
	struct cpuid_raw r;

	ck_assert(!cpuid_execute(NULL, 0, false, 0, 0, &r));
	ck_assert(all_zero(&r));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cpuid");
	TCase *tc = tcase_create("cpuid");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, fits_small_buffers);
	tcase_add_test(tc, too_small_is_e2big);
	tcase_add_test(tc, entries_are_unique_and_in_range);
	tcase_add_test(tc, never_offered);
	tcase_add_test(tc, poor_machine);
	tcase_add_test(tc, vendor_takes_away);
	tcase_add_test(tc, no_state_no_instructions);
	tcase_add_test(tc, xsave_sizes);
	tcase_add_test(tc, identity_is_stable);
	tcase_add_test(tc, signature);
	tcase_add_test(tc, short_host);
	tcase_add_test(tc, execute_exact);
	tcase_add_test(tc, execute_out_of_range);
	tcase_add_test(tc, execute_topology_tail);
	tcase_add_test(tc, execute_empty);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
