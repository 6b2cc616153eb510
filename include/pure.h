/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The small common ground on which pure code stands in kernel and userspace.
 *
 * The emulator, the guest page-table walker and entry formats, the interrupt
 * chip models and the CPUID tables know nothing of vCPUs, locks or memory
 * management. They are kept that way so that the very same source is built a
 * second time as an ordinary program, where libcheck, the sanitizers and a
 * fuzzer can get at it.
 *
 * A pure file includes this header and pure headers of ours, nothing else.
 * In the kernel the names come from the kernel's own headers. In userspace
 * they come from tests/unit/shim/pure_shim.h, which gives the same names the
 * same meaning; a pure file that needs one more adds it there.
 */
#ifndef KVM_PURE_H
#define KVM_PURE_H

#ifdef __KERNEL__
#include <linux/types.h>
#include <linux/align.h>
#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/bits.h>
#include <linux/bug.h>
#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/container_of.h>
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/log2.h>
#include <linux/math.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/nospec.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <asm/processor-flags.h>
#else
#include "pure_shim.h"
#endif

#endif /* KVM_PURE_H */
