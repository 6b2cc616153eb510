// SPDX-License-Identifier: GPL-2.0
/* The interrupt controllers: creation order, state, lines, routes, messages. */
#include "kvmtest.h"

static void creation_order(void)
{
	struct kvm_irqchip chip = { 0 };
	struct kvm_irq_level line = { .irq = 1, .level = 1 };
	struct kvm_msi msi = { .address_lo = 0xfee00000, .data = 0x31 };
	struct tvm t;

	tvm_open(&t);
	CHECK_ERR(ioctl(t.vm, KVM_GET_IRQCHIP, &chip), ENXIO);
	CHECK_ERR(ioctl(t.vm, KVM_SET_IRQCHIP, &chip), ENXIO);
	CHECK_ERR(ioctl(t.vm, KVM_IRQ_LINE, &line), ENXIO);
	CHECK_ERR(ioctl(t.vm, KVM_IRQ_LINE_STATUS, &line), ENXIO);
	CHECK_ERR(ioctl(t.vm, KVM_SIGNAL_MSI, &msi), EINVAL);
	CHECK_OK(ioctl(t.vm, KVM_CREATE_IRQCHIP, 0));
	CHECK_ERR(ioctl(t.vm, KVM_CREATE_IRQCHIP, 0), EEXIST);
	CHECK_OK(ioctl(t.vm, KVM_GET_IRQCHIP, &chip));
	CHECK_OK(ioctl(t.vm, KVM_IRQ_LINE, &line));
	tvm_close(&t);

	/* Not after the first vCPU. */
	tvm_open(&t);
	tvm_vcpu(&t);
	CHECK_ERR(ioctl(t.vm, KVM_CREATE_IRQCHIP, 0), EINVAL);
	tvm_close(&t);
}

static void state_errors(void)
{
	struct kvm_irqchip chip = { .chip_id = 3 };
	struct tvm t;

	vm_new_irqchip(&t);
	CHECK_ERR(ioctl(t.vm, KVM_GET_IRQCHIP, &chip), EINVAL);
	CHECK_ERR(ioctl(t.vm, KVM_SET_IRQCHIP, &chip), EINVAL);
	CHECK_ERR(ioctl(t.vm, KVM_GET_IRQCHIP, NULL), EFAULT);
	CHECK_ERR(ioctl(t.vm, KVM_SET_IRQCHIP, NULL), EFAULT);
	tvm_close(&t);
}

static void reset_state(void)
{
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_IOAPIC };
	struct tvm t;

	vm_new_irqchip(&t);
	CHECK_OK(ioctl(t.vm, KVM_GET_IRQCHIP, &chip));
	CHECK_EQ(chip.chip.ioapic.base_address, 0xfec00000);
	for (int i = 0; i < KVM_IOAPIC_NUM_PINS; i++)
		CHECK_EQ(chip.chip.ioapic.redirtbl[i].bits, 1 << 16);
	CHECK_EQ(chip.chip.ioapic.irr, 0);
	tvm_close(&t);
}

static void pic_round_trip(void)
{
	struct kvm_irqchip in, out;
	struct tvm t;

	vm_new_irqchip(&t);
	for (int id = KVM_IRQCHIP_PIC_MASTER; id <= KVM_IRQCHIP_PIC_SLAVE; id++) {
		memset(&in, 0, sizeof(in));
		memset(&out, 0, sizeof(out));
		in.chip_id = out.chip_id = id;
		in.chip.pic.irq_base = 0x20 + 8 * id;
		in.chip.pic.imr = 0xa5;
		in.chip.pic.elcr = id ? 0x0e : 0x20;
		in.chip.pic.elcr_mask = id ? 0xde : 0xf8;
		in.chip.pic.isr = 4;
		in.chip.pic.priority_add = 3;
		in.chip.pic.auto_eoi = 1;
		in.chip.pic.init4 = 1;
		CHECK_OK(ioctl(t.vm, KVM_SET_IRQCHIP, &in));
		CHECK_OK(ioctl(t.vm, KVM_GET_IRQCHIP, &out));
		CHECK(!memcmp(&in.chip.pic, &out.chip.pic, sizeof(in.chip.pic)));
	}
	tvm_close(&t);
}

