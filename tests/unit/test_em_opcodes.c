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
	if (vector != EM_EX_PF)
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

/* What no processor has is #UD; what only this emulator has not is told as that. */
START_TEST(exists_or_not)
{
	machine_long(&m);
	GPR(RBX) = 0x3000;
	ck_assert_int_eq(RUN("\x0f\x58\x03"), EM_UNSUPPORTED);	/* addps */
	ck_assert_int_eq(RUN("\x66\x0f\x38\x00\x03"), EM_UNSUPPORTED);	/* pshufb */
	ck_assert_int_eq(RUN("\x66\x0f\x3a\x0f\x03\x01"), EM_UNSUPPORTED);	/* palignr */
	ck_assert_int_eq(RUN("\xc5\xf8\x58\x03"), EM_UNSUPPORTED);	/* vaddps */
	ck_assert_int_eq(RUN("\xc4\xe2\x79\x98\x03"), EM_UNSUPPORTED);	/* vfmadd132ps */
	ck_assert_int_eq(RUN("\xc4\xe3\x79\x4a\x03\x10"), EM_UNSUPPORTED);	/* vblendvps */
	ck_assert_int_eq(RUN("\x62\xf1\x7c\x48\x58\x03"), EM_UNSUPPORTED);	/* EVEX */
	ck_assert_int_eq(RUN("\x66\x0f\x38\xdc\x03"), EM_UNSUPPORTED);	/* aesenc */
	RAISES("\x0f\x38\x98\x03", EM_EX_UD);	/* VEX only */
	RAISES("\xf3\x0f\x38\x00\x03", EM_EX_UD);
	RAISES("\x66\x0f\x38\x0c\x03", EM_EX_UD);
	RAISES("\x66\x0f\x3a\x4a\x03\x10", EM_EX_UD);
	RAISES("\xc5\xf8\x05", EM_EX_UD);	/* VEX of an integer opcode */
	RAISES("\xc5\xfb\x6d\x03", EM_EX_UD);
	RAISES("\xc4\xe4\x79\x18\x03", EM_EX_UD);	/* no such map */
	RAISES("\x66\x0f\x38\xf5\x03", EM_EX_UD);	/* wruss */
	RAISES("\x0f\x38\xf6\x03", EM_EX_UD);	/* wrss */
	RAISES("\xf3\x0f\x01\x28", EM_EX_UD);	/* rstorssp */
	RAISES("\xf3\x0f\x01\xe8", EM_EX_UD);	/* setssbsy */
	RAISES("\xf3\x0f\xae\xe8", EM_EX_UD);	/* incssp */
	RAISES("\xf3\x0f\xae\x23", EM_EX_UD);	/* ptwrite */
	RAISES("\x66\x0f\xae\xf3", EM_EX_UD);	/* tpause */
	RAISES("\x66\x0f\x38\x80\x03", EM_EX_UD);	/* invept */
	RAISES("\xf3\x0f\x38\xdc\x03", EM_EX_UD);	/* aesenc128kl */
	RAISES("\xf2\x0f\x38\xf8\x03", EM_EX_UD);	/* enqcmd */
	RAISES("\xc4\xe2\x79\x49\x03", EM_EX_UD);	/* sttilecfg */
	RAISES("\x0f\x01\xfd", EM_EX_UD);	/* rdpru */
	RAISES("\x0f\x01\xc2", EM_EX_UD);	/* vmlaunch */
	ck_assert_int_eq(RUN("\xf3\x0f\x1e\xfa"), EM_DONE);	/* endbr64 */
	GPR(RAX) = 5;
	ck_assert_int_eq(RUN("\xf3\x48\x0f\x1e\xc8"), EM_DONE);	/* rdssp */
	ck_assert_uint_eq(GPR(RAX), 5);
	ck_assert_int_eq(RUN("\x0f\x1c\x03"), EM_DONE);	/* cldemote */
	ck_assert_int_eq(RUN("\xf3\x0f\x09"), EM_DONE);	/* wbnoinvd */
	ck_assert_int_eq(m.last_sys, EM_SYS_WBINVD);
}
END_TEST

static const struct {
	enum em_feature f;
	u8 code[6], size;
} hang[] = {
	{ EM_HAS_BMI1, "\xc4\xe2\x70\xf2\xc3", 5 },		/* andn */
	{ EM_HAS_BMI2, "\xc4\xe3\x7b\xf0\xc3\x01", 6 },	/* rorx */
	{ EM_HAS_MOVBE, "\x0f\x38\xf0\x03", 4 },
	{ EM_HAS_CRC32, "\xf2\x0f\x38\xf1\xc3", 5 },
	{ EM_HAS_POPCNT, "\xf3\x0f\xb8\xc3", 4 },
	{ EM_HAS_ADX, "\x66\x0f\x38\xf6\xc3", 5 },
	{ EM_HAS_CMPCCXADD, "\xc4\xe2\x71\xe4\x03", 5 },
	{ EM_HAS_MOVDIRI, "\x0f\x38\xf9\x03", 4 },
	{ EM_HAS_MOVDIR64B, "\x66\x0f\x38\xf8\x03", 5 },
	{ EM_HAS_CLFLUSHOPT, "\x66\x0f\xae\x3b", 4 },
	{ EM_HAS_CLWB, "\x66\x0f\xae\x33", 4 },
	{ EM_HAS_CLZERO, "\x0f\x01\xfc", 3 },
	{ EM_HAS_RDRAND, "\x0f\xc7\xf3", 3 },
	{ EM_HAS_RDSEED, "\x0f\xc7\xfb", 3 },
	{ EM_HAS_RDTSCP, "\x0f\x01\xf9", 3 },
	{ EM_HAS_RDPID, "\xf3\x0f\xc7\xfb", 4 },
	{ EM_HAS_INVPCID, "\x66\x0f\x38\x82\x03", 5 },
	{ EM_HAS_SMAP, "\x0f\x01\xca", 3 },
	{ EM_HAS_SMAP, "\x0f\x01\xcb", 3 },
	{ EM_HAS_SERIALIZE, "\x0f\x01\xe8", 3 },
	{ EM_HAS_MONITOR, "\x0f\x01\xc8", 3 },
	{ EM_HAS_MONITOR, "\x0f\x01\xc9", 3 },
	{ EM_HAS_MONITORX, "\x0f\x01\xfa", 3 },
	{ EM_HAS_MONITORX, "\x0f\x01\xfb", 3 },
	{ EM_HAS_RTM, "\xc7\xf8\0\0\0\0", 6 },
	{ EM_HAS_RTM, "\xc6\xf8\x01", 3 },
	{ EM_HAS_RTM, "\x0f\x01\xd6", 3 },
	{ EM_HAS_3DNOW, "\x0f\x0e", 2 },
};

/* Without the feature: #UD, even where TS, privilege or the operand would fault. */
START_TEST(features)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(hang); i++) {
		machine_long(&m);
		GPR(RBX) = 0x3000;
		ck_assert_msg(machine_run(&m, hang[i].code, hang[i].size) == EM_DONE, "row %u", i);
		ck_assert_uint_eq(m.c.rip, 0x1000 + hang[i].size);
		m.c.rip = 0x1000;
		m.lacks = BIT_ULL(hang[i].f);
		ck_raises(machine_run(&m, hang[i].code, hang[i].size), EM_EX_UD);
		m.c.cpl = 3;
		m.c.cr0 |= X86_CR0_TS;
		m.c.cr4 |= X86_CR4_TSD;
		GPR(RBX) = GPR(RAX) = HOLE_BASE;
		ck_raises(machine_run(&m, hang[i].code, hang[i].size), EM_EX_UD);
	}
	machine_long(&m);
	ck_assert_int_eq(RUN("\x0f\x0f\xc1\x9e"), EM_UNSUPPORTED);	/* pfadd */
	ck_assert_int_eq(RUN("\x8f\xe8\x60\xcc\xc1\x01"), EM_UNSUPPORTED);	/* vpcomb */
	ck_assert_int_eq(RUN("\xf2\x0f\x01\xe8"), EM_UNSUPPORTED);	/* xsusldtrk */
	m.lacks = ~0ULL;
	RAISES("\x0f\x0f\xc1\x9e", EM_EX_UD);
	RAISES("\x8f\xe8\x60\xcc\xc1\x01", EM_EX_UD);
	RAISES("\xf2\x0f\x01\xe9", EM_EX_UD);
}
END_TEST

