// SPDX-License-Identifier: GPL-2.0
/*
 * Pending events: which exception, NMI or interrupt the guest takes next.
 *
 * Everything that is to be delivered lies in vcpu->arch.ev. Before each entry
 * x86_inject_pending() gives at most one event to the hardware, in this order:
 *
 *	1. a delivery that an exit cut short (injected): it already happened as
 *	   far as the guest is concerned, so nothing may overtake it
 *	2. a pending exception
 *	3. an NMI, if not blocked
 *	4. an interrupt, if not blocked
 *
 * For whatever is left over a window is opened: the vendor makes the guest exit
 * as soon as it could be taken.
 *
 * An exception that was raised by the delivery of something else is pending
 * while that is injected. If both are exceptions they have merged, see below. A
 * software interrupt is dropped: its instruction is executed again. An interrupt
 * or NMI was taken from its controller and must not get lost (AMD APM vol. 2,
 * "EXITINTINFO"; Intel SDM vol. 3, "Reflecting Exceptions to Guest Software"):
 * the exception goes first, then the NMI, or the interrupt when the guest takes
 * interrupts again.
 *
 * An exception that meets another one merges as the manuals' table says (AMD
 * APM vol. 2, "Double-Fault Exception"; Intel SDM vol. 3, "Interrupt 8"): benign
 * ones replace, two contributory ones or a page fault with either become #DF,
 * and anything on top of a #DF is a shutdown.
 *
 * Side effects of an exception (CR2, DR6) happen when it is given to the
 * hardware, not when it is queued, so that userspace which reads or migrates the
 * vCPU in between sees the state before it. Userspace that did not ask for
 * KVM_CAP_EXCEPTION_PAYLOAD can't carry a payload: for it the effects happen when
 * it reads the events.
 *
 * Locks: all of it belongs to the vCPU's thread, but nmi_queued, which is atomic.
 */
#include "irqchip.h"
#include "lapic.h"
#include "mmu.h"
#include "trace.h"
#include "x86.h"

/* ---- queueing ------------------------------------------------------------- */

enum exc_class { EXC_BENIGN, EXC_CONTRIBUTORY, EXC_PAGE_FAULT, EXC_DOUBLE };

static enum exc_class exc_class(u8 vector)
{
	static const u8 class[32] = {
		[0]  = EXC_CONTRIBUTORY,	/* #DE */
		[8]  = EXC_DOUBLE,		/* #DF */
		[10] = EXC_CONTRIBUTORY,	/* #TS */
		[11] = EXC_CONTRIBUTORY,	/* #NP */
		[12] = EXC_CONTRIBUTORY,	/* #SS */
		[13] = EXC_CONTRIBUTORY,	/* #GP */
		[14] = EXC_PAGE_FAULT,
		[21] = EXC_CONTRIBUTORY,	/* #CP */
	};

	return vector < 32 ? class[vector] : EXC_BENIGN;
}

static void queue_triple_fault(struct kvm_vcpu *vcpu)
{
	vcpu->arch.ev.triple_fault = true;
	kvm_set_request(KVM_REQ_TRIPLE_FAULT, vcpu);
}

static void set_double_fault(struct x86_exception *exc)
{
	*exc = (struct x86_exception) {
		.pending = true, .vector = 8, .has_error = true,
	};
}

/* @new is raised while vcpu->arch.ev.exc may still wait or be in delivery. */
static void queue_exception(struct kvm_vcpu *vcpu, const struct x86_exception *new)
{
	struct x86_exception *exc = &vcpu->arch.ev.exc;
	enum exc_class first = exc_class(exc->vector), second = exc_class(new->vector);

	kvm_set_request(KVM_REQ_EVENT, vcpu);
	if (!exc->pending && !exc->injected) {
		*exc = *new;
	} else if (first == EXC_DOUBLE) {
		exc->pending = exc->injected = false;
		queue_triple_fault(vcpu);
	} else if ((first == EXC_CONTRIBUTORY && second == EXC_CONTRIBUTORY) ||
		   (first == EXC_PAGE_FAULT && second != EXC_BENIGN)) {
		set_double_fault(exc);
	} else {
		/* The first one is lost: its instruction runs and faults again. */
		*exc = *new;
	}
}

