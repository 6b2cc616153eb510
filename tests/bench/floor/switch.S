/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The two switches that main.c measures, and the guest.
 *
 *	void floor_nothing(u64 vmcb, u64 host, u64 *gprs)
 *	void floor_bare(u64 vmcb, u64 host, u64 *gprs)
 *	void floor_whole(u64 vmcb, u64 host, u64 *gprs)
 *
 * Physical addresses of the VMCB and of a page for the host's VMSAVE; room for 16
 * general registers. Interrupts off.
 */
#include <linux/linkage.h>

	.text

/* The exit leaves RIP at the VMMCALL, so that the next VMRUN begins there again. */
SYM_FUNC_START(floor_guest)
	vmmcall
	RET				/* never */
SYM_FUNC_END(floor_guest)

SYM_FUNC_START(floor_nothing)
	RET
SYM_FUNC_END(floor_nothing)

SYM_FUNC_START(floor_bare)
	mov %rdi, %rax
	clgi
	vmrun %rax
	stgi
	RET
SYM_FUNC_END(floor_bare)

SYM_FUNC_START(floor_whole)
	push %rbp
	push %rbx
	push %r12
	push %r13
	push %r14
	push %r15
	push %rsi
	push %rdx
	mov %rdi, %rax
	clgi
	mov 0x08(%rdx), %rcx
	mov 0x18(%rdx), %rbx
	mov 0x28(%rdx), %rbp
	mov 0x30(%rdx), %rsi
	mov 0x38(%rdx), %rdi
	mov 0x40(%rdx), %r8
	mov 0x48(%rdx), %r9
	mov 0x50(%rdx), %r10
	mov 0x58(%rdx), %r11
	mov 0x60(%rdx), %r12
	mov 0x68(%rdx), %r13
	mov 0x70(%rdx), %r14
	mov 0x78(%rdx), %r15
	mov 0x10(%rdx), %rdx
	vmload %rax
	vmrun %rax
	vmsave %rax
	mov 8(%rsp), %rax
	vmload %rax
	pop %rax
	mov %rcx, 0x08(%rax)
	mov %rdx, 0x10(%rax)
	mov %rbx, 0x18(%rax)
	mov %rbp, 0x28(%rax)
	mov %rsi, 0x30(%rax)
	mov %rdi, 0x38(%rax)
	mov %r8,  0x40(%rax)
	mov %r9,  0x48(%rax)
	mov %r10, 0x50(%rax)
	mov %r11, 0x58(%rax)
	mov %r12, 0x60(%rax)
	mov %r13, 0x68(%rax)
	mov %r14, 0x70(%rax)
	mov %r15, 0x78(%rax)
	stgi
	pop %rsi
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbx
	pop %rbp
	RET
SYM_FUNC_END(floor_whole)