/* TZCNT and LZCNT are BSF and BSR where the processor does not know them. */
START_TEST(bit_scans)
{
	machine_long(&m);
	GPR(RBX) = 0x10;
	ck_assert_int_eq(RUN("\xf3\x0f\xbd\xc3"), EM_DONE);
	ck_assert_uint_eq(GPR(RAX), 27);
	m.lacks = BIT_ULL(EM_HAS_ABM) | BIT_ULL(EM_HAS_BMI1);
	ck_assert_int_eq(RUN("\xf3\x0f\xbd\xc3"), EM_DONE);
	ck_assert_uint_eq(GPR(RAX), 4);
	ck_assert(!(m.c.rflags & X86_EFLAGS_ZF));
	GPR(RBX) = 0;
	GPR(RAX) = ~0ULL;
	ck_assert_int_eq(RUN("\xf3\x0f\xbc\xc3"), EM_DONE);
	ck_assert_uint_eq(GPR(RAX), ~0ULL);	/* a zero source leaves it alone */
	ck_assert(m.c.rflags & X86_EFLAGS_ZF);
	m.lacks = 0;
	ck_assert_int_eq(RUN("\xf3\x0f\xbc\xc3"), EM_DONE);
	ck_assert_uint_eq(GPR(RAX), 32);
	ck_assert(m.c.rflags & X86_EFLAGS_CF);
}
END_TEST

START_TEST(random_numbers)
{
	machine_long(&m);
	GPR(RBX) = ~0ULL;
	m.c.rflags |= X86_EFLAGS_ZF | X86_EFLAGS_OF | X86_EFLAGS_SF;
	ck_assert_int_eq(RUN("\x66\x0f\xc7\xf3"), EM_DONE);	/* rdrand %bx */
	ck_assert_uint_eq(GPR(RBX), 0xffffffffffffcdefULL);
	ck_assert_uint_eq(m.c.rflags, X86_EFLAGS_FIXED | X86_EFLAGS_CF);
	ck_assert_int_eq(RUN("\x0f\xc7\xf3"), EM_DONE);
	ck_assert_uint_eq(GPR(RBX), 0x89abcdef);
	ck_assert_int_eq(RUN("\x49\x0f\xc7\xf9"), EM_DONE);	/* rdseed %r9 */
	ck_assert_uint_eq(GPR(9), 0x0123456789abcdefULL);
	m.dry = true;
	ck_assert_int_eq(RUN("\x48\x0f\xc7\xfb"), EM_DONE);
	ck_assert_uint_eq(GPR(RBX), 0);
	ck_assert_uint_eq(m.c.rflags, X86_EFLAGS_FIXED);
	RAISES("\xf0\x0f\xc7\xf3", EM_EX_UD);
	GPR(RBX) = ~0ULL;
	ck_assert_int_eq(RUN("\xf3\x0f\xc7\xfb"), EM_DONE);	/* rdpid %rbx */
	ck_assert_uint_eq(GPR(RBX), 0x77);
}
END_TEST

