// SPDX-License-Identifier: GPL-2.0
/*
 * The life of a vCPU: creation, its pages, being loaded on a CPU, being asked
 * for attention, halting, yielding.
 *
 * Creation publishes in two steps. The vCPU is put into kvm->vcpus, then
 * nr_vcpus rises, which is what readers trust; and only after the architecture
 * has finished does the descriptor appear in the process. A thread that guesses
 * the number of the descriptor gets EBADF, never half a vCPU. Entries stay for
 * the VM's life, so whoever holds the VM may use any vCPU it found.
 *
 * A vCPU is loaded on a CPU between kvm_vcpu_load() and kvm_vcpu_put(), in the
 * thread that holds vcpu->mutex. The scheduler tells us when it takes the CPU
 * away in between (preempt notifier), so the architecture's state follows the
 * thread. running_vcpu says which vCPU that is on each CPU.
 *
 * Requests and kicks: protocol in vcpu.h. A sender that finds KVM_IN_GUEST
 * turns it into KVM_EXITING_GUEST, so that the next sender need not send
 * another IPI. Who waits for the exit waits also for one already under way.
 *
 * Halting first polls for a while, because a wakeup through the scheduler costs
 * more than most waits last. How long is learnt for each vCPU: a wait that a
 * longer poll would have caught doubles the time; a long wait, which no poll
 * is worth, cuts it down.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/stat.h>
#include <linux/slab.h>
#include <trace/events/ipi.h>	/* of smp_send_reschedule() */
#include "arch.h"
#include "compat.h"
#include "trace.h"
#include "virt.h"
#include "x86.h"	/* halt_poll parameters */

/* struct kvm_run, then the data of port I/O: each is mapped as a page of its own. */
#define RUN_PAGES	(KVM_PIO_PAGE_OFFSET + 1)

static DEFINE_PER_CPU(struct kvm_vcpu *, running_vcpu);
static DEFINE_PER_CPU(cpumask_var_t, kick_mask);	/* preemption off */

/* ---- loaded ----------------------------------------------------------------- */

struct kvm_vcpu *kvm_running_vcpu(void)
{
	return this_cpu_read(running_vcpu);
}

/* The architecture finds the CPU of last time in vcpu->cpu. */
static void load_on(struct kvm_vcpu *vcpu, int cpu)
{
	__this_cpu_write(running_vcpu, vcpu);
	arch_vcpu_load(vcpu, cpu);
	WRITE_ONCE(vcpu->cpu, cpu);
}

static void unload(struct kvm_vcpu *vcpu)
{
	arch_vcpu_put(vcpu);
	__this_cpu_write(running_vcpu, NULL);
}

static void vcpu_sched_in(struct preempt_notifier *n, int cpu)
{
	struct kvm_vcpu *vcpu = container_of(n, struct kvm_vcpu, preempt_notifier);

	WRITE_ONCE(vcpu->preempted, false);
	WRITE_ONCE(vcpu->ready, false);
	load_on(vcpu, cpu);
}

static void vcpu_sched_out(struct preempt_notifier *n, struct task_struct *next)
{
	struct kvm_vcpu *vcpu = container_of(n, struct kvm_vcpu, preempt_notifier);

	/* Still wants the CPU: it was preempted, and is worth yielding to. */
	if (task_is_running(current)) {
		WRITE_ONCE(vcpu->preempted, true);
		WRITE_ONCE(vcpu->ready, true);
	}
	unload(vcpu);
}

static struct preempt_ops vcpu_preempt_ops = {
	.sched_in = vcpu_sched_in,
	.sched_out = vcpu_sched_out,
};

void kvm_vcpu_load(struct kvm_vcpu *vcpu)
{
	int cpu = get_cpu();

	preempt_notifier_register(&vcpu->preempt_notifier);
	load_on(vcpu, cpu);
	vcpu->loaded = true;
	put_cpu();
}

void kvm_vcpu_put(struct kvm_vcpu *vcpu)
{
	preempt_disable();
	vcpu->loaded = false;
	unload(vcpu);
	preempt_notifier_unregister(&vcpu->preempt_notifier);
	preempt_enable();
}

/* ---- asked for attention -------------------------------------------------------- */

bool kvm_vcpu_wake(struct kvm_vcpu *vcpu)
{
	if (!rcuwait_wake_up(&vcpu->wait))
		return false;
	WRITE_ONCE(vcpu->ready, true);
	return true;
}

