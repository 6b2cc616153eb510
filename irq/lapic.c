// SPDX-License-Identifier: GPL-2.0
/*
 * The local APIC: registers, priorities, acceptance and end of interrupts.
 *
 * Registers live in a 4 KiB page laid out as the hardware's, which is also
 * what userspace saves and what APIC virtualisation would be given. All
 * access from the guest goes through one table of registers: what may be read
 * and written in which mode, which bits exist, and who handles a write.
 *
 * Threads. A vCPU's registers belong to the thread that runs it, with three
 * exceptions that make delivery lock-free:
 *
 *  - IRR bits are set by any thread and cleared by the owner, all by atomic
 *    bit operations. irr_pending is a hint that saves the owner the scan: a
 *    sender sets it after the bit; the owner clears it only when a scan found
 *    nothing, and then scans once more, so a bit set in between is not lost.
 *  - TMR bits are written by the sender before the IRR bit of that vector,
 *    and always here: no hardware writes TMR.
 *    Two senders that disagree about the trigger mode of one vector are a
 *    guest's mistake that only this guest feels.
 *  - esr, events and sipi_vector carry errors, INIT and SIPI to the owner.
 *
 * Others also read LDR, DFR, SPIV, TPR and the LVTs: one aligned word each,
 * and a stale value is indistinguishable from a message that was earlier.
 *
 * After it made something pending, a sender kicks; the kick's request bit
 * orders the two (see include/vcpu.h).
 *
 * Hardware may work on the page while the guest runs: it takes vectors from IRR to
 * ISR, ends them, and puts into the page what the guest writes. Then nobody else may
 * write to IRR. With l->posted senders leave vectors there, and the owner fetches
 * them when the hardware is done. They set the vector, then ON; it clears ON, then
 * takes the vectors: whichever comes first, no vector stays behind with ON clear.
 * Between two entries the model is as good as without such hardware, but that it has
 * to look what is in service. A guest's write that the hardware only stored is undone
 * first, from seen[], because handlers compare with what was there before.
 *
 * Priorities: a vector's class is its upper four bits. The processor priority
 * is the higher of task priority and highest vector in service; a request is
 * delivered if its class is above that. Since a vector is only put into
 * service if it beats the highest one there, that one is cached.
 */
#include "irq_trace.h"
#include "lapic.h"

/* Vectors below this are reserved for exceptions: an error if sent. */
#define LAPIC_FIRST_VECTOR	16

/* ---- vector bitmaps: 256 bits, 32 in each register ---- */

static u32 lapic_vector_reg(u32 base, u8 vector)
{
	return base + (vector >> 5) * 0x10;
}

/*
 * Registers are 16 bytes apart, so an atomic operation on a long touches no
 * other register than the one it is meant for.
 */
static unsigned long *lapic_vector_word(const struct lapic *l, u32 base, u8 vector)
{
	return (unsigned long *)(l->regs + lapic_vector_reg(base, vector));
}

static bool lapic_test_vector(const struct lapic *l, u32 base, u8 vector)
{
	return lapic_reg(l, lapic_vector_reg(base, vector)) & BIT(vector & 31);
}

static void lapic_set_vector(struct lapic *l, u32 base, u8 vector)
{
	set_bit(vector & 31, lapic_vector_word(l, base, vector));
}

static void lapic_clear_vector(struct lapic *l, u32 base, u8 vector)
{
	clear_bit(vector & 31, lapic_vector_word(l, base, vector));
}

static int lapic_find_highest(const struct lapic *l, u32 base)
{
	int i;

	for (i = 7; i >= 0; i--) {
		u32 word = lapic_reg(l, base + i * 0x10);

		if (word)
			return i * 32 + fls(word) - 1;
	}
	return -1;
}

static int lapic_count_vectors(const struct lapic *l, u32 base)
{
	int i, n = 0;

	for (i = 0; i < 8; i++)
		n += hweight32(lapic_reg(l, base + i * 0x10));
	return n;
}

/* ---- errors ---- */

static void lapic_error(struct lapic *l, u32 bit)
{
	bool was = test_and_set_bit(__ffs(bit), &l->esr);

	/* one interrupt for each kind until the guest has looked */
	if (!was)
		lapic_local_deliver(l, LAPIC_LVT_ERROR);
}

/* ---- acceptance ---- */

