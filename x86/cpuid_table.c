// SPDX-License-Identifier: GPL-2.0
/*
 * CPUID as tables: which leaves and which feature bits a guest is offered.
 *
 * Two tables hold the policy.
 *
 * cpuid_words[] has one row for each feature word. "pass" lists the bits that
 * are handed through if the host has them: instructions and modes which work
 * in a guest with no more help than the vendor modules and the core give
 * today. "emulated" lists those that are offered on any host. A bit in neither
 * list is never offered; those left out on purpose are named beside the table
 * with the reason, so that whoever adds the missing support finds the line to
 * change. A bit is offered only if the host kernel uses it, too: what was
 * turned off on its command line or for an erratum stays off for guests.
 *
 * cpuid_leaves[] has one row for each leaf: a function that turns the host's
 * answer for it into ours. A leaf without a row is not reported and reads as
 * zero. Rows that have subleaves add further entries themselves.
 *
 * The list must stay below 80 entries (a VMM has a buffer of that size and
 * takes E2BIG as fatal) and must not depend on the CPU that runs the code:
 * APIC ids and topology read as zero, and it is the VMM that fills them in.
 *
 * Nothing here knows of vCPUs; "env" is the machine.
 */
#include "cpuid_table.h"

#define F(n)	BIT(n)

