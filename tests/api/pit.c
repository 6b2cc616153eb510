// SPDX-License-Identifier: GPL-2.0
/* The interval timer: creation, state, ports, interrupts, reinjection control. */
#include "kvmtest.h"

static void creation_order(void)
{
	struct kvm_pit_config c = { 0 };
	struct kvm_pit_state2 s;
	struct tvm t;

	/*
	 * CREATE_PIT2 without interrupt controllers: later kernels refuse it, 6.1 doesn't, so
	 * neither is asked for here.
	 */
	tvm_open(&t);
	CHECK_ERR(ioctl(t.vm, KVM_GET_PIT2, &s), ENXIO);
	CHECK_OK(ioctl(t.vm, KVM_CREATE_IRQCHIP, 0));
	CHECK_ERR(ioctl(t.vm, KVM_GET_PIT2, &s), ENXIO);
	CHECK_ERR(ioctl(t.vm, KVM_CREATE_PIT2, NULL), EFAULT);
	CHECK_OK(ioctl(t.vm, KVM_CREATE_PIT2, &c));
	CHECK_ERR(ioctl(t.vm, KVM_CREATE_PIT2, &c), EEXIST);
	CHECK_ERR(ioctl(t.vm, KVM_CREATE_PIT, 0), EEXIST);
	CHECK_OK(ioctl(t.vm, KVM_GET_PIT2, &s));
	tvm_close(&t);
}

/* Everything as the first version of the API had it: the same timer, with the speaker's port. */
static void first_version(void)
{
	struct kvm_pit_state in = { 0 }, out;
	struct kvm_pit_state2 s;
	struct tvm t;

	tvm_open(&t);
	CHECK_EQ(has_cap(t.sys, KVM_CAP_PIT), 1);
	CHECK_ERR(ioctl(t.vm, KVM_GET_PIT, &out), ENXIO);
	CHECK_ERR(ioctl(t.vm, KVM_SET_PIT, &in), ENXIO);
	CHECK_OK(ioctl(t.vm, KVM_CREATE_IRQCHIP, 0));
	CHECK_ERR(ioctl(t.vm, KVM_GET_PIT, &out), ENXIO);
	CHECK_OK(ioctl(t.vm, KVM_CREATE_PIT, 0));
	CHECK_ERR(ioctl(t.vm, KVM_CREATE_PIT, 0), EEXIST);
	CHECK_ERR(ioctl(t.vm, KVM_GET_PIT, NULL), EFAULT);
	CHECK_ERR(ioctl(t.vm, KVM_SET_PIT, NULL), EFAULT);
	CHECK_OK(ioctl(t.vm, KVM_GET_PIT, &in));
	CHECK_OK(ioctl(t.vm, KVM_GET_PIT2, &s));
	s.flags |= KVM_PIT_FLAGS_HPET_LEGACY;
	CHECK_OK(ioctl(t.vm, KVM_SET_PIT2, &s));

	in.channels[1].count = 0x12;
	in.channels[1].mode = 2;
	in.channels[1].rw_mode = 1;
	in.channels[1].bcd = 1;
	in.channels[2].count = 0x4321;
	in.channels[2].mode = 3;
	in.channels[2].rw_mode = 3;
	in.channels[2].gate = 1;
	CHECK_OK(ioctl(t.vm, KVM_SET_PIT, &in));
	CHECK_OK(ioctl(t.vm, KVM_GET_PIT, &out));
	CHECK_EQ(out.channels[1].count, 0x12);
	CHECK_EQ(out.channels[1].mode, 2);
	CHECK_EQ(out.channels[1].rw_mode, 1);
	CHECK_EQ(out.channels[1].bcd, 1);
	CHECK_EQ(out.channels[2].count, 0x4321);
	CHECK_EQ(out.channels[2].mode, 3);
	CHECK_EQ(out.channels[2].rw_mode, 3);
	CHECK_EQ(out.channels[2].gate, 1);
	/* The second version sees the same, and what only it knows has stayed. */
	CHECK_OK(ioctl(t.vm, KVM_GET_PIT2, &s));
	CHECK_EQ(s.channels[2].count, 0x4321);
	CHECK_EQ(s.channels[2].mode, 3);
	CHECK(s.flags & KVM_PIT_FLAGS_HPET_LEGACY);
	tvm_close(&t);
}

static void pit_vm(struct tvm *t)
{
	struct kvm_pit_config c = { .flags = KVM_PIT_SPEAKER_DUMMY };

	vm_new_irqchip(t);
	TVM_IOCTL(t->vm, KVM_CREATE_PIT2, &c);
}

static void round_trip(void)
{
	struct kvm_pit_state2 in, out;
	struct tvm t;

	pit_vm(&t);
	CHECK_OK(ioctl(t.vm, KVM_GET_PIT2, &in));
	in.channels[2].count = 0x4321;
	in.channels[2].mode = 3;
	in.channels[2].rw_mode = 3;
	in.channels[1].count = 0x12;
	in.channels[1].bcd = 1;
	in.flags = 0;
	CHECK_OK(ioctl(t.vm, KVM_SET_PIT2, &in));
	CHECK_OK(ioctl(t.vm, KVM_GET_PIT2, &out));
	CHECK_EQ(out.channels[2].count, 0x4321);
	CHECK_EQ(out.channels[2].mode, 3);
	CHECK_EQ(out.channels[2].rw_mode, 3);
	CHECK_EQ(out.channels[1].count, 0x12);
	CHECK_EQ(out.channels[1].bcd, 1);
	tvm_close(&t);
}

