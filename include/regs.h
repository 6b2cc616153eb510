/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Access to the cached register classes (x86_vcpu.h has the truth table).
 * Every accessor needs the vCPU loaded and vcpu->mutex held.
 */
#ifndef KVM_REGS_H
#define KVM_REGS_H

#include <asm/processor-flags.h>
#include <asm/msr-index.h>
#include "vcpu.h"
#include "vendor_ops.h"

static inline void x86_need(struct kvm_vcpu *vcpu, enum x86_class class)
{
	if (!(vcpu->arch.regs.avail & BIT(class)))
		vendor_call(fetch)(vcpu, class);
}

static inline void x86_touch(struct kvm_vcpu *vcpu, enum x86_class class)
{
	vcpu->arch.regs.avail |= BIT(class);
	vcpu->arch.regs.dirty |= BIT(class);
}

#define X86_REG_ACCESSORS(name, field, class)				\
static inline u64 x86_##name(struct kvm_vcpu *vcpu)			\
{									\
	x86_need(vcpu, class);						\
	return vcpu->arch.regs.field;					\
}									\
static inline void x86_put_##name(struct kvm_vcpu *vcpu, u64 val)	\
{									\
	vcpu->arch.regs.field = val;					\
	x86_touch(vcpu, class);						\
}

/*
 * x86_rip() and x86_put_rip() and so on. The put side only stores: rules and
 * side effects of CR0, CR3, CR4 and EFER are x86_set_cr0() and friends (x86.h).
 */
X86_REG_ACCESSORS(rip, rip, X86_RIP)
X86_REG_ACCESSORS(rsp, gpr[X86_RSP_IDX], X86_RSP)
X86_REG_ACCESSORS(rflags, rflags, X86_RFLAGS)
X86_REG_ACCESSORS(cr0, cr0, X86_CR0)
X86_REG_ACCESSORS(cr3, cr3, X86_CR3)
X86_REG_ACCESSORS(cr4, cr4, X86_CR4)
X86_REG_ACCESSORS(efer, efer, X86_EFER)
X86_REG_ACCESSORS(dr6, dr6, X86_DR)

/* Of CR4 what no vendor lets a guest change without an exit: nothing to fetch. */
#define X86_CR4_KEPT	(X86_CR4_OSXSAVE | X86_CR4_PKE)

static inline u64 x86_cr4_kept(const struct kvm_vcpu *vcpu)
{
	return vcpu->arch.regs.cr4 & X86_CR4_KEPT;
}

static inline u64 x86_gpr(struct kvm_vcpu *vcpu, int i)
{
	if (i == X86_RSP_IDX)
		return x86_rsp(vcpu);
	return vcpu->arch.regs.gpr[i];
}

static inline void x86_put_gpr(struct kvm_vcpu *vcpu, int i, u64 val)
{
	if (i == X86_RSP_IDX)
		x86_put_rsp(vcpu, val);
	else
		vcpu->arch.regs.gpr[i] = val;
}

static inline const struct kvm_segment *x86_seg(struct kvm_vcpu *vcpu, enum x86_seg s)
{
	x86_need(vcpu, X86_SEG_CLASS + s);
	return &vcpu->arch.regs.seg[s];
}

static inline void x86_put_seg(struct kvm_vcpu *vcpu, enum x86_seg s,
			       const struct kvm_segment *val)
{
	vcpu->arch.regs.seg[s] = *val;
	if (s == X86_CS)
		vcpu->arch.regs.cs_l = val->l;
	else if (s == X86_SS)
		vcpu->arch.regs.cpl = val->dpl & 3;
	x86_touch(vcpu, X86_SEG_CLASS + s);
}

static inline int x86_cpl(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.regs.cpl;
}

static inline bool x86_protmode(struct kvm_vcpu *vcpu)
{
	return x86_cr0(vcpu) & X86_CR0_PE;
}

static inline bool x86_paging(struct kvm_vcpu *vcpu)
{
	return x86_cr0(vcpu) & X86_CR0_PG;
}

static inline bool x86_long_mode(struct kvm_vcpu *vcpu)
{
	return x86_efer(vcpu) & EFER_LMA;
}

static inline bool x86_64bit_code(struct kvm_vcpu *vcpu)
{
	return x86_long_mode(vcpu) && vcpu->arch.regs.cs_l;
}

#endif
