/* SPDX-License-Identifier: MIT */
#include "engine/producer.h"

#include <wpool/error.h>

#include "base/alloc.h"
#include "base/os.h"
#include "engine/fork.h"
#include "engine/run.h"
#include "engine/submit.h"
#include "work/ctx.h"
#include "work/job.h"

/* Where orphans submit: closed; their `stop` is its tail, so nobody ever writes to it. */
static struct wp__segqueue closed_lane = {
	.single = true,
	.signal = { WP__SIGNAL_CLOSED },
	.final = { 1 },
};

/* ---- handles ---- */

int wp__producer_open(struct wp_producer **out, struct wp_pool *pool)
{
	if (wp__is_forked(pool))
		return WP_EFORKED;
	struct wp_producer *p = wp__alloc(WP_ALONE, sizeof(*p));
	if (!p)
		return WP_ENOMEM;
	int error = wp__lanes_open(pool, &p->lane);
	if (error) {
		wp__free(p);
		return error;
	}
	p->pool = pool;
	wp__single_init(&p->end, &p->lane->queue);
	wp__os_mutex_lock(&pool->mutex);
	p->next = pool->producers;
	p->link = &pool->producers;
	if (p->next)
		p->next->link = &p->next;
	pool->producers = p;
	wp__os_mutex_unlock(&pool->mutex);
	*out = p;
	return 0;
}

/* In a child. Only the links forwards are sure to be those of one moment. */
static void unlist_copy(struct wp_producer *p)
{
	struct wp_producer **at = &p->pool->producers;
	while (*at && *at != p)
		at = &(*at)->next;
	if (*at)
		*at = p->next;
}

void wp__producer_close(struct wp_producer *p)
{
	struct wp_pool *pool = p->pool;
	if (pool && wp__is_forked(pool)) {
		unlist_copy(p);
	} else if (pool) {
		wp__producer_enter(p);
		wp__os_mutex_lock(&pool->mutex);
		*p->link = p->next;
		if (p->next)
			p->next->link = p->link;
		wp__os_mutex_unlock(&pool->mutex);
		wp__lanes_hand_back(pool, p->lane);
	}
	wp__free(p);
}

void wp__producers_orphan(struct wp_pool *pool)
{
	for (struct wp_producer *p = pool->producers; p; p = p->next) {
		p->pool = NULL;
		p->reserved = 0;
		wp__single_init(&p->end, &closed_lane);
	}
	pool->producers = NULL;
}

void wp__producer_check(struct wp_producer *p)
{
	/* Relaxed: the caller keeps the order; this only finds out that he did not. */
	bool used = wp_swap_rlx_u32(&p->in_use, 1);
	/* In the child of a fork the call may be one of its parent's. */
	if (used && !(p->pool && wp__is_forked(p->pool)))
		wp__os_die("wp_producer: two threads use one handle at the same time");
	if (!p->pool)
		wp__os_die("wp_producer: the handle is used after its pool was destroyed");
}

/* ---- submit ---- */

int wp__producer_accept(struct wp_producer *p, int pushed, size_t n)
{
	if (pushed == WP__PUSHED_WAKE) {
		struct wp__worker *self = wp__guard_hold_self();
		wp__lanes_wake(p->pool, p->lane);
		wp__guard_let_go_self(self);
	}
	p->pool->metrics.inc_queued(p->pool->metrics_self, n);
	return 0;
}

int wp__producer_refuse(struct wp_producer *p, size_t n, int why)
{
	return p->pool ? wp__count_rejected(p->pool, n, why) : why;
}

bool wp__producer_make_room(struct wp_producer *p)
{
	struct wp__worker *w = wp__self_in(p->pool);
	if (!w)
		return false;
	/* A job that runs meanwhile may use the same handle: it is the same thread. */
	wp__producer_leave(p);
	wp__submit_make_room(w);
	wp__producer_enter(p);
	return true;
}

/* Waits until there may be room. 0, WP_ECLOSED, WP_ETIMEDOUT. */
static int wait_for_room(struct wp_producer *p, uint64_t deadline)
{
	if (!wp__self_in(p->pool)) {
		struct wp__worker *self = wp__guard_hold_self();
		int error = wp__room_wait(&p->lane->queue, deadline);
		wp__guard_let_go_self(self);
		return error;
	}
	if (deadline != UINT64_MAX && wp__os_now_ns() >= deadline)
		return WP_ETIMEDOUT;
	(void)wp__producer_make_room(p);
	return 0;
}

