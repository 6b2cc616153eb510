// SPDX-License-Identifier: GPL-2.0
/*
 * The life of a virtual machine, and of the hardware that it needs.
 *
 * A struct kvm is referenced by its own descriptor, by the descriptor of each
 * vCPU, device and statistics file, and by whoever called kvm_get_kvm() (vfio).
 * The last kvm_put_kvm() takes it apart. By then no ioctl is running and none
 * can come, so the order below is about what still moves by itself:
 *
 *	irqfds		wakeups of eventfds inject interrupts
 *	timers, works	of the architecture, reach for vCPUs
 *	mmu notifier	the host's mm may call any time; after it is gone no
 *			mapping of guest memory is left
 *	vCPUs		nothing calls into them any more
 *	buses, routes	the devices on them may be told of vCPUs being destroyed
 *	architecture	chips that stood on the buses and in the routes
 *	slots		everybody who looked things up in them is gone
 *
 * The VM descriptor's release already shuts the irqfds down: nobody is left who
 * could unplug them, and an eventfd held elsewhere must not keep interrupting
 * a guest whose monitor is gone.
 *
 * Hardware virtualization is on only while a VM exists: kvm_hardware_get() and
 * _put() count. CPUs that come online while the count is not zero switch it on
 * for themselves. A machine that suspends does so with one CPU left, which
 * syscore switches off and on; the others went through CPU hotplug.
 *
 * At reboot every VM is declared dead and made to leave guest mode first, then
 * the hardware is switched off under nobody's feet; no VM is created from then
 * on. A crash does not come here: the vendor's emergency callback does it.
 *
 * Locks: hardware_lock (count, outside of cpus_read_lock), kvm_vms_lock (list).
 */
#include <linux/cpu.h>
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/reboot.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include "arch.h"
#include "compat.h"
#include "io_bus.h"
#include "memslot.h"
#include "routing.h"
#include "vendor_ops.h"
#include "virt.h"

LIST_HEAD(kvm_vms);
DEFINE_MUTEX(kvm_vms_lock);

static DEFINE_MUTEX(hardware_lock);
static int hardware_users;			/* [hardware_lock], read by CPU hotplug */
static bool hardware_down;			/* [hardware_lock] the machine reboots */
static DEFINE_PER_CPU(bool, hardware_on);	/* by its CPU, preemption off */
static int veto_state;				/* a CPU hotplug state */

/* ---- hardware --------------------------------------------------------------- */

static int cpu_hardware_on(void)
{
	int r;

	if (__this_cpu_read(hardware_on))
		return 0;
	r = arch_hardware_enable();
	if (r)
		pr_warn("kvm: enabling virtualization on CPU %d failed: %d\n",
			smp_processor_id(), r);
	else
		__this_cpu_write(hardware_on, true);
	return r;
}

static void cpu_hardware_off(void)
{
	if (!__this_cpu_read(hardware_on))
		return;
	arch_hardware_disable();
	__this_cpu_write(hardware_on, false);
}

static void ipi_hardware_on(void *failed)
{
	if (cpu_hardware_on())
		atomic_inc(failed);
}

static void ipi_hardware_off(void *unused)
{
	cpu_hardware_off();
}

int kvm_hardware_get(void)
{
	atomic_t failed = ATOMIC_INIT(0);
	int r = 0;

	cpus_read_lock();
	mutex_lock(&hardware_lock);
	if (hardware_down) {
		r = -EBUSY;
	} else if (!hardware_users++) {
		on_each_cpu(ipi_hardware_on, &failed, 1);
		if (atomic_read(&failed)) {
			hardware_users--;
			on_each_cpu(ipi_hardware_off, NULL, 1);
			r = -EBUSY;
		}
	}
	mutex_unlock(&hardware_lock);
	cpus_read_unlock();
	return r;
}

void kvm_hardware_put(void)
{
	cpus_read_lock();
	mutex_lock(&hardware_lock);
	if (!WARN_ON_ONCE(!hardware_users) && !--hardware_users)
		on_each_cpu(ipi_hardware_off, NULL, 1);
	mutex_unlock(&hardware_lock);
	cpus_read_unlock();
}

/* The hotplugged CPU itself. cpus_write_lock() is held: the count stands still. */
static int cpu_online_cb(unsigned int cpu)
{
	int r = 0;

	if (READ_ONCE(hardware_users))
		r = cpu_hardware_on();
	return COMPAT_CPUHP_MAY_FAIL ? r : 0;
}

