// SPDX-License-Identifier: GPL-2.0
/*
 * I/O buses: which in-kernel device answers an address.
 *
 * A bus is an array of ranges sorted by address, replaced as a whole and read
 * under kvm->srcu. Ranges may overlap (several eventfds on one address, an
 * eventfd inside of a device), so an access asks every range that holds it, in
 * order of address, until one does not answer -EOPNOTSUPP. The array knows its
 * longest range: the search starts that far below the access and ends above it.
 *
 * A range of length 0 holds every access that begins at its address, whatever
 * its length.
 *
 * Locks: slots_lock for changes, srcu for accesses.
 */
#include <linux/slab.h>
#include "io_bus.h"
#include "virt.h"

/* Every ioeventfd is one: guests with many queues have thousands. */
#define MAX_DEVICES	16384

struct io_range {
	gpa_t addr;
	int len;
	struct kvm_io_device *dev;
};

struct kvm_io_bus {
	int nr;
	int longest;		/* length of the longest range, at least 1 */
	struct io_range range[];
};

static struct kvm_io_bus *bus_alloc(int nr, gfp_t flags)
{
	struct kvm_io_bus *bus = kvzalloc(struct_size(bus, range, nr), GFP_KERNEL_ACCOUNT | flags);

	if (bus)
		bus->longest = 1;
	return bus;
}

static void bus_add(struct kvm_io_bus *bus, const struct io_range *r)
{
	bus->range[bus->nr++] = *r;
	bus->longest = max(bus->longest, r->len);
}

static struct kvm_io_bus *bus_read(struct kvm *kvm, enum kvm_bus b)
{
	return srcu_dereference(kvm->buses[b], &kvm->srcu);
}

static struct kvm_io_bus *bus_locked(struct kvm *kvm, enum kvm_bus b)
{
	return rcu_dereference_protected(kvm->buses[b], lockdep_is_held(&kvm->slots_lock));
}

