/* SPDX-License-Identifier: MIT */
/*
 * fork, with pools in every state, from outside and from inside a job. In the child every call on
 * the pool says so, destroy frees it, and it ends as any program does; the parent goes on as if
 * nothing had happened.
 */
#define _GNU_SOURCE
#include "base/trap.h"
#include "crew.h"
#include "engine/guard.h"
#include "engine/producer.h"
#include "forked_pool.h"
#include "hooks.h"
#include "pool.h"
#include "t.h"

/* Each takes a second under ThreadSanitizer. */
#define FORKS (T_SANITIZED ? 40 : 200)

#if defined(__SANITIZE_THREAD__)
#define THREADS_IN_CHILD 0 /* the sanitizer does not allow them */
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define THREADS_IN_CHILD 0
#endif
#endif
#ifndef THREADS_IN_CHILD
#define THREADS_IN_CHILD 1
#endif

static wp_atomic_u64 ran;

static void fork_often(struct wp_pool *pool)
{
	for (unsigned i = 0; i < t_scaled(FORKS); i++)
		fork_once(pool, i);
}

static int fork_often_inside(void *payload)
{
	fork_often(payload);
	return 0;
}

/* ---- asleep ---- */

T_TEST_TIMEOUT(fork, of_a_pool_asleep, 400)
{
	struct wp_pool *pool = pool_of(3, 100, 8);
	pool_expect_asleep(pool);
	all_asleep = true;
	fork_often(pool);
	t_assert_int_eq(wp_submit(pool, count_fn, &ran), 0);
	pool_wait(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 1);
	pool_end(pool);
}

T_TEST_TIMEOUT(fork, in_the_only_job, 400)
{
	struct wp_pool *pool = pool_of(3, 100, 8);
	struct wp_job job = { .fn = fork_often_inside, .payload = pool };
	t_assert_int_eq(wp_submit_wait(pool, &job), 0);
	pool_end(pool);
}

/* ---- busy ---- */

struct traffic {
	struct wp_pool *pool;
	struct crew crew;
	wp_atomic_u32 enough, begun;
	wp_atomic_u64 accepted, there;
};

static void submit_until_enough(void *arg, unsigned me)
{
	struct traffic *t = arg;
	struct wp_job job = { .fn = count_fn, .payload = &ran }, jobs[3] = { job, job, job };
	wp_add_rlx_u32(&t->begun, 1);
	while (!wp_load_rlx_u32(&t->enough)) {
		ssize_t n =
			me ? wp_submit_batch(t->pool, jobs, 3) : 1 + wp_submit_wait(t->pool, &job);
		t_assert(n > 0);
		wp_add_rlx_u64(&t->accepted, (uint64_t)n);
	}
}

static void expect_all_ran(struct traffic *t, uint64_t others)
{
	wp_store_rlx_u32(&t->enough, 1);
	crew_join(&t->crew);
	pool_wait(t->pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), wp_load_rlx_u64(&t->accepted));
	struct wp_stats s = pool_stats(t->pool);
	t_assert_u64_eq(s.completed, wp_load_rlx_u64(&t->accepted) + others);
	pool_end(t->pool);
}

T_TEST_TIMEOUT(fork, of_a_busy_pool, 400)
{
	struct traffic t = { .pool = pool_of(2, 16, 4) };
	crew_start(&t.crew, 2, submit_until_enough, &t);
	fork_often(t.pool);
	expect_all_ran(&t, 0);
}

static int fork_once_inside(void *payload)
{
	fork_once(payload, (unsigned)wp_load_rlx_u64(&ran));
	return 0;
}

T_TEST_TIMEOUT(fork, in_jobs_of_a_busy_pool, 400)
{
	struct traffic t = { .pool = pool_of(2, 16, 4) };
	crew_start(&t.crew, 2, submit_until_enough, &t);
	for (unsigned i = 0; i < t_scaled(FORKS); i++)
		t_assert_int_eq(wp_submit(t.pool, fork_once_inside, t.pool), 0);
	expect_all_ran(&t, t_scaled(FORKS));
}

/* ---- full ---- */

static void submit_one(void *arg, unsigned me)
{
	struct traffic *t = arg;
	struct wp_job job = { .fn = count_fn, .payload = &ran };
	int error = me == 0   ? wp_submit(t->pool, count_fn, &ran)
		    : me == 1 ? wp_submit_until(t->pool, &job, WP_FOREVER)
			      : wp_submit_wait(t->pool, &job);
	t_assert_int_eq(error, 0);
}