/* Told is the owner by who sets ON. It clears ON first and takes the vectors then. */
static int lapic_post(struct lapic *l, u8 vector, bool level)
{
	unsigned long *bits = l->posted->bits;
	bool waits = lapic_test_vector(l, LAPIC_IRR, vector);

	irq_trace(apicv_accept_irq, l->id, LAPIC_MODE_FIXED, level, vector);
	if (test_and_set_bit(vector, bits))
		return 0;
	if (!test_and_set_bit(LAPIC_POSTED_ON, bits))
		lapic_host_kick(l, LAPIC_KICK_POSTED);
	return !waits;
}

static int lapic_accept_fixed(struct lapic *l, u8 vector, bool level)
{
	if (!lapic_enabled(l))
		return -1;
	if (vector < LAPIC_FIRST_VECTOR) {
		lapic_error(l, LAPIC_ESR_RECV_ILLEGAL);
		return -1;
	}
	if (level != lapic_test_vector(l, LAPIC_TMR, vector)) {
		if (level)
			lapic_set_vector(l, LAPIC_TMR, vector);
		else
			lapic_clear_vector(l, LAPIC_TMR, vector);
	}
	if (l->posted)
		return lapic_post(l, vector, level);
	if (test_and_set_bit(vector & 31, lapic_vector_word(l, LAPIC_IRR, vector)))
		return 0;
	WRITE_ONCE(l->irr_pending, true);
	lapic_host_kick(l, LAPIC_KICK_IRQ);
	return 1;
}

static int lapic_accept_init(struct lapic *l, const struct lapic_irq *irq)
{
	/* "INIT level de-assert" only synchronised arbitration ids once */
	if (irq->level && !irq->assert)
		return 1;
	clear_bit(LAPIC_EVENT_SIPI, &l->events);
	set_bit(LAPIC_EVENT_INIT, &l->events);
	lapic_host_kick(l, LAPIC_KICK_EVENT);
	return 1;
}

static int lapic_accept_sipi(struct lapic *l, u8 vector)
{
	WRITE_ONCE(l->sipi_vector, vector);
	/* set_bit() is a full barrier here: who sees it sees the vector */
	set_bit(LAPIC_EVENT_SIPI, &l->events);
	lapic_host_kick(l, LAPIC_KICK_EVENT);
	return 1;
}

int lapic_accept(struct lapic *l, const struct lapic_irq *irq)
{
	irq_trace(apic_accept_irq, l->id, irq->mode, irq->level, irq->vector);
	switch (irq->mode) {
	case LAPIC_MODE_FIXED:
	case LAPIC_MODE_LOWEST:
		return lapic_accept_fixed(l, irq->vector, irq->level);
	case LAPIC_MODE_NMI:
		lapic_host_kick(l, LAPIC_KICK_NMI);
		return 1;
	case LAPIC_MODE_INIT:
		return lapic_accept_init(l, irq);
	case LAPIC_MODE_SIPI:
		return lapic_accept_sipi(l, irq->vector);
	case LAPIC_MODE_EXTINT:
		/* the vCPU asks the PIC itself, if it takes ExtINT at all */
		lapic_host_kick(l, LAPIC_KICK_IRQ);
		return 1;
	}
	return -1;	/* SMI: no SMM. Remote read: gone since the Pentium 4 */
}

int lapic_local_deliver(struct lapic *l, u32 lvt)
{
	u32 val = lapic_reg(l, lvt);
	struct lapic_irq irq = {
		.mode = val & LAPIC_MODE,
		.vector = val & LAPIC_VECTOR,
		.level = lvt == LAPIC_LVT_LINT0 && (val & LAPIC_LEVEL),
		.assert = true,
	};

	if (!lapic_hw_enabled(l) || (val & LAPIC_LVT_MASKED))
		return -1;
	if (lvt == LAPIC_LVT_TIMER || lvt == LAPIC_LVT_ERROR)
		irq.mode = LAPIC_MODE_FIXED;
	if (lvt == LAPIC_LVT_PERF && l->lvtpc_masks_itself)
		lapic_put_reg(l, lvt, val | LAPIC_LVT_MASKED);
	/* what else an LVT may say is reserved */
	if (irq.mode == LAPIC_MODE_LOWEST || irq.mode == LAPIC_MODE_SIPI)
		return -1;
	return lapic_accept(l, &irq);
}

bool lapic_accepts_pic(const struct lapic *l)
{
	u32 lvt0 = lapic_reg(l, LAPIC_LVT_LINT0);

	/* without an APIC the pin is the processor's INTR */
	if (!lapic_hw_enabled(l))
		return true;
	return !(lvt0 & LAPIC_LVT_MASKED) && (lvt0 & LAPIC_MODE) == LAPIC_MODE_EXTINT;
}

