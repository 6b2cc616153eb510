// SPDX-License-Identifier: GPL-2.0
/*
 * When interrupts and NMIs arrive: shadows of STI and MOV SS, masking of NMIs until IRET, the task
 * priority in CR8, waking from HLT; and deliveries that fault on the way.
 */
#include "guest.h"

GUEST_HEADER(HEADER_CPUS(1) | HEADER_IRQCHIP);

#define VECTOR	0x51
#define LINE	20
#define RSP0	(STACKS + 0xe000)

static volatile int count[256];
static struct frame seen;

/* In the NMI handler: how many more NMIs to ask for, and which page to drop before IRET. */
volatile int nmi_again, nmi_depth, nmi_nested;
volatile u32 nmi_drop;

void trap(struct frame *f)
{
	count[f->vector]++;
	seen = *f;
	if (f->vector == 2) {
		if (nmi_depth++)
			nmi_nested++;
		if (nmi_again) {
			nmi_again--;
			outl(PORT_NMI, 0);
			/* It must wait for the IRET. */
			for (int i = 0; i < 10; i++)
				inb(PORT_NOTHING);
		}
		nmi_depth--;
		if (nmi_drop)
			outl(nmi_drop == 1 ? PORT_DROP_ALL : PORT_DROP, nmi_drop);
		return;
	}
	if (f->vector == VECTOR)
		apic_eoi();
}

/* The vector comes once, at this place. */
static void expect(const char *what, int line, int vector, int times, u64 rip)
{
	if (count[vector] != times)
		fail(what, line, count[vector], times);
	if (times && rip && seen.rip != rip)
		fail(what, line, seen.rip, rip);
	count[vector] = 0;
}

#define EXPECT(what, vector, times, rip) expect(what, __LINE__, vector, times, (u64)(rip))

/* Edge-triggered pin of the I/O APIC to VECTOR. */
static void ioapic_pin(u32 pin, u32 lo)
{
	*(volatile u32 *)0xfec00000 = 0x10 + 2 * pin;
	*(volatile u32 *)0xfec00010 = lo;
}

static void raise_line(void)
{
	outl(PORT_LINE, LINE);
	outl(PORT_LINE, LINE | 1 << 8);
}

/*
 * With the line raised and interrupts off: the code turns them on; label is where it must be
 * interrupted.
 */
#define SHADOW(what, code, label) \
	do { \
		extern u8 label[]; \
		cli(); \
		raise_line(); \
		asm volatile(code "; nop; nop;" \
				  "cli" : : : "rax", "rbx", "rcx", "rdx", "memory", "cc"); \
		EXPECT(what, VECTOR, 1, label); \
	} while (0)

static void shadows(void)
{
	*(volatile u32 *)(ulong)DEVICE = 5;
	SHADOW("STI, NOP", "sti; nop; l_sti: nop", l_sti);
	SHADOW("STI, CPUID", "xor %%eax, %%eax; sti; cpuid; l_cpuid: nop", l_cpuid);
	SHADOW("STI, OUT", "sti; out %%al, $0xe8; l_out: nop", l_out);
	SHADOW("STI, MMIO", "mov $0x800000, %%ebx; sti; mov (%%rbx), %%eax; l_mmio: nop", l_mmio);
	SHADOW("POPF", "pushf; orl $0x200, (%%rsp); popf; l_popf: nop", l_popf);
	SHADOW("STI, STI, NOP", "sti; sti; l_stisti: nop", l_stisti);
	SHADOW("STI, HLT", "sti; hlt; l_hlt: nop", l_hlt);
	SHADOW("IRET", "mov %%rsp, %%rax; push $0x10; push %%rax; pushf; orl $0x200, (%%rsp);"
		       "push $0x18; push $l_iret;"
	       "iretq; l_iret: nop", l_iret);
	/* What is dropped from the tables must not end a shadow early, nor make it last. */
	SHADOW("STI, dropped", "out %%eax, $0xe1; sti; nop; l_drop: nop", l_drop);
	SHADOW("STI, RDMSR", "mov $0x1b, %%ecx; sti; rdmsr; l_rdmsr: nop", l_rdmsr);
	SHADOW("STI, WRMSR", "mov $0x174, %%ecx; rdmsr; sti; wrmsr; l_wrmsr: nop", l_wrmsr);
}

/* Interrupts off: nothing comes. */
static void masked(void)
{
	cli();
	raise_line();
	for (int i = 0; i < 20; i++)
		inb(PORT_NOTHING);
	EXPECT("IF=0", VECTOR, 0, 0);
	sti();
	EXPECT("IF=1", VECTOR, 1, 0);
	cli();
}