static void fill(struct traffic *t, unsigned capacity)
{
	for (unsigned i = 0; i < capacity; i++)
		t_assert_int_eq(wp_submit(t->pool, count_fn, &ran), 0);
	crew_start(&t->crew, 3, submit_one, t);
	pool_until(wp_load_rlx_u32(&t->pool->lane.room.waiters) == 3);
}

T_TEST_TIMEOUT(fork, of_a_full_pool_with_blocked_submitters, 400)
{
	struct traffic t = { .pool = pool_of(2, 5, 2) };
	struct gate gate = { 0 };
	gate_hold(&gate, t.pool, 2);
	fill(&t, 5);
	fork_often(t.pool);
	gate_open(&gate);
	crew_join(&t.crew);
	pool_wait(t.pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 8);
	pool_end(t.pool);
}

static wp_atomic_u32 may_fork, has_forked;

static int fork_often_when_told(void *payload)
{
	pool_until(wp_load_acq_u32(&may_fork));
	fork_often(payload);
	wp_store_rel_u32(&has_forked, 1);
	return 0;
}

T_TEST_TIMEOUT(fork, in_a_job_of_a_full_pool, 400)
{
	struct traffic t = { .pool = pool_of(1, 5, 2) };
	t_assert_int_eq(wp_submit(t.pool, fork_often_when_told, t.pool), 0);
	pool_until(pool_stats(t.pool).running == 1);
	fill(&t, 5);
	wp_store_rel_u32(&may_fork, 1);
	crew_join(&t.crew);
	pool_wait(t.pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 8);
	pool_end(t.pool);
}

/* ---- draining and stopping ---- */

static void end_it(void *arg, unsigned me)
{
	struct traffic *t = arg;
	struct wp_stop_report report;
	int error = me ? wp_pool_stop(t->pool, &report)
		       : wp_pool_shutdown(t->pool, WP_FOREVER, &report);
	t_assert_int_eq(error, 0);
	t_assert_u64_eq(report.running, 0);
}

static void wait_for_state(struct wp_pool *pool, unsigned enders)
{
	pool_until(wp_pool_state(pool) == (enders == 2 ? WP_STATE_STOPPING : WP_STATE_DRAINING));
	pool_until(wp_load_rlx_u32(&pool->rest.waiters) == enders);
}

T_TEST_TIMEOUT(fork, of_a_pool_that_ends, 400)
{
	for (unsigned enders = 1; enders <= 2; enders++) {
		struct traffic t = { .pool = pool_of(2, 20, 4) };
		struct gate gate = { 0 };
		gate_hold(&gate, t.pool, 2);
		for (unsigned i = 0; i < 10; i++)
			t_assert_int_eq(wp_submit(t.pool, count_fn, &ran), 0);
		crew_start(&t.crew, enders, end_it, &t);
		wait_for_state(t.pool, enders);
		fork_often(t.pool);
		gate_open(&gate);
		crew_join(&t.crew);
		t_assert_int_eq(wp_pool_state(t.pool), WP_STATE_STOPPED);
		t_assert_u64_eq(wp_load_rlx_u64(&ran), 10);
		fork_once(t.pool, 0);
		pool_destroy(t.pool);
	}
}

T_TEST_TIMEOUT(fork, in_a_job_of_a_pool_that_ends, 400)
{
	for (unsigned enders = 1; enders <= 2; enders++) {
		struct traffic t = { .pool = pool_of(1, 20, 4) };
		wp_store_rlx_u32(&may_fork, 0);
		t_assert_int_eq(wp_submit(t.pool, fork_often_when_told, t.pool), 0);
		pool_until(pool_stats(t.pool).running == 1);
		for (unsigned i = 0; i < 10; i++)
			t_assert_int_eq(wp_submit(t.pool, count_fn, &ran), 0);
		crew_start(&t.crew, enders, end_it, &t);
		wait_for_state(t.pool, enders);
		wp_store_rel_u32(&may_fork, 1);
		crew_join(&t.crew);
		t_assert_u64_eq(wp_load_rlx_u64(&ran), 10);
		pool_destroy(t.pool);
	}
}

/* ---- pools that come and go meanwhile ---- */

static void create_and_destroy(void *arg, unsigned me)
{
	struct traffic *t = arg;
	(void)me;
	while (!wp_load_rlx_u32(&t->enough))
		wp_pool_destroy(pool_of(1, 8, 4));
}

