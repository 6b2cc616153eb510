// SPDX-License-Identifier: GPL-2.0
/* Machine checks that a VMM injects with KVM_X86_SET_MCE: what becomes of each, and what the guest sees. */
#include "kvmtest.h"

#define MCG_STATUS	0x17a
#define MCG_CTL		0x17b
#define MC_CTL(bank)	(0x400 + 4 * (bank))
#define MC_STATUS(bank)	(0x401 + 4 * (bank))
#define MC_ADDR(bank)	(0x402 + 4 * (bank))
#define MC_MISC(bank)	(0x403 + 4 * (bank))

#define VAL		(1ull << 63)
#define OVER		(1ull << 62)
#define UC		(1ull << 61)
#define EN		(1ull << 60)
#define CR4_MCE		(1 << 6)
#define RIPV		1
#define MCIP		4
#define BANK		3

GUEST(g_mce, 64,
      "lea " AT(g_mce, g_mce_idt) ", %rax; lidt (%rax); out %al, $0x10;"
      "out %al, $0x11; hlt;"
      "g_mce_isr: mov $0x40d, %ecx; rdmsr; out %eax, $0x20; mov %edx, %eax; out %eax, $0x21;"
      "mov $0x17a, %ecx; xor %eax, %eax; xor %edx, %edx; wrmsr;"
      "iretq; g_mce_idt: .word 0xfff; .quad 0xe000");

extern const uint8_t g_mce_isr[];

/* A guest with ten banks that stands before its second OUT. */
static void mce_guest(struct tvm *t, uint64_t mcg_cap, bool wants)
{
	uint64_t cap = mcg_cap | 10;
	struct kvm_sregs s;

	vm_new(t);
	REQUIRE_OK(ioctl(t->fd, KVM_X86_SETUP_MCE, &cap));
	GUEST_START(t, LONG, g_mce);
	tvm_gate(t, 18, TVM_CODE + (g_mce_isr - g_mce));
	s = get_sregs(t);
	s.cr4 |= wants ? CR4_MCE : 0;
	TVM_IOCTL(t->fd, KVM_SET_SREGS, &s);
	RUN_TO_OUT(t, 0x10);
}

static int inject(struct tvm *t, uint64_t status, uint64_t addr)
{
	struct kvm_x86_mce e = {
		.status = status, .addr = addr, .misc = addr + 1, .mcg_status = MCIP | RIPV,
		.bank = BANK,
	};

	return ioctl(t->fd, KVM_X86_SET_MCE, &e);
}

static void check_bank(struct tvm *t, uint64_t status, uint64_t addr)
{
	CHECK_EQ(get_msr(t, MC_STATUS(BANK)), status);
	CHECK_EQ(get_msr(t, MC_ADDR(BANK)), addr);
	CHECK_EQ(get_msr(t, MC_MISC(BANK)), addr ? addr + 1 : 0);
}

static void errors(void)
{
	struct kvm_x86_mce e = { .status = VAL | UC | EN, .addr = 0x1000, .bank = 10 };
	struct tvm t;

	mce_guest(&t, 0, true);
	CHECK_ERR(ioctl(t.fd, KVM_X86_SET_MCE, &e), EINVAL);	/* no such bank */
	e.bank = 255;
	CHECK_ERR(ioctl(t.fd, KVM_X86_SET_MCE, &e), EINVAL);
	CHECK_ERR(inject(&t, UC | EN, 0x1000), EINVAL);	/* not valid */
	CHECK_ERR(ioctl(t.fd, KVM_X86_SET_MCE, NULL), EFAULT);
	check_bank(&t, 0, 0);
	CHECK_EQ(get_msr(&t, MCG_STATUS), 0);
	RUN_TO_OUT(&t, 0x11);
	tvm_close(&t);
}

