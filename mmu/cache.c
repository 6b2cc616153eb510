// SPDX-License-Identifier: GPL-2.0
/*
 * Shadow tables: found by the guest frame and the role they stand for, made,
 * connected, given up.
 *
 * Tables stay when a vCPU loads another CR3: the next load of the same one
 * finds its root again, with all below it. What bounds their number is
 * KVM_SET_NR_MMU_PAGES, or a share of the VM's memory, and the host's need
 * (shrinker): then those go that no fault has come to for longest.
 *
 * A table goes in three steps. It is taken out of the hash and all its entries
 * are emptied, which takes along what hangs below and nowhere else; it waits in
 * limbo, since some CPU may be walking it; and after a flush it is freed. A root
 * that some vCPU has loaded goes only when that vCPU has let go of it; all
 * vCPUs are told to.
 *
 * Rules of the tables' contents: shadow.h. Locks: mmu_lock for write.
 */
#include <linux/gfp.h>
#include <linux/hash.h>
#include <linux/mem_encrypt.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include "compat_shrinker.h"
#include "shadow.h"
#include "vm.h"

#define HASH_BITS	10
#define LIMBO_MAX	64
/* Without KVM_SET_NR_MMU_PAGES: a table for so many pages of memory, at least so many tables. */
#define PAGES_PER_TABLE	32
#define MIN_TABLES	256

static struct kmem_cache *table_cachep, *link_cachep;
static struct shrinker *shrinker;
static atomic_long_t nr_tables;		/* of all VMs; what the shrinker may count on */

/* ---- memory -------------------------------------------------------------------- */

static struct shadow_table *table_alloc(void)
{
	struct shadow_table *t = kmem_cache_zalloc(table_cachep, GFP_KERNEL_ACCOUNT);

	if (!t)
		return NULL;
	t->pt = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!t->pt) {
		kmem_cache_free(table_cachep, t);
		return NULL;
	}
	set_page_private(virt_to_page(t->pt), (unsigned long)t);
	INIT_LIST_HEAD(&t->unsync);
	return t;
}

static void table_free(struct shadow_table *t)
{
	set_page_private(virt_to_page(t->pt), 0);
	free_page((unsigned long)t->pt);
	free_page((unsigned long)t->gfns);
	kmem_cache_free(table_cachep, t);
}

int shadow_stock_fill(struct shadow_stock *stock)
{
	while (stock->nr_tables < SHADOW_STOCK_TABLES) {
		struct shadow_table *t = table_alloc();

		if (!t)
			return -ENOMEM;
		stock->table[stock->nr_tables++] = t;
	}
	while (stock->nr_links < SHADOW_STOCK_LINKS) {
		struct rmap_link *link = kmem_cache_alloc(link_cachep, GFP_KERNEL_ACCOUNT);

		if (!link)
			return -ENOMEM;
		stock->link[stock->nr_links++] = link;
	}
	while (stock->nr_gfns < SHADOW_STOCK_TABLES) {
		u64 *gfns = (u64 *)__get_free_page(GFP_KERNEL_ACCOUNT);

		if (!gfns)
			return -ENOMEM;
		stock->gfns[stock->nr_gfns++] = gfns;
	}
	return 0;
}

void shadow_stock_drain(struct shadow_stock *stock)
{
	while (stock->nr_tables)
		table_free(stock->table[--stock->nr_tables]);
	while (stock->nr_links)
		kmem_cache_free(link_cachep, stock->link[--stock->nr_links]);
	while (stock->nr_gfns)
		free_page((unsigned long)stock->gfns[--stock->nr_gfns]);
}

void shadow_free_link(struct rmap_link *link)
{
	if (link)
		kmem_cache_free(link_cachep, link);
}

/* Add @entry to @r with a link of the stock, if one is needed. */
static void stock_rmap_add(struct shadow_stock *stock, struct mmu_rmap *r, u64 *entry)
{
	if (rmap_add(r, entry, stock->nr_links ? stock->link[stock->nr_links - 1] : NULL))
		stock->nr_links--;
}

/* ---- from entries to tables -------------------------------------------------------- */

struct shadow_table *shadow_table_of(u64 *entry)
{
	return (struct shadow_table *)page_private(virt_to_page(entry));
}

struct shadow_table *shadow_below(u64 pte)
{
	return shadow_table_of(tree_table(pte & SHADOW_ADDR));
}

/* ---- the hash ------------------------------------------------------------------------ */

static struct hlist_head *bucket(struct kvm *kvm, gfn_t gfn)
{
	return &shadow_of(kvm)->hash[hash_64(gfn, HASH_BITS)];
}

