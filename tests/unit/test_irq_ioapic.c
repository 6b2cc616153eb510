// SPDX-License-Identifier: GPL-2.0
/*
 * The I/O APIC: edge and level pins, remote IRR, masks, EOI, the storm guard,
 * RTC coalescing, registers, saving.
 */
#include <check.h>
#include "ioapic.h"

static struct ioapic io;
static struct lapic_irq last;
static int delivered, answer, retries, mask_events, vector_events;
static bool busy;

static int on_deliver(void *owner, const struct lapic_irq *irq)
{
	last = *irq;
	delivered++;
	return answer;
}

static bool on_busy(void *owner, const struct lapic_irq *irq)
{
	return busy;
}

static void on_retry(void *owner)
{
	retries++;
}

static void on_masked(void *owner, unsigned int pin, bool masked)
{
	mask_events += masked ? 100 : 1;
}

static void on_vectors(void *owner)
{
	vector_events++;
}

static const struct ioapic_ops ops = {
	.deliver = on_deliver, .busy = on_busy, .retry_later = on_retry, .masked = on_masked,
	.vectors = on_vectors,
};

static void setup(void)
{
	ioapic_init(&io, &ops, NULL);
	delivered = retries = mask_events = vector_events = 0;
	answer = 1;
	busy = false;
}

static u32 rd(u32 reg)
{
	u32 val = 0xdeadbeef;

	ioapic_write(&io, IOAPIC_SELECT, 4, &reg);
	ioapic_read(&io, IOAPIC_WINDOW, 4, &val);
	return val;
}

static void wr(u32 reg, u32 val)
{
	ioapic_write(&io, IOAPIC_SELECT, 4, &reg);
	ioapic_write(&io, IOAPIC_WINDOW, 4, &val);
}

static void program(int pin, u64 rte)
{
	wr(0x10 + pin * 2 + 1, rte >> 32);
	wr(0x10 + pin * 2, rte);
}

static void eoi(u8 vector)
{
	u32 pins = ioapic_eoi_pins(&io, vector);
	int pin;

	for (pin = 0; pin < IOAPIC_NR_PINS; pin++)
		if (pins & BIT(pin))
			ioapic_eoi_finish(&io, pin, vector);
}

START_TEST(registers)
{
	ck_assert_uint_eq(rd(IOAPIC_REG_VERSION), 0x00170011);
	wr(IOAPIC_REG_ID, 0x05000000);
	ck_assert_uint_eq(rd(IOAPIC_REG_ID), 0x05000000);
	ck_assert_uint_eq(rd(IOAPIC_REG_ARB), 0x05000000);
	ck_assert_uint_eq(rd(0x10), 0x10000);		/* masked at reset */
	wr(0x10, 0xffffffff);
	ck_assert_uint_eq(rd(0x10), 0x1ffff & ~(IOAPIC_RTE_PENDING | IOAPIC_RTE_REMOTE_IRR));
	wr(0x11, 0xffffffff);
	ck_assert_uint_eq(rd(0x11), 0xff000000);
	ck_assert_uint_eq(rd(0x10 + 48), 0);		/* beyond the last pin */
	wr(0xff, 0xffffffff);
	ck_assert_uint_eq(rd(0xff), 0);
}
END_TEST

START_TEST(message_fields)
{
	program(4, (0x5aULL << 56) | IOAPIC_RTE_LOGICAL | LAPIC_MODE_LOWEST | 0x61);
	ck_assert_int_eq(ioapic_set_irq(&io, 4, 0, true, false), 1);
	ck_assert_uint_eq(last.dest, 0x5a);
	ck_assert_uint_eq(last.vector, 0x61);
	ck_assert_uint_eq(last.mode, LAPIC_MODE_LOWEST);
	ck_assert(last.logical && !last.level && last.assert && !last.wide);
}
END_TEST

START_TEST(edge)
{
	program(1, 0x31);
	ck_assert_int_eq(ioapic_set_irq(&io, 1, 0, true, false), 1);
	ck_assert_int_eq(ioapic_set_irq(&io, 1, 0, true, false), 0);	/* no new edge */
	ck_assert_int_eq(delivered, 1);
	ck_assert_int_eq(ioapic_set_irq(&io, 1, 0, false, false), 1);
	answer = 0;
	ck_assert_int_eq(ioapic_set_irq(&io, 1, 0, true, false), 0);	/* coalesced in IRR */
	ck_assert_int_eq(delivered, 2);
	ck_assert_uint_eq(rd(0x12) & IOAPIC_RTE_REMOTE_IRR, 0);
	ioapic_set_irq(&io, 1, 0, false, false);
	answer = -1;
	ck_assert_int_eq(ioapic_set_irq(&io, 1, 0, true, false), -1);
}
END_TEST

