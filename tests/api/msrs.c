// SPDX-License-Identifier: GPL-2.0
/* MSRs: the lists, GET and SET, what values are refused, what the guest sees, the filter. */
#include "kvmtest.h"

#define MAX 512

static struct kvm_msr_list *index_list(int fd, unsigned long nr)
{
	struct kvm_msr_list *l = calloc(1, sizeof(*l) + MAX * 4);
	int ret;

	/* The first call with no room says how many. */
	l->nmsrs = 0;
	ret = ioctl(fd, nr, l);
	if (ret == 0 && !l->nmsrs)
		return l;
	CHECK(ret == -1 && errno == E2BIG);
	CHECK(l->nmsrs > 0 && l->nmsrs <= 256);
	CHECK_OK(ioctl(fd, nr, l));
	return l;
}

/* QEMU stops at the first MSR that it was told of and that can't be read and written back. */
static void every_listed_one_round_trips(void)
{
	struct kvm_msr_list *l;
	struct tvm t;

	vm_new_irqchip(&t);
	l = index_list(t.sys, KVM_GET_MSR_INDEX_LIST);
	CHECK(l->nmsrs > 20);
	for (uint32_t i = 0; i < l->nmsrs; i++) {
		uint64_t v = get_msr(&t, l->indices[i]);

		if (set_msr(&t, l->indices[i], v) != 1)
			FAIL("MSR %#x: its own value %#llx is refused", l->indices[i],
			     (unsigned long long)v);
		for (uint32_t j = 0; j < i; j++)
			if (l->indices[i] == l->indices[j])
				FAIL("MSR %#x is listed twice", l->indices[i]);
	}
	CHECK_ERR(ioctl(t.sys, KVM_GET_MSR_INDEX_LIST, NULL), EFAULT);
	free(l);
	tvm_close(&t);
}

/* Each feature MSR reads on the system descriptor, and that value is accepted by a vCPU. */
static void feature_msrs(void)
{
	struct {
		struct kvm_msrs h;
		struct kvm_msr_entry e;
	} none = { .h.nmsrs = 1, .e.index = 0x10 };
	struct kvm_msr_list *l;
	struct tvm t;

	vm_new(&t);
	CHECK_EQ(has_cap(t.sys, KVM_CAP_GET_MSR_FEATURES), 1);
	/* The TSC is an MSR of vCPUs. */
	CHECK_EQ(ioctl(t.sys, KVM_GET_MSRS, &none), 0);
	CHECK_EQ(ioctl(t.fd, KVM_GET_MSRS, &none), 1);
	l = index_list(t.sys, KVM_GET_MSR_FEATURE_INDEX_LIST);
	CHECK(l->nmsrs);
	for (uint32_t i = 0; i < l->nmsrs; i++) {
		struct {
			struct kvm_msrs h;
			struct kvm_msr_entry e;
		} m = { .h.nmsrs = 1, .e.index = l->indices[i] };

		if (ioctl(t.sys, KVM_GET_MSRS, &m) != 1)
			FAIL("feature MSR %#x can't be read", l->indices[i]);
		if (ioctl(t.fd, KVM_SET_MSRS, &m) != 1)
			FAIL("feature MSR %#x: its own value is refused", l->indices[i]);
	}
	free(l);
	tvm_close(&t);
}

/* Those that VMMs set without asking for the list. */
static void always_there(void)
{
	static const struct {
		uint32_t first, last;
	} range[] = {
		{ 0x10, 0x10 }, { 0x1b, 0x1b }, { 0x174, 0x176 }, { 0x17a, 0x17a },
		{ 0x200, 0x20f }, { 0x250, 0x250 },
		{ 0x258, 0x259 }, { 0x268, 0x26f }, { 0x277, 0x277 }, { 0x2ff, 0x2ff },
		{ 0x3b, 0x3b }, { 0x400, 0x427 },
		{ 0x6e0, 0x6e0 }, { 0xc0000080, 0xc0000084 }, { 0xc0000100, 0xc0000102 },
		/*
		 * clocks, steal time, PV EOI; the ones of asynchronous page faults only where CPUID
		 * has them
		 */
		{ 0x4b564d00, 0x4b564d01 }, { 0x4b564d03, 0x4b564d04 },
		{ 0x1a0, 0x1a0 }, { 0x8b, 0x8b },
	};
	uint64_t cap = 10 | 1 << 8;
	struct tvm t;

	vm_new_irqchip(&t);
	REQUIRE_OK(ioctl(t.fd, KVM_X86_SETUP_MCE, &cap));
	for (size_t i = 0; i < ARRAY_SIZE(range); i++)
		for (uint32_t m = range[i].first; m <= range[i].last; m++) {
			uint64_t v = get_msr(&t, m);

			if (set_msr(&t, m, v) != 1)
				FAIL("MSR %#x: its own value %#llx is refused", m,
				     (unsigned long long)v);
		}
	tvm_close(&t);
}

