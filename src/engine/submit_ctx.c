/* SPDX-License-Identifier: MIT */
#include "engine/submit_ctx.h"

#include <wpool/error.h>

#include "engine/fork.h"
#include "engine/submit.h"
#include "work/ctx.h"

/* Jobs whose contexts are looked at in one go, so that the last look is not long ago. */
#define BATCH_PART 256

int wp__submit_ctx_refuse(struct wp_pool *pool, size_t n, int ended)
{
	wp__submit_reject(
		pool, n, ended == WP_ETIMEDOUT ? WP__REJECT_TIMEOUT : WP__REJECT_CANCELLED, ended);
	return ended;
}

static void wake_producers(void *lane, int err)
{
	(void)err;
	wp__room_wake(lane, UINT32_MAX);
}

void wp__submit_ctx_wait(struct wp__segqueue *lane, struct wp_ctx *ctx, uint64_t deadline)
{
	struct wp_ctx_callback callback;
	struct wp__worker *self = wp__guard_hold_self();
	if (!wp__ctx_on_cancel(ctx, &callback, wake_producers, lane)) {
		(void)wp__room_wait_unless(lane, ctx ? &ctx->state : NULL,
			wp_min_u64(deadline, wp__ctx_deadline(ctx)));
		(void)wp__ctx_remove(&callback);
	}
	wp__guard_let_go_self(self);
}

/* The lane was full: helps or waits. */
static void get_room(struct wp_pool *pool, struct wp_ctx *ctx, uint64_t deadline)
{
	struct wp__worker *w = wp__self_in(pool);
	if (w)
		wp__submit_make_room(w);
	else
		wp__submit_ctx_wait(&pool->lane, ctx, deadline);
}

/* ---- one job ---- */

int wp__submit_in_ctx(struct wp_pool *pool, const struct wp_job *job, uint64_t deadline)
{
	struct wp_ctx *ctx = job->ctx;
	int pushed, ended;
	bool waited = false;
	if (wp__is_forked(pool))
		return WP_EFORKED;
	wp__ctx_ref(ctx, 1);
	struct wp__worker *self = wp__guard_hold_self();
	while (!(ended = wp__ctx_err(ctx))) {
		pushed = wp__segqueue_push_until(&pool->lane, job, 0);
		if (pushed != WP_EFULL || deadline == 0)
			break;
		if (deadline != UINT64_MAX && wp__os_now_ns() >= deadline) {
			pushed = WP_ETIMEDOUT;
			break;
		}
		get_room(pool, ctx, deadline);
		waited = true;
	}
	if (ended || pushed < 0) /* else the job may be over already, and its reference gone */
		wp__ctx_unref(ctx, 1);
	if (ended && waited)
		wp__segqueue_offer_room(&pool->lane);
	wp__guard_let_go_self(self);
	return ended ? wp__submit_ctx_refuse(pool, 1, ended) : wp__submit_conclude(pool, pushed, 1);
}

/* ---- many ---- */

/* How many jobs from jobs[from] on have the same context. */
static size_t same_ctx(const struct wp_job *jobs, size_t from, size_t n)
{
	size_t i = from + 1;
	while (i < n && jobs[i].ctx == jobs[from].ctx)
		i++;
	return i - from;
}

size_t wp__submit_ctx_take(const struct wp_job *jobs, size_t n, int *ended)
{
	size_t i = 0;
	n = wp_min_u64(n, BATCH_PART);
	*ended = 0;
	while (i < n && !(*ended = wp__ctx_err(jobs[i].ctx))) {
		size_t same = same_ctx(jobs, i, n);
		if (jobs[i].ctx)
			wp__ctx_ref(jobs[i].ctx, same);
		i += same;
	}
	return i;
}

void wp__submit_ctx_give_back(const struct wp_job *jobs, size_t n)
{
	for (size_t i = 0, same; i < n; i += same) {
		same = same_ctx(jobs, i, n);
		wp__ctx_unref(jobs[i].ctx, same);
	}
}

ssize_t wp__submit_batch_in_ctx(
	struct wp_pool *pool, const struct wp_job *jobs, size_t n, bool wait)
{
	size_t accepted = 0;
	bool waited = false;
	int error = 0, ended = 0;
	if (wp__is_forked(pool))
		return WP_EFORKED;
	while (accepted < n && !error) {
		const struct wp_job *rest = jobs + accepted;
		size_t part = wp__submit_ctx_take(rest, n - accepted, &ended);
		if (!part)
			break;
		size_t count;
		int pushed = wp__submit_push_some(pool, rest, part, &count);
		wp__submit_ctx_give_back(rest + count, part - count);
		if (pushed >= 0) {
			wp__submit_conclude(pool, pushed, count);
			accepted += count;
		} else if (pushed == WP_EFULL && wait) {
			get_room(pool, rest->ctx, UINT64_MAX);
			waited = true;
		} else {
			error = pushed;
		}
	}
	if (accepted == n)
		return (ssize_t)n;
	if (error) {
		wp__submit_conclude(pool, error, n - accepted);
		return accepted ? (ssize_t)accepted : error;
	}
	if (waited)
		wp__segqueue_offer_room(&pool->lane);
	wp__submit_ctx_refuse(pool, n - accepted, ended);
	return accepted ? (ssize_t)accepted : ended;
}
