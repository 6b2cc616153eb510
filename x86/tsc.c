// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's time stamp counter: guest = scale(host) + offset.
 *
 * Generations. A VMM that starts or restores a VM writes the TSC of each vCPU
 * one after the other and means "all of them, now". Each write is therefore
 * compared with what the last one would have become by now: within one second
 * it joins the current generation and gets exactly the same offset, so that the
 * guest finds its TSCs synchronised. A write further off begins a new
 * generation. A host write of zero joins without looking: that is how a CPU is
 * plugged into a running VM. The kvmclock may use one (time, TSC) pair for all
 * vCPUs only when all are of the current generation.
 *
 * Frequency. With hardware scaling any rate; without, only the host's, give or
 * take what crystals differ by (250 ppm).
 *
 * Unstable hosts. When the kernel has found that the TSCs of its CPUs disagree
 * or stop, a vCPU that comes to another CPU continues where it was: its offset
 * is corrected at load. The same mends a host TSC that went backwards over a
 * suspend.
 *
 * Locks: tsc.lock of the VM covers the generation; a vCPU's own values belong
 * to its thread.
 */
#include <linux/math64.h>
#include <linux/ktime.h>
#include <linux/uaccess.h>
#include <asm/tsc.h>
#include "irqchip.h"
#include "trace.h"
#include "x86.h"

#define TSC_TOLERANCE_PPM	250

void x86_tsc_module_init(void)
{
}

void x86_tsc_module_exit(void)
{
}

u32 x86_host_tsc_khz(void)
{
	return tsc_khz;
}

u64 x86_scale_tsc(u64 tsc, u64 multiplier)
{
	return multiplier ? mul_u64_u64_shr(tsc, multiplier, hw_caps.tsc_scaling_frac_bits) : tsc;
}
EXPORT_SYMBOL_GPL(x86_scale_tsc);

u64 x86_read_tsc(struct kvm_vcpu *vcpu, u64 host_tsc)
{
	struct x86_tsc *t = &vcpu->arch.tsc;

	return x86_scale_tsc(host_tsc, READ_ONCE(t->multiplier)) + READ_ONCE(t->offset);
}
EXPORT_SYMBOL_GPL(x86_read_tsc);

/* The offset with which the guest reads @target at this moment. */
u64 x86_compute_l1_tsc_offset(struct kvm_vcpu *vcpu, u64 target)
{
	return target - x86_scale_tsc(rdtsc(), vcpu->arch.tsc.multiplier);
}

static void put_offset(struct kvm_vcpu *vcpu, u64 offset)
{
	trace_kvm_write_tsc_offset(vcpu->vcpu_id, vcpu->arch.tsc.offset, offset);
	WRITE_ONCE(vcpu->arch.tsc.offset, offset);
	vendor_call(write_tsc)(vcpu);
	irqchip_tsc_changed(vcpu);
}

static u32 guest_khz(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.tsc.khz ?: tsc_khz;
}

/* ---- frequency ----------------------------------------------------------------- */

/* Is @khz the host's rate, for all practical purposes? */
static bool khz_is_hosts(u32 khz)
{
	u32 tolerance = div_u64((u64)tsc_khz * TSC_TOLERANCE_PPM, 1000000);

	return khz >= tsc_khz - tolerance && khz <= tsc_khz + tolerance;
}

/* 0, or -EINVAL if this machine can't do it. */
static int set_khz(struct kvm_vcpu *vcpu, u32 khz)
{
	struct x86_tsc *t = &vcpu->arch.tsc;
	u64 ratio = 0;

	if (!khz)
		return -EINVAL;
	if (!khz_is_hosts(khz)) {
		if (!hw_caps.tsc_scaling || !tsc_khz)
			return -EINVAL;
		ratio = mul_u64_u32_div(1ULL << hw_caps.tsc_scaling_frac_bits, khz, tsc_khz);
		if (!ratio || ratio >= hw_caps.max_tsc_scaling_ratio)
			return -EINVAL;
	}
	t->khz = khz;
	if (t->multiplier == ratio)
		return 0;
	WRITE_ONCE(t->multiplier, ratio);
	vendor_call(write_tsc)(vcpu);
	irqchip_tsc_changed(vcpu);
	return 0;
}

