// SPDX-License-Identifier: GPL-2.0
/* The local APIC's state as the VMM sees it: KVM_GET/SET_LAPIC, APIC base, x2APIC. */
#include "kvmtest.h"

static uint32_t reg(const struct kvm_lapic_state *s, int offset)
{
	uint32_t v;

	memcpy(&v, s->regs + offset, 4);
	return v;
}

static void set_reg(struct kvm_lapic_state *s, int offset, uint32_t v)
{
	memcpy(s->regs + offset, &v, 4);
}

static void without_irqchip(void)
{
	struct kvm_lapic_state s = { 0 };
	struct tvm t;

	vm_new(&t);
	CHECK_ERR(ioctl(t.fd, KVM_GET_LAPIC, &s), EINVAL);
	CHECK_ERR(ioctl(t.fd, KVM_SET_LAPIC, &s), EINVAL);
	tvm_close(&t);
}

static void reset_state(void)
{
	struct kvm_lapic_state s;
	struct kvm_run *run;
	struct tvm t;
	int fd;

	vm_new_irqchip(&t);
	CHECK_OK(ioctl(t.fd, KVM_GET_LAPIC, &s));
	CHECK_EQ(reg(&s, 0x20), 0);
	CHECK_EQ(reg(&s, 0x30) & 0xff, 0x14);
	CHECK_EQ(reg(&s, 0x80), 0);
	CHECK_EQ(reg(&s, 0xe0), ~0u);
	CHECK_EQ(reg(&s, 0xf0), 0xff);
	for (int lvt = 0x320; lvt <= 0x370; lvt += 0x10)
		if (lvt != 0x350)	/* LINT0 is ExtINT at reset, by quirk */
			CHECK_EQ(reg(&s, lvt), 1 << 16);
	CHECK_EQ(reg(&s, 0x380) | reg(&s, 0x390), 0);
	fd = tvm_add_vcpu(&t, 3, &run);
	CHECK_OK(ioctl(fd, KVM_GET_LAPIC, &s));
	CHECK_EQ(reg(&s, 0x20), 3u << 24);
	close(fd);
	CHECK_ERR(ioctl(t.fd, KVM_GET_LAPIC, NULL), EFAULT);
	CHECK_ERR(ioctl(t.fd, KVM_SET_LAPIC, NULL), EFAULT);
	tvm_close(&t);
}

static void round_trip(void)
{
	static const struct {
		int offset;
		uint32_t value;
	} c[] = {
		{ 0x80, 0x20 }, { 0xd0, 0x02000000 }, { 0xe0, 0xffffffff }, { 0xf0, 0x1f3 },
		{ 0x100, 0 }, { 0x110, 1 << 16 },
		{ 0x210, 1 << 17 }, { 0x190, 1 << 16 }, { 0x320, 0x300ef }, { 0x350, 0x10700 },
		{ 0x360, 0x400 }, { 0x370, 0xfe },
		{ 0x380, 0x12345 }, { 0x3e0, 0xb }, { 0x300, 0xfd }, { 0x310, 0x02000000 },
	};
	struct kvm_lapic_state s;
	struct tvm t;

	vm_new_irqchip(&t);
	CHECK_OK(ioctl(t.fd, KVM_GET_LAPIC, &s));
	for (size_t i = 0; i < ARRAY_SIZE(c); i++)
		set_reg(&s, c[i].offset, c[i].value);
	CHECK_OK(ioctl(t.fd, KVM_SET_LAPIC, &s));
	memset(&s, 0, sizeof(s));
	CHECK_OK(ioctl(t.fd, KVM_GET_LAPIC, &s));
	for (size_t i = 0; i < ARRAY_SIZE(c); i++)
		if (reg(&s, c[i].offset) != c[i].value)
			FAIL("register %#x is %#x, not %#x", c[i].offset, reg(&s, c[i].offset),
			     c[i].value);
	/* TPR is CR8. */
	CHECK_EQ(get_sregs(&t).cr8, 2);
	tvm_close(&t);
}

