/* SPDX-License-Identifier: MIT */
/*
 * The order of calls in different threads, as far as it is certain.
 *
 * A stamp is drawn before a call and another after it. What is relied on: if a call's second stamp
 * is smaller than another call's first one, then all that the one did comes before all that the
 * other does. Calls of which that is not said overlap. So the stamps may only err by making calls
 * longer than they were.
 *
 * A stamp is a read-modify-write of one counter between two full fences. By the language's rules
 * the fences order what stands before the one thread's stamp before what stands after the other's,
 * and the counter's modification order is the order of the stamps: nothing about clocks is assumed,
 * and it is the same in the explorer. The counter itself is relaxed: ThreadSanitizer, which does
 * not see fences, is not told of an order that the queue has to provide by itself.
 */
#ifndef WP_TESTS_LIN_STAMP_H
#define WP_TESTS_LIN_STAMP_H

#include <stdint.h>

#include "base/atomic.h"
#include "base/os.h"

static inline uint64_t stamp_draw(wp_atomic_u64 *counter)
{
	wp_fence_sc();
	uint64_t stamp = wp_add_rlx_u64(counter, 1);
	wp_fence_sc();
	return stamp;
}

/*
 * Keeps a reading of the clock between the instructions around it. On AMD's processors lfence alone
 * waits for the instructions before it only if the system has told them to, which a guest may not
 * be able to; mfence always does.
 */
static inline void stamp_barrier(void)
{
#if defined(__x86_64__)
	__asm__ volatile("mfence\n\tlfence" ::: "memory");
#elif defined(__aarch64__)
	__asm__ volatile("isb" ::: "memory");
#endif
}

static inline uint64_t stamp_read_clock(void)
{
	wp_fence_sc();
	stamp_barrier();
	uint64_t ticks = wp__os_ticks();
	stamp_barrier();
	return ticks;
}

#endif
