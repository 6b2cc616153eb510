/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Into the guest and out again: the world switch of Intel VT.
 *
 *	void vmx_enter(struct vmx_entry *e)
 *
 * Called with interrupts off, from code that may not be instrumented, with the
 * VMCS current on this CPU.
 *
 * VMLAUNCH, VMRESUME and the VM exit switch everything but the general
 * registers, CR2, debug registers and a handful of MSRs. An exit comes to
 * vmx_exit_here with RSP as it was at entry. If the instruction itself fails
 * (the VMCS is not what it has to be) execution goes on behind it, guest
 * registers loaded; e->failed says so.
 *
 * CF says which of the two instructions it is, because VERW, the last thing
 * before, changes ZF.
 *
 * Against speculation: on the way out no CALL-less RET and no indirect branch
 * happens before the return stack is filled, branch history cleared and the
 * host's SPEC_CTRL back in force. Registers that hold guest values are zeroed,
 * so that no gadget in the host finds one. On the way in CPU buffers are
 * cleared where the host asks for it. (L1D is flushed in C, before.)
 */
#include <linux/linkage.h>
#include <linux/objtool.h>
#include <asm/asm.h>
#include <asm/msr-index.h>
#include <asm/nospec-branch.h>
#include <asm/segment.h>
#include <asm/unwind_hints.h>
#include "compat_enter.h"
#include "enter.h"

#define GPR(n)	((n) * 8)

	.section .noinstr.text, "ax"

SYM_FUNC_START(vmx_enter)
	push %rbp
	push %r15
	push %r14
	push %r13
	push %r12
	push %rbx
	push %rdi			/* the entry struct: top of stack from now on */

	cmp VMX_ENTRY_HOST_RSP(%rdi), %rsp
	je .Lrsp_known
	mov %rsp, VMX_ENTRY_HOST_RSP(%rdi)
	mov $VMX_HOST_RSP_FIELD, %eax
.Lrsp_write:
	vmwrite %rsp, %rax
.Lrsp_known:

	cmpl $VMX_SPEC_NONE, VMX_ENTRY_SPEC_MODE(%rdi)
	je .Lguest_spec_done
	mov VMX_ENTRY_GUEST_SPEC(%rdi), %rax
	cmp VMX_ENTRY_HOST_SPEC(%rdi), %rax
	je .Lguest_spec_done
	mov %rax, %rdx
	shr $32, %rdx
	mov $MSR_IA32_SPEC_CTRL, %ecx
	wrmsr
.Lguest_spec_done:

	btl $0, VMX_ENTRY_LAUNCHED(%rdi)
	mov VMX_ENTRY_GPRS(%rdi), %rdi
	mov GPR(0)(%rdi), %rax
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

	COMPAT_VMX_CLEAR_CPU_BUFFERS
	UNWIND_HINT_SAVE
	jnc .Llaunch
.Lresume:
	vmresume
	jmp .Lfailed
.Llaunch:
	vmlaunch
	/* after a reboot's VMXOFF all of them fault */
	_ASM_EXTABLE(.Lrsp_write, .Lrsp_known)
	_ASM_EXTABLE(.Lresume, .Lfailed)
	_ASM_EXTABLE(.Llaunch, .Lfailed)
.Lfailed:
	mov (%rsp), %rax
	movl $1, VMX_ENTRY_FAILED(%rax)
	xor %eax, %eax
	jmp .Lexited

SYM_INNER_LABEL(vmx_exit_here, SYM_L_GLOBAL)
	UNWIND_HINT_RESTORE
	ANNOTATE_NOENDBR
	push %rax
	mov 8(%rsp), %rax
	mov VMX_ENTRY_GPRS(%rax), %rax
	pop GPR(0)(%rax)
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
.Lexited:
	xor %ecx, %ecx
	xor %edx, %edx
	xor %ebx, %ebx
	xor %ebp, %ebp
	xor %esi, %esi
	xor %edi, %edi
	xor %r8d, %r8d
	xor %r9d, %r9d
	xor %r10d, %r10d
	xor %r11d, %r11d
	xor %r12d, %r12d
	xor %r13d, %r13d
	xor %r14d, %r14d
	xor %r15d, %r15d

	FILL_RETURN_BUFFER %rax, RSB_CLEAR_LOOPS, X86_FEATURE_RSB_VMEXIT, X86_FEATURE_RSB_VMEXIT_LITE

	mov (%rsp), %rdi
	cmpl $VMX_SPEC_NONE, VMX_ENTRY_SPEC_MODE(%rdi)
	je .Lhost_spec_done
	testl $VMX_SPEC_READ_BACK, VMX_ENTRY_SPEC_MODE(%rdi)
	jz .Lhost_spec_compare
	mov $MSR_IA32_SPEC_CTRL, %ecx
	rdmsr
	shl $32, %rdx
	or %rdx, %rax
	mov %rax, VMX_ENTRY_GUEST_SPEC(%rdi)
.Lhost_spec_compare:
	mov VMX_ENTRY_HOST_SPEC(%rdi), %rax
	testl $VMX_SPEC_ALWAYS, VMX_ENTRY_SPEC_MODE(%rdi)
	jnz .Lhost_spec_write
	cmp VMX_ENTRY_GUEST_SPEC(%rdi), %rax
	je .Lhost_spec_done
.Lhost_spec_write:
	mov %rax, %rdx
	shr $32, %rdx
	mov $MSR_IA32_SPEC_CTRL, %ecx
	wrmsr
.Lhost_spec_done:
	lfence				/* whichever way the branches above were predicted */

	COMPAT_CLEAR_BRANCH_HISTORY_VMEXIT

	pop %rdi
	pop %rbx
	pop %r12
	pop %r13
	pop %r14
	pop %r15
	pop %rbp
	RET
SYM_FUNC_END(vmx_enter)

#ifndef HAVE_X86_ENTRY_FROM_KVM
/*
 *	void vmx_call_gate(unsigned long handler)
 *
 * What the CPU does for an interrupt: the handler's IRET comes back here, to the stack in
 * RBP. Called with interrupts off, which the flags tell it.
 */
	.text

SYM_FUNC_START(vmx_call_gate)
	push %rbp
	mov %rsp, %rbp
	and $-16, %rsp
	push $__KERNEL_DS
	push %rbp
	pushf
	push $__KERNEL_CS
	CALL_NOSPEC rdi
	mov %rbp, %rsp
	pop %rbp
	RET
SYM_FUNC_END(vmx_call_gate)
#endif
