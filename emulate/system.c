// SPDX-License-Identifier: GPL-2.0
/*
 * System instructions: port I/O, interrupt flag, control, debug and model
 * specific registers, descriptor-table registers, segment queries.
 *
 * The rules that depend on privilege and mode are here. What a register accepts
 * and what its change entails is known to the callback alone, which raises the
 * fault itself. Where such a change is an instruction's effect, it comes last.
 */
#include "internal.h"

static unsigned int port_width(const struct em_operand *o)
{
	return min_t(unsigned int, o->size, 4);
}

enum em_result em_i_in(struct em_ctx *c)
{
	unsigned int size = port_width(&c->dst);
	enum em_result r;

	c->dst.size = size;
	r = em_port_allowed(c, c->src.val, size);
	if (r == EM_DONE)
		r = em_port(c, false, c->src.val, size, c->io_buf, 1);
	if (r == EM_DONE)
		memcpy(c->dst.b, c->io_buf, size);
	return r;
}

enum em_result em_i_out(struct em_ctx *c)
{
	unsigned int size = port_width(&c->src);
	enum em_result r;

	r = em_port_allowed(c, c->dst.val, size);
	if (r != EM_DONE)
		return r;
	memcpy(c->io_buf, c->src.b, size);
	return em_port(c, true, c->dst.val, size, c->io_buf, 1);
}

/*
 * Who may not change IF has a virtual one to play with under the virtual-8086
 * extensions and, in protected mode, the protected-mode virtual interrupts.
 */
static bool has_virtual_if(const struct em_ctx *c)
{
	u64 ext = c->mode == EM_VM86 ? X86_CR4_VME : X86_CR4_PVI;

	return em_cpl(c) == 3 && c->cr4 & ext;
}

enum em_result em_i_cli(struct em_ctx *c)
{
	u64 flag = em_cpl(c) <= em_iopl(c) ? X86_EFLAGS_IF : X86_EFLAGS_VIF;

	if (flag == X86_EFLAGS_VIF && !has_virtual_if(c))
		return em_gp(c, 0);
	em_set_flag(c, flag, false);
	return EM_DONE;
}

enum em_result em_i_sti(struct em_ctx *c)
{
	if (em_cpl(c) <= em_iopl(c)) {
		c->retire.sti = !(c->rflags & X86_EFLAGS_IF);
		em_set_flag(c, X86_EFLAGS_IF, true);
		return EM_DONE;
	}
	/* an interrupt that waits for the virtual IF is the monitor's business */
	if (!has_virtual_if(c) || c->rflags & X86_EFLAGS_VIP)
		return em_gp(c, 0);
	em_set_flag(c, X86_EFLAGS_VIF, true);
	return EM_DONE;
}

enum em_result em_i_hlt(struct em_ctx *c)
{
	c->retire.hlt = true;
	return EM_DONE;
}

enum em_result em_i_clts(struct em_ctx *c)
{
	return em_set_reg(c, EM_REG_CR, 0, c->cr0 & ~X86_CR0_TS);
}

enum em_result em_i_wbinvd(struct em_ctx *c)
{
	return em_system(c, EM_SYS_WBINVD, 0);
}

enum em_result em_i_invd(struct em_ctx *c)
{
	return em_system(c, EM_SYS_INVD, 0);
}

/* No limit, type or canonical check: a bad address is just not cached. */
enum em_result em_i_invlpg(struct em_ctx *c)
{
	int seg = c->src.seg;
	u64 la = c->src.off;

	if (!em_long(c))
		la = (u32)(la + em_seg(c, seg)->base);
	else if (seg == EM_FS || seg == EM_GS)
		la += em_seg(c, seg)->base;
	return em_system(c, EM_SYS_INVLPG, la);
}

enum em_result em_i_clflush(struct em_ctx *c)
{
	enum em_result r;
	u64 la;

