// SPDX-License-Identifier: GPL-2.0
/*
 * kvmclock: nanoseconds since the VM began, read by the guest from a page and
 * its own TSC, without an exit.
 *
 * The page of a vCPU says "at guest TSC t it was s; go on with this scale". The
 * time base is the host's raw monotonic clock plus the time it was suspended:
 * raw, because it runs at the TSC's own rate, so that an extrapolation by TSC
 * and the base do not drift apart.
 *
 * Master clock. If the host's clocksource is the TSC and all vCPUs are of one
 * TSC generation (x86/tsc.c), all pages are derived from a single pair (time,
 * host TSC), and then time is monotonic across vCPUs: the guest is told so by
 * the STABLE bit. The pair is taken anew only when it must be (a TSC was
 * written, the clock was set, a vCPU came), never to track the base: a new pair
 * is a new line. No vCPU may be on the new one while another is still on the
 * old: the updater takes update_sem for writing, makes all vCPUs leave the guest
 * with a request to rewrite their pages, waits until they are out, and only then
 * publishes. Whoever serves that request takes update_sem for reading and so
 * waits for the new pair; whoever has not served it is not in the guest.
 * Otherwise each page is derived from a reading of its own, and refreshed for
 * all vCPUs from time to time, so that they do not wander apart.
 *
 * The kernel's timekeeping parameters arrive through the pvclock notifier,
 * which the timekeeper calls under its own lock at each update; "gtod" is our
 * copy, behind a seqcount.
 *
 * Locks: update_sem as said, outside of tsc.lock, which covers the pair and the
 * VM's offset; readers use clock.seq. The page and its scale belong to the
 * vCPU's thread.
 */
#include <linux/clocksource.h>
#include <linux/irq_work.h>
#include <linux/math64.h>
#include <linux/pvclock_gtod.h>
#include <linux/timekeeper_internal.h>
#include <linux/timekeeping.h>
#include <linux/workqueue.h>
#include <asm/kvm_para.h>
#include <asm/pvclock.h>
#include <asm/tsc.h>
#include "pv.h"
#include "trace.h"

#define CLOCK_UPDATE_DELAY	msecs_to_jiffies(100)
#define CLOCK_SYNC_PERIOD	(300 * HZ)

/* ---- the host's clock ------------------------------------------------------ */

struct gtod_clock {
	u64 base_ns;		/* full nanoseconds at cycle_last */
	u64 frac;		/* and the rest, shifted */
	u32 mult, shift;
};

static struct {
	seqcount_t seq;
	bool is_tsc;
	u64 cycle_last;
	s64 offs_boot;
	struct gtod_clock raw, real;
} gtod = { .seq = SEQCNT_ZERO(gtod.seq) };

/* One moment, by three clocks. */
struct gtod_now {
	u64 tsc, raw_ns, real_ns;	/* raw_ns counts suspended time, too */
};

static struct irq_work gtod_irq_work;

static void gtod_copy(struct gtod_clock *c, const struct tk_read_base *b, u64 base_ns)
{
	c->base_ns = base_ns;
	c->frac = b->xtime_nsec;
	c->mult = b->mult;
	c->shift = b->shift;
}

/* The timekeeper's lock is held, interrupts are off. */
static int gtod_update(struct notifier_block *nb, unsigned long stepped, void *priv)
{
	const struct timekeeper *tk = priv;
	bool is_tsc = tk->tkr_mono.clock->vdso_clock_mode == VDSO_CLOCKMODE_TSC;
	bool changed = is_tsc != gtod.is_tsc;

	write_seqcount_begin(&gtod.seq);
	gtod.is_tsc = is_tsc;
	gtod.cycle_last = tk->tkr_mono.cycle_last;
	gtod.offs_boot = ktime_to_ns(tk->offs_boot);
	gtod_copy(&gtod.raw, &tk->tkr_raw, ktime_to_ns(tk->tkr_raw.base));
	gtod_copy(&gtod.real, &tk->tkr_mono, tk->xtime_sec * NSEC_PER_SEC);
	write_seqcount_end(&gtod.seq);
	if (changed)
		irq_work_queue(&gtod_irq_work);
	return 0;
}

