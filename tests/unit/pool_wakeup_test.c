/* SPDX-License-Identifier: MIT */
/* No wake-up is lost, and none costs more than it must. */
#include <string.h>

#include "base/rng.h"
#include "hooks.h"
#include "pool.h"
#include "t.h"
#include "wakes.h"

/* ---- one job at a time ---- */

static void wake_up(unsigned workers, unsigned producers, uint64_t rounds)
{
	struct wakes s = { .rounds = rounds, .sleeps = 2, .longest_ns = 200000 };
	wake_up_in(s, workers, producers);
}

T_TEST_TIMEOUT(pool_wakeup, one_at_a_time_one_worker, 300)
{
	wake_up(1, 1, 400000);
}

T_TEST_TIMEOUT(pool_wakeup, one_at_a_time_two_workers, 300)
{
	wake_up(2, 1, 300000);
}

T_TEST_TIMEOUT(pool_wakeup, one_at_a_time_four_workers, 300)
{
	wake_up(4, 1, 150000);
}

T_TEST_TIMEOUT(pool_wakeup, one_at_a_time_two_producers, 300)
{
	wake_up(2, 2, 100000);
}

T_TEST_TIMEOUT(pool_wakeup, one_at_a_time_under_chaos, 300)
{
	for (uint64_t seed = 0; seed < 3; seed++) {
		wp__chaos(seed, 100, 4);
		wake_up(1 + (unsigned)seed, 1 + (unsigned)seed % 2, 30000);
	}
}

/* ---- jobs that wait for each other ---- */

struct barrier {
	unsigned size;
	wp_atomic_u32 here;
};

static int meet(void *payload)
{
	struct barrier *b = payload;
	wp_add_rlx_u32(&b->here, 1);
	for (unsigned spins = 1; wp_load_rlx_u32(&b->here) < b->size; spins++) {
		if (spins < 20)
			wp__os_yield();
		else
			wp__os_sleep(20000);
	}
	return 0;
}

static void hold_meeting(struct wp_pool *pool, unsigned size, bool at_once)
{
	struct barrier b = { .size = size };
	struct wp_job jobs[16];
	for (unsigned i = 0; i < size; i++)
		jobs[i] = (struct wp_job){ .fn = meet, .payload = &b };
	if (at_once)
		t_assert_int_eq(wp_submit_batch(pool, jobs, size), size);
	else
		for (unsigned i = 0; i < size; i++)
			t_assert_int_eq(wp_submit(pool, meet, &b), 0);
	pool_wait(pool);
}

/*
 * Workers claim one job at a time here, because what a worker has claimed with a job that blocks
 * waits behind it.
 */
static struct wp_pool *claim_by_ones(unsigned workers, uint32_t segment_size)
{
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = workers;
	o.segment_size = segment_size;
	o.batch_max = 1;
	return pool_make(&o);
}

/* Before anything has run, a claim is one job. */
T_TEST(pool_wakeup, as_many_jobs_as_workers_in_a_new_pool)
{
	for (unsigned workers = 2; workers <= 16; workers++) {
		for (uint64_t round = 0; round < t_scaled(10); round++) {
			struct wp_pool *pool = pool_of(workers, 64, 16);
			if (round % 2)
				pool_until(pool_sleeps(pool));
			hold_meeting(pool, workers, round % 4 < 2);
			pool_end(pool);
		}
	}
}

T_TEST(pool_wakeup, as_many_jobs_as_workers_run_at_the_same_time)
{
	for (unsigned workers = 2; workers <= 16; workers++) {
		struct wp_pool *pool = claim_by_ones(workers, workers % 3 ? 16 : 1);
		for (uint64_t round = 0; round < t_scaled(70); round++) {
			if (round % 4 == 0)
				pool_until(pool_sleeps(pool));
			hold_meeting(pool, workers, round % 2);
		}
		pool_end(pool);
	}
}

/* The same where workers believe that jobs are cheap, and somebody stays active who is stuck. */
T_TEST(pool_wakeup, as_many_jobs_as_workers_after_cheap_jobs)
{
	for (unsigned workers = 2; workers <= 16; workers += 2) {
		struct wp_pool *pool = claim_by_ones(workers, 1024);
		wp_atomic_u64 ran = { 0 };
		for (uint64_t round = 0; round < t_scaled(40); round++) {
			for (unsigned i = 0; i < 400; i++)
				t_assert_int_eq(wp_submit(pool, count_fn, &ran), 0);
			if (round % 3 == 0)
				pool_wait(pool);
			hold_meeting(pool, workers, round % 2);
		}
		pool_end(pool);
	}
}

/* One job of a stream of cheap ones needs another job that comes later. */
T_TEST(pool_wakeup, a_blocking_job_in_a_stream_of_cheap_ones)
{
	struct wp_pool *pool = claim_by_ones(4, 64);
	wp_atomic_u64 ran = { 0 };
	for (uint64_t round = 0; round < t_scaled(300); round++) {
		static struct gate gate;
		memset(&gate, 0, sizeof(gate));
		for (unsigned i = 0; i < 100; i++)
			t_assert_int_eq(wp_submit(pool, count_fn, &ran), 0);
		t_assert_int_eq(wp_submit(pool, gate_fn, &gate), 0);
		pool_until(wp_load_acq_u32(&gate.entered));
		uint64_t before = wp_load_rlx_u64(&ran);
		t_assert_int_eq(wp_submit(pool, count_fn, &ran), 0);
		pool_until(wp_load_rlx_u64(&ran) > before);
		gate_open(&gate);
		pool_wait(pool);
	}
	pool_end(pool);
}

