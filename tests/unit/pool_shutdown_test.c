/* SPDX-License-Identifier: MIT */
/* The end of a pool: every accepted job is run or dropped once, whoever ends it and when. */
#define _GNU_SOURCE
#include <pthread.h>

#include "base/rng.h"
#include "hooks.h"
#include "pool.h"
#include "t.h"

/* ---- submitters against the end ---- */

#define SUBMITTERS 8

struct battle {
	struct wp_pool *pool;
	uint64_t seed;
	wp_atomic_u64 accepted, ran, cleaned, awaited_dropped;
	wp_atomic_u32 over; /* the pool has ended: nothing may start */
};

static int battle_fn(void *payload)
{
	struct battle *b = payload;
	t_assert_u64_eq(wp_load_acq_u32(&b->over), 0);
	wp_add_rlx_u64(&b->ran, 1);
	return 0;
}

static void battle_cleanup(void *payload)
{
	struct battle *b = payload;
	t_assert_u64_eq(wp_load_acq_u32(&b->over), 0);
	wp_add_rlx_u64(&b->cleaned, 1);
}

/* One submit of some kind; how many were accepted, or the refusal. */
static ssize_t submit_somehow(struct battle *b, struct wp__rng *rng)
{
	struct wp_job job = { .fn = battle_fn, .payload = b, .cleanup = battle_cleanup };
	struct wp_job jobs[8] = { job, job, job, job, job, job, job, job };
	ssize_t n;
	int error;
	switch (wp__rng_below(rng, 6)) {
	case 0:
		error = wp_submit_job(b->pool, &job);
		return error ? error : 1;
	case 1:
		error = wp_try_submit(b->pool, &job);
		return error ? error : 1;
	case 2:
		error = wp_submit_until(b->pool, &job, wp_after_ns(20000));
		return error ? error : 1;
	case 3:
		n = wp_submit_batch(b->pool, jobs, 8);
		return n;
	case 4:
		n = wp_try_submit_batch(b->pool, jobs, 8);
		return n;
	default:
		error = wp_submit_wait(b->pool, &job);
		if (error == WP_EDROPPED)
			wp_add_rlx_u64(&b->awaited_dropped, 1);
		return error && error != WP_EDROPPED ? error : 1;
	}
}

static void submit_until_closed(void *arg, unsigned me)
{
	struct battle *b = arg;
	struct wp__rng rng = { b->seed * SUBMITTERS + me };
	uint64_t accepted = 0;
	for (;;) {
		ssize_t n = submit_somehow(b, &rng);
		if (n == WP_ECLOSED)
			break;
		t_assert(n >= 0 || n == WP_EFULL || n == WP_ETIMEDOUT);
		if (n > 0)
			accepted += (uint64_t)n;
	}
	t_assert(wp_pool_is_closed(b->pool));
	wp_add_rlx_u64(&b->accepted, accepted);
}

enum end { DRAIN, STOP, DRAIN_TWICE, DRAIN_THEN_STOP, ALL_AT_ONCE, ENDS };

struct ender {
	struct wp_pool *pool;
	struct wp_stop_report reports[3];
};

static void end_somehow(void *arg, unsigned me)
{
	struct ender *e = arg;
	int error = me == 1 ? wp_pool_stop(e->pool, &e->reports[me])
			    : wp_pool_shutdown(e->pool, WP_FOREVER, &e->reports[me]);
	t_assert_int_eq(error, 0);
}

static void expect_same(const struct wp_stop_report *a, const struct wp_stop_report *b)
{
	t_assert_u64_eq(a->completed, b->completed);
	t_assert_u64_eq(a->failed, b->failed);
	t_assert_u64_eq(a->panicked, b->panicked);
	t_assert_u64_eq(a->cancelled, b->cancelled);
	t_assert_u64_eq(a->dropped, b->dropped);
	t_assert_u64_eq(a->running, b->running);
}

static struct wp_stop_report end_pool(struct wp_pool *pool, enum end how)
{
	struct wp_stop_report report;
	int error;
	switch (how) {
	case DRAIN:
		t_assert_int_eq(wp_pool_shutdown(pool, WP_FOREVER, &report), 0);
		return report;
	case STOP:
		t_assert_int_eq(wp_pool_stop(pool, &report), 0);
		return report;
	case DRAIN_TWICE:
	case DRAIN_THEN_STOP:
		error = wp_pool_shutdown(pool, wp_after_ns(5000), &report);
		t_assert(error == 0 || error == WP_EFORCED);
		return end_pool(pool, how == DRAIN_TWICE ? DRAIN : STOP);
	default: {
		struct ender e = { .pool = pool };
		struct crew crew;
		crew_start(&crew, 3, end_somehow, &e);
		crew_join(&crew);
		expect_same(&e.reports[0], &e.reports[1]);
		expect_same(&e.reports[0], &e.reports[2]);
		return e.reports[0];
	}
	}
}

