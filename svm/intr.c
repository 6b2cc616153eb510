// SPDX-License-Identifier: GPL-2.0
/*
 * Events on AMD-V: injection, deliveries cut short, windows.
 *
 * EVENTINJ is one slot: at each entry the hardware delivers one event as its
 * first act. If an exit comes in the middle of a delivery (a nested page fault
 * on the guest's IDT, say) EXITINTINFO has the event; svm_complete_events()
 * gives it back to the core, which injects it again first.
 *
 * Software events (INT n, INT3, INTO) push the address of the next instruction.
 * Without NRIP save the hardware does not know it, so injecting one moves RIP
 * over the instruction first, and taking it back moves RIP back. A software
 * event that the guest's own instruction began is simply dropped: RIP still
 * points at the instruction and it is executed anew.
 *
 * Interrupt window: a virtual interrupt (V_IRQ) of highest priority is offered
 * and its taking intercepted: the exit comes when IF and the shadow allow it.
 *
 * NMI window. There is no NMI blocking in the hardware, so it is kept here:
 * masked from injection until IRET completes. IRET is intercepted; since the
 * exit comes before it executes, the mask is lifted at the first exit where RIP
 * has moved on. With an NMI waiting, that exit is forced by a single step of
 * our own (svm->step), which the guest must not see. The same step gets past an
 * interrupt shadow.
 */
#include "event.h"
#include "svm.h"

/* ---- injection ----------------------------------------------------------------- */

static u32 svm_event_type(const struct x86_event *ev)
{
	switch (ev->kind) {
	case X86_EV_NMI:
		return SVM_EV_TYPE_NMI;
	case X86_EV_EXC:
		return SVM_EV_TYPE_EXC;
	default:
		return ev->soft ? SVM_EV_TYPE_SOFT : SVM_EV_TYPE_INTR;
	}
}

static void svm_move_over_soft_insn(struct vcpu_svm *svm, u8 len)
{
	struct kvm_vcpu *vcpu = &svm->vcpu;

	svm->soft_len = len;
	svm->inject_rip = x86_rip(vcpu) + len;
	x86_put_rip(vcpu, svm->inject_rip);
	if (hw_caps.nrips)
		svm->vmcb->ctl.next_rip = svm->inject_rip;
}

void svm_inject(struct kvm_vcpu *vcpu, const struct x86_event *ev)
{
	struct vcpu_svm *svm = to_svm(vcpu);
	struct svm_control *ctl = &svm->vmcb->ctl;

	if (ev->kind == X86_EV_NMI) {
		svm->nmi_masked = true;
		svm->iret_started = false;
		svm_intercept(svm, SVM_I_IRET, true);
	}
	svm->inject_rip = x86_rip(vcpu);
	if (ev->soft)
		svm_move_over_soft_insn(svm, ev->insn_len);
	svm->inject_info = SVM_EV_VALID | svm_event_type(ev) | ev->vector |
			   (ev->has_error ? SVM_EV_HAS_ERROR : 0);
	ctl->event_inj = svm->inject_info;
	ctl->event_inj_error = ev->has_error ? ev->error : 0;
	svm->injected = true;
}

/* ---- what was cut short ----------------------------------------------------------- */

/* @ours: it was injected; @len: over this many bytes, if it is a soft event. */
static void svm_requeue(struct kvm_vcpu *vcpu, u32 info, u32 error, bool ours, u8 len)
{
	struct x86_event ev = {
		.vector = info & SVM_EV_VECTOR,
		.has_error = info & SVM_EV_HAS_ERROR,
		.error = error,
	};

	if (svm_event_is_soft(info)) {
		if (!ours)
			return;	/* the guest's instruction begins it again */
		ev.soft = len || (info & SVM_EV_TYPE) == SVM_EV_TYPE_SOFT;
		ev.insn_len = len;
	}
	switch (info & SVM_EV_TYPE) {
	case SVM_EV_TYPE_NMI:
		ev.kind = X86_EV_NMI;
		break;
	case SVM_EV_TYPE_EXC:
		ev.kind = X86_EV_EXC;
		break;
	default:
		ev.kind = X86_EV_INTR;
		break;
	}
	x86_requeue_event(vcpu, &ev);
}

