// SPDX-License-Identifier: GPL-2.0
/*
 * GSI routing: a GSI is a number that the VMM raises; its routes say what that
 * means: up to one pin on each in-kernel chip, or one MSI.
 *
 * The table is built completely, checked, and replaced as a whole, so a bad
 * entry changes nothing and a reader sees one table or the other. Readers are
 * in irq_srcu and may be in interrupt context.
 *
 * Before a replacement the chips note what the new table's interrupts need;
 * after it, and before the old table is freed, irqfds refresh their copies of
 * MSI routes.
 *
 * Ack notifiers are told when the guest ends a level-triggered interrupt: they
 * hang on a GSI, the chip knows its pin, and the table translates.
 *
 * Locks: irq_lock for changes of table and notifiers, irq_srcu for readers.
 */
#include <linux/nospec.h>
#include <linux/slab.h>
#include "routing.h"
#include "trace.h"
#include "virt.h"

#define NR_CHIPS	3

static struct kvm_irq_routing_table *table_read(struct kvm *kvm)
{
	return srcu_dereference_check(kvm->irq_routing, &kvm->irq_srcu,
				      lockdep_is_held(&kvm->irq_lock));
}

/* ---- building ---------------------------------------------------------------- */

static void table_free(struct kvm_irq_routing_table *t)
{
	struct kvm_irq_route *r;
	struct hlist_node *next;
	u32 i;

	if (!t)
		return;
	for (i = 0; i < t->nr_gsis; i++) {
		hlist_for_each_entry_safe(r, next, &t->by_gsi[i], link) {
			hlist_del(&r->link);
			kfree(r);
		}
	}
	kvfree(t);
}

static struct kvm_irq_routing_table *table_alloc(u32 nr_gsis)
{
	struct kvm_irq_routing_table *t;

	t = kvzalloc(struct_size(t, by_gsi, nr_gsis), GFP_KERNEL_ACCOUNT);
	if (!t)
		return NULL;
	memset(t->chip_pin_gsi, 0xff, sizeof(t->chip_pin_gsi));
	t->nr_gsis = nr_gsis;
	return t;
}

/* A GSI may go to one MSI, or to one pin on each chip. */
static bool route_fits(struct kvm_irq_routing_table *t, const struct kvm_irq_routing_entry *e)
{
	struct kvm_irq_route *r;

	hlist_for_each_entry(r, &t->by_gsi[e->gsi], link) {
		if (r->type != KVM_IRQ_ROUTING_IRQCHIP || e->type != KVM_IRQ_ROUTING_IRQCHIP)
			return false;
		if (r->chip.irqchip == e->u.irqchip.irqchip)
			return false;
	}
	return true;
}

static int table_add(struct kvm *kvm, struct kvm_irq_routing_table *t,
		     const struct kvm_irq_routing_entry *e)
{
	struct kvm_irq_route *r;
	int err;

	if (e->flags || !route_fits(t, e))
		return -EINVAL;
	r = kzalloc(sizeof(*r), GFP_KERNEL_ACCOUNT);
	if (!r)
		return -ENOMEM;
	r->gsi = e->gsi;
	r->type = e->type;
	err = irqchip_set_route(kvm, r, e);
	if (err) {
		kfree(r);
		return err;
	}
	if (r->type == KVM_IRQ_ROUTING_IRQCHIP && r->chip.irqchip < NR_CHIPS &&
	    r->chip.pin < ARRAY_SIZE(t->chip_pin_gsi[0]))
		t->chip_pin_gsi[r->chip.irqchip][r->chip.pin] = r->gsi;
	hlist_add_head(&r->link, &t->by_gsi[r->gsi]);
	return 0;
}

static struct kvm_irq_routing_table *table_build(struct kvm *kvm,
						 const struct kvm_irq_routing_entry *entries,
						 unsigned int nr)
{
	struct kvm_irq_routing_table *t;
	unsigned int i;
	u32 max = 0;
	int r = 0;

	for (i = 0; i < nr; i++) {
		if (entries[i].gsi >= KVM_MAX_IRQ_ROUTES)
			return ERR_PTR(-EINVAL);
		max = max(max, entries[i].gsi + 1);
	}
	t = table_alloc(max);
	if (!t)
		return ERR_PTR(-ENOMEM);
	for (i = 0; i < nr && !r; i++)
		r = table_add(kvm, t, &entries[i]);
	if (r) {
		table_free(t);
		return ERR_PTR(r);
	}
	return t;
}

int kvm_set_irq_routing(struct kvm *kvm, const struct kvm_irq_routing_entry *entries,
			unsigned int nr)
{
	struct kvm_irq_routing_table *t, *old;

	t = table_build(kvm, entries, nr);
	if (IS_ERR(t))
		return PTR_ERR(t);

	mutex_lock(&kvm->irq_lock);
	old = rcu_dereference_protected(kvm->irq_routing, lockdep_is_held(&kvm->irq_lock));
	irqchip_routes_coming(kvm, t);
	rcu_assign_pointer(kvm->irq_routing, t);
	kvm_irqfd_routes_changed(kvm);
	mutex_unlock(&kvm->irq_lock);

	synchronize_srcu_expedited(&kvm->irq_srcu);
	table_free(old);
	return 0;
}

int kvm_init_irq_routing(struct kvm *kvm)
{
	struct kvm_irq_routing_table *t = table_alloc(0);

	if (!t)
		return -ENOMEM;
	rcu_assign_pointer(kvm->irq_routing, t);
	return 0;
}

