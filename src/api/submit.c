/* SPDX-License-Identifier: MIT */
#include <wpool/submit.h>

#include <stdint.h>

#include <wpool/clock.h>
#include <wpool/error.h>

#include "api/arguments.h"
#include "engine/submit.h"
#include "engine/submit_ctx.h"

/* A job of its own, so that the fast path's need not lie in memory. */
static WP_COLD int submit_the_rest(
	struct wp_pool *pool, wp_job_fn fn, void *payload, enum wp__push_step step, uint64_t tail)
{
	struct wp_job job = { .fn = fn, .payload = payload };
	return wp__submit_go_on(pool, &job, step, tail);
}

int wp_submit(struct wp_pool *pool, wp_job_fn fn, void *payload)
{
	if (wp_unlikely(!pool || !fn))
		return WP_EINVAL;
	struct wp_job job = { .fn = fn, .payload = payload };
	uint64_t tail = 0;
	enum wp__push_step step = wp__submit_try(pool, &job, &tail);
	if (wp_unlikely(step != WP__PUSH_DONE))
		return submit_the_rest(pool, fn, payload, step, tail);
	return 0;
}

int wp_submit_job(struct wp_pool *pool, const struct wp_job *job)
{
	if (!pool || !wp__is_job(job))
		return WP_EINVAL;
	if (wp_unlikely(job->ctx != NULL))
		return wp__submit_in_ctx(pool, job, WP_FOREVER);
	return wp__submit(pool, job);
}

int wp_try_submit(struct wp_pool *pool, const struct wp_job *job)
{
	return wp_submit_until(pool, job, 0);
}

int wp_submit_until(struct wp_pool *pool, const struct wp_job *job, uint64_t deadline)
{
	if (!pool || !wp__is_job(job))
		return WP_EINVAL;
	if (wp_unlikely(job->ctx != NULL))
		return wp__submit_in_ctx(pool, job, deadline);
	return wp__submit_until(pool, job, deadline);
}

static ssize_t submit_batch(struct wp_pool *pool, const struct wp_job *jobs, size_t n, bool wait)
{
	bool in_ctx;
	if (!pool || (n && !jobs) || n > PTRDIFF_MAX / sizeof(*jobs) ||
		!wp__are_jobs(jobs, n, &in_ctx))
		return WP_EINVAL;
	if (wp_unlikely(in_ctx))
		return wp__submit_batch_in_ctx(pool, jobs, n, wait);
	return n ? wp__submit_batch(pool, jobs, n, wait) : 0;
}

ssize_t wp_submit_batch(struct wp_pool *pool, const struct wp_job *jobs, size_t n)
{
	return submit_batch(pool, jobs, n, true);
}

ssize_t wp_try_submit_batch(struct wp_pool *pool, const struct wp_job *jobs, size_t n)
{
	return submit_batch(pool, jobs, n, false);
}

int wp_submit_wait(struct wp_pool *pool, const struct wp_job *job)
{
	if (!pool || !wp__is_job(job))
		return WP_EINVAL;
	return wp__submit_wait(pool, job);
}
