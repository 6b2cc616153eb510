// SPDX-License-Identifier: GPL-2.0
/*
 * General, segment and control registers: round trips, what the guest sees, invalid combinations.
 */
#include "kvmtest.h"

GUEST(g_hlt, 16, "hlt");

static void general_round_trip(void)
{
	struct kvm_regs in, out;
	uint64_t *p = (uint64_t *)&in;
	struct tvm t;

	vm_new(&t);
	GUEST_START(&t, LONG, g_hlt);
	for (size_t i = 0; i < sizeof(in) / 8; i++)
		p[i] = 0x1111111111111111ull * (i + 1) % 0xffffffffffffff;
	in.rflags = 0x246;
	in.rip = TVM_CODE;
	CHECK_OK(ioctl(t.fd, KVM_SET_REGS, &in));
	out = get_regs(&t);
	CHECK(!memcmp(&in, &out, sizeof(in)));
	/* The guest has them, and gives them back. */
	RUN_TO(&t, KVM_EXIT_HLT);
	out = get_regs(&t);
	in.rip++;
	CHECK(!memcmp(&in, &out, sizeof(in)));
	/* Bit 1 of RFLAGS is always 1. */
	in.rflags = 0;
	CHECK_OK(ioctl(t.fd, KVM_SET_REGS, &in));
	CHECK_EQ(get_regs(&t).rflags, 2);
	CHECK_ERR(ioctl(t.fd, KVM_SET_REGS, NULL), EFAULT);
	CHECK_ERR(ioctl(t.fd, KVM_GET_REGS, NULL), EFAULT);
	tvm_close(&t);
}

GUEST(g_regs, 64, "xchg %rax, %r15; xchg %rbx, %r14; xchg %rcx, %r13; xchg %rdx, %r12;"
		  "xchg %rsi, %r11; xchg %rdi, %r10; xchg %rbp, %r9; stc; hlt");

static void general_in_guest(void)
{
	struct kvm_regs r;
	struct tvm t;

	vm_new(&t);
	GUEST_START(&t, LONG, g_regs);
	r = (struct kvm_regs) { 1, 2, 3, 4, 5, 6, TVM_STACK, 7, 8, 9, 10, 11, 12, 13, 14, 15,
		TVM_CODE, 2 };
	CHECK_OK(ioctl(t.fd, KVM_SET_REGS, &r));
	RUN_TO(&t, KVM_EXIT_HLT);
	r = get_regs(&t);
	CHECK_EQ(r.rax, 15);
	CHECK_EQ(r.rbx, 14);
	CHECK_EQ(r.rcx, 13);
	CHECK_EQ(r.rdx, 12);
	CHECK_EQ(r.rsi, 11);
	CHECK_EQ(r.rdi, 10);
	CHECK_EQ(r.rbp, 9);
	CHECK_EQ(r.r8, 8);
	CHECK_EQ(r.r9, 7);
	CHECK_EQ(r.r15, 1);
	CHECK_EQ(r.rflags & 1, 1);
	CHECK_EQ(r.rsp, TVM_STACK);
	tvm_close(&t);
}

static void special_round_trip(void)
{
	struct kvm_sregs in, out;
	struct tvm t;

	vm_new(&t);
	GUEST_START(&t, LONG, g_hlt);
	in = get_sregs(&t);
	in.fs.base = 0x123456789000;
	in.gs.base = 0xffff888000000000;
	in.cr2 = 0xdeadb000;
	in.cr8 = 7;
	in.ldt = (struct kvm_segment) { .base = 0x5000, .limit = 0x7f, .selector = 0x28, .type = 2,
		.present = 1 };
	in.idt.base = 0xfffff00000000000;
	in.idt.limit = 0xabc;
	CHECK_OK(ioctl(t.fd, KVM_SET_SREGS, &in));
	out = get_sregs(&t);
	CHECK_EQ(out.fs.base, in.fs.base);
	CHECK_EQ(out.gs.base, in.gs.base);
	CHECK_EQ(out.cr2, in.cr2);
	CHECK_EQ(out.cr8, 7);
	CHECK_EQ(out.ldt.base, 0x5000);
	CHECK_EQ(out.ldt.limit, 0x7f);
	CHECK_EQ(out.ldt.selector, 0x28);
	CHECK_EQ(out.ldt.type, 2);
	CHECK_EQ(out.ldt.present, 1);
	CHECK_EQ(out.idt.base, in.idt.base);
	CHECK_EQ(out.idt.limit, 0xabc);
	CHECK_EQ(out.cr0, in.cr0);
	CHECK_EQ(out.cr3, in.cr3);
	CHECK_EQ(out.cr4, in.cr4);
	CHECK_EQ(out.efer, in.efer);
	CHECK_EQ(out.cs.l, 1);
	CHECK_EQ(out.cs.db, 0);
	CHECK_EQ(out.cs.type, 11);
	CHECK_EQ(out.ss.type, 3);
	CHECK_EQ(out.tr.type, 11);
	CHECK_EQ(out.tr.base, TVM_TSS);
	RUN_TO(&t, KVM_EXIT_HLT);
	tvm_close(&t);
}

