// SPDX-License-Identifier: GPL-2.0
/*
 * What an exit costs: TSC ticks from one guest instruction to the next across it.
 *
 * On a host that is emulated with instruction counting (one tick each instruction) a tick is a host
 * instruction, and the figures are exact and repeatable; that it counts so is checked first, by a loop
 * of known length. Each operation runs many times between two
 * RDTSC; the guest stores every difference, and the result is the median, less the median of doing
 * nothing: so that a timer tick of the host in between doesn't count. Only the first touch of a page
 * is a mean.
 *
 * Exits that go to this program include its own loop, which does as good as nothing, and the two
 * system call crossings. HLT is told apart: an idle host lets virtual time jump, so what is counted
 * there is the time from the deadline of the timer to the first instruction of the guest's handler.
 *
 * What means the same whichever way the host pages: the first touch of a page is the first access to
 * one that the host has in memory and the guest's tables map, but no table of the hypervisor's. The two
 * processes between which the guest switches have tables of their own for eight pages of 4K each, and
 * share those of the rest, as processes share a kernel. What differs: with nested paging neither CR3
 * nor an entry of a page table is the hypervisor's business, so these rows cost next to nothing.
 *
 *	exits [PART-OF-NAME [SUFFIX]]
 *
 * Only rows with that part in their names; the suffix is added to what is printed.
 *
 * Prints "exit,insns" lines. Other measurements (the floor of a bare VMRUN by a test module, say)
 * append theirs.
 */
#include <sys/eventfd.h>
#include "tinyvmm.h"

#define STEPS	2001		/* instructions of op_steps, besides what op_nothing has */
#define COUNT	200		/* of each operation; TVM_DATA has room for 512 */
#define RESULT	0x20000
#define FRESH	0x400000	/* pages that the guest has not touched */
#define OTHER_CR3	0x100000	/* TVM_PT is the first process's */
#define OWN_TABLES	0x101000	/* of the first process, then of the second: PDPT, PD, PT */
#define OWN_PAGES	0x110000	/* likewise: the pages of its own, eight each */
#define OWN_VIRT	(1ull << 39)	/* where both see theirs */
#define OWN_NR		8
#define PORT_END	0xf4
#define PORT_USER	0xe0
#define PORT_EVENT	0xe4
#define MMIO_USER	0xd0000000
#define MMIO_EVENT	0xd0001000

/*
 * Registers: rdi the operation, rsi how often, r15 where results go, r14 the next fresh page. An
 * operation may use rax, rbx, rcx, rdx, r9-r11; one that measures by itself leaves its result in
 * r10. The handler of vector 0x50 leaves its time in r9.
 */
extern const uint8_t payload[], payload_end[], payload_isr[], payload_hypercall[];
extern const uint8_t op_nothing[];	/* the empty loop, subtracted from all others */
extern const uint8_t op_steps[];

#define OPERATION(name, text) "op_" #name ": " text "; ret\n"

