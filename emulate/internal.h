/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the emulator's own files share: table rows, operand kinds, helpers.
 *
 * A row of a decode table names a handler and says where its operands come
 * from. The decoder (decode.c) follows groups until it reaches a leaf row and
 * leaves everything it found in ctx->insn. The door (x86_emulate.c) checks what
 * the row's flags demand, reads the operands (operand.c), calls the handler and
 * stores the result. A handler therefore is mostly a line or two on
 * ctx->src.val and ctx->dst.val.
 *
 * Order matters in handlers that do more: everything that can fault or be
 * pending comes first, changes of segment, control or other machine registers
 * last. General registers, rip and rflags may be changed at any time: the door
 * puts them back unless the handler returns EM_DONE.
 */
#ifndef KVM_EMULATE_INTERNAL_H
#define KVM_EMULATE_INTERNAL_H

#include "emulate.h"

typedef enum em_result (*em_fn)(struct em_ctx *ctx);

/* Row flags. A group's flags are added to those of its rows. */
#define EMF_BYTE	BIT(0)	/* operands are bytes */
#define EMF_MODRM	BIT(1)	/* has ModRM although no operand says so */
#define EMF_MOV		BIT(2)	/* dst is only written */
#define EMF_NOWB	BIT(3)	/* dst is only read */
#define EMF_LOCK	BIT(4)	/* LOCK is allowed if dst is memory */
#define EMF_XLOCK	BIT(5)	/* locked on memory without the prefix (xchg) */
#define EMF_O64		BIT(6)	/* only in 64-bit mode */
#define EMF_N64		BIT(7)	/* not in 64-bit mode */
#define EMF_D64		BIT(8)	/* 64-bit operands without REX.W */
#define EMF_F64		BIT(9)	/* near branch: 64-bit operands, see decode.c */
#define EMF_PRIV	BIT(10)	/* CPL 0 */
#define EMF_PROT	BIT(11)	/* not in real and virtual-8086 mode */
#define EMF_SSE		BIT(12)	/* needs CR4.OSFXSR, not CR0.EM, not CR0.TS */
#define EMF_MMX		BIT(13)	/* needs not CR0.EM, not CR0.TS */
#define EMF_X87		BIT(14)	/* same, but #NM for EM */
#define EMF_VEX		BIT(15)	/* may be VEX encoded too */
#define EMF_VEXONLY	BIT(16)
#define EMF_ALIGN	BIT(17)	/* memory operand must be aligned to its size */
#define EMF_UD		BIT(18)	/* architecturally undefined */
#define EMF_CC		BIT(19)	/* low opcode bits are a condition */
#define EMF_STR		BIT(20)	/* string instruction: handles rep itself */
#define EMF_VVVV	BIT(21)	/* uses VEX.vvvv; it has to be 1111 without */
#define EMF_SCALAR	BIT(22)	/* uses VEX.vvvv between registers only */
#define EMF_L0		BIT(23)	/* VEX.L has to be 0 */
#define EMF_L1		BIT(24)	/* VEX.L has to be 1 */
#define EMF_W0		BIT(25)	/* VEX.W has to be 0 */
#define EMF_W64		BIT(28)	/* VEX.W may be 1 in 64-bit mode only */
#define EMF_LOCK_CR	BIT(27)	/* LOCK means something else: see creg() */
#define EMF_ALIGN_SSE	BIT(26)	/* the same, but not if VEX encoded */
#define EMF_FEATURE	BIT(29)	/* hangs on a feature: see feature.c */

/* ctx->insn.map of EVEX encodings: this plus the number in the prefix. */
#define EM_MAP_EVEX	16

/* How a row leads on. */
enum em_group {
	EM_LEAF,
	EM_BY_REG,	/* ModRM.reg */
	EM_BY_MOD,	/* [0] memory, [1] register form */
	EM_BY_RM,	/* ModRM.rm */
	EM_BY_PFX,	/* none, 66, F3, F2 */
};

