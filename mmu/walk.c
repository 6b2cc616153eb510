// SPDX-License-Identifier: GPL-2.0
/*
 * The guest page-table walker. Contract: walk.h.
 *
 * One loop serves every paging mode. What differs between the modes is
 * small and sits in small functions: the size of an entry, how many address
 * bits a level decodes, whether an entry of a level may be a large page, and
 * which bits have to be zero. Levels are counted from the leaf: level 1 holds
 * 4K pages. A mode of 0 levels is no paging at all.
 *
 *	levels	entry	bits per level		large pages
 *	2	4	10			4M with CR4.PSE (PSE-36 address)
 *	3	8	9, top has 4 entries	2M
 *	4, 5	8	9			2M, and 1G if CPUID has them
 *
 * Order of the checks, which decides the error code: an entry which is not
 * present ends the walk with P clear; then reserved bits (P and RSVD); then,
 * with the whole walk done, the permissions. Protection keys come last and
 * are the only source of the PK bit.
 *
 * The entries of the PAE top level grant everything and have no accessed bit.
 *
 * A guest that changes its tables while we walk them makes the compare-and-
 * exchange of the accessed bit fail; the walk then starts again. The number of
 * restarts is bounded, because another vCPU could keep that up for ever;
 * beyond it the translation just read stands without its bits, which is what
 * an ordinary race with the hardware's walk may look like as well.
 */
#include "walk.h"

#define ENT_P		BIT_ULL(0)
#define ENT_W		BIT_ULL(1)
#define ENT_U		BIT_ULL(2)
#define ENT_A		BIT_ULL(5)
#define ENT_D		BIT_ULL(6)
#define ENT_PS		BIT_ULL(7)
#define ENT_G		BIT_ULL(8)
#define ENT_NX		BIT_ULL(63)
#define ENT_ADDR	GENMASK_ULL(51, 12)
#define ENT_PK_SHIFT	59

#define MAX_RESTARTS	16

static unsigned int entry_size(const struct mmu_mode *mode)
{
	return mode->levels == 2 ? 4 : 8;
}

static unsigned int level_shift(const struct mmu_mode *mode, int level)
{
	return 12 + (level - 1) * (mode->levels == 2 ? 10 : 9);
}

static u64 entry_index(const struct mmu_mode *mode, u64 addr, int level)
{
	unsigned int bits = mode->levels == 2 ? 10 : 9;

	if (mode->levels == 3 && level == 3)
		bits = 2;
	return (addr >> level_shift(mode, level)) & (BIT_ULL(bits) - 1);
}

static bool is_pae_top(const struct mmu_mode *mode, int level)
{
	return mode->levels == 3 && level == 3;
}

/* May PS mean "page" at this level, or is it reserved or ignored? */
static bool ps_is_page(const struct mmu_mode *mode, int level)
{
	switch (level) {
	case 2:
		return mode->levels > 2 || mode->pse;
	case 3:
		return mode->levels > 3 && mode->gbpages;
	default:
		return false;
	}
}

/* 32-bit entries: only 4M pages have reserved bits, around the PSE-36 address. */
static u64 reserved_32(const struct mmu_mode *mode, bool large)
{
	unsigned int pa_bits = min_t(unsigned int, mode->maxphyaddr, 40);

	if (!large)
		return 0;
	/* Bits 13-20 of the entry are bits 32-39 of the address; bit 21 is none. */
	if (pa_bits <= 32)
		return GENMASK_ULL(21, 13);
	return GENMASK_ULL(21, 13 + (pa_bits - 32));
}

static u64 above_maxphyaddr(const struct mmu_mode *mode)
{
	if (mode->maxphyaddr >= 52)
		return 0;
	return GENMASK_ULL(51, mode->maxphyaddr);
}

u64 walk_pdptr_reserved(const struct mmu_mode *mode)
{
	return above_maxphyaddr(mode) | GENMASK_ULL(63, 52) | GENMASK_ULL(8, 5) |
	       GENMASK_ULL(2, 1);
}