static void task_priority(void)
{
	extern u8 l_cr8[];

	asm volatile("mov %0, %%cr8" : : "r" (5ul));
	sti();
	raise_line();
	for (int i = 0; i < 20; i++)
		inb(PORT_NOTHING);
	EXPECT("TPR 5 stops vector 0x51", VECTOR, 0, 0);
	CHECK_EQ("TPR through the APIC", apic_read(0x80), 0x50);
	asm volatile("mov %0, %%cr8; l_cr8: nop; nop" : : "r" (4ul) : "memory");
	EXPECT("TPR 4 lets it in at once", VECTOR, 1, l_cr8);
	/* The other way round: written through the APIC, read in CR8. */
	apic_write(0x80, 0x70);
	{
		u64 cr8;

		asm volatile("mov %%cr8, %0" : "=r" (cr8));
		CHECK_EQ("CR8", cr8, 7);
	}
	raise_line();
	inb(PORT_NOTHING);
	EXPECT("TPR 0x70", VECTOR, 0, 0);
	apic_write(0x80, 0);
	inb(PORT_NOTHING);
	EXPECT("TPR 0", VECTOR, 1, 0);
	cli();
}

static void nmis(void)
{
	extern u8 l_nmi[];

	asm volatile("out %%eax, $0xe2; l_nmi: nop; nop" : : "a" (0) : "memory");
	EXPECT("NMI after OUT", 2, 1, l_nmi);
	/* Two more from within: one after the other, none inside of another. */
	nmi_again = 2;
	outl(PORT_NMI, 0);
	EXPECT("NMIs in a row", 2, 3, 0);
	CHECK_EQ("nested NMIs", nmi_nested, 0);
	/* IF=0 doesn't hold them. */
	cli();
	outl(PORT_NMI, 0);
	EXPECT("NMI with IF=0", 2, 1, 0);
}

/* Delivery and IRET fault in the nested tables: still one at a time, and not masked for ever. */
static void nmis_that_fault(void)
{
	static const u32 drops[] = { 1, 0xe000, 0x7000, 2 };
	u64 rsp;

	asm volatile("mov %%rsp, %0" : "=r" (rsp));
	for (u32 i = 0; i < ARRAY_SIZE(drops); i++) {
		u32 d = drops[i] == 2 ? (u32)rsp - 64 : drops[i];

		/* The request for the NMI comes first: the injection meets missing pages. */
		outl(PORT_NMI, 0);
		EXPECT("NMI", 2, 1, 0);
		nmi_drop = d;
		nmi_again = 1;
		outl(PORT_NMI, 0);
		EXPECT("NMI, IRET faults", 2, 2, 0);
		CHECK_EQ("nested NMIs", nmi_nested, 0);
		nmi_drop = 0;
		outl(PORT_NMI, 0);
		EXPECT("NMI after that", 2, 1, 0);
	}
}

/*
 * The NMI is pending when the page goes: two requests without an instruction between the exits that
 * matter.
 */
static void nmi_into_dropped_pages(void)
{
	static const struct {
		u16 port;
		u32 value;
	} c[] = { { PORT_DROP_ALL, 0 }, { PORT_DROP, 0xe000 }, { PORT_PROTECT, 0 } };

	for (u32 i = 0; i < ARRAY_SIZE(c); i++) {
		/*
		 * Held by the handler of the first, the second is delivered at its IRET with the
		 * pages gone.
		 */
		nmi_again = 1;
		nmi_drop = 0;
		asm volatile("out %%eax, %%dx; mov %2, %%edx; out %%eax, %%dx; nop"
			     : : "a" (c[i].value), "d" (c[i].port), "i" (PORT_NMI) : "memory");
		EXPECT("NMI into dropped pages", 2, 2, 0);
	}
}

/* External interrupts, too. */
static void irq_into_dropped_pages(void)
{
	static const struct {
		u16 port;
		u32 value;
	} c[] = { { PORT_DROP_ALL, 0 }, { PORT_DROP, 0xe000 }, { PORT_DROP, 0x7000 },
		{ PORT_PROTECT, 0 } };
	u64 rsp;

	asm volatile("mov %%rsp, %0" : "=r" (rsp));
	for (u32 i = 0; i < ARRAY_SIZE(c); i++) {
		cli();
		raise_line();
		outl(c[i].port, c[i].value);
		sti();
		EXPECT("interrupt into dropped pages", VECTOR, 1, 0);
	}
	cli();
	raise_line();
	outl(PORT_DROP, rsp - 64);
	sti();
	EXPECT("interrupt into a dropped stack", VECTOR, 1, 0);
	cli();
}

static void timer_wakes(void)
{
	apic_write(0x3e0, 0xb);
	apic_write(0x320, VECTOR);
	cli();
	for (int i = 0; i < 3; i++) {
		apic_write(0x380, 2000000);
		asm volatile("sti; hlt; cli" ::: "memory");
		EXPECT("timer wakes HLT", VECTOR, 1, 0);
	}
	apic_write(0x320, 1 << 16);
}

void guest_main(int cpu)
{
	(void)cpu;
	idt_setup(RSP0);
	apic_on();
	ioapic_pin(LINE, VECTOR);
	masked();
	shadows();
	task_priority();
	nmis();
	nmis_that_fault();
	nmi_into_dropped_pages();
	irq_into_dropped_pages();
	timer_wakes();
	done();
}
