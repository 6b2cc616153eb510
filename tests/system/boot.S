/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The boot sector: read what follows it on the disk to 1M, by programmed I/O in
 * protected mode, and go there. Works in Bochs and in QEMU, and as a guest.
 * "sectors" is filled in by image.py.
 */
	.code16
	.globl _start
_start:
	jmp 1f
	.org 4
sectors: .long 0
1:	cli
	cld
	xorw %ax, %ax
	movw %ax, %ds
	inb $0x92, %al			/* address line 20 */
	orb $2, %al
	andb $0xfe, %al
	outb %al, $0x92
	lgdt gdtr
	movl %cr0, %eax
	orb $1, %al
	movl %eax, %cr0
	ljmp $8, $protected

	.code32
protected:
	movl $0x10, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl $_start, %esp
	movl $1, %ebx			/* sector */
	movl $0x100000, %edi
next:	cmpl sectors, %ebx
	ja done
	movl $0x1f2, %edx
	movb $1, %al			/* one at a time */
	outb %al, %dx
	movl %ebx, %eax
	orl $0xe0000000, %eax		/* LBA */
	movl $4, %ecx
1:	incl %edx
	outb %al, %dx
	shrl $8, %eax
	loop 1b
	incl %edx
	movb $0x20, %al			/* read */
	outb %al, %dx
2:	inb %dx, %al
	andb $0x88, %al
	cmpb $8, %al
	jne 2b
	movl $0x1f0, %edx
	movl $128, %ecx
	rep insl
	incl %ebx
	jmp next
done:	movl $0x100000, %eax
	jmp *%eax

	.balign 8
gdt:	.quad 0
	.quad 0x00cf9a000000ffff
	.quad 0x00cf92000000ffff
gdtr:	.word . - gdt - 1
	.long gdt

	.org 510
	.word 0xaa55