void kvm_vcpu_kick(struct kvm_vcpu *vcpu)
{
	int me, cpu;

	if (kvm_vcpu_wake(vcpu))
		return;
	me = get_cpu();
	if (cmpxchg(&vcpu->mode, KVM_IN_GUEST, KVM_EXITING_GUEST) == KVM_IN_GUEST) {
		cpu = READ_ONCE(vcpu->cpu);
		/* On this CPU the interrupt that we run in has ended the guest's turn. */
		if (cpu != me && (unsigned int)cpu < nr_cpu_ids && cpu_online(cpu))
			smp_send_reschedule(cpu);
	}
	put_cpu();
}

void kvm_request_all(struct kvm *kvm, enum kvm_request req)
{
	struct kvm_vcpu *vcpu;
	unsigned int i;

	kvm_for_each_vcpu(i, vcpu, kvm) {
		kvm_set_request(req, vcpu);
		smp_mb__after_atomic();	/* request before mode is read */
		if (!(BIT(req) & KVM_REQ_NO_WAKEUP) ||
		    READ_ONCE(vcpu->mode) != KVM_OUTSIDE_GUEST)
			kvm_vcpu_kick(vcpu);
	}
}

static void ipi_nothing(void *unused)
{
	/* That it ran says that the CPU left the guest. */
}

/* Set @req; true if the vCPU's CPU must be waited for. */
static bool request_and_mark(struct kvm_vcpu *vcpu, enum kvm_request req)
{
	kvm_set_request(req, vcpu);
	smp_mb__after_atomic();	/* request before mode is read */
	if (!(BIT(req) & KVM_REQ_NO_WAKEUP) && kvm_vcpu_wake(vcpu))
		return false;
	return cmpxchg(&vcpu->mode, KVM_IN_GUEST, KVM_EXITING_GUEST) != KVM_OUTSIDE_GUEST;
}

void kvm_request_all_wait(struct kvm *kvm, enum kvm_request req)
{
	struct cpumask *mask;
	struct kvm_vcpu *vcpu;
	unsigned int i;
	int cpu;

	preempt_disable();
	mask = this_cpu_cpumask_var_ptr(kick_mask);
	cpumask_clear(mask);
	kvm_for_each_vcpu(i, vcpu, kvm) {
		if (!request_and_mark(vcpu, req))
			continue;
		cpu = READ_ONCE(vcpu->cpu);
		if ((unsigned int)cpu < nr_cpu_ids)
			__cpumask_set_cpu(cpu, mask);
	}
	smp_call_function_many(mask, ipi_nothing, NULL, true);
	preempt_enable();
}

void kvm_flush_tlbs(struct kvm *kvm)
{
	kvm->stat.remote_tlb_flush_requests++;
	kvm_request_all_wait(kvm, KVM_REQ_TLB_FLUSH);
	kvm->stat.remote_tlb_flush++;
}

/* ---- halt ------------------------------------------------------------------------- */

/*
 * UNBLOCK is taken here, because a vCPU that is not runnable after all comes
 * back to halt without serving requests. Others that end a halt make the vCPU
 * runnable.
 */
static bool must_stop_halting(struct kvm_vcpu *vcpu)
{
	if (kvm_take_request(KVM_REQ_UNBLOCK, vcpu) || kvm_has_request(KVM_REQ_VM_DEAD, vcpu))
		return true;
	return arch_vcpu_runnable(vcpu) || signal_pending(current);
}

static unsigned int halt_poll_limit(struct kvm_vcpu *vcpu)
{
	s64 limit = READ_ONCE(vcpu->kvm->max_halt_poll_ns);

	if (!arch_vcpu_may_poll(vcpu))
		return 0;
	return limit >= 0 ? limit : READ_ONCE(x86_halt_poll_ns);
}

/* True if the wait was over before the polling time was. */
static bool halt_poll(struct kvm_vcpu *vcpu, ktime_t start)
{
	ktime_t now, stop = ktime_add_ns(start, vcpu->halt_poll_ns);

	vcpu->stat.halt_attempted_poll++;
	do {
		if (must_stop_halting(vcpu)) {
			vcpu->stat.halt_successful_poll++;
			now = ktime_get();
			vcpu->stat.halt_poll_success_ns += ktime_to_ns(ktime_sub(now, start));
			return true;
		}
		cpu_relax();
		now = ktime_get();
	} while (!need_resched() && ktime_before(now, stop));
	vcpu->stat.halt_poll_fail_ns += ktime_to_ns(ktime_sub(now, start));
	return false;
}

