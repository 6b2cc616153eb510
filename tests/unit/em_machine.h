/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A machine for the emulator to work on: flat memory, a device, registers.
 *
 * Linear addresses are used as they are. Below RAM_SIZE lies memory. From
 * DEV_BASE on lies a device page: every access to it first answers EM_PENDING,
 * and is done when it is repeated with the same arguments, as userspace exits
 * are; the machine complains if anything else is asked in between. HOLE_BASE is
 * one page that faults. All else faults too.
 */
#ifndef EM_MACHINE_H
#define EM_MACHINE_H

#include "emulate.h"

#ifndef RAM_SIZE
#define RAM_SIZE	0x200000u
#endif
#define DEV_BASE	0xe0000000u
#define DEV_SIZE	0x1000u
#define HOLE_BASE	0x10000u

#define TRACE_MAX	4096

/* A finished device or port access. */
struct access {
	bool write, port;
	u64 addr;
	unsigned int size;
	u64 val;
	unsigned int count;
};

struct machine {
	struct em_ctx c;
	u8 ram[RAM_SIZE];
	u8 dev[DEV_SIZE];
	struct em_seg seg[EM_NR_SEGS];
	struct em_dt gdt, idt;
	u64 cr[16], dr[8], xcr0;
	u64 efer, star, lstar, cstar, sfmask, kernel_gs, sysenter[3];
	u8 vec[16][32];
	u8 mmx[8][8];
	u32 mxcsr;
	u16 fcw;
	struct em_fx fx;	/* the rest of the x87 */
	unsigned int x87_runs;

	bool dev_sync;		/* the device answers at once */
	bool pending;
	struct access ask;	/* what is pending */
	struct access trace[TRACE_MAX];
	unsigned int traced;
	unsigned int pendings;	/* how often EM_PENDING was answered */
	u64 port_next;		/* data that ports give: counts up */
	enum em_sys last_sys;
	u64 sys_arg;
	unsigned int tr_loads;	/* LTR, or the tasks that were switched to */
	u64 lacks;		/* BIT(enum em_feature) of what this machine has not got */
	u64 pkru;
	bool dry;		/* no random numbers */
	unsigned int races;	/* this many locked writes will lose a race */
	u64 gives_way_at;	/* a write at or above it says that a repeat may end */
};

/* Registers as after reset, except that segments start at 0 and rip at 0x1000. */
void machine_real(struct machine *m);
/* 32-bit (or 16-bit) flat protected mode, a small GDT at 0x800. */
void machine_prot(struct machine *m, bool wide);
/* 64-bit mode. */
void machine_long(struct machine *m);
/* One of them, or virtual-8086 mode. */
void machine_any(struct machine *m, unsigned int which);

/* The GDT that machine_prot and machine_long set up. */
enum { SEL_CODE0 = 0x08, SEL_DATA0 = 0x10, SEL_CODE3 = 0x1b, SEL_DATA3 = 0x23,
       SEL_CODE16 = 0x28, SEL_RODATA = 0x30, SEL_ABSENT = 0x38, SEL_TSS = 0x40,
       SEL_LDT = 0x50, SEL_GATE = 0x60, SEL_TSS2 = 0x70, SEL_CONF = 0x78 };
#define GDT_BASE	0x800u
#define TSS_BASE	0x4000u
#define TSS2_BASE	0x4800u
void machine_desc(struct machine *m, u16 sel, u32 base, u32 limit, u16 attr);

/* Put code at rip (RAM offset cs.base + rip) and run one instruction. */
enum em_result machine_run(struct machine *m, const void *code, unsigned int size);
/* Same, answering EM_PENDING by going on, and EM_RESTART by starting anew. */
enum em_result machine_finish(struct machine *m, const void *code, unsigned int size);

#endif
