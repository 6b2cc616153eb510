/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Running one instruction on the processor under the test, in 64-bit mode or,
 * through another code segment, in compatibility mode with 32 or 16 bits.
 *
 * The way into native code and out of it are signals. A UD2 gives the handler
 * the program's own context, which it keeps, and replaces by the test's; INT3,
 * or any fault, brings the result.
 */
#ifndef NATIVE_H
#define NATIVE_H

#include "emulate.h"

#define CODE_BASE	0x20000000u
#define DATA_BASE	0x20010000u
#define PAGE		4096u

struct state {
	u64 gpr[16];
	u64 rip;
	u64 rflags;
	u16 sel[6];		/* in the order of enum em_seg_id */
	u64 fs_base, gs_base;	/* what 64-bit mode has */
	struct em_fx fx;
	u8 ymm_upper[16][16];
};

/* How one run ended. */
struct outcome {
	struct state s;
	unsigned int vector;	/* 3: the INT3 behind the instruction */
	u64 error, cr2;
};

/*
 * The local descriptor table, as modify_ldt() gets it and as the processor sees
 * it (accessed bits set). The first two are for 16-bit code and its data.
 */
enum { LDT_CODE16, LDT_DATA16, LDT_SMALL, LDT_READONLY, LDT_DOWN, LDT_DOWN16, LDT_ABSENT,
       LDT_CODE32, LDT_EXECONLY, LDT_CONFORMING, LDT_ABSENT_CODE, NR_LDT };
#define LDT_SEL(n)	((n) << 3 | 7)

extern u64 native_ldt[NR_LDT];
extern bool native_has_ldt, native_intel;

/* Pages at CODE_BASE and DATA_BASE, signal handlers, the LDT. Once for each process. */
void native_setup(void);
void native_run(const struct state *in, struct outcome *out);
/* Has this kernel that code segment for users? */
bool native_code_selector(u16 sel);
u16 native_ss(void);

#endif
