/* SPDX-License-Identifier: MIT */
/*
 * Stamps: when jobs came in, for lanes that are asked to note it (wp__segqueue_options.stamps).
 *
 * Such a lane has a stamp beside each slot, at the end of the segment. The slot's producer may
 * write it before it publishes the slot, the slot's consumer may read it before it counts the slot
 * as copied out: the same owners as the slot, the same order. Not every job is stamped, and nobody
 * clears stamps: one counts only if it names the ticket that the slot belongs to now.
 *
 * Reading the clock costs about as much as the rest of a push, so consumers tell which jobs to
 * stamp (wp__segqueue_stamp_all): every one, or those in slots 0, 64, 128 ... of a segment. The
 * lane's stamp_mask has the bits that those slots' numbers do not have. What it says is a hint that
 * takes effect some time later. The stamps of slots 0, 64, 128 ... are neighbours, then come those
 * of 1, 65, 129 ...: so who stamps each 64th job writes one cache line for 256 jobs.
 *
 * A lane without stamps pays nothing for them: what a producer may fill without another look ends
 * before the next slot to be stamped (place.h, single.c).
 */
#ifndef WP_QUEUE_STAMP_H
#define WP_QUEUE_STAMP_H

#include "queue/segment.h"

#define WP__STAMP_EVERY WP_TUNED(64u, 2u)

/* When the job with a ticket came in. */
struct wp__stamp {
	uint64_t ticket; /* + 1, so that 0 is nobody's */
	uint64_t ticks;
};

/* Adds room for stamps to the shape of a segment. */
void wp__stamp_shape(struct wp__segment_shape *shape);

/*
 * Stamps with the present time those of the n jobs from `slot` on, the first of which has this
 * ticket, whose slot has none of the bits of `mask`. For shapes that have stamps.
 */
void wp__stamp_jobs(struct wp__segment *segment, const struct wp__segment_shape *shape,
	uint32_t slot, uint64_t ticket, uint32_t n, uint32_t mask);

/* Reads the same stamps: out[i] becomes the time, in ticks, or 0 where there is none. */
void wp__stamp_read(struct wp__segment *segment, const struct wp__segment_shape *shape,
	uint32_t slot, uint64_t ticket, uint32_t n, uint32_t mask, uint64_t *out);

#endif
