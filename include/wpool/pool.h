/* SPDX-License-Identifier: MIT */
/*
 * The pool: a lane of jobs, the workers that run them, and their lifecycle.
 *
 *     open --shutdown--> draining --all jobs finished--> stopped
 *       \------stop----> stopping --queued jobs dropped, running jobs finished--> stopped
 *
 * Every accepted job runs once; or is cancelled, when its context has ended before it ran; or is
 * dropped, after a stop. Nothing else can happen to it.
 * Unless a function says otherwise it may be called by any thread at any time between create and
 * destroy, also from inside a job.
 *
 * fork. A child has no workers. In it every call on a pool of the parent returns WP_EFORKED and
 * does nothing else (wp_pool_is_closed says true); wp_pool_destroy frees the memory and runs
 * nothing; nothing happens at exit. The parent notices nothing. A child may create pools of its
 * own. fork may be called by any thread at any time, also from inside a job: then the child goes on
 * inside its copy of the job. If the function returns there, its cleanup is called, as for the
 * child's copy of the payload; the copy of the worker then ends without running another job, and
 * the process exits with status 0, since that was its only thread. So it does, but without a
 * cleanup, if the job gives up there (wp_panic). A queue (queue.h) has no threads: its copy in a
 * child is as good as the original, provided that no other thread was inside a call on it during
 * the fork; otherwise it may only be destroyed. A context (ctx.h) of the parent can be looked at
 * (wp_ctx_err); for other calls on it the same proviso holds. A producer of the parent (producer.h)
 * refuses like its pool, and can be closed.
 *
 * Signals. Workers block all signals but those that a thread raises itself by a fault, so handlers
 * run on the application's threads. A signal that interrupts a wait neither ends nor prolongs it.
 * Deadlines are on the monotonic clock: setting the time of day does not move them.
 */
#ifndef WPOOL_POOL_H
#define WPOOL_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <wpool/clock.h>
#include <wpool/export.h>
#include <wpool/job.h>
#include <wpool/metrics.h>

WP_BEGIN_DECLS

struct wp_pool;

/* How the pool orders its jobs. */
enum wp_queue_type {
	WP_QUEUE_FIFO = 0, /* first in, first out over all producers */
};

/* "FIFO", or "unknown". */
WP_API const char *wp_queue_type_name(enum wp_queue_type type);

/*
 * How a pool trades CPU time for latency: the defaults of three options. docs/tuning.md has the
 * measured curves.
 *
 *                          spin_ns   poll_gap_ns   standby_ns
 *     WP_PROFILE_BALANCED    50 us          4 us         1 ms
 *     WP_PROFILE_LATENCY     10 ms          1 us       250 us
 *     WP_PROFILE_ECO          2 us        500 us         5 ms
 *
 * In the first two, workers ask the kernel for time slices of 0.1 ms, so that one that is woken
 * need not wait for the end of another thread's slice (Linux 6.12; threads that a job starts
 * inherit it).
 */
enum wp_profile {
	WP_PROFILE_BALANCED = 0, /* awake in the flow of jobs, asleep soon after it */
	WP_PROFILE_LATENCY,      /* awake between jobs that come seldom: a CPU for it */
	WP_PROFILE_ECO,          /* asleep whenever possible; jobs that flow are run in bunches */
};

/* "balanced", "latency", "eco", or "unknown". */
WP_API const char *wp_profile_name(enum wp_profile profile);

/*
 * What on_error is told about a job that did not return 0, or gave up. Valid during the call.
 * Later versions may add fields at the end.
 */
struct wp_job_error {
	struct wp_pool *pool;
	uint64_t job_id;     /* as in struct wp_job_info */
	unsigned worker;     /* index of the worker that ran it */
	unsigned attempt;    /* which try this was, from 1 */
	int code;            /* what the job returned, or gave to wp_panic */
	const char *message; /* of wp_panic; else wp_strerror(code) where code is a known error,
	                        else "job failed" */
	wp_job_fn fn;        /* the job */
	void *payload;       /* not yet cleaned up */
	struct wp_ctx *ctx;  /* the job's own context, or NULL */
	int result;          /* what wp_submit_wait returns: code, or WP_EPANIC */
	/*
	 * Where the job gave up: return addresses, innermost first, and a line of text for each,
	 * "#0 function+0x1a (object) [address]". 0 and "" for a job that returned. Functions are
	 * named if the dynamic linker knows them (link a program with -rdynamic).
	 */
	unsigned frame_count;
	void *const *frames;
	const char *backtrace;
	int signal;          /* of a contained fault, e.g. SIGSEGV; else 0 */
	const void *address; /* what the fault accessed or executed */
};

