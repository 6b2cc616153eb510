/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A boot sector that starts an unpacked kernel without a boot loader.
 *
 * To decompress a kernel inside an emulator takes most of a minute, so mkdisk.py
 * does it outside and lays out a disk:
 *
 *	sector 0	this
 *	then		boot_params, command line and page tables	to ADDR_PARAMS
 *			the flat kernel					to ADDR_KERNEL
 *			the initramfs					to ADDR_INITRD
 *
 * The BIOS is asked for the memory map only. The rest is read by programmed I/O
 * in protected mode, as the BIOS reaches no further than 1M, and then the kernel
 * is entered by its 64-bit protocol: paging on with an identity map, RSI pointing
 * to boot_params.
 *
 * ADDR_*, LBA_*, SECTORS_* and ENTRY come from mkdisk.py.
 */
#define E820_MAP	0x8000		/* below 1M, until it is copied */
#define E820_COUNT	0x7ff0
#define E820_ENTRY	20
#define E820_MAX	128

#define BP_E820_COUNT	0x1e8		/* in boot_params */
#define BP_E820_MAP	0x2d0

#define ATA_DATA	0x1f0
#define ATA_COUNT	0x1f2
#define ATA_STATUS	0x1f7
#define ATA_READ	0x20
#define ATA_LBA		0xe0
#define SECTORS_AT_ONCE	128

	.code16
	.globl _start
_start:
	cli
	xorw %ax, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movw $_start, %sp
	cld

	/* memory map */
	xorl %ebx, %ebx
	movw $E820_MAP, %di
	movl $0, E820_COUNT
1:	movl $0xe820, %eax
	movl $0x534d4150, %edx		/* "SMAP" */
	movl $E820_ENTRY, %ecx
	int $0x15
	jc 2f
	incl E820_COUNT
	addw $E820_ENTRY, %di
	cmpl $E820_MAX, E820_COUNT
	je 2f
	testl %ebx, %ebx
	jnz 1b
2:	cli

	/* address line 20 */
	inb $0x92, %al
	orb $2, %al
	andb $0xfe, %al
	outb %al, $0x92

	lgdt gdtr
	movl %cr0, %eax
	incw %ax			/* PE */
	movl %eax, %cr0
	ljmp $0x8, $protected

	.code32
protected:
	movw $0x10, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movl $_start, %esp

	movl $pieces, %ebp
next_piece:
	movl 0(%ebp), %ebx		/* first sector */
	movl 4(%ebp), %esi		/* how many */
	movl 8(%ebp), %edi		/* where to */
	testl %esi, %esi
	jz loaded
next_command:
	movl $SECTORS_AT_ONCE, %ecx
	cmpl %ecx, %esi
	jae 1f
	movl %esi, %ecx
1:	pushl %ecx
	movw $ATA_COUNT, %dx
	movb %cl, %al
	outb %al, %dx
	movl %ebx, %eax
	orl $ATA_LBA << 24, %eax
	movl $4, %ecx
2:	incl %edx			/* the four LBA registers follow the count */
	outb %al, %dx
	shrl $8, %eax
	loop 2b
	incl %edx			/* command */
	movb $ATA_READ, %al
	outb %al, %dx
	popl %ecx
	addl %ecx, %ebx
	subl %ecx, %esi
next_sector:
	movw $ATA_STATUS, %dx
3:	inb %dx, %al
	andb $0x88, %al			/* busy, data request */
	cmpb $0x08, %al
	jne 3b
	movw $ATA_DATA, %dx
	pushl %ecx
	movl $128, %ecx
	rep insl
	popl %ecx
	loop next_sector
	testl %esi, %esi
	jnz next_command
	addl $12, %ebp
	jmp next_piece

loaded:
	movl $E820_MAP, %esi
	movl $(ADDR_PARAMS + BP_E820_MAP), %edi
	imull $E820_ENTRY, E820_COUNT, %ecx
	rep movsb
	movb E820_COUNT, %al
	movb %al, ADDR_PARAMS + BP_E820_COUNT

	/* long mode */
	movl $0x20, %eax		/* PAE */
	movl %eax, %cr4
	movl $ADDR_TABLES, %eax
	movl %eax, %cr3
	movl $0xc0000080, %ecx		/* EFER */
	rdmsr
	orl $0x100, %eax		/* LME */
	wrmsr
	movl $0x80000001, %eax		/* PG, PE */
	movl %eax, %cr0
	ljmp $0x18, $long_mode

	.code64
long_mode:
	movl $ADDR_PARAMS, %esi
	movl $ENTRY, %eax
	jmp *%rax

	.balign 8
gdt:	.quad 0
	.quad 0x00cf9a000000ffff	/* code, 32 bits */
	.quad 0x00cf92000000ffff	/* data */
	.quad 0x00af9a000000ffff	/* code, 64 bits */
gdtr:	.word . - gdt - 1
	.long gdt

pieces:	.long LBA_PARAMS, SECTORS_PARAMS, ADDR_PARAMS
	.long LBA_KERNEL, SECTORS_KERNEL, ADDR_KERNEL
	.long LBA_INITRD, SECTORS_INITRD, ADDR_INITRD
	.long 0, 0, 0

	.org 510
	.word 0xaa55
