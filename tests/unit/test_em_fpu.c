// SPDX-License-Identifier: GPL-2.0
/*
 * x87 and vector moves where the processor can't be asked: device memory that
 * waits for userspace, formats of real mode, exceptions of control registers.
 * What they compute is compared with the processor in test_em_native.c.
 */
#include <check.h>
#include "em_machine.h"

#define RUN(bytes)	machine_run(&m, bytes, sizeof(bytes) - 1)
#define FINISH(bytes)	machine_finish(&m, bytes, sizeof(bytes) - 1)

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI };

static struct machine m;

static void ck_raises(const char *bytes, unsigned int size, unsigned int vector)
{
	ck_assert_int_eq(machine_run(&m, bytes, size), EM_FAULT);
	ck_assert_uint_eq(m.c.fault.vector, vector);
}

#define RAISES(bytes, vector)	ck_raises(bytes, sizeof(bytes) - 1, vector)

static void long_mode(u64 rbx)
{
	machine_long(&m);
	m.c.gpr[RBX] = rbx;
}

#define FLDT	"\xdb\x2b"	/* fldt (%rbx) */
#define FSTPT	"\xdb\x3b"
#define FNSTENV	"\xd9\x33"
#define FLDENV	"\xd9\x23"
#define FNSAVE	"\xdd\x33"
#define FRSTOR	"\xdd\x23"
#define FXSAVE	"\x0f\xae\x03"
#define FXRSTOR	"\x0f\xae\x0b"

START_TEST(x87_waits)
{
	unsigned int i;

	long_mode(DEV_BASE + 0x10);
	for (i = 0; i < 10; i++)
		m.dev[0x10 + i] = i + 1;
	ck_assert_int_eq(FINISH(FLDT), EM_DONE);
	ck_assert_mem_eq(m.fx.st[0], m.dev + 0x10, 10);
	ck_assert_uint_eq(m.x87_runs, 1);

	/* a store waits after it has popped: it must not pop again */
	m.c.gpr[RBX] = DEV_BASE + 0x40;
	ck_assert_int_eq(FINISH(FSTPT), EM_DONE);
	ck_assert_mem_eq(m.dev + 0x40, m.dev + 0x10, 10);
	ck_assert_uint_eq(m.x87_runs, 2);
	ck_assert_uint_gt(m.pendings, 1);
}
END_TEST

START_TEST(x87_pointers)
{
	long_mode(0x3000);
	m.c.rip = 0x1234;
	ck_assert_int_eq(RUN(FLDT), EM_DONE);
	ck_assert_uint_eq(m.fx.fip, 0x1234);
	ck_assert_uint_eq(m.fx.fdp, 0x3000);
	ck_assert_uint_eq(m.fx.fop, 0x32b);

	machine_real(&m);
	m.seg[EM_CS].base = 0x10;
	m.seg[EM_DS].base = 0x20;
	m.c.gpr[RBX] = 0x3000;
	ck_assert_int_eq(RUN("\xdb\x2f"), EM_DONE);	/* fldt (%bx) */
	ck_assert_uint_eq(m.fx.fip, 0x1010);
	ck_assert_uint_eq(m.fx.fdp, 0x3020);
}
END_TEST

START_TEST(x87_exceptions)
{
	static const char *const wait[] = { FLDT, FSTPT, FLDENV, FRSTOR, "\xd9\x2b" };
	unsigned int i;

	long_mode(0x3000);
	m.fx.fsw = 0x8081;	/* pending */
	for (i = 0; i < ARRAY_SIZE(wait); i++)
		ck_raises(wait[i], 2, EM_EX_MF);
	RAISES("\x9b", EM_EX_MF);
	RAISES("\x0f\x6f\x03", EM_EX_MF);	/* movq (%rbx), %mm0 */
	ck_assert_int_eq(RUN(FNSTENV), EM_DONE);	/* masks it */
	ck_assert_uint_eq(m.fx.fsw, 1);
	ck_assert_int_eq(RUN("\x9b"), EM_DONE);
	m.fx.fsw = 0x8081;
	ck_assert_int_eq(RUN(FXSAVE), EM_DONE);
	m.c.cr0 |= X86_CR0_TS;
	RAISES(FLDT, EM_EX_NM);
	RAISES(FXSAVE, EM_EX_NM);
	ck_assert_int_eq(m.c.fault.has_error, false);
	m.c.cr0 |= X86_CR0_MP;
	RAISES("\x9b", EM_EX_NM);
}
END_TEST