/* ---- priorities ---- */

int lapic_highest_irr(struct lapic *l)
{
	int vector;

	if (!READ_ONCE(l->irr_pending))
		return -1;
	vector = lapic_find_highest(l, LAPIC_IRR);
	if (vector >= 0)
		return vector;
	WRITE_ONCE(l->irr_pending, false);
	smp_mb();	/* a sender sets the bit first, then the hint */
	vector = lapic_find_highest(l, LAPIC_IRR);
	if (vector >= 0)
		WRITE_ONCE(l->irr_pending, true);
	return vector;
}

static void lapic_count_in_service(struct lapic *l)
{
	l->isr_highest = lapic_find_highest(l, LAPIC_ISR);
	l->isr_count = lapic_count_vectors(l, LAPIC_ISR);
}

int lapic_highest_isr(struct lapic *l)
{
	if (l->isr_highest == LAPIC_ISR_UNKNOWN)
		lapic_count_in_service(l);
	return l->isr_highest;
}

u32 lapic_ppr(struct lapic *l)
{
	u32 tpr = lapic_reg(l, LAPIC_TPR);
	u32 isr = max(lapic_highest_isr(l), 0);

	return (tpr & 0xf0) >= (isr & 0xf0) ? tpr & 0xff : isr & 0xf0;
}

int lapic_has_interrupt(struct lapic *l)
{
	int vector = lapic_highest_irr(l);

	if (vector < 0 || !lapic_enabled(l))
		return -1;
	return (vector & 0xf0) > (int)(lapic_ppr(l) & 0xf0) ? vector : -1;
}

bool lapic_take_posted(struct lapic *l)
{
	unsigned long *bits, word;
	int i;

	if (!l->posted || !(READ_ONCE(l->posted->bits[BIT_WORD(LAPIC_POSTED_ON)]) &
			    BIT_MASK(LAPIC_POSTED_ON)))
		return false;
	bits = l->posted->bits;
	clear_bit(LAPIC_POSTED_ON, bits);
	smp_mb__after_atomic();	/* ON first: who posts behind us sets it again */
	for (i = 0; i < BIT_WORD(LAPIC_POSTED_ON); i++) {
		word = READ_ONCE(bits[i]) ? xchg(&bits[i], 0) : 0;
		for (; word; word &= word - 1)
			lapic_set_vector(l, LAPIC_IRR, i * BITS_PER_LONG + __ffs(word));
	}
	WRITE_ONCE(l->irr_pending, true);
	l->status_stale = true;
	return true;
}

int lapic_new_status(struct lapic *l)
{
	lapic_take_posted(l);
	if (!l->status_stale)
		return -1;
	l->status_stale = false;
	return max(lapic_highest_isr(l), 0) << 8 | max(lapic_highest_irr(l), 0);
}
EXPORT_SYMBOL_GPL(lapic_new_status);

static bool lapic_is_posted(const struct lapic *l, u8 vector)
{
	return l->posted && (READ_ONCE(l->posted->bits[BIT_WORD(vector)]) & BIT_MASK(vector));
}

bool lapic_vector_busy(const struct lapic *l, u8 vector)
{
	return lapic_is_posted(l, vector) || lapic_test_vector(l, LAPIC_IRR, vector) ||
	       lapic_test_vector(l, LAPIC_ISR, vector);
}

void lapic_ack(struct lapic *l, u8 vector)
{
	int highest = lapic_highest_isr(l);

	l->status_stale = true;
	lapic_clear_vector(l, LAPIC_IRR, vector);
	if (lapic_test_vector(l, LAPIC_ISR, vector))
		return;
	lapic_set_vector(l, LAPIC_ISR, vector);
	l->isr_count++;
	if (vector > highest)
		l->isr_highest = vector;
}

/* Something may have become deliverable. */
static void lapic_look_again(struct lapic *l)
{
	if (lapic_has_interrupt(l) >= 0)
		lapic_host_kick(l, LAPIC_KICK_IRQ);
}

/* @vector has left service. */
static void lapic_tell_end(struct lapic *l, u8 vector)
{
	bool level = lapic_test_vector(l, LAPIC_TMR, vector);

	if (!level || !(lapic_reg(l, LAPIC_SPIV) & LAPIC_SPIV_EOI_SUPPRESS))
		lapic_host_eoi(l, vector, level);
}

