// SPDX-License-Identifier: GPL-2.0
/*
 * The MMU's front door: guest translations for the emulator and the ioctls,
 * nested page faults, and what the memory slots and the host's mm ask for.
 *
 * Two address translations meet here. The guest's own (gva to gpa) is done by
 * hardware while the guest runs; in software only when an instruction has to be
 * emulated or a debugger asks, by the walker of mmu/walk.c. The nested one (gpa
 * to host) is the tree of mmu/tdp.c. Documentation/mmu.md tells the story.
 *
 * A nested fault takes these steps, cheapest first:
 *
 *   1. an MMIO marker of the current slots generation: emulate at once
 *   2. a write that only tracking forbids: repaired without a lock
 *   3. no slot, or a write to a read-only one: MMIO; leave a marker
 *   4. look the host page up (may sleep), then map it under mmu_lock held for
 *      read unless the notifier sequence says that the lookup is stale
 *
 * Step 4 may find that nothing can be done now; then the guest just runs into
 * the same fault again. That costs an exit and needs no state.
 *
 * The guest's paging mode is computed from CR0, CR4 and EFER when a translation
 * is needed and any of them has changed. Under nested paging the guest may
 * change some of them without an exit, so a mode computed at the last exit we
 * saw would be a guess.
 *
 * The walk reads PAE directory pointers from memory under AMD's nested paging,
 * as its hardware does, and otherwise uses the copies that CR3's load made.
 */
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>
#include <asm/cpufeature.h>
#include <asm/trapnr.h>
#include "mmu.h"
#include "arch.h"
#include "compat_cpuid.h"
#include "hw/apic_regs.h"
#include "io_bus.h"
#include "trace.h"
#include "vendor_ops.h"
#include "x86.h"
#include "mmu/shadow.h"

#define MMU_MIN_PAGES	64	/* KVM_SET_NR_MMU_PAGES */

/* ---- the guest's own tables ------------------------------------------------------ */

static u8 guest_levels(u64 cr0, u64 cr4, u64 efer)
{
	if (!(cr0 & X86_CR0_PG))
		return 0;
	if (efer & EFER_LMA)
		return cr4 & X86_CR4_LA57 ? 5 : 4;
	return cr4 & X86_CR4_PAE ? 3 : 2;
}

static void compute_mode(struct kvm_vcpu *vcpu, u64 cr0, u64 cr4, u64 efer)
{
	struct mmu_vcpu *mmu = &vcpu->arch.mmu;
	u8 levels = guest_levels(cr0, cr4, efer);

	mmu->guest = (struct mmu_mode) {
		.levels	= levels,
		.pae	= cr4 & X86_CR4_PAE,
		.lma	= efer & EFER_LMA,
		.la57	= cr4 & X86_CR4_LA57,
		.pse	= cr4 & X86_CR4_PSE,
		.nx	= levels >= 3 && (efer & EFER_NX),
		.wp	= cr0 & X86_CR0_WP,
		.smep	= cr4 & X86_CR4_SMEP,
		.smap	= cr4 & X86_CR4_SMAP,
		.pku	= cr4 & X86_CR4_PKE,
		/* The hardware's walk, which ours has to agree with, asks no CPUID. */
		.gbpages = boot_cpu_has(X86_FEATURE_GBPAGES),
		.amd	= hw_caps.exit_isa == KVM_ISA_SVM,
		.maxphyaddr = vcpu->arch.cpuid.maxphyaddr ?: 36,
	};
	walk_prepare(&mmu->guest);
	mmu->guest_cr0 = cr0;
	mmu->guest_cr4 = cr4;
	mmu->guest_efer = efer;
	mmu->guest_valid = true;
}

/* What compute_mode() looks at. */
#define MODE_CR0	(X86_CR0_PG | X86_CR0_WP)
#define MODE_CR4	(X86_CR4_PSE | X86_CR4_PAE | X86_CR4_LA57 | X86_CR4_SMEP | X86_CR4_SMAP | X86_CR4_PKE)
#define MODE_EFER	(EFER_LMA | EFER_NX)

static const struct mmu_mode *guest_mode(struct kvm_vcpu *vcpu)
{
	u64 cr0 = x86_cr0(vcpu), cr4 = x86_cr4(vcpu), efer = x86_efer(vcpu);
	struct mmu_vcpu *mmu = &vcpu->arch.mmu;

	if (!mmu->guest_valid || ((mmu->guest_cr0 ^ cr0) & MODE_CR0) ||
	    ((mmu->guest_cr4 ^ cr4) & MODE_CR4) || ((mmu->guest_efer ^ efer) & MODE_EFER))
		compute_mode(vcpu, cr0, cr4, efer);
	return &mmu->guest;
}

