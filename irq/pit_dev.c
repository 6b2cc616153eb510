// SPDX-License-Identifier: GPL-2.0
/*
 * The PIT of a VM: its host timer, its thread, its ports and ioctls.
 *
 * Raising the timer line means taking locks and waking vCPUs, too much for the
 * host's timer interrupt. So the hrtimer only counts the tick and wakes a
 * kernel thread, kvm-pit/<pid of the VMM>, whose priority an administrator may
 * set; the thread raises the line. The guest's EOIs come as ack notifications
 * from any context and take the same way, and so does the news that the line
 * was unmasked.
 *
 * Locks: the model belongs to the mutex. ticks, acked and unmasked are atomic
 * letters to the thread; it takes each of them with an exchange, so a letter
 * that is written while it reads is taken at its next turn, for which it has
 * been queued. period is written with the timer stopped.
 *
 * Teardown: the notifier goes first, then the timer, then the thread; after
 * that nothing of the PIT runs any more.
 */
#include <linux/kthread.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "compat_timer.h"
#include "io_bus.h"
#include "irqchip.h"
#include "pit.h"
#include "x86.h"

struct irqchip_pit {
	struct pit model;			/* [lock] */
	struct mutex lock;
	struct kvm *kvm;
	struct kvm_io_device dev, speaker;
	struct kvm_irq_ack_notifier notifier;
	struct hrtimer timer;
	u64 period;				/* [lock], timer stopped */
	struct kthread_worker *worker;
	struct kthread_work work;
	atomic_t ticks, acked, unmasked;	/* to the thread */
};

static struct irqchip_pit *pit_of(struct kvm *kvm)
{
	return container_of(kvm->arch.pit, struct irqchip_pit, model);
}

/* ---- the model's surroundings --------------------------------------------------- */

static u64 irqchip_on_pit_now(void *owner)
{
	return ktime_get_ns();
}

static void irqchip_on_pit_arm(void *owner, u64 first, u64 period)
{
	struct irqchip_pit *p = owner;

	hrtimer_cancel(&p->timer);
	if (first == U64_MAX)
		return;
	if (period)
		period = max_t(u64, period, x86_min_timer_period_us * 1000ULL);
	p->period = period;
	hrtimer_start(&p->timer, ns_to_ktime(first), HRTIMER_MODE_ABS);
}

/*
 * On a PC with a local APIC the timer's line is also LINT0 of every processor;
 * some systems use it as an NMI watchdog.
 */
static void irqchip_pit_watchdog(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	unsigned int i;

	kvm_for_each_vcpu(i, vcpu, kvm) {
		struct lapic *l = vcpu->arch.apic;

		if (l && (lapic_reg(l, LAPIC_LVT_LINT0) & LAPIC_MODE) == LAPIC_MODE_NMI)
			lapic_local_deliver(l, LAPIC_LVT_LINT0);
	}
}

static void irqchip_on_pit_pulse(void *owner)
{
	struct irqchip_pit *p = owner;

	kvm_set_irq(p->kvm, KVM_IRQ_SOURCE_PIT, 0, 1, false);
	kvm_set_irq(p->kvm, KVM_IRQ_SOURCE_PIT, 0, 0, false);
	irqchip_pit_watchdog(p->kvm);
}

static const struct pit_ops irqchip_pit_ops = {
	.now = irqchip_on_pit_now,
	.arm = irqchip_on_pit_arm,
	.pulse = irqchip_on_pit_pulse,
};

/* ---- timer, thread, acks ------------------------------------------------------------ */

static enum hrtimer_restart irqchip_pit_timer(struct hrtimer *timer)
{
	struct irqchip_pit *p = container_of(timer, struct irqchip_pit, timer);
	u64 n = 1;

	if (p->period)
		n = hrtimer_forward_now(timer, ns_to_ktime(p->period));
	atomic_add(min_t(u64, n, 1000), &p->ticks);
	kthread_queue_work(p->worker, &p->work);
	return p->period ? HRTIMER_RESTART : HRTIMER_NORESTART;
}

