// SPDX-License-Identifier: GPL-2.0
/*
 * KVM_CREATE_DEVICE: devices with a descriptor and attributes. There is one type
 * so far, the VFIO pseudo device.
 *
 * A device holds its VM; the device's descriptor is its life. Attributes travel
 * as (group, attribute, user address), and what they mean is the type's affair.
 *
 * The VFIO device ties VFIO files (groups, or devices by their own descriptor)
 * to the VM: each is told which VM uses it, and the VM learns whether any of
 * them can bypass the CPU's caches. The vfio module is not ours to depend on;
 * its functions are borrowed by name while they are called, and it is loaded
 * whenever such a file exists.
 *
 * Locks: kvm->lock for the list of devices; vfio_state.lock for the files of one.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "compat_vfio.h"
#include "device.h"

/* ---- VFIO ------------------------------------------------------------------------ */

struct vfio_entry {
	struct list_head link;
	struct file *file;		/* referenced */
};

struct vfio_state {
	struct mutex lock;
	struct list_head files;		/* [lock] */
};

static bool vfio_valid(struct file *file)
{
	bool (*valid)(struct file *file) = compat_symbol_get_vfio_valid();
	bool r;

	if (!valid)
		return false;
	r = valid(file);
	compat_symbol_put_vfio_valid();
	return r;
}

static void vfio_tell(struct file *file, struct kvm *kvm)
{
	void (*set_kvm)(struct file *file, struct kvm *kvm) = symbol_get(vfio_file_set_kvm);

	if (!set_kvm)
		return;
	set_kvm(file, kvm);
	symbol_put(vfio_file_set_kvm);
}

static bool vfio_coherent(struct file *file)
{
	bool (*coherent)(struct file *file) = symbol_get(vfio_file_enforced_coherent);
	bool r;

	if (!coherent)
		return false;
	r = coherent(file);
	symbol_put(vfio_file_enforced_coherent);
	return r;
}

/* state->lock held. */
static void vfio_update_coherency(struct kvm *kvm, struct vfio_state *state)
{
	struct vfio_entry *e;
	bool noncoherent = false;

	list_for_each_entry(e, &state->files, link)
		noncoherent |= !vfio_coherent(e->file);
	WRITE_ONCE(kvm->arch.noncoherent_dma, noncoherent);
}

static struct vfio_entry *vfio_find(struct vfio_state *state, struct file *file)
{
	struct vfio_entry *e;

	list_for_each_entry(e, &state->files, link) {
		if (e->file == file)
			return e;
	}
	return NULL;
}

/* Consumes the reference to @file if it answers 0. */
static int vfio_add_locked(struct kvm *kvm, struct vfio_state *state, struct file *file)
{
	struct vfio_entry *e;

	if (vfio_find(state, file))
		return -EEXIST;
	e = kzalloc(sizeof(*e), GFP_KERNEL_ACCOUNT);
	if (!e)
		return -ENOMEM;
	e->file = file;
	list_add_tail(&e->link, &state->files);
	vfio_tell(file, kvm);
	vfio_update_coherency(kvm, state);
	return 0;
}

static void vfio_drop(struct vfio_entry *e)
{
	list_del(&e->link);
	vfio_tell(e->file, NULL);
	fput(e->file);
	kfree(e);
}

static int vfio_add(struct kvm_device *dev, int fd)
{
	struct vfio_state *state = dev->priv;
	struct file *file = fget(fd);
	int r = -EINVAL;

	if (!file)
		return -EBADF;
	if (vfio_valid(file)) {
		mutex_lock(&state->lock);
		r = vfio_add_locked(dev->kvm, state, file);
		mutex_unlock(&state->lock);
	}
	if (r)
		fput(file);
	return r;
}

static int vfio_del(struct kvm_device *dev, int fd)
{
	struct vfio_state *state = dev->priv;
	struct file *file = fget(fd);
	struct vfio_entry *e;

	if (!file)
		return -EBADF;
	mutex_lock(&state->lock);
	e = vfio_find(state, file);
	if (e) {
		vfio_drop(e);
		vfio_update_coherency(dev->kvm, state);
	}
	mutex_unlock(&state->lock);
	fput(file);
	return e ? 0 : -ENOENT;
}

static int vfio_has_attr(struct kvm_device *dev, const struct kvm_device_attr *attr)
{
	if (attr->group != KVM_DEV_VFIO_GROUP)
		return -ENXIO;
	switch (attr->attr) {
	case KVM_DEV_VFIO_GROUP_ADD:
	case KVM_DEV_VFIO_GROUP_DEL:
		return 0;
	default:
		return -ENXIO;
	}
}

static int vfio_set_attr(struct kvm_device *dev, const struct kvm_device_attr *attr)
{
	s32 fd;
	int r = vfio_has_attr(dev, attr);

	if (r)
		return r;
	if (get_user(fd, (s32 __user *)(unsigned long)attr->addr))
		return -EFAULT;
	return attr->attr == KVM_DEV_VFIO_GROUP_ADD ? vfio_add(dev, fd) : vfio_del(dev, fd);
}

