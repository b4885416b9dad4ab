/* SPDX-License-Identifier: MIT */
#include "engine/pool.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <wpool/error.h>

#include "base/alloc.h"
#include "base/hooks.h"
#include "base/rcu.h"
#include "base/trap.h"
#include "engine/lanes.h"
#include "engine/producer.h"
#include "engine/fork.h"
#include "engine/run.h"
#include "engine/thread.h"
#include "engine/timing.h"
#include "topo/pin.h"

_Thread_local struct wp__worker *wp__self;

void wp__pool_event(struct wp_pool *pool, int code, unsigned worker, const char *what)
{
	if (!pool->options.on_event)
		return;
	char message[128];
	snprintf(message, sizeof(message), "%s (error %d)", what, -code);
	pool->options.on_event(pool->options.on_event_self,
		&(struct wp_pool_event){
			.pool = pool, .code = code, .message = message, .worker = worker });
}

/* ---- making one ---- */

static void init_settings(struct wp_pool *pool, const struct wp_options *o)
{
	pool->options = *o;
	snprintf(pool->name, sizeof(pool->name), "%.15s", o->name);
	pool->options.name = pool->name;
	pool->metrics = *o->metrics;
	pool->options.metrics = &pool->metrics;
	pool->metrics_self = o->metrics_self;
	pool->ticks_per_1024ns = wp__os_ticks_per_1024ns();
	pool->spin_ticks = wp__ns_to_ticks(pool, o->spin_ns);
	pool->gap_ticks = wp__ns_to_ticks(pool, o->poll_gap_ns);
	pool->dozes = o->poll_gap_ns >= WP__DOZE_NS;
	pool->batch_ticks = wp__ns_to_ticks(pool, o->batch_ns);
	pool->started_ns = wp__os_now_ns();
	wp__os_mutex_init(&pool->mutex);
	wp__os_mutex_init(&pool->end_mutex);
	wp__os_mutex_init(&pool->panic_mutex);
	wp__guard_prepare();
}

static int init_lane(struct wp_pool *pool)
{
	const struct wp_options *o = &pool->options;
	return wp__segqueue_init(&pool->lane, &(struct wp__segqueue_options){
						      .capacity = o->capacity,
						      .segment_size = o->segment_size,
						      .segment_count = o->segment_count,
						      .keep_free = o->pool_capacity,
						      .stamps = o->timing,
						      .room_patience = WP__ROOM_PATIENCE_NS,
						      .first_ticket = WP_FIRST_TICKET(),
					      });
}

static int init_timing(struct wp_pool *pool)
{
	if (!pool->options.timing)
		return 0;
	pool->times = wp__alloc(WP_ALONE, sizeof(*pool->times));
	int error = pool->times ? 0 : WP_ENOMEM;
	for (unsigned i = 0; i < pool->options.workers && !error; i++)
		error = wp__timing_init(&pool->workers[i]);
	return error;
}

static int init_workers(struct wp_pool *pool)
{
	unsigned n = pool->options.workers;
	pool->workers = wp__alloc(WP_ALONE, n * sizeof(*pool->workers));
	if (!pool->workers)
		return WP_ENOMEM;
	for (unsigned i = 0; i < n; i++) {
		struct wp__worker *w = &pool->workers[i];
		w->pool = pool;
		w->index = i;
		w->cpu = UINT_MAX;
		w->cost = pool->batch_ticks; /* not known yet: one job at a time */
	}
	int error = wp__lanes_init(pool);
	if (!error)
		error = wp__parking_init(&pool->parking, n);
	pool->parking.standby_ns = pool->options.standby_ns;
	return error;
}

/* Lanes ask for it. What is missing is told once there is a pool to ask about. */
static int init_jobs(struct wp_pool *pool)
{
	int missing = wp__os_membarrier_register();
	pool->has_membarrier = !missing;
	int error = init_lane(pool);
	if (!error)
		error = init_workers(pool);
	if (!error && missing)
		wp__pool_event(pool, missing, UINT_MAX,
			"membarrier is missing: a fence per job is used instead");
	return error;
}

