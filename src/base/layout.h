/* SPDX-License-Identifier: MIT */
/* Cache lines, branches and small arithmetic. */
#ifndef WP_BASE_LAYOUT_H
#define WP_BASE_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WP_CACHE_LINE 64

/*
 * Words that different threads write stand this far apart: x86 prefetches lines in pairs, and some
 * arm64 processors have lines of 128 bytes.
 */
#define WP_ALONE 128

/*
 * A constant that only speed depends on. The explorer (tests/explore) builds the same sources with
 * small ones, so that every corner lies within a few steps.
 */
#ifdef WP_EXPLORE
#define WP_TUNED(normal, small) (small)
#else
#define WP_TUNED(normal, small) (normal)
#endif

#define wp_likely(x)   __builtin_expect(!!(x), 1)
#define wp_unlikely(x) __builtin_expect(!!(x), 0)
#define WP_COLD        __attribute__((cold, noinline))

#define wp_container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

__extension__ typedef unsigned __int128 wp_u128;

static inline uint64_t wp_min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t wp_max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/*
 * Fetches a line to be written, taking it from other caches at once. __builtin_prefetch would use
 * PREFETCHW on x86 only with -mprfchw, and else fetch a shared copy that the store has to upgrade.
 * Every 64-bit processor executes PREFETCHW; those without it do nothing.
 */
static inline void wp_prefetch_for_write(const void *p)
{
#if defined(__x86_64__)
	__asm__ volatile("prefetchw %0" : : "m"(*(const char *)p));
#else
	__builtin_prefetch(p, 1);
#endif
}

/* The next multiple of `to`, a power of two. */
static inline size_t wp_round_up(size_t n, size_t to)
{
	return (n + to - 1) & ~(to - 1);
}

/* The smallest power of two that is at least n; n is 1 .. 2^63. */
static inline uint64_t wp_pow2_at_least(uint64_t n)
{
	return n <= 1 ? 1 : 1ull << (64 - __builtin_clzll(n - 1));
}

/* floor(log2(n)); n is not 0. */
static inline unsigned wp_log2(uint64_t n)
{
	return 63u - (unsigned)__builtin_clzll(n);
}

#endif