/* Sleep; true if it did. */
static bool halt_sleep(struct kvm_vcpu *vcpu)
{
	bool slept = false;

	vcpu->stat.blocking = 1;
	prepare_to_rcuwait(&vcpu->wait);
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (must_stop_halting(vcpu))
			break;
		slept = true;
		schedule();
	}
	finish_rcuwait(&vcpu->wait);
	vcpu->stat.blocking = 0;
	return slept;
}

static void halt_poll_grow(struct kvm_vcpu *vcpu, unsigned int limit)
{
	unsigned int grow = READ_ONCE(x86_halt_poll_ns_grow);
	unsigned int start = READ_ONCE(x86_halt_poll_ns_grow_start);
	u64 ns;

	if (!grow)
		return;
	ns = max((u64)vcpu->halt_poll_ns * grow, (u64)start);
	vcpu->halt_poll_ns = min_t(u64, ns, limit);
}

static void halt_poll_shrink(struct kvm_vcpu *vcpu)
{
	unsigned int shrink = READ_ONCE(x86_halt_poll_ns_shrink);
	unsigned int ns = shrink ? vcpu->halt_poll_ns / shrink : 0;

	/* Below the first step polling has no effect but its cost. */
	vcpu->halt_poll_ns = ns < READ_ONCE(x86_halt_poll_ns_grow_start) ? 0 : ns;
}

static void halt_poll_learn(struct kvm_vcpu *vcpu, u64 waited_ns)
{
	unsigned int limit = halt_poll_limit(vcpu), old = vcpu->halt_poll_ns;

	if (!limit)
		vcpu->halt_poll_ns = 0;
	else if (waited_ns <= vcpu->halt_poll_ns)
		return;		/* polling as it is would do */
	else if (waited_ns < limit)
		halt_poll_grow(vcpu, limit);
	else if (vcpu->halt_poll_ns)
		halt_poll_shrink(vcpu);
	vcpu->halt_poll_ns = min(vcpu->halt_poll_ns, limit);
	if (vcpu->halt_poll_ns != old)
		trace_kvm_halt_poll_ns(vcpu->halt_poll_ns > old, vcpu->vcpu_id,
				       vcpu->halt_poll_ns, old);
}

void kvm_vcpu_halt(struct kvm_vcpu *vcpu)
{
	ktime_t start = ktime_get(), polled;
	bool slept = false, valid;
	u64 ns;

	vcpu->halt_poll_ns = min(vcpu->halt_poll_ns, halt_poll_limit(vcpu));
	WRITE_ONCE(vcpu->blocking, true);
	arch_vcpu_blocking(vcpu);
	if (!vcpu->halt_poll_ns || !halt_poll(vcpu, start)) {
		polled = ktime_get();
		slept = halt_sleep(vcpu);
		if (slept)
			vcpu->stat.halt_wait_ns += ktime_to_ns(ktime_sub(ktime_get(), polled));
	}
	arch_vcpu_unblocking(vcpu);
	WRITE_ONCE(vcpu->blocking, false);

	ns = ktime_to_ns(ktime_sub(ktime_get(), start));
	valid = arch_vcpu_runnable(vcpu);
	if (slept && valid)
		vcpu->stat.halt_wakeup++;
	trace_kvm_vcpu_wakeup(ns, slept, valid);
	if (valid)
		halt_poll_learn(vcpu, ns);
	else
		vcpu->stat.halt_poll_invalid++;
}

/* ---- yield -------------------- */

static bool yield_to_vcpu(struct kvm_vcpu *target)
{
	struct task_struct *task;
	int r = 0;

	rcu_read_lock();
	task = get_pid_task(rcu_dereference(target->pid), PIDTYPE_PID);
	rcu_read_unlock();
	if (task) {
		r = yield_to(task, true);
		put_task_struct(task);
	}
	return r > 0;
}

/*
 * A vCPU that would run if it had a CPU: preempted, or woken and not yet there.
 * Only hints are read. Whether it is in its kernel is not asked: the answer may
 * be in hardware state that only its own thread may fetch.
 */
static bool worth_yielding(struct kvm_vcpu *me, struct kvm_vcpu *vcpu)
{
	return vcpu != me && READ_ONCE(vcpu->ready);
}

void kvm_x_vcpu_on_spin(struct kvm_vcpu *me, bool kernel_only)
{
	struct kvm *kvm = me->kvm;
	unsigned int n = atomic_read(&kvm->nr_vcpus), i, idx;
	int tries = 3;

	/* Go round from the one after the last, so that all get their turn. */
	idx = READ_ONCE(kvm->last_yielded_to);
	for (i = 0; i < n && tries; i++) {
		struct kvm_vcpu *vcpu;

		idx = idx + 1 < n ? idx + 1 : 0;
		vcpu = kvm_get_vcpu(kvm, idx);
		if (!vcpu || !worth_yielding(me, vcpu))
			continue;
		tries--;
		me->stat.directed_yield_attempted++;
		if (yield_to_vcpu(vcpu)) {
			me->stat.directed_yield_successful++;
			WRITE_ONCE(kvm->last_yielded_to, idx);
			break;
		}
	}
}
EXPORT_SYMBOL_GPL(kvm_x_vcpu_on_spin);

