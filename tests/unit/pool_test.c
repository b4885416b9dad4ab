/* SPDX-License-Identifier: MIT */
/* A pool's threads, its jobs' surroundings, and waiting for rest. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hooks.h"
#include "pool.h"
#include "proc.h"
#include "t.h"

static wp_atomic_u64 ran, cleaned;

/* A joined thread is still listed for a moment. */
static void expect_threads(unsigned n)
{
	pool_until(proc_threads() <= n);
}

/* Threads when there is no pool; the first thread of a program may bring others with it. */
static unsigned threads_without_pool(void)
{
	pool_destroy(pool_of(1, 8, 4));
	wp__os_sleep(50000000);
	return proc_threads();
}

/* ---- creation ---- */

T_TEST(pool, thread_creation_fails_at_each_worker)
{
	unsigned before = threads_without_pool();
	for (unsigned i = 1; i <= 5; i++) {
		struct wp_options o = WP_OPTIONS_INIT;
		struct wp_pool *pool = (struct wp_pool *)(uintptr_t)8;
		o.workers = 5;
		wp__fault_arm(WP_FAULT_THREAD, i, false, EAGAIN);
		t_assert_int_eq(wp_pool_create(&pool, &o), WP_ENOMEM);
		t_assert(pool == NULL);
		expect_threads(before);
	}
	wp__fault_disarm();
	pool_end(pool_of(5, 8, 4));
}

static void create_with_failures(enum wp_fault_site site, bool onwards, bool pin)
{
	unsigned before = threads_without_pool();
	for (uint64_t nth = 1;; nth++) {
		struct wp_options o = WP_OPTIONS_INIT;
		struct wp_pool *pool = (struct wp_pool *)(uintptr_t)8;
		o.workers = 2;
		o.segment_count = 2;
		o.pin_workers = pin;
		wp__fault_reset_counts();
		wp__fault_arm(site, nth, onwards, ENOMEM);
		int error = wp_pool_create(&pool, &o);
		uint64_t failures = wp__fault_failures(site);
		wp__fault_disarm();
		if (error == 0) {
			wp_atomic_u64 count = { 0 };
			t_assert_int_eq(wp_submit(pool, count_fn, &count), 0);
			pool_wait(pool);
			t_assert_u64_eq(wp_load_rlx_u64(&count), 1);
			pool_end(pool);
		} else {
			t_assert_int_eq(error, WP_ENOMEM);
			t_assert(pool == NULL);
		}
		expect_threads(before);
		if (failures == 0)
			break;
		t_assert(nth < 100);
	}
}

T_TEST(pool, creation_without_memory_leaves_nothing)
{
	for (int pin = 0; pin < 2; pin++) {
		create_with_failures(WP_FAULT_ALLOC, false, pin);
		create_with_failures(WP_FAULT_ALLOC, true, pin);
		create_with_failures(WP_FAULT_RESERVE, false, pin);
	}
	create_with_failures(WP_FAULT_THREAD, true, false);
}

T_TEST(pool, a_thread_without_its_name_works)
{
	wp__fault_arm(WP_FAULT_THREAD_NAME, 1, true, ERANGE);
	struct wp_pool *pool = pool_of(2, 8, 4);
	t_assert_int_eq(wp_submit(pool, count_fn, &ran), 0);
	pool_end(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 1);
}

/* ---- events ---- */

struct events {
	wp_atomic_u32 count;
	int code;
	unsigned worker;
	char message[128];
	struct wp_pool *pool;
};

static void note_event(void *self, const struct wp_pool_event *event)
{
	struct events *e = self;
	e->code = event->code;
	e->worker = event->worker;
	e->pool = event->pool;
	snprintf(e->message, sizeof(e->message), "%s", event->message);
	wp_add_rel_u32(&e->count, 1);
}

static struct wp_options options_with_events(struct events *events, unsigned workers)
{
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = workers;
	o.on_event = note_event;
	o.on_event_self = events;
	return o;
}

