/* SPDX-License-Identifier: MIT */
/* Jobs with a context: when they are refused, not run, or told; and who holds references. */
#include <errno.h>
#include <string.h>

#include "counted.h"
#include "ctx.h"
#include "hooks.h"
#include "pool.h"
#include "t.h"
#include "work/ctx.h"

static uint64_t references(const struct wp_ctx *ctx)
{
	return wp_load_rlx_u64(&ctx->references);
}

/* ---- a context that stands changes nothing ---- */

T_TEST(pool_ctx, each_way_runs_the_job)
{
	struct wp_pool *pool = pool_of(2, 64, 16);
	struct wp_ctx *ctx = ctx_make(NULL, wp_after_ms(600000));
	struct wp_job job = works_in(ctx), jobs[5] = { job, job, job, job, job };
	jobs[1].ctx = jobs[3].ctx = NULL;
	t_assert_int_eq(wp_submit_job(pool, &job), 0);
	t_assert_int_eq(wp_try_submit(pool, &job), 0);
	t_assert_int_eq(wp_submit_until(pool, &job, 0), 0);
	t_assert_int_eq(wp_submit_until(pool, &job, 1), 0); /* there is room: no need to wait */
	t_assert_int_eq(wp_submit_until(pool, &job, wp_after_ms(1)), 0);
	t_assert_int_eq(wp_submit_until(pool, &job, WP_FOREVER), 0);
	t_assert_int_eq(wp_submit_batch(pool, jobs, 5), 5);
	t_assert_int_eq(wp_try_submit_batch(pool, jobs, 5), 5);
	t_assert_int_eq(wp_submit_wait(pool, &job), 0);
	pool_wait(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 17);
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), 17);
	t_assert_u64_eq(pool_stats(pool).cancelled, 0);
	pool_end(pool);
	t_assert_u64_eq(references(ctx), 1);
	wp_ctx_unref(ctx);
}

/* ---- refused ---- */

static void expect_refused(struct wp_pool *pool, struct wp_ctx *ctx, int why)
{
	struct wp_job job = works_in(ctx), jobs[3] = { job, job, job };
	t_assert_int_eq(wp_submit_job(pool, &job), why);
	t_assert_int_eq(wp_try_submit(pool, &job), why);
	t_assert_int_eq(wp_submit_until(pool, &job, 0), why);
	t_assert_int_eq(wp_submit_until(pool, &job, 1), why);
	t_assert_int_eq(wp_submit_until(pool, &job, WP_FOREVER), why);
	t_assert_int_eq(wp_submit_wait(pool, &job), why);
	t_assert_int_eq(wp_submit_batch(pool, jobs, 3), why);
	t_assert_int_eq(wp_try_submit_batch(pool, jobs, 3), why);
	t_assert_u64_eq(references(ctx), 1);
}

/* Full or with room, by itself or through its parent: always the context's own reason. */
static void refuse(struct wp_ctx *ctx, int why, bool timed_out)
{
	struct wp_pool *pool = pool_of(1, 2, 1);
	struct gate gate = { 0 };
	expect_refused(pool, ctx, why);
	gate_hold(&gate, pool, 1);
	t_assert_int_eq(wp_submit(pool, works, NULL), 0);
	t_assert_int_eq(wp_submit(pool, works, NULL), 0);
	expect_refused(pool, ctx, why);
	struct wp_stats s = pool_stats(pool);
	t_assert_u64_eq(s.submitted, 3);
	t_assert_u64_eq(s.rejected_timeout, timed_out ? 24 : 0);
	t_assert_u64_eq(s.rejected_cancelled, timed_out ? 0 : 24);
	t_assert_u64_eq(s.rejected_full + s.rejected_closed, 0);
	gate_open(&gate);
	pool_end(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 2);
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), 0); /* refused jobs stay the caller's */
	wp_store_rlx_u64(&ran, 0);
}

T_TEST(pool_ctx, cancelled_is_always_refused)
{
	static const int causes[] = { WP_ECANCELED, -EIO, WP_EFULL, WP_ECLOSED, WP_EINVAL };
	for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
		struct wp_ctx *parent = ctx_make(NULL, WP_FOREVER),
			      *child = ctx_make(parent, WP_FOREVER);
		wp_ctx_cancel(parent, causes[i]);
		refuse(child, causes[i], false);
		wp_ctx_unref(child);
		refuse(parent, causes[i], false);
		wp_ctx_unref(parent);
	}
}

