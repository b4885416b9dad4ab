/* SPDX-License-Identifier: MIT */
#include "queue/segment.h"

#include "base/hooks.h"

_Static_assert(sizeof(struct wp_job) == 32, "two jobs to a cache line");
_Static_assert(sizeof(struct wp__segment) <= WP__READY_OFFSET, "the header has lines of its own");
_Static_assert(sizeof(wp_atomic_u64) == 8, "ready words are 64 bits");

void wp__segment_shape_init(struct wp__segment_shape *shape, uint32_t size)
{
	shape->size = size;
	shape->words = (size + 63) / 64;
	shape->slots_offset = WP__READY_OFFSET +
			      (uint32_t)wp_round_up(shape->words * sizeof(uint64_t), WP_CACHE_LINE);
	shape->bytes =
		wp_round_up(shape->slots_offset + (size_t)size * sizeof(struct wp_job), WP_ALONE);
}

uint32_t wp__segment_ready_run(struct wp__segment *segment, uint32_t slot, uint32_t max)
{
	wp_atomic_u64 *ready = wp__segment_ready(segment);
	uint32_t run = 0;
	while (run < max) {
		uint32_t bit = (slot + run) % 64;
		/* [Q3] acq: the jobs whose bits are seen; pairs with [Q2] */
		uint64_t word = wp_load_acq_u64(&ready[(slot + run) / 64]) >> bit;
		/* The shift brought zeros in at the top, so a run ends there at the latest. */
		uint32_t ones = ~word ? (uint32_t)__builtin_ctzll(~word) : 64;
		run += ones;
		if (ones < 64 - bit)
			break;
	}
	return run < max ? run : max;
}

void wp__segment_publish(struct wp__segment *segment, uint32_t slot, uint32_t n)
{
	wp_atomic_u64 *ready = wp__segment_ready(segment);
	while (n) {
		uint32_t bit = slot % 64;
		uint32_t here = 64 - bit < n ? 64 - bit : n;
		uint64_t mask = (here == 64 ? ~UINT64_C(0) : (UINT64_C(1) << here) - 1) << bit;
		/* [Q2] rel: publishes the slots of the mask; pairs with [Q3] */
		wp_or_rel_u64(&ready[slot / 64], mask);
		WP_POINT("Q2");
		slot += here;
		n -= here;
	}
}

void wp__segment_clear(struct wp__segment *segment, const struct wp__segment_shape *shape)
{
	wp_atomic_u64 *ready = wp__segment_ready(segment);
	for (uint32_t i = 0; i < shape->words; i++) {
		/* [Q4] rel: the heads that passed the block, for a late look; pairs with [Q3] */
		wp_store_rel_u64(&ready[i], 0);
	}
	/* Relaxed: whoever uses the segment next gets it through [F2] and [D2]. */
	wp_store_rlx_u32(&segment->done, 0);
}
