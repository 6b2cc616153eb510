// SPDX-License-Identifier: GPL-2.0
/* KVM_CAP_X86_DISABLE_EXITS: HLT and PAUSE stay in the guest, and what that does to its CPUID. */
#include <linux/kvm_para.h>
#include "kvmtest.h"

static struct kvm_run *interrupted;

static void on_usr1(int sig)
{
	(void)sig;
	interrupted->immediate_exit = 1;
}

static void *signal_later(void *p)
{
	usleep(50000);
	pthread_kill(*(pthread_t *)p, SIGUSR1);
	return NULL;
}

static int disable(struct tvm *t, uint64_t exits, uint32_t flags)
{
	struct kvm_enable_cap c = {
		.cap = KVM_CAP_X86_DISABLE_EXITS, .flags = flags, .args[0] = exits,
	};

	return ioctl(t->vm, KVM_ENABLE_CAP, &c);
}

static void open_vm(struct tvm *t)
{
	tvm_open(t);
	tvm_mem(t, 2 << 20);
}

GUEST(g_hlt, 16, "hlt; 1: jmp 1b");

/* What is refused changes nothing: HLT still ends in userspace. */
static void errors(void)
{
	struct kvm_enable_cap c = { .cap = KVM_CAP_X86_DISABLE_EXITS };
	struct tvm t;
	int all;

	open_vm(&t);
	all = has_cap(t.vm, KVM_CAP_X86_DISABLE_EXITS);
	CHECK_EQ(all & ~0xf, 0);
	CHECK(all & KVM_X86_DISABLE_EXITS_HLT);
	CHECK(all & KVM_X86_DISABLE_EXITS_PAUSE);
	CHECK_ERR(disable(&t, KVM_X86_DISABLE_EXITS_HLT | 1 << 20, 0), EINVAL);
	CHECK_ERR(disable(&t, KVM_X86_DISABLE_EXITS_HLT | 1ull << 63, 0), EINVAL);
	CHECK_ERR(disable(&t, KVM_X86_DISABLE_EXITS_HLT, 1), EINVAL);
	tvm_vcpu(&t);
	CHECK_ERR(disable(&t, KVM_X86_DISABLE_EXITS_HLT, 0), EINVAL);
	c.args[0] = KVM_X86_DISABLE_EXITS_HLT;
	CHECK_ERR(ioctl(t.fd, KVM_ENABLE_CAP, &c), EINVAL);
	GUEST_START(&t, REAL, g_hlt);
	RUN_TO(&t, KVM_EXIT_HLT);
	tvm_close(&t);
}

/* All that is offered can be disabled at once, and no bit is needed. */
static void all_at_once(void)
{
	struct tvm t;

	open_vm(&t);
	CHECK_OK(disable(&t, 0, 0));
	CHECK_OK(disable(&t, has_cap(t.vm, KVM_CAP_X86_DISABLE_EXITS), 0));
	tvm_close(&t);
}

static void run_to_signal(struct tvm *t)
{
	struct sigaction sa = { .sa_handler = on_usr1 };
	pthread_t self = pthread_self(), th;

	interrupted = t->run;
	sigaction(SIGUSR1, &sa, NULL);
	pthread_create(&th, NULL, signal_later, &self);
	CHECK_ERR(tvm_run(t), EINTR);
	CHECK_EQ(t->run->exit_reason, KVM_EXIT_INTR);
	pthread_join(th, NULL);
	t->run->immediate_exit = 0;
}

/* Nobody but the guest knows of its HLT: only a signal ends KVM_RUN. */
static void hlt_without_apic(void)
{
	struct tvm t;
	int fd;

	open_vm(&t);
	CHECK_OK(disable(&t, KVM_X86_DISABLE_EXITS_HLT, 0));
	tvm_vcpu(&t);
	fd = ioctl(t.fd, KVM_GET_STATS_FD, 0);
	REQUIRE_OK(fd);
	GUEST_START(&t, REAL, g_hlt);
	run_to_signal(&t);
	CHECK_EQ(get_stat(fd, "halt_exits"), 0);
	close(fd);
	tvm_close(&t);
}

GUEST(g_moved, 16, "hlt; 1: jmp 1b; g_moved_isr: out %al, $0x10");

extern const uint8_t g_moved_isr[];

static void by_regs(struct tvm *t)
{
	struct kvm_regs r;

	TVM_IOCTL(t->fd, KVM_GET_REGS, &r);
	r.rip = TVM_CODE + (g_moved_isr - g_moved);
	CHECK_OK(ioctl(t->fd, KVM_SET_REGS, &r));
}

static void by_exception(struct tvm *t)
{
	exception_in_flight(t, 6);
}

static void by_nmi(struct tvm *t)
{
	CHECK_OK(ioctl(t->fd, KVM_NMI, 0));
}

/* A halted guest that is said to have just loaded SS goes on; a second signal finds it. */
static void by_shadow(struct tvm *t)
{
	struct kvm_vcpu_events e;

	TVM_IOCTL(t->fd, KVM_GET_VCPU_EVENTS, &e);
	e.interrupt.shadow = KVM_X86_SHADOW_INT_MOV_SS;
	CHECK_OK(ioctl(t->fd, KVM_SET_VCPU_EVENTS, &e));
	run_to_signal(t);
	by_regs(t);
}

