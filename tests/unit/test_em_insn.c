// SPDX-License-Identifier: GPL-2.0
/*
 * What the processor cannot be asked about: device accesses that wait for
 * userspace, port strings, real mode, descriptors, gates, tasks, system
 * instructions. The comparison with the processor is in test_em_native.c.
 *
 * Code is written in assembly next to the test that uses it.
 */
#include <check.h>
#include "em_machine.h"

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI };

#define CODE(bits, name, text)						\
	asm(".pushsection .rodata\n.code" #bits "\n" #name "_s: " text	\
	    "\n" #name "_e:\n.code64\n.popsection");			\
	extern const u8 name##_s[], name##_e[]

#define RUN(name)	machine_run(&m, name##_s, name##_e - name##_s)
#define FINISH(name)	machine_finish(&m, name##_s, name##_e - name##_s)
#define GPR(r)		m.c.gpr[r]

#define ck_fault(r, vec, err) do {					\
	ck_assert_int_eq(r, EM_FAULT);					\
	ck_assert_int_eq(m.c.fault.vector, vec);			\
	ck_assert_uint_eq(m.c.fault.error, err);			\
} while (0)

static struct machine m;

static u64 peek(u32 at, unsigned int size)
{
	u64 v = 0;

	memcpy(&v, m.ram + at, size);
	return v;
}

static void poke(u32 at, u64 v, unsigned int size)
{
	memcpy(m.ram + at, &v, size);
}

static void ck_access(unsigned int i, bool write, u64 addr, unsigned int size, u64 val)
{
	ck_assert_uint_gt(m.traced, i);
	ck_assert_int_eq(m.trace[i].write, write);
	ck_assert_uint_eq(m.trace[i].addr, addr);
	ck_assert_uint_eq(m.trace[i].size, size);
	ck_assert_uint_eq(m.trace[i].val, val);
}

/* ---- device memory ---- */

CODE(32, load, "mov 4(%ebx), %eax");
CODE(32, rmw, "orl $0x100, (%ebx)");
CODE(32, pop_dev, "popl (%ebx)");
CODE(32, push_dev, "pushl (%ebx)");
CODE(32, xchg_dev, "xchg %eax, (%ebx)");
CODE(32, cmpxchg_dev, "lock cmpxchg %ecx, (%ebx)");
CODE(32, jmp_dev, "jmp *(%ebx)");

START_TEST(device_read)
{
	machine_prot(&m, true);
	GPR(RBX) = DEV_BASE;
	GPR(RAX) = 7;
	memcpy(m.dev + 4, "\x11\x22\x33\x44", 4);
	ck_assert_int_eq(RUN(load), EM_PENDING);
	ck_assert_uint_eq(GPR(RAX), 7);
	ck_assert_uint_eq(m.c.rip, 0x1000);
	ck_assert_int_eq(em_execute(&m.c), EM_DONE);
	ck_assert_uint_eq(GPR(RAX), 0x44332211);
	ck_assert_uint_eq(m.c.rip, 0x1003);
	ck_assert_uint_eq(m.traced, 1);
	ck_access(0, false, DEV_BASE + 4, 4, 0x44332211);
}
END_TEST

START_TEST(device_rmw)
{
	machine_prot(&m, true);
	GPR(RBX) = DEV_BASE;
	m.dev[0] = 0x5a;
	ck_assert_int_eq(FINISH(rmw), EM_DONE);
	ck_assert_uint_eq(m.pendings, 2);
	ck_assert_uint_eq(m.traced, 2);
	ck_access(0, false, DEV_BASE, 4, 0x5a);
	ck_access(1, true, DEV_BASE, 4, 0x15a);
}
END_TEST

START_TEST(device_stack)
{
	machine_prot(&m, true);
	GPR(RBX) = DEV_BASE;
	poke(0x8000, 0xcafe, 4);
	ck_assert_int_eq(FINISH(pop_dev), EM_DONE);
	ck_access(0, true, DEV_BASE, 4, 0xcafe);
	ck_assert_uint_eq(GPR(RSP), 0x8004);
	m.c.rip = 0x1000;
	ck_assert_int_eq(FINISH(push_dev), EM_DONE);
	ck_assert_uint_eq(peek(0x8000, 4), 0xcafe);
	ck_assert_uint_eq(GPR(RSP), 0x8000);
	ck_assert_uint_eq(m.traced, 2);
}
END_TEST

START_TEST(device_locked)
{
	machine_prot(&m, true);
	GPR(RBX) = DEV_BASE;
	GPR(RAX) = 0x77;
	m.dev[0] = 0x5a;
	ck_assert_int_eq(FINISH(xchg_dev), EM_DONE);
	ck_assert_uint_eq(GPR(RAX), 0x5a);
	ck_assert_uint_eq(m.dev[0], 0x77);
	m.c.rip = 0x1000;
	GPR(RAX) = 0x77;
	GPR(RCX) = 0x99;
	ck_assert_int_eq(FINISH(cmpxchg_dev), EM_DONE);
	ck_assert_uint_eq(m.dev[0], 0x99);
	ck_assert(m.c.rflags & X86_EFLAGS_ZF);
	ck_assert_uint_eq(m.traced, 4);
}
END_TEST

START_TEST(device_jump)
{
	machine_prot(&m, true);
	GPR(RBX) = DEV_BASE;
	memcpy(m.dev, "\x34\x12\x01\x00", 4);
	ck_assert_int_eq(FINISH(jmp_dev), EM_DONE);
	ck_assert_uint_eq(m.c.rip, 0x11234);
}
END_TEST

CODE(64, movups_load, "movups (%rbx), %xmm3");
CODE(64, movaps_store, "movaps %xmm3, (%rbx)");
CODE(64, vmovdqu_load, "vmovdqu (%rbx), %ymm9");
CODE(64, vmovd_load, "vmovd (%rbx), %xmm9");
CODE(64, movss_load, "movss (%rbx), %xmm3");
CODE(64, movhps_load, "movhps (%rbx), %xmm3");
CODE(64, movntdq_store, "movntdq %xmm3, (%rbx)");
CODE(64, movq_mmx, "movq %mm5, (%rbx)");
CODE(64, movnti_store, "movnti %rax, (%rbx)");
CODE(64, movbe_load, "movbe (%rbx), %eax");
CODE(64, addps, "addps (%rbx), %xmm3");

START_TEST(device_vector)
{
	unsigned int i;

	machine_long(&m);
	GPR(RBX) = DEV_BASE;
	for (i = 0; i < 64; i++)
		m.dev[i] = i;
	memset(m.vec[3], 0xee, 32);
	memset(m.vec[9], 0xee, 32);
	ck_assert_int_eq(FINISH(movups_load), EM_DONE);
	ck_assert_int_eq(memcmp(m.vec[3], m.dev, 16), 0);
	ck_assert_uint_eq(m.vec[3][16], 0xee);
	ck_assert_int_eq(FINISH(vmovdqu_load), EM_DONE);
	ck_assert_int_eq(memcmp(m.vec[9], m.dev, 32), 0);
	ck_assert_int_eq(FINISH(vmovd_load), EM_DONE);
	ck_assert_uint_eq(m.vec[9][3], 3);
	ck_assert_uint_eq(m.vec[9][4], 0);
	ck_assert_uint_eq(m.vec[9][31], 0);
	GPR(RBX) = DEV_BASE + 0x100;
	ck_assert_int_eq(FINISH(movaps_store), EM_DONE);
	ck_assert_int_eq(FINISH(movntdq_store), EM_DONE);
	ck_assert_int_eq(memcmp(m.vec[3], m.dev + 0x100, 16), 0);
	GPR(RBX)++;
	ck_fault(FINISH(movaps_store), EM_EX_GP, 0);
	GPR(RBX) = DEV_BASE + 8;
	ck_assert_int_eq(FINISH(movhps_load), EM_DONE);
	ck_assert_int_eq(memcmp(m.vec[3], m.dev, 16), 0);
	ck_assert_int_eq(FINISH(movss_load), EM_DONE);
	ck_assert_uint_eq(m.vec[3][3], 11);
	ck_assert_uint_eq(m.vec[3][4] | m.vec[3][15], 0);
	memset(m.mmx[5], 0x42, 8);
	ck_assert_int_eq(FINISH(movq_mmx), EM_DONE);
	ck_assert_int_eq(memcmp(m.mmx[5], m.dev + 8, 8), 0);
	GPR(RAX) = 0x1122334455667788;
	ck_assert_int_eq(FINISH(movnti_store), EM_DONE);
	ck_assert_int_eq(memcmp(&GPR(RAX), m.dev + 8, 8), 0);
	ck_assert_int_eq(FINISH(movbe_load), EM_DONE);
	ck_assert_uint_eq(GPR(RAX), 0x88776655);
}
END_TEST

