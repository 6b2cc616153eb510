/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Between the files of pv/. What others call is in x86.h.
 */
#ifndef KVM_PV_H
#define KVM_PV_H

#include "x86.h"

/* pv/pvclock.c. Setters: 0 or -EINVAL; srcu held. */
int pv_set_system_time(struct kvm_vcpu *vcpu, u64 data);
int pv_set_wall_clock(struct kvm_vcpu *vcpu, u64 data);
/* pv/steal.c */
int pv_set_steal_time(struct kvm_vcpu *vcpu, u64 data);
/* pv/eoi.c */
int pv_set_eoi(struct kvm_vcpu *vcpu, u64 data);

#endif
