/* SPDX-License-Identifier: MIT */
/*
 * Ways to hand a job to a pool.
 *
 * All of them return WP_EINVAL for a NULL pool or a NULL function, WP_EFORKED in the child of a
 * fork (in both cases nothing is counted), WP_ECLOSED once the pool is closed, and 0 (or a count)
 * when the job was accepted. Other refusals are counted as rejected. Any thread may call them, also
 * from inside a job, but not from a signal handler.
 *
 * Jobs with a context (ctx.h). One whose context has ended is always refused with the context's
 * error, whatever room there is, and a call that waits for room returns it at once when the context
 * ends: counted as rejected for time-out where that error is WP_ETIMEDOUT, else as cancelled. One
 * whose context ends later is not run if no worker has come to it by then. The deadline of a call
 * says how long to wait for room; it has nothing to do with the context's: that is the job's.
 *
 * From inside a job of the same pool no call waits for room: the worker runs a queued job itself
 * and tries again, so that jobs may submit jobs however small the capacity is. Helping is nested
 * at most 32 deep on the worker's stack; beyond that queued jobs are set aside in memory of their
 * own and run by the same worker as soon as its batch is done (without memory, it goes deeper).
 *
 * So a job that submits to a full pool, or waits for another job, may run unrelated jobs on top of
 * its own stack. It must not hold a lock then that such a job may want. A wait for a job of another
 * pool helps nobody: two pools of one worker each whose jobs wait for each other deadlock.
 */
#ifndef WPOOL_SUBMIT_H
#define WPOOL_SUBMIT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <wpool/export.h>
#include <wpool/job.h>

WP_BEGIN_DECLS

struct wp_pool;

/*
 * Runs fn(payload) on a worker; waits while the pool is full. A thread that submits at the same
 * moment as others may yield its CPU to them, once in some hundred calls and after its job is in.
 */
WP_API int wp_submit(struct wp_pool *pool, wp_job_fn fn, void *payload);

/* The same for a job with everything. */
WP_API int wp_submit_job(struct wp_pool *pool, const struct wp_job *job);

/* Does not wait: WP_EFULL when `capacity` jobs are queued. */
WP_API int wp_try_submit(struct wp_pool *pool, const struct wp_job *job);

/* Waits up to a deadline (clock.h), then WP_ETIMEDOUT; with deadline 0 like wp_try_submit. */
WP_API int wp_submit_until(struct wp_pool *pool, const struct wp_job *job, uint64_t deadline);

/*
 * Submits n jobs in order with one atomic step for up to segment_size of them. wp_submit_batch
 * waits while the pool is full; wp_try_submit_batch takes what fits now. They return how many were
 * accepted (the first ones); where none was, the reason as a negative code. 0 when n is 0. They end
 * at the first job whose context has ended, or ends while they wait with it; that job and all after
 * it count as rejected for its reason.
 */
WP_API ssize_t wp_submit_batch(struct wp_pool *pool, const struct wp_job *jobs, size_t n);
WP_API ssize_t wp_try_submit_batch(struct wp_pool *pool, const struct wp_job *jobs, size_t n);

/*
 * Submits the job and waits until it has finished and was cleaned up. Returns the job's own result;
 * WP_EPANIC when it gave up; or why it was not run: the error of its context, WP_EDROPPED when the
 * pool was stopped; or why it was not accepted. Once the job is accepted its end is waited for,
 * also when its context ends: a running job is never interrupted, and one that is queued comes to
 * its end when a worker gets to it. Allocates nothing. From inside a job of the same pool the
 * worker runs other jobs while it waits.
 */
WP_API int wp_submit_wait(struct wp_pool *pool, const struct wp_job *job);

WP_END_DECLS

#endif
