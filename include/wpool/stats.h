/* SPDX-License-Identifier: MIT */
/*
 * What a pool has done so far. Cheap enough to read every second; the hot path pays nothing for it,
 * and little for options.timing.
 */
#ifndef WPOOL_STATS_H
#define WPOOL_STATS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <wpool/export.h>

WP_BEGIN_DECLS

struct wp_pool;

/*
 * Jobs. Each accepted job is in exactly one place:
 *
 *     submitted = queued + running + completed + failed + panicked + cancelled + dropped
 *
 * at any time, also while the pool works; at rest queued = running = 0. A job leaves `running` when
 * all is over, its cleanup too: with the batch that it was claimed in, unless it failed. submitted
 * and the five outcomes never go back. (wp_submit_wait may return a moment before its job is
 * counted; wp_pool_wait does not.) Refused jobs are not among them.
 *
 * The other figures are read one after the other while the pool goes on.
 *
 * Times, from options.timing, else 0. The wait is from when a job is put in line (after any wait
 * for room) until it starts; the run includes cleanup, and whatever a job waits for or runs
 * meanwhile. While jobs are costly, more than 2 us each of late, every one is timed. While they are
 * cheap one in 64 is: three readings of the clock for 64 jobs. *_samples tells how many were timed.
 * Percentiles are right within 1.6 % of the value, or a nanosecond. wait_ns_average and wait_ns_max
 * are exact for the jobs timed; run_ns_average is the mean over all jobs, with or without timing.
 * No job of a finished batch ran longer than run_ns_max, or than 128 us if that is more: where
 * cheap jobs were not timed one by one and took longer than that together, their sum counts.
 */
struct wp_stats {
	size_t size;            /* sizeof(struct wp_stats), set by the caller */
	unsigned workers_alive; /* threads */
	unsigned workers_busy;  /* of these, running a job or looking for one */
	unsigned workers_idle;  /* of these, asleep */
	unsigned workers_peak;  /* the most that were alive at once */
	uint64_t queued;        /* accepted and not yet taken by a worker */
	uint64_t running;       /* taken and not yet over */
	uint64_t submitted;     /* accepted */
	uint64_t completed;     /* ran and returned 0 */
	uint64_t failed;        /* ran and returned something else */
	uint64_t panicked;      /* gave up, or were given up */
	uint64_t cancelled;     /* not run: their context had ended */
	uint64_t dropped;       /* not run: the pool was stopped */
	uint64_t rejected_full; /* refused: no room */
	uint64_t rejected_timeout;
	uint64_t rejected_closed;
	uint64_t rejected_cancelled;
	int last_error;          /* code of the last job that failed or gave up, or 0 */
	uint64_t uptime_ns;      /* since the pool was created */
	uint64_t run_ns_average; /* of all jobs that ran */
	uint64_t run_ns_p50;     /* half of the jobs took no longer; and so on */
	uint64_t run_ns_p90;
	uint64_t run_ns_p99;
	uint64_t run_ns_p999;
	uint64_t run_ns_max;
	uint64_t run_samples;
	uint64_t wait_ns_average;
	uint64_t wait_ns_p50;
	uint64_t wait_ns_p90;
	uint64_t wait_ns_p99;
	uint64_t wait_ns_p999;
	uint64_t wait_ns_max;
	uint64_t wait_samples;
	uint64_t segments_touched; /* that have memory */
	uint64_t segments_free;    /* of these, not in use */
	uint64_t segments_reused;  /* times a free one was used again */
	uint64_t batches;          /* claims that found jobs */
	double batch_average;      /* jobs in a claim, on average */
	uint64_t parks;            /* times a worker went to sleep */
	uint64_t wakes;            /* times one was woken for work */
	uint64_t rescues;          /* times one took over what a stuck one had claimed */
	uint64_t handler_panics;   /* cleanups and error handlers that gave up */
	uint64_t workers_replaced; /* threads that a job has ended */
};

#define WP_STATS_INIT                           \
	{                                       \
		.size = sizeof(struct wp_stats) \
	}

/*
 * Fills *out. 0; WP_EINVAL: NULL, or out->size is not that of this version; WP_EFORKED. Any
 * thread.
 */
WP_API int wp_pool_stats(const struct wp_pool *pool, struct wp_stats *out);

/*
 * Writes the figures for people to read, a line per subject, for logs and debugging: the layout may
 * change between versions. 0; WP_EINVAL: NULL; WP_EFORKED. Whether the file took it, ferror tells.
 * Any thread.
 */
WP_API int wp_pool_dump(const struct wp_pool *pool, FILE *file);

WP_END_DECLS

#endif
