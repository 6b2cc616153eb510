/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The local APIC as a pure device model, its timer, and the map that finds
 * the destinations of a message.
 *
 * Legend for struct lapic:
 *   [I] constant after lapic_init()
 *   [V] the thread that runs the vCPU (vcpu->mutex)
 *   [a] any thread, by atomic operations; irq/lapic.c says why that is enough
 *   [m] written by [V]; other threads see it through the map, or as a hint
 */
#ifndef KVM_LAPIC_H
#define KVM_LAPIC_H

#include "pure.h"
#include <linux/kvm.h>
#include "irq_msg.h"

enum lapic_event {
	LAPIC_EVENT_INIT,
	LAPIC_EVENT_SIPI,
};

/* Why a vCPU is told to look at its local APIC. */
enum lapic_kick {
	LAPIC_KICK_IRQ,		/* a vector was requested, or ExtINT is due */
	LAPIC_KICK_NMI,		/* one NMI: count it */
	LAPIC_KICK_EVENT,	/* INIT or SIPI */
	LAPIC_KICK_TIMER,	/* lapic_timer_inject() is due */
	LAPIC_KICK_POSTED,	/* the first vector since the last was taken */
};

/*
 * Vectors on their way to an APIC whose IRR may be the hardware's: Intel's
 * posted-interrupt descriptor, which some processors read by themselves. Bit n is
 * vector n; then comes LAPIC_POSTED_ON.
 */
struct lapic_posted {
	DECLARE_BITMAP(bits, 512);	/* [a] */
} __aligned(64);

#define LAPIC_POSTED_ON		256	/* there may be vectors, and somebody was told */

#define LAPIC_NR_REGS		(KVM_APIC_REG_SIZE >> 4)
#define LAPIC_ISR_UNKNOWN	-2

struct lapic_timer {
	u64 target;			/* [V] ns of the next expiry, 0 = idle */
	u64 period;			/* [V] ns from load to zero */
	u64 tsc_deadline;		/* [V] guest TSC, 0 = idle */
	u64 due;			/* [V] deadline that was injected, until it has passed; 0 none */
	unsigned long pending;		/* [a] bit 0: expired, not yet injected */
};

struct lapic {
	void *owner;			/* [I] the vCPU */
	u8 *regs;			/* [I] register page; IRR, TMR [a], the rest [V] */
	struct lapic_posted *posted;	/* [I] NULL: senders write to IRR */
	u32 id;				/* [I] x2APIC id = vCPU id */
	bool boot;			/* [I] this is the boot processor */
	u64 base;			/* [m] IA32_APIC_BASE */
	u64 base_reserved;		/* [V] bits of it beyond this guest's physical addresses */
	bool x2_allowed;		/* [V] guest CPUID has x2APIC */
	bool tsc_allowed;		/* [V] guest CPUID has TSC-deadline */
	bool eoi_suppress_allowed;	/* [I] the I/O APIC has an EOI register */
	bool lvtpc_masks_itself;	/* [I] Intel: a PMI masks the LVT */
	bool lint0_extint_at_reset;	/* [V] quirk: firmware finds virtual wire set up */
	bool irr_pending;		/* [a] hint: IRR may have a bit set */
	s16 isr_highest;		/* [V] cached, -1 none; LAPIC_ISR_UNKNOWN: the hardware had ISR */
	u16 isr_count;			/* [V] unless unknown */
	bool status_stale;		/* [V] IRR or ISR is not as the hardware left it */
	unsigned long esr;		/* [a] errors since ESR was last written */
	unsigned long events;		/* [a] bits of enum lapic_event */
	u8 sipi_vector;			/* [a] valid before the event bit is set */
	struct lapic_timer timer;
	u32 seen[LAPIC_NR_REGS];	/* [V] registers as the model wrote them: lapic_written() */
};

/*
 * What the surroundings provide. Plain functions, not pointers: the callers
 * are hot. Any of them may be called with interrupts off.
 */
u64 lapic_host_now(struct lapic *l);
/* Nanoseconds: a periodic timer shorter than this is made this long. */
u64 lapic_host_min_period(struct lapic *l);
/* Call lapic_timer_expired() at @ns. Replaces the previous. U64_MAX only cancels. */
void lapic_host_arm(struct lapic *l, u64 ns);
/*
 * The same for a guest TSC value; false, and nothing armed, if that is past or
 * nearly so. May come early by as much as the way into the guest takes: whoever
 * enters it waits for timer.due.
 */
