/* SPDX-License-Identifier: MIT */
#include <wpool/submit.h>

#include <stdint.h>

#include <wpool/clock.h>
#include <wpool/error.h>

#include "engine/submit.h"

static bool is_job(const struct wp_job *job)
{
	return job && job->fn && !job->ctx;
}

static bool are_jobs(const struct wp_job *jobs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!is_job(&jobs[i]))
			return false;
	return true;
}

int wp_submit(struct wp_pool *pool, wp_job_fn fn, void *payload)
{
	if (wp_unlikely(!pool || !fn))
		return WP_EINVAL;
	struct wp_job job = { .fn = fn, .payload = payload };
	return wp__submit(pool, &job);
}

int wp_submit_job(struct wp_pool *pool, const struct wp_job *job)
{
	if (!pool || !is_job(job))
		return WP_EINVAL;
	return wp__submit(pool, job);
}

int wp_try_submit(struct wp_pool *pool, const struct wp_job *job)
{
	return wp_submit_until(pool, job, 0);
}

int wp_submit_until(struct wp_pool *pool, const struct wp_job *job, uint64_t deadline)
{
	if (!pool || !is_job(job))
		return WP_EINVAL;
	return wp__submit_until(pool, job, deadline);
}

static ssize_t submit_batch(struct wp_pool *pool, const struct wp_job *jobs, size_t n, bool wait)
{
	if (!pool || (n && !jobs) || n > PTRDIFF_MAX / sizeof(*jobs) || !are_jobs(jobs, n))
		return WP_EINVAL;
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
	if (!pool || !is_job(job))
		return WP_EINVAL;
	return wp__submit_wait(pool, job);
}
