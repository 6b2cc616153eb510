// SPDX-License-Identifier: GPL-2.0
/*
 * Statistics, shown in two ways: KVM_GET_STATS_FD (binary, self-describing) and
 * debugfs (one plain number per file).
 *
 * Both come from the X-macro lists in stats.h. A binary descriptor file is, in
 * this order: header, id string, descriptors, values. All but the values is
 * constant, and read() copies from whichever of the four the offset falls into.
 *
 * In debugfs, kvm/<pid>-<fd>/ has a file for each statistic of a VM, those of
 * its vCPUs summed up; kvm/ itself has the same files, summed up over all VMs.
 * Writing 0 clears a cumulative one. Removing a directory waits for readers in
 * it, so files need no reference to the VM; it is the first step of teardown.
 *
 * Counters are written by their owners without atomics and read by anybody: a
 * count may be late, and a concurrent clear may be lost.
 *
 * Locks: kvm_vms_lock for sums over all VMs.
 */
#include <linux/anon_inodes.h>
#include <linux/debugfs.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "stats.h"
#include "vcpu.h"
#include "virt.h"

/* struct kvm_stats_desc with its name. */
struct stat_desc {
	u32 flags;
	s16 exponent;
	u16 size;
	u32 offset;
	u32 bucket_size;
	char name[KVM_STATS_NAME_SIZE];
};
static_assert(offsetof(struct stat_desc, name) == offsetof(struct kvm_stats_desc, name));

#define STAT_DESC(owner, kind, nm, unit, exp)				\
	{								\
		.flags = KVM_STATS_TYPE_##kind | KVM_STATS_UNIT_##unit | \
			 KVM_STATS_BASE_POW10,				\
		.exponent = (exp),					\
		.size = 1,						\
		.offset = offsetof(struct owner, nm),			\
		.name = #nm,						\
	},
#define VM_DESC(kind, nm, unit, exp)	STAT_DESC(kvm_vm_stat, kind, nm, unit, exp)
#define VCPU_DESC(kind, nm, unit, exp)	STAT_DESC(kvm_vcpu_stat, kind, nm, unit, exp)

static const struct stat_desc vm_descs[] = { KVM_VM_STATS(VM_DESC) };
static const struct stat_desc vcpu_descs[] = { KVM_VCPU_STATS(VCPU_DESC) };

#define NR_VM		ARRAY_SIZE(vm_descs)
#define NR_VCPU		ARRAY_SIZE(vcpu_descs)

/* ---- the binary descriptor ----------------------------------------------------- */

/* The blocks of one file, in order. */
struct stat_file_layout {
	const struct stat_desc *descs;
	u32 nr;
	const char *id;			/* KVM_STATS_NAME_SIZE bytes */
	const void *values;
	size_t values_size;
};

/* Copy what of @block (at file offset @at) lies in [*pos, *pos + *left). */
static int copy_block(const void *block, size_t size, loff_t at, char __user **buf, size_t *left,
		      loff_t *pos)
{
	size_t off, n;

	if (!*left || *pos < at || *pos >= at + (loff_t)size)
		return 0;
	off = *pos - at;
	n = min(*left, size - off);
	if (copy_to_user(*buf, block + off, n))
		return -EFAULT;
	*buf += n;
	*left -= n;
	*pos += n;
	return 0;
}

static ssize_t stat_read(const struct stat_file_layout *l, char __user *buf, size_t len,
			 loff_t *ppos)
{
	size_t descs_size = l->nr * sizeof(*l->descs), left = len;
	const struct kvm_stats_header head = {
		.name_size = KVM_STATS_NAME_SIZE,
		.num_desc = l->nr,
		.id_offset = sizeof(head),
		.desc_offset = sizeof(head) + KVM_STATS_NAME_SIZE,
		.data_offset = sizeof(head) + KVM_STATS_NAME_SIZE + descs_size,
	};
	loff_t pos = *ppos;
	int r;

	r = copy_block(&head, sizeof(head), 0, &buf, &left, &pos);
	if (!r)
		r = copy_block(l->id, KVM_STATS_NAME_SIZE, head.id_offset, &buf, &left, &pos);
	if (!r)
		r = copy_block(l->descs, descs_size, head.desc_offset, &buf, &left, &pos);
	if (!r)
		r = copy_block(l->values, l->values_size, head.data_offset, &buf, &left, &pos);
	if (r)
		return r;
	*ppos = pos;
	return len - left;
}

