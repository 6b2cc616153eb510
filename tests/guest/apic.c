// SPDX-License-Identifier: GPL-2.0
/*
 * The local APIC, the I/O APIC, PIC and PIT as a guest with three CPUs sees them: timers in each
 * mode, interprocessor interrupts of each kind, in xAPIC and then in x2APIC mode.
 */
#include "guest.h"

GUEST_HEADER(HEADER_CPUS(3) | HEADER_IRQCHIP | HEADER_PIT);

#define CPUS 3
#define TIMER 0x60
#define IPI 0x61
#define LEVEL 0x62
#define PIC_BASE 0x70

static volatile int count[CPUS][256];
static volatile int ready;
static volatile bool go_x2apic;
static u64 last_tsc;

static u32 apic_id(void)
{
	return x2apic ? apic_read(0x20) : apic_read(0x20) >> 24;
}

static u32 (*volatile id_of)(void) = apic_id;
static volatile int lower_level;

void trap(struct frame *f)
{
	u32 me = id_of();

	count[me][f->vector]++;
	last_tsc = rdtsc();
	if (f->vector >= PIC_BASE && f->vector < PIC_BASE + 8) {
		outb(0x20, 0x20);
		return;
	}
	if (f->vector == LEVEL && !--lower_level)
		outl(PORT_LINE, 20);
	if (f->vector >= 32)
		apic_eoi();
	else if (f->vector != 2)
		fail("exception", f->vector, f->rip, 0);
}

/* Wait, with interrupts on, until it came this often, but not for ever. */
static bool wait(int cpu, int vector, int times)
{
	for (int i = 0; i < 30000000 && count[cpu][vector] < times; i++)
		pause();
	return count[cpu][vector] >= times;
}

static void expect(const char *what, int line, int vector, int c0, int c1, int c2)
{
	int want[CPUS] = { c0, c1, c2 };

	for (int i = 0; i < CPUS; i++)
		wait(i, vector, want[i]);
	for (int i = 0; i < 2000; i++)
		pause();
	for (int i = 0; i < CPUS; i++) {
		if (count[i][vector] != want[i])
			fail(what, line * 10 + i, count[i][vector], want[i]);
		count[i][vector] = 0;
	}
}

#define EXPECT(what, vector, c0, c1, c2) expect(what, __LINE__, vector, c0, c1, c2)

static void timers(void)
{
	u64 t0;

	sti();
	apic_write(0x3e0, 0xb);		/* divide by 1 */
	/* One-shot: once, and the count stops at 0. */
	apic_write(0x320, TIMER);
	apic_write(0x380, 300000);
	wait(0, TIMER, 1);
	CHECK_EQ("count after a one-shot", apic_read(0x390), 0);
	for (int i = 0; i < 100000; i++)
		pause();
	EXPECT("one-shot", TIMER, 1, 0, 0);
	/* Periodic. */
	apic_write(0x320, TIMER | 1 << 17);
	apic_write(0x380, 1000000);
	wait(0, TIMER, 4);
	apic_write(0x380, 0);
	if (count[0][TIMER] < 4)
		fail("periodic", __LINE__, count[0][TIMER], 4);
	count[0][TIMER] = 0;
	/* Masked: the count runs, nothing comes. */
	apic_write(0x320, TIMER | 1 << 16);
	apic_write(0x380, 100000);
	for (int i = 0; apic_read(0x390) && i < 1000000; i++)
		pause();
	CHECK_EQ("masked timer's count", apic_read(0x390), 0);
	EXPECT("masked timer", TIMER, 0, 0, 0);
	/* TSC deadline: not before; reads 0 afterwards; the initial count is dead in this mode. */
	apic_write(0x320, TIMER | 2 << 17);
	t0 = rdtsc() + 1000000;
	wrmsr(MSR_DEADLINE, t0);
	CHECK_EQ("deadline armed", rdmsr(MSR_DEADLINE) == t0 || count[0][TIMER], 1);
	wait(0, TIMER, 1);
	CHECK_EQ("deadline too early", last_tsc < t0, 0);
	CHECK_EQ("deadline after it passed", rdmsr(MSR_DEADLINE), 0);
	apic_write(0x380, 1000);
	CHECK_EQ("count in deadline mode", apic_read(0x390), 0);
	wrmsr(MSR_DEADLINE, 1);		/* in the past */
	EXPECT("deadline", TIMER, 2, 0, 0);
	/* Near ones and far ones, halted or not: none early, whatever the host prepares ahead. */
	for (int i = 0; i < 60; i++) {
		t0 = rdtsc() + 1000 + i * i * 200;
		wrmsr(MSR_DEADLINE, t0);
		if (i & 1)
			asm volatile("cli; cmpl $0, %0; jne 1f; sti; hlt; 1: sti"
				     : : "m" (count[0][TIMER]) : "memory");
		wait(0, TIMER, 1);
		CHECK_EQ("one of many deadlines too early", last_tsc < t0, 0);
		EXPECT("one of many deadlines", TIMER, 1, 0, 0);
	}
	wrmsr(MSR_DEADLINE, rdtsc() + 100000000);
	wrmsr(MSR_DEADLINE, 0);		/* disarmed */
	EXPECT("disarmed", TIMER, 0, 0, 0);
	apic_write(0x320, 1 << 16);
}