static int vfio_create(struct kvm_device *dev)
{
	struct vfio_state *state;
	struct kvm_device *other;

	lockdep_assert_held(&dev->kvm->lock);
	list_for_each_entry(other, &dev->kvm->devices, link) {
		if (other->type == &kvm_vfio_device_type)
			return -EBUSY;
	}
	state = kzalloc(sizeof(*state), GFP_KERNEL_ACCOUNT);
	if (!state)
		return -ENOMEM;
	mutex_init(&state->lock);
	INIT_LIST_HEAD(&state->files);
	dev->priv = state;
	return 0;
}

static void vfio_destroy(struct kvm_device *dev)
{
	struct vfio_state *state = dev->priv;
	struct vfio_entry *e, *next;

	mutex_lock(&state->lock);
	list_for_each_entry_safe(e, next, &state->files, link)
		vfio_drop(e);
	vfio_update_coherency(dev->kvm, state);
	mutex_unlock(&state->lock);
	kfree(state);
}

const struct kvm_device_class kvm_vfio_device_type = {
	.name		= "kvm-vfio",
	.create		= vfio_create,
	.destroy	= vfio_destroy,
	.set_attr	= vfio_set_attr,
	.has_attr	= vfio_has_attr,
};

/* ---- any device --------------------------------------------------------------------- */

static const struct kvm_device_class *const device_types[] = {
	[KVM_DEV_TYPE_VFIO] = &kvm_vfio_device_type,
};

static int device_attr(struct kvm_device *dev, unsigned long user,
		       int (*access)(struct kvm_device *dev, const struct kvm_device_attr *attr))
{
	struct kvm_device_attr attr;

	if (!access)
		return -EPERM;
	if (copy_from_user(&attr, (void __user *)user, sizeof(attr)))
		return -EFAULT;
	return access(dev, &attr);
}

static long device_ioctl(struct file *file, unsigned int cmd, unsigned long user)
{
	struct kvm_device *dev = file->private_data;

	if (dev->kvm->mm != current->mm || READ_ONCE(dev->kvm->vm_dead))
		return -EIO;
	switch (cmd) {
	case KVM_SET_DEVICE_ATTR:
		return device_attr(dev, user, dev->type->set_attr);
	case KVM_GET_DEVICE_ATTR:
		return device_attr(dev, user, dev->type->get_attr);
	case KVM_HAS_DEVICE_ATTR:
		return device_attr(dev, user, dev->type->has_attr);
	default:
		return -ENOTTY;
	}
}

static int device_release(struct inode *inode, struct file *file)
{
	struct kvm_device *dev = file->private_data;
	struct kvm *kvm = dev->kvm;

	mutex_lock(&kvm->lock);
	list_del(&dev->link);
	mutex_unlock(&kvm->lock);
	dev->type->destroy(dev);
	kfree(dev);
	kvm_put_kvm(kvm);
	return 0;
}

static const struct file_operations device_fops = {
	.owner		= THIS_MODULE,
	.release	= device_release,
	.unlocked_ioctl	= device_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.llseek		= noop_llseek,
};

static struct kvm_device *device_alloc(struct kvm *kvm, const struct kvm_device_class *type)
{
	struct kvm_device *dev = kzalloc(sizeof(*dev), GFP_KERNEL_ACCOUNT);
	int r;

	if (!dev)
		return ERR_PTR(-ENOMEM);
	dev->kvm = kvm;
	dev->type = type;
	mutex_lock(&kvm->lock);
	r = type->create(dev);
	if (!r)
		list_add(&dev->link, &kvm->devices);
	mutex_unlock(&kvm->lock);
	if (r) {
		kfree(dev);
		return ERR_PTR(r);
	}
	return dev;
}

static void device_undo(struct kvm_device *dev)
{
	mutex_lock(&dev->kvm->lock);
	list_del(&dev->link);
	mutex_unlock(&dev->kvm->lock);
	dev->type->destroy(dev);
	kfree(dev);
}

/* The new descriptor. */
static int device_make_fd(struct kvm *kvm, const struct kvm_device_class *type)
{
	struct kvm_device *dev;
	int fd;

	dev = device_alloc(kvm, type);
	if (IS_ERR(dev))
		return PTR_ERR(dev);
	kvm_get_kvm(kvm);	/* the descriptor's */
	fd = anon_inode_getfd(type->name, &device_fops, dev, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		device_undo(dev);
		kvm_put_kvm(kvm);
	}
	return fd;
}

int kvm_create_device(struct kvm *kvm, struct kvm_create_device *args)
{
	int fd;

	if (args->type >= ARRAY_SIZE(device_types) || !device_types[args->type])
		return -ENODEV;
	if (args->flags & KVM_CREATE_DEVICE_TEST)
		return 0;
	fd = device_make_fd(kvm, device_types[array_index_nospec(args->type,
								 ARRAY_SIZE(device_types))]);
	if (fd < 0)
		return fd;
	args->fd = fd;
	return 0;
}
