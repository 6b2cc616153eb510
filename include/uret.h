/* SPDX-License-Identifier: GPL-2.0 */
/*
 * MSRs that only user mode looks at: the guest's value may stay in the CPU while
 * the kernel runs, and the host's is put back when the CPU returns to user mode.
 */
#ifndef KVM_URET_H
#define KVM_URET_H

#include <linux/types.h>

/* Slot for @msr, or -EOPNOTSUPP if this CPU has not got it, -ENOSPC. Module init, single-threaded. */
int x86_uret_add(u32 msr);
/* Forget all slots. Module exit, no CPU has one loaded. */
void x86_uret_clear(void);
/* Load the guest's value on this CPU. Preemption off. */
void x86_uret_set(int slot, u64 val);
/* Put the host's values back now. This CPU, preemption off. */
void x86_uret_cpu_off(void);

#endif
