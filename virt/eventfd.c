// SPDX-License-Identifier: GPL-2.0
/*
 * Eventfds as wires: ioeventfd (a guest's write signals one) and irqfd (a
 * signal on one raises an interrupt).
 *
 * ioeventfd: a device on an I/O bus that takes writes of one address, length
 * and, if asked for, value, and nothing else. Length 0 stands for any length;
 * such a one on the MMIO bus is also put on the fast bus, where only the
 * address is compared, so that a fault there needs no decoding of the
 * instruction. Two that could both take one write are refused.
 *
 * irqfd: we wait on the eventfd's queue. The wakeup comes with interrupts off,
 * from anywhere. An edge MSI is delivered right there, from a copy of its route
 * that a seqcount guards; anything else goes through a work. The counter is
 * consumed by us, so that the VMM can poll the same eventfd in vain.
 *
 * A resampling irqfd is level triggered: the wakeup raises the line and leaves
 * it up; the guest's EOI lowers it and signals the second eventfd of everybody
 * who shares the GSI, whoever still wants the line raises it again.
 *
 * The end of an irqfd may come from three sides, and each may come at any time:
 * KVM_IRQFD with DEASSIGN, the eventfd's last close (EPOLLHUP, with its queue
 * lock held), the end of the VM. Whoever takes it off kvm->irqfds, under
 * irqfds_lock, has the right to end it, and queues the shutdown work, which
 * takes it off the queue, waits for the inject work and frees. All shutdowns run
 * on one workqueue of the module's: flushing it waits for all of them. The VM
 * flushes before it dies, so an irqfd never outlives its VM.
 *
 * Locks: slots_lock (ioeventfds); irqfds_lock (spinlock, interrupts off: the
 * list; taken inside of an eventfd's queue lock); resampler_lock (mutex: the
 * resamplers and their lists; read under irq_srcu); irq_lock (routes).
 */
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/poll.h>
#include <linux/seqlock.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include "compat.h"
#include "io_bus.h"
#include "routing.h"
#include "virt.h"

/* ---- ioeventfd ------------------------------------------------------------------ */

struct ioeventfd {
	struct kvm_io_device dev, fast;	/* [I] fast: on KVM_BUS_FAST_MMIO if .ops */
	struct list_head link;		/* [S] kvm->ioeventfds */
	struct eventfd_ctx *eventfd;	/* [I] */
	enum kvm_bus bus;		/* [I] */
	u64 addr;			/* [I] */
	int len;			/* [I] 0: any */
	bool wildcard;			/* [I] any value */
	u64 match;			/* [I] */
};

static u64 value_of(const void *val, int len)
{
	switch (len) {
	case 1:
		return *(const u8 *)val;
	case 2:
		return *(const u16 *)val;
	case 4:
		return *(const u32 *)val;
	default:
		return *(const u64 *)val;
	}
}

static bool ioeventfd_takes(const struct ioeventfd *p, gpa_t addr, int len, const void *val)
{
	if (addr != p->addr)
		return false;
	if (!p->len)
		return true;
	if (len != p->len)
		return false;
	return p->wildcard || value_of(val, len) == p->match;
}

static int ioeventfd_write(struct kvm_vcpu *vcpu, struct kvm_io_device *dev, gpa_t addr, int len,
			   const void *val)
{
	struct ioeventfd *p = container_of(dev, struct ioeventfd, dev);

	if (!ioeventfd_takes(p, addr, len, val))
		return -EOPNOTSUPP;
	compat_eventfd_signal(p->eventfd);
	return 0;
}

/* The fast bus knows neither length nor value. */
static int ioeventfd_fast_write(struct kvm_vcpu *vcpu, struct kvm_io_device *dev, gpa_t addr,
				int len, const void *val)
{
	compat_eventfd_signal(container_of(dev, struct ioeventfd, fast)->eventfd);
	return 0;
}

static void ioeventfd_free(struct ioeventfd *p)
{
	list_del(&p->link);
	eventfd_ctx_put(p->eventfd);
	kfree(p);
}

