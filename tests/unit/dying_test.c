/* SPDX-License-Identifier: MIT */
/* Jobs that end their thread, by pthread_exit or cancellation: reported, and the worker goes on. */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "counted.h"
#include "hooks.h"
#include "pool.h"
#include "proc.h"
#include "t.h"

static struct wp_pool *the_pool;
static wp_atomic_u64 told, events;

static int exits(void *payload)
{
	wp_add_rlx_u64(&ran, 1);
	pthread_exit(payload);
}

static int is_cancelled(void *payload)
{
	(void)payload;
	wp_add_rlx_u64(&ran, 1);
	t_assert_int_eq(pthread_cancel(pthread_self()), 0);
	for (;;)
		pause();
	return 0;
}

/* Where another job may have been cancelled on this thread already: that happens only once. */
static int is_cancelled_or_exits(void *payload)
{
	wp_add_rlx_u64(&ran, 1);
	t_assert_int_eq(pthread_cancel(pthread_self()), 0);
	pthread_testcancel();
	pthread_exit(payload);
}

static void on_error(void *self, const struct wp_job_error *error)
{
	t_assert(self == &told);
	t_assert_int_eq(error->code, WP_EPANIC);
	t_assert_int_eq(error->result, WP_EPANIC);
	t_assert_str_eq(error->message, "job ended its thread (pthread_exit or cancellation)");
	t_assert_u64_eq(error->frame_count, 0);
	wp_add_rlx_u64(&told, 1);
}

static void on_event(void *self, const struct wp_pool_event *event)
{
	t_assert(self == &events && event->code == -EAGAIN);
	t_assert(strstr(event->message, "could not be replaced"));
	wp_add_rlx_u64(&events, 1);
}

static struct wp_pool *told_pool(unsigned workers, size_t capacity)
{
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = workers;
	o.capacity = capacity;
	o.segment_size = capacity < 64 ? 4 : 64;
	o.on_error = on_error;
	o.on_error_self = &told;
	o.on_event = on_event;
	o.on_event_self = &events;
	the_pool = pool_make(&o);
	return the_pool;
}

static pthread_key_t key;
static wp_atomic_u64 destroyed;

/* Runs when a thread ends; it is no worker any more. */
static void count_destroyed(void *value)
{
	t_assert(value == &destroyed && wp_job_current() == NULL);
	wp_add_rlx_u64(&destroyed, 1);
}

static int exits_with_data(void *payload)
{
	t_assert_int_eq(pthread_setspecific(key, &destroyed), 0);
	return exits(payload);
}

T_TEST(dying, job_is_reported_and_the_worker_replaced)
{
	t_assert_int_eq(pthread_key_create(&key, count_destroyed), 0);
	const wp_job_fn fns[] = { exits, is_cancelled, exits_with_data };
	for (unsigned workers = 1; workers <= 3; workers++) {
		struct wp_pool *pool = told_pool(workers, 64);
		uint64_t before = wp_load_rlx_u64(&told);
		wp_store_rlx_u64(&cleaned, 0);
		for (unsigned i = 0; i < 9; i++) {
			struct wp_job job = { .fn = fns[i % 3], .cleanup = cleanup };
			t_assert_int_eq(wp_submit_wait(pool, &job), WP_EPANIC);
			t_assert_u64_eq(wp_load_rlx_u64(&cleaned), i + 1);
		}
		pool_wait(pool);
		struct wp_stats s = pool_stats(pool);
		t_assert_u64_eq(s.panicked, 9);
		t_assert_u64_eq(s.completed, 0);
		t_assert_u64_eq(s.workers_replaced, 9);
		t_assert_u64_eq(s.workers_alive, workers);
		t_assert_u64_eq(wp_load_rlx_u64(&told) - before, 9);
		t_assert_u64_eq(wp_load_rlx_u64(&destroyed), 3 * workers);
		char message[100];
		t_assert_int_eq(wp_pool_last_error(pool, message, sizeof(message)), WP_EPANIC);
		pool_expect_asleep(pool);
		pool_end(pool);
	}
}

