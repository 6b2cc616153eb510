// SPDX-License-Identifier: GPL-2.0
/*
 * What a local APIC does by itself where hardware helps: interrupts to itself, their end and
 * changes of priority do not exit then, but for ends that an I/O APIC waits for; and where it must
 * not help: a debugger that holds interrupts back, an APIC that is disabled or elsewhere. All but
 * the counts of exits holds without such hardware, too.
 */
#include "guest.h"

GUEST_HEADER(HEADER_CPUS(2) | HEADER_IRQCHIP);

#define LOW 0x51
#define MID 0x61
#define HIGH 0x71
#define TIMES 400

static volatile int count[2][256];
static volatile int ready, nested_low, nested_high;
static volatile bool go_x2apic, nest, with_line, ask;
static volatile u32 told;
static u32 apic_at = 0xfee00000;

/* CPU 1 only takes and ends. */
static u32 me(void)
{
	return x2apic ? apic_read(0x20) : apic_read(0x20) >> 24;
}

static void to_self(u8 vector)
{
	if (x2apic)
		wrmsr(X2APIC(0x3f0), vector);
	else
		apic_write(0x300, 1 << 18 | vector);
}

static bool requested(u8 vector)
{
	return apic_read(0x200 + vector / 32 * 0x10) >> vector % 32 & 1;
}

static bool in_service(u8 vector)
{
	return apic_read(0x100 + vector / 32 * 0x10) >> vector % 32 & 1;
}

/* In the handler of MID: a lower one has to wait, a higher one comes. */
static void nested(void)
{
	nest = false;
	CHECK_EQ("in service", in_service(MID), 1);
	CHECK_EQ("PPR in service", apic_read(0xa0), MID & 0xf0);
	sti();
	to_self(LOW);
	to_self(HIGH);
	for (int i = 0; i < 1000; i++)
		pause();
	nested_low = count[0][LOW];
	nested_high = count[0][HIGH];
	CHECK_EQ("the lower one waits", requested(LOW), 1);
	cli();
}

void trap(struct frame *f)
{
	u32 cpu = me();

	count[cpu][f->vector]++;
	if (f->vector < 32)
		fail("exception", f->vector, f->rip, 0);
	if (nest && f->vector == MID)
		nested();
	if (with_line && f->vector == MID)
		outl(PORT_LINE, 21);
	apic_eoi();
}

static bool came(int cpu, u8 vector, int times)
{
	for (int i = 0; i < 30000000 && count[cpu][vector] < times; i++)
		pause();
	for (int i = 0; i < 2000; i++)
		pause();
	return count[cpu][vector] == times;
}

#define CAME(what, vector, times) \
	do { \
		if (!came(0, vector, times)) \
			fail(what, __LINE__, count[0][vector], times); \
		count[0][vector] = 0; \
	} while (0)

/* The host's timer ends a turn now and then, too. */
static void few_exits(const char *what, u32 since, u32 without)
{
	u32 exits = inl(PORT_EXITS) - since;

	put(x2apic ? "x2APIC, " : "xAPIC, ");
	put(what);
	put(": ");
	put_hex(exits);
	put(" exits\n");
	if (inl(PORT_APICV) ? exits >= without / 4 : exits < without)
		fail(what, __LINE__, exits, without);
}

static void to_itself(void)
{
	u32 exits = inl(PORT_EXITS);

	for (int i = 0; i < TIMES; i++) {
		to_self(MID);
		while (count[0][MID] <= i)
			pause();
	}
	few_exits("to itself and EOI", exits, TIMES);
	CAME("to itself", MID, TIMES);
}

