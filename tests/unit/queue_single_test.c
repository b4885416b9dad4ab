/* SPDX-License-Identifier: MIT */
/* A queue with one producer: order, exact capacity, close, waiting for room, slots in place. */
#include <errno.h>
#include <wpool/queue.h>

#include <wpool/clock.h>
#include <wpool/error.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "crew.h"
#include "hooks.h"
#include "lane.h"
#include "ledger.h"
#include "queue/single.h"

static const size_t capacities[] = { 1, 2, 3, 63, 64, 65, 1000 };
static const uint32_t sizes[] = { 1, 2, 3, 5, 64, 100, 1024, 4096 };
#define CAPACITIES (sizeof(capacities) / sizeof(capacities[0]))
#define SIZES      (sizeof(sizes) / sizeof(sizes[0]))

static struct wp_queue *create(size_t capacity, uint32_t segment_size)
{
	struct wp_queue_options o = WP_QUEUE_OPTIONS_INIT;
	o.capacity = capacity;
	o.segment_size = segment_size;
	o.single_producer = true;
	struct wp_queue *q;
	t_assert_int_eq(wp_queue_create(&q, &o), 0);
	t_assert(lane_of(q)->single);
	return q;
}

static struct wp_job job_of(uint64_t i)
{
	return (struct wp_job){ .fn = ledger_fn0, .payload = (void *)(uintptr_t)(i + 1) };
}

static uint64_t pop(struct wp_queue *q, uint64_t next, size_t max)
{
	struct wp_job out[64];
	size_t n = wp_queue_pop_many(q, out, wp_min_u64(max, 64));
	for (size_t i = 0; i < n; i++)
		t_assert_u64_eq((uintptr_t)out[i].payload, ++next);
	return next;
}

/* ---- one thread ---- */

static void fill_and_empty(size_t capacity, uint32_t size)
{
	struct wp_queue *q = create(capacity, size);
	struct wp__rng rng = { capacity * 8192 + size };
	uint64_t in = 0, out = 0;
	wp__fault_reset_counts();
	for (uint64_t stop = 3 * (capacity + size); out < stop;) {
		struct wp_job jobs[80];
		uint64_t room = capacity - (in - out), k = 1 + wp__rng_below(&rng, 80);
		for (uint64_t i = 0; i < k; i++)
			jobs[i] = job_of(in + i);
		if (wp__rng_below(&rng, 2)) {
			t_assert_u64_eq(wp_queue_try_push_many(q, jobs, k), wp_min_u64(k, room));
			in += wp_min_u64(k, room);
		} else {
			t_assert_int_eq(wp_queue_try_push(q, jobs), room ? 0 : WP_EFULL);
			in += room > 0;
		}
		t_assert_u64_eq(wp_queue_depth(q), in - out);
		if (in - out == capacity || wp__rng_below(&rng, 4) == 0)
			out = pop(q, out, 1 + wp__rng_below(&rng, 64));
		t_assert_u64_eq(wp_queue_depth(q), in - out);
		t_assert(wp__segqueue_is_valid(lane_of(q)));
	}
	t_assert_u64_eq(wp__fault_calls(WP_FAULT_ALLOC), 0);
	t_assert_u64_eq(wp__fault_calls(WP_FAULT_RESERVE), 0);
	struct wp_queue_memory m;
	wp_queue_memory(q, &m);
	t_assert(m.segments_touched <= lane_most_segments(capacity, size, 0, 0));
	wp_queue_close(q);
	struct wp_job late = job_of(0);
	t_assert_int_eq(wp_queue_push(q, &late), WP_ECLOSED);
	t_assert_int_eq(wp_queue_try_push(q, &late), WP_ECLOSED);
	t_assert_u64_eq(wp_queue_push_many(q, &late, 1), 0);
	t_assert_u64_eq(wp_queue_depth(q), in - out);
	while (out < in)
		out = pop(q, out, 64);
	t_assert_u64_eq(wp_queue_depth(q), 0);
	wp_queue_destroy(q);
}

T_TEST(queue_single, first_in_first_out_with_exact_capacity)
{
	for (size_t s = 0; s < SIZES; s++)
		for (size_t c = 0; c < CAPACITIES && lane_lives_long_enough(sizes[s]); c++)
			fill_and_empty(capacities[c], sizes[s]);
}

T_TEST(queue_single, refuses_what_is_not_a_job_and_waits_no_longer_than_told)
{
	struct wp_queue *q = create(1, 1);
	struct wp_job job = job_of(0), none = { .fn = NULL };
	t_assert_int_eq(wp_queue_push(q, NULL), WP_EINVAL);
	t_assert_int_eq(wp_queue_try_push(q, &none), WP_EINVAL);
	t_assert_u64_eq(wp_queue_push_many(q, &none, 1), 0);
	t_assert_int_eq(wp_queue_push_until(q, &job, wp_after_ns(1000)), 0);
	t_assert_int_eq(wp_queue_try_push(q, &job), WP_EFULL);
	t_assert_int_eq(wp_queue_push_until(q, &job, 0), WP_ETIMEDOUT);
	t_assert_int_eq(wp_queue_push_until(q, &job, wp_after_ns(100000)), WP_ETIMEDOUT);
	t_assert_u64_eq(pop(q, 0, 9), 1);
	t_assert_int_eq(wp_queue_push_until(q, &job, 0), 0);
	wp_queue_destroy(q);
}

