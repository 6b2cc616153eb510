// SPDX-License-Identifier: GPL-2.0
/* irqfd: an eventfd that raises an interrupt line. */
#include "kvmtest.h"

static int irqfd(struct tvm *t, int fd, uint32_t gsi, uint32_t flags, int resample)
{
	struct kvm_irqfd i = { .fd = fd, .gsi = gsi, .flags = flags, .resamplefd = resample };

	return ioctl(t->vm, KVM_IRQFD, &i);
}

static void ring(int fd)
{
	uint64_t one = 1;

	REQUIRE(write(fd, &one, 8) == 8);
}

static void errors(void)
{
	int e = eventfd(0, 0), null = open("/dev/null", O_RDWR);
	struct tvm t;

	tvm_open(&t);
	CHECK_ERR(irqfd(&t, e, 5, 0, 0), EINVAL);	/* no interrupt controller */
	tvm_close(&t);

	vm_new_irqchip(&t);
	CHECK_ERR(irqfd(&t, e, 5, 1u << 4, 0), EINVAL);
	CHECK_ERR(irqfd(&t, -1, 5, 0, 0), EBADF);
	CHECK_ERR(irqfd(&t, null, 5, 0, 0), EINVAL);
	CHECK_ERR(irqfd(&t, e, 5, KVM_IRQFD_FLAG_RESAMPLE, null), EINVAL);
	CHECK_ERR(irqfd(&t, e, 5, KVM_IRQFD_FLAG_RESAMPLE, -1), EBADF);
	CHECK_ERR(irqfd(&t, -1, 5, KVM_IRQFD_FLAG_DEASSIGN, 0), EBADF);
	CHECK_OK(irqfd(&t, e, 5, 0, 0));
	CHECK_ERR(irqfd(&t, e, 5, 0, 0), EBUSY);
	CHECK_ERR(irqfd(&t, e, 6, 0, 0), EBUSY);	/* the same eventfd, another line */
	CHECK_OK(irqfd(&t, e, 5, KVM_IRQFD_FLAG_DEASSIGN, 0));
	CHECK_OK(irqfd(&t, e, 5, KVM_IRQFD_FLAG_DEASSIGN, 0));	/* nothing left: still fine */
	CHECK_OK(irqfd(&t, e, 6, 0, 0));
	tvm_close(&t);
	close(e);
	close(null);
}

/* Local APIC on, vector 0x31 shown on port 0x10, EOI after it. */
GUEST(g_apic, 64,
      "mov $0xff, %al; out %al, $0x21; out %al, $0xa1; mov $0xfee000f0, %eax; movl $0x1ff, (%rax);"
      "lea " AT(g_apic, g_apic_idt) ", %rax; lidt (%rax);"
      "out %al, $0x11; sti; 1: hlt; jmp 1b;"
      "g_apic_isr: mov $0x31, %al; out %al, $0x10; mov $0xfee000b0, %eax; movl $0, (%rax);"
      "out %al, $0x12; iretq;"
      "g_apic_idt: .word 0xfff; .quad 0xe000");

extern const uint8_t g_apic_isr[];

static void apic_guest(struct tvm *t)
{

	vm_new_irqchip(t);
	GUEST_START(t, LONG, g_apic);
	tvm_gate(t, 0x31, TVM_CODE + (g_apic_isr - g_apic));
	RUN_TO_OUT(t, 0x11);
}

static void set_pin(struct tvm *t, int pin, uint64_t bits)
{
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_IOAPIC };

	CHECK_OK(ioctl(t->vm, KVM_GET_IRQCHIP, &chip));
	chip.chip.ioapic.redirtbl[pin].bits = bits;
	CHECK_OK(ioctl(t->vm, KVM_SET_IRQCHIP, &chip));
}

static void route_msi(struct tvm *t, int gsi, uint32_t data)
{
	struct {
		struct kvm_irq_routing h;
		struct kvm_irq_routing_entry e;
	} r = {
		.h.nr = 1,
		.e = { .gsi = gsi, .type = KVM_IRQ_ROUTING_MSI,
			.u.msi = { .address_lo = 0xfee00000, .data = data } },
	};

	CHECK_OK(ioctl(t->vm, KVM_SET_GSI_ROUTING, &r));
}

