/* SPDX-License-Identifier: MIT */
/*
 * A job: a function, its payload, and what goes with them.
 *
 * Life of a job: accepted (a submit call took it) -> run, cancelled or dropped -> cleaned up. Each
 * accepted job is run once; or it is cancelled: its context had ended before a worker came to run
 * it; or it is dropped by a stop. Its cleanup runs exactly once in each case, after the outcome is
 * known and before anybody who waits for the job is told.
 */
#ifndef WPOOL_JOB_H
#define WPOOL_JOB_H

#include <stdint.h>

#include <wpool/export.h>

WP_BEGIN_DECLS

struct wp_ctx;
struct wp_pool;

/*
 * The work. Runs on a worker's thread with no lock held. 0 is success; anything else counts the
 * job as failed and is its result (wp_submit_wait returns it, wp_error_handler is told).
 */
typedef int (*wp_job_fn)(void *payload);

/*
 * Runs once per accepted job, whatever became of it; usually frees the payload. When it gives up
 * itself (wp_panic) it counts as having run.
 */
typedef void (*wp_cleanup_fn)(void *payload);

/*
 * Copied by every submit call: the struct may go out of scope as soon as the call returns. The
 * payload stays the caller's until the job's cleanup has run. An accepted job holds a reference to
 * its context until after its cleanup: the caller may give back his own when the call returns.
 */
struct wp_job {
	wp_job_fn fn;          /* must not be NULL */
	void *payload;         /* passed to fn and cleanup; wpool never looks at it */
	struct wp_ctx *ctx;    /* whether the job is still wanted (ctx.h); NULL: always */
	wp_cleanup_fn cleanup; /* may be NULL */
};

/* What a running job may know of itself. */
struct wp_job_info {
	uint64_t id;          /* unique among the jobs of this pool; its place in line */
	unsigned worker;      /* index of the worker that runs it, 0 .. workers-1 */
	unsigned attempt;     /* which try this is, from 1 */
	struct wp_pool *pool; /* the pool that runs it */
	struct wp_ctx *ctx;   /* the job's own context, for wp_ctx_err; may be NULL */
};

/*
 * The job that runs on the calling thread; NULL outside a job. The struct is valid until the job
 * returns, or until it makes a call that runs another job on this thread (a submit to a full
 * pool, wp_submit_wait).
 */
WP_API const struct wp_job_info *wp_job_current(void);

/*
 * Gives the running job up, from any depth of calls; does not return. The job counts as panicked,
 * its result is WP_EPANIC, wp_error_handler is told code (0 stands for WP_EPANIC), the message (as
 * by printf, up to 255 bytes) and a backtrace; then its cleanup runs, and the worker goes on with
 * its next job. A job that runs others while it waits is not touched when one of those gives up.
 *
 * From a cleanup or an error handler: ends that call, which is counted (wp_stats.handler_panics).
 * Outside a job, also on a thread that a job has started, it prints the message to standard error
 * and aborts the process. Not for metrics functions.
 *
 * A job that calls pthread_exit, or whose thread is cancelled, has given up in the same way, but
 * without a backtrace, and after the thread's cleanup handlers have run. Its worker goes on in a
 * fresh thread as soon as no job is left on the old one's stack (until then the old one cannot be
 * cancelled again), or in the old one if no thread can be had. Only deferred cancellation: one
 * that strikes at any moment (PTHREAD_CANCEL_ASYNCHRONOUS) may strike wpool itself.
 *
 * The stack between this call and the worker is abandoned as if by longjmp: nothing in it is told.
 * What the job held, such as locks, memory and files, stays held unless its cleanup releases it.
 */
WP_API WP_NORETURN void wp_panic(int code, const char *fmt, ...) WP_PRINTF(2, 3);

WP_END_DECLS

#endif
