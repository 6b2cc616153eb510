// SPDX-License-Identifier: GPL-2.0
/* KVM_CAP_SYNC_REGS: registers in struct kvm_run. */
#include "kvmtest.h"

#define ALL	(KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS | KVM_SYNC_X86_EVENTS)

GUEST(g, 16, "1: inc %bx; out %al, $0x10; jmp 1b");

static struct kvm_sync_regs *sync_vm(struct tvm *t)
{
	vm_new(t);
	if (!has_cap(t->sys, KVM_CAP_SYNC_REGS))
		SKIP("not offered");
	GUEST_START(t, REAL, g);
	return &t->run->s.regs;
}

static void capability(void)
{
	struct tvm t;

	sync_vm(&t);
	CHECK_EQ(has_cap(t.sys, KVM_CAP_SYNC_REGS), ALL);
	CHECK_EQ(has_cap(t.vm, KVM_CAP_SYNC_REGS), ALL);
	tvm_close(&t);
}

/* Bits that mean nothing, in either word; the vCPU has not run. */
static void bad_bits(void)
{
	static const uint64_t bad[] = { 1 << 3, 1ull << 63, ALL | 1 << 7 };
	struct tvm t;

	sync_vm(&t);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		t.run->kvm_valid_regs = bad[i];
		CHECK_ERR(tvm_run(&t), EINVAL);
		t.run->kvm_valid_regs = 0;
		t.run->kvm_dirty_regs = bad[i];
		CHECK_ERR(tvm_run(&t), EINVAL);
		t.run->kvm_dirty_regs = 0;
	}
	CHECK_EQ(get_regs(&t).rip, TVM_CODE);
	RUN_TO_OUT(&t, 0x10);
	CHECK_EQ(get_regs(&t).rbx, 1);
	tvm_close(&t);
}

/* After the exit what was asked for is there, equal to what the ioctls say, and nothing else. */
static void valid(void)
{
	struct kvm_vcpu_events e;
	struct kvm_sregs sregs;
	struct kvm_regs regs;
	struct tvm t;

	for (uint64_t set = 1; set <= ALL; set++) {
		struct kvm_sync_regs before, *s = sync_vm(&t);

		/* what is fetched goes over zeros: the kernel's own module leaves padding as it is */
		memset(&before, 0x5a, sizeof(before));
		*s = before;
		if (set & KVM_SYNC_X86_SREGS)
			memset(&s->sregs, 0, sizeof(s->sregs));
		if (set & KVM_SYNC_X86_EVENTS)
			memset(&s->events, 0, sizeof(s->events));
		t.run->kvm_valid_regs = set;
		RUN_TO_OUT(&t, 0x10);
		regs = get_regs(&t);
		sregs = get_sregs(&t);
		memset(&e, 0, sizeof(e));
		TVM_IOCTL(t.fd, KVM_GET_VCPU_EVENTS, &e);
		CHECK(!memcmp(&s->regs, set & KVM_SYNC_X86_REGS ? &regs : &before.regs,
			      sizeof(regs)));
		CHECK(!memcmp(&s->sregs, set & KVM_SYNC_X86_SREGS ? &sregs : &before.sregs,
			      sizeof(sregs)));
		CHECK(!memcmp(&s->events, set & KVM_SYNC_X86_EVENTS ? &e : &before.events,
			      sizeof(e)));
		CHECK_EQ(t.run->kvm_valid_regs, set);
		tvm_close(&t);
	}
}

/* An exit by a signal, or none at all, is one too. */
static void valid_without_running(void)
{
	struct tvm t;
	struct kvm_sync_regs *s = sync_vm(&t);

	t.run->kvm_valid_regs = KVM_SYNC_X86_REGS;
	t.run->immediate_exit = 1;
	CHECK_ERR(tvm_run(&t), EINTR);
	CHECK_EQ(s->regs.rip, TVM_CODE);
	tvm_close(&t);
}

