// SPDX-License-Identifier: GPL-2.0
/*
 * The emulator against the processor: the same instruction, the same registers
 * and memory, once through em_execute() and once natively (native.c); everything
 * visible must agree, faults with vector, error code and address included.
 *
 * The decode tables are unrolled (em_rows.c) and every row has its share of
 * instructions: random prefixes, ModRM and immediates within what the row asks
 * for, then the registers the address is formed from are bent so that it falls
 * into a sandbox page with an unmapped page on either side. The emulator goes
 * first; what would touch anything outside is not run natively.
 *
 * Rows of which the emulator knows the length only are run natively to see
 * whether the length is right. What a row needs and this processor or a user
 * program does not have is told by why_not(), counted and printed.
 *
 * EM_NATIVE_COUNT sets how many instructions are made in each of the three
 * widths, EM_NATIVE_SEED the seed, EM_NATIVE_VERBOSE prints rows left out.
 */
#include <check.h>
#include <cpuid.h>
#include "em_rows.h"
#include "native.h"

#define INSN_OFF	0x400u

enum width { W64, W32, W16 };

static u8 *const code = (u8 *)(unsigned long)CODE_BASE;
static u8 *const data = (u8 *)(unsigned long)DATA_BASE;
static u8 shadow[PAGE];		/* the emulator's view of the sandbox */

/* ---- random numbers, the same on every machine ---- */

static u64 rng_state;

static u64 rnd(void)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return rng_state * 0x2545f4914f6cdd1dULL;
}

static bool chance(unsigned int percent)
{
	return (rnd() >> 20) % 100 < percent;
}

/* Values that arithmetic finds interesting. */
static u64 rnd_value(void)
{
	static const u64 edge[] = { 0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff,
				    0x7fffffff, 0x80000000, 0xffffffff, 0x7fffffffffffffffULL,
				    0x8000000000000000ULL, ~0ULL, 0x99, 0x9a };

	if (chance(40))
		return edge[rnd() % ARRAY_SIZE(edge)];
	return chance(30) ? rnd() % 1024 : rnd();
}

/* ---- the emulator's side ---- */

static struct em_ctx ctx;
static enum width width;
static struct em_seg segs[EM_NR_SEGS];
static struct state em_state;	/* vector registers are kept here */
static const struct leaf *leaf;
static bool wild;	/* the emulator touched what must not be touched natively */

/* The kernel's GDT as far as users may look, and its LDT: at addresses of our own. */
#define GDT_LA	0x30000000u
#define LDT_LA	0x30001000u
#define TSS_LA	0x30002000u
#define IDT_LA	0x30003000u

static u64 gdt[16] = {
	[1] = 0x00cf9b000000ffff, [2] = 0x00af9b000000ffff, [3] = 0x00cf93000000ffff,
	[4] = 0x00cffb000000ffff, [5] = 0x00cff3000000ffff, [6] = 0x00affb000000ffff,
	[8] = 0x00008b0000000067, [10] = 0x000082000000ffff,
};

static bool table_bytes(u64 la, void *buf, unsigned int size)
{
	if (la >= GDT_LA && la + size <= GDT_LA + sizeof(gdt)) {
		memcpy(buf, (u8 *)gdt + (la - GDT_LA), size);
		return true;
	}
	if (la >= LDT_LA && la + size <= LDT_LA + sizeof(native_ldt)) {
		memcpy(buf, (u8 *)native_ldt + (la - LDT_LA), size);
		return true;
	}
	/* 3, 4 and 0x80 are for everyone */
	if (la >= IDT_LA && la + size <= IDT_LA + 0x1000 && size == 8) {
		unsigned int n = (la - IDT_LA) / 16;
		u64 gate = n == 3 || n == 4 || n == 0x80 ? 0xee0000100000 : 0x8e0000100000;

		memcpy(buf, &gate, 8);
		return true;
	}
	/* the I/O bitmap is beyond the limit */
	if (la == TSS_LA + 0x66 && size == 2) {
		memset(buf, 0xff, 2);
		return true;
	}
	return false;
}

static enum em_result op_fetch(struct em_ctx *c, u64 la, void *buf, unsigned int size)
{
	if (la < CODE_BASE || la + size > CODE_BASE + PAGE)
		return em_raise_pf(c, la, 0x14);
	memcpy(buf, code + (la - CODE_BASE), size);
	return EM_DONE;
}

static enum em_result access_data(struct em_ctx *c, u64 la, void *buf, unsigned int size,
				  unsigned int acc, bool write)
{
	u32 err = 4 | (acc & EM_ACC_WRITE ? 2 : 0);

	if (la < DATA_BASE - PAGE || la + size > DATA_BASE + 2 * PAGE)
		wild = true;
	if (la < DATA_BASE || la >= DATA_BASE + PAGE)
		return em_raise_pf(c, la, err);
	if (la + size > DATA_BASE + PAGE)
		return em_raise_pf(c, DATA_BASE + PAGE, err);
	if (acc & EM_ACC_PROBE)
		return EM_DONE;
	if (write)
		memcpy(shadow + (la - DATA_BASE), buf, size);
	else
		memcpy(buf, shadow + (la - DATA_BASE), size);
	return EM_DONE;
}

static enum em_result op_read(struct em_ctx *c, u64 la, void *buf, unsigned int size,
			      unsigned int acc)
{
	if (acc & EM_ACC_SYSTEM && table_bytes(la, buf, size))
		return EM_DONE;
	return access_data(c, la, buf, size, acc, false);
}

static enum em_result op_write(struct em_ctx *c, u64 la, const void *buf, unsigned int size,
			       unsigned int acc)
{
	return access_data(c, la, (void *)buf, size, acc, true);
}

static enum em_result op_cmpxchg(struct em_ctx *c, u64 la, const void *old, const void *new,
				 unsigned int size, unsigned int acc)
{
	return access_data(c, la, (void *)new, size, acc, true);
}

static enum em_result op_port(struct em_ctx *c, bool write, u16 port, unsigned int size,
			      void *buf, unsigned int count)
{
	ck_abort_msg("a user program got through to a port");
	return EM_UNSUPPORTED;
}

static void op_get_seg(struct em_ctx *c, enum em_seg_id id, struct em_seg *seg)
{
	*seg = segs[id];
}

static void op_set_seg(struct em_ctx *c, enum em_seg_id id, const struct em_seg *seg)
{
	segs[id] = *seg;
}

static void op_get_dt(struct em_ctx *c, bool idt, struct em_dt *dt)
{
	*dt = idt ? (struct em_dt) { IDT_LA, 0xfff } : (struct em_dt) { GDT_LA, sizeof(gdt) - 1 };
}

static void op_set_dt(struct em_ctx *c, bool idt, const struct em_dt *dt)
{
	wild = true;
}

static u64 xcr0(void)
{
	u32 lo, hi;

	asm volatile("xgetbv" : "=a" (lo), "=d" (hi) : "c" (0));
	return lo | (u64)hi << 32;
}

static enum em_result op_get_reg(struct em_ctx *c, enum em_reg_class class, u32 nr, u64 *val)
{
	*val = 0;
	if (class == EM_REG_XCR && nr > 1)
		return em_raise(c, EM_EX_GP, 0);
	if (class == EM_REG_XCR && nr == 0)
		*val = xcr0();
	else
		wild = true;
	return EM_DONE;
}

static enum em_result op_set_reg(struct em_ctx *c, enum em_reg_class class, u32 nr, u64 val)
{
	wild = true;
	return EM_DONE;
}

