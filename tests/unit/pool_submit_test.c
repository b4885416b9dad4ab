/* SPDX-License-Identifier: MIT */
/* The ways to hand in a job: results, limits, order, what goes with a job. */
#include <errno.h>
#include <string.h>

#include "hooks.h"
#include "pool.h"
#include "t.h"

static wp_atomic_u64 ran;

static struct wp_job counting_job(void)
{
	return (struct wp_job){ .fn = count_fn, .payload = &ran };
}

/* ---- arguments ---- */

static void expect_refused(struct wp_pool *pool, const struct wp_job *job)
{
	t_assert_int_eq(wp_submit_job(pool, job), WP_EINVAL);
	t_assert_int_eq(wp_try_submit(pool, job), WP_EINVAL);
	t_assert_int_eq(wp_submit_until(pool, job, WP_FOREVER), WP_EINVAL);
	t_assert_int_eq(wp_submit_wait(pool, job), WP_EINVAL);
	t_assert_int_eq(wp_submit_batch(pool, job, 1), WP_EINVAL);
	t_assert_int_eq(wp_try_submit_batch(pool, job, 1), WP_EINVAL);
}

T_TEST(pool_submit, invalid_arguments_count_nothing)
{
	struct wp_pool *pool = pool_of(1, 8, 4);
	struct wp_job good = counting_job(), bad = { .payload = &ran };
	expect_refused(NULL, &good);
	expect_refused(pool, NULL);
	expect_refused(pool, &bad);
	t_assert_int_eq(wp_submit(NULL, count_fn, &ran), WP_EINVAL);
	t_assert_int_eq(wp_submit(pool, NULL, &ran), WP_EINVAL);
	/* One bad job among good ones: none goes in. */
	struct wp_job mixed[3] = { good, bad, good };
	t_assert_int_eq(wp_submit_batch(pool, mixed, 3), WP_EINVAL);
	t_assert_int_eq(wp_try_submit_batch(pool, mixed, 3), WP_EINVAL);
	t_assert_int_eq(wp_submit_batch(pool, &good, SIZE_MAX), WP_EINVAL);
	t_assert_int_eq(wp_submit_batch(pool, NULL, 0), 0);
	t_assert_int_eq(wp_try_submit_batch(pool, &good, 0), 0);
	struct wp_stats s = pool_stats(pool);
	t_assert_u64_eq(s.submitted, 0);
	t_assert_u64_eq(s.rejected_full + s.rejected_closed + s.rejected_timeout, 0);
	pool_end(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 0);
}

T_TEST(pool_submit, each_way_runs_the_job)
{
	struct wp_pool *pool = pool_of(2, 64, 16);
	struct wp_job job = counting_job(), jobs[5] = { job, job, job, job, job };
	t_assert_int_eq(wp_submit(pool, count_fn, &ran), 0);
	t_assert_int_eq(wp_submit_job(pool, &job), 0);
	t_assert_int_eq(wp_try_submit(pool, &job), 0);
	t_assert_int_eq(wp_submit_until(pool, &job, 0), 0);
	t_assert_int_eq(wp_submit_until(pool, &job, wp_after_ms(1)), 0);
	t_assert_int_eq(wp_submit_until(pool, &job, WP_FOREVER), 0);
	t_assert_int_eq(wp_submit_batch(pool, jobs, 5), 5);
	t_assert_int_eq(wp_try_submit_batch(pool, jobs, 5), 5);
	t_assert_int_eq(wp_submit_wait(pool, &job), 0);
	pool_wait(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 17);
	pool_end(pool);
}

T_TEST(pool_submit, errno_is_left_alone)
{
	struct wp_pool *pool = pool_of(1, 1, 1);
	struct wp_job job = counting_job();
	struct gate gate = { 0 };
	errno = 4711;
	gate_hold(&gate, pool, 1);
	t_assert_int_eq(wp_try_submit(pool, &job), 0);
	t_assert_int_eq(wp_try_submit(pool, &job), WP_EFULL);
	t_assert_int_eq(wp_submit_until(pool, &job, wp_after_ms(2)), WP_ETIMEDOUT);
	t_assert_int_eq(wp_pool_wait(pool, wp_after_ms(2)), WP_ETIMEDOUT);
	gate_open(&gate);
	pool_wait(pool);
	t_assert_int_eq(wp_pool_stop(pool, NULL), 0);
	t_assert_int_eq(wp_submit_wait(pool, &job), WP_ECLOSED);
	pool_destroy(pool);
	t_assert_int_eq(errno, 4711);
}

