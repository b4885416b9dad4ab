/* SPDX-License-Identifier: MIT */
/*
 * Single: the producer's end of a lane that has one producer. The lane itself, its segments and
 * its consumers are those of segqueue.h; what is missing is every read-modify-write on the way in.
 *
 *   push                                        whoever wants something of the producer
 *   tail = position + 1         (plain store)   signal |= ASLEEP or CLOSED
 *   compiler barrier [G1]                       heavy fence [G2]: all threads pass a fence
 *   signal ?                    (plain load)    look at tail
 *   write the slot, set its mark
 *
 * Why that is enough. After the heavy fence either tail is visible to the other thread, or the
 * producer's load, still to come, sees the signal: a store-load handshake whose one side has its
 * fence executed by the kernel. It is what tail's fetch-add decides in a shared lane:
 *
 *   ASLEEP   consumers do not look at this lane any more. Who set it and finds tail beyond head
 *            takes it back (wp__single_wake) and goes on; else the push that comes next sees it,
 *            and has to make the lane known again before it returns.
 *   CLOSED   `final` is tail as it was found after the fence. A push that sees CLOSED waits for
 *            `final`: with a ticket below it it was in time, and goes on; else it is refused, its
 *            slot is never published, and tail stays where no consumer comes. Of several closers
 *            each looks, and the first to store `final` decides.
 *
 * Where membarrier is missing the lane is not `light`: FENCE is always set in its signal, so the
 * producer goes the longer way, where it executes a fence and looks again, and so does the other
 * side. Should the call fail later on (a filter on system
 * calls was installed), the other side waits for HEAVY_NAP_NS instead: no processor holds back a
 * store that long.
 *
 * The segment being filled is kept at hand: up to `stop` the producer need not look for room or for
 * the next segment. The ticket of the next slot, which is not published, pins the segment. The
 * producer's place is tail itself; nothing else is stored for a job but its slot and its mark.
 *
 * Who may call what: the functions with a struct wp__single belong to one thread at a time; handing
 * it on needs an order between the two (a mutex). Those with a lane belong to anybody.
 *
 * Invariants.     tail <= stop <= limit, stop <= end of the segment being filled
 *
 * Progress. A push does a bounded number of steps, but for the wait for `final`, which the closer
 * stores right after his heavy fence, and for a segment of the lane's earlier lap that a preempted
 * consumer has not finished copying out of.
 */
#ifndef WP_QUEUE_SINGLE_H
#define WP_QUEUE_SINGLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <wpool/error.h>

#include "base/hooks.h"
#include "queue/place.h"
#include "queue/segqueue.h"

/* Bits of a single-producer lane's `signal`. */
#define WP__SIGNAL_ASLEEP UINT32_C(1)
#define WP__SIGNAL_CLOSED UINT32_C(2)
#define WP__SIGNAL_FENCE  UINT32_C(4) /* for ever, unless the lane is light */

struct wp__single {
	struct wp__segqueue *lane;
	uint64_t stop;          /* position up to which slots may be filled at once */
	uint64_t limit;         /* first position that there is no room for, as far as known */
	struct wp__place place; /* of the segment being filled */
};

/* The producer's end of a lane that was initialised with options.single and is not in use. */
void wp__single_init(struct wp__single *s, struct wp__segqueue *lane);

/* The position of the next ticket. Relaxed: it is the producer's own. */
static inline uint64_t wp__single_position(const struct wp__single *s)
{
	return wp_load_rlx_u64(&s->lane->tail);
}

/*
 * Moves tail to `next` and returns the signal: the producer's half of the handshake, but for the
 * fence of lanes that are not light. Whoever is told of a signal has to look again.
 */
static inline uint32_t wp__single_announce(struct wp__segqueue *lane, uint64_t next)
{
	/* Relaxed: [G1] orders it, and the mark publishes the job. */
	wp_store_rlx_u64(&lane->tail, next);
	WP_POINT("G1");
	/* The fence is in the other side's membarrier, or in look_again (single.c). */
	wp_fence_compiler();
	return wp_load_rlx_u32(&lane->signal);
}

/* How far a push has come. */
enum wp__single_step {
	WP__SINGLE_DONE,
	WP__SINGLE_AT_STOP,   /* there may be no room; nothing was done */
	WP__SINGLE_SIGNALLED, /* the ticket was announced, and a signal found */
};

/* A push as long as nothing comes between; else wp__single_go_on has to do the rest at once. */
static inline enum wp__single_step wp__single_try(struct wp__single *s, const struct wp_job *job)
{
	uint64_t position = wp__single_position(s);
	if (wp_unlikely(position == s->stop))
		return WP__SINGLE_AT_STOP;
	if (wp_unlikely(wp__single_announce(s->lane, position + WP__TICKET_ONE) != 0))
		return WP__SINGLE_SIGNALLED;
	wp__place_write(&s->place, position, job);
	return WP__SINGLE_DONE;
}

/* 0; WP__PUSHED_WAKE: accepted, and the lane is asleep; WP_EFULL, WP_ECLOSED. */
int wp__single_go_on(struct wp__single *s, const struct wp_job *job, enum wp__single_step step);

static inline int wp__single_push(struct wp__single *s, const struct wp_job *job)
{
	enum wp__single_step step = wp__single_try(s, job);
	return wp_likely(step == WP__SINGLE_DONE) ? 0 : wp__single_go_on(s, job, step);
}

/* As wp__segqueue_push_some: as many of the n jobs as there is room for. */
int wp__single_push_some(struct wp__single *s, const struct wp_job *jobs, size_t n, size_t *pushed);

/*
 * Up to *n free slots side by side, to be filled in place; *n is how many. NULL: *error is WP_EFULL
 * or WP_ECLOSED.
 */
struct wp_job *wp__single_reserve(struct wp__single *s, size_t *n, int *error);

/*
 * Publishes the next n slots, which were reserved and have been written. 0, WP__PUSHED_WAKE, or
 * WP_ECLOSED: none of them was published.
 */
int wp__single_commit(struct wp__single *s, uint64_t n);

/* ---- anybody ---- */

/*
 * The other side's fence: between setting a signal and looking at tail. One call serves any number
 * of lanes that are all light, or all not.
 */
void wp__single_heavy_fence(bool light);

/* Sets ASLEEP. A heavy fence has to follow, and a look at wp__segqueue_is_empty. */
void wp__single_put_to_sleep(struct wp__segqueue *lane);

/* Clears ASLEEP; true to the one who did: he makes the lane known to consumers. */
bool wp__single_wake(struct wp__segqueue *lane);

/*
 * Sets CLOSED. True while `final` is missing, and not to the first only: whoever is told so passes
 * a heavy fence, then calls wp__single_finish_close. So each close that has returned has a `final`
 * behind it, and no push that begins later can still be in time.
 */
bool wp__single_begin_close(struct wp__segqueue *lane);
/* True to exactly one: the tail that he found is `final`, and waiting producers were woken. */
bool wp__single_finish_close(struct wp__segqueue *lane);

#endif
