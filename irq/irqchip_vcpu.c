// SPDX-License-Identifier: GPL-2.0
/*
 * The interrupt side of a vCPU: its local APIC's memory and timer, what is
 * pending for it, and the surroundings that the APIC model asks for.
 *
 * Three sources compete for the interrupt that goes in next: a vector from
 * userspace (KVM_INTERRUPT: no chips, or a split irqchip's PIC), ExtINT from
 * the in-kernel PIC, and the local APIC. The first two arrive at LINT0 and come
 * first, as they do on a processor, where the APIC passes ExtINT by its own
 * priorities.
 *
 * The APIC timer is a host timer that kicks (irq/lapic_timer.c). It is armed on
 * the CPU the vCPU runs on and follows it, so that its interrupt is the exit.
 *
 * The way from the host timer's interrupt into the guest takes microseconds, in
 * which the guest's deadline would pass. So the timer is set for a moment before a
 * TSC deadline, and the last entry before it waits, by the TSC, until it is due: no
 * guest sees the interrupt early. How much earlier is learnt for each vCPU from how
 * late, or how long before, it came to that point.
 *
 * Where the vendor can end a stay in the guest by a timer of its own
 * (hw_caps.entry_timer_span), a TSC deadline is but a number for the next entries,
 * arch.entry_deadline. Only a vCPU that goes to sleep needs the host timer then.
 *
 * Functions named irqchip_has_... may be asked about another thread's vCPU;
 * they read single words and may be late, never torn.
 */
#include <linux/slab.h>
#include "apicv.h"
#include "compat_timer.h"
#include "irqchip.h"
#include "trace.h"
#include "x86.h"

struct irqchip_lapic {
	struct lapic model;
	struct hrtimer timer;		/* [V] armed by the vCPU's thread */
	u32 advance_ns;			/* [V] how much earlier than a TSC deadline */
};

#define ADVANCE_FIRST_NS	1000
#define ADVANCE_MAX_NS		5000
#define ADVANCE_SLACK_NS	100	/* as good as exact */
#define ENTRY_MAX_NS		(100ull * NSEC_PER_SEC)

static struct irqchip_lapic *glue_of(struct lapic *l)
{
	return container_of(l, struct irqchip_lapic, model);
}

/* ---- surroundings of the model ------------------------------------------------ */

u64 lapic_host_now(struct lapic *l)
{
	return ktime_get_ns();
}

u64 lapic_host_min_period(struct lapic *l)
{
	return READ_ONCE(x86_min_timer_period_us) * (u64)NSEC_PER_USEC;
}

void lapic_host_arm(struct lapic *l, u64 ns)
{
	struct hrtimer *timer = &glue_of(l)->timer;

	hrtimer_cancel(timer);
	((struct kvm_vcpu *)l->owner)->arch.entry_deadline = 0;
	if (ns != U64_MAX)
		hrtimer_start(timer, ns_to_ktime(ns), HRTIMER_MODE_ABS_PINNED_HARD);
}

static u32 guest_khz(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.tsc.khz ?: x86_host_tsc_khz();
}

/* False: too far off for the vendor's timer, or there is none. */
static bool irqchip_arm_entry(struct kvm_vcpu *vcpu, u64 host_tsc, u64 ns)
{
	u64 ticks;

	if (!hw_caps.entry_timer_span || ns > ENTRY_MAX_NS)
		return false;
	ticks = mul_u64_u32_div(ns, x86_host_tsc_khz(), 1000000);
	if (ticks >= hw_caps.entry_timer_span)
		return false;
	lapic_host_arm(vcpu->arch.apic, U64_MAX);
	vcpu->arch.entry_deadline = host_tsc + ticks;
	return true;
}

bool lapic_host_arm_tsc(struct lapic *l, u64 deadline)
{
	struct kvm_vcpu *vcpu = l->owner;
	u32 khz = guest_khz(vcpu), early = glue_of(l)->advance_ns;
	u64 now, guest, ns, host_tsc;
	unsigned long flags;

	local_irq_save(flags);
	now = ktime_get_ns();
	host_tsc = rdtsc();
	guest = x86_read_tsc(vcpu, host_tsc);
	local_irq_restore(flags);

	if (deadline <= guest || !khz)
		return false;
	ns = mul_u64_u32_div(deadline - guest, 1000000, khz);
	if (ns <= early)
		return false;
	ns -= early;
	if (irqchip_arm_entry(vcpu, host_tsc, ns))
		return true;
	/* further off than a timer reaches: as good as never */
	lapic_host_arm(l, ns < KTIME_MAX - now ? now + ns : U64_MAX);
	return true;
}

