/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a vCPU keeps for the emulator: its context, and the one access that may
 * be waiting for userspace. [V] all of it.
 */
#ifndef KVM_EMUL_H
#define KVM_EMUL_H

#include "emulate.h"
#include "vcpu.h"
#include "vendor_ops.h"

/*
 * A memory access in pieces. @done bytes are finished; the piece at @gpa of
 * @frag bytes is on its way to userspace while @waiting.
 */
struct x86_mem_access {
	bool active, waiting;
	unsigned int done, frag;
	gpa_t gpa;
	u8 data[EM_MAX_ACCESS];
};

/* A port access: @done elements are finished, @waiting more are with userspace. */
struct x86_port_access {
	unsigned int done, waiting;
};

struct x86_emul {
	struct kvm_vcpu *vcpu;		/* [I] */
	struct x86_mem_access mem;
	struct x86_port_access pio;
	u64 old_rflags;			/* when the instruction began */
	bool event_waits;		/* for x86_emulate_turn() */
	struct x86_event event;
	gpa_t fault_gpa;		/* of the nested fault that asked for this, if usable */
	bool fault_usable, fault_write;
	bool fault_no_slot;		/* nothing but a device can be there */
	struct em_ctx ctx;
};

static inline struct x86_emul *emul_of(struct em_ctx *ctx)
{
	return container_of(ctx, struct x86_emul, ctx);
}

/* x86/emulate_fpu.c: em_ops.vec. The guest's FPU state is loaded (inside KVM_RUN). */
enum em_result x86_emul_vec(struct em_ctx *ctx, enum em_vec what, unsigned int reg,
			    void *data, bool write);

#endif
