// SPDX-License-Identifier: GPL-2.0
/*
 * Events on Intel VT: injection, deliveries cut short, windows.
 *
 * The event field is one slot: at each entry the hardware delivers one event as
 * its first act. If an exit comes in the middle of a delivery (an EPT violation
 * on the guest's IDT, say) the IDT-vectoring field has the event;
 * vmx_complete_events() gives it back to the core, which injects it again first.
 *
 * Software events (INT n, INT3, INTO) push the address of the next instruction,
 * which the hardware computes from RIP and a length that goes with the event. One
 * that the guest's own instruction began is simply dropped when it is cut short:
 * RIP still points at the instruction and it is executed anew.
 *
 * Windows. An exit as soon as the guest could take an interrupt, or an NMI, is a
 * control bit. An NMI that waits for the shadow of STI waits for the interrupt
 * window: some processors would call an NMI window open there and then refuse the
 * injection.
 *
 * NMI blocking is in the interruptibility state ("virtual NMIs"): the hardware
 * sets it at delivery and IRET clears it. If that IRET itself causes an exit by a
 * fault, blocking has ended too early; the exit says so and it is set again.
 */
#include "insn.h"
#include "irqchip.h"
#include "vmx.h"

/* ---- interruptibility ----------------------------------------------------------------- */

u32 vmx_int_state(struct vcpu_vmx *vmx)
{
	if (!(vmx->exit.known & VMX_KNOWN_INT_STATE)) {
		vmx->int_state = vmx_read32(GUEST_INTERRUPTIBILITY_INFO);
		vmx->exit.known |= VMX_KNOWN_INT_STATE;
	}
	return vmx->int_state;
}

/* A guest stays halted over an exit only if HLT itself does not exit. */
void vmx_wake(struct vcpu_vmx *vmx)
{
	if (unlikely(!(vmx->vmcs->ctl.cpu & CPU_BASED_HLT_EXITING)))
		vmx_write(GUEST_ACTIVITY_STATE, GUEST_ACTIVITY_ACTIVE);
}

#define VMX_SHADOWS	(GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS)

void vmx_put_int_state(struct vcpu_vmx *vmx, u32 state)
{
	if (vmx_int_state(vmx) == state)
		return;
	if (state & VMX_SHADOWS)
		vmx_wake(vmx);	/* halted behind such an instruction does not enter */
	vmx->int_state = state;
	vmx_write(GUEST_INTERRUPTIBILITY_INFO, state);
}

u32 vmx_get_int_shadow(struct kvm_vcpu *vcpu)
{
	u32 state = vmx_int_state(to_vmx(vcpu));

	return (state & GUEST_INTR_STATE_STI ? KVM_X86_SHADOW_INT_STI : 0) |
	       (state & GUEST_INTR_STATE_MOV_SS ? KVM_X86_SHADOW_INT_MOV_SS : 0);
}

/* The hardware takes no more than one of them, and STI's only with IF. */
void vmx_set_int_shadow(struct kvm_vcpu *vcpu, u32 shadow)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	u32 state = vmx_int_state(vmx) & ~VMX_SHADOWS;

	if (shadow & KVM_X86_SHADOW_INT_MOV_SS)
		state |= GUEST_INTR_STATE_MOV_SS;
	else if (shadow & KVM_X86_SHADOW_INT_STI)
		state |= GUEST_INTR_STATE_STI;
	vmx_put_int_state(vmx, state);
}

bool vmx_get_nmi_mask(struct kvm_vcpu *vcpu)
{
	return vmx_int_state(to_vmx(vcpu)) & GUEST_INTR_STATE_NMI;
}

void vmx_set_nmi_mask(struct kvm_vcpu *vcpu, bool masked)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	u32 state = vmx_int_state(vmx) & ~GUEST_INTR_STATE_NMI;

	vmx_put_int_state(vmx, state | (masked ? GUEST_INTR_STATE_NMI : 0));
}

/* ---- injection ------------------------------------------------------------------------- */

static u32 vmx_event_type(const struct x86_event *ev, bool soft)
{
	switch (ev->kind) {
	case X86_EV_NMI:
		return INTR_TYPE_NMI_INTR;
	case X86_EV_EXC:
		return soft ? INTR_TYPE_SOFT_EXCEPTION : INTR_TYPE_HARD_EXCEPTION;
	default:
		return soft ? INTR_TYPE_SOFT_INTR : INTR_TYPE_EXT_INTR;
	}
}

/*
 * The length of the instruction that raised a soft event. Userspace may hand in an interrupt as soft
 * at an RIP where there is none, and not every processor takes a length of 0: then as if one byte were before RIP.
 */
static u32 vmx_soft_len(struct kvm_vcpu *vcpu, const struct x86_event *ev)
{
	u64 rip = x86_rip(vcpu) - 1;

	if (!ev->insn_len)
		x86_put_rip(vcpu, x86_64bit_code(vcpu) ? rip : (u32)rip);
	return ev->insn_len ?: 1;
}

