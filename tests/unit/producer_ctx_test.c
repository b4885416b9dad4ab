/* SPDX-License-Identifier: MIT */
/* Jobs with a context through producers: as by wp_submit_job, in a lane of their own. */
#include <errno.h>
#include <string.h>

#include "counted.h"
#include "ctx.h"
#include "hooks.h"
#include "pool.h"
#include "t.h"
#include "work/ctx.h"

static struct wp_pool *pool_for(unsigned workers, size_t room)
{
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = workers;
	o.producer_capacity = room;
	o.segment_size = 4;
	return pool_make(&o);
}

/* A producer whose lane is full, and a worker that is held. */
static struct wp_producer *fill(struct wp_pool *pool, struct gate *gate, size_t room)
{
	struct wp_producer *p = producer_in(pool);
	gate_hold(gate, pool, 1);
	for (size_t i = 0; i < room; i++)
		t_assert_int_eq(wp_producer_submit(p, works, NULL), 0);
	return p;
}

/* ---- a context that stands changes nothing ---- */

T_TEST(producer_ctx, each_way_runs_the_job)
{
	struct wp_pool *pool = pool_for(2, 16);
	struct wp_producer *p = producer_in(pool);
	struct wp_ctx *ctx = ctx_make(NULL, wp_after_ms(600000));
	struct wp_job job = works_in(ctx), jobs[5] = { job, job, job, job, job };
	jobs[1].ctx = jobs[3].ctx = NULL;
	t_assert_int_eq(wp_producer_submit_job(p, &job), 0);
	t_assert_int_eq(wp_producer_try_submit(p, &job), 0);
	t_assert_int_eq(wp_producer_submit_until(p, &job, 1), 0); /* there is room */
	t_assert_int_eq(wp_producer_submit_until(p, &job, wp_after_ms(1)), 0);
	t_assert_int_eq(wp_producer_submit_batch(p, jobs, 5), 5);
	pool_wait(pool);
	t_assert_int_eq(wp_producer_try_submit_batch(p, jobs, 5), 5);
	pool_wait(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 14);
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), 14);
	struct wp_stats s = pool_stats(pool);
	t_assert_u64_eq(s.submitted, 14);
	t_assert_u64_eq(s.cancelled, 0);
	wp_producer_close(p);
	pool_end(pool);
	ctx_expect_only_reference(ctx);
}

T_TEST(producer_ctx, a_batch_larger_than_the_room)
{
	enum { N = 1000 };
	static struct wp_job jobs[N];
	struct wp_pool *pool = pool_for(2, 7);
	struct wp_producer *p = producer_in(pool);
	struct wp_ctx *ctx[2] = { ctx_make(NULL, WP_FOREVER), ctx_make(NULL, wp_after_ms(600000)) };
	for (unsigned i = 0; i < N; i++)
		jobs[i] = works_in(i % 5 == 0 ? NULL : ctx[i / 3 % 2]);
	t_assert_int_eq(wp_producer_submit_batch(p, jobs, N), N);
	pool_wait(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), N);
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), N);
	wp_producer_close(p);
	pool_end(pool);
	ctx_expect_only_reference(ctx[0]);
	ctx_expect_only_reference(ctx[1]);
}

/* ---- refused ---- */

static void expect_refused(struct wp_producer *p, struct wp_ctx *ctx, int why)
{
	struct wp_job job = works_in(ctx), jobs[3] = { job, job, job };
	t_assert_int_eq(wp_producer_submit_job(p, &job), why);
	t_assert_int_eq(wp_producer_try_submit(p, &job), why);
	t_assert_int_eq(wp_producer_submit_until(p, &job, 1), why);
	t_assert_int_eq(wp_producer_submit_until(p, &job, WP_FOREVER), why);
	t_assert_int_eq(wp_producer_submit_batch(p, jobs, 3), why);
	t_assert_int_eq(wp_producer_try_submit_batch(p, jobs, 3), why);
	t_assert_u64_eq(wp_load_rlx_u64(&ctx->references), 1);
}

/* With room and without: always the context's own reason, and the jobs stay the caller's. */
static void refuse(struct wp_ctx *ctx, int why, bool timed_out)
{
	struct wp_pool *pool = pool_for(1, 2);
	struct gate gate = { 0 };
	struct wp_producer *fresh = producer_in(pool), *full = fill(pool, &gate, 2);
	expect_refused(fresh, ctx, why);
	expect_refused(full, ctx, why);
	struct wp_stats s = pool_stats(pool);
	t_assert_u64_eq(s.submitted, 3);
	t_assert_u64_eq(s.rejected_timeout, timed_out ? 20 : 0);
	t_assert_u64_eq(s.rejected_cancelled, timed_out ? 0 : 20);
	t_assert_u64_eq(s.rejected_full + s.rejected_closed, 0);
	gate_open(&gate);
	wp_producer_close(fresh);
	wp_producer_close(full);
	pool_end(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), 0);
	ctx_expect_only_reference(ctx);
}

