/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The words every room shares: address types, limits, and the one enum by
 * which an exit handler says what happens next.
 *
 * gva  guest virtual address      gpa  guest physical     gfn  gpa >> 12
 * hva  host virtual address       hpa  host physical      hfn/pfn  hpa >> 12
 *
 * Guest physical addresses and page-table entries are 64-bit types, never
 * unsigned long, so that a 32-bit PAE host can be added later.
 */
#ifndef KVM_TYPES_H
#define KVM_TYPES_H

#include <linux/types.h>
#include <linux/kvm.h>
#include <linux/kvm_types.h>

struct kvm;
struct kvm_vcpu;
struct kvm_memory_slot;

#define KVM_MAX_VCPUS		1024
#define KVM_MAX_VCPU_IDS	4096	/* APIC ids: 0 .. 4095 */
#define KVM_USER_MEM_SLOTS	32764
#define KVM_MAX_IRQ_ROUTES	4096	/* also the number of GSIs */
#define KVM_ADDRESS_SPACES	1	/* 2 once SMM exists */

#define KVM_HVA_BAD		((unsigned long)-1)	/* gfn outside any slot */
#define KVM_HVA_RO_BAD		((unsigned long)-2)	/* write to a read-only slot */

static inline bool kvm_hva_is_bad(unsigned long hva)
{
	return hva >= KVM_HVA_RO_BAD;
}

/* kvm_pfn_t values that name no page. All have bit 62 set. */
#define KVM_PFN_BAD		(1ULL << 62)
#define KVM_PFN_FAULT		(KVM_PFN_BAD | 1)	/* hva not mapped: -EFAULT */
#define KVM_PFN_NOSLOT		(KVM_PFN_BAD | 2)	/* MMIO */
#define KVM_PFN_RO_FAULT	(KVM_PFN_BAD | 3)	/* write, read-only slot */
#define KVM_PFN_HWPOISON	(KVM_PFN_BAD | 4)
#define KVM_PFN_SIGPENDING	(KVM_PFN_BAD | 5)

static inline bool kvm_pfn_is_bad(kvm_pfn_t pfn)
{
	return pfn & KVM_PFN_BAD;
}

static inline gfn_t gpa_to_gfn(gpa_t gpa)
{
	return (gfn_t)(gpa >> 12);
}

static inline gpa_t gfn_to_gpa(gfn_t gfn)
{
	return (gpa_t)gfn << 12;
}

/*
 * What an exit handler answers. Negative values are errnos that KVM_RUN
 * returns to userspace; no other positive value exists.
 */
enum kvm_exit_result {
	KVM_EXIT_TO_USER = 0,	/* vcpu->run is filled in */
	KVM_EXIT_RESUME = 1,	/* back into the guest */
};

/* A guest address used again and again: the hva is looked up once per slot generation. */
struct kvm_guest_cache {
	gpa_t gpa;
	size_t len;
	unsigned long hva;
	u64 generation;
	struct kvm_memory_slot *slot;	/* NULL: crosses a page or slot, slow path */
};

#endif