/* Four or five of these are most of what a translation costs: no general copy. */
static int read_guest_entry(void *ctx, u64 gpa, u64 *entry, unsigned int size)
{
	unsigned long hva = kvm_vcpu_gfn_to_hva(ctx, gpa_to_gfn(gpa), NULL);
	void __user *p = (void __user *)(hva + offset_in_page(gpa));
	u32 half;

	if (kvm_hva_is_bad(hva))
		return -EFAULT;
	if (size == sizeof(u64))
		return get_user(*entry, (u64 __user *)p);
	if (get_user(half, (u32 __user *)p))
		return -EFAULT;
	*entry = half;
	return 0;
}

static int cmpxchg_guest_entry(void *ctx, u64 gpa, u64 old, u64 new, unsigned int size)
{
	return kvm_vcpu_cmpxchg_guest(ctx, gpa, &old, &new, size);
}

static const struct walk_ops guest_walk_ops = {
	.read		= read_guest_entry,
	.update		= cmpxchg_guest_entry,
};

static const u64 *loaded_pdptrs(struct kvm_vcpu *vcpu)
{
	const struct mmu_vcpu *mmu = &vcpu->arch.mmu;

	x86_need(vcpu, X86_CR3);	/* under EPT they come with it */
	if ((hw_caps.tdp && hw_caps.exit_isa == KVM_ISA_SVM) || !mmu->pdptrs_valid)
		return NULL;
	return mmu->pdptrs;
}

/* Everything in the mode that an access of this kind depends on, packed. */
static u64 mode_key(const struct mmu_vcpu *mmu, u64 access)
{
	u64 cr4 = X86_CR4_PAE | X86_CR4_LA57 | X86_CR4_SMEP, cr0 = 0;

	if (!(access & MMU_ACC_FETCH)) {
		cr4 |= X86_CR4_SMAP | X86_CR4_PKE;
		cr0 |= X86_CR0_WP;
	}
	return (mmu->guest_cr4 & cr4) | (mmu->guest_cr0 & cr0) << 32 |
	       (mmu->guest_efer & (EFER_LMA | EFER_NX)) << 32 |
	       (u64)mmu->guest.maxphyaddr << 56;
}

static bool recall_fits(const struct mmu_vcpu *mmu, const struct mmu_recall *r,
			const struct walk_req *req, u64 gen)
{
	return r->nr && r->addr == (req->addr & PAGE_MASK) && r->access == req->access &&
	       r->cr3 == req->cr3 && r->slots_gen == gen && r->pkru == req->pkru &&
	       r->ac == req->ac && mmu->guest.levels >= 4 &&
	       r->mode == mode_key(mmu, req->access);
}

/*
 * Is the last translation still what a walk would find? Every entry is read
 * again, from the top, and has to be what it was, accessed and dirty bits
 * included. The slots have not changed either, so each lies where it lay.
 */
static bool recall_holds(const struct mmu_recall *r)
{
	u64 entry;
	int i;

	for (i = 0; i < r->nr; i++)
		if (get_user(entry, (u64 __user *)r->hva[i]) || entry != r->entry[i])
			return false;
	return true;
}

/* After a walk in long mode. @gen was read before it. */
static void remember(struct kvm_vcpu *vcpu, struct mmu_recall *r, const struct walk_req *req,
		     u64 gen, const struct walk *w)
{
	int level, nr = 0;

	for (level = vcpu->arch.mmu.guest.levels; level >= w->level; level--) {
		unsigned long hva = kvm_vcpu_gfn_to_hva(vcpu, gpa_to_gfn(w->table[level]), NULL);

		if (kvm_hva_is_bad(hva)) {
			r->nr = 0;
			return;
		}
		r->hva[nr] = hva + offset_in_page(w->table[level]);
		r->entry[nr++] = w->entry[level];
	}
	r->addr = req->addr & PAGE_MASK;
	r->gpa = w->gpa & PAGE_MASK;
	r->access = req->access;
	r->cr3 = req->cr3;
	r->mode = mode_key(&vcpu->arch.mmu, req->access);
	r->slots_gen = gen;
	r->pkru = req->pkru;
	r->ac = req->ac;
	r->nr = nr;
}

