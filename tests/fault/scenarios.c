/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "scenarios.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <wpool/wpool.h>

#include "base/atomic.h"
#include "base/os.h"
#include "doors.h"
#include "t.h"

/* ---- jobs that keep a ledger ---- */

static struct ledger {
	uint64_t accepted;                  /* by the scenario's own thread */
	wp_atomic_u64 accepted_inside;      /* by jobs */
	wp_atomic_u64 run, failed, cleaned; /* cleaned: of all jobs, run or dropped */
	wp_atomic_u64 errors, events;
	wp_atomic_u32 open; /* lets gate jobs go */
	wp_atomic_u32 in_gate;
} ledger;

static int work(void *payload)
{
	int result = (int)(intptr_t)payload;
	wp_add_rlx_u64(&ledger.run, 1);
	if (result)
		wp_add_rlx_u64(&ledger.failed, 1);
	return result;
}

static void clean(void *payload)
{
	(void)payload;
	wp_add_rlx_u64(&ledger.cleaned, 1);
}

static int slow_work(void *payload)
{
	wp__os_sleep(300000);
	return work(payload);
}

static int very_slow_work(void *payload)
{
	wp__os_sleep(4000000);
	return work(payload);
}

static int panic(void *payload)
{
	wp_add_rlx_u64(&ledger.run, 1);
	wp_panic(-7, "%p", payload);
}

static int end_thread(void *payload)
{
	wp_add_rlx_u64(&ledger.run, 1);
	pthread_exit(payload);
}

static int gate(void *payload)
{
	wp_store_rlx_u32(&ledger.in_gate, 1);
	while (!wp_load_rlx_u32(&ledger.open))
		wp__os_sleep(50000);
	return work(payload);
}

static struct wp_job job_of(wp_job_fn fn, int result)
{
	return (struct wp_job){ .fn = fn, .payload = (void *)(intptr_t)result, .cleanup = clean };
}

static void on_error(void *self, const struct wp_job_error *error)
{
	t_assert(self == &ledger && error->code != 0);
	wp_add_rlx_u64(&ledger.errors, 1);
}

static void on_event(void *self, const struct wp_pool_event *event)
{
	t_assert(self == &ledger && event->code < 0 && event->message);
	wp_add_rlx_u64(&ledger.events, 1);
}

/* ---- making and ending one ---- */

static struct wp_options options_of(unsigned workers, size_t capacity)
{
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = workers;
	o.capacity = capacity;
	o.segment_size = 2;
	o.on_error = on_error;
	o.on_error_self = &ledger;
	o.on_event = on_event;
	o.on_event_self = &ledger;
	return o;
}

static uint32_t segment_size; /* of the pool made last */

/* NULL when it could not be made, which is allowed only if something failed. */
static struct wp_pool *make_pool(const struct wp_options *options)
{
	struct wp_pool *pool = (void *)&ledger;
	memset(&ledger, 0, sizeof(ledger));
	segment_size = options ? options->segment_size : 1024;
	CALL(int, error, wp_pool_create(&pool, options));
	if (!error) {
		t_assert(pool != NULL);
		return pool;
	}
	t_assert_int_eq(error, WP_ENOMEM);
	t_assert(!pool && sweep_has_failed());
	return NULL;
}

/* The pool runs jobs, whatever has failed before. */
static void recover_pool(struct wp_pool *pool)
{
	if (!sweep_has_failed())
		return;
	sweep_suspend();
	struct wp_job job = job_of(work, 0);
	EXPECT(wp_submit_wait(pool, &job), 0);
	EXPECT(wp_submit_job(pool, &job), 0);
	ledger.accepted += 2;
	EXPECT(wp_pool_wait(pool, wp_after_ns(LONG_NS)), 0);
	sweep_resume();
}

