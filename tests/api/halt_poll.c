// SPDX-License-Identifier: GPL-2.0
/*
 * KVM_CAP_HALT_POLL: how long a halted vCPU of this VM may be waited for awake, over what the module's parameter says.
 *
 * A guest sets its timer and halts until it is over, time and again; the statistics tell whether there was any polling.
 */
#include "kvmtest.h"

#define PARAMETER	"/sys/module/kvm/parameters/halt_poll_ns"
#define HALTS		20
#define LONG_NS		1000000000ull	/* longer than any tick takes to come */
#define TICK		"10000000"	/* ns; longer than from setting the timer to HLT, on the slowest of kernels, too */

static int halt_poll(int fd, uint64_t ns, uint32_t flags)
{
	struct kvm_enable_cap c = { .cap = KVM_CAP_HALT_POLL, .flags = flags, .args[0] = ns };

	return ioctl(fd, KVM_ENABLE_CAP, &c);
}

/* Each tick is told to userspace. */
GUEST(g_tick, 64,
      "lea " AT(g_tick, g_tick_idt) ", %rax; lidt (%rax); mov $0xfee00000, %ebx;"
      "movl $0x1ff, 0xf0(%rbx); movl $0xb, 0x3e0(%rbx); movl $0x40, 0x320(%rbx);"
      "1: movl $" TICK ", 0x380(%rbx); sti; hlt; cli; out %al, $0x10; jmp 1b;"
      "g_tick_isr: movl $0, 0xb0(%rbx); iretq; g_tick_idt: .word 0xfff; .quad 0xe000");

extern const uint8_t g_tick_isr[];

struct ticker {
	struct tvm t;
	int stats;
};

static void ticker_new(struct ticker *k)
{
	vm_new_irqchip(&k->t);
	k->stats = ioctl(k->t.fd, KVM_GET_STATS_FD, 0);
	REQUIRE_OK(k->stats);
	GUEST_START(&k->t, LONG, g_tick);
	tvm_gate(&k->t, 0x40, TVM_CODE + (g_tick_isr - g_tick));
}

static void ticker_close(struct ticker *k)
{
	close(k->stats);
	tvm_close(&k->t);
}

/* How many times polling began during so many halts. */
static uint64_t polls(struct ticker *k)
{
	uint64_t halted = get_stat(k->stats, "halt_exits");
	uint64_t before = get_stat(k->stats, "halt_attempted_poll");

	for (int i = 0; i < HALTS; i++)
		RUN_TO_OUT(&k->t, 0x10);
	CHECK(get_stat(k->stats, "halt_exits") >= halted + HALTS);
	return get_stat(k->stats, "halt_attempted_poll") - before;
}

/* What is refused changes nothing. */
static void errors(void)
{
	struct ticker k;

	ticker_new(&k);
	CHECK_EQ(has_cap(k.t.vm, KVM_CAP_HALT_POLL), 1);
	CHECK_OK(halt_poll(k.t.vm, LONG_NS, 0));
	CHECK_ERR(halt_poll(k.t.vm, 0, 1), EINVAL);
	CHECK_ERR(halt_poll(k.t.vm, 1ull << 32, 0), EINVAL);
	CHECK_ERR(halt_poll(k.t.fd, 0, 0), EINVAL);	/* a VM's, not a vCPU's */
	CHECK(polls(&k) > 0);
	ticker_close(&k);
}

/* At any time, any number of times; the largest value is as good as another. */
static void changes(void)
{
	struct ticker k;

	ticker_new(&k);
	for (int i = 0; i < 3; i++) {
		CHECK_OK(halt_poll(k.t.vm, i == 2 ? UINT32_MAX : LONG_NS, 0));
		CHECK(polls(&k) > 0);
		CHECK_OK(halt_poll(k.t.vm, 0, 0));
		CHECK_EQ(polls(&k), 0);
	}
	ticker_close(&k);
}

/* The capability counts, not the parameter, for its VM alone. */
static void over_the_parameter(void)
{
	FILE *f = fopen(PARAMETER, "r+");
	struct ticker with, without;
	char old[32] = "";

	REQUIRE(f && fgets(old, sizeof(old), f));
	rewind(f);
	REQUIRE(fputs("0", f) >= 0 && !fflush(f));
	ticker_new(&with);
	ticker_new(&without);
	CHECK_OK(halt_poll(with.t.vm, LONG_NS, 0));
	CHECK(polls(&with) > 0);
	CHECK_EQ(polls(&without), 0);
	rewind(f);
	CHECK(fputs("1000000000", f) >= 0 && !fflush(f));
	CHECK_OK(halt_poll(with.t.vm, 0, 0));
	CHECK(polls(&without) > 0);
	CHECK_EQ(polls(&with), 0);
	ticker_close(&with);
	ticker_close(&without);
	rewind(f);
	CHECK(fputs(old, f) >= 0);
	CHECK(!fclose(f));
}

/* A guest that polls itself asks that the host does not. */
static void guest_polls(void)
{
	struct ticker k;

	ticker_new(&k);
	CHECK_OK(halt_poll(k.t.vm, LONG_NS, 0));
	CHECK(polls(&k) > 0);
	CHECK_EQ(set_msr(&k.t, 0x4b564d05, 2), 0);
	CHECK_EQ(get_msr(&k.t, 0x4b564d05), 1);
	CHECK_EQ(set_msr(&k.t, 0x4b564d05, 0), 1);
	polls(&k);	/* the first may still be under way */
	CHECK_EQ(polls(&k), 0);
	ticker_close(&k);
}

TEST_MAIN(T(errors), T(changes), T(over_the_parameter), T(guest_polls))