static struct walk_req walk_req_for(struct kvm_vcpu *vcpu, const struct mmu_mode *mode,
				    gva_t gva, u64 access)
{
	return (struct walk_req) {
		.cr3	= x86_cr3(vcpu),
		.addr	= mode->lma ? gva : (u32)gva,
		.access	= access,
		.pdptrs	= loaded_pdptrs(vcpu),
		.pkru	= vcpu->arch.pkru,
		.ac	= x86_rflags(vcpu) & X86_EFLAGS_AC,
	};
}

static enum walk_status translate(struct kvm_vcpu *vcpu, gva_t gva, u64 access, struct walk *w)
{
	const struct mmu_mode *mode = guest_mode(vcpu);
	struct walk_req req = walk_req_for(vcpu, mode, gva, access);
	struct mmu_recall *r = &vcpu->arch.mmu.recall[!!(access & MMU_ACC_FETCH)];
	u64 gen = READ_ONCE(kvm_vcpu_memslots(vcpu)->generation);
	enum walk_status status;

	if (recall_fits(&vcpu->arch.mmu, r, &req, gen) && recall_holds(r)) {
		w->gpa = r->gpa | offset_in_page(gva);
		return WALK_OK;
	}
	status = walk_guest(mode, &req, &guest_walk_ops, vcpu, w);
	if (status == WALK_OK && mode->levels >= 4 && !(access & MMU_ACC_SYSTEM))
		remember(vcpu, r, &req, gen, w);
	return status;
}

static struct mmu_fault fault_of(enum walk_status status, const struct walk *w, gva_t gva)
{
	return (struct mmu_fault) {
		.vector = status == WALK_FAULT ? X86_TRAP_PF : X86_TRAP_GP,
		.error_code = w->error,
		.gva = gva,
	};
}

gpa_t mmu_gva_to_gpa(struct kvm_vcpu *vcpu, gva_t gva, u64 access, struct mmu_fault *fault)
{
	struct walk w;
	enum walk_status status = translate(vcpu, gva, access, &w);

	if (status == WALK_OK)
		return w.gpa;
	if (fault)
		*fault = fault_of(status, &w, gva);
	return MMU_GPA_BAD;
}
EXPORT_SYMBOL_GPL(mmu_gva_to_gpa);

gpa_t mmu_gva_to_gpa_system(struct kvm_vcpu *vcpu, gva_t gva)
{
	return mmu_gva_to_gpa(vcpu, gva, MMU_ACC_SYSTEM, NULL);
}

/* The hardware's next root under shadow paging is another one; the nested tree's stays. */
static void mmu_new_root(struct kvm_vcpu *vcpu)
{
	if (!hw_caps.tdp)
		vcpu->arch.mmu.root_hpa = 0;
}

bool mmu_load_pdptrs(struct kvm_vcpu *vcpu, u64 cr3)
{
	u64 rsvd = walk_pdptr_reserved(guest_mode(vcpu));
	u64 pdptrs[4];
	int i;

	if (kvm_vcpu_read_guest(vcpu, cr3 & GENMASK_ULL(31, 5), pdptrs, sizeof(pdptrs)))
		return false;
	for (i = 0; i < 4; i++)
		if ((pdptrs[i] & 1) && (pdptrs[i] & rsvd))
			return false;

	memcpy(vcpu->arch.mmu.pdptrs, pdptrs, sizeof(pdptrs));
	vcpu->arch.mmu.pdptrs_valid = true;
	mmu_new_root(vcpu);
	return true;
}

/* Shadow paging trusts its entries until the guest flushes; nested paging has none. */
void mmu_flush_guest(struct kvm_vcpu *vcpu)
{
	struct mmu_vcpu *mmu = &vcpu->arch.mmu;

	mmu->shadow.sync = !hw_caps.tdp;
	/* to load a root flushes, too */
	if (hw_caps.tdp || mmu->root_hpa)
		vendor_call(flush_tlb)(vcpu, X86_FLUSH_GUEST, 0);
}

void mmu_reset(struct kvm_vcpu *vcpu)
{
	vcpu->arch.mmu.guest_valid = false;
	mmu_new_root(vcpu);
	mmu_flush_guest(vcpu);
}

/*
 * Guest memory that is loaded from a file or a snapshot changes without a write
 * that we see. A VMM sets the registers afterwards.
 */