static void submit_many(struct wp_pool *pool, unsigned n, wp_job_fn fn)
{
	struct wp_job job = job_of(fn, 0);
	for (unsigned i = 0; i < n; i++)
		EXPECT(wp_submit_job(pool, &job), 0);
	ledger.accepted += n;
}

static uint64_t accepted(void)
{
	return ledger.accepted + wp_load_rlx_u64(&ledger.accepted_inside);
}

/* Nothing is queued or running: the pool's books and ours agree. */
static void check_ledger(struct wp_pool *pool, const struct wp_stop_report *report)
{
	struct wp_stats s = WP_STATS_INIT;
	EXPECT(wp_pool_stats(pool, &s), 0);
	t_assert_u64_eq(s.submitted, accepted());
	t_assert_u64_eq(s.completed + s.failed + s.panicked + s.dropped, accepted());
	t_assert_u64_eq(s.completed + s.failed + s.panicked, wp_load_rlx_u64(&ledger.run));
	t_assert_u64_eq(s.failed, wp_load_rlx_u64(&ledger.failed));
	t_assert_u64_eq(wp_load_rlx_u64(&ledger.errors), s.failed + s.panicked);
	t_assert_u64_eq(wp_load_rlx_u64(&ledger.cleaned), accepted());
	t_assert_u64_eq(s.queued + s.running, 0);
	if (!report)
		return;
	/* Of the lane's segments at most the one that is partly used is not free. */
	t_assert_u64_eq(s.segments_touched - s.segments_free, s.submitted % segment_size != 0);
	t_assert_u64_eq(report->completed, s.completed);
	t_assert_u64_eq(report->failed, s.failed);
	t_assert_u64_eq(report->dropped, s.dropped);
	t_assert_u64_eq(report->running + report->cancelled, 0);
}

/* From a pool at work to nothing. */
static void end_pool(struct wp_pool *pool)
{
	struct wp_stop_report report;
	recover_pool(pool);
	EXPECT(wp_pool_shutdown(pool, wp_after_ns(LONG_NS), &report), 0);
	check_ledger(pool, &report);
	struct wp_job job = job_of(work, 0);
	EXPECT(wp_try_submit(pool, &job), WP_ECLOSED);
	wp_pool_destroy(pool);
}

/* ---- pools ---- */

static void pool_defaults(void)
{
	struct wp_pool *pool = make_pool(NULL);
	if (!pool)
		return;
	submit_many(pool, 100, work);
	EXPECT(wp_pool_wait(pool, wp_after_ns(LONG_NS)), 0);
	check_ledger(pool, NULL);
	end_pool(pool);
}

static void pool_pinned(void)
{
	struct wp_options o = options_of(3, 8);
	o.pin_workers = true;
	struct wp_pool *pool = make_pool(&o);
	if (!pool)
		return;
	submit_many(pool, 20, work);
	EXPECT(wp_pool_wait(pool, wp_after_ns(LONG_NS)), 0);
	end_pool(pool);
}

static void pool_pinned_on_a_made_up_machine(void)
{
	setenv("HWLOC_SYNTHETIC", "pack:2 core:2 pu:2", 1);
	pool_pinned();
	unsetenv("HWLOC_SYNTHETIC");
}

static void pool_with_every_option(void)
{
	static struct wp_metrics_counters counters;
	struct wp_options o = options_of(3, 16);
	memset(&counters, 0, sizeof(counters));
	o.name = "every";
	o.segment_size = 256; /* of more than a page, so that there is something to give back */
	o.segment_count = 2;
	o.pool_capacity = 1;
	o.capacity = 2000;
	o.pin_workers = true;
	o.timing = true;
	o.batch_max = 64;
	o.spin_ns = 20000;
	o.poll_gap_ns = 1000;
	o.batch_ns = 50000;
	o.stack_size = 256 * 1024;
	o.shutdown_timeout = LONG_NS;
	o.metrics = &wp_metrics_atomic;
	o.metrics_self = &counters;
	struct wp_pool *pool = make_pool(&o);
	if (!pool)
		return;
	/* Several segments are full at once, and given back. */
	submit_many(pool, 3, slow_work);
	submit_many(pool, 1200, work);
	struct wp_job bad = job_of(work, -7);
	EXPECT(wp_submit_wait(pool, &bad), -7);
	ledger.accepted++;
	EXPECT(wp_pool_wait(pool, wp_after_ns(LONG_NS)), 0);
	struct wp_metrics_snapshot m;
	wp_metrics_read(&counters, &m);
	t_assert_u64_eq(m.executed, accepted());
	end_pool(pool);
}