void lapic_eoi(struct lapic *l)
{
	int vector = lapic_highest_isr(l);

	irq_trace(eoi, l->id, vector);
	if (vector < 0)
		return;
	l->status_stale = true;
	lapic_clear_vector(l, LAPIC_ISR, vector);
	l->isr_count--;
	l->isr_highest = l->isr_count ? lapic_find_highest(l, LAPIC_ISR) : -1;
	lapic_tell_end(l, vector);
	lapic_look_again(l);
}

void lapic_ended(struct lapic *l, u8 vector)
{
	irq_trace(eoi, l->id, vector);
	lapic_tell_end(l, vector);
}
EXPORT_SYMBOL_GPL(lapic_ended);

bool lapic_eoi_may_be_lazy(struct lapic *l)
{
	int vector = lapic_highest_isr(l);

	return vector >= 0 && l->isr_count == 1 && lapic_highest_irr(l) < 0 &&
	       !lapic_test_vector(l, LAPIC_TMR, vector);
}

void lapic_set_cr8(struct lapic *l, u8 cr8)
{
	/* keep the sub-class, which CR8 does not show, if the class is the same */
	if (lapic_get_cr8(l) == (cr8 & 0xf))
		return;
	lapic_put_reg(l, LAPIC_TPR, (cr8 & 0xf) << 4);
	lapic_look_again(l);
}

u8 lapic_get_cr8(const struct lapic *l)
{
	return (lapic_reg(l, LAPIC_TPR) >> 4) & 0xf;
}

/* ---- registers: handlers of writes ---- */

static void lapic_write_tpr(struct lapic *l, u32 off, u32 val)
{
	lapic_put_reg(l, off, val);
	lapic_look_again(l);
}

static void lapic_write_eoi(struct lapic *l, u32 off, u32 val)
{
	lapic_eoi(l);
}

static void lapic_write_mapped(struct lapic *l, u32 off, u32 val)
{
	if (lapic_reg(l, off) == val)
		return;
	lapic_put_reg(l, off, val);
	lapic_host_map_changed(l);
}

static void lapic_write_dfr(struct lapic *l, u32 off, u32 val)
{
	lapic_write_mapped(l, off, val | LAPIC_DFR_CLUSTER);
}

static void lapic_mask_lvts(struct lapic *l)
{
	u32 off;

	for (off = LAPIC_LVT_TIMER; off <= LAPIC_LVT_ERROR; off += 0x10)
		lapic_put_reg(l, off, lapic_reg(l, off) | LAPIC_LVT_MASKED);
}

static void lapic_write_spiv(struct lapic *l, u32 off, u32 val)
{
	u32 old = lapic_reg(l, off);

	if (!l->eoi_suppress_allowed)
		val &= ~LAPIC_SPIV_EOI_SUPPRESS;
	lapic_put_reg(l, off, val);
	if (!(val & LAPIC_SPIV_ENABLE))
		lapic_mask_lvts(l);
	if ((old ^ val) & LAPIC_SPIV_ENABLE) {
		lapic_host_enable_changed(l);
		lapic_look_again(l);
	}
}

/* A write shows the errors since the last one and starts over. */
static void lapic_write_esr(struct lapic *l, u32 off, u32 val)
{
	lapic_put_reg(l, off, xchg(&l->esr, 0));
}

static void lapic_write_icr_low(struct lapic *l, u32 off, u32 val)
{
	lapic_write_icr(l, (u64)lapic_reg(l, LAPIC_ICR2) << 32 | val);
}

static void lapic_write_plain(struct lapic *l, u32 off, u32 val)
{
	lapic_put_reg(l, off, val);
}

static void lapic_write_lvt(struct lapic *l, u32 off, u32 val)
{
	if (!lapic_sw_enabled(l))
		val |= LAPIC_LVT_MASKED;
	if (off == LAPIC_LVT_TIMER) {
		if (!l->tsc_allowed)
			val &= ~LAPIC_TIMER_TSC;
		lapic_timer_write_lvt(l, val);
		return;
	}
	lapic_put_reg(l, off, val);
	/* a line of the PIC that was high all along may get through now */
	if (off == LAPIC_LVT_LINT0)
		lapic_host_kick(l, LAPIC_KICK_IRQ);
}

static void lapic_write_initial(struct lapic *l, u32 off, u32 val)
{
	lapic_timer_write_initial(l, val);
}

static void lapic_write_divide(struct lapic *l, u32 off, u32 val)
{
	lapic_timer_write_divide(l, val);
}

