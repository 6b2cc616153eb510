// SPDX-License-Identifier: GPL-2.0
/* KVM_GET_STATS_FD: the file explains itself, and its numbers move. */
#include "kvmtest.h"

GUEST(g_out, 16, "1: out %al, $0x10; jmp 1b");

struct stats {
	struct kvm_stats_header h;
	char id[64];
	size_t desc_size;
	uint8_t *desc;
};

static struct kvm_stats_desc *desc(struct stats *s, uint32_t i)
{
	return (void *)(s->desc + i * s->desc_size);
}

static void read_stats(int fd, struct stats *s)
{
	size_t len;

	REQUIRE(pread(fd, &s->h, sizeof(s->h), 0) == sizeof(s->h));
	REQUIRE(s->h.name_size <= sizeof(s->id) && s->h.num_desc > 0 && s->h.num_desc < 1000);
	REQUIRE(pread(fd, s->id, s->h.name_size, s->h.id_offset) == (ssize_t)s->h.name_size);
	s->desc_size = sizeof(struct kvm_stats_desc) + s->h.name_size;
	len = s->desc_size * s->h.num_desc;
	s->desc = malloc(len);
	REQUIRE(pread(fd, s->desc, len, s->h.desc_offset) == (ssize_t)len);
}

/* As the API says: aligned, not overlapping, known types, names that end, values where they should be. */
static void check_layout(int fd, struct stats *s)
{
	CHECK_EQ(s->h.flags, 0);
	CHECK_EQ(s->h.id_offset % 8 | s->h.desc_offset % 8 | s->h.data_offset % 8, 0);
	CHECK(s->h.id_offset >= sizeof(s->h));
	CHECK(s->h.desc_offset >= s->h.id_offset + s->h.name_size);
	CHECK(s->h.data_offset >= s->h.desc_offset + s->h.num_desc * s->desc_size);
	CHECK(memchr(s->id, 0, s->h.name_size));
	CHECK(s->id[0]);
	for (uint32_t i = 0; i < s->h.num_desc; i++) {
		struct kvm_stats_desc *d = desc(s, i);
		uint64_t v;

		CHECK((d->flags & KVM_STATS_TYPE_MASK) <= KVM_STATS_TYPE_MAX);
		CHECK((d->flags & KVM_STATS_UNIT_MASK) <= KVM_STATS_UNIT_MAX);
		CHECK((d->flags & KVM_STATS_BASE_MASK) <= KVM_STATS_BASE_MAX);
		CHECK(d->size >= 1 && d->offset % 8 == 0);
		CHECK(d->name[0] && memchr(d->name, 0, s->h.name_size));
		for (uint32_t j = 0; j < i; j++)
			CHECK(strcmp(d->name, desc(s, j)->name));
		CHECK_EQ(pread(fd, &v, 8, s->h.data_offset + d->offset), 8);
	}
}

static uint64_t value(int fd, struct stats *s, const char *name)
{
	uint64_t v = 0;

	for (uint32_t i = 0; i < s->h.num_desc; i++) {
		if (strcmp(desc(s, i)->name, name))
			continue;
		CHECK_EQ(pread(fd, &v, 8, s->h.data_offset + desc(s, i)->offset), 8);
		return v;
	}
	FAIL("no statistic %s", name);
	return 0;
}

static void vcpu_numbers(void)
{
	struct stats s;
	struct tvm t;
	uint64_t a, b;
	int fd;

	vm_new(&t);
	GUEST_START(&t, REAL, g_out);
	fd = ioctl(t.fd, KVM_GET_STATS_FD, 0);
	REQUIRE_OK(fd);
	read_stats(fd, &s);
	check_layout(fd, &s);
	RUN_TO_OUT(&t, 0x10);
	a = value(fd, &s, "exits");
	for (int i = 0; i < 10; i++)
		RUN_TO_OUT(&t, 0x10);
	b = value(fd, &s, "exits");
	CHECK(b >= a + 10);
	CHECK(value(fd, &s, "io_exits") >= 10);
	/* Beyond the end there is nothing. */
	CHECK_EQ(pread(fd, &a, 8, 1 << 20), 0);
	CHECK_ERR(write(fd, &a, 8), EBADF);
	close(fd);
	tvm_close(&t);
}

static void vm_numbers(void)
{
	struct stats s;
	struct tvm t;
	int fd;

	vm_new(&t);
	GUEST_START(&t, REAL, g_out);
	RUN_TO_OUT(&t, 0x10);
	fd = ioctl(t.vm, KVM_GET_STATS_FD, 0);
	REQUIRE_OK(fd);
	read_stats(fd, &s);
	check_layout(fd, &s);
	CHECK(value(fd, &s, "pages_4k") + value(fd, &s, "pages_2m") > 0);
	/* read() goes on where the last one stopped. */
	CHECK_EQ(read(fd, &s.h, sizeof(s.h)), sizeof(s.h));
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), sizeof(s.h));
	close(fd);
	tvm_close(&t);
}