static struct shadow_table *skip_others(struct shadow_table *t, gfn_t gfn)
{
	while (t && (t->gfn != gfn || t->role.direct))
		t = hlist_entry_safe(t->hash.next, struct shadow_table, hash);
	return t;
}

struct shadow_table *shadow_first(struct kvm *kvm, gfn_t gfn)
{
	return skip_others(hlist_entry_safe(bucket(kvm, gfn)->first, struct shadow_table, hash),
			   gfn);
}

struct shadow_table *shadow_next(struct shadow_table *t)
{
	return skip_others(hlist_entry_safe(t->hash.next, struct shadow_table, hash), t->gfn);
}

static void note_peak(u64 *peak, u64 n)
{
	if (n > *peak)
		WRITE_ONCE(*peak, n);
}

static struct shadow_table *lookup(struct kvm *kvm, const struct shadow_key *key)
{
	struct shadow_table *t;
	u64 others = 0;

	hlist_for_each_entry(t, bucket(kvm, key->gfn), hash) {
		if (t->gfn == key->gfn && t->role.word == key->role.word)
			break;
		others++;
	}
	note_peak(&kvm->stat.max_mmu_page_hash_collisions, others);
	return t;
}

/* How many tables of the guest's lie in the 2M around @gfn? */
static unsigned int *tables_near(const struct kvm_memory_slot *slot, gfn_t gfn)
{
	return &slot->arch.tables_2m[(gfn >> PTE_LEVEL_BITS) -
				     (slot->base_gfn >> PTE_LEVEL_BITS)];
}

static void count_table(struct kvm *kvm, struct shadow_table *t)
{
	struct kvm_memory_slot *slot = kvm_gfn_to_slot(kvm, t->gfn);

	t->counted = slot && !t->role.direct;
	if (t->counted)
		++*tables_near(slot, t->gfn);
}

static void uncount_table(struct kvm *kvm, struct shadow_table *t)
{
	struct kvm_memory_slot *slot = kvm_gfn_to_slot(kvm, t->gfn);

	if (t->counted && !WARN_ON_ONCE(!slot))
		--*tables_near(slot, t->gfn);
	t->counted = false;
}

bool shadow_large_allowed(const struct kvm_memory_slot *slot, gfn_t gfn)
{
	return !*tables_near(slot, gfn);
}

/* From now on the guest's table changes only before our eyes. */
static void protect_guest_table(struct kvm *kvm, gfn_t gfn)
{
	shadow_protect_gfn(kvm, gfn);
	if (shadow_of(kvm)->stale)
		shadow_flush(kvm);
}

static struct shadow_table *make(struct kvm_vcpu *vcpu, const struct shadow_key *key, u64 rsvd)
{
	struct shadow_stock *stock = &vcpu->arch.mmu.shadow.stock;
	struct shadow_table *t = stock->table[--stock->nr_tables];
	struct kvm *kvm = vcpu->kvm;

	t->gfn = key->gfn;
	t->role = key->role;
	t->rsvd = rsvd;
	if (t->role.level <= PTE_LEVEL_2M && !t->role.direct)
		t->gfns = stock->gfns[--stock->nr_gfns];
	hlist_add_head(&t->hash, bucket(kvm, t->gfn));
	list_add_tail(&t->lru, &shadow_of(kvm)->lru);
	atomic_long_inc(&kvm->arch.mmu.nr_pages);
	atomic_long_inc(&nr_tables);
	kvm->stat.mmu_cache_miss++;
	count_table(kvm, t);
	if (!t->role.direct)
		protect_guest_table(kvm, t->gfn);
	return t;
}

struct shadow_table *shadow_get(struct kvm_vcpu *vcpu, const struct shadow_key *key, u64 rsvd)
{
	struct shadow_table *t = lookup(vcpu->kvm, key);

	if (!t)
		return make(vcpu, key, rsvd);
	list_move_tail(&t->lru, &shadow_of(vcpu->kvm)->lru);
	return t;
}

/* ---- connecting -------------------------------------------------------------------------- */

void shadow_connect(struct kvm_vcpu *vcpu, struct shadow_table *t, unsigned int i,
		    struct shadow_table *child, u64 pte)
{
	stock_rmap_add(&vcpu->arch.mmu.shadow.stock, &child->parents, &t->pt[i]);
	WRITE_ONCE(t->pt[i], pte);
	t->present++;
	t->writes = 0;
}

static void disconnect(struct shadow_table *child, u64 *entry)
{
	bool found;

	shadow_free_link(rmap_remove(&child->parents, entry, &found));
	WARN_ON_ONCE(!found);
}

void shadow_rmap_add(struct kvm_vcpu *vcpu, struct mmu_rmap *r, u64 *entry)
{
	stock_rmap_add(&vcpu->arch.mmu.shadow.stock, r, entry);
	note_peak(&vcpu->kvm->stat.max_mmu_rmap_size, rmap_count(r));
}