/* @info was cut short, or not begun: what was injected goes back as it came, RIP too. */
static void svm_take_back(struct vcpu_svm *svm, u32 info, u32 error)
{
	bool ours = svm->injected && x86_rip(&svm->vcpu) == svm->inject_rip &&
		    !((info ^ svm->inject_info) & (SVM_EV_TYPE | SVM_EV_VECTOR));

	if (ours && svm->soft_len)
		x86_put_rip(&svm->vcpu, svm->inject_rip - svm->soft_len);
	svm_requeue(&svm->vcpu, info, error, ours, svm->soft_len);
}

static void svm_complete_iret(struct vcpu_svm *svm)
{
	if (!svm->iret_started || svm->vmcb->save.rip == svm->iret_rip)
		return;
	svm->iret_started = false;
	svm->nmi_masked = false;
	kvm_set_request(KVM_REQ_EVENT, &svm->vcpu);
}

void svm_complete_events(struct kvm_vcpu *vcpu)
{
	struct vcpu_svm *svm = to_svm(vcpu);
	struct svm_control *ctl = &svm->vmcb->ctl;
	u32 info = ctl->exit_int_info;

	svm_complete_iret(svm);
	if (!svm->injected && !(info & SVM_EV_VALID))
		return;
	ctl->event_inj = 0;
	x86_clear_injected(vcpu);
	if (info & SVM_EV_VALID)
		svm_take_back(svm, info, ctl->exit_int_error);
	svm->injected = false;
	svm->soft_len = 0;
}

/* Nothing ran since svm_inject(): the event goes back as it came. */
void svm_cancel_injection(struct kvm_vcpu *vcpu)
{
	struct vcpu_svm *svm = to_svm(vcpu);
	struct svm_control *ctl = &svm->vmcb->ctl;

	if (!svm->injected)
		return;
	ctl->event_inj = 0;
	svm_take_back(svm, svm->inject_info, ctl->event_inj_error);
	svm->injected = false;
	svm->soft_len = 0;
}

/* ---- may it be taken now? ------------------------------------------------------------ */

static bool svm_shadowed(struct vcpu_svm *svm)
{
	return svm->vmcb->ctl.int_state & SVM_INT_SHADOW;
}

enum x86_can_inject svm_can_inject(struct kvm_vcpu *vcpu, enum x86_event_kind kind)
{
	struct vcpu_svm *svm = to_svm(vcpu);
	bool ok = true;

	switch (kind) {
	case X86_EV_INTR:
		ok = !svm_shadowed(svm) && (x86_rflags(vcpu) & X86_EFLAGS_IF);
		break;
	case X86_EV_NMI:
		ok = !svm_shadowed(svm) && !svm->nmi_masked;
		break;
	case X86_EV_EXC:
	case X86_EV_SMI:
		break;
	}
	return ok ? X86_INJECT_OK : X86_INJECT_BLOCKED;
}

static void svm_open_intr_window(struct vcpu_svm *svm)
{
	struct svm_control *ctl = &svm->vmcb->ctl;

	svm_intercept(svm, SVM_I_VINTR, true);
	if (ctl->int_ctl & SVM_V_IRQ)
		return;
	ctl->int_vector = 0;
	ctl->int_ctl |= SVM_V_IRQ | SVM_V_IGN_TPR | SVM_V_INTR_PRIO;
	svm_dirty(svm, SVM_CLEAN_TPR);
}

void svm_close_intr_window(struct kvm_vcpu *vcpu)
{
	struct vcpu_svm *svm = to_svm(vcpu);

	svm_intercept(svm, SVM_I_VINTR, false);
	svm->vmcb->ctl.int_ctl &= ~(SVM_V_IRQ | SVM_V_IGN_TPR | SVM_V_INTR_PRIO);
	svm_dirty(svm, SVM_CLEAN_TPR);
}

