// SPDX-License-Identifier: GPL-2.0
/*
 * The run loop: from ioctl(KVM_RUN) into the guest and back, again and again.
 *
 * One turn of the loop (x86_enter):
 *
 *	requests        what other threads asked for, as bits in one word
 *	events          the most urgent pending event goes to the hardware
 *	MMU root        exists and is loaded
 *	--- preemption off, vendor saves host state, interrupts off ---
 *	mode = IN_GUEST, then one more look at requests and at work of the task
 *	guest runs
 *	--- interrupts on: what ended the guest's turn is taken here ---
 *	exit handler    RESUME, EXIT_TO_USER or -errno
 *
 * The order "publish IN_GUEST, then read requests" against "set request, then
 * read mode" on the sender's side is what makes kicks reliable; see vcpu.h.
 * SRCU is dropped while the guest runs, so that slot updates need not wait for
 * a guest that never exits.
 *
 * What an exit to userspace left half done (an MMIO read waiting for its data,
 * an MSR access) is finished at the next KVM_RUN through arch.complete_user,
 * before immediate_exit is looked at: VMMs rely on it to read whole registers.
 * Userspace may instead have reset the vCPU or sent it elsewhere, by whatever
 * ioctl; RIP tells, and then there is nothing left to finish.
 */
#include <linux/hw_breakpoint.h>
#include <linux/sched/signal.h>
#include <trace/events/ipi.h>	/* of smp_send_reschedule() */
#include <asm/debugreg.h>
#include "apicv.h"
#include "arch.h"
#include "compat.h"
#include "guest_context.h"
#include "guest_work.h"
#include "irqchip.h"
#include "lapic.h"
#include "mmu.h"
#include "trace.h"
#include "x86.h"

int x86_internal_error(struct kvm_vcpu *vcpu, u32 suberror, int ndata, const u64 *data)
{
	struct kvm_run *run = vcpu->run;
	int i;

	run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
	run->internal.suberror = suberror;
	run->internal.ndata = min_t(int, ndata, ARRAY_SIZE(run->internal.data));
	for (i = 0; i < (int)run->internal.ndata; i++)
		run->internal.data[i] = data[i];
	return KVM_EXIT_TO_USER;
}
EXPORT_SYMBOL_GPL(x86_internal_error);

int x86_halt(struct kvm_vcpu *vcpu, bool ap_reset_hold)
{
	vcpu->stat.halt_exits++;
	if (vcpu->arch.apic) {
		vcpu->arch.mp_state = ap_reset_hold ? KVM_MP_STATE_AP_RESET_HOLD :
						      KVM_MP_STATE_HALTED;
		return KVM_EXIT_RESUME;
	}
	vcpu->run->exit_reason = ap_reset_hold ? KVM_EXIT_AP_RESET_HOLD : KVM_EXIT_HLT;
	return KVM_EXIT_TO_USER;
}
EXPORT_SYMBOL_GPL(x86_halt);

void x86_complete_later(struct kvm_vcpu *vcpu, int (*complete)(struct kvm_vcpu *vcpu))
{
	vcpu->arch.complete_user = complete;
	vcpu->arch.complete_rip = x86_linear_rip(vcpu);
}

static int x86_complete_user(struct kvm_vcpu *vcpu)
{
	int (*complete)(struct kvm_vcpu *) = vcpu->arch.complete_user;

	if (likely(!complete))
		return KVM_EXIT_RESUME;
	vcpu->arch.complete_user = NULL;
	return x86_linear_rip(vcpu) == vcpu->arch.complete_rip ? complete(vcpu) : KVM_EXIT_RESUME;
}

/* ---- requests ------------------------------------------------------------ */

static int req_vm_dead(struct kvm_vcpu *vcpu)
{
	return -EIO;
}

static int req_tlb_flush(struct kvm_vcpu *vcpu)
{
	vcpu->stat.tlb_flush++;
	vendor_call(flush_tlb)(vcpu, X86_FLUSH_ALL, 0);
	return KVM_EXIT_RESUME;
}

static int req_mmu_reload(struct kvm_vcpu *vcpu)
{
	mmu_unload(vcpu);
	return KVM_EXIT_RESUME;
}

static int req_timer(struct kvm_vcpu *vcpu)
{
	irqchip_timer_inject(vcpu);
	return KVM_EXIT_RESUME;
}

