/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Into the guest and out again: the world switch of AMD-V.
 *
 *	void svm_vmrun(struct svm_entry *e)
 *
 * Called with interrupts off, from code that may not be instrumented.
 *
 * VMRUN and #VMEXIT switch RIP, RSP, RAX, RFLAGS, the control registers, ES to
 * DS and the descriptor tables. VMLOAD and VMSAVE switch FS, GS, TR, LDTR and
 * the SYSCALL and SYSENTER MSRs. General registers are ours to move. Order:
 *
 *	CLGI	from here to STGI nothing can come in: no NMI, no #MC handler,
 *		no interrupt. It has to be so, because GS and TR are the
 *		guest's for a while and the kernel's entry code needs its own.
 *	STI	does not let anything in (GIF is 0), but VMRUN remembers the
 *		host's IF: with V_INTR_MASKING it says that a physical interrupt
 *		ends the guest's turn.
 *	VMRUN ... #VMEXIT
 *	CLI	as it was
 *	STGI	a waiting NMI is taken right here
 *
 * Only CLGI can fault, in a machine that is going down and has cleared
 * EFER.SVME on this CPU by NMI: between CLGI and STGI no NMI can come.
 *
 * Against speculation: on the way out no CALL-less RET and no indirect branch
 * happens before the return stack is filled, branch history untrained and the
 * host's SPEC_CTRL back in force. Registers that hold guest values are zeroed,
 * so that no gadget in the host finds one. On the way in CPU buffers are
 * cleared where the host asks for it.
 */
#include <linux/linkage.h>
#include <asm/asm.h>
#include <asm/msr-index.h>
#include <asm/nospec-branch.h>
#include "compat_enter.h"
#include "enter.h"

#define GPR(n)	((n) * 8)

	.section .noinstr.text, "ax"

SYM_FUNC_START(svm_vmrun)
	push %rbp
	push %r15
	push %r14
	push %r13
	push %r12
	push %rbx
	push %rdi			/* the entry struct: top of stack from now on */

1:	clgi

	cmpl $SVM_SPEC_NONE, SVM_ENTRY_SPEC_MODE(%rdi)
	je .Lguest_spec_done
	mov SVM_ENTRY_GUEST_SPEC(%rdi), %rax
	cmp SVM_ENTRY_HOST_SPEC(%rdi), %rax
	je .Lguest_spec_done
	mov %rax, %rdx
	shr $32, %rdx
	mov $MSR_IA32_SPEC_CTRL, %ecx
	wrmsr
.Lguest_spec_done:

	mov SVM_ENTRY_VMCB(%rdi), %rax
	mov SVM_ENTRY_GPRS(%rdi), %rdi
	mov GPR(1)(%rdi), %rcx
	mov GPR(2)(%rdi), %rdx
	mov GPR(3)(%rdi), %rbx
	mov GPR(5)(%rdi), %rbp
	mov GPR(6)(%rdi), %rsi
	mov GPR(8)(%rdi), %r8
	mov GPR(9)(%rdi), %r9
	mov GPR(10)(%rdi), %r10
	mov GPR(11)(%rdi), %r11
	mov GPR(12)(%rdi), %r12
	mov GPR(13)(%rdi), %r13
	mov GPR(14)(%rdi), %r14
	mov GPR(15)(%rdi), %r15
	mov GPR(7)(%rdi), %rdi

	sti
	vmload %rax
	COMPAT_VM_CLEAR_CPU_BUFFERS
	vmrun %rax
	vmsave %rax
	cli

	/*
	 * Host FS, GS, TR and so on, before anything else: the macros below may
	 * use per-CPU data (from 6.12 on already the filling of the return stack
	 * does). RAX alone is free, its guest value is in the VMCB.
	 */
	mov (%rsp), %rax
	mov SVM_ENTRY_HOST(%rax), %rax
	vmload %rax

	FILL_RETURN_BUFFER %rax, RSB_CLEAR_LOOPS, X86_FEATURE_RSB_VMEXIT

	mov (%rsp), %rax
	mov SVM_ENTRY_GPRS(%rax), %rax
	mov %rcx, GPR(1)(%rax)
	mov %rdx, GPR(2)(%rax)
	mov %rbx, GPR(3)(%rax)
	mov %rbp, GPR(5)(%rax)
	mov %rsi, GPR(6)(%rax)
	mov %rdi, GPR(7)(%rax)
	mov %r8, GPR(8)(%rax)
	mov %r9, GPR(9)(%rax)
	mov %r10, GPR(10)(%rax)
	mov %r11, GPR(11)(%rax)
	mov %r12, GPR(12)(%rax)
	mov %r13, GPR(13)(%rax)
	mov %r14, GPR(14)(%rax)
	mov %r15, GPR(15)(%rax)

	mov (%rsp), %rdi
	xor %ecx, %ecx
	xor %edx, %edx
	xor %ebx, %ebx
	xor %ebp, %ebp
	xor %esi, %esi
	xor %r8d, %r8d
	xor %r9d, %r9d
	xor %r10d, %r10d
	xor %r11d, %r11d
	xor %r12d, %r12d
	xor %r13d, %r13d
	xor %r14d, %r14d
	xor %r15d, %r15d

	cmpl $SVM_SPEC_NONE, SVM_ENTRY_SPEC_MODE(%rdi)
	je .Lhost_spec_done
	cmpl $SVM_SPEC_READ_BACK, SVM_ENTRY_SPEC_MODE(%rdi)
	jne .Lhost_spec_compare
	mov $MSR_IA32_SPEC_CTRL, %ecx
	rdmsr
	shl $32, %rdx
	or %rdx, %rax
	mov %rax, SVM_ENTRY_GUEST_SPEC(%rdi)
.Lhost_spec_compare:
	mov SVM_ENTRY_HOST_SPEC(%rdi), %rax
	cmp SVM_ENTRY_GUEST_SPEC(%rdi), %rax
	je .Lhost_spec_done
	mov %rax, %rdx
	shr $32, %rdx
	mov $MSR_IA32_SPEC_CTRL, %ecx
	wrmsr
.Lhost_spec_done:

	/* May clobber RAX, RCX and RDX. */
	COMPAT_UNTRAIN_RET_VM

	stgi
.Lout:
	pop %rdi
	pop %rbx
	pop %r12
	pop %r13
	pop %r14
	pop %r15
	pop %rbp
	RET

.Lfaulted:
	movl $1, SVM_ENTRY_FAULTED(%rdi)
	jmp .Lout

	_ASM_EXTABLE(1b, .Lfaulted)
SYM_FUNC_END(svm_vmrun)
