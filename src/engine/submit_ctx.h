/* SPDX-License-Identifier: MIT */
/*
 * How jobs with a context come in, and jobs among which there may be some. Apart from engine/submit
 * so that jobs without one pay for none of it.
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

#endif
