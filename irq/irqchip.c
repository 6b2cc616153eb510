// SPDX-License-Identifier: GPL-2.0
/*
 * The chips of a VM: creating them, their places on the buses, their routes,
 * saving them, and finding local APICs.
 *
 * The models are pure and know neither locks nor vCPUs. Here each gets a
 * spinlock, taken with interrupts off: lines may be raised from hard interrupts
 * (irqfd) and by any thread. Under these locks the models call back to deliver
 * messages and to move the PIC's output; both end in atomic operations and
 * kicks, so nothing sleeps and no lock is taken inside but a kick's.
 *
 * Ack notifiers are different: they lower and raise lines. The EOI is therefore
 * taken in steps, with the lock dropped while the notifiers run: see
 * irqchip_eoi() and pic_unlock().
 *
 * irqchip_mode is written last, with release semantics, when all chips exist;
 * who has seen FULL may use the pointers without a lock. Chips never go away
 * before the VM does.
 *
 * The destination map (irq/lapic_map.c) is rebuilt under lapic_map_lock and
 * replaced under RCU by whichever vCPU changed its id, mode or logical address,
 * before that vCPU goes on: its next message is delivered by a map that has the
 * change. A concurrent rebuild waits for the lock and then sees both changes.
 */
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include "apicv.h"
#include "io_bus.h"
#include "ioapic.h"
#include "irqchip.h"
#include "pic.h"
#include "trace.h"
#include "x86.h"

/* An I/O APIC line that nobody lowers is looked at again after this. */
#define IOAPIC_RETRY_JIFFIES	max(1, HZ / 100)

struct irqchip_pic {
	struct pic model;		/* [lock] but output: a hint outside */
	spinlock_t lock;
	struct kvm *kvm;
	struct kvm_io_device master, slave, elcr;
};

struct irqchip_ioapic {
	struct ioapic model;		/* [lock] */
	spinlock_t lock;
	struct kvm *kvm;
	struct kvm_io_device dev;
	struct delayed_work retry;
};

struct irqchip_map {
	struct rcu_head rcu;
	struct lapic_map map;		/* last: it has a tail */
};

static struct irqchip_pic *pic_of(struct kvm *kvm)
{
	return container_of(kvm->arch.pic, struct irqchip_pic, model);
}

static struct irqchip_ioapic *ioapic_of(struct kvm *kvm)
{
	return container_of(kvm->arch.ioapic, struct irqchip_ioapic, model);
}

static enum x86_irqchip_mode irqchip_mode(struct kvm *kvm)
{
	/* pairs with the release when the chips exist */
	return smp_load_acquire(&kvm->arch.irqchip_mode);
}

bool irqchip_in_kernel(struct kvm *kvm)
{
	return irqchip_mode(kvm) != X86_IRQCHIP_NONE;
}

/* ---- delivery --------------------------------------------------------------- */

int irqchip_deliver(struct kvm *kvm, struct kvm_vcpu *src, const struct lapic_irq *irq)
{
	const struct lapic_map *map;
	int ret = -1;

	rcu_read_lock();
	map = rcu_dereference(kvm->arch.lapic_map);
	if (map)
		ret = lapic_map_deliver(map, src ? src->arch.apic : NULL, irq);
	rcu_read_unlock();
	return ret;
}

static bool irqchip_busy(struct kvm *kvm, const struct lapic_irq *irq)
{
	const struct lapic_map *map;
	bool busy;

	rcu_read_lock();
	map = rcu_dereference(kvm->arch.lapic_map);
	busy = map && lapic_map_busy(map, irq);
	rcu_read_unlock();
	return busy;
}

static u32 irqchip_max_id(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	unsigned int i;
	u32 max = 0;

	kvm_for_each_vcpu(i, vcpu, kvm)
		max = max_t(u32, max, vcpu->vcpu_id);
	return max;
}

/* Do all APICs lie where they lie after power-up, in xAPIC mode? */
static bool irqchip_all_at_default(const struct lapic_map *map, u32 nr)
{
	u32 i;

	for (i = 0; i < map->nr; i++)
		if (!lapic_at_default(map->all[i]))
			return false;
	return map->nr == nr;	/* one that is disabled is not in the map */
}