START_TEST(vector_rules)
{
	machine_long(&m);
	GPR(RBX) = 0x3000;
	ck_assert_int_eq(RUN(addps), EM_UNSUPPORTED);
	ck_assert_uint_eq(m.c.rip, 0x1000);
	m.c.cr0 |= X86_CR0_TS;
	ck_fault(RUN(movups_load), EM_EX_NM, 0);
	ck_fault(RUN(vmovd_load), EM_EX_NM, 0);
	m.c.cr4 &= ~(X86_CR4_OSFXSR | X86_CR4_OSXSAVE);
	ck_fault(RUN(movups_load), EM_EX_UD, 0);
	ck_fault(RUN(vmovd_load), EM_EX_UD, 0);
	ck_fault(RUN(movq_mmx), EM_EX_NM, 0);
}
END_TEST

/* ---- strings ---- */

CODE(32, rep_movsl, "rep movsl");
CODE(32, rep_stosb, "rep stosb");
CODE(32, rep_outsb, "rep outsb");
CODE(32, rep_insw, "rep insw");
CODE(32, insb, "insb");
CODE(32, repe_cmpsb, "repe cmpsb");
CODE(32, repne_scasb, "repne scasb");

START_TEST(rep_to_device)
{
	unsigned int i;

	machine_prot(&m, true);
	GPR(RSI) = 0x3000;
	GPR(RDI) = DEV_BASE;
	GPR(RCX) = 5;
	for (i = 0; i < 5; i++)
		poke(0x3000 + i * 4, 0x1000 + i, 4);
	ck_assert_int_eq(RUN(rep_movsl), EM_PENDING);
	ck_assert_int_eq(em_execute(&m.c), EM_PENDING);
	/* One element is done and committed, the second one waits. */
	ck_assert_uint_eq(GPR(RCX), 4);
	ck_assert_uint_eq(GPR(RSI), 0x3004);
	ck_assert_uint_eq(m.c.rip, 0x1000);
	for (i = 1; i < 5; i++)
		ck_assert_int_eq(em_execute(&m.c), i < 4 ? EM_PENDING : EM_DONE);
	ck_assert_uint_eq(GPR(RCX), 0);
	ck_assert_uint_eq(m.c.rip, 0x1002);
	ck_assert_uint_eq(m.traced, 5);
	for (i = 0; i < 5; i++)
		ck_access(i, true, DEV_BASE + i * 4, 4, 0x1000 + i);
}
END_TEST

START_TEST(rep_device_to_device)
{
	machine_prot(&m, true);
	GPR(RSI) = DEV_BASE;
	GPR(RDI) = DEV_BASE + 0x100;
	GPR(RCX) = 3;
	memcpy(m.dev, "abcdefghijkl", 12);
	ck_assert_int_eq(FINISH(rep_movsl), EM_DONE);
	ck_assert_uint_eq(m.pendings, 6);
	ck_assert_uint_eq(m.traced, 6);
	ck_assert_int_eq(memcmp(m.dev + 0x100, "abcdefghijkl", 12), 0);
}
END_TEST

START_TEST(rep_faults_midway)
{
	machine_prot(&m, true);
	GPR(RDI) = HOLE_BASE - 3;
	GPR(RCX) = 10;
	GPR(RAX) = 0x5a;
	ck_fault(RUN(rep_stosb), EM_EX_PF, 2);
	ck_assert_uint_eq(m.c.fault.payload, HOLE_BASE);
	ck_assert_uint_eq(GPR(RCX), 7);
	ck_assert_uint_eq(GPR(RDI), HOLE_BASE);
	ck_assert_uint_eq(m.c.rip, 0x1000);
	ck_assert_uint_eq(peek(HOLE_BASE - 3, 3), 0x5a5a5a);
}
END_TEST

START_TEST(rep_yields)
{
	machine_prot(&m, true);
	GPR(RDI) = 0x20000;
	GPR(RCX) = 5000;
	ck_assert_int_eq(RUN(rep_stosb), EM_RESTART);
	ck_assert_uint_gt(GPR(RCX), 0);
	ck_assert_uint_lt(GPR(RCX), 5000);
	ck_assert_uint_eq(GPR(RDI) + GPR(RCX), 0x20000 + 5000);
	ck_assert_int_eq(FINISH(rep_stosb), EM_DONE);
	ck_assert_uint_eq(GPR(RCX), 0);
	GPR(RCX) = 0;
	GPR(RDI) = HOLE_BASE;
	ck_assert_int_eq(FINISH(rep_stosb), EM_DONE);
}
END_TEST

/* As soon as a callback says so, keeping what it did; and only that once. */
START_TEST(rep_gives_way)
{
	machine_prot(&m, true);
	m.gives_way_at = 0x20003;
	GPR(RDI) = 0x20000;
	GPR(RCX) = 10;
	GPR(RAX) = 0x5a;
	ck_assert_int_eq(RUN(rep_stosb), EM_RESTART);
	ck_assert_uint_eq(GPR(RCX), 6);
	ck_assert_uint_eq(GPR(RDI), 0x20004);
	ck_assert_uint_eq(m.c.rip, 0x1000);
	ck_assert_uint_eq(peek(0x20000, 4), 0x5a5a5a5a);
	m.gives_way_at = 0;
	ck_assert_int_eq(RUN(rep_stosb), EM_DONE);
	ck_assert_uint_eq(GPR(RCX), 0);
	/* the last element: nothing is left to give away */
	m.gives_way_at = 0x20003;
	GPR(RDI) = 0x20000;
	GPR(RCX) = 4;
	ck_assert_int_eq(RUN(rep_stosb), EM_DONE);
	ck_assert_uint_eq(m.c.rip, 0x1004);
}
END_TEST

START_TEST(rep_single_steps)
{
	machine_prot(&m, true);
	GPR(RDI) = 0x3000;
	GPR(RCX) = 2;
	m.c.rflags |= X86_EFLAGS_TF;
	ck_assert_int_eq(RUN(rep_stosb), EM_RESTART);
	ck_assert(m.c.retire.singlestep);
	ck_assert_uint_eq(m.c.rip, 0x1000);
	ck_assert_int_eq(RUN(rep_stosb), EM_DONE);
	ck_assert(m.c.retire.singlestep);
}
END_TEST

START_TEST(rep_compares)
{
	machine_prot(&m, true);
	memcpy(m.ram + 0x3000, "hello", 5);
	memcpy(m.ram + 0x4000, "help!", 5);
	GPR(RSI) = 0x3000;
	GPR(RDI) = 0x4000;
	GPR(RCX) = 5;
	ck_assert_int_eq(RUN(repe_cmpsb), EM_DONE);
	ck_assert_uint_eq(GPR(RCX), 1);
	ck_assert(!(m.c.rflags & X86_EFLAGS_ZF));
	m.c.rip = 0x1000;
	GPR(RDI) = 0x3000;
	GPR(RAX) = 'o';
	GPR(RCX) = 100;
	ck_assert_int_eq(RUN(repne_scasb), EM_DONE);
	ck_assert_uint_eq(GPR(RDI), 0x3005);
	ck_assert(m.c.rflags & X86_EFLAGS_ZF);
}
END_TEST

START_TEST(port_strings)
{
	machine_prot(&m, true);
	memcpy(m.ram + 0x3000, "0123456789", 10);
	GPR(RSI) = 0x3000;
	GPR(RDX) = 0x402;
	GPR(RCX) = 10;
	ck_assert_int_eq(RUN(rep_outsb), EM_PENDING);
	ck_assert_uint_eq(GPR(RCX), 10);
	ck_assert_int_eq(em_execute(&m.c), EM_DONE);
	ck_assert_uint_eq(m.traced, 1);
	ck_assert_uint_eq(m.trace[0].count, 10);
	ck_assert_uint_eq(GPR(RCX), 0);
	ck_assert_uint_eq(GPR(RSI), 0x300a);

	m.c.rip = 0x1000;
	m.port_next = 0x4100;
	GPR(RDI) = 0x2fe0;
	GPR(RCX) = 300;
	ck_assert_int_eq(FINISH(rep_insw), EM_DONE);
	ck_assert_uint_eq(m.trace[1].count, 16);	/* to the end of the page */
	ck_assert_uint_eq(m.trace[2].count, 284);
	ck_assert_uint_eq(peek(0x2fe0, 2), 0x4100);
	ck_assert_uint_eq(peek(0x2fe0 + 299 * 2, 2), 0x4100 + 299);
	ck_assert_uint_eq(GPR(RDI), 0x2fe0 + 600);
	ck_assert_uint_eq(m.c.rip, 0x1003);
}
END_TEST

START_TEST(large_outs_can_wait)
{
	machine_prot(&m, true);
	GPR(RSI) = 0x3000;
	GPR(RCX) = 3000;
	ck_assert_int_eq(FINISH(rep_outsb), EM_DONE);
	ck_assert_uint_eq(GPR(RSI), 0x3000 + 3000);
	ck_assert_uint_eq(m.pendings, m.traced);
	ck_assert_uint_eq(m.traced, 3);
}
END_TEST

START_TEST(ins_probes_first)
{
	machine_prot(&m, true);
	GPR(RDI) = HOLE_BASE;
	ck_fault(RUN(insb), EM_EX_PF, 2);
	ck_assert_uint_eq(m.traced + m.pendings, 0);
	GPR(RDI) = DEV_BASE;
	m.port_next = 0x42;
	ck_assert_int_eq(FINISH(insb), EM_DONE);
	ck_assert_uint_eq(m.traced, 2);
	ck_assert_uint_eq(m.dev[0], 0x42);
}
END_TEST

