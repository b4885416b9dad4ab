/* SPDX-License-Identifier: MIT */
/*
 * Many threads, all ways to push, disturbed at the labelled points: each job comes out exactly
 * once, and the jobs of each producer come out in order.
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

#define BURST_MAX 500

struct load {
	unsigned producers, consumers;
	size_t capacity;
	uint32_t segment_size;
	unsigned burst; /* most jobs in one call */
	uint64_t jobs;  /* of all producers together */
	bool pop_late;  /* not before some producer has waited: there are more than have room */

	struct wp_queue *q;
	struct ledger ledger;
	struct ledger_reader readers[CREW_MAX];
	wp_atomic_u32 producing; /* producers that have not finished */
};

/* One call with up to n of the jobs; how many went in. */
static size_t push_somehow(
	struct wp_queue *q, const struct wp_job *jobs, size_t n, struct wp__rng *rng)
{
	int error;
	switch (wp__rng_below(rng, 5)) {
	case 0:
		t_assert_int_eq(wp_queue_push(q, jobs), 0);
		return 1;
	case 1:
		error = wp_queue_try_push(q, jobs);
		t_assert(error == 0 || error == WP_EFULL);
		return error == 0;
	case 2:
		error = wp_queue_push_until(q, jobs, wp_after_ns(wp__rng_below(rng, 200000)));
		t_assert(error == 0 || error == WP_ETIMEDOUT);
		return error == 0;
	case 3:
		t_assert_u64_eq(wp_queue_push_many(q, jobs, n), n);
		return n;
	default:
		return wp_queue_try_push_many(q, jobs, n);
	}
}

static void produce(struct load *load, unsigned me)
{
	struct wp__rng rng = { me + 1 };
	struct wp_job jobs[BURST_MAX];
	uint64_t seq = 0;
	while (seq < load->ledger.each) {
		size_t n = 1 + wp__rng_below(&rng, load->burst);
		n = wp_min_u64(n, load->ledger.each - seq);
		for (size_t i = 0; i < n; i++)
			jobs[i] = ledger_job(&load->ledger, me, seq + i);
		size_t in = push_somehow(load->q, jobs, n, &rng);
		if (in == 0)
			wp__os_yield();
		seq += in;
	}
	wp_sub_rel_u32(&load->producing, 1);
}

static void consume(struct load *load, unsigned me)
{
	struct wp__rng rng = { ~(uint64_t)me };
	struct wp_job out[BURST_MAX];
	struct ledger_reader *reader = &load->readers[me];
	while (load->pop_late && wp__fault_calls(WP_FAULT_FUTEX_WAIT) == 0)
		wp__os_yield();
	for (;;) {
		bool producing = wp_load_acq_u32(&load->producing);
		size_t n = wp_queue_pop_many(load->q, out, 1 + wp__rng_below(&rng, load->burst));
		ledger_take_many(reader, out, n);
		if (n)
			continue;
		if (!producing && wp_queue_depth(load->q) == 0)
			return;
		wp__os_yield();
	}
}

static void take_part(void *arg, unsigned me)
{
	struct load *load = arg;
	if (me < load->producers)
		produce(load, me);
	else
		consume(load, me - load->producers);
}

static void run(struct load *load)
{
	if (!lane_lives_long_enough(load->segment_size))
		return;
	uint64_t each = t_scaled(load->jobs) / load->producers + 1;
	load->q = lane_create(load->capacity, load->segment_size);
	ledger_open(&load->ledger, load->producers, each);
	for (unsigned i = 0; i < load->consumers; i++)
		ledger_reader_open(&load->readers[i], &load->ledger, load->consumers == 1);
	wp_store_rlx_u32(&load->producing, load->producers);

	struct crew crew;
	crew_start(&crew, load->producers + load->consumers, take_part, load);
	crew_join(&crew);

	struct wp_queue_memory memory;
	wp_queue_memory(load->q, &memory);
	t_assert(memory.segments_touched <= lane_most_segments(load->capacity + load->producers,
						    load->segment_size, load->producers,
						    load->consumers));
	t_assert(wp__segqueue_is_valid(lane_of(load->q)));
	t_assert_u64_eq(wp_queue_depth(load->q), 0);
	for (unsigned i = 0; i < load->consumers; i++)
		ledger_post(&load->ledger, &load->readers[i]);
	for (unsigned i = 0; i < load->producers; i++)
		ledger_expect(&load->ledger, i, each);
	ledger_close(&load->ledger);
	wp_queue_destroy(load->q);
}

static const uint32_t sizes[] = { 1, 2, 3, 5, 64, 1024 };
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static void run_all_sizes(struct load load, uint64_t jobs)
{
	for (size_t i = 0; i < SIZES; i++) {
		load.segment_size = sizes[i];
		load.jobs = jobs;
		run(&load);
	}
}

/* For each segment size. */
#define JOBS UINT64_C(1000000)

