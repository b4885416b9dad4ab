/* SPDX-License-Identifier: MIT */
/* Producers: the ways to submit, order, room, and handles that come and go. */
#include <stdlib.h>
#include <string.h>

#include "hooks.h"
#include "pool.h"

static struct wp_pool *pool_for(unsigned workers, size_t room)
{
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = workers;
	o.producer_capacity = room;
	o.segment_size = 16;
	return pool_make(&o);
}

static struct wp_job count_job(wp_atomic_u64 *counter)
{
	return (struct wp_job){ .fn = count_fn, .payload = counter };
}

/* ---- all ways in ---- */

T_TEST(producer, every_way_to_submit)
{
	wp_atomic_u64 ran = { 0 }, cleaned = { 0 };
	struct wp_pool *pool = pool_for(2, 64);
	struct wp_producer *p = producer_in(pool);
	struct wp_job job = count_job(&ran), jobs[5];
	for (unsigned i = 0; i < 5; i++)
		jobs[i] = job;
	t_assert_int_eq(wp_producer_submit(p, count_fn, &ran), 0);
	t_assert_int_eq(wp_producer_submit_job(p, &job), 0);
	t_assert_int_eq(wp_producer_try_submit(p, &job), 0);
	t_assert_int_eq(wp_producer_submit_until(p, &job, wp_after_ms(1000)), 0);
	t_assert_int_eq(wp_producer_submit_batch(p, jobs, 5), 5);
	t_assert_int_eq(wp_producer_try_submit_batch(p, jobs, 5), 5);
	size_t n = 3;
	struct wp_job *room = wp_producer_reserve(p, &n);
	t_assert(room && n >= 1 && n <= 3);
	for (size_t i = 0; i < n; i++) {
		room[i] = job;
		room[i].cleanup = count_cleanup;
		room[i].payload = &cleaned;
	}
	wp_producer_commit(p, n);
	pool_wait(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 14);
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), 2 * n);
	struct wp_stats s = pool_stats(pool);
	t_assert_u64_eq(s.submitted, 14 + n);
	t_assert_u64_eq(s.completed, 14 + n);
	pool_expect_rest(pool);
	wp_producer_close(p);
	pool_end(pool);
}

T_TEST(producer, bad_arguments)
{
	struct wp_pool *pool = pool_for(1, 8);
	struct wp_producer *p = (struct wp_producer *)(uintptr_t)8;
	struct wp_job job = { .fn = count_fn }, no_fn = { 0 };
	size_t n = 1;
	t_assert_int_eq(wp_producer_open(NULL, pool), WP_EINVAL);
	t_assert_int_eq(wp_producer_open(&p, NULL), WP_EINVAL);
	t_assert(p == NULL);
	t_assert_int_eq(wp_producer_submit(NULL, count_fn, NULL), WP_EINVAL);
	t_assert_int_eq(wp_producer_submit_job(NULL, &job), WP_EINVAL);
	t_assert_int_eq(wp_producer_submit_batch(NULL, &job, 1), WP_EINVAL);
	t_assert(wp_producer_reserve(NULL, &n) == NULL);
	t_assert_u64_eq(n, 0);
	wp_producer_commit(NULL, 1);
	wp_producer_close(NULL);
	p = producer_in(pool);
	t_assert_int_eq(wp_producer_submit(p, NULL, NULL), WP_EINVAL);
	t_assert_int_eq(wp_producer_submit_job(p, NULL), WP_EINVAL);
	t_assert_int_eq(wp_producer_try_submit(p, &no_fn), WP_EINVAL);
	t_assert_int_eq(wp_producer_submit_batch(p, NULL, 1), WP_EINVAL);
	t_assert_int_eq(wp_producer_submit_batch(p, &no_fn, 1), WP_EINVAL);
	t_assert_int_eq(wp_producer_submit_batch(p, &job, SIZE_MAX), WP_EINVAL);
	t_assert_int_eq(wp_producer_submit_batch(p, NULL, 0), 0);
	t_assert(wp_producer_reserve(p, NULL) == NULL);
	n = 0;
	t_assert(wp_producer_reserve(p, &n) == NULL);
	wp_producer_commit(p, 0);
	t_assert_u64_eq(pool_stats(pool).submitted, 0);
	wp_producer_close(p);
	pool_end(pool);
}

