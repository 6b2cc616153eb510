// SPDX-License-Identifier: GPL-2.0
/*
 * Gates, tasks and system instructions in the variants that test_em_insn.c leaves
 * out: 16-bit task state segments, tasks of virtual-8086 mode, task gates, jumps
 * through gates, SYSENTER and the legacy SYSCALL, questions about descriptors.
 * Expected values are the manuals'.
 */
#include <check.h>
#include "em_machine.h"

#define RUN(bytes)	machine_run(&m, bytes, sizeof(bytes) - 1)
#define GPR(r)		m.c.gpr[r]

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI };

static struct machine m;

static void ck_raises(enum em_result r, unsigned int vector, u32 error)
{
	ck_assert_int_eq(r, EM_FAULT);
	ck_assert_uint_eq(m.c.fault.vector, vector);
	ck_assert_uint_eq(m.c.fault.error, error);
}

#define RAISES(bytes, vector, error)	ck_raises(RUN(bytes), vector, error)

static void poke(u32 at, u64 v, unsigned int size)
{
	memcpy(m.ram + at, &v, size);
}

static u64 peek(u32 at, unsigned int size)
{
	u64 v = 0;

	memcpy(&v, m.ram + at, size);
	return v;
}

static void user_mode(void)
{
	m.c.cpl = 3;
	m.seg[EM_CS].sel = SEL_CODE3;
	m.seg[EM_CS].attr = 0xcfb;
	m.seg[EM_SS] = m.seg[EM_DS] = m.seg[EM_ES] =
		(struct em_seg) { SEL_DATA3, 0xcf3, U32_MAX, 0 };
}

/* ---- tasks ---- */

#define CALL_TSS2	"\x9a\0\0\0\0\x70\0"
#define JMP_TSS2	"\xea\0\0\0\0\x70\0"
#define CALL_GATE	"\x9a\0\0\0\0\x60\0"
#define JMP_GATE	"\xea\0\0\0\0\x60\0"

static void put_tss32(u32 eflags)
{
	static const u32 regs[8] = { 0xa0, 0xa1, 0xa2, 0xa3, 0x9000, 0xa5, 0xa6, 0xa7 };
	static const u32 segs[6] = { SEL_DATA0, SEL_CODE0, SEL_DATA0, SEL_DATA0, 0, 0 };

	poke(TSS2_BASE + 0x20, 0x6000, 4);
	poke(TSS2_BASE + 0x24, eflags, 4);
	memcpy(m.ram + TSS2_BASE + 0x28, regs, sizeof(regs));
	memcpy(m.ram + TSS2_BASE + 0x48, segs, sizeof(segs));
	poke(TSS2_BASE + 0x60, 0, 4);
}

static void put_tss16(void)
{
	static const u16 regs[8] = { 0xb0, 0xb1, 0xb2, 0xb3, 0x9000, 0xb5, 0xb6, 0xb7 };
	static const u16 segs[4] = { SEL_DATA0, SEL_CODE0, SEL_DATA0, SEL_DATA0 };

	machine_desc(&m, SEL_TSS2, TSS2_BASE, 0x2b, 0x081);
	poke(TSS2_BASE + 14, 0x6000, 2);
	poke(TSS2_BASE + 16, 0x202, 2);
	memcpy(m.ram + TSS2_BASE + 18, regs, sizeof(regs));
	memcpy(m.ram + TSS2_BASE + 34, segs, sizeof(segs));
	poke(TSS2_BASE + 42, 0, 2);
}

START_TEST(task_16)
{
	machine_prot(&m, true);
	machine_desc(&m, SEL_TSS, TSS_BASE, 0x2067, 0x08b);
	put_tss16();
	ck_assert_int_eq(RUN(CALL_TSS2), EM_DONE);
	ck_assert_uint_eq(m.c.rip, 0x6000);
	ck_assert_uint_eq(GPR(RAX) & 0xffff, 0xb0);
	ck_assert_uint_eq(GPR(RSP) & 0xffff, 0x9000);
	ck_assert_uint_eq(m.seg[EM_TR].attr & 0x9f, 0x83);
	ck_assert(m.c.rflags & X86_EFLAGS_NT);
	GPR(RAX) = 0x55667788;
	ck_assert_int_eq(RUN("\xcf"), EM_DONE);	/* the old one is saved as 16-bit task */
	ck_assert_uint_eq(peek(TSS2_BASE + 18, 2), 0x7788);
	ck_assert_uint_eq(peek(TSS2_BASE + 14, 2), 0x6001);
	ck_assert_uint_eq(m.c.rip, 0x1007);
	machine_desc(&m, SEL_TSS2, TSS2_BASE, 0x2a, 0x081);
	RAISES(JMP_TSS2, EM_EX_TS, SEL_TSS2);
}
END_TEST