static void ioapic_round_trip(void)
{
	struct kvm_irqchip in = { .chip_id = KVM_IRQCHIP_IOAPIC }, out = in;
	struct tvm t;

	vm_new_irqchip(&t);
	in.chip.ioapic.base_address = 0xfec00000;
	in.chip.ioapic.id = 3;
	in.chip.ioapic.ioregsel = 0x10;
	for (int i = 0; i < KVM_IOAPIC_NUM_PINS; i++)
		in.chip.ioapic.redirtbl[i].bits = (0x30ull + i) | 1 << 16 | (uint64_t)i << 56;
	CHECK_OK(ioctl(t.vm, KVM_SET_IRQCHIP, &in));
	CHECK_OK(ioctl(t.vm, KVM_GET_IRQCHIP, &out));
	CHECK(!memcmp(&in.chip.ioapic, &out.chip.ioapic, sizeof(in.chip.ioapic)));
	tvm_close(&t);
}

/*
 * Interrupt handlers that show their vector on port 0x10 and end the interrupt at the PIC, in real
 * mode.
 */
GUEST(g_pic, 16,
      /* both PICs: vectors 0x20 and 0x28, all open */
      "mov $0x11, %al; out %al, $0x20; out %al, $0xa0; mov $0x20, %al; out %al, $0x21;"
      "mov $0x28, %al; out %al, $0xa1;"
      "mov $4, %al; out %al, $0x21; mov $2, %al; out %al, $0xa1; mov $1, %al; out %al, $0x21;"
      "out %al, $0xa1;"
      "mov $0, %al; out %al, $0x21; out %al, $0xa1; out %al, $0x11;"
      "sti; 1: hlt; jmp 1b;"
      "g_pic_isr1: mov $0x21, %al; out %al, $0x10; mov $0x20, %al; out %al, $0x20; iret;"
      "g_pic_isr9: mov $0x29, %al; out %al, $0x10; mov $0x20, %al; out %al, $0xa0; out %al, $0x20;"
      "iret");

extern const uint8_t g_pic_isr1[], g_pic_isr9[];

static void pic_guest(struct tvm *t)
{
	vm_new_irqchip(t);
	GUEST_START(t, REAL, g_pic);
	*(uint16_t *)(t->mem + 4 * 0x21) = TVM_CODE + (g_pic_isr1 - g_pic);
	*(uint16_t *)(t->mem + 4 * 0x29) = TVM_CODE + (g_pic_isr9 - g_pic);
	RUN_TO_OUT(t, 0x11);
}

static void irq_line(struct tvm *t, int irq, int level)
{
	struct kvm_irq_level l = { .irq = irq, .level = level };

	CHECK_OK(ioctl(t->vm, KVM_IRQ_LINE, &l));
}

static int set_routes(struct tvm *t, const struct kvm_irq_routing_entry *e, uint32_t nr,
		      uint32_t flags)
{
	struct kvm_irq_routing *r = calloc(1, sizeof(*r) + nr * sizeof(*e));
	int ret, err;

	r->nr = nr;
	r->flags = flags;
	if (nr)
		memcpy(r->entries, e, nr * sizeof(*e));
	ret = ioctl(t->vm, KVM_SET_GSI_ROUTING, r);
	err = errno;
	free(r);
	errno = err;
	return ret;
}

static void pic_delivery(void)
{
	struct kvm_irq_routing_entry only_pic = {
		.gsi = 30, .type = KVM_IRQ_ROUTING_IRQCHIP,
		.u.irqchip = { .irqchip = KVM_IRQCHIP_PIC_MASTER, .pin = 1 },
	};
	struct kvm_irq_level l = { .irq = 30, .level = 1 };
	struct tvm t;

	pic_guest(&t);
	irq_line(&t, 1, 1);
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x21);
	irq_line(&t, 1, 0);
	irq_line(&t, 9, 1);
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x29);
	irq_line(&t, 9, 0);
	/* Both at once: the lower number first. */
	irq_line(&t, 9, 1);
	irq_line(&t, 1, 1);
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x21);
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x29);
	irq_line(&t, 9, 0);
	irq_line(&t, 1, 0);
	/* A second edge before the first is taken is coalesced. */
	CHECK_OK(set_routes(&t, &only_pic, 1, 0));
	CHECK_OK(ioctl(t.vm, KVM_IRQ_LINE_STATUS, &l));
	CHECK(l.status > 0);
	l.level = 0;
	l.irq = 30;	/* the status took its place */
	CHECK_OK(ioctl(t.vm, KVM_IRQ_LINE_STATUS, &l));
	l.irq = 30;
	l.level = 1;
	CHECK_OK(ioctl(t.vm, KVM_IRQ_LINE_STATUS, &l));
	CHECK_EQ(l.status, 0);
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x21);
	tvm_close(&t);
}

