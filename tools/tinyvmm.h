/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The smallest useful virtual machine over raw /dev/kvm ioctls.
 *
 * Everything here is static inline, so that a tool or a test is one C file and one header. It is
 * written to be read: each function is one step that any virtual machine monitor takes, in the
 * order in which it takes them.
 *
 *	tvm_open()	open /dev/kvm and create a VM
 *	tvm_mem()	give it RAM at guest physical 0
 *	tvm_vcpu()	create one vCPU and map its struct kvm_run
 *	tvm_real() / tvm_prot() / tvm_long()	put the vCPU at CODE in that mode
 *	tvm_run()	run until the next exit
 *
 * Steps that fail print what failed and end the process: the tests that want to see an error call
 * the ioctl themselves.
 *
 * The first 64 KiB of guest memory are laid out so that the same addresses work in every mode, real
 * mode included:
 *
 *	0x0000	real-mode interrupt vectors
 *	0x1000	page tables: PML4, PDPT, four page directories (2 MiB pages,
								the first 4 GiB mapped one to one)
 *	0x7000	GDT, then the TSS
 *	0x8000	code: where payloads are loaded and started
 *	0xe000	top of the stack; the IDT of protected and long mode
 *	0xf000	free for data
 *
 * RAM is shared memory and not private: MADV_DONTNEED then takes a page away from the guest and
 * leaves what it holds.
 */
#ifndef TINYVMM_H
#define TINYVMM_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/kvm.h>

#define TVM_PT		0x1000
#define TVM_GDT		0x7000
#define TVM_TSS		0x7100
#define TVM_CODE	0x8000
#define TVM_STACK	0xe000
#define TVM_IDT		0xe000
#define TVM_DATA	0xf000

#define TVM_CS32	0x08
#define TVM_DS		0x10
#define TVM_CS64	0x18
#define TVM_TR		0x20
#define TVM_CS32_USER	0x33
#define TVM_DS_USER	0x3b
#define TVM_CS64_USER	0x43

#define TVM_CPUID_MAX	256

struct tvm {
	int sys;		/* /dev/kvm */
	int vm;
	uint8_t *mem;		/* guest physical 0 .. size - 1 */
	size_t size;
	int fd;			/* vCPU 0 */
	struct kvm_run *run;	/* vCPU 0 */
	int run_size;
};

static inline void tvm_die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static inline int tvm_ioctl(int fd, unsigned long nr, unsigned long arg, const char *what)
{
	int ret = ioctl(fd, nr, arg);

	if (ret < 0)
		tvm_die(what);
	return ret;
}

#define TVM_IOCTL(fd, nr, arg) tvm_ioctl(fd, nr, (unsigned long)(arg), #nr)

static inline uint64_t tvm_ptr(const void *p)
{
	return (uintptr_t)p;
}

/* Shared memory that a guest may use as RAM, all zero. */
static inline void *tvm_alloc(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		tvm_die("mmap of guest memory");
	return p;
}

static inline int tvm_set_slot(int vm, uint32_t slot, uint32_t flags, uint64_t gpa, uint64_t size,
			       void *host)
{
	struct kvm_userspace_memory_region r = {
		.slot = slot, .flags = flags, .guest_phys_addr = gpa,
		.memory_size = size, .userspace_addr = tvm_ptr(host),
	};

	return ioctl(vm, KVM_SET_USER_MEMORY_REGION, &r);
}

static inline void tvm_open(struct tvm *t)
{
	memset(t, 0, sizeof(*t));
	t->fd = -1;
	t->sys = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (t->sys < 0)
		tvm_die("/dev/kvm");
	if (TVM_IOCTL(t->sys, KVM_GET_API_VERSION, 0) != KVM_API_VERSION) {
		fprintf(stderr, "unknown KVM API version\n");
		exit(1);
	}
	t->vm = TVM_IOCTL(t->sys, KVM_CREATE_VM, 0);
	/*
	 * Needed before the first run on Intel hosts without unrestricted guest; harmless
	 * elsewhere.
	 */
	TVM_IOCTL(t->vm, KVM_SET_TSS_ADDR, 0xfffbd000);
}

static inline void tvm_mem(struct tvm *t, size_t size)
{
	t->size = size;
	t->mem = tvm_alloc(size);
	if (tvm_set_slot(t->vm, 0, 0, 0, size, t->mem) < 0)
		tvm_die("KVM_SET_USER_MEMORY_REGION");
}

