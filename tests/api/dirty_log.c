// SPDX-License-Identifier: GPL-2.0
/* The dirty log: GET, CLEAR, the manual modes, flags-only changes of slots. */
#include "kvmtest.h"

#define PAGES 200	/* not a multiple of 64: the bitmap's last word is partial */
#define BASE 0x400000
#define SIZE (PAGES * 4096)

/*
 * Writes one byte in each page from ebx to ecx with step edx, then asks for the next range at port
 * 0x10.
 */
GUEST(g_touch, 32, "1: out %al, $0x10; 2: cmp %ecx, %ebx; jae 1b; movb $1, (%ebx); add %edx, %ebx;"
		   "jmp 2b");

static uint8_t *ram;

static void setup(struct tvm *t, uint32_t flags)
{
	vm_new(t);
	ram = tvm_alloc(SIZE);
	REQUIRE_OK(tvm_set_slot(t->vm, 1, flags, BASE, SIZE, ram));
	GUEST_START(t, PROT, g_touch);
	RUN_TO_OUT(t, 0x10);
}

static void touch(struct tvm *t, int from, int to, int step)
{
	struct kvm_regs r = get_regs(t);

	r.rbx = BASE + from * 4096;
	r.rcx = BASE + to * 4096;
	r.rdx = step * 4096;
	TVM_IOCTL(t->fd, KVM_SET_REGS, &r);
	RUN_TO_OUT(t, 0x10);
}

static uint64_t map[(PAGES + 63) / 64];

static int get_log(struct tvm *t, uint32_t slot)
{
	struct kvm_dirty_log l = { .slot = slot, .dirty_bitmap = map };

	memset(map, 0xee, sizeof(map));
	return ioctl(t->vm, KVM_GET_DIRTY_LOG, &l);
}

static int clear_log(struct tvm *t, uint32_t slot, uint64_t first, uint32_t num, void *bits)
{
	struct kvm_clear_dirty_log l = { .slot = slot, .num_pages = num, .first_page = first,
		.dirty_bitmap = bits };

	return ioctl(t->vm, KVM_CLEAR_DIRTY_LOG, &l);
}

static bool bit(int page)
{
	return map[page / 64] >> (page % 64) & 1;
}

/* Exactly the pages from, from + step .. below to are in the log. */
static void check_log(struct tvm *t, int from, int to, int step, int line)
{
	int wrong = 0, first = -1;

	if (!CHECK_OK(get_log(t, 1)))
		return;
	for (int i = 0; i < PAGES; i++) {
		bool want = i >= from && i < to && (i - from) % step == 0;

		if (bit(i) != want) {
			wrong++;
			first = first < 0 ? i : first;
		}
	}
	if (wrong)
		FAIL("(from line %d) %d pages wrong in the log, the first is %d", line, wrong,
		     first);
}

#define CHECK_LOG(t, from, to, step) check_log(t, from, to, step, __LINE__)

static void get(void)
{
	struct tvm t;

	setup(&t, KVM_MEM_LOG_DIRTY_PAGES);
	CHECK_LOG(&t, 0, 0, 1);
	touch(&t, 3, 150, 7);
	CHECK_LOG(&t, 3, 150, 7);
	/*
	 * Reading clears; writing again logs again, new pages and those that were written before.
	 */
	CHECK_LOG(&t, 0, 0, 1);
	touch(&t, 3, 150, 7);
	CHECK_LOG(&t, 3, 150, 7);
	touch(&t, 0, PAGES, 1);
	CHECK_LOG(&t, 0, PAGES, 1);
	touch(&t, 199, 200, 1);
	CHECK_LOG(&t, 199, 200, 1);
	tvm_close(&t);
}

static void errors(void)
{
	uint64_t bits[4] = { 0 };
	struct kvm_dirty_log l = { .slot = 1, .dirty_bitmap = NULL };
	struct tvm t;

	setup(&t, 0);
	CHECK_ERR(get_log(&t, 1), ENOENT);		/* slot without a log */
	CHECK_ERR(get_log(&t, 2), ENOENT);		/* no slot */
	CHECK_ERR(get_log(&t, 40000), EINVAL);		/* no such slot number */
	CHECK_ERR(get_log(&t, 9 << 16 | 1), EINVAL);	/* no such address space */
	CHECK_OK(tvm_set_slot(t.vm, 1, KVM_MEM_LOG_DIRTY_PAGES, BASE, SIZE, ram));
	CHECK_ERR(ioctl(t.vm, KVM_GET_DIRTY_LOG, &l), EFAULT);
	CHECK_ERR(ioctl(t.vm, KVM_GET_DIRTY_LOG, NULL), EFAULT);
	/* Without the capability there is nothing to clear by hand. */
	CHECK_ERR(clear_log(&t, 2, 0, 64, bits), ENOENT);
	tvm_close(&t);
}

