/* SPDX-License-Identifier: MIT */
/*
 * Segmented queue: one lane. A bounded, strictly first-in-first-out queue of jobs for any number
 * of producers and consumers.
 *
 * Words, each alone on its cache lines:
 *
 *     tail   ticket << 2 | CLOSED | SLEEP    producers: one fetch-add per push, or per many
 *     head   ticket << 2 | WAITERS           consumers: one compare-and-swap per claim
 *     limit  a recent head ticket + capacity, as a position; read-mostly
 *     directory[block & mask]  lap << 48 | offset of the segment | MARK | INSTALLED
 *                              and while it is free: lap << 48
 *
 * A ticket is a job's place in line, counted from the lane's creation. A position is a ticket << 2,
 * the form it has in tail and head; positions are compared by the sign of their difference, so the
 * packed words may wrap. Ticket / size is the block, ticket % size the slot; a block is held by the
 * directory entry block & mask in lap block / entries. A lap has 16 bits there; that is enough,
 * because a ticket keeps its block's entry from being two laps ahead or behind, and whoever has no
 * ticket is refuted by head (below). Block numbers wrap correctly where size is
 * a power of two; for other sizes a lane's life ends after 2^62 jobs (146 years at 1 ns each).
 *
 * push    take a ticket; find the segment through the directory (install one where there is none:
 *         anyone may) or remember it (place.h); write the slot; set its mark. Tail came back with
 *         SLEEP: the caller wakes a sleeper. Tail came back with CLOSED: refused, nothing was
 *         promised.
 * claim   read head; find its segment; the run of marks from there is the batch; move head
 *         past it by compare-and-swap; copy the jobs out; done += k. Whoever brings done to size
 *         retires the segment: renews it, gives it to the free list, frees the directory entry.
 * close   fetch-or CLOSED into tail: returns the final ticket. Every ticket below it is a promise.
 *
 * Taking a ticket. Far from full by one fetch-add, which cannot be undone; near full by
 * compare-and-swap and only below limit. "Near" is a word of its own that producers read first;
 * limit is read again when a thread gets beyond the tickets that it knew to have room (place.h). A
 * blocking push that read it in time but was preempted until the lane had filled up owns a ticket
 * beyond the limit: it waits, with its ticket, until head has come close enough, or the lane is
 * closed (whoever empties it may be waiting for this thread to end; there are spare directory
 * entries). try_push, timed push and push_some always use the compare-and-swap, so a refusal is
 * exact and undoes nothing. The common case of a push by fetch-add is in push.h; producers that
 * push at the same moment take turns (turns.h).
 *
 * Invariants.      head <= tail                       (as tickets)
 *                  published - claimed <= capacity    (until the close)
 *                  limit <= head + capacity           (read together; limit may be low, never high)
 *                  block b is installed  =>  lap(entry of b) == lap(b)  until it is retired
 *                  free entry of lap L   =>  every block of that entry before lap L is retired
 *
 * Why no hazard pointers and no epochs. A producer's ticket and a consumer's claim each pin their
 * segment: it is retired only when done == size, and their slots are not counted before they are
 * finished with them. Whoever only peeks (a consumer before its compare-and-swap) may look at a
 * segment that was retired and is in use for another block; head cannot have the value he read any
 * more then (it never returns to one), so his compare-and-swap fails and what he saw is dropped.
 *
 * Memory order. Jobs travel from producer to consumer through the slot's mark ([Q2] to [Q3]);
 * segments travel from consumer to producer through done [S1], the free list ([F2] to [F1]) and
 * the directory ([D2] to [D1]). Tail, head and limit carry no data: their operations are relaxed
 * except where a sleep or a close is decided (below). See docs/memory-model.md.
 *
 * Waiting for room: see room.h.
 *
 * Sleeping consumers. wp__segqueue_arm_sleep sets SLEEP in tail and says whether head has caught
 * up with the ticket that came back. Either a producer's fetch-add came before it, and the sleeper
 * sees the ticket, or after it, and the producer sees the bit: one word, one order, no fence.
 *
 * Progress. See <wpool/queue.h>.
 *
 * Sources: fetch-add tickets over blocks that any thread may install, as in the segment queues of
 * folly (UnboundedQueue) and crossbeam (SegQueue); capacity by a cached limit, as in the LMAX
 * Disruptor's gating sequence; division by multiplication: T. Granlund and P. L. Montgomery,
 * "Division by invariant integers using multiplication", PLDI 1994.
 */
#ifndef WP_QUEUE_SEGQUEUE_H
#define WP_QUEUE_SEGQUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <wpool/job.h>

#include "base/atomic.h"
#include "base/layout.h"
#include "queue/room.h"
#include "queue/segpool.h"

#define WP__TICKET_ONE   UINT64_C(4) /* one ticket, as a position */
#define WP__POSITION     (~UINT64_C(3))
#define WP__TAIL_SLEEP   UINT64_C(1)
#define WP__TAIL_CLOSED  UINT64_C(2)
#define WP__HEAD_WAITERS UINT64_C(1)

