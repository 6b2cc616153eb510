// SPDX-License-Identifier: GPL-2.0
/*
 * Nested paging: the one tree of page tables by which hardware translates
 * guest physical to host physical addresses, kept honest with the host's mm.
 *
 * A VM has one tree for its whole life. All its vCPUs use it whatever paging
 * mode the guest is in. The root is never replaced; a memory slot that goes
 * takes just its own range out of the tree.
 *
 * Who may do what (tree.h has the rules of the tree itself):
 *
 *   mmu_lock for read	a fault maps its page. Many vCPUs at once.
 *   mmu_lock for write	unmapping, write protection, collapse.
 *   RCU only		the lockless repair of a write-tracked entry, aging, and
 *			the look at an MMIO marker.
 *
 * No page is pinned while it is mapped. The host may take any page at any
 * time; it tells us first, through the mmu notifier, and the fault path
 * notices by the sequence count when it raced with that.
 *
 * TLB. A translation that was taken out may still be in the TLB of a CPU that
 * runs the guest. Two rules follow. (1) mmu_lock is not dropped while something
 * was zapped and not flushed: another invalidation of the same range would find
 * nothing to do and let the host free the page. (2) A table page that was cut
 * off is given to RCU only after the flush. Both live in struct tdp_op and
 * settle(). Write protection flushes before it answers to userspace; the
 * entry stays present, so rule 1 does not concern it. Aging does not flush: a
 * page used only through stale TLB entries looks a little older than it is.
 *
 * Dirty logging. With the log on, pages are mapped 4K and without write access
 * until somebody writes; the write fault grants access first and marks the page
 * second. The harvester clears the log first and takes access second. In
 * whatever order the two meet, a write after the harvest is seen by the next.
 *
 * Where the hardware writes down which pages become dirty (hw_caps.write_log), a small
 * page keeps its write access and only its D bit is cleared. The order is the same:
 * D is set before the page is marked, at the vCPU's exit; the harvester takes
 * the mark, then clears D. The log is on before the first D bit is cleared.
 *
 * Dirty pages. A page that is mapped because the guest writes to it is marked at
 * once. One that a read maps may be written to later; then the hardware's D bit
 * is carried to the host's page when the leaf goes (mmu_carry_dirty()).
 */
#include <linux/mem_encrypt.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include "tdp.h"
#include "vendor_ops.h"

/* ---- what the tree asks for ------------------------------------------------------ */

/* One operation on the tree: the ctx of tree_ops. */
struct tdp_op {
	struct kvm *kvm;
	struct mmu_cache *cache;	/* when mapping */
	struct mmu_page *cut;		/* tables to free after the flush */
	bool flush;			/* zapped and not flushed yet */
};

static u64 *op_get_table(void *ctx)
{
	struct tdp_op *z = ctx;

	if (!z->cache->nr)
		return NULL;
	return z->cache->page[--z->cache->nr]->pt;
}

static void op_put_table(void *ctx, u64 *pt)
{
	struct tdp_op *z = ctx;

	z->cache->page[z->cache->nr++] = mmu_page_of(pt);
}

static void op_linked(void *ctx, u64 *pt)
{
	struct tdp_op *z = ctx;

	atomic_long_inc(&z->kvm->arch.mmu.nr_pages);
}

static void op_cut(void *ctx, u64 *pt)
{
	struct mmu_page *page = mmu_page_of(pt);
	struct tdp_op *z = ctx;

	page->next = z->cut;
	z->cut = page;
	atomic_long_dec(&z->kvm->arch.mmu.nr_pages);
}

/* Faults count in parallel, and a level that drifts would never come right again. */
static void op_count(void *ctx, int level, int n)
{
	struct kvm_vm_stat *stat = &((struct tdp_op *)ctx)->kvm->stat;
	u64 *field[] = {
		[PTE_LEVEL_4K] = &stat->pages_4k,
		[PTE_LEVEL_2M] = &stat->pages_2m,
		[PTE_LEVEL_1G] = &stat->pages_1g,
	};

	BUILD_BUG_ON(sizeof(atomic64_t) != sizeof(u64));
	atomic64_add(n, (atomic64_t *)field[level]);
}

