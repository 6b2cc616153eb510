/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What vmx/enter.S reads and writes: the offsets of struct vmx_entry.
 *
 * Numbers, because assembly knows no structs; vmx/vmx.h asserts that they are
 * the struct's.
 */
#ifndef KVM_VMX_ENTER_H
#define KVM_VMX_ENTER_H

#define VMX_ENTRY_GPRS		0	/* u64 *: enum x86_gpr order; RSP stays in the VMCS */
#define VMX_ENTRY_HOST_RSP	8	/* u64: what the VMCS has as the host's RSP */
#define VMX_ENTRY_GUEST_SPEC	16	/* u64: guest's SPEC_CTRL, in and out */
#define VMX_ENTRY_HOST_SPEC	24	/* u64: host's */
#define VMX_ENTRY_SPEC_MODE	32	/* u32: VMX_SPEC_* */
#define VMX_ENTRY_LAUNCHED	36	/* u32: bit 0, VMRESUME instead of VMLAUNCH */
#define VMX_ENTRY_FAILED	40	/* u32: out, 1 = the instruction itself failed */

#define VMX_SPEC_NONE		0	/* nothing to switch */
#define VMX_SPEC_SWITCH		1	/* the guest can't write it without an exit */
#define VMX_SPEC_READ_BACK	2	/* the guest writes it directly */
#define VMX_SPEC_ALWAYS		4	/* flag: write the host's even if it is the same (IBRS) */

#define VMX_HOST_RSP_FIELD	0x6c14	/* the VMCS encoding, for assembly */

#endif