static void fight(uint64_t round)
{
	struct wp__rng rng = { round };
	struct battle b = { .seed = round };
	enum end how = (enum end)(round % ENDS);
	b.pool = pool_of(1 + (unsigned)wp__rng_below(&rng, 4), 1 + wp__rng_below(&rng, 100),
		1 + (uint32_t)wp__rng_below(&rng, 20));
	struct crew crew;
	crew_start(&crew, SUBMITTERS, submit_until_closed, &b);
	if (wp__rng_below(&rng, 4))
		wp__os_sleep(wp__rng_below(&rng, 300000));
	struct wp_stop_report r = end_pool(b.pool, how);
	wp_store_rel_u32(&b.over, 1);
	crew_join(&crew);
	t_assert_u64_eq(r.running, 0);
	t_assert_u64_eq(r.cancelled, 0);
	t_assert_u64_eq(r.failed, 0);
	t_assert_u64_eq(r.completed + r.dropped, wp_load_rlx_u64(&b.accepted));
	t_assert_u64_eq(r.completed, wp_load_rlx_u64(&b.ran));
	t_assert_u64_eq(wp_load_rlx_u64(&b.cleaned), wp_load_rlx_u64(&b.accepted));
	t_assert(wp_load_rlx_u64(&b.awaited_dropped) <= r.dropped);
	if (how == DRAIN || how == DRAIN_TWICE)
		t_assert_u64_eq(r.dropped, 0);
	struct wp_stop_report again;
	t_assert_int_eq(wp_pool_stop(b.pool, &again), 0);
	expect_same(&r, &again);
	t_assert_u64_eq(pool_stats(b.pool).submitted, wp_load_rlx_u64(&b.accepted));
	pool_destroy(b.pool);
}

T_TEST_TIMEOUT(pool_shutdown, against_submitters, 400)
{
	for (uint64_t round = 0; round < t_scaled(10000); round++)
		fight(round);
}

T_TEST_TIMEOUT(pool_shutdown, against_submitters_under_chaos, 400)
{
	for (uint64_t round = 0; round < t_scaled(2000); round++) {
		wp__chaos(round, 100, 4);
		fight(round);
	}
}

/* ---- single steps ---- */

static wp_atomic_u64 ran, cleaned;

T_TEST(pool_shutdown, drains_a_long_line)
{
	static struct wp_job jobs[20000];
	for (int i = 0; i < 20000; i++)
		jobs[i] = (struct wp_job){ .fn = count_fn, .payload = &ran };
	for (unsigned workers = 1; workers <= 8; workers *= 2) {
		struct wp_pool *pool = pool_of(workers, 65536, 64);
		struct wp_stop_report report;
		wp_store_rlx_u64(&ran, 0);
		pool_expect_asleep(pool);
		t_assert_int_eq(wp_submit_batch(pool, jobs, 20000), 20000);
		t_assert_int_eq(wp_pool_shutdown(pool, WP_FOREVER, &report), 0);
		t_assert_u64_eq(report.completed, 20000);
		t_assert_u64_eq(wp_load_rlx_u64(&ran), 20000);
		pool_destroy(pool);
	}
}

T_TEST(pool_shutdown, deadline_leaves_the_pool_draining)
{
	struct wp_pool *pool = pool_of(1, 100, 8);
	struct gate gate = { 0 };
	struct wp_stop_report report;
	gate_hold(&gate, pool, 1);
	for (int i = 0; i < 10; i++)
		t_assert_int_eq(wp_submit(pool, count_fn, &ran), 0);
	for (int i = 0; i < 3; i++) {
		uint64_t deadline = wp_after_ms(3);
		t_assert_int_eq(wp_pool_shutdown(pool, deadline, &report), WP_EFORCED);
		t_assert(wp_now_ns() >= deadline);
		t_assert_u64_eq(report.running, 11);
		t_assert_u64_eq(report.completed + report.dropped, 0);
	}
	t_assert_int_eq(wp_pool_shutdown(pool, 0, NULL), WP_EFORCED);
	gate_open(&gate);
	t_assert_int_eq(wp_pool_shutdown(pool, WP_FOREVER, &report), 0);
	t_assert_u64_eq(report.completed, 11);
	t_assert_u64_eq(report.running, 0);
	t_assert_int_eq(wp_pool_shutdown(pool, 0, &report), 0);
	t_assert_u64_eq(report.completed, 11);
	pool_destroy(pool);
}

struct stopping {
	struct wp_pool *pool;
	struct wp_stop_report report;
	wp_atomic_u32 done;
	wp_atomic_u32 dropped;
};

static void stop_pool(void *arg, unsigned me)
{
	struct stopping *s = arg;
	(void)me;
	t_assert_int_eq(wp_pool_stop(s->pool, &s->report), 0);
	wp_store_rel_u32(&s->done, 1);
}

static void wait_for_job(void *arg, unsigned me)
{
	struct stopping *s = arg;
	struct wp_job job = { .fn = count_fn, .payload = &ran, .cleanup = NULL };
	(void)me;
	t_assert_int_eq(wp_submit_wait(s->pool, &job), WP_EDROPPED);
	wp_add_rlx_u32(&s->dropped, 1);
}

static void note_cleanup(void *payload)
{
	(void)payload;
	wp_add_rlx_u64(&cleaned, 1);
}

