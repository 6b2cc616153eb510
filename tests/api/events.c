// SPDX-License-Identifier: GPL-2.0
/*
 * Events: KVM_INTERRUPT, KVM_NMI, the interrupt window, KVM_GET/SET_VCPU_EVENTS, exceptions with
 * payload.
 */
#include "kvmtest.h"

static struct kvm_vcpu_events get_events(struct tvm *t)
{
	struct kvm_vcpu_events e;

	memset(&e, 0, sizeof(e));
	TVM_IOCTL(t->fd, KVM_GET_VCPU_EVENTS, &e);
	return e;
}

static int set_events(struct tvm *t, struct kvm_vcpu_events e)
{
	return ioctl(t->fd, KVM_SET_VCPU_EVENTS, &e);
}

static int interrupt(struct tvm *t, uint32_t vector)
{
	struct kvm_interrupt i = { .irq = vector };

	return ioctl(t->fd, KVM_INTERRUPT, &i);
}

/* Real mode. Port 0x11: ready; vector 0x31 and NMI show themselves on port 0x10. */
GUEST(g_real, 16,
      "out %al, $0x11; sti; nop; 1: inc %bx; jmp 1b;"
      "g_real_31: mov $0x31, %al; out %al, $0x10; iret; g_real_nmi: mov $2, %al; out %al, $0x10;"
      "iret;"
      "g_real_6: mov $6, %al; out %al, $0x10; hlt");

extern const uint8_t g_real_31[], g_real_nmi[], g_real_6[];

static void start_real(struct tvm *t)
{
	GUEST_START(t, REAL, g_real);
	*(uint16_t *)(t->mem + 4 * 0x31) = TVM_CODE + (g_real_31 - g_real);
	*(uint16_t *)(t->mem + 4 * 2) = TVM_CODE + (g_real_nmi - g_real);
	*(uint16_t *)(t->mem + 4 * 6) = TVM_CODE + (g_real_6 - g_real);
	RUN_TO_OUT(t, 0x11);
}

static void real_vm(struct tvm *t)
{
	vm_new(t);
	start_real(t);
}

static void interrupt_errors(void)
{
	struct tvm t;

	vm_new(&t);
	CHECK_ERR(interrupt(&t, 256), EINVAL);
	CHECK_ERR(interrupt(&t, -1), EINVAL);
	CHECK_ERR(ioctl(t.fd, KVM_INTERRUPT, NULL), EFAULT);
	CHECK_OK(interrupt(&t, 0x31));
	CHECK_EQ(get_sregs(&t).interrupt_bitmap[0], 1ull << 0x31);
	tvm_close(&t);
	/* With the PIC in the kernel it is not the VMM's to inject. */
	vm_new_irqchip(&t);
	CHECK_ERR(interrupt(&t, 0x31), ENXIO);
	tvm_close(&t);
}

static void interrupts(void)
{
	struct tvm t;

	real_vm(&t);
	/* Asked for while interrupts are off: the window opens after STI and its shadow. */
	t.run->request_interrupt_window = 1;
	RUN_TO(&t, KVM_EXIT_IRQ_WINDOW_OPEN);
	CHECK_EQ(t.run->ready_for_interrupt_injection, 1);
	CHECK_EQ(t.run->if_flag, 1);
	t.run->request_interrupt_window = 0;
	CHECK_OK(interrupt(&t, 0x31));
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x31);
	CHECK_EQ(t.run->if_flag, 0);
	CHECK_EQ(t.run->ready_for_interrupt_injection, 0);
	/* One more after IRET. */
	t.run->request_interrupt_window = 1;
	RUN_TO(&t, KVM_EXIT_IRQ_WINDOW_OPEN);
	t.run->request_interrupt_window = 0;
	CHECK_OK(interrupt(&t, 0x31));
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x31);
	tvm_close(&t);
}

/*
 * Injected with interrupts off it is delivered nevertheless: the VMM said so. What has to wait is
 * the VMM.
 */
static void window_is_shut_in_shadow(void)
{
	struct kvm_vcpu_events e;
	struct tvm t;

	real_vm(&t);
	t.run->request_interrupt_window = 1;
	e = get_events(&t);
	CHECK_EQ(e.interrupt.shadow, 0);
	RUN_TO(&t, KVM_EXIT_IRQ_WINDOW_OPEN);
	/* Not directly after STI, but one instruction later. */
	CHECK(get_regs(&t).rip >= TVM_CODE + 4);
	tvm_close(&t);
}