/* The D bit of this leaf goes. */
static void carry_dirty(const struct mmu_tree *t, u64 pte)
{
	mmu_carry_dirty(__sme_clr(t->fmt->addr(pte)) >> PAGE_SHIFT);
}

static void op_drop(void *ctx, int level, u64 pte)
{
	const struct mmu_tree *t = &((struct tdp_op *)ctx)->kvm->arch.mmu.tree;

	if (t->fmt->dirty(pte))
		carry_dirty(t, pte);
}

static const struct tree_ops tdp_tree_ops = {
	.get_table	= op_get_table,
	.put_table	= op_put_table,
	.linked		= op_linked,
	.cut		= op_cut,
	.count		= op_count,
	.drop		= op_drop,
};

static struct mmu_tree *tree_of(struct kvm *kvm)
{
	return &kvm->arch.mmu.tree;
}

/* ---- taking away ------------------------------------------------------------------- */

/* Flush what was zapped, then free what was cut off. mmu_lock held for write. */
static void settle(struct tdp_op *z)
{
	struct mmu_page *page;

	if (z->flush || z->cut)
		kvm_flush_tlbs(z->kvm);
	z->flush = false;
	while ((page = z->cut)) {
		z->cut = page->next;
		mmu_page_free_rcu(page);
	}
}

/*
 * Let others have the lock. The flush is unconditional: the notifier may owe
 * one for a slot that it zapped before this one.
 */
static bool yield_lock(struct tdp_op *z, struct tree_cursor *cur)
{
	struct kvm *kvm = z->kvm;

	if (!need_resched() && !rwlock_needbreak(&kvm->mmu_lock))
		return false;
	z->flush = true;
	settle(z);
	cond_resched_rwlock_write(&kvm->mmu_lock);
	tree_begin(cur, cur->t, cur->gfn, cur->end, cur->min_level);
	return true;
}

/* Does the current entry go in the pass for @level? */
static bool zap_goes(const struct tree_cursor *cur, gfn_t start, gfn_t end, int level)
{
	if (!cur->t->fmt->present(cur->pos.pte))
		return false;
	if (tree_is_leaf(cur->t, &cur->pos))
		return true;
	return cur->pos.level <= level &&
	       tree_entry_start(cur) >= start && tree_entry_end(cur) <= end;
}

static void zap_pass(struct tdp_op *z, gfn_t start, gfn_t end, int level, bool may_yield)
{
	struct tree_cursor cur;

	tree_begin(&cur, tree_of(z->kvm), start, end,
		   level == PTE_LEVEL_2M ? PTE_LEVEL_4K : level);
	while (tree_valid(&cur)) {
		if (may_yield && yield_lock(z, &cur))
			continue;
		if (zap_goes(&cur, start, end, level) &&
		    tree_detach(cur.t, &tdp_tree_ops, z, &cur.pos))
			z->flush = true;
		tree_next(&cur);
	}
}

/*
 * Tables go bottom up, one pass for each level, so that what is done between
 * two chances to yield stays small: each pass finds the tables below empty.
 */
static void zap_range(struct tdp_op *z, gfn_t start, gfn_t end, bool may_yield)
{
	int level;

	lockdep_assert_held_write(&z->kvm->mmu_lock);
	if (!tree_of(z->kvm)->root)	/* a VM that was never finished */
		return;
	for (level = PTE_LEVEL_2M; level <= tree_of(z->kvm)->levels; level++) {
		if (level > PTE_LEVEL_2M && end - start < pte_level_pages(level))
			break;
		zap_pass(z, start, end, level, may_yield);
	}
}

bool tdp_zap(struct kvm *kvm, gfn_t start, gfn_t end, bool may_yield)
{
	struct tdp_op z = { .kvm = kvm };

	zap_range(&z, start, end, may_yield);
	if (z.cut)
		settle(&z);
	return z.flush;
}

void tdp_zap_flush(struct kvm *kvm, gfn_t start, gfn_t end)
{
	struct tdp_op z = { .kvm = kvm };

	write_lock(&kvm->mmu_lock);
	zap_range(&z, start, end, true);
	settle(&z);
	write_unlock(&kvm->mmu_lock);
}

