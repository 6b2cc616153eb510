// SPDX-License-Identifier: GPL-2.0
/*
 * The PIC pair as a guest and the board see it: initialisation, priorities,
 * every kind of EOI, masks, cascade, edge and level, polling, saving.
 */
#include <check.h>
#include "pic.h"

static struct pic pic;
static bool output;
static int output_changes;
static u16 mask_changes;

static void on_output(void *owner, bool level)
{
	ck_assert_ptr_eq(owner, &pic);
	ck_assert_int_ne(output, level);
	output = level;
	output_changes++;
}

static void on_masks(void *owner, u16 changed, u16 masks)
{
	mask_changes |= changed;
}

static const struct pic_ops ops = { .output = on_output, .masks = on_masks };

/* As every BIOS does it: vectors 8 and 0x70, or 0x20 and 0x28 here. */
static void init_chip(u16 port, u8 vector, u8 icw4)
{
	pic_write(&pic, port, 0x11);
	pic_write(&pic, port + 1, vector);
	pic_write(&pic, port + 1, port == PIC_PORT_MASTER ? 4 : 2);
	pic_write(&pic, port + 1, icw4);
}

static void setup(void)
{
	output = false;
	pic_init(&pic, &ops, &pic);
	init_chip(PIC_PORT_MASTER, 0x20, 1);
	init_chip(PIC_PORT_SLAVE, 0x28, 1);
	output_changes = 0;
	mask_changes = 0;
}

static int raise_irq(int pin)
{
	return pic_set_irq(&pic, pin, 0, true);
}

static int lower_irq(int pin)
{
	return pic_set_irq(&pic, pin, 0, false);
}

static u8 isr(u16 port)
{
	pic_write(&pic, port, 0x0b);
	return pic_read(&pic, port);
}

static u8 irr(u16 port)
{
	pic_write(&pic, port, 0x0a);
	return pic_read(&pic, port);
}

START_TEST(edge_is_latched)
{
	ck_assert_int_eq(raise_irq(3), 1);
	ck_assert(output);
	lower_irq(3);
	ck_assert(output);
	ck_assert_int_eq(raise_irq(3), 0);	/* still pending: coalesced */
	ck_assert_uint_eq(pic_ack(&pic), 0x23);
	ck_assert(!output);
	ck_assert_uint_eq(isr(PIC_PORT_MASTER), 0x08);
	ck_assert_uint_eq(irr(PIC_PORT_MASTER), 0x00);
	/* the line is still high: no new edge */
	pic_write(&pic, PIC_PORT_MASTER, 0x20);
	ck_assert(!output);
	ck_assert_uint_eq(pic_take_acked(&pic), BIT(3));
	ck_assert_uint_eq(pic_take_acked(&pic), 0);
}
END_TEST

START_TEST(level_follows_line)
{
	pic_write(&pic, 0x4d0, 0xff);
	ck_assert_uint_eq(pic_read(&pic, 0x4d0), 0xf8);	/* 0-2 cannot be level */
	raise_irq(5);
	lower_irq(5);
	ck_assert(!output);
	raise_irq(5);
	ck_assert_uint_eq(pic_ack(&pic), 0x25);
	ck_assert(!output);
	pic_write(&pic, PIC_PORT_MASTER, 0x20);
	ck_assert(output);			/* not lowered: again */
	ck_assert_uint_eq(pic_ack(&pic), 0x25);
	lower_irq(5);
	pic_write(&pic, PIC_PORT_MASTER, 0x65);	/* specific */
	ck_assert(!output);
}
END_TEST

START_TEST(two_sources_share_a_line)
{
	pic_write(&pic, 0x4d1, 0xff);
	ck_assert_uint_eq(pic_read(&pic, 0x4d1), 0xde);
	pic_set_irq(&pic, 10, 0, true);
	pic_set_irq(&pic, 10, 1, true);
	pic_set_irq(&pic, 10, 0, false);
	ck_assert(output);
	pic_clear_source(&pic, 1);
	ck_assert(!output);
}
END_TEST

