/* SPDX-License-Identifier: MIT */
/*
 * What becomes of a job, all of it at once: of every accepted job exactly one thing, its cleanup
 * once, counted once, whatever the others do and however the pool ends. And what a submit meets at
 * the pool's limits: its capacity and its close.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "hooks.h"
#include "pool.h"
#include "t.h"
#include "work/ctx.h"

/* ---- fifty threads, every kind of job, every kind of end ---- */

#define SUBMITTERS 50
#define EACH       100

enum kind { SUCCEEDS, FAILS, PANICS, ENDS_ITS_THREAD, IS_CANCELLED, KINDS };

struct item {
	enum kind kind;
	bool accepted;
	wp_atomic_u32 ran, cleaned, told;
};

struct world {
	struct wp_pool *pool;
	struct wp_ctx
		*ended; /* by the time a worker comes to them: those that are to be cancelled */
	struct item items[SUBMITTERS * EACH];
};

static int run_item(void *payload)
{
	struct item *item = payload;
	t_assert_u64_eq(wp_add_rlx_u32(&item->ran, 1), 0);
	t_assert_u64_eq(wp_load_rlx_u32(&item->cleaned), 0);
	switch (item->kind) {
	case FAILS:
		return -EIO;
	case PANICS:
		wp_panic(-EPROTO, "one of many");
	case ENDS_ITS_THREAD:
		pthread_exit(NULL);
	default:
		return 0;
	}
}

static void clean_item(void *payload)
{
	struct item *item = payload;
	t_assert_u64_eq(wp_add_rlx_u32(&item->cleaned, 1), 0);
}

static void tell_of_item(void *self, const struct wp_job_error *error)
{
	(void)self;
	struct item *item = error->payload;
	t_assert(item->kind == FAILS ? error->code == -EIO : error->result == WP_EPANIC);
	t_assert_u64_eq(wp_load_rlx_u32(&item->cleaned), 0); /* it needs the payload */
	wp_add_rlx_u32(&item->told, 1);
}

static void expect_result(const struct item *item, int result)
{
	static const int results[KINDS] = { 0, -EIO, WP_EPANIC, WP_EPANIC, WP_ECANCELED };
	bool in_time = item->kind == IS_CANCELLED && wp_load_rlx_u32(&item->ran);
	t_assert(result == WP_EDROPPED || result == (in_time ? 0 : results[item->kind]));
	t_assert_u64_eq(wp_load_rlx_u32(&item->cleaned), 1);
}

static void submit_items(void *arg, unsigned me)
{
	struct world *w = arg;
	struct wp__rng rng = { me };
	for (unsigned i = 0; i < EACH; i++) {
		struct item *item = &w->items[me * EACH + i];
		/* Threads are dear: one in 32. */
		uint64_t dice = wp__rng_below(&rng, 32);
		item->kind = dice ? (enum kind)(dice % ENDS_ITS_THREAD) : ENDS_ITS_THREAD;
		if (dice % 5 == 4)
			item->kind = IS_CANCELLED;
		struct wp_job job = { .fn = run_item, .payload = item, .cleanup = clean_item };
		struct wp_ctx *ctx = NULL;
		if (item->kind == IS_CANCELLED) {
			t_assert_int_eq(wp_ctx_create(&ctx, w->ended, WP_FOREVER), 0);
			job.ctx = ctx;
		}
		if (i % 10 == 9) {
			int result = wp_submit_wait(w->pool, &job);
			item->accepted = result != WP_ECLOSED && wp_load_rlx_u32(&item->cleaned);
			if (item->accepted)
				expect_result(item, result);
		} else {
			item->accepted = wp_submit_job(w->pool, &job) == 0;
		}
		wp_ctx_unref(ctx);
	}
}

