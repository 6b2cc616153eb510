// SPDX-License-Identifier: GPL-2.0
/*
 * Task switches: by far jump and call, by task gates in the IDT (INT n, exception with and without
 * error code, NMI, external interrupt), back by IRET with NT; each also with the tables or the
 * stack missing from the nested page tables.
 *
 * The hardware leaves all of it to the hypervisor, and what kind of switch it is must be told from
 * what was being delivered: a software interrupt through a task gate pushes no error code and
 * leaves EIP behind the instruction.
 *
 * QEMU's emulator has no intercept for them: there the switches are its own, don't set CR0.TS and
 * can't be taken up again after a nested page fault, so that little is left to test.
 */
#include "guest.h"

GUEST_HEADER(HEADER_CPUS(1) | HEADER_IRQCHIP);

struct tss {
	u32 link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags, eax, ecx, edx, ebx, esp, ebp,
	esi, edi;
	u32 es, cs, ss, ds, fs, gs, ldt, iomap;
} __attribute__((packed));

#define GDT ((volatile u64 *)0x7000)
#define IDT ((volatile u64 *)0xe000)
#define MAIN_SEL 0x48
#define TASK_SEL 0x50
#define GATE_SEL 0x58

static struct tss main_tss __attribute__((aligned(4096)));
static struct tss task_tss __attribute__((aligned(4096)));
static u8 task_stack[4096] __attribute__((aligned(4096)));

/* What the other task saw. */
volatile u32 task_runs, task_link, task_nt, task_error, task_has_error, task_arg;

static bool tcg;

static u64 descriptor(u32 base, u32 limit, u8 type)
{
	return (limit & 0xffff) | (u64)(base & 0xffffff) << 16 | (u64)type << 40 |
	       (u64)(base >> 24) << 56;
}

static u64 task_gate(u32 selector)
{
	return (u64)selector << 16 | 0xe500ull << 32;
}

/*
 * The other task: notes how it was started and goes back by IRET, for ever: after IRET its EIP is
 * behind it, so that it loops. An exception's error code is on its stack, and is popped.
 */
asm(".pushsection .text\n"
    "task_entry:\n"
    "1:	incl task_runs\n"
    "	pushf; pop %eax; mov %eax, task_nt\n"
    "	mov %edi, task_arg\n"
    "	cmpl $0, task_has_error; je 2f; popl task_error\n"
    "2:	cmpl $0, task_ack; je 3f; movl $0, 0xfee000b0\n"
    "3:	iret\n"
    "	jmp 1b\n"
    ".popsection");
extern u8 task_entry[];
volatile u32 task_ack;

static void reset_task(void)
{
	u8 *p = (u8 *)&task_tss;

	for (u32 i = 0; i < sizeof(task_tss); i++)
		p[i] = 0;
	task_tss.eip = (u32)task_entry;
	task_tss.eflags = 2;
	task_tss.esp = (u32)task_stack + sizeof(task_stack);
	task_tss.cs = 0x08;
	task_tss.ss = task_tss.ds = task_tss.es = task_tss.fs = task_tss.gs = 0x10;
	task_tss.edi = 0xabcd;
	task_tss.iomap = 0x680000;
	GDT[TASK_SEL / 8] = descriptor((u32)&task_tss, 0x67, 0x89);
	task_runs = task_error = task_has_error = task_ack = 0;
	task_nt = 0;
}

/* After each switch there and back. */
static void expect(const char *what, int line, bool nested)
{
	u16 tr;

	if (task_runs != 1)
		fail(what, line, task_runs, 1);
	if (!!(task_nt & 1 << 14) != nested)
		fail(what, line, task_nt, nested << 14);
	if (task_arg != 0xabcd)
		fail(what, line, task_arg, 0xabcd);
	if (nested && (task_tss.link & 0xffff) != MAIN_SEL)
		fail(what, line, task_tss.link, MAIN_SEL);
	asm volatile("str %0" : "=r" (tr));
	if (tr != MAIN_SEL)
		fail(what, line, tr, MAIN_SEL);
	/* The main task is busy, the other one free again; TS is set. */
	if ((GDT[MAIN_SEL / 8] >> 40 & 0xff) != 0x8b)
		fail(what, line, GDT[MAIN_SEL / 8] >> 40 & 0xff, 0x8b);
	if ((GDT[TASK_SEL / 8] >> 40 & 0xff) != 0x89)
		fail(what, line, GDT[TASK_SEL / 8] >> 40 & 0xff, 0x89);
	{
		u32 cr0;

		asm volatile("mov %%cr0, %0; clts" : "=r" (cr0));
		if (!(cr0 & 8) && !tcg)
			fail(what, line, cr0, cr0 | 8);
	}
	reset_task();
}

