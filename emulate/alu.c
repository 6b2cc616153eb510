// SPDX-License-Identifier: GPL-2.0
/*
 * Arithmetic and logic: the host's own instruction computes result and flags.
 *
 * Flags go in and out of the thunks through rax: AL holds OF, AH the low byte of
 * the flags. "add $0x7f, %al" overflows exactly if AL was 1, SAHF loads the
 * rest, and SETO and LAHF are the way back. None of that touches IF, AC or the
 * stack, so a thunk is safe anywhere in the kernel, unlike PUSHF and POPF.
 *
 * Only where the host may lack the instruction (bit manipulation extensions,
 * CRC32) or could trap on it (division) is the result computed in C.
 */
#include "internal.h"

static u32 flags_in(const struct em_ctx *c)
{
	return (u32)(c->rflags & 0xff) << 8 | (c->rflags >> 11 & 1);
}

static void flags_out(struct em_ctx *c, u32 ax)
{
	u64 arith = (ax >> 8 & EM_EFLAGS_ARITH & 0xff) | (u64)(ax & 1) << 11;

	c->rflags = (c->rflags & ~EM_EFLAGS_ARITH) | arith;
}

#define FLAGS_IN	"addb $0x7f, %%al\n\tsahf\n\t"
#define FLAGS_OUT	"\n\tseto %%al\n\tlahf"

/* One thunk for each operand size: b, w, k (32), q name both suffix and register. */
#define BY_SIZE(T, insn, size)						\
	do {								\
		switch (size) {						\
		case 1:							\
			T(insn "b", b);					\
			break;						\
		case 2:							\
			T(insn "w", w);					\
			break;						\
		case 4:							\
			T(insn "l", k);					\
			break;						\
		default:						\
			T(insn "q", q);					\
			break;						\
		}							\
	} while (0)

#define BINARY_THUNK(insn, m)						\
	asm(FLAGS_IN insn " %" #m "[s], %" #m "[d]" FLAGS_OUT		\
	    : "+&a" (ax), [d] "+r" (d) : [s] "r" (s) : "cc")

#define UNARY_THUNK(insn, m)						\
	asm(FLAGS_IN insn " %" #m "[d]" FLAGS_OUT			\
	    : "+&a" (ax), [d] "+r" (d) : : "cc")

#define SHIFT_THUNK(insn, m)						\
	asm(FLAGS_IN insn " %%cl, %" #m "[d]" FLAGS_OUT			\
	    : "+&a" (ax), [d] "+r" (d) : "c" (s) : "cc")

#define BINARY(name, insn)						\
enum em_result em_i_##name(struct em_ctx *c)				\
{									\
	u64 d = c->dst.val, s = c->src.val;				\
	u32 ax = flags_in(c);						\
									\
	BY_SIZE(BINARY_THUNK, insn, c->dst.size);			\
	flags_out(c, ax);						\
	c->dst.val = d;							\
	return EM_DONE;							\
}

#define UNARY(name, insn)						\
enum em_result em_i_##name(struct em_ctx *c)				\
{									\
	u64 d = c->dst.val;						\
	u32 ax = flags_in(c);						\
									\
	BY_SIZE(UNARY_THUNK, insn, c->dst.size);			\
	flags_out(c, ax);						\
	c->dst.val = d;							\
	return EM_DONE;							\
}

#define SHIFT(name, insn)						\
enum em_result em_i_##name(struct em_ctx *c)				\
{									\
	u64 d = c->dst.val;						\
	u32 ax = flags_in(c);						\
	u8 s = c->src.val;						\
									\
	BY_SIZE(SHIFT_THUNK, insn, c->dst.size);			\
	flags_out(c, ax);						\
	c->dst.val = d;							\
	return EM_DONE;							\
}

BINARY(add, "add")
BINARY(or, "or")
BINARY(adc, "adc")
BINARY(sbb, "sbb")
BINARY(and, "and")
BINARY(sub, "sub")
BINARY(xor, "xor")
BINARY(cmp, "cmp")
BINARY(test, "test")
UNARY(inc, "inc")
UNARY(dec, "dec")
UNARY(not, "not")
UNARY(neg, "neg")
SHIFT(rol, "rol")
SHIFT(ror, "ror")
SHIFT(rcl, "rcl")
SHIFT(rcr, "rcr")
SHIFT(shl, "shl")
SHIFT(shr, "shr")
SHIFT(sar, "sar")