/*
 * Called on the worker's thread, possibly on several at once, after the job returned or gave up
 * and before its cleanup. It may submit jobs; it must not wait for, shut down or destroy the pool.
 * Not called for jobs that are not run.
 */
typedef void (*wp_error_handler)(void *self, const struct wp_job_error *error);

/* Something inside the pool went wrong that does not stop it, e.g. a worker could not be pinned. */
struct wp_pool_event {
	struct wp_pool *pool;
	int code;            /* a negative errno */
	const char *message; /* what was tried, with the reason; valid during the call */
	unsigned worker;     /* the worker it concerns, or UINT_MAX */
};
/*
 * Called on the thread that creates the pool, or on a worker's, possibly on several at once, also
 * while the pool is being created or ends. It may ask the pool for its state, statistics and last
 * error, and must do nothing else with it.
 */
typedef void (*wp_event_handler)(void *self, const struct wp_pool_event *event);

/* Zero in any field but size means its default. Durations are nanoseconds. */
struct wp_options {
	size_t size;              /* sizeof(struct wp_options), set by the caller */
	const char *name;         /* threads are "<name>/<index>"; copied; default "wpool" */
	unsigned workers;         /* 1 .. 1024; default wp_usable_cpus() */
	size_t capacity;          /* jobs queued at most, exactly; default 65536 */
	size_t producer_capacity; /* jobs queued at most by each wp_producer, exactly; default
	                             capacity, at most 8192 */
	uint32_t segment_size;    /* slots per segment, 1 .. WP_SEGMENT_SIZE_MAX; default 1024 */
	uint32_t segment_count;   /* segments touched at creation; default 0 */
	uint32_t pool_capacity;   /* idle segments whose memory is kept; the rest goes back to
	                                  the system; default 0: all are kept */
	enum wp_queue_type queue_type; /* default WP_QUEUE_FIFO */
	bool pin_workers;              /* bind worker i to the i-th usable CPU; the environment
	                                  variable WP_PIN_WORKERS=1 or 0 overrides it */
	bool contain_faults;           /* SIGSEGV, SIGBUS, SIGFPE, SIGILL and stack overflow in a
	                                  job become a panic of it, as far as that can be: read
	                                  docs/faults.md; default: the process dies */
	bool timing;                   /* measure how long jobs wait and run: enables the
	                                  percentiles of wp_pool_stats, which tells the cost */
	enum wp_profile profile;       /* the defaults of spin_ns, poll_gap_ns, standby_ns;
	                                  default WP_PROFILE_BALANCED; the environment variable
	                                  WP_PROFILE=latency, balanced or eco overrides it */
	uint32_t batch_max;            /* jobs a worker claims at once, 1 .. 256; default 256 */
	uint64_t spin_ns;              /* how long the last awake worker looks for work before it
	                                  sleeps; at most 1 s; default by profile */
	uint64_t poll_gap_ns;          /* longest pause between two looks while jobs flow, by which
	                                  batches grow; 1: none; from 50 us on the worker sleeps in
	                                  it; at most 1 ms; default by profile */
	uint64_t standby_ns;           /* while others work, how often the one that stands by for
	                                  them looks whether they get on; a job that is stuck
	                                  behind a long one waits about twice that; 50 us .. 1 s;
	                                  default by profile */
	uint64_t batch_ns;             /* run time that one claim should not exceed, by the cost of
	                                  recent jobs; at most 1 s; default 10 us */
	size_t stack_size;             /* of a worker's thread, bytes; default: the system's */
	uint64_t shutdown_timeout;     /* how long wp_pool_destroy drains; default 30 s */
	const struct wp_metrics_ops *metrics; /* copied; default wp_metrics_noop */
	void *metrics_self;                   /* passed to its functions */
	wp_error_handler on_error;            /* may be NULL: failures are only counted */
	void *on_error_self;                  /* passed to on_error */
	wp_event_handler on_event;            /* may be NULL: events are dropped */
	void *on_event_self;                  /* passed to on_event */
};

#define WP_OPTIONS_INIT                           \
	{                                         \
		.size = sizeof(struct wp_options) \
	}

#define WP_WORKERS_MAX 1024u

/*
 * Replaces every zero field by its default, so that the caller can read what will be used.
 * Idempotent. 0; WP_EINVAL: o is NULL or o->size is not that of this version.
 */
WP_API int wp_options_fill_defaults(struct wp_options *o);

/*
 * Says whether a pool can be made from the options: 0 or WP_EINVAL. Where why is not NULL, *why is
 * set to a constant text that names the field and its range, or to NULL when all is well.
 */
WP_API int wp_options_validate(const struct wp_options *o, const char **why);

