// SPDX-License-Identifier: GPL-2.0
/*
 * The 82093AA I/O APIC: 24 pins, each with a redirection table entry that
 * says which message goes to which local APICs when the pin becomes active.
 *
 * Edge pins send one message when the pin rises and the entry is not masked;
 * a rise while masked is lost, as on the part.
 *
 * Level pins send a message when the pin is high, the entry is not masked and
 * remote IRR is clear. Accepting it sets remote IRR; the EOI broadcast of the
 * vector clears it, and if the pin is still high the next message goes out at
 * once. Remote IRR is also cleared by a switch to edge mode, which is how
 * systems without an EOI register end a stuck interrupt.
 *
 * A level pin that nobody ever lowers would keep its vCPU in the interrupt
 * handler for ever, on a host that only answers exits. After many EOIs in a
 * row the next delivery is left to ioapic_retry() a timer tick later, which
 * gives the guest time to print its "nobody cared" and mask the line.
 *
 * Several sources may drive a pin; it is high while any of them holds it.
 * Polarity is stored but means nothing: sources speak of active and inactive.
 *
 * Local APICs ask "does this vector come from you?" at each EOI of theirs.
 * The answer is the vectors bitmap, rebuilt under the lock when the table
 * changes and read without it. That is safe: a stale yes finds no pin under
 * the lock, and a stale no can only be had by a CPU whose EOI is concurrent
 * with another CPU's change of the entry, where the order is open anyway.
 */
#include "ioapic.h"

/* Bits of an entry that the guest may write; the status bits are ours. */
#define RTE_STATUS	(IOAPIC_RTE_PENDING | IOAPIC_RTE_REMOTE_IRR)
#define RTE_WRITABLE	((0xffULL << IOAPIC_RTE_DEST_SHIFT) | 0x1ffffULL)

static bool rte_is_level(u64 rte)
{
	return rte & IOAPIC_RTE_LEVEL;
}

static void ioapic_message(const struct ioapic *io, unsigned int pin, struct lapic_irq *irq)
{
	u64 rte = io->rte[pin];

	*irq = (struct lapic_irq) {
		.dest = rte >> IOAPIC_RTE_DEST_SHIFT,
		.vector = rte & IOAPIC_RTE_VECTOR,
		.mode = rte & IOAPIC_RTE_MODE,
		.shorthand = LAPIC_SHORT_NONE,
		.logical = rte & IOAPIC_RTE_LOGICAL,
		.level = rte_is_level(rte),
		.assert = true,
	};
}

/* Send what @pin wants to send; result as ioapic_set_irq(). */
static int ioapic_service(struct ioapic *io, unsigned int pin, bool want_status)
{
	u64 rte = io->rte[pin];
	struct lapic_irq irq;
	int ret;

	if (rte & IOAPIC_RTE_MASKED)
		return -1;
	if (rte_is_level(rte) && (rte & IOAPIC_RTE_REMOTE_IRR))
		return 0;

	ioapic_message(io, pin, &irq);
	if (pin == IOAPIC_RTC_PIN && want_status && io->ops->busy(io->owner, &irq))
		return 0;

	ret = io->ops->deliver(io->owner, &irq);
	/* a vector that was pending already gets an EOI as well */
	if (rte_is_level(rte) && ret >= 0)
		io->rte[pin] |= IOAPIC_RTE_REMOTE_IRR;
	return ret;
}

static void ioapic_service_level(struct ioapic *io, unsigned int pin)
{
	if (rte_is_level(io->rte[pin]) && (io->irr & BIT(pin)))
		ioapic_service(io, pin, false);
}

static void ioapic_index_vectors(struct ioapic *io)
{
	DECLARE_BITMAP(now, 256) = { 0 };
	unsigned int i;

	for (i = 0; i < IOAPIC_NR_PINS; i++)
		__set_bit(io->rte[i] & IOAPIC_RTE_VECTOR, now);
	if (!memcmp(now, io->vectors, sizeof(now)))
		return;
	for (i = 0; i < ARRAY_SIZE(now); i++)
		WRITE_ONCE(io->vectors[i], now[i]);
	io->ops->vectors(io->owner);
}

static void ioapic_write_rte(struct ioapic *io, unsigned int pin, bool high, u32 val)
{
	u64 old = io->rte[pin], rte;

	if (high)
		rte = (old & 0xffffffffULL) | (u64)val << 32;
	else
		rte = (old & ~0xffffffffULL) | val;
	rte = (rte & RTE_WRITABLE & ~RTE_STATUS) | (old & RTE_STATUS);
	if (!rte_is_level(rte))
		rte &= ~IOAPIC_RTE_REMOTE_IRR;
	io->rte[pin] = rte;
	io->eois[pin] = 0;

	/* irr means the level in one mode, a latch in the other */
	if (rte_is_level(rte) && io->source[pin])
		io->irr |= BIT(pin);

	ioapic_index_vectors(io);
	if ((old ^ rte) & IOAPIC_RTE_MASKED)
		io->ops->masked(io->owner, pin, rte & IOAPIC_RTE_MASKED);
	ioapic_service_level(io, pin);
}

static void ioapic_write_reg(struct ioapic *io, u32 val)
{
	u32 n = io->select - IOAPIC_REG_RTE;

	if (io->select == IOAPIC_REG_ID) {
		io->id = (val >> 24) & 0xf;
	} else if (io->select >= IOAPIC_REG_RTE && n / 2 < IOAPIC_NR_PINS) {
		n = array_index_nospec(n, IOAPIC_NR_PINS * 2);
		ioapic_write_rte(io, n / 2, n & 1, val);
	}
}

