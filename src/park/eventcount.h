/* SPDX-License-Identifier: MIT */
/*
 * Event count: lets threads sleep until a condition that other threads bring about may hold.
 *
 *   waiter:    key = wp__ec_prepare(&ec);                notifier:   make the condition true;
 *              if (condition)                                        wp__ec_notify(&ec);
 *                      wp__ec_leave(&ec);
 *              else
 *                      wp__ec_wait(&ec, key, deadline);  look again, prepare again
 *              ...
 *              wp__ec_leave(&ec);
 *
 * Any number of waiters and notifiers. A notify with nobody waiting costs a fence and a load; one
 * with waiters wakes them all. Spurious wake-ups happen: the condition is the truth.
 *
 * Why no wake-up is lost: the waiter counts itself, passes a full fence, looks at the condition;
 * the notifier changes the condition, passes a full fence, looks at the count. One of the two sees
 * the other. A waiter that was seen sleeps on the epoch it read before its look; the notifier has
 * advanced it, so the kernel does not let it sleep, or wakes it.
 *
 * The event count must outlive every call on it. Source: the pattern goes back to D. P. Reed and
 * R. K. Kanodia, "Synchronization with eventcounts and sequencers", 1979.
 */
#ifndef WP_PARK_EVENTCOUNT_H
#define WP_PARK_EVENTCOUNT_H

#include <stdint.h>

#include "base/atomic.h"

struct wp__eventcount {
	wp_atomic_u32 epoch;   /* advanced by every notify that found waiters */
	wp_atomic_u32 waiters; /* threads between prepare and leave */
};

/* Announces a wait; returns the key for it. Must be followed by one leave. */
uint32_t wp__ec_prepare(struct wp__eventcount *ec);

/* A new key, after a wait and before the next look at the condition. */
uint32_t wp__ec_again(struct wp__eventcount *ec);

/* Sleeps until a notify after the key was read, or the deadline. 0 or -ETIMEDOUT. */
int wp__ec_wait(struct wp__eventcount *ec, uint32_t key, uint64_t deadline);

void wp__ec_leave(struct wp__eventcount *ec);

/* Call after the condition was made true. */
void wp__ec_notify(struct wp__eventcount *ec);

#endif