/* Register 0 becomes the top: the picture is told from there. */
static void top_zero(struct em_fx *fx)
{
	unsigned int top = fx->fsw >> 11 & 7, i;
	u8 st[8][16];

	for (i = 0; i < 8; i++)
		memcpy(st[(i + top) & 7], fx->st[i], 16);
	memcpy(fx->st, st, sizeof(st));
	fx->fsw &= ~0x3800;
}

static void mmx_mode(struct em_fx *fx)
{
	top_zero(fx);
	fx->ftw = 0xff;
}

static enum em_result mmx_access(struct em_ctx *c, unsigned int reg, void *buf, bool write)
{
	struct em_fx *fx = &em_state.fx;

	if (fx->fsw & 0x80)
		return em_raise(c, EM_EX_MF, 0);
	mmx_mode(fx);
	if (!write) {
		memcpy(buf, fx->st[reg & 7], 8);
		return EM_DONE;
	}
	memcpy(fx->st[reg & 7], buf, 8);
	memset(fx->st[reg & 7] + 8, 0xff, 2);
	return EM_DONE;
}

/* What x87 instructions do is asked of the x87. */
static void x87_native(struct em_ctx *c, struct em_x87 *x, unsigned int reg)
{
	static u8 *page;
	struct em_fx old __attribute__((aligned(16))), fx __attribute__((aligned(16)));
	u64 flags = c->rflags & EM_EFLAGS_ARITH;
	u8 op = 0xd8 | reg >> 8, modrm = reg;
	u8 *p;

	if (!page)
		page = code + PAGE - 64;	/* behind where instructions are tried */
	p = page;
	fx = em_state.fx;
	*p++ = op;
	*p++ = modrm >= 0xc0 ? modrm : (modrm & 0x38) | 7;	/* (%rdi) */
	*p++ = 0xc3;
	asm volatile("fxsave64 %[old]\n\tfxrstor64 %[fx]\n\t"
		     "push %[flags]\n\tpopf\n\tcall *%[code]\n\tpushf\n\tpop %[flags]\n\t"
		     "fxsave64 %[fx]\n\tfxrstor64 %[old]"
		     : [old] "=m" (old), [fx] "+m" (fx), [flags] "+r" (flags)
		     : [code] "r" (page), "D" (x->mem) : "memory", "cc");
	memset(page, 0xcc, 3);
	c->rflags = (c->rflags & ~EM_EFLAGS_ARITH) | (flags & EM_EFLAGS_ARITH);
	em_state.fx = fx;
	x->no_store = (fx.fsw & ~fx.fcw & 0x19) != 0;
}

static enum em_result x87_control(struct em_ctx *c, enum em_vec what, unsigned int reg, void *buf,
				  bool write)
{
	struct em_fx *fx = &em_state.fx;

	if (what == EM_VEC_X87 || what == EM_VEC_EMMS || (what == EM_VEC_FCW && write)) {
		if (fx->fsw & 0x80)
			return em_raise(c, EM_EX_MF, 0);
	}
	switch (what) {
	case EM_VEC_FX:
		write ? memcpy(fx, buf, offsetof(struct em_fx, rest)) : memcpy(buf, fx, sizeof(*fx));
		break;
	case EM_VEC_X87:
		x87_native(c, buf, reg);
		break;
	case EM_VEC_EMMS:
		mmx_mode(fx);
		fx->ftw = 0;
		break;
	case EM_VEC_FCW:
		if (!write) {
			memcpy(buf, &fx->fcw, 2);
			break;
		}
		memcpy(&fx->fcw, buf, 2);
		fx->fcw = (fx->fcw & 0x1f7f) | 0x40;
		fx->fsw &= 0x7f7f;
		if (fx->fsw & ~fx->fcw & 0x3f)
			fx->fsw |= 0x8080;
		break;
	case EM_VEC_FSW:
		memcpy(buf, &fx->fsw, 2);
		break;
	case EM_VEC_FNINIT:
		top_zero(fx);
		fx->fcw = 0x37f;
		fx->fsw = fx->ftw = 0;
		break;
	case EM_VEC_FNCLEX:
		fx->fsw &= 0x7f00;
		break;
	case EM_VEC_MXCSR:
		if (!write) {
			memcpy(buf, &fx->mxcsr, 4);
			break;
		}
		if (*(u32 *)buf & ~fx->mxcsr_mask)
			return em_raise(c, EM_EX_GP, 0);
		memcpy(&fx->mxcsr, buf, 4);
		break;
	default:
		wild = true;
	}
	return EM_DONE;
}

static enum em_result op_vec(struct em_ctx *c, enum em_vec what, unsigned int reg, void *buf,
			     bool write)
{
	struct state *s = &em_state;

	switch (what) {
	case EM_VEC_MMX:
		return mmx_access(c, reg, buf, write);
	case EM_VEC_YMM:
		if (write)
			memcpy(s->ymm_upper[reg & 15], (u8 *)buf + 16, 16);
		else
			memcpy((u8 *)buf + 16, s->ymm_upper[reg & 15], 16);
		break;
	case EM_VEC_XMM_ZX:
		if (write)
			memset(s->ymm_upper[reg & 15], 0, 16);
		break;
	case EM_VEC_XMM:
		break;
	default:
		return x87_control(c, what, reg, buf, write);
	}
	write ? memcpy(s->fx.xmm[reg & 15], buf, 16) : memcpy(buf, s->fx.xmm[reg & 15], 16);
	return EM_DONE;
}

static enum em_result op_system(struct em_ctx *c, enum em_sys what, u64 arg)
{
	if (what == EM_SYS_RSM)
		return em_raise(c, EM_EX_UD, 0);
	if (what == EM_SYS_CLFLUSH || what == EM_SYS_MONITOR)
		return access_data(c, arg, &arg, 1, 0, false);
	if (what != EM_SYS_PAUSE)
		wild = true;
	return EM_DONE;
}

/* CPUID leaf, subleaf, register (0-3: eax to edx) and bit of each feature. */
static const struct { u8 leaf, sub, reg, bit; } feature_bits[EM_NR_FEATURES] = {
	[EM_HAS_BMI1] = { 7, 0, 1, 3 }, [EM_HAS_BMI2] = { 7, 0, 1, 8 },
	[EM_HAS_ABM] = { 0x81, 1, 2, 5 }, [EM_HAS_MOVBE] = { 1, 0, 2, 22 },
	[EM_HAS_CRC32] = { 1, 0, 2, 20 }, [EM_HAS_POPCNT] = { 1, 0, 2, 23 },
	[EM_HAS_ADX] = { 7, 0, 1, 19 }, [EM_HAS_CMPCCXADD] = { 7, 1, 0, 7 },
	[EM_HAS_MOVDIRI] = { 7, 0, 2, 27 }, [EM_HAS_MOVDIR64B] = { 7, 0, 2, 28 },
	[EM_HAS_CLFLUSHOPT] = { 7, 0, 1, 23 }, [EM_HAS_CLWB] = { 7, 0, 1, 24 },
	[EM_HAS_CLZERO] = { 0x81, 8, 1, 0 }, [EM_HAS_RDRAND] = { 1, 0, 2, 30 },
	[EM_HAS_RDSEED] = { 7, 0, 1, 18 }, [EM_HAS_RDTSCP] = { 0x81, 1, 3, 27 },
	[EM_HAS_RDPID] = { 7, 0, 2, 22 }, [EM_HAS_INVPCID] = { 7, 0, 1, 10 },
	[EM_HAS_SMAP] = { 7, 0, 1, 20 }, [EM_HAS_SERIALIZE] = { 7, 0, 3, 14 },
	[EM_HAS_MONITOR] = { 1, 0, 2, 3 }, [EM_HAS_MONITORX] = { 0x81, 1, 2, 29 },
	[EM_HAS_RTM] = { 7, 0, 1, 11 }, [EM_HAS_TSXLDTRK] = { 7, 0, 3, 16 },
	[EM_HAS_3DNOW] = { 0x81, 1, 3, 31 }, [EM_HAS_XOP] = { 0x81, 1, 2, 11 },
	[EM_HAS_XSAVEOPT] = { 0xd, 1, 0, 0 }, [EM_HAS_XSAVEC] = { 0xd, 1, 0, 1 },
	[EM_HAS_XSAVES] = { 0xd, 1, 0, 3 },
};

