/* SPDX-License-Identifier: MIT */
/* Jobs that submit jobs to their own pool, and that wait for jobs; however small the pool is. */
#include <errno.h>
#include <string.h>

#include "hooks.h"
#include "pool.h"
#include "t.h"

#define SMALL_STACK ((size_t)256 * 1024)

static struct wp_pool *tight_pool(unsigned workers, size_t capacity)
{
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = workers;
	o.capacity = capacity;
	o.segment_size = 4;
	o.stack_size = SMALL_STACK;
	return pool_make(&o);
}

static wp_atomic_u64 ran, cleaned;
static struct wp_pool *the_pool;
static wp_atomic_u64 budget;

static void cleanup(void *payload)
{
	(void)payload;
	wp_add_rlx_u64(&cleaned, 1);
}

/* Takes up to n from the budget. */
static uint64_t spend(uint64_t n)
{
	uint64_t left = wp_load_rlx_u64(&budget);
	for (;;) {
		uint64_t take = n < left ? n : left;
		if (wp_cas_weak_rlx_u64(&budget, &left, left - take))
			return take;
	}
}

/* ---- submit ---- */

/* Each job submits `payload` more, until the budget is used up. */
static int spread(void *payload)
{
	wp_add_rlx_u64(&ran, 1);
	uint64_t n = spend((uintptr_t)payload);
	const struct wp_job_info *info = wp_job_current();
	t_assert(info && info->pool == the_pool);
	for (uint64_t i = 0; i < n; i++) {
		struct wp_job job = { .fn = spread, .payload = payload, .cleanup = cleanup };
		t_assert_int_eq(wp_submit_job(the_pool, &job), 0);
	}
	return 0;
}

static int spread_in_batches(void *payload)
{
	struct wp_job jobs[16];
	wp_add_rlx_u64(&ran, 1);
	uint64_t n = spend((uintptr_t)payload);
	for (uint64_t i = 0; i < n; i++)
		jobs[i] = (struct wp_job){
			.fn = spread_in_batches, .payload = payload, .cleanup = cleanup
		};
	t_assert_int_eq(wp_submit_batch(the_pool, jobs, n), (ssize_t)n);
	return 0;
}

static void run_spread(wp_job_fn fn, unsigned workers, size_t capacity, uintptr_t width, uint64_t n)
{
	n = t_scaled(n);
	the_pool = tight_pool(workers, capacity);
	wp_store_rlx_u64(&ran, 0);
	wp_store_rlx_u64(&cleaned, 0);
	wp_store_rlx_u64(&budget, n - 1);
	struct wp_job first = { .fn = fn, .payload = (void *)width, .cleanup = cleanup };
	t_assert_int_eq(wp_submit_job(the_pool, &first), 0);
	pool_wait(the_pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), n);
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), n);
	pool_expect_asleep(the_pool);
	pool_end(the_pool);
}

T_TEST(pool_nested, chains)
{
	run_spread(spread, 1, 1, 1, 100000);
	run_spread(spread, 2, 1, 1, 50000);
	run_spread(spread_in_batches, 1, 1, 1, 20000);
}

T_TEST(pool_nested, trees)
{
	static const unsigned workers[] = { 1, 2, 4 };
	for (size_t i = 0; i < 3; i++) {
		run_spread(spread, workers[i], 1, 2, 100000);
		run_spread(spread, workers[i], 1, 10, 100000);
		run_spread(spread, workers[i], 7, 10, 50000);
		run_spread(spread_in_batches, workers[i], 1, 10, 50000);
		run_spread(spread_in_batches, workers[i], 100, 10, 50000);
	}
}

T_TEST(pool_nested, trees_under_chaos)
{
	wp__chaos(4, 100, 4);
	run_spread(spread, 1, 1, 2, 5000);
	run_spread(spread, 4, 1, 10, 5000);
	run_spread(spread_in_batches, 3, 5, 10, 5000);
}

/*
 * The worst shape: each job submits first its successor and then a leaf, for which there is no
 * room, so that the successor runs inside of it.
 */
