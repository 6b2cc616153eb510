// SPDX-License-Identifier: GPL-2.0
/*
 * Steal time: "preempted" says that the scheduler has taken the CPU away, and only that; time waited
 * for the CPU is counted.
 *
 * All threads share one CPU: whoever looks while the vCPU is inside KVM_RUN has taken its place.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <sys/resource.h>
#include "kvmtest.h"

#define MSR_STEAL_TIME	0x4b564d03
#define AREA		0x20000
#define FLAG		0x21000
#define VCPU_PREEMPTED	1

struct steal {		/* Documentation/virt/kvm/x86/msr.rst, MSR_KVM_STEAL_TIME */
	uint64_t steal;
	uint32_t version, flags;
	uint8_t preempted, u8_pad[3];
	uint32_t pad[11];
};

/* An exit for each change of FLAG, which EAX, 0 at first, is the last value of. */
GUEST(spin, 32,
      "1: pause; cmp %eax, 0x21000; je 1b\n"
      "mov 0x21000, %eax; out %eax, $0x80; jmp 1b");

static volatile struct steal *area(struct tvm *t)
{
	return (void *)(t->mem + AREA);
}

static volatile uint32_t *flag(struct tvm *t)
{
	return (void *)(t->mem + FLAG);
}

static void *run(void *t)
{
	RUN_TO((struct tvm *)t, KVM_EXIT_IO);
	return NULL;
}

/* How often the scheduler took the CPU from this thread. */
static long switches(void)
{
	struct rusage u;

	REQUIRE_OK(getrusage(RUSAGE_THREAD, &u));
	return u.ru_nvcsw + u.ru_nivcsw;
}

/* Runs the vCPU in a thread until this one finds it preempted, then to its exit. */
static void watch(struct tvm *t)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, run, t))
		tvm_die("pthread_create");
	do
		usleep(2000);
	while (!(area(t)->preempted & VCPU_PREEMPTED));
	++*flag(t);
	pthread_join(thread, NULL);
}

static void steal(void)
{
	int undisturbed = 0;
	cpu_set_t one;
	struct tvm t;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	REQUIRE_OK(sched_setaffinity(0, sizeof(one), &one));
	tvm_open(&t);
	tvm_mem(&t, 1 << 20);
	tvm_vcpu(&t);
	if (set_msr(&t, MSR_STEAL_TIME, AREA | 1) != 1)
		SKIP("no steal time");
	GUEST_START(&t, PROT, spin);

	watch(&t);
	CHECK_EQ(area(&t)->version & 1, 0u);
	CHECK(area(&t)->steal > 0);
	/*
	 * It came back for its last instructions, and then went to the program by itself, unless
	 * it lost the CPU once more on its way there.
	 */
	for (int i = 0; i < 20 && area(&t)->preempted; i++)
		watch(&t);
	CHECK_EQ(area(&t)->preempted, 0u);

	for (int i = 0; i < 20; i++) {
		long before = switches();

		++*flag(&t);
		RUN_TO(&t, KVM_EXIT_IO);
		if (switches() != before)
			continue;
		undisturbed++;
		CHECK_EQ(area(&t)->preempted, 0u);
	}
	CHECK(undisturbed > 0);
	tvm_close(&t);
}

TEST_MAIN(T(steal))
