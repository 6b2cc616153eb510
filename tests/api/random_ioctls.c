// SPDX-License-Identifier: GPL-2.0
/*
 * Every ioctl with arguments that are wrong in ways nobody thought of: the VMM may get any answer,
 * the host must stand. The sequence depends on the seed only (SEED in the environment, ROUNDS for
 * how many VMs), so that a failure can be repeated. What judges is the kernel log, by run-all.
 */
#include "kvmtest.h"

#define OPS 400

static uint64_t state;

static uint32_t rnd(void)
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return state >> 33;
}

/* Interesting values more often than not. */
static uint64_t value(void)
{
	static const uint64_t v[] = {
		0, 1, 2, 3, 4, 8, 24, 64, 255, 256, 4095, 4096, 0x8000, 0xffff, 0x10000, 0x7fffffff,
		0x80000000, 0xffffffff,
		0x100000000, 0xfee00000, 0xfec00000, 0x7fffffffffff, 0x800000000000,
		0xffff800000000000, -4096ull, -1ull,
	};

	switch (rnd() % 4) {
	case 0:
		return rnd() % 16;
	case 1:
		return (uint64_t)rnd() << 33 ^ rnd();
	default:
		return v[rnd() % ARRAY_SIZE(v)];
	}
}

#define N(x) { x, #x }

static const struct number {
	unsigned long nr;
	const char *name;
} vm_ioctls[] = {
	N(KVM_CREATE_VCPU), N(KVM_GET_DIRTY_LOG), N(KVM_SET_NR_MMU_PAGES),
	N(KVM_SET_USER_MEMORY_REGION), N(KVM_SET_TSS_ADDR),
	N(KVM_SET_IDENTITY_MAP_ADDR), N(KVM_CREATE_IRQCHIP), N(KVM_IRQ_LINE), N(KVM_GET_IRQCHIP),
	N(KVM_SET_IRQCHIP),
	N(KVM_CREATE_PIT), N(KVM_GET_PIT), N(KVM_SET_PIT), N(KVM_IRQ_LINE_STATUS),
	N(KVM_REGISTER_COALESCED_MMIO),
	N(KVM_UNREGISTER_COALESCED_MMIO), N(KVM_SET_GSI_ROUTING), N(KVM_REINJECT_CONTROL),
	N(KVM_IRQFD), N(KVM_CREATE_PIT2),
	N(KVM_SET_BOOT_CPU_ID), N(KVM_IOEVENTFD), N(KVM_SET_CLOCK), N(KVM_GET_CLOCK),
	N(KVM_GET_PIT2), N(KVM_SET_PIT2),
	N(KVM_SIGNAL_MSI), N(KVM_CREATE_DEVICE), N(KVM_CLEAR_DIRTY_LOG), N(KVM_X86_SET_MSR_FILTER),
	N(KVM_RESET_DIRTY_RINGS),
	N(KVM_ENABLE_CAP), N(KVM_CHECK_EXTENSION), N(KVM_GET_STATS_FD), N(KVM_HAS_DEVICE_ATTR),
	N(KVM_SET_PMU_EVENT_FILTER),
	N(KVM_HYPERV_EVENTFD), N(KVM_XEN_HVM_CONFIG), N(KVM_XEN_HVM_SET_ATTR),
	N(KVM_MEMORY_ENCRYPT_OP),
}, vcpu_ioctls[] = {
	N(KVM_RUN), N(KVM_GET_REGS), N(KVM_SET_REGS), N(KVM_GET_SREGS), N(KVM_SET_SREGS),
	N(KVM_TRANSLATE), N(KVM_INTERRUPT),
	N(KVM_GET_MSRS), N(KVM_SET_MSRS), N(KVM_SET_CPUID), N(KVM_SET_SIGNAL_MASK), N(KVM_GET_FPU),
	N(KVM_SET_FPU),
	N(KVM_GET_LAPIC), N(KVM_SET_LAPIC), N(KVM_SET_CPUID2), N(KVM_GET_CPUID2),
	N(KVM_TPR_ACCESS_REPORTING),
	N(KVM_SET_VAPIC_ADDR), N(KVM_GET_MP_STATE), N(KVM_SET_MP_STATE), N(KVM_NMI),
	N(KVM_SET_GUEST_DEBUG),
	N(KVM_X86_SETUP_MCE), N(KVM_X86_SET_MCE), N(KVM_GET_VCPU_EVENTS), N(KVM_SET_VCPU_EVENTS),
	N(KVM_GET_DEBUGREGS),
	N(KVM_SET_DEBUGREGS), N(KVM_ENABLE_CAP), N(KVM_GET_XSAVE), N(KVM_SET_XSAVE),
	N(KVM_GET_XSAVE2), N(KVM_GET_XCRS),
	N(KVM_SET_XCRS), N(KVM_SET_TSC_KHZ), N(KVM_GET_TSC_KHZ), N(KVM_KVMCLOCK_CTRL), N(KVM_SMI),
	N(KVM_GET_SREGS2),
	N(KVM_SET_SREGS2), N(KVM_GET_NESTED_STATE), N(KVM_SET_NESTED_STATE), N(KVM_GET_DEVICE_ATTR),
	N(KVM_SET_DEVICE_ATTR),
	N(KVM_HAS_DEVICE_ATTR), N(KVM_GET_SUPPORTED_HV_CPUID), N(KVM_GET_STATS_FD),
	N(KVM_GET_ONE_REG), N(KVM_SET_ONE_REG),
	N(KVM_DIRTY_TLB),
};