/* What was counted against what was seen to happen, item by item. */
static void compare(struct world *w, const struct wp_stop_report *r)
{
	struct wp_stop_report seen = { 0 };
	uint64_t accepted = 0, refused = 0;
	for (unsigned i = 0; i < SUBMITTERS * EACH; i++) {
		struct item *item = &w->items[i];
		uint32_t ran = wp_load_rlx_u32(&item->ran);
		t_assert_u64_eq(wp_load_rlx_u32(&item->cleaned), item->accepted);
		t_assert(ran <= item->accepted);
		bool bad = ran && (item->kind == FAILS || item->kind == PANICS ||
					  item->kind == ENDS_ITS_THREAD);
		t_assert_u64_eq(wp_load_rlx_u32(&item->told), bad);
		accepted += item->accepted;
		refused += !item->accepted;
		seen.failed += bad && item->kind == FAILS;
		seen.panicked += bad && item->kind != FAILS;
		seen.completed += ran && !bad;
		seen.dropped += item->accepted && !ran; /* or cancelled */
	}
	t_assert_u64_eq(r->completed, seen.completed);
	t_assert_u64_eq(r->failed, seen.failed);
	t_assert_u64_eq(r->panicked, seen.panicked);
	t_assert_u64_eq(r->dropped + r->cancelled, seen.dropped);
	t_assert_u64_eq(r->running, 0);
	struct wp_stats s = pool_stats(w->pool);
	t_assert_u64_eq(s.submitted, accepted);
	t_assert_u64_eq(s.rejected_closed + s.rejected_cancelled, refused);
	t_assert_u64_eq(s.rejected_full + s.rejected_timeout, 0);
}

static void cancel_or_submit(void *arg, unsigned me)
{
	struct world *w = arg;
	if (me < SUBMITTERS) {
		submit_items(w, me);
		return;
	}
	wp__os_sleep(1000000);
	wp_ctx_cancel(w->ended, WP_ECANCELED);
	if (me == SUBMITTERS + 1)
		t_assert_int_eq(wp_pool_stop(w->pool, NULL), 0);
}

static void live(bool stopped, size_t capacity)
{
	struct world *w = calloc(1, sizeof(*w));
	t_assert(w != NULL);
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = 8;
	o.capacity = capacity;
	o.segment_size = 16;
	o.on_error = tell_of_item;
	w->pool = pool_make(&o);
	t_assert_int_eq(wp_ctx_create(&w->ended, NULL, WP_FOREVER), 0);
	struct crew crew;
	crew_start(&crew, SUBMITTERS + 1 + stopped, cancel_or_submit, w);
	crew_join(&crew);
	struct wp_stop_report report;
	t_assert_int_eq(wp_pool_shutdown(w->pool, wp_after_ns(POOL_WATCHDOG_NS), &report), 0);
	t_assert(stopped || report.dropped == 0);
	compare(w, &report);
	pool_destroy(w->pool);
	t_assert_u64_eq(wp_load_rlx_u64(&w->ended->references), 1);
	wp_ctx_unref(w->ended);
	free(w);
}

T_TEST(fates, each_job_has_exactly_one)
{
	for (uint64_t round = 0; round < t_scaled(4); round++) {
		live(false, round % 2 ? 4 : 10000);
		live(true, round % 2 ? 10000 : 4);
	}
}

/* ---- several pools ---- */

static int note_id(void *payload)
{
	*(uint64_t *)payload = wp_job_current()->id;
	return -7;
}