/* ---- locked memory ---- */

CODE(32, lock_inc, "lock incl (%ebx)");
CODE(32, cmpxchg8b, "lock cmpxchg8b (%ebx)");
CODE(64, cmpxchg16b, "lock cmpxchg16b (%rbx)");
CODE(32, lock_nop, ".byte 0xf0, 0x90");
CODE(32, lock_reg, ".byte 0xf0, 0x01, 0xc0");

START_TEST(lost_race)
{
	machine_prot(&m, true);
	GPR(RBX) = 0x3000;
	poke(0x3000, 5, 4);
	m.races = 1;
	ck_assert_int_eq(RUN(lock_inc), EM_RESTART);
	ck_assert_uint_eq(m.c.rip, 0x1000);
	ck_assert_int_eq(RUN(lock_inc), EM_DONE);
	ck_assert_uint_eq(peek(0x3000, 4), 7);
	ck_fault(RUN(lock_nop), EM_EX_UD, 0);
	ck_fault(RUN(lock_reg), EM_EX_UD, 0);
}
END_TEST

START_TEST(double_cmpxchg)
{
	machine_prot(&m, true);
	GPR(RBX) = 0x3000;
	poke(0x3000, 0x1111111122222222, 8);
	ck_assert_int_eq(RUN(cmpxchg8b), EM_DONE);
	ck_assert_uint_eq(GPR(RAX), 0x22222222);
	ck_assert_uint_eq(GPR(RDX), 0x11111111);
	m.c.rip = 0x1000;
	GPR(RCX) = 0xc;
	ck_assert_int_eq(RUN(cmpxchg8b), EM_DONE);
	ck_assert(m.c.rflags & X86_EFLAGS_ZF);
	ck_assert_uint_eq(peek(0x3000, 8), 0xc00003000);
	machine_long(&m);
	GPR(RBX) = 0x3008;
	ck_fault(RUN(cmpxchg16b), EM_EX_GP, 0);
	GPR(RBX) = 0x3010;
	GPR(RCX) = 9;
	ck_assert_int_eq(RUN(cmpxchg16b), EM_DONE);
	ck_assert_uint_eq(peek(0x3010, 8), 0x3010);
	ck_assert_uint_eq(peek(0x3018, 8), 9);
}
END_TEST

/* ---- fetching and decoding ---- */

START_TEST(too_long)
{
	u8 code[16];

	machine_prot(&m, true);
	memset(code, 0x66, sizeof(code));
	code[15] = 0x90;
	ck_fault(machine_run(&m, code, 16), EM_EX_GP, 0);
	code[14] = 0x90;
	ck_assert_int_eq(machine_run(&m, code, 16), EM_DONE);
	ck_assert_uint_eq(m.c.insn.len, 15);
}
END_TEST

START_TEST(at_the_edge)
{
	machine_prot(&m, true);
	m.c.rip = HOLE_BASE - 1;
	ck_assert_int_eq(machine_run(&m, "\x90", 1), EM_DONE);
	m.c.rip = HOLE_BASE - 1;
	ck_fault(machine_run(&m, "\xb8", 1), EM_EX_PF, 16);
	ck_assert_uint_eq(m.c.fault.payload, HOLE_BASE);
	m.seg[EM_CS].limit = 0x1003;
	m.c.rip = 0x1000;
	ck_fault(machine_run(&m, "\xb8\1\2\3\4", 5), EM_EX_GP, 0);
	ck_assert_int_eq(em_decode(&m.c, "\x90", 1), EM_DONE);	/* prefetched */
}
END_TEST

struct length {
	enum em_mode mode;
	u8 len;
	char bytes[16];
};

static const struct length lengths[] = {
	{ EM_PROT64, 2, "\x0f\xa2" },				/* cpuid */
	{ EM_PROT64, 3, "\x0f\x01\xd9" },			/* vmmcall */
	{ EM_PROT64, 3, "\x0f\x01\xd8" },			/* vmrun */
	{ EM_PROT64, 4, "\x66\x0f\xc7\x30" },			/* vmclear (%rax) */
	{ EM_PROT64, 4, "\x44\x0f\x22\xc0" },			/* mov %rax, %cr8 */
	{ EM_PROT64, 10, "\x48\xb8" "12345678" },		/* movabs */
	{ EM_PROT64, 9, "\xa1" "12345678" },			/* mov moffs */
	{ EM_PROT32, 5, "\xa1" "1234" },
	{ EM_REAL, 3, "\xa1" "12" },
	{ EM_PROT64, 12, "\x48\xc7\x84\x24" "1234" "5678" },	/* movq $imm32, disp32(%rsp) */
	{ EM_PROT64, 8, "\x81\x44\x24\x08" "1234" },
	{ EM_PROT64, 10, "\xf7\x05" "1234" "5678" },		/* testl $imm32, disp32(%rip) */
	{ EM_PROT64, 2, "\xf7\x10\x90" },				/* notl (%rax) */
	{ EM_REAL, 6, "\xf7\x06" "1234" },
	{ EM_REAL, 5, "\xea" "1234" },
	{ EM_REAL, 8, "\x66\xea" "123456" },
	{ EM_PROT32, 7, "\x9a" "123456" },
	{ EM_PROT64, 5, "\x0f\x58\x44\x24" },			/* addps disp8(%rsp) */
	{ EM_PROT64, 4, "\xc5\xf8\x58\xc1" },			/* vaddps */
	{ EM_PROT64, 6, "\xc4\xe3\x71\x0f\xc2\x03" },		/* vpalignr */
	{ EM_PROT64, 3, "\xc5\xf8\x77" },			/* vzeroupper */
	{ EM_PROT64, 6, "\x62\xf1\x7c\x48\x58\xc1" },		/* vaddps zmm */
	{ EM_PROT64, 7, "\x62\xf1\x7c\x48\x58\x40\x01" },	/* vaddps disp8 */
	{ EM_PROT64, 5, "\x66\x0f\x70\xc1\x1b" },		/* pshufd */
	{ EM_PROT64, 6, "\x66\x0f\x3a\x0f\xc1\x08" },		/* palignr */
	{ EM_PROT64, 5, "\x66\x0f\x38\x00\xc1" },		/* pshufb */
	{ EM_PROT64, 4, "\x0f\x0f\xc1\xbf" },			/* 3DNow! */
	{ EM_PROT64, 5, "\x8f\xe9\x78\x81" "\xc1" },		/* XOP vfrczps */
	{ EM_PROT64, 2, "\xd9\xe8" },				/* fld1 */
	{ EM_PROT64, 4, "\xdd\x44\x24" },			/* fldl disp8(%rsp) */
	{ EM_PROT32, 2, "\xc4\x03" },				/* les */
	{ EM_PROT32, 7, "\x62\x04\x25" "1234" },		/* bound */
	{ EM_PROT64, 4, "\xc8\x10\x00" "\x01" },		/* enter */
	{ EM_PROT64, 2, "\xf3\x90" },
	{ EM_PROT64, 4, "\xf3\x0f\x1e\xfa" },			/* endbr64 */
	{ EM_PROT64, 2, "\xcd\x80" },
	{ EM_PROT64, 6, "\x0f\x84" "1234" },
	{ EM_REAL, 4, "\x0f\x84" "12" },
	{ EM_REAL, 3, "\x67\x8b\x00" },
};

START_TEST(insn_lengths)
{
	unsigned int i, want;
	const char *b;
	int got;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		b = lengths[i].bytes;
		want = lengths[i].len;
		lengths[i].mode == EM_PROT64 ? machine_long(&m) :
		lengths[i].mode == EM_REAL ? machine_real(&m) : machine_prot(&m, true);
		memcpy(m.ram + 0x1000, b, sizeof(lengths[i].bytes));
		got = em_insn_len(&m.c, NULL, 0);
		ck_assert_msg(got == (int)want, "row %u: %d, not %u", i, got, want);
	}
}
END_TEST

/* ---- real mode ---- */

CODE(16, ljmp, "ljmp $0x300, $0x20");
CODE(16, lcall, "lcall $0x300, $0x20");
CODE(16, lret, "lretw");
CODE(16, int13, "int $0x13");
CODE(16, iret16, "iretw");
CODE(16, mov_ss, "mov %ax, %ss");
CODE(16, lds, "lds (%bx), %si");
CODE(16, lgdt, "lgdt (%bx)");
CODE(16, sti, "sti");
CODE(16, hlt, "hlt");
CODE(16, word_at, "mov (%bx), %ax");
CODE(16, to_prot, "mov %eax, %cr0");
CODE(16, lmsw, "lmsw %ax");
CODE(16, in_dx, "inl %dx, %eax");
CODE(16, out_imm, "outb %al, $0x80");
CODE(16, aam0, "aam $0");
CODE(16, callw, "call . + 0x103");
CODE(16, str_insn, "str %ax");