/* Only told apart from a plain kick so that halts end: the loop does the rest. */
static int req_nothing(struct kvm_vcpu *vcpu)
{
	return KVM_EXIT_RESUME;
}

static int req_nmi(struct kvm_vcpu *vcpu)
{
	struct x86_events *ev = &vcpu->arch.ev;
	/* one in service blocks the next, of which one more can be latched */
	u8 limit = vendor_call(get_nmi_mask)(vcpu) || ev->nmi_injected ? 1 : 2;

	ev->nmi_pending = min_t(unsigned int, limit,
				ev->nmi_pending + atomic_xchg(&ev->nmi_queued, 0));
	kvm_set_request(KVM_REQ_EVENT, vcpu);
	return KVM_EXIT_RESUME;
}

static int req_triple_fault(struct kvm_vcpu *vcpu)
{
	vcpu->run->exit_reason = KVM_EXIT_SHUTDOWN;
	return KVM_EXIT_TO_USER;
}

static int req_clock_update(struct kvm_vcpu *vcpu)
{
	return pv_update_clock(vcpu) ?: KVM_EXIT_RESUME;
}

static int req_global_clock(struct kvm_vcpu *vcpu)
{
	pv_update_global_clock(vcpu);
	return KVM_EXIT_RESUME;
}

static int req_master_clock(struct kvm_vcpu *vcpu)
{
	pv_update_master_clock(vcpu->kvm);
	return KVM_EXIT_RESUME;
}

static int req_steal(struct kvm_vcpu *vcpu)
{
	pv_record_steal(vcpu);
	return KVM_EXIT_RESUME;
}

static int req_eoi_exit(struct kvm_vcpu *vcpu)
{
	vcpu->run->exit_reason = KVM_EXIT_IOAPIC_EOI;
	vcpu->run->eoi.vector = vcpu->arch.eoi_exit_vector;
	return KVM_EXIT_TO_USER;
}

static int req_apicv(struct kvm_vcpu *vcpu)
{
	apicv_update(vcpu);
	return KVM_EXIT_RESUME;
}

static int req_tpr_report(struct kvm_vcpu *vcpu)
{
	vcpu->run->exit_reason = KVM_EXIT_TPR_ACCESS;
	return KVM_EXIT_TO_USER;
}

static int req_intercepts(struct kvm_vcpu *vcpu)
{
	vendor_call(msr_intercepts)(vcpu);
	return KVM_EXIT_RESUME;
}

/*
 * A request that ends the stay leaves the ones behind it set for the next
 * KVM_RUN. KVM_REQ_EVENT, the last, has its own place in x86_enter().
 */
static int (*const request_table[])(struct kvm_vcpu *vcpu) = {
	[KVM_REQ_VM_DEAD]	= req_vm_dead,
	[KVM_REQ_MMU_RELOAD]	= req_mmu_reload,
	[KVM_REQ_MASTER_CLOCK]	= req_master_clock,
	[KVM_REQ_GLOBAL_CLOCK]	= req_global_clock,
	[KVM_REQ_CLOCK_UPDATE]	= req_clock_update,
	[KVM_REQ_TLB_FLUSH]	= req_tlb_flush,
	[KVM_REQ_TPR_REPORT]	= req_tpr_report,
	[KVM_REQ_TRIPLE_FAULT]	= req_triple_fault,
	[KVM_REQ_STEAL_UPDATE]	= req_steal,
	[KVM_REQ_NMI]		= req_nmi,
	[KVM_REQ_EOI_EXIT]	= req_eoi_exit,
	[KVM_REQ_APICV]		= req_apicv,
	[KVM_REQ_INTERCEPTS]	= req_intercepts,
	[KVM_REQ_UNBLOCK]	= req_nothing,
	[KVM_REQ_TIMER]		= req_timer,
	[KVM_REQ_OUTSIDE_GUEST]	= req_nothing,
};

static_assert(ARRAY_SIZE(request_table) == KVM_REQ_EVENT);

static int x86_serve_requests(struct kvm_vcpu *vcpu)
{
	unsigned long mask = BIT(KVM_REQ_EVENT) - 1, todo;
	int req, r;

	while ((todo = READ_ONCE(vcpu->requests) & mask)) {
		req = __ffs(todo);
		mask &= ~BIT(req);	/* each once: one that returns waits for the next turn */
		if (!kvm_take_request(req, vcpu))
			continue;
		r = request_table[req](vcpu);
		if (r <= 0)
			return r;
	}
	return KVM_EXIT_RESUME;
}