#define EXPECT(what, nested) expect(what, __LINE__, nested)

static const struct prepare {
	u16 port;
	u32 value;
} prepares[] = {
	{ PORT_NOTHING, 0 }, { PORT_DROP, 0xe000 }, { PORT_DROP, 0x7000 }, { PORT_DROP, (u32)-1 },
	{ PORT_DROP, (u32)-2 },
	{ PORT_DROP_ALL, 0 }, { PORT_PROTECT, 0 },
};

static u32 target(const struct prepare *p)
{
	return p->value == (u32)-1 ? (u32)task_stack : p->value == (u32)-2 ? (u32)&task_tss :
	p->value;
}

#define CLOBBERS "memory", "cc"

/* The request to the host and the event, with values in registers that must be there afterwards. */
#define SWITCH(insn) \
	({ \
		u32 b_ = 0x11112222, s_ = 0x33334444, d_ = 0x55556666; \
		asm volatile("out %%eax, %%dx\n" insn "\n" \
			     : "+b" (b_), "+S" (s_), "+D" (d_) : "a" (value), "d" (p->port) : \
			     "ecx", CLOBBERS); \
		CHECK_EQ("ebx over a switch", b_, 0x11112222); \
		CHECK_EQ("esi over a switch", s_, 0x33334444); \
		CHECK_EQ("edi over a switch", d_, 0x55556666); \
	})

static void switches(const struct prepare *p)
{
	u32 value = target(p);
	extern u8 l_int[], l_call[];

	SWITCH("lcall $0x50, $0; l_call: nop");
	CHECK_EQ("EIP saved by a call", main_tss.eip, (u32)l_call);
	EXPECT("far call", true);

	SWITCH("lcall $0x58, $0");
	EXPECT("far call through a task gate", true);

	IDT[0x40] = task_gate(TASK_SEL);
	SWITCH("int $0x40; l_int: nop");
	CHECK_EQ("EIP saved by INT n", main_tss.eip, (u32)l_int);
	EXPECT("int n", true);

	IDT[3] = task_gate(TASK_SEL);
	SWITCH("int3; l_int3: nop");
	EXPECT("int3", true);
}

/*
 * A fault's EIP is the instruction itself. This task mends what faulted: it moves the main task's
 * EIP on.
 */
asm(".pushsection .text\n"
    "skip_entry:\n"
    "1:	incl task_runs\n"
    "	pushf; pop %eax; mov %eax, task_nt\n"
    "	mov %edi, task_arg\n"
    "	cmpl $0, task_has_error; je 2f; popl task_error\n"
    "2:	mov main_eip, %eax; mov (%eax), %ecx; mov %ecx, fault_eip; mov fault_next, %ecx;"
    "mov %ecx, (%eax)\n"
    "	iret\n"
    "	jmp 1b\n"
    ".popsection");
extern u8 skip_entry[];
volatile u32 main_eip, fault_eip, fault_next;