void x86_queue_exception(struct kvm_vcpu *vcpu, u8 vector)
{
	queue_exception(vcpu, &(struct x86_exception){ .pending = true, .vector = vector });
}
EXPORT_SYMBOL_GPL(x86_queue_exception);

void x86_queue_exception_e(struct kvm_vcpu *vcpu, u8 vector, u32 error)
{
	queue_exception(vcpu, &(struct x86_exception){
		.pending = true, .vector = vector, .has_error = true, .error = error,
	});
}
EXPORT_SYMBOL_GPL(x86_queue_exception_e);

void x86_queue_exception_p(struct kvm_vcpu *vcpu, u8 vector, u64 payload)
{
	queue_exception(vcpu, &(struct x86_exception){
		.pending = true, .vector = vector, .has_payload = true, .payload = payload,
	});
}
EXPORT_SYMBOL_GPL(x86_queue_exception_p);

void x86_queue_soft_exception(struct kvm_vcpu *vcpu, u8 vector, u8 insn_len)
{
	queue_exception(vcpu, &(struct x86_exception){
		.pending = true, .vector = vector, .soft = true, .insn_len = insn_len,
	});
}
EXPORT_SYMBOL_GPL(x86_queue_soft_exception);

void x86_inject_gp(struct kvm_vcpu *vcpu, u32 error)
{
	x86_queue_exception_e(vcpu, 13, error);
}
EXPORT_SYMBOL_GPL(x86_inject_gp);

void x86_inject_fault(struct kvm_vcpu *vcpu, const struct mmu_fault *fault)
{
	if (fault->vector != 14) {
		x86_queue_exception_e(vcpu, fault->vector, fault->error_code);
		return;
	}
	vcpu->stat.pf_guest++;
	queue_exception(vcpu, &(struct x86_exception){
		.pending = true, .vector = 14, .has_error = true, .error = fault->error_code,
		.has_payload = true, .payload = fault->gva,
	});
}
EXPORT_SYMBOL_GPL(x86_inject_fault);

void x86_requeue_event(struct kvm_vcpu *vcpu, const struct x86_event *ev)
{
	struct x86_events *q = &vcpu->arch.ev;

	kvm_set_request(KVM_REQ_EVENT, vcpu);
	q->in_flight = BIT(ev->kind);
	switch (ev->kind) {
	case X86_EV_EXC:
		q->exc = (struct x86_exception) {
			.injected = true, .vector = ev->vector, .soft = ev->soft,
			.insn_len = ev->insn_len, .has_error = ev->has_error, .error = ev->error,
		};
		break;
	case X86_EV_INTR:
		q->intr.injected = true;
		q->intr.vector = ev->vector;
		q->intr.soft = ev->soft;
		q->intr.insn_len = ev->insn_len;
		break;
	case X86_EV_NMI:
		q->nmi_injected = true;
		break;
	case X86_EV_SMI:
		break;
	}
}
EXPORT_SYMBOL_GPL(x86_requeue_event);

void x86_clear_injected(struct kvm_vcpu *vcpu)
{
	struct x86_events *q = &vcpu->arch.ev;

	if (q->in_flight & BIT(X86_EV_EXC))
		q->exc.injected = false;
	if (q->in_flight & BIT(X86_EV_INTR))
		q->intr.injected = false;
	if (q->in_flight & BIT(X86_EV_NMI))
		q->nmi_injected = false;
	q->in_flight = 0;
}
EXPORT_SYMBOL_GPL(x86_clear_injected);

void x86_queue_nmi(struct kvm_vcpu *vcpu)
{
	atomic_inc(&vcpu->arch.ev.nmi_queued);
	kvm_set_request(KVM_REQ_NMI, vcpu);
	kvm_vcpu_kick(vcpu);
}
EXPORT_SYMBOL_GPL(x86_queue_nmi);

/* ---- delivery --------------------------------------------------------------- */

/* What the CPU does to CR2, DR6 and DR7 when it raises this exception. */
static void deliver_payload(struct kvm_vcpu *vcpu, struct x86_exception *exc)
{
	if (!exc->has_payload)
		return;
	exc->has_payload = false;
	if (exc->vector == 14)
		vcpu->arch.regs.cr2 = exc->payload;
	else if (exc->vector == 1)
		x86_put_dr6(vcpu, dr6_after(x86_dr6(vcpu), exc->payload));
}

