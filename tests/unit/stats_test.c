/* SPDX-License-Identifier: MIT */
#include <wpool/stats.h>

#include <string.h>

#include "hooks.h"
#include "pool.h"
#include "t.h"

static wp_atomic_u64 ran;

T_TEST(stats, arguments)
{
	struct wp_pool *pool = pool_of(1, 8, 4);
	struct wp_stats s = WP_STATS_INIT;
	t_assert_int_eq(wp_pool_stats(NULL, &s), WP_EINVAL);
	t_assert_int_eq(wp_pool_stats(pool, NULL), WP_EINVAL);
	s.size--;
	s.completed = 77;
	t_assert_int_eq(wp_pool_stats(pool, &s), WP_EINVAL);
	t_assert_u64_eq(s.completed, 77);
	pool_end(pool);
}

T_TEST(stats, of_a_new_pool)
{
	struct wp_pool *pool = pool_of(3, 8, 4);
	pool_expect_asleep(pool);
	/* A worker can be picked before it has counted its sleep. */
	pool_until(pool_stats(pool).parks >= 3);
	struct wp_stats s = pool_stats(pool);
	t_assert_u64_eq(s.size, sizeof(s));
	t_assert_u64_eq(s.workers_alive, 3);
	t_assert_u64_eq(s.workers_busy, 0);
	t_assert_u64_eq(s.workers_idle, 3);
	t_assert_u64_eq(s.queued + s.running + s.submitted + s.completed + s.failed, 0);
	t_assert_u64_eq(s.panicked + s.cancelled + s.dropped + s.batches + s.wakes, 0);
	t_assert_u64_eq(s.rejected_full + s.rejected_timeout + s.rejected_closed, 0);
	t_assert_u64_eq(s.run_ns_average + s.run_ns_max, 0);
	t_assert_int_eq(s.last_error, 0);
	t_assert_u64_eq(s.segments_touched, 0);
	uint64_t uptime = s.uptime_ns;
	wp__os_sleep(2000000);
	t_assert(pool_stats(pool).uptime_ns >= uptime + 2000000);
	pool_end(pool);
}

T_TEST(stats, of_a_busy_pool)
{
	struct wp_pool *pool = pool_of(3, 100, 16);
	struct gate gate = { 0 };
	gate_hold(&gate, pool, 2);
	pool_until(pool_stats(pool).workers_idle == 1);
	struct wp_stats s = pool_stats(pool);
	t_assert_u64_eq(s.workers_busy, 2);
	t_assert_u64_eq(s.running, 2);
	t_assert_u64_eq(s.queued, 0);
	t_assert_u64_eq(s.submitted, 2);
	t_assert_u64_eq(s.completed, 0);
	t_assert_int_eq(wp_submit(pool, gate_fn, &gate), 0);
	pool_until(wp_load_acq_u32(&gate.entered) == 3);
	for (int i = 0; i < 40; i++)
		t_assert_int_eq(wp_submit(pool, count_fn, &ran), 0);
	s = pool_stats(pool);
	t_assert_u64_eq(s.queued, 40);
	t_assert_u64_eq(s.running, 3);
	t_assert_u64_eq(s.workers_idle, 0);
	t_assert_u64_eq(s.submitted, 43);
	gate_open(&gate);
	pool_wait(pool);
	s = pool_stats(pool);
	t_assert_u64_eq(s.completed, 43);
	t_assert(s.batches >= 3 && s.batches <= 43);
	pool_expect_asleep(pool);
	s = pool_stats(pool);
	t_assert_u64_eq(s.workers_idle, 3);
	t_assert(s.parks >= s.wakes);
	pool_end(pool);
}

T_TEST(stats, segments)
{
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = 1;
	o.capacity = 64;
	o.segment_size = 16;
	o.segment_count = 3;
	struct wp_pool *pool = pool_make(&o);
	struct wp_stats s = pool_stats(pool);
	t_assert_u64_eq(s.segments_touched, 3);
	t_assert_u64_eq(s.segments_free, 3);
	t_assert_u64_eq(s.segments_reused, 0);
	for (int i = 0; i < 1600; i++)
		t_assert_int_eq(wp_submit(pool, count_fn, &ran), 0);
	pool_wait(pool);
	s = pool_stats(pool);
	t_assert_u64_eq(s.segments_reused + s.segments_touched - 3, 100);
	t_assert(s.segments_touched <= 7);
	t_assert_u64_eq(s.segments_free, s.segments_touched);
	pool_end(pool);
}

