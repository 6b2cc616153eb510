/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kernel names for pure code built as an ordinary program.
 *
 * Only what pure code uses, with the meaning it has in the kernel. A warning
 * that would splat in the kernel aborts here, so that a test sees it.
 */
#ifndef KVM_PURE_SHIM_H
#define KVM_PURE_SHIM_H

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/types.h>
#include <asm/processor-flags.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef unsigned long long u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef long long s64;
typedef u64 phys_addr_t;

#ifndef U8_MAX
#define U8_MAX		((u8)~0U)
#define U16_MAX		((u16)~0U)
#define U32_MAX		((u32)~0U)
#define U64_MAX		((u64)~0ULL)
#define S32_MAX		((s32)(U32_MAX >> 1))
#define S64_MAX		((s64)(U64_MAX >> 1))
#endif

#ifndef _BITUL
#define _BITUL(x)	(1UL << (x))
#define _BITULL(x)	(1ULL << (x))
#endif
#define BITS_PER_LONG	64
#define BIT(n)		(1UL << (n))
#define BIT_ULL(n)	(1ULL << (n))
#define GENMASK(h, l)	((~0UL << (l)) & (~0UL >> (63 - (h))))
#define GENMASK_ULL(h, l) ((~0ULL << (l)) & (~0ULL >> (63 - (h))))
#define BIT_WORD(n)	((n) / BITS_PER_LONG)
#define BIT_MASK(n)	BIT((n) % BITS_PER_LONG)
#define BITS_TO_LONGS(n) (((n) + 63) / 64)
#define DECLARE_BITMAP(name, bits) unsigned long name[BITS_TO_LONGS(bits)]

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#undef offsetofend
#define offsetofend(t, m) (offsetof(t, m) + sizeof(((t *)0)->m))
#define sizeof_field(t, m) sizeof(((t *)0)->m)
#define container_of(p, t, m) ((t *)((char *)(p) - offsetof(t, m)))
#define struct_size(p, m, n) (sizeof(*(p)) + sizeof((p)->m[0]) * (n))
#define __must_check	__attribute__((warn_unused_result))
#ifndef __always_inline
#define __always_inline	inline __attribute__((always_inline))
#endif
#define noinline	__attribute__((noinline))
#define __maybe_unused	__attribute__((unused))
#define __packed	__attribute__((packed))
#define __aligned(n)	__attribute__((aligned(n)))
#define __read_mostly
#define __ro_after_init
#define __init
#define __user
#define fallthrough	__attribute__((fallthrough))
#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)
#define barrier()	__asm__ __volatile__("" ::: "memory")
#ifdef __SANITIZE_THREAD__
/* volatile alone is a race to ThreadSanitizer; acquire stands for the address dependency */
#define READ_ONCE(x)	__atomic_load_n(&(x), __ATOMIC_ACQUIRE)
#define WRITE_ONCE(x, v) __atomic_store_n(&(x), v, __ATOMIC_RELAXED)
#else
#define READ_ONCE(x)	(*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))
#endif
#define BUILD_BUG_ON(c)	_Static_assert(!(c), #c)
#define EXPORT_SYMBOL_GPL(s) extern int shim_unused

#define WARN_ON(c) ({							\
	bool warn_ = !!(c);						\
	if (warn_) {							\
		fprintf(stderr, "%s:%d: WARN_ON(%s)\n",			\
			__FILE__, __LINE__, #c);			\
		abort();						\
	}								\
	warn_; })
#define WARN_ON_ONCE(c)	WARN_ON(c)
#define WARN_ONCE(c, ...) WARN_ON(c)

#define min(a, b) ({ __typeof__(a) a_ = (a); __typeof__(b) b_ = (b);	\
	a_ < b_ ? a_ : b_; })
#define max(a, b) ({ __typeof__(a) a_ = (a); __typeof__(b) b_ = (b);	\
	a_ > b_ ? a_ : b_; })
#define min_t(t, a, b)	min((t)(a), (t)(b))
#define max_t(t, a, b)	max((t)(a), (t)(b))
#define clamp(v, lo, hi) min(max(v, lo), hi)
#define clamp_t(t, v, lo, hi) clamp((t)(v), (t)(lo), (t)(hi))
#define swap(a, b) do { __typeof__(a) t_ = (a); (a) = (b); (b) = t_; } while (0)
#define abs(x) ({ __typeof__(x) x_ = (x); x_ < 0 ? -x_ : x_; })

#define ALIGN(x, a)	(((x) + ((__typeof__(x))(a) - 1)) & ~((__typeof__(x))(a) - 1))
#define ALIGN_DOWN(x, a) ((x) & ~((__typeof__(x))(a) - 1))
#define IS_ALIGNED(x, a) (((x) & ((__typeof__(x))(a) - 1)) == 0)
#define round_up(x, a)	ALIGN(x, a)
#define round_down(x, a) ALIGN_DOWN(x, a)
#define DIV_ROUND_UP(n, d) (((n) + (d) - 1) / (d))
#define is_power_of_2(n) ((n) != 0 && ((n) & ((n) - 1)) == 0)
#define lower_32_bits(n) ((u32)((n) & 0xffffffff))
#define upper_32_bits(n) ((u32)((u64)(n) >> 32))
#define array_index_nospec(i, n) (i)