/* #MC, with the registers set before it; execution goes on where it was. */
static void uncorrected(void)
{
	struct tvm t;

	mce_guest(&t, 0, true);
	CHECK_OK(inject(&t, VAL | UC | EN | 0x151, 0x2000));
	check_bank(&t, VAL | UC | EN | 0x151, 0x2000);
	CHECK_EQ(get_msr(&t, MCG_STATUS), MCIP | RIPV);
	CHECK_EQ(RUN_TO_OUT(&t, 0x20), 0x151);
	CHECK_EQ(RUN_TO_OUT(&t, 0x21), (VAL | UC | EN) >> 32);
	RUN_TO_OUT(&t, 0x11);
	CHECK_EQ(get_msr(&t, MCG_STATUS), 0);
	tvm_close(&t);
}

/* A second one, after the guest has done with the first, finds its bank full. */
static void overflow(void)
{
	struct tvm t;

	mce_guest(&t, 0, true);
	CHECK_OK(inject(&t, VAL | UC | EN, 0x2000));
	RUN_TO_OUT(&t, 0x20);
	RUN_TO_OUT(&t, 0x21);
	RUN_TO_OUT(&t, 0x11);
	CHECK_OK(inject(&t, VAL | UC | EN, 0x3000));
	check_bank(&t, VAL | OVER | UC | EN, 0x3000);
	RUN_TO_OUT(&t, 0x20);
	tvm_close(&t);
}

/* One while another is in progress is the end of the machine. */
static void in_progress(void)
{
	struct tvm t;

	mce_guest(&t, 0, true);
	CHECK_EQ(set_msr(&t, MCG_STATUS, MCIP), 1);
	CHECK_OK(inject(&t, VAL | UC | EN, 0x2000));
	RUN_TO(&t, KVM_EXIT_SHUTDOWN);
	tvm_close(&t);
}

/* So it is for a guest that does not take them, as on a processor. */
static void unwanted(void)
{
	struct tvm t;

	mce_guest(&t, 0, false);
	CHECK_OK(inject(&t, VAL | UC | EN, 0x2000));
	RUN_TO(&t, KVM_EXIT_SHUTDOWN);
	tvm_close(&t);
}

/* Corrected errors are only kept, and an uncorrected one is not lost to them. */
static void corrected(void)
{
	struct tvm t;

	mce_guest(&t, 0, true);
	CHECK_OK(inject(&t, VAL | EN, 0x2000));
	check_bank(&t, VAL | EN, 0x2000);
	CHECK_EQ(get_msr(&t, MCG_STATUS), 0);
	CHECK_OK(inject(&t, VAL | EN | 7, 0x3000));
	check_bank(&t, VAL | OVER | EN | 7, 0x3000);
	CHECK_EQ(set_msr(&t, MC_STATUS(BANK), VAL | UC | EN), 1);
	CHECK_OK(inject(&t, VAL | EN | 8, 0x4000));
	check_bank(&t, VAL | OVER | UC | EN, 0x3000);
	RUN_TO_OUT(&t, 0x11);
	tvm_close(&t);
}

/* Reporting that is off, by the one control register or the bank's: no #MC, no trace. */
static void not_reported(void)
{
	struct tvm t;

	for (int all = 0; all < 2; all++) {
		mce_guest(&t, 1 << 8, true);	/* MCG_CTL_P */
		CHECK_EQ(get_msr(&t, MCG_CTL), ~0ull);
		CHECK_EQ(get_msr(&t, MC_CTL(BANK)), ~0ull);
		CHECK_EQ(set_msr(&t, all ? MCG_CTL : MC_CTL(BANK), 0), 1);
		CHECK_OK(inject(&t, VAL | UC | EN, 0x2000));
		check_bank(&t, 0, 0);
		CHECK_EQ(get_msr(&t, MCG_STATUS), 0);
		RUN_TO_OUT(&t, 0x11);
		tvm_close(&t);
	}
}

TEST_MAIN(T(errors), T(uncorrected), T(overflow), T(in_progress), T(unwanted), T(corrected),
	  T(not_reported))
