// SPDX-License-Identifier: GPL-2.0
/*
 * Intel's hardware that does a local APIC's work (SDM vol. 3, "APIC Virtualization
 * and Virtual Interrupts"), on the model's register page.
 *
 *	TPR shadow		always: CR8 without exits
 *	APIC accesses		while the APIC is in xAPIC mode where it was after power-up: the
 *				access page tells the hardware which accesses are meant. What it
 *				does not do by itself exits with the offset
 *	x2APIC mode		the same for MSRs: those that the bitmap lets through
 *	APIC registers		reads come from the page; writes go there and exit afterwards
 *	interrupt delivery	IRR to ISR by priority, EOI, self IPIs; all three of them while
 *				arch.apicv_active
 *	posted interrupts	with posted_interrupts=1, where the CPU has them: a notification
 *				makes it fetch, in the guest, what was posted. Else, and for all
 *				others, the descriptor is read before each entry
 *
 * The hardware keeps the highest vectors of IRR and ISR in the interrupt status, which it
 * updates as it changes these; the model marks the status as stale when it does.
 *
 * An external interrupt that ends a stay is acknowledged by the exit if interrupts are
 * posted, since the hardware wants it so, and is handed to the host at once.
 *
 * The notification is sent to where the vCPU runs, and only while it is in the guest;
 * no device posts by itself here. So its descriptor need not follow the vCPU, and is
 * never suspended.
 */
#include <linux/cpumask.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <asm/apic.h>
#include <asm/irq_vectors.h>
#include "apicv.h"
#include "insn.h"
#include "irqchip.h"
#include "vmx.h"

/* What the bitmap let through may be the host's APIC's now: always anew. */
static void vmx_apicv_refresh(struct kvm_vcpu *vcpu)
{
	const struct lapic *l = vcpu->arch.apic;
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	bool on = vcpu->arch.apicv_active;
	u32 before = vmx->vmcs->ctl.cpu2;

	vmx_cpu2_control(vmx, SECONDARY_EXEC_VIRTUALIZE_APIC_ACCESSES, lapic_at_default(l));
	vmx_cpu2_control(vmx, SECONDARY_EXEC_VIRTUALIZE_X2APIC_MODE, on && lapic_x2_mode(l));
	vmx_cpu2_control(vmx, SECONDARY_EXEC_APIC_REGISTER_VIRT |
			      SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY, on);
	if (vmx_posts)
		vmx_pin_control(vmx, PIN_BASED_POSTED_INTR, on);
	vmx_msr_intercepts(vcpu);
	/* the TLB may know the page as memory, or as the APIC's */
	if ((before ^ vmx->vmcs->ctl.cpu2) & SECONDARY_EXEC_VIRTUALIZE_APIC_ACCESSES)
		vmx_flush_tlb(vcpu, X86_FLUSH_ALL, 0);
}

static void vmx_set_eoi_exits(struct kvm_vcpu *vcpu, const unsigned long *vectors)
{
	static const u32 field[] = {
		EOI_EXIT_BITMAP0, EOI_EXIT_BITMAP1, EOI_EXIT_BITMAP2, EOI_EXIT_BITMAP3,
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(field); i++)
		vmx_write(field[i], READ_ONCE(vectors[i]));
}

static bool vmx_notify(struct kvm_vcpu *vcpu)
{
	int me, cpu;

	if (!vmx_posts)
		return false;
	me = get_cpu();
	cpu = READ_ONCE(vcpu->cpu);
	/* On this CPU it is on its way in, or out of the guest by the interrupt that we run in. */
	if (cpu != me && (unsigned int)cpu < nr_cpu_ids && cpu_online(cpu))
		apic->send_IPI(cpu, POSTED_INTR_VECTOR);
	put_cpu();
	return true;
}

void vmx_apicv_before_guest(struct vcpu_vmx *vmx)
{
	int status = lapic_new_status(vmx->vcpu.arch.apic);

	if (status >= 0)
		vmx_write(GUEST_INTR_STATUS, status);
}

void vmx_apicv_reset(struct vcpu_vmx *vmx)
{
	vmx_write(APIC_ACCESS_ADDR, page_to_phys(vmx->vcpu.kvm->arch.apicv.page));
	if (!vmx_posts)
		return;
	vmx_write(POSTED_INTR_NV, POSTED_INTR_VECTOR);
	vmx_write(POSTED_INTR_DESC_ADDR, __pa(vmx->vcpu.arch.apic->posted));
}

const struct apicv_ops vmx_apicv_ops = {
	.refresh	= vmx_apicv_refresh,
	.set_eoi_exits	= vmx_set_eoi_exits,
	.notify		= vmx_notify,
};