/* A fault (not a trap) pushes RF, so that IRET does not hit the breakpoint again. */
static bool exc_sets_rf(const struct x86_exception *exc)
{
	return exc->vector != 1 && exc->vector != 3 && exc->vector != 4 && exc->vector != 8 &&
	       exc->vector != 18;
}

/*
 * Userspace has no way to tell of an event that an instruction raised how long that is; RIP
 * stands at it. 0: no such instruction there.
 */
static u8 length_of_int(struct kvm_vcpu *vcpu, u8 vector)
{
	u8 code[2];

	if (!x86_fetch_code(vcpu, code, 1))
		return 0;
	if ((code[0] == 0xcc && vector == 3) || (code[0] == 0xce && vector == 4))
		return 1;
	if (code[0] != 0xcd || !x86_fetch_code(vcpu, code, 2))
		return 0;
	return code[1] == vector ? 2 : 0;
}

static void give(struct kvm_vcpu *vcpu, const struct x86_event *ev)
{
	vcpu->arch.ev.in_flight = BIT(ev->kind);
	if (!x86_emulate_event(vcpu, ev))
		vendor_call(inject)(vcpu, ev);
}

static void inject_exception(struct kvm_vcpu *vcpu)
{
	struct x86_exception *exc = &vcpu->arch.ev.exc;
	struct x86_event ev;

	if (unlikely((exc->vector == 3 || exc->vector == 4) && !exc->soft)) {
		exc->insn_len = length_of_int(vcpu, exc->vector);
		exc->soft = exc->insn_len;
	}
	ev = (struct x86_event) {
		.kind = X86_EV_EXC, .vector = exc->vector, .soft = exc->soft,
		.insn_len = exc->insn_len, .error = exc->error,
		/* real mode has no error codes */
		.has_error = exc->has_error && x86_protmode(vcpu),
	};
	trace_kvm_inj_exception(exc->vector, ev.has_error, exc->error, exc->injected);
	give(vcpu, &ev);
}

static void inject_new_exception(struct kvm_vcpu *vcpu)
{
	struct x86_exception *exc = &vcpu->arch.ev.exc;

	if (exc_sets_rf(exc))
		x86_put_rflags(vcpu, x86_rflags(vcpu) | X86_EFLAGS_RF);
	deliver_payload(vcpu, exc);
	if (exc->vector == 1 && (vcpu->arch.regs.dr7 & X86_DR7_GD)) {
		x86_need(vcpu, X86_DR);
		vcpu->arch.regs.dr7 &= ~X86_DR7_GD;
		x86_touch(vcpu, X86_DR);
		vendor_call(update_intercepts)(vcpu);
	}
	inject_exception(vcpu);
	exc->pending = false;
	exc->injected = true;
}

static void inject_intr(struct kvm_vcpu *vcpu)
{
	struct x86_events *q = &vcpu->arch.ev;
	struct x86_event ev;

	if (unlikely(q->intr.soft && !q->intr.insn_len))
		q->intr.insn_len = length_of_int(vcpu, q->intr.vector);
	ev = (struct x86_event) {
		.kind = X86_EV_INTR, .vector = q->intr.vector, .soft = q->intr.soft,
		.insn_len = q->intr.insn_len,
	};
	vcpu->stat.irq_injections++;
	trace_kvm_inj_virq(q->intr.vector, q->intr.soft, false);
	give(vcpu, &ev);
}

static void inject_nmi(struct kvm_vcpu *vcpu)
{
	vcpu->stat.nmi_injections++;
	give(vcpu, &(struct x86_event){ .kind = X86_EV_NMI, .vector = 2 });
}

static void hold_intr(struct x86_events *q)
{
	q->intr.injected = false;
	if (!q->intr.soft)
		q->held_vector = q->intr.vector;
}

/* An exception was raised while these were delivered, and goes first. */
static void hold_delivery(struct kvm_vcpu *vcpu)
{
	struct x86_events *q = &vcpu->arch.ev;

	if (q->nmi_injected) {
		q->nmi_injected = false;
		q->nmi_pending = min(q->nmi_pending + 1, 2);
		vendor_call(set_nmi_mask)(vcpu, false);
	}
	if (q->intr.injected)
		hold_intr(q);
}

/*
 * An interrupt is in delivery, says who restored the vCPU. One that was held when the
 * vCPU was saved could be told in no other way; it is held again.
 */
