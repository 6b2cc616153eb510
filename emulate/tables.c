// SPDX-License-Identifier: GPL-2.0
/*
 * The opcode maps: which handler runs, on which operands, under which rules.
 *
 * A row is written with one of these macros:
 *	I(handler, dst, src, flags)		an instruction
 *	I3(handler, dst, src, src2, flags)	with a third operand
 *	H(handler, flags)			without operands, or a group's
 *						operands if it is in a group
 *	G(kind, table, dst, src, flags)		go on in another table
 *	L(flags), LI(flags)			known by its length only (LI: an
 *						immediate byte): EM_UNSUPPORTED
 *	X					undefined: #UD; XM, XI, XV: and has ModRM, a
 *						byte, a value as immediate
 * Prefixes have rows that are never looked at. Within a line, flags say what is
 * special; see EMF_* in internal.h.
 *
 * What is not in the maps at all (all of FMA, AES, the three-operand parts of
 * AVX, AVX-512 ...) still has its length decoded, by rules in decode.c.
 */
#include "internal.h"

#define B	EMF_BYTE
#define M	EMF_MODRM
#define MOV	EMF_MOV
#define NOWB	EMF_NOWB
#define LOCK	EMF_LOCK
#define XLOCK	EMF_XLOCK
#define O64	EMF_O64
#define N64	EMF_N64
#define D64	EMF_D64
#define F64	EMF_F64
#define PRIV	EMF_PRIV
#define PROT	EMF_PROT
#define SSE	EMF_SSE
#define MMX	EMF_MMX
#define X87	EMF_X87
#define VEX	EMF_VEX
#define VEXONLY	(EMF_VEX | EMF_VEXONLY)
#define ALIGN16	EMF_ALIGN
#define ALIGNL	EMF_ALIGN_SSE
#define LOCK_CR	EMF_LOCK_CR
#define CC	EMF_CC
#define STR	EMF_STR
#define VVVV	EMF_VVVV
#define SCALAR	EMF_SCALAR
#define L0	EMF_L0
#define FEAT	EMF_FEATURE

#define I(fn, d, s, f)	{ .exec = em_i_##fn, .dst = K_##d, .src = K_##s, .flags = (f) }
#define I3(fn, d, s, s2, f) { .exec = em_i_##fn, .dst = K_##d, .src = K_##s, \
			      .src2 = K_##s2, .flags = (f) }
#define H(fn, f)	{ .exec = em_i_##fn, .flags = (f) }
#define G(k, tbl, d, s, f) { .group = tbl, .kind = EM_BY_##k, .dst = K_##d, \
			     .src = K_##s, .flags = (f) }
#define L(f)		{ .flags = (f) }
#define LI(f)		{ .src = K_IMM8, .flags = (f) }
#define X		{ .exec = em_i_ud, .flags = EMF_UD }
#define XM		{ .exec = em_i_ud, .flags = EMF_UD | M }
#define XV		{ .exec = em_i_ud, .src = K_IMM, .flags = EMF_UD | M }
#define XI		{ .exec = em_i_ud, .src = K_IMM8, .flags = EMF_UD | M }

#define TWICE(...)	__VA_ARGS__, __VA_ARGS__
#define FOUR(...)	TWICE(__VA_ARGS__), TWICE(__VA_ARGS__)
#define EIGHT(...)	FOUR(__VA_ARGS__), FOUR(__VA_ARGS__)

/* The six forms that each of ADD ... CMP has in a row of eight opcodes. */
#define ALU6(fn, f)							\
	I(fn, RM, REG, (f) | B), I(fn, RM, REG, f),			\
	I(fn, REG, RM, ((f) & ~LOCK) | B), I(fn, REG, RM, (f) & ~LOCK),	\
	I(fn, ACC, IMM, ((f) & ~LOCK) | B), I(fn, ACC, IMM, (f) & ~LOCK)

static const struct em_row group1[8] = {
	H(add, LOCK), H(or, LOCK), H(adc, LOCK), H(sbb, LOCK),
	H(and, LOCK), H(sub, LOCK), H(xor, LOCK), H(cmp, NOWB),
};

static const struct em_row group1a[8] = {
	H(pop, D64 | MOV), X, X, X, X, X, X, X,
};

static const struct em_row group_8e[8] = {
	H(mov_to_sreg, 0), X, H(mov_to_sreg, 0), H(mov_to_sreg, 0),
	H(mov_to_sreg, 0), H(mov_to_sreg, 0), X, X,
};

static const struct em_row group2[8] = {
	H(rol, 0), H(ror, 0), H(rcl, 0), H(rcr, 0), H(shl, 0), H(shr, 0), H(shl, 0), H(sar, 0),
};

static const struct em_row group3[8] = {
	I(test, RM, IMM, NOWB), I(test, RM, IMM, NOWB), H(not, LOCK), H(neg, LOCK),
	H(mul, NOWB), H(imul1, NOWB), H(div, NOWB), H(idiv, NOWB),
};

static const struct em_row group4[8] = {
	H(inc, LOCK), H(dec, LOCK), X, X, X, X, X, X,
};

static const struct em_row group5[8] = {
	I(inc, RM, NONE, LOCK), I(dec, RM, NONE, LOCK),
	I(call_abs, NONE, RM, F64), I(call_far_mem, NONE, MEM, 0),
	I(jmp_abs, NONE, RM, F64), I(jmp_far_mem, NONE, MEM, 0),
	I(push, NONE, RM, D64), X,
};

static const struct em_row rm_xabort[8] = { I(xabort, NONE, IMM8, FEAT), XV, XV, XV, XV, XV, XV, XV };
static const struct em_row mod_xabort[2] = { XV, G(RM, rm_xabort, NONE, NONE, 0) };
static const struct em_row rm_xbegin[8] = { I(xbegin, NONE, IMM, FEAT), XV, XV, XV, XV, XV, XV, XV };
static const struct em_row mod_xbegin[2] = { XV, G(RM, rm_xbegin, NONE, NONE, 0) };

