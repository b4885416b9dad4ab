/* SPDX-License-Identifier: MIT */
/*
 * One run of a pool under load: shared by the pool workloads.
 *
 * A new pool is made for each run, with the library's defaults for all that the parameters do not
 * name. Before the clock starts, POOL_RUN_WARM jobs go through it, so that the memory it needs has
 * been touched; a program pays that once in its life. Then the producers submit their shares of the
 * jobs, each in its own thread, and the region ends when the last job has finished.
 *
 * How the end is known: not by the return of wp_pool_wait, which contains waking the thread that
 * waits (50 us on some virtual machines, as long as thousands of jobs), but by the pool's metrics
 * table. The pool calls inc_executed after each batch of jobs, a function of its own or ours; ours
 * adds to the worker's tally, and once all jobs have been submitted it also reads the clock. So the
 * region ends with the batch that contains the last job, and while jobs flow no clock is read.
 *
 * Told beside the time: "submit", the producers' own time per job, and "heap calls" (costs.h).
 *
 * The workers are asleep when the region begins: waking them is part of what is timed.
 */
#ifndef BENCH_POOL_RUN_H
#define BENCH_POOL_RUN_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <wpool/wpool.h>

#include "bench.h"

#define POOL_RUN_WARM 100000

struct pool_run;

/* Submits the jobs id .. end-1. */
typedef void (*pool_share_fn)(struct pool_run *run, uint64_t id, uint64_t end);

struct pool_run {
	const char *workload;
	const struct bench_params *p;
	struct wp_pool *pool;
	/* NULL, or called after the warm-up, to which it may add. */
	void (*prepare)(struct pool_run *run);
	pool_share_fn share;
	bool timing;                      /* options.timing */
	const struct wp_options *options; /* NULL: those of the parameters */
	uint64_t warm;                    /* jobs before the first of the region */
	atomic_uint producers_left;
	_Atomic uint64_t refused; /* submit calls that were told WP_EFULL */
	alignas(BENCH_ALONE) atomic_bool all_submitted;
};

/*
 * The whole run; ends the program if a job was lost or run twice. The caller has set workload, p
 * and share; each producer calls share for its part of the jobs.
 */
void pool_run(struct pool_run *run, struct bench_sample *sample);

/* The pieces, for workloads that have an order of events of their own. */

/* Default options with the parameters filled in. */
struct wp_options pool_run_options(const struct bench_params *p);

/* Makes run->pool, with the metrics described above. tally_begin must have been called. */
void pool_run_open(struct pool_run *run, struct wp_options options);

/* Submits the jobs from..to, waits until they have run. */
void pool_run_warm(struct pool_run *run, uint64_t from, uint64_t to);

/* Waits until `jobs` jobs have run since tally_begin; the moment when the last one had. */
uint64_t pool_run_last_ns(struct pool_run *run, uint64_t jobs);

/*
 * Returns when all workers sleep, looking every `pause_ns`, for the first time after such a pause.
 * Ends the program if they do not.
 */
void pool_run_sleep(const struct pool_run *run, uint64_t pause_ns);

/* Shuts down and destroys the pool and checks that the jobs 1 .. jobs ran once each. */
void pool_run_close(struct pool_run *run, uint64_t jobs);

/* Ends the program if a call that must succeed did not. */
static inline void pool_run_must(const struct pool_run *run, const char *call, int error)
{
	if (__builtin_expect(error != 0, 0))
		bench_die("%s: %s: %s", run->workload, call, wp_strerror(error));
}

#endif