/* Level-triggered by ELCR: comes again as long as the line is up. */
static void pic_level(void)
{
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_PIC_SLAVE };
	struct tvm t;

	pic_guest(&t);
	CHECK_OK(ioctl(t.vm, KVM_GET_IRQCHIP, &chip));
	chip.chip.pic.elcr = 2;
	CHECK_OK(ioctl(t.vm, KVM_SET_IRQCHIP, &chip));
	irq_line(&t, 9, 1);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x29);
	irq_line(&t, 9, 0);
	irq_line(&t, 1, 1);
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x21);
	tvm_close(&t);
}

static void routing_errors(void)
{
	struct kvm_irq_routing_entry good = {
		.gsi = 5, .type = KVM_IRQ_ROUTING_IRQCHIP,
		.u.irqchip = { .irqchip = KVM_IRQCHIP_IOAPIC, .pin = 5 },
	}, e;
	struct kvm_irq_routing big = { 0 };
	struct tvm t;

	tvm_open(&t);
	CHECK_ERR(set_routes(&t, &good, 1, 0), EINVAL);
	tvm_close(&t);

	vm_new_irqchip(&t);
	CHECK_OK(set_routes(&t, &good, 1, 0));
	CHECK_OK(set_routes(&t, NULL, 0, 0));
	CHECK_ERR(set_routes(&t, &good, 1, 1), EINVAL);
	big.nr = has_cap(t.sys, KVM_CAP_IRQ_ROUTING) + 1;
	CHECK_ERR(ioctl(t.vm, KVM_SET_GSI_ROUTING, &big), EINVAL);

#define BAD(change) \
	do { \
		e = good; \
		e.change; \
		CHECK_ERR(set_routes(&t, &e, 1, 0), EINVAL); \
	} while (0)
	BAD(gsi = has_cap(t.sys, KVM_CAP_IRQ_ROUTING));
	BAD(type = 0);
	BAD(type = 99);
	BAD(flags = 1);
	BAD(u.irqchip.irqchip = 3);
	BAD(u.irqchip.pin = KVM_IOAPIC_NUM_PINS);
#undef BAD
	/*
	 * A GSI with two routes of one chip is refused; to both kinds of chips it is what a PC has.
	 */
	CHECK_ERR(set_routes(&t, (struct kvm_irq_routing_entry[]) { good, good }, 2, 0), EINVAL);
	e = good;
	e.u.irqchip.irqchip = KVM_IRQCHIP_PIC_MASTER;
	CHECK_OK(set_routes(&t, (struct kvm_irq_routing_entry[]) { good, e }, 2, 0));
	e.type = KVM_IRQ_ROUTING_MSI;
	CHECK_ERR(set_routes(&t, (struct kvm_irq_routing_entry[]) { good, e }, 2, 0), EINVAL);
	tvm_close(&t);
}

/* A failed change leaves the routes as they were. */
static void routing_is_atomic(void)
{
	struct kvm_irq_routing_entry r[2] = {
		{ .gsi = 30, .type = KVM_IRQ_ROUTING_IRQCHIP,
			.u.irqchip = { .irqchip = KVM_IRQCHIP_PIC_MASTER, .pin = 1 } },
		{ .gsi = 31, .type = 99 },
	};
	struct tvm t;

	pic_guest(&t);
	CHECK_OK(set_routes(&t, r, 1, 0));
	r[0].gsi = 40;
	CHECK_ERR(set_routes(&t, r, 2, 0), EINVAL);
	irq_line(&t, 30, 1);
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x21);
	tvm_close(&t);
}

/* Enables the local APIC and shows the vector 0x31 on port 0x10. */
GUEST(g_apic, 64,
      "mov $0xff, %al; out %al, $0x21; out %al, $0xa1; mov $0xfee000f0, %eax; movl $0x1ff, (%rax);"
      "lea " AT(g_apic, g_apic_idt) ", %rax; lidt (%rax); sti; out %al, $0x11; 1: hlt; jmp 1b;"
      "g_apic_isr: mov $0x31, %al; out %al, $0x10; mov $0xfee000b0, %eax; movl $0, (%rax); iretq;"
      "g_apic_idt: .word 0xfff; .quad 0xe000");

extern const uint8_t g_apic_isr[];

static void apic_guest(struct tvm *t)
{
	vm_new_irqchip(t);
	GUEST_START(t, LONG, g_apic);
	tvm_gate(t, 0x31, TVM_CODE + (g_apic_isr - g_apic));
	RUN_TO_OUT(t, 0x11);
}

