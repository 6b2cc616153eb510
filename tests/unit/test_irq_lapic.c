// SPDX-License-Identifier: GPL-2.0
/*
 * The local APIC: acceptance, priorities, EOI, registers in both modes, IPIs
 * and destination matching through the map, the timer, mode changes, saving,
 * and MSI decoding. Four to forty APICs share one clock that the test turns.
 */
#include <check.h>
#include "lapic.h"

#define MAX_APICS	40

struct cpu {
	struct lapic l;
	u8 page[LAPIC_PAGE_SIZE] __aligned(64);
	int irq, nmi, event, timer, posted, enables;
	u64 armed, armed_tsc;
	int eois, last_eoi;
	bool last_level;
};

static struct cpu cpus[MAX_APICS];
static struct lapic_map *map;
static u64 clock_ns, tsc;
static int nr, map_changes;
static bool quirk_off;
static u64 min_period;

static struct lapic *late;	/* a sender gets in at the barrier */

static struct cpu *cpu_of(struct lapic *l)
{
	return container_of(l, struct cpu, l);
}

/*
 * Stands for smp_mb(): what IRR and the hint look like if a sender set both
 * after the owner's scan and before the owner dropped the hint.
 */
void between(void)
{
	if (!late)
		return;
	late->regs[LAPIC_IRR + 0x20] = 1;	/* vector 0x40 */
	late = NULL;
}

u64 lapic_host_now(struct lapic *l)
{
	return clock_ns;
}

u64 lapic_host_min_period(struct lapic *l)
{
	return min_period;
}

void lapic_host_arm(struct lapic *l, u64 ns)
{
	cpu_of(l)->armed = ns;
	cpu_of(l)->armed_tsc = 0;
}

bool lapic_host_arm_tsc(struct lapic *l, u64 deadline)
{
	if (deadline <= tsc)
		return false;
	cpu_of(l)->armed_tsc = deadline;
	return true;
}

void lapic_host_kick(struct lapic *l, enum lapic_kick why)
{
	struct cpu *c = cpu_of(l);

	c->irq += why == LAPIC_KICK_IRQ;
	c->nmi += why == LAPIC_KICK_NMI;
	c->event += why == LAPIC_KICK_EVENT;
	c->timer += why == LAPIC_KICK_TIMER;
	c->posted += why == LAPIC_KICK_POSTED;
}

void lapic_host_enable_changed(struct lapic *l)
{
	cpu_of(l)->enables++;
}

void lapic_host_eoi(struct lapic *l, u8 vector, bool level)
{
	cpu_of(l)->eois++;
	cpu_of(l)->last_eoi = vector;
	cpu_of(l)->last_level = level;
}

static void build_map(void)
{
	int i;

	free(map);
	map = calloc(1, lapic_map_size(nr, nr - 1));
	lapic_map_init(map, nr - 1, quirk_off);
	for (i = 0; i < nr; i++)
		lapic_map_add(map, &cpus[i].l);
}

void lapic_host_map_changed(struct lapic *l)
{
	map_changes++;
	build_map();
}

void lapic_host_send(struct lapic *l, const struct lapic_irq *irq)
{
	lapic_map_deliver(map, l, irq);
}

static struct lapic *a(int i)
{
	return &cpus[i].l;
}

static u32 rd(int i, u32 off)
{
	u32 val = 0xdeadbeef;

	lapic_mmio_read(a(i), off, 4, &val);
	return val;
}

static void wr(int i, u32 off, u32 val)
{
	lapic_mmio_write(a(i), off, 4, &val);
}

static void start(int n)
{
	int i;

	memset(cpus, 0, sizeof(cpus));
	clock_ns = 1000000;
	tsc = 5000;
	min_period = 200000;
	quirk_off = false;
	nr = n;
	for (i = 0; i < n; i++) {
		lapic_init(a(i), NULL, cpus[i].page, i, i == 0);
		a(i)->x2_allowed = true;
		a(i)->tsc_allowed = true;
		a(i)->base_reserved = ~0ULL << 40;
	}
	for (i = 0; i < n; i++)
		lapic_reset(a(i), false);
	for (i = 0; i < n; i++) {
		wr(i, LAPIC_SPIV, 0x1ff);
		wr(i, LAPIC_LDR, i < 8 ? 0x01000000U << i : 0);
	}
	map_changes = 0;
}

static void setup(void)
{
	start(4);
}

static void teardown(void)
{
	free(map);
	map = NULL;
}

static void to_x2(int i)
{
	ck_assert_int_eq(lapic_set_base(a(i), a(i)->base | LAPIC_BASE_X2, false), 0);
}

static int fixed(int i, u8 vector, bool level)
{
	struct lapic_irq irq = { .mode = LAPIC_MODE_FIXED, .vector = vector, .level = level };

	return lapic_accept(a(i), &irq);
}

/* Which APICs have @vector requested: a bitmap; clears the request. */
static u64 who(u8 vector)
{
	u64 set = 0;
	int i;

	for (i = 0; i < nr; i++) {
		if (!lapic_vector_busy(a(i), vector))
			continue;
		set |= BIT(i);
		lapic_ack(a(i), vector);
		lapic_eoi(a(i));
	}
	return set;
}

static u64 send(u32 dest, bool logical, bool wide)
{
	struct lapic_irq irq = {
		.mode = LAPIC_MODE_FIXED, .vector = 0x55,
		.dest = dest, .logical = logical, .wide = wide,
	};
	u64 set, slow = 0;
	int i, ret;

	for (i = 0; i < nr; i++)
		if (lapic_hw_enabled(a(i)) && lapic_matches(map, a(i), NULL, &irq))
			slow |= BIT(i);
	ret = lapic_map_deliver(map, NULL, &irq);
	set = who(0x55);
	/* the short cuts must agree with the definition */
	ck_assert_uint_eq(set, slow);
	ck_assert_int_eq(ret, set ? (int)hweight64(set) : -1);
	return set;
}

