/* SPDX-License-Identifier: MIT */
/*
 * Contexts where somebody waits: for room in a full pool, for a pool to be at rest or to end; and
 * in the corners where jobs are run: inside of other jobs, set aside, rescued, dropped.
 */
#include <errno.h>
#include <string.h>

#include "counted.h"
#include "ctx.h"
#include "hooks.h"
#include "pool.h"
#include "t.h"
#include "work/ctx.h"

/* ---- blocked on a full pool ---- */

enum way { JOB, UNTIL, BATCH, WAIT, WAYS };

struct blocked {
	struct wp_pool *pool;
	struct wp_ctx *ctx[3];
	enum way way;
	int result[3];
	wp_atomic_u32 done;
};

static int submit_in(struct wp_pool *pool, struct wp_ctx *ctx, enum way way)
{
	struct wp_job job = works_in(ctx), jobs[4] = { job, job, job, job };
	switch (way) {
	case JOB:
		return wp_submit_job(pool, &job);
	case UNTIL:
		return wp_submit_until(pool, &job, wp_after_ms(600000));
	case BATCH:
		return (int)wp_submit_batch(pool, jobs, 4);
	default:
		return wp_submit_wait(pool, &job);
	}
}

static void submit_blocked(void *arg, unsigned me)
{
	struct blocked *b = arg;
	b->result[me] = submit_in(b->pool, b->ctx[me], b->way);
	wp_add_rel_u32(&b->done, 1);
}

static void block(struct blocked *b, struct crew *crew, struct gate *gate, unsigned n)
{
	b->pool = pool_of(1, 2, 1);
	gate_hold(gate, b->pool, 1);
	t_assert_int_eq(wp_submit(b->pool, works, NULL), 0);
	t_assert_int_eq(wp_submit(b->pool, works, NULL), 0);
	crew_start(crew, n, submit_blocked, b);
	pool_until(wp_load_rlx_u32(&b->pool->lane.room.waiters) == n);
	wp__os_sleep(1000000);
	t_assert(!wp_load_acq_u32(&b->done));
}

T_TEST(pool_ctx_blocked, a_cancel_ends_the_wait_for_room)
{
	for (enum way way = JOB; way < WAYS; way++) {
		struct blocked b = { .way = way, .ctx = { ctx_make(NULL, WP_FOREVER) } };
		struct crew crew;
		struct gate gate = { 0 };
		block(&b, &crew, &gate, 1);
		wp_ctx_cancel(b.ctx[0], -EIO);
		crew_join(&crew); /* the pool is as full as ever */
		t_assert_int_eq(b.result[0], -EIO);
		struct wp_stats s = pool_stats(b.pool);
		t_assert_u64_eq(s.rejected_cancelled, way == BATCH ? 4 : 1);
		t_assert_u64_eq(s.rejected_timeout + s.rejected_full + s.rejected_closed, 0);
		t_assert_u64_eq(s.queued, 2);
		t_assert_u64_eq(wp_load_rlx_u32(&b.pool->lane.room.waiters), 0);
		gate_open(&gate);
		pool_end(b.pool);
		ctx_expect_only_reference(b.ctx[0]);
	}
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), 0);
}

T_TEST(pool_ctx_blocked, the_contexts_deadline_ends_the_wait_for_room)
{
	for (enum way way = JOB; way < WAYS; way++) {
		uint64_t deadline = wp_after_ms(300);
		struct blocked b = { .way = way, .ctx = { ctx_make(NULL, deadline) } };
		struct gate gate = { 0 };
		b.pool = pool_of(1, 1, 1);
		gate_hold(&gate, b.pool, 1);
		t_assert_int_eq(wp_submit(b.pool, works, NULL), 0);
		t_assert_int_eq(submit_in(b.pool, b.ctx[0], way), WP_ETIMEDOUT);
		t_assert(wp_now_ns() >= deadline);
		t_assert_u64_eq(pool_stats(b.pool).rejected_timeout, way == BATCH ? 4 : 1);
		gate_open(&gate);
		pool_end(b.pool);
		ctx_expect_only_reference(b.ctx[0]);
	}
}

