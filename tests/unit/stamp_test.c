/* SPDX-License-Identifier: MIT */
/*
 * Which jobs of a lane are stamped, and that each comes out as it went in, whatever a thread
 * remembers of the block that it pushes to (queue/place.h): all segment sizes end somewhere between
 * two slots that are stamped.
 */
#include "queue/stamp.h"

#include "base/alloc.h"
#include "base/os.h"
#include "lane.h"
#include "queue/single.h"

#define JOBS 3000

static const uint32_t segment_sizes[] = { 1, 2, 3, 15, 16, 17, 31, 100, 1000, 1024, 4096 };

struct lane {
	struct wp__segqueue *q;
	struct wp__single end;
	uint64_t pushed, claimed;
};

static int nothing(void *payload)
{
	(void)payload;
	return 0;
}

static struct wp_job numbered(uint64_t i)
{
	return (struct wp_job){ .fn = nothing, .payload = (void *)(uintptr_t)(i + 1) };
}

static struct lane make(uint32_t size, uint64_t capacity, bool single)
{
	struct lane lane = { .q = wp__alloc(WP_ALONE, sizeof(*lane.q)) };
	struct wp__segqueue_options options = { .capacity = capacity,
		.segment_size = size,
		.first_ticket = WP_FIRST_TICKET(),
		.stamps = true,
		.single = single };
	t_assert(lane.q && wp__segqueue_init(lane.q, &options) == 0);
	if (single)
		wp__single_init(&lane.end, lane.q);
	return lane;
}

static void drop(struct lane *lane)
{
	wp__segqueue_fini(lane->q);
	wp__free(lane->q);
}

static void push(struct lane *lane, uint32_t n)
{
	struct wp_job jobs[8];
	size_t taken = n;
	for (uint32_t i = 0; i < n; i++)
		jobs[i] = numbered(lane->pushed + i);
	int error;
	if (lane->q->single)
		error = n == 1 ? wp__single_push(&lane->end, jobs)
			       : wp__single_push_some(&lane->end, jobs, n, &taken);
	else if (n == 1)
		error = wp__segqueue_push(lane->q, jobs);
	else
		error = wp__segqueue_push_some(lane->q, jobs, n, &taken);
	t_assert_int_eq(error, 0);
	t_assert_u64_eq(taken, n);
	lane->pushed += n;
}

/* All that is inside; a job in a slot with none of the bits of `mask` is stamped, and no other. */
static void claim(struct lane *lane, uint32_t mask, uint64_t begun)
{
	struct wp_job out[64];
	uint64_t stamps[64], now = wp__os_ticks();
	struct wp__claim c = { .stamps = stamps };
	while (wp__segqueue_claim(lane->q, out, 64, 1, 1, &c)) {
		for (uint32_t i = 0; i < c.count; i++) {
			uint64_t number = lane->claimed++;
			t_assert_u64_eq((uintptr_t)out[i].payload, number + 1);
			bool due = !(number % lane->q->segment_size & mask);
			t_assert_msg(due == (stamps[i] != 0), "job %llu: stamped at %llu",
				(unsigned long long)number, (unsigned long long)stamps[i]);
			t_assert(!due || (stamps[i] >= begun && stamps[i] <= now));
		}
	}
	t_assert_u64_eq(lane->claimed, lane->pushed);
}

/* `n` at a time; rarely emptied, so that room runs out of sight, too. */
static void pass_through(uint32_t size, bool single, uint32_t n)
{
	struct lane lane = make(size, 500, single);
	uint64_t begun = wp__os_ticks();
	bool all = true;
	while (lane.pushed < JOBS) {
		for (uint32_t i = 0; i < 400 / n; i++)
			push(&lane, n);
		claim(&lane, all ? 0 : WP__STAMP_EVERY - 1, begun);
		if (lane.pushed > JOBS / 3)
			wp__segqueue_stamp_all(lane.q, all = false);
		/* What a single producer may fill at once was found before. */
		while (lane.pushed % size % WP__STAMP_EVERY) {
			push(&lane, 1);
			lane.claimed++;
			struct wp_job job;
			struct wp__claim one = { .stamps = NULL };
			t_assert(wp__segqueue_claim(lane.q, &job, 1, 1, 1, &one));
		}
	}
	drop(&lane);
}

T_TEST(stamp, shared_lane)
{
	for (size_t s = 0; s < sizeof(segment_sizes) / sizeof(segment_sizes[0]); s++) {
		if (!lane_lives_long_enough(segment_sizes[s]))
			continue;
		pass_through(segment_sizes[s], false, 1);
		pass_through(segment_sizes[s], false, 5);
	}
}

T_TEST(stamp, single_producer)
{
	for (size_t s = 0; s < sizeof(segment_sizes) / sizeof(segment_sizes[0]); s++) {
		if (!lane_lives_long_enough(segment_sizes[s]))
			continue;
		pass_through(segment_sizes[s], true, 1);
		pass_through(segment_sizes[s], true, 5);
	}
}
