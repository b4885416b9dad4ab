/* SPDX-License-Identifier: MIT */
/*
 * Signals: workers leave them to the application's threads, and a wait that is interrupted all the
 * time ends when it should.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "crew.h"
#include "pool.h"
#include "t.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static wp_atomic_u64 ran;

/* ---- masks ---- */

/* Those that a thread raises itself by a fault stay open, and SIGPROF for profilers. */
static bool is_of_a_fault(int number)
{
	static const int open[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT,
		SIGPROF };
	for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++)
		if (number == open[i])
			return true;
	return false;
}

static int look_at_mask(void *payload)
{
	sigset_t *mask = payload;
	return pthread_sigmask(SIG_BLOCK, NULL, mask);
}

T_TEST(signals, masks)
{
	sigset_t before, after, worker;
	sigemptyset(&before);
	sigaddset(&before, SIGUSR2);
	sigaddset(&before, SIGSEGV);
	t_assert_int_eq(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
	struct wp_pool *pool = pool_of(2, 8, 4);
	struct wp_job job = { .fn = look_at_mask, .payload = &worker };
	t_assert_int_eq(wp_submit_wait(pool, &job), 0);
	for (int number = 1; number < SIGRTMAX; number++) {
		/* The C library keeps the first real-time signals for itself. */
		if (number == SIGKILL || number == SIGSTOP || (number >= 32 && number < SIGRTMIN))
			continue;
		t_assert_msg(sigismember(&worker, number) == !is_of_a_fault(number), "signal %d",
			number);
	}
	pool_end(pool);
	t_assert_int_eq(pthread_sigmask(SIG_BLOCK, NULL, &after), 0);
	for (int number = 1; number < SIGRTMAX; number++)
		t_assert_int_eq(sigismember(&after, number), sigismember(&before, number));
}

/* ---- a timer that interrupts everything ---- */

#define INTERVAL_NS 100000

static wp_atomic_u64 interruptions;

static void on_timer(int number)
{
	(void)number;
	wp_add_rlx_u64(&interruptions, 1);
}

/* From now on the calling thread gets 10,000 signals a second. */
static timer_t interrupt_me(void)
{
	struct sigaction action = { .sa_handler = on_timer }; /* no SA_RESTART */
	sigset_t set;
	t_assert_int_eq(sigaction(SIGUSR1, &action, NULL), 0);
	/* A crew's threads are made like workers. */
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	t_assert_int_eq(pthread_sigmask(SIG_UNBLOCK, &set, NULL), 0);
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1 };
	event.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
	timer_t timer;
	t_assert_int_eq(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
	struct itimerspec often = { { 0, INTERVAL_NS }, { 0, INTERVAL_NS } };
	t_assert_int_eq(timer_settime(timer, 0, &often, NULL), 0);
	return timer;
}

/* Not before the deadline; and not so long after it that something must have gone wrong. */
static void expect_at(uint64_t deadline, uint64_t before)
{
	uint64_t now = wp_now_ns();
	t_assert_msg(now >= deadline, "%llu ns too early", (unsigned long long)(deadline - now));
	t_assert_msg(now < deadline + UINT64_C(20000000000), "%llu ns too late",
		(unsigned long long)(now - deadline));
	/* ThreadSanitizer and valgrind keep signals back. */
	t_assert(T_SANITIZED || t_memcheck() || wp_load_rlx_u64(&interruptions) > before + 10);
}

#define WAIT_NS 200000000

#define EXPECT_INTERRUPTED(call, result)                            \
	do {                                                        \
		uint64_t before_ = wp_load_rlx_u64(&interruptions); \
		uint64_t deadline = wp_after_ns(WAIT_NS);           \
		t_assert_int_eq((call), (result));                  \
		expect_at(deadline, before_);                       \
	} while (0)

static void wait_for_everything(void *arg, unsigned me)
{
	struct wp_pool *pool = arg;
	struct wp_job job = { .fn = count_fn, .payload = &ran };
	(void)me;
	timer_t timer = interrupt_me();
	EXPECT_INTERRUPTED(wp_submit_until(pool, &job, deadline), WP_ETIMEDOUT);
	EXPECT_INTERRUPTED(wp_pool_wait(pool, deadline), WP_ETIMEDOUT);
	EXPECT_INTERRUPTED(wp_pool_shutdown(pool, deadline, NULL), WP_EFORCED);
	timer_delete(timer);
}

T_TEST(signals, deadlines_under_a_10_khz_timer)
{
	struct wp_pool *pool = pool_of(1, 3, 2);
	struct gate gate = { 0 };
	gate_hold(&gate, pool, 1);
	for (int i = 0; i < 3; i++)
		t_assert_int_eq(wp_submit(pool, count_fn, &ran), 0);
	struct crew crew;
	crew_start(&crew, 1, wait_for_everything, pool);
	crew_join(&crew);
	gate_open(&gate);
	pool_end(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 3);
}

/* ---- the same of contexts, and of producers ---- */

struct waits {
	struct wp_pool *pool;
	struct wp_producer *producer;
};

static struct wp_ctx *until(uint64_t deadline)
{
	struct wp_ctx *ctx = NULL;
	t_assert_int_eq(wp_ctx_create(&ctx, NULL, deadline), 0);
	return ctx;
}

/* The call uses `ctx`, whose deadline it is. */
#define EXPECT_CTX_INTERRUPTED(ctx, call)                           \
	do {                                                        \
		uint64_t before_ = wp_load_rlx_u64(&interruptions); \
		(ctx) = until(wp_after_ns(WAIT_NS));                \
		t_assert_int_eq((call), WP_ETIMEDOUT);              \
		expect_at(wp_ctx_deadline(ctx), before_);           \
		wp_ctx_unref(ctx);                                  \
	} while (0)

static void submit_in_ctx(struct wp_pool *pool, struct wp_producer *producer)
{
	struct wp_job job = { .fn = count_fn, .payload = &ran };
	EXPECT_CTX_INTERRUPTED(job.ctx, wp_submit_job(pool, &job));
	EXPECT_CTX_INTERRUPTED(job.ctx, wp_submit_wait(pool, &job));
	EXPECT_CTX_INTERRUPTED(job.ctx, wp_submit_batch(pool, &job, 1));
	EXPECT_CTX_INTERRUPTED(job.ctx, wp_producer_submit_job(producer, &job));
	job.ctx = NULL;
	EXPECT_INTERRUPTED(wp_producer_submit_until(producer, &job, deadline), WP_ETIMEDOUT);
}

static void wait_in_ctx(struct wp_pool *pool)
{
	struct wp_ctx *ctx, *lasting = until(WP_FOREVER);
	EXPECT_CTX_INTERRUPTED(ctx, wp_ctx_wait(ctx, WP_FOREVER));
	EXPECT_CTX_INTERRUPTED(ctx, wp_pool_wait_ctx(pool, ctx, WP_FOREVER));
	EXPECT_INTERRUPTED(wp_ctx_wait(lasting, deadline), 0);
	EXPECT_INTERRUPTED(wp_ctx_wait(NULL, deadline), 0);
	EXPECT_INTERRUPTED(wp_pool_wait_ctx(pool, lasting, deadline), WP_ETIMEDOUT);
	wp_ctx_unref(lasting);
}

static void submit_or_wait_in_ctx(void *arg, unsigned me)
{
	struct waits *w = arg;
	timer_t timer = interrupt_me();
	if (me)
		wait_in_ctx(w->pool);
	else
		submit_in_ctx(w->pool, w->producer);
	timer_delete(timer);
}

static void shut_down_in_ctx(void *arg, unsigned me)
{
	struct waits *w = arg;
	struct wp_ctx *ctx, *lasting = until(WP_FOREVER);
	(void)me;
	timer_t timer = interrupt_me();
	EXPECT_CTX_INTERRUPTED(ctx, wp_pool_shutdown_ctx(w->pool, ctx, WP_FOREVER, NULL));
	EXPECT_INTERRUPTED(wp_pool_shutdown_ctx(w->pool, lasting, deadline, NULL), WP_EFORCED);
	timer_delete(timer);
	wp_ctx_unref(lasting);
}

T_TEST(signals, deadlines_of_contexts_under_a_10_khz_timer)
{
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = 1;
	o.capacity = 2;
	o.producer_capacity = 1;
	struct waits w = { .pool = pool_make(&o) };
	struct gate gate = { 0 };
	struct crew crew;
	gate_hold(&gate, w.pool, 1);
	t_assert_int_eq(wp_producer_open(&w.producer, w.pool), 0);
	t_assert_int_eq(wp_producer_submit(w.producer, count_fn, &ran), 0);
	for (int i = 0; i < 2; i++)
		t_assert_int_eq(wp_submit(w.pool, count_fn, &ran), 0);
	crew_start(&crew, 2, submit_or_wait_in_ctx, &w);
	crew_join(&crew);
	crew_start(&crew, 1, shut_down_in_ctx, &w);
	crew_join(&crew);
	struct wp_stats s = pool_stats(w.pool);
	t_assert_u64_eq(s.rejected_timeout, 5);
	t_assert_u64_eq(s.submitted, 4);
	gate_open(&gate);
	wp_producer_close(w.producer);
	pool_end(w.pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 3);
}

/* ---- waits without a deadline ---- */

/* Several threads, each with a timer of its own. */
static void submit_and_wait(void *arg, unsigned me)
{
	struct wp_pool *pool = arg;
	struct wp_job job = { .fn = count_fn, .payload = &ran };
	timer_t timer = interrupt_me();
	for (uint64_t i = 0; i < t_scaled(3000); i++)
		t_assert_int_eq(me % 2 ? wp_submit_job(pool, &job) : wp_submit_wait(pool, &job), 0);
	t_assert_int_eq(wp_pool_wait(pool, WP_FOREVER), 0);
	timer_delete(timer);
}

T_TEST(signals, nothing_is_lost_under_a_10_khz_timer)
{
	struct wp_pool *pool = pool_of(2, 4, 2);
	struct crew crew;
	crew_start(&crew, 4, submit_and_wait, pool);
	crew_join(&crew);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 4 * t_scaled(3000));
	pool_end(pool);
}

static void push_until(void *arg, unsigned me)
{
	struct wp_job job = { .fn = count_fn, .payload = &ran };
	(void)me;
	timer_t timer = interrupt_me();
	EXPECT_INTERRUPTED(wp_queue_push_until(arg, &job, deadline), WP_ETIMEDOUT);
	timer_delete(timer);
}

T_TEST(signals, queue_deadline_under_a_10_khz_timer)
{
	struct wp_queue_options o = WP_QUEUE_OPTIONS_INIT;
	struct wp_job job = { .fn = count_fn, .payload = &ran };
	struct wp_queue *q;
	struct crew crew;
	o.capacity = 1;
	t_assert_int_eq(wp_queue_create(&q, &o), 0);
	t_assert_int_eq(wp_queue_push(q, &job), 0);
	crew_start(&crew, 1, push_until, q);
	crew_join(&crew);
	wp_queue_destroy(q);
}
