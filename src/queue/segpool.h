/* SPDX-License-Identifier: MIT */
/*
 * Segment pool: the memory of a lane's segments and the list of those that are free.
 *
 * All segments lie in one reservation of address space made at creation; a segment's pages come
 * into being when it is first used. Free segments form a stack, so that the next one used is the
 * one most likely still in cache, and a lane that stays nearly empty goes round with two or three
 * segments whatever its capacity. A segment that was never used is taken only when the stack is
 * empty.
 *
 * There are two stacks: warm segments, whose pages are kept, at most `keep` of them; and cold ones,
 * whose pages went back to the system. A warm one is taken first. (Where pages are given back, a
 * take may miss a segment that is given at the same moment and touch a new one instead.)
 *
 * take and give may be called by any number of threads at once; they are lock-free. The stack's
 * top is one word, {tag, 1 + index}; every successful take advances the tag (R. K. Treiber,
 * "Systems programming: coping with parallelism", 1986, with the tag of IBM's System/370
 * free-list example). ABA would need a thread to sleep between two instructions while exactly
 * 2^40 segments, or a multiple, are taken.
 *
 * Invariants, at rest:    touched == free + (segments its users hold)
 *                         touched <= reserved
 */
#ifndef WP_QUEUE_SEGPOOL_H
#define WP_QUEUE_SEGPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/layout.h"
#include "queue/segment.h"

/* Free segments, last in first out. */
struct wp__segstack {
	wp_atomic_u64 top;   /* tag << 24 | 1 + index of the first */
	wp_atomic_u32 count; /* in the stack, or about to be */
};

struct wp__segpool {
	/* Set at creation. */
	char *memory;
	struct wp__segment_shape shape;
	uint32_t reserved; /* segments there is address space for */
	uint32_t keep;     /* free segments whose pages are kept, about */

	/* Changed once per segment use, by producers (take) and consumers (give). */
	_Alignas(WP_ALONE) struct wp__segstack warm;
	struct wp__segstack cold;
	_Alignas(WP_ALONE) wp_atomic_u32 touched; /* segments 0 .. touched-1 were used */
};

/*
 * Reserves `reserved` segments of `size` slots (1 .. WP_SEGMENTS_MAX; reserved >= touch), with or
 * without stamps, and puts `touch` of them in the free list, their pages written. Free segments
 * beyond `keep` give their pages back. 0 or -ENOMEM.
 */
int wp__segpool_init(struct wp__segpool *pool, uint32_t size, bool stamps, uint32_t reserved,
	uint32_t touch, uint32_t keep);
void wp__segpool_fini(struct wp__segpool *pool);

static inline struct wp__segment *wp__segpool_at(const struct wp__segpool *pool, uint32_t index)
{
	return (struct wp__segment *)(void *)(pool->memory + index * pool->shape.bytes);
}

/*
 * Takes a segment that is as good as new. NULL: all are in use, which lasts only while some other
 * thread is about to give one back.
 */
struct wp__segment *wp__segpool_take(struct wp__segpool *pool);

/* Gives back a segment that nobody uses; it must be renewed. */
void wp__segpool_give(struct wp__segpool *pool, struct wp__segment *segment);

/* How many are free; exact while nobody takes or gives. */
uint32_t wp__segpool_free(const struct wp__segpool *pool);

/* How often a free segment was taken. */
uint64_t wp__segpool_reused(const struct wp__segpool *pool);

#endif
