/* SPDX-License-Identifier: MIT */
/* Scenarios with contexts: trees and callbacks by themselves, jobs that are cancelled. */
#define _GNU_SOURCE
#include "scenarios.h"

#include <wpool/wpool.h>

#include "base/atomic.h"
#include "base/os.h"
#include "doors.h"

/* NULL when it could not be made, which is allowed only if something failed. */
static struct wp_ctx *make_ctx(struct wp_ctx *parent, uint64_t deadline)
{
	struct wp_ctx *ctx = (void *)&deadline;
	CALL(int, error, wp_ctx_create(&ctx, parent, deadline));
	if (!error)
		return ctx;
	t_assert_int_eq(error, WP_ENOMEM);
	t_assert(!ctx && sweep_has_failed());
	return NULL;
}

static void note(void *self, int err)
{
	t_assert_int_eq(err, -EIO);
	wp_add_rlx_u64(self, 1);
}

static void *cancel_soon(void *ctx)
{
	wp__os_sleep(300000);
	wp_ctx_cancel(ctx, -EIO);
	return NULL;
}

/* What could be made of the tree works as it should, whatever is missing of it. */
void scenario_ctx_tree(void)
{
	struct wp_ctx *ctx[4] = { make_ctx(NULL, WP_FOREVER) };
	wp_atomic_u64 calls = { 0 };
	struct wp_ctx_callback callback[4];
	uint64_t made = 0;
	if (!ctx[0])
		return;
	for (int i = 1; i < 4; i++)
		ctx[i] = make_ctx(ctx[(i - 1) / 2] ? ctx[(i - 1) / 2] : ctx[0], WP_FOREVER);
	for (int i = 0; i < 4; i++) {
		if (!ctx[i])
			continue;
		EXPECT(wp_ctx_on_cancel(ctx[i], &callback[i], note, &calls), 0);
		EXPECT(wp_ctx_wait(ctx[i], wp_after_ns(20000)), 0);
		made++;
	}
	struct door_thread *thread = door_thread_start(cancel_soon, ctx[0]);
	EXPECT(wp_ctx_wait(ctx[0], WP_FOREVER), -EIO);
	door_thread_join(thread);
	t_assert_u64_eq(wp_load_rlx_u64(&calls), made);
	for (int i = 0; i < 4; i++) {
		if (!ctx[i])
			continue;
		EXPECT(wp_ctx_err(ctx[i]), -EIO);
		EXPECT(wp_ctx_remove_callback(&callback[i]), false);
		wp_ctx_unref(ctx[i]);
	}
}

/* ---- jobs ---- */

static wp_atomic_u64 ran, cleaned;
static wp_atomic_u32 in_gate, gate_open;

static int work(void *payload)
{
	(void)payload;
	wp_add_rlx_u64(&ran, 1);
	return 0;
}

static void clean(void *payload)
{
	(void)payload;
	wp_add_rlx_u64(&cleaned, 1);
}

static int gate(void *payload)
{
	wp_store_rlx_u32(&in_gate, 1);
	while (!wp_load_rlx_u32(&gate_open))
		wp__os_sleep(50000);
	return work(payload);
}

static struct wp_pool *make_pool(void)
{
	struct wp_options o = WP_OPTIONS_INIT;
	struct wp_pool *pool = (void *)&o;
	o.workers = 1;
	o.capacity = 4;
	o.segment_size = 2;
	wp_store_rlx_u64(&ran, 0);
	wp_store_rlx_u64(&cleaned, 0);
	wp_store_rlx_u32(&in_gate, 0);
	wp_store_rlx_u32(&gate_open, 0);
	CALL(int, error, wp_pool_create(&pool, &o));
	if (!error)
		return pool;
	t_assert_int_eq(error, WP_ENOMEM);
	t_assert(!pool && sweep_has_failed());
	return NULL;
}

/* The pool's one worker is in the gate, four jobs are queued; a submit waits until the cancel. */
static void cancel_all(struct wp_pool *pool, struct wp_ctx *ctx)
{
	struct wp_job hold = { .fn = gate, .cleanup = clean };
	struct wp_job job = { .fn = work, .ctx = ctx, .cleanup = clean };
	struct wp_job jobs[3] = { job, job, job };
	EXPECT(wp_submit_job(pool, &hold), 0);
	while (!wp_load_rlx_u32(&in_gate))
		wp__os_sleep(50000);
	EXPECT(wp_submit_job(pool, &job), 0);
	EXPECT(wp_submit_batch(pool, jobs, 3), 3);
	EXPECT(wp_try_submit(pool, &job), WP_EFULL);
	EXPECT(wp_submit_until(pool, &job, wp_after_ns(20000)), WP_ETIMEDOUT);
	EXPECT(wp_pool_wait_ctx(pool, ctx, wp_after_ns(20000)), WP_ETIMEDOUT);
	struct door_thread *thread = door_thread_start(cancel_soon, ctx);
	EXPECT(wp_submit_wait(pool, &job), -EIO);
	EXPECT(wp_submit_batch(pool, jobs, 3), -EIO);
	EXPECT(wp_pool_shutdown_ctx(pool, ctx, WP_FOREVER, NULL), -EIO);
	door_thread_join(thread);
	wp_store_rlx_u32(&gate_open, 1);
}

void scenario_ctx_jobs(void)
{
	struct wp_stop_report report;
	struct wp_pool *pool = make_pool();
	if (!pool)
		return;
	struct wp_ctx *ctx = make_ctx(NULL, wp_after_ns(LONG_NS));
	if (ctx) {
		cancel_all(pool, ctx);
		wp_ctx_unref(ctx);
	}
	EXPECT(wp_pool_shutdown(pool, wp_after_ns(LONG_NS), &report), 0);
	t_assert_u64_eq(report.completed, ctx ? 1 : 0);
	t_assert_u64_eq(report.cancelled, ctx ? 4 : 0);
	t_assert_u64_eq(report.running + report.dropped + report.failed, 0);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), report.completed);
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), report.completed + report.cancelled);
	wp_pool_destroy(pool);
}