static int submit_the_rest(struct wp_producer *p, const struct wp_job *job,
	enum wp__single_step step, uint64_t deadline)
{
	int error = 0, pushed = wp__single_go_on(&p->end, job, step);
	while (pushed == WP_EFULL && deadline && !error) {
		error = wait_for_room(p, deadline);
		/* Room may have come at the last moment. */
		pushed = wp__single_push(&p->end, job);
	}
	if (pushed >= 0)
		return wp__producer_accept(p, pushed, 1);
	return wp__producer_refuse(p, 1, pushed == WP_EFULL && error ? error : pushed);
}

WP_COLD int wp__producer_go_on(struct wp_producer *p, const struct wp_job *job,
	enum wp__single_step step, uint64_t deadline)
{
	int result = submit_the_rest(p, job, step, deadline);
	wp__producer_leave(p);
	return result;
}

ssize_t wp__producer_submit_batch(
	struct wp_producer *p, const struct wp_job *jobs, size_t n, bool wait)
{
	size_t accepted = 0;
	int error = 0;
	wp__producer_enter(p);
	while (accepted < n && error == 0) {
		size_t count;
		struct wp__worker *self = wp__guard_hold_self();
		int pushed = wp__single_push_some(&p->end, jobs + accepted, n - accepted, &count);
		wp__guard_let_go_self(self);
		accepted += count;
		if (pushed >= 0)
			wp__producer_accept(p, pushed, count);
		else if (pushed == WP_EFULL && wait)
			error = wait_for_room(p, UINT64_MAX);
		else
			error = pushed;
	}
	if (accepted < n)
		error = wp__producer_refuse(p, n - accepted, error);
	wp__producer_leave(p);
	return accepted ? (ssize_t)accepted : error;
}

struct wp_job *wp__producer_reserve(struct wp_producer *p, size_t *n)
{
	int error;
	wp__producer_enter(p);
	struct wp_job *jobs = wp__single_reserve(&p->end, n, &error);
	if (!jobs)
		*n = 0;
	p->reserved_at = wp__single_position(&p->end);
	p->reserved = *n;
	wp__producer_leave(p);
	return jobs;
}

/* Jobs that were filled in place hold a reference to their context like all others. */
static void take_references(const struct wp_job *jobs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (wp_unlikely(jobs[i].ctx != NULL))
			wp__ctx_ref(jobs[i].ctx, 1);
}

/* How many of n jobs were reserved, and nothing submitted since. */
static size_t check_reserved(const struct wp_producer *p, size_t n)
{
	bool stands = wp__single_position(&p->end) == p->reserved_at;
	size_t reserved = stands ? p->reserved : 0;
#ifndef NDEBUG
	if (n > reserved)
		wp__os_die("wp_producer_commit: more jobs than are reserved");
#endif
	return wp_min_u64(n, reserved);
}

void wp__producer_commit(struct wp_producer *p, size_t n)
{
	wp__producer_enter(p);
	n = check_reserved(p, n);
	struct wp_job *jobs = n ? wp__place_slot(&p->end.place, p->reserved_at) : NULL;
	uint64_t first_id = 0;
	int pushed = 0;
	if (n) {
		const struct wp__segqueue *q = p->end.lane;
		first_id = q->first_id + (p->reserved_at - q->first) / WP__TICKET_ONE;
		take_references(jobs, n);
		struct wp__worker *self = wp__guard_hold_self();
		pushed = wp__single_commit(&p->end, n);
		wp__guard_let_go_self(self);
		p->reserved_at += n * WP__TICKET_ONE;
		p->reserved -= n;
	}
	if (n && pushed >= 0)
		wp__producer_accept(p, pushed, n);
	wp__producer_leave(p);
	if (pushed >= 0)
		return;
	wp__producer_refuse(p, n, pushed);
	/* They are the caller's no more, and nobody else will. */
	wp__run_cleanups(jobs, n, first_id);
}
