/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the rooms of vmx/ share: the vCPU as Intel VT sees it.
 *
 * One VMCS for each vCPU, reached only through vmx->vmcs, so that a nested
 * guest's can be put there later. The core's register cache (x86_vcpu.h) lies
 * in front of it: vmx_fetch() fills a class by VMREAD, vmx_flush() writes dirty
 * classes back just before entry.
 *
 * A VMCS is in one of these states. Only the CPU that it is active on may touch
 * it, and only the current one of that CPU by VMREAD and VMWRITE.
 *
 *	clear		in memory, on no CPU		vmcs->cpu == -1
 *	active		cached by one CPU		vmcs->cpu, and on its list
 *	current		... and what its VMREAD reads	per-CPU vmx_cpus.current
 *
 * vmx_vcpu_load() makes it current, so while a vCPU is loaded VMREAD just works,
 * preemption included. To leave a CPU it has to be cleared there: by the CPU
 * itself, on request of the next one, when it goes offline, or in a crash.
 *
 * Controls are kept in memory beside the VMCS and written only if they change.
 * Of what an exit tells, the reason is read at once and the rest when somebody
 * asks.
 *
 * Everything here belongs to the vCPU's thread (vcpu->mutex) unless said
 * otherwise.
 */
#ifndef KVM_VMX_VMX_H
#define KVM_VMX_VMX_H

#include <linux/percpu.h>
#include "compat_vmx.h"
#include "x86.h"
#include "enter.h"

/* ---- capabilities: constant after setup ---------------------------------------- */

/* A word of controls: bits that have to be 1, and that may be. */
struct vmx_allowed {
	u32 must, may;
};

struct vmx_controls {
	u32 pin, cpu, cpu2, exit, entry;
};

struct vmx_caps {
	u32 revision;
	struct vmx_allowed pin, cpu, cpu2, exit, entry;
	u64 misc, ept_vpid;
	u64 cr0_must, cr0_may, cr4_must, cr4_may;
};

extern struct vmx_caps vmx_caps;	/* what the CPU can */
extern struct vmx_controls vmx_base;	/* what every VMCS of ours starts with */
extern bool vmx_ept, vmx_unrestricted, vmx_vpid, vmx_ept_ad, vmx_preemption_timer, vmx_pml;
extern bool vmx_apicv, vmx_posts;
extern unsigned int vmx_ple_gap, vmx_ple_window;
extern bool vmx_dump_invalid;

/* 0, or -EOPNOTSUPP after a message. This CPU's MSRs. */
int vmx_read_caps(struct vmx_caps *caps);
/* Choose vmx_base by vmx_caps and the parameters, which are lowered to what there is. */
int vmx_choose_controls(void);

#define VMX_MISC_TIMER_SHIFT	0x1f

/* The preemption timer counts the TSC's ticks shifted by that. */
static inline unsigned int vmx_timer_shift(void)
{
	return vmx_caps.misc & VMX_MISC_TIMER_SHIFT;
}

/* ---- per CPU -------------------------------------------------------------------- */

struct vmx_vmcs;

/* What one physical CPU knows. [p] preemption off on that CPU; the list: interrupts off. */
struct vmx_cpu {
	struct page *vmxon;		/* the hardware's own */
	struct vmx_vmcs *current_vmcs;	/* what VMREAD reads */
	struct list_head active;	/* every VMCS that this CPU may have cached */
	struct vmx_vmcs *last;		/* whose branch predictions are here */
	bool on;
};

DECLARE_PER_CPU(struct vmx_cpu, vmx_cpus);

/* ---- the vCPU -------------------------------------------------------------------- */

struct vmx_vmcs {
	void *page;
	phys_addr_t pa;
	int cpu;			/* [p] where it is active, -1 nowhere */
	struct list_head link;		/* [p] of vmx_cpu.active */
	struct vmx_controls ctl;	/* as written */
	u32 exceptions;
	u32 tpr_threshold;
	u64 host_cr3, host_cr4;
};