/* Where an operand comes from. */
enum em_opk {
	K_NONE,
	K_RM,		/* ModRM.rm: register or memory of operand size */
	K_RM8, K_RM16, K_RM32, /* same, size fixed */
	K_RMY,		/* 32 or (REX.W) 64 bits */
	K_RMD,		/* 32 bits; on Intel 16 with that operand size */
	K_RMV,		/* register of operand size, or 16 bits of memory */
	K_RMBIT,	/* K_RM, memory moved by the bit number in src */
	K_MEM,		/* memory: address only, a register is #UD */
	K_REG,		/* ModRM.reg of operand size */
	K_REG32,	/* 32 or (REX.W) 64 bits */
	K_SREG,
	K_CREG,		/* control or debug register number: kept in imm by the handler */
	K_RNAT,		/* ModRM.rm as register of native size, whatever mod says */
	K_VVVV,		/* register named by VEX.vvvv, 32 or 64 bits */
	K_XREG,		/* ModRM.reg as vector register of full size */
	K_XRM,		/* vector register or memory of full size */
	K_XRM8, K_XRM4, K_XRM2, K_XRM1,	/* vector register or 8, 4 ... bytes of memory */
	K_XRM16,	/* xmm register or 16 bytes of memory, whatever VEX.L is */
	K_XRMDUP,	/* vector register or memory of full size, 8 bytes for xmm */
	K_XRMH2, K_XRMH4, K_XRMH8, /* vector register or a half, quarter, eighth of it in memory */
	K_VREG,		/* vector register named by VEX.vvvv */
	K_M16, K_M32, K_M64, K_M80, K_M128, /* K_MEM of a fixed size */
	K_RMB32, K_RMW32, /* register of 32 bits, or 1, 2 bytes of memory */
	K_MREG,		/* mm register */
	K_MRM,		/* mm register or 8 bytes of memory */
	K_LAST_MODRM = K_MRM,
	K_ACC,
	K_OPREG,	/* low bits of the opcode */
	K_CL,
	K_DX,
	K_ONE,
	K_IMM,		/* operand size, at most 4 bytes, sign-extended */
	K_IMMV,		/* operand size, really */
	K_IMM8, K_IMM16, /* zero-extended */
	K_SIMM8,
	K_FAR,		/* offset of operand size, then selector in imm2 */
	K_MOFFS,
	K_NR
};

struct em_row {
	union {
		em_fn exec;
		const struct em_row *group;
	};
	u32 flags;
	u8 kind;	/* enum em_group */
	u8 dst, src, src2; /* enum em_opk; K_NONE in a leaf inherits from the group */
};

/* tables.c: the opcode maps; those named _f hold opcodes F0-FF. */
extern const struct em_row em_map_1[256];
extern const struct em_row em_map_0f[256];
extern const struct em_row em_map_0f38_f[16];
extern const struct em_row em_map_vex_0f38_f[16];
extern const struct em_row em_map_vex_0f3a_f[16];
extern const struct em_row em_map_0f38[0xf0];
extern const struct em_row em_map_0f3a[0xf0];
extern const struct em_row em_row_movsxd;
extern const struct em_row em_row_vzero;

/* decode.c: the row of an opcode in map 1 (0F), 2 (0F 38) or 3 (0F 3A) */
const struct em_row *em_legacy_row(unsigned int map, u8 op);
const struct em_row *em_vex_row(unsigned int map, u8 op);

#define EM_EFLAGS_ARITH (X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_AF | \
			 X86_EFLAGS_ZF | X86_EFLAGS_SF | X86_EFLAGS_OF)

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI };

#define EM_EFER_SCE	BIT(0)
#define EM_EFER_LME	BIT(8)
#define EM_EFER_LMA	BIT(10)
#define EM_EFER_SVME	BIT(12)

#define EM_MSR_SYSENTER_CS	0x174
#define EM_MSR_SYSENTER_ESP	0x175
#define EM_MSR_SYSENTER_EIP	0x176
#define EM_MSR_EFER		0xc0000080
#define EM_MSR_STAR		0xc0000081
#define EM_MSR_LSTAR		0xc0000082
#define EM_MSR_CSTAR		0xc0000083
#define EM_MSR_SFMASK		0xc0000084
#define EM_MSR_KERNEL_GS_BASE	0xc0000102
#define EM_MSR_TSC_AUX		0xc0000103

static inline bool em_long(const struct em_ctx *c)
{
	return c->mode == EM_PROT64;
}

/* Protected mode proper: descriptors count. */
static inline bool em_prot(const struct em_ctx *c)
{
	return c->mode >= EM_PROT16;
}

static inline bool em_lma(const struct em_ctx *c)
{
	return c->efer & EM_EFER_LMA;
}

/* The general register that ModRM's reg field names. */
static inline unsigned int em_modrm_reg(const struct em_insn *insn)
{
	return (insn->modrm >> 3 & 7) | (insn->rex & 4) << 1;
}

