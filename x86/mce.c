// SPDX-License-Identifier: GPL-2.0
/*
 * Machine check registers of a vCPU, and injection of a machine check by
 * userspace (a VMM does so when the host lost a page of the guest's memory).
 *
 * Banks are four registers each: control, status, address, miscellany. Nothing
 * here is ever written by hardware: the host's own machine checks stay with
 * the host.
 *
 * Everything is the vCPU's own (vcpu->mutex).
 */
#include <asm/mce.h>
#include "x86.h"

#define MCE_SUPPORTED	(MCG_CTL_P | MCG_SER_P)
#define MCG_IGNORED	0xff0000	/* MCG_EXT_CNT: harmless without MCG_EXT_P */
#define BANK_FIRST	0x400
#define HWCR_STATUS_WR	BIT_ULL(18)	/* McStatusWrEn: guests may write status */

enum { BANK_CTL, BANK_STATUS, BANK_ADDR, BANK_MISC };

static u32 nr_banks(const struct x86_mce *m)
{
	return m->cap & 0xff;
}

static u64 *bank_reg(struct kvm_vcpu *vcpu, u32 msr)
{
	struct x86_mce *m = &vcpu->arch.mce;
	u32 i = msr - BANK_FIRST;

	if (msr < BANK_FIRST || i >= 4 * nr_banks(m) || i >= ARRAY_SIZE(m->bank))
		return NULL;
	return &m->bank[array_index_nospec(i, ARRAY_SIZE(m->bank))];
}

/*
 * Control registers are all or nothing; Linux leaves bit 10 of one bank and
 * bit 0 of another clear on AMD machines. Status can only be cleared, unless
 * the guest unlocked it.
 */
static bool bank_write_ok(struct kvm_vcpu *vcpu, u32 msr, u64 data)
{
	switch ((msr - BANK_FIRST) % 4) {
	case BANK_CTL:
		return !data || (data | BIT_ULL(10) | BIT_ULL(0)) == ~0ULL;
	case BANK_STATUS:
		return !data || (vcpu->arch.hwcr & HWCR_STATUS_WR);
	default:
		return true;
	}
}

int x86_mce_get_msr(struct kvm_vcpu *vcpu, struct x86_msr *msr)
{
	const struct x86_mce *m = &vcpu->arch.mce;
	const u64 *reg;

	switch (msr->index) {
	case MSR_IA32_MCG_CAP:
		msr->data = m->cap;
		return 0;
	case MSR_IA32_MCG_STATUS:
		msr->data = m->status;
		return 0;
	case MSR_IA32_MCG_CTL:
		if (!(m->cap & MCG_CTL_P) && !msr->host)
			return -EINVAL;
		msr->data = m->ctl;
		return 0;
	}
	reg = bank_reg(vcpu, msr->index);
	if (!reg)
		return 1;
	msr->data = *reg;
	return 0;
}

static int set_mcg_ctl(struct kvm_vcpu *vcpu, const struct x86_msr *msr)
{
	struct x86_mce *m = &vcpu->arch.mce;

	/* a VMM may write back what it read from a vCPU without the register */
	if (!(m->cap & MCG_CTL_P) && (msr->data || !msr->host))
		return -EINVAL;
	if (msr->data && msr->data != ~0ULL)
		return -EINVAL;
	m->ctl = msr->data;
	return 0;
}

int x86_mce_set_msr(struct kvm_vcpu *vcpu, const struct x86_msr *msr)
{
	u64 *reg;

	switch (msr->index) {
	case MSR_IA32_MCG_CAP:
		return -EINVAL;
	case MSR_IA32_MCG_STATUS:
		vcpu->arch.mce.status = msr->data;
		return 0;
	case MSR_IA32_MCG_CTL:
		return set_mcg_ctl(vcpu, msr);
	}
	reg = bank_reg(vcpu, msr->index);
	if (!reg)
		return 1;
	if (!msr->host && !bank_write_ok(vcpu, msr->index, msr->data))
		return -EINVAL;
	*reg = msr->data;
	return 0;
}

long x86_sys_mce_cap(void *arg)
{
	*(u64 *)arg = MCE_SUPPORTED;
	return 0;
}

long x86_setup_mce(struct kvm_vcpu *vcpu, void *arg)
{
	struct x86_mce *m = &vcpu->arch.mce;
	u64 cap = *(u64 *)arg;
	u32 banks = cap & 0xff, i;

	if (!banks || banks > X86_MCE_BANKS)
		return -EINVAL;
	if (cap & ~(u64)(MCE_SUPPORTED | MCG_IGNORED | 0xff))
		return -EINVAL;
	m->cap = cap;
	if (cap & MCG_CTL_P)
		m->ctl = ~0ULL;
	for (i = 0; i < banks; i++)
		m->bank[4 * i + BANK_CTL] = ~0ULL;
	return 0;
}

static void bank_store(u64 *bank, const struct kvm_x86_mce *e)
{
	u64 status = e->status;

	if (bank[BANK_STATUS] & MCI_STATUS_VAL)
		status |= MCI_STATUS_OVER;
	bank[BANK_STATUS] = status;
	bank[BANK_ADDR] = e->addr;
	bank[BANK_MISC] = e->misc;
}

/* An uncorrected error raises #MC; one while another is handled, or unwanted, is the end. */
static long inject_uncorrected(struct kvm_vcpu *vcpu, u64 *bank, const struct kvm_x86_mce *e)
{
	struct x86_mce *m = &vcpu->arch.mce;

	if ((m->status & MCG_STATUS_MCIP) || !(x86_cr4(vcpu) & X86_CR4_MCE)) {
		kvm_set_request(KVM_REQ_TRIPLE_FAULT, vcpu);
		return 0;
	}
	bank_store(bank, e);
	m->status = e->mcg_status;
	x86_queue_exception(vcpu, 18);
	return 0;
}

/* A corrected error is kept unless it would hide an uncorrected one. */
static long store_corrected(u64 *bank, const struct kvm_x86_mce *e)
{
	if ((bank[BANK_STATUS] & MCI_STATUS_VAL) && (bank[BANK_STATUS] & MCI_STATUS_UC))
		bank[BANK_STATUS] |= MCI_STATUS_OVER;
	else
		bank_store(bank, e);
	return 0;
}

long x86_set_mce(struct kvm_vcpu *vcpu, void *arg)
{
	const struct kvm_x86_mce *e = arg;
	struct x86_mce *m = &vcpu->arch.mce;
	u64 *bank;

	if (e->bank >= nr_banks(m) || !(e->status & MCI_STATUS_VAL))
		return -EINVAL;
	bank = &m->bank[4 * array_index_nospec(e->bank, X86_MCE_BANKS)];
	if (!(e->status & MCI_STATUS_UC))
		return store_corrected(bank, e);
	/* reporting is off: the error leaves no trace */
	if ((m->cap & MCG_CTL_P) && m->ctl != ~0ULL)
		return 0;
	if (bank[BANK_CTL] != ~0ULL)
		return 0;
	return inject_uncorrected(vcpu, bank, e);
}
