// SPDX-License-Identifier: GPL-2.0
/*
 * Hypercalls of a guest, those that concern other vCPUs foremost, and KVM_CAP_ENFORCE_PV_FEATURE_CPUID.
 *
 * Where an interrupt went is read from the targets' APICs (KVM_GET_LAPIC): they need not run.
 */
#include <linux/kvm_para.h>
#include "kvmtest.h"

#define IRR		0x200
#define NO_SUCH_CALL	0x1234

GUEST(g_call64, 64, "vmcall; out %al, $0x10; hlt");
GUEST(g_call32, 32, "vmcall; out %al, $0x10; hlt");

static void start64(struct tvm *t)
{
	GUEST_START(t, LONG, g_call64);
	memcpy(t->mem + TVM_CODE, hypercall_insn(false), 3);
}

static void start32(struct tvm *t)
{
	GUEST_START(t, PROT, g_call32);
	memcpy(t->mem + TVM_CODE, hypercall_insn(false), 3);
}

/* One hypercall; the answer as the guest finds it in RAX. */
static uint64_t call(struct tvm *t, uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	struct kvm_regs r;

	t->run->immediate_exit = 1;
	tvm_run(t);		/* ends the OUT of the call before */
	t->run->immediate_exit = 0;
	r = get_regs(t);
	r.rip = TVM_CODE;
	r.rax = nr;
	r.rbx = a0;
	r.rcx = a1;
	r.rdx = a2;
	r.rsi = a3;
	TVM_IOCTL(t->fd, KVM_SET_REGS, &r);
	RUN_TO_OUT(t, 0x10);
	r = get_regs(t);
	/* nothing but RAX changes */
	CHECK_EQ(r.rbx, a0);
	CHECK_EQ(r.rcx, a1);
	CHECK_EQ(r.rdx, a2);
	CHECK_EQ(r.rsi, a3);
	return r.rax;
}

/* Move the guest's code to user mode, with the right to its OUT. */
static void to_user_mode(struct tvm *t)
{
	struct kvm_sregs s = get_sregs(t);
	struct kvm_regs r;

	t->run->immediate_exit = 1;
	tvm_run(t);
	t->run->immediate_exit = 0;
	s.cs = tvm_segment(TVM_CS64_USER, 11, true);
	s.ss = tvm_segment(TVM_DS_USER, 3, false);
	TVM_IOCTL(t->fd, KVM_SET_SREGS, &s);
	r = get_regs(t);
	r.rflags = 0x3002;
	TVM_IOCTL(t->fd, KVM_SET_REGS, &r);
}

static void unknown(void)
{
	struct tvm t;

	vm_new_irqchip(&t);
	start64(&t);
	CHECK_EQ(call(&t, NO_SUCH_CALL, 1, 2, 3, 4), -1000ll);
	/* all of RAX counts */
	CHECK_EQ(call(&t, 1ull << 32 | KVM_HC_KICK_CPU, 0, 0, 0, 0), -1000ll);
	start32(&t);
	CHECK_EQ(call(&t, NO_SUCH_CALL, 1, 2, 3, 4), (uint32_t)-1000);
	start64(&t);
	to_user_mode(&t);
	CHECK_EQ(call(&t, NO_SUCH_CALL, 1, 2, 3, 4), -1ll);
	tvm_close(&t);
}

/* ---- KVM_HC_SEND_IPI --------------------------------------------------------------- */

static const unsigned int ids[] = { 0, 1, 2, 34, 66, 67 };

#define NR ARRAY_SIZE(ids)

struct many {
	struct tvm t;		/* the sender, APIC id 0 */
	struct kvm_run *run[NR];
	int fd[NR];
};

/* Software enable: without, an APIC takes nothing. */
static void apic_on(int fd)
{
	struct kvm_lapic_state apic;

	CHECK_OK(ioctl(fd, KVM_GET_LAPIC, &apic));
	apic.regs[0xf1] = 1;
	CHECK_OK(ioctl(fd, KVM_SET_LAPIC, &apic));
}

static void many_new(struct many *m)
{
	vm_new_irqchip(&m->t);
	m->fd[0] = m->t.fd;
	for (size_t i = 1; i < NR; i++)
		m->fd[i] = tvm_add_vcpu(&m->t, ids[i], &m->run[i]);
	for (size_t i = 0; i < NR; i++)
		apic_on(m->fd[i]);
}

