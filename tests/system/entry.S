/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Into each mode and back. The driver (main.c) runs in flat 32-bit protected mode.
 * enter_*() leave it and load everything from "go"; what the instruction under
 * test ends with, an exception or the INT3 behind it, comes to one of the stubs
 * here, which note all they find in "came" and return from enter_*().
 */
#include "case.h"

/* "go": registers to enter with, 32 or 64 bits each */
#define GO_GPR(n)	(8 * (n))
#define GO_SEG(n)	(128 + 2 * (n))
#define GO_SP		144		/* far pointer to an IRET frame */
/* "came": see struct came in main.c */
#define CAME_GPR(n)	(8 * (n))
#define CAME_FRAME	(128)		/* vector, error, ip, cs, flags, sp, ss, ... */
#define CAME_SEG(n)	(256 + 2 * (n))
#define CAME_SS	(272)
#define CAME_SP	(276)
#define CAME_CR0	(280)
#define CAME_CR(n)	(CAME_CR0 + 8 * (n))	/* 0, 2, 3, 4, 8, EFER */
#define CAME_DR(n)	(328 + 8 * (n))	/* 0-3, 6, 7 */
#define CAME_LOW	(376)		/* linear address of the frame */
#define CAME_KIND	(380)

/* Room for the prefix before an IRET that has to be emulated, see force_iret(). */
	.macro forced_iret name, insn
	.globl \name
\name:	.fill 5, 1, 0x90
	\insn
	.endm

	.section .entry, "ax"
	.code32
	.globl _start
_start:
	movl $driver_stack + 0x4000, %esp
	call main
1:	hlt
	jmp 1b

	.text
/* ---- protected mode ------------------------------------------------------------ */
	.globl enter_prot
enter_prot:
	pushal
	movl %esp, driver_esp
	movw go + GO_SEG(0), %es
	movw go + GO_SEG(4), %fs
	movw go + GO_SEG(5), %gs
	movl go + GO_GPR(0), %eax
	movl go + GO_GPR(1), %ecx
	movl go + GO_GPR(2), %edx
	movl go + GO_GPR(3), %ebx
	movl go + GO_GPR(5), %ebp
	movl go + GO_GPR(6), %esi
	movl go + GO_GPR(7), %edi
	lss go + GO_SP, %esp
	movw go + GO_SEG(3), %ds
	forced_iret iret_prot, iretl

/* VIF and VIP, which only IRET clears. */
	.globl clear_virtual
clear_virtual:
	popl %eax
	pushl $2
	pushl $SEL_CODE32
	pushl %eax
	forced_iret iret_clear, iretl

/* One stub for each vector; those with an error code have it on the stack. */
	.macro stubs name, size
	.globl \name
	.balign 16
\name:
	vector = 0
	.rept 256
	.balign 16
	.if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17)
	push $0
	.endif
	push $vector
	jmp \name\()_common
	vector = vector + 1
	.endr
	.endm

	stubs stubs32
stubs32_common:
	pushal
	movl %ds, %edx
	movl $SEL_DATA, %eax
	movl %eax, %ds
	movw %dx, came + CAME_SEG(3)
	movw %es, came + CAME_SEG(0)
	movw %fs, came + CAME_SEG(4)
	movw %gs, came + CAME_SEG(5)
	movl %eax, %es
	movl %ss, %eax
	movl %eax, came + CAME_SS
	movl %esp, came + CAME_SP
	movl %esp, %esi
	cmpl $SEL_DATA, %eax
	je 1f
	larl %eax, %eax
	testl $0x400000, %eax
	jnz 3f
	movzwl %si, %esi		/* a task switch leaves ones above SP */
3:	cmpl $0x10000, %esi		/* SYSCALL's stack is flat */
	jae 1f
	addl $ARENA, %esi
1:	movl $2, came + CAME_KIND
	/* from here: frame at %esi */
take_frame:
	movl %esi, came + CAME_LOW
	cld
	movl $7, %ecx			/* PUSHA has EDI lowest */
2:	lodsl
	movl %eax, came + CAME_GPR(0)(, %ecx, 8)
	decl %ecx
	jns 2b
	movl $came + CAME_FRAME, %edi
	movl $11, %ecx
	rep movsl
back:
	movl $SEL_DATA, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl driver_esp, %esp
	pushl $2			/* in real mode even NT is still there */
	popfl
	popal
	ret

/* ---- long mode ----------------------------------------------------------------- */
/* CR3, CR4 and EFER.LME are set. */
	.globl enter_long
