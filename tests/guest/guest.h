/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What guest payloads share, and what they and their host agree on.
 *
 * A payload is a freestanding flat binary, loaded at 0x100000 and entered at its start by every
 * vCPU in long mode (or in 32-bit protected mode, where its name ends in 32) with the vCPU's number
 * in edi, in esi whether the host is QEMU's emulator (which lacks a few things), in edx whether real
 * mode is emulated all the same, and a stack of its own. The first 64 KiB are as tinyvmm.h lays them out. The payload tests the machine that it runs
 * on, prints what is wrong and ends with done().
 *
 * The host is the other half of each test. A guest asks it through ports, so that the request comes
 * exactly between two instructions:
 *
 *	PORT_DROP	this page is taken out of the nested page tables (its contents stay)
 *	PORT_DROP_ALL	all of memory is: whatever the CPU touches next faults
 *	PORT_PROTECT	all of memory is write-protected (dirty logging off and on)
 *	PORT_NMI	an NMI for this vCPU
 *	PORT_LINE	interrupt line: number | level << 8
 *	PORT_ECHO	a device register that gives back what was written, plus 1 at each read
 *	PORT_FIFO	string I/O: bytes written come back in order
 *	PORT_EXITS	read: how often this vCPU has left the guest
 *	PORT_BLOCKIRQ	a debugger holds interrupts back from this vCPU, or no longer
 *	PORT_APICV	read: does hardware do the local APIC's work?
 *
 * At DEVICE there are two pages of a device that behaves like memory but every access of which goes
 * to the host.
 */
#ifndef GUEST_H
#define GUEST_H

#define PORT_DROP	0xe0
#define PORT_DROP_ALL	0xe1
#define PORT_NMI	0xe2
#define PORT_LINE	0xe3
#define PORT_PROTECT	0xe5
#define PORT_ECHO	0xe6
#define PORT_NOTHING	0xe8
#define PORT_CHAR	0xe9
#define PORT_FIFO	0xea
#define PORT_EXITS	0xeb
#define PORT_BLOCKIRQ	0xec
#define PORT_APICV	0xed
#define PORT_DONE	0xf4

#define LOAD		0x100000
#define RAM_SIZE	0x800000
#define DEVICE		RAM_SIZE	/* directly behind RAM */
#define DEVICE_SIZE	0x2000
#define STACKS		0x80000		/* stack of vCPU n ends at STACKS + 0x4000 * (n + 1) */

#define HEADER_MAGIC	0x7473657467766d6bull

/* At the very start of a payload, before its entry at offset 16. */
#define HEADER_IRQCHIP	0x100
#define HEADER_PIT	0x200
#define HEADER_CPUS(n)	(n)

#ifndef __ASSEMBLER__
#ifdef GUEST_PAYLOAD

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef unsigned long ulong;
typedef _Bool bool;

#define true 1
#define false 0
#define NULL ((void *)0)
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define barrier() asm volatile("" ::: "memory")

/* What the machine needs, in the first bytes of the payload. */
#define GUEST_HEADER(flags) \
	__attribute__((section(".header"), used)) \
	static const u64 header[2] = { HEADER_MAGIC, flags }

static inline void outb(u16 port, u8 v)
{
	asm volatile("outb %0, %1" : : "a" (v), "Nd" (port) : "memory");
}

static inline void outl(u16 port, u32 v)
{
	asm volatile("outl %0, %1" : : "a" (v), "Nd" (port) : "memory");
}

static inline u8 inb(u16 port)
{
	u8 v;

	asm volatile("inb %1, %0" : "=a" (v) : "Nd" (port) : "memory");
	return v;
}

static inline u32 inl(u16 port)
{
	u32 v;

	asm volatile("inl %1, %0" : "=a" (v) : "Nd" (port) : "memory");
	return v;
}

static inline u64 rdmsr(u32 msr)
{
	u32 lo, hi;

	asm volatile("rdmsr" : "=a" (lo), "=d" (hi) : "c" (msr) : "memory");
	return lo | (u64)hi << 32;
}

static inline void wrmsr(u32 msr, u64 v)
{
	asm volatile("wrmsr" : : "c" (msr), "a" ((u32)v), "d" ((u32)(v >> 32)) : "memory");
}