void irqchip_deadline_reached(struct kvm_vcpu *vcpu)
{
	if (!vcpu->arch.entry_deadline)
		return;
	vcpu->arch.entry_deadline = 0;
	lapic_timer_expired(vcpu->arch.apic);
}
EXPORT_SYMBOL_GPL(irqchip_deadline_reached);

void irqchip_before_wait(struct kvm_vcpu *vcpu)
{
	u64 deadline = vcpu->arch.entry_deadline, now, tsc;
	unsigned long flags;

	if (!deadline)
		return;
	local_irq_save(flags);
	now = ktime_get_ns();
	tsc = rdtsc();
	local_irq_restore(flags);
	if (deadline <= tsc)
		irqchip_deadline_reached(vcpu);
	else
		lapic_host_arm(vcpu->arch.apic,
			       now + mul_u64_u32_div(deadline - tsc, 1000000, x86_host_tsc_khz()));
}

/* What is far off was not the way into the guest: a host that was busy, a deadline of the past. */
static void learn_advance(struct irqchip_lapic *g, s64 late_ns)
{
	s64 ns = g->advance_ns;

	if (late_ns > 2 * ADVANCE_MAX_NS || -late_ns > 2 * ADVANCE_MAX_NS)
		return;
	if (late_ns > 0)
		ns += late_ns / 4 + 1;
	else if (late_ns < -ADVANCE_SLACK_NS)
		ns += late_ns / 8;
	g->advance_ns = clamp_t(s64, ns, 0, ADVANCE_MAX_NS);
}

void irqchip_wait_for_deadline(struct kvm_vcpu *vcpu)
{
	struct lapic_timer *t = &vcpu->arch.apic->timer;
	u64 start = x86_read_tsc(vcpu, rdtsc()), limit;
	s64 late = start - t->due;
	u32 khz = guest_khz(vcpu);

	if (x86_lapic_timer_advance_ns < 0 && khz)
		learn_advance(glue_of(vcpu->arch.apic), late < 0 ?
			      -(s64)mul_u64_u32_div(-late, 1000000, khz) :
			      (s64)mul_u64_u32_div(late, 1000000, khz));
	t->due = 0;
	trace_kvm_wait_lapic_expire(vcpu->vcpu_id, late);
	if (late >= 0)
		return;
	/* if the guest's TSC was set meanwhile, the deadline may be anywhere */
	limit = min_t(u64, -late, mul_u64_u32_div(ADVANCE_MAX_NS, khz, 1000000));
	while (x86_read_tsc(vcpu, rdtsc()) - start < limit)
		cpu_relax();
}
EXPORT_SYMBOL_GPL(irqchip_wait_for_deadline);

void lapic_host_kick(struct lapic *l, enum lapic_kick why)
{
	struct kvm_vcpu *vcpu = l->owner;

	switch (why) {
	case LAPIC_KICK_NMI:
		x86_queue_nmi(vcpu);
		return;
	case LAPIC_KICK_POSTED:
		apicv_posted(vcpu);
		return;
	case LAPIC_KICK_TIMER:
		kvm_set_request(KVM_REQ_TIMER, vcpu);
		break;
	case LAPIC_KICK_IRQ:
	case LAPIC_KICK_EVENT:
		break;
	}
	kvm_set_request(KVM_REQ_EVENT, vcpu);
	kvm_vcpu_kick(vcpu);
}

void lapic_host_eoi(struct lapic *l, u8 vector, bool level)
{
	irqchip_eoi(l->owner, vector, level);
}

void lapic_host_send(struct lapic *l, const struct lapic_irq *irq)
{
	struct kvm_vcpu *vcpu = l->owner;

	irqchip_deliver(vcpu->kvm, vcpu, irq);
}

