/* SPDX-License-Identifier: MIT */
/* fork inside of jobs, where the child goes on in its copy of the job and of the worker. */
#define _GNU_SOURCE
#include "forked_pool.h"
#include "t.h"

static wp_atomic_u64 ran;

struct family {
	struct wp_pool *pool;
	wp_atomic_u64 *shared; /* in any process: 0: jobs run; 1: cleanups; 2: grown-up
	                          children; 3: what the test says */
	bool destroys;         /* the child, the pool; or, its thread */
};

static int count_shared(void *payload)
{
	struct family *f = payload;
	wp_add_rlx_u64(&f->shared[0], 1);
	return 0;
}

static void clean_shared(void *payload)
{
	struct family *f = payload;
	wp_add_rlx_u64(&f->shared[1], 1);
}

/* The child returns from the job. */
static int fork_and_return(void *payload)
{
	struct family *f = payload;
	pid_t pid = fork_without_leak_check();
	if (pid == 0) {
		wp_add_rlx_u64(&f->shared[2], 1);
		try_everything(f->pool);
		if (f->destroys)
			wp_pool_destroy(f->pool);
		return 0;
	}
	child_ends_well(pid);
	return 0;
}

T_TEST(fork, child_that_returns_from_the_job_runs_no_other)
{
	struct family f = { .shared = child_shared(4096) };
	for (unsigned round = 0; round < 10; round++) {
		wp_store_rlx_u64(&f.shared[0], 0);
		wp_store_rlx_u64(&f.shared[1], 0);
		wp_store_rlx_u64(&f.shared[2], 0);
		f.pool = pool_of(1 + round % 2, 1000, 16);
		f.destroys = round % 4 > 1;
		struct wp_job jobs[100];
		for (unsigned i = 0; i < 100; i++)
			jobs[i] = (struct wp_job){ .fn = i == 40 ? fork_and_return : count_shared,
				.payload = &f,
				.cleanup = clean_shared };
		pool_make_cheap(f.pool, &ran); /* so that it is in the middle of a batch */
		t_assert_int_eq(wp_submit_batch(f.pool, jobs, 100), 100);
		pool_wait(f.pool);
		t_assert_u64_eq(wp_load_rlx_u64(&f.shared[0]), 99);
		/* The child's copy of the payload is cleaned up, too. */
		t_assert_u64_eq(wp_load_rlx_u64(&f.shared[1]), 101);
		t_assert_u64_eq(wp_load_rlx_u64(&f.shared[2]), 1);
		pool_end(f.pool);
	}
}

/* A job that waits for one that forks: in the child it gets its result, and no other. */
static int wait_for_one_that_forks(void *payload)
{
	struct family *f = payload;
	struct wp_job forks = { .fn = fork_and_return, .payload = f };
	struct wp_job job = { .fn = count_shared, .payload = f };
	pid_t before = getpid();
	uint64_t grown_up = wp_load_rlx_u64(&f->shared[2]);
	t_assert_int_eq(wp_submit_job(f->pool, &job), 0);
	int result = wp_submit_wait(f->pool, &forks);
	bool in_child = wp_pool_state(f->pool) == WP_STATE_FORKED;
	if (!in_child) {
		t_assert(result == 0 && getpid() == before);
		t_assert_u64_eq(wp_load_rlx_u64(&f->shared[2]), grown_up + 1);
		return 0;
	}
	child_check(result == 0);
	child_check(wp_submit_wait(f->pool, &job) == WP_EFORKED);
	return 0;
}

T_TEST(fork, in_a_job_inside_of_a_job)
{
	struct family f = { .shared = child_shared(4096) };
	f.pool = pool_of(1, 8, 4);
	for (unsigned i = 0; i < 10; i++) {
		struct wp_job job = { .fn = wait_for_one_that_forks, .payload = &f };
		t_assert_int_eq(wp_submit_wait(f.pool, &job), 0);
	}
	pool_wait(f.pool);
	t_assert_u64_eq(wp_load_rlx_u64(&f.shared[0]), 10);
	t_assert_u64_eq(wp_load_rlx_u64(&f.shared[2]), 10);
	pool_end(f.pool);
}

