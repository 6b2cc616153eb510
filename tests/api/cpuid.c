// SPDX-License-Identifier: GPL-2.0
/* CPUID: what is supported, what a vCPU is given, what its guest reads. */
#include "kvmtest.h"

static struct kvm_cpuid2 *list(uint32_t nent)
{
	struct kvm_cpuid2 *c = calloc(1, sizeof(*c) + nent * sizeof(c->entries[0]));

	c->nent = nent;
	return c;
}

static void supported(void)
{
	struct kvm_cpuid2 *c = list(TVM_CPUID_MAX), *small, *again;
	struct kvm_cpuid_entry2 *e;
	uint32_t n;
	struct tvm t;

	tvm_open(&t);
	REQUIRE_OK(ioctl(t.sys, KVM_GET_SUPPORTED_CPUID, c));
	n = c->nent;
	CHECK(n > 10 && n < 80);	/* kvmtool and others give room for 80 or 100 */
	/* Too little room: E2BIG. As much as needed: fine. */
	for (uint32_t i = 0; i < n; i += n / 4) {
		small = list(i);
		CHECK_ERR(ioctl(t.sys, KVM_GET_SUPPORTED_CPUID, small), E2BIG);
		free(small);
	}
	again = list(n);
	CHECK_OK(ioctl(t.sys, KVM_GET_SUPPORTED_CPUID, again));
	CHECK_EQ(again->nent, n);
	/* Stable but for the APIC ids of the CPU that it was asked on. */
	for (uint32_t i = 0; i < n; i++) {
		if (c->entries[i].function == 1 || c->entries[i].function == 0xb ||
		    c->entries[i].function == 0x8000001e)
			continue;
		if (memcmp(&c->entries[i], &again->entries[i], sizeof(c->entries[0])))
			FAIL("leaf %#x.%u changes", c->entries[i].function, c->entries[i].index);
	}
	/* No leaf twice. */
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t j = i + 1; j < n; j++)
			if (c->entries[i].function == c->entries[j].function &&
			    c->entries[i].index == c->entries[j].index)
				FAIL("leaf %#x.%u twice", c->entries[i].function,
				     c->entries[i].index);
	e = tvm_cpuid_find(c, 0x40000000, 0);
	if (CHECK(e)) {
		CHECK(!memcmp(&e->ebx, "KVMKVMKVM\0\0\0", 12));
		CHECK(e->eax >= 0x40000001);
	}
	e = tvm_cpuid_find(c, 0x40000001, 0);
	if (CHECK(e))
		CHECK(e->eax & 1 << 3);		/* kvmclock */
	e = tvm_cpuid_find(c, 1, 0);
	if (CHECK(e)) {
		CHECK(e->edx & 1);		/* FPU */
		CHECK(e->ecx & 1u << 21);	/* x2APIC, emulated everywhere */
	}
	e = tvm_cpuid_find(c, 7, 0);
	if (e)
		CHECK(e->ebx & 1 << 1);		/* TSC_ADJUST, too */
	CHECK(tvm_cpuid_find(c, 0x80000008, 0));
	CHECK_ERR(ioctl(t.sys, KVM_GET_SUPPORTED_CPUID, NULL), EFAULT);
	free(c);
	free(again);
	tvm_close(&t);
}

static void emulated(void)
{
	struct kvm_cpuid2 *c = list(TVM_CPUID_MAX), *small = list(0);
	struct tvm t;

	tvm_open(&t);
	if (has_cap(t.sys, KVM_CAP_EXT_EMUL_CPUID)) {
		CHECK_OK(ioctl(t.sys, KVM_GET_EMULATED_CPUID, c));
		CHECK_ERR(ioctl(t.sys, KVM_GET_EMULATED_CPUID, small), E2BIG);
	}
	free(c);
	free(small);
	tvm_close(&t);
}