/* Latch channel 2 and read it. */
GUEST(g_latch, 16, "mov $0x80, %al; out %al, $0x43; in $0x42, %al; mov %al, %bl; in $0x42, %al; mov %al, %bh;"
		   "out %al, $0x10");

/* What the VMM has put into the timer is what the guest finds. */
static void guest_sees_state(void)
{
	struct kvm_pit_state s;
	struct tvm t;

	pit_vm(&t);
	CHECK_OK(ioctl(t.vm, KVM_GET_PIT, &s));
	memset(&s.channels[2], 0, sizeof(s.channels[2]));
	s.channels[2].count = 0x8000;
	s.channels[2].rw_mode = 3;
	s.channels[2].mode = 2;
	s.channels[2].gate = 1;
	CHECK_OK(ioctl(t.vm, KVM_SET_PIT, &s));
	GUEST_START(&t, REAL, g_latch);
	RUN_TO_OUT(&t, 0x10);
	CHECK((get_regs(&t).rbx & 0xffff) <= 0x8000);
	s.channels[2].rw_mode = 1;	/* the low byte only, twice then */
	s.channels[2].count = 0x01;
	CHECK_OK(ioctl(t.vm, KVM_SET_PIT, &s));
	GUEST_START(&t, REAL, g_latch);
	RUN_TO_OUT(&t, 0x10);
	CHECK_EQ(get_regs(&t).rbx & 0xffff, 0x0101);
	tvm_close(&t);
}

/*
 * Channel 2 in mode 0 counts down behind its gate; latched and read twice it has moved, and OUT2
 * comes at its end.
 */
GUEST(g_ports, 16,
      "in $0x61, %al; and $0xfc, %al; or $1, %al; out %al, $0x61; mov $0xb0, %al; out %al, $0x43;"
      "mov $0xff, %al; out %al, $0x42; out %al, $0x42;"
      "mov $0x80, %al; out %al, $0x43; in $0x42, %al; mov %al, %bl; in $0x42, %al; mov %al, %bh;"
      "mov $1000, %cx; 1: loop 1b;"
      "mov $0x80, %al; out %al, $0x43; in $0x42, %al; mov %al, %dl; in $0x42, %al; mov %al, %dh;"
      "mov $0xb0, %al; out %al, $0x43; mov $0x10, %al; out %al, $0x42; mov $0, %al; out %al, $0x42;"
      "1: in $0x61, %al; test $0x20, %al; jz 1b; hlt");

static void ports(void)
{
	struct kvm_regs r;
	struct tvm t;

	pit_vm(&t);
	/*
	 * Real-mode interrupts are off: with an irqchip HLT waits in the kernel, so the end is an
	 * OUT-free spin to a signal.
	 */
	GUEST_START(&t, REAL, g_ports);
	t.mem[TVM_CODE + (g_ports_end - g_ports) - 1] = 0xe6;	/* hlt -> out %al, $0x10 */
	t.mem[TVM_CODE + (g_ports_end - g_ports)] = 0x10;
	RUN_TO_OUT(&t, 0x10);
	r = get_regs(&t);
	CHECK((r.rbx & 0xffff) > (r.rdx & 0xffff));
	CHECK((r.rbx & 0xffff) > 0x8000);
	tvm_close(&t);
}

/* Channel 0, 1 kHz, through PIC and HLT. */
GUEST(g_ticks, 16,
      "mov $0x11, %al; out %al, $0x20; mov $0x20, %al; out %al, $0x21; mov $4, %al; out %al, $0x21;"
      "mov $1, %al;"
      "out %al, $0x21; mov $0xfe, %al; out %al, $0x21;"
      "mov $0x34, %al; out %al, $0x43; mov $0xa9, %al; out %al, $0x40; mov $4, %al; out %al, $0x40;"
      "sti; 1: hlt; cmp $20, %bx; jb 1b; out %al, $0x10;"
      "g_ticks_isr: inc %bx; mov $0x20, %al; out %al, $0x20; iret");

extern const uint8_t g_ticks_isr[];

static void ticks(void)
{
	uint64_t start;
	struct tvm t;

	pit_vm(&t);
	GUEST_START(&t, REAL, g_ticks);
	*(uint16_t *)(t.mem + 4 * 0x20) = TVM_CODE + (g_ticks_isr - g_ticks);
	start = now_ns();
	RUN_TO_OUT(&t, 0x10);
	CHECK(now_ns() - start > 15000000);	/* 20 periods of 1 ms, the first may be short */
	tvm_close(&t);
}

static void reinject_control(void)
{
	struct kvm_reinject_control c = { .pit_reinject = 0 };
	struct tvm t;

	tvm_open(&t);
	CHECK_EQ(has_cap(t.sys, KVM_CAP_REINJECT_CONTROL), 1);
	CHECK_ERR(ioctl(t.vm, KVM_REINJECT_CONTROL, &c), ENXIO);
	tvm_close(&t);
	pit_vm(&t);
	CHECK_ERR(ioctl(t.vm, KVM_REINJECT_CONTROL, NULL), EFAULT);
	CHECK_OK(ioctl(t.vm, KVM_REINJECT_CONTROL, &c));
	c.pit_reinject = 1;
	CHECK_OK(ioctl(t.vm, KVM_REINJECT_CONTROL, &c));
	tvm_close(&t);
}

TEST_MAIN(T(creation_order), T(first_version), T(round_trip), T(guest_sees_state), T(ports), T(ticks), T(reinject_control))
