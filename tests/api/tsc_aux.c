// SPDX-License-Identifier: GPL-2.0
/*
 * TSC_AUX: RDTSCP gives each vCPU its own value and this program the host's, however the two relate.
 *
 * The host's value may stay away while kernel code runs, so what counts is what user mode sees after
 * each KVM_RUN.
 */
#define _GNU_SOURCE
#include <sched.h>
#include "kvmtest.h"

#define MSR_TSC_AUX 0xc0000103

GUEST(read_aux, 64,
      "1: rdtscp; mov %ecx, %eax; out %eax, $0x80; jmp 1b");

static uint32_t host_aux(void)
{
	uint32_t aux;

	asm volatile("rdtscp" : "=c" (aux) : : "eax", "edx");
	return aux;
}

static bool guest_has_rdtscp(struct tvm *t)
{
	struct kvm_cpuid_entry2 *e = tvm_cpuid_find(tvm_supported_cpuid(t->sys), 0x80000001, 0);

	return e && e->edx & 1u << 27;
}

static void expect(struct tvm *t, uint32_t aux, uint32_t host)
{
	RUN_TO(t, KVM_EXIT_IO);
	CHECK_EQ(*(uint32_t *)tvm_io_data(t->run), aux);
	CHECK_EQ(host_aux(), host);
}

/* Values one after the other in one vCPU: the host's own, another, none, the host's again. */
static void one_vcpu(void)
{
	uint32_t host = host_aux();
	const uint32_t values[] = { host, host + 1, 0, 0xffffffff, host, 0x1234 };
	struct tvm t;

	tvm_open(&t);
	if (!guest_has_rdtscp(&t))
		SKIP("no RDTSCP for guests");
	tvm_mem(&t, 1 << 20);
	tvm_vcpu(&t);
	GUEST_START(&t, LONG, read_aux);
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		CHECK_EQ(set_msr(&t, MSR_TSC_AUX, values[i]), 1);
		expect(&t, values[i], host);
		expect(&t, values[i], host);
	}
	tvm_close(&t);
}

/* Two VMs take turns on the same CPU. */
static void turns(void)
{
	uint32_t host = host_aux();
	struct tvm t[2];

	for (int i = 0; i < 2; i++) {
		tvm_open(&t[i]);
		tvm_mem(&t[i], 1 << 20);
		tvm_vcpu(&t[i]);
		GUEST_START(&t[i], LONG, read_aux);
		CHECK_EQ(set_msr(&t[i], MSR_TSC_AUX, host + i), 1);
	}
	for (int i = 0; i < 20; i++)
		expect(&t[i & 1], host + (i & 1), host);
	tvm_close(&t[0]);
	tvm_close(&t[1]);
}

static void stay_on_one_cpu(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	REQUIRE_OK(sched_setaffinity(0, sizeof(one), &one));
}

TEST_MAIN(T(stay_on_one_cpu), T(one_vcpu), T(turns))
