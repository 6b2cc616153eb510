// SPDX-License-Identifier: GPL-2.0
/* KVM_GET/SET_MP_STATE, and starting a second processor by INIT and SIPI. */
#include "kvmtest.h"

static int get(int fd)
{
	struct kvm_mp_state m = { .mp_state = 99 };

	TVM_IOCTL(fd, KVM_GET_MP_STATE, &m);
	return m.mp_state;
}

static int set(int fd, uint32_t state)
{
	struct kvm_mp_state m = { .mp_state = state };

	return ioctl(fd, KVM_SET_MP_STATE, &m);
}

static void initial(void)
{
	struct kvm_run *run;
	struct tvm t;
	int fd;

	vm_new_irqchip(&t);
	fd = tvm_add_vcpu(&t, 1, &run);
	CHECK_EQ(get(t.fd), KVM_MP_STATE_RUNNABLE);
	CHECK_EQ(get(fd), KVM_MP_STATE_UNINITIALIZED);
	close(fd);
	tvm_close(&t);
	vm_new(&t);
	CHECK_EQ(get(t.fd), KVM_MP_STATE_RUNNABLE);
	tvm_close(&t);
}

static void round_trip(void)
{
	static const int state[] = {
		KVM_MP_STATE_UNINITIALIZED, KVM_MP_STATE_INIT_RECEIVED, KVM_MP_STATE_HALTED,
		KVM_MP_STATE_RUNNABLE,
	};
	struct tvm t;

	vm_new_irqchip(&t);
	for (size_t i = 0; i < ARRAY_SIZE(state); i++) {
		CHECK_OK(set(t.fd, state[i]));
		CHECK_EQ(get(t.fd), state[i]);
	}
	CHECK_ERR(set(t.fd, KVM_MP_STATE_STOPPED), EINVAL);
	CHECK_ERR(set(t.fd, 77), EINVAL);
	tvm_close(&t);
	/* Without an APIC in the kernel nobody could wake it. */
	vm_new(&t);
	CHECK_OK(set(t.fd, KVM_MP_STATE_RUNNABLE));
	CHECK_ERR(set(t.fd, KVM_MP_STATE_INIT_RECEIVED), EINVAL);
	CHECK_ERR(set(t.fd, KVM_MP_STATE_SIPI_RECEIVED), EINVAL);
	tvm_close(&t);
}

/* The first processor sends INIT and SIPI 0x0c; the other starts at 0xc000 in real mode. */
GUEST(g_bsp, 64,
      "mov $0xfee000f0, %eax; movl $0x1ff, (%rax); mov $0xfee00310, %eax; movl $0x01000000, (%rax);"
      "mov $0xfee00300, %eax; movl $0x4500, (%rax); movl $0x460c, (%rax); out %al, $0x10; 1: pause;"
      "jmp 1b");
GUEST(g_ap, 16, "mov %cs, %ax; out %ax, $0x12; 1: jmp 1b");

/* KVM_RUN of a vCPU that waited for its start ends with EAGAIN once: the state changed under it. */
static void *run_ap(void *p)
{
	long ret;

	do {
		ret = ioctl(*(int *)p, KVM_RUN, 0);
	} while (ret < 0 && errno == EAGAIN);
	return (void *)ret;
}

static void start_up(void)
{
	struct kvm_run *run;
	struct kvm_sregs s;
	struct kvm_regs r;
	pthread_t th;
	struct tvm t;
	int fd;

	vm_new_irqchip(&t);
	fd = tvm_add_vcpu(&t, 1, &run);
	GUEST_START(&t, LONG, g_bsp);
	memcpy(t.mem + 0xc000, g_ap, g_ap_end - g_ap);
	pthread_create(&th, NULL, run_ap, &fd);
	RUN_TO_OUT(&t, 0x10);
	pthread_join(th, NULL);
	CHECK_EQ(run->exit_reason, KVM_EXIT_IO);
	CHECK_EQ(run->io.port, 0x12);
	CHECK_EQ(*(uint16_t *)tvm_io_data(run), 0x0c00);
	TVM_IOCTL(fd, KVM_GET_SREGS, &s);
	TVM_IOCTL(fd, KVM_GET_REGS, &r);
	CHECK_EQ(s.cs.base, 0xc000);
	CHECK_EQ(s.cs.selector, 0xc00);
	CHECK_EQ(s.cr0 & 1, 0);
	CHECK(r.rdx);	/* the processor's signature */
	CHECK_EQ(get(fd), KVM_MP_STATE_RUNNABLE);
	munmap(run, t.run_size);
	close(fd);
	tvm_close(&t);
}

/* A halted vCPU stays halted until an interrupt; given as state, too. */
GUEST(g_halt, 16, "sti; hlt; out %al, $0x10; cli; hlt; g_halt_isr: mov $0x77, %al; out %al, $0x11;"
		  "iret");

extern const uint8_t g_halt_isr[];

static void *nmi_later(void *p)
{
	struct kvm_msi msi = { .address_lo = 0xfee00000, .data = 4 << 8 };

	usleep(20000);
	/* KVM_NMI would wait for KVM_RUN to end: ioctls of one vCPU exclude each other. */
	CHECK_EQ(ioctl(*(int *)p, KVM_SIGNAL_MSI, &msi), 1);
	return NULL;
}

static void halted(void)
{
	struct kvm_lapic_state apic;
	pthread_t th;
	struct tvm t;

	vm_new_irqchip(&t);
	CHECK_OK(ioctl(t.fd, KVM_GET_LAPIC, &apic));
	apic.regs[0xf1] = 1;	/* software enable: without, the message is refused */
	CHECK_OK(ioctl(t.fd, KVM_SET_LAPIC, &apic));
	GUEST_START(&t, REAL, g_halt);
	*(uint16_t *)(t.mem + 4 * 2) = TVM_CODE + (g_halt_isr - g_halt);
	CHECK_OK(set(t.fd, KVM_MP_STATE_HALTED));
	pthread_create(&th, NULL, nmi_later, &t.vm);
	CHECK_EQ(RUN_TO_OUT(&t, 0x11), 0x77);
	pthread_join(th, NULL);
	pthread_create(&th, NULL, nmi_later, &t.vm);
	CHECK_EQ(RUN_TO_OUT(&t, 0x11), 0x77);
	pthread_join(th, NULL);
	RUN_TO_OUT(&t, 0x10);
	tvm_close(&t);
}

TEST_MAIN(T(initial), T(round_trip), T(start_up), T(halted))
