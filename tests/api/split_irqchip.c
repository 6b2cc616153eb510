// SPDX-License-Identifier: GPL-2.0
/* Split interrupt controllers: the local APIC in the kernel, PIC and I/O APIC with the VMM. */
#include "kvmtest.h"

static int split(struct tvm *t, uint64_t pins, uint64_t arg1)
{
	struct kvm_enable_cap c = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { pins, arg1 } };

	return ioctl(t->vm, KVM_ENABLE_CAP, &c);
}

static void errors(void)
{
	struct kvm_pit_config pit = { 0 };
	struct kvm_irqchip chip = { 0 };
	struct kvm_irq_level line = { .irq = 1, .level = 1 };
	struct tvm t;

	tvm_open(&t);
	CHECK_ERR(split(&t, 100000, 0), EINVAL);
	CHECK_OK(split(&t, 24, 0));
	CHECK_ERR(split(&t, 24, 0), EEXIST);
	CHECK_ERR(ioctl(t.vm, KVM_CREATE_IRQCHIP, 0), EEXIST);
	CHECK_ERR(ioctl(t.vm, KVM_GET_IRQCHIP, &chip), ENXIO);
	CHECK_ERR(ioctl(t.vm, KVM_SET_IRQCHIP, &chip), ENXIO);
	CHECK_OK(ioctl(t.vm, KVM_IRQ_LINE, &line));	/* no route: nothing happens */
	(void)pit;
	tvm_close(&t);

	tvm_open(&t);
	CHECK_OK(ioctl(t.vm, KVM_CREATE_IRQCHIP, 0));
	CHECK_ERR(split(&t, 24, 0), EEXIST);
	tvm_close(&t);

	tvm_open(&t);
	tvm_vcpu(&t);
	CHECK(split(&t, 24, 0) < 0);
	tvm_close(&t);
}

/*
 * Local APIC on; each of vectors 0x31, 0x32, 0x33 shows itself; only 0x31 is an APIC interrupt that
 * needs an EOI.
 */
GUEST(g, 64,
      "mov $0xfee000f0, %eax; movl $0x1ff, (%rax); mov $0xfee00350, %eax; movl $0x700, (%rax);"
      "lea " AT(g, g_idt) ", %rax; lidt (%rax); out %al, $0x11; sti; 1: nop; jmp 1b;"
      "g_31: mov $0x31, %al; out %al, $0x10; mov $0xfee000b0, %eax; movl $0, (%rax);"
      "out %al, $0x12; iretq;"
      "g_33: mov $0x33, %al; out %al, $0x10; iretq; g_idt: .word 0xfff; .quad 0xe000");

extern const uint8_t g_31[], g_33[];

static void gate(struct tvm *t, int vector, const uint8_t *handler)
{
	uint64_t *p = (uint64_t *)(t->mem + TVM_IDT + 16 * vector);

	p[0] = (TVM_CODE + (handler - g)) | (uint64_t)TVM_CS64 << 16 | 0x8e00ull << 32;
	p[1] = 0;
}

static void split_guest(struct tvm *t)
{
	tvm_open(t);
	tvm_mem(t, 2 << 20);
	REQUIRE_OK(split(t, 24, 0));
	tvm_vcpu(t);
	GUEST_START(t, LONG, g);
	gate(t, 0x31, g_31);
	gate(t, 0x33, g_33);
	RUN_TO_OUT(t, 0x11);
}

static void set_msi_routes(struct tvm *t, const struct kvm_irq_routing_msi *msi, uint32_t n)
{
	struct kvm_irq_routing *r = calloc(1, sizeof(*r) + n * sizeof(r->entries[0]));

	r->nr = n;
	for (uint32_t i = 0; i < n; i++) {
		r->entries[i].gsi = i;
		r->entries[i].type = KVM_IRQ_ROUTING_MSI;
		r->entries[i].u.msi = msi[i];
	}
	CHECK_OK(ioctl(t->vm, KVM_SET_GSI_ROUTING, r));
	free(r);
}

/* What QEMU installs at its start: 24 messages of address and data 0. */
static void empty_routes(void)
{
	static const struct kvm_irq_routing_msi none[24];
	struct tvm t;

	split_guest(&t);
	set_msi_routes(&t, none, 24);
	tvm_close(&t);
}