static bool is_held_intr(struct kvm_vcpu *vcpu)
{
	struct x86_events *q = &vcpu->arch.ev;

	return q->intr.injected && !q->intr.soft &&
	       (q->exc.injected || !(x86_rflags(vcpu) & X86_EFLAGS_IF));
}

/* True: the hardware has its event for this entry. */
static bool reinject(struct kvm_vcpu *vcpu)
{
	struct x86_events *q = &vcpu->arch.ev;

	if (!q->exc.injected && q->exc.pending)
		hold_delivery(vcpu);
	if (unlikely(is_held_intr(vcpu)))
		hold_intr(q);
	if (q->exc.injected)
		inject_exception(vcpu);
	else if (q->nmi_injected)
		inject_nmi(vcpu);
	else if (q->intr.injected)
		inject_intr(vcpu);
	else
		return false;
	return true;
}

/*
 * Pending NMI: true if it was given to the hardware. Behind another event that
 * goes now it would be taken at once: come back for it.
 */
static bool try_nmi(struct kvm_vcpu *vcpu, bool busy, bool *req_immediate_exit)
{
	struct x86_events *q = &vcpu->arch.ev;
	bool injected = false, open;

	if (!q->nmi_pending)
		return false;
	open = vendor_call(can_inject)(vcpu, X86_EV_NMI) == X86_INJECT_OK;
	if (open && !busy) {
		q->nmi_pending--;
		q->nmi_injected = true;
		inject_nmi(vcpu);
		injected = true;
	}
	if (!q->nmi_pending)
		return injected;
	if (open && busy)
		*req_immediate_exit = true;
	else
		vendor_call(open_window)(vcpu, X86_EV_NMI);
	return injected;
}

/* The next interrupt is the guest's now. The vector, or -1 if it is gone. */
static int take_intr(struct kvm_vcpu *vcpu)
{
	struct x86_events *q = &vcpu->arch.ev;
	int vector = q->held_vector;

	q->held_vector = -1;
	return vector >= 0 ? vector : irqchip_get_interrupt(vcpu);
}

static bool intr_waits(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.ev.held_vector >= 0 || irqchip_has_injectable(vcpu);
}

static void try_intr(struct kvm_vcpu *vcpu, bool busy)
{
	struct x86_events *q = &vcpu->arch.ev;
	int vector;

	if (!intr_waits(vcpu))
		return;
	if (!busy && vendor_call(can_inject)(vcpu, X86_EV_INTR) == X86_INJECT_OK) {
		vector = take_intr(vcpu);
		if (vector >= 0) {
			q->intr.injected = true;
			q->intr.soft = false;
			q->intr.vector = vector;
			inject_intr(vcpu);
		}
		if (!intr_waits(vcpu))
			return;
	}
	vendor_call(open_window)(vcpu, X86_EV_INTR);
}

int x86_inject_pending(struct kvm_vcpu *vcpu, bool *req_immediate_exit)
{
	struct x86_events *q = &vcpu->arch.ev;
	bool busy = reinject(vcpu);

	if (!busy && q->exc.pending) {
		inject_new_exception(vcpu);
		busy = true;
	} else if (busy && q->exc.pending) {
		*req_immediate_exit = true;	/* come back as soon as the first is in */
	}
	/* Who steps through a guest may not want to end up in its handlers: they wait. */
	if (unlikely(vcpu->arch.dbg.control & KVM_GUESTDBG_BLOCKIRQ))
		return 0;
	busy |= try_nmi(vcpu, busy, req_immediate_exit);
	try_intr(vcpu, busy);
	return 0;
}

bool x86_in_delivery(struct kvm_vcpu *vcpu)
{
	const struct x86_events *q = &vcpu->arch.ev;

	return q->exc.injected || q->intr.injected || q->nmi_injected;
}

bool x86_has_pending_event(struct kvm_vcpu *vcpu)
{
	struct x86_events *q = &vcpu->arch.ev;

	if (irqchip_has_init_or_sipi(vcpu))
		return true;
	if (vcpu->arch.pv_unhalted || q->exc.pending || q->exc.injected)
		return true;
	if (kvm_has_request(KVM_REQ_NMI, vcpu) ||
	    (q->nmi_pending && vendor_call(can_inject)(vcpu, X86_EV_NMI) == X86_INJECT_OK))
		return true;
	if (kvm_has_request(KVM_REQ_TRIPLE_FAULT, vcpu))
		return true;
	/* Whether its interrupt would be taken is known once it has been raised. */
	if (irqchip_timer_pending(vcpu))
		irqchip_timer_inject(vcpu);
	return (q->held_vector >= 0 || irqchip_has_interrupt(vcpu)) &&
	       (x86_rflags(vcpu) & X86_EFLAGS_IF);
}