/* The instructions that have no byte form. */
#define BY_WORD_SIZE(T, insn, size)					\
	do {								\
		if ((size) == 2)					\
			T(insn "w", w);					\
		else if ((size) == 4)					\
			T(insn "l", k);					\
		else							\
			T(insn "q", q);					\
	} while (0)

#define SHIFTD_THUNK(insn, m)						\
	asm(FLAGS_IN insn " %%cl, %" #m "[s], %" #m "[d]" FLAGS_OUT	\
	    : "+&a" (ax), [d] "+r" (d) : [s] "r" (s), "c" (count) : "cc")

#define SHIFTD(name, insn)						\
enum em_result em_i_##name(struct em_ctx *c)				\
{									\
	u64 d = c->dst.val, s = c->src.val;				\
	u8 count = c->src2.val;						\
	u32 ax = flags_in(c);						\
									\
	BY_WORD_SIZE(SHIFTD_THUNK, insn, c->dst.size);			\
	flags_out(c, ax);						\
	c->dst.val = d;							\
	return EM_DONE;							\
}

#define WORD_BINARY(name, insn)						\
enum em_result em_i_##name(struct em_ctx *c)				\
{									\
	u64 d = c->dst.val, s = c->src.val;				\
	u32 ax = flags_in(c);						\
									\
	BY_WORD_SIZE(BINARY_THUNK, insn, c->dst.size);			\
	flags_out(c, ax);						\
	c->dst.val = d;							\
	return EM_DONE;							\
}

SHIFTD(shld, "shld")
SHIFTD(shrd, "shrd")
WORD_BINARY(imul, "imul")
WORD_BINARY(bt, "bt")
WORD_BINARY(bts, "bts")
WORD_BINARY(btr, "btr")
WORD_BINARY(btc, "btc")

/* A zero source sets ZF and leaves the destination alone, its upper half too. */
#define SCAN(name, insn)						\
enum em_result em_i_##name(struct em_ctx *c)				\
{									\
	u64 d = c->dst.val, s = c->src.val;				\
	u32 ax = flags_in(c);						\
									\
	BY_WORD_SIZE(BINARY_THUNK, insn, c->dst.size);			\
	flags_out(c, ax);						\
	c->dst.val = d;							\
	c->no_writeback = c->rflags & X86_EFLAGS_ZF;			\
	return EM_DONE;							\
}

SCAN(bsf, "bsf")
SCAN(bsr, "bsr")

enum em_result em_i_imul3(struct em_ctx *c)
{
	c->dst.val = c->src2.val;
	return em_i_imul(c);
}

/* Low half of the product where rax was, high half in AH or rdx. */
static void put_product(struct em_ctx *c, unsigned int size, u64 lo, u64 hi)
{
	if (size == 1) {
		em_put_gpr(c, RAX, 2, lo);
		return;
	}
	em_put_gpr(c, RAX, size, lo);
	em_put_gpr(c, RDX, size, hi);
}

#define MULTIPLY_THUNK(insn, m)						\
	asm(insn " %" #m "[s]\n\tmov %%rax, %[lo]" FLAGS_OUT		\
	    : "=&a" (ax), "+d" (hi), [lo] "=&r" (lo)			\
	    : [s] "r" (s), "0" (a) : "cc")

#define MULTIPLY(name, insn)						\
enum em_result em_i_##name(struct em_ctx *c)				\
{									\
	u64 a = c->gpr[RAX], s = c->dst.val, hi = c->gpr[RDX], lo, ax;	\
									\
	BY_SIZE(MULTIPLY_THUNK, insn, c->dst.size);			\
	flags_out(c, ax);						\
	put_product(c, c->dst.size, lo, hi);				\
	return EM_DONE;							\
}

MULTIPLY(mul, "mul")
MULTIPLY(imul1, "imul")

