// SPDX-License-Identifier: GPL-2.0
/*
 * KVM_CAP_DISABLE_QUIRKS and KVM_CAP_DISABLE_QUIRKS2: each quirk of the mask that the second returns, on and off.
 *
 * The guest's behaviour is looked at three times: by default, and disabled by either capability.
 */
#include "kvmtest.h"

static int disable(int fd, uint32_t cap, uint64_t quirks, uint32_t flags)
{
	struct kvm_enable_cap c = { .cap = cap, .flags = flags, .args[0] = quirks };

	return ioctl(fd, KVM_ENABLE_CAP, &c);
}

/* A VM without vCPU, with this quirk disabled by this capability, if any is given. */
static void open_vm(struct tvm *t, uint32_t cap, uint64_t quirk)
{
	tvm_open(t);
	tvm_mem(t, 2 << 20);
	if (cap)
		CHECK_OK(disable(t->vm, cap, quirk, 0));
}

static const uint32_t ways[] = { 0, KVM_CAP_DISABLE_QUIRKS, KVM_CAP_DISABLE_QUIRKS2 };

static bool offered(uint64_t quirk)
{
	int fd = open("/dev/kvm", O_RDWR);
	int mask = has_cap(fd, KVM_CAP_DISABLE_QUIRKS2);

	close(fd);
	return mask & quirk;
}

GUEST(g_7e, 16, "out %al, $0x7e; out %al, $0x10; hlt");

/* RIP while userspace handles the OUT; it is done once, whichever. */
static void out_7e(void)
{
	struct tvm t;

	if (!offered(KVM_X86_QUIRK_OUT_7E_INC_RIP))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		open_vm(&t, ways[i], KVM_X86_QUIRK_OUT_7E_INC_RIP);
		tvm_vcpu(&t);
		GUEST_START(&t, REAL, g_7e);
		RUN_TO_OUT(&t, 0x7e);
		CHECK_EQ(get_regs(&t).rip, TVM_CODE + (i ? 0 : 2));
		RUN_TO_OUT(&t, 0x10);
		CHECK_EQ(get_regs(&t).rip, TVM_CODE + 2);
		tvm_close(&t);
	}
}

/* What is refused changes nothing. */
static void errors(void)
{
	struct tvm t;
	int mask;

	open_vm(&t, 0, 0);
	tvm_vcpu(&t);
	mask = has_cap(t.vm, KVM_CAP_DISABLE_QUIRKS2);
	CHECK_EQ(has_cap(t.vm, KVM_CAP_DISABLE_QUIRKS), 1);
	CHECK(mask > 0);
	CHECK(mask & KVM_X86_QUIRK_OUT_7E_INC_RIP);
	for (int bit = 0; bit < 64; bit++)
		if (bit > 30 || !(mask & 1 << bit))
			CHECK_ERR(disable(t.vm, KVM_CAP_DISABLE_QUIRKS2, 1ull << bit | mask, 0), EINVAL);
	CHECK_ERR(disable(t.vm, KVM_CAP_DISABLE_QUIRKS2, mask, 1), EINVAL);
	CHECK_ERR(disable(t.vm, KVM_CAP_DISABLE_QUIRKS, mask, 1), EINVAL);
	CHECK_ERR(disable(t.fd, KVM_CAP_DISABLE_QUIRKS, mask, 0), EINVAL);
	CHECK_ERR(disable(t.fd, KVM_CAP_DISABLE_QUIRKS2, mask, 0), EINVAL);
	GUEST_START(&t, REAL, g_7e);
	RUN_TO_OUT(&t, 0x7e);
	CHECK_EQ(get_regs(&t).rip, TVM_CODE + 2);
	CHECK_OK(disable(t.vm, KVM_CAP_DISABLE_QUIRKS2, mask, 0));
	tvm_close(&t);
}

/* The value of LINT0's entry at power-on. */
static void lint0(void)
{
	struct kvm_lapic_state apic;
	struct tvm t;

	if (!offered(KVM_X86_QUIRK_LINT0_REENABLED))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		open_vm(&t, ways[i], KVM_X86_QUIRK_LINT0_REENABLED);
		TVM_IOCTL(t.vm, KVM_CREATE_IRQCHIP, 0);
		tvm_vcpu(&t);
		CHECK_OK(ioctl(t.fd, KVM_GET_LAPIC, &apic));
		CHECK_EQ(*(uint32_t *)(apic.regs + 0x350), i ? 0x10000 : 0x700);
		tvm_close(&t);
	}
}

/* The version register by MMIO; ~0 is what a bus without a device gives. */
GUEST(g_mmio, 64, "mov $0xfee00030, %ebx; mov (%rbx), %eax; out %eax, $0x10; hlt");

static void lapic_mmio_hole(void)
{
	struct tvm t;

	if (!offered(KVM_X86_QUIRK_LAPIC_MMIO_HOLE))
		return;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(ways); i++) {
		bool x2 = i % 2, hole = x2 && ways[i / 2];

		open_vm(&t, ways[i / 2], KVM_X86_QUIRK_LAPIC_MMIO_HOLE);
		TVM_IOCTL(t.vm, KVM_CREATE_IRQCHIP, 0);
		tvm_vcpu(&t);
		if (x2)
			CHECK_EQ(set_msr(&t, 0x1b, 0xfee00d00), 1);
		GUEST_START(&t, LONG, g_mmio);
		if (hole && RUN_TO(&t, KVM_EXIT_MMIO)) {
			CHECK_EQ(t.run->mmio.phys_addr, 0xfee00030);
			CHECK_EQ(t.run->mmio.is_write, 0);
			memcpy(t.run->mmio.data, "\x78\x56\x34\x12", 4);
		}
		if (hole)
			CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x12345678);
		else if (x2)
			RUN_TO_OUT(&t, 0x10);	/* something answers, the API does not say what */
		else
			CHECK_EQ(RUN_TO_OUT(&t, 0x10) & 0xf0, 0x10);
		tvm_close(&t);
	}
}

GUEST(g_call, 64,
      "lea " AT(g_call, g_call_idt) ", %rax; lidt (%rax); mov $0x1234, %eax;"
      "g_call_insn: vmcall; out %eax, $0x10; hlt; g_call_ud: mov (%rsp), %eax; out %eax, $0x12; hlt;"
      "g_call_idt: .word 0xfff; .quad 0xe000");

extern const uint8_t g_call_insn[], g_call_ud[];

/* The hypercall instruction of the other vendor: replaced, or a #UD and left as it is. Ours works anyway. */
static void fix_hypercall_insn(void)
{
	const uint64_t at = TVM_CODE + (g_call_insn - g_call);
	struct tvm t;

	if (!offered(KVM_X86_QUIRK_FIX_HYPERCALL_INSN))
		return;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(ways); i++) {
		bool other = i % 2, left = other && ways[i / 2];

		open_vm(&t, ways[i / 2], KVM_X86_QUIRK_FIX_HYPERCALL_INSN);
		tvm_vcpu(&t);
		GUEST_START(&t, LONG, g_call);
		memcpy(t.mem + at, hypercall_insn(other), 3);
		tvm_gate(&t, 6, TVM_CODE + (g_call_ud - g_call));
		if (left)
			CHECK_EQ(RUN_TO_OUT(&t, 0x12), at);
		else
			CHECK_EQ(RUN_TO_OUT(&t, 0x10), (uint32_t)-1000);
		CHECK(!memcmp(t.mem + at, hypercall_insn(left), 3));
		tvm_close(&t);
	}
}

TEST_MAIN(T(errors), T(out_7e), T(lint0), T(lapic_mmio_hole), T(fix_hypercall_insn))
