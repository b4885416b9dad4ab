/* SPDX-License-Identifier: MIT */
/* What the tests of the segmented queue share: options, the lane inside a public queue, bounds. */
#ifndef WP_TESTS_LANE_H
#define WP_TESTS_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <wpool/queue.h>

#include "base/hooks.h"
#include "base/layout.h"
#include "queue/segqueue.h"
#include "t.h"

/* A public queue is nothing but its lane. */
static inline struct wp__segqueue *lane_of(struct wp_queue *q)
{
	return (struct wp__segqueue *)(void *)q;
}

static inline bool is_pow2(uint64_t n)
{
	return (n & (n - 1)) == 0;
}

/*
 * Block numbers wrap at ticket 2^62 only where the segment size is a power of two: a program that
 * begins close to it (WP_TEST_FIRST_TICKET) leaves the other sizes out.
 */
static inline bool lane_lives_long_enough(uint32_t segment_size)
{
	return is_pow2(segment_size) || WP_FIRST_TICKET() + (UINT64_C(1) << 23) <= UINT64_C(1)
											   << 62;
}

static inline struct wp_queue *lane_create(size_t capacity, uint32_t segment_size)
{
	struct wp_queue_options options = WP_QUEUE_OPTIONS_INIT;
	options.capacity = capacity;
	options.segment_size = segment_size;
	struct wp_queue *q;
	t_assert_int_eq(wp_queue_create(&q, &options), 0);
	t_assert(q != NULL);
	return q;
}

/*
 * The most segments that can ever have been touched when at most `jobs` tickets are given out and
 * not yet claimed, by `producers` and `consumers` threads.
 *
 * A touched segment is in the free list or in use, and a new one is touched only by a producer who
 * found the list empty. In use are
 *   - the blocks of the unclaimed tickets: n neighbouring tickets lie in at most
 *     (n + size - 2) / size + 1 blocks;
 *   - the blocks that are claimed to the end and not yet counted done: a consumer is in the middle
 *     of each, and a consumer is in one at a time;
 *   - what a producer has taken and not yet installed, or will give back since another was faster.
 */
static inline uint64_t lane_most_segments(
	uint64_t jobs, uint32_t size, unsigned producers, unsigned consumers)
{
	return (wp_max_u64(jobs, 1) + size - 2) / size + 1 + producers + consumers;
}

#endif