/* Dividend of a byte division is AX, else it is split over rdx and rax. */
static void get_dividend(struct em_ctx *c, unsigned int size, u64 *hi, u64 *lo)
{
	if (size == 1) {
		*lo = c->gpr[RAX] & 0xff;
		*hi = c->gpr[RAX] >> 8 & 0xff;
		return;
	}
	*lo = em_gpr(c, RAX, size);
	*hi = em_gpr(c, RDX, size);
}

static void put_quotient(struct em_ctx *c, unsigned int size, u64 quot, u64 rem)
{
	if (size == 1) {
		em_put_gpr(c, RAX, 2, (quot & 0xff) | (rem & 0xff) << 8);
		return;
	}
	em_put_gpr(c, RAX, size, quot);
	em_put_gpr(c, RDX, size, rem);
}

/* hi < d was checked, so that the host's DIV cannot trap. */
static void divide(unsigned int size, u64 hi, u64 lo, u64 d, u64 *quot, u64 *rem)
{
	if (size < 8) {
		u64 n = hi << (size * 8) | lo;

		*quot = div64_u64_rem(n, d, rem);
		return;
	}
	asm("divq %[d]" : "=a" (*quot), "=d" (*rem)
	    : [d] "r" (d), "a" (lo), "d" (hi) : "cc");
}

enum em_result em_i_div(struct em_ctx *c)
{
	unsigned int size = c->dst.size;
	u64 hi, lo, quot, rem, d = c->dst.val & em_mask(size);

	get_dividend(c, size, &hi, &lo);
	if (hi >= d)
		return em_raise(c, EM_EX_DE, 0);
	divide(size, hi, lo, d, &quot, &rem);
	put_quotient(c, size, quot, rem);
	return EM_DONE;
}

/* Division of magnitudes; the quotient must fit once it has its sign again. */
enum em_result em_i_idiv(struct em_ctx *c)
{
	unsigned int size = c->dst.size;
	u64 mask = em_mask(size), top = mask ^ (mask >> 1);
	u64 hi, lo, quot, rem, d = c->dst.val & mask;
	bool neg_n, neg_d = d & top;

	get_dividend(c, size, &hi, &lo);
	neg_n = hi & top;
	if (neg_n) {
		lo = -lo & mask;
		hi = (~hi + !lo) & mask;
	}
	if (neg_d)
		d = -d & mask;
	if (hi >= d)
		return em_raise(c, EM_EX_DE, 0);
	divide(size, hi, lo, d, &quot, &rem);
	if (quot > (neg_n != neg_d ? top : top - 1))
		return em_raise(c, EM_EX_DE, 0);
	put_quotient(c, size, neg_n != neg_d ? -quot : quot, neg_n ? -rem : rem);
	return EM_DONE;
}

static void set_cf_zf(struct em_ctx *c, bool cf, bool zf)
{
	c->rflags &= ~EM_EFLAGS_ARITH;
	em_set_flag(c, X86_EFLAGS_CF, cf);
	em_set_flag(c, X86_EFLAGS_ZF, zf);
}

/* Processors without TZCNT ignore its prefix. */
enum em_result em_i_tzcnt(struct em_ctx *c)
{
	unsigned int bits = c->dst.size * 8;
	u64 s = c->src.val & em_mask(c->dst.size);

	if (!em_has(c, EM_HAS_BMI1))
		return em_i_bsf(c);
	c->dst.val = s ? __ffs(s) : bits;
	set_cf_zf(c, !s, c->dst.val == 0);
	return EM_DONE;
}

enum em_result em_i_lzcnt(struct em_ctx *c)
{
	unsigned int bits = c->dst.size * 8;
	u64 s = c->src.val & em_mask(c->dst.size);

	if (!em_has(c, EM_HAS_ABM))
		return em_i_bsr(c);
	c->dst.val = bits - fls64(s);
	set_cf_zf(c, !s, c->dst.val == 0);
	return EM_DONE;
}

enum em_result em_i_popcnt(struct em_ctx *c)
{
	u64 s = c->src.val & em_mask(c->dst.size);

	c->dst.val = hweight64(s);
	set_cf_zf(c, false, !s);
	return EM_DONE;
}

/* 16-bit BSWAP is undefined; processors clear the word. */
enum em_result em_i_bswap(struct em_ctx *c)
{
	if (c->dst.size == 8)
		c->dst.val = swab64(c->dst.val);
	else
		c->dst.val = c->dst.size == 4 ? swab32(c->dst.val) : 0;
	return EM_DONE;
}