/* ---- order ---- */

struct order {
	uint64_t next;
	uint64_t wrong;
};

static struct order orders[3];

static int in_order(void *payload)
{
	struct order *o = &orders[(uintptr_t)payload % 3];
	if (o->next++ != (uintptr_t)payload / 3)
		o->wrong++;
	return 0;
}

static void submit_in_order(void *arg, unsigned me)
{
	struct wp_producer *p = producer_in(arg);
	uint64_t n = t_scaled(100000);
	for (uint64_t i = 0; i < n; i++) {
		void *payload = (void *)(uintptr_t)(3 * i + me);
		if (i % 3 == 0) {
			t_assert_int_eq(wp_producer_submit(p, in_order, payload), 0);
			continue;
		}
		size_t one = 1;
		struct wp_job job = { .fn = in_order, .payload = payload };
		struct wp_job *room = i % 3 == 1 ? wp_producer_reserve(p, &one) : NULL;
		if (room) {
			*room = job;
			wp_producer_commit(p, 1);
		} else {
			t_assert_int_eq(wp_producer_submit_batch(p, &job, 1), 1);
		}
	}
	wp_producer_close(p);
}

T_TEST(producer, jobs_run_in_the_order_of_submission)
{
	struct wp_pool *pool = pool_for(1, 100);
	struct crew crew;
	crew_start(&crew, 3, submit_in_order, pool);
	crew_join(&crew);
	pool_wait(pool);
	for (unsigned i = 0; i < 3; i++) {
		t_assert_u64_eq(orders[i].next, t_scaled(100000));
		t_assert_u64_eq(orders[i].wrong, 0);
	}
	pool_end(pool);
}

/* ---- room ---- */

static void fill_exactly(size_t room, uint32_t segment_size)
{
	struct gate gate = { { 0 }, { 0 } };
	wp_atomic_u64 ran = { 0 };
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = 1;
	o.producer_capacity = room;
	o.segment_size = segment_size;
	struct wp_pool *pool = pool_make(&o);
	struct wp_producer *p = producer_in(pool), *q = producer_in(pool);
	struct wp_job job = count_job(&ran), jobs[40];
	size_t n = 5;
	for (unsigned i = 0; i < 40; i++)
		jobs[i] = job;
	for (unsigned round = 0; round < 5; round++) {
		wp_store_rlx_u32(&gate.open, 0);
		wp_store_rlx_u32(&gate.entered, 0);
		gate_hold(&gate, pool, 1);
		for (size_t i = 0; i < room; i++)
			t_assert_int_eq(wp_producer_try_submit(p, &job), 0);
		t_assert_int_eq(wp_producer_try_submit(p, &job), WP_EFULL);
		t_assert_int_eq(wp_producer_try_submit_batch(p, jobs, 40), WP_EFULL);
		t_assert_int_eq(
			wp_producer_submit_until(p, &job, wp_after_ns(100000)), WP_ETIMEDOUT);
		n = 5;
		t_assert(wp_producer_reserve(p, &n) == NULL);
		t_assert_u64_eq(n, 0);
		/* Another producer's room, and the pool's own, are others. */
		t_assert_int_eq(wp_producer_try_submit_batch(q, jobs, 40), room < 40 ? room : 40);
		t_assert_int_eq(wp_try_submit(pool, &job), 0);
		gate_open(&gate);
		pool_wait(pool);
	}
	struct wp_stats s = pool_stats(pool);
	uint64_t short_of = room < 40 ? 40 - room : 0;
	t_assert_u64_eq(s.rejected_full, 5 * (1 + 40 + short_of));
	t_assert_u64_eq(s.rejected_timeout, 5);
	t_assert_u64_eq(s.completed, 5 * (2 + room + 40 - short_of));
	wp_producer_close(p);
	wp_producer_close(q);
	pool_end(pool);
}

