// SPDX-License-Identifier: GPL-2.0
/*
 * The 8254: three counters at 1.193182 MHz, and port 0x61 beside it.
 *
 * Nothing counts here. A channel is the value it was loaded with and the time
 * of that; its present count and output are computed from the clock when
 * somebody looks. Only channel 0 needs the world: its output is IRQ 0, so
 * loading it arms the owner's timer. Channel state is what userspace saves
 * (struct kvm_pit_channel_state); load times are absolute, on the owner's
 * clock.
 *
 * Modes: 0 and 1 count down once, 2 and 3 over and over, 4 and 5 strobe once.
 * Gates of channels 0 and 1 are tied high; channel 2's is bit 0 of port 0x61.
 * The mode numbers 6 and 7 are 2 and 3. BCD counting is stored, not done: no
 * system uses it.
 *
 * A busy host delivers ticks late and in bunches. With reinject on (the
 * default) ticks that fall due before the guest has served the last one are
 * counted and sent one by one as it serves them, since old systems keep time
 * by counting them. With it off each tick is sent as it comes and may
 * coalesce. While the timer interrupt is masked nobody serves it; so
 * unmasking starts afresh.
 */
#include "pit.h"

#define PIT_NS_PER_SEC	1000000000U

/* How a counter is read and written: bits 5:4 of the control word. */
enum pit_access { PIT_LATCH, PIT_LSB, PIT_MSB, PIT_WORD };

/* Steps of a two-byte access (read_state, write_state). */
enum pit_step {
	PIT_STEP_LSB = 1,
	PIT_STEP_MSB,
	PIT_STEP_WORD0,		/* low byte next, then */
	PIT_STEP_WORD1,		/* high byte */
};

static u64 pit_now(const struct pit *pit)
{
	return pit->ops->now(pit->owner);
}

static u64 pit_ticks_to_ns(u64 ticks)
{
	return mul_u64_u32_div(ticks, PIT_NS_PER_SEC, PIT_HZ);
}

/*
 * Nanoseconds since the load. A load time may be negative: it came from a
 * machine that had been up for longer.
 */
static u64 pit_age(const struct pit *pit, const struct kvm_pit_channel_state *c)
{
	s64 ns = (s64)(pit_now(pit) - (u64)c->count_load_time);

	return ns > 0 ? ns : 0;
}

/* Counter clocks since the load. */
static u64 pit_elapsed(const struct pit *pit, const struct kvm_pit_channel_state *c)
{
	return mul_u64_u32_div(pit_age(pit, c), PIT_HZ, PIT_NS_PER_SEC);
}

static u32 pit_divide(u64 clocks, u32 count)
{
	u32 rem;

	div_u64_rem(clocks, count, &rem);
	return rem;
}

static u16 pit_count(const struct pit *pit, const struct kvm_pit_channel_state *c)
{
	u64 d = pit_elapsed(pit, c);

	switch (c->mode) {
	case 2:
		return c->count - pit_divide(d, c->count);
	case 3:		/* counts down by two, twice a period */
		return c->count - pit_divide(2 * d, c->count);
	default:
		return c->count - d;
	}
}

static bool pit_output(const struct pit *pit, const struct kvm_pit_channel_state *c)
{
	u64 d = pit_elapsed(pit, c);

	switch (c->mode) {
	case 0:
		return d >= c->count;
	case 1:
		return d >= c->count;
	case 2:
		return pit_divide(d, c->count) != c->count - 1;
	case 3:
		return pit_divide(d, c->count) < (c->count + 1) / 2;
	default:
		return d != c->count;
	}
}

static bool pit_is_periodic(const struct kvm_pit_channel_state *c)
{
	return c->mode == 2 || c->mode == 3;
}

/*
 * Arm channel 0's next event after now, in step with its load time. Modes 1
 * and 5 wait for a gate edge that never comes.
 */
static void pit_arm(struct pit *pit)
{
	const struct kvm_pit_channel_state *c = &pit->chan[0];
	u64 period = pit_ticks_to_ns(c->count), age = pit_age(pit, c);
	u64 load = c->count_load_time, first;

	if ((pit->flags & KVM_PIT_FLAGS_HPET_LEGACY) || c->mode == 1 || c->mode == 5) {
		pit->ops->arm(pit->owner, U64_MAX, 0);
		return;
	}
	if (pit_is_periodic(c)) {
		first = (div64_u64(age, period) + 1) * period;
		pit->ops->arm(pit->owner, load + first, period);
	} else if (age < period) {
		pit->ops->arm(pit->owner, load + period, 0);
	} else {
		pit->ops->arm(pit->owner, U64_MAX, 0);
	}
}