void mmu_state_set(struct kvm_vcpu *vcpu)
{
	mmu_reset(vcpu);
	if (!hw_caps.tdp)
		shadow_forget(vcpu->kvm);
}

void mmu_new_cr3(struct kvm_vcpu *vcpu, u64 cr3)
{
	mmu_new_root(vcpu);
	mmu_flush_guest(vcpu);
}

/* Has the guest used all of its tables that the walk came by? */
static bool all_accessed(const struct mmu_mode *mode, const struct walk *w)
{
	int level;

	for (level = mode->levels; level >= w->level; level--)
		if (!(w->entry[level] & SHADOW_A))
			return false;
	return true;
}

/*
 * The host's page behind pf->gfn; false: pf->pfn tells why there is none. @atomic: only
 * what can be had without waiting.
 */
static bool find_page(struct kvm_vcpu *vcpu, struct mmu_pf *pf, bool atomic)
{
	pf->seq = READ_ONCE(vcpu->kvm->invalidate_seq);
	smp_rmb();	/* the sequence before the page: kvm_notifier_retry() */
	pf->hva = kvm_slot_hva(pf->slot, pf->gfn);
	pf->pfn = kvm_slot_gfn_to_pfn(pf->slot, pf->gfn, atomic, pf->write, &pf->host_writable);
	return !kvm_pfn_is_bad(pf->pfn);
}

/* What can be had without waiting; a page that can't is left to a fault. */
static void map_ahead(struct kvm_vcpu *vcpu, struct mmu_pf *pf)
{
	pf->slot = kvm_vcpu_gfn_to_slot(vcpu, pf->gfn);
	if (!pf->slot || shadow_stock_fill(&vcpu->arch.mmu.shadow.stock) ||
	    !find_page(vcpu, pf, true))
		return;
	shadow_map(vcpu, pf);
	kvm_release_pfn(pf->pfn, false);
}

/*
 * A page that the guest has just put in another's place, as copy on write does: it
 * will touch it next, and to map it now costs less than that fault's exit. The walk
 * sets no bits, so nothing is granted that waits for one.
 */
static void invlpg_map(struct kvm_vcpu *vcpu, gva_t gva)
{
	const struct mmu_mode *mode = guest_mode(vcpu);
	struct walk_req req = walk_req_for(vcpu, mode, gva, MMU_ACC_SYSTEM);
	struct walk w;
	struct mmu_pf pf = { .gva = req.addr, .walk = &w };

	if (mode->levels < 4 || walk_guest(mode, &req, &guest_walk_ops, vcpu, &w) != WALK_OK ||
	    !all_accessed(mode, &w))
		return;
	pf.gpa = w.gpa;
	pf.gfn = gpa_to_gfn(w.gpa);
	map_ahead(vcpu, &pf);
}

void mmu_invlpg(struct kvm_vcpu *vcpu, gva_t gva)
{
	vcpu->stat.invlpg++;
	if (!hw_caps.tdp && shadow_invlpg(vcpu, gva))
		invlpg_map(vcpu, gva);
	vendor_call(flush_tlb)(vcpu, X86_FLUSH_GVA, gva);
}
EXPORT_SYMBOL_GPL(mmu_invlpg);

bool mmu_guest_wrote(struct kvm_vcpu *vcpu, gpa_t gpa, unsigned int len)
{
	return !hw_caps.tdp && shadow_guest_wrote(vcpu, gpa, len);
}

/*
 * Never: under nested paging the guest loads CR3 and invalidates pages without
 * an exit, so nothing that was once translated may be remembered. Either way the
 * emulator gets the address of the faulting access from the exit instead.
 */
bool mmu_mmio_cached(struct kvm_vcpu *vcpu, gva_t gva, bool write, gpa_t *gpa)
{
	return false;
}

/* ---- nested faults ----------------------------------------------------------------- */

/*
 * The CPU was delivering an event, and what it reads or pushes for that is no memory.
 * The instruction at RIP has no part in it; there is nothing to emulate.
 */
static int delivery_fault(struct kvm_vcpu *vcpu, const struct mmu_pf *pf)
{
	u64 data[] = { pf->error, pf->gpa };

	return x86_internal_error(vcpu, KVM_INTERNAL_ERROR_DELIVERY_EV, ARRAY_SIZE(data), data);
}

