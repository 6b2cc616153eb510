// SPDX-License-Identifier: GPL-2.0
/*
 * User-return MSRs: restored at the return to user mode, not at every exit.
 *
 * The kernel does not use TSC_AUX (RDTSCP gives it to user mode), so between two
 * entries of the same guest it may keep the guest's value. The host's values are
 * read once after a CPU was switched on: nobody writes them while it runs. The
 * first write of a guest value that differs registers a notifier that the kernel
 * calls on this CPU's way to user mode, whichever task that is; the notifier
 * restores all slots and unregisters itself. So a slot that is not registered
 * holds the host's value, and a guest that wants the same costs nothing.
 *
 * All state is per CPU. x86_uret_set() runs with preemption off, the notifier
 * with interrupts off; hardware_disable may come by IPI in between, so
 * each of them closes interrupts around its changes.
 */
#include <linux/export.h>
#include <linux/percpu.h>
#include <linux/user-return-notifier.h>
#include "compat_virt.h"
#include "uret.h"

#define URET_SLOTS	8

static u32 uret_msrs[URET_SLOTS];	/* constant after module init */
static int uret_nr;

struct uret_cpu {
	struct user_return_notifier urn;
	bool known;		/* host[] was read since this CPU was switched on */
	bool registered;
	u64 host[URET_SLOTS], now[URET_SLOTS];
};

static DEFINE_PER_CPU(struct uret_cpu, uret_cpus);

static void uret_restore(struct uret_cpu *u)
{
	int i;

	u->registered = false;
	user_return_notifier_unregister(&u->urn);
	for (i = 0; i < uret_nr; i++) {
		if (u->now[i] == u->host[i])
			continue;
		compat_wrmsr(uret_msrs[i], u->host[i]);
		u->now[i] = u->host[i];
	}
}

static void uret_notify(struct user_return_notifier *urn)
{
	struct uret_cpu *u = container_of(urn, struct uret_cpu, urn);
	unsigned long flags;

	local_irq_save(flags);
	if (u->registered)
		uret_restore(u);
	local_irq_restore(flags);
}

static void uret_learn(struct uret_cpu *u)
{
	int i;

	for (i = 0; i < uret_nr; i++)
		u->host[i] = u->now[i] = compat_rdmsr(uret_msrs[i]);
	u->known = true;
}

static void uret_begin(struct uret_cpu *u)
{
	u->urn.on_user_return = uret_notify;
	user_return_notifier_register(&u->urn);
	u->registered = true;
}

int x86_uret_add(u32 msr)
{
	u64 val;
	int i, r;

	for (i = 0; i < uret_nr; i++)
		if (uret_msrs[i] == msr)
			return i;
	if (uret_nr == URET_SLOTS)
		return -ENOSPC;
	preempt_disable();
	r = compat_rdmsr_safe(msr, &val) ?: compat_wrmsr_safe(msr, val);
	preempt_enable();
	if (r)
		return -EOPNOTSUPP;
	uret_msrs[uret_nr] = msr;
	return uret_nr++;
}
EXPORT_SYMBOL_GPL(x86_uret_add);

void x86_uret_clear(void)
{
	uret_nr = 0;
}
EXPORT_SYMBOL_GPL(x86_uret_clear);

void x86_uret_set(int slot, u64 val)
{
	struct uret_cpu *u = this_cpu_ptr(&uret_cpus);
	unsigned long flags;

	if (likely(u->known) && u->now[slot] == val)
		return;
	local_irq_save(flags);
	if (!u->known)
		uret_learn(u);
	if (u->now[slot] != val) {
		if (!u->registered)
			uret_begin(u);
		compat_wrmsr(uret_msrs[slot], val);
		u->now[slot] = val;
	}
	local_irq_restore(flags);
}
EXPORT_SYMBOL_GPL(x86_uret_set);

void x86_uret_cpu_off(void)
{
	struct uret_cpu *u = this_cpu_ptr(&uret_cpus);

	uret_notify(&u->urn);
	u->known = false;
}
EXPORT_SYMBOL_GPL(x86_uret_cpu_off);