/*
 * Where the callback above may not fail, this one may. It comes before the CPU takes
 * tasks: a CPU that can't run guests stays offline while there are any.
 */
static int cpu_veto_cb(unsigned int cpu)
{
	return READ_ONCE(hardware_users) && !per_cpu(hardware_on, cpu) ? -EIO : 0;
}

static int cpu_offline_cb(unsigned int cpu)
{
	cpu_hardware_off();
	return 0;
}

static int syscore_suspend_cb(void)
{
	cpu_hardware_off();
	return 0;
}

static void syscore_resume_cb(void)
{
	if (READ_ONCE(hardware_users))
		WARN_ON_ONCE(cpu_hardware_on());
}

COMPAT_DEFINE_SYSCORE(kvm_syscore, syscore_suspend_cb, syscore_resume_cb);

static int reboot_cb(struct notifier_block *nb, unsigned long action, void *data)
{
	struct kvm *kvm;

	mutex_lock(&hardware_lock);
	hardware_down = true;
	mutex_unlock(&hardware_lock);

	mutex_lock(&kvm_vms_lock);
	list_for_each_entry(kvm, &kvm_vms, vm_list) {
		kvm_vm_dead(kvm, "reboot");
		kvm_request_all_wait(kvm, KVM_REQ_VM_DEAD);
	}
	mutex_unlock(&kvm_vms_lock);
	on_each_cpu(ipi_hardware_off, NULL, 1);
	return NOTIFY_OK;
}

static struct notifier_block reboot_nb = {
	.notifier_call = reboot_cb,
};

static int register_hotplug(void)
{
	int r = cpuhp_setup_state_nocalls(COMPAT_CPUHP_KVM, "kvm/cpu:online",
					  cpu_online_cb, cpu_offline_cb);

	if (r < 0)
		return r;
	veto_state = cpuhp_setup_state_nocalls(CPUHP_AP_ONLINE_DYN, "kvm/cpu:veto",
					       cpu_veto_cb, NULL);
	if (veto_state < 0)
		cpuhp_remove_state_nocalls(COMPAT_CPUHP_KVM);
	return min(veto_state, 0);
}

static void unregister_hotplug(void)
{
	cpuhp_remove_state_nocalls(veto_state);
	cpuhp_remove_state_nocalls(COMPAT_CPUHP_KVM);
}

int kvm_hardware_module_init(void)
{
	int r = register_hotplug();

	if (r)
		return r;
	register_reboot_notifier(&reboot_nb);
	compat_register_syscore(&kvm_syscore);
	return 0;
}

void kvm_hardware_module_exit(void)
{
	compat_unregister_syscore(&kvm_syscore);
	unregister_reboot_notifier(&reboot_nb);
	unregister_hotplug();
}

/* ---- references -------------------------------------------------------------- */

void kvm_get_kvm(struct kvm *kvm)
{
	refcount_inc(&kvm->users);
}

bool kvm_get_kvm_safe(struct kvm *kvm)
{
	return refcount_inc_not_zero(&kvm->users);
}
EXPORT_SYMBOL_GPL(kvm_get_kvm_safe);

void kvm_vm_dead(struct kvm *kvm, const char *why)
{
	if (xchg(&kvm->vm_dead, true))
		return;
	pr_debug("kvm: VM %s is dead: %s\n", kvm->stats_id, why);
	kvm_request_all(kvm, KVM_REQ_VM_DEAD);
}

/* ---- birth and death ----------------------------------------------------------- */

static int vm_init_buses(struct kvm *kvm)
{
	int i;

	for (i = 0; i < KVM_NR_BUSES; i++) {
		int r = kvm_io_bus_init(kvm, i);

		if (r)
			return r;
	}
	return 0;
}

static void vm_init_locks(struct kvm *kvm)
{
	mutex_init(&kvm->lock);
	mutex_init(&kvm->slots_lock);
	mutex_init(&kvm->irq_lock);
	rwlock_init(&kvm->mmu_lock);
	spin_lock_init(&kvm->notifier_lock);
	rcuwait_init(&kvm->invalidate_wait);
	xa_init_flags(&kvm->vcpus, XA_FLAGS_ACCOUNT);
	INIT_LIST_HEAD(&kvm->devices);
	INIT_LIST_HEAD(&kvm->vm_list);
	INIT_HLIST_HEAD(&kvm->irq_ack_notifiers);
	refcount_set(&kvm->users, 1);
	kvm_eventfd_init(kvm);
}

