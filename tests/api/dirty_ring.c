// SPDX-License-Identifier: GPL-2.0
/* The dirty ring: a ring of dirtied pages for each vCPU instead of a bitmap for each slot. */
#include "kvmtest.h"

#define ENTRIES 1024
#define PAGES 64
#define BASE 0x400000

GUEST(g_touch, 32, "1: out %al, $0x10; 2: cmp %ecx, %ebx; jae 1b; movb $1, (%ebx);"
		   "add $0x1000, %ebx; jmp 2b");

static int enable(struct tvm *t, uint64_t bytes)
{
	struct kvm_enable_cap c = { .cap = KVM_CAP_DIRTY_LOG_RING, .args = { bytes } };

	return ioctl(t->vm, KVM_ENABLE_CAP, &c);
}

static void need_ring(void)
{
	struct tvm t;

	tvm_open(&t);
	if (!has_cap(t.vm, KVM_CAP_DIRTY_LOG_RING))
		SKIP("no dirty ring here");
	CHECK_ERR(enable(&t, 1000), EINVAL);			/* not a power of two */
	CHECK_ERR(enable(&t, 16), EINVAL);			/* too small */
	CHECK(enable(&t, has_cap(t.vm, KVM_CAP_DIRTY_LOG_RING) * 2) < 0);
	CHECK_OK(enable(&t, ENTRIES * sizeof(struct kvm_dirty_gfn)));
	CHECK_ERR(enable(&t, ENTRIES * sizeof(struct kvm_dirty_gfn)), EINVAL);
	tvm_close(&t);
	tvm_open(&t);
	tvm_vcpu(&t);
	CHECK_ERR(enable(&t, ENTRIES * sizeof(struct kvm_dirty_gfn)), EINVAL);
	tvm_close(&t);
}

static struct kvm_dirty_gfn *ring;

static void setup(struct tvm *t, uint32_t pages)
{
	tvm_open(t);
	tvm_mem(t, 2 << 20);
	REQUIRE_OK(enable(t, ENTRIES * sizeof(struct kvm_dirty_gfn)));
	tvm_vcpu(t);
	REQUIRE_OK(tvm_set_slot(t->vm, 1, KVM_MEM_LOG_DIRTY_PAGES, BASE, pages * 4096,
				tvm_alloc(pages * 4096)));
	ring = mmap(NULL, ENTRIES * sizeof(*ring), PROT_READ | PROT_WRITE, MAP_SHARED, t->fd,
		    KVM_DIRTY_LOG_PAGE_OFFSET * 4096);
	REQUIRE(ring != MAP_FAILED);
	GUEST_START(t, PROT, g_touch);
	RUN_TO_OUT(t, 0x10);
}

static void touch(struct tvm *t, int from, int to)
{
	struct kvm_regs r = get_regs(t);

	r.rbx = BASE + from * 4096;
	r.rcx = BASE + to * 4096;
	TVM_IOCTL(t->fd, KVM_SET_REGS, &r);
}

static void collect(void)
{
	struct tvm t;

	setup(&t, PAGES);
	touch(&t, 5, 15);
	RUN_TO_OUT(&t, 0x10);
	for (int i = 0; i < 10; i++) {
		CHECK_EQ(ring[i].flags, KVM_DIRTY_GFN_F_DIRTY);
		CHECK_EQ(ring[i].slot, 1);
		CHECK_EQ(ring[i].offset, 5 + i);
		ring[i].flags = KVM_DIRTY_GFN_F_RESET;
	}
	CHECK_EQ(ring[10].flags, 0);
	/* As many as were marked. */
	CHECK_EQ(ioctl(t.vm, KVM_RESET_DIRTY_RINGS, 0), 10);
	CHECK_EQ(ioctl(t.vm, KVM_RESET_DIRTY_RINGS, 0), 0);
	/* Written again, they come again. */
	touch(&t, 5, 7);
	RUN_TO_OUT(&t, 0x10);
	CHECK_EQ(ring[10].flags, KVM_DIRTY_GFN_F_DIRTY);
	CHECK_EQ(ring[10].offset, 5);
	CHECK_EQ(ring[11].offset, 6);
	CHECK_EQ(ring[12].flags, 0);
	munmap(ring, ENTRIES * sizeof(*ring));
	tvm_close(&t);
}

/* Nearly full: KVM_RUN ends until the VMM has made room. */
static void full(void)
{
	struct tvm t;
	int n, got;

	setup(&t, 2 * ENTRIES);
	touch(&t, 0, 2 * ENTRIES);
	RUN_TO(&t, KVM_EXIT_DIRTY_RING_FULL);
	RUN_TO(&t, KVM_EXIT_DIRTY_RING_FULL);
	for (n = 0; n < ENTRIES && ring[n].flags == KVM_DIRTY_GFN_F_DIRTY; n++)
		ring[n].flags = KVM_DIRTY_GFN_F_RESET;
	CHECK(n > ENTRIES / 4);
	got = ioctl(t.vm, KVM_RESET_DIRTY_RINGS, 0);
	CHECK_EQ(got, n);
	RUN_TO(&t, KVM_EXIT_DIRTY_RING_FULL);
	munmap(ring, ENTRIES * sizeof(*ring));
	tvm_close(&t);
}

/* The bitmap ioctl is not for such a VM. */
static void no_bitmap(void)
{
	static uint64_t bits[PAGES / 64 + 1];
	struct kvm_dirty_log l = { .slot = 1, .dirty_bitmap = bits };
	struct tvm t;

	setup(&t, PAGES);
	CHECK_ERR(ioctl(t.vm, KVM_GET_DIRTY_LOG, &l), ENXIO);
	munmap(ring, ENTRIES * sizeof(*ring));
	tvm_close(&t);
}

TEST_MAIN(T(need_ring), T(collect), T(full), T(no_bitmap))