void lapic_host_map_changed(struct lapic *l)
{
	struct kvm_vcpu *vcpu = l->owner;

	kvm_set_request(KVM_REQ_APICV, vcpu);
	irqchip_update_map(vcpu->kvm);
}

void lapic_host_enable_changed(struct lapic *l)
{
	kvm_set_request(KVM_REQ_APICV, l->owner);
}

static enum hrtimer_restart irqchip_lapic_timer(struct hrtimer *timer)
{
	lapic_timer_expired(&container_of(timer, struct irqchip_lapic, timer)->model);
	return HRTIMER_NORESTART;
}

/* ---- life ------------------------------------------------------------------------ */

int irqchip_vcpu_create(struct kvm_vcpu *vcpu)
{
	struct kvm *kvm = vcpu->kvm;
	struct irqchip_lapic *g;
	u8 *regs;

	if (!irqchip_in_kernel(kvm))
		return 0;
	g = kzalloc(sizeof(*g), GFP_KERNEL_ACCOUNT);
	regs = (u8 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!g || !regs) {
		kfree(g);
		free_page((unsigned long)regs);
		return -ENOMEM;
	}
	lapic_init(&g->model, vcpu, regs, vcpu->vcpu_id,
		   vcpu->vcpu_id == kvm->arch.boot_vcpu_id);
	g->model.eoi_suppress_allowed = kvm->arch.irqchip_mode == X86_IRQCHIP_SPLIT;
	g->model.base_reserved = vcpu->arch.cpuid.reserved_gpa_bits;
	g->model.lvtpc_masks_itself = boot_cpu_data.x86_vendor == X86_VENDOR_INTEL;
	g->model.lint0_extint_at_reset =
		!(kvm->arch.disabled_quirks & KVM_X86_QUIRK_LINT0_REENABLED);
	compat_hrtimer_setup(&g->timer, irqchip_lapic_timer, CLOCK_MONOTONIC,
			     HRTIMER_MODE_ABS_PINNED_HARD);
	g->advance_ns = x86_lapic_timer_advance_ns < 0 ? ADVANCE_FIRST_NS :
			min(x86_lapic_timer_advance_ns, ADVANCE_MAX_NS);
	vcpu->arch.apic = &g->model;
	vcpu->arch.apic_base = g->model.base;	/* what power-on leaves, too */
	if (apicv_vcpu_create(vcpu)) {
		irqchip_vcpu_destroy(vcpu);
		return -ENOMEM;
	}
	return 0;
}

void irqchip_vcpu_published(struct kvm_vcpu *vcpu)
{
	if (vcpu->arch.apic)
		irqchip_update_map(vcpu->kvm);
}

void irqchip_vcpu_destroy(struct kvm_vcpu *vcpu)
{
	struct irqchip_lapic *g;

	if (!vcpu->arch.apic)
		return;
	g = glue_of(vcpu->arch.apic);
	hrtimer_cancel(&g->timer);
	apicv_vcpu_destroy(vcpu);
	free_page((unsigned long)g->model.regs);
	vcpu->arch.apic = NULL;
	kfree(g);
}

void irqchip_cpuid_changed(struct kvm_vcpu *vcpu)
{
	struct lapic *l = vcpu->arch.apic;

	if (!l)
		return;
	l->x2_allowed = x86_guest_has(vcpu, X86_FEATURE_X2APIC);
	l->tsc_allowed = x86_guest_has(vcpu, X86_FEATURE_TSC_DEADLINE_TIMER);
	l->base_reserved = vcpu->arch.cpuid.reserved_gpa_bits;
}

void irqchip_vcpu_migrated(struct kvm_vcpu *vcpu)
{
	struct hrtimer *timer;

	if (!vcpu->arch.apic)
		return;
	timer = &glue_of(vcpu->arch.apic)->timer;
	if (hrtimer_cancel(timer))
		hrtimer_start_expires(timer, HRTIMER_MODE_ABS_PINNED_HARD);
}

/* ---- IA32_APIC_BASE, MSRs, the page -------------------------------------------------- */

u64 irqchip_get_apic_base(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.apic ? vcpu->arch.apic->base : vcpu->arch.apic_base;
}