/* Logging switched on and off on a slot that is in use. */
static void flags_only(void)
{
	struct tvm t;

	setup(&t, 0);
	touch(&t, 0, PAGES, 1);
	for (int round = 0; round < 3; round++) {
		CHECK_OK(tvm_set_slot(t.vm, 1, KVM_MEM_LOG_DIRTY_PAGES, BASE, SIZE, ram));
		CHECK_LOG(&t, 0, 0, 1);
		touch(&t, round, 100, 3);
		CHECK_LOG(&t, round, 100, 3);
		CHECK_OK(tvm_set_slot(t.vm, 1, 0, BASE, SIZE, ram));
		CHECK_ERR(get_log(&t, 1), ENOENT);
		touch(&t, 0, PAGES, 1);
	}
	tvm_close(&t);
}

static void enable_manual(struct tvm *t, uint64_t mode)
{
	struct kvm_enable_cap c = { .cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, .args = { mode } };

	REQUIRE_OK(ioctl(t->vm, KVM_ENABLE_CAP, &c));
}

static void need_manual(void)
{
	struct kvm_enable_cap c = { .cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, .args = { 8 } };
	struct tvm t;

	tvm_open(&t);
	if (!has_cap(t.sys, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2))
		SKIP("no manual dirty log here");
	CHECK_ERR(ioctl(t.vm, KVM_ENABLE_CAP, &c), EINVAL);
	c.args[0] = 1;
	c.flags = 1;
	CHECK_ERR(ioctl(t.vm, KVM_ENABLE_CAP, &c), EINVAL);
	tvm_close(&t);
}

/* Reading clears nothing; CLEAR does, for the pages it names. */
static void manual(void)
{
	uint64_t bits[4] = { ~0ull, ~0ull, ~0ull, ~0ull };
	struct tvm t;

	vm_new(&t);
	enable_manual(&t, KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE);
	ram = tvm_alloc(SIZE);
	REQUIRE_OK(tvm_set_slot(t.vm, 1, KVM_MEM_LOG_DIRTY_PAGES, BASE, SIZE, ram));
	GUEST_START(&t, PROT, g_touch);
	RUN_TO_OUT(&t, 0x10);
	touch(&t, 0, PAGES, 2);
	CHECK_LOG(&t, 0, PAGES, 2);
	CHECK_LOG(&t, 0, PAGES, 2);
	CHECK_OK(clear_log(&t, 1, 64, 64, bits));
	CHECK_OK(get_log(&t, 1));
	CHECK_EQ(map[0], 0x5555555555555555);
	CHECK_EQ(map[1], 0);
	CHECK_EQ(map[2], 0x5555555555555555);
	CHECK_EQ(map[3], 0x55);
	touch(&t, 64, 66, 1);
	CHECK_OK(get_log(&t, 1));
	CHECK_EQ(map[1], 3);
	/* Only bits that are set in the request are cleared. */
	bits[0] = 0xf;
	CHECK_OK(clear_log(&t, 1, 0, 64, bits));
	CHECK_OK(get_log(&t, 1));
	CHECK_EQ(map[0], 0x5555555555555550);
	/* The end of the slot need not be a multiple of 64; all else must. */
	bits[0] = ~0ull;
	CHECK_OK(clear_log(&t, 1, 192, PAGES - 192, bits));
	CHECK_OK(get_log(&t, 1));
	CHECK_EQ(map[3], 0);
	CHECK_OK(clear_log(&t, 1, 0, PAGES, bits));
	CHECK_LOG(&t, 0, 0, 1);
	CHECK_ERR(clear_log(&t, 1, 1, 64, bits), EINVAL);
	CHECK_ERR(clear_log(&t, 1, 0, 63, bits), EINVAL);
	CHECK_ERR(clear_log(&t, 1, 192, 64, bits), EINVAL);
	CHECK_ERR(clear_log(&t, 1, 256, 64, bits), EINVAL);
	CHECK_ERR(clear_log(&t, 1, -64ull, 128, bits), EINVAL);
	CHECK_ERR(clear_log(&t, 1, 0, 64, NULL), EFAULT);
	CHECK_ERR(clear_log(&t, 3, 0, 64, bits), ENOENT);
	CHECK_ERR(clear_log(&t, 40000, 0, 64, bits), EINVAL);
	tvm_close(&t);
}

