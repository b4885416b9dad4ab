/* SPDX-License-Identifier: MIT */
/*
 * pool_producer: a pool as pool_empty has it, but each thread submits through a wp_producer.
 *
 * Measured: submit to finished of an empty job without an atomic read-modify-write on the way in.
 * Opening the producers is part of the region (once per run).
 *
 * Not measured: reserve and commit, which save the copy of a job made elsewhere.
 */
#include "bench.h"
#include "pool_run.h"
#include "tally.h"

static void share(struct pool_run *run, uint64_t id, uint64_t end)
{
	struct wp_producer *producer;

	pool_run_must(run, "wp_producer_open", wp_producer_open(&producer, run->pool));
	for (; id < end; id++)
		pool_run_must(run, "wp_producer_submit",
			wp_producer_submit(producer, tally_job, tally_payload(id)));
	wp_producer_close(producer);
}

static void run(const struct bench_params *p, struct bench_sample *sample)
{
	struct pool_run pool = { .workload = "pool_producer", .p = p, .share = share };

	pool_run(&pool, sample);
}

const struct bench_workload bench_pool_producer = {
	.name = "pool_producer",
	.about = "wp_producer_submit of an empty job, a producer per thread",
	.kind = BENCH_TIME,
	.costs = true,
	.producers = "1,2,4,8",
	.workers = "1,2,4,16",
	.profile = true,
	.segment_size = "0",
	.jobs = 2000000,
	.quick_jobs = 200000,
	.run = run,
};
