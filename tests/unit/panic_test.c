/* SPDX-License-Identifier: MIT */
/* Jobs that give up: wp_panic at any depth, in jobs, cleanups and handlers, nested and dropped. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "counted.h"
#include "hooks.h"
#include "pool.h"
#include "t.h"

static struct wp_pool *the_pool;

/* ---- what the handler was told ---- */

static struct seen {
	wp_atomic_u64 calls;
	struct wp_job_error last;
	char message[512];
	char backtrace[4096];
} seen;

static void on_error(void *self, const struct wp_job_error *error)
{
	t_assert(self == &seen);
	seen.last = *error;
	t_assert(error->message && error->backtrace);
	snprintf(seen.message, sizeof(seen.message), "%s", error->message);
	snprintf(seen.backtrace, sizeof(seen.backtrace), "%s", error->backtrace);
	wp_add_rlx_u64(&seen.calls, 1);
}

static struct wp_pool *told_pool(unsigned workers)
{
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = workers;
	o.capacity = 256;
	o.segment_size = 64;
	o.on_error = on_error;
	o.on_error_self = &seen;
	the_pool = pool_make(&o);
	return the_pool;
}

/* ---- one job ---- */

static int dig(unsigned depth);
static int (*volatile dig_on)(unsigned) = dig; /* the compiler does not see the end of it */

/* Calls itself that many times before it panics; the sum keeps it from becoming a loop. */
__attribute__((noinline)) static int dig(unsigned depth)
{
	volatile char room[200] = { 0 };
	if (depth == 0)
		wp_panic(-77, "at the bottom of %s, %d", "the well", 42);
	room[depth % sizeof(room)] = (char)dig_on(depth - 1);
	return room[0] + 1;
}

static int panics(void *payload)
{
	return dig((unsigned)(uintptr_t)payload);
}

T_TEST(panic, handler_is_told_everything)
{
	struct wp_pool *pool = told_pool(2);
	struct wp_job job = { .fn = panics, .payload = (void *)5, .cleanup = cleanup };
	t_assert_int_eq(wp_submit(pool, works, NULL), 0);
	t_assert_int_eq(wp_submit_wait(pool, &job), WP_EPANIC);
	t_assert_u64_eq(wp_load_rlx_u64(&seen.calls), 1);
	t_assert(seen.last.pool == pool);
	t_assert_u64_eq(seen.last.job_id, 1);
	t_assert(seen.last.worker < 2);
	t_assert_u64_eq(seen.last.attempt, 1);
	t_assert_int_eq(seen.last.code, -77);
	t_assert_int_eq(seen.last.result, WP_EPANIC);
	t_assert(seen.last.fn == panics);
	t_assert_u64_eq((uintptr_t)seen.last.payload, 5);
	t_assert(seen.last.ctx == NULL);
	t_assert_str_eq(seen.message, "at the bottom of the well, 42");
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), 1);
	pool_wait(pool);
	struct wp_stats s = pool_stats(pool);
	t_assert_u64_eq(s.panicked, 1);
	t_assert_u64_eq(s.failed, 0);
	t_assert_u64_eq(s.completed, 1);
	t_assert_int_eq(s.last_error, -77);
	char message[64];
	t_assert_int_eq(wp_pool_last_error(pool, message, sizeof(message)), -77);
	t_assert_str_eq(message, "at the bottom of the well, 42");
	pool_end(pool);
}

static unsigned lines_of(const char *text)
{
	unsigned n = 0;
	for (; (text = strchr(text, '\n')); text++)
		n++;
	return n;
}

