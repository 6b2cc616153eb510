// SPDX-License-Identifier: GPL-2.0
/*
 * Real mode, entered from long mode and left again: interrupts through the vector table, far calls
 * and returns, string I/O, segment limits of "unreal" mode, MMIO, each also with the pages dropped.
 * On CPUs or settings without real mode in guests all of it runs in the emulator.
 */
#include "guest.h"

GUEST_HEADER(HEADER_CPUS(1));

#define REAL 0x8000	/* where the 16-bit code runs */

/*
 * The 16-bit part keeps a bit for each test that it passes in results, at the start of its page. It
 * is entered in real mode with CS = 0 and returns to long mode by itself.
 */
asm(".pushsection .text\n"
    ".code16\n"
    "real_start:\n"
    "results: .long 0\n"
    "scratch: .long 0, 0, 0, 0\n"
    ".macro pass n; orl $1 << \\n, %cs:(0x8000 + results - real_start); .endm\n"
    "real_entry:\n"
    "	xor %ax, %ax; mov %ax, %ds; mov %ax, %es; mov %ax, %ss; mov %ax, %fs; mov %ax, %gs;"
    "mov $0x7000, %sp\n"
    "	lidt %cs:(0x8000 + real_idt - real_start)\n"
    /* 0: INT n: flags, CS and IP on the stack, IF clear in the handler */
    "	movw $(0x8000 + int40 - real_start), 0x40 * 4; movw $0, 0x40 * 4 + 2\n"
    "	mov $0x1111, %bx; stc; int $0x40\n"
    "after40: jnc 1f; cmp $0x2222, %bx; jne 1f; pass 0\n"
    "1:\n"
    /* 1: the same with all pages dropped between */
    "	mov $0x1111, %bx; xor %eax, %eax; out %eax, $0xe1; int $0x40; cmp $0x2222, %bx; jne 1f;"
    "pass 1\n"
    "1:\n"
    /* 2: divide error is a fault here, too: the handler sees IP of the instruction */
    "	movw $(0x8000 + int0 - real_start), 0; movw $0, 2\n"
    "	xor %cx, %cx; out %eax, $0xe1; div_at: div %cx; jmp 1f\n"
    "div_ok: pass 2\n"
    "1:\n"
    /* 3: far call and return over segments */
    "	push %cs; lcall $0x0800, $(far - real_start); pop %ax; cmp $0x3333, %dx; jne 1f; pass 3\n"
    "1:\n"
    /* 4: string output and input through a port */
    "	mov $(0x8000 + text - real_start), %si; mov $8, %cx; mov $0xea, %dx; cld; rep outsb\n"
    "	mov $(0x8000 + scratch - real_start), %di; mov $8, %cx; rep insb\n"
    "	mov (0x8000 + scratch - real_start), %eax; cmp (0x8000 + text - real_start), %eax; jne 1f\n"
    "	mov (0x8000 + scratch + 4 - real_start), %eax; cmp (0x8000 + text + 4 - real_start), %eax;"
    "jne 1f; pass 4\n"
    "1:\n"
    /* 5: BCD, AAM, AAD, old instructions of 16-bit mode */
    "	mov $0x79, %al; add $0x35, %al; daa; cmp $0x14, %al; jne 1f; mov $77, %al; aam;"
    "cmp $0x0707, %ax; jne 1f\n"
    "	aad; cmp $77, %al; jne 1f; pass 5\n"
    "1:\n"
    /* 6: pusha, popa, enter, leave, xlat, les */
    "	mov $0x1234, %bx; mov $0x5678, %si; pusha; xor %bx, %bx; xor %si, %si; popa;"
    "cmp $0x1234, %bx; jne 1f\n"
    "	cmp $0x5678, %si; jne 1f; mov %sp, %di; enter $16, $0; leave; cmp %sp, %di; jne 1f;"
    "pass 6\n"
    "1:\n"
    /* 7: big real mode: 4 GiB segments, MMIO through one */
    "	lgdtl %cs:(0x8000 + real_gdt - real_start); mov %cr0, %eax; or $1, %al; mov %eax, %cr0;"
    "jmp 2f\n"
    "2:	mov $0x10, %bx; mov %bx, %fs; and $0xfe, %al; mov %eax, %cr0; jmp 2f\n"
    "2:	mov $0x800010, %ebx; movl $0x76543210, %fs:(%ebx); incl %fs:(%ebx); mov %fs:(%ebx), %eax\n"
    "	cmp $0x76543211, %eax; jne 1f; pass 7\n"
    "1:\n"
    /* 8: addresses wrap within 16 bits where no 32-bit form is used */
    "	mov $0xffff, %bx; movb $0x5a, 0x7100; movb 0x7101(%bx), %al; cmp $0x5a, %al; jne 1f;"
    "pass 8\n"
    "1:\n"
    /* 9: NMI */
    "	movw $(0x8000 + int2 - real_start), 8; movw $0, 10; xor %bx, %bx; xor %eax, %eax;"
    "out %eax, $0xe2; nop\n"
    "	cmp $0x4444, %bx; jne 1f; pass 9\n"
    "1:\n"
    /* 10: single step by TF: one #DB after one instruction */
    "	movw $(0x8000 + int1 - real_start), 4; movw $0, 6; xor %bx, %bx\n"
    "	pushf; orw $0x100, %ss:0x6ffe; popf; nop; pushf; andw $0xfeff, %ss:0x6ffe; popf;"
    "cmp $1, %bx; jb 1f; pass 10\n"
    "1:\n"
    /* 11: HLT can't be tested without interrupts; CPUID and MSRs can */
    "	mov $0x174, %ecx; mov $0x33, %eax; xor %edx, %edx; wrmsr; xor %eax, %eax; rdmsr;"
    "cmp $0x33, %eax; jne 1f\n"
    "	xor %eax, %eax; cpuid; test %eax, %eax; jz 1f; pass 11\n"
    "1:\n"
    /* 12: random numbers, if CPUID knows of them */
    "	mov $1, %eax; cpuid; bt $30, %ecx; jnc 2f; rdrand %eax; jnc 1f; rdrand %bx; jnc 1f\n"
    "	cmp %ebx, %eax; je 1f\n"
    "2:	pass 12\n"
    "1:\n"
    /*
     * 13: a code breakpoint comes once, where the emulator or the CPU looks for them at all (a 16-bit
     * IRET restores no RF, so the handler switches it off); 14: not behind a load of SS
     */
    "	movw $(0x8000 + int1b - real_start), 4; xor %bx, %bx\n"
    "	mov $(0x8000 + plain - real_start), %eax; mov %eax, %dr0; mov $0x402, %eax; mov %eax, %dr7\n"
    "plain: nop; xor %eax, %eax; mov %eax, %dr7; cmp $1, %bx; ja 1f; pass 13\n"
    "1:	xor %bx, %bx\n"
    "	mov $(0x8000 + behind - real_start), %eax; mov %eax, %dr0; mov $0x402, %eax; mov %eax, %dr7\n"
    "	mov %ss, %ax; mov %ax, %ss\n"
    "behind: nop; xor %eax, %eax; mov %eax, %dr7; test %bx, %bx; jnz 1f; pass 14\n"
    "1:\n"
    /* back: PAE tables, long mode */
    "	lgdtl %cs:(0x8000 + real_gdt - real_start); mov $0x620, %eax; mov %eax, %cr4;"
    "mov $0x1000, %eax; mov %eax, %cr3\n"
    "	mov $0xc0000080, %ecx; rdmsr; or $0x100, %eax; wrmsr; mov %cr0, %eax; or $0x80000001, %eax;"
    "mov %eax, %cr0\n"
    "	ljmpl $0x18, $back\n"
    "int40: pushf; pop %ax; test $2, %ah; jnz 1f; mov %sp, %bp; mov (%bp), %ax; mov $0x2222, %bx\n"
    "1:	iret\n"
    "int0: mov %sp, %bp; cmpw $(0x8000 + div_at - real_start), (%bp); jne 1f\n"
    "	movw $(0x8000 + div_ok - real_start), (%bp)\n"
    "1:	iret\n"
    "int1: inc %bx; iret\n"
    "int1b: inc %bx; xor %eax, %eax; mov %eax, %dr7; iret\n"
    "int2: mov $0x4444, %bx; iret\n"
    "far: mov $0x3333, %dx; lret\n"
    "text: .ascii \"realmode\"\n"
    "real_idt: .word 0x3ff; .long 0\n"
    "real_gdt: .word 0x7f; .long 0x7000\n"
    "real_end:\n"
    ".code64\n"
    /* From long mode: into compatibility mode, paging off, 16-bit segments, PE off. */
    "to_real: push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15;"
    "mov %rsp, saved_rsp\n"
    "	push $0x08; pushq $1f; lretq\n"
    ".code32\n"
    "1:	mov %cr0, %eax; and $0x7fffffff, %eax; mov %eax, %cr0; mov $0xc0000080, %ecx; rdmsr;"
    "and $~0x100, %eax; wrmsr\n"
    "	xor %eax, %eax; mov %eax, %cr4; ljmp $0x48, $(0x8000 + to_real16 - real_start)\n"
    ".code64\n"
    "back: mov $0x10, %eax; mov %eax, %ds; mov %eax, %es; mov %eax, %ss; mov %eax, %fs;"
    "mov %eax, %gs; mov saved_rsp, %rsp\n"
    "	lidt long_idt(%rip); pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret\n"
    "long_idt: .word 0xfff; .quad 0xe000\n"
    ".popsection\n"
    ".pushsection .data; .balign 8; saved_rsp: .quad 0; .popsection");