static int degenerate(void *payload)
{
	wp_add_rlx_u64(&ran, 1);
	if (spend(1))
		t_assert_int_eq(wp_submit(the_pool, degenerate, payload), 0);
	t_assert_int_eq(wp_submit(the_pool, count_fn, &cleaned), 0);
	return 0;
}

static void run_degenerate(uint64_t n)
{
	the_pool = tight_pool(1, 1);
	wp_store_rlx_u64(&ran, 0);
	wp_store_rlx_u64(&cleaned, 0);
	wp_store_rlx_u64(&budget, n - 1);
	t_assert_int_eq(wp_submit(the_pool, degenerate, NULL), 0);
	pool_wait(the_pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), n);
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), n);
	pool_end(the_pool);
}

T_TEST(pool_nested, a_degenerate_tree_needs_little_stack)
{
	run_degenerate(t_scaled(100000));
}

T_TEST(pool_nested, without_memory_to_set_jobs_aside)
{
	the_pool = tight_pool(1, 1);
	wp_store_rlx_u64(&ran, 0);
	wp_store_rlx_u64(&cleaned, 0);
	uint64_t depth = T_SANITIZED ? 60 : 120; /* they all nest now, on a small stack */
	wp_store_rlx_u64(&budget, depth - 1);
	wp__fault_arm(WP_FAULT_ALLOC, 1, true, ENOMEM);
	t_assert_int_eq(wp_submit(the_pool, degenerate, NULL), 0);
	pool_wait(the_pool);
	t_assert(wp__fault_failures(WP_FAULT_ALLOC) > 0);
	wp__fault_disarm();
	t_assert_u64_eq(wp_load_rlx_u64(&ran), depth);
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), depth);
	pool_end(the_pool);
}

/* The ways that do not wait say so, also inside of a job. */
static int try_when_full(void *payload)
{
	struct wp_job job = { .fn = count_fn, .payload = &ran }, jobs[3] = { job, job, job };
	(void)payload;
	t_assert_int_eq(wp_try_submit(the_pool, &job), 0);
	t_assert_int_eq(wp_try_submit(the_pool, &job), WP_EFULL);
	t_assert_int_eq(wp_try_submit_batch(the_pool, jobs, 3), WP_EFULL);
	t_assert_int_eq(wp_submit_until(the_pool, &job, wp_now_ns() - 1), WP_ETIMEDOUT);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 0);
	t_assert_int_eq(wp_submit_until(the_pool, &job, wp_after_ms(10000)), 0); /* makes room */
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 1);
	return 0;
}

T_TEST(pool_nested, try_and_deadline_inside_of_a_job)
{
	the_pool = tight_pool(1, 1);
	t_assert_int_eq(wp_submit(the_pool, try_when_full, NULL), 0);
	pool_wait(the_pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 2);
	t_assert_u64_eq(pool_stats(the_pool).rejected_full, 1 + 3);
	t_assert_u64_eq(pool_stats(the_pool).rejected_timeout, 1);
	pool_end(the_pool);
}

/* ---- wp_job_current and errors, nested ---- */

static int inner_fails(void *payload)
{
	const struct wp_job_info *info = wp_job_current();
	*(uint64_t *)payload = info->id;
	return -7;
}

static int outer_fails(void *payload)
{
	uint64_t mine = wp_job_current()->id, inner;
	struct wp_job job = { .fn = inner_fails, .payload = &inner };
	t_assert_int_eq(wp_submit_wait(the_pool, &job), -7);
	t_assert(inner != mine);
	t_assert_u64_eq(wp_job_current()->id, mine);
	*(uint64_t *)payload = mine;
	return -8;
}

static struct {
	uint64_t inner_id, outer_id;
} reported;

static void note_error(void *self, const struct wp_job_error *error)
{
	(void)self;
	t_assert(error->code == -7 ? error->fn == inner_fails : error->fn == outer_fails);
	*(error->code == -7 ? &reported.inner_id : &reported.outer_id) = error->job_id;
}

T_TEST(pool_nested, each_level_knows_itself)
{
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = 1;
	o.on_error = note_error;
	the_pool = pool_make(&o);
	for (uint64_t i = 0; i < 20; i++) {
		uint64_t id;
		struct wp_job job = { .fn = outer_fails, .payload = &id };
		t_assert_int_eq(wp_submit_wait(the_pool, &job), -8);
		t_assert_u64_eq(id, 2 * i);
		t_assert_u64_eq(reported.outer_id, 2 * i);
		t_assert_u64_eq(reported.inner_id, 2 * i + 1);
	}
	pool_end(the_pool);
}