static void unmap_leaf(struct kvm *kvm, struct shadow_table *t, unsigned int i, u64 pte)
{
	gfn_t gfn = shadow_leaf_gfn(t, i);
	struct kvm_memory_slot *slot = kvm_gfn_to_slot(kvm, gfn);
	bool found = false;

	shadow_count_leaf(kvm, t, -1);
	shadow_carry_dirty(pte);
	if (slot)
		shadow_free_link(rmap_remove(shadow_rmap_of(slot, gfn, t->role.level),
					     &t->pt[i], &found));
	WARN_ON_ONCE(!found);
}

void shadow_drop(struct kvm *kvm, struct shadow_table *t, unsigned int i)
{
	u64 pte = xchg(&t->pt[i], 0);
	struct shadow_table *child;

	if (!(pte & SHADOW_P))
		return;
	t->present--;
	shadow_of(kvm)->stale = true;
	if (shadow_is_leaf(t, pte)) {
		unmap_leaf(kvm, t, i, pte);
		return;
	}
	child = shadow_below(pte);
	disconnect(child, &t->pt[i]);
	if (rmap_empty(&child->parents) && !child->users && !child->dead)
		shadow_zap(kvm, child);
}

/* ---- giving up ---------------------------------------------------------------------------- */

static void into_limbo(struct kvm *kvm, struct shadow_table *t)
{
	struct shadow_vm *sh = shadow_of(kvm);

	t->next = sh->limbo;
	sh->limbo = t;
	sh->nr_limbo++;
	sh->stale = true;
}

void shadow_zap(struct kvm *kvm, struct shadow_table *t)
{
	unsigned int i;
	u64 *entry;

	lockdep_assert_held_write(&kvm->mmu_lock);
	kvm->stat.mmu_shadow_zapped++;
	t->dead = true;
	hlist_del(&t->hash);
	list_del(&t->lru);
	if (shadow_is_behind(t))
		kvm->stat.mmu_unsync--;
	list_del_init(&t->unsync);
	atomic_long_dec(&kvm->arch.mmu.nr_pages);
	atomic_long_dec(&nr_tables);
	uncount_table(kvm, t);

	while ((entry = rmap_any(&t->parents)))
		shadow_drop(kvm, shadow_table_of(entry), shadow_slot(entry));
	for (i = 0; t->present && i < PTE_ENTRIES; i++)
		shadow_drop(kvm, t, i);
	if (t->users)
		shadow_of(kvm)->reload = true;
	else
		into_limbo(kvm, t);
}

void shadow_use_root(struct shadow_table *t)
{
	t->users++;
}

void shadow_drop_root(struct kvm *kvm, struct shadow_table *t)
{
	if (!--t->users && t->dead)
		into_limbo(kvm, t);
}

/* The longest unused table that can go now. */
static struct shadow_table *oldest(struct kvm *kvm)
{
	struct shadow_table *t;

	list_for_each_entry(t, &shadow_of(kvm)->lru, lru)
		if (!t->users)
			return t;
	return NULL;
}

static bool zap_oldest(struct kvm *kvm)
{
	struct shadow_table *t = oldest(kvm);

	if (!t)
		return false;
	kvm->stat.mmu_recycled++;
	shadow_zap(kvm, t);
	return true;
}

static unsigned long limit(struct kvm *kvm)
{
	unsigned long set = READ_ONCE(kvm->arch.mmu.n_max);

	return set ?: max_t(unsigned long, MIN_TABLES,
			    READ_ONCE(kvm->nr_memslot_pages) / PAGES_PER_TABLE);
}

void shadow_make_room(struct kvm *kvm, unsigned long spare)
{
	while (atomic_long_read(&kvm->arch.mmu.nr_pages) + spare > limit(kvm))
		if (!zap_oldest(kvm))
			break;
}

/* The first of the list may take others along, so it is always the first. */
void shadow_zap_all(struct kvm *kvm)
{
	struct list_head *lru = &shadow_of(kvm)->lru;

	while (!list_empty(lru)) {
		shadow_zap(kvm, list_first_entry(lru, struct shadow_table, lru));
		if (shadow_of(kvm)->nr_limbo > LIMBO_MAX)
			shadow_flush(kvm);
	}
	shadow_flush(kvm);
}

/* ---- the lock --------------------------------------------------------------------------------- */

void shadow_lock(struct kvm *kvm)
	__acquires(&kvm->mmu_lock)
{
	write_lock(&kvm->mmu_lock);
}