struct wp__segqueue_options {
	uint64_t capacity;
	uint32_t segment_size;
	uint32_t segment_count; /* touched at creation */
	uint32_t keep_free;     /* free segments whose pages are kept; 0: all */
	uint64_t room_patience; /* see room.h */
	uint64_t first_ticket;  /* rounded down to a block's first */
	uint64_t first_id;      /* of the first job; the next one has the next */
	bool stamps;            /* note when jobs come in; see stamp.h */
	bool single;            /* one producer, by single.h, and no other */
	bool light;             /* single: membarrier is there, see single.h */
};

struct wp__segqueue {
	/* Set at creation, then only read. */
	uint64_t block_factor; /* block = high half of position * factor, >> shift */
	uint32_t block_shift;
	uint32_t segment_size;
	uint64_t directory_mask;
	uint32_t directory_shift;
	wp_atomic_u64 *directory;
	uint64_t capacity_span; /* capacity, as a position */
	uint64_t slack_span;    /* how far from limit "near" begins, as a position */
	uint64_t first;         /* position of the first ticket */
	uint64_t first_id;      /* the job's with that ticket */
	uint64_t id;            /* no other lane of this process ever has it; see place.h */
	bool always_near;       /* the capacity is too small for a fetch-add ever */
	bool single;            /* see single.h; tail has no flags then */
	bool light;

	/* Producers: every push. */
	_Alignas(WP_ALONE) wp_atomic_u64 tail;
	/* Consumers: every claim. */
	_Alignas(WP_ALONE) wp_atomic_u64 head;
	/* Producers read near at every push; written when a ticket reaches limit. */
	_Alignas(WP_ALONE) wp_atomic_u64 limit;
	wp_atomic_u32 near;
	wp_atomic_u32 stamp_mask; /* a job whose slot has none of these bits is stamped */
	wp_atomic_u32 signal;     /* single: see single.h */
	/* Written only by those who wait for room, who wake them, and by close. */
	_Alignas(WP_ALONE) struct wp__room room;
	wp_atomic_u64 final; /* final position | 1 once closed */

	_Alignas(WP_ALONE) struct wp__segpool pool;
};

/* What a push tells besides 0 and negative errors: accepted, and a consumer wants to be woken. */
#define WP__PUSHED_WAKE 1

/* How many segments a lane reserves address space for. */
uint64_t wp__segqueue_segments(uint64_t capacity, uint32_t segment_size);

/*
 * Prepares *q, which is aligned to WP_ALONE. The options are in the ranges of <wpool/queue.h>.
 * 0; -EINVAL: capacity / segment_size needs too many segments; -ENOMEM. Nothing else can fail.
 */
int wp__segqueue_init(struct wp__segqueue *q, const struct wp__segqueue_options *options);
void wp__segqueue_fini(struct wp__segqueue *q);

/* ---- producers: any thread ---- */

/* Waits for room as long as it takes. 0, WP__PUSHED_WAKE or WP_ECLOSED. */
int wp__segqueue_push(struct wp__segqueue *q, const struct wp_job *job);

/* Waits for room until the deadline (0: not at all). Also WP_ETIMEDOUT; with 0 WP_EFULL. */
int wp__segqueue_push_until(struct wp__segqueue *q, const struct wp_job *job, uint64_t deadline);

/*
 * Pushes as many of the n jobs as there is room for, at once and next to each other; never waits.
 * *pushed is how many. 0 or WP__PUSHED_WAKE when it is not 0, else WP_EFULL or WP_ECLOSED.
 */
int wp__segqueue_push_some(
	struct wp__segqueue *q, const struct wp_job *jobs, size_t n, size_t *pushed);

/* ---- consumers: any thread ---- */

struct wp__claim {
	uint64_t *stamps;    /* in, for a lane with stamps: room for max of them, or NULL. Out: when
	                        each job came in, in ticks, or 0 where that was not noted */
	uint32_t count;      /* jobs copied out */
	bool more;           /* the next job was ready, too */
	bool at_segment_end; /* the batch ended there; the next segment was not looked at */
	uint64_t ticket;     /* of the first, counted from the lane's creation, + first_id */
};

/*
 * Takes the ready jobs at the front: at most max, in one segment, and at most a 1 / share of those
 * that are ready (at least one). Producers that wait for room are woken once there is room for
 * wake_room jobs. false: nothing is ready at the front.
 */
bool wp__segqueue_claim(struct wp__segqueue *q, struct wp_job *out, uint32_t max, uint32_t share,
	uint64_t wake_room, struct wp__claim *claim);

/* Which jobs are stamped from now on: all, or a few. For lanes with stamps. */
void wp__segqueue_stamp_all(struct wp__segqueue *q, bool all);

#include "queue/segqueue_ends.h"

#endif