#define GENTLE wp__chaos(1, 2, 0)  /* far from each other: many jobs between two disturbances */
#define ROUGH  wp__chaos(2, 64, 2) /* in the midst of everything */

T_TEST(queue_stress, small_bursts)
{
	GENTLE;
	run_all_sizes((struct load){ 16, 16, .capacity = 1024, .burst = 3 }, JOBS);
}

T_TEST(queue_stress, large_bursts)
{
	GENTLE;
	run_all_sizes((struct load){ 16, 16, .capacity = 4096, .burst = 500 }, JOBS);
}

T_TEST(queue_stress, small_bursts_roughly)
{
	ROUGH;
	run_all_sizes((struct load){ 16, 16, .capacity = 1024, .burst = 3 }, JOBS / 4);
}

T_TEST(queue_stress, large_bursts_roughly)
{
	ROUGH;
	run_all_sizes((struct load){ 16, 16, .capacity = 4096, .burst = 500 }, JOBS);
}

T_TEST(queue_stress, hardly_any_room)
{
	static const size_t capacities[] = { 1, 7, 64, 100 };
	for (size_t i = 0; i < 4; i++) {
		GENTLE;
		run_all_sizes(
			(struct load){ 16, 16, .capacity = capacities[i], .burst = 3 }, JOBS / 100);
		run_all_sizes((struct load){ 16, 16, .capacity = capacities[i], .burst = 500 },
			JOBS / 100);
		ROUGH;
		run_all_sizes(
			(struct load){ 16, 16, .capacity = capacities[i], .burst = 3 }, JOBS / 400);
	}
}

T_TEST(queue_stress, hardly_any_room_for_one_consumer)
{
	static const size_t capacities[] = { 1, 7, 64, 100 };
	for (size_t i = 0; i < 4; i++) {
		GENTLE;
		run_all_sizes(
			(struct load){ 16, 1, .capacity = capacities[i], .burst = 3 }, JOBS / 100);
		run_all_sizes(
			(struct load){ 2, 1, .capacity = capacities[i], .burst = 500 }, JOBS / 100);
	}
}

T_TEST(queue_stress, more_room_than_jobs)
{
	GENTLE;
	run_all_sizes((struct load){ 16, 16, .capacity = 1u << 20, .burst = 3 }, JOBS / 12);
	run_all_sizes((struct load){ 16, 16, .capacity = 1u << 20, .burst = 500 }, JOBS / 12);
}

T_TEST(queue_stress, more_threads_than_one_would_use)
{
	GENTLE;
	run(&(struct load){
		48, 16, .capacity = 200, .segment_size = 4, .burst = 3, .jobs = JOBS / 4 });
}

T_TEST(queue_stress, large_segments)
{
	GENTLE;
	run(&(struct load){
		16, 16, .capacity = 8192, .segment_size = 4096, .burst = 500, .jobs = JOBS });
	run(&(struct load){
		16, 16, .capacity = 1000, .segment_size = 4096, .burst = 3, .jobs = JOBS / 4 });
}

/* With one consumer there is one order of all jobs, and every producer's is part of it. */
T_TEST(queue_stress, one_consumer_sees_every_producer_in_order)
{
	GENTLE;
	run_all_sizes((struct load){ 16, 1, .capacity = 1024, .burst = 3 }, JOBS / 12);
	run_all_sizes((struct load){ 16, 1, .capacity = 1024, .burst = 500 }, JOBS / 12);
}

T_TEST(queue_stress, one_producer_and_many_consumers)
{
	GENTLE;
	run_all_sizes((struct load){ 1, 16, .capacity = 1000, .burst = 3 }, JOBS / 12);
	run_all_sizes((struct load){ 1, 16, .capacity = 1000, .burst = 500 }, JOBS / 12);
}

T_TEST(queue_stress, one_producer_and_one_consumer)
{
	GENTLE;
	run_all_sizes((struct load){ 1, 1, .capacity = 100, .burst = 3 }, JOBS / 12);
	run_all_sizes((struct load){ 1, 1, .capacity = 1000, .burst = 500 }, JOBS / 12);
}

/* A wait that ends for no reason (a signal, say) is a reason to look again and for nothing else. */
T_TEST(queue_stress, waits_that_end_for_no_reason)
{
	GENTLE;
	wp__fault_arm(WP_FAULT_FUTEX_WAIT, 1, true, 4);
	run_all_sizes(
		(struct load){ 16, 4, .capacity = 7, .burst = 3, .pop_late = true }, JOBS / 200);
	t_assert(wp__fault_failures(WP_FAULT_FUTEX_WAIT) > 0);
	wp__fault_disarm();
}

/* A wake that comes late. */
T_TEST(queue_stress, wakes_that_come_late)
{
	GENTLE;
	wp__fault_arm(WP_FAULT_FUTEX_WAKE, 1, true, 4);
	run_all_sizes((struct load){ 16, 4, .capacity = 7, .burst = 3 }, JOBS / 200);
	wp__fault_disarm();
}
