/* SPDX-License-Identifier: GPL-2.0 */
/* Entry of long-mode payloads, the 256 interrupt stubs, calls to CPL 3. */
#include "guest.h"

	.section .entry, "ax"
	cld
	call	guest_main
1:	hlt
	jmp	1b

	.text
	.globl	stubs
	.balign	4096
vector = 0
stubs:
	.rept	256
	.balign	16
	.if	vector != 8 && (vector < 10 || vector > 14) && vector != 17 && vector != 21
	push	$0
	.endif
	push	$vector
	jmp	common
	vector = vector + 1
	.endr
	.balign	16
common:
	push	%rax
	push	%rbx
	push	%rcx
	push	%rdx
	push	%rbp
	push	%rsi
	push	%rdi
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, %rdi
	cld
	call	trap
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rdi
	pop	%rsi
	pop	%rbp
	pop	%rdx
	pop	%rcx
	pop	%rbx
	pop	%rax
	add	$16, %rsp
	iretq

/*
 * user_call(fn, eax, edx): fn at CPL 3 with IOPL 3; it comes back through vector 0x81, which trap()
 * never sees.
 */
	.globl	user_call
user_call:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, kernel_rsp
	mov	%edx, %r8d
	mov	$0xe000 + 16 * 0x81, %ecx
	lea	user_return(%rip), %rax
	mov	%ax, (%rcx)
	shr	$16, %rax
	mov	%ax, 6(%rcx)
	shr	$16, %rax
	mov	%eax, 8(%rcx)
	mov	%rdi, %rbx
	mov	%esi, %eax
	mov	%r8d, %edx
	pushq	$0x3b
	pushq	$user_stack_end
	pushq	$0x3002
	pushq	$0x43
	pushq	$user_entry
	iretq
user_entry:
	call	*%rbx
	int	$0x81
user_return:
	mov	kernel_rsp, %rsp
	mov	$0x10, %eax
	mov	%eax, %ss
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret

	.data
	.balign	8
kernel_rsp:	.quad	0
	.bss
	.balign	4096
	.skip	4096
user_stack_end:
