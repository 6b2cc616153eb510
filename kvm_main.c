// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/kvm: the front door. Descriptors, ioctl dispatch, the vendor's
 * registration, module init and exit.
 *
 * Three kinds of descriptors take ioctls: the device, a VM, a vCPU. Each has
 * two tables of rows (ioctl.h): the ones here, and the architecture's. The row
 * says what surrounds the handler, so a handler holds no boilerplate and the
 * preconditions can be read in one place:
 *
 *	find the row -> may it be called now? -> fetch the argument -> locks ->
 *	handler -> unlock -> copy the answer out
 *
 * An unknown number is -ENOTTY on a VM, -EINVAL on the device and on vCPUs; it
 * is an accident of history that VMMs and the API's tests know.
 *
 * VMs belong to the mm that made them: their ioctls need it to reach guest
 * memory, so from any other mm they answer -EIO, as those of a dead VM do.
 *
 * The device exists only while a vendor module is registered. Its files belong
 * to that module, which in turn depends on this one: an open descriptor pins
 * both. Vendor operations are static calls; they are NULL until registration,
 * and nothing reaches them then, because there is no device to open.
 *
 * Lock order: vcpu->mutex, then kvm->lock, then the rest (locking.md).
 */
#include <linux/anon_inodes.h>
#include <linux/compat.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "arch.h"
#include "compat.h"
#include "device.h"
#include "io_bus.h"
#include "ioctl.h"
#include "mmu.h"
#include "routing.h"
#include "trace.h"
#include "vendor_ops.h"
#include "virt.h"
#include "x86.h"

#define VCPU_MMAP_PAGES		3	/* run, port data, coalesced ring */

struct hw_caps hw_caps;
EXPORT_SYMBOL_GPL(hw_caps);

const struct vendor_ops *vendor_ops;

static DEFINE_MUTEX(vendor_lock);	/* registration */

#define VENDOR_OP_DEFINE(ret, op, args)					\
	DEFINE_STATIC_CALL_NULL(vendor_##op, vendor_##op##_fn);		\
	EXPORT_STATIC_CALL_GPL(vendor_##op);
VENDOR_OPS(VENDOR_OP_DEFINE)
#undef VENDOR_OP_DEFINE

static struct file_operations vm_fops, vcpu_fops, dev_fops;	/* .owner: registration */

/* ---- dispatch: arguments -------------------------------------------------------- */

#define SMALL_ARG	128	/* most fit on the stack */

/* One call: what was found and fetched. */
struct call {
	const struct kvm_ioctl *row;
	unsigned long user;		/* the argument as passed */
	void *arg;			/* what the handler gets */
	void *heap;			/* arg, if it is too long for small[] */
	bool fetch, answer;		/* buffer is copied in, out */
	size_t size;
	u64 small[SMALL_ARG / 8];
};

static const struct kvm_ioctl *find_row(const struct kvm_ioctl_table *t, unsigned int cmd)
{
	int i;

	for (i = 0; i < t->nr; i++) {
		if (t->rows[i].cmd == cmd)
			return &t->rows[i];
	}
	return NULL;
}

/*
 * Which way the argument goes. The numbers say, except two that were given out
 * with the direction the wrong way round.
 */
static unsigned int arg_direction(unsigned int cmd)
{
	switch (cmd) {
	case KVM_SET_IRQCHIP:
	case KVM_SET_PIT:
		return _IOC_WRITE;
	default:
		return _IOC_DIR(cmd);
	}
}

/* 0 and c->arg set, or -errno. What was allocated goes in call_end(). */
static int call_begin(struct call *c, const struct kvm_ioctl *row, unsigned long user)
{
	unsigned int dir = arg_direction(row->cmd);

	c->row = row;
	c->user = user;
	c->heap = NULL;
	c->fetch = c->answer = false;
	c->arg = (void *)user;
	if (row->flags & IOCTL_NO_ARG)
		return user ? -EINVAL : 0;
	if (row->flags & (IOCTL_RAW | IOCTL_VALUE))
		return 0;

	c->size = _IOC_SIZE(row->cmd);
	c->fetch = dir & _IOC_WRITE;
	c->answer = dir & _IOC_READ;
	c->arg = c->small;
	if (c->size > sizeof(c->small)) {
		c->heap = kmalloc(c->size, GFP_KERNEL_ACCOUNT);
		if (!c->heap)
			return -ENOMEM;
		c->arg = c->heap;
	}
	if (!c->fetch)
		memset(c->arg, 0, c->size);
	else if (copy_from_user(c->arg, (void __user *)user, c->size))
		return -EFAULT;
	return 0;
}

static long call_end(struct call *c, long r)
{
	if (r >= 0 && c->answer && copy_to_user((void __user *)c->user, c->arg, c->size))
		r = -EFAULT;
	kfree(c->heap);
	return r;
}

/* ---- the device --------------------------------------------------------------------- */

static long sys_api_version(void *arg)
{
	return KVM_API_VERSION;
}

static long sys_vcpu_mmap_size(void *arg)
{
	return VCPU_MMAP_PAGES * PAGE_SIZE;
}

static long sys_check_extension(void *arg)
{
	return x86_check_extension(NULL, (long)arg);
}

/* Nobody sees the descriptor before the VM behind it is complete. */
static long sys_create_vm(void *arg)
{
	struct file *file;
	struct kvm *kvm;
	int fd;

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	kvm = kvm_create_vm((unsigned long)arg);
	if (IS_ERR(kvm)) {
		put_unused_fd(fd);
		return PTR_ERR(kvm);
	}
	file = anon_inode_getfile("kvm-vm", &vm_fops, kvm, O_RDWR);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		kvm_put_kvm(kvm);
		return PTR_ERR(file);
	}
	kvm_vm_debugfs_create(kvm, fd);
	fd_install(fd, file);
	return fd;
}

static const struct kvm_ioctl sys_rows[] = {
	{ KVM_GET_API_VERSION,		IOCTL_NO_ARG, .sys = sys_api_version },
	{ KVM_CREATE_VM,		IOCTL_VALUE, .sys = sys_create_vm },
	{ KVM_CHECK_EXTENSION,		IOCTL_VALUE, .sys = sys_check_extension },
	{ KVM_GET_VCPU_MMAP_SIZE,	IOCTL_NO_ARG, .sys = sys_vcpu_mmap_size },
};

static const struct kvm_ioctl_table sys_ioctls = { sys_rows, ARRAY_SIZE(sys_rows) };

static long dev_ioctl(struct file *file, unsigned int cmd, unsigned long user)
{
	const struct kvm_ioctl *row = find_row(&sys_ioctls, cmd) ?: find_row(&x86_sys_ioctls, cmd);
	struct call c;
	long r;

	if (!row)
		return -EINVAL;
	r = call_begin(&c, row, user);
	if (!r)
		r = row->sys(c.arg);
	return call_end(&c, r);
}

/* ---- a VM ----------------------------------------------------------------------------- */

static long vm_create_vcpu(struct kvm *kvm, void *arg)
{
	return kvm_create_vcpu(kvm, (unsigned long)arg, &vcpu_fops);
}

static long vm_check_extension(struct kvm *kvm, void *arg)
{
	return x86_check_extension(kvm, (long)arg);
}

static long vm_enable_cap(struct kvm *kvm, void *arg)
{
	return x86_vm_enable_cap(kvm, arg);
}

static long vm_set_memory_region(struct kvm *kvm, void *arg)
{
	return kvm_set_memory_region(kvm, arg);
}

static long vm_get_dirty_log(struct kvm *kvm, void *arg)
{
	return kvm_get_dirty_log(kvm, arg);
}

static long vm_clear_dirty_log(struct kvm *kvm, void *arg)
{
	return kvm_clear_dirty_log(kvm, arg);
}

static long vm_register_zone(struct kvm *kvm, void *arg)
{
	return kvm_coalesced_register(kvm, arg);
}

static long vm_unregister_zone(struct kvm *kvm, void *arg)
{
	return kvm_coalesced_unregister(kvm, arg);
}

static long vm_irqfd(struct kvm *kvm, void *arg)
{
	return kvm_irqfd(kvm, arg);
}

static long vm_ioeventfd(struct kvm *kvm, void *arg)
{
	return kvm_ioeventfd(kvm, arg);
}

static long vm_create_device(struct kvm *kvm, void *arg)
{
	return kvm_create_device(kvm, arg);
}

static long vm_stats_fd(struct kvm *kvm, void *arg)
{
	return kvm_vm_stats_fd(kvm);
}

/* A header, then nr entries. */
static long vm_set_gsi_routing(struct kvm *kvm, void *arg)
{
	struct kvm_irq_routing __user *user = (__force void __user *)arg;
	struct kvm_irq_routing_entry *entries;
	struct kvm_irq_routing head;
	long r;

	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	if (!irqchip_in_kernel(kvm) || head.nr > KVM_MAX_IRQ_ROUTES || head.flags)
		return -EINVAL;
	entries = vmemdup_user(user->entries, array_size(sizeof(*entries), head.nr));
	if (IS_ERR(entries))
		return PTR_ERR(entries);
	r = kvm_set_irq_routing(kvm, entries, head.nr);
	kvfree(entries);
	return r;
}

static const struct kvm_ioctl vm_rows[] = {
	{ KVM_CREATE_VCPU,		IOCTL_VALUE, .vm = vm_create_vcpu },
	{ KVM_CHECK_EXTENSION,		IOCTL_VALUE, .vm = vm_check_extension },
	{ KVM_ENABLE_CAP,		0, .vm = vm_enable_cap },
	{ KVM_SET_USER_MEMORY_REGION,	0, .vm = vm_set_memory_region },
	{ KVM_GET_DIRTY_LOG,		0, .vm = vm_get_dirty_log },
	{ KVM_CLEAR_DIRTY_LOG,		0, .vm = vm_clear_dirty_log },
	{ KVM_REGISTER_COALESCED_MMIO,	0, .vm = vm_register_zone },
	{ KVM_UNREGISTER_COALESCED_MMIO, 0, .vm = vm_unregister_zone },
	{ KVM_IRQFD,			0, .vm = vm_irqfd },
	{ KVM_IOEVENTFD,		0, .vm = vm_ioeventfd },
	{ KVM_SET_GSI_ROUTING,		IOCTL_RAW, .vm = vm_set_gsi_routing },
	{ KVM_CREATE_DEVICE,		0, .vm = vm_create_device },
	{ KVM_GET_STATS_FD,		IOCTL_VALUE, .vm = vm_stats_fd },
};

static const struct kvm_ioctl_table vm_ioctls = { vm_rows, ARRAY_SIZE(vm_rows) };

/* May it be called at all? Before the argument is looked at. */
static int vm_precheck(struct kvm *kvm, unsigned int flags)
{
	if ((flags & IOCTL_IRQCHIP) &&	/* pairs with the release when the chips exist */
	    smp_load_acquire(&kvm->arch.irqchip_mode) != X86_IRQCHIP_FULL)
		return -ENXIO;
	return 0;
}

static long vm_call(struct kvm *kvm, struct call *c)
{
	unsigned int flags = c->row->flags;
	long r;
	int idx;

	if ((flags & IOCTL_NO_VCPUS) && kvm->nr_created)
		return -EINVAL;
	if (!(flags & IOCTL_SRCU))
		return c->row->vm(kvm, c->arg);
	idx = srcu_read_lock(&kvm->srcu);
	r = c->row->vm(kvm, c->arg);
	srcu_read_unlock(&kvm->srcu, idx);
	return r;
}

static long vm_locked_call(struct kvm *kvm, struct call *c)
{
	bool lock = c->row->flags & IOCTL_LOCK;
	long r;

	if (lock)
		mutex_lock(&kvm->lock);
	r = vm_call(kvm, c);
	if (lock)
		mutex_unlock(&kvm->lock);
	return r;
}

static bool vm_usable(struct kvm *kvm)
{
	return kvm->mm == current->mm && !READ_ONCE(kvm->vm_dead);
}

static long vm_ioctl(struct file *file, unsigned int cmd, unsigned long user)
{
	struct kvm *kvm = file->private_data;
	const struct kvm_ioctl *row;
	struct call c;
	long r;

	if (!vm_usable(kvm))
		return -EIO;
	row = find_row(&vm_ioctls, cmd) ?: find_row(&x86_vm_ioctls, cmd);
	if (!row)
		return -ENOTTY;
	r = vm_precheck(kvm, row->flags);
	if (r)
		return r;
	r = call_begin(&c, row, user);
	if (!r)
		r = vm_locked_call(kvm, &c);
	return call_end(&c, r);
}

static int vm_release(struct inode *inode, struct file *file)
{
	struct kvm *kvm = file->private_data;

	kvm_irqfd_release(kvm);
	kvm_put_kvm(kvm);
	return 0;
}

/* ---- a vCPU ------------------------------------------------------------------------------ */

static long vcpu_run(struct kvm_vcpu *vcpu, void *arg)
{
	long r = kvm_vcpu_run(vcpu);

	/* the kernel's own restarts are of no interest to readers of traces */
	trace_kvm_userspace_exit(vcpu->run->exit_reason, r == -ERESTARTNOHAND ? -EINTR : r);
	return r;
}

/* A header with the length, then a sigset. NULL: no mask. */
static long vcpu_set_signal_mask(struct kvm_vcpu *vcpu, void *arg)
{
	struct kvm_signal_mask __user *user = (__force void __user *)arg;
	struct kvm_signal_mask head;
	sigset_t set;

	if (!user) {
		kvm_vcpu_set_sigmask(vcpu, NULL);
		return 0;
	}
	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	if (head.len != sizeof(set))
		return -EINVAL;
	if (copy_from_user(&set, user->sigset, sizeof(set)))
		return -EFAULT;
	kvm_vcpu_set_sigmask(vcpu, &set);
	return 0;
}

static long vcpu_enable_cap(struct kvm_vcpu *vcpu, void *arg)
{
	return x86_vcpu_enable_cap(vcpu, arg);
}

static long vcpu_stats_fd(struct kvm_vcpu *vcpu, void *arg)
{
	return kvm_vcpu_stats_fd(vcpu);
}

static const struct kvm_ioctl vcpu_rows[] = {
	{ KVM_RUN,			IOCTL_NO_ARG, .vcpu = vcpu_run },
	{ KVM_SET_SIGNAL_MASK,		IOCTL_RAW, .vcpu = vcpu_set_signal_mask },
	{ KVM_ENABLE_CAP,		0, .vcpu = vcpu_enable_cap },
	{ KVM_GET_STATS_FD,		IOCTL_VALUE | IOCTL_ASYNC, .vcpu = vcpu_stats_fd },
};

static const struct kvm_ioctl_table vcpu_ioctls = { vcpu_rows, ARRAY_SIZE(vcpu_rows) };

static long vcpu_call(struct kvm_vcpu *vcpu, const struct kvm_ioctl *row, void *arg)
{
	long r;
	int idx;

	if (!(row->flags & IOCTL_SRCU))
		return row->vcpu(vcpu, arg);
	idx = srcu_read_lock(&vcpu->kvm->srcu);
	r = row->vcpu(vcpu, arg);
	srcu_read_unlock(&vcpu->kvm->srcu, idx);
	return r;
}

static long vcpu_locked_call(struct kvm_vcpu *vcpu, const struct kvm_ioctl *row, void *arg)
{
	long r;

	if (row->flags & IOCTL_ASYNC)
		return vcpu_call(vcpu, row, arg);
	if (mutex_lock_killable(&vcpu->mutex))
		return -EINTR;
	kvm_vcpu_load(vcpu);
	r = vcpu_call(vcpu, row, arg);
	kvm_vcpu_put(vcpu);
	mutex_unlock(&vcpu->mutex);
	return r;
}

static long vcpu_ioctl(struct file *file, unsigned int cmd, unsigned long user)
{
	struct kvm_vcpu *vcpu = file->private_data;
	const struct kvm_ioctl *row;
	struct call c;
	long r;

	if (!vm_usable(vcpu->kvm))
		return -EIO;
	row = find_row(&vcpu_ioctls, cmd) ?: find_row(&x86_vcpu_ioctls, cmd);
	if (!row)
		return -EINVAL;
	if ((row->flags & IOCTL_LAPIC) && !vcpu->arch.apic)
		return -EINVAL;
	/* KVM_RUN above all: nothing to fetch, nothing to give back */
	if (row->flags & IOCTL_NO_ARG)
		return user ? -EINVAL : vcpu_locked_call(vcpu, row, NULL);
	r = call_begin(&c, row, user);
	if (!r)
		r = vcpu_locked_call(vcpu, row, c.arg);
	return call_end(&c, r);
}

static int vcpu_release(struct inode *inode, struct file *file)
{
	struct kvm_vcpu *vcpu = file->private_data;

	kvm_put_kvm(vcpu->kvm);
	return 0;
}

/* ---- 32-bit programs -------------------- */

#ifdef CONFIG_COMPAT
/*
 * The structs of the API have the same layout in both worlds, except where
 * there is a pointer in a union with padding: a 32-bit program fills its half
 * and leaves the other as it was.
 */
static long compat_get_log(struct kvm *kvm, void __user *user)
{
	struct kvm_dirty_log log;

	if (copy_from_user(&log, user, sizeof(log)))
		return -EFAULT;
	log.dirty_bitmap = compat_ptr((u32)log.padding2);
	return kvm_get_dirty_log(kvm, &log);
}

static long compat_clear_log(struct kvm *kvm, void __user *user)
{
	struct kvm_clear_dirty_log log;

	if (copy_from_user(&log, user, sizeof(log)))
		return -EFAULT;
	log.dirty_bitmap = compat_ptr((u32)log.padding2);
	return kvm_clear_dirty_log(kvm, &log);
}

/* Here the pointers make the struct shorter, and so the number another one. */
struct compat_filter_range {
	u32 flags, nmsrs, base;
	compat_uptr_t bitmap;
};

struct compat_filter {
	u32 flags;
	struct compat_filter_range ranges[KVM_MSR_FILTER_MAX_RANGES];
};

#define COMPAT_SET_MSR_FILTER	_IOW(KVMIO, 0xc6, struct compat_filter)

static long compat_set_filter(struct kvm *kvm, void __user *user)
{
	struct kvm_msr_filter filter = { 0 };
	struct compat_filter c;
	int i;

	if (copy_from_user(&c, user, sizeof(c)))
		return -EFAULT;
	filter.flags = c.flags;
	for (i = 0; i < ARRAY_SIZE(c.ranges); i++) {
		filter.ranges[i].flags = c.ranges[i].flags;
		filter.ranges[i].nmsrs = c.ranges[i].nmsrs;
		filter.ranges[i].base = c.ranges[i].base;
		filter.ranges[i].bitmap = (__force u8 *)compat_ptr(c.ranges[i].bitmap);
	}
	return x86_vm_set_msr_filter(kvm, &filter);
}

static long vm_compat_ioctl(struct file *file, unsigned int cmd, unsigned long user)
{
	struct kvm *kvm = file->private_data;

	if (!vm_usable(kvm))
		return -EIO;
	switch (cmd) {
	case KVM_GET_DIRTY_LOG:
		return compat_get_log(kvm, compat_ptr(user));
	case KVM_CLEAR_DIRTY_LOG:
		return compat_clear_log(kvm, compat_ptr(user));
	case COMPAT_SET_MSR_FILTER:
		return compat_set_filter(kvm, compat_ptr(user));
	default:
		return vm_ioctl(file, cmd, (unsigned long)compat_ptr(user));
	}
}

/* The two halves of a 32-bit sigset lie where x86's one 64-bit word has them. */
static long vcpu_compat_ioctl(struct file *file, unsigned int cmd, unsigned long user)
{
	BUILD_BUG_ON(sizeof(compat_sigset_t) != sizeof(sigset_t));
	return vcpu_ioctl(file, cmd, (unsigned long)compat_ptr(user));
}

static long dev_compat_ioctl(struct file *file, unsigned int cmd, unsigned long user)
{
	return dev_ioctl(file, cmd, (unsigned long)compat_ptr(user));
}
#else
#define vm_compat_ioctl		NULL
#define vcpu_compat_ioctl	NULL
#define dev_compat_ioctl	NULL
#endif

/* ---- vendor registration -------------------- */

static struct miscdevice kvm_dev = {
	.minor = KVM_MINOR,
	.name = "kvm",
	.fops = &dev_fops,
};

/* The whole X-macro in one check: a NULL among the ops is a bug of the vendor module. */
static bool vendor_complete(const struct vendor_ops *ops)
{
#define VENDOR_OP_PRESENT(ret, op, args)				\
	if (WARN(!ops->op, "kvm: %s has no " #op "\n", ops->name))	\
		return false;
	VENDOR_OPS(VENDOR_OP_PRESENT)
#undef VENDOR_OP_PRESENT
	return ops->setup && ops->vcpu_size >= sizeof(struct kvm_vcpu);
}

static void vendor_patch_calls(const struct vendor_ops *ops)
{
#define VENDOR_OP_PATCH(ret, op, args) static_call_update(vendor_##op, ops->op);
	VENDOR_OPS(VENDOR_OP_PATCH)
#undef VENDOR_OP_PATCH
}

/* Each room's part of registration, in order; undone in reverse. Needs hw_caps and static calls. */
static int init_msr(void)
{
	x86_msr_init();
	return 0;
}

static int init_cpuid(void)
{
	x86_cpuid_init();
	return 0;
}

static int init_tsc(void)
{
	x86_tsc_module_init();
	return 0;
}

static int init_perf(void)
{
	kvm_perf_init();
	return 0;
}

static int init_emergency(void)
{
	if (vendor_ops->emergency_off)
		compat_register_emergency(vendor_ops->emergency_off);
	return 0;
}

static void exit_emergency(void)
{
	if (vendor_ops->emergency_off)
		compat_unregister_emergency(vendor_ops->emergency_off);
}

static int init_device(void)
{
	return misc_register(&kvm_dev);
}

static void exit_device(void)
{
	misc_deregister(&kvm_dev);
}

static const struct {
	int (*init)(void);
	void (*exit)(void);
} rooms[] = {
	{ mmu_module_init,		mmu_module_exit },
	{ init_cpuid,			NULL },
	{ init_msr,			NULL },
	{ init_tsc,			x86_tsc_module_exit },
	{ pv_module_init,		pv_module_exit },
	{ init_emergency,		exit_emergency },
	{ kvm_hardware_module_init,	kvm_hardware_module_exit },
	{ init_perf,			kvm_perf_exit },
	{ init_device,			exit_device },	/* last: users may come now */
};

static void rooms_exit(int n)
{
	while (n-- > 0) {
		if (rooms[n].exit)
			rooms[n].exit();
	}
}

static int rooms_init(void)
{
	int i, r;

	for (i = 0; i < ARRAY_SIZE(rooms); i++) {
		r = rooms[i].init();
		if (r) {
			rooms_exit(i);
			return r;
		}
	}
	return 0;
}

static int register_locked(const struct vendor_ops *ops)
{
	int r;

	if (vendor_ops)
		return -EEXIST;
	if (!vendor_complete(ops))
		return -EINVAL;
	memset(&hw_caps, 0, sizeof(hw_caps));
	r = ops->setup(&hw_caps);
	if (r)
		return r;
	vendor_ops = ops;
	vendor_patch_calls(ops);
	dev_fops.owner = vm_fops.owner = vcpu_fops.owner = ops->owner;
	r = rooms_init();
	if (r) {
		vendor_ops = NULL;
		if (ops->teardown)
			ops->teardown();
	}
	return r;
}

int kvm_x_register_vendor(const struct vendor_ops *ops)
{
	int r;

	mutex_lock(&vendor_lock);
	r = register_locked(ops);
	mutex_unlock(&vendor_lock);
	return r;
}
EXPORT_SYMBOL_GPL(kvm_x_register_vendor);

void kvm_x_unregister_vendor(const struct vendor_ops *ops)
{
	mutex_lock(&vendor_lock);
	if (!WARN_ON_ONCE(vendor_ops != ops)) {
		rooms_exit(ARRAY_SIZE(rooms));
		if (ops->teardown)
			ops->teardown();
		vendor_ops = NULL;
	}
	mutex_unlock(&vendor_lock);
	rcu_barrier();		/* no callback into the module that goes */
}
EXPORT_SYMBOL_GPL(kvm_x_unregister_vendor);

/* ---- module -------------------- */

static int __init kvm_init(void)
{
	int r = kvm_vcpu_module_init();

	if (r)
		return r;
	r = kvm_irqfd_module_init();
	if (r) {
		kvm_vcpu_module_exit();
		return r;
	}
	kvm_debugfs_init();
	return 0;
}
module_init(kvm_init);

static void __exit kvm_exit(void)
{
	kvm_debugfs_exit();
	kvm_irqfd_module_exit();
	kvm_vcpu_module_exit();
	rcu_barrier();
}
module_exit(kvm_exit);

static struct file_operations dev_fops = {
	.unlocked_ioctl	= dev_ioctl,
	.compat_ioctl	= dev_compat_ioctl,
	.llseek		= noop_llseek,
};

static struct file_operations vm_fops = {
	.release	= vm_release,
	.unlocked_ioctl	= vm_ioctl,
	.compat_ioctl	= vm_compat_ioctl,
	.llseek		= noop_llseek,
};

static struct file_operations vcpu_fops = {
	.release	= vcpu_release,
	.unlocked_ioctl	= vcpu_ioctl,
	.compat_ioctl	= vcpu_compat_ioctl,
	.mmap		= kvm_vcpu_mmap,
	.llseek		= noop_llseek,
};

MODULE_DESCRIPTION("Kernel-based Virtual Machine");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1");
MODULE_ALIAS_MISCDEV(KVM_MINOR);
MODULE_ALIAS("devname:kvm");
