/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The MMU as the rest of the house sees it. Theory: mmu.c and Documentation/mmu.md.
 */
#ifndef KVM_MMU_H
#define KVM_MMU_H

#include "memslot.h"
#include "mmu_vm.h"
#include "walk.h"	/* MMU_PF_*, MMU_ACC_* */

int mmu_module_init(void);		/* caches, shrinker */
void mmu_module_exit(void);
int mmu_vm_init(struct kvm *kvm);
void mmu_vm_destroy(struct kvm *kvm);	/* no vCPU left */
int mmu_vcpu_create(struct kvm_vcpu *vcpu);
void mmu_vcpu_destroy(struct kvm_vcpu *vcpu);

/* Userspace has set the vCPU's state, perhaps after guest memory: trust nothing. Loaded. */
void mmu_state_set(struct kvm_vcpu *vcpu);
/* The guest's flush of what its TLB knows (CR4's bits, MOV CR3). Loaded. */
void mmu_flush_guest(struct kvm_vcpu *vcpu);
/* Recompute mmu.guest after CR0, CR4, EFER or CPUID changed; drops cached translations. Loaded. */
void mmu_reset(struct kvm_vcpu *vcpu);
/* CR3 was loaded: shadow paging switches roots; nested paging has nothing to do but TLB. */
void mmu_new_cr3(struct kvm_vcpu *vcpu, u64 cr3);
/* Make sure a root exists and is loaded into the hardware. Before entry, preemptible. 0 or -errno. */
int mmu_load_root(struct kvm_vcpu *vcpu);
static inline int mmu_load(struct kvm_vcpu *vcpu)
{
	const struct mmu_vcpu *mmu = &vcpu->arch.mmu;

	return likely(mmu->root_hpa && !mmu->shadow.sync) ? 0 : mmu_load_root(vcpu);
}
/* Drop this vCPU's root (KVM_REQ_MMU_RELOAD). */
void mmu_unload(struct kvm_vcpu *vcpu);

/*
 * A nested (@gpa) page fault. srcu held, irqs on. Maps the page, or decides
 * for MMIO and calls x86_emulate_mmio(). enum kvm_exit_result or -errno.
 */
int mmu_nested_fault(struct kvm_vcpu *vcpu, gpa_t gpa, u64 error_code);
/* The hardware has noted that the guest wrote there (hw_caps.write_log). srcu held. */
void mmu_written(struct kvm_vcpu *vcpu, gpa_t gpa);
/*
 * Nested paging: put a page of the vendor's own at @gpa, where no slot is. It may be
 * taken out again with everything else, so this answers a fault. As mmu_nested_fault().
 * 0, -ENOMEM, -EFAULT: a slot is there.
 */
int mmu_map_own_page(struct kvm_vcpu *vcpu, gpa_t gpa, struct page *page, const bool *wanted);
/* Take it away. Sleeps. */
void mmu_unmap_own_page(struct kvm *kvm, gfn_t gfn);
/* As mmu_nested_fault(), where the hardware says that @gpa is a device's. */
int mmu_device_access(struct kvm_vcpu *vcpu, gpa_t gpa, u64 error_code);
/* A #PF exit under shadow paging. Same context and answers. */
int mmu_shadow_fault(struct kvm_vcpu *vcpu, gva_t gva, u64 error_code);

/* What a failed guest translation means to the guest: inject with x86_inject_fault(). */
struct mmu_fault {
	u8 vector;		/* 14, or 13 for a non-canonical walk */
	u32 error_code;
	gva_t gva;
};

#define MMU_GPA_BAD	(~(gpa_t)0)

/*
 * Translate as the guest's CPU would for @access, setting accessed and dirty
 * bits. MMU_GPA_BAD with *@fault filled on failure (@fault may be NULL).
 */
gpa_t mmu_gva_to_gpa(struct kvm_vcpu *vcpu, gva_t gva, u64 access, struct mmu_fault *fault);
/* KVM_TRANSLATE and debuggers: no permission checks, no side effects. */
gpa_t mmu_gva_to_gpa_system(struct kvm_vcpu *vcpu, gva_t gva);

/*
 * The emulator wrote @len bytes at @gpa, within a page: were they the guest's page tables? True:
 * they were, and the page is not protected any more. srcu held.
 */
bool mmu_guest_wrote(struct kvm_vcpu *vcpu, gpa_t gpa, unsigned int len);
/*
 * The emulator can't do the instruction at RIP. True: it was needed only because
 * of us, and is not any more. srcu held.
 */
bool mmu_emulation_failed(struct kvm_vcpu *vcpu);

/* INVLPG, INVPCID as the guest did them. */
void mmu_invlpg(struct kvm_vcpu *vcpu, gva_t gva);
/* Load the four PAE pdptes from CR3; false = #GP. */
bool mmu_load_pdptrs(struct kvm_vcpu *vcpu, u64 cr3);

/* The last MMIO address of this vCPU, so that an emulated access need not walk again. */
bool mmu_mmio_cached(struct kvm_vcpu *vcpu, gva_t gva, bool write, gpa_t *gpa);

/* Slots and host mm: the arch_slot_*(), arch_unmap_gfns() ... of arch.h are mmu.c's. */

/* KVM_SET_NR_MMU_PAGES, KVM_GET_NR_MMU_PAGES. Set: 0 or -EINVAL. Process context. */
int mmu_set_nr_pages(struct kvm *kvm, unsigned long nr);
long mmu_nr_pages(struct kvm *kvm);

#endif
