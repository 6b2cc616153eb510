/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The x86 part of a vCPU: architectural state in classes, pending events, and
 * one struct for each room (MMU, local APIC, TSC, MSRs, pv ...).
 *
 * Everything is [V] (vcpu->mutex, i.e. the thread that runs the vCPU) unless
 * tagged: [a] atomic, [I] constant after creation.
 */
#ifndef KVM_X86_VCPU_H
#define KVM_X86_VCPU_H

#include <linux/hrtimer.h>
#include <asm/fpu/api.h>
#include "types.h"
#include "mmu_vm.h"

struct lapic;
struct x86_emul;

/*
 * Register classes. A class is one of
 *
 *   avail  dirty   meaning
 *     0      0     hardware (VMCB or VMCS) holds it; fetch before reading
 *     1      0     cache and hardware agree
 *     1      1     the cache is newer; the vendor writes it back before entry
 *     0      1     impossible
 *
 * All bits of avail are cleared after each exit, save those of classes that the
 * vendor brings along at once. The general registers other than RSP are always in
 * the cache: entry code saves and loads them. So are the privilege level and
 * whether CS is a 64-bit segment, because nearly every exit asks for them.
 */
enum x86_seg { X86_ES, X86_CS, X86_SS, X86_DS, X86_FS, X86_GS, X86_TR, X86_LDTR, X86_NR_SEGS };

enum x86_class {
	X86_RIP,
	X86_RSP,
	X86_RFLAGS,
	X86_CR0,
	X86_CR3,
	X86_CR4,
	X86_EFER,
	X86_SEG_CLASS,	/* ES; the others follow in order of enum x86_seg. SS comes with CPL */
	X86_SEG_LAST = X86_SEG_CLASS + X86_NR_SEGS - 1,
	X86_DT,		/* GDTR, IDTR */
	X86_DR,		/* DR6, DR7: DR0-3 are always in the cache */
	X86_NR_CLASSES
};

#define X86_ALL_CLASSES	(BIT(X86_NR_CLASSES) - 1)
#define X86_ALL_SEGS	GENMASK(X86_SEG_LAST, X86_SEG_CLASS)

enum x86_gpr {
	X86_RAX, X86_RCX, X86_RDX, X86_RBX, X86_RSP_IDX, X86_RBP, X86_RSI, X86_RDI,
	X86_R8, X86_R9, X86_R10, X86_R11, X86_R12, X86_R13, X86_R14, X86_R15,
	X86_NR_GPRS
};

struct x86_regs {
	u64 gpr[X86_NR_GPRS];		/* entry assembly knows this offset */
	u64 rip, rflags;
	u64 cr0, cr2, cr3, cr4, efer;
	u64 dr[4], dr6, dr7;		/* what the guest sees */
	struct kvm_segment seg[X86_NR_SEGS];
	u8 cpl;				/* SS.DPL */
	bool cs_l;			/* CS.L */
	struct kvm_dtable gdt, idt;
	u32 avail, dirty;		/* bitmaps of enum x86_class */
};

/*
 * Pending events: the single place that all injection goes through.
 *   pending   raised, not yet given to the hardware; may still merge (#DF)
 *   injected  given to the hardware; if the delivery is cut short by an exit,
 *             the vendor puts it back here and it is injected again first
 *   held      an interrupt whose delivery raised an exception: that one goes
 *             first, this one follows as soon as interrupts are taken again
 */
struct x86_exception {
	bool pending, injected;
	bool has_error, has_payload;
	bool soft;			/* INT3, INTO: replay the instruction's RIP rules */
	u8 vector, insn_len;
	u32 error;
	u64 payload;			/* #DB: DR6 bits, #PF: CR2 */
};

struct x86_events {
	struct x86_exception exc;
	struct {
		bool injected, soft;
		u8 vector;
		u8 insn_len;
	} intr;
	u8 in_flight;			/* BIT(enum x86_event_kind): the hardware's at the last entry */
	s16 held_vector;		/* an interrupt to be delivered anew, -1 none */
	s16 user_vector;		/* KVM_INTERRUPT's vector, -1 none */
	atomic_t nmi_queued;		/* [a] from other threads */
	u8 nmi_pending;			/* <= 2 */
	bool nmi_injected;
	bool triple_fault;
};