	r = em_linear(c, c->src.seg, c->src.off, 1, 0, &la);
	return r == EM_DONE ? em_system(c, EM_SYS_CLFLUSH, la) : r;
}

enum em_result em_i_clflushopt(struct em_ctx *c)
{
	return em_i_clflush(c);
}

enum em_result em_i_clwb(struct em_ctx *c)
{
	return em_i_clflush(c);
}

/* The descriptor: PCID, then a linear address that only one type looks at. */
static enum em_result check_invpcid(struct em_ctx *c, u64 type, const u64 *desc)
{
	bool pcid_used = type <= 1;

	if (type > 3 || desc[0] >> 12)
		return em_gp(c, 0);
	if (pcid_used && desc[0] && !(c->cr4 & X86_CR4_PCIDE))
		return em_gp(c, 0);
	if (!type && em_long(c) && !em_canonical(c, desc[1]))
		return em_gp(c, 0);
	return EM_DONE;
}

enum em_result em_i_invpcid(struct em_ctx *c)
{
	u64 type = em_gpr(c, em_modrm_reg(&c->insn), em_long(c) ? 8 : 4), desc[2];
	enum em_result r;

	r = em_block(c, c->src.seg, c->src.off, desc, sizeof(desc), false);
	if (r == EM_DONE)
		r = check_invpcid(c, type, desc);
	return r == EM_DONE ? em_system(c, EM_SYS_INVPCID, type ? 0 : desc[1]) : r;
}

enum em_result em_i_serialize(struct em_ctx *c __maybe_unused)
{
	return EM_DONE;
}

/* CLZERO: the cache line at rAX. */
enum em_result em_i_clzero(struct em_ctx *c)
{
	int seg = c->insn.seg >= 0 ? c->insn.seg : EM_DS;
	static const u8 zero[32];
	enum em_result r;
	u64 la;

	r = em_linear(c, seg, em_gpr(c, RAX, c->insn.addr_size), 1, EM_ACC_WRITE, &la);
	if (r == EM_DONE)
		r = em_write_la(c, la & ~63ULL, zero, 32, 0);
	if (r == EM_DONE)
		r = em_write_la(c, (la & ~63ULL) + 32, zero, 32, 0);
	return r;
}

/* SVM's instructions don't exist while EFER.SVME is clear. */
enum em_result em_i_svm(struct em_ctx *c)
{
	return c->efer & EM_EFER_SVME ? EM_UNSUPPORTED : em_undef(c);
}

enum em_result em_i_rsm(struct em_ctx *c)
{
	return em_system(c, EM_SYS_RSM, 0);
}

/* The embedder answers with a whole register; what of it is stored is the row's. */
static enum em_result whole_register(struct em_ctx *c, enum em_sys what)
{
	u64 old = c->gpr[c->dst.reg];
	enum em_result r;

	r = em_system(c, what, c->dst.reg);
	c->dst.val = c->gpr[c->dst.reg];
	c->gpr[c->dst.reg] = old;
	return r;
}

enum em_result em_i_rdpid(struct em_ctx *c)
{
	return whole_register(c, EM_SYS_RDPID);
}

enum em_result em_i_rdrand(struct em_ctx *c)
{
	c->rflags &= ~EM_EFLAGS_ARITH;
	return whole_register(c, EM_SYS_RDRAND);
}

enum em_result em_i_rdseed(struct em_ctx *c)
{
	c->rflags &= ~EM_EFLAGS_ARITH;
	return whole_register(c, EM_SYS_RDSEED);
}

/* On AMD's processors a LOCK prefix makes CR8 of CR0: the way there without REX. */
static unsigned int creg(const struct em_ctx *c)
{
	unsigned int nr = em_modrm_reg(&c->insn);

	if (c->insn.lock)
		return nr == 0 ? 8 : 16;
	return nr;
}

/* A register that does not exist is #UD at any privilege. */
static enum em_result check_cr(struct em_ctx *c)
{
	unsigned int nr = creg(c);

