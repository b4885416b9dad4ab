/* SPDX-License-Identifier: MIT */
/* Handles that are used as they must not be: a message and the end, or with NDEBUG an error. */
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pool.h"

#ifdef NDEBUG
#define CHECKED false
#else
#define CHECKED true
#endif

/* Runs `fn` in a process of its own, which is to end by abort with this message if `dies`. */
static void expect_end(void (*fn)(void), bool dies, const char *message)
{
	int ends[2], status;
	char said[500];
	size_t n = 0;
	ssize_t got;
	t_assert_int_eq(pipe(ends), 0);
	pid_t child = fork();
	t_assert(child >= 0);
	if (child == 0) {
		struct rlimit no_core = { 0, 0 };
		setrlimit(RLIMIT_CORE, &no_core);
		signal(SIGABRT, SIG_DFL);
		dup2(ends[1], 2);
		fn();
		_exit(0);
	}
	close(ends[1]);
	while ((got = read(ends[0], said + n, sizeof(said) - 1 - n)) > 0)
		n += (size_t)got;
	said[n] = '\0';
	close(ends[0]);
	t_assert_int_eq(waitpid(child, &status, 0), child);
	if (dies) {
		t_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "status %#x: %s",
			status, said);
		t_assert_msg(strstr(said, message) != NULL, "said: %s", said);
	} else {
		t_assert_msg(status == 0, "status %#x: %s", status, said);
	}
}

static struct wp_producer *orphan(void)
{
	struct wp_pool *pool = pool_of(1, 8, 8);
	struct wp_producer *p;
	t_assert_int_eq(wp_producer_open(&p, pool), 0);
	wp_pool_destroy(pool);
	return p;
}

static int no_job(void *payload)
{
	(void)payload;
	return 0;
}

static void submit_to_nobody(void)
{
	struct wp_producer *p = orphan();
	struct wp_job jobs[2] = { { .fn = no_job }, { .fn = no_job } }, in_ctx = jobs[0];
	t_assert_int_eq(wp_ctx_create(&in_ctx.ctx, NULL, WP_FOREVER), 0);
	for (unsigned i = 0; i < 3; i++) {
		t_assert_int_eq(wp_producer_submit(p, no_job, NULL), WP_ECLOSED);
		t_assert_int_eq(wp_producer_try_submit(p, jobs), WP_ECLOSED);
		t_assert_int_eq(wp_producer_submit_batch(p, jobs, 2), WP_ECLOSED);
		t_assert_int_eq(wp_producer_submit_job(p, &in_ctx), WP_ECLOSED);
		t_assert_int_eq(wp_producer_submit_batch(p, &in_ctx, 1), WP_ECLOSED);
	}
	wp_ctx_unref(in_ctx.ctx);
	wp_producer_close(p);
}

static void reserve_of_nobody(void)
{
	struct wp_producer *p = orphan();
	size_t n = 1;
	t_assert(wp_producer_reserve(p, &n) == NULL && n == 0);
	wp_producer_commit(p, 1);
	wp_producer_close(p);
}

T_TEST(producer_misuse, after_the_pool_was_destroyed)
{
	expect_end(submit_to_nobody, CHECKED, "after its pool was destroyed");
	expect_end(reserve_of_nobody, CHECKED, "after its pool was destroyed");
	wp_producer_close(orphan());
}

/* ---- more committed than was reserved ---- */

static wp_atomic_u64 ran;

static struct wp_job *reserve(struct wp_producer *p, size_t n)
{
	size_t got = n;
	struct wp_job *jobs = wp_producer_reserve(p, &got);
	t_assert(jobs != NULL && got == n);
	for (size_t i = 0; i < n; i++)
		jobs[i] = (struct wp_job){ .fn = count_fn, .payload = &ran };
	return jobs;
}

/* Reached without checks only: what was reserved has run, and nothing else is in the lane. */
static void expect_ran(struct wp_pool *pool, struct wp_producer *p, uint64_t n)
{
	pool_wait(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), n);
	t_assert_u64_eq(pool_stats(pool).submitted, n);
	t_assert_int_eq(wp_producer_submit(p, count_fn, &ran), 0);
	pool_wait(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), n + 1);
	wp_producer_close(p);
	pool_end(pool);
}

static void commit_too_many(void)
{
	struct wp_pool *pool = pool_of(1, 64, 64);
	struct wp_producer *p;
	t_assert_int_eq(wp_producer_open(&p, pool), 0);
	reserve(p, 2);
	wp_producer_commit(p, 3);
	expect_ran(pool, p, 2);
}

static void commit_too_much_in_two(void)
{
	struct wp_pool *pool = pool_of(1, 64, 64);
	struct wp_producer *p;
	t_assert_int_eq(wp_producer_open(&p, pool), 0);
	reserve(p, 3);
	wp_producer_commit(p, 1);
	wp_producer_commit(p, 2);
	pool_wait(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 3);
	wp_producer_commit(p, 1);
	expect_ran(pool, p, 3);
}

static void commit_after_a_submit(void)
{
	struct wp_pool *pool = pool_of(1, 64, 64);
	struct wp_producer *p;
	t_assert_int_eq(wp_producer_open(&p, pool), 0);
	reserve(p, 2);
	t_assert_int_eq(wp_producer_submit(p, count_fn, &ran), 0);
	wp_producer_commit(p, 2);
	expect_ran(pool, p, 1);
}

static void commit_nothing_reserved(void)
{
	struct wp_pool *pool = pool_of(1, 64, 64);
	struct wp_producer *p;
	t_assert_int_eq(wp_producer_open(&p, pool), 0);
	wp_producer_commit(p, SIZE_MAX);
	expect_ran(pool, p, 0);
}

T_TEST(producer_misuse, more_committed_than_reserved)
{
	static const char message[] = "more jobs than are reserved";
	expect_end(commit_too_many, CHECKED, message);
	expect_end(commit_too_much_in_two, CHECKED, message);
	expect_end(commit_after_a_submit, CHECKED, message);
	expect_end(commit_nothing_reserved, CHECKED, message);
}

/* ---- two threads ---- */

static struct gate gate;
static struct wp_producer *shared;

static void blocked(void *arg, unsigned me)
{
	(void)arg;
	(void)me;
	(void)wp_producer_submit(shared, no_job, NULL);
}

/* The one waits for room, which never comes; the other must not use the handle meanwhile. */
static void use_twice(void)
{
	struct wp_options o = WP_OPTIONS_INIT;
	struct wp_job job = { .fn = no_job };
	struct crew crew;
	o.workers = 1;
	o.producer_capacity = 1;
	struct wp_pool *pool = pool_make(&o);
	t_assert_int_eq(wp_producer_open(&shared, pool), 0);
	gate_hold(&gate, pool, 1);
	t_assert_int_eq(wp_producer_submit(shared, no_job, NULL), 0);
	crew_start(&crew, 1, blocked, NULL);
	wp__os_sleep(200000000);
	for (unsigned i = 0; i < 100; i++) {
		(void)wp_producer_try_submit(shared, &job);
		wp__os_sleep(10000000);
	}
}

T_TEST(producer_misuse, two_threads_at_once)
{
	if (!CHECKED)
		t_skip("not looked at with NDEBUG");
	expect_end(use_twice, true, "two threads use one handle");
}