static void ipis(void)
{
	u32 all = x2apic ? 0xffffffff : 0xff;

	apic_icr(1, IPI);
	EXPECT("to 1", IPI, 0, 1, 0);
	apic_icr(2, IPI);
	EXPECT("to 2", IPI, 0, 0, 1);
	apic_icr(0, IPI);
	EXPECT("to itself", IPI, 1, 0, 0);
	apic_icr(0, IPI | 1 << 18);
	EXPECT("self", IPI, 1, 0, 0);
	apic_icr(0, IPI | 2 << 18);
	EXPECT("all", IPI, 1, 1, 1);
	apic_icr(0, IPI | 3 << 18);
	EXPECT("all but self", IPI, 0, 1, 1);
	apic_icr(all, IPI);
	EXPECT("broadcast", IPI, 1, 1, 1);
	apic_icr(9, IPI);
	EXPECT("to nobody", IPI, 0, 0, 0);
	apic_icr(1, 4 << 8);
	EXPECT("NMI to 1", 2, 0, 1, 0);
	apic_icr(0, 4 << 8 | 3 << 18);
	EXPECT("NMI to all others", 2, 0, 1, 1);
	/* Logical destinations: each CPU has bit n. */
	apic_icr(x2apic ? 6 : 0x06, IPI | 1 << 11);
	EXPECT("logical to 1 and 2", IPI, 0, 1, 1);
	apic_icr(x2apic ? 1 : 0x01, IPI | 1 << 11);
	EXPECT("logical to 0", IPI, 1, 0, 0);
	/* Lowest priority: one of them. */
	apic_icr(x2apic ? 6 : 0x06, IPI | 1 << 11 | 1 << 8);
	for (int i = 0; i < 3000000 && !count[1][IPI] && !count[2][IPI]; i++)
		pause();
	CHECK_EQ("lowest priority", count[1][IPI] + count[2][IPI], 1);
	CHECK_EQ("lowest priority, CPU 0", count[0][IPI], 0);
	count[1][IPI] = count[2][IPI] = 0;
}

static void ioapic_write(u32 reg, u32 v)
{
	*(volatile u32 *)0xfec00000 = reg;
	*(volatile u32 *)0xfec00010 = v;
}

static u32 ioapic_read(u32 reg)
{
	*(volatile u32 *)0xfec00000 = reg;
	return *(volatile u32 *)0xfec00010;
}

/* The handler's EOI follows its count, perhaps only after its exit for the line. */
static u32 remote_irr(u32 n)
{
	u32 irr = 1;

	for (int i = 0; i < 1000000 && irr; i++)
		irr = ioapic_read(0x10 + 2 * n) >> 14 & 1;
	return irr;
}

static void pin(u32 n, u32 lo, u32 dest)
{
	ioapic_write(0x11 + 2 * n, dest << 24);
	ioapic_write(0x10 + 2 * n, lo);
}

static void ioapic(void)
{
	CHECK_EQ("I/O APIC version", ioapic_read(1) & 0xff, 0x11);
	CHECK_EQ("I/O APIC pins", ioapic_read(1) >> 16, 23);
	/* Edge, to CPU 1. */
	pin(20, IPI, 1);
	outl(PORT_LINE, 20 | 1 << 8);
	EXPECT("edge to 1", IPI, 0, 1, 0);
	outl(PORT_LINE, 20);
	EXPECT("falling edge", IPI, 0, 0, 0);
	/* Level: again after each EOI until the handler lowers the line, the second time. */
	pin(20, LEVEL | 1 << 15, 2);
	lower_level = 2;
	outl(PORT_LINE, 20 | 1 << 8);
	EXPECT("level to 2", LEVEL, 0, 0, 2);
	CHECK_EQ("remote IRR after EOI", remote_irr(20), 0);
	/* An edge on a masked pin is lost or kept, a level stays: it comes with unmasking. */
	pin(20, LEVEL | 1 << 15 | 1 << 16, 0);
	lower_level = 1;
	outl(PORT_LINE, 20 | 1 << 8);
	EXPECT("masked level", LEVEL, 0, 0, 0);
	pin(20, LEVEL | 1 << 15, 0);
	EXPECT("unmasked level", LEVEL, 1, 0, 0);
	/* Logical destination, lowest priority, one CPU in it. */
	pin(20, IPI | 1 << 11 | 1 << 8, x2apic ? 2 : 2);
	outl(PORT_LINE, 20 | 1 << 8);
	outl(PORT_LINE, 20);
	EXPECT("logical", IPI, 0, 1, 0);
	pin(20, 1 << 16, 0);
}

