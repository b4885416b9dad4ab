/* SPDX-License-Identifier: MIT */
/* One pool from its creation to its end, with random options, used and ended in every way. */
#include "soak.h"
#include "../support/t.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PRODUCERS_MAX 8u
#define ENDERS_MAX    3u

/* How a round ends. */
enum manner {
	DRAIN,           /* producers end, then a shutdown */
	WAIT_THEN_DRAIN, /* the same with a wait for rest before it */
	CLOSE_EARLY,     /* a shutdown while producers submit */
	STOP_EARLY,      /* a stop while producers submit */
	IMPATIENT,       /* shutdowns with deadlines that are too short, then a stop */
	DESTROY,         /* nothing but a destroy */
	ALL_AT_ONCE,     /* several threads shut it down while producers submit, one stops it */
	MANNERS
};

const char *const soak_manners[8] = { "drained", "waited, then drained", "closed while in use",
	"stopped while in use", "deadline missed, then stopped", "destroyed",
	"ended by several at once", "queue" };

struct round {
	struct soak_arena *arena;
	enum manner manner;
	struct wp_options options;
	struct wp_metrics_counters counters;
	struct wp_stop_report report[ENDERS_MAX];
	wp_atomic_u32 enders;
	unsigned producers;
	bool meddles;
};

static void on_event(void *self, const struct wp_pool_event *event)
{
	struct soak_arena *arena = self;
	(void)event;
	wp_add_rlx_u64(&arena->events, 1);
}

/* ---- options ---- */

static uint64_t one_of(struct wp__rng *rng, const uint64_t *values, size_t n)
{
	return values[wp__rng_below(rng, n)];
}
#define ONE_OF(rng, ...) \
	one_of(rng, (const uint64_t[]){ __VA_ARGS__ }, sizeof((uint64_t[]){ __VA_ARGS__ }) / 8)

static void draw_options(struct round *r, struct wp__rng *rng)
{
	struct wp_options *o = &r->options;
	*o = (struct wp_options)WP_OPTIONS_INIT;
	o->name = "soak";
	o->workers = (unsigned)wp__rng_below(rng, soak_log_uniform(rng, 0, 5) + 1);
	o->capacity = ONE_OF(rng, 0, 1, 2, 3, 7, 64, 100, 1000, 1024, 4096, 65536);
	o->producer_capacity = ONE_OF(rng, 0, 0, 1, 2, 5, 64, 1000);
	o->segment_size = (uint32_t)ONE_OF(rng, 0, 1, 2, 3, 5, 64, 256, 1000, 4096);
	o->segment_count = (uint32_t)ONE_OF(rng, 0, 0, 1, 4);
	o->pool_capacity = (uint32_t)ONE_OF(rng, 0, 0, 1, 3);
	o->pin_workers = wp__rng_below(rng, 8) == 0;
	o->timing = wp__rng_below(rng, 4) == 0;
	o->batch_max = (uint32_t)ONE_OF(rng, 0, 0, 1, 2, 16, 256);
	o->spin_ns = ONE_OF(rng, 0, 0, 1, 1000, 1000000);
	o->poll_gap_ns = ONE_OF(rng, 0, 0, 1, 100000);
	o->standby_ns = ONE_OF(rng, 0, 0, 50000, 20000000);
	o->profile = (enum wp_profile)wp__rng_below(rng, 3);
	o->batch_ns = ONE_OF(rng, 0, 0, 1, 1000000);
	o->stack_size = (size_t)ONE_OF(rng, 0, 262144);
	/* A destroy drains all: nothing is dropped, however slow the machine is. */
	o->shutdown_timeout = UINT64_C(600000000000);
	/* A sanitizer has handlers of its own for faults. */
	o->contain_faults = !T_SANITIZED && wp__rng_below(rng, 4) == 0;
	r->arena->contains = o->contain_faults;
	o->on_error = soak_on_error;
	o->on_error_self = r->arena;
	o->on_event = on_event;
	o->on_event_self = r->arena;
	if (wp__rng_below(rng, 2)) {
		o->metrics = &wp_metrics_atomic;
		o->metrics_self = &r->counters;
	}
	/* The segments that a lane needs at most must not be too many. */
	if (o->capacity == 0 || o->segment_count > o->capacity)
		o->segment_count = 0;
	r->manner = (enum manner)wp__rng_below(rng, MANNERS);
	r->producers = 1 + (unsigned)wp__rng_below(rng, PRODUCERS_MAX);
	r->meddles = wp__rng_below(rng, 2);
	r->arena->stops =
		r->manner == STOP_EARLY || r->manner == IMPATIENT || r->manner == ALL_AT_ONCE;
}