T_TEST(pool_ctx_blocked, the_submits_deadline_leaves_the_context_alone)
{
	struct wp_pool *pool = pool_of(1, 1, 1);
	struct wp_ctx *ctx = ctx_make(NULL, wp_after_ms(600000));
	struct wp_job job = works_in(ctx);
	struct gate gate = { 0 };
	gate_hold(&gate, pool, 1);
	t_assert_int_eq(wp_submit(pool, works, NULL), 0);
	uint64_t deadline = wp_after_ms(20);
	t_assert_int_eq(wp_submit_until(pool, &job, deadline), WP_ETIMEDOUT);
	t_assert(wp_now_ns() >= deadline);
	t_assert_int_eq(wp_ctx_err(ctx), 0);
	gate_open(&gate);
	t_assert_int_eq(wp_submit_wait(pool, &job), 0);
	pool_end(pool);
	ctx_expect_only_reference(ctx);
}

/* One of three is cancelled; the others stay, and go on when there is room. */
T_TEST(pool_ctx_blocked, a_cancel_concerns_its_own_alone)
{
	struct blocked b = { .way = JOB };
	struct crew crew;
	struct gate gate = { 0 };
	struct wp_ctx *parent = ctx_make(NULL, WP_FOREVER);
	b.ctx[0] = ctx_make(parent, WP_FOREVER);
	b.ctx[1] = ctx_make(NULL, WP_FOREVER);
	block(&b, &crew, &gate, 3); /* the third has no context */
	wp_ctx_cancel(parent, -EIO);
	pool_until(wp_load_acq_u32(&b.done) == 1);
	t_assert_int_eq(b.result[0], -EIO);
	pool_until(wp_load_rlx_u32(&b.pool->lane.room.waiters) == 2);
	wp__os_sleep(3000000);
	t_assert_u64_eq(wp_load_acq_u32(&b.done), 1);
	gate_open(&gate);
	crew_join(&crew);
	t_assert_int_eq(b.result[1], 0);
	t_assert_int_eq(b.result[2], 0);
	pool_wait(b.pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 4);
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), 2);
	pool_end(b.pool);
	wp_ctx_unref(parent);
	ctx_expect_only_reference(b.ctx[0]);
	ctx_expect_only_reference(b.ctx[1]);
}

T_TEST(pool_ctx_blocked, a_close_ends_the_wait_for_room)
{
	for (enum way way = JOB; way < WAYS; way++) {
		struct blocked b = { .way = way, .ctx = { ctx_make(NULL, WP_FOREVER) } };
		struct crew crew;
		struct gate gate = { 0 };
		block(&b, &crew, &gate, 1);
		t_assert_int_eq(wp_pool_shutdown(b.pool, 0, NULL), WP_EFORCED);
		crew_join(&crew);
		t_assert_int_eq(b.result[0], WP_ECLOSED);
		t_assert_u64_eq(pool_stats(b.pool).rejected_closed, way == BATCH ? 4 : 1);
		gate_open(&gate);
		pool_end(b.pool);
		ctx_expect_only_reference(b.ctx[0]);
	}
}

/* A batch that is half in: as many as went in before the cancel. */
static void submit_eight(void *arg, unsigned me)
{
	struct blocked *b = arg;
	struct wp_job jobs[8];
	for (int i = 0; i < 8; i++)
		jobs[i] = works_in(i < 5 ? b->ctx[0] : NULL);
	b->result[me] = (int)wp_submit_batch(b->pool, jobs, 8);
}

