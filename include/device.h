/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Devices made by KVM_CREATE_DEVICE: a descriptor with attributes.
 */
#ifndef KVM_DEVICE_H
#define KVM_DEVICE_H

#include "vm.h"

struct kvm_device;

/* All in process context, with the VM referenced by the device. */
struct kvm_device_class {
	const char *name;
	/* kvm->lock held: -EBUSY if there can be only one. Sets dev->priv. */
	int (*create)(struct kvm_device *dev);
	void (*destroy)(struct kvm_device *dev);	/* no lock; last descriptor closed */
	int (*set_attr)(struct kvm_device *dev, const struct kvm_device_attr *attr);
	int (*get_attr)(struct kvm_device *dev, const struct kvm_device_attr *attr);
	int (*has_attr)(struct kvm_device *dev, const struct kvm_device_attr *attr);
};

struct kvm_device {
	struct kvm *kvm;			/* [I] referenced */
	const struct kvm_device_class *type;	/* [I] */
	void *priv;				/* [I] */
	struct list_head link;			/* [L] kvm->devices */
};

extern const struct kvm_device_class kvm_vfio_device_type;

/* KVM_CREATE_DEVICE: fills args->fd. 0, -ENODEV unknown type, -EBUSY, -ENOMEM ... */
int kvm_create_device(struct kvm *kvm, struct kvm_create_device *args);

#endif