/*
 * Starts a pool; its workers run when the call returns. options may be NULL: all defaults; they
 * are copied. 0; WP_EINVAL: wp_options_validate tells why; WP_ENOMEM: memory or a thread could not
 * be had. On error *pool is NULL and nothing is left behind. The calling thread's signal mask is
 * unchanged; workers block all signals but the ones a thread raises itself by a fault.
 */
WP_API int wp_pool_create(struct wp_pool **pool, const struct wp_options *options);

/*
 * Waits until nothing is queued or running; the pool stays open. 0; WP_ETIMEDOUT; WP_EDEADLK from
 * inside a job of this pool; WP_EINVAL: pool is NULL. With others submitting at the same time it
 * returns when the pool was seen at rest once.
 */
WP_API int wp_pool_wait(struct wp_pool *pool, uint64_t deadline);

/*
 * The same; also returns the error of ctx (ctx.h) as soon as that has ended, unless the pool is at
 * rest. ctx may be NULL.
 */
WP_API int wp_pool_wait_ctx(struct wp_pool *pool, struct wp_ctx *ctx, uint64_t deadline);

/*
 * What became of the accepted jobs: each is in one of these, as in wp_pool_stats.
 *
 *     accepted = completed + failed + panicked + cancelled + dropped + running
 *
 * running is 0 in a final report.
 */
struct wp_stop_report {
	uint64_t completed; /* ran and returned 0 */
	uint64_t failed;    /* ran and returned something else */
	uint64_t panicked;  /* gave up, or were given up */
	uint64_t cancelled; /* not run because their context had ended */
	uint64_t dropped;   /* not run because of wp_pool_stop */
	uint64_t running;   /* queued or running when the call gave up */
};

/*
 * Closes the pool, then waits until every accepted job has finished and the workers are gone.
 * 0: all finished. WP_EFORCED: the deadline passed first; the pool goes on draining and the call
 * may be made again. WP_EDEADLK from inside a job of this pool. WP_EINVAL: pool is NULL. Any
 * number of callers at once; all that return 0 get the same report. report may be NULL.
 */
WP_API int wp_pool_shutdown(struct wp_pool *pool, uint64_t deadline, struct wp_stop_report *report);

/*
 * The same; also returns the error of ctx (ctx.h) as soon as that has ended, unless all jobs have
 * finished: the pool goes on draining and the call may be made again. The jobs' own contexts have
 * nothing to do with it. ctx may be NULL.
 */
WP_API int wp_pool_shutdown_ctx(
	struct wp_pool *pool, struct wp_ctx *ctx, uint64_t deadline, struct wp_stop_report *report);

/*
 * Closes the pool, drops what is queued (cleanup runs, wp_submit_wait returns WP_EDROPPED), and
 * waits for the running jobs. When it returns no job runs and none will start. 0; WP_EDEADLK;
 * WP_EINVAL. May be called after or during a shutdown, to cut it short.
 */
WP_API int wp_pool_stop(struct wp_pool *pool, struct wp_stop_report *report);

/*
 * The last error of a job: its code, or 0 when there was none. Where message is not NULL, its
 * message is copied there, cut to size - 1 bytes and ended with a zero. Kept whether there is an
 * error handler or not. WP_EINVAL: pool is NULL. Any thread.
 */
WP_API int wp_pool_last_error(const struct wp_pool *pool, char *message, size_t size);

/* Whether shutdown, stop or destroy has begun: submits and producers return WP_ECLOSED now. */
WP_API bool wp_pool_is_closed(const struct wp_pool *pool);

/* How far a pool has come; it never goes back. */
enum wp_state {
	WP_STATE_OPEN,     /* takes jobs */
	WP_STATE_DRAINING, /* takes no jobs; those that it has are run */
	WP_STATE_STOPPING, /* takes no jobs; those that have not started are dropped */
	WP_STATE_STOPPED,  /* no job runs and none will; its threads are gone */
	WP_STATE_FORKED,   /* this is the child of a fork; see above */
};

/* The pool's state; WP_STATE_STOPPED for NULL. What jobs did is visible to who sees STOPPED. */
WP_API enum wp_state wp_pool_state(const struct wp_pool *pool);

/* "open", "draining", "stopping", "stopped", "forked", or "unknown". */
WP_API const char *wp_state_name(enum wp_state state);

/*
 * Shuts down with the option's shutdown_timeout, then stops, then frees the pool. No other call on
 * the pool may be going on or follow. NULL is fine. From inside a job of the pool itself it does
 * nothing but report an event (WP_EDEADLK): a worker cannot wait for itself.
 */
WP_API void wp_pool_destroy(struct wp_pool *pool);

WP_END_DECLS

#endif
