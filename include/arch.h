/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What virt/ asks of the architecture. virt/ knows no x86; these functions are
 * x86/'s and mmu/'s answer. All in process context unless noted.
 */
#ifndef KVM_ARCH_H
#define KVM_ARCH_H

#include "memslot.h"

/* VM life. @type: KVM_CREATE_VM's argument; -EINVAL unless 0. */
int arch_vm_init(struct kvm *kvm, unsigned long type);
void arch_vm_pre_destroy(struct kvm *kvm);	/* stop timers and works that may reach vCPUs */
void arch_vm_destroy(struct kvm *kvm);		/* after all vCPUs are gone */

/* vCPU life: precreate may refuse an id (-EINVAL); create without kvm->lock. */
int arch_vcpu_precreate(struct kvm *kvm, unsigned int id);
struct kvm_vcpu *arch_vcpu_alloc(struct kvm *kvm);	/* zeroed, vendor's size */
int arch_vcpu_create(struct kvm_vcpu *vcpu);
void arch_vcpu_postcreate(struct kvm_vcpu *vcpu);
void arch_vcpu_destroy(struct kvm_vcpu *vcpu);
void arch_vcpu_free(struct kvm_vcpu *vcpu);

/* Preemption off. */
void arch_vcpu_load(struct kvm_vcpu *vcpu, int cpu);
void arch_vcpu_put(struct kvm_vcpu *vcpu);

/* KVM_RUN: 0 with run->exit_reason set, or -errno. */
int arch_vcpu_run(struct kvm_vcpu *vcpu);
/* Has it something to do? Its own thread; raises what an expired timer owes. */
bool arch_vcpu_runnable(struct kvm_vcpu *vcpu);
bool arch_vcpu_in_kernel(struct kvm_vcpu *vcpu);	/* for perf; loaded, may be in NMI context */
unsigned long arch_vcpu_ip(struct kvm_vcpu *vcpu);	/* linear; for perf, as above */
/* False: the guest asked the host not to poll when it halts. */
bool arch_vcpu_may_poll(struct kvm_vcpu *vcpu);
void arch_vcpu_blocking(struct kvm_vcpu *vcpu);
void arch_vcpu_unblocking(struct kvm_vcpu *vcpu);
vm_fault_t arch_vcpu_fault(struct kvm_vcpu *vcpu, struct vm_fault *vmf);

/* Hardware on this CPU. Preemption off; online/offline and suspend/resume. */
int arch_hardware_enable(void);
void arch_hardware_disable(void);

/*
 * Slots, in this order, slots_lock held (mmu.h has the same):
 *   prepare   allocate what the new slot needs; may fail, nothing published
 *   flush     the slot is published as invalid and readers are gone: drop
 *             every mapping of it and flush TLBs
 *   commit    the new array is published: start or stop dirty logging ...
 *   free      nobody can reach the old slot any more
 */
int arch_slot_prepare(struct kvm *kvm, const struct kvm_memory_slot *old, struct kvm_memory_slot *new);
void arch_slot_flush(struct kvm *kvm, struct kvm_memory_slot *slot);
void arch_slot_commit(struct kvm *kvm, const struct kvm_memory_slot *old, struct kvm_memory_slot *new);
void arch_slot_free(struct kvm *kvm, struct kvm_memory_slot *slot);
void arch_slots_generation(struct kvm *kvm, u64 gen);	/* cached MMIO entries are stale */
void arch_flush_shadow_all(struct kvm *kvm);		/* mm is going away */

/*
 * Host mm events, for gfns [start, end) of one slot. mmu_lock held for write
 * (unmap) by the caller. True: TLBs must be flushed. @may_block false: never sleep.
 */
bool arch_unmap_gfns(struct kvm *kvm, struct kvm_memory_slot *slot, gfn_t start, gfn_t end, bool may_block);
bool arch_age_gfns(struct kvm *kvm, struct kvm_memory_slot *slot, gfn_t start, gfn_t end);
bool arch_test_age_gfns(struct kvm *kvm, struct kvm_memory_slot *slot, gfn_t start, gfn_t end);

/* Dirty log: what vCPUs know of writes shall come into it soon. Sleeps not; no locks needed. */
void arch_dirty_log_sync(struct kvm *kvm);

/*
 * Dirty log: write-protect (or clear dirty bits of) the frames of the 64-bit
 * @mask that starts at @slot->base_gfn + @offset. mmu_lock held for write.
 */
void arch_dirty_log_protect(struct kvm *kvm, struct kvm_memory_slot *slot, gfn_t offset, unsigned long mask);

#endif
