/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the debug registers say: who hit what, and how DR6 reports it. Pure.
 *
 * "Payload": the reasons of one #DB, 1 where there is one. DR6 has two bits the
 * other way round, 0 when they report something (bus lock and RTM), and bits
 * that are always 1.
 */
#ifndef KVM_DEBUG_REGS_H
#define KVM_DEBUG_REGS_H

#include "pure.h"

#define X86_DR6_FIXED	0xffff0ff0ull
#define X86_DR6_TRAPS	0x0000e00full	/* B0-3, BD, BS, BT */
#define X86_DR6_B	0x0000000full
#define X86_DR6_BD	0x00002000ull
#define X86_DR6_BS	0x00004000ull
#define X86_DR7_GD	0x00002000ull
#define X86_DR7_FIXED	0x00000400ull
#define X86_DR7_RW	0xffff2bffull	/* bits a guest may set */

/* The payload that DR6 reports, once the hardware has written it. */
static inline u64 dr6_payload(u64 dr6)
{
	return (u32)dr6 ^ X86_DR6_FIXED;
}

/* DR6 after a #DB with @payload. B0-3 reflect this one alone, BD, BS and BT accumulate. */
static inline u64 dr6_after(u64 dr6, u64 payload)
{
	dr6 = (dr6 & ~X86_DR6_B) | X86_DR6_FIXED;
	dr6 |= payload;
	return dr6 ^ (payload & X86_DR6_FIXED);
}

/* Bits 0 to 3: the breakpoints on the instruction at linear address @rip. */
static inline u32 dr7_code_hits(u64 dr7, const u64 dr[4], u64 rip)
{
	u32 hit = 0;
	int i;

	for (i = 0; i < 4; i++)
		if (dr7 >> (i * 2) & 3 && !(dr7 >> (16 + i * 4) & 0xf) && dr[i] == rip)
			hit |= BIT(i);
	return hit;
}

#endif
