/* SPDX-License-Identifier: MIT */
/*
 * Workers that doze: where poll_gap_ns is long, a worker sleeps between two looks and counts as
 * active meanwhile. The lanes are not armed then, so no submit wakes anybody: a job that comes in a
 * doze waits for its end, which is at most poll_gap_ns away, and nothing else may wait longer.
 *
 * Virtual time: it jumps only when nobody can run (no deadline passes early in these tests), so
 * what a job has waited is the sleep of somebody, and not a turn that a thread did not get. Old
 * stores are not read in them either: how soon a store is seen is a matter of the machine.
 *
 * In their broken form the tests of time allow less than a doze takes: that this fails shows that
 * there are dozes, and jobs that come in the middle of them.
 */
#include <wpool/wpool.h>

#include "base/atomic.h"
#include "base/os.h"
#include "explore.h"

#define JOBS     4u
#define GAP_NS   UINT64_C(400000)
#define APART_NS UINT64_C(60000)  /* so far apart that the first doze takes about twice that */
#define SLACK_NS UINT64_C(100000) /* for what everybody does meanwhile */

static struct wp_pool *pool;
static wp_atomic_u32 ran[JOBS];
static uint64_t came[JOBS]; /* plain: its submitter's, then the job's */
static wp_atomic_u64 last_ended;

static uint64_t most(void)
{
	return explore_variant() ? SLACK_NS : GAP_NS + SLACK_NS;
}

static void make_pool(unsigned workers, size_t capacity)
{
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = workers;
	o.capacity = capacity;
	o.segment_size = 4;
	o.spin_ns = 1;
	o.poll_gap_ns = GAP_NS;
	explore_assert(wp_pool_create(&pool, &o) == 0);
}

static void one_worker(void)
{
	make_pool(1, 8);
}

static void two_workers(void)
{
	make_pool(2, 8);
}

static void one_worker_little_room(void)
{
	make_pool(1, 2);
}

/* ---- jobs ---- */

static int runs(void *payload)
{
	uint64_t *at = payload;
	explore_assert(wp__os_now_ns() - *at <= most());
	explore_assert(wp_add_rlx_u32(&ran[at - came], 1) == 0);
	wp_store_rlx_u64(&last_ended, wp__os_now_ns());
	return 0;
}

static void submit(uint32_t i)
{
	struct wp_job job = { .fn = runs, .payload = &came[i] };
	came[i] = wp__os_now_ns();
	explore_assert(wp_submit_job(pool, &job) == 0);
}

/* The first job comes out of the blue; the second one, soon after, makes the worker doze. */
static void submit_two(void)
{
	submit(0);
	wp__os_sleep(APART_NS);
	submit(1);
}

static void until_ran(uint32_t i)
{
	while (!wp_load_rlx_u32(&ran[i]))
		wp_spin_hint();
}

static void submit_in_doze(void)
{
	submit_two();
	until_ran(1);
	submit(2);
}

static void submit_another(void)
{
	until_ran(0);
	submit(3);
}

static void all_ran(void)
{
	explore_assert(wp_pool_shutdown(pool, WP_FOREVER, NULL) == 0);
	wp_pool_destroy(pool);
	for (uint32_t i = 0; i < JOBS; i++)
		explore_assert(wp_load_rlx_u32(&ran[i]) == (came[i] != 0));
}

#define DOZE_TEST(name_, setup_, ...)                                                   \
	EXPLORE_TEST(name_, .setup = setup_, .body = { __VA_ARGS__ }, .check = all_ran, \
		.no_leaks = true, .timeouts = -1, .stale = -1, .has_bug = true,         \
		.bug_says = "most()")

DOZE_TEST(doze_1w, one_worker, submit_in_doze);
DOZE_TEST(doze_1w2s, one_worker, submit_in_doze, submit_another);
DOZE_TEST(doze_2w, two_workers, submit_in_doze, submit_another);

/* ---- the counter of ticks jumps back before a doze, which is no longer for that ---- */

static int jumps_and_runs(void *payload)
{
	explore_ticks_jump_back(1000 * GAP_NS);
	return runs(payload);
}

static void submit_after_jump(void)
{
	submit(0);
	wp__os_sleep(APART_NS);
	struct wp_job job = { .fn = jumps_and_runs, .payload = &came[1] };
	came[1] = wp__os_now_ns();
	explore_assert(wp_submit_job(pool, &job) == 0);
	until_ran(1);
	submit(2);
}

EXPLORE_TEST(doze_ticks_jump_back, .setup = one_worker, .body = { submit_after_jump },
	.check = all_ran, .no_leaks = true, .timeouts = -1, .stale = -1);

/* ---- the end of a doze is early: deadlines pass at any time; nothing is lost ---- */

static int only_runs(void *payload)
{
	uint64_t *at = payload;
	explore_assert(wp_add_rlx_u32(&ran[at - came], 1) == 0);
	return 0;
}

static void submit_any(uint32_t i)
{
	struct wp_job job = { .fn = only_runs, .payload = &came[i] };
	came[i] = 1;
	explore_assert(wp_submit_job(pool, &job) == 0);
}

static void submit_three(void)
{
	submit_any(0);
	wp__os_sleep(APART_NS);
	submit_any(1);
	submit_any(2);
}

static void submit_fourth(void)
{
	wp__os_sleep(2 * APART_NS);
	submit_any(3);
}

EXPLORE_TEST(doze_ends_early, .setup = two_workers, .body = { submit_three, submit_fourth },
	.check = all_ran, .no_leaks = true, .timeouts = 3);

/* ---- who waits for rest is told before the doze, and not after it ---- */

static void rest_in_time(void)
{
	submit_two();
	explore_assert(wp_pool_wait(pool, WP_FOREVER) == 0);
	uint64_t ended = wp_load_rlx_u64(&last_ended);
	explore_assert(wp__os_now_ns() - ended <= APART_NS);
}

EXPLORE_TEST(doze_rest, .setup = one_worker, .body = { rest_in_time }, .check = all_ran,
	.no_leaks = true, .timeouts = -1, .stale = -1);

/* ---- a shutdown and a full lane wait for the end of the doze, and no longer ---- */

static void shut_down_in_doze(void)
{
	submit_two();
	until_ran(1);
	uint64_t begun = wp__os_now_ns();
	explore_assert(wp_pool_shutdown(pool, WP_FOREVER, NULL) == 0);
	explore_assert(wp__os_now_ns() - begun <= GAP_NS + SLACK_NS);
}

EXPLORE_TEST(doze_shutdown, .setup = two_workers, .body = { shut_down_in_doze }, .check = all_ran,
	.no_leaks = true, .timeouts = -1, .stale = -1);

static void submit_until_full(void)
{
	submit_two();
	until_ran(1);
	submit(2);
	uint64_t begun = wp__os_now_ns();
	submit(3);
	explore_assert(wp__os_now_ns() - begun <= GAP_NS + SLACK_NS);
}

EXPLORE_TEST(doze_full, .setup = one_worker_little_room, .body = { submit_until_full },
	.check = all_ran, .no_leaks = true, .timeouts = -1, .stale = -1);
