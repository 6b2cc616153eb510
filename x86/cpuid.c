// SPDX-License-Identifier: GPL-2.0
/*
 * CPUID of this host as guests may see it, and CPUID of each vCPU.
 *
 * The policy (which leaves, which bits) is data in cpuid_table.c. This file
 * fills in the machine once, at registration of the vendor, and keeps what is
 * derived from a guest's list.
 *
 * A vCPU's list is what its VMM set, entry by entry, except for the bits that
 * mirror run-time state: OSXSAVE and OSPKE follow CR4, APIC follows
 * IA32_APIC_BASE, MONITOR may follow IA32_MISC_ENABLE, and the sizes in leaf
 * 0xD follow XCR0 and XSS. Those are written into the list whenever the state
 * changes (x86_cpuid_update_runtime), so that the CPUID exit is a plain search.
 *
 * Everything that other rooms ask again and again is cached in struct
 * x86_cpuid: the feature words in the kernel's own numbering, the width of
 * physical addresses, reserved bits of CR4, the state components.
 *
 * Changing the list of a vCPU that has run is refused unless nothing changes:
 * caches derived from it (MMU roles, intercepts of other vCPUs' peers) and the
 * guest itself would be confused. VMMs do set the very same list again.
 *
 * Locks: env and host_caps are constant after x86_cpuid_init(); the rest
 * belongs to the vCPU's mutex.
 */
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <asm/cpufeature.h>
#include <asm/fpu/types.h>
#include <asm/kvm_para.h>
#include "compat_cpuid.h"
#include "cpuid_table.h"
#include "irqchip.h"
#include "mmu.h"
#include "trace.h"
#include "x86.h"

#define CPUID_MAX_ENTRIES	256

static struct cpuid_env env;		/* constant after x86_cpuid_init() */
static u32 host_caps[32];	/* offered features, kernel's numbering */

/*
 * Which of the kernel's capability words mirrors ours. The kernel has no word
 * for some registers on some versions: then the CPU alone is asked.
 */
#define NO_WORD	(-1)

static const int kernel_word[CPUID_NR_WORDS] = {
	[CPUID_W_1_EDX] = X86_FEATURE_FPU / 32,
	[CPUID_W_1_ECX] = X86_FEATURE_XMM3 / 32,
	[CPUID_W_7_EBX] = X86_FEATURE_FSGSBASE / 32,
	[CPUID_W_7_ECX] = X86_FEATURE_UMIP / 32,
	[CPUID_W_7_EDX] = X86_FEATURE_FSRM / 32,
	[CPUID_W_7_1_EAX] = X86_FEATURE_AVX_VNNI / 32,
	[CPUID_W_7_1_EDX] = NO_WORD,
	[CPUID_W_D_1_EAX] = X86_FEATURE_XSAVEOPT / 32,
	[CPUID_W_8_1_EDX] = X86_FEATURE_LM / 32,
	[CPUID_W_8_1_ECX] = X86_FEATURE_LAHF_LM / 32,
	[CPUID_W_8_8_EBX] = X86_FEATURE_CLZERO / 32,
	[CPUID_W_8_21_EAX] = X86_FEATURE_AUTOIBRS / 32,
};

static void host_cpuid(u32 fn, u32 index, struct cpuid_raw *r)
{
	cpuid_count(fn, index, &r->reg[CPUID_R_EAX], &r->reg[CPUID_R_EBX],
		    &r->reg[CPUID_R_ECX], &r->reg[CPUID_R_EDX]);
}

/* A class's limit on this host, so that leaves beyond it are not asked for. */
static bool host_has_leaf(u32 fn)
{
	return cpuid_eax(fn & 0x80000000) >= fn;
}

/*
 * What the CPU has and the kernel still uses. The kernel keeps bits it has no
 * name for, and clears those that it turned off.
 */
static u32 host_word(int i)
{
	const struct cpuid_word_desc *d = &cpuid_words[i];
	struct cpuid_raw r;
	u32 val;

	if (!host_has_leaf(d->fn))
		return 0;
	host_cpuid(d->fn, 0, &r);
	if (d->fn == 7 && d->index > r.reg[CPUID_R_EAX])
		return 0;
	host_cpuid(d->fn, d->index, &r);
	val = r.reg[d->reg];
	if (kernel_word[i] != NO_WORD)
		val &= boot_cpu_data.x86_capability[kernel_word[i]];
	return val;
}

