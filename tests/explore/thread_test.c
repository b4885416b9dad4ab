/* SPDX-License-Identifier: MIT */
/*
 * Jobs that give up or end their thread, while the pool is shut down or stopped, while their batch
 * is being rescued, and where no thread can be had. Each job runs once or is dropped, and each is
 * cleaned up once.
 */
#include <wpool/wpool.h>

#include "base/atomic.h"
#include "base/os.h"
#include "explore.h"

#define JOBS 4u

static struct wp_pool *pool;
static wp_atomic_u32 ran[JOBS], cleaned[JOBS], accepted;

static int job_runs(void *payload)
{
	explore_assert(wp_add_rlx_u32((wp_atomic_u32 *)payload, 1) == 0);
	return 0;
}

static int job_is_slow(void *payload)
{
	wp__os_sleep(5000000);
	return job_runs(payload);
}

static int job_panics(void *payload)
{
	job_runs(payload);
	wp_panic(-7, "as asked");
}

static int job_ends_thread(void *payload)
{
	job_runs(payload);
	explore_end_thread();
}

static int job_is_slow_and_ends_thread(void *payload)
{
	wp__os_sleep(5000000);
	return job_ends_thread(payload);
}

static void job_cleanup(void *payload)
{
	wp_atomic_u32 *at = payload;
	explore_assert(wp_add_rlx_u32(&cleaned[at - ran], 1) == 0);
}

static void cleanup_panics(void *payload)
{
	job_cleanup(payload);
	wp_panic(-8, "in the cleanup");
}

static struct wp_job job(uint32_t number, wp_job_fn fn)
{
	return (struct wp_job){ .fn = fn, .payload = &ran[number], .cleanup = job_cleanup };
}

/* Waits for job 3, which its own worker may have to run, and which ends the thread. */
static int job_waits(void *payload)
{
	struct wp_job inner = job(3, job_ends_thread);
	int result = wp_submit_wait(pool, &inner);
	explore_assert(result == WP_EPANIC || result == WP_ECLOSED || result == WP_EDROPPED);
	explore_assert(wp_load_rlx_u32(&cleaned[3]) == (result != WP_ECLOSED));
	wp_add_rlx_u32(&accepted, result != WP_ECLOSED);
	return job_runs(payload);
}

static void make_pool(unsigned workers)
{
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = workers;
	o.capacity = 8;
	o.segment_size = 4;
	/* Threads are among what may be refused once. */
	if (wp_pool_create(&pool, &o))
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

/* ---- bodies ---- */

static void submit_three(wp_job_fn first, wp_job_fn second, wp_job_fn third)
{
	struct wp_job jobs[3] = { job(0, first), job(1, second), job(2, third) };
	if (second == job_panics)
		jobs[1].cleanup = cleanup_panics;
	ssize_t n = wp_submit_batch(pool, jobs, 3);
	explore_assert(n == 3 || n == WP_ECLOSED);
	wp_add_rlx_u32(&accepted, n == 3 ? 3 : 0);
}

static void submit_ends(void)
{
	submit_three(job_ends_thread, job_runs, job_ends_thread);
}

static void submit_panics(void)
{
	submit_three(job_panics, job_panics, job_runs);
}

static void submit_waits(void)
{
	struct wp_job waits = job(0, job_waits);
	int error = wp_submit_job(pool, &waits);
	explore_assert(error == 0 || error == WP_ECLOSED);
	wp_add_rlx_u32(&accepted, error == 0);
}

static void drain(void)
{
	explore_assert(wp_pool_shutdown(pool, WP_FOREVER, NULL) == 0);
}

static void discard(void)
{
	explore_assert(wp_pool_stop(pool, NULL) == 0);
}

static void ends_then_drain(void)
{
	submit_ends();
	drain();
}

static void panics_then_drain(void)
{
	submit_panics();
	drain();
}

static void panics_then_discard(void)
{
	submit_panics();
	discard();
}

static void slow_then_drain(void)
{
	submit_three(job_is_slow_and_ends_thread, job_is_slow, job_runs);
	drain();
}

/* ---- afterwards ---- */

static void check(bool all)
{
	uint32_t runs = 0, cleanups = 0;
	wp_pool_destroy(pool);
	for (uint32_t i = 0; i < JOBS; i++) {
		runs += wp_load_rlx_u32(&ran[i]);
		cleanups += wp_load_rlx_u32(&cleaned[i]);
	}
	uint32_t n = wp_load_rlx_u32(&accepted);
	explore_assert(cleanups == n && runs <= n && (!all || runs == n));
}

static void all_ran(void)
{
	check(true);
}

static void all_cleaned(void)
{
	check(false);
}

EXPLORE_TEST(thread_1w_panic_drain, .setup = one_worker, .body = { panics_then_drain },
	.check = all_ran, .no_leaks = true);

EXPLORE_TEST(thread_2w_panic_stop, .setup = two_workers, .body = { panics_then_discard },
	.check = all_cleaned, .no_leaks = true);

EXPLORE_TEST(thread_1w_replaced_drain, .setup = one_worker, .body = { ends_then_drain },
	.check = all_ran, .no_leaks = true);

EXPLORE_TEST(thread_1w_replaced_shutdown, .setup = one_worker, .body = { submit_ends, drain },
	.check = all_ran, .no_leaks = true);

EXPLORE_TEST(thread_1w_replaced_stop, .setup = one_worker, .body = { submit_ends, discard },
	.check = all_cleaned, .no_leaks = true);

EXPLORE_TEST(thread_1w_nested_shutdown, .setup = one_worker, .body = { submit_waits, drain },
	.check = all_ran, .no_leaks = true);

EXPLORE_TEST(thread_2w_nested_stop, .setup = two_workers, .body = { submit_waits, discard },
	.check = all_cleaned, .no_leaks = true);

/* The other worker takes back what the dying one has not started. */
EXPLORE_TEST(thread_2w_replaced_rescue, .setup = two_workers, .body = { slow_then_drain },
	.check = all_ran, .no_leaks = true);

/* Its thread cannot be replaced once, and goes on. */
EXPLORE_TEST(thread_1w_refused_drain, .setup = one_worker, .body = { ends_then_drain },
	.check = all_ran, .alloc_failures = 1, .no_leaks = true);