static void irqchip_pit_work(struct kthread_work *work)
{
	struct irqchip_pit *p = container_of(work, struct irqchip_pit, work);

	mutex_lock(&p->lock);
	if (atomic_xchg(&p->unmasked, 0))
		pit_reset_reinject(&p->model);
	if (atomic_xchg(&p->acked, 0))
		pit_acked(&p->model);
	pit_tick(&p->model, atomic_xchg(&p->ticks, 0));
	mutex_unlock(&p->lock);
}

/* Of no interest unless ticks are counted: spare the thread. */
static void irqchip_pit_acked(struct kvm_irq_ack_notifier *n)
{
	struct irqchip_pit *p = container_of(n, struct irqchip_pit, notifier);

	if (!READ_ONCE(p->model.reinject))
		return;
	atomic_set(&p->acked, 1);
	kthread_queue_work(p->worker, &p->work);
}

void irqchip_pit_unmasked(struct kvm *kvm)
{
	struct irqchip_pit *p;

	/* pairs with the release at the end of creation */
	if (!smp_load_acquire(&kvm->arch.pit))
		return;
	p = pit_of(kvm);
	atomic_set(&p->unmasked, 1);
	kthread_queue_work(p->worker, &p->work);
}

/* ---- ports ---------------------------------------------------------------------------- */

static int pit_dev_read(struct kvm_vcpu *vcpu, struct kvm_io_device *dev, gpa_t addr, int len,
			void *val)
{
	struct irqchip_pit *p = container_of(dev, struct irqchip_pit, dev);
	int i;

	mutex_lock(&p->lock);
	for (i = 0; i < len; i++)
		((u8 *)val)[i] = pit_read(&p->model, addr + i);
	mutex_unlock(&p->lock);
	return 0;
}

static int pit_dev_write(struct kvm_vcpu *vcpu, struct kvm_io_device *dev, gpa_t addr, int len,
			 const void *val)
{
	struct irqchip_pit *p = container_of(dev, struct irqchip_pit, dev);
	int i;

	mutex_lock(&p->lock);
	for (i = 0; i < len; i++)
		pit_write(&p->model, addr + i, ((const u8 *)val)[i]);
	mutex_unlock(&p->lock);
	return 0;
}

static const struct kvm_io_ops pit_dev_ops = {
	.read = pit_dev_read,
	.write = pit_dev_write,
};

static int speaker_dev_read(struct kvm_vcpu *vcpu, struct kvm_io_device *dev, gpa_t addr, int len,
			    void *val)
{
	struct irqchip_pit *p = container_of(dev, struct irqchip_pit, speaker);

	memset(val, 0, len);
	mutex_lock(&p->lock);
	*(u8 *)val = pit_speaker_read(&p->model);
	mutex_unlock(&p->lock);
	return 0;
}

static int speaker_dev_write(struct kvm_vcpu *vcpu, struct kvm_io_device *dev, gpa_t addr, int len,
			     const void *val)
{
	struct irqchip_pit *p = container_of(dev, struct irqchip_pit, speaker);

	mutex_lock(&p->lock);
	pit_speaker_write(&p->model, *(const u8 *)val);
	mutex_unlock(&p->lock);
	return 0;
}

static const struct kvm_io_ops speaker_dev_ops = {
	.read = speaker_dev_read,
	.write = speaker_dev_write,
};

/* ---- creation ---------------------------------------------------------------------------- */

static int pit_plug(struct kvm *kvm, struct irqchip_pit *p, bool speaker)
{
	int r;

	mutex_lock(&kvm->slots_lock);
	r = kvm_io_bus_register(kvm, KVM_BUS_PIO, PIT_PORT_BASE, 4, &p->dev);
	if (!r && speaker) {
		r = kvm_io_bus_register(kvm, KVM_BUS_PIO, PIT_PORT_SPEAKER, 1, &p->speaker);
		if (r)
			kvm_io_bus_unregister(kvm, KVM_BUS_PIO, &p->dev);
	}
	mutex_unlock(&kvm->slots_lock);
	return r;
}

static struct irqchip_pit *pit_alloc(struct kvm *kvm)
{
	struct irqchip_pit *p = kzalloc(sizeof(*p), GFP_KERNEL_ACCOUNT);