/* ---- submit_wait ---- */

struct fib {
	unsigned n;
	uint64_t value;
};

static int fib_fn(void *payload)
{
	struct fib *f = payload, left = { f->n - 1, 0 }, right = { f->n - 2, 0 };
	if (f->n < 2) {
		f->value = f->n;
		return 0;
	}
	struct wp_job jobs[2] = { { .fn = fib_fn, .payload = &left },
		{ .fn = fib_fn, .payload = &right } };
	t_assert_int_eq(wp_submit_wait(the_pool, &jobs[0]), 0);
	t_assert_int_eq(wp_submit_wait(the_pool, &jobs[1]), 0);
	f->value = left.value + right.value;
	return 0;
}

static void run_fib(unsigned workers, size_t capacity, unsigned n)
{
	the_pool = tight_pool(workers, capacity);
	struct fib f = { n, 0 };
	struct wp_job job = { .fn = fib_fn, .payload = &f };
	t_assert_int_eq(wp_submit_wait(the_pool, &job), 0);
	uint64_t a = 0, b = 1;
	for (unsigned i = 0; i < n; i++) {
		uint64_t next = a + b;
		a = b;
		b = next;
	}
	t_assert_u64_eq(f.value, a);
	pool_wait(the_pool);
	pool_expect_rest(the_pool);
	pool_end(the_pool);
}

T_TEST(pool_nested, fibonacci)
{
	run_fib(1, 1, 15);
	run_fib(1, 64, 15);
	run_fib(2, 1, 15);
	run_fib(4, 64, 15);
}

T_TEST(pool_nested, fibonacci_under_chaos)
{
	wp__chaos(2, 50, 2);
	run_fib(1, 1, 10);
	run_fib(3, 2, 12);
}

static int go_deeper(void *payload)
{
	uintptr_t left = (uintptr_t)payload;
	wp_add_rlx_u64(&ran, 1);
	if (left == 0)
		return 77;
	struct wp_job job = { .fn = go_deeper, .payload = (void *)(left - 1) };
	return wp_submit_wait(the_pool, &job);
}

T_TEST(pool_nested, waits_nest_a_hundred_deep)
{
	for (unsigned workers = 1; workers <= 4; workers *= 2) {
		the_pool = tight_pool(workers, 2);
		wp_store_rlx_u64(&ran, 0);
		struct wp_job job = { .fn = go_deeper, .payload = (void *)(uintptr_t)100 };
		t_assert_int_eq(wp_submit_wait(the_pool, &job), 77);
		t_assert_u64_eq(wp_load_rlx_u64(&ran), 101);
		pool_end(the_pool);
	}
}

/* Many jobs in line that each wait for a child must not pile up on the stack. */
static int parent(void *payload)
{
	struct wp_job child = { .fn = count_fn, .payload = payload };
	return wp_submit_wait(the_pool, &child);
}

static void run_parents(unsigned workers, size_t capacity, uint64_t n, bool cheap_before)
{
	the_pool = tight_pool(workers, capacity);
	wp_store_rlx_u64(&ran, 0);
	struct gate gate = { 0 };
	if (cheap_before)
		pool_make_cheap(the_pool, &cleaned);
	gate_hold(&gate, the_pool, 1);
	for (uint64_t i = 0; i < n; i++) {
		if (i == capacity / 2)
			gate_open(&gate);
		t_assert_int_eq(wp_submit(the_pool, parent, &ran), 0);
	}
	gate_open(&gate);
	pool_wait(the_pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), n);
	pool_end(the_pool);
}

T_TEST(pool_nested, parents_in_line_do_not_pile_up)
{
	for (unsigned workers = 1; workers <= 4; workers *= 2) {
		run_parents(workers, 20000, t_scaled(8000), false);
		run_parents(workers, 20000, t_scaled(8000), true);
		run_parents(workers, 3, t_scaled(8000), false);
	}
}