START_TEST(priorities)
{
	ck_assert_int_eq(lapic_has_interrupt(a(0)), -1);
	ck_assert_int_eq(fixed(0, 0x41, false), 1);
	ck_assert_int_eq(fixed(0, 0x41, false), 0);
	ck_assert_int_eq(fixed(0, 0x91, false), 1);
	ck_assert_int_eq(lapic_has_interrupt(a(0)), 0x91);
	lapic_ack(a(0), 0x91);
	ck_assert_uint_eq(lapic_ppr(a(0)), 0x90);
	ck_assert_int_eq(lapic_has_interrupt(a(0)), -1);
	fixed(0, 0x9f, false);				/* same class: waits */
	ck_assert_int_eq(lapic_has_interrupt(a(0)), -1);
	fixed(0, 0xa0, false);
	ck_assert_int_eq(lapic_has_interrupt(a(0)), 0xa0);
	lapic_ack(a(0), 0xa0);
	wr(0, LAPIC_EOI, 0);
	ck_assert_int_eq(lapic_has_interrupt(a(0)), -1);
	wr(0, LAPIC_EOI, 0);				/* 0x91 */
	ck_assert_int_eq(lapic_has_interrupt(a(0)), 0x9f);
	wr(0, LAPIC_TPR, 0x9f);
	ck_assert_int_eq(lapic_has_interrupt(a(0)), -1);
	ck_assert_int_eq(lapic_highest_irr(a(0)), 0x9f);
	ck_assert_uint_eq(rd(0, LAPIC_PPR), 0x9f);
	ck_assert_uint_eq(lapic_get_cr8(a(0)), 9);
	lapic_set_cr8(a(0), 9);
	ck_assert_uint_eq(rd(0, LAPIC_TPR), 0x9f);	/* sub-class survives */
	lapic_set_cr8(a(0), 8);
	ck_assert_uint_eq(rd(0, LAPIC_TPR), 0x80);
	ck_assert_int_eq(lapic_has_interrupt(a(0)), 0x9f);
}
END_TEST

START_TEST(vector_while_in_service)
{
	fixed(0, 0x61, false);
	lapic_ack(a(0), 0x61);
	ck_assert_int_eq(fixed(0, 0x61, false), 1);	/* one in service, one waiting */
	ck_assert_int_eq(lapic_has_interrupt(a(0)), -1);
	ck_assert(!lapic_eoi_may_be_lazy(a(0)));
	lapic_eoi(a(0));
	ck_assert_int_eq(lapic_has_interrupt(a(0)), 0x61);
	lapic_ack(a(0), 0x61);
	ck_assert(lapic_eoi_may_be_lazy(a(0)));
	ck_assert_uint_eq(rd(0, LAPIC_ISR + 0x30), 2);
	ck_assert_uint_eq(rd(0, LAPIC_IRR + 0x30), 0);
	lapic_eoi(a(0));
	lapic_eoi(a(0));				/* nothing in service: nothing happens */
	ck_assert_int_eq(cpus[0].eois, 2);
}
END_TEST

START_TEST(request_while_hint_is_dropped)
{
	fixed(0, 0x61, false);
	lapic_ack(a(0), 0x61);
	lapic_eoi(a(0));
	a(0)->irr_pending = true;
	late = a(0);
	ck_assert_int_eq(lapic_highest_irr(a(0)), 0x40);
	ck_assert_ptr_null(late);
	ck_assert_int_eq(lapic_highest_irr(a(0)), 0x40);
}
END_TEST

/* ---- with hardware that works on the page ---- */

static struct lapic_posted posted;

static void give_hardware(int i)
{
	memset(&posted, 0, sizeof(posted));
	a(i)->posted = &posted;
}

/* What it does with the highest request. */
static void hardware_delivers(int i, u8 vector)
{
	__clear_bit(vector & 31, (unsigned long *)(a(i)->regs + LAPIC_IRR + (vector >> 5) * 16));
	__set_bit(vector & 31, (unsigned long *)(a(i)->regs + LAPIC_ISR + (vector >> 5) * 16));
	lapic_hardware_ran(a(i));
}

/* The guest writes, the hardware stores, the exit comes. */
static void hardware_writes(int i, u32 off, u32 val)
{
	*(u32 *)(a(i)->regs + off) = val;
	lapic_written(a(i), off);
}

START_TEST(posted_vectors)
{
	give_hardware(0);
	ck_assert_int_eq(fixed(0, 0x61, false), 1);
	ck_assert_int_eq(fixed(0, 0x61, false), 0);
	ck_assert_int_eq(fixed(0, 0xf3, false), 1);
	ck_assert_int_eq(cpus[0].posted, 1);		/* told once until they are taken */
	ck_assert_int_eq(cpus[0].irq, 0);
	ck_assert_int_eq(lapic_has_interrupt(a(0)), -1);
	ck_assert(lapic_vector_busy(a(0), 0x61));

	a(0)->status_stale = false;
	ck_assert(lapic_take_posted(a(0)));
	ck_assert(a(0)->status_stale);
	ck_assert(!lapic_take_posted(a(0)));
	ck_assert_uint_eq(rd(0, LAPIC_IRR + 0x30), 2);
	ck_assert_uint_eq(rd(0, LAPIC_IRR + 0x70), 1 << 19);
	ck_assert_int_eq(lapic_has_interrupt(a(0)), 0xf3);
	ck_assert_int_eq(fixed(0, 0x61, false), 0);	/* waits in IRR */
	ck_assert_int_eq(cpus[0].posted, 2);
	fixed(0, 0x31, false);
	ck_assert_uint_eq(rd(0, LAPIC_IRR + 0x10), 1 << 17);	/* a reader sees it there */
	fixed(0, 0x32, false);
	ck_assert_int_eq(cpus[0].posted, 3);

	lapic_reset(a(0), true);			/* INIT: what was on its way is gone */
	ck_assert(!lapic_take_posted(a(0)));
	ck_assert_int_eq(lapic_highest_irr(a(0)), -1);
}
END_TEST

START_TEST(hardware_serves)
{
	give_hardware(0);
	fixed(0, 0x61, true);
	fixed(0, 0x85, false);
	lapic_take_posted(a(0));
	hardware_delivers(0, 0x85);
	ck_assert_int_eq(lapic_highest_isr(a(0)), 0x85);
	ck_assert_uint_eq(rd(0, LAPIC_PPR), 0x80);
	ck_assert_int_eq(lapic_highest_irr(a(0)), 0x61);
	ck_assert_int_eq(lapic_has_interrupt(a(0)), -1);
	a(0)->status_stale = false;
	lapic_eoi(a(0));				/* an EOI that had to be emulated */
	ck_assert(a(0)->status_stale);
	ck_assert_int_eq(lapic_highest_isr(a(0)), -1);
	ck_assert(!cpus[0].last_level);

	hardware_delivers(0, 0x61);
	lapic_hardware_ran(a(0));			/* and has not looked since */
	ck_assert(!lapic_eoi_may_be_lazy(a(0)));
	*(u32 *)(a(0)->regs + LAPIC_ISR + 0x30) = 0;
	lapic_hardware_ran(a(0));
	lapic_ended(a(0), 0x61);
	ck_assert_int_eq(cpus[0].eois, 2);
	ck_assert_int_eq(cpus[0].last_eoi, 0x61);
	ck_assert(cpus[0].last_level);
	ck_assert_int_eq(lapic_highest_isr(a(0)), -1);
	*(u32 *)(a(0)->regs + LAPIC_IRR + 0x20) = 4;	/* a self IPI that nobody saw */
	lapic_hardware_ran(a(0));
	ck_assert_int_eq(lapic_highest_irr(a(0)), 0x42);
}
END_TEST

