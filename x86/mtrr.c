// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's memory type range registers and page attribute table, as stores
 * with the architecture's rules.
 *
 * With nested paging the type of guest memory is what the host's mapping says;
 * the MTRRs have no effect but are read back as written, which is all that
 * firmware and operating systems check. Eight variable ranges, as CPUID
 * leaves of common machines imply, and the eleven fixed registers.
 *
 * Everything is the vCPU's own (vcpu->mutex).
 */
#include "x86.h"

#define MTRR_VAR_FIRST	0x200
#define MTRR_NR_VAR	8
#define MTRR_VAR_LAST	(MTRR_VAR_FIRST + 2 * MTRR_NR_VAR - 1)
#define MTRR_DEF_TYPE	0x2ff
#define MTRR_CAP	0xfe

#define MTRR_CAP_FIX	BIT(8)
#define MTRR_CAP_WC	BIT(10)

/* Uncached, write combining, write through, write protected, write back. */
#define MTRR_TYPES	(BIT(0) | BIT(1) | BIT(4) | BIT(5) | BIT(6))
#define PAT_TYPES	(MTRR_TYPES | BIT(7) /* UC- */)

static bool type_valid(u8 type, u32 types)
{
	return type < 8 && (types & BIT(type));
}

static bool all_types_valid(u64 val, u32 types)
{
	int i;

	for (i = 0; i < 8; i++)
		if (!type_valid(val >> (8 * i), types))
			return false;
	return true;
}

bool x86_pat_valid(u64 pat)
{
	return all_types_valid(pat, PAT_TYPES);
}
EXPORT_SYMBOL_GPL(x86_pat_valid);

/* Position in the fixed array: one 64K register, two 16K, eight 4K. -1: none. */
static int fixed_index(u32 msr)
{
	if (msr == 0x250)
		return 0;
	if (msr == 0x258 || msr == 0x259)
		return 1 + (msr - 0x258);
	if (msr >= 0x268 && msr <= 0x26f)
		return 3 + (msr - 0x268);
	return -1;
}

static u64 *mtrr_slot(struct kvm_vcpu *vcpu, u32 msr)
{
	struct x86_mtrr *m = &vcpu->arch.mtrr;
	int i = fixed_index(msr);

	if (msr == MTRR_DEF_TYPE)
		return &m->def_type;
	if (msr >= MTRR_VAR_FIRST && msr <= MTRR_VAR_LAST) {
		i = array_index_nospec(msr - MTRR_VAR_FIRST, 2 * MTRR_NR_VAR);
		return &m->var[i / 2][i % 2];
	}
	return i < 0 ? NULL : &m->fixed[array_index_nospec(i, ARRAY_SIZE(m->fixed))];
}

static bool var_valid(struct kvm_vcpu *vcpu, u32 msr, u64 data, bool host)
{
	/* userspace may restore registers before it tells the address width */
	u64 reserved = host ? 0 : vcpu->arch.cpuid.reserved_gpa_bits;

	if (msr & 1)
		return !(data & (reserved | GENMASK(10, 0)));
	return !(data & (reserved | GENMASK(11, 8))) && type_valid(data & 0xff, MTRR_TYPES);
}

static bool mtrr_valid(struct kvm_vcpu *vcpu, u32 msr, u64 data, bool host)
{
	if (msr == MTRR_DEF_TYPE)
		return !(data & ~0xcffULL) && type_valid(data & 0xff, MTRR_TYPES);
	if (msr <= MTRR_VAR_LAST)
		return var_valid(vcpu, msr, data, host);
	return all_types_valid(data, MTRR_TYPES);
}

int x86_mtrr_get_msr(struct kvm_vcpu *vcpu, struct x86_msr *msr)
{
	const u64 *slot;

	if (msr->index == MTRR_CAP) {
		msr->data = MTRR_NR_VAR | MTRR_CAP_FIX | MTRR_CAP_WC;
		return 0;
	}
	slot = mtrr_slot(vcpu, msr->index);
	if (!slot)
		return 1;
	msr->data = *slot;
	return 0;
}

int x86_mtrr_set_msr(struct kvm_vcpu *vcpu, const struct x86_msr *msr)
{
	u64 *slot;

	if (msr->index == MTRR_CAP)
		return -EINVAL;
	slot = mtrr_slot(vcpu, msr->index);
	if (!slot)
		return 1;
	if (!mtrr_valid(vcpu, msr->index, msr->data, msr->host))
		return -EINVAL;
	*slot = msr->data;
	return 0;
}
