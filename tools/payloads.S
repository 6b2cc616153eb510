/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The payloads that tinyvmm brings along: one for each mode that the processor can be started in.
 *
 * Each prints one line by the serial port and ends. They are told apart by what only that mode can
 * do, so a line that comes also shows that the vCPU was in the mode it was put in. What the three
 * show of the API, each with an exit that the others don't have:
 *
 *	real	one port access at a time, reads and writes (KVM_EXIT_IO); ends by HLT (KVM_EXIT_HLT)
 *	prot	a load from where no memory is (KVM_EXIT_MMIO); string I/O, of which the VMM sees the
 *		data only, run->io.count pieces at a time; ends by the exit port
 *	long	CPUID: what KVM_SET_CPUID2 was given is what the guest reads; ends by the exit port
 *
 * The code is linked into tinyvmm as data and copied to 0x8000. Jumps and calls are relative and
 * don't mind; AT() is the address at which a label then is. None of the three needs an interrupt
 * table, so any fault ends in a triple fault: KVM_EXIT_SHUTDOWN.
 */
#define AT(start, label)	(label - start + 0x8000)

#define SERIAL		0x3f8
#define SERIAL_LSR	(SERIAL + 5)	/* line status */
#define LSR_THRE	0x20		/* ready for the next character */
#define EXIT		0xf4

	.section .rodata

/* Real mode: 16 bits, and "address" is segment * 16 + offset. Here all segments are 0. */
	.code16
	.globl	payload_real, payload_real_end
payload_real:
	smsww	%ax			/* CR0's low half: bit 0 is protected mode */
	test	$1, %al
	jnz	2f
	mov	$0x0800, %ax		/* 0x0800:0x0000 is the same byte as 0:0x8000 */
	mov	%ax, %ds
	mov	$(real_text - payload_real), %si
	cld
0:	lodsb
	test	%al, %al
	jz	2f
	mov	%al, %bl
	mov	$SERIAL_LSR, %dx	/* as with a real serial port: wait until it is ready */
1:	in	%dx, %al
	test	$LSR_THRE, %al
	jz	1b
	mov	%bl, %al
	mov	$SERIAL, %dx
	out	%al, %dx
	jmp	0b
2:	hlt				/* the VMM, if it has no interrupt chips, gets the vCPU back */
	jmp	2b
real_text:
	.asciz	"real mode: CR0.PE is clear, 0800:0000 is 0000:8000\n"
payload_real_end:

/* Protected mode: 32 bits, flat segments, no paging. */
	.code32
	.globl	payload_prot, payload_prot_end
payload_prot:
	mov	$0x00200000, %edi	/* beyond what real mode reaches */
	movl	$0x12345678, (%edi)
	cmpl	$0x12345678, (%edi)
	jne	1f
	mov	0xd0000000, %eax	/* no memory: the VMM is asked, and answers all ones */
	inc	%eax
	jnz	1f
	mov	$AT(payload_prot, prot_text), %esi
	mov	$(payload_prot_end - prot_text), %ecx
	mov	$SERIAL, %dx
	cld
	rep outsb
	xor	%eax, %eax
	out	%al, $EXIT
1:	mov	$1, %al
	out	%al, $EXIT
	jmp	1b
prot_text:
	.ascii	"protected mode: memory at 2 MiB, all ones where none is\n"
payload_prot_end:

/* Long mode: 64 bits, the first 4 GiB mapped one to one. */
	.code64
	.globl	payload_long, payload_long_end
payload_long:
	mov	$0x40000000, %eax	/* where hypervisors tell their names */
	cpuid				/* in EBX, ECX, EDX: "KVMKVMKVM" and zeros */
	mov	%rcx, %rax
	shl	$32, %rax		/* only 64 bits can hold both halves */
	or	%rbx, %rax
	mov	%rax, long_name(%rip)
	mov	%dl, long_name + 8(%rip)
	lea	long_text(%rip), %rsi	/* what moves with the code needs no AT() */
	mov	$(payload_long_end - long_text), %ecx
	mov	$SERIAL, %edx
	cld
0:	lodsb
	out	%al, %dx
	dec	%ecx
	jnz	0b
	xor	%eax, %eax
	out	%al, $EXIT
1:	hlt
	jmp	1b
long_text:
	.ascii	"long mode: CPUID says "
long_name:
	.ascii	"?????????\n"
payload_long_end:

	.section .note.GNU-stack, "", @progbits
