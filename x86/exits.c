// SPDX-License-Identifier: GPL-2.0
/*
 * Exit handlers for what means the same to every vendor's hardware. The rest, and
 * the tables that dispatch, are the vendors' own (svm/exits.c, vmx/exits.c).
 *
 * Context: the vCPU's thread, srcu held. They answer as the run loop wants it.
 */
#include "irqchip.h"
#include "x86.h"

int x86_handle_no_insn(struct kvm_vcpu *vcpu)
{
	x86_queue_exception(vcpu, 6);
	return KVM_EXIT_RESUME;
}
EXPORT_SYMBOL_GPL(x86_handle_no_insn);

int x86_handle_hlt(struct kvm_vcpu *vcpu)
{
	int r = x86_skip(vcpu);

	return r == KVM_EXIT_RESUME ? x86_halt(vcpu, false) : r;
}
EXPORT_SYMBOL_GPL(x86_handle_hlt);

int x86_handle_pause(struct kvm_vcpu *vcpu)
{
	kvm_x_vcpu_on_spin(vcpu, x86_cpl(vcpu) == 0);
	return x86_skip(vcpu);
}
EXPORT_SYMBOL_GPL(x86_handle_pause);

bool x86_has_mwait(struct kvm_vcpu *vcpu)
{
	return !(vcpu->kvm->arch.disabled_quirks & KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS) ||
	       x86_guest_has(vcpu, X86_FEATURE_MWAIT);
}

int x86_handle_mwait(struct kvm_vcpu *vcpu)
{
	return x86_has_mwait(vcpu) ? x86_skip(vcpu) : x86_handle_no_insn(vcpu);
}
EXPORT_SYMBOL_GPL(x86_handle_mwait);

int x86_cr8_written(struct kvm_vcpu *vcpu, u64 before, int r)
{
	if (r != KVM_EXIT_RESUME || vcpu->arch.apic || before <= x86_get_cr8(vcpu))
		return r;
	vcpu->run->exit_reason = KVM_EXIT_SET_TPR;
	return KVM_EXIT_TO_USER;
}
EXPORT_SYMBOL_GPL(x86_cr8_written);