/* A store that faults leaves the register stack alone. */
START_TEST(x87_store_faults)
{
	long_mode(HOLE_BASE - 4);
	RAISES(FSTPT, EM_EX_PF);
	ck_assert_uint_eq(m.x87_runs, 0);
	RAISES(FNSAVE, EM_EX_PF);
	RAISES(FXSAVE, EM_EX_GP);
	m.c.gpr[RBX] = HOLE_BASE - 0x100;
	RAISES(FXSAVE, EM_EX_PF);
	ck_assert_uint_eq(m.fx.fcw, 0);
}
END_TEST

/* 16-bit and 32-bit environments of real mode hold linear addresses. */
START_TEST(real_environment)
{
	static const u8 want16[14] = { 0x7f, 3, 0, 0x38, 0xff, 0xff, 0x45, 0x23, 0x23, 0x11,
				       0x78, 0x56, 0, 0x40 };
	u8 was[28];

	machine_real(&m);
	m.c.gpr[RBX] = 0x3000;
	m.fcw = 0x37f;
	m.fx.fsw = 0x3800;
	m.fx.fop = 0x123;
	m.fx.fip = 0x12345;
	m.fx.fdp = 0x45678;
	ck_assert_int_eq(RUN("\xd9\x37"), EM_DONE);	/* fnstenv (%bx) */
	ck_assert_mem_eq(m.ram + 0x3000, want16, sizeof(want16));

	m.fx.fip = 0xabc12345;
	m.fx.fdp = 0x12345678;
	m.c.gpr[RBX] = 0x3100;
	ck_assert_int_eq(RUN("\x66\xd9\x37"), EM_DONE);
	memcpy(was, m.ram + 0x3100, 28);
	m.fx.fip = m.fx.fdp = m.fx.fop = 0;
	ck_assert_int_eq(RUN("\x66\xd9\x27"), EM_DONE);	/* fldenv (%bx) */
	ck_assert_uint_eq(m.fx.fip, 0xabc12345);
	ck_assert_uint_eq(m.fx.fdp, 0x12345678);
	ck_assert_uint_eq(m.fx.fop, 0x123);
}
END_TEST

static void some_registers(void)
{
	unsigned int i;

	for (i = 0; i < sizeof(m.fx.st); i++)
		((u8 *)m.fx.st)[i] = i % 16 < 10 ? i * 7 + 1 : 0;
	for (i = 0; i < sizeof(m.vec); i++)
		((u8 *)m.vec)[i] = i * 3;
	m.fx.ftw = 0xa5;
	m.fx.fsw = 0x1800;
	m.fcw = 0x27f;
}

START_TEST(save_and_restore)
{
	struct em_fx was;
	u8 vec[16][32];

	long_mode(0x3000);
	some_registers();
	was = m.fx;
	ck_assert_int_eq(RUN(FNSAVE), EM_DONE);
	ck_assert_uint_eq(m.fcw, 0x37f);
	memset(m.fx.st, 0, sizeof(m.fx.st));
	ck_assert_int_eq(RUN(FRSTOR), EM_DONE);
	ck_assert_uint_eq(m.fcw, 0x27f);
	ck_assert_uint_eq(m.fx.ftw, 0xa5);
	ck_assert_uint_eq(m.fx.fsw, 0x1800);
	ck_assert_mem_eq(m.fx.st, was.st, sizeof(was.st));

	/* through a device, each piece waiting */
	m.c.gpr[RBX] = DEV_BASE + 0x200;
	memcpy(vec, m.vec, sizeof(vec));
	ck_assert_int_eq(FINISH(FXSAVE), EM_DONE);
	memset(m.vec, 0, sizeof(m.vec));
	ck_assert_int_eq(FINISH(FXRSTOR), EM_DONE);
	ck_assert_mem_eq(m.vec[15], vec[15], 16);

	m.dev[0x200 + 26] = 0xff;	/* reserved bits of MXCSR */
	m.dev[0x200 + 27] = 0xff;
	ck_assert_int_eq(FINISH(FXRSTOR), EM_FAULT);
	ck_assert_uint_eq(m.c.fault.vector, EM_EX_GP);
}
END_TEST

