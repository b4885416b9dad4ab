/* SPDX-License-Identifier: MIT */
#include "engine/lifecycle.h"

#include <wpool/error.h>

#include "base/hooks.h"
#include "engine/error.h"
#include "engine/lanes.h"
#include "engine/rescue.h"
#include "work/ctx.h"

/* ---- sums over the workers; under the mutex, which protects the table for non-workers ---- */

struct totals {
	uint64_t finished, completed, failed, cancelled, dropped, batches, parks, wakes, busy_ticks;
	uint64_t run_ticks_max;
	uint64_t panicked, handler_panics, replaced;
};

static struct totals sum_up(struct wp_pool *pool)
{
	struct totals t = { 0 };
	wp__os_mutex_lock(&pool->mutex);
	const struct wp__table *table = wp_load_acq_ptr(&pool->table); /* [T1] acq */
	for (unsigned i = 0; i < table->worker_count; i++) {
		const struct wp__worker *w = table->workers[i];
		/* [E2] acq: the jobs' effects, and their tickets; pairs with [E1] */
		t.finished += wp_load_acq_u64(&w->finished);
		t.completed += wp_load_rlx_u64(&w->completed);
		t.failed += wp_load_rlx_u64(&w->failed);
		t.cancelled += wp_load_rlx_u64(&w->cancelled);
		t.panicked += wp_load_rlx_u64(&w->panicked);
		t.replaced += wp_load_rlx_u64(&w->replaced);
		t.handler_panics += wp_load_rlx_u64(&w->handler_panics);
		t.dropped += wp_load_rlx_u64(&w->dropped);
		t.batches += wp_load_rlx_u64(&w->batches);
		t.parks += wp_load_rlx_u64(&w->parks);
		t.wakes += wp_load_rlx_u64(&w->wakes);
		t.busy_ticks += wp_load_rlx_u64(&w->busy_ticks);
		t.run_ticks_max = wp_max_u64(t.run_ticks_max, wp_load_rlx_u64(&w->run_ticks_max));
	}
	wp__os_mutex_unlock(&pool->mutex);
	return t;
}

/* Finished first, accepted last: both only grow, so equal means equal at one moment. */
static bool at_rest(struct wp_pool *pool)
{
	uint64_t finished = sum_up(pool).finished;
	return finished == wp__lanes_accepted(pool);
}

/* ---- rest and end ---- */

static void notify(void *rest, int err)
{
	(void)err;
	wp__ec_notify(rest);
}

int wp__pool_wait_rest(struct wp_pool *pool, struct wp_ctx *ctx, uint64_t deadline)
{
	if (at_rest(pool))
		return 0;
	struct wp_ctx_callback callback;
	int ended = wp__ctx_on_cancel(ctx, &callback, notify, &pool->rest);
	if (ended)
		return ended;
	uint64_t until = wp_min_u64(deadline, wp__ctx_deadline(ctx));
	uint32_t key = wp__ec_prepare(&pool->rest);
	bool rest = at_rest(pool), in_time = true;
	while (!rest && in_time && !(ended = wp__ctx_err(ctx))) {
		in_time = wp__ec_wait(&pool->rest, key, until) == 0;
		key = wp__ec_again(&pool->rest);
		rest = at_rest(pool);
	}
	wp__ec_leave(&pool->rest);
	(void)wp__ctx_remove(&callback);
	if (rest)
		return 0;
	return ended || (ended = wp__ctx_err(ctx)) ? ended : WP_ETIMEDOUT;
}

void wp__pool_close(struct wp_pool *pool)
{
	wp__lanes_close(pool);
}

void wp__pool_discard(struct wp_pool *pool)
{
	wp__os_mutex_lock(&pool->mutex);
	const struct wp__table *table = wp_load_acq_ptr(&pool->table); /* [T1] acq */
	for (unsigned i = 0; i < table->worker_count; i++)
		wp_or_rlx_u32(&table->workers[i]->interrupt, WP__DISCARD);
	wp__os_mutex_unlock(&pool->mutex);
}

void wp__pool_end(struct wp_pool *pool)
{
	wp__os_mutex_lock(&pool->mutex);
	if (pool->threads)
		wp__pool_join(pool);
	wp__os_mutex_unlock(&pool->mutex);
	/* A worker may have ended without a last dry look: tell the others who wait. */
	wp__ec_notify(&pool->rest);
}

void wp__pool_report(struct wp_pool *pool, struct wp_stop_report *report)
{
	struct totals t = sum_up(pool);
	uint64_t accepted = wp__lanes_accepted(pool);
	*report = (struct wp_stop_report){
		.completed = t.completed,
		.failed = t.failed + t.panicked,
		.cancelled = t.cancelled,
		.dropped = t.dropped,
		.running = accepted - t.completed - t.cancelled - t.dropped,
	};
}

/* ---- statistics ---- */

void wp__pool_stats(struct wp_pool *pool, struct wp_stats *out)
{
	struct totals t = sum_up(pool);
	uint64_t idle = wp__parking_idle(&pool->parking);
	uint64_t claimed = wp__lanes_claimed(pool);
	uint64_t accepted = wp__lanes_accepted(pool);
	uint64_t busy_ns = wp__ticks_to_ns(pool, t.busy_ticks);
	wp__os_mutex_lock(&pool->mutex);
	unsigned alive = pool->threads;
	wp__os_mutex_unlock(&pool->mutex);
	unsigned parked = (unsigned)wp_min_u64(wp__idle_parked(idle), alive);
	*out = (struct wp_stats){
		.size = sizeof(*out),
		.workers_alive = alive,
		.workers_busy = alive - parked,
		.workers_idle = parked,
		.queued = accepted > claimed ? accepted - claimed : 0,
		.running = claimed > t.finished ? claimed - t.finished : 0,
		.submitted = accepted,
		.completed = t.completed,
		.failed = t.failed,
		.cancelled = t.cancelled,
		.panicked = t.panicked,
		.dropped = t.dropped,
		.rejected_full = wp_load_rlx_u64(&pool->rejected[WP__REJECT_FULL]),
		.rejected_timeout = wp_load_rlx_u64(&pool->rejected[WP__REJECT_TIMEOUT]),
		.rejected_closed = wp_load_rlx_u64(&pool->rejected[WP__REJECT_CLOSED]),
		.rejected_cancelled = wp_load_rlx_u64(&pool->rejected[WP__REJECT_CANCELLED]),
		.run_ns_average = t.completed ? busy_ns / t.completed : 0,
		.run_ns_max = wp__ticks_to_ns(pool, t.run_ticks_max),
		.last_error = wp__error_last(pool, NULL, 0),
		.uptime_ns = wp__os_now_ns() - pool->started_ns,
		.segments_touched = wp_load_rlx_u32(&pool->lane.pool.touched),
		.segments_free = wp__segpool_free(&pool->lane.pool),
		.segments_reused = wp__segpool_reused(&pool->lane.pool),
		.batches = t.batches,
		.parks = t.parks,
		.wakes = t.wakes,
		.handler_panics = t.handler_panics,
		.workers_replaced = t.replaced,
	};
}
