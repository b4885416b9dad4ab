/* SPDX-License-Identifier: MIT */
/*
 * Latch: set once, by one thread; any number of threads may wait for it.
 *
 * Lifetime: the latch may lie on a waiter's stack and be gone as soon as a wait has returned. The
 * setter therefore does not touch it after the store that lets the waiter go: the wake-up that
 * follows uses only its address, and an address that has become something else's makes for a
 * spurious wake-up there, which every user of a futex expects.
 */
#ifndef WP_PARK_LATCH_H
#define WP_PARK_LATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"

struct wp__latch {
	wp_atomic_u32 set;
};

/* Everything done before it is visible to whoever sees the latch set. */
void wp__latch_set(struct wp__latch *latch);
bool wp__latch_is_set(const struct wp__latch *latch);
void wp__latch_wait(struct wp__latch *latch);

/* Waits until it is set, true, or the deadline has passed. */
bool wp__latch_wait_until(struct wp__latch *latch, uint64_t deadline);

#endif