START_TEST(masked_edge_is_lost)
{
	program(1, 0x31 | IOAPIC_RTE_MASKED);
	ck_assert_int_eq(ioapic_set_irq(&io, 1, 0, true, false), -1);
	program(1, 0x31);
	ck_assert_int_eq(delivered, 0);
	ck_assert_int_eq(mask_events, 1);
	wr(0x12, 0x31 | IOAPIC_RTE_MASKED);
	ck_assert_int_eq(mask_events, 101);
}
END_TEST

START_TEST(level_and_remote_irr)
{
	program(10, 0x41 | IOAPIC_RTE_LEVEL);
	ck_assert_int_eq(ioapic_set_irq(&io, 10, 0, true, false), 1);
	ck_assert(last.level);
	ck_assert_uint_eq(rd(0x24) & IOAPIC_RTE_REMOTE_IRR, IOAPIC_RTE_REMOTE_IRR);
	ck_assert_int_eq(ioapic_set_irq(&io, 10, 1, true, false), 0);
	ck_assert_int_eq(delivered, 1);
	eoi(0x40);					/* another vector */
	ck_assert_int_eq(delivered, 1);
	eoi(0x41);					/* still high: again */
	ck_assert_int_eq(delivered, 2);
	ioapic_set_irq(&io, 10, 0, false, false);
	eoi(0x41);					/* source 1 holds it */
	ck_assert_int_eq(delivered, 3);
	ioapic_clear_source(&io, 1);
	eoi(0x41);
	ck_assert_int_eq(delivered, 3);
	ck_assert_uint_eq(rd(0x24) & IOAPIC_RTE_REMOTE_IRR, 0);
}
END_TEST

START_TEST(level_lost_if_nobody_takes_it)
{
	program(10, 0x41 | IOAPIC_RTE_LEVEL);
	answer = -1;
	ck_assert_int_eq(ioapic_set_irq(&io, 10, 0, true, false), -1);
	ck_assert_uint_eq(rd(0x24) & IOAPIC_RTE_REMOTE_IRR, 0);
	answer = 0;	/* the vector was pending from elsewhere: its EOI ends ours, too */
	ioapic_set_irq(&io, 10, 0, true, false);
	ck_assert_uint_ne(rd(0x24) & IOAPIC_RTE_REMOTE_IRR, 0);
}
END_TEST

START_TEST(unmask_delivers_level)
{
	program(10, 0x41 | IOAPIC_RTE_LEVEL | IOAPIC_RTE_MASKED);
	ck_assert_int_eq(ioapic_set_irq(&io, 10, 0, true, false), -1);
	wr(0x24, 0x41 | IOAPIC_RTE_LEVEL);
	ck_assert_int_eq(delivered, 1);
	/* mask, EOI, unmask: what Linux does for threaded handlers */
	wr(0x24, 0x41 | IOAPIC_RTE_LEVEL | IOAPIC_RTE_MASKED);
	eoi(0x41);
	ck_assert_int_eq(delivered, 1);
	wr(0x24, 0x41 | IOAPIC_RTE_LEVEL);
	ck_assert_int_eq(delivered, 2);
}
END_TEST

START_TEST(edge_switch_clears_remote_irr)
{
	program(10, 0x41 | IOAPIC_RTE_LEVEL);
	ioapic_set_irq(&io, 10, 0, true, false);
	wr(0x24, 0x41 | IOAPIC_RTE_MASKED);
	ck_assert_uint_eq(rd(0x24) & IOAPIC_RTE_REMOTE_IRR, 0);
	wr(0x24, 0x41 | IOAPIC_RTE_LEVEL);
	ck_assert_int_eq(delivered, 2);
}
END_TEST

START_TEST(guest_cannot_write_status)
{
	program(10, 0x41 | IOAPIC_RTE_LEVEL);
	ioapic_set_irq(&io, 10, 0, true, false);
	wr(0x24, 0x41 | IOAPIC_RTE_LEVEL);		/* without the bit */
	ck_assert_uint_ne(rd(0x24) & IOAPIC_RTE_REMOTE_IRR, 0);
	ck_assert_int_eq(delivered, 1);
	program(11, 0x42 | IOAPIC_RTE_LEVEL | IOAPIC_RTE_REMOTE_IRR);
	ck_assert_uint_eq(rd(0x26) & IOAPIC_RTE_REMOTE_IRR, 0);
}
END_TEST

START_TEST(storm_is_slowed)
{
	int i;

	program(10, 0x41 | IOAPIC_RTE_LEVEL);
	ioapic_set_irq(&io, 10, 0, true, false);
	for (i = 0; i < IOAPIC_STORM_EOIS - 1; i++)
		eoi(0x41);
	ck_assert_int_eq(delivered, IOAPIC_STORM_EOIS);
	ck_assert_int_eq(retries, 0);
	eoi(0x41);
	ck_assert_int_eq(delivered, IOAPIC_STORM_EOIS);
	ck_assert_int_eq(retries, 1);
	ioapic_retry(&io);
	ck_assert_int_eq(delivered, IOAPIC_STORM_EOIS + 1);
}
END_TEST