/* ---- one turn --------------------------------------------------------------- */

/* Userspace waits for the moment when it could KVM_INTERRUPT. */
static bool x86_user_wants_window(struct kvm_vcpu *vcpu)
{
	if (!READ_ONCE(vcpu->run->request_interrupt_window) ||
	    vcpu->kvm->arch.irqchip_mode == X86_IRQCHIP_FULL)
		return false;
	/*
	 * The VMM's PIC may ask for ever while LINT0 is closed to it. A window
	 * that nothing can come through would end each entry at once.
	 */
	return !vcpu->arch.apic || lapic_accepts_pic(vcpu->arch.apic);
}

/* Could a KVM_INTERRUPT be taken right now? */
static bool x86_ready_for_user_irq(struct kvm_vcpu *vcpu)
{
	struct x86_events *ev = &vcpu->arch.ev;

	if (ev->user_vector >= 0 || ev->held_vector >= 0 || ev->exc.pending || ev->exc.injected || ev->intr.injected)
		return false;
	if (vcpu->arch.apic && !lapic_accepts_pic(vcpu->arch.apic))
		return false;
	return vendor_call(can_inject)(vcpu, X86_EV_INTR) == X86_INJECT_OK;
}

static int x86_prepare_events(struct kvm_vcpu *vcpu, bool *immediate_exit)
{
	int r;

	vcpu->stat.req_event++;
	r = x86_accept_init_sipi(vcpu);
	if (r < 0)
		return r;
	if (vcpu->arch.mp_state == KVM_MP_STATE_INIT_RECEIVED)
		return KVM_EXIT_RESUME;
	r = x86_inject_pending(vcpu, immediate_exit);
	if (r < 0)
		return r;
	if (x86_user_wants_window(vcpu))
		vendor_call(open_window)(vcpu, X86_EV_INTR);
	if (vcpu->arch.apic) {
		irqchip_update_cr8(vcpu);
		pv_eoi_before_entry(vcpu);
	}
	if (unlikely(vcpu->arch.vapic_addr))
		x86_vapic_to_guest(vcpu);
	return KVM_EXIT_RESUME;
}

/*
 * DR0-3 go into the CPU only while a guest or its debugger uses them. DR7 and
 * DR6 travel with the VMCB or VMCS.
 */
static void x86_load_debug_regs(struct kvm_vcpu *vcpu)
{
	if (likely(!vcpu->arch.dr_loaded &&
		   !(vcpu->arch.dbg.control & KVM_GUESTDBG_USE_HW_BP)))
		return;
	set_debugreg(0, 7);
	set_debugreg(x86_effective_dr(vcpu, 0), 0);
	set_debugreg(x86_effective_dr(vcpu, 1), 1);
	set_debugreg(x86_effective_dr(vcpu, 2), 2);
	set_debugreg(x86_effective_dr(vcpu, 3), 3);
}

/* The guest may have written DR0-3 without an exit: fetch them, intercept again. */
static void x86_save_debug_regs(struct kvm_vcpu *vcpu)
{
	if (likely(!vcpu->arch.dr_loaded))
		return;
	get_debugreg(vcpu->arch.regs.dr[0], 0);
	get_debugreg(vcpu->arch.regs.dr[1], 1);
	get_debugreg(vcpu->arch.regs.dr[2], 2);
	get_debugreg(vcpu->arch.regs.dr[3], 3);
	x86_need(vcpu, X86_DR);
	vcpu->arch.dr_loaded = false;
	vendor_call(update_intercepts)(vcpu);
}

/* Interrupts off. The guest, and again while exits are finished in the fast path. */
static enum x86_fastpath x86_in_guest(struct kvm_vcpu *vcpu, bool immediate_exit)
{
	enum x86_fastpath fast;

