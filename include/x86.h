/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Contracts between the rooms of x86/, and what the vendors call there.
 * Unless noted: the vCPU's thread, vCPU loaded, vcpu->mutex held, srcu held,
 * preemptible.
 */
#ifndef KVM_X86_H
#define KVM_X86_H

#include <asm/kvm_para.h>
#include "regs.h"
#include "memslot.h"
#include "debug_regs.h"
#include "task_switch.h"

struct mmu_fault;

/* KVM_SET_GUEST_DEBUG controls that are implemented. */
#define X86_GUESTDBG_KNOWN (KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP | \
			    KVM_GUESTDBG_USE_SW_BP | KVM_GUESTDBG_USE_HW_BP | \
			    KVM_GUESTDBG_INJECT_DB | KVM_GUESTDBG_INJECT_BP | \
			    KVM_GUESTDBG_BLOCKIRQ)

/* ---- x86/run.c: the loop ------------------------------------------------ */
/* Fill vcpu->run for KVM_EXIT_INTERNAL_ERROR; answers KVM_EXIT_TO_USER. */
int x86_internal_error(struct kvm_vcpu *vcpu, u32 suberror, int ndata, const u64 *data);
/* HLT: mark halted, RESUME (loop blocks) or exit to userspace without in-kernel APIC. RIP already advanced. */
int x86_halt(struct kvm_vcpu *vcpu, bool ap_reset_hold);

/* ---- x86/event.c: injection --------------------------------------------- */
void x86_queue_exception(struct kvm_vcpu *vcpu, u8 vector);
void x86_queue_exception_e(struct kvm_vcpu *vcpu, u8 vector, u32 error);
/* #DB or #PF with what belongs into DR6 or CR2 at delivery. */
void x86_queue_exception_p(struct kvm_vcpu *vcpu, u8 vector, u64 payload);
/* INT3, INTO by replay: soft exception of @insn_len bytes. */
void x86_queue_soft_exception(struct kvm_vcpu *vcpu, u8 vector, u8 insn_len);
void x86_inject_gp(struct kvm_vcpu *vcpu, u32 error);
void x86_inject_fault(struct kvm_vcpu *vcpu, const struct mmu_fault *fault);
/* An event whose delivery was cut short: the vendor reports it here after the exit. */
void x86_requeue_event(struct kvm_vcpu *vcpu, const struct x86_event *ev);
/* After an exit without such an event: nothing is in flight any more. */
void x86_clear_injected(struct kvm_vcpu *vcpu);
/* Any context. */
void x86_queue_nmi(struct kvm_vcpu *vcpu);
/* Before entry: hand the most urgent event to the vendor, open windows for the rest. 0 or -errno. */
int x86_inject_pending(struct kvm_vcpu *vcpu, bool *req_immediate_exit);
bool x86_has_pending_event(struct kvm_vcpu *vcpu);
/* Did the last exit cut the delivery of an event short? It will be delivered again. */
bool x86_in_delivery(struct kvm_vcpu *vcpu);
long x86_get_vcpu_events(struct kvm_vcpu *vcpu, void *arg);
long x86_set_vcpu_events(struct kvm_vcpu *vcpu, void *arg);
/* Would x86_set_vcpu_events() take it? */
bool x86_vcpu_events_valid(struct kvm_vcpu *vcpu, const struct kvm_vcpu_events *e);

/*
 * The one epilogue: advance RIP over the exiting instruction, clear the
 * interrupt shadow, honour TF and KVM_GUESTDBG_SINGLESTEP. Answers what the
 * handler then returns. Handlers end in `return x86_skip(vcpu)`.
 */
int x86_skip(struct kvm_vcpu *vcpu);
/* Its second half, for who moved RIP himself: @old_rflags are those the instruction began with. */
int x86_retired(struct kvm_vcpu *vcpu, u64 old_rflags);
/* KVM_EXIT_DEBUG at RIP: @exception 1 or 3, and DR6's reason. */
int x86_debug_exit(struct kvm_vcpu *vcpu, u32 exception, u64 dr6);
/* `return x86_complete(vcpu, err)`: err ? inject #GP(0) and RESUME : x86_skip(). */
int x86_complete(struct kvm_vcpu *vcpu, int err);

