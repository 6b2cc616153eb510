// SPDX-License-Identifier: GPL-2.0
/*
 * Bare metal: run each test of the image and print what came of it.
 *
 * A test is one instruction in a mode, with registers and an arena as image.py
 * made them. It stands in the arena's code page, which is full of INT3: whatever it
 * does, the next thing is an exception. A line has the test's number, the vector
 * and what differs from before: registers, system registers, bytes of the arena.
 * Told so by the image, the driver starts at the five bytes before the
 * instruction, which make our module emulate it.
 */
#include "case.h"

/* What the stubs of entry.S note. */
struct came {
	u64 gpr[16];
	union {
		u32 w[32];
		u64 q[16];
	} frame;
	u16 seg[8];
	u32 ss, sp;
	u64 cr0, cr2, cr3, cr4, cr8, efer;
	u64 dr[6];
	u32 low;	/* where the frame lay */
	u32 kind;	/* a MODE_* */
} came;

/* What enter_*() load. */
struct go {
	u64 gpr[16];
	u16 seg[8];
	u32 sp;
	u16 ss;
} __attribute__((packed)) go;
u32 go_cr0;
u64 go_rsp0, go_bases[2];

struct table {
	u16 limit;
	u32 base;
} __attribute__((packed));

extern u8 stubs32[], stubs64[], low_start[], low_end[], low_stubs[], payload_end[], driver_stack[];
extern struct table low_gdtr;
extern u32 low_go_cr0;
extern struct { u16 seg[8]; u32 gpr[8]; u32 sp; u16 ss; } __attribute__((packed)) low_go;
void enter_prot(void);
void enter_long(void);
void enter_real(void);
void clear_virtual(void);
extern u8 iret_prot[5], iret_long[5], iret_clear[5];
void main(void);

static u64 idt32[256], idt64[256][2];
static u32 ivt[256];
static u32 page_dir[1024] __attribute__((aligned(4096))), page_table[1024] __attribute__((aligned(4096)));
static u64 pml4[512] __attribute__((aligned(4096))), pdpt[512] __attribute__((aligned(4096))),
	pd[512] __attribute__((aligned(4096))), pt[1024] __attribute__((aligned(4096)));
static u32 before[ARENA_SIZE / 4];
/* Where IRET's frame on the test's own stack says where to begin: before the prefix, or behind it. */
static u32 frame_at;

/* ---- output --------------------------------------------------------------------- */

static char line[0x10000];
static unsigned int at;

static void flush(void)
{
	char *p = line;

	asm volatile("rep outsb" : "+S"(p), "+c"(at) : "d"(0xe9) : "memory");
	at = 0;
}

static void put(const char *s)
{
	while (*s && at < sizeof(line) - 16)
		line[at++] = *s++;
}

static void hex(u64 v)
{
	char buf[17], *p = buf + 16;

	*p = 0;
	do {
		*--p = "0123456789abcdef"[v & 15];
		v >>= 4;
	} while (v);
	put(p);
}

static void field(const char *name, u64 v)
{
	put(" ");
	put(name);
	put("=");
	hex(v);
}

static void if_changed(const char *name, u64 is, u64 was)
{
	if (is != was)
		field(name, is);
}

/* ---- processor ------------------------------------------------------------------- */

static void copy(void *to, const void *from, u32 n)
{
	asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}

static void fill(void *to, u8 with, u32 n)
{
	asm volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(with) : "memory");
}

static void outb(u16 port, u8 v)
{
	asm volatile("outb %0, %1" : : "a"(v), "d"(port));
}

static u64 rdmsr(u32 nr)
{
	u64 v;

	asm volatile("rdmsr" : "=A"(v) : "c"(nr));
	return v;
}

static void wrmsr(u32 nr, u64 v)
{
	asm volatile("wrmsr" : : "c"(nr), "A"(v));
}

#define GET(reg) ({ u32 v_; asm volatile("mov %%" reg ", %0" : "=r"(v_)); v_; })
#define SET(reg, v) asm volatile("mov %0, %%" reg : : "r"((u32)(v)) : "memory")

static const u32 msr_nr[M_NR] = {
	0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0x174, 0x175, 0x176,
	0xc0000100, 0xc0000101, 0xc0000102,
};
static const char * const msr_name[M_NR] = {
	"star", "lstar", "cstar", "sfmask", "secs", "sesp", "seip", "fsb", "gsb", "kgsb",
};

