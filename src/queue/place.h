/* SPDX-License-Identifier: MIT */
/*
 * Place: where in memory the slots of one block are, as whoever pushes remembers it. With it a push
 * gets from its ticket to its slot by an addition, instead of a division, a look into the directory
 * and additions that wait for each other, and that the next push's fetch-add, which is a full
 * barrier on x86, waits for in its turn. A producer with a lane of its own has its place in its
 * handle; for shared lanes each thread has one, for the block that it pushed to last.
 *
 * Why what is remembered is right. A place is made with a ticket of its block, from the directory's
 * entry, taken up by [D1]. It is used only with a ticket of the same block of the same lane. A
 * block keeps its segment until each of its tickets was published and copied out, and this one was
 * not published yet: so the block had the same segment all the time since its first ticket was
 * given out. Tickets of a lane do not come again, and no two lanes of a process have the same id:
 * so an old place can be useless, but not wrong, whatever has become of its lane.
 *
 * Easy tickets. A place also remembers a part of its block whose tickets need no further look:
 * there is room for them (limit is never above head + capacity, and head never falls), and they
 * take no stamp (which jobs are stamped is a hint). A push with such a ticket reads neither limit
 * nor the mask of stamps.
 *
 * A place belongs to one thread at a time: nothing in it is atomic, and a push must not be
 * interrupted by another one of the same thread (a signal handler may not submit).
 *
 * Prefetching. The lines of a recycled segment are in consumers' caches. The next fetch-add waits
 * until a push's stores have their lines, so each line is fetched before it is needed: the first
 * ones when the place is made, the others by the push that writes WP__PREFETCH_SLOTS earlier.
 */
#ifndef WP_QUEUE_PLACE_H
#define WP_QUEUE_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "queue/segment.h"

/* Slots ahead of the one being written, and marks, that producers fetch for writing. */
#define WP__PREFETCH_SLOTS 16
#define WP__PREFETCH_MARKS 64

struct wp__segqueue;

/* What each push reads comes first. */
struct wp__place {
	uintptr_t slot_origin; /* where the slot of position 0 would be */
	uintptr_t mark_origin; /* and its mark */
	uint8_t mark;          /* of this use of the segment */
	uint64_t lane;         /* its id; 0: nowhere */
	uint64_t easy_start;   /* position of the first easy ticket */
	uint64_t easy_span;    /* of all of them; 0: none are known */
	uint64_t start;        /* position of the block's first ticket */
	uint64_t span;         /* of the whole block, as a position */
};

/* Makes the place of the block with the ticket at `position`, which the caller holds. */
void wp__place_find(struct wp__place *place, struct wp__segqueue *q, uint64_t position);

static inline bool wp__place_has(const struct wp__place *place, uint64_t lane, uint64_t position)
{
	return place->lane == lane && position - place->start < place->span;
}

static inline bool wp__place_is_easy(
	const struct wp__place *place, uint64_t lane, uint64_t position)
{
	return place->lane == lane && position - place->easy_start < place->easy_span;
}

static inline struct wp_job *wp__place_slot(const struct wp__place *place, uint64_t position)
{
	return (struct wp_job *)(place->slot_origin + position * (sizeof(struct wp_job) / 4));
}

static inline wp_atomic_u8 *wp__place_mark(const struct wp__place *place, uint64_t position)
{
	return (wp_atomic_u8 *)(place->mark_origin + position / 4);
}

static inline struct wp__segment *wp__place_segment(const struct wp__place *place)
{
	char *marks = (char *)wp__place_mark(place, place->start);
	return (struct wp__segment *)(void *)(marks - WP__MARKS_OFFSET);
}

/* Writes and publishes the job with the ticket at `position`, which is of the place's block. */
static inline void wp__place_write(
	const struct wp__place *place, uint64_t position, const struct wp_job *job)
{
	struct wp_job *slot = wp__place_slot(place, position);
	wp_atomic_u8 *mark = wp__place_mark(place, position);
	wp__slot_write(slot, job);
	wp_prefetch_for_write(slot + WP__PREFETCH_SLOTS);
	wp_prefetch_for_write(mark + WP__PREFETCH_MARKS);
	wp__mark_publish(mark, place->mark);
}

#endif
