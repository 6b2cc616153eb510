/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The instructions of Intel VT, one function each. They say by flags whether
 * they worked: CF or ZF is a failure, which in our use is a bug of ours and
 * warned about once.
 *
 * A reboot switches VMX off under vCPUs that still have a thread, and a CPU that
 * could not switch it on may come online. There they fault, which is passed over: a
 * read gives 0, and the entry itself fails (enter.S).
 */
#ifndef KVM_VMX_INSN_H
#define KVM_VMX_INSN_H

#include <linux/bug.h>
#include <linux/types.h>
#include <asm/asm.h>
#include "compat_vmx.h"

static __always_inline u64 vmx_read(unsigned long field)
{
	unsigned long val = 0;

	asm volatile("1: vmread %1, %0\n\t"
		     "2:\n\t"
		     _ASM_EXTABLE(1b, 2b)
		     : "+r" (val) : "r" (field) : "cc");
	return val;
}

static __always_inline u32 vmx_read32(unsigned long field)
{
	return vmx_read(field);
}

static inline void vmx_write(unsigned long field, u64 val)
{
	asm goto("1: vmwrite %1, %0\n\t"
		 "jbe %l[failed]\n\t"
		 "2:\n\t"
		 _ASM_EXTABLE(1b, 2b)
		 : : "r" (field), "rm" (val) : "cc" : failed);
	return;
failed:
	WARN_ONCE(1, "VMWRITE of field %lx failed, value %llx\n", field, val);
}

/* One that reads memory; to the label failed, if it did. */
#define VMX_INSN(insn, inputs...)				\
	asm goto("1: " insn "\n\t"				\
		 "jbe %l[failed]\n\t"				\
		 "2:\n\t"					\
		 _ASM_EXTABLE(1b, 2b)				\
		 : : inputs : "cc", "memory" : failed)

static inline void vmx_vmptrld(phys_addr_t pa)
{
	VMX_INSN("vmptrld %0", "m" (pa));
	return;
failed:
	WARN_ONCE(1, "VMPTRLD of %pa failed\n", &pa);
}

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

	VMX_INSN("invept %0, %1", "m" (op), "r" (type));
	return;
failed:
	WARN_ONCE(1, "INVEPT type %lu of %llx failed\n", type, eptp);
}

static inline void vmx_invvpid(unsigned long type, u16 vpid, u64 addr)
{
	struct vmx_inv_operand op = { .id = vpid, .addr = addr };

	VMX_INSN("invvpid %0, %1", "m" (op), "r" (type));
	return;
failed:
	WARN_ONCE(1, "INVVPID type %lu of %u failed\n", type, vpid);
}

#endif
