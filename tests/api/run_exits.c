// SPDX-License-Identifier: GPL-2.0
/* KVM_RUN: the exits that a guest makes, and how they are completed. */
#include "kvmtest.h"

GUEST(g_out, 16, "mov $0x11223344, %eax; out %al, $0x10; out %ax, $0x20; out %eax, $0x30;"
		 "mov $0x3f8, %dx; out %al, %dx; hlt");

static void port_out(void)
{
	struct tvm t;

	vm_new(&t);
	GUEST_START(&t, REAL, g_out);
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x44);
	CHECK_EQ(t.run->io.size, 1);
	CHECK_EQ(t.run->io.count, 1);
	CHECK(t.run->io.data_offset >= sizeof(struct kvm_run) &&
	      t.run->io.data_offset < (unsigned int)t.run_size);
	CHECK_EQ(RUN_TO_OUT(&t, 0x20), 0x3344);
	CHECK_EQ(t.run->io.size, 2);
	CHECK_EQ(RUN_TO_OUT(&t, 0x30), 0x11223344);
	CHECK_EQ(t.run->io.size, 4);
	CHECK_EQ(RUN_TO_OUT(&t, 0x3f8), 0x44);
	RUN_TO(&t, KVM_EXIT_HLT);
	CHECK_EQ(get_regs(&t).rip, TVM_CODE + (g_out_end - g_out));
	tvm_close(&t);
}

GUEST(g_in, 16, "mov $0xaaaaaaaa, %eax; in $0x10, %al; in $0x20, %ax; in $0x30, %eax; hlt");

static void port_in(void)
{
	static const struct {
		int port, size;
		uint32_t answer;
		uint64_t rax;
	} step[] = {
		{ 0x10, 1, 0x55, 0xaaaaaa55 }, { 0x20, 2, 0x1234, 0xaaaa1234 },
		{ 0x30, 4, 0xdeadbeef, 0xdeadbeef },
	};
	struct tvm t;

	vm_new(&t);
	GUEST_START(&t, REAL, g_in);
	for (int i = 0; i < 3; i++) {
		RUN_TO(&t, KVM_EXIT_IO);
		CHECK_EQ(t.run->io.direction, KVM_EXIT_IO_IN);
		CHECK_EQ(t.run->io.port, step[i].port);
		CHECK_EQ(t.run->io.size, step[i].size);
		memcpy(tvm_io_data(t.run), &step[i].answer, step[i].size);
		/* The answer is taken at the next KVM_RUN, which need not enter the guest. */
		t.run->immediate_exit = 1;
		CHECK_ERR(tvm_run(&t), EINTR);
		t.run->immediate_exit = 0;
		CHECK_EQ(get_regs(&t).rax, step[i].rax);
	}
	RUN_TO(&t, KVM_EXIT_HLT);
	tvm_close(&t);
}

GUEST(g_outs, 16, "cld; mov $0xf000, %si; mov $10, %cx; mov $0x3f8, %dx; rep outsb;"
		  "mov $0xf100, %di; mov $3, %cx; mov $0x1f0, %dx; rep insw; hlt");

/* String I/O may come in any number of pieces; the bytes and the order count. */
static void port_string(void)
{
	uint8_t got[16] = { 0 };
	size_t n = 0;
	uint16_t next = 0x1000;
	struct kvm_regs r;
	struct tvm t;

	vm_new(&t);
	GUEST_START(&t, REAL, g_outs);
	memcpy(t.mem + 0xf000, "0123456789", 10);
	while (n < 10) {
		if (!RUN_TO(&t, KVM_EXIT_IO))
			return;
		CHECK_EQ(t.run->io.port, 0x3f8);
		CHECK_EQ(t.run->io.size, 1);
		REQUIRE(t.run->io.count >= 1 && n + t.run->io.count <= 10);
		memcpy(got + n, tvm_io_data(t.run), t.run->io.count);
		n += t.run->io.count;
	}
	CHECK(!memcmp(got, "0123456789", 10));
	for (n = 0; n < 3; n += t.run->io.count) {
		if (!RUN_TO(&t, KVM_EXIT_IO))
			return;
		CHECK_EQ(t.run->io.port, 0x1f0);
		CHECK_EQ(t.run->io.size, 2);
		REQUIRE(t.run->io.count >= 1 && n + t.run->io.count <= 3);
		for (uint32_t i = 0; i < t.run->io.count; i++)
			((uint16_t *)tvm_io_data(t.run))[i] = next++;
	}
	RUN_TO(&t, KVM_EXIT_HLT);
	r = get_regs(&t);
	CHECK_EQ(r.rcx, 0);
	CHECK_EQ(r.rsi, 0xf00a);
	CHECK_EQ(r.rdi, 0xf106);
	CHECK(!memcmp(t.mem + 0xf100, "\x00\x10\x01\x10\x02\x10", 6));
	tvm_close(&t);
}

