// SPDX-License-Identifier: GPL-2.0
/*
 * Guests that the hardware cannot run as they are: real mode, and protected mode
 * while segment registers still hold what real mode left there.
 *
 * That is what processors without unrestricted guests need; AMD's run all of it,
 * and do so here only if a module parameter says no (hw_caps.emulate_real), so
 * that the way is tested. While the state is such, a turn of the run loop
 * emulates instructions instead of entering the guest. The rules by which a state
 * counts as fit are those of VM entry (Intel SDM vol. 3, "Checks on Guest Segment
 * Registers"), as far as a guest can break them. One is left out
 * for AMD's: that CS was accessed. SVM does not ask, and TCG's far jumps do not mark it.
 *
 * Events of real mode are delivered by the emulator as well. event.c chooses
 * them as ever and hands them to x86_emulate_event() instead of the hardware;
 * they count as injected, "a delivery that was cut short", until it is done.
 *
 * Code breakpoints, which the hardware would have found before the instruction
 * began, are looked for here.
 *
 * Context: the vCPU's thread in KVM_RUN, SRCU held. No locks.
 */
#include "compat.h"
#include "emul.h"
#include "guest_work.h"
#include "irqchip.h"
#include "mmu.h"
#include "x86.h"

/* Instructions for one turn of the run loop. */
#define TURN	64

static bool usable(const struct kvm_segment *s)
{
	return s->present && !s->unusable;
}

static bool v86_fit(struct kvm_vcpu *vcpu)
{
	const struct kvm_segment *s;
	int i;

	for (i = X86_ES; i <= X86_GS; i++) {
		s = x86_seg(vcpu, (enum x86_seg)i);
		if (s->base != (u64)s->selector << 4 || s->limit != 0xffff || s->type != 3 ||
		    !s->s || s->dpl != 3 || !usable(s))
			return false;
	}
	return true;
}

static bool code_fit(struct kvm_vcpu *vcpu)
{
	const struct kvm_segment *cs = x86_seg(vcpu, X86_CS), *ss = x86_seg(vcpu, X86_SS);
	u8 must = hw_caps.exit_isa == KVM_ISA_SVM ? 8 : 9;

	if (!usable(cs) || !cs->s || (cs->type & must) != must)
		return false;
	return cs->type & 4 ? cs->dpl <= ss->dpl : cs->dpl == ss->dpl;
}

static bool stack_fit(struct kvm_vcpu *vcpu)
{
	const struct kvm_segment *ss = x86_seg(vcpu, X86_SS);
	u16 cs_sel = x86_seg(vcpu, X86_CS)->selector;

	if ((ss->selector & 3) != (cs_sel & 3))
		return false;
	return !usable(ss) || (ss->s && (ss->type & 0xb) == 3 && ss->dpl == (ss->selector & 3));
}

/*
 * Accessed, and readable if it is code; unless that is conforming code, not less
 * privileged by its selector than by its descriptor.
 */
static bool data_fit(struct kvm_vcpu *vcpu, enum x86_seg id)
{
	const struct kvm_segment *s = x86_seg(vcpu, id);

	if (!usable(s))
		return true;
	if (!s->s || !(s->type & 1) || (s->type & 0xa) == 8)
		return false;
	return s->type >= 12 || s->dpl >= (s->selector & 3);
}

static bool system_fit(struct kvm_vcpu *vcpu)
{
	const struct kvm_segment *tr = x86_seg(vcpu, X86_TR), *ldt = x86_seg(vcpu, X86_LDTR);

	if (!usable(tr) || tr->s || (tr->type & 7) != 3)
		return false;
	return !usable(ldt) || (!ldt->s && ldt->type == 2);
}

static bool fit_for_hardware(struct kvm_vcpu *vcpu)
{
	if (!x86_protmode(vcpu))
		return false;
	if (x86_rflags(vcpu) & X86_EFLAGS_VM)
		return v86_fit(vcpu);
	return code_fit(vcpu) && stack_fit(vcpu) && data_fit(vcpu, X86_DS) &&
	       data_fit(vcpu, X86_ES) && data_fit(vcpu, X86_FS) && data_fit(vcpu, X86_GS) &&
	       system_fit(vcpu);
}

/* Without a change from outside a guest that runs on the hardware stays fit for it. */
#define FIT_CLASSES	(X86_ALL_SEGS | BIT(X86_CR0) | BIT(X86_RFLAGS))