T_TEST(pool_ctx, past_its_deadline_is_always_refused)
{
	struct wp_ctx *past = ctx_make(NULL, 1);
	refuse(past, WP_ETIMEDOUT, true);
	wp_ctx_unref(past);
	struct wp_ctx *soon = ctx_make(NULL, wp_after_ms(2)), *child = ctx_make(soon, WP_FOREVER);
	wp__os_sleep(3000000); /* nobody has looked yet */
	wp_ctx_unref(soon);
	refuse(child, WP_ETIMEDOUT, true);
	wp_ctx_unref(child);
}

/* Many tries with room: none is accepted by chance. */
T_TEST(pool_ctx, refusals_are_no_matter_of_chance)
{
	struct wp_pool *pool = pool_of(2, 1024, 64);
	struct wp_ctx *cancelled = ctx_make(NULL, WP_FOREVER), *past = ctx_make(NULL, 1);
	struct wp_job a = works_in(cancelled), b = works_in(past);
	wp_ctx_cancel(cancelled, 0);
	for (unsigned i = 0; i < 20000; i++) {
		t_assert_int_eq(wp_submit_job(pool, &a), WP_ECANCELED);
		t_assert_int_eq(wp_submit_until(pool, &b, WP_FOREVER), WP_ETIMEDOUT);
	}
	t_assert_u64_eq(pool_stats(pool).submitted, 0);
	t_assert_u64_eq(pool_stats(pool).rejected_cancelled, 20000);
	t_assert_u64_eq(pool_stats(pool).rejected_timeout, 20000);
	pool_end(pool);
	wp_ctx_unref(cancelled);
	wp_ctx_unref(past);
}

static void note_rejected(void *self, size_t n, int why)
{
	int64_t *seen = self;
	seen[0] += (int64_t)n;
	seen[1] = why;
}

T_TEST(pool_ctx, the_metrics_are_told_the_reason)
{
	int64_t seen[2] = { 0, 0 };
	struct wp_metrics_ops ops = wp_metrics_noop;
	struct wp_options o = WP_OPTIONS_INIT;
	ops.inc_rejected = note_rejected;
	o.metrics = &ops;
	o.metrics_self = seen;
	struct wp_pool *pool = pool_make(&o);
	struct wp_ctx *ctx = ctx_make(NULL, WP_FOREVER);
	struct wp_job job = works_in(ctx), jobs[3] = { job, job, job };
	wp_ctx_cancel(ctx, -EIO);
	t_assert_int_eq(wp_submit_job(pool, &job), -EIO);
	t_assert(seen[0] == 1 && seen[1] == -EIO);
	t_assert_int_eq(wp_submit_batch(pool, jobs, 3), -EIO);
	t_assert(seen[0] == 4 && seen[1] == -EIO);
	pool_end(pool);
	wp_ctx_unref(ctx);
}

T_TEST(pool_ctx, closed_and_full_have_their_own_reasons)
{
	struct wp_pool *pool = pool_of(1, 1, 1);
	struct wp_ctx *ctx = ctx_make(NULL, WP_FOREVER);
	struct wp_job job = works_in(ctx);
	struct gate gate = { 0 };
	gate_hold(&gate, pool, 1);
	t_assert_int_eq(wp_try_submit(pool, &job), 0);
	t_assert_int_eq(wp_try_submit(pool, &job), WP_EFULL);
	t_assert_int_eq(wp_submit_until(pool, &job, 1), WP_ETIMEDOUT);
	t_assert_int_eq(wp_submit_until(pool, &job, wp_after_ms(3)), WP_ETIMEDOUT);
	t_assert_int_eq(wp_try_submit_batch(pool, &job, 1), WP_EFULL);
	t_assert_int_eq(wp_ctx_err(ctx), 0); /* the submit's deadline is not the job's */
	gate_open(&gate);
	t_assert_int_eq(wp_pool_shutdown(pool, WP_FOREVER, NULL), 0);
	t_assert_int_eq(wp_submit_job(pool, &job), WP_ECLOSED);
	t_assert_int_eq(wp_submit_wait(pool, &job), WP_ECLOSED);
	t_assert_int_eq(wp_submit_batch(pool, &job, 1), WP_ECLOSED);
	struct wp_stats s = pool_stats(pool);
	t_assert_u64_eq(s.rejected_full, 2);
	t_assert_u64_eq(s.rejected_timeout, 2);
	t_assert_u64_eq(s.rejected_closed, 3);
	t_assert_u64_eq(s.rejected_cancelled, 0);
	t_assert_u64_eq(references(ctx), 1);
	pool_destroy(pool);
	wp_ctx_unref(ctx);
}