GUEST(g_mmio, 64, "mov $0xd0000000, %rbx; mov $0x1122334455667788, %rax;"
		  "mov %al, (%rbx); mov %ax, 8(%rbx); mov %eax, 16(%rbx); mov %rax, 24(%rbx);"
		  "movzbl (%rbx), %ecx; mov 8(%rbx), %rdx; hlt");

static void mmio(void)
{
	static const struct {
		uint64_t at;
		uint32_t len;
		bool write;
		uint64_t value;
	} step[] = {
		{ 0xd0000000, 1, true, 0x88 }, { 0xd0000008, 2, true, 0x7788 },
		{ 0xd0000010, 4, true, 0x55667788 },
		{ 0xd0000018, 8, true, 0x1122334455667788 }, { 0xd0000000, 1, false, 0xa5 },
		{ 0xd0000008, 8, false, 0x8877665544332211 },
	};
	struct kvm_regs r;
	struct tvm t;

	vm_new(&t);
	GUEST_START(&t, LONG, g_mmio);
	for (size_t i = 0; i < ARRAY_SIZE(step); i++) {
		uint64_t v = 0;

		if (!RUN_TO(&t, KVM_EXIT_MMIO))
			return;
		CHECK_EQ(t.run->mmio.phys_addr, step[i].at);
		CHECK_EQ(t.run->mmio.len, step[i].len);
		CHECK_EQ(t.run->mmio.is_write, step[i].write);
		memcpy(&v, t.run->mmio.data, step[i].len);
		if (step[i].write)
			CHECK_EQ(v, step[i].value);
		else
			memcpy(t.run->mmio.data, &step[i].value, step[i].len);
	}
	RUN_TO(&t, KVM_EXIT_HLT);
	r = get_regs(&t);
	CHECK_EQ(r.rcx, 0xa5);
	CHECK_EQ(r.rdx, 0x8877665544332211);
	tvm_close(&t);
}

GUEST(g_hlt, 16, "hlt; inc %ax; hlt; inc %ax; hlt");

static void hlt(void)
{
	struct tvm t;

	vm_new(&t);
	GUEST_START(&t, REAL, g_hlt);
	for (uint64_t i = 0; i < 3; i++) {
		RUN_TO(&t, KVM_EXIT_HLT);
		CHECK_EQ(get_regs(&t).rax, i);
		CHECK_EQ(get_regs(&t).rip, TVM_CODE + 1 + 2 * i);
	}
	tvm_close(&t);
}

GUEST(g_triple, 16, "lidt " AT(g_triple, 1f) "; ud2; 1: .word 0; .long 0");

static void shutdown(void)
{
	struct tvm t;

	vm_new(&t);
	GUEST_START(&t, REAL, g_triple);
	RUN_TO(&t, KVM_EXIT_SHUTDOWN);
	tvm_close(&t);
}

GUEST(g_nocode, 64, "mov $0xd0000000, %rax; jmp *%rax");

/*
 * A VMM that resets its guest inside a device write, as QEMU does when the guest
 * reboots through a register: the half-done instruction must not come back.
 */
GUEST(g_abandoned, 64,
      "mov $0xd0000000, %rbx; mov $0x77, %rax; mov %rax, (%rbx); hlt;"
      ".fill 64 - (. - g_abandoned), 1, 0xf4; inc %rcx; hlt");

static void moved_while_pending(void)
{
	struct kvm_regs r;
	struct tvm t;

	vm_new(&t);
	GUEST_START(&t, LONG, g_abandoned);
	RUN_TO(&t, KVM_EXIT_MMIO);
	r = get_regs(&t);
	r.rip = TVM_CODE + 64;
	r.rbx = 0x1234;
	r.rcx = 5;
	CHECK_OK(ioctl(t.fd, KVM_SET_REGS, &r));
	RUN_TO(&t, KVM_EXIT_HLT);
	r = get_regs(&t);
	CHECK_EQ(r.rip, TVM_CODE + 68);
	CHECK_EQ(r.rbx, 0x1234);
	CHECK_EQ(r.rcx, 6);
	tvm_close(&t);
}