const struct cpuid_word_desc cpuid_words[CPUID_NR_WORDS] = {
	/*
	 * Left out: PSN (18), DS (21) and PBE (31) need hardware assists of the
	 * PMU; ACPI (22) and TM (29) are about the host's temperature; HTT (28)
	 * is topology, the VMM's business.
	 */
	[CPUID_W_1_EDX] = {
		.fn = 1, .reg = CPUID_R_EDX,
		.pass = F(0) /* FPU */ | F(1) /* VME */ | F(2) /* DE */ | F(3) /* PSE */ |
			F(4) /* TSC */ | F(5) /* MSR */ | F(6) /* PAE */ | F(7) /* MCE */ |
			F(8) /* CX8 */ | F(9) /* APIC */ | F(11) /* SEP */ |
			F(12) /* MTRR */ | F(13) /* PGE */ | F(14) /* MCA */ |
			F(15) /* CMOV */ | F(16) /* PAT */ | F(17) /* PSE36 */ |
			F(19) /* CLFSH */ | F(23) /* MMX */ | F(24) /* FXSR */ |
			F(25) /* SSE */ | F(26) /* SSE2 */ | F(27) /* SS */,
		.emulated = F(9) /* APIC */ | F(12) /* MTRR */ | F(16) /* PAT */,
	},
	/*
	 * Left out: DTES64 (2), DS-CPL (4), PDCM (15): PMU; MONITOR (3): exits
	 * as a NOP unless the VMM disables the intercept, then it sets the bit;
	 * VMX (5) until nesting exists; SMX (6); EIST (7), TM2 (8), xTPR (14),
	 * DCA (18): host platform; CNXT-ID (10); SDBG (11); OSXSAVE (27) follows
	 * CR4; TSC-deadline (24) is reported by its capability.
	 */
	[CPUID_W_1_ECX] = {
		.fn = 1, .reg = CPUID_R_ECX,
		.pass = F(0) /* SSE3 */ | F(1) /* PCLMULQDQ */ | F(9) /* SSSE3 */ |
			F(12) /* FMA */ | F(13) /* CX16 */ | F(17) /* PCID */ |
			F(19) /* SSE4.1 */ | F(20) /* SSE4.2 */ | F(22) /* MOVBE */ |
			F(23) /* POPCNT */ | F(25) /* AES */ | F(26) /* XSAVE */ |
			F(28) /* AVX */ | F(29) /* F16C */ | F(30) /* RDRAND */,
		.emulated = F(21) /* x2APIC */ | F(31) /* hypervisor */,
	},
	/*
	 * Left out: SGX (2); CQM (12) and RDT-A (15): host resources; MPX (14):
	 * its state is not switched; PCOMMIT (22); PT (25).
	 * 6 and 13 have inverted sense: set means that the guest must not rely
	 * on the old behaviour, so hide nothing.
	 */
	[CPUID_W_7_EBX] = {
		.fn = 7, .reg = CPUID_R_EBX,
		.pass = F(0) /* FSGSBASE */ | F(3) /* BMI1 */ | F(4) /* HLE */ |
			F(5) /* AVX2 */ | F(6) /* FDP_EXCPTN_ONLY */ | F(7) /* SMEP */ |
			F(8) /* BMI2 */ | F(9) /* ERMS */ | F(10) /* INVPCID */ |
			F(11) /* RTM */ | F(13) /* ZERO_FCS_FDS */ | F(16) /* AVX512F */ |
			F(17) /* AVX512DQ */ | F(18) /* RDSEED */ | F(19) /* ADX */ |
			F(20) /* SMAP */ | F(21) /* AVX512_IFMA */ |
			F(23) /* CLFLUSHOPT */ | F(24) /* CLWB */ | F(26) /* AVX512PF */ |
			F(27) /* AVX512ER */ | F(28) /* AVX512CD */ | F(29) /* SHA */ |
			F(30) /* AVX512BW */ | F(31) /* AVX512VL */,
		.emulated = F(1) /* TSC_ADJUST */,
	},
	/*
	 * Left out: OSPKE (4) follows CR4; WAITPKG (5): UMWAIT_CONTROL is not
	 * switched; CET_SS (7); TME (13); BUS_LOCK_DETECT (24): DEBUGCTL bit;
	 * KL (23); ENQCMD (29): PASID; SGX_LC (30); PKS (31).
	 */
	[CPUID_W_7_ECX] = {
		.fn = 7, .reg = CPUID_R_ECX,
		.pass = F(1) /* AVX512_VBMI */ | F(2) /* UMIP */ | F(3) /* PKU */ |
			F(6) /* AVX512_VBMI2 */ | F(8) /* GFNI */ | F(9) /* VAES */ |
			F(10) /* VPCLMULQDQ */ | F(11) /* AVX512_VNNI */ |
			F(12) /* AVX512_BITALG */ | F(14) /* AVX512_VPOPCNTDQ */ |
			F(16) /* LA57 */ | F(22) /* RDPID */ | F(25) /* CLDEMOTE */ |
			F(27) /* MOVDIRI */ | F(28) /* MOVDIR64B */,
	},
	/*
	 * Left out: UINTR (5); SRBDS_CTRL (9) and TSX_FORCE_ABORT (13): host
	 * MSRs; HYBRID (15): host topology; PCONFIG (18); ARCH_LBR (19); IBT (20);
	 * AMX (22, 24, 25): its state is not switched; L1D_FLUSH (28);
	 * CORE_CAPABILITIES (30).
	 */
	[CPUID_W_7_EDX] = {
		.fn = 7, .reg = CPUID_R_EDX,
		.pass = F(2) /* AVX512_4VNNIW */ | F(3) /* AVX512_4FMAPS */ |
			F(4) /* FSRM */ | F(8) /* AVX512_VP2INTERSECT */ |
			F(10) /* MD_CLEAR */ | F(14) /* SERIALIZE */ |
			F(16) /* TSXLDTRK */ | F(23) /* AVX512_FP16 */ |
			F(26) /* SPEC_CTRL */ | F(27) /* STIBP */ |
			F(29) /* ARCH_CAPABILITIES */ | F(31) /* SSBD */,
	},
	/* Left out: FRED (17), LKGS (18), AMX_FP16 (21), LAM (26). */
	[CPUID_W_7_1_EAX] = {
		.fn = 7, .index = 1, .reg = CPUID_R_EAX,
		.pass = F(4) /* AVX_VNNI */ | F(5) /* AVX512_BF16 */ |
			F(7) /* CMPCCXADD */ | F(10) /* FZRM */ | F(11) /* FSRS */ |
			F(12) /* FSRC */ | F(23) /* AVX_IFMA */,
	},
	/* Left out: AMX_COMPLEX (8), CET_SSS (18), AVX10 (19), APX (21). */
	[CPUID_W_7_1_EDX] = {
		.fn = 7, .index = 1, .reg = CPUID_R_EDX,
		.pass = F(4) /* AVX_VNNI_INT8 */ | F(5) /* AVX_NE_CONVERT */ |
			F(14) /* PREFETCHITI */,
	},
	/* Left out: XFD (4): its MSRs are not switched. */
	[CPUID_W_D_1_EAX] = {
		.fn = 0xd, .index = 1, .reg = CPUID_R_EAX,
		.pass = F(0) /* XSAVEOPT */ | F(1) /* XSAVEC */ |
			F(2) /* XGETBV1 */ | F(3) /* XSAVES */,
	},
	[CPUID_W_8_1_EDX] = {
		.fn = 0x80000001, .reg = CPUID_R_EDX,
		.pass = F(0) /* FPU */ | F(1) /* VME */ | F(2) /* DE */ | F(3) /* PSE */ |
			F(4) /* TSC */ | F(5) /* MSR */ | F(6) /* PAE */ | F(7) /* MCE */ |
			F(8) /* CX8 */ | F(9) /* APIC */ | F(11) /* SYSCALL */ |
			F(12) /* MTRR */ | F(13) /* PGE */ | F(14) /* MCA */ |
			F(15) /* CMOV */ | F(16) /* PAT */ | F(17) /* PSE36 */ |
			F(20) /* NX */ | F(22) /* MMXEXT */ | F(23) /* MMX */ |
			F(24) /* FXSR */ | F(25) /* FFXSR */ | F(26) /* 1G pages */ |
			F(27) /* RDTSCP */ | F(29) /* LM */ | F(30) /* 3DNOWEXT */ |
			F(31) /* 3DNOW */,
	},
	/*
	 * Left out: SVM (2) and SKINIT (12) until nesting exists; EXTAPIC (3): the
	 * model has no extended registers; IBS (10); WDT (13); LWP (15); TCE (17):
	 * an EFER bit; NODEID (19): topology; PERFCTR (23, 24, 28): no PMU;
	 * BPEXT (26): its MSRs are not switched; MWAITX (29).
	 */
	[CPUID_W_8_1_ECX] = {
		.fn = 0x80000001, .reg = CPUID_R_ECX,
		.pass = F(0) /* LAHF */ | F(1) /* CMP_LEGACY */ | F(4) /* CR8_LEGACY */ |
			F(5) /* ABM */ | F(6) /* SSE4A */ | F(7) /* MISALIGNSSE */ |
			F(8) /* 3DNOWPREFETCH */ | F(9) /* OSVW */ | F(11) /* XOP */ |
			F(16) /* FMA4 */ | F(21) /* TBM */ | F(22) /* TOPOEXT */,
	},
	/*
	 * Left out: IRPERF (1), PPIN (23), CPPC (27), BRS (31): host's counters
	 * and identity; RDPRU (4) is intercepted; PSFD (28).
	 */
	[CPUID_W_8_8_EBX] = {
		.fn = 0x80000008, .reg = CPUID_R_EBX,
		.pass = F(0) /* CLZERO */ | F(2) /* XSAVEERPTR */ | F(9) /* WBNOINVD */ |
			F(12) /* IBPB */ | F(14) /* IBRS */ | F(15) /* STIBP */ |
			F(17) /* STIBP_ALWAYS_ON */ | F(24) /* SSBD */ |
			F(25) /* VIRT_SSBD */ | F(26) /* SSB_NO */ | F(29) /* BTC_NO */,
	},
	/* Left out: AUTOIBRS (8): an EFER bit; SBPB (27): a PRED_CMD bit. */
	[CPUID_W_8_21_EAX] = {
		.fn = 0x80000021, .reg = CPUID_R_EAX,
		.pass = F(0) /* NO_NESTED_DATA_BP */ | F(2) /* LFENCE_RDTSC */ |
			F(5) /* VERW_CLEAR */ | F(6) /* NULL_SEL_CLR_BASE */ |
			F(20) /* PREFETCHI */ | F(28) /* IBPB_BRTYPE */ |
			F(29) /* SRSO_NO */,
	},
};

