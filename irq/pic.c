// SPDX-License-Identifier: GPL-2.0
/*
 * Two 8259A interrupt controllers, cascaded the PC way, with the EISA edge or
 * level control registers.
 *
 * Each chip is struct kvm_pic_state, which is also what userspace saves: every
 * register the part has is in it, so a round trip loses nothing but which
 * source holds a line (the pin's state itself is in irr and last_irr).
 *
 * A pin is driven by several sources (userspace, resampling irqfds, the PIT)
 * and is high while any of them holds it. In edge mode a rising pin latches a
 * bit in irr that lives until the INTA cycle: drivers pulse the line, so the
 * request may not vanish with it as on the real part. In level mode irr
 * follows the pin.
 *
 * Priority is a number, 0 the highest: chip input priority_add has it. A
 * request gets through if it beats the best input in service.
 *
 * The cascade is not an ordinary pin: bit 2 of the master's irr simply equals
 * "the slave has something to deliver". So a slave request which is masked or
 * withdrawn disappears from the master too, and nothing needs to be replayed.
 *
 * An input's service ends when its isr bit goes away: by an EOI, at once with
 * automatic EOI, or by reinitialisation. Those pins are collected in acked;
 * the owner fetches them and tells ack notifiers after it dropped its lock,
 * since a notifier may well lower or raise a pin again.
 */
#include "pic.h"

#define PIC_CASCADE	2
#define PIC_NONE	8	/* priority of "no input" */
#define PIC_SPURIOUS	7

/* Inputs whose trigger mode the board can change: not timer, keyboard, cascade; not RTC, FPU */
static const u8 pic_elcr_mask[2] = { 0xf8, 0xde };

static u16 pic_masks(const struct pic *pic)
{
	return pic->chip[0].imr | pic->chip[1].imr << 8;
}

/* The best priority in @inputs. */
static unsigned int pic_priority(const struct kvm_pic_state *s, u8 inputs)
{
	unsigned int prio = 0;

	if (!inputs)
		return PIC_NONE;
	while (!(inputs & BIT((prio + s->priority_add) & 7)))
		prio++;
	return prio;
}

static unsigned int pic_input(const struct kvm_pic_state *s, unsigned int prio)
{
	return (prio + s->priority_add) & 7;
}

/* The input this chip would deliver now, or -1. */
static int pic_pending(const struct pic *pic, int c)
{
	const struct kvm_pic_state *s = &pic->chip[c];
	unsigned int prio = pic_priority(s, s->irr & ~s->imr);
	u8 in_service = s->isr;

	if (prio == PIC_NONE || s->init_state)
		return -1;
	if (s->special_mask)
		in_service &= ~s->imr;
	/* the slave may interrupt itself: the master must not block it */
	if (s->special_fully_nested_mode && c == 0)
		in_service &= ~BIT(PIC_CASCADE);
	if (prio >= pic_priority(s, in_service))
		return -1;
	return pic_input(s, prio);
}

static void pic_update(struct pic *pic)
{
	struct kvm_pic_state *m = &pic->chip[0];
	bool output;

	if (pic_pending(pic, 1) >= 0)
		m->irr |= BIT(PIC_CASCADE);
	else
		m->irr &= ~BIT(PIC_CASCADE);

	output = pic_pending(pic, 0) >= 0;
	if (output != pic->output) {
		pic->output = output;
		pic->ops->output(pic->owner, output);
	}
}

static void pic_end_service(struct pic *pic, int c, u8 inputs)
{
	struct kvm_pic_state *s = &pic->chip[c];

	pic->acked |= (s->isr & inputs) << (c * 8);
	s->isr &= ~inputs;
}

/* What the chip does in the INTA cycle for @input. */
static void pic_take(struct pic *pic, int c, unsigned int input)
{
	struct kvm_pic_state *s = &pic->chip[c];

	s->isr |= BIT(input);
	if (!(s->elcr & BIT(input)))
		s->irr &= ~BIT(input);
	if (!s->auto_eoi)
		return;
	if (s->rotate_on_auto_eoi)
		s->priority_add = (input + 1) & 7;
	pic_end_service(pic, c, BIT(input));
}

