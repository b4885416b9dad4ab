/* SPDX-License-Identifier: MIT */
/*
 * Whole pools: workers, parking, lane and lifecycle together. The searches reach only a small part
 * of what is possible here; each layer has tests of its own.
 */
#include <wpool/wpool.h>

#include "base/atomic.h"
#include "base/os.h"
#include "explore.h"

#define JOBS 4u

static struct wp_pool *pool;
static wp_atomic_u32 ran[JOBS], cleaned[JOBS], accepted[JOBS], submitters_done;

static int job_runs(void *payload)
{
	wp_atomic_u32 *at = payload;
	explore_assert(wp_add_rlx_u32(at, 1) == 0);
	return 0;
}

static int job_is_slow(void *payload)
{
	wp__os_sleep(5000000);
	return job_runs(payload);
}

static void job_cleanup(void *payload)
{
	wp_atomic_u32 *at = payload;
	explore_assert(wp_add_rlx_u32(&cleaned[at - ran], 1) == 0);
}

static struct wp_job job(uint32_t number, wp_job_fn fn)
{
	return (struct wp_job){ .fn = fn, .payload = &ran[number], .cleanup = job_cleanup };
}

static void make_pool(unsigned workers, size_t capacity, uint32_t segment_size)
{
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = workers;
	o.capacity = capacity;
	o.segment_size = segment_size;
	explore_assert(wp_pool_create(&pool, &o) == 0);
}

static void one_worker(void)
{
	make_pool(1, 2, 1);
}

static void two_workers(void)
{
	make_pool(2, 2, 1);
}

static void two_workers_large_segments(void)
{
	make_pool(2, 8, 4);
}

/* ---- bodies ---- */

static void submit(uint32_t number)
{
	struct wp_job j = job(number, job_runs);
	int error = wp_submit_job(pool, &j);
	explore_assert(error == 0 || error == WP_ECLOSED);
	wp_store_rlx_u32(&accepted[number], error == 0);
	wp_add_rel_u32(&submitters_done, 1);
}

static void submit_0(void)
{
	submit(0);
}

static void submit_1(void)
{
	submit(1);
}

static void submit_batch(wp_job_fn fn)
{
	struct wp_job jobs[3];
	for (uint32_t i = 0; i < 3; i++) {
		jobs[i] = job(i, fn);
		wp_store_rlx_u32(&accepted[i], 1);
	}
	explore_assert(wp_submit_batch(pool, jobs, 3) == 3);
}

static void submit_and_wait(void)
{
	struct wp_job j = job(3, job_runs);
	int error = wp_submit_wait(pool, &j);
	explore_assert(error == 0 || error == WP_ECLOSED);
	explore_assert(wp_load_rlx_u32(&ran[3]) == (error == 0));
	wp_store_rlx_u32(&accepted[3], error == 0);
}

static void drain(void)
{
	explore_assert(wp_pool_shutdown(pool, WP_FOREVER, NULL) == 0);
}

static void discard(void)
{
	explore_assert(wp_pool_stop(pool, NULL) == 0);
}

static void submit_1_then_drain(void)
{
	submit(1);
	while (wp_load_acq_u32(&submitters_done) < 2)
		wp_spin_hint();
	drain();
}

static void submit_0_wait_idle(void)
{
	submit(0);
	explore_assert(wp_pool_wait(pool, WP_FOREVER) == 0);
	explore_assert(wp_load_rlx_u32(&ran[0]) == 1);
}

static void submit_1_wait_idle(void)
{
	submit(1);
	explore_assert(wp_pool_wait(pool, WP_FOREVER) == 0);
	explore_assert(wp_load_rlx_u32(&ran[1]) == 1);
}

static void batch_then_drain(void)
{
	submit_batch(job_runs);
	drain();
}

static void slow_batch_then_drain(void)
{
	submit_batch(job_is_slow);
	drain();
}

static void batch_then_discard(void)
{
	submit_batch(job_runs);
	discard();
}

/* ---- afterwards: every accepted job ran once (or was dropped), and was cleaned up once ---- */

static void all_ran(void)
{
	wp_pool_destroy(pool);
	for (uint32_t i = 0; i < JOBS; i++) {
		uint32_t once = wp_load_rlx_u32(&accepted[i]);
		explore_assert(wp_load_rlx_u32(&ran[i]) == once);
		explore_assert(wp_load_rlx_u32(&cleaned[i]) == once);
	}
}

static void all_cleaned(void)
{
	wp_pool_destroy(pool);
	for (uint32_t i = 0; i < JOBS; i++) {
		uint32_t once = wp_load_rlx_u32(&accepted[i]);
		explore_assert(wp_load_rlx_u32(&ran[i]) <= once);
		explore_assert(wp_load_rlx_u32(&cleaned[i]) == once);
	}
}

EXPLORE_TEST(pool_1w2s, .setup = one_worker, .body = { submit_0, submit_1_then_drain },
	.check = all_ran, .no_leaks = true);

EXPLORE_TEST(pool_2w2s, .setup = two_workers, .body = { submit_0, submit_1_then_drain },
	.check = all_ran, .no_leaks = true);

EXPLORE_TEST(pool_1w_wait, .setup = one_worker, .body = { submit_0_wait_idle, submit_1_wait_idle },
	.check = all_ran, .no_leaks = true);

EXPLORE_TEST(pool_2w_batch, .setup = two_workers_large_segments, .body = { batch_then_drain },
	.check = all_ran, .no_leaks = true);

EXPLORE_TEST(pool_2w_slow, .setup = two_workers_large_segments, .body = { slow_batch_then_drain },
	.check = all_ran, .no_leaks = true);

/* ---- against shutdown and stop ---- */

EXPLORE_TEST(pool_1w_submit_shutdown, .setup = one_worker, .body = { submit_0, drain },
	.check = all_ran, .no_leaks = true);

EXPLORE_TEST(pool_2w_submit_shutdown, .setup = two_workers, .body = { submit_0, submit_1, drain },
	.check = all_ran, .no_leaks = true);

EXPLORE_TEST(pool_2w_submit_stop, .setup = two_workers, .body = { submit_0, submit_1, discard },
	.check = all_cleaned, .no_leaks = true);

EXPLORE_TEST(pool_2w_wait_shutdown, .setup = two_workers_large_segments,
	.body = { batch_then_drain, submit_and_wait }, .check = all_ran, .no_leaks = true);

EXPLORE_TEST(pool_2w_batch_stop, .setup = two_workers_large_segments,
	.body = { batch_then_discard }, .check = all_cleaned, .no_leaks = true);
