// SPDX-License-Identifier: GPL-2.0
/*
 * The local APIC timer: one-shot, periodic, TSC deadline.
 *
 * The bus clock is 1 GHz, so that one undivided tick is a nanosecond; guests
 * calibrate against it or are told by CPUID. The timer does not count: it is
 * the moment of the next expiry (target) and the length of a period. The
 * current count is computed when read.
 *
 * The host timer only sets the pending bit and kicks. All the rest happens in
 * the vCPU's thread, which is why nothing but that bit needs atomics. A
 * periodic timer is rearmed when its expiry is injected; periods that passed
 * meanwhile are skipped, as IRR could not have held them anyway, and the
 * phase is kept.
 *
 * A TSC deadline may expire a little early, so that the vCPU is back at its entry
 * when the moment comes and not only then on its way. The vector is in IRR by
 * then; timer.due holds the entry until the deadline.
 *
 * Before the guest changes or reads the timer, an expiry that is pending is
 * injected: on the real part the vector would be in IRR by then.
 */
#include "lapic.h"

static u32 lapic_timer_mode(const struct lapic *l)
{
	return lapic_reg(l, LAPIC_LVT_TIMER) & LAPIC_TIMER_MODE;
}

static bool lapic_timer_is_tsc(const struct lapic *l)
{
	return lapic_timer_mode(l) == LAPIC_TIMER_TSC;
}

/* Nanoseconds a tick: bits 3, 1, 0 of the divide register, 111 is 1. */
static u32 lapic_timer_divisor(u32 tdcr)
{
	u32 code = (tdcr & 3) | ((tdcr >> 1) & 4);

	return 1U << ((code + 1) & 7);
}

static u32 lapic_timer_tick_ns(const struct lapic *l)
{
	return lapic_timer_divisor(lapic_reg(l, LAPIC_TDCR));
}

void lapic_timer_stop(struct lapic *l)
{
	l->timer.target = 0;
	l->timer.tsc_deadline = 0;
	lapic_host_arm(l, U64_MAX);
	clear_bit(0, &l->timer.pending);
}

/* No guest may make the host take timer interrupts faster than it allows. */
static u64 lapic_timer_floor(struct lapic *l, u64 period)
{
	return max(period, lapic_host_min_period(l));
}

static void lapic_timer_start(struct lapic *l, u64 remaining)
{
	struct lapic_timer *t = &l->timer;

	t->period = (u64)lapic_reg(l, LAPIC_TMICT) * lapic_timer_tick_ns(l);
	if (lapic_timer_mode(l) == LAPIC_TIMER_PERIODIC)
		t->period = lapic_timer_floor(l, t->period);
	t->target = lapic_host_now(l) + remaining;
	lapic_host_arm(l, t->target);
}

void lapic_timer_write_initial(struct lapic *l, u32 val)
{
	if (lapic_timer_is_tsc(l))
		return;
	lapic_timer_inject(l);
	lapic_timer_stop(l);
	lapic_put_reg(l, LAPIC_TMICT, val);
	if (val)
		lapic_timer_start(l, (u64)val * lapic_timer_tick_ns(l));
}


/* Nanoseconds until zero; 0 if the timer stands still. */
static u64 lapic_timer_remaining(const struct lapic *l)
{
	const struct lapic_timer *t = &l->timer;
	u64 now, late;

	if (!t->target)
		return 0;
	now = lapic_host_now((struct lapic *)l);
	if (now < t->target)
		return t->target - now;
	if (lapic_timer_mode(l) != LAPIC_TIMER_PERIODIC)
		return 0;
	div64_u64_rem(now - t->target, t->period, &late);
	return t->period - late;
}

u32 lapic_timer_current(const struct lapic *l)
{
	if (lapic_timer_is_tsc(l))
		return 0;
	/* round up: a count of 0 means that it has expired */
	return div64_u64(lapic_timer_remaining(l) + lapic_timer_tick_ns(l) - 1,
			 lapic_timer_tick_ns(l));
}

void lapic_timer_write_divide(struct lapic *l, u32 val)
{
	u64 ticks;

	lapic_timer_inject(l);
	ticks = lapic_timer_current(l);
	lapic_put_reg(l, LAPIC_TDCR, val);
	if (l->timer.target)
		lapic_timer_start(l, ticks * lapic_timer_tick_ns(l));
}

void lapic_timer_write_lvt(struct lapic *l, u32 val)
{
	bool was_tsc = lapic_timer_is_tsc(l);

	lapic_timer_inject(l);
	lapic_put_reg(l, LAPIC_LVT_TIMER, val);
	if (lapic_timer_is_tsc(l) != was_tsc) {
		lapic_timer_stop(l);
		lapic_put_reg(l, LAPIC_TMICT, 0);
	} else if (l->timer.target && lapic_timer_mode(l) == LAPIC_TIMER_PERIODIC) {
		l->timer.period = lapic_timer_floor(l, l->timer.period);
	}
}

static void lapic_timer_arm_tsc(struct lapic *l)
{
	if (lapic_host_arm_tsc(l, l->timer.tsc_deadline))
		return;
	set_bit(0, &l->timer.pending);
	lapic_timer_inject(l);
}

void lapic_timer_write_tsc(struct lapic *l, u64 deadline)
{
	if (!lapic_timer_is_tsc(l) || !lapic_hw_enabled(l))
		return;
	lapic_timer_inject(l);
	lapic_timer_stop(l);
	l->timer.tsc_deadline = deadline;
	if (deadline)
		lapic_timer_arm_tsc(l);
}

u64 lapic_timer_read_tsc(struct lapic *l)
{
	if (!lapic_timer_is_tsc(l) || !lapic_hw_enabled(l))
		return 0;
	lapic_timer_inject(l);
	return l->timer.tsc_deadline;
}

void lapic_timer_restore(struct lapic *l, u32 remaining)
{
	u64 deadline = l->timer.tsc_deadline;

	lapic_timer_stop(l);
	if (lapic_timer_is_tsc(l)) {
		/* the MSR may have been restored before the registers */
		lapic_timer_write_tsc(l, deadline);
	} else if (lapic_reg(l, LAPIC_TMICT) && remaining) {
		lapic_timer_start(l, (u64)remaining * lapic_timer_tick_ns(l));
	}
}

void lapic_timer_rearm(struct lapic *l)
{
	if (lapic_timer_pending(l))
		return;
	if (l->timer.tsc_deadline)
		lapic_timer_arm_tsc(l);
	else if (l->timer.target)
		lapic_host_arm(l, l->timer.target);
}

void lapic_timer_expired(struct lapic *l)
{
	set_bit(0, &l->timer.pending);
	lapic_host_kick(l, LAPIC_KICK_TIMER);
}

static void lapic_timer_next_period(struct lapic *l)
{
	struct lapic_timer *t = &l->timer;
	u64 now = lapic_host_now(l);

	t->target += t->period;
	if (t->target <= now)
		t->target += (div64_u64(now - t->target, t->period) + 1) * t->period;
	lapic_host_arm(l, t->target);
}

void lapic_timer_inject(struct lapic *l)
{
	struct lapic_timer *t = &l->timer;

	if (!lapic_timer_pending(l) || !test_and_clear_bit(0, &t->pending))
		return;
	lapic_local_deliver(l, LAPIC_LVT_TIMER);
	if (t->tsc_deadline)
		t->due = t->tsc_deadline;
	t->tsc_deadline = 0;
	if (t->target && lapic_timer_mode(l) == LAPIC_TIMER_PERIODIC)
		lapic_timer_next_period(l);
	else
		t->target = 0;
}