T_TEST(fates, pools_share_nothing)
{
	static struct wp_metrics_counters counters[2];
	struct wp_pool *pools[2];
	uint64_t ids[2][3];
	for (int i = 0; i < 2; i++) {
		struct wp_options o = WP_OPTIONS_INIT;
		o.workers = 1;
		o.metrics = &wp_metrics_atomic;
		o.metrics_self = &counters[i];
		pools[i] = pool_make(&o);
	}
	for (int i = 0; i < 2; i++) {
		for (int k = 0; k <= i; k++)
			t_assert_int_eq(wp_submit(pools[i], note_id, &ids[i][k]), 0);
		pool_wait(pools[i]);
		for (uint64_t k = 0; k <= (uint64_t)i; k++)
			t_assert_u64_eq(ids[i][k], k);
		t_assert_int_eq(pool_stats(pools[1]).last_error, i ? -7 : 0);
	}
	t_assert_int_eq(wp_pool_stop(pools[0], NULL), 0);
	t_assert_int_eq(wp_pool_state(pools[1]), WP_STATE_OPEN);
	t_assert_int_eq(wp_submit(pools[1], note_id, &ids[1][2]), 0);
	pool_wait(pools[1]);
	for (unsigned i = 0; i < 2; i++) {
		struct wp_metrics_snapshot counted;
		wp_metrics_read(&counters[i], &counted);
		t_assert_u64_eq(counted.executed, i ? 3 : 1);
		t_assert_u64_eq(pool_stats(pools[i]).failed, i ? 3 : 1);
		pool_destroy(pools[i]);
	}
}

/* ---- capacity ---- */

struct rush {
	struct wp_pool *pool;
	wp_atomic_u64 accepted, refused, ran;
};

static void try_more_than_fit(void *arg, unsigned me)
{
	struct rush *rush = arg;
	struct wp_job job = { .fn = count_fn, .payload = &rush->ran };
	(void)me;
	for (int i = 0; i < 50; i++) {
		int error = wp_try_submit(rush->pool, &job);
		t_assert(error == 0 || error == WP_EFULL);
		wp_add_rlx_u64(error ? &rush->refused : &rush->accepted, 1);
	}
}

/* However many try at once, and whatever became of the jobs before: exactly so many fit. */
T_TEST(fates, capacity_is_exact_for_all_who_try_at_once)
{
	static const size_t capacities[] = { 1, 7, 64, 399 };
	for (unsigned i = 0; i < 4; i++) {
		struct rush rush = { .pool = pool_of(2, capacities[i], 8) };
		for (unsigned round = 1; round <= 5; round++) {
			struct gate gate = { 0 };
			struct crew crew;
			wp_store_rlx_u64(&rush.accepted, 0);
			wp_store_rlx_u64(&rush.ran, 0);
			gate_hold(&gate, rush.pool, 2);
			crew_start(&crew, 8, try_more_than_fit, &rush);
			crew_join(&crew);
			t_assert_u64_eq(wp_load_rlx_u64(&rush.accepted), capacities[i]);
			t_assert_u64_eq(
				wp_load_rlx_u64(&rush.refused), round * (400 - capacities[i]));
			t_assert_u64_eq(pool_stats(rush.pool).queued, capacities[i]);
			gate_open(&gate);
			pool_wait(rush.pool);
			t_assert_u64_eq(wp_load_rlx_u64(&rush.ran), capacities[i]);
		}
		t_assert_u64_eq(
			pool_stats(rush.pool).rejected_full, wp_load_rlx_u64(&rush.refused));
		pool_end(rush.pool);
	}
}

static int give_up_somehow(void *payload)
{
	if ((uintptr_t)payload % 3 == 0)
		wp_panic(-1, "given up");
	if ((uintptr_t)payload % 3 == 1)
		pthread_exit(NULL);
	return -1;
}

T_TEST(fates, jobs_that_give_up_keep_no_room)
{
	enum { CAPACITY = 5 };
	struct wp_pool *pool = pool_of(1, CAPACITY, 2);
	struct wp_ctx *ctx;
	wp_atomic_u64 ran = { 0 };
	struct gate gate = { 0 };
	t_assert_int_eq(wp_ctx_create(&ctx, NULL, WP_FOREVER), 0);
	for (uintptr_t i = 0; i < 60; i++)
		t_assert_int_eq(wp_submit(pool, give_up_somehow, (void *)i), 0);
	gate_hold(&gate, pool, 1);
	struct wp_job unwanted = { .fn = count_fn, .payload = &ran, .ctx = ctx };
	while (wp_try_submit(pool, &unwanted) == 0)
		;
	wp_ctx_cancel(ctx, 0);
	wp_ctx_unref(ctx);
	gate_open(&gate);
	pool_wait(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 0);
	struct gate again = { 0 };
	gate_hold(&again, pool, 1);
	struct wp_job job = { .fn = count_fn, .payload = &ran };
	for (int i = 0; i < CAPACITY; i++)
		t_assert_int_eq(wp_try_submit(pool, &job), 0);
	t_assert_int_eq(wp_try_submit(pool, &job), WP_EFULL);
	gate_open(&again);
	pool_wait(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), CAPACITY);
	pool_end(pool);
}