/*
 * A level-triggered route of one of the reserved pins: the guest's EOI is told to the VMM, with the
 * vector.
 */
static void eoi_exit(void)
{
	struct kvm_irq_routing_msi m[2] = {
		{ .address_lo = 0xfee00000, .data = 0 },
		{ .address_lo = 0xfee00000, .data = 0x31 | 1 << 15 | 1 << 14 },
	};
	struct kvm_irq_level l = { .irq = 1, .level = 1 };
	struct tvm t;

	split_guest(&t);
	set_msi_routes(&t, m, 2);
	CHECK_OK(ioctl(t.vm, KVM_IRQ_LINE, &l));
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x31);
	if (RUN_TO(&t, KVM_EXIT_IOAPIC_EOI))
		CHECK_EQ(t.run->eoi.vector, 0x31);
	RUN_TO_OUT(&t, 0x12);
	/* An edge-triggered one tells nothing. */
	m[1].data = 0x31;
	set_msi_routes(&t, m, 2);
	CHECK_OK(ioctl(t.vm, KVM_IRQ_LINE, &l));
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x31);
	RUN_TO_OUT(&t, 0x12);
	tvm_close(&t);
}

static void level_msi(struct tvm *t, uint8_t vector)
{
	struct kvm_msi m = { .address_lo = 0xfee00000, .data = vector | 1 << 15 | 1 << 14 };

	CHECK_EQ(ioctl(t->vm, KVM_SIGNAL_MSI, &m), 1);
}

/* A level-triggered interrupt that is no pin's: its EOI is nobody's business. */
static void eoi_of_others(void)
{
	struct kvm_irq_routing_msi m[25] = {
		[1] = { .address_lo = 0xfee00000, .data = 0x32 | 1 << 15 | 1 << 14 },
		[2] = { .address_lo = 0xfee00000, .data = 0x31 },
		/* beyond the 24 that are reserved */
		[24] = { .address_lo = 0xfee00000, .data = 0x31 | 1 << 15 | 1 << 14 },
	};
	struct kvm_irq_level l = { .irq = 24, .level = 1 };
	struct tvm t;

	split_guest(&t);
	set_msi_routes(&t, m, 25);
	level_msi(&t, 0x31);
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x31);
	RUN_TO_OUT(&t, 0x12);
	CHECK_OK(ioctl(t.vm, KVM_IRQ_LINE, &l));
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x31);
	RUN_TO_OUT(&t, 0x12);
	tvm_close(&t);
}

/* The pin gets another vector while an interrupt by the old one is in service. */
static void eoi_after_change(void)
{
	struct kvm_irq_routing_msi m[2] = {
		[1] = { .address_lo = 0xfee00000, .data = 0x31 | 1 << 15 | 1 << 14 },
	};
	struct kvm_irq_level l = { .irq = 1, .level = 1 };
	struct tvm t;

	split_guest(&t);
	set_msi_routes(&t, m, 2);
	CHECK_OK(ioctl(t.vm, KVM_IRQ_LINE, &l));
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x31);
	m[1].data = 0x34 | 1 << 15 | 1 << 14;
	set_msi_routes(&t, m, 2);
	if (RUN_TO(&t, KVM_EXIT_IOAPIC_EOI)) {
		CHECK_EQ(t.run->eoi.vector, 0x31);
		RUN_TO_OUT(&t, 0x12);
	}
	tvm_close(&t);
}

/* ExtINT: the PIC's interrupts come through KVM_INTERRUPT. */
static void ext_int(void)
{
	struct kvm_interrupt i = { .irq = 0x33 };
	struct tvm t;

	split_guest(&t);
	t.run->request_interrupt_window = 1;
	RUN_TO(&t, KVM_EXIT_IRQ_WINDOW_OPEN);
	CHECK_EQ(t.run->ready_for_interrupt_injection, 1);
	CHECK_OK(ioctl(t.fd, KVM_INTERRUPT, &i));
	t.run->request_interrupt_window = 0;
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x33);
	tvm_close(&t);
}

TEST_MAIN(T(errors), T(empty_routes), T(eoi_exit), T(eoi_of_others),
	  T(eoi_after_change), T(ext_int))
