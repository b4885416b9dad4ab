/* SPDX-License-Identifier: MIT */
/* Scenarios with producers. */
#define _GNU_SOURCE
#include "scenarios.h"

#include <wpool/wpool.h>

#include "base/atomic.h"
#include "base/os.h"

#define PRODUCERS 10u /* so many that the table of lanes is replaced */

static wp_atomic_u64 run, cleaned;

static int work(void *payload)
{
	(void)payload;
	wp_add_rlx_u64(&run, 1);
	return 0;
}

static void clean(void *payload)
{
	(void)payload;
	wp_add_rlx_u64(&cleaned, 1);
}

/* NULL when it could not be opened, which is allowed only if something failed. */
static struct wp_producer *open_producer(struct wp_pool *pool)
{
	struct wp_producer *p = (void *)&run;
	CALL(int, error, wp_producer_open(&p, pool));
	if (!error) {
		t_assert(p != NULL);
		return p;
	}
	t_assert_int_eq(error, WP_ENOMEM);
	t_assert(!p && sweep_has_failed());
	return NULL;
}

static void expect_all_run(struct wp_pool *pool, uint64_t accepted)
{
	EXPECT(wp_pool_wait(pool, wp_after_ns(LONG_NS)), 0);
	t_assert_u64_eq(wp_load_rlx_u64(&run), accepted);
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), accepted);
	struct wp_stats s = WP_STATS_INIT;
	EXPECT(wp_pool_stats(pool, &s), 0);
	t_assert_u64_eq(s.submitted, accepted);
	t_assert_u64_eq(s.completed, accepted);
}

/* Each submits, sleeps and submits again; what cannot be opened is done without. */
static uint64_t use(struct wp_pool *pool, struct wp_producer *p)
{
	struct wp_job job = { .fn = work, .cleanup = clean }, jobs[3] = { job, job, job };
	size_t n = 1;
	EXPECT(wp_producer_submit_job(p, &job), 0);
	EXPECT(wp_producer_submit_batch(p, jobs, 3), 3);
	EXPECT(wp_pool_wait(pool, wp_after_ns(LONG_NS)), 0);
	CALL(struct wp_job *, room, wp_producer_reserve(p, &n));
	t_assert(room && n == 1);
	*room = job;
	wp_producer_commit(p, 1);
	return 5;
}

void scenario_producers(void)
{
	struct wp_options o = WP_OPTIONS_INIT;
	struct wp_producer *p[PRODUCERS];
	struct wp_pool *pool;
	uint64_t accepted = 0;
	o.workers = 2;
	o.producer_capacity = 2;
	o.segment_size = 2;
	o.spin_ns = 1;
	wp_store_rlx_u64(&run, 0);
	wp_store_rlx_u64(&cleaned, 0);
	CALL(int, error, wp_pool_create(&pool, &o));
	if (error) {
		t_assert(error == WP_ENOMEM && sweep_has_failed());
		return;
	}
	for (unsigned i = 0; i < PRODUCERS; i++) {
		p[i] = open_producer(pool);
		accepted += p[i] ? use(pool, p[i]) : 0;
	}
	expect_all_run(pool, accepted);
	for (unsigned i = 1; i < PRODUCERS; i++)
		wp_producer_close(p[i]);
	/* The pool goes on, whatever has failed. */
	sweep_suspend();
	struct wp_producer *last = open_producer(pool);
	t_assert(last != NULL);
	accepted += use(pool, last);
	expect_all_run(pool, accepted);
	wp_producer_close(last);
	sweep_resume();
	wp_pool_destroy(pool);
	wp_producer_close(p[0]); /* after its pool */
}