static void ioeventfd_destroy(struct kvm_io_device *dev)
{
	ioeventfd_free(container_of(dev, struct ioeventfd, dev));
}

static const struct kvm_io_ops ioeventfd_ops = {
	.write = ioeventfd_write,
	.destroy = ioeventfd_destroy,
};

/* No destroy: the other bus owns it. */
static const struct kvm_io_ops ioeventfd_fast_ops = {
	.write = ioeventfd_fast_write,
};

/* Could one write be for both? */
static bool ioeventfd_collides(const struct ioeventfd *a, const struct ioeventfd *b)
{
	if (a->bus != b->bus || a->addr != b->addr)
		return false;
	if (!a->len || !b->len)
		return true;
	if (a->len != b->len)
		return false;
	return a->wildcard || b->wildcard || a->match == b->match;
}

static bool ioeventfd_same(const struct ioeventfd *a, const struct ioeventfd *b)
{
	return a->eventfd == b->eventfd && a->bus == b->bus && a->addr == b->addr &&
	       a->len == b->len && a->wildcard == b->wildcard &&
	       (a->wildcard || a->match == b->match);
}

static int ioeventfd_check(const struct kvm_ioeventfd *args)
{
	const u32 known = KVM_IOEVENTFD_FLAG_DATAMATCH | KVM_IOEVENTFD_FLAG_PIO |
			  KVM_IOEVENTFD_FLAG_DEASSIGN;

	if (args->flags & ~known)
		return -EINVAL;
	if (args->len > 8 || (args->len && !is_power_of_2(args->len)))
		return -EINVAL;
	if (args->addr + args->len < args->addr)
		return -EINVAL;
	/* Any length, but a certain value: of what length? */
	if (!args->len && (args->flags & KVM_IOEVENTFD_FLAG_DATAMATCH))
		return -EINVAL;
	return 0;
}

/* What @args describe; the caller puts the eventfd. */
static int ioeventfd_decode(const struct kvm_ioeventfd *args, struct ioeventfd *p)
{
	int r = ioeventfd_check(args);

	if (r)
		return r;
	*p = (struct ioeventfd) {
		.dev.ops = &ioeventfd_ops,
		.bus = args->flags & KVM_IOEVENTFD_FLAG_PIO ? KVM_BUS_PIO : KVM_BUS_MMIO,
		.addr = args->addr,
		.len = args->len,
		.wildcard = !(args->flags & KVM_IOEVENTFD_FLAG_DATAMATCH),
		.match = args->datamatch,
	};
	if (p->bus == KVM_BUS_MMIO && !p->len)
		p->fast.ops = &ioeventfd_fast_ops;
	p->eventfd = eventfd_ctx_fdget(args->fd);
	return PTR_ERR_OR_ZERO(p->eventfd);
}

/* slots_lock held. */
static int ioeventfd_register(struct kvm *kvm, struct ioeventfd *p)
{
	struct ioeventfd *other;
	int r;

	list_for_each_entry(other, &kvm->ioeventfds, link) {
		if (ioeventfd_collides(p, other))
			return -EEXIST;
	}
	r = kvm_io_bus_register(kvm, p->bus, p->addr, p->len, &p->dev);
	if (r)
		return r;
	if (p->fast.ops) {
		r = kvm_io_bus_register(kvm, KVM_BUS_FAST_MMIO, p->addr, 0, &p->fast);
		if (r) {
			kvm_io_bus_unregister(kvm, p->bus, &p->dev);
			return r;
		}
	}
	list_add_tail(&p->link, &kvm->ioeventfds);
	return 0;
}

static int ioeventfd_assign(struct kvm *kvm, const struct ioeventfd *want)
{
	struct ioeventfd *p = kmemdup(want, sizeof(*want), GFP_KERNEL_ACCOUNT);
	int r;

	if (!p)
		return -ENOMEM;
	mutex_lock(&kvm->slots_lock);
	r = ioeventfd_register(kvm, p);
	mutex_unlock(&kvm->slots_lock);
	if (r)
		kfree(p);
	return r;
}