static inline u64 em_mask(unsigned int size)
{
	return size >= 8 ? ~0ULL : (1ULL << (size * 8)) - 1;
}

static inline unsigned int em_cpl(const struct em_ctx *c)
{
	return c->cpl;
}

static inline unsigned int em_iopl(const struct em_ctx *c)
{
	return (c->rflags & X86_EFLAGS_IOPL) >> 12;
}

static inline s64 em_sext(u64 val, unsigned int size)
{
	return sign_extend64(val, size * 8 - 1);
}

static inline void em_set_flag(struct em_ctx *c, u64 flag, bool on)
{
	c->rflags = on ? c->rflags | flag : c->rflags & ~flag;
}

static inline enum em_result em_gp(struct em_ctx *c, u32 error)
{
	return em_raise(c, EM_EX_GP, error);
}

static inline enum em_result em_undef(struct em_ctx *c)
{
	return em_raise(c, EM_EX_UD, 0);
}

/* operand.c: registers, addresses, logged access to the world */
const struct em_seg *em_seg(struct em_ctx *c, enum em_seg_id id);
void em_set_seg(struct em_ctx *c, enum em_seg_id id, const struct em_seg *seg);
bool em_canonical(const struct em_ctx *c, u64 la);
enum em_result em_linear_any(struct em_ctx *c, int seg, u64 off, unsigned int size,
			     unsigned int acc, u64 *la);
enum em_result em_linear(struct em_ctx *c, int seg, u64 off, unsigned int size,
			 unsigned int acc, u64 *la);
enum em_result em_read_la(struct em_ctx *c, u64 la, void *buf, unsigned int size,
			  unsigned int acc);
enum em_result em_write_la(struct em_ctx *c, u64 la, const void *buf,
			   unsigned int size, unsigned int acc);
enum em_result em_cmpxchg_la(struct em_ctx *c, u64 la, const void *old,
			     const void *new, unsigned int size, unsigned int acc);
enum em_result em_read(struct em_ctx *c, int seg, u64 off, void *buf, unsigned int size);
enum em_result em_write(struct em_ctx *c, int seg, u64 off, const void *buf,
			unsigned int size);
enum em_result em_port(struct em_ctx *c, bool write, u16 port, unsigned int size,
		       void *data, unsigned int count);
enum em_result em_get_reg(struct em_ctx *c, enum em_reg_class class, u32 nr, u64 *val);
enum em_result em_set_reg(struct em_ctx *c, enum em_reg_class class, u32 nr, u64 val);
enum em_result em_system(struct em_ctx *c, enum em_sys what, u64 arg);
void em_log_reset(struct em_ctx *c);
enum em_result em_probe_any(struct em_ctx *c, int seg, u64 off, unsigned int size);
enum em_result em_probe(struct em_ctx *c, int seg, u64 off, unsigned int size);
enum em_result em_block(struct em_ctx *c, int seg, u64 off, void *buf, unsigned int size,
			bool write);
enum em_result em_x87(struct em_ctx *c, struct em_x87 *x);
u64 em_gpr(const struct em_ctx *c, unsigned int reg, unsigned int size);
void em_put_gpr(struct em_ctx *c, unsigned int reg, unsigned int size, u64 val);
void em_add_gpr(struct em_ctx *c, unsigned int reg, unsigned int size, s64 add);
u64 em_ea(struct em_ctx *c);
int em_ea_seg(struct em_ctx *c);
unsigned int em_far_size(const struct em_ctx *c);
unsigned int em_stack_size(struct em_ctx *c);
enum em_result em_push(struct em_ctx *c, u64 val, unsigned int size);
enum em_result em_pop(struct em_ctx *c, u64 *val, unsigned int size);
enum em_result em_operands(struct em_ctx *c);
enum em_result em_writeback(struct em_ctx *c);
bool em_condition(u64 rflags, unsigned int cc);

/* x86_emulate.c: what was done so far is final (an element of a string) */
void em_commit(struct em_ctx *c);
/* Back to the last such point. */
void em_roll_back(struct em_ctx *c);

/* segment.c: descriptors */
struct em_desc {
	u64 la;		/* where it lies */
	u32 lo, hi;
	u64 top;	/* upper half of a 16-byte descriptor */
};

static inline unsigned int em_desc_dpl(const struct em_desc *d)
{
	return d->hi >> 13 & 3;
}