	if (nr != 0 && nr != 2 && nr != 3 && nr != 4 && nr != 8)
		return em_undef(c);
	if (c->insn.lock && c->intel)
		return em_undef(c);
	return em_cpl(c) ? em_gp(c, 0) : EM_DONE;
}

enum em_result em_i_mov_from_cr(struct em_ctx *c)
{
	enum em_result r = check_cr(c);

	return r == EM_DONE ? em_get_reg(c, EM_REG_CR, creg(c), &c->dst.val) : r;
}

enum em_result em_i_mov_to_cr(struct em_ctx *c)
{
	enum em_result r = check_cr(c);

	return r == EM_DONE ? em_set_reg(c, EM_REG_CR, creg(c), c->src.val) : r;
}

#define DR7_GD	BIT(13)
#define DR6_BD	BIT(13)

/* DR4 and DR5 are other names of DR6 and DR7 while CR4.DE is clear. */
static enum em_result check_dr(struct em_ctx *c, unsigned int *nr)
{
	enum em_result r;
	u64 dr7;

	*nr = creg(c);
	if (*nr > 7 || (c->cr4 & X86_CR4_DE && (*nr == 4 || *nr == 5)))
		return em_undef(c);
	if (em_cpl(c))
		return em_gp(c, 0);
	if (*nr == 4 || *nr == 5)
		*nr += 2;
	r = em_get_reg(c, EM_REG_DR, 7, &dr7);
	if (r != EM_DONE || !(dr7 & DR7_GD))
		return r;
	em_raise(c, EM_EX_DB, 0);
	c->fault.payload = DR6_BD;
	return EM_FAULT;
}

enum em_result em_i_mov_from_dr(struct em_ctx *c)
{
	enum em_result r;
	unsigned int nr;

	r = check_dr(c, &nr);
	return r == EM_DONE ? em_get_reg(c, EM_REG_DR, nr, &c->dst.val) : r;
}

enum em_result em_i_mov_to_dr(struct em_ctx *c)
{
	enum em_result r;
	unsigned int nr;

	r = check_dr(c, &nr);
	return r == EM_DONE ? em_set_reg(c, EM_REG_DR, nr, c->src.val) : r;
}

static void put_pair(struct em_ctx *c, u64 val)
{
	c->gpr[RAX] = lower_32_bits(val);
	c->gpr[RDX] = upper_32_bits(val);
}

static u64 get_pair(const struct em_ctx *c)
{
	return (u32)c->gpr[RAX] | c->gpr[RDX] << 32;
}

enum em_result em_i_rdmsr(struct em_ctx *c)
{
	enum em_result r;
	u64 val;

	r = em_get_reg(c, EM_REG_MSR, c->gpr[RCX], &val);
	if (r == EM_DONE)
		put_pair(c, val);
	return r;
}

enum em_result em_i_wrmsr(struct em_ctx *c)
{
	return em_set_reg(c, EM_REG_MSR, c->gpr[RCX], get_pair(c));
}

enum em_result em_i_rdtsc(struct em_ctx *c)
{
	if (c->cr4 & X86_CR4_TSD && em_cpl(c))
		return em_gp(c, 0);
	return em_system(c, EM_SYS_RDTSC, 0);
}

enum em_result em_i_rdtscp(struct em_ctx *c)
{
	if (c->cr4 & X86_CR4_TSD && em_cpl(c))
		return em_gp(c, 0);
	return em_system(c, EM_SYS_RDTSCP, 0);
}

enum em_result em_i_rdpmc(struct em_ctx *c)
{
	if (!(c->cr4 & X86_CR4_PCE) && em_cpl(c))
		return em_gp(c, 0);
	return em_system(c, EM_SYS_RDPMC, 0);
}

enum em_result em_i_cpuid(struct em_ctx *c)
{
	return em_system(c, EM_SYS_CPUID, 0);
}

