/* SPDX-License-Identifier: GPL-2.0 */
/*
 * asm/cpuid/api.h: functions around the CPUID instruction, once in asm/processor.h. And
 * features that had no name before (CMPCCXADD: 6.3).
 */
#ifndef COMPAT_CPUID_H
#define COMPAT_CPUID_H

#ifdef HAVE_CPUID_API_H
#include <asm/cpuid/api.h>
#else
#include <asm/processor.h>
#endif
#include <asm/cpufeatures.h>

#ifndef X86_FEATURE_CMPCCXADD
#define X86_FEATURE_CMPCCXADD	(12 * 32 + 7)
#endif

#endif