/* Outside 64-bit mode there are xmm0 to 7, and the others stay. */
START_TEST(fxsave_32)
{
	machine_prot(&m, true);
	m.c.gpr[RBX] = 0x3000;
	some_registers();
	memset(m.ram + 0x3000, 0xee, 512);
	ck_assert_int_eq(RUN(FXSAVE), EM_DONE);
	ck_assert_uint_eq(m.ram[0x3000 + 160 + 128], 0xee);
	ck_assert_mem_eq(m.ram + 0x3000 + 160, m.vec[0], 16);
	memset(m.vec, 0x55, sizeof(m.vec));
	ck_assert_int_eq(RUN(FXRSTOR), EM_DONE);
	ck_assert_uint_eq(m.vec[8][0], 0x55);
	ck_assert_uint_eq(m.vec[1][0], 32 * 3);
}
END_TEST

START_TEST(masked_on_device)
{
	long_mode(DEV_BASE);
	memset(m.vec, 0, sizeof(m.vec));
	m.vec[1][7] = m.vec[1][31] = 0x80;	/* dwords 1 and 7 */
	memcpy(m.vec[2], "0123456789abcdef0123456789ABCDEF", 32);
	/* vmaskmovps %ymm2, %ymm1, (%rbx) */
	ck_assert_int_eq(FINISH("\xc4\xe2\x75\x2e\x13"), EM_DONE);
	ck_assert_uint_eq(m.traced, 2);
	ck_assert_uint_eq(m.trace[0].addr, DEV_BASE + 4);
	ck_assert_uint_eq(m.trace[1].addr, DEV_BASE + 28);
	/* vmaskmovps (%rbx), %ymm1, %ymm3 */
	ck_assert_int_eq(FINISH("\xc4\xe2\x75\x2c\x1b"), EM_DONE);
	ck_assert_mem_eq(m.vec[3] + 4, "4567", 4);
	ck_assert_mem_eq(m.vec[3] + 28, "CDEF", 4);
	ck_assert_uint_eq(m.vec[3][0], 0);
	RAISES("\xc4\xe2\x75\x2c\xdb", EM_EX_UD);	/* register form */
}
END_TEST

START_TEST(maskmovdqu)
{
	long_mode(0);
	m.c.gpr[RDI] = DEV_BASE + 8;
	memset(m.vec[1], 0, 16);
	m.vec[1][3] = m.vec[1][15] = 0xff;
	memcpy(m.vec[0], "0123456789abcdef", 16);
	ck_assert_int_eq(FINISH("\x66\x0f\xf7\xc1"), EM_DONE);
	ck_assert_uint_eq(m.traced, 2);
	ck_assert_uint_eq(m.dev[8 + 3], '3');
	ck_assert_uint_eq(m.dev[8 + 15], 'f');
	ck_assert_uint_eq(m.dev[8], 0);
}
END_TEST

/* Instructions that ask for features by a control register or EFER. */
START_TEST(absent)
{
	long_mode(0x3000);
	RAISES("\x0f\x01\xd8", EM_EX_UD);	/* vmrun */
	RAISES("\x0f\x01\xee", EM_EX_UD);	/* rdpkru */
	m.c.efer |= BIT(12);
	m.c.cr4 |= X86_CR4_PKE;
	ck_assert_int_eq(RUN("\x0f\x01\xd8"), EM_UNSUPPORTED);
	ck_assert_int_eq(RUN("\x0f\xaa"), EM_DONE);	/* rsm: the machine decides */
	ck_assert_int_eq(m.last_sys, EM_SYS_RSM);
	m.c.gpr[RAX] = 0x3030;
	memset(m.ram + 0x3000, 0x55, 128);
	ck_assert_int_eq(RUN("\x0f\x01\xfc"), EM_DONE);	/* clzero */
	ck_assert_uint_eq(m.ram[0x3000], 0);
	ck_assert_uint_eq(m.ram[0x303f], 0);
	ck_assert_uint_eq(m.ram[0x3040], 0x55);
}
END_TEST