/* Type field with the S bit above it. */
static inline unsigned int em_desc_type(const struct em_desc *d)
{
	return d->hi >> 8 & 0x1f;
}

static inline bool em_desc_present(const struct em_desc *d)
{
	return d->hi >> 15 & 1;
}

static inline bool em_type_code(unsigned int type)
{
	return (type & 0x18) == 0x18;
}

/* Fault on @sel with its RPL bits cleared. */
enum em_result em_sel_fault(struct em_ctx *c, u8 vector, u16 sel);
enum em_result em_read_desc(struct em_ctx *c, u16 sel, u8 vector, struct em_desc *d);
enum em_result em_read_desc_top(struct em_ctx *c, u16 sel, u8 vector, struct em_desc *d);
enum em_result em_check_base(struct em_ctx *c, u8 vector, const struct em_seg *seg);
void em_desc_to_seg(const struct em_desc *d, u16 sel, struct em_seg *seg);
enum em_result em_mark_accessed(struct em_ctx *c, struct em_desc *d, u32 bit);
void em_real_seg(struct em_ctx *c, enum em_seg_id id, u16 sel, struct em_seg *seg);
/* Check and read a data or stack segment for MOV, POP, LDS ...; changes nothing. */
enum em_result em_check_data_seg(struct em_ctx *c, enum em_seg_id id, u16 sel,
				 unsigned int cpl, u8 vector, struct em_seg *seg);
enum em_result em_load_data_seg(struct em_ctx *c, enum em_seg_id id, u16 sel);
/* The same for LDTR. */
enum em_result em_check_ldt(struct em_ctx *c, u16 sel, u8 vector, struct em_seg *seg);
void em_null_seg(u16 sel, struct em_seg *seg);
/* Can code at privilege @c->cpl reach this code segment directly? */
enum em_result em_check_code(struct em_ctx *c, u16 sel, const struct em_desc *d, bool exact);
/* Target of a transfer inside @cs. */
enum em_result em_check_target(struct em_ctx *c, const struct em_seg *cs, u64 rip);

/* exists.c: is what the tables do not know an instruction? @pfx: none, 66, F3, F2 */
bool em_exists(const struct em_insn *insn, unsigned int pfx);

/* feature.c: on which feature the instruction hangs, EM_HAS_NONE if on none */
enum em_feature em_feature_of(em_fn fn);
bool em_has(struct em_ctx *c, enum em_feature what);

/* data.c: flags under the virtual-8086 extensions */
bool em_v86_virtual_flags(struct em_ctx *c);
u64 em_v86_flags(struct em_ctx *c);
enum em_result em_v86_set_flags(struct em_ctx *c, u64 flags);

/* x87.c: #MF if an exception is pending */
enum em_result em_x87_pending(struct em_ctx *c);

/* task.c */
enum em_result em_switch_task(struct em_ctx *c, u16 sel, const struct em_desc *d,
			      enum em_switch why, bool has_err, u32 err);
/* Does the TSS send INT @vector of virtual-8086 mode to the program's own table? */
enum em_result em_redirected(struct em_ctx *c, u8 vector, bool *yes);
/* I/O permission of @size bytes from @port, by IOPL and the TSS bitmap. */
enum em_result em_port_allowed(struct em_ctx *c, u16 port, unsigned int size);

/* Handlers, by file. */
#define EM_HANDLERS_ALU(X) \
	X(add) X(or) X(adc) X(sbb) X(and) X(sub) X(xor) X(cmp) X(test) \
	X(inc) X(dec) X(not) X(neg) X(rol) X(ror) X(rcl) X(rcr) X(shl) X(shr) X(sar) \
	X(shld) X(shrd) X(mul) X(imul1) X(imul) X(imul3) X(div) X(idiv) \
	X(bt) X(bts) X(btr) X(btc) X(bsf) X(bsr) X(tzcnt) X(lzcnt) X(popcnt) \
	X(bswap) X(movbe) X(crc32) X(adcx) X(adox) \
	X(andn) X(bextr) X(blsr) X(blsmsk) X(blsi) X(bzhi) X(pdep) X(pext) \
	X(rorx) X(sarx) X(shlx) X(shrx) X(mulx) X(cmpccxadd) \
	X(daa) X(das) X(aaa) X(aas) X(aam) X(aad) \
	X(xadd) X(cmpxchg) X(cmpxchg8b)
