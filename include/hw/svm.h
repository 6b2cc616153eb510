/* SPDX-License-Identifier: GPL-2.0 */
/*
 * AMD secure virtual machine: the control block, exit codes, bits and MSRs.
 *
 * Written from the AMD64 Architecture Programmer's Manual, volume 2: chapter
 * "Secure Virtual Machine" and appendices B (layout of the VMCB) and C (exit
 * codes). Facts only: nothing here has behaviour.
 *
 * A VMCB is one page. The control area (first 1 KB) says what the hypervisor
 * intercepts and reports why the guest stopped; the save area (from 0x400) is
 * the guest's own state. VMRUN and #VMEXIT move one part of the save area,
 * VMLOAD and VMSAVE the other (marked [L] below).
 *
 * Names differ from those of the kernel's asm/svm.h on purpose, so that both
 * can be included. Reserved fields are named rsvd_<offset>.
 */
#ifndef KVM_HW_SVM_H
#define KVM_HW_SVM_H

#include "pure.h"

/* ---- intercepts: number = 32 * word + bit ---------------------------------- */
#define SVM_I_CR_READ(n)	(0 + (n))
#define SVM_I_CR_WRITE(n)	(16 + (n))
#define SVM_I_DR_READ(n)	(32 + (n))
#define SVM_I_DR_WRITE(n)	(48 + (n))
#define SVM_I_EXCEPTION(v)	(64 + (v))

enum svm_intercept {
	SVM_I_INTR = 96, SVM_I_NMI, SVM_I_SMI, SVM_I_INIT, SVM_I_VINTR,
	SVM_I_CR0_SEL_WRITE,			/* bits other than TS and MP */
	SVM_I_IDTR_READ, SVM_I_GDTR_READ, SVM_I_LDTR_READ, SVM_I_TR_READ,
	SVM_I_IDTR_WRITE, SVM_I_GDTR_WRITE, SVM_I_LDTR_WRITE, SVM_I_TR_WRITE,
	SVM_I_RDTSC, SVM_I_RDPMC, SVM_I_PUSHF, SVM_I_POPF, SVM_I_CPUID, SVM_I_RSM,
	SVM_I_IRET, SVM_I_SWINT, SVM_I_INVD, SVM_I_PAUSE, SVM_I_HLT, SVM_I_INVLPG,
	SVM_I_INVLPGA, SVM_I_IOIO, SVM_I_MSR, SVM_I_TASK_SWITCH, SVM_I_FERR_FREEZE,
	SVM_I_SHUTDOWN,
	SVM_I_VMRUN = 128, SVM_I_VMMCALL, SVM_I_VMLOAD, SVM_I_VMSAVE, SVM_I_STGI,
	SVM_I_CLGI, SVM_I_SKINIT, SVM_I_RDTSCP, SVM_I_ICEBP, SVM_I_WBINVD,
	SVM_I_MONITOR, SVM_I_MWAIT, SVM_I_MWAIT_ARMED, SVM_I_XSETBV, SVM_I_RDPRU,
	SVM_I_EFER_TRAP,
	SVM_I_INVLPGB = 160, SVM_I_INVLPGB_ILLEGAL, SVM_I_INVPCID, SVM_I_MCOMMIT,
	SVM_I_TLBSYNC,
	SVM_I_WORDS = 6
};

/* ---- the control block -------------------------------------------------------- */
struct svm_seg {
	u16 sel;
	u16 attrib;		/* descriptor bits 55:52 and 47:40, put together */
	u32 limit;
	u64 base;
} __packed;

struct svm_control {
	u32 intercepts[SVM_I_WORDS];	/* 000 */
	u8 rsvd_018[0x24];
	u16 pause_thresh;		/* 03c */
	u16 pause_count;
	u64 iopm_pa;			/* 040 */
	u64 msrpm_pa;
	u64 tsc_offset;			/* 050 */
	u32 asid;
	u8 tlb_ctl;			/* 05c */
	u8 rsvd_05d[3];
	u32 int_ctl;			/* 060 */
	u32 int_vector;
	u64 int_state;			/* 068 */
	u64 exit_code;			/* 070 */
	u64 exit_info1;
	u64 exit_info2;			/* 080 */
	u32 exit_int_info;		/* 088 */
	u32 exit_int_error;
	u64 np_ctl;			/* 090 */
	u64 avic_bar;
	u64 ghcb_pa;			/* 0a0 */
	u32 event_inj;			/* 0a8 */
	u32 event_inj_error;
	u64 ncr3;			/* 0b0 */
	u64 virt_ext;			/* 0b8 */
	u32 clean;			/* 0c0 */
	u32 rsvd_0c4;
	u64 next_rip;			/* 0c8 */
	u8 fetched;			/* 0d0: number of bytes in insn */
	u8 insn[15];
	u8 rsvd_0e0[0x400 - 0xe0];
} __packed;