/* ---- the close ---- */

struct blocked {
	struct wp_pool *pool;
	wp_atomic_u64 ran, cleaned, closed;
};

static void submit_while_full(void *arg, unsigned me)
{
	struct blocked *b = arg;
	struct wp_job job = { .fn = count_fn, .payload = &b->ran };
	int error = me % 3 == 0   ? wp_submit_job(b->pool, &job)
		    : me % 3 == 1 ? wp_submit_until(b->pool, &job, WP_FOREVER)
				  : wp_submit_wait(b->pool, &job);
	t_assert_int_eq(error, WP_ECLOSED);
	wp_add_rlx_u64(&b->closed, 1);
}

static void stop_the_pool(void *arg, unsigned me)
{
	struct blocked *b = arg;
	struct wp_stop_report report;
	(void)me;
	t_assert_int_eq(wp_pool_stop(b->pool, &report), 0);
	t_assert_u64_eq(report.completed, 1); /* the gate */
	t_assert_u64_eq(report.dropped, 2);
}

/* Those who wait for room are told at once, while a job still runs, and theirs never do. */
T_TEST(fates, stop_releases_who_waits_for_room)
{
	struct blocked b = { .pool = pool_of(1, 2, 1) };
	struct gate gate = { 0 };
	struct crew crew, stopper;
	struct wp_job job = { .fn = count_fn, .payload = &b.ran };
	gate_hold(&gate, b.pool, 1);
	t_assert_int_eq(wp_submit_job(b.pool, &job), 0);
	t_assert_int_eq(wp_submit_job(b.pool, &job), 0);
	crew_start(&crew, 6, submit_while_full, &b);
	pool_until(wp_load_rlx_u32(&b.pool->lane.room.waiters) == 6);
	crew_start(&stopper, 1, stop_the_pool, &b);
	crew_join(&crew); /* the gate is shut */
	t_assert_u64_eq(wp_load_rlx_u64(&b.closed), 6);
	pool_until(pool_discards(b.pool));
	gate_open(&gate);
	crew_join(&stopper);
	t_assert_u64_eq(wp_load_rlx_u64(&b.ran), 0);
	t_assert_u64_eq(pool_stats(b.pool).rejected_closed, 6);
	pool_destroy(b.pool);
}

/* A submitter that is held at a point while the pool is closed. */
static const char *hold_at;
static _Thread_local bool may_be_held;
static wp_atomic_u32 held, let_go;

static void hold(const char *label)
{
	if (!may_be_held || strcmp(label, hold_at) != 0)
		return;
	may_be_held = false;
	wp_store_rel_u32(&held, 1);
	while (!wp_load_acq_u32(&let_go))
		wp__os_sleep(20000);
}

struct late {
	struct wp_pool *pool;
	wp_atomic_u64 ran, cleaned;
	int result;
	struct wp_stop_report report;
	wp_atomic_u32 stopped;
};

static int late_fn(void *payload)
{
	wp_add_rlx_u64(&((struct late *)payload)->ran, 1);
	return 0;
}

static void late_cleanup(void *payload)
{
	wp_add_rlx_u64(&((struct late *)payload)->cleaned, 1);
}

static void submit_late(void *arg, unsigned me)
{
	struct late *late = arg;
	struct wp_job job = { .fn = late_fn, .payload = late, .cleanup = late_cleanup };
	(void)me;
	may_be_held = true;
	late->result = wp_submit_job(late->pool, &job);
}