/* ---- KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS ---------------------------------- */

static void events_get_exception(struct kvm_vcpu *vcpu, struct kvm_vcpu_events *e)
{
	struct x86_exception *exc = &vcpu->arch.ev.exc;
	bool payload_api = vcpu->kvm->arch.exception_payload;

	/* Who can't carry a payload gets its effects now instead. */
	if (!payload_api && exc->pending)
		deliver_payload(vcpu, exc);

	/* INT3 and INTO are re-executed: nothing to save. */
	if (exc->soft)
		return;
	if (payload_api) {
		e->exception.injected = exc->injected;
		e->exception.pending = exc->pending;
		e->exception_has_payload = exc->has_payload;
		e->exception_payload = exc->payload;
		e->flags |= KVM_VCPUEVENT_VALID_PAYLOAD;
	} else {
		e->exception.injected = exc->injected || exc->pending;
	}
	e->exception.nr = exc->vector;
	e->exception.has_error_code = exc->has_error;
	e->exception.error_code = exc->error;
}

long x86_get_vcpu_events(struct kvm_vcpu *vcpu, void *arg)
{
	struct kvm_vcpu_events *e = arg;
	struct x86_events *q = &vcpu->arch.ev;

	/* latch what other threads queued, as an entry would */
	q->nmi_pending = min(2, q->nmi_pending + atomic_xchg(&q->nmi_queued, 0));
	events_get_exception(vcpu, e);

	if (q->held_vector >= 0) {
		e->interrupt.injected = 1;
		e->interrupt.nr = q->held_vector;
	} else {
		e->interrupt.injected = q->intr.injected && !q->intr.soft;
		e->interrupt.nr = q->intr.vector;
	}
	e->interrupt.shadow = vendor_call(get_int_shadow)(vcpu);
	e->nmi.injected = q->nmi_injected;
	e->nmi.pending = q->nmi_pending != 0;
	e->nmi.masked = vendor_call(get_nmi_mask)(vcpu);
	e->flags |= KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW;
	if (vcpu->kvm->arch.triple_fault_event) {
		e->triple_fault.pending = kvm_has_request(KVM_REQ_TRIPLE_FAULT, vcpu);
		e->flags |= KVM_VCPUEVENT_VALID_TRIPLE_FAULT;
	}
	return 0;
}

bool x86_vcpu_events_valid(struct kvm_vcpu *vcpu, const struct kvm_vcpu_events *e)
{
	u32 known = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SIPI_VECTOR |
		    KVM_VCPUEVENT_VALID_SHADOW;

	if (vcpu->kvm->arch.exception_payload)
		known |= KVM_VCPUEVENT_VALID_PAYLOAD;
	if (vcpu->kvm->arch.triple_fault_event)
		known |= KVM_VCPUEVENT_VALID_TRIPLE_FAULT;
	if (e->flags & ~known)
		return false;
	if (e->flags & KVM_VCPUEVENT_VALID_PAYLOAD) {
		if (e->exception.pending && e->exception.injected)
			return false;
	}
	if ((e->exception.injected || ((e->flags & KVM_VCPUEVENT_VALID_PAYLOAD) &&
				       e->exception.pending)) &&
	    (e->exception.nr > 31 || e->exception.nr == 2))
		return false;
	return true;
}

static void events_set_exception(struct kvm_vcpu *vcpu, const struct kvm_vcpu_events *e)
{
	bool payload = e->flags & KVM_VCPUEVENT_VALID_PAYLOAD;

	vcpu->arch.ev.exc = (struct x86_exception) {
		.injected = e->exception.injected,
		.pending = payload && e->exception.pending,
		.vector = e->exception.nr,
		.has_error = e->exception.has_error_code,
		.error = e->exception.error_code,
		.has_payload = payload && e->exception_has_payload,
		.payload = payload ? e->exception_payload : 0,
	};
}