/* ---- full ---- */

static void fill(size_t capacity, uint32_t segment_size)
{
	struct wp_pool *pool = pool_of(1, capacity, segment_size);
	struct wp_job job = counting_job();
	struct gate gate = { 0 };
	wp_store_rlx_u64(&ran, 0);
	gate_hold(&gate, pool, 1);
	for (size_t i = 0; i < capacity; i++)
		t_assert_int_eq(wp_try_submit(pool, &job), 0);
	for (int i = 0; i < 3; i++)
		t_assert_int_eq(wp_try_submit(pool, &job), WP_EFULL);
	t_assert_int_eq(wp_submit_until(pool, &job, 0), WP_EFULL);
	t_assert_int_eq(wp_try_submit_batch(pool, &job, 1), WP_EFULL);
	t_assert_int_eq(wp_submit_until(pool, &job, 1), WP_ETIMEDOUT);
	struct wp_stats s = pool_stats(pool);
	t_assert_u64_eq(s.queued, capacity);
	t_assert_u64_eq(s.running, 1);
	t_assert_u64_eq(s.rejected_full, 5);
	t_assert_u64_eq(s.rejected_timeout, 1);
	gate_open(&gate);
	pool_wait(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), capacity);
	pool_end(pool);
}

T_TEST(pool_submit, exactly_capacity_fits)
{
	static const size_t capacities[] = { 1, 2, 3, 7, 63, 64, 65, 1000 };
	for (size_t i = 0; i < sizeof(capacities) / sizeof(capacities[0]); i++) {
		fill(capacities[i], 1);
		fill(capacities[i], 5);
		fill(capacities[i], 64);
	}
}

T_TEST(pool_submit, batch_takes_what_fits)
{
	struct wp_pool *pool = pool_of(1, 10, 4);
	struct wp_job jobs[25];
	struct gate gate = { 0 };
	for (int i = 0; i < 25; i++)
		jobs[i] = counting_job();
	gate_hold(&gate, pool, 1);
	t_assert_int_eq(wp_try_submit_batch(pool, jobs, 7), 7);
	t_assert_int_eq(wp_try_submit_batch(pool, jobs, 25), 3);
	t_assert_int_eq(wp_try_submit_batch(pool, jobs, 25), WP_EFULL);
	t_assert_u64_eq(pool_stats(pool).rejected_full, 22 + 25);
	t_assert_u64_eq(pool_stats(pool).submitted, 11);
	gate_open(&gate);
	pool_wait(pool);
	t_assert_int_eq(wp_submit_batch(pool, jobs, 25), 25); /* waits */
	pool_end(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 35);
}

/* ---- waiting for room ---- */

struct blocked {
	struct wp_pool *pool;
	wp_atomic_u32 done;
	int result;
	bool batch;
};

static void submit_blocked(void *arg, unsigned me)
{
	struct blocked *b = arg;
	struct wp_job job = counting_job(), jobs[4] = { job, job, job, job };
	(void)me;
	b->result =
		b->batch ? (int)wp_submit_batch(b->pool, jobs, 4) : wp_submit_job(b->pool, &job);
	wp_store_rel_u32(&b->done, 1);
}

static void block(struct blocked *b, struct crew *crew, struct gate *gate, bool batch)
{
	struct wp_job job = counting_job();
	b->pool = pool_of(1, 2, 1);
	b->batch = batch;
	gate_hold(gate, b->pool, 1);
	t_assert_int_eq(wp_submit_job(b->pool, &job), 0);
	if (!batch)
		t_assert_int_eq(wp_submit_job(b->pool, &job), 0);
	crew_start(crew, 1, submit_blocked, b);
	pool_until(wp_load_rlx_u32(&b->pool->lane.room.waiters) == 1);
	wp__os_sleep(1000000);
	t_assert(!wp_load_acq_u32(&b->done));
}

