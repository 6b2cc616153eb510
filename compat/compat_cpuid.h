/* SPDX-License-Identifier: GPL-2.0 */
/*
 * asm/cpuid/api.h: functions around the CPUID instruction, once in asm/processor.h.
 */
#ifndef COMPAT_CPUID_H
#define COMPAT_CPUID_H

#ifdef HAVE_CPUID_API_H
#include <asm/cpuid/api.h>
#else
#include <asm/processor.h>
#endif

#endif