long x86_set_vcpu_events(struct kvm_vcpu *vcpu, void *arg)
{
	const struct kvm_vcpu_events *e = arg;
	struct x86_events *q = &vcpu->arch.ev;

	if (!x86_vcpu_events_valid(vcpu, e))
		return -EINVAL;

	events_set_exception(vcpu, e);
	q->held_vector = -1;
	q->intr.injected = e->interrupt.injected;
	q->intr.vector = e->interrupt.nr;
	q->intr.soft = e->interrupt.soft;
	q->intr.insn_len = 0;
	if (e->flags & KVM_VCPUEVENT_VALID_SHADOW)
		vendor_call(set_int_shadow)(vcpu, e->interrupt.shadow);
	q->nmi_injected = e->nmi.injected;
	if (e->flags & KVM_VCPUEVENT_VALID_NMI_PENDING) {
		q->nmi_pending = 0;
		atomic_set(&q->nmi_queued, e->nmi.pending);
		if (e->nmi.pending)
			kvm_set_request(KVM_REQ_NMI, vcpu);
	}
	vendor_call(set_nmi_mask)(vcpu, e->nmi.masked);
	if ((e->flags & KVM_VCPUEVENT_VALID_SIPI_VECTOR) && vcpu->arch.apic)
		WRITE_ONCE(vcpu->arch.apic->sipi_vector, e->sipi_vector);
	if (e->flags & KVM_VCPUEVENT_VALID_TRIPLE_FAULT) {
		if (e->triple_fault.pending)
			kvm_set_request(KVM_REQ_TRIPLE_FAULT, vcpu);
		else
			clear_bit(KVM_REQ_TRIPLE_FAULT, &vcpu->requests);
	}
	kvm_set_request(KVM_REQ_EVENT, vcpu);
	return 0;
}

/* ---- the epilogue ----------------------------------------------------------------- */

int x86_debug_exit(struct kvm_vcpu *vcpu, u32 exception, u64 dr6)
{
	struct kvm_run *run = vcpu->run;

	run->exit_reason = KVM_EXIT_DEBUG;
	run->debug.arch.exception = exception;
	run->debug.arch.dr6 = dr6 | X86_DR6_FIXED;
	run->debug.arch.dr7 = x86_effective_dr7(vcpu);
	run->debug.arch.pc = x86_linear_rip(vcpu);
	return KVM_EXIT_TO_USER;
}
EXPORT_SYMBOL_GPL(x86_debug_exit);

/* RFLAGS.TF was set when the instruction began: a #DB(BS) follows it. */
static int singlestep_due(struct kvm_vcpu *vcpu)
{
	if (vcpu->arch.dbg.control & KVM_GUESTDBG_SINGLESTEP)
		return x86_debug_exit(vcpu, 1, X86_DR6_BS);
	x86_queue_exception_p(vcpu, 1, X86_DR6_BS);
	return KVM_EXIT_RESUME;
}

int x86_retired(struct kvm_vcpu *vcpu, u64 old_rflags)
{
	if (unlikely(old_rflags & X86_EFLAGS_TF))
		return singlestep_due(vcpu);
	return KVM_EXIT_RESUME;
}

int x86_skip(struct kvm_vcpu *vcpu)
{
	u64 rflags = x86_rflags(vcpu), rip = x86_rip(vcpu);
	int len = vendor_call(insn_len)(vcpu);

	if (!len)
		len = x86_decode_insn_len(vcpu);
	if (!len)
		return KVM_EXIT_RESUME;		/* the fetch faulted: injected */
	rip += len;
	x86_put_rip(vcpu, x86_64bit_code(vcpu) ? rip : (u32)rip);
	if (vendor_call(get_int_shadow)(vcpu))
		vendor_call(set_int_shadow)(vcpu, 0);
	if (unlikely(rflags & X86_EFLAGS_RF))
		x86_put_rflags(vcpu, rflags & ~(u64)X86_EFLAGS_RF);
	return x86_retired(vcpu, rflags);
}
EXPORT_SYMBOL_GPL(x86_skip);

int x86_complete(struct kvm_vcpu *vcpu, int err)
{
	if (!err)
		return x86_skip(vcpu);
	x86_inject_gp(vcpu, 0);
	return KVM_EXIT_RESUME;
}
EXPORT_SYMBOL_GPL(x86_complete);