static int ioeventfd_deassign(struct kvm *kvm, const struct ioeventfd *want)
{
	struct ioeventfd *p;
	int r = -ENOENT;

	mutex_lock(&kvm->slots_lock);
	list_for_each_entry(p, &kvm->ioeventfds, link) {
		if (!ioeventfd_same(p, want))
			continue;
		if (p->fast.ops)
			kvm_io_bus_unregister(kvm, KVM_BUS_FAST_MMIO, &p->fast);
		kvm_io_bus_unregister(kvm, p->bus, &p->dev);
		ioeventfd_free(p);
		r = 0;
		break;
	}
	mutex_unlock(&kvm->slots_lock);
	return r;
}

int kvm_ioeventfd(struct kvm *kvm, const struct kvm_ioeventfd *args)
{
	struct ioeventfd want;
	int r = ioeventfd_decode(args, &want);

	if (r)
		return r;
	if (args->flags & KVM_IOEVENTFD_FLAG_DEASSIGN) {
		r = ioeventfd_deassign(kvm, &want);
		eventfd_ctx_put(want.eventfd);
		return r;
	}
	r = ioeventfd_assign(kvm, &want);
	if (r)
		eventfd_ctx_put(want.eventfd);
	return r;
}

/* ---- irqfd: structures -------------------- */

/* All resampling irqfds of one GSI share the line and the ack. */
struct irqfd_resampler {
	struct kvm *kvm;			/* [I] */
	struct kvm_irq_ack_notifier notifier;	/* [I] .gsi */
	struct list_head irqfds;		/* [resampler_lock], irq_srcu readers */
	struct list_head link;			/* [resampler_lock] kvm->irqfds_resamplers */
};

struct irqfd {
	struct kvm *kvm;			/* [I] not referenced: the VM waits for us */
	u32 gsi;				/* [I] */
	struct eventfd_ctx *eventfd;		/* [I] */
	struct eventfd_ctx *resample;		/* [I] NULL: edge */
	struct irqfd_resampler *resampler;	/* [resampler_lock] */
	struct list_head resampler_link;	/* [resampler_lock] */

	struct kvm_irq_route route;		/* [seq] type MSI: may be delivered at once */
	seqcount_spinlock_t seq;		/* writers hold irqfds_lock */

	struct list_head link;			/* [irqfds_lock] kvm->irqfds, empty: ending */
	wait_queue_entry_t wait;
	poll_table pt;
	int wait_error;				/* of attaching */
	struct work_struct inject, shutdown;
};

static struct workqueue_struct *irqfd_cleanup_wq;

/* ---- irqfd: injection -------------------- */

static void irqfd_inject(struct work_struct *work)
{
	struct irqfd *f = container_of(work, struct irqfd, inject);

	if (f->resample) {
		kvm_set_irq(f->kvm, KVM_IRQ_SOURCE_RESAMPLE, f->gsi, 1, false);
		return;
	}
	/* An edge, on whatever pin it goes to. */
	kvm_set_irq(f->kvm, KVM_IRQ_SOURCE_USER, f->gsi, 1, false);
	kvm_set_irq(f->kvm, KVM_IRQ_SOURCE_USER, f->gsi, 0, false);
}

/* Interrupts off. False: needs the work. */
static bool irqfd_inject_now(struct irqfd *f)
{
	struct kvm_irq_route route;
	unsigned int seq;

	do {
		seq = read_seqcount_begin(&f->seq);
		route = f->route;
	} while (read_seqcount_retry(&f->seq, seq));

	if (route.type != KVM_IRQ_ROUTING_MSI)
		return false;
	route.set(&route, f->kvm, KVM_IRQ_SOURCE_USER, 1, false);
	return true;
}

static void irqfd_signalled(struct irqfd *f)
{
	if (f->resample || !irqfd_inject_now(f))
		schedule_work(&f->inject);
}

/* ---- irqfd: resampling -------------------- */

