/* SPDX-License-Identifier: MIT */
/*
 * Whole pools: those who wait. For rest, with workers that park by themselves; for a job, inside of
 * another job; and what a job wrote as plain memory is there after a wait.
 */
#include <wpool/wpool.h>

#include "base/atomic.h"
#include "explore.h"

static struct wp_pool *pool;
static uint32_t effect[3]; /* plain */

static int writes(void *payload)
{
	uint32_t *at = payload;
	*at = 1;
	return 0;
}

static void make_pool(unsigned workers)
{
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = workers;
	o.capacity = 4;
	o.segment_size = 4;
	o.spin_ns = 1; /* to the sleep handshake as soon as possible */
	explore_assert(wp_pool_create(&pool, &o) == 0);
}

static void one_worker(void)
{
	make_pool(1);
}

static void two_workers(void)
{
	make_pool(2);
}

static void destroy(void)
{
	wp_pool_destroy(pool);
}

static void submit_and_rest(unsigned i)
{
	struct wp_job job = { .fn = writes, .payload = &effect[i] };
	explore_assert(wp_submit_job(pool, &job) == 0);
	explore_assert(wp_pool_wait(pool, WP_FOREVER) == 0);
	explore_assert(effect[i] == 1);
}

static void rest_0(void)
{
	submit_and_rest(0);
}

static void rest_1(void)
{
	submit_and_rest(1);
}

EXPLORE_TEST(
	pool_wait_1w, .setup = one_worker, .body = { rest_0 }, .check = destroy, .no_leaks = true);

EXPLORE_TEST(
	pool_wait_2w, .setup = two_workers, .body = { rest_0 }, .check = destroy, .no_leaks = true);

EXPLORE_TEST(pool_wait_2w2s, .setup = two_workers, .body = { rest_0, rest_1 }, .check = destroy,
	.no_leaks = true);

/* ---- a job waits for a job of its own ---- */

static int waits_for_one(void *payload)
{
	struct wp_job inner = { .fn = writes, .payload = payload };
	explore_assert(wp_submit_wait(pool, &inner) == 0);
	explore_assert(*(uint32_t *)payload == 1);
	return 0;
}

static void submit_nested(void)
{
	struct wp_job outer = { .fn = waits_for_one, .payload = &effect[0] };
	explore_assert(wp_submit_wait(pool, &outer) == 0);
	explore_assert(effect[0] == 1);
}

static void submit_nested_and_another(void)
{
	struct wp_job outer = { .fn = waits_for_one, .payload = &effect[0] };
	struct wp_job other = { .fn = writes, .payload = &effect[1] };
	explore_assert(wp_submit_job(pool, &other) == 0);
	explore_assert(wp_submit_wait(pool, &outer) == 0);
	explore_assert(effect[0] == 1);
}

EXPLORE_TEST(pool_nested_1w, .setup = one_worker, .body = { submit_nested }, .check = destroy,
	.no_leaks = true);

EXPLORE_TEST(pool_nested_2w, .setup = two_workers, .body = { submit_nested }, .check = destroy,
	.no_leaks = true);

EXPLORE_TEST(pool_nested_2w_other, .setup = two_workers, .body = { submit_nested_and_another },
	.check = destroy, .no_leaks = true);

/* ---- against the end: accepted before the close, run; else refused ---- */

static void submit_or_closed(void)
{
	struct wp_job job = { .fn = writes, .payload = &effect[2] };
	int error = wp_submit_wait(pool, &job);
	explore_assert(error == 0 || error == WP_ECLOSED);
	if (error == 0)
		explore_assert(effect[2] == 1);
}

static void submit_or_dropped(void)
{
	struct wp_job job = { .fn = writes, .payload = &effect[2] };
	int error = wp_submit_wait(pool, &job);
	explore_assert(error == 0 || error == WP_ECLOSED || error == WP_EDROPPED);
	if (error == 0)
		explore_assert(effect[2] == 1);
}

static void shut_down(void)
{
	explore_assert(wp_pool_shutdown(pool, WP_FOREVER, NULL) == 0);
}

static void stop(void)
{
	struct wp_stop_report report;
	explore_assert(wp_pool_stop(pool, &report) == 0);
	explore_assert(report.running == 0 && report.completed + report.dropped <= 1);
}

EXPLORE_TEST(pool_wait_shutdown, .setup = one_worker, .body = { submit_or_closed, shut_down },
	.check = destroy, .no_leaks = true);

EXPLORE_TEST(pool_wait_stop, .setup = one_worker, .body = { submit_or_dropped, stop },
	.check = destroy, .no_leaks = true);

EXPLORE_TEST(pool_wait_stop_2w, .setup = two_workers, .body = { submit_or_dropped, stop },
	.check = destroy, .no_leaks = true);