START_TEST(hardware_writes_are_finished)
{
	int maps = map_changes;

	hardware_writes(0, LAPIC_LDR, 0x81234567);
	ck_assert_uint_eq(rd(0, LAPIC_LDR), 0x81000000);
	ck_assert_int_eq(map_changes, maps + 1);	/* seen as a change, though it is there already */
	hardware_writes(0, LAPIC_LDR, 0x81000000);
	ck_assert_int_eq(map_changes, maps + 1);

	hardware_writes(0, LAPIC_ID, 0x55000000);	/* can't be written */
	ck_assert_uint_eq(rd(0, LAPIC_ID), 0);
	hardware_writes(0, LAPIC_VERSION, 7);
	ck_assert_uint_ne(rd(0, LAPIC_VERSION), 7);

	hardware_writes(0, LAPIC_SPIV, 0xff);
	ck_assert_int_eq(cpus[0].enables, 2);		/* setup() was the first */
	hardware_writes(0, LAPIC_LVT_LINT0, 0x700);
	ck_assert_uint_eq(rd(0, LAPIC_LVT_LINT0), 0x10700);	/* masked while disabled */
	hardware_writes(0, LAPIC_SPIV, 0x1ff);
	ck_assert_int_eq(cpus[0].enables, 3);

	/* a timer that runs: the count stays, the divisor changes */
	hardware_writes(0, LAPIC_TDCR, 0xb);
	hardware_writes(0, LAPIC_LVT_TIMER, 0x40);
	hardware_writes(0, LAPIC_TMICT, 1000);
	hardware_writes(0, LAPIC_TDCR, 0x0);
	ck_assert_uint_eq(rd(0, LAPIC_TMCCT), 1000);
	ck_assert_uint_eq(cpus[0].armed, clock_ns + 2000);
	/* into TSC deadline mode, which stops it; there the count can't be written */
	a(0)->tsc_allowed = true;
	hardware_writes(0, LAPIC_LVT_TIMER, 0x40040);
	ck_assert_uint_eq(cpus[0].armed, U64_MAX);
	hardware_writes(0, LAPIC_TMICT, 1000);
	ck_assert_uint_eq(rd(0, LAPIC_TMICT), 0);

	hardware_writes(0, LAPIC_ICR, LAPIC_SHORT_SELF | 0x51);
	ck_assert_int_eq(lapic_highest_irr(a(0)), 0x51);
	hardware_writes(0, LAPIC_SELF_IPI, 0x61);	/* not in xAPIC mode */
	ck_assert_int_eq(lapic_highest_irr(a(0)), 0x51);
	ck_assert_uint_eq(lapic_reg(a(0), LAPIC_SELF_IPI), 0);
}
END_TEST

START_TEST(level_eoi_and_tmr)
{
	fixed(0, 0x61, true);
	ck_assert_uint_eq(rd(0, LAPIC_TMR + 0x30), 2);
	lapic_ack(a(0), 0x61);
	ck_assert(!lapic_eoi_may_be_lazy(a(0)));
	wr(0, LAPIC_EOI, 0);
	ck_assert_int_eq(cpus[0].last_eoi, 0x61);
	ck_assert(cpus[0].last_level);
	fixed(0, 0x61, false);
	ck_assert_uint_eq(rd(0, LAPIC_TMR + 0x30), 0);
	lapic_ack(a(0), 0x61);
	wr(0, LAPIC_EOI, 0);
	ck_assert(!cpus[0].last_level);
}
END_TEST

START_TEST(eoi_broadcast_suppression)
{
	wr(0, LAPIC_SPIV, 0x11ff);
	ck_assert_uint_eq(rd(0, LAPIC_SPIV), 0x1ff);	/* not offered */
	a(0)->eoi_suppress_allowed = true;
	lapic_reset(a(0), false);
	ck_assert_uint_eq(rd(0, LAPIC_VERSION), 0x01050014);
	wr(0, LAPIC_SPIV, 0x11ff);
	fixed(0, 0x61, true);
	lapic_ack(a(0), 0x61);
	lapic_eoi(a(0));
	ck_assert_int_eq(cpus[0].eois, 0);
	fixed(0, 0x61, false);
	lapic_ack(a(0), 0x61);
	lapic_eoi(a(0));
	ck_assert_int_eq(cpus[0].eois, 1);
}
END_TEST

START_TEST(software_disable)
{
	wr(0, LAPIC_LVT_LINT1, LAPIC_MODE_NMI);
	fixed(0, 0x61, false);
	wr(0, LAPIC_SPIV, 0xff);
	ck_assert_uint_eq(rd(0, LAPIC_LVT_LINT1), LAPIC_MODE_NMI | LAPIC_LVT_MASKED);
	wr(0, LAPIC_LVT_LINT1, LAPIC_MODE_NMI);		/* stays masked */
	ck_assert_uint_eq(rd(0, LAPIC_LVT_LINT1), LAPIC_MODE_NMI | LAPIC_LVT_MASKED);
	ck_assert_int_eq(fixed(0, 0x71, false), -1);
	ck_assert_int_eq(lapic_has_interrupt(a(0)), -1);
	/* NMI, INIT and SIPI still arrive */
	lapic_write_icr(a(1), LAPIC_MODE_NMI);
	ck_assert_int_eq(cpus[0].nmi, 1);
	wr(0, LAPIC_SPIV, 0x1ff);
	ck_assert_int_eq(lapic_has_interrupt(a(0)), 0x61);
}
END_TEST

