/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Everything that mends differences between kernels, in one include for C
 * files (assembly includes compat_enter.h itself).
 *
 * One file for each kernel header that is mended, named after it. The rest of
 * the house sees only names that begin with compat_, defined the same way
 * whatever the kernel; HAVE_... macros come from probe.sh, by name and not by
 * version, and are used in this directory only. Oldest kernel meant: 6.1.
 */
#ifndef COMPAT_H
#define COMPAT_H

#include "compat_kvm.h"
#include "compat_mm.h"
#include "compat_cpuid.h"
#include "compat_eventfd.h"
#include "compat_cpu.h"
#include "guest_work.h"

#endif