/* Vendors differ: AMD's LOCK MOV CR0 is CR8, REP overrules LOOPcc's condition. */
START_TEST(vendors)
{
	long_mode(0);
	m.cr[8] = 5;
	ck_assert_int_eq(RUN("\xf0\x0f\x20\xc0"), EM_DONE);
	ck_assert_uint_eq(m.c.gpr[RAX], 5);
	RAISES("\xf0\x0f\x20\xd0", EM_EX_UD);
	m.c.gpr[RCX] = 2;
	m.c.rip = 0x1000;
	ck_assert_int_eq(RUN("\xf3\xe0\x10"), EM_DONE);	/* loopne, ZF clear */
	ck_assert_uint_eq(m.c.rip, 0x1003);
	RAISES("\x0f\x0d\xc0", EM_EX_UD);
	m.c.intel = true;
	m.c.rip = 0x1000;
	m.c.gpr[RCX] = 2;
	ck_assert_int_eq(RUN("\xf3\xe0\x10"), EM_DONE);
	ck_assert_uint_eq(m.c.rip, 0x1013);
	RAISES("\xf0\x0f\x20\xc0", EM_EX_UD);
	ck_assert_int_eq(RUN("\x0f\x0d\xc0"), EM_DONE);
}
END_TEST

/* ---- virtual interrupt flag ---- */

static void v86(u64 flags)
{
	machine_prot(&m, true);
	m.c.mode = EM_VM86;
	m.c.cpl = 3;
	m.c.cr4 |= X86_CR4_VME;
	m.c.rflags |= X86_EFLAGS_VM | flags;
	for (unsigned int i = EM_ES; i <= EM_GS; i++)
		m.seg[i] = (struct em_seg) { .attr = 0xf3, .limit = 0xffff };
	m.c.gpr[RSP] = 0x8000;
}

static u16 word(u32 at)
{
	u16 v;

	memcpy(&v, m.ram + at, 2);
	return v;
}

static void set_word(u32 at, u16 v)
{
	memcpy(m.ram + at, &v, 2);
}

START_TEST(virtual_if)
{
	v86(0);
	ck_assert_int_eq(RUN("\xfb"), EM_DONE);		/* sti */
	ck_assert_uint_eq(m.c.rflags & (X86_EFLAGS_IF | X86_EFLAGS_VIF), X86_EFLAGS_VIF);
	ck_assert(!m.c.retire.sti);
	ck_assert_int_eq(RUN("\x9c"), EM_DONE);		/* pushf */
	ck_assert_uint_eq(word(0x7ffe), X86_EFLAGS_IF | X86_EFLAGS_IOPL | 2);
	ck_assert_int_eq(RUN("\xfa"), EM_DONE);		/* cli */
	ck_assert_uint_eq(m.c.rflags & X86_EFLAGS_VIF, 0);
	ck_assert_int_eq(RUN("\x9d"), EM_DONE);		/* popf */
	ck_assert_uint_eq(m.c.rflags & (X86_EFLAGS_IF | X86_EFLAGS_VIF | X86_EFLAGS_IOPL),
			  X86_EFLAGS_VIF);
	RAISES("\x66\x9c", EM_EX_GP);
	set_word(0x8000, X86_EFLAGS_TF);
	RAISES("\x9d", EM_EX_GP);
	m.c.rflags |= X86_EFLAGS_VIP;
	RAISES("\xfb", EM_EX_GP);
	set_word(0x8000, X86_EFLAGS_IF);
	RAISES("\x9d", EM_EX_GP);
	m.c.cr4 = 0;
	RAISES("\xfa", EM_EX_GP);
}
END_TEST

