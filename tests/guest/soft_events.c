// SPDX-License-Identifier: GPL-2.0
/*
 * Exceptions and software interrupts whose delivery itself faults.
 *
 * Each event happens with everything in place, and then again with the page of the IDT, the stack,
 * the GDT and TSS, or all of memory missing from the nested page tables, or write-protected:
 * delivery exits half-way and must be taken up again. It must then happen exactly once, with the
 * RIP that the architecture names. On CPUs without NRIP save the RIP that goes with an interrupted
 * INT3, INT n or INTO is not told by the hardware: an implementation that injects the event again
 * as it came pushes the RIP of the instruction itself.
 */
#include "guest.h"

GUEST_HEADER(HEADER_CPUS(1));

/* name: the request to the host, the event, and back. */
#define SNIPPET(name, insn) \
	asm(".pushsection .text\n" \
	    #name ": out %eax, %dx\n" #name "_at: " insn "\n" #name "_after: nop; ret\n" \
	    ".popsection"); \
	extern u8 name[], name##_at[], name##_after[]

SNIPPET(s_int3, "int3");
SNIPPET(s_int_3, ".byte 0xcd, 3");
SNIPPET(s_int40, "int $0x40");
SNIPPET(s_intff, "int $0xff");
SNIPPET(s_icebp, ".byte 0xf1");
SNIPPET(s_ud2, "ud2");
SNIPPET(s_div, "xor %ecx, %ecx; div %ecx");
SNIPPET(s_gp, "mov $0x8b, %ecx; mov %ecx, %fs");	/* selector beyond the GDT */
SNIPPET(s_pf, "mov 0x200000000, %al");

/*
 * INTO exists outside of 64-bit mode only. Calls in that mode would need a 32-bit stack; jumps
 * don't.
 */
asm(".pushsection .text\n"
    "s_into: push $0x08; pushq $1f; lretq\n"
    ".code32\n"
    "1: out %eax, %dx; mov $0x7fffffff, %eax; add $1, %eax\n"
    "s_into_at: into\n"
    "s_into_after: ljmp $0x18, $2f\n"
    ".code64\n"
    "2: ret\n"
    ".popsection");
extern u8 s_into[], s_into_at[], s_into_after[];

enum { FAULT, TRAP };

static const struct event {
	const char *name;
	u8 *code, *at, *after;
	int kind, vector;
	u64 error;
	int skip;	/* bytes before the instruction that faults */
} events[] = {
	{ "int3", s_int3, s_int3_at, s_int3_after, TRAP, 3, 0, 0 },
	{ "int 3", s_int_3, s_int_3_at, s_int_3_after, TRAP, 3, 0, 0 },
	{ "int 0x40", s_int40, s_int40_at, s_int40_after, TRAP, 0x40, 0, 0 },
	{ "int 0xff", s_intff, s_intff_at, s_intff_after, TRAP, 0xff, 0, 0 },
	{ "icebp", s_icebp, s_icebp_at, s_icebp_after, TRAP, 1, 0, 0 },
	{ "into", s_into, s_into_at, s_into_after, TRAP, 4, 0, 0 },
	{ "ud2", s_ud2, s_ud2_at, s_ud2_after, FAULT, 6, 0, 0 },
	{ "div", s_div, s_div_at, s_div_after, FAULT, 0, 0, 2 },
	{ "#GP", s_gp, s_gp_at, s_gp_after, FAULT, 13, 0x88, 5 },
	{ "#PF", s_pf, s_pf_at, s_pf_after, FAULT, 14, 0, 0 },
};

static const struct prepare {
	const char *name;
	u16 port;
	u32 value;
} prepares[] = {
	{ "all in place", PORT_NOTHING, 0 },
	{ "IDT dropped", PORT_DROP, 0xe000 },
	{ "stack dropped", PORT_DROP, 1 },
	{ "GDT and TSS dropped", PORT_DROP, 0x7000 },
	{ "handler dropped", PORT_DROP, 2 },
	{ "write-protected", PORT_PROTECT, 0 },
	{ "all dropped", PORT_DROP_ALL, 0 },
};

static const struct event *now;
static int count;
static struct frame seen;
static u64 cr2;

#define RSP0 (STACKS + 0xe000)

void trap(struct frame *f)
{
	seen = *f;
	asm volatile("mov %%cr2, %0" : "=r" (cr2));
	if (++count > 3) {
		put("an event that never ends, vector ");
		put_hex(f->vector);
		put(" at ");
		put_hex(f->rip);
		put(" instead of ");
		put(now->name);
		put("\n");
		failures++;
		done();
	}
	if (f->vector == (u64)now->vector && now->kind == FAULT)
		f->rip = (u64)now->after;
}

static void one(const struct event *e, const struct prepare *p, bool user)
{
	int before = failures;
	u32 value = p->value;
	u64 rsp;

	asm volatile("mov %%rsp, %0" : "=r" (rsp));
	if (p->port == PORT_DROP && value == 1)
		value = user ? RSP0 - 8 : rsp - 64;
	else if (p->port == PORT_DROP && value == 2)
		value = (u64)stubs[e->vector];
	now = e;
	count = 0;
	barrier();
	if (user)
		user_call(e->code, value, p->port);
	else
		asm volatile("call *%2" : : "a" (value), "d" (p->port), "r" (e->code)
			     : "rcx", "memory", "cc");
	barrier();
	CHECK_EQ("times", count, 1);
	CHECK_EQ("vector", seen.vector, e->vector);
	CHECK_EQ("RIP", seen.rip, e->kind == TRAP ? e->after : e->at + e->skip);
	CHECK_EQ("error code", seen.error, e->error | (e->vector == 14 && user ? 4 : 0));
	if (e->vector == 14)
		CHECK_EQ("CR2", cr2, 0x200000000);
	CHECK_EQ("CS", seen.cs, e->code == s_into ? 0x08 : user ? 0x43 : 0x18);
	if (failures != before) {
		put("  ... of ");
		put(e->name);
		put(user ? " at CPL 3, " : " at CPL 0, ");
		put(p->name);
		put("\n");
	}
}

void guest_main(int cpu, bool tcg)
{
	(void)cpu;
	idt_setup(RSP0);
	for (u32 e = 0; e < ARRAY_SIZE(events); e++) {
		if (tcg && events[e].code == s_icebp)
			continue;	/* #UD there */
		for (u32 p = 0; p < ARRAY_SIZE(prepares); p++) {
			one(&events[e], &prepares[p], false);
			if (events[e].code != s_into)
				one(&events[e], &prepares[p], true);
		}
	}
	done();
}