/* A shadow that the VMM sets: one instruction runs before anything can interrupt. */
GUEST(g_nops, 16, "nop; nop; nop; out %al, $0x12");

static void shadow_is_set(void)
{
	struct kvm_regs r;
	struct kvm_vcpu_events e;
	struct tvm t;

	vm_new(&t);
	CHECK_EQ(has_cap(t.sys, KVM_CAP_INTR_SHADOW), 1);
	for (int shadow = 0; shadow < 2; shadow++) {
		GUEST_START(&t, REAL, g_nops);
		r = get_regs(&t);
		r.rflags |= 0x200;
		TVM_IOCTL(t.fd, KVM_SET_REGS, &r);
		e = get_events(&t);
		CHECK_EQ(e.interrupt.shadow, 0);
		e.interrupt.shadow = shadow ? KVM_X86_SHADOW_INT_STI : 0;
		e.flags = KVM_VCPUEVENT_VALID_SHADOW;
		CHECK_OK(set_events(&t, e));
		CHECK_EQ(!!get_events(&t).interrupt.shadow, shadow);
		t.run->request_interrupt_window = 1;
		RUN_TO(&t, KVM_EXIT_IRQ_WINDOW_OPEN);
		CHECK_EQ(get_regs(&t).rip, TVM_CODE + shadow);
		CHECK_EQ(get_events(&t).interrupt.shadow, 0);
		t.run->request_interrupt_window = 0;
		RUN_TO_OUT(&t, 0x12);
	}
	tvm_close(&t);
}

static void nmi(void)
{
	struct kvm_vcpu_events e;
	struct tvm t;

	real_vm(&t);
	CHECK_OK(ioctl(t.fd, KVM_NMI, 0));
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 2);
	e = get_events(&t);
	CHECK_EQ(e.nmi.masked, 1);
	CHECK_EQ(e.nmi.pending, 0);
	/* Masked until IRET; then the next one. */
	CHECK_OK(ioctl(t.fd, KVM_NMI, 0));
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 2);
	CHECK(get_regs(&t).rsp == TVM_STACK - 6);
	tvm_close(&t);
}

/* The PIC's interrupt 1 is vector 0x31, and it comes. */
static void raise_irq1(struct tvm *t)
{
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_PIC_MASTER };
	struct kvm_irq_level irq = { .irq = 1, .level = 1 };

	CHECK_OK(ioctl(t->vm, KVM_GET_IRQCHIP, &chip));
	chip.chip.pic.irq_base = 0x30;
	chip.chip.pic.imr = 0;
	CHECK_OK(ioctl(t->vm, KVM_SET_IRQCHIP, &chip));
	CHECK_OK(ioctl(t->vm, KVM_IRQ_LINE, &irq));
}

/* KVM_GUESTDBG_BLOCKIRQ: what waits does so until the debugger lets it come. */
static void debugger_blocks_interrupts(void)
{
	struct kvm_guest_debug d = {
		.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP | KVM_GUESTDBG_BLOCKIRQ,
	};
	uint64_t rip = 0;
	struct tvm t;

	vm_new_irqchip(&t);
	start_real(&t);
	CHECK_OK(ioctl(t.fd, KVM_SET_GUEST_DEBUG, &d));
	raise_irq1(&t);
	CHECK_OK(ioctl(t.fd, KVM_NMI, 0));
	/* OUT, STI, its shadow, and one more */
	for (int i = 0; i < 4 && rip < TVM_CODE + 5; i++) {
		if (!RUN_TO(&t, KVM_EXIT_DEBUG))
			return;
		CHECK_EQ(get_regs(&t).rip, t.run->debug.arch.pc);
		rip = get_regs(&t).rip;
	}
	CHECK_EQ(rip, TVM_CODE + 5);
	d.control = 0;
	CHECK_OK(ioctl(t.fd, KVM_SET_GUEST_DEBUG, &d));
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 2);
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x31);
	tvm_close(&t);
}