static u32 ioapic_read_reg(const struct ioapic *io)
{
	u32 n = io->select - IOAPIC_REG_RTE;

	switch (io->select) {
	case IOAPIC_REG_VERSION:
		return (IOAPIC_NR_PINS - 1) << 16 | IOAPIC_VERSION_ID;
	case IOAPIC_REG_ID:
	case IOAPIC_REG_ARB:
		return io->id << 24;
	}
	if (io->select < IOAPIC_REG_RTE || n / 2 >= IOAPIC_NR_PINS)
		return 0;
	n = array_index_nospec(n, IOAPIC_NR_PINS * 2);
	return n & 1 ? io->rte[n / 2] >> 32 : io->rte[n / 2];
}

void ioapic_read(struct ioapic *io, u32 off, int len, void *data)
{
	u64 val = 0;

	switch (off & 0xf0) {
	case IOAPIC_SELECT:
		val = io->select;
		break;
	case IOAPIC_WINDOW:
		val = ioapic_read_reg(io);
		break;
	}
	memcpy(data, &val, min(len, 8));
}

void ioapic_write(struct ioapic *io, u32 off, int len, const void *data)
{
	u32 val = 0;

	memcpy(&val, data, min(len, 4));
	switch (off & 0xf0) {
	case IOAPIC_SELECT:
		io->select = val & 0xff;
		break;
	case IOAPIC_WINDOW:
		ioapic_write_reg(io, val);
		break;
	}
}

int ioapic_set_irq(struct ioapic *io, unsigned int pin, unsigned int source, bool level,
		   bool want_status)
{
	u8 before;

	if (WARN_ON_ONCE(pin >= IOAPIC_NR_PINS || source >= 8))
		return -1;
	before = io->source[pin];
	if (level)
		io->source[pin] |= BIT(source);
	else
		io->source[pin] &= ~BIT(source);

	if (!io->source[pin]) {
		io->irr &= ~BIT(pin);
		io->eois[pin] = 0;
		return 1;
	}
	io->irr |= BIT(pin);
	/* an edge is the first source to raise; another one merges with it */
	if (!rte_is_level(io->rte[pin]) && before)
		return 0;
	return ioapic_service(io, pin, want_status);
}

void ioapic_clear_source(struct ioapic *io, unsigned int source)
{
	unsigned int pin;

	for (pin = 0; pin < IOAPIC_NR_PINS; pin++)
		if (io->source[pin] & BIT(source))
			ioapic_set_irq(io, pin, source, false, false);
}

bool ioapic_handles_vector(const struct ioapic *io, u8 vector)
{
	return test_bit(vector, io->vectors);
}

u32 ioapic_eoi_pins(const struct ioapic *io, u8 vector)
{
	unsigned int pin;
	u32 pins = 0;

	for (pin = 0; pin < IOAPIC_NR_PINS; pin++)
		if ((io->rte[pin] & IOAPIC_RTE_VECTOR) == vector)
			pins |= BIT(pin);
	return pins;
}

void ioapic_eoi_finish(struct ioapic *io, unsigned int pin, u8 vector)
{
	u64 rte = io->rte[pin];

	/* the entry may have changed while the lock was dropped */
	if (!rte_is_level(rte) || (rte & IOAPIC_RTE_VECTOR) != vector ||
	    !(rte & IOAPIC_RTE_REMOTE_IRR))
		return;
	io->rte[pin] &= ~IOAPIC_RTE_REMOTE_IRR;
	if (!(io->irr & BIT(pin)) || (rte & IOAPIC_RTE_MASKED))
		return;
	if (++io->eois[pin] < IOAPIC_STORM_EOIS) {
		ioapic_service(io, pin, false);
		return;
	}
	io->eois[pin] = 0;
	io->ops->retry_later(io->owner);
}

void ioapic_retry(struct ioapic *io)
{
	unsigned int pin;

	for (pin = 0; pin < IOAPIC_NR_PINS; pin++)
		ioapic_service_level(io, pin);
}

void ioapic_get_state(const struct ioapic *io, struct kvm_ioapic_state *st)
{
	unsigned int pin;

	memset(st, 0, sizeof(*st));
	st->base_address = io->base;
	st->ioregsel = io->select;
	st->id = io->id;
	st->irr = io->irr;
	for (pin = 0; pin < IOAPIC_NR_PINS; pin++)
		st->redirtbl[pin].bits = io->rte[pin];
}

void ioapic_set_state(struct ioapic *io, const struct kvm_ioapic_state *st)
{
	unsigned int pin;

	io->select = st->ioregsel & 0xff;
	io->id = st->id & 0xf;
	io->irr = st->irr & GENMASK(IOAPIC_NR_PINS - 1, 0);
	memset(io->source, 0, sizeof(io->source));
	memset(io->eois, 0, sizeof(io->eois));
	for (pin = 0; pin < IOAPIC_NR_PINS; pin++) {
		u64 old = io->rte[pin];

		io->rte[pin] = st->redirtbl[pin].bits & (RTE_WRITABLE | RTE_STATUS);
		/* who held the line is not saved; userspace's pins are the rule */
		if (io->irr & BIT(pin))
			io->source[pin] = BIT(0);
		if ((old ^ io->rte[pin]) & IOAPIC_RTE_MASKED)
			io->ops->masked(io->owner, pin, io->rte[pin] & IOAPIC_RTE_MASKED);
	}
	ioapic_index_vectors(io);
	ioapic_retry(io);
}

void ioapic_init(struct ioapic *io, const struct ioapic_ops *ops, void *owner)
{
	unsigned int pin;

	memset(io, 0, sizeof(*io));
	io->ops = ops;
	io->owner = owner;
	io->base = IOAPIC_BASE;
	for (pin = 0; pin < IOAPIC_NR_PINS; pin++)
		io->rte[pin] = IOAPIC_RTE_MASKED;
	ioapic_index_vectors(io);
}