static void submits_of_all_kinds(void)
{
	struct wp_options o = options_of(2, 8);
	struct wp_pool *pool = make_pool(&o);
	if (!pool)
		return;
	struct wp_job job = job_of(work, 0), jobs[5] = { job, job, job, job, job };
	for (unsigned round = 0; round < 3; round++) {
		EXPECT(wp_submit_job(pool, &job), 0);
		EXPECT(wp_submit_until(pool, &job, wp_after_ns(LONG_NS)), 0);
		EXPECT(wp_submit_batch(pool, jobs, 5), 5);
		EXPECT(wp_submit_wait(pool, &job), 0);
		ledger.accepted += 8;
		CALL(int, error, wp_try_submit(pool, &job));
		t_assert(error == 0 || error == WP_EFULL);
		ledger.accepted += error == 0;
		CALL(ssize_t, n, wp_try_submit_batch(pool, jobs, 5));
		t_assert(n == WP_EFULL || (n > 0 && n <= 5));
		ledger.accepted += n > 0 ? (uint64_t)n : 0;
		EXPECT(wp_pool_wait(pool, wp_after_ns(LONG_NS)), 0);
	}
	/* Without a cleanup: that counts by hand. */
	EXPECT(wp_submit(pool, work, NULL), 0);
	ledger.accepted++;
	wp_add_rlx_u64(&ledger.cleaned, 1);
	end_pool(pool);
}

/*
 * Each job submits one that it does not wait for and then one that it waits for, deeper than a
 * worker helps on its stack: jobs are set aside, in memory that may not be had.
 */
static int nest(void *payload)
{
	intptr_t depth = (intptr_t)payload;
	struct wp_pool *pool = wp_job_current()->pool;
	wp_add_rlx_u64(&ledger.run, 1);
	if (depth == 0)
		return 0;
	struct wp_job side = job_of(work, 0);
	struct wp_job child = { .fn = nest, .payload = (void *)(depth - 1), .cleanup = clean };
	EXPECT(wp_submit_job(pool, &side), 0);
	EXPECT(wp_submit_job(pool, &side), 0);
	EXPECT(wp_submit_wait(pool, &child), 0);
	wp_add_rlx_u64(&ledger.accepted_inside, 3);
	return 0;
}

static void nested_submits(void)
{
	struct wp_options o = options_of(1, 2);
	struct wp_pool *pool = make_pool(&o);
	if (!pool)
		return;
	struct wp_job job = { .fn = nest, .payload = (void *)(intptr_t)50, .cleanup = clean };
	EXPECT(wp_submit_job(pool, &job), 0);
	ledger.accepted++;
	EXPECT(wp_pool_wait(pool, wp_after_ns(LONG_NS)), 0);
	check_ledger(pool, NULL);
	end_pool(pool);
}

static void nested_submits_of_two_workers(void)
{
	struct wp_options o = options_of(2, 4);
	struct wp_pool *pool = make_pool(&o);
	if (!pool)
		return;
	struct wp_job job = { .fn = nest, .payload = (void *)(intptr_t)20, .cleanup = clean };
	EXPECT(wp_submit_job(pool, &job), 0);
	EXPECT(wp_submit_wait(pool, &job), 0);
	ledger.accepted += 2;
	EXPECT(wp_pool_wait(pool, wp_after_ns(LONG_NS)), 0);
	end_pool(pool);
}

