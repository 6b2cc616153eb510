// SPDX-License-Identifier: GPL-2.0
/*
 * Pages for page tables: allocation, the stock of each vCPU, delayed freeing.
 *
 * A table page is a zeroed page charged to the VM, with a small header apart
 * from it, because all 4096 bytes belong to the hardware. The header is found
 * through the page's private word.
 *
 * Tables are linked into a tree under mmu_lock, where sleeping is impossible,
 * so each vCPU keeps a stock that is filled before the lock is taken. One fault
 * needs at most one table for each level below the root; a table that lost a
 * race goes back into the stock.
 *
 * A table that was cut off the tree has two kinds of readers left. The
 * hardware: the caller flushes TLBs, and waits for that, before it gives the
 * page to mmu_page_free_rcu(). Lockless walkers: they are inside RCU read-side
 * sections. A CPU in guest mode counts as quiescent for RCU, which is why the
 * grace period alone would not be enough.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/mem_encrypt.h>
#include "tdp.h"

static struct kmem_cache *page_cachep;

u64 *tree_table(u64 addr)
{
	return __va(__sme_clr(addr));
}

u64 tree_table_addr(u64 *pt)
{
	return __sme_set(__pa(pt));
}

struct mmu_page *mmu_page_of(u64 *pt)
{
	return (struct mmu_page *)page_private(virt_to_page(pt));
}

struct mmu_page *mmu_page_alloc(void)
{
	struct mmu_page *page = kmem_cache_zalloc(page_cachep, GFP_KERNEL_ACCOUNT);

	if (!page)
		return NULL;
	page->pt = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!page->pt) {
		kmem_cache_free(page_cachep, page);
		return NULL;
	}
	set_page_private(virt_to_page(page->pt), (unsigned long)page);
	return page;
}

void mmu_page_free(struct mmu_page *page)
{
	set_page_private(virt_to_page(page->pt), 0);
	free_page((unsigned long)page->pt);
	kmem_cache_free(page_cachep, page);
}

static void free_after_grace(struct rcu_head *rcu)
{
	mmu_page_free(container_of(rcu, struct mmu_page, rcu));
}

void mmu_page_free_rcu(struct mmu_page *page)
{
	call_rcu(&page->rcu, free_after_grace);
}

int mmu_cache_fill(struct mmu_cache *cache, int levels)
{
	/* The root is there already. */
	while (cache->nr < levels - 1) {
		struct mmu_page *page = mmu_page_alloc();

		if (!page)
			return -ENOMEM;
		cache->page[cache->nr++] = page;
	}
	return 0;
}

void mmu_cache_drain(struct mmu_cache *cache)
{
	while (cache->nr)
		mmu_page_free(cache->page[--cache->nr]);
}

int mmu_page_module_init(void)
{
	page_cachep = kmem_cache_create("kvm_mmu_page", sizeof(struct mmu_page), 0,
					SLAB_ACCOUNT, NULL);
	return page_cachep ? 0 : -ENOMEM;
}

void mmu_page_module_exit(void)
{
	rcu_barrier();
	kmem_cache_destroy(page_cachep);
	page_cachep = NULL;
}
