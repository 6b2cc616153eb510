/* SPDX-License-Identifier: GPL-2.0 */
/*
 * asm/vmx.h: names of control bits and fields that came, went or changed between
 * kernels. What has no name in one of them has its number from the manual here.
 */
#ifndef COMPAT_VMX_H
#define COMPAT_VMX_H

#include <asm/vmx.h>

#ifndef SECONDARY_EXEC_XSAVES
#define SECONDARY_EXEC_XSAVES		BIT(20)
#endif

/* Exit qualification of EPT violations. */
#ifndef EPT_VIOLATION_RWX_MASK
#define EPT_VIOLATION_RWX_MASK		GENMASK(5, 3)
#endif

#endif