/* ---- mapping ----------------------------------------------------------------------- */

static bool is_logged(const struct kvm_memory_slot *slot)
{
	return slot->flags & KVM_MEM_LOG_DIRTY_PAGES;
}

/* The largest level at which a page around @gfn lies in the slot and is aligned in both worlds. */
static int slot_level(const struct kvm_memory_slot *slot, gfn_t gfn)
{
	gfn_t skew = slot->base_gfn ^ (slot->hva >> PAGE_SHIFT);
	int level;

	for (level = max_t(int, hw_caps.max_page_level, PTE_LEVEL_4K);
	     level > PTE_LEVEL_4K; level--) {
		gfn_t pages = pte_level_pages(level), first = gfn & ~(pages - 1);

		if (!(skew & (pages - 1)) && first >= slot->base_gfn &&
		    first + pages <= slot->base_gfn + slot->npages)
			break;
	}
	return level;
}

int mmu_page_level(const struct mmu_pf *pf)
{
	int level;

	if (is_logged(pf->slot))
		return PTE_LEVEL_4K;
	level = slot_level(pf->slot, pf->gfn);
	if (level > PTE_LEVEL_4K)
		level = min(level, mmu_host_level(pf->hva));
	while (level > PTE_LEVEL_4K &&
	       ((pf->pfn ^ pf->gfn) & (pte_level_pages(level) - 1)))
		level--;
	return level;
}

static unsigned int wanted_rights(const struct mmu_pf *pf)
{
	unsigned int map = PTE_MAP_EXEC | PTE_MAP_YOUNG;

	if (!pf->host_writable)
		return map;
	map |= PTE_MAP_MAY;
	if (pf->write)
		map |= PTE_MAP_WRITE | PTE_MAP_DIRTY;
	else if (!is_logged(pf->slot) || hw_caps.write_log)
		map |= PTE_MAP_WRITE;
	return map;
}

static void describe(struct kvm_vcpu *vcpu, const struct mmu_pf *pf, struct tree_map *m)
{
	bool mmio = !pfn_valid(pf->pfn);
	u64 addr = (u64)pf->pfn << PAGE_SHIFT;

	*m = (struct tree_map) {
		.gfn	 = pf->gfn,
		.addr	 = mmio ? addr : __sme_set(addr),
		.level	 = mmu_page_level(pf),
		.map	 = wanted_rights(pf),
		.memtype = vendor_call(memtype)(vcpu, pf->gfn, mmio),
		.write	 = pf->write,
	};
}

/* mmu_lock held for read. */
static enum tree_result map_locked(struct kvm_vcpu *vcpu, const struct mmu_pf *pf,
				   const struct tree_map *m)
{
	struct kvm *kvm = vcpu->kvm;
	struct tdp_op z = { .kvm = kvm, .cache = &vcpu->arch.mmu.cache };
	enum tree_result r = tree_map(tree_of(kvm), &tdp_tree_ops, &z, m);

	if (r == TREE_DONE && pf->write && is_logged(pf->slot))
		kvm_mark_slot_dirty(kvm, pf->slot, pf->gfn);
	return r;
}

int tdp_map(struct kvm_vcpu *vcpu, struct mmu_pf *pf)
{
	enum tree_result r = TREE_NO_TABLE;
	struct kvm *kvm = vcpu->kvm;
	int ret = KVM_EXIT_RESUME;
	struct tree_map m;

	if (!tree_covers(tree_of(kvm), pf->gfn))
		return -EFAULT;
	describe(vcpu, pf, &m);

	read_lock(&kvm->mmu_lock);
	if (kvm->released)
		ret = -EIO;
	else if (!kvm_notifier_retry(kvm, pf->seq, pf->hva))
		r = map_locked(vcpu, pf, &m);
	read_unlock(&kvm->mmu_lock);

	if (r == TREE_DONE)
		vcpu->stat.pf_fixed++;
	else if (r == TREE_CONFLICT)
		tdp_zap_flush(kvm, pf->gfn, pf->gfn + 1);
	else if (r == TREE_SPURIOUS)
		vcpu->stat.pf_spurious++;
	return ret;
}