/* Read and written by enter.S. */
struct vmx_entry {
	u64 *gprs;
	u64 host_rsp;
	u64 guest_spec, host_spec;
	u32 spec_mode;
	u32 launched;
	u32 failed;
};

static_assert(offsetof(struct vmx_entry, gprs) == VMX_ENTRY_GPRS);
static_assert(offsetof(struct vmx_entry, host_rsp) == VMX_ENTRY_HOST_RSP);
static_assert(offsetof(struct vmx_entry, guest_spec) == VMX_ENTRY_GUEST_SPEC);
static_assert(offsetof(struct vmx_entry, host_spec) == VMX_ENTRY_HOST_SPEC);
static_assert(offsetof(struct vmx_entry, spec_mode) == VMX_ENTRY_SPEC_MODE);
static_assert(offsetof(struct vmx_entry, launched) == VMX_ENTRY_LAUNCHED);
static_assert(offsetof(struct vmx_entry, failed) == VMX_ENTRY_FAILED);
static_assert(HOST_RSP == VMX_HOST_RSP_FIELD);

/* What the last exit said. Bits of @known: which fields were read. */
struct vmx_exit {
	u32 reason;
	u32 intr_info, vectoring;
	u32 len;
	u64 qualification;
	unsigned int known;
};

#define VMX_KNOWN_QUALIFICATION	BIT(0)
#define VMX_KNOWN_LEN		BIT(1)
#define VMX_KNOWN_INT_STATE	BIT(2)
#define VMX_KNOWN_INTR_INFO	BIT(3)

/* State of the host that exits do not bring back: saved once after each vcpu_load. */
struct vmx_host {
	bool saved;
	u16 fs_sel, gs_sel, ds_sel, es_sel, ldt_sel;
	u64 kernel_gs_base;
	u64 debugctl;
	unsigned long fs_base, gs_base;	/* as written */
};

/* Who hands MSRs over: uret.h's slots, the guest's values for them. */
enum vmx_uret { VMX_URET_STAR, VMX_URET_LSTAR, VMX_URET_CSTAR, VMX_URET_SFMASK, VMX_URET_TSC_AUX,
		VMX_NR_URET };

/* MSRs that the hardware loads from memory: EFER, where a CPU has no VMCS field for it, then perf's. */
#define VMX_AUTOLOAD_MAX	64
struct vmx_autoload {
	struct vmx_msr_entry guest[VMX_AUTOLOAD_MAX], host[VMX_AUTOLOAD_MAX];
};

static inline bool vmx_autoloads_efer(void)
{
	return !(vmx_base.entry & VM_ENTRY_LOAD_IA32_EFER);
}

#define VMX_TSC_FRAC_BITS	48
#define VMX_TSC_ONE		(1ull << VMX_TSC_FRAC_BITS)

#define VMX_IO_STRING	BIT(4)		/* qualification of an I/O exit: INS, OUTS */

struct vcpu_vmx {
	struct kvm_vcpu vcpu;		/* first: the core allocates vcpu_size bytes */

	struct vmx_vmcs *vmcs;		/* the current one */
	struct vmx_vmcs vmcs01;
	struct vmx_entry entry;
	struct vmx_exit exit;
	unsigned long *msr_bitmap;	/* a page; NULL: every access exits */
	struct vmx_autoload *autoload;	/* a page, NULL where not needed */
	u8 autoload_nr;			/* entries in use, as the VMCS says */
	struct vmx_host host;

	u64 *written;			/* a page: where the guest wrote (PML), NULL: not told */

	u16 vpid;			/* 0: none, the hardware flushes at each switch */
	int last_cpu;			/* where the TLB may know this vCPU, -1 nowhere */
	u64 eptp;

	u32 int_state;			/* interruptibility, as the VMCS has it if known */
	bool injected;			/* the entry's event field was filled */
	u32 inject_info, inject_error;
	bool soft_injected;		/* ... with a software event */
	bool l1d_dirty;			/* the host did more than a tidy exit asks for */