static const struct em_row group11_c6[8] = {
	I(mov, RM, IMM, MOV), XV, XV, XV, XV, XV, XV, G(MOD, mod_xabort, NONE, NONE, 0),
};

static const struct em_row group11_c7[8] = {
	I(mov, RM, IMM, MOV), XV, XV, XV, XV, XV, XV, G(MOD, mod_xbegin, NONE, NONE, 0),
};

static const struct em_row group6[8] = {
	I(sldt, RMV, NONE, MOV), I(str, RMV, NONE, MOV),
	I(lldt, NONE, RM16, PRIV), I(ltr, NONE, RM16, PRIV),
	I(verr, NONE, RM16, 0), I(verw, NONE, RM16, 0), X, X,
};

static const struct em_row group7_r0[8] = {
	X, H(vmcall, 0), X, X, X, X, X, X,
};

static const struct em_row group7_r1[8] = {
	H(monitor, FEAT), H(mwait, FEAT), H(clac, FEAT), H(stac, FEAT), X, X, X, X,
};

static const struct em_row group7_r2[8] = {
	H(xgetbv, 0), H(xsetbv, 0), X, X, X, H(xend, FEAT), H(xtest, FEAT), X,
};

static const struct em_row group7_r3[8] = {
	H(svm, 0), H(vmcall, 0), H(svm, 0), H(svm, 0), H(svm, 0), H(svm, 0), H(svm, 0), H(svm, 0),
};

static const struct em_row pfx_01_e8[4] = { H(serialize, FEAT), X, X, H(tsxldtrk, FEAT) };
static const struct em_row pfx_01_e9[4] = { X, X, X, H(tsxldtrk, FEAT) };

/* Control-flow enforcement and user interrupts are not offered: #UD. */
static const struct em_row group7_r5[8] = {
	G(PFX, pfx_01_e8, NONE, NONE, 0), G(PFX, pfx_01_e9, NONE, NONE, 0), X, X, X, X,
	H(rdpkru, 0), H(wrpkru, 0),
};

static const struct em_row pfx_01_fa[4] = { H(monitorx, FEAT), X, X, X };
static const struct em_row pfx_01_fb[4] = { H(mwaitx, FEAT), X, X, X };

static const struct em_row group7_r7[8] = {
	H(swapgs, O64 | PRIV), H(rdtscp, FEAT),
	G(PFX, pfx_01_fa, NONE, NONE, 0), G(PFX, pfx_01_fb, NONE, NONE, 0),
	H(clzero, FEAT), X, X, X,	/* RDPRU, INVLPGB, TLBSYNC are not offered */
};

static const struct em_row group7_mem[8] = {
	I(sgdt, NONE, MEM, 0), I(sidt, NONE, MEM, 0),
	I(lgdt, NONE, MEM, PRIV), I(lidt, NONE, MEM, PRIV),
	I(smsw, RMV, NONE, MOV), X, I(lmsw, NONE, RM16, PRIV), I(invlpg, NONE, MEM, PRIV),
};

static const struct em_row group7_reg[8] = {
	G(RM, group7_r0, NONE, NONE, 0), G(RM, group7_r1, NONE, NONE, 0),
	G(RM, group7_r2, NONE, NONE, 0), G(RM, group7_r3, NONE, NONE, 0),
	I(smsw, RMV, NONE, MOV), G(RM, group7_r5, NONE, NONE, 0), I(lmsw, NONE, RM16, PRIV),
	G(RM, group7_r7, NONE, NONE, 0),
};

static const struct em_row group7_by_reg[2] = {
	G(REG, group7_mem, NONE, NONE, 0), G(REG, group7_reg, NONE, NONE, 0),
};

static const struct em_row group8[8] = {
	X, X, X, X, H(bt, NOWB), H(bts, LOCK), H(btr, LOCK), H(btc, LOCK),
};

static const struct em_row group9_mem[8] = {
	X, I(cmpxchg8b, MEM, NONE, LOCK | NOWB), X, I(xsaves, NONE, MEM, FEAT),
	I(xsavec, NONE, MEM, FEAT), I(xsaves, NONE, MEM, FEAT), X, X,
};

static const struct em_row pfx_c7_r6[4] = {
	I(rdrand, RM, NONE, MOV | FEAT), I(rdrand, RM, NONE, MOV | FEAT), X, X,
};

static const struct em_row pfx_c7_r7[4] = {
	I(rdseed, RM, NONE, MOV | FEAT), I(rdseed, RM, NONE, MOV | FEAT),
	I(rdpid, RNAT, NONE, MOV | FEAT), X,
};

static const struct em_row group9_reg[8] = {
	X, X, X, X, X, X, G(PFX, pfx_c7_r6, NONE, NONE, M), G(PFX, pfx_c7_r7, NONE, NONE, M),
};

static const struct em_row group9[2] = {
	G(REG, group9_mem, NONE, NONE, 0), G(REG, group9_reg, NONE, NONE, 0),
};

static const struct em_row group15_mem[8] = {
	I(fxsave, NONE, MEM, X87), I(fxrstor, NONE, MEM, X87),
	I(ldmxcsr, NONE, RM32, SSE | VEX | L0), I(stmxcsr, RM32, NONE, SSE | MOV | VEX | L0),
	I(xsave, NONE, MEM, 0), I(xsave, NONE, MEM, 0), I(xsaveopt, NONE, MEM, FEAT),
	I(clflush, NONE, MEM, 0),
};

static const struct em_row group15_mem_66[8] = {
	X, X, X, X, X, X, I(clwb, NONE, MEM, FEAT), I(clflushopt, NONE, MEM, FEAT),
};

static const struct em_row group15_f3[8] = {
	I(rdfsbase, RMY, NONE, O64 | MOV), I(rdgsbase, RMY, NONE, O64 | MOV),
	I(wrfsbase, NONE, RMY, O64), I(wrgsbase, NONE, RMY, O64), X, X, X, X,
};

static const struct em_row group15_fence[8] = {
	X, X, X, X, X, H(nop, M), H(nop, M), H(nop, M),
};