T_TEST(pool, a_pin_that_fails_is_reported_and_the_pool_works)
{
	static struct events events;
	struct wp_options o = options_with_events(&events, 1);
	o.pin_workers = true;
	unsetenv("WP_PIN_WORKERS");
	wp__fault_arm(WP_FAULT_SET_AFFINITY, 1, true, EPERM);
	struct wp_pool *pool = pool_make(&o);
	pool_until(wp_load_acq_u32(&events.count) == 1);
	t_assert_int_eq(events.code, -EPERM);
	t_assert_u64_eq(events.worker, 0);
	t_assert(events.pool == pool && strlen(events.message) > 10);
	t_assert_int_eq(wp_submit(pool, count_fn, &ran), 0);
	pool_end(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 1);
}

T_TEST(pool, a_plan_that_fails_is_reported_and_the_pool_works)
{
	static struct events events;
	struct wp_options o = options_with_events(&events, 2);
	o.pin_workers = true;
	unsetenv("WP_PIN_WORKERS");
	wp__fault_arm(WP_FAULT_TOPOLOGY, 1, true, ENOMEM);
	struct wp_pool *pool = pool_make(&o);
	t_assert_u64_eq(wp_load_acq_u32(&events.count), 1);
	t_assert(events.code < 0);
	t_assert_u64_eq(events.worker, UINT32_MAX);
	pool_end(pool);
}

T_TEST(pool, a_thread_that_cannot_be_made_is_reported)
{
	static struct events events;
	struct wp_options o = options_with_events(&events, 3);
	struct wp_pool *pool;
	wp__fault_arm(WP_FAULT_THREAD, 2, false, EAGAIN);
	t_assert_int_eq(wp_pool_create(&pool, &o), WP_ENOMEM);
	t_assert_u64_eq(wp_load_acq_u32(&events.count), 1);
	t_assert_int_eq(events.code, -EAGAIN);
	t_assert_u64_eq(events.worker, 1);
}

static int destroy_own_pool(void *payload)
{
	wp_pool_destroy(payload);
	return 0;
}

T_TEST(pool, destroy_from_inside_is_reported_and_does_nothing)
{
	static struct events events;
	struct wp_options o = options_with_events(&events, 1);
	struct wp_pool *pool = pool_make(&o);
	t_assert_int_eq(wp_submit(pool, destroy_own_pool, pool), 0);
	pool_wait(pool);
	t_assert_u64_eq(wp_load_acq_u32(&events.count), 1);
	t_assert_int_eq(events.code, WP_EDEADLK);
	t_assert(!wp_pool_is_closed(pool));
	pool_end(pool);
}

T_TEST(pool, destroy_of_nothing)
{
	wp_pool_destroy(NULL);
	t_assert_int_eq(wp_pool_wait(NULL, 0), WP_EINVAL);
	t_assert_int_eq(wp_pool_shutdown(NULL, 0, NULL), WP_EINVAL);
	t_assert_int_eq(wp_pool_stop(NULL, NULL), WP_EINVAL);
	t_assert(wp_pool_is_closed(NULL));
}

/* ---- threads ---- */

struct thread_view {
	sigset_t mask;
	char name[32];
};

static int view_thread(void *payload)
{
	struct thread_view *view = payload;
	pthread_sigmask(SIG_SETMASK, NULL, &view->mask);
	pthread_getname_np(pthread_self(), view->name, sizeof(view->name));
	return 0;
}

T_TEST(pool, signals_go_elsewhere_and_the_callers_mask_stays)
{
	static const int blocked[] = { SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGALRM, SIGCHLD,
		SIGPIPE, SIGIO, SIGWINCH, SIGQUIT };
	static const int open[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
	sigset_t mine, before, after;
	sigemptyset(&mine);
	sigaddset(&mine, SIGUSR2);
	pthread_sigmask(SIG_SETMASK, &mine, NULL);
	pthread_sigmask(SIG_SETMASK, NULL, &before);
	struct wp_pool *pool = pool_of(1, 8, 4);
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	struct thread_view view;
	t_assert_int_eq(
		wp_submit_wait(pool, &(struct wp_job){ .fn = view_thread, .payload = &view }), 0);
	for (size_t i = 0; i < sizeof(blocked) / sizeof(blocked[0]); i++)
		t_assert_msg(sigismember(&view.mask, blocked[i]) == 1, "signal %d", blocked[i]);
	for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++)
		t_assert_msg(sigismember(&view.mask, open[i]) == 0, "signal %d", open[i]);
	for (int s = 1; s < 32; s++)
		t_assert_int_eq(sigismember(&before, s), sigismember(&after, s));
	pool_end(pool);
}