static bool cpu_has(unsigned int l, unsigned int sub, unsigned int reg, unsigned int bit)
{
	u32 r[4] = {};

	if (l == 0x81)
		__cpuid(0x80000000 + sub, r[0], r[1], r[2], r[3]);
	else
		__cpuid_count(l, sub, r[0], r[1], r[2], r[3]);
	return r[reg] >> bit & 1;
}

static bool features[EM_NR_FEATURES];

static bool op_has(struct em_ctx *c, enum em_feature f)
{
	return features[f];
}

static const struct em_ops ops = {
	.fetch = op_fetch, .read_mem = op_read, .write_mem = op_write, .cmpxchg_mem = op_cmpxchg,
	.port_io = op_port, .get_seg = op_get_seg, .set_seg = op_set_seg, .get_dt = op_get_dt,
	.set_dt = op_set_dt, .get_reg = op_get_reg, .set_reg = op_set_reg, .vec = op_vec,
	.system = op_system, .has = op_has,
};

static u16 test_cs(void)
{
	static const u16 cs[] = { 0x33, 0x23, LDT_SEL(LDT_CODE16) };

	return cs[width];
}

static u16 test_data_sel(void)
{
	return width == W16 ? LDT_SEL(LDT_DATA16) : 0x2b;
}

static void seg_from_desc(struct em_seg *seg, u16 sel, u64 desc)
{
	struct em_desc d = { .lo = desc, .hi = desc >> 32 };

	em_desc_to_seg(&d, sel, seg);
}

/* A segment register as loading @sel would leave it. */
static void set_test_seg(struct state *s, enum em_seg_id id, u16 sel)
{
	s->sel[id] = sel;
	if (!(sel & ~3))
		segs[id] = (struct em_seg) { .sel = sel };
	else
		seg_from_desc(&segs[id], sel, sel & 4 ? native_ldt[sel >> 3] : gdt[sel >> 3]);
}

/* In 32 and 16-bit code FS and GS are segments with limits of different kinds. */
static void setup_segs(struct state *s)
{
	static const enum em_mode modes[] = { EM_PROT64, EM_PROT32, EM_PROT16 };
	static const u16 others[] = { 0, LDT_SEL(LDT_SMALL), LDT_SEL(LDT_READONLY),
				      LDT_SEL(LDT_DOWN), LDT_SEL(LDT_DOWN16), LDT_SEL(LDT_CODE32) };
	u16 data_sel = test_data_sel();
	bool ldt = native_has_ldt && width != W64;

	set_test_seg(s, EM_ES, data_sel);
	set_test_seg(s, EM_SS, data_sel);
	set_test_seg(s, EM_DS, data_sel);
	set_test_seg(s, EM_CS, test_cs());
	set_test_seg(s, EM_FS, ldt ? others[rnd() % ARRAY_SIZE(others)] : 0);
	set_test_seg(s, EM_GS, ldt ? others[rnd() % ARRAY_SIZE(others)] : 0);
	if (width == W64) {
		segs[EM_FS].base = s->fs_base = rnd() % 0x10000000;
		segs[EM_GS].base = s->gs_base = chance(50) ? 0 : 0 - rnd() % 0x10000000;
	}
	segs[EM_TR] = (struct em_seg) { 0x40, 0x08b, 0x67, TSS_LA };
	segs[EM_LDTR] = (struct em_seg) { 0x50, 0x082, sizeof(native_ldt) - 1, LDT_LA };
	ctx.mode = modes[width];
	ctx.cpl = 3;
	ctx.cr0 = X86_CR0_PE | X86_CR0_PG | X86_CR0_NE | X86_CR0_WP | X86_CR0_AM | X86_CR0_MP;
	ctx.cr4 = X86_CR4_PAE | X86_CR4_OSFXSR | X86_CR4_OSXSAVE | X86_CR4_UMIP |
		  X86_CR4_FSGSBASE;
	ctx.efer = BIT(0) | BIT(8) | BIT(10);
	ctx.intel = native_intel;
}

/* ---- what is not run, and flags that are not compared ---- */

struct reason {
	const char *why;
	em_fn fn[24];
};

/* Instructions whose native run tells nothing, by reason. */
static const struct reason reasons[] = {
	{ "leaves the program", { em_i_syscall } },
	{ "asks the hypervisor", { em_i_vmcall, em_i_svm, em_i_int1, em_i_monitorx, em_i_mwaitx } },
	{ "no fixed answer", { em_i_rdtsc, em_i_rdtscp, em_i_rdpmc, em_i_cpuid, em_i_rdpid,
			       em_i_rdrand, em_i_rdseed } },
	{ "the kernel answers (UMIP)", { em_i_sgdt, em_i_sidt, em_i_sldt, em_i_str, em_i_smsw } },
};

static bool is_one_of(em_fn fn, const em_fn *list, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (fn == list[i])
			return true;
	return false;
}

/* 0F 01 FD to FF: instructions of hosts, which a hypervisor may have hidden well or less well. */
static bool is_host_insn(const struct leaf *l)
{
	return l->map == 1 && !l->vex && l->opcode == 0x01 && l->mod == 1 && l->reg == 7 && l->rm >= 5;
}

/* Rows of instructions that came with SSE4A, whose handlers others share. */
static bool is_sse4a(const struct leaf *l)
{
	return l->map == 1 && !l->vex && l->pfx >= 2 && l->opcode == 0x2b;
}

/* Why a row is not compared; NULL if it is. */
static const char *why_not(const struct leaf *l)
{
	em_fn fn = l->row->exec;
	unsigned int i;

	if (!fn)
		return NULL;
	if (is_host_insn(l))
		return "for hosts";
	for (i = 0; i < ARRAY_SIZE(reasons); i++)
		if (is_one_of(fn, reasons[i].fn, ARRAY_SIZE(reasons[i].fn)))
			return reasons[i].why;
	if (fn == em_i_sysenter && native_intel)
		return "leaves the program";
	if (fn == em_i_int3 && width != W64)
		return NULL;
	if ((fn == em_i_rdpkru || fn == em_i_wrpkru) && cpu_has(7, 0, 2, 4))
		return "the program's own rights to its memory";
	if (l->vex && !cpu_has(7, 0, 1, 5))
		return "not on this processor";
	if (is_sse4a(l) && !cpu_has(0x81, 1, 2, 6))
		return "not on this processor";
	if ((fn == em_i_pmovsx || fn == em_i_pmovzx) && !cpu_has(1, 0, 2, 19))
		return "not on this processor";
	return NULL;
}

