// SPDX-License-Identifier: GPL-2.0
/*
 * perf's question: did this sample hit a guest, in user mode or kernel, where?
 *
 * It is asked on the CPU where the sample was taken, in whatever context: NMI,
 * interrupt, or that of a tracepoint. A guest was interrupted if a vCPU is
 * loaded here and says so. It does around the entry itself, for NMIs, and while interrupts
 * that ended the guest's turn are let in (guest_context.h). No exit handler has
 * touched the registers by then, so reading them disturbs nobody.
 */
#include <linux/perf_event.h>
#include "arch.h"
#include "virt.h"

static struct kvm_vcpu *sampled_vcpu(void)
{
	struct kvm_vcpu *vcpu = kvm_running_vcpu();

	return vcpu && READ_ONCE(vcpu->sampled) ? vcpu : NULL;
}

static unsigned int guest_state(void)
{
	struct kvm_vcpu *vcpu = sampled_vcpu();

	if (!vcpu)
		return 0;
	return PERF_GUEST_ACTIVE | (arch_vcpu_in_kernel(vcpu) ? 0 : PERF_GUEST_USER);
}

static unsigned long guest_ip(void)
{
	struct kvm_vcpu *vcpu = sampled_vcpu();

	return WARN_ON_ONCE(!vcpu) ? 0 : arch_vcpu_ip(vcpu);
}

static struct perf_guest_info_callbacks guest_cbs = {
	.state	= guest_state,
	.get_ip	= guest_ip,
};

void kvm_perf_init(void)
{
	perf_register_guest_info_callbacks(&guest_cbs);
}

void kvm_perf_exit(void)
{
	perf_unregister_guest_info_callbacks(&guest_cbs);
}