/* Userspace has the APIC; the MSR is still the processor's. */
static bool irqchip_base_valid(struct kvm_vcpu *vcpu, u64 base)
{
	u64 reserved = vcpu->arch.cpuid.reserved_gpa_bits |
		       (0xfffull & ~(u64)(LAPIC_BASE_BSP | LAPIC_BASE_EN | LAPIC_BASE_X2));

	if (!x86_guest_has(vcpu, X86_FEATURE_X2APIC))
		reserved |= LAPIC_BASE_X2;
	if (base & reserved)
		return false;
	return (base & (LAPIC_BASE_EN | LAPIC_BASE_X2)) != LAPIC_BASE_X2;
}

int irqchip_set_apic_base(struct kvm_vcpu *vcpu, u64 base, bool host)
{
	const u64 modes = LAPIC_BASE_EN | LAPIC_BASE_X2;
	u64 old = irqchip_get_apic_base(vcpu);

	if (vcpu->arch.apic) {
		if (lapic_set_base(vcpu->arch.apic, base, host))
			return -EINVAL;
	} else if (!irqchip_base_valid(vcpu, base)) {
		return -EINVAL;
	}
	vcpu->arch.apic_base = base;
	if ((old ^ base) & modes) {
		/* CPUID's APIC bit, and who may touch the x2APIC MSRs */
		x86_cpuid_update_runtime(vcpu);
		kvm_set_request(KVM_REQ_INTERCEPTS, vcpu);
	}
	return 0;
}

/* An IPI that lands in IRRs and no more. */
static bool irqchip_icr_is_simple(u64 icr)
{
	u32 low = icr;

	return (low & (LAPIC_MODE | LAPIC_SHORTHAND)) == (LAPIC_MODE_FIXED | LAPIC_SHORT_NONE) &&
	       (low & LAPIC_VECTOR) >= 16 && (icr >> 32) != U32_MAX;
}

bool irqchip_fast_wrmsr(struct kvm_vcpu *vcpu, u32 msr, u64 data)
{
	struct lapic *l = vcpu->arch.apic;
	int vector;

	if (!l)
		return false;
	if (msr == MSR_IA32_TSC_DEADLINE) {
		if (!l->tsc_allowed)
			return false;
		lapic_timer_write_tsc(l, data);
		return true;
	}
	if (!lapic_x2_mode(l))
		return false;
	switch (msr) {
	case LAPIC_X2_MSR_BASE + (LAPIC_EOI >> 4):
		/* a level interrupt's, too: only then does an I/O APIC wait */
		vector = lapic_highest_isr(l);
		if (vector >= 0 && irqchip_wants_eoi(vcpu->kvm, vector, true))
			return false;
		break;
	case LAPIC_X2_MSR_BASE + (LAPIC_ICR >> 4):
		if (!irqchip_icr_is_simple(data))
			return false;
		break;
	case LAPIC_X2_MSR_BASE + (LAPIC_SELF_IPI >> 4):
		break;
	default:
		return false;
	}
	/* what is refused raises #GP on the long way; refusing has no effects */
	return lapic_x2_write(l, msr, data) == 0;
}

/* Is @gpa in this vCPU's APIC page? With the quirk the page stays there in other modes. */
static bool irqchip_in_page(struct kvm_vcpu *vcpu, gpa_t gpa)
{
	struct lapic *l = vcpu->arch.apic;

	if (!l || (gpa & ~0xfffULL) != (l->base & LAPIC_BASE_ADDR))
		return false;
	if (lapic_hw_enabled(l) && !lapic_x2_mode(l))
		return true;
	return !(vcpu->kvm->arch.disabled_quirks & KVM_X86_QUIRK_LAPIC_MMIO_HOLE);
}

int irqchip_mmio_read(struct kvm_vcpu *vcpu, gpa_t gpa, int len, void *data)
{
	struct lapic *l = vcpu->arch.apic;

	if (!irqchip_in_page(vcpu, gpa))
		return -EOPNOTSUPP;
	if (!lapic_hw_enabled(l) || lapic_x2_mode(l))
		memset(data, 0xff, len);	/* nobody answers on the bus */
	else
		lapic_mmio_read(l, gpa & 0xfff, len, data);
	return 0;
}

