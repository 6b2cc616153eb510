// SPDX-License-Identifier: GPL-2.0
/*
 * See native.h. What runs between a signal and the restored segment registers
 * must use neither thread-local storage nor the sanitizers.
 */
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <asm/prctl.h>
#include <check.h>
#include <cpuid.h>
#include <sched.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/ucontext.h>
#include <unistd.h>
#include "native.h"

#define RAW __attribute__((no_sanitize("address", "undefined"), optimize("no-stack-protector")))

u64 native_ldt[NR_LDT];
bool native_has_ldt, native_intel;

/* What the program was in when the UD2 came. */
static struct {
	greg_t gregs[23];
	u8 fp[8192] __attribute__((aligned(64)));
	u16 ds, es, fs, gs;
	u64 fs_base, gs_base;
} host;

static const struct state *native_in;
static struct outcome *native_out;
static bool inside, has_fsgsbase;

static const int greg_of[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI,
				 REG_RDI, REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13,
				 REG_R14, REG_R15 };

/*
 * A signal frame has the standard XSAVE layout: 512 legacy bytes, header, upper
 * halves of ymm. Bytes 464 on say how long it is and what the kernel put there.
 */
#define SW_SIZE		468
#define SW_FEATURES	472
#define XSTATE_BV	512
#define YMM_UPPER	576
#define HAS_YMM		4

static RAW void copy(void *to, const void *from, unsigned long n)
{
	asm volatile("rep movsb" : "+D" (to), "+S" (from), "+c" (n) : : "memory");
}

static RAW u64 frame_u64(const u8 *fp, unsigned int off)
{
	u64 v;

	copy(&v, fp + off, 8);
	return v;
}

static RAW unsigned int frame_size(const u8 *fp)
{
	unsigned int size = (u32)frame_u64(fp, SW_SIZE);

	return size <= sizeof(host.fp) ? size : sizeof(host.fp);
}

/* Bytes of struct em_fx that belong to the test; behind them are the kernel's. */
#define FX_OURS	offsetof(struct em_fx, rest)

static RAW void put_vectors(u8 *fp, const struct state *s)
{
	u64 features = frame_u64(fp, SW_FEATURES) & 7;
	u64 bv = frame_u64(fp, XSTATE_BV) | features;
	u32 mask = frame_u64(fp, offsetof(struct em_fx, mxcsr_mask));

	copy(fp, &s->fx, FX_OURS);
	copy(fp + offsetof(struct em_fx, mxcsr_mask), &mask, 4);
	if (features & HAS_YMM)
		copy(fp + YMM_UPPER, s->ymm_upper, sizeof(s->ymm_upper));
	copy(fp + XSTATE_BV, &bv, 8);
}

static RAW void get_vectors(const u8 *fp, struct state *s)
{
	u64 bv = frame_u64(fp, XSTATE_BV);
	static const struct em_fx init = { .fcw = 0x37f, .mxcsr = 0x1f80 };
	u32 mxcsr;

	copy(&s->fx, fp, FX_OURS);
	copy(&mxcsr, fp + offsetof(struct em_fx, mxcsr), 4);
	if (!(bv & 1))
		copy(&s->fx, &init, offsetof(struct em_fx, xmm));
	s->fx.mxcsr = mxcsr;
	if (!(bv & 2))
		__builtin_memset(s->fx.xmm, 0, sizeof(s->fx.xmm));
	if (!(frame_u64(fp, SW_FEATURES) & HAS_YMM))
		copy(s->ymm_upper, native_in->ymm_upper, sizeof(s->ymm_upper));
	else if (bv & HAS_YMM)
		copy(s->ymm_upper, fp + YMM_UPPER, sizeof(s->ymm_upper));
	else
		__builtin_memset(s->ymm_upper, 0, sizeof(s->ymm_upper));
}

static RAW void get_segs(u16 *ds, u16 *es, u16 *fs, u16 *gs)
{
	asm volatile("mov %%ds, %0" : "=rm" (*ds));
	asm volatile("mov %%es, %0" : "=rm" (*es));
	asm volatile("mov %%fs, %0" : "=rm" (*fs));
	asm volatile("mov %%gs, %0" : "=rm" (*gs));
}

static RAW void set_segs(u16 ds, u16 es, u16 fs, u16 gs)
{
	asm volatile("mov %0, %%ds" : : "rm" (ds));
	asm volatile("mov %0, %%es" : : "rm" (es));
	asm volatile("mov %0, %%fs" : : "rm" (fs));
	asm volatile("mov %0, %%gs" : : "rm" (gs));
}