/*
 * The same where only one worker ever woke up: jobs come one after the other, each done before the
 * next, and then one blocks. Somebody must have been told to stand by.
 */
T_TEST(pool_wakeup, a_blocking_job_after_single_cheap_ones)
{
	static struct gate gate;
	struct wp_pool *pool = claim_by_ones(4, 64);
	wp_atomic_u64 ran = { 0 };
	uint64_t n = 0;
	for (uint64_t round = 0; round < t_scaled(200); round++) {
		memset(&gate, 0, sizeof(gate));
		pool_expect_asleep(pool);
		for (unsigned i = 0; i < 40; i++) {
			t_assert_int_eq(wp_submit(pool, count_fn, &ran), 0);
			for (n++; wp_load_rlx_u64(&ran) != n;)
				wp__os_yield();
		}
		t_assert_int_eq(wp_submit(pool, gate_fn, &gate), 0);
		t_assert_int_eq(wp_submit(pool, count_fn, &ran), 0);
		n++;
		pool_until(wp_load_rlx_u64(&ran) == n);
		pool_until(wp_load_acq_u32(&gate.entered) == 1);
		gate_open(&gate);
		pool_wait(pool);
	}
	pool_end(pool);
}

/* ---- what a submit costs ---- */

static _Thread_local bool counting;
static wp_atomic_u64 wakes_by_producer, armed;

static void count_wakes(const char *label)
{
	if (counting && (strcmp(label, "K8") == 0 || strcmp(label, "W3") == 0))
		wp_add_rlx_u64(&wakes_by_producer, 1);
	if (strcmp(label, "P1") == 0)
		wp_add_rlx_u64(&armed, 1);
}

T_TEST(pool_wakeup, a_burst_costs_the_producer_one_wake_up)
{
	struct wp_pool *pool = pool_of(4, 4096, 1024);
	static wp_atomic_u64 ran;
	static struct wp_job jobs[1000];
	for (int i = 0; i < 1000; i++)
		jobs[i] = (struct wp_job){ .fn = count_fn, .payload = &ran };
	wp__set_point_hook(count_wakes);
	counting = true;
	for (uint64_t round = 1; round <= 50; round++) {
		pool_expect_asleep(pool);
		wp_store_rlx_u64(&wakes_by_producer, 0);
		t_assert_int_eq(wp_submit_batch(pool, jobs, 1000), 1000);
		t_assert_u64_eq(wp_load_rlx_u64(&wakes_by_producer), 1);
		pool_wait(pool);
		t_assert_u64_eq(wp_load_rlx_u64(&ran), round * 1000);
	}
	/* One by one: a wake-up for each time that the workers had gone to sleep, no more. */
	for (uint64_t round = 0; round < 50; round++) {
		pool_expect_asleep(pool);
		wp_store_rlx_u64(&wakes_by_producer, 0);
		wp_store_rlx_u64(&armed, 1);
		for (int i = 0; i < 1000; i++)
			t_assert_int_eq(wp_submit(pool, count_fn, &ran), 0);
		t_assert(wp_load_rlx_u64(&wakes_by_producer) >= 1);
		t_assert(wp_load_rlx_u64(&wakes_by_producer) <= wp_load_rlx_u64(&armed));
		pool_wait(pool);
	}
	wp__set_point_hook(NULL);
	pool_end(pool);
}

T_TEST(pool_wakeup, no_call_while_all_are_busy)
{
	struct wp_pool *pool = pool_of(1, 4096, 64);
	static struct gate gate;
	static wp_atomic_u64 ran;
	gate_hold(&gate, pool, 1);
	wp__fault_reset_counts();
	for (int i = 0; i < 1000; i++)
		t_assert_int_eq(wp_submit(pool, count_fn, &ran), 0);
	t_assert_u64_eq(wp__fault_calls(WP_FAULT_FUTEX_WAKE), 0);
	t_assert_u64_eq(wp__fault_calls(WP_FAULT_FUTEX_WAIT), 0);
	gate_open(&gate);
	pool_wait(pool);
	pool_end(pool);
}

/* While one worker is there for what comes, the others sleep on. */
T_TEST(pool_wakeup, a_single_job_wakes_a_single_worker)
{
	struct wp_pool *pool = pool_of(8, 64, 16);
	static wp_atomic_u64 ran;
	for (uint64_t round = 0; round < 50; round++) {
		pool_expect_asleep(pool);
		uint64_t before = pool_stats(pool).wakes;
		t_assert_int_eq(wp_submit(pool, count_fn, &ran), 0);
		pool_wait(pool);
		pool_expect_asleep(pool);
		t_assert_u64_eq(pool_stats(pool).wakes - before, 1);
	}
	pool_end(pool);
}
