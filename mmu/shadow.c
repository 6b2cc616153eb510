// SPDX-License-Identifier: GPL-2.0
/*
 * Shadow paging: page faults, roots, and what the host and the slots ask for.
 * The rules stand in shadow.h, the tables' life in cache.c, what the guest does to
 * its tables in shadow_sync.c.
 *
 * A page fault of the guest exits. Either the guest's own tables forbid the
 * access: then it gets its fault (mmu.c), with the error code of a walk in
 * software. Or they allow it, and we have not got there yet: then this file goes
 * down the shadow tables, adds those that are missing, and puts the leaf. Or
 * they allow a write that we can't let through: then it is emulated.
 *
 * Writable leaves. W is there if the guest's entry grants it and is dirty, the
 * host's page is writable, the write is logged if it has to be, and the page is
 * no table of the guest's that we keep in step with.
 *
 * Neighbours. Where a large page of the guest is made of small ones of ours, those that
 * follow the one that faulted are put with it, if the host has them ready: to add
 * one costs a tenth of an exit.
 *
 * Locks: mmu_lock for write, faults included. Unlike the nested tree these
 * tables follow the guest's every change, which no compare-and-exchange of one
 * entry would keep together.
 */
#include <linux/mem_encrypt.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include "shadow.h"
#include "vendor_ops.h"
#include "x86.h"

/* So many times in a row tables are given up for one instruction that can't be emulated. */
#define GIVE_UP_MAX	4

/* Neighbours lie in a block of so many pages. A power of two. */
#define NEIGHBOURS	16

/* ---- leaves -------------------------------------------------------------------------- */

gfn_t shadow_leaf_gfn(const struct shadow_table *t, unsigned int i)
{
	return t->role.direct ? shadow_direct_gfn(t->gfn, t->role, i) : t->gfns[i];
}

void shadow_count_leaf(struct kvm *kvm, const struct shadow_table *t, int n)
{
	if (t->role.level == PTE_LEVEL_4K)
		kvm->stat.pages_4k += n;
	else
		kvm->stat.pages_2m += n;
}

void shadow_carry_dirty(u64 pte)
{
	if (pte & SHADOW_D)
		mmu_carry_dirty(__sme_clr(pte & SHADOW_ADDR) >> PAGE_SHIFT);
}

struct mmu_rmap *shadow_rmap_of(const struct kvm_memory_slot *slot, gfn_t gfn, int level)
{
	if (level == PTE_LEVEL_4K)
		return &slot->arch.rmap[gfn - slot->base_gfn];
	return &slot->arch.rmap_2m[(gfn >> PTE_LEVEL_BITS) - (slot->base_gfn >> PTE_LEVEL_BITS)];
}

static void drop_all(struct kvm *kvm, const struct mmu_rmap *r)
{
	u64 *entry;

	while ((entry = rmap_any(r)))
		shadow_drop(kvm, shadow_table_of(entry), shadow_slot(entry));
}

static bool take_bit(u64 *entry, u64 bit)
{
	return test_and_clear_bit(__ffs64(bit), (unsigned long *)entry);
}

/* A large page goes as a whole: small ones come in its place. */
static void protect_slot_gfn(struct kvm *kvm, const struct kvm_memory_slot *slot, gfn_t gfn)
{
	struct rmap_iter it;
	u64 *entry;

	drop_all(kvm, shadow_rmap_of(slot, gfn, PTE_LEVEL_2M));
	rmap_for_each(entry, shadow_rmap_of(slot, gfn, PTE_LEVEL_4K), &it)
		if (take_bit(entry, SHADOW_W))
			shadow_of(kvm)->stale = true;
}

void shadow_protect_gfn(struct kvm *kvm, gfn_t gfn)
{
	struct kvm_memory_slot *slot = kvm_gfn_to_slot(kvm, gfn);

	lockdep_assert_held_write(&kvm->mmu_lock);
	if (slot)
		protect_slot_gfn(kvm, slot, gfn);
}