/* Instructions that are useless, or undefined, without a state component. */
static const struct {
	u64 xcr0;
	enum cpuid_word word;
	u32 bits;
} cpuid_needs_state[] = {
	{ BIT(2), CPUID_W_1_ECX, F(12) | F(28) | F(29) },
	{ BIT(2), CPUID_W_7_EBX, F(5) },
	{ BIT(2), CPUID_W_7_ECX, F(9) | F(10) },
	{ BIT(2), CPUID_W_7_1_EAX, F(4) | F(23) },
	{ BIT(2), CPUID_W_7_1_EDX, F(4) | F(5) },
	{ BIT(2), CPUID_W_8_1_ECX, F(11) | F(16) },
	{ BIT(5) | BIT(6) | BIT(7), CPUID_W_7_EBX,
	  F(16) | F(17) | F(21) | F(26) | F(27) | F(28) | F(30) | F(31) },
	{ BIT(5) | BIT(6) | BIT(7), CPUID_W_7_ECX, F(1) | F(6) | F(11) | F(12) | F(14) },
	{ BIT(5) | BIT(6) | BIT(7), CPUID_W_7_EDX, F(2) | F(3) | F(8) | F(23) },
	{ BIT(5) | BIT(6) | BIT(7), CPUID_W_7_1_EAX, F(5) },
	{ BIT(9), CPUID_W_7_ECX, F(3) },
};