/* ---- tables ----------------------------------------------------------------------- */

/* INT3, INTO and two vectors more are open to everyone, another two are not there. */
static u32 gate_access(int vector)
{
	if (vector == 0x24)
		return 0x0e00;
	return vector == 3 || vector == 4 || vector == 0x21 || vector == 0x22 ? 0xee00 : 0x8e00;
}

static void make_gates(void)
{
	int i;

	for (i = 0; i < 256; i++) {
		u32 a = (u32)stubs32 + 16 * i, b = (u32)stubs64 + 16 * i;

		idt32[i] = (a & 0xffff) | SEL_CODE32 << 16 | (u64)((a & 0xffff0000) | gate_access(i)) << 32;
		idt64[i][0] = (b & 0xffff) | SEL_CODE64 << 16 |
			      (u64)((b & 0xffff0000) | gate_access(i) | 1) << 32;
		ivt[i] = (u32)(LOW >> 4) << 16 | (u32)(low_stubs - low_start + 16 * i);
	}
}

/* Pages of the arena: 7 absent, 8 read-only, 9 the system's; the rest is everyone's. */
static u32 page_access(u32 page)
{
	u32 n = page - ARENA / 4096;

	if (n >= ARENA_SIZE / 4096)
		return 3;
	return n == 7 ? 0 : n == 8 ? 5 : n == 9 ? 3 : 7;
}

static void make_pages(void)
{
	u32 i;

	for (i = 0; i < 1024; i++) {
		page_table[i] = i << 12 | page_access(i);
		pt[i] = i << 12 | page_access(i);
	}
	page_dir[0] = (u32)page_table | 7;
	pml4[0] = (u32)pdpt | 7;
	pdpt[0] = (u32)pd | 7;
	pd[0] = (u32)pt | 7;
	pd[1] = (u32)(pt + 512) | 7;
}

/* ---- a test ------------------------------------------------------------------------- */

#define RF	0x10000
#define VM	0x20000
#define VIF	0x80000
#define VIP	0x100000
#define LMA	0x400
#define MCE	0x40		/* in CR4, always: a hypervisor keeps it on, and QEMU lets the guest see that */

static const u8 force[5] = { 0x0f, 0x0b, 'k', 'v', 'm' };
static const u8 plain[5] = { 0x90, 0x90, 0x90, 0x90, 0x90 };

/*
 * Where a guest is run by QEMU's TCG, its IRET neither sets nor clears VIF and VIP. Have it
 * emulated where these matter; on a bare machine there is nothing but its own.
 */
static void force_iret(u8 *room, u32 on)
{
	copy(room, on ? force : plain, sizeof(force));
}

static void set_virtual(const struct image *im, const struct test *t)
{
	u32 flags;

	force_iret(iret_prot, im->prefix && t->rflags & (VIF | VIP));
	force_iret(iret_long, im->prefix && t->rflags & (VIF | VIP));
	force_iret(iret_clear, im->prefix);
	asm volatile("pushfl; popl %0" : "=r"(flags));
	if (flags & (VIF | VIP))
		clear_virtual();
}

static void make_arena(const struct image *im, const struct test *t)
{
	const u8 *p = (const u8 *)(t + 1), *end = (const u8 *)t + t->size;
	u8 *arena = (u8 *)ARENA;
	u16 len;

	copy(arena, im->arena, ARENA_SIZE);
	fill(arena + 0xff00, 0, 0x110);		/* up to the limit of most segments, and across */
	copy(arena + A_CODE - 5, force, 5);
	copy(arena + A_CODE, t->insn, sizeof(t->insn));
	for (; p < end; p += 4 + len) {
		len = p[2] | p[3] << 8;
		copy(arena + (p[0] | p[1] << 8), p + 4, len);
	}
}

/* As the arena ought to be when the test begins: the driver's LTR marks the task busy. */
static void remember_arena(const struct test *t)
{
	copy(before, (void *)ARENA, ARENA_SIZE);
	if (frame_at)
		copy((u8 *)before + frame_at, &t->rip, 2);
	((u8 *)before)[A_GDT + (t->sel[S_TR] & ~7) + 5] |= 2;
}

static void set_tables(const struct test *t)
{
	struct table gdtr = { GDT_LIMIT, ARENA + A_GDT };
	struct table idtr = { sizeof(idt32) - 1, (u32)idt32 };

	if (t->mode == MODE_LONG)
		idtr = (struct table){ sizeof(idt64) - 1, (u32)idt64 };
	else if (t->mode == MODE_REAL)
		idtr = (struct table){ sizeof(ivt) - 1, (u32)ivt };
	asm volatile("lgdt %0; lidt %1" : : "m"(gdtr), "m"(idtr));
}

