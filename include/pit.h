/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The 8254 interval timer and the speaker port as a pure device model.
 *
 * The owner serialises every call on one PIT (in the kernel: the pit's mutex).
 * Time is whatever now() says, in nanoseconds, and never goes back.
 */
#ifndef KVM_PIT_H
#define KVM_PIT_H

#include "pure.h"
#include <linux/kvm.h>

#define PIT_HZ			1193182
#define PIT_PORT_BASE		0x40
#define PIT_PORT_SPEAKER	0x61

struct pit_ops {
	u64 (*now)(void *owner);
	/*
	 * Call pit_tick() at @first, and every @period ns from there on unless it
	 * is 0. Replaces what was armed before; @first U64_MAX only cancels.
	 */
	void (*arm)(void *owner, u64 first, u64 period);
	/* Pulse IRQ 0: up and down. */
	void (*pulse)(void *owner);
};

struct pit {
	const struct pit_ops *ops;
	void *owner;
	struct kvm_pit_channel_state chan[3];
	u32 flags;		/* KVM_PIT_FLAGS_* */
	bool reinject;		/* queue ticks until the guest has served them */
	bool in_flight;		/* reinject: a tick waits for its EOI */
	u32 missed;		/* reinject: ticks that wait to be sent */
};

void pit_init(struct pit *pit, const struct pit_ops *ops, void *owner);
/* @port 0x40 .. 0x43. */
u8 pit_read(struct pit *pit, u16 port);
void pit_write(struct pit *pit, u16 port, u8 val);
/* Port 0x61: gate and output of channel 2, speaker data, refresh toggle. */
u8 pit_speaker_read(struct pit *pit);
void pit_speaker_write(struct pit *pit, u8 val);
/* The armed time has come @n times. */
void pit_tick(struct pit *pit, u32 n);
/* The guest served IRQ 0. */
void pit_acked(struct pit *pit);
/* Forget queued ticks: the guest unmasked IRQ 0, or the mode changed. */
void pit_reset_reinject(struct pit *pit);
void pit_set_reinject(struct pit *pit, bool on);
void pit_get_state(const struct pit *pit, struct kvm_pit_state2 *st);
/* -EINVAL changes nothing. */
int pit_set_state(struct pit *pit, const struct kvm_pit_state2 *st);

#endif
