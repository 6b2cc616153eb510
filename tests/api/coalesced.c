// SPDX-License-Identifier: GPL-2.0
/* Coalesced MMIO and PIO: writes gathered in a ring that the VMM reads later. */
#include "kvmtest.h"

static int zone(struct tvm *t, unsigned long nr, uint64_t addr, uint32_t size, uint32_t pio)
{
	struct kvm_coalesced_mmio_zone z = { .addr = addr, .size = size, .pio = pio };

	return ioctl(t->vm, nr, &z);
}

#define ADD KVM_REGISTER_COALESCED_MMIO
#define DEL KVM_UNREGISTER_COALESCED_MMIO

static struct kvm_coalesced_mmio_ring *ring_of(struct tvm *t)
{
	return (void *)((uint8_t *)t->run + 4096 * has_cap(t->sys, KVM_CAP_COALESCED_MMIO));
}

GUEST(g_mmio, 64, "mov $0xd0000000, %rbx; mov $0x1122334455667788, %rax;"
		  "mov %al, (%rbx); mov %ax, 2(%rbx); mov %eax, 4(%rbx); mov %rax, 8(%rbx);"
		  "mov (%rbx), %cl; mov %al, 4096(%rbx); hlt");

static void mmio(void)
{
	static const struct {
		uint64_t at;
		uint32_t len;
	} want[] = { { 0xd0000000, 1 }, { 0xd0000002, 2 }, { 0xd0000004, 4 }, { 0xd0000008, 8 } };
	const uint64_t value = 0x1122334455667788;
	struct kvm_coalesced_mmio_ring *ring;
	struct tvm t;

	vm_new(&t);
	ring = ring_of(&t);
	CHECK_OK(zone(&t, ADD, 0xd0000000, 4096, 0));
	GUEST_START(&t, LONG, g_mmio);
	/* A read exits, and all writes before it are in the ring. */
	RUN_TO(&t, KVM_EXIT_MMIO);
	CHECK_EQ(t.run->mmio.is_write, 0);
	CHECK_EQ(ring->first, 0);
	CHECK_EQ(ring->last, 4);
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(ring->coalesced_mmio[i].phys_addr, want[i].at);
		CHECK_EQ(ring->coalesced_mmio[i].len, want[i].len);
		CHECK_EQ(ring->coalesced_mmio[i].pio, 0);
		CHECK(!memcmp(ring->coalesced_mmio[i].data, &value, want[i].len));
	}
	ring->first = ring->last;
	/* Outside of the zone. */
	RUN_TO(&t, KVM_EXIT_MMIO);
	CHECK_EQ(t.run->mmio.phys_addr, 0xd0001000);
	CHECK_EQ(ring->last, 4);
	tvm_close(&t);
}

GUEST(g_pio, 16, "mov $60, %cx; 1: mov %cl, %al; out %al, $0x70; loop 1b; out %al, $0x10; hlt");

static void pio(void)
{
	struct kvm_coalesced_mmio_ring *ring;
	struct tvm t;

	vm_new(&t);
	if (!has_cap(t.sys, KVM_CAP_COALESCED_PIO))
		return;
	ring = ring_of(&t);
	CHECK_OK(zone(&t, ADD, 0x70, 1, 1));
	GUEST_START(&t, REAL, g_pio);
	RUN_TO_OUT(&t, 0x10);
	CHECK_EQ(ring->last, 60);
	for (uint32_t i = 0; i < ring->last; i++) {
		CHECK_EQ(ring->coalesced_mmio[i].phys_addr, 0x70);
		CHECK_EQ(ring->coalesced_mmio[i].pio, 1);
		CHECK_EQ(ring->coalesced_mmio[i].data[0], 60 - i);
	}
	tvm_close(&t);
}

/* A full ring: the write exits as it would without the zone. */
GUEST(g_full, 32, "mov $0xd0000000, %ebx; 1: mov %al, (%ebx); inc %al; jmp 1b");

static void full(void)
{
	struct kvm_coalesced_mmio_ring *ring;
	const uint32_t max = (4096 - sizeof(*ring)) / sizeof(ring->coalesced_mmio[0]);
	uint32_t n;
	struct tvm t;

	vm_new(&t);
	ring = ring_of(&t);
	CHECK_OK(zone(&t, ADD, 0xd0000000, 4096, 0));
	GUEST_START(&t, PROT, g_full);
	RUN_TO(&t, KVM_EXIT_MMIO);
	n = ring->last;
	/* Linux 6.1 itself stops at 85: its arithmetic wraps at the wrong number */
	CHECK(n >= 64 && n < max);
	CHECK_EQ(t.run->mmio.data[0], n & 0xff);
	for (uint32_t i = 0; i < n; i++)
		CHECK_EQ(ring->coalesced_mmio[i].data[0], i & 0xff);
	ring->first = 1;	/* room for one */
	RUN_TO(&t, KVM_EXIT_MMIO);
	CHECK_EQ(ring->last, (n + 1) % max);
	CHECK_EQ(t.run->mmio.data[0], (n + 2) & 0xff);
	/* A VMM that writes nonsense into the ring hurts itself only. */
	ring->first = 0;
	ring->last = 0xffffff;
	RUN_TO(&t, KVM_EXIT_MMIO);
	tvm_close(&t);
}

static void errors(void)
{
	struct tvm t;

	vm_new(&t);
	CHECK_ERR(zone(&t, ADD, 0xd0000000, 4096, 2), EINVAL);
	CHECK_ERR(ioctl(t.vm, ADD, NULL), EFAULT);
	CHECK_ERR(zone(&t, DEL, 0xd0000000, 4096, 2), EINVAL);
	CHECK_OK(zone(&t, DEL, 0xd0000000, 4096, 0));	/* nothing there: no error */
	CHECK_OK(zone(&t, ADD, 0xd0000000, 4096, 0));
	CHECK_OK(zone(&t, DEL, 0xd0000000, 4096, 0));
	GUEST_START(&t, PROT, g_full);
	RUN_TO(&t, KVM_EXIT_MMIO);
	CHECK_EQ(t.run->mmio.data[0], 0);
	tvm_close(&t);
}

TEST_MAIN(T(mmio), T(pio), T(full), T(errors))
