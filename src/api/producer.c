/* SPDX-License-Identifier: MIT */
#include <wpool/producer.h>

#include <stdint.h>

#include <wpool/clock.h>
#include <wpool/error.h>

#include "api/arguments.h"
#include "engine/producer_ctx.h"

int wp_producer_open(struct wp_producer **producer, struct wp_pool *pool)
{
	if (!producer)
		return WP_EINVAL;
	*producer = NULL;
	return pool ? wp__producer_open(producer, pool) : WP_EINVAL;
}

/* A function of its own so that the job of the fast path below is never in memory. */
static WP_COLD int submit_the_rest(
	struct wp_producer *producer, wp_job_fn fn, void *payload, enum wp__single_step step)
{
	struct wp_job job = { .fn = fn, .payload = payload };
	return wp__producer_go_on(producer, &job, step, WP_FOREVER);
}

int wp_producer_submit(struct wp_producer *producer, wp_job_fn fn, void *payload)
{
	if (wp_unlikely(!producer || !fn))
		return WP_EINVAL;
	struct wp_job job = { .fn = fn, .payload = payload };
	enum wp__single_step step = wp__producer_try(producer, &job);
	if (wp_unlikely(step != WP__SINGLE_DONE))
		return submit_the_rest(producer, fn, payload, step);
	return 0;
}

int wp_producer_submit_job(struct wp_producer *producer, const struct wp_job *job)
{
	return wp_producer_submit_until(producer, job, WP_FOREVER);
}

int wp_producer_try_submit(struct wp_producer *producer, const struct wp_job *job)
{
	return wp_producer_submit_until(producer, job, 0);
}

int wp_producer_submit_until(
	struct wp_producer *producer, const struct wp_job *job, uint64_t deadline)
{
	if (wp_unlikely(!producer || !wp__is_job(job)))
		return WP_EINVAL;
	if (wp_unlikely(job->ctx != NULL))
		return wp__producer_submit_in_ctx(producer, job, deadline);
	return wp__producer_submit(producer, job, deadline);
}

static ssize_t submit_batch(
	struct wp_producer *producer, const struct wp_job *jobs, size_t n, bool wait)
{
	bool in_ctx;
	if (!producer || (n && !jobs) || n > PTRDIFF_MAX / sizeof(*jobs) ||
		!wp__are_jobs(jobs, n, &in_ctx))
		return WP_EINVAL;
	if (wp_unlikely(in_ctx))
		return wp__producer_submit_batch_in_ctx(producer, jobs, n, wait);
	return n ? wp__producer_submit_batch(producer, jobs, n, wait) : 0;
}

ssize_t wp_producer_submit_batch(struct wp_producer *producer, const struct wp_job *jobs, size_t n)
{
	return submit_batch(producer, jobs, n, true);
}

ssize_t wp_producer_try_submit_batch(
	struct wp_producer *producer, const struct wp_job *jobs, size_t n)
{
	return submit_batch(producer, jobs, n, false);
}

struct wp_job *wp_producer_reserve(struct wp_producer *producer, size_t *n)
{
	if (!n)
		return NULL;
	if (!producer || !*n) {
		*n = 0;
		return NULL;
	}
	return wp__producer_reserve(producer, n);
}

void wp_producer_commit(struct wp_producer *producer, size_t n)
{
	if (producer && n)
		wp__producer_commit(producer, n);
}

void wp_producer_close(struct wp_producer *producer)
{
	if (producer)
		wp__producer_close(producer);
}
