/* SPDX-License-Identifier: MIT */
/*
 * Room: how producers of a segmented queue wait until there is some, and who wakes them.
 *
 * A producer that finds the lane full counts itself in `waiters`, reads `epoch`, sets WAITERS in
 * the lane's head (a read-modify-write that also returns head) and looks again: is there room now?
 * If not, it sleeps on the epoch it read. A consumer whose compare-and-swap replaces a head with
 * WAITERS advances epoch and wakes.
 *
 * Why no wake-up is lost. WAITERS and the consumers' progress are in one word. Either the
 * consumer's compare-and-swap comes before the producer's look ([W2]): it sees the room. Or after:
 * the consumer sees WAITERS and advances the epoch, which the producer had read before, so that the
 * kernel does not let it sleep, or wakes it.
 *
 * When to wake. A wake-up costs microseconds, so producers are not woken for every job but when
 * there is room for `wake_room` jobs. The claim that empties the lane makes all the room there is,
 * which always is enough. Consumers wake no more producers than there is room for; WAITERS stays
 * set while others are left, and a woken producer that leaves without using the room (its deadline
 * passed) wakes the next.
 *
 * In turn. 64 producers that are woken for room of a few thousand jobs submit some fifty each and
 * sleep again: two context switches for fifty jobs, and all of them at once on tail's line. So in
 * a lane with patience (below) a claim wakes that part of the sleepers which the room is of the
 * capacity, one at least, and none before head has moved on by wake_room since the last time: few
 * where those woken fill the room, all by and by where they do not. The kernel wakes those first
 * who came first. The claim that empties the lane, and offers, wake as many as there is room for.
 *
 * Where consumers may disappear with room made and nobody woken (a worker that runs a job for
 * longer than it thought), the lane is given a `patience`: a sleeper looks by itself after that
 * time, then after twice that time, and so on. Being woken in vain does not make it more patient.
 *
 * Giving up. A producer may be told to stop waiting: by a word that somebody sets before he wakes
 * everybody. The producer looks at the word after it has read the epoch: either it sees it set, or
 * it sleeps on an epoch that the wake-up advances. It leaves without using the room, as above. One
 * that was let out with room and gives up then must offer it (wp__segqueue_offer_room).
 *
 * Holders. A producer may wait with a ticket (see segqueue.h). Its slot is a hole: head cannot pass
 * it, so the lane may never become empty and `wake_room` never be reached. It therefore counts
 * itself in `holders` as well, and every claim wakes everybody while there are any.
 *
 * Invariants.   waiters == threads between join and leave;  holders <= waiters
 *               waiters asleep  =>  WAITERS is set, or epoch has changed since they read it
 */
#ifndef WP_QUEUE_ROOM_H
#define WP_QUEUE_ROOM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"

struct wp__segqueue;

struct wp__room {
	wp_atomic_u32 epoch;
	wp_atomic_u32 waiters;
	wp_atomic_u32 holders;
	wp_atomic_u64 woken_at; /* where head was when producers were woken last, as a position */
	uint64_t patience; /* ns after which a sleeper looks by itself; 0: never; set at creation */
	bool in_turn;      /* a claim wakes a few at a time; set where there is patience */
};

/* Waits until there may be room: 0; WP_ECLOSED; WP_ETIMEDOUT. Without a ticket. */
int wp__room_wait(struct wp__segqueue *q, uint64_t deadline);

/* The same; also WP_ECANCELED: *stop (NULL: nobody does) was set and wp__room_wake called. */
int wp__room_wait_unless(struct wp__segqueue *q, const wp_atomic_u32 *stop, uint64_t deadline);

/* Waits until the ticket at `position` is within capacity of head, or the lane is closed. */
void wp__room_wait_with_ticket(struct wp__segqueue *q, uint64_t position);

/* What a claim does about producers that wait. */
struct wp__room_plan {
	uint64_t wake; /* how many; 0: none */
	uint64_t keep; /* WAITERS, if it stays set */
	uint64_t at;   /* where head goes */
};

/* Head has WAITERS and is about to be moved to `next`. */
struct wp__room_plan wp__room_plan(struct wp__segqueue *q, uint64_t next, uint64_t wake_room);

/* Head has WAITERS: as many as there is room for, whatever was woken before. */
struct wp__room_plan wp__room_plan_all(struct wp__segqueue *q, uint64_t head);

/* Head had WAITERS and was moved: carries the plan out. */
void wp__room_made(struct wp__segqueue *q, const struct wp__room_plan *plan);

/* Wakes up to n producers, whatever they wait for. */
void wp__room_wake(struct wp__segqueue *q, uint64_t n);

#endif