T_TEST(producer_ctx, an_ended_context_is_always_refused)
{
	struct wp_ctx *ctx = ctx_make(NULL, WP_FOREVER);
	wp_ctx_cancel(ctx, 0);
	refuse(ctx, WP_ECANCELED, false);
	ctx = ctx_make(NULL, WP_FOREVER);
	wp_ctx_cancel(ctx, -EIO);
	refuse(ctx, -EIO, false);
	refuse(ctx_make(NULL, 1), WP_ETIMEDOUT, true);
}

T_TEST(producer_ctx, a_batch_ends_before_the_first_that_has_ended)
{
	struct wp_pool *pool = pool_for(1, 64);
	struct wp_producer *p = producer_in(pool);
	struct wp_ctx *ctx = ctx_make(NULL, WP_FOREVER), *ended = ctx_make(NULL, WP_FOREVER);
	struct wp_job jobs[6];
	wp_ctx_cancel(ended, -EIO);
	for (unsigned i = 0; i < 6; i++)
		jobs[i] = works_in(i == 4 ? ended : i % 2 ? ctx : NULL);
	t_assert_int_eq(wp_producer_submit_batch(p, jobs, 6), 4);
	t_assert_int_eq(wp_producer_submit_batch(p, jobs + 4, 2), -EIO);
	pool_wait(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), 4);
	t_assert_u64_eq(pool_stats(pool).rejected_cancelled, 4);
	wp_producer_close(p);
	pool_end(pool);
	ctx_expect_only_reference(ctx);
	ctx_expect_only_reference(ended);
}

T_TEST(producer_ctx, full_and_closed_are_told_and_references_given_back)
{
	struct wp_pool *pool = pool_for(1, 2);
	struct wp_ctx *ctx = ctx_make(NULL, WP_FOREVER), *ended = ctx_make(NULL, WP_FOREVER);
	struct gate gate = { 0 };
	struct wp_producer *p = fill(pool, &gate, 1);
	struct wp_job job = works_in(ctx), jobs[4] = { job, job, job, job };
	uint64_t deadline = wp_after_ms(20);
	wp_ctx_cancel(ended, 0);
	/* One goes in; that the third has ended does not hide that there is no room. */
	jobs[2].ctx = ended;
	t_assert_int_eq(wp_producer_try_submit_batch(p, jobs, 4), 1);
	t_assert_u64_eq(wp_load_rlx_u64(&ctx->references), 2);
	t_assert_int_eq(wp_producer_try_submit(p, &job), WP_EFULL);
	t_assert_int_eq(wp_producer_try_submit_batch(p, jobs, 4), WP_EFULL);
	t_assert_int_eq(wp_producer_submit_until(p, &job, deadline), WP_ETIMEDOUT);
	t_assert(wp_now_ns() >= deadline);
	t_assert_int_eq(wp_ctx_err(ctx), 0);
	gate_open(&gate);
	t_assert_int_eq(wp_pool_shutdown(pool, WP_FOREVER, NULL), 0);
	t_assert_int_eq(wp_producer_submit_job(p, &job), WP_ECLOSED);
	t_assert_int_eq(wp_producer_submit_batch(p, jobs, 4), WP_ECLOSED);
	struct wp_stats s = pool_stats(pool);
	t_assert_u64_eq(s.rejected_full, 3 + 1 + 4);
	t_assert_u64_eq(s.rejected_timeout, 1);
	t_assert_u64_eq(s.rejected_closed, 1 + 4);
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), 1);
	wp_producer_close(p);
	pool_destroy(pool);
	ctx_expect_only_reference(ctx);
	ctx_expect_only_reference(ended);
}

/* ---- blocked on a full lane ---- */

struct blocked {
	struct wp_producer *p;
	struct wp_ctx *ctx;
	bool batch;
	int result;
};

static void submit_blocked(void *arg, unsigned me)
{
	struct blocked *b = arg;
	struct wp_job job = works_in(b->ctx), jobs[4] = { job, job, job, job };
	(void)me;
	b->result = b->batch ? (int)wp_producer_submit_batch(b->p, jobs, 4)
			     : wp_producer_submit_job(b->p, &job);
}

enum end { CANCEL, CLOSE, ROOM };

