/* SPDX-License-Identifier: MIT */
/*
 * mixed: four jobs in five are empty, the fifth takes 100,000 additions.
 *
 * Measured: ns per job over the mixture. A worker claims jobs in batches by what recent ones cost;
 * a mixture is what deceives it. When "of ideal" falls with more workers, dear jobs have piled up
 * behind one worker while others slept.
 *
 * Not measured: how long the cheap jobs waited behind the dear ones.
 */
#include "bench.h"
#include "task_run.h"

static void run(const struct bench_params *p, struct bench_sample *sample)
{
	task_run("mixed", &task_mixed, p, sample);
}

const struct bench_workload bench_mixed = {
	.name = "mixed",
	.about = "80 % empty jobs, 20 % of 100,000 additions",
	.kind = BENCH_TIME,
	.costs = true,
	.producers = "1,4",
	.workers = "1,cpus,16",
	.profile = true,
	.jobs = 20000,
	.quick_jobs = 1000,
	.jobs_at_most = true,
	.run = run,
};