long x86_set_tsc_khz(struct kvm_vcpu *vcpu, void *arg)
{
	unsigned long khz = (unsigned long)arg;
	int r;

	if (khz > U32_MAX)
		return -EINVAL;
	r = set_khz(vcpu, khz ?: tsc_khz);
	if (!r)
		kvm_set_request(KVM_REQ_CLOCK_UPDATE, vcpu);
	return r;
}

long x86_get_tsc_khz(struct kvm_vcpu *vcpu, void *arg)
{
	if (check_tsc_unstable())
		return -EIO;
	return guest_khz(vcpu);
}

/* For vCPUs yet to be created; kvm->lock held. */
long x86_vm_set_tsc_khz(struct kvm *kvm, void *arg)
{
	unsigned long khz = (unsigned long)arg;

	if (khz > U32_MAX)
		return -EINVAL;
	if (khz && !khz_is_hosts(khz) && !hw_caps.tsc_scaling)
		return -EINVAL;
	kvm->arch.default_tsc_khz = khz ?: tsc_khz;
	return 0;
}

long x86_vm_get_tsc_khz(struct kvm *kvm, void *arg)
{
	return kvm->arch.default_tsc_khz;
}

/* ---- writes and generations ------------------------------------------------------- */

static u64 ns_to_cycles(struct kvm_vcpu *vcpu, u64 ns)
{
	return mul_u64_u32_div(ns, guest_khz(vcpu), 1000000);
}

/* Does a write of @data now mean the same moment as the last one? tsc.lock held. */
static bool same_moment(struct kvm_vcpu *vcpu, u64 data, u64 ns, bool host)
{
	struct x86_vm_tsc *g = &vcpu->kvm->arch.tsc;
	u64 second = guest_khz(vcpu) * 1000ULL, expected;

	if (!g->generation || g->last_khz != guest_khz(vcpu))
		return false;
	if (host && !data)
		return true;
	expected = g->last_write + ns_to_cycles(vcpu, ns - g->last_ns);
	return data - (expected - second) <= 2 * second;
}

/*
 * The offset for a vCPU that joins. On a sound host it is the same number; on
 * one whose TSCs differ only the value expected by now will do.
 */
static u64 joining_offset(struct kvm_vcpu *vcpu, u64 ns)
{
	struct x86_vm_tsc *g = &vcpu->kvm->arch.tsc;

	if (!check_tsc_unstable())
		return g->cur_offset;
	return x86_compute_l1_tsc_offset(vcpu, g->cur_write + ns_to_cycles(vcpu, ns - g->cur_ns));
}

/* tsc.lock held: enter the current generation, or begin the next with @offset. */
static void enter_generation(struct kvm_vcpu *vcpu, bool join, u64 offset, u64 data, u64 ns)
{
	struct x86_vm_tsc *g = &vcpu->kvm->arch.tsc;

	lockdep_assert_held(&g->lock);
	g->last_ns = ns;
	g->last_write = data;
	g->last_khz = guest_khz(vcpu);
	if (!join) {
		g->generation++;
		g->cur_offset = offset;
		g->cur_ns = ns;
		g->cur_write = data;
		g->nr_matched = 0;
	} else if (vcpu->arch.tsc.generation != g->generation) {
		g->nr_matched++;
	}
	vcpu->arch.tsc.generation = g->generation;
	trace_kvm_track_tsc(vcpu->vcpu_id, g->nr_matched, atomic_read(&vcpu->kvm->nr_vcpus),
			    READ_ONCE(vcpu->kvm->arch.clock.use_master), pv_host_clock_is_tsc());
}

void x86_write_tsc(struct kvm_vcpu *vcpu, u64 data, bool host)
{
	struct x86_vm_tsc *g = &vcpu->kvm->arch.tsc;
	unsigned long flags;
	u64 offset, ns;
	bool join;

	raw_spin_lock_irqsave(&g->lock, flags);
	ns = ktime_get_boottime_ns();
	join = same_moment(vcpu, data, ns, host);
	offset = join ? joining_offset(vcpu, ns) : x86_compute_l1_tsc_offset(vcpu, data);
	if (join)
		data = x86_scale_tsc(rdtsc(), vcpu->arch.tsc.multiplier) + offset;
	enter_generation(vcpu, join, offset, data, ns);
	raw_spin_unlock_irqrestore(&g->lock, flags);

	vcpu->arch.tsc.last_guest_tsc = data;
	put_offset(vcpu, offset);
	kvm_set_request(KVM_REQ_MASTER_CLOCK, vcpu);
}

