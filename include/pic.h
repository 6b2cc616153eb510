/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The PC's pair of 8259A interrupt controllers as a pure device model.
 *
 * Nothing here takes a lock: the owner serialises every call on one pair (in
 * the kernel: the irqchip's pic lock). Callbacks run inside those calls.
 */
#ifndef KVM_PIC_H
#define KVM_PIC_H

#include "pure.h"
#include <linux/kvm.h>

#define PIC_NR_PINS	16
#define PIC_PORT_MASTER	0x20
#define PIC_PORT_SLAVE	0xa0
#define PIC_PORT_ELCR	0x4d0

struct pic_ops {
	/* INTR output changed. */
	void (*output)(void *owner, bool level);
	/* Bits of the mask registers changed; bit n = pin n. */
	void (*masks)(void *owner, u16 changed, u16 masks);
};

struct pic {
	const struct pic_ops *ops;
	void *owner;
	struct kvm_pic_state chip[2];	/* master, slave: also the migration format */
	u8 source[PIC_NR_PINS];		/* who asserts the pin: bitmap of source ids < 8 */
	u16 acked;			/* pins whose service ended since pic_take_acked() */
	bool output;
};

void pic_init(struct pic *pic, const struct pic_ops *ops, void *owner);
/* @port 0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1; others read as 0 and ignore writes. */
u8 pic_read(struct pic *pic, u16 port);
void pic_write(struct pic *pic, u16 port, u8 val);
/* One source raises or lowers a pin (0-15). -1 masked, 0 coalesced, 1 delivered or lowered. */
int pic_set_irq(struct pic *pic, unsigned int pin, unsigned int source, bool level);
/* Forget whatever @source asserts. */
void pic_clear_source(struct pic *pic, unsigned int source);
/* The INTA cycle: the vector. Never fails: a lost request is a spurious IRQ 7. */
u8 pic_ack(struct pic *pic);
/* Pins that got their EOI since the last call; the caller tells notifiers, unlocked. */
u16 pic_take_acked(struct pic *pic);
/* KVM_GET/SET_IRQCHIP; @slave picks the chip. -EINVAL changes nothing. */
void pic_get_state(const struct pic *pic, bool slave, struct kvm_pic_state *st);
int pic_set_state(struct pic *pic, bool slave, const struct kvm_pic_state *st);

#endif