enum em_result em_i_vmcall(struct em_ctx *c)
{
	return em_system(c, EM_SYS_VMCALL, 0);
}

/* rCX asks for extensions: MONITOR knows none. */
static enum em_result arm_monitor(struct em_ctx *c)
{
	int seg = c->insn.seg >= 0 ? c->insn.seg : EM_DS;
	enum em_result r;
	u64 la;

	if ((u32)c->gpr[RCX])
		return em_gp(c, 0);
	r = em_linear(c, seg, em_gpr(c, RAX, c->insn.addr_size), 1, 0, &la);
	return r == EM_DONE ? em_system(c, EM_SYS_MONITOR, la) : r;
}

/* Bit 0: a masked interrupt ends the wait, too; for MWAITX bit 1: a timer. */
static enum em_result wait_monitor(struct em_ctx *c, u32 extensions)
{
	if ((u32)c->gpr[RCX] & ~extensions)
		return em_gp(c, 0);
	return em_system(c, EM_SYS_MWAIT, 0);
}

enum em_result em_i_monitor(struct em_ctx *c)
{
	return em_cpl(c) ? em_undef(c) : arm_monitor(c);
}

enum em_result em_i_mwait(struct em_ctx *c)
{
	return em_cpl(c) ? em_undef(c) : wait_monitor(c, 1);
}

/* These two are for user mode. */
enum em_result em_i_monitorx(struct em_ctx *c)
{
	return arm_monitor(c);
}

enum em_result em_i_mwaitx(struct em_ctx *c)
{
	return wait_monitor(c, 3);
}

enum em_result em_i_clac(struct em_ctx *c)
{
	if (em_cpl(c))
		return em_undef(c);
	em_set_flag(c, X86_EFLAGS_AC, false);
	return EM_DONE;
}

enum em_result em_i_stac(struct em_ctx *c)
{
	if (em_cpl(c))
		return em_undef(c);
	em_set_flag(c, X86_EFLAGS_AC, true);
	return EM_DONE;
}

/* XGETBV and XSETBV exist without prefixes only. */
static bool no_xcr(const struct em_ctx *c)
{
	return !(c->cr4 & X86_CR4_OSXSAVE) || c->insn.opsize_pfx || c->insn.rep;
}

enum em_result em_i_xgetbv(struct em_ctx *c)
{
	enum em_result r;
	u64 val;

	if (no_xcr(c))
		return em_undef(c);
	r = em_get_reg(c, EM_REG_XCR, c->gpr[RCX], &val);
	if (r == EM_DONE)
		put_pair(c, val);
	return r;
}

enum em_result em_i_xsetbv(struct em_ctx *c)
{
	if (no_xcr(c))
		return em_undef(c);
	if (em_cpl(c))
		return em_gp(c, 0);
	return em_set_reg(c, EM_REG_XCR, c->gpr[RCX], get_pair(c));
}

/* RDPKRU and WRPKRU exist without prefixes only. */
static enum em_result check_pkru(struct em_ctx *c, bool write)
{
	if (!(c->cr4 & X86_CR4_PKE) || c->insn.opsize_pfx || c->insn.rep)
		return em_undef(c);
	return (u32)c->gpr[RCX] || (write && (u32)c->gpr[RDX]) ? em_gp(c, 0) : EM_DONE;
}

enum em_result em_i_rdpkru(struct em_ctx *c)
{
	enum em_result r = check_pkru(c, false);
	u64 val;

	if (r == EM_DONE)
		r = em_get_reg(c, EM_REG_PKRU, 0, &val);
	if (r == EM_DONE)
		put_pair(c, (u32)val);
	return r;
}

enum em_result em_i_wrpkru(struct em_ctx *c)
{
	enum em_result r = check_pkru(c, true);

	return r == EM_DONE ? em_set_reg(c, EM_REG_PKRU, 0, (u32)c->gpr[RAX]) : r;
}