/* The list under construction. */
struct cpuid_list {
	struct kvm_cpuid_entry2 *e;
	int n, max;
};

/* A further entry with the host's answer; NULL if the list is full. */
static struct kvm_cpuid_entry2 *cpuid_add(const struct cpuid_env *env, struct cpuid_list *l,
					  u32 fn, u32 index, u32 flags)
{
	struct kvm_cpuid_entry2 *e;
	struct cpuid_raw r;

	if (l->n >= l->max) {
		l->n = l->max + 1;
		return NULL;
	}
	env->host(fn, index, &r);
	e = &l->e[l->n++];
	*e = (struct kvm_cpuid_entry2) {
		.function = fn, .index = index, .flags = flags,
		.eax = r.reg[CPUID_R_EAX], .ebx = r.reg[CPUID_R_EBX],
		.ecx = r.reg[CPUID_R_ECX], .edx = r.reg[CPUID_R_EDX],
	};
	return e;
}

static void cpuid_put_zero(struct kvm_cpuid_entry2 *e)
{
	e->eax = 0;
	e->ebx = 0;
	e->ecx = 0;
	e->edx = 0;
}

/* ---- leaves ------------------------------------------------------------- */

static void leaf_raw(const struct cpuid_env *env, struct cpuid_list *l, struct kvm_cpuid_entry2 *e)
{
}

static void leaf_zero(const struct cpuid_env *env, struct cpuid_list *l, struct kvm_cpuid_entry2 *e)
{
	cpuid_put_zero(e);
}

static void leaf_zero_index(const struct cpuid_env *env, struct cpuid_list *l,
			    struct kvm_cpuid_entry2 *e)
{
	cpuid_put_zero(e);
	e->flags |= KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
}

static void leaf_basic(const struct cpuid_env *env, struct cpuid_list *l,
		       struct kvm_cpuid_entry2 *e)
{
	e->eax = min_t(u32, e->eax, 0x1f);
}

static void leaf_1(const struct cpuid_env *env, struct cpuid_list *l, struct kvm_cpuid_entry2 *e)
{
	e->ebx &= 0x0000ff00;	/* CLFLUSH size; not the brand, the count, the APIC id */
	e->ecx = env->words[CPUID_W_1_ECX];
	e->edx = env->words[CPUID_W_1_EDX];
}

/* One byte says how often to ask: once, on everything that ever existed. */
static void leaf_2(const struct cpuid_env *env, struct cpuid_list *l, struct kvm_cpuid_entry2 *e)
{
	e->eax = (e->eax & ~0xffu) | (e->eax ? 1 : 0);
}

#define CACHE_LEAVES_MAX	8

/* Subleaves until one says "no more caches" (type 0), which is reported, too. */
static void leaf_caches(const struct cpuid_env *env, struct cpuid_list *l,
			struct kvm_cpuid_entry2 *e)
{
	u32 fn = e->function, i;

	for (i = 1; e && (e->eax & 0x1f) && i < CACHE_LEAVES_MAX; i++) {
		e->flags |= KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
		e = cpuid_add(env, l, fn, i, 0);
	}
	if (e)
		e->flags |= KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
}

/* ARAT: the APIC timer never stops. */
static void leaf_6(const struct cpuid_env *env, struct cpuid_list *l, struct kvm_cpuid_entry2 *e)
{
	cpuid_put_zero(e);
	e->eax = BIT(2);
}

static void leaf_7(const struct cpuid_env *env, struct cpuid_list *l, struct kvm_cpuid_entry2 *e)
{
	u32 last = min_t(u32, e->eax, 1);

	e->flags |= KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
	e->eax = last;
	e->ebx = env->words[CPUID_W_7_EBX];
	e->ecx = env->words[CPUID_W_7_ECX];
	e->edx = env->words[CPUID_W_7_EDX];
	if (!last)
		return;
	e = cpuid_add(env, l, 7, 1, KVM_CPUID_FLAG_SIGNIFCANT_INDEX);
	if (!e)
		return;
	cpuid_put_zero(e);
	e->eax = env->words[CPUID_W_7_1_EAX];
	e->edx = env->words[CPUID_W_7_1_EDX];
}

