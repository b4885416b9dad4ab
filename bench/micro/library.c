/* SPDX-License-Identifier: MIT */
/*
 * The library's own queue in the same run: what its whole way in and out costs, beside the variants
 * of its parts. Segments there are used again last in, first out. `wpool_lane` is the queue with
 * one producer.
 */
#include "../queue_run.h"
#include "run.h"

static struct bench_params as_many_consumers(const struct bench_params *p)
{
	struct bench_params both = *p;

	both.workers = p->producers;
	both.pin = true;
	return both;
}

static void shared_once(const struct bench_params *p, struct bench_sample *sample)
{
	struct bench_params both = as_many_consumers(p);

	queue_run("wpool_queue", &both, true, sample);
}

static void shared(const struct bench_params *p, struct bench_sample *sample)
{
	micro_quietly(shared_once, p, 2 * p->producers, sample);
}

static void single_once(const struct bench_params *p, struct bench_sample *sample)
{
	struct bench_params both = as_many_consumers(p);

	/* Whatever the command line says: the queue is made for one. */
	both.producers = 1;
	queue_run_single("wpool_lane", &both, sample);
}

static void single(const struct bench_params *p, struct bench_sample *sample)
{
	micro_quietly(single_once, p, 2 * p->producers, sample);
}

const struct bench_workload bench_wpool_queue = {
	.name = "wpool_queue",
	.about = "the library's queue, single pushes",
	.kind = BENCH_TIME,
	.producers = "1,2",
	.segment_size = "64,256,1024,4096",
	.jobs = 64000,
	.quick_jobs = 16000,
	.run = shared,
};

const struct bench_workload bench_wpool_batch = {
	.name = "wpool_batch",
	.about = "the library's queue, k jobs per push",
	.kind = BENCH_TIME,
	.producers = "1,2",
	.batch = "2,4,8,16,64,256",
	.jobs = 64000,
	.quick_jobs = 16000,
	.run = shared,
};

const struct bench_workload bench_wpool_lane = {
	.name = "wpool_lane",
	.about = "the library's queue with one producer",
	.kind = BENCH_TIME,
	.producers = "1",
	.segment_size = "64,256,1024,4096",
	.jobs = 64000,
	.quick_jobs = 16000,
	.run = single,
};
