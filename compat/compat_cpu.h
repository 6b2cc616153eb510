/* SPDX-License-Identifier: GPL-2.0 */
/*
 * linux/cpuhotplug.h, linux/syscore_ops.h, asm/reboot.h: the moments at which
 * virtualization must be switched on or off on one CPU.
 *
 * COMPAT_CPUHP_KVM is a state whose teardown runs after the last task has left
 * the dying CPU, so that no vCPU can be in guest mode there. Where it belongs
 * to the starting states (6.1), its callbacks run with interrupts off and may
 * not fail.
 */
#ifndef COMPAT_CPU_H
#define COMPAT_CPU_H

#include <linux/cpuhotplug.h>
#include <linux/syscore_ops.h>
#include <asm/reboot.h>
#ifdef HAVE_X86_VIRT_REF
#include <asm/virt.h>
#endif

#ifdef HAVE_CPUHP_KVM_ONLINE
#define COMPAT_CPUHP_KVM		CPUHP_AP_KVM_ONLINE
#define COMPAT_CPUHP_MAY_FAIL		true
#else
#define COMPAT_CPUHP_KVM		CPUHP_AP_KVM_STARTING
#define COMPAT_CPUHP_MAY_FAIL		false
#endif

/*
 * COMPAT_DEFINE_SYSCORE(name, suspend, resume) with functions of no arguments;
 * then compat_register_syscore(&name).
 */
#ifdef HAVE_SYSCORE_DATA
#define COMPAT_DEFINE_SYSCORE(name, suspend_fn, resume_fn)			\
	static int name##_suspend(void *data) { return suspend_fn(); }		\
	static void name##_resume(void *data) { resume_fn(); }			\
	static const struct syscore_ops name##_ops = {				\
		.suspend = name##_suspend, .resume = name##_resume };		\
	static struct syscore name = { .ops = &name##_ops }

#define compat_register_syscore(s)	register_syscore(s)
#define compat_unregister_syscore(s)	unregister_syscore(s)
#else
#define COMPAT_DEFINE_SYSCORE(name, suspend_fn, resume_fn)			\
	static struct syscore_ops name = {					\
		.suspend = suspend_fn, .resume = resume_fn }

#define compat_register_syscore(s)	register_syscore_ops(s)
#define compat_unregister_syscore(s)	unregister_syscore_ops(s)
#endif

/* Called on each CPU when the machine crashes or reboots without asking. */
static inline void compat_register_emergency(void (*off)(void))
{
#if defined(HAVE_X86_VIRT_REF)
	x86_virt_register_emergency_callback(off);
#elif defined(HAVE_EMERGENCY_VIRT_CALLBACK)
	cpu_emergency_register_virt_callback(off);
#endif
}

static inline void compat_unregister_emergency(void (*off)(void))
{
#if defined(HAVE_X86_VIRT_REF)
	x86_virt_unregister_emergency_callback(off);
#elif defined(HAVE_EMERGENCY_VIRT_CALLBACK)
	cpu_emergency_unregister_virt_callback(off);
#endif
}

#endif
