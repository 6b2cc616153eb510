// SPDX-License-Identifier: GPL-2.0
/*
 * Guest debugging: single step, software and hardware breakpoints, the debug registers of the
 * guest.
 */
#include "kvmtest.h"

GUEST(g_steps, 64,
      "nop; inc %rax; cpuid; g_steps_io: out %al, $0x10; g_steps_int3: int3;"
      "g_steps_after: movb $1, (%rbx); nop; hlt");

extern const uint8_t g_steps_io[], g_steps_int3[], g_steps_after[];

static uint64_t at(const uint8_t *label)
{
	return TVM_CODE + (label - g_steps);
}

static int set_debug(struct tvm *t, uint32_t control, uint64_t dr0, uint64_t dr7)
{
	struct kvm_guest_debug d = { .control = control };

	d.arch.debugreg[0] = dr0;
	d.arch.debugreg[7] = dr7;
	return ioctl(t->fd, KVM_SET_GUEST_DEBUG, &d);
}

static void single_step(void)
{
	static const int size[] = { 1, 3, 2 };
	uint64_t rip = TVM_CODE;
	struct tvm t;

	vm_new(&t);
	GUEST_START(&t, LONG, g_steps);
	CHECK_OK(set_debug(&t, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP, 0, 0));
	/* NOP and INC run in the guest, CPUID is ours. */
	for (size_t i = 0; i < ARRAY_SIZE(size); i++) {
		rip += size[i];
		if (!RUN_TO(&t, KVM_EXIT_DEBUG))
			return;
		CHECK_EQ(t.run->debug.arch.exception, 1);
		CHECK_EQ(t.run->debug.arch.pc, rip);
		CHECK(t.run->debug.arch.dr6 & 1 << 14);
		CHECK_EQ(get_regs(&t).rip, rip);
	}
	/* TF is ours, not the guest's. */
	CHECK_EQ(get_regs(&t).rflags & 1 << 8, 0);
	/* An instruction that exits to us first, then the step. */
	RUN_TO_OUT(&t, 0x10);
	RUN_TO(&t, KVM_EXIT_DEBUG);
	CHECK_EQ(get_regs(&t).rip, at(g_steps_int3));
	CHECK_OK(set_debug(&t, 0, 0, 0));
	tvm_close(&t);
}

static void software_breakpoint(void)
{
	struct tvm t;

	if (host_is_tcg())
		SKIP_REST("QEMU's TCG has no intercept of INT3");
	vm_new(&t);
	GUEST_START(&t, LONG, g_steps);
	CHECK_OK(set_debug(&t, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP, 0, 0));
	RUN_TO_OUT(&t, 0x10);
	if (RUN_TO(&t, KVM_EXIT_DEBUG)) {
		CHECK_EQ(t.run->debug.arch.exception, 3);
		CHECK_EQ(t.run->debug.arch.pc, at(g_steps_int3));
	}
	/* RIP stays at the INT3 instruction. */
	CHECK_EQ(get_regs(&t).rip, at(g_steps_int3));
	RUN_TO(&t, KVM_EXIT_DEBUG);
	tvm_close(&t);
}

static void hardware_breakpoint(void)
{
	struct kvm_regs r;
	struct tvm t;

	if (host_is_tcg())
		SKIP_REST("QEMU's TCG arms no breakpoints at VMRUN");
	vm_new(&t);
	GUEST_START(&t, LONG, g_steps);
	/* Execution of the OUT. */
	CHECK_OK(set_debug(&t, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP, at(g_steps_io),
			   0x402));
	if (RUN_TO(&t, KVM_EXIT_DEBUG)) {
		CHECK_EQ(t.run->debug.arch.exception, 1);
		CHECK_EQ(t.run->debug.arch.pc, at(g_steps_io));
		CHECK_EQ(t.run->debug.arch.dr6 & 0xf, 1);
	}
	/* A write of one byte at TVM_DATA. */
	CHECK_OK(set_debug(&t, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP, TVM_DATA, 0x10402));
	r = get_regs(&t);
	r.rip = at(g_steps_after);
	r.rbx = TVM_DATA;
	TVM_IOCTL(t.fd, KVM_SET_REGS, &r);
	if (RUN_TO(&t, KVM_EXIT_DEBUG)) {
		CHECK_EQ(t.run->debug.arch.dr6 & 0xf, 1);
		CHECK_EQ(t.run->debug.arch.pc, at(g_steps_after) + 3);
		CHECK_EQ(t.mem[TVM_DATA], 1);
	}
	CHECK_OK(set_debug(&t, 0, 0, 0));
	RUN_TO(&t, KVM_EXIT_HLT);
	tvm_close(&t);
}