/* INITIALLY_SET: all dirty at first, and write protection comes with the first CLEAR. */
static void initially_set(void)
{
	uint64_t bits[4] = { ~0ull, ~0ull, ~0ull, ~0ull };
	struct tvm t;

	vm_new(&t);
	if (!(has_cap(t.sys, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2) & KVM_DIRTY_LOG_INITIALLY_SET)) {
		tvm_close(&t);
		return;
	}
	enable_manual(&t, KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVM_DIRTY_LOG_INITIALLY_SET);
	ram = tvm_alloc(SIZE);
	REQUIRE_OK(tvm_set_slot(t.vm, 1, 0, BASE, SIZE, ram));
	GUEST_START(&t, PROT, g_touch);
	RUN_TO_OUT(&t, 0x10);
	touch(&t, 0, PAGES, 1);
	REQUIRE_OK(tvm_set_slot(t.vm, 1, KVM_MEM_LOG_DIRTY_PAGES, BASE, SIZE, ram));
	CHECK_LOG(&t, 0, PAGES, 1);
	CHECK_OK(clear_log(&t, 1, 0, PAGES, bits));
	CHECK_LOG(&t, 0, 0, 1);
	touch(&t, 5, PAGES, 5);
	CHECK_LOG(&t, 5, PAGES, 5);
	tvm_close(&t);
}

/* Huge pages of the host: the log has single pages. */
static void huge_pages(void)
{
	const size_t size = 4 << 20;
	struct kvm_dirty_log l = { .slot = 1 };
	static uint64_t bits[16];
	uint8_t *p;
	struct tvm t;

	vm_new(&t);
	p = mmap(NULL, size + (2 << 20), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		 0);
	REQUIRE(p != MAP_FAILED);
	p = (uint8_t *)(((uintptr_t)p + (2 << 20) - 1) & -(2ul << 20));
	madvise(p, size, MADV_HUGEPAGE);
	memset(p, 0, size);
	REQUIRE_OK(tvm_set_slot(t.vm, 1, 0, BASE, size, p));
	GUEST_START(&t, PROT, g_touch);
	RUN_TO_OUT(&t, 0x10);
	touch(&t, 0, 1024, 1);
	REQUIRE_OK(tvm_set_slot(t.vm, 1, KVM_MEM_LOG_DIRTY_PAGES, BASE, size, p));
	touch(&t, 700, 702, 1);
	l.dirty_bitmap = bits;
	CHECK_OK(ioctl(t.vm, KVM_GET_DIRTY_LOG, &l));
	for (int i = 0; i < 16; i++)
		CHECK_EQ(bits[i], i == 700 / 64 ? 3ull << (700 % 64) : 0);
	/* more in one stay than a processor that notes them itself has room for, twice */
	for (int round = 0; round < 2; round++) {
		touch(&t, 0, 1024, 1);
		CHECK_OK(ioctl(t.vm, KVM_GET_DIRTY_LOG, &l));
		for (int i = 0; i < 16; i++)
			CHECK_EQ(bits[i], ~0ull);
	}
	tvm_close(&t);
}

/* What the VMM's own ioctls write into guest memory (here: the clock page) is logged, too. */
static void host_writes(void)
{
	struct tvm t;

	setup(&t, KVM_MEM_LOG_DIRTY_PAGES);
	CHECK_EQ(set_msr(&t, 0x4b564d00, BASE + 5 * 4096), 1);
	touch(&t, 9, 10, 1);
	CHECK_OK(get_log(&t, 1));
	CHECK_EQ(map[0], 1 << 5 | 1 << 9);
	tvm_close(&t);
}

TEST_MAIN(T(get), T(errors), T(flags_only), T(host_writes), T(huge_pages), T(need_manual),
	  T(manual), T(initially_set))