static const struct em_row group15_reg[4] = {
	G(REG, group15_fence, NONE, NONE, 0), XM, G(REG, group15_f3, NONE, NONE, 0), XM,
};

static const struct em_row group15_mem_pfx[4] = {
	G(REG, group15_mem, NONE, NONE, 0), G(REG, group15_mem_66, NONE, NONE, 0), XM, XM,
};

static const struct em_row group15[2] = {
	G(PFX, group15_mem_pfx, NONE, NONE, M), G(PFX, group15_reg, NONE, NONE, M),
};

/*
 * x87: memory forms by size of the operand; the environment and the state have
 * handlers of their own, and so do the instructions that look at no exception.
 */
#define F(k, s)		I(x87_##k, NONE, s, X87)

static const struct em_row group_d8_mem[8] = { EIGHT(F(load, M32)) };

static const struct em_row group_d9_mem[8] = {
	F(load, M32), X, F(store, M32), F(store, M32),
	F(ldenv, MEM), I(fldcw, NONE, M16, X87), F(stenv, MEM), I(fnstcw, RM16, NONE, X87 | MOV),
};

static const struct em_row group_db_mem[8] = {
	F(load, M32), F(store, M32), F(store, M32), F(store, M32),
	X, F(load, M80), X, F(store, M80),
};

static const struct em_row group_dc_mem[8] = { EIGHT(F(load, M64)) };

static const struct em_row group_dd_mem[8] = {
	F(load, M64), F(store, M64), F(store, M64), F(store, M64),
	F(rstor, MEM), X, F(save, MEM), I(fnstsw, RM16, NONE, X87 | MOV),
};

static const struct em_row group_de_mem[8] = { EIGHT(F(load, M16)) };

static const struct em_row group_df_mem[8] = {
	F(load, M16), F(store, M16), F(store, M16), F(store, M16),
	F(load, M80), F(load, M64), F(store, M80), F(store, M64),
};

#define FR	H(x87_reg, X87)

static const struct em_row group_d9_d0[8] = { FR, X, X, X, X, X, X, X };
static const struct em_row group_d9_e0[8] = { FR, FR, X, X, FR, FR, X, X };
static const struct em_row group_d9_e8[8] = { FR, FR, FR, FR, FR, FR, FR, X };

static const struct em_row group_d9_reg[8] = {
	FR, FR, G(RM, group_d9_d0, NONE, NONE, 0), FR,
	G(RM, group_d9_e0, NONE, NONE, 0), G(RM, group_d9_e8, NONE, NONE, 0), FR, FR,
};

static const struct em_row group_da_e8[8] = { X, FR, X, X, X, X, X, X };

static const struct em_row group_da_reg[8] = {
	FR, FR, FR, FR, X, G(RM, group_da_e8, NONE, NONE, 0), X, X,
};

static const struct em_row group_db_e0[8] = {
	H(nop, X87), H(nop, X87), H(fnclex, X87), H(fninit, X87), H(nop, X87), X, X, X,
};

static const struct em_row group_db_reg[8] = {
	FR, FR, FR, FR, G(RM, group_db_e0, NONE, NONE, 0), FR, FR, X,
};

static const struct em_row group_dd_reg[8] = { FR, FR, FR, FR, FR, FR, X, X };

static const struct em_row group_de_d8[8] = { X, FR, X, X, X, X, X, X };

static const struct em_row group_de_reg[8] = {
	FR, FR, FR, G(RM, group_de_d8, NONE, NONE, 0), FR, FR, FR, FR,
};

static const struct em_row group_df_e0[8] = { H(fnstsw_ax, X87), X, X, X, X, X, X, X };

static const struct em_row group_df_reg[8] = {
	FR, FR, FR, FR, G(RM, group_df_e0, NONE, NONE, 0), FR, FR, X,
};

static const struct em_row group_x87_reg[8] = { EIGHT(FR) };

#define ESC(n, reg)							\
static const struct em_row group_##n[2] = {				\
	G(REG, group_##n##_mem, NONE, NONE, 0), G(REG, reg, NONE, NONE, 0), \
}

ESC(d8, group_x87_reg);
ESC(d9, group_d9_reg);
static const struct em_row group_da[2] = {
	G(REG, group_d8_mem, NONE, NONE, 0), G(REG, group_da_reg, NONE, NONE, 0),
};
ESC(db, group_db_reg);
ESC(dc, group_x87_reg);
ESC(dd, group_dd_reg);
ESC(de, group_de_reg);
ESC(df, group_df_reg);

/* 90: NOP unless REX.B makes r8 of it; F3 makes it PAUSE. */
static const struct em_row group_90[4] = {
	I(xchg, OPREG, ACC, 0), I(xchg, OPREG, ACC, 0), I(pause, OPREG, ACC, 0),
	I(xchg, OPREG, ACC, 0),
};

/* 63 in 64-bit mode, where ARPL is gone. */
const struct em_row em_row_movsxd = I(movsxd, REG, RMD, MOV);

