/* SPDX-License-Identifier: MIT */
/*
 * Jobs with a context through a producer: as in engine/submit_ctx.h, with the producer's lane in
 * place of the shared one. The context is looked at before every try to get in; a reference is held
 * from before the push, because a worker may be done with the job before the push has returned; a
 * cancel wakes a producer that waits for room in its lane. Nobody else waits there, so room that is
 * not used after all is nobody's loss.
 *
 * reserve and commit look at no context: the caller does, if he wants to.
 */
#ifndef WP_ENGINE_PRODUCER_CTX_H
#define WP_ENGINE_PRODUCER_CTX_H

#include "engine/producer.h"

/* As wp__producer_submit, or the error of job->ctx, which is not NULL. */
int wp__producer_submit_in_ctx(struct wp_producer *p, const struct wp_job *job, uint64_t deadline);

/* As wp__producer_submit_batch; ends before the first job whose context has ended. */
ssize_t wp__producer_submit_batch_in_ctx(
	struct wp_producer *p, const struct wp_job *jobs, size_t n, bool wait);

#endif
