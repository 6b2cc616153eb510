/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the rooms of svm/ share: the vCPU as AMD-V sees it.
 *
 * One VMCB for each vCPU, reached only through svm->vmcb, so that a nested
 * guest's can be put there later. The core's register cache (x86_vcpu.h) lies
 * in front of it: svm_fetch() fills a class from the VMCB, svm_flush() writes
 * dirty classes back just before entry.
 *
 * Clean bits. After each exit all bits are set in ctl.clean: "nothing changed".
 * Who writes a field that one of them covers clears it with svm_dirty(). On a
 * change of CPU all are cleared. Emulators ignore the bits, so a build of
 * kvm-amd loaded with debug_clean=1 checks them itself (svm_check_clean()).
 *
 * ASIDs. Each CPU hands them out in ascending order. When they are used up the
 * CPU begins a new generation and flushes everything once. A vCPU whose
 * generation is not the CPU's takes a new ASID at entry; so setting
 * asid_generation to 0 is a flush of everything this vCPU has cached.
 *
 * Everything here belongs to the vCPU's thread (vcpu->mutex) unless said
 * otherwise.
 */
#ifndef KVM_SVM_SVM_H
#define KVM_SVM_SVM_H

#include <linux/percpu.h>
#include "hw/svm.h"
#include "x86.h"
#include "enter.h"

/* Read and written by enter.S. */
struct svm_entry {
	u64 vmcb_pa;
	u64 host_pa;
	unsigned long *gprs;
	u64 guest_spec, host_spec;
	u32 spec_mode;
	u32 faulted;
};

static_assert(offsetof(struct svm_entry, vmcb_pa) == SVM_ENTRY_VMCB);
static_assert(offsetof(struct svm_entry, host_pa) == SVM_ENTRY_HOST);
static_assert(offsetof(struct svm_entry, gprs) == SVM_ENTRY_GPRS);
static_assert(offsetof(struct svm_entry, guest_spec) == SVM_ENTRY_GUEST_SPEC);
static_assert(offsetof(struct svm_entry, host_spec) == SVM_ENTRY_HOST_SPEC);
static_assert(offsetof(struct svm_entry, spec_mode) == SVM_ENTRY_SPEC_MODE);
static_assert(offsetof(struct svm_entry, faulted) == SVM_ENTRY_FAULTED);

/* What one physical CPU knows. [p] preemption off on that CPU. */
struct svm_cpu {
	struct page *hsave;		/* VM_HSAVE_PA: the hardware's own */
	struct page *host_state;	/* VMSAVE area of the host */
	u64 asid_generation;		/* from 1; 0 is nobody's */
	u32 next_asid, max_asid;
	u64 tsc_ratio;			/* in the MSR now */
	struct svm_vmcb *last;		/* whose branch predictions are here */
};

DECLARE_PER_CPU(struct svm_cpu, svm_cpus);

/* Single-stepping of our own, to notice when an NMI may be injected. */
struct svm_step {
	bool on;
	bool iret;		/* the stepped instruction is IRET: it loads TF itself */
	bool guest_tf;		/* what the guest thinks TF is */
};

struct vcpu_svm {
	struct kvm_vcpu vcpu;		/* first: the core allocates vcpu_size bytes */

	struct svm_vmcb *vmcb;		/* the current one */
	struct svm_entry entry;
	u64 *msrpm;			/* 2 pages: MSR permission map */

	u64 asid_generation;
	int last_cpu;			/* where the VMCB's cached parts are, -1 nowhere */
	bool host_loaded;		/* host state saved since vcpu_load */

	u8 insn_len;			/* of the exiting instruction, if a handler decoded it */
	bool nmi_masked;		/* an NMI is in service */
	bool iret_started;		/* IRET was intercepted and let go */
	u64 iret_rip;
	struct svm_step step;

	bool injected;			/* event_inj was filled for the last entry */
	u32 inject_info;		/* with what */
	u64 inject_rip;			/* RIP then */
	u8 soft_len;			/* it was moved by this much for a soft event */

	bool spec_ctrl_direct;		/* the guest writes SPEC_CTRL without exits */
	u64 tsc_aux;
	u64 de_cfg;

	struct svm_vmcb *shadow;	/* debug_clean: the VMCB as the last exit left it */
};

static inline struct vcpu_svm *to_svm(struct kvm_vcpu *vcpu)
{
	return container_of(vcpu, struct vcpu_svm, vcpu);
}

static inline void svm_dirty(struct vcpu_svm *svm, enum svm_clean bit)
{
	svm->vmcb->ctl.clean &= ~BIT(bit);
}