static int some_exit(void *payload)
{
	uintptr_t i = (uintptr_t)payload;
	if (i % 50 == 7)
		return exits(payload);
	if (i % 50 == 32)
		return is_cancelled_or_exits(payload);
	return works(payload);
}

T_TEST(dying, rest_of_the_batch_runs)
{
	for (unsigned workers = 1; workers <= 4; workers++) {
		struct wp_pool *pool = told_pool(workers, 4096);
		wp_store_rlx_u64(&ran, 0);
		wp_store_rlx_u64(&cleaned, 0);
		pool_make_cheap(pool, &ran);
		wp_store_rlx_u64(&ran, 0);
		struct wp_job jobs[1000];
		for (uintptr_t i = 0; i < 1000; i++)
			jobs[i] = (struct wp_job){ some_exit, (void *)i, NULL, cleanup };
		t_assert_int_eq(wp_submit_batch(pool, jobs, 1000), 1000);
		pool_wait(pool);
		t_assert_u64_eq(wp_load_rlx_u64(&ran), 1000);
		t_assert_u64_eq(wp_load_rlx_u64(&cleaned), 1000);
		struct wp_stats s = pool_stats(pool);
		t_assert_u64_eq(s.panicked, 40);
		t_assert_u64_eq(s.workers_replaced, 40);
		pool_end(pool);
	}
}

/* ---- nested ---- */

static int waits_for(void *payload)
{
	struct wp_job inner = { .fn = (wp_job_fn)(uintptr_t)payload, .cleanup = cleanup };
	for (unsigned i = 0; i < 3; i++)
		t_assert_int_eq(wp_submit_wait(the_pool, &inner), WP_EPANIC);
	return 0;
}

/* The outer job's stack survives; the thread is replaced when it is done. */
T_TEST(dying, inner_job_leaves_the_outer)
{
	for (unsigned workers = 1; workers <= 2; workers++) {
		struct wp_pool *pool = told_pool(workers, 4);
		struct wp_job job = { .fn = waits_for, .payload = (void *)(uintptr_t)exits };
		for (unsigned i = 0; i < 20; i++) {
			job.payload = (void *)(uintptr_t)(i % 2 ? exits : is_cancelled_or_exits);
			t_assert_int_eq(wp_submit_wait(pool, &job), 0);
		}
		pool_wait(pool);
		struct wp_stats s = pool_stats(pool);
		t_assert_u64_eq(s.panicked, 60);
		pool_until(pool_stats(pool).workers_replaced >= 20);
		pool_expect_asleep(pool);
		pool_end(pool);
	}
}

static int fills(void *payload)
{
	(void)payload;
	for (uintptr_t i = 0; i < 50; i++) {
		struct wp_job job = { .fn = some_exit, .payload = (void *)i, .cleanup = cleanup };
		t_assert_int_eq(wp_submit_job(the_pool, &job), 0);
	}
	return 0;
}

/* Jobs that are run to make room, or were set aside, end the thread. */
T_TEST(dying, while_making_room)
{
	wp__chaos(3, 30, 2);
	struct wp_pool *pool = told_pool(2, 1);
	for (unsigned i = 0; i < 20; i++)
		t_assert_int_eq(wp_submit(pool, fills, NULL), 0);
	pool_wait(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 1000);
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), 1000);
	t_assert_u64_eq(pool_stats(pool).panicked, 40);
	pool_end(pool);
}

/* ---- in handlers ---- */

static void exiting_cleanup(void *payload)
{
	wp_add_rlx_u64(&cleaned, 1);
	pthread_exit(payload);
}

static void exiting_handler(void *self, const struct wp_job_error *error)
{
	on_error(self, error);
	pthread_exit(NULL);
}

