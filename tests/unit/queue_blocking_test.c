/* SPDX-License-Identifier: MIT */
/*
 * Pushes that wait for room: how many get in, that those who should wake do, and what a close
 * leaves behind. A wake-up that is lost makes a test hang until its limit.
 */
#include <wpool/queue.h>

#include <stdlib.h>
#include <string.h>

#include <wpool/clock.h>
#include <wpool/error.h>

#include "base/rng.h"
#include "crew.h"
#include "hooks.h"
#include "lane.h"
#include "ledger.h"

struct scene {
	struct wp_queue *q;
	unsigned producers, consumers;
	size_t capacity;
	uint64_t each; /* jobs that a producer tries to push */
	struct ledger ledger;
	struct ledger_reader readers[CREW_MAX];
	wp_atomic_u64 accepted[CREW_MAX]; /* per producer; a push has returned 0 */
	wp_atomic_u32 pushing;            /* producers that go on */
	wp_atomic_u32 stop;
	uint64_t seed;
};

static void scene_open(struct scene *s, uint32_t segment_size)
{
	s->q = lane_create(s->capacity, segment_size);
	ledger_open(&s->ledger, s->producers, s->each);
	for (unsigned i = 0; i < s->consumers; i++)
		ledger_reader_open(&s->readers[i], &s->ledger, s->consumers == 1);
	for (unsigned i = 0; i < s->producers; i++)
		wp_store_rlx_u64(&s->accepted[i], 0);
	wp_store_rlx_u32(&s->pushing, s->producers);
	wp_store_rlx_u32(&s->stop, 0);
}

/* What every producer was told went in is what came out. */
static void scene_close(struct scene *s)
{
	t_assert_u64_eq(wp_queue_depth(s->q), 0);
	t_assert(wp__segqueue_is_valid(lane_of(s->q)));
	t_assert_u64_eq(wp_load_rlx_u32(&lane_of(s->q)->room.waiters), 0);
	for (unsigned i = 0; i < s->consumers; i++)
		ledger_post(&s->ledger, &s->readers[i]);
	for (unsigned i = 0; i < s->producers; i++)
		ledger_expect(&s->ledger, i, wp_load_rlx_u64(&s->accepted[i]));
	ledger_close(&s->ledger);
	wp_queue_destroy(s->q);
}

/* Pushes one after the other by calls that wait, until all are in or the queue is closed. */
static void produce(struct scene *s, unsigned me)
{
	struct wp__rng rng = { s->seed * CREW_MAX + me };
	uint64_t seq = 0;
	while (seq < s->each) {
		struct wp_job jobs[8];
		size_t n = wp_min_u64(1 + wp__rng_below(&rng, 8), s->each - seq), in = 0;
		for (size_t i = 0; i < n; i++)
			jobs[i] = ledger_job(&s->ledger, me, seq + i);
		uint64_t way = wp__rng_below(&rng, 4);
		int error = 0;
		if (way == 0)
			in = wp_queue_push_many(s->q, jobs, n), error = in < n ? WP_ECLOSED : 0;
		else if (way == 1)
			/* Later than the test may end: a busy machine lets consumers wait. */
			error = wp_queue_push_until(s->q, jobs, wp_after_ms(3600000)), in = !error;
		else
			error = wp_queue_push(s->q, jobs), in = !error;
		seq += in;
		/* rel: a watcher that sees the count sees a lane that holds or held the job */
		wp_store_rel_u64(&s->accepted[me], seq);
		t_assert_msg(error == 0 || error == WP_ECLOSED, "error %d", error);
		if (error)
			break;
	}
	wp_sub_rel_u32(&s->pushing, 1);
}

static void consume(struct scene *s, unsigned me)
{
	struct wp__rng rng = { ~(s->seed * CREW_MAX + me) };
	struct wp_job out[16];
	for (;;) {
		bool going_on = wp_load_acq_u32(&s->pushing);
		size_t n = wp_queue_pop_many(s->q, out, 1 + wp__rng_below(&rng, 16));
		ledger_take_many(&s->readers[me], out, n);
		if (n == 0 && !going_on && wp_queue_depth(s->q) == 0)
			return;
		if (n == 0)
			wp__os_yield();
	}
}

static uint64_t accepted(const struct scene *s)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < s->producers; i++)
		sum += wp_load_acq_u64(&s->accepted[i]);
	return sum;
}

/* ---- capacity ---- */

static void only_produce(void *arg, unsigned me)
{
	produce(arg, me);
}

/*
 * With nobody popping exactly `capacity` jobs go in, whatever the number of producers; then one
 * for each that comes out.
 */
