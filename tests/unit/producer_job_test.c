/* SPDX-License-Identifier: MIT */
/* Producers inside of jobs, and who is served when. */
#include <string.h>

#include "pool.h"

static struct wp_pool *pool_for(unsigned workers, size_t room, uint32_t batch_max)
{
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = workers;
	o.producer_capacity = room;
	o.capacity = 1024;
	o.segment_size = 16;
	o.batch_max = batch_max;
	return pool_make(&o);
}

/* ---- inside of jobs ---- */

static wp_atomic_u64 leaves;

static int opens(void *payload)
{
	struct wp_producer *p = producer_in(wp_job_current()->pool);
	for (unsigned i = 0; i < 50; i++)
		t_assert_int_eq(wp_producer_submit(p, count_fn, payload), 0);
	wp_producer_close(p);
	return 0;
}

T_TEST(producer_job, opens_a_producer)
{
	struct wp_pool *pool = pool_for(2, 4, 0);
	for (unsigned i = 0; i < 100; i++)
		t_assert_int_eq(wp_submit(pool, opens, &leaves), 0);
	pool_wait(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&leaves), 5000);
	pool_end(pool);
}

static struct wp_producer *own; /* used by the one worker only */
static uint64_t made;

/* A tree of jobs through one handle into a lane that is full most of the time. */
static int branch(void *payload)
{
	uintptr_t depth = (uintptr_t)payload;
	wp_add_rlx_u64(&leaves, 1);
	for (unsigned i = 0; depth && i < 3; i++) {
		struct wp_job job = { .fn = branch, .payload = (void *)(depth - 1) };
		made++;
		if (i == 0)
			t_assert_int_eq(wp_producer_submit_job(own, &job), 0);
		else if (i == 1)
			t_assert_int_eq(wp_producer_submit_batch(own, &job, 1), 1);
		else
			t_assert_int_eq(
				wp_producer_submit_until(own, &job, wp_after_ns(POOL_WATCHDOG_NS)),
				0);
	}
	return 0;
}

T_TEST(producer_job, a_full_lane_and_one_worker)
{
	for (size_t room = 1; room <= 4; room++) {
		struct wp_pool *pool = pool_for(1, room, 0);
		own = producer_in(pool);
		made = 1;
		wp_store_rlx_u64(&leaves, 0);
		/* Not through the handle: from here on it is the worker's. */
		t_assert_int_eq(wp_submit(pool, branch, (void *)(uintptr_t)8), 0);
		pool_wait(pool);
		t_assert_u64_eq(wp_load_rlx_u64(&leaves), made);
		t_assert_u64_eq(made, (19683 - 1) / 2); /* 1 + 3 + ... + 3^8 */
		wp_producer_close(own);
		pool_end(pool);
	}
}

static int until_soon(void *payload)
{
	struct wp_job job = { .fn = count_fn, .payload = payload };
	/* The lane is full with jobs that can run here, so room comes. */
	while (wp_producer_try_submit(own, &job) == 0)
		;
	t_assert_int_eq(wp_producer_try_submit(own, &job), WP_EFULL);
	t_assert_int_eq(wp_producer_submit_until(own, &job, 1), WP_ETIMEDOUT);
	t_assert_int_eq(wp_producer_submit_until(own, &job, wp_after_ms(60000)), 0);
	return 0;
}

T_TEST(producer_job, deadlines_inside)
{
	struct wp_pool *pool = pool_for(1, 8, 0);
	own = producer_in(pool);
	t_assert_int_eq(wp_submit(pool, until_soon, &leaves), 0);
	pool_wait(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&leaves), 9);
	wp_producer_close(own);
	pool_end(pool);
}

/* ---- committed too late: the cleanups run inside of the job, and give up as it might ---- */

#define LATE 8u

static struct late {
	wp_atomic_u32 reserved, returned;
	unsigned cleanups[LATE], ids;
	uint64_t first_id;
} late;

static int never(void *payload)
{
	(void)payload;
	t_assert(false);
	return 0;
}

static void clean_up_or_not(void *payload)
{
	uintptr_t i = (uintptr_t)payload;
	late.cleanups[i]++;
	late.ids += wp_job_current()->id == late.first_id + i;
	if (i % 3 == 1)
		wp_panic(-1, "cleanup %u", (unsigned)i);
}

static int commits_late(void *payload)
{
	struct wp_ctx *ctx = payload;
	size_t n = LATE;
	own = producer_in(wp_job_current()->pool);
	struct wp_job *jobs = wp_producer_reserve(own, &n);
	t_assert(jobs && n == LATE);
	for (size_t i = 0; i < LATE; i++)
		jobs[i] = (struct wp_job){ .fn = never,
			.payload = (void *)i,
			.ctx = i % 2 ? ctx : NULL,
			.cleanup = clean_up_or_not };
	wp_store_rel_u32(&late.reserved, 1);
	pool_until(wp_pool_is_closed(wp_job_current()->pool));
	late.first_id = UINT64_C(1) << 44; /* the first of the first lane that producers had */
	wp_producer_commit(own, LATE);
	wp_producer_close(own);
	wp_store_rlx_u32(&late.returned, 1);
	return 0;
}

