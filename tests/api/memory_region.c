// SPDX-License-Identifier: GPL-2.0
/*
 * KVM_SET_USER_MEMORY_REGION: what is refused, and what the guest sees of slots that come, move,
 * change and go.
 */
#include "kvmtest.h"

#define P 4096ull
#define M (1ull << 20)

static uint8_t *host;

static void refused(void)
{
	const struct {
		const char *why;
		uint32_t slot, flags;
		uint64_t gpa, size, offset;
		int err;
	} c[] = {
		{ "size not in pages", 1, 0, 4 * M, P + 1, 0, EINVAL },
		{ "gpa not aligned", 1, 0, 4 * M + 1, P, 0, EINVAL },
		{ "host address not aligned", 1, 0, 4 * M, P, 1, EINVAL },
		{ "unknown flag", 1, 1u << 2, 4 * M, P, 0, EINVAL },
		{ "unknown flag", 1, 1u << 31, 4 * M, P, 0, EINVAL },
		{ "slot number", 32767, 0, 4 * M, P, 0, EINVAL },
		{ "address space", 2u << 16 | 1, 0, 4 * M, P, 0, EINVAL },
		{ "wraps around", 1, 0, -P, 2 * P, 0, EINVAL },
		{ "delete nothing", 1, 0, 0, 0, 0, EINVAL },
		{ "overlap, whole", 1, 0, 0, 2 * M, 0, EEXIST },
		{ "overlap, last page", 1, 0, 2 * M - P, 2 * P, 0, EEXIST },
		{ "overlap, inside", 1, 0, M, P, 0, EEXIST },
		{ "resize of a live slot", 0, 0, 0, M, 0, EINVAL },
	};
	struct tvm t;

	vm_new(&t);
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		errno = 0;
		if (tvm_set_slot(t.vm, c[i].slot, c[i].flags, c[i].gpa, c[i].size,
				 host + c[i].offset) == 0 ||
		    errno != c[i].err)
			FAIL("%s: %s, not %s", c[i].why, strerror(errno), strerror(c[i].err));
	}
	/* Kernel addresses are no guest memory. */
#ifdef __x86_64__
	CHECK_ERR(tvm_set_slot(t.vm, 1, 0, 4 * M, P, (void *)0xffff800000000000), EINVAL);
#endif
	CHECK_ERR(ioctl(t.vm, KVM_SET_USER_MEMORY_REGION, NULL), EFAULT);
	/* A live slot's host address can't change, nor READONLY. */
	CHECK_ERR(tvm_set_slot(t.vm, 0, 0, 0, 2 * M, host), EINVAL);
	CHECK_ERR(tvm_set_slot(t.vm, 0, KVM_MEM_READONLY, 0, 2 * M, t.mem), EINVAL);
	/* The same again is no change and succeeds. */
	CHECK_OK(tvm_set_slot(t.vm, 0, 0, 0, 2 * M, t.mem));
	tvm_close(&t);
}

static void slot_numbers(void)
{
	int n;
	struct tvm t;

	tvm_open(&t);
	n = has_cap(t.sys, KVM_CAP_NR_MEMSLOTS);
	CHECK_OK(tvm_set_slot(t.vm, n - 1, 0, 4 * M, P, host));
	CHECK_ERR(tvm_set_slot(t.vm, n, 0, 5 * M, P, host), EINVAL);
	CHECK_OK(tvm_set_slot(t.vm, n - 1, 0, 0, 0, NULL));
	/* Neighbours touch without overlapping. */
	CHECK_OK(tvm_set_slot(t.vm, 1, 0, 4 * M, M, host));
	CHECK_OK(tvm_set_slot(t.vm, 2, 0, 5 * M, M, host));
	CHECK_OK(tvm_set_slot(t.vm, 3, 0, 3 * M, M, host));
	CHECK_ERR(tvm_set_slot(t.vm, 4, 0, 3 * M + P, P, host), EEXIST);
	/* A slot that stands above and beyond 4 GiB. */
	CHECK_OK(tvm_set_slot(t.vm, 5, 0, 1ull << 36, M, host));
	tvm_close(&t);
}

static void many_slots(void)
{
	const int n = 500;
	struct tvm t;

	tvm_open(&t);
	for (int i = 0; i < n; i++)
		REQUIRE_OK(tvm_set_slot(t.vm, i, 0, 4 * M + 2 * i * P, P, host));
	for (int i = 0; i < n; i++)
		CHECK_ERR(tvm_set_slot(t.vm, n, 0, 4 * M + 2 * i * P, 2 * P, host), EEXIST);
	for (int i = 0; i < n; i += 2)
		CHECK_OK(tvm_set_slot(t.vm, i, 0, 0, 0, NULL));
	for (int i = 0; i < n; i += 2)
		CHECK_OK(tvm_set_slot(t.vm, i, 0, 4 * M + 2 * i * P, P, host));
	tvm_close(&t);
}