static void set_and_get(void)
{
	struct kvm_cpuid2 *in, *out = list(TVM_CPUID_MAX), *small = list(1);
	struct tvm t;

	vm_new(&t);
	in = tvm_supported_cpuid(t.sys);
	CHECK_OK(ioctl(t.fd, KVM_SET_CPUID2, in));
	CHECK_OK(ioctl(t.fd, KVM_GET_CPUID2, out));
	/* The count is to be what the vCPU has; Linux 6.1 itself leaves what was asked. */
	CHECK(out->nent == in->nent || out->nent == TVM_CPUID_MAX);
	for (uint32_t i = 0; i < in->nent; i++) {
		CHECK_EQ(out->entries[i].function, in->entries[i].function);
		CHECK_EQ(out->entries[i].index, in->entries[i].index);
		CHECK_EQ(out->entries[i].ecx & ~(1u << 27 | 1 << 4),
			 in->entries[i].ecx & ~(1u << 27 | 1 << 4));
	}
	CHECK_ERR(ioctl(t.fd, KVM_GET_CPUID2, small), E2BIG);
	in->nent = 10000;
	CHECK_ERR(ioctl(t.fd, KVM_SET_CPUID2, in), E2BIG);
	CHECK_ERR(ioctl(t.fd, KVM_SET_CPUID2, NULL), EFAULT);
	free(in);
	free(out);
	free(small);
	tvm_close(&t);
}

GUEST(g_cpuid, 64, "1: cpuid; out %al, $0x10; jmp 1b");

static struct kvm_regs guest_cpuid(struct tvm *t, uint32_t leaf, uint32_t index)
{
	struct kvm_regs r = get_regs(t);

	r.rax = leaf | 0xffffffff00000000;
	r.rcx = index | 0xffffffff00000000;
	r.rbx = r.rdx = -1ull;
	r.rip = TVM_CODE;
	TVM_IOCTL(t->fd, KVM_SET_REGS, &r);
	RUN_TO_OUT(t, 0x10);
	/* The exit comes before the OUT is over: look after it. */
	t->run->immediate_exit = 1;
	tvm_run(t);
	t->run->immediate_exit = 0;
	return get_regs(t);
}

static void add(struct kvm_cpuid2 *c, uint32_t fn, uint32_t index, uint32_t flags, uint32_t value)
{
	c->entries[c->nent++] = (struct kvm_cpuid_entry2) {
		.function = fn, .index = index, .flags = flags,
		.eax = value, .ebx = value + 1, .ecx = value + 2, .edx = value + 3,
	};
}

static void what_the_guest_reads(void)
{
	struct kvm_cpuid2 *c;
	struct kvm_cpuid_entry2 *e;
	struct kvm_regs r;
	struct tvm t;

	vm_new(&t);
	c = tvm_supported_cpuid(t.sys);
	e = tvm_cpuid_find(c, 0, 0);
	e->eax = 0x10;
	add(c, 0x40000010, 0, 0, 0x1000);
	add(c, 0x40000011, 3, KVM_CPUID_FLAG_SIGNIFCANT_INDEX, 0x2000);
	REQUIRE_OK(ioctl(t.fd, KVM_SET_CPUID2, c));
	GUEST_START(&t, LONG, g_cpuid);
	r = guest_cpuid(&t, 0, 0);
	CHECK_EQ(r.rax, 0x10);
	CHECK_EQ(r.rbx, e->ebx);
	CHECK_EQ(r.rcx, e->ecx);
	CHECK_EQ(r.rdx, e->edx);
	/*
	 * No index matters where the flag is not set; where it is, only its own. Upper halves are
	 * cleared.
	 */
	r = guest_cpuid(&t, 0x40000010, 77);
	CHECK_EQ(r.rax, 0x1000);
	CHECK_EQ(r.rbx, 0x1001);
	CHECK_EQ(r.rcx, 0x1002);
	CHECK_EQ(r.rdx, 0x1003);
	r = guest_cpuid(&t, 0x40000011, 3);
	CHECK_EQ(r.rax, 0x2000);
	r = guest_cpuid(&t, 0x40000011, 4);
	CHECK_EQ(r.rax | r.rbx | r.rcx | r.rdx, 0);
	/* AMD: leaves beyond the last one are zero. */
	if (e->ebx == 0x68747541) {
		r = guest_cpuid(&t, 0x20, 0);
		CHECK_EQ(r.rax | r.rbx | r.rcx | r.rdx, 0);
	}
	free(c);
	tvm_close(&t);
}