static void priorities(void)
{
	u32 exits = inl(PORT_EXITS);

	for (int i = 0; i < TIMES; i++) {
		apic_write(0x80, MID & 0xf0);
		to_self(MID);
		if (count[0][MID] != i || !requested(MID))
			fail("held back by TPR", __LINE__, count[0][MID], i);
		apic_write(0x80, (MID & 0xf0) - 0x10);
		while (count[0][MID] <= i)
			pause();
	}
	few_exits("TPR", exits, TIMES);
	CAME("TPR", MID, TIMES);

	asm volatile("mov %0, %%cr8" : : "r" (6ul));
	CHECK_EQ("TPR by CR8", apic_read(0x80), 0x60);
	to_self(MID);
	to_self(HIGH);
	CAME("above CR8", HIGH, 1);
	CAME("below CR8", MID, 0);
	asm volatile("mov %0, %%cr8" : : "r" (0ul));
	CAME("CR8 lowered", MID, 1);

	nest = true;
	to_self(MID);
	CAME("nested", MID, 1);
	CAME("nested, high", HIGH, 1);
	CAME("nested, low", LOW, 1);
	CHECK_EQ("high while in service", nested_high, 1);
	CHECK_EQ("low while in service", nested_low, 0);
	CHECK_EQ("nothing in service", in_service(MID) | in_service(LOW) | in_service(HIGH), 0);

	cli();
	to_self(MID);
	to_self(HIGH);
	CAME("interrupts off", HIGH, 0);
	CHECK_EQ("both wait", requested(MID) && requested(HIGH), 1);
	sti();
	CAME("interrupts on", HIGH, 1);
	CAME("interrupts on", MID, 1);
}

static void held_back(void)
{
	outb(PORT_BLOCKIRQ, 1);
	to_self(MID);
	CAME("held back by a debugger", MID, 0);
	CHECK_EQ("waits for a debugger", requested(MID), 1);
	outb(PORT_BLOCKIRQ, 0);
	CAME("let go by a debugger", MID, 1);
	/* in service when it begins, ended while it lasts */
	cli();
	outb(PORT_BLOCKIRQ, 1);
	outb(PORT_BLOCKIRQ, 0);
	sti();
	to_self(MID);
	CAME("after a debugger", MID, 1);
}

static void disabled(void)
{
	apic_write(0xf0, 0xff);
	to_self(MID);
	CAME("disabled by software", MID, 0);
	CHECK_EQ("not requested", requested(MID), 0);
	apic_write(0xf0, 0x1ff);
	CAME("enabled", MID, 0);
	to_self(MID);
	CAME("enabled", MID, 1);
	/* a request that waits outlives it */
	cli();
	to_self(MID);
	apic_write(0xf0, 0xff);
	sti();
	CAME("disabled with a request", MID, 0);
	apic_write(0xf0, 0x1ff);
	CAME("enabled with a request", MID, 1);
}

static void registers(void)
{
	u32 id = apic_read(0x20);

	if (!x2apic) {
		apic_write(0x20, 0x77000000);
		CHECK_EQ("id is fixed", apic_read(0x20), id);
		apic_write(0x30, 0);
		CHECK_EQ("version is fixed", apic_read(0x30) & 0xff, 0x14);
		apic_write(0xd0, 0x02345678);
		CHECK_EQ("LDR", apic_read(0xd0), 0x02000000);
		apic_write(0x300, 1 << 11 | MID);	/* nobody: the destination is 0 */
		apic_write(0x310, 0x02000000);
		apic_write(0x300, 1 << 11 | MID);
		CAME("by the new LDR", MID, 1);
		apic_write(0xd0, 0x01000000);
		apic_write(0xe0, 0x0fffffff);
		CHECK_EQ("DFR", apic_read(0xe0), 0x0fffffff);
		apic_write(0xe0, 0xffffffff);
		apic_write(0x350, 0xffffffff);
		CHECK_EQ("LVT's bits", apic_read(0x350), 0x1a7ff);
	}
	apic_write(0x350, 1 << 16);
	apic_write(0x3e0, 0xb);
	apic_write(0x320, LOW);
	apic_write(0x380, 100000000);
	CHECK_EQ("initial count", apic_read(0x380), 100000000);
	if (apic_read(0x390) > 100000000 || apic_read(0x390) == 0)
		fail("count", __LINE__, apic_read(0x390), 100000000);
	apic_write(0x380, 0);
	CHECK_EQ("stopped", apic_read(0x390), 0);
	apic_write(0x320, 1 << 16);
}

