/* SPDX-License-Identifier: MIT */
/*
 * queue_batch: one thread pushes arrays of jobs, one paced consumer pops.
 *
 * Measured: ns per job for each number of jobs per wp_queue_push_many. A push of k jobs takes its k
 * tickets with one atomic addition and publishes them with one operation per 64 slots, so the cost
 * per job falls with k until the bytes themselves are what takes the time: compare with the raw
 * limit. Writing the payloads into the caller's array is included.
 *
 * Not measured: how jobs come to be in an array in the first place. Collecting them costs latency,
 * which is the price of batching and depends on the program.
 */
#include "bench.h"
#include "queue_run.h"

static void run(const struct bench_params *p, struct bench_sample *sample)
{
	queue_run("queue_batch", p, true, sample);
}

const struct bench_workload bench_queue_batch = {
	.name = "queue_batch",
	.about = "wp_queue_push_many of k jobs, 1 producer, 1 paced consumer",
	.kind = BENCH_TIME,
	.costs = true,
	.producers = "1",
	.workers = "1",
	.batch = "1..256",
	.segment_size = "0",
	.jobs = 2000000,
	.quick_jobs = 200000,
	.run = run,
};
