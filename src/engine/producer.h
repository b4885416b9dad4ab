/* SPDX-License-Identifier: MIT */
/*
 * Producers: the handle of a lane that one thread fills. See <wpool/producer.h> for the contract,
 * queue/single.h for the lane, engine/lanes.h for how workers find it.
 *
 * Open handles are listed in the pool, under its mutex. A pool that is destroyed makes orphans of
 * them: they get a lane that was closed before it was ever used, so that the fast path needs no
 * look at the pool.
 *
 * A reservation is where the next slots were and how many: whatever else is submitted moves the
 * lane on, and so ends it. A commit publishes nothing beyond it, in all builds: what is there was
 * not written by the caller.
 */
#ifndef WP_ENGINE_PRODUCER_H
#define WP_ENGINE_PRODUCER_H

#include <sys/types.h>

#include "engine/lanes.h"
#include "queue/single.h"

struct wp_producer {
	struct wp_pool *pool; /* NULL: an orphan; first, on the line of what each submit reads */
	struct wp__single end;
	struct wp__lane *lane;
	uint64_t reserved_at;             /* position of the first slot that was reserved */
	size_t reserved;                  /* slots from there that a commit may publish */
	struct wp_producer *next, **link; /* in the pool's list */
	wp_atomic_u32 in_use;             /* a call is going on; without NDEBUG only */
};

int wp__producer_open(struct wp_producer **producer, struct wp_pool *pool);
void wp__producer_close(struct wp_producer *p);

/* The pool goes away: its open producers become orphans. */
void wp__producers_orphan(struct wp_pool *pool);

/* The rest of a submit whose push came only as far as `step`; leaves the handle. */
int wp__producer_go_on(struct wp_producer *p, const struct wp_job *job, enum wp__single_step step,
	uint64_t deadline);

/* Ends the program if another thread uses the handle. */
void wp__producer_check(struct wp_producer *p);

static inline void wp__producer_enter(struct wp_producer *p)
{
#ifdef NDEBUG
	(void)p;
#else
	wp__producer_check(p);
#endif
}

static inline void wp__producer_leave(struct wp_producer *p)
{
#ifdef NDEBUG
	(void)p;
#else
	wp_store_rlx_u32(&p->in_use, 0);
#endif
}

/* One job, if nothing comes between; else wp__producer_go_on has to be called at once. */
static inline enum wp__single_step wp__producer_try(struct wp_producer *p, const struct wp_job *job)
{
	wp__producer_enter(p);
	enum wp__single_step step = wp__single_try(&p->end, job);
	if (wp_likely(step == WP__SINGLE_DONE)) {
		p->pool->metrics.inc_queued(p->pool->metrics_self, 1);
		wp__producer_leave(p);
	}
	return step;
}

/* One job; waits for room until the deadline (0: not at all, WP_EFULL). */
static inline int wp__producer_submit(
	struct wp_producer *p, const struct wp_job *job, uint64_t deadline)
{
	enum wp__single_step step = wp__producer_try(p, job);
	return wp_likely(step == WP__SINGLE_DONE) ? 0 : wp__producer_go_on(p, job, step, deadline);
}

ssize_t wp__producer_submit_batch(
	struct wp_producer *p, const struct wp_job *jobs, size_t n, bool wait);
struct wp_job *wp__producer_reserve(struct wp_producer *p, size_t *n);
void wp__producer_commit(struct wp_producer *p, size_t n);

/* ---- for engine/producer_ctx.c ---- */

/* Accepted: the rest of a submit of n jobs. 0. */
int wp__producer_accept(struct wp_producer *p, int pushed, size_t n);
/* n jobs were refused, for the reason `why`, which it returns; in the child of a fork another. */
int wp__producer_refuse(struct wp_producer *p, size_t n, int why);
/* Inside of a job of the pool: runs another one, or lets others go on. False: it is no such job. */
bool wp__producer_make_room(struct wp_producer *p);

#endif