enter_long:
	pushal
	movl %esp, driver_esp
	movl go_cr0, %eax
	movl %eax, %cr0
	ljmp $SEL_CODE64, $1f
	.code64
1:	movl $go, %ebx			/* 32-bit objects have no 64-bit addresses: registers */
	movl $go_rsp0, %eax
	movq (%rax), %rsp		/* IRETQ frame */
	movw GO_SEG(6)(%rbx), %ax
	lldt %ax
	movw GO_SEG(7)(%rbx), %ax
	ltr %ax
	movw GO_SEG(0)(%rbx), %es
	movw GO_SEG(3)(%rbx), %ds
	movw GO_SEG(4)(%rbx), %fs
	movw GO_SEG(5)(%rbx), %gs
	movl $0xc0000100, %ecx		/* the bases last: the loads changed them */
	movl $go_bases, %esi
	movl (%rsi), %eax
	movl 4(%rsi), %edx
	wrmsr
	incl %ecx
	movl 8(%rsi), %eax
	movl 12(%rsi), %edx
	wrmsr
	movq GO_GPR(0)(%rbx), %rax
	movq GO_GPR(1)(%rbx), %rcx
	movq GO_GPR(2)(%rbx), %rdx
	movq GO_GPR(5)(%rbx), %rbp
	movq GO_GPR(6)(%rbx), %rsi
	movq GO_GPR(7)(%rbx), %rdi
	movq GO_GPR(8)(%rbx), %r8
	movq GO_GPR(9)(%rbx), %r9
	movq GO_GPR(10)(%rbx), %r10
	movq GO_GPR(11)(%rbx), %r11
	movq GO_GPR(12)(%rbx), %r12
	movq GO_GPR(13)(%rbx), %r13
	movq GO_GPR(14)(%rbx), %r14
	movq GO_GPR(15)(%rbx), %r15
	movq GO_GPR(3)(%rbx), %rbx
	forced_iret iret_long, iretq

	stubs stubs64
stubs64_common:
	pushq %rbx
	movl $came, %ebx
	movq %rax, CAME_GPR(0)(%rbx)
	movq %rcx, CAME_GPR(1)(%rbx)
	movq %rdx, CAME_GPR(2)(%rbx)
	movq %rbp, CAME_GPR(5)(%rbx)
	movq %rsi, CAME_GPR(6)(%rbx)
	movq %rdi, CAME_GPR(7)(%rbx)
	movq %r8, CAME_GPR(8)(%rbx)
	movq %r9, CAME_GPR(9)(%rbx)
	movq %r10, CAME_GPR(10)(%rbx)
	movq %r11, CAME_GPR(11)(%rbx)
	movq %r12, CAME_GPR(12)(%rbx)
	movq %r13, CAME_GPR(13)(%rbx)
	movq %r14, CAME_GPR(14)(%rbx)
	movq %r15, CAME_GPR(15)(%rbx)
	popq CAME_GPR(3)(%rbx)
	cld
	movq %rsp, %rsi
	leaq CAME_FRAME(%rbx), %rdi
	movl $7, %ecx
	rep movsq
	movw %es, CAME_SEG(0)(%rbx)
	movw %ds, CAME_SEG(3)(%rbx)
	movw %fs, CAME_SEG(4)(%rbx)
	movw %gs, CAME_SEG(5)(%rbx)
	movq %cr0, %rax
	movq %rax, CAME_CR(0)(%rbx)
	movq %cr2, %rax
	movq %rax, CAME_CR(1)(%rbx)
	movq %cr3, %rax
	movq %rax, CAME_CR(2)(%rbx)
	movq %cr4, %rax
	movq %rax, CAME_CR(3)(%rbx)
	movq %cr8, %rax
	movq %rax, CAME_CR(4)(%rbx)
	movl $0xc0000080, %ecx
	rdmsr
	movl %eax, CAME_CR(5)(%rbx)
	movl %edx, CAME_CR(5) + 4(%rbx)
	movq %dr0, %rax
	movq %rax, CAME_DR(0)(%rbx)
	movq %dr1, %rax
	movq %rax, CAME_DR(1)(%rbx)
	movq %dr2, %rax
	movq %rax, CAME_DR(2)(%rbx)
	movq %dr3, %rax
	movq %rax, CAME_DR(3)(%rbx)
	movq %dr6, %rax
	movq %rax, CAME_DR(4)(%rbx)
	movq %dr7, %rax
	movq %rax, CAME_DR(5)(%rbx)
	/* Not without need: with an interrupt waiting, a guest's MOV to CR8 is the end of QEMU's TCG. */
	cmpq $0, CAME_CR(4)(%rbx)
	je 3f
	xorl %eax, %eax
	movq %rax, %cr8