START_TEST(task_v86)
{
	machine_prot(&m, true);
	m.seg[EM_LDTR] = (struct em_seg) { 0x38, 0x082, 0xff, 0x8000 };
	machine_desc(&m, SEL_TSS, TSS_BASE, 0x2067, 0x08b);
	put_tss32(X86_EFLAGS_VM | 0x202);
	ck_assert_int_eq(RUN(JMP_TSS2), EM_DONE);
	ck_assert_int_eq(m.c.mode, EM_VM86);
	ck_assert_uint_eq(m.c.cpl, 3);
	ck_assert_uint_eq(m.seg[EM_CS].base, SEL_CODE0 << 4);
	ck_assert_uint_eq(m.seg[EM_DS].limit, 0xffff);
	ck_assert(!(m.c.rflags & X86_EFLAGS_NT));
	ck_assert_uint_eq(m.ram[GDT_BASE + SEL_TSS + 5], 0x89);	/* not busy any more */
	ck_assert_uint_eq(m.seg[EM_LDTR].sel, 0);	/* its LDT is its own, if it has one */
	ck_assert(!(m.seg[EM_LDTR].attr & EM_SEG_P));
	ck_assert_uint_eq(m.seg[EM_CS].sel, SEL_CODE0);
}
END_TEST

START_TEST(task_v86_without_ldt)
{
	machine_prot(&m, true);
	put_tss32(X86_EFLAGS_VM | 0x202);
	poke(TSS2_BASE + 0x60, SEL_DATA0, 2);
	RAISES(JMP_TSS2, EM_EX_TS, SEL_DATA0);	/* amid the new task */
	ck_assert_int_eq(m.c.mode, EM_VM86);
	ck_assert_uint_eq(m.c.rip, 0x6000);
	ck_assert_uint_eq(m.seg[EM_LDTR].sel, SEL_DATA0);
	ck_assert(!(m.seg[EM_LDTR].attr & EM_SEG_P));
}
END_TEST

/* The T bit traps after the switch, CR3 is loaded with paging only. */
START_TEST(task_trap_and_cr3)
{
	machine_prot(&m, true);
	put_tss32(0x202);
	poke(TSS2_BASE + 0x1c, 0x77000, 4);
	poke(TSS2_BASE + 0x64, 1, 2);
	ck_raises(RUN(CALL_TSS2), EM_EX_DB, 0);
	ck_assert(m.c.fault.trap);
	ck_assert_uint_eq(m.c.fault.payload, BIT(15));
	ck_assert_uint_eq(m.c.rip, 0x6000);
	ck_assert_uint_eq(m.cr[3], 0);

	machine_prot(&m, true);
	put_tss32(0x202);
	poke(TSS2_BASE + 0x1c, 0x77000, 4);
	poke(TSS2_BASE + 0x64, 0, 2);
	m.c.cr0 = m.cr[0] |= X86_CR0_PG;
	ck_assert_int_eq(RUN(CALL_TSS2), EM_DONE);
	ck_assert_uint_eq(m.cr[3], 0x77000);
}
END_TEST

/* Local breakpoints end with the task that set them, global ones do not. */
START_TEST(task_breakpoints)
{
	machine_prot(&m, true);
	put_tss32(0x202);
	poke(TSS2_BASE + 0x64, 0, 2);
	m.dr[7] = 0x7ff | 0xf0000;
	ck_assert_int_eq(RUN(CALL_TSS2), EM_DONE);
	ck_assert_uint_eq(m.dr[7], 0x7aa | 0xf0000);
	/* a switch that does not take place leaves them */
	machine_prot(&m, true);
	m.dr[7] = 0x455;
	machine_desc(&m, SEL_TSS2, TSS2_BASE, 0x66, 0x089);
	RAISES(CALL_TSS2, EM_EX_TS, SEL_TSS2);
	ck_assert_uint_eq(m.dr[7], 0x455);
}
END_TEST