/* The frames of this program's own functions lie within it; how deep, the test has decided. */
T_TEST(panic, backtrace_shows_the_depth)
{
	struct wp_pool *pool = told_pool(1);
	struct wp_job job = { .fn = panics, .payload = (void *)1 };
	t_assert_int_eq(wp_submit_wait(pool, &job), WP_EPANIC);
	unsigned shallow = seen.last.frame_count;
	t_assert(shallow > 3);
	t_assert_u64_eq(lines_of(seen.backtrace), shallow);
	t_assert(strncmp(seen.backtrace, "#0 ", 3) == 0);
	t_assert_msg(strstr(seen.backtrace, "(libc.so") != NULL, "%s", seen.backtrace);
	job.payload = (void *)9;
	t_assert_int_eq(wp_submit_wait(pool, &job), WP_EPANIC);
	t_assert_u64_eq(seen.last.frame_count, shallow + 8);
	/* Deeper than there is room for. */
	job.payload = (void *)200;
	t_assert_int_eq(wp_submit_wait(pool, &job), WP_EPANIC);
	t_assert(seen.last.frame_count > shallow + 8 && seen.last.frame_count <= WP__FRAMES_MAX);
	t_assert_u64_eq(lines_of(seen.backtrace), seen.last.frame_count);
	pool_end(pool);
}

static int compares(const void *a, const void *b)
{
	(void)a;
	(void)b;
	wp_panic(-2, "cannot compare");
}

static int sorts(void *payload)
{
	int numbers[] = { 3, 1, 2 };
	(void)payload;
	qsort(numbers, 3, sizeof(numbers[0]), compares);
	return numbers[0];
}

/* Through a function of another library, whose name is known. */
T_TEST(panic, backtrace_names_functions)
{
	struct wp_pool *pool = told_pool(1);
	struct wp_job job = { .fn = sorts };
	t_assert_int_eq(wp_submit_wait(pool, &job), WP_EPANIC);
	/* Sanitizers have a nameless function in its place. */
	t_assert_msg(T_SANITIZED || strstr(seen.backtrace, " qsort"), "%s", seen.backtrace);
	pool_end(pool);
}

T_TEST(panic, works_without_a_backtrace)
{
	struct wp_pool *pool = told_pool(1);
	struct wp_job job = { .fn = panics };
	wp__fault_arm(WP_FAULT_BACKTRACE, 1, true, ENOMEM);
	t_assert_int_eq(wp_submit_wait(pool, &job), WP_EPANIC);
	t_assert_u64_eq(seen.last.frame_count, 0);
	t_assert_str_eq(seen.backtrace, "");
	wp__fault_disarm();
	pool_end(pool);
}

static int panics_at_length(void *payload)
{
	char text[1001];
	memset(text, 'x', sizeof(text));
	text[1000] = '\0';
	wp_panic(payload ? 1 : 0, "%s", text);
}

T_TEST(panic, long_message_is_cut)
{
	struct wp_pool *pool = told_pool(1);
	struct wp_job job = { .fn = panics_at_length };
	t_assert_int_eq(wp_submit_wait(pool, &job), WP_EPANIC);
	t_assert_u64_eq(strlen(seen.message), 255);
	t_assert_int_eq(seen.last.code, WP_EPANIC); /* 0 would not be an error */
	char message[8];
	t_assert_int_eq(wp_pool_last_error(pool, message, sizeof(message)), WP_EPANIC);
	t_assert_str_eq(message, "xxxxxxx");
	t_assert_int_eq(wp_pool_last_error(NULL, message, sizeof(message)), WP_EINVAL);
	pool_end(pool);
}

/* ---- the others ---- */

static int every_third_panics(void *payload)
{
	uintptr_t i = (uintptr_t)payload;
	wp_add_rlx_u64(&ran, 1);
	if (i % 3 == 0)
		wp_panic((int)i + 1, "job %u", (unsigned)i);
	return i % 3 == 1 ? -5 : 0;
}

static void run_batches(unsigned workers, bool timing)
{
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = workers;
	o.timing = timing;
	struct wp_pool *pool = pool_make(&o);
	struct wp_job jobs[300];
	uint64_t rounds = t_scaled(30);
	wp_store_rlx_u64(&ran, 0);
	wp_store_rlx_u64(&cleaned, 0);
	for (uintptr_t i = 0; i < 300; i++)
		jobs[i] = (struct wp_job){
			.fn = every_third_panics,
			.payload = (void *)i,
			.cleanup = i % 2 ? cleanup : NULL,
		};
	for (uint64_t round = 0; round < rounds; round++)
		t_assert_int_eq(wp_submit_batch(pool, jobs, 300), 300);
	pool_wait(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 300 * rounds);
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), 150 * rounds);
	struct wp_stats s = pool_stats(pool);
	t_assert_u64_eq(s.panicked, 100 * rounds);
	t_assert_u64_eq(s.failed, 100 * rounds);
	t_assert_u64_eq(s.completed, 100 * rounds);
	struct wp_stop_report report;
	t_assert_int_eq(wp_pool_shutdown(pool, WP_FOREVER, &report), 0);
	t_assert_u64_eq(report.failed, 100 * rounds);
	t_assert_u64_eq(report.panicked, 100 * rounds);
	t_assert_u64_eq(report.completed, 100 * rounds);
	pool_destroy(pool);
}