/*
 * XSAVE, XRSTOR and their kin: when they fault, but not what they do. Nobody keeps
 * a save area in device memory, and the state has components that nothing here
 * knows. Who has no XCR0 has none of them.
 */
static enum em_result xstate(struct em_ctx *c, bool privileged)
{
	enum em_result r;
	u64 la;

	if (!(c->cr4 & X86_CR4_OSXSAVE) || c->insn.opsize_pfx || c->insn.rep)
		return em_undef(c);
	if (privileged && em_cpl(c))
		return em_gp(c, 0);
	if (c->cr0 & X86_CR0_TS)
		return em_raise(c, EM_EX_NM, 0);
	r = em_linear_any(c, c->src.seg, c->src.off, 576, 0, &la);
	if (r == EM_DONE && la & 63)
		r = em_gp(c, 0);
	return r == EM_DONE ? EM_UNSUPPORTED : r;
}

enum em_result em_i_xsave(struct em_ctx *c)
{
	return xstate(c, false);
}

enum em_result em_i_xsaveopt(struct em_ctx *c)
{
	return xstate(c, false);
}

enum em_result em_i_xsavec(struct em_ctx *c)
{
	return xstate(c, false);
}

enum em_result em_i_xsaves(struct em_ctx *c)
{
	return xstate(c, true);
}

static enum em_result set_base(struct em_ctx *c, enum em_seg_id id, u64 base)
{
	struct em_seg seg = *em_seg(c, id);

	seg.base = base;
	em_set_seg(c, id, &seg);
	return EM_DONE;
}

enum em_result em_i_swapgs(struct em_ctx *c)
{
	u64 base = em_seg(c, EM_GS)->base, other;
	enum em_result r;

	r = em_get_reg(c, EM_REG_MSR, EM_MSR_KERNEL_GS_BASE, &other);
	if (r == EM_DONE)
		r = em_set_reg(c, EM_REG_MSR, EM_MSR_KERNEL_GS_BASE, base);
	return r == EM_DONE ? set_base(c, EM_GS, other) : r;
}

static enum em_result read_base(struct em_ctx *c, enum em_seg_id id)
{
	if (!(c->cr4 & X86_CR4_FSGSBASE))
		return em_undef(c);
	c->dst.val = em_seg(c, id)->base;
	return EM_DONE;
}

static enum em_result write_base(struct em_ctx *c, enum em_seg_id id)
{
	if (!(c->cr4 & X86_CR4_FSGSBASE))
		return em_undef(c);
	return em_canonical(c, c->src.val) ? set_base(c, id, c->src.val) : em_gp(c, 0);
}

enum em_result em_i_rdfsbase(struct em_ctx *c)
{
	return read_base(c, EM_FS);
}

enum em_result em_i_rdgsbase(struct em_ctx *c)
{
	return read_base(c, EM_GS);
}

enum em_result em_i_wrfsbase(struct em_ctx *c)
{
	return write_base(c, EM_FS);
}

enum em_result em_i_wrgsbase(struct em_ctx *c)
{
	return write_base(c, EM_GS);
}

/* SGDT and others tell user space about the kernel unless UMIP forbids it. */
static bool umip(const struct em_ctx *c)
{
	return c->cr4 & X86_CR4_UMIP && em_cpl(c);
}

static enum em_result store_dt(struct em_ctx *c, bool idt)
{
	unsigned int size = em_long(c) ? 8 : 4;
	struct em_operand *m = &c->src;
	enum em_result r;
	struct em_dt dt;

	if (umip(c))
		return em_gp(c, 0);
	c->ops->get_dt(c, idt, &dt);
	r = em_write(c, m->seg, m->off, &dt.limit, 2);
	if (r == EM_DONE)
		r = em_write(c, m->seg, (m->off + 2) & em_mask(c->insn.addr_size),
			     &dt.base, size);
	return r;
}

