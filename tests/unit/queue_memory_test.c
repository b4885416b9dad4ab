/* SPDX-License-Identifier: MIT */
/* How many segments a queue touches, when it gives pages back, and that it never allocates. */
#include <wpool/queue.h>

#include <string.h>

#include <wpool/clock.h>
#include <wpool/error.h>

#include "base/rng.h"
#include "crew.h"
#include "heap_calls.h"
#include "hooks.h"
#include "lane.h"
#include "ledger.h"
#include "park/eventcount.h"

/* ---- every call of the heap, counted by thread (one that ends frees memory of its own) ---- */

static _Thread_local uint64_t heap_calls;

#if HEAP_IS_COUNTED
static void heap_called(void)
{
	heap_calls++;
}
#endif

static uint64_t heap_count(void)
{
	return heap_calls;
}

static const struct wp_job any_job = { .fn = ledger_fn0 };

static struct wp_queue_memory memory_of(struct wp_queue *q)
{
	struct wp_queue_memory m;
	wp_queue_memory(q, &m);
	return m;
}

/* ---- one thread ---- */

static const uint32_t sizes[] = { 1, 2, 3, 64, 100, 1024 };
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

T_TEST(queue_memory, the_heap_is_counted)
{
	if (!HEAP_IS_COUNTED) {
		t_skip("a sanitizer has the heap");
		return;
	}
	uint64_t before = heap_count();
	struct wp_queue *q = lane_create(8, 8);
	t_assert_u64_eq(heap_count() - before, 2);
	wp_queue_destroy(q);
	t_assert_u64_eq(heap_count() - before, 4);
}

/* Ten million jobs, at most `depth` inside, do with the segments that `depth` jobs need. */
static void goes_round(uint32_t segment_size, uint64_t depth, uint64_t jobs)
{
	if (!lane_lives_long_enough(segment_size))
		return;
	struct wp_queue *q = lane_create(65536, segment_size);
	struct wp_job out[4];
	uint64_t before = heap_count();
	for (uint64_t i = 0; i < jobs; i += depth) {
		for (uint64_t k = 0; k < depth; k++)
			t_assert_int_eq(wp_queue_push(q, &any_job), 0);
		t_assert_u64_eq(wp_queue_pop_many(q, out, depth), depth);
	}
	t_assert_u64_eq(heap_count() - before, 0);
	/* One thread: nothing is taken or counted halfway. */
	t_assert(memory_of(q).segments_touched <= lane_most_segments(depth, segment_size, 0, 0));
	t_assert(memory_of(q).segments_touched <= 3);
	t_assert(wp__segqueue_is_valid(lane_of(q)));
	wp_queue_destroy(q);
}

T_TEST(queue_memory, a_nearly_empty_queue_touches_three_segments_at_most)
{
	goes_round(1024, 1, t_scaled(10000000));
	for (size_t i = 0; i < SIZES; i++)
		for (uint64_t depth = 1; depth <= 3; depth++)
			goes_round(sizes[i], depth, t_scaled(1000000));
}

/* ---- one producer, one consumer, close together ---- */

struct pair {
	struct wp_queue *q;
	uint64_t depth, until; /* when to come to an end */
	wp_atomic_u64 jobs, pushed, popped;
	struct wp__eventcount moved; /* either of them has */
};

/*
 * Until the other has moved the count on from `seen`; true where that took a sleep. Who sleeps is
 * let in soon on a busy machine; who yields waits for everybody else's share of time, and that at
 * each of very many turns.
 */
static bool until_it_moves(struct pair *p, const wp_atomic_u64 *count, uint64_t seen)
{
	for (unsigned looks = 0; looks < 100; looks++) {
		if (wp_load_acq_u64(count) != seen)
			return false;
		wp_spin_hint();
	}
	uint32_t key = wp__ec_prepare(&p->moved);
	while (wp_load_acq_u64(count) == seen) {
		(void)wp__ec_wait(&p->moved, key, UINT64_MAX);
		key = wp__ec_again(&p->moved);
	}
	wp__ec_leave(&p->moved);
	return true;
}

