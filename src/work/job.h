/* SPDX-License-Identifier: MIT */
/*
 * A job's end, and jobs that somebody waits for.
 *
 * However a job ends, wp__job_finish is its last: the cleanup, then the reference to its context,
 * which an accepted job has had since before it was in the lane.
 *
 * A job that somebody waits for is wrapped in one that keeps its result. The wrapper lies on the
 * waiter's stack. Its run stores the result; its cleanup runs the real job's cleanup and then sets
 * the latch, after which the wrapper may be gone. A job that is not run, or gives up, has no result
 * of its own: wp__job_set_result. A cleanup may give up, too: wp__job_finish_rest.
 */
#ifndef WP_WORK_JOB_H
#define WP_WORK_JOB_H

#include <wpool/job.h>

#include "park/latch.h"
#include "work/ctx.h"

struct wp__awaited {
	struct wp_job job; /* the caller's */
	int result;
	struct wp__latch done;
	/* Called after the latch was set, with a copy of these two; NULL: nobody but the latch. */
	void (*notify)(void *waiter);
	void *waiter;
};

/* Prepares *awaited for job and returns the job to submit in its place. */
struct wp_job wp__job_await(struct wp__awaited *awaited, const struct wp_job *job);

/* The caller's job, where `job` is a wrapper; else job itself. Before its cleanup. */
const struct wp_job *wp__job_unwrap(const struct wp_job *job);

/* Records why an accepted job is not run, or that it gave up. Before its cleanup. */
void wp__job_set_result(const struct wp_job *job, int result);

/* The job has run, or will not: cleans up and lets go of its context. */
static inline void wp__job_finish(const struct wp_job *job)
{
	/* One branch for the many that have neither. */
	if (((uintptr_t)job->cleanup | (uintptr_t)job->ctx) == 0)
		return;
	if (job->cleanup)
		job->cleanup(job->payload);
	if (wp_unlikely(job->ctx != NULL))
		wp__ctx_unref(job->ctx, 1);
}

/* The same when the job's cleanup was called and did not return. */
void wp__job_finish_rest(const struct wp_job *job);

#endif
