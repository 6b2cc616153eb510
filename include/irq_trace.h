/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints of the pure interrupt chip models. These know nothing of vCPUs and so
 * cannot include trace.h; here they find just the static branch, and behind it
 * a function of x86/trace.c. In userspace nothing is left of it.
 *
 * irq_trace(EVENT, ...): emit kvm_EVENT. Any context.
 */
#ifndef KVM_IRQ_TRACE_H
#define KVM_IRQ_TRACE_H

#include "pure.h"

#ifdef __KERNEL__
#include <linux/tracepoint-defs.h>

DECLARE_TRACEPOINT(kvm_apic);
DECLARE_TRACEPOINT(kvm_apic_ipi);
DECLARE_TRACEPOINT(kvm_apic_accept_irq);
DECLARE_TRACEPOINT(kvm_apicv_accept_irq);
DECLARE_TRACEPOINT(kvm_eoi);

void irq_trace_apic(bool write, u32 reg, u64 val);
void irq_trace_apic_ipi(u32 icr_low, u32 dest);
void irq_trace_apic_accept_irq(u32 apic_id, u16 mode, bool level, u8 vector);
void irq_trace_apicv_accept_irq(u32 apic_id, u16 mode, bool level, u8 vector);
void irq_trace_eoi(u32 apic_id, int vector);

#define irq_trace(event, ...) \
	do { \
		if (tracepoint_enabled(kvm_##event)) \
			irq_trace_##event(__VA_ARGS__); \
	} while (0)
#else
#define irq_trace(event, ...) do { } while (0)
#endif

#endif