/* Each is cleaned up, whatever those before it did, and the job goes on. */
T_TEST(producer_job, cleanups_that_give_up_in_a_commit)
{
	struct wp_pool *pool = pool_for(1, LATE, 0);
	struct wp_stop_report report;
	struct wp_ctx *ctx;
	t_assert_int_eq(wp_ctx_create(&ctx, NULL, WP_FOREVER), 0);
	t_assert_int_eq(wp_submit(pool, commits_late, ctx), 0);
	pool_until(wp_load_acq_u32(&late.reserved));
	t_assert_int_eq(wp_pool_shutdown(pool, WP_FOREVER, &report), 0);
	t_assert_u64_eq(report.completed, 1);
	t_assert(wp_load_rlx_u32(&late.returned));
	for (size_t i = 0; i < LATE; i++)
		t_assert_int_eq(late.cleanups[i], 1);
	t_assert_int_eq(late.ids, LATE);
	struct wp_stats s = pool_stats(pool);
	t_assert_u64_eq(s.rejected_closed, LATE);
	t_assert_u64_eq(s.handler_panics, 3);
	wp_ctx_unref(ctx); /* else its memory would be lost */
	wp_pool_destroy(pool);
}

/* ---- fairness: one worker, so that its jobs count exactly ---- */

#define BATCH 16u
#define FLOOD 1000u

/* A quiet producer among FLOODS lanes that never become empty: the shared one is number 0. */
#define FLOODS 3u

static struct turns {
	struct wp_pool *pool;
	struct wp_producer *floods[FLOODS], *quiet;
	uint64_t run, asked_at, most, asked, answered, end_at;
} turns;

static int quiet_fn(void *payload)
{
	uint64_t waited = turns.run - turns.asked_at;
	(void)payload;
	if (waited > turns.most)
		turns.most = waited;
	turns.answered++;
	return 0;
}

/* Submits itself again, so that its lane stays as full as it is. */
static int flood_fn(void *payload)
{
	uintptr_t lane = (uintptr_t)payload;
	struct wp_job job = { .fn = flood_fn, .payload = payload };
	if (++turns.run >= turns.end_at)
		return 0;
	if (lane == 0)
		t_assert_int_eq(wp_try_submit(turns.pool, &job), 0);
	else
		t_assert_int_eq(wp_producer_try_submit(turns.floods[lane], &job), 0);
	if (turns.asked == turns.answered && turns.run % 7 == 0) {
		turns.asked++;
		turns.asked_at = turns.run;
		t_assert_int_eq(wp_producer_submit(turns.quiet, quiet_fn, NULL), 0);
	}
	return 0;
}

static void quiet_among_floods(unsigned idle_lanes)
{
	struct gate gate = { { 0 }, { 0 } };
	struct wp_producer *idle[100];
	memset(&turns, 0, sizeof(turns));
	turns.pool = pool_for(1, FLOOD, BATCH);
	turns.end_at = t_scaled(300000);
	turns.quiet = producer_in(turns.pool);
	for (unsigned i = 0; i < idle_lanes; i++)
		idle[i] = producer_in(turns.pool);
	gate_hold(&gate, turns.pool, 1);
	for (uintptr_t lane = 0; lane < FLOODS; lane++) {
		turns.floods[lane] = lane ? producer_in(turns.pool) : NULL;
		for (unsigned i = 0; i < FLOOD; i++) {
			if (lane)
				t_assert_int_eq(wp_producer_submit(
							turns.floods[lane], flood_fn, (void *)lane),
					0);
			else
				t_assert_int_eq(wp_submit(turns.pool, flood_fn, NULL), 0);
		}
	}
	gate_open(&gate);
	pool_wait(turns.pool);
	t_assert(turns.answered > turns.end_at / 200);
	/* The rest of the batch that is running, then one batch from each other lane. */
	t_assert_msg(turns.most <= BATCH + FLOODS * BATCH, "a job waited for %llu others",
		(unsigned long long)turns.most);
	for (unsigned i = 0; i < idle_lanes; i++)
		wp_producer_close(idle[i]);
	for (unsigned i = 1; i < FLOODS; i++)
		wp_producer_close(turns.floods[i]);
	wp_producer_close(turns.quiet);
	pool_end(turns.pool);
}

T_TEST(producer_job, a_quiet_producer_has_its_turn)
{
	quiet_among_floods(0);
	quiet_among_floods(100);
}

/* Held workers, full lanes, and one job that came last. */
T_TEST(producer_job, the_last_to_come_does_not_wait_for_all)
{
	struct gate gate = { { 0 }, { 0 } };
	memset(&turns, 0, sizeof(turns));
	turns.pool = pool_for(1, FLOOD, BATCH);
	turns.floods[1] = producer_in(turns.pool);
	turns.quiet = producer_in(turns.pool);
	gate_hold(&gate, turns.pool, 1);
	for (unsigned i = 0; i < FLOOD; i++)
		t_assert_int_eq(wp_producer_submit(turns.floods[1], flood_fn, NULL), 0);
	turns.end_at = 1; /* nothing is submitted again */
	t_assert_int_eq(wp_producer_submit(turns.quiet, quiet_fn, NULL), 0);
	gate_open(&gate);
	pool_wait(turns.pool);
	t_assert_u64_eq(turns.run, FLOOD);
	t_assert_msg(turns.most <= 2 * BATCH, "a job waited for %llu others",
		(unsigned long long)turns.most);
	wp_producer_close(turns.floods[1]);
	wp_producer_close(turns.quiet);
	pool_end(turns.pool);
}