	x86_load_debug_regs(vcpu);
	x86_xcr_load_guest(vcpu);
	x86_guest_timing_enter_irqoff();
	for (;;) {
		trace_kvm_entry(vcpu, immediate_exit);
		fast = vendor_call(run)(vcpu);
		vcpu->stat.exits++;
		if (likely(fast != X86_FAST_REENTER))
			break;
		if (kvm_any_request(vcpu) || compat_guest_work_pending()) {
			fast = X86_FAST_HANDLED;
			break;
		}
	}
	x86_xcr_load_host(vcpu);
	x86_save_debug_regs(vcpu);
	if (hw_breakpoint_active())
		hw_breakpoint_restore();
	return fast;
}

/*
 * Preemption off. False: something came up after the last look, nothing ran.
 * On true, interrupts were on for a moment and the timing accounts are closed.
 */
static bool x86_try_guest(struct kvm_vcpu *vcpu, bool immediate_exit, enum x86_fastpath *fast)
	__releases(&vcpu->kvm->srcu)
{
	local_irq_disable();
	compat_guest_work_prepare();
	/* to be seen before srcu is dropped and requests are read: vcpu.h */
	smp_store_release(&vcpu->mode, KVM_IN_GUEST);
	kvm_srcu_unlock(vcpu);
	smp_mb__after_srcu_read_unlock();	/* mode before requests: vcpu.h */

	if (kvm_any_request(vcpu) || compat_guest_work_pending()) {
		/* nothing of the guest is left behind it */
		smp_store_release(&vcpu->mode, KVM_OUTSIDE_GUEST);
		local_irq_enable();
		return false;
	}
	if (immediate_exit)
		smp_send_reschedule(vcpu->cpu);

	*fast = x86_in_guest(vcpu, immediate_exit);

	/* what the guest did comes before */
	smp_store_release(&vcpu->mode, KVM_OUTSIDE_GUEST);
	WRITE_ONCE(vcpu->sampled, true);
	vendor_call(exit_irqoff)(vcpu);
	/* Take what ended the guest's turn while time still counts as the guest's. */
	local_irq_enable();
	asm volatile("nop");	/* STI holds interrupts off for one instruction more */
	local_irq_disable();
	WRITE_ONCE(vcpu->sampled, false);
	x86_guest_timing_exit_irqoff();
	local_irq_enable();
	return true;
}

static int x86_enter(struct kvm_vcpu *vcpu)
{
	enum x86_fastpath fast = X86_FAST_NONE;
	bool immediate_exit = false, ran;
	int r;

	if (kvm_any_request(vcpu)) {
		r = x86_serve_requests(vcpu);
		if (r <= 0)
			return r;
	}
	if (kvm_take_request(KVM_REQ_EVENT, vcpu) || x86_user_wants_window(vcpu)) {
		r = x86_prepare_events(vcpu, &immediate_exit);
		if (r <= 0 || vcpu->arch.mp_state == KVM_MP_STATE_INIT_RECEIVED)
			return r;
	}
	if (x86_must_emulate(vcpu))
		return x86_emulate_turn(vcpu);
	r = mmu_load(vcpu);
	if (unlikely(r)) {
		vendor_call(cancel_injection)(vcpu);
		return r;
	}

	preempt_disable();
	vendor_call(prepare_switch)(vcpu);
	ran = x86_try_guest(vcpu, immediate_exit, &fast);
	preempt_enable();
	kvm_srcu_lock(vcpu);
	pv_eoi_after_exit(vcpu);

	if (immediate_exit)
		kvm_set_request(KVM_REQ_EVENT, vcpu);
	if (unlikely(!ran)) {
		vendor_call(cancel_injection)(vcpu);
		return KVM_EXIT_RESUME;
	}
	if (unlikely(vcpu->arch.vapic_addr))
		x86_vapic_from_guest(vcpu);
	if (fast != X86_FAST_NONE)
		return KVM_EXIT_RESUME;
	return vendor_call(handle_exit)(vcpu);
}

/* ---- halted ------------------------------------------------------------------ */

static bool x86_is_running(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.mp_state == KVM_MP_STATE_RUNNABLE;
}

bool arch_vcpu_runnable(struct kvm_vcpu *vcpu)
{
	return x86_is_running(vcpu) || x86_has_pending_event(vcpu);
}

static void x86_wait(struct kvm_vcpu *vcpu)
{
	irqchip_before_wait(vcpu);
	kvm_srcu_unlock(vcpu);
	kvm_vcpu_halt(vcpu);
	kvm_srcu_lock(vcpu);
}