static void signal_msi(void)
{
	struct kvm_msi msi = { .address_lo = 0xfee00000, .data = 0x31 };
	struct tvm t;

	apic_guest(&t);
	CHECK_EQ(ioctl(t.vm, KVM_SIGNAL_MSI, &msi), 1);
	/* Pending already: one interrupt comes of both. */
	CHECK(ioctl(t.vm, KVM_SIGNAL_MSI, &msi) >= 0);
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x31);
	msi.flags = 1 << 5;
	CHECK_ERR(ioctl(t.vm, KVM_SIGNAL_MSI, &msi), EINVAL);
	/* To nobody. */
	msi.flags = 0;
	msi.address_lo = 0xfee00000 | 9 << 12;
	CHECK(ioctl(t.vm, KVM_SIGNAL_MSI, &msi) <= 0);
	tvm_close(&t);
}

static void msi_route(void)
{
	struct kvm_irq_routing_entry r = {
		.gsi = 50, .type = KVM_IRQ_ROUTING_MSI,
		.u.msi = { .address_lo = 0xfee00000, .data = 0x31 },
	};
	struct tvm t;

	apic_guest(&t);
	CHECK_OK(set_routes(&t, &r, 1, 0));
	irq_line(&t, 50, 1);
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x31);
	/* Level 0 sends nothing. */
	irq_line(&t, 50, 0);
	irq_line(&t, 50, 1);
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x31);
	tvm_close(&t);
}

static void set_pin(struct tvm *t, int pin, uint64_t bits)
{
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_IOAPIC };

	CHECK_OK(ioctl(t->vm, KVM_GET_IRQCHIP, &chip));
	chip.chip.ioapic.redirtbl[pin].bits = bits;
	CHECK_OK(ioctl(t->vm, KVM_SET_IRQCHIP, &chip));
}

static void ioapic_delivery(void)
{
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_IOAPIC };
	struct tvm t;

	apic_guest(&t);
	/* Edge. */
	set_pin(&t, 4, 0x31);
	irq_line(&t, 4, 1);
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x31);
	irq_line(&t, 4, 0);
	/* Level: once for each EOI while the line is up; the remote IRR stands until the EOI. */
	set_pin(&t, 20, 0x31 | 1 << 15);
	irq_line(&t, 20, 1);
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x31);
	CHECK_OK(ioctl(t.vm, KVM_GET_IRQCHIP, &chip));
	CHECK_EQ(chip.chip.ioapic.redirtbl[20].bits >> 14 & 1, 1);
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x31);
	irq_line(&t, 20, 0);
	/* Active low is another way to write the same: a line that is up is active. */
	CHECK_EQ(has_cap(t.sys, KVM_CAP_IOAPIC_POLARITY_IGNORED), 1);
	set_pin(&t, 21, 0x31 | 1 << 15 | 1 << 13);
	irq_line(&t, 21, 1);
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x31);
	irq_line(&t, 21, 0);
	set_pin(&t, 7, 0x31 | 1 << 13);
	irq_line(&t, 7, 1);
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x31);
	irq_line(&t, 7, 0);
	/* A masked pin says nothing; edge 5 does. */
	set_pin(&t, 6, 0x31 | 1 << 16);
	irq_line(&t, 6, 1);
	set_pin(&t, 5, 0x31);
	irq_line(&t, 5, 1);
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x31);
	tvm_close(&t);
}

/* Without SET_GSI_ROUTING the lines 0-23 lead to the I/O APIC, 0-15 to the PICs as well. */
static void default_routes(void)
{
	struct tvm t;

	apic_guest(&t);
	set_pin(&t, 23, 0x31);
	irq_line(&t, 23, 1);
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x31);
	tvm_close(&t);
}

static void line_errors(void)
{
	struct kvm_irq_level l = { .irq = 100000, .level = 1 };
	struct tvm t;

	vm_new_irqchip(&t);
	CHECK_ERR(ioctl(t.vm, KVM_IRQ_LINE, NULL), EFAULT);
	/* A line without a route goes nowhere, which is no error. */
	CHECK_OK(ioctl(t.vm, KVM_IRQ_LINE, &l));
	CHECK_OK(ioctl(t.vm, KVM_IRQ_LINE_STATUS, &l));
	CHECK_EQ((uint32_t)l.status, -1u);
	tvm_close(&t);
}

TEST_MAIN(T(creation_order), T(state_errors), T(reset_state), T(pic_round_trip),
	  T(ioapic_round_trip), T(pic_delivery),
	  T(pic_level), T(routing_errors), T(routing_is_atomic), T(signal_msi), T(msi_route),
	  T(ioapic_delivery),
	  T(default_routes), T(line_errors))