	u64 pat;			/* as in the VMCS */
	bool spec_ctrl_direct;		/* the guest writes SPEC_CTRL without exits */
	u64 kernel_gs_base;		/* the guest's, while host.saved is false */
	u64 feat_ctl;
	u64 uret[VMX_NR_URET];
	bool uret_changed;		/* put them into the CPU before the next entry */
};

static inline struct vcpu_vmx *to_vmx(struct kvm_vcpu *vcpu)
{
	return container_of(vcpu, struct vcpu_vmx, vcpu);
}

extern int vmx_uret_slots[VMX_NR_URET];	/* of uret.h, < 0 none */

/* ---- vmcs.c ----------------------------------------------------------------------- */
int vmx_vmcs_alloc(struct vcpu_vmx *vmx);		/* -ENOMEM; process context */
void vmx_vmcs_free(struct vcpu_vmx *vmx);
void vmx_vmcs_make_current(struct vmx_vmcs *vmcs, int cpu);	/* preemption off */
void vmx_vmcs_clear(struct vmx_vmcs *vmcs);		/* wherever it is; interrupts on */
void vmx_vmcs_clear_all(void);				/* this CPU's */
void vmx_vmcs_clear_crash(void);			/* the same; any context */
void vmx_vmcs_reset(struct kvm_vcpu *vcpu, bool init);	/* power-on, or INIT; loaded */
void vmx_fetch(struct kvm_vcpu *vcpu, int class);
void vmx_fetch_basic(struct vcpu_vmx *vmx);		/* irqs off, after an exit: what most handlers need */
void vmx_flush(struct kvm_vcpu *vcpu);			/* irqs off: dirty classes to the VMCS */
void vmx_flush_tlb(struct kvm_vcpu *vcpu, enum x86_flush what, gva_t gva);
void vmx_load_root(struct kvm_vcpu *vcpu, hpa_t root, int level);
void vmx_update_intercepts(struct kvm_vcpu *vcpu);
void vmx_cpuid_controls(struct kvm_vcpu *vcpu);		/* controls that follow the guest's CPUID */
void vmx_dump_state(struct kvm_vcpu *vcpu);
/* Set or clear bits of a word of controls; writes only a change. */
void vmx_pin_control(struct vcpu_vmx *vmx, u32 bits, bool on);
void vmx_cpu_control(struct vcpu_vmx *vmx, u32 bits, bool on);
void vmx_cpu2_control(struct vcpu_vmx *vmx, u32 bits, bool on);
void vmx_entry_control(struct vcpu_vmx *vmx, u32 bits, bool on);
int vmx_vpid_alloc(void);				/* 0: none left */
void vmx_vpid_free(u16 vpid);

/* Page modification log: mark in the dirty log what the guest wrote to. srcu held; loaded. */
void vmx_take_written(struct kvm_vcpu *vcpu);

static inline bool vmx_logs_writes(const struct vcpu_vmx *vmx)
{
	return vmx->vmcs->ctl.cpu2 & SECONDARY_EXEC_ENABLE_PML;
}

/* ---- apicv.c ----------------------------------------------------------------------- */
extern const struct apicv_ops vmx_apicv_ops;
/* Secondary controls that virtualize the APIC. */
#define VMX_CPU2_APICV	(SECONDARY_EXEC_VIRTUALIZE_APIC_ACCESSES |			\
			 SECONDARY_EXEC_VIRTUALIZE_X2APIC_MODE |			\
			 SECONDARY_EXEC_APIC_REGISTER_VIRT |				\
			 SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY)
void vmx_apicv_before_guest(struct vcpu_vmx *vmx);	/* irqs off; if vmx_delivers() */
void vmx_apicv_reset(struct vcpu_vmx *vmx);		/* fields that never change; loaded */