static void blocked_submits(void)
{
	struct wp_options o = options_of(1, 1);
	struct wp_pool *pool = make_pool(&o);
	if (!pool)
		return;
	submit_many(pool, 5, slow_work);
	struct wp_job jobs[4] = { job_of(work, 0), job_of(work, 0), job_of(slow_work, 0),
		job_of(work, 0) };
	EXPECT(wp_submit_batch(pool, jobs, 4), 4);
	ledger.accepted += 4;
	end_pool(pool);
}

static void hold(struct wp_pool *pool)
{
	submit_many(pool, 1, gate);
	while (!wp_load_rlx_u32(&ledger.in_gate))
		wp__os_sleep(50000);
}

static void deadlines(void)
{
	struct wp_options o = options_of(1, 2);
	struct wp_pool *pool = make_pool(&o);
	if (!pool)
		return;
	struct wp_stop_report report;
	struct wp_job job = job_of(work, 0);
	hold(pool);
	submit_many(pool, 2, work);
	EXPECT(wp_pool_wait(pool, wp_after_ns(300000)), WP_ETIMEDOUT);
	EXPECT(wp_submit_until(pool, &job, wp_after_ns(300000)), WP_ETIMEDOUT);
	EXPECT(wp_try_submit(pool, &job), WP_EFULL);
	EXPECT(wp_pool_shutdown(pool, wp_after_ns(300000), &report), WP_EFORCED);
	t_assert_u64_eq(report.running, 3);
	EXPECT(wp_submit_job(pool, &job), WP_ECLOSED);
	wp_store_rlx_u32(&ledger.open, 1);
	EXPECT(wp_pool_shutdown(pool, WP_FOREVER, &report), 0);
	check_ledger(pool, &report);
	wp_pool_destroy(pool);
}

static void *open_gate_later(void *arg)
{
	while (!wp_pool_is_closed(arg))
		wp__os_sleep(50000);
	wp__os_sleep(300000);
	wp_store_rlx_u32(&ledger.open, 1);
	return NULL;
}

static void stop(void)
{
	struct wp_options o = options_of(2, 8);
	struct wp_pool *pool = make_pool(&o);
	if (!pool)
		return;
	struct wp_stop_report report;
	submit_many(pool, 4, work);
	hold(pool);
	submit_many(pool, 1, gate);
	submit_many(pool, 4, work);
	struct door_thread *thread = door_thread_start(open_gate_later, pool);
	EXPECT(wp_pool_stop(pool, &report), 0);
	t_assert_u64_eq(report.completed + report.dropped, accepted());
	check_ledger(pool, &report);
	door_thread_join(thread);
	wp_pool_destroy(pool);
}

static void destroy_at_work(void)
{
	struct wp_options o = options_of(2, 64);
	struct wp_pool *pool = make_pool(&o);
	if (!pool)
		return;
	submit_many(pool, 20, work);
	recover_pool(pool);
	submit_many(pool, 20, work);
	wp_pool_destroy(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ledger.run), accepted());
	t_assert_u64_eq(wp_load_rlx_u64(&ledger.cleaned), accepted());
}

/*
 * A worker that has learnt that jobs are cheap claims many, and the first of them takes long: idle
 * workers take the others over.
 */
static void rescue(void)
{
	struct wp_options o = options_of(3, 256);
	o.segment_size = 256;
	struct wp_pool *pool = make_pool(&o);
	if (!pool)
		return;
	submit_many(pool, 300, work);
	EXPECT(wp_pool_wait(pool, wp_after_ns(LONG_NS)), 0);
	struct wp_job jobs[20];
	for (unsigned i = 0; i < 20; i++)
		jobs[i] = job_of(i ? work : very_slow_work, 0);
	EXPECT(wp_submit_batch(pool, jobs, 20), 20);
	ledger.accepted += 20;
	end_pool(pool);
}