T_TEST(producer, room_is_exact)
{
	fill_exactly(1, 1);
	fill_exactly(1, 16);
	fill_exactly(7, 4);
	fill_exactly(16, 16);
	fill_exactly(33, 16);
	fill_exactly(1000, 64);
}

struct blocked {
	struct wp_producer *p;
	wp_atomic_u64 *ran;
	wp_atomic_u32 begun;
};

static void submit_blocked(void *arg, unsigned me)
{
	struct blocked *b = arg;
	(void)me;
	struct wp_job jobs[9];
	for (unsigned i = 0; i < 9; i++)
		jobs[i] = count_job(b->ran);
	wp_store_rlx_u32(&b->begun, 1);
	t_assert_int_eq(wp_producer_submit(b->p, count_fn, b->ran), 0);
	t_assert_int_eq(wp_producer_submit_batch(b->p, jobs, 9), 9);
}

T_TEST(producer, a_submit_that_waits_is_woken)
{
	wp_atomic_u64 ran = { 0 };
	struct wp_pool *pool = pool_for(1, 2);
	for (unsigned round = 0; round < 20; round++) {
		struct gate gate = { { 0 }, { 0 } };
		struct blocked b = { .p = producer_in(pool), .ran = &ran };
		struct crew crew;
		gate_hold(&gate, pool, 1);
		t_assert_int_eq(wp_producer_submit(b.p, count_fn, &ran), 0);
		t_assert_int_eq(wp_producer_submit(b.p, count_fn, &ran), 0);
		crew_start(&crew, 1, submit_blocked, &b);
		pool_until(wp_load_rlx_u32(&b.begun));
		wp__os_sleep(round % 2 ? 1000000 : 1000);
		t_assert_u64_eq(wp_load_rlx_u64(&ran), 12 * round);
		gate_open(&gate);
		crew_join(&crew);
		pool_wait(pool);
		t_assert_u64_eq(wp_load_rlx_u64(&ran), 12 * (round + 1));
		wp_producer_close(b.p);
	}
	pool_end(pool);
}

/* ---- closed pools ---- */

T_TEST(producer, closed_pool)
{
	wp_atomic_u64 ran = { 0 }, cleaned = { 0 };
	struct wp_pool *pool = pool_for(1, 8);
	struct wp_producer *p = producer_in(pool), *fresh = producer_in(pool);
	struct wp_job job = count_job(&ran), jobs[3] = { job, job, job };
	t_assert_int_eq(wp_producer_submit(p, count_fn, &ran), 0);
	size_t n = 4;
	struct wp_job *room = wp_producer_reserve(p, &n);
	t_assert(room && n == 4);
	for (size_t i = 0; i < n; i++)
		room[i] = (struct wp_job){
			.fn = count_fn, .payload = &cleaned, .cleanup = count_cleanup
		};
	struct wp_stop_report report;
	t_assert_int_eq(wp_pool_shutdown(pool, WP_FOREVER, &report), 0);
	wp_producer_commit(p, 4); /* refused: only the cleanups */
	t_assert_u64_eq(wp_load_rlx_u64(&cleaned), 4);
	for (unsigned i = 0; i < 20; i++) {
		t_assert_int_eq(wp_producer_submit(p, count_fn, &ran), WP_ECLOSED);
		t_assert_int_eq(wp_producer_try_submit(fresh, &job), WP_ECLOSED);
		t_assert_int_eq(wp_producer_submit_batch(p, jobs, 3), WP_ECLOSED);
	}
	n = 1;
	t_assert(wp_producer_reserve(fresh, &n) == NULL && n == 0);
	struct wp_producer *late = p;
	t_assert_int_eq(wp_producer_open(&late, pool), WP_ECLOSED);
	t_assert(late == NULL);
	struct wp_stats s = pool_stats(pool);
	t_assert_u64_eq(s.submitted, 1);
	t_assert_u64_eq(s.completed, 1);
	t_assert_u64_eq(s.rejected_closed, 4 + 20 * 5);
	wp_producer_close(p);
	t_assert_int_eq(wp_producer_open(&late, pool), WP_ECLOSED);
	pool_destroy(pool);
	wp_producer_close(fresh); /* after its pool */
}