START_TEST(protected_virtual_if)
{
	machine_prot(&m, true);
	m.c.cpl = 3;
	RAISES("\xfb", EM_EX_GP);
	m.c.cr4 |= X86_CR4_PVI;
	ck_assert_int_eq(RUN("\xfb"), EM_DONE);
	ck_assert_uint_eq(m.c.rflags & (X86_EFLAGS_IF | X86_EFLAGS_VIF), X86_EFLAGS_VIF);
	ck_assert_int_eq(RUN("\xfa"), EM_DONE);
	ck_assert_uint_eq(m.c.rflags & X86_EFLAGS_VIF, 0);
	m.c.rflags |= X86_EFLAGS_IOPL;
	ck_assert_int_eq(RUN("\xfb"), EM_DONE);
	ck_assert_uint_eq(m.c.rflags & X86_EFLAGS_IF, X86_EFLAGS_IF);
}
END_TEST

START_TEST(virtual_iret)
{
	v86(X86_EFLAGS_IF);
	set_word(0x8000, 0x1234);
	set_word(0x8002, 0x0200);
	set_word(0x8004, X86_EFLAGS_IF | X86_EFLAGS_CF);
	ck_assert_int_eq(RUN("\xcf"), EM_DONE);
	ck_assert_uint_eq(m.c.rip, 0x1234);
	ck_assert_uint_eq(m.seg[EM_CS].base, 0x2000);
	ck_assert(m.c.rflags & X86_EFLAGS_VIF && m.c.rflags & X86_EFLAGS_VM);
	ck_assert(m.c.rflags & X86_EFLAGS_CF);
}
END_TEST

/* The bitmap below the I/O bitmap sends INT 13 to the program, INT 14 to the monitor. */
START_TEST(redirected)
{
	v86(X86_EFLAGS_VIF);
	set_word(TSS_BASE + 0x66, 0x88);
	memset(m.ram + TSS_BASE + 0x68, 0, 32);
	m.ram[TSS_BASE + 0x68 + 0x14 / 8] = 1 << (0x14 & 7);
	set_word(0x13 * 4, 0x4321);
	set_word(0x13 * 4 + 2, 0x0300);
	m.c.rip = 0x1000;
	ck_assert_int_eq(RUN("\xcd\x13"), EM_DONE);
	ck_assert_uint_eq(m.c.rip, 0x4321);
	ck_assert_uint_eq(m.seg[EM_CS].sel, 0x300);
	ck_assert_uint_eq(word(0x7ffe) & (X86_EFLAGS_IF | X86_EFLAGS_IOPL),
			  X86_EFLAGS_IF | X86_EFLAGS_IOPL);
	ck_assert_uint_eq(word(0x7ffa), 0x1002);
	ck_assert_uint_eq(m.c.rflags & X86_EFLAGS_VIF, 0);
	RAISES("\xcd\x14", EM_EX_GP);
	m.c.rflags |= X86_EFLAGS_IOPL;
	m.idt = (struct em_dt) { 0x3000, 0xff };
	m.ram[0x3000 + 0x14 * 8 + 5] = 0xee;
	RAISES("\xcd\x14", 0x14);
	ck_assert(m.c.fault.soft);
	m.seg[EM_TR].limit = 0x60;
	RAISES("\xcd\x13", EM_EX_GP);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("emulator, x87 and vectors");
	TCase *tc = tcase_create("fpu");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, x87_waits);
	tcase_add_test(tc, x87_pointers);
	tcase_add_test(tc, x87_exceptions);
	tcase_add_test(tc, x87_store_faults);
	tcase_add_test(tc, real_environment);
	tcase_add_test(tc, save_and_restore);
	tcase_add_test(tc, fxsave_32);
	tcase_add_test(tc, masked_on_device);
	tcase_add_test(tc, maskmovdqu);
	tcase_add_test(tc, absent);
	tcase_add_test(tc, vendors);
	tcase_add_test(tc, virtual_if);
	tcase_add_test(tc, protected_virtual_if);
	tcase_add_test(tc, virtual_iret);
	tcase_add_test(tc, redirected);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
