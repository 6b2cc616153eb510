// SPDX-License-Identifier: GPL-2.0
/*
 * The PIT: counts and outputs against a clock that the test turns, access
 * modes, latches, the speaker port, IRQ 0 and reinjection, saving.
 */
#include <check.h>
#include "pit.h"

static struct pit pit;
static u64 clock_ns, armed, period;
static int pulses;

static u64 on_now(void *owner)
{
	return clock_ns;
}

static void on_arm(void *owner, u64 first, u64 p)
{
	armed = first;
	period = p;
}

static void on_pulse(void *owner)
{
	pulses++;
}

static const struct pit_ops ops = { .now = on_now, .arm = on_arm, .pulse = on_pulse };

/* Turn the clock on by @n counter clocks, a little into the next one. */
static void clocks(u64 n)
{
	clock_ns += (n * 1000000000 + PIT_HZ - 1) / PIT_HZ;
}

static void setup(void)
{
	clock_ns = 1000000000;
	armed = U64_MAX;
	period = 0;
	pulses = 0;
	pit_init(&pit, &ops, NULL);
}

static void load(int chan, int mode, u32 count)
{
	pit_write(&pit, 0x43, chan << 6 | 0x30 | mode << 1);
	pit_write(&pit, 0x40 + chan, count);
	pit_write(&pit, 0x40 + chan, count >> 8);
}

static u16 count(int chan)
{
	u8 lo;

	pit_write(&pit, 0x43, chan << 6);
	lo = pit_read(&pit, 0x40 + chan);
	return lo | pit_read(&pit, 0x40 + chan) << 8;
}

START_TEST(mode0_counts_through_zero)
{
	load(2, 0, 1000);
	ck_assert_uint_eq(count(2), 1000);
	clocks(400);
	ck_assert_uint_eq(count(2), 600);
	ck_assert_uint_eq(pit_speaker_read(&pit) & 0x20, 0);
	clocks(600);
	ck_assert_uint_eq(count(2), 0);
	ck_assert_uint_eq(pit_speaker_read(&pit) & 0x20, 0x20);
	clocks(10);
	ck_assert_uint_eq(count(2), 65536 - 10);
	ck_assert_uint_eq(pit_speaker_read(&pit) & 0x20, 0x20);
}
END_TEST

START_TEST(mode2_and_3_are_periodic)
{
	load(1, 2, 100);
	clocks(130);
	ck_assert_uint_eq(count(1), 70);
	load(2, 3, 100);
	clocks(20);
	ck_assert_uint_eq(count(2), 60);	/* by two */
	ck_assert_uint_ne(pit_speaker_read(&pit) & 0x20, 0);
	clocks(40);
	ck_assert_uint_eq(count(2), 80);	/* second half */
	ck_assert_uint_eq(pit_speaker_read(&pit) & 0x20, 0);
}
END_TEST

START_TEST(gate_restarts_mode3_not_mode0)
{
	pit_speaker_write(&pit, 1);
	load(2, 3, 1000);
	clocks(100);
	pit_speaker_write(&pit, 0);
	clocks(50);
	pit_speaker_write(&pit, 1);
	ck_assert_uint_eq(count(2), 1000);
	load(2, 0, 1000);
	clocks(100);
	pit_speaker_write(&pit, 0);
	pit_speaker_write(&pit, 1);
	ck_assert_uint_eq(count(2), 900);
	ck_assert_uint_eq(pit_speaker_read(&pit) & 3, 1);
	pit_speaker_write(&pit, 3);
	ck_assert_uint_eq(pit_speaker_read(&pit) & 3, 3);
}
END_TEST

START_TEST(refresh_toggles)
{
	u8 a = pit_speaker_read(&pit) & 0x10;

	clock_ns += 1 << 14;
	ck_assert_uint_ne(pit_speaker_read(&pit) & 0x10, a);
}
END_TEST

START_TEST(access_modes)
{
	pit_write(&pit, 0x43, 0x94);		/* channel 2, LSB, mode 2 */
	pit_write(&pit, 0x42, 0x40);
	ck_assert_uint_eq(pit_read(&pit, 0x42), 0x40);
	clocks(0x10);
	ck_assert_uint_eq(pit_read(&pit, 0x42), 0x30);
	pit_write(&pit, 0x43, 0xa4);		/* MSB */
	pit_write(&pit, 0x42, 0x12);
	ck_assert_uint_eq(pit_read(&pit, 0x42), 0x12);
	ck_assert_uint_eq(pit.chan[2].count, 0x1200);
	load(2, 2, 0);				/* 0 is 65536 */
	clocks(1);
	ck_assert_uint_eq(count(2), 65535);
}
END_TEST

START_TEST(latch_holds_until_read)
{
	u8 lo;

	load(2, 2, 1000);
	clocks(100);
	pit_write(&pit, 0x43, 0x80);
	clocks(100);
	pit_write(&pit, 0x43, 0x80);		/* ignored: one is held already */
	lo = pit_read(&pit, 0x42);
	ck_assert_uint_eq(lo | pit_read(&pit, 0x42) << 8, 900);
	lo = pit_read(&pit, 0x42);
	ck_assert_uint_eq(lo | pit_read(&pit, 0x42) << 8, 800);
}
END_TEST

START_TEST(read_back)
{
	u8 lo;

	load(2, 3, 1000);
	clocks(10);
	pit_write(&pit, 0x43, 0xc8);		/* count and status of channel 2 */
	ck_assert_uint_eq(pit_read(&pit, 0x42), 0x80 | 0x30 | 3 << 1);
	lo = pit_read(&pit, 0x42);
	ck_assert_uint_eq(lo | pit_read(&pit, 0x42) << 8, 980);
	ck_assert_uint_eq(pit_read(&pit, 0x43), 0);
}
END_TEST