START_TEST(real_far)
{
	machine_real(&m);
	ck_assert_int_eq(RUN(ljmp), EM_DONE);
	ck_assert_uint_eq(m.seg[EM_CS].sel, 0x300);
	ck_assert_uint_eq(m.seg[EM_CS].base, 0x3000);
	ck_assert_uint_eq(m.c.rip, 0x20);
	machine_real(&m);
	m.seg[EM_CS].sel = 0x100;
	m.seg[EM_CS].base = 0x1000;
	m.c.rip = 0x40;
	ck_assert_int_eq(RUN(lcall), EM_DONE);
	ck_assert_uint_eq(GPR(RSP), 0x7ffc);
	ck_assert_uint_eq(peek(0x7ffc, 4), 0x01000045);
	ck_assert_int_eq(RUN(lret), EM_DONE);
	ck_assert_uint_eq(m.c.rip, 0x45);
	ck_assert_uint_eq(m.seg[EM_CS].base, 0x1000);
	ck_assert_uint_eq(GPR(RSP), 0x8000);
	machine_real(&m);
	m.c.gpr[RSP] = 0x12340000;
	ck_assert_int_eq(RUN(callw), EM_DONE);
	ck_assert_uint_eq(GPR(RSP), 0x1234fffe);
	ck_assert_uint_eq(m.c.rip, 0x1103);
}
END_TEST

START_TEST(real_interrupts)
{
	machine_real(&m);
	poke(0x13 * 4, 0xf0001234, 4);
	m.c.rflags |= X86_EFLAGS_IF | X86_EFLAGS_CF;
	ck_assert_int_eq(RUN(int13), EM_DONE);
	ck_assert_uint_eq(m.seg[EM_CS].base, 0xf0000);
	ck_assert_uint_eq(m.c.rip, 0x1234);
	ck_assert(!(m.c.rflags & X86_EFLAGS_IF));
	ck_assert_uint_eq(peek(0x7ffa, 2), 0x1002);
	ck_assert_uint_eq(peek(0x7ffe, 2) & 0x203, 0x203);
	ck_assert_int_eq(RUN(iret16), EM_DONE);
	ck_assert_uint_eq(m.c.rip, 0x1002);
	ck_assert(m.c.rflags & X86_EFLAGS_IF);
	ck_assert(m.c.retire.unblock_nmi);
	m.c.rip = 0x4321;
	ck_assert_int_eq(em_interrupt(&m.c, 0x13), EM_DONE);
	ck_assert_uint_eq(peek(0x7ffa, 2), 0x4321);
	ck_assert_uint_eq(m.c.rip, 0x1234);
	m.idt.limit = 0x4d;
	ck_fault(em_interrupt(&m.c, 0x13), EM_EX_GP, 0);
	ck_assert(!m.c.fault.has_error);
}
END_TEST

START_TEST(real_segments)
{
	machine_real(&m);
	GPR(RAX) = 0x1234;
	m.c.rflags |= X86_EFLAGS_TF;
	ck_assert_int_eq(RUN(mov_ss), EM_DONE);
	ck_assert_uint_eq(m.seg[EM_SS].base, 0x12340);
	ck_assert(m.c.retire.mov_ss && !m.c.retire.singlestep);
	GPR(RBX) = 0x3000;
	poke(0x3000, 0x20005678, 4);
	ck_assert_int_eq(RUN(lds), EM_DONE);
	ck_assert_uint_eq(GPR(RSI), 0x5678);
	ck_assert_uint_eq(m.seg[EM_DS].base, 0x20000);
	machine_real(&m);
	GPR(RBX) = 0xffff;
	ck_fault(RUN(word_at), EM_EX_GP, 0);
	ck_assert(!m.c.fault.has_error);
	m.seg[EM_DS].limit = U32_MAX;	/* unreal */
	poke(0xffff, 0x2211, 2);
	m.seg[EM_DS].base = 0x100;
	poke(0x100ff, 0, 1);
	ck_assert_int_eq(RUN(word_at), EM_FAULT);	/* runs into the hole */
	ck_assert_uint_eq(m.c.fault.vector, EM_EX_PF);
}
END_TEST

START_TEST(real_system)
{
	machine_real(&m);
	GPR(RBX) = 0x3000;
	poke(0x3000, 0xab56789a0027, 6);
	ck_assert_int_eq(RUN(lgdt), EM_DONE);
	ck_assert_uint_eq(m.gdt.limit, 0x27);
	ck_assert_uint_eq(m.gdt.base, 0x56789a);
	m.c.rip = 0x1000;
	ck_assert_int_eq(RUN(sti), EM_DONE);
	ck_assert(m.c.retire.sti);
	ck_assert_int_eq(RUN(sti), EM_DONE);
	ck_assert(!m.c.retire.sti);
	ck_assert_int_eq(RUN(hlt), EM_DONE);
	ck_assert(m.c.retire.hlt);
	GPR(RAX) = 0x60000011;
	ck_assert_int_eq(RUN(to_prot), EM_DONE);
	ck_assert_uint_eq(m.cr[0], 0x60000011);
	m.c.cr0 = m.cr[0];
	GPR(RAX) = 0xfff0;
	ck_assert_int_eq(RUN(lmsw), EM_DONE);
	ck_assert_uint_eq(m.cr[0], 0x60000011);
	ck_fault(RUN(aam0), EM_EX_DE, 0);
	ck_fault(RUN(str_insn), EM_EX_UD, 0);
}
END_TEST

START_TEST(real_ports)
{
	machine_real(&m);
	GPR(RDX) = 0xcfc;
	m.port_next = 0x12345678;
	ck_assert_int_eq(RUN(in_dx), EM_PENDING);
	ck_assert_int_eq(em_execute(&m.c), EM_DONE);
	ck_assert_uint_eq(GPR(RAX), 0x12345678);
	ck_assert_int_eq(FINISH(out_imm), EM_DONE);
	ck_access(1, true, 0x80, 1, 0x78);
}
END_TEST

/* ---- protected mode ---- */

CODE(32, mov_ds, "mov %eax, %ds");
CODE(32, mov_ss32, "mov %eax, %ss");
CODE(32, load_ds, "mov (%ebx), %ecx");
CODE(32, store_ds, "mov %ecx, (%ebx)");
CODE(32, lldt, "lldt %ax");
CODE(32, ltr, "ltr %ax");
CODE(32, lar, "lar %eax, %ecx");
CODE(32, lsl, "lsl %eax, %ecx");
CODE(32, verr, "verr %ax");
CODE(32, verw, "verw %ax");
CODE(32, int80, "int $0x80");
CODE(32, int3, "int3");
CODE(32, retf32, "lretl");
CODE(32, retf8, "lretl $8");
CODE(32, iret32, "iretl");
CODE(32, in_al, "inb $0x60, %al");
CODE(32, cli, "cli");
CODE(32, invlpg, "invlpg 8(%ebx)");
CODE(32, rdmsr, "rdmsr");
CODE(32, wrmsr, "wrmsr");
CODE(32, mov_dr7, "mov %eax, %dr7");
CODE(32, cr5, ".byte 0x0f, 0x22, 0xe8");
CODE(32, popf32, "popfl");
CODE(32, sgdt, "sgdt (%ebx)");
CODE(32, enter2, "enter $16, $2");
CODE(32, leave, "leave");
CODE(32, cpuid, "cpuid");
CODE(32, ud2, "ud2");
CODE(32, retn, "ret $4");

static const u8 far_code16[] = "\xea\x00\x20\x00\x00\x28\x00";

static void user_mode(void)
{
	m.c.cpl = 3;
	m.seg[EM_CS].sel = SEL_CODE3;
	m.seg[EM_CS].attr = 0xcfb;
	m.seg[EM_SS] = m.seg[EM_DS] = m.seg[EM_ES] =
		(struct em_seg) { SEL_DATA3, 0xcf3, U32_MAX, 0 };
}

START_TEST(data_segments)
{
	machine_prot(&m, true);
	GPR(RAX) = 3;
	GPR(RBX) = 0x3000;
	ck_assert_int_eq(RUN(mov_ds), EM_DONE);
	ck_assert(!(m.seg[EM_DS].attr & EM_SEG_P));
	ck_fault(RUN(load_ds), EM_EX_GP, 0);
	GPR(RAX) = SEL_ABSENT;
	ck_fault(RUN(mov_ds), EM_EX_NP, SEL_ABSENT);
	ck_fault(RUN(mov_ss32), EM_EX_SS, SEL_ABSENT);
	GPR(RAX) = 0;
	ck_fault(RUN(mov_ss32), EM_EX_GP, 0);
	GPR(RAX) = SEL_DATA3;
	ck_fault(RUN(mov_ss32), EM_EX_GP, SEL_DATA3 & ~3);
	GPR(RAX) = SEL_TSS;
	ck_fault(RUN(mov_ds), EM_EX_GP, SEL_TSS);
	GPR(RAX) = 0x1000;
	ck_fault(RUN(mov_ds), EM_EX_GP, 0x1000);
	GPR(RAX) = SEL_RODATA;
	ck_assert_int_eq(RUN(mov_ds), EM_DONE);
	GPR(RBX) = 0xffc;
	ck_assert_int_eq(RUN(load_ds), EM_DONE);
	ck_fault(RUN(store_ds), EM_EX_GP, 0);
	GPR(RBX) = 0xffd;
	ck_fault(RUN(load_ds), EM_EX_GP, 0);
}
END_TEST

