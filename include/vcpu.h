/* SPDX-License-Identifier: GPL-2.0 */
/*
 * struct kvm_vcpu: one virtual CPU, which is one thread of the VMM while it
 * is inside KVM_RUN.
 *
 * Between vCPUs there is one channel: a request bit in vcpu->requests and a
 * kick. The sender sets the bit (release), then kicks; the target clears it
 * before it acts. The target publishes vcpu->mode = IN_GUEST with interrupts
 * off, then looks at requests once more; a sender that finds IN_GUEST sends an
 * IPI. So either the target sees the bit, or the IPI ends the entry.
 *
 * Legend: [I] set before publication; [V] vcpu->mutex (the ioctl in progress);
 * [a] atomic or lock-free by the protocol said beside it; [p] preemption off,
 * by the CPU that runs the vCPU.
 */
#ifndef KVM_VCPU_H
#define KVM_VCPU_H

#include <linux/mutex.h>
#include <linux/preempt.h>
#include <linux/rcuwait.h>
#include <linux/smp.h>
#include "types.h"
#include "vm.h"
#include "x86_vcpu.h"

enum kvm_vcpu_mode {
	KVM_OUTSIDE_GUEST,
	KVM_IN_GUEST,
	KVM_EXITING_GUEST,	/* kicked, IPI under way */
};

/*
 * Requests. One word, so that the entry path tests them all at once, in the
 * order in which they are served. Those in KVM_REQ_NO_WAKEUP do not end a halt.
 */
enum kvm_request {
	KVM_REQ_VM_DEAD,
	KVM_REQ_MMU_RELOAD,	/* the MMU root is obsolete */
	KVM_REQ_MASTER_CLOCK,	/* recompute the VM's master clock */
	KVM_REQ_GLOBAL_CLOCK,	/* rewrite everybody's kvmclock page */
	KVM_REQ_CLOCK_UPDATE,	/* ... this vCPU's */
	KVM_REQ_TLB_FLUSH,	/* all of this vCPU's translations */
	KVM_REQ_TPR_REPORT,	/* KVM_EXIT_TPR_ACCESS is due */
	KVM_REQ_TRIPLE_FAULT,
	KVM_REQ_STEAL_UPDATE,
	KVM_REQ_NMI,
	KVM_REQ_EOI_EXIT,	/* KVM_EXIT_IOAPIC_EOI is due */
	KVM_REQ_APICV,		/* what hardware does of the local APIC's work */
	KVM_REQ_INTERCEPTS,	/* MSR filter or CPUID changed the maps */
	KVM_REQ_UNBLOCK,	/* re-evaluate "runnable" */
	KVM_REQ_TIMER,		/* the APIC timer expired */
	KVM_REQ_OUTSIDE_GUEST,	/* only make it leave the guest */
	KVM_REQ_EVENT,		/* re-evaluate injectable events */
	KVM_NR_REQUESTS
};

#define KVM_REQ_NO_WAKEUP \
	(BIT(KVM_REQ_TLB_FLUSH) | BIT(KVM_REQ_MMU_RELOAD) | BIT(KVM_REQ_CLOCK_UPDATE) | \
	 BIT(KVM_REQ_MASTER_CLOCK) | BIT(KVM_REQ_GLOBAL_CLOCK) | BIT(KVM_REQ_STEAL_UPDATE) | \
	 BIT(KVM_REQ_INTERCEPTS) | BIT(KVM_REQ_APICV) | BIT(KVM_REQ_OUTSIDE_GUEST) | \
	 BIT(KVM_REQ_EVENT))