/* Guest-physical address width: nested paging is not bound by what encryption takes away. */
static u8 host_maxphyaddr(void)
{
	u32 eax;

	if (!hw_caps.tdp || !host_has_leaf(0x80000008))
		return boot_cpu_data.x86_phys_bits;
	eax = cpuid_eax(0x80000008);
	return (eax >> 16) & 0xff ? (eax >> 16) & 0xff : eax & 0xff;
}

void x86_cpuid_init(void)
{
	u32 kernel[CPUID_NR_WORDS], clear[CPUID_NR_WORDS];
	int i;

	memset(&env, 0, sizeof(env));
	memset(host_caps, 0, sizeof(host_caps));
	env.host = host_cpuid;
	env.xcr0 = x86_supported_xcr0();
	env.xss = x86_supported_xss();
	env.pv_features = pv_supported_features();
	env.maxphyaddr = host_maxphyaddr();
	env.invtsc = boot_cpu_has(X86_FEATURE_CONSTANT_TSC) &&
		     boot_cpu_has(X86_FEATURE_NONSTOP_TSC);
	for (i = 0; i < CPUID_NR_WORDS; i++) {
		kernel[i] = host_word(i);
		clear[i] = kernel_word[i] == NO_WORD ? 0 : hw_caps.cpuid_clear[kernel_word[i]];
	}
	cpuid_env_init(&env, kernel, clear);
	for (i = 0; i < CPUID_NR_WORDS; i++)
		if (kernel_word[i] != NO_WORD)
			host_caps[kernel_word[i]] = env.words[i];
}

bool x86_kvm_has(unsigned int f)
{
	return host_caps[f / 32] & BIT(f % 32);
}
EXPORT_SYMBOL_GPL(x86_kvm_has);

u32 x86_xstate_size(u64 mask, bool compacted)
{
	return cpuid_xsave_size(&env, mask, compacted);
}

/* ---- what follows from a guest's list ------------------------------------ */

static struct kvm_cpuid_entry2 *guest_find(struct kvm_vcpu *vcpu, u32 fn, u32 index)
{
	return cpuid_find(vcpu->arch.cpuid.entries, vcpu->arch.cpuid.nent, fn, index);
}

const struct kvm_cpuid_entry2 *x86_cpuid_find(struct kvm_vcpu *vcpu, u32 fn, u32 index)
{
	return guest_find(vcpu, fn, index);
}
EXPORT_SYMBOL_GPL(x86_cpuid_find);

static u32 *entry_reg(struct kvm_cpuid_entry2 *e, enum cpuid_reg reg)
{
	switch (reg) {
	case CPUID_R_EAX:
		return &e->eax;
	case CPUID_R_EBX:
		return &e->ebx;
	case CPUID_R_ECX:
		return &e->ecx;
	default:
		return &e->edx;
	}
}

static void update_caps(struct kvm_vcpu *vcpu)
{
	struct x86_cpuid *c = &vcpu->arch.cpuid;
	struct kvm_cpuid_entry2 *e;
	int i;

	memset(c->caps, 0, sizeof(c->caps));
	for (i = 0; i < CPUID_NR_WORDS; i++) {
		if (kernel_word[i] == NO_WORD)
			continue;
		e = guest_find(vcpu, cpuid_words[i].fn, cpuid_words[i].index);
		if (e)
			c->caps[kernel_word[i]] = *entry_reg(e, cpuid_words[i].reg);
	}
}

static void update_vendor(struct kvm_vcpu *vcpu)
{
	const struct kvm_cpuid_entry2 *e = guest_find(vcpu, 0, 0);
	char id[12];

	vcpu->arch.cpuid.is_amd = false;
	if (!e)
		return;
	memcpy(id, &e->ebx, 4);
	memcpy(id + 4, &e->edx, 4);
	memcpy(id + 8, &e->ecx, 4);
	vcpu->arch.cpuid.is_amd = !memcmp(id, "AuthenticAMD", 12) ||
				  !memcmp(id, "HygonGenuine", 12);
}

static void update_maxphyaddr(struct kvm_vcpu *vcpu)
{
	struct x86_cpuid *c = &vcpu->arch.cpuid;
	const struct kvm_cpuid_entry2 *max = guest_find(vcpu, 0x80000000, 0);
	const struct kvm_cpuid_entry2 *e = guest_find(vcpu, 0x80000008, 0);

	c->maxphyaddr = 36;
	if (max && max->eax >= 0x80000008 && e && (e->eax & 0xff))
		c->maxphyaddr = min_t(u8, e->eax & 0xff, 52);
	c->reserved_gpa_bits = ~GENMASK_ULL(c->maxphyaddr - 1, 0);
}

