/* SPDX-License-Identifier: MIT */
/* What a pool reports of itself, and what is kept of jobs' errors when nobody listens. */
#include <errno.h>
#include <limits.h>
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