/* ---- together with others ---- */

struct crowd {
	uint64_t each;
};

static void submit_from_outside(void *arg, unsigned me)
{
	struct crowd *crowd = arg;
	for (uint64_t i = 0; i < crowd->each; i++) {
		if (me % 2) {
			struct wp_job job = { .fn = parent, .payload = &ran };
			t_assert_int_eq(wp_submit_wait(the_pool, &job), 0);
		} else {
			t_assert_int_eq(wp_submit(the_pool, parent, &ran), 0);
		}
	}
}

T_TEST(pool_nested, waits_inside_with_a_full_lane_and_others_submitting)
{
	for (unsigned workers = 1; workers <= 4; workers *= 2) {
		struct crowd crowd = { t_scaled(3000) };
		the_pool = tight_pool(workers, 4);
		wp_store_rlx_u64(&ran, 0);
		struct crew crew;
		crew_start(&crew, 4, submit_from_outside, &crowd);
		crew_join(&crew);
		pool_wait(the_pool);
		t_assert_u64_eq(wp_load_rlx_u64(&ran), 4 * crowd.each);
		pool_end(the_pool);
	}
}

/* ---- two pools ---- */

static struct wp_pool *pools[2];

static int ping_pong(void *payload)
{
	uintptr_t left = (uintptr_t)payload;
	wp_add_rlx_u64(&ran, 1);
	if (left == 0)
		return 0;
	struct wp_job job = { .fn = ping_pong, .payload = (void *)(left - 1) };
	return wp_submit_wait(pools[left % 2], &job);
}

T_TEST(pool_nested, two_pools_wait_for_each_other)
{
	/* A wait for another pool's job holds its worker: as many workers as there are levels. */
	for (int i = 0; i < 2; i++)
		pools[i] = pool_of(8, 16, 4);
	for (uint64_t round = 0; round < t_scaled(2000); round++) {
		struct wp_job job = { .fn = ping_pong, .payload = (void *)(uintptr_t)10 };
		t_assert_int_eq(wp_submit_wait(pools[0], &job), 0);
	}
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 11 * t_scaled(2000));
	pool_end(pools[0]);
	pool_end(pools[1]);
}

/* ---- room for a job whose batch is not done ---- */

static struct gate filling;

static int submits_to_the_full(void *payload)
{
	gate_fn(&filling);
	t_assert_int_eq(wp_submit(the_pool, count_fn, &ran), 0);
	wp_add_rlx_u64(payload, 1);
	return 0;
}

/* Until the pool is full; how many it took. */
static uint64_t fill(struct wp_pool *pool)
{
	struct wp_job job = { .fn = count_fn, .payload = &ran };
	uint64_t n = 0;
	while (wp_try_submit(pool, &job) == 0)
		n++;
	return n;
}

/* The worker holds more of the batch, and there is more in the lane, when the job makes room. */
T_TEST(pool_nested, room_is_made_with_a_batch_at_hand)
{
	struct wp_options o = WP_OPTIONS_INIT;
	struct wp_job batch[8];
	o.workers = 1;
	o.capacity = 8;
	o.batch_ns = 1000000000; /* whatever jobs cost, they are claimed together */
	the_pool = pool_make(&o);
	for (unsigned i = 0; i < 1000; i++) /* until the worker believes it */
		t_assert_int_eq(wp_submit(the_pool, count_fn, &ran), 0);
	for (unsigned i = 1; i < 8; i++)
		batch[i] = (struct wp_job){ .fn = count_fn, .payload = &ran };
	for (unsigned round = 0; round < 20; round++) {
		filling = (struct gate){ 0 };
		pool_wait(the_pool);
		wp_store_rlx_u64(&ran, 0);
		batch[0] = (struct wp_job){ .fn = submits_to_the_full, .payload = &ran };
		t_assert_int_eq(wp_submit_batch(the_pool, batch, 8), 8);
		pool_until(wp_load_acq_u32(&filling.entered));
		uint64_t filled = fill(the_pool);
		gate_open(&filling);
		pool_wait(the_pool);
		t_assert_u64_eq(wp_load_rlx_u64(&ran), 8 + filled + 1);
	}
	pool_end(the_pool);
}