static void describe(struct round *r)
{
	const struct wp_options *o = &r->options;
	snprintf(r->arena->what, sizeof(r->arena->what),
		"arena %u, round %llu: %u producers, %u workers, capacity %zu, segment %u, "
		"pool_capacity %u, batch %u, %s",
		r->arena->number, (unsigned long long)wp_load_rlx_u64(&r->arena->rounds),
		r->producers, o->workers, o->capacity, o->segment_size, o->pool_capacity,
		o->batch_max, soak_manners[r->manner]);
}

/* ---- threads ---- */

static void produce(struct round *r, struct soak_slot *slot)
{
	uint64_t burst = soak_log_uniform(&slot->rng, 0, 10);
	uint64_t pause = soak_log_uniform(&slot->rng, 0, 24);
	while (!wp_load_rlx_u32(&r->arena->enough)) {
		for (uint64_t i = wp__rng_below(&slot->rng, burst) + 1; i; i--)
			if (!soak_submit_some(slot, 0, true))
				return;
		soak_breathe();
		soak_cancel_some(slot);
		if (pause > 1000)
			wp__os_sleep(wp__rng_below(&slot->rng, pause));
		if (wp__rng_below(&slot->rng, 64) == 0) {
			burst = soak_log_uniform(&slot->rng, 0, 10);
			pause = soak_log_uniform(&slot->rng, 0, 24);
		}
	}
}

static void *producer(void *arg)
{
	struct round *r = arg;
	struct soak_slot *slot = soak_slot_here(r->arena);
	produce(r, slot);
	/* Or it is given up when the pool is gone. */
	if (wp__rng_below(&slot->rng, 2))
		soak_lane_close(slot);
	return NULL;
}

/* Asks and waits from outside, again and again. */
static void *meddler(void *arg)
{
	struct round *r = arg;
	struct soak_slot *slot = soak_slot_here(r->arena);
	while (!wp_load_rlx_u32(&r->arena->enough)) {
		struct wp_stats stats = WP_STATS_INIT;
		struct wp_ctx *ctx = wp__rng_below(&slot->rng, 2) ? soak_branch(slot) : NULL;
		int error = wp_pool_wait_ctx(
			r->arena->pool, ctx, wp_after_ns(soak_log_uniform(&slot->rng, 0, 24)));
		if (error && error != WP_ETIMEDOUT && !(ctx && soak_is_end(error, ctx)))
			soak_complain("wp_pool_wait returned %d: %s", error, r->arena->what);
		soak_cancel_some(slot);
		if (wp_pool_stats(r->arena->pool, &stats) || stats.workers_alive > WP_WORKERS_MAX ||
			stats.completed + stats.failed + stats.panicked + stats.cancelled +
					stats.dropped + stats.queued + stats.running !=
				stats.submitted)
			soak_complain("impossible statistics: %s", r->arena->what);
		wp__os_sleep(soak_log_uniform(&slot->rng, 10, 22));
	}
	return NULL;
}

/* ---- the end ---- */

static void expect_result(struct round *r, const char *what, int error, int expected)
{
	if (error != expected)
		soak_complain("%s returned %d: %s", what, error, r->arena->what);
}

static void drain(struct round *r, struct wp_stop_report *report)
{
	expect_result(
		r, "wp_pool_shutdown", wp_pool_shutdown(r->arena->pool, WP_FOREVER, report), 0);
}

static void *ender(void *arg)
{
	struct round *r = arg;
	uint32_t me = wp_add_rlx_u32(&r->enders, 1);
	if (me == 0)
		expect_result(r, "wp_pool_stop", wp_pool_stop(r->arena->pool, &r->report[me]), 0);
	else
		drain(r, &r->report[me]);
	return NULL;
}

static void end_by_many(struct round *r)
{
	struct wp__thread threads[ENDERS_MAX];
	unsigned n = 0;
	while (n < ENDERS_MAX && wp__os_thread_create(&threads[n], 0, ender, r) == 0)
		n++;
	for (unsigned i = 0; i < n; i++)
		wp__os_thread_join(&threads[i]);
	for (unsigned i = 1; i < n; i++)
		if (memcmp(&r->report[0], &r->report[i], sizeof(r->report[0])) != 0)
			soak_complain("two final reports differ: %s", r->arena->what);
}