/* ---- x86/regs.c ----------------------------------------------------------- */
/* Rules and side effects of control registers: 0 or -EINVAL (= #GP). */
int x86_set_cr0(struct kvm_vcpu *vcpu, u64 val);
int x86_set_cr3(struct kvm_vcpu *vcpu, u64 val);
int x86_set_cr4(struct kvm_vcpu *vcpu, u64 val);
int x86_set_cr8(struct kvm_vcpu *vcpu, u64 val);
u64 x86_get_cr8(struct kvm_vcpu *vcpu);
/* By number, as instructions name them: 0, 2, 3, 4, and 8 for all others. Setting: 0, or what to inject #GP for. */
u64 x86_get_cr(struct kvm_vcpu *vcpu, int nr);
int x86_set_cr(struct kvm_vcpu *vcpu, int nr, u64 val);
/* With 57 or 48 bits, as CR4.LA57 says. */
static inline bool x86_canonical(struct kvm_vcpu *vcpu, u64 addr)
{
	int shift = (x86_cr4(vcpu) & X86_CR4_LA57) ? 64 - 57 : 64 - 48;

	return (u64)((s64)(addr << shift) >> shift) == addr;
}
int x86_set_efer(struct kvm_vcpu *vcpu, u64 val, bool host);
int x86_set_xcr(struct kvm_vcpu *vcpu, u32 index, u64 val);
int x86_set_dr(struct kvm_vcpu *vcpu, int dr, u64 val);	/* -EINVAL #GP; DR4/5 aliasing is the caller's */
u64 x86_get_dr(struct kvm_vcpu *vcpu, int dr);
u64 x86_linear_rip(struct kvm_vcpu *vcpu);	/* CS.base + RIP as the code's width says */
/* DR7 in effect: the guest's, or the debugger's. */
u64 x86_effective_dr7(struct kvm_vcpu *vcpu);
u64 x86_effective_dr(struct kvm_vcpu *vcpu, int i);
void x86_set_rflags(struct kvm_vcpu *vcpu, u64 rflags);	/* keeps the debugger's TF */
u64 x86_get_rflags(struct kvm_vcpu *vcpu);		/* hides the debugger's TF */
void x86_vcpu_reset(struct kvm_vcpu *vcpu, bool init);	/* power-on, or INIT */

long x86_get_regs(struct kvm_vcpu *vcpu, void *arg);
long x86_set_regs(struct kvm_vcpu *vcpu, void *arg);
long x86_get_sregs(struct kvm_vcpu *vcpu, void *arg);
long x86_set_sregs(struct kvm_vcpu *vcpu, void *arg);
long x86_get_sregs2(struct kvm_vcpu *vcpu, void *arg);
long x86_set_sregs2(struct kvm_vcpu *vcpu, void *arg);
long x86_get_debugregs(struct kvm_vcpu *vcpu, void *arg);
long x86_set_debugregs(struct kvm_vcpu *vcpu, void *arg);
long x86_set_guest_debug(struct kvm_vcpu *vcpu, void *arg);
long x86_get_mp_state(struct kvm_vcpu *vcpu, void *arg);
long x86_set_mp_state(struct kvm_vcpu *vcpu, void *arg);
long x86_translate(struct kvm_vcpu *vcpu, void *arg);

/* ---- x86/msr.c ------------------------------------------------------------ */
struct x86_msr {
	u32 index;
	u64 data;
	bool host;		/* by ioctl: fewer rules */
};