enum field { CR0, CR3, CR4, EFER, APIC_BASE };

/*
 * Each is a legal long-mode state with one thing that no processor can be in. Nothing of it may be
 * taken.
 */
static void special_invalid(void)
{
	static const struct {
		const char *why;
		enum field field;
		uint64_t set, clear;
	} c[] = {
		{ "CR0 above 32 bits", CR0, 1ull << 32, 0 },
		{ "PG without PE", CR0, 0, 1 },
		{ "NW without CD", CR0, 1u << 29, 1u << 30 },
		{ "CR4 reserved bit", CR4, 1u << 31, 0 },
		{ "CR4 above 32 bits", CR4, 1ull << 40, 0 },
		{ "long mode without PAE", CR4, 0, 1u << 5 },
		{ "EFER.LMA without LME", EFER, 0, 1u << 8 },
		{ "EFER.LME and paging without LMA", EFER, 0, 1u << 10 },
		{ "APIC base reserved bit", APIC_BASE, 1, 0 },
		{ "APIC base beyond the address width", APIC_BASE, 1ull << 60, 0 },
		{ "x2APIC without APIC", APIC_BASE, 1u << 10, 1u << 11 },
		{ "CR3 beyond the address width", CR3, 1ull << 60, 0 },
	};
	struct kvm_sregs good, s;
	struct tvm t;

	vm_new(&t);
	GUEST_START(&t, LONG, g_hlt);
	good = get_sregs(&t);
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		uint64_t v;

		s = good;
		v = c[i].field == CR0 ? s.cr0 : c[i].field == CR4 ? s.cr4 : c[i].field == EFER ?
		s.efer :
		    c[i].field == APIC_BASE ? s.apic_base : c[i].field == CR3 ? s.cr3 : 0;
		v = (v | c[i].set) & ~c[i].clear;
		switch (c[i].field) {
		case CR0:
			s.cr0 = v;
			break;
		case CR3:
			s.cr3 = v;
			break;
		case CR4:
			s.cr4 = v;
			break;
		case EFER:
			s.efer = v;
			break;
		case APIC_BASE:
			s.apic_base = v;
			break;
		}
		s.cr2 = 0x1000 + i;
		errno = 0;
		if (ioctl(t.fd, KVM_SET_SREGS, &s) == 0 || errno != EINVAL)
			FAIL("%s: %s", c[i].why, strerror(errno));
		s = get_sregs(&t);
		if (memcmp(&s, &good, sizeof(s)))
			FAIL("%s: state changed", c[i].why);
	}
	RUN_TO(&t, KVM_EXIT_HLT);
	tvm_close(&t);
}

/* A pending interrupt in the bitmap is injected, and shows in the bitmap until then. */
GUEST(g_iv, 16, "sti; nop; nop; hlt; g_iv_isr: mov $0x99, %al; out %al, $0x10; iret");

extern const uint8_t g_iv_isr[];

static void interrupt_bitmap(void)
{
	struct kvm_sregs s;
	struct kvm_regs r;
	struct tvm t;

	vm_new(&t);
	GUEST_START(&t, REAL, g_iv);
	/* taken already, which needed IF; Intel's processors insist on it */
	r = get_regs(&t);
	r.rflags |= 0x200;
	CHECK_OK(ioctl(t.fd, KVM_SET_REGS, &r));
	*(uint16_t *)(t.mem + 4 * 0x21) = TVM_CODE + (g_iv_isr - g_iv);
	s = get_sregs(&t);
	s.interrupt_bitmap[0] = 1ull << 0x21;
	CHECK_OK(ioctl(t.fd, KVM_SET_SREGS, &s));
	CHECK_EQ(get_sregs(&t).interrupt_bitmap[0], 1ull << 0x21);
	CHECK_EQ(RUN_TO_OUT(&t, 0x10), 0x99);
	CHECK_EQ(get_sregs(&t).interrupt_bitmap[0], 0);
	RUN_TO(&t, KVM_EXIT_HLT);
	tvm_close(&t);
}