/* The statistics outlive all other descriptors. */
static void keeps_the_vm(void)
{
	struct stats s;
	struct tvm t;
	int vm, cpu;

	vm_new(&t);
	vm = ioctl(t.vm, KVM_GET_STATS_FD, 0);
	cpu = ioctl(t.fd, KVM_GET_STATS_FD, 0);
	tvm_close(&t);
	read_stats(vm, &s);
	read_stats(cpu, &s);
	value(cpu, &s, "exits");
	close(vm);
	close(cpu);
}

/* ---- shadow paging ---------------------------------------------------------------- */

#define P 4096ull
#define M (1ull << 20)
#define GPA (64 * M)		/* of slot 1 */
#define SIZE (64 * M)
#define VA (4ull << 30)		/* what the page directory at GPA maps */
#define ALIASES 100
#define TABLES 400
#define APART 40		/* pages */

/* Read the first word of rcx pages, rdx bytes apart, from rsi on. */
GUEST(g_look, 64, "1: mov (%rsi), %rax; add %rdx, %rsi; loop 1b; out %eax, $0x10");

static bool nested_paging(void)
{
	FILE *f = fopen("/sys/module/kvm_amd/parameters/npt", "r");
	int c;

	if (!f)
		f = fopen("/sys/module/kvm_intel/parameters/ept", "r");
	REQUIRE(f);
	c = fgetc(f);
	fclose(f);
	return c == 'Y' || c == '1';
}

static void look(struct tvm *t, uint64_t va, uint64_t step, unsigned int n)
{
	struct kvm_regs r = { .rip = TVM_CODE, .rsp = TVM_STACK, .rflags = 2, .rsi = va, .rcx = n, .rdx = step };

	TVM_IOCTL(t->fd, KVM_SET_REGS, &r);
	RUN_TO_OUT(t, 0x10);
}

/* What one frame is mapped by, and how far a table is from where its hash says. */
static void shadow_peaks(void)
{
	uint64_t *pdpt, *pd, *pt, size, collisions;
	unsigned int seed = 1;
	struct tvm t;
	uint8_t *mem;
	int fd;

	if (nested_paging())
		SKIP_REST("no shadow paging");
	vm_new(&t);
	mem = tvm_alloc(SIZE);
	REQUIRE_OK(tvm_set_slot(t.vm, 1, 0, GPA, SIZE, mem));
	fd = TVM_IOCTL(t.vm, KVM_GET_STATS_FD, 0);
	GUEST_START(&t, LONG, g_look);
	pdpt = (uint64_t *)(t.mem + TVM_PT + P);
	pdpt[VA >> 30] = GPA | 7;
	pd = (uint64_t *)mem;
	pd[0] = (GPA + P) | 7;
	pt = (uint64_t *)(mem + P);
	for (int i = 0; i < ALIASES; i++)
		pt[i] = (GPA + SIZE - P) | 7;

	look(&t, VA, P, ALIASES - 1);
	/* The 6.1 kernel's own module counts those that the last one found there. */
	size = get_stat(fd, "max_mmu_rmap_size");
	CHECK(size == ALIASES - 1 || size == ALIASES - 2);
	look(&t, VA, P, ALIASES);
	CHECK_EQ(get_stat(fd, "max_mmu_rmap_size"), size + 1);
	/* The mappings go, what was stays noted. */
	REQUIRE_OK(madvise(mem + SIZE - P, P, MADV_DONTNEED));
	look(&t, VA, P, 1);
	CHECK_EQ(get_stat(fd, "max_mmu_rmap_size"), size + 1);

	/*
	 * So many tables that some meet in a bucket, if there are not very many buckets and the frames have no
	 * order: a multiplicative hash spreads those of even distance evenly.
	 */
	for (int i = 0; i < TABLES; i++) {
		uint64_t at = (2 + i * APART + rand_r(&seed) % APART) * P;

		pd[1 + i] = (GPA + at) | 7;
		*(uint64_t *)(mem + at) = (GPA + SIZE - P) | 7;
	}
	look(&t, VA + 2 * M, 2 * M, TABLES);
	collisions = get_stat(fd, "max_mmu_page_hash_collisions");
	CHECK(collisions >= 1 && collisions < TABLES);
	close(fd);
	tvm_close(&t);
}

TEST_MAIN(T(vcpu_numbers), T(vm_numbers), T(keeps_the_vm), T(shadow_peaks))