/* ---- a fault ---------------------------------------------------------------------------- */

enum shadow_result {
	SHADOW_DONE,
	SHADOW_AGAIN,		/* something changed meanwhile: let it fault again */
	SHADOW_EMULATE,
};

/*
 * Is the guest's entry behind table @t still what the walk found? The walk sets
 * accessed and dirty bits; in memory that can't be written they are lost.
 */
static bool unchanged(struct kvm_vcpu *vcpu, const struct walk *w, const struct shadow_table *t)
{
	int level = t->role.level;
	bool writable = true;
	u64 now = 0;

	if (t->role.direct)
		return true;
	if (kvm_vcpu_read_guest_atomic(vcpu, w->table[level], &now, shadow_entry_size(t->role)))
		return false;
	if (now == w->entry[level])
		return true;
	kvm_vcpu_gfn_to_hva(vcpu, gpa_to_gfn(w->table[level]), &writable);
	return !writable && !((now ^ w->entry[level]) & ~(SHADOW_A | SHADOW_D));
}

/* Entry @i of @t leads to the right table already. Add what rights are missing. */
static struct shadow_table *follow(struct kvm_vcpu *vcpu, const struct mmu_pf *pf,
				   struct shadow_table *t, unsigned int i,
				   struct shadow_table *child, u64 want)
{
	u64 pte = t->pt[i];

	if (shadow_grants(want, pte))
		return child;
	if (!unchanged(vcpu, pf->walk, t))
		return NULL;
	if (!shadow_grants(pte, want))
		shadow_of(vcpu->kvm)->stale = true;
	WRITE_ONCE(t->pt[i], want);
	return child;
}

/* One level down, towards pf->gva. NULL: the guest's tables are not what they were. */
static struct shadow_table *step(struct kvm_vcpu *vcpu, const struct mmu_pf *pf,
				 struct shadow_table *t)
{
	const struct walk *w = pf->walk;
	int level = t->role.level;
	unsigned int i = shadow_index(pf->gva, level);
	struct shadow_key key = shadow_child(t->gfn, t->role, i, w, pf->gva);
	u64 pte = READ_ONCE(t->pt[i]);
	bool link = (pte & SHADOW_P) && !shadow_is_leaf(t, pte);
	struct shadow_table *child = link ? shadow_below(pte) : NULL;
	bool known = child && child->gfn == key.gfn && child->role.word == key.role.word;

	if (!known)
		child = shadow_get(vcpu, &key, vcpu->arch.mmu.guest.rsvd[1][0]);
	pte = shadow_link(t->role, tree_table_addr(child->pt), w->entry[level],
			  w->level == level, pf->write);
	if (known)
		return follow(vcpu, pf, t, i, child, pte);
	if (!unchanged(vcpu, w, t))
		return NULL;
	shadow_drop(vcpu->kvm, t, i);
	shadow_connect(vcpu, t, i, child, pte);
	return child;
}

static bool is_logged(const struct kvm_memory_slot *slot)
{
	return slot->flags & KVM_MEM_LOG_DIRTY_PAGES;
}

/* May the leaf have W, but for what else the page is? */
static bool wants_write(const struct mmu_pf *pf, const struct shadow_table *t)
{
	if (!pf->host_writable)
		return false;
	if (pf->write)
		return true;
	return !is_logged(pf->slot) &&
	       (t->role.direct || (pf->walk->entry[t->role.level] & SHADOW_D));
}

static u64 wanted_leaf(struct kvm_vcpu *vcpu, const struct mmu_pf *pf,
		       const struct shadow_table *t, bool write)
{
	bool mmio = !pfn_valid(pf->pfn);
	u64 pfn = pf->pfn & ~(pte_level_pages(t->role.level) - 1), leaf;
	u64 addr = pfn << PAGE_SHIFT;
	unsigned int map = 0;

	if (write)
		map |= SHADOW_LEAF_WRITE;
	if (write && pf->write)
		map |= SHADOW_LEAF_DIRTY;
	leaf = shadow_leaf(t->role, mmio ? addr : __sme_set(addr),
			   pf->walk->entry[t->role.level], map,
			   vendor_call(memtype)(vcpu, pf->gfn, mmio));
	return t->role.level == PTE_LEVEL_4K ? leaf : leaf | SHADOW_PS;
}