static struct irqchip_map *irqchip_build_map(struct kvm *kvm)
{
	/* vCPUs that appear meanwhile rebuild it themselves */
	u32 nr = atomic_read(&kvm->nr_vcpus), max_id, i;
	struct irqchip_map *m;
	struct kvm_vcpu *vcpu;

	smp_rmb();	/* count first, so that max_id covers all counted */
	max_id = irqchip_max_id(kvm);
	m = kvzalloc(offsetof(struct irqchip_map, map) + lapic_map_size(nr, max_id),
		     GFP_KERNEL_ACCOUNT);
	if (!m)
		return NULL;
	lapic_map_init(&m->map, max_id, kvm->arch.x2apic_broadcast_quirk_off);
	for (i = 0; i < nr; i++) {
		vcpu = kvm_get_vcpu(kvm, i);
		if (vcpu && vcpu->arch.apic)
			lapic_map_add(&m->map, vcpu->arch.apic);
	}
	apicv_set_page(kvm, irqchip_all_at_default(&m->map, nr));
	return m;
}

static struct irqchip_map *irqchip_map_of(struct lapic_map *map)
{
	return map ? container_of(map, struct irqchip_map, map) : NULL;
}

void irqchip_update_map(struct kvm *kvm)
{
	struct irqchip_map *new, *old;

	mutex_lock(&kvm->arch.lapic_map_lock);
	new = irqchip_build_map(kvm);
	if (new) {
		old = irqchip_map_of(rcu_replace_pointer(kvm->arch.lapic_map, &new->map,
						lockdep_is_held(&kvm->arch.lapic_map_lock)));
		if (old)
			kvfree_rcu(old, rcu);
	}
	mutex_unlock(&kvm->arch.lapic_map_lock);
	if (!new)
		kvm_vm_dead(kvm, "no memory for the map of local APICs");
}

/* ---- PIC ---------------------------------------------------------------------- */

/* The INTR line rose: whoever listens to it must look. */
static void irqchip_on_pic_output(void *owner, bool level)
{
	struct irqchip_pic *p = owner;
	struct kvm_vcpu *vcpu;
	unsigned int i;

	if (!level)
		return;
	kvm_for_each_vcpu(i, vcpu, p->kvm) {
		if (!vcpu->arch.apic || !lapic_accepts_pic(vcpu->arch.apic))
			continue;
		kvm_set_request(KVM_REQ_EVENT, vcpu);
		kvm_vcpu_kick(vcpu);
	}
}

/* The GSI routed to a pin, or -1. */
static int irqchip_pin_gsi(struct kvm *kvm, unsigned int chip, unsigned int pin)
{
	struct kvm_irq_routing_table *table;
	int idx, gsi = -1;

	idx = srcu_read_lock(&kvm->irq_srcu);
	table = srcu_dereference(kvm->irq_routing, &kvm->irq_srcu);
	if (table)
		gsi = table->chip_pin_gsi[chip][pin];
	srcu_read_unlock(&kvm->irq_srcu, idx);
	return gsi;
}

/* Only the timer's pin matters, see irq/pit.c. */
static void irqchip_on_unmasked(struct kvm *kvm, unsigned int chip, unsigned int pin)
{
	if (irqchip_pin_gsi(kvm, chip, pin) == 0)
		irqchip_pit_unmasked(kvm);
}

static void irqchip_on_pic_masks(void *owner, u16 changed, u16 masks)
{
	struct irqchip_pic *p = owner;
	unsigned long opened = changed & ~masks;
	unsigned int pin;

	for_each_set_bit(pin, &opened, PIC_NR_PINS)
		irqchip_on_unmasked(p->kvm, pin >> 3, pin & 7);
}

static const struct pic_ops irqchip_pic_ops = {
	.output = irqchip_on_pic_output,
	.masks = irqchip_on_pic_masks,
};

/* Pins that were acknowledged under the lock are announced after it. */
static void pic_unlock(struct irqchip_pic *p, unsigned long flags)
	__releases(&p->lock)
{
	unsigned long acked = pic_take_acked(&p->model);
	unsigned int pin;

	spin_unlock_irqrestore(&p->lock, flags);
	for_each_set_bit(pin, &acked, PIC_NR_PINS)
		kvm_notify_acked_irq(p->kvm, pin >> 3, pin & 7);
}

