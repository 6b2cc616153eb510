// SPDX-License-Identifier: GPL-2.0
/*
 * Entry format of AMD nested paging: the x86 page-table format of the host.
 *
 *	63	62..52		51..12		11  10  9	8  7  6 5 4   3   2 1 0
 *	NX	software	address		-   -  MAY	-  PS D A PCD PWT U W P
 *
 * The nested walk treats every guest access as a user access, so U is always
 * set; permissions of the tables above are the logical AND, so tables grant
 * everything and the leaf decides. Accessed and dirty bits are always
 * maintained by hardware, in leaves and (accessed) in tables; ours are created
 * with A set in tables so that the hardware has no reason to write there.
 *
 * MAY (bit 9): the host page is writable and nothing but write tracking keeps
 * W clear. The lockless fault path may turn MAY into W.
 *
 * MMIO marker: P with a reserved address bit, so the nested fault arrives with
 * the RSVD bit and nothing else in the table can look like it. The generation
 * lies in the address bits below any possible marker and in software bits.
 *
 * The memory-encryption bit of the host is part of the address as far as this
 * file is concerned.
 */
#include "pte.h"
#include "walk.h"

#define X86_P		BIT_ULL(0)
#define X86_W		BIT_ULL(1)
#define X86_U		BIT_ULL(2)
#define X86_PWT		BIT_ULL(3)
#define X86_PCD		BIT_ULL(4)
#define X86_A		BIT_ULL(5)
#define X86_D		BIT_ULL(6)
#define X86_PS		BIT_ULL(7)
#define X86_MAY		BIT_ULL(9)
#define X86_NX		BIT_ULL(63)
#define X86_ADDR	GENMASK_ULL(51, 12)
#define X86_MEMTYPE	(X86_PWT | X86_PCD)

/* The generation: 28 bits below any marker bit, 11 in software bits. */
#define MMIO_LOW_BITS	28
#define MMIO_LOW_SHIFT	12
#define MMIO_HIGH_SHIFT	52
#define MMIO_LOW_MASK	GENMASK_ULL(MMIO_LOW_BITS - 1, 0)
#define MMIO_HIGH_MASK	GENMASK_ULL(PTE_MMIO_GEN_BITS - MMIO_LOW_BITS - 1, 0)

static_assert(!(PTE_FROZEN & X86_P));
static_assert(!(PTE_FROZEN & 7));	/* EPT: read, write, execute */
static_assert(!(X86_MAY & (X86_ADDR | X86_PS | X86_D | X86_A | X86_MEMTYPE)));
static_assert(MMIO_LOW_SHIFT + MMIO_LOW_BITS == 40);
static_assert(MMIO_HIGH_SHIFT + PTE_MMIO_GEN_BITS - MMIO_LOW_BITS == 63);

/* Set once before the first VM, constant afterwards. */
static u64 mmio_bit;

void pte_x86_set_mmio_bit(u64 bit)
{
	mmio_bit = bit;
}

static bool x86_is_mmio(u64 pte)
{
	return mmio_bit && (pte & X86_P) && (pte & mmio_bit);
}

static bool x86_present(u64 pte)
{
	return (pte & X86_P) && !(pte & mmio_bit);
}

static bool x86_leaf(u64 pte, int level)
{
	return level == PTE_LEVEL_4K || (pte & X86_PS);
}

static u64 x86_addr(u64 pte)
{
	return pte & X86_ADDR;
}

static u64 x86_make_table(u64 addr)
{
	return (addr & X86_ADDR) | X86_P | X86_W | X86_U | X86_A;
}

static u64 x86_make_leaf(u64 addr, int level, unsigned int map, u8 memtype)
{
	u64 pte = (addr & X86_ADDR) | X86_P | X86_U | (memtype & X86_MEMTYPE);

	if (level > PTE_LEVEL_4K)
		pte |= X86_PS;
	if (map & PTE_MAP_WRITE)
		pte |= X86_W;
	if (map & (PTE_MAP_WRITE | PTE_MAP_MAY))
		pte |= X86_MAY;
	if (!(map & PTE_MAP_EXEC))
		pte |= X86_NX;
	if (map & (PTE_MAP_YOUNG | PTE_MAP_DIRTY))
		pte |= X86_A;
	if (map & PTE_MAP_DIRTY)
		pte |= X86_D;
	return pte;
}

static u64 x86_split(u64 pte, int level, unsigned int index)
{
	u64 child = pte + ((u64)index << (12 + (level - 2) * PTE_LEVEL_BITS));

	if (level == PTE_LEVEL_2M)
		child &= ~X86_PS;
	return child;
}

static bool x86_writable(u64 pte)
{
	return pte & X86_W;
}

static bool x86_usable(u64 pte, bool write)
{
	return x86_present(pte) && (!write || (pte & X86_W));
}

static u64 x86_fix(u64 pte, bool write)
{
	if (!write)
		return pte | X86_A;
	if (!(pte & X86_MAY))
		return 0;
	return pte | X86_W | X86_A | X86_D;
}

static u64 x86_wrprotect(u64 pte)
{
	return pte & ~X86_W;
}

static bool x86_young(u64 pte)
{
	return pte & X86_A;
}

static u64 x86_mkold(u64 pte)
{
	return pte & ~X86_A;
}

static bool x86_dirty(u64 pte)
{
	return pte & X86_D;
}

static u64 x86_mkclean(u64 pte)
{
	return pte & ~X86_D;
}

static u64 x86_make_mmio(u64 gen)
{
	if (!mmio_bit)
		return 0;
	return X86_P | X86_W | X86_U | mmio_bit |
	       ((gen & MMIO_LOW_MASK) << MMIO_LOW_SHIFT) |
	       (((gen >> MMIO_LOW_BITS) & MMIO_HIGH_MASK) << MMIO_HIGH_SHIFT);
}

static u64 x86_mmio_gen(u64 pte)
{
	return ((pte >> MMIO_LOW_SHIFT) & MMIO_LOW_MASK) |
	       (((pte >> MMIO_HIGH_SHIFT) & MMIO_HIGH_MASK) << MMIO_LOW_BITS);
}

const struct pte_format pte_x86_npt = {
	.name		= "x86",
	.present	= x86_present,
	.leaf		= x86_leaf,
	.addr		= x86_addr,
	.make_table	= x86_make_table,
	.make_leaf	= x86_make_leaf,
	.split		= x86_split,
	.usable		= x86_usable,
	.writable	= x86_writable,
	.fix		= x86_fix,
	.wrprotect	= x86_wrprotect,
	.young		= x86_young,
	.mkold		= x86_mkold,
	.dirty		= x86_dirty,
	.mkclean	= x86_mkclean,
	.make_mmio	= x86_make_mmio,
	.is_mmio	= x86_is_mmio,
	.mmio_gen	= x86_mmio_gen,
	.mmio_mask	= MMU_PF_RSVD,
	.mmio_error	= MMU_PF_RSVD,
};
EXPORT_SYMBOL_GPL(pte_x86_npt);