struct kvm_vcpu {
	struct kvm *kvm;			/* [I] */
	int vcpu_id;				/* [I] KVM_CREATE_VCPU's argument */
	int vcpu_idx;				/* [I] position in kvm->vcpus */
	int cpu;				/* [p] last or current CPU, -1 at first */
	int mode;				/* [a] enum kvm_vcpu_mode */
	unsigned long requests;			/* [a] */
	struct mutex mutex;			/* one ioctl at a time */
	struct kvm_run *run;			/* [V] shared with userspace: read once, check */
	int srcu_idx;				/* [V] of kvm->srcu, held inside KVM_RUN */
	struct pid __rcu *pid;			/* [V] thread that runs it, for yield */
	unsigned long rcu_noted;		/* [p] jiffies when RCU heard of an entry */
	bool loaded;				/* [p] between vcpu_load and vcpu_put */
	bool preempted, ready;			/* [a] hints for directed yield */
	bool wants_to_run;			/* [V] inside KVM_RUN, no immediate_exit */
	bool sampled;				/* [p] perf samples taken now hit the guest */
	struct preempt_notifier preempt_notifier;
	struct rcuwait wait;			/* halted vCPU sleeps here */
	bool blocking;				/* [a] asleep or polling in halt */
	unsigned int halt_poll_ns;		/* [V] */
	bool sigset_active;			/* [V] */
	sigset_t sigset;			/* [V] */

	/* The slot of the last lookup; checked against the slots' generation. */
	struct kvm_memory_slot *last_slot;	/* [V] */
	u64 last_slot_gen;			/* [V] */

	struct kvm_vcpu_stat stat;
	char stats_id[48];			/* [I] */
	struct dentry *debugfs;			/* [I] */
	struct x86_vcpu arch;
};

/* Set a request; does not kick. Any context. */
static inline void kvm_set_request(enum kvm_request req, struct kvm_vcpu *vcpu)
{
	smp_wmb();	/* what the request is about comes first */
	set_bit(req, &vcpu->requests);
}

/* True if the request was set; clears it. The vCPU's own thread. */
static inline bool kvm_take_request(enum kvm_request req, struct kvm_vcpu *vcpu)
{
	if (!test_bit(req, &vcpu->requests))
		return false;
	clear_bit(req, &vcpu->requests);
	smp_mb__after_atomic();	/* the bit goes before the work is looked at */
	return true;
}

static inline bool kvm_has_request(enum kvm_request req, const struct kvm_vcpu *vcpu)
{
	return test_bit(req, &vcpu->requests);
}

static inline bool kvm_any_request(const struct kvm_vcpu *vcpu)
{
	return READ_ONCE(vcpu->requests);
}

/* Make @vcpu leave the guest or wake from halt. Any context, also hard irq. */
void kvm_vcpu_kick(struct kvm_vcpu *vcpu);
/* Wake from halt only; true if it slept. Any context. */
bool kvm_vcpu_wake(struct kvm_vcpu *vcpu);
/* Set @req on every vCPU and kick those in the guest. Preemptible or not; does not wait for the work. */
void kvm_request_all(struct kvm *kvm, enum kvm_request req);
/*
 * As kvm_request_all(), and does not return before each vCPU that was in guest
 * mode has left it. Not in hard irq context. For TLB flushes and MMU reloads.
 */
void kvm_request_all_wait(struct kvm *kvm, enum kvm_request req);
/* All vCPUs flush before they run guest code again; waits for the exits. */
void kvm_flush_tlbs(struct kvm *kvm);

/* Load this vCPU's state on the current CPU / unload. Under vcpu->mutex. */
void kvm_vcpu_load(struct kvm_vcpu *vcpu);
void kvm_vcpu_put(struct kvm_vcpu *vcpu);
/* The vCPU that this CPU is running, or NULL. Preemption off. */
struct kvm_vcpu *kvm_running_vcpu(void);

/* Sleep (after polling) until runnable, kicked or signalled. In KVM_RUN, srcu not held. */
void kvm_vcpu_halt(struct kvm_vcpu *vcpu);
/* PAUSE loop: give the CPU to a vCPU that may hold the lock. In KVM_RUN. */
void kvm_x_vcpu_on_spin(struct kvm_vcpu *vcpu, bool kernel_only);

/* The srcu read side that KVM_RUN holds and drops around sleeping. */
static inline void kvm_srcu_lock(struct kvm_vcpu *vcpu)
{
	vcpu->srcu_idx = srcu_read_lock(&vcpu->kvm->srcu);
}

static inline void kvm_srcu_unlock(struct kvm_vcpu *vcpu)
{
	srcu_read_unlock(&vcpu->kvm->srcu, vcpu->srcu_idx);
}

#endif