enum em_result em_i_movbe(struct em_ctx *c)
{
	u64 val = c->src.val;
	enum em_result r = EM_DONE;

	if (c->src.kind == EM_OPND_MEM) {
		r = em_read(c, c->src.seg, c->src.off, &val, c->src.size);
		if (r != EM_DONE)
			return r;
	}
	if (c->dst.size == 8)
		c->dst.val = swab64(val);
	else
		c->dst.val = c->dst.size == 4 ? swab32(val) : swab16(val);
	return EM_DONE;
}

/* CRC-32C, reflected polynomial, a bit at a time: rare enough. */
enum em_result em_i_crc32(struct em_ctx *c)
{
	u32 crc = c->dst.val;
	unsigned int i;

	for (i = 0; i < c->src.size * 8U; i++) {
		bool odd = (crc ^ c->src.val >> i) & 1;

		crc = crc >> 1 ^ (odd ? 0x82f63b78 : 0);
	}
	c->dst.val = crc;
	return EM_DONE;
}

/* d + s + flag, carry into the same flag and nowhere else. */
static enum em_result add_with(struct em_ctx *c, u64 flag)
{
	u64 mask = em_mask(c->dst.size);
	u64 d = c->dst.val & mask, s = c->src.val & mask, in = !!(c->rflags & flag);
	u64 sum = (d + s + in) & mask;

	em_set_flag(c, flag, in ? sum <= d : sum < d);
	c->dst.val = sum;
	return EM_DONE;
}

enum em_result em_i_adcx(struct em_ctx *c)
{
	return add_with(c, X86_EFLAGS_CF);
}

enum em_result em_i_adox(struct em_ctx *c)
{
	return add_with(c, X86_EFLAGS_OF);
}

/* Result of a BMI1/BMI2 operation with flags: SF, ZF from it, CF given. */
static enum em_result bmi_result(struct em_ctx *c, u64 val, bool cf)
{
	val &= em_mask(c->dst.size);
	c->dst.val = val;
	set_cf_zf(c, cf, !val);
	em_set_flag(c, X86_EFLAGS_SF, em_sext(val, c->dst.size) < 0);
	return EM_DONE;
}

enum em_result em_i_andn(struct em_ctx *c)
{
	return bmi_result(c, ~c->src.val & c->src2.val, false);
}

enum em_result em_i_bextr(struct em_ctx *c)
{
	unsigned int start = c->src2.val & 0xff, len = c->src2.val >> 8 & 0xff;
	u64 val = start < 64 ? c->src.val >> start : 0;

	if (len < 64)
		val &= (1ULL << len) - 1;
	bmi_result(c, val, false);
	em_set_flag(c, X86_EFLAGS_SF, false);
	return EM_DONE;
}

enum em_result em_i_blsr(struct em_ctx *c)
{
	return bmi_result(c, c->src.val & (c->src.val - 1), !c->src.val);
}

enum em_result em_i_blsmsk(struct em_ctx *c)
{
	bool zero = !c->src.val;

	bmi_result(c, c->src.val ^ (c->src.val - 1), zero);
	em_set_flag(c, X86_EFLAGS_ZF, false);
	return EM_DONE;
}

enum em_result em_i_blsi(struct em_ctx *c)
{
	return bmi_result(c, c->src.val & -c->src.val, c->src.val);
}

enum em_result em_i_bzhi(struct em_ctx *c)
{
	unsigned int n = c->src2.val & 0xff, bits = c->dst.size * 8;
	u64 val = c->src.val;

	if (n < bits)
		val &= (1ULL << n) - 1;
	return bmi_result(c, val, n >= bits);
}

enum em_result em_i_pdep(struct em_ctx *c)
{
	u64 mask = c->src2.val, src = c->src.val, val = 0;

	for (; mask; mask &= mask - 1, src >>= 1)
		if (src & 1)
			val |= mask & -mask;
	c->dst.val = val;
	return EM_DONE;
}

enum em_result em_i_pext(struct em_ctx *c)
{
	u64 mask = c->src2.val, src = c->src.val, val = 0, bit = 1;