/* A wide access is several narrow ones on this bus. */
static int pic_dev_read(struct kvm_vcpu *vcpu, struct kvm_io_device *dev, gpa_t addr, int len,
			void *val)
{
	struct irqchip_pic *p = pic_of(vcpu->kvm);
	unsigned long flags;
	int i;

	for (i = 0; i < len; i++) {
		spin_lock_irqsave(&p->lock, flags);
		((u8 *)val)[i] = pic_read(&p->model, addr + i);
		pic_unlock(p, flags);
	}
	return 0;
}

static int pic_dev_write(struct kvm_vcpu *vcpu, struct kvm_io_device *dev, gpa_t addr, int len,
			 const void *val)
{
	struct irqchip_pic *p = pic_of(vcpu->kvm);
	unsigned long flags;
	int i;

	for (i = 0; i < len; i++) {
		spin_lock_irqsave(&p->lock, flags);
		pic_write(&p->model, addr + i, ((const u8 *)val)[i]);
		pic_unlock(p, flags);
	}
	return 0;
}

static const struct kvm_io_ops pic_dev_ops = {
	.read = pic_dev_read,
	.write = pic_dev_write,
};

static int irqchip_set_pic(struct kvm_irq_route *r, struct kvm *kvm, int source, int level,
			   bool line_status)
{
	struct irqchip_pic *p = pic_of(kvm);
	unsigned int pin = r->chip.irqchip * 8 + r->chip.pin;
	unsigned long flags;
	int ret;

	spin_lock_irqsave(&p->lock, flags);
	ret = pic_set_irq(&p->model, pin, source, level);
	trace_kvm_pic_set_irq(r->chip.irqchip, r->chip.pin,
			      p->model.chip[r->chip.irqchip].elcr,
			      p->model.chip[r->chip.irqchip].imr, ret == 0);
	pic_unlock(p, flags);
	return ret;
}

bool irqchip_pic_output(struct kvm *kvm)
{
	return irqchip_mode(kvm) == X86_IRQCHIP_FULL && READ_ONCE(kvm->arch.pic->output);
}

int irqchip_ack_pic(struct kvm *kvm)
{
	struct irqchip_pic *p = pic_of(kvm);
	unsigned long flags;
	int vector = -1;

	spin_lock_irqsave(&p->lock, flags);
	if (p->model.output)
		vector = pic_ack(&p->model);
	pic_unlock(p, flags);
	return vector;
}

/* ---- I/O APIC ------------------------------------------------------------------- */

static int irqchip_on_ioapic_deliver(void *owner, const struct lapic_irq *irq)
{
	struct irqchip_ioapic *io = owner;

	return irqchip_deliver(io->kvm, NULL, irq);
}

static bool irqchip_on_ioapic_busy(void *owner, const struct lapic_irq *irq)
{
	struct irqchip_ioapic *io = owner;

	return irqchip_busy(io->kvm, irq);
}

static void irqchip_on_ioapic_retry(void *owner)
{
	struct irqchip_ioapic *io = owner;

	schedule_delayed_work(&io->retry, IOAPIC_RETRY_JIFFIES);
}

static void irqchip_on_ioapic_masked(void *owner, unsigned int pin, bool masked)
{
	struct irqchip_ioapic *io = owner;

	if (!masked)
		irqchip_on_unmasked(io->kvm, KVM_IRQCHIP_IOAPIC, pin);
}

static void irqchip_on_ioapic_vectors(void *owner)
{
	apicv_eoi_exits_changed(((struct irqchip_ioapic *)owner)->kvm);
}

static const struct ioapic_ops irqchip_ioapic_ops = {
	.deliver = irqchip_on_ioapic_deliver,
	.busy = irqchip_on_ioapic_busy,
	.retry_later = irqchip_on_ioapic_retry,
	.masked = irqchip_on_ioapic_masked,
	.vectors = irqchip_on_ioapic_vectors,
};

static void irqchip_ioapic_retry(struct work_struct *work)
{
	struct irqchip_ioapic *io = container_of(work, struct irqchip_ioapic, retry.work);
	unsigned long flags;

	spin_lock_irqsave(&io->lock, flags);
	ioapic_retry(&io->model);
	spin_unlock_irqrestore(&io->lock, flags);
}