/* Pinning that does not work out is reported and otherwise done without. */
static void plan_pinning(struct wp_pool *pool)
{
	unsigned n = pool->options.workers;
	if (!wp__pin_wanted(pool->options.pin_workers))
		return;
	unsigned *cpus = wp__alloc(sizeof(void *), n * sizeof(*cpus));
	int found = cpus ? wp__pin_plan(cpus, n) : WP_ENOMEM;
	if (found <= 0)
		wp__pool_event(pool, found ? found : WP_EINVAL, UINT_MAX,
			"workers are not pinned: no CPU found to pin them to");
	for (unsigned i = 0; found > 0 && i < n; i++)
		pool->workers[i].cpu = cpus[i];
	wp__free(cpus);
}

/* ---- threads ---- */

/* The first ones may ask for statistics, in a handler, while the others are being started. */
static void note_threads(struct wp_pool *pool, unsigned n)
{
	wp__os_mutex_lock(&pool->mutex);
	pool->threads = n;
	pool->threads_peak = n > pool->threads_peak ? n : pool->threads_peak;
	wp__os_mutex_unlock(&pool->mutex);
}

static int start_threads(struct wp_pool *pool)
{
	for (unsigned i = 0; i < pool->options.workers; i++) {
		struct wp__worker *w = &pool->workers[i];
		struct wp__thread thread; /* the worker notes by itself which one it is */
		int error =
			wp__os_thread_create(&thread, pool->options.stack_size, wp__thread_main, w);
		if (error) {
			wp__pool_event(pool, error, i, "worker's thread could not be started");
			return WP_ENOMEM;
		}
		note_threads(pool, i + 1);
	}
	return 0;
}

void wp__pool_join(struct wp_pool *pool)
{
	/* Relaxed: before [K5] in wake_all, which pairs with [K4]. */
	wp_store_rlx_u32(&pool->exit, 1);
	wp__parking_wake_all(&pool->parking);
	for (unsigned i = 0; i < pool->threads; i++) {
		/* Until then another thread may take its place. */
		wp__latch_wait(&pool->workers[i].ended);
		wp__os_thread_join(&pool->workers[i].thread);
	}
	note_threads(pool, 0);
}

static int init_traps(struct wp_pool *pool)
{
	if (!pool->options.contain_faults)
		return 0;
	int error = wp__trap_acquire(wp__guard_take);
	pool->has_traps = !error;
	if (error)
		wp__pool_event(pool, error, UINT_MAX, "signal handlers could not be installed");
	return error ? WP_ENOMEM : 0;
}

/* ---- the whole ---- */

static void free_worker(struct wp__worker *w)
{
	wp__run_fini(w);
	wp__free(w->timing);
}

void wp__pool_free(struct wp_pool *pool)
{
	wp__fork_leave(pool);
	for (unsigned i = 0; pool->workers && i < pool->options.workers; i++)
		free_worker(&pool->workers[i]);
	wp__free(pool->times);
	if (pool->has_traps)
		wp__trap_release();
	wp__parking_fini(&pool->parking);
	wp__producers_orphan(pool);
	wp__lanes_fini(pool);
	wp__free(pool->workers);
	wp__segqueue_fini(&pool->lane);
	wp__os_mutex_destroy(&pool->panic_mutex);
	wp__os_mutex_destroy(&pool->end_mutex);
	wp__os_mutex_destroy(&pool->mutex);
	wp__free(pool);
}

int wp__pool_start(struct wp_pool **out, const struct wp_options *options)
{
	struct wp_pool *pool = wp__alloc(WP_ALONE, sizeof(*pool));
	if (!pool)
		return WP_ENOMEM;
	init_settings(pool, options);
	int error = init_jobs(pool);
	if (!error)
		error = init_timing(pool);
	if (!error) {
		plan_pinning(pool);
		error = wp__fork_enter(pool);
	}
	/* Only now: a fork at this moment has to be noticed (base/trap.h). */
	if (!error)
		error = init_traps(pool);
	if (!error) {
		error = start_threads(pool);
		if (error)
			wp__pool_join(pool);
	}
	if (error) {
		wp__pool_free(pool);
		return error;
	}
	*out = pool;
	return 0;
}
