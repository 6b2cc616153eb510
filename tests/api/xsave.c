// SPDX-License-Identifier: GPL-2.0
/* Extended state: KVM_GET/SET_XSAVE, XSAVE2, XCRS, and what the guest finds in its registers. */
#include "kvmtest.h"

static void xsave_round_trip(void)
{
	static struct kvm_xsave in, out;
	struct tvm t;

	vm_new(&t);
	REQUIRE_OK(ioctl(t.fd, KVM_GET_XSAVE, &in));
	memset(in.region, 0, 512);
	in.region[0] = 0x37f;
	in.region[6] = 0x1f80;
	for (int i = 0; i < 16; i++)
		in.region[40 + 4 * i] = 0x1000 + i;	/* XMM registers begin at byte 160 */
	in.region[128] = 3;	/* XSTATE_BV: x87, SSE */
	CHECK_OK(ioctl(t.fd, KVM_SET_XSAVE, &in));
	CHECK_OK(ioctl(t.fd, KVM_GET_XSAVE, &out));
	CHECK_EQ(out.region[6], 0x1f80);
	for (int i = 0; i < 16; i++)
		CHECK_EQ(out.region[40 + 4 * i], 0x1000 + i);
	/* Bits of XSTATE_BV that no processor has, reserved bits of MXCSR. */
	in.region[129] = 1u << 30;
	CHECK_ERR(ioctl(t.fd, KVM_SET_XSAVE, &in), EINVAL);
	in.region[129] = 0;
	in.region[6] = 0xffffffff;
	CHECK_ERR(ioctl(t.fd, KVM_SET_XSAVE, &in), EINVAL);
	CHECK_ERR(ioctl(t.fd, KVM_SET_XSAVE, NULL), EFAULT);
	CHECK_ERR(ioctl(t.fd, KVM_GET_XSAVE, NULL), EFAULT);
	tvm_close(&t);
}

static void xsave2(void)
{
	struct tvm t;
	uint32_t *p;
	int size;

	vm_new(&t);
	size = has_cap(t.vm, KVM_CAP_XSAVE2);
	REQUIRE(size >= 4096);
	p = calloc(1, size);
	CHECK_OK(ioctl(t.fd, KVM_GET_XSAVE2, p));
	CHECK_EQ(p[0] & 0xffff, 0x37f);
	CHECK_OK(ioctl(t.fd, KVM_SET_XSAVE, p));
	free(p);
	tvm_close(&t);
}

GUEST(g_sse, 64, "movq %xmm5, %rax; mov $0x1122334455667788, %rbx; movq %rbx, %xmm7; fld1; hlt");

static void guest_sse(void)
{
	static struct kvm_xsave x;
	struct tvm t;

	/*
	 * By XSAVE: with Linux 6.1 itself, XMM registers of KVM_SET_FPU don't reach a guest whose
	 * SSE state is in its initial state.
	 */
	vm_new(&t);
	GUEST_START(&t, LONG, g_sse);
	CHECK_OK(ioctl(t.fd, KVM_GET_XSAVE, &x));
	x.region[0] = 0x37f;
	x.region[6] = 0x1f80;
	memset(&x.region[40 + 4 * 5], 0xa5, 16);
	x.region[128] |= 3;
	CHECK_OK(ioctl(t.fd, KVM_SET_XSAVE, &x));
	RUN_TO(&t, KVM_EXIT_HLT);
	CHECK_EQ(get_regs(&t).rax, 0xa5a5a5a5a5a5a5a5);
	CHECK_OK(ioctl(t.fd, KVM_GET_XSAVE, &x));
	CHECK_EQ(x.region[40 + 4 * 7], 0x55667788);
	CHECK_EQ(x.region[40 + 4 * 7 + 1], 0x11223344);
	CHECK_EQ(x.region[40 + 4 * 5], 0xa5a5a5a5);
	/* 1.0 on the top of the x87 stack. */
	CHECK_EQ(x.region[8 + 1], 0x80000000);
	CHECK_EQ(x.region[8 + 2] & 0xffff, 0x3fff);
	tvm_close(&t);
}