T_TEST(queue_blocking, as_many_go_in_as_there_is_room)
{
	static const size_t capacities[] = { 1, 7, 64, 100 };
	for (size_t i = 0; i < 4; i++) {
		struct scene s = { .producers = 16, .consumers = 1, .capacity = capacities[i] };
		s.each = 200 / 16 + 2 * capacities[i];
		scene_open(&s, 3 - (uint32_t)!lane_lives_long_enough(3));
		struct crew crew;
		crew_start(&crew, s.producers, only_produce, &s);
		uint64_t inside = s.capacity, total = s.producers * s.each;
		for (uint64_t popped = 0; popped < total;) {
			struct wp_job out[3];
			uint64_t expected = wp_min_u64(popped + inside, total);
			while (accepted(&s) < expected && wp_load_rlx_u32(&s.pushing) > 0) {
				/* A push of many reports when all are in: look inside, too. */
				if (wp__segqueue_accepted(lane_of(s.q)) >= expected)
					break;
				wp__os_yield();
			}
			wp__os_yield();
			t_assert(accepted(&s) <= popped + s.capacity);
			struct wp_job one = ledger_job(&s.ledger, 0, 0);
			if (expected < total)
				t_assert_int_eq(wp_queue_try_push(s.q, &one), WP_EFULL);
			size_t n = wp_queue_pop_many(s.q, out, 1 + popped % 3);
			ledger_take_many(&s.readers[0], out, n);
			popped += n;
		}
		crew_join(&crew);
		scene_close(&s);
	}
}

static void take_part_watched(void *arg, unsigned me)
{
	struct scene *s = arg;
	if (me < s->producers) {
		produce(s, me);
	} else if (me < s->producers + s->consumers) {
		consume(s, me - s->producers);
		wp_store_rlx_u32(&s->stop, 1);
	} else {
		while (!wp_load_rlx_u32(&s->stop)) {
			/*
			 * First what is in, then what is out: so the difference is never too
			 * large.
			 */
			uint64_t in = accepted(s);
			uint64_t out = wp__segqueue_claimed(lane_of(s->q));
			t_assert_msg(in <= out + s->capacity, "%llu in, %llu out, capacity %zu",
				(unsigned long long)in, (unsigned long long)out, s->capacity);
			t_assert(wp_queue_depth(s->q) <= s->capacity);
		}
	}
}

T_TEST(queue_blocking, never_more_inside_than_the_capacity)
{
	static const size_t capacities[] = { 1, 7, 64, 100, 1000 };
	for (size_t i = 0; i < 5; i++) {
		for (unsigned rough = 0; rough < 2; rough++) {
			wp__chaos(i + 1, rough ? 64 : 2, rough);
			struct scene s = { .producers = 14,
				.consumers = 2,
				.capacity = capacities[i],
				.each = t_scaled(rough ? 500 : 2000) };
			scene_open(&s, 4);
			struct crew crew;
			crew_start(&crew, 17, take_part_watched, &s);
			crew_join(&crew);
			scene_close(&s);
		}
	}
}

/* ---- wake-ups ---- */

/* Each pop makes room for one of many sleepers; nobody else will ever wake them. */
static void one_by_one(unsigned producers, size_t capacity, uint32_t segment_size, uint64_t each)
{
	struct scene s = { .producers = producers, .consumers = 1, .capacity = capacity };
	s.each = each;
	scene_open(&s, segment_size);
	struct crew crew;
	crew_start(&crew, producers, only_produce, &s);
	for (uint64_t popped = 0; popped < producers * each;) {
		struct wp_job out;
		if (wp_queue_pop_many(s.q, &out, 1)) {
			ledger_take(&s.readers[0], &out);
			popped++;
		} else {
			wp__os_yield();
		}
	}
	crew_join(&crew);
	scene_close(&s);
}

/* A hundred thousand turns: where others use the processors, as many as a minute lets them be. */
T_TEST(queue_blocking, each_pop_lets_one_in)
{
	uint64_t end = wp_after_ms(60000);
	for (uint64_t seed = 1; seed <= 8 && (seed == 1 || wp_now_ns() < end); seed++) {
		wp__chaos(seed, 32 * (unsigned)(seed % 3), seed % 4);
		one_by_one(16, 1, 1, t_scaled(400));
		one_by_one(2, 1, 2, t_scaled(2000));
		one_by_one(1, 1, 64, t_scaled(2000));
		one_by_one(16, 64, 16, t_scaled(800));
	}
}

