/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the words say in which AMD-V describes an event: EXITINTINFO and EVENTINJ,
 * those of a task switch exit, which lean on them, and those of a #DB. Pure, and
 * tested as an ordinary program: emulated hosts have no task switch exits.
 *
 * Three things lead to a task switch: a far CALL or JMP, IRET with NT set, and an
 * event whose gate in the IDT is a task gate. EXITINFO2 has a bit for JMP and one
 * for IRET; what tells an event from CALL is EXITINTINFO, which then has the event.
 *
 * RIP is that of the instruction. The task that is left shall continue behind
 * it, if it asked for the switch itself: by CALL, JMP, IRET, or INT n, INT3 and
 * INTO. An exception finds RIP where the processor has left it, at the
 * instruction or, if it is a trap, behind it; an interrupt or NMI came between two.
 */
#ifndef KVM_SVM_EVENT_H
#define KVM_SVM_EVENT_H

#include <linux/kvm.h>
#include "debug_regs.h"
#include "hw/svm.h"
#include "task_switch.h"

#define SVM_VECTOR_BP	3
#define SVM_VECTOR_OF	4

/* INT n, or INT3 and INTO, which have the type of exceptions: no other use of their vectors has. */
static inline bool svm_event_is_soft(u32 info)
{
	u32 type = info & SVM_EV_TYPE;
	u8 vector = info & SVM_EV_VECTOR;

	return type == SVM_EV_TYPE_SOFT ||
	       (type == SVM_EV_TYPE_EXC && (vector == SVM_VECTOR_BP || vector == SVM_VECTOR_OF));
}

/*
 * A #DB while we step the guest for a reason of our own: is it of nobody else's, the
 * guest's or the debugger's, making? @control: of KVM_SET_GUEST_DEBUG. @dr6: as
 * the hardware left it; BS is there in any case.
 */
static inline bool svm_step_is_ours(bool guest_tf, u32 control, u64 dr6)
{
	return !guest_tf && !(control & KVM_GUESTDBG_SINGLESTEP) &&
	       !(dr6 & (X86_DR6_B | X86_DR6_BD));
}

/* @info1, @info2: EXITINFO. @event: EXITINTINFO. */
static inline struct x86_task_switch svm_decode_task_switch(u64 info1, u64 info2, u32 event)
{
	struct x86_task_switch ts = { .sel = info1, .skip_insn = true };

	if (info2 & SVM_TASK_IRET) {
		ts.reason = X86_TASK_IRET;
	} else if (info2 & SVM_TASK_JMP) {
		ts.reason = X86_TASK_JMP;
	} else if (!(event & SVM_EV_VALID)) {
		ts.reason = X86_TASK_CALL;
	} else {
		ts.reason = X86_TASK_GATE;
		ts.skip_insn = svm_event_is_soft(event);
		ts.has_error = info2 & SVM_TASK_HAS_ERROR;
		ts.error = ts.has_error ? (u32)info2 : 0;
	}
	return ts;
}

#endif
