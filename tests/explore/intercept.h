/* SPDX-License-Identifier: MIT */
/*
 * Included before everything else in the objects under test: what compilers turn into calls of the
 * C library (copying and clearing of structs) goes through the explorer, which sees the accesses.
 */
#ifndef WP_TESTS_EXPLORE_INTERCEPT_H
#define WP_TESTS_EXPLORE_INTERCEPT_H

__asm__(".weakref memcpy, explore_memcpy\n"
	".weakref memmove, explore_memmove\n"
	".weakref memset, explore_memset\n");

/*
 * clang instruments a weak compare-and-swap as a strong one, whose success it derives from the
 * value: there is no way to let it fail. So it is replaced before.
 */
#ifdef __clang__
_Bool __tsan_atomic_weak_cas(volatile void *at, void *expected, unsigned long desired,
	unsigned size, int order, int failure);
#define __c11_atomic_compare_exchange_weak(at, expected, desired, order, failure) \
	__tsan_atomic_weak_cas(at, expected, (unsigned long)(desired),            \
		(unsigned)sizeof(*(expected)), (int)(order), (int)(failure))
#endif

#endif