/* Result as pic_set_irq(). */
static int pic_drive(struct kvm_pic_state *s, u8 bit, bool level)
{
	bool edge = !(s->elcr & bit);
	int ret = 1;

	if (level) {
		if (!edge || !(s->last_irr & bit)) {
			ret = !(s->irr & bit);
			s->irr |= bit;
		} else {
			ret = 0;
		}
		s->last_irr |= bit;
	} else {
		if (!edge)
			s->irr &= ~bit;
		s->last_irr &= ~bit;
	}
	return (s->imr & bit) ? -1 : ret;
}

/* ICW1. Level triggered inputs keep their request, the line is still there. */
static void pic_restart(struct pic *pic, int c, u8 icw1)
{
	struct kvm_pic_state *s = &pic->chip[c];

	pic_end_service(pic, c, 0xff);
	s->irr &= s->elcr;
	s->last_irr &= s->elcr;
	s->imr = 0;
	s->priority_add = 0;
	s->irq_base = 0;
	s->read_reg_select = 0;
	s->poll = 0;
	s->special_mask = 0;
	s->auto_eoi = 0;
	s->rotate_on_auto_eoi = 0;
	s->special_fully_nested_mode = 0;
	s->init4 = icw1 & 1;
	s->init_state = 1;
}

/* OCW2: end of interrupt and rotation. */
static void pic_ocw2(struct pic *pic, int c, u8 val)
{
	struct kvm_pic_state *s = &pic->chip[c];
	bool rotate = val & 0x80, specific = val & 0x40, eoi = val & 0x20;
	unsigned int input = val & 7;
	u8 in_service = s->isr;

	if (!specific && !eoi) {
		s->rotate_on_auto_eoi = rotate;
		return;
	}
	if (specific && !eoi) {
		if (rotate)
			s->priority_add = (input + 1) & 7;
		return;
	}
	if (!specific) {
		unsigned int prio;

		if (s->special_mask)
			in_service &= ~s->imr;
		prio = pic_priority(s, in_service);
		if (prio == PIC_NONE)
			return;
		input = pic_input(s, prio);
	}
	pic_end_service(pic, c, BIT(input));
	if (rotate)
		s->priority_add = (input + 1) & 7;
}

static void pic_ocw3(struct kvm_pic_state *s, u8 val)
{
	if (val & 0x04)
		s->poll = 1;
	if (val & 0x02)
		s->read_reg_select = val & 1;
	if (val & 0x40)
		s->special_mask = (val >> 5) & 1;
}

static void pic_command(struct pic *pic, int c, u8 val)
{
	if (val & 0x10)
		pic_restart(pic, c, val);
	else if (val & 0x08)
		pic_ocw3(&pic->chip[c], val);
	else
		pic_ocw2(pic, c, val);
}

/* The odd port: ICW2 to ICW4 while initialising, else the mask. */
static void pic_data(struct kvm_pic_state *s, u8 val)
{
	switch (s->init_state) {
	case 0:
		s->imr = val;
		break;
	case 1:
		s->irq_base = val & 0xf8;
		s->init_state = 2;
		break;
	case 2:		/* the wiring of the cascade is fixed */
		s->init_state = s->init4 ? 3 : 0;
		break;
	case 3:
		s->special_fully_nested_mode = (val >> 4) & 1;
		s->auto_eoi = (val >> 1) & 1;
		s->init_state = 0;
		break;
	}
}

static u8 pic_poll(struct pic *pic, int c)
{
	int input = pic_pending(pic, c);

	pic->chip[c].poll = 0;
	if (input < 0)
		return PIC_SPURIOUS;
	pic_take(pic, c, input);
	return 0x80 | input;
}

static u8 pic_read_chip(struct pic *pic, int c, bool odd)
{
	struct kvm_pic_state *s = &pic->chip[c];
	u8 val;

	if (s->poll) {
		val = pic_poll(pic, c);
		pic_update(pic);
		return val;
	}
	if (odd)
		return s->imr;
	return s->read_reg_select ? s->isr : s->irr;
}