static int x86_block(struct kvm_vcpu *vcpu)
{
	int r;

	if (!arch_vcpu_runnable(vcpu)) {
		x86_wait(vcpu);
		if (kvm_has_request(KVM_REQ_VM_DEAD, vcpu))
			return -EIO;
		if (!arch_vcpu_runnable(vcpu))
			return KVM_EXIT_RESUME;
	}
	r = x86_accept_init_sipi(vcpu);
	if (r < 0)
		return r;
	switch (vcpu->arch.mp_state) {
	case KVM_MP_STATE_HALTED:
	case KVM_MP_STATE_AP_RESET_HOLD:
		vcpu->arch.pv_unhalted = 0;
		vcpu->arch.mp_state = KVM_MP_STATE_RUNNABLE;
		break;
	default:
		break;
	}
	return KVM_EXIT_RESUME;
}

/* ---- the loop ------------------------------------------------------------------ */

static int x86_signal_exit(struct kvm_vcpu *vcpu, int r)
{
	/* The other one becomes EINTR if a handler runs on the way out. */
	if (r == -EINTR || r == -ERESTARTNOHAND)
		vcpu->run->exit_reason = KVM_EXIT_INTR;
	if (r == -EINTR)
		vcpu->stat.signal_exits++;
	return r;
}

static int x86_task_work(struct kvm_vcpu *vcpu)
{
	int r;

	kvm_srcu_unlock(vcpu);
	r = compat_guest_work();
	kvm_srcu_lock(vcpu);
	return x86_signal_exit(vcpu, r) ?: KVM_EXIT_RESUME;
}

static int x86_loop(struct kvm_vcpu *vcpu)
{
	int r;

	do {
		r = x86_is_running(vcpu) ? x86_enter(vcpu) : x86_block(vcpu);
		if (r <= 0)
			break;
		if (x86_user_wants_window(vcpu) && x86_ready_for_user_irq(vcpu)) {
			vcpu->run->exit_reason = KVM_EXIT_IRQ_WINDOW_OPEN;
			vcpu->stat.request_irq_exits++;
			return KVM_EXIT_TO_USER;
		}
		if (compat_guest_work_pending())
			r = x86_task_work(vcpu);
	} while (r > 0);
	return r;
}

/* An application processor waits for INIT and SIPI: KVM_RUN sleeps, then says EAGAIN. */
static int x86_wait_for_sipi(struct kvm_vcpu *vcpu)
{
	if (!vcpu->wants_to_run)
		return -EINTR;
	x86_wait(vcpu);
	if (x86_accept_init_sipi(vcpu) < 0)
		return -EINTR;
	if (signal_pending(current))
		return x86_signal_exit(vcpu, -EINTR);
	return -EAGAIN;
}

/* RESUME: go on into the loop. */
static int x86_begin_run(struct kvm_vcpu *vcpu)
{
	int r = x86_sync_from_run(vcpu);

	if (unlikely(r))
		return r;
	if (unlikely(vcpu->arch.mp_state == KVM_MP_STATE_UNINITIALIZED))
		return x86_wait_for_sipi(vcpu);
	if (!vcpu->arch.apic && x86_set_cr8(vcpu, READ_ONCE(vcpu->run->cr8)))
		return -EINVAL;
	return x86_complete_user(vcpu);
}

static void x86_end_run(struct kvm_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	run->if_flag = !!(x86_rflags(vcpu) & X86_EFLAGS_IF);
	run->cr8 = x86_get_cr8(vcpu);
	run->apic_base = irqchip_get_apic_base(vcpu);
	run->ready_for_interrupt_injection = vcpu->kvm->arch.irqchip_mode == X86_IRQCHIP_FULL ||
					     x86_ready_for_user_irq(vcpu);
	x86_sync_to_run(vcpu);
}

int arch_vcpu_run(struct kvm_vcpu *vcpu)
{
	int r;

	vcpu->run->flags = 0;
	x86_fpu_load_guest(vcpu);
	kvm_srcu_lock(vcpu);
	r = x86_begin_run(vcpu);
	if (r > 0)
		r = vcpu->wants_to_run ? x86_loop(vcpu) : x86_signal_exit(vcpu, -EINTR);
	x86_end_run(vcpu);
	kvm_srcu_unlock(vcpu);
	x86_fpu_put_guest(vcpu);
	return r;
}