static struct notifier_block gtod_notifier = { .notifier_call = gtod_update };

static u64 gtod_ns(const struct gtod_clock *c, u64 delta)
{
	return c->base_ns + ((delta * c->mult + c->frac) >> c->shift);
}

/* False if the host does not keep time by the TSC. Any context. */
static bool gtod_read(struct gtod_now *now)
{
	unsigned int seq;
	bool is_tsc;
	s64 delta;

	do {
		seq = read_seqcount_begin(&gtod.seq);
		is_tsc = gtod.is_tsc;
		now->tsc = rdtsc_ordered();
		/* this CPU may be a few cycles behind the one that updated */
		delta = max_t(s64, now->tsc - gtod.cycle_last, 0);
		now->raw_ns = gtod_ns(&gtod.raw, delta) + gtod.offs_boot;
		now->real_ns = gtod_ns(&gtod.real, delta);
	} while (read_seqcount_retry(&gtod.seq, seq));
	return is_tsc;
}

bool pv_host_clock_is_tsc(void)
{
	return READ_ONCE(gtod.is_tsc);
}

/* The time base, whatever the clocksource. */
static u64 base_ns(void)
{
	return ktime_get_raw_ns() + READ_ONCE(gtod.offs_boot);
}

/* ---- scales ------------------------------------------------------------------- */

/* ns = ((cycles << shift) * mul) >> 32, with mul as large as it gets. */
static void hz_to_scale(u64 hz, u32 *mul, s8 *shift)
{
	u64 num = NSEC_PER_SEC, den = max_t(u64, hz, 1);
	int s = 0;

	while (num >= den) {
		den <<= 1;
		s++;
	}
	while (num * 2 < den) {
		num <<= 1;
		s--;
	}
	*mul = div64_u64(num << 32, den);
	*shift = s;
}

static u64 host_hz(void)
{
	return tsc_khz * 1000ULL;
}

/* ---- the master clock ------------------------------------------------------------ */

struct clock_view {
	bool master;
	u64 ns, tsc;
	s64 offset;
};

static struct clock_view clock_view(struct kvm *kvm)
{
	struct x86_vm_clock *c = &kvm->arch.clock;
	struct clock_view v;
	unsigned int seq;

	do {
		seq = read_seqcount_begin(&c->seq);
		v = (struct clock_view) {
			.master = c->use_master, .ns = c->master_kernel_ns,
			.tsc = c->master_tsc, .offset = c->offset,
		};
	} while (read_seqcount_retry(&c->seq, seq));
	return v;
}

/* tsc.lock held. Is the pair in use still the right one? */
static bool master_still_good(struct kvm *kvm, bool possible)
{
	const struct x86_vm_clock *c = &kvm->arch.clock;

	return c->use_master == possible &&
	       (!possible || c->master_generation == kvm->arch.tsc.generation);
}

/* tsc.lock held, in a write section of clock.seq. */
static void master_take(struct kvm *kvm, bool possible, const struct gtod_now *now)
{
	struct x86_vm_clock *c = &kvm->arch.clock;

	WRITE_ONCE(c->use_master, possible);
	c->master_kernel_ns = now->raw_ns;
	c->master_tsc = now->tsc;
	c->master_generation = kvm->arch.tsc.generation;
}

/* tsc.lock held. */
static bool all_tscs_match(struct kvm *kvm)
{
	const struct x86_vm_tsc *g = &kvm->arch.tsc;

	return g->generation && g->nr_matched + 1 >= (u32)atomic_read(&kvm->nr_vcpus);
}

static bool master_possible(struct kvm *kvm, struct gtod_now *now)
{
	return gtod_read(now) && !check_tsc_unstable() && all_tscs_match(kvm);
}

static bool master_update_due(struct kvm *kvm)
{
	struct gtod_now now;
	unsigned long flags;
	bool possible, due;

	raw_spin_lock_irqsave(&kvm->arch.tsc.lock, flags);
	possible = master_possible(kvm, &now);
	due = !master_still_good(kvm, possible);
	trace_kvm_update_master_clock(possible, pv_host_clock_is_tsc(), all_tscs_match(kvm));
	raw_spin_unlock_irqrestore(&kvm->arch.tsc.lock, flags);
	return due;
}