static void many_close(struct many *m)
{
	for (size_t i = 1; i < NR; i++) {
		munmap(m->run[i], m->t.run_size);
		close(m->fd[i]);
	}
	tvm_close(&m->t);
}

/* Which of the vCPUs, by their places in ids[], have this vector waiting; and it waits no more. */
static unsigned int take(struct many *m, unsigned int vector)
{
	unsigned int who = 0;

	for (size_t i = 0; i < NR; i++) {
		struct kvm_lapic_state apic;
		uint8_t *byte;

		CHECK_OK(ioctl(m->fd[i], KVM_GET_LAPIC, &apic));
		byte = (uint8_t *)apic.regs + IRR + vector / 32 * 16 + vector / 8 % 4;
		who |= (*byte >> vector % 8 & 1) << i;
		*byte &= ~(1 << vector % 8);
		CHECK_OK(ioctl(m->fd[i], KVM_SET_LAPIC, &apic));
	}
	return who;
}

static void send_ipi(void)
{
	struct many m;

	many_new(&m);
	start64(&m.t);
	CHECK_EQ(call(&m.t, KVM_HC_SEND_IPI, 6, 0, 0, 0x55), 2);
	CHECK_EQ(take(&m, 0x55), 0x06);
	/* the sender, too */
	CHECK_EQ(call(&m.t, KVM_HC_SEND_IPI, 1, 0, 0, 0x56), 1);
	CHECK_EQ(take(&m, 0x56), 0x01);
	/* bits count from the lowest id on */
	CHECK_EQ(call(&m.t, KVM_HC_SEND_IPI, 1, 0, 2, 0x57), 1);
	CHECK_EQ(take(&m, 0x57), 0x04);
	/* the second word, and both */
	CHECK_EQ(call(&m.t, KVM_HC_SEND_IPI, 0, 4, 0, 0x58), 1);
	CHECK_EQ(take(&m, 0x58), 0x10);
	CHECK_EQ(call(&m.t, KVM_HC_SEND_IPI, 1ull << 33 | 1, 6, 1, 0x59), 4);
	CHECK_EQ(take(&m, 0x59), 0x3a);
	/* ids without a vCPU are not counted */
	CHECK_EQ(call(&m.t, KVM_HC_SEND_IPI, ~0ull, 0, 0, 0x5a), 4);
	CHECK_EQ(take(&m, 0x5a), 0x0f);
	CHECK_EQ(call(&m.t, KVM_HC_SEND_IPI, ~0ull, ~0ull, 0x10000, 0x5b), 0);
	CHECK_EQ(call(&m.t, KVM_HC_SEND_IPI, 0, 0, 0, 0x5b), 0);
	CHECK_EQ(take(&m, 0x5b), 0);
	many_close(&m);
}

/* Words have 32 bits then: 64 destinations in two of them. */
static void send_ipi_32(void)
{
	struct many m;

	many_new(&m);
	start32(&m.t);
	CHECK_EQ(call(&m.t, KVM_HC_SEND_IPI, 6, 0, 0, 0x55), 2);
	CHECK_EQ(take(&m, 0x55), 0x06);
	CHECK_EQ(call(&m.t, KVM_HC_SEND_IPI, 0, 4, 0, 0x56), 1);
	CHECK_EQ(take(&m, 0x56), 0x08);
	CHECK_EQ(call(&m.t, KVM_HC_SEND_IPI, 1, 5, 34, 0x57), 2);
	CHECK_EQ(take(&m, 0x57), 0x08 | 0x10);
	many_close(&m);
}

static void send_nmi(void)
{
	struct kvm_vcpu_events e;
	struct many m;

	many_new(&m);
	start64(&m.t);
	CHECK_EQ(call(&m.t, KVM_HC_SEND_IPI, 2, 0, 0, 4 << 8), 1);
	for (size_t i = 0; i < NR; i++) {
		CHECK_OK(ioctl(m.fd[i], KVM_GET_VCPU_EVENTS, &e));
		CHECK_EQ(e.nmi.pending, i == 1);
	}
	many_close(&m);
}