START_TEST(channel0_drives_irq0)
{
	load(0, 2, 11932);			/* 100 Hz */
	ck_assert_uint_eq(armed, 1000000000 + 10000150);
	ck_assert_uint_eq(period, 10000150);
	pit_write(&pit, 0x43, 0x30);		/* new mode: stops until loaded */
	ck_assert_uint_eq(armed, U64_MAX);
	load(0, 0, 11932);
	ck_assert_uint_eq(armed, clock_ns + 10000150);
	ck_assert_uint_eq(period, 0);
	load(0, 1, 11932);			/* waits for a gate that is tied high */
	ck_assert_uint_eq(armed, U64_MAX);
}
END_TEST

START_TEST(reinject_sends_every_tick)
{
	load(0, 2, 1193);
	pit_tick(&pit, 1);
	ck_assert_int_eq(pulses, 1);
	pit_tick(&pit, 1);
	pit_tick(&pit, 2);
	ck_assert_int_eq(pulses, 1);		/* not served yet */
	pit_acked(&pit);
	pit_acked(&pit);
	ck_assert_int_eq(pulses, 3);
	pit_acked(&pit);
	ck_assert_int_eq(pulses, 4);
	pit_acked(&pit);
	ck_assert_int_eq(pulses, 4);
	pit_tick(&pit, 1);
	ck_assert_int_eq(pulses, 5);
}
END_TEST

START_TEST(unmask_starts_afresh)
{
	load(0, 2, 1193);
	pit_tick(&pit, 100);
	pit_reset_reinject(&pit);
	pit_tick(&pit, 1);
	ck_assert_int_eq(pulses, 2);
	pit_acked(&pit);
	ck_assert_int_eq(pulses, 2);
}
END_TEST

START_TEST(no_reinject_coalesces)
{
	pit_set_reinject(&pit, false);
	load(0, 2, 1193);
	pit_tick(&pit, 1);
	pit_tick(&pit, 3);
	ck_assert_int_eq(pulses, 2);
	pit_acked(&pit);
	ck_assert_int_eq(pulses, 2);
}
END_TEST

START_TEST(state_round_trip)
{
	struct kvm_pit_state2 a, b;
	u64 was;

	load(0, 2, 11932);
	load(2, 3, 4321);
	pit_write(&pit, 0x42, 0x99);		/* half a count */
	pit_speaker_write(&pit, 3);
	was = armed;
	clocks(500);
	pit_write(&pit, 0x43, 0x80);
	pit_get_state(&pit, &a);
	ck_assert_uint_eq(a.flags, KVM_PIT_FLAGS_SPEAKER_DATA_ON);
	ck_assert_int_eq(a.channels[0].count_load_time, 1000000000);

	pit_init(&pit, &ops, NULL);
	armed = 0;
	ck_assert_int_eq(pit_set_state(&pit, &a), 0);
	pit_get_state(&pit, &b);
	ck_assert_int_eq(memcmp(&a, &b, sizeof(a)), 0);
	ck_assert_uint_eq(armed, was);		/* the phase goes on */

	clocks(11932 * 3);
	ck_assert_int_eq(pit_set_state(&pit, &a), 0);
	ck_assert_uint_eq(armed, was + 3 * period);
}
END_TEST

START_TEST(bad_state_is_refused)
{
	struct kvm_pit_state2 a, b;

	pit_get_state(&pit, &a);
	b = a;
	b.channels[1].count = 0x10001;
	ck_assert_int_eq(pit_set_state(&pit, &b), -EINVAL);
	b = a;
	b.channels[2].mode = 8;
	ck_assert_int_eq(pit_set_state(&pit, &b), -EINVAL);
	pit_get_state(&pit, &b);
	ck_assert_int_eq(memcmp(&a, &b, sizeof(a)), 0);
	/* absurd times and a zero count do no harm */
	memset(&a, 0, sizeof(a));
	a.channels[0].count_load_time = LLONG_MIN;
	a.channels[2].count_load_time = LLONG_MAX;
	a.channels[0].mode = 6;
	ck_assert_int_eq(pit_set_state(&pit, &a), 0);
	count(0);
	count(2);
}
END_TEST

START_TEST(hpet_takes_irq0)
{
	struct kvm_pit_state2 a;

	load(0, 2, 11932);
	pit_get_state(&pit, &a);
	a.flags |= KVM_PIT_FLAGS_HPET_LEGACY;
	pit_set_state(&pit, &a);
	ck_assert_uint_eq(armed, U64_MAX);
	a.flags = 0;
	pit_set_state(&pit, &a);
	ck_assert_uint_ne(armed, U64_MAX);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("pit");
	TCase *t = tcase_create("pit");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, mode0_counts_through_zero);
	tcase_add_test(t, mode2_and_3_are_periodic);
	tcase_add_test(t, gate_restarts_mode3_not_mode0);
	tcase_add_test(t, refresh_toggles);
	tcase_add_test(t, access_modes);
	tcase_add_test(t, latch_holds_until_read);
	tcase_add_test(t, read_back);
	tcase_add_test(t, channel0_drives_irq0);
	tcase_add_test(t, reinject_sends_every_tick);
	tcase_add_test(t, unmask_starts_afresh);
	tcase_add_test(t, no_reinject_coalesces);
	tcase_add_test(t, state_round_trip);
	tcase_add_test(t, bad_state_is_refused);
	tcase_add_test(t, hpet_takes_irq0);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