T_TEST(pool_ctx_blocked, a_batch_half_in)
{
	struct blocked b = { .ctx = { ctx_make(NULL, WP_FOREVER) } };
	struct crew crew;
	struct gate gate = { 0 };
	b.pool = pool_of(1, 3, 2);
	gate_hold(&gate, b.pool, 1);
	crew_start(&crew, 1, submit_eight, &b);
	pool_until(wp_load_rlx_u32(&b.pool->lane.room.waiters) == 1);
	wp_ctx_cancel(b.ctx[0], 0);
	crew_join(&crew);
	t_assert_int_eq(b.result[0], 3);
	t_assert_u64_eq(pool_stats(b.pool).rejected_cancelled, 5);
	gate_open(&gate);
	pool_wait(b.pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 0); /* those that are in were cancelled, too */
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), 3);
	t_assert_u64_eq(pool_stats(b.pool).cancelled, 3);
	pool_end(b.pool);
	ctx_expect_only_reference(b.ctx[0]);
}

/* ---- inside of jobs ---- */

static struct wp_pool *inner_pool;
static struct wp_ctx *inner_ctx;
static int inner_result;

/* The lane is full and the job is its only worker: it makes room, but not for what is cancelled. */
static int submits_cancelled(void *payload)
{
	struct wp_job job = works_in(inner_ctx), jobs[2] = { job, job };
	(void)payload;
	t_assert_int_eq(wp_try_submit(inner_pool, &job), 0);
	t_assert_int_eq(wp_try_submit(inner_pool, &job), 0);
	t_assert_int_eq(wp_try_submit(inner_pool, &job), WP_EFULL);
	t_assert_int_eq(wp_submit_until(inner_pool, &job, 1), WP_ETIMEDOUT);
	t_assert_u64_eq(pool_stats(inner_pool).queued, 2);
	t_assert_int_eq(wp_submit_job(inner_pool, &job), 0);
	t_assert_int_eq(wp_submit_batch(inner_pool, jobs, 2), 2);
	t_assert_int_eq(wp_submit_wait(inner_pool, &job), 0);
	wp_ctx_cancel(inner_ctx, -EIO);
	t_assert_int_eq(wp_submit_job(inner_pool, &job), -EIO);
	t_assert_int_eq(wp_submit_wait(inner_pool, &job), -EIO);
	t_assert_int_eq(wp_submit_batch(inner_pool, jobs, 2), -EIO);
	return 0;
}

T_TEST(pool_ctx_blocked, inside_of_a_job)
{
	struct wp_pool *pool = inner_pool = pool_of(1, 2, 1);
	struct wp_job outer = { .fn = submits_cancelled };
	inner_ctx = ctx_make(NULL, WP_FOREVER);
	t_assert_int_eq(wp_submit_wait(pool, &outer), 0);
	pool_wait(pool);
	struct wp_stats s = pool_stats(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran) + s.cancelled, 6);
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), 6);
	t_assert_u64_eq(s.rejected_cancelled, 4);
	pool_end(pool);
	ctx_expect_only_reference(inner_ctx);
}

/* A cancelled job among those that a waiting or helping worker runs: skipped there as well. */
static int waits_for_cancelled(void *payload)
{
	struct wp_job job = works_in(inner_ctx), plain = { .fn = works };
	(void)payload;
	for (int i = 0; i < 3; i++)
		t_assert_int_eq(wp_submit_job(inner_pool, &job), 0);
	wp_ctx_cancel(inner_ctx, -EIO);
	inner_result = wp_submit_wait(inner_pool, &plain); /* runs those before it on the way */
	t_assert_u64_eq(pool_stats(inner_pool).cancelled, 3);
	return 0;
}

T_TEST(pool_ctx_blocked, helping_skips_what_is_cancelled)
{
	struct wp_pool *pool = inner_pool = pool_of(1, 16, 4);
	struct wp_job outer = { .fn = waits_for_cancelled };
	inner_ctx = ctx_make(NULL, WP_FOREVER);
	t_assert_int_eq(wp_submit_wait(pool, &outer), 0);
	t_assert_int_eq(inner_result, 0);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 1);
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), 3);
	pool_wait(pool);
	t_assert_u64_eq(pool_stats(pool).completed, 2);
	pool_end(pool);
	ctx_expect_only_reference(inner_ctx);
}

/* Deeper than helping goes: jobs are set aside with their context, and skipped if it has ended. */
static unsigned depth;