asm(".pushsection .rodata\n"
    "payload:\n"
    "	cli; mov $0xff, %al; out %al, $0x21; out %al, $0xa1\n"
    "	lidt payload_idt(%rip)\n"
    "	mov $0x1b, %ecx; rdmsr; or $0xc00, %eax; wrmsr\n"		/* x2APIC */
    /* spurious vector, enable */
    "	mov $0x80f, %ecx; mov $0x1ff, %eax; xor %edx, %edx; wrmsr\n"
    /* timer: deadline mode, vector 0x50 */
    "	mov $0x832, %ecx; mov $0x40050, %eax; wrmsr\n"
    "	sti\n"
    "1:	xor %r10d, %r10d\n"
    "	rdtsc; shl $32, %rdx; or %rdx, %rax; mov %rax, %r8\n"
    "	call *%rdi\n"
    "	rdtsc; shl $32, %rdx; or %rdx, %rax; sub %r8, %rax\n"
    "	test %r10, %r10; cmovnz %r10, %rax\n"
    "	mov %rax, (%r15); add $8, %r15\n"
    "	dec %rsi; jnz 1b\n"
    "	out %al, $0xf4\n"
    "	hlt\n"
    "payload_isr:\n"
    "	push %rax; push %rcx; push %rdx\n"
    "	rdtsc; shl $32, %rdx; or %rdx, %rax; mov %rax, %r9\n"
    "	mov $0x80b, %ecx; xor %eax, %eax; xor %edx, %edx; wrmsr\n"
    "	pop %rdx; pop %rcx; pop %rax; iretq\n"
    "payload_idt: .word 0xfff; .quad 0xe000\n"
    OPERATION(nothing, "")
    OPERATION(steps, "mov $1000, %ecx; 1: dec %ecx; jnz 1b")
    OPERATION(cpuid, "xor %eax, %eax; cpuid")
    OPERATION(rdmsr, "mov $0x3b, %ecx; rdmsr")
    OPERATION(wrmsr, "mov $0x3b, %ecx; xor %eax, %eax; xor %edx, %edx; wrmsr")
    OPERATION(vmcall, "mov $0x1234, %eax; payload_hypercall: vmmcall")
    OPERATION(cr0_wp, "mov %cr0, %rax; xor $0x10000, %rax; mov %rax, %cr0; xor $0x10000, %rax;"
		      "mov %rax, %cr0")
    OPERATION(cr4_pge, "mov %cr4, %rax; xor $0x80, %rax; mov %rax, %cr4; xor $0x80, %rax;"
		       "mov %rax, %cr4")
    OPERATION(in_kernel, "in $0x21, %al")
    OPERATION(out_kernel, "mov $0xff, %al; out %al, $0x21")
    OPERATION(in_user, "in $0xe0, %al")
    OPERATION(out_user, "out %al, $0xe0")
    OPERATION(mmio_read, "mov $0xd0000000, %ebx; mov (%rbx), %eax")
    OPERATION(mmio_write, "mov $0xd0000000, %ebx; mov %eax, (%rbx)")
    OPERATION(event_pio, "out %al, $0xe4")
    OPERATION(event_mmio, "mov $0xd0001000, %ebx; mov %eax, (%rbx)")
    OPERATION(self_ipi, "mov $0x83f, %ecx; mov $0x50, %eax; xor %edx, %edx; wrmsr")
    OPERATION(timer, "mov $0x6e0, %ecx; mov $1, %eax; xor %edx, %edx; wrmsr")
    OPERATION(hlt, "cli; rdtsc; shl $32, %rdx; or %rdx, %rax; add $100000, %rax; mov %rax, %r11;"
		   "mov %rax, %rdx;"
		   "shr $32, %rdx; mov $0x6e0, %ecx; wrmsr; sti; hlt; mov %r9, %r10;"
		   "sub %r11, %r10")
    OPERATION(touch, "movb $1, (%r14); add $0x1000, %r14")
    OPERATION(cr3, "mov $0x100000, %eax; mov %rax, %cr3; mov $0x1000, %eax; mov %rax, %cr3")
    OPERATION(switch, "mov $0x100000, %eax; mov %rax, %cr3; call touch_own;"
		      "mov $0x1000, %eax; mov %rax, %cr3; call touch_own")
    /* the entry of its first page: another frame each time */
    OPERATION(pte, "mov $0x103000, %ebx; xorl $0x1000, (%rbx); mov $1, %eax; shl $39, %rax;"
		   "invlpg (%rax); mov (%rax), %ecx")
    "touch_own: mov $1, %ebx; shl $39, %rbx; mov $8, %ecx\n"
    "1:	mov %al, (%rbx); add $0x1000, %rbx; dec %ecx; jnz 1b; ret\n"
    "payload_end:\n"
    ".popsection\n");

#define ROWS(X) \
	X(cpuid, "CPUID") \
	X(rdmsr, "RDMSR TSC_ADJUST") \
	X(wrmsr, "WRMSR TSC_ADJUST") \
	X(vmcall, "hypercall unknown") \
	X(cr0_wp, "CR0.WP twice") \
	X(cr4_pge, "CR4.PGE twice") \
	X(in_kernel, "IN kernel") \
	X(out_kernel, "OUT kernel") \
	X(in_user, "IN userspace") \
	X(out_user, "OUT userspace") \
	X(mmio_read, "MMIO read userspace") \
	X(mmio_write, "MMIO write userspace") \
	X(event_pio, "ioeventfd PIO") \
	X(event_mmio, "ioeventfd MMIO") \
	X(self_ipi, "x2APIC self IPI and EOI") \
	X(timer, "TSC deadline immediate and EOI") \
	X(hlt, "HLT wake after deadline") \
	X(touch, "first touch of a page") \
	X(cr3, "context switch, twice") \
	X(switch, "context switch and 8 touches, twice") \
	X(pte, "PTE write, INVLPG, touch")

#define DECLARE(op, label) extern const uint8_t op_##op[];
ROWS(DECLARE)

struct row {
	const uint8_t *op;
	const char *label;
};

#define ROW(o, l) { .op = op_##o, .label = l },
static const struct row rows[] = { ROWS(ROW) };

static void attach_eventfd(struct tvm *t, uint64_t addr, uint32_t len, uint32_t flags)
{
	struct kvm_ioeventfd e = { .addr = addr, .len = len, .fd = eventfd(0, EFD_NONBLOCK),
		.flags = flags };

	TVM_IOCTL(t->vm, KVM_IOEVENTFD, &e);
}

