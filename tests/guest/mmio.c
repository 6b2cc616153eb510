// SPDX-License-Identifier: GPL-2.0
/*
 * Instructions on memory that is not there: every form is run on a device that the host emulates
 * byte by byte, and on plain memory; both must end in the same registers, flags and bytes. So the
 * CPU itself says what is right.
 */
#include "guest.h"

GUEST_HEADER(HEADER_CPUS(1));

#define RAM 0x300000	/* two pages of plain memory to compare with */

struct state {
	u64 rax, rbx, rcx, rdx, rsi, rdi, flags;
	u64 xmm[4];
};

/* All tests have the address in rdi (and in rsi: rdi + 0x100), and known values in the others. */
#define FORM(name, insn) \
	static void f_##name(u64 rdi, u64 rsi, u64 rcx, struct state *s) \
	{ \
		u64 rax = 0x8899aabbccddeeff, rbx = 0x0123456789abcdef, rdx = 0x0f1e2d3c4b5a6978, \
		flags; \
		asm volatile("movq %%rax, %%xmm0; movq %%rbx, %%xmm1; punpcklqdq %%xmm0, %%xmm1;" \
			     "movdqa %%xmm1, %%xmm0;" \
			     "push $0x2; popf;" insn "; pushf; pop %[fl]; movdqu %%xmm0, (%[x]);" \
						     "movdqu %%xmm1, 16(%[x]); cld" \
			     : "+a" (rax), "+b" (rbx), "+c" (rcx), "+d" (rdx), "+S" (rsi), \
			     "+D" (rdi), [fl] "=&r" (flags) \
			     : [x] "r" (s->xmm) : "memory", "cc", "r8"); \
		s->rax = rax; \
		s->rbx = rbx; \
		s->rcx = rcx; \
		s->rdx = rdx; \
		s->rsi = rsi; \
		s->rdi = rdi; \
		s->flags = flags & 0xcd5; \
	}

