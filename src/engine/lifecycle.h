/* SPDX-License-Identifier: MIT */
/*
 * How a pool comes to rest and to an end.
 *
 *     close     no more tickets: the lane's final ticket is what has to finish
 *     rest      sum(over) == accepted: waited for on the pool's event count, which every worker
 *               notifies when it runs dry
 *     stop      workers are interrupted: what is claimed and not started, or queued, is dropped
 *     end       at rest and closed: workers exit, their threads are joined, once, under a mutex
 *               that user code (destructors of a thread's data) cannot want
 *
 * wp_pool_state shows the step: open, draining (closed), stopping (to be stopped), stopped (ended).
 * It is advanced after what it says has been done, and never goes back; forked (engine/fork.h) is
 * the last.
 */
#ifndef WP_ENGINE_LIFECYCLE_H
#define WP_ENGINE_LIFECYCLE_H

#include "engine/pool.h"

/*
 * Waits until the pool is at rest. 0; WP_ETIMEDOUT; the error of ctx, if that ends first (NULL: it
 * never does). Not inside of a job of this pool.
 */
int wp__pool_wait_rest(struct wp_pool *pool, struct wp_ctx *ctx, uint64_t deadline);

/* How far the pool has come. Any thread. */
enum wp_state wp__pool_state(const struct wp_pool *pool);

/* Refuses submits from now on. */
void wp__pool_close(struct wp_pool *pool);

/* Makes workers drop jobs instead of running them. */
void wp__pool_discard(struct wp_pool *pool);

/* The pool is closed and at rest: ends its threads, if nobody has yet. */
void wp__pool_end(struct wp_pool *pool);

#endif