static void map_own(struct tvm *t, uint32_t cr3, int process)
{
	uint32_t tables = OWN_TABLES + process * 0x3000;
	uint32_t pages = OWN_PAGES + process * OWN_NR * 0x1000;
	uint64_t *pdpt = (uint64_t *)(t->mem + tables);
	uint64_t *top = (uint64_t *)(t->mem + cr3);

	top[OWN_VIRT >> 39] = tables | 7;
	pdpt[0] = (tables + 0x1000) | 7;
	pdpt[512] = (tables + 0x2000) | 7;
	for (int i = 0; i < OWN_NR; i++)
		pdpt[1024 + i] = (pages + i * 0x1000) | 7;
}

static void setup_processes(struct tvm *t)
{
	memcpy(t->mem + OTHER_CR3, t->mem + TVM_PT, 4096);
	map_own(t, TVM_PT, 0);
	map_own(t, OTHER_CR3, 1);
}

static void setup(struct tvm *t)
{
	void *fresh = tvm_alloc(COUNT * 4096);

	tvm_open(t);
	tvm_mem(t, 4 << 20);
	TVM_IOCTL(t->vm, KVM_CREATE_IRQCHIP, 0);
	tvm_vcpu(t);
	memcpy(t->mem + TVM_CODE, payload, payload_end - payload);
	/* The other vendor's would be one that the hypervisor has to emulate. */
	memcpy(t->mem + TVM_CODE + (payload_hypercall - payload), hypercall_insn(false), 3);
	memset(fresh, 1, COUNT * 4096);		/* the host has the pages, only the guest doesn't */
	if (tvm_set_slot(t->vm, 1, 0, FRESH, COUNT * 4096, fresh) < 0)
		tvm_die("KVM_SET_USER_MEMORY_REGION");
	attach_eventfd(t, PORT_EVENT, 1, KVM_IOEVENTFD_FLAG_PIO);
	attach_eventfd(t, MMIO_EVENT, 4, 0);
	tvm_long(t);
	setup_processes(t);
	tvm_gate(t, 0x50, TVM_CODE + (payload_isr - payload));
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* A hypervisor may map more than what was touched: then most touches cost nothing, and one much. */
static uint64_t mean(const uint64_t *v)
{
	uint64_t sum = 0;

	for (int i = 0; i < COUNT; i++)
		sum += v[i];
	return sum / COUNT;
}

/* Run one operation COUNT times; the median, or the mean of what can be done only once. */
static uint64_t measure(struct tvm *t, const uint8_t *op)
{
	struct kvm_regs r = {
		.rip = TVM_CODE, .rsp = TVM_STACK, .rflags = 2, .rdi = TVM_CODE + (op - payload),
		.rsi = COUNT,
		.r15 = RESULT, .r14 = FRESH,
	};
	uint64_t *v = (uint64_t *)(t->mem + RESULT);

	TVM_IOCTL(t->fd, KVM_SET_REGS, &r);
	do {
		if (tvm_run(t) < 0)
			tvm_die("KVM_RUN");
		if (t->run->exit_reason != KVM_EXIT_IO && t->run->exit_reason != KVM_EXIT_MMIO) {
			tvm_print_exit(stderr, t->fd, t->run);
			exit(1);
		}
	} while (t->run->exit_reason != KVM_EXIT_IO || t->run->io.port != PORT_END);
	/* The OUT is over only with the next KVM_RUN; do without its instruction. */
	t->run->immediate_exit = 1;
	tvm_run(t);
	t->run->immediate_exit = 0;
	if (op == op_touch)
		return mean(v);
	qsort(v, COUNT, sizeof(*v), compare);
	return v[COUNT / 2];
}

/* Are ticks instructions? */
static void check_ticks(uint64_t ticks)
{
	if (ticks == STEPS)
		return;
	fprintf(stderr, "%d instructions take %llu ticks: this host does not count them\n", STEPS,
		(unsigned long long)ticks);
	exit(1);
}

int main(int argc, char **argv)
{
	uint64_t base;
	struct tvm t;

	setup(&t);
	measure(&t, op_nothing);	/* to warm up */
	base = measure(&t, op_nothing);
	check_ticks(measure(&t, op_steps) - base);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t v;

		if (argc > 1 && !strstr(rows[i].label, argv[1]))
			continue;
		/* once to warm up; a page can only be touched once */
		if (rows[i].op != op_touch)
			measure(&t, rows[i].op);
		v = measure(&t, rows[i].op);
		/* HLT measures by itself and has no empty loop in it. */
		printf("%s%s,%llu\n", rows[i].label, argc > 2 ? argv[2] : "",
		       (unsigned long long)(rows[i].op == op_hlt ? v : v - base));
		fflush(stdout);
	}
	tvm_close(&t);
	return 0;
}