/* A shift or rotate by more than one: OF differs even between forms of one processor. */
static bool many_bits(void)
{
	static const em_fn shifts[] = { em_i_rol, em_i_ror, em_i_rcl, em_i_rcr, em_i_shl,
					em_i_shr, em_i_sar, em_i_shld, em_i_shrd };

	return is_one_of(ctx.insn.exec, shifts, ARRAY_SIZE(shifts)) &&
	       (ctx.insn.k_src == K_IMM8 || ctx.insn.k_src2 == K_IMM8);
}

/* Flags that processors leave undefined and we compute without the host's help. */
static u64 undefined_flags(void)
{
	const u64 all = EM_EFLAGS_ARITH, szp = X86_EFLAGS_SF | X86_EFLAGS_ZF | X86_EFLAGS_PF;
	const u64 ap = X86_EFLAGS_AF | X86_EFLAGS_PF;
	em_fn fn = ctx.insn.exec;

	if (fn == em_i_div || fn == em_i_idiv)
		return all;
	if (fn == em_i_mul || fn == em_i_imul1 || fn == em_i_imul || fn == em_i_imul3)
		return szp | X86_EFLAGS_AF;
	if (fn == em_i_daa || fn == em_i_das || many_bits())
		return X86_EFLAGS_OF;
	if (fn == em_i_aaa || fn == em_i_aas)
		return szp | X86_EFLAGS_OF;
	if (fn == em_i_aam || fn == em_i_aad)
		return X86_EFLAGS_OF | X86_EFLAGS_AF | X86_EFLAGS_CF;
	if (fn == em_i_tzcnt || fn == em_i_lzcnt)
		return X86_EFLAGS_OF | X86_EFLAGS_SF | ap;
	if (fn == em_i_andn || fn == em_i_blsr || fn == em_i_blsmsk || fn == em_i_blsi ||
	    fn == em_i_bzhi)
		return ap;
	if (fn == em_i_bextr)
		return ap | X86_EFLAGS_SF;
	return 0;
}

/* ---- making instructions ---- */

/* The mandatory prefix that the row asks for; F2 and F3 win over 66. */
static unsigned int mandatory_prefix(u8 *p)
{
	static const u8 bytes[] = { 0, 0x66, 0xf3, 0xf2 };
	unsigned int n = 0;

	if (leaf->pfx >= 2 && chance(10))
		p[n++] = 0x66;
	if (leaf->pfx > 0)
		p[n++] = bytes[leaf->pfx];
	return n;
}

static unsigned int free_prefix(u8 *p)
{
	unsigned int n = 0;

	if (chance(25))
		p[n++] = 0x66;
	if (chance(leaf->map ? 20 : 15))
		p[n++] = chance(50) ? 0xf2 : 0xf3;
	return n;
}

static unsigned int escape(u8 *p)
{
	unsigned int n = 0;

	if (leaf->map)
		p[n++] = 0x0f;
	if (leaf->map >= 2)
		p[n++] = leaf->map == 2 ? 0x38 : 0x3a;
	return n;
}

static unsigned int legacy_prefixes(u8 *p)
{
	static const u8 override[] = { 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65 };
	unsigned int n = 0;

	if (chance(10))
		p[n++] = 0x67;
	if (chance(4))
		p[n++] = 0xf0;
	if (chance(12))
		p[n++] = override[rnd() % ARRAY_SIZE(override)];
	n += leaf->pfx >= 0 ? mandatory_prefix(p + n) : free_prefix(p + n);
	if (width == W64 && chance(50))
		p[n++] = 0x40 | (rnd() & 15);
	return n + escape(p + n);
}

static unsigned int vex_prefixes(u8 *p)
{
	static const u8 pp[] = { 0, 1, 2, 3 }, bad[] = { 0x66, 0xf2, 0xf3, 0xf0, 0x48 };
	u8 last = rnd() & 0x7f;
	unsigned int n = 0;

	if (chance(60))
		last |= 0x78;	/* vvvv unused */
	if (chance(50))
		last &= ~4;	/* L */
	if (leaf->pfx >= 0)
		last = (last & ~3) | pp[leaf->pfx];
	if (chance(10))
		p[n++] = chance(50) ? 0x67 : 0x3e;
	if (chance(4))	/* those that must not be there */
		p[n++] = bad[rnd() % (width == W64 ? sizeof(bad) : sizeof(bad) - 1)];
	p[n++] = 0xc4;
	p[n++] = (rnd() & 0xe0) | leaf->map | (width != W64 ? 0xc0 : 0);
	p[n++] = last | (rnd() & 0x80);
	return n;
}

static void shape_modrm(u8 *p)
{
	if (leaf->mod == 1)
		*p |= 0xc0;
	else if (leaf->mod == 0 && *p >= 0xc0)
		*p &= chance(50) ? 0x7f : 0xbf;
	if (leaf->reg >= 0)
		*p = (*p & ~0x38) | leaf->reg << 3;
	if (leaf->rm >= 0)
		*p = (*p & ~7) | leaf->rm;
}

static void make_insn(u8 *p)
{
	unsigned int n = leaf->vex ? vex_prefixes(p) : legacy_prefixes(p), i;

	p[n++] = leaf->opcode;
	for (i = n; i < 15; i++)
		p[i] = rnd();
	shape_modrm(p + n);
	/* Small displacements and immediates, half of the time. */
	for (i = n + 3; i < 15 && chance(50); i++)
		p[i] = chance(50) ? 0 : 0xff;
}

/* ---- making operands ---- */

static void fill_fx(struct em_fx *fx)
{
	static const u8 special[][10] = {
		{ 0 }, { 0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x3f }, /* 0, 1 */
		{ 0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x7f },	/* infinity */
		{ 1, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x7f },	/* signalling NaN */
		{ 0, 0, 0, 0, 0, 0, 0, 0xc0, 0xff, 0xff },
		{ 1, 0, 0, 0, 0, 0, 0, 0, 0, 0 },		/* denormal */
		{ 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0x3f },		/* unsupported */
	};
	unsigned int i;

	for (i = 0; i < sizeof(*fx); i++)
		((u8 *)fx)[i] = rnd();
	for (i = 0; i < 8; i++) {
		memset(fx->st[i] + 10, 0, 6);
		if (chance(60))
			memcpy(fx->st[i], special[rnd() % ARRAY_SIZE(special)], 10);
		else if (chance(70))	/* of a size that integers have */
			fx->st[i][7] |= 0x80, fx->st[i][9] = 0x40, fx->st[i][8] &= 0x3f;
	}
	fx->fcw = (chance(80) ? 0x37f : 0x340 | (rnd() & 0xc3f));
	fx->fsw = rnd() & 0x7f7f;
	if (fx->fsw & ~fx->fcw & 0x3f)
		fx->fsw = chance(20) ? fx->fsw | 0x8080 : fx->fsw & ~0x3f;
	fx->fop = fx->reserved = 0;
	fx->fip = fx->fdp = 0;
	fx->mxcsr = chance(80) ? 0x1f80 : rnd() & 0xffff;
	fx->mxcsr_mask = 0;
}

/* The mask of MXCSR's bits is the processor's. */
static void host_mxcsr_mask(struct em_fx *fx)
{
	struct em_fx host __attribute__((aligned(16)));

	asm volatile("fxsave64 %0" : "=m" (host));
	fx->mxcsr_mask = host.mxcsr_mask ?: 0xffbf;
}