/* Values that must come back. */
static void round_trips(void)
{
	static const struct {
		uint32_t msr;
		uint64_t value;
	} c[] = {
		{ 0x174, 0x33 }, { 0x175, 0xf2345678 }, { 0x176, 0x82345678 },
		{ 0x277, 0x0007010600070106 },
		{ 0xc0000081, 0x0023001000000000 }, { 0xc0000082, 0xffffffff81000000 },
		{ 0xc0000083, 0xffffffff82000000 },
		{ 0xc0000084, 0x47700 }, { 0xc0000100, 0x7f0012345000 },
		{ 0xc0000101, 0xffff888000000000 },
		{ 0xc0000102, 0xffff888100000000 }, { 0x200, 0xc0000006 },
		{ 0x201, 0xffc0000800 & 0xffffffffff },
		{ 0x250, 0x0606060606060606 }, { 0x2ff, 0xc06 }, { 0x1d9, 0 }, { 0x3b, 0 },
	};
	struct tvm t;

	vm_new(&t);
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		if (set_msr(&t, c[i].msr, c[i].value) != 1)
			FAIL("MSR %#x = %#llx is refused", c[i].msr,
			     (unsigned long long)c[i].value);
		else if (get_msr(&t, c[i].msr) != c[i].value)
			FAIL("MSR %#x is %#llx, not %#llx", c[i].msr,
			     (unsigned long long)get_msr(&t, c[i].msr),
			     (unsigned long long)c[i].value);
	}
	tvm_close(&t);
}

static void bad_values(void)
{
	static const struct {
		uint32_t msr;
		uint64_t value;
	} c[] = {
		/* PAT: no such memory type */
		{ 0x277, 2 }, { 0x277, 8 },
		{ 0x277, 0x0207040600070406 },
		{ 0x250, 2 }, { 0x2ff, 1 << 8 }, { 0x2ff, 2 }, { 0x200, 0xf00 },	/* MTRR */
		/* not canonical */
		{ 0xc0000100, 0x8000000000000000 }, { 0xc0000101, 0x0000900000000000 },
		{ 0xc0000102, 0x1234567812345678 }, { 0xc0000082, 0x8000000000000000 },
		{ 0xc0000083, 0x1000000000000000 },
		{ 0xc0000080, 1 << 1 }, { 0xc0000080, 1ull << 63 },	/* EFER */
		{ 0x1b, 1 }, { 0x1b, 1ull << 62 },			/* APIC base */
		{ 0x12345678, 0 }, { 0xc0011234, 0 }, { 0x40001234, 0 },	/* no such MSR */
	};
	struct tvm t;

	vm_new(&t);
	for (size_t i = 0; i < ARRAY_SIZE(c) - 3; i++) {
		uint64_t before = get_msr(&t, c[i].msr);

		if (set_msr(&t, c[i].msr, c[i].value) != 0)
			FAIL("MSR %#x = %#llx is accepted", c[i].msr,
			     (unsigned long long)c[i].value);
		CHECK_EQ(get_msr(&t, c[i].msr), before);
	}
	for (size_t i = ARRAY_SIZE(c) - 3; i < ARRAY_SIZE(c); i++)
		CHECK_EQ(set_msr(&t, c[i].msr, 0), 0);
	tvm_close(&t);
}

/* The count of those done before the first that fails is the return value. */
static void partial(void)
{
	struct {
		struct kvm_msrs h;
		struct kvm_msr_entry e[4];
	} m = {
		.h.nmsrs = 4,
		.e = { { .index = 0x174, .data = 8 }, { .index = 0x175, .data = 0x1000 },
		       { .index = 0x12345678 }, { .index = 0x176, .data = 0x2000 } },
	};
	struct tvm t;

	vm_new(&t);
	CHECK_EQ(ioctl(t.fd, KVM_SET_MSRS, &m), 2);
	CHECK_EQ(get_msr(&t, 0x174), 8);
	CHECK_EQ(get_msr(&t, 0x175), 0x1000);
	CHECK_EQ(get_msr(&t, 0x176), 0);
	m.e[0].data = m.e[1].data = 0;
	CHECK_EQ(ioctl(t.fd, KVM_GET_MSRS, &m), 2);
	CHECK_EQ(m.e[1].data, 0x1000);
	m.h.nmsrs = 0;
	CHECK_EQ(ioctl(t.fd, KVM_GET_MSRS, &m), 0);
	m.h.nmsrs = 100000;
	CHECK_ERR(ioctl(t.fd, KVM_GET_MSRS, &m), E2BIG);
	CHECK_ERR(ioctl(t.fd, KVM_SET_MSRS, NULL), EFAULT);
	tvm_close(&t);
}