/* 0, or -EINVAL (= #GP for a guest). @msr->host chooses the rules. Filter not applied. */
int x86_get_msr(struct kvm_vcpu *vcpu, struct x86_msr *msr);
int x86_set_msr(struct kvm_vcpu *vcpu, const struct x86_msr *msr);
/* RDMSR, WRMSR exits: whole instruction, with filter, userspace exits and epilogue. */
int x86_handle_rdmsr(struct kvm_vcpu *vcpu);
int x86_handle_wrmsr(struct kvm_vcpu *vcpu);
/* SPEC_CTRL and PRED_CMD by the guest's CPUID; the bits of SPEC_CTRL that may be set. */
bool x86_guest_has_spec_ctrl(struct kvm_vcpu *vcpu);
bool x86_guest_has_ibpb(struct kvm_vcpu *vcpu);
u64 x86_spec_ctrl_valid(struct kvm_vcpu *vcpu, bool host);
int x86_set_pred_cmd(struct kvm_vcpu *vcpu, const struct x86_msr *msr);
/* The same for the emulator: 0 done, -EINVAL #GP, -EAGAIN exit to userspace is prepared. */
int x86_emul_get_msr(struct kvm_vcpu *vcpu, u32 index, u64 *data);
int x86_emul_set_msr(struct kvm_vcpu *vcpu, u32 index, u64 data);
/* WRMSR with interrupts off: x2APIC ICR, EOI, TSC deadline. X86_FAST_NONE if not simple. */
enum x86_fastpath x86_fast_wrmsr(struct kvm_vcpu *vcpu);
/* May the guest touch it directly? false also when the filter says no. */
bool x86_msr_allowed(struct kvm_vcpu *vcpu, u32 index, u32 type);
long x86_ioctl_get_msrs(struct kvm_vcpu *vcpu, void *arg);	/* IOCTL_RAW */
long x86_ioctl_set_msrs(struct kvm_vcpu *vcpu, void *arg);	/* IOCTL_RAW */
long x86_sys_get_msrs(void *arg);				/* IOCTL_RAW: feature MSRs */
long x86_sys_msr_index_list(void *arg);				/* IOCTL_RAW */
long x86_sys_msr_feature_list(void *arg);			/* IOCTL_RAW */
long x86_vm_set_msr_filter(struct kvm *kvm, void *arg);
void x86_msr_filter_free(struct kvm *kvm);
void x86_msr_init(void);	/* module init, after setup(): which MSRs exist here */

/* vCPU creation: registers whose first value is not zero. */
void x86_msr_vcpu_init(struct kvm_vcpu *vcpu);

/*
 * x86/run.c: an exit to userspace leaves the instruction at RIP open; @complete
 * finishes it at the next KVM_RUN, unless userspace moved the vCPU meanwhile.
 */
void x86_complete_later(struct kvm_vcpu *vcpu, int (*complete)(struct kvm_vcpu *vcpu));

/*
 * x86/sync_regs.c: KVM_CAP_SYNC_REGS, at the two ends of KVM_RUN; srcu held. From:
 * -EINVAL for unknown bits or values that the ioctls refuse, and nothing changed.
 */
#define X86_SYNC_REGS_KNOWN (KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS | KVM_SYNC_X86_EVENTS)
int x86_sync_from_run(struct kvm_vcpu *vcpu);
void x86_sync_to_run(struct kvm_vcpu *vcpu);

/* ---- x86/cpuid.c ---------------------------------------------------------- */
void x86_cpuid_init(void);	/* module init: host masks */
/* Guest CPUID: false if the leaf is out of range (registers zeroed). Writes all four. */
bool x86_cpuid(struct kvm_vcpu *vcpu, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx);
int x86_handle_cpuid(struct kvm_vcpu *vcpu);
const struct kvm_cpuid_entry2 *x86_cpuid_find(struct kvm_vcpu *vcpu, u32 fn, u32 index);
/* Has the guest's CPUID feature @f (X86_FEATURE_*)? Cheap: a cached word. */
static inline bool x86_guest_has(struct kvm_vcpu *vcpu, unsigned int f)
{
	return vcpu->arch.cpuid.caps[f / 32] & BIT(f % 32);
}
/* Bytes of an XSAVE area for the state components @mask. */
u32 x86_xstate_size(u64 mask, bool compacted);
/* Is @f offered by KVM on this host (GET_SUPPORTED_CPUID)? */
bool x86_kvm_has(unsigned int f);
/* Dynamic bits (OSXSAVE, APIC, OSPKE, MWAIT, XSAVE sizes) after CR4, XCR0, APIC base changed. */
void x86_cpuid_update_runtime(struct kvm_vcpu *vcpu);
long x86_set_cpuid(struct kvm_vcpu *vcpu, void *arg);		/* IOCTL_RAW, v1 */
long x86_set_cpuid2(struct kvm_vcpu *vcpu, void *arg);		/* IOCTL_RAW */
long x86_get_cpuid2(struct kvm_vcpu *vcpu, void *arg);		/* IOCTL_RAW */
long x86_sys_supported_cpuid(void *arg);			/* IOCTL_RAW */
long x86_sys_emulated_cpuid(void *arg);				/* IOCTL_RAW */
void x86_cpuid_free(struct kvm_vcpu *vcpu);

