// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's vector and x87 registers for the emulator.
 *
 * Inside KVM_RUN the guest's FPU state is the current task's state: it lies in
 * the CPU, or has to be brought back there after the task was scheduled out.
 * Between fpregs_lock() and fpregs_unlock() it stays there, and single
 * instructions read or write it, or are run on it. No instruction that waits may
 * be reached while an exception of the x87 is pending; one that causes an
 * exception only makes it pending, which is the guest's to find.
 */
#include <asm/fpu/api.h>
#include <linux/sched.h>
#include "emul.h"

/* One instruction for each register number, picked by a switch the compiler makes a table of. */
#define VEC_CASE(n, insn, reg, ptr, dir) \
	case n: \
		VEC_##dir(insn, reg #n, ptr); \
		break;
#define VEC_LOAD(insn, r, ptr) \
	asm volatile(insn " %0, %%" r : : "m" (*(const u8 (*)[32])(ptr)))
#define VEC_STORE(insn, r, ptr) \
	asm volatile(insn " %%" r ", %0" : "=m" (*(u8 (*)[32])(ptr)))

#define VEC_8(insn, reg, ptr, dir) \
	VEC_CASE(0, insn, reg, ptr, dir) VEC_CASE(1, insn, reg, ptr, dir) \
	VEC_CASE(2, insn, reg, ptr, dir) VEC_CASE(3, insn, reg, ptr, dir) \
	VEC_CASE(4, insn, reg, ptr, dir) VEC_CASE(5, insn, reg, ptr, dir) \
	VEC_CASE(6, insn, reg, ptr, dir) VEC_CASE(7, insn, reg, ptr, dir)
#define VEC_16(insn, reg, ptr, dir) \
	VEC_8(insn, reg, ptr, dir) \
	VEC_CASE(8, insn, reg, ptr, dir) VEC_CASE(9, insn, reg, ptr, dir) \
	VEC_CASE(10, insn, reg, ptr, dir) VEC_CASE(11, insn, reg, ptr, dir) \
	VEC_CASE(12, insn, reg, ptr, dir) VEC_CASE(13, insn, reg, ptr, dir) \
	VEC_CASE(14, insn, reg, ptr, dir) VEC_CASE(15, insn, reg, ptr, dir)

#define VEC_MOVER(name, insn, regs, reg) \
static void name##_load(unsigned int r, const void *p) \
{ \
	switch (r) { regs(insn, reg, p, LOAD) } \
} \
static void name##_store(unsigned int r, void *p) \
{ \
	switch (r) { regs(insn, reg, p, STORE) } \
}

VEC_MOVER(mmx, "movq", VEC_8, "mm")
VEC_MOVER(xmm, "movdqu", VEC_16, "xmm")
VEC_MOVER(vxmm, "vmovdqu", VEC_16, "xmm")
VEC_MOVER(ymm, "vmovdqu", VEC_16, "ymm")

static const struct {
	u8 size;
	void (*load)(unsigned int r, const void *p);
	void (*store)(unsigned int r, void *p);
} movers[] = {
	[EM_VEC_MMX]	= { 8, mmx_load, mmx_store },
	[EM_VEC_XMM]	= { 16, xmm_load, xmm_store },
	[EM_VEC_XMM_ZX]	= { 16, vxmm_load, vxmm_store },
	[EM_VEC_YMM]	= { 32, ymm_load, ymm_store },
};

/* Through a buffer: the moves above are described to the compiler as 32 bytes wide. */
static void move_vec(enum em_vec what, unsigned int reg, void *data, bool write)
{
	u8 buf[32] = {};

	if (write) {
		memcpy(buf, data, movers[what].size);
		movers[what].load(reg, buf);
	} else {
		movers[what].store(reg, buf);
		memcpy(data, buf, movers[what].size);
	}
}

static bool control(enum em_vec what, void *data, bool write)
{
	switch (what) {
	case EM_VEC_FCW:
		if (write)
			asm volatile("fldcw %0" : : "m" (*(u16 *)data));
		else
			asm volatile("fnstcw %0" : "=m" (*(u16 *)data));
		return true;
	case EM_VEC_FSW:
		asm volatile("fnstsw %0" : "=m" (*(u16 *)data));
		return true;
	case EM_VEC_FNINIT:
		asm volatile("fninit");
		return true;
	case EM_VEC_FNCLEX:
		asm volatile("fnclex");
		return true;
	case EM_VEC_MXCSR:
		if (write)
			asm volatile("ldmxcsr %0" : : "m" (*(u32 *)data));
		else
			asm volatile("stmxcsr %0" : "=m" (*(u32 *)data));
		return true;
	case EM_VEC_EMMS:
		asm volatile("emms");
		return true;
	default:
		return false;
	}
}