bool lapic_host_arm_tsc(struct lapic *l, u64 deadline);
/* Make the vCPU look. Any context, any thread. */
void lapic_host_kick(struct lapic *l, enum lapic_kick why);
/* A vector was EOIed that may concern an I/O APIC. vCPU thread. */
void lapic_host_eoi(struct lapic *l, u8 vector, bool level);
/* Deliver an IPI: lapic_map_deliver() with the current map. vCPU thread. */
void lapic_host_send(struct lapic *l, const struct lapic_irq *irq);
/* Ids, modes or enables changed: rebuild the map before this vCPU goes on. */
void lapic_host_map_changed(struct lapic *l);
/* Software enabled or disabled the APIC. vCPU thread. */
void lapic_host_enable_changed(struct lapic *l);

/* ---- the model (irq/lapic.c) ---- */

/* @regs: a zeroed page. The APIC is as after power-up. */
void lapic_init(struct lapic *l, void *owner, u8 *regs, u32 id, bool boot);
/* Power-up or INIT: as the processor, but INIT leaves base and id alone. vCPU thread. */
void lapic_reset(struct lapic *l, bool init);

static inline u32 lapic_reg(const struct lapic *l, u32 off)
{
	return READ_ONCE(*(const u32 *)(l->regs + off));
}

static inline void lapic_put_reg(struct lapic *l, u32 off, u32 val)
{
	WRITE_ONCE(*(u32 *)(l->regs + off), val);
	l->seen[off >> 4] = val;
}

static inline bool lapic_hw_enabled(const struct lapic *l)
{
	return READ_ONCE(l->base) & LAPIC_BASE_EN;
}

static inline bool lapic_x2_mode(const struct lapic *l)
{
	return (READ_ONCE(l->base) & (LAPIC_BASE_EN | LAPIC_BASE_X2)) ==
	       (LAPIC_BASE_EN | LAPIC_BASE_X2);
}

/* Where it is after power-up, and in xAPIC mode. */
static inline bool lapic_at_default(const struct lapic *l)
{
	return (READ_ONCE(l->base) & ~(u64)LAPIC_BASE_BSP) == (LAPIC_DEFAULT_BASE | LAPIC_BASE_EN);
}

static inline bool lapic_sw_enabled(const struct lapic *l)
{
	return lapic_reg(l, LAPIC_SPIV) & LAPIC_SPIV_ENABLE;
}

/* Takes fixed interrupts at all. */
static inline bool lapic_enabled(const struct lapic *l)
{
	return lapic_hw_enabled(l) && lapic_sw_enabled(l);
}

/*
 * One message to one APIC. Any thread. -1 not taken, 0 that vector was pending
 * already, 1 taken.
 */
int lapic_accept(struct lapic *l, const struct lapic_irq *irq);
/* Raise a local source: @lvt is LAPIC_LVT_*. Any thread. As lapic_accept(). */
int lapic_local_deliver(struct lapic *l, u32 lvt);

/* The vector to inject now, or -1. vCPU thread. */
int lapic_has_interrupt(struct lapic *l);
/* It is being injected: IRR to ISR. */
void lapic_ack(struct lapic *l, u8 vector);
/* Highest requested vector whatever the priority, or -1: for TPR thresholds. */
int lapic_highest_irr(struct lapic *l);
/* Highest vector in service, or -1. vCPU thread. */
int lapic_highest_isr(struct lapic *l);
/* Is @vector requested or in service? Any thread; a snapshot. */
bool lapic_vector_busy(const struct lapic *l, u8 vector);
/* End of interrupt, as by a write of 0 to the EOI register. vCPU thread. */
void lapic_eoi(struct lapic *l);
/* Could the guest do its next EOI without telling us (PV EOI)? vCPU thread. */
bool lapic_eoi_may_be_lazy(struct lapic *l);

u32 lapic_ppr(struct lapic *l);
/* CR8 and TPR 7:4 are one register. vCPU thread. */
void lapic_set_cr8(struct lapic *l, u8 cr8);
u8 lapic_get_cr8(const struct lapic *l);

/* Does ExtINT of the PIC get through here? Any thread; a hint in others'. */
bool lapic_accepts_pic(const struct lapic *l);

/* MMIO at @off in the page, xAPIC mode. False: no such register or access (ESR is set). */
bool lapic_mmio_read(struct lapic *l, u32 off, int len, void *data);
bool lapic_mmio_write(struct lapic *l, u32 off, int len, const void *data);
/* MSRs 0x800 - 0x8ff. -EINVAL means #GP. vCPU thread. */
int lapic_x2_read(struct lapic *l, u32 msr, u64 *data);
int lapic_x2_write(struct lapic *l, u32 msr, u64 data);
/* IA32_APIC_BASE. @host: userspace may go between any two valid states. -EINVAL = #GP. */
int lapic_set_base(struct lapic *l, u64 base, bool host);
/* ICR as one 64-bit value, as in x2APIC mode. vCPU thread. */
void lapic_write_icr(struct lapic *l, u64 icr);