static void end_wait(bool batch, enum end end)
{
	struct wp_pool *pool = pool_for(1, 2);
	struct gate gate = { 0 };
	struct blocked b = { .p = fill(pool, &gate, 2), .batch = batch };
	struct wp__segqueue *lane =
		wp_load_rlx_ptr(&((struct wp__table *)wp_load_rlx_ptr(&pool->table))->lanes[1]);
	struct crew crew;
	b.ctx = ctx_make(NULL, WP_FOREVER);
	crew_start(&crew, 1, submit_blocked, &b);
	pool_until(wp_load_rlx_u32(&lane->room.waiters) == 1);
	wp__os_sleep(1000000);
	if (end == CANCEL)
		wp_ctx_cancel(b.ctx, -EIO);
	else if (end == CLOSE)
		t_assert_int_eq(wp_pool_shutdown(pool, 0, NULL), WP_EFORCED);
	else
		gate_open(&gate);
	crew_join(&crew); /* but for ROOM the lane is as full as ever */
	t_assert_int_eq(b.result, end == CANCEL ? -EIO : end == CLOSE ? WP_ECLOSED : batch ? 4 : 0);
	struct wp_stats s = pool_stats(pool);
	t_assert_u64_eq(s.rejected_cancelled, end != CANCEL ? 0 : batch ? 4 : 1);
	t_assert_u64_eq(s.rejected_closed, end != CLOSE ? 0 : batch ? 4 : 1);
	t_assert_u64_eq(wp_load_rlx_u32(&lane->room.waiters), 0);
	gate_open(&gate);
	wp_producer_close(b.p);
	pool_end(pool);
	ctx_expect_only_reference(b.ctx);
}

T_TEST(producer_ctx, what_ends_the_wait_for_room)
{
	for (unsigned batch = 0; batch < 2; batch++) {
		end_wait(batch, CANCEL);
		end_wait(batch, CLOSE);
		end_wait(batch, ROOM);
	}
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), 5);
}

T_TEST(producer_ctx, the_contexts_deadline_ends_the_wait_for_room)
{
	struct wp_pool *pool = pool_for(1, 2);
	struct gate gate = { 0 };
	struct wp_producer *p = fill(pool, &gate, 2);
	uint64_t deadline = wp_after_ms(100);
	struct wp_ctx *ctx = ctx_make(NULL, deadline);
	struct wp_job job = works_in(ctx);
	t_assert_int_eq(wp_producer_submit_job(p, &job), WP_ETIMEDOUT);
	t_assert(wp_now_ns() >= deadline);
	t_assert_int_eq(wp_producer_submit_batch(p, &job, 1), WP_ETIMEDOUT);
	t_assert_u64_eq(pool_stats(pool).rejected_timeout, 2);
	gate_open(&gate);
	wp_producer_close(p);
	pool_end(pool);
	ctx_expect_only_reference(ctx);
}

/* ---- after the submit ---- */

T_TEST(producer_ctx, cancelled_while_queued)
{
	struct wp_pool *pool = pool_for(1, 8);
	struct gate gate = { 0 };
	struct wp_producer *p = fill(pool, &gate, 1);
	struct wp_ctx *ctx = ctx_make(NULL, WP_FOREVER);
	struct wp_job job = works_in(ctx), jobs[3] = { job, job, job };
	t_assert_int_eq(wp_producer_submit_job(p, &job), 0);
	t_assert_int_eq(wp_producer_submit_batch(p, jobs, 3), 3);
	wp_ctx_cancel(ctx, 0);
	gate_open(&gate);
	pool_wait(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 1);
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), 4);
	t_assert_u64_eq(pool_stats(pool).cancelled, 4);
	wp_producer_close(p);
	pool_end(pool);
	ctx_expect_only_reference(ctx);
}

/* ---- inside of a job ---- */

static struct wp_producer *own;
static struct wp_ctx *own_ctx;

/* The lane is full with jobs that only this worker can run. */
static int submits(void *payload)
{
	struct wp_job job = works_in(own_ctx), jobs[5] = { job, job, job, job, job };
	(void)payload;
	for (unsigned i = 0; i < 20; i++)
		t_assert_int_eq(wp_producer_submit_job(own, &job), 0);
	t_assert_int_eq(wp_producer_submit_batch(own, jobs, 5), 5);
	return 0;
}

T_TEST(producer_ctx, a_job_that_submits_makes_room)
{
	struct wp_pool *pool = pool_for(1, 2);
	own = producer_in(pool);
	own_ctx = ctx_make(NULL, wp_after_ms(600000));
	t_assert_int_eq(wp_submit(pool, submits, NULL), 0);
	pool_wait(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 25);
	wp_producer_close(own);
	pool_end(pool);
	ctx_expect_only_reference(own_ctx);
}