/* A CR4 bit exists for the guest if its feature does: the rest is reserved. */
static const struct {
	u64 bit;
	int feature;
} cr4_features[] = {
	{ X86_CR4_FSGSBASE, X86_FEATURE_FSGSBASE },
	{ X86_CR4_LA57, X86_FEATURE_LA57 },
	{ X86_CR4_OSXSAVE, X86_FEATURE_XSAVE },
	{ X86_CR4_PCIDE, X86_FEATURE_PCID },
	{ X86_CR4_PKE, X86_FEATURE_PKU },
	{ X86_CR4_SMAP, X86_FEATURE_SMAP },
	{ X86_CR4_SMEP, X86_FEATURE_SMEP },
	{ X86_CR4_UMIP, X86_FEATURE_UMIP },
};

#define CR4_ALWAYS \
	(X86_CR4_VME | X86_CR4_PVI | X86_CR4_TSD | X86_CR4_DE | X86_CR4_PSE | X86_CR4_PAE | \
	 X86_CR4_MCE | X86_CR4_PGE | X86_CR4_PCE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT)

static void update_cr4(struct kvm_vcpu *vcpu)
{
	u64 allowed = CR4_ALWAYS;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cr4_features); i++)
		if (x86_kvm_has(cr4_features[i].feature) &&
		    x86_guest_has(vcpu, cr4_features[i].feature))
			allowed |= cr4_features[i].bit;
	vcpu->arch.cpuid.cr4_reserved = ~allowed;
}

static void update_xstate(struct kvm_vcpu *vcpu)
{
	struct x86_cpuid *c = &vcpu->arch.cpuid;
	const struct kvm_cpuid_entry2 *e = guest_find(vcpu, 0xd, 0);

	c->xcr0_supported = e ? (e->eax | (u64)e->edx << 32) & x86_supported_xcr0() : 0;
	/* the register holds 1 also where CPUID shows no XSAVE: a VMM writes that back */
	c->xcr0_supported |= XFEATURE_MASK_FP;
	e = guest_find(vcpu, 0xd, 1);
	c->xss_supported = e ? (e->ecx | (u64)e->edx << 32) & x86_supported_xss() : 0;
}

/* The KVM leaves may be moved out of the way of another hypervisor's interface. */
static void update_kvm_base(struct kvm_vcpu *vcpu)
{
	struct x86_cpuid *c = &vcpu->arch.cpuid;
	const struct kvm_cpuid_entry2 *e;
	u32 base;

	c->kvm_base = 0;
	c->kvm_features = 0;
	for (base = 0x40000000; base < 0x40010000; base += 0x100) {
		e = guest_find(vcpu, base, 0);
		if (!e || memcmp(&e->ebx, KVM_SIGNATURE, 12))
			continue;
		c->kvm_base = base;
		e = guest_find(vcpu, base | KVM_CPUID_FEATURES, 0);
		if (e)
			c->kvm_features = e->eax;
		return;
	}
}

static void put_bit(u32 *word, int bit, bool val)
{
	*word = val ? *word | BIT(bit) : *word & ~BIT(bit);
}

static void runtime_leaf_1(struct kvm_vcpu *vcpu)
{
	struct kvm_cpuid_entry2 *e = guest_find(vcpu, 1, 0);

	if (!e)
		return;
	put_bit(&e->ecx, X86_FEATURE_OSXSAVE % 32, (x86_cr4(vcpu) & X86_CR4_OSXSAVE) &&
		x86_guest_has(vcpu, X86_FEATURE_XSAVE));
	put_bit(&e->edx, X86_FEATURE_APIC % 32, vcpu->arch.apic_base & MSR_IA32_APICBASE_ENABLE);
	if (vcpu->kvm->arch.disabled_quirks & KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT)
		put_bit(&e->ecx, X86_FEATURE_MWAIT % 32,
			vcpu->arch.misc_enable & MSR_IA32_MISC_ENABLE_MWAIT);
}

static void runtime_leaf_d(struct kvm_vcpu *vcpu)
{
	struct kvm_cpuid_entry2 *e = guest_find(vcpu, 0xd, 0);

	if (e)
		e->ebx = x86_xstate_size(vcpu->arch.xcr0, false);
	e = guest_find(vcpu, 0xd, 1);
	if (e && (e->eax & (BIT(1) | BIT(3))))
		e->ebx = x86_xstate_size(vcpu->arch.xcr0 | vcpu->arch.xss, true);
}

