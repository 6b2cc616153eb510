/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What virt/ offers to kvm_main.c and its own files, and to nobody else.
 * All in process context.
 */
#ifndef KVM_VIRT_H
#define KVM_VIRT_H

#include "vm.h"
#include "vcpu.h"
#include "routing.h"

struct vm_area_struct;

/* virt/vm.c: CPU hotplug, suspend and reboot, while a vendor is registered. */
int kvm_hardware_module_init(void);
void kvm_hardware_module_exit(void);

/* virt/vcpu.c */
int kvm_vcpu_module_init(void);
void kvm_vcpu_module_exit(void);
/*
 * KVM_CREATE_VCPU: the new descriptor, or -EINVAL (id), -EEXIST, -ENOMEM or what
 * the architecture says. @fops are the descriptor's.
 */
int kvm_create_vcpu(struct kvm *kvm, unsigned long id, const struct file_operations *fops);
/* VM teardown: nothing runs any more. */
void kvm_destroy_vcpus(struct kvm *kvm);
/* mmap() of a vCPU descriptor. */
int kvm_vcpu_mmap(struct file *file, struct vm_area_struct *vma);
/* KVM_RUN, with vcpu->mutex held and loaded. */
long kvm_vcpu_run(struct kvm_vcpu *vcpu);
/* KVM_SET_SIGNAL_MASK; @set NULL: none. vcpu->mutex held. */
void kvm_vcpu_set_sigmask(struct kvm_vcpu *vcpu, const sigset_t *set);

/* virt/routing.c: an empty table. 0 or -ENOMEM. */
int kvm_init_irq_routing(struct kvm *kvm);
/* virt/eventfd.c: irq_lock held; the routes were replaced. */
void kvm_irqfd_routes_changed(struct kvm *kvm);

/* virt/io_bus.c: an empty bus. 0 or -ENOMEM. */
int kvm_io_bus_init(struct kvm *kvm, enum kvm_bus bus);

/* virt/perf.c: samples that hit a guest are told apart. */
void kvm_perf_init(void);
void kvm_perf_exit(void);

#endif