int irqchip_mmio_write(struct kvm_vcpu *vcpu, gpa_t gpa, int len, const void *data)
{
	struct lapic *l = vcpu->arch.apic;

	if (!irqchip_in_page(vcpu, gpa))
		return -EOPNOTSUPP;
	if (lapic_hw_enabled(l) && !lapic_x2_mode(l))
		lapic_mmio_write(l, gpa & 0xfff, len, data);
	return 0;
}

/* ---- ioctls ---------------------------------------------------------------------------- */

long lapic_ioctl_get(struct kvm_vcpu *vcpu, void *arg)
{
	lapic_get_state(vcpu->arch.apic, arg, vcpu->kvm->arch.x2apic_format);
	return 0;
}

long lapic_ioctl_set(struct kvm_vcpu *vcpu, void *arg)
{
	return lapic_set_state(vcpu->arch.apic, arg, vcpu->kvm->arch.x2apic_format);
}

/* ---- what is pending --------------------------------------------------------------------- */

bool irqchip_has_init_or_sipi(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.apic && READ_ONCE(vcpu->arch.apic->events);
}

bool irqchip_timer_pending(struct kvm_vcpu *vcpu)
{
	struct lapic *l = vcpu->arch.apic;

	return l && lapic_timer_pending(l) &&
	       !(lapic_reg(l, LAPIC_LVT_TIMER) & LAPIC_LVT_MASKED);
}

void irqchip_timer_inject(struct kvm_vcpu *vcpu)
{
	if (vcpu->arch.apic)
		lapic_timer_inject(vcpu->arch.apic);
}

void irqchip_tsc_changed(struct kvm_vcpu *vcpu)
{
	if (vcpu->arch.apic)
		lapic_timer_rearm(vcpu->arch.apic);
}

static bool irqchip_accepts_extint(struct kvm_vcpu *vcpu)
{
	return !vcpu->arch.apic || lapic_accepts_pic(vcpu->arch.apic);
}

/* ExtINT from userspace or the PIC. */
static bool irqchip_has_extint(struct kvm_vcpu *vcpu)
{
	if (!irqchip_accepts_extint(vcpu))
		return false;
	return vcpu->arch.ev.user_vector >= 0 || irqchip_pic_output(vcpu->kvm);
}

/* What was posted while the vCPU was out of the guest. */
static struct lapic *irqchip_current_apic(struct kvm_vcpu *vcpu)
{
	struct lapic *l = vcpu->arch.apic;

	if (l)
		lapic_take_posted(l);
	return l;
}

bool irqchip_has_interrupt(struct kvm_vcpu *vcpu)
{
	struct lapic *l = irqchip_current_apic(vcpu);

	return irqchip_has_extint(vcpu) || (l && lapic_has_interrupt(l) >= 0);
}

bool irqchip_has_injectable(struct kvm_vcpu *vcpu)
{
	irqchip_timer_inject(vcpu);
	if (vcpu->arch.apicv_active)	/* the hardware delivers its own */
		return irqchip_has_extint(vcpu);
	return irqchip_has_interrupt(vcpu);
}

static int irqchip_get_extint(struct kvm_vcpu *vcpu)
{
	int vector = vcpu->arch.ev.user_vector;

	if (!irqchip_has_extint(vcpu))
		return -1;
	if (vector < 0)
		return irqchip_ack_pic(vcpu->kvm);
	vcpu->arch.ev.user_vector = -1;
	return vector;
}

int irqchip_get_interrupt(struct kvm_vcpu *vcpu)
{
	int vector = irqchip_get_extint(vcpu);

	if (vector >= 0 || !vcpu->arch.apic || vcpu->arch.apicv_active)
		return vector;
	vector = lapic_has_interrupt(vcpu->arch.apic);
	if (vector >= 0)
		lapic_ack(vcpu->arch.apic, vector);
	return vector;
}

void irqchip_update_cr8(struct kvm_vcpu *vcpu)
{
	struct lapic *l = vcpu->arch.apic;
	int irr;

	if (!l)
		return;
	irr = lapic_highest_irr(l);
	vendor_call(update_cr8)(vcpu, lapic_get_cr8(l), irr < 0 ? -1 : irr >> 4);
}