enum em_result em_i_sgdt(struct em_ctx *c)
{
	return store_dt(c, false);
}

enum em_result em_i_sidt(struct em_ctx *c)
{
	return store_dt(c, true);
}

/* With 16-bit operands the base has 24 bits. */
static enum em_result load_dt(struct em_ctx *c, bool idt)
{
	unsigned int size = em_long(c) ? 8 : 4;
	struct em_operand *m = &c->src;
	struct em_dt dt = {};
	enum em_result r;

	r = em_read(c, m->seg, m->off, &dt.limit, 2);
	if (r == EM_DONE)
		r = em_read(c, m->seg, (m->off + 2) & em_mask(c->insn.addr_size),
			    &dt.base, size);
	if (r != EM_DONE)
		return r;
	if (size == 4 && c->insn.op_size == 2)
		dt.base &= 0xffffff;
	if (!em_canonical(c, dt.base))
		return em_gp(c, 0);
	c->ops->set_dt(c, idt, &dt);
	return EM_DONE;
}

enum em_result em_i_lgdt(struct em_ctx *c)
{
	return load_dt(c, false);
}

enum em_result em_i_lidt(struct em_ctx *c)
{
	return load_dt(c, true);
}

enum em_result em_i_smsw(struct em_ctx *c)
{
	if (umip(c))
		return em_gp(c, 0);
	return em_get_reg(c, EM_REG_CR, 0, &c->dst.val);
}

/* Sets MP, EM, TS; PE can be set but not cleared. */
enum em_result em_i_lmsw(struct em_ctx *c)
{
	u64 keep = ~(u64)(X86_CR0_MP | X86_CR0_EM | X86_CR0_TS);

	return em_set_reg(c, EM_REG_CR, 0, (c->cr0 & keep) | (c->src.val & 0xf));
}

enum em_result em_i_sldt(struct em_ctx *c)
{
	if (umip(c))
		return em_gp(c, 0);
	c->dst.val = em_seg(c, EM_LDTR)->sel;
	return EM_DONE;
}

enum em_result em_i_str(struct em_ctx *c)
{
	if (umip(c))
		return em_gp(c, 0);
	c->dst.val = em_seg(c, EM_TR)->sel;
	return EM_DONE;
}

enum em_result em_i_lldt(struct em_ctx *c)
{
	enum em_result r;
	struct em_seg seg;

	r = em_check_ldt(c, c->src.val, EM_EX_GP, &seg);
	if (r == EM_DONE)
		em_set_seg(c, EM_LDTR, &seg);
	return r;
}

enum em_result em_i_ltr(struct em_ctx *c)
{
	u16 sel = c->src.val;
	enum em_result r;
	struct em_desc d;
	struct em_seg seg;
	unsigned int type;

	if (!(sel & ~3) || sel & 4)
		return em_sel_fault(c, EM_EX_GP, sel & ~3 ? sel : 0);
	r = em_read_desc(c, sel, EM_EX_GP, &d);
	if (r == EM_DONE && em_lma(c))
		r = em_read_desc_top(c, sel, EM_EX_GP, &d);
	if (r != EM_DONE)
		return r;
	type = em_desc_type(&d);
	if (type != 9 && (type != 1 || em_lma(c)))
		return em_sel_fault(c, EM_EX_GP, sel);
	if (!em_desc_present(&d))
		return em_sel_fault(c, EM_EX_NP, sel);
	em_desc_to_seg(&d, sel, &seg);
	seg.attr |= 2;	/* busy */
	r = em_check_base(c, EM_EX_GP, &seg);
	if (r == EM_DONE)
		r = em_mark_accessed(c, &d, BIT(9));
	if (r == EM_DONE)
		em_set_seg(c, EM_TR, &seg);
	return r;
}

/*
 * LAR, LSL, VERR, VERW ask whether a descriptor may be used, without faulting
 * over it. @ok is false for a selector outside its table; paging faults and
 * exits to userspace come back as result.
 */