/* ---- slots that are filled in place ---- */

T_TEST(queue_single, slots_are_reserved_and_committed_in_parts)
{
	struct wp__segqueue *lane = wp__alloc(WP_ALONE, sizeof(*lane));
	struct wp__segqueue_options o = {
		.capacity = 6, .segment_size = 4, .first_ticket = WP_FIRST_TICKET(), .single = true
	};
	struct wp__single s;
	struct wp_job *slots, out[8];
	struct wp__claim claim;
	int error = 0;
	size_t n = 9;
	t_assert(lane && wp__segqueue_init(lane, &o) == 0);
	wp__single_init(&s, lane);
	t_assert((slots = wp__single_reserve(&s, &n, &error)) != NULL);
	t_assert_u64_eq(n, 4); /* up to the segment's end */
	for (uint64_t i = 0; i < 4; i++)
		slots[i] = job_of(i);
	t_assert_int_eq(wp__single_commit(&s, 0), 0);
	t_assert(!wp__segqueue_claim(lane, out, 8, 1, 1, &claim));
	t_assert_int_eq(wp__single_commit(&s, 1), 0);
	t_assert(wp__segqueue_claim(lane, out, 8, 1, 1, &claim));
	t_assert_u64_eq(claim.count, 1);
	n = 2;
	t_assert(wp__single_reserve(&s, &n, &error) == slots + 1);
	t_assert_u64_eq(n, 2);
	t_assert_int_eq(wp__single_commit(&s, 3), 0);
	n = 9;
	t_assert((slots = wp__single_reserve(&s, &n, &error)) != NULL);
	t_assert_u64_eq(n, 2); /* up to the limit that was known */
	slots[0] = job_of(4);
	slots[1] = job_of(5);
	wp__single_put_to_sleep(lane);
	t_assert_int_eq(wp__single_commit(&s, 1), WP__PUSHED_WAKE);
	t_assert(wp__single_wake(lane) && !wp__single_wake(lane));
	t_assert_int_eq(wp__single_commit(&s, 1), 0);
	n = 9;
	t_assert(wp__single_reserve(&s, &n, &error) == slots + 2);
	t_assert_u64_eq(n, 1); /* six may be inside, five are */
	slots[2] = job_of(6);
	t_assert_int_eq(wp__single_commit(&s, 1), 0);
	t_assert(!wp__single_reserve(&s, &n, &error));
	t_assert_int_eq(error, WP_EFULL);
	t_assert(wp__segqueue_claim(lane, out, 1, 1, 1, &claim));
	n = 1;
	t_assert(wp__single_reserve(&s, &n, &error) != NULL);
	t_assert(wp__single_begin_close(lane));
	wp__single_heavy_fence(false);
	t_assert(wp__single_finish_close(lane));
	t_assert(!wp__single_begin_close(lane) && !wp__single_finish_close(lane));
	t_assert_int_eq(wp__single_commit(&s, 1), WP_ECLOSED);
	t_assert_u64_eq(wp__segqueue_accepted(lane), 7);
	for (uint64_t next = 2; next < 7;) {
		t_assert(wp__segqueue_claim(lane, out, 8, 1, 1, &claim));
		for (uint32_t i = 0; i < claim.count; i++)
			t_assert_u64_eq((uintptr_t)out[i].payload, ++next);
	}
	t_assert(!wp__segqueue_claim(lane, out, 8, 1, 1, &claim));
	t_assert(wp__segqueue_is_empty(lane) && wp__segqueue_is_valid(lane));
	wp__segqueue_fini(lane);
	wp__free(lane);
}

/* ---- one producer, many consumers ---- */

struct load {
	struct wp_queue *q;
	struct ledger ledger;
	struct ledger_reader readers[16];
	uint64_t seed, accepted;
	wp_atomic_u32 producing;
	unsigned consumers;
};