void kvm_free_irq_routing(struct kvm *kvm)
{
	table_free(rcu_dereference_protected(kvm->irq_routing, 1));
	RCU_INIT_POINTER(kvm->irq_routing, NULL);
}

/* ---- raising -------------------------------------------------------------------- */

int kvm_gsi_routes(struct kvm *kvm, u32 gsi, struct kvm_irq_route *out)
{
	struct kvm_irq_routing_table *t = table_read(kvm);
	struct kvm_irq_route *r;
	int n = 0;

	if (!t || gsi >= t->nr_gsis)
		return 0;
	gsi = array_index_nospec(gsi, t->nr_gsis);
	hlist_for_each_entry(r, &t->by_gsi[gsi], link) {
		if (WARN_ON_ONCE(n == NR_CHIPS))
			break;
		out[n++] = *r;
	}
	return n;
}

int kvm_set_irq(struct kvm *kvm, int source, u32 gsi, int level, bool line_status)
{
	struct kvm_irq_route routes[NR_CHIPS];
	int idx, i, n, r, ret = -1;

	trace_kvm_set_irq(gsi, level, source);
	idx = srcu_read_lock(&kvm->irq_srcu);
	n = kvm_gsi_routes(kvm, gsi, routes);
	srcu_read_unlock(&kvm->irq_srcu, idx);

	for (i = 0; i < n; i++) {
		r = routes[i].set(&routes[i], kvm, source, level, line_status);
		if (r >= 0)
			ret = r + max(ret, 0);
	}
	return ret;
}

int kvm_set_irq_inatomic(struct kvm *kvm, int source, u32 gsi, int level)
{
	struct kvm_irq_route routes[NR_CHIPS];
	int idx, n;

	idx = srcu_read_lock(&kvm->irq_srcu);
	n = kvm_gsi_routes(kvm, gsi, routes);
	srcu_read_unlock(&kvm->irq_srcu, idx);

	if (n != 1 || routes[0].type != KVM_IRQ_ROUTING_MSI)
		return -EWOULDBLOCK;
	return routes[0].set(&routes[0], kvm, source, level, false);
}

int kvm_send_msi(struct kvm *kvm, const struct kvm_msi *msi)
{
	struct kvm_irq_routing_entry e = {
		.type = KVM_IRQ_ROUTING_MSI,
		.u.msi = {
			.address_lo = msi->address_lo,
			.address_hi = msi->address_hi,
			.data = msi->data,
		},
	};
	struct kvm_irq_route r = { .type = KVM_IRQ_ROUTING_MSI };
	int err;

	if (msi->flags)
		return -EINVAL;
	err = irqchip_set_route(kvm, &r, &e);
	if (err)
		return err;
	return max(r.set(&r, kvm, KVM_IRQ_SOURCE_USER, 1, false), 0);
}

/* ---- acknowledgement -------------------------------------------------------------- */

/* The GSI that leads to a pin, or -1. irq_srcu held. */
static int pin_to_gsi(struct kvm *kvm, unsigned int irqchip, unsigned int pin)
{
	struct kvm_irq_routing_table *t = table_read(kvm);

	if (!t || irqchip >= NR_CHIPS || pin >= ARRAY_SIZE(t->chip_pin_gsi[0]))
		return -1;
	return t->chip_pin_gsi[irqchip][pin];
}

void kvm_notify_acked_irq(struct kvm *kvm, unsigned int irqchip, unsigned int pin)
{
	struct kvm_irq_ack_notifier *n;
	int gsi, idx;

	trace_kvm_ack_irq(irqchip, pin);
	idx = srcu_read_lock(&kvm->irq_srcu);
	gsi = pin_to_gsi(kvm, irqchip, pin);
	if (gsi >= 0) {
		hlist_for_each_entry_srcu(n, &kvm->irq_ack_notifiers, link,
					  srcu_read_lock_held(&kvm->irq_srcu)) {
			if (n->gsi == gsi)
				n->acked(n);
		}
	}
	srcu_read_unlock(&kvm->irq_srcu, idx);
}

bool kvm_irq_has_notifier(struct kvm *kvm, unsigned int irqchip, unsigned int pin)
{
	struct kvm_irq_ack_notifier *n;
	bool found = false;
	int gsi, idx;

	idx = srcu_read_lock(&kvm->irq_srcu);
	gsi = pin_to_gsi(kvm, irqchip, pin);
	if (gsi >= 0) {
		hlist_for_each_entry_srcu(n, &kvm->irq_ack_notifiers, link,
					  srcu_read_lock_held(&kvm->irq_srcu))
			found |= n->gsi == gsi;
	}
	srcu_read_unlock(&kvm->irq_srcu, idx);
	return found;
}

void kvm_register_ack_notifier(struct kvm *kvm, struct kvm_irq_ack_notifier *n)
{
	mutex_lock(&kvm->irq_lock);
	hlist_add_head_rcu(&n->link, &kvm->irq_ack_notifiers);
	mutex_unlock(&kvm->irq_lock);
}

void kvm_unregister_ack_notifier(struct kvm *kvm, struct kvm_irq_ack_notifier *n)
{
	mutex_lock(&kvm->irq_lock);
	hlist_del_init_rcu(&n->link);
	mutex_unlock(&kvm->irq_lock);
	synchronize_srcu_expedited(&kvm->irq_srcu);
}