#define swab16(x)	__builtin_bswap16(x)
#define swab32(x)	__builtin_bswap32(x)
#define swab64(x)	__builtin_bswap64(x)
#define hweight8(x)	((unsigned int)__builtin_popcount((u8)(x)))
#define hweight16(x)	((unsigned int)__builtin_popcount((u16)(x)))
#define hweight32(x)	((unsigned int)__builtin_popcount(x))
#define hweight64(x)	((unsigned long)__builtin_popcountll(x))
#define hweight_long(x)	hweight64(x)

static inline int fls(unsigned int x)
{
	return x ? 32 - __builtin_clz(x) : 0;
}

static inline int fls64(u64 x)
{
	return x ? 64 - __builtin_clzll(x) : 0;
}

static inline unsigned long __fls(unsigned long x)
{
	return 63 - (unsigned long)__builtin_clzl(x);
}

static inline unsigned long __ffs(unsigned long x)
{
	return (unsigned long)__builtin_ctzl(x);
}

static inline int ilog2(u64 x)
{
	return fls64(x) - 1;
}

static inline s32 sign_extend32(u32 v, int bit)
{
	return (s32)(v << (31 - bit)) >> (31 - bit);
}

static inline s64 sign_extend64(u64 v, int bit)
{
	return (s64)(v << (63 - bit)) >> (63 - bit);
}

static inline u32 rol32(u32 v, unsigned int n)
{
	return (v << (n & 31)) | (v >> (-n & 31));
}

static inline bool test_bit(long nr, const volatile unsigned long *p)
{
	return p[nr / 64] >> (nr % 64) & 1;
}

static inline void __set_bit(long nr, volatile unsigned long *p)
{
	p[nr / 64] |= BIT(nr % 64);
}

static inline void __clear_bit(long nr, volatile unsigned long *p)
{
	p[nr / 64] &= ~BIT(nr % 64);
}

static inline bool __test_and_set_bit(long nr, volatile unsigned long *p)
{
	bool was = test_bit(nr, p);

	__set_bit(nr, p);
	return was;
}

static inline bool __test_and_clear_bit(long nr, volatile unsigned long *p)
{
	bool was = test_bit(nr, p);

	__clear_bit(nr, p);
	return was;
}

#ifdef SHIM_STEP	/* a test lets other threads run before an atomic operation */
void SHIM_STEP(void);
#else
#define SHIM_STEP()	((void)0)
#endif
#define shim_or(nr, p) \
	(SHIM_STEP(), __atomic_fetch_or((p) + (nr) / 64, BIT((nr) % 64), __ATOMIC_SEQ_CST))
#define shim_and_not(nr, p) \
	(SHIM_STEP(), __atomic_fetch_and((p) + (nr) / 64, ~BIT((nr) % 64), __ATOMIC_SEQ_CST))
#define set_bit(nr, p)			((void)shim_or(nr, p))
#define clear_bit(nr, p)		((void)shim_and_not(nr, p))
#define test_and_set_bit(nr, p)		(!!(shim_or(nr, p) & BIT((nr) % 64)))
#define test_and_clear_bit(nr, p)	(!!(shim_and_not(nr, p) & BIT((nr) % 64)))
#define xchg(p, v)	(SHIM_STEP(), __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST))
#define cmpxchg(p, o, n) ({ __typeof__(*(p)) o_ = (o);			\
	__atomic_compare_exchange_n(p, &o_, n, false, __ATOMIC_SEQ_CST,	\
				    __ATOMIC_SEQ_CST);			\
	o_; })
#ifdef SHIM_SMP_MB	/* a test steps in between two of the code's accesses */
void SHIM_SMP_MB(void);
#define smp_mb()	SHIM_SMP_MB()
#else
#define smp_mb()	__atomic_thread_fence(__ATOMIC_SEQ_CST)
#endif
#define smp_mb__after_atomic() barrier()

static inline u64 div64_u64(u64 a, u64 b)
{
	return a / b;
}

static inline u64 div_u64(u64 a, u32 b)
{
	return a / b;
}

static inline u64 div64_u64_rem(u64 a, u64 b, u64 *rem)
{
	*rem = a % b;
	return a / b;
}

static inline u64 div_u64_rem(u64 a, u32 b, u32 *rem)
{
	*rem = (u32)(a % b);
	return a / b;
}

static inline u64 mul_u64_u64_div_u64(u64 a, u64 b, u64 c)
{
	return (u64)((unsigned __int128)a * b / c);
}

static inline u64 mul_u64_u32_div(u64 a, u32 b, u32 c)
{
	return (u64)((unsigned __int128)a * b / c);
}

static inline u64 mul_u64_u32_shr(u64 a, u32 b, unsigned int s)
{
	return (u64)((unsigned __int128)a * b >> s);
}

#endif /* KVM_PURE_SHIM_H */
