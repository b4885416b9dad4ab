/* SPDX-License-Identifier: MIT */
/*
 * The lane from inside: the source itself is compiled into this program, so that the arithmetic of
 * tickets, blocks and laps can be looked at where it is hard to reach from outside.
 */
#include "queue/segqueue.c"

#include <stdlib.h>

#include "base/rng.h"
#include "crew.h"
#include "hooks.h"
#include "lane.h"
#include "ledger.h"

static struct wp__segqueue *make_at(uint64_t capacity, uint32_t size, uint64_t first_ticket)
{
	struct wp__segqueue *q = wp__alloc(WP_ALONE, sizeof(*q));
	struct wp__segqueue_options options = {
		.capacity = capacity, .segment_size = size, .first_ticket = first_ticket
	};
	t_assert(q && wp__segqueue_init(q, &options) == 0);
	return q;
}

static struct wp__segqueue *make(uint64_t capacity, uint32_t size)
{
	return make_at(capacity, size, WP_FIRST_TICKET());
}

static void drop(struct wp__segqueue *q)
{
	t_assert(wp__segqueue_is_valid(q));
	wp__segqueue_fini(q);
	wp__free(q);
}

static struct wp_job job_of(uint64_t i)
{
	return (struct wp_job){ .fn = ledger_fn0, .payload = (void *)(uintptr_t)(i + 1) };
}

/* ---- arithmetic ---- */

static void divides(struct wp__segqueue *q, uint64_t ticket)
{
	ticket &= (UINT64_C(1) << 62) - 1;
	uint64_t block = wp__block_of(q, ticket << 2);
	t_assert_u64_eq(block, ticket / q->segment_size);
	t_assert_u64_eq(wp__slot_of(q, ticket << 2, block), ticket % q->segment_size);
}

static void divides_by(uint32_t size, struct wp__rng *rng)
{
	struct wp__segqueue q = { .segment_size = size };
	init_division(&q, size);
	t_assert((UINT64_C(1) << q.block_shift) >= size);
	for (unsigned bit = 0; bit <= 62; bit++) {
		uint64_t near = (UINT64_C(1) << bit) / size * size;
		for (int64_t off = -2; off <= 2; off++) {
			divides(&q, near + (uint64_t)off);
			divides(&q, near + size + (uint64_t)off);
			divides(&q, (UINT64_C(1) << bit) + (uint64_t)off);
		}
		divides(&q, wp__rng_next(rng) >> bit);
	}
	/* The last multiples below 2^62, where an inexact factor would show first. */
	uint64_t last = ((UINT64_C(1) << 62) - 1) / size;
	for (uint64_t i = 0; i < 20 && i < last; i++) {
		divides(&q, (last - i) * size);
		divides(&q, (last - i) * size - 1);
	}
}

T_TEST(segqueue, division_is_exact)
{
	struct wp__rng rng = { 1 };
	for (uint32_t size = 1; size <= 4096; size += T_SANITIZED ? 5 : 1)
		divides_by(size, &rng);
	for (unsigned i = 0; i < 3000; i++)
		divides_by(1 + (uint32_t)wp__rng_below(&rng, WP_SEGMENT_SIZE_MAX), &rng);
	for (unsigned bit = 12; bit <= 20; bit++) {
		divides_by(1u << bit, &rng);
		divides_by((1u << bit) - 1, &rng);
		divides_by((1u << (bit - 1)) + 1, &rng);
	}
}

/* ---- from one side of an edge to the other ---- */