/* Last step, in a 16-bit code segment: PE off and a far jump; put behind the 16-bit part. */
asm(".pushsection .text\n"
    ".code16\n"
    "to_real16_code: mov $0x50, %ax; mov %ax, %ds; mov %ax, %es; mov %ax, %ss; mov %ax, %fs;"
    "mov %ax, %gs\n"
    "	mov %cr0, %eax; and $0xfe, %al; mov %eax, %cr0;"
    "ljmp $0, $(0x8000 + real_entry - real_start)\n"
    "to_real16_end:\n"
    ".equ to_real16, real_end\n"
    ".code64\n"
    ".popsection");

extern u8 real_start[], real_end[], to_real16_code[], to_real16_end[];
extern void to_real(void);

#define PASSED 0x7fff

void trap(struct frame *f)
{
	fail("exception", f->vector, f->rip, 0);
	done();
}

void guest_main(int cpu, bool tcg, bool emulated)
{
	/* TCG looks for breakpoints there, too */
	u32 passed = tcg && !emulated ? PASSED & ~(1 << 14) : PASSED;
	volatile u64 *gdt = (u64 *)0x7000;
	u8 *to = (u8 *)REAL;

	(void)cpu;
	idt_setup(STACKS + 0xe000);
	gdt[9] = 0x00009b000000ffffull;		/* 0x48: 16-bit code */
	gdt[10] = 0x000093000000ffffull;	/* 0x50: 16-bit data */
	for (int round = 0; round < 3; round++) {
		for (u8 *p = real_start; p < real_end; p++)
			to[p - real_start] = *p;
		for (u8 *p = to_real16_code; p < to_real16_end; p++)
			to[real_end - real_start + (p - to_real16_code)] = *p;
		to_real();
		CHECK_EQ("real-mode tests passed", *(volatile u32 *)REAL & passed, passed);
	}
	done();
}