static void dirty(void)
{
	struct tvm t;
	struct kvm_sync_regs *s = sync_vm(&t);

	t.run->kvm_valid_regs = ALL;
	RUN_TO_OUT(&t, 0x10);
	CHECK_EQ(s->regs.rbx, 1);
	/* Not marked: not looked at. */
	s->regs.rbx = 0x100;
	s->sregs.ds.base = 0x1230;
	RUN_TO_OUT(&t, 0x10);
	CHECK_EQ(s->regs.rbx, 2);
	CHECK_EQ(s->sregs.ds.base, 0);
	s->regs.rbx = 0x100;
	t.run->kvm_dirty_regs = KVM_SYNC_X86_REGS;
	RUN_TO_OUT(&t, 0x10);
	CHECK_EQ(t.run->kvm_dirty_regs, 0);
	CHECK_EQ(s->regs.rbx, 0x101);
	CHECK_EQ(get_regs(&t).rbx, 0x101);
	s->sregs.ds.base = 0x1230;
	s->regs.rbx = 0x200;
	t.run->kvm_dirty_regs = KVM_SYNC_X86_SREGS;
	RUN_TO_OUT(&t, 0x10);
	CHECK_EQ(s->regs.rbx, 0x102);
	CHECK_EQ(get_sregs(&t).ds.base, 0x1230);
	/* Without the valid bit they are still taken. */
	t.run->kvm_valid_regs = 0;
	s->regs.rbx = 0x300;
	t.run->kvm_dirty_regs = KVM_SYNC_X86_REGS;
	RUN_TO_OUT(&t, 0x10);
	CHECK_EQ(s->regs.rbx, 0x300);
	CHECK_EQ(get_regs(&t).rbx, 0x301);
	tvm_close(&t);
}

/* An exception that userspace injects, by events alone. */
GUEST(g_ev, 64, "1: out %al, $0x10; jmp 1b; g_ev_ud: mov $6, %al; out %al, $0x12; hlt");

extern const uint8_t g_ev_ud[];

static void dirty_events(void)
{
	struct kvm_sync_regs *s;
	struct tvm t;

	s = sync_vm(&t);
	GUEST_START(&t, LONG, g_ev);
	tvm_gate(&t, 6, TVM_CODE + (g_ev_ud - g_ev));
	t.run->kvm_valid_regs = ALL;
	RUN_TO_OUT(&t, 0x10);
	s->events.exception.injected = 1;
	s->events.exception.nr = 6;
	/* with the registers: these must not take the exception back */
	t.run->kvm_dirty_regs = ALL;
	CHECK_EQ(RUN_TO_OUT(&t, 0x12), 6);
	CHECK_EQ(s->events.exception.injected, 0);
	tvm_close(&t);
}

/* One set that is refused: the others are not taken either. */
static void all_or_nothing(void)
{
	struct tvm t;
	struct kvm_sync_regs *s = sync_vm(&t);

	t.run->kvm_valid_regs = ALL;
	RUN_TO_OUT(&t, 0x10);
	t.run->kvm_valid_regs = 0;
	s->regs.rbx = 0x500;
	s->sregs.cr4 = 1ull << 40;
	t.run->kvm_dirty_regs = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS;
	CHECK_ERR(tvm_run(&t), EINVAL);
	CHECK_EQ(get_regs(&t).rbx, 1);
	s->sregs.cr4 = 0;
	s->sregs.ds.base = 0x1230;
	s->events.flags = 1u << 31;
	t.run->kvm_dirty_regs = ALL;
	CHECK_ERR(tvm_run(&t), EINVAL);
	CHECK_EQ(get_regs(&t).rbx, 1);
	CHECK_EQ(get_sregs(&t).ds.base, 0);
	tvm_close(&t);
}

/* RIP moved while an IN waits for its data: it is abandoned, as with KVM_SET_REGS. */
GUEST(g_in, 16, "mov $0x77, %al; in $0x20, %al; hlt; g_in_other: out %al, $0x10; hlt");

extern const uint8_t g_in_other[];

static void dirty_while_pending(void)
{
	struct tvm t;
	struct kvm_sync_regs *s = sync_vm(&t);

	guest_load(&t, g_in);
	t.run->kvm_valid_regs = KVM_SYNC_X86_REGS;
	RUN_TO(&t, KVM_EXIT_IO);
	*(uint8_t *)tvm_io_data(t.run) = 0x11;
	s->regs.rip = TVM_CODE + (g_in_other - g_in);
	t.run->kvm_dirty_regs = KVM_SYNC_X86_REGS;
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x77);
	tvm_close(&t);
}

TEST_MAIN(T(capability), T(bad_bits), T(valid), T(valid_without_running), T(dirty),
	  T(dirty_events), T(all_or_nothing), T(dirty_while_pending))