static void switch_fault(u32 at, u16 val, unsigned int vector, u32 error)
{
	machine_prot(&m, true);
	put_tss32(0x202);
	poke(TSS2_BASE + at, val, 2);
	ck_raises(em_task_switch(&m.c, SEL_TSS2, EM_SWITCH_JMP, false, 0), vector, error);
	ck_assert_uint_eq(m.seg[EM_TR].sel, SEL_TSS2);	/* it is the new task's */
}

START_TEST(task_segment_faults)
{
	switch_fault(0x4c, 0, EM_EX_TS, 0);			/* CS null */
	switch_fault(0x4c, 0x1f8, EM_EX_TS, 0x1f8);		/* beyond the table */
	switch_fault(0x4c, SEL_DATA0, EM_EX_TS, SEL_DATA0);	/* data */
	switch_fault(0x4c, SEL_CODE3 & ~3, EM_EX_TS, SEL_CODE3 & ~3);
	switch_fault(0x50, 0, EM_EX_TS, 0);			/* SS null */
	switch_fault(0x50, SEL_ABSENT, EM_EX_SS, SEL_ABSENT);
	switch_fault(0x48, SEL_ABSENT, EM_EX_NP, SEL_ABSENT);	/* ES */
	switch_fault(0x60, SEL_DATA0, EM_EX_TS, SEL_DATA0);	/* LDT */
	switch_fault(0x60, SEL_DATA0 | 4, EM_EX_TS, SEL_DATA0 | 4);
	machine_prot(&m, true);
	put_tss32(0x202);
	machine_desc(&m, SEL_CODE0, 0, 0xfffff, 0xc1b);
	ck_raises(em_task_switch(&m.c, SEL_TSS2, EM_SWITCH_JMP, false, 0), EM_EX_NP, SEL_CODE0);
	machine_prot(&m, true);
	machine_desc(&m, SEL_TSS2, TSS2_BASE, 0x67, 0x009);
	RAISES(JMP_TSS2, EM_EX_NP, SEL_TSS2);
	machine_prot(&m, true);
	put_tss32(0x202);
	m.seg[EM_TR].attr = 0;
	RAISES(JMP_TSS2, EM_EX_TS, SEL_TSS);
}
END_TEST

START_TEST(nested_return_faults)
{
	machine_prot(&m, true);
	m.c.rflags |= X86_EFLAGS_NT;
	poke(TSS_BASE, 0, 2);
	RAISES("\xcf", EM_EX_TS, 0);
	poke(TSS_BASE, SEL_TSS2, 2);	/* not busy */
	RAISES("\xcf", EM_EX_TS, SEL_TSS2);
	poke(TSS_BASE, 0x1f8, 2);
	RAISES("\xcf", EM_EX_TS, 0x1f8);
	machine_long(&m);
	m.c.rflags |= X86_EFLAGS_NT;
	m.seg[EM_CS].attr = 0xc9b;
	m.c.mode = EM_PROT32;
	RAISES("\xcf", EM_EX_GP, 0);
}
END_TEST

/* A descriptor at SEL_GATE that leads to @sel. */
static void gate(u16 sel, u32 off, u16 attr)
{
	u32 lo = (off & 0xffff) | (u32)sel << 16, hi = attr | (off & 0xffff0000);

	poke(GDT_BASE + SEL_GATE, lo, 4);
	poke(GDT_BASE + SEL_GATE + 4, hi, 4);
}

START_TEST(task_gates)
{
	machine_prot(&m, true);
	machine_desc(&m, SEL_TSS, TSS_BASE, 0x2067, 0x08b);
	put_tss32(0x202);
	gate(SEL_TSS2, 0, 0xe500);
	user_mode();
	ck_assert_int_eq(RUN(CALL_GATE), EM_DONE);
	ck_assert_uint_eq(m.seg[EM_TR].sel, SEL_TSS2);
	ck_assert_uint_eq(m.c.cpl, 0);

	machine_prot(&m, true);
	put_tss32(0x202);
	gate(SEL_TSS2, 0, 0x8500);
	ck_assert_int_eq(RUN(JMP_GATE), EM_DONE);
	machine_prot(&m, true);
	user_mode();
	RAISES(JMP_GATE, EM_EX_GP, SEL_GATE);	/* DPL 0 */
	machine_prot(&m, true);
	gate(SEL_TSS2, 0, 0x0500);
	RAISES(JMP_GATE, EM_EX_NP, SEL_GATE);
	gate(SEL_TSS2 | 4, 0, 0x8500);
	RAISES(JMP_GATE, EM_EX_GP, SEL_TSS2 | 4);
	gate(0x1f8, 0, 0x8500);
	RAISES(JMP_GATE, EM_EX_GP, 0x1f8);
	user_mode();
	RAISES(JMP_TSS2, EM_EX_GP, SEL_TSS2);
}
END_TEST