static RAW void raw_prctl(int what, u64 arg)
{
	long r = SYS_arch_prctl;

	asm volatile("syscall" : "+a" (r) : "D" ((long)what), "S" (arg)
		     : "rcx", "r11", "memory");
}

static RAW void get_bases(u64 *fs, u64 *gs)
{
	if (!has_fsgsbase) {
		raw_prctl(ARCH_GET_FS, (u64)(unsigned long)fs);
		raw_prctl(ARCH_GET_GS, (u64)(unsigned long)gs);
		return;
	}
	asm volatile("rdfsbase %0" : "=r" (*fs));
	asm volatile("rdgsbase %0" : "=r" (*gs));
}

static RAW void set_bases(u64 fs, u64 gs)
{
	if (!has_fsgsbase) {
		raw_prctl(ARCH_SET_FS, fs);
		raw_prctl(ARCH_SET_GS, gs);
		return;
	}
	asm volatile("wrfsbase %0" : : "r" (fs));
	asm volatile("wrgsbase %0" : : "r" (gs));
}

static RAW void enter_test(ucontext_t *uc)
{
	greg_t *g = uc->uc_mcontext.gregs;
	u8 *fp = (u8 *)uc->uc_mcontext.fpregs;
	const struct state *in = native_in;
	int i;

	copy(host.gregs, g, sizeof(host.gregs));
	copy(host.fp, fp, frame_size(fp));
	get_segs(&host.ds, &host.es, &host.fs, &host.gs);
	get_bases(&host.fs_base, &host.gs_base);
	for (i = 0; i < 16; i++)
		g[greg_of[i]] = in->gpr[i];
	g[REG_RIP] = in->rip;
	g[REG_EFL] = in->rflags;
	g[REG_CSGSFS] = (g[REG_CSGSFS] & 0x0000ffffffff0000LL) | in->sel[EM_CS] |
			(u64)in->sel[EM_SS] << 48;
	put_vectors(fp, in);
	inside = true;
	/* from here on without thread-local storage */
	set_segs(in->sel[EM_DS], in->sel[EM_ES], in->sel[EM_FS], in->sel[EM_GS]);
	if (in->sel[EM_CS] == 0x33)
		set_bases(in->fs_base, in->gs_base);
}

static RAW void leave_test(ucontext_t *uc)
{
	greg_t *g = uc->uc_mcontext.gregs;
	u8 *fp = (u8 *)uc->uc_mcontext.fpregs;
	struct state *s = &native_out->s;
	int i;

	get_segs(&s->sel[EM_DS], &s->sel[EM_ES], &s->sel[EM_FS], &s->sel[EM_GS]);
	get_bases(&s->fs_base, &s->gs_base);
	set_segs(host.ds, host.es, host.fs, host.gs);
	set_bases(host.fs_base, host.gs_base);
	for (i = 0; i < 16; i++)
		s->gpr[i] = g[greg_of[i]];
	s->rip = g[REG_RIP];
	s->rflags = g[REG_EFL];
	s->sel[EM_CS] = g[REG_CSGSFS];
	s->sel[EM_SS] = g[REG_CSGSFS] >> 48;
	native_out->vector = g[REG_TRAPNO];
	native_out->error = g[REG_ERR];
	native_out->cr2 = g[REG_CR2];
	get_vectors(fp, s);
	copy(g, host.gregs, sizeof(host.gregs));
	copy(fp, host.fp, frame_size(host.fp));
	g[REG_RIP] += 2;	/* behind the UD2 */
	inside = false;
}

static RAW void handler(int sig, siginfo_t *info, void *ctx)
{
	/* the test's AC flag is still set: nothing of ours is aligned for that */
	asm volatile("pushf; andl $~0x40000, (%%rsp); popf" : : : "memory", "cc");
	if (inside)
		leave_test(ctx);
	else if (sig == SIGILL && native_in)
		enter_test(ctx);
	else
		signal(sig, SIG_DFL);	/* an accident in the test itself */
}

noinline RAW void native_run(const struct state *in, struct outcome *out)
{
	native_out = out;
	*(const struct state * volatile *)&native_in = in;
	asm volatile("sub $256, %%rsp; ud2; add $256, %%rsp; cld" : : : "memory", "cc");
	*(const struct state * volatile *)&native_in = NULL;
}