START_TEST(protection_keys)
{
	machine_long(&m);
	RAISES("\x0f\x01\xee", EM_EX_UD);	/* CR4.PKE is clear */
	RAISES("\x0f\x01\xef", EM_EX_UD);
	m.c.cr4 |= X86_CR4_PKE;
	m.c.cpl = 3;
	GPR(RAX) = 0xffffffff55555554ULL;
	ck_assert_int_eq(RUN("\x0f\x01\xef"), EM_DONE);	/* wrpkru */
	ck_assert_uint_eq(m.pkru, 0x55555554);
	GPR(RAX) = GPR(RDX) = ~0ULL;
	RAISES("\x0f\x01\xef", EM_EX_GP);
	ck_assert_int_eq(RUN("\x0f\x01\xee"), EM_DONE);	/* rdpkru */
	ck_assert_uint_eq(GPR(RAX), 0x55555554);
	ck_assert_uint_eq(GPR(RDX), 0);
	RAISES("\xf3\x0f\x01\xee", EM_EX_UD);	/* clui */
	RAISES("\x66\x0f\x01\xef", EM_EX_UD);
	GPR(RCX) = 1;
	RAISES("\x0f\x01\xee", EM_EX_GP);
	RAISES("\x0f\x01\xef", EM_EX_GP);
}
END_TEST

#define INVPCID	"\x66\x0f\x38\x82\x03"	/* (%rbx), %rax */

START_TEST(invpcid)
{
	u64 *desc = (u64 *)(m.ram + 0x3000);

	machine_long(&m);
	GPR(RBX) = 0x3000;
	desc[1] = 0x7000;
	ck_assert_int_eq(RUN(INVPCID), EM_DONE);
	ck_assert_int_eq(m.last_sys, EM_SYS_INVPCID);
	ck_assert_uint_eq(m.sys_arg, 0x7000);
	desc[1] = 1ULL << 60;
	RAISES(INVPCID, EM_EX_GP);	/* not canonical */
	GPR(RAX) = 1;			/* a whole PCID: no address */
	ck_assert_int_eq(RUN(INVPCID), EM_DONE);
	desc[0] = 5;
	RAISES(INVPCID, EM_EX_GP);	/* a PCID without CR4.PCIDE */
	m.c.cr4 |= X86_CR4_PCIDE;
	ck_assert_int_eq(RUN(INVPCID), EM_DONE);
	desc[0] = 0x1000;
	RAISES(INVPCID, EM_EX_GP);
	desc[0] = 0;
	GPR(RAX) = 4;
	RAISES(INVPCID, EM_EX_GP);
	GPR(RAX) = 1ULL << 32;
	RAISES(INVPCID, EM_EX_GP);
	GPR(RAX) = 3;
	GPR(RBX) = HOLE_BASE;
	RAISES(INVPCID, EM_EX_PF);
	m.c.cpl = 3;
	RAISES(INVPCID, EM_EX_GP);
	RAISES("\x66\x0f\x38\x82\xc3", EM_EX_UD);	/* a register */
	machine_real(&m);
	GPR(RBX) = 0x3000;
	GPR(RAX) = 3 | 1ULL << 32;
	ck_assert_int_eq(RUN("\x66\x0f\x38\x82\x07"), EM_DONE);	/* (%bx) */
}
END_TEST

START_TEST(monitors)
{
	machine_long(&m);
	GPR(RAX) = 0x3040;
	m.c.cpl = 3;
	RAISES("\x0f\x01\xc8", EM_EX_UD);
	RAISES("\x0f\x01\xc9", EM_EX_UD);
	ck_assert_int_eq(RUN("\x0f\x01\xfa"), EM_DONE);	/* monitorx */
	ck_assert_int_eq(m.last_sys, EM_SYS_MONITOR);
	ck_assert_uint_eq(m.sys_arg, 0x3040);
	GPR(RCX) = 2;			/* the timer in rbx */
	RAISES("\x0f\x01\xfa", EM_EX_GP);
	ck_assert_int_eq(RUN("\x0f\x01\xfb"), EM_DONE);	/* mwaitx */
	ck_assert_int_eq(m.last_sys, EM_SYS_MWAIT);
	m.c.cpl = 0;
	RAISES("\x0f\x01\xc8", EM_EX_GP);
	RAISES("\x0f\x01\xc9", EM_EX_GP);
	GPR(RCX) = 1;
	ck_assert_int_eq(RUN("\x0f\x01\xc9"), EM_DONE);
	GPR(RCX) = 4;
	RAISES("\x0f\x01\xfb", EM_EX_GP);
	RAISES("\x66\x0f\x01\xfa", EM_EX_UD);
	GPR(RCX) = 0;
	GPR(RAX) = 1ULL << 60;
	RAISES("\x0f\x01\xc8", EM_EX_GP);
	RAISES("\x36\x0f\x01\xc8", EM_EX_GP);
}
END_TEST

