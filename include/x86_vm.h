/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The x86 part of a VM. Tags as in vm.h.
 */
#ifndef KVM_X86_VM_H
#define KVM_X86_VM_H

#include <linux/bitmap.h>
#include <linux/rwsem.h>
#include <linux/seqlock.h>
#include "types.h"
#include "mmu_vm.h"

struct pic;
struct ioapic;
struct pit;
struct lapic_map;

enum x86_irqchip_mode {
	X86_IRQCHIP_NONE,	/* no in-kernel chips: KVM_INTERRUPT, HLT exits */
	X86_IRQCHIP_SPLIT,	/* local APICs only */
	X86_IRQCHIP_FULL,
};

/* One TSC generation: writes that mean "the same moment" share it. */
struct x86_vm_tsc {
	raw_spinlock_t lock;		/* all of this struct */
	u64 last_ns, last_write;	/* host boottime and guest value of the last write */
	u64 last_khz;
	u64 cur_offset, cur_ns, cur_write;
	u64 generation;
	u32 nr_matched;
};

/* kvmclock of the whole VM: one (host ns, host tsc) pair if all TSCs match. */
struct x86_vm_clock {
	struct rw_semaphore update_sem;	/* pages are rewritten under the read side: pv/pvclock.c */
	seqcount_raw_spinlock_t seq;	/* readers; writers hold tsc.lock */
	bool use_master;
	u64 master_kernel_ns, master_tsc;
	u64 master_generation;		/* tsc.generation it was taken for */
	s64 offset;			/* kvmclock = host boottime ns + offset */
	struct delayed_work update_work, sync_work;
};

/* Hardware that does local APICs' work: apicv.h. */
struct x86_vm_apicv {
	spinlock_t lock;
	unsigned int nr[3];		/* [lock] of each reason, how many vCPUs have it */
	unsigned long inhibits;		/* [lock] to write; why no vCPU may use it */
	struct page *page;		/* [I] with the chips; NULL: none */
	bool page_on;			/* [lapic_map_lock] to write; may the page be mapped? */
};

struct x86_vm {
	struct mmu_vm mmu;

	enum x86_irqchip_mode irqchip_mode;	/* [L], release/acquire */
	struct pic *pic;			/* [I] once irqchip_mode says FULL */
	struct ioapic *ioapic;			/* [I] ditto */
	struct pit *pit;			/* [L] written once */
	unsigned int nr_reserved_pins;		/* [L] split: userspace I/O APIC pins */
	DECLARE_BITMAP(pin_vectors, 256);	/* [a] split: their EOIs exit; bits are only set */
	struct lapic_map __rcu *lapic_map;	/* [lapic_map_lock], RCU readers */
	struct mutex lapic_map_lock;
	bool x2apic_format, x2apic_broadcast_quirk_off;	/* [L] KVM_CAP_X2APIC_API */
	u32 boot_vcpu_id;			/* [L] KVM_SET_BOOT_CPU_ID */
	struct x86_vm_apicv apicv;

	struct x86_vm_tsc tsc;
	struct x86_vm_clock clock;
	u32 default_tsc_khz;			/* [L] */
	gpa_t wall_clock;			/* [L] */

	unsigned long tss_addr;			/* [L] */
	u64 identity_map_addr;			/* [L] */
	u64 disabled_exits;			/* [L] before vCPUs: KVM_X86_DISABLE_EXIT_* */
	u64 disabled_quirks;			/* [L] */
	bool exception_payload;			/* [L] */
	bool triple_fault_event;		/* [L] */
	bool exit_on_emulation_error;		/* [L] */
	bool platform_info_readable;		/* [L] */
	u32 user_space_msr_mask;		/* [L] KVM_MSR_EXIT_REASON_* */
	struct x86_msr_filter __rcu *msr_filter;	/* [S] */
	bool noncoherent_dma;
	unsigned int nr_logged;			/* [slots_lock] slots with a dirty log; vCPUs look before each entry */
	void *vendor;				/* vendor's own VM state, if any */
};

#endif