static ssize_t vm_stat_read(struct file *file, char __user *buf, size_t len, loff_t *pos)
{
	struct kvm *kvm = file->private_data;
	const struct stat_file_layout l = {
		.descs = vm_descs, .nr = NR_VM, .id = kvm->stats_id,
		.values = &kvm->stat, .values_size = sizeof(kvm->stat),
	};

	return stat_read(&l, buf, len, pos);
}

static ssize_t vcpu_stat_read(struct file *file, char __user *buf, size_t len, loff_t *pos)
{
	struct kvm_vcpu *vcpu = file->private_data;
	const struct stat_file_layout l = {
		.descs = vcpu_descs, .nr = NR_VCPU, .id = vcpu->stats_id,
		.values = &vcpu->stat, .values_size = sizeof(vcpu->stat),
	};

	return stat_read(&l, buf, len, pos);
}

static int vm_stat_release(struct inode *inode, struct file *file)
{
	kvm_put_kvm(file->private_data);
	return 0;
}

static int vcpu_stat_release(struct inode *inode, struct file *file)
{
	struct kvm_vcpu *vcpu = file->private_data;

	kvm_put_kvm(vcpu->kvm);
	return 0;
}

static const struct file_operations vm_stat_fops = {
	.owner = THIS_MODULE,
	.read = vm_stat_read,
	.release = vm_stat_release,
	.llseek = default_llseek,
};

static const struct file_operations vcpu_stat_fops = {
	.owner = THIS_MODULE,
	.read = vcpu_stat_read,
	.release = vcpu_stat_release,
	.llseek = default_llseek,
};

static int stats_fd(struct kvm *kvm, const char *name, const struct file_operations *fops,
		    void *owner)
{
	struct file *file;
	int fd = get_unused_fd_flags(O_CLOEXEC);

	if (fd < 0)
		return fd;
	file = anon_inode_getfile(name, fops, owner, O_RDONLY);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	file->f_mode |= FMODE_PREAD;
	kvm_get_kvm(kvm);
	fd_install(fd, file);
	return fd;
}

int kvm_vm_stats_fd(struct kvm *kvm)
{
	return stats_fd(kvm, "kvm-vm-stats", &vm_stat_fops, kvm);
}

int kvm_vcpu_stats_fd(struct kvm_vcpu *vcpu)
{
	char name[32];

	snprintf(name, sizeof(name), "kvm-vcpu-stats:%d", vcpu->vcpu_id);
	return stats_fd(vcpu->kvm, name, &vcpu_stat_fops, vcpu);
}

/* ---- debugfs -------------------------------------------------------------------------- */

struct kvm_stat_file {
	struct kvm *kvm;		/* NULL: all of them */
	const struct stat_desc *desc;
	bool vcpu;			/* a statistic of vCPUs */
};

static struct dentry *debugfs_root;
static struct kvm_stat_file global_files[NR_VM + NR_VCPU];

static u64 *stat_value(void *stat, const struct stat_desc *desc)
{
	return stat + desc->offset;
}

static u64 vm_sum(struct kvm *kvm, const struct kvm_stat_file *f)
{
	struct kvm_vcpu *vcpu;
	unsigned int i;
	u64 sum = 0;

	if (!f->vcpu)
		return READ_ONCE(*stat_value(&kvm->stat, f->desc));
	kvm_for_each_vcpu(i, vcpu, kvm)
		sum += READ_ONCE(*stat_value(&vcpu->stat, f->desc));
	return sum;
}