/* ---- x86/xstate.c --------------------------------------------------------- */
int x86_fpu_create(struct kvm_vcpu *vcpu);
void x86_fpu_free(struct kvm_vcpu *vcpu);
void x86_fpu_load_guest(struct kvm_vcpu *vcpu);	/* KVM_RUN begins */
void x86_fpu_put_guest(struct kvm_vcpu *vcpu);	/* KVM_RUN ends */
void x86_xcr_load_guest(struct kvm_vcpu *vcpu);	/* irqs off, just before entry: XCR0, XSS, PKRU */
void x86_xcr_load_host(struct kvm_vcpu *vcpu);	/* irqs off, just after exit */
void x86_fpu_reset(struct kvm_vcpu *vcpu, bool init);
int x86_xsave_size(struct kvm *kvm);		/* KVM_CAP_XSAVE2 */
u64 x86_supported_xcr0(void);
u64 x86_supported_xss(void);
long x86_get_fpu(struct kvm_vcpu *vcpu, void *arg);
long x86_set_fpu(struct kvm_vcpu *vcpu, void *arg);
long x86_get_xsave(struct kvm_vcpu *vcpu, void *arg);		/* IOCTL_RAW */
long x86_get_xsave2(struct kvm_vcpu *vcpu, void *arg);		/* IOCTL_RAW */
long x86_set_xsave(struct kvm_vcpu *vcpu, void *arg);		/* IOCTL_RAW */
long x86_get_xcrs(struct kvm_vcpu *vcpu, void *arg);
long x86_set_xcrs(struct kvm_vcpu *vcpu, void *arg);

/* ---- x86/mce.c, x86/mtrr.c: 0, 1 = not mine, -EINVAL ------------------------ */
int x86_mce_get_msr(struct kvm_vcpu *vcpu, struct x86_msr *msr);
int x86_mce_set_msr(struct kvm_vcpu *vcpu, const struct x86_msr *msr);
long x86_setup_mce(struct kvm_vcpu *vcpu, void *arg);
long x86_set_mce(struct kvm_vcpu *vcpu, void *arg);
long x86_sys_mce_cap(void *arg);
int x86_mtrr_get_msr(struct kvm_vcpu *vcpu, struct x86_msr *msr);
int x86_mtrr_set_msr(struct kvm_vcpu *vcpu, const struct x86_msr *msr);
bool x86_pat_valid(u64 pat);

/* ---- x86/tsc.c -------------------------------------------------------------- */
void x86_tsc_module_init(void);
void x86_tsc_module_exit(void);
int x86_tsc_vcpu_init(struct kvm_vcpu *vcpu);
void x86_tsc_vcpu_load(struct kvm_vcpu *vcpu, int cpu);	/* preemption off: keep monotonic across CPUs */
void x86_tsc_vcpu_put(struct kvm_vcpu *vcpu);
u64 x86_read_tsc(struct kvm_vcpu *vcpu, u64 host_tsc);		/* guest's view; any context */
void x86_write_tsc(struct kvm_vcpu *vcpu, u64 data, bool host);	/* WRMSR TSC, matching of near writes */
void x86_adjust_tsc(struct kvm_vcpu *vcpu, s64 delta);		/* IA32_TSC_ADJUST */
u64 x86_scale_tsc(u64 tsc, u64 multiplier);
u32 x86_host_tsc_khz(void);
long x86_get_tsc_khz(struct kvm_vcpu *vcpu, void *arg);		/* NO_ARG */
long x86_set_tsc_khz(struct kvm_vcpu *vcpu, void *arg);		/* VALUE */
long x86_vm_set_tsc_khz(struct kvm *kvm, void *arg);
long x86_vm_get_tsc_khz(struct kvm *kvm, void *arg);
long x86_vcpu_has_attr(struct kvm_vcpu *vcpu, void *arg);	/* struct kvm_device_attr: TSC_OFFSET */
long x86_vcpu_get_attr(struct kvm_vcpu *vcpu, void *arg);
long x86_vcpu_set_attr(struct kvm_vcpu *vcpu, void *arg);
/* master clock: pv/pvclock.c builds on these */
u64 x86_compute_l1_tsc_offset(struct kvm_vcpu *vcpu, u64 target);