/* ---- handles that come and go ---- */

T_TEST(producer, ten_thousand_at_once)
{
	enum { N = 10000 };
	static struct wp_producer *producers[N];
	wp_atomic_u64 ran = { 0 };
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = 2;
	o.producer_capacity = 64;
	o.segment_size = 64;
	struct wp_pool *pool = pool_make(&o);
	unsigned n = (unsigned)(T_SANITIZED ? N / 10 : N);
	for (unsigned i = 0; i < n; i++)
		producers[i] = producer_in(pool);
	for (unsigned round = 1; round <= 2; round++) {
		for (unsigned i = 0; i < n; i++)
			t_assert_int_eq(wp_producer_submit(producers[i], count_fn, &ran), 0);
		pool_wait(pool);
		t_assert_u64_eq(wp_load_rlx_u64(&ran), round * n);
		pool_expect_asleep(pool);
	}
	t_assert_u64_eq(pool_stats(pool).completed, 2 * n);
	for (unsigned i = 0; i < n; i++)
		wp_producer_close(producers[i]);
	pool_end(pool);
}

T_TEST(producer, a_lane_is_used_again)
{
	wp_atomic_u64 ran = { 0 };
	struct wp_pool *pool = pool_for(1, 8);
	uint64_t n = t_scaled(100000), reserved = 0;
	for (uint64_t i = 0; i < n; i++) {
		struct wp_producer *p = producer_in(pool), *q = i % 7 ? NULL : producer_in(pool);
		t_assert_int_eq(wp_producer_submit(p, count_fn, &ran), 0);
		wp_producer_close(p);
		if (q)
			t_assert_int_eq(wp_producer_submit(q, count_fn, &ran), 0);
		wp_producer_close(q);
		/* Two lanes, made in the first round; nothing is reserved after it. */
		if (i == 0)
			reserved = wp__fault_calls(WP_FAULT_RESERVE);
		t_assert_u64_eq(wp__fault_calls(WP_FAULT_RESERVE), reserved);
	}
	pool_wait(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), n + (n + 6) / 7);
	t_assert_u64_eq(pool_stats(pool).submitted, n + (n + 6) / 7);
	pool_end(pool);
}

struct relay {
	struct wp__mutex mutex;
	struct wp_producer *p;
	wp_atomic_u64 ran;
	uint64_t left;
};

static void submit_in_turn(void *arg, unsigned me)
{
	struct relay *r = arg;
	(void)me;
	for (bool more = true; more;) {
		wp__os_mutex_lock(&r->mutex);
		more = r->left > 0;
		if (more) {
			r->left--;
			t_assert_int_eq(wp_producer_submit(r->p, count_fn, &r->ran), 0);
		}
		wp__os_mutex_unlock(&r->mutex);
	}
}

T_TEST(producer, a_handle_goes_from_thread_to_thread)
{
	static struct relay r;
	struct wp_pool *pool = pool_for(2, 32);
	struct crew crew;
	wp__os_mutex_init(&r.mutex);
	r.p = producer_in(pool);
	r.left = t_scaled(50000);
	uint64_t n = r.left;
	crew_start(&crew, 4, submit_in_turn, &r);
	crew_join(&crew);
	pool_wait(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&r.ran), n);
	wp_producer_close(r.p);
	pool_end(pool);
	wp__os_mutex_destroy(&r.mutex);
}

/* ---- memory ---- */

T_TEST(producer, no_allocation_in_steady_state)
{
	wp_atomic_u64 ran = { 0 };
	struct wp_pool *pool = pool_for(2, 100);
	struct wp_producer *p = producer_in(pool);
	uint64_t allocations = wp__fault_calls(WP_FAULT_ALLOC), n = t_scaled(200000);
	for (uint64_t i = 0; i < n; i++)
		t_assert_int_eq(wp_producer_submit(p, count_fn, &ran), 0);
	pool_wait(pool);
	t_assert_u64_eq(wp__fault_calls(WP_FAULT_ALLOC), allocations);
	wp_producer_close(p);
	pool_end(pool);
}