static void many_at_once(void)
{
	struct kvm_msrs *m = calloc(1, sizeof(*m) + 255 * sizeof(m->entries[0]));
	struct tvm t;

	vm_new(&t);
	m->nmsrs = 255;
	for (int i = 0; i < 255; i++) {
		m->entries[i].index = 0x175;
		m->entries[i].data = i;
	}
	CHECK_EQ(ioctl(t.fd, KVM_SET_MSRS, m), 255);
	CHECK_EQ(get_msr(&t, 0x175), 254);
	free(m);
	tvm_close(&t);
}

/* RDMSR and WRMSR with a #GP handler that shows 0xbad on port 0x12. */
GUEST(g_msr, 64,
      "lea " AT(g_msr, g_msr_idt) ", %rax; lidt (%rax);"
      "1: out %al, $0x11; test %edi, %edi; jnz 2f; rdmsr; out %eax, $0x10; jmp 1b; 2: wrmsr;"
      "out %eax, $0x10; jmp 1b;"
      "g_msr_gp: mov $0xbad, %eax; out %eax, $0x12; hlt; g_msr_idt: .word 0xfff; .quad 0xe000");

extern const uint8_t g_msr_gp[];

static void msr_guest(struct tvm *t)
{
	GUEST_START(t, LONG, g_msr);
	tvm_gate(t, 13, TVM_CODE + (g_msr_gp - g_msr));
	RUN_TO_OUT(t, 0x11);
}

/* End the access that userspace was told of, and go no further. */
static void settle(struct tvm *t)
{
	t->run->immediate_exit = 1;
	tvm_run(t);
	t->run->immediate_exit = 0;
}

/* Start one access; the caller runs on from here. */
static void access_msr(struct tvm *t, uint32_t msr, bool write, uint64_t v)
{
	struct kvm_regs r;

	settle(t);
	r = get_regs(t);
	r.rcx = msr;
	r.rax = (uint32_t)v;
	r.rdx = v >> 32;
	r.rdi = write;
	TVM_IOCTL(t->fd, KVM_SET_REGS, &r);
}

static void guest_access(void)
{
	static const uint32_t plain[] = {
		0x174, 0x175, 0x176, 0xc0000081, 0xc0000082, 0xc0000084, 0xc0000100, 0xc0000101,
		0xc0000102, 0x277,
	};
	struct tvm t;

	vm_new(&t);
	msr_guest(&t);
	for (size_t i = 0; i < ARRAY_SIZE(plain); i++) {
		uint64_t v = plain[i] == 0x277 ? 0x0606060606060606 : 0x1230 + i;

		access_msr(&t, plain[i], true, v);
		RUN_TO_OUT(&t, 0x10);
		CHECK_EQ(get_msr(&t, plain[i]), v);
		RUN_TO_OUT(&t, 0x11);
		access_msr(&t, plain[i], false, 0);
		CHECK_EQ(RUN_TO_OUT(&t, 0x10), (uint32_t)v);
		RUN_TO_OUT(&t, 0x11);
	}
	tvm_close(&t);
}

static void guest_gp(void)
{
	static const struct {
		uint32_t msr;
		bool write;
		uint64_t value;
	} c[] = {
		{ 0x12345678, false, 0 }, { 0x12345678, true, 0 }, { 0xc0000080, true, 1ull << 63 },
		{ 0x277, true, 2 },
		{ 0x1b, true, 1ull << 62 },
		/* not on TCG */
		{ 0xc0000101, true, 0x0000900000000000 }, { 0xc0000082, true, 0x8000000000000000 },
	};
	size_t n = ARRAY_SIZE(c) - (host_is_tcg() ? 2 : 0);
	struct tvm t;

	for (size_t i = 0; i < n; i++) {
		vm_new(&t);
		msr_guest(&t);
		access_msr(&t, c[i].msr, c[i].write, c[i].value);
		if (RUN_TO_OUT(&t, 0x12) != 0xbad)
			FAIL("%s of MSR %#x made no #GP", c[i].write ? "write" : "read", c[i].msr);
		tvm_close(&t);
	}
	if (host_is_tcg())
		SKIP_REST("QEMU's TCG takes addresses that are not canonical");
}