/* update_sem held for writing: all vCPUs out, none back in before it is released. */
static void clock_stop_vcpus(struct kvm *kvm)
{
	lockdep_assert_held_write(&kvm->arch.clock.update_sem);
	kvm_request_all_wait(kvm, KVM_REQ_CLOCK_UPDATE);
}

/* No spin lock held: waits for vCPUs to leave the guest. */
void pv_update_master_clock(struct kvm *kvm)
{
	struct x86_vm_clock *c = &kvm->arch.clock;
	struct gtod_now now;
	unsigned long flags;
	bool possible;

	down_write(&c->update_sem);
	if (master_update_due(kvm)) {
		clock_stop_vcpus(kvm);
		raw_spin_lock_irqsave(&kvm->arch.tsc.lock, flags);
		possible = master_possible(kvm, &now);
		write_seqcount_begin(&c->seq);
		master_take(kvm, possible, &now);
		write_seqcount_end(&c->seq);
		raw_spin_unlock_irqrestore(&kvm->arch.tsc.lock, flags);
	}
	up_write(&c->update_sem);
}

/* kvmclock at the host TSC @tsc; @v must be a master view. */
static u64 master_time(const struct clock_view *v, u64 tsc)
{
	u32 mul;
	s8 shift;

	hz_to_scale(host_hz(), &mul, &shift);
	return v->ns + v->offset +
	       pvclock_scale_delta(max_t(s64, tsc - v->tsc, 0), mul, shift);
}

static u64 kvmclock_now(struct kvm *kvm)
{
	struct clock_view v = clock_view(kvm);

	if (!v.master)
		return base_ns() + v.offset;
	return master_time(&v, rdtsc_ordered());
}

/* ---- a vCPU's page ------------------------------------------------------------------ */

static int page_write(struct kvm_vcpu *vcpu, const void *data, size_t off, size_t len)
{
	return kvm_cache_write(vcpu->kvm, &vcpu->arch.pv.clock_mem, data, off, len);
}

/* Version odd, body, version even: a reader of another vCPU never sees a mixture. */
static void page_publish(struct kvm_vcpu *vcpu, struct pvclock_vcpu_time_info *t)
{
	const size_t body = offsetofend(struct pvclock_vcpu_time_info, version);
	u32 version;

	if (kvm_cache_read(vcpu->kvm, &vcpu->arch.pv.clock_mem, &version, 0, sizeof(version)))
		return;
	t->version = (version | 1) + 2;
	if (page_write(vcpu, &t->version, 0, sizeof(t->version)))
		return;
	smp_wmb();	/* odd before the body */
	page_write(vcpu, (void *)t + body, body, sizeof(*t) - body);
	smp_wmb();	/* the body before even */
	t->version++;
	page_write(vcpu, &t->version, 0, sizeof(t->version));
}

static void update_scale(struct kvm_vcpu *vcpu)
{
	struct x86_pv *pv = &vcpu->arch.pv;
	u64 hz = x86_scale_tsc(host_hz(), vcpu->arch.tsc.multiplier);

	if (pv->clock_hz == hz)
		return;
	hz_to_scale(hz, &pv->clock_mul, &pv->clock_shift);
	pv->clock_hz = hz;
}

static u8 page_flags(struct kvm_vcpu *vcpu, bool master)
{
	u8 flags = master ? PVCLOCK_TSC_STABLE_BIT : 0;

	if (vcpu->arch.pv.clock_guest_stopped) {
		flags |= PVCLOCK_GUEST_STOPPED;
		vcpu->arch.pv.clock_guest_stopped = false;
	}
	return flags;
}