/* Those of producers count like the shared one's. */
T_TEST(stats, segments_of_all_lanes)
{
	struct wp_options o = WP_OPTIONS_INIT;
	struct wp_producer *p[3];
	o.workers = 1;
	o.producer_capacity = 64;
	o.segment_size = 16;
	struct wp_pool *pool = pool_make(&o);
	for (unsigned i = 0; i < 3; i++)
		t_assert_int_eq(wp_producer_open(&p[i], pool), 0);
	t_assert_u64_eq(pool_stats(pool).segments_touched, 0);
	for (int i = 0; i < 1600; i++)
		for (unsigned j = 0; j < 3; j++)
			t_assert_int_eq(wp_producer_submit(p[j], count_fn, &ran), 0);
	pool_wait(pool);
	struct wp_stats s = pool_stats(pool);
	t_assert_u64_eq(s.segments_reused + s.segments_touched, 3 * 100);
	t_assert(s.segments_touched >= 3 && s.segments_touched <= 3 * 7);
	t_assert_u64_eq(s.segments_free, s.segments_touched);
	for (unsigned i = 0; i < 3; i++)
		wp_producer_close(p[i]);
	pool_end(pool);
}

/* ---- read while the pool works ---- */

struct watched {
	struct wp_pool *pool;
	uint64_t each;
	wp_atomic_u32 producing;
};

static void submit_or_watch(void *arg, unsigned me)
{
	struct watched *w = arg;
	if (me > 0) {
		for (uint64_t i = 0; i < w->each; i++)
			t_assert_int_eq(wp_submit(w->pool, count_fn, &ran), 0);
		wp_sub_rel_u32(&w->producing, 1);
		return;
	}
	uint64_t completed = 0, submitted = 0;
	while (wp_load_acq_u32(&w->producing)) {
		struct wp_stats s = pool_stats(w->pool);
		pool_expect_sum(&s);
		t_assert(s.completed >= completed && s.submitted >= submitted);
		t_assert(s.completed <= s.submitted);
		t_assert(s.workers_alive == 4 && s.workers_busy + s.workers_idle == 4);
		t_assert_u64_eq(s.workers_peak, 4);
		t_assert(s.queued <= s.submitted && s.running <= s.submitted);
		completed = s.completed;
		submitted = s.submitted;
	}
}

T_TEST(stats, never_contradict_themselves)
{
	struct watched w = { .pool = pool_of(4, 100, 16), .each = t_scaled(50000) };
	wp_store_rlx_u32(&w.producing, 3);
	struct crew crew;
	crew_start(&crew, 4, submit_or_watch, &w);
	crew_join(&crew);
	pool_wait(w.pool);
	pool_expect_rest(w.pool);
	struct wp_stats s = pool_stats(w.pool);
	t_assert_u64_eq(s.submitted, 3 * w.each);
	t_assert_u64_eq(s.completed, 3 * w.each);
	pool_end(w.pool);
}

/* The same with failures, refusals and a stop in the middle of it. */
static int fail_sometimes(void *payload)
{
	return (uintptr_t)payload % 7 ? 0 : -1;
}

static void submit_stop_or_watch(void *arg, unsigned me)
{
	struct watched *w = arg;
	if (me > 1) {
		int error = 0;
		for (uint64_t i = 0; error != WP_ECLOSED; i++) {
			struct wp_job job = { .fn = fail_sometimes, .payload = (void *)i };
			error = i % 3 ? wp_submit_job(w->pool, &job) : wp_try_submit(w->pool, &job);
			t_assert(error == 0 || error == WP_EFULL || error == WP_ECLOSED);
		}
		wp_sub_rel_u32(&w->producing, 1);
		return;
	}
	if (me == 1) {
		wp__os_sleep(20000000);
		t_assert_int_eq(wp_pool_stop(w->pool, NULL), 0);
		return;
	}
	struct wp_stats before = pool_stats(w->pool);
	while (wp_load_acq_u32(&w->producing)) {
		struct wp_stats s = pool_stats(w->pool);
		pool_expect_sum(&s);
		t_assert(s.submitted >= before.submitted && s.completed >= before.completed);
		t_assert(s.failed >= before.failed && s.dropped >= before.dropped);
		t_assert(s.rejected_full >= before.rejected_full);
		t_assert(s.rejected_closed >= before.rejected_closed);
		t_assert(s.batches >= before.batches && s.parks >= before.parks);
		before = s;
	}
}

T_TEST(stats, never_contradict_themselves_in_a_stop)
{
	for (unsigned round = 0; round < 5; round++) {
		struct watched w = { .pool = pool_of(2, 50, 8) };
		wp_store_rlx_u32(&w.producing, 2);
		struct crew crew;
		crew_start(&crew, 4, submit_stop_or_watch, &w);
		crew_join(&crew);
		pool_expect_rest(w.pool);
		t_assert(pool_stats(w.pool).rejected_closed > 0);
		pool_end(w.pool);
	}
}

T_TEST(stats, after_the_end)
{
	struct wp_pool *pool = pool_of(2, 100, 16);
	t_assert_int_eq(wp_submit(pool, count_fn, &ran), 0);
	t_assert_int_eq(wp_pool_shutdown(pool, WP_FOREVER, NULL), 0);
	struct wp_stats s = pool_stats(pool);
	t_assert_u64_eq(s.workers_alive, 0);
	t_assert_u64_eq(s.workers_busy, 0);
	t_assert_u64_eq(s.workers_idle, 0);
	t_assert_u64_eq(s.completed, 1);
	pool_destroy(pool);
}