static void lose_patience(struct round *r, struct wp__rng *rng)
{
	for (unsigned i = 0; i < 3; i++) {
		uint64_t deadline = wp_after_ns(soak_log_uniform(rng, 0, 22));
		struct wp_ctx *ctx = i ? r->arena->branch[0] : NULL;
		int error = wp_pool_shutdown_ctx(r->arena->pool, ctx, deadline, &r->report[0]);
		if (error && error != WP_EFORCED && !(ctx && soak_is_end(error, ctx)))
			soak_complain("wp_pool_shutdown returned %d: %s", error, r->arena->what);
	}
	expect_result(r, "wp_pool_stop", wp_pool_stop(r->arena->pool, &r->report[0]), 0);
}

/* Ends the pool; the producers may still be at work, as the manner has it. */
static void end(struct round *r, struct wp__rng *rng)
{
	switch (r->manner) {
	case WAIT_THEN_DRAIN:
		expect_result(r, "wp_pool_wait", wp_pool_wait(r->arena->pool, WP_FOREVER), 0);
		drain(r, &r->report[0]);
		break;
	case STOP_EARLY:
		expect_result(r, "wp_pool_stop", wp_pool_stop(r->arena->pool, &r->report[0]), 0);
		break;
	case IMPATIENT:
		lose_patience(r, rng);
		break;
	case ALL_AT_ONCE:
		end_by_many(r);
		break;
	case DESTROY:
		break;
	default:
		drain(r, &r->report[0]);
	}
}

static bool ends_in_use(const struct round *r)
{
	return r->manner == CLOSE_EARLY || r->manner == STOP_EARLY || r->manner == IMPATIENT ||
	       r->manner == ALL_AT_ONCE;
}

/* ---- all of it ---- */

static void play(struct round *r, struct wp__rng *rng)
{
	struct wp__thread threads[PRODUCERS_MAX + 1];
	unsigned n = 0;
	while (n < r->producers && wp__os_thread_create(&threads[n], 0, producer, r) == 0)
		n++;
	if (n == r->producers && r->meddles &&
		wp__os_thread_create(&threads[n], 0, meddler, r) == 0)
		n++;
	if (n < r->producers)
		soak_complain("no more threads: %s", r->arena->what);
	uint64_t last = wp_min_u64(r->arena->lap_end, wp_after_ns(soak_log_uniform(rng, 18, 32)));
	while (wp_now_ns() < last)
		wp__os_sleep(wp_min_u64(last - wp_min_u64(last, wp_now_ns()), 100000000));
	if (ends_in_use(r))
		end(r, rng);
	wp_store_rlx_u32(&r->arena->enough, 1);
	for (unsigned i = 0; i < n; i++)
		wp__os_thread_join(&threads[i]);
	if (!ends_in_use(r))
		end(r, rng);
}

void soak_pool_round(struct soak_arena *arena)
{
	static struct round rounds[SOAK_ARENAS];
	struct round *r = &rounds[arena->number];
	memset(r, 0, sizeof(*r));
	r->arena = arena;
	soak_open(arena);
	draw_options(r, &arena->rng);
	describe(r);
	soak_contexts_open(arena);
	int error = wp_pool_create(&arena->pool, &r->options);
	if (error) {
		soak_complain("wp_pool_create returned %d: %s", error, arena->what);
		soak_contexts_close(arena);
		return;
	}
	play(r, &arena->rng);
	struct wp_stats stats = WP_STATS_INIT;
	bool reported = r->manner != DESTROY;
	if (reported && wp_pool_stats(arena->pool, &stats))
		soak_complain("wp_pool_stats failed: %s", arena->what);
	wp_pool_destroy(arena->pool);
	for (uint32_t i = 0; i < wp_load_rlx_u32(&arena->slots); i++)
		soak_lane_close(&arena->slot[i]);
	soak_contexts_close(arena);
	soak_settle(arena, reported ? &r->report[0] : NULL, reported ? &stats : NULL,
		r->options.metrics ? &r->counters : NULL);
	arena->pool = NULL;
	arena->totals.pools++;
	arena->totals.by_manner[r->manner]++;
}
