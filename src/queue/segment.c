/* SPDX-License-Identifier: MIT */
#include "queue/segment.h"

_Static_assert(sizeof(struct wp_job) == 32, "two jobs to a cache line");
_Static_assert(sizeof(struct wp__segment) <= WP__MARKS_OFFSET, "the header has lines of its own");
_Static_assert(sizeof(wp_atomic_u8) == 1, "eight marks to a ready word");

#define EACH_BYTE UINT64_C(0x0101010101010101)

void wp__segment_shape_init(struct wp__segment_shape *shape, uint32_t size)
{
	shape->size = size;
	shape->stamp_row = 0;
	shape->stamps_offset = 0;
	shape->slots_offset = WP__MARKS_OFFSET + (uint32_t)wp_round_up(size, WP_CACHE_LINE);
	shape->bytes =
		wp_round_up(shape->slots_offset + (size_t)size * sizeof(struct wp_job), WP_ALONE);
}

#if WP_EIGHT_AT_ONCE

uint32_t wp__segment_ready_run(
	struct wp__segment *segment, uint8_t mark, uint32_t slot, uint32_t max)
{
	const wp_atomic_u8 *marks = wp__segment_marks(segment);
	uint32_t run = 0;
	while (run < max) {
		uint32_t at = (slot + run) % 8;
		/* [Q3] acq: the jobs whose marks are seen; pairs with [Q2] */
		uint64_t word = wp_load_acq_eight_u8(&marks[slot + run - at]);
		uint64_t missing = (word ^ mark * EACH_BYTE) >> 8 * at;
		/* The shift brought zeros in at the top: they count up to the word's end. */
		uint32_t here = missing ? (uint32_t)__builtin_ctzll(missing) / 8 : 8 - at;
		run += here;
		if (here < 8 - at)
			break;
	}
	return run < max ? run : max;
}

void wp__marks_publish(wp_atomic_u8 *marks, uint8_t mark, uint32_t n)
{
	for (wp_atomic_u8 *end = marks + n; marks < end;) {
		if ((uintptr_t)marks % 8 == 0 && end - marks >= 8) {
			/* [Q2] rel: publishes these eight slots; pairs with [Q3] */
			wp_store_rel_eight_u8(marks, mark * EACH_BYTE);
			WP_POINT("Q2");
			marks += 8;
		} else {
			wp__mark_publish(marks++, mark);
		}
	}
}

#else

uint32_t wp__segment_ready_run(
	struct wp__segment *segment, uint8_t mark, uint32_t slot, uint32_t max)
{
	const wp_atomic_u8 *marks = wp__segment_marks(segment);
	uint32_t run = 0;
	/* [Q3] acq: the jobs whose marks are seen; pairs with [Q2] */
	while (run < max && wp_load_acq_u8(&marks[slot + run]) == mark)
		run++;
	return run;
}

void wp__marks_publish(wp_atomic_u8 *marks, uint8_t mark, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		wp__mark_publish(&marks[i], mark);
}

#endif

void wp__segment_renew(struct wp__segment *segment)
{
	/* All marks are this use's: by the next use's meaning, no slot is published. */
	segment->uses++;
	/* Relaxed: whoever uses the segment next gets it through [F2] and [D2]. */
	wp_store_rlx_u32(&segment->done, 0);
}
