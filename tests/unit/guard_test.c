/* SPDX-License-Identifier: MIT */
/*
 * Faults in the middle of what wpool does inside of a job, while it submits: a ticket has been
 * taken, a wake-up is under way, room is waited for. They are not the job's (engine/guard.h), so
 * the process dies of them, where a contained one would leave a lane that never goes on.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hooks.h"
#include "pool.h"
#include "t.h"

/* How a child ends that did not die of the fault. */
#define CONTAINED   1
#define NOT_REACHED 2

#define CAPACITY 4u

/* ---- the fault ---- */

static _Thread_local const char *fault_at;

static void fault(const char *label)
{
	if (!fault_at || strcmp(label, fault_at) != 0)
		return;
	fault_at = NULL;
	volatile int *volatile nowhere = (int *)16;
	*nowhere = 0;
}

/* ---- the ways to submit ---- */

static struct wp_ctx *ctx;
static struct wp_producer *producer;

static int nothing(void *payload)
{
	(void)payload;
	return 0;
}

static const struct wp_job job = { .fn = nothing };

static struct wp_job job_in_ctx(void)
{
	struct wp_job in_ctx = job;
	in_ctx.ctx = ctx;
	return in_ctx;
}

static void by_submit(struct wp_pool *pool)
{
	(void)wp_submit(pool, nothing, NULL);
}

static void by_job_in_ctx(struct wp_pool *pool)
{
	struct wp_job in_ctx = job_in_ctx();
	(void)wp_submit_job(pool, &in_ctx);
}

static void by_until(struct wp_pool *pool)
{
	(void)wp_submit_until(pool, &job, wp_after_ms(20000));
}

static void by_until_in_ctx(struct wp_pool *pool)
{
	struct wp_job in_ctx = job_in_ctx();
	(void)wp_submit_until(pool, &in_ctx, wp_after_ms(20000));
}

static void by_batch(struct wp_pool *pool)
{
	struct wp_job jobs[2] = { job, job };
	(void)wp_submit_batch(pool, jobs, 2);
}

static void by_batch_in_ctx(struct wp_pool *pool)
{
	struct wp_job jobs[2] = { job, job_in_ctx() };
	(void)wp_submit_batch(pool, jobs, 2);
}

static void by_wait(struct wp_pool *pool)
{
	(void)wp_submit_wait(pool, &job);
}

static void by_wait_in_ctx(struct wp_pool *pool)
{
	struct wp_job in_ctx = job_in_ctx();
	(void)wp_submit_wait(pool, &in_ctx);
}

static void by_try(struct wp_pool *pool)
{
	(void)wp_try_submit(pool, &job);
}

static void by_try_batch(struct wp_pool *pool)
{
	(void)wp_try_submit_batch(pool, &job, 1);
}

static void by_producer(struct wp_pool *pool)
{
	(void)pool;
	(void)wp_producer_submit(producer, nothing, NULL);
}

static void by_producer_batch(struct wp_pool *pool)
{
	(void)pool;
	struct wp_job jobs[2] = { job, job };
	(void)wp_producer_submit_batch(producer, jobs, 2);
}

static void by_producer_in_ctx(struct wp_pool *pool)
{
	(void)pool;
	struct wp_job in_ctx = job_in_ctx();
	(void)wp_producer_submit_job(producer, &in_ctx);
}

static void by_producer_batch_in_ctx(struct wp_pool *pool)
{
	(void)pool;
	struct wp_job jobs[2] = { job, job_in_ctx() };
	(void)wp_producer_submit_batch(producer, jobs, 2);
}

static void by_producer_commit(struct wp_pool *pool)
{
	(void)pool;
	size_t n = 1;
	struct wp_job *place = wp_producer_reserve(producer, &n);
	if (!place)
		return;
	*place = job;
	wp_producer_commit(producer, 1);
}

/* Not to submit, but with a mutex held at the point. */
static void by_cancel(struct wp_pool *pool)
{
	(void)pool;
	wp_ctx_cancel(ctx, 0);
}

static void by_shutdown(struct wp_pool *pool)
{
	(void)wp_pool_shutdown(pool, WP_FOREVER, NULL);
}

typedef void (*way_fn)(struct wp_pool *pool);

/* Those that wait for room come first. */
static const way_fn ways[] = { by_submit, by_job_in_ctx, by_until, by_until_in_ctx, by_batch,
	by_batch_in_ctx, by_wait, by_wait_in_ctx, by_try, by_try_batch };
#define WAYS    (sizeof(ways) / sizeof(ways[0]))
#define WAITING (WAYS - 2)

/* ---- one child for each ---- */

static struct setting {
	way_fn way;
	const char *point;
	bool other; /* the job submits to another pool */
	bool full;
	struct wp_pool *pool;
} setting;

static int submits(void *payload)
{
	(void)payload;
	fault_at = setting.point;
	setting.way(setting.pool);
	fault_at = NULL;
	return 0;
}

static struct wp_pool *containing_pool(void)
{
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = 1;
	o.capacity = CAPACITY;
	o.contain_faults = true;
	return pool_make(&o);
}