const struct em_row em_map_1[256] = {
	/* 00 */
	ALU6(add, LOCK), I(push_sreg, NONE, NONE, N64 | D64), H(pop_es, N64),
	ALU6(or, LOCK), I(push_sreg, NONE, NONE, N64 | D64), X,
	/* 10 */
	ALU6(adc, LOCK), I(push_sreg, NONE, NONE, N64 | D64), H(pop_ss, N64),
	ALU6(sbb, LOCK), I(push_sreg, NONE, NONE, N64 | D64), H(pop_ds, N64),
	/* 20 */
	ALU6(and, LOCK), X, H(daa, N64),
	ALU6(sub, LOCK), X, H(das, N64),
	/* 30 */
	ALU6(xor, LOCK), X, H(aaa, N64),
	ALU6(cmp, NOWB), X, H(aas, N64),
	/* 40: REX prefixes in 64-bit mode */
	EIGHT(I(inc, OPREG, NONE, N64)),
	EIGHT(I(dec, OPREG, NONE, N64)),
	/* 50 */
	EIGHT(I(push, NONE, OPREG, D64)),
	EIGHT(I(pop, OPREG, NONE, D64 | MOV)),
	/* 60 */
	H(pusha, N64), H(popa, N64), I(bound, REG, MEM, N64 | NOWB),
	I(arpl, RM16, REG, PROT | NOWB), X, X, X, X,
	I(push, NONE, IMM, D64), I3(imul3, REG, RM, IMM, MOV),
	I(push, NONE, SIMM8, D64), I3(imul3, REG, RM, SIMM8, MOV),
	H(ins, B | STR), H(ins, STR), H(outs, B | STR), H(outs, STR),
	/* 70 */
	EIGHT(I(jcc, NONE, SIMM8, F64 | CC)),
	EIGHT(I(jcc, NONE, SIMM8, F64 | CC)),
	/* 80 */
	G(REG, group1, RM, IMM, B), G(REG, group1, RM, IMM, 0),
	G(REG, group1, RM, IMM, B | N64), G(REG, group1, RM, SIMM8, 0),
	I(test, RM, REG, B | NOWB), I(test, RM, REG, NOWB),
	I(xchg, RM, REG, B | LOCK | XLOCK), I(xchg, RM, REG, LOCK | XLOCK),
	I(mov, RM, REG, B | MOV), I(mov, RM, REG, MOV),
	I(mov, REG, RM, B | MOV), I(mov, REG, RM, MOV),
	I(mov_from_sreg, RMV, SREG, MOV), I(lea, REG, MEM, MOV),
	G(REG, group_8e, NONE, RM16, 0), G(REG, group1a, RM, NONE, 0),
	/* 90 */
	G(PFX, group_90, NONE, NONE, 0), I(xchg, OPREG, ACC, 0),
	TWICE(I(xchg, OPREG, ACC, 0)), FOUR(I(xchg, OPREG, ACC, 0)),
	H(cbw, 0), H(cwd, 0), I(call_far, NONE, FAR, N64), H(fwait, 0),
	H(pushf, D64), H(popf, D64), H(sahf, 0), H(lahf, 0),
	/* A0 */
	I(mov, ACC, MOFFS, B | MOV), I(mov, ACC, MOFFS, MOV),
	I(mov, MOFFS, ACC, B | MOV), I(mov, MOFFS, ACC, MOV),
	H(movs, B | STR), H(movs, STR), H(cmps, B | STR), H(cmps, STR),
	I(test, ACC, IMM, B | NOWB), I(test, ACC, IMM, NOWB),
	H(stos, B | STR), H(stos, STR), H(lods, B | STR), H(lods, STR),
	H(scas, B | STR), H(scas, STR),
	/* B0 */
	EIGHT(I(mov, OPREG, IMM, B | MOV)),
	EIGHT(I(mov, OPREG, IMMV, MOV)),
	/* C0 */
	G(REG, group2, RM, IMM8, B), G(REG, group2, RM, IMM8, 0),
	I(ret, NONE, IMM16, F64), H(ret, F64),
	I(les, REG, MEM, N64 | MOV), I(lds, REG, MEM, N64 | MOV),
	G(REG, group11_c6, NONE, NONE, B), G(REG, group11_c7, NONE, NONE, 0),
	I3(enter, NONE, IMM16, IMM8, D64), H(leave, D64),
	I(retf, NONE, IMM16, 0), H(retf, 0),
	H(int3, 0), I(int, NONE, IMM8, 0), H(into, N64), H(iret, 0),
	/* D0 */
	G(REG, group2, RM, ONE, B), G(REG, group2, RM, ONE, 0),
	G(REG, group2, RM, CL, B), G(REG, group2, RM, CL, 0),
	I(aam, NONE, IMM8, N64), I(aad, NONE, IMM8, N64), H(salc, N64), H(xlat, 0),
	G(MOD, group_d8, NONE, NONE, 0), G(MOD, group_d9, NONE, NONE, 0),
	G(MOD, group_da, NONE, NONE, 0), G(MOD, group_db, NONE, NONE, 0),
	G(MOD, group_dc, NONE, NONE, 0), G(MOD, group_dd, NONE, NONE, 0),
	G(MOD, group_de, NONE, NONE, 0), G(MOD, group_df, NONE, NONE, 0),
	/* E0 */
	I(loopne, NONE, SIMM8, F64), I(loope, NONE, SIMM8, F64),
	I(loop, NONE, SIMM8, F64), I(jcxz, NONE, SIMM8, F64),
	I(in, ACC, IMM8, B | MOV), I(in, ACC, IMM8, MOV),
	I(out, IMM8, ACC, B | NOWB), I(out, IMM8, ACC, NOWB),
	I(call, NONE, IMM, F64), I(jmp, NONE, IMM, F64),
	I(jmp_far, NONE, FAR, N64), I(jmp, NONE, SIMM8, F64),
	I(in, ACC, DX, B | MOV), I(in, ACC, DX, MOV),
	I(out, DX, ACC, B | NOWB), I(out, DX, ACC, NOWB),
	/* F0 */
	X, H(int1, 0), X, X, H(hlt, PRIV), H(cmc, 0),
	G(REG, group3, RM, NONE, B), G(REG, group3, RM, NONE, 0),
	H(clc, 0), H(stc, 0), H(cli, 0), H(sti, 0), H(cld, 0), H(std, 0),
	G(REG, group4, RM, NONE, B), G(REG, group5, NONE, NONE, 0),
};

/* Vector moves, by mandatory prefix: none, 66, F3, F2. */
static const struct em_row pfx_10[4] = {
	I(vmov, XREG, XRM, SSE | VEX | MOV), I(vmov, XREG, XRM, SSE | VEX | MOV),
	I(vmov_scalar4, XREG, XRM4, SSE | VEX | MOV | SCALAR),
	I(vmov_scalar8, XREG, XRM8, SSE | VEX | MOV | SCALAR),
};

static const struct em_row pfx_11[4] = {
	I(vmov, XRM, XREG, SSE | VEX | MOV), I(vmov, XRM, XREG, SSE | VEX | MOV),
	I(vmov_scalar4, XRM4, XREG, SSE | VEX | MOV | SCALAR),
	I(vmov_scalar8, XRM8, XREG, SSE | VEX | MOV | SCALAR),
};

