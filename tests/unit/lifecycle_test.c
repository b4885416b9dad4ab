/* SPDX-License-Identifier: MIT */
/* A pool's states, and pools that never come into being; its ends are in pool_shutdown_test.c. */
#define _GNU_SOURCE
#include <pthread.h>
#include <string.h>

#include "crew.h"
#include "hooks.h"
#include "pool.h"
#include "proc.h"
#include "t.h"

static wp_atomic_u64 ran;

/* ---- states ---- */

T_TEST(lifecycle, names)
{
	t_assert_str_eq(wp_state_name(WP_STATE_OPEN), "open");
	t_assert_str_eq(wp_state_name(WP_STATE_DRAINING), "draining");
	t_assert_str_eq(wp_state_name(WP_STATE_STOPPING), "stopping");
	t_assert_str_eq(wp_state_name(WP_STATE_STOPPED), "stopped");
	t_assert_str_eq(wp_state_name(WP_STATE_FORKED), "forked");
	t_assert_str_eq(wp_state_name((enum wp_state)77), "unknown");
	t_assert_int_eq(wp_pool_state(NULL), WP_STATE_STOPPED);
}

T_TEST(lifecycle, drained)
{
	struct wp_pool *pool = pool_of(1, 8, 4);
	struct gate gate = { 0 };
	t_assert_int_eq(wp_pool_state(pool), WP_STATE_OPEN);
	gate_hold(&gate, pool, 1);
	t_assert_int_eq(wp_pool_state(pool), WP_STATE_OPEN);
	for (int i = 0; i < 3; i++) {
		t_assert_int_eq(wp_pool_shutdown(pool, wp_after_ms(1), NULL), WP_EFORCED);
		t_assert_int_eq(wp_pool_state(pool), WP_STATE_DRAINING);
		t_assert(wp_pool_is_closed(pool));
	}
	gate_open(&gate);
	pool_wait(pool);
	t_assert_int_eq(wp_pool_state(pool), WP_STATE_DRAINING);
	t_assert_int_eq(wp_pool_shutdown(pool, 0, NULL), 0);
	t_assert_int_eq(wp_pool_state(pool), WP_STATE_STOPPED);
	t_assert_int_eq(wp_pool_stop(pool, NULL), 0);
	t_assert_int_eq(wp_pool_state(pool), WP_STATE_STOPPED);
	pool_destroy(pool);
}

static void stop_pool(void *arg, unsigned me)
{
	(void)me;
	t_assert_int_eq(wp_pool_stop(arg, NULL), 0);
}

T_TEST(lifecycle, stopped)
{
	struct wp_pool *pool = pool_of(1, 8, 4);
	struct gate gate = { 0 };
	struct crew crew;
	gate_hold(&gate, pool, 1);
	t_assert_int_eq(wp_pool_shutdown(pool, 0, NULL), WP_EFORCED);
	crew_start(&crew, 1, stop_pool, pool);
	pool_until(wp_pool_state(pool) == WP_STATE_STOPPING);
	t_assert_int_eq(wp_pool_shutdown(pool, 0, NULL), WP_EFORCED);
	t_assert_int_eq(wp_pool_state(pool), WP_STATE_STOPPING);
	gate_open(&gate);
	crew_join(&crew);
	t_assert_int_eq(wp_pool_state(pool), WP_STATE_STOPPED);
	pool_destroy(pool);
}

/* Seen while others end the pool: only forwards, and after "stopped" nothing runs. */
struct watch {
	struct wp_pool *pool;
	uint64_t effect; /* plain: the state hands it over */
};

static int have_effect(void *payload)
{
	*(uint64_t *)payload += 1;
	return 0;
}

static void end_or_watch(void *arg, unsigned me)
{
	struct watch *w = arg;
	if (me == 0) {
		t_assert_int_eq(wp_pool_shutdown(w->pool, WP_FOREVER, NULL), 0);
		return;
	}
	if (me == 1) {
		t_assert_int_eq(wp_pool_stop(w->pool, NULL), 0);
		return;
	}
	enum wp_state state = WP_STATE_OPEN, now;
	while ((now = wp_pool_state(w->pool)) != WP_STATE_STOPPED) {
		t_assert(now >= state && now <= WP_STATE_STOPPING);
		t_assert(now == WP_STATE_OPEN || wp_pool_is_closed(w->pool));
		state = now;
	}
	t_assert(w->effect <= 1);
}

