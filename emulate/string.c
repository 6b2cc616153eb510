// SPDX-License-Identifier: GPL-2.0
/*
 * String instructions, with and without repeat prefix.
 *
 * Each element is committed when it is done, so that a fault, an exit to
 * userspace or an interrupt finds rcx, rsi and rdi telling how far the
 * instruction got. A long repeat gives way after a while with EM_RESTART, or as
 * soon as a callback says that the guest needs no help any more: the guest enters
 * again at the same rip, pending interrupts are taken first.
 *
 * Port strings move as many elements as fit into ctx->io_buf and into the page
 * at once. The destination of INS is probed before the port is read: data once
 * read from a port cannot be put back.
 */
#include "internal.h"

/* Elements after which a repeat gives way. */
#define YIELD_AFTER	1024

static unsigned int elem_size(const struct em_ctx *c)
{
	return c->insn.flags & EMF_BYTE ? 1 : c->insn.op_size;
}

static s64 step_of(const struct em_ctx *c)
{
	s64 size = elem_size(c);

	return c->rflags & X86_EFLAGS_DF ? -size : size;
}

static int source_seg(const struct em_ctx *c)
{
	return c->insn.seg >= 0 ? c->insn.seg : EM_DS;
}

static u64 string_ptr(const struct em_ctx *c, unsigned int reg)
{
	return em_gpr(c, reg, c->insn.addr_size);
}

static void advance(struct em_ctx *c, unsigned int reg, s64 elements)
{
	em_add_gpr(c, reg, c->insn.addr_size, elements * step_of(c));
}

static enum em_result read_si(struct em_ctx *c, u64 *val)
{
	*val = 0;
	return em_read(c, source_seg(c), string_ptr(c, RSI), val, elem_size(c));
}

static enum em_result one_movs(struct em_ctx *c)
{
	enum em_result r;
	u64 val;

	r = read_si(c, &val);
	if (r == EM_DONE)
		r = em_write(c, EM_ES, string_ptr(c, RDI), &val, elem_size(c));
	if (r != EM_DONE)
		return r;
	advance(c, RSI, 1);
	advance(c, RDI, 1);
	return EM_DONE;
}

static enum em_result one_stos(struct em_ctx *c)
{
	enum em_result r;

	r = em_write(c, EM_ES, string_ptr(c, RDI), &c->gpr[RAX], elem_size(c));
	if (r == EM_DONE)
		advance(c, RDI, 1);
	return r;
}

static enum em_result one_lods(struct em_ctx *c)
{
	enum em_result r;
	u64 val;

	r = read_si(c, &val);
	if (r != EM_DONE)
		return r;
	em_put_gpr(c, RAX, elem_size(c), val);
	advance(c, RSI, 1);
	return EM_DONE;
}

static enum em_result compare(struct em_ctx *c, u64 a, u64 b)
{
	c->dst.val = a;
	c->src.val = b;
	c->dst.size = elem_size(c);
	return em_i_cmp(c);
}

static enum em_result one_cmps(struct em_ctx *c)
{
	enum em_result r;
	u64 a, b = 0;

	r = em_read(c, EM_ES, string_ptr(c, RDI), &b, elem_size(c));
	if (r == EM_DONE)
		r = read_si(c, &a);
	if (r != EM_DONE)
		return r;
	advance(c, RSI, 1);
	advance(c, RDI, 1);
	return compare(c, a, b);
}

static enum em_result one_scas(struct em_ctx *c)
{
	enum em_result r;
	u64 b = 0;

	r = em_read(c, EM_ES, string_ptr(c, RDI), &b, elem_size(c));
	if (r != EM_DONE)
		return r;
	advance(c, RDI, 1);
	return compare(c, c->gpr[RAX], b);
}

/* REPE and REPNE of CMPS and SCAS look at ZF; all other repeats don't. */
static bool compare_ended(const struct em_ctx *c, bool compares)
{
	bool zf = c->rflags & X86_EFLAGS_ZF;

	return compares && zf != (c->insn.rep == 0xf3);
}

/*
 * Run @one, or run it rcx times; a zero count touches nothing at all. If a later
 * element faults or has to wait, the flags are those from before the first one on
 * Intel's processors, those of the last finished one on AMD's.
 */
static enum em_result repeat(struct em_ctx *c, em_fn one, bool compares)
{
	unsigned int asize = c->insn.addr_size, n;
	u64 flags = c->saved_rflags;
	enum em_result r;

	if (!c->insn.rep)
		return one(c);
	for (n = 0; em_gpr(c, RCX, asize); n++) {
		if (n == YIELD_AFTER || c->give_way)
			return EM_RESTART;
		r = one(c);
		if (r != EM_DONE)
			return r;
		em_add_gpr(c, RCX, asize, -1);
		if (!em_gpr(c, RCX, asize) || compare_ended(c, compares))
			return EM_DONE;
		em_commit(c);
		if (c->intel)
			c->saved_rflags = flags;
		if (c->rflags & X86_EFLAGS_TF) {
			c->retire.singlestep = true;
			return EM_RESTART;
		}
	}
	return EM_DONE;
}