/* ---- call gates ---- */

START_TEST(gate_jumps)
{
	machine_prot(&m, true);
	gate(SEL_CODE0, 0x12340, 0x8c00);
	ck_assert_int_eq(RUN(JMP_GATE), EM_DONE);
	ck_assert_uint_eq(m.c.rip, 0x12340);
	m.c.rip = 0x1000;
	ck_assert_int_eq(RUN(CALL_GATE), EM_DONE);	/* no other privilege: this stack */
	ck_assert_uint_eq(peek(0x7ff8, 4), 0x1007);
	gate(SEL_CODE0, 0x12340, 0x8400);		/* 16 bits */
	m.c.rip = 0x1000;
	GPR(RSP) = 0x8000;
	ck_assert_int_eq(RUN(CALL_GATE), EM_DONE);
	ck_assert_uint_eq(m.c.rip, 0x2340);
	ck_assert_uint_eq(peek(0x7ffc, 2), 0x1007);

	m.c.rip = 0x1000;
	gate(0, 0, 0x8c00);
	RAISES(JMP_GATE, EM_EX_GP, 0);
	gate(0x1f8, 0, 0x8c00);
	RAISES(JMP_GATE, EM_EX_GP, 0x1f8);
	gate(SEL_DATA0, 0, 0x8c00);
	RAISES(JMP_GATE, EM_EX_GP, SEL_DATA0);
	/* A jump does not change privilege. */
	machine_prot(&m, true);
	gate(SEL_CODE0, 0x2000, 0xec00);
	user_mode();
	RAISES(JMP_GATE, EM_EX_GP, SEL_CODE0);
	machine_desc(&m, SEL_CODE0, 0, 0xfffff, 0xc1b);
	RAISES(JMP_GATE, EM_EX_GP, SEL_CODE0);	/* privilege is looked at before presence */
	machine_desc(&m, SEL_CODE0, 0, 0xfffff, 0xc9b);
	m.seg[EM_TR].limit = 4;
	RAISES(CALL_GATE, EM_EX_TS, SEL_TSS);
	m.seg[EM_TR].limit = 0x67;
	poke(TSS_BASE + 8, SEL_DATA3, 2);	/* a stack of the wrong privilege */
	poke(TSS_BASE + 4, 0x9000, 4);
	RAISES(CALL_GATE, EM_EX_TS, SEL_DATA3 & ~3);
}
END_TEST

/* A stack that is not there, a target that is not there: AMD's processors find the stack first. */
START_TEST(gate_pushes_first)
{
	machine_prot(&m, true);
	machine_desc(&m, SEL_CODE0, 0, 0xffff, 0x49b);
	gate(SEL_CODE0, 0x12340, 0xec00);
	RAISES(CALL_GATE, EM_EX_GP, 0);
	GPR(RSP) = HOLE_BASE + 4;
	RAISES(CALL_GATE, EM_EX_PF, 2);
	m.c.intel = true;
	RAISES(CALL_GATE, EM_EX_GP, 0);

	/* the same on another privilege's stack */
	user_mode();
	poke(TSS_BASE + 4, HOLE_BASE + 4, 4);
	poke(TSS_BASE + 8, SEL_DATA0, 2);
	RAISES(CALL_GATE, EM_EX_GP, 0);
	m.c.intel = false;
	RAISES(CALL_GATE, EM_EX_PF, 2);
	poke(TSS_BASE + 4, 0x9000, 4);
	RAISES(CALL_GATE, EM_EX_GP, 0);
	ck_assert_uint_eq(m.c.cpl, 3);
	ck_assert_uint_eq(GPR(RSP), HOLE_BASE + 4);
}
END_TEST