static void lapic_write_self_ipi(struct lapic *l, u32 off, u32 val)
{
	lapic_write_icr(l, LAPIC_SHORT_SELF | LAPIC_MODE_FIXED | val);
}

/* ---- the table of registers ---- */

enum lapic_reg_flags {
	LAPIC_R = BIT(0),	/* readable in both modes */
	LAPIC_RX = BIT(1),	/* readable in xAPIC mode only */
	LAPIC_W = BIT(2),	/* writable in both modes */
	LAPIC_WX = BIT(3),	/* writable in xAPIC mode only */
	LAPIC_W2 = BIT(4),	/* writable in x2APIC mode only */
};

struct lapic_reg_desc {
	u8 flags;
	u32 bits;		/* that a write may set */
	void (*write)(struct lapic *l, u32 off, u32 val);
};

#define LAPIC_LVT_BITS		(LAPIC_VECTOR | LAPIC_MODE | LAPIC_LVT_MASKED)
#define LAPIC_LINT_BITS		(LAPIC_LVT_BITS | LAPIC_POLARITY | LAPIC_LEVEL)
#define LAPIC_TIMER_BITS	(LAPIC_VECTOR | LAPIC_LVT_MASKED | LAPIC_TIMER_MODE)
#define LAPIC_ICR_BITS		(LAPIC_VECTOR | LAPIC_MODE | LAPIC_DEST_LOGICAL | \
				 LAPIC_ICR_ASSERT | LAPIC_LEVEL | LAPIC_SHORTHAND)
#define LAPIC_SPIV_BITS		(LAPIC_VECTOR | LAPIC_SPIV_ENABLE | LAPIC_SPIV_FOCUS | \
				 LAPIC_SPIV_EOI_SUPPRESS)

static const struct lapic_reg_desc lapic_regs[LAPIC_NR_REGS] = {
	[LAPIC_ID >> 4]		= { LAPIC_R },
	[LAPIC_VERSION >> 4]	= { LAPIC_R },
	[LAPIC_TPR >> 4]	= { LAPIC_R | LAPIC_W, 0xff, lapic_write_tpr },
	[LAPIC_APR >> 4]	= { LAPIC_RX },
	[LAPIC_PPR >> 4]	= { LAPIC_R },
	[LAPIC_EOI >> 4]	= { LAPIC_W, 0, lapic_write_eoi },
	[LAPIC_RRR >> 4]	= { LAPIC_RX },
	[LAPIC_LDR >> 4]	= { LAPIC_R | LAPIC_WX, 0xff000000, lapic_write_mapped },
	[LAPIC_DFR >> 4]	= { LAPIC_RX | LAPIC_WX, 0xf0000000, lapic_write_dfr },
	[LAPIC_SPIV >> 4]	= { LAPIC_R | LAPIC_W, LAPIC_SPIV_BITS, lapic_write_spiv },
	[LAPIC_ISR >> 4 ... (LAPIC_ISR >> 4) + 7] = { LAPIC_R },
	[LAPIC_TMR >> 4 ... (LAPIC_TMR >> 4) + 7] = { LAPIC_R },
	[LAPIC_IRR >> 4 ... (LAPIC_IRR >> 4) + 7] = { LAPIC_R },
	[LAPIC_ESR >> 4]	= { LAPIC_R | LAPIC_W, 0, lapic_write_esr },
	[LAPIC_ICR >> 4]	= { LAPIC_R | LAPIC_W, LAPIC_ICR_BITS, lapic_write_icr_low },
	[LAPIC_ICR2 >> 4]	= { LAPIC_RX | LAPIC_WX, 0xff000000, lapic_write_plain },
	[LAPIC_LVT_TIMER >> 4]	= { LAPIC_R | LAPIC_W, LAPIC_TIMER_BITS, lapic_write_lvt },
	[LAPIC_LVT_THERMAL >> 4] = { LAPIC_R | LAPIC_W, LAPIC_LVT_BITS, lapic_write_lvt },
	[LAPIC_LVT_PERF >> 4]	= { LAPIC_R | LAPIC_W, LAPIC_LVT_BITS, lapic_write_lvt },
	[LAPIC_LVT_LINT0 >> 4]	= { LAPIC_R | LAPIC_W, LAPIC_LINT_BITS, lapic_write_lvt },
	[LAPIC_LVT_LINT1 >> 4]	= { LAPIC_R | LAPIC_W, LAPIC_LINT_BITS, lapic_write_lvt },
	[LAPIC_LVT_ERROR >> 4]	= { LAPIC_R | LAPIC_W, LAPIC_VECTOR | LAPIC_LVT_MASKED,
				    lapic_write_lvt },
	[LAPIC_TMICT >> 4]	= { LAPIC_R | LAPIC_W, 0xffffffff, lapic_write_initial },
	[LAPIC_TMCCT >> 4]	= { LAPIC_R },
	[LAPIC_TDCR >> 4]	= { LAPIC_R | LAPIC_W, 0xb, lapic_write_divide },
	[LAPIC_SELF_IPI >> 4]	= { LAPIC_W2, 0xff, lapic_write_self_ipi },
};