struct svm_save {
	struct svm_seg es, cs, ss, ds;	/* 400 */
	struct svm_seg fs, gs;		/* 440 [L] */
	struct svm_seg gdtr;		/* 460 */
	struct svm_seg ldtr;		/* 470 [L] */
	struct svm_seg idtr;		/* 480 */
	struct svm_seg tr;		/* 490 [L] */
	u8 rsvd_4a0[0x2b];
	u8 cpl;				/* 4cb */
	u8 rsvd_4cc[4];
	u64 efer;			/* 4d0 */
	u8 rsvd_4d8[0x70];
	u64 cr4, cr3, cr0;		/* 548 */
	u64 dr7, dr6;			/* 560 */
	u64 rflags, rip;		/* 570 */
	u8 rsvd_580[0x58];
	u64 rsp;			/* 5d8 */
	u64 s_cet, ssp, isst;		/* 5e0 */
	u64 rax;			/* 5f8 */
	u64 star, lstar, cstar, sfmask;	/* 600 [L] */
	u64 kernel_gs_base;		/* 620 [L] */
	u64 sysenter_cs, sysenter_esp, sysenter_eip;	/* 628 [L] */
	u64 cr2;			/* 640 */
	u8 rsvd_648[0x20];
	u64 g_pat;			/* 668 */
	u64 dbgctl;			/* 670 */
	u64 br_from, br_to, lastexcp_from, lastexcp_to;
	u8 rsvd_698[0x48];
	u64 spec_ctrl;			/* 6e0 */
	u8 rsvd_6e8[0x1000 - 0x6e8];
} __packed;

struct svm_vmcb {
	struct svm_control ctl;
	struct svm_save save;
} __packed;

static_assert(offsetof(struct svm_vmcb, ctl.pause_thresh) == 0x03c);
static_assert(offsetof(struct svm_vmcb, ctl.int_ctl) == 0x060);
static_assert(offsetof(struct svm_vmcb, ctl.exit_code) == 0x070);
static_assert(offsetof(struct svm_vmcb, ctl.event_inj) == 0x0a8);
static_assert(offsetof(struct svm_vmcb, ctl.clean) == 0x0c0);
static_assert(offsetof(struct svm_vmcb, ctl.fetched) == 0x0d0);
static_assert(offsetof(struct svm_vmcb, save) == 0x400);
static_assert(offsetof(struct svm_vmcb, save.cpl) == 0x4cb);
static_assert(offsetof(struct svm_vmcb, save.cr4) == 0x548);
static_assert(offsetof(struct svm_vmcb, save.rip) == 0x578);
static_assert(offsetof(struct svm_vmcb, save.rsp) == 0x5d8);
static_assert(offsetof(struct svm_vmcb, save.rax) == 0x5f8);
static_assert(offsetof(struct svm_vmcb, save.cr2) == 0x640);
static_assert(offsetof(struct svm_vmcb, save.g_pat) == 0x668);
static_assert(offsetof(struct svm_vmcb, save.spec_ctrl) == 0x6e0);
static_assert(sizeof(struct svm_vmcb) == 0x1000);

/* svm_seg.attrib */
#define SVM_ATTR_TYPE		GENMASK(3, 0)
#define SVM_ATTR_S		BIT(4)
#define SVM_ATTR_DPL_SHIFT	5
#define SVM_ATTR_P		BIT(7)
#define SVM_ATTR_AVL		BIT(8)
#define SVM_ATTR_L		BIT(9)
#define SVM_ATTR_DB		BIT(10)
#define SVM_ATTR_G		BIT(11)

/* ctl.tlb_ctl */
#define SVM_TLB_NOTHING		0
#define SVM_TLB_FLUSH_ALL	1
#define SVM_TLB_FLUSH_ASID	3	/* needs the flush-by-ASID feature */

/* ctl.int_ctl */
#define SVM_V_TPR		GENMASK(3, 0)
#define SVM_V_IRQ		BIT(8)
#define SVM_V_GIF		BIT(9)
#define SVM_V_INTR_PRIO_SHIFT	16
#define SVM_V_INTR_PRIO		GENMASK(19, 16)
#define SVM_V_IGN_TPR		BIT(20)
#define SVM_V_INTR_MASKING	BIT(24)
#define SVM_V_GIF_ENABLE	BIT(25)

/* ctl.int_state */
#define SVM_INT_SHADOW		BIT_ULL(0)