START_TEST(errors)
{
	wr(0, LAPIC_LVT_ERROR, 0xe0);
	ck_assert_int_eq(fixed(0, 15, false), -1);
	ck_assert_int_eq(lapic_has_interrupt(a(0)), 0xe0);
	ck_assert_uint_eq(rd(0, LAPIC_ESR), 0);
	wr(0, LAPIC_ICR, 3);				/* self-evidently illegal */
	rd(0, 0x040);
	wr(0, LAPIC_ESR, 0);
	ck_assert_uint_eq(rd(0, LAPIC_ESR), LAPIC_ESR_SEND_ILLEGAL | LAPIC_ESR_RECV_ILLEGAL |
					    LAPIC_ESR_REG_ILLEGAL);
	wr(0, LAPIC_ESR, 0);
	ck_assert_uint_eq(rd(0, LAPIC_ESR), 0);
	/* an error vector that is itself an error ends there */
	wr(0, LAPIC_LVT_ERROR, 5);
	fixed(0, 1, false);
}
END_TEST

START_TEST(mmio_access_rules)
{
	u8 byte = 0;
	u64 quad = ~0ULL;

	wr(0, LAPIC_LVT_LINT0, 0x12345);
	ck_assert_uint_eq(rd(0, LAPIC_LVT_LINT0), 0x12345 & 0x1a7ff);
	ck_assert(lapic_mmio_read(a(0), LAPIC_LVT_LINT0 + 1, 1, &byte));
	ck_assert_uint_eq(byte, 0x23);
	ck_assert(!lapic_mmio_read(a(0), LAPIC_TPR + 2, 4, &quad));
	ck_assert(!lapic_mmio_read(a(0), LAPIC_TPR, 8, &quad));
	ck_assert_uint_eq(quad, 0);
	ck_assert(!lapic_mmio_write(a(0), LAPIC_TPR, 1, &byte));
	ck_assert(!lapic_mmio_write(a(0), 0xffc, 4, &byte));
	wr(0, LAPIC_ID, 0x77000000);
	ck_assert_uint_eq(rd(0, LAPIC_ID), 0);
	wr(0, LAPIC_DFR, 0);
	ck_assert_uint_eq(rd(0, LAPIC_DFR), 0x0fffffff);
	wr(0, LAPIC_SELF_IPI, 0x44);			/* x2APIC only */
	ck_assert_int_eq(lapic_has_interrupt(a(0)), -1);
	ck_assert_uint_eq(rd(1, LAPIC_ID), 0x01000000);
	ck_assert_uint_eq(rd(0, LAPIC_VERSION), 0x00050014);
}
END_TEST

START_TEST(x2_access_rules)
{
	u64 v;

	ck_assert_int_eq(lapic_x2_read(a(2), 0x802, &v), -EINVAL);	/* not in that mode */
	to_x2(2);
	ck_assert_int_eq(lapic_x2_read(a(2), 0x802, &v), 0);
	ck_assert_uint_eq(v, 2);
	ck_assert_int_eq(lapic_x2_read(a(2), 0x80d, &v), 0);
	ck_assert_uint_eq(v, 4);
	ck_assert_int_eq(lapic_x2_write(a(2), 0x802, 1), -EINVAL);
	ck_assert_int_eq(lapic_x2_write(a(2), 0x80d, 1), -EINVAL);
	ck_assert_int_eq(lapic_x2_read(a(2), 0x80e, &v), -EINVAL);	/* no DFR */
	ck_assert_int_eq(lapic_x2_read(a(2), 0x831, &v), -EINVAL);	/* no ICR2 */
	ck_assert_int_eq(lapic_x2_read(a(2), 0x80b, &v), -EINVAL);	/* EOI: write only */
	ck_assert_int_eq(lapic_x2_write(a(2), 0x80b, 1), -EINVAL);
	ck_assert_int_eq(lapic_x2_write(a(2), 0x80b, 0), 0);
	ck_assert_int_eq(lapic_x2_write(a(2), 0x808, 0x100), -EINVAL);
	ck_assert_int_eq(lapic_x2_write(a(2), 0x808, 0x20), 0);
	ck_assert_int_eq(lapic_x2_write(a(2), 0x808, 1ULL << 32), -EINVAL);
	ck_assert_int_eq(lapic_x2_write(a(2), 0x828, 1), -EINVAL);
	ck_assert_int_eq(lapic_x2_write(a(2), 0x828, 0), 0);
	ck_assert_int_eq(lapic_x2_write(a(2), 0x839, 0), -EINVAL);	/* current count */
	ck_assert_int_eq(lapic_x2_write(a(2), 0x830, 1 << 20), -EINVAL);
	ck_assert_int_eq(lapic_x2_write(a(2), 0x8ff, 0), -EINVAL);
	ck_assert_int_eq(lapic_x2_write(a(2), 0x83f, 0x100), -EINVAL);
	ck_assert_int_eq(lapic_x2_write(a(2), 0x83f, 0x44), 0);
	ck_assert_int_eq(lapic_has_interrupt(a(2)), 0x44);
	ck_assert_int_eq(lapic_x2_write(a(2), 0x830, (5ULL << 32) | 0x4055), 0);
	ck_assert_int_eq(lapic_x2_read(a(2), 0x830, &v), 0);
	ck_assert_uint_eq(v, (5ULL << 32) | 0x4055);
}
END_TEST

START_TEST(base_transitions)
{
	const u64 base = LAPIC_DEFAULT_BASE, en = LAPIC_BASE_EN, x2 = LAPIC_BASE_X2;

	ck_assert_uint_eq(a(0)->base, base | en | LAPIC_BASE_BSP);
	ck_assert_uint_eq(a(1)->base, base | en);
	ck_assert_int_eq(lapic_set_base(a(1), base | x2, false), -EINVAL);
	ck_assert_int_eq(lapic_set_base(a(1), base | x2, true), -EINVAL);
	ck_assert_int_eq(lapic_set_base(a(1), base | en | 1, false), -EINVAL);
	ck_assert_int_eq(lapic_set_base(a(1), base | en | (1ULL << 40), true), -EINVAL);
	ck_assert_int_eq(lapic_set_base(a(1), base, false), 0);
	ck_assert_int_eq(lapic_set_base(a(1), base | en | x2, false), -EINVAL);
	ck_assert_int_eq(lapic_set_base(a(1), base | en, false), 0);
	ck_assert_int_eq(lapic_set_base(a(1), base | en | x2, false), 0);
	ck_assert_int_eq(lapic_set_base(a(1), base | en, false), -EINVAL);
	ck_assert_int_eq(lapic_set_base(a(1), base, false), 0);
	ck_assert_int_eq(lapic_set_base(a(1), base | en | x2, true), 0);
	ck_assert_int_eq(lapic_set_base(a(1), base | en, true), 0);
	a(1)->x2_allowed = false;
	ck_assert_int_eq(lapic_set_base(a(1), base | en | x2, false), -EINVAL);
	ck_assert_int_eq(lapic_set_base(a(1), 0x1000 | en, false), 0);	/* moved */
	/* disabling forgets; the vCPU then takes the PIC's line directly */
	ck_assert_int_eq(fixed(1, 0x41, false), -1);
	lapic_set_base(a(1), base, false);
	ck_assert(lapic_accepts_pic(a(1)));
	ck_assert_uint_eq(send(1, false, false), 0);
	lapic_set_base(a(1), base | en, false);
	ck_assert_uint_eq(rd(1, LAPIC_SPIV), 0xff);
	ck_assert(!lapic_accepts_pic(a(1)));
}
END_TEST