/* A transaction that never begins; outside of one XEND is #GP, XTEST sets ZF. */
START_TEST(transactions)
{
	machine_long(&m);
	GPR(RAX) = ~0ULL;
	ck_assert_int_eq(RUN("\xc7\xf8\x10\0\0\0"), EM_DONE);
	ck_assert_uint_eq(m.c.rip, 0x1016);
	ck_assert_uint_eq(GPR(RAX), 0);
	ck_assert_int_eq(RUN("\xc6\xf8\x55"), EM_DONE);
	m.c.rflags |= X86_EFLAGS_CF;
	ck_assert_int_eq(RUN("\x0f\x01\xd6"), EM_DONE);
	ck_assert_uint_eq(m.c.rflags, X86_EFLAGS_FIXED | X86_EFLAGS_ZF);
	RAISES("\x0f\x01\xd5", EM_EX_GP);
	machine_prot(&m, false);
	m.seg[EM_CS].limit = 0xffff;
	ck_assert_int_eq(RUN("\xc7\xf8\x00\x10"), EM_DONE);
	ck_assert_uint_eq(m.c.rip, 0x2004);
	RAISES("\xc7\xf8\x00\xd0", EM_EX_GP);
}
END_TEST

#define CMPEXADD	"\xc4\xe2\x71\xe4\x03"	/* cmpzxadd %ecx, %eax, (%rbx) */

START_TEST(compare_and_add)
{
	u32 *p = (u32 *)(m.ram + 0x3000);

	machine_long(&m);
	GPR(RBX) = 0x3000;
	GPR(RAX) = 7 | 1ULL << 40;
	GPR(RCX) = 5;
	*p = 7;
	m.races = 1;
	ck_assert_int_eq(RUN(CMPEXADD), EM_RESTART);	/* it is locked */
	*p = 7;
	ck_assert_int_eq(RUN(CMPEXADD), EM_DONE);
	ck_assert_uint_eq(*p, 12);
	ck_assert_uint_eq(GPR(RAX), 7);
	ck_assert(m.c.rflags & X86_EFLAGS_ZF);
	ck_assert_int_eq(RUN(CMPEXADD), EM_DONE);	/* 12 is not 7 */
	ck_assert_uint_eq(*p, 12);
	ck_assert_uint_eq(GPR(RAX), 12);
	ck_assert(!(m.c.rflags & X86_EFLAGS_ZF));
	GPR(RBX) = 0x3002;
	RAISES(CMPEXADD, EM_EX_GP);
	RAISES("\xc4\xe2\x75\xe4\x03", EM_EX_UD);	/* L */
	RAISES("\xc4\xe2\x71\xe4\xc3", EM_EX_UD);	/* a register */
	RAISES("\x66\x0f\x38\xe4\x03", EM_EX_UD);
	machine_prot(&m, true);
	RAISES(CMPEXADD, EM_EX_UD);
}
END_TEST