START_TEST(accessed_bit)
{
	machine_prot(&m, true);
	machine_desc(&m, SEL_DATA0, 0, 0xfffff, 0xc92);
	GPR(RAX) = SEL_DATA0;
	m.races = 1;
	ck_assert_int_eq(RUN(mov_ds), EM_RESTART);
	machine_desc(&m, SEL_DATA0, 0, 0xfffff, 0xc92);
	ck_assert_int_eq(RUN(mov_ds), EM_DONE);
	ck_assert_uint_eq(m.ram[GDT_BASE + SEL_DATA0 + 5], 0x93);
	ck_assert_uint_eq(m.seg[EM_DS].attr, 0xc93);
}
END_TEST

START_TEST(expand_down)
{
	machine_prot(&m, true);
	m.seg[EM_DS].attr = 0xc97;
	m.seg[EM_DS].limit = 0x3fff;
	GPR(RBX) = 0x3ffe;
	ck_fault(RUN(load_ds), EM_EX_GP, 0);
	GPR(RBX) = 0x4000;
	ck_assert_int_eq(RUN(load_ds), EM_DONE);
	m.seg[EM_DS].attr = 0x097;
	GPR(RBX) = 0xfffe;
	ck_fault(RUN(load_ds), EM_EX_GP, 0);
}
END_TEST

START_TEST(system_segments)
{
	machine_prot(&m, true);
	GPR(RAX) = SEL_LDT;
	ck_assert_int_eq(RUN(lldt), EM_DONE);
	ck_assert_uint_eq(m.seg[EM_LDTR].base, 0x5000);
	GPR(RAX) = SEL_DATA0;
	ck_fault(RUN(lldt), EM_EX_GP, SEL_DATA0);
	GPR(RAX) = SEL_TSS2;
	ck_assert_int_eq(RUN(ltr), EM_DONE);
	ck_assert_uint_eq(m.seg[EM_TR].base, TSS2_BASE);
	ck_assert_uint_eq(m.ram[GDT_BASE + SEL_TSS2 + 5], 0x8b);
	ck_fault(RUN(ltr), EM_EX_GP, SEL_TSS2);		/* busy now */
	m.c.rip = 0x1000;
	GPR(RAX) = SEL_CODE0;
	ck_assert_int_eq(RUN(lar), EM_DONE);
	ck_assert_uint_eq(GPR(RCX), 0xcf9b00);
	ck_assert_int_eq(RUN(lsl), EM_DONE);
	ck_assert_uint_eq(GPR(RCX), 0xffffffff);
	ck_assert_int_eq(RUN(verw), EM_DONE);
	ck_assert(!(m.c.rflags & X86_EFLAGS_ZF));
	ck_assert_int_eq(RUN(verr), EM_DONE);
	ck_assert(m.c.rflags & X86_EFLAGS_ZF);
	GPR(RAX) = 0x2000;
	ck_assert_int_eq(RUN(lar), EM_DONE);
	ck_assert(!(m.c.rflags & X86_EFLAGS_ZF));
	user_mode();
	GPR(RAX) = SEL_DATA0;
	ck_assert_int_eq(RUN(verr), EM_DONE);
	ck_assert(!(m.c.rflags & X86_EFLAGS_ZF));
	ck_fault(RUN(lldt), EM_EX_GP, 0);
}
END_TEST

START_TEST(far_to_16bit)
{
	machine_prot(&m, true);
	ck_assert_int_eq(machine_run(&m, far_code16, 7), EM_DONE);
	ck_assert_uint_eq(m.seg[EM_CS].sel, SEL_CODE16);
	ck_assert_uint_eq(m.seg[EM_CS].attr, 0x09b);
	ck_assert_uint_eq(m.c.rip, 0x2000);
	machine_prot(&m, true);
	ck_fault(machine_run(&m, "\xea\0\0\2\0\x28\0", 7), EM_EX_GP, 0);	/* limit */
	ck_fault(machine_run(&m, "\xea\0\0\0\0\x10\0", 7), EM_EX_GP, SEL_DATA0);
	ck_fault(machine_run(&m, "\xea\0\0\0\0\x1b\0", 7), EM_EX_GP, SEL_CODE3 & ~3);
	ck_assert_int_eq(machine_run(&m, "\xea\0\0\0\0\x7b\0", 7), EM_DONE);	/* conforming */
	ck_assert_uint_eq(m.seg[EM_CS].sel, SEL_CONF);
}
END_TEST

/* A 32-bit call gate to ring 0 with two parameters, and the way back. */
static void put_gate(unsigned int params)
{
	poke(GDT_BASE + SEL_GATE, (u64)0x2222 | (u64)SEL_CODE0 << 16 | (u64)params << 32 |
	     0xecULL << 40, 8);
	poke(TSS_BASE + 4, 0x9000, 4);
	poke(TSS_BASE + 8, SEL_DATA0, 2);
}

START_TEST(call_gate)
{
	machine_prot(&m, true);
	put_gate(2);
	user_mode();
	poke(0x8000, 0x11111111, 4);
	poke(0x8004, 0x22222222, 4);
	ck_assert_int_eq(machine_run(&m, "\x9a\0\0\0\0\x63\0", 7), EM_DONE);
	ck_assert_uint_eq(m.c.cpl, 0);
	ck_assert_uint_eq(m.c.rip, 0x2222);
	ck_assert_uint_eq(m.seg[EM_CS].sel, SEL_CODE0);
	ck_assert_uint_eq(m.seg[EM_SS].sel, SEL_DATA0);
	ck_assert_uint_eq(GPR(RSP), 0x9000 - 24);
	ck_assert_uint_eq(peek(0x8ffc, 4), SEL_DATA3);
	ck_assert_uint_eq(peek(0x8ff8, 4), 0x8000);
	ck_assert_uint_eq(peek(0x8ff4, 4), 0x22222222);
	ck_assert_uint_eq(peek(0x8ff0, 4), 0x11111111);
	ck_assert_uint_eq(peek(0x8fec, 4), SEL_CODE3);
	ck_assert_uint_eq(peek(0x8fe8, 4), 0x1007);
	m.seg[EM_FS].attr = 0xc93;
	ck_assert_int_eq(RUN(retf8), EM_DONE);
	ck_assert_uint_eq(m.c.cpl, 3);
	ck_assert_uint_eq(m.c.rip, 0x1007);
	ck_assert_uint_eq(m.seg[EM_SS].sel, SEL_DATA3);
	ck_assert_uint_eq(GPR(RSP), 0x8008);
	ck_assert(!(m.seg[EM_FS].attr & EM_SEG_P));	/* ring 0 data is gone */
	ck_assert(m.seg[EM_DS].attr & EM_SEG_P);
}
END_TEST

START_TEST(call_gate_faults)
{
	machine_prot(&m, true);
	put_gate(0);
	user_mode();
	poke(TSS_BASE + 8, SEL_RODATA, 2);
	ck_fault(machine_run(&m, "\x9a\0\0\0\0\x63\0", 7), EM_EX_TS, SEL_RODATA);
	ck_assert_uint_eq(m.c.cpl, 3);
	poke(TSS_BASE + 8, SEL_DATA0, 2);
	poke(TSS_BASE + 4, HOLE_BASE + 4, 4);
	ck_fault(machine_run(&m, "\x9a\0\0\0\0\x63\0", 7), EM_EX_PF, 2);
	ck_assert_uint_eq(m.c.cpl, 3);
	ck_assert_uint_eq(GPR(RSP), 0x8000);
	ck_assert_uint_eq(m.seg[EM_SS].sel, SEL_DATA3);
	/* no room on the new stack: its selector is to blame */
	poke(TSS_BASE + 4, 0x9000, 4);
	machine_desc(&m, SEL_DATA0, 0, 0x8fff, 0x493);
	ck_assert_int_eq(machine_run(&m, "\x9a\0\0\0\0\x63\0", 7), EM_DONE);
	user_mode();
	GPR(RSP) = 0x8000;
	m.c.rip = 0x1000;
	poke(TSS_BASE + 4, 0x9004, 4);
	ck_fault(machine_run(&m, "\x9a\0\0\0\0\x63\0", 7), EM_EX_SS, SEL_DATA0);
	ck_assert_uint_eq(m.c.cpl, 3);
	m.ram[GDT_BASE + SEL_GATE + 5] = 0x8c;	/* DPL 0 */
	ck_fault(machine_run(&m, "\x9a\0\0\0\0\x63\0", 7), EM_EX_GP, SEL_GATE);
	m.ram[GDT_BASE + SEL_GATE + 5] = 0x6c;	/* absent */
	ck_fault(machine_run(&m, "\x9a\0\0\0\0\x63\0", 7), EM_EX_NP, SEL_GATE);
}
END_TEST