/* ---- all of it at once ---- */

/* Bytes of a picture that FXSAVE writes; the last 48 are software's. */
#define FX_BYTES	464

struct x87_env {
	u32 fcw, fsw, ftw, fip, fcs_fop, fdp, fds;
};

/*
 * After an x87 instruction of ours the pointers to it are the kernel's, and would
 * tell the guest where that is. FXRSTOR brings the guest's, but not on AMD's
 * processors from before XSAVEERPTR, unless an exception is pending. FLDENV does
 * everywhere; FNSTENV before it masked what could make it wait.
 */
static void load_pointers(const struct em_fx *fx)
{
	struct x87_env env;

	if (boot_cpu_data.x86_vendor == X86_VENDOR_INTEL || boot_cpu_has(X86_FEATURE_XSAVEERPTR))
		return;
	asm volatile("fnstenv %0" : "=m" (env));
	env.fip = fx->fip;
	env.fdp = fx->fdp;
	env.fcs_fop = (u32)(fx->fop & 0x7ff) << 16;
	env.fds = 0;
	asm volatile("fldenv %0" : : "m" (env));
}

static void move_fx(void *data, bool write)
{
	struct em_fx fx __aligned(16) = {};
	u32 mask;

	asm volatile("fxsave64 %0" : "+m" (fx));
	if (!write) {
		memcpy(data, &fx, FX_BYTES);
		memset(data + FX_BYTES, 0, sizeof(fx) - FX_BYTES);
		return;
	}
	mask = fx.mxcsr_mask ?: 0xffbf;
	memcpy(&fx, data, sizeof(fx));
	fx.mxcsr &= mask;	/* was checked; it would be a fault here */
	asm volatile("fxrstor64 %0" : : "m" (fx));
	load_pointers(&fx);
}

/* ---- x87 instructions ---- */

/*
 * All 64 memory forms and 512 register forms, as instructions with operands that
 * are always the same: the buffer at rdi; flags go in and out as in alu.c, for
 * FCMOV and FCOMI. Forms that the emulator has other ways for, or that don't
 * exist, never get here: see its tables.
 */
struct x87_form {
	u8 *mem;
	u32 ax;		/* al: OF, ah: the low flags */
};

#define X87_RUN(bytes) \
	asm volatile("addb $0x7f, %%al\n\tsahf\n\t.byte " bytes "\n\tseto %%al\n\tlahf" \
		     : "+a" (f->ax) : "D" (f->mem) : "memory", "cc")
#define X87_BYTE(op, modrm)	#op ", " #modrm
#define X87_CASE(n, op, modrm)	case n: X87_RUN(X87_BYTE(op, modrm)); break;

/* (%rdi) is rm 7. */
#define X87_MEM(op) \
static void x87_mem_##op(unsigned int reg, struct x87_form *f) \
{ \
	switch (reg) { \
	X87_CASE(0, op, 0x07) X87_CASE(1, op, 0x0f) X87_CASE(2, op, 0x17) X87_CASE(3, op, 0x1f) \
	X87_CASE(4, op, 0x27) X87_CASE(5, op, 0x2f) X87_CASE(6, op, 0x37) X87_CASE(7, op, 0x3f) \
	} \
}