T_TEST_TIMEOUT(fork, while_others_create_and_destroy, 400)
{
	struct traffic t = { .pool = pool_of(1, 8, 4) };
	crew_start(&t.crew, 2, create_and_destroy, &t);
	for (unsigned i = 0; i < t_scaled(FORKS); i++) {
		pid_t pid = fork_without_leak_check();
		if (pid == 0) {
			try_everything(t.pool);
			wp_pool_destroy(t.pool);
			_exit(0); /* of the others' pools it has parts */
		}
		child_ends_well(pid);
	}
	wp_store_rlx_u32(&t.enough, 1);
	crew_join(&t.crew);
	pool_end(t.pool);
}

/* ---- pools that put signal handlers in place meanwhile, and take them away ---- */

static void come_and_go(void *arg, unsigned me)
{
	const wp_atomic_u32 *enough = arg;
	(void)me;
	while (!wp_load_rlx_u32(enough)) {
		t_assert_int_eq(wp__trap_acquire(wp__guard_take), 0);
		wp__trap_release();
	}
}

/* The child finds them complete, and can go on with them. */
T_TEST_TIMEOUT(fork, while_handlers_come_and_go, 400)
{
	struct traffic t = { .pool = pool_of(1, 8, 4) };
	crew_start(&t.crew, 2, come_and_go, &t.enough);
	for (unsigned i = 0; i < t_scaled(FORKS); i++) {
		pid_t pid = fork_without_leak_check();
		if (pid == 0) {
			child_check(wp__trap_acquire(wp__guard_take) == 0);
			wp__trap_release();
			try_everything(t.pool);
			child_exit();
		}
		child_ends_well(pid);
	}
	wp_store_rlx_u32(&t.enough, 1);
	crew_join(&t.crew);
	pool_end(t.pool);
}

/* ---- what else a child may do ---- */

#define MEETING 2

static int meet(void *payload)
{
	wp_atomic_u64 *there = payload;
	wp_add_rlx_u64(there, 1);
	while (wp_load_rlx_u64(there) < MEETING)
		wp__os_yield();
	return 0;
}

/*
 * Waits until the pool's workers, MEETING of them, and the submitters all work: threads allocate
 * when they start, and AddressSanitizer's heap is of no use to a child that is forked meanwhile.
 */
static void let_all_begin(struct traffic *t)
{
	struct wp_job jobs[MEETING];
	for (unsigned i = 0; i < MEETING; i++)
		jobs[i] = (struct wp_job){ .fn = meet, .payload = &t->there };
	t_assert_int_eq(wp_submit_batch(t->pool, jobs, MEETING), MEETING);
	pool_until(wp_load_rlx_u64(&t->there) == MEETING);
	pool_until(wp_load_rlx_u32(&t->begun) == 2);
}

static void use_a_pool(void)
{
	wp_atomic_u64 count = { 0 };
	struct wp_pool *pool;
	struct wp_options o = WP_OPTIONS_INIT;
	struct wp_stop_report report;
	struct wp_job job = { .fn = count_fn, .payload = &count };
	o.workers = 3;
	child_check(wp_pool_create(&pool, &o) == 0);
	for (int i = 0; i < 1000; i++)
		child_check(wp_submit(pool, count_fn, &count) == 0);
	child_check(wp_submit_wait(pool, &job) == 0);
	child_check(wp_pool_wait(pool, WP_FOREVER) == 0);
	child_check(wp_pool_shutdown(pool, WP_FOREVER, &report) == 0);
	child_check(report.completed == 1001 && wp_load_rlx_u64(&count) == 1001);
	wp_pool_destroy(pool);
}

static void grandchild(struct wp_pool *pool)
{
	pid_t pid = fork(); /* look_for_leaks is false already */
	child_check(pid >= 0);
	if (pid == 0) {
		try_everything(pool);
		use_a_pool();
		wp_pool_destroy(pool);
		child_exit();
	}
	int status;
	child_check(waitpid(pid, &status, 0) == pid && status == 0);
}

T_TEST(fork, child_has_pools_of_its_own)
{
	if (!THREADS_IN_CHILD)
		t_skip("no threads in a child under this sanitizer");
	struct traffic t = { .pool = pool_of(MEETING, 16, 4) };
	crew_start(&t.crew, 2, submit_until_enough, &t);
	let_all_begin(&t);
	for (unsigned i = 0; i < 20; i++) {
		pid_t pid = fork_without_leak_check();
		if (pid == 0) {
			use_a_pool();
			grandchild(t.pool);
			wp_pool_destroy(t.pool);
			use_a_pool();
			child_exit();
		}
		child_ends_well(pid);
	}
	expect_all_ran(&t, MEETING);
}