enum em_result em_i_movs(struct em_ctx *c)
{
	return repeat(c, one_movs, false);
}

enum em_result em_i_stos(struct em_ctx *c)
{
	return repeat(c, one_stos, false);
}

enum em_result em_i_lods(struct em_ctx *c)
{
	return repeat(c, one_lods, false);
}

enum em_result em_i_cmps(struct em_ctx *c)
{
	return repeat(c, one_cmps, true);
}

enum em_result em_i_scas(struct em_ctx *c)
{
	return repeat(c, one_scas, true);
}

/* INS and OUTS have 4-byte elements at most. */
static void port_size(struct em_ctx *c)
{
	if (c->insn.op_size == 8)
		c->insn.op_size = 4;
}

/*
 * How many elements the next port access may move: limited by rcx, the buffer,
 * and the page and segment the elements lie in, all of which were checked for
 * the first element.
 */
static unsigned int batch(struct em_ctx *c, u64 off, u64 la)
{
	unsigned int size = elem_size(c);
	u64 n = em_gpr(c, RCX, c->insn.addr_size);

	if (!c->insn.rep || c->rflags & (X86_EFLAGS_DF | X86_EFLAGS_TF))
		return 1;
	n = min_t(u64, n, EM_PIO_BYTES / size);
	n = min_t(u64, n, (4096 - (la & 4095)) / size);
	/* Not past the end of a 16-bit offset. */
	n = min_t(u64, n, (4096 - (off & 4095)) / size);
	return max_t(u64, n, 1);
}

/* The batch's elements all have to be inside the segment; else go singly. */
static enum em_result port_address(struct em_ctx *c, int seg, u64 off, unsigned int acc,
				   u64 *la, unsigned int *count)
{
	unsigned int size = elem_size(c);
	enum em_result r;
	u64 last;

	r = em_linear(c, seg, off, size, acc, la);
	if (r != EM_DONE)
		return r;
	*count = batch(c, off, *la);
	if (*count > 1 && em_linear(c, seg, off, size * *count, acc, &last) != EM_DONE)
		*count = 1;
	return EM_DONE;
}

static void port_advance(struct em_ctx *c, unsigned int reg, unsigned int count)
{
	advance(c, reg, count);
	if (c->insn.rep)
		em_add_gpr(c, RCX, c->insn.addr_size, -(s64)count);
}

/*
 * Copy between guest memory and io_buf, in the largest pieces the callbacks take:
 * nearly always that is RAM, and each piece costs a page-table walk.
 */
static enum em_result copy_buf(struct em_ctx *c, u64 la, unsigned int bytes, bool write)
{
	enum em_result r = EM_DONE;
	unsigned int done, n;

	for (done = 0; done < bytes && r == EM_DONE; done += n) {
		n = min_t(unsigned int, bytes - done, EM_MAX_ACCESS);
		if (write)
			r = em_write_la(c, la + done, c->io_buf + done, n, 0);
		else
			r = em_read_la(c, la + done, c->io_buf + done, n, 0);
	}
	return r;
}

static enum em_result ins_batch(struct em_ctx *c)
{
	u16 port = c->gpr[RDX];
	unsigned int size = elem_size(c), count;
	enum em_result r;
	u64 la;

	r = port_address(c, EM_ES, string_ptr(c, RDI), EM_ACC_WRITE, &la, &count);
	if (r == EM_DONE)
		r = em_write_la(c, la, c->io_buf, size, EM_ACC_PROBE);
	if (r == EM_DONE)
		r = em_port(c, false, port, size, c->io_buf, count);
	if (r == EM_DONE)
		r = copy_buf(c, la, size * count, true);
	if (r == EM_DONE)
		port_advance(c, RDI, count);
	return r;
}

static enum em_result outs_batch(struct em_ctx *c)
{
	u16 port = c->gpr[RDX];
	unsigned int size = elem_size(c), count;
	enum em_result r;
	u64 la;

	r = port_address(c, source_seg(c), string_ptr(c, RSI), 0, &la, &count);
	if (r == EM_DONE)
		r = copy_buf(c, la, size * count, false);
	if (r == EM_DONE)
		r = em_port(c, true, port, size, c->io_buf, count);
	if (r == EM_DONE)
		port_advance(c, RSI, count);
	return r;
}

static enum em_result port_string(struct em_ctx *c, em_fn one)
{
	unsigned int asize = c->insn.addr_size;
	enum em_result r;

	port_size(c);
	r = em_port_allowed(c, c->gpr[RDX], elem_size(c));
	if (c->insn.rep && !em_gpr(c, RCX, asize))
		return r;
	if (r == EM_DONE)
		r = one(c);
	if (r != EM_DONE || !c->insn.rep || !em_gpr(c, RCX, asize))
		return r;
	em_commit(c);
	if (c->rflags & X86_EFLAGS_TF)
		c->retire.singlestep = true;
	return EM_RESTART;
}

enum em_result em_i_ins(struct em_ctx *c)
{
	return port_string(c, ins_batch);
}

enum em_result em_i_outs(struct em_ctx *c)
{
	return port_string(c, outs_batch);
}
