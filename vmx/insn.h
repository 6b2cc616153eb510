/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The instructions of Intel VT, one function each. They say by flags whether
 * they worked: CF or ZF is a failure, which in our use is a bug of ours and
 * warned about once.
 */
#ifndef KVM_VMX_INSN_H
#define KVM_VMX_INSN_H

#include <linux/bug.h>
#include <linux/types.h>
#include <asm/asm.h>
#include "compat_vmx.h"

static __always_inline u64 vmx_read(unsigned long field)
{
	unsigned long val;

	asm volatile("vmread %1, %0" : "=rm" (val) : "r" (field) : "cc");
	return val;
}

static __always_inline u32 vmx_read32(unsigned long field)
{
	return vmx_read(field);
}

static inline void vmx_write(unsigned long field, u64 val)
{
	bool failed;

	asm volatile("vmwrite %2, %1" : "=@ccbe" (failed) : "r" (field), "rm" (val) : "cc");
	WARN_ONCE(failed, "VMWRITE of field %lx failed, value %llx\n", field, val);
}

static inline void vmx_vmptrld(phys_addr_t pa)
{
	bool failed;

	asm volatile("vmptrld %1" : "=@ccbe" (failed) : "m" (pa) : "cc", "memory");
	WARN_ONCE(failed, "VMPTRLD of %pa failed\n", &pa);
}

/* Also in a crash, when VMX may be off already: then it faults, and that is all. */
static inline void vmx_vmclear(phys_addr_t pa)
{
	asm volatile("1: vmclear %0\n\t"
		     "2:\n\t"
		     _ASM_EXTABLE(1b, 2b)
		     : : "m" (pa) : "cc", "memory");
}

struct vmx_inv_operand {
	u64 id, addr;
};

static inline void vmx_invept(unsigned long type, u64 eptp)
{
	struct vmx_inv_operand op = { .id = eptp };
	bool failed;

	asm volatile("invept %1, %2" : "=@ccbe" (failed) : "m" (op), "r" (type) : "cc", "memory");
	WARN_ONCE(failed, "INVEPT type %lu of %llx failed\n", type, eptp);
}

static inline void vmx_invvpid(unsigned long type, u16 vpid, u64 addr)
{
	struct vmx_inv_operand op = { .id = vpid, .addr = addr };
	bool failed;

	asm volatile("invvpid %1, %2" : "=@ccbe" (failed) : "m" (op), "r" (type) : "cc", "memory");
	WARN_ONCE(failed, "INVVPID type %lu of %u failed\n", type, vpid);
}

#endif
