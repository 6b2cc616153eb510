// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory is ordinary memory of the VMM: whatever the VMM and the host's memory manager do with it (drop, remap, protect,
 * fork, swap large pages for small ones), the guest sees at its next access, and what can't be accessed is EFAULT from KVM_RUN.
 */
#define _GNU_SOURCE
#include <sched.h>
#include "kvmtest.h"

#define P 4096ull
#define M (1ull << 20)
#define GPA (64 * M)		/* of the memory under test, slot 1 */
#define SIZE (8 * M)

GUEST(rd, 64, "mov (%rsi), %rax; out %eax, $0x40");
GUEST(wr, 64, "mov %rdi, (%rsi); out %eax, $0x41");
/* Count in the first word of rcx pages from rsi on, rdx times. */
GUEST(count, 64,
      "1: mov %rsi, %rbx; mov %rcx, %rbp\n"
      "2: incq (%rbx); add $4096, %rbx; dec %rbp; jnz 2b\n"
      "dec %rdx; jnz 1b\n"
      "out %eax, $0x42");

static uint8_t *mem;

/* 2M-aligned private memory, nothing in it yet. */
static uint8_t *private_memory(void)
{
	uint8_t *p = mmap(NULL, SIZE + 2 * M, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	REQUIRE(p != MAP_FAILED);
	return p + (-tvm_ptr(p) & (2 * M - 1));
}

static void vm_with(struct tvm *t, uint8_t *p, uint32_t flags)
{
	mem = p;
	vm_new(t);
	REQUIRE_OK(tvm_set_slot(t->vm, 1, flags, GPA, SIZE, mem));
	tvm_long(t);
}

static void prepare(struct tvm *t, const uint8_t *code, size_t len, uint64_t off, uint64_t val)
{
	struct kvm_regs r = { .rip = TVM_CODE, .rsp = TVM_STACK, .rflags = 2, .rsi = GPA + off, .rdi = val };

	memcpy(t->mem + TVM_CODE, code, len);
	TVM_IOCTL(t->fd, KVM_SET_REGS, &r);
}

#define PREPARE(t, code, off, val) prepare(t, code, code##_end - code, off, val)

/* What the guest reads at @off; the low half. */
static uint32_t guest_read(struct tvm *t, uint64_t off)
{
	PREPARE(t, rd, off, 0);
	return RUN_TO_OUT(t, 0x40);
}

static void guest_write(struct tvm *t, uint64_t off, uint64_t val)
{
	PREPARE(t, wr, off, val);
	RUN_TO_OUT(t, 0x41);
}

static uint32_t host_read(uint64_t off)
{
	return *(volatile uint32_t *)(mem + off);
}

static uint64_t stat_of(struct tvm *t, const char *name)
{
	struct kvm_stats_header h;
	struct kvm_stats_desc *d = NULL;
	int fd = TVM_IOCTL(t->vm, KVM_GET_STATS_FD, 0);
	size_t size;
	uint64_t val = ~0ull;

	REQUIRE(pread(fd, &h, sizeof(h), 0) == sizeof(h));
	size = sizeof(*d) + h.name_size;
	d = malloc(size);
	for (uint32_t i = 0; i < h.num_desc; i++) {
		REQUIRE(pread(fd, d, size, h.desc_offset + i * size) == (ssize_t)size);
		if (!strcmp(d->name, name))
			REQUIRE(pread(fd, &val, 8, h.data_offset + d->offset) == 8);
	}
	free(d);
	close(fd);
	return val;
}

static void dropped(void)
{
	struct tvm t;

	vm_with(&t, private_memory(), 0);
	guest_write(&t, 0, 0x1111);
	guest_write(&t, P, 0x2222);
	CHECK_EQ(host_read(0), 0x1111);
	CHECK_OK(madvise(mem, P, MADV_DONTNEED));
	CHECK_EQ(guest_read(&t, 0), 0);
	CHECK_EQ(guest_read(&t, P), 0x2222);
	guest_write(&t, 0, 0x3333);
	CHECK_EQ(host_read(0), 0x3333);
	tvm_close(&t);
}

static void replaced(void)
{
	struct tvm t;

	vm_with(&t, private_memory(), 0);
	guest_write(&t, 5 * P, 0x1111);
	REQUIRE(mmap(mem + 5 * P, P, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
		MAP_FAILED);
	mem[5 * P] = 0x77;
	CHECK_EQ(guest_read(&t, 5 * P), 0x77);
	/* moved elsewhere: the old page goes with it */
	REQUIRE(mremap(mem + 5 * P, P, P, MREMAP_MAYMOVE | MREMAP_FIXED, mem + 6 * P) == mem + 6 * P);
	CHECK_EQ(guest_read(&t, 6 * P), 0x77);
	PREPARE(&t, rd, 5 * P, 0);
	CHECK_ERR(tvm_run(&t), EFAULT);
	tvm_close(&t);
}

static void protected(void)
{
	struct tvm t;

	vm_with(&t, private_memory(), 0);
	guest_write(&t, 0, 0x1111);
	CHECK_OK(mprotect(mem, P, PROT_NONE));
	PREPARE(&t, rd, 0, 0);
	CHECK_ERR(tvm_run(&t), EFAULT);
	CHECK_ERR(tvm_run(&t), EFAULT);		/* it stays so, and the guest stays where it is */
	CHECK_OK(mprotect(mem, P, PROT_READ));
	CHECK_EQ(RUN_TO_OUT(&t, 0x40), 0x1111);
	PREPARE(&t, wr, 0, 0x2222);
	CHECK_ERR(tvm_run(&t), EFAULT);
	CHECK_EQ(host_read(0), 0x1111);
	CHECK_OK(mprotect(mem, P, PROT_READ | PROT_WRITE));
	RUN_TO_OUT(&t, 0x41);
	CHECK_EQ(host_read(0), 0x2222);
	CHECK_EQ(guest_read(&t, 0), 0x2222);
	tvm_close(&t);
}

/* After fork() parent and child each have their own copy; the guest belongs to the parent. */
static void forked(void)
{
	struct tvm t;
	int pipes[2], status;
	char c;
	pid_t pid;

	vm_with(&t, private_memory(), 0);
	guest_write(&t, 0, 0x1111);
	guest_write(&t, P, 0x1111);
	REQUIRE_OK(pipe(pipes));
	pid = fork();
	REQUIRE(pid >= 0);
	if (!pid) {
		if (read(pipes[0], &c, 1) != 1)
			_exit(2);
		_exit(host_read(0) == 0x1111 && host_read(P) == 0x1111 ? 0 : 1);
	}
	guest_write(&t, 0, 0x2222);		/* through an entry that was writable before */
	mem[P] = 0x33;
	CHECK_EQ(guest_read(&t, 0), 0x2222);
	CHECK_EQ(guest_read(&t, P), 0x1133);
	CHECK_EQ(host_read(0), 0x2222);
	REQUIRE(write(pipes[1], "", 1) == 1);
	REQUIRE(waitpid(pid, &status, 0) == pid);
	CHECK_EQ(status, 0);
	close(pipes[0]);
	close(pipes[1]);
	tvm_close(&t);
}

/* A read maps what the host has (its zero page); the write that follows gets a page of its own. */
static void zero_page(void)
{
	struct tvm t;

	vm_with(&t, private_memory(), 0);
	CHECK_EQ(guest_read(&t, 0), 0);
	CHECK_EQ(guest_read(&t, P), 0);
	guest_write(&t, 0, 0x1111);
	CHECK_EQ(guest_read(&t, 0), 0x1111);
	CHECK_EQ(host_read(0), 0x1111);
	CHECK_EQ(guest_read(&t, P), 0);
	mem[P] = 0x22;				/* and when it is the host who writes first */
	CHECK_EQ(guest_read(&t, P), 0x22);
	tvm_close(&t);
}

static void read_only(void)
{
	struct tvm t;

	vm_with(&t, private_memory(), KVM_MEM_READONLY);
	mem[0] = 0x11;
	CHECK_EQ(guest_read(&t, 0), 0x11);
	PREPARE(&t, wr, 0, 0x22);
	if (RUN_TO(&t, KVM_EXIT_MMIO)) {
		CHECK_EQ(t.run->mmio.phys_addr, GPA);
		CHECK_EQ(t.run->mmio.is_write, 1);
		CHECK_EQ(t.run->mmio.data[0], 0x22);
	}
	RUN_TO_OUT(&t, 0x41);
	CHECK_EQ(host_read(0), 0x11);
	mem[0] = 0x33;
	CHECK_EQ(guest_read(&t, 0), 0x33);
	tvm_close(&t);
}

/*
 * Page tables in memory that the processor can't write: it has to do without accessed bits. The 6.1 kernel's own module for AMD
 * takes the address of the table entry for that of the operand here, and fails.
 */
static void tables_in_rom(void)
{
	struct kvm_sregs s;
	uint64_t *pml4;
	struct tvm t;

	vm_with(&t, private_memory(), KVM_MEM_READONLY);
	memcpy(mem, t.mem + TVM_PT, 6 * P);
	pml4 = (uint64_t *)mem;
	pml4[0] = (GPA + P) | 7;
	for (int i = 0; i < 4; i++)
		pml4[512 + i] = (GPA + (2 + i) * P) | 7;
	for (int i = 0; i < 2048; i++)
		pml4[1024 + i] &= ~0x60ull;
	mem[7 * P] = 0x55;
	s = get_sregs(&t);
	s.cr3 = GPA;
	TVM_IOCTL(t.fd, KVM_SET_SREGS, &s);
	CHECK_EQ(guest_read(&t, 7 * P), 0x55);
	CHECK_EQ(pml4[0], (GPA + P) | 7);
	tvm_close(&t);
}

/* Memory comes and goes at an address where the guest looked before. */
static void mmio_and_memory(void)
{
	struct tvm t;

	vm_with(&t, private_memory(), 0);
	for (int i = 1; i < 20; i++) {
		mem[0] = i;
		CHECK_EQ(guest_read(&t, 0), i);
		REQUIRE_OK(tvm_set_slot(t.vm, 1, 0, GPA, 0, mem));
		for (int n = 0; n < 3; n++) {
			PREPARE(&t, rd, 0, 0);
			if (!RUN_TO(&t, KVM_EXIT_MMIO))
				return;
			CHECK_EQ(t.run->mmio.phys_addr, GPA);
			memset(t.run->mmio.data, 0x99, 8);
			CHECK_EQ(RUN_TO_OUT(&t, 0x40), 0x99999999);
		}
		/* the neighbour of the page that was looked at, too */
		REQUIRE_OK(tvm_set_slot(t.vm, 1, 0, GPA, SIZE, mem));
	}
	tvm_close(&t);
}

/* Zero until the host gave the guest a large page, then with some luck more. */
static void large_pages(void)
{
	uint8_t *p = private_memory();
	struct tvm t;

	REQUIRE_OK(madvise(p, SIZE, MADV_HUGEPAGE));
	vm_with(&t, p, 0);
	CHECK_EQ(stat_of(&t, "pages_2m"), 0);
	for (uint64_t off = 0; off < SIZE; off += 2 * M)
		guest_write(&t, off + 3 * P, 0x1000 + off / M);
	if (!stat_of(&t, "pages_2m")) {
		tvm_close(&t);
		SKIP_REST("the host gave no large page");
	}
	CHECK_EQ(guest_read(&t, 2 * M + 3 * P), 0x1002);
	mem[2 * M + 9 * P] = 0x44;
	CHECK_EQ(guest_read(&t, 2 * M + 9 * P), 0x44);
	/* one small page out of a large one */
	REQUIRE_OK(madvise(mem + 2 * M + 9 * P, P, MADV_DONTNEED));
	CHECK_EQ(guest_read(&t, 2 * M + 9 * P), 0);
	CHECK_EQ(guest_read(&t, 2 * M + 3 * P), 0x1002);
	tvm_close(&t);
}

/* The log is exact to 4K whatever the size of the pages when it was switched on, and they come back when it is off. */
static void large_pages_logged(void)
{
	static uint64_t log[SIZE / P / 64];
	struct kvm_dirty_log get = { .slot = 1, .dirty_bitmap = log };
	uint8_t *p = private_memory();
	uint64_t large;
	struct tvm t;

	REQUIRE_OK(madvise(p, SIZE, MADV_HUGEPAGE));
	vm_with(&t, p, 0);
	for (uint64_t off = 0; off < SIZE; off += 2 * M)
		guest_write(&t, off, 1);
	large = stat_of(&t, "pages_2m");
	REQUIRE_OK(tvm_set_slot(t.vm, 1, KVM_MEM_LOG_DIRTY_PAGES, GPA, SIZE, mem));
	for (int round = 0; round < 3; round++) {
		guest_write(&t, 2 * M + (5 + round) * P, 2);
		guest_write(&t, 4 * M + 511 * P, 2);
		CHECK_EQ(guest_read(&t, 0), 1);
		REQUIRE_OK(ioctl(t.vm, KVM_GET_DIRTY_LOG, &get));
		for (unsigned int i = 0; i < SIZE / P; i++)
			CHECK_EQ(log[i / 64] >> (i % 64) & 1, i == 512 + 5u + round || i == 1024 + 511);
	}
	CHECK_EQ(guest_read(&t, 2 * M + 5 * P), 2);
	REQUIRE_OK(tvm_set_slot(t.vm, 1, 0, GPA, SIZE, mem));
	for (uint64_t off = 0; off < SIZE; off += 2 * M)
		guest_write(&t, off + 7 * P, 3);
	CHECK_EQ(stat_of(&t, "pages_2m"), large);
	CHECK_EQ(guest_read(&t, 2 * M + 6 * P), 2);
	CHECK_EQ(guest_read(&t, 4 * M + 511 * P), 2);
	tvm_close(&t);
}

/* ---- everything at once ------------------------------------------------------------- */

#define PAGES 256
#define ROUNDS 300
#define TURNS 100

static volatile bool done;
static volatile unsigned int turns;
static int advice;

static void *disturb(void *arg)
{
	struct tvm *t = arg;
	unsigned int seed = 3;

	while (!done) {
		uint64_t first = rand_r(&seed) % PAGES, len = 1 + rand_r(&seed) % (PAGES - first);
		unsigned int n = turns + 1;

		madvise(mem + first * P, len * P, advice);
		if (n % 8 == 0)
			tvm_set_slot(t->vm, 1, n % 16 ? 0 : KVM_MEM_LOG_DIRTY_PAGES, GPA, SIZE, mem);
		if (n % 5 == 0) {
			mprotect(mem + first * P, len * P, PROT_READ);
			mprotect(mem + first * P, len * P, PROT_READ | PROT_WRITE);
		}
		turns = n;
		usleep(1000 * test_patience(1));	/* the guest has to get somewhere meanwhile */
	}
	return NULL;
}

/* Pages that the host has written to swap. */
static uint64_t swap_writes(void)
{
	FILE *f = fopen("/proc/vmstat", "r");
	unsigned long long n, found = ~0ull;
	char word[64];

	REQUIRE(f);
	while (fscanf(f, "%63s %llu", word, &n) == 2)
		if (!strcmp(word, "pswpout"))
			found = n;
	fclose(f);
	REQUIRE(found != ~0ull);	/* a kernel without CONFIG_VM_EVENT_COUNTERS */
	return found;
}

/*
 * The guest counts ROUNDS again and again: one time may be over before the other thread has begun, and pages that are in use go to
 * swap as the host likes, so it goes on until enough of them went.
 */
static void count_disturbed(uint8_t *p, int how)
{
	unsigned long efaults = 0, wrong = 0, times = 0;
	uint64_t out = swap_writes();
	pthread_t thread;
	struct kvm_regs r;
	struct tvm t;
	bool ended;
	int ret;

	vm_with(&t, p, 0);
	advice = how;
	done = false;
	turns = 0;
	REQUIRE(!pthread_create(&thread, NULL, disturb, &t));
	do {
		PREPARE(&t, count, 0, 0);
		r = get_regs(&t);
		r.rcx = PAGES;
		r.rdx = ROUNDS;
		TVM_IOCTL(t.fd, KVM_SET_REGS, &r);
		while ((ret = tvm_run(&t)) < 0 && (errno == EFAULT || errno == EINTR))
			efaults += errno == EFAULT;
		ended = CHECK_OK(ret) && CHECK_EQ(t.run->exit_reason, KVM_EXIT_IO);
		times++;
	} while (ended && (turns < TURNS || (how == MADV_PAGEOUT && swap_writes() - out < PAGES)));
	done = true;
	pthread_join(thread, NULL);
	for (int i = 0; i < PAGES; i++)
		wrong += *(uint64_t *)(mem + i * P) != ROUNDS * times;
	CHECK_EQ(wrong, 0);
	printf("counted %lu times, %u turns, %lu times EFAULT on the way\n", times, turns, efaults);
	tvm_close(&t);
}

/* No count is lost while the memory is taken away, protected and logged all the time. */
static void disturbed(void)
{
	/* Shared memory: what is dropped is only the mapping. */
	count_disturbed(tvm_alloc(SIZE), MADV_DONTNEED);
}

static bool have_swap(void)
{
	char line[256];
	FILE *f = fopen("/proc/swaps", "r");
	bool some;

	REQUIRE(f);
	some = fgets(line, sizeof(line), f) && fgets(line, sizeof(line), f);	/* the first is the heading */
	fclose(f);
	return some;
}

/* How many of these pages the process has in its tables. */
static int mapped_pages(const uint8_t *p, int n)
{
	int fd = open("/proc/self/pagemap", O_RDONLY), found = 0;
	uint64_t e;

	REQUIRE(fd >= 0);
	for (int i = 0; i < n; i++) {
		REQUIRE(pread(fd, &e, 8, (tvm_ptr(p) / P + i) * 8) == 8);
		found += e >> 63;
	}
	close(fd);
	return found;
}

/*
 * The host takes these pages back. It first gathers new ones in a list of the CPU that brought them in, out of its own reach;
 * madvise() empties that of the CPU on which it runs, so it has to run on each. Besides, one call may only find that the
 * pages were in use.
 */
static void take_pages(int n)
{
	int ncpus = sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t before, one;

	REQUIRE_OK(sched_getaffinity(0, sizeof(before), &before));
	for (int i = 0; i < 10 * ncpus && mapped_pages(mem, n); i++) {
		CPU_ZERO(&one);
		CPU_SET(i % ncpus, &one);
		REQUIRE_OK(sched_setaffinity(0, sizeof(one), &one));
		REQUIRE_OK(madvise(mem, n * P, MADV_PAGEOUT));
	}
	REQUIRE_OK(sched_setaffinity(0, sizeof(before), &before));
	CHECK_EQ(mapped_pages(mem, n), 0);
}

/* The same with private memory that goes to swap: a page whose write nobody noticed would come back old. */
static void swapped(void)
{
	if (!have_swap())
		SKIP_REST("the host has no swap");
	count_disturbed(private_memory(), MADV_PAGEOUT);
}

static void write_pages(struct tvm *t, int n, uint32_t val)
{
	for (int i = 0; i < n; i++)
		guest_write(t, i * P, val | i);
}

static void check_pages(struct tvm *t, int n, uint32_t val)
{
	int wrong = 0;

	for (int i = 0; i < n; i++)
		wrong += guest_read(t, i * P) != (val | i);
	CHECK_EQ(wrong, 0);
}

/* Out, in by a read, written, and so on. */
static void swapped_after_read(void)
{
	struct tvm t;

	if (!have_swap())
		SKIP_REST("the host has no swap");
	vm_with(&t, private_memory(), 0);
	for (int round = 1; round < 6; round++) {
		write_pages(&t, 64, round << 8);
		take_pages(64);
		check_pages(&t, 64, round << 8);
	}
	tvm_close(&t);
}

/*
 * The host lets processes write to shared memory that they have only read so far. If the guest does, the host's own tables
 * know nothing of it, nor if the VM is gone by the time that the host wants the pages: one that nobody wrote to is
 * dropped as it is and comes back empty.
 */
static void shared_after_read(void)
{
	struct tvm t;
	int wrong;

	if (!have_swap())
		SKIP_REST("the host has no swap");
	for (int gone = 0; gone < 2; gone++) {
		vm_with(&t, tvm_alloc(SIZE), 0);
		for (int i = 0; i < 64; i++)
			CHECK_EQ(guest_read(&t, i * P), 0);
		write_pages(&t, 64, 0x500);
		if (gone)
			tvm_close(&t);
		take_pages(64);
		if (!gone)
			check_pages(&t, 64, 0x500);
		wrong = 0;
		for (int i = 0; i < 64; i++)
			wrong += host_read(i * P) != (0x500u | i);
		CHECK_EQ(wrong, 0);
		if (!gone)
			tvm_close(&t);
		munmap(mem, SIZE);
	}
}

/* What was given up may go, but not what was written since. */
static void freed_after_read(void)
{
	struct tvm t;

	if (!have_swap())
		SKIP_REST("the host has no swap");
	vm_with(&t, private_memory(), 0);
	write_pages(&t, 64, 0x100);
	REQUIRE_OK(madvise(mem, 64 * P, MADV_FREE));
	check_pages(&t, 64, 0x100);		/* not yet gone: nobody wants them */
	write_pages(&t, 64, 0x200);
	take_pages(64);
	check_pages(&t, 64, 0x200);
	tvm_close(&t);
}

/*
 * A page that the host had ready, beside one that the guest has used, may be mapped together with that: the host does as it
 * likes with it all the same.
 */
static void neighbours(void)
{
	uint64_t dirty[SIZE / P / 64] = { 0 };
	struct kvm_dirty_log log = { .slot = 1, .dirty_bitmap = dirty };
	struct tvm t;

	vm_with(&t, private_memory(), 0);
	REQUIRE_OK(madvise(mem, SIZE, MADV_NOHUGEPAGE));
	for (int i = 0; i < 32; i++)
		*(uint32_t *)(mem + i * P) = 0x100 + i;
	CHECK_EQ(guest_read(&t, 0), 0x100);
	CHECK_EQ(guest_read(&t, 3 * P), 0x103);
	guest_write(&t, 4 * P, 0x204);
	CHECK_EQ(host_read(4 * P), 0x204);
	REQUIRE_OK(madvise(mem + 5 * P, P, MADV_DONTNEED));
	CHECK_EQ(guest_read(&t, 5 * P), 0);
	CHECK_OK(mprotect(mem + 6 * P, P, PROT_READ));
	PREPARE(&t, wr, 6 * P, 1);
	CHECK_ERR(tvm_run(&t), EFAULT);
	CHECK_EQ(guest_read(&t, 6 * P), 0x106);
	REQUIRE_OK(tvm_set_slot(t.vm, 1, KVM_MEM_LOG_DIRTY_PAGES, GPA, SIZE, mem));
	guest_write(&t, 7 * P, 0x207);
	CHECK_EQ(guest_read(&t, 8 * P), 0x108);
	CHECK_OK(ioctl(t.vm, KVM_GET_DIRTY_LOG, &log));
	CHECK_EQ(dirty[0], 1 << 7);
	CHECK_EQ(guest_read(&t, 31 * P), 0x11f);
	tvm_close(&t);
}

/* ... and what the guest writes there without an exit is not lost when the host takes the page. */
static void neighbours_swapped(void)
{
	struct tvm t;

	if (!have_swap())
		SKIP_REST("the host has no swap");
	vm_with(&t, private_memory(), 0);
	REQUIRE_OK(madvise(mem, SIZE, MADV_NOHUGEPAGE));
	memset(mem, 1, 64 * P);
	take_pages(64);
	for (int i = 0; i < 64; i++)
		CHECK_EQ(host_read(i * P), 0x01010101);
	CHECK_EQ(guest_read(&t, 0), 0x01010101);
	write_pages(&t, 64, 0x600);
	take_pages(64);
	check_pages(&t, 64, 0x600);
	tvm_close(&t);
}

TEST_MAIN(T(dropped), T(replaced), T(protected), T(forked), T(zero_page), T(read_only), T(tables_in_rom), T(mmio_and_memory),
	  T(large_pages), T(large_pages_logged), T(disturbed),
	  T(swapped), T(swapped_after_read), T(shared_after_read), T(freed_after_read),
	  T(neighbours), T(neighbours_swapped))
