// SPDX-License-Identifier: GPL-2.0
/*
 * Statistics descriptors, ENABLE_CAP, devices, TPR reporting, memory of other ioctls: errors and
 * small contracts.
 */
#include <sys/stat.h>
#include "kvmtest.h"

static void enable_cap_errors(void)
{
	struct kvm_enable_cap c = { .cap = 99999 };
	struct tvm t;

	vm_new(&t);
	CHECK_ERR(ioctl(t.vm, KVM_ENABLE_CAP, &c), EINVAL);
	CHECK_ERR(ioctl(t.fd, KVM_ENABLE_CAP, &c), EINVAL);
	c.cap = KVM_CAP_IRQCHIP;	/* exists, but is not one to enable */
	CHECK_ERR(ioctl(t.vm, KVM_ENABLE_CAP, &c), EINVAL);
	/* One of a VM, one of a vCPU: with flags, of the other kind, and as they are meant. */
	CHECK_EQ(has_cap(t.sys, KVM_CAP_ENABLE_CAP_VM), 1);
	c = (struct kvm_enable_cap) { .cap = KVM_CAP_EXCEPTION_PAYLOAD, .args[0] = 1, .flags = 1 };
	CHECK_ERR(ioctl(t.vm, KVM_ENABLE_CAP, &c), EINVAL);
	c.flags = 0;
	CHECK_ERR(ioctl(t.fd, KVM_ENABLE_CAP, &c), EINVAL);
	CHECK_OK(ioctl(t.vm, KVM_ENABLE_CAP, &c));
	CHECK_EQ(has_cap(t.sys, KVM_CAP_ENABLE_CAP), 1);
	c = (struct kvm_enable_cap) { .cap = KVM_CAP_ENFORCE_PV_FEATURE_CPUID, .args[0] = 1, .flags = 1 };
	CHECK_ERR(ioctl(t.fd, KVM_ENABLE_CAP, &c), EINVAL);
	c.flags = 0;
	CHECK_ERR(ioctl(t.vm, KVM_ENABLE_CAP, &c), EINVAL);
	CHECK_OK(ioctl(t.fd, KVM_ENABLE_CAP, &c));
	CHECK_ERR(ioctl(t.fd, KVM_ENABLE_CAP, NULL), EFAULT);
	CHECK_ERR(ioctl(t.vm, KVM_ENABLE_CAP, NULL), EFAULT);
	tvm_close(&t);
}

static void devices(void)
{
	struct kvm_create_device d = { .type = 999 };
	struct kvm_device_attr attr = { .group = 77 };
	struct tvm t;

	vm_new(&t);
	CHECK_ERR(ioctl(t.vm, KVM_CREATE_DEVICE, &d), ENODEV);
	d.type = KVM_DEV_TYPE_ARM_VGIC_V3;
	CHECK_ERR(ioctl(t.vm, KVM_CREATE_DEVICE, &d), ENODEV);
	CHECK_ERR(ioctl(t.vm, KVM_CREATE_DEVICE, NULL), EFAULT);
	d.type = KVM_DEV_TYPE_VFIO;
	d.flags = KVM_CREATE_DEVICE_TEST;
	if (ioctl(t.vm, KVM_CREATE_DEVICE, &d) == 0) {
		d.flags = 0;
		CHECK_OK(ioctl(t.vm, KVM_CREATE_DEVICE, &d));
		CHECK_ERR(ioctl(d.fd, KVM_HAS_DEVICE_ATTR, &attr), ENXIO);
		CHECK_ERR(ioctl(d.fd, KVM_SET_DEVICE_ATTR, &attr), ENXIO);
		close(d.fd);
	}
	tvm_close(&t);
}

static void tpr_reporting(void)
{
	struct kvm_tpr_access_ctl c = { .enabled = 1 };
	struct tvm t;

	vm_new_irqchip(&t);
	CHECK_OK(ioctl(t.fd, KVM_TPR_ACCESS_REPORTING, &c));
	c.enabled = 0;
	CHECK_OK(ioctl(t.fd, KVM_TPR_ACCESS_REPORTING, &c));
	c.flags = 1;
	CHECK_ERR(ioctl(t.fd, KVM_TPR_ACCESS_REPORTING, &c), EINVAL);
	CHECK_ERR(ioctl(t.fd, KVM_TPR_ACCESS_REPORTING, NULL), EFAULT);
	tvm_close(&t);
}

/* A TPR access by MMIO is reported while that is wanted, and done in any case. */
GUEST(g_tpr, 32, "mov $0xfee00080, %eax; g_tpr_insn: movl $0x20, (%eax); mov (%eax), %ebx;"
		 "out %al, $0x10; hlt");

extern const uint8_t g_tpr_insn[];

static void tpr_access(void)
{
	struct kvm_tpr_access_ctl c = { 0 };
	struct tvm t;

	vm_new_irqchip(&t);
	for (int i = 0; i < 4; i++) {
		c.enabled = i & 1;
		CHECK_OK(ioctl(t.fd, KVM_TPR_ACCESS_REPORTING, &c));
		GUEST_START(&t, PROT, g_tpr);
		if (c.enabled && RUN_TO(&t, KVM_EXIT_TPR_ACCESS)) {
			CHECK_EQ(t.run->tpr_access.is_write, 1);
			CHECK_EQ(t.run->tpr_access.rip, TVM_CODE + (g_tpr_insn - g_tpr));
		}
		if (c.enabled && RUN_TO(&t, KVM_EXIT_TPR_ACCESS))
			CHECK_EQ(t.run->tpr_access.is_write, 0);
		RUN_TO_OUT(&t, 0x10);
		CHECK_EQ(get_regs(&t).rbx, 0x20);
	}
	tvm_close(&t);
}

