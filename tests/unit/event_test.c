/* SPDX-License-Identifier: MIT */
/* What a pool reports of itself, and what is kept of jobs' errors when nobody listens. */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "hooks.h"
#include "pool.h"
#include "t.h"

static struct {
	unsigned count;
	int code;
	unsigned worker;
	char message[200];
} heard;

/* All of these tests have one event at a time. */
static void on_event(void *self, const struct wp_pool_event *event)
{
	t_assert(self == &heard);
	heard.count++;
	heard.code = event->code;
	heard.worker = event->worker;
	snprintf(heard.message, sizeof(heard.message), "%s", event->message);
}

static struct wp_options listening(void)
{
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = 1;
	o.on_event = on_event;
	o.on_event_self = &heard;
	return o;
}

static int works(void *payload)
{
	(void)payload;
	return 0;
}

static int fails(void *payload)
{
	return (int)(intptr_t)payload;
}

static void expect(int code, unsigned worker, const char *part)
{
	t_assert_u64_eq(heard.count, 1);
	t_assert_int_eq(heard.code, code);
	t_assert_u64_eq(heard.worker, worker);
	t_assert_msg(strstr(heard.message, part) != NULL, "%s", heard.message);
}

T_TEST(event, membarrier_is_missing)
{
	struct wp_options o = listening();
	wp__fault_arm(WP_FAULT_MEMBARRIER, 1, true, ENOSYS);
	struct wp_pool *pool = pool_make(&o);
	expect(-ENOSYS, UINT_MAX, "membarrier is missing");
	struct wp_job job = { .fn = works };
	t_assert_int_eq(wp_submit_wait(pool, &job), 0);
	pool_end(pool);
}

T_TEST(event, thread_cannot_be_started)
{
	struct wp_options o = listening();
	struct wp_pool *pool;
	o.workers = 3;
	wp__fault_arm(WP_FAULT_THREAD, 2, false, EAGAIN);
	t_assert_int_eq(wp_pool_create(&pool, &o), WP_ENOMEM);
	expect(-EAGAIN, 1, "could not be started");
}

T_TEST(event, worker_cannot_be_pinned)
{
	struct wp_options o = listening();
	o.pin_workers = true;
	wp__fault_arm(WP_FAULT_SET_AFFINITY, 1, true, EPERM);
	struct wp_pool *pool = pool_make(&o);
	struct wp_job job = { .fn = works };
	t_assert_int_eq(wp_submit_wait(pool, &job), 0);
	expect(-EPERM, 0, "could not be pinned");
	pool_end(pool);
}

/* ---- handlers that ask the pool ---- */

static wp_atomic_u32 asked, may_ask;

static void ask(struct wp_pool *pool)
{
	char message[64];
	struct wp_stats s = pool_stats(pool);
	pool_expect_sum(&s);
	t_assert(s.workers_alive <= 4 && s.workers_busy + s.workers_idle == s.workers_alive);
	t_assert_int_eq(wp_pool_last_error(pool, message, sizeof(message)), 0);
	t_assert(wp_pool_state(pool) <= WP_STATE_STOPPED);
	wp_add_rel_u32(&asked, 1);
}

static void on_event_ask(void *self, const struct wp_pool_event *event)
{
	(void)self;
	ask(event->pool);
}

/* At whatever point of its creation the pool is. */
T_TEST(event, handlers_may_ask_a_pool_that_is_being_made)
{
	static const enum wp_fault_site sites[] = { WP_FAULT_MEMBARRIER, WP_FAULT_THREAD,
		WP_FAULT_SET_AFFINITY, WP_FAULT_TOPOLOGY, WP_FAULT_SIGACTION };
	for (unsigned i = 0; i < 5; i++)
		for (unsigned timing = 0; timing < 2; timing++) {
			struct wp_options o = WP_OPTIONS_INIT;
			struct wp_pool *pool;
			o.workers = 4;
			o.timing = timing;
			o.pin_workers = true;
			o.contain_faults = sites[i] == WP_FAULT_SIGACTION;
			o.on_event = on_event_ask;
			wp_store_rlx_u32(&asked, 0);
			wp__fault_arm(sites[i], sites[i] == WP_FAULT_THREAD ? 4 : 1, true, EPERM);
			int error = wp_pool_create(&pool, &o);
			bool fatal = sites[i] == WP_FAULT_THREAD || sites[i] == WP_FAULT_SIGACTION;
			t_assert_int_eq(error, fatal ? WP_ENOMEM : 0);
			uint32_t all = sites[i] == WP_FAULT_SET_AFFINITY ? 4 : 1;
			pool_until(wp_load_acq_u32(&asked) == all);
			wp__fault_disarm();
			if (!fatal)
				pool_end(pool);
		}
}