/* Refused, and nobody was sent anything. */
static void send_ipi_errors(void)
{
	static const uint32_t bad[] = {
		1 << 11,	/* logical destination */
		1 << 18,	/* shorthands: self, all, all but self */
		2 << 18, 3 << 18,
	};
	struct kvm_lapic_state apic;
	struct many m;

	many_new(&m);
	start64(&m.t);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CHECK_EQ(call(&m.t, KVM_HC_SEND_IPI, 7, 0, 0, bad[i] | 0x55), -22ll);
		CHECK_EQ(take(&m, 0x55), 0);
	}
	/* vCPU 1 takes none while its APIC is off, and is not counted */
	CHECK_OK(ioctl(m.fd[1], KVM_GET_LAPIC, &apic));
	apic.regs[0xf1] = 0;
	CHECK_OK(ioctl(m.fd[1], KVM_SET_LAPIC, &apic));
	CHECK_EQ(call(&m.t, KVM_HC_SEND_IPI, 6, 0, 0, 0x55), 1);
	CHECK_EQ(take(&m, 0x55), 0x04);
	to_user_mode(&m.t);
	CHECK_EQ(call(&m.t, KVM_HC_SEND_IPI, 6, 0, 0, 0x56), -1ll);
	CHECK_EQ(take(&m, 0x56), 0);
	many_close(&m);
}

/* No APIC in the kernel, nobody to send anything to. */
static void send_ipi_without_apic(void)
{
	struct tvm t;

	vm_new(&t);
	start64(&t);
	CHECK((int64_t)call(&t, KVM_HC_SEND_IPI, 1, 0, 0, 0x55) < 0);
	tvm_close(&t);
}

/* ---- KVM_HC_KICK_CPU --------------------------------------------------------------- */

GUEST(g_halt, 16, "cli; hlt; out %al, $0x12; hlt; out %al, $0x13");

static void on_usr1(int sig)
{
	(void)sig;
}

static void *run_other(void *fd)
{
	return (void *)(long)ioctl(*(int *)fd, KVM_RUN, 0);
}

/* Does the vCPU halt, now or soon? */
static bool halts(int stats)
{
	uint64_t end = now_ns() + test_patience(10) * 1000000000ull;

	while (!get_stat(stats, "blocking"))
		if (now_ns() > end)
			return false;
	return true;
}

/* What does not end the halt, and then what does; interrupts are off, so nothing else could. */
static void kick(void)
{
	struct sigaction sa = { .sa_handler = on_usr1 };
	struct kvm_run *run;
	int fd, stats;
	pthread_t th;
	struct tvm t;
	void *ret;

	sigaction(SIGUSR1, &sa, NULL);
	vm_new_irqchip(&t);
	fd = tvm_add_vcpu(&t, 1, &run);
	stats = ioctl(fd, KVM_GET_STATS_FD, 0);
	REQUIRE_OK(stats);
	apic_on(t.fd);
	apic_on(fd);
	start64(&t);
	memcpy(t.mem + 0xc000, g_halt, g_halt_end - g_halt);
	tvm_real_at(fd, 0xc000);
	TVM_IOCTL(fd, KVM_SET_MP_STATE, &(struct kvm_mp_state){ KVM_MP_STATE_RUNNABLE });
	pthread_create(&th, NULL, run_other, &fd);
	REQUIRE(halts(stats));
	CHECK_EQ(call(&t, KVM_HC_KICK_CPU, 0, 2, 0, 0), 0);
	CHECK_EQ(call(&t, KVM_HC_KICK_CPU, 1, 0, 1, 1), 0);
	usleep(20000);
	CHECK(get_stat(stats, "halt_exits") == 1);
	CHECK_EQ(call(&t, KVM_HC_KICK_CPU, 0, 1, 0, 0), 0);
	pthread_join(th, &ret);
	CHECK(!ret);
	CHECK_EQ(run->exit_reason, KVM_EXIT_IO);
	CHECK_EQ(run->io.port, 0x12);
	/* one kick, one halt */
	pthread_create(&th, NULL, run_other, &fd);
	REQUIRE(halts(stats));
	usleep(20000);
	pthread_kill(th, SIGUSR1);
	pthread_join(th, &ret);
	CHECK_EQ((long)ret, -1);
	CHECK_EQ(run->exit_reason, KVM_EXIT_INTR);
	close(stats);
	munmap(run, t.run_size);
	close(fd);
	tvm_close(&t);
}

GUEST(g_early, 64,
      "cli; mov $5, %eax; xor %ebx, %ebx; xor %ecx, %ecx; g_early_insn: vmcall; hlt; out %al, $0x10");

