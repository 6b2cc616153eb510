// SPDX-License-Identifier: GPL-2.0
/*
 * Life of the x86 part of VMs and vCPUs: creation, loading on a CPU, teardown.
 *
 * Creation order of a vCPU: memory of the vendor's size, FPU, emulator, MMU,
 * local APIC, the vendor's own state, then power-on reset. Teardown is the
 * reverse; each step of arch_vcpu_create() has its undo label.
 */
#include <linux/slab.h>
#include "apicv.h"
#include "arch.h"
#include "irqchip.h"
#include "lapic.h"
#include "mmu.h"
#include "x86.h"

/* ---- VM ---------------------------------------------------------------------- */

int arch_vm_init(struct kvm *kvm, unsigned long type)
{
	int r;

	if (type)
		return -EINVAL;
	mutex_init(&kvm->arch.lapic_map_lock);
	raw_spin_lock_init(&kvm->arch.tsc.lock);
	kvm->arch.identity_map_addr = 0xfffbc000;
	kvm->arch.platform_info_readable = true;
	kvm->arch.default_tsc_khz = x86_host_tsc_khz();
	irqchip_vm_init(kvm);

	r = mmu_vm_init(kvm);
	if (r)
		return r;
	r = vendor_call(vm_init)(kvm);
	if (r) {
		mmu_vm_destroy(kvm);
		return r;
	}
	pv_vm_init(kvm);
	return 0;
}

void arch_vm_pre_destroy(struct kvm *kvm)
{
	irqchip_vm_stop(kvm);
	pv_vm_destroy(kvm);
}

void arch_vm_destroy(struct kvm *kvm)
{
	irqchip_vm_destroy(kvm);
	x86_msr_filter_free(kvm);
	mmu_vm_destroy(kvm);
	apicv_vm_destroy(kvm);
	vendor_call(vm_destroy)(kvm);
}

/* ---- vCPU --------------------------------------------------------------------- */

/* Ids are APIC ids; KVM_CAP_MAX_VCPU_ID may have lowered their limit. */
int arch_vcpu_precreate(struct kvm *kvm, unsigned int id)
{
	return id >= (unsigned int)kvm->max_vcpu_ids ? -EINVAL : 0;
}

struct kvm_vcpu *arch_vcpu_alloc(struct kvm *kvm)
{
	return kzalloc(vendor_ops->vcpu_size, GFP_KERNEL_ACCOUNT);
}

void arch_vcpu_free(struct kvm_vcpu *vcpu)
{
	kfree(vcpu);
}

static bool is_boot_vcpu(struct kvm_vcpu *vcpu)
{
	return vcpu->vcpu_id == vcpu->kvm->arch.boot_vcpu_id;
}

static void init_state(struct kvm_vcpu *vcpu)
{
	bool waits = vcpu->arch.apic && !is_boot_vcpu(vcpu);

	vcpu->arch.mp_state = waits ? KVM_MP_STATE_UNINITIALIZED : KVM_MP_STATE_RUNNABLE;
	vcpu->arch.ev.user_vector = -1;
	vcpu->arch.ev.held_vector = -1;
	vcpu->arch.mce.cap = X86_MCE_BANKS;
	vcpu->arch.cpuid.maxphyaddr = 36;
	vcpu->arch.cpuid.reserved_gpa_bits = ~0ull << 36;
	vcpu->arch.regs.avail = X86_ALL_CLASSES;
	/* what userspace's own APIC has; an in-kernel one keeps its base itself */
	if (!vcpu->arch.apic)
		vcpu->arch.apic_base = 0xfee00000 | LAPIC_BASE_EN |
				       (is_boot_vcpu(vcpu) ? LAPIC_BASE_BSP : 0);
	x86_msr_vcpu_init(vcpu);
}

int arch_vcpu_create(struct kvm_vcpu *vcpu)
{
	int r;

	vcpu->arch.pio_data = (u8 *)vcpu->run + KVM_PIO_PAGE_OFFSET * PAGE_SIZE;
	r = x86_fpu_create(vcpu);
	if (r)
		return r;
	r = x86_emul_create(vcpu);
	if (r)
		goto free_fpu;
	r = mmu_vcpu_create(vcpu);
	if (r)
		goto free_emul;
	r = irqchip_vcpu_create(vcpu);
	if (r)
		goto free_mmu;
	init_state(vcpu);
	r = vendor_call(vcpu_create)(vcpu);
	if (r)
		goto free_apic;

	kvm_vcpu_load(vcpu);
	x86_tsc_vcpu_init(vcpu);
	x86_cpuid_update_runtime(vcpu);
	x86_vcpu_reset(vcpu, false);
	kvm_vcpu_put(vcpu);
	return 0;

free_apic:
	irqchip_vcpu_destroy(vcpu);
free_mmu:
	mmu_vcpu_destroy(vcpu);
free_emul:
	x86_emul_free(vcpu);
free_fpu:
	x86_fpu_free(vcpu);
	return r;
}