/* The first version of the list knows no index and no flags. */
static void first_version(void)
{
	struct kvm_cpuid2 *in, *out = list(TVM_CPUID_MAX);
	struct kvm_cpuid *old;
	struct kvm_regs r;
	struct tvm t;

	vm_new(&t);
	CHECK_EQ(has_cap(t.sys, KVM_CAP_EXT_CPUID), 1);
	in = tvm_supported_cpuid(t.sys);
	old = calloc(1, sizeof(*old) + (in->nent + 2) * sizeof(old->entries[0]));
	for (uint32_t i = 0; i < in->nent; i++) {
		struct kvm_cpuid_entry2 *e = &in->entries[i];

		if (!e->index)
			old->entries[old->nent++] = (struct kvm_cpuid_entry) {
				.function = e->function, .eax = e->eax, .ebx = e->ebx, .ecx = e->ecx, .edx = e->edx,
			};
	}
	for (uint32_t i = 0; i < 2; i++)
		old->entries[old->nent++] = (struct kvm_cpuid_entry) {
			.function = 0x40000020 + i, .eax = 0x10 + i, .ebx = 0x20 + i, .ecx = 0x30 + i, .edx = 0x40 + i,
		};
	CHECK_OK(ioctl(t.fd, KVM_SET_CPUID, old));
	CHECK_OK(ioctl(t.fd, KVM_GET_CPUID2, out));
	for (uint32_t i = 0; i < old->nent; i++) {
		CHECK_EQ(out->entries[i].function, old->entries[i].function);
		CHECK_EQ(out->entries[i].index, 0);
		CHECK_EQ(out->entries[i].flags, 0);
	}
	GUEST_START(&t, LONG, g_cpuid);
	r = guest_cpuid(&t, 0, 0);
	CHECK_EQ(r.rbx, in->entries[0].ebx);
	r = guest_cpuid(&t, 0x40000021, 5);
	CHECK_EQ(r.rax, 0x11);
	CHECK_EQ(r.rbx, 0x21);
	CHECK_EQ(r.rcx, 0x31);
	CHECK_EQ(r.rdx, 0x41);
	/* Errors, which change nothing. */
	CHECK_ERR(ioctl(t.fd, KVM_SET_CPUID, NULL), EFAULT);
	old->nent = 10000;
	CHECK_ERR(ioctl(t.fd, KVM_SET_CPUID, old), E2BIG);
	r = guest_cpuid(&t, 0x40000020, 0);
	CHECK_EQ(r.rax, 0x10);
	free(in);
	free(out);
	free(old);
	tvm_close(&t);
}

/* OSXSAVE and the APIC bit of leaf 1 follow CR4 and the APIC base. */
static void dynamic_bits(void)
{
	struct kvm_sregs s;
	struct kvm_regs r;
	struct tvm t;

	vm_new(&t);
	GUEST_START(&t, LONG, g_cpuid);
	r = guest_cpuid(&t, 1, 0);
	CHECK_EQ(r.rcx >> 27 & 1, 0);
	CHECK_EQ(r.rdx >> 9 & 1, 1);
	if (!(r.rcx >> 26 & 1)) {
		tvm_close(&t);
		return;
	}
	s = get_sregs(&t);
	s.cr4 |= 1 << 18;
	s.apic_base &= ~(1ull << 11);
	CHECK_OK(ioctl(t.fd, KVM_SET_SREGS, &s));
	r = guest_cpuid(&t, 1, 0);
	CHECK_EQ(r.rcx >> 27 & 1, 1);
	CHECK_EQ(r.rdx >> 9 & 1, 0);
	tvm_close(&t);
}

/* After the guest ran its CPUID stays as it is: the same again is fine, another one is refused. */
static void after_the_first_run(void)
{
	struct kvm_cpuid2 *c = list(TVM_CPUID_MAX);
	struct tvm t;

	vm_new(&t);
	GUEST_START(&t, LONG, g_cpuid);
	RUN_TO_OUT(&t, 0x10);
	CHECK_OK(ioctl(t.sys, KVM_GET_SUPPORTED_CPUID, c));
	CHECK_OK(ioctl(t.fd, KVM_GET_CPUID2, c));
	CHECK_OK(ioctl(t.fd, KVM_SET_CPUID2, c));
	tvm_cpuid_find(c, 1, 0)->eax ^= 0x100;
	CHECK_ERR(ioctl(t.fd, KVM_SET_CPUID2, c), EINVAL);
	free(c);
	tvm_close(&t);
}

TEST_MAIN(T(supported), T(emulated), T(set_and_get), T(what_the_guest_reads), T(first_version), T(dynamic_bits),
	  T(after_the_first_run))