static void push_in_time(void *arg, unsigned me)
{
	struct scene *s = arg;
	struct wp__rng rng = { s->seed + me };
	uint64_t seq = 0, refused = 0;
	while (seq < s->each) {
		struct wp_job job = ledger_job(&s->ledger, me, seq);
		uint64_t deadline = wp_after_ns(wp__rng_below(&rng, 100000));
		int error = wp_queue_push_until(s->q, &job, deadline);
		t_assert(error == 0 || error == WP_ETIMEDOUT);
		if (error) {
			t_assert(wp_now_ns() >= deadline);
			/* Now and then a push that may wait for ever: only a wake-up ends it. */
			if (++refused % 4 == 0)
				error = wp_queue_push(s->q, &job);
		}
		seq += error == 0;
	}
	wp_store_rlx_u64(&s->accepted[me], seq);
	wp_sub_rel_u32(&s->pushing, 1);
}

static void time_out_or_pop(void *arg, unsigned me)
{
	struct scene *s = arg;
	if (me < s->producers)
		push_in_time(s, me);
	else
		consume(s, me - s->producers);
}

/* Who gives up must not take the wake-up of another along. */
T_TEST(queue_blocking, timeouts_among_wakeups)
{
	for (uint64_t seed = 1; seed <= 6; seed++) {
		wp__chaos(seed, 16 * (unsigned)(seed % 3), seed % 2);
		struct scene s = { .producers = 12,
			.consumers = 1,
			.capacity = seed % 2 ? 1 : 5,
			.each = t_scaled(600),
			.seed = seed };
		scene_open(&s, 2);
		struct crew crew;
		crew_start(&crew, 13, time_out_or_pop, &s);
		crew_join(&crew);
		scene_close(&s);
	}
}

/* ---- close ---- */

static void until_closed(void *arg, unsigned me)
{
	struct scene *s = arg;
	if (me < s->producers) {
		produce(s, me);
	} else if (me < s->producers + s->consumers) {
		consume(s, me - s->producers);
	} else {
		struct wp__rng rng = { s->seed };
		for (uint64_t n = wp__rng_below(&rng, 300); n--;)
			wp_spin_hint();
		if (wp__rng_below(&rng, 4) == 0)
			wp__os_sleep(wp__rng_below(&rng, 200000));
		wp_queue_close(s->q);
	}
}

/* Round after round: who was told "in" is in, who was told "closed" is not. */
static void close_rounds(uint64_t rounds, unsigned producers, unsigned consumers)
{
	static const size_t capacities[] = { 1, 3, 64, 70, 256 };
	for (uint64_t round = 0; round < rounds; round++) {
		wp__chaos(round + 1, round % 3 ? 128 : 8, round % 4 == 0);
		struct scene s = { .producers = producers,
			.consumers = consumers,
			.capacity = capacities[round % 5],
			.each = 256,
			.seed = round + 1 };
		scene_open(&s, UINT32_C(1) << (2 * (round % 4)));
		struct crew crew;
		crew_start(&crew, producers + consumers + 1, until_closed, &s);
		crew_join(&crew);
		if (wp__segqueue_is_closed(lane_of(s.q)))
			t_assert_u64_eq(wp__segqueue_accepted(lane_of(s.q)), accepted(&s));
		scene_close(&s);
	}
}

T_TEST(queue_blocking, a_close_among_pushes_loses_nothing)
{
	close_rounds(t_scaled(3000), 6, 2);
}

T_TEST(queue_blocking, a_close_among_many_pushes_loses_nothing)
{
	close_rounds(t_scaled(300), 24, 1);
}

static void wait_until_closed(void *arg, unsigned me)
{
	struct scene *s = arg;
	struct wp_job job = ledger_job(&s->ledger, me, 0);
	if (me % 3 == 0)
		t_assert_int_eq(wp_queue_push(s->q, &job), WP_ECLOSED);
	else if (me % 3 == 1)
		t_assert_int_eq(wp_queue_push_until(s->q, &job, WP_FOREVER), WP_ECLOSED);
	else
		t_assert_u64_eq(wp_queue_push_many(s->q, &job, 1), 0);
}

T_TEST(queue_blocking, a_close_wakes_all_who_sleep)
{
	for (unsigned round = 0; round < 20; round++) {
		struct scene s = { .producers = 17, .consumers = 1, .capacity = 3, .each = 3 };
		scene_open(&s, 2);
		struct crew crew;
		for (uint64_t i = 0; i < 3; i++) {
			struct wp_job job = ledger_job(&s.ledger, 16, i);
			t_assert_int_eq(wp_queue_push(s.q, &job), 0);
		}
		wp__fault_reset_counts();
		crew_start(&crew, 16, wait_until_closed, &s);
		while (wp__fault_calls(WP_FAULT_FUTEX_WAIT) < 16)
			wp__os_yield();
		wp_queue_close(s.q);
		crew_join(&crew);
		wp_store_rlx_u64(&s.accepted[16], 3);
		struct wp_job out[8];
		t_assert_u64_eq(wp_queue_pop_many(s.q, out, 8), 3);
		ledger_take_many(&s.readers[0], out, 3);
		scene_close(&s);
	}
}
