/* SPDX-License-Identifier: MIT */
/*
 * pool_empty: producers submit empty jobs one by one with wp_submit; workers run them.
 *
 * Measured: ns per job from the first submit to the end of the last job, with the pool's defaults,
 * for each number of workers and producers: the overhead of the whole engine when the jobs do
 * nothing but count themselves (tally.h). This is the figure to compare pools by. The line "worker
 * scaling" in the summary tells how much dearer a job gets when 16 workers wait for it instead of
 * 1, which is where pools with a shared lock or a shared condition variable fall apart.
 *
 * Not measured: how well work spreads over cores (the jobs have none), and latency. With more
 * workers and producers than CPUs the kernel's switching is part of the figure.
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
	struct pool_run pool = { .workload = "pool_empty", .p = p, .share = share };

	pool_run(&pool, sample);
}

const struct bench_workload bench_pool_empty = {
	.name = "pool_empty",
	.about = "wp_submit of an empty job, first submit to last job finished",
	.kind = BENCH_TIME,
	.costs = true,
	.producers = "1,2,4,8",
	.workers = "1..16",
	.profile = true,
	.segment_size = "0",
	.jobs = 2000000,
	.quick_jobs = 200000,
	.run = run,
};