/* Pushes and pops in runs of up to `capacity` from `before` tickets below the edge on. */
static void cross(uint64_t edge, uint64_t before, uint64_t n, uint64_t capacity, uint32_t size)
{
	struct wp__segqueue *q = make_at(capacity, size, edge - before);
	struct wp__rng rng = { edge ^ size };
	uint64_t in = 0, out = 0;
	while (out < n) {
		struct wp_job jobs[64];
		size_t pushed, k = 1 + wp__rng_below(&rng, 64);
		for (size_t i = 0; i < k; i++)
			jobs[i] = job_of(in + i);
		int error = wp__segqueue_push_some(q, jobs, k, &pushed);
		t_assert_u64_eq(pushed, wp_min_u64(k, capacity - (in - out)));
		t_assert_int_eq(error, pushed ? 0 : WP_EFULL);
		in += pushed;
		if (in - out < capacity && in - out > 0) {
			struct wp_job one = job_of(in++);
			t_assert_int_eq(wp__segqueue_push(q, &one), 0);
		}
		t_assert_u64_eq(wp__segqueue_depth(q), in - out);
		struct wp__claim claim;
		uint64_t keep = wp__rng_below(&rng, 2) ? 0 : wp__rng_below(&rng, in - out + 1);
		while (in - out > keep && wp__segqueue_claim(q, jobs, 64, 1, 1, &claim)) {
			t_assert_u64_eq(claim.ticket, out);
			for (uint32_t i = 0; i < claim.count; i++, out++)
				t_assert_u64_eq((uintptr_t)jobs[i].payload, out + 1);
		}
		t_assert(in == out || keep > 0);
		t_assert_u64_eq(wp__segqueue_claimed(q), out);
		t_assert_u64_eq(wp__segqueue_accepted(q), in);
		t_assert(wp__segqueue_is_valid(q));
	}
	t_assert(wp__segqueue_close(q));
	t_assert_u64_eq(wp__segqueue_accepted(q), in);
	drop(q);
}

static const uint32_t sizes[] = { 1, 2, 3, 5, 64, 100, 1024 };
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static void cross_with_all_sizes(uint64_t edge)
{
	static const uint64_t capacities[] = { 1, 7, 64, 300 };
	for (size_t s = 0; s < SIZES; s++)
		for (size_t c = 0; c < 4; c++)
			cross(edge, 500 + sizes[s], 3000 + 3 * sizes[s], capacities[c], sizes[s]);
}

T_TEST(segqueue, crosses_every_power_of_two)
{
	for (unsigned bit = 11; bit < 62; bit += T_SANITIZED ? 9 : 1)
		cross_with_all_sizes(UINT64_C(1) << bit);
}

T_TEST(segqueue, goes_on_up_to_the_end_of_its_life)
{
	cross_with_all_sizes((UINT64_C(1) << 62) - (UINT64_C(1) << 24));
	cross_with_all_sizes((UINT64_C(1) << 62) - 10000);
}

/* Where block numbers wrap: the tickets' word overflows and the laps begin again. */
T_TEST(segqueue, crosses_the_end_where_sizes_are_powers_of_two)
{
	for (unsigned bit = 0; bit <= 12; bit++)
		for (uint64_t capacity = 1; capacity <= 300; capacity = capacity * 7 + 1)
			cross(UINT64_C(1) << 62, 500 + (UINT64_C(1) << bit),
				2000 + (UINT64_C(8) << bit), capacity, UINT32_C(1) << bit);
}

/* The lap is kept in 16 bits of the directory entry; 32 would be another likely edge. */
T_TEST(segqueue, crosses_the_edge_of_the_lap)
{
	for (size_t s = 0; s < SIZES; s++) {
		for (uint64_t capacity = 1; capacity <= 300; capacity = capacity * 7 + 1) {
			uint64_t entries = directory_entries(capacity, sizes[s]);
			uint64_t lap = entries * sizes[s];
			if (lap > UINT64_C(1) << 29)
				continue;
			cross(lap << 16, 500 + sizes[s], 3 * lap, capacity, sizes[s]);
			cross(lap << 15, 500 + sizes[s], 2000, capacity, sizes[s]);
			cross(lap << 32, 500 + sizes[s], 2000, capacity, sizes[s]);
		}
	}
}