static void set_debug(const struct test *t)
{
	SET("dr0", t->dr[0]);
	SET("dr1", t->dr[1]);
	SET("dr2", t->dr[2]);
	SET("dr3", t->dr[3]);
	SET("dr6", t->dr6);
	SET("dr7", t->dr7);
}

static void set_system(const struct test *t)
{
	int i;

	for (i = 0; i < M_NR; i++)
		wrmsr(msr_nr[i], t->msr[i]);
	SET("cr4", t->cr4);
	SET("cr3", t->mode == MODE_LONG ? (u32)pml4 : (u32)page_dir);
	SET("cr2", 0);
	wrmsr(0xc0000080, t->efer & ~LMA);
	set_tables(t);
	set_debug(t);
}

/* Same level: IRET's frame lies on the test's own stack. */
static void frame_on_stack(const struct test *t, u32 ip)
{
	u32 f[3] = { ip, t->sel[S_CS], t->rflags };

	go.sp = t->gpr[4] - 12;
	go.ss = t->sel[S_SS];
	frame_at = (u16)go.sp;
	copy((u8 *)ARENA + frame_at, f, 12);
}

/* Another level or virtual-8086 mode: on the driver's. */
static void frame_apart(const struct test *t, u32 ip)
{
	u32 *f = (u32 *)FRAMES;

	f[0] = ip;
	f[1] = t->sel[S_CS];
	f[2] = t->rflags;
	f[3] = t->gpr[4];
	f[4] = t->sel[S_SS];
	f[5] = t->sel[S_ES];
	f[6] = t->sel[S_DS];
	f[7] = t->sel[S_FS];
	f[8] = t->sel[S_GS];
	go.sp = (u32)f;
	go.ss = SEL_DATA;
}

static void load_go(const struct test *t)
{
	copy(go.gpr, t->gpr, sizeof(go.gpr));
	copy(go.seg, t->sel, sizeof(go.seg));
	if (t->mode == MODE_V86)	/* IRET loads them */
		go.seg[S_ES] = go.seg[S_DS] = go.seg[S_FS] = go.seg[S_GS] = 0;
}

static void go_prot(const struct test *t, u32 ip)
{
	load_go(t);
	if (t->cpl || t->mode == MODE_V86)
		frame_apart(t, ip);
	else
		frame_on_stack(t, ip);
	remember_arena(t);
	asm volatile("lldt %w0; ltr %w1" : : "r"((u32)t->sel[S_LDTR]), "r"((u32)t->sel[S_TR]) : "memory");
	SET("cr0", t->cr0);
	enter_prot();
}

static void go_long(const struct test *t, u32 ip)
{
	u64 *f = (u64 *)FRAMES;

	load_go(t);
	f[0] = ip;
	f[1] = t->sel[S_CS];
	f[2] = t->rflags;
	f[3] = t->gpr[4];
	f[4] = t->sel[S_SS];
	go_rsp0 = (u32)f;
	go_cr0 = t->cr0;
	go_bases[0] = t->msr[M_FS_BASE];
	go_bases[1] = t->msr[M_GS_BASE];
	remember_arena(t);
	enter_long();
}

static void go_real(const struct test *t, u32 ip)
{
	u16 f[3] = { ip, t->sel[S_CS], t->rflags };
	int i;

	for (i = 0; i < 8; i++) {
		low_go.seg[i] = t->sel[i];
		low_go.gpr[i] = t->gpr[i];
	}
	low_go.sp = t->gpr[4] - 6;
	low_go.ss = t->sel[S_SS];
	low_go_cr0 = t->cr0;
	frame_at = (u16)low_go.sp;
	copy((u8 *)ARENA + frame_at, f, 6);
	copy((void *)LOW, low_start, low_end - low_start);
	remember_arena(t);
	asm volatile("lldt %w0; ltr %w1" : : "r"((u32)t->sel[S_LDTR]), "r"((u32)t->sel[S_TR]) : "memory");
	enter_real();
}

