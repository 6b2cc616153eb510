// SPDX-License-Identifier: GPL-2.0
/* Signals and KVM_RUN: EINTR, KVM_SET_SIGNAL_MASK, immediate_exit set from a handler. */
#include "kvmtest.h"

GUEST(g_spin, 16, "sti; 1: inc %ebx; jmp 1b");
GUEST(g_hlt, 16, "sti; 1: hlt; jmp 1b");

static struct kvm_run *handler_run;
static volatile int handled;

static void on_signal(int sig)
{
	(void)sig;
	handled++;
	if (handler_run)
		handler_run->immediate_exit = 1;
}

/*
 * Every @ms from now on until disarm(): on a slow machine the first one may come
 * before the program is in KVM_RUN.
 */
static timer_t timer;

static void arm(int ms)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec in = {
		.it_value.tv_nsec = ms * 1000000l, .it_interval.tv_nsec = ms * 1000000l,
	};
	static bool made;

	if (!made)
		REQUIRE_OK(timer_create(CLOCK_MONOTONIC, &ev, &timer));
	made = true;
	REQUIRE_OK(timer_settime(timer, 0, &in, NULL));
}

static void disarm(void)
{
	struct itimerspec never = { 0 };

	REQUIRE_OK(timer_settime(timer, 0, &never, NULL));
}

static void catch(void)
{
	struct sigaction a = { .sa_handler = on_signal };

	sigaction(SIGUSR1, &a, NULL);
	handled = 0;
}

/* A spinning guest is interrupted: EINTR, exit reason INTR, the handler ran. */
static void interrupts_a_guest(void)
{
	struct tvm t;

	catch();
	vm_new(&t);
	GUEST_START(&t, REAL, g_spin);
	for (int i = 1; i <= 3; i++) {
		arm(20);
		CHECK_ERR(tvm_run(&t), EINTR);
		disarm();
		CHECK(handled >= i);
		CHECK_EQ(t.run->exit_reason, KVM_EXIT_INTR);
		CHECK_EQ(t.run->if_flag, 1);
	}
	CHECK(get_regs(&t).rbx);
	tvm_close(&t);
}

/* A guest that halts in the kernel is woken, too. */
static void interrupts_a_halt(void)
{
	struct tvm t;

	catch();
	vm_new_irqchip(&t);
	GUEST_START(&t, REAL, g_hlt);
	for (int i = 1; i <= 2; i++) {
		arm(20);
		CHECK_ERR(tvm_run(&t), EINTR);
		disarm();
		CHECK(handled >= i);
	}
	CHECK_EQ(get_regs(&t).rip, TVM_CODE + 2);
	tvm_close(&t);
}

/* A vCPU that waits for a start-up IPI. */
static void interrupts_uninitialized(void)
{
	struct kvm_run *run;
	struct tvm t;
	int fd;

	catch();
	vm_new_irqchip(&t);
	fd = tvm_add_vcpu(&t, 1, &run);
	arm(20);
	CHECK_ERR(ioctl(fd, KVM_RUN, 0), EINTR);
	disarm();
	CHECK(handled >= 1);
	close(fd);
	tvm_close(&t);
}

static void immediate_exit_from_handler(void)
{
	struct tvm t;

	catch();
	vm_new(&t);
	GUEST_START(&t, REAL, g_spin);
	handler_run = t.run;
	raise(SIGUSR1);
	CHECK_ERR(tvm_run(&t), EINTR);
	CHECK_EQ(get_regs(&t).rip, TVM_CODE);
	handler_run = NULL;
	tvm_close(&t);
}

static int set_mask(int fd, const sigset_t *set, uint32_t len)
{
	struct {
		struct kvm_signal_mask h;
		uint8_t bits[8];
	} __attribute__((packed)) m = { .h.len = len };

	if (!set)
		return ioctl(fd, KVM_SET_SIGNAL_MASK, 0);
	memcpy(m.bits, set, 8);
	return ioctl(fd, KVM_SET_SIGNAL_MASK, &m);
}

/*
 * A signal blocked outside and let through by the mask ends KVM_RUN and stays pending for
 * sigwait().
 */
static void mask(void)
{
	struct timespec none = { 0 };
	sigset_t blocked, run_mask;
	struct tvm t;

	catch();
	vm_new(&t);
	GUEST_START(&t, REAL, g_spin);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	sigprocmask(SIG_BLOCK, &blocked, &run_mask);
	sigdelset(&run_mask, SIGUSR1);
	CHECK_OK(set_mask(t.fd, &run_mask, 8));
	arm(20);
	CHECK_ERR(tvm_run(&t), EINTR);
	disarm();
	CHECK_EQ(handled, 0);
	/* Still pending: the next run ends at once. */
	CHECK_ERR(tvm_run(&t), EINTR);
	CHECK_EQ(sigtimedwait(&blocked, NULL, &none), SIGUSR1);
	/* The mask outside is what it was. */
	sigprocmask(SIG_BLOCK, NULL, &run_mask);
	CHECK(sigismember(&run_mask, SIGUSR1));
	sigprocmask(SIG_UNBLOCK, &blocked, NULL);
	tvm_close(&t);
}

static void mask_errors(void)
{
	sigset_t set;
	struct tvm t;

	vm_new(&t);
	sigemptyset(&set);
	CHECK_ERR(set_mask(t.fd, &set, 4), EINVAL);
	CHECK_ERR(set_mask(t.fd, &set, 128), EINVAL);
	CHECK_OK(set_mask(t.fd, &set, 8));
	CHECK_OK(set_mask(t.fd, NULL, 0));
	tvm_close(&t);
}

static bool kicked;

static void *kick(void *p)
{
	/* until the one that finds it in KVM_RUN */
	while (!__atomic_load_n(&kicked, __ATOMIC_ACQUIRE)) {
		usleep(20000);
		pthread_kill(*(pthread_t *)p, SIGUSR1);
	}
	return NULL;
}

/* What VMMs do to stop a vCPU thread. */
static void kick_from_another_thread(void)
{
	pthread_t self = pthread_self(), other;
	struct tvm t;

	catch();
	vm_new(&t);
	GUEST_START(&t, REAL, g_spin);
	pthread_create(&other, NULL, kick, &self);
	CHECK_ERR(tvm_run(&t), EINTR);
	__atomic_store_n(&kicked, true, __ATOMIC_RELEASE);
	pthread_join(other, NULL);
	CHECK(handled >= 1);
	tvm_close(&t);
}

TEST_MAIN(T(interrupts_a_guest), T(interrupts_a_halt), T(interrupts_uninitialized),
	  T(immediate_exit_from_handler),
	  T(mask), T(mask_errors), T(kick_from_another_thread))
