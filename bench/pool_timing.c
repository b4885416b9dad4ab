/* SPDX-License-Identifier: MIT */
/*
 * pool_timing: pool_empty with options.timing: what the percentiles of wp_pool_stats cost.
 *
 * Measured: ns per job as in pool_empty. Subtract the line of pool_empty with the same producers
 * and workers from the same invocation: rounds alternate between the two, so both see the same
 * machine.
 *
 * Not measured: what timing costs where jobs take more than 2 us. There each job is timed, which
 * takes a few tens of nanoseconds and is lost in the job.
 */
#include "bench.h"
#include "pool_run.h"
#include "tally.h"

static void share(struct pool_run *run, uint64_t id, uint64_t end)
{
	for (; id < end; id++)
		pool_run_must(run, "wp_submit", wp_submit(run->pool, tally_job, tally_payload(id)));
}

static void run(const struct bench_params *p, struct bench_sample *sample)
{
	struct pool_run pool = {
		.workload = "pool_timing", .p = p, .share = share, .timing = true
	};

	pool_run(&pool, sample);
}

const struct bench_workload bench_pool_timing = {
	.name = "pool_timing",
	.about = "pool_empty with options.timing: the difference is what timing costs",
	.kind = BENCH_TIME,
	.costs = true,
	.producers = "1,2",
	.workers = "1,2",
	.profile = true,
	.segment_size = "0",
	.jobs = 2000000,
	.quick_jobs = 200000,
	.run = run,
};
