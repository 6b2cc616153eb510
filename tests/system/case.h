/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What image.py writes behind the payload, and where things lie in memory.
 *
 * The arena is all that an instruction under test works on: tables, task state,
 * code, stack and data, 48 KiB which every segment has as its base. It is made anew
 * for each case, and what changed in it is part of the result.
 */
#ifndef CASE_H
#define CASE_H

#define FRAMES		0xf000		/* of IRET; a 16-bit stack gets no more of ESP than SP */
#define LOW		0x10000		/* code for real mode */
#define ARENA		0x20000
#define ARENA_SIZE	0xc000
#define A_GDT		0x1000		/* offsets in the arena */
#define GDT_LIMIT	0x3ff
#define A_CODE		0x4100		/* where the instruction stands */

/* Selectors that stay in every GDT. */
#define SEL_CODE32	0x08		/* flat, privilege 0 */
#define SEL_DATA	0x10
#define SEL_CODE64	0x18
#define SEL_CODE16	0x20		/* base LOW */
#define SEL_DATA16	0x28		/* limit 64K, as real mode wants it */

#define MODE_REAL	0
#define MODE_V86	1
#define MODE_PROT	2
#define MODE_LONG	3

#ifndef __ASSEMBLER__

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

enum { S_ES, S_CS, S_SS, S_DS, S_FS, S_GS, S_LDTR, S_TR, S_NR };
enum { M_STAR, M_LSTAR, M_CSTAR, M_SFMASK, M_SYSENTER_CS, M_SYSENTER_ESP, M_SYSENTER_EIP,
	M_FS_BASE, M_GS_BASE, M_KERNEL_GS_BASE, M_NR };

struct test {
	u32 id;
	u16 size;		/* of this and the patches behind it */
	u8 mode;
	u8 cpl;
	u16 sel[S_NR];
	u64 gpr[16];
	u64 rip;		/* of the instruction, in its segment */
	u64 rflags;
	u64 cr0, cr4, efer;
	u64 dr[4], dr6, dr7;
	u64 msr[M_NR];
	u8 insn[16];
	/* then: u16 offset in the arena, u16 length, bytes */
} __attribute__((packed));

struct image {
	u32 magic;
	u32 count;
	u32 prefix;		/* have each instruction emulated */
	u32 pad;
	u8 arena[ARENA_SIZE];
	struct test first;
} __attribute__((packed));

#define IMAGE_MAGIC	0x74737973

#endif
#endif
