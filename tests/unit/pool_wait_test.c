/* SPDX-License-Identifier: MIT */
/*
 * Waiting for a pool: what rest means while others submit, from many threads, with a deadline and a
 * context; and shutting down in a context.
 */
#include <errno.h>

#include "ctx.h"
#include "hooks.h"
#include "pool.h"
#include "t.h"
#include "work/ctx.h"

static void expect_only_reference(struct wp_ctx *ctx)
{
	t_assert_u64_eq(wp_load_rlx_u64(&ctx->references), 1);
	t_assert(ctx->callbacks.next == &ctx->callbacks);
	wp_ctx_unref(ctx);
}

/* ---- what is at rest ---- */

#define MINE 20

/* Plain memory throughout: a wait that returns early is a race, too. */
struct own {
	struct wp_pool *pool;
	uint64_t rounds;
	struct {
		bool ran[MINE], cleaned[MINE];
	} of[8];
};

static int set_flag(void *flag)
{
	*(bool *)flag = true;
	return 0;
}

static void set_next_flag(void *flag)
{
	((bool *)flag)[MINE] = true;
}

static void submit_and_rest(void *arg, unsigned me)
{
	struct own *own = arg;
	for (uint64_t round = 0; round < own->rounds; round++) {
		for (int i = 0; i < MINE; i++)
			own->of[me].ran[i] = own->of[me].cleaned[i] = false;
		for (int i = 0; i < MINE; i++) {
			struct wp_job job = { .fn = set_flag,
				.payload = &own->of[me].ran[i],
				.cleanup = set_next_flag };
			t_assert_int_eq(wp_submit_job(own->pool, &job), 0);
		}
		pool_wait(own->pool);
		for (int i = 0; i < MINE; i++)
			t_assert(own->of[me].ran[i] && own->of[me].cleaned[i]);
	}
}

static void own_jobs_done(unsigned workers, size_t capacity, uint64_t rounds)
{
	static struct own own;
	struct crew crew;
	own.pool = pool_of(workers, capacity, 8);
	own.rounds = rounds;
	crew_start(&crew, 4, submit_and_rest, &own);
	crew_join(&crew);
	pool_end(own.pool);
}

/* What a thread submitted before it waits has ended when the wait returns, whoever else submits. */
T_TEST_TIMEOUT(pool_wait, own_jobs_are_done_whoever_else_submits, 400)
{
	own_jobs_done(1, 64, t_scaled(300));
	own_jobs_done(2, 8, t_scaled(300));
	own_jobs_done(3, 1000, t_scaled(300));
}

T_TEST_TIMEOUT(pool_wait, own_jobs_are_done_under_chaos, 400)
{
	wp__chaos(4, 64, 8);
	own_jobs_done(2, 16, t_scaled(100));
}

/* A job that submits others counts until they are done, too. */
static struct wp_pool *tree_pool;
static wp_atomic_u64 leaves;

static int spread(void *payload)
{
	uintptr_t depth = (uintptr_t)payload;
	for (int i = 0; depth && i < 3; i++)
		t_assert_int_eq(wp_submit(tree_pool, spread, (void *)(depth - 1)), 0);
	if (!depth)
		wp_add_rlx_u64(&leaves, 1);
	return 0;
}

T_TEST(pool_wait, descendants_are_waited_for)
{
	tree_pool = pool_of(2, 8, 4);
	for (uint64_t i = 1; i <= t_scaled(50); i++) {
		t_assert_int_eq(wp_submit(tree_pool, spread, (void *)(uintptr_t)5), 0);
		pool_wait(tree_pool);
		t_assert_u64_eq(wp_load_rlx_u64(&leaves), i * 243);
		pool_expect_rest(tree_pool);
	}
	pool_end(tree_pool);
}

/* ---- waiting from inside ---- */

static int waits_inside(void *payload)
{
	struct wp_ctx *ctx = ctx_make(NULL, wp_after_ms(600000));
	t_assert_int_eq(wp_pool_wait(payload, 0), WP_EDEADLK);
	t_assert_int_eq(wp_pool_wait_ctx(payload, ctx, WP_FOREVER), WP_EDEADLK);
	t_assert_int_eq(wp_pool_shutdown_ctx(payload, ctx, WP_FOREVER, NULL), WP_EDEADLK);
	t_assert(!wp_pool_is_closed(payload));
	expect_only_reference(ctx);
	return 0;
}

static int waits_inside_of_another(void *payload)
{
	struct wp_job inner = { .fn = waits_inside, .payload = payload };
	return wp_submit_wait(payload, &inner);
}

static struct wp_pool *others;
static wp_atomic_u64 counted;

