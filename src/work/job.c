/* SPDX-License-Identifier: MIT */
#include "work/job.h"

#include <stddef.h>

#include <wpool/error.h>

static int run_awaited(void *payload)
{
	struct wp__awaited *awaited = payload;
	awaited->result = awaited->job.fn(awaited->job.payload);
	return awaited->result;
}

static void finish_awaited(void *payload)
{
	struct wp__awaited *awaited = payload;
	wp_cleanup_fn cleanup = awaited->job.cleanup;
	awaited->job.cleanup = NULL; /* called once, also if it does not return */
	if (cleanup)
		cleanup(awaited->job.payload);
	void (*notify)(void *) = awaited->notify;
	void *waiter = awaited->waiter;
	wp__latch_set(&awaited->done);
	if (notify)
		notify(waiter);
}

struct wp_job wp__job_await(struct wp__awaited *awaited, const struct wp_job *job)
{
	*awaited = (struct wp__awaited){ .job = *job, .result = WP_EDROPPED };
	return (struct wp_job){
		.fn = run_awaited, .payload = awaited, .ctx = job->ctx, .cleanup = finish_awaited
	};
}

const struct wp_job *wp__job_unwrap(const struct wp_job *job)
{
	if (job->fn != run_awaited)
		return job;
	return &((const struct wp__awaited *)job->payload)->job;
}

void wp__job_set_result(const struct wp_job *job, int result)
{
	if (job->fn == run_awaited)
		((struct wp__awaited *)job->payload)->result = result;
}

void wp__job_finish_rest(const struct wp_job *job)
{
	if (job->fn == run_awaited)
		finish_awaited(job->payload);
	if (job->ctx)
		wp__ctx_unref(job->ctx, 1);
}