static int ioapic_dev_read(struct kvm_vcpu *vcpu, struct kvm_io_device *dev, gpa_t addr, int len,
			   void *val)
{
	struct irqchip_ioapic *io = container_of(dev, struct irqchip_ioapic, dev);
	unsigned long flags;

	spin_lock_irqsave(&io->lock, flags);
	ioapic_read(&io->model, addr - IOAPIC_BASE, len, val);
	spin_unlock_irqrestore(&io->lock, flags);
	return 0;
}

static int ioapic_dev_write(struct kvm_vcpu *vcpu, struct kvm_io_device *dev, gpa_t addr, int len,
			    const void *val)
{
	struct irqchip_ioapic *io = container_of(dev, struct irqchip_ioapic, dev);
	unsigned long flags;

	spin_lock_irqsave(&io->lock, flags);
	ioapic_write(&io->model, addr - IOAPIC_BASE, len, val);
	spin_unlock_irqrestore(&io->lock, flags);
	return 0;
}

static const struct kvm_io_ops ioapic_dev_ops = {
	.read = ioapic_dev_read,
	.write = ioapic_dev_write,
};

static int irqchip_set_ioapic(struct kvm_irq_route *r, struct kvm *kvm, int source, int level,
			      bool line_status)
{
	struct irqchip_ioapic *io = ioapic_of(kvm);
	unsigned long flags;
	int ret;

	spin_lock_irqsave(&io->lock, flags);
	ret = ioapic_set_irq(&io->model, r->chip.pin, source, level, line_status);
	trace_kvm_ioapic_set_irq(io->model.rte[r->chip.pin], r->chip.pin, ret == 0);
	spin_unlock_irqrestore(&io->lock, flags);
	return ret;
}

/* ---- EOI -------------------------------------------------------------------------- */

bool irqchip_wants_eoi(struct kvm *kvm, u8 vector, bool level)
{
	switch (irqchip_mode(kvm)) {
	case X86_IRQCHIP_FULL:
		return ioapic_handles_vector(kvm->arch.ioapic, vector);
	case X86_IRQCHIP_SPLIT:
		return level && test_bit(vector, kvm->arch.pin_vectors);
	default:
		return false;
	}
}

const unsigned long *irqchip_eoi_vectors(struct kvm *kvm)
{
	switch (irqchip_mode(kvm)) {
	case X86_IRQCHIP_FULL:
		return kvm->arch.ioapic->vectors;
	case X86_IRQCHIP_SPLIT:
		return kvm->arch.pin_vectors;
	default:
		return NULL;
	}
}

static void irqchip_ioapic_eoi(struct kvm *kvm, u8 vector, bool level)
{
	struct irqchip_ioapic *io = ioapic_of(kvm);
	unsigned long flags, pins;
	unsigned int pin;

	spin_lock_irqsave(&io->lock, flags);
	pins = ioapic_eoi_pins(&io->model, vector);
	spin_unlock_irqrestore(&io->lock, flags);

	for_each_set_bit(pin, &pins, IOAPIC_NR_PINS) {
		kvm_notify_acked_irq(kvm, KVM_IRQCHIP_IOAPIC, pin);
		if (!level)
			continue;
		spin_lock_irqsave(&io->lock, flags);
		ioapic_eoi_finish(&io->model, pin, vector);
		spin_unlock_irqrestore(&io->lock, flags);
	}
}

void irqchip_eoi(struct kvm_vcpu *vcpu, u8 vector, bool level)
{
	struct kvm *kvm = vcpu->kvm;

	if (!irqchip_wants_eoi(kvm, vector, level))
		return;
	if (irqchip_mode(kvm) == X86_IRQCHIP_FULL) {
		irqchip_ioapic_eoi(kvm, vector, level);
	} else {
		vcpu->arch.eoi_exit_vector = vector;
		kvm_set_request(KVM_REQ_EOI_EXIT, vcpu);
	}
}

/* ---- routes -------------------------------------------------------------------------- */