/* Another pool may be waited for, and even shut down. */
static int waits_for_another(void *payload)
{
	(void)payload;
	t_assert_int_eq(wp_submit(others, count_fn, &counted), 0);
	t_assert_int_eq(wp_pool_wait(others, WP_FOREVER), 0);
	t_assert_u64_eq(wp_load_rlx_u64(&counted), 1);
	t_assert_int_eq(wp_pool_shutdown_ctx(others, NULL, WP_FOREVER, NULL), 0);
	return 0;
}

T_TEST(pool_wait, from_inside_of_a_job)
{
	struct wp_pool *pool = pool_of(2, 64, 8);
	struct wp_job job = { .fn = waits_inside_of_another, .payload = pool };
	t_assert_int_eq(wp_submit_wait(pool, &job), 0);
	others = pool_of(1, 8, 4);
	job = (struct wp_job){ .fn = waits_for_another };
	t_assert_int_eq(wp_submit_wait(pool, &job), 0);
	pool_destroy(others);
	pool_end(pool);
}

/* Wherever a pool calls its user on a worker's thread: told at once, and the pool goes on. */
static void expect_deadlock(struct wp_pool *pool)
{
	struct wp_stop_report report = { .completed = 77 };
	t_assert_int_eq(wp_pool_wait(pool, WP_FOREVER), WP_EDEADLK);
	t_assert_int_eq(wp_pool_wait_ctx(pool, NULL, WP_FOREVER), WP_EDEADLK);
	t_assert_int_eq(wp_pool_shutdown(pool, WP_FOREVER, &report), WP_EDEADLK);
	t_assert_int_eq(wp_pool_shutdown_ctx(pool, NULL, WP_FOREVER, &report), WP_EDEADLK);
	t_assert_int_eq(wp_pool_stop(pool, &report), WP_EDEADLK);
	t_assert_u64_eq(report.completed, 77);
	wp_add_rlx_u64(&counted, 1);
}

static void on_error_wait(void *self, const struct wp_job_error *error)
{
	(void)self;
	expect_deadlock(error->pool);
}

static void on_event_wait(void *self, const struct wp_pool_event *event)
{
	(void)self;
	expect_deadlock(event->pool);
}

static void wait_in_cleanup(void *pool)
{
	expect_deadlock(pool);
}

static void wait_in_callback(void *pool, int err)
{
	(void)err;
	expect_deadlock(pool);
}

static int cancels_and_fails(void *payload)
{
	struct wp_ctx *ctx = ctx_make(NULL, WP_FOREVER);
	struct wp_ctx_callback callback;
	t_assert_int_eq(wp_ctx_on_cancel(ctx, &callback, wait_in_callback, payload), 0);
	wp_ctx_cancel(ctx, 0);
	t_assert(!wp_ctx_remove_callback(&callback));
	expect_only_reference(ctx);
	wp_panic(-1, "and so on");
}

static void open_when_discarding(void *arg, unsigned me)
{
	struct gate *gate = arg;
	(void)me;
	pool_until(pool_discards(others));
	gate_open(gate);
}

T_TEST(pool_wait, from_cleanups_handlers_and_callbacks)
{
	struct wp_options o = WP_OPTIONS_INIT;
	struct gate gate = { 0 };
	struct crew crew;
	o.workers = 1;
	o.pin_workers = true;
	o.on_error = on_error_wait;
	o.on_event = on_event_wait;
	wp__fault_arm(WP_FAULT_SET_AFFINITY, 1, true, EPERM);
	struct wp_pool *pool = others = pool_make(&o);
	struct wp_job job = {
		.fn = cancels_and_fails, .payload = pool, .cleanup = wait_in_cleanup
	};
	t_assert_int_eq(wp_submit_wait(pool, &job), WP_EPANIC);
	t_assert_u64_eq(wp_load_rlx_u64(&counted), 4); /* event, callback, handler, cleanup */
	/* And of jobs that are not run. */
	gate_hold(&gate, pool, 1);
	struct wp_job cancelled = job;
	cancelled.ctx = ctx_make(NULL, WP_FOREVER);
	t_assert_int_eq(wp_submit_job(pool, &cancelled), 0);
	t_assert_int_eq(wp_submit_job(pool, &job), 0);
	wp_ctx_cancel(cancelled.ctx, 0);
	crew_start(&crew, 1, open_when_discarding, &gate);
	t_assert_int_eq(wp_pool_stop(pool, NULL), 0);
	crew_join(&crew);
	t_assert_u64_eq(wp_load_rlx_u64(&counted), 6);
	struct wp_stats s = pool_stats(pool);
	t_assert_u64_eq(s.cancelled, 1);
	t_assert_u64_eq(s.dropped, 1);
	expect_only_reference(cancelled.ctx);
	pool_destroy(pool);
}

/* ---- in a context ---- */