static void stop_early(void *arg, unsigned me)
{
	struct late *late = arg;
	(void)me;
	t_assert_int_eq(wp_pool_stop(late->pool, &late->report), 0);
	wp_store_rel_u32(&late->stopped, 1);
}

static void hold_submitter(struct late *late, struct crew *crew, const char *label)
{
	hold_at = label;
	wp_store_rlx_u32(&held, 0);
	wp_store_rlx_u32(&let_go, 0);
	late->pool = pool_of(1, 65536, 64); /* far from full: a ticket by fetch-add */
	wp__set_point_hook(hold);
	crew_start(crew, 1, submit_late, late);
	pool_until(wp_load_acq_u32(&held));
}

/* Held before it has a ticket: the pool ends without it, and the job is refused. */
T_TEST(fates, a_submit_that_comes_after_the_close_is_refused)
{
	for (int stop = 0; stop < 2; stop++) {
		struct late late = { .result = 1 };
		struct wp_stop_report report;
		struct crew crew;
		hold_submitter(&late, &crew, "Q0");
		t_assert_int_eq(stop ? wp_pool_stop(late.pool, &report)
				     : wp_pool_shutdown(late.pool, WP_FOREVER, &report),
			0);
		t_assert_u64_eq(report.completed + report.dropped + report.running, 0);
		wp_store_rel_u32(&let_go, 1);
		crew_join(&crew);
		t_assert_int_eq(late.result, WP_ECLOSED);
		t_assert_u64_eq(pool_stats(late.pool).rejected_closed, 1);
		t_assert_u64_eq(pool_stats(late.pool).submitted, 0);
		pool_destroy(late.pool);
		t_assert_u64_eq(wp_load_rlx_u64(&late.ran) + wp_load_rlx_u64(&late.cleaned), 0);
	}
}

/* Held between its ticket and its job: the ticket is a promise that a shutdown waits for. */
T_TEST(fates, a_submit_that_came_before_the_close_is_waited_for)
{
	struct late late = { .result = 1 };
	struct wp_stop_report report;
	struct crew crew;
	hold_submitter(&late, &crew, "Q1");
	for (int i = 0; i < 3; i++) {
		t_assert_int_eq(wp_pool_shutdown(late.pool, wp_after_ms(2), &report), WP_EFORCED);
		t_assert_u64_eq(report.running, 1);
	}
	wp_store_rel_u32(&let_go, 1);
	t_assert_int_eq(wp_pool_shutdown(late.pool, WP_FOREVER, &report), 0);
	t_assert_u64_eq(report.completed, 1);
	crew_join(&crew);
	t_assert_int_eq(late.result, 0);
	t_assert_u64_eq(wp_load_rlx_u64(&late.ran), 1);
	t_assert_u64_eq(wp_load_rlx_u64(&late.cleaned), 1);
	pool_destroy(late.pool);
}

/* The same against a stop: dropped, with its cleanup, and the stop returns only then. */
T_TEST(fates, a_submit_that_came_before_a_stop_is_dropped)
{
	struct late late = { .result = 1 };
	struct crew crew, stopper;
	hold_submitter(&late, &crew, "Q1");
	crew_start(&stopper, 1, stop_early, &late);
	pool_until(pool_discards(late.pool));
	wp__os_sleep(3000000);
	t_assert(!wp_load_acq_u32(&late.stopped));
	wp_store_rel_u32(&let_go, 1);
	crew_join(&stopper);
	crew_join(&crew);
	t_assert_int_eq(late.result, 0);
	t_assert_u64_eq(late.report.dropped, 1);
	t_assert_u64_eq(late.report.completed, 0);
	t_assert_u64_eq(wp_load_rlx_u64(&late.ran), 0);
	t_assert_u64_eq(wp_load_rlx_u64(&late.cleaned), 1);
	pool_destroy(late.pool);
}
