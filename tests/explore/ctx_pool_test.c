/* SPDX-License-Identifier: MIT */
/*
 * Contexts where the engine meets them: a cancel against a submit that waits for room, against the
 * job's run, and against those who wait for the pool.
 */
#include <wpool/wpool.h>

#include "base/atomic.h"
#include "base/os.h"
#include "engine/pool.h"
#include "engine/submit_ctx.h"
#include "explore.h"
#include "work/ctx.h"

#define CAUSE (-5)

static struct wp_ctx *ctx;
static struct wp_pool *pool;
static wp_atomic_u32 ran, cleaned, cancel_returned;

static int runs(void *payload)
{
	(void)payload;
	wp_add_rlx_u32(&ran, 1);
	return 0;
}

static void cleans(void *payload)
{
	(void)payload;
	wp_add_rlx_u32(&cleaned, 1);
}

static void make_ctx(void)
{
	explore_assert(wp_ctx_create(&ctx, NULL, WP_FOREVER) == 0);
}

static void cancel(void)
{
	wp_ctx_cancel(ctx, CAUSE);
	wp_store_rel_u32(&cancel_returned, 1);
}

static void end_ctx(void)
{
	explore_assert(wp_load_rlx_u64(&ctx->references) == 1);
	explore_assert(ctx->callbacks.next == &ctx->callbacks);
	wp_ctx_unref(ctx);
}

/*
 * ---- waiting for room ----
 *
 * A pool without workers, whose lane the bodies empty themselves: nobody makes good for a wake-up
 * that is lost, and sleepers have no patience.
 */

static wp_atomic_u32 accepted, refused, late, plain_in;

static void full_of(uint64_t capacity)
{
	static struct wp_pool bare;
	struct wp__segqueue_options o = { .capacity = capacity, .segment_size = 1 };
	struct wp_job job = { .fn = runs };
	pool = &bare;
	pool->metrics = wp_metrics_noop;
	explore_assert(wp__segqueue_init(&pool->lane, &o) == 0);
	for (uint64_t i = 0; i < capacity; i++)
		explore_assert(wp__segqueue_push_until(&pool->lane, &job, 0) == 0);
	make_ctx();
}

static void full_of_one(void)
{
	full_of(1);
}

static void full_of_two(void)
{
	full_of(2);
}

/* The job is accepted, or its context has ended; then it has not changed anything. */
static void submit_in_ctx(void)
{
	struct wp_job job = { .fn = runs, .ctx = ctx };
	bool before = wp_load_acq_u32(&cancel_returned);
	int error = wp__submit_in_ctx(pool, &job, UINT64_MAX);
	explore_assert(error == 0 || (error == CAUSE && wp_ctx_err(ctx) == CAUSE));
	explore_assert(!before || error);
	wp_add_rel_u32(error ? &refused : &accepted, 1);
}

static void submit_plain(void)
{
	struct wp_job job = { .fn = runs };
	explore_assert(wp__segqueue_push_until(&pool->lane, &job, UINT64_MAX) == 0);
	wp_store_rel_u32(&plain_in, 1);
}

static bool take(void)
{
	struct wp__claim claim;
	struct wp_job job;
	if (!wp__segqueue_claim(&pool->lane, &job, 1, 1, 1, &claim))
		return false;
	wp__ctx_unref(job.ctx, 1);
	return true;
}

static void take_one(void)
{
	explore_assert(take());
}

static void empty_lane(void)
{
	while (take())
		;
	explore_assert(wp__segqueue_is_valid(&pool->lane));
	explore_assert(wp_load_rlx_u32(&pool->lane.room.waiters) == 0);
	explore_assert(wp_load_rlx_u64(&pool->rejected[WP__REJECT_CANCELLED]) ==
		       wp_load_rlx_u32(&refused));
	wp__segqueue_fini(&pool->lane);
	end_ctx();
}

/* Nobody ever makes room: the cancel alone ends the wait. */
EXPLORE_TEST(ctx_room, .setup = full_of_one, .body = { submit_in_ctx, cancel }, .check = empty_lane,
	.no_leaks = true);

EXPLORE_TEST(ctx_room_two, .setup = full_of_one, .body = { submit_in_ctx, submit_in_ctx, cancel },
	.check = empty_lane, .no_leaks = true);

/*
 * Just the room that is needed: if the one with the context gives up, the other gets what was made
 * for it; if not, one more is taken.
 */
static void take_for_those_accepted(void)
{
	take_one();
	while (!wp_load_acq_u32(&plain_in)) {
		if (wp_load_acq_u32(&accepted) && take())
			return;
		wp_spin_hint();
	}
}

EXPLORE_TEST(ctx_room_passed_on, .setup = full_of_one,
	.body = { submit_in_ctx, submit_plain, take_for_those_accepted, cancel },
	.check = empty_lane, .no_leaks = true);

EXPLORE_TEST(ctx_room_passed_on_of_two, .setup = full_of_two,
	.body = { submit_in_ctx, submit_plain, take_for_those_accepted, cancel },
	.check = empty_lane, .no_leaks = true);

/*
 * The same with a deadline: then no callback wakes everybody, and what the one that gives up was
 * woken for, or was let out with, it has to pass on.
 */
static void full_and_late(void)
{
	full_of_one();
	wp_ctx_unref(ctx);
	/* After so many looks at the clock: each moves it on. */
	uint64_t looks = 2 + explore_choose(8);
	explore_assert(wp_ctx_create(&ctx, NULL, wp_now_ns() + 100 * looks) == 0);
}