static void msi(void)
{
	int e = eventfd(0, EFD_NONBLOCK);
	uint64_t v;
	struct tvm t;

	apic_guest(&t);
	route_msi(&t, 40, 0x31);
	CHECK_OK(irqfd(&t, e, 40, 0, 0));
	for (int i = 0; i < 3; i++) {
		ring(e);
		CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x31);
		RUN_TO_OUT(&t, 0x12);
	}
	/* The kernel consumed the count. */
	CHECK_ERR(read(e, &v, 8), EAGAIN);
	CHECK_OK(irqfd(&t, e, 40, KVM_IRQFD_FLAG_DEASSIGN, 0));
	ring(e);
	CHECK_EQ(read(e, &v, 8), 8);
	tvm_close(&t);
	close(e);
}

/* A change of routes takes effect on an irqfd that stands. */
static void route_changes(void)
{
	int e = eventfd(0, 0);
	struct tvm t;

	apic_guest(&t);
	route_msi(&t, 40, 0x45);
	CHECK_OK(irqfd(&t, e, 40, 0, 0));
	route_msi(&t, 40, 0x31);
	ring(e);
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x31);
	tvm_close(&t);
	close(e);
}

/* An eventfd that is already signalled injects when it is assigned. */
static void already_signalled(void)
{
	int e = eventfd(0, 0);
	struct tvm t;

	apic_guest(&t);
	route_msi(&t, 40, 0x31);
	ring(e);
	CHECK_OK(irqfd(&t, e, 40, 0, 0));
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x31);
	tvm_close(&t);
	close(e);
}

static void ioapic_edge(void)
{
	int e = eventfd(0, 0);
	struct tvm t;

	apic_guest(&t);
	set_pin(&t, 5, 0x31);
	CHECK_OK(irqfd(&t, e, 5, 0, 0));
	for (int i = 0; i < 3; i++) {
		ring(e);
		CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x31);
		RUN_TO_OUT(&t, 0x12);
	}
	tvm_close(&t);
	close(e);
}

/*
 * Level with resampling: raised until the guest's EOI, which lowers the line and signals the second
 * eventfd.
 */
static void resample(void)
{
	int e = eventfd(0, 0), r = eventfd(0, EFD_NONBLOCK), e2 = eventfd(0, 0),
	r2 = eventfd(0, EFD_NONBLOCK);
	uint64_t v = 0;
	struct tvm t;

	apic_guest(&t);
	CHECK_EQ(has_cap(t.sys, KVM_CAP_IRQFD_RESAMPLE), 1);
	set_pin(&t, 20, 0x31 | 1 << 15);
	CHECK_OK(irqfd(&t, e, 20, KVM_IRQFD_FLAG_RESAMPLE, r));
	CHECK_OK(irqfd(&t, e2, 20, KVM_IRQFD_FLAG_RESAMPLE, r2));
	for (int i = 0; i < 2; i++) {
		ring(e);
		CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x31);
		CHECK_ERR(read(r, &v, 8), EAGAIN);
		RUN_TO_OUT(&t, 0x12);
		CHECK_EQ(read(r, &v, 8), 8);
		CHECK_EQ(v, 1);
		CHECK_EQ(read(r2, &v, 8), 8);
	}
	CHECK_OK(irqfd(&t, e, 20, KVM_IRQFD_FLAG_DEASSIGN | KVM_IRQFD_FLAG_RESAMPLE, r));
	ring(e2);
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x31);
	RUN_TO_OUT(&t, 0x12);
	CHECK_ERR(read(r, &v, 8), EAGAIN);
	CHECK_EQ(read(r2, &v, 8), 8);
	tvm_close(&t);
	close(e);
	close(r);
	close(e2);
	close(r2);
}

/* Either end may go first. */
static void closing_order(void)
{
	struct tvm t;
	int e;

	for (int i = 0; i < 10; i++) {
		e = eventfd(0, 0);
		vm_new_irqchip(&t);
		CHECK_OK(irqfd(&t, e, 5, 0, 0));
		ring(e);
		if (i & 1)
			close(e);
		tvm_close(&t);
		if (!(i & 1)) {
			ring(e);
			close(e);
		}
	}
}

/* Wakes a vCPU that halts in KVM_RUN in another thread. */
static void *ring_later(void *p)
{
	usleep(30000);
	ring(*(int *)p);
	return NULL;
}

static void wakes_halted_vcpu(void)
{
	int e = eventfd(0, 0);
	pthread_t th;
	struct tvm t;

	apic_guest(&t);
	route_msi(&t, 40, 0x31);
	CHECK_OK(irqfd(&t, e, 40, 0, 0));
	pthread_create(&th, NULL, ring_later, &e);
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x31);
	pthread_join(th, NULL);
	tvm_close(&t);
	close(e);
}

TEST_MAIN(T(errors), T(msi), T(route_changes), T(already_signalled), T(ioapic_edge), T(resample),
	  T(closing_order),
	  T(wakes_halted_vcpu))
