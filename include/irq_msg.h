/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One interrupt message on its way to local APICs: what an I/O APIC pin, an
 * MSI write or an ICR write becomes. Pure.
 */
#ifndef KVM_IRQ_MSG_H
#define KVM_IRQ_MSG_H

#include "pure.h"
#include "hw/apic_regs.h"

struct lapic_irq {
	u32 dest;		/* APIC id or logical destination */
	u32 mode;		/* LAPIC_MODE_* */
	u32 shorthand;		/* LAPIC_SHORT_* */
	u8 vector;
	bool logical;		/* dest is a logical destination */
	bool level;		/* level triggered */
	bool assert;
	bool wide;		/* sent through an x2APIC ICR: dest has 32 bits */
	bool redirect_hint;	/* MSI: deliver to one CPU of the set */
};

static inline bool lapic_irq_is_lowest(const struct lapic_irq *irq)
{
	return irq->mode == LAPIC_MODE_LOWEST || irq->redirect_hint;
}

/*
 * Decode an MSI. @ext_ids: userspace enabled 32-bit ids, so bits 31:8 of
 * @addr_hi are bits 31:8 of the destination. Any context.
 */
void msi_decode(u32 addr_lo, u32 addr_hi, u32 data, bool ext_ids, struct lapic_irq *irq);

#endif
