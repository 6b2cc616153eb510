/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ioctls are rows of const tables, one table for each kind of descriptor and
 * layer. The row says what the dispatcher does around the handler: which lock,
 * what must exist, how the argument travels. A handler never copies its
 * fixed-size argument itself.
 */
#ifndef KVM_IOCTL_H
#define KVM_IOCTL_H

#include "vm.h"
#include "vcpu.h"

enum kvm_ioctl_flags {
	/*
	 * Without one of these two the dispatcher hands over a zeroed kernel buffer
	 * of _IOC_SIZE(cmd), filled from userspace if _IOC_DIR has _IOC_WRITE, and
	 * copied back on success if it has _IOC_READ.
	 */
	IOCTL_RAW	= BIT(0),	/* arg is the user pointer: variable size */
	IOCTL_VALUE	= BIT(1),	/* arg is a number: pass (void *)arg */
	IOCTL_NO_ARG	= BIT(2),	/* arg must be 0, else -EINVAL */
	IOCTL_LOCK	= BIT(3),	/* VM: kvm->lock. vCPU: mutex + load is the default */
	IOCTL_ASYNC	= BIT(4),	/* vCPU: no mutex, no load (KVM_INTERRUPT, KVM_NMI) */
	IOCTL_IRQCHIP	= BIT(5),	/* -ENXIO without a full in-kernel irqchip */
	IOCTL_LAPIC	= BIT(6),	/* -EINVAL without an in-kernel local APIC */
	IOCTL_NO_VCPUS	= BIT(7),	/* -EINVAL once a vCPU exists (with IOCTL_LOCK) */
	IOCTL_SRCU	= BIT(8),	/* handler runs with kvm->srcu held for reading */
};

struct kvm_ioctl {
	unsigned int cmd;
	unsigned int flags;
	union {
		long (*sys)(void *arg);
		long (*vm)(struct kvm *kvm, void *arg);
		long (*vcpu)(struct kvm_vcpu *vcpu, void *arg);
	};
};

struct kvm_ioctl_table {
	const struct kvm_ioctl *rows;
	int nr;
};

/* x86/ioctl.c: the architecture's rows, searched after kvm_main.c's own. */
extern const struct kvm_ioctl_table x86_sys_ioctls, x86_vm_ioctls, x86_vcpu_ioctls;
/* x86/caps.c: KVM_CHECK_EXTENSION. @kvm NULL on the system descriptor. 0 = unknown. */
int x86_check_extension(struct kvm *kvm, long cap);
/* KVM_ENABLE_CAP on a VM / a vCPU: 0, -EINVAL unknown or bad argument. */
int x86_vm_enable_cap(struct kvm *kvm, const struct kvm_enable_cap *cap);
int x86_vcpu_enable_cap(struct kvm_vcpu *vcpu, const struct kvm_enable_cap *cap);

#endif