/* ---- pv/ ---------------------------------------------------------------------- */
void pv_vm_init(struct kvm *kvm);
void pv_vm_destroy(struct kvm *kvm);
void pv_vcpu_reset(struct kvm_vcpu *vcpu);
int pv_get_msr(struct kvm_vcpu *vcpu, struct x86_msr *msr);	/* 0, 1 = not mine, -EINVAL */
int pv_set_msr(struct kvm_vcpu *vcpu, const struct x86_msr *msr);
int pv_update_clock(struct kvm_vcpu *vcpu);			/* KVM_REQ_CLOCK_UPDATE */
bool pv_host_clock_is_tsc(void);			/* any context; a hint */
void pv_update_master_clock(struct kvm *kvm);			/* KVM_REQ_MASTER_CLOCK */
void pv_update_global_clock(struct kvm_vcpu *vcpu);		/* KVM_REQ_GLOBAL_CLOCK */
void pv_record_steal(struct kvm_vcpu *vcpu);			/* KVM_REQ_STEAL_UPDATE */
void pv_steal_preempted(struct kvm_vcpu *vcpu);			/* scheduled out: set the preempted flag; atomic */
/* Has pv_record_steal() anything to write? vcpu_load. */
static inline bool pv_steal_due(const struct kvm_vcpu *vcpu)
{
	const struct x86_pv *pv = &vcpu->arch.pv;

	return (pv->steal_msr & KVM_MSR_ENABLED) &&
	       (pv->steal_preempted || pv->last_steal != current->sched_info.run_delay);
}
u32 pv_supported_features(void);				/* CPUID 0x40000001 EAX */
long pv_vm_get_clock(struct kvm *kvm, void *arg);
long pv_vm_set_clock(struct kvm *kvm, void *arg);
long pv_kvmclock_ctrl(struct kvm_vcpu *vcpu, void *arg);
/*
 * PV EOI, in KVM_RUN with srcu held: tell the guest before an entry that it may
 * skip the next EOI; find out after the exit whether it did, before anybody
 * looks at the local APIC.
 */
void pv_eoi_before_entry(struct kvm_vcpu *vcpu);
void pv_eoi_look(struct kvm_vcpu *vcpu);
static inline void pv_eoi_after_exit(struct kvm_vcpu *vcpu)
{
	if (unlikely(vcpu->arch.pv.eoi_pending))
		pv_eoi_look(vcpu);
}
int pv_module_init(void);
void pv_module_exit(void);

/* ---- x86/exits.c: handlers that vendors share ---------------------------------- */
int x86_handle_no_insn(struct kvm_vcpu *vcpu);	/* the guest's CPUID says there is no such instruction */
int x86_handle_hlt(struct kvm_vcpu *vcpu);
int x86_handle_pause(struct kvm_vcpu *vcpu);	/* pause filter and PAUSE-loop exits */
/* Are MONITOR and MWAIT something else than #UD? */
bool x86_has_mwait(struct kvm_vcpu *vcpu);
int x86_handle_mwait(struct kvm_vcpu *vcpu);	/* MONITOR and MWAIT as no-operations: the guest polls */
/*
 * After a write of CR8 that read @before and whose exit is answered with @r: a VMM with
 * the APIC in userspace wants to know when TPR goes down (KVM_EXIT_SET_TPR).
 */
int x86_cr8_written(struct kvm_vcpu *vcpu, u64 before, int r);

/* ---- x86/hypercall.c ------------------------------------------------------------ */
int x86_handle_hypercall(struct kvm_vcpu *vcpu);	/* VMMCALL, VMCALL exits */
/* The call alone: registers in @gpr, answer for RAX. */
u64 x86_hypercall(struct kvm_vcpu *vcpu, const u64 *gpr, bool is64, int cpl);

