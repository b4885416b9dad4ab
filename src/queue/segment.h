/* SPDX-License-Identifier: MIT */
/*
 * Segment: a fixed run of slots, with a mark per slot that says whether its job is published.
 *
 *     | done, next_free, uses | mark 0, mark 1, ... (bytes) | slot 0, slot 1, ... | (stamps) |
 *
 * A slot is room for one job. `done` counts the slots that consumers have copied out; `uses` the
 * times the segment was retired. The value of a mark that means "published" alternates from use to
 * use: it is 1 in the first use, then 0, then 1 ... Each use publishes every slot, so at its end
 * all marks have the value that means "not published" in the next one: nothing has to be cleared.
 *
 * Producers publish with a plain store of one byte, where a bit would need a read-modify-write.
 * Consumers look at eight marks at once, as a 64-bit word: compared with the use's mark it has a
 * zero byte for each slot that is ready.
 *
 * One use of a segment, from its installation in a directory to its retirement:
 *
 *   - each slot is written once, by the producer that holds its ticket, before its mark is set;
 *   - each mark is set once and stays;
 *   - each slot is read once, by the consumer whose claim covers it, after it saw the mark;
 *   - the consumer that brings done to `size` retires the segment; from then on nobody holds a
 *     ticket or a claim in it, so nobody reads or writes a slot.
 *
 * Invariants, for a segment in use:      done <= claimed <= published <= size,
 *                                        published = slots whose mark is that of this use
 *            for a segment not in use:   done == 0 and published == 0, by the next use's mark
 *
 * Which mark a use has, producers and consumers learn from the directory's entry, not from the
 * header, whose line the consumers write.
 *
 * Memory order. A slot is plain memory. Its writer's stores are published by the release of [Q2]
 * (the mark) and taken up by the acquire of [Q3]. Its reader's loads come before the release half
 * of [S1] (done), and the last consumer's acquire half of [S1] takes up all of them; from there the
 * segment reaches the next writer through the free list ([F2] release, [F1] acquire) and the
 * directory ([D2] release, [D1] acquire). Segments are type-stable: their memory is there as long
 * as the lane, so a thread with an out-of-date view may still read a mark, which is atomic; it acts
 * on what it read only after the compare-and-swap on the lane's head has confirmed it. If the mark
 * it read is that of a later use, it took up with it ([Q2] to [Q3]) that head had passed this
 * block, and will not believe an old head.
 */
#ifndef WP_QUEUE_SEGMENT_H
#define WP_QUEUE_SEGMENT_H

#include <stddef.h>
#include <stdint.h>

#include <wpool/job.h>

#include "base/atomic.h"
#include "base/hooks.h"
#include "base/layout.h"

struct wp__segment {
	wp_atomic_u32 done;      /* slots copied out; consumers */
	wp_atomic_u32 next_free; /* 1 + index of the next segment in the free list; segpool.c */
	uint32_t index;          /* its number in the pool; segpool.c */
	uint32_t uses;           /* times retired; changed by who owns the whole segment */
};

/* Where things are; the same for all segments of a lane. */
struct wp__segment_shape {
	uint32_t size;         /* slots */
	uint32_t slots_offset; /* from the segment's start, bytes */
	uint32_t stamp_row;    /* see stamp.h; 0: there are no stamps */
	size_t stamps_offset;
	size_t bytes; /* of a whole segment, a multiple of WP_ALONE */
};

#define WP__MARKS_OFFSET WP_ALONE

void wp__segment_shape_init(struct wp__segment_shape *shape, uint32_t size);

static inline wp_atomic_u8 *wp__segment_marks(struct wp__segment *segment)
{
	return (wp_atomic_u8 *)(void *)((char *)segment + WP__MARKS_OFFSET);
}

/* The mark that means "published" in the segment's present use, or its next if it has none. */
static inline uint8_t wp__segment_mark(const struct wp__segment *segment)
{
	return !(segment->uses & 1);
}

static inline struct wp_job *wp__segment_slots(
	struct wp__segment *segment, const struct wp__segment_shape *shape)
{
	return (struct wp_job *)(void *)((char *)segment + shape->slots_offset);
}

/*
 * The number of published slots from `slot` on without a gap, at most `max`; slot + max <= size.
 * The jobs in them may be read by whoever owns the claim to them. Here and below `mark` is that of
 * the use that is meant.
 */
uint32_t wp__segment_ready_run(
	struct wp__segment *segment, uint8_t mark, uint32_t slot, uint32_t max);

/*
 * Copies a job into its slot, word by word. The caller wrote the job a moment ago, a word at a
 * time: a wider load could not be served from the store buffer and would wait until that is
 * empty, with all its stores to lines that are still in other caches.
 */
static inline void wp__slot_write(struct wp_job *slot, const struct wp_job *job)
{
	struct wp_job words = *job;
	/* Keeps the compiler from joining the loads. */
	__asm__("" : "+r"(words.fn), "+r"(words.payload), "+r"(words.ctx), "+r"(words.cleanup));
	*slot = words;
}

/* Publishes the slot that the mark belongs to, which the caller has written. */
static inline void wp__mark_publish(wp_atomic_u8 *at, uint8_t mark)
{
	/* [Q2] rel: publishes the slot; pairs with [Q3] */
	wp_store_rel_u8(at, mark);
	WP_POINT("Q2");
}

/* Publishes n slots with neighbouring marks, which the caller has written. */
void wp__marks_publish(wp_atomic_u8 *marks, uint8_t mark, uint32_t n);

/* Publishes the n slots from `slot` on, which the caller has written; slot + n <= size. */
static inline void wp__segment_publish(
	struct wp__segment *segment, uint8_t mark, uint32_t slot, uint32_t n)
{
	wp__marks_publish(&wp__segment_marks(segment)[slot], mark, n);
}

/* Makes a segment that nobody uses, and whose slots were all published, as good as new. */
void wp__segment_renew(struct wp__segment *segment);

#endif