#define EM_HANDLERS_DATA(X) \
	X(mov) X(movzx) X(movsx) X(movsxd) X(lea) X(xchg) X(xlat) X(salc) X(cbw) X(cwd) \
	X(setcc) X(cmov) X(push) X(pop) X(pusha) X(popa) X(pushf) X(popf) \
	X(push_sreg) X(pop_es) X(pop_ss) X(pop_ds) X(pop_fs) X(pop_gs) \
	X(mov_from_sreg) X(mov_to_sreg) X(les) X(lds) X(lss) X(lfs) X(lgs) \
	X(enter) X(leave) X(lahf) X(sahf) X(cmc) X(clc) X(stc) X(cld) X(std) \
	X(nop) X(prefetch) X(pause) X(ud) X(bound) X(movnti) X(movdiri) X(movdir64b)
#define EM_HANDLERS_STRING(X) \
	X(movs) X(cmps) X(stos) X(lods) X(scas) X(ins) X(outs)
#define EM_HANDLERS_CONTROL(X) \
	X(jmp) X(jmp_abs) X(jcc) X(call) X(call_abs) X(ret) X(loop) X(loope) X(loopne) \
	X(jcxz) X(jmp_far) X(call_far) X(jmp_far_mem) X(call_far_mem) X(retf) X(iret) \
	X(int3) X(int) X(into) X(int1) X(syscall) X(sysret) X(sysenter) X(sysexit) \
	X(xbegin) X(xend) X(xabort) X(xtest) X(tsxldtrk)
#define EM_HANDLERS_SYSTEM(X) \
	X(in) X(out) X(cli) X(sti) X(hlt) X(clts) X(wbinvd) X(invd) X(invlpg) \
	X(mov_from_cr) X(mov_to_cr) X(mov_from_dr) X(mov_to_dr) X(rdmsr) X(wrmsr) \
	X(rdtsc) X(rdtscp) X(rdpmc) X(cpuid) X(sgdt) X(sidt) X(lgdt) X(lidt) X(smsw) X(lmsw) \
	X(sldt) X(str) X(lldt) X(ltr) X(verr) X(verw) X(lar) X(lsl) X(arpl) \
	X(vmcall) X(monitor) X(mwait) X(clac) X(stac) X(xgetbv) X(xsetbv) X(swapgs) \
	X(clflush) X(clflushopt) X(clwb) X(clzero) X(svm) X(rdpkru) X(wrpkru) X(rsm) X(rdpid) \
	X(rdrand) X(rdseed) X(invpcid) X(serialize) X(monitorx) X(mwaitx) \
	X(xsave) X(xsaveopt) X(xsavec) X(xsaves) \
	X(rdfsbase) X(rdgsbase) X(wrfsbase) X(wrgsbase)
#define EM_HANDLERS_SSE(X) \
	X(vmov) X(vmov_scalar4) X(vmov_scalar8) X(vmov_low) X(vmov_high) \
	X(vmov_store_high) X(vmovd_load) X(vmovd_store) X(vmovq_load) \
	X(vmovq_store) X(movq2dq) X(movdq2q) X(emms) X(ldmxcsr) X(stmxcsr) \
	X(vmov_even) X(vmov_odd) X(vmov_dup) X(movmskps) X(movmskpd) X(pmovmskb) \
	X(pinsr) X(pextr) X(insertps) X(maskmov) X(maskload) X(maskstore) \
	X(broadcast) X(insert128) X(extract128) X(vzero) X(pmovsx) X(pmovzx) \
	X(femms) X(amd3dnow) X(xop)
#define EM_HANDLERS_X87(X) \
	X(fwait) X(fnstcw) X(fldcw) X(fnstsw) X(fnstsw_ax) X(fninit) X(fnclex) \
	X(x87_load) X(x87_store) X(x87_reg) X(x87_ldenv) X(x87_stenv) X(x87_save) X(x87_rstor) \
	X(fxsave) X(fxrstor)

#define EM_DECLARE(name) enum em_result em_i_##name(struct em_ctx *c);
EM_HANDLERS_ALU(EM_DECLARE)
EM_HANDLERS_DATA(EM_DECLARE)
EM_HANDLERS_STRING(EM_DECLARE)
EM_HANDLERS_CONTROL(EM_DECLARE)
EM_HANDLERS_SYSTEM(EM_DECLARE)
EM_HANDLERS_SSE(EM_DECLARE)
EM_HANDLERS_X87(EM_DECLARE)
#undef EM_DECLARE

#endif /* KVM_EMULATE_INTERNAL_H */
