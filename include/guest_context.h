/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Telling the rest of the kernel that this CPU is about to run guest code, or
 * has just stopped: cputime accounting, lockdep, RCU and context tracking.
 *
 * Two layers, because they end at different moments. Timing goes round the
 * whole stay with interrupts off, and ends only after pending interrupts were
 * taken, so that the tick finds PF_VCPU set and charges the guest. Context goes
 * tightly round the entry assembly: between the two calls RCU may not be
 * watching and lockdep believes that interrupts are on, so nothing in there may
 * be instrumented.
 *
 * perf's samples are the guest's (virt/perf.c) in two windows: that of the context,
 * in which NMIs come, and the moment of the open interrupts. Tracepoints
 * of the host lie outside of both; perf would else take them for the guest's.
 */
#ifndef KVM_GUEST_CONTEXT_H
#define KVM_GUEST_CONTEXT_H

#include <linux/context_tracking.h>
#include <linux/ftrace.h>
#include <linux/instrumentation.h>
#include <linux/irqflags.h>
#include <linux/jiffies.h>
#include <linux/lockdep.h>
#include <linux/vtime.h>
#include "compat_virt.h"
#include "vcpu.h"

/* Interrupts off; before the first entry of a stay in the guest. */
static __always_inline void x86_guest_timing_enter_irqoff(void)
{
	instrumentation_begin();
	vtime_account_guest_enter();
	instrumentation_end();
}

/* Interrupts off; after interrupts that ended the stay were taken. */
static __always_inline void x86_guest_timing_exit_irqoff(void)
{
	instrumentation_begin();
	vtime_account_guest_exit();
	instrumentation_end();
}

/* Interrupts off, last thing before the entry assembly. */
static __always_inline void x86_guest_enter_irqoff(struct kvm_vcpu *vcpu)
{
	unsigned long now = jiffies;

	WRITE_ONCE(vcpu->sampled, true);
	instrumentation_begin();
	trace_hardirqs_on_prepare();
	lockdep_hardirqs_on_prepare();
	instrumentation_end();

	/*
	 * Without context tracking RCU goes on watching this CPU: say at least
	 * that it passes through a quiescent state now. RCU counts in jiffies, and
	 * a new one is seen at the entry after the tick that brought it.
	 */
	if (!context_tracking_guest_enter() && vcpu->rcu_noted != now) {
		vcpu->rcu_noted = now;
		instrumentation_begin();
		compat_rcu_note_guest();
		instrumentation_end();
	}
	lockdep_hardirqs_on(CALLER_ADDR0);
}

/* Interrupts off, first thing after the exit. */
static __always_inline void x86_guest_exit_irqoff(struct kvm_vcpu *vcpu)
{
	lockdep_hardirqs_off(CALLER_ADDR0);
	context_tracking_guest_exit();
	instrumentation_begin();
	trace_hardirqs_off_finish();
	instrumentation_end();
	WRITE_ONCE(vcpu->sampled, false);
}

#endif