bool x86_must_emulate(struct kvm_vcpu *vcpu)
{
	return unlikely(hw_caps.emulate_real) && (vcpu->arch.regs.dirty & FIT_CLASSES) &&
	       !fit_for_hardware(vcpu);
}

bool x86_emulate_event(struct kvm_vcpu *vcpu, const struct x86_event *ev)
{
	struct x86_emul *e = vcpu->arch.emul;

	if (likely(!hw_caps.emulate_real) || x86_protmode(vcpu))
		return false;
	e->event = *ev;
	e->event_waits = true;
	return true;
}

/* The event that x86_inject_pending() chose. What fails on the way merges with it. */
static int deliver_event(struct kvm_vcpu *vcpu)
{
	struct x86_emul *e = vcpu->arch.emul;
	int r;

	if (!e->event_waits)
		return KVM_EXIT_RESUME;
	e->event_waits = false;
	if (e->event.kind == X86_EV_NMI)
		vendor_call(set_nmi_mask)(vcpu, true);
	r = x86_inject_realmode(vcpu, e->event.vector, e->event.soft ? e->event.insn_len : 0);
	if (r > 0 && !vcpu->arch.ev.exc.pending)
		x86_clear_injected(vcpu);
	return r;
}

static bool could_inject(struct kvm_vcpu *vcpu)
{
	if (vcpu->arch.ev.exc.pending)
		return true;
	if (vcpu->arch.ev.nmi_pending && vendor_call(can_inject)(vcpu, X86_EV_NMI) == X86_INJECT_OK)
		return true;
	return irqchip_has_injectable(vcpu) &&
	       vendor_call(can_inject)(vcpu, X86_EV_INTR) == X86_INJECT_OK;
}

/* ---- code breakpoints --------------------------------------------------------- */

/* Bits 0 to 3: the breakpoints on the instruction at RIP. */
static u32 breakpoints_hit(struct kvm_vcpu *vcpu)
{
	u64 dr7 = x86_effective_dr7(vcpu), dr[4];
	int i;

	if (likely(!(dr7 & 0xff)))
		return 0;
	for (i = 0; i < 4; i++)
		dr[i] = x86_effective_dr(vcpu, i);
	return dr7_code_hits(dr7, dr, x86_linear_rip(vcpu));
}

/* AMD's hardware keeps one shadow for STI and MOV SS; the emulator knows what its last instruction was. */
static bool is_behind_mov_ss(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.emul->ctx.retire.mov_ss &&
	       (vendor_call(get_int_shadow)(vcpu) & KVM_X86_SHADOW_INT_MOV_SS);
}

int x86_code_breakpoint(struct kvm_vcpu *vcpu)
{
	u32 hit = x86_rflags(vcpu) & X86_EFLAGS_RF ? 0 : breakpoints_hit(vcpu);

	if (likely(!hit) || is_behind_mov_ss(vcpu))
		return KVM_EXIT_RESUME;
	if (vcpu->arch.dbg.control & KVM_GUESTDBG_USE_HW_BP)
		return x86_debug_exit(vcpu, 1, hit);
	x86_put_rflags(vcpu, x86_rflags(vcpu) | X86_EFLAGS_RF);
	x86_queue_exception_p(vcpu, 1, hit);
	return KVM_EXIT_RESUME;
}

/* ---- a turn --------------------------------------------------------------------- */

static int one_insn(struct kvm_vcpu *vcpu)
{
	int r = x86_code_breakpoint(vcpu);

	if (r <= 0 || vcpu->arch.ev.exc.pending)
		return r;
	return x86_emulate_insn(vcpu);
}

static bool go_on(struct kvm_vcpu *vcpu)
{
	return !kvm_any_request(vcpu) && !compat_guest_work_pending() &&
	       vcpu->arch.mp_state == KVM_MP_STATE_RUNNABLE && x86_must_emulate(vcpu);
}

int x86_emulate_turn(struct kvm_vcpu *vcpu)
{
	int n, r = deliver_event(vcpu);

	for (n = 0; n < TURN && r > 0; n++) {
		if (could_inject(vcpu))
			kvm_set_request(KVM_REQ_EVENT, vcpu);
		if (!go_on(vcpu))
			break;
		r = one_insn(vcpu);
	}
	return r;
}