static void fill_state(struct state *s)
{
	unsigned int i;

	memset(s, 0, sizeof(*s));
	for (i = 0; i < 16; i++)
		s->gpr[i] = rnd_value();
	s->gpr[RSP] = DATA_BASE + 0x400 + (rnd() % 0x400);
	if (chance(70))
		s->gpr[RSP] &= ~7ULL;
	s->gpr[RBP] = chance(50) ? DATA_BASE + 0x600 + (rnd() % 0x400) : s->gpr[RBP];
	s->rflags = (rnd() & (EM_EFLAGS_ARITH | X86_EFLAGS_DF)) | X86_EFLAGS_IF | X86_EFLAGS_FIXED;
	if (chance(70))
		s->rflags &= ~X86_EFLAGS_DF;
	if (chance(5))
		s->rflags |= X86_EFLAGS_AC;
	if (chance(5))
		s->rflags |= X86_EFLAGS_TF;
	fill_fx(&s->fx);
	host_mxcsr_mask(&s->fx);
	for (i = 0; i < sizeof(s->ymm_upper); i++)
		((u8 *)s->ymm_upper)[i] = rnd();
	s->rip = width == W16 ? INSN_OFF : CODE_BASE + INSN_OFF;
	setup_segs(s);
}

static u64 data_ptr(void)
{
	u64 off = chance(10) ? PAGE - 20 + rnd() % 24 : 64 + rnd() % (PAGE - 256);

	if (chance(70))
		off &= ~31ULL;
	return (width == W16 ? 0 : DATA_BASE) + off;
}

/* Patch the displacement in the instruction's bytes, wherever it is. */
static bool patch_disp(u8 *p, s64 old, s64 new, unsigned int size)
{
	unsigned int i;

	for (i = 1; i + size <= 15; i++) {
		if (memcmp(p + i, &old, size))
			continue;
		memcpy(p + i, &new, size);
		return true;
	}
	return false;
}

static u64 trim(u64 v)
{
	return width == W64 ? v : (u32)v;
}

/* Segments with bases of their own: what to subtract from an address. */
static u64 seg_bias(int seg)
{
	u64 usual = width == W16 ? DATA_BASE : 0;

	if (width == W64)
		return seg == EM_FS || seg == EM_GS ? segs[seg].base : 0;
	return segs[seg].attr & EM_SEG_P ? segs[seg].base - usual : 0;
}

/* Bend registers or displacement so that the memory operand is in the sandbox. */
static void aim(struct state *s, u8 *p)
{
	const struct em_insn *insn = &ctx.insn;
	bool moffs = insn->k_src == K_MOFFS || insn->k_dst == K_MOFFS;
	u64 target = data_ptr() - seg_bias(em_ea_seg(&ctx)), mask = em_mask(insn->addr_size);
	unsigned int dsize = insn->addr_size == 2 ? 2 : 4;

	if (moffs) {
		patch_disp(p, insn->disp, target, insn->addr_size);
		return;
	}
	if (!insn->has_modrm || insn->modrm >= 0xc0)
		return;
	memcpy(ctx.gpr, s->gpr, sizeof(ctx.gpr));
	ctx.rip = s->rip;
	if (insn->base >= 0 && insn->base < 16)
		s->gpr[insn->base] += target - em_ea(&ctx);
	else
		patch_disp(p, insn->disp, insn->disp + ((target - em_ea(&ctx)) & mask), dsize);
}

/* Implicit memory operands, and values that keep the test meaningful. */
static void aim_implicit(struct state *s)
{
	const struct em_insn *insn = &ctx.insn;
	u64 bias = seg_bias(insn->seg >= 0 ? insn->seg : EM_DS);
	em_fn fn = insn->exec;

	if (insn->flags & EMF_STR) {
		s->gpr[RSI] = data_ptr() - bias;
		s->gpr[RDI] = data_ptr();
		s->gpr[RCX] = rnd() % 9;
	}
	if (fn == em_i_xlat)
		s->gpr[RBX] = data_ptr() - bias;
	if (fn == em_i_maskmov)
		s->gpr[RDI] = data_ptr() - bias;
	if (fn == em_i_clzero)
		s->gpr[RAX] = data_ptr() - bias;
	if (fn == em_i_movdir64b && chance(90))
		s->gpr[(insn->modrm >> 3 & 7) | (insn->rex & 4) << 1] = data_ptr();
	if (fn == em_i_xgetbv)
		s->gpr[RCX] = chance(70) ? 0 : 7;
	if (insn->k_dst == K_RMBIT && insn->modrm < 0xc0)
		s->gpr[(insn->modrm >> 3 & 7) | (insn->rex & 4) << 1] = (s64)(rnd() % 1024) - 512;
	if (fn == em_i_leave || fn == em_i_enter)
		s->gpr[RBP] = DATA_BASE + 0x800;
	if ((fn == em_i_div || fn == em_i_idiv) && chance(70))
		s->gpr[RDX] = chance(50) ? 0 : rnd() % 4 - 2;
}

static u64 code_ptr(void)
{
	return (width == W16 ? 0 : CODE_BASE) + 0x600 + rnd() % 0x800;
}

/* Transfers mostly go where there is an INT3. */
static void aim_transfer(struct state *s, u8 *p)
{
	const struct em_insn *insn = &ctx.insn;
	unsigned int size = insn->op_size == 2 ? 2 : 4;
	s32 rel = (s32)(rnd() % 0x400) - 0x200;

	if (!(insn->flags & EMF_F64) || chance(10))
		return;
	if (insn->k_src == K_IMM)
		memcpy(p + insn->len - size, &rel, size);
	if (insn->has_modrm && insn->modrm >= 0xc0)
		s->gpr[(insn->modrm & 7) | (insn->rex & 1) << 3] = code_ptr();
}

static void legalize(struct state *s)
{
	unsigned int i;

	if (width == W64)
		return;
	for (i = 0; i < 16; i++)
		s->gpr[i] = i < 8 ? trim(s->gpr[i]) : 0;
	if (width == W16)
		s->gpr[RSP] = 0x400 + s->gpr[RSP] % 0x400;
}

/* ---- selectors ---- */

/* Selectors of every kind of descriptor that a user program can have. */
static u16 some_selector(void)
{
	static const u16 all[] = { 0x33, 0, 0x23, 0x2b, 0x10, 0x18, 0x40, 0x50, 0xf8,
				   LDT_SEL(NR_LDT) };
	const u16 *any = all + (width == W16);

	if (!native_has_ldt || chance(40))
		return any[rnd() % (ARRAY_SIZE(all) - 1)] ^ (chance(20) ? rnd() & 3 : 0);
	return LDT_SEL(rnd() % NR_LDT) ^ (chance(20) ? rnd() & 3 : 0);
}

static u16 some_code_selector(void)
{
	static const u16 sel[] = { 0x33, 0x23, LDT_SEL(LDT_CODE32), LDT_SEL(LDT_CODE16),
				   LDT_SEL(LDT_CONFORMING), LDT_SEL(LDT_EXECONLY) };

	/* from 16-bit code the kernel's stack for that would shine through */
	return chance(60) ? sel[rnd() % (ARRAY_SIZE(sel) - 1) + (width == W16)] : some_selector();
}

static void put_shadow(u64 off, const void *val, unsigned int size)
{
	u64 at = off - (width == W16 ? 0 : DATA_BASE);

	if (at < PAGE && at + size <= PAGE)
		memcpy(shadow + at, val, size);
}

/* Where a far transfer to @sel goes: into the middle of the code page. */
static u64 far_target(u16 sel)
{
	u64 off = 0x600 + rnd() % 0x800;

	return (sel & ~3) == (LDT_SEL(LDT_CODE16) & ~3) ? off : CODE_BASE + off;
}