static const struct lapic_reg_desc *lapic_desc(u32 off)
{
	u32 n = off >> 4;

	if (n >= LAPIC_NR_REGS)
		return NULL;
	return &lapic_regs[array_index_nospec(n, LAPIC_NR_REGS)];
}

static u32 lapic_read_reg(struct lapic *l, u32 off)
{
	switch (off) {
	case LAPIC_PPR:
	case LAPIC_APR:
		return lapic_ppr(l);
	case LAPIC_TMCCT:
		return lapic_timer_current(l);
	case LAPIC_IRR ... LAPIC_IRR + 0x70:
		lapic_take_posted(l);
		break;
	}
	return lapic_reg(l, off);
}

bool lapic_mmio_read(struct lapic *l, u32 off, int len, void *data)
{
	const struct lapic_reg_desc *d = lapic_desc(off);
	u32 val;

	memset(data, 0, len);
	if (len > 4 || (off & 0xf) + len > 4)
		return false;	/* undefined by the architecture */
	if (!d || !(d->flags & (LAPIC_R | LAPIC_RX))) {
		/* the EOI register reads as what was written, which is nothing */
		if ((off & ~0xfU) != LAPIC_EOI)
			lapic_error(l, LAPIC_ESR_REG_ILLEGAL);
		return false;
	}
	val = lapic_read_reg(l, off & ~0xfU);
	irq_trace(apic, false, off, val);
	memcpy(data, (u8 *)&val + (off & 0xf), len);
	return true;
}

bool lapic_mmio_write(struct lapic *l, u32 off, int len, const void *data)
{
	const struct lapic_reg_desc *d = lapic_desc(off);
	u32 val;

	if (len != 4 || (off & 0xf))
		return false;
	if (!d || !(d->flags & (LAPIC_W | LAPIC_WX))) {
		/* writes to registers that can only be read are quietly lost */
		if (!d || !d->flags)
			lapic_error(l, LAPIC_ESR_REG_ILLEGAL);
		return false;
	}
	memcpy(&val, data, sizeof(val));
	irq_trace(apic, true, off, val);
	d->write(l, off, val & d->bits);
	return true;
}

void lapic_written(struct lapic *l, u32 off)
{
	const struct lapic_reg_desc *d = lapic_desc(off);
	u8 may = lapic_x2_mode(l) ? LAPIC_W | LAPIC_W2 : LAPIC_W | LAPIC_WX;
	u32 val;

	if (!d)
		return;
	off &= ~0xfU;
	val = lapic_reg(l, off);
	lapic_put_reg(l, off, l->seen[off >> 4]);
	irq_trace(apic, true, off, val);
	if (d->flags & may)
		d->write(l, off, val & d->bits);
}
EXPORT_SYMBOL_GPL(lapic_written);

int lapic_x2_read(struct lapic *l, u32 msr, u64 *data)
{
	u32 off = (msr - LAPIC_X2_MSR_BASE) << 4;
	const struct lapic_reg_desc *d = lapic_desc(off);

	if (!lapic_x2_mode(l) || !d || !(d->flags & LAPIC_R))
		return -EINVAL;
	*data = lapic_read_reg(l, off);
	if (off == LAPIC_ICR)
		*data |= (u64)lapic_reg(l, LAPIC_ICR2) << 32;
	irq_trace(apic, false, off, *data);
	return 0;
}

