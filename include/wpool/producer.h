/* SPDX-License-Identifier: MIT */
/*
 * Producers: a lane of a pool for one thread that submits very often.
 *
 * wp_submit takes a place in one line that all threads share; that costs an atomic
 * read-modify-write per job. A producer has a line of its own, into which it submits with plain
 * stores. The same workers serve it.
 *
 * Order: the jobs of one producer are claimed in the order in which they were submitted. Between
 * producers, and between a producer and wp_submit, there is no order. Workers serve the lines in
 * turn: between two claims from a line that has jobs, each worker takes at most options.batch_max
 * jobs from each other line.
 *
 * Room: each producer may have options.producer_capacity jobs queued, exactly; this is on top of
 * the pool's own capacity.
 *
 * Threads: open, and everything else, from any thread, but a handle is used by one thread at a
 * time; whoever hands it to another thread sees to the order (a mutex, a join). Builds without
 * NDEBUG end the program with a message when two threads use a handle at once, or when one is used
 * after its pool was destroyed; others do not look at the former and return WP_ECLOSED for the
 * latter. A job that uses a handle is another thread, even if it was submitted by it.
 *
 * Closing the pool while producers submit loses nothing: each submit either returned 0, and its job
 * runs or is dropped with its cleanup, or it returned WP_ECLOSED.
 */
#ifndef WPOOL_PRODUCER_H
#define WPOOL_PRODUCER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <wpool/export.h>
#include <wpool/job.h>

WP_BEGIN_DECLS

struct wp_pool;
struct wp_producer;

#define WP_PRODUCERS_MAX 16383u

/*
 * Opens a producer. 0; WP_EINVAL: a NULL pointer; WP_ENOMEM; WP_ECLOSED; WP_EBUSY: WP_PRODUCERS_MAX
 * are open. On error *producer is NULL. Takes a lock; from any thread, also from inside a job. The
 * handle is the caller's until wp_producer_close.
 */
WP_API int wp_producer_open(struct wp_producer **producer, struct wp_pool *pool);

/*
 * Like their namesakes in submit.h, into the producer's own line: they wait while it is full, up to
 * the deadline; the try form returns WP_EFULL instead. From inside a job of the same pool they run
 * queued jobs while they wait. WP_EINVAL, WP_ECLOSED, WP_ETIMEDOUT as there, and a job whose
 * context (ctx.h) has ended is refused with the context's error, also while the call waits.
 */
WP_API int wp_producer_submit(struct wp_producer *producer, wp_job_fn fn, void *payload);
WP_API int wp_producer_submit_job(struct wp_producer *producer, const struct wp_job *job);
WP_API int wp_producer_try_submit(struct wp_producer *producer, const struct wp_job *job);
WP_API int wp_producer_submit_until(
	struct wp_producer *producer, const struct wp_job *job, uint64_t deadline);

/*
 * n jobs in order; how many were accepted, the first ones; or an error when none was. Ends before
 * the first job whose context has ended.
 */
WP_API ssize_t wp_producer_submit_batch(
	struct wp_producer *producer, const struct wp_job *jobs, size_t n);
WP_API ssize_t wp_producer_try_submit_batch(
	struct wp_producer *producer, const struct wp_job *jobs, size_t n);

/*
 * Room for up to *n jobs in the line itself, to be filled in place and then committed; *n is how
 * many there are, at least 1. NULL with *n = 0: the line is full, or the pool closed. What was
 * reserved and not committed is simply reserved again by the next call. All four fields of each job
 * have to be set.
 */
WP_API struct wp_job *wp_producer_reserve(struct wp_producer *producer, size_t *n);

/*
 * Submits the first n of the reserved jobs; n is at most what reserve gave, and any other submit by
 * this handle ends the reservation. Builds without NDEBUG end the program with a message when n is
 * more than is reserved; others submit what is. Should the pool have been closed since, they are
 * refused together: their cleanups run in this call, and they count as rejected. Jobs with a
 * context (ctx.h) are accepted like all others, whatever has become of it, and not run if it has
 * ended by the time a worker comes to them.
 */
WP_API void wp_producer_commit(struct wp_producer *producer, size_t n);

/*
 * Gives the handle up; what was submitted still runs. NULL is fine; so is a handle whose pool was
 * destroyed.
 */
WP_API void wp_producer_close(struct wp_producer *producer);

WP_END_DECLS

#endif