/* ---- x86/emulate_glue.c: the emulator and the vCPU ------------------------------- */
int x86_emul_create(struct kvm_vcpu *vcpu);
void x86_emul_free(struct kvm_vcpu *vcpu);

/* Emulate the instruction at RIP. enum kvm_exit_result or -errno. */
int x86_emulate_insn(struct kvm_vcpu *vcpu);
/* An MMIO nested fault at @gpa. @no_slot: not even memory that can't be written is there. */
int x86_emulate_mmio(struct kvm_vcpu *vcpu, gpa_t gpa, u64 error_code, bool no_slot);
/* Length of the instruction at RIP, by the short decoder; 0 if it can't be fetched (fault was queued). */
int x86_decode_insn_len(struct kvm_vcpu *vcpu);
/*
 * The @n bytes at RIP, for a vendor that knows what it looks for. 0, and
 * nothing queued, if they lie in two pages or can't be read.
 */
int x86_fetch_code(struct kvm_vcpu *vcpu, u8 *buf, int n);
/* IN and OUT exits that hardware decoded: whole instruction. String forms go to the emulator. */
int x86_fast_pio(struct kvm_vcpu *vcpu, int size, u16 port, bool in);
/* Task switch as the vendor decoded it. enum kvm_exit_result or -errno. */
int x86_task_switch(struct kvm_vcpu *vcpu, const struct x86_task_switch *ts);
/*
 * x86/emulate_run.c: real mode without the hardware. Is this vCPU's state such,
 * and one turn of the run loop if it is: as handle_exit().
 */
bool x86_must_emulate(struct kvm_vcpu *vcpu);
int x86_emulate_turn(struct kvm_vcpu *vcpu);
/* True: @ev will be delivered by the next such turn, it is not for the hardware. */
bool x86_emulate_event(struct kvm_vcpu *vcpu, const struct x86_event *ev);
/* A breakpoint on the instruction at RIP, that no hardware looked for: exit, or #DB is queued. */
int x86_code_breakpoint(struct kvm_vcpu *vcpu);
/* Deliver @vector as real-mode software would (no hardware help). */
int x86_inject_realmode(struct kvm_vcpu *vcpu, int vector, int inc_eip);
/* #UD exits: forced emulation prefix, VMCALL/VMMCALL of the other vendor, else inject #UD. */
int x86_handle_ud(struct kvm_vcpu *vcpu);
/* CR, DR exits */
int x86_handle_xsetbv(struct kvm_vcpu *vcpu);

/* ---- x86/vapic.c -------------------------------------------------------------- */
long x86_tpr_reporting(struct kvm_vcpu *vcpu, void *arg);
long x86_set_vapic_addr(struct kvm_vcpu *vcpu, void *arg);
/* With arch.vapic_addr set: before entry with events, and after each exit. */
void x86_vapic_to_guest(struct kvm_vcpu *vcpu);
void x86_vapic_from_guest(struct kvm_vcpu *vcpu);
/* The guest touched its TPR and userspace wants to know. */
void x86_vapic_report(struct kvm_vcpu *vcpu, bool write);

/* ---- x86/vcpu.c ------------------------------------------------------------- */
/* Take INIT and SIPI that wait in the local APIC. 0, or -errno. */
int x86_accept_init_sipi(struct kvm_vcpu *vcpu);

/* ---- interrupt chips (irqchip.h, lapic.h have the rest) ---------------------------- */

/* A VMM wants KVM_INTERRUPT. */
long x86_ioctl_interrupt(struct kvm_vcpu *vcpu, void *arg);
long x86_ioctl_nmi(struct kvm_vcpu *vcpu, void *arg);

/* module parameters (x86/params.c) */
extern bool x86_ignore_msrs, x86_report_ignored_msrs, x86_enable_pmu, x86_force_emulation_prefix;
extern unsigned int x86_halt_poll_ns, x86_halt_poll_ns_grow, x86_halt_poll_ns_grow_start, x86_halt_poll_ns_shrink;
extern unsigned int x86_min_timer_period_us;
extern int x86_lapic_timer_advance_ns;

#endif