static inline u64 rdtsc(void)
{
	u32 lo, hi;

	asm volatile("rdtsc" : "=a" (lo), "=d" (hi));
	return lo | (u64)hi << 32;
}

static inline void sti(void) { asm volatile("sti; nop" ::: "memory"); }
static inline void cli(void) { asm volatile("cli" ::: "memory"); }
static inline void pause(void) { asm volatile("pause" ::: "memory"); }

static inline void put(const char *s)
{
	while (*s)
		outb(PORT_CHAR, *s++);
}

static inline void put_hex(u64 v)
{
	put("0x");
	for (int i = 60; i >= 0; i -= 4)
		if (v >> i || !i)
			outb(PORT_CHAR, "0123456789abcdef"[v >> i & 15]);
}

static volatile int failures __attribute__((unused));

static inline void fail(const char *what, int line, u64 got, u64 want)
{
	failures++;
	put(what);
	put(" (line ");
	outb(PORT_CHAR, '0' + line / 1000 % 10);
	outb(PORT_CHAR, '0' + line / 100 % 10);
	outb(PORT_CHAR, '0' + line / 10 % 10);
	outb(PORT_CHAR, '0' + line % 10);
	put("): ");
	put_hex(got);
	put(", not ");
	put_hex(want);
	put("\n");
}

#define CHECK_EQ(what, got, want) \
	do { \
		u64 got_ = (u64)(got), want_ = (u64)(want); \
		if (got_ != want_) \
			fail(what, __LINE__, got_, want_); \
	} while (0)

static inline void __attribute__((noreturn)) done(void)
{
	for (;;)
		outb(PORT_DONE, failures ? 1 : 0);
}

#define MSR_APIC_BASE	0x1b
#define MSR_DEADLINE	0x6e0
#define X2APIC(reg)	(0x800 + (reg) / 16)

/* The local APIC by either way; x2apic is the payload's to set. */
static bool x2apic __attribute__((unused));

static inline void apic_write(u32 reg, u32 v)
{
	if (x2apic)
		wrmsr(X2APIC(reg), v);
	else
		*(volatile u32 *)(ulong)(0xfee00000 + reg) = v;
}

static inline u32 apic_read(u32 reg)
{
	return x2apic ? rdmsr(X2APIC(reg)) : *(volatile u32 *)(ulong)(0xfee00000 + reg);
}

static inline void apic_eoi(void)
{
	apic_write(0xb0, 0);
}

/* Software enable, PIC masked. In x2APIC mode if wanted. */
static inline void apic_on(void)
{
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
	if (x2apic)
		wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | 0xc00);
	apic_write(0xf0, 0x1ff);
}

static inline void apic_icr(u32 dest, u32 lo)
{
	if (x2apic) {
		wrmsr(X2APIC(0x300), lo | (u64)dest << 32);
	} else {
		apic_write(0x310, dest << 24);
		apic_write(0x300, lo);
	}
}

#ifdef __x86_64__
/* What the entry stubs of start64.S leave on the stack. */
struct frame {
	u64 r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rdx, rcx, rbx, rax;
	u64 vector, error;
	u64 rip, cs, rflags, rsp, ss;
};

extern u8 stubs[256][16];
extern void user_call(void *fn, u32 eax, u32 edx);	/* at CPL 3, until it returns */

void trap(struct frame *f);

/* All 256 gates to the stubs, callable from CPL 3; the TSS' ring 0 stack. */
static inline void idt_setup(u64 rsp0)
{
	volatile u64 *idt = (u64 *)0xe000;

	for (int i = 0; i < 256; i++) {
		u64 at = (u64)stubs[i];

		idt[2 * i] = (at & 0xffff) | 0x18 << 16 | 0xee00ull << 32 |
			     (at >> 16 & 0xffff) << 48;
		idt[2 * i + 1] = at >> 32;
	}
	*(volatile u32 *)0x7104 = rsp0;
	*(volatile u32 *)0x7108 = rsp0 >> 32;
}
#endif

#endif /* GUEST_PAYLOAD */
#endif /* __ASSEMBLER__ */
#endif