static int dives(void *payload)
{
	struct wp_job next = { .fn = dives }, job = works_in(inner_ctx);
	(void)payload;
	if (++depth < WP__HELP_DEPTH + 2)
		return wp_submit_wait(inner_pool, &next);
	/* The lane holds two: each submit sets one aside. */
	for (int i = 0; i < 12; i++)
		t_assert_int_eq(wp_submit_job(inner_pool, &job), 0);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 0);
	t_assert_u64_eq(inner_pool->workers[0].spill.count, 10);
	wp_ctx_cancel(inner_ctx, -EIO);
	return 0;
}

T_TEST(pool_ctx_blocked, jobs_set_aside_keep_their_context)
{
	struct wp_pool *pool = inner_pool = pool_of(1, 2, 1);
	struct wp_job outer = { .fn = dives };
	struct wp_ctx *mine = inner_ctx = ctx_make(NULL, WP_FOREVER);
	t_assert_int_eq(wp_submit_wait(pool, &outer), 0);
	pool_wait(pool);
	struct wp_stats s = pool_stats(pool);
	t_assert_u64_eq(s.cancelled, 12);
	t_assert_u64_eq(s.completed, WP__HELP_DEPTH + 2);
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), 12);
	pool_end(pool);
	ctx_expect_only_reference(mine);
}

/* ---- rescued, dropped ---- */

/* What a stuck worker holds is taken over by another, which skips what is cancelled. */
T_TEST(pool_ctx_blocked, rescued_jobs_keep_their_context)
{
	struct wp_pool *pool = pool_of(2, 4096, 64);
	struct wp_ctx *ctx = ctx_make(NULL, WP_FOREVER);
	struct gate gate = { 0 };
	struct wp_job jobs[40];
	pool_make_cheap(pool, &ran);
	wp_store_rlx_u64(&ran, 0);
	jobs[0] = (struct wp_job){ .fn = gate_fn, .payload = &gate };
	for (int i = 1; i < 40; i++)
		jobs[i] = works_in(i % 2 ? ctx : NULL);
	/* Cancelled first: those that are run before the gate closes are skipped as well. */
	struct wp_ctx *kept = ctx_make(NULL, WP_FOREVER);
	for (int i = 2; i < 40; i += 2)
		jobs[i].ctx = kept;
	t_assert_int_eq(wp_submit_batch(pool, jobs, 40), 40);
	wp_ctx_cancel(ctx, -EIO);
	pool_until(wp_load_rlx_u64(&cleaned) == 39); /* all but the one at the gate */
	t_assert_u64_eq(pool_stats(pool).cancelled + wp_load_rlx_u64(&ran), 39);
	t_assert(wp_load_rlx_u64(&ran) >= 19);
	gate_open(&gate);
	pool_end(pool);
	ctx_expect_only_reference(ctx);
	ctx_expect_only_reference(kept);
}

static void *open_when_discarding(void *arg)
{
	struct blocked *b = arg;
	pool_until(pool_discards(b->pool));
	gate_open((struct gate *)(void *)b->ctx[1]);
	return NULL;
}

T_TEST(pool_ctx_blocked, dropped_jobs_let_go_of_their_context)
{
	struct gate gate = { 0 };
	struct wp_stop_report report;
	struct wp_ctx *ctx = ctx_make(NULL, WP_FOREVER), *ended = ctx_make(NULL, WP_FOREVER);
	struct blocked b = { .pool = pool_of(1, 64, 8), .ctx = { NULL, (void *)&gate } };
	struct wp_job job = works_in(ctx), cancelled = works_in(ended);
	struct wp__thread thread;
	gate_hold(&gate, b.pool, 1);
	for (int i = 0; i < 5; i++)
		t_assert_int_eq(wp_submit_job(b.pool, &job), 0);
	for (int i = 0; i < 4; i++)
		t_assert_int_eq(wp_submit_job(b.pool, &cancelled), 0);
	wp_ctx_cancel(ended, 0);
	t_assert_int_eq(wp__os_thread_create(&thread, 0, open_when_discarding, &b), 0);
	t_assert_int_eq(wp_pool_stop(b.pool, &report), 0);
	wp__os_thread_join(&thread);
	t_assert_u64_eq(report.dropped, 5);
	t_assert_u64_eq(report.cancelled, 4); /* nobody wanted them anyway */
	t_assert_u64_eq(report.completed, 1);
	t_assert_u64_eq(report.running, 0);
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), 9);
	pool_expect_rest(b.pool);
	pool_destroy(b.pool);
	ctx_expect_only_reference(ctx);
	ctx_expect_only_reference(ended);
}

