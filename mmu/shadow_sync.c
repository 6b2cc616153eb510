// SPDX-License-Identifier: GPL-2.0
/*
 * Shadow paging: the guest changes its own tables.
 *
 * A page that is a table of the guest's is write protected, so the first write
 * exits. What then happens depends on what the page is used as:
 *
 *	only as tables of level 1	they fall behind (unsync): the page becomes
 *					writable, and the guest may change
 *					hundreds of entries without an exit
 *	also as a higher table		the instruction is emulated, and the
 *					entries that it wrote to are dropped
 *
 * Higher tables change seldom, and one entry of theirs stands for much; that is
 * why they are kept in step. Were they not, a walk would not know to which table
 * it is to go down.
 *
 * Catching up. When a vCPU of the guest flushes its TLB, all tables that fell
 * behind are write protected; then every CPU forgets that the pages were
 * writable; and only then are the guest's entries compared with ours. The other
 * way round a write in between would be lost. Nothing is added here: an entry
 * that is new to us comes with its first fault.
 *
 * A page that was a table once and is something else now would cost an exit for
 * each write. Many writes with no use between them, or writes that no table
 * gets, give such tables away (flooding); they are given up. A string instruction
 * that does that (a page is cleared) is then left to the guest: emulating the rest
 * of the page would cost more than all that the table ever saved.
 */
#include <linux/mm.h>
#include <linux/uaccess.h>
#include "shadow.h"

/* Emulated writes to a table without a fault that came by. */
#define WRITES_MAX	4

/* ---- falling behind ----------------------------------------------------------------------- */

static void fall_behind(struct kvm *kvm, struct shadow_table *t)
{
	if (shadow_is_behind(t))
		return;
	list_add_tail(&t->unsync, &shadow_of(kvm)->unsync);
	kvm->stat.mmu_unsync++;
}

bool shadow_allow_write(struct kvm *kvm, gfn_t gfn, bool write)
{
	struct shadow_table *t;

	shadow_for_each(t, kvm, gfn) {
		if (t->role.level > PTE_LEVEL_4K)
			return false;
		if (!write && !shadow_is_behind(t))
			return false;
	}
	if (write)
		shadow_for_each(t, kvm, gfn)
			fall_behind(kvm, t);
	return true;
}

/* ---- catching up ------------------------------------------------------------------------------ */

/* The page of @gfn as far as it is in memory, or NULL. Page faults are off meanwhile. */
static const void __user *guest_table(struct kvm_vcpu *vcpu, gfn_t gfn)
{
	unsigned long hva = kvm_vcpu_gfn_to_hva(vcpu, gfn, NULL);

	return kvm_hva_is_bad(hva) ? NULL : (const void __user *)hva;
}

static bool read_entry(const void __user *table, union shadow_role role, unsigned int i,
		       u64 *entry)
{
	*entry = 0;
	return table && !__copy_from_user_inatomic(entry, table + shadow_entry_offset(role, i),
						   shadow_entry_size(role));
}

/* What the guest's entry allows of leaf @i, now. */
static void sync_leaf(struct kvm *kvm, struct shadow_table *t, unsigned int i,
		      const void __user *table)
{
	u64 pte = READ_ONCE(t->pt[i]), entry, now = 0;

	if (read_entry(table, t->role, i, &entry))
		now = shadow_refresh(t->role, pte, t->gfns[i], entry, t->rsvd);
	if (!now) {
		shadow_drop(kvm, t, i);
		return;
	}
	if (now == pte)
		return;
	/* Hardware may set A or D meanwhile. */
	pte = xchg(&t->pt[i], now);
	if (!(now & SHADOW_D))
		shadow_carry_dirty(pte);
	shadow_of(kvm)->stale = true;
}

static void sync_table(struct kvm_vcpu *vcpu, struct shadow_table *t)
{
	const void __user *table = guest_table(vcpu, t->gfn);
	unsigned int i, left = t->present;

	for (i = 0; left; i++) {
		if (!(t->pt[i] & SHADOW_P))
			continue;
		left--;
		sync_leaf(vcpu->kvm, t, i, table);
	}
	list_del_init(&t->unsync);
	vcpu->kvm->stat.mmu_unsync--;
}

void shadow_sync_all(struct kvm_vcpu *vcpu)
{
	struct shadow_vm *sh = shadow_of(vcpu->kvm);
	struct shadow_table *t;

	if (list_empty(&sh->unsync))
		return;
	list_for_each_entry(t, &sh->unsync, unsync)
		shadow_protect_gfn(vcpu->kvm, t->gfn);
	if (sh->stale)
		shadow_flush(vcpu->kvm);

	pagefault_disable();
	while (!list_empty(&sh->unsync))
		sync_table(vcpu, list_first_entry(&sh->unsync, struct shadow_table, unsync));
	pagefault_enable();
}

/* ---- emulated writes ------------------------------------------------------------------------------ */

/* A table's own entry is written whole and aligned; anything else writes to data. */
static bool looks_like_data(const struct shadow_table *t, unsigned int offset, unsigned int len)
{
	unsigned int size = shadow_entry_size(t->role);

	return len < 4 || len > 8 || offset % size % 4 || offset % size + len > max(size, 8u);
}

static bool is_flooded(const struct shadow_table *t, unsigned int offset, unsigned int len)
{
	if (looks_like_data(t, offset, len))
		return true;
	if (t->users)
		return false;
	/* Nobody's root, and not below one either. */
	return rmap_empty(&t->parents) || t->writes > WRITES_MAX;
}

static void wrote_to(struct kvm *kvm, struct shadow_table *t, unsigned int offset,
		     unsigned int len)
{
	unsigned int i = 0, n;

	t->writes++;
	kvm->stat.mmu_pte_write++;
	if (is_flooded(t, offset, len)) {
		kvm->stat.mmu_flooded++;
		shadow_zap(kvm, t);
		return;
	}
	for (n = shadow_written(t->role, offset, len, &i); n; n--)
		shadow_drop(kvm, t, i++);
}

/* The next table of @gfn that this round has not come to. */
static struct shadow_table *next_written(struct kvm *kvm, gfn_t gfn, unsigned int round)
{
	struct shadow_table *t;

	shadow_for_each(t, kvm, gfn)
		if (t->write_round != round && !shadow_is_behind(t))
			return t;
	return NULL;
}

/* Any table may go with what is dropped, so the search begins anew each time. */
bool shadow_guest_wrote(struct kvm_vcpu *vcpu, gpa_t gpa, unsigned int len)
{
	struct kvm *kvm = vcpu->kvm;
	struct shadow_table *t;
	bool lost = false;
	unsigned int round;

	shadow_lock(kvm);
	round = ++shadow_of(kvm)->write_round;
	while ((t = next_written(kvm, gpa_to_gfn(gpa), round))) {
		t->write_round = round;
		wrote_to(kvm, t, offset_in_page(gpa), len);
		lost = !shadow_first(kvm, gpa_to_gfn(gpa));
	}
	shadow_unlock(kvm);
	return lost;
}

bool shadow_unprotect(struct kvm *kvm, gfn_t gfn)
{
	struct shadow_table *t;
	bool any = false;

	shadow_lock(kvm);
	while ((t = shadow_first(kvm, gfn))) {
		shadow_zap(kvm, t);
		any = true;
	}
	shadow_unlock(kvm);
	return any;
}