/*
 * The timer goes on from its state: initial count and divider as they are, the current count moves.
 */
static void timer_runs(void)
{
	struct kvm_lapic_state s;
	uint32_t first;
	struct tvm t;

	vm_new_irqchip(&t);
	CHECK_OK(ioctl(t.fd, KVM_GET_LAPIC, &s));
	set_reg(&s, 0xf0, 0x1ff);
	set_reg(&s, 0x320, 0x100ef);	/* one-shot, masked */
	set_reg(&s, 0x3e0, 0xb);
	set_reg(&s, 0x380, 0xffffffff);
	set_reg(&s, 0x390, 0xffffffff);
	CHECK_OK(ioctl(t.fd, KVM_SET_LAPIC, &s));
	CHECK_OK(ioctl(t.fd, KVM_GET_LAPIC, &s));
	first = reg(&s, 0x390);
	CHECK(first);
	usleep(10000);
	CHECK_OK(ioctl(t.fd, KVM_GET_LAPIC, &s));
	CHECK(reg(&s, 0x390) < first);
	CHECK(first - reg(&s, 0x390) > 5000000);	/* 1 GHz */
	tvm_close(&t);
}

/* Periodic, one tick each 100 us wanted, count them in CX: out after five. */
GUEST(g_ticks, 64,
      "lea " AT(g_ticks, g_ticks_idt) ", %rax; lidt (%rax); xor %ecx, %ecx;"
      "mov $0xfee00000, %ebx; movl $0x1ff, 0xf0(%rbx); movl $0x10700, 0x350(%rbx);"
      "movl $0xb, 0x3e0(%rbx); movl $0x20091, 0x320(%rbx); movl $100000, 0x380(%rbx);"
      "sti; 1: hlt; cmp $5, %ecx; jb 1b; cli; mov %cl, %al; out %al, $0x10; hlt;"
      "g_ticks_isr: inc %ecx; movl $0, 0xb0(%rbx); iretq;"
      "g_ticks_idt: .word 0xfff; .quad 0xe000");

extern const uint8_t g_ticks_isr[];

#define MIN_PERIOD	"/sys/module/kvm/parameters/min_timer_period_us"

static void write_min_period(const char *us)
{
	FILE *f = fopen(MIN_PERIOD, "w");

	REQUIRE(f);
	REQUIRE(fputs(us, f) >= 0);
	REQUIRE(!fclose(f));
}

static uint64_t five_ticks_ns(void)
{
	uint64_t start;
	struct tvm t;

	vm_new_irqchip(&t);
	GUEST_START(&t, LONG, g_ticks);
	tvm_gate(&t, 0x91, TVM_CODE + (g_ticks_isr - g_ticks));
	start = now_ns();
	CHECK(RUN_TO_OUT(&t, 0x10) >= 5);
	start = now_ns() - start;
	tvm_close(&t);
	return start;
}

/* min_timer_period_us is the shortest period that a guest gets. */
static void timer_floor(void)
{
	char old[32] = "";
	FILE *f = fopen(MIN_PERIOD, "r");
	uint64_t ns;

	REQUIRE(f && fgets(old, sizeof(old), f));
	fclose(f);
	write_min_period("100000");
	ns = five_ticks_ns();
	write_min_period(old);
	CHECK(ns >= 400000000);
	CHECK(five_ticks_ns() < 400000000);
}

/* An interrupt pending in the IRR is delivered. */
GUEST(g_irr, 64,
      "lea " AT(g_irr, g_irr_idt) ", %rax; lidt (%rax); sti; 1: jmp 1b;"
      "g_irr_isr: mov $0x91, %al; out %al, $0x10; hlt; g_irr_idt: .word 0xfff; .quad 0xe000");

extern const uint8_t g_irr_isr[];