T_TEST(dying, in_cleanup_and_handler)
{
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = 2;
	o.on_error = exiting_handler;
	o.on_error_self = &told;
	struct wp_pool *pool = pool_make(&o);
	struct wp_job job = { .fn = exits, .cleanup = exiting_cleanup };
	t_assert_int_eq(wp_submit_wait(pool, &job), WP_EPANIC);
	job.fn = works;
	t_assert_int_eq(wp_submit_wait(pool, &job), 0);
	pool_wait(pool);
	struct wp_stats s = pool_stats(pool);
	t_assert_u64_eq(s.panicked, 1);
	t_assert_u64_eq(s.handler_panics, 3);
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), 2);
	pool_until(pool_stats(pool).workers_replaced == 4);
	pool_end(pool);
}

/* ---- no thread to be had ---- */

T_TEST(dying, goes_on_where_no_thread_can_be_had)
{
	struct wp_pool *pool = told_pool(1, 64);
	struct wp_job job = { .fn = exits, .cleanup = cleanup };
	wp__fault_arm(WP_FAULT_THREAD, 1, true, EAGAIN);
	for (unsigned i = 0; i < 5; i++)
		t_assert_int_eq(wp_submit_wait(pool, &job), WP_EPANIC);
	job.fn = works;
	t_assert_int_eq(wp_submit_wait(pool, &job), 0);
	pool_wait(pool);
	t_assert_u64_eq(pool_stats(pool).workers_replaced, 0);
	t_assert_u64_eq(wp_load_rlx_u64(&events), 5);
	wp__fault_disarm();
	job.fn = exits;
	t_assert_int_eq(wp_submit_wait(pool, &job), WP_EPANIC);
	pool_wait(pool);
	pool_until(pool_stats(pool).workers_replaced == 1);
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), 7);
	pool_end(pool);
}

/* ---- against the end of the pool ---- */

T_TEST(dying, against_shutdown_and_stop)
{
	wp__chaos(5, 50, 5);
	uint64_t rounds = t_scaled(300);
	for (uint64_t round = 0; round < rounds; round++) {
		struct wp_pool *pool = told_pool(1 + (unsigned)(round % 3), 64);
		wp_store_rlx_u64(&cleaned, 0);
		for (unsigned i = 0; i < 12; i++) {
			struct wp_job job = { .fn = i % 2 ? exits : works, .cleanup = cleanup };
			t_assert_int_eq(wp_submit_job(pool, &job), 0);
		}
		struct wp_stop_report report;
		if (round % 2)
			t_assert_int_eq(wp_pool_shutdown(pool, WP_FOREVER, &report), 0);
		else
			t_assert_int_eq(wp_pool_stop(pool, &report), 0);
		t_assert_u64_eq(report.completed + report.panicked + report.dropped, 12);
		t_assert_u64_eq(wp_load_rlx_u64(&cleaned), 12);
		pool_destroy(pool);
	}
}

/* ---- a cancellation that is due, and what wpool does with a mutex held ---- */

#define MANY_PRODUCERS 20u /* so many that the table of lanes is replaced */

static struct wp_producer *opened[MANY_PRODUCERS];

static int opens_when_cancelled(void *payload)
{
	t_assert_int_eq(pthread_cancel(pthread_self()), 0);
	for (unsigned i = 0; i < MANY_PRODUCERS; i++)
		t_assert_int_eq(wp_producer_open(&opened[i], payload), 0);
	pthread_testcancel();
	return 0;
}

static int naps(void *payload)
{
	(void)payload;
	wp__os_sleep(50000000);
	return 0;
}

/* The last of the other pool's jobs is over, but perhaps not its thread: that is joined. */
static int shuts_down_when_cancelled(void *payload)
{
	t_assert_int_eq(pthread_cancel(pthread_self()), 0);
	t_assert_int_eq(wp_pool_shutdown(payload, WP_FOREVER, NULL), 0);
	pthread_testcancel();
	return 0;
}