/* Selectors where the instruction is going to find them. */
static void plant_selectors(struct state *s, u8 *p)
{
	const struct em_insn *insn = &ctx.insn;
	em_fn fn = insn->exec;
	unsigned int size = insn->op_size;
	u16 sel = some_selector(), ss = width == W64 ? 0x2b : test_data_sel();
	u64 flags = rnd() & (EM_EFLAGS_ARITH | X86_EFLAGS_DF | X86_EFLAGS_IF);
	u64 sp = s->gpr[RSP], target;

	static const em_fn by_operand[] = { em_i_mov_to_sreg, em_i_lar, em_i_lsl, em_i_verr,
					    em_i_verw };
	static const em_fn by_pop[] = { em_i_pop_es, em_i_pop_ss, em_i_pop_ds, em_i_pop_fs,
					em_i_pop_gs };
	static const em_fn by_pointer[] = { em_i_les, em_i_lds, em_i_lss, em_i_lfs, em_i_lgs };

	if (is_one_of(fn, by_pop, ARRAY_SIZE(by_pop)))
		put_shadow(sp, &sel, 2);
	if (is_one_of(fn, by_operand, ARRAY_SIZE(by_operand))) {
		if (insn->modrm >= 0xc0)
			s->gpr[(insn->modrm & 7) | (insn->rex & 1) << 3] = sel;
		else
			put_shadow(em_ea(&ctx) + seg_bias(em_ea_seg(&ctx)), &sel, 2);
	}
	if (is_one_of(fn, by_pointer, ARRAY_SIZE(by_pointer)))
		put_shadow(em_ea(&ctx) + seg_bias(em_ea_seg(&ctx)) + size, &sel, 2);

	sel = some_code_selector();
	target = chance(90) ? far_target(sel) : rnd_value();
	if (fn == em_i_jmp_far || fn == em_i_call_far) {
		memcpy(p + insn->len - 2, &sel, 2);
		memcpy(p + insn->len - 2 - size, &target, size);
	}
	if (fn == em_i_jmp_far_mem || fn == em_i_call_far_mem) {
		u64 at = em_ea(&ctx) + seg_bias(em_ea_seg(&ctx));

		put_shadow(at, &target, size);
		put_shadow(at + size, &sel, 2);
	}
	if (fn == em_i_retf || fn == em_i_iret) {
		put_shadow(sp, &target, size);
		put_shadow(sp + size, &sel, 2);
	}
	if (fn == em_i_iret) {
		if (chance(20))
			ss = some_selector();
		put_shadow(sp + 2 * size, &flags, size);
		sp += (s64)(rnd() % 64) - 32;
		put_shadow(s->gpr[RSP] + 3 * size, &sp, size);
		put_shadow(s->gpr[RSP] + 4 * size, &ss, 2);
	}
}

static void fill_data(struct state *s, u8 *p)
{
	u64 *q = (u64 *)shadow;
	unsigned int i;

	for (i = 0; i < PAGE / 8; i++)
		q[i] = rnd_value();
	/* What POPF could pop must not nest tasks. */
	if (ctx.insn.exec == em_i_popf) {
		u64 flags = rnd() & (EM_EFLAGS_ARITH | X86_EFLAGS_DF | X86_EFLAGS_IF |
				     X86_EFLAGS_IOPL | X86_EFLAGS_AC);

		put_shadow(s->gpr[RSP], &flags, 8);
	}
	if (ctx.insn.exec == em_i_ret && chance(90)) {
		u64 target = code_ptr();

		put_shadow(s->gpr[RSP], &target, 8);
	}
	memcpy(ctx.gpr, s->gpr, sizeof(ctx.gpr));
	ctx.rip = s->rip;
	plant_selectors(s, p);
	memcpy(data, shadow, PAGE);
}

/* ---- comparing ---- */

struct count {
	unsigned int run, faults, skipped, lengths, tolerated;
} count;

/* What came of a row. */
static struct fate {
	unsigned int compared, completed, lengths;
	const char *why;
} fates[EM_MAX_LEAVES];

static void complain(const struct state *in, const struct outcome *em,
		     const struct outcome *nat, const char *what)
{
	static const char *const names[] = { "64", "32", "16" };
	unsigned int i;

	printf("%s-bit:", names[width]);
	for (i = 0; i < ctx.insn.len; i++)
		printf(" %02x", code[INSN_OFF + i]);
	printf(" (%s): %s differ\n", em_row_name(leaf), what);
	printf("  vector %u/%u error %llx/%llx cr2 %llx/%llx rip %llx/%llx flags %llx -> %llx/%llx\n",
	       em->vector, nat->vector, em->error, nat->error, em->cr2, nat->cr2,
	       em->s.rip, nat->s.rip, in->rflags, em->s.rflags, nat->s.rflags);
	for (i = 0; i < 16; i++)
		if (em->s.gpr[i] != nat->s.gpr[i])
			printf("  gpr%u %llx -> %llx/%llx\n", i, in->gpr[i], em->s.gpr[i],
			       nat->s.gpr[i]);
	for (i = 0; i < 6; i++)
		if (em->s.sel[i] != nat->s.sel[i])
			printf("  seg%u %x -> %x/%x\n", i, in->sel[i], em->s.sel[i], nat->s.sel[i]);
	if (em->s.fs_base != nat->s.fs_base || em->s.gs_base != nat->s.gs_base)
		printf("  fs %llx/%llx gs %llx/%llx\n", em->s.fs_base, nat->s.fs_base,
		       em->s.gs_base, nat->s.gs_base);
	for (i = 0; i < offsetof(struct em_fx, rest); i++)
		if (((u8 *)&em->s.fx)[i] != ((u8 *)&nat->s.fx)[i])
			printf("  fx+%x %02x -> %02x/%02x\n", i, ((u8 *)&in->fx)[i],
			       ((u8 *)&em->s.fx)[i], ((u8 *)&nat->s.fx)[i]);
	for (i = 0; i < PAGE; i++)
		if (shadow[i] != data[i])
			printf("  data+%x %02x/%02x\n", i, shadow[i], data[i]);
}

/* #SS, #GP, #PF, #AC */
static bool memory_fault(unsigned int vector)
{
	return vector < 32 && BIT(vector) & (BIT(12) | BIT(13) | BIT(14) | BIT(17));
}

/*
 * Where processors differ among themselves, or from one run to the next, and
 * both ways are right. All of it is in Documentation/errata.md.
 */