static void leaf_d_components(const struct cpuid_env *env, struct cpuid_list *l)
{
	u64 mask = env->xcr0 | env->xss;
	struct kvm_cpuid_entry2 *e;
	int i;

	for (i = 2; i < CPUID_NR_XSTATES; i++) {
		if (!(mask & BIT_ULL(i)))
			continue;
		e = cpuid_add(env, l, 0xd, i, KVM_CPUID_FLAG_SIGNIFCANT_INDEX);
		if (!e)
			return;
		e->ecx &= 3;	/* supervisor state, 64-byte alignment */
		e->edx = 0;
	}
}

static void leaf_d(const struct cpuid_env *env, struct cpuid_list *l, struct kvm_cpuid_entry2 *e)
{
	bool compact = env->words[CPUID_W_D_1_EAX] & (F(1) | F(3));

	e->flags |= KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
	cpuid_put_zero(e);
	if (!(env->words[CPUID_W_1_ECX] & F(26)))
		return;
	e->eax = lower_32_bits(env->xcr0);
	e->edx = upper_32_bits(env->xcr0);
	e->ebx = cpuid_xsave_size(env, env->xcr0, false);
	e->ecx = e->ebx;

	e = cpuid_add(env, l, 0xd, 1, KVM_CPUID_FLAG_SIGNIFCANT_INDEX);
	if (!e)
		return;
	e->eax = env->words[CPUID_W_D_1_EAX];
	e->ebx = compact ? cpuid_xsave_size(env, env->xcr0 | env->xss, true) : 0;
	e->ecx = lower_32_bits(env->xss);
	e->edx = upper_32_bits(env->xss);
	leaf_d_components(env, l);
}

static void leaf_kvm(const struct cpuid_env *env, struct cpuid_list *l, struct kvm_cpuid_entry2 *e)
{
	static const char sig[12] = "KVMKVMKVM";
	u32 w[3];

	memcpy(w, sig, sizeof(w));
	e->eax = 0x40000001;
	e->ebx = w[0];
	e->ecx = w[1];
	e->edx = w[2];
}

static void leaf_kvm_features(const struct cpuid_env *env, struct cpuid_list *l,
			      struct kvm_cpuid_entry2 *e)
{
	cpuid_put_zero(e);
	e->eax = env->pv_features;
}

static void leaf_ext(const struct cpuid_env *env, struct cpuid_list *l, struct kvm_cpuid_entry2 *e)
{
	e->eax = e->eax < 0x80000000 ? 0 : min_t(u32, e->eax, 0x80000021);
}

static void leaf_ext_1(const struct cpuid_env *env, struct cpuid_list *l,
		       struct kvm_cpuid_entry2 *e)
{
	e->ebx &= 0x0000ffff;
	e->ecx = env->words[CPUID_W_8_1_ECX];
	e->edx = env->words[CPUID_W_8_1_EDX];
}

static void leaf_ext_7(const struct cpuid_env *env, struct cpuid_list *l,
		       struct kvm_cpuid_entry2 *e)
{
	cpuid_put_zero(e);
	e->edx = env->invtsc ? BIT(8) : 0;
}

static void leaf_ext_8(const struct cpuid_env *env, struct cpuid_list *l,
		       struct kvm_cpuid_entry2 *e)
{
	u32 phys = env->maxphyaddr ? env->maxphyaddr : e->eax & 0xff;
	u32 virt = max_t(u32, (e->eax >> 8) & 0xff, 48);

	e->eax = phys | virt << 8;
	e->ebx = env->words[CPUID_W_8_8_EBX];
	e->ecx = 0;	/* core count and APIC id size: topology */
	e->edx = 0;
}

/* How wide the execution units are: FP128, MOVU, FP256. */
static void leaf_ext_1a(const struct cpuid_env *env, struct cpuid_list *l,
			struct kvm_cpuid_entry2 *e)
{
	u32 eax = e->eax & 7;

	cpuid_put_zero(e);
	e->eax = eax;
}

