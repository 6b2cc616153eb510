/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Statistics, declared once: a line below makes the field, its descriptor in
 * KVM_GET_STATS_FD and its file in debugfs. Counters are plain u64, written by
 * the thread that owns the vCPU or VM without atomics: a lost count is allowed.
 *
 * X(kind, name, unit, exponent)    kind: CUMULATIVE, INSTANT, PEAK
 */
#ifndef KVM_STATS_H
#define KVM_STATS_H

#include <linux/types.h>

#define KVM_VM_STATS(X)					\
	X(CUMULATIVE, remote_tlb_flush, NONE, 0)	\
	X(CUMULATIVE, remote_tlb_flush_requests, NONE, 0) \
	X(CUMULATIVE, mmu_shadow_zapped, NONE, 0)	\
	X(CUMULATIVE, mmu_pte_write, NONE, 0)		\
	X(CUMULATIVE, mmu_flooded, NONE, 0)		\
	X(CUMULATIVE, mmu_recycled, NONE, 0)		\
	X(INSTANT, mmu_cache_miss, NONE, 0)		\
	X(INSTANT, mmu_unsync, NONE, 0)			\
	X(INSTANT, pages_4k, NONE, 0)			\
	X(INSTANT, pages_2m, NONE, 0)			\
	X(INSTANT, pages_1g, NONE, 0)			\
	X(PEAK, max_mmu_rmap_size, NONE, 0)		\
	X(PEAK, max_mmu_page_hash_collisions, NONE, 0)

#define KVM_VCPU_STATS(X)				\
	X(CUMULATIVE, halt_successful_poll, NONE, 0)	\
	X(CUMULATIVE, halt_attempted_poll, NONE, 0)	\
	X(CUMULATIVE, halt_poll_invalid, NONE, 0)	\
	X(CUMULATIVE, halt_wakeup, NONE, 0)		\
	X(CUMULATIVE, halt_poll_success_ns, SECONDS, -9) \
	X(CUMULATIVE, halt_poll_fail_ns, SECONDS, -9)	\
	X(CUMULATIVE, halt_wait_ns, SECONDS, -9)	\
	X(INSTANT, blocking, BOOLEAN, 0)		\
	X(CUMULATIVE, pf_fixed, NONE, 0)		\
	X(CUMULATIVE, pf_guest, NONE, 0)		\
	X(CUMULATIVE, pf_emulate, NONE, 0)		\
	X(CUMULATIVE, pf_spurious, NONE, 0)		\
	X(CUMULATIVE, pf_fast, NONE, 0)			\
	X(CUMULATIVE, pf_mmio_spte_created, NONE, 0)	\
	X(CUMULATIVE, tlb_flush, NONE, 0)		\
	X(CUMULATIVE, invlpg, NONE, 0)			\
	X(CUMULATIVE, exits, NONE, 0)			\
	X(CUMULATIVE, io_exits, NONE, 0)		\
	X(CUMULATIVE, mmio_exits, NONE, 0)		\
	X(CUMULATIVE, signal_exits, NONE, 0)		\
	X(CUMULATIVE, irq_window_exits, NONE, 0)	\
	X(CUMULATIVE, nmi_window_exits, NONE, 0)	\
	X(CUMULATIVE, halt_exits, NONE, 0)		\
	X(CUMULATIVE, request_irq_exits, NONE, 0)	\
	X(CUMULATIVE, irq_exits, NONE, 0)		\
	X(CUMULATIVE, host_state_reload, NONE, 0)	\
	X(CUMULATIVE, fpu_reload, NONE, 0)		\
	X(CUMULATIVE, insn_emulation, NONE, 0)		\
	X(CUMULATIVE, insn_emulation_fail, NONE, 0)	\
	X(CUMULATIVE, hypercalls, NONE, 0)		\
	X(CUMULATIVE, irq_injections, NONE, 0)		\
	X(CUMULATIVE, nmi_injections, NONE, 0)		\
	X(CUMULATIVE, req_event, NONE, 0)		\
	X(CUMULATIVE, directed_yield_attempted, NONE, 0) \
	X(CUMULATIVE, directed_yield_successful, NONE, 0) \
	X(CUMULATIVE, preemption_reported, NONE, 0)	\
	X(CUMULATIVE, preemption_other, NONE, 0)

#define KVM_STAT_FIELD(kind, name, unit, exp) u64 name;

struct kvm_vm_stat {
	KVM_VM_STATS(KVM_STAT_FIELD)
};

struct kvm_vcpu_stat {
	KVM_VCPU_STATS(KVM_STAT_FIELD)
};

struct kvm;
struct kvm_vcpu;

/* KVM_GET_STATS_FD: a new descriptor or -errno. The file holds the VM. */
int kvm_vm_stats_fd(struct kvm *kvm);
int kvm_vcpu_stats_fd(struct kvm_vcpu *vcpu);
/* debugfs/kvm: module wide, and one directory <pid>-<fd> per VM. May fail silently. */
void kvm_debugfs_init(void);
void kvm_debugfs_exit(void);
void kvm_vm_debugfs_create(struct kvm *kvm, int fd);
void kvm_vm_debugfs_destroy(struct kvm *kvm);

#endif