START_TEST(direct_stores)
{
	unsigned int i;

	machine_prot(&m, true);
	m.seg[EM_ES].base = 0x1000;
	GPR(RBX) = 0x3000;
	GPR(RAX) = 0x4040;
	for (i = 0; i < 64; i++)
		m.ram[0x3000 + i] = i + 1;
	ck_assert_int_eq(RUN("\x66\x0f\x38\xf8\x03"), EM_DONE);
	ck_assert_mem_eq(m.ram + 0x5040, m.ram + 0x3000, 64);
	GPR(RAX) = 0x4020;
	RAISES("\x66\x0f\x38\xf8\x03", EM_EX_GP);
	RAISES("\x66\x0f\x38\xf8\xc3", EM_EX_UD);
	RAISES("\x66\x0f\x38\xf9\x03", EM_EX_UD);
	GPR(RAX) = HOLE_BASE - 0x1000;
	RAISES("\x66\x0f\x38\xf8\x03", EM_EX_PF);
	/* to a device: each piece once, though it waits each time */
	m.seg[EM_ES].base = 0;
	GPR(RAX) = DEV_BASE + 0x40;
	ck_assert_int_eq(machine_finish(&m, "\x66\x0f\x38\xf8\x03", 5), EM_DONE);
	ck_assert_mem_eq(m.dev + 0x40, m.ram + 0x3000, 64);
	ck_assert_uint_eq(m.traced, m.pendings);
	GPR(RAX) = 0x11223344;
	ck_assert_int_eq(RUN("\x0f\x38\xf9\x03"), EM_DONE);
	ck_assert_uint_eq(*(u32 *)(m.ram + 0x3000), 0x11223344);
}
END_TEST

/* XSAVE and its kin are known by their faults. */
START_TEST(save_areas)
{
	static const char *const insn[] = { "\x0f\xae\x23", "\x0f\xae\x2b", "\x0f\xae\x33",
					    "\x0f\xc7\x23" };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(insn); i++) {
		machine_long(&m);
		GPR(RBX) = 0x3000;
		ck_assert_int_eq(machine_run(&m, insn[i], 3), EM_UNSUPPORTED);
		GPR(RBX) = 0x3020;
		ck_raises(machine_run(&m, insn[i], 3), EM_EX_GP);
		m.c.cr0 |= X86_CR0_TS;
		ck_raises(machine_run(&m, insn[i], 3), EM_EX_NM);
		m.c.cr4 &= ~X86_CR4_OSXSAVE;
		ck_raises(machine_run(&m, insn[i], 3), EM_EX_UD);
	}
	machine_long(&m);
	GPR(RBX) = 0x3000;
	ck_assert_int_eq(RUN("\x0f\xc7\x2b"), EM_UNSUPPORTED);	/* xsaves */
	m.c.cpl = 3;
	RAISES("\x0f\xc7\x2b", EM_EX_GP);
	RAISES("\x0f\xc7\x1b", EM_EX_GP);
	m.lacks = BIT_ULL(EM_HAS_XSAVES);
	RAISES("\x0f\xc7\x1b", EM_EX_UD);
}
END_TEST

/* What of the control registers lets a vector instruction be, and in which order. */
START_TEST(vector_state)
{
	machine_long(&m);
	GPR(RBX) = 0x3000;
	m.c.cr0 |= X86_CR0_EM;		/* nothing to VEX encodings */
	ck_assert_int_eq(RUN("\xc5\xfa\x6f\x03"), EM_DONE);
	RAISES("\xf3\x0f\x6f\x03", EM_EX_UD);
	m.c.cr0 |= X86_CR0_TS;
	RAISES("\xc5\xfa\x6f\x03", EM_EX_NM);
	RAISES("\xf3\x0f\x6f\x03", EM_EX_UD);
	RAISES("\xd9\x03", EM_EX_NM);
	m.xcr0 = 3;			/* no AVX there */
	RAISES("\xc5\xfa\x6f\x03", EM_EX_UD);
	ck_assert_int_eq(RUN("\xc4\xe2\x70\xf2\xc3"), EM_DONE);	/* andn does not mind */
	m.c.cr0 &= ~(u64)(X86_CR0_EM | X86_CR0_TS);
	ck_assert_int_eq(RUN("\xf3\x0f\x6f\x03"), EM_DONE);
	m.c.cr4 &= ~X86_CR4_OSFXSR;
	RAISES("\xf3\x0f\x6f\x03", EM_EX_UD);
	ck_assert_int_eq(RUN("\x0f\x6f\x03"), EM_DONE);	/* mmx */
}
END_TEST