static void update_page(struct kvm_vcpu *vcpu)
{
	struct x86_pv *pv = &vcpu->arch.pv;
	struct pvclock_vcpu_time_info t = { };
	struct clock_view v = clock_view(vcpu->kvm);
	unsigned long flags;

	if (!v.master) {
		local_irq_save(flags);
		v.tsc = rdtsc_ordered();
		v.ns = base_ns();
		local_irq_restore(flags);
	}
	update_scale(vcpu);
	t.tsc_timestamp = x86_read_tsc(vcpu, v.tsc);
	t.system_time = v.ns + v.offset;
	t.tsc_to_system_mul = pv->clock_mul;
	t.tsc_shift = pv->clock_shift;
	t.flags = page_flags(vcpu, v.master);
	page_publish(vcpu, &t);
	trace_kvm_pvclock_update(vcpu->vcpu_id, &t);
}

int pv_update_clock(struct kvm_vcpu *vcpu)
{
	struct rw_semaphore *sem = &vcpu->kvm->arch.clock.update_sem;

	if (!(vcpu->arch.pv.clock_msr & KVM_MSR_ENABLED))
		return 0;
	down_read(sem);
	update_page(vcpu);
	up_read(sem);
	return 0;
}

/* Without a master clock: this vCPU now, the others soon, many requests at once. */
void pv_update_global_clock(struct kvm_vcpu *vcpu)
{
	kvm_set_request(KVM_REQ_CLOCK_UPDATE, vcpu);
	schedule_delayed_work(&vcpu->kvm->arch.clock.update_work, CLOCK_UPDATE_DELAY);
}

static void clock_update_work(struct work_struct *work)
{
	struct kvm *kvm = container_of(to_delayed_work(work), struct kvm, arch.clock.update_work);

	kvm_request_all(kvm, KVM_REQ_CLOCK_UPDATE);
}

static void clock_sync_work(struct work_struct *work)
{
	struct x86_vm_clock *c = container_of(to_delayed_work(work), struct x86_vm_clock,
					      sync_work);

	if (!READ_ONCE(c->use_master))
		schedule_delayed_work(&c->update_work, 0);
	schedule_delayed_work(&c->sync_work, CLOCK_SYNC_PERIOD);
}

/* ---- MSRs -------------------------------------------------------------------------- */

int pv_set_system_time(struct kvm_vcpu *vcpu, u64 data)
{
	struct x86_pv *pv = &vcpu->arch.pv;

	pv->clock_msr = data;
	if (!(data & KVM_MSR_ENABLED))
		return 0;
	kvm_cache_init(vcpu->kvm, &pv->clock_mem, data & ~(u64)KVM_MSR_ENABLED,
		       sizeof(struct pvclock_vcpu_time_info));
	kvm_set_request(KVM_REQ_MASTER_CLOCK, vcpu);
	kvm_set_request(KVM_REQ_GLOBAL_CLOCK, vcpu);
	kvm_set_request(KVM_REQ_CLOCK_UPDATE, vcpu);
	return 0;
}

/* The wall clock at kvmclock zero, written once for each write of the MSR. */
int pv_set_wall_clock(struct kvm_vcpu *vcpu, u64 data)
{
	struct kvm *kvm = vcpu->kvm;
	struct pvclock_wall_clock w;
	u64 ns;
	u32 version, nsec;

	WRITE_ONCE(kvm->arch.wall_clock, data);
	if (!data || kvm_read_guest(kvm, data, &version, sizeof(version)))
		return 0;
	w.version = (version | 1) + 2;
	if (kvm_write_guest(kvm, data, &w.version, sizeof(w.version)))
		return 0;
	ns = ktime_get_real_ns() - kvmclock_now(kvm);
	w.sec = div_u64_rem(ns, NSEC_PER_SEC, &nsec);
	w.nsec = nsec;
	kvm_write_guest(kvm, data, &w, sizeof(w));
	w.version++;
	kvm_write_guest(kvm, data, &w.version, sizeof(w.version));
	return 0;
}

/* ---- ioctls ---------------------------------------------------------------------------- */

long pv_vm_get_clock(struct kvm *kvm, void *arg)
{
	struct kvm_clock_data *d = arg;
	struct clock_view v = clock_view(kvm);
	struct gtod_now now;

	memset(d, 0, sizeof(*d));
	if (!gtod_read(&now)) {
		d->clock = base_ns() + v.offset;
		return 0;
	}
	d->realtime = now.real_ns;
	d->host_tsc = now.tsc;
	d->flags = KVM_CLOCK_REALTIME | KVM_CLOCK_HOST_TSC;
	if (v.master) {
		d->clock = master_time(&v, now.tsc);
		d->flags |= KVM_CLOCK_TSC_STABLE;
	} else {
		d->clock = now.raw_ns + v.offset;
	}
	return 0;
}