static void submit_until_late(void)
{
	struct wp_job job = { .fn = runs, .ctx = ctx };
	int error = wp__submit_in_ctx(pool, &job, UINT64_MAX);
	explore_assert(error == 0 || (error == WP_ETIMEDOUT && wp_ctx_err(ctx) == error));
	wp_add_rel_u32(error ? &late : &accepted, 1);
}

static void empty_late_lane(void)
{
	explore_assert(
		wp_load_rlx_u64(&pool->rejected[WP__REJECT_TIMEOUT]) == wp_load_rlx_u32(&late));
	empty_lane();
}

EXPLORE_TEST(ctx_room_late, .setup = full_and_late,
	.body = { submit_until_late, submit_plain, take_for_those_accepted },
	.check = empty_late_lane, .no_leaks = true);

static void submit_two_in_ctx(void)
{
	struct wp_job job = { .fn = runs, .ctx = ctx }, jobs[2] = { job, job };
	ssize_t n = wp__submit_batch_in_ctx(pool, jobs, 2, true);
	explore_assert(n == CAUSE || n == 1 || n == 2);
	wp_add_rlx_u32(&accepted, n < 0 ? 0 : (uint32_t)n);
	wp_add_rlx_u32(&refused, n < 0 ? 2 : 2 - (uint32_t)n);
}

EXPLORE_TEST(ctx_room_batch, .setup = full_of_one, .body = { submit_two_in_ctx, take_one, cancel },
	.check = empty_lane, .no_leaks = true);

/* ---- against the run: run or not run, cleaned up once, the waiter told which ---- */

static void make_pool(unsigned workers)
{
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = workers;
	o.capacity = 4;
	o.segment_size = 4;
	o.spin_ns = 1;
	explore_assert(wp_pool_create(&pool, &o) == 0);
	make_ctx();
}

static void one_worker(void)
{
	make_pool(1);
}

static void two_workers(void)
{
	make_pool(2);
}

static void submit_and_wait(void)
{
	struct wp_job job = { .fn = runs, .ctx = ctx, .cleanup = cleans };
	int error = wp_submit_wait(pool, &job);
	explore_assert(error == 0 || error == CAUSE);
	explore_assert(wp_load_rlx_u32(&ran) == (error == 0));
}

static void submit_and_let_go(void)
{
	struct wp_job job = { .fn = runs, .ctx = ctx, .cleanup = cleans };
	wp_ctx_ref(ctx);
	int error = wp_submit_job(pool, &job);
	explore_assert(error == 0 || error == CAUSE);
	wp_ctx_unref(ctx);
}

static void end_pool(void)
{
	struct wp_stop_report report;
	explore_assert(wp_pool_shutdown(pool, WP_FOREVER, &report) == 0);
	struct wp_stats s = WP_STATS_INIT;
	explore_assert(wp_pool_stats(pool, &s) == 0);
	explore_assert(report.completed == wp_load_rlx_u32(&ran));
	explore_assert(report.completed + report.cancelled == s.submitted);
	explore_assert(s.submitted == wp_load_rlx_u32(&cleaned));
	explore_assert(report.running + report.dropped == 0);
	wp_pool_destroy(pool);
	end_ctx();
}

EXPLORE_TEST(ctx_pool_1w_wait, .setup = one_worker, .body = { submit_and_wait, cancel },
	.check = end_pool, .no_leaks = true);

EXPLORE_TEST(ctx_pool_2w_wait, .setup = two_workers, .body = { submit_and_wait, cancel },
	.check = end_pool, .no_leaks = true);

EXPLORE_TEST(ctx_pool_1w_let_go, .setup = one_worker, .body = { submit_and_let_go, cancel },
	.check = end_pool, .no_leaks = true);

/* ---- those who wait for the pool ---- */

static void submit_and_rest(void)
{
	struct wp_job job = { .fn = runs, .cleanup = cleans };
	explore_assert(wp_submit_job(pool, &job) == 0);
	int error = wp_pool_wait_ctx(pool, ctx, WP_FOREVER);
	explore_assert(error == CAUSE || (error == 0 && wp_load_rlx_u32(&ran) == 1));
}

EXPLORE_TEST(ctx_pool_rest, .setup = one_worker, .body = { submit_and_rest, cancel },
	.check = end_pool, .no_leaks = true);

/* The job does not end before the shutdown has given up: only the cancel ends that. */
static wp_atomic_u32 let_go;

static int waits_to_be_let_go(void *payload)
{
	while (!wp_load_acq_u32(&let_go))
		wp__os_futex_wait(&let_go, 0, UINT64_MAX);
	return runs(payload);
}

static void wait_for_a_stubborn_job(void)
{
	struct wp_job job = { .fn = waits_to_be_let_go, .cleanup = cleans };
	explore_assert(wp_submit_job(pool, &job) == 0);
	explore_assert(wp_pool_shutdown_ctx(pool, ctx, WP_FOREVER, NULL) == CAUSE);
	wp_store_rel_u32(&let_go, 1);
	wp__os_futex_wake(&let_go, UINT32_MAX);
}

EXPLORE_TEST(ctx_pool_shutdown, .setup = one_worker, .body = { wait_for_a_stubborn_job, cancel },
	.check = end_pool, .no_leaks = true);
