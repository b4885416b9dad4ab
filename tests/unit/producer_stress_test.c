/* SPDX-License-Identifier: MIT */
/* Producers on many threads: the end of the pool, wake-ups, and doing nothing. */
#define _GNU_SOURCE
#include <string.h>
#include <sys/resource.h>

#include "base/rng.h"
#include "hooks.h"
#include "pool.h"
#include "wakes.h"

/* ---- the pool is closed while eight producers submit ---- */

#define SUBMITTERS 8u

struct ending {
	struct wp_pool *pool;
	wp_atomic_u64 accepted, ran, cleaned, refused;
	wp_atomic_u64 submits;
	unsigned slow;
};

static struct ending ending;

static int run_job(void *payload)
{
	(void)payload;
	wp_add_rlx_u64(&ending.ran, 1);
	if (ending.slow)
		wp__os_sleep(ending.slow);
	return 0;
}

static void clean_job(void *payload)
{
	(void)payload;
	wp_add_rlx_u64(&ending.cleaned, 1);
}

/* One submit of some kind: how many jobs went in, or an error. */
static ssize_t submit_somehow(struct wp_producer *p, uint64_t kind)
{
	struct wp_job job = { .fn = run_job, .cleanup = clean_job }, jobs[5];
	size_t n = 3;
	switch (kind) {
	case 0:
		for (unsigned i = 0; i < 5; i++)
			jobs[i] = job;
		return wp_producer_submit_batch(p, jobs, 5);
	case 1: {
		struct wp_job *room = wp_producer_reserve(p, &n);
		if (!room)
			return 0;
		for (size_t i = 0; i < n; i++)
			room[i] = job;
		wp_add_rlx_u64(&ending.refused, n); /* accepted or refused: both have cleanups */
		wp_producer_commit(p, n);
		return 0;
	}
	case 2: {
		int error = wp_producer_try_submit(p, &job);
		return error == WP_EFULL ? 0 : error ? error : 1;
	}
	default: {
		int error = wp_producer_submit_job(p, &job);
		return error ? error : 1;
	}
	}
}

static void submit_until_closed(void *arg, unsigned me)
{
	struct wp_producer *p;
	struct wp__rng rng = { me + (uint64_t)(uintptr_t)arg };
	if (wp_producer_open(&p, ending.pool) != 0)
		return;
	ssize_t n;
	while ((n = submit_somehow(p, wp__rng_below(&rng, 6))) >= 0) {
		wp_add_rlx_u64(&ending.accepted, (uint64_t)n);
		wp_add_rlx_u64(&ending.submits, 1);
	}
	t_assert_int_eq(n, WP_ECLOSED);
	wp_producer_close(p);
}

static void end_somehow(unsigned round)
{
	struct wp_stop_report r;
	int error;
	switch (round % 3) {
	case 0:
		error = wp_pool_shutdown(ending.pool, wp_after_ns(POOL_WATCHDOG_NS), &r);
		t_assert_int_eq(error, 0);
		break;
	case 1:
		error = wp_pool_shutdown(ending.pool, wp_after_ns(20000), &r);
		t_assert(error == 0 || error == WP_EFORCED);
		if (error == 0)
			break;
		t_assert_int_eq(wp_pool_stop(ending.pool, &r), 0);
		break;
	default:
		t_assert_int_eq(wp_pool_stop(ending.pool, &r), 0);
		break;
	}
	t_assert_u64_eq(r.running, 0);
	t_assert_u64_eq(r.cancelled, 0);
}

static void one_ending(unsigned round)
{
	struct crew crew;
	struct wp_options o = WP_OPTIONS_INIT;
	memset(&ending, 0, sizeof(ending));
	ending.slow = round % 3 == 1 ? 1000 : 0;
	o.workers = 1 + round % 3;
	o.producer_capacity = 1 + round % 40;
	o.segment_size = 1 + round % 16;
	ending.pool = pool_make(&o);
	crew_start(&crew, SUBMITTERS, submit_until_closed, (void *)(uintptr_t)round);
	uint64_t some = round % 7 * 20;
	pool_until(wp_load_rlx_u64(&ending.submits) >= some);
	end_somehow(round);
	crew_join(&crew);
	struct wp_stats s = pool_stats(ending.pool);
	t_assert_u64_eq(s.completed + s.dropped, s.submitted);
	t_assert_u64_eq(s.completed, wp_load_rlx_u64(&ending.ran));
	/* Those that were reserved were accepted, or refused and cleaned up. */
	uint64_t cleaned = wp_load_rlx_u64(&ending.cleaned);
	uint64_t reserved = wp_load_rlx_u64(&ending.refused);
	t_assert_u64_eq(cleaned, wp_load_rlx_u64(&ending.accepted) + reserved);
	t_assert(s.submitted <= cleaned);
	t_assert(s.submitted >= wp_load_rlx_u64(&ending.accepted));
	t_assert(cleaned - s.submitted <= s.rejected_closed);
	pool_destroy(ending.pool);
}