/* From compatibility mode: the return address goes where 64-bit code pushes it. */
START_TEST(gate_to_64_bits)
{
	machine_long(&m);
	m.c.mode = EM_PROT32;
	m.seg[EM_SS].base = 0x10000;
	gate(SEL_CODE0, 0x12340, 0x8c00);
	poke(GDT_BASE + SEL_GATE + 8, 0, 8);
	ck_assert_int_eq(RUN(CALL_GATE), EM_DONE);
	ck_assert_uint_eq(m.c.rip, 0x12340);
	ck_assert_uint_eq(peek(0x7ff0, 8), 0x1007);
}
END_TEST

/* ---- fast system calls ---- */

START_TEST(sysenter_32)
{
	machine_prot(&m, true);
	user_mode();
	RAISES("\x0f\x34", EM_EX_GP, 0);	/* SYSENTER_CS is null */
	m.sysenter[0] = SEL_CODE0;
	m.sysenter[1] = 0x9000;
	m.sysenter[2] = 0x5000;
	m.c.rflags |= X86_EFLAGS_IF;
	ck_assert_int_eq(RUN("\x0f\x34"), EM_DONE);
	ck_assert_uint_eq(m.c.rip, 0x5000);
	ck_assert_uint_eq(GPR(RSP), 0x9000);
	ck_assert_uint_eq(m.c.cpl, 0);
	ck_assert_uint_eq(m.seg[EM_SS].sel, SEL_CODE0 + 8);
	ck_assert(!(m.c.rflags & X86_EFLAGS_IF));
	GPR(RDX) = 0x1000;
	GPR(RCX) = 0x8000;
	m.c.rip = 0x5000;
	ck_assert_int_eq(RUN("\x0f\x35"), EM_DONE);
	ck_assert_uint_eq(m.c.rip, 0x1000);
	ck_assert_uint_eq(GPR(RSP), 0x8000);
	ck_assert_uint_eq(m.c.cpl, 3);
	ck_assert_uint_eq(m.seg[EM_CS].sel, (SEL_CODE0 + 16) | 3);
	RAISES("\x0f\x35", EM_EX_GP, 0);
	machine_real(&m);
	RAISES("\x0f\x34", EM_EX_GP, 0);
}
END_TEST

START_TEST(sysenter_64)
{
	machine_long(&m);
	RAISES("\x0f\x34", EM_EX_UD, 0);	/* AMD */
	m.c.intel = true;
	m.sysenter[0] = SEL_CODE0;
	m.sysenter[1] = 0xffff800000009000;
	m.sysenter[2] = 0xffff800000005000;
	ck_assert_int_eq(RUN("\x0f\x34"), EM_DONE);
	ck_assert_uint_eq(m.c.rip, 0xffff800000005000);
	ck_assert_uint_eq(GPR(RSP), 0xffff800000009000);
	m.c.rip = 0x1000;
	GPR(RDX) = BIT_ULL(47);
	GPR(RCX) = 0x8000;
	RAISES("\x48\x0f\x35", EM_EX_GP, 0);	/* not canonical */
	GPR(RDX) = 0x4000;
	ck_assert_int_eq(RUN("\x48\x0f\x35"), EM_DONE);
	ck_assert_uint_eq(m.seg[EM_CS].sel, (SEL_CODE0 + 32) | 3);
	ck_assert(m.seg[EM_CS].attr & EM_SEG_L);
}
END_TEST

/* In compatibility mode SYSRET knows no R11; in virtual-8086 mode only SYSCALL works. */
START_TEST(syscall_modes)
{
	machine_long(&m);
	m.c.mode = EM_PROT32;
	GPR(11) = 0xcd7;
	ck_assert_int_eq(RUN("\x0f\x07"), EM_DONE);
	ck_assert_uint_eq(m.c.rflags, 0x202);

	machine_prot(&m, true);
	user_mode();
	m.c.efer = m.efer = 1;
	m.c.mode = EM_VM86;
	m.c.rflags |= X86_EFLAGS_VM;
	RAISES("\x0f\x07", EM_EX_GP, 0);
	m.star = 0x0000000800005000;
	ck_assert_int_eq(RUN("\x0f\x05"), EM_DONE);
	ck_assert_uint_eq(m.c.rip, 0x5000);
	ck_assert_uint_eq(m.c.rflags & X86_EFLAGS_VM, 0);
	ck_assert_uint_eq(m.c.cpl, 0);
}
END_TEST