/* The first frame of the page that @t has for pf->gfn. */
static gfn_t page_gfn(const struct mmu_pf *pf, const struct shadow_table *t)
{
	return pf->gfn & ~(pte_level_pages(t->role.level) - 1);
}

/* Where nothing was. */
static void add_leaf(struct kvm_vcpu *vcpu, const struct mmu_pf *pf, struct shadow_table *t,
		     unsigned int i, u64 leaf)
{
	if (!t->role.direct)
		t->gfns[i] = page_gfn(pf, t);
	shadow_rmap_add(vcpu, shadow_rmap_of(pf->slot, pf->gfn, t->role.level), &t->pt[i]);
	WRITE_ONCE(t->pt[i], leaf);
	t->present++;
	shadow_count_leaf(vcpu->kvm, t, 1);
}

/* The same page is there with other rights. */
static void change_leaf(struct kvm_vcpu *vcpu, struct shadow_table *t, unsigned int i, u64 leaf)
{
	u64 old = READ_ONCE(t->pt[i]);

	if (shadow_grants(leaf, old)) {
		vcpu->stat.pf_spurious++;
		return;
	}
	old = xchg(&t->pt[i], leaf);
	if (!(leaf & SHADOW_D))
		shadow_carry_dirty(old);
	if (!shadow_grants(old, leaf))
		shadow_of(vcpu->kvm)->stale = true;
	vcpu->stat.pf_fixed++;
}

static bool same_page(const struct mmu_pf *pf, const struct shadow_table *t, unsigned int i,
		      u64 leaf)
{
	return shadow_is_leaf(t, t->pt[i]) && shadow_leaf_gfn(t, i) == page_gfn(pf, t) &&
	       !((t->pt[i] ^ leaf) & SHADOW_ADDR);
}

static void put_leaf(struct kvm_vcpu *vcpu, const struct mmu_pf *pf, struct shadow_table *t,
		     u64 leaf)
{
	unsigned int i = shadow_index(pf->gva, t->role.level);

	if (!(t->pt[i] & SHADOW_P)) {
		vcpu->stat.pf_fixed++;
		add_leaf(vcpu, pf, t, i, leaf);
		return;
	}
	/* Whatever this CPU's TLB has there was not good enough. */
	vendor_call(flush_tlb)(vcpu, X86_FLUSH_GVA, pf->gva);
	if (same_page(pf, t, i, leaf)) {
		change_leaf(vcpu, t, i, leaf);
	} else {
		shadow_drop(vcpu->kvm, t, i);
		vcpu->stat.pf_fixed++;
		add_leaf(vcpu, pf, t, i, leaf);
	}
}

/* How many empty entries follow entry @i of @t in its block, within the slot? */
static unsigned int empty_after(const struct mmu_pf *pf, const struct shadow_table *t,
				unsigned int i)
{
	u64 room = pf->slot->base_gfn + pf->slot->npages - pf->gfn - 1;
	unsigned int n = 0, max = min_t(u64, NEIGHBOURS - 1 - i % NEIGHBOURS, room);

	while (n < max && !(t->pt[i + n + 1] & SHADOW_P))
		n++;
	return n;
}

/* Unlike the page that faulted this one was not used yet: no A. */
static void map_neighbour(struct kvm_vcpu *vcpu, const struct mmu_pf *pf, struct shadow_table *t,
			  unsigned int i)
{
	bool write = shadow_allow_write(vcpu->kvm, pf->gfn, false);

	if (rmap_empty(shadow_rmap_of(pf->slot, pf->gfn, PTE_LEVEL_4K)))
		add_leaf(vcpu, pf, t, i, wanted_leaf(vcpu, pf, t, write) & ~SHADOW_A);
}