bool native_code_selector(u16 sel)
{
	u32 rights = 0;
	bool ok;

	asm("lar %2, %0\n\tsetz %1" : "+r" (rights), "=q" (ok) : "r" ((u32)sel) : "cc");
	return ok && (rights & 0x1800) == 0x1800;
}

u16 native_ss(void)
{
	u16 sel;

	asm("mov %%ss, %0" : "=r" (sel));
	return sel;
}

static void catch_signals(void)
{
	static const int sigs[] = { SIGILL, SIGTRAP, SIGSEGV, SIGFPE, SIGBUS };
	static u8 stack[256 * 1024];
	stack_t ss = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction sa = { .sa_sigaction = handler,
				.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
	unsigned int i;

	ck_assert_int_eq(sigaltstack(&ss, NULL), 0);
	for (i = 0; i < ARRAY_SIZE(sigs); i++)
		ck_assert_int_eq(sigaction(sigs[i], &sa, NULL), 0);
}

/* Code and sandbox pages at their places, with nothing around them. */
static void map_pages(void)
{
	int prot = PROT_READ | PROT_WRITE, flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
	void *code = (void *)(unsigned long)CODE_BASE, *data = (void *)(unsigned long)DATA_BASE;

	ck_assert_ptr_eq(mmap(code, PAGE, prot | PROT_EXEC, flags, -1, 0), code);
	ck_assert_ptr_eq(mmap(data, PAGE, prot, flags, -1, 0), data);
	memset(code, 0xcc, PAGE);
}

/* The descriptor that the kernel makes of it. */
static u64 descriptor(const struct user_desc *d)
{
	u64 type = 0x11 | !d->read_exec_only << 1 | d->contents << 2;
	u64 attr = type | 0x60 | !d->seg_not_present << 7;
	u64 flags = d->useable | d->seg_32bit << 2 | d->limit_in_pages << 3;

	return (d->limit & 0xffff) | (u64)(d->base_addr & 0xffffff) << 16 | attr << 40 |
	       (u64)(d->limit >> 16) << 48 | flags << 52 | (u64)(d->base_addr >> 24) << 56;
}

static void set_ldt(void)
{
	struct user_desc d[NR_LDT] = {
		[LDT_CODE16] = { .base_addr = CODE_BASE, .limit = 0xffff, .contents = 2 },
		[LDT_DATA16] = { .base_addr = DATA_BASE, .limit = 0xffff },
		[LDT_SMALL] = { .base_addr = DATA_BASE, .limit = 0x7ff, .seg_32bit = 1 },
		[LDT_READONLY] = { .base_addr = DATA_BASE, .limit = 0xfff, .seg_32bit = 1,
				   .read_exec_only = 1 },
		[LDT_DOWN] = { .base_addr = DATA_BASE, .limit = 0x7ff, .seg_32bit = 1,
			       .contents = 1 },
		[LDT_DOWN16] = { .base_addr = DATA_BASE, .limit = 0x7ff, .contents = 1 },
		[LDT_ABSENT] = { .limit = 0xfff, .seg_32bit = 1, .seg_not_present = 1 },
		[LDT_CODE32] = { .limit = 0xfffff, .seg_32bit = 1, .limit_in_pages = 1,
				 .contents = 2 },
		[LDT_EXECONLY] = { .limit = 0xfffff, .seg_32bit = 1, .limit_in_pages = 1,
				   .contents = 2, .read_exec_only = 1 },
		[LDT_CONFORMING] = { .limit = 0xfffff, .seg_32bit = 1, .limit_in_pages = 1,
				     .seg_not_present = 1,
				     .contents = 3 },
		[LDT_ABSENT_CODE] = { .limit = 0xfffff, .seg_32bit = 1, .limit_in_pages = 1,
				      .contents = 2, .seg_not_present = 1 },
	};
	unsigned int i;

	native_has_ldt = true;
	for (i = 0; i < NR_LDT; i++) {
		d[i].entry_number = i;
		native_ldt[i] = descriptor(&d[i]);
		if (syscall(SYS_modify_ldt, 0x11, &d[i], sizeof(d[i])))
			native_has_ldt = false;
	}
}

/* One of the descriptors differs from CPU to CPU. */
static void stay_here(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	ck_assert_int_eq(sched_setaffinity(0, sizeof(set), &set), 0);
}

void native_setup(void)
{
	u32 a, b, c, d;

	__cpuid(0, a, b, c, d);
	native_intel = b == signature_INTEL_ebx;
	has_fsgsbase = getauxval(AT_HWCAP2) & 2;
	stay_here();
	catch_signals();
	map_pages();
	set_ldt();
}
