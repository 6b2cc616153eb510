/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Shadow paging's arithmetic: what a shadow table stands for (its role), what
 * its entries hold, and which of them a guest's write concerns.
 *
 * A shadow table has 512 entries of the hardware's 64-bit format. It stands
 * either for a table of the guest, or for part of one (the guest's 32-bit
 * format has 1024 entries a table), or, as a direct table, for a range of guest
 * frames that the guest itself maps with one large entry or, without paging,
 * with none at all. Two vCPUs may share a table exactly if its frame and its
 * role are the same; so the role has everything in it that decides about the
 * contents, and nothing else.
 *
 * An entry grants what the guest's entry of the same level grants: the
 * hardware takes the rights of all levels together just as the guest's CPU
 * would. So rights accumulated on the way need not be in the role, and what
 * CR0.WP, SMEP, SMAP and protection keys make of the rights is left to
 * the hardware. There W is always enforced (CR0.WP is on); a supervisor that
 * writes where only a clear CR0.WP lets it has that instruction emulated.
 *
 * Two differences. W is withheld until the guest's entry is dirty, so that we
 * see the first write. Nothing is there until the guest's entry is accessed.
 *
 * Pure: no locks, any context.
 */
#ifndef KVM_MMU_SHADOW_PTE_H
#define KVM_MMU_SHADOW_PTE_H

#include "pte.h"
#include "walk.h"

union shadow_role {
	struct {
		u32 level : 3;		/* of the table: 1 holds 4K pages */
		u32 direct : 1;		/* frame = the range's first, no guest table */
		u32 key : 4;		/* direct: protection key of the large page */
		u32 levels : 3;		/* guest's paging levels; 0 for direct */
		u32 quarter : 2;	/* 32-bit format: which part of the guest's table */
		u32 nx : 1;		/* EFER.NXE: bit 63 forbids execution */
		u32 pse : 1;		/* 32-bit format: CR4.PSE */
		u32 maxphyaddr : 7;	/* what is reserved above it */
	};
	u32 word;
};

/* The role of the table at the top of @mode's tree; for PAE and 32-bit, of its second level. */
union shadow_role shadow_root_role(const struct mmu_mode *mode, unsigned int quarter);

/*
 * What entry @index of the table (@gfn, @role) leads to, given the guest's walk
 * @w of an address that this entry is on the way to: the next table's frame and
 * role.
 */
struct shadow_key {
	u64 gfn;
	union shadow_role role;
};

struct shadow_key shadow_child(u64 gfn, union shadow_role role, unsigned int index,
			       const struct walk *w, u64 addr);

/* Index of @addr's entry in a table of @level. */
static inline unsigned int shadow_index(u64 addr, int level)
{
	return (addr >> (12 + (level - 1) * PTE_LEVEL_BITS)) & (PTE_ENTRIES - 1);
}

/* The first guest frame behind entry @index of a direct table at @gfn. */
static inline u64 shadow_direct_gfn(u64 gfn, union shadow_role role, unsigned int index)
{
	return gfn + index * pte_level_pages(role.level);
}

/* Size of the guest's entries that a table of @role stands for. */
static inline unsigned int shadow_entry_size(union shadow_role role)
{
	return role.levels == 2 ? 4 : 8;
}

/* Byte offset, in the guest's table, of the entry behind shadow entry @index. */
unsigned int shadow_entry_offset(union shadow_role role, unsigned int index);

/*
 * Which entries stand for bytes [@offset, @offset + @len) of the guest's table?
 * Their number (0: this part of the guest's table is another table's), the
 * first in *@first.
 */
unsigned int shadow_written(union shadow_role role, unsigned int offset, unsigned int len,
			    unsigned int *first);

/* An entry that leads to the table at @addr, with the rights of the guest's @entry. */
u64 shadow_link(union shadow_role role, u64 addr, u64 entry, bool large, bool dirty);

/* make_leaf()'s rights. */
#define SHADOW_LEAF_WRITE	BIT(0)	/* this mapping may be written now */
#define SHADOW_LEAF_DIRTY	BIT(1)

/* A leaf for the page at @addr. @entry: the guest's, not looked at in a direct table. */
u64 shadow_leaf(union shadow_role role, u64 addr, u64 entry, unsigned int map, u8 memtype);

/*
 * Leaf @leaf was made when the guest's entry may have been another. With the
 * guest's entry being @entry (reserved bits: @rsvd) and the frame behind the
 * leaf @gfn, what may stay of it? 0: nothing.
 */
u64 shadow_refresh(union shadow_role role, u64 leaf, u64 gfn, u64 entry, u64 rsvd);

#define SHADOW_P	BIT_ULL(0)
#define SHADOW_W	BIT_ULL(1)
#define SHADOW_U	BIT_ULL(2)
#define SHADOW_A	BIT_ULL(5)
#define SHADOW_D	BIT_ULL(6)
#define SHADOW_PS	BIT_ULL(7)	/* a leaf of level 2 */
#define SHADOW_NX	BIT_ULL(63)
#define SHADOW_ADDR	GENMASK_ULL(51, 12)

/* Does @new let through everything that @old does? Both map the same. */
static inline bool shadow_grants(u64 old, u64 new)
{
	return !(old & ~new & (SHADOW_W | SHADOW_U)) && !(new & ~old & SHADOW_NX);
}

#endif
