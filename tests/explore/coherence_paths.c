/* SPDX-License-Identifier: MIT */
/*
 * The ways of a job whose accesses coherence.c counts: lanes as the library has them, pushed to and
 * claimed from as its producers and workers do.
 *
 * Segments have 256 slots, so what is done once per segment (a directory entry, the free list) is
 * four times as frequent as with 1024. The warm-up goes twice round all segments that are in use.
 */
#include <stddef.h>

#include <wpool/error.h>

#include "base/atomic.h"
#include "coherence.h"
#include "explore.h"
#include "queue/segqueue.h"
#include "queue/single.h"

#define SEGMENT   256u
#define CAPACITY  4096u
#define WARM_UP   2048u
#define COUNTED   4096u
#define PUSH_MAX  64u
#define CLAIM_MAX 256u
#define LANES     4u

const struct coherence_path coherence_paths[] = {
	/* name, producers, workers, push, backlog, claim, single */
	{ "submit", 1, 1, 1, 256, 256, 0 },
	{ "submit", 2, 1, 1, 256, 256, 0 },
	{ "submit", 4, 1, 1, 256, 256, 0 },
	{ "submit", 1, 2, 1, 256, 64, 0 },
	{ "submit", 2, 2, 1, 256, 64, 0 },
	{ "submit", 4, 4, 1, 256, 64, 0 },
	{ "batch of 64", 1, 1, 64, 256, 256, 0 },
	{ "batch of 64", 2, 1, 64, 256, 256, 0 },
	{ "batch of 64", 4, 4, 64, 256, 64, 0 },
	{ "producer", 1, 1, 1, 256, 256, 1 },
	{ "producer", 1, 2, 1, 256, 64, 1 },
	{ "producer", 4, 1, 1, 256, 256, 1 },
	{ "producer", 4, 4, 1, 256, 64, 1 },
	{ "submit chased", 1, 1, 1, 1, 256, 0 },
	{ "producer chased", 1, 1, 1, 1, 256, 1 },
	{ "submit overlapping", 1, 1, 1, 0, 64, 0 },
	{ "submit overlapping", 2, 2, 1, 0, 64, 0 },
	{ "submit overlapping", 3, 4, 1, 0, 64, 0 },
};
const unsigned coherence_path_count = sizeof(coherence_paths) / sizeof(coherence_paths[0]);

static struct wp__segqueue lanes[LANES];
static struct {
	_Alignas(WP_ALONE) struct wp__single end;
} producers[LANES];

static int no_job(void *payload)
{
	(void)payload;
	return 0;
}

/* ---- the two sides ---- */

static struct wp__segqueue *lane_of(unsigned producer)
{
	return &lanes[coherence_path->single ? producer : 0];
}

/*
 * The jobs of one push lie on the stack, as they do where users make them. Nothing of the scenario
 * is read while the operation is counted.
 */
static void push(unsigned producer)
{
	struct wp_job jobs[PUSH_MAX];
	struct wp__segqueue *lane = lane_of(producer);
	size_t n = coherence_path->push, pushed = n;
	bool single = coherence_path->single;
	int result;
	for (size_t i = 0; i < n; i++)
		jobs[i] = (struct wp_job){ .fn = no_job };
	coherence_operation(SIDE_PRODUCER, producer);
	if (single)
		result = wp__single_push(&producers[producer].end, jobs);
	else if (n == 1)
		result = wp__segqueue_push(lane, jobs);
	else
		result = wp__segqueue_push_some(lane, jobs, n, &pushed);
	coherence_pause();
	explore_assert(result == 0 && pushed == n);
}

/* How many were claimed. */
static uint32_t claim(unsigned worker, struct wp__segqueue *lane)
{
	struct wp_job out[CLAIM_MAX];
	struct wp__claim claim = { .stamps = NULL };
	uint32_t most = coherence_path->claim;
	coherence_operation(SIDE_WORKER, coherence_path->producers + worker);
	bool any = wp__segqueue_claim(lane, out, most, 1, 1, &claim);
	coherence_pause();
	return any ? claim.count : 0;
}

static void make_lanes(void)
{
	struct wp__segqueue_options o = { .capacity = CAPACITY,
		.segment_size = SEGMENT,
		.single = coherence_path->single,
		.light = coherence_path->single };
	unsigned n = coherence_path->single ? coherence_path->producers : 1;
	for (unsigned i = 0; i < n; i++) {
		explore_assert(wp__segqueue_init(&lanes[i], &o) == 0);
		if (o.single)
			wp__single_init(&producers[i].end, &lanes[i]);
	}
}

static void end_lanes(void)
{
	unsigned n = coherence_path->single ? coherence_path->producers : 1;
	for (unsigned i = 0; i < n; i++)
		wp__segqueue_fini(&lanes[i]);
}

/* ---- one after the other ---- */

/* Producers take turns until the backlog is there, workers until it is gone. */
static void hand_over(uint64_t jobs, unsigned backlog)
{
	const struct coherence_path *path = coherence_path;
	unsigned producer = 0, worker = 0, lane = 0;
	for (uint64_t done = 0; done < jobs; done += backlog) {
		for (unsigned n = 0; n < backlog; n += path->push) {
			push(producer);
			producer = (producer + 1) % path->producers;
		}
		for (unsigned n = 0; n < backlog;) {
			n += claim(worker, lane_of(lane));
			lane = (lane + 1) % path->producers;
			worker = (worker + 1) % path->workers;
		}
	}
}

void coherence_in_turn(void)
{
	make_lanes();
	hand_over(WARM_UP, coherence_path->backlog);
	coherence_begin();
	hand_over(COUNTED, coherence_path->backlog);
	coherence_end(COUNTED);
	end_lanes();
}

/* ---- side by side ---- */

static wp_atomic_u32 consumed;

void coherence_set_up(void)
{
	make_lanes();
	hand_over(WARM_UP, 64);
	coherence_begin();
	coherence_overlap();
}

void coherence_fiber(unsigned index)
{
	const struct coherence_path *path = coherence_path;
	if (index < path->producers) {
		for (unsigned i = index; i < COUNTED; i += path->producers)
			push(index);
		return;
	}
	while (wp_load_rlx_u32(&consumed) != COUNTED) {
		uint32_t n = claim(index - path->producers, &lanes[0]);
		if (n)
			wp_add_rlx_u32(&consumed, n);
		else
			explore_wait_hint();
	}
}

void coherence_finish(void)
{
	explore_assert(wp_load_rlx_u32(&consumed) == COUNTED);
	coherence_end(COUNTED);
	end_lanes();
}