/* ---- batches ---- */

T_TEST(pool_ctx, a_batch_ends_at_the_first_job_that_is_not_wanted)
{
	for (int wait = 0; wait < 2; wait++) {
		struct wp_pool *pool = pool_of(1, 64, 8);
		struct wp_ctx *ctx = ctx_make(NULL, WP_FOREVER),
			      *ended = ctx_make(NULL, WP_FOREVER);
		struct wp_job jobs[10];
		wp_ctx_cancel(ended, -EIO);
		for (int i = 0; i < 10; i++)
			jobs[i] = works_in(i % 3 ? ctx : NULL);
		jobs[7].ctx = ended;
		ssize_t n = wait ? wp_submit_batch(pool, jobs, 10)
				 : wp_try_submit_batch(pool, jobs, 10);
		t_assert_int_eq(n, 7);
		n = wait ? wp_submit_batch(pool, jobs + 7, 3)
			 : wp_try_submit_batch(pool, jobs + 7, 3);
		t_assert_int_eq(n, -EIO);
		pool_wait(pool);
		t_assert_u64_eq(pool_stats(pool).submitted, 7);
		t_assert_u64_eq(pool_stats(pool).rejected_cancelled, 6);
		pool_end(pool);
		t_assert_u64_eq(references(ctx), 1);
		t_assert_u64_eq(references(ended), 1);
		wp_ctx_unref(ctx);
		wp_ctx_unref(ended);
	}
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 14);
}

T_TEST(pool_ctx, large_batches_of_many_contexts)
{
	enum { JOBS = 3000, CONTEXTS = 7 };
	static struct wp_job jobs[JOBS];
	struct wp_pool *pool = pool_of(2, 100, 16);
	struct wp_ctx *ctx[CONTEXTS];
	for (int i = 0; i < CONTEXTS; i++)
		ctx[i] = ctx_make(NULL, WP_FOREVER);
	for (int i = 0; i < JOBS; i++)
		jobs[i] = works_in(i / 50 % 8 ? ctx[i / 50 % 8 - 1] : NULL);
	t_assert_int_eq(wp_submit_batch(pool, jobs, JOBS), JOBS); /* waits again and again */
	pool_wait(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), JOBS);
	pool_end(pool);
	for (int i = 0; i < CONTEXTS; i++) {
		t_assert_u64_eq(references(ctx[i]), 1);
		wp_ctx_unref(ctx[i]);
	}
}

/* ---- cancelled while queued ---- */

/* The caller's reference is gone as soon as the submit has returned. */
T_TEST(pool_ctx, queued_jobs_hold_their_context)
{
	struct wp_pool *pool = pool_of(1, 64, 8);
	struct gate gate = { 0 };
	gate_hold(&gate, pool, 1);
	struct wp_ctx *ctx = ctx_make(NULL, WP_FOREVER), *parent = ctx_make(NULL, WP_FOREVER);
	struct wp_ctx *child = ctx_make(parent, WP_FOREVER);
	struct wp_job job = works_in(ctx), of_child = works_in(child);
	t_assert_int_eq(wp_submit_job(pool, &job), 0);
	t_assert_int_eq(wp_submit_job(pool, &job), 0);
	t_assert_u64_eq(references(ctx), 3);
	wp_ctx_unref(ctx);
	t_assert_int_eq(wp_submit_job(pool, &of_child), 0);
	wp_ctx_unref(child);
	wp_ctx_cancel(parent, 0);
	wp_ctx_unref(parent);
	gate_open(&gate);
	pool_wait(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 2);
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), 3);
	t_assert_u64_eq(pool_stats(pool).cancelled, 1);
	pool_end(pool);
}