/* A large segment and a long directory leave the block number few bits for the lap. */
T_TEST(segqueue, a_directory_is_free_for_the_laps_to_come)
{
	struct wp__segqueue q = { .segment_size = 1u << 20 };
	init_division(&q, q.segment_size);
	q.directory = wp__alloc(WP_ALONE, sizeof(*q.directory) << 14);
	q.first = ((UINT64_C(1) << 62) - 3 * (UINT64_C(1) << 20)) << 2;
	init_directory(&q, 1 << 14);
	for (uint64_t i = 0; i < 1 << 14; i++) {
		uint64_t block = wp__block_of(&q, q.first + i * (UINT64_C(4) << 20));
		t_assert_u64_eq(
			wp_load_rlx_u64(wp__entry_of(&q, block)), wp__free_entry(&q, block));
	}
	/* Behind the last block the entry waits for the first one's lap. */
	uint64_t last = wp__block_of(&q, ~UINT64_C(3));
	t_assert_u64_eq(last, (UINT64_C(1) << 42) - 1);
	t_assert_u64_eq(wp__free_entry(&q, last + (1 << 14)), wp__free_entry(&q, (1 << 14) - 1));
	wp__free(q.directory);
}

/* ---- claim ---- */

T_TEST(segqueue, a_claim_takes_its_share_and_says_what_is_left)
{
	struct wp__segqueue *q = make(1000, 64);
	struct wp_job out[64];
	struct wp__claim claim;
	for (uint64_t i = 0; i < 100; i++) {
		struct wp_job job = job_of(i);
		t_assert_int_eq(wp__segqueue_push(q, &job), 0);
	}
	static const struct {
		uint32_t max, share, count, more, end;
	} steps[] = {
		{ 10, 1, 10, 1, 0 }, /* of 54 left in the segment */
		{ 64, 4, 14, 1, 0 }, /* a quarter of 54, rounded up */
		{ 39, 1, 39, 1, 0 }, /* all but one */
		{ 64, 9, 1, 0, 1 },  /* at least one; the last of the segment */
		{ 10, 3, 4, 1, 0 },  /* a third of 10 */
		{ 64, 2, 16, 1, 0 }, /* half of the 32 */
		{ 16, 1, 16, 0, 0 },
	};
	uint64_t at = 0;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		t_assert(wp__segqueue_claim(q, out, steps[i].max, steps[i].share, 1, &claim));
		t_assert_u64_eq(claim.count, steps[i].count);
		t_assert_u64_eq(claim.more, steps[i].more);
		t_assert_u64_eq(claim.at_segment_end, steps[i].end);
		t_assert_u64_eq(claim.ticket, at);
		for (uint32_t k = 0; k < claim.count; k++)
			t_assert_u64_eq((uintptr_t)out[k].payload, ++at);
	}
	t_assert_u64_eq(at, 100);
	t_assert(!wp__segqueue_claim(q, out, 64, 1, 1, &claim));
	drop(q);
}

/* ---- sleep and close ---- */

T_TEST(segqueue, sleep_is_announced_only_where_all_is_claimed)
{
	struct wp__segqueue *q = make(100, 4);
	struct wp_job job = job_of(0), out[8], many[3] = { job, job, job };
	struct wp__claim claim;
	size_t n;
	t_assert(!wp__segqueue_disarm_sleep(q));
	t_assert(wp__segqueue_arm_sleep(q));
	t_assert(wp__segqueue_arm_sleep(q));
	t_assert_int_eq(wp__segqueue_push(q, &job), WP__PUSHED_WAKE);
	t_assert_int_eq(wp__segqueue_push_until(q, &job, 0), WP__PUSHED_WAKE);
	t_assert_int_eq(wp__segqueue_push_some(q, many, 3, &n), WP__PUSHED_WAKE);
	t_assert_u64_eq(n, 3);
	t_assert(!wp__segqueue_arm_sleep(q));
	t_assert(wp__segqueue_disarm_sleep(q));
	t_assert(!wp__segqueue_disarm_sleep(q));
	t_assert_int_eq(wp__segqueue_push(q, &job), 0);
	t_assert_u64_eq(wp__segqueue_depth(q), 6);
	t_assert(wp__segqueue_claim(q, out, 8, 1, 1, &claim));
	t_assert(!wp__segqueue_arm_sleep(q));
	t_assert(wp__segqueue_claim(q, out, 8, 1, 1, &claim));
	t_assert(wp__segqueue_arm_sleep(q));
	t_assert(wp__segqueue_close(q));
	t_assert(wp__segqueue_arm_sleep(q));
	t_assert_int_eq(wp__segqueue_push(q, &job), WP_ECLOSED);
	/* The refused push has moved the word, not the number of promises. */
	t_assert(wp__segqueue_arm_sleep(q));
	t_assert(wp__segqueue_disarm_sleep(q));
	drop(q);
}