/*
 * The guest's own tables lie where a nested table walk cannot use them: in
 * read-only memory, which the hardware's walk wants to write, or outside all
 * slots. The faulting address is then no operand of the instruction. The
 * emulator walks in software, where ROM is readable, and gets one further.
 */
static int emulate_past_walk(struct kvm_vcpu *vcpu)
{
	vcpu->stat.pf_emulate++;
	return x86_emulate_insn(vcpu);
}

static int mmio_fault(struct kvm_vcpu *vcpu, const struct mmu_pf *pf)
{
	if (x86_in_delivery(vcpu))
		return delivery_fault(vcpu, pf);
	if (pf->error & MMU_PF_GUEST_PAGE)
		return emulate_past_walk(vcpu);
	/* A doorbell that only wants to know that it was rung. */
	if (pf->write && !kvm_io_bus_write(vcpu, KVM_BUS_FAST_MMIO, pf->gpa, 0, NULL)) {
		trace_kvm_fast_mmio(pf->gpa);
		return x86_skip(vcpu);
	}
	vcpu->stat.pf_emulate++;
	return x86_emulate_mmio(vcpu, pf->gpa, pf->error, !pf->slot);
}

static int no_slot_fault(struct kvm_vcpu *vcpu, const struct mmu_pf *pf)
{
	if (hw_caps.tdp)
		tdp_mark_mmio(vcpu, pf->gfn, pf->gen);
	return mmio_fault(vcpu, pf);
}

static int poisoned_page(const struct mmu_pf *pf)
{
	send_sig_mceerr(BUS_MCEERR_AR, (void __user *)pf->hva, PAGE_SHIFT, current);
	return KVM_EXIT_RESUME;
}

/* The host has no page to give. */
static int bad_pfn(struct kvm_vcpu *vcpu, const struct mmu_pf *pf)
{
	switch (pf->pfn) {
	case KVM_PFN_NOSLOT:
		return no_slot_fault(vcpu, pf);
	case KVM_PFN_RO_FAULT:
		return mmio_fault(vcpu, pf);
	case KVM_PFN_HWPOISON:
		return poisoned_page(pf);
	case KVM_PFN_SIGPENDING:
		return KVM_EXIT_RESUME;	/* the loop sees the signal */
	default:
		return -EFAULT;
	}
}

static int map_fault(struct kvm_vcpu *vcpu, struct mmu_pf *pf)
{
	int r;

	if (!find_page(vcpu, pf, false))
		return bad_pfn(vcpu, pf);

	if (pf->slot->flags & KVM_MEM_READONLY)
		pf->host_writable = false;
	if (WARN_ON_ONCE(pf->write && !pf->host_writable))
		r = -EFAULT;
	else
		r = hw_caps.tdp ? tdp_map(vcpu, pf) : shadow_map(vcpu, pf);
	kvm_release_pfn(pf->pfn, pf->write);	/* later writes: mmu_carry_dirty() */
	return r;
}

/* The same for both ways of paging. Stock filled. */
static int slot_fault(struct kvm_vcpu *vcpu, struct mmu_pf *pf)
{
	if (!pf->slot)
		return no_slot_fault(vcpu, pf);
	if (pf->slot->invalid)	/* on its way out; the next try finds it gone */
		return KVM_EXIT_RESUME;
	if (pf->write && (pf->slot->flags & KVM_MEM_READONLY))
		return mmio_fault(vcpu, pf);
	return map_fault(vcpu, pf);
}

static bool maybe_marker(u64 error_code)
{
	const struct pte_format *fmt = hw_caps.pte_format;

	return (error_code & fmt->mmio_mask) == fmt->mmio_error;
}

static struct mmu_pf nested_pf(gpa_t gpa, u64 error_code)
{
	return (struct mmu_pf){
		.gpa	= gpa,
		.gfn	= gpa_to_gfn(gpa),
		.error	= error_code,
		.write	= error_code & MMU_PF_WRITE,
	};
}

