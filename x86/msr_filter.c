// SPDX-License-Identifier: GPL-2.0
/*
 * The MSR filter of a VM: up to 16 ranges, each with a bitmap, and a default.
 *
 * A filter is built complete from the VMM's description, published by one
 * pointer store and never changed afterwards. Readers hold kvm->srcu; a writer
 * holds kvm->slots_lock, waits for the readers of the old one and then frees
 * it. vCPUs are told with KVM_REQ_INTERCEPTS, because an MSR that the filter
 * denies must not be reached without an exit: the vendor's permission map is
 * recomputed through x86_msr_allowed().
 *
 * The MSRs of the x2APIC (0x800 - 0x8ff) are never filtered.
 */
#include <linux/slab.h>
#include <linux/srcu.h>
#include <linux/uaccess.h>
#include "msr_filter.h"
#include "x86.h"

#define MSR_X2APIC_FIRST	0x800
#define MSR_X2APIC_LAST		0x8ff

/* Only 0 and 1 decide; negative: this range says nothing about the access. */
static int range_says(const struct x86_msr_range *r, u32 index, u32 type)
{
	if (index < r->base || index - r->base >= r->nmsrs || !(r->flags & type))
		return -1;
	return test_bit(array_index_nospec(index - r->base, r->nmsrs), r->bitmap);
}

static bool filter_allows(const struct x86_msr_filter *f, u32 index, u32 type)
{
	int i, says;

	for (i = 0; i < f->nr; i++) {
		says = range_says(&f->range[i], index, type);
		if (says >= 0)
			return says;
	}
	return f->default_allow;
}

bool x86_msr_allowed(struct kvm_vcpu *vcpu, u32 index, u32 type)
{
	struct kvm *kvm = vcpu->kvm;
	const struct x86_msr_filter *f;
	bool ok = true;
	int idx;

	if (index >= MSR_X2APIC_FIRST && index <= MSR_X2APIC_LAST)
		return true;
	/* no filter, the common case: who races with the ioctl may see either */
	if (likely(!rcu_access_pointer(kvm->arch.msr_filter)))
		return true;
	/* taken here, so that a caller who builds permission maps need not care */
	idx = srcu_read_lock(&kvm->srcu);
	f = srcu_dereference(kvm->arch.msr_filter, &kvm->srcu);
	if (f)
		ok = filter_allows(f, index, type);
	srcu_read_unlock(&kvm->srcu, idx);
	return ok;
}
EXPORT_SYMBOL_GPL(x86_msr_allowed);

static void filter_destroy(struct x86_msr_filter *f)
{
	int i;

	if (!f)
		return;
	for (i = 0; i < f->nr; i++)
		kfree(f->range[i].bitmap);
	kfree(f);
}

static bool range_valid(const struct kvm_msr_filter_range *r)
{
	return r->flags && !(r->flags & ~(KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE)) &&
	       DIV_ROUND_UP((u64)r->nmsrs, 8) <= KVM_MSR_FILTER_MAX_BITMAP_SIZE;
}

/* 0, -EINVAL, -EFAULT, -ENOMEM. An empty range is skipped. */
static int filter_add(struct x86_msr_filter *f, const struct kvm_msr_filter_range *r)
{
	struct x86_msr_range *to = &f->range[f->nr];
	unsigned long *bitmap;
	size_t bytes = BITS_TO_LONGS((size_t)r->nmsrs) * sizeof(long);

	if (!r->nmsrs)
		return 0;
	if (!range_valid(r))
		return -EINVAL;
	bitmap = memdup_user((void __user *)r->bitmap, bytes);
	if (IS_ERR(bitmap))
		return PTR_ERR(bitmap);
	*to = (struct x86_msr_range) {
		.flags = r->flags, .base = r->base, .nmsrs = r->nmsrs, .bitmap = bitmap,
	};
	f->nr++;
	return 0;
}

/* The filter that @user describes; NULL for none at all. */
static struct x86_msr_filter *filter_create(const struct kvm_msr_filter *user)
{
	struct x86_msr_filter *f;
	int i, r;

	if (user->flags & ~KVM_MSR_FILTER_DEFAULT_DENY)
		return ERR_PTR(-EINVAL);
	f = kzalloc(sizeof(*f), GFP_KERNEL_ACCOUNT);
	if (!f)
		return ERR_PTR(-ENOMEM);
	f->default_allow = !(user->flags & KVM_MSR_FILTER_DEFAULT_DENY);
	for (i = 0; i < KVM_MSR_FILTER_MAX_RANGES; i++) {
		r = filter_add(f, &user->ranges[i]);
		if (r)
			goto fail;
	}
	r = -EINVAL;	/* "deny everything" is a mistake, not a filter */
	if (!f->nr && !f->default_allow)
		goto fail;
	if (f->nr)
		return f;
	filter_destroy(f);
	return NULL;
fail:
	filter_destroy(f);
	return ERR_PTR(r);
}

long x86_vm_set_msr_filter(struct kvm *kvm, void *arg)
{
	struct x86_msr_filter *new, *old;

	new = filter_create(arg);
	if (IS_ERR(new))
		return PTR_ERR(new);
	mutex_lock(&kvm->slots_lock);
	old = rcu_replace_pointer(kvm->arch.msr_filter, new, lockdep_is_held(&kvm->slots_lock));
	synchronize_srcu(&kvm->srcu);
	mutex_unlock(&kvm->slots_lock);
	filter_destroy(old);
	kvm_request_all(kvm, KVM_REQ_INTERCEPTS);
	return 0;
}

void x86_msr_filter_free(struct kvm *kvm)
{
	filter_destroy(rcu_dereference_protected(kvm->arch.msr_filter, 1));
	RCU_INIT_POINTER(kvm->arch.msr_filter, NULL);
}
