/* SPDX-License-Identifier: MIT */
/*
 * Lanes: all the queues that a pool's workers serve, and which of them are worth a look.
 *
 * Lane 0 is the shared one, into which any thread submits. Each producer (engine/producer.h) has a
 * lane of its own. Workers find lanes by their number in the pool's table; opening the lane that
 * does not fit any more replaces the table by one of twice the size, after an RCU grace period.
 * Lanes never go away while the pool lives: a producer that closes leaves its lane, with what is
 * still in it, to the next one that opens.
 *
 * Awake and asleep. `awake` has a bit for each lane that workers look at; the shared lane's is
 * always set. A lane that nothing comes from is put to sleep, so that thousands of them cost
 * nothing: its bit is cleared, then ASLEEP is set in the lane, a heavy fence passed, and the lane
 * looked at once more (queue/single.h). The push that comes next finds ASLEEP and wakes the lane:
 * sets its bit, and then takes SLEEP away from the shared lane's tail, which is where workers
 * announce that all of them sleep.
 *
 *   last worker, before it sleeps                    producer, whose push found ASLEEP
 *   empty lanes: bits away, ASLEEP, fence, looks     ASLEEP away [G4]
 *   tail |= SLEEP [P1]                               its bit into awake [A1]
 *   awake != 0: there is work after all [A2]         tail &= ~SLEEP [P2]: it stood? wake a worker
 *
 * Either the worker's [P1] comes after [P2] and takes up the bit, or [P2] finds SLEEP.
 *
 * Fairness. A worker looks at the awake lanes in turn, beginning behind the one it claimed from
 * last, and claims at most one batch from each. So between two claims from a lane that has jobs
 * each other lane is served at most options.batch_max jobs by each worker: no lane waits for more
 * than (awake lanes - 1) * workers * batch_max jobs.
 *
 * Search. While workers are awake, lanes are put to sleep only when there are more than
 * FEW_LANES awake ones and looks at empty lanes have become many: one fence then serves all.
 *
 * Counting. Tickets only grow, also when a lane is handed on: the pool has accepted the sum over
 * all lanes.
 *
 * Who may call what: workers what has a struct wp__worker, and arm, disarm and offer_room;
 * everything else any thread.
 */
#ifndef WP_ENGINE_LANES_H
#define WP_ENGINE_LANES_H

#include "engine/pool.h"
#include "queue/single.h"

/* A producer's lane. */
struct wp__lane {
	struct wp__segqueue queue;
	uint32_t number;
	struct wp__lane *older;     /* the one made before it, or NULL */
	struct wp__lane *next_idle; /* in the list of those that no producer has */
};

/* The table with its shared lane, and no other. 0 or WP_ENOMEM. */
int wp__lanes_init(struct wp_pool *pool);
/* Frees the table and all lanes but the shared one. */
void wp__lanes_fini(struct wp_pool *pool);

/* ---- workers ---- */

/* Claims jobs from the next lane that has any ready. Not inside a read side. */
bool wp__lanes_claim(struct wp__worker *w, struct wp_job *out, uint32_t max, uint32_t share,
	struct wp__claim *claim);

/* Puts all lanes to sleep. True: all are empty. False: there is work, or there was a moment ago. */
bool wp__lanes_arm(struct wp_pool *pool);
void wp__lanes_disarm(struct wp_pool *pool);

/* Wakes producers that wait although there is room; see queue/room.h. */
void wp__lanes_offer_room(struct wp_pool *pool);

/* ---- producers ---- */

/* A lane that no producer has. 0; WP_ECLOSED; WP_ENOMEM; WP_EBUSY: all numbers are taken. */
int wp__lanes_open(struct wp_pool *pool, struct wp__lane **lane);
/* The producer is done with its lane. */
void wp__lanes_hand_back(struct wp_pool *pool, struct wp__lane *lane);

/* A push returned WP__PUSHED_WAKE. */
void wp__lanes_wake(struct wp_pool *pool, struct wp__lane *lane);

/* ---- anybody ---- */

/*
 * Closes all lanes, once for all; producers that wait for room are woken. The shared lane is the
 * last: who finds it closed finds each lane closed, by the fence between (queue/single.h).
 */
void wp__lanes_close(struct wp_pool *pool);

/* In the child of a fork: makes all lanes refuse; see wp__segqueue_close_copy. */
void wp__lanes_close_copies(struct wp_pool *pool);

/* Which jobs are stamped from now on, in lanes that are awake: all, or a few (queue/stamp.h). */
void wp__lanes_stamp_all(struct wp_pool *pool, bool all);

struct wp__lane_sums {
	uint64_t claimed, accepted; /* of each lane in this order: claimed <= accepted */
	uint64_t segments_touched, segments_free, segments_reused;
};

/* Sums over all lanes; under the pool's mutex. */
struct wp__lane_sums wp__lanes_sum(const struct wp_pool *pool);

#endif