/* The hardware delivers the local APIC's interrupts. */
static inline bool vmx_delivers(const struct vcpu_vmx *vmx)
{
	return vmx->vmcs->ctl.cpu2 & SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY;
}

static inline bool vmx_apicv_x2(const struct vcpu_vmx *vmx)
{
	return vmx->vmcs->ctl.cpu2 & SECONDARY_EXEC_VIRTUALIZE_X2APIC_MODE;
}

/* ---- host.c ------------------------------------------------------------------------ */
void vmx_host_constant(struct vcpu_vmx *vmx);		/* fields that never change; loaded */
void vmx_host_per_cpu(struct vcpu_vmx *vmx);		/* ... that change with the CPU; preemption off */
void vmx_host_save(struct vcpu_vmx *vmx);		/* preemption off, once after vcpu_load */
void vmx_host_restore(struct vcpu_vmx *vmx);		/* preemption off, vcpu_put */
void vmx_host_renew(struct vcpu_vmx *vmx);		/* irqs off, before each entry */
void vmx_host_perf(struct vcpu_vmx *vmx);		/* the same; if the CPU counts for perf */

/* ---- msr.c -------------------------------------------------------------------------- */
int vmx_msr_bitmap_alloc(struct vcpu_vmx *vmx);
void vmx_msr_bitmap_free(struct vcpu_vmx *vmx);
void vmx_msr_intercepts(struct kvm_vcpu *vcpu);
void vmx_msr_reset(struct kvm_vcpu *vcpu);		/* power-on values */
int vmx_get_msr(struct kvm_vcpu *vcpu, struct x86_msr *msr);
int vmx_set_msr(struct kvm_vcpu *vcpu, const struct x86_msr *msr);
int vmx_feature_msr(struct x86_msr *msr);
void vmx_spec_prepare(struct vcpu_vmx *vmx);		/* irqs off: fill entry.*spec* */

/* ---- intr.c --------------------------------------------------------------------------- */
void vmx_inject(struct kvm_vcpu *vcpu, const struct x86_event *ev);
void vmx_cancel_injection(struct kvm_vcpu *vcpu);
/* After an exit: what was cut short goes back to the core. */
void vmx_complete_events(struct kvm_vcpu *vcpu);
enum x86_can_inject vmx_can_inject(struct kvm_vcpu *vcpu, enum x86_event_kind kind);
void vmx_open_window(struct kvm_vcpu *vcpu, enum x86_event_kind kind);
void vmx_close_window(struct kvm_vcpu *vcpu, u32 control);
void vmx_update_cr8(struct kvm_vcpu *vcpu, int tpr, int irr);
u32 vmx_get_int_shadow(struct kvm_vcpu *vcpu);
void vmx_set_int_shadow(struct kvm_vcpu *vcpu, u32 shadow);
bool vmx_get_nmi_mask(struct kvm_vcpu *vcpu);
void vmx_set_nmi_mask(struct kvm_vcpu *vcpu, bool masked);
u32 vmx_int_state(struct vcpu_vmx *vmx);
void vmx_put_int_state(struct vcpu_vmx *vmx, u32 state);
/* Who is moved, or gets an event, is not halted any more. Loaded. */
void vmx_wake(struct vcpu_vmx *vmx);

/* ---- exits.c ----------------------------------------------------------------------------- */
int vmx_handle_exit(struct kvm_vcpu *vcpu);
int vmx_insn_len(struct kvm_vcpu *vcpu);
int vmx_insn_bytes(struct kvm_vcpu *vcpu, u8 *buf);
void vmx_exit_info(struct kvm_vcpu *vcpu, struct x86_exit_info *info);
u64 vmx_qualification(struct vcpu_vmx *vmx);
u32 vmx_intr_info(struct vcpu_vmx *vmx);

/* ---- enter.S ------------------------------------------------------------------------------ */
void vmx_enter(struct vmx_entry *entry);
extern char vmx_exit_here[];

#endif