static bool tolerated(const struct outcome *em, const struct outcome *nat, const char *what)
{
	static const em_fn x87_blocks[] = { em_i_fxsave, em_i_fxrstor, em_i_x87_stenv,
					    em_i_x87_ldenv, em_i_x87_save, em_i_x87_rstor,
					    em_i_maskmov };
	static const em_fn areas[] = { em_i_xsave, em_i_xsaveopt, em_i_xsavec };
	static const em_fn calls[] = { em_i_call, em_i_call_abs, em_i_call_far, em_i_call_far_mem };
	em_fn fn = ctx.insn.exec;

	/* Misaligned and outside the stack segment at once: either may win. */
	if (em->vector == 12 && nat->vector == 13 &&
	    (ctx.insn.flags & (EMF_ALIGN | EMF_ALIGN_SSE) || is_one_of(fn, areas, ARRAY_SIZE(areas))))
		return true;
	/* CMPS with two bad operands: either one's fault. */
	if (fn == em_i_cmps && memory_fault(em->vector) && memory_fault(nat->vector) &&
	    (em->vector != nat->vector || em->cr2 != nat->cr2))
		return true;
	/* The environment and the state of the x87: any part may be touched first. */
	if (em->vector == 14 && nat->vector == 14 && em->cr2 != nat->cr2 &&
	    is_one_of(fn, x87_blocks, ARRAY_SIZE(x87_blocks)))
		return true;
	/* VERW with LOCK: #UD or not, since it flushes buffers too. */
	if (fn == em_i_verw && ctx.insn.lock && nat->vector != 6)
		return true;
	/* CLZERO with REP or REPNE: newer processors keep that opcode for something else. */
	if (fn == em_i_clzero && ctx.insn.rep && nat->vector == 6)
		return true;
	/* RETF n may look at the stack beyond n before it looks at the selector. */
	if ((nat->vector == 14 || nat->vector == 17) && fn == em_i_retf &&
	    ctx.insn.k_src == K_IMM16)
		return true;
	/* Whether MASKMOVDQU knows #AC is up to the mask. */
	if (nat->vector == 17 && fn == em_i_maskmov)
		return true;
	/* Misaligned and in an unmapped page: either may win. */
	if (em->vector == 17 && nat->vector == 14)
		return true;
	/* A CALL to a bad address may have pushed already. */
	return em->vector == 13 && nat->vector == 13 && is_one_of(fn, calls, ARRAY_SIZE(calls)) &&
	       !strcmp(what, "memory");
}

/* The stack pointer's upper half is lost on the way through a 16-bit stack. */
static bool gprs_differ(const struct state *a, const struct state *b)
{
	unsigned int i;

	if (width == W64 && a->sel[EM_SS] == 0x2b && a->sel[EM_CS] == 0x33)
		return memcmp(a->gpr, b->gpr, sizeof(a->gpr));
	for (i = 0; i < 8; i++)
		if ((u32)a->gpr[i] != (u32)b->gpr[i])
			return true;
	return false;
}

/* The pointers to the last x87 instruction are saved only by some processors. */
static bool fx_differs(const struct em_fx *a, const struct em_fx *b)
{
	unsigned int i;

	if (a->fcw != b->fcw || a->fsw != b->fsw || a->ftw != b->ftw || a->mxcsr != b->mxcsr)
		return true;
	for (i = 0; i < 8; i++)
		if (memcmp(a->st[i], b->st[i], 10))
			return true;
	return memcmp(a->xmm, b->xmm, sizeof(a->xmm));
}

/* Returning to a user program clears the privilege bits of null selectors. */
static bool selectors_differ(const struct state *a, const struct state *b)
{
	unsigned int i;

	for (i = 0; i < 6; i++)
		if (a->sel[i] != b->sel[i] && (a->sel[i] | b->sel[i]) & ~3)
			return true;
	return false;
}

static bool bases_differ(const struct state *a, const struct state *b)
{
	return width == W64 && a->sel[EM_CS] == 0x33 &&
	       (a->fs_base != b->fs_base || a->gs_base != b->gs_base);
}

static const char *difference(const struct outcome *em, const struct outcome *nat, u64 flags_mask)
{
	if (em->vector != nat->vector)
		return "vectors";
	if (em->vector != 3 && em->vector != 1 && em->error != nat->error)
		return "error codes";
	if (em->vector == 14 && em->cr2 != nat->cr2)
		return "fault addresses";
	if (em->s.rip != nat->s.rip)
		return "rip";
	if (gprs_differ(&em->s, &nat->s))
		return "registers";
	if ((em->s.rflags ^ nat->s.rflags) & flags_mask)
		return "flags";
	if (selectors_differ(&em->s, &nat->s))
		return "selectors";
	if (bases_differ(&em->s, &nat->s))
		return "segment bases";
	if (memcmp(shadow, data, PAGE))
		return "memory";
	if (memcmp(em->s.ymm_upper, nat->s.ymm_upper, sizeof(em->s.ymm_upper)) ||
	    fx_differs(&em->s.fx, &nat->s.fx))
		return "vector or x87 registers";
	return NULL;
}

/* Where did the emulator's run end, told the way the signal handler tells it. */
static void em_outcome(const struct state *in, struct outcome *em, enum em_result r)
{
	unsigned int i;

	*em = (struct outcome) { .s = em_state, .vector = 3 };
	memcpy(em->s.gpr, ctx.gpr, sizeof(ctx.gpr));
	em->s.rip = ctx.rip;
	em->s.rflags = ctx.rflags;
	for (i = 0; i < 6; i++)
		em->s.sel[i] = segs[i].sel;
	em->s.fs_base = segs[EM_FS].base;
	em->s.gs_base = segs[EM_GS].base;
	if (r == EM_FAULT) {
		wild |= ctx.fault.soft && ctx.fault.vector == 0x80;	/* a system call */
		em->vector = ctx.fault.vector;
		em->error = ctx.fault.error;
		em->cr2 = ctx.fault.payload;
	} else if (ctx.retire.singlestep) {
		em->vector = 1;
	} else {
		em->s.rip++;	/* over the INT3 */
	}
}

static bool emulate_all(const struct state *in, struct outcome *em)
{
	enum em_result r;

	memcpy(ctx.gpr, in->gpr, sizeof(ctx.gpr));
	ctx.rip = in->rip;
	ctx.rflags = in->rflags;
	em_state = *in;
	wild = false;
	do {
		r = em_execute(&ctx);
	} while (r == EM_RESTART && !wild && !ctx.retire.singlestep);
	if (r == EM_UNSUPPORTED || wild)
		return false;
	em_outcome(in, em, r);
	return !wild;
}

/* Where would the processor go on, and is that an INT3 of ours? */
static bool lands_well(const struct outcome *em)
{
	u64 at = em->s.rip - 1;

	if (em->vector != 3)
		return true;
	if (ctx.insn.exec == em_i_int3 || ctx.insn.exec == em_i_int)
		return true;
	/* after a far transfer linear addresses count */
	at += em->s.sel[EM_CS] == 0x33 ? 0 : segs[EM_CS].base;
	at -= CODE_BASE;
	return at < PAGE - 64 && (at < INSN_OFF || at >= INSN_OFF + ctx.insn.len);
}

/* The emulator knows only the length: does the processor agree? */
static const char *try_length(const struct state *in)
{
	struct outcome em = { .s = *in }, nat;
	unsigned int len = ctx.insn.len;

	native_run(in, &nat);
	count.lengths++;
	if (nat.vector != 3 || nat.s.rip == in->rip + len + 1)
		return NULL;
	em.vector = 3;
	em.s.rip = in->rip + len + 1;
	complain(in, &em, &nat, "lengths");
	return "lengths";
}

static struct leaf leaves[EM_MAX_LEAVES];

static struct fate *fate(void)
{
	return &fates[leaf - leaves];
}

/* EVEX is not in the tables; VSIB addresses go anywhere, but only to read. */
static bool length_testable(void)
{
	static const u8 state_or_port[] = { 0xae, 0xc7 };
	unsigned int i;

	for (i = 0; i < sizeof(state_or_port); i++)
		if (leaf->map == 1 && leaf->opcode == state_or_port[i])
			return false;
	return true;
}