static const struct em_row mod_12_f2[2] = {
	I(vmov_dup, XREG, XRMDUP, SSE | VEX | MOV), I(vmov_dup, XREG, XRM, SSE | VEX | MOV),
};

static const struct em_row pfx_12[4] = {
	I(vmov_low, XREG, XRM8, SSE | VEX | MOV | L0 | VVVV),
	I(vmov_low, XREG, XRM8, SSE | VEX | MOV | L0 | VVVV),
	I(vmov_even, XREG, XRM, SSE | VEX | MOV | ALIGNL), G(MOD, mod_12_f2, NONE, NONE, 0),
};

static const struct em_row pfx_13[4] = {
	I(vmovq_store, XRM8, XREG, SSE | VEX | MOV | L0),
	I(vmovq_store, XRM8, XREG, SSE | VEX | MOV | L0), XM, XM,
};

static const struct em_row pfx_16[4] = {
	I(vmov_high, XREG, XRM8, SSE | VEX | MOV | L0 | VVVV),
	I(vmov_high, XREG, XRM8, SSE | VEX | MOV | L0 | VVVV),
	I(vmov_odd, XREG, XRM, SSE | VEX | MOV | ALIGNL), XM,
};

static const struct em_row pfx_17[4] = {
	I(vmov_store_high, XRM8, XREG, SSE | VEX | MOV | L0),
	I(vmov_store_high, XRM8, XREG, SSE | VEX | MOV | L0), XM, XM,
};

static const struct em_row pfx_28[4] = {
	I(vmov, XREG, XRM, SSE | VEX | MOV | ALIGN16),
	I(vmov, XREG, XRM, SSE | VEX | MOV | ALIGN16), XM, XM,
};

static const struct em_row pfx_29[4] = {
	I(vmov, XRM, XREG, SSE | VEX | MOV | ALIGN16),
	I(vmov, XRM, XREG, SSE | VEX | MOV | ALIGN16), XM, XM,
};

static const struct em_row pfx_2b_mem[4] = {
	I(vmov, XRM, XREG, SSE | VEX | MOV | ALIGN16),
	I(vmov, XRM, XREG, SSE | VEX | MOV | ALIGN16),
	I(vmov, XRM4, XREG, SSE | MOV), I(vmov, XRM8, XREG, SSE | MOV),
};

static const struct em_row mod_2b[2] = {
	G(PFX, pfx_2b_mem, NONE, NONE, M), XM,
};

static const struct em_row pfx_6e[4] = {
	I(vmovd_load, MREG, RMY, MMX | MOV), I(vmovd_load, XREG, RMY, SSE | VEX | MOV | L0),
	XM, XM,
};

static const struct em_row pfx_6f[4] = {
	I(vmov, MREG, MRM, MMX | MOV), I(vmov, XREG, XRM, SSE | VEX | MOV | ALIGN16),
	I(vmov, XREG, XRM, SSE | VEX | MOV), XM,
};

static const struct em_row pfx_7e[4] = {
	I(vmovd_store, RMY, MREG, MMX | MOV), I(vmovd_store, RMY, XREG, SSE | VEX | MOV | L0),
	I(vmovq_load, XREG, XRM8, SSE | VEX | MOV | L0), XM,
};

static const struct em_row pfx_7f[4] = {
	I(vmov, MRM, MREG, MMX | MOV), I(vmov, XRM, XREG, SSE | VEX | MOV | ALIGN16),
	I(vmov, XRM, XREG, SSE | VEX | MOV), XM,
};

static const struct em_row mod_d6_f3[2] = {
	XM, I(movq2dq, XREG, MRM, SSE | MMX | MOV),
};

static const struct em_row mod_d6_f2[2] = {
	XM, I(movdq2q, MREG, XRM, SSE | MMX | MOV),
};

static const struct em_row pfx_d6[4] = {
	XM, I(vmovq_store, XRM8, XREG, SSE | VEX | MOV | L0),
	G(MOD, mod_d6_f3, NONE, NONE, 0), G(MOD, mod_d6_f2, NONE, NONE, 0),
};

static const struct em_row pfx_e7_mem[4] = {
	I(vmov, MRM, MREG, MMX | MOV), I(vmov, XRM, XREG, SSE | VEX | MOV | ALIGN16),
	XM, XM,
};

static const struct em_row mod_e7[2] = {
	G(PFX, pfx_e7_mem, NONE, NONE, M), XM,
};

static const struct em_row mod_f0_f2[2] = {
	I(vmov, XREG, XRM, SSE | VEX | MOV), XM,
};

static const struct em_row pfx_f0[4] = {
	XM, XM, XM, G(MOD, mod_f0_f2, NONE, NONE, 0),
};

static const struct em_row pfx_b8[4] = {
	XM, XM, I(popcnt, REG, RM, MOV | FEAT), XM,
};

static const struct em_row pfx_bc[4] = {
	I(bsf, REG, RM, 0), I(bsf, REG, RM, 0), I(tzcnt, REG, RM, MOV), I(bsf, REG, RM, 0),
};

static const struct em_row pfx_bd[4] = {
	I(bsr, REG, RM, 0), I(bsr, REG, RM, 0), I(lzcnt, REG, RM, MOV), I(bsr, REG, RM, 0),
};

static const struct em_row pfx_c3[4] = {
	I(movnti, RMY, REG32, MOV), XM, XM, XM,
};

static const struct em_row mod_c3[2] = {
	G(PFX, pfx_c3, NONE, NONE, M), XM,
};

static const struct em_row pfx_50_reg[4] = {
	I(movmskps, REG32, XRM, SSE | VEX | MOV), I(movmskpd, REG32, XRM, SSE | VEX | MOV), XM, XM,
};

static const struct em_row mod_50[2] = { XM, G(PFX, pfx_50_reg, NONE, NONE, M) };