static bool enter;	/* KVM_RUN may run the guest */
static uint8_t *buf;
#define BUF 0x10000

/*
 * What the ioctl reads: sensible or random words, sometimes pointers to more of the same, or what a
 * GET just gave.
 */
static void fill(void)
{
	uint64_t *p = (uint64_t *)buf;

	if (rnd() % 3 == 0) {
		for (int i = rnd() % 4; i > 0; i--)
			buf[rnd() % 256] ^= 1 << rnd() % 8;
		return;
	}
	for (int i = 0; i < 512; i++) {
		switch (rnd() % 8) {
		case 0:
			p[i] = tvm_ptr(buf) + (rnd() % 8) * 4096;
			break;
		case 1:
			p[i] = value() | value() << 32;
			break;
		case 2:
			p[i] = eventfd(0, 0) & 63;
			break;
		default:
			p[i] = value();
		}
	}
}

static void one_vm(uint64_t seed)
{
	struct tvm t;
	int fd[3];

	state = seed * 0x9e3779b97f4a7c15ull + 1;
	alarm(5);
	tvm_open(&t);
	tvm_mem(&t, 2 << 20);
	if (rnd() & 1)
		ioctl(t.vm, KVM_CREATE_IRQCHIP, 0);
	tvm_vcpu(&t);
	for (size_t i = 0; i < t.size / 8; i++)
		((uint64_t *)t.mem)[i] = state += seed * 2 + 0x123456789;
	buf = tvm_alloc(BUF);
	fd[0] = t.sys;
	fd[1] = t.vm;
	fd[2] = t.fd;
	for (int i = 0; i < OPS; i++) {
		bool vm = rnd() % 2;
		const struct number *n = vm ? &vm_ioctls[rnd() % ARRAY_SIZE(vm_ioctls)] :
					 &vcpu_ioctls[rnd() % ARRAY_SIZE(vcpu_ioctls)];
		unsigned long arg = rnd() % 8 ? (unsigned long)buf : (unsigned long)value();

		if (n->nr == KVM_RUN) {
			arg = 0;
			t.run->immediate_exit = !enter || (rnd() & 1);
			t.run->request_interrupt_window = rnd() & 1;
			t.run->cr8 = rnd() % 20;
			ualarm(2000, 0);
		}
		fill();
		ioctl(rnd() % 16 ? fd[vm ? 1 : 2] : fd[rnd() % 3], n->nr, arg);
	}
	for (int i = 3; i < 1024; i++)
		if (rnd() & 1)
			close(i);
	_exit(0);
}

static void on_alarm(int sig)
{
	(void)sig;
}

static void random_ioctls(void)
{
	const char *seed = getenv("SEED"), *rounds = getenv("ROUNDS");
	unsigned long first = seed ? strtoul(seed, NULL, 0) : 1;
	/* a kernel that watches itself takes a hundred times as long for each VM */
	unsigned long n = rounds ? strtoul(rounds, NULL, 0) : test_patience(1) > 8 ? 10 : 40;

	enter = seed || !host_is_tcg();
	for (unsigned long i = first; i < first + n; i++) {
		pid_t pid = fork();
		int status;

		if (!pid) {
			struct sigaction a = { .sa_handler = on_alarm };

			sigaction(SIGALRM, &a, NULL);
			if (!freopen("/dev/null", "w", stdout))
				_exit(1);
			one_vm(i);
		}
		/*
		 * A child stuck in a guest that nothing interrupts is killed; that it can be is
		 * part of the test.
		 */
		for (int ms = 0; ; ms++) {
			if (waitpid(pid, &status, WNOHANG) == pid)
				break;
			if (ms == 3000)
				kill(pid, SIGKILL);
			if (ms == 8000) {
				FAIL("seed %lu: the process can't be killed", i);
				return;
			}
			usleep(1000);
		}
		alarm(test_patience(30));
	}
}

TEST_MAIN(T(random_ioctls))