/* The same, but it waits for another one, which the child will never run. */
static int wait_behind_one_that_forks(void *payload)
{
	struct family *f = payload;
	struct wp_job forks = { .fn = fork_and_return, .payload = f };
	struct wp_job job = { .fn = count_shared, .payload = f, .cleanup = clean_shared };
	t_assert_int_eq(wp_submit_job(f->pool, &forks), 0);
	int result = wp_submit_wait(f->pool, &job); /* runs what is in line before it */
	if (wp_pool_state(f->pool) != WP_STATE_FORKED) {
		t_assert_int_eq(result, 0);
		return 0;
	}
	child_check(result == WP_EFORKED);
	wp_add_rlx_u64(&f->shared[3], 1);
	return 0;
}

T_TEST(fork, child_is_not_left_waiting_in_a_job)
{
	struct family f = { .shared = child_shared(4096) };
	f.pool = pool_of(1, 8, 4);
	for (unsigned i = 1; i <= 10; i++) {
		struct wp_job job = { .fn = wait_behind_one_that_forks, .payload = &f };
		t_assert_int_eq(wp_submit_wait(f.pool, &job), 0);
		t_assert_u64_eq(wp_load_rlx_u64(&f.shared[3]), i);
	}
	pool_wait(f.pool);
	t_assert_u64_eq(wp_load_rlx_u64(&f.shared[0]), 10); /* none of them in a child */
	t_assert_u64_eq(wp_load_rlx_u64(&f.shared[1]), 10);
	pool_end(f.pool);
}

/* The child gives its copy of the job up: nothing more is called there, and it ends as ever. */
static int fork_and_give_up(void *payload)
{
	struct family *f = payload;
	pid_t pid = fork_without_leak_check();
	if (pid == 0) {
		wp_add_rlx_u64(&f->shared[2], 1);
		if (f->destroys)
			pthread_exit(NULL);
		wp_panic(-7, "in the child");
	}
	child_ends_well(pid);
	return 0;
}

static void tell_shared(void *self, const struct wp_job_error *error)
{
	struct family *f = self;
	(void)error;
	wp_add_rlx_u64(&f->shared[3], 1);
}

T_TEST(fork, child_that_gives_up_the_job)
{
	struct family f = { .shared = child_shared(4096) };
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = 2;
	o.on_error = tell_shared;
	o.on_error_self = &f;
	f.pool = pool_make(&o);
	for (unsigned i = 1; i <= 10; i++) {
		struct wp_job job = {
			.fn = fork_and_give_up, .payload = &f, .cleanup = clean_shared
		};
		f.destroys = i % 2;
		t_assert_int_eq(wp_submit_wait(f.pool, &job), 0);
		t_assert_u64_eq(wp_load_rlx_u64(&f.shared[2]), i);
		t_assert_u64_eq(wp_load_rlx_u64(&f.shared[3]), 0);
		t_assert_u64_eq(wp_load_rlx_u64(&f.shared[1]), i); /* the parent's */
	}
	pool_wait(f.pool);
	t_assert_u64_eq(pool_stats(f.pool).completed, 10);
	t_assert_u64_eq(pool_stats(f.pool).panicked + pool_stats(f.pool).workers_replaced, 0);
	pool_end(f.pool);
}

/* Jobs set aside: their memory is freed once, though the child is a copy of their owner. */
static int submit_deep(void *payload)
{
	uintptr_t depth = (uintptr_t)payload;
	struct wp_pool *pool = wp_job_current()->pool;
	if (depth == 0) {
		for (int i = 0; i < 300; i++)
			t_assert_int_eq(wp_submit(pool, count_fn, &ran), 0);
		fork_once(pool, 0);
		return 0;
	}
	struct wp_job job = { .fn = submit_deep, .payload = (void *)(depth - 1) };
	return wp_submit_wait(pool, &job);
}

T_TEST(fork, with_jobs_set_aside)
{
	struct wp_pool *pool = pool_of(1, 2, 2);
	struct wp_job job = { .fn = submit_deep, .payload = (void *)(uintptr_t)40 };
	t_assert_int_eq(wp_submit_wait(pool, &job), 0);
	pool_wait(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 300);
	pool_end(pool);
}
