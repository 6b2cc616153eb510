// SPDX-License-Identifier: GPL-2.0
/*
 * KVM_CAP_SYNC_REGS: registers in struct kvm_run instead of ioctls.
 *
 * Before KVM_RUN userspace says in kvm_dirty_regs which sets it changed in
 * kvm_run.s.regs, and in kvm_valid_regs which it wants to find there
 * afterwards. They are set and fetched by the functions of the ioctls, at the
 * two ends of KVM_RUN: what was set counts for an instruction that the last
 * exit left open as it would have through KVM_SET_REGS.
 *
 * Userspace may write to the page at any time. So each set is copied once, and
 * checked and used in the copy; all sets are checked before the first is used.
 *
 * The vCPU's thread, srcu held.
 */
#include "x86.h"

static int sync_dirty(struct kvm_vcpu *vcpu, u64 dirty)
{
	struct kvm_sync_regs *s = &vcpu->run->s.regs;
	struct kvm_vcpu_events events = s->events;
	struct kvm_sregs sregs = s->sregs;
	struct kvm_regs regs = s->regs;

	/* What the compiler copied stays as it is. */
	barrier();
	if ((dirty & KVM_SYNC_X86_EVENTS) && !x86_vcpu_events_valid(vcpu, &events))
		return -EINVAL;
	if ((dirty & KVM_SYNC_X86_SREGS) && x86_set_sregs(vcpu, &sregs))
		return -EINVAL;
	if (dirty & KVM_SYNC_X86_REGS)
		x86_set_regs(vcpu, &regs);
	/* last: new general registers drop a pending exception */
	if (dirty & KVM_SYNC_X86_EVENTS)
		x86_set_vcpu_events(vcpu, &events);
	return 0;
}

int x86_sync_from_run(struct kvm_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	u64 dirty = READ_ONCE(run->kvm_dirty_regs);
	int r;

	if ((READ_ONCE(run->kvm_valid_regs) | dirty) & ~(u64)X86_SYNC_REGS_KNOWN)
		return -EINVAL;
	if (likely(!dirty))
		return 0;
	r = sync_dirty(vcpu, dirty);
	if (!r)
		run->kvm_dirty_regs = 0;
	return r;
}

void x86_sync_to_run(struct kvm_vcpu *vcpu)
{
	u64 valid = READ_ONCE(vcpu->run->kvm_valid_regs);
	struct kvm_sync_regs *s = &vcpu->run->s.regs;
	struct kvm_vcpu_events events = {};
	struct kvm_sregs sregs = {};

	if (likely(!(valid & X86_SYNC_REGS_KNOWN)))
		return;
	if (valid & KVM_SYNC_X86_REGS)
		x86_get_regs(vcpu, &s->regs);
	if (valid & KVM_SYNC_X86_SREGS) {
		x86_get_sregs(vcpu, &sregs);
		s->sregs = sregs;
	}
	if (valid & KVM_SYNC_X86_EVENTS) {
		x86_get_vcpu_events(vcpu, &events);
		s->events = events;
	}
}