static const char *try_one(void)
{
	u8 *p = code + INSN_OFF;
	struct outcome em, nat;
	const char *diff;
	struct state in;

	memset(p, 0xcc, 32);
	make_insn(p);
	fill_state(&in);
	ctx.rip = in.rip;
	if (em_decode(&ctx, NULL, 0) != EM_DONE)
		return NULL;
	aim_implicit(&in);
	legalize(&in);
	aim(&in, p);
	aim_transfer(&in, p);
	legalize(&in);
	if (em_decode(&ctx, NULL, 0) != EM_DONE)
		return NULL;
	memset(p + ctx.insn.len, 0xcc, 32 - ctx.insn.len);
	fill_data(&in, p);
	legalize(&in);
	memcpy(data, shadow, PAGE);
	if (em_decode(&ctx, NULL, 0) != EM_DONE)
		return NULL;
	if (!ctx.insn.exec) {
		if (!length_testable())
			return NULL;
		in.rflags &= ~(u64)(X86_EFLAGS_AC | X86_EFLAGS_TF);
		fate()->lengths++;
		return try_length(&in);
	}
	if (!emulate_all(&in, &em) || !lands_well(&em)) {
		count.skipped++;
		return NULL;
	}
	native_run(&in, &nat);
	count.run++;
	count.faults += em.vector != 3;
	fate()->compared++;
	fate()->completed += em.vector == 3 || em.vector == 1;
	/* A fault frame has RF set; the emulator leaves that to injection. */
	diff = difference(&em, &nat, ~(undefined_flags() | X86_EFLAGS_RF));
	if (!diff)
		return NULL;
	if (tolerated(&em, &nat, diff)) {
		count.tolerated++;
		return NULL;
	}
	complain(&in, &em, &nat, diff);
	return diff;
}

static unsigned int env_number(const char *name, unsigned int def)
{
	const char *s = getenv(name);

	return s ? (unsigned int)strtoul(s, NULL, 0) : def;
}

/* Each row in turn until @total instructions were made; rows that differ are left. */
static unsigned int sweep_rows(unsigned int rows, unsigned int total)
{
	static bool bad[EM_MAX_LEAVES];
	unsigned int i, n, differ = 0, useful = 0;

	memset(bad, 0, sizeof(bad));
	for (n = 0; n < rows; n++) {
		leaf = &leaves[n];
		fates[n] = (struct fate) { .why = em_row_is_prefix(leaf, width == W64) ?
					   "a prefix" : why_not(leaf) };
		useful += !fates[n].why && leaf->row->exec;
	}
	for (i = 0; i < total / useful + 1; i++) {
		for (n = 0; n < rows; n++) {
			leaf = &leaves[n];
			/* lengths need few tries */
			if (leaf->row->kind == EM_LEAF && !leaf->row->exec && i % 8)
				continue;
			if (fates[n].why || bad[n] || !try_one())
				continue;
			bad[n] = true;
			differ++;
		}
	}
	return differ;
}

static void report(unsigned int rows)
{
	static const char *const modes[] = { "64", "32", "16" };
	unsigned int n, compared = 0, completed = 0, lengths = 0, none = 0, out = 0;

	for (n = 0; n < rows; n++) {
		struct fate *f = &fates[n];
		const char *why = f->why;

		compared += !!f->compared;
		completed += !!f->completed;
		lengths += !f->compared && f->lengths;
		out += !!why;
		if (!why && !f->compared && !f->lengths) {
			none++;
			why = "nothing to compare";
		}
		if (why && getenv("EM_NATIVE_VERBOSE"))
			printf("  not run: %s: %s\n", em_row_name(&leaves[n]), why);
	}
	printf("mode %s: %u instructions compared, %u of them faults, %u skipped, %u tolerated, ",
	       modes[width], count.run, count.faults, count.skipped, count.tolerated);
	printf("%u lengths; rows: %u, %u compared (%u completed), %u only their length, ",
	       count.lengths, rows, compared, completed, lengths);
	printf("%u not for a user program or this processor, %u nothing\n", out, none);
	fflush(stdout);
}

static void sweep(void)
{
	unsigned int total = env_number("EM_NATIVE_COUNT", 90000), rows, differ;

	memset(&count, 0, sizeof(count));
	rng_state = env_number("EM_NATIVE_SEED", 20070205);
	rows = em_rows(leaves, width == W64);
	differ = sweep_rows(rows, total);
	report(rows);
	/* The tables of tolerated differences were made on AMD processors; others have not been met yet. */
	if (differ && !__builtin_cpu_is("amd"))
		printf("SKIP em_native-%s %u differences, all printed above: the first run on such a processor\n",
		       width == W64 ? "64" : width == W32 ? "32" : "16", differ);
	else
		ck_assert_uint_eq(differ, 0);
	ck_assert_uint_gt(count.run, total / 2);
}

/* The last descriptor tells users which CPU they are on: its limit is asked for. */
static void cpu_descriptor(void)
{
	u32 limit = 0, rights = 0, sel = 0x7b;

	asm("lsl %2, %0; lar %2, %1" : "+r" (limit), "+r" (rights) : "r" (sel) : "cc");
	gdt[15] = (limit & 0xffff) | (u64)(limit & 0xf0000) << 32 |
		  (u64)(rights & 0xf0ff00) << 32;
}

/*
 * Hypervisors hide features that the processor has nevertheless: of those that
 * nothing but the processor guards, an instruction is tried.
 */
static const struct { enum em_feature f; u8 code[5]; } probes[] = {
	{ EM_HAS_MOVDIRI, { 0x0f, 0x38, 0xf9, 0x03 } },
	{ EM_HAS_MOVDIR64B, { 0x66, 0x0f, 0x38, 0xf8, 0x03 } },
	{ EM_HAS_CMPCCXADD, { 0xc4, 0xe2, 0x79, 0xe0, 0x03 } },
	{ EM_HAS_MONITORX, { 0x0f, 0x01, 0xfa } },
	{ EM_HAS_SERIALIZE, { 0x0f, 0x01, 0xe8 } },
	{ EM_HAS_CLWB, { 0x66, 0x0f, 0xae, 0x33 } },
	{ EM_HAS_CLFLUSHOPT, { 0x66, 0x0f, 0xae, 0x3b } },
};

static bool runs(const u8 *insn, unsigned int size)
{
	struct outcome out;
	struct state in;

	fill_state(&in);
	in.rflags = X86_EFLAGS_IF | X86_EFLAGS_FIXED;
	in.gpr[RAX] = in.gpr[RBX] = DATA_BASE;
	in.gpr[RCX] = 0;
	memset(code + INSN_OFF, 0xcc, 32);
	memcpy(code + INSN_OFF, insn, size);
	native_run(&in, &out);
	return out.vector != 6;
}

static void find_features(void)
{
	unsigned int f, i;

	for (f = EM_HAS_NONE + 1; f < EM_NR_FEATURES; f++)
		features[f] = cpu_has(feature_bits[f].leaf, feature_bits[f].sub,
				      feature_bits[f].reg, feature_bits[f].bit);
	width = W64;
	rng_state = 1;
	for (i = 0; i < ARRAY_SIZE(probes); i++)
		features[probes[i].f] = runs(probes[i].code, sizeof(probes[i].code));
}

static void setup(void)
{
	native_setup();
	cpu_descriptor();
	em_init(&ctx, &ops);
	find_features();
}

START_TEST(native_64)
{
	width = W64;
	sweep();
}
END_TEST

START_TEST(native_32)
{
	width = W32;
	if (native_code_selector(0x23))
		sweep();
	else
		printf("mode 32: skipped, no 32-bit user code here\n");
}
END_TEST

START_TEST(native_16)
{
	width = W16;
	if (native_has_ldt)
		sweep();
	else
		printf("mode 16: skipped, no modify_ldt here\n");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("emulator against the processor");
	TCase *tc = tcase_create("native");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_set_timeout(tc, 7200);
	tcase_add_test(tc, native_64);
	tcase_add_test(tc, native_32);
	tcase_add_test(tc, native_16);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
