/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What KVM_GET_SUPPORTED_CPUID answers, as data: which leaves exist, which
 * bits of which feature words a guest may see, and how big the XSAVE area is.
 *
 * Pure: the machine is described by struct cpuid_env, so the same tables run
 * in a unit test against a made-up machine. x86/cpuid.c fills the environment
 * in once and owns everything that needs a vCPU.
 */
#ifndef KVM_CPUID_TABLE_H
#define KVM_CPUID_TABLE_H

#include "pure.h"
#include <linux/kvm.h>

enum cpuid_reg { CPUID_R_EAX, CPUID_R_EBX, CPUID_R_ECX, CPUID_R_EDX };

/* The feature words this house knows, in the order of cpuid_words[]. */
enum cpuid_word {
	CPUID_W_1_EDX,
	CPUID_W_1_ECX,
	CPUID_W_7_EBX,
	CPUID_W_7_ECX,
	CPUID_W_7_EDX,
	CPUID_W_7_1_EAX,
	CPUID_W_7_1_EDX,
	CPUID_W_D_1_EAX,
	CPUID_W_8_1_EDX,
	CPUID_W_8_1_ECX,
	CPUID_W_8_8_EBX,
	CPUID_W_8_21_EAX,
	CPUID_NR_WORDS
};

struct cpuid_word_desc {
	u32 fn, index;
	enum cpuid_reg reg;
	u32 pass;	/* offered if the host has it */
	u32 emulated;	/* offered always: KVM does it without the host's help */
};

extern const struct cpuid_word_desc cpuid_words[CPUID_NR_WORDS];

#define CPUID_NR_XSTATES	64

struct cpuid_xstate {
	u32 size, offset;	/* offset in the standard format */
	u32 flags;		/* CPUID.0xD.i:ECX */
};

struct cpuid_raw {
	u32 reg[4];		/* indexed by enum cpuid_reg */
};

/* The machine. Filled once, read only afterwards. */
struct cpuid_env {
	/* the CPUID instruction of the host */
	void (*host)(u32 fn, u32 index, struct cpuid_raw *out);
	u32 words[CPUID_NR_WORDS];	/* usable by guests: see cpuid_words_init() */
	struct cpuid_xstate xstate[CPUID_NR_XSTATES];
	u64 xcr0, xss;			/* state components offered */
	u32 pv_features;		/* 0x40000001 EAX */
	u8 maxphyaddr;			/* guest-physical address bits; 0: the host's */
	bool invtsc;
};

/*
 * @kernel: what the host kernel itself still uses of each word; @clear: what
 * the vendor module takes away. Fills env->words and env->xstate; host, xcr0
 * and xss must be set.
 */
void cpuid_env_init(struct cpuid_env *env, const u32 *kernel, const u32 *clear);

/*
 * Write the supported leaves into @out (room for @max). Their number, or
 * -E2BIG if they do not fit.
 */
int cpuid_supported(const struct cpuid_env *env, struct kvm_cpuid_entry2 *out, int max);
/* The same for KVM_GET_EMULATED_CPUID. */
int cpuid_emulated(struct kvm_cpuid_entry2 *out, int max);

/* Bytes of an XSAVE area for the components @mask; at least 576. */
u32 cpuid_xsave_size(const struct cpuid_env *env, u64 mask, bool compacted);

/* The entry for (@fn, @index) in a list, or NULL. */
struct kvm_cpuid_entry2 *cpuid_find(struct kvm_cpuid_entry2 *e, int n, u32 fn, u32 index);
/*
 * The instruction, over a guest's list: exact leaf, or what a CPU of that
 * vendor answers for leaves out of range. False: not an exact leaf.
 */
bool cpuid_execute(struct kvm_cpuid_entry2 *e, int n, bool amd, u32 fn, u32 index,
		   struct cpuid_raw *out);

#endif
