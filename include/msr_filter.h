/* SPDX-License-Identifier: GPL-2.0 */
/*
 * KVM_X86_SET_MSR_FILTER: which MSRs a VMM wants to see or to forbid. The
 * ioctl and the release are in x86.h.
 */
#ifndef KVM_MSR_FILTER_H
#define KVM_MSR_FILTER_H

#include "vm.h"

struct x86_msr_range {
	u32 flags;		/* KVM_MSR_FILTER_READ, KVM_MSR_FILTER_WRITE */
	u32 base, nmsrs;
	unsigned long *bitmap;	/* 1 allows */
};

struct x86_msr_filter {
	bool default_allow;
	int nr;
	struct x86_msr_range range[KVM_MSR_FILTER_MAX_RANGES];
};

#endif