/* The driver's own state again; what there was goes to "came", as far as no stub did that. */
static void settle(void)
{
	if (came.kind != MODE_LONG) {
		if (came.kind != MODE_REAL)
			came.cr0 = GET("cr0");
		came.cr2 = GET("cr2");
		came.cr3 = GET("cr3");
		came.cr4 = GET("cr4");
		came.cr8 = 0;
		came.efer = rdmsr(0xc0000080);
		came.dr[0] = GET("dr0");
		came.dr[1] = GET("dr1");
		came.dr[2] = GET("dr2");
		came.dr[3] = GET("dr3");
		came.dr[4] = GET("dr6");
		came.dr[5] = GET("dr7");
	}
	SET("cr0", 0x11);
	SET("dr7", 0x400);
	/* QEMU's #VMEXIT goes astray from a guest that has EFER.LME without CR4.PAE */
	wrmsr(0xc0000080, 0);
	SET("cr4", MCE);
}

/* ---- what came of it ------------------------------------------------------------------ */

struct result {
	u64 vector, error, ip, flags, sp;
	u16 sel[S_NR];
	u32 frame_size;
};

static void result_long(struct result *r)
{
	r->vector = came.frame.q[0];
	r->error = came.frame.q[1];
	r->ip = came.frame.q[2];
	r->sel[S_CS] = came.frame.q[3];
	r->flags = came.frame.q[4];
	r->sp = came.frame.q[5];
	r->sel[S_SS] = came.frame.q[6];
}

static void result_real(struct result *r)
{
	const u16 *f = (const u16 *)came.frame.w;

	r->vector = f[0];
	r->ip = f[1];
	r->sel[S_CS] = f[2];
	r->flags = f[3];
	r->sp = came.sp + 40;
	r->sel[S_SS] = came.ss;
	r->frame_size = 40;
}

static void result_prot(struct result *r)
{
	const u32 *f = came.frame.w;
	int i;

	r->vector = f[0];
	r->error = f[1];
	r->ip = f[2];
	r->sel[S_CS] = f[3];
	r->flags = f[4];
	r->sp = came.sp + 52;
	r->sel[S_SS] = came.ss;
	r->frame_size = 52;
	if (r->flags & VM || f[3] & 3) {
		r->sp = f[5];
		r->sel[S_SS] = f[6];
		r->frame_size = 60;
	}
	if (r->flags & VM) {
		static const u8 order[4] = { S_ES, S_DS, S_FS, S_GS };

		for (i = 0; i < 4; i++)
			r->sel[order[i]] = f[7 + i];
		r->frame_size = 76;
	}
}

static void get_result(struct result *r)
{
	u32 ldtr, tr;

	copy(r->sel, came.seg, sizeof(came.seg));
	if (came.kind == MODE_LONG)
		result_long(r);
	else if (came.kind == MODE_REAL)
		result_real(r);
	else
		result_prot(r);
	asm volatile("sldt %0; str %1" : "=r"(ldtr), "=r"(tr));
	r->sel[S_LDTR] = ldtr;
	r->sel[S_TR] = tr;
}

static void print_registers(const struct test *t, const struct result *r)
{
	static const char * const gpr[16] = { "ax", "cx", "dx", "bx", "sp", "bp", "si", "di",
		"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15" };
	static const char * const sel[S_NR] = { "es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr" };
	int i, n = came.kind == MODE_LONG ? 16 : 8;

	came.gpr[4] = r->sp;
	for (i = 0; i < n; i++)
		if_changed(gpr[i], came.gpr[i], t->gpr[i]);
	for (i = 0; i < S_NR; i++)
		if_changed(sel[i], r->sel[i], t->sel[i]);
	if_changed("fl", r->flags & ~RF, t->rflags & ~RF);
}

static void print_system(const struct test *t)
{
	static const char * const dr[4] = { "dr0", "dr1", "dr2", "dr3" };
	int i;

	if_changed("cr0", came.cr0, t->cr0);
	if_changed("cr2", came.cr2, 0);
	if_changed("cr3", came.cr3, t->mode == MODE_LONG ? (u32)pml4 : (u32)page_dir);
	if_changed("cr4", came.cr4, t->cr4);
	if_changed("cr8", came.cr8, 0);
	if_changed("efer", came.efer, t->efer);
	for (i = 0; i < 4; i++)
		if_changed(dr[i], came.dr[i], t->dr[i]);
	if_changed("dr6", came.dr[4], t->dr6);
	if_changed("dr7", came.dr[5], t->dr7);
	for (i = 0; i < M_NR; i++)
		if (t->mode == MODE_LONG || i < M_FS_BASE)
			if_changed(msr_name[i], rdmsr(msr_nr[i]), t->msr[i]);
}