void x86_cpuid_update_runtime(struct kvm_vcpu *vcpu)
{
	struct kvm_cpuid_entry2 *e;

	runtime_leaf_1(vcpu);
	runtime_leaf_d(vcpu);
	e = guest_find(vcpu, 7, 0);
	if (e)
		put_bit(&e->ecx, X86_FEATURE_OSPKE % 32, (x86_cr4(vcpu) & X86_CR4_PKE) &&
			x86_guest_has(vcpu, X86_FEATURE_PKU));
	/* without HLT exits nobody could be woken by a kick */
	e = vcpu->arch.cpuid.kvm_base ?
		guest_find(vcpu, vcpu->arch.cpuid.kvm_base | KVM_CPUID_FEATURES, 0) : NULL;
	if (e && (vcpu->kvm->arch.disabled_exits & KVM_X86_DISABLE_EXITS_HLT))
		put_bit(&e->eax, KVM_FEATURE_PV_UNHALT, false);
}

/* The list changed: everything that is derived from it, in order of dependence. */
static void cpuid_commit(struct kvm_vcpu *vcpu)
{
	update_caps(vcpu);
	update_vendor(vcpu);
	update_maxphyaddr(vcpu);
	update_kvm_base(vcpu);
	update_cr4(vcpu);
	update_xstate(vcpu);
	x86_cpuid_update_runtime(vcpu);
	irqchip_cpuid_changed(vcpu);
	vendor_call(cpuid_changed)(vcpu);
	mmu_reset(vcpu);
	kvm_set_request(KVM_REQ_INTERCEPTS, vcpu);
}

/* ---- ioctls ------------------------------------------------------------------- */

/* The linear address width is 48 or 57, or not told. */
static bool list_valid(struct kvm_cpuid_entry2 *e, int n)
{
	const struct kvm_cpuid_entry2 *addr = cpuid_find(e, n, 0x80000008, 0);
	u32 width = addr ? (addr->eax >> 8) & 0xff : 0;

	return !width || width == 48 || width == 57;
}

/* Takes @e over. A vCPU that ran keeps its list: only an identical one is welcome. */
static long set_list(struct kvm_vcpu *vcpu, struct kvm_cpuid_entry2 *e, int n)
{
	struct x86_cpuid *c = &vcpu->arch.cpuid;
	struct kvm_cpuid_entry2 *old = c->entries;
	int old_n = c->nent;
	bool same;

	if (!list_valid(e, n)) {
		kvfree(e);
		return -EINVAL;
	}
	c->entries = e;
	c->nent = n;
	if (!vcpu->stat.exits) {
		kvfree(old);
		cpuid_commit(vcpu);
		return 0;
	}
	x86_cpuid_update_runtime(vcpu);
	same = n == old_n && (!n || !memcmp(e, old, n * sizeof(*e)));
	if (same) {
		kvfree(old);
		return 0;
	}
	c->entries = old;
	c->nent = old_n;
	kvfree(e);
	return -EINVAL;
}

long x86_set_cpuid2(struct kvm_vcpu *vcpu, void *arg)
{
	struct kvm_cpuid2 __user *user = (void __user *)arg;
	struct kvm_cpuid_entry2 *e = NULL;
	struct kvm_cpuid2 head;

	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	if (head.nent > CPUID_MAX_ENTRIES)
		return -E2BIG;
	if (head.nent) {
		e = vmemdup_user(user->entries, array_size(sizeof(*e), head.nent));
		if (IS_ERR(e))
			return PTR_ERR(e);
	}
	return set_list(vcpu, e, head.nent);
}

static void entry_from_v1(struct kvm_cpuid_entry2 *to, const struct kvm_cpuid_entry *from)
{
	*to = (struct kvm_cpuid_entry2) {
		.function = from->function,
		.eax = from->eax, .ebx = from->ebx, .ecx = from->ecx, .edx = from->edx,
	};
}