T_TEST(fork, queue_is_a_copy)
{
	struct wp_queue *q;
	struct wp_job job = { .fn = count_fn, .payload = &ran }, out[4];
	t_assert_int_eq(wp_queue_create(&q, NULL), 0);
	t_assert_int_eq(wp_queue_push(q, &job), 0);
	pid_t pid = fork_without_leak_check();
	if (pid == 0) {
		child_check(wp_queue_push(q, &job) == 0);
		child_check(wp_queue_pop_many(q, out, 4) == 2);
		wp_queue_destroy(q);
		child_exit();
	}
	child_ends_well(pid);
	t_assert_u64_eq(wp_queue_pop_many(q, out, 4), 1);
	wp_queue_destroy(q);
}

/* A producer's handle refuses like its pool, and can be closed, before or after it. */
T_TEST(fork, producers)
{
	struct wp_pool *pool = pool_of(2, 100, 8);
	struct wp_producer *p[3];
	struct wp_job job = { .fn = count_fn, .payload = &ran }, jobs[2] = { job, job };
	struct wp_job in_ctx = job;
	t_assert_int_eq(wp_ctx_create(&in_ctx.ctx, NULL, WP_FOREVER), 0);
	for (unsigned i = 0; i < 3; i++) {
		t_assert_int_eq(wp_producer_open(&p[i], pool), 0);
		t_assert_int_eq(wp_producer_submit(p[i], count_fn, &ran), 0);
	}
	for (unsigned round = 0; round < 6; round++) {
		pid_t pid = fork_without_leak_check();
		if (pid == 0) {
			for (unsigned i = 0; i < 3; i++) {
				child_check(wp_producer_submit(p[i], count_fn, &ran) == WP_EFORKED);
				child_check(wp_producer_try_submit(p[i], &job) == WP_EFORKED);
				child_check(wp_producer_submit_batch(p[i], jobs, 2) == WP_EFORKED);
				child_check(wp_producer_submit_job(p[i], &in_ctx) == WP_EFORKED);
				child_check(
					wp_producer_submit_batch(p[i], &in_ctx, 1) == WP_EFORKED);
			}
			wp_producer_close(p[round % 3]);
			if (round % 2)
				wp_pool_destroy(pool);
			wp_producer_close(p[(round + 1) % 3]);
			wp_producer_close(p[(round + 2) % 3]);
			if (!(round % 2))
				wp_pool_destroy(pool);
			child_exit();
		}
		child_ends_well(pid);
	}
	for (unsigned i = 0; i < 3; i++) {
		t_assert_int_eq(wp_producer_submit(p[i], count_fn, &ran), 0);
		wp_producer_close(p[i]);
	}
	pool_wait(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 6);
	wp_ctx_unref(in_ctx.ctx);
	pool_end(pool);
}

static void submit_and_wait_for_room(void *arg, unsigned me)
{
	(void)me;
	for (unsigned i = 0; i < 101; i++)
		t_assert_int_eq(wp_producer_submit(arg, count_fn, &ran), 0);
}

/* The copy of a handle that was in use is not in use. */
T_TEST(fork, producer_in_the_middle_of_a_submit)
{
	struct wp_options o = WP_OPTIONS_INIT;
	struct gate gate = { 0 };
	struct crew crew;
	struct wp_producer *p;
	o.workers = 1;
	o.producer_capacity = 100;
	struct wp_pool *pool = pool_make(&o);
	gate_hold(&gate, pool, 1);
	t_assert_int_eq(wp_producer_open(&p, pool), 0);
	crew_start(&crew, 1, submit_and_wait_for_room, p);
	pool_until(wp_load_rlx_u32(&p->lane->queue.room.waiters) == 1);
	pid_t pid = fork_without_leak_check();
	if (pid == 0) {
		child_check(wp_producer_submit(p, count_fn, &ran) == WP_EFORKED);
		child_check(wp_producer_submit(p, count_fn, &ran) == WP_EFORKED);
		wp_producer_close(p);
		wp_pool_destroy(pool);
		child_exit();
	}
	child_ends_well(pid);
	gate_open(&gate);
	crew_join(&crew);
	pool_wait(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 101);
	wp_producer_close(p);
	pool_end(pool);
}

/* ---- without the notice of forks there is no pool ---- */

T_TEST(fork, notice_that_cannot_be_had)
{
	struct wp_pool *pool = (void *)&ran;
	wp__fault_arm(WP_FAULT_AT_FORK, 1, false, ENOMEM);
	t_assert_int_eq(wp_pool_create(&pool, NULL), WP_ENOMEM);
	t_assert(pool == NULL);
	pool = pool_of(1, 8, 4);
	fork_once(pool, 0);
	pool_end(pool);
}
