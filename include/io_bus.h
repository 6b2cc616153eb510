/* SPDX-License-Identifier: GPL-2.0 */
/*
 * I/O buses: which in-kernel device answers which guest physical address or
 * port. A bus is an immutable array sorted by address, replaced as a whole
 * under SRCU, so that an access takes no lock.
 */
#ifndef KVM_IO_BUS_H
#define KVM_IO_BUS_H

#include "vm.h"

struct kvm_io_device;

struct kvm_io_ops {
	/* 0 = done; -EOPNOTSUPP = not mine, ask the next. srcu held, may sleep. */
	int (*read)(struct kvm_vcpu *vcpu, struct kvm_io_device *dev, gpa_t addr, int len, void *val);
	int (*write)(struct kvm_vcpu *vcpu, struct kvm_io_device *dev, gpa_t addr, int len, const void *val);
	void (*destroy)(struct kvm_io_device *dev);	/* at VM teardown; may be NULL */
};

struct kvm_io_device {
	const struct kvm_io_ops *ops;
};

/* vCPU thread, srcu held. 0, or -EOPNOTSUPP if nobody took it (then userspace gets it). */
int kvm_io_bus_read(struct kvm_vcpu *vcpu, enum kvm_bus bus, gpa_t addr, int len, void *val);
int kvm_io_bus_write(struct kvm_vcpu *vcpu, enum kvm_bus bus, gpa_t addr, int len, const void *val);
/* Might a device take this access, depending on what is written? srcu held. */
bool kvm_io_bus_listens(struct kvm_vcpu *vcpu, enum kvm_bus bus, gpa_t addr, int len);

/* slots_lock held. len 0 matches any length at that address. -ENOSPC beyond 16384 devices, -ENOMEM. */
int kvm_io_bus_register(struct kvm *kvm, enum kvm_bus bus, gpa_t addr, int len, struct kvm_io_device *dev);
/* slots_lock held. The device is out of reach when this returns; ops->destroy is not called. */
int kvm_io_bus_unregister(struct kvm *kvm, enum kvm_bus bus, struct kvm_io_device *dev);
/* VM teardown: destroys the devices. */
void kvm_io_bus_destroy(struct kvm *kvm);

/* Coalesced MMIO/PIO (virt/coalesced.c); ring page is mapped through the vCPU descriptor. */
int kvm_coalesced_init(struct kvm *kvm);
void kvm_coalesced_free(struct kvm *kvm);
int kvm_coalesced_register(struct kvm *kvm, const struct kvm_coalesced_mmio_zone *zone);
int kvm_coalesced_unregister(struct kvm *kvm, const struct kvm_coalesced_mmio_zone *zone);

/* Eventfds (virt/eventfd.c). */
void kvm_eventfd_init(struct kvm *kvm);
int kvm_ioeventfd(struct kvm *kvm, const struct kvm_ioeventfd *args);
int kvm_irqfd(struct kvm *kvm, const struct kvm_irqfd *args);
void kvm_irqfd_release(struct kvm *kvm);	/* VM teardown: shut all down and wait */
int kvm_irqfd_module_init(void);
void kvm_irqfd_module_exit(void);

#endif