/* What the clock must show now, given what userspace says it showed then. */
static u64 clock_target(const struct kvm_clock_data *d, u64 real_ns)
{
	if (!(d->flags & KVM_CLOCK_REALTIME) || real_ns <= d->realtime)
		return d->clock;
	return d->clock + (real_ns - d->realtime);
}

long pv_vm_set_clock(struct kvm *kvm, void *arg)
{
	const u32 known = KVM_CLOCK_TSC_STABLE | KVM_CLOCK_REALTIME | KVM_CLOCK_HOST_TSC;
	struct x86_vm_clock *c = &kvm->arch.clock;
	const struct kvm_clock_data *d = arg;
	struct gtod_now now;
	unsigned long flags;
	bool possible;

	if (d->flags & ~known)
		return -EINVAL;
	down_write(&c->update_sem);
	clock_stop_vcpus(kvm);
	raw_spin_lock_irqsave(&kvm->arch.tsc.lock, flags);
	possible = master_possible(kvm, &now);
	write_seqcount_begin(&c->seq);
	master_take(kvm, possible, &now);
	if (possible)
		c->offset = clock_target(d, now.real_ns) - now.raw_ns;
	else
		c->offset = clock_target(d, ktime_get_real_ns()) - base_ns();
	write_seqcount_end(&c->seq);
	raw_spin_unlock_irqrestore(&kvm->arch.tsc.lock, flags);
	up_write(&c->update_sem);
	return 0;
}

/* The guest's watchdogs should not bark at the time it was stopped. */
long pv_kvmclock_ctrl(struct kvm_vcpu *vcpu, void *arg)
{
	if (!(vcpu->arch.pv.clock_msr & KVM_MSR_ENABLED))
		return -EINVAL;
	vcpu->arch.pv.clock_guest_stopped = true;
	kvm_set_request(KVM_REQ_CLOCK_UPDATE, vcpu);
	return 0;
}

/* ---- life -------------------------------------------------------------------------------- */

/* tsc.lock is initialised already. */
void pv_vm_init(struct kvm *kvm)
{
	struct x86_vm_clock *c = &kvm->arch.clock;

	init_rwsem(&c->update_sem);
	seqcount_raw_spinlock_init(&c->seq, &kvm->arch.tsc.lock);
	c->offset = -base_ns();
	INIT_DELAYED_WORK(&c->update_work, clock_update_work);
	INIT_DELAYED_WORK(&c->sync_work, clock_sync_work);
	schedule_delayed_work(&c->sync_work, CLOCK_SYNC_PERIOD);
}

/* No vCPU runs any more, but the works may. */
void pv_vm_destroy(struct kvm *kvm)
{
	cancel_delayed_work_sync(&kvm->arch.clock.sync_work);
	cancel_delayed_work_sync(&kvm->arch.clock.update_work);
}

/* The host's clocksource changed from or to the TSC. */
static void gtod_changed(struct work_struct *work)
{
	struct kvm *kvm;

	mutex_lock(&kvm_vms_lock);
	list_for_each_entry(kvm, &kvm_vms, vm_list)
		kvm_request_all(kvm, KVM_REQ_MASTER_CLOCK);
	mutex_unlock(&kvm_vms_lock);
}

static DECLARE_WORK(gtod_work, gtod_changed);

/* From the timekeeper's lock to a place where work may be queued. */
static void gtod_irq_work_fn(struct irq_work *w)
{
	schedule_work(&gtod_work);
}

int pv_module_init(void)
{
	init_irq_work(&gtod_irq_work, gtod_irq_work_fn);
	return pvclock_gtod_register_notifier(&gtod_notifier);
}

void pv_module_exit(void)
{
	pvclock_gtod_unregister_notifier(&gtod_notifier);
	irq_work_sync(&gtod_irq_work);
	cancel_work_sync(&gtod_work);
}