/* For ever: reads the byte at 4 MiB, shows it, writes back one more. */
GUEST(peek, 32, "1: mov 0x400000, %al; out %al, $0x10; inc %al; mov %al, 0x400000; jmp 1b");

static void add_delete_move(void)
{
	struct tvm t;

	vm_new(&t);
	GUEST_START(&t, PROT, peek);
	memset(host, 0, 2 * P);
	host[0] = 0x11;
	host[P] = 0x51;

	/* No slot: MMIO. */
	if (RUN_TO(&t, KVM_EXIT_MMIO)) {
		CHECK_EQ(t.run->mmio.phys_addr, 0x400000);
		CHECK_EQ(t.run->mmio.len, 1);
		CHECK_EQ(t.run->mmio.is_write, 0);
		t.run->mmio.data[0] = 0x77;
	}
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x77);
	/* Slot added: the write goes there. */
	CHECK_OK(tvm_set_slot(t.vm, 1, 0, 0x400000, P, host));
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x78);
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x79);
	CHECK_EQ(host[0], 0x79);
	/* Moved away: MMIO again; moved back: memory again. */
	CHECK_OK(tvm_set_slot(t.vm, 1, 0, 0x800000, P, host));
	RUN_TO(&t, KVM_EXIT_MMIO);
	CHECK_EQ(t.run->mmio.is_write, 1);
	CHECK_EQ(t.run->mmio.data[0], 0x7a);
	CHECK_OK(tvm_set_slot(t.vm, 1, 0, 0x400000, P, host));
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x79);
	/* Deleted and made again over other memory. */
	CHECK_OK(tvm_set_slot(t.vm, 1, 0, 0, 0, NULL));
	CHECK_OK(tvm_set_slot(t.vm, 1, 0, 0x400000, P, host + P));
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x7a);
	CHECK_EQ(host[P], 0x7a);
	CHECK_EQ(host[0], 0x79);
	tvm_close(&t);
}

static void read_only(void)
{
	struct tvm t;

	vm_new(&t);
	GUEST_START(&t, PROT, peek);
	host[0] = 0x21;
	REQUIRE_OK(tvm_set_slot(t.vm, 1, KVM_MEM_READONLY, 0x400000, P, host));
	/* Reads are memory; writes are MMIO and change nothing. */
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x21);
		if (RUN_TO(&t, KVM_EXIT_MMIO)) {
			CHECK_EQ(t.run->mmio.phys_addr, 0x400000);
			CHECK_EQ(t.run->mmio.is_write, 1);
			CHECK_EQ(t.run->mmio.data[0], 0x22);
		}
	}
	CHECK_EQ(host[0], 0x21);
	CHECK_ERR(tvm_set_slot(t.vm, 1, 0, 0x400000, P, host), EINVAL);
	CHECK_OK(tvm_set_slot(t.vm, 1, KVM_MEM_READONLY | KVM_MEM_LOG_DIRTY_PAGES, 0x400000, P,
			      host));
	tvm_close(&t);
}

/*
 * A page of the guest's own making: its entry for 4M, at PT, is changed and INVLPG tells so. Without nested paging
 * the new page may be mapped then and there; it has no more rights than after a fault.
 */
#define PT	0x9000
GUEST(remap, 64, "mov $0x400000, %ebx; 1: mov (%rbx), %al; out %al, $0x10; mov %rcx, 0x9000; invlpg (%rbx);"
		 "movb $0x22, (%rbx); jmp 1b");

static uint64_t remap_to(struct tvm *t, uint64_t entry)
{
	struct kvm_regs r = get_regs(t);

	r.rcx = entry;
	TVM_IOCTL(t->fd, KVM_SET_REGS, &r);
	return *(volatile uint64_t *)(t->mem + PT);
}

static void invlpg(void)
{
	struct tvm t;

	vm_new(&t);
	GUEST_START(&t, LONG, remap);
	host[0] = 0x21;
	REQUIRE_OK(tvm_set_slot(t.vm, 1, KVM_MEM_READONLY, 4 * M, P, host));
	/* present, writable, accessed; and dirty: 0x63 */
	*(uint64_t *)(t.mem + PT) = 0xa063;
	*(uint64_t *)(t.mem + TVM_PT + 2 * P + 16) = PT | 0x23;
	t.mem[0xa000] = 0x11;
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x11);
	for (int i = 0; i < 3; i++) {
		/* to the read-only slot: a write is MMIO */
		remap_to(&t, 4 * M | 0x63);
		if (RUN_TO(&t, KVM_EXIT_MMIO)) {
			CHECK_EQ(t.run->mmio.phys_addr, 4 * M);
			CHECK_EQ(t.run->mmio.is_write, 1);
		}
		CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x21);
		/* to memory, not dirty yet: the write makes it so */
		t.mem[0xb000] = 0x33;
		remap_to(&t, 0xb023);
		CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x22);
		CHECK_EQ(t.mem[0xb000], 0x22);
		CHECK_EQ(remap_to(&t, 0xb023), 0xb063);
		/* the same once more, so that it is mapped while its entry changes */
		CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x22);
		CHECK_EQ(remap_to(&t, 0), 0xb063);
	}
	CHECK_EQ(host[0], 0x21);
	tvm_close(&t);
}