void x86_adjust_tsc(struct kvm_vcpu *vcpu, s64 delta)
{
	put_offset(vcpu, vcpu->arch.tsc.offset + delta);
	kvm_set_request(KVM_REQ_CLOCK_UPDATE, vcpu);
}

/* ---- vCPU ---------------------------------------------------------------------------- */

int x86_tsc_vcpu_init(struct kvm_vcpu *vcpu)
{
	return set_khz(vcpu, vcpu->kvm->arch.default_tsc_khz ?: tsc_khz);
}

/*
 * Has the host's TSC jumped under this vCPU: another CPU's, or set back by more
 * than CPUs of a sound machine may differ (a millisecond is generous)?
 */
static bool host_tsc_jumped(struct kvm_vcpu *vcpu, int cpu)
{
	const struct x86_tsc *t = &vcpu->arch.tsc;

	if (!t->last_host_tsc)
		return false;
	return rdtsc() + tsc_khz < t->last_host_tsc ||
	       (check_tsc_unstable() && vcpu->cpu != cpu);
}

/* vcpu->cpu is still the CPU of last time. */
void x86_tsc_vcpu_load(struct kvm_vcpu *vcpu, int cpu)
{
	struct x86_tsc *t = &vcpu->arch.tsc;

	if (unlikely(host_tsc_jumped(vcpu, cpu))) {
		put_offset(vcpu, x86_compute_l1_tsc_offset(vcpu, t->last_guest_tsc));
		kvm_set_request(KVM_REQ_MASTER_CLOCK, vcpu);
		kvm_set_request(KVM_REQ_CLOCK_UPDATE, vcpu);
	}
	if (vcpu->cpu != cpu && !READ_ONCE(vcpu->kvm->arch.clock.use_master))
		kvm_set_request(KVM_REQ_GLOBAL_CLOCK, vcpu);
}

void x86_tsc_vcpu_put(struct kvm_vcpu *vcpu)
{
	struct x86_tsc *t = &vcpu->arch.tsc;

	t->last_host_tsc = rdtsc();
	t->last_guest_tsc = x86_read_tsc(vcpu, t->last_host_tsc);
}

/* ---- KVM_VCPU_TSC_CTRL --------------------------------------------------------------- */

static bool attr_is_offset(const struct kvm_device_attr *attr)
{
	return attr->group == KVM_VCPU_TSC_CTRL && attr->attr == KVM_VCPU_TSC_OFFSET;
}

long x86_vcpu_has_attr(struct kvm_vcpu *vcpu, void *arg)
{
	return attr_is_offset(arg) ? 0 : -ENXIO;
}

long x86_vcpu_get_attr(struct kvm_vcpu *vcpu, void *arg)
{
	const struct kvm_device_attr *attr = arg;

	if (!attr_is_offset(attr))
		return -ENXIO;
	return put_user(vcpu->arch.tsc.offset, (u64 __user *)u64_to_user_ptr(attr->addr));
}

/* An explicit offset: equal offsets form a generation as equal writes do. */
long x86_vcpu_set_attr(struct kvm_vcpu *vcpu, void *arg)
{
	struct x86_vm_tsc *g = &vcpu->kvm->arch.tsc;
	const struct kvm_device_attr *attr = arg;
	unsigned long flags;
	u64 offset, data, ns;
	bool join;

	if (!attr_is_offset(attr))
		return -ENXIO;
	if (get_user(offset, (u64 __user *)u64_to_user_ptr(attr->addr)))
		return -EFAULT;

	raw_spin_lock_irqsave(&g->lock, flags);
	join = g->generation && g->last_khz == guest_khz(vcpu) && g->cur_offset == offset;
	data = x86_scale_tsc(rdtsc(), vcpu->arch.tsc.multiplier) + offset;
	ns = ktime_get_boottime_ns();
	enter_generation(vcpu, join, offset, data, ns);
	raw_spin_unlock_irqrestore(&g->lock, flags);

	vcpu->arch.tsc.last_guest_tsc = data;
	put_offset(vcpu, offset);
	kvm_set_request(KVM_REQ_MASTER_CLOCK, vcpu);
	return 0;
}