/*
 * KVM_GET_LAPIC and KVM_SET_LAPIC. @wide_ids: KVM_X2APIC_API_USE_32BIT_IDS.
 * Set: -EINVAL for a wrong id with wide ids. vCPU thread.
 */
void lapic_get_state(struct lapic *l, struct kvm_lapic_state *st, bool wide_ids);
int lapic_set_state(struct lapic *l, const struct kvm_lapic_state *st, bool wide_ids);

/*
 * For hardware that does most of this by itself while the guest runs, on the
 * register page. vCPU thread, all of them.
 */

/* Move what was posted to IRR, which must not be the hardware's now. True if there was anything. */
bool lapic_take_posted(struct lapic *l);
/* It may have changed IRR, ISR and TPR. */
static inline void lapic_hardware_ran(struct lapic *l)
{
	l->isr_highest = LAPIC_ISR_UNKNOWN;
	WRITE_ONCE(l->irr_pending, true);
}

/*
 * Before the guest runs: posted vectors taken. -1 if the hardware knows the highest vectors of
 * ISR and IRR; else those, in bits 15:8 and 7:0, 0 none.
 */
int lapic_new_status(struct lapic *l);
/* It has put the guest's write into the page, and the rest is ours. */
void lapic_written(struct lapic *l, u32 off);
/* It has ended @vector, and wants to know what that means to others. */
void lapic_ended(struct lapic *l, u8 vector);

/* ---- the timer (irq/lapic_timer.c) ---- */

/* The armed moment has come. Any context. */
void lapic_timer_expired(struct lapic *l);
/* Raise what expired, rearm a periodic timer. vCPU thread, after LAPIC_KICK_TIMER. */
void lapic_timer_inject(struct lapic *l);
/* Arm again, after the clocks changed or the model was moved. vCPU thread. */
void lapic_timer_rearm(struct lapic *l);
void lapic_timer_stop(struct lapic *l);
void lapic_timer_write_lvt(struct lapic *l, u32 val);
void lapic_timer_write_initial(struct lapic *l, u32 val);
void lapic_timer_write_divide(struct lapic *l, u32 val);
/* Go on with @remaining ticks: a saved current count. */
void lapic_timer_restore(struct lapic *l, u32 remaining);
u32 lapic_timer_current(const struct lapic *l);
/* IA32_TSC_DEADLINE; ignored unless the timer is in that mode. */
void lapic_timer_write_tsc(struct lapic *l, u64 deadline);
u64 lapic_timer_read_tsc(struct lapic *l);

static inline bool lapic_timer_pending(const struct lapic *l)
{
	return READ_ONCE(l->timer.pending);
}

/* ---- the map (irq/lapic_map.c) ---- */

enum lapic_logical {
	LAPIC_LOGICAL_SLOW,	/* modes differ, or bits overlap: ask each */
	LAPIC_LOGICAL_FLAT,
	LAPIC_LOGICAL_CLUSTER,
	LAPIC_LOGICAL_X2,
};

struct lapic_map {
	enum lapic_logical logical;
	bool quirk_off;			/* 0xff is no broadcast for x2APICs */
	struct lapic *flat[8];
	struct lapic *cluster[16][4];
	u32 nr;				/* enabled APICs, in all[] */
	u32 nr_ids;			/* length of by_id[] */
	struct lapic **all;
	struct lapic *slots[];		/* by_id[nr_ids], then all[] */
};

static inline struct lapic *lapic_map_by_id(const struct lapic_map *map, u32 id)
{
	return id < map->nr_ids ? map->slots[array_index_nospec(id, map->nr_ids)] : NULL;
}

/* Bytes for a map of @nr APICs with ids up to @max_id. */
static inline size_t lapic_map_size(u32 nr, u32 max_id)
{
	return sizeof(struct lapic_map) + sizeof(struct lapic *) * ((size_t)nr + max_id + 1);
}

/* @map: zeroed, lapic_map_size() bytes. Disabled APICs are left out. */
void lapic_map_init(struct lapic_map *map, u32 max_id, bool quirk_off);
void lapic_map_add(struct lapic_map *map, struct lapic *l);
/* Does @irq, sent by @src (NULL: not an APIC), address @l? The definition of it all. */
bool lapic_matches(const struct lapic_map *map, const struct lapic *l, const struct lapic *src,
		   const struct lapic_irq *irq);
/* Deliver. -1 nobody took it, 0 coalesced, else how many it reached. Any context. */
int lapic_map_deliver(const struct lapic_map *map, struct lapic *src,
		      const struct lapic_irq *irq);
/* Is the vector requested or in service at any destination? Any context. */
bool lapic_map_busy(const struct lapic_map *map, const struct lapic_irq *irq);

#endif
