/* SPDX-License-Identifier: MIT */
/*
 * What the tests of pools share: making one, gates that hold workers, waiting with a watchdog, and
 * the check that a pool is at rest.
 */
#ifndef WP_TESTS_POOL_H
#define WP_TESTS_POOL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <wpool/wpool.h>

#include "base/atomic.h"
#include "base/os.h"
#include "crew.h"
#include "engine/pool.h"
#include "engine/rescue.h"
#include "patience.h"
#include "t.h"

/* How long anything may take that is bound to happen: a limit for hangs, not a measurement. */
#define POOL_WATCHDOG_NS PATIENCE_NS

/* Waits, asleep most of the time, until cond is true; fails the test when it never becomes so. */
#define pool_until(cond)                                                                        \
	do {                                                                                    \
		struct patience patience_ = { 0 };                                              \
		while (!(cond)) {                                                               \
			t_assert_msg(!patience_ends(&patience_), "never came true: %s", #cond); \
			wp__os_sleep(50000);                                                    \
		}                                                                               \
	} while (0)

static inline struct wp_pool *pool_make(const struct wp_options *options)
{
	struct wp_pool *pool;
	t_assert_int_eq(wp_pool_create(&pool, options), 0);
	t_assert(pool != NULL);
	return pool;
}

static inline struct wp_pool *pool_of(unsigned workers, size_t capacity, uint32_t segment_size)
{
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = workers;
	o.capacity = capacity;
	o.segment_size = segment_size;
	return pool_make(&o);
}

static inline struct wp_producer *producer_in(struct wp_pool *pool)
{
	struct wp_producer *p = NULL;
	t_assert_int_eq(wp_producer_open(&p, pool), 0);
	t_assert(p != NULL);
	return p;
}

static inline struct wp_stats pool_stats(const struct wp_pool *pool)
{
	struct wp_stats stats = WP_STATS_INIT;
	t_assert_int_eq(wp_pool_stats(pool, &stats), 0);
	return stats;
}

/* For a test that hangs: who does what. */
static inline void pool_show(struct wp_pool *pool)
{
	uint64_t idle = wp__parking_idle(&pool->parking);
	uint64_t tail = wp_load_rlx_u64(&pool->lane.tail);
	fprintf(stderr, "active %u, parked %u%s; accepted %llu, claimed %llu%s%s\n",
		wp__idle_active(idle), wp__idle_parked(idle),
		idle & WP__IDLE_STANDBY ? ", standby" : "",
		(unsigned long long)wp__segqueue_accepted(&pool->lane),
		(unsigned long long)wp__segqueue_claimed(&pool->lane),
		tail & WP__TAIL_SLEEP ? ", armed" : "", tail & WP__TAIL_CLOSED ? ", closed" : "");
	for (unsigned i = 0; i < pool->options.workers; i++) {
		struct wp__worker *w = &pool->workers[i];
		fprintf(stderr, "worker %u: active %u, bit %u, completed %llu, claimed %u\n", i,
			wp_load_rlx_u32(&pool->parking.spots[i].active),
			(unsigned)(wp_load_rlx_u64(&pool->parking.parked[i / 64]) >> i % 64 & 1),
			(unsigned long long)wp_load_rlx_u64(&w->over[WP__COMPLETED]), w->count);
	}
}

static inline void pool_wait(struct wp_pool *pool)
{
	int error = wp_pool_wait(pool, wp_after_ns(POOL_WATCHDOG_NS));
	if (error)
		pool_show(pool);
	t_assert_int_eq(error, 0);
}

/* ---- gates: jobs that hold their workers ---- */

struct gate {
	wp_atomic_u32 entered; /* jobs inside, or through */
	wp_atomic_u32 open;
};

static inline int gate_fn(void *payload)
{
	struct gate *gate = (struct gate *)payload;
	wp_add_rel_u32(&gate->entered, 1);
	while (!wp_load_acq_u32(&gate->open))
		wp__os_futex_wait(&gate->open, 0, UINT64_MAX);
	return 0;
}

static inline void gate_open(struct gate *gate)
{
	wp_store_rel_u32(&gate->open, 1);
	wp__os_futex_wake(&gate->open, UINT32_MAX);
}

/* Puts n workers (all of them, usually) behind the gate. */
static inline void gate_hold(struct gate *gate, struct wp_pool *pool, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		t_assert_int_eq(wp_submit(pool, gate_fn, gate), 0);
		pool_until(wp_load_acq_u32(&gate->entered) == i + 1);
	}
}