/* There are no instructions in MMIO. */
static void internal_error(void)
{
	struct tvm t;

	vm_new(&t);
	GUEST_START(&t, LONG, g_nocode);
	if (RUN_TO(&t, KVM_EXIT_INTERNAL_ERROR))
		CHECK_EQ(t.run->internal.suberror, KVM_INTERNAL_ERROR_EMULATION);
	CHECK_EQ(get_regs(&t).rip, 0xd0000000);
	tvm_close(&t);
}

/* An instruction that no emulator knows (PADDB), on MMIO: its bytes come with the exit. */
GUEST(g_unknown, 64, "mov $0xd0000000, %rbx; fninit; g_unknown_insn: paddb (%rbx), %mm0; hlt");

static void internal_error_bytes(void)
{
	static const uint8_t insn[] = { 0x0f, 0xfc, 0x03 };
	struct tvm t;

	vm_new(&t);
	GUEST_START(&t, LONG, g_unknown);
	if (!RUN_TO(&t, KVM_EXIT_INTERNAL_ERROR))
		return;
	CHECK_EQ(t.run->internal.suberror, KVM_INTERNAL_ERROR_EMULATION);
	CHECK(t.run->internal.ndata >= 3);
	CHECK(t.run->emulation_failure.flags & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES);
	CHECK(t.run->emulation_failure.insn_size >= 2);
	CHECK(!memcmp(t.run->emulation_failure.insn_bytes, insn, sizeof(insn)));
	tvm_close(&t);
}

/*
 * In user mode the guest gets #UD instead, which here finds no IDT, unless userspace asked for these
 * exits: then it finds the vCPU as it was before the instruction.
 */
GUEST(g_user_unknown, 32, "mov $0xd0000000, %ebx; paddb (%ebx), %mm0; hlt");

static void user_mode_failure(bool asked)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_EXIT_ON_EMULATION_FAILURE, .args = { 1 } };
	struct kvm_vcpu_events ev;
	struct kvm_sregs s;
	struct tvm t;

	vm_new(&t);
	if (asked)
		CHECK_OK(ioctl(t.vm, KVM_ENABLE_CAP, &cap));
	GUEST_START(&t, PROT, g_user_unknown);
	s = get_sregs(&t);
	s.cs.dpl = s.ss.dpl = 3;
	s.cs.selector |= 3;
	s.ss.selector |= 3;
	CHECK_OK(ioctl(t.fd, KVM_SET_SREGS, &s));
	if (!asked) {
		RUN_TO(&t, KVM_EXIT_SHUTDOWN);
	} else if (RUN_TO(&t, KVM_EXIT_INTERNAL_ERROR)) {
		CHECK_EQ(get_regs(&t).rip, TVM_CODE + 5);
		CHECK_OK(ioctl(t.fd, KVM_GET_VCPU_EVENTS, &ev));
		CHECK(!ev.exception.injected && !ev.exception.pending);
	}
	tvm_close(&t);
}

static void failure_in_user_mode(void)
{
	user_mode_failure(false);
	user_mode_failure(true);
}

/* PMOVZXBW of eight bytes of MMIO. */
GUEST(g_widen, 64, "mov %cr4, %rax; or $0x200, %rax; mov %rax, %cr4; mov $0xd0000000, %rbx\n"
		   "pmovzxbw (%rbx), %xmm1; movq %xmm1, %rax; psrldq $8, %xmm1; movq %xmm1, %rdx; hlt");

static void vector_mmio(void)
{
	const uint64_t in = 0x8877665544332211;
	struct kvm_regs r;
	struct tvm t;

	vm_new(&t);
	GUEST_START(&t, LONG, g_widen);
	if (!RUN_TO(&t, KVM_EXIT_MMIO))
		return;
	CHECK_EQ(t.run->mmio.len, 8);
	CHECK(!t.run->mmio.is_write);
	memcpy(t.run->mmio.data, &in, 8);
	RUN_TO(&t, KVM_EXIT_HLT);
	r = get_regs(&t);
	CHECK_EQ(r.rax, 0x0044003300220011);
	CHECK_EQ(r.rdx, 0x0088007700660055);
	tvm_close(&t);
}

/* The x87 on MMIO: 64 bits in, 80 bits out, in pieces of 8 and 2. */
GUEST(g_x87, 64, "mov $0xd0000000, %rbx; fninit; fldl (%rbx); fstpt 16(%rbx); fnstsw %ax; hlt");

