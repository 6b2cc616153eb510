/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The vendor table: everything the core asks of AMD-V or Intel VT.
 *
 * One const struct vendor_ops is the last thing in svm.c and in vmx.c. The
 * list below is the only declaration: it makes the struct, the static calls
 * and the check at registration that every op is present. A question about
 * the machine is not an op: setup() answers them all at once in struct
 * hw_caps.
 *
 * Unless noted, ops run in the vCPU's thread with the vCPU loaded.
 */
#ifndef KVM_VENDOR_OPS_H
#define KVM_VENDOR_OPS_H

#include <linux/module.h>
#include <linux/static_call.h>
#include "types.h"

struct apicv_ops;
struct pte_format;
struct x86_event;
struct x86_msr;
struct x86_exit_info;

/* Which kind of event; also the argument of can_inject() and open_window(). */
enum x86_event_kind { X86_EV_EXC, X86_EV_INTR, X86_EV_NMI, X86_EV_SMI };

/* What is given to the hardware at the next entry. */
struct x86_event {
	enum x86_event_kind kind;
	u8 vector;
	bool soft;		/* INT n, INT3, INTO: RIP semantics of an instruction */
	bool has_error;
	u8 insn_len;		/* of a soft event */
	u32 error;
};

enum x86_can_inject {
	X86_INJECT_BLOCKED = 0,	/* by guest state: open a window */
	X86_INJECT_OK = 1,
};

enum x86_fastpath {
	X86_FAST_NONE,		/* handle_exit() must look */
	X86_FAST_REENTER,	/* handled with interrupts off: enter again */
	X86_FAST_HANDLED,	/* handled, but go round the loop */
};

/* What to forget in flush_tlb(). */
enum x86_flush { X86_FLUSH_ALL, X86_FLUSH_GUEST, X86_FLUSH_GVA };

/* Raw view of the last exit, for tracepoints and error reports. */
struct x86_exit_info {
	u32 reason;
	u64 info1, info2;
	u32 intr_info, error_code;
};

/* Facts about this machine and module, filled once by setup(). */
struct hw_caps {
	bool tdp;			/* nested paging in use */
	u8 tdp_levels;			/* of its tables */
	u8 max_page_level;		/* of a leaf: 1 4K, 2 2M, 3 1G */
	bool tdp_ad;			/* hardware sets accessed and dirty bits */
	bool write_log;			/* ... and notes where, which handle_exit() marks, while arch.nr_logged */
	const struct pte_format *pte_format;
	bool nrips, decode_assists, flush_by_asid, pause_filter;
	bool vgif, tsc_scaling, xsaves;
	bool emulate_real;		/* real mode and its remains run in the emulator */
	bool apicv;			/* vendor_ops->apicv is there and in use: apicv.h */
	u64 max_tsc_scaling_ratio;
	u8 tsc_scaling_frac_bits;
	u8 nr_counters;			/* performance counters that RDPMC reads; they stand still at 0 */
	u64 entry_timer_span;		/* ticks of the TSC that arch.entry_deadline may be off; 0: run() has no timer */
	u64 efer_bits;			/* EFER bits a guest may set on this vendor */
	u32 cpuid_clear[32];		/* feature words, numbered as in X86_FEATURE_*, to take away */
	u8 hypercall_insn[3];		/* VMCALL or VMMCALL */
	u32 exit_isa;			/* KVM_ISA_SVM / KVM_ISA_VMX of the kvm_exit tracepoint */
};

#define KVM_ISA_VMX	1
#define KVM_ISA_SVM	2

extern struct hw_caps hw_caps;	/* const after module load */

/*
 * X(return type, name, arguments)
 */