/* Workers fall asleep and are woken, several times. */
static void sleep_and_wake(void)
{
	struct wp_options o = options_of(3, 16);
	o.spin_ns = 1;
	struct wp_pool *pool = make_pool(&o);
	if (!pool)
		return;
	for (unsigned round = 0; round < 4; round++) {
		wp__os_sleep(300000);
		submit_many(pool, 4, round % 2 ? slow_work : work);
		EXPECT(wp_pool_wait(pool, wp_after_ns(LONG_NS)), 0);
	}
	end_pool(pool);
}

/* Jobs that give up, alone and in a batch with others. */
static void panics(void)
{
	struct wp_options o = options_of(2, 16);
	struct wp_pool *pool = make_pool(&o);
	if (!pool)
		return;
	struct wp_job job = job_of(panic, 0);
	EXPECT(wp_submit_wait(pool, &job), WP_EPANIC);
	struct wp_job jobs[4] = { job, job_of(work, 0), job, job_of(work, -3) };
	EXPECT(wp_submit_batch(pool, jobs, 4), 4);
	ledger.accepted += 5;
	EXPECT(wp_pool_wait(pool, wp_after_ns(LONG_NS)), 0);
	struct wp_stats s = WP_STATS_INIT;
	EXPECT(wp_pool_stats(pool, &s), 0);
	t_assert_u64_eq(s.panicked, 3);
	end_pool(pool);
}

/* Jobs that end their thread: it is replaced, or it goes on. With a stack for traps each. */
static void ended_threads(void)
{
	struct wp_options o = options_of(2, 16);
	o.contain_faults = true;
	struct wp_pool *pool = make_pool(&o);
	if (!pool)
		return;
	struct wp_job job = job_of(end_thread, 0);
	for (unsigned i = 0; i < 3; i++)
		EXPECT(wp_submit_wait(pool, &job), WP_EPANIC);
	struct wp_job jobs[4] = { job, job_of(work, 0), job, job_of(work, -3) };
	EXPECT(wp_submit_batch(pool, jobs, 4), 4);
	ledger.accepted += 7;
	EXPECT(wp_pool_wait(pool, wp_after_ns(LONG_NS)), 0);
	struct wp_stats s = WP_STATS_INIT;
	EXPECT(wp_pool_stats(pool, &s), 0);
	t_assert_u64_eq(s.panicked, 5);
	t_assert_u64_eq(s.workers_alive, 2);
	end_pool(pool);
}

/* ---- the list ---- */

const struct scenario scenarios[] = {
	{ "context: tree", scenario_ctx_tree },
	{ "context: jobs", scenario_ctx_jobs },
	{ "queue: use", scenario_queue_use },
	{ "queue: wait for room", scenario_queue_waits_for_room },
	{ "queue: close", scenario_queue_closed_while_waiting },
	{ "queue: one producer", scenario_queue_single },
	{ "pool: defaults", pool_defaults },
	{ "pool: pinned", pool_pinned },
	{ "pool: pinned, made-up machine", pool_pinned_on_a_made_up_machine },
	{ "pool: every option", pool_with_every_option },
	{ "submit: all kinds", submits_of_all_kinds },
	{ "producers", scenario_producers },
	{ "submit: nested", nested_submits },
	{ "submit: nested, two workers", nested_submits_of_two_workers },
	{ "submit: blocked", blocked_submits },
	{ "deadlines", deadlines },
	{ "stop", stop },
	{ "destroy at work", destroy_at_work },
	{ "rescue", rescue },
	{ "sleep and wake", sleep_and_wake },
	{ "panics", panics },
	{ "ended threads", ended_threads },
	{ "usable CPUs", scenario_usable_cpus },
	{ "pin order", scenario_pin_order },
	{ "pin order, made-up machines", scenario_pin_order_of_made_up_machines },
};
const size_t scenario_count = sizeof(scenarios) / sizeof(scenarios[0]);