T_TEST(segqueue, a_close_fixes_the_number_of_promises)
{
	struct wp__segqueue *q = make(200, 16);
	struct wp_job job = job_of(0), out[16];
	struct wp__claim claim;
	for (unsigned i = 0; i < 50; i++)
		t_assert_int_eq(wp__segqueue_push(q, &job), 0);
	t_assert(!wp__segqueue_is_closed(q));
	t_assert(wp__segqueue_close(q));
	t_assert(wp__segqueue_is_closed(q));
	t_assert(!wp__segqueue_close(q));
	for (unsigned i = 0; i < 500; i++) {
		size_t n = 4711;
		t_assert_int_eq(wp__segqueue_push(q, &job), WP_ECLOSED);
		t_assert_int_eq(wp__segqueue_push_until(q, &job, 0), WP_ECLOSED);
		t_assert_int_eq(wp__segqueue_push_some(q, &job, 1, &n), WP_ECLOSED);
		t_assert_u64_eq(n, 0);
		t_assert_u64_eq(wp__segqueue_accepted(q), 50);
		t_assert_u64_eq(wp__segqueue_depth(q), 50 - wp__segqueue_claimed(q));
		if (i % 10 == 0)
			(void)wp__segqueue_claim(q, out, 1, 1, 1, &claim);
	}
	t_assert_u64_eq(wp__segqueue_claimed(q), 50);
	t_assert_u64_eq(wp__segqueue_depth(q), 0);
	t_assert(!wp__segqueue_claim(q, out, 1, 1, 1, &claim));
	drop(q);
}

/* ---- many threads, with the ticket of every job ---- */

struct line {
	struct wp__segqueue *q;
	unsigned producers;
	uint64_t each;
	uint64_t *order; /* by ticket: 1 + id; each element is written once */
	wp_atomic_u32 producing, sleepers, epoch;
};

/* A pool in its simplest form: consumers that sleep when there is nothing, producers that wake. */
static void wake_one(struct line *line)
{
	/* [T1] rel: the job; pairs with [T2] */
	wp_add_rel_u32(&line->epoch, 1);
	wp__os_futex_wake(&line->epoch, 1);
}

static void line_produce(struct line *line, unsigned me)
{
	struct wp__rng rng = { me + 1 };
	for (uint64_t seq = 0; seq < line->each;) {
		struct wp_job jobs[8];
		size_t n = wp_min_u64(1 + wp__rng_below(&rng, 8), line->each - seq), in = 1;
		for (size_t i = 0; i < n; i++)
			jobs[i] = job_of(me * line->each + seq + i);
		int result = wp__rng_below(&rng, 2) ? wp__segqueue_push(line->q, jobs)
						    : wp__segqueue_push_some(line->q, jobs, n, &in);
		t_assert(result >= 0 || result == WP_EFULL);
		if (result == WP__PUSHED_WAKE)
			wake_one(line);
		if (result >= 0)
			seq += in;
		else
			wp__os_yield(); /* full: for as long as no consumer runs */
		/* Now and then everything is quiet for a moment, so that consumers do sleep. */
		if (wp__rng_below(&rng, 64) == 0)
			wp__os_sleep(20000);
	}
	if (wp_sub_rel_u32(&line->producing, 1) == 1) {
		(void)wp__segqueue_close(line->q);
		wp_add_rel_u32(&line->epoch, 1);
		wp__os_futex_wake(&line->epoch, UINT32_MAX);
	}
}