static void ioapic_write(u32 reg, u32 v)
{
	*(volatile u32 *)0xfec00000 = reg;
	*(volatile u32 *)0xfec00010 = v;
}

static u32 remote_irr(void)
{
	u32 irr = 1;

	for (int i = 0; i < 1000000 && irr; i++) {
		*(volatile u32 *)0xfec00000 = 0x10 + 2 * 21;
		irr = *(volatile u32 *)0xfec00010 >> 14 & 1;
	}
	return irr;
}

/* Each end has to reach the I/O APIC, or the line is dead. */
static void level(void)
{
	ioapic_write(0x11 + 2 * 21, 0);
	ioapic_write(0x10 + 2 * 21, MID | 1 << 15);
	with_line = true;
	for (int i = 1; i <= 5; i++) {
		outl(PORT_LINE, 21 | 1 << 8);
		if (!came(0, MID, i))
			fail("level", __LINE__, count[0][MID], i);
		CHECK_EQ("remote IRR", remote_irr(), 0);
	}
	with_line = false;
	count[0][MID] = 0;
	ioapic_write(0x10 + 2 * 21, 1 << 16);
	to_self(MID);
	CAME("the vector as an edge again", MID, 1);
}

/* What a CPU that spins has been through, by its own account. */
static u32 exits_of_other(void)
{
	ask = true;
	while (ask)
		pause();
	return told;
}

/*
 * Where interrupts are posted and the host has a CPU for each of the two, the other one takes them
 * without an exit of its own; then the number says so, and nothing else can.
 */
static void to_other(void)
{
	u32 exits = x2apic ? 0 : exits_of_other();

	for (int i = 1; i <= 50; i++) {
		apic_icr(1, MID);
		if (!came(1, MID, i))
			fail("to the other CPU", __LINE__, count[1][MID], i);
	}
	if (!x2apic) {
		put("the other CPU took 50 with ");
		put_hex(exits_of_other() - exits);
		put(" exits\n");
	}
	count[1][MID] = 0;
}

/* The page goes with its base, and comes back. */
static void moved(void)
{
	volatile u32 *here = (u32 *)0xfee00020ul, *there = (u32 *)0xfe000020ul;
	u32 version = apic_read(0x30);

	CHECK_EQ("id before", *here, 0);
	wrmsr(MSR_APIC_BASE, (rdmsr(MSR_APIC_BASE) & 0xfff) | 0xfe000000);
	CHECK_EQ("nothing is left behind", here[4], 0xffffffff);
	CHECK_EQ("version at the new place", there[4], version);
	cli();
	there[(0x300 - 0x20) / 4] = 1 << 18 | MID;
	CHECK_EQ("request at the new place", there[(0x230 - 0x20) / 4], 1u << MID % 32);
	wrmsr(MSR_APIC_BASE, (rdmsr(MSR_APIC_BASE) & 0xfff) | apic_at);
	CHECK_EQ("nothing is left at the new place", there[4], 0xffffffff);
	CHECK_EQ("id after", *here, 0);
	sti();
	CAME("interrupt from the new place", MID, 1);
}

static void all(void)
{
	to_itself();
	priorities();
	held_back();
	disabled();
	registers();
	level();
	to_other();
	if (!x2apic)
		moved();
	to_itself();
}

static void enable(void)
{
	if (go_x2apic)
		wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | 0xc00);
	apic_write(0xf0, 0x1ff);
}

static void other_cpu(void)
{
	enable();
	sti();
	ready = 1;
	while (!go_x2apic) {
		if (ask) {
			told = inl(PORT_EXITS);
			ask = false;
		}
		pause();
	}
	cli();
	enable();
	ready = 2;
	sti();
	for (;;)
		asm volatile("hlt");
}

void guest_main(int cpu)
{
	idt_setup(STACKS + 0x1e000 + 0x1000 * cpu);
	if (cpu)
		other_cpu();
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
	enable();
	while (ready < 1)
		pause();
	sti();
	all();
	cli();
	x2apic = go_x2apic = true;
	enable();
	while (ready < 2)
		pause();
	sti();
	all();
	done();
}