T_TEST(panic, rest_of_the_batch_runs)
{
	run_batches(1, false);
	run_batches(4, false);
	run_batches(2, true);
}

/* ---- in handlers ---- */

static void panicking_cleanup(void *payload)
{
	(void)payload;
	wp_add_rlx_u64(&cleaned, 1);
	wp_panic(-9, "in the cleanup");
}

static void panicking_handler(void *self, const struct wp_job_error *error)
{
	on_error(self, error);
	wp_panic(-8, "in the handler");
}

static int fails(void *payload)
{
	(void)payload;
	return -3;
}

T_TEST(panic, in_cleanup_and_handler)
{
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = 1;
	o.on_error = panicking_handler;
	o.on_error_self = &seen;
	struct wp_pool *pool = pool_make(&o);
	const wp_job_fn fns[] = { works, fails, panics };
	const int results[] = { 0, -3, WP_EPANIC };
	unsigned handled = 0, cleanups = 0, in_handlers = 0;
	for (unsigned i = 0; i < 3; i++) {
		for (unsigned k = 0; k < 3; k++) {
			struct wp_job job = { .fn = fns[i] };
			job.cleanup = k == 0 ? NULL : k == 1 ? cleanup : panicking_cleanup;
			t_assert_int_eq(wp_submit_wait(pool, &job), results[i]);
			t_assert_int_eq(wp_submit_job(pool, &job), 0);
			handled += i ? 2u : 0;
			cleanups += k ? 2u : 0;
			in_handlers += (i ? 2u : 0) + (k == 2 ? 2u : 0);
		}
	}
	pool_wait(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&seen.calls), handled);
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), cleanups);
	struct wp_stats s = pool_stats(pool);
	t_assert_u64_eq(s.handler_panics, in_handlers);
	t_assert_u64_eq(s.completed, 6);
	t_assert_u64_eq(s.failed, 6);
	t_assert_u64_eq(s.panicked, 6);
	char message[64];
	t_assert_int_eq(wp_pool_last_error(pool, message, sizeof(message)), -9);
	t_assert_str_eq(message, "in the cleanup");
	pool_end(pool);
}

static int waits(void *payload)
{
	struct wp_job *job = payload;
	return wp_submit_wait(the_pool, job);
}

static void *submit_and_wait(void *payload)
{
	return (void *)(intptr_t)waits(payload);
}

static void *open_when_discarding(void *gate)
{
	pool_until(pool_discards(the_pool));
	gate_open(gate);
	return NULL;
}

/* Dropped by a stop: the cleanup of each gives up, and whoever waits is let go. */
T_TEST(panic, in_cleanup_of_dropped_jobs)
{
	struct wp_pool *pool = told_pool(2);
	struct gate gate = { 0 };
	gate_hold(&gate, pool, 2);
	struct wp_job job = { .fn = works, .cleanup = panicking_cleanup };
	pthread_t waiter;
	t_assert_int_eq(pthread_create(&waiter, NULL, submit_and_wait, &job), 0);
	pool_until(pool_stats(pool).submitted == 3);
	for (unsigned i = 0; i < 20; i++)
		t_assert_int_eq(wp_submit_job(pool, &job), 0);
	struct wp_stop_report report;
	t_assert_int_eq(wp_pool_shutdown(pool, 0, &report), WP_EFORCED);
	pthread_t opener;
	t_assert_int_eq(pthread_create(&opener, NULL, open_when_discarding, &gate), 0);
	t_assert_int_eq(wp_pool_stop(pool, &report), 0);
	void *result;
	pthread_join(opener, NULL);
	pthread_join(waiter, &result);
	t_assert_int_eq((intptr_t)result, WP_EDROPPED);
	t_assert_u64_eq(report.dropped, 21);
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), 21);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 0);
	t_assert_u64_eq(pool_stats(pool).handler_panics, 21);
	pool_destroy(pool);
}