/* All that the host supports; the caller frees it. */
static inline struct kvm_cpuid2 *tvm_supported_cpuid(int sys)
{
	struct kvm_cpuid2 *c = calloc(1, sizeof(*c) + TVM_CPUID_MAX * sizeof(c->entries[0]));

	if (!c)
		tvm_die("calloc");
	c->nent = TVM_CPUID_MAX;
	TVM_IOCTL(sys, KVM_GET_SUPPORTED_CPUID, c);
	return c;
}

static inline struct kvm_cpuid_entry2 *tvm_cpuid_find(struct kvm_cpuid2 *c, uint32_t leaf,
						      uint32_t index)
{
	for (uint32_t i = 0; i < c->nent; i++)
		if (c->entries[i].function == leaf && c->entries[i].index == index)
			return &c->entries[i];
	return NULL;
}

/*
 * Give a vCPU the CPUID that the host supports, with the TSC deadline timer and its own APIC id in
 * leaf 1.
 */
static inline void tvm_set_cpuid(struct tvm *t, int fd, unsigned int apic_id)
{
	struct kvm_cpuid2 *c = tvm_supported_cpuid(t->sys);
	struct kvm_cpuid_entry2 *e = tvm_cpuid_find(c, 1, 0);

	if (e) {
		e->ebx = (e->ebx & 0x00ffffff) | apic_id << 24;
		e->ecx |= 1u << 24;
	}
	TVM_IOCTL(fd, KVM_SET_CPUID2, c);
	free(c);
}

