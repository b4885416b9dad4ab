/* SPDX-License-Identifier: MIT */
/*
 * segment_size: the same stream of single pushes, 1 producer, 1 paced consumer, for each size of
 * segment from 1 to 4096 slots.
 *
 * Measured: what looking up, installing, retiring and recycling a segment costs, spread over the
 * jobs that fit into it. Small segments pay it often; very large ones fall out of the first-level
 * and then the second-level cache before they are used again. The curve is how the default was
 * chosen; run it on your machine before you change segment_size.
 *
 * Not measured: memory. With a capacity of 65536 a segment size of 1 reserves 65536 segments.
 */
#include "bench.h"
#include "queue_run.h"

static void run(const struct bench_params *p, struct bench_sample *sample)
{
	queue_run("segment_size", p, true, sample);
}

const struct bench_workload bench_segment_size = {
	.name = "segment_size",
	.about = "queue_mpmc with 1 producer and 1 consumer for each segment size",
	.kind = BENCH_TIME,
	.costs = true,
	.producers = "1",
	.workers = "1",
	.segment_size = "1..4096",
	.jobs = 1000000,
	.quick_jobs = 100000,
	.run = run,
};
