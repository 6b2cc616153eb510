/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The instruction emulator's contract with whoever embeds it.
 *
 * The emulator knows no vCPU. It works on one struct em_ctx and reaches the
 * rest of the machine through the callbacks in struct em_ops. A caller does,
 * for one guest instruction:
 *
 *	em_init(ctx, &ops)		once in the life of ctx
 *	fill ctx->gpr, rip, rflags, mode, cpl, cr0, cr4, efer
 *	em_decode(ctx, bytes, n)	n prefetched bytes, 0 is fine
 *	em_execute(ctx)
 *	EM_DONE, EM_RESTART:	copy gpr, rip, rflags and cpl back, honour retire
 *	EM_FAULT:		copy gpr, rip, rflags back (a string instruction
 *				may have done part of its work; rip is where
 *				the fault has to be taken), inject ctx->fault
 *	EM_PENDING:		leave to userspace; later only em_execute(ctx)
 *				again, without new registers or em_decode
 *	EM_UNSUPPORTED:		nothing changed; not known to this emulator
 *
 * Pending. A callback which needs userspace returns EM_PENDING. Nothing that
 * the caller may copy out has then changed, except that finished elements of
 * a string instruction are committed. When em_execute is called again the
 * instruction runs anew from its start: callbacks which had finished are not
 * asked again (the emulator remembers what they answered) and the one that was
 * pending is asked again with the same arguments; it then answers EM_DONE with
 * the data. So a callee tracks just one outstanding access and side effects
 * happen once. Nobody else may change the registers in between.
 *
 * Faults. A callback that fails architecturally calls em_raise() (or
 * em_raise_pf()) and returns EM_FAULT.
 *
 * Addresses given to the memory callbacks are linear. Segment limits and types,
 * canonical form and alignment (#AC, SSE) were checked here; paging, SMAP/SMEP
 * and protection keys are the callee's, also when the access crosses a page.
 *
 * Context: any context in which the callbacks may be called. No locks. Not
 * reentrant for one ctx. The emulator never allocates and never sleeps itself.
 */
#ifndef KVM_EMULATE_H
#define KVM_EMULATE_H

#include "pure.h"

enum em_result {
	EM_DONE,
	EM_FAULT,	/* ctx->fault tells what to inject */
	EM_PENDING,	/* needs userspace; call em_execute() again afterwards */
	EM_RESTART,	/* enter the guest again at ctx->rip (rep yields, lock lost) */
	EM_UNSUPPORTED,	/* not an instruction this emulator knows */
};

enum em_mode {
	EM_REAL,
	EM_VM86,
	EM_PROT16,	/* 16-bit code segment, also below long mode */
	EM_PROT32,
	EM_PROT64,
};

/* In the order of the hardware's encoding. */
enum em_seg_id {
	EM_ES, EM_CS, EM_SS, EM_DS, EM_FS, EM_GS,
	EM_TR, EM_LDTR,
	EM_NR_SEGS,
};

/* Attribute bits as they lie in bits 8-15 and 20-23 of a descriptor, packed. */
#define EM_SEG_TYPE	0x000f
#define EM_SEG_S	0x0010
#define EM_SEG_DPL	0x0060
#define EM_SEG_P	0x0080	/* clear: the register is null, "unusable" */
#define EM_SEG_AVL	0x0100
#define EM_SEG_L	0x0200
#define EM_SEG_DB	0x0400
#define EM_SEG_G	0x0800
#define EM_SEG_DPL_SHIFT 5

struct em_seg {
	u16 sel;
	u16 attr;
	u32 limit;	/* in bytes, granularity applied */
	u64 base;
};

struct em_dt {
	u64 base;
	u16 limit;
};

enum em_reg_class {
	EM_REG_CR,	/* 0, 2, 3, 4, 8 */
	EM_REG_DR,	/* 0-3, 6, 7 */
	EM_REG_MSR,
	EM_REG_XCR,
	EM_REG_PKRU,	/* 0; CR4.PKE was checked */
};

/* What ops->vec moves; the size follows from it. */
enum em_vec {
	EM_VEC_MMX,	/* 8 bytes, mm0-7 */
	EM_VEC_XMM,	/* 16 bytes; a write leaves the upper half of ymm alone */
	EM_VEC_XMM_ZX,	/* 16 bytes; a write zeroes the upper part (VEX.128) */
	EM_VEC_YMM,	/* 32 bytes; a write zeroes what lies above */
	EM_VEC_FCW,	/* 2 bytes, x87 control word */
	EM_VEC_FSW,	/* 2 bytes, x87 status word, read only */
	EM_VEC_FNINIT,	/* no data: initialise the x87 */
	EM_VEC_FNCLEX,	/* no data: clear x87 exceptions */
	EM_VEC_MXCSR,	/* 4 bytes; a write was checked for reserved bits by the callee */
	EM_VEC_EMMS,	/* no data: mark the x87 tags empty */
	EM_VEC_FX,	/* 512 bytes, all of the above as FXSAVE64 lays it out */
	EM_VEC_X87,	/* struct em_x87: run an instruction; reg: opcode & 7, then ModRM */
};

/*
 * An x87 instruction, without those that load or store control registers: run on
 * the guest's registers with @mem as its memory operand. FCMOV and FCOMI use the
 * flags in ctx->rflags. #MF if an exception is pending from before.
 */
struct em_x87 {
	u8 mem[10];
	u8 no_store;	/* out: an unmasked exception kept the result from being stored */
};

/* Where things are in EM_VEC_FX. */
struct em_fx {
	u16 fcw, fsw;
	u8 ftw;		/* one bit for each physical register: not empty */
	u8 reserved;
	u16 fop;
	u64 fip, fdp;
	u32 mxcsr, mxcsr_mask;
	u8 st[8][16];
	u8 xmm[16][16];
	u8 rest[96];
};

/* Instructions whose meaning is the embedder's; they work on ctx->gpr. */
enum em_sys {
	EM_SYS_CPUID,	/* rax, rcx in; rax, rbx, rcx, rdx out */
	EM_SYS_RDTSC,	/* out: rdx:rax */
	EM_SYS_RDTSCP,	/* out: rdx:rax, rcx */
	EM_SYS_RDPMC,	/* rcx in, rdx:rax out; CR4.PCE was checked */
	EM_SYS_RDPID,	/* arg: number of the register that gets TSC_AUX */
	EM_SYS_RDRAND,	/* arg: number of the register that gets 64 bits; sets rflags.CF if it got any */
	EM_SYS_RDSEED,	/* same */
	EM_SYS_WBINVD,
	EM_SYS_INVD,
	EM_SYS_INVLPG,	/* arg: linear address */
	EM_SYS_INVPCID,	/* arg: whatever was named by it, more is fine */
	EM_SYS_CLFLUSH,	/* arg: linear address, readable */
	EM_SYS_PAUSE,
	EM_SYS_MONITOR,	/* arg: linear address, readable */
	EM_SYS_MWAIT,
	EM_SYS_VMCALL,	/* VMCALL or VMMCALL, see ctx->insn */
	EM_SYS_RSM,	/* #UD outside of SMM; em_rsm() does it inside */
};

/*
 * What not every processor has. Those that are asked for here are the ones that
 * the emulator does itself or whose encoding means something else without it.
 */
enum em_feature {
	EM_HAS_NONE,
	EM_HAS_BMI1, EM_HAS_BMI2, EM_HAS_ABM,	/* without: TZCNT is BSF, LZCNT is BSR */
	EM_HAS_MOVBE, EM_HAS_CRC32, EM_HAS_POPCNT, EM_HAS_ADX, EM_HAS_CMPCCXADD,
	EM_HAS_MOVDIRI, EM_HAS_MOVDIR64B,
	EM_HAS_CLFLUSHOPT, EM_HAS_CLWB, EM_HAS_CLZERO,
	EM_HAS_RDRAND, EM_HAS_RDSEED, EM_HAS_RDTSCP, EM_HAS_RDPID,
	EM_HAS_INVPCID, EM_HAS_SMAP, EM_HAS_SERIALIZE,
	EM_HAS_MONITOR, EM_HAS_MONITORX,
	EM_HAS_RTM, EM_HAS_TSXLDTRK, EM_HAS_3DNOW, EM_HAS_XOP,
	EM_HAS_XSAVEOPT, EM_HAS_XSAVEC, EM_HAS_XSAVES,
	EM_NR_FEATURES
};

/* Access flags for the memory callbacks. */
#define EM_ACC_WRITE	0x01	/* a read whose result is going to be written back */
#define EM_ACC_FETCH	0x02
#define EM_ACC_USER	0x04	/* user mode access: CPL 3 and not EM_ACC_SYSTEM */
#define EM_ACC_SYSTEM	0x08	/* implicit supervisor: descriptor tables, TSS, IDT */
#define EM_ACC_LOCK	0x10	/* locked read-modify-write */
#define EM_ACC_PROBE	0x20	/* write_mem only: translate, fault if it would, write nothing */

/*
 * Largest single memory access: a vector register. The system structures
 * (task state, SMM save area) are read in pieces no longer than that.
 */
#define EM_MAX_ACCESS	32
/* Bytes that one port_io callback may move (rep ins, rep outs). */
#define EM_PIO_BYTES	1024

struct em_ctx;

struct em_ops {
	/* Instruction bytes; never crosses a page. */
	enum em_result (*fetch)(struct em_ctx *ctx, u64 la, void *buf, unsigned int size);
	enum em_result (*read_mem)(struct em_ctx *ctx, u64 la, void *buf,
				   unsigned int size, unsigned int acc);
	enum em_result (*write_mem)(struct em_ctx *ctx, u64 la, const void *buf,
				    unsigned int size, unsigned int acc);
	/*
	 * Write @new if memory still holds @old, atomically against other vCPUs;
	 * EM_RESTART if it does not. On device memory: just write. 1, 2, 4, 8, 16 bytes.
	 */
	enum em_result (*cmpxchg_mem)(struct em_ctx *ctx, u64 la, const void *old,
				      const void *new, unsigned int size, unsigned int acc);
	/*
	 * @count elements of 1, 2 or 4 bytes. Permission was checked here. @data
	 * is the same buffer when the call is repeated after EM_PENDING.
	 */
	enum em_result (*port_io)(struct em_ctx *ctx, bool write, u16 port,
				  unsigned int size, void *data, unsigned int count);
	void (*get_seg)(struct em_ctx *ctx, enum em_seg_id id, struct em_seg *seg);
	/* CS: the privilege level has become ctx->cpl. SS.DPL always equals it. */
	void (*set_seg)(struct em_ctx *ctx, enum em_seg_id id, const struct em_seg *seg);
	void (*get_dt)(struct em_ctx *ctx, bool idt, struct em_dt *dt);
	void (*set_dt)(struct em_ctx *ctx, bool idt, const struct em_dt *dt);
	/* Control, debug, model-specific and extended control registers. */
	enum em_result (*get_reg)(struct em_ctx *ctx, enum em_reg_class class,
				  u32 nr, u64 *val);
	enum em_result (*set_reg)(struct em_ctx *ctx, enum em_reg_class class,
				  u32 nr, u64 val);
	/* Vector and x87 state of the guest. */
	enum em_result (*vec)(struct em_ctx *ctx, enum em_vec what, unsigned int reg,
			      void *data, bool write);
	enum em_result (*system)(struct em_ctx *ctx, enum em_sys what, u64 arg);
	/* Does this guest have it? Answers never change. */
	bool (*has)(struct em_ctx *ctx, enum em_feature what);
};

/* Exception vectors the emulator raises. */
enum em_vector {
	EM_EX_DE = 0, EM_EX_DB = 1, EM_EX_BP = 3, EM_EX_OF = 4, EM_EX_BR = 5,
	EM_EX_UD = 6, EM_EX_NM = 7, EM_EX_TS = 10, EM_EX_NP = 11, EM_EX_SS = 12,
	EM_EX_GP = 13, EM_EX_PF = 14, EM_EX_MF = 16, EM_EX_AC = 17,
};

struct em_fault {
	u8 vector;
	bool has_error;
	bool trap;		/* rip is already past the instruction (int3, into, #DB) */
	bool soft;		/* software interrupt: int n, int3, into */
	u32 error;
	u64 payload;		/* CR2 for #PF, DR6 bits for #DB */
};

/* What the instruction asks of the run loop; valid with EM_DONE and EM_RESTART. */
struct em_retire {
	bool hlt;		/* the vCPU halts */
	bool sti;		/* interrupts are held off for one instruction */
	bool mov_ss;		/* interrupts and debug traps held off for one instruction */
	bool unblock_nmi;	/* an IRET ended NMI blocking */
	bool interrupt;		/* a software interrupt was delivered, which put an end to single steps */
	bool singlestep;	/* RFLAGS.TF was set: a #DB(BS) trap is due */
	bool rsm;		/* SMM was left */
};

/* The instruction as decoded. */
struct em_insn {
	enum em_result (*exec)(struct em_ctx *ctx);	/* NULL: not known here */
	u32 flags;		/* EMF_*, private */
	u8 k_dst, k_src, k_src2; /* operand kinds, private */
	u8 bytes[16];
	u8 len;			/* length of the instruction */
	u8 fetched;		/* valid bytes[] */
	u8 map;			/* 0: one byte, 1: 0F, 2: 0F38, 3: 0F3A, >3: others */
	u8 opcode;
	u8 modrm;
	bool has_modrm;
	bool lock;
	bool opsize_pfx;
	bool addr_pfx;
	u8 rep;			/* 0, 0xf2, 0xf3: the last one seen */
	u8 rex;			/* 0, or 0x40-0x4f; VEX bits are folded in */
	bool vex;
	u8 vex_l;
	u8 vvvv;
	s8 seg;			/* override or -1 */
	u8 op_size;
	u8 addr_size;
	s8 base;		/* -1 none, 16 rip */
	s8 index;		/* -1 none */
	u8 scale;
	s64 disp;		/* also moffs */
	u64 imm;
	u64 imm2;
};

enum em_kind {
	EM_OPND_NONE,
	EM_OPND_REG,
	EM_OPND_HIGH,		/* ah, ch, dh, bh */
	EM_OPND_MEM,
	EM_OPND_IMM,
	EM_OPND_SREG,
	EM_OPND_VEC,
};

struct em_operand {
	u8 kind;
	u8 size;
	u8 reg;
	u8 vec;			/* enum em_vec */
	s8 seg;
	u64 off;		/* effective address */
	u64 la;			/* linear address, once it was read */
	u64 orig;		/* value before modification, for locked writes */
	union {
		u64 val;
		u64 q[4];
		u8 b[EM_MAX_ACCESS];
	};
};

/* Answers of callbacks that had finished before one was pending. */
#define EM_LOG_BYTES	(EM_PIO_BYTES + 256)
struct em_log {
	u16 done;		/* finished callbacks */
	u16 done_bytes;
	u16 pos;		/* replayed so far in this run */
	u16 pos_bytes;
	bool overflow;
	u8 data[EM_LOG_BYTES];
};

struct em_ctx {
	/* Set by em_init(). */
	const struct em_ops *ops;

	/* In and out. gpr[] in hardware order: rax rcx rdx rbx rsp rbp rsi rdi r8-15. */
	u64 gpr[16];
	u64 rip;
	u64 rflags;
	u8 cpl;

	/* In. */
	enum em_mode mode;
	u64 cr0;
	u64 cr4;
	u64 efer;
	bool intel;		/* vendor of the guest's CPUID: SYSCALL/SYSENTER rules */
	bool give_way;		/* set by a callback: the guest can go on with this repeat itself */

	/* Out. */
	struct em_fault fault;
	struct em_retire retire;

	struct em_insn insn;

	/* Private to the emulator. */
	struct em_operand dst;
	struct em_operand src;
	struct em_operand src2;
	u64 next_rip;
	bool executing;
	bool no_writeback;	/* the handler found that there is nothing to store */
	u64 saved_gpr[16];
	u64 saved_rip;
	u64 saved_rflags;
	u8 saved_cpl;
	enum em_mode saved_mode;
	u8 seg_valid;
	struct em_seg seg[EM_NR_SEGS];
	struct em_log log;
	u8 io_buf[EM_PIO_BYTES];
};

/* Once, before anything else; @ops must stay. Cannot fail. */
void em_init(struct em_ctx *ctx, const struct em_ops *ops);

/*
 * Decode the instruction at ctx->rip. @bytes are @nbytes (0-15) already known
 * bytes of it. EM_DONE, EM_FAULT (fetch; #GP beyond 15 bytes), EM_PENDING or
 * EM_UNSUPPORTED. An undefined opcode is reported by em_execute(), not here, so
 * that a length is known for everything that has one.
 */
enum em_result em_decode(struct em_ctx *ctx, const void *bytes, unsigned int nbytes);

/* Run the decoded instruction, or go on with it after EM_PENDING. */
enum em_result em_execute(struct em_ctx *ctx);

/*
 * Length of the instruction at ctx->rip, 1-15, or -1 if it cannot be fetched
 * (ctx->fault may be set). Needs rip, mode and the CS register only.
 */
int em_insn_len(struct em_ctx *ctx, const void *bytes, unsigned int nbytes);

enum em_switch {
	EM_SWITCH_CALL,		/* CALL, interrupt or exception without a gate */
	EM_SWITCH_IRET,
	EM_SWITCH_JMP,
	EM_SWITCH_GATE,		/* through a task gate in the IDT */
};

/*
 * Switch to the task @sel. ctx filled as for em_decode(), and next_rip is the
 * address the old task continues at; a fault before it is left leaves it at rip.
 * @has_err pushes @err on the new stack. EM_DONE with
 * all registers new, EM_FAULT, EM_UNSUPPORTED if it touches device memory.
 */
enum em_result em_task_switch(struct em_ctx *ctx, u16 sel, enum em_switch why,
			      bool has_err, u32 err);

/*
 * Deliver @vector through the real-mode interrupt table: pushes flags, CS and
 * ctx->rip, which the caller has advanced for a software interrupt.
 */
enum em_result em_interrupt(struct em_ctx *ctx, u8 vector);

/*
 * Enter SMM: save the state below @smbase + 64K, set the registers to SMM's.
 * ctx filled as for em_decode(); the embedder's memory is SMM's view already.
 * @long_layout: the guest's CPUID has long mode. @halted goes into the auto-halt
 * field. EM_DONE (copy everything out) or EM_UNSUPPORTED (a shutdown).
 */
enum em_result em_smi(struct em_ctx *ctx, u32 smbase, bool long_layout, bool halted);

/*
 * RSM: set every register that the save area holds. *@smbase is where it is, and
 * afterwards where the next one is going to be. Same results; retire.hlt if the
 * processor goes back to halting. Segments, tables and control registers were
 * set through ops, the rest is in ctx.
 */
enum em_result em_rsm(struct em_ctx *ctx, u32 *smbase, bool long_layout);

/* The mode in which code runs, from registers. @cs_attr as struct em_seg. */
static inline enum em_mode em_mode_of(u64 cr0, u64 efer, u64 rflags, u16 cs_attr)
{
	if (!(cr0 & X86_CR0_PE))
		return EM_REAL;
	if ((efer & BIT(10)) && (cs_attr & EM_SEG_L))
		return EM_PROT64;
	if (rflags & X86_EFLAGS_VM)
		return EM_VM86;
	return (cs_attr & EM_SEG_DB) ? EM_PROT32 : EM_PROT16;
}

/* For callbacks: note the fault and return EM_FAULT. Real mode has no error codes. */
static inline enum em_result em_raise(struct em_ctx *ctx, u8 vector, u32 error)
{
	/* #DF, #TS, #NP, #SS, #GP, #PF, #AC */
	bool has_error = vector < 32 && (BIT(vector) & 0x27d00);

	ctx->fault = (struct em_fault) {
		.vector = vector,
		.has_error = has_error && ctx->mode != EM_REAL,
		.error = has_error ? error : 0,
	};
	return EM_FAULT;
}

static inline enum em_result em_raise_pf(struct em_ctx *ctx, u64 cr2, u32 error)
{
	em_raise(ctx, EM_EX_PF, error);
	ctx->fault.payload = cr2;
	return EM_FAULT;
}

#endif /* KVM_EMULATE_H */