int mmu_nested_fault(struct kvm_vcpu *vcpu, gpa_t gpa, u64 error_code)
{
	struct mmu_pf pf = nested_pf(gpa, error_code);
	int r;

	vcpu->stat.pf_guest++;
	trace_kvm_page_fault(vcpu, gpa, error_code);
	if (maybe_marker(error_code) && tdp_is_known_mmio(vcpu, pf.gfn))
		return mmio_fault(vcpu, &pf);

	pf.gen = READ_ONCE(kvm_vcpu_memslots(vcpu)->generation);
	pf.slot = kvm_vcpu_gfn_to_slot(vcpu, pf.gfn);
	if (pf.slot && (error_code & MMU_PF_PRESENT) && tdp_fix(vcpu, &pf)) {
		vcpu->stat.pf_fast++;
		return KVM_EXIT_RESUME;
	}

	r = mmu_cache_fill(&vcpu->arch.mmu.cache, vcpu->kvm->arch.mmu.tree.levels);
	if (r)
		return r;
	return slot_fault(vcpu, &pf);
}
EXPORT_SYMBOL_GPL(mmu_nested_fault);

int mmu_device_access(struct kvm_vcpu *vcpu, gpa_t gpa, u64 error_code)
{
	struct mmu_pf pf = nested_pf(gpa, error_code);

	return mmio_fault(vcpu, &pf);
}
EXPORT_SYMBOL_GPL(mmu_device_access);

int mmu_map_own_page(struct kvm_vcpu *vcpu, gpa_t gpa, struct page *page, const bool *wanted)
{
	int r = mmu_cache_fill(&vcpu->arch.mmu.cache, vcpu->kvm->arch.mmu.tree.levels);

	return r ?: tdp_map_own(vcpu, gpa_to_gfn(gpa), page_to_pfn(page), wanted);
}
EXPORT_SYMBOL_GPL(mmu_map_own_page);

void mmu_unmap_own_page(struct kvm *kvm, gfn_t gfn)
{
	tdp_zap_flush(kvm, gfn, gfn + 1);
}

/* ---- faults under shadow paging ------------------------------------------------------ */

/* What the guest tried, for the walk. The CPU itself reads tables with a supervisor's rights. */
static u64 fault_access(struct kvm_vcpu *vcpu, u64 error)
{
	u64 access = error & (MMU_PF_WRITE | MMU_PF_USER | MMU_PF_FETCH);

	if (!(error & MMU_PF_USER) && x86_cpl(vcpu) == 3)
		access |= MMU_ACC_IMPLICIT;
	return access;
}

static int map_shadow_fault(struct kvm_vcpu *vcpu, struct mmu_pf *pf)
{
	int r = shadow_stock_fill(&vcpu->arch.mmu.shadow.stock);

	if (r)
		return r;
	pf->gen = READ_ONCE(kvm_vcpu_memslots(vcpu)->generation);
	pf->slot = kvm_vcpu_gfn_to_slot(vcpu, pf->gfn);
	/* Only with CR0.WP off, which the hardware's is not. */
	if (pf->slot && pf->write && !pf->walk->writable)
		return shadow_emulate_write(vcpu, pf);
	return slot_fault(vcpu, pf);
}

int mmu_shadow_fault(struct kvm_vcpu *vcpu, gva_t gva, u64 error_code)
{
	const struct mmu_mode *mode = guest_mode(vcpu);
	struct walk_req req = walk_req_for(vcpu, mode, gva, fault_access(vcpu, error_code));
	enum walk_status status;
	struct mmu_fault fault;
	struct walk w;
	struct mmu_pf pf = {
		.error	= error_code & ~(MMU_PF_GUEST_PAGE | MMU_PF_GUEST_FINAL),
		.write	= error_code & MMU_PF_WRITE,
		.gva	= req.addr,
		.walk	= &w,
	};

	vcpu->stat.pf_guest++;
	trace_kvm_page_fault(vcpu, gva, error_code);
	status = walk_guest(mode, &req, &guest_walk_ops, vcpu, &w);
	if (status != WALK_OK) {
		fault = fault_of(status, &w, gva);
		x86_inject_fault(vcpu, &fault);
		return KVM_EXIT_RESUME;
	}
	pf.gpa = w.gpa;
	pf.gfn = gpa_to_gfn(w.gpa);
	return map_shadow_fault(vcpu, &pf);
}
EXPORT_SYMBOL_GPL(mmu_shadow_fault);

/* ---- slots and the host's mm ----------------------------------------------------------- */

/* Nested paging keeps nothing for a slot; a change of flags keeps what is there. */
int arch_slot_prepare(struct kvm *kvm, const struct kvm_memory_slot *old,
		      struct kvm_memory_slot *new)
{
	if (hw_caps.tdp || !new || new->arch.rmap)
		return 0;
	return shadow_slot_prepare(new);
}

void arch_slot_free(struct kvm *kvm, struct kvm_memory_slot *slot)
{
	shadow_slot_free(slot);
}