/* Neither the guest's registers reach the host nor the host's the guest. */
static void not_mixed_with_the_hosts(void)
{
	uint64_t before = 0x0123456789abcdef, after = 0;
	struct tvm t;

	vm_new(&t);
	GUEST_START(&t, LONG, g_sse);
#ifdef __x86_64__
	{
		register long nr asm("rax") = 16;	/* ioctl */
		register long a0 asm("rdi") = t.fd;
		register long a1 asm("rsi") = KVM_RUN;
		register long a2 asm("rdx") = 0;

		asm volatile("movq %[in], %%xmm7; movq %[in], %%xmm5; syscall; movq %%xmm7, %[out]"
			     : "+r" (nr), [out] "=r" (after) : "r" (a0), "r" (a1), "r" (a2),
			     [in] "r" (before)
			     : "rcx", "r11", "memory", "xmm5", "xmm7");
		CHECK_EQ(nr, 0);
	}
	CHECK_EQ(after, before);
	CHECK_EQ(get_regs(&t).rax, 0);
#else
	(void)before;
	(void)after;
#endif
	tvm_close(&t);
}

static void xcrs(void)
{
	struct kvm_xcrs x;
	struct tvm t;

	vm_new(&t);
	if (!has_cap(t.sys, KVM_CAP_XCRS))
		return;
	CHECK_OK(ioctl(t.fd, KVM_GET_XCRS, &x));
	CHECK_EQ(x.nr_xcrs, 1);
	CHECK_EQ(x.xcrs[0].xcr, 0);
	CHECK_EQ(x.xcrs[0].value, 1);
	x.xcrs[0].value = 3;
	CHECK_OK(ioctl(t.fd, KVM_SET_XCRS, &x));
	CHECK_OK(ioctl(t.fd, KVM_GET_XCRS, &x));
	CHECK_EQ(x.xcrs[0].value, 3);
	x.xcrs[0].value = 2;		/* x87 is not optional */
	CHECK_ERR(ioctl(t.fd, KVM_SET_XCRS, &x), EINVAL);
	x.xcrs[0].value = 5;		/* AVX without SSE */
	CHECK_ERR(ioctl(t.fd, KVM_SET_XCRS, &x), EINVAL);
	x.xcrs[0].value = 1 | 1ull << 62;
	CHECK_ERR(ioctl(t.fd, KVM_SET_XCRS, &x), EINVAL);
	x.xcrs[0].value = 1;
	x.flags = 1;
	CHECK_ERR(ioctl(t.fd, KVM_SET_XCRS, &x), EINVAL);
	x.flags = 0;
	x.nr_xcrs = 100;
	CHECK_ERR(ioctl(t.fd, KVM_SET_XCRS, &x), EINVAL);
	tvm_close(&t);
}

/* XSETBV in the guest, good and bad. */
GUEST(g_xsetbv, 64,
      "lea " AT(g_xsetbv, g_xsetbv_idt) ", %rax; lidt (%rax); mov %cr4, %rax; or $0x40000, %eax;"
					"mov %rax, %cr4;"
      "xor %ecx, %ecx; xor %edx, %edx; mov $3, %eax; xsetbv; xgetbv; out %eax, $0x10;"
      "mov $2, %eax; xsetbv; out %eax, $0x11; g_xsetbv_gp: mov $13, %eax; out %eax, $0x12; hlt;"
      "g_xsetbv_idt: .word 0xfff; .quad 0xe000");

extern const uint8_t g_xsetbv_gp[];

static void guest_xsetbv(void)
{
	struct kvm_xcrs x;
	struct tvm t;

	vm_new(&t);
	if (!has_cap(t.sys, KVM_CAP_XCRS))
		return;
	GUEST_START(&t, LONG, g_xsetbv);
	tvm_gate(&t, 13, TVM_CODE + (g_xsetbv_gp - g_xsetbv));
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 3);
	CHECK_OK(ioctl(t.fd, KVM_GET_XCRS, &x));
	if (!host_is_tcg())	/* it has no XSETBV intercept: nobody was told */
		CHECK_EQ(x.xcrs[0].value, 3);
	CHECK_EQ(RUN_TO_OUT(&t, 0x12), 13);
	tvm_close(&t);
}

TEST_MAIN(T(xsave_round_trip), T(xsave2), T(guest_sse), T(not_mixed_with_the_hosts), T(xcrs),
	  T(guest_xsetbv))