struct x86_cpuid {
	struct kvm_cpuid_entry2 *entries;
	int nent;
	u32 caps[32];			/* guest's feature words, indexed like the kernel's X86_FEATURE_* / 32 */
	u8 maxphyaddr;
	u64 reserved_gpa_bits;
	u64 cr4_reserved;		/* CR4 bits this guest may not set */
	u64 xcr0_supported;
	u64 xss_supported;
	u32 kvm_features;		/* 0x40000001 EAX if present */
	u32 kvm_base;			/* base of the KVM leaves, 0 if none */
	bool enforce_pv;		/* KVM_CAP_ENFORCE_PV_FEATURE_CPUID */
	bool is_amd;			/* AMD or Hygon vendor string */
};

#define X86_MCE_BANKS	32

struct x86_mce {
	u64 cap, status, ctl;
	u64 bank[X86_MCE_BANKS * 4];	/* CTL STATUS ADDR MISC */
};

struct x86_mtrr {
	u64 def_type;
	u64 fixed[11];
	u64 var[8][2];
};

struct x86_tsc {
	u64 offset;			/* hw offset: guest = scale(host) + offset */
	u64 multiplier;			/* scaling ratio, 0 = none */
	u64 adjust;			/* IA32_TSC_ADJUST */
	u32 khz;			/* virtual frequency; 0 = host's */
	u64 generation;			/* of the VM's TSC generation */
	u64 last_guest_tsc, last_host_tsc;
	u64 deadline;			/* IA32_TSC_DEADLINE: kept by the lapic */
};

struct x86_pv {
	u64 clock_msr;			/* MSR_KVM_SYSTEM_TIME(_NEW), bit 0 enable */
	u64 steal_msr, eoi_msr, poll_ctl;
	bool clock_guest_stopped;	/* KVM_KVMCLOCK_CTRL */
	u64 last_steal;
	u64 clock_hz;			/* guest TSC rate that clock_mul and clock_shift are for */
	u32 clock_mul;
	s8 clock_shift;
	bool steal_preempted;		/* the flag in guest memory is set */
	bool eoi_pending;		/* we told the guest that it may skip an EOI */
	struct kvm_guest_cache clock_mem, steal_mem, eoi_mem;
};

struct x86_guest_debug {
	u32 control;			/* KVM_GUESTDBG_* */
	u64 dr[4], dr7;			/* the debugger's */
};

struct x86_vcpu {
	struct x86_regs regs;
	struct x86_events ev;
	struct x86_cpuid cpuid;
	struct mmu_vcpu mmu;

	struct lapic *apic;		/* [I] NULL without in-kernel APIC */
	u64 apic_base;			/* IA32_APIC_BASE */
	bool apicv_active;		/* read by senders of interrupts: irq/apicv.c */
	unsigned int apicv_inhibits;	/* this vCPU's of the VM's */
	u64 entry_deadline;		/* host TSC at which run() must end, 0 never: hw_caps.entry_timer_span */
	u64 eoi_exit_vector;		/* pending KVM_EXIT_IOAPIC_EOI */
	u32 mp_state;			/* [V], read by others as a hint */
	unsigned long pv_unhalted;	/* [a] */

	struct fpu_guest guest_fpu;
	u64 xcr0, xss, host_xcr0, host_xss;
	u32 pkru, host_pkru;
	u64 cr8;			/* TPR >> 4 without in-kernel APIC */

	/* MSRs that no other room owns */
	u64 pat;
	u64 misc_enable;
	u64 arch_capabilities;
	u64 smbase;
	u64 spec_ctrl, virt_spec_ctrl;
	u64 hwcr, ucode_rev;
	u64 osvw[2];			/* OS visible workarounds: length, status */
	u64 platform_info, misc_features;

	struct x86_mce mce;
	struct x86_mtrr mtrr;
	struct x86_tsc tsc;
	struct x86_pv pv;
	struct x86_guest_debug dbg;
	bool dr_loaded;			/* guest's DR0-3 belong into the CPU on entry */

	struct x86_emul *emul;		/* [I] emulator context and pending I/O */
	/* finishes what an exit to userspace left open, at the next KVM_RUN */
	int (*complete_user)(struct kvm_vcpu *vcpu);
	u64 complete_rip;		/* linear RIP of the instruction that is open */
	u8 *pio_data;			/* [I] the page behind vcpu->run */

	bool tpr_access_reporting;
	gpa_t vapic_addr;		/* 0: none */
	struct kvm_guest_cache vapic;
};

#endif