static void print_tables(const struct test *t)
{
	struct table was_gdt = { GDT_LIMIT, ARENA + A_GDT }, gdt, idt;
	u32 want = t->mode == MODE_LONG ? (u32)idt64 : t->mode == MODE_REAL ? (u32)ivt : (u32)idt32;
	u32 limit = t->mode == MODE_LONG ? sizeof(idt64) - 1 : t->mode == MODE_REAL ? sizeof(ivt) - 1 :
		    sizeof(idt32) - 1;

	asm volatile("sgdt %0; sidt %1" : "=m"(gdt), "=m"(idt));
	if (t->mode != MODE_REAL)
		if_changed("gdtb", gdt.base, was_gdt.base);
	if (t->mode != MODE_REAL)
		if_changed("gdtl", gdt.limit, was_gdt.limit);
	if_changed("idtb", idt.base, want);
	if_changed("idtl", idt.limit, limit);
}

/* Changed bytes of the arena, but those that the exception's own frame took. */
static void print_memory(const struct result *r, u16 began)
{
	const u8 *is = (const u8 *)ARENA, *was = (const u8 *)before;
	u32 i, last = 0;

	if (frame_at && is[frame_at] == (u8)began && is[frame_at + 1] == began >> 8)
		copy((u8 *)before + frame_at, &began, 2);

	for (i = 0; i < ARENA_SIZE; i++) {
		if (!(i & 3) && *(const u32 *)(is + i) == *(const u32 *)(was + i)) {
			i += 3;
			continue;
		}
		if (is[i] == was[i] || (ARENA + i - came.low < r->frame_size))
			continue;
		if (!last || i != last + 1) {
			put(" m");
			hex(i);
			put("=");
		}
		hex(is[i] >> 4);
		hex(is[i] & 15);
		last = i;
	}
}

/* The driver's tables: the task is there to be no 16-bit one, with which nobody gets to long mode. */
#define SEL_TSS		0x30

static u8 own_tss[104];
static u64 own_gdt[7] = {
	0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00af9b000000ffff,
	0x00009b010000ffff, 0x000093010000ffff, 0,
};

static void set_own_tables(void)
{
	low_gdtr = (struct table){ sizeof(own_gdt) - 1, (u32)own_gdt };
	own_gdt[SEL_TSS / 8] = (u64)((u32)own_tss & 0xff000000) << 32 | 0x890000000000 |
			       (u64)((u32)own_tss & 0xffffff) << 16 | (sizeof(own_tss) - 1);
	asm volatile("lgdt %0; ltr %w1" : : "m"(low_gdtr), "r"(SEL_TSS) : "memory");
}

static void run(const struct image *im, const struct test *t)
{
	u32 ip = t->rip - (im->prefix ? 5 : 0);
	struct result r = {};

	fill(&came, 0, sizeof(came));
	frame_at = 0;
	set_own_tables();
	make_arena(im, t);
	set_system(t);
	set_virtual(im, t);
	if (t->mode == MODE_REAL)
		go_real(t, ip);
	else if (t->mode == MODE_LONG)
		go_long(t, ip);
	else
		go_prot(t, ip);
	settle();
	get_result(&r);
	hex(t->id);
	field("v", r.vector);
	if_changed("e", r.error, 0);
	field("ip", r.ip);
	print_registers(t, &r);
	print_system(t);
	print_tables(t);
	print_memory(&r, ip);
	put("\n");
	flush();
}

static void stop(void)
{
	const char *p = "Shutdown";

	put("END\n");
	flush();
	for (; *p; p++)
		outb(0x8900, *p);	/* Bochs */
	outb(0xf4, 0);			/* QEMU */
}

/* Where the BIOS has something of its own: to the INT3 of tests that go away. */
static const u32 int68 = (ARENA >> 4) << 16 | (A_CODE + 0x100);

void main(void)
{
	const struct image *im = (const struct image *)payload_end;
	const struct test *t = &im->first;
	u32 i;

	/* What goes astray goes here. */
	fill((void *)0x1000, 0xcc, LOW - 0x1000);
	copy((void *)(0x68 * 4), &int68, 4);
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
	make_gates();
	make_pages();
	if (im->magic != IMAGE_MAGIC)
		put("no image\n");
	else
		for (i = 0; i < im->count; i++, t = (const struct test *)((const u8 *)t + t->size))
			run(im, t);
	stop();
}