static void svm_open_nmi_window(struct vcpu_svm *svm)
{
	struct kvm_vcpu *vcpu = &svm->vcpu;
	bool tf;

	if (svm->nmi_masked && !svm->iret_started)
		return;		/* IRET will exit */
	if (svm->step.on)
		return;
	tf = x86_rflags(vcpu) & X86_EFLAGS_TF;
	svm->step = (struct svm_step) {
		.on = true, .iret = svm->iret_started, .guest_tf = tf,
	};
	x86_touch(vcpu, X86_RFLAGS);
}

void svm_open_window(struct kvm_vcpu *vcpu, enum x86_event_kind kind)
{
	if (kind == X86_EV_INTR)
		svm_open_intr_window(to_svm(vcpu));
	else if (kind == X86_EV_NMI)
		svm_open_nmi_window(to_svm(vcpu));
}

/*
 * @tpr: CR8, 0 to 15. @irr: the class (vector >> 4) of the most urgent
 * interrupt that waits, -1 none. While TPR holds it back, a write of CR8 may
 * let it through and has to exit.
 */
void svm_update_cr8(struct kvm_vcpu *vcpu, int tpr, int irr)
{
	svm_intercept(to_svm(vcpu), SVM_I_CR_WRITE(8), irr >= 0 && tpr >= irr);
}

/* ---- shadows and masks ------------------------------------------------------------------ */

/* The hardware has one bit for both kinds of shadow. */
u32 svm_get_int_shadow(struct kvm_vcpu *vcpu)
{
	return svm_shadowed(to_svm(vcpu)) ? KVM_X86_SHADOW_INT_STI | KVM_X86_SHADOW_INT_MOV_SS : 0;
}

void svm_set_int_shadow(struct kvm_vcpu *vcpu, u32 shadow)
{
	struct svm_control *ctl = &to_svm(vcpu)->vmcb->ctl;

	if (shadow)
		ctl->int_state |= SVM_INT_SHADOW;
	else
		ctl->int_state &= ~SVM_INT_SHADOW;
}

bool svm_get_nmi_mask(struct kvm_vcpu *vcpu)
{
	return to_svm(vcpu)->nmi_masked;
}

void svm_set_nmi_mask(struct kvm_vcpu *vcpu, bool masked)
{
	struct vcpu_svm *svm = to_svm(vcpu);

	svm->nmi_masked = masked;
	svm->iret_started = false;
	svm_intercept(svm, SVM_I_IRET, masked);
}

void svm_iret_exit(struct kvm_vcpu *vcpu)
{
	struct vcpu_svm *svm = to_svm(vcpu);

	svm_intercept(svm, SVM_I_IRET, false);
	svm->iret_started = true;
	svm->iret_rip = x86_rip(vcpu);
	kvm_set_request(KVM_REQ_EVENT, vcpu);
}

bool svm_step_done(struct kvm_vcpu *vcpu)
{
	struct vcpu_svm *svm = to_svm(vcpu);
	struct svm_step step = svm->step;
	u64 rflags;

	if (!step.on)
		return false;
	svm->step.on = false;
	kvm_set_request(KVM_REQ_EVENT, vcpu);

	rflags = svm->vmcb->save.rflags;
	if (!step.iret && !step.guest_tf)
		rflags &= ~(u64)X86_EFLAGS_TF;
	x86_put_rflags(vcpu, rflags);

	if (!svm_step_is_ours(step.guest_tf, vcpu->arch.dbg.control, svm->vmcb->save.dr6))
		return false;
	/* Nobody else's: no trace of it in DR6. */
	x86_need(vcpu, X86_DR);
	vcpu->arch.regs.dr6 &= ~X86_DR6_BS;
	x86_touch(vcpu, X86_DR);
	return true;
}