	for (; mask; mask &= mask - 1, bit <<= 1)
		if (src & mask & -mask)
			val |= bit;
	c->dst.val = val;
	return EM_DONE;
}

enum em_result em_i_rorx(struct em_ctx *c)
{
	unsigned int bits = c->dst.size * 8, n = c->src2.val & (bits - 1);
	u64 val = c->src.val;

	c->dst.val = n ? val >> n | val << (bits - n) : val;
	return EM_DONE;
}

static unsigned int shift_count(const struct em_ctx *c)
{
	return c->src2.val & (c->dst.size * 8 - 1);
}

enum em_result em_i_sarx(struct em_ctx *c)
{
	c->dst.val = em_sext(c->src.val, c->dst.size) >> shift_count(c);
	return EM_DONE;
}

enum em_result em_i_shlx(struct em_ctx *c)
{
	c->dst.val = c->src.val << shift_count(c);
	return EM_DONE;
}

enum em_result em_i_shrx(struct em_ctx *c)
{
	c->dst.val = c->src.val >> shift_count(c);
	return EM_DONE;
}

/* src: VEX.vvvv, where the low half goes; src2: the factor beside rdx. */
enum em_result em_i_mulx(struct em_ctx *c)
{
	unsigned int size = c->dst.size;
	u64 lo = em_gpr(c, RDX, size), hi = 0, s = c->src2.val;

	if (size == 8) {
		asm("mulq %[s]" : "+a" (lo), "=d" (hi) : [s] "r" (s) : "cc");
	} else {
		lo *= s;
		hi = lo >> 32;
	}
	em_put_gpr(c, c->src.reg, size, lo);
	c->dst.val = hi;
	return EM_DONE;
}

/* SF, ZF and PF of a byte, by the host; the other flags stay. */
static void flags_of_byte(struct em_ctx *c, u8 val)
{
	u64 keep = c->rflags & (X86_EFLAGS_CF | X86_EFLAGS_AF | X86_EFLAGS_OF);
	u32 ax = 0;
	u64 d = val;

	asm("testb %b[d], %b[d]" FLAGS_OUT : "+&a" (ax) : [d] "r" (d) : "cc");
	flags_out(c, ax);
	c->rflags = (c->rflags & ~(X86_EFLAGS_CF | X86_EFLAGS_AF | X86_EFLAGS_OF)) | keep;
}

/* Decimal adjustment: long mode has no such instructions to borrow. */
static enum em_result decimal_adjust(struct em_ctx *c, int sign)
{
	u8 old = c->gpr[RAX], al = old;
	bool cf = c->rflags & X86_EFLAGS_CF, af = c->rflags & X86_EFLAGS_AF;
	bool high = old > 0x99 || cf;
	bool carry = false;

	if ((old & 0xf) > 9 || af) {
		carry = sign > 0 ? old > 0xff - 6 : old < 6;
		al += sign * 6;
		af = true;
	}
	if (high)
		al += sign * 0x60;
	em_put_gpr(c, RAX, 1, al);
	em_set_flag(c, X86_EFLAGS_CF, high || carry);
	em_set_flag(c, X86_EFLAGS_AF, af);
	flags_of_byte(c, al);
	return EM_DONE;
}

enum em_result em_i_daa(struct em_ctx *c)
{
	return decimal_adjust(c, 1);
}

enum em_result em_i_das(struct em_ctx *c)
{
	return decimal_adjust(c, -1);
}

static enum em_result ascii_adjust(struct em_ctx *c, int sign)
{
	u16 ax = c->gpr[RAX];
	bool adjust = (ax & 0xf) > 9 || c->rflags & X86_EFLAGS_AF;

	if (adjust)
		ax += sign * 0x106;
	em_put_gpr(c, RAX, 2, ax & 0xff0f);
	em_set_flag(c, X86_EFLAGS_CF, adjust);
	em_set_flag(c, X86_EFLAGS_AF, adjust);
	flags_of_byte(c, ax & 0x0f);
	return EM_DONE;
}

enum em_result em_i_aaa(struct em_ctx *c)
{
	return ascii_adjust(c, 1);
}

enum em_result em_i_aas(struct em_ctx *c)
{
	return ascii_adjust(c, -1);
}