int tdp_map_own(struct kvm_vcpu *vcpu, gfn_t gfn, kvm_pfn_t pfn, const bool *wanted)
{
	struct tdp_op z = { .kvm = vcpu->kvm, .cache = &vcpu->arch.mmu.cache };
	struct tree_map m = {
		.gfn	 = gfn,
		.addr	 = __sme_set((u64)pfn << PAGE_SHIFT),
		.level	 = PTE_LEVEL_4K,
		.map	 = PTE_MAP_WRITE | PTE_MAP_YOUNG | PTE_MAP_DIRTY,
		.memtype = vendor_call(memtype)(vcpu, gfn, false),
		.write	 = true,
	};
	enum tree_result r = TREE_DONE;

	if (!tree_covers(tree_of(vcpu->kvm), gfn))
		return -EFAULT;
	read_lock(&vcpu->kvm->mmu_lock);
	if (!wanted || READ_ONCE(*wanted))
		r = tree_map(tree_of(vcpu->kvm), &tdp_tree_ops, &z, &m);
	read_unlock(&vcpu->kvm->mmu_lock);
	return r == TREE_CONFLICT ? -EFAULT : 0;
}

/* ---- MMIO markers ------------------------------------------------------------------- */

static u64 marker_gen(u64 gen)
{
	return gen & (BIT_ULL(PTE_MMIO_GEN_BITS) - 1);
}

static bool marked_mmio(struct kvm_vcpu *vcpu, gfn_t gfn, u64 gen)
{
	struct mmu_tree *t = tree_of(vcpu->kvm);
	struct tree_pos pos;

	if (!tree_covers(t, gfn))
		return false;
	rcu_read_lock();
	pos = tree_find(t, gfn);
	rcu_read_unlock();
	return t->fmt->is_mmio(pos.pte) && t->fmt->mmio_gen(pos.pte) == marker_gen(gen);
}

/* A driver rings the same device again and again: most ask for the frame of last time. */
bool tdp_is_known_mmio(struct kvm_vcpu *vcpu, gfn_t gfn)
{
	u64 gen = READ_ONCE(kvm_vcpu_memslots(vcpu)->generation);
	struct mmu_vcpu *mmu = &vcpu->arch.mmu;

	if (mmu->mmio_gfn == gfn && mmu->mmio_gen == gen + 1)
		return true;
	if (!marked_mmio(vcpu, gfn, gen))
		return false;
	mmu->mmio_gfn = gfn;
	mmu->mmio_gen = gen + 1;
	return true;
}

void tdp_mark_mmio(struct kvm_vcpu *vcpu, gfn_t gfn, u64 gen)
{
	struct tdp_op z = { .kvm = vcpu->kvm, .cache = &vcpu->arch.mmu.cache };
	struct mmu_tree *t = tree_of(vcpu->kvm);
	u64 marker = t->fmt->make_mmio(marker_gen(gen));

	/* An odd generation is a slot update half done. */
	if (!marker || (gen & 1) || !tree_covers(t, gfn))
		return;
	read_lock(&vcpu->kvm->mmu_lock);
	if (tree_mark_mmio(t, &tdp_tree_ops, &z, gfn, marker) == TREE_DONE)
		vcpu->stat.pf_mmio_spte_created++;
	read_unlock(&vcpu->kvm->mmu_lock);
}

/* ---- write tracking and age ----------------------------------------------------------- */

bool tdp_fix(struct kvm_vcpu *vcpu, const struct mmu_pf *pf)
{
	struct mmu_tree *t = tree_of(vcpu->kvm);
	bool log = pf->write && is_logged(pf->slot);
	struct tree_pos pos;
	bool fixed;

	if (!tree_covers(t, pf->gfn))
		return false;
	rcu_read_lock();
	pos = tree_find(t, pf->gfn);
	/* A logged large page has to be split, which takes the long way. */
	fixed = !(log && pos.level > PTE_LEVEL_4K) && tree_fix(t, &pos, pf->write);
	rcu_read_unlock();

	if (fixed && log)
		kvm_mark_slot_dirty(vcpu->kvm, pf->slot, pf->gfn);
	return fixed;
}

