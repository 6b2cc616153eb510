/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a vendor makes of a task switch exit, and x86_task_switch() carries out.
 * Pure.
 */
#ifndef KVM_TASK_SWITCH_H
#define KVM_TASK_SWITCH_H

#include "pure.h"

enum x86_task_reason { X86_TASK_CALL, X86_TASK_IRET, X86_TASK_JMP, X86_TASK_GATE };

struct x86_task_switch {
	u16 sel;			/* of the new TSS */
	enum x86_task_reason reason;
	bool skip_insn;			/* the old task continues behind the instruction at RIP */
	bool has_error;			/* pushed on the new task's stack */
	u32 error;
};

#endif