/* ctl.exit_int_info and ctl.event_inj */
#define SVM_EV_VECTOR		GENMASK(7, 0)
#define SVM_EV_TYPE		GENMASK(10, 8)
#define SVM_EV_TYPE_INTR	(0 << 8)
#define SVM_EV_TYPE_NMI		(2 << 8)
#define SVM_EV_TYPE_EXC		(3 << 8)
#define SVM_EV_TYPE_SOFT	(4 << 8)
#define SVM_EV_HAS_ERROR	BIT(11)
#define SVM_EV_VALID		BIT(31)

/* ctl.np_ctl, ctl.virt_ext */
#define SVM_NP_ENABLE		BIT_ULL(0)
#define SVM_LBR_VIRT		BIT_ULL(0)

/* ctl.clean: 1 = not changed since the last VMRUN of this VMCB on this CPU */
enum svm_clean {
	SVM_CLEAN_CTL,		/* intercepts, TSC offset, pause filter */
	SVM_CLEAN_PERM,		/* I/O and MSR permission map addresses */
	SVM_CLEAN_ASID,
	SVM_CLEAN_TPR,		/* int_ctl, int_vector */
	SVM_CLEAN_NP,		/* np_ctl, ncr3, g_pat */
	SVM_CLEAN_CR,		/* CR0, CR3, CR4, EFER */
	SVM_CLEAN_DR,		/* DR6, DR7 */
	SVM_CLEAN_DT,		/* GDTR, IDTR */
	SVM_CLEAN_SEG,		/* CS DS SS ES, CPL */
	SVM_CLEAN_CR2,
	SVM_CLEAN_LBR,		/* DBGCTL, branch records */
	SVM_NR_CLEAN
};

#define SVM_CLEAN_ALL		(BIT(SVM_NR_CLEAN) - 1)

/* ---- exit codes -------------------------------------------------------------- */
#define SVM_EXIT_CR_READ(n)	(0x00 + (n))
#define SVM_EXIT_CR_WRITE(n)	(0x10 + (n))
#define SVM_EXIT_DR_READ(n)	(0x20 + (n))
#define SVM_EXIT_DR_WRITE(n)	(0x30 + (n))
#define SVM_EXIT_EXC(v)		(0x40 + (v))

/* Intercept n of words 3 and 4 exits with this code. */
#define SVM_EXIT_OF(intercept)	((intercept) - SVM_I_INTR + 0x60)

/* Words 5 and up begin at a0h, in the same order. */
#define SVM_EXIT_OF5(intercept)	((intercept) - SVM_I_INVLPGB + 0xa0)

#define SVM_EXITCODE_NPF	0x400
#define SVM_EXITCODE_INVALID	(~0ULL)

/* exit_info1 of IOIO */
#define SVM_IOIO_IN		BIT(0)
#define SVM_IOIO_STRING		BIT(2)
#define SVM_IOIO_REP		BIT(3)
#define SVM_IOIO_SIZE_SHIFT	4	/* one of bits 6:4, which are 4, 2 and 1 bytes */
#define SVM_IOIO_PORT_SHIFT	16

/* exit_info1 of a CR access with decode assists */
#define SVM_CR_IS_MOV		BIT_ULL(63)
#define SVM_CR_GPR		GENMASK_ULL(3, 0)

/* exit_info2 of TASK_SWITCH */
#define SVM_TASK_IRET		BIT_ULL(36)
#define SVM_TASK_JMP		BIT_ULL(38)
#define SVM_TASK_HAS_ERROR	BIT_ULL(44)
#define SVM_TASK_RF		BIT_ULL(48)

/* ---- MSRs and CPUID ------------------------------------------------------------ */
#define SVM_MSR_VM_CR		0xc0010114
#define SVM_VM_CR_LOCK		BIT_ULL(3)
#define SVM_VM_CR_SVMDIS	BIT_ULL(4)
#define SVM_MSR_HSAVE_PA	0xc0010117
#define SVM_MSR_TSC_RATIO	0xc0000104
#define SVM_RATIO_ONE	BIT_ULL(32)
#define SVM_RATIO_MAX	GENMASK_ULL(39, 0)
#define SVM_MSR_DE_CFG		0xc0011029
#define SVM_DE_CFG_LFENCE	BIT_ULL(1)	/* LFENCE serialises dispatch */
#define SVM_MSR_VIRT_SPEC_CTRL	0xc001011f
#define SVM_VIRT_SPEC_CTRL_SSBD	BIT_ULL(2)
#define SVM_CPUID		0x8000000a	/* EBX: number of ASIDs */

/* Permission maps: 3 pages for I/O (and 3 bits beyond port ffffh), 2 for MSRs. */
#define SVM_IOPM_ORDER		2
#define SVM_MSRPM_ORDER		1

#endif
