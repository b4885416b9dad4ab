/* SPDX-License-Identifier: MIT */
/*
 * Worker: look, claim, run, repeat; when nothing is there: search, spin a bounded time, park.
 *
 * Pacing. A consumer that looks as fast as it can catches up with the producer, and from then on
 * every job costs both of them cache-line transfers. So while jobs come fast (closer together than
 * RATE_FOR_PACING_NS) a worker pauses between two looks, until a little less than a full batch
 * should have arrived since its claim, at most options.poll_gap_ns. After a look that found nothing
 * there is no pause: a lone job is never delayed. Where options.poll_gap_ns is long (WP__DOZE_NS)
 * the worker sleeps in its pauses, and makes them as soon as some jobs can be expected in one: it
 * wakes for a bunch of jobs, by itself, instead of for each one by a call of its submitter.
 *
 * Batch cap. A claim takes at most options.batch_max jobs, at most what runs in options.batch_ns by
 * the cost of recent jobs, and at most its share when several workers are active. The cost starts
 * high, so a worker begins with one job at a time and learns; and with jobs out of the blue it
 * takes one at a time, because nobody stands by to take back what it does not get to.
 *
 * Handing over the watch. Before a worker runs what it claimed, somebody must be there for the
 * jobs that come next (see park/parking.h for the states):
 *
 *   cheap    the claim should be done within options.batch_ns, and jobs have been flowing: the
 *            worker stays active, provided a standby is there in case it is wrong, which then also
 *            takes back what is not started (engine/rescue.h). While claims leave work behind for
 *            longer than BEHIND_NS, it wakes another worker.
 *   else     the worker leaves. Work left: it wakes another worker. Nothing left: as the last one
 *            active it arms the lanes, and the next submit wakes somebody.
 *
 * One active worker is enough for cheap jobs that it keeps up with; several would only fight over
 * the same cache lines. So an active worker that is not alone and has kept up for a few claims
 * stands down: it parks, as the standby if there is none.
 *
 * Nobody watches over a pool of one worker: it looks again as soon as it can.
 *
 * Going to sleep. The last active worker spins for options.spin_ns first; one that is not the last
 * only a fraction of it. Then it parks, arms the lanes if it was the last, looks at them once more
 * (wp__segqueue_arm_sleep does both in one step) and sleeps. When a lane says that a ticket is out
 * but nothing can be claimed (its producer was preempted), the worker yields, then naps.
 */
#ifndef WP_ENGINE_WORKER_H
#define WP_ENGINE_WORKER_H

#include "engine/pool.h"

/* Looks and runs until the pool ends, or the thread has to be replaced (engine/thread.h). */
void wp__worker_work(struct wp__worker *w);

/* After a push that returned WP__PUSHED_WAKE: wakes a worker, once per armed lane. */
void wp__worker_wake_for(struct wp_pool *pool, struct wp__segqueue *lane);

/*
 * Worker w is about to run something that may take long. It is not active any more, unless it holds
 * jobs that others have to be able to find; somebody else is woken if nobody looks and work is
 * left.
 */
void wp__worker_step_away(struct wp__worker *w, bool work_left);

/*
 * Parks worker w, which is inside a job, until there may be work to help with or wp__parking_wake
 * is called for it after `done` was set. It is active then: look, and step away.
 */
struct wp__latch;
void wp__worker_wait_in_job(struct wp__worker *w, const struct wp__latch *done);

#endif