/* False: nothing will come any more. */
static bool sleep_or_end(struct line *line)
{
	/* [T2] acq: pairs with [T1] */
	uint32_t epoch = wp_load_acq_u32(&line->epoch);
	/* Closed first and empty afterwards: then it is the end. */
	bool closed = wp__segqueue_is_closed(line->q);
	if (!wp__segqueue_arm_sleep(line->q)) {
		wp__os_yield();
		return true;
	}
	if (closed)
		return false;
	wp__os_futex_wait(&line->epoch, epoch, UINT64_MAX);
	/* Others may sleep still: who wakes up does not take their announcement back, they do. */
	return true;
}

static void line_consume(struct line *line, unsigned me)
{
	struct wp__rng rng = { ~(uint64_t)me };
	for (;;) {
		struct wp_job out[64];
		struct wp__claim claim;
		uint32_t max = 1 + (uint32_t)wp__rng_below(&rng, 64);
		uint32_t share = 1 + (uint32_t)wp__rng_below(&rng, 4);
		if (!wp__segqueue_claim(line->q, out, max, share, max, &claim)) {
			if (!sleep_or_end(line))
				return;
			continue;
		}
		for (uint32_t i = 0; i < claim.count; i++)
			line->order[claim.ticket + i] = (uintptr_t)out[i].payload;
	}
}

static void line_part(void *arg, unsigned me)
{
	struct line *line = arg;
	if (me < line->producers)
		line_produce(line, me);
	else
		line_consume(line, me);
}

static void one_line(
	unsigned producers, unsigned consumers, uint64_t capacity, uint32_t size, uint64_t jobs)
{
	if (!lane_lives_long_enough(size))
		return;
	struct line line = { .q = make(capacity, size),
		.producers = producers,
		.each = t_scaled(jobs) / producers };
	uint64_t total = producers * line.each;
	line.order = ledger_zeros(total);
	wp_store_rlx_u32(&line.producing, producers);
	struct crew crew;
	crew_start(&crew, producers + consumers, line_part, &line);
	crew_join(&crew);
	t_assert_u64_eq(wp__segqueue_accepted(line.q), total);
	t_assert_u64_eq(wp__segqueue_claimed(line.q), total);
	uint64_t next[CREW_MAX] = { 0 };
	for (uint64_t i = 0; i < total; i++) {
		t_assert_msg(line.order[i], "ticket %llu is lost", (unsigned long long)i);
		uint64_t id = line.order[i] - 1;
		/* Tickets are the one order of all jobs: each producer's is part of it, gapless. */
		t_assert_u64_eq(id % line.each, next[id / line.each]++);
	}
	free(line.order);
	drop(line.q);
}

T_TEST(segqueue, tickets_are_one_order_of_all_jobs)
{
	for (size_t s = 0; s < SIZES; s++) {
		wp__chaos(s + 1, s % 2 ? 32 : 2, s % 2);
		one_line(16, 16, 300, sizes[s], 100000);
		one_line(4, 2, 5, sizes[s], 100000);
		one_line(2, 1, 10000, sizes[s], 100000);
	}
}

/* A sleeper that is not woken is for ever: the queue then stays full and the test hangs. */
T_TEST(segqueue, sleepers_are_woken)
{
	for (size_t s = 0; s < SIZES; s++) {
		wp__chaos(s + 1, 128, 4);
		one_line(1, 1, 100, sizes[s], 20000);
		one_line(1, 4, 2, sizes[s], 20000);
	}
}