/* ---- KVM_RUN -------------------- */

void kvm_vcpu_set_sigmask(struct kvm_vcpu *vcpu, const sigset_t *set)
{
	vcpu->sigset_active = set != NULL;
	if (!set)
		return;
	vcpu->sigset = *set;
	sigdelsetmask(&vcpu->sigset, sigmask(SIGKILL) | sigmask(SIGSTOP));
}

static void note_thread(struct kvm_vcpu *vcpu)
{
	struct pid *old = rcu_access_pointer(vcpu->pid), *now = task_pid(current);

	if (likely(old == now))
		return;
	rcu_assign_pointer(vcpu->pid, get_pid(now));
	if (old)
		synchronize_rcu();	/* yield_to_vcpu() may be looking at it */
	put_pid(old);
}

long kvm_vcpu_run(struct kvm_vcpu *vcpu)
{
	sigset_t outside;
	long r;

	note_thread(vcpu);
	vcpu->wants_to_run = !READ_ONCE(vcpu->run->compat_immediate_exit);
	if (vcpu->sigset_active)
		sigprocmask(SIG_SETMASK, &vcpu->sigset, &outside);

	r = arch_vcpu_run(vcpu);

	/* A signal that the mask let through stays pending for the program. */
	if (vcpu->sigset_active)
		sigprocmask(SIG_SETMASK, &outside, NULL);
	vcpu->wants_to_run = false;
	return r;
}

/* ---- mmap -------------------- */

static vm_fault_t vcpu_fault(struct vm_fault *vmf)
{
	struct kvm_vcpu *vcpu = vmf->vma->vm_file->private_data;
	struct page *page;

	if (vmf->pgoff < RUN_PAGES)
		page = virt_to_page((void *)vcpu->run + (vmf->pgoff << PAGE_SHIFT));
	else if (vmf->pgoff == KVM_COALESCED_MMIO_PAGE_OFFSET)
		page = virt_to_page(vcpu->kvm->coalesced_ring);
	else
		return arch_vcpu_fault(vcpu, vmf);
	get_page(page);
	vmf->page = page;
	return 0;
}

static const struct vm_operations_struct vcpu_vm_ops = {
	.fault = vcpu_fault,
};

int kvm_vcpu_mmap(struct file *file, struct vm_area_struct *vma)
{
	vma->vm_ops = &vcpu_vm_ops;
	return 0;
}

/* ---- creation and destruction -------------------- */

struct kvm_vcpu *kvm_vcpu_by_id(struct kvm *kvm, int id)
{
	struct kvm_vcpu *vcpu;
	unsigned int i;

	if (id < 0)
		return NULL;
	/* VMMs number their vCPUs in order, as a rule. */
	vcpu = kvm_get_vcpu(kvm, id);
	if (vcpu && vcpu->vcpu_id == id)
		return vcpu;
	kvm_for_each_vcpu(i, vcpu, kvm) {
		if (vcpu->vcpu_id == id)
			return vcpu;
	}
	return NULL;
}

static void vcpu_free(struct kvm_vcpu *vcpu)
{
	put_pid(rcu_access_pointer(vcpu->pid));
	if (vcpu->run)
		free_pages_exact(vcpu->run, RUN_PAGES << PAGE_SHIFT);
	arch_vcpu_free(vcpu);
}

static struct kvm_vcpu *vcpu_alloc(struct kvm *kvm, unsigned int id)
{
	struct kvm_vcpu *vcpu = arch_vcpu_alloc(kvm);

	if (!vcpu)
		return NULL;
	vcpu->kvm = kvm;
	vcpu->vcpu_id = id;
	vcpu->cpu = -1;
	mutex_init(&vcpu->mutex);
	rcuwait_init(&vcpu->wait);
	preempt_notifier_init(&vcpu->preempt_notifier, &vcpu_preempt_ops);
	snprintf(vcpu->stats_id, sizeof(vcpu->stats_id), "%s/vcpu-%u", kvm->stats_id, id);
	vcpu->run = alloc_pages_exact(RUN_PAGES << PAGE_SHIFT, GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!vcpu->run) {
		vcpu_free(vcpu);
		return NULL;
	}
	return vcpu;
}