static void faults(const struct prepare *p)
{
	u32 value = target(p);
	extern u8 l_ud[], l_ud_next[], l_gp[], l_gp_next[];

	main_eip = (u32)&main_tss.eip;
	IDT[6] = task_gate(TASK_SEL);
	task_tss.eip = (u32)skip_entry;
	fault_next = (u32)l_ud_next;
	SWITCH("l_ud: ud2; l_ud_next: nop");
	CHECK_EQ("EIP saved by a fault", fault_eip, (u32)l_ud);
	EXPECT("#UD", true);

	IDT[13] = task_gate(TASK_SEL);
	task_tss.eip = (u32)skip_entry;
	task_has_error = 1;
	fault_next = (u32)l_gp_next;
	SWITCH("mov $0x8b, %%ecx; l_gp: mov %%ecx, %%fs; l_gp_next: nop");
	CHECK_EQ("EIP saved by a fault", fault_eip, (u32)l_gp);
	CHECK_EQ("error code on the task's stack", task_error, 0x88);
	CHECK_EQ("the task's ESP", task_tss.esp, (u32)task_stack + sizeof(task_stack));
	EXPECT("#GP", true);
}

static void asynchronous(const struct prepare *p)
{
	u32 value = target(p);

	/* NMI. The page goes, then the NMI is asked for: OUT itself touches code only. */
	IDT[2] = task_gate(TASK_SEL);
	SWITCH("mov $0, %%eax; out %%eax, $0xe2; nop");
	EXPECT("NMI", true);
	/* IRET from that task ended the masking. */
	SWITCH("mov $0, %%eax; out %%eax, $0xe2; nop");
	EXPECT("NMI again", true);
	/* An interrupt of the I/O APIC. */
	IDT[0x51] = task_gate(TASK_SEL);
	task_ack = 1;
	outl(PORT_LINE, 20);
	outl(PORT_LINE, 20 | 1 << 8);
	SWITCH("sti; nop; nop; cli");
	EXPECT("external interrupt", true);
}

/* JMP: no link, no NT; the old task is no longer busy. Back by another JMP. */
asm(".pushsection .text\n"
    "jump_entry: incl task_runs; pushf; pop %eax; mov %eax, task_nt; mov %edi, task_arg;"
    "ljmp $0x48, $0; jmp jump_entry\n"
    ".popsection");
extern u8 jump_entry[];

static void jumps(const struct prepare *p)
{
	u32 value = target(p);

	task_tss.eip = (u32)jump_entry;
	SWITCH("ljmp $0x50, $0; nop");
	CHECK_EQ("link after a jump", task_tss.link, 0);
	EXPECT("far jump", false);
}

static void __attribute__((noreturn, used)) bad(u32 vector, u32 eip)
{
	put("exception ");
	put_hex(vector);
	put(" at ");
	put_hex(eip);
	put("\n");
	failures++;
	done();
}

asm(".pushsection .text\n"
    "bad_stubs: vector = 0\n"
    "	.rept 32; .balign 16; push $vector; call bad_common; vector = vector + 1; .endr\n"
    "bad_common: pop %eax; pop %eax; pop %edx; cmp $0x200, %edx; ja 1f; pop %edx; 1: push %edx;"
    "push %eax; call bad\n"
    ".popsection\n"
    ".pushsection .entry, \"ax\"\ncld; push %esi; push %edi; call guest_main; hlt; .popsection");
extern u8 bad_stubs[];

void guest_main(int cpu, bool is_tcg)
{
	(void)cpu;
	tcg = is_tcg;
	for (int i = 0; i < 32; i++) {
		u32 at = (u32)bad_stubs + 16 * i;

		IDT[i] = (at & 0xffff) | 0x08 << 16 | (0x8e00ull | (u64)(at & 0xffff0000)) << 32;
	}
	GDT[MAIN_SEL / 8] = descriptor((u32)&main_tss, 0x67, 0x89);
	GDT[GATE_SEL / 8] = task_gate(TASK_SEL);
	asm volatile("ltr %w0" : : "r" (MAIN_SEL));
	apic_on();
	*(volatile u32 *)0xfec00000 = 0x10 + 40;
	*(volatile u32 *)0xfec00010 = 0x51;
	reset_task();
	for (u32 i = 0; i < (tcg ? 1 : ARRAY_SIZE(prepares)); i++) {
		int before = failures;

		switches(&prepares[i]);
		jumps(&prepares[i]);
		faults(&prepares[i]);
		asynchronous(&prepares[i]);
		if (failures != before) {
			put("  ... with preparation ");
			put_hex(i);
			put("\n");
		}
	}
	done();
}