START_TEST(reset_and_init)
{
	to_x2(1);
	lapic_x2_write(a(1), 0x80f, 0x1ff);
	fixed(1, 0x41, false);
	lapic_reset(a(1), true);
	ck_assert(lapic_x2_mode(a(1)));
	ck_assert_int_eq(lapic_has_interrupt(a(1)), -1);
	ck_assert_uint_eq(lapic_reg(a(1), LAPIC_ID), 1);
	ck_assert_uint_eq(lapic_reg(a(1), LAPIC_SPIV), 0xff);
	lapic_reset(a(1), false);
	ck_assert(!lapic_x2_mode(a(1)));
	ck_assert_uint_eq(rd(1, LAPIC_ID), 0x01000000);
	ck_assert_uint_eq(rd(1, LAPIC_LVT_LINT0), LAPIC_LVT_MASKED);
	a(0)->lint0_extint_at_reset = true;
	lapic_reset(a(0), false);
	ck_assert_uint_eq(rd(0, LAPIC_LVT_LINT0), LAPIC_MODE_EXTINT);
	ck_assert(lapic_accepts_pic(a(0)));
}
END_TEST

START_TEST(init_sipi)
{
	lapic_write_icr(a(0), (2ULL << 56) | LAPIC_MODE_INIT | LAPIC_LEVEL | LAPIC_ICR_ASSERT);
	ck_assert_uint_eq(a(2)->events, BIT(LAPIC_EVENT_INIT));
	ck_assert_int_eq(cpus[2].event, 1);
	/* level de-assert does nothing */
	lapic_write_icr(a(0), (2ULL << 56) | LAPIC_MODE_INIT | LAPIC_LEVEL);
	ck_assert_int_eq(cpus[2].event, 1);
	lapic_write_icr(a(0), (2ULL << 56) | LAPIC_MODE_SIPI | 0x9a);
	ck_assert_uint_eq(a(2)->events, BIT(LAPIC_EVENT_INIT) | BIT(LAPIC_EVENT_SIPI));
	ck_assert_uint_eq(a(2)->sipi_vector, 0x9a);
	ck_assert_uint_eq(a(1)->events | a(3)->events, 0);
	/* a second INIT forgets the SIPI before it */
	lapic_write_icr(a(0), LAPIC_SHORT_OTHERS | LAPIC_MODE_INIT | LAPIC_ICR_ASSERT);
	ck_assert_uint_eq(a(2)->events, BIT(LAPIC_EVENT_INIT));
	ck_assert_uint_eq(a(3)->events, BIT(LAPIC_EVENT_INIT));
	ck_assert_uint_eq(a(0)->events, 0);
}
END_TEST

START_TEST(shorthands)
{
	lapic_write_icr(a(1), LAPIC_SHORT_SELF | 0x55);
	ck_assert_uint_eq(who(0x55), BIT(1));
	lapic_write_icr(a(1), LAPIC_SHORT_ALL | 0x55);
	ck_assert_uint_eq(who(0x55), 0xf);
	lapic_write_icr(a(1), LAPIC_SHORT_OTHERS | 0x55);
	ck_assert_uint_eq(who(0x55), 0xd);
	wr(1, LAPIC_ICR2, 0x03000000);
	wr(1, LAPIC_ICR, 0x55);
	ck_assert_uint_eq(who(0x55), BIT(3));
	ck_assert_uint_eq(rd(1, LAPIC_ICR), 0x55);
	ck_assert_uint_eq(rd(1, LAPIC_ICR2), 0x03000000);
}
END_TEST

START_TEST(physical_destinations)
{
	ck_assert_uint_eq(send(2, false, false), BIT(2));
	ck_assert_uint_eq(send(4, false, false), 0);
	ck_assert_uint_eq(send(0xff, false, false), 0xf);
	ck_assert_uint_eq(send(0xffffffff, false, true), 0xf);
	ck_assert_uint_eq(send(0x12345678, false, true), 0);
}
END_TEST

START_TEST(logical_flat)
{
	ck_assert_int_eq(map->logical, LAPIC_LOGICAL_FLAT);
	ck_assert_uint_eq(send(0x05, true, false), 0x5);
	ck_assert_uint_eq(send(0xf0, true, false), 0);
	ck_assert_uint_eq(send(0xff, true, false), 0xf);
	ck_assert_uint_eq(send(0, true, false), 0);
}
END_TEST

START_TEST(logical_cluster)
{
	int i;

	for (i = 0; i < 4; i++) {
		wr(i, LAPIC_DFR, LAPIC_DFR_CLUSTER);
		/* two clusters of two */
		wr(i, LAPIC_LDR, (u32)(i / 2 + 1) << 28 | (1u << (i & 1)) << 24);
	}
	ck_assert_int_eq(map->logical, LAPIC_LOGICAL_CLUSTER);
	ck_assert_uint_eq(send(0x13, true, false), 0x3);
	ck_assert_uint_eq(send(0x22, true, false), 0x8);
	ck_assert_uint_eq(send(0x33, true, false), 0);
	/* overlapping bits: everyone who matches */
	wr(1, LAPIC_LDR, 0x11000000);
	ck_assert_int_eq(map->logical, LAPIC_LOGICAL_SLOW);
	ck_assert_uint_eq(send(0x11, true, false), 0x3);
}
END_TEST