static void on_event_ask_late(void *self, const struct wp_pool_event *event)
{
	(void)self;
	while (!wp_load_acq_u32(&may_ask))
		wp__os_sleep(100000);
	wp__os_sleep(20000000); /* by now the threads are being waited for */
	ask(event->pool);
}

/* No job is left, and the end of the pool waits for the handler. */
T_TEST(event, handlers_may_ask_a_pool_that_ends)
{
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = 1;
	o.pin_workers = true;
	o.on_event = on_event_ask_late;
	wp__fault_arm(WP_FAULT_SET_AFFINITY, 1, true, EPERM);
	struct wp_pool *pool = pool_make(&o);
	wp_store_rel_u32(&may_ask, 1);
	t_assert_int_eq(wp_pool_shutdown(pool, WP_FOREVER, NULL), 0);
	t_assert_u64_eq(wp_load_acq_u32(&asked), 1);
	pool_destroy(pool);
}

static pthread_key_t key;

static void ask_at_the_end(void *pool)
{
	wp__os_sleep(20000000);
	ask(pool);
}

static int leave_data(void *payload)
{
	return pthread_setspecific(key, payload);
}

/* What a job has left with its thread is destroyed by it, when the pool waits for the thread. */
T_TEST(event, destructors_of_threads_may_ask)
{
	t_assert_int_eq(pthread_key_create(&key, ask_at_the_end), 0);
	struct wp_pool *pool = pool_of(1, 8, 4);
	t_assert_int_eq(wp_submit(pool, leave_data, pool), 0);
	t_assert_int_eq(wp_pool_shutdown(pool, WP_FOREVER, NULL), 0);
	t_assert_u64_eq(wp_load_acq_u32(&asked), 1);
	pool_destroy(pool);
}

/* Without a handler the last error is kept, and nothing is printed. */
T_TEST(event, last_error_without_a_handler)
{
	int ends[2];
	t_assert_int_eq(pipe(ends), 0);
	int before = dup(STDERR_FILENO);
	dup2(ends[1], STDERR_FILENO);
	struct wp_pool *pool = pool_of(1, 16, 16);
	char message[64], byte;
	t_assert_int_eq(wp_pool_last_error(pool, message, sizeof(message)), 0);
	t_assert_str_eq(message, "");
	struct wp_job job = { .fn = fails, .payload = (void *)(intptr_t)WP_ETIMEDOUT };
	t_assert_int_eq(wp_submit_wait(pool, &job), WP_ETIMEDOUT);
	t_assert_int_eq(wp_pool_last_error(pool, message, sizeof(message)), WP_ETIMEDOUT);
	t_assert_str_eq(message, "deadline passed");
	job.payload = (void *)(intptr_t)1234;
	t_assert_int_eq(wp_submit_wait(pool, &job), 1234);
	t_assert_int_eq(wp_pool_last_error(pool, message, sizeof(message)), 1234);
	t_assert_str_eq(message, "job failed");
	t_assert_int_eq(wp_pool_last_error(pool, NULL, 0), 1234);
	t_assert_int_eq(pool_stats(pool).last_error, 1234);
	pool_end(pool);
	dup2(before, STDERR_FILENO);
	close(ends[1]);
	t_assert_int_eq(read(ends[0], &byte, 1), 0);
}