T_TEST(pool_submit, waits_for_room_and_goes_on)
{
	for (int batch = 0; batch < 2; batch++) {
		struct blocked b = { .result = -1 };
		struct crew crew;
		struct gate gate = { 0 };
		wp_store_rlx_u64(&ran, 0);
		block(&b, &crew, &gate, batch);
		gate_open(&gate);
		crew_join(&crew);
		t_assert_int_eq(b.result, batch ? 4 : 0);
		pool_wait(b.pool);
		t_assert_u64_eq(wp_load_rlx_u64(&ran), batch ? 5 : 3);
		pool_end(b.pool);
	}
}

static void shut_down(void *arg, unsigned me)
{
	struct wp_stop_report report;
	(void)me;
	t_assert_int_eq(wp_pool_shutdown(arg, WP_FOREVER, &report), 0);
	t_assert_u64_eq(report.running, 0);
}

T_TEST(pool_submit, close_releases_who_waits_for_room)
{
	for (int batch = 0; batch < 2; batch++) {
		struct blocked b = { .result = -1 };
		struct crew crew, closer;
		struct gate gate = { 0 };
		wp_store_rlx_u64(&ran, 0);
		block(&b, &crew, &gate, batch);
		crew_start(&closer, 1, shut_down, b.pool);
		crew_join(&crew); /* while the gate is closed */
		t_assert_int_eq(b.result, batch ? 1 : WP_ECLOSED);
		t_assert(wp_pool_is_closed(b.pool));
		gate_open(&gate);
		crew_join(&closer);
		t_assert_u64_eq(wp_load_rlx_u64(&ran), 2);
		t_assert_u64_eq(pool_stats(b.pool).rejected_closed, batch ? 3 : 1);
		pool_destroy(b.pool);
	}
}

T_TEST(pool_submit, deadline_is_neither_early_nor_ignored)
{
	struct wp_pool *pool = pool_of(1, 1, 1);
	struct wp_job job = counting_job();
	struct gate gate = { 0 };
	gate_hold(&gate, pool, 1);
	t_assert_int_eq(wp_try_submit(pool, &job), 0);
	for (int i = 0; i < 5; i++) {
		uint64_t deadline = wp_after_ms(5);
		t_assert_int_eq(wp_submit_until(pool, &job, deadline), WP_ETIMEDOUT);
		t_assert(wp_now_ns() >= deadline);
	}
	t_assert_int_eq(wp_submit_until(pool, &job, wp_now_ns() - 1), WP_ETIMEDOUT);
	/* Interrupted waits do not stretch it. */
	wp__fault_arm(WP_FAULT_FUTEX_WAIT, 1, true, EINTR);
	uint64_t deadline = wp_after_ms(5);
	t_assert_int_eq(wp_submit_until(pool, &job, deadline), WP_ETIMEDOUT);
	t_assert(wp_now_ns() >= deadline);
	wp__fault_disarm();
	t_assert_u64_eq(pool_stats(pool).rejected_timeout, 7);
	gate_open(&gate);
	pool_wait(pool);
	/* An expired deadline with room is no reason to refuse. */
	t_assert_int_eq(wp_submit_until(pool, &job, 1), 0);
	pool_end(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 2);
}

/*
 * "Waits while the pool is full": a submitter that could go on does go on, also where the job that
 * made the room then waits for that submitter.
 */
struct late {
	struct gate gate;
	struct wp_pool *pool;
};

static void submit_then_open(void *arg, unsigned me)
{
	struct late *late = arg;
	(void)me;
	t_assert_int_eq(wp_submit(late->pool, count_fn, &ran), 0);
	gate_open(&late->gate);
}