T_TEST(pool_wait, ctx_arguments)
{
	struct wp_pool *pool = pool_of(1, 8, 4);
	struct wp_ctx *ctx = ctx_make(NULL, WP_FOREVER);
	t_assert_int_eq(wp_pool_wait_ctx(NULL, ctx, 0), WP_EINVAL);
	t_assert_int_eq(wp_pool_shutdown_ctx(NULL, ctx, 0, NULL), WP_EINVAL);
	t_assert_int_eq(wp_pool_wait_ctx(pool, NULL, 0), 0);
	t_assert_int_eq(wp_pool_wait_ctx(pool, ctx, WP_FOREVER), 0);
	wp_ctx_cancel(ctx, 0);
	t_assert_int_eq(wp_pool_wait_ctx(pool, ctx, WP_FOREVER), 0); /* it is at rest */
	t_assert_int_eq(wp_pool_shutdown_ctx(pool, ctx, WP_FOREVER, NULL), 0);
	pool_destroy(pool);
	expect_only_reference(ctx);
}

struct waiter {
	struct wp_pool *pool;
	struct wp_ctx *ctx[4];
	int result[4];
	wp_atomic_u32 done;
};

static void wait_in_ctx(void *arg, unsigned me)
{
	struct waiter *w = arg;
	w->result[me] = wp_pool_wait_ctx(w->pool, w->ctx[me], WP_FOREVER);
	wp_add_rel_u32(&w->done, 1);
}

/* Four wait: in two contexts of one tree, one of its own, and none; each ends with its own. */
T_TEST(pool_wait, a_cancel_ends_the_waits_of_its_context)
{
	struct waiter w = { .pool = pool_of(1, 8, 4) };
	struct gate gate = { 0 };
	struct crew crew;
	w.ctx[0] = ctx_make(NULL, WP_FOREVER);
	w.ctx[1] = ctx_make(w.ctx[0], WP_FOREVER);
	w.ctx[2] = ctx_make(NULL, WP_FOREVER);
	gate_hold(&gate, w.pool, 1);
	crew_start(&crew, 4, wait_in_ctx, &w);
	pool_until(wp_load_rlx_u32(&w.pool->rest.waiters) == 4);
	wp_ctx_cancel(w.ctx[0], -EIO);
	pool_until(wp_load_acq_u32(&w.done) == 2);
	wp__os_sleep(2000000);
	t_assert_u64_eq(wp_load_acq_u32(&w.done), 2);
	t_assert_int_eq(w.result[0], -EIO);
	t_assert_int_eq(w.result[1], -EIO);
	t_assert(!wp_pool_is_closed(w.pool));
	gate_open(&gate);
	crew_join(&crew);
	t_assert_int_eq(w.result[2], 0);
	t_assert_int_eq(w.result[3], 0);
	wp_ctx_unref(w.ctx[1]);
	expect_only_reference(w.ctx[0]);
	expect_only_reference(w.ctx[2]);
	pool_end(w.pool);
}

T_TEST(pool_wait, deadlines_of_the_call_and_of_the_context)
{
	struct wp_pool *pool = pool_of(1, 8, 4);
	struct gate gate = { 0 };
	gate_hold(&gate, pool, 1);
	uint64_t soon = wp_after_ms(10);
	struct wp_ctx *short_lived = ctx_make(NULL, soon),
		      *lasting = ctx_make(NULL, wp_after_ms(600000));
	t_assert_int_eq(wp_pool_wait_ctx(pool, short_lived, WP_FOREVER), WP_ETIMEDOUT);
	t_assert(wp_now_ns() >= soon);
	t_assert_int_eq(wp_pool_wait_ctx(pool, short_lived, WP_FOREVER), WP_ETIMEDOUT);
	soon = wp_after_ms(10);
	t_assert_int_eq(wp_pool_wait_ctx(pool, lasting, soon), WP_ETIMEDOUT);
	t_assert(wp_now_ns() >= soon);
	t_assert_int_eq(wp_ctx_err(lasting), 0);
	t_assert_int_eq(wp_pool_wait_ctx(pool, lasting, 0), WP_ETIMEDOUT);
	gate_open(&gate);
	t_assert_int_eq(wp_pool_wait_ctx(pool, lasting, WP_FOREVER), 0);
	expect_only_reference(short_lived);
	expect_only_reference(lasting);
	pool_end(pool);
}

/* ---- shutting down in a context ---- */

static void shut_down_in_ctx(void *arg, unsigned me)
{
	struct waiter *w = arg;
	struct wp_stop_report report;
	w->result[me] = wp_pool_shutdown_ctx(w->pool, w->ctx[me], WP_FOREVER, &report);
	if (w->result[me] == 0)
		t_assert(report.completed == 4 && report.running == 0);
	else
		t_assert(report.completed == 0 && report.running == 4);
	wp_add_rel_u32(&w->done, 1);
}