static void pit_load(struct pit *pit, int n, u32 count)
{
	struct kvm_pit_channel_state *c = &pit->chan[n];

	c->count = count ? count : 0x10000;
	c->count_load_time = pit_now(pit);
	if (n == 0) {
		pit_reset_reinject(pit);
		pit_arm(pit);
	}
}

static void pit_set_gate(struct pit *pit, int n, bool gate)
{
	struct kvm_pit_channel_state *c = &pit->chan[n];

	/* a rising gate restarts all but the modes where it only enables */
	if (gate && !c->gate && c->mode != 0 && c->mode != 4)
		c->count_load_time = pit_now(pit);
	c->gate = gate;
}

static void pit_latch_count(struct pit *pit, struct kvm_pit_channel_state *c)
{
	if (c->count_latched)
		return;
	c->latched_count = pit_count(pit, c);
	c->count_latched = c->rw_mode;
}

static void pit_latch_status(struct pit *pit, struct kvm_pit_channel_state *c)
{
	if (c->status_latched)
		return;
	/* bit 6, "null count", is never set: a load takes effect at once */
	c->status = pit_output(pit, c) << 7 | c->rw_mode << 4 | c->mode << 1 | c->bcd;
	c->status_latched = 1;
}

static void pit_read_back(struct pit *pit, u8 val)
{
	int n;

	for (n = 0; n < 3; n++) {
		if (!(val & (2 << n)))
			continue;
		if (!(val & 0x20))
			pit_latch_count(pit, &pit->chan[n]);
		if (!(val & 0x10))
			pit_latch_status(pit, &pit->chan[n]);
	}
}

static void pit_control(struct pit *pit, u8 val)
{
	unsigned int n = val >> 6, access = (val >> 4) & 3;
	struct kvm_pit_channel_state *c;

	if (n == 3) {
		pit_read_back(pit, val);
		return;
	}
	c = &pit->chan[array_index_nospec(n, 3)];
	if (access == PIT_LATCH) {
		pit_latch_count(pit, c);
		return;
	}
	c->rw_mode = access;
	c->read_state = access;
	c->write_state = access;
	c->mode = (val >> 1) & 7;
	if (c->mode > 5)
		c->mode -= 4;
	c->bcd = val & 1;
	/* counting stops until a count is written */
	if (n == 0)
		pit->ops->arm(pit->owner, U64_MAX, 0);
}

static u8 pit_read_latched(struct kvm_pit_channel_state *c)
{
	switch (c->count_latched) {
	case PIT_LSB:
		c->count_latched = 0;
		return c->latched_count;
	case PIT_MSB:
		c->count_latched = 0;
		return c->latched_count >> 8;
	default:	/* low byte now, high byte next time */
		c->count_latched = PIT_MSB;
		return c->latched_count;
	}
}

static u8 pit_read_count(struct pit *pit, struct kvm_pit_channel_state *c)
{
	u16 count = pit_count(pit, c);

	switch (c->read_state) {
	case PIT_STEP_MSB:
		return count >> 8;
	case PIT_STEP_WORD0:
		c->read_state = PIT_STEP_WORD1;
		return count;
	case PIT_STEP_WORD1:
		c->read_state = PIT_STEP_WORD0;
		return count >> 8;
	default:
		return count;
	}
}

static void pit_write_count(struct pit *pit, int n, u8 val)
{
	struct kvm_pit_channel_state *c = &pit->chan[n];

	switch (c->write_state) {
	case PIT_STEP_MSB:
		pit_load(pit, n, val << 8);
		break;
	case PIT_STEP_WORD0:
		c->write_latch = val;
		c->write_state = PIT_STEP_WORD1;
		break;
	case PIT_STEP_WORD1:
		c->write_state = PIT_STEP_WORD0;
		pit_load(pit, n, c->write_latch | val << 8);
		break;
	default:
		pit_load(pit, n, val);
	}
}

