/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Page-table entries that this MMU writes, as data: one struct of pure
 * functions for each hardware format.
 *
 * The tables of nested paging (AMD's legacy format, Intel's EPT) and of shadow
 * paging all are trees of 512 64-bit entries; only the bits differ. The tree
 * code (mmu/tree.c) knows nothing about bits and the format code nothing about
 * trees, VMs or locks.
 *
 * An entry is in one of these states:
 *
 *	0		empty
 *	PTE_FROZEN	its table has been cut off the tree and is about to be
 *			freed; nobody may write it any more
 *	MMIO marker	faults with an error code of its own; carries the slots
 *			generation in which "no memory here" was true
 *	table		points to a table of the next lower level
 *	leaf		maps a page
 *
 * present() holds for tables and leaves only. Three questions about a leaf
 * are kept apart: writable() (hardware lets writes through now), "may write"
 * (a bit of ours: the host page is writable and write access was taken away
 * only to see the first write), and usable() (hardware would not fault on this
 * kind of access).
 *
 * A format whose hardware has no accessed bit will express mkold() by an entry
 * that is present() but not usable(); fix() then restores it. That is why
 * callers never look at bits themselves.
 */
#ifndef KVM_PTE_H
#define KVM_PTE_H

#include "pure.h"

#define PTE_LEVEL_BITS	9
#define PTE_ENTRIES	512
#define PTE_MAX_LEVELS	5

#define PTE_LEVEL_4K	1
#define PTE_LEVEL_2M	2
#define PTE_LEVEL_1G	3

/* Not present in any format: bits 0-2 are clear. */
#define PTE_FROZEN	0x5a0ULL

/* Bits of MMIO generation that a marker can hold; more than a host's life needs. */
#define PTE_MMIO_GEN_BITS 39

/* make_leaf()'s rights. Read is always granted. */
#define PTE_MAP_WRITE	BIT(0)	/* writes pass */
#define PTE_MAP_EXEC	BIT(1)
#define PTE_MAP_MAY	BIT(2)	/* "may write": fix() may add write access */
#define PTE_MAP_DIRTY	BIT(3)	/* set accessed and dirty right away */
#define PTE_MAP_YOUNG	BIT(4)

static inline u64 pte_level_pages(int level)
{
	return 1ULL << ((level - 1) * PTE_LEVEL_BITS);
}

static inline unsigned int pte_entry_index(u64 gfn, int level)
{
	return (gfn >> ((level - 1) * PTE_LEVEL_BITS)) & (PTE_ENTRIES - 1);
}

/* All pure, any context. @pte of the questions about leaves is a leaf. */
struct pte_format {
	const char *name;
	bool (*present)(u64 pte);
	bool (*leaf)(u64 pte, int level);	/* of a present entry */
	u64 (*addr)(u64 pte);			/* of the page or table, encryption bit included */
	u64 (*make_table)(u64 addr);
	/* @memtype: bits as the vendor's memtype() answers them, in place. */
	u64 (*make_leaf)(u64 addr, int level, unsigned int map, u8 memtype);
	/* Entry @index of the table that replaces leaf @pte of @level. */
	u64 (*split)(u64 pte, int level, unsigned int index);
	bool (*usable)(u64 pte, bool write);
	bool (*writable)(u64 pte);
	u64 (*fix)(u64 pte, bool write);	/* made usable; 0: not ours to grant */
	u64 (*wrprotect)(u64 pte);
	bool (*young)(u64 pte);
	u64 (*mkold)(u64 pte);
	bool (*dirty)(u64 pte);
	u64 (*mkclean)(u64 pte);
	u64 (*make_mmio)(u64 gen);		/* 0: this machine has no marker */
	bool (*is_mmio)(u64 pte);
	u64 (*mmio_gen)(u64 pte);
	/* A fault may be a marker's if its error code (MMU_PF_*) reads mmio_error under mmio_mask. */
	u64 mmio_mask, mmio_error;
};

/* A tree of such tables (mmu/tree.h); constant for the life of its VM. */
struct mmu_tree {
	u64 *root;
	const struct pte_format *fmt;
	u8 levels;
};

/* The x86 page-table format as AMD's nested paging uses it. */
extern const struct pte_format pte_x86_npt;
/* Intel's extended page tables, with and without accessed and dirty bits in hardware. */
extern const struct pte_format pte_ept, pte_ept_noad;

/*
 * Which address bit makes an entry malformed: a single reserved bit of 51..40,
 * or 0 if the machine has none. Once, before the first VM.
 */
void pte_x86_set_mmio_bit(u64 bit);

#endif