/* Create one more vCPU. */
static inline int tvm_add_vcpu(struct tvm *t, unsigned int id, struct kvm_run **run)
{
	int fd = TVM_IOCTL(t->vm, KVM_CREATE_VCPU, id);

	t->run_size = TVM_IOCTL(t->sys, KVM_GET_VCPU_MMAP_SIZE, 0);
	*run = mmap(NULL, t->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (*run == MAP_FAILED)
		tvm_die("mmap of struct kvm_run");
	tvm_set_cpuid(t, fd, id);
	return fd;
}

static inline void tvm_vcpu(struct tvm *t)
{
	t->fd = tvm_add_vcpu(t, 0, &t->run);
}

/* Where a vCPU starts: entry point and stack, all other general registers zero. */
static inline void tvm_start(int fd, uint64_t rip, uint64_t rsp)
{
	struct kvm_regs r = { .rip = rip, .rsp = rsp, .rflags = 2 };

	TVM_IOCTL(fd, KVM_SET_REGS, &r);
}

static inline struct kvm_segment tvm_segment(uint16_t selector, uint8_t type, bool code64)
{
	return (struct kvm_segment) {
		.base = 0, .limit = 0xffffffff, .selector = selector, .type = type,
		.present = 1, .dpl = selector & 3, .s = 1, .g = 1, .db = !code64, .l = code64,
	};
}

/* Real mode with every segment at 0. */
static inline void tvm_real_at(int fd, uint64_t rip)
{
	struct kvm_sregs s;

	TVM_IOCTL(fd, KVM_GET_SREGS, &s);
	s.cs.base = 0;
	s.cs.selector = 0;
	TVM_IOCTL(fd, KVM_SET_SREGS, &s);
	tvm_start(fd, rip, TVM_STACK);
}

static inline uint64_t tvm_descriptor(uint32_t base, uint32_t limit, uint16_t attr)
{
	return (limit & 0xffffull) | (base & 0xffffffull) << 16 | (uint64_t)attr << 40 |
	       (limit & 0xf0000ull) << 32 | (uint64_t)(base >> 24) << 56;
}

static inline void tvm_gdt(struct tvm *t)
{
	const uint64_t gdt[] = {
		[TVM_CS32 / 8] = tvm_descriptor(0, 0xfffff, 0xc09b),
		[TVM_DS / 8] = tvm_descriptor(0, 0xfffff, 0xc093),
		[TVM_CS64 / 8] = tvm_descriptor(0, 0xfffff, 0xa09b),
		/* 16 bytes in long mode: the next one is 0 */
		[TVM_TR / 8] = tvm_descriptor(TVM_TSS, 0x67, 0x008b),
		[TVM_CS32_USER / 8] = tvm_descriptor(0, 0xfffff, 0xc0fb),
		[TVM_DS_USER / 8] = tvm_descriptor(0, 0xfffff, 0xc0f3),
		[TVM_CS64_USER / 8] = tvm_descriptor(0, 0xfffff, 0xa0fb),
	};

	memcpy(t->mem + TVM_GDT, gdt, sizeof(gdt));
}

/* Protected mode, flat segments, no paging. */
static inline void tvm_prot_sregs(struct tvm *t, struct kvm_sregs *s)
{
	tvm_gdt(t);
	s->cs = tvm_segment(TVM_CS32, 11, false);
	s->ds = s->es = s->fs = s->gs = s->ss = tvm_segment(TVM_DS, 3, false);
	s->tr = (struct kvm_segment) {
		.base = TVM_TSS, .limit = 0x67, .selector = TVM_TR, .type = 11, .present = 1,
	};
	s->gdt.base = TVM_GDT;
	s->gdt.limit = 0x7f;
	s->idt.base = TVM_IDT;
	s->idt.limit = 0xfff;
	s->cr0 |= 0x31;		/* PE, ET, NE */
}

static inline void tvm_prot_at(struct tvm *t, int fd, uint64_t rip)
{
	struct kvm_sregs s;

	TVM_IOCTL(fd, KVM_GET_SREGS, &s);
	tvm_prot_sregs(t, &s);
	TVM_IOCTL(fd, KVM_SET_SREGS, &s);
	tvm_start(fd, rip, TVM_STACK);
}

static inline void tvm_page_tables(struct tvm *t)
{
	uint64_t *pml4 = (uint64_t *)(t->mem + TVM_PT);
	uint64_t *pdpt = pml4 + 512;
	uint64_t *pd = pml4 + 1024;

	pml4[0] = (TVM_PT + 0x1000) | 7;
	for (int i = 0; i < 4; i++)
		pdpt[i] = (TVM_PT + 0x2000 + i * 0x1000) | 7;
	for (int i = 0; i < 2048; i++)
		pd[i] = (uint64_t)i << 21 | 0x87;
}

/* A 64-bit interrupt gate in the IDT. */
static inline void tvm_gate(struct tvm *t, unsigned int vector, uint64_t at)
{
	uint64_t *gate = (uint64_t *)(t->mem + TVM_IDT + 16 * vector);

	gate[0] = (at & 0xffff) | (uint64_t)TVM_CS64 << 16 | 0x8e00ull << 32 |
		  (at >> 16 & 0xffff) << 48;
	gate[1] = at >> 32;
}

/* Long mode, the first 4 GiB mapped one to one, SSE usable. */
static inline void tvm_long_sregs(struct tvm *t, struct kvm_sregs *s)
{
	tvm_prot_sregs(t, s);
	tvm_page_tables(t);
	s->cs = tvm_segment(TVM_CS64, 11, true);
	s->cr3 = TVM_PT;
	s->cr4 = 0x620;		/* PAE, OSFXSR, OSXMMEXCPT */
	s->cr0 |= 0x80000002;	/* PG, MP */
	s->cr0 &= ~0x60000004ull;	/* CD, NW, EM */
	s->efer = 0x501;	/* LMA, LME, SCE */
}

static inline void tvm_long_at(struct tvm *t, int fd, uint64_t rip)
{
	struct kvm_sregs s;

	TVM_IOCTL(fd, KVM_GET_SREGS, &s);
	tvm_long_sregs(t, &s);
	TVM_IOCTL(fd, KVM_SET_SREGS, &s);
	tvm_start(fd, rip, TVM_STACK);
}

static inline void tvm_real(struct tvm *t)
{
	tvm_real_at(t->fd, TVM_CODE);
}

static inline void tvm_prot(struct tvm *t)
{
	tvm_prot_at(t, t->fd, TVM_CODE);
}

static inline void tvm_long(struct tvm *t)
{
	tvm_long_at(t, t->fd, TVM_CODE);
}

/* Run until the next exit. Returns what the ioctl returned; the reason is in run->exit_reason. */
static inline int tvm_run(struct tvm *t)
{
	return ioctl(t->fd, KVM_RUN, 0);
}

/* Where the data of a KVM_EXIT_IO is. */
static inline void *tvm_io_data(struct kvm_run *run)
{
	return (uint8_t *)run + run->io.data_offset;
}

static inline const char *tvm_exit_name(uint32_t reason)
{
	static const char *const name[] = {
		[KVM_EXIT_UNKNOWN] = "UNKNOWN", [KVM_EXIT_EXCEPTION] = "EXCEPTION",
		[KVM_EXIT_IO] = "IO",
		[KVM_EXIT_HYPERCALL] = "HYPERCALL", [KVM_EXIT_DEBUG] = "DEBUG",
		[KVM_EXIT_HLT] = "HLT",
		[KVM_EXIT_MMIO] = "MMIO", [KVM_EXIT_IRQ_WINDOW_OPEN] = "IRQ_WINDOW_OPEN",
		[KVM_EXIT_SHUTDOWN] = "SHUTDOWN", [KVM_EXIT_FAIL_ENTRY] = "FAIL_ENTRY",
		[KVM_EXIT_INTR] = "INTR",
		[KVM_EXIT_SET_TPR] = "SET_TPR", [KVM_EXIT_TPR_ACCESS] = "TPR_ACCESS",
		[KVM_EXIT_NMI] = "NMI",
		[KVM_EXIT_INTERNAL_ERROR] = "INTERNAL_ERROR",
		[KVM_EXIT_SYSTEM_EVENT] = "SYSTEM_EVENT",
		[KVM_EXIT_IOAPIC_EOI] = "IOAPIC_EOI", [KVM_EXIT_HYPERV] = "HYPERV",
		[KVM_EXIT_X86_RDMSR] = "X86_RDMSR", [KVM_EXIT_X86_WRMSR] = "X86_WRMSR",
		[KVM_EXIT_DIRTY_RING_FULL] = "DIRTY_RING_FULL",
		[KVM_EXIT_X86_BUS_LOCK] = "X86_BUS_LOCK",
	};

	if (reason >= sizeof(name) / sizeof(name[0]) || !name[reason])
		return "unnamed";
	return name[reason];
}

/*
 * The host machine is QEMU's emulator. Its AMD-V has no intercept of INT3 as an exception, doesn't
 * arm breakpoint registers at VMRUN, forgets to disarm those that a guest armed (a later guest then
 * stumbles over them), has no intercept of XSETBV and takes non-canonical addresses in MSRs: what
 * needs these can only be seen on other hosts.
 */
static inline bool host_is_tcg(void)
{
	uint32_t a = 0x40000000, b, c = 0, d;

	asm volatile("cpuid" : "+a" (a), "=b" (b), "+c" (c), "=d" (d));
	return b == 0x54474354 && c == 0x43544743 && d == 0x47435447;	/* "TCGTCGTCGTCG" */
}

/* Hardware does the local APIC's work: what it does by itself nobody hears of. */
static inline bool host_has_apicv(void)
{
	FILE *f = fopen("/sys/module/kvm_intel/parameters/enable_apicv", "r");
	int c = f ? getc(f) : 'N';

	if (f)
		fclose(f);
	return c == 'Y';
}

/* The instruction by which guests on this machine make hypercalls: VMMCALL or VMCALL, three bytes. */
static inline const void *hypercall_insn(bool other_vendor)
{
	static const char insn[2][4] = { "\x0f\x01\xc1", "\x0f\x01\xd9" };
	uint32_t a = 0, b, c = 0, d;

	asm volatile("cpuid" : "+a" (a), "=b" (b), "+c" (c), "=d" (d));
	return insn[(b != 0x756e6547) ^ other_vendor];	/* "Genu" */
}

static inline void tvm_print_exit(FILE *f, int fd, struct kvm_run *run)
{
	struct kvm_regs r = { 0 };

	ioctl(fd, KVM_GET_REGS, &r);
	fprintf(f, "exit %u %s at rip %#llx rsp %#llx rflags %#llx rax %#llx", run->exit_reason,
		tvm_exit_name(run->exit_reason), r.rip, r.rsp, r.rflags, r.rax);
	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		fprintf(f, ": %s port %#x size %u count %u", run->io.direction ? "out" : "in",
			run->io.port,
			run->io.size, run->io.count);
		break;
	case KVM_EXIT_MMIO:
		fprintf(f, ": %s %#llx len %u", run->mmio.is_write ? "write" : "read",
			run->mmio.phys_addr, run->mmio.len);
		break;
	case KVM_EXIT_FAIL_ENTRY:
		fprintf(f, ": hardware reason %#llx",
			run->fail_entry.hardware_entry_failure_reason);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		fprintf(f, ": suberror %u", run->internal.suberror);
		for (uint32_t i = 0; i < run->internal.ndata && i < 16; i++)
			fprintf(f, " %#llx", run->internal.data[i]);
		break;
	}
	fputc('\n', f);
}

static inline void tvm_close(struct tvm *t)
{
	if (t->run)
		munmap(t->run, t->run_size);
	if (t->fd >= 0)
		close(t->fd);
	close(t->vm);
	close(t->sys);
	if (t->mem)
		munmap(t->mem, t->size);
}

#endif