START_TEST(higher_priority_first_and_nests)
{
	raise_irq(6);
	raise_irq(4);
	ck_assert_uint_eq(pic_ack(&pic), 0x24);
	ck_assert(!output);			/* 6 waits for 4 */
	raise_irq(1);
	ck_assert(output);
	ck_assert_uint_eq(pic_ack(&pic), 0x21);
	ck_assert_uint_eq(isr(PIC_PORT_MASTER), 0x12);
	pic_write(&pic, PIC_PORT_MASTER, 0x20);	/* ends 1, the highest */
	ck_assert_uint_eq(isr(PIC_PORT_MASTER), 0x10);
	ck_assert(!output);
	pic_write(&pic, PIC_PORT_MASTER, 0x20);
	ck_assert(output);
	ck_assert_uint_eq(pic_ack(&pic), 0x26);
}
END_TEST

START_TEST(cascade)
{
	raise_irq(12);
	ck_assert(output);
	ck_assert_uint_eq(irr(PIC_PORT_MASTER), 0x04);
	ck_assert_uint_eq(pic_ack(&pic), 0x2c);
	ck_assert_uint_eq(isr(PIC_PORT_MASTER), 0x04);
	ck_assert_uint_eq(isr(PIC_PORT_SLAVE), 0x10);
	raise_irq(9);				/* better on the slave, but the master blocks */
	ck_assert(!output);
	pic_write(&pic, PIC_PORT_SLAVE, 0x20);
	pic_write(&pic, PIC_PORT_MASTER, 0x20);
	ck_assert_uint_eq(pic_take_acked(&pic), BIT(12));
	ck_assert(output);
	ck_assert_uint_eq(pic_ack(&pic), 0x29);
}
END_TEST

START_TEST(special_fully_nested)
{
	init_chip(PIC_PORT_MASTER, 0x20, 0x11);
	raise_irq(12);
	ck_assert_uint_eq(pic_ack(&pic), 0x2c);
	raise_irq(9);
	ck_assert(output);
	ck_assert_uint_eq(pic_ack(&pic), 0x29);
}
END_TEST

START_TEST(slave_request_withdrawn_is_spurious)
{
	pic_write(&pic, 0x4d1, 0x04);
	raise_irq(10);
	ck_assert(output);
	lower_irq(10);
	ck_assert(!output);
	ck_assert_uint_eq(pic_ack(&pic), 0x27);	/* nothing left: IRQ 7 */
	ck_assert_uint_eq(isr(PIC_PORT_MASTER), 0);
}
END_TEST

START_TEST(masks)
{
	pic_write(&pic, 0x21, 0x08);
	ck_assert_uint_eq(mask_changes, 0x08);
	ck_assert_uint_eq(pic_read(&pic, 0x21), 0x08);
	ck_assert_int_eq(raise_irq(3), -1);
	ck_assert(!output);
	pic_write(&pic, 0x21, 0x00);
	ck_assert(output);
	pic_write(&pic, 0xa1, 0x80);
	ck_assert_uint_eq(mask_changes, 0x8008);
}
END_TEST

START_TEST(auto_eoi_and_rotation)
{
	init_chip(PIC_PORT_MASTER, 0x20, 3);
	pic_write(&pic, PIC_PORT_MASTER, 0x80);	/* rotate in automatic EOI mode */
	raise_irq(0);
	raise_irq(1);
	ck_assert_uint_eq(pic_ack(&pic), 0x20);
	ck_assert_uint_eq(pic_take_acked(&pic), BIT(0));
	ck_assert_uint_eq(isr(PIC_PORT_MASTER), 0);
	lower_irq(0);
	raise_irq(0);				/* now the lowest */
	ck_assert_uint_eq(pic_ack(&pic), 0x21);
	ck_assert_uint_eq(pic_ack(&pic), 0x20);
}
END_TEST

START_TEST(set_priority_and_rotating_eoi)
{
	pic_write(&pic, PIC_PORT_MASTER, 0xc0 | 4);	/* 5 is the highest now */
	raise_irq(0);
	raise_irq(5);
	ck_assert_uint_eq(pic_ack(&pic), 0x25);
	pic_write(&pic, PIC_PORT_MASTER, 0xa0);		/* rotate on EOI */
	ck_assert_uint_eq(pic_ack(&pic), 0x20);
	pic_write(&pic, PIC_PORT_MASTER, 0xe0 | 0);	/* specific: 1 is the highest */
	raise_irq(6);
	raise_irq(1);
	ck_assert_uint_eq(pic_ack(&pic), 0x21);
}
END_TEST