#define PLATFORM_INFO	0xce

static int platform_info(int fd, uint64_t on, uint32_t flags)
{
	struct kvm_enable_cap c = {
		.cap = KVM_CAP_MSR_PLATFORM_INFO, .flags = flags, .args[0] = on,
	};

	return ioctl(fd, KVM_ENABLE_CAP, &c);
}

/* Guests may read the register unless they are denied that, and never write it; the VMM may do both. */
static void guest_platform_info(void)
{
	struct tvm t;

	vm_new(&t);
	CHECK_EQ(has_cap(t.sys, KVM_CAP_MSR_PLATFORM_INFO), 1);
	CHECK_EQ(set_msr(&t, PLATFORM_INFO, get_msr(&t, PLATFORM_INFO) | 0xff00), 1);
	CHECK_ERR(platform_info(t.vm, 0, 1), EINVAL);
	CHECK_ERR(platform_info(t.fd, 0, 0), EINVAL);	/* a VM's, not a vCPU's */
	for (int i = 0; i < 3; i++) {
		bool on = i != 1;

		if (i)
			CHECK_OK(platform_info(t.vm, on, 0));
		msr_guest(&t);
		access_msr(&t, PLATFORM_INFO, false, 0);
		if (on)
			CHECK_EQ(RUN_TO_OUT(&t, 0x10), (uint32_t)get_msr(&t, PLATFORM_INFO));
		else
			CHECK_EQ(RUN_TO_OUT(&t, 0x12), 0xbad);
		CHECK_EQ(get_msr(&t, PLATFORM_INFO) & 0xff00, 0xff00);
		settle(&t);
		msr_guest(&t);
		access_msr(&t, PLATFORM_INFO, true, 0);
		CHECK_EQ(RUN_TO_OUT(&t, 0x12), 0xbad);
		CHECK_EQ(get_msr(&t, PLATFORM_INFO) & 0xff00, 0xff00);
		settle(&t);
	}
	tvm_close(&t);
}

static int filter(struct tvm *t, uint32_t deflt, uint32_t flags, uint32_t base, uint32_t n,
		  uint8_t *bits)
{
	struct kvm_msr_filter f = {
		.flags = deflt,
		.ranges[0] = { .flags = flags, .nmsrs = n, .base = base, .bitmap = bits },
	};

	return ioctl(t->vm, KVM_X86_SET_MSR_FILTER, &f);
}

static void user_space_msr(void)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_X86_USER_SPACE_MSR,
		.args = { KVM_MSR_EXIT_REASON_FILTER } };
	uint8_t bits[1] = { 0 };
	struct tvm t;

	vm_new(&t);
	if (!has_cap(t.sys, KVM_CAP_X86_USER_SPACE_MSR) ||
	    !has_cap(t.sys, KVM_CAP_X86_MSR_FILTER)) {
		tvm_close(&t);
		return;
	}
	cap.args[0] = 1 << 20;
	CHECK_ERR(ioctl(t.vm, KVM_ENABLE_CAP, &cap), EINVAL);
	cap.args[0] = KVM_MSR_EXIT_REASON_FILTER;
	CHECK_OK(ioctl(t.vm, KVM_ENABLE_CAP, &cap));
	CHECK_ERR(filter(&t, 1 << 7, KVM_MSR_FILTER_READ, 0x174, 2, bits), EINVAL);
	CHECK_ERR(filter(&t, 0, 1 << 7, 0x174, 2, bits), EINVAL);
	CHECK_ERR(filter(&t, 0, KVM_MSR_FILTER_READ, 0x174, 1 << 30, bits), EINVAL);
	/* All is allowed but reading 0x174 and 0x175. */
	CHECK_OK(filter(&t, 0, KVM_MSR_FILTER_READ, 0x174, 2, bits));
	msr_guest(&t);
	access_msr(&t, 0x174, true, 0x77);
	RUN_TO_OUT(&t, 0x10);
	RUN_TO_OUT(&t, 0x11);
	access_msr(&t, 0x174, false, 0);
	if (RUN_TO(&t, KVM_EXIT_X86_RDMSR)) {
		CHECK_EQ(t.run->msr.index, 0x174);
		CHECK_EQ(t.run->msr.reason, KVM_MSR_EXIT_REASON_FILTER);
		t.run->msr.data = 0x1234;
		t.run->msr.error = 0;
		CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x1234);
	}
	/* The VMM itself is not filtered. */
	CHECK_EQ(get_msr(&t, 0x174), 0x77);
	RUN_TO_OUT(&t, 0x11);
	access_msr(&t, 0x175, false, 0);
	if (RUN_TO(&t, KVM_EXIT_X86_RDMSR)) {
		t.run->msr.error = 1;
		CHECK_EQ(RUN_TO_OUT(&t, 0x12), 0xbad);
	}
	tvm_close(&t);
}

