/* SPDX-License-Identifier: GPL-2.0 */
/*
 * linux/kvm.h: a field of struct kvm_run that newer kernels rename for their own
 * use, because it must be read once in each KVM_RUN. (We do: vcpu->wants_to_run.)
 */
#ifndef COMPAT_KVM_H
#define COMPAT_KVM_H

#include <linux/kvm.h>

#ifdef HAVE_HIDDEN_IMMEDIATE_EXIT
#define compat_immediate_exit	immediate_exit__unsafe
#else
#define compat_immediate_exit	immediate_exit
#endif

#endif
