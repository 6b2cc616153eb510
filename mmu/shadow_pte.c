// SPDX-License-Identifier: GPL-2.0
/*
 * Roles and entries of shadow tables. Contract and the idea: shadow_pte.h.
 *
 * Which table a walk comes to, from the top, by the guest's paging mode:
 *
 *	4 levels	4 - 3 - 2 - 1, one shadow table for each of the guest's
 *	3 (PAE)		four tops of level 2, named by the loaded pointers
 *	2 (32-bit)	four tops of level 2, each a quarter of the directory;
 *			two tables of level 1 for each of the guest's
 *	0 (unpaged)	four direct tops of level 2, 1G of frames each
 *
 * The four tops hang below a page of four pointers that each vCPU has of its
 * own, since in these modes the hardware walks PAE tables.
 *
 * Where the guest's walk ends early, at a large page, direct tables follow.
 */
#include "shadow_pte.h"

#define GUEST_D		BIT_ULL(6)
#define GUEST_A		BIT_ULL(5)
#define GUEST_P		BIT_ULL(0)
#define KEY_SHIFT	59
#define KEY_MASK	GENMASK_ULL(62, 59)

union shadow_role shadow_root_role(const struct mmu_mode *mode, unsigned int quarter)
{
	union shadow_role role = { .word = 0 };

	role.level = mode->levels >= 4 ? mode->levels : 2;
	role.levels = mode->levels;
	if (!mode->levels) {
		role.direct = 1;
		return role;
	}
	role.maxphyaddr = mode->maxphyaddr;
	role.nx = mode->nx;
	if (mode->levels == 2) {
		role.pse = mode->pse;
		role.quarter = quarter;
	}
	return role;
}

static struct shadow_key direct_child(u64 gfn, int level, unsigned int key)
{
	struct shadow_key k = { .gfn = gfn & ~(pte_level_pages(level + 1) - 1) };

	k.role.word = 0;
	k.role.direct = 1;
	k.role.level = level;
	k.role.key = key;
	return k;
}

struct shadow_key shadow_child(u64 gfn, union shadow_role role, unsigned int index,
			       const struct walk *w, u64 addr)
{
	struct shadow_key k = { .role = role };
	int level = role.level - 1;

	if (role.direct)
		return direct_child(shadow_direct_gfn(gfn, role, index), level, role.key);
	if (w->level == role.level)
		return direct_child(w->gpa >> 12, level, role.levels >= 4 ?
				    (w->entry[w->level] & KEY_MASK) >> KEY_SHIFT : 0);
	k.gfn = w->table[level] >> 12;
	k.role.level = level;
	k.role.quarter = role.levels == 2 ? (addr >> 21) & 1 : 0;
	return k;
}

/* Guest entries of 4 bytes: a directory entry is two of ours, a table entry one. */
static unsigned int per_entry(union shadow_role role)
{
	return role.levels == 2 && role.level == 2 ? 2 : 1;
}

/* Guest entries that one shadow table stands for. */
static unsigned int guest_entries(union shadow_role role)
{
	return PTE_ENTRIES / per_entry(role);
}

unsigned int shadow_entry_offset(union shadow_role role, unsigned int index)
{
	return (role.quarter * guest_entries(role) + index / per_entry(role)) *
	       shadow_entry_size(role);
}

unsigned int shadow_written(union shadow_role role, unsigned int offset, unsigned int len,
			    unsigned int *first)
{
	unsigned int size = shadow_entry_size(role), n = guest_entries(role);
	unsigned int from = offset / size, to = (offset + len - 1) / size + 1;
	unsigned int base = role.quarter * n;

	from = max(from, base);
	to = min(to, base + n);
	if (!len || from >= to)
		return 0;
	*first = (from - base) * per_entry(role);
	return (to - from) * per_entry(role);
}

/* Rights that the guest's @entry itself grants. */
static u64 rights(union shadow_role role, u64 entry)
{
	return (entry & (SHADOW_W | SHADOW_U)) | (role.nx ? entry & SHADOW_NX : 0);
}

u64 shadow_link(union shadow_role role, u64 addr, u64 entry, bool large, bool dirty)
{
	u64 pte = (addr & SHADOW_ADDR) | SHADOW_P | SHADOW_A;

	if (role.direct)
		return pte | SHADOW_W | SHADOW_U;
	pte |= rights(role, entry);
	if (large && !dirty && !(entry & GUEST_D))
		pte &= ~SHADOW_W;
	return pte;
}

static u64 leaf_rights(union shadow_role role, u64 entry)
{
	if (role.direct)
		return SHADOW_W | SHADOW_U | (u64)role.key << KEY_SHIFT;
	return rights(role, entry) | (role.levels >= 4 ? entry & KEY_MASK : 0);
}

u64 shadow_leaf(union shadow_role role, u64 addr, u64 entry, unsigned int map, u8 memtype)
{
	u64 pte = (addr & SHADOW_ADDR) | SHADOW_P | SHADOW_A | memtype | leaf_rights(role, entry);

	if (!(map & SHADOW_LEAF_WRITE))
		pte &= ~SHADOW_W;
	if ((map & SHADOW_LEAF_DIRTY) && (pte & SHADOW_W))
		pte |= SHADOW_D;
	return pte;
}

static u64 entry_gfn(union shadow_role role, u64 entry)
{
	return (entry & (role.levels == 2 ? GENMASK_ULL(31, 12) : SHADOW_ADDR)) >> 12;
}

u64 shadow_refresh(union shadow_role role, u64 leaf, u64 gfn, u64 entry, u64 rsvd)
{
	u64 may = leaf_rights(role, entry);

	if (!(entry & GUEST_P) || !(entry & GUEST_A) || (entry & rsvd) ||
	    entry_gfn(role, entry) != gfn)
		return 0;
	if ((leaf ^ may) & KEY_MASK)
		return 0;
	if (!(entry & GUEST_D))
		may &= ~SHADOW_W;
	leaf &= ~(SHADOW_W | SHADOW_U) | may;
	return leaf | (may & SHADOW_NX);
}
