/* SPDX-License-Identifier: MIT */
/*
 * How jobs come in. Arguments are valid (src/api/submit.c sees to it).
 *
 * A thread that is not a worker of the pool may wait for room in the lane. A worker never does: it
 * makes room itself (engine/run.h), because it may be the only one who can. Therefore it also
 * never takes a ticket by fetch-add, which might have to wait.
 */
#ifndef WP_ENGINE_SUBMIT_H
#define WP_ENGINE_SUBMIT_H

#include <sys/types.h>

#include "engine/pool.h"

/* 0, WP_ECLOSED. */
int wp__submit(struct wp_pool *pool, const struct wp_job *job);

/* Also WP_ETIMEDOUT; with deadline 0 WP_EFULL instead. */
int wp__submit_until(struct wp_pool *pool, const struct wp_job *job, uint64_t deadline);

/* How many were accepted, or the reason why none was. n is not 0. */
ssize_t wp__submit_batch(struct wp_pool *pool, const struct wp_job *jobs, size_t n, bool wait);

/* The job's result, WP_EDROPPED, or WP_ECLOSED. */
int wp__submit_wait(struct wp_pool *pool, const struct wp_job *job);

/* Inside of a job: runs or sets aside a job; where others hold them all, lets them go on. */
void wp__make_room(struct wp__worker *w);

/* n jobs were refused, with the error `why`. */
void wp__count_rejected(struct wp_pool *pool, size_t n, int why);

#endif