T_TEST(lifecycle, states_go_forwards)
{
	for (uint64_t i = 0; i < t_scaled(300); i++) {
		struct watch w = { .pool = pool_of(2, 8, 4) };
		struct crew crew;
		t_assert_int_eq(wp_submit(w.pool, have_effect, &w.effect), 0);
		crew_start(&crew, 4, end_or_watch, &w);
		crew_join(&crew);
		pool_destroy(w.pool);
	}
}

/* From inside a job the state can be read, and nothing that would wait for the job be called. */
static int try_from_inside(void *payload)
{
	struct wp_pool *pool = payload;
	struct wp_stop_report report = { .completed = 77 };
	t_assert_int_eq(wp_pool_state(pool), WP_STATE_OPEN);
	t_assert_int_eq(wp_pool_wait(pool, WP_FOREVER), WP_EDEADLK);
	t_assert_int_eq(wp_pool_shutdown(pool, 0, &report), WP_EDEADLK);
	t_assert_int_eq(wp_pool_stop(pool, &report), WP_EDEADLK);
	t_assert_u64_eq(report.completed, 77);
	t_assert_int_eq(wp_pool_state(pool), WP_STATE_OPEN);
	t_assert(!wp_pool_is_closed(pool));
	return 0;
}

T_TEST(lifecycle, refused_from_inside_a_job)
{
	struct wp_pool *pool = pool_of(1, 8, 4);
	struct wp_job job = { .fn = try_from_inside, .payload = pool };
	t_assert_int_eq(wp_submit_wait(pool, &job), 0);
	pool_end(pool);
}

/* ---- pools that fail to start ---- */

T_TEST(lifecycle, thread_that_cannot_be_started)
{
	enum { WORKERS = 16 };
	/* From now on a sanitizer may have a thread of its own. */
	pool_destroy(pool_of(1, 8, 4));
	unsigned before = proc_threads();
	for (unsigned nth = 1; nth <= WORKERS; nth++)
		for (unsigned timing = 0; timing < 2; timing++) {
			struct wp_options o = WP_OPTIONS_INIT;
			struct wp_pool *pool = (void *)&ran;
			o.workers = WORKERS;
			o.timing = timing;
			wp__fault_arm(WP_FAULT_THREAD, nth, false, EAGAIN);
			t_assert_int_eq(wp_pool_create(&pool, &o), WP_ENOMEM);
			t_assert(pool == NULL);
			/* The kernel may show a thread for a moment after it was joined. */
			pool_until(proc_threads() <= before);
		}
	struct wp_pool *pool = pool_of(WORKERS, 8, 4);
	t_assert_u64_eq(pool_stats(pool).workers_alive, WORKERS);
	t_assert_int_eq(wp_submit(pool, count_fn, &ran), 0);
	pool_end(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 1);
}

/* ---- what ends with a worker's thread ---- */

static pthread_key_t key;
static struct wp_pool *the_pool;
static wp_atomic_u64 closed;

/* A destructor of a thread's data: user code, while the pool waits for the thread. */
static void close_producer(void *producer)
{
	struct wp_stats s = pool_stats(the_pool);
	t_assert_u64_eq(s.workers_alive, 2);
	wp_producer_close(producer);
	wp_add_rlx_u64(&closed, 1);
}

static int opens_a_producer(void *payload)
{
	struct wp_producer *producer;
	(void)payload;
	t_assert_int_eq(wp_producer_open(&producer, the_pool), 0);
	t_assert_int_eq(pthread_setspecific(key, producer), 0);
	return 0;
}

T_TEST_TIMEOUT(lifecycle, thread_data_uses_the_pool, 30)
{
	t_assert_int_eq(pthread_key_create(&key, close_producer), 0);
	the_pool = pool_of(2, 8, 4);
	struct wp_job job = { .fn = opens_a_producer };
	t_assert_int_eq(wp_submit_wait(the_pool, &job), 0);
	t_assert_int_eq(wp_pool_shutdown(the_pool, WP_FOREVER, NULL), 0);
	t_assert_u64_eq(wp_load_rlx_u64(&closed), 1);
	wp_pool_destroy(the_pool);
	t_assert_int_eq(pthread_key_delete(key), 0);
}