T_TEST(pool, threads_are_named)
{
	static const char *const names[][2] = { { NULL, "wpool/0" }, { "io", "io/0" },
		{ "a-name-too-long-for-it", "a-name-to/0" } };
	for (size_t i = 0; i < 3; i++) {
		struct wp_options o = WP_OPTIONS_INIT;
		o.workers = 1;
		o.name = names[i][0];
		struct wp_pool *pool = pool_make(&o);
		struct thread_view view;
		struct wp_job job = { .fn = view_thread, .payload = &view };
		t_assert_int_eq(wp_submit_wait(pool, &job), 0);
		t_assert_str_eq(view.name, names[i][1]);
		pool_end(pool);
	}
}

/* ---- what a job knows ---- */

static int note_info(void *payload)
{
	const struct wp_job_info *info = wp_job_current();
	t_assert(info != NULL);
	*(struct wp_job_info *)payload = *info;
	return 0;
}

T_TEST(pool, job_current)
{
	struct wp_pool *pool = pool_of(2, 64, 3);
	t_assert(wp_job_current() == NULL);
	for (uint64_t i = 0; i < 50; i++) {
		struct wp_job_info info;
		struct wp_job job = { .fn = note_info, .payload = &info };
		t_assert_int_eq(wp_submit_wait(pool, &job), 0);
		t_assert_u64_eq(info.id, i); /* its place in line */
		t_assert(info.worker < 2);
		t_assert_u64_eq(info.attempt, 1);
		t_assert(info.pool == pool && info.ctx == NULL);
	}
	pool_end(pool);
}

/* ---- failures ---- */

struct failures {
	struct wp_pool *pool;
	wp_atomic_u32 count;
	struct wp_job_error last;
	char message[64];
	pthread_t ran_on;
};

static struct failures failures;

static void note_failure(void *self, const struct wp_job_error *error)
{
	struct failures *f = self;
	f->last = *error;
	snprintf(f->message, sizeof(f->message), "%s", error->message);
	t_assert(wp_job_current() != NULL);
	t_assert_u64_eq(wp_job_current()->id, error->job_id);
	t_assert(pthread_equal(f->ran_on, pthread_self()));
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), wp_load_rlx_u32(&f->count)); /* not yet */
	wp_add_rel_u32(&f->count, 1);
}

static int fail_with(void *payload)
{
	failures.ran_on = pthread_self();
	return *(int *)payload;
}

static void count_cleaned(void *payload)
{
	(void)payload;
	wp_add_rlx_u64(&cleaned, 1);
}

T_TEST(pool, a_failing_job_is_reported_with_everything)
{
	static const int codes[] = { WP_ENOMEM, 42, -99999 };
	static const char *const messages[] = { NULL, "job failed", "job failed" };
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = 1;
	o.on_error = note_failure;
	o.on_error_self = &failures;
	struct wp_pool *pool = pool_make(&o);
	for (unsigned i = 0; i < 6; i++) {
		int code = codes[i / 2];
		struct wp_job job = { .fn = fail_with, .payload = &code, .cleanup = count_cleaned };
		if (i % 2) {
			t_assert_int_eq(wp_submit_wait(pool, &job), code);
		} else {
			t_assert_int_eq(wp_submit_job(pool, &job), 0);
			pool_wait(pool);
		}
		t_assert_u64_eq(wp_load_acq_u32(&failures.count), i + 1);
		t_assert(failures.last.pool == pool && failures.last.fn == fail_with &&
			 failures.last.payload == &code);
		t_assert_u64_eq(failures.last.job_id, i);
		t_assert_u64_eq(failures.last.worker, 0);
		t_assert_u64_eq(failures.last.attempt, 1);
		t_assert_int_eq(failures.last.code, code);
		t_assert_str_eq(failures.message, i < 2 ? wp_strerror(code) : messages[i / 2]);
		pool_wait(pool);
		t_assert_int_eq(pool_stats(pool).last_error, code);
		t_assert_u64_eq(wp_load_rlx_u64(&cleaned), i + 1);
	}
	struct wp_stats s = pool_stats(pool);
	t_assert_u64_eq(s.failed, 6);
	t_assert_u64_eq(s.completed, 0);
	pool_end(pool);
}

