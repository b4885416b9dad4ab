/* SPDX-License-Identifier: MIT */
/*
 * Jobs that somebody waits for: the caller's job wrapped in one that keeps its result.
 *
 * The wrapper lies on the waiter's stack. Its run stores the result; its cleanup runs the real
 * job's cleanup and then sets the latch, after which the wrapper may be gone. A job that is dropped
 * is cleaned up without having run, and leaves the result it started with: WP_EDROPPED.
 */
#ifndef WP_WORK_JOB_H
#define WP_WORK_JOB_H

#include <wpool/job.h>

#include "park/latch.h"

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

#endif
