// SPDX-License-Identifier: GPL-2.0
/* /dev/kvm itself: version, capabilities, sizes, what is refused. */
#include "kvmtest.h"

static int sys;

static void api_version(void)
{
	CHECK_EQ(ioctl(sys, KVM_GET_API_VERSION, 0), 12);
	CHECK_ERR(ioctl(sys, KVM_GET_API_VERSION, 1), EINVAL);
}

static void unknown_ioctls(void)
{
	int vm = TVM_IOCTL(sys, KVM_CREATE_VM, 0);
	int cpu = TVM_IOCTL(vm, KVM_CREATE_VCPU, 0);

	CHECK_ERR(ioctl(sys, _IO(KVMIO, 0xfe), 0), EINVAL);
	CHECK_ERR(ioctl(vm, _IO(KVMIO, 0xfe), 0), ENOTTY);
	CHECK_ERR(ioctl(cpu, _IO(KVMIO, 0xfe), 0), EINVAL);
	/* A vCPU ioctl on a VM and the other way round. */
	CHECK_ERR(ioctl(vm, KVM_RUN, 0), ENOTTY);
	CHECK_ERR(ioctl(cpu, KVM_CREATE_VCPU, 1), EINVAL);
	/* Not ours at all. */
	CHECK_ERR(ioctl(vm, _IO('x', 1), 0), ENOTTY);
	CHECK_ERR(ioctl(cpu, _IO('x', 1), 0), EINVAL);
	close(cpu);
	close(vm);
}

