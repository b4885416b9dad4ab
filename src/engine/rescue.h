/* SPDX-License-Identifier: MIT */
/*
 * Rescue: a worker takes back what another one has claimed and not started, because that one is
 * busy with a job that takes long. So a job waits at most behind the job now running, never behind
 * a batch.
 *
 * The batch of worker V (the owner) is its own: no other thread looks at it, except in a rescue.
 * The owner pays a plain store and a plain load per job; the rescuer pays with a membarrier.
 *
 *   owner, before each job                   rescuer, rarely
 *   left = left - 1         (plain store)    interrupt: 0 -> RESCUING
 *   compiler barrier [X6]                    membarrier [X1]: all threads pass a fence
 *   interrupt != 0 ?        (plain load)     n = left
 *     yes: wp__rescue_yield                  n == 0: nothing to take; interrupt: -> 0
 *     no:  run the job                       copy the last n jobs; taken_from = count - n
 *                                            interrupt: -> RESCUED [X2]
 *
 * Why no job is lost or run twice. After the membarrier either the owner's next load of interrupt
 * sees RESCUING, or its latest store of left is visible to the rescuer: the pair is a store-load
 * handshake whose one side has its fence executed by the kernel. So the owner starts no job that
 * the rescuer counts as not started, but for one in doubt: the owner has stored left, but the
 * rescuer did not see it. The owner does see the flag then, waits until the rescuer is done, and
 * learns from taken_from whose job it is. While RESCUED stands the owner has not looked yet; only
 * the owner takes it away, so there is one rescue of a batch at most.
 *
 * The jobs themselves: the owner wrote the batch before it stored left for the first time ([X3]
 * release, [X4] acquire), and writes it again only after it has taken RESCUED away ([X2] release,
 * [X5] acquire).
 *
 * Without membarrier (an old kernel, a filter on system calls) the owner executes a fence per job
 * instead of the compiler barrier: slower, and just as right. Should the call fail later on, the
 * rescuer naps instead, as in queue/single.h, and the owner waits for it that long at most.
 *
 * Invariants.   jobs run by the owner + jobs taken == count of the batch
 *               left > 0  =>  the batch is stable while interrupt is RESCUING
 *
 * Who rescues. The standby (park/parking.h) finds a worker without progress, declares it away and
 * looks whether it holds jobs; every worker does before it parks. Who holds jobs that are not
 * started stays active, whatever it runs, and sees to it that there is a standby: so a worker that
 * is away and holds jobs was declared away, and somebody is on his way to it: whoever cannot go
 * himself (a job of his goes on) wakes another one to do that before anything else. Jobs that were
 * set aside (engine/run.h) cannot be rescued.
 */
#ifndef WP_ENGINE_RESCUE_H
#define WP_ENGINE_RESCUE_H

#include <stdbool.h>

#include "engine/pool.h"

/* Bits of a worker's `interrupt`. */
#define WP__RESCUING UINT32_C(1) /* somebody is about to take jobs: wait */
#define WP__RESCUED  UINT32_C(2) /* jobs from taken_from on are gone */
#define WP__FORKED   UINT32_C(8) /* this is the child of a fork: see engine/fork.h */
#define WP__DISCARD  UINT32_C(4) /* the pool is being stopped: drop jobs instead of running them */

/* The owner: batch[0 .. count-1] is there to be run. */
void wp__rescue_offer(struct wp__worker *w, uint32_t count, uint64_t first_id);

/*
 * The owner saw `interrupt` when it was about to start batch[index]: waits for a rescue that goes
 * on and accepts its outcome. True: the job is still the owner's.
 */
bool wp__rescue_yield(struct wp__worker *w, uint32_t index);

/* The owner: the next job to start, or false when the batch has none left. */
static inline bool wp__rescue_next(struct wp__worker *w, uint32_t *index)
{
	uint32_t left = wp_load_rlx_u32(&w->left);
	if (left == 0)
		return false;
	/* [X3] rel: as in offer; the rescuer may read any of these stores; pairs with [X4] */
	wp_store_rel_u32(&w->left, left - 1);
	/* [X6] sc: by the rescuer's membarrier, or here without it; pairs with [X1] */
	if (wp_likely(w->pool->has_membarrier))
		wp_fence_compiler();
	else
		wp_fence_sc();
	*index = w->count - left;
	return wp_likely(wp_load_rlx_u32(&w->interrupt) == 0) || wp__rescue_yield(w, *index);
}

/* Whether it is worth while to rescue v's jobs. Any thread. */
static inline bool wp__rescue_is_wanted(const struct wp__worker *v)
{
	return wp_load_rlx_u32(&v->left) != 0 &&
	       !(wp_load_rlx_u32(&v->interrupt) & (WP__RESCUING | WP__RESCUED));
}

/*
 * Takes what v has claimed and not started: copies it to out (WP__BATCH_MAX jobs), and when the
 * jobs came in to stamps if v notes that, and returns how many; *first_id is the id of the first.
 * 0: there was nothing, or somebody was faster.
 */
uint32_t wp__rescue_take(
	struct wp__worker *v, struct wp_job *out, uint64_t *stamps, uint64_t *first_id);

#endif