/* Flags left undefined by the architecture are not compared: mask. */
#define FORMS(X) \
	X(mov_r8, "mov (%%rdi), %%al", 0xcd5) \
	X(mov_r16, "mov (%%rdi), %%ax", 0xcd5) \
	X(mov_r32, "mov (%%rdi), %%eax", 0xcd5) \
	X(mov_r64, "mov (%%rdi), %%rax", 0xcd5) \
	X(mov_ah, "mov (%%rdi), %%ah", 0xcd5) \
	X(mov_w8, "mov %%bl, (%%rdi)", 0xcd5) \
	X(mov_wh, "mov %%bh, (%%rdi)", 0xcd5) \
	X(mov_w16, "mov %%bx, (%%rdi)", 0xcd5) \
	X(mov_w32, "mov %%ebx, (%%rdi)", 0xcd5) \
	X(mov_w64, "mov %%rbx, (%%rdi)", 0xcd5) \
	X(mov_i8, "movb $0x81, (%%rdi)", 0xcd5) \
	X(mov_i16, "movw $0x8123, (%%rdi)", 0xcd5) \
	X(mov_i32, "movl $0x81234567, (%%rdi)", 0xcd5) \
	X(mov_i64, "movq $-0x1234567, (%%rdi)", 0xcd5) \
	X(mov_sib, "mov $4, %%edx; mov 8(%%rdi,%%rdx,2), %%eax", 0xcd5) \
	X(mov_a32, "mov (%%edi), %%eax", 0xcd5) \
	X(movzx8, "movzbl (%%rdi), %%eax", 0xcd5) \
	X(movzx16, "movzwq (%%rdi), %%rax", 0xcd5) \
	X(movsx8, "movsbw (%%rdi), %%ax", 0xcd5) \
	X(movsx16, "movswl (%%rdi), %%eax", 0xcd5) \
	X(movsxd, "movslq (%%rdi), %%rax", 0xcd5) \
	X(add_m, "add %%ebx, (%%rdi)", 0xcd5) \
	X(add_r, "add (%%rdi), %%rbx", 0xcd5) \
	X(adc_m, "stc; adc %%bx, (%%rdi)", 0xcd5) \
	X(sub_m, "sub %%bl, (%%rdi)", 0xcd5) \
	X(sbb_m, "stc; sbb %%rbx, (%%rdi)", 0xcd5) \
	X(and_m, "and %%ebx, (%%rdi)", 0xcc5) \
	X(or_m, "or %%rbx, (%%rdi)", 0xcc5) \
	X(or_i, "orb $0x40, (%%rdi)", 0xcc5) \
	X(xor_m, "xor %%bx, (%%rdi)", 0xcc5) \
	X(cmp_m, "cmp %%ebx, (%%rdi)", 0xcd5) \
	X(cmp_r, "cmp (%%rdi), %%rbx", 0xcd5) \
	X(cmp_i, "cmpl $-5, (%%rdi)", 0xcd5) \
	X(test_m, "test %%ebx, (%%rdi)", 0xcc5) \
	X(test_i, "testb $0x21, (%%rdi)", 0xcc5) \
	X(inc, "incl (%%rdi)", 0xcd5) \
	X(dec, "decb (%%rdi)", 0xcd5) \
	X(neg, "negq (%%rdi)", 0xcd5) \
	X(not, "notw (%%rdi)", 0xcd5) \
	X(shl, "shll $3, (%%rdi)", 0x0c5) \
	X(shr_cl, "mov $5, %%ecx; shrq %%cl, (%%rdi)", 0x0c5) \
	X(sar, "sarw (%%rdi)", 0x8c5) \
	X(rol, "rolb $1, (%%rdi)", 0x801) \
	X(rcr, "stc; rcrl $1, (%%rdi)", 0x801) \
	X(shld, "shld $7, %%ebx, (%%rdi)", 0x0c5) \
	X(shrd, "mov $9, %%ecx; shrd %%cl, %%rbx, (%%rdi)", 0x0c5) \
	X(bt, "mov $13, %%ebx; bt %%ebx, (%%rdi)", 0x001) \
	X(bts, "mov $77, %%ebx; bts %%rbx, (%%rdi)", 0x001) \
	X(btr, "btrl $6, (%%rdi)", 0x001) \
	X(btc, "mov $21, %%ebx; lock btc %%ebx, (%%rdi)", 0x001) \
	X(bsf, "bsf (%%rdi), %%eax", 0x040) \
	X(bsr, "bsr (%%rdi), %%rax", 0x040) \
	X(xchg, "xchg %%ebx, (%%rdi)", 0xcd5) \
	X(xadd, "lock xadd %%rbx, (%%rdi)", 0xcd5) \
	X(cmpxchg_no, "cmpxchg %%ebx, (%%rdi)", 0xcd5) \
	X(cmpxchg_yes, "mov (%%rdi), %%rax; lock cmpxchg %%rbx, (%%rdi)", 0xcd5) \
	X(cmpxchg8b, "mov (%%rdi), %%eax; mov 4(%%rdi), %%edx; mov $77, %%ecx;" \
		     "lock cmpxchg8b (%%rdi)", 0x040) \
	X(mul, "mull (%%rdi)", 0x801) \
	X(imul, "imulq (%%rdi)", 0x801) \
	X(imul2, "imul (%%rdi), %%ebx", 0x801) \
	X(imul3, "imul $-9, (%%rdi), %%ecx", 0x801) \
	X(div, "xor %%edx, %%edx; mov $1000000, %%eax; divl (%%rdi)", 0) \
	X(idiv, "mov $-500000, %%rax; cqo; idivq (%%rdi)", 0) \
	X(push, "push (%%rdi); pop %%rbx", 0xcd5) \
	X(pop, "push %%rbx; pop (%%rdi)", 0xcd5) \
	X(call, "lea 1f(%%rip), %%rax; mov %%rax, (%%rdi); call *(%%rdi); jmp 2f; 1: ret;" \
		"2: xor %%eax, %%eax; mov %%rax, (%%rdi)", 0) \
	X(jmp, "lea 1f(%%rip), %%rax; mov %%rax, (%%rdi); jmp *(%%rdi); ud2; 1: xor %%eax, %%eax;" \
	       "mov %%rax, (%%rdi)", 0) \
	X(setcc, "stc; setc (%%rdi)", 0xcd5) \
	X(cmov, "stc; cmovc (%%rdi), %%ebx", 0xcd5) \
	X(cmov_no, "clc; cmovc (%%rdi), %%ebx", 0xcd5) \
	X(movnti, "movnti %%rbx, (%%rdi)", 0xcd5) \
	X(movs, "mov $40, %%ecx; rep movsb", 0xcd5) \
	X(movs8, "mov $20, %%ecx; rep movsq", 0xcd5) \
	X(movs_back, "add $64, %%rdi; add $64, %%rsi; mov $9, %%ecx; std; rep movsl; cld", 0x8d5) \
	X(stos, "mov $50, %%ecx; rep stosw", 0xcd5) \
	X(lods, "lodsl", 0xcd5) \
	X(scas, "mov $0x11, %%al; mov $64, %%ecx; repne scasb", 0xcd5) \
	X(cmps, "mov $64, %%ecx; repe cmpsb", 0xcd5) \
	X(ins, "mov $0xea, %%edx; mov $16, %%ecx; mov %%rdi, %%r8; push %%rdi; push %%rsi;" \
	       "mov %%rdi, %%rsi; rep outsb;" \
	       "pop %%rsi; pop %%rdi; mov $16, %%ecx; add $64, %%rdi; rep insb", 0xcd5) \
	X(movaps_w, "movaps %%xmm1, (%%rdi)", 0xcd5) \
	X(movaps_r, "movaps (%%rdi), %%xmm0", 0xcd5) \
	X(movups_w, "movups %%xmm1, (%%rdi)", 0xcd5) \
	X(movups_r, "movups (%%rdi), %%xmm0", 0xcd5) \
	X(movdqa_w, "movdqa %%xmm1, (%%rdi)", 0xcd5) \
	X(movdqa_r, "movdqa (%%rdi), %%xmm0", 0xcd5) \
	X(movdqu_w, "movdqu %%xmm1, (%%rdi)", 0xcd5) \
	X(movdqu_r, "movdqu (%%rdi), %%xmm0", 0xcd5)