START_TEST(iret_outer)
{
	machine_prot(&m, true);
	poke(0x8000, 0x5000, 4);
	poke(0x8004, SEL_CODE3, 4);
	poke(0x8008, 0x3246 | X86_EFLAGS_RF, 4);
	poke(0x800c, 0x7777, 4);
	poke(0x8010, SEL_DATA3, 4);
	ck_assert_int_eq(RUN(iret32), EM_DONE);
	ck_assert_uint_eq(m.c.cpl, 3);
	ck_assert_uint_eq(GPR(RSP), 0x7777);
	ck_assert_uint_eq(m.c.rip, 0x5000);
	ck_assert_uint_eq(m.c.rflags, 0x3246 | X86_EFLAGS_RF);
	ck_assert(m.c.retire.unblock_nmi);
	/* ring 3 cannot go back in, nor change IOPL or, with IOPL 0, IF */
	poke(0x7777, 0x5000, 4);
	poke(0x777b, SEL_CODE0, 4);
	ck_fault(RUN(iret32), EM_EX_GP, SEL_CODE0);
	m.c.rflags = X86_EFLAGS_FIXED | X86_EFLAGS_IF;
	poke(0x777b, SEL_CODE3, 4);
	poke(0x777f, 0x3000, 4);
	ck_assert_int_eq(RUN(iret32), EM_DONE);
	ck_assert_uint_eq(m.c.rflags, X86_EFLAGS_FIXED | X86_EFLAGS_IF);
}
END_TEST

START_TEST(iret_v86)
{
	static const u32 frame[] = { 0x100, 0x200, 0x23202, 0xff0, 0x300, 0x400, 0x500, 0x600,
				     0x700 };

	machine_prot(&m, true);
	memcpy(m.ram + 0x8000, frame, sizeof(frame));
	ck_assert_int_eq(RUN(iret32), EM_DONE);
	ck_assert(m.c.rflags & X86_EFLAGS_VM);
	ck_assert_uint_eq(m.c.cpl, 3);
	ck_assert_uint_eq(m.c.rip, 0x100);
	ck_assert_uint_eq(m.seg[EM_CS].base, 0x2000);
	ck_assert_uint_eq(m.seg[EM_SS].base, 0x3000);
	ck_assert_uint_eq(m.seg[EM_GS].base, 0x7000);
	ck_assert_uint_eq(m.seg[EM_GS].attr, 0xf3);
	ck_assert_uint_eq(GPR(RSP), 0xff0);
}
END_TEST

START_TEST(soft_interrupts)
{
	machine_prot(&m, true);
	m.idt = (struct em_dt) { 0x3000, 0x407 };
	poke(0x3000 + 3 * 8, 0xee0000080000, 8);
	poke(0x3000 + 0x80 * 8, 0xee0000080000, 8);
	ck_fault(RUN(int80), 0x80, 0);
	ck_assert(m.c.fault.soft && m.c.fault.trap);
	ck_assert_uint_eq(m.c.rip, 0x1002);
	ck_fault(RUN(int3), EM_EX_BP, 0);
	ck_assert_uint_eq(m.c.rip, 0x1003);
	ck_fault(RUN(ud2), EM_EX_UD, 0);
	ck_assert(!m.c.fault.soft && !m.c.fault.trap);
	ck_assert_uint_eq(m.c.rip, 0x1003);
}
END_TEST

/* Refused by the gate itself, the instruction has not been executed. */
START_TEST(refused_interrupts)
{
	static const struct { u8 access, vector; } bad[] = {
		{ 0x8e, EM_EX_GP }, { 0xec, EM_EX_GP }, { 0xfe, EM_EX_GP }, { 0x6e, EM_EX_NP },
		{ 0xe0, EM_EX_GP }, { 0x0e, EM_EX_GP },
	};
	unsigned int i;

	for (i = 0; i < 2 * ARRAY_SIZE(bad); i++) {
		bool wide = i & 1;
		u32 at = 0x3000 + 0x80 * (wide ? 16 : 8);

		wide ? machine_long(&m) : machine_prot(&m, true);
		m.idt = (struct em_dt) { 0x3000, at - 0x3000 + (wide ? 15 : 7) };
		m.c.cpl = 3;
		poke(at, (u64)bad[i / 2].access << 40 | 0x80000, 8);
		ck_fault(RUN(int80), bad[i / 2].vector, 0x402);
		ck_assert(!m.c.fault.soft && m.c.rip == 0x1000);
		poke(at + 5, 0xef, 1);
		ck_fault(RUN(int80), 0x80, 0);
		m.c.rip = 0x1000;
		m.idt.limit--;
		ck_fault(RUN(int80), EM_EX_GP, 0x402);
	}
}
END_TEST

/* It clears TF: its handler is not stepped through. */
START_TEST(stepped_interrupt)
{
	machine_real(&m);
	m.c.rflags |= X86_EFLAGS_TF;
	ck_assert_int_eq(RUN(int80), EM_DONE);
	ck_assert(!m.c.retire.singlestep && m.c.retire.interrupt);
	ck_assert(!(m.c.rflags & X86_EFLAGS_TF));
}
END_TEST

START_TEST(port_permission)
{
	machine_prot(&m, true);
	m.dev_sync = true;
	user_mode();
	poke(TSS_BASE + 0x66, 0x68, 2);
	m.ram[TSS_BASE + 0x68 + 0x60 / 8] = 1;
	ck_fault(RUN(in_al), EM_EX_GP, 0);
	m.ram[TSS_BASE + 0x68 + 0x60 / 8] = 0;
	ck_assert_int_eq(RUN(in_al), EM_DONE);
	m.seg[EM_TR].limit = 0x70;
	ck_fault(RUN(in_al), EM_EX_GP, 0);
	ck_fault(RUN(cli), EM_EX_GP, 0);
	m.c.rflags |= X86_EFLAGS_IOPL;
	ck_assert_int_eq(RUN(in_al), EM_DONE);
	ck_assert_int_eq(RUN(cli), EM_DONE);
	m.c.mode = EM_VM86;
	m.seg[EM_CS].base = 0;
	ck_fault(RUN(in_al), EM_EX_GP, 0);
}
END_TEST

START_TEST(v86_monitor)
{
	machine_prot(&m, true);
	user_mode();
	m.c.mode = EM_VM86;
	m.c.rflags |= X86_EFLAGS_VM;
	ck_fault(RUN(iret16), EM_EX_GP, 0);
	ck_fault(RUN(int13), EM_EX_GP, 0);
	ck_fault(RUN(popf32), EM_EX_GP, 0);
	ck_fault(RUN(cli), EM_EX_GP, 0);
	ck_fault(RUN(lar), EM_EX_UD, 0);
}
END_TEST

START_TEST(privileged_registers)
{
	machine_prot(&m, true);
	GPR(RBX) = 0x3000;
	ck_assert_int_eq(RUN(invlpg), EM_DONE);
	ck_assert_int_eq(m.last_sys, EM_SYS_INVLPG);
	ck_assert_uint_eq(m.sys_arg, 0x3008);
	GPR(RCX) = 0xc0000082;
	GPR(RAX) = 0x55667788;
	GPR(RDX) = 0x11223344;
	ck_assert_int_eq(RUN(wrmsr), EM_DONE);
	ck_assert_uint_eq(m.lstar, 0x1122334455667788);
	GPR(RAX) = GPR(RDX) = 0;
	ck_assert_int_eq(RUN(rdmsr), EM_DONE);
	ck_assert_uint_eq(GPR(RDX), 0x11223344);
	GPR(RCX) = 0x12345;
	ck_fault(RUN(rdmsr), EM_EX_GP, 0);
	ck_fault(RUN(cr5), EM_EX_UD, 0);
	GPR(RAX) = 0x2400;
	ck_assert_int_eq(RUN(mov_dr7), EM_DONE);
	ck_fault(RUN(mov_dr7), EM_EX_DB, 0);
	ck_assert_uint_eq(m.c.fault.payload, BIT(13));
	ck_assert(!m.c.fault.trap);
	ck_assert_int_eq(RUN(sgdt), EM_DONE);
	ck_assert_uint_eq(peek(0x3000, 6), (u64)GDT_BASE << 16 | 0x9f);
	user_mode();
	ck_fault(RUN(rdmsr), EM_EX_GP, 0);
	ck_fault(RUN(invlpg), EM_EX_GP, 0);
	ck_assert_int_eq(RUN(sgdt), EM_DONE);
	m.c.cr4 |= X86_CR4_UMIP;
	ck_fault(RUN(sgdt), EM_EX_GP, 0);
	ck_assert_int_eq(RUN(cpuid), EM_DONE);
	ck_assert_int_eq(m.last_sys, EM_SYS_CPUID);
}
END_TEST

