/* SPDX-License-Identifier: MIT */
#include <wpool/metrics.h>

#include <string.h>

#include "pool.h"
#include "t.h"
#include "work/metrics.h"

T_TEST(metrics, both_tables_are_complete)
{
	t_assert(wp__metrics_is_complete(&wp_metrics_noop));
	t_assert(wp__metrics_is_complete(&wp_metrics_atomic));
}

T_TEST(metrics, noop_does_not_look_at_self)
{
	wp_metrics_noop.inc_queued(NULL, 1);
	wp_metrics_noop.batch_dec_queued(NULL, 1);
	wp_metrics_noop.inc_executed(NULL, 1);
	wp_metrics_noop.inc_rejected(NULL, 1, WP_EFULL);
}

T_TEST(metrics, atomic_counts)
{
	struct wp_metrics_counters counters;
	struct wp_metrics_snapshot s;
	memset(&counters, 0, sizeof(counters));
	wp_metrics_atomic.inc_queued(&counters, 10);
	wp_metrics_atomic.batch_dec_queued(&counters, 12);
	wp_metrics_atomic.inc_executed(&counters, 5);
	wp_metrics_atomic.inc_rejected(&counters, 2, WP_EFULL);
	wp_metrics_atomic.inc_rejected(&counters, 1, WP_ECLOSED);
	wp_metrics_read(&counters, &s);
	t_assert_int_eq(s.queued, -2);
	t_assert_u64_eq(s.executed, 5);
	t_assert_u64_eq(s.rejected, 3);
}

/* ---- in a pool ---- */

struct load {
	struct wp_pool *pool;
	uint64_t each;
	wp_atomic_u64 ran, accepted, refused;
};

static void submit_all(void *arg, unsigned me)
{
	struct load *load = arg;
	struct wp_job batch[5];
	for (int i = 0; i < 5; i++)
		batch[i] = (struct wp_job){ .fn = count_fn, .payload = &load->ran };
	uint64_t accepted = 0, refused = 0;
	for (uint64_t i = 0; i < load->each; i++) {
		ssize_t n = 0;
		switch ((i + me) % 4) {
		case 0:
			n = wp_submit(load->pool, count_fn, &load->ran) == 0;
			t_assert(n == 1);
			break;
		case 1:
			n = wp_submit_batch(load->pool, batch, 5);
			t_assert(n == 5);
			break;
		case 2:
			n = wp_try_submit_batch(load->pool, batch, 5);
			n = n < 0 ? 0 : n;
			refused += (uint64_t)(5 - n);
			break;
		default:
			n = wp_try_submit(load->pool, batch) == 0;
			refused += (uint64_t)(1 - n);
		}
		accepted += (uint64_t)n;
	}
	wp_add_rlx_u64(&load->accepted, accepted);
	wp_add_rlx_u64(&load->refused, refused);
}

static void run_load(struct load *load, const struct wp_metrics_ops *ops, void *self)
{
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = 3;
	o.capacity = 100;
	o.segment_size = 16;
	o.metrics = ops;
	o.metrics_self = self;
	load->pool = pool_make(&o);
	load->each = t_scaled(20000);
	struct crew crew;
	crew_start(&crew, 4, submit_all, load);
	crew_join(&crew);
	pool_wait(load->pool);
	t_assert_u64_eq(wp_load_rlx_u64(&load->ran), wp_load_rlx_u64(&load->accepted));
}

T_TEST(metrics, atomic_adds_up_in_a_pool)
{
	static struct wp_metrics_counters counters;
	static struct load load;
	run_load(&load, &wp_metrics_atomic, &counters);
	struct wp_metrics_snapshot s;
	wp_metrics_read(&counters, &s);
	t_assert_int_eq(s.queued, 0);
	t_assert_u64_eq(s.executed, wp_load_rlx_u64(&load.accepted));
	t_assert_u64_eq(s.rejected, wp_load_rlx_u64(&load.refused));
	pool_end(load.pool);
}

/* A table of the user's own: sums, calls, and who called. */
struct mine {
	wp_atomic_u64 queued, taken, executed, rejected[2], calls_queued, calls_taken,
		calls_executed;
	wp_atomic_u64 on_workers;
};

static void mine_queued(void *self, size_t n)
{
	struct mine *m = self;
	wp_add_rlx_u64(&m->queued, n);
	wp_add_rlx_u64(&m->calls_queued, 1);
	if (wp__self)
		wp_add_rlx_u64(&m->on_workers, 1);
}

static void mine_taken(void *self, size_t n)
{
	struct mine *m = self;
	t_assert(n > 0 && wp__self != NULL);
	wp_add_rlx_u64(&m->taken, n);
	wp_add_rlx_u64(&m->calls_taken, 1);
}

static void mine_executed(void *self, size_t n)
{
	struct mine *m = self;
	t_assert(n > 0 && wp__self != NULL);
	wp_add_rlx_u64(&m->executed, n);
	wp_add_rlx_u64(&m->calls_executed, 1);
}