void arch_vcpu_postcreate(struct kvm_vcpu *vcpu)
{
	irqchip_vcpu_published(vcpu);
	/* the TSC of all vCPUs starts together with the first one's */
	if (mutex_lock_killable(&vcpu->mutex))
		return;
	kvm_vcpu_load(vcpu);
	x86_write_tsc(vcpu, 0, true);
	kvm_vcpu_put(vcpu);
	mutex_unlock(&vcpu->mutex);
}

void arch_vcpu_destroy(struct kvm_vcpu *vcpu)
{
	kvm_vcpu_load(vcpu);
	mmu_unload(vcpu);
	kvm_vcpu_put(vcpu);
	vendor_call(vcpu_free)(vcpu);
	irqchip_vcpu_destroy(vcpu);
	mmu_vcpu_destroy(vcpu);
	x86_cpuid_free(vcpu);
	x86_emul_free(vcpu);
	x86_fpu_free(vcpu);
}

void arch_vcpu_load(struct kvm_vcpu *vcpu, int cpu)
{
	vendor_call(vcpu_load)(vcpu, cpu);
	x86_tsc_vcpu_load(vcpu, cpu);
	if (vcpu->cpu != cpu)
		irqchip_vcpu_migrated(vcpu);
	if (pv_steal_due(vcpu))
		kvm_set_request(KVM_REQ_STEAL_UPDATE, vcpu);
}

void arch_vcpu_put(struct kvm_vcpu *vcpu)
{
	/* Between two KVM_RUNs the vCPU is as good as running: it costs a lock holder no slice. */
	if (vcpu->loaded)
		pv_steal_preempted(vcpu);
	x86_tsc_vcpu_put(vcpu);
	vendor_call(vcpu_put)(vcpu);
}

bool arch_vcpu_in_kernel(struct kvm_vcpu *vcpu)
{
	return x86_cpl(vcpu) == 0;
}

unsigned long arch_vcpu_ip(struct kvm_vcpu *vcpu)
{
	return x86_rip(vcpu);
}

/* Whoever posts an interrupt wakes a vCPU by the ordinary kick: nothing to arm. */
void arch_vcpu_blocking(struct kvm_vcpu *vcpu)
{
}

void arch_vcpu_unblocking(struct kvm_vcpu *vcpu)
{
}

vm_fault_t arch_vcpu_fault(struct kvm_vcpu *vcpu, struct vm_fault *vmf)
{
	return VM_FAULT_SIGBUS;
}

int arch_hardware_enable(void)
{
	return vendor_call(cpu_on)();
}

void arch_hardware_disable(void)
{
	vendor_call(cpu_off)();
}

/* ---- INIT and SIPI --------------------------------------------------------------- */

/* Start in real mode at vector:0000 (SDM vol. 3, "MP Initialization"). */
static void start_at_sipi(struct kvm_vcpu *vcpu, u8 vector)
{
	struct kvm_segment cs = *x86_seg(vcpu, X86_CS);

	cs.selector = vector << 8;
	cs.base = vector << 12;
	x86_put_seg(vcpu, X86_CS, &cs);
	x86_put_rip(vcpu, 0);
	vcpu->arch.mp_state = KVM_MP_STATE_RUNNABLE;
}

int x86_accept_init_sipi(struct kvm_vcpu *vcpu)
{
	struct lapic *apic = vcpu->arch.apic;

	if (likely(!apic || !READ_ONCE(apic->events)))
		return 0;
	if (test_and_clear_bit(LAPIC_EVENT_INIT, &apic->events)) {
		x86_vcpu_reset(vcpu, true);
		vcpu->arch.mp_state = is_boot_vcpu(vcpu) ? KVM_MP_STATE_RUNNABLE :
							   KVM_MP_STATE_INIT_RECEIVED;
	}
	if (test_and_clear_bit(LAPIC_EVENT_SIPI, &apic->events) &&
	    vcpu->arch.mp_state == KVM_MP_STATE_INIT_RECEIVED) {
		smp_rmb();	/* the vector was written before the bit */
		start_at_sipi(vcpu, READ_ONCE(apic->sipi_vector));
	}
	return 0;
}