/* Somebody stops the pool: what has not started will not. */
static inline bool pool_discards(const struct wp_pool *pool)
{
	unsigned last = pool->options.workers - 1;
	return wp_load_rlx_u32(&pool->workers[last].interrupt) & WP__DISCARD;
}

/* ---- jobs that count ---- */

static inline int count_fn(void *payload)
{
	wp_add_rlx_u64((wp_atomic_u64 *)payload, 1);
	return 0;
}

static inline void count_cleanup(void *payload)
{
	wp_add_rlx_u64((wp_atomic_u64 *)payload, 1);
}

/*
 * So many jobs, one at a time, that the workers believe that all jobs are cheap and in flow. The
 * batches stay small.
 */
static inline void pool_make_cheap(struct wp_pool *pool, wp_atomic_u64 *counter)
{
	for (unsigned i = 0; i < 2000; i++)
		t_assert_int_eq(wp_submit(pool, count_fn, counter), 0);
	pool_wait(pool);
}

/* ---- at rest ---- */

/* Everybody sleeps, and the next submit will wake somebody: the last one arms the lane last. */
static inline bool pool_sleeps(const struct wp_pool *pool)
{
	return wp__parking_idle(&pool->parking) == pool->options.workers * WP__IDLE_PARKED_ONE &&
	       (wp_load_rlx_u64(&pool->lane.tail) & WP__TAIL_SLEEP);
}

/* Everybody asleep, nobody with a timer, every count back where it belongs. */
static inline void pool_expect_asleep(struct wp_pool *pool)
{
	pool_until(pool_sleeps(pool));
	for (unsigned i = 0; i < pool->options.workers; i++) {
		t_assert_u64_eq(wp_load_rlx_u32(&pool->parking.spots[i].active), 0);
		t_assert_u64_eq(wp_load_rlx_u64(&pool->parking.parked[i / 64]) >> i % 64 & 1, 1);
	}
	t_assert(wp__segqueue_is_valid(&pool->lane));
}

/* Each accepted job is in one place; true at any time. */
static inline void pool_expect_sum(const struct wp_stats *s)
{
	t_assert_u64_eq(s->queued + s->running + s->completed + s->failed + s->panicked +
				s->cancelled + s->dropped,
		s->submitted);
}

/* Two readings, one after the other: what counts or measures most never goes back. */
static inline void pool_expect_forwards(const struct wp_stats *a, const struct wp_stats *b)
{
	t_assert(b->submitted >= a->submitted && b->completed >= a->completed);
	t_assert(b->failed >= a->failed && b->panicked >= a->panicked);
	t_assert(b->cancelled >= a->cancelled && b->dropped >= a->dropped);
	t_assert(b->rejected_full >= a->rejected_full);
	t_assert(b->rejected_timeout >= a->rejected_timeout);
	t_assert(b->rejected_closed >= a->rejected_closed);
	t_assert(b->rejected_cancelled >= a->rejected_cancelled);
	t_assert(b->workers_peak >= a->workers_peak && b->uptime_ns >= a->uptime_ns);
	t_assert(b->run_samples >= a->run_samples && b->run_ns_max >= a->run_ns_max);
	t_assert(b->wait_samples >= a->wait_samples && b->wait_ns_max >= a->wait_ns_max);
	t_assert(b->segments_reused >= a->segments_reused && b->batches >= a->batches);
	t_assert(b->parks >= a->parks && b->wakes >= a->wakes && b->rescues >= a->rescues);
	t_assert(b->handler_panics >= a->handler_panics);
	t_assert(b->workers_replaced >= a->workers_replaced);
}

static inline void pool_expect_rest(struct wp_pool *pool)
{
	struct wp_stats s = pool_stats(pool);
	t_assert_u64_eq(s.queued, 0);
	t_assert_u64_eq(s.running, 0);
	pool_expect_sum(&s);
}

/* Destroys the pool after a last look at its books: settled, if it has come to its end. */
static inline void pool_destroy(struct wp_pool *pool)
{
	struct wp_stats s = pool_stats(pool);
	pool_expect_sum(&s);
	if (s.workers_alive == 0)
		pool_expect_rest(pool);
	wp_pool_destroy(pool);
}

static inline void pool_end(struct wp_pool *pool)
{
	struct wp_stop_report report;
	t_assert_int_eq(wp_pool_shutdown(pool, wp_after_ns(POOL_WATCHDOG_NS), &report), 0);
	t_assert_u64_eq(report.running, 0);
	pool_expect_rest(pool);
	wp_pool_destroy(pool);
}

#endif