static void expect_skipped(struct wp_pool *pool, struct gate *gate, uint64_t n)
{
	struct wp_stop_report report;
	gate_open(gate);
	pool_wait(pool);
	struct wp_stats s = pool_stats(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 0);
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), n);
	t_assert_u64_eq(s.cancelled, n);
	t_assert_u64_eq(s.completed, 1);
	t_assert_u64_eq(s.failed + s.dropped + s.queued + s.running, 0);
	t_assert_u64_eq(s.submitted, n + 1);
	t_assert_int_eq(s.last_error, 0);
	t_assert_int_eq(wp_pool_shutdown(pool, WP_FOREVER, &report), 0);
	t_assert_u64_eq(report.completed, 1);
	t_assert_u64_eq(report.cancelled, n);
	t_assert_u64_eq(report.dropped + report.running + report.failed, 0);
	pool_destroy(pool);
	wp_store_rlx_u64(&cleaned, 0);
}

T_TEST(pool_ctx, cancelled_while_queued_is_not_run)
{
	for (unsigned timing = 0; timing < 2; timing++) {
		struct wp_options o = WP_OPTIONS_INIT;
		o.workers = 1;
		o.timing = timing;
		struct wp_pool *pool = pool_make(&o);
		struct wp_ctx *ctx = ctx_make(NULL, WP_FOREVER);
		struct gate gate = { 0 };
		gate_hold(&gate, pool, 1);
		struct wp_job job = works_in(ctx);
		for (int i = 0; i < 20; i++)
			t_assert_int_eq(wp_submit_job(pool, &job), 0);
		wp_ctx_cancel(ctx, -EIO);
		expect_skipped(pool, &gate, 20);
		t_assert_u64_eq(references(ctx), 1);
		wp_ctx_unref(ctx);
	}
}

T_TEST(pool_ctx, deadline_passed_while_queued_is_not_run)
{
	struct wp_pool *pool = pool_of(1, 64, 8);
	struct wp_ctx *ctx = ctx_make(NULL, wp_after_ms(300));
	struct gate gate = { 0 };
	gate_hold(&gate, pool, 1);
	struct wp_job job = works_in(ctx);
	unsigned accepted = 0;
	int error = 0;
	while (accepted < 10 && !(error = wp_submit_job(pool, &job)))
		accepted++;
	t_assert(!error || error == WP_ETIMEDOUT); /* on a very slow machine */
	t_assert_int_eq(wp_ctx_wait(ctx, WP_FOREVER), WP_ETIMEDOUT);
	expect_skipped(pool, &gate, accepted);
	wp_ctx_unref(ctx);
}

/* Cheap jobs come in batches: those in the middle are skipped, the others run, counts are exact. */
T_TEST(pool_ctx, some_of_a_batch_are_cancelled)
{
	struct wp_pool *pool = pool_of(1, 4096, 64);
	struct wp_ctx *ctx = ctx_make(NULL, WP_FOREVER);
	struct gate gate = { 0 };
	pool_make_cheap(pool, &ran);
	wp_store_rlx_u64(&ran, 0);
	gate_hold(&gate, pool, 1);
	for (int i = 0; i < 1000; i++) {
		struct wp_job job = works_in(i % 10 < 3 ? ctx : NULL);
		t_assert_int_eq(wp_submit_job(pool, &job), 0);
	}
	wp_ctx_cancel(ctx, 0);
	gate_open(&gate);
	pool_wait(pool);
	struct wp_stats s = pool_stats(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 700);
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), 1000);
	t_assert_u64_eq(s.cancelled, 300);
	t_assert_u64_eq(s.completed, 2001 + 700);
	pool_end(pool);
	t_assert_u64_eq(references(ctx), 1);
	wp_ctx_unref(ctx);
}

/* ---- while it runs ---- */

static wp_atomic_u32 running;

static int polls(void *payload)
{
	const struct wp_job_info *info = wp_job_current();
	t_assert(info->ctx == payload);
	wp_store_rel_u32(&running, 1);
	int err;
	while (!(err = wp_ctx_err(wp_job_current()->ctx)))
		wp__os_yield();
	return err;
}

static int sleeps(void *payload)
{
	(void)payload;
	wp_store_rel_u32(&running, 1);
	return wp_ctx_wait(wp_job_current()->ctx, WP_FOREVER);
}

