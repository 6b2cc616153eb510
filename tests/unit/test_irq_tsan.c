// SPDX-License-Identifier: GPL-2.0
/*
 * The local APIC's lock-free delivery with real threads, under
 * ThreadSanitizer: senders request vectors while the owner takes and ends
 * them. Every request that was accepted as new must be taken exactly once:
 * a hint that goes astray shows as one that never is.
 */
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include "lapic.h"

#define SENDERS		3
#define WANTED		20000
#define ROUNDS		10000

static struct lapic apic;
static u8 page[LAPIC_PAGE_SIZE] __aligned(64);
static struct lapic_map *map;
static int running, kicked;
static struct lapic_posted posted;
static u64 accepted[SENDERS], nmis;
static u64 taken;

u64 lapic_host_min_period(struct lapic *l)
{
	return 0;
}

u64 lapic_host_now(struct lapic *l)
{
	return 0;
}

void lapic_host_arm(struct lapic *l, u64 ns)
{
}

bool lapic_host_arm_tsc(struct lapic *l, u64 deadline)
{
	return true;
}

void lapic_host_kick(struct lapic *l, enum lapic_kick why)
{
	if (why == LAPIC_KICK_NMI)
		__atomic_fetch_add(&nmis, 1, __ATOMIC_RELAXED);
	if (why == LAPIC_KICK_POSTED)
		__atomic_store_n(&kicked, 1, __ATOMIC_SEQ_CST);
}

void lapic_host_eoi(struct lapic *l, u8 vector, bool level)
{
}

void lapic_host_send(struct lapic *l, const struct lapic_irq *irq)
{
}

void lapic_host_map_changed(struct lapic *l)
{
}

void lapic_host_enable_changed(struct lapic *l)
{
}

/* Between two accesses of one thread others get in, on one processor or many. */
void step(void)
{
	static __thread unsigned int seed;
	unsigned int n;

	if (!seed)
		seed = (unsigned long)&seed;	/* another one for each thread */
	seed = seed * 1103515245 + 12345;
	n = seed >> 16;
	if (!(n & 7))
		sched_yield();
	for (n = n >> 3 & 0xff; n; n--)
		__asm__ volatile("pause");
}

/* Edge interrupts of few vectors, so that they meet in the same words. */
static void *sender(void *arg)
{
	long me = (long)arg;
	struct lapic_irq irq = { .dest = 0, .mode = LAPIC_MODE_FIXED };
	int i;

	for (i = 0; accepted[me] < WANTED; i++) {
		irq.vector = 0x40 + (i * 7 + me * 3) % 0x60;
		if (lapic_map_deliver(map, NULL, &irq) > 0)
			accepted[me]++;
		else
			sched_yield();	/* all pending: let the owner take some */
	}
	__atomic_fetch_sub(&running, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void take_all(void)
{
	int vector;

	while ((vector = lapic_has_interrupt(&apic)) >= 0) {
		lapic_ack(&apic, vector);
		lapic_eoi(&apic);
		taken++;
	}
}

static void power_up(void)
{
	lapic_init(&apic, NULL, page, 0, true);
	lapic_reset(&apic, false);
	lapic_put_reg(&apic, LAPIC_SPIV, 0x1ff);
	map = calloc(1, lapic_map_size(1, 0));
	lapic_map_init(map, 0, false);
	lapic_map_add(map, &apic);
	running = SENDERS;
	taken = 0;
	memset(accepted, 0, sizeof(accepted));
}

static void start(pthread_t *t, void *(*thread)(void *))
{
	long i;

	for (i = 0; i < SENDERS; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, thread, (void *)i), 0);
}

static u64 join(pthread_t *t)
{
	u64 sum = 0;
	int i;

	for (i = 0; i < SENDERS; i++) {
		pthread_join(t[i], NULL);
		sum += accepted[i];
	}
	return sum;
}

START_TEST(no_request_is_lost)
{
	pthread_t t[SENDERS];
	u64 sum;

	power_up();
	start(t, sender);
	while (__atomic_load_n(&running, __ATOMIC_SEQ_CST))
		take_all();
	sum = join(t);
	take_all();
	ck_assert_uint_eq(taken, sum);
	ck_assert_uint_eq(sum, SENDERS * WANTED);
	free(map);
}
END_TEST

/*
 * Vectors that are posted. The owner looks only after a kick, as one that sleeps. Senders
 * go in rounds: each posts one vector, and the next round begins when all are taken. So a
 * post that tells nobody or that is left behind stops everything, and the test's time ends.
 */
static u64 rounds[SENDERS];

static void *poster(void *arg)
{
	long me = (long)arg;
	struct lapic_irq irq = { .mode = LAPIC_MODE_FIXED, .vector = 0x40 + me * 0x20 };
	u64 i;

	for (i = 0; i < ROUNDS; i++) {
		while (__atomic_load_n(&taken, __ATOMIC_SEQ_CST) < i * SENDERS)
			sched_yield();
		step();
		if (lapic_map_deliver(map, NULL, &irq) == 1)
			rounds[me]++;
	}
	return NULL;
}

static void take_posted(void)
{
	int vector;

	if (!__atomic_exchange_n(&kicked, 0, __ATOMIC_SEQ_CST)) {
		sched_yield();
		return;
	}
	lapic_take_posted(&apic);
	while ((vector = lapic_has_interrupt(&apic)) >= 0) {
		lapic_ack(&apic, vector);
		lapic_eoi(&apic);
		__atomic_fetch_add(&taken, 1, __ATOMIC_SEQ_CST);
	}
}

START_TEST(no_post_is_lost)
{
	pthread_t t[SENDERS];
	int i;

	power_up();
	apic.posted = &posted;
	start(t, poster);
	while (__atomic_load_n(&taken, __ATOMIC_SEQ_CST) < SENDERS * ROUNDS)
		take_posted();
	join(t);
	for (i = 0; i < BIT_WORD(LAPIC_POSTED_ON); i++)
		ck_assert_uint_eq(posted.bits[i], 0);
	for (i = 0; i < SENDERS; i++)
		ck_assert_uint_eq(rounds[i], ROUNDS);	/* each was new */
	ck_assert_uint_eq(taken, SENDERS * ROUNDS);
	free(map);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("lapic threads");
	TCase *t = tcase_create("lapic threads");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_test(t, no_request_is_lost);
	tcase_add_test(t, no_post_is_lost);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