START_TEST(special_mask)
{
	raise_irq(2 + 1);
	ck_assert_uint_eq(pic_ack(&pic), 0x23);
	raise_irq(6);
	ck_assert(!output);
	pic_write(&pic, 0x21, 0x08);
	ck_assert(!output);
	pic_write(&pic, PIC_PORT_MASTER, 0x68);		/* special mask on */
	ck_assert(output);
	ck_assert_uint_eq(pic_ack(&pic), 0x26);
	pic_write(&pic, PIC_PORT_MASTER, 0x20);		/* ends 6, not the masked 3 */
	ck_assert_uint_eq(isr(PIC_PORT_MASTER), 0x08);
	pic_write(&pic, PIC_PORT_MASTER, 0x48);
	raise_irq(6);
	ck_assert(!output);
}
END_TEST

START_TEST(poll)
{
	pic_write(&pic, PIC_PORT_MASTER, 0x0c);
	ck_assert_uint_eq(pic_read(&pic, PIC_PORT_MASTER) & 0x80, 0);
	raise_irq(4);
	pic_write(&pic, PIC_PORT_MASTER, 0x0c);
	ck_assert_uint_eq(pic_read(&pic, PIC_PORT_MASTER), 0x84);
	ck_assert(!output);
	ck_assert_uint_eq(isr(PIC_PORT_MASTER), 0x10);
}
END_TEST

START_TEST(reinitialise)
{
	pic_write(&pic, 0x4d0, 0x20);
	raise_irq(5);
	raise_irq(3);
	ck_assert_uint_eq(pic_ack(&pic), 0x23);
	pic_write(&pic, 0x21, 0xff);
	pic_write(&pic, PIC_PORT_MASTER, 0x11);
	ck_assert_uint_eq(pic_take_acked(&pic), BIT(3));
	ck_assert(!output);			/* not before ICW4 */
	pic_write(&pic, 0x21, 0x40);
	pic_write(&pic, 0x21, 0x04);
	pic_write(&pic, 0x21, 0x01);
	ck_assert_uint_eq(pic_read(&pic, 0x21), 0);
	ck_assert(output);			/* the level line is still there */
	ck_assert_uint_eq(pic_ack(&pic), 0x45);
	ck_assert(!output);			/* the edge is not */
}
END_TEST

START_TEST(state_round_trip)
{
	struct kvm_pic_state a[2], b[2];
	int i;

	pic_write(&pic, 0x4d1, 0x08);
	pic_write(&pic, 0x21, 0x40);
	raise_irq(11);
	raise_irq(1);
	pic_ack(&pic);
	pic_write(&pic, PIC_PORT_SLAVE, 0xc3);
	for (i = 0; i < 2; i++)
		pic_get_state(&pic, i, &a[i]);

	output = false;
	pic_init(&pic, &ops, &pic);
	for (i = 0; i < 2; i++)
		ck_assert_int_eq(pic_set_state(&pic, i, &a[i]), 0);
	for (i = 0; i < 2; i++)
		pic_get_state(&pic, i, &b[i]);
	ck_assert_int_eq(memcmp(a, b, sizeof(a)), 0);
	ck_assert(!output);			/* 1 in service beats the cascade */
	pic_write(&pic, PIC_PORT_MASTER, 0x20);
	ck_assert(output);
	ck_assert_uint_eq(pic_ack(&pic), 0x2b);

	a[0].init_state = 4;
	ck_assert_int_eq(pic_set_state(&pic, 0, &a[0]), -EINVAL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("pic");
	TCase *t = tcase_create("pic");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, edge_is_latched);
	tcase_add_test(t, level_follows_line);
	tcase_add_test(t, two_sources_share_a_line);
	tcase_add_test(t, higher_priority_first_and_nests);
	tcase_add_test(t, cascade);
	tcase_add_test(t, special_fully_nested);
	tcase_add_test(t, slave_request_withdrawn_is_spurious);
	tcase_add_test(t, masks);
	tcase_add_test(t, auto_eoi_and_rotation);
	tcase_add_test(t, set_priority_and_rotating_eoi);
	tcase_add_test(t, special_mask);
	tcase_add_test(t, poll);
	tcase_add_test(t, reinitialise);
	tcase_add_test(t, state_round_trip);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