/* ---- nested ---- */

static int outer(void *payload)
{
	struct wp_job inner = { .fn = panics, .payload = (void *)3, .cleanup = cleanup };
	uint64_t id = wp_job_current()->id;
	for (unsigned i = 0; i < 5; i++)
		t_assert_int_eq(wp_submit_wait(the_pool, &inner), WP_EPANIC);
	t_assert_u64_eq(wp_job_current()->id, id);
	wp_add_rlx_u64(&ran, 1);
	if (payload)
		wp_panic(-6, "outer");
	return 12;
}

T_TEST(panic, of_an_inner_job_leaves_the_outer)
{
	for (unsigned workers = 1; workers <= 2; workers++) {
		struct wp_pool *pool = told_pool(workers);
		wp_store_rlx_u64(&ran, 0);
		wp_store_rlx_u64(&cleaned, 0);
		struct wp_job job = { .fn = outer };
		t_assert_int_eq(wp_submit_wait(pool, &job), 12);
		job.payload = &job;
		t_assert_int_eq(wp_submit_wait(pool, &job), WP_EPANIC);
		t_assert_u64_eq(wp_load_rlx_u64(&ran), 2);
		t_assert_u64_eq(wp_load_rlx_u64(&cleaned), 10);
		pool_wait(pool);
		t_assert_u64_eq(pool_stats(pool).panicked, 11);
		pool_end(pool);
	}
}

/* Each job waits for the next one, deeper than the worker nests them; the last one gives up. */
static int chain(void *payload)
{
	uintptr_t left = (uintptr_t)payload;
	wp_add_rlx_u64(&ran, 1);
	if (left == 0)
		wp_panic(-4, "end of the chain");
	struct wp_job next = { .fn = chain, .payload = (void *)(left - 1), .cleanup = cleanup };
	t_assert_int_eq(wp_submit_wait(the_pool, &next), WP_EPANIC);
	wp_panic(-4, "link %u", (unsigned)left);
}

T_TEST(panic, in_a_long_chain)
{
	wp__chaos(11, 20, 1);
	for (unsigned workers = 1; workers <= 3; workers++) {
		struct wp_pool *pool = told_pool(workers);
		wp_store_rlx_u64(&ran, 0);
		struct wp_job job = { .fn = chain, .payload = (void *)100 };
		t_assert_int_eq(wp_submit_wait(pool, &job), WP_EPANIC);
		t_assert_u64_eq(wp_load_rlx_u64(&ran), 101);
		pool_wait(pool);
		pool_expect_asleep(pool);
		pool_end(pool);
	}
}

/* A job that makes room by running others, of which some give up. */
static int fills(void *payload)
{
	(void)payload;
	for (uintptr_t i = 0; i < 100; i++) {
		struct wp_job job = {
			.fn = every_third_panics, .payload = (void *)i, .cleanup = cleanup
		};
		t_assert_int_eq(wp_submit_job(the_pool, &job), 0);
	}
	return 0;
}

T_TEST(panic, while_making_room)
{
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = 2;
	o.capacity = 2;
	o.segment_size = 2;
	the_pool = pool_make(&o);
	for (unsigned i = 0; i < 10; i++)
		t_assert_int_eq(wp_submit(the_pool, fills, NULL), 0);
	pool_wait(the_pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 1000);
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), 1000);
	t_assert_u64_eq(pool_stats(the_pool).panicked, 340);
	pool_end(the_pool);
}

/* ---- many ---- */

T_TEST(panic, many_at_once)
{
	struct wp_pool *pool = pool_of(4, 1024, 64);
	uint64_t n = t_scaled(20000);
	for (uintptr_t i = 0; i < n; i++)
		t_assert_int_eq(wp_submit(pool, panics, (void *)(i % 7)), 0);
	pool_wait(pool);
	t_assert_u64_eq(pool_stats(pool).panicked, n);
	pool_expect_asleep(pool);
	pool_end(pool);
}