static void resampler_acked(struct kvm_irq_ack_notifier *n)
{
	struct irqfd_resampler *rs = container_of(n, struct irqfd_resampler, notifier);
	struct irqfd *f;

	kvm_set_irq(rs->kvm, KVM_IRQ_SOURCE_RESAMPLE, n->gsi, 0, false);
	list_for_each_entry_srcu(f, &rs->irqfds, resampler_link,
				 srcu_read_lock_held(&rs->kvm->irq_srcu))
		compat_eventfd_signal(f->resample);
}

/* resampler_lock held. */
static struct irqfd_resampler *resampler_find(struct kvm *kvm, u32 gsi)
{
	struct irqfd_resampler *rs;

	list_for_each_entry(rs, &kvm->irqfds_resamplers, link) {
		if (rs->notifier.gsi == (int)gsi)
			return rs;
	}
	return NULL;
}

static int resampler_join(struct irqfd *f)
{
	struct kvm *kvm = f->kvm;
	struct irqfd_resampler *rs;
	int r = 0;

	mutex_lock(&kvm->resampler_lock);
	rs = resampler_find(kvm, f->gsi);
	if (!rs) {
		rs = kzalloc(sizeof(*rs), GFP_KERNEL_ACCOUNT);
		if (!rs) {
			r = -ENOMEM;
			goto out;
		}
		rs->kvm = kvm;
		rs->notifier.gsi = f->gsi;
		rs->notifier.acked = resampler_acked;
		INIT_LIST_HEAD(&rs->irqfds);
		list_add(&rs->link, &kvm->irqfds_resamplers);
		kvm_register_ack_notifier(kvm, &rs->notifier);
	}
	list_add_rcu(&f->resampler_link, &rs->irqfds);
	f->resampler = rs;
out:
	mutex_unlock(&kvm->resampler_lock);
	return r;
}

static void resampler_leave(struct irqfd *f)
{
	struct irqfd_resampler *rs = f->resampler;
	struct kvm *kvm = f->kvm;

	if (!rs)
		return;
	mutex_lock(&kvm->resampler_lock);
	list_del_rcu(&f->resampler_link);
	if (list_empty(&rs->irqfds)) {
		list_del(&rs->link);
		kvm_unregister_ack_notifier(kvm, &rs->notifier);	/* waits for readers */
		kvm_set_irq(kvm, KVM_IRQ_SOURCE_RESAMPLE, rs->notifier.gsi, 0, false);
		kfree(rs);
	} else {
		synchronize_srcu_expedited(&kvm->irq_srcu);
	}
	f->resampler = NULL;
	mutex_unlock(&kvm->resampler_lock);
}

/* ---- irqfd: the end -------------------- */

static void irqfd_free(struct irqfd *f)
{
	if (f->resample)
		eventfd_ctx_put(f->resample);
	if (f->eventfd)
		eventfd_ctx_put(f->eventfd);
	kfree(f);
}

static void irqfd_shutdown(struct work_struct *work)
{
	struct irqfd *f = container_of(work, struct irqfd, shutdown);
	u64 count;

	/* No wakeup after this; then no inject work. */
	eventfd_ctx_remove_wait_queue(f->eventfd, &f->wait, &count);
	flush_work(&f->inject);
	resampler_leave(f);
	irqfd_free(f);
}

/* irqfds_lock held. False: somebody else ends it. */
static bool irqfd_end(struct irqfd *f)
{
	lockdep_assert_held(&f->kvm->irqfds_lock);
	if (list_empty(&f->link))
		return false;
	list_del_init(&f->link);
	queue_work(irqfd_cleanup_wq, &f->shutdown);
	return true;
}

/* The eventfd's queue lock is held, interrupts are off. */
static int irqfd_wakeup(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct irqfd *f = container_of(wait, struct irqfd, wait);
	__poll_t flags = key_to_poll(key);
	unsigned long irqflags;
	u64 count;

	if (flags & EPOLLIN) {
		eventfd_ctx_do_read(f->eventfd, &count);
		irqfd_signalled(f);
	}
	if (flags & EPOLLHUP) {
		spin_lock_irqsave(&f->kvm->irqfds_lock, irqflags);
		irqfd_end(f);
		spin_unlock_irqrestore(&f->kvm->irqfds_lock, irqflags);
	}
	return flags & EPOLLIN ? 1 : 0;
}