extern const uint8_t g_early_insn[];

/* A kick that comes before the HLT is not lost: here the vCPU kicks itself. */
static void kick_before_halt(void)
{
	struct tvm t;

	vm_new_irqchip(&t);
	apic_on(t.fd);
	GUEST_START(&t, LONG, g_early);
	memcpy(t.mem + TVM_CODE + (g_early_insn - g_early), hypercall_insn(false), 3);
	RUN_TO_OUT(&t, 0x10);
	tvm_close(&t);
}

/* User mode can't kick. */
static void kick_from_user_mode(void)
{
	struct kvm_mp_state mp = { KVM_MP_STATE_HALTED };
	struct kvm_run *run;
	struct tvm t;
	int fd;

	vm_new_irqchip(&t);
	fd = tvm_add_vcpu(&t, 1, &run);
	apic_on(fd);
	start64(&t);
	to_user_mode(&t);
	TVM_IOCTL(fd, KVM_SET_MP_STATE, &mp);
	CHECK_EQ(call(&t, KVM_HC_KICK_CPU, 0, 1, 0, 0), -1ll);
	TVM_IOCTL(fd, KVM_GET_MP_STATE, &mp);
	CHECK_EQ(mp.mp_state, KVM_MP_STATE_HALTED);
	munmap(run, t.run_size);
	close(fd);
	tvm_close(&t);
}

/* ---- KVM_CAP_ENFORCE_PV_FEATURE_CPUID ------------------------------------------------ */

static int enforce(struct tvm *t, uint64_t on)
{
	struct kvm_enable_cap c = { .cap = KVM_CAP_ENFORCE_PV_FEATURE_CPUID, .args[0] = on };

	return ioctl(t->fd, KVM_ENABLE_CAP, &c);
}

/* Set the bits of CPUID that say which paravirtual features there are. */
static void set_features(struct tvm *t, uint32_t features)
{
	struct kvm_cpuid2 *c = tvm_supported_cpuid(t->sys);
	struct kvm_cpuid_entry2 *e = tvm_cpuid_find(c, KVM_CPUID_FEATURES, 0);

	REQUIRE(e);
	e->eax = features;
	CHECK_OK(ioctl(t->fd, KVM_SET_CPUID2, c));
	free(c);
}

static uint32_t supported_features(struct tvm *t)
{
	struct kvm_cpuid2 *c = tvm_supported_cpuid(t->sys);
	struct kvm_cpuid_entry2 *e = tvm_cpuid_find(c, KVM_CPUID_FEATURES, 0);
	uint32_t v = e ? e->eax : 0;

	free(c);
	return v;
}

static const struct {
	uint32_t feature, nr;
} calls[] = {
	{ KVM_FEATURE_PV_UNHALT, KVM_HC_KICK_CPU },
	{ KVM_FEATURE_PV_SEND_IPI, KVM_HC_SEND_IPI },
	{ KVM_FEATURE_PV_SCHED_YIELD, KVM_HC_SCHED_YIELD },
};

static void enforce_errors(void)
{
	struct kvm_enable_cap c = { .cap = KVM_CAP_ENFORCE_PV_FEATURE_CPUID, .args[0] = 1 };
	struct tvm t;

	vm_new_irqchip(&t);
	CHECK(has_cap(t.sys, KVM_CAP_ENFORCE_PV_FEATURE_CPUID));
	CHECK_ERR(ioctl(t.vm, KVM_ENABLE_CAP, &c), EINVAL);	/* a vCPU's */
	c.flags = 1;
	CHECK_ERR(ioctl(t.fd, KVM_ENABLE_CAP, &c), EINVAL);
	set_features(&t, 0);
	start64(&t);
	CHECK_EQ(call(&t, KVM_HC_KICK_CPU, 0, 9, 0, 0), 0);
	tvm_close(&t);
}