START_TEST(logical_x2)
{
	int i;

	start(40);
	for (i = 0; i < 40; i++) {
		to_x2(i);
		lapic_x2_write(a(i), 0x80f, 0x1ff);
	}
	ck_assert_int_eq(map->logical, LAPIC_LOGICAL_X2);
	ck_assert_uint_eq(send(0x0001000f, true, true), 0xfULL << 16);
	ck_assert_uint_eq(send(0x0002ffff, true, true), 0xffULL << 32);
	ck_assert_uint_eq(send(0x0003ffff, true, true), 0);
	ck_assert_uint_eq(send(33, false, true), BIT(33));
	ck_assert_uint_eq(send(0xffffffff, true, true), BIT(40) - 1);
	/* a device can only say 0xff */
	ck_assert_uint_eq(send(0xff, false, false), BIT(40) - 1);
	ck_assert_uint_eq(send(0xff, false, true), 0);
	quirk_off = true;
	build_map();
	ck_assert_uint_eq(send(0xff, false, false), 0);
	ck_assert_uint_eq(send(0xff, true, false), 0xff);
}
END_TEST

START_TEST(mixed_modes)
{
	to_x2(1);
	ck_assert_int_eq(map->logical, LAPIC_LOGICAL_SLOW);
	ck_assert_uint_eq(send(1, false, false), BIT(1));
	ck_assert_uint_eq(send(0x05, true, false), 0x5);
	ck_assert_uint_eq(send(0x02, true, false), BIT(1));	/* cluster 0, bit 1 */
	ck_assert_uint_eq(send(0xff, false, false), 0xf);
	wr(2, LAPIC_DFR, LAPIC_DFR_CLUSTER);
	ck_assert_uint_eq(send(0x01, true, false), 0x1);
}
END_TEST

START_TEST(lowest_priority)
{
	struct lapic_irq irq = {
		.mode = LAPIC_MODE_LOWEST, .vector = 0x55, .dest = 0x0f, .logical = true,
	};
	u64 seen = 0;
	int i, v;

	wr(0, LAPIC_TPR, 0x20);
	wr(1, LAPIC_TPR, 0x10);
	wr(2, LAPIC_TPR, 0x30);
	wr(3, LAPIC_SPIV, 0xff);			/* disabled: no candidate */
	ck_assert_int_eq(lapic_map_deliver(map, NULL, &irq), 1);
	ck_assert_uint_eq(who(0x55), BIT(1));
	irq.mode = LAPIC_MODE_FIXED;
	irq.redirect_hint = true;
	ck_assert_int_eq(lapic_map_deliver(map, NULL, &irq), 1);
	ck_assert_uint_eq(who(0x55), BIT(1));
	/* equals share the vectors */
	for (i = 0; i < 3; i++)
		wr(i, LAPIC_TPR, 0);
	for (v = 0x60; v < 0x70; v++) {
		irq.vector = v;
		ck_assert_int_eq(lapic_map_deliver(map, NULL, &irq), 1);
		seen |= who(v);
	}
	ck_assert_uint_eq(seen, 0x7);
	irq.dest = 0x08;
	ck_assert_int_eq(lapic_map_deliver(map, NULL, &irq), -1);
	irq.dest = 0x80;
	ck_assert_int_eq(lapic_map_deliver(map, NULL, &irq), -1);
}
END_TEST

START_TEST(coalesced_and_busy)
{
	struct lapic_irq irq = { .vector = 0x55, .dest = 3, .logical = true };

	ck_assert(!lapic_map_busy(map, &irq));
	ck_assert_int_eq(lapic_map_deliver(map, NULL, &irq), 2);
	ck_assert_int_eq(lapic_map_deliver(map, NULL, &irq), 0);
	ck_assert(lapic_map_busy(map, &irq));
	lapic_ack(a(0), 0x55);
	ck_assert_int_eq(lapic_map_deliver(map, NULL, &irq), 1);
	lapic_eoi(a(0));
	who(0x55);
	ck_assert(!lapic_map_busy(map, &irq));
}
END_TEST

START_TEST(local_sources)
{
	wr(0, LAPIC_LVT_LINT1, LAPIC_MODE_NMI);
	ck_assert_int_eq(lapic_local_deliver(a(0), LAPIC_LVT_LINT1), 1);
	ck_assert_int_eq(cpus[0].nmi, 1);
	wr(0, LAPIC_LVT_PERF, 0x66);
	a(0)->lvtpc_masks_itself = true;
	ck_assert_int_eq(lapic_local_deliver(a(0), LAPIC_LVT_PERF), 1);
	ck_assert_uint_eq(rd(0, LAPIC_LVT_PERF), 0x66 | LAPIC_LVT_MASKED);
	ck_assert_int_eq(lapic_local_deliver(a(0), LAPIC_LVT_PERF), -1);
	wr(0, LAPIC_LVT_LINT0, LAPIC_MODE_EXTINT);
	ck_assert(lapic_accepts_pic(a(0)));
	wr(0, LAPIC_LVT_LINT0, LAPIC_MODE_EXTINT | LAPIC_LVT_MASKED);
	ck_assert(!lapic_accepts_pic(a(0)));
}
END_TEST

START_TEST(timer_oneshot)
{
	wr(0, LAPIC_TDCR, 0xb);				/* divide by 1 */
	wr(0, LAPIC_LVT_TIMER, 0x40);
	wr(0, LAPIC_TMICT, 1000);
	ck_assert_uint_eq(cpus[0].armed, clock_ns + 1000);
	clock_ns += 400;
	ck_assert_uint_eq(rd(0, LAPIC_TMCCT), 600);
	clock_ns += 600;
	lapic_timer_expired(a(0));
	ck_assert_int_eq(cpus[0].timer, 1);
	ck_assert(lapic_timer_pending(a(0)));
	ck_assert_int_eq(lapic_has_interrupt(a(0)), -1);
	lapic_timer_inject(a(0));
	ck_assert_int_eq(lapic_has_interrupt(a(0)), 0x40);
	ck_assert(!lapic_timer_pending(a(0)));
	ck_assert_uint_eq(rd(0, LAPIC_TMCCT), 0);
	ck_assert_uint_eq(rd(0, LAPIC_TMICT), 1000);
	wr(0, LAPIC_TMICT, 5);
	wr(0, LAPIC_TMICT, 0);				/* stops */
	ck_assert_uint_eq(cpus[0].armed, U64_MAX);
}
END_TEST

