// SPDX-License-Identifier: GPL-2.0
/* ioeventfd: a guest write that signals an eventfd instead of exiting. */
#include "kvmtest.h"

#define PIO KVM_IOEVENTFD_FLAG_PIO
#define MATCH KVM_IOEVENTFD_FLAG_DATAMATCH
#define DEASSIGN KVM_IOEVENTFD_FLAG_DEASSIGN

static int ioeventfd(struct tvm *t, int fd, uint64_t addr, uint32_t len, uint32_t flags,
		     uint64_t match)
{
	struct kvm_ioeventfd i = { .datamatch = match, .addr = addr, .len = len, .fd = fd,
		.flags = flags };

	return ioctl(t->vm, KVM_IOEVENTFD, &i);
}

static uint64_t count(int fd)
{
	uint64_t v = 0;

	return read(fd, &v, 8) == 8 ? v : 0;
}

static void errors(void)
{
	int e = eventfd(0, EFD_NONBLOCK), null = open("/dev/null", O_RDWR);
	struct tvm t;

	vm_new(&t);
	for (uint32_t len = 0; len < 12; len++) {
		bool good = len == 0 || len == 1 || len == 2 || len == 4 || len == 8;

		if (good) {
			CHECK_OK(ioeventfd(&t, e, 0x1000, len, 0, 0));
			CHECK_OK(ioeventfd(&t, e, 0x1000, len, DEASSIGN, 0));
		} else {
			CHECK_ERR(ioeventfd(&t, e, 0x1000, len, 0, 0), EINVAL);
		}
	}
	CHECK_ERR(ioeventfd(&t, e, -1ull, 4, 0, 0), EINVAL);
	CHECK_ERR(ioeventfd(&t, e, 0x1000, 4, 1u << 8, 0), EINVAL);
	CHECK_ERR(ioeventfd(&t, e, 0x1000, 0, MATCH, 0), EINVAL);
	CHECK_ERR(ioeventfd(&t, -1, 0x1000, 4, 0, 0), EBADF);
	CHECK_ERR(ioeventfd(&t, null, 0x1000, 4, 0, 0), EINVAL);
	CHECK_ERR(ioeventfd(&t, e, 0x1000, 4, DEASSIGN, 0), ENOENT);
	close(null);
	close(e);
	tvm_close(&t);
}

static void duplicates(void)
{
	int e = eventfd(0, EFD_NONBLOCK), f = eventfd(0, EFD_NONBLOCK);
	struct tvm t;

	vm_new(&t);
	CHECK_OK(ioeventfd(&t, e, 0x1000, 4, 0, 0));
	CHECK_ERR(ioeventfd(&t, e, 0x1000, 4, 0, 0), EEXIST);
	CHECK_ERR(ioeventfd(&t, f, 0x1000, 4, 0, 0), EEXIST);
	/*
	 * A wildcard collides with every value of the same address and length, and those with it.
	 */
	CHECK_ERR(ioeventfd(&t, f, 0x1000, 4, MATCH, 5), EEXIST);
	/* Another bus, another address. */
	CHECK_OK(ioeventfd(&t, f, 0x1000, 4, PIO, 0));
	CHECK_OK(ioeventfd(&t, f, 0x1004, 4, MATCH, 5));
	CHECK_OK(ioeventfd(&t, f, 0x1004, 4, MATCH, 6));
	CHECK_ERR(ioeventfd(&t, e, 0x1004, 4, MATCH, 6), EEXIST);
	CHECK_ERR(ioeventfd(&t, e, 0x1004, 4, 0, 0), EEXIST);
	/* Removing takes all of it to be the same. */
	CHECK_ERR(ioeventfd(&t, f, 0x1000, 4, DEASSIGN, 0), ENOENT);
	CHECK_ERR(ioeventfd(&t, e, 0x1000, 2, DEASSIGN, 0), ENOENT);
	CHECK_ERR(ioeventfd(&t, f, 0x1004, 4, DEASSIGN | MATCH, 7), ENOENT);
	CHECK_ERR(ioeventfd(&t, f, 0x1004, 4, DEASSIGN, 0), ENOENT);
	CHECK_OK(ioeventfd(&t, f, 0x1004, 4, DEASSIGN | MATCH, 6));
	CHECK_OK(ioeventfd(&t, e, 0x1000, 4, DEASSIGN, 0));
	CHECK_OK(ioeventfd(&t, e, 0x1000, 4, 0, 0));
	tvm_close(&t);
	close(e);
	close(f);
}

GUEST(g_pio, 16, "mov $7, %ax; out %al, $0x70; out %ax, $0x70; out %ax, $0x72; mov $8, %ax;"
		 "out %ax, $0x72;"
		 "in $0x70, %al; hlt");