#define X(name, insn, mask) FORM(name, insn)
FORMS(X)
#undef X

#define X(n, insn, m) { #n, f_##n, m },
static const struct form {
	const char *name;
	void (*run)(u64 rdi, u64 rsi, u64 rcx, struct state *s);
	u64 mask;
} forms[] = { FORMS(X) };
#undef X

static const struct form *now;

static void fill(volatile u64 *p)
{
	u64 v = 0x0102030405060708;

	for (u32 i = 0; i < 0x2000 / 8; i++, v = v * 6364136223846793005 + 1442695040888963407)
		p[i] = v | 0x1000;
}

static void one(const struct form *f, u32 offset)
{
	u64 dev = DEVICE + offset, ram = RAM + offset;
	struct state a = { 0 }, b = { 0 };
	volatile u64 *d = (u64 *)(dev & ~7ull), *r = (u64 *)(ram & ~7ull);
	int before = failures;

	now = f;
	for (u32 i = 0; i < 0x40; i++)
		d[i] = r[i] = 0x1133557799bbddffull * (i + 3);
	f->run(dev, dev + 0x100, 0, &a);
	f->run(ram, ram + 0x100, 0, &b);
	CHECK_EQ("rax", a.rax, b.rax);
	CHECK_EQ("rbx", a.rbx, b.rbx);
	CHECK_EQ("rcx", a.rcx, b.rcx);
	CHECK_EQ("rdx", a.rdx, b.rdx);
	CHECK_EQ("rsi", a.rsi - DEVICE, b.rsi - RAM);
	CHECK_EQ("rdi", a.rdi - DEVICE, b.rdi - RAM);
	CHECK_EQ("flags", a.flags & f->mask, b.flags & f->mask);
	for (int i = 0; i < 4; i++)
		CHECK_EQ("xmm", a.xmm[i], b.xmm[i]);
	for (u32 i = 0; i < 0x40; i++)
		CHECK_EQ("memory", d[i], r[i]);
	if (failures != before) {
		put("  ... in ");
		put(f->name);
		put(" at offset ");
		put_hex(offset);
		put("\n");
	}
}