#define VENDOR_OPS(X)								\
	/* module and CPU */							\
	X(int,  cpu_on,        (void))		/* this CPU, preemption off; -EBUSY if taken */ \
	X(void, cpu_off,       (void))							\
	X(int,  vm_init,       (struct kvm *kvm))					\
	X(void, vm_destroy,    (struct kvm *kvm))					\
	/* vCPU life: process context, vCPU not loaded */			\
	X(int,  vcpu_create,   (struct kvm_vcpu *vcpu))					\
	X(void, vcpu_free,     (struct kvm_vcpu *vcpu))					\
	X(void, vcpu_reset,    (struct kvm_vcpu *vcpu, bool init)) /* loaded */		\
	X(void, vcpu_load,     (struct kvm_vcpu *vcpu, int cpu))	/* preemption off */ \
	X(void, vcpu_put,      (struct kvm_vcpu *vcpu))			/* preemption off */ \
	/* run */								\
	X(void, prepare_switch, (struct kvm_vcpu *vcpu))	/* preemption off, irqs on */ \
	X(enum x86_fastpath, run, (struct kvm_vcpu *vcpu))	/* irqs off: flush dirty classes, enter, exit */ \
	X(void, exit_irqoff,   (struct kvm_vcpu *vcpu))	/* irqs off: forward host NMI, IRQ, #MC */ \
	X(int,  handle_exit,   (struct kvm_vcpu *vcpu))	/* enum kvm_exit_result or -errno */ \
	/* state */								\
	X(void, fetch,         (struct kvm_vcpu *vcpu, int class))			\
	X(bool, cr4_valid,     (struct kvm_vcpu *vcpu, u64 cr4))			\
	X(void, update_intercepts, (struct kvm_vcpu *vcpu))	/* exceptions, DRs, after guest debug or CPUID changes */ \
	X(u32,  get_int_shadow, (struct kvm_vcpu *vcpu))	/* KVM_X86_SHADOW_INT_* */ \
	X(void, set_int_shadow, (struct kvm_vcpu *vcpu, u32 shadow))			\
	X(bool, get_nmi_mask,  (struct kvm_vcpu *vcpu))					\
	X(void, set_nmi_mask,  (struct kvm_vcpu *vcpu, bool masked))			\
	/* events */								\
	X(void, inject,        (struct kvm_vcpu *vcpu, const struct x86_event *ev))	\
	X(void, cancel_injection, (struct kvm_vcpu *vcpu))	/* entry aborted after inject() */ \
	X(enum x86_can_inject, can_inject, (struct kvm_vcpu *vcpu, enum x86_event_kind kind)) \
	X(void, open_window,   (struct kvm_vcpu *vcpu, enum x86_event_kind kind))	\
	X(void, update_cr8,    (struct kvm_vcpu *vcpu, int tpr, int irr))		\
	/* MSRs: 0, 1 = not mine, -EINVAL = #GP */				\
	X(int,  get_msr,       (struct kvm_vcpu *vcpu, struct x86_msr *msr))		\
	X(int,  set_msr,       (struct kvm_vcpu *vcpu, const struct x86_msr *msr))	\
	X(int,  feature_msr,   (struct x86_msr *msr))					\
	X(void, msr_intercepts, (struct kvm_vcpu *vcpu))	/* recompute the MSR map */ \
	X(void, cpuid_changed, (struct kvm_vcpu *vcpu))					\
	/* memory */								\
	X(void, load_root,     (struct kvm_vcpu *vcpu, hpa_t root, int level))	/* a shadow root: flushes, too */ \
	X(void, flush_tlb,     (struct kvm_vcpu *vcpu, enum x86_flush what, gva_t gva))	\
	X(u8,   memtype,       (struct kvm_vcpu *vcpu, gfn_t gfn, bool mmio))		\
	/* time */								\
	X(void, write_tsc,     (struct kvm_vcpu *vcpu))	/* arch.tsc.offset/multiplier changed */ \
	/* emulation assists */							\
	X(int,  insn_len,      (struct kvm_vcpu *vcpu))	/* of the exiting instruction, 0 unknown */ \
	X(int,  insn_bytes,    (struct kvm_vcpu *vcpu, u8 *buf)) /* from hardware, 0 none */ \
	/* diagnostics */							\
	X(void, exit_info,     (struct kvm_vcpu *vcpu, struct x86_exit_info *info))	\
	X(void, dump_state,    (struct kvm_vcpu *vcpu))

#define VENDOR_OP_TYPE(ret, op, args) typedef ret vendor_##op##_fn args;
VENDOR_OPS(VENDOR_OP_TYPE)
#undef VENDOR_OP_TYPE

struct vendor_ops {
	const char *name;		/* "kvm-amd" */
	struct module *owner;
	size_t vcpu_size;		/* struct that begins with a struct kvm_vcpu */
	const struct apicv_ops *apicv;	/* NULL: there is no such thing */
	int (*setup)(struct hw_caps *caps);	/* once, process context: -EOPNOTSUPP without the feature */
	void (*teardown)(void);
	void (*emergency_off)(void);	/* crash or reboot: this CPU, any context */
#define VENDOR_OP_FIELD(ret, op, args) typeof(vendor_##op##_fn) *op;
	VENDOR_OPS(VENDOR_OP_FIELD)
#undef VENDOR_OP_FIELD
};

#define VENDOR_OP_DECLARE(ret, op, args) \
	DECLARE_STATIC_CALL(vendor_##op, vendor_##op##_fn);
VENDOR_OPS(VENDOR_OP_DECLARE)
#undef VENDOR_OP_DECLARE

/* vendor_call(fetch)(vcpu, X86_RIP): a direct call, patched at registration. */
#define vendor_call(op) static_call(vendor_##op)

extern const struct vendor_ops *vendor_ops;

/*
 * Called by a vendor module's init and exit. Process context. -EEXIST if a
 * vendor is registered already, -EINVAL if an op is missing, or what setup(),
 * cpu bring-up or misc_register() answered.
 */
int kvm_x_register_vendor(const struct vendor_ops *ops);
void kvm_x_unregister_vendor(const struct vendor_ops *ops);

#endif