static void free_limbo(struct shadow_vm *sh)
{
	struct shadow_table *t;

	while ((t = sh->limbo)) {
		sh->limbo = t->next;
		table_free(t);
	}
	sh->nr_limbo = 0;
}

void shadow_flush(struct kvm *kvm)
{
	struct shadow_vm *sh = shadow_of(kvm);

	lockdep_assert_held_write(&kvm->mmu_lock);
	kvm_flush_tlbs(kvm);
	sh->stale = false;
	free_limbo(sh);
}

void shadow_unlock(struct kvm *kvm)
	__releases(&kvm->mmu_lock)
{
	struct shadow_vm *sh = shadow_of(kvm);

	if (unlikely(sh->reload)) {
		sh->reload = false;
		kvm_request_all_wait(kvm, KVM_REQ_MMU_RELOAD);
	}
	if (sh->nr_limbo > LIMBO_MAX)
		shadow_flush(kvm);
	write_unlock(&kvm->mmu_lock);
}

void shadow_limit_changed(struct kvm *kvm)
{
	int idx = srcu_read_lock(&kvm->srcu);

	shadow_lock(kvm);
	shadow_make_room(kvm, 0);
	shadow_flush(kvm);
	shadow_unlock(kvm);
	srcu_read_unlock(&kvm->srcu, idx);
}

/* ---- the shrinker ------------------------------------------------------------------------------- */

/*
 * Who asks may hold anything at all, so nothing is waited for but mmu_lock, under
 * which nobody allocates. The flush frees what was given up.
 */
static unsigned long shrink_vm(struct kvm *kvm, unsigned long nr)
{
	unsigned long n = 0;
	int idx = srcu_read_lock(&kvm->srcu);

	shadow_lock(kvm);
	while (n < nr && zap_oldest(kvm))
		n++;
	if (n)
		shadow_flush(kvm);
	shadow_unlock(kvm);
	srcu_read_unlock(&kvm->srcu, idx);
	return n;
}

static unsigned long shrink_count(struct shrinker *s, struct shrink_control *sc)
{
	return atomic_long_read(&nr_tables) ?: SHRINK_EMPTY;
}

/* One VM with tables gives, and goes to the end of the list: the next time another. */
static unsigned long shrink_scan(struct shrinker *s, struct shrink_control *sc)
{
	unsigned long freed = SHRINK_STOP;
	struct kvm *kvm;

	if (!mutex_trylock(&kvm_vms_lock))
		return SHRINK_STOP;
	list_for_each_entry(kvm, &kvm_vms, vm_list) {
		if (!atomic_long_read(&kvm->arch.mmu.nr_pages))
			continue;
		freed = shrink_vm(kvm, sc->nr_to_scan);
		list_move_tail(&kvm->vm_list, &kvm_vms);
		break;
	}
	mutex_unlock(&kvm_vms_lock);
	return freed;
}

/* ---- life --------------------------------------------------------------------------------------- */

int shadow_vm_init(struct kvm *kvm)
{
	struct shadow_vm *sh = shadow_of(kvm);

	INIT_LIST_HEAD(&sh->lru);
	INIT_LIST_HEAD(&sh->unsync);
	sh->hash = kvcalloc(1 << HASH_BITS, sizeof(*sh->hash), GFP_KERNEL_ACCOUNT);
	return sh->hash ? 0 : -ENOMEM;
}

/* No vCPU is left, so nothing is in use and no TLB can know anything. */
void shadow_vm_destroy(struct kvm *kvm)
{
	struct shadow_vm *sh = shadow_of(kvm);

	if (!sh->hash)
		return;
	write_lock(&kvm->mmu_lock);
	while (!list_empty(&sh->lru))
		shadow_zap(kvm, list_first_entry(&sh->lru, struct shadow_table, lru));
	free_limbo(sh);
	write_unlock(&kvm->mmu_lock);
	kvfree(sh->hash);
	sh->hash = NULL;
}

int shadow_cache_module_init(void)
{
	table_cachep = kmem_cache_create("kvm_shadow_table", sizeof(struct shadow_table), 0,
					 SLAB_ACCOUNT, NULL);
	link_cachep = kmem_cache_create("kvm_rmap_link", sizeof(struct rmap_link), 0,
					SLAB_ACCOUNT, NULL);
	shrinker = compat_shrinker_add(shrink_count, shrink_scan, DEFAULT_SEEKS, "kvm-shadow");
	if (table_cachep && link_cachep && shrinker)
		return 0;
	shadow_cache_module_exit();
	return -ENOMEM;
}

void shadow_cache_module_exit(void)
{
	compat_shrinker_remove(shrinker);
	shrinker = NULL;
	kmem_cache_destroy(link_cachep);
	kmem_cache_destroy(table_cachep);
	link_cachep = table_cachep = NULL;
}
