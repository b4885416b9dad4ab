/* SPDX-License-Identifier: MIT */
/*
 * Timing (options.timing): how long jobs wait in line, and how long they run.
 *
 * Reading the clock costs more than handing a job over. So while jobs are cheap only one in
 * WP__STAMP_EVERY is timed, always the one whose slot number is a multiple of it: a sample that the
 * jobs cannot influence. Its producer notes when it comes in (the stamp, queue/stamp.h), its
 * worker when it starts and ends: three readings for 64 jobs. While a worker's recent jobs cost
 * more than WP__TIME_ALL_NS each, all are stamped and timed. A worker begins with that view, and
 * tells the lanes when its view changes, and now and then, because another worker may see it
 * differently.
 *
 *     stamp != 0             =>  the job is timed: its wait and its run
 *     worker times all jobs  =>  the job's run is timed, with or without a stamp
 *
 * Longest. A rare long job between cheap ones is likely to miss the sample. But the time between
 * two timed jobs is known, too: where the up to 63 jobs in between took WP__TIME_GROUP_NS or more
 * together, that time counts towards the maximum (and not as a sample). So no job of a finished
 * batch ran longer than the larger of the maximum and WP__TIME_GROUP_NS.
 *
 * Jobs run inside of other jobs are all timed. Their time is part of the outer job's, too.
 *
 * A worker's struct is written by that worker alone, while it claims and runs; others read the
 * histograms at any time, and the stamps in a rescue (engine/rescue.h), under the same rules as
 * the batch. Without options.timing there is none, and a batch pays for two tests of a pointer.
 */
#ifndef WP_ENGINE_TIMING_H
#define WP_ENGINE_TIMING_H

#include <stdbool.h>

#include "engine/pool.h"
#include "queue/stamp.h"
#include "work/histogram.h"

#define WP__TIME_ALL_NS   UINT64_C(2000)
#define WP__TIME_GROUP_NS (WP__TIME_ALL_NS * WP__STAMP_EVERY)

struct wp__timing {
	uint64_t stamps[WP__BATCH_MAX]; /* when batch[i] came in, in ticks; 0: not noted */
	uint64_t mark;                  /* since when no job has been timed in this batch */
	uint64_t all_ticks, group_ticks;
	unsigned batches;
	bool all; /* the view that all jobs are to be timed */
	wp_atomic_u64 longest;
	struct wp__histogram wait, run;
};

/* What wp__timing_sum adds up. */
struct wp__times {
	uint64_t longest;
	struct wp__histogram_view wait, run;
};

/* Gives worker w its struct. 0 or WP_ENOMEM. */
int wp__timing_init(struct wp__worker *w);

/* Where a claim puts the stamps; NULL: nowhere. */
static inline uint64_t *wp__timing_stamps(struct wp__worker *w)
{
	return w->timing ? w->timing->stamps : NULL;
}

/* Whether batch[index] is timed by itself. */
static inline bool wp__timing_wants(const struct wp__timing *timing, uint32_t index)
{
	return timing->all | (timing->stamps[index] != 0);
}

/* ---- by the worker; w->timing is not NULL ---- */

void wp__timing_batch_begins(struct wp__worker *w, uint64_t now);

/* A job that came in at `stamp` (0: unknown) ran from start to end. */
void wp__timing_job(struct wp__worker *w, uint64_t stamp, uint64_t start, uint64_t end);

/* The jobs of the batch have run; the worker's view may change. */
void wp__timing_batch_ends(struct wp__worker *w);

/* ---- by anybody ---- */

/* Adds what worker w has timed to *times, in ticks. */
void wp__timing_sum(struct wp__times *times, const struct wp__worker *w);

#endif