void arch_slot_flush(struct kvm *kvm, struct kvm_memory_slot *slot)
{
	if (hw_caps.tdp)
		tdp_zap_flush(kvm, slot->base_gfn, slot->base_gfn + slot->npages);
	else
		shadow_forget(kvm);
}

static bool logs(const struct kvm_memory_slot *slot)
{
	return slot && (slot->flags & KVM_MEM_LOG_DIRTY_PAGES);
}

/* The hardware's log is switched at entries: everybody has to enter anew before entries are made clean. */
static void count_logged(struct kvm *kvm, int change)
{
	if (!change || !hw_caps.write_log)
		return;
	WRITE_ONCE(kvm->arch.nr_logged, kvm->arch.nr_logged + change);
	if (change > 0)
		kvm_request_all_wait(kvm, KVM_REQ_OUTSIDE_GUEST);
}

/* What the hardware has noted is marked at exits. */
void arch_dirty_log_sync(struct kvm *kvm)
{
	if (READ_ONCE(kvm->arch.nr_logged))
		kvm_request_all_wait(kvm, KVM_REQ_OUTSIDE_GUEST);
}

void mmu_written(struct kvm_vcpu *vcpu, gpa_t gpa)
{
	kvm_mark_page_dirty(vcpu->kvm, gpa_to_gfn(gpa));
}
EXPORT_SYMBOL_GPL(mmu_written);

/* The APIC's page may be mapped where the slot lies now. */
static void uncover(struct kvm *kvm, const struct kvm_memory_slot *old,
		    const struct kvm_memory_slot *new)
{
	gfn_t gfn = gpa_to_gfn(LAPIC_DEFAULT_BASE);

	if (old && old->base_gfn == new->base_gfn)
		return;
	if (gfn >= new->base_gfn && gfn < new->base_gfn + new->npages)
		mmu_unmap_own_page(kvm, gfn);
}

/*
 * The new slots are published and nobody uses the old ones any more, so from
 * here on every fault follows the new flags. When the log starts with all pages
 * dirty nothing has to be protected: KVM_CLEAR_DIRTY_LOG does it piece by piece.
 */
void arch_slot_commit(struct kvm *kvm, const struct kvm_memory_slot *old,
		      struct kvm_memory_slot *new)
{
	count_logged(kvm, logs(new) - logs(old));
	if (new && hw_caps.apicv)
		uncover(kvm, old, new);
	if (!old || !new)
		return;
	if (!hw_caps.tdp) {
		if (!logs(old) && logs(new) &&
		    !(kvm->manual_dirty_log_protect & KVM_DIRTY_LOG_INITIALLY_SET))
			shadow_slot_protect(kvm, new);
		if (logs(old) && !logs(new))
			shadow_forget(kvm);	/* large pages may come again */
		return;
	}
	if (!logs(old) && logs(new)) {
		if (!(kvm->manual_dirty_log_protect & KVM_DIRTY_LOG_INITIALLY_SET))
			tdp_protect(kvm, new->base_gfn, new->base_gfn + new->npages);
	} else if (logs(old) && !logs(new)) {
		tdp_collapse(kvm, new);
	}
}

/* Markers carry the generation they are good for; nothing to do. */
void arch_slots_generation(struct kvm *kvm, u64 gen)
{
}

void arch_flush_shadow_all(struct kvm *kvm)
{
	if (!hw_caps.tdp) {
		shadow_forget(kvm);
		return;
	}
	tdp_zap_flush(kvm, 0, pte_level_pages(kvm->arch.mmu.tree.levels + 1));
}

bool arch_unmap_gfns(struct kvm *kvm, struct kvm_memory_slot *slot, gfn_t start, gfn_t end,
		     bool may_block)
{
	if (!hw_caps.tdp)
		return shadow_unmap_gfns(kvm, slot, start, end);
	return tdp_zap(kvm, start, end, may_block);
}

bool arch_age_gfns(struct kvm *kvm, struct kvm_memory_slot *slot, gfn_t start, gfn_t end)
{
	if (!hw_caps.tdp)
		return shadow_age_gfns(kvm, slot, start, end, true);
	return tdp_age(kvm, start, end, true);
}

bool arch_test_age_gfns(struct kvm *kvm, struct kvm_memory_slot *slot, gfn_t start, gfn_t end)
{
	if (!hw_caps.tdp)
		return shadow_age_gfns(kvm, slot, start, end, false);
	return tdp_age(kvm, start, end, false);
}