int lapic_x2_write(struct lapic *l, u32 msr, u64 data)
{
	u32 off = (msr - LAPIC_X2_MSR_BASE) << 4;
	const struct lapic_reg_desc *d = lapic_desc(off);
	u32 status = 0;

	if (!lapic_x2_mode(l) || !d || !(d->flags & (LAPIC_W | LAPIC_W2)))
		return -EINVAL;
	if (off == LAPIC_ICR) {
		if ((u32)data & ~(LAPIC_ICR_BITS | LAPIC_STATUS_PENDING))
			return -EINVAL;
		irq_trace(apic, true, off, data);
		lapic_write_icr(l, data);
		return 0;
	}
	/* status bits that only hardware sets may be written back as read */
	if (off >= LAPIC_LVT_TIMER && off <= LAPIC_LVT_ERROR)
		status = LAPIC_STATUS_PENDING | LAPIC_LVT_REMOTE_IRR;
	if (data & ~(u64)(d->bits | status))
		return -EINVAL;
	irq_trace(apic, true, off, data);
	d->write(l, off, (u32)data & d->bits);
	return 0;
}

void lapic_write_icr(struct lapic *l, u64 icr)
{
	u32 low = icr & LAPIC_ICR_BITS, high = icr >> 32;
	struct lapic_irq irq = {
		.vector = low & LAPIC_VECTOR,
		.mode = low & LAPIC_MODE,
		.logical = low & LAPIC_DEST_LOGICAL,
		.shorthand = low & LAPIC_SHORTHAND,
		.assert = low & LAPIC_ICR_ASSERT,
		.wide = lapic_x2_mode(l),
	};

	irq.dest = irq.wide ? high : high >> 24;
	/* other modes are edge triggered whatever the bit says */
	irq.level = irq.mode == LAPIC_MODE_INIT && (low & LAPIC_LEVEL);

	lapic_put_reg(l, LAPIC_ICR, low);
	lapic_put_reg(l, LAPIC_ICR2, high);
	if ((irq.mode == LAPIC_MODE_FIXED || irq.mode == LAPIC_MODE_LOWEST) &&
	    irq.vector < LAPIC_FIRST_VECTOR) {
		lapic_error(l, LAPIC_ESR_SEND_ILLEGAL);
		return;
	}
	irq_trace(apic_ipi, low, irq.dest);
	lapic_host_send(l, &irq);
}

/* ---- mode and reset ---- */

/* ID and LDR as this mode shows them. */
static void lapic_put_ids(struct lapic *l)
{
	if (lapic_x2_mode(l)) {
		lapic_put_reg(l, LAPIC_ID, l->id);
		lapic_put_reg(l, LAPIC_LDR, (l->id >> 4) << 16 | BIT(l->id & 0xf));
	} else {
		lapic_put_reg(l, LAPIC_ID, l->id << 24);
	}
}

/* All of the page is new. */
static void lapic_page_changed(struct lapic *l)
{
	int i;

	for (i = 0; i < LAPIC_NR_REGS; i++)
		l->seen[i] = lapic_reg(l, i << 4);
	lapic_count_in_service(l);
	l->status_stale = true;
}

/* Registers as after power-up; the mode in base stands. */
static void lapic_reset_regs(struct lapic *l)
{
	u32 version = LAPIC_VERSION_ID | (LAPIC_NR_LVT - 1) << 16;

	lapic_timer_stop(l);
	lapic_take_posted(l);
	memset(l->regs, 0, KVM_APIC_REG_SIZE);
	if (l->eoi_suppress_allowed)
		version |= LAPIC_VERSION_EOI_SUPPRESS;
	lapic_put_reg(l, LAPIC_VERSION, version);
	lapic_put_reg(l, LAPIC_DFR, LAPIC_DFR_FLAT);
	lapic_put_reg(l, LAPIC_SPIV, 0xff);
	lapic_mask_lvts(l);
	if (l->boot && l->lint0_extint_at_reset)
		lapic_put_reg(l, LAPIC_LVT_LINT0, LAPIC_MODE_EXTINT);
	lapic_put_ids(l);
	l->esr = 0;
	l->irr_pending = false;
	lapic_page_changed(l);
}

int lapic_set_base(struct lapic *l, u64 base, bool host)
{
	const u64 modes = LAPIC_BASE_EN | LAPIC_BASE_X2;
	u64 old = l->base;
	bool allowed;

	if (base & (l->base_reserved | 0x2ff))
		return -EINVAL;
	if ((base & modes) == LAPIC_BASE_X2)
		return -EINVAL;
	if ((base & LAPIC_BASE_X2) && !l->x2_allowed)
		return -EINVAL;
	/* x2APIC mode is entered from xAPIC mode and left by disabling */
	allowed = (base & modes) == (old & modes) || !(base & LAPIC_BASE_X2) ||
		  (old & LAPIC_BASE_EN);
	if ((old & LAPIC_BASE_X2) && (base & modes) == LAPIC_BASE_EN)
		allowed = false;
	if (!host && !allowed)
		return -EINVAL;

	WRITE_ONCE(l->base, base);
	if (!((old ^ base) & modes)) {
		if ((old ^ base) & LAPIC_BASE_ADDR)
			lapic_host_map_changed(l);
		return 0;
	}
	/* what comes back from being disabled is a fresh APIC */
	if (!host && !(base & LAPIC_BASE_EN))
		lapic_reset_regs(l);
	if ((old & LAPIC_BASE_X2) && !(base & LAPIC_BASE_X2))
		lapic_put_reg(l, LAPIC_LDR, 0);
	lapic_put_ids(l);
	lapic_host_map_changed(l);
	lapic_look_again(l);
	return 0;
}