static void events_round_trip(void)
{
	struct kvm_vcpu_events e, in;
	struct tvm t;

	vm_new_irqchip(&t);
	e = get_events(&t);
	CHECK_EQ(e.exception.injected | e.interrupt.injected | e.nmi.injected, 0);
	CHECK_EQ(e.nmi.pending | e.nmi.masked, 0);
	CHECK(e.flags & KVM_VCPUEVENT_VALID_SHADOW);
	in = e;
	in.flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW |
		   KVM_VCPUEVENT_VALID_SIPI_VECTOR;
	in.nmi.masked = 1;
	in.nmi.pending = 1;
	in.interrupt.injected = 1;
	in.interrupt.nr = 0x45;
	in.interrupt.shadow = KVM_X86_SHADOW_INT_STI;
	in.sipi_vector = 0x9a;
	CHECK_OK(set_events(&t, in));
	e = get_events(&t);
	CHECK_EQ(e.nmi.masked, 1);
	CHECK_EQ(e.nmi.pending, 1);
	CHECK_EQ(e.interrupt.injected, 1);
	CHECK_EQ(e.interrupt.nr, 0x45);
	CHECK(e.interrupt.shadow);
	tvm_close(&t);
}

static void events_errors(void)
{
	struct kvm_vcpu_events good, e;
	struct tvm t;

	vm_new(&t);
	good = get_events(&t);
	e = good;
	e.flags = 1u << 20;
	CHECK_ERR(set_events(&t, e), EINVAL);
	e = good;
	e.exception.injected = 1;
	e.exception.nr = 32;
	CHECK_ERR(set_events(&t, e), EINVAL);
	e.exception.nr = 2;	/* NMI is no exception */
	CHECK_ERR(set_events(&t, e), EINVAL);
	/* Payload without the capability. */
	e = good;
	e.flags = KVM_VCPUEVENT_VALID_PAYLOAD;
	CHECK_ERR(set_events(&t, e), EINVAL);
	CHECK_ERR(ioctl(t.fd, KVM_SET_VCPU_EVENTS, NULL), EFAULT);
	CHECK_ERR(ioctl(t.fd, KVM_GET_VCPU_EVENTS, NULL), EFAULT);
	CHECK_EQ(get_events(&t).exception.injected, 0);
	tvm_close(&t);
}

static void exception_injected(void)
{
	struct tvm t;

	real_vm(&t);
	/* Complete the OUT first. */
	t.run->immediate_exit = 1;
	tvm_run(&t);
	t.run->immediate_exit = 0;
	exception_in_flight(&t, 6);
	CHECK_EQ(get_events(&t).exception.injected, 1);
	CHECK_EQ(get_events(&t).exception.nr, 6);
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 6);
	CHECK_EQ(get_events(&t).exception.injected, 0);
	tvm_close(&t);
}

/* A page fault given with its address as payload: CR2 changes when it is delivered. */
GUEST(g_pf, 64,
      "lea " AT(g_pf, g_pf_idt) ", %rax; lidt (%rax); out %al, $0x11; 1: jmp 1b;"
      "g_pf_14: pop %rbx; mov %cr2, %rax; out %eax, $0x10; hlt; g_pf_idt: .word 0xfff;"
      ".quad 0xe000");

extern const uint8_t g_pf_14[];

static void exception_payload(void)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_EXCEPTION_PAYLOAD, .args = { 1 } };
	struct kvm_vcpu_events e;
	struct tvm t;

	vm_new(&t);
	if (!has_cap(t.sys, KVM_CAP_EXCEPTION_PAYLOAD))
		return;
	CHECK_OK(ioctl(t.vm, KVM_ENABLE_CAP, &cap));
	GUEST_START(&t, LONG, g_pf);
	tvm_gate(&t, 14, TVM_CODE + (g_pf_14 - g_pf));
	RUN_TO_OUT(&t, 0x11);
	t.run->immediate_exit = 1;
	tvm_run(&t);
	t.run->immediate_exit = 0;
	e = get_events(&t);
	CHECK(e.flags & KVM_VCPUEVENT_VALID_PAYLOAD);
	e.exception.pending = 1;
	e.exception.injected = 0;
	e.exception.nr = 14;
	e.exception.has_error_code = 1;
	e.exception.error_code = 6;
	e.exception_has_payload = 1;
	e.exception_payload = 0x12345000;
	CHECK_OK(set_events(&t, e));
	e = get_events(&t);
	CHECK_EQ(e.exception.pending, 1);
	CHECK_EQ(e.exception_has_payload, 1);
	CHECK_EQ(e.exception_payload, 0x12345000);
	CHECK_EQ(get_sregs(&t).cr2, 0);
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x12345000);
	CHECK_EQ(get_regs(&t).rbx, 6);
	tvm_close(&t);
}