#define X87_ROW(op, h) \
	X87_CASE(0x##h##0, op, 0x##h##0) X87_CASE(0x##h##1, op, 0x##h##1) \
	X87_CASE(0x##h##2, op, 0x##h##2) X87_CASE(0x##h##3, op, 0x##h##3) \
	X87_CASE(0x##h##4, op, 0x##h##4) X87_CASE(0x##h##5, op, 0x##h##5) \
	X87_CASE(0x##h##6, op, 0x##h##6) X87_CASE(0x##h##7, op, 0x##h##7) \
	X87_CASE(0x##h##8, op, 0x##h##8) X87_CASE(0x##h##9, op, 0x##h##9) \
	X87_CASE(0x##h##a, op, 0x##h##a) X87_CASE(0x##h##b, op, 0x##h##b) \
	X87_CASE(0x##h##c, op, 0x##h##c) X87_CASE(0x##h##d, op, 0x##h##d) \
	X87_CASE(0x##h##e, op, 0x##h##e) X87_CASE(0x##h##f, op, 0x##h##f)

#define X87_REG(op) \
static void x87_reg_##op(unsigned int modrm, struct x87_form *f) \
{ \
	switch (modrm) { \
	X87_ROW(op, c) X87_ROW(op, d) X87_ROW(op, e) X87_ROW(op, f) \
	} \
}

#define X87_EACH(X) X(0xd8) X(0xd9) X(0xda) X(0xdb) X(0xdc) X(0xdd) X(0xde) X(0xdf)

X87_EACH(X87_MEM)
X87_EACH(X87_REG)

#define X87_ENTRY(op)	{ x87_mem_##op, x87_reg_##op },

static const struct {
	void (*mem)(unsigned int reg, struct x87_form *f);
	void (*reg)(unsigned int modrm, struct x87_form *f);
} x87_forms[8] = { X87_EACH(X87_ENTRY) };

#define X87_FLAGS (X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_AF | X86_EFLAGS_ZF | X86_EFLAGS_SF)

/*
 * An unmasked invalid operation, overflow or underflow leaves the destination of
 * a store as it was; one that is inexact stores first.
 */
#define X87_NO_STORE	0x19	/* IE, OE, UE */

static void run_x87(struct em_ctx *ctx, unsigned int reg, struct em_x87 *x)
{
	u8 modrm = reg, op = array_index_nospec(reg >> 8 & 7, 8);
	u8 mem[16] __aligned(16) = {};
	struct x87_form f = { .mem = mem };
	u16 cw, sw;

	memcpy(mem, x->mem, sizeof(x->mem));
	f.ax = (u32)(ctx->rflags & X87_FLAGS) << 8 | (ctx->rflags >> 11 & 1);
	if (modrm >= 0xc0)
		x87_forms[op].reg(modrm, &f);
	else
		x87_forms[op].mem(modrm >> 3 & 7, &f);
	asm volatile("fnstcw %0" : "=m" (cw));
	asm volatile("fnstsw %0" : "=m" (sw));
	memcpy(x->mem, mem, sizeof(x->mem));
	x->no_store = (sw & ~cw & X87_NO_STORE) != 0;
	ctx->rflags &= ~(u64)(X87_FLAGS | X86_EFLAGS_OF);
	ctx->rflags |= (f.ax >> 8 & X87_FLAGS) | (u64)(f.ax & 1) << 11;
}

/* Bits that this processor has not got must not get to its LDMXCSR. */
static bool bad_mxcsr(u32 mxcsr)
{
	struct em_fx fx __aligned(16) = {};

	asm volatile("fxsave64 %0" : "+m" (fx));
	return mxcsr & ~(fx.mxcsr_mask ?: 0xffbf);
}

/* x87 instructions raise pending exceptions: never let one happen in the kernel. */
static bool x87_exception_pending(enum em_vec what)
{
	u16 sw;

	if (what != EM_VEC_FCW && what != EM_VEC_MMX && what != EM_VEC_EMMS &&
	    what != EM_VEC_X87)
		return false;
	asm volatile("fnstsw %0" : "=m" (sw));
	return sw & 0x80;
}

enum em_result x86_emul_vec(struct em_ctx *ctx, enum em_vec what, unsigned int reg,
			    void *data, bool write)
{
	enum em_result r = EM_DONE;
	bool avx = what == EM_VEC_XMM_ZX || what == EM_VEC_YMM;

	if (avx && !boot_cpu_has(X86_FEATURE_AVX))
		return EM_UNSUPPORTED;
	fpregs_lock();
	if (test_thread_flag(TIF_NEED_FPU_LOAD))
		switch_fpu_return();
	if (x87_exception_pending(what))
		r = em_raise(ctx, EM_EX_MF, 0);
	else if (what == EM_VEC_MXCSR && write && bad_mxcsr(*(u32 *)data))
		r = em_raise(ctx, EM_EX_GP, 0);
	else if (what < ARRAY_SIZE(movers))
		move_vec(what, reg, data, write);
	else if (what == EM_VEC_FX)
		move_fx(data, write);
	else if (what == EM_VEC_X87)
		run_x87(ctx, reg, data);
	else if (!control(what, data, write))
		r = EM_UNSUPPORTED;
	fpregs_unlock();
	return r;
}