/* Capabilities that every VMM in use relies on, with the least value that is worth something. */
static void capabilities(void)
{
	static const struct {
		int cap, least, most;
	} want[] = {
		{ KVM_CAP_IRQCHIP, 1, 1 }, { KVM_CAP_HLT, 1, 1 }, { KVM_CAP_USER_MEMORY, 1, 1 },
		{ KVM_CAP_SET_TSS_ADDR, 1, 1 }, { KVM_CAP_EXT_CPUID, 1, 1 },
		{ KVM_CAP_MP_STATE, 1, 1 },
		{ KVM_CAP_DESTROY_MEMORY_REGION_WORKS, 1, 1 },
		{ KVM_CAP_JOIN_MEMORY_REGIONS_WORKS, 1, 1 },
		{ KVM_CAP_IRQ_ROUTING, 1024, 1 << 20 }, { KVM_CAP_MCE, 10, 255 },
		{ KVM_CAP_IRQFD, 1, 1 },
		{ KVM_CAP_PIT2, 1, 1 }, { KVM_CAP_PIT_STATE2, 1, 1 }, { KVM_CAP_IOEVENTFD, 1, 1 },
		{ KVM_CAP_IOEVENTFD_ANY_LENGTH, 1, 1 }, { KVM_CAP_SET_IDENTITY_MAP_ADDR, 1, 1 },
		{ KVM_CAP_ADJUST_CLOCK, 1, 0xf }, { KVM_CAP_VCPU_EVENTS, 1, 1 },
		{ KVM_CAP_DEBUGREGS, 1, 1 },
		{ KVM_CAP_X86_ROBUST_SINGLESTEP, 1, 1 }, { KVM_CAP_XSAVE, 1, 1 },
		{ KVM_CAP_SIGNAL_MSI, 1, 1 },
		{ KVM_CAP_INTERNAL_ERROR_DATA, 1, 1 }, { KVM_CAP_IMMEDIATE_EXIT, 1, 1 },
		{ KVM_CAP_NR_MEMSLOTS, 32, 1 << 16 }, { KVM_CAP_NR_VCPUS, 1, 1 << 16 },
		{ KVM_CAP_MAX_VCPUS, 2, 1 << 16 },
		{ KVM_CAP_MAX_VCPU_ID, 2, 1 << 20 }, { KVM_CAP_SYNC_MMU, 1, 1 },
		{ KVM_CAP_IRQ_INJECT_STATUS, 1, 1 },
		{ KVM_CAP_READONLY_MEM, 1, 1 }, { KVM_CAP_XCRS, 1, 1 },
		{ KVM_CAP_GET_TSC_KHZ, 1, 1 },
		{ KVM_CAP_TSC_DEADLINE_TIMER, 1, 1 }, { KVM_CAP_COALESCED_MMIO, 1, 63 },
		{ KVM_CAP_SPLIT_IRQCHIP, 1, 1 }, { KVM_CAP_CHECK_EXTENSION_VM, 1, 1 },
		{ KVM_CAP_NOP_IO_DELAY, 0, 1 },
		{ KVM_CAP_USER_NMI, 1, 1 }, { KVM_CAP_KVMCLOCK_CTRL, 1, 1 },
		{ KVM_CAP_SET_GUEST_DEBUG, 1, 1 },
		{ KVM_CAP_XSAVE2, 4096, 1 << 20 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		int v = has_cap(sys, want[i].cap);

		if (v < want[i].least || v > want[i].most)
			FAIL("capability %d is %d, not %d..%d", want[i].cap, v, want[i].least,
			     want[i].most);
	}
}

static void unknown_capabilities(void)
{
	CHECK_EQ(has_cap(sys, 100000), 0);
	CHECK_EQ(has_cap(sys, -1), 0);
	CHECK_EQ(has_cap(sys, KVM_CAP_S390_UCONTROL), 0);
	CHECK_EQ(has_cap(sys, KVM_CAP_PPC_SMT), 0);
}

/* A capability asked of a VM: the same answer. */
static void capabilities_of_a_vm(void)
{
	int vm = TVM_IOCTL(sys, KVM_CREATE_VM, 0);

	for (int cap = 0; cap < 300; cap++) {
		if (cap == KVM_CAP_NR_VCPUS)
			continue;
		if (has_cap(sys, cap) != has_cap(vm, cap))
			FAIL("capability %d: %d of the system, %d of a VM", cap, has_cap(sys, cap),
			     has_cap(vm, cap));
	}
	close(vm);
}

/* Devices are given to guests by VFIO; of the ioctls that did it before nothing is left, nor of what they could do. */
static void assigned_devices(void)
{
	int vm = TVM_IOCTL(sys, KVM_CREATE_VM, 0);
	char arg[4096] = { 0 };

	CHECK_EQ(has_cap(sys, KVM_CAP_PCI_2_3), 0);
	CHECK_EQ(has_cap(sys, KVM_CAP_ASSIGN_DEV_IRQ), 0);
	CHECK_ERR(ioctl(vm, _IOR(KVMIO, 0x69, char[64]), arg), ENOTTY);	/* KVM_ASSIGN_PCI_DEVICE */
	CHECK_ERR(ioctl(vm, _IOW(KVMIO, 0xa4, char[64]), arg), ENOTTY);	/* KVM_ASSIGN_SET_INTX_MASK */
	close(vm);
}

static void mmap_size(void)
{
	int size = ioctl(sys, KVM_GET_VCPU_MMAP_SIZE, 0);

	CHECK_EQ(size, 3 * 4096);
	CHECK(size >= (int)sizeof(struct kvm_run));
	CHECK_ERR(ioctl(sys, KVM_GET_VCPU_MMAP_SIZE, 1), EINVAL);
}

/* libvirt opens the device read-only. */
static void read_only_open(void)
{
	int fd = open("/dev/kvm", O_RDONLY), vm;

	REQUIRE_OK(fd);
	CHECK_EQ(ioctl(fd, KVM_GET_API_VERSION, 0), 12);
	vm = ioctl(fd, KVM_CREATE_VM, 0);
	CHECK_OK(vm);
	CHECK_OK(ioctl(vm, KVM_CREATE_VCPU, 0));
	close(vm);
	close(fd);
}

static void create_vm_types(void)
{
	CHECK_ERR(ioctl(sys, KVM_CREATE_VM, 1), EINVAL);
	CHECK_ERR(ioctl(sys, KVM_CREATE_VM, -1ul), EINVAL);
	for (int i = 0; i < 20; i++) {
		int vm = ioctl(sys, KVM_CREATE_VM, 0);

		CHECK_OK(vm);
		CHECK_OK(close(vm));
	}
}

static void descriptors_close_on_exec(void)
{
	int vm = TVM_IOCTL(sys, KVM_CREATE_VM, 0);
	int cpu = TVM_IOCTL(vm, KVM_CREATE_VCPU, 0);

	CHECK(fcntl(vm, F_GETFD) & FD_CLOEXEC);
	CHECK(fcntl(cpu, F_GETFD) & FD_CLOEXEC);
	close(cpu);
	close(vm);
}

/* Neither read, write nor a mapping of the device or of a VM. */
static void no_other_file_operations(void)
{
	int vm = TVM_IOCTL(sys, KVM_CREATE_VM, 0);
	char c;

	CHECK_ERR(read(sys, &c, 1), EINVAL);
	CHECK_ERR(write(vm, &c, 1), EINVAL);
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, sys, 0) == MAP_FAILED);
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, vm, 0) == MAP_FAILED);
	close(vm);
}