static void map_neighbours(struct kvm_vcpu *vcpu, const struct mmu_pf *pf, struct shadow_table *t)
{
	unsigned int i = shadow_index(pf->gva, PTE_LEVEL_4K), n = empty_after(pf, t, i), got, k;
	struct page *pages[NEIGHBOURS];
	struct mmu_pf next = { .slot = pf->slot, .walk = pf->walk, .host_writable = true };

	got = n ? kvm_slot_get_ready(pf->slot, pf->gfn + 1, n, pages) : 0;
	for (k = 0; k < got; k++) {
		next.gfn = pf->gfn + k + 1;
		next.pfn = page_to_pfn(pages[k]);
		if (!kvm_notifier_retry(vcpu->kvm, pf->seq, kvm_slot_hva(pf->slot, next.gfn)))
			map_neighbour(vcpu, &next, t, i + k + 1);
		put_page(pages[k]);
	}
}

static bool has_neighbours(const struct mmu_pf *pf, const struct shadow_table *t)
{
	return t->role.direct && t->role.level == PTE_LEVEL_4K && pf->host_writable &&
	       !is_logged(pf->slot);
}

static struct shadow_table *root_for(struct kvm_vcpu *vcpu, gva_t gva)
{
	struct shadow_vcpu *s = &vcpu->arch.mmu.shadow;

	if (!vcpu->arch.mmu.root_hpa)
		return NULL;
	return vcpu->arch.mmu.guest.levels >= 4 ? s->root[0] : s->root[(gva >> 30) & 3];
}

/*
 * Does a 2M page fit in @t? The guest's page must be as large, or it has no paging;
 * small pages that are there already stay.
 */
static bool large_fits(const struct mmu_pf *pf, const struct shadow_table *t)
{
	u64 pte = t->pt[shadow_index(pf->gva, t->role.level)];

	return t->role.level == PTE_LEVEL_2M && pf->level >= PTE_LEVEL_2M &&
	       (t->role.direct || pf->walk->level == PTE_LEVEL_2M) &&
	       (!(pte & SHADOW_P) || shadow_is_leaf(t, pte)) &&
	       shadow_large_allowed(pf->slot, pf->gfn);
}

static enum shadow_result map_locked(struct kvm_vcpu *vcpu, const struct mmu_pf *pf)
{
	struct shadow_table *t = root_for(vcpu, pf->gva);
	struct kvm *kvm = vcpu->kvm;
	bool write;

	if (!t || t->dead)
		return SHADOW_AGAIN;
	shadow_make_room(kvm, SHADOW_STOCK_TABLES);
	while (t && t->role.level > PTE_LEVEL_4K && !large_fits(pf, t))
		t = step(vcpu, pf, t);
	if (!t)
		return SHADOW_AGAIN;
	list_move_tail(&t->lru, &shadow_of(kvm)->lru);

	/* First what W depends on, which may move @t, then the guest's entry. */
	write = wants_write(pf, t) && shadow_allow_write(kvm, pf->gfn, pf->write);
	if (!unchanged(vcpu, pf->walk, t))
		return SHADOW_AGAIN;
	put_leaf(vcpu, pf, t, wanted_leaf(vcpu, pf, t, write));
	if (has_neighbours(pf, t))
		map_neighbours(vcpu, pf, t);
	if (!pf->write)
		return SHADOW_DONE;
	if (!write)
		return SHADOW_EMULATE;
	if (is_logged(pf->slot))
		kvm_mark_slot_dirty(kvm, pf->slot, pf->gfn);
	return SHADOW_DONE;
}