void lapic_reset(struct lapic *l, bool init)
{
	if (!init) {
		WRITE_ONCE(l->base, LAPIC_DEFAULT_BASE | LAPIC_BASE_EN |
				    (l->boot ? LAPIC_BASE_BSP : 0));
		clear_bit(LAPIC_EVENT_INIT, &l->events);
		clear_bit(LAPIC_EVENT_SIPI, &l->events);
	}
	lapic_reset_regs(l);
	lapic_host_map_changed(l);
}

void lapic_init(struct lapic *l, void *owner, u8 *regs, u32 id, bool boot)
{
	memset(l, 0, sizeof(*l));
	l->owner = owner;
	l->regs = regs;
	l->id = id;
	l->boot = boot;
	l->isr_highest = -1;
	l->base = LAPIC_DEFAULT_BASE | LAPIC_BASE_EN | (boot ? LAPIC_BASE_BSP : 0);
}

/* ---- saving ---- */

void lapic_get_state(struct lapic *l, struct kvm_lapic_state *st, bool wide_ids)
{
	u32 id, current_count, ppr = lapic_ppr(l);

	/* an expiry on its way goes along in IRR */
	lapic_timer_inject(l);
	lapic_take_posted(l);
	current_count = lapic_timer_current(l);
	memcpy(st->regs, l->regs, sizeof(st->regs));
	memcpy(st->regs + LAPIC_TMCCT, &current_count, 4);
	memcpy(st->regs + LAPIC_PPR, &ppr, 4);
	if (lapic_x2_mode(l) && !wide_ids) {
		id = l->id << 24;
		memcpy(st->regs + LAPIC_ID, &id, 4);
	}
}

/* Registers that only hold what this APIC is, or is computed. */
static void lapic_fix_regs(struct lapic *l, u32 version)
{
	u32 ldr = lapic_reg(l, LAPIC_LDR);

	lapic_put_reg(l, LAPIC_VERSION, version);
	lapic_put_reg(l, LAPIC_DFR, lapic_reg(l, LAPIC_DFR) | LAPIC_DFR_CLUSTER);
	lapic_put_reg(l, LAPIC_LDR, ldr & 0xff000000);
	lapic_put_reg(l, LAPIC_SPIV, lapic_reg(l, LAPIC_SPIV) & LAPIC_SPIV_BITS);
	lapic_put_reg(l, LAPIC_TPR, lapic_reg(l, LAPIC_TPR) & 0xff);
	lapic_put_reg(l, LAPIC_TDCR, lapic_reg(l, LAPIC_TDCR) & 0xb);
	lapic_put_ids(l);
}

int lapic_set_state(struct lapic *l, const struct kvm_lapic_state *st, bool wide_ids)
{
	u32 version = lapic_reg(l, LAPIC_VERSION), remaining, id, off;

	memcpy(&id, st->regs + LAPIC_ID, 4);
	if (lapic_x2_mode(l) && wide_ids && id != l->id)
		return -EINVAL;
	memcpy(&remaining, st->regs + LAPIC_TMCCT, 4);

	lapic_take_posted(l);
	memcpy(l->regs, st->regs, sizeof(st->regs));
	lapic_fix_regs(l, version);
	for (off = LAPIC_LVT_TIMER; off <= LAPIC_LVT_ERROR; off += 0x10)
		lapic_put_reg(l, off, lapic_reg(l, off) & lapic_desc(off)->bits);
	if (!lapic_sw_enabled(l))
		lapic_mask_lvts(l);
	lapic_page_changed(l);
	WRITE_ONCE(l->irr_pending, true);
	lapic_timer_restore(l, remaining);
	lapic_host_map_changed(l);
	lapic_host_kick(l, LAPIC_KICK_IRQ);
	return 0;
}