static u64 reserved_bits(const struct mmu_mode *mode, int level, bool large)
{
	u64 rsvd;

	if (mode->levels == 2)
		return reserved_32(mode, large);
	if (is_pae_top(mode, level))
		return walk_pdptr_reserved(mode);

	rsvd = above_maxphyaddr(mode);
	if (!mode->nx)
		rsvd |= ENT_NX;
	if (mode->levels == 3)
		rsvd |= GENMASK_ULL(62, 52);
	if (level >= 4)
		rsvd |= ENT_PS | (mode->amd ? ENT_G : 0);
	if (level == 3 && !mode->gbpages)
		rsvd |= ENT_PS;
	if (large && level == 3)
		rsvd |= GENMASK_ULL(29, 13);
	if (large && level == 2)
		rsvd |= GENMASK_ULL(20, 13);
	return rsvd;
}

void walk_prepare(struct mmu_mode *mode)
{
	int level;

	for (level = 1; level <= mode->levels; level++) {
		mode->rsvd[level][0] = reserved_bits(mode, level, false);
		mode->rsvd[level][1] = reserved_bits(mode, level, true);
	}
}

static bool canonical(u64 addr, int levels)
{
	int bits = levels == 5 ? 57 : 48;

	return (u64)sign_extend64(addr, bits - 1) == addr;
}

static u64 page_address(const struct mmu_mode *mode, u64 entry, int level)
{
	u64 addr = entry & ENT_ADDR;

	if (mode->levels == 2) {
		addr &= U32_MAX;
		if (level == 2)
			return (addr & GENMASK_ULL(31, 22)) |
			       ((entry & GENMASK_ULL(20, 13)) << (32 - 13));
		return addr;
	}
	return addr & ~(BIT_ULL(level_shift(mode, level)) - 1);
}

/* The bits of the error code which say what was tried. */
static u32 fault_bits(const struct mmu_mode *mode, u64 access)
{
	u32 err = access & (MMU_PF_WRITE | MMU_PF_USER);

	if ((access & MMU_ACC_FETCH) && (mode->nx || mode->smep))
		err |= MMU_PF_FETCH;
	return err;
}

static bool data_allowed(const struct mmu_mode *mode, const struct walk_req *req,
			 const struct walk *w)
{
	bool user = req->access & MMU_ACC_USER;

	if (user && !w->user)
		return false;
	if (!user && w->user && mode->smap &&
	    ((req->access & MMU_ACC_IMPLICIT) || !req->ac))
		return false;
	if (req->access & MMU_ACC_WRITE)
		return w->writable || (!user && !mode->wp);
	return true;
}

static bool fetch_allowed(const struct mmu_mode *mode, const struct walk_req *req,
			  const struct walk *w)
{
	if (!w->exec)
		return false;
	if (req->access & MMU_ACC_USER)
		return w->user;
	return !(w->user && mode->smep);
}

/* Protection keys guard data accesses to user pages, from any privilege level. */
static bool key_allowed(const struct mmu_mode *mode, const struct walk_req *req,
			const struct walk *w)
{
	unsigned int key = (w->entry[w->level] >> ENT_PK_SHIFT) & 15;
	u32 rights = req->pkru >> (key * 2);

	if (!mode->pku || mode->levels < 4 || !w->user || (req->access & MMU_ACC_FETCH))
		return true;
	if (rights & 1)
		return false;
	return !((rights & 2) && (req->access & MMU_ACC_WRITE) &&
		 ((req->access & MMU_ACC_USER) || mode->wp));
}

static enum walk_status check_access(const struct mmu_mode *mode,
				     const struct walk_req *req, struct walk *w)
{
	bool ok;

	if (req->access & MMU_ACC_SYSTEM)
		return WALK_OK;
	ok = req->access & MMU_ACC_FETCH ? fetch_allowed(mode, req, w) :
					   data_allowed(mode, req, w);
	if (ok && key_allowed(mode, req, w))
		return WALK_OK;
	w->error = MMU_PF_PRESENT | fault_bits(mode, req->access);
	if (ok)
		w->error |= MMU_PF_PK;
	return WALK_FAULT;
}