T_TEST(pool_shutdown, stop_drops_what_is_queued_and_waits_for_what_runs)
{
	struct stopping s = { .pool = pool_of(2, 100, 8) };
	struct gate gate = { 0 };
	struct crew stopper, waiters;
	gate_hold(&gate, s.pool, 2);
	struct wp_job job = { .fn = count_fn, .payload = &ran, .cleanup = note_cleanup };
	for (int i = 0; i < 10; i++)
		t_assert_int_eq(wp_submit_job(s.pool, &job), 0);
	crew_start(&waiters, 5, wait_for_job, &s);
	pool_until(pool_stats(s.pool).queued == 15);
	crew_start(&stopper, 1, stop_pool, &s);
	pool_until(pool_discards(s.pool));
	wp__os_sleep(2000000);
	t_assert(!wp_load_acq_u32(&s.done));
	gate_open(&gate);
	crew_join(&stopper);
	crew_join(&waiters);
	t_assert_u64_eq(s.report.completed, 2);
	t_assert_u64_eq(s.report.dropped, 15);
	t_assert_u64_eq(s.report.running, 0);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 0);
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), 10);
	t_assert_u64_eq(wp_load_rlx_u32(&s.dropped), 5);
	pool_destroy(s.pool);
}

T_TEST(pool_shutdown, stop_cuts_a_shutdown_short)
{
	struct stopping s = { .pool = pool_of(1, 100, 8) };
	struct gate gate = { 0 };
	struct ender drainer = { .pool = s.pool };
	struct crew stopper, drain;
	gate_hold(&gate, s.pool, 1);
	for (int i = 0; i < 10; i++)
		t_assert_int_eq(wp_submit(s.pool, count_fn, &ran), 0);
	crew_start(&drain, 1, end_somehow, &drainer);
	pool_until(wp_pool_is_closed(s.pool));
	crew_start(&stopper, 1, stop_pool, &s);
	pool_until(pool_discards(s.pool));
	gate_open(&gate);
	crew_join(&drain);
	crew_join(&stopper);
	expect_same(&drainer.reports[0], &s.report);
	t_assert_u64_eq(s.report.dropped, 10);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 0);
	pool_destroy(s.pool);
}

/* A job that waits for a queued one is told that it was dropped. */
static int wait_inside(void *payload)
{
	struct stopping *s = payload;
	struct wp_job job = { .fn = count_fn, .payload = &ran, .cleanup = note_cleanup };
	pool_until(pool_discards(s->pool));
	t_assert_int_eq(wp_submit_wait(s->pool, &job), WP_ECLOSED);
	return 0;
}

static int parent_of_dropped(void *payload)
{
	struct stopping *s = payload;
	struct wp_job blocker = { .fn = wait_inside, .payload = s };
	t_assert_int_eq(wp_submit_wait(s->pool, &blocker), 0);
	return 0;
}

T_TEST(pool_shutdown, stop_against_nested_jobs)
{
	struct stopping s = { .pool = pool_of(1, 100, 8) };
	struct crew stopper;
	t_assert_int_eq(wp_submit(s.pool, parent_of_dropped, &s), 0);
	pool_until(pool_stats(s.pool).submitted == 2);
	pool_until(pool_stats(s.pool).queued == 0);
	struct wp_job job = { .fn = count_fn, .payload = &ran, .cleanup = note_cleanup };
	for (int i = 0; i < 5; i++)
		t_assert_int_eq(wp_submit_job(s.pool, &job), 0);
	crew_start(&stopper, 1, stop_pool, &s);
	crew_join(&stopper);
	t_assert_u64_eq(s.report.completed, 2);
	t_assert_u64_eq(s.report.dropped, 5);
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), 5);
	pool_destroy(s.pool);
}

struct held {
	struct wp_pool *pool;
	struct gate gate;
};

static void open_when_discarding(void *arg, unsigned me)
{
	struct held *held = arg;
	(void)me;
	pool_until(pool_discards(held->pool));
	gate_open(&held->gate);
}

T_TEST(pool_shutdown, destroy_drains_for_a_while_and_then_stops)
{
	struct held held = { 0 };
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = 1;
	o.shutdown_timeout = 3000000;
	held.pool = pool_make(&o);
	gate_hold(&held.gate, held.pool, 1);
	struct wp_job job = { .fn = count_fn, .payload = &ran, .cleanup = note_cleanup };
	for (int i = 0; i < 10; i++)
		t_assert_int_eq(wp_submit_job(held.pool, &job), 0);
	struct crew crew;
	crew_start(&crew, 1, open_when_discarding, &held);
	uint64_t begin = wp_now_ns();
	/* The helper's last look at the pool is before the gate opens. */
	pool_destroy(held.pool);
	t_assert(wp_now_ns() - begin >= 3000000);
	crew_join(&crew);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 0);
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), 10);
}

T_TEST(pool_shutdown, destroy_drains)
{
	struct wp_pool *pool = pool_of(2, 1000, 8);
	for (int i = 0; i < 500; i++)
		t_assert_int_eq(wp_submit(pool, count_fn, &ran), 0);
	pool_destroy(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 500);
}
