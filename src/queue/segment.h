/* SPDX-License-Identifier: MIT */
/*
 * Segment: a fixed run of slots with a ready bitmap.
 *
 *     | done, next_free | ready word 0, 1, ... | slot 0, slot 1, ... |
 *
 * A slot is room for one job. Bit s % 64 of ready word s / 64 is set when the job in slot s is
 * published. `done` counts the slots that consumers have copied out.
 *
 * One use of a segment, from its installation in a directory to its retirement:
 *
 *   - each slot is written once, by the producer that holds its ticket, before its bit is set;
 *   - each bit is set once and stays set;
 *   - each slot is read once, by the consumer whose claim covers it, after it saw the bit;
 *   - the consumer that brings done to `size` retires the segment; from then on nobody holds a
 *     ticket or a claim in it, so nobody reads or writes a slot.
 *
 * Invariants, for a segment in use:      done <= claimed <= popcount(ready) <= size
 *            for a segment not in use:   done == 0 and every ready word == 0
 *
 * Memory order. A slot is plain memory. Its writer's stores are published by the release of [Q2]
 * (the bit) and taken up by the acquire of [Q3]. Its reader's loads come before the release half
 * of [S1] (done), and the last consumer's acquire half of [S1] takes up all of them; from there the
 * segment reaches the next writer through the free list ([F2] release, [F1] acquire) and the
 * directory ([D2] release, [D1] acquire). Segments are type-stable: their memory is there as long
 * as the lane, so a thread with an out-of-date view may still read a ready word, which is atomic;
 * it acts on what it read only after the compare-and-swap on the lane's head has confirmed it.
 */
#ifndef WP_QUEUE_SEGMENT_H
#define WP_QUEUE_SEGMENT_H

#include <stddef.h>
#include <stdint.h>

#include <wpool/job.h>

#include "base/atomic.h"
#include "base/layout.h"

struct wp__segment {
	wp_atomic_u32 done;      /* slots copied out; consumers */
	wp_atomic_u32 next_free; /* 1 + index of the next segment in the free list; segpool.c */
	uint32_t index;          /* its number in the pool; segpool.c */
};

/* Where things are; the same for all segments of a lane. */
struct wp__segment_shape {
	uint32_t size;         /* slots */
	uint32_t words;        /* ready words */
	uint32_t slots_offset; /* from the segment's start, bytes */
	size_t bytes;          /* of a whole segment, a multiple of WP_ALONE */
};

#define WP__READY_OFFSET WP_ALONE

void wp__segment_shape_init(struct wp__segment_shape *shape, uint32_t size);

static inline wp_atomic_u64 *wp__segment_ready(struct wp__segment *segment)
{
	return (wp_atomic_u64 *)(void *)((char *)segment + WP__READY_OFFSET);
}

static inline struct wp_job *wp__segment_slots(
	struct wp__segment *segment, const struct wp__segment_shape *shape)
{
	return (struct wp_job *)(void *)((char *)segment + shape->slots_offset);
}

/*
 * The number of published slots from `slot` on without a gap, at most `max`; slot + max <= size.
 * The jobs in them may be read by whoever owns the claim to them.
 */
uint32_t wp__segment_ready_run(struct wp__segment *segment, uint32_t slot, uint32_t max);

/* Publishes the n slots from `slot` on, which the caller has written; slot + n <= size. */
void wp__segment_publish(struct wp__segment *segment, uint32_t slot, uint32_t n);

/* Makes a segment that nobody uses as good as new. */
void wp__segment_clear(struct wp__segment *segment, const struct wp__segment_shape *shape);

#endif