/* A place among KVM_MAX_VCPUS, taken before the long work without kvm->lock. */
static int reserve_vcpu(struct kvm *kvm, unsigned int id)
{
	int r;

	mutex_lock(&kvm->lock);
	r = kvm->nr_created >= KVM_MAX_VCPUS ? -EINVAL : arch_vcpu_precreate(kvm, id);
	if (!r)
		kvm->nr_created++;
	mutex_unlock(&kvm->lock);
	return r;
}

static void unreserve_vcpu(struct kvm *kvm)
{
	mutex_lock(&kvm->lock);
	kvm->nr_created--;
	mutex_unlock(&kvm->lock);
}

/* From here on other vCPUs see it. Its place in the array is reserved: this can't fail. */
static void publish_vcpu(struct kvm *kvm, struct kvm_vcpu *vcpu)
{
	WARN_ON_ONCE(xa_is_err(xa_store(&kvm->vcpus, vcpu->vcpu_idx, vcpu, GFP_KERNEL_ACCOUNT)));
	smp_wmb();	/* pairs with kvm_get_vcpu() */
	atomic_inc(&kvm->nr_vcpus);
}

/* What may fail, then publication. The open file, or an error. kvm->lock held. */
static struct file *vcpu_make_file(struct kvm *kvm, struct kvm_vcpu *vcpu,
				   const struct file_operations *fops)
{
	struct file *file;
	char name[32];
	int r;

	if (kvm_vcpu_by_id(kvm, vcpu->vcpu_id))
		return ERR_PTR(-EEXIST);
	vcpu->vcpu_idx = atomic_read(&kvm->nr_vcpus);
	r = xa_reserve(&kvm->vcpus, vcpu->vcpu_idx, GFP_KERNEL_ACCOUNT);
	if (r)
		return ERR_PTR(r);
	snprintf(name, sizeof(name), "kvm-vcpu:%d", vcpu->vcpu_id);
	file = anon_inode_getfile(name, fops, vcpu, O_RDWR);
	if (IS_ERR(file)) {
		xa_release(&kvm->vcpus, vcpu->vcpu_idx);
		return file;
	}
	kvm_get_kvm(kvm);	/* the descriptor's */
	publish_vcpu(kvm, vcpu);
	return file;
}

static int vcpu_make_fd(struct kvm *kvm, struct kvm_vcpu *vcpu, const struct file_operations *fops)
{
	struct file *file;
	int fd = get_unused_fd_flags(O_CLOEXEC);

	if (fd < 0)
		return fd;
	mutex_lock(&kvm->lock);
	file = vcpu_make_file(kvm, vcpu, fops);
	mutex_unlock(&kvm->lock);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	arch_vcpu_postcreate(vcpu);
	fd_install(fd, file);
	return fd;
}

int kvm_create_vcpu(struct kvm *kvm, unsigned long id, const struct file_operations *fops)
{
	struct kvm_vcpu *vcpu;
	int r;

	if (id >= KVM_MAX_VCPU_IDS)
		return -EINVAL;
	r = reserve_vcpu(kvm, id);
	if (r)
		return r;
	r = -ENOMEM;
	vcpu = vcpu_alloc(kvm, id);
	if (!vcpu)
		goto err_unreserve;
	r = arch_vcpu_create(vcpu);
	if (r)
		goto err_free;
	r = vcpu_make_fd(kvm, vcpu, fops);
	if (r < 0)
		goto err_destroy;
	return r;

err_destroy:
	arch_vcpu_destroy(vcpu);
err_free:
	vcpu_free(vcpu);
err_unreserve:
	unreserve_vcpu(kvm);
	return r;
}

void kvm_destroy_vcpus(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	unsigned long i;

	xa_for_each(&kvm->vcpus, i, vcpu)
		arch_vcpu_destroy(vcpu);
	atomic_set(&kvm->nr_vcpus, 0);
	xa_for_each(&kvm->vcpus, i, vcpu) {
		xa_erase(&kvm->vcpus, i);
		vcpu_free(vcpu);
	}
}

/* ---- module -------------------- */

void kvm_vcpu_module_exit(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		free_cpumask_var(per_cpu(kick_mask, cpu));
}

int kvm_vcpu_module_init(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		if (!zalloc_cpumask_var_node(&per_cpu(kick_mask, cpu), GFP_KERNEL,
					     cpu_to_node(cpu))) {
			kvm_vcpu_module_exit();
			return -ENOMEM;
		}
	}
	return 0;
}
