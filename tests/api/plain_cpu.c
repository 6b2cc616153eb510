// SPDX-License-Identifier: GPL-2.0
/*
 * A CPU model without XSAVE: everything that was read can be written back, in the order in which QEMU restores a vCPU.
 *
 * QEMU 7.2 gives up at the first of these that fails, without a word, and the guest runs on with half of its state.
 */
#include "kvmtest.h"

static const struct {
	struct kvm_cpuid2 head;
	struct kvm_cpuid_entry2 e[3];
} cpuid = {
	.head = { .nent = 3 },
	.e = {
		{ .function = 0, .eax = 1, .ebx = 0x68747541, .ecx = 0x444d4163, .edx = 0x69746e65 },
		{ .function = 1, .eax = 0x663, .ecx = 1u << 21, .edx = 0x078bfbff },
		{ .function = 0x80000000, .eax = 0x80000000 },
	},
};

static void write_back(struct tvm *t)
{
	static uint8_t xsave[65536] __attribute__((aligned(64)));
	struct kvm_debugregs debug;
	struct kvm_vcpu_events events;
	struct kvm_mp_state mp;
	struct kvm_sregs2 sregs2;
	struct kvm_regs regs;
	struct kvm_xcrs xcrs;

	CHECK_OK(ioctl(t->fd, KVM_GET_SREGS2, &sregs2));
	CHECK_OK(ioctl(t->fd, KVM_SET_SREGS2, &sregs2));
	CHECK_OK(ioctl(t->fd, KVM_GET_REGS, &regs));
	CHECK_OK(ioctl(t->fd, KVM_SET_REGS, &regs));
	CHECK_OK(ioctl(t->fd, KVM_GET_XSAVE2, xsave));
	CHECK_OK(ioctl(t->fd, KVM_SET_XSAVE, xsave));
	CHECK_OK(ioctl(t->fd, KVM_GET_XCRS, &xcrs));
	CHECK_EQ(xcrs.nr_xcrs, 1u);
	CHECK_EQ(xcrs.xcrs[0].value, 1ull);
	CHECK_OK(ioctl(t->fd, KVM_SET_XCRS, &xcrs));
	CHECK_OK(ioctl(t->fd, KVM_GET_VCPU_EVENTS, &events));
	CHECK_OK(ioctl(t->fd, KVM_SET_VCPU_EVENTS, &events));
	CHECK_OK(ioctl(t->fd, KVM_GET_MP_STATE, &mp));
	CHECK_OK(ioctl(t->fd, KVM_SET_MP_STATE, &mp));
	CHECK_OK(ioctl(t->fd, KVM_GET_DEBUGREGS, &debug));
	CHECK_OK(ioctl(t->fd, KVM_SET_DEBUGREGS, &debug));
}

static void more_than_the_model(struct tvm *t)
{
	struct kvm_xcrs xcrs = { .nr_xcrs = 1, .xcrs[0].value = 7 };

	CHECK_ERR(ioctl(t->fd, KVM_SET_XCRS, &xcrs), EINVAL);
	CHECK_OK(ioctl(t->fd, KVM_GET_XCRS, &xcrs));
	CHECK_EQ(xcrs.xcrs[0].value, 1ull);
}

static void plain_cpu(void)
{
	struct tvm t;

	vm_new_irqchip(&t);
	if (!has_cap(t.sys, KVM_CAP_XCRS) || !has_cap(t.vm, KVM_CAP_XSAVE2) || !has_cap(t.sys, KVM_CAP_SREGS2))
		SKIP("no XCRS, XSAVE2 or SREGS2");
	write_back(&t);
	REQUIRE_OK(ioctl(t.fd, KVM_SET_CPUID2, &cpuid));
	write_back(&t);
	more_than_the_model(&t);
	tvm_close(&t);
}

TEST_MAIN(T(plain_cpu))