START_TEST(syscall_legacy)
{
	machine_prot(&m, true);
	user_mode();
	RAISES("\x0f\x05", EM_EX_UD, 0);
	m.c.efer = m.efer = BIT(0);
	m.star = (u64)(SEL_CODE3 & ~3) << 48 | (u64)SEL_CODE0 << 32 | 0x5000;
	m.c.rflags |= X86_EFLAGS_IF;
	ck_assert_int_eq(RUN("\x0f\x05"), EM_DONE);
	ck_assert_uint_eq(m.c.rip, 0x5000);
	ck_assert_uint_eq(GPR(RCX), 0x1002);
	ck_assert(!(m.c.rflags & X86_EFLAGS_IF));
	ck_assert_int_eq(RUN("\x0f\x07"), EM_DONE);
	ck_assert_uint_eq(m.c.rip, 0x1002);
	ck_assert_uint_eq(m.c.cpl, 3);
	ck_assert(m.c.rflags & X86_EFLAGS_IF);
	RAISES("\x0f\x07", EM_EX_GP, 0);
	m.c.intel = true;
	RAISES("\x0f\x05", EM_EX_UD, 0);	/* 64-bit mode only, there */
	machine_long(&m);
	GPR(RCX) = BIT_ULL(47);
	RAISES("\x48\x0f\x07", EM_EX_GP, 0);
}
END_TEST

/* ---- system instructions ---- */

START_TEST(table_registers)
{
	machine_prot(&m, true);
	GPR(RBX) = 0x3000;
	poke(0x3000, 0x123456780fffULL, 6);
	ck_assert_int_eq(RUN("\x0f\x01\x1b"), EM_DONE);		/* lidt (%ebx) */
	ck_assert_uint_eq(m.idt.base, 0x12345678);
	ck_assert_uint_eq(m.idt.limit, 0xfff);
	ck_assert_int_eq(RUN("\x66\x0f\x01\x1b"), EM_DONE);	/* 24 bits of base */
	ck_assert_uint_eq(m.idt.base, 0x345678);
	ck_assert_int_eq(RUN("\x0f\x01\x0b"), EM_DONE);		/* sidt */
	ck_assert_uint_eq(peek(0x3000, 6), 0x3456780fffULL);
	m.seg[EM_LDTR].sel = SEL_LDT;
	ck_assert_int_eq(RUN("\x0f\x00\xc0"), EM_DONE);		/* sldt %eax */
	ck_assert_uint_eq(GPR(RAX), SEL_LDT);
	ck_assert_int_eq(RUN("\x0f\x00\x0b"), EM_DONE);		/* str (%ebx) */
	ck_assert_uint_eq(peek(0x3000, 2), SEL_TSS);
	machine_long(&m);
	GPR(RBX) = 0x3000;
	poke(0x3002, BIT_ULL(47), 8);
	RAISES("\x0f\x01\x13", EM_EX_GP, 0);			/* lgdt: not canonical */
}
END_TEST

/* UMIP: a user program may not look. */
START_TEST(umip)
{
	static const char *const looks[] = { "\x0f\x01\x03", "\x0f\x01\x0b", "\x0f\x01\xe0",
					     "\x0f\x00\xc0", "\x0f\x00\xc8" };
	static const char *const zero = "\x0f\x00\xc0";
	unsigned int i;

	machine_prot(&m, true);
	user_mode();
	GPR(RBX) = 0x3000;
	ck_assert_int_eq(machine_run(&m, zero, 3), EM_DONE);
	m.c.cr4 |= X86_CR4_UMIP;
	for (i = 0; i < ARRAY_SIZE(looks); i++)
		ck_raises(machine_run(&m, looks[i], 3), EM_EX_GP, 0);
}
END_TEST