int shadow_map(struct kvm_vcpu *vcpu, struct mmu_pf *pf)
{
	enum shadow_result result = SHADOW_AGAIN;
	struct kvm *kvm = vcpu->kvm;
	int r = KVM_EXIT_RESUME;

	pf->level = mmu_page_level(pf);
	shadow_lock(kvm);
	if (kvm->released)
		r = -EIO;
	else if (!kvm_notifier_retry(kvm, pf->seq, pf->hva))
		result = map_locked(vcpu, pf);
	shadow_unlock(kvm);
	return result == SHADOW_EMULATE ? shadow_emulate_write(vcpu, pf) : r;
}

/* ---- writes that can't be let through ----------------------------------------------------- */

static bool event_in_delivery(const struct kvm_vcpu *vcpu)
{
	const struct x86_events *ev = &vcpu->arch.ev;

	return ev->exc.injected || ev->intr.injected || ev->nmi_injected;
}

/* Without those tables the guest may write by itself. Not for ever: it may need them. */
static bool give_up(struct kvm_vcpu *vcpu, gfn_t gfn)
{
	struct shadow_vcpu *s = &vcpu->arch.mmu.shadow;
	u64 rip = x86_rip(vcpu);

	if (s->gave_up_gfn != gfn || s->gave_up_rip != rip)
		s->gave_up = 0;
	if (s->gave_up++ >= GIVE_UP_MAX)
		return false;
	s->gave_up_gfn = gfn;
	s->gave_up_rip = rip;
	return shadow_unprotect(vcpu->kvm, gfn);
}

static int emulate_insn(struct kvm_vcpu *vcpu, gfn_t gfn)
{
	struct shadow_vcpu *s = &vcpu->arch.mmu.shadow;
	int r;

	vcpu->stat.pf_emulate++;
	s->emulating = true;
	s->emulated_gfn = gfn;
	r = x86_emulate_insn(vcpu);
	s->emulating = false;
	return r;
}

/*
 * The write of an event's delivery is nobody's instruction, so there is nothing
 * to emulate.
 */
int shadow_emulate_write(struct kvm_vcpu *vcpu, const struct mmu_pf *pf)
{
	u64 data[] = { pf->gpa, pf->error, vcpu->cpu };

	if (!event_in_delivery(vcpu))
		return emulate_insn(vcpu, pf->gfn);
	if (give_up(vcpu, pf->gfn))
		return KVM_EXIT_RESUME;
	return x86_internal_error(vcpu, KVM_INTERNAL_ERROR_DELIVERY_EV, ARRAY_SIZE(data), data);
}

bool mmu_emulation_failed(struct kvm_vcpu *vcpu)
{
	struct shadow_vcpu *s = &vcpu->arch.mmu.shadow;

	return s->emulating && give_up(vcpu, s->emulated_gfn);
}

/* ---- roots --------------------------------------------------------------------------------- */

/* The table for quarter @q of the address space, or the only one. NULL: the guest has none. */
static struct shadow_table *get_root(struct kvm_vcpu *vcpu, const struct mmu_mode *mode,
				     unsigned int q)
{
	u64 cr3 = x86_cr3(vcpu) & SHADOW_ADDR, pdpte = vcpu->arch.mmu.pdptrs[q];
	struct shadow_key key = { .role = shadow_root_role(mode, q) };

	switch (mode->levels) {
	case 0:
		key.gfn = (gfn_t)q << (30 - PAGE_SHIFT);
		break;
	case 2:
		key.gfn = gpa_to_gfn(cr3 & U32_MAX);
		break;
	case 3:
		if (!(pdpte & SHADOW_P))
			return NULL;
		key.gfn = gpa_to_gfn(pdpte & SHADOW_ADDR);
		break;
	default:
		key.gfn = gpa_to_gfn(cr3);
	}
	return shadow_get(vcpu, &key, mode->rsvd[1][0]);
}

static u64 table_entry(const struct shadow_table *t)
{
	return t ? tree_table_addr(t->pt) | SHADOW_P : 0;
}

