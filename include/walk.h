/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest page-table walker's contract.
 *
 * walk_guest() does what the guest's own page-walk hardware would do: it reads
 * the tables that CR3 points to, checks reserved bits and permissions by the
 * rules of the paging mode, sets accessed and dirty bits, and answers either
 * where the address lies or which page fault the guest has to see.
 *
 * It is pure: the mode is data that was computed once (struct mmu_mode), guest
 * memory is reached through two callbacks, and nothing is remembered. Nested
 * paging uses it when the emulator or an ioctl has to translate; shadow paging
 * will use the same answer (the entries on the way are part of it) to build
 * its own tables.
 *
 * Accessed and dirty bits are set by compare-and-exchange, and only when the
 * whole walk has succeeded. If an entry changed under the walk, the walk starts
 * again. Tables in memory that cannot be written (ROM) keep their bits, as the
 * write of real hardware would be lost there too.
 *
 * Context: whatever the callbacks allow. No locks.
 */
#ifndef KVM_WALK_H
#define KVM_WALK_H

#include "pure.h"

/* Page-fault error code bits, hardware's layout. */
#define MMU_PF_PRESENT	BIT_ULL(0)
#define MMU_PF_WRITE	BIT_ULL(1)
#define MMU_PF_USER	BIT_ULL(2)
#define MMU_PF_RSVD	BIT_ULL(3)
#define MMU_PF_FETCH	BIT_ULL(4)
#define MMU_PF_PK	BIT_ULL(5)
#define MMU_PF_GUEST_FINAL BIT_ULL(32)	/* NPF: the final translation */
#define MMU_PF_GUEST_PAGE  BIT_ULL(33)	/* NPF: while walking guest tables */

/* What is going to be done at the address. */
#define MMU_ACC_READ	0
#define MMU_ACC_WRITE	MMU_PF_WRITE
#define MMU_ACC_USER	MMU_PF_USER
#define MMU_ACC_FETCH	MMU_PF_FETCH
/* Supervisor access by the CPU itself: SMAP applies whatever AC says. */
#define MMU_ACC_IMPLICIT BIT_ULL(48)
/* A debugger: no permission checks, no accessed or dirty bits. */
#define MMU_ACC_SYSTEM	BIT_ULL(49)

#define WALK_MAX_LEVELS	5

/* The guest's own paging mode, recomputed by mmu_reset(). */
struct mmu_mode {
	u8 levels;		/* 0 unpaged, 2, 3 (PAE), 4, 5 */
	bool pae, nx, wp, smep, smap, pku, la57, pse, lma;
	bool gbpages;		/* 1G pages exist for this guest */
	bool amd;		/* reserved-bit rules that differ by vendor */
	u8 maxphyaddr;
	/* Filled by walk_prepare(): bits that must be zero, by level, without and with PS. */
	u64 rsvd[WALK_MAX_LEVELS + 1][2];
};

/* Guest memory. @size is 4 or 8. 0, or -errno if nothing readable (writable) is there. */
struct walk_ops {
	int (*read)(void *ctx, u64 gpa, u64 *entry, unsigned int size);
	/* 0 done; 1 the entry is not @old any more; -errno cannot be written. */
	int (*update)(void *ctx, u64 gpa, u64 old, u64 new, unsigned int size);
};

struct walk_req {
	u64 cr3;
	u64 addr;
	u64 access;		/* MMU_ACC_* */
	const u64 *pdptrs;	/* PAE: the four loaded entries; NULL: read them from memory */
	u32 pkru;
	bool ac;		/* EFLAGS.AC: explicit supervisor accesses pass SMAP */
};

enum walk_status {
	WALK_OK,
	WALK_FAULT,		/* a page fault with walk.error */
	WALK_NON_CANONICAL,	/* #GP or #SS, not a page fault */
};

struct walk {
	u64 gpa;		/* WALK_OK: where req.addr lies */
	u8 level;		/* of the last entry: 1 4K, 2 2M or 4M, 3 1G; 0 unpaged */
	u8 page_shift;		/* size of the guest's page */
	bool writable, user, exec;	/* what the entries grant, all levels taken together */
	bool global;
	u32 error;		/* WALK_FAULT */
	/* What was read, by level; index 0 is unused. */
	u64 table[WALK_MAX_LEVELS + 1];		/* gpa of each entry */
	u64 entry[WALK_MAX_LEVELS + 1];
};

enum walk_status walk_guest(const struct mmu_mode *mode, const struct walk_req *req,
			    const struct walk_ops *ops, void *ctx, struct walk *w);

/* To be called when the rest of @mode is filled in, before it is walked with. */
void walk_prepare(struct mmu_mode *mode);

/* Bits that have to be zero in a present PAE directory pointer. */
u64 walk_pdptr_reserved(const struct mmu_mode *mode);

#endif