/* ---- irqfd: the beginning -------------------- */

/* Called back by vfs_poll() with the eventfd's queue. */
static void irqfd_attach(struct file *file, wait_queue_head_t *wqh, poll_table *pt)
{
	struct irqfd *f = container_of(pt, struct irqfd, pt);

	f->wait_error = compat_add_wait_queue_priority(wqh, &f->wait);
}

/* irqfds_lock held. */
static void irqfd_set_route(struct irqfd *f, const struct kvm_irq_route *routes, int n)
{
	write_seqcount_begin(&f->seq);
	if (n == 1 && routes[0].type == KVM_IRQ_ROUTING_MSI)
		f->route = routes[0];
	else
		f->route.type = 0;
	write_seqcount_end(&f->seq);
}

static void irqfd_refresh(struct irqfd *f)
{
	struct kvm_irq_route routes[3];

	irqfd_set_route(f, routes, kvm_gsi_routes(f->kvm, f->gsi, routes));
}

void kvm_irqfd_routes_changed(struct kvm *kvm)
{
	struct irqfd *f;

	lockdep_assert_held(&kvm->irq_lock);
	spin_lock_irq(&kvm->irqfds_lock);
	list_for_each_entry(f, &kvm->irqfds, link)
		irqfd_refresh(f);
	spin_unlock_irq(&kvm->irqfds_lock);
}

/* One eventfd is one irqfd. Its route is in force when it appears on the list. */
static int irqfd_publish(struct irqfd *f)
{
	struct kvm *kvm = f->kvm;
	struct irqfd *other;
	int r = 0;

	mutex_lock(&kvm->irq_lock);	/* the route stays what it is */
	spin_lock_irq(&kvm->irqfds_lock);
	list_for_each_entry(other, &kvm->irqfds, link) {
		/* Two resampling ones may not share an eventfd either. */
		if (other->eventfd == f->eventfd)
			r = -EBUSY;
	}
	if (!r) {
		irqfd_refresh(f);
		list_add_tail(&f->link, &kvm->irqfds);
	}
	spin_unlock_irq(&kvm->irqfds_lock);
	mutex_unlock(&kvm->irq_lock);
	return r;
}

static struct irqfd *irqfd_alloc(struct kvm *kvm, u32 gsi)
{
	struct irqfd *f = kzalloc(sizeof(*f), GFP_KERNEL_ACCOUNT);

	if (!f)
		return NULL;
	f->kvm = kvm;
	f->gsi = gsi;
	INIT_LIST_HEAD(&f->link);
	INIT_LIST_HEAD(&f->resampler_link);
	INIT_WORK(&f->inject, irqfd_inject);
	INIT_WORK(&f->shutdown, irqfd_shutdown);
	seqcount_spinlock_init(&f->seq, &kvm->irqfds_lock);
	init_waitqueue_func_entry(&f->wait, irqfd_wakeup);
	init_poll_funcptr(&f->pt, irqfd_attach);
	return f;
}

static int irqfd_get_eventfds(struct irqfd *f, struct file *file, const struct kvm_irqfd *args)
{
	struct eventfd_ctx *ctx = eventfd_ctx_fileget(file);

	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	f->eventfd = ctx;
	if (!(args->flags & KVM_IRQFD_FLAG_RESAMPLE))
		return 0;
	ctx = eventfd_ctx_fdget(args->resamplefd);
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	f->resample = ctx;
	return 0;
}

/*
 * On the list first, then on the queue: a hangup finds it on the list, and a
 * signal finds its route. A DEASSIGN by another thread in between must not find
 * the wait entry unqueued: kvm->lock is held around both.
 */