START_TEST(timer_divide)
{
	static const u32 code[] = { 0xb, 0, 1, 2, 3, 8, 9, 0xa };
	u32 i;

	for (i = 0; i < ARRAY_SIZE(code); i++) {
		wr(0, LAPIC_TDCR, code[i]);
		wr(0, LAPIC_TMICT, 1000);
		ck_assert_uint_eq(cpus[0].armed, clock_ns + (1000 << i));
	}
	/* a change on the run keeps the count */
	wr(0, LAPIC_TDCR, 0xb);
	wr(0, LAPIC_TMICT, 1000);
	clock_ns += 500;
	wr(0, LAPIC_TDCR, 0);
	ck_assert_uint_eq(rd(0, LAPIC_TMCCT), 500);
	ck_assert_uint_eq(cpus[0].armed, clock_ns + 1000);
	wr(0, LAPIC_TDCR, 0xffffffff);
	ck_assert_uint_eq(rd(0, LAPIC_TDCR), 0xb);
}
END_TEST

START_TEST(timer_periodic)
{
	u64 first;

	wr(0, LAPIC_TDCR, 0xb);
	wr(0, LAPIC_LVT_TIMER, LAPIC_TIMER_PERIODIC | 0x40);
	wr(0, LAPIC_TMICT, 1000000);
	first = cpus[0].armed;
	clock_ns = first;
	lapic_timer_expired(a(0));
	lapic_timer_inject(a(0));
	ck_assert_uint_eq(cpus[0].armed, first + 1000000);
	ck_assert_uint_eq(who(0x40), 1);
	/* late by more than two periods: those are lost, the phase is not */
	clock_ns = first + 3500000;
	ck_assert_uint_eq(rd(0, LAPIC_TMCCT), 500000);
	lapic_timer_expired(a(0));
	lapic_timer_inject(a(0));
	ck_assert_uint_eq(cpus[0].armed, first + 4000000);
	ck_assert_uint_eq(who(0x40), 1);
	/* masked: goes on silently */
	wr(0, LAPIC_LVT_TIMER, LAPIC_TIMER_PERIODIC | LAPIC_LVT_MASKED | 0x40);
	clock_ns = first + 4000000;
	lapic_timer_expired(a(0));
	lapic_timer_inject(a(0));
	ck_assert_uint_eq(cpus[0].armed, first + 5000000);
	ck_assert_uint_eq(who(0x40), 0);
}
END_TEST

static u64 next_period(void)
{
	clock_ns = cpus[0].armed;
	lapic_timer_expired(a(0));
	lapic_timer_inject(a(0));
	return cpus[0].armed - clock_ns;
}

/* No guest may have the host tick more often than the host says. */
START_TEST(timer_min_period)
{
	wr(0, LAPIC_TDCR, 0xb);
	wr(0, LAPIC_LVT_TIMER, LAPIC_TIMER_PERIODIC | 0x40);
	wr(0, LAPIC_TMICT, 1);
	ck_assert_uint_eq(next_period(), 200000);
	min_period = 1000000;
	wr(0, LAPIC_TMICT, 1);
	ck_assert_uint_eq(next_period(), 1000000);
	wr(0, LAPIC_TMICT, 1500000);
	ck_assert_uint_eq(next_period(), 1500000);
	/* a one-shot timer that becomes periodic */
	wr(0, LAPIC_LVT_TIMER, 0x40);
	wr(0, LAPIC_TMICT, 1000);
	wr(0, LAPIC_LVT_TIMER, LAPIC_TIMER_PERIODIC | 0x40);
	ck_assert_uint_eq(next_period(), 1000000);
	/* the host may allow anything */
	min_period = 0;
	wr(0, LAPIC_TMICT, 1);
	ck_assert_uint_eq(next_period(), 1);
}
END_TEST

START_TEST(timer_tsc)
{
	lapic_timer_write_tsc(a(0), 9000);		/* not in that mode */
	ck_assert_uint_eq(lapic_timer_read_tsc(a(0)), 0);
	wr(0, LAPIC_LVT_TIMER, LAPIC_TIMER_TSC | 0x40);
	lapic_timer_write_tsc(a(0), 9000);
	ck_assert_uint_eq(cpus[0].armed_tsc, 9000);
	ck_assert_uint_eq(lapic_timer_read_tsc(a(0)), 9000);
	ck_assert_uint_eq(a(0)->timer.due, 0);
	wr(0, LAPIC_TMICT, 1000);			/* ignored */
	ck_assert_uint_eq(rd(0, LAPIC_TMICT), 0);
	tsc = 9000;
	lapic_timer_expired(a(0));
	ck_assert_uint_eq(lapic_timer_read_tsc(a(0)), 0);
	ck_assert_uint_eq(a(0)->timer.due, 9000);	/* no entry before that */
	ck_assert_uint_eq(who(0x40), 1);
	lapic_timer_write_tsc(a(0), 100);		/* past: at once */
	ck_assert_uint_eq(lapic_timer_read_tsc(a(0)), 0);
	ck_assert_uint_eq(who(0x40), 1);
	lapic_timer_write_tsc(a(0), 10000);
	lapic_timer_write_tsc(a(0), 0);
	ck_assert_uint_eq(cpus[0].armed_tsc, 0);
	/* leaving the mode disarms */
	lapic_timer_write_tsc(a(0), 10000);
	wr(0, LAPIC_LVT_TIMER, 0x40);
	ck_assert_uint_eq(cpus[0].armed_tsc, 0);
	a(1)->tsc_allowed = false;
	wr(1, LAPIC_LVT_TIMER, LAPIC_TIMER_TSC | 0x40);
	ck_assert_uint_eq(rd(1, LAPIC_LVT_TIMER), 0x40);
}
END_TEST

START_TEST(expiry_before_reprogramming_counts)
{
	wr(0, LAPIC_LVT_TIMER, LAPIC_TIMER_TSC | 0x40);
	lapic_timer_write_tsc(a(0), 9000);
	lapic_timer_expired(a(0));
	lapic_timer_write_tsc(a(0), 20000);
	ck_assert_uint_eq(who(0x40), 1);
	ck_assert_uint_eq(lapic_timer_read_tsc(a(0)), 20000);
	ck_assert(!lapic_timer_pending(a(0)));
}
END_TEST