static void pending(void)
{
	struct kvm_lapic_state s;
	struct tvm t;

	vm_new_irqchip(&t);
	GUEST_START(&t, LONG, g_irr);
	tvm_gate(&t, 0x91, TVM_CODE + (g_irr_isr - g_irr));
	CHECK_OK(ioctl(t.fd, KVM_GET_LAPIC, &s));
	set_reg(&s, 0xf0, 0x1ff);
	set_reg(&s, 0x350, 1 << 16);
	set_reg(&s, 0x240, 1 << (0x91 - 0x80));
	CHECK_OK(ioctl(t.fd, KVM_SET_LAPIC, &s));
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x91);
	CHECK_OK(ioctl(t.fd, KVM_GET_LAPIC, &s));
	CHECK_EQ(reg(&s, 0x240), 0);
	CHECK_EQ(reg(&s, 0x140), 1 << (0x91 - 0x80));
	CHECK_EQ(reg(&s, 0xa0), 0x90);
	tvm_close(&t);
}

static void apic_base(void)
{
	struct kvm_lapic_state s;
	struct tvm t;

	vm_new_irqchip(&t);
	CHECK_EQ(get_msr(&t, 0x1b), 0xfee00900);
	CHECK_EQ(set_msr(&t, 0x1b, 0xfee00d00), 1);	/* x2APIC */
	CHECK_EQ(get_msr(&t, 0x1b), 0xfee00d00);
	CHECK_EQ(get_sregs(&t).apic_base, 0xfee00d00);
	CHECK_OK(ioctl(t.fd, KVM_GET_LAPIC, &s));
	CHECK_EQ(reg(&s, 0x20), 0);
	CHECK_EQ(set_msr(&t, 0x1b, 0xfee00500), 0);	/* EXTD without EN */
	CHECK_EQ(get_msr(&t, 0x1b), 0xfee00d00);
	tvm_close(&t);
}

/*
 * In x2APIC format a VM with KVM_X2APIC_API_USE_32BIT_IDS shows the whole id, others its low byte
 * at the top.
 */
static void x2apic_ids(void)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_X2APIC_API, .args = { 1 } };
	struct kvm_lapic_state s;
	struct kvm_run *run;
	struct tvm t;
	int fd;

	for (int api = 0; api < 2; api++) {
		vm_new_irqchip(&t);
		if (!has_cap(t.sys, KVM_CAP_X2APIC_API))
			return;
		if (api)
			CHECK_OK(ioctl(t.vm, KVM_ENABLE_CAP, &cap));
		fd = tvm_add_vcpu(&t, 5, &run);
		close(t.fd);
		munmap(t.run, t.run_size);
		t.fd = fd;
		t.run = run;
		CHECK_EQ(set_msr(&t, 0x1b, 0xfee00c00), 1);
		CHECK_OK(ioctl(fd, KVM_GET_LAPIC, &s));
		CHECK_EQ(reg(&s, 0x20), api ? 5 : 5 << 24);
		CHECK_OK(ioctl(fd, KVM_SET_LAPIC, &s));
		tvm_close(&t);
	}
}

static void vapic_address(void)
{
	struct kvm_vapic_addr v = { 0 };
	struct tvm t;

	vm_new_irqchip(&t);
	CHECK_OK(ioctl(t.fd, KVM_SET_VAPIC_ADDR, &v));
	v.vapic_addr = 0x5000;
	CHECK_OK(ioctl(t.fd, KVM_SET_VAPIC_ADDR, &v));
	v.vapic_addr = 1ull << 50;
	CHECK_ERR(ioctl(t.fd, KVM_SET_VAPIC_ADDR, &v), EINVAL);
	tvm_close(&t);
	vm_new(&t);
	v.vapic_addr = 0;
	CHECK_ERR(ioctl(t.fd, KVM_SET_VAPIC_ADDR, &v), EINVAL);
	tvm_close(&t);
}

TEST_MAIN(T(without_irqchip), T(reset_state), T(round_trip), T(timer_runs), T(timer_floor),
	  T(pending),
	  T(apic_base), T(x2apic_ids),
	  T(vapic_address))