static void leaf_ext_caches(const struct cpuid_env *env, struct cpuid_list *l,
			    struct kvm_cpuid_entry2 *e)
{
	if (env->words[CPUID_W_8_1_ECX] & F(22)) {
		leaf_caches(env, l, e);
		return;
	}
	leaf_zero_index(env, l, e);
}

static void leaf_ext_21(const struct cpuid_env *env, struct cpuid_list *l,
			struct kvm_cpuid_entry2 *e)
{
	cpuid_put_zero(e);
	e->eax = env->words[CPUID_W_8_21_EAX];
}

/* Sorted; each class begins with the leaf whose EAX is the class's limit. */
static const struct cpuid_leaf {
	u32 fn;
	void (*make)(const struct cpuid_env *env, struct cpuid_list *l,
		     struct kvm_cpuid_entry2 *e);
} cpuid_leaves[] = {
	{ 0x00000000, leaf_basic },
	{ 0x00000001, leaf_1 },
	{ 0x00000002, leaf_2 },
	/* 3: serial number */
	{ 0x00000004, leaf_caches },
	{ 0x00000005, leaf_zero },	/* MONITOR/MWAIT */
	{ 0x00000006, leaf_6 },
	{ 0x00000007, leaf_7 },
	/* 9: DCA */
	{ 0x0000000a, leaf_zero },	/* no PMU */
	{ 0x0000000b, leaf_zero_index },	/* topology: the VMM's */
	{ 0x0000000d, leaf_d },
	/* 0xf, 0x10: resource control; 0x12: SGX; 0x14: PT; 0x15, 0x16: frequencies */
	/* 0x1d, 0x1e: AMX */
	{ 0x0000001f, leaf_zero_index },
	{ 0x40000000, leaf_kvm },
	{ 0x40000001, leaf_kvm_features },
	{ 0x80000000, leaf_ext },
	{ 0x80000001, leaf_ext_1 },
	{ 0x80000002, leaf_raw },	/* the brand string */
	{ 0x80000003, leaf_raw },
	{ 0x80000004, leaf_raw },
	{ 0x80000005, leaf_raw },	/* caches and TLBs */
	{ 0x80000006, leaf_raw },
	{ 0x80000007, leaf_ext_7 },
	{ 0x80000008, leaf_ext_8 },
	{ 0x8000000a, leaf_zero },	/* SVM */
	{ 0x80000019, leaf_raw },	/* TLBs for 1G pages */
	{ 0x8000001a, leaf_ext_1a },
	/* 0x8000001b: IBS; 0x8000001c: LWP */
	{ 0x8000001d, leaf_ext_caches },
	{ 0x8000001e, leaf_zero },	/* topology */
	{ 0x8000001f, leaf_zero },	/* memory encryption */
	{ 0x80000021, leaf_ext_21 },
};

/* First leaf of the class that @fn belongs to. */
static u32 cpuid_class(u32 fn)
{
	if (fn >= 0x40000000 && fn < 0x50000000)
		return fn & 0xffffff00;
	return fn & 0x80000000;
}

int cpuid_supported(const struct cpuid_env *env, struct kvm_cpuid_entry2 *out, int max)
{
	struct cpuid_list l = { .e = out, .max = max };
	struct kvm_cpuid_entry2 *e;
	u32 limit = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cpuid_leaves) && l.n <= l.max; i++) {
		const struct cpuid_leaf *leaf = &cpuid_leaves[i];
		bool first = leaf->fn == cpuid_class(leaf->fn);

		if (!first && leaf->fn > limit)
			continue;
		e = cpuid_add(env, &l, leaf->fn, 0, 0);
		if (!e)
			break;
		leaf->make(env, &l, e);
		if (first)
			limit = e->eax;
	}
	return l.n > l.max ? -E2BIG : l.n;
}

int cpuid_emulated(struct kvm_cpuid_entry2 *out, int max)
{
	/* The emulator runs MOVBE on a host that lacks it. */
	static const struct kvm_cpuid_entry2 list[] = {
		{ .function = 0, .eax = 1 },
		{ .function = 1, .ecx = F(22) },
	};

	if (max < (int)ARRAY_SIZE(list))
		return -E2BIG;
	memcpy(out, list, sizeof(list));
	return ARRAY_SIZE(list);
}

/* ---- the machine ----------------------------------------------------------- */