/*
 * A delivery that raised an exception: the exception comes first, and what was
 * being delivered is not lost. Each handler shows itself and what it interrupted.
 */
GUEST(g_two, 64,
      "lea " AT(g_two, g_two_idt) ", %rax; lidt (%rax); mov $1, %al; out %al, $0x11; sti; nop;"
      "out %al, $0x11; 1: jmp 1b; g_two_ud: mov $6, %al; out %al, $0x10; out %al, $0x12; iretq;"
      "g_two_31: mov $0x31, %al; out %al, $0x10; iretq;"
      "g_two_nmi: mov $2, %al; out %al, $0x10; iretq;"
      "g_two_idt: .word 0xfff; .quad 0xe000");

extern const uint8_t g_two_ud[], g_two_31[], g_two_nmi[];

static void two_vm(struct tvm *t)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_EXCEPTION_PAYLOAD, .args = { 1 } };

	vm_new(t);
	REQUIRE_OK(ioctl(t->vm, KVM_ENABLE_CAP, &cap));
	GUEST_START(t, LONG, g_two);
	tvm_gate(t, 6, TVM_CODE + (g_two_ud - g_two));
	tvm_gate(t, 0x31, TVM_CODE + (g_two_31 - g_two));
	tvm_gate(t, 2, TVM_CODE + (g_two_nmi - g_two));
	RUN_TO_OUT(t, 0x11);
	RUN_TO_OUT(t, 0x11);
	t->run->immediate_exit = 1;
	tvm_run(t);
	t->run->immediate_exit = 0;
}

/* Pages of guest memory go away, so that each step of the deliveries exits. */
static void drop_pages(struct tvm *t)
{
	CHECK_OK(madvise(t->mem, t->size, MADV_DONTNEED));
}

static void two_events(struct tvm *t, bool nmi, bool drop)
{
	struct kvm_vcpu_events e;

	two_vm(t);
	e = get_events(t);
	e.exception.pending = 1;
	e.exception.nr = 6;
	e.nmi.injected = nmi;
	e.nmi.masked = nmi;
	e.interrupt.injected = !nmi;
	e.interrupt.nr = 0x31;
	CHECK_OK(set_events(t, e));
	if (drop)
		drop_pages(t);
}

static void interrupt_raised_exception(void)
{
	struct tvm t;

	for (int i = 0; i < 4; i++) {
		bool drop = i & 1, restore = i & 2;

		two_events(&t, false, drop);
		CHECK_EQ(RUN_TO_OUT(&t, 0x10), 6);
		/* still wanted, and seen by who saves the vCPU now */
		CHECK_EQ(get_events(&t).interrupt.injected, 1);
		CHECK_EQ(get_events(&t).interrupt.nr, 0x31);
		if (restore)
			CHECK_OK(set_events(&t, get_events(&t)));
		if (drop)
			drop_pages(&t);
		/* not before the handler takes interrupts again */
		CHECK_EQ(RUN_TO_OUT(&t, 0x12), 6);
		CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x31);
		CHECK_EQ(get_events(&t).interrupt.injected, 0);
		tvm_close(&t);
	}
}

/* The gate lies where no memory is: no instruction is to blame, and the event is not lost. */
static void delivery_needs_memory(void)
{
	struct kvm_vcpu_events e;
	struct kvm_sregs sregs;
	struct tvm t;

	two_vm(&t);
	sregs = get_sregs(&t);
	sregs.idt.base = t.size;
	TVM_IOCTL(t.fd, KVM_SET_SREGS, &sregs);
	e = get_events(&t);
	e.interrupt.injected = 1;
	e.interrupt.nr = 0x31;
	CHECK_OK(set_events(&t, e));
	if (RUN_TO(&t, KVM_EXIT_INTERNAL_ERROR))
		CHECK_EQ(t.run->internal.suberror, KVM_INTERNAL_ERROR_DELIVERY_EV);
	CHECK_EQ(get_events(&t).interrupt.injected, 1);
	sregs.idt.base = 0xe000;
	TVM_IOCTL(t.fd, KVM_SET_SREGS, &sregs);
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x31);
	tvm_close(&t);
}