static const struct em_row pfx_c4[4] = {
	I3(pinsr, MREG, RMW32, IMM8, MMX),
	I3(pinsr, XREG, RMW32, IMM8, SSE | VEX | MOV | L0 | VVVV), XM, XM,
};

static const struct em_row pfx_c5_reg[4] = {
	I3(pextr, REG32, MRM, IMM8, MMX | MOV),
	I3(pextr, REG32, XRM, IMM8, SSE | VEX | MOV | L0), XM, XM,
};

static const struct em_row mod_c5[2] = { XM, G(PFX, pfx_c5_reg, NONE, NONE, M) };

static const struct em_row pfx_d7_reg[4] = {
	I(pmovmskb, REG32, MRM, MMX | MOV), I(pmovmskb, REG32, XRM, SSE | VEX | MOV), XM, XM,
};

static const struct em_row mod_d7[2] = { XM, G(PFX, pfx_d7_reg, NONE, NONE, M) };

static const struct em_row pfx_f7_reg[4] = {
	I3(maskmov, NONE, MRM, MREG, MMX), I3(maskmov, NONE, XRM, XREG, SSE | VEX | L0), XM, XM,
};

static const struct em_row mod_f7[2] = { XM, G(PFX, pfx_f7_reg, NONE, NONE, M) };

/* 78: VMREAD, and two bit-field instructions with two immediate bytes each. */
static const struct em_row pfx_78[4] = {
	XM, { .src = K_IMM8, .src2 = K_IMM8, .flags = M }, XM,
	{ .src = K_IMM8, .src2 = K_IMM8, .flags = M },
};

static const struct em_row pfx_79[4] = { XM, L(M), XM, L(M) };

/* VEX.77: VZEROUPPER and VZEROALL. */
static const struct em_row pfx_v77[4] = { H(vzero, SSE | VEXONLY), XM, XM, XM };

const struct em_row em_row_vzero = G(PFX, pfx_v77, NONE, NONE, 0);

static const struct em_row pfx_77[4] = { H(emms, MMX), X, X, X };

const struct em_row em_map_0f[256] = {
	/* 00 */
	G(REG, group6, NONE, NONE, PROT), G(MOD, group7_by_reg, NONE, NONE, 0),
	I(lar, REG, RM16, PROT), I(lsl, REG, RM16, PROT),
	X, H(syscall, 0), H(clts, PRIV), H(sysret, 0),
	H(invd, PRIV), H(wbinvd, PRIV), X, X, X, H(prefetch, M), H(femms, MMX | FEAT),
	I(amd3dnow, NONE, IMM8, MMX | FEAT | M),
	/* 10 */
	G(PFX, pfx_10, NONE, NONE, M), G(PFX, pfx_11, NONE, NONE, M),
	G(PFX, pfx_12, NONE, NONE, M), G(PFX, pfx_13, NONE, NONE, M),
	L(M), L(M), G(PFX, pfx_16, NONE, NONE, M), G(PFX, pfx_17, NONE, NONE, M),
	EIGHT(H(nop, M)),
	/* 20 */
	I(mov_from_cr, RNAT, CREG, MOV | LOCK_CR), I(mov_from_dr, RNAT, CREG, MOV),
	I(mov_to_cr, CREG, RNAT, NOWB | LOCK_CR), I(mov_to_dr, CREG, RNAT, NOWB),
	FOUR(XM),
	G(PFX, pfx_28, NONE, NONE, M), G(PFX, pfx_29, NONE, NONE, M), L(M),
	G(MOD, mod_2b, NONE, NONE, 0), FOUR(L(M)),
	/* 30 */
	H(wrmsr, PRIV), H(rdtsc, 0), H(rdmsr, PRIV), H(rdpmc, 0),
	H(sysenter, 0), H(sysexit, 0), X, X,
	L(M), X, L(M), X, X, X, X, X,	/* 38 and 3A are escapes */
	/* 40 */
	EIGHT(I(cmov, REG, RM, CC)), EIGHT(I(cmov, REG, RM, CC)),
	/* 50 */
	G(MOD, mod_50, NONE, NONE, 0), L(M), TWICE(L(M)), FOUR(L(M)), EIGHT(L(M)),
	/* 60 */
	EIGHT(L(M)), FOUR(L(M)), TWICE(L(M)),
	G(PFX, pfx_6e, NONE, NONE, M), G(PFX, pfx_6f, NONE, NONE, M),
	/* 70 */
	FOUR(LI(M)), L(M), L(M), L(M), G(PFX, pfx_77, NONE, NONE, 0),
	G(PFX, pfx_78, NONE, NONE, M), G(PFX, pfx_79, NONE, NONE, M), X, X, L(M), L(M),
	G(PFX, pfx_7e, NONE, NONE, M), G(PFX, pfx_7f, NONE, NONE, M),
	/* 80 */
	EIGHT(I(jcc, NONE, IMM, F64 | CC)), EIGHT(I(jcc, NONE, IMM, F64 | CC)),
	/* 90 */
	EIGHT(I(setcc, RM, NONE, B | MOV | CC)), EIGHT(I(setcc, RM, NONE, B | MOV | CC)),
	/* A0 */
	H(push_sreg, D64), H(pop_fs, D64), H(cpuid, 0), I(bt, RMBIT, REG, NOWB),
	I3(shld, RM, REG, IMM8, 0), I3(shld, RM, REG, CL, 0), X, X,
	H(push_sreg, D64), H(pop_gs, D64), H(rsm, 0), I(bts, RMBIT, REG, LOCK),
	I3(shrd, RM, REG, IMM8, 0), I3(shrd, RM, REG, CL, 0),
	G(MOD, group15, NONE, NONE, 0), I(imul, REG, RM, 0),
	/* B0 */
	I(cmpxchg, RM, REG, B | LOCK), I(cmpxchg, RM, REG, LOCK),
	I(lss, REG, MEM, MOV), I(btr, RMBIT, REG, LOCK),
	I(lfs, REG, MEM, MOV), I(lgs, REG, MEM, MOV),
	I(movzx, REG, RM8, MOV), I(movzx, REG, RM16, MOV),
	G(PFX, pfx_b8, NONE, NONE, M), XM, G(REG, group8, RM, IMM8, 0),
	I(btc, RMBIT, REG, LOCK),
	G(PFX, pfx_bc, NONE, NONE, M), G(PFX, pfx_bd, NONE, NONE, M),
	I(movsx, REG, RM8, MOV), I(movsx, REG, RM16, MOV),
	/* C0 */
	I(xadd, RM, REG, B | LOCK), I(xadd, RM, REG, LOCK), LI(M),
	G(MOD, mod_c3, NONE, NONE, 0), G(PFX, pfx_c4, NONE, NONE, M),
	G(MOD, mod_c5, NONE, NONE, 0), LI(M), G(MOD, group9, NONE, NONE, 0),
	EIGHT(I(bswap, OPREG, NONE, 0)),
	/* D0 */
	FOUR(L(M)), L(M), L(M), G(PFX, pfx_d6, NONE, NONE, M), G(MOD, mod_d7, NONE, NONE, 0),
	EIGHT(L(M)),
	/* E0 */
	FOUR(L(M)), L(M), L(M), L(M), G(MOD, mod_e7, NONE, NONE, 0), EIGHT(L(M)),
	/* F0 */
	G(PFX, pfx_f0, NONE, NONE, M), L(M), TWICE(L(M)), L(M), L(M), L(M),
	G(MOD, mod_f7, NONE, NONE, 0),
	FOUR(L(M)), L(M), L(M), L(M), XM,
};