/* ---- segments and addresses ---- */

static void poke(u32 at, u64 v, unsigned int size)
{
	memcpy(m.ram + at, &v, size);
}

START_TEST(overrides)
{
	machine_prot(&m, true);
	m.seg[EM_CS].base = 0;
	GPR(RBX) = GPR(RBP) = 0x3000;
	poke(0x3000, 0x1234, 4);
	ck_assert_int_eq(RUN("\x2e\x8b\x03"), EM_DONE);	/* mov %cs:(%ebx), %eax */
	ck_assert_uint_eq(GPR(RAX), 0x1234);
	RAISES("\x2e\x89\x03", EM_EX_GP);		/* code is never written */
	m.seg[EM_CS].attr = 0xc99;
	RAISES("\x2e\x8b\x03", EM_EX_GP);		/* execute only */
	RAISES("\x2e\xff\x03", EM_EX_GP);
	m.seg[EM_SS].limit = 0x2fff;
	RAISES("\x36\x8b\x03", EM_EX_SS);
	RAISES("\x8b\x45\0", EM_EX_SS);
	ck_assert_int_eq(RUN("\x3e\x8b\x45\0"), EM_DONE);
	m.seg[EM_DS].attr = 0xc91;			/* read only */
	RAISES("\xff\x03", EM_EX_GP);
	RAISES("\x87\x03", EM_EX_GP);
	ck_assert_int_eq(RUN("\x39\x03"), EM_DONE);
	ck_assert_int_eq(RUN("\x0f\xa3\x03"), EM_DONE);	/* bt */
	RAISES("\x0f\xab\x03", EM_EX_GP);
}
END_TEST

/* The source of a string may be elsewhere, the destination never. */
START_TEST(string_overrides)
{
	machine_prot(&m, true);
	m.seg[EM_FS].base = 0x100;
	m.seg[EM_ES].base = 0x200;
	GPR(RSI) = GPR(RDI) = 0x3000;
	poke(0x3100, 0x5a, 1);
	ck_assert_int_eq(RUN("\x64\xa4"), EM_DONE);	/* movsb %fs:(%esi), %es:(%edi) */
	ck_assert_uint_eq(m.ram[0x3200], 0x5a);
	GPR(RAX) = 0x77;
	ck_assert_int_eq(RUN("\x64\xaa"), EM_DONE);	/* stosb */
	ck_assert_uint_eq(m.ram[0x3201], 0x77);
	ck_assert_int_eq(RUN("\x64\xac"), EM_DONE);	/* lodsb %fs:(%esi) */
	ck_assert_uint_eq(GPR(RAX) & 0xff, 0);
	m.seg[EM_ES].attr = 0xc91;
	RAISES("\x64\xaa", EM_EX_GP);
	RAISES("\x64\x6c", EM_EX_GP);			/* insb */
	machine_long(&m);
	GPR(RDI) = 1ULL << 50;
	RAISES("\x36\xaa", EM_EX_GP);
	GPR(RSI) = 1ULL << 50;
	RAISES("\xac", EM_EX_GP);
}
END_TEST