/* The slot's memory follows what the process does with its own mapping. */
static void follows_the_host(void)
{
	uint8_t *page = tvm_alloc(P);
	struct tvm t;

	vm_new(&t);
	GUEST_START(&t, PROT, peek);
	page[0] = 1;
	REQUIRE_OK(tvm_set_slot(t.vm, 1, 0, 0x400000, P, page));
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 1);
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 2);
	/* Dropped and touched again: the same shared page. */
	CHECK_OK(madvise(page, P, MADV_DONTNEED));
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 3);
	/* Another page mapped over it. */
	page = mmap(page, P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		    0);
	REQUIRE(page != MAP_FAILED);
	page[0] = 0x40;
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 4);
	CHECK_EQ(page[0], 4);
	page[0] = 0x40;
	/* Private memory that is dropped is a new page. */
	CHECK_OK(madvise(page, P, MADV_DONTNEED));
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 5);
	CHECK_EQ(page[0], 5);
	/*
	 * Unmapped altogether: the run fails with EFAULT, and goes on when there is memory again.
	 */
	munmap(page, P);
	errno = 0;
	CHECK_ERR(tvm_run(&t), EFAULT);
	REQUIRE(mmap(page, P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		     0) == page);
	RUN_TO_OUT(&t, 0x10);
	munmap(page, P);
	tvm_close(&t);
}

/* Guest memory may be any mapping, a read-only one too: then a write is EFAULT. */
static void host_protection(void)
{
	uint8_t *page = tvm_alloc(P);
	struct tvm t;

	vm_new(&t);
	GUEST_START(&t, PROT, peek);
	page[0] = 9;
	CHECK_OK(mprotect(page, P, PROT_READ));
	REQUIRE_OK(tvm_set_slot(t.vm, 1, 0, 0x400000, P, page));
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 9);
	CHECK_ERR(tvm_run(&t), EFAULT);
	CHECK_OK(mprotect(page, P, PROT_READ | PROT_WRITE));
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 10);
	munmap(page, P);
	tvm_close(&t);
}

/* Code in a slot that is deleted. */
static void code_goes_away(void)
{
	struct tvm t;

	vm_new(&t);
	GUEST_START(&t, PROT, peek);
	REQUIRE_OK(tvm_set_slot(t.vm, 1, 0, 0x400000, P, host));
	RUN_TO(&t, KVM_EXIT_IO);
	CHECK_OK(tvm_set_slot(t.vm, 0, 0, 0, 0, NULL));
	if (RUN_TO(&t, KVM_EXIT_INTERNAL_ERROR))
		CHECK_EQ(t.run->internal.suberror, KVM_INTERNAL_ERROR_EMULATION);
	tvm_close(&t);
}

static void tss_and_identity_map(void)
{
	uint64_t at = 0xfeffc000;
	struct tvm t;
	int fd;

	tvm_open(&t);
	CHECK_OK(ioctl(t.vm, KVM_SET_TSS_ADDR, 0xfeffd000ul));
	CHECK_OK(ioctl(t.vm, KVM_SET_IDENTITY_MAP_ADDR, &at));
	CHECK_ERR(ioctl(t.vm, KVM_SET_IDENTITY_MAP_ADDR, NULL), EFAULT);
	/* Within three pages of 4 GiB there is no room for it. */
	CHECK_ERR(ioctl(t.vm, KVM_SET_TSS_ADDR, 0xfffff000ul), EINVAL);
	CHECK_OK(fd = ioctl(t.vm, KVM_CREATE_VCPU, 0));
	CHECK_ERR(ioctl(t.vm, KVM_SET_IDENTITY_MAP_ADDR, &at), EINVAL);
	close(fd);
	tvm_close(&t);
}

static void get_host_memory(void)
{
	host = tvm_alloc(4 * M);
}

TEST_MAIN(T(get_host_memory), T(refused), T(slot_numbers), T(many_slots), T(add_delete_move),
	  T(read_only), T(invlpg),
	  T(follows_the_host), T(host_protection), T(code_goes_away), T(tss_and_identity_map))