static void check_stats(int fd, const char *want)
{
	struct kvm_stats_header h;
	struct kvm_stats_desc *d;
	bool found = false;
	char *all;
	size_t stride;

	REQUIRE(pread(fd, &h, sizeof(h), 0) == sizeof(h));
	CHECK(h.num_desc > 0 && h.num_desc < 500);
	CHECK(h.name_size >= 8 && h.name_size <= 256);
	stride = sizeof(*d) + h.name_size;
	all = calloc(h.num_desc, stride);
	CHECK_EQ(pread(fd, all, h.num_desc * stride, h.desc_offset), h.num_desc * stride);
	for (uint32_t i = 0; i < h.num_desc; i++) {
		uint64_t v[64];

		d = (struct kvm_stats_desc *)(all + i * stride);
		CHECK(strlen(d->name) > 0 && strlen(d->name) < h.name_size);
		CHECK((d->flags & KVM_STATS_TYPE_MASK) <= KVM_STATS_TYPE_MAX);
		CHECK(d->size >= 1 && d->size <= 64);
		CHECK_EQ(pread(fd, v, d->size * 8, h.data_offset + d->offset), d->size * 8u);
		found = found || !strcmp(d->name, want);
	}
	CHECK(found);
	/* Beyond the end there is nothing. */
	CHECK_EQ(pread(fd, &h, sizeof(h), 1 << 20), 0);
	free(all);
}

GUEST(g_hlt, 16, "hlt");

static void statistics(void)
{
	struct tvm t;
	int a, b;

	vm_new(&t);
	if (!has_cap(t.sys, KVM_CAP_BINARY_STATS_FD))
		return;
	a = ioctl(t.vm, KVM_GET_STATS_FD, 0);
	b = ioctl(t.fd, KVM_GET_STATS_FD, 0);
	REQUIRE_OK(a);
	REQUIRE_OK(b);
	GUEST_START(&t, REAL, g_hlt);
	RUN_TO(&t, KVM_EXIT_HLT);
	check_stats(a, "remote_tlb_flush");
	check_stats(b, "halt_poll_success_ns");
	/* A statistics descriptor outlives the others. */
	tvm_close(&t);
	close(a);
	check_stats(b, "exits");
	close(b);
}

/* A VM that never runs, without memory, with vCPUs whose descriptors are closed first: all goes. */
static void half_made(void)
{
	struct tvm t;

	for (int i = 0; i < 20; i++) {
		tvm_open(&t);
		if (i & 1)
			CHECK_OK(ioctl(t.vm, KVM_CREATE_IRQCHIP, 0));
		if (i & 2)
			close(ioctl(t.vm, KVM_CREATE_VCPU, 0));
		tvm_close(&t);
	}
}

static void nmi_and_smi(void)
{
	struct tvm t;

	vm_new_irqchip(&t);
	CHECK_OK(ioctl(t.fd, KVM_NMI, 0));
	if (has_cap(t.sys, KVM_CAP_X86_SMM))
		CHECK_OK(ioctl(t.fd, KVM_SMI, 0));
	tvm_close(&t);
}

static void nr_mmu_pages(void)
{
	struct tvm t;

	tvm_open(&t);
	if (has_cap(t.sys, KVM_CAP_MMU_SHADOW_CACHE_CONTROL)) {
		CHECK(ioctl(t.vm, KVM_GET_NR_MMU_PAGES, 0) >= 0);
		CHECK_ERR(ioctl(t.vm, KVM_SET_NR_MMU_PAGES, 1), EINVAL);
		CHECK_OK(ioctl(t.vm, KVM_SET_NR_MMU_PAGES, 1000));
		CHECK_EQ(ioctl(t.vm, KVM_GET_NR_MMU_PAGES, 0), 1000);
		/* what is refused changes nothing */
		CHECK_ERR(ioctl(t.vm, KVM_SET_NR_MMU_PAGES, 1), EINVAL);
		CHECK_EQ(ioctl(t.vm, KVM_GET_NR_MMU_PAGES, 0), 1000);
	}
	tvm_close(&t);
}

static void boot_cpu_id(void)
{
	struct kvm_run *run;
	struct tvm t;
	int fd;

	tvm_open(&t);
	tvm_mem(&t, 2 << 20);
	CHECK_OK(ioctl(t.vm, KVM_CREATE_IRQCHIP, 0));
	CHECK_EQ(has_cap(t.sys, KVM_CAP_SET_BOOT_CPU_ID), 1);
	CHECK_OK(ioctl(t.vm, KVM_SET_BOOT_CPU_ID, 1));
	tvm_vcpu(&t);
	fd = tvm_add_vcpu(&t, 1, &run);
	CHECK_ERR(ioctl(t.vm, KVM_SET_BOOT_CPU_ID, 0), EBUSY);
	CHECK_EQ(get_msr(&t, 0x1b), 0xfee00800);
	close(t.fd);
	t.fd = fd;
	CHECK_EQ(get_msr(&t, 0x1b), 0xfee00900);
	tvm_close(&t);
}

TEST_MAIN(T(enable_cap_errors), T(devices), T(tpr_reporting), T(tpr_access),
	  T(statistics),
	  T(half_made), T(nmi_and_smi), T(nr_mmu_pages), T(boot_cpu_id))
