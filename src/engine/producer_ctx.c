/* SPDX-License-Identifier: MIT */
#include "engine/producer_ctx.h"

#include <wpool/error.h>

#include "engine/fork.h"
#include "engine/submit_ctx.h"
#include "work/ctx.h"

/* The handle is of no use any more: why, or 0. */
static int check(const struct wp_producer *p)
{
	if (!p->pool)
		return WP_ECLOSED;
	return wp__is_forked(p->pool) ? WP_EFORKED : 0;
}

/* The lane was full: helps or waits. */
static void get_room(struct wp_producer *p, struct wp_ctx *ctx, uint64_t deadline)
{
	if (!wp__producer_make_room(p))
		wp__submit_ctx_wait(&p->lane->queue, ctx, deadline);
}

/* A reference is held. 0, or why the job is not in; *ended is set if it is the context's error. */
static int push_in_ctx(
	struct wp_producer *p, const struct wp_job *job, uint64_t deadline, int *ended)
{
	while (!(*ended = wp__ctx_err(job->ctx))) {
		struct wp__worker *self = wp__guard_hold_self();
		int pushed = wp__single_push(&p->end, job);
		wp__guard_let_go_self(self);
		if (pushed >= 0)
			return wp__producer_accept(p, pushed, 1);
		if (pushed != WP_EFULL || deadline == 0)
			return pushed;
		if (deadline != UINT64_MAX && wp__os_now_ns() >= deadline)
			return WP_ETIMEDOUT;
		get_room(p, job->ctx, deadline);
	}
	return *ended;
}

int wp__producer_submit_in_ctx(struct wp_producer *p, const struct wp_job *job, uint64_t deadline)
{
	struct wp_ctx *ctx = job->ctx;
	int ended = 0;
	wp__producer_enter(p);
	int error = check(p);
	if (!error) {
		wp__ctx_ref(ctx, 1);
		error = push_in_ctx(p, job, deadline, &ended);
		if (error) {
			wp__ctx_unref(ctx, 1);
			error = ended ? wp__submit_ctx_refuse(p->pool, 1, ended)
				      : wp__producer_refuse(p, 1, error);
		}
	}
	wp__producer_leave(p);
	return error;
}

/* As many as go in without waiting; 0, WP_EFULL, or why not all did; *ended as above. */
static int push_some_in_ctx(
	struct wp_producer *p, const struct wp_job *jobs, size_t n, size_t *count, int *ended)
{
	int next_ended;
	size_t part = wp__submit_ctx_take(jobs, n, &next_ended);
	*count = 0;
	if (!part)
		return *ended = next_ended;
	struct wp__worker *self = wp__guard_hold_self();
	int pushed = wp__single_push_some(&p->end, jobs, part, count);
	wp__guard_let_go_self(self);
	wp__submit_ctx_give_back(jobs + *count, part - *count);
	return pushed < 0 ? pushed : wp__producer_accept(p, pushed, *count);
}

ssize_t wp__producer_submit_batch_in_ctx(
	struct wp_producer *p, const struct wp_job *jobs, size_t n, bool wait)
{
	size_t accepted = 0;
	int ended = 0;
	wp__producer_enter(p);
	int error = check(p);
	bool usable = !error;
	while (accepted < n && !error) {
		size_t count;
		error = push_some_in_ctx(p, jobs + accepted, n - accepted, &count, &ended);
		accepted += count;
		if (error == WP_EFULL && wait && !ended) {
			get_room(p, jobs[accepted].ctx, UINT64_MAX);
			error = 0;
		}
	}
	if (error && usable)
		error = ended ? wp__submit_ctx_refuse(p->pool, n - accepted, ended)
			      : wp__producer_refuse(p, n - accepted, error);
	wp__producer_leave(p);
	return accepted ? (ssize_t)accepted : error;
}