static void mce_capabilities(void)
{
	uint64_t cap = 0;

	REQUIRE_OK(ioctl(sys, KVM_X86_GET_MCE_CAP_SUPPORTED, &cap));
	CHECK(cap & 1u << 8);	/* MCG_CTL_P */
	CHECK_ERR(ioctl(sys, KVM_X86_GET_MCE_CAP_SUPPORTED, 0), EFAULT);
}

/* The one attribute of /dev/kvm: which states of XSAVE guests can be given. */
static void attributes(void)
{
	uint64_t value = 0x5555, want;
	struct kvm_device_attr attr = { .attr = KVM_X86_XCOMP_GUEST_SUPP, .addr = tvm_ptr(&value) };
	struct kvm_cpuid2 *c = tvm_supported_cpuid(sys);
	struct kvm_cpuid_entry2 *e = tvm_cpuid_find(c, 0xd, 0);

	want = e ? (uint64_t)e->edx << 32 | e->eax : 0;
	free(c);
	CHECK_EQ(has_cap(sys, KVM_CAP_SYS_ATTRIBUTES), 1);
	CHECK_ERR(ioctl(sys, KVM_HAS_DEVICE_ATTR, NULL), EFAULT);
	CHECK_ERR(ioctl(sys, KVM_GET_DEVICE_ATTR, NULL), EFAULT);
	attr.attr = 77;
	CHECK_ERR(ioctl(sys, KVM_HAS_DEVICE_ATTR, &attr), ENXIO);
	CHECK_ERR(ioctl(sys, KVM_GET_DEVICE_ATTR, &attr), ENXIO);
	attr.attr = KVM_X86_XCOMP_GUEST_SUPP;
	attr.group = 1;
	CHECK_ERR(ioctl(sys, KVM_HAS_DEVICE_ATTR, &attr), ENXIO);
	CHECK_ERR(ioctl(sys, KVM_GET_DEVICE_ATTR, &attr), ENXIO);
	attr.group = 0;
	CHECK(ioctl(sys, KVM_SET_DEVICE_ATTR, &attr) < 0);	/* it can't be set */
	CHECK_EQ(value, 0x5555);
	CHECK_OK(ioctl(sys, KVM_HAS_DEVICE_ATTR, &attr));
	CHECK_EQ(value, 0x5555);
	CHECK_OK(ioctl(sys, KVM_GET_DEVICE_ATTR, &attr));
	CHECK_EQ(value, want);
	CHECK(!want || (value & 3) == 3);	/* x87 and SSE */
	attr.addr = 0;
	CHECK_OK(ioctl(sys, KVM_HAS_DEVICE_ATTR, &attr));	/* which does not look at it */
	CHECK_ERR(ioctl(sys, KVM_GET_DEVICE_ATTR, &attr), EFAULT);
}

static void open_device(void)
{
	sys = open("/dev/kvm", O_RDWR);
	REQUIRE_OK(sys);
}

TEST_MAIN(T(open_device), T(api_version), T(unknown_ioctls), T(capabilities),
	  T(unknown_capabilities),
	  T(capabilities_of_a_vm), T(assigned_devices), T(mmap_size), T(read_only_open), T(create_vm_types),
	  T(descriptors_close_on_exec),
	  T(no_other_file_operations), T(mce_capabilities), T(attributes))