/* Set the accessed bits, and the leaf's dirty bit. 1: an entry changed. */
static int set_accessed_dirty(const struct mmu_mode *mode, const struct walk_req *req,
			      const struct walk_ops *ops, void *ctx, struct walk *w)
{
	int level;

	for (level = mode->levels; level >= w->level; level--) {
		u64 old = w->entry[level], new = old | ENT_A;

		if (is_pae_top(mode, level))
			continue;
		if (level == w->level && (req->access & MMU_ACC_WRITE))
			new |= ENT_D;
		if (new == old)
			continue;
		if (ops->update(ctx, w->table[level], old, new, entry_size(mode)) > 0)
			return 1;
		w->entry[level] = new;
	}
	return 0;
}

static int read_entry(const struct mmu_mode *mode, const struct walk_req *req,
		      const struct walk_ops *ops, void *ctx, struct walk *w, int level)
{
	u64 index = entry_index(mode, req->addr, level);

	if (is_pae_top(mode, level) && req->pdptrs) {
		w->entry[level] = req->pdptrs[array_index_nospec(index, 4)];
		return 0;
	}
	w->entry[level] = 0;
	return ops->read(ctx, w->table[level], &w->entry[level], entry_size(mode));
}

static u64 top_table(const struct mmu_mode *mode, u64 cr3)
{
	if (mode->levels == 3)
		return cr3 & GENMASK_ULL(31, 5);
	if (mode->levels == 2)
		return cr3 & GENMASK_ULL(31, 12);
	return cr3 & ENT_ADDR & ~above_maxphyaddr(mode);
}

static void add_rights(const struct mmu_mode *mode, int level, struct walk *w)
{
	u64 entry = w->entry[level];

	if (is_pae_top(mode, level))
		return;
	w->writable &= !!(entry & ENT_W);
	w->user &= !!(entry & ENT_U);
	w->exec &= !(mode->nx && (entry & ENT_NX));
}

/* From the top table to the leaf entry. */
static enum walk_status descend(const struct mmu_mode *mode, const struct walk_req *req,
				const struct walk_ops *ops, void *ctx, struct walk *w)
{
	u64 table = top_table(mode, req->cr3);
	u64 entry;
	bool large;
	int level;

	w->writable = w->user = w->exec = true;
	for (level = mode->levels; ; level--) {
		w->table[level] = table + entry_index(mode, req->addr, level) * entry_size(mode);
		w->level = level;
		if (read_entry(mode, req, ops, ctx, w, level) ||
		    !(w->entry[level] & ENT_P)) {
			w->error = fault_bits(mode, req->access);
			return WALK_FAULT;
		}
		entry = w->entry[level];
		large = (entry & ENT_PS) && ps_is_page(mode, level);
		if (entry & mode->rsvd[level][large]) {
			w->error = MMU_PF_PRESENT | MMU_PF_RSVD | fault_bits(mode, req->access);
			return WALK_FAULT;
		}
		add_rights(mode, level, w);
		if (level == 1 || large)
			break;
		table = entry & (mode->levels == 2 ? GENMASK_ULL(31, 12) : ENT_ADDR);
	}

	w->page_shift = level_shift(mode, level);
	w->global = entry & ENT_G;
	w->gpa = page_address(mode, entry, level) |
		 (req->addr & (BIT_ULL(w->page_shift) - 1));
	return check_access(mode, req, w);
}

static enum walk_status unpaged(u64 addr, struct walk *w)
{
	*w = (struct walk) {
		.gpa = addr,
		.page_shift = 12,
		.writable = true,
		.user = true,
		.exec = true,
	};
	return WALK_OK;
}

enum walk_status walk_guest(const struct mmu_mode *mode, const struct walk_req *req,
			    const struct walk_ops *ops, void *ctx, struct walk *w)
{
	enum walk_status status;
	int tries;

	if (!mode->levels)
		return unpaged(req->addr, w);
	*w = (struct walk) {};
	if (mode->levels >= 4 && !canonical(req->addr, mode->levels))
		return WALK_NON_CANONICAL;

	for (tries = 0; tries < MAX_RESTARTS; tries++) {
		status = descend(mode, req, ops, ctx, w);
		if (status != WALK_OK || (req->access & MMU_ACC_SYSTEM))
			break;
		if (!set_accessed_dirty(mode, req, ops, ctx, w))
			break;
	}
	return status;
}
