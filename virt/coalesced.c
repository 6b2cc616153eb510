// SPDX-License-Identifier: GPL-2.0
/*
 * Coalesced MMIO and PIO: writes that may wait.
 *
 * Writes into a registered zone go into a ring that the VMM drains whenever
 * another exit brings it back to userspace, in order, before it looks at that
 * exit. The ring is one page of the VM, mapped through each vCPU descriptor.
 *
 * The VMM owns `first', we own `last', and the page is the VMM's to scribble
 * on: `last' is checked at each use. A full ring is no error, the write then
 * exits as if there were no zone.
 *
 * Locks: ring_lock for the ring; slots_lock for the list of zones.
 */
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include "io_bus.h"
#include "vcpu.h"

struct coalesced_zone {
	struct kvm_io_device dev;
	struct list_head link;		/* [S] kvm->coalesced_zones */
	struct kvm_coalesced_mmio_zone zone;	/* [I] */
};

static enum kvm_bus zone_bus(const struct kvm_coalesced_mmio_zone *zone)
{
	return zone->pio ? KVM_BUS_PIO : KVM_BUS_MMIO;
}

/* ring_lock held. False if the ring is full, or the VMM broke it. */
static bool ring_put(struct kvm_coalesced_mmio_ring *ring, const struct kvm_coalesced_mmio *entry)
{
	u32 last = READ_ONCE(ring->last);
	u32 next = (last + 1) % KVM_COALESCED_MMIO_MAX;

	if (last >= KVM_COALESCED_MMIO_MAX || next == READ_ONCE(ring->first))
		return false;
	ring->coalesced_mmio[array_index_nospec(last, KVM_COALESCED_MMIO_MAX)] = *entry;
	smp_wmb();	/* the entry is there before `last' says so */
	WRITE_ONCE(ring->last, next);
	return true;
}

static int zone_write(struct kvm_vcpu *vcpu, struct kvm_io_device *dev, gpa_t addr, int len,
		      const void *val)
{
	struct coalesced_zone *z = container_of(dev, struct coalesced_zone, dev);
	struct kvm_coalesced_mmio entry = {
		.phys_addr = addr,
		.len = len,
		.pio = z->zone.pio,
	};
	struct kvm *kvm = vcpu->kvm;
	bool done;

	if (len > (int)sizeof(entry.data))
		return -EOPNOTSUPP;
	memcpy(entry.data, val, len);
	spin_lock(&kvm->ring_lock);
	done = ring_put(kvm->coalesced_ring, &entry);
	spin_unlock(&kvm->ring_lock);
	return done ? 0 : -EOPNOTSUPP;
}

static void zone_destroy(struct kvm_io_device *dev)
{
	struct coalesced_zone *z = container_of(dev, struct coalesced_zone, dev);

	list_del(&z->link);
	kfree(z);
}

static const struct kvm_io_ops zone_ops = {
	.write = zone_write,
	.destroy = zone_destroy,
};

int kvm_coalesced_register(struct kvm *kvm, const struct kvm_coalesced_mmio_zone *zone)
{
	struct coalesced_zone *z;
	int r;

	if (zone->pio > 1 || zone->size > INT_MAX)
		return -EINVAL;
	z = kzalloc(sizeof(*z), GFP_KERNEL_ACCOUNT);
	if (!z)
		return -ENOMEM;
	z->dev.ops = &zone_ops;
	z->zone = *zone;

	mutex_lock(&kvm->slots_lock);
	r = kvm_io_bus_register(kvm, zone_bus(zone), zone->addr, zone->size, &z->dev);
	if (!r)
		list_add_tail(&z->link, &kvm->coalesced_zones);
	mutex_unlock(&kvm->slots_lock);
	if (r)
		kfree(z);
	return r;
}

static bool zone_inside(const struct kvm_coalesced_mmio_zone *in,
			const struct kvm_coalesced_mmio_zone *out)
{
	return in->pio == out->pio && in->addr >= out->addr && in->size <= out->size &&
	       in->addr - out->addr <= out->size - in->size;
}

/* All zones inside of @zone go; that there is none is no error. */
int kvm_coalesced_unregister(struct kvm *kvm, const struct kvm_coalesced_mmio_zone *zone)
{
	struct coalesced_zone *z, *next;

	if (zone->pio > 1)
		return -EINVAL;
	mutex_lock(&kvm->slots_lock);
	list_for_each_entry_safe(z, next, &kvm->coalesced_zones, link) {
		if (!zone_inside(&z->zone, zone))
			continue;
		kvm_io_bus_unregister(kvm, zone_bus(&z->zone), &z->dev);
		zone_destroy(&z->dev);
	}
	mutex_unlock(&kvm->slots_lock);
	return 0;
}

int kvm_coalesced_init(struct kvm *kvm)
{
	spin_lock_init(&kvm->ring_lock);
	INIT_LIST_HEAD(&kvm->coalesced_zones);
	kvm->coalesced_ring = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	return kvm->coalesced_ring ? 0 : -ENOMEM;
}

void kvm_coalesced_free(struct kvm *kvm)
{
	free_page((unsigned long)kvm->coalesced_ring);
	kvm->coalesced_ring = NULL;
}