static void vm_clear(struct kvm *kvm, const struct kvm_stat_file *f)
{
	struct kvm_vcpu *vcpu;
	unsigned int i;

	if (!f->vcpu) {
		WRITE_ONCE(*stat_value(&kvm->stat, f->desc), 0);
		return;
	}
	kvm_for_each_vcpu(i, vcpu, kvm)
		WRITE_ONCE(*stat_value(&vcpu->stat, f->desc), 0);
}

static int stat_file_get(void *data, u64 *val)
{
	const struct kvm_stat_file *f = data;
	struct kvm *kvm;

	if (f->kvm) {
		*val = vm_sum(f->kvm, f);
		return 0;
	}
	*val = 0;
	mutex_lock(&kvm_vms_lock);
	list_for_each_entry(kvm, &kvm_vms, vm_list)
		*val += vm_sum(kvm, f);
	mutex_unlock(&kvm_vms_lock);
	return 0;
}

static bool stat_clearable(const struct stat_desc *desc)
{
	return (desc->flags & KVM_STATS_TYPE_MASK) == KVM_STATS_TYPE_CUMULATIVE;
}

static int stat_file_clear(void *data, u64 val)
{
	const struct kvm_stat_file *f = data;
	struct kvm *kvm;

	if (val || !stat_clearable(f->desc))
		return -EINVAL;
	if (f->kvm) {
		vm_clear(f->kvm, f);
		return 0;
	}
	mutex_lock(&kvm_vms_lock);
	list_for_each_entry(kvm, &kvm_vms, vm_list)
		vm_clear(kvm, f);
	mutex_unlock(&kvm_vms_lock);
	return 0;
}

DEFINE_SIMPLE_ATTRIBUTE(stat_file_fops, stat_file_get, stat_file_clear, "%llu\n");

static void create_files(struct dentry *dir, struct kvm *kvm, struct kvm_stat_file *files)
{
	int i;

	for (i = 0; i < NR_VM + NR_VCPU; i++) {
		struct kvm_stat_file *f = &files[i];

		f->kvm = kvm;
		f->vcpu = i >= NR_VM;
		f->desc = f->vcpu ? &vcpu_descs[i - NR_VM] : &vm_descs[i];
		debugfs_create_file(f->desc->name, stat_clearable(f->desc) ? 0644 : 0444,
				    dir, f, &stat_file_fops);
	}
}

void kvm_vm_debugfs_create(struct kvm *kvm, int fd)
{
	struct dentry *dir;
	char name[32];

	snprintf(name, sizeof(name), "%d-%d", task_pid_nr(current), fd);
	/* A VM whose descriptor was closed, but that a vCPU's keeps, may have the name. */
	dir = debugfs_lookup(name, debugfs_root);
	if (dir) {
		dput(dir);
		return;
	}
	kvm->debugfs_files = kcalloc(NR_VM + NR_VCPU, sizeof(*kvm->debugfs_files),
				     GFP_KERNEL_ACCOUNT);
	if (!kvm->debugfs_files)
		return;
	dir = debugfs_create_dir(name, debugfs_root);
	if (IS_ERR(dir))
		return;
	kvm->debugfs = dir;
	create_files(dir, kvm, kvm->debugfs_files);
}

void kvm_vm_debugfs_destroy(struct kvm *kvm)
{
	debugfs_remove_recursive(kvm->debugfs);
	kfree(kvm->debugfs_files);
	kvm->debugfs_files = NULL;
}

void kvm_debugfs_init(void)
{
	debugfs_root = debugfs_create_dir("kvm", NULL);
	create_files(debugfs_root, NULL, global_files);
}

void kvm_debugfs_exit(void)
{
	debugfs_remove_recursive(debugfs_root);
}