START_TEST(frames)
{
	machine_prot(&m, true);
	GPR(RBP) = 0x9000;
	poke(0x8ffc, 0xabcd, 4);
	ck_assert_int_eq(RUN(enter2), EM_DONE);
	ck_assert_uint_eq(peek(0x7ffc, 4), 0x9000);
	ck_assert_uint_eq(peek(0x7ff8, 4), 0xabcd);
	ck_assert_uint_eq(peek(0x7ff4, 4), 0x7ffc);
	ck_assert_uint_eq(GPR(RBP), 0x7ffc);
	ck_assert_uint_eq(GPR(RSP), 0x7ff4 - 16);
	ck_assert_int_eq(RUN(leave), EM_DONE);
	ck_assert_uint_eq(GPR(RBP), 0x9000);
	ck_assert_uint_eq(GPR(RSP), 0x8000);
	poke(0x8000, 0x1234, 4);
	ck_assert_int_eq(RUN(retn), EM_DONE);
	ck_assert_uint_eq(GPR(RSP), 0x8008);
	ck_assert_uint_eq(m.c.rip, 0x1234);
}
END_TEST

START_TEST(alignment_check)
{
	machine_prot(&m, true);
	user_mode();
	m.c.cr0 |= X86_CR0_AM;
	m.c.rflags |= X86_EFLAGS_AC;
	GPR(RBX) = 0x3002;
	ck_fault(RUN(load_ds), EM_EX_AC, 0);
	ck_assert(m.c.fault.has_error);
	GPR(RBX) = 0x3004;
	ck_assert_int_eq(RUN(load_ds), EM_DONE);
}
END_TEST

/* ---- tasks ---- */

static void put_tss2(void)
{
	static const u32 regs[8] = { 0xa0, 0xa1, 0xa2, 0xa3, 0x9000, 0xa5, 0xa6, 0xa7 };
	static const u32 segs[6] = { SEL_DATA0, SEL_CODE0, SEL_DATA0, SEL_DATA0, 0, 0 };

	poke(TSS2_BASE + 0x20, 0x6000, 4);
	poke(TSS2_BASE + 0x24, 0x202, 4);
	memcpy(m.ram + TSS2_BASE + 0x28, regs, sizeof(regs));
	memcpy(m.ram + TSS2_BASE + 0x48, segs, sizeof(segs));
}

START_TEST(task_call_and_back)
{
	machine_prot(&m, true);
	machine_desc(&m, SEL_TSS, TSS_BASE, 0x2067, 0x08b);
	put_tss2();
	GPR(RAX) = 0x12345678;
	ck_assert_int_eq(machine_run(&m, "\x9a\0\0\0\0\x70\0", 7), EM_DONE);
	ck_assert_uint_eq(m.c.rip, 0x6000);
	ck_assert_uint_eq(GPR(RAX), 0xa0);
	ck_assert_uint_eq(GPR(RSP), 0x9000);
	ck_assert(m.c.rflags & X86_EFLAGS_NT);
	ck_assert_uint_eq(m.seg[EM_TR].sel, SEL_TSS2);
	ck_assert_uint_eq(m.ram[GDT_BASE + SEL_TSS2 + 5], 0x8b);
	ck_assert_uint_eq(peek(TSS2_BASE, 2), SEL_TSS);
	ck_assert_uint_eq(peek(TSS_BASE + 0x20, 4), 0x1007);
	ck_assert_uint_eq(peek(TSS_BASE + 0x28, 4), 0x12345678);
	ck_assert(m.cr[0] & X86_CR0_TS);
	ck_assert(!(m.seg[EM_FS].attr & EM_SEG_P));
	ck_assert_int_eq(RUN(iret32), EM_DONE);
	ck_assert_uint_eq(m.c.rip, 0x1007);
	ck_assert_uint_eq(GPR(RAX), 0x12345678);
	ck_assert_uint_eq(m.seg[EM_TR].sel, SEL_TSS);
	ck_assert_uint_eq(m.ram[GDT_BASE + SEL_TSS2 + 5], 0x89);
	ck_assert_uint_eq(m.ram[GDT_BASE + SEL_TSS + 5], 0x8b);
	ck_assert(!(m.c.rflags & X86_EFLAGS_NT));
}
END_TEST

START_TEST(task_gate_with_error)
{
	machine_prot(&m, true);
	put_tss2();
	m.c.rip = 0x4442;
	m.c.next_rip = 0x4444;
	ck_assert_int_eq(em_task_switch(&m.c, SEL_TSS2, EM_SWITCH_GATE, true, 0x18), EM_DONE);
	ck_assert_uint_eq(m.c.rip, 0x6000);
	ck_assert_uint_eq(GPR(RSP), 0x8ffc);
	ck_assert_uint_eq(peek(0x8ffc, 4), 0x18);
	ck_assert_uint_eq(peek(TSS_BASE + 0x20, 4), 0x4444);
}
END_TEST

START_TEST(task_faults)
{
	machine_prot(&m, true);
	put_tss2();
	machine_desc(&m, SEL_TSS2, TSS2_BASE, 0x66, 0x089);
	m.c.next_rip = m.c.rip + 7;	/* an old task that is not left stays at its instruction */
	ck_fault(em_task_switch(&m.c, SEL_TSS2, EM_SWITCH_JMP, false, 0), EM_EX_TS, SEL_TSS2);
	ck_assert_uint_eq(m.c.rip, 0x1000);
	machine_desc(&m, SEL_TSS2, TSS2_BASE, 0x67, 0x08b);
	ck_fault(em_task_switch(&m.c, SEL_TSS2, EM_SWITCH_JMP, false, 0), EM_EX_GP, SEL_TSS2);
	ck_assert_uint_eq(m.c.rip, 0x1000);
	machine_desc(&m, SEL_TSS2, TSS2_BASE, 0x67, 0x089);
	/* A bad stack segment is the new task's fault. */
	poke(TSS2_BASE + 0x50, SEL_RODATA, 2);
	ck_fault(em_task_switch(&m.c, SEL_TSS2, EM_SWITCH_JMP, false, 0), EM_EX_TS, SEL_RODATA);
	ck_assert_uint_eq(m.c.rip, 0x6000);
	ck_assert_uint_eq(GPR(RAX), 0xa0);
	ck_assert_uint_eq(m.seg[EM_TR].sel, SEL_TSS2);
}
END_TEST

START_TEST(task_in_device_memory)
{
	machine_prot(&m, true);
	machine_desc(&m, SEL_TSS2, DEV_BASE, 0x67, 0x089);
	ck_assert_int_eq(em_task_switch(&m.c, SEL_TSS2, EM_SWITCH_JMP, false, 0),
			 EM_UNSUPPORTED);
}
END_TEST

/* ---- long mode ---- */

CODE(64, syscall_insn, "syscall");
CODE(64, sysretq, "sysretq");
CODE(64, swapgs, "swapgs");
CODE(64, iretq, "iretq");
CODE(64, load_rbx, "mov (%rbx), %rax");
CODE(64, load_rbp, "mov (%rbp), %rax");
CODE(64, load_gs, "mov %gs:8, %rax");
CODE(64, load_rip, "mov 0x100(%rip), %rax");
CODE(64, jmp_rax, "jmp *%rax");
CODE(64, push_fs, "push %fs");
CODE(64, lea32, "lea 4(%rbx), %eax");
CODE(64, call_m, "lcall *(%rbx)");
CODE(64, old_push, ".byte 0x06");
CODE(64, cr8, "mov %rax, %cr8");
CODE(64, mwait, "mwait");

START_TEST(long_addresses)
{
	machine_long(&m);
	GPR(RBX) = 0x800000000000;
	GPR(RBP) = 0x800000000000;
	ck_fault(RUN(load_rbx), EM_EX_GP, 0);
	ck_fault(RUN(load_rbp), EM_EX_SS, 0);
	m.seg[EM_GS].base = 0x3000;
	m.seg[EM_DS].base = 0x9999;	/* does not count */
	poke(0x3008, 0x1122334455667788, 8);
	ck_assert_int_eq(RUN(load_gs), EM_DONE);
	ck_assert_uint_eq(GPR(RAX), 0x1122334455667788);
	m.c.rip = 0x2f01;
	ck_assert_int_eq(RUN(load_rip), EM_DONE);
	ck_assert_uint_eq(GPR(RAX), 0x1122334455667788);
	GPR(RAX) = 0x800000000000;
	ck_fault(RUN(jmp_rax), EM_EX_GP, 0);
	ck_assert_int_eq(RUN(push_fs), EM_DONE);
	ck_assert_uint_eq(GPR(RSP), 0x7ff8);
	GPR(RBX) = 0xfffffffffffffffe;
	ck_assert_int_eq(RUN(lea32), EM_DONE);
	ck_assert_uint_eq(GPR(RAX), 2);
	ck_fault(RUN(old_push), EM_EX_UD, 0);
	m.c.cpl = 3;
	ck_fault(RUN(cr8), EM_EX_GP, 0);
	ck_fault(RUN(mwait), EM_EX_UD, 0);
}
END_TEST

