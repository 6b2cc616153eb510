/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The I/O APIC as a pure device model.
 *
 * Nothing here takes a lock: the owner serialises every call (in the kernel:
 * the irqchip's ioapic lock). The one exception is ioapic_handles_vector(),
 * which any context may ask at any time. Callbacks run inside the calls.
 */
#ifndef KVM_IOAPIC_H
#define KVM_IOAPIC_H

#include "pure.h"
#include <linux/kvm.h>
#include "irq_msg.h"

#define IOAPIC_NR_PINS		KVM_IOAPIC_NUM_PINS
#define IOAPIC_RTC_PIN		8
/* EOIs with the line still high before a pin is called stuck */
#define IOAPIC_STORM_EOIS	10000

struct ioapic_ops {
	/* Send to local APICs: <0 nobody took it, 0 all had it pending, >0 number reached. */
	int (*deliver)(void *owner, const struct lapic_irq *irq);
	/* Is the vector still requested or in service at a destination of @irq? */
	bool (*busy)(void *owner, const struct lapic_irq *irq);
	/* Call ioapic_retry() a short while from now (some 10 ms). */
	void (*retry_later)(void *owner);
	/* The mask bit of @pin changed. */
	void (*masked)(void *owner, unsigned int pin, bool masked);
	/* ioapic_handles_vector() answers otherwise than before. */
	void (*vectors)(void *owner);
};

struct ioapic {
	const struct ioapic_ops *ops;
	void *owner;
	u64 base;
	u32 select, id;
	u32 irr;			/* pins with a request: level of level pins, latch of edge pins */
	u64 rte[IOAPIC_NR_PINS];
	u8 source[IOAPIC_NR_PINS];	/* who asserts the pin: bitmap of source ids < 8 */
	u32 eois[IOAPIC_NR_PINS];	/* in a row with the line high */
	DECLARE_BITMAP(vectors, 256);	/* in any rte; read without lock */
};

/* Redirection table entry */
#define IOAPIC_RTE_VECTOR	0xffULL
#define IOAPIC_RTE_MODE		0x700ULL
#define IOAPIC_RTE_LOGICAL	(1ULL << 11)
#define IOAPIC_RTE_PENDING	(1ULL << 12)
#define IOAPIC_RTE_POLARITY	(1ULL << 13)
#define IOAPIC_RTE_REMOTE_IRR	(1ULL << 14)
#define IOAPIC_RTE_LEVEL	(1ULL << 15)
#define IOAPIC_RTE_MASKED	(1ULL << 16)
#define IOAPIC_RTE_DEST_SHIFT	56

void ioapic_init(struct ioapic *io, const struct ioapic_ops *ops, void *owner);
/* Registers at @off (0 .. 0xff) of the window, @len 1, 2, 4 or 8. */
void ioapic_read(struct ioapic *io, u32 off, int len, void *data);
void ioapic_write(struct ioapic *io, u32 off, int len, const void *data);
/*
 * One source raises or lowers a pin. -1 masked or nobody listens, 0 coalesced,
 * > 0 delivered or lowered. @want_status: the RTC's pin reports 0 and drops
 * the tick while the previous one is unserved, as lost-tick policies need.
 */
int ioapic_set_irq(struct ioapic *io, unsigned int pin, unsigned int source, bool level,
		   bool want_status);
void ioapic_clear_source(struct ioapic *io, unsigned int source);
/* Could an EOI of @vector concern a pin? Lock-free. */
bool ioapic_handles_vector(const struct ioapic *io, u8 vector);
/*
 * A local APIC's EOI in two steps, so that ack notifiers run without the lock
 * between them: first the pins concerned, then for each of them the end.
 */
u32 ioapic_eoi_pins(const struct ioapic *io, u8 vector);
void ioapic_eoi_finish(struct ioapic *io, unsigned int pin, u8 vector);
/* Deliver the level pins that wait: see retry_later(). */
void ioapic_retry(struct ioapic *io);
/* KVM_GET/SET_IRQCHIP. Set never fails: all bits are the guest's own business. */
void ioapic_get_state(const struct ioapic *io, struct kvm_ioapic_state *st);
void ioapic_set_state(struct ioapic *io, const struct kvm_ioapic_state *st);

#endif
