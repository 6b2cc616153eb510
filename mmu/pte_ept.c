// SPDX-License-Identifier: GPL-2.0
/*
 * Entry formats of Intel's extended page tables.
 *
 *	63..55	54..52	51..12	11   10 9 8 7  6    5..3  2 1 0
 *	-	saved	address	MAY  -  D A PS IPAT type  X W R
 *
 * Tables grant everything and the leaf decides. MAY: the host page is writable
 * and nothing but write tracking keeps W clear.
 *
 * MMIO marker: an entry that is not present at all, bit 11 set, and the slots
 * generation in bits 12 to 50. Hardware ignores all of it. The violation it
 * raises tells whether it was a read or a write, which a misconfiguration (the
 * other way to make entries fault) would not; and no reserved address bit is
 * needed. PTE_FROZEN has bit 11 clear.
 *
 * Two formats. With accessed and dirty bits in the hardware they are as in
 * ordinary tables. Without:
 *
 *	A	is ours: set when an entry is made or repaired. An old one has its
 *		rights moved to "saved", so that the next access faults and
 *		fix() brings them back: present, but not usable.
 *	D	is ours: set with W, since hardware would not tell of a write.
 */
#include "pte.h"
#include "walk.h"

#define EPT_R		BIT_ULL(0)
#define EPT_W		BIT_ULL(1)
#define EPT_X		BIT_ULL(2)
#define EPT_RWX		(EPT_R | EPT_W | EPT_X)
#define EPT_TYPE	GENMASK_ULL(6, 3)	/* with "ignore PAT" */
#define EPT_PS		BIT_ULL(7)
#define EPT_A		BIT_ULL(8)
#define EPT_D		BIT_ULL(9)
#define EPT_MAY		BIT_ULL(11)
#define EPT_ADDR	GENMASK_ULL(51, 12)
#define EPT_SAVED_SHIFT	52
#define EPT_SAVED	(EPT_RWX << EPT_SAVED_SHIFT)

#define EPT_MARKER	BIT_ULL(11)
#define EPT_GEN_SHIFT	12
#define EPT_GEN		GENMASK_ULL(EPT_GEN_SHIFT + PTE_MMIO_GEN_BITS - 1, EPT_GEN_SHIFT)

static_assert(!(PTE_FROZEN & (EPT_RWX | EPT_MARKER)));
static_assert(!(EPT_GEN & EPT_SAVED));

static bool ept_present(u64 pte)
{
	return pte & (EPT_RWX | EPT_SAVED);
}

static bool ept_leaf(u64 pte, int level)
{
	return level == PTE_LEVEL_4K || (pte & EPT_PS);
}

static u64 ept_addr(u64 pte)
{
	return pte & EPT_ADDR;
}

static u64 ept_make_table(u64 addr)
{
	return (addr & EPT_ADDR) | EPT_RWX | EPT_A;
}

static u64 ept_make_leaf(u64 addr, int level, unsigned int map, u8 memtype)
{
	u64 pte = (addr & EPT_ADDR) | EPT_R | (memtype & EPT_TYPE);

	if (level > PTE_LEVEL_4K)
		pte |= EPT_PS;
	if (map & PTE_MAP_WRITE)
		pte |= EPT_W;
	if (map & (PTE_MAP_WRITE | PTE_MAP_MAY))
		pte |= EPT_MAY;
	if (map & PTE_MAP_EXEC)
		pte |= EPT_X;
	if (map & (PTE_MAP_YOUNG | PTE_MAP_DIRTY))
		pte |= EPT_A;
	if (map & PTE_MAP_DIRTY)
		pte |= EPT_D;
	return pte;
}

static u64 ept_split(u64 pte, int level, unsigned int index)
{
	u64 child = pte + ((u64)index << (12 + (level - 2) * PTE_LEVEL_BITS));

	if (level == PTE_LEVEL_2M)
		child &= ~EPT_PS;
	return child;
}

static bool ept_writable(u64 pte)
{
	return pte & (EPT_W | EPT_W << EPT_SAVED_SHIFT);
}

static bool ept_usable(u64 pte, bool write)
{
	return (pte & EPT_RWX) && (!write || (pte & EPT_W));
}

static u64 ept_fix(u64 pte, bool write)
{
	if (!write)
		return pte | EPT_A;
	if (!(pte & EPT_MAY))
		return 0;
	return pte | EPT_W | EPT_A | EPT_D;
}

static u64 ept_wrprotect(u64 pte)
{
	return pte & ~(EPT_W | EPT_W << EPT_SAVED_SHIFT);
}

static bool ept_young(u64 pte)
{
	return pte & EPT_A;
}

static u64 ept_mkold(u64 pte)
{
	return pte & ~EPT_A;
}

static bool ept_dirty(u64 pte)
{
	return pte & EPT_D;
}

static u64 ept_mkclean(u64 pte)
{
	return pte & ~EPT_D;
}

static u64 ept_make_mmio(u64 gen)
{
	return EPT_MARKER | ((gen << EPT_GEN_SHIFT) & EPT_GEN);
}

static bool ept_is_mmio(u64 pte)
{
	return (pte & EPT_MARKER) && !ept_present(pte);
}

static u64 ept_mmio_gen(u64 pte)
{
	return (pte & EPT_GEN) >> EPT_GEN_SHIFT;
}

/* ---- without the hardware's accessed and dirty bits ------------------------------ */

static u64 noad_make_leaf(u64 addr, int level, unsigned int map, u8 memtype)
{
	u64 pte = ept_make_leaf(addr, level, map, memtype) | EPT_A;

	return pte & EPT_W ? pte | EPT_D : pte;
}

static u64 noad_restore(u64 pte)
{
	return (pte & ~EPT_SAVED) | (pte & EPT_SAVED) >> EPT_SAVED_SHIFT | EPT_A;
}

static u64 noad_fix(u64 pte, bool write)
{
	pte = noad_restore(pte);
	if (!write || (pte & EPT_W))
		return pte;
	return ept_fix(pte, write);
}

static u64 noad_mkold(u64 pte)
{
	return (pte & ~(EPT_RWX | EPT_A)) | (pte & EPT_RWX) << EPT_SAVED_SHIFT;
}

#define EPT_FORMAT_COMMON						\
	.present	= ept_present,					\
	.leaf		= ept_leaf,					\
	.addr		= ept_addr,					\
	.make_table	= ept_make_table,				\
	.split		= ept_split,					\
	.usable		= ept_usable,					\
	.writable	= ept_writable,					\
	.wrprotect	= ept_wrprotect,				\
	.young		= ept_young,					\
	.dirty		= ept_dirty,					\
	.mkclean	= ept_mkclean,					\
	.make_mmio	= ept_make_mmio,				\
	.is_mmio	= ept_is_mmio,					\
	.mmio_gen	= ept_mmio_gen,					\
	.mmio_mask	= MMU_PF_PRESENT,				\
	.mmio_error	= 0

const struct pte_format pte_ept = {
	.name		= "ept",
	.make_leaf	= ept_make_leaf,
	.fix		= ept_fix,
	.mkold		= ept_mkold,
	EPT_FORMAT_COMMON
};
EXPORT_SYMBOL_GPL(pte_ept);

const struct pte_format pte_ept_noad = {
	.name		= "ept without A and D",
	.make_leaf	= noad_make_leaf,
	.fix		= noad_fix,
	.mkold		= noad_mkold,
	EPT_FORMAT_COMMON
};
EXPORT_SYMBOL_GPL(pte_ept_noad);