3:	movl $3, CAME_KIND(%rbx)
	movl $driver_stack + 0x1000, %esp
	pushq $SEL_CODE32
	movl $1f, %eax
	pushq %rax
	lretq
	.code32
1:	movl %cr0, %eax
	andl $0x7fffffff, %eax
	movl %eax, %cr0
	jmp back

/* ---- real mode: this is copied to LOW --------------------------------------------- */
	.globl low_start, low_end
#define LOW_OF(x)	(x - low_start)
	.globl enter_real
enter_real:
	pushal
	movl %esp, driver_esp
	ljmp $SEL_CODE16, $LOW_OF(to_real)

from_real:
	movl $SEL_DATA, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl %eax, %fs			/* with real mode's in them a guest of ours might be emulated on and on */
	movl %eax, %gs
	movzwl LOW + LOW_OF(low_segs), %eax
	movw %ax, came + CAME_SEG(0)
	movw LOW + LOW_OF(low_segs) + 2, %ax
	movw %ax, came + CAME_SEG(3)
	movw LOW + LOW_OF(low_segs) + 4, %ax
	movw %ax, came + CAME_SEG(4)
	movw LOW + LOW_OF(low_segs) + 6, %ax
	movw %ax, came + CAME_SEG(5)
	movzwl LOW + LOW_OF(low_ss), %esi
	movl %esi, came + CAME_SS
	movl LOW + LOW_OF(low_esp), %eax
	movl %eax, came + CAME_SP
	movzwl %ax, %eax
	shll $4, %esi
	addl %eax, %esi
	movl LOW + LOW_OF(low_cr0), %eax
	movl %eax, came + CAME_CR0
	movl $0, came + CAME_KIND
	jmp take_frame

	.balign 16
low_start:
	.code16
to_real:
	movw $SEL_DATA16, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %fs
	movw %ax, %gs
	movw %ax, %ss
	movl %cs:LOW_OF(low_go_cr0), %eax
	movl %eax, %cr0
	ljmp $LOW >> 4, $LOW_OF(1f)
1:	movw %cs:LOW_OF(low_go), %es
	movw %cs:LOW_OF(low_go) + 6, %ds
	movw %cs:LOW_OF(low_go) + 8, %fs
	movw %cs:LOW_OF(low_go) + 10, %gs
	movl %cs:LOW_OF(low_go) + 16, %eax
	movl %cs:LOW_OF(low_go) + 20, %ecx
	movl %cs:LOW_OF(low_go) + 24, %edx
	movl %cs:LOW_OF(low_go) + 28, %ebx
	movl %cs:LOW_OF(low_go) + 36, %ebp
	movl %cs:LOW_OF(low_go) + 40, %esi
	movl %cs:LOW_OF(low_go) + 44, %edi
	lssl %cs:LOW_OF(low_go_sp), %esp
	iretw

	.globl low_stubs
	.balign 16
low_stubs:
	vector = 0
	.rept 256
	.balign 16
	pushw $vector
	jmp low_common
	vector = vector + 1
	.endr
low_common:
	pushal
	movw %es, %cs:LOW_OF(low_segs)
	movw %ds, %cs:LOW_OF(low_segs) + 2
	movw %fs, %cs:LOW_OF(low_segs) + 4
	movw %gs, %cs:LOW_OF(low_segs) + 6
	movw %ss, %cs:LOW_OF(low_ss)
	movl %esp, %cs:LOW_OF(low_esp)
	movl %cr0, %eax
	movl %eax, %cs:LOW_OF(low_cr0)
	lgdtl %cs:LOW_OF(low_gdtr)
	orb $1, %al
	movl %eax, %cr0
	ljmpl $SEL_CODE32, $from_real

	.balign 4
	.globl low_gdtr, low_go, low_go_sp, low_go_cr0
low_gdtr: .word 0
	.long 0
	.balign 4
low_segs: .word 0, 0, 0, 0
low_ss:	.word 0, 0
low_esp: .long 0
low_cr0: .long 0
low_go_cr0: .long 0
low_go:	.fill 8, 2, 0		/* selectors */
	.fill 8, 4, 0		/* registers */
low_go_sp: .long 0
	.word 0
low_end:
	.code32

	.bss
	.balign 4096
driver_esp: .long 0
	.balign 16
	.globl driver_stack
driver_stack: .fill 0x4000