/* From the last bytes of RAM into the device behind it, and over the device's page boundary. */
static void boundaries(void)
{
	u8 *end = (u8 *)(ulong)DEVICE;
	u64 v = 0x1122334455667788, got, n = 32;
	u8 *from, *to;

	for (int i = 1; i < 8; i++) {
		*(volatile u64 *)(end - i) = v;
		got = *(volatile u64 *)(end - i);
		CHECK_EQ("over the end of RAM", got, v);
		CHECK_EQ("its part in RAM", end[-i], 0x88);
		CHECK_EQ("its part in the device", end[7 - i], 0x11);
		*(volatile u64 *)(end + 0x1000 - i) = v;
		got = *(volatile u64 *)(end + 0x1000 - i);
		CHECK_EQ("over a page of the device", got, v);
	}
	/* A string move from RAM into the device over both. */
	for (int i = 0; i < 32; i++)
		end[-64 + i] = i;
	from = end - 64;
	to = end - 16;
	asm volatile("rep movsb" : "+S" (from), "+D" (to), "+c" (n) : : "memory");
	for (int i = 0; i < 32; i++)
		CHECK_EQ("string over the end of RAM", end[-16 + i], i);
}

/* The code page itself may be missing when the instruction is to be looked at. */
static void code_dropped(void)
{
	u32 v = 0;

	*(volatile u32 *)(ulong)DEVICE = 0x12345678;
	for (int i = 0; i < 3; i++) {
		asm volatile("out %%eax, $0xe1;"
			     "mov (%1), %0" : "=a" (v) : "r" ((u64)DEVICE) : "memory");
		CHECK_EQ("read with all dropped", v, 0x12345678);
	}
}

/* An intercepted instruction at the same offset in its page as the device's register before it. */
static void same_offset(void)
{
	u64 a = 0x80000000, b, c, d;

	asm volatile("lea 1f(%%rip), %%rdx; and $0xfff, %%edx; mov (%4,%%rdx), %%cl; xor %%ecx, %%ecx;"
		     "1: cpuid" : "+a" (a), "=&b" (b), "=&c" (c), "=&d" (d) : "r" ((u64)DEVICE));
	CHECK_EQ("cpuid after a device", a >= 0x80000000, true);
}

/* A segment base counts for the device's address. */
static void segments(void)
{
	u32 v;

	*(volatile u32 *)(ulong)(DEVICE + 0x40) = 0xfeedbeef;
	wrmsr(0xc0000101, DEVICE);
	asm volatile("mov %%gs:0x40, %0" : "=r" (v));
	CHECK_EQ("gs base", v, 0xfeedbeef);
	wrmsr(0xc0000100, DEVICE + 0x20);
	asm volatile("movl $0x77, %%fs:0x30" ::: "memory");
	CHECK_EQ("fs base", *(volatile u32 *)(ulong)(DEVICE + 0x50), 0x77);
}

/*
 * Code that changes itself: by plain stores, from a page just dropped, and by a store of the
 * emulator's (into the next line).
 */
