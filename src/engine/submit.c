/* SPDX-License-Identifier: MIT */
#include "engine/submit.h"

#include <wpool/error.h>

#include "engine/fork.h"
#include "engine/run.h"
#include "engine/submit_ctx.h"
#include "engine/worker.h"
#include "work/job.h"

void wp__submit_reject(struct wp_pool *pool, size_t n, enum wp__reject reason, int why)
{
	wp_add_rlx_u64(&pool->rejected[reason], n);
	pool->metrics.inc_rejected(pool->metrics_self, n, why);
}

WP_COLD int wp__count_rejected(struct wp_pool *pool, size_t n, int why)
{
	if (wp__is_forked(pool))
		return WP_EFORKED;
	enum wp__reject reason = why == WP_EFULL       ? WP__REJECT_FULL
				 : why == WP_ETIMEDOUT ? WP__REJECT_TIMEOUT
						       : WP__REJECT_CLOSED;
	wp__submit_reject(pool, n, reason, why);
	return why;
}

/* Nobody else will. */
static WP_COLD void wake_worker(struct wp_pool *pool)
{
	struct wp__worker *self = wp__guard_hold_self();
	wp__worker_wake_for(pool, &pool->lane);
	wp__guard_let_go_self(self);
}

/* A push has returned `pushed`: the rest of a submit of n jobs. */
static inline int conclude(struct wp_pool *pool, int pushed, size_t n)
{
	if (wp_likely(pushed >= 0)) {
		if (wp_unlikely(pushed == WP__PUSHED_WAKE))
			wake_worker(pool);
		pool->metrics.inc_queued(pool->metrics_self, n);
		return 0;
	}
	return wp__count_rejected(pool, n, pushed);
}

int wp__submit_conclude(struct wp_pool *pool, int pushed, size_t n)
{
	return conclude(pool, pushed, n);
}

/* ---- inside of a job ---- */

void wp__submit_make_room(struct wp__worker *w)
{
	wp__guard_hold(w);
	if (!wp__run_to_make_room(w))
		wp__os_yield();
	wp__guard_let_go(w);
}

static WP_COLD int push_in_job(struct wp__worker *w, const struct wp_job *job, uint64_t deadline)
{
	for (;;) {
		wp__guard_hold(w);
		int pushed = wp__segqueue_push_until(&w->pool->lane, job, 0);
		wp__guard_let_go(w);
		if (pushed != WP_EFULL || deadline == 0)
			return pushed;
		if (deadline != UINT64_MAX && wp__os_now_ns() >= deadline)
			return WP_ETIMEDOUT;
		wp__submit_make_room(w);
	}
}

/* Of this pool or another one. */
static WP_COLD int submit_in_job(struct wp_pool *pool, const struct wp_job *job, uint64_t deadline)
{
	struct wp__worker *w = wp__self;
	if (w->pool == pool)
		return conclude(pool, push_in_job(w, job, deadline), 1);
	wp__guard_hold(w);
	int pushed = wp__segqueue_push_until(&pool->lane, job, deadline);
	wp__guard_let_go(w);
	return conclude(pool, pushed, 1);
}

/* ---- one job ---- */

WP_COLD int wp__submit_go_on(
	struct wp_pool *pool, const struct wp_job *job, enum wp__push_step step, uint64_t tail)
{
	if (wp__self)
		return submit_in_job(pool, job, UINT64_MAX);
	return conclude(pool, wp__push_go_on(&pool->lane, job, step, tail), 1);
}

int wp__submit_until(struct wp_pool *pool, const struct wp_job *job, uint64_t deadline)
{
	if (wp__self)
		return submit_in_job(pool, job, deadline);
	return conclude(pool, wp__segqueue_push_until(&pool->lane, job, deadline), 1);
}

/* ---- many ---- */

int wp__submit_push_some(struct wp_pool *pool, const struct wp_job *jobs, size_t n, size_t *count)
{
	struct wp__worker *self = wp__guard_hold_self();
	int pushed = wp__segqueue_push_some(&pool->lane, jobs, n, count);
	wp__guard_let_go_self(self);
	return pushed;
}

static int wait_for_room(struct wp_pool *pool)
{
	struct wp__worker *self = wp__guard_hold_self();
	int error = wp__room_wait(&pool->lane, UINT64_MAX);
	wp__guard_let_go_self(self);
	return error;
}

ssize_t wp__submit_batch(struct wp_pool *pool, const struct wp_job *jobs, size_t n, bool wait)
{
	struct wp__worker *w = wp__self_in(pool);
	size_t accepted = 0;
	int error = 0;
	while (accepted < n && error == 0) {
		size_t count;
		int pushed = wp__submit_push_some(pool, jobs + accepted, n - accepted, &count);
		if (pushed >= 0) {
			conclude(pool, pushed, count);
			accepted += count;
		} else if (pushed == WP_EFULL && wait && w) {
			wp__submit_make_room(w);
		} else if (pushed == WP_EFULL && wait) {
			error = wait_for_room(pool);
		} else {
			error = pushed;
		}
	}
	if (accepted < n)
		error = wp__count_rejected(pool, n - accepted, error);
	return accepted ? (ssize_t)accepted : error;
}

/* ---- submit and wait ---- */

static void wake_waiting_worker(void *waiter)
{
	struct wp__worker *w = waiter;
	wp__parking_wake(&w->pool->parking, w->index);
}

static int wait_in_job(struct wp__worker *w, struct wp__awaited *awaited)
{
	while (!wp__latch_is_set(&awaited->done)) {
		if (wp__is_orphan(w))
			return WP_EFORKED;
		if (!wp__run_while_waiting(w, awaited))
			wp__worker_wait_in_job(w, &awaited->done);
	}
	/* The job that waited goes on, for who knows how long. */
	wp__worker_step_away(w, false);
	return awaited->result;
}

static int submit_wait_in_job(
	struct wp__worker *w, struct wp__awaited *awaited, const struct wp_job *wrapper)
{
	awaited->notify = wake_waiting_worker;
	awaited->waiter = w;
	/* The result will be written to this stack: it must not be given up before. */
	wp__guard_hold(w);
	int result = wrapper->ctx ? wp__submit_in_ctx(w->pool, wrapper, UINT64_MAX)
				  : wp__submit(w->pool, wrapper);
	if (!result)
		result = wait_in_job(w, awaited);
	wp__guard_let_go(w);
	return result;
}

int wp__submit_wait(struct wp_pool *pool, const struct wp_job *job)
{
	struct wp__worker *w = wp__self_in(pool);
	struct wp__awaited awaited;
	struct wp_job wrapper = wp__job_await(&awaited, job);
	if (w)
		return submit_wait_in_job(w, &awaited, &wrapper);
	struct wp__worker *self = wp__guard_hold_self(); /* as in submit_wait_in_job */
	int error = job->ctx ? wp__submit_in_ctx(pool, &wrapper, UINT64_MAX)
			     : wp__submit(pool, &wrapper);
	if (!error)
		wp__latch_wait(&awaited.done);
	wp__guard_let_go_self(self);
	return error ? error : awaited.result;
}