START_TEST(fast_system_calls)
{
	machine_long(&m);
	m.star = 0x0023000800000000;
	m.lstar = 0xffffffff81000000;
	m.sfmask = X86_EFLAGS_IF;
	m.c.rflags |= X86_EFLAGS_IF;
	m.c.cpl = 3;
	ck_assert_int_eq(RUN(syscall_insn), EM_DONE);
	ck_assert_uint_eq(m.c.rip, 0xffffffff81000000);
	ck_assert_uint_eq(GPR(RCX), 0x1002);
	ck_assert_uint_eq(GPR(11), 0x202);
	ck_assert(!(m.c.rflags & X86_EFLAGS_IF));
	ck_assert_uint_eq(m.seg[EM_CS].sel, 8);
	ck_assert_uint_eq(m.seg[EM_SS].sel, 16);
	ck_assert_uint_eq(m.c.cpl, 0);
	m.c.rip = 0x1000;
	ck_assert_int_eq(RUN(sysretq), EM_DONE);
	ck_assert_uint_eq(m.c.rip, 0x1002);
	ck_assert_uint_eq(m.seg[EM_CS].sel, 0x33);
	ck_assert_uint_eq(m.seg[EM_SS].sel, 0x2b);
	ck_assert_uint_eq(m.c.cpl, 3);
	ck_assert(m.c.rflags & X86_EFLAGS_IF);
	ck_fault(RUN(sysretq), EM_EX_GP, 0);
	m.c.efer &= ~1ULL;
	ck_fault(RUN(syscall_insn), EM_EX_UD, 0);
}
END_TEST

START_TEST(swap_gs)
{
	machine_long(&m);
	m.seg[EM_GS].base = 1;
	m.kernel_gs = 2;
	ck_assert_int_eq(RUN(swapgs), EM_DONE);
	ck_assert_uint_eq(m.seg[EM_GS].base, 2);
	ck_assert_uint_eq(m.kernel_gs, 1);
}
END_TEST

START_TEST(iret_long)
{
	machine_long(&m);
	machine_desc(&m, SEL_CODE3, 0, 0xfffff, 0xafb);
	poke(0x8000, 0x5000, 8);
	poke(0x8008, SEL_CODE3, 8);
	poke(0x8010, 0x202, 8);
	poke(0x8018, 0x7ffffff000, 8);
	poke(0x8020, SEL_DATA3, 8);
	ck_assert_int_eq(RUN(iretq), EM_DONE);
	ck_assert_uint_eq(m.c.cpl, 3);
	ck_assert_uint_eq(GPR(RSP), 0x7ffffff000);
	machine_long(&m);
	poke(0x8000, 0x5000, 8);
	poke(0x8008, SEL_CODE0, 8);
	poke(0x8018, 0x7000, 8);
	poke(0x8020, 0, 8);		/* a null stack segment is fine in ring 0 */
	ck_assert_int_eq(RUN(iretq), EM_DONE);
	ck_assert_uint_eq(GPR(RSP), 0x7000);
	m.c.rflags |= X86_EFLAGS_NT;
	m.c.rip = 0x1000;
	ck_fault(RUN(iretq), EM_EX_GP, 0);
}
END_TEST

START_TEST(long_call_gate)
{
	machine_long(&m);
	poke(GDT_BASE + SEL_GATE, (u64)0x2222 | (u64)SEL_CODE0 << 16 | 0xecULL << 40, 8);
	poke(GDT_BASE + SEL_GATE + 8, 0x8000, 8);
	poke(TSS_BASE + 4, 0x9000, 8);
	user_mode();
	m.seg[EM_CS].attr = 0xafb;
	GPR(RBX) = 0x3000;
	poke(0x3000, 0, 4);
	poke(0x3004, SEL_GATE | 3, 2);
	ck_assert_int_eq(RUN(call_m), EM_FAULT);	/* not canonical */
	ck_assert_uint_eq(m.c.fault.vector, EM_EX_GP);
	poke(GDT_BASE + SEL_GATE + 8, 0, 8);
	ck_assert_int_eq(RUN(call_m), EM_DONE);
	ck_assert_uint_eq(m.c.rip, 0x2222);
	ck_assert_uint_eq(GPR(RSP), 0x9000 - 32);
	ck_assert_uint_eq(peek(0x8ff8, 8), SEL_DATA3);
	ck_assert_uint_eq(peek(0x8ff0, 8), 0x8000);
	ck_assert_uint_eq(peek(0x8fe0, 8), 0x1002);
	ck_assert_uint_eq(m.seg[EM_SS].sel, 0);
	ck_assert_uint_eq(m.c.cpl, 0);
}
END_TEST

/* ---- system management mode ---- */

static void smm_round_trip(bool long_layout)
{
	static struct machine before;
	unsigned int i, n = long_layout ? 16 : 8;
	u32 smbase = 0x30000;

	for (i = 0; i < n; i++)
		GPR(i) = 0x1000001 * (i + 1);
	m.c.rflags |= X86_EFLAGS_IF | X86_EFLAGS_CF;
	m.cr[3] = 0x123000;
	m.dr[7] = 0x401;
	m.dr[6] = 0xffff0ff0;
	m.seg[EM_FS].base = 0xabcd000;
	before = m;
	ck_assert_int_eq(em_smi(&m.c, smbase, long_layout, true), EM_DONE);
	ck_assert_uint_eq(m.c.rip, 0x8000);
	ck_assert_uint_eq(m.c.rflags, X86_EFLAGS_FIXED);
	ck_assert_uint_eq(m.seg[EM_CS].base, 0x30000);
	ck_assert_uint_eq(m.seg[EM_CS].sel, 0x3000);
	ck_assert_uint_eq(m.cr[0] & (X86_CR0_PE | X86_CR0_PG), 0);
	ck_assert_uint_eq(m.cr[4], 0);
	ck_assert_uint_eq(m.dr[7], 0x400);
	ck_assert_uint_eq(peek(0x3fefc, 4), long_layout ? 0x20064 : 0x20000);
	poke(long_layout ? 0x3ff00 : 0x3fef8, 0xa0000, 4);
	for (i = 0; i < 16; i++)
		GPR(i) = 0;
	ck_assert_int_eq(em_rsm(&m.c, &smbase, long_layout), EM_DONE);
	ck_assert_uint_eq(smbase, 0xa0000);
	ck_assert(m.c.retire.rsm && m.c.retire.hlt);
	ck_assert_int_eq(memcmp(m.c.gpr, before.c.gpr, n * 8), 0);
	ck_assert_uint_eq(m.c.rip, before.c.rip);
	ck_assert_uint_eq(m.c.rflags, before.c.rflags);
	ck_assert_int_eq(m.c.mode, before.c.mode);
	ck_assert_uint_eq(m.c.cpl, before.c.cpl);
	ck_assert_int_eq(memcmp(m.cr, before.cr, sizeof(m.cr)), 0);
	ck_assert_int_eq(memcmp(m.dr, before.dr, sizeof(m.dr)), 0);
	for (i = 0; i < EM_NR_SEGS; i++) {
		ck_assert_uint_eq(m.seg[i].sel, before.seg[i].sel);
		ck_assert_uint_eq(m.seg[i].attr, before.seg[i].attr);
		ck_assert_uint_eq(m.seg[i].limit, before.seg[i].limit);
		ck_assert_uint_eq(m.seg[i].base, before.seg[i].base);
	}
	ck_assert_uint_eq(m.gdt.base, before.gdt.base);
	ck_assert_uint_eq(m.idt.limit, before.idt.limit);
}

START_TEST(smm)
{
	machine_real(&m);
	smm_round_trip(true);
	machine_real(&m);
	smm_round_trip(false);
	machine_prot(&m, true);
	user_mode();
	smm_round_trip(false);
	machine_prot(&m, false);
	smm_round_trip(true);
	machine_long(&m);
	smm_round_trip(true);
	ck_assert_uint_eq(m.efer, BIT(0) | BIT(8));	/* LMA follows from CR0.PG */
}
END_TEST

int main(void)
{
	const struct {
		const char *name;
		const TTest *tests[20];
	} cases[] = {
		{ "device", { device_read, device_rmw, device_stack, device_locked, device_jump,
			      device_vector, vector_rules } },
		{ "string", { rep_to_device, rep_device_to_device, rep_faults_midway, rep_yields,
			      rep_gives_way, rep_single_steps, rep_compares, port_strings,
			      large_outs_can_wait, ins_probes_first } },
		{ "locked", { lost_race, double_cmpxchg } },
		{ "decode", { too_long, at_the_edge, insn_lengths } },
		{ "real", { real_far, real_interrupts, real_segments, real_system, real_ports } },
		{ "protected", { data_segments, accessed_bit, expand_down, system_segments,
				 far_to_16bit, call_gate, call_gate_faults, iret_outer, iret_v86,
				 soft_interrupts, refused_interrupts, stepped_interrupt, port_permission, v86_monitor,
				 privileged_registers, frames, alignment_check } },
		{ "task", { task_call_and_back, task_gate_with_error, task_faults,
			    task_in_device_memory } },
		{ "long", { long_addresses, fast_system_calls, swap_gs, iret_long,
			    long_call_gate } },
		{ "smm", { smm } },
	};
	Suite *s = suite_create("emulator");
	unsigned int i, j;
	SRunner *sr;
	int failed;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		TCase *tc = tcase_create(cases[i].name);

		for (j = 0; j < 20 && cases[i].tests[j]; j++)
			tcase_add_test(tc, cases[i].tests[j]);
		suite_add_tcase(s, tc);
	}
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