START_TEST(load_ltr)
{
	machine_prot(&m, true);
	GPR(RAX) = SEL_TSS2;
	ck_assert_int_eq(RUN("\x0f\x00\xd8"), EM_DONE);
	ck_assert_uint_eq(m.ram[GDT_BASE + SEL_TSS2 + 5], 0x8b);
	RAISES("\x0f\x00\xd8", EM_EX_GP, SEL_TSS2);	/* busy now */
	machine_desc(&m, SEL_TSS2, TSS2_BASE, 0x67, 0x009);
	RAISES("\x0f\x00\xd8", EM_EX_NP, SEL_TSS2);
	GPR(RAX) = 0;
	RAISES("\x0f\x00\xd8", EM_EX_GP, 0);
	GPR(RAX) = SEL_LDT;
	machine_desc(&m, SEL_LDT, 0x5000, 0xff, 0x002);
	RAISES("\x0f\x00\xd0", EM_EX_NP, SEL_LDT);	/* lldt */
	GPR(RAX) = SEL_LDT | 4;
	RAISES("\x0f\x00\xd0", EM_EX_GP, SEL_LDT | 4);
	/* 16 bytes in long mode */
	machine_long(&m);
	GPR(RAX) = SEL_TSS2;
	machine_desc(&m, SEL_TSS2, TSS2_BASE, 0x67, 0x089);
	poke(GDT_BASE + SEL_TSS2 + 8, 0xffff8000, 8);
	ck_assert_int_eq(RUN("\x0f\x00\xd8"), EM_DONE);
	ck_assert_uint_eq(m.seg[EM_TR].base, 0xffff800000000000ULL | TSS2_BASE);
	machine_desc(&m, SEL_LDT, 0x5000, 0xff, 0x082);
	poke(GDT_BASE + SEL_LDT + 8, 0x12, 8);
	GPR(RAX) = SEL_LDT;
	ck_assert_int_eq(RUN("\x0f\x00\xd0"), EM_DONE);
	ck_assert_uint_eq(m.seg[EM_LDTR].base, 0x1200005000ULL);
}
END_TEST

/* The upper half must be in the table, must not look like a descriptor, and its base is an address. */
static void ck_upper_half(u16 sel, const char *load)
{
	static const u64 bad[] = { 0x8000, BIT_ULL(40), BIT_ULL(44), 0x1fULL << 40 };
	unsigned int i;

	GPR(RAX) = sel;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		poke(GDT_BASE + sel + 8, bad[i], 8);
		ck_raises(machine_run(&m, load, 3), EM_EX_GP, sel);
	}
	poke(GDT_BASE + sel + 8, 0xffULL << 45, 8);	/* these bits mean nothing */
	m.gdt.limit = sel + 14;
	ck_raises(machine_run(&m, load, 3), EM_EX_GP, sel);
	m.gdt.limit = sel + 15;
	ck_assert_int_eq(machine_run(&m, load, 3), EM_DONE);
}

START_TEST(upper_halves)
{
	machine_long(&m);
	machine_desc(&m, SEL_TSS2, TSS2_BASE, 0x67, 0x089);
	ck_upper_half(SEL_TSS2, "\x0f\x00\xd8");	/* ltr */
	ck_upper_half(SEL_LDT, "\x0f\x00\xd0");	/* lldt */
	poke(GDT_BASE + SEL_GATE, (u64)0x2222 | (u64)SEL_CODE0 << 16 | 0xecULL << 40, 8);
	poke(GDT_BASE + SEL_GATE + 8, BIT_ULL(41), 8);
	GPR(RBX) = 0x3000;
	poke(0x3000, 0, 4);
	poke(0x3004, SEL_GATE, 2);
	m.gdt.limit = 0x9f;
	RAISES("\xff\x1b", EM_EX_GP, SEL_GATE);
	poke(GDT_BASE + SEL_GATE + 8, 0, 8);
	m.gdt.limit = SEL_GATE + 14;
	RAISES("\xff\x1b", EM_EX_GP, SEL_GATE);
	m.gdt.limit = SEL_GATE + 15;
	ck_assert_int_eq(RUN("\xff\x1b"), EM_DONE);
}
END_TEST

START_TEST(questions)
{
	machine_prot(&m, true);
	GPR(RAX) = SEL_TSS2;
	ck_assert_int_eq(RUN("\x0f\x02\xc8"), EM_DONE);		/* lar %eax, %ecx */
	ck_assert(m.c.rflags & X86_EFLAGS_ZF);
	ck_assert_uint_eq(GPR(RCX) & 0xff00, 0x8900);
	GPR(RAX) = 0;
	ck_assert_int_eq(RUN("\x0f\x02\xc8"), EM_DONE);
	ck_assert(!(m.c.rflags & X86_EFLAGS_ZF));
	GPR(RAX) = 0x1f8;
	ck_assert_int_eq(RUN("\x0f\x03\xc8"), EM_DONE);		/* lsl */
	ck_assert(!(m.c.rflags & X86_EFLAGS_ZF));
	/* the table itself unmapped is a fault nevertheless */
	m.gdt.base = HOLE_BASE;
	GPR(RAX) = SEL_TSS2;
	RAISES("\x0f\x03\xc8", EM_EX_PF, 0);
}
END_TEST