/* Addresses and stacks wrap at their own size. */
START_TEST(wraps)
{
	machine_prot(&m, true);
	poke(0x10, 0xaabbccdd, 4);
	GPR(RBX) = 0xfff0;
	GPR(RSI) = 0x20;
	ck_assert_int_eq(RUN("\x67\x8b\x00"), EM_DONE);	/* mov (%bx,%si), %eax */
	ck_assert_uint_eq(GPR(RAX), 0xaabbccdd);
	GPR(RBX) = 0xfffffff0;
	ck_assert_int_eq(RUN("\x8b\x4b\x20"), EM_DONE);
	ck_assert_uint_eq(GPR(RCX), 0xaabbccdd);
	machine_long(&m);
	poke(0x10, 0xaabbccdd, 4);
	GPR(RBX) = 0xfffffff0;
	ck_assert_int_eq(RUN("\x67\x8b\x4b\x20"), EM_DONE);
	ck_assert_uint_eq(GPR(RCX), 0xaabbccdd);

	machine_prot(&m, true);
	m.seg[EM_SS].attr = 0x93;	/* 16 bits of stack pointer */
	m.seg[EM_SS].limit = 0xffff;
	m.seg[EM_SS].base = 0x20000;
	GPR(RSP) = 0xabcd0000;
	GPR(RAX) = 0x11223344;
	ck_assert_int_eq(RUN("\x50"), EM_DONE);
	ck_assert_uint_eq(GPR(RSP), 0xabcdfffc);
	ck_assert_mem_eq(m.ram + 0x2fffc, "\x44\x33\x22\x11", 4);
	ck_assert_int_eq(RUN("\x5b"), EM_DONE);
	ck_assert_uint_eq(GPR(RSP), 0xabcd0000);
	ck_assert_uint_eq(GPR(RBX), 0x11223344);
	GPR(RSP) = 0xabcd0002;
	RAISES("\x50", EM_EX_SS);	/* four bytes at fffe */
	ck_assert_uint_eq(GPR(RSP), 0xabcd0002);
	GPR(RSP) = 0xabcdfffe;
	RAISES("\x58", EM_EX_SS);
	ck_assert_int_eq(RUN("\x66\x58"), EM_DONE);
	ck_assert_uint_eq(GPR(RSP), 0xabcd0000);

	machine_real(&m);
	GPR(RBP) = GPR(RBX) = 0xffff;
	RAISES("\x8b\x07", EM_EX_GP);
	RAISES("\x8b\x46\0", EM_EX_SS);
	ck_assert(!m.c.fault.has_error);
}
END_TEST

/* What the processor looks up for itself is no access of the program's. */
START_TEST(implicit_accesses)
{
	machine_prot(&m, true);
	m.c.cpl = 3;
	m.gdt.base = HOLE_BASE;
	GPR(RAX) = SEL_DATA3;
	ck_assert_int_eq(RUN("\x8e\xd8"), EM_FAULT);	/* mov %eax, %ds */
	ck_assert_uint_eq(m.c.fault.vector, EM_EX_PF);
	ck_assert_uint_eq(m.c.fault.error, 0);
	m.seg[EM_TR].base = HOLE_BASE;
	ck_assert_int_eq(RUN("\xec"), EM_FAULT);	/* the I/O bitmap */
	ck_assert_uint_eq(m.c.fault.vector, EM_EX_PF);
	ck_assert_uint_eq(m.c.fault.error, 0);
	GPR(RBX) = HOLE_BASE;
	ck_assert_int_eq(RUN("\x89\x03"), EM_FAULT);
	ck_assert_uint_eq(m.c.fault.error, 6);
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
	tcase_add_test(tc, exists_or_not);
	tcase_add_test(tc, features);
	tcase_add_test(tc, bit_scans);
	tcase_add_test(tc, random_numbers);
	tcase_add_test(tc, protection_keys);
	tcase_add_test(tc, invpcid);
	tcase_add_test(tc, monitors);
	tcase_add_test(tc, transactions);
	tcase_add_test(tc, compare_and_add);
	tcase_add_test(tc, direct_stores);
	tcase_add_test(tc, save_areas);
	tcase_add_test(tc, vector_state);
	tcase_add_test(tc, overrides);
	tcase_add_test(tc, string_overrides);
	tcase_add_test(tc, wraps);
	tcase_add_test(tc, implicit_accesses);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