/* New ones first: what both share must not go in between. */
static void load_roots(struct kvm_vcpu *vcpu, const struct mmu_mode *mode)
{
	struct shadow_vcpu *s = &vcpu->arch.mmu.shadow;
	unsigned int q, n = mode->levels >= 4 ? 1 : SHADOW_ROOTS;
	struct shadow_table *old[SHADOW_ROOTS];

	memcpy(old, s->root, sizeof(old));
	memset(s->root, 0, sizeof(s->root));
	for (q = 0; q < n; q++) {
		s->root[q] = get_root(vcpu, mode, q);
		if (s->root[q])
			shadow_use_root(s->root[q]);
	}
	for (q = 0; q < SHADOW_ROOTS; q++)
		if (old[q])
			shadow_drop_root(vcpu->kvm, old[q]);
	if (n == 1) {
		vcpu->arch.mmu.root_hpa = tree_table_addr(s->root[0]->pt);
		return;
	}
	for (q = 0; q < SHADOW_ROOTS; q++)
		s->pae_root[q] = table_entry(s->root[q]);
	vcpu->arch.mmu.root_hpa = tree_table_addr(s->pae_root);
}

int shadow_load(struct kvm_vcpu *vcpu, const struct mmu_mode *mode)
{
	struct mmu_vcpu *mmu = &vcpu->arch.mmu;
	int r = shadow_stock_fill(&mmu->shadow.stock);

	if (r)
		return r;
	shadow_lock(vcpu->kvm);
	if (!mmu->root_hpa) {
		shadow_make_room(vcpu->kvm, SHADOW_ROOTS);
		load_roots(vcpu, mode);
	}
	if (mmu->shadow.sync) {
		mmu->shadow.sync = false;
		shadow_sync_all(vcpu);
	}
	shadow_unlock(vcpu->kvm);
	vendor_call(load_root)(vcpu, mmu->root_hpa, mode->levels >= 4 ? mode->levels : 3);
	return 0;
}

/* Does the guest's entry @i of @t lead to a page that it has used already? */
static bool maps_used_page(struct kvm_vcpu *vcpu, const struct shadow_table *t, unsigned int i)
{
	gpa_t gpa = gfn_to_gpa(t->gfn) + shadow_entry_offset(t->role, i);
	u64 entry = 0;

	return !kvm_vcpu_read_guest_atomic(vcpu, gpa, &entry, shadow_entry_size(t->role)) &&
	       (entry & SHADOW_P) && (entry & SHADOW_A);
}

static bool invlpg_locked(struct kvm_vcpu *vcpu, gva_t gva)
{
	struct shadow_table *t = root_for(vcpu, gva);
	unsigned int i;

	while (t) {
		i = shadow_index(gva, t->role.level);
		if (!(t->pt[i] & SHADOW_P))
			return false;
		if (shadow_is_leaf(t, t->pt[i]))
			break;
		t = shadow_below(t->pt[i]);
	}
	if (!t || !shadow_is_behind(t))
		return false;
	shadow_drop(vcpu->kvm, t, i);
	return maps_used_page(vcpu, t, i);
}

/*
 * Only tables that fell behind can hold what the guest wants forgotten. Whoever
 * let one fall behind did so before the guest changed it, thus before this.
 */
bool shadow_invlpg(struct kvm_vcpu *vcpu, gva_t gva)
{
	struct kvm *kvm = vcpu->kvm;
	bool again;

	if (list_empty_careful(&shadow_of(kvm)->unsync))
		return false;
	shadow_lock(kvm);
	again = invlpg_locked(vcpu, gva);
	shadow_unlock(kvm);
	return again;
}

/* ---- slots and the host's mm ------------------------------------------------------------------ */