static int irqchip_set_msi(struct kvm_irq_route *r, struct kvm *kvm, int source, int level,
			   bool line_status)
{
	struct lapic_irq irq;

	if (!level)
		return -1;
	trace_kvm_msi_set_irq((u64)r->msi.addr_hi << 32 | r->msi.addr_lo, r->msi.data);
	msi_decode(r->msi.addr_lo, r->msi.addr_hi, r->msi.data, kvm->arch.x2apic_format, &irq);
	return irqchip_deliver(kvm, NULL, &irq);
}

static int irqchip_route_chip(struct kvm *kvm, struct kvm_irq_route *r,
			      const struct kvm_irq_routing_irqchip *chip)
{
	bool ioapic = chip->irqchip == KVM_IRQCHIP_IOAPIC;

	if (!kvm->arch.pic || chip->irqchip >= KVM_NR_IRQCHIPS)
		return -EINVAL;
	if (chip->pin >= (ioapic ? IOAPIC_NR_PINS : PIC_NR_PINS / 2))
		return -EINVAL;
	r->chip.irqchip = chip->irqchip;
	r->chip.pin = chip->pin;
	r->set = ioapic ? irqchip_set_ioapic : irqchip_set_pic;
	return 0;
}

static int irqchip_route_msi(struct kvm *kvm, struct kvm_irq_route *r,
			     const struct kvm_irq_routing_msi *msi)
{
	if (kvm->arch.x2apic_format && (msi->address_hi & 0xff))
		return -EINVAL;
	r->msi.addr_lo = msi->address_lo;
	r->msi.addr_hi = msi->address_hi;
	r->msi.data = msi->data;
	r->set = irqchip_set_msi;
	return 0;
}

int irqchip_set_route(struct kvm *kvm, struct kvm_irq_route *r,
		      const struct kvm_irq_routing_entry *e)
{
	switch (e->type) {
	case KVM_IRQ_ROUTING_IRQCHIP:
		return irqchip_route_chip(kvm, r, &e->u.irqchip);
	case KVM_IRQ_ROUTING_MSI:
		return irqchip_route_msi(kvm, r, &e->u.msi);
	}
	return -EINVAL;
}

/* Vectors of level-triggered routes that are pins of a userspace I/O APIC. */
static bool irqchip_note_pin(struct kvm *kvm, const struct kvm_irq_route *r)
{
	struct lapic_irq irq;

	if (r->type != KVM_IRQ_ROUTING_MSI)
		return false;
	msi_decode(r->msi.addr_lo, r->msi.addr_hi, r->msi.data, kvm->arch.x2apic_format, &irq);
	return irq.level && !test_and_set_bit(irq.vector, kvm->arch.pin_vectors);
}

/*
 * A vector that was a pin's once stays one: its last interrupt may still be in
 * service, or on its way by the old table, and the I/O APIC waits for its EOI.
 * No other source of level-triggered interrupts is known that would be told
 * about needlessly.
 */
void irqchip_routes_coming(struct kvm *kvm, const struct kvm_irq_routing_table *t)
{
	u32 n = min_t(u32, t->nr_gsis, kvm->arch.nr_reserved_pins), i;
	struct kvm_irq_route *r;
	bool more = false;

	for (i = 0; i < n; i++)
		hlist_for_each_entry(r, &t->by_gsi[i], link)
			more |= irqchip_note_pin(kvm, r);
	if (more)
		apicv_eoi_exits_changed(kvm);
}

/*
 * What a PC has before userspace says otherwise: lines 0-15 go to the PICs and
 * to the I/O APIC pin of the same number, 16-23 to the I/O APIC alone.
 */
static int irqchip_default_routes(struct kvm *kvm)
{
	struct kvm_irq_routing_entry e[PIC_NR_PINS + IOAPIC_NR_PINS] = { };
	unsigned int n = 0, i;

	BUILD_BUG_ON(sizeof(e) > 2048);
	for (i = 0; i < IOAPIC_NR_PINS; i++) {
		if (i < PIC_NR_PINS) {
			e[n].u.irqchip.irqchip = i >> 3;
			e[n].u.irqchip.pin = i & 7;
			e[n].gsi = i;
			e[n++].type = KVM_IRQ_ROUTING_IRQCHIP;
		}
		e[n].u.irqchip.irqchip = KVM_IRQCHIP_IOAPIC;
		e[n].u.irqchip.pin = i;
		e[n].gsi = i;
		e[n++].type = KVM_IRQ_ROUTING_IRQCHIP;
	}
	return kvm_set_irq_routing(kvm, e, n);
}