static const struct em_row pfx_38_f0[4] = {
	I(movbe, REG, MEM, MOV | FEAT), I(movbe, REG, MEM, MOV | FEAT), XM,
	I(crc32, REG32, RM8, FEAT),
};

static const struct em_row pfx_38_f1[4] = {
	I(movbe, MEM, REG, MOV | FEAT), I(movbe, MEM, REG, MOV | FEAT), XM,
	I(crc32, REG32, RM, FEAT),
};

/* Without a prefix that of F6 is WRSS: control-flow enforcement is not offered. */
static const struct em_row pfx_38_f6[4] = {
	XM, I(adcx, REG32, RMY, FEAT), I(adox, REG32, RMY, FEAT), XM,
};

static const struct em_row pfx_38_f8_mem[4] = { XM, I(movdir64b, NONE, MEM, FEAT), XM, XM };
static const struct em_row mod_38_f8[2] = { G(PFX, pfx_38_f8_mem, NONE, NONE, M), XM };
static const struct em_row pfx_38_f9_mem[4] = { I(movdiri, RMY, REG32, MOV | FEAT), XM, XM, XM };
static const struct em_row mod_38_f9[2] = { G(PFX, pfx_38_f9_mem, NONE, NONE, M), XM };

const struct em_row em_map_0f38_f[16] = {
	G(PFX, pfx_38_f0, NONE, NONE, M), G(PFX, pfx_38_f1, NONE, NONE, M), L(M), L(M),
	L(M), L(M), G(PFX, pfx_38_f6, NONE, NONE, M), L(M),
	G(MOD, mod_38_f8, NONE, NONE, 0), G(MOD, mod_38_f9, NONE, NONE, 0), TWICE(L(M)), FOUR(L(M)),
};

/* 0F 38 and 0F 3A up to EF: moves; legacy and VEX encoded ones in one map. */
#define V	SSE | VEX | MOV			/* has both encodings */
#define VO	SSE | VEXONLY | MOV
#define VB	SSE | VEXONLY | MOV | EMF_W0
#define ONLY66(n, row)	static const struct em_row pfx_##n[4] = { XM, row, XM, XM }
#define ONLY66I(n, row)	static const struct em_row pfx_##n[4] = { XI, row, XI, XI }
#define P(n)		G(PFX, pfx_##n, NONE, NONE, M)

ONLY66(38_18, I(broadcast, XREG, XRM4, VB));
ONLY66(38_19, I(broadcast, XREG, XRM8, VB | EMF_L1));
ONLY66(38_1a, I(broadcast, XREG, M128, VB | EMF_L1));
ONLY66(38_58, I(broadcast, XREG, XRM4, VB));
ONLY66(38_59, I(broadcast, XREG, XRM8, VB));
ONLY66(38_78, I(broadcast, XREG, XRM1, VB));
ONLY66(38_79, I(broadcast, XREG, XRM2, VB));

static const struct em_row pfx_2a_mem[4] = {
	XM, I(vmov, XREG, XRM, V | ALIGN16), XM, XM,
};

ONLY66(38_20, I(pmovsx, XREG, XRMH2, V));
ONLY66(38_21, I(pmovsx, XREG, XRMH4, V));
ONLY66(38_22, I(pmovsx, XREG, XRMH8, V));
ONLY66(38_30, I(pmovzx, XREG, XRMH2, V));
ONLY66(38_31, I(pmovzx, XREG, XRMH4, V));
ONLY66(38_32, I(pmovzx, XREG, XRMH8, V));

ONLY66(82_mem, I(invpcid, NONE, MEM, PRIV | FEAT));
static const struct em_row mod_82[2] = { P(82_mem), XM };

#define CMPCCXADD I3(cmpccxadd, RMY, REG32, VVVV, VEXONLY | L0 | VVVV | O64 | FEAT | XLOCK | ALIGN16)
ONLY66(e0_mem, CMPCCXADD);
static const struct em_row mod_e0[2] = { P(e0_mem), XM };

static const struct em_row mod_2a[2] = {
	G(PFX, pfx_2a_mem, NONE, NONE, M), XM,
};

ONLY66(38_2c, I3(maskload, XREG, VREG, MEM, VO | VVVV | EMF_W0));
ONLY66(38_2e, I3(maskstore, MEM, VREG, XREG, VO | VVVV | EMF_W0 | NOWB));
ONLY66(38_8c, I3(maskload, XREG, VREG, MEM, VO | VVVV));
ONLY66(38_8e, I3(maskstore, MEM, VREG, XREG, VO | VVVV | NOWB));