static void mine_rejected(void *self, size_t n, int why)
{
	struct mine *m = self;
	t_assert(n > 0 && (why == WP_EFULL || why == WP_ECLOSED));
	wp_add_rlx_u64(&m->rejected[why == WP_ECLOSED], n);
}

static const struct wp_metrics_ops mine_ops = {
	.inc_queued = mine_queued,
	.batch_dec_queued = mine_taken,
	.inc_executed = mine_executed,
	.inc_rejected = mine_rejected,
};

T_TEST(metrics, a_table_of_ones_own_adds_up)
{
	static struct mine m;
	static struct load load;
	run_load(&load, &mine_ops, &m);
	uint64_t accepted = wp_load_rlx_u64(&load.accepted);
	t_assert_u64_eq(wp_load_rlx_u64(&m.queued), accepted);
	t_assert_u64_eq(wp_load_rlx_u64(&m.taken), accepted);
	t_assert_u64_eq(wp_load_rlx_u64(&m.executed), accepted);
	t_assert_u64_eq(wp_load_rlx_u64(&m.rejected[0]), wp_load_rlx_u64(&load.refused));
	t_assert_u64_eq(wp_load_rlx_u64(&m.on_workers), 0);
	t_assert(wp_load_rlx_u64(&m.calls_queued) <= 4 * load.each + accepted / 5);
	t_assert_u64_eq(pool_stats(load.pool).rejected_full, wp_load_rlx_u64(&load.refused));
	t_assert_int_eq(wp_pool_stop(load.pool, NULL), 0);
	t_assert_int_eq(wp_submit(load.pool, count_fn, &load.ran), WP_ECLOSED);
	t_assert_u64_eq(wp_load_rlx_u64(&m.rejected[1]), 1);
	pool_destroy(load.pool);
}

/* A batch costs one call, not one per job. */
T_TEST(metrics, called_per_batch)
{
	static struct mine m;
	static wp_atomic_u64 ran;
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = 1;
	o.metrics = &mine_ops;
	o.metrics_self = &m;
	struct wp_pool *pool = pool_make(&o);
	pool_make_cheap(pool, &ran);
	static struct wp_job jobs[1000];
	for (int i = 0; i < 1000; i++)
		jobs[i] = (struct wp_job){ .fn = count_fn, .payload = &ran };
	uint64_t before = wp_load_rlx_u64(&m.calls_queued);
	t_assert_int_eq(wp_submit_batch(pool, jobs, 1000), 1000);
	pool_wait(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&m.calls_queued) - before, 1);
	t_assert_u64_eq(wp_load_rlx_u64(&m.executed), 3000);
	t_assert_u64_eq(wp_load_rlx_u64(&m.calls_executed), wp_load_rlx_u64(&m.calls_taken));
	t_assert_u64_eq(pool_stats(pool).batches, wp_load_rlx_u64(&m.calls_taken));
	pool_end(pool);
}

static void stop_pool(void *arg, unsigned me)
{
	struct wp_stop_report report;
	(void)me;
	t_assert_int_eq(wp_pool_stop(arg, &report), 0);
	t_assert_u64_eq(report.dropped, 7);
	t_assert_u64_eq(report.completed, 1);
}

T_TEST(metrics, dropped_jobs_are_taken_but_not_executed)
{
	static struct mine m;
	static wp_atomic_u64 ran;
	static struct gate gate;
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = 1;
	o.batch_max = 1;
	o.metrics = &mine_ops;
	o.metrics_self = &m;
	struct wp_pool *pool = pool_make(&o);
	gate_hold(&gate, pool, 1);
	for (int i = 0; i < 7; i++)
		t_assert_int_eq(wp_submit(pool, count_fn, &ran), 0);
	wp__os_sleep(1000000);
	t_assert_u64_eq(wp_load_rlx_u64(&m.taken), 1);
	struct crew crew;
	crew_start(&crew, 1, stop_pool, pool);
	pool_until(pool_discards(pool));
	gate_open(&gate);
	crew_join(&crew);
	t_assert_u64_eq(wp_load_rlx_u64(&m.taken), 8);
	t_assert_u64_eq(wp_load_rlx_u64(&m.executed), 1);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 0);
	pool_destroy(pool);
}

static void look_for_a_job(void *self, size_t n)
{
	(void)n;
	wp_add_rlx_u64(self, 1);
	t_assert(wp_job_current() == NULL);
}

T_TEST(metrics, between_jobs_there_is_no_current_one)
{
	static wp_atomic_u64 looks, ran;
	struct wp_metrics_ops ops = wp_metrics_noop;
	struct wp_options o = WP_OPTIONS_INIT;
	ops.batch_dec_queued = look_for_a_job;
	o.workers = 1;
	o.metrics = &ops;
	o.metrics_self = &looks;
	struct wp_pool *pool = pool_make(&o);
	t_assert_int_eq(wp_submit(pool, count_fn, &ran), 0);
	pool_wait(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&looks), 1);
	pool_end(pool);
}