enum em_result em_i_aam(struct em_ctx *c)
{
	u8 base = c->src.val, al = c->gpr[RAX];

	if (!base)
		return em_raise(c, EM_EX_DE, 0);
	em_put_gpr(c, RAX, 2, (al / base) << 8 | al % base);
	flags_of_byte(c, al % base);
	return EM_DONE;
}

enum em_result em_i_aad(struct em_ctx *c)
{
	u8 al = c->gpr[RAX], ah = c->gpr[RAX] >> 8;

	al += ah * (u8)c->src.val;
	em_put_gpr(c, RAX, 2, al);
	flags_of_byte(c, al);
	return EM_DONE;
}

/* Store into a register operand that is a source elsewhere. */
static void put_src(struct em_ctx *c, u64 val)
{
	struct em_operand *o = &c->src;

	if (o->kind == EM_OPND_HIGH)
		c->gpr[o->reg & 3] = (c->gpr[o->reg & 3] & ~0xff00ULL) | (val & 0xff) << 8;
	else
		em_put_gpr(c, o->reg, o->size, val);
}

enum em_result em_i_xadd(struct em_ctx *c)
{
	u64 old = c->dst.val;

	em_i_add(c);
	put_src(c, old);
	return EM_DONE;
}

/* Memory is written in both cases, as on hardware. */
enum em_result em_i_cmpxchg(struct em_ctx *c)
{
	unsigned int size = c->dst.size;
	u64 old = c->dst.val, new = c->src.val;

	c->src.val = old;
	c->dst.val = em_gpr(c, RAX, size);
	em_i_cmp(c);
	if (c->rflags & X86_EFLAGS_ZF) {
		c->dst.val = new;
		return EM_DONE;
	}
	c->dst.val = old;
	if (c->dst.kind == EM_OPND_MEM) {
		em_put_gpr(c, RAX, size, old);
	} else {
		/* A 32-bit register destination keeps its upper half. */
		c->no_writeback = true;
		em_put_gpr(c, RAX, size, old);
	}
	return EM_DONE;
}

/* CMPXCHG8B, and with REX.W CMPXCHG16B: rdx:rax against memory, rcx:rbx in. */
enum em_result em_i_cmpxchg8b(struct em_ctx *c)
{
	bool wide = c->insn.rex & 8 && em_long(c);
	unsigned int half = wide ? 8 : 4, size = half * 2;
	u64 old[2] = {}, cmp[2], new[2];
	enum em_result r;
	bool same;
	u64 la;

	r = em_linear_any(c, c->dst.seg, c->dst.off, size, EM_ACC_WRITE, &la);
	if (r == EM_DONE && wide && la & 15)
		r = em_gp(c, 0);	/* before #AC */
	if (r == EM_DONE)
		r = em_linear(c, c->dst.seg, c->dst.off, size, EM_ACC_WRITE, &la);
	if (r != EM_DONE)
		return r;
	r = em_read_la(c, la, old, size, EM_ACC_WRITE | EM_ACC_LOCK);
	if (r != EM_DONE)
		return r;
	cmp[0] = em_gpr(c, RAX, half);
	cmp[1] = em_gpr(c, RDX, half);
	new[0] = em_gpr(c, RBX, half);
	new[1] = em_gpr(c, RCX, half);
	if (!wide) {
		cmp[0] |= cmp[1] << 32;
		new[0] |= new[1] << 32;
	}
	same = !memcmp(old, cmp, size);
	r = em_cmpxchg_la(c, la, old, same ? new : old, size, 0);
	if (r != EM_DONE)
		return r;
	em_set_flag(c, X86_EFLAGS_ZF, same);
	if (!same) {
		em_put_gpr(c, RAX, half, old[0]);
		em_put_gpr(c, RDX, half, wide ? old[1] : old[0] >> 32);
	}
	return EM_DONE;
}

/* CMPccXADD: compare memory with a register, which gets the old value; add if cc. */
enum em_result em_i_cmpccxadd(struct em_ctx *c)
{
	u64 old = c->dst.val;

	em_i_cmp(c);
	if (em_condition(c->rflags, c->insn.opcode & 15))
		c->dst.val = old + c->src2.val;
	em_put_gpr(c, c->src.reg, c->src.size, old);
	return EM_DONE;
}