static void pic_write_chip(struct pic *pic, int c, bool odd, u8 val)
{
	u16 before = pic_masks(pic);

	if (odd)
		pic_data(&pic->chip[c], val);
	else
		pic_command(pic, c, val);
	pic_update(pic);
	if (before != pic_masks(pic))
		pic->ops->masks(pic->owner, before ^ pic_masks(pic), pic_masks(pic));
}

u8 pic_read(struct pic *pic, u16 port)
{
	switch (port) {
	case PIC_PORT_MASTER:
	case PIC_PORT_MASTER + 1:
		return pic_read_chip(pic, 0, port & 1);
	case PIC_PORT_SLAVE:
	case PIC_PORT_SLAVE + 1:
		return pic_read_chip(pic, 1, port & 1);
	case PIC_PORT_ELCR:
	case PIC_PORT_ELCR + 1:
		return pic->chip[port & 1].elcr;
	}
	return 0;
}

void pic_write(struct pic *pic, u16 port, u8 val)
{
	switch (port) {
	case PIC_PORT_MASTER:
	case PIC_PORT_MASTER + 1:
		pic_write_chip(pic, 0, port & 1, val);
		break;
	case PIC_PORT_SLAVE:
	case PIC_PORT_SLAVE + 1:
		pic_write_chip(pic, 1, port & 1, val);
		break;
	case PIC_PORT_ELCR:
	case PIC_PORT_ELCR + 1:
		pic->chip[port & 1].elcr = val & pic_elcr_mask[port & 1];
		break;
	}
}

int pic_set_irq(struct pic *pic, unsigned int pin, unsigned int source, bool level)
{
	int ret;

	if (WARN_ON_ONCE(pin >= PIC_NR_PINS || source >= 8))
		return -1;
	if (level)
		pic->source[pin] |= BIT(source);
	else
		pic->source[pin] &= ~BIT(source);

	ret = pic_drive(&pic->chip[pin >> 3], BIT(pin & 7), pic->source[pin]);
	pic_update(pic);
	return ret;
}

void pic_clear_source(struct pic *pic, unsigned int source)
{
	unsigned int pin;

	for (pin = 0; pin < PIC_NR_PINS; pin++)
		if (pic->source[pin] & BIT(source))
			pic_set_irq(pic, pin, source, false);
}

u8 pic_ack(struct pic *pic)
{
	int input = pic_pending(pic, 0), c = 0;
	u8 vector;

	if (input >= 0)
		pic_take(pic, 0, input);
	else
		input = PIC_SPURIOUS;
	if (input == PIC_CASCADE) {
		c = 1;
		input = pic_pending(pic, 1);
		if (input >= 0)
			pic_take(pic, 1, input);
		else
			input = PIC_SPURIOUS;
	}
	vector = pic->chip[c].irq_base + input;
	pic_update(pic);
	return vector;
}

u16 pic_take_acked(struct pic *pic)
{
	u16 acked = pic->acked & ~BIT(PIC_CASCADE);

	pic->acked = 0;
	return acked;
}

void pic_get_state(const struct pic *pic, bool slave, struct kvm_pic_state *st)
{
	*st = pic->chip[slave];
}

int pic_set_state(struct pic *pic, bool slave, const struct kvm_pic_state *st)
{
	struct kvm_pic_state *s = &pic->chip[slave];

	if (st->init_state > 3)
		return -EINVAL;
	*s = *st;
	s->priority_add &= 7;
	s->elcr_mask = pic_elcr_mask[slave];
	s->elcr &= s->elcr_mask;
	memset(&pic->source[slave * 8], 0, 8);
	pic_update(pic);
	return 0;
}

void pic_init(struct pic *pic, const struct pic_ops *ops, void *owner)
{
	int c;

	memset(pic, 0, sizeof(*pic));
	pic->ops = ops;
	pic->owner = owner;
	for (c = 0; c < 2; c++)
		pic->chip[c].elcr_mask = pic_elcr_mask[c];
}