/* A VM whose accesses to an MSR that nobody knows end in userspace. */
static void unknown_to_user(struct tvm *t)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_X86_USER_SPACE_MSR,
		.args = { KVM_MSR_EXIT_REASON_UNKNOWN } };

	vm_new(t);
	REQUIRE_OK(ioctl(t->vm, KVM_ENABLE_CAP, &cap));
}

GUEST(g_moved, 64,
      "mov $0x12345678, %ecx; rdmsr; hlt; .fill 32 - (. - g_moved), 1, 0xf4;"
      "inc %rbx; out %al, $0x20; hlt; .fill 64 - (. - g_moved), 1, 0xf4;"
      "mov $0x12345678, %ecx; wrmsr; hlt");

/*
 * A VMM that sends the vCPU elsewhere instead of answering: the access must not
 * be finished on top of the new state.
 */
static void moved_while_pending(void)
{
	struct kvm_regs r;
	struct tvm t;

	for (int write = 0; write < 2; write++) {
		unknown_to_user(&t);
		GUEST_START(&t, LONG, g_moved);
		r = get_regs(&t);
		r.rip += write * 64;
		CHECK_OK(ioctl(t.fd, KVM_SET_REGS, &r));
		RUN_TO(&t, write ? KVM_EXIT_X86_WRMSR : KVM_EXIT_X86_RDMSR);
		t.run->msr.data = 0x1111111122222222;
		t.run->msr.error = write;
		r = get_regs(&t);
		r.rip = TVM_CODE + 32;
		r.rax = 0x77;
		r.rdx = 0x88;
		r.rbx = 5;
		CHECK_OK(ioctl(t.fd, KVM_SET_REGS, &r));
		CHECK_EQ(RUN_TO_OUT(&t, 0x20), 0x77);
		r = get_regs(&t);
		CHECK_EQ(r.rbx, 6);
		CHECK_EQ(r.rdx, 0x88);
		tvm_close(&t);
	}
}

GUEST(g_forced, 64,
      "mov $0x12345678, %ecx;" FORCED "rdmsr; out %eax, $0x20;"
      "mov $0x99, %eax;" FORCED "wrmsr; out %eax, $0x21; hlt");

/* The same from the emulator: the instruction is done once, with the VMM's answer. */
static void emulated(void)
{
	int old = forced_emulation('1');
	struct tvm t;

	unknown_to_user(&t);
	GUEST_START(&t, LONG, g_forced);
	RUN_TO(&t, KVM_EXIT_X86_RDMSR);
	t.run->msr.data = 0x1111111122222222;
	CHECK_EQ(RUN_TO_OUT(&t, 0x20), 0x22222222);
	CHECK_EQ(get_regs(&t).rdx, 0x11111111);
	if (RUN_TO(&t, KVM_EXIT_X86_WRMSR))
		CHECK_EQ(t.run->msr.data, 0x1111111100000099);
	CHECK_EQ(RUN_TO_OUT(&t, 0x21), 0x99);
	tvm_close(&t);
	forced_emulation(old);
}

/* Without the exit, what the filter denies is a #GP. */
static void filter_without_exit(void)
{
	uint8_t bits[1] = { 0 };
	struct tvm t;

	vm_new(&t);
	if (has_cap(t.sys, KVM_CAP_X86_MSR_FILTER)) {
		CHECK_OK(filter(&t, 0, KVM_MSR_FILTER_WRITE, 0x174, 1, bits));
		msr_guest(&t);
		access_msr(&t, 0x174, true, 1);
		CHECK_EQ(RUN_TO_OUT(&t, 0x12), 0xbad);
	}
	tvm_close(&t);
}

TEST_MAIN(T(every_listed_one_round_trips), T(feature_msrs), T(always_there), T(round_trips),
	  T(bad_values), T(partial),
	  T(many_at_once), T(guest_access), T(guest_gp), T(guest_platform_info),
	  T(user_space_msr),
	  T(moved_while_pending), T(emulated), T(filter_without_exit))