T_TEST(pool_wait, a_shutdown_ends_with_its_context_and_the_pool_drains_on)
{
	struct waiter w = { .pool = pool_of(1, 8, 4) };
	struct wp_stop_report report;
	struct gate gate = { 0 };
	struct crew crew;
	w.ctx[0] = ctx_make(NULL, WP_FOREVER);
	w.ctx[1] = ctx_make(NULL, WP_FOREVER);
	gate_hold(&gate, w.pool, 1);
	for (int i = 0; i < 3; i++)
		t_assert_int_eq(wp_submit(w.pool, count_fn, &counted), 0);
	crew_start(&crew, 3, shut_down_in_ctx, &w);
	pool_until(wp_load_rlx_u32(&w.pool->rest.waiters) == 3);
	t_assert(wp_pool_is_closed(w.pool));
	wp_ctx_cancel(w.ctx[0], -EIO);
	pool_until(wp_load_acq_u32(&w.done) == 1);
	t_assert_int_eq(w.result[0], -EIO);
	/* Again, with what has ended, with a deadline of its own, and with a context's. */
	t_assert_int_eq(wp_pool_shutdown_ctx(w.pool, w.ctx[0], WP_FOREVER, &report), -EIO);
	t_assert_u64_eq(report.running, 4);
	t_assert_int_eq(wp_pool_shutdown_ctx(w.pool, w.ctx[1], wp_after_ms(3), NULL), WP_EFORCED);
	struct wp_ctx *timed = ctx_make(NULL, wp_after_ms(3));
	t_assert_int_eq(wp_pool_shutdown_ctx(w.pool, timed, WP_FOREVER, NULL), WP_ETIMEDOUT);
	expect_only_reference(timed);
	gate_open(&gate);
	crew_join(&crew);
	t_assert_int_eq(w.result[1], 0);
	t_assert_int_eq(w.result[2], 0);
	/* All done: also in a context that has ended. */
	t_assert_int_eq(wp_pool_shutdown_ctx(w.pool, w.ctx[0], 0, &report), 0);
	t_assert_u64_eq(report.completed, 4);
	t_assert_int_eq(wp_pool_wait_ctx(w.pool, w.ctx[0], 0), 0);
	pool_destroy(w.pool);
	expect_only_reference(w.ctx[0]);
	expect_only_reference(w.ctx[1]);
}

/* ---- the cancel against the end of the last job ---- */

struct close_race {
	struct wp_pool *pool;
	struct wp_ctx *ctx;
	wp_atomic_u64 rested, cancelled;
};

static void rest_or_cancel(void *arg, unsigned me)
{
	struct close_race *race = arg;
	if (me == 0) {
		wp_ctx_cancel(race->ctx, -EIO);
		return;
	}
	int error = wp_pool_wait_ctx(race->pool, race->ctx, WP_FOREVER);
	t_assert(error == 0 || error == -EIO);
	wp_add_rlx_u64(error ? &race->cancelled : &race->rested, 1);
}

T_TEST_TIMEOUT(pool_wait, cancel_against_the_last_job, 400)
{
	struct close_race race = { .pool = pool_of(2, 64, 8) };
	wp__chaos(5, 32, 4);
	for (uint64_t i = 0; i < t_scaled(2000); i++) {
		struct crew crew;
		race.ctx = ctx_make(NULL, WP_FOREVER);
		for (uint64_t k = 0; k < i % 8; k++)
			t_assert_int_eq(wp_submit(race.pool, count_fn, &counted), 0);
		crew_start(&crew, 3, rest_or_cancel, &race);
		crew_join(&crew);
		expect_only_reference(race.ctx);
	}
	pool_end(race.pool);
}

/* ---- after a stop ---- */

T_TEST(pool_wait, a_stop_ends_the_wait_at_true_rest)
{
	struct waiter w = { .pool = pool_of(1, 64, 8) };
	struct gate gate = { 0 };
	struct crew crew;
	gate_hold(&gate, w.pool, 1);
	for (int i = 0; i < 5; i++)
		t_assert_int_eq(wp_submit(w.pool, count_fn, &counted), 0);
	crew_start(&crew, 4, wait_in_ctx, &w);
	pool_until(wp_load_rlx_u32(&w.pool->rest.waiters) == 4);
	t_assert_int_eq(wp_pool_shutdown(w.pool, 0, NULL), WP_EFORCED);
	wp__os_sleep(1000000);
	t_assert_u64_eq(wp_load_acq_u32(&w.done), 0); /* closed is not at rest */
	gate_open(&gate);
	t_assert_int_eq(wp_pool_stop(w.pool, NULL), 0);
	crew_join(&crew);
	for (int i = 0; i < 4; i++)
		t_assert_int_eq(w.result[i], 0);
	t_assert_int_eq(wp_pool_wait(w.pool, 0), 0);
	t_assert_int_eq(wp_pool_wait(w.pool, WP_FOREVER), 0);
	pool_destroy(w.pool);
}