/* The VMM asks for an exception of the guest. */
GUEST(g_inject, 64,
      "lea " AT(g_inject, g_inject_idt) ", %rax; lidt (%rax); out %al, $0x11; 1: jmp 1b;"
      "g_inject_db: mov $1, %eax; out %al, $0x10; hlt; g_inject_bp: mov $3, %eax; out %al, $0x10;"
      "hlt;"
      "g_inject_idt: .word 0xfff; .quad 0xe000");

extern const uint8_t g_inject_db[], g_inject_bp[];

static void inject(void)
{
	static const uint32_t control[] = { KVM_GUESTDBG_INJECT_DB, KVM_GUESTDBG_INJECT_BP };
	const uint8_t *const handler[] = { g_inject_db, g_inject_bp };

	for (int i = 0; i < 2; i++) {
		struct tvm t;

		vm_new(&t);
		GUEST_START(&t, LONG, g_inject);
		tvm_gate(&t, (1 + 2 * i), TVM_CODE + (handler[i] - g_inject));
		RUN_TO_OUT(&t, 0x11);
		CHECK_OK(set_debug(&t, KVM_GUESTDBG_ENABLE | control[i], 0, 0));
		CHECK_EQ(RUN_TO_OUT(&t, 0x10), 1 + 2 * i);
		tvm_close(&t);
	}
}

/*
 * An event that an instruction raised, handed back by userspace (a debugger that leaves an INT3
 * to the guest; a guest that was saved in the middle of a delivery): RIP stands at the
 * instruction, and the handler returns behind it. The interrupt table is touched first by the delivery.
 */
GUEST(g_back, 64,
      "lea " AT(g_back, g_back_idt) ", %rax; lidt (%rax); out %al, $0x11;"
      "g_back_int3: int3; g_back_int3_end: out %al, $0x12;"
      "g_back_int: int $0x40; g_back_int_end: out %al, $0x13;"
      "g_back_plain: out %al, $0x14;"
      "g_back_isr: inc %ebx; mov (%rsp), %rax; out %eax, $0x10; iretq;"
      "g_back_idt: .word 0xfff; .quad 0xe000");

extern const uint8_t g_back_int3[], g_back_int3_end[], g_back_int[], g_back_int_end[],
		     g_back_plain[], g_back_isr[];

static void back_by_inject(struct tvm *t)
{
	CHECK_OK(set_debug(t, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_INJECT_BP, 0, 0));
}

static void back_by_exception(struct tvm *t)
{
	exception_in_flight(t, 3);
}

static void back_by_interrupt(struct tvm *t)
{
	struct kvm_vcpu_events e;

	TVM_IOCTL(t->fd, KVM_GET_VCPU_EVENTS, &e);
	e.interrupt.injected = 1;
	e.interrupt.soft = 1;
	e.interrupt.nr = 0x40;
	CHECK_OK(ioctl(t->fd, KVM_SET_VCPU_EVENTS, &e));
}

static void handed_back(void)
{
	static const struct {
		void (*way)(struct tvm *t);
		const uint8_t *from, *to;
		uint16_t port;
	} cases[] = {
		{ back_by_inject, g_back_int3, g_back_int3_end, 0x12 },
		{ back_by_exception, g_back_int3, g_back_int3_end, 0x12 },
		{ back_by_interrupt, g_back_int, g_back_int_end, 0x13 },
		/* there is none: the handler returns to RIP */
		{ back_by_interrupt, g_back_plain, g_back_plain, 0x14 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		struct kvm_regs r;
		struct tvm t;

		vm_new(&t);
		GUEST_START(&t, LONG, g_back);
		tvm_gate(&t, 3, TVM_CODE + (g_back_isr - g_back));
		tvm_gate(&t, 0x40, TVM_CODE + (g_back_isr - g_back));
		RUN_TO_OUT(&t, 0x11);
		r = get_regs(&t);
		r.rip = TVM_CODE + (cases[i].from - g_back);
		r.rbx = 0;
		TVM_IOCTL(t.fd, KVM_SET_REGS, &r);
		cases[i].way(&t);
		CHECK_EQ(RUN_TO_OUT(&t, 0x10), TVM_CODE + (cases[i].to - g_back));
		RUN_TO_OUT(&t, cases[i].port);
		CHECK_EQ(get_regs(&t).rbx, 1);
		tvm_close(&t);
	}
}

/*
 * An INT n that is emulated keeps its length, its prefix counted, although userspace has handed in
 * events before (none of them in delivery).
 */
GUEST(g_forced, 64,
      "lea " AT(g_forced, g_forced_idt) ", %rax; lidt (%rax); out %al, $0x11;"
      FORCED ".byte 0x3e; int $0x40; g_forced_after: out %al, $0x12;"
      "g_forced_isr: mov (%rsp), %rax; out %eax, $0x10; iretq;"
      "g_forced_idt: .word 0xfff; .quad 0xe000");

extern const uint8_t g_forced_after[], g_forced_isr[];

static void emulated_int(void)
{
	int old = forced_emulation('1');
	struct kvm_vcpu_events e;
	struct tvm t;

	vm_new(&t);
	GUEST_START(&t, LONG, g_forced);
	tvm_gate(&t, 0x40, TVM_CODE + (g_forced_isr - g_forced));
	RUN_TO_OUT(&t, 0x11);
	TVM_IOCTL(t.fd, KVM_GET_VCPU_EVENTS, &e);
	CHECK_OK(ioctl(t.fd, KVM_SET_VCPU_EVENTS, &e));
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), TVM_CODE + (g_forced_after - g_forced));
	RUN_TO_OUT(&t, 0x12);
	tvm_close(&t);
	forced_emulation(old);
}

