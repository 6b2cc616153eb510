// SPDX-License-Identifier: GPL-2.0
/*
 * How large is the page by which the host itself maps an address?
 *
 * A guest gets a large nested page only where the host's own page table has
 * one: then the host tells us, through the mmu notifier, for the whole large
 * page at once when it goes or is split. The answer is a snapshot; it is good
 * because the caller read the notifier's sequence before and checks it again,
 * under mmu_lock, before it maps.
 *
 * The kernel's own lookup helper is not exported, so the walk is done here.
 * Interrupts are off meanwhile: the host frees page tables only after every
 * CPU that might walk them this way has answered an IPI (or an RCU grace
 * period, which disabled interrupts hold up as well).
 *
 * And the other way round: what the host's own tables can't tell it about a page
 * that the guest used, its pages are told.
 */
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/sched.h>
#include "tdp.h"

static int walk_host(struct mm_struct *mm, unsigned long hva)
{
	pgd_t *pgdp = pgd_offset(mm, hva), pgd = READ_ONCE(*pgdp);
	p4d_t *p4dp, p4d;
	pud_t *pudp, pud;
	pmd_t pmd;

	if (pgd_none(pgd))
		return PTE_LEVEL_4K;
	p4dp = p4d_offset_lockless(pgdp, pgd, hva);
	p4d = READ_ONCE(*p4dp);
	if (p4d_none(p4d) || !p4d_present(p4d))
		return PTE_LEVEL_4K;
	pudp = pud_offset_lockless(p4dp, p4d, hva);
	pud = READ_ONCE(*pudp);
	if (pud_none(pud) || !pud_present(pud))
		return PTE_LEVEL_4K;
	if (pud_leaf(pud))
		return PTE_LEVEL_1G;
	pmd = READ_ONCE(*pmd_offset_lockless(pudp, pud, hva));
	if (pmd_none(pmd) || !pmd_present(pmd) || !pmd_leaf(pmd))
		return PTE_LEVEL_4K;
	return PTE_LEVEL_2M;
}

int mmu_host_level(unsigned long hva)
{
	unsigned long flags;
	int level;

	local_irq_save(flags);
	level = walk_host(current->mm, hva);
	local_irq_restore(flags);
	return level;
}

/*
 * The page is still mapped by the host here: had the host given it up, its
 * notifier would have taken the entry before. So the folio is stable.
 *
 * Anonymous pages that are not swap-backed are those that their owner gave up
 * (MADV_FREE): one that was written to since must stay. Pages of files get here
 * writable only with their own write fault taken, which is where their file
 * system wants to hear about it.
 */
void mmu_carry_dirty(unsigned long pfn)
{
	struct folio *folio;

	if (!pfn_valid(pfn))
		return;
	folio = page_folio(pfn_to_page(pfn));
	if ((folio_test_anon(folio) || folio_test_swapbacked(folio)) && !folio_test_dirty(folio))
		folio_set_dirty(folio);
}