/* ---- filled in place ---- */

T_TEST(pool_ctx_blocked, jobs_filled_in_place_hold_their_context)
{
	struct wp_pool *pool = pool_of(1, 64, 8);
	struct wp_producer *producer;
	struct wp_ctx *ctx = ctx_make(NULL, WP_FOREVER), *ended = ctx_make(NULL, WP_FOREVER);
	wp_ctx_cancel(ended, 0);
	t_assert_int_eq(wp_producer_open(&producer, pool), 0);
	for (int i = 0; i < 30; i++) {
		size_t n = 1;
		struct wp_job *job = wp_producer_reserve(producer, &n);
		t_assert(job != NULL);
		*job = works_in(i % 3 == 0 ? NULL : i % 3 == 1 ? ctx : ended);
		wp_producer_commit(producer, 1);
	}
	pool_wait(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 20);
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), 30);
	t_assert_u64_eq(pool_stats(pool).cancelled, 10);
	/* Refused at the commit: cleaned up there, and the reference given back. */
	size_t n = 1;
	struct wp_job *job = wp_producer_reserve(producer, &n);
	t_assert(job != NULL);
	*job = works_in(ctx);
	t_assert_int_eq(wp_pool_shutdown(pool, WP_FOREVER, NULL), 0);
	wp_producer_commit(producer, 1);
	t_assert_u64_eq(pool_stats(pool).rejected_closed, 1);
	wp_producer_close(producer);
	pool_destroy(pool);
	ctx_expect_only_reference(ctx);
	ctx_expect_only_reference(ended);
}

/* ---- jobs that sleep ---- */

static int sleeps_in_ctx(void *payload)
{
	wp_add_rel_u32(payload, 1);
	return wp_ctx_wait(wp_job_current()->ctx, WP_FOREVER);
}

/* A worker that believed jobs cheap sleeps in one: those that it holds, and new ones, still run. */
T_TEST(pool_ctx_blocked, a_job_that_sleeps_holds_up_nobody)
{
	struct wp_pool *pool = pool_of(2, 4096, 64);
	struct wp_ctx *ctx = ctx_make(NULL, WP_FOREVER);
	wp_atomic_u32 asleep = { 0 };
	struct wp_job jobs[20];
	for (int round = 0; round < 20; round++) {
		pool_make_cheap(pool, &ran);
		wp_store_rlx_u64(&cleaned, 0);
		for (int i = 1; i < 20; i++)
			jobs[i] = works_in(NULL);
		struct wp_ctx *child = ctx_make(ctx, WP_FOREVER);
		jobs[0] = (struct wp_job){ .fn = sleeps_in_ctx, .payload = &asleep, .ctx = child };
		t_assert_int_eq(wp_submit_batch(pool, jobs, 20), 20);
		pool_until(wp_load_rlx_u64(&cleaned) == 19);
		pool_until(wp_load_acq_u32(&asleep) == (uint32_t)round + 1);
		t_assert_int_eq(wp_submit_job(pool, &jobs[1]), 0);
		pool_until(wp_load_rlx_u64(&cleaned) == 20);
		wp_ctx_cancel(child, 0);
		wp_ctx_unref(child);
		pool_wait(pool);
	}
	t_assert_u64_eq(pool_stats(pool).failed, 20);
	pool_end(pool);
	ctx_expect_only_reference(ctx);
}