/* Memory that needs no undoing in a particular order. */
static void vm_free_tables(struct kvm *kvm)
{
	kvm_free_memslots(kvm);
	kvm_io_bus_destroy(kvm);
	kvm_coalesced_free(kvm);
	kvm_free_irq_routing(kvm);
	xa_destroy(&kvm->vcpus);
}

static int vm_init_tables(struct kvm *kvm)
{
	int r = kvm_init_memslots(kvm);

	if (!r)
		r = vm_init_buses(kvm);
	if (!r)
		r = kvm_coalesced_init(kvm);
	if (!r)
		r = kvm_init_irq_routing(kvm);
	if (r)
		vm_free_tables(kvm);
	return r;
}

static int vm_init_srcu(struct kvm *kvm)
{
	int r = init_srcu_struct(&kvm->srcu);

	if (r)
		return r;
	r = init_srcu_struct(&kvm->irq_srcu);
	if (r)
		cleanup_srcu_struct(&kvm->srcu);
	return r;
}

static void vm_cleanup_srcu(struct kvm *kvm)
{
	srcu_barrier(&kvm->irq_srcu);
	srcu_barrier(&kvm->srcu);
	cleanup_srcu_struct(&kvm->irq_srcu);
	cleanup_srcu_struct(&kvm->srcu);
}

static int vm_init_arch(struct kvm *kvm, unsigned long type)
{
	int r = kvm_hardware_get();

	if (r)
		return r;
	r = arch_vm_init(kvm, type);
	if (r)
		goto err_hardware;
	r = kvm_notifier_init(kvm);
	if (r)
		goto err_arch;
	return 0;

err_arch:
	arch_vm_pre_destroy(kvm);
	arch_vm_destroy(kvm);
err_hardware:
	kvm_hardware_put();
	return r;
}

struct kvm *kvm_create_vm(unsigned long type)
{
	struct kvm *kvm = kvzalloc(sizeof(*kvm), GFP_KERNEL_ACCOUNT);
	int r;

	if (!kvm)
		return ERR_PTR(-ENOMEM);
	kvm->mm = current->mm;
	mmgrab(kvm->mm);
	kvm->max_vcpu_ids = KVM_MAX_VCPU_IDS;
	kvm->max_halt_poll_ns = -1;
	snprintf(kvm->stats_id, sizeof(kvm->stats_id), "kvm-%d", task_pid_nr(current));
	vm_init_locks(kvm);

	r = vm_init_srcu(kvm);
	if (r)
		goto err_free;
	r = vm_init_tables(kvm);
	if (r)
		goto err_srcu;
	r = vm_init_arch(kvm, type);
	if (r)
		goto err_tables;

	/* The VM may outlive its descriptors, so it holds the vendor module itself. */
	__module_get(vendor_ops->owner);
	preempt_notifier_inc();
	mutex_lock(&kvm_vms_lock);
	list_add(&kvm->vm_list, &kvm_vms);
	mutex_unlock(&kvm_vms_lock);
	return kvm;

err_tables:
	vm_free_tables(kvm);
err_srcu:
	vm_cleanup_srcu(kvm);
err_free:
	mmdrop(kvm->mm);
	kvfree(kvm);
	return ERR_PTR(r);
}

static void vm_destroy(struct kvm *kvm)
{
	struct module *vendor = vendor_ops->owner;

	kvm_vm_debugfs_destroy(kvm);
	mutex_lock(&kvm_vms_lock);
	list_del(&kvm->vm_list);
	mutex_unlock(&kvm_vms_lock);

	kvm_irqfd_release(kvm);
	arch_vm_pre_destroy(kvm);
	kvm_notifier_destroy(kvm);
	kvm_destroy_vcpus(kvm);
	kvm_io_bus_destroy(kvm);
	kvm_free_irq_routing(kvm);
	arch_vm_destroy(kvm);
	vm_free_tables(kvm);

	vm_cleanup_srcu(kvm);
	kvm_hardware_put();
	preempt_notifier_dec();
	mmdrop(kvm->mm);
	kvfree(kvm);
	module_put(vendor);
}

void kvm_put_kvm(struct kvm *kvm)
{
	if (refcount_dec_and_test(&kvm->users))
		vm_destroy(kvm);
}
EXPORT_SYMBOL_GPL(kvm_put_kvm);
