/* SPDX-License-Identifier: MIT */
/*
 * What a pool has done, added up from its lanes and workers when somebody asks.
 *
 * Consistent at any time. The jobs that are over are read first, then what was claimed, then what
 * was accepted. Each only grows, and a job is accepted before it is claimed and claimed before it
 * is over; [E2] and [C4] see to it that the later readings are not older. Hence
 *
 *     sum(over) <= claimed <= accepted        running = claimed - sum(over) >= 0
 *                                             queued  = accepted - claimed  >= 0
 *     accepted = sum(over) + running + queued, always
 *
 * although the three were read at different moments.
 *
 * All calls take the pool's mutex, which protects the table for threads that are not workers.
 */
#ifndef WP_ENGINE_STATS_H
#define WP_ENGINE_STATS_H

#include <wpool/stats.h>

#include "engine/pool.h"

struct wp__jobs {
	uint64_t outcomes[WP__OUTCOMES];
	uint64_t over; /* the sum of the outcomes */
	uint64_t claimed, accepted;
};

/* The jobs of all workers and lanes. Any thread. */
struct wp__jobs wp__stats_jobs(struct wp_pool *pool);

/* What became of the accepted jobs so far. */
void wp__stats_report(struct wp_pool *pool, struct wp_stop_report *report);

/* Everything wp_pool_stats tells. */
void wp__stats_read(struct wp_pool *pool, struct wp_stats *out);

#endif