u32 cpuid_xsave_size(const struct cpuid_env *env, u64 mask, bool compacted)
{
	u32 size = 512 + 64;
	int i;

	for (i = 2; i < CPUID_NR_XSTATES; i++) {
		const struct cpuid_xstate *x = &env->xstate[i];

		if (!(mask & BIT_ULL(i)) || !x->size)
			continue;
		if (compacted)
			size = (x->flags & 2 ? ALIGN(size, 64) : size) + x->size;
		else
			size = max_t(u32, size, x->offset + x->size);
	}
	return size;
}

static void cpuid_xstate_init(struct cpuid_env *env)
{
	struct cpuid_raw r;
	int i;

	env->host(0, 0, &r);
	if (r.reg[CPUID_R_EAX] < 0xd)
		return;
	for (i = 2; i < CPUID_NR_XSTATES; i++) {
		if (!((env->xcr0 | env->xss) & BIT_ULL(i)))
			continue;
		env->host(0xd, i, &r);
		env->xstate[i].size = r.reg[CPUID_R_EAX];
		env->xstate[i].offset = r.reg[CPUID_R_EBX];
		env->xstate[i].flags = r.reg[CPUID_R_ECX];
	}
}

void cpuid_env_init(struct cpuid_env *env, const u32 *kernel, const u32 *clear)
{
	size_t i;

	for (i = 0; i < CPUID_NR_WORDS; i++)
		env->words[i] = ((kernel[i] & cpuid_words[i].pass) | cpuid_words[i].emulated) &
				~clear[i];
	for (i = 0; i < ARRAY_SIZE(cpuid_needs_state); i++)
		if ((env->xcr0 & cpuid_needs_state[i].xcr0) != cpuid_needs_state[i].xcr0)
			env->words[cpuid_needs_state[i].word] &= ~cpuid_needs_state[i].bits;
	if (!(env->words[CPUID_W_1_ECX] & F(26)))
		env->words[CPUID_W_D_1_EAX] = 0;
	cpuid_xstate_init(env);
}

/* ---- a guest's list --------------------------------------------------------- */

struct kvm_cpuid_entry2 *cpuid_find(struct kvm_cpuid_entry2 *e, int n, u32 fn, u32 index)
{
	int i;

	for (i = 0; i < n; i++)
		if (e[i].function == fn &&
		    (!(e[i].flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) || e[i].index == index))
			return &e[i];
	return NULL;
}

/*
 * Intel answers for a leaf beyond the limit of its class with the data of the
 * highest basic leaf; AMD with zeros. Within the limit a leaf that is not
 * there is zero on both.
 */
static struct kvm_cpuid_entry2 *cpuid_out_of_range(struct kvm_cpuid_entry2 *e, int n, bool amd,
						   u32 fn, u32 index)
{
	struct kvm_cpuid_entry2 *basic = cpuid_find(e, n, 0, 0);
	struct kvm_cpuid_entry2 *class = cpuid_find(e, n, cpuid_class(fn), 0);

	if (amd || !basic || (class && fn <= class->eax))
		return NULL;
	return cpuid_find(e, n, basic->eax, index);
}

/* Subleaves beyond the last of a topology leaf still tell who is asking. */
static void cpuid_topology_tail(struct kvm_cpuid_entry2 *e, int n, u32 fn, u32 index,
				struct cpuid_raw *out)
{
	struct kvm_cpuid_entry2 *first;

	if (fn != 0xb && fn != 0x1f)
		return;
	first = cpuid_find(e, n, fn, 1);
	if (!first)
		return;
	out->reg[CPUID_R_ECX] = index & 0xff;
	out->reg[CPUID_R_EDX] = first->edx;
}

bool cpuid_execute(struct kvm_cpuid_entry2 *e, int n, bool amd, u32 fn, u32 index,
		   struct cpuid_raw *out)
{
	struct kvm_cpuid_entry2 *hit = cpuid_find(e, n, fn, index);
	bool exact = hit;

	*out = (struct cpuid_raw) { };
	if (!hit)
		hit = cpuid_out_of_range(e, n, amd, fn, index);
	if (!hit) {
		cpuid_topology_tail(e, n, fn, index, out);
		return false;
	}
	out->reg[CPUID_R_EAX] = hit->eax;
	out->reg[CPUID_R_EBX] = hit->ebx;
	out->reg[CPUID_R_ECX] = hit->ecx;
	out->reg[CPUID_R_EDX] = hit->edx;
	return exact;
}