/* ---- creation --------------------------------------------------------------------------- */

static struct irqchip_pic *pic_create(struct kvm *kvm)
{
	struct irqchip_pic *p = kzalloc(sizeof(*p), GFP_KERNEL_ACCOUNT);

	if (!p)
		return NULL;
	p->kvm = kvm;
	spin_lock_init(&p->lock);
	p->master.ops = &pic_dev_ops;
	p->slave.ops = &pic_dev_ops;
	p->elcr.ops = &pic_dev_ops;
	pic_init(&p->model, &irqchip_pic_ops, p);
	return p;
}

static struct irqchip_ioapic *ioapic_create(struct kvm *kvm)
{
	struct irqchip_ioapic *io = kzalloc(sizeof(*io), GFP_KERNEL_ACCOUNT);

	if (!io)
		return NULL;
	io->kvm = kvm;
	spin_lock_init(&io->lock);
	INIT_DELAYED_WORK(&io->retry, irqchip_ioapic_retry);
	io->dev.ops = &ioapic_dev_ops;
	ioapic_init(&io->model, &irqchip_ioapic_ops, io);
	return io;
}

static void irqchip_unplug(struct kvm *kvm)
{
	struct irqchip_pic *p = pic_of(kvm);

	kvm_io_bus_unregister(kvm, KVM_BUS_MMIO, &ioapic_of(kvm)->dev);
	kvm_io_bus_unregister(kvm, KVM_BUS_PIO, &p->elcr);
	kvm_io_bus_unregister(kvm, KVM_BUS_PIO, &p->slave);
	kvm_io_bus_unregister(kvm, KVM_BUS_PIO, &p->master);
}

/* Unregistering a device that is not there does nothing. */
static int irqchip_plug(struct kvm *kvm)
{
	struct irqchip_pic *p = pic_of(kvm);
	int r;

	lockdep_assert_held(&kvm->slots_lock);
	r = kvm_io_bus_register(kvm, KVM_BUS_PIO, PIC_PORT_MASTER, 2, &p->master);
	r = r ?: kvm_io_bus_register(kvm, KVM_BUS_PIO, PIC_PORT_SLAVE, 2, &p->slave);
	r = r ?: kvm_io_bus_register(kvm, KVM_BUS_PIO, PIC_PORT_ELCR, 2, &p->elcr);
	r = r ?: kvm_io_bus_register(kvm, KVM_BUS_MMIO, IOAPIC_BASE, IOAPIC_SIZE,
				     &ioapic_of(kvm)->dev);
	if (r)
		irqchip_unplug(kvm);
	return r;
}

static void irqchip_free_chips(struct kvm *kvm)
{
	if (kvm->arch.pic)
		kfree(pic_of(kvm));
	if (kvm->arch.ioapic)
		kfree(ioapic_of(kvm));
	kvm->arch.pic = NULL;
	kvm->arch.ioapic = NULL;
}

static int irqchip_make_chips(struct kvm *kvm)
{
	struct irqchip_ioapic *io = ioapic_create(kvm);
	struct irqchip_pic *p = pic_create(kvm);
	int r;

	if (!p || !io) {
		kfree(p);
		kfree(io);
		return -ENOMEM;
	}
	kvm->arch.pic = &p->model;
	kvm->arch.ioapic = &io->model;

	mutex_lock(&kvm->slots_lock);
	r = irqchip_plug(kvm);
	mutex_unlock(&kvm->slots_lock);
	if (r)
		goto free;
	r = irqchip_default_routes(kvm);
	if (r)
		goto unplug;
	return 0;

unplug:
	mutex_lock(&kvm->slots_lock);
	irqchip_unplug(kvm);
	mutex_unlock(&kvm->slots_lock);
free:
	irqchip_free_chips(kvm);
	return r;
}

/* May chips be created now? */
static int irqchip_may_create(struct kvm *kvm)
{
	lockdep_assert_held(&kvm->lock);
	if (irqchip_in_kernel(kvm))
		return -EEXIST;
	return kvm->nr_created ? -EINVAL : 0;
}