/* A hypercall is known by its own feature's bit alone, once that is enforced; CPUID may come later. */
static void enforced_calls(void)
{
	uint32_t all;
	struct tvm t;

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		vm_new_irqchip(&t);
		all = supported_features(&t);
		start64(&t);
		if (all & 1 << calls[i].feature) {
			set_features(&t, 0);
			CHECK_EQ(call(&t, calls[i].nr, 0, 9, 0, 0x55), 0);
			CHECK_OK(enforce(&t, 1));
			CHECK_EQ(call(&t, calls[i].nr, 0, 9, 0, 0x55), -1000ll);
			CHECK_OK(enforce(&t, 0));
			CHECK_EQ(call(&t, calls[i].nr, 0, 9, 0, 0x55), 0);
			tvm_close(&t);
			vm_new_irqchip(&t);	/* CPUID is fixed once the vCPU ran */
			start64(&t);
			CHECK_OK(enforce(&t, 1));
			set_features(&t, 1 << calls[i].feature);
			CHECK_EQ(call(&t, calls[i].nr, 0, 9, 0, 0x55), 0);
			for (size_t j = 0; j < ARRAY_SIZE(calls); j++)
				if (j != i)
					CHECK_EQ(call(&t, calls[j].nr, 0, 9, 0, 0x55), -1000ll);
			tvm_close(&t);
			vm_new_irqchip(&t);
			start64(&t);
			CHECK_OK(enforce(&t, 1));
			set_features(&t, all & ~(1 << calls[i].feature));
		}
		CHECK_EQ(call(&t, calls[i].nr, 0, 9, 0, 0x55), -1000ll);
		tvm_close(&t);
	}
}

GUEST(g_msr, 64,
      "lea " AT(g_msr, g_msr_idt) ", %rax; lidt (%rax); test %edi, %edi; jnz 1f; rdmsr; jmp 2f;"
      "1: xor %eax, %eax; xor %edx, %edx; wrmsr; 2: out %al, $0x10; hlt;"
      "g_msr_gp: out %al, $0x12; hlt; g_msr_idt: .word 0xfff; .quad 0xe000");

extern const uint8_t g_msr_gp[];

static const struct {
	uint32_t msr, feature;
} pv_msrs[] = {
	{ 0x11, KVM_FEATURE_CLOCKSOURCE }, { 0x12, KVM_FEATURE_CLOCKSOURCE },
	{ 0x4b564d00, KVM_FEATURE_CLOCKSOURCE2 }, { 0x4b564d01, KVM_FEATURE_CLOCKSOURCE2 },
	{ 0x4b564d02, KVM_FEATURE_ASYNC_PF }, { 0x4b564d03, KVM_FEATURE_STEAL_TIME },
	{ 0x4b564d04, KVM_FEATURE_PV_EOI }, { 0x4b564d05, KVM_FEATURE_POLL_CONTROL },
};

/* The port that the guest reaches: 0x10 for an access that works, 0x12 for a #GP. */
static unsigned int access_msr(struct tvm *t, uint32_t msr, bool write)
{
	struct kvm_regs r;

	GUEST_START(t, LONG, g_msr);
	tvm_gate(t, 13, TVM_CODE + (g_msr_gp - g_msr));
	r = get_regs(t);
	r.rcx = msr;
	r.rdi = write;
	TVM_IOCTL(t->fd, KVM_SET_REGS, &r);
	return RUN_TO(t, KVM_EXIT_IO) ? t->run->io.port : 0;
}

static void enforced_msrs(void)
{
	static const struct {
		bool enforce, shown;
		unsigned int port;
	} c[] = { { false, false, 0x10 }, { true, false, 0x12 }, { true, true, 0x10 } };
	struct tvm t;

	for (size_t i = 0; i < ARRAY_SIZE(pv_msrs) * 2 * ARRAY_SIZE(c); i++) {
		size_t how = i % ARRAY_SIZE(c), m = i / ARRAY_SIZE(c) / 2;
		uint32_t bit = 1 << pv_msrs[m].feature, all;
		unsigned int port;

		vm_new_irqchip(&t);
		all = supported_features(&t);
		set_features(&t, c[how].shown ? bit : all & ~bit);
		CHECK_OK(enforce(&t, c[how].enforce));
		port = access_msr(&t, pv_msrs[m].msr, i / ARRAY_SIZE(c) % 2);
		if (all & bit && port != c[how].port)
			FAIL("MSR %#x, enforced %d, shown %d: port %#x", pv_msrs[m].msr,
			     c[how].enforce, c[how].shown, port);
		tvm_close(&t);
	}
}

TEST_MAIN(T(unknown), T(send_ipi), T(send_ipi_32), T(send_nmi), T(send_ipi_errors),
	  T(send_ipi_without_apic), T(kick), T(kick_before_halt), T(kick_from_user_mode),
	  T(enforce_errors), T(enforced_calls), T(enforced_msrs))
