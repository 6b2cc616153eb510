/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What svm/enter.S reads and writes: the offsets of struct svm_entry.
 *
 * Numbers, because assembly knows no structs; svm/svm.h asserts that they are
 * the struct's.
 */
#ifndef KVM_SVM_ENTER_H
#define KVM_SVM_ENTER_H

#define SVM_ENTRY_VMCB		0	/* u64: physical address of the guest's VMCB */
#define SVM_ENTRY_HOST		8	/* u64: ... of this CPU's VMSAVE area */
#define SVM_ENTRY_GPRS		16	/* u64 *: enum x86_gpr order; RAX and RSP stay in the VMCB */
#define SVM_ENTRY_GUEST_SPEC	24	/* u64: guest's SPEC_CTRL, in and out */
#define SVM_ENTRY_HOST_SPEC	32	/* u64: host's */
#define SVM_ENTRY_SPEC_MODE	40	/* u32: SVM_SPEC_* */
#define SVM_ENTRY_FAULTED	44	/* u32: out, 1 = SVM was switched off under us */

#define SVM_SPEC_NONE		0	/* nothing to switch, or the hardware does it */
#define SVM_SPEC_SWITCH		1	/* the guest can't write it without an exit */
#define SVM_SPEC_READ_BACK	2	/* the guest writes it directly */

#endif