T_TEST(producer, no_memory_to_open)
{
	wp_atomic_u64 ran = { 0 };
	struct wp_pool *pool = pool_for(1, 8);
	static const enum wp_fault_site sites[] = { WP_FAULT_ALLOC, WP_FAULT_RESERVE };
	struct wp_producer *p, *kept[40];
	unsigned n = 0, refused = 0;
	/* Some of these openings replace the table of lanes. */
	while (n < 40) {
		for (unsigned s = 0; s < 2; s++) {
			for (uint64_t nth = 1; nth <= 6; nth++) {
				wp__fault_arm(sites[s], nth, false, 12);
				int error = wp_producer_open(&p, pool);
				wp__fault_disarm();
				t_assert(error == 0 || error == WP_ENOMEM);
				t_assert((error == 0) == (p != NULL));
				refused += error != 0;
				wp_producer_close(p);
			}
		}
		kept[n++] = producer_in(pool);
		t_assert_int_eq(wp_producer_submit(kept[n - 1], count_fn, &ran), 0);
	}
	t_assert(refused >= 40);
	pool_wait(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 40);
	while (n)
		wp_producer_close(kept[--n]);
	pool_end(pool);
}

/* ---- ids ---- */

#define ID_JOBS 3000

static struct {
	struct wp_pool *pool;
	wp_atomic_u64 count, told;
	uint64_t id[ID_JOBS];
} ids;

static int note_id(void *payload)
{
	uint64_t id = wp_job_current()->id, at = wp_add_rlx_u64(&ids.count, 1);
	t_assert(at < ID_JOBS);
	ids.id[at] = id;
	if (payload) {
		struct wp_job inner = { .fn = note_id };
		t_assert_int_eq(wp_submit_wait(ids.pool, &inner), -1);
		t_assert_int_eq(wp_submit_job(ids.pool, &inner), 0);
		t_assert_u64_eq(wp_job_current()->id, id);
	}
	return -1;
}

static void compare_id(void *self, const struct wp_job_error *error)
{
	(void)self;
	t_assert_u64_eq(error->job_id, wp_job_current()->id);
	wp_add_rlx_u64(&ids.told, 1);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

static void submit_with_ids(void *arg, unsigned me)
{
	struct wp_job job = { .fn = note_id }, outer = { .fn = note_id, .payload = arg };
	struct wp_producer *kept[4];
	for (int round = 0; round < 4; round++) {
		struct wp_producer *p = kept[round] = producer_in(ids.pool);
		for (int i = 0; i < 30; i++) {
			t_assert_int_eq(wp_producer_submit_job(p, &job), 0);
			t_assert_int_eq(wp_submit_job(ids.pool, &job), 0);
			t_assert_int_eq(wp_submit_batch(ids.pool, &job, 1), 1);
		}
		t_assert_int_eq(wp_producer_submit_job(p, &outer), 0);
		t_assert_int_eq(wp_submit_wait(ids.pool, &outer), -1);
		if (me % 2 == 0)
			wp_producer_close(p); /* its lane goes on with the next one */
	}
	for (int round = 0; me % 2 && round < 4; round++)
		wp_producer_close(kept[round]);
}

/* No two jobs of a pool have the same, whichever lane they came by, and whoever had it before. */
T_TEST(producer, ids_are_the_pools)
{
	struct wp_options o = WP_OPTIONS_INIT;
	struct crew crew;
	o.workers = 2;
	o.capacity = 7;
	o.producer_capacity = 5;
	o.segment_size = 4;
	o.on_error = compare_id;
	ids.pool = pool_make(&o);
	crew_start(&crew, 6, submit_with_ids, &ids);
	crew_join(&crew);
	pool_wait(ids.pool);
	uint64_t n = wp_load_rlx_u64(&ids.count);
	t_assert_u64_eq(n, 6 * 4 * (90 + 2 * 3));
	t_assert_u64_eq(wp_load_rlx_u64(&ids.told), n);
	qsort(ids.id, n, sizeof(ids.id[0]), by_value);
	for (uint64_t i = 1; i < n; i++)
		t_assert(ids.id[i] != ids.id[i - 1]);
	pool_end(ids.pool);
}