/* The log hears of the next write to the leaf at @pos, once TLBs were flushed. False: so it did before. */
static bool rearm(const struct mmu_tree *t, struct tree_pos *pos)
{
	if (!hw_caps.write_log || pos->level > PTE_LEVEL_4K)
		return tree_protect(t, pos);
	if (!tree_mkclean(t, pos))
		return false;
	carry_dirty(t, pos->pte);
	return true;
}

void tdp_protect_gfn(struct kvm *kvm, gfn_t gfn)
{
	struct mmu_tree *t = tree_of(kvm);
	struct tree_pos pos;

	lockdep_assert_held_write(&kvm->mmu_lock);
	if (!tree_covers(t, gfn))
		return;
	pos = tree_find(t, gfn);
	rearm(t, &pos);
}

void tdp_protect(struct kvm *kvm, gfn_t start, gfn_t end)
{
	struct tdp_op z = { .kvm = kvm };
	struct tree_cursor cur;

	write_lock(&kvm->mmu_lock);
	tree_begin(&cur, tree_of(kvm), start, end, PTE_LEVEL_4K);
	while (tree_valid(&cur)) {
		if (yield_lock(&z, &cur))
			continue;
		if (rearm(cur.t, &cur.pos))
			z.flush = true;
		tree_next(&cur);
	}
	settle(&z);
	write_unlock(&kvm->mmu_lock);
}

bool tdp_age(struct kvm *kvm, gfn_t start, gfn_t end, bool clear)
{
	struct tree_cursor cur;
	bool young = false;

	rcu_read_lock();
	for (tree_begin(&cur, tree_of(kvm), start, end, PTE_LEVEL_4K);
	     tree_valid(&cur) && (clear || !young); tree_next(&cur))
		young |= tree_age(cur.t, &cur.pos, clear);
	rcu_read_unlock();
	return young;
}

/* ---- after logging ---------------------------------------------------------------------- */

/* Could a page of the current entry's size stand in place of this table? */
static bool can_collapse(const struct tree_cursor *cur, const struct kvm_memory_slot *slot)
{
	gfn_t first = tree_entry_start(cur);

	return tree_is_table(cur->t, &cur->pos) &&
	       first >= slot->base_gfn &&
	       slot_level(slot, first) >= cur->pos.level &&
	       mmu_host_level(kvm_slot_hva(slot, first)) >= cur->pos.level;
}

void tdp_collapse(struct kvm *kvm, const struct kvm_memory_slot *slot)
{
	struct tdp_op z = { .kvm = kvm };
	struct tree_cursor cur;

	write_lock(&kvm->mmu_lock);
	tree_begin(&cur, tree_of(kvm), slot->base_gfn, slot->base_gfn + slot->npages,
		   PTE_LEVEL_2M);
	while (tree_valid(&cur)) {
		if (yield_lock(&z, &cur))
			continue;
		if (can_collapse(&cur, slot))
			tree_detach(cur.t, &tdp_tree_ops, &z, &cur.pos);
		tree_next(&cur);
	}
	settle(&z);
	write_unlock(&kvm->mmu_lock);
}

/* ---- life ---------------------------------------------------------------------------------- */

int tdp_vm_init(struct kvm *kvm)
{
	struct mmu_page *root = mmu_page_alloc();

	if (!root)
		return -ENOMEM;
	*tree_of(kvm) = (struct mmu_tree) {
		.root	= root->pt,
		.fmt	= hw_caps.pte_format,
		.levels	= hw_caps.tdp_levels,
	};
	return 0;
}

void tdp_vm_destroy(struct kvm *kvm)
{
	struct tdp_op z = { .kvm = kvm };
	struct mmu_page *page;

	if (!tree_of(kvm)->root)
		return;
	write_lock(&kvm->mmu_lock);
	zap_range(&z, 0, pte_level_pages(tree_of(kvm)->levels + 1), false);
	write_unlock(&kvm->mmu_lock);
	/* Neither hardware nor lockless walkers are left. */
	while ((page = z.cut)) {
		z.cut = page->next;
		mmu_page_free(page);
	}
	mmu_page_free(mmu_page_of(tree_of(kvm)->root));
	tree_of(kvm)->root = NULL;
}
