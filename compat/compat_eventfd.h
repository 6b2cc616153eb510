/* SPDX-License-Identifier: GPL-2.0 */
/*
 * linux/eventfd.h, linux/wait.h, linux/file.h: what irqfds and ioeventfds use.
 */
#ifndef COMPAT_EVENTFD_H
#define COMPAT_EVENTFD_H

#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/wait.h>

static inline void compat_eventfd_signal(struct eventfd_ctx *ctx)
{
#ifdef HAVE_EVENTFD_SIGNAL_NO_COUNT
	eventfd_signal(ctx);
#else
	eventfd_signal(ctx, 1);
#endif
}

/*
 * Wait at @wqh ahead of ordinary waiters, and alone consume wakeups. 0, or
 * -EBUSY if somebody else does already (kernels that can tell).
 */
static inline int compat_add_wait_queue_priority(struct wait_queue_head *wqh,
						 struct wait_queue_entry *wait)
{
#ifdef HAVE_WAIT_PRIORITY_EXCLUSIVE
	return add_wait_queue_priority_exclusive(wqh, wait);
#else
	add_wait_queue_priority(wqh, wait);
	return 0;
#endif
}

static inline struct file *compat_fd_file(struct fd f)
{
#ifdef HAVE_FD_FILE
	return fd_file(f);
#else
	return f.file;
#endif
}

#endif