START_TEST(privileged)
{
	machine_prot(&m, true);
	ck_assert_int_eq(RUN("\x0f\x01\xcb"), EM_DONE);		/* stac */
	ck_assert(m.c.rflags & X86_EFLAGS_AC);
	ck_assert_int_eq(RUN("\x0f\x01\xca"), EM_DONE);		/* clac */
	ck_assert(!(m.c.rflags & X86_EFLAGS_AC));
	GPR(RAX) = 0x3000;
	ck_assert_int_eq(RUN("\x0f\x01\xc8"), EM_DONE);		/* monitor */
	ck_assert_uint_eq(m.sys_arg, 0x3000);
	ck_assert_int_eq(RUN("\x0f\x01\xc9"), EM_DONE);
	ck_assert_int_eq(m.last_sys, EM_SYS_MWAIT);
	ck_assert_int_eq(RUN("\x0f\x01\xd9"), EM_DONE);
	ck_assert_int_eq(m.last_sys, EM_SYS_VMCALL);
	ck_assert_int_eq(RUN("\x0f\x01\xf9"), EM_DONE);
	ck_assert_int_eq(m.last_sys, EM_SYS_RDTSCP);
	m.c.cr4 |= X86_CR4_OSXSAVE | X86_CR4_TSD;
	GPR(RAX) = 7;
	GPR(RCX) = GPR(RDX) = 0;
	ck_assert_int_eq(RUN("\x0f\x01\xd1"), EM_DONE);		/* xsetbv */
	ck_assert_uint_eq(m.xcr0, 7);
	user_mode();
	RAISES("\x0f\x01\xcb", EM_EX_UD, 0);
	RAISES("\x0f\x01\xd1", EM_EX_GP, 0);
	RAISES("\x0f\x01\xf9", EM_EX_GP, 0);
	RAISES("\x0f\x31", EM_EX_GP, 0);
	RAISES("\x0f\x33", EM_EX_GP, 0);
	machine_long(&m);
	RAISES("\xf3\x48\x0f\xae\xc0", EM_EX_UD, 0);		/* rdfsbase, not enabled */
	RAISES("\xf3\x48\x0f\xae\xd0", EM_EX_UD, 0);
	m.seg[EM_GS].base = 0x10000;
	GPR(RBX) = 0x234;
	ck_assert_int_eq(RUN("\x65\x0f\x01\x3b"), EM_DONE);	/* invlpg %gs:(%rbx) */
	ck_assert_uint_eq(m.sys_arg, 0x10234);
}
END_TEST

/* A segment register that was never loaded gets real mode's limit when it is. */
START_TEST(real_from_unusable)
{
	machine_real(&m);
	m.seg[EM_DS] = (struct em_seg) {};
	GPR(RAX) = 0x1234;
	ck_assert_int_eq(RUN("\x8e\xd8"), EM_DONE);
	ck_assert_uint_eq(m.seg[EM_DS].base, 0x12340);
	ck_assert_uint_eq(m.seg[EM_DS].limit, 0xffff);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("emulator, system");
	TCase *tc = tcase_create("system");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, task_16);
	tcase_add_test(tc, task_v86);
	tcase_add_test(tc, task_v86_without_ldt);
	tcase_add_test(tc, task_trap_and_cr3);
	tcase_add_test(tc, task_breakpoints);
	tcase_add_test(tc, task_segment_faults);
	tcase_add_test(tc, nested_return_faults);
	tcase_add_test(tc, task_gates);
	tcase_add_test(tc, gate_jumps);
	tcase_add_test(tc, gate_pushes_first);
	tcase_add_test(tc, gate_to_64_bits);
	tcase_add_test(tc, sysenter_32);
	tcase_add_test(tc, sysenter_64);
	tcase_add_test(tc, syscall_legacy);
	tcase_add_test(tc, syscall_modes);
	tcase_add_test(tc, table_registers);
	tcase_add_test(tc, umip);
	tcase_add_test(tc, load_ltr);
	tcase_add_test(tc, upper_halves);
	tcase_add_test(tc, questions);
	tcase_add_test(tc, privileged);
	tcase_add_test(tc, real_from_unusable);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