int shadow_slot_prepare(struct kvm_memory_slot *slot)
{
	size_t large = (slot->npages >> PTE_LEVEL_BITS) + 2;
	struct mmu_slot *a = &slot->arch;

	a->rmap = kvcalloc(slot->npages, sizeof(*a->rmap), GFP_KERNEL_ACCOUNT);
	a->rmap_2m = kvcalloc(large, sizeof(*a->rmap_2m), GFP_KERNEL_ACCOUNT);
	a->tables_2m = kvcalloc(large, sizeof(*a->tables_2m), GFP_KERNEL_ACCOUNT);
	if (a->rmap && a->rmap_2m && a->tables_2m)
		return 0;
	shadow_slot_free(slot);
	return -ENOMEM;
}

void shadow_slot_free(struct kvm_memory_slot *slot)
{
	kvfree(slot->arch.rmap);
	kvfree(slot->arch.rmap_2m);
	kvfree(slot->arch.tables_2m);
	slot->arch = (struct mmu_slot) {};
}

#define PROTECT_BATCH	(1UL << 16)

void shadow_slot_protect(struct kvm *kvm, struct kvm_memory_slot *slot)
{
	gfn_t gfn = slot->base_gfn, end = gfn + slot->npages, stop;

	while (gfn < end) {
		stop = min(gfn + PROTECT_BATCH, end);
		shadow_lock(kvm);
		for (; gfn < stop; gfn++)
			protect_slot_gfn(kvm, slot, gfn);
		if (shadow_of(kvm)->stale)
			shadow_flush(kvm);
		shadow_unlock(kvm);
		cond_resched();
	}
}

bool shadow_unmap_gfns(struct kvm *kvm, struct kvm_memory_slot *slot, gfn_t start, gfn_t end)
{
	gfn_t gfn;

	for (gfn = start; gfn < end; gfn++) {
		drop_all(kvm, shadow_rmap_of(slot, gfn, PTE_LEVEL_4K));
		drop_all(kvm, shadow_rmap_of(slot, gfn, PTE_LEVEL_2M));
	}
	/* Also for what was dropped before, and might have been of this range. */
	if (shadow_of(kvm)->stale)
		shadow_flush(kvm);
	return false;
}

static bool age(const struct mmu_rmap *r, bool clear)
{
	struct rmap_iter it;
	bool young = false;
	u64 *entry;

	rmap_for_each(entry, r, &it)
		young |= clear ? take_bit(entry, SHADOW_A) : !!(READ_ONCE(*entry) & SHADOW_A);
	return young;
}

bool shadow_age_gfns(struct kvm *kvm, struct kvm_memory_slot *slot, gfn_t start, gfn_t end,
		     bool clear)
{
	bool young = false;
	gfn_t gfn;

	for (gfn = start; gfn < end && (clear || !young); gfn++) {
		young |= age(shadow_rmap_of(slot, gfn, PTE_LEVEL_4K), clear);
		young |= age(shadow_rmap_of(slot, gfn, PTE_LEVEL_2M), clear);
	}
	return young;
}

void shadow_forget(struct kvm *kvm)
{
	shadow_lock(kvm);
	shadow_zap_all(kvm);
	shadow_unlock(kvm);
}

/* ---- life --------------------------------------------------------------------------------------- */

int shadow_vcpu_create(struct kvm_vcpu *vcpu)
{
	struct page *page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO | GFP_DMA32);

	if (!page)
		return -ENOMEM;
	vcpu->arch.mmu.shadow.pae_root = page_address(page);
	return 0;
}

void shadow_vcpu_destroy(struct kvm_vcpu *vcpu)
{
	struct shadow_vcpu *s = &vcpu->arch.mmu.shadow;
	unsigned int q;

	shadow_lock(vcpu->kvm);
	for (q = 0; q < SHADOW_ROOTS; q++)
		if (s->root[q])
			shadow_drop_root(vcpu->kvm, s->root[q]);
	memset(s->root, 0, sizeof(s->root));
	shadow_unlock(vcpu->kvm);
	shadow_stock_drain(&s->stock);
	free_page((unsigned long)s->pae_root);
	s->pae_root = NULL;
}
