/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Macros of world-switch assembly that kernels name differently.
 *
 * Probed by name, not by version: a stable kernel may get or lose one at any
 * update. Assembly only.
 *
 *	VM_CLEAR_CPU_BUFFERS	#define or gone (then the feature bit of it is
 *				named through __CLEAR_CPU_BUFFERS)
 *	X86_FEATURE_CLEAR_CPU_BUF_VM_MMIO	#define, or not there yet: then
 *				Intel's attacks have the bit of the exit to userspace
 *				alone, and that through MMIO a static key (compat_virt.h)
 *	UNTRAIN_RET_VM		#define, or not there yet
 */
#ifndef COMPAT_ENTER_H
#define COMPAT_ENTER_H

#include <asm/cpufeatures.h>
#include <asm/nospec-branch.h>

/* Before VMRUN. */
.macro COMPAT_VM_CLEAR_CPU_BUFFERS
#if defined(VM_CLEAR_CPU_BUFFERS)
	VM_CLEAR_CPU_BUFFERS
#elif defined(X86_FEATURE_CLEAR_CPU_BUF_VM)
	ALTERNATIVE "", __CLEAR_CPU_BUFFERS, X86_FEATURE_CLEAR_CPU_BUF_VM
#elif defined(CLEAR_CPU_BUFFERS)
	CLEAR_CPU_BUFFERS
#endif
.endm

/* Before VMLAUNCH and VMRESUME. CF stays. */
.macro COMPAT_VMX_CLEAR_CPU_BUFFERS
#if defined(X86_FEATURE_CLEAR_CPU_BUF_VM_MMIO)
	ALTERNATIVE "", __CLEAR_CPU_BUFFERS, X86_FEATURE_CLEAR_CPU_BUF_VM
	ALTERNATIVE "", __CLEAR_CPU_BUFFERS, X86_FEATURE_CLEAR_CPU_BUF_VM_MMIO
#elif defined(CLEAR_CPU_BUFFERS)
	CLEAR_CPU_BUFFERS
#endif
.endm

/*
 * Where UNTRAIN_RET_VM is missing, UNTRAIN_RET does all but the IBPB that is
 * wanted on exits from a guest alone.
 */
.macro COMPAT_UNTRAIN_RET_VM
#ifdef UNTRAIN_RET_VM
	UNTRAIN_RET_VM
#else
	UNTRAIN_RET
#ifdef X86_FEATURE_IBPB_ON_VMEXIT
	ALTERNATIVE "", "call entry_ibpb", X86_FEATURE_IBPB_ON_VMEXIT
#endif
#endif
.endm

/* Where there is no such macro the kernel knows no such attack. */
.macro COMPAT_CLEAR_BRANCH_HISTORY_VMEXIT
#if defined(X86_FEATURE_CLEAR_BHB_LOOP_ON_VMEXIT) || defined(X86_FEATURE_CLEAR_BHB_VMEXIT)
	CLEAR_BRANCH_HISTORY_VMEXIT
#elif defined(X86_FEATURE_CLEAR_BHB_LOOP)
	CLEAR_BRANCH_HISTORY
#endif
.endm

#endif
