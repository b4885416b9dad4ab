/* SPDX-License-Identifier: MIT */
/*
 * How jobs come in. Arguments are valid (src/api/submit.c sees to it). Jobs with a context come in
 * by engine/submit_ctx.h; wp__submit_wait takes both kinds.
 *
 * A thread that is not a worker of the pool may wait for room in the lane. A worker never does: it
 * makes room itself (engine/run.h), because it may be the only one who can. Therefore it also
 * never takes a ticket by fetch-add, which might have to wait.
 */
#ifndef WP_ENGINE_SUBMIT_H
#define WP_ENGINE_SUBMIT_H

#include <sys/types.h>

#include "engine/pool.h"
#include "queue/push.h"

/* The rest of a submit whose push came only as far as `step`. 0, WP_ECLOSED. */
int wp__submit_go_on(
	struct wp_pool *pool, const struct wp_job *job, enum wp__push_step step, uint64_t tail);

/* One job, if nothing comes between; else wp__submit_go_on has to be called at once. */
static inline enum wp__push_step wp__submit_try(
	struct wp_pool *pool, const struct wp_job *job, uint64_t *tail)
{
	if (wp_unlikely(wp__self != NULL))
		return WP__PUSH_NOT_BEGUN;
	enum wp__push_step step = wp__push_try(&pool->lane, job, tail);
	if (wp_likely(step == WP__PUSH_DONE))
		pool->metrics.inc_queued(pool->metrics_self, 1);
	return step;
}

/* 0, WP_ECLOSED. */
static inline int wp__submit(struct wp_pool *pool, const struct wp_job *job)
{
	uint64_t tail = 0;
	enum wp__push_step step = wp__submit_try(pool, job, &tail);
	return wp_likely(step == WP__PUSH_DONE) ? 0 : wp__submit_go_on(pool, job, step, tail);
}

/* Also WP_ETIMEDOUT; with deadline 0 WP_EFULL instead. */
int wp__submit_until(struct wp_pool *pool, const struct wp_job *job, uint64_t deadline);

/* How many were accepted, or the reason why none was. n is not 0. */
ssize_t wp__submit_batch(struct wp_pool *pool, const struct wp_job *jobs, size_t n, bool wait);

/* The job's result, or why it was not run or not accepted. */
int wp__submit_wait(struct wp_pool *pool, const struct wp_job *job);

/* ---- for engine/submit_ctx.c ---- */

/* A push of n jobs has returned `pushed`: counts it, wakes a worker. 0 or the error. */
int wp__submit_conclude(struct wp_pool *pool, int pushed, size_t n);

/* wp__segqueue_push_some, held. */
int wp__submit_push_some(struct wp_pool *pool, const struct wp_job *jobs, size_t n, size_t *count);

/* Refuses n jobs. */
void wp__submit_reject(struct wp_pool *pool, size_t n, enum wp__reject reason, int why);

/* Inside of a job: makes room by running or setting aside a job, or lets others go on. */
void wp__submit_make_room(struct wp__worker *w);

/* n jobs were refused, with the error `why`. */
int wp__count_rejected(struct wp_pool *pool, size_t n, int why);

#endif