static void *cancel_when_running(void *ctx)
{
	while (!wp_load_acq_u32(&running))
		wp__os_sleep(100000);
	wp_ctx_cancel(ctx, -EIO);
	return NULL;
}

static void run_until_cancelled(wp_job_fn fn, unsigned workers)
{
	struct wp_pool *pool = pool_of(workers, 64, 8);
	struct wp_ctx *ctx = ctx_make(NULL, WP_FOREVER);
	struct wp_job job = { .fn = fn, .payload = ctx, .ctx = ctx, .cleanup = cleanup };
	struct wp__thread thread;
	wp_store_rlx_u32(&running, 0);
	wp_store_rlx_u64(&cleaned, 0);
	t_assert_int_eq(wp__os_thread_create(&thread, 0, cancel_when_running, ctx), 0);
	/* The waiter waits for the job, which itself sees the end. */
	t_assert_int_eq(wp_submit_wait(pool, &job), -EIO);
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), 1);
	struct wp_stats s = pool_stats(pool);
	wp__os_thread_join(&thread);
	pool_wait(pool);
	s = pool_stats(pool);
	t_assert_u64_eq(s.failed, 1); /* it ran, and said so */
	t_assert_u64_eq(s.completed, 0);
	t_assert_u64_eq(s.cancelled, 0);
	pool_end(pool);
	t_assert_u64_eq(references(ctx), 1);
	wp_ctx_unref(ctx);
}

T_TEST(pool_ctx, a_running_job_sees_the_cancel)
{
	run_until_cancelled(polls, 1);
	run_until_cancelled(polls, 2);
	run_until_cancelled(sleeps, 1);
	run_until_cancelled(sleeps, 2);
}

static int stubborn(void *payload)
{
	wp_atomic_u32 *done = payload;
	wp_store_rel_u32(&running, 1);
	while (!wp_ctx_err(wp_job_current()->ctx))
		wp__os_yield();
	wp__os_sleep(5000000);
	wp_store_rel_u32(done, 1);
	return 7;
}

T_TEST(pool_ctx, who_waits_for_a_job_waits_for_its_end)
{
	struct wp_pool *pool = pool_of(1, 8, 4);
	struct wp_ctx *ctx = ctx_make(NULL, WP_FOREVER);
	wp_atomic_u32 done = { 0 };
	struct wp_job job = { .fn = stubborn, .payload = &done, .ctx = ctx };
	struct wp__thread thread;
	t_assert_int_eq(wp__os_thread_create(&thread, 0, cancel_when_running, ctx), 0);
	t_assert_int_eq(wp_submit_wait(pool, &job), 7);
	t_assert(wp_load_acq_u32(&done));
	wp__os_thread_join(&thread);
	pool_end(pool);
	wp_ctx_unref(ctx);
}

/* ---- waited for, and cancelled before it ran ---- */

struct waiting {
	struct wp_pool *pool;
	struct wp_job job;
	int result;
};

static void submit_and_wait(void *arg, unsigned me)
{
	struct waiting *w = arg;
	(void)me;
	w->result = wp_submit_wait(w->pool, &w->job);
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), 1);
}

T_TEST(pool_ctx, who_waits_is_told_why_it_did_not_run)
{
	static const int causes[] = { -EIO, 0, WP_ETIMEDOUT };
	static const int told[] = { -EIO, WP_ECANCELED, WP_ETIMEDOUT };
	for (int i = 0; i < 3; i++) {
		struct waiting w = { .pool = pool_of(1, 8, 4), .result = 1 };
		struct wp_ctx *ctx = ctx_make(NULL, WP_FOREVER);
		struct gate gate = { 0 };
		struct crew crew;
		w.job = works_in(ctx);
		wp_store_rlx_u64(&cleaned, 0);
		gate_hold(&gate, w.pool, 1);
		crew_start(&crew, 1, submit_and_wait, &w);
		pool_until(pool_stats(w.pool).queued == 1);
		wp_ctx_cancel(ctx, causes[i]);
		gate_open(&gate);
		crew_join(&crew);
		t_assert_int_eq(w.result, told[i]);
		pool_wait(w.pool);
		t_assert_u64_eq(pool_stats(w.pool).cancelled, 1);
		pool_end(w.pool);
		t_assert_u64_eq(references(ctx), 1);
		wp_ctx_unref(ctx);
	}
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 0);
}
