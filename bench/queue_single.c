/* SPDX-License-Identifier: MIT */
/*
 * queue_single: one thread pushes single jobs into a queue made with single_producer, paced
 * consumers pop.
 *
 * Measured: the way in without an atomic read-modify-write: a store of the slot, of its mark and of
 * tail. What is left is the transfer of the slots from one core to the other, so compare with the
 * raw limit.
 *
 * Not measured: a pool's producer lanes, which add the call of the metrics and the workers.
 */
#include "bench.h"
#include "queue_run.h"

static void run(const struct bench_params *p, struct bench_sample *sample)
{
	struct bench_params one = *p;

	one.producers = 1;
	queue_run_single("queue_single", &one, sample);
}

const struct bench_workload bench_queue_single = {
	.name = "queue_single",
	.about = "wp_queue_push by the only producer, paced consumers pop",
	.kind = BENCH_TIME,
	.costs = true,
	.workers = "1,2",
	.segment_size = "0",
	.jobs = 2000000,
	.quick_jobs = 200000,
	.run = run,
};
