// SPDX-License-Identifier: GPL-2.0
/* System management mode: KVM_SMI, its own address space, RSM, what the VMM sees of it. */
#include "kvmtest.h"

/* Normal code asks for nothing; the SMI handler at SMBASE + 0x8000 writes and returns. */
GUEST(g_main, 16, "out %al, $0x11; 1: mov %bl, %al; out %al, $0x12; inc %bl; jmp 1b");
GUEST(g_smi, 16, "mov $0x5a, %al; out %al, $0x13; rsm");

static void smi(void)
{
	struct kvm_vcpu_events e;
	struct kvm_regs before, after;
	uint8_t *smram = tvm_alloc(0x10000);
	struct tvm t;

	vm_new_irqchip(&t);
	if (!has_cap(t.sys, KVM_CAP_X86_SMM))
		SKIP("no system management mode here");
	CHECK_EQ(has_cap(t.vm, KVM_CAP_MULTI_ADDRESS_SPACE), 2);
	/* The second address space: SMRAM at 0x30000. */
	REQUIRE_OK(tvm_set_slot(t.vm, 1 << 16, 0, 0x30000, 0x10000, smram));
	memcpy(smram + 0x8000, g_smi, g_smi_end - g_smi);
	GUEST_START(&t, REAL, g_main);
	RUN_TO_OUT(&t, 0x11);
	RUN_TO_OUT(&t, 0x12);
	before = get_regs(&t);
	CHECK_OK(ioctl(t.fd, KVM_SMI, 0));
	CHECK_EQ(RUN_TO_OUT(&t, 0x13), 0x5a);
	CHECK(t.run->flags & KVM_RUN_X86_SMM);
	memset(&e, 0, sizeof(e));
	CHECK_OK(ioctl(t.fd, KVM_GET_VCPU_EVENTS, &e));
	CHECK_EQ(e.smi.smm, 1);
	CHECK_EQ(get_sregs(&t).cs.base, 0x30000);
	/* RSM: as if nothing had been. */
	CHECK_EQ(RUN_TO_OUT(&t, 0x12), 1);
	CHECK_EQ(t.run->flags & KVM_RUN_X86_SMM, 0);
	after = get_regs(&t);
	CHECK_EQ(after.rsp, before.rsp);
	CHECK_EQ(after.rbx, 1);
	CHECK_EQ(get_sregs(&t).cs.base, 0);
	tvm_close(&t);
}

TEST_MAIN(T(smi))