const struct em_row em_map_0f38[0xf0] = {
	[0x00 ... 0x17] = L(M),
	[0x18] = P(38_18), [0x19] = P(38_19), [0x1a] = P(38_1a),
	[0x1b ... 0x1f] = L(M),
	[0x20] = P(38_20), [0x21] = P(38_21), [0x22] = P(38_22),
	[0x23] = P(38_20), [0x24] = P(38_21), [0x25] = P(38_20),
	[0x26 ... 0x29] = L(M),
	[0x2a] = G(MOD, mod_2a, NONE, NONE, 0),
	[0x2b] = L(M),
	[0x2c ... 0x2d] = P(38_2c), [0x2e ... 0x2f] = P(38_2e),
	[0x30] = P(38_30), [0x31] = P(38_31), [0x32] = P(38_32),
	[0x33] = P(38_30), [0x34] = P(38_31), [0x35] = P(38_30),
	[0x36 ... 0x57] = L(M),
	[0x58] = P(38_58), [0x59] = P(38_59), [0x5a] = P(38_1a),
	[0x5b ... 0x77] = L(M),
	[0x78] = P(38_78), [0x79] = P(38_79),
	[0x7a ... 0x81] = L(M),
	[0x82] = G(MOD, mod_82, NONE, NONE, 0),
	[0x83 ... 0x8b] = L(M),
	[0x8c] = P(38_8c), [0x8d] = L(M), [0x8e] = P(38_8e),
	[0x8f ... 0xdf] = L(M),
	[0xe0 ... 0xef] = G(MOD, mod_e0, NONE, NONE, 0),
};

ONLY66I(3a_14, I3(pextr, RMB32, XREG, IMM8, V | L0));
ONLY66I(3a_15, I3(pextr, RMW32, XREG, IMM8, V | L0));
ONLY66I(3a_16, I3(pextr, RMY, XREG, IMM8, V | L0 | EMF_W64));
ONLY66I(3a_17, I3(pextr, RM32, XREG, IMM8, V | L0));
ONLY66I(3a_18, I3(insert128, XREG, XRM16, IMM8, VO | VVVV | EMF_L1 | EMF_W0));
ONLY66I(3a_19, I3(extract128, XRM16, XREG, IMM8, VO | EMF_L1 | EMF_W0));
ONLY66I(3a_20, I3(pinsr, XREG, RMB32, IMM8, V | L0 | VVVV));
ONLY66I(3a_21, I3(insertps, XREG, XRM4, IMM8, V | L0 | VVVV));
ONLY66I(3a_22, I3(pinsr, XREG, RMY, IMM8, V | L0 | VVVV | EMF_W64));

const struct em_row em_map_0f3a[0xf0] = {
	[0x00 ... 0x13] = LI(M),
	[0x14] = P(3a_14), [0x15] = P(3a_15), [0x16] = P(3a_16), [0x17] = P(3a_17),
	[0x18] = P(3a_18), [0x19] = P(3a_19),
	[0x1a ... 0x1f] = LI(M),
	[0x20] = P(3a_20), [0x21] = P(3a_21), [0x22] = P(3a_22),
	[0x23 ... 0x37] = LI(M),
	[0x38] = P(3a_18), [0x39] = P(3a_19),
	[0x3a ... 0xef] = LI(M),
};

static const struct em_row pfx_v38_f2[4] = {
	I3(andn, REG32, VVVV, RMY, VEXONLY | FEAT | L0 | VVVV | MOV), L(M), L(M), L(M),
};

static const struct em_row group17[8] = {
	X, H(blsr, VEXONLY | FEAT | L0 | VVVV | MOV), H(blsmsk, VEXONLY | FEAT | L0 | VVVV | MOV),
	H(blsi, VEXONLY | FEAT | L0 | VVVV | MOV), X, X, X, X,
};

static const struct em_row pfx_v38_f3[4] = {
	G(REG, group17, VVVV, RMY, 0), L(M), L(M), L(M),
};

static const struct em_row pfx_v38_f5[4] = {
	I3(bzhi, REG32, RMY, VVVV, VEXONLY | FEAT | L0 | VVVV | MOV), L(M),
	I3(pext, REG32, VVVV, RMY, VEXONLY | FEAT | L0 | VVVV | MOV),
	I3(pdep, REG32, VVVV, RMY, VEXONLY | FEAT | L0 | VVVV | MOV),
};

static const struct em_row pfx_v38_f6[4] = {
	L(M), L(M), L(M), I3(mulx, REG32, VVVV, RMY, VEXONLY | FEAT | L0 | VVVV | MOV),
};

static const struct em_row pfx_v38_f7[4] = {
	I3(bextr, REG32, RMY, VVVV, VEXONLY | FEAT | L0 | VVVV | MOV),
	I3(shlx, REG32, RMY, VVVV, VEXONLY | FEAT | L0 | VVVV | MOV),
	I3(sarx, REG32, RMY, VVVV, VEXONLY | FEAT | L0 | VVVV | MOV),
	I3(shrx, REG32, RMY, VVVV, VEXONLY | FEAT | L0 | VVVV | MOV),
};

const struct em_row em_map_vex_0f38_f[16] = {
	L(M), L(M), G(PFX, pfx_v38_f2, NONE, NONE, M), G(PFX, pfx_v38_f3, NONE, NONE, M),
	L(M), G(PFX, pfx_v38_f5, NONE, NONE, M), G(PFX, pfx_v38_f6, NONE, NONE, M),
	G(PFX, pfx_v38_f7, NONE, NONE, M), EIGHT(L(M)),
};

static const struct em_row pfx_v3a_f0[4] = {
	LI(M), LI(M), LI(M), I3(rorx, REG32, RMY, IMM8, VEXONLY | FEAT | L0 | MOV),
};

const struct em_row em_map_vex_0f3a_f[16] = {
	G(PFX, pfx_v3a_f0, NONE, NONE, M), LI(M), TWICE(LI(M)), FOUR(LI(M)), EIGHT(LI(M)),
};