/* ---- waiting ---- */

T_TEST(pool, wait_returns_at_once_when_idle_and_the_pool_goes_on)
{
	struct wp_pool *pool = pool_of(2, 64, 16);
	t_assert_int_eq(wp_pool_wait(pool, 0), 0);
	for (uint64_t i = 1; i <= 100; i++) {
		t_assert_int_eq(wp_submit(pool, count_fn, &ran), 0);
		t_assert_int_eq(wp_pool_wait(pool, WP_FOREVER), 0);
		t_assert_u64_eq(wp_load_rlx_u64(&ran), i);
	}
	pool_end(pool);
}

T_TEST(pool, wait_ends_at_its_deadline)
{
	struct wp_pool *pool = pool_of(1, 64, 16);
	struct gate gate = { 0 };
	gate_hold(&gate, pool, 1);
	t_assert_int_eq(wp_pool_wait(pool, 0), WP_ETIMEDOUT);
	for (int i = 0; i < 3; i++) {
		uint64_t deadline = wp_after_ms(4);
		t_assert_int_eq(wp_pool_wait(pool, deadline), WP_ETIMEDOUT);
		t_assert(wp_now_ns() >= deadline);
	}
	gate_open(&gate);
	pool_end(pool);
}

static int call_everything_that_waits(void *payload)
{
	t_assert_int_eq(wp_pool_wait(payload, WP_FOREVER), WP_EDEADLK);
	t_assert_int_eq(wp_pool_shutdown(payload, WP_FOREVER, NULL), WP_EDEADLK);
	t_assert_int_eq(wp_pool_stop(payload, NULL), WP_EDEADLK);
	t_assert_int_eq(wp_pool_wait_ctx(payload, NULL, 0), WP_EDEADLK);
	t_assert_int_eq(wp_pool_shutdown_ctx(payload, NULL, 0, NULL), WP_EDEADLK);
	return 0;
}

T_TEST(pool, waiting_for_oneself)
{
	struct wp_pool *pool = pool_of(1, 64, 16), *other = pool_of(1, 64, 16);
	struct wp_job job = { .fn = call_everything_that_waits, .payload = pool };
	t_assert_int_eq(wp_submit_wait(pool, &job), 0);
	t_assert(!wp_pool_is_closed(pool));
	pool_end(pool);
	pool_end(other);
}

struct waiting {
	struct wp_pool *pool;
	wp_atomic_u32 producing;
	uint64_t each;
};

static void wait_or_submit(void *arg, unsigned me)
{
	struct waiting *w = arg;
	if (me < 2) {
		for (uint64_t i = 0; i < w->each; i++) {
			t_assert_int_eq(wp_submit(w->pool, count_fn, &ran), 0);
			if (i % 50 == 0)
				wp__os_sleep(50000);
		}
		wp_sub_rel_u32(&w->producing, 1);
		return;
	}
	do
		pool_wait(w->pool);
	while (wp_load_acq_u32(&w->producing));
	pool_wait(w->pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 2 * w->each);
}

T_TEST(pool, several_wait_while_others_submit)
{
	struct waiting w = { .pool = pool_of(2, 64, 16), .each = t_scaled(20000) };
	wp_store_rlx_u32(&w.producing, 2);
	struct crew crew;
	crew_start(&crew, 6, wait_or_submit, &w);
	crew_join(&crew);
	pool_end(w.pool);
}

T_TEST(pool, wait_after_the_end)
{
	struct wp_pool *pool = pool_of(1, 64, 16);
	t_assert_int_eq(wp_submit(pool, count_fn, &ran), 0);
	t_assert_int_eq(wp_pool_stop(pool, NULL), 0);
	t_assert_int_eq(wp_pool_wait(pool, 0), 0);
	t_assert_int_eq(wp_pool_wait(pool, WP_FOREVER), 0);
	pool_destroy(pool);
}
