/* SPDX-License-Identifier: MIT */
/* What a pool has done so far. Cheap enough to read every second; the hot path pays nothing. */
#ifndef WPOOL_STATS_H
#define WPOOL_STATS_H

#include <stddef.h>
#include <stdint.h>

#include <wpool/export.h>

WP_BEGIN_DECLS

struct wp_pool;

/*
 * The figures are read one after the other while the pool goes on. At rest
 * submitted = completed + cancelled + dropped and queued = running = 0, exactly.
 */
struct wp_stats {
	size_t size;            /* sizeof(struct wp_stats), set by the caller */
	unsigned workers_alive; /* threads */
	unsigned workers_busy;  /* running a job or looking for one */
	unsigned workers_idle;  /* asleep */
	uint64_t queued;        /* accepted and not yet taken by a worker */
	uint64_t running;       /* taken and not yet finished */
	uint64_t submitted;     /* accepted */
	uint64_t completed;     /* ran, whatever became of them */
	uint64_t failed;        /* of these, returned something other than 0 */
	uint64_t panicked;      /* of these, gave up */
	uint64_t cancelled;     /* not run: their context had ended */
	uint64_t dropped;       /* not run: the pool was stopped */
	uint64_t rejected_full; /* refused: no room */
	uint64_t rejected_timeout;
	uint64_t rejected_closed;
	uint64_t rejected_cancelled;
	uint64_t run_ns_average; /* run time of a job, with what it waited */
	uint64_t run_ns_max;     /* the longest; only with options.timing, else 0 */
	int last_error;          /* code of the last job that failed or gave up, or 0 */
	uint64_t uptime_ns;
	uint64_t segments_touched;
	uint64_t segments_free;
	uint64_t segments_reused;
	uint64_t batches;          /* claims that found jobs */
	uint64_t parks;            /* times a worker went to sleep */
	uint64_t wakes;            /* times one was woken for work */
	uint64_t handler_panics;   /* cleanups and error handlers that gave up */
	uint64_t workers_replaced; /* threads that a job has ended */
};

#define WP_STATS_INIT                           \
	{                                       \
		.size = sizeof(struct wp_stats) \
	}

/* Fills *out. 0; WP_EINVAL: NULL, or out->size is not that of this version. Any thread. */
WP_API int wp_pool_stats(const struct wp_pool *pool, struct wp_stats *out);

WP_END_DECLS

#endif