static void registers(void)
{
	struct kvm_debugregs in, out;
	struct tvm t;

	vm_new(&t);
	CHECK_OK(ioctl(t.fd, KVM_GET_DEBUGREGS, &in));
	CHECK_EQ(in.db[0] | in.db[1] | in.db[2] | in.db[3], 0);
	CHECK_EQ(in.dr6, 0xffff0ff0);
	CHECK_EQ(in.dr7, 0x400);
	for (int i = 0; i < 4; i++)
		in.db[i] = 0x1000 * (i + 1);
	in.dr6 = 0xffff4ff1;
	in.dr7 = 0x401;
	CHECK_OK(ioctl(t.fd, KVM_SET_DEBUGREGS, &in));
	CHECK_OK(ioctl(t.fd, KVM_GET_DEBUGREGS, &out));
	CHECK(!memcmp(&in, &out, sizeof(in)));
	in.flags = 1;
	CHECK_ERR(ioctl(t.fd, KVM_SET_DEBUGREGS, &in), EINVAL);
	in.flags = 0;
	in.dr6 = 1ull << 40;
	CHECK_ERR(ioctl(t.fd, KVM_SET_DEBUGREGS, &in), EINVAL);
	in.dr6 = 0;
	in.dr7 = 1ull << 40;
	CHECK_ERR(ioctl(t.fd, KVM_SET_DEBUGREGS, &in), EINVAL);
	tvm_close(&t);
}

/* The guest's own breakpoint is its own business: its handler gets it. */
GUEST(g_own, 64,
      "lea " AT(g_own, g_own_idt) ", %rax; lidt (%rax); lea 1f(%rip), %rax; mov %rax, %dr0;"
				  "mov $0x402, %eax; mov %rax, %dr7;"
      "mov %dr0, %rcx; mov %dr7, %rdx; nop; 1: nop; hlt;"
      "g_own_db: mov %dr6, %rax; out %eax, $0x10; pop %rax; pop %rax; popf; hlt;"
      "g_own_idt: .word 0xfff; .quad 0xe000");

extern const uint8_t g_own_db[];

static void guests_own_breakpoint(void)
{
	struct tvm t;

	if (host_is_tcg())
		SKIP_REST("QEMU's TCG arms no breakpoints at VMRUN");
	vm_new(&t);
	GUEST_START(&t, LONG, g_own);
	tvm_gate(&t, 1, TVM_CODE + (g_own_db - g_own));
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0xffff0ff1);
	CHECK_EQ(get_regs(&t).rdx, 0x402);
	tvm_close(&t);
}

/* KVM_CAP_SET_GUEST_DEBUG2 names the bits that are taken; one that is refused leaves what was set. */
static void known_bits(void)
{
	uint32_t known;
	struct tvm t;

	for (int bit = 0; bit < 32; bit++) {
		uint32_t control = 1u << bit | KVM_GUESTDBG_ENABLE;

		vm_new(&t);
		known = has_cap(t.sys, KVM_CAP_SET_GUEST_DEBUG2);
		CHECK(known & KVM_GUESTDBG_ENABLE);
		CHECK(known & KVM_GUESTDBG_SINGLESTEP);
		GUEST_START(&t, LONG, g_steps);
		CHECK_OK(set_debug(&t, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP, 0, 0));
		if (known & 1u << bit) {
			if (!CHECK_OK(set_debug(&t, control, 0, 0)))
				printf("... bit %d\n", bit);
		} else {
			if (!CHECK_ERR(set_debug(&t, control, 0, 0), EINVAL))
				printf("... bit %d\n", bit);
			RUN_TO(&t, KVM_EXIT_DEBUG);
			CHECK_EQ(get_regs(&t).rip, TVM_CODE + 1);
		}
		tvm_close(&t);
	}
}

static void errors(void)
{
	struct tvm t;

	vm_new(&t);
	CHECK_ERR(ioctl(t.fd, KVM_SET_GUEST_DEBUG, NULL), EFAULT);
	CHECK_OK(set_debug(&t, 0, 0, 0));
	tvm_close(&t);
}

TEST_MAIN(T(errors), T(known_bits), T(single_step), T(software_breakpoint), T(hardware_breakpoint), T(inject), T(handed_back), T(emulated_int),
	  T(registers),
	  T(guests_own_breakpoint))