long x86_set_cpuid(struct kvm_vcpu *vcpu, void *arg)
{
	struct kvm_cpuid __user *user = (void __user *)arg;
	struct kvm_cpuid_entry2 *e = NULL;
	struct kvm_cpuid_entry *old;
	struct kvm_cpuid head;
	u32 i;

	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	if (head.nent > CPUID_MAX_ENTRIES)
		return -E2BIG;
	if (!head.nent)
		return set_list(vcpu, NULL, 0);
	old = vmemdup_user(user->entries, array_size(sizeof(*old), head.nent));
	if (IS_ERR(old))
		return PTR_ERR(old);
	e = kvcalloc(head.nent, sizeof(*e), GFP_KERNEL_ACCOUNT);
	if (e)
		for (i = 0; i < head.nent; i++)
			entry_from_v1(&e[i], &old[i]);
	kvfree(old);
	return e ? set_list(vcpu, e, head.nent) : -ENOMEM;
}

long x86_get_cpuid2(struct kvm_vcpu *vcpu, void *arg)
{
	struct kvm_cpuid2 __user *user = (void __user *)arg;
	struct x86_cpuid *c = &vcpu->arch.cpuid;
	struct kvm_cpuid2 head;

	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	if (head.nent < c->nent)
		return -E2BIG;
	if (c->nent && copy_to_user(user->entries, c->entries, c->nent * sizeof(*c->entries)))
		return -EFAULT;
	head.nent = c->nent;
	return copy_to_user(user, &head, sizeof(head)) ? -EFAULT : 0;
}

static int list_supported(struct kvm_cpuid_entry2 *e, int max)
{
	return cpuid_supported(&env, e, max);
}

/* Both of the system's lists go out alike: the count is corrected to what was filled in. */
static long put_list(void *arg, int (*fill)(struct kvm_cpuid_entry2 *e, int max))
{
	struct kvm_cpuid2 __user *user = (void __user *)arg;
	struct kvm_cpuid_entry2 *e;
	struct kvm_cpuid2 head;
	int n;

	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	if (!head.nent)
		return -E2BIG;
	head.nent = min_t(u32, head.nent, CPUID_MAX_ENTRIES);
	e = kvcalloc(head.nent, sizeof(*e), GFP_KERNEL);
	if (!e)
		return -ENOMEM;
	n = fill(e, head.nent);
	if (n > 0) {
		head.nent = n;
		if (copy_to_user(user->entries, e, n * sizeof(*e)) ||
		    copy_to_user(user, &head, sizeof(head)))
			n = -EFAULT;
	}
	kvfree(e);
	return min(n, 0);
}

long x86_sys_supported_cpuid(void *arg)
{
	return put_list(arg, list_supported);
}

long x86_sys_emulated_cpuid(void *arg)
{
	return put_list(arg, cpuid_emulated);
}

void x86_cpuid_free(struct kvm_vcpu *vcpu)
{
	kvfree(vcpu->arch.cpuid.entries);
	vcpu->arch.cpuid.entries = NULL;
	vcpu->arch.cpuid.nent = 0;
}

/* ---- the instruction ------------------------------------------------------------ */

bool x86_cpuid(struct kvm_vcpu *vcpu, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx)
{
	struct x86_cpuid *c = &vcpu->arch.cpuid;
	u32 fn = *eax, index = *ecx;
	struct cpuid_raw r;
	bool exact;

	exact = cpuid_execute(c->entries, c->nent, c->is_amd, fn, index, &r);
	*eax = r.reg[CPUID_R_EAX];
	*ebx = r.reg[CPUID_R_EBX];
	*ecx = r.reg[CPUID_R_ECX];
	*edx = r.reg[CPUID_R_EDX];
	trace_kvm_cpuid(fn, index, *eax, *ebx, *ecx, *edx, exact, false);
	return exact;
}
EXPORT_SYMBOL_GPL(x86_cpuid);

int x86_handle_cpuid(struct kvm_vcpu *vcpu)
{
	u64 *gpr = vcpu->arch.regs.gpr;
	u32 eax = gpr[X86_RAX], ecx = gpr[X86_RCX], ebx, edx;

	if ((vcpu->arch.misc_features & MSR_MISC_FEATURES_ENABLES_CPUID_FAULT) &&
	    x86_cpl(vcpu) > 0) {
		x86_inject_gp(vcpu, 0);
		return KVM_EXIT_RESUME;
	}
	x86_cpuid(vcpu, &eax, &ebx, &ecx, &edx);
	gpr[X86_RAX] = eax;
	gpr[X86_RBX] = ebx;
	gpr[X86_RCX] = ecx;
	gpr[X86_RDX] = edx;
	return x86_skip(vcpu);
}
EXPORT_SYMBOL_GPL(x86_handle_cpuid);
