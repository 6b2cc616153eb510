// SPDX-License-Identifier: GPL-2.0
/* KVM_CREATE_DEVICE and the VFIO pseudo device, as far as it goes without a VFIO file. */
#include "kvmtest.h"

static int create(struct tvm *t, uint32_t type, uint32_t flags)
{
	struct kvm_create_device d = { .type = type, .flags = flags, .fd = -1 };
	int r = ioctl(t->vm, KVM_CREATE_DEVICE, &d);

	return r < 0 ? r : (int)d.fd;
}

static int attr(int fd, unsigned long nr, uint32_t group, uint64_t attr, void *addr)
{
	struct kvm_device_attr a = { .group = group, .attr = attr, .addr = tvm_ptr(addr) };

	return ioctl(fd, nr, &a);
}

static void types(void)
{
	struct tvm t;
	int fd;

	tvm_open(&t);
	CHECK_EQ(has_cap(t.sys, KVM_CAP_DEVICE_CTRL), 1);
	CHECK_ERR(create(&t, 9999, 0), ENODEV);
	CHECK_ERR(create(&t, 0, 0), ENODEV);
	CHECK_ERR(create(&t, 9999, KVM_CREATE_DEVICE_TEST), ENODEV);
	CHECK_EQ(create(&t, KVM_DEV_TYPE_VFIO, KVM_CREATE_DEVICE_TEST), -1ull);	/* makes none */
	CHECK_ERR(ioctl(t.vm, KVM_CREATE_DEVICE, NULL), EFAULT);
	fd = create(&t, KVM_DEV_TYPE_VFIO, 0);
	REQUIRE_OK(fd);
	CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	CHECK_ERR(create(&t, KVM_DEV_TYPE_VFIO, 0), EBUSY);
	close(fd);
	fd = create(&t, KVM_DEV_TYPE_VFIO, 0);
	REQUIRE_OK(fd);
	/* The device outlives the VM's own descriptor. */
	tvm_close(&t);
	CHECK_OK(attr(fd, KVM_HAS_DEVICE_ATTR, KVM_DEV_VFIO_GROUP, KVM_DEV_VFIO_GROUP_ADD, NULL));
	close(fd);
}

static void attributes(void)
{
	int null = open("/dev/null", O_RDWR), bad = -1, fd;
	struct tvm t;

	tvm_open(&t);
	fd = create(&t, KVM_DEV_TYPE_VFIO, 0);
	REQUIRE_OK(fd);
	CHECK_OK(attr(fd, KVM_HAS_DEVICE_ATTR, KVM_DEV_VFIO_GROUP, KVM_DEV_VFIO_GROUP_DEL, NULL));
	CHECK_ERR(attr(fd, KVM_HAS_DEVICE_ATTR, KVM_DEV_VFIO_GROUP, 77, NULL), ENXIO);
	CHECK_ERR(attr(fd, KVM_HAS_DEVICE_ATTR, 77, 1, NULL), ENXIO);
	CHECK_ERR(attr(fd, KVM_SET_DEVICE_ATTR, 77, 1, &null), ENXIO);
	CHECK_ERR(attr(fd, KVM_SET_DEVICE_ATTR, KVM_DEV_VFIO_GROUP, KVM_DEV_VFIO_GROUP_ADD, NULL), EFAULT);
	CHECK_ERR(attr(fd, KVM_SET_DEVICE_ATTR, KVM_DEV_VFIO_GROUP, KVM_DEV_VFIO_GROUP_ADD, &bad), EBADF);
	CHECK_ERR(attr(fd, KVM_SET_DEVICE_ATTR, KVM_DEV_VFIO_GROUP, KVM_DEV_VFIO_GROUP_ADD, &null), EINVAL);
	CHECK_ERR(attr(fd, KVM_SET_DEVICE_ATTR, KVM_DEV_VFIO_GROUP, KVM_DEV_VFIO_GROUP_DEL, &null), ENOENT);
	CHECK_ERR(attr(fd, KVM_GET_DEVICE_ATTR, KVM_DEV_VFIO_GROUP, KVM_DEV_VFIO_GROUP_ADD, &null), EPERM);
	CHECK_ERR(ioctl(fd, KVM_RUN, 0), ENOTTY);
	close(fd);
	close(null);
	tvm_close(&t);
}

TEST_MAIN(T(types), T(attributes))