static void ping(struct pair *p)
{
	for (uint64_t i = 0; i < wp_load_rlx_u64(&p->jobs); i++) {
		/* Never more than `depth` inside, however long the consumer is away. */
		for (uint64_t popped; i - (popped = wp_load_acq_u64(&p->popped)) >= p->depth;)
			if (until_it_moves(p, &p->popped, popped) && wp_now_ns() >= p->until)
				wp_store_rlx_u64(&p->jobs, i + 1); /* before the last is pushed */
		t_assert_int_eq(wp_queue_push(p->q, &any_job), 0);
		wp_store_rel_u64(&p->pushed, i + 1);
		wp__ec_notify(&p->moved);
	}
}

static void pong(struct pair *p)
{
	struct wp_job out[8];
	for (uint64_t popped = 0; popped < wp_load_rlx_u64(&p->jobs);) {
		uint64_t pushed = wp_load_acq_u64(&p->pushed);
		size_t n = wp_queue_pop_many(p->q, out, 8);
		popped += n;
		if (n) {
			wp_store_rel_u64(&p->popped, popped);
			wp__ec_notify(&p->moved);
		} else {
			until_it_moves(p, &p->pushed, pushed);
		}
	}
}

static void ping_or_pong(void *arg, unsigned me)
{
	if (me == 0)
		ping(arg);
	else
		pong(arg);
}

/*
 * `popped` moves after pop_many has returned, so at most `depth` tickets are not counted done. They
 * lie in (depth + size - 2) / size + 1 blocks; the consumer's claim is among them, and the only
 * producer never finds that another was faster.
 */
static void goes_to_and_fro(uint32_t segment_size, uint64_t depth, uint64_t jobs)
{
	if (!lane_lives_long_enough(segment_size))
		return;
	struct pair p = { .q = lane_create(65536, segment_size), .depth = depth };
	/* Where turns take long because the machine is busy: those of a few seconds. */
	p.until = wp_after_ms(3000);
	wp_store_rlx_u64(&p.jobs, jobs);
	struct crew crew;
	crew_start(&crew, 2, ping_or_pong, &p);
	crew_join(&crew);
	uint64_t most = lane_most_segments(depth, segment_size, 0, 0);
	t_assert(most <= 3);
	t_assert(memory_of(p.q).segments_touched <= most);
	t_assert(wp__segqueue_is_valid(lane_of(p.q)));
	wp_queue_destroy(p.q);
}

T_TEST(queue_memory, two_threads_close_together_touch_three_segments_at_most)
{
	goes_to_and_fro(1024, 1024, t_scaled(10000000));
	goes_to_and_fro(64, 65, t_scaled(1000000));
	for (size_t i = 0; i < SIZES; i++)
		goes_to_and_fro(sizes[i], wp_min_u64(3, sizes[i] + 1), t_scaled(100000));
}

/* ---- many threads: no heap ---- */

struct steady {
	struct wp_queue *q;
	uint64_t jobs;
	unsigned producers;
	wp_atomic_u32 producing;
};

static void steady_part(void *arg, unsigned me)
{
	struct steady *s = arg;
	struct wp_job jobs[16];
	for (unsigned i = 0; i < 16; i++)
		jobs[i] = any_job;
	uint64_t before = heap_count();
	if (me < s->producers) {
		for (uint64_t i = 0; i < s->jobs; i += 1 + 5 + 16) {
			t_assert_int_eq(wp_queue_push(s->q, jobs), 0);
			t_assert_u64_eq(wp_queue_push_many(s->q, jobs, 5), 5);
			(void)wp_queue_try_push_many(s->q, jobs, 16);
		}
		wp_sub_rel_u32(&s->producing, 1);
	} else {
		while (wp_load_acq_u32(&s->producing) || wp_queue_depth(s->q))
			if (!wp_queue_pop_many(s->q, jobs, 16))
				wp__os_yield();
	}
	t_assert_u64_eq(heap_count() - before, 0);
}