static void self_modifying(void)
{
	static const u8 insn[] = { 0xb8, 0x44, 0x33, 0x22, 0x11, 0xc3 };
	u8 *code = (u8 *)0x400000;
	u32 (*fn)(void) = (void *)code;
	u8 *to = code;
	u64 n = 6;

	for (u32 i = 0; i < 20; i++) {
		code[0] = 0xb8;				/* mov $imm32, %eax */
		*(volatile u32 *)(code + 1) = i * 0x01010101;
		code[5] = 0xc3;
		if (i & 1)
			outl(PORT_DROP, 0x400000);
		if (i & 2)
			outl(PORT_PROTECT, 0);
		CHECK_EQ("changed code", fn(), i * 0x01010101);
	}
	/* An instruction that is emulated writes the next one: string input into code. */
	for (int i = 0; i < 6; i++)
		outb(PORT_FIFO, insn[i]);
	asm volatile("rep insb" : "+D" (to), "+c" (n) : "d" (PORT_FIFO) : "memory");
	CHECK_EQ("code that was read from a port", fn(), 0x11223344);
}

static void ports(void)
{
	u8 *p = (u8 *)0x3ffff0;

	outl(PORT_ECHO, 0x11223344);
	CHECK_EQ("in 4", inl(PORT_ECHO), 0x11223344);
	CHECK_EQ("in 1", inb(PORT_ECHO), 0x45);
	/* A string over a page boundary, each page dropped before. */
	for (int i = 0; i < 32; i++)
		p[i] = 0x80 + i;
	outl(PORT_DROP_ALL, 0);
	{
		u8 *s = p, *d = p + 0x1000;
		u64 n = 32, m = 8;

		asm volatile("rep outsb" : "+S" (s), "+c" (n) : "d" (PORT_FIFO) : "memory");
		CHECK_EQ("rsi after outs", (u64)s, (u64)p + 32);
		CHECK_EQ("rcx after outs", n, 0);
		asm volatile("out %%eax, $0xe1;"
			     "rep insl" : "+D" (d), "+c" (m) : "d" (PORT_FIFO) : "memory");
		CHECK_EQ("rdi after ins", (u64)d, (u64)p + 0x1000 + 32);
	}
	for (int i = 0; i < 32; i++)
		CHECK_EQ("string through a port", p[0x1000 + i], 0x80 + i);
	/* rcx = 0 does nothing. */
	{
		u64 n = 0;
		u8 *d = p;

		asm volatile("rep insb" : "+D" (d), "+c" (n) : "d" (PORT_FIFO) : "memory");
		CHECK_EQ("rep with 0", (u64)d, (u64)p);
	}
	/* Down. */
	for (int i = 0; i < 4; i++)
		outb(PORT_FIFO, i);
	{
		u8 *d = p + 3;
		u64 n = 4;

		asm volatile("std; rep insb;"
			     "cld" : "+D" (d), "+c" (n) : "d" (PORT_FIFO) : "memory");
		for (int i = 0; i < 4; i++)
			CHECK_EQ("ins downwards", p[i], 3 - i);
	}
}

void trap(struct frame *f)
{
	put("exception ");
	put_hex(f->vector);
	put(" at ");
	put_hex(f->rip);
	put(" in ");
	put(now->name);
	put("\n");
	failures++;
	done();
}

void guest_main(int cpu)
{
	(void)cpu;
	idt_setup(STACKS + 0xe000);
	fill((u64 *)RAM);
	for (u32 i = 0; i < ARRAY_SIZE(forms); i++)
		one(&forms[i], 0x100);
	/* Unaligned, and over the page boundary, where that is allowed. */
	for (u32 i = 0; i < ARRAY_SIZE(forms); i++) {
		if (forms[i].run == f_movaps_w || forms[i].run == f_movaps_r ||
		    forms[i].run == f_movdqa_w ||
		    forms[i].run == f_movdqa_r)
			continue;
		one(&forms[i], 0x203);
		one(&forms[i], 0xffe);
	}
	boundaries();
	code_dropped();
	segments();
	same_offset();
	self_modifying();
	ports();
	done();
}
