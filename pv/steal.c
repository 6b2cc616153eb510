// SPDX-License-Identifier: GPL-2.0
/*
 * Steal time: how long a vCPU was ready to run and did not, for the guest's
 * accounting and for its locks.
 *
 * The scheduler counts how long each task waited on a run queue; what was added
 * since the last report goes into the guest's area when the vCPU is loaded
 * again. When it is put, one byte there says so, so that others of the guest
 * need not spin for it.
 *
 * The byte is written with page faults off, from the preempt notifier; if the
 * page is not there, the hint is lost and nothing else. All state belongs to
 * the vCPU's thread.
 */
#include <linux/sched/stat.h>
#include <linux/uaccess.h>
#include <asm/kvm_para.h>
#include "pv.h"

int pv_set_steal_time(struct kvm_vcpu *vcpu, u64 data)
{
	struct x86_pv *pv = &vcpu->arch.pv;

	if ((data & KVM_STEAL_RESERVED_MASK) ||
	    ((data & KVM_MSR_ENABLED) && !sched_info_on()))
		return -EINVAL;
	pv->steal_msr = data;
	pv->steal_preempted = false;
	if (!(data & KVM_MSR_ENABLED))
		return 0;
	/* a place without memory is found out at each update, as it may get some */
	kvm_cache_init(vcpu->kvm, &pv->steal_mem, data & KVM_STEAL_VALID_BITS,
		       sizeof(struct kvm_steal_time));
	pv->last_steal = current->sched_info.run_delay;
	kvm_set_request(KVM_REQ_STEAL_UPDATE, vcpu);
	return 0;
}

static int steal_write(struct kvm_vcpu *vcpu, const void *data, size_t off, size_t len)
{
	return kvm_cache_write(vcpu->kvm, &vcpu->arch.pv.steal_mem, data, off, len);
}

#define STEAL_WRITE(vcpu, st, field) \
	steal_write(vcpu, &(st)->field, offsetof(struct kvm_steal_time, field), \
		    sizeof((st)->field))

void pv_record_steal(struct kvm_vcpu *vcpu)
{
	struct x86_pv *pv = &vcpu->arch.pv;
	u64 delay = current->sched_info.run_delay;
	struct kvm_steal_time st;

	if (!(pv->steal_msr & KVM_MSR_ENABLED))
		return;
	if (delay == pv->last_steal && !pv->steal_preempted)
		return;
	if (kvm_cache_read(vcpu->kvm, &pv->steal_mem, &st, 0, sizeof(st)))
		return;
	/* odd while it changes; a guest may have left any number there */
	st.version = (st.version | 1) + 2;
	/* another thread may run this vCPU now: its account begins here */
	if (delay > pv->last_steal)
		st.steal += delay - pv->last_steal;
	st.preempted = 0;
	if (STEAL_WRITE(vcpu, &st, version))
		return;
	smp_wmb();	/* odd before the rest */
	STEAL_WRITE(vcpu, &st, steal);
	STEAL_WRITE(vcpu, &st, preempted);
	smp_wmb();	/* the rest before even */
	st.version++;
	STEAL_WRITE(vcpu, &st, version);
	pv->last_steal = delay;
	pv->steal_preempted = false;
}

/* Is the cached translation good without sleeping? srcu held. */
static bool steal_mem_current(struct kvm_vcpu *vcpu)
{
	const struct kvm_guest_cache *c = &vcpu->arch.pv.steal_mem;

	return c->slot && !(c->slot->flags & KVM_MEM_READONLY) &&
	       c->generation == READ_ONCE(kvm_memslots(vcpu->kvm, 0)->generation);
}

static void steal_put_preempted(struct kvm_vcpu *vcpu)
{
	struct x86_pv *pv = &vcpu->arch.pv;
	struct kvm_guest_cache *c = &pv->steal_mem;
	void __user *p = (void __user *)(c->hva + offsetof(struct kvm_steal_time, preempted));
	static const u8 val = KVM_VCPU_PREEMPTED;
	unsigned long left;

	pagefault_disable();
	left = __copy_to_user_inatomic(p, &val, sizeof(val));
	pagefault_enable();
	if (left)
		return;
	pv->steal_preempted = true;
	vcpu->stat.preemption_reported++;
	kvm_mark_slot_dirty(vcpu->kvm, c->slot, gpa_to_gfn(c->gpa));
}

void pv_steal_preempted(struct kvm_vcpu *vcpu)
{
	const struct x86_pv *pv = &vcpu->arch.pv;
	int idx;

	if (!(pv->steal_msr & KVM_MSR_ENABLED) || pv->steal_preempted) {
		vcpu->stat.preemption_other++;
		return;
	}
	/* teardown may come from another process */
	if (current->mm != vcpu->kvm->mm)
		return;
	idx = srcu_read_lock(&vcpu->kvm->srcu);
	if (steal_mem_current(vcpu))
		steal_put_preempted(vcpu);
	srcu_read_unlock(&vcpu->kvm->srcu, idx);
}