START_TEST(rtc_reports_lost_ticks)
{
	program(8, 0x38);
	ck_assert_int_eq(ioapic_set_irq(&io, 8, 0, true, true), 1);
	ioapic_set_irq(&io, 8, 0, false, true);
	busy = true;
	ck_assert_int_eq(ioapic_set_irq(&io, 8, 0, true, true), 0);
	ck_assert_int_eq(delivered, 1);
	ioapic_set_irq(&io, 8, 0, false, true);
	busy = false;
	ck_assert_int_eq(ioapic_set_irq(&io, 8, 0, true, true), 1);
	/* who does not ask gets no such service */
	ioapic_set_irq(&io, 8, 0, false, false);
	busy = true;
	ck_assert_int_eq(ioapic_set_irq(&io, 8, 0, true, false), 1);
}
END_TEST

START_TEST(vector_index)
{
	ck_assert(!ioapic_handles_vector(&io, 0x41));
	program(10, 0x41 | IOAPIC_RTE_LEVEL);
	ck_assert(ioapic_handles_vector(&io, 0x41));
	ck_assert_uint_eq(ioapic_eoi_pins(&io, 0x41), BIT(10));
	ck_assert_int_eq(vector_events, 1);
	program(10, 0x41 | IOAPIC_RTE_LEVEL | IOAPIC_RTE_MASKED);
	ck_assert_int_eq(vector_events, 1);		/* the same vectors as before */
	program(10, 0xf1);
	ck_assert_int_eq(vector_events, 2);
	ck_assert(!ioapic_handles_vector(&io, 0x41));
	ck_assert(ioapic_handles_vector(&io, 0xf1));
}
END_TEST

START_TEST(state_round_trip)
{
	struct kvm_ioapic_state a, b;

	wr(IOAPIC_REG_ID, 0x02000000);
	program(10, (3ULL << 56) | 0x41 | IOAPIC_RTE_LEVEL);
	program(11, 0x51 | IOAPIC_RTE_LEVEL | IOAPIC_RTE_MASKED);
	program(4, 0x61);
	ioapic_set_irq(&io, 10, 0, true, false);
	ioapic_set_irq(&io, 11, 0, true, false);
	ioapic_get_state(&io, &a);
	ck_assert_uint_eq(a.base_address, 0xfec00000);
	ck_assert_uint_eq(a.irr, BIT(10) | BIT(11));
	ck_assert_uint_eq(a.redirtbl[10].fields.remote_irr, 1);
	ck_assert_uint_eq(a.redirtbl[10].fields.dest_id, 3);

	setup();
	ioapic_set_state(&io, &a);
	ioapic_get_state(&io, &b);
	ck_assert_int_eq(memcmp(&a, &b, sizeof(a)), 0);
	ck_assert_int_eq(delivered, 0);			/* in service, or masked */
	eoi(0x41);
	ck_assert_int_eq(delivered, 1);
	ioapic_set_irq(&io, 10, 0, false, false);
	eoi(0x41);
	ck_assert_int_eq(delivered, 1);
	ck_assert(ioapic_handles_vector(&io, 0x61));
}
END_TEST

START_TEST(restore_delivers_what_waits)
{
	struct kvm_ioapic_state st;

	ioapic_get_state(&io, &st);
	st.redirtbl[9].bits = 0x49 | IOAPIC_RTE_LEVEL;
	st.irr = BIT(9) | 0xff000000;
	ioapic_set_state(&io, &st);
	ck_assert_int_eq(delivered, 1);
	ck_assert_uint_eq(last.vector, 0x49);
	ck_assert_uint_eq(io.irr, BIT(9));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ioapic");
	TCase *t = tcase_create("ioapic");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, registers);
	tcase_add_test(t, message_fields);
	tcase_add_test(t, edge);
	tcase_add_test(t, masked_edge_is_lost);
	tcase_add_test(t, level_and_remote_irr);
	tcase_add_test(t, level_lost_if_nobody_takes_it);
	tcase_add_test(t, unmask_delivers_level);
	tcase_add_test(t, edge_switch_clears_remote_irr);
	tcase_add_test(t, guest_cannot_write_status);
	tcase_add_test(t, storm_is_slowed);
	tcase_add_test(t, rtc_reports_lost_ticks);
	tcase_add_test(t, vector_index);
	tcase_add_test(t, state_round_trip);
	tcase_add_test(t, restore_delivers_what_waits);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
