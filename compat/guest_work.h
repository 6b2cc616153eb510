/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Work that the task must do before it runs user code, found before it enters
 * a guest: reschedule, signals, notifications (rseq, memcg, task work).
 *
 * Until 6.18 or so the kernel's helper for this takes a struct kvm_vcpu and
 * writes into it when a signal is pending, at the offsets of its *own*
 * hypervisor's struct. Ours is laid out differently, so the helper must not
 * be called there. What user-mode return does besides scheduling and signals
 * is not exported; instead KVM_RUN returns to user mode in a way that the
 * program can't see: TIF_NOTIFY_SIGNAL without a signal runs the work and then
 * restarts the system call. Should a signal arrive on the way out and its
 * handler run, the program does see EINTR: many kick a vCPU in that way.
 */
#ifndef COMPAT_GUEST_WORK_H
#define COMPAT_GUEST_WORK_H

#include <linux/sched/signal.h>

#ifdef HAVE_ENTRY_VIRT_H
#include <linux/entry-virt.h>

static inline bool compat_guest_work_pending(void)
{
	return __xfer_to_guest_mode_work_pending();
}

/* 0, or -EINTR. Preemptible. */
static inline int compat_guest_work(void)
{
	return xfer_to_guest_mode_handle_work();
}

static inline void compat_guest_work_prepare(void)
{
	xfer_to_guest_mode_prepare();
}

#else
#include <linux/entry-kvm.h>

static inline bool compat_guest_work_pending(void)
{
	return __xfer_to_guest_mode_work_pending();
}

/* 0, -EINTR for a signal, -ERESTARTNOHAND for anything else. Preemptible. */
static inline int compat_guest_work(void)
{
	do {
		if (task_sigpending(current))
			return -EINTR;
		if (need_resched()) {
			schedule();
			continue;	/* much may have happened */
		}
		if (test_thread_flag(TIF_NOTIFY_RESUME) || test_thread_flag(TIF_NOTIFY_SIGNAL)) {
			set_thread_flag(TIF_NOTIFY_SIGNAL);
			return -ERESTARTNOHAND;
		}
	} while (compat_guest_work_pending());
	return 0;
}

static inline void compat_guest_work_prepare(void)
{
	xfer_to_guest_mode_prepare();
}
#endif
#endif