static int irqfd_start(struct irqfd *f, struct file *file)
{
	struct kvm *kvm = f->kvm;
	__poll_t events;
	int r;

	if (f->resample) {
		r = resampler_join(f);
		if (r)
			return r;
	}
	r = irqfd_publish(f);
	if (r) {
		resampler_leave(f);
		return r;
	}
	events = vfs_poll(file, &f->pt);
	if (f->wait_error) {
		r = f->wait_error;
		spin_lock_irq(&kvm->irqfds_lock);
		list_del_init(&f->link);
		spin_unlock_irq(&kvm->irqfds_lock);
		resampler_leave(f);
		return r;
	}
	/* Signalled before we came: the wakeup was missed, the count is there. */
	if (events & EPOLLIN)
		schedule_work(&f->inject);
	return 0;
}

static int irqfd_assign(struct kvm *kvm, const struct kvm_irqfd *args)
{
	struct irqfd *f;
	struct fd fd;
	int r;

	fd = fdget(args->fd);
	if (!compat_fd_file(fd))
		return -EBADF;
	f = irqfd_alloc(kvm, args->gsi);
	r = f ? irqfd_get_eventfds(f, compat_fd_file(fd), args) : -ENOMEM;
	if (!r) {
		mutex_lock(&kvm->lock);
		r = irqfd_start(f, compat_fd_file(fd));
		mutex_unlock(&kvm->lock);
	}
	if (r && f)
		irqfd_free(f);
	fdput(fd);
	return r;
}

static int irqfd_deassign(struct kvm *kvm, const struct kvm_irqfd *args)
{
	struct eventfd_ctx *ctx = eventfd_ctx_fdget(args->fd);
	struct irqfd *f, *next;

	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	mutex_lock(&kvm->lock);
	spin_lock_irq(&kvm->irqfds_lock);
	list_for_each_entry_safe(f, next, &kvm->irqfds, link) {
		if (f->eventfd == ctx && f->gsi == args->gsi)
			irqfd_end(f);
	}
	spin_unlock_irq(&kvm->irqfds_lock);
	mutex_unlock(&kvm->lock);
	eventfd_ctx_put(ctx);

	/* No interrupt comes from it any more when the ioctl returns. */
	flush_workqueue(irqfd_cleanup_wq);
	return 0;
}

int kvm_irqfd(struct kvm *kvm, const struct kvm_irqfd *args)
{
	if (args->flags & ~(KVM_IRQFD_FLAG_DEASSIGN | KVM_IRQFD_FLAG_RESAMPLE))
		return -EINVAL;
	if (args->flags & KVM_IRQFD_FLAG_DEASSIGN)
		return irqfd_deassign(kvm, args);
	if (!irqchip_in_kernel(kvm) || args->gsi >= KVM_MAX_IRQ_ROUTES)
		return -EINVAL;
	return irqfd_assign(kvm, args);
}

void kvm_irqfd_release(struct kvm *kvm)
{
	struct irqfd *f, *next;

	spin_lock_irq(&kvm->irqfds_lock);
	list_for_each_entry_safe(f, next, &kvm->irqfds, link)
		irqfd_end(f);
	spin_unlock_irq(&kvm->irqfds_lock);
	/* Also those whose eventfds hung up and that are on their way already. */
	flush_workqueue(irqfd_cleanup_wq);
}

void kvm_eventfd_init(struct kvm *kvm)
{
	spin_lock_init(&kvm->irqfds_lock);
	mutex_init(&kvm->resampler_lock);
	INIT_LIST_HEAD(&kvm->irqfds);
	INIT_LIST_HEAD(&kvm->irqfds_resamplers);
	INIT_LIST_HEAD(&kvm->ioeventfds);
}

int kvm_irqfd_module_init(void)
{
	irqfd_cleanup_wq = alloc_workqueue("kvm-irqfd-cleanup", 0, 0);
	return irqfd_cleanup_wq ? 0 : -ENOMEM;
}

void kvm_irqfd_module_exit(void)
{
	destroy_workqueue(irqfd_cleanup_wq);
}