static inline bool svm_intercepted(const struct vcpu_svm *svm, int i)
{
	return svm->vmcb->ctl.intercepts[i / 32] & BIT(i % 32);
}

/* Writes only what changes: an unchanged VMCB stays clean. */
static inline void svm_intercept(struct vcpu_svm *svm, int i, bool on)
{
	if (svm_intercepted(svm, i) == on)
		return;
	svm->vmcb->ctl.intercepts[i / 32] ^= BIT(i % 32);
	svm_dirty(svm, SVM_CLEAN_CTL);
}

/* ---- svm.c: this module's answers, constant after setup --------------------- */
extern bool svm_has_v_spec_ctrl, svm_has_lbrv;
extern bool svm_debug_clean, svm_dump_invalid;
extern int svm_tsc_aux_slot;		/* of uret.h, < 0 none */
extern u64 svm_iopm_pa;

/* ---- vmcb.c ------------------------------------------------------------------- */
int svm_vmcb_alloc(struct vcpu_svm *svm);		/* -ENOMEM; process context */
void svm_vmcb_free(struct vcpu_svm *svm);
void svm_vmcb_reset(struct kvm_vcpu *vcpu, bool init);	/* power-on, or INIT; loaded */
void svm_fetch(struct kvm_vcpu *vcpu, int class);
void svm_fetch_basic(struct vcpu_svm *svm);		/* irqs off, after an exit: what most handlers need */
void svm_flush(struct kvm_vcpu *vcpu);			/* irqs off: dirty classes to the VMCB */
void svm_assign_asid(struct vcpu_svm *svm);		/* irqs off, before entry: a new one */
void svm_flush_tlb(struct kvm_vcpu *vcpu, enum x86_flush what, gva_t gva);
void svm_load_root(struct kvm_vcpu *vcpu, hpa_t root, int level);
void svm_update_intercepts(struct kvm_vcpu *vcpu);
void svm_check_clean(struct vcpu_svm *svm);		/* debug_clean=1: before entry */
void svm_remember_clean(struct vcpu_svm *svm);		/* ... after exit */
void svm_dump_state(struct kvm_vcpu *vcpu);

/* ---- msr.c --------------------------------------------------------------------- */
int svm_msrpm_alloc(struct vcpu_svm *svm);
void svm_msrpm_free(struct vcpu_svm *svm);
void svm_msr_intercepts(struct kvm_vcpu *vcpu);
void svm_msr_reset(struct kvm_vcpu *vcpu);		/* power-on values */
int svm_get_msr(struct kvm_vcpu *vcpu, struct x86_msr *msr);
int svm_set_msr(struct kvm_vcpu *vcpu, const struct x86_msr *msr);
int svm_feature_msr(struct x86_msr *msr);
void svm_spec_prepare(struct vcpu_svm *svm);		/* irqs off: fill entry.*spec* */
void svm_spec_finish(struct vcpu_svm *svm);

/* ---- intr.c ---------------------------------------------------------------------- */
void svm_inject(struct kvm_vcpu *vcpu, const struct x86_event *ev);
void svm_cancel_injection(struct kvm_vcpu *vcpu);
/*
 * After an exit, if something was injected or cut short, or an IRET let go: what
 * was cut short goes back to the core.
 */
void svm_complete_events(struct kvm_vcpu *vcpu);
enum x86_can_inject svm_can_inject(struct kvm_vcpu *vcpu, enum x86_event_kind kind);
void svm_open_window(struct kvm_vcpu *vcpu, enum x86_event_kind kind);
void svm_close_intr_window(struct kvm_vcpu *vcpu);
void svm_update_cr8(struct kvm_vcpu *vcpu, int tpr, int irr);
u32 svm_get_int_shadow(struct kvm_vcpu *vcpu);
void svm_set_int_shadow(struct kvm_vcpu *vcpu, u32 shadow);
bool svm_get_nmi_mask(struct kvm_vcpu *vcpu);
void svm_set_nmi_mask(struct kvm_vcpu *vcpu, bool masked);
void svm_iret_exit(struct kvm_vcpu *vcpu);		/* IRET was intercepted */
/* #DB exit: true if it was our own step and nobody else's. */
bool svm_step_done(struct kvm_vcpu *vcpu);

/* ---- exits.c ----------------------------------------------------------------------- */
int svm_handle_exit(struct kvm_vcpu *vcpu);
int svm_insn_len(struct kvm_vcpu *vcpu);
int svm_insn_bytes(struct kvm_vcpu *vcpu, u8 *buf);
void svm_exit_info(struct kvm_vcpu *vcpu, struct x86_exit_info *info);

/* ---- enter.S ------------------------------------------------------------------------ */
void svm_vmrun(struct svm_entry *entry);

#endif