T_TEST_TIMEOUT(producer_stress, the_pool_ends_while_eight_submit, 300)
{
	uint64_t rounds = t_scaled(1000);
	for (unsigned round = 0; round < rounds; round++)
		one_ending(round);
}

T_TEST_TIMEOUT(producer_stress, the_pool_ends_under_chaos, 300)
{
	uint64_t rounds = t_scaled(100);
	wp__chaos(5, 100, 4);
	for (unsigned round = 0; round < rounds; round++)
		one_ending(round);
}

/* Without membarrier from the beginning, and with one that fails later. */
T_TEST_TIMEOUT(producer_stress, the_pool_ends_without_membarrier, 300)
{
	uint64_t rounds = t_scaled(100);
	for (unsigned round = 0; round < rounds; round++) {
		wp__fault_arm(WP_FAULT_MEMBARRIER, 1 + round % 2, true, 38);
		one_ending(round);
		wp__fault_disarm();
	}
}

/* ---- one job at a time ---- */

static void wake_up(unsigned workers, unsigned producers, uint64_t rounds)
{
	struct wakes s = { .own_lane = true, .rounds = rounds, .sleeps = 2, .longest_ns = 200000 };
	wake_up_in(s, workers, producers);
}

/* Here a worker naps for a millisecond before it parks; the pauses must be longer. */
static void wake_up_from_naps(unsigned workers, unsigned producers, uint64_t rounds)
{
	struct wakes s = {
		.own_lane = true, .rounds = rounds, .sleeps = 16, .longest_ns = 4000000
	};
	wake_up_in(s, workers, producers);
}

T_TEST_TIMEOUT(producer_stress, no_wake_up_is_lost, 300)
{
	wake_up(1, 1, 400000);
	wake_up(2, 1, 300000);
	wake_up(2, 2, 150000);
	wake_up(4, 3, 50000);
}

T_TEST_TIMEOUT(producer_stress, no_wake_up_is_lost_under_chaos, 300)
{
	for (uint64_t seed = 0; seed < 3; seed++) {
		wp__chaos(seed, 100, 4);
		wake_up(1 + (unsigned)seed, 1 + (unsigned)seed % 2, 20000);
	}
}

T_TEST_TIMEOUT(producer_stress, no_wake_up_is_lost_without_membarrier, 300)
{
	wp__fault_arm(WP_FAULT_MEMBARRIER, 1, true, 38);
	wake_up(1, 1, 200000);
	wake_up(2, 2, 50000);
	wp__fault_arm(WP_FAULT_MEMBARRIER, 2, true, 1); /* registered, and then forbidden */
	wake_up_from_naps(1, 1, 2000);
	wake_up_from_naps(2, 2, 1000);
	wp__fault_disarm();
}

/* ---- nothing to do ---- */

static struct rusage usage(void)
{
	struct rusage u;
	t_assert_int_eq(getrusage(RUSAGE_SELF, &u), 0);
	return u;
}

static uint64_t cpu_ns(const struct rusage *u)
{
	return (uint64_t)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) * 1000000000 +
	       (uint64_t)(u->ru_utime.tv_usec + u->ru_stime.tv_usec) * 1000;
}

/* This thread sleeps once in the window; nobody else is to be scheduled at all. */
static void expect_idle(struct wp_pool *pool)
{
	pool_expect_asleep(pool);
	for (int tries = 1;; tries++) {
		wp__os_sleep(20000000);
		struct rusage before = usage();
		wp__os_sleep(2000000000);
		struct rusage after = usage();
		long switches = after.ru_nvcsw - before.ru_nvcsw;
		uint64_t cpu = cpu_ns(&after) - cpu_ns(&before);
		if (switches <= 1 && cpu < 1000000)
			return;
		t_assert_msg(tries < 3, "%ld voluntary switches, %llu ns", switches,
			(unsigned long long)cpu);
	}
}

T_TEST(producer_stress, a_hundred_idle_producers_cost_nothing)
{
	wp_atomic_u64 ran = { 0 };
	struct wp_producer *p[100];
	if (T_SANITIZED)
		t_skip("the sanitizer has a thread of its own");
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = 4;
	struct wp_pool *pool = pool_make(&o);
	for (unsigned i = 0; i < 100; i++)
		p[i] = producer_in(pool);
	expect_idle(pool);
	for (unsigned i = 0; i < 10000; i++)
		t_assert_int_eq(wp_producer_submit(p[i % 100], count_fn, &ran), 0);
	pool_wait(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 10000);
	expect_idle(pool);
	for (unsigned i = 0; i < 100; i++)
		wp_producer_close(p[i]);
	pool_end(pool);
}