void vmx_inject(struct kvm_vcpu *vcpu, const struct x86_event *ev)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	bool soft = ev->soft;

	if (ev->kind == X86_EV_NMI)	/* the delivery blocks the next; before, nothing may */
		vmx_set_nmi_mask(vcpu, false);
	vmx->inject_info = INTR_INFO_VALID_MASK | vmx_event_type(ev, soft) | ev->vector;
	if (ev->has_error) {
		vmx->inject_info |= INTR_INFO_DELIVER_CODE_MASK;
		vmx->inject_error = ev->error;
		vmx_write(VM_ENTRY_EXCEPTION_ERROR_CODE, ev->error);
	}
	if (soft)
		vmx_write(VM_ENTRY_INSTRUCTION_LEN, vmx_soft_len(vcpu, ev));
	vmx->soft_injected = soft;
	vmx->injected = true;
	vmx_wake(vmx);
	vmx_write(VM_ENTRY_INTR_INFO_FIELD, vmx->inject_info);
}

/* ---- what was cut short --------------------------------------------------------------------- */

/* @len: instruction length of a software event that we injected, 0 if the guest began it. */
static void vmx_requeue(struct kvm_vcpu *vcpu, u32 info, u32 error, u8 len)
{
	struct x86_event ev = {
		.kind = X86_EV_EXC,
		.vector = info & INTR_INFO_VECTOR_MASK,
		.has_error = info & INTR_INFO_DELIVER_CODE_MASK,
		.error = error,
	};

	switch (info & INTR_INFO_INTR_TYPE_MASK) {
	case INTR_TYPE_EXT_INTR:
		ev.kind = X86_EV_INTR;
		break;
	case INTR_TYPE_NMI_INTR:
		ev.kind = X86_EV_NMI;
		vmx_set_nmi_mask(vcpu, false);	/* or else it can't be injected */
		break;
	case INTR_TYPE_SOFT_INTR:
		ev.kind = X86_EV_INTR;
		fallthrough;
	case INTR_TYPE_SOFT_EXCEPTION:
	case INTR_TYPE_PRIV_SW_EXCEPTION:
		if (!len)
			return;
		ev.soft = true;
		ev.insn_len = len;
		break;
	}
	x86_requeue_event(vcpu, &ev);
}

void vmx_complete_events(struct kvm_vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	u32 info = vmx->exit.vectoring, error = 0;
	bool soft = vmx->soft_injected;

	if (vmx->injected)
		x86_clear_injected(vcpu);
	vmx->injected = false;
	vmx->soft_injected = false;
	if (!(info & VECTORING_INFO_VALID_MASK))
		return;
	if (info & VECTORING_INFO_DELIVER_CODE_MASK)
		error = vmx_read32(IDT_VECTORING_ERROR_CODE);
	vmx_requeue(vcpu, info, error, soft ? vmx_read32(VM_EXIT_INSTRUCTION_LEN) : 0);
}

/* Nothing ran since vmx_inject(): the event goes back as it came. */
void vmx_cancel_injection(struct kvm_vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	if (!vmx->injected)
		return;
	vmx->injected = false;
	vmx_write(VM_ENTRY_INTR_INFO_FIELD, 0);
	vmx_requeue(vcpu, vmx->inject_info, vmx->inject_error,
		    vmx->soft_injected ? vmx_read32(VM_ENTRY_INSTRUCTION_LEN) : 0);
	vmx->soft_injected = false;
}

/* ---- may it be taken now? ---------------------------------------------------------------------- */

enum x86_can_inject vmx_can_inject(struct kvm_vcpu *vcpu, enum x86_event_kind kind)
{
	u32 state = vmx_int_state(to_vmx(vcpu));
	bool ok = true;

	switch (kind) {
	case X86_EV_INTR:
		ok = !(state & VMX_SHADOWS) && (x86_rflags(vcpu) & X86_EFLAGS_IF);
		break;
	case X86_EV_NMI:
		ok = !(state & (VMX_SHADOWS | GUEST_INTR_STATE_NMI));
		break;
	case X86_EV_EXC:
	case X86_EV_SMI:
		break;
	}
	return ok ? X86_INJECT_OK : X86_INJECT_BLOCKED;
}

void vmx_open_window(struct kvm_vcpu *vcpu, enum x86_event_kind kind)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	if (kind == X86_EV_INTR || (kind == X86_EV_NMI && (vmx_int_state(vmx) & GUEST_INTR_STATE_STI)))
		vmx_cpu_control(vmx, CPU_BASED_INTR_WINDOW_EXITING, true);
	else if (kind == X86_EV_NMI)
		vmx_cpu_control(vmx, CPU_BASED_NMI_WINDOW_EXITING, true);
}

void vmx_close_window(struct kvm_vcpu *vcpu, u32 control)
{
	vmx_cpu_control(to_vmx(vcpu), control, false);
	kvm_set_request(KVM_REQ_EVENT, vcpu);
}

/*
 * @tpr: CR8, 0 to 15. @irr: the class (vector >> 4) of the most urgent
 * interrupt that waits, -1 none. While TPR holds it back, a write of CR8 may
 * let it through: with the TPR shadow that is a threshold, which the hardware
 * does not want above TPR. Without it every write exits anyway.
 */
void vmx_update_cr8(struct kvm_vcpu *vcpu, int tpr, int irr)
{
	struct vmx_vmcs *vmcs = to_vmx(vcpu)->vmcs;
	u32 threshold = irr >= 0 && tpr >= irr ? irr : 0;

	if (vmx_delivers(to_vmx(vcpu)))		/* ... and looks at TPR itself */
		threshold = 0;
	if (!(vmcs->ctl.cpu & CPU_BASED_TPR_SHADOW) || vmcs->tpr_threshold == threshold)
		return;
	vmcs->tpr_threshold = threshold;
	vmx_write(TPR_THRESHOLD, threshold);
}