static void x87_mmio(void)
{
	const double in = 1.5;
	uint64_t mantissa;
	uint16_t exponent;
	struct tvm t;

	vm_new(&t);
	GUEST_START(&t, LONG, g_x87);
	if (!RUN_TO(&t, KVM_EXIT_MMIO))
		return;
	CHECK_EQ(t.run->mmio.len, 8);
	CHECK(!t.run->mmio.is_write);
	memcpy(t.run->mmio.data, &in, 8);
	RUN_TO(&t, KVM_EXIT_MMIO);
	CHECK_EQ(t.run->mmio.phys_addr, 0xd0000010);
	memcpy(&mantissa, t.run->mmio.data, 8);
	CHECK_EQ(mantissa, 0xc000000000000000);
	RUN_TO(&t, KVM_EXIT_MMIO);
	CHECK_EQ(t.run->mmio.phys_addr, 0xd0000018);
	CHECK_EQ(t.run->mmio.len, 2);
	memcpy(&exponent, t.run->mmio.data, 2);
	CHECK_EQ(exponent, 0x3fff);
	RUN_TO(&t, KVM_EXIT_HLT);
	CHECK_EQ(get_regs(&t).rax & 0x3800, 0);	/* popped once */
	tvm_close(&t);
}

/* immediate_exit: no guest instruction, EINTR. */
static void immediate_exit(void)
{
	struct tvm t;

	vm_new(&t);
	GUEST_START(&t, REAL, g_hlt);
	t.run->immediate_exit = 1;
	for (int i = 0; i < 3; i++)
		CHECK_ERR(tvm_run(&t), EINTR);
	CHECK_EQ(get_regs(&t).rip, TVM_CODE);
	t.run->immediate_exit = 0;
	RUN_TO(&t, KVM_EXIT_HLT);
	tvm_close(&t);
}

/* KVM_RUN takes no argument. */
static void run_with_argument(void)
{
	struct tvm t;

	vm_new(&t);
	CHECK_ERR(ioctl(t.fd, KVM_RUN, 1), EINVAL);
	tvm_close(&t);
}

/* What struct kvm_run shows after any exit. */
static void run_fields(void)
{
	struct tvm t;

	vm_new(&t);
	GUEST_START(&t, REAL, g_hlt);
	RUN_TO(&t, KVM_EXIT_HLT);
	CHECK_EQ(t.run->if_flag, 0);
	CHECK_EQ(t.run->cr8, 0);
	CHECK_EQ(t.run->apic_base, 0xfee00900);
	CHECK_EQ(t.run->flags, 0);
	tvm_close(&t);
}

/* cr8 in struct kvm_run is an input where the VMM has the local APIC. */
static void run_cr8(void)
{
	struct tvm t;

	vm_new(&t);
	GUEST_START(&t, REAL, g_hlt);
	t.run->cr8 = 5;
	RUN_TO(&t, KVM_EXIT_HLT);
	CHECK_EQ(get_sregs(&t).cr8, 5);
	t.run->cr8 = 16;
	CHECK_ERR(tvm_run(&t), EINVAL);
	tvm_close(&t);
}

GUEST(g_unrestricted, 16, "mov $1, %eax; mov %eax, %cr0; jmp 1f; 1: hlt");

/*
 * A state that the processor refuses (64-bit and 32-bit code at once): either KVM_SET_SREGS or the
 * entry says so.
 */
static void impossible_state(void)
{
	struct kvm_sregs s;
	struct tvm t;

	vm_new(&t);
	GUEST_START(&t, LONG, g_mmio);
	s = get_sregs(&t);
	s.cs.db = 1;
	if (ioctl(t.fd, KVM_SET_SREGS, &s) < 0) {
		CHECK_EQ(errno, EINVAL);
	} else if (RUN_TO(&t, KVM_EXIT_FAIL_ENTRY)) {
		CHECK(t.run->fail_entry.hardware_entry_failure_reason);
		CHECK_ERR(ioctl(t.fd, KVM_RUN, 1), EINVAL);	/* the descriptor lives on */
	}
	tvm_close(&t);
}

static void enter_protected_mode(void)
{
	struct tvm t;

	vm_new(&t);
	GUEST_START(&t, REAL, g_unrestricted);
	RUN_TO(&t, KVM_EXIT_HLT);
	CHECK_EQ(get_sregs(&t).cr0 & 1, 1);
	tvm_close(&t);
}

TEST_MAIN(T(port_out), T(port_in), T(port_string), T(mmio), T(moved_while_pending),
	  T(hlt), T(shutdown), T(internal_error),
	  T(internal_error_bytes), T(failure_in_user_mode), T(vector_mmio), T(x87_mmio), T(immediate_exit), T(run_with_argument), T(run_fields),
	  T(run_cr8),
	  T(impossible_state), T(enter_protected_mode))