static void produce(struct load *load)
{
	struct wp__rng rng = { load->seed };
	struct wp_job jobs[100];
	uint64_t seq = 0;
	bool closed = false;
	while (seq < load->ledger.each && !closed) {
		size_t n = wp_min_u64(1 + wp__rng_below(&rng, 100), load->ledger.each - seq);
		for (size_t i = 0; i < n; i++)
			jobs[i] = ledger_job(&load->ledger, 0, seq + i);
		size_t in = 0;
		int error = 0;
		switch (wp__rng_below(&rng, 5)) {
		case 0:
			in = wp_queue_push_many(load->q, jobs, n);
			closed = in < n;
			break;
		case 1:
			in = wp_queue_try_push_many(load->q, jobs, n);
			break;
		case 2:
			error = wp_queue_push_until(load->q, jobs, wp_after_ns(50000));
			in = !error;
			break;
		default:
			error = wp_queue_push(load->q, jobs);
			in = !error;
		}
		closed |= error == WP_ECLOSED;
		t_assert(error == 0 || error == WP_ECLOSED || error == WP_ETIMEDOUT);
		seq += in;
	}
	load->accepted = seq;
	wp_store_rel_u32(&load->producing, 0);
}

static void take_part(void *arg, unsigned me)
{
	struct load *load = arg;
	struct wp__rng rng = { load->seed + me };
	struct wp_job out[64];
	if (me == 0) {
		produce(load);
	} else if (me > load->consumers) {
		for (uint64_t n = wp__rng_below(&rng, 300); n--;)
			wp_spin_hint();
		wp_queue_close(load->q);
	} else {
		for (;;) {
			bool producing = wp_load_acq_u32(&load->producing);
			size_t n = wp_queue_pop_many(load->q, out, 1 + wp__rng_below(&rng, 64));
			ledger_take_many(&load->readers[me - 1], out, n);
			if (n == 0 && !producing && wp_queue_depth(load->q) == 0)
				return;
			if (n == 0)
				wp__os_yield();
		}
	}
}

/* With closers: accepted == popped, to the job. */
static void run(unsigned consumers, unsigned closers, size_t capacity, uint32_t size, uint64_t each)
{
	struct load load = { .consumers = consumers, .seed = each + capacity + size };
	load.q = create(capacity, size);
	ledger_open(&load.ledger, 1, each);
	for (unsigned i = 0; i < consumers; i++)
		ledger_reader_open(&load.readers[i], &load.ledger, consumers == 1);
	wp_store_rlx_u32(&load.producing, 1);
	struct crew crew;
	crew_start(&crew, 1 + consumers + closers, take_part, &load);
	crew_join(&crew);
	t_assert(closers || load.accepted == each);
	t_assert_u64_eq(wp__segqueue_accepted(lane_of(load.q)), load.accepted);
	t_assert_u64_eq(wp_queue_depth(load.q), 0);
	t_assert(wp__segqueue_is_valid(lane_of(load.q)));
	for (unsigned i = 0; i < consumers; i++)
		ledger_post(&load.ledger, &load.readers[i]);
	ledger_expect(&load.ledger, 0, load.accepted);
	ledger_close(&load.ledger);
	wp_queue_destroy(load.q);
}

T_TEST_TIMEOUT(queue_single, each_job_comes_out_once, 400)
{
	for (size_t s = 0; s < SIZES; s++) {
		wp__chaos(s + 1, s % 2 ? 32 : 2, s % 2);
		for (unsigned consumers = 1; consumers <= 16; consumers *= 4) {
			if (!lane_lives_long_enough(sizes[s]))
				continue;
			run(consumers, 0, 1000, sizes[s], t_scaled(20000));
			run(consumers, 0, capacities[s % CAPACITIES], sizes[s], t_scaled(2000));
		}
	}
}

static void close_rounds(uint64_t rounds)
{
	for (uint64_t round = 0; round < rounds; round++) {
		wp__chaos(round + 1, round % 3 ? 128 : 8, round % 64 == 0);
		run(1 + round % 2, 1 + round % 2, capacities[round % 5],
			UINT32_C(1) << 2 * (round % 4), 200 + round % 100);
	}
}

T_TEST_TIMEOUT(queue_single, a_close_against_pushes_loses_nothing, 400)
{
	close_rounds(t_scaled(10000));
}

/* A lane that has no membarrier from the beginning, and one that loses it. */
T_TEST(queue_single, works_without_membarrier)
{
	wp__fault_arm(WP_FAULT_MEMBARRIER, 1, true, ENOSYS);
	struct wp_queue *q = create(4, 2);
	t_assert(!lane_of(q)->light);
	wp_queue_destroy(q);
	run(2, 0, 64, 16, t_scaled(20000));
	close_rounds(t_scaled(300));
	wp__fault_disarm();
	q = create(4, 2);
	if (lane_of(q)->light) {
		struct wp_job job = job_of(0);
		t_assert_int_eq(wp_queue_push(q, &job), 0);
		wp__fault_arm(WP_FAULT_MEMBARRIER, 1, true, EPERM);
		wp_queue_close(q);
		t_assert_int_eq(wp_queue_push(q, &job), WP_ECLOSED);
		t_assert_u64_eq(wp_queue_depth(q), 1);
		wp__fault_disarm();
	}
	wp_queue_destroy(q);
}