u8 pit_read(struct pit *pit, u16 port)
{
	struct kvm_pit_channel_state *c;
	unsigned int n = port & 3;

	if (n == 3)
		return 0;
	c = &pit->chan[array_index_nospec(n, 3)];
	if (c->status_latched) {
		c->status_latched = 0;
		return c->status;
	}
	if (c->count_latched)
		return pit_read_latched(c);
	return pit_read_count(pit, c);
}

void pit_write(struct pit *pit, u16 port, u8 val)
{
	unsigned int n = port & 3;

	if (n == 3)
		pit_control(pit, val);
	else
		pit_write_count(pit, array_index_nospec(n, 3), val);
}

u8 pit_speaker_read(struct pit *pit)
{
	/* the refresh request toggles every 15 us or so; loops wait for it */
	u8 refresh = (pit_now(pit) >> 14) & 1;

	return (pit->chan[2].gate ? 0x01 : 0) |
	       (pit->flags & KVM_PIT_FLAGS_SPEAKER_DATA_ON ? 0x02 : 0) |
	       refresh << 4 | pit_output(pit, &pit->chan[2]) << 5;
}

void pit_speaker_write(struct pit *pit, u8 val)
{
	if (val & 0x02)
		pit->flags |= KVM_PIT_FLAGS_SPEAKER_DATA_ON;
	else
		pit->flags &= ~KVM_PIT_FLAGS_SPEAKER_DATA_ON;
	pit_set_gate(pit, 2, val & 0x01);
}

static void pit_send(struct pit *pit)
{
	/* in flight first: the pulse may be served before it returns */
	pit->in_flight = true;
	pit->ops->pulse(pit->owner);
}

void pit_tick(struct pit *pit, u32 n)
{
	if (!n)
		return;
	if (!pit->reinject) {
		pit->ops->pulse(pit->owner);
		return;
	}
	pit->missed = min(pit->missed + n, (u32)S32_MAX);
	if (!pit->in_flight) {
		pit->missed--;
		pit_send(pit);
	}
}

void pit_acked(struct pit *pit)
{
	pit->in_flight = false;
	if (!pit->reinject || !pit->missed)
		return;
	pit->missed--;
	pit_send(pit);
}

void pit_reset_reinject(struct pit *pit)
{
	pit->missed = 0;
	pit->in_flight = false;
}

void pit_set_reinject(struct pit *pit, bool on)
{
	pit->reinject = on;
	pit_reset_reinject(pit);
}

void pit_get_state(const struct pit *pit, struct kvm_pit_state2 *st)
{
	memset(st, 0, sizeof(*st));
	memcpy(st->channels, pit->chan, sizeof(st->channels));
	st->flags = pit->flags;
}

int pit_set_state(struct pit *pit, const struct kvm_pit_state2 *st)
{
	s64 now = pit_now(pit);
	int n;

	for (n = 0; n < 3; n++)
		if (st->channels[n].count > 0x10000 || st->channels[n].mode > 7)
			return -EINVAL;
	for (n = 0; n < 3; n++) {
		struct kvm_pit_channel_state *c = &pit->chan[n];

		*c = st->channels[n];
		if (!c->count)
			c->count = 0x10000;
		if (c->mode > 5)
			c->mode -= 4;
		c->rw_mode &= 3;
		c->bcd &= 1;
		/* a clock of another machine that is ahead of ours, or nonsense */
		if (c->count_load_time > now || c->count_load_time < now - (1LL << 62))
			c->count_load_time = now;
	}
	pit->flags = st->flags & (KVM_PIT_FLAGS_HPET_LEGACY | KVM_PIT_FLAGS_SPEAKER_DATA_ON);
	pit_reset_reinject(pit);
	pit_arm(pit);
	return 0;
}

void pit_init(struct pit *pit, const struct pit_ops *ops, void *owner)
{
	int n;

	memset(pit, 0, sizeof(*pit));
	pit->ops = ops;
	pit->owner = owner;
	pit->reinject = true;
	for (n = 0; n < 3; n++) {
		struct kvm_pit_channel_state *c = &pit->chan[n];

		/* nothing defines the state at power-up; this is what firmware leaves */
		c->mode = 3;
		c->rw_mode = PIT_WORD;
		c->read_state = PIT_STEP_WORD0;
		c->write_state = PIT_STEP_WORD0;
		c->gate = n != 2;
		c->count = 0x10000;
		c->count_load_time = pit_now(pit);
	}
}
