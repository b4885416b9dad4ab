/* SPDX-License-Identifier: MIT */
/*
 * pool_contain: pool_empty with options.contain_faults: what jobs that do not give up pay for
 * those that might.
 *
 * Measured: ns per job as in pool_empty. Subtract the line of pool_empty with the same producers
 * and workers from the same invocation: rounds alternate between the two, so both see the same
 * machine. What is left should be noise: the handlers are installed once, and the guard that a
 * panic or a fault jumps to stands around all that a worker does, not around each job.
 *
 * Not measured: the guard around a worker's life, which no pool is without; jobs inside of jobs,
 * which have a guard each; and what a panic costs, most of which is its backtrace.
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
	struct wp_options options = pool_run_options(p);
	struct pool_run pool = {
		.workload = "pool_contain", .p = p, .share = share, .options = &options
	};

	options.contain_faults = true;
	pool_run(&pool, sample);
}

const struct bench_workload bench_pool_contain = {
	.name = "pool_contain",
	.about = "pool_empty with options.contain_faults: the difference is what it costs",
	.kind = BENCH_TIME,
	.costs = true,
	.producers = "1,2",
	.workers = "1,2",
	.segment_size = "0",
	.jobs = 2000000,
	.quick_jobs = 200000,
	.run = run,
};
