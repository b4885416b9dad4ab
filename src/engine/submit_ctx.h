/* SPDX-License-Identifier: MIT */
/*
 * How jobs with a context come in, and jobs among which there may be some. Apart from engine/submit
 * so that jobs without one pay for none of it. Those of producers: engine/producer_ctx.h.
 *
 * A job is refused when its context has ended, whatever room there is: the context is looked at
 * before every try to get in, and there is no way from a wait into the lane that leads past such a
 * look. So these jobs take their ticket by compare-and-swap only: a ticket taken by fetch-add could
 * have to be waited with, and could not be given back.
 *
 * References. Before it is in the lane, a job holds one to its context: a worker may have run it
 * and let go of it before the push has returned. A refusal gives it back. So the caller needs his
 * own only during the call.
 *
 * A producer that sleeps for room is woken by a callback on its context, which wakes all that sleep
 * for room in this lane: those whose context stands sleep on. queue/room.h says why that wake-up is
 * not lost, and why the room that a producer leaves unused is not. The sleep ends by itself at the
 * earlier of the two deadlines; then the context is looked at again, so that its own reason comes
 * first.
 */
#ifndef WP_ENGINE_SUBMIT_CTX_H
#define WP_ENGINE_SUBMIT_CTX_H

#include <sys/types.h>

#include "engine/pool.h"

/* As wp__submit_until, or the error of job->ctx, which is not NULL. UINT64_MAX: no deadline. */
int wp__submit_in_ctx(struct wp_pool *pool, const struct wp_job *job, uint64_t deadline);

/*
 * As wp__submit_batch; ends before the first job whose context has ended, whose error then stands
 * for all that are left. Any of the jobs may have one.
 */
ssize_t wp__submit_batch_in_ctx(
	struct wp_pool *pool, const struct wp_job *jobs, size_t n, bool wait);

/* ---- for engine/producer_ctx.c ---- */

/* Refuses n jobs whose context has `ended` so; returns that. */
int wp__submit_ctx_refuse(struct wp_pool *pool, size_t n, int ended);

/* Until there may be room in the lane, ctx has ended, or the deadline has passed: look which. */
void wp__submit_ctx_wait(struct wp__segqueue *lane, struct wp_ctx *ctx, uint64_t deadline);

/*
 * Takes references for the jobs before the first whose context has ended, of the first few; how
 * many those are. *ended is why they are not more, or 0.
 */
size_t wp__submit_ctx_take(const struct wp_job *jobs, size_t n, int *ended);
void wp__submit_ctx_give_back(const struct wp_job *jobs, size_t n);

#endif