/* No exception's handler holds an NMI off: it comes at once after the first is entered. */
static void nmi_raised_exception(void)
{
	struct kvm_vcpu_events e;
	struct tvm t;

	for (int drop = 0; drop < 2; drop++) {
		two_events(&t, true, drop);
		CHECK_EQ(RUN_TO_OUT(&t, 0x10), 2);
		e = get_events(&t);
		CHECK_EQ(e.nmi.masked, 1);
		CHECK_EQ(e.nmi.injected | e.nmi.pending | e.exception.injected, 0);
		/* back in the handler that it interrupted, with the flags of its own frame as they were */
		CHECK_EQ(RUN_TO_OUT(&t, 0x10), 6);
		CHECK_EQ(*(uint64_t *)(t.mem + get_regs(&t).rsp + 16) & 0x100, 0);
		CHECK_EQ(RUN_TO_OUT(&t, 0x12), 6);
		CHECK_EQ(get_events(&t).nmi.masked, 0);
		tvm_close(&t);
	}
}

static void triple_fault_event(void)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_X86_TRIPLE_FAULT_EVENT, .args = { 1 } };
	struct kvm_vcpu_events e;
	struct tvm t;

	real_vm(&t);
	if (!has_cap(t.sys, KVM_CAP_X86_TRIPLE_FAULT_EVENT))
		return;
	e = get_events(&t);
	e.flags = KVM_VCPUEVENT_VALID_TRIPLE_FAULT;
	e.triple_fault.pending = 1;
	CHECK_ERR(set_events(&t, e), EINVAL);
	CHECK_OK(ioctl(t.vm, KVM_ENABLE_CAP, &cap));
	CHECK_OK(set_events(&t, e));
	e = get_events(&t);
	CHECK(e.flags & KVM_VCPUEVENT_VALID_TRIPLE_FAULT);
	CHECK_EQ(e.triple_fault.pending, 1);
	RUN_TO(&t, KVM_EXIT_SHUTDOWN);
	tvm_close(&t);
}

static void mce(void)
{
	uint64_t cap = 0;
	struct kvm_x86_mce m = { .status = 1ull << 63, .bank = 200 };
	struct tvm t;

	vm_new(&t);
	CHECK_OK(ioctl(t.sys, KVM_X86_GET_MCE_CAP_SUPPORTED, &cap));
	cap = (cap & ~0xffull) | 200;
	CHECK_ERR(ioctl(t.fd, KVM_X86_SETUP_MCE, &cap), EINVAL);
	cap = 1ull << 60 | 10;
	CHECK_ERR(ioctl(t.fd, KVM_X86_SETUP_MCE, &cap), EINVAL);
	cap = 1 << 8 | 10;
	CHECK_OK(ioctl(t.fd, KVM_X86_SETUP_MCE, &cap));
	CHECK_EQ(get_msr(&t, 0x179) & 0xff, 10);
	CHECK_ERR(ioctl(t.fd, KVM_X86_SET_MCE, &m), EINVAL);
	m.bank = 3;
	m.addr = 0x1234;
	CHECK_OK(ioctl(t.fd, KVM_X86_SET_MCE, &m));
	CHECK_EQ(get_msr(&t, 0x400 + 4 * 3 + 1), 1ull << 63);
	CHECK_EQ(get_msr(&t, 0x400 + 4 * 3 + 2), 0x1234);
	tvm_close(&t);
}

TEST_MAIN(T(interrupt_errors), T(interrupts), T(window_is_shut_in_shadow), T(shadow_is_set), T(nmi),
	  T(debugger_blocks_interrupts),
	  T(events_round_trip), T(events_errors),
	  T(exception_injected), T(exception_payload), T(interrupt_raised_exception),
	  T(delivery_needs_memory),
	  T(nmi_raised_exception), T(triple_fault_event), T(mce))