void arch_dirty_log_protect(struct kvm *kvm, struct kvm_memory_slot *slot, gfn_t offset,
			    unsigned long mask)
{
	gfn_t first = slot->base_gfn + offset;

	for (; mask; mask &= mask - 1)
		if (hw_caps.tdp)
			tdp_protect_gfn(kvm, first + __ffs(mask));
		else
			shadow_protect_gfn(kvm, first + __ffs(mask));
}

/* ---- life --------------------------------------------------------------------------------- */

static int load_shadow(struct kvm_vcpu *vcpu)
{
	struct mmu_vcpu *mmu = &vcpu->arch.mmu;
	const struct mmu_mode *mode = guest_mode(vcpu);

	if (mode->levels == 3 && !mmu->pdptrs_valid && !mmu_load_pdptrs(vcpu, x86_cr3(vcpu))) {
		/* Not what the CPU would have loaded; every access faults then. */
		memset(mmu->pdptrs, 0, sizeof(mmu->pdptrs));
		mmu->pdptrs_valid = true;
	}
	return shadow_load(vcpu, mode);
}

int mmu_load_root(struct kvm_vcpu *vcpu)
{
	struct mmu_tree *t = &vcpu->kvm->arch.mmu.tree;

	if (!hw_caps.tdp)
		return load_shadow(vcpu);
	vcpu->arch.mmu.root_hpa = tree_table_addr(t->root);
	vendor_call(load_root)(vcpu, vcpu->arch.mmu.root_hpa, t->levels);
	return 0;
}

void mmu_unload(struct kvm_vcpu *vcpu)
{
	vcpu->arch.mmu.root_hpa = 0;
}

int mmu_set_nr_pages(struct kvm *kvm, unsigned long nr)
{
	if (nr < MMU_MIN_PAGES)
		return -EINVAL;
	WRITE_ONCE(kvm->arch.mmu.n_max, nr);
	if (!hw_caps.tdp)
		shadow_limit_changed(kvm);
	return 0;
}

long mmu_nr_pages(struct kvm *kvm)
{
	return min_t(unsigned long, READ_ONCE(kvm->arch.mmu.n_max), INT_MAX);
}

/* The stock of table pages is filled by the first fault. */
int mmu_vcpu_create(struct kvm_vcpu *vcpu)
{
	return hw_caps.tdp ? 0 : shadow_vcpu_create(vcpu);
}

void mmu_vcpu_destroy(struct kvm_vcpu *vcpu)
{
	if (!hw_caps.tdp)
		shadow_vcpu_destroy(vcpu);
	mmu_cache_drain(&vcpu->arch.mmu.cache);
}

int mmu_vm_init(struct kvm *kvm)
{
	if (!hw_caps.tdp)
		return shadow_vm_init(kvm);
	return hw_caps.pte_format ? tdp_vm_init(kvm) : -EOPNOTSUPP;
}

void mmu_vm_destroy(struct kvm *kvm)
{
	if (hw_caps.tdp)
		tdp_vm_destroy(kvm);
	else
		shadow_vm_destroy(kvm);
}

/*
 * The highest address bit that the CPU calls reserved and that is not the
 * memory-encryption bit. Read from CPUID itself: the kernel's own idea of the
 * width may already have bits taken off.
 */
static u64 reserved_address_bit(void)
{
	unsigned int phys_bits = boot_cpu_data.x86_phys_bits, crypt_bit = 64, bit;

	if (boot_cpu_data.extended_cpuid_level >= 0x80000008)
		phys_bits = max(phys_bits, cpuid_eax(0x80000008) & 0xff);
	if (boot_cpu_data.extended_cpuid_level >= 0x8000001f)
		crypt_bit = cpuid_ebx(0x8000001f) & 0x3f;
	for (bit = 51; bit >= max(phys_bits, 40u); bit--)
		if (bit != crypt_bit)
			return BIT_ULL(bit);
	return 0;
}

int mmu_module_init(void)
{
	int r;

	pte_x86_set_mmio_bit(reserved_address_bit());
	r = shadow_cache_module_init();
	if (r)
		return r;
	r = mmu_page_module_init();
	if (r)
		shadow_cache_module_exit();
	return r;
}

void mmu_module_exit(void)
{
	shadow_cache_module_exit();
	mmu_page_module_exit();
}