	if (!p)
		return NULL;
	p->worker = kthread_create_worker(0, "kvm-pit/%d", task_tgid_vnr(current));
	if (IS_ERR(p->worker)) {
		kfree(p);
		return NULL;
	}
	p->kvm = kvm;
	p->dev.ops = &pit_dev_ops;
	p->speaker.ops = &speaker_dev_ops;
	p->notifier.gsi = 0;
	p->notifier.acked = irqchip_pit_acked;
	mutex_init(&p->lock);
	kthread_init_work(&p->work, irqchip_pit_work);
	compat_hrtimer_setup(&p->timer, irqchip_pit_timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS);
	pit_init(&p->model, &irqchip_pit_ops, p);
	return p;
}

static long pit_create(struct kvm *kvm, u32 flags)
{
	struct irqchip_pit *p;
	int r;

	lockdep_assert_held(&kvm->lock);
	if (kvm->arch.pit)
		return -EEXIST;
	if (kvm->arch.irqchip_mode != X86_IRQCHIP_FULL)
		return -ENOENT;
	p = pit_alloc(kvm);
	if (!p)
		return -ENOMEM;
	r = pit_plug(kvm, p, flags & KVM_PIT_SPEAKER_DUMMY);
	if (r) {
		hrtimer_cancel(&p->timer);
		kthread_destroy_worker(p->worker);
		kfree(p);
		return r;
	}
	/* whole before others see it */
	smp_store_release(&kvm->arch.pit, &p->model);
	kvm_register_ack_notifier(kvm, &p->notifier);
	return 0;
}

long pit_ioctl_create(struct kvm *kvm, void *arg)
{
	return pit_create(kvm, KVM_PIT_SPEAKER_DUMMY);
}

long pit_ioctl_create2(struct kvm *kvm, void *arg)
{
	const struct kvm_pit_config *config = arg;

	return pit_create(kvm, config->flags);
}

void irqchip_pit_stop(struct kvm *kvm)
{
	struct irqchip_pit *p;

	if (!kvm->arch.pit)
		return;
	p = pit_of(kvm);
	kvm_unregister_ack_notifier(kvm, &p->notifier);
	hrtimer_cancel(&p->timer);
	kthread_destroy_worker(p->worker);
}

void irqchip_pit_free(struct kvm *kvm)
{
	if (kvm->arch.pit)
		kfree(pit_of(kvm));
	kvm->arch.pit = NULL;
}

/* ---- ioctls --------------------------------------------------------------------------------- */

long pit_ioctl_get2(struct kvm *kvm, void *arg)
{
	struct irqchip_pit *p;

	if (!kvm->arch.pit)
		return -ENXIO;
	p = pit_of(kvm);
	mutex_lock(&p->lock);
	pit_get_state(&p->model, arg);
	mutex_unlock(&p->lock);
	return 0;
}

long pit_ioctl_set2(struct kvm *kvm, void *arg)
{
	struct irqchip_pit *p;
	int r;

	if (!kvm->arch.pit)
		return -ENXIO;
	p = pit_of(kvm);
	mutex_lock(&p->lock);
	r = pit_set_state(&p->model, arg);
	mutex_unlock(&p->lock);
	return r;
}

/* The first version of the state: without flags, which then stay as they are. */
long pit_ioctl_get(struct kvm *kvm, void *arg)
{
	struct kvm_pit_state2 state;
	long r = pit_ioctl_get2(kvm, &state);

	if (!r)
		memcpy(arg, state.channels, sizeof(struct kvm_pit_state));
	return r;
}

long pit_ioctl_set(struct kvm *kvm, void *arg)
{
	struct kvm_pit_state2 state;
	long r = pit_ioctl_get2(kvm, &state);

	if (r)
		return r;
	memcpy(state.channels, arg, sizeof(struct kvm_pit_state));
	return pit_ioctl_set2(kvm, &state);
}

long pit_ioctl_reinject(struct kvm *kvm, void *arg)
{
	struct kvm_reinject_control control;
	struct irqchip_pit *p;

	if (!kvm->arch.pit)
		return -ENXIO;
	if (copy_from_user(&control, (void __user *)arg, sizeof(control)))
		return -EFAULT;
	p = pit_of(kvm);
	mutex_lock(&p->lock);
	pit_set_reinject(&p->model, control.pit_reinject);
	mutex_unlock(&p->lock);
	return 0;
}
