// SPDX-License-Identifier: GPL-2.0
/*
 * Message signalled interrupts: address and data to an interrupt message.
 *
 * The whole of MSI is this one decoding. The address carries the destination
 * (bits 19:12), the redirection hint (bit 3) and the destination mode (bit 2);
 * the data carries vector, delivery mode and trigger. An address outside of
 * 0xfeexxxxx is not refused: a split I/O APIC in userspace keeps its unused
 * pins as routes with address and data 0, and those only must do no harm.
 *
 * Eight bits of destination do not reach beyond 255 CPUs. With
 * KVM_X2APIC_API_USE_32BIT_IDS bits 31:8 of the upper address word extend it.
 * No state, no locks.
 */
#include "irq_msg.h"

void msi_decode(u32 addr_lo, u32 addr_hi, u32 data, bool ext_ids, struct lapic_irq *irq)
{
	*irq = (struct lapic_irq) {
		.dest = (addr_lo >> MSI_ADDR_DEST_SHIFT) & 0xff,
		.vector = data & MSI_DATA_VECTOR,
		.mode = data & MSI_DATA_MODE,
		.shorthand = LAPIC_SHORT_NONE,
		.logical = addr_lo & MSI_ADDR_LOGICAL,
		.redirect_hint = addr_lo & MSI_ADDR_REDIRECT,
		.level = data & MSI_DATA_LEVEL,
		.assert = true,
	};
	if (ext_ids)
		irq->dest |= addr_hi & 0xffffff00U;
}