static void pio(void)
{
	int b = eventfd(0, EFD_NONBLOCK), m = eventfd(0, EFD_NONBLOCK);
	struct tvm t;

	vm_new(&t);
	GUEST_START(&t, REAL, g_pio);
	CHECK_OK(ioeventfd(&t, b, 0x70, 1, PIO, 0));
	CHECK_OK(ioeventfd(&t, m, 0x72, 2, PIO | MATCH, 7));
	/* The byte went to b; the word at 0x70 is not of its length and exits. */
	CHECK_EQ(RUN_TO_OUT(&t, 0x70), 7);
	CHECK_EQ(t.run->io.size, 2);
	CHECK_EQ(count(b), 1);
	/* 7 matches, 8 exits. */
	CHECK_EQ(RUN_TO_OUT(&t, 0x72), 8);
	CHECK_EQ(count(m), 1);
	/* Reads exit. */
	RUN_TO(&t, KVM_EXIT_IO);
	CHECK_EQ(t.run->io.direction, KVM_EXIT_IO_IN);
	RUN_TO(&t, KVM_EXIT_HLT);
	CHECK_EQ(count(b), 0);
	tvm_close(&t);
	close(b);
	close(m);
}

GUEST(g_mmio, 64, "mov $0xd0000000, %rbx; mov $0x1122334455667788, %rax;"
		  "mov %al, (%rbx); mov %ax, (%rbx); mov %eax, (%rbx); mov %rax, (%rbx);"
		  "mov %al, 64(%rbx);"
		  "mov %al, (%rbx); mov %ax, (%rbx); mov %eax, (%rbx); mov %rax, (%rbx);"
		  "mov (%rbx), %al; hlt");

/* Length 0 takes a write of any length; each other only its own. */
static void mmio_lengths(void)
{
	int any = eventfd(0, EFD_NONBLOCK);
	struct tvm t;

	vm_new(&t);
	GUEST_START(&t, LONG, g_mmio);
	CHECK_EQ(has_cap(t.sys, KVM_CAP_IOEVENTFD_NO_LENGTH), 1);
	CHECK_OK(ioeventfd(&t, any, 0xd0000000, 0, 0, 0));
	RUN_TO(&t, KVM_EXIT_MMIO);
	CHECK_EQ(t.run->mmio.phys_addr, 0xd0000040);
	CHECK_EQ(count(any), 4);
	CHECK_OK(ioeventfd(&t, any, 0xd0000000, 0, DEASSIGN, 0));
	CHECK_OK(ioeventfd(&t, any, 0xd0000000, 8, MATCH, 0x1122334455667788));
	for (uint32_t len = 1; len < 8; len *= 2) {
		RUN_TO(&t, KVM_EXIT_MMIO);
		CHECK_EQ(t.run->mmio.len, len);
	}
	RUN_TO(&t, KVM_EXIT_MMIO);
	CHECK_EQ(t.run->mmio.is_write, 0);
	CHECK_EQ(count(any), 1);
	tvm_close(&t);
	close(any);
}

static void many(void)
{
	static int e[400];
	struct tvm t;

	vm_new(&t);
	for (size_t i = 0; i < ARRAY_SIZE(e); i++) {
		e[i] = eventfd(0, EFD_NONBLOCK);
		REQUIRE_OK(ioeventfd(&t, e[i], 0xd0000000 + 4 * i, 4, 0, 0));
	}
	for (size_t i = 0; i < ARRAY_SIZE(e); i += 3)
		CHECK_OK(ioeventfd(&t, e[i], 0xd0000000 + 4 * i, 4, DEASSIGN, 0));
	tvm_close(&t);
	for (size_t i = 0; i < ARRAY_SIZE(e); i++)
		close(e[i]);
}

GUEST(g_rep, 16, "cld; mov $0xf000, %si; mov $6, %cx; mov $0x300, %dx; rep outsb;"
		 "out %al, $0x10; hlt");

/* An eventfd for one value among the elements of a string: each byte arrives once, in one place. */
static void string_datamatch(void)
{
	static const char string[] = "xAAyAz";
	struct kvm_ioeventfd i = { .addr = 0x300, .len = 1, .datamatch = 'A', .fd = eventfd(0, EFD_NONBLOCK),
		.flags = KVM_IOEVENTFD_FLAG_PIO | KVM_IOEVENTFD_FLAG_DATAMATCH };
	char got[8] = "";
	uint64_t hits = 0;
	size_t n = 0;
	struct tvm t;

	vm_new(&t);
	CHECK_OK(ioctl(t.vm, KVM_IOEVENTFD, &i));
	GUEST_START(&t, REAL, g_rep);
	memcpy(t.mem + 0xf000, string, 6);
	while (RUN_TO(&t, KVM_EXIT_IO) && t.run->io.port == 0x300) {
		REQUIRE(n + t.run->io.count <= 6);
		memcpy(got + n, tvm_io_data(t.run), t.run->io.count);
		n += t.run->io.count;
	}
	CHECK_EQ(t.run->io.port, 0x10);
	if (strcmp(got, "xyz"))
		FAIL("userspace got \"%s\"", got);
	CHECK_EQ(read(i.fd, &hits, 8), 8);
	CHECK_EQ(hits, 3);
	CHECK_EQ(get_regs(&t).rcx, 0);
	CHECK_EQ(get_regs(&t).rsi, 0xf006);
	close(i.fd);
	tvm_close(&t);
}

TEST_MAIN(T(errors), T(duplicates), T(pio), T(mmio_lengths), T(many),
	  T(string_datamatch))