long irqchip_ioctl_create(struct kvm *kvm, void *arg)
{
	int r = irqchip_may_create(kvm) ?: apicv_vm_create(kvm) ?: irqchip_make_chips(kvm);

	if (!r)
		/* the chips are there before the mode says so */
		smp_store_release(&kvm->arch.irqchip_mode, X86_IRQCHIP_FULL);
	return r;
}

int irqchip_create_split(struct kvm *kvm, u64 nr_pins)
{
	int r;

	if (nr_pins > KVM_MAX_IRQ_ROUTES)
		return -EINVAL;
	r = irqchip_may_create(kvm) ?: apicv_vm_create(kvm) ?: kvm_set_irq_routing(kvm, NULL, 0);
	if (r)
		return r;
	kvm->arch.nr_reserved_pins = nr_pins;
	/* pins before the mode says that they count */
	smp_store_release(&kvm->arch.irqchip_mode, X86_IRQCHIP_SPLIT);
	return 0;
}

/* ---- saving, lines ------------------------------------------------------------------------- */

long irqchip_ioctl_get(struct kvm *kvm, void *arg)
{
	struct irqchip_ioapic *io = ioapic_of(kvm);
	struct irqchip_pic *p = pic_of(kvm);
	struct kvm_irqchip *chip = arg;
	unsigned long flags;

	switch (chip->chip_id) {
	case KVM_IRQCHIP_PIC_MASTER:
	case KVM_IRQCHIP_PIC_SLAVE:
		spin_lock_irqsave(&p->lock, flags);
		pic_get_state(&p->model, chip->chip_id, &chip->chip.pic);
		spin_unlock_irqrestore(&p->lock, flags);
		return 0;
	case KVM_IRQCHIP_IOAPIC:
		spin_lock_irqsave(&io->lock, flags);
		ioapic_get_state(&io->model, &chip->chip.ioapic);
		spin_unlock_irqrestore(&io->lock, flags);
		return 0;
	}
	return -EINVAL;
}

long irqchip_ioctl_set(struct kvm *kvm, void *arg)
{
	struct irqchip_ioapic *io = ioapic_of(kvm);
	struct irqchip_pic *p = pic_of(kvm);
	struct kvm_irqchip *chip = arg;
	unsigned long flags;
	int r;

	switch (chip->chip_id) {
	case KVM_IRQCHIP_PIC_MASTER:
	case KVM_IRQCHIP_PIC_SLAVE:
		spin_lock_irqsave(&p->lock, flags);
		r = pic_set_state(&p->model, chip->chip_id, &chip->chip.pic);
		pic_unlock(p, flags);
		return r;
	case KVM_IRQCHIP_IOAPIC:
		spin_lock_irqsave(&io->lock, flags);
		ioapic_set_state(&io->model, &chip->chip.ioapic);
		spin_unlock_irqrestore(&io->lock, flags);
		return 0;
	}
	return -EINVAL;
}

long irqchip_ioctl_irq_line(struct kvm *kvm, void *arg)
{
	struct kvm_irq_level *line = arg;

	if (!irqchip_in_kernel(kvm))
		return -ENXIO;
	line->status = kvm_set_irq(kvm, KVM_IRQ_SOURCE_USER, line->irq, line->level, true);
	return 0;
}

long irqchip_ioctl_signal_msi(struct kvm *kvm, void *arg)
{
	const struct kvm_msi *msi = arg;

	if (!irqchip_in_kernel(kvm))
		return -EINVAL;
	return kvm_send_msi(kvm, msi);
}

/* ---- life ---------------------------------------------------------------------- */

void irqchip_vm_init(struct kvm *kvm)
{
	mutex_init(&kvm->arch.lapic_map_lock);
}

void irqchip_vm_stop(struct kvm *kvm)
{
	irqchip_pit_stop(kvm);
	if (kvm->arch.ioapic)
		cancel_delayed_work_sync(&ioapic_of(kvm)->retry);
}

void irqchip_vm_destroy(struct kvm *kvm)
{
	irqchip_pit_free(kvm);
	irqchip_free_chips(kvm);
	/* no reader can be left: all vCPUs, irqfds and chips are gone */
	kvfree(irqchip_map_of(rcu_dereference_protected(kvm->arch.lapic_map, true)));
	RCU_INIT_POINTER(kvm->arch.lapic_map, NULL);
}