/* The PIT at 1 kHz: by the PIC as ExtINT of LINT0, then by pin 2 and pin 0 of the I/O APIC. */
static void pit(void)
{
	static const u8 init[][2] = {
		{ 0x20, 0x11 }, { 0x21, PIC_BASE }, { 0x21, 4 }, { 0x21, 1 },
		{ 0xa0, 0x11 }, { 0xa1, PIC_BASE + 8 }, { 0xa1, 2 }, { 0xa1, 1 }, { 0xa1, 0xff },
		{ 0x21, 0xfe },
	};

	apic_write(0x350, 7 << 8);
	for (u32 i = 0; i < ARRAY_SIZE(init); i++)
		outb(init[i][0], init[i][1]);
	outb(0x43, 0x34);
	outb(0x40, 1193 & 0xff);
	outb(0x40, 1193 >> 8);
	if (!wait(0, PIC_BASE, 5))
		fail("PIT by the PIC", __LINE__, count[0][PIC_BASE], 5);
	/* HLT sleeps to the next tick. */
	for (int i = 0; i < 3; i++) {
		int before = count[0][PIC_BASE];

		asm volatile("hlt");
		if (count[0][PIC_BASE] == before)
			fail("HLT ended without a tick", __LINE__, before, before + 1);
	}
	outb(0x21, 0xff);
	apic_write(0x350, 1 << 16);
	for (int i = 0; i < 1000; i++)
		pause();
	count[0][PIC_BASE] = 0;
	/* Without GSI routes of the VMM, line 0 is pin 0. */
	pin(0, IPI, 0);
	pin(2, IPI, 0);
	if (!wait(0, IPI, 5))
		fail("PIT by the I/O APIC", __LINE__, count[0][IPI], 5);
	pin(0, 1 << 16, 0);
	pin(2, 1 << 16, 0);
	outb(0x43, 0x30);
	for (int i = 0; i < 1000; i++)
		pause();
	count[0][IPI] = 0;
}

static void registers(void)
{
	CHECK_EQ("version", apic_read(0x30) & 0xff, 0x14);
	CHECK_EQ("APIC id", apic_id(), 0);
	apic_write(0x280, 0);
	CHECK_EQ("ESR", apic_read(0x280), 0);
	/* Sending vector 0-15 is an error. */
	apic_write(0x370, 1 << 16);
	CHECK_EQ("LVT error", apic_read(0x370), 1 << 16);
}

static void x2apic_registers(void)
{
	CHECK_EQ("x2APIC id", rdmsr(0x802), 0);
	CHECK_EQ("x2APIC LDR", rdmsr(0x80d), 1);
	/* Self IPI register. */
	wrmsr(0x83f, IPI);
	EXPECT("self IPI register", IPI, 1, 0, 0);
}

static void switch_mode(int cpu)
{
	if (go_x2apic)
		wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | 0xc00);
	apic_write(0xf0, 0x1ff);
	if (!go_x2apic) {
		apic_write(0xe0, 0xffffffff);
		apic_write(0xd0, 1u << (24 + cpu));
	}
}

static void all_ready(int n)
{
	for (int i = 0; i < 100000000 && ready < n; i++)
		pause();
	CHECK_EQ("CPUs ready", ready, n);
}

static void other_cpu(int cpu)
{
	switch_mode(cpu);
	sti();
	asm volatile("lock incl %0" : "+m" (ready));
	while (!go_x2apic)
		pause();
	cli();
	switch_mode(cpu);
	sti();
	asm volatile("lock incl %0" : "+m" (ready));
	for (;;)
		asm volatile("hlt");
}

void guest_main(int cpu)
{
	idt_setup(STACKS + 0x1e000 + 0x1000 * cpu);
	if (cpu)
		other_cpu(cpu);
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
	switch_mode(0);
	all_ready(CPUS - 1);
	registers();
	timers();
	ipis();
	ioapic();
	pit();
	cli();
	x2apic = go_x2apic = true;
	switch_mode(0);
	sti();
	all_ready(2 * (CPUS - 1));
	registers();
	x2apic_registers();
	timers();
	ipis();
	ioapic();
	done();
}