T_TEST(pool_submit, room_is_offered_before_a_job_that_blocks)
{
	for (unsigned workers = 1; workers <= 2; workers++) {
		struct wp_options o = WP_OPTIONS_INIT;
		o.workers = workers;
		o.batch_max = 1;
		o.capacity = 200;
		struct wp_pool *pool = pool_make(&o);
		pool_make_cheap(pool, &ran);
		struct late late = { .pool = pool };
		struct gate first = { 0 }, other = { 0 };
		if (workers == 2)
			gate_hold(&other, pool, 1);
		gate_hold(&first, pool, 1);
		t_assert_int_eq(wp_submit(pool, gate_fn, &late.gate), 0);
		for (int i = 0; i < 199; i++)
			t_assert_int_eq(wp_submit(pool, count_fn, &ran), 0);
		struct crew crew;
		crew_start(&crew, 1, submit_then_open, &late);
		pool_until(wp_load_rlx_u32(&pool->lane.room.waiters) == 1);
		gate_open(&first); /* the worker goes on to the late gate */
		crew_join(&crew);
		gate_open(&other);
		pool_wait(pool);
		pool_end(pool);
	}
}

/* ---- closed ---- */

T_TEST(pool_submit, closed_refuses_each_way)
{
	struct wp_pool *pool = pool_of(1, 8, 4);
	struct wp_job job = counting_job(), jobs[3] = { job, job, job };
	t_assert(!wp_pool_is_closed(pool));
	t_assert_int_eq(wp_pool_shutdown(pool, WP_FOREVER, NULL), 0);
	t_assert(wp_pool_is_closed(pool));
	t_assert_int_eq(wp_submit(pool, count_fn, &ran), WP_ECLOSED);
	t_assert_int_eq(wp_submit_job(pool, &job), WP_ECLOSED);
	t_assert_int_eq(wp_try_submit(pool, &job), WP_ECLOSED);
	t_assert_int_eq(wp_submit_until(pool, &job, WP_FOREVER), WP_ECLOSED);
	t_assert_int_eq(wp_submit_batch(pool, jobs, 3), WP_ECLOSED);
	t_assert_int_eq(wp_try_submit_batch(pool, jobs, 3), WP_ECLOSED);
	t_assert_int_eq(wp_submit_wait(pool, &job), WP_ECLOSED);
	t_assert_u64_eq(pool_stats(pool).rejected_closed, 11);
	t_assert_u64_eq(pool_stats(pool).submitted, 0);
	pool_destroy(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 0);
}

/* ---- submit_wait ---- */

static int return_payload(void *payload)
{
	return (int)(intptr_t)payload;
}

T_TEST(pool_submit, wait_returns_the_jobs_own_result)
{
	struct wp_pool *pool = pool_of(2, 8, 4);
	for (int i = -300; i < 300; i++) {
		struct wp_job job = { .fn = return_payload, .payload = (void *)(intptr_t)i };
		t_assert_int_eq(wp_submit_wait(pool, &job), i);
	}
	pool_wait(pool);
	t_assert_u64_eq(pool_stats(pool).failed, 599);
	t_assert_u64_eq(pool_stats(pool).completed, 1);
	pool_end(pool);
}

struct slow_cleanup {
	wp_atomic_u32 ran, cleaned;
};

static int mark_ran(void *payload)
{
	struct slow_cleanup *s = payload;
	wp_add_rlx_u32(&s->ran, 1);
	return 5;
}

static void clean_slowly(void *payload)
{
	struct slow_cleanup *s = payload;
	t_assert_u64_eq(wp_load_rlx_u32(&s->ran), 1);
	wp__os_sleep(3000000);
	wp_add_rlx_u32(&s->cleaned, 1);
}

T_TEST(pool_submit, wait_returns_after_the_cleanup)
{
	struct wp_pool *pool = pool_of(1, 8, 4);
	for (int i = 0; i < 20; i++) {
		struct slow_cleanup s = { 0 };
		struct wp_job job = { .fn = mark_ran, .payload = &s, .cleanup = clean_slowly };
		t_assert_int_eq(wp_submit_wait(pool, &job), 5);
		t_assert_u64_eq(wp_load_rlx_u32(&s.cleaned), 1);
	}
	pool_end(pool);
}

T_TEST(pool_submit, wait_allocates_nothing)
{
	struct wp_pool *pool = pool_of(1, 8, 4);
	struct wp_job job = counting_job();
	wp__fault_reset_counts();
	for (int i = 0; i < 100; i++)
		t_assert_int_eq(wp_submit_wait(pool, &job), 0);
	t_assert_u64_eq(wp__fault_calls(WP_FAULT_ALLOC), 0);
	pool_end(pool);
}