/* Index of the first range at or above @addr. */
static int bus_lower_bound(const struct kvm_io_bus *bus, gpa_t addr)
{
	int lo = 0, hi = bus->nr;

	while (lo < hi) {
		int mid = lo + (hi - lo) / 2;

		if (bus->range[mid].addr < addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Index of the first range that could hold @addr. */
static int bus_first(const struct kvm_io_bus *bus, gpa_t addr)
{
	gpa_t reach = bus->longest - 1;

	return bus_lower_bound(bus, addr > reach ? addr - reach : 0);
}

static bool range_holds(const struct io_range *r, gpa_t addr, int len)
{
	if (!r->len)
		return addr == r->addr;
	return addr >= r->addr && addr - r->addr + len <= r->len;
}

/* What is asked of a device. */
struct access {
	gpa_t addr;
	int len;
	void *in;		/* a read */
	const void *out;	/* a write; NULL on the fast bus */
	bool write;
};

static int range_access(struct kvm_vcpu *vcpu, const struct io_range *r, const struct access *a)
{
	const struct kvm_io_ops *ops = r->dev->ops;

	if (a->write)
		return ops->write ? ops->write(vcpu, r->dev, a->addr, a->len, a->out) :
				    -EOPNOTSUPP;
	return ops->read ? ops->read(vcpu, r->dev, a->addr, a->len, a->in) : -EOPNOTSUPP;
}

static int bus_access(struct kvm_vcpu *vcpu, enum kvm_bus b, const struct access *a)
{
	struct kvm_io_bus *bus = bus_read(vcpu->kvm, b);
	int i, r;

	for (i = bus_first(bus, a->addr); i < bus->nr && bus->range[i].addr <= a->addr; i++) {
		if (!range_holds(&bus->range[i], a->addr, a->len))
			continue;
		r = range_access(vcpu, &bus->range[i], a);
		if (r != -EOPNOTSUPP)
			return r;
	}
	return -EOPNOTSUPP;
}

int kvm_io_bus_read(struct kvm_vcpu *vcpu, enum kvm_bus bus, gpa_t addr, int len, void *val)
{
	const struct access a = { .addr = addr, .len = len, .in = val };

	return bus_access(vcpu, bus, &a);
}

int kvm_io_bus_write(struct kvm_vcpu *vcpu, enum kvm_bus bus, gpa_t addr, int len, const void *val)
{
	const struct access a = { .addr = addr, .len = len, .out = val, .write = true };

	return bus_access(vcpu, bus, &a);
}

bool kvm_io_bus_listens(struct kvm_vcpu *vcpu, enum kvm_bus b, gpa_t addr, int len)
{
	struct kvm_io_bus *bus = bus_read(vcpu->kvm, b);
	int i;

	for (i = bus_first(bus, addr); i < bus->nr && bus->range[i].addr <= addr; i++)
		if (range_holds(&bus->range[i], addr, len))
			return true;
	return false;
}

static void bus_replace(struct kvm *kvm, enum kvm_bus b, struct kvm_io_bus *bus)
{
	struct kvm_io_bus *old = bus_locked(kvm, b);

	rcu_assign_pointer(kvm->buses[b], bus);
	synchronize_srcu_expedited(&kvm->srcu);
	kvfree(old);
}

int kvm_io_bus_register(struct kvm *kvm, enum kvm_bus b, gpa_t addr, int len,
			struct kvm_io_device *dev)
{
	const struct io_range new = { .addr = addr, .len = len, .dev = dev };
	struct kvm_io_bus *old, *bus;
	int i, at;

	lockdep_assert_held(&kvm->slots_lock);
	old = bus_locked(kvm, b);
	if (old->nr >= MAX_DEVICES)
		return -ENOSPC;
	bus = bus_alloc(old->nr + 1, 0);
	if (!bus)
		return -ENOMEM;
	at = bus_lower_bound(old, addr);
	for (i = 0; i < at; i++)
		bus_add(bus, &old->range[i]);
	bus_add(bus, &new);
	for (; i < old->nr; i++)
		bus_add(bus, &old->range[i]);
	bus_replace(kvm, b, bus);
	return 0;
}

int kvm_io_bus_unregister(struct kvm *kvm, enum kvm_bus b, struct kvm_io_device *dev)
{
	struct kvm_io_bus *old, *bus;
	int i;

	lockdep_assert_held(&kvm->slots_lock);
	old = bus_locked(kvm, b);
	for (i = 0; i < old->nr && old->range[i].dev != dev; i++)
		;
	if (i == old->nr)
		return -ENOENT;
	/* The caller is about to free the device: there is no way back. */
	bus = bus_alloc(old->nr - 1, __GFP_NOFAIL);
	for (i = 0; i < old->nr; i++) {
		if (old->range[i].dev != dev)
			bus_add(bus, &old->range[i]);
	}
	bus_replace(kvm, b, bus);
	return 0;
}

int kvm_io_bus_init(struct kvm *kvm, enum kvm_bus b)
{
	struct kvm_io_bus *bus = bus_alloc(0, 0);

	if (!bus)
		return -ENOMEM;
	rcu_assign_pointer(kvm->buses[b], bus);
	return 0;
}

/* Nobody reads any more. A device on two buses must give destroy on one of them only. */
void kvm_io_bus_destroy(struct kvm *kvm)
{
	int b, i;

	for (b = 0; b < KVM_NR_BUSES; b++) {
		struct kvm_io_bus *bus = rcu_dereference_protected(kvm->buses[b], 1);

		for (i = 0; bus && i < bus->nr; i++) {
			struct kvm_io_device *dev = bus->range[i].dev;

			if (dev->ops->destroy)
				dev->ops->destroy(dev);
		}
		kvfree(bus);
		RCU_INIT_POINTER(kvm->buses[b], NULL);
	}
}