T_TEST_TIMEOUT(dying, not_while_producers_are_opened, 60)
{
	struct wp_pool *pool = told_pool(2, 64);
	struct wp_job job = { .fn = opens_when_cancelled, .payload = pool };
	t_assert_int_eq(wp_submit_wait(pool, &job), WP_EPANIC);
	for (unsigned i = 0; i < MANY_PRODUCERS; i++)
		wp_producer_close(opened[i]);
	pool_end(pool);
}

T_TEST_TIMEOUT(dying, not_while_another_pool_ends, 60)
{
	struct wp_pool *pool = told_pool(2, 64), *other = told_pool(2, 64);
	struct wp_job job = { .fn = shuts_down_when_cancelled, .payload = other };
	t_assert_int_eq(wp_submit(other, naps, NULL), 0);
	t_assert_int_eq(wp_submit_wait(pool, &job), WP_EPANIC);
	t_assert_int_eq(wp_pool_state(other), WP_STATE_STOPPED);
	wp_pool_destroy(other);
	pool_end(pool);
}

/* ---- nothing is left ---- */

static void kill_many(struct wp_pool *pool, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		struct wp_job job = { .fn = i % 2 ? exits : is_cancelled, .cleanup = cleanup };
		t_assert_int_eq(wp_submit_job(pool, &job), 0);
	}
	pool_wait(pool);
}

/* Pages of address space: stacks, also those for signals, are nothing else at first. */
static uint64_t reserved_pages(void)
{
	unsigned long long size = 0;
	FILE *f = fopen("/proc/self/statm", "r");
	t_assert(f && fscanf(f, "%llu", &size) == 1);
	fclose(f);
	return size;
}

/* Threads that have what a worker may have: a stack for signals, times, a CPU of its own. */
static struct wp_pool *rich_pool(void)
{
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = 2;
	o.capacity = 64;
	o.timing = true;
	o.pin_workers = true;
	o.contain_faults = !T_SANITIZED;
	o.on_error = on_error;
	o.on_error_self = &told;
	return the_pool = pool_make(&o);
}

static void kill_without_a_leak(struct wp_pool *pool, uint64_t n)
{
	wp_store_rlx_u64(&told, 0);
	wp_store_rlx_u64(&cleaned, 0);
	kill_many(pool, n / 10 + 1);
	pool_expect_asleep(pool);
	unsigned threads = proc_threads(), files = proc_files();
	uint64_t pages = reserved_pages();
	struct mallinfo2 heap = mallinfo2();
	kill_many(pool, n);
	pool_expect_asleep(pool);
	struct wp_stats s = pool_stats(pool);
	t_assert_u64_eq(s.panicked, n + n / 10 + 1);
	t_assert_u64_eq(s.workers_replaced, s.panicked);
	t_assert_u64_eq(s.workers_alive, 2);
	t_assert_u64_eq(wp_load_rlx_u64(&told), s.panicked);
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), s.panicked);
	/* The kernel may show a thread for a moment after it was joined. */
	pool_until(proc_threads() == threads);
	t_assert_u64_eq(proc_files(), files);
	struct mallinfo2 after = mallinfo2();
	t_assert_msg(T_SANITIZED || after.uordblks < heap.uordblks + 65536,
		"heap grew from %zu to %zu bytes", heap.uordblks, after.uordblks);
	/* The C library may keep some stacks more, and room for another thread's heap. */
	t_assert_msg(T_SANITIZED || reserved_pages() < pages + 3 * 16384,
		"address space grew from %llu pages to %llu", (unsigned long long)pages,
		(unsigned long long)reserved_pages());
	pool_end(pool);
}

T_TEST_TIMEOUT(dying, ten_thousand_without_a_leak, 600)
{
	kill_without_a_leak(told_pool(2, 64), t_scaled(10000));
}

T_TEST_TIMEOUT(dying, of_workers_with_all_that_there_is, 600)
{
	kill_without_a_leak(rich_pool(), t_scaled(5000));
}
