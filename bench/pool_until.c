/* SPDX-License-Identifier: MIT */
/*
 * pool_until: producers submit empty jobs with wp_submit_until and a deadline far away.
 *
 * Measured: as pool_empty, with the call that gives up at a deadline: making the deadline, which is
 * a look at the clock, and the exact look for room are part of it.
 *
 * Not measured: giving up. A deadline that passes ends the program: nothing may be lost here.
 */
#include "bench.h"
#include "pool_run.h"
#include "tally.h"

#define PATIENCE_MS 60000 /* so far away that only a hang reaches it */

static void share(struct pool_run *run, uint64_t id, uint64_t end)
{
	struct wp_job job = { .fn = tally_job };

	for (; id < end; id++) {
		job.payload = tally_payload(id);
		pool_run_must(run, "wp_submit_until",
			wp_submit_until(run->pool, &job, wp_after_ms(PATIENCE_MS)));
	}
}

static void run(const struct bench_params *p, struct bench_sample *sample)
{
	struct pool_run pool = { .workload = "pool_until", .p = p, .share = share };

	pool_run(&pool, sample);
}

const struct bench_workload bench_pool_until = {
	.name = "pool_until",
	.about = "wp_submit_until of an empty job with a deadline",
	.kind = BENCH_TIME,
	.costs = true,
	.producers = "1,2",
	.workers = "1,4",
	.profile = true,
	.segment_size = "0",
	.jobs = 2000000,
	.quick_jobs = 100000,
	.run = run,
};