/* What userspace gives a guest that has halted by itself does not find it halted for ever. */
static void hlt_left(void)
{
	void (*const ways[])(struct tvm *t) = { by_regs, by_exception, by_nmi, by_shadow };
	struct tvm t;

	for (unsigned int i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		open_vm(&t);
		CHECK_OK(disable(&t, KVM_X86_DISABLE_EXITS_HLT, 0));
		tvm_vcpu(&t);
		GUEST_START(&t, REAL, g_moved);
		*(uint16_t *)(t.mem + 4 * 2) = *(uint16_t *)(t.mem + 4 * 6) = TVM_CODE + (g_moved_isr - g_moved);
		run_to_signal(&t);
		ways[i](&t);
		RUN_TO_OUT(&t, 0x10);
		tvm_close(&t);
	}
}

GUEST(g_wait, 16,
      "sti; 1: hlt; cmpb $0, 0xf000; je 1b; cli; out %al, $0x10;"
      "g_wait_isr: incb 0xf000; iret");

extern const uint8_t g_wait_isr[];

static void *message_later(void *p)
{
	struct kvm_msi msi = { .address_lo = 0xfee00000, .data = 0x40 };

	usleep(50000);
	CHECK_EQ(ioctl(*(int *)p, KVM_SIGNAL_MSI, &msi), 1);
	return NULL;
}

/* A halted guest is woken by an interrupt from another thread, whoever halted it. */
static uint64_t halts_until_message(uint64_t exits)
{
	struct kvm_lapic_state apic;
	pthread_t th;
	struct tvm t;
	uint64_t n;
	int fd;

	open_vm(&t);
	TVM_IOCTL(t.vm, KVM_CREATE_IRQCHIP, 0);
	CHECK_OK(disable(&t, exits, 0));
	tvm_vcpu(&t);
	CHECK_OK(ioctl(t.fd, KVM_GET_LAPIC, &apic));
	apic.regs[0xf1] = 1;	/* software enable */
	CHECK_OK(ioctl(t.fd, KVM_SET_LAPIC, &apic));
	fd = ioctl(t.fd, KVM_GET_STATS_FD, 0);
	REQUIRE_OK(fd);
	GUEST_START(&t, REAL, g_wait);
	*(uint16_t *)(t.mem + 4 * 0x40) = TVM_CODE + (g_wait_isr - g_wait);
	pthread_create(&th, NULL, message_later, &t.vm);
	RUN_TO_OUT(&t, 0x10);
	pthread_join(th, NULL);
	CHECK_EQ(t.mem[0xf000], 1);
	n = get_stat(fd, "halt_exits");
	close(fd);
	tvm_close(&t);
	return n;
}

static void hlt_with_apic(void)
{
	CHECK(halts_until_message(0) > 0);
	CHECK(halts_until_message(KVM_X86_DISABLE_EXITS_PAUSE) > 0);
	CHECK_EQ(halts_until_message(KVM_X86_DISABLE_EXITS_HLT), 0);
}

/* Who does not exit at HLT can't be kicked out of it: the guest must not believe that it can. */
static void no_unhalt(void)
{
	struct kvm_cpuid_entry2 *e;
	struct kvm_cpuid2 *c;
	struct tvm t;

	for (int off = 0; off < 2; off++) {
		open_vm(&t);
		CHECK_OK(disable(&t, off ? KVM_X86_DISABLE_EXITS_HLT : 0, 0));
		tvm_vcpu(&t);
		c = tvm_supported_cpuid(t.sys);
		e = tvm_cpuid_find(c, KVM_CPUID_FEATURES, 0);
		REQUIRE(e);
		CHECK(e->eax & 1 << KVM_FEATURE_PV_UNHALT);
		c->nent = TVM_CPUID_MAX;
		CHECK_OK(ioctl(t.fd, KVM_GET_CPUID2, c));
		e = tvm_cpuid_find(c, KVM_CPUID_FEATURES, 0);
		REQUIRE(e);
		CHECK_EQ(!(e->eax & 1 << KVM_FEATURE_PV_UNHALT), off);
		free(c);
		tvm_close(&t);
	}
}

GUEST(g_pause, 16, "mov $500000, %ecx; 1: pause; dec %ecx; jnz 1b; out %al, $0x10; hlt");

static uint64_t exits_of_pauses(uint64_t exits)
{
	struct tvm t;
	uint64_t n;
	int fd;

	open_vm(&t);
	CHECK_OK(disable(&t, exits, 0));
	tvm_vcpu(&t);
	fd = ioctl(t.fd, KVM_GET_STATS_FD, 0);
	REQUIRE_OK(fd);
	GUEST_START(&t, REAL, g_pause);
	RUN_TO_OUT(&t, 0x10);
	n = get_stat(fd, "exits") - get_stat(fd, "irq_exits");
	RUN_TO(&t, KVM_EXIT_HLT);	/* that one was not disabled */
	close(fd);
	tvm_close(&t);
	return n;
}

static bool cpu_has(const char *flag)
{
	char line[8192];
	bool found = false;
	FILE *f = fopen("/proc/cpuinfo", "r");

	REQUIRE(f);
	while (!found && fgets(line, sizeof(line), f)) {
		char *at = strstr(line, flag);
		char after = at ? at[strlen(flag)] : 0;

		found = at && at[-1] == ' ' && (after == ' ' || after == '\n');
	}
	fclose(f);
	return found;
}

/* A loop of PAUSEs leaves the guest now and then where the processor can count them. */
static void pause_loop(void)
{
	uint64_t with = exits_of_pauses(0), without = exits_of_pauses(KVM_X86_DISABLE_EXITS_PAUSE);

	if (cpu_has("pausefilter") || cpu_has("ple"))
		CHECK(with > without + 20);
	CHECK(without < 100);
}

TEST_MAIN(T(errors), T(all_at_once), T(hlt_without_apic), T(hlt_left), T(hlt_with_apic), T(no_unhalt),
	  T(pause_loop))
