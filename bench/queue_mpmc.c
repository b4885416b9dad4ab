/* SPDX-License-Identifier: MIT */
/*
 * queue_mpmc, queue_mpmc_unpaced: many threads push single jobs, many threads pop.
 *
 * Measured: what a job costs from wp_queue_push in one thread to wp_queue_pop_many in another,
 * under full load, for each number of producers and consumers. Per job one atomic addition to the
 * shared tail and one publication; per claim one compare-and-swap of the shared head.
 *
 * queue_mpmc paces its consumers (pacer.h), as the pool's workers do and as anybody should who
 * wants throughput. queue_mpmc_unpaced looks again at once: the difference is what pacing is worth,
 * and the figure to compare with other queues' benchmarks, which are unpaced as a rule.
 *
 * Not measured: running jobs, sleeping and waking (nobody sleeps here, except producers that find
 * the queue full), and latency: under full load a job's way through the queue takes as long as the
 * queue is deep. With more threads than CPUs the figures contain the kernel's switching.
 */
#include "bench.h"
#include "queue_run.h"

static void run_paced(const struct bench_params *p, struct bench_sample *sample)
{
	queue_run("queue_mpmc", p, true, sample);
}

static void run_unpaced(const struct bench_params *p, struct bench_sample *sample)
{
	queue_run("queue_mpmc_unpaced", p, false, sample);
}

const struct bench_workload bench_queue_mpmc = {
	.name = "queue_mpmc",
	.about = "wp_queue_push by producers, paced consumers pop",
	.kind = BENCH_TIME,
	.costs = true,
	.producers = "1,2,4",
	.workers = "1,2,4",
	.segment_size = "0",
	.jobs = 2000000,
	.quick_jobs = 200000,
	.run = run_paced,
};

const struct bench_workload bench_queue_mpmc_unpaced = {
	.name = "queue_mpmc_unpaced",
	.about = "the same with consumers that look again at once",
	.kind = BENCH_TIME,
	.costs = true,
	.producers = "1,2",
	.workers = "1,2",
	.segment_size = "0",
	.jobs = 1000000,
	.quick_jobs = 100000,
	.run = run_unpaced,
};