static void sregs2(void)
{
	struct kvm_sregs2 in, out;
	struct kvm_sregs s;
	struct tvm t;

	vm_new(&t);
	if (!has_cap(t.sys, KVM_CAP_SREGS2)) {
		tvm_close(&t);
		return;
	}
	GUEST_START(&t, PROT, g_hlt);
	s = get_sregs(&t);
	CHECK_OK(ioctl(t.fd, KVM_GET_SREGS2, &in));
	CHECK_EQ(in.flags, 0);
	CHECK_EQ(in.cr0, s.cr0);
	CHECK_EQ(in.cs.selector, s.cs.selector);
	/* PAE paging with its four pointers given. */
	tvm_page_tables(&t);
	in.cr3 = TVM_PT + 0x1000;
	in.cr4 |= 0x20;
	in.cr0 |= 0x80000001;
	in.efer = 0;
	in.flags = KVM_SREGS2_FLAGS_PDPTRS_VALID;
	for (int i = 0; i < 4; i++)
		in.pdptrs[i] = (TVM_PT + 0x2000 + i * 0x1000) | 1;
	CHECK_OK(ioctl(t.fd, KVM_SET_SREGS2, &in));
	CHECK_OK(ioctl(t.fd, KVM_GET_SREGS2, &out));
	CHECK_EQ(out.cr3, in.cr3);
	CHECK_EQ(out.cr4, in.cr4);
	if (out.flags & KVM_SREGS2_FLAGS_PDPTRS_VALID)
		CHECK_EQ(out.pdptrs[1], in.pdptrs[1]);
	in.flags = 1 << 5;
	CHECK_ERR(ioctl(t.fd, KVM_SET_SREGS2, &in), EINVAL);
	tvm_close(&t);
}

/*
 * A 64-bit code segment at work: registers are whole, IP-relative addressing works, 32-bit results
 * are extended.
 */
GUEST(g_long, 64, "mov $0x123456789abcdef0, %rax; lea 1f(%rip), %rbx; mov (%rbx), %ecx;"
		  "mov $-1, %rdx; mov $5, %edx;"
		  "hlt; 1: .long 0xcafe1234");

static void long_mode(void)
{
	struct kvm_regs r;
	struct tvm t;

	vm_new(&t);
	GUEST_START(&t, LONG, g_long);
	RUN_TO(&t, KVM_EXIT_HLT);
	r = get_regs(&t);
	CHECK_EQ(r.rax, 0x123456789abcdef0);
	CHECK_EQ(r.rcx, 0xcafe1234);
	CHECK_EQ(r.rdx, 5);
	tvm_close(&t);
}

static void translate(void)
{
	struct kvm_translation tr = { .linear_address = 0x201234 };
	struct tvm t;

	vm_new(&t);
	GUEST_START(&t, LONG, g_hlt);
	CHECK_OK(ioctl(t.fd, KVM_TRANSLATE, &tr));
	CHECK_EQ(tr.valid, 1);
	CHECK_EQ(tr.physical_address, 0x201234);
	tr.linear_address = 0x100000000;	/* not mapped by our tables */
	CHECK_OK(ioctl(t.fd, KVM_TRANSLATE, &tr));
	CHECK_EQ(tr.valid, 0);
	tvm_close(&t);
}

static void fpu(void)
{
	struct kvm_fpu in, out;
	struct tvm t;

	vm_new(&t);
	CHECK_OK(ioctl(t.fd, KVM_GET_FPU, &in));
	CHECK_EQ(in.fcw, 0x37f);
	in.fcw = 0x27f;
	in.fsw = 0x3800;
	in.last_opcode = 0x123;
	memset(in.fpr, 0, sizeof(in.fpr));
	for (int i = 0; i < 8; i++)
		memset(in.fpr[i], i + 1, 10);
	for (int i = 0; i < 16; i++)
		memset(in.xmm[i], 0xf0 + i, 16);
	CHECK_OK(ioctl(t.fd, KVM_SET_FPU, &in));
	CHECK_OK(ioctl(t.fd, KVM_GET_FPU, &out));
	CHECK_EQ(out.fcw, in.fcw);
	CHECK_EQ(out.fsw, in.fsw);
	CHECK(!memcmp(out.fpr, in.fpr, sizeof(in.fpr)));
	CHECK(!memcmp(out.xmm, in.xmm, sizeof(in.xmm)));
	tvm_close(&t);
}

TEST_MAIN(T(general_round_trip), T(general_in_guest), T(special_round_trip), T(special_invalid),
	  T(interrupt_bitmap),
	  T(sregs2), T(long_mode), T(translate), T(fpu))
