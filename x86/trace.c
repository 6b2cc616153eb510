// SPDX-License-Identifier: GPL-2.0
/*
 * The one place where the tracepoints of trace.h get their bodies.
 */
#include <linux/module.h>
#include "irq_trace.h"
#include "vcpu.h"
#include "x86.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

/* The vendor modules' entry and exit paths emit these. */
EXPORT_TRACEPOINT_SYMBOL_GPL(kvm_exit);
EXPORT_TRACEPOINT_SYMBOL_GPL(kvm_page_fault);
EXPORT_TRACEPOINT_SYMBOL_GPL(kvm_inj_virq);
EXPORT_TRACEPOINT_SYMBOL_GPL(kvm_cr);

/* ---- on behalf of the pure chip models (irq_trace.h) ---- */

void irq_trace_apic(bool write, u32 reg, u64 val)
{
	trace_kvm_apic(write, reg, val);
}

void irq_trace_apic_ipi(u32 icr_low, u32 dest)
{
	trace_kvm_apic_ipi(icr_low, dest);
}

void irq_trace_apic_accept_irq(u32 apic_id, u16 mode, bool level, u8 vector)
{
	trace_kvm_apic_accept_irq(apic_id, mode, level, vector);
}

void irq_trace_apicv_accept_irq(u32 apic_id, u16 mode, bool level, u8 vector)
{
	trace_kvm_apicv_accept_irq(apic_id, mode, level, vector);
}

void irq_trace_eoi(u32 apic_id, int vector)
{
	trace_kvm_eoi(apic_id, vector);
}