START_TEST(state_round_trip)
{
	struct kvm_lapic_state s, s2;

	wr(1, LAPIC_TDCR, 0xb);
	wr(1, LAPIC_LVT_TIMER, LAPIC_TIMER_PERIODIC | 0x40);
	wr(1, LAPIC_TMICT, 1000000);
	wr(1, LAPIC_TPR, 0x10);
	fixed(1, 0x81, true);
	lapic_ack(a(1), 0x81);
	fixed(1, 0x91, false);
	clock_ns += 250000;
	lapic_get_state(a(1), &s, false);
	ck_assert_uint_eq(*(u32 *)(s.regs + LAPIC_TMCCT), 750000);
	ck_assert_uint_eq(*(u32 *)(s.regs + LAPIC_PPR), 0x80);
	ck_assert_uint_eq(*(u32 *)(s.regs + LAPIC_ID), 0x01000000);

	lapic_reset(a(1), false);
	ck_assert_int_eq(lapic_set_state(a(1), &s, false), 0);
	lapic_get_state(a(1), &s2, false);
	ck_assert_int_eq(memcmp(&s, &s2, sizeof(s)), 0);
	ck_assert_uint_eq(cpus[1].armed, clock_ns + 750000);
	ck_assert_int_eq(lapic_has_interrupt(a(1)), 0x91);
	lapic_eoi(a(1));
	ck_assert_int_eq(cpus[1].last_eoi, 0x81);
	ck_assert(cpus[1].last_level);
	ck_assert_uint_eq(send(0x02, true, false), BIT(1));	/* LDR is back in the map */
}
END_TEST

START_TEST(state_saves_pending_timer)
{
	struct kvm_lapic_state s;

	wr(0, LAPIC_LVT_TIMER, 0x40);
	wr(0, LAPIC_TMICT, 100);
	lapic_timer_expired(a(0));
	lapic_get_state(a(0), &s, false);
	ck_assert_uint_eq(*(u32 *)(s.regs + LAPIC_IRR + 0x20), 1);
}
END_TEST

START_TEST(state_ids)
{
	struct kvm_lapic_state s;

	to_x2(3);
	lapic_get_state(a(3), &s, true);
	ck_assert_uint_eq(*(u32 *)(s.regs + LAPIC_ID), 3);
	ck_assert_int_eq(lapic_set_state(a(3), &s, true), 0);
	*(u32 *)(s.regs + LAPIC_ID) = 4;
	ck_assert_int_eq(lapic_set_state(a(3), &s, true), -EINVAL);
	lapic_get_state(a(3), &s, false);
	ck_assert_uint_eq(*(u32 *)(s.regs + LAPIC_ID), 0x03000000);
	ck_assert_int_eq(lapic_set_state(a(3), &s, false), 0);
	ck_assert_uint_eq(lapic_reg(a(3), LAPIC_ID), 3);
	ck_assert_uint_eq(lapic_reg(a(3), LAPIC_LDR), 8);
}
END_TEST

START_TEST(state_is_sanitised)
{
	struct kvm_lapic_state s;
	u32 off;

	memset(&s, 0xff, sizeof(s));
	ck_assert_int_eq(lapic_set_state(a(0), &s, false), 0);
	for (off = LAPIC_LVT_TIMER; off <= LAPIC_LVT_ERROR; off += 0x10)
		ck_assert_uint_eq(lapic_reg(a(0), off) & 0xfffe0000 & ~LAPIC_TIMER_MODE, 0);
	ck_assert_uint_eq(lapic_reg(a(0), LAPIC_TPR), 0xff);
	ck_assert_uint_eq(rd(0, LAPIC_VERSION), 0x00050014);
	ck_assert_int_eq(lapic_has_interrupt(a(0)), -1);
	memset(&s, 0, sizeof(s));
	ck_assert_int_eq(lapic_set_state(a(0), &s, false), 0);
	ck_assert_uint_eq(rd(0, LAPIC_TMCCT), 0);
}
END_TEST

START_TEST(msi)
{
	struct lapic_irq irq;

	msi_decode(0xfee0500c, 0x12345600, 0xc161, false, &irq);
	ck_assert_uint_eq(irq.dest, 5);
	ck_assert_uint_eq(irq.vector, 0x61);
	ck_assert_uint_eq(irq.mode, LAPIC_MODE_LOWEST);
	ck_assert(irq.logical && irq.redirect_hint && irq.level);
	msi_decode(0xfee05000, 0x12345600, 0x61, true, &irq);
	ck_assert_uint_eq(irq.dest, 0x12345605);
	ck_assert(!irq.logical && !irq.redirect_hint && !irq.level);
	/* an unused pin of a split I/O APIC reaches nobody */
	msi_decode(0, 0, 0, false, &irq);
	ck_assert_int_eq(lapic_map_deliver(map, NULL, &irq), -1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("lapic");
	TCase *t = tcase_create("lapic");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, priorities);
	tcase_add_test(t, vector_while_in_service);
	tcase_add_test(t, request_while_hint_is_dropped);
	tcase_add_test(t, posted_vectors);
	tcase_add_test(t, hardware_serves);
	tcase_add_test(t, hardware_writes_are_finished);
	tcase_add_test(t, level_eoi_and_tmr);
	tcase_add_test(t, eoi_broadcast_suppression);
	tcase_add_test(t, software_disable);
	tcase_add_test(t, errors);
	tcase_add_test(t, mmio_access_rules);
	tcase_add_test(t, x2_access_rules);
	tcase_add_test(t, base_transitions);
	tcase_add_test(t, reset_and_init);
	tcase_add_test(t, init_sipi);
	tcase_add_test(t, shorthands);
	tcase_add_test(t, physical_destinations);
	tcase_add_test(t, logical_flat);
	tcase_add_test(t, logical_cluster);
	tcase_add_test(t, logical_x2);
	tcase_add_test(t, mixed_modes);
	tcase_add_test(t, lowest_priority);
	tcase_add_test(t, coalesced_and_busy);
	tcase_add_test(t, local_sources);
	tcase_add_test(t, timer_oneshot);
	tcase_add_test(t, timer_divide);
	tcase_add_test(t, timer_periodic);
	tcase_add_test(t, timer_min_period);
	tcase_add_test(t, timer_tsc);
	tcase_add_test(t, expiry_before_reprogramming_counts);
	tcase_add_test(t, state_round_trip);
	tcase_add_test(t, state_saves_pending_timer);
	tcase_add_test(t, state_ids);
	tcase_add_test(t, state_is_sanitised);
	tcase_add_test(t, msi);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