static _Noreturn void run_child(void)
{
	static struct gate gate;
	struct rlimit none = { 0, 0 };
	setrlimit(RLIMIT_CORE, &none);
	struct wp_pool *pool = containing_pool();
	setting.pool = setting.other ? containing_pool() : pool;
	t_assert_int_eq(wp_ctx_create(&ctx, NULL, WP_FOREVER), 0);
	t_assert_int_eq(wp_producer_open(&producer, setting.pool), 0);
	if (setting.full) {
		gate_hold(&gate, setting.pool, 1);
		for (unsigned i = 0; i < CAPACITY; i++)
			t_assert_int_eq(wp_try_submit(setting.pool, &job), 0);
		while (wp_producer_try_submit(producer, &job) == 0)
			;
	} else if (setting.other) {
		pool_expect_asleep(setting.pool);
	}
	wp__set_point_hook(fault);
	struct wp_job outer = { .fn = submits };
	_exit(wp_submit_wait(pool, &outer) == WP_EPANIC ? CONTAINED : NOT_REACHED);
}

static void expect_death(const char *name, size_t way)
{
	fflush(NULL);
	pid_t child = fork();
	t_assert(child >= 0);
	if (child == 0)
		run_child();
	int status;
	t_assert_int_eq(waitpid(child, &status, 0), child);
	t_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "%s, way %u: status %#x",
		name, (unsigned)way, (unsigned)status);
}

/* A sanitizer has handlers of its own, and stops at these faults. */
#if T_SANITIZED
#define SKIP_IF_SANITIZED() t_skip("the sanitizer owns the signal handlers")
#else
#define SKIP_IF_SANITIZED() ((void)0)
#endif

T_TEST(guard, tickets_are_not_given_up)
{
	SKIP_IF_SANITIZED();
	for (size_t i = 0; i < WAYS; i++) {
		setting = (struct setting){ .way = ways[i], .point = "Q2" };
		expect_death("its own pool", i);
		setting.other = true;
		expect_death("another pool", i);
	}
}

T_TEST(guard, wake_ups_are_not_given_up)
{
	SKIP_IF_SANITIZED();
	for (size_t i = 0; i < WAYS; i++) {
		setting = (struct setting){ .way = ways[i], .point = "K8", .other = true };
		expect_death("wake", i);
	}
}

T_TEST(guard, waits_for_room_are_not_given_up)
{
	SKIP_IF_SANITIZED();
	for (size_t i = 0; i < WAITING; i++) {
		setting = (struct setting){
			.way = ways[i], .point = "W2", .other = true, .full = true
		};
		expect_death("room", i);
	}
}

/* What makes the handle's lane known is in line in wp_producer_submit: see engine/guard.h. */
T_TEST(guard, producers_are_not_given_up)
{
	SKIP_IF_SANITIZED();
	for (unsigned other = 0; other < 2; other++) {
		setting =
			(struct setting){ .way = by_producer_batch, .point = "G1", .other = other };
		expect_death("producer's batch", other);
		setting.way = by_producer_commit;
		expect_death("producer's commit", other);
	}
	setting = (struct setting){ .way = by_producer_in_ctx, .point = "G1" };
	expect_death("producer's job in a context", 0);
	setting.way = by_producer_batch_in_ctx;
	expect_death("producer's batch in a context", 0);
	setting = (struct setting){ .point = "K8", .other = true };
	setting.way = by_producer;
	expect_death("producer's wake", 0);
	setting = (struct setting){ .point = "W2", .other = true, .full = true };
	setting.way = by_producer;
	expect_death("producer's room", 0);
	setting.way = by_producer_batch;
	expect_death("room for a producer's batch", 0);
	setting.way = by_producer_in_ctx;
	expect_death("room for a producer's job in a context", 0);
}

T_TEST(guard, mutexes_are_not_given_up)
{
	SKIP_IF_SANITIZED();
	setting = (struct setting){ .way = by_cancel, .point = "N1" };
	expect_death("a context's mutex", 0);
	setting = (struct setting){ .way = by_shutdown, .point = "C3", .other = true };
	expect_death("another pool's mutex", 0);
}

static int asks_into_no_memory(void *payload)
{
	return wp_pool_last_error(payload, (char *)16, 100);
}

static int panics(void *payload)
{
	(void)payload;
	wp_panic(-EIO, "so it goes");
}

/* That is the job's own fault, and nothing of wpool's is in the middle of it. */
T_TEST_TIMEOUT(guard, last_error_into_no_memory, 30)
{
	SKIP_IF_SANITIZED();
	if (t_memcheck())
		t_skip("valgrind reports the fault that is contained");
	struct wp_pool *pool = containing_pool();
	struct wp_job first = { .fn = panics }, second = { asks_into_no_memory, pool, NULL, NULL };
	char message[64];
	t_assert_int_eq(wp_submit_wait(pool, &first), WP_EPANIC);
	t_assert_int_eq(wp_pool_last_error(pool, message, sizeof(message)), -EIO);
	t_assert_str_eq(message, "so it goes");
	t_assert_int_eq(wp_submit_wait(pool, &second), WP_EPANIC);
	t_assert_int_eq(wp_pool_last_error(pool, message, sizeof(message)), WP_EPANIC);
	t_assert(strstr(message, "segmentation fault") == message);
	pool_end(pool);
}