static void steady_run(uint32_t segment_size, size_t capacity, unsigned consumers, uint64_t jobs)
{
	if (!lane_lives_long_enough(segment_size))
		return;
	struct steady s = {
		.q = lane_create(capacity, segment_size), .jobs = jobs, .producers = 4
	};
	struct crew crew;
	wp_store_rlx_u32(&s.producing, s.producers);
	crew_start(&crew, s.producers + consumers, steady_part, &s);
	crew_join(&crew);
	t_assert(memory_of(s.q).segments_touched <=
		 lane_most_segments(capacity + s.producers, segment_size, s.producers, consumers));
	t_assert(wp__segqueue_is_valid(lane_of(s.q)));
	wp_queue_destroy(s.q);
}

T_TEST(queue_memory, nothing_is_allocated_after_creation)
{
	for (size_t i = 0; i < SIZES; i++) {
		steady_run(sizes[i], 1000, 1, t_scaled(200000));
		steady_run(sizes[i], 1000, 4, t_scaled(200000));
		steady_run(sizes[i], 3, 1, t_scaled(20000));
	}
}

/* ---- figures ---- */

T_TEST(queue_memory, segments_are_touched_at_creation_when_asked_for)
{
	struct wp_queue_options o = WP_QUEUE_OPTIONS_INIT;
	struct wp_queue *q;
	o.capacity = 100;
	o.segment_size = 10;
	o.segment_count = 7;
	t_assert_int_eq(wp_queue_create(&q, &o), 0);
	struct wp_queue_memory m = memory_of(q);
	t_assert_u64_eq(m.segments_touched, 7);
	t_assert_u64_eq(m.segments_free, 7);
	t_assert_u64_eq(m.segments_reused, 0);
	t_assert(m.segments_reserved >= 12);
	o.segment_count = (uint32_t)m.segments_reserved;
	struct wp_queue *all;
	t_assert_int_eq(wp_queue_create(&all, &o), 0);
	t_assert_u64_eq(memory_of(all).segments_free, m.segments_reserved);
	wp_queue_destroy(all);
	o.segment_count++;
	t_assert_int_eq(wp_queue_create(&all, &o), WP_EINVAL);
	for (unsigned i = 0; i < 25; i++)
		t_assert_int_eq(wp_queue_try_push(q, &any_job), 0);
	m = memory_of(q);
	t_assert_u64_eq(m.segments_touched, 7);
	t_assert_u64_eq(m.segments_reused, 7 - m.segments_free);
	t_assert(m.segments_free == 4); /* a queue starts with a block's first slot */
	wp_queue_destroy(q);
}

T_TEST(queue_memory, figures_of_nothing)
{
	struct wp_queue *q = lane_create(1, 1);
	wp_queue_memory(q, NULL);
	struct wp_queue_memory m = { .segment_bytes = 4711 };
	wp_queue_memory(NULL, &m);
	wp_queue_destroy(q);
}

/* A full queue touches what its capacity needs, filled again and again not one more. */
T_TEST(queue_memory, a_full_queue_touches_what_its_capacity_needs)
{
	for (size_t i = 0; i < SIZES; i++) {
		if (!lane_lives_long_enough(sizes[i]))
			continue;
		struct wp_queue *q = lane_create(5000, sizes[i]);
		struct wp_job out[64];
		for (unsigned round = 0; round < 50; round++) {
			for (unsigned k = 0; k < 5000; k++)
				t_assert_int_eq(wp_queue_try_push(q, &any_job), 0);
			while (wp_queue_pop_many(q, out, 64))
				;
		}
		struct wp_queue_memory m = memory_of(q);
		t_assert(m.segments_touched >= 5000 / sizes[i]);
		t_assert(m.segments_touched <= lane_most_segments(5000, sizes[i], 0, 0));
		t_assert(m.segments_free + 1 >= m.segments_touched);
		wp_queue_destroy(q);
	}
}