static enum em_result query_desc(struct em_ctx *c, u16 sel, struct em_desc *d, bool *ok)
{
	enum em_result r;

	*ok = false;
	if (!(sel & ~3))
		return EM_DONE;
	r = em_read_desc(c, sel, EM_EX_GP, d);
	if (r == EM_FAULT && c->fault.vector == EM_EX_GP)
		return EM_DONE;
	*ok = r == EM_DONE;
	return r;
}

static bool reachable(const struct em_ctx *c, u16 sel, const struct em_desc *d)
{
	if ((em_desc_type(d) & 0x1c) == 0x1c)
		return true;	/* conforming code */
	return em_desc_dpl(d) >= em_cpl(c) && em_desc_dpl(d) >= (sel & 3U);
}

static enum em_result verify(struct em_ctx *c, bool write)
{
	u16 sel = c->src.val;
	enum em_result r;
	struct em_desc d;
	unsigned int type;
	bool ok;

	r = query_desc(c, sel, &d, &ok);
	if (r != EM_DONE)
		return r;
	if (ok) {
		type = em_desc_type(&d);
		ok = type & 0x10 && reachable(c, sel, &d);
		if (write)
			ok = ok && (type & 0xa) == 2;
		else
			ok = ok && ((type & 0xa) != 8);
	}
	em_set_flag(c, X86_EFLAGS_ZF, ok);
	return EM_DONE;
}

enum em_result em_i_verr(struct em_ctx *c)
{
	return verify(c, false);
}

enum em_result em_i_verw(struct em_ctx *c)
{
	return verify(c, true);
}

/* System descriptor types that LAR and LSL accept; gates have no limit. */
#define LAR_LEGACY	(BIT(1) | BIT(2) | BIT(3) | BIT(4) | BIT(5) | BIT(9) | BIT(11) | BIT(12))
#define LAR_LONG	(BIT(2) | BIT(9) | BIT(11) | BIT(12))
#define LSL_LEGACY	(BIT(1) | BIT(2) | BIT(3) | BIT(9) | BIT(11))
#define LSL_LONG	(BIT(2) | BIT(9) | BIT(11))

static enum em_result query(struct em_ctx *c, u32 system_types, struct em_desc *d, bool *ok)
{
	u16 sel = c->src.val;
	enum em_result r;
	unsigned int type;

	r = query_desc(c, sel, d, ok);
	if (r == EM_DONE && *ok) {
		type = em_desc_type(d);
		*ok = (type & 0x10 || system_types & BIT(type)) && reachable(c, sel, d);
	}
	em_set_flag(c, X86_EFLAGS_ZF, *ok);
	c->no_writeback = !*ok;
	return r;
}

enum em_result em_i_lar(struct em_ctx *c)
{
	enum em_result r;
	struct em_desc d;
	bool ok;

	r = query(c, em_lma(c) ? LAR_LONG : LAR_LEGACY, &d, &ok);
	if (r == EM_DONE && ok)
		c->dst.val = d.hi & 0xffff00;
	return r;
}

enum em_result em_i_lsl(struct em_ctx *c)
{
	enum em_result r;
	struct em_desc d;
	struct em_seg seg;
	bool ok;

	r = query(c, em_lma(c) ? LSL_LONG : LSL_LEGACY, &d, &ok);
	if (r != EM_DONE || !ok)
		return r;
	em_desc_to_seg(&d, 0, &seg);
	c->dst.val = seg.limit;
	return EM_DONE;
}

enum em_result em_i_arpl(struct em_ctx *c)
{
	bool raise = (c->dst.val & 3) < (c->src.val & 3);

	em_set_flag(c, X86_EFLAGS_ZF, raise);
	if (!raise)
		return EM_DONE;
	c->dst.val = (c->dst.val & ~3ULL) | (c->src.val & 3);
	return em_writeback(c);	/* only now it matters whether it may be written */
}
