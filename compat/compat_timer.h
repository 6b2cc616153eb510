/* SPDX-License-Identifier: GPL-2.0 */
/*
 * linux/hrtimer.h: how a timer gets its callback.
 */
#ifndef COMPAT_TIMER_H
#define COMPAT_TIMER_H

#include <linux/hrtimer.h>

static inline void compat_hrtimer_setup(struct hrtimer *timer,
					enum hrtimer_restart (*fn)(struct hrtimer *),
					clockid_t clock, enum hrtimer_mode mode)
{
#ifdef HAVE_HRTIMER_SETUP
	hrtimer_setup(timer, fn, clock, mode);
#else
	hrtimer_init(timer, clock, mode);
	timer->function = fn;
#endif
}

#endif
