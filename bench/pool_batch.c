/* SPDX-License-Identifier: MIT */
/*
 * pool_batch: producers submit arrays of k empty jobs with wp_submit_batch.
 *
 * Measured: as pool_empty, for jobs that the program already has in an array; filling in the array
 * is included. The difference to pool_empty is what a producer gains that can collect jobs.
 *
 * Not measured: the delay that collecting causes.
 */
#include <stdlib.h>

#include "bench.h"
#include "pool_run.h"
#include "tally.h"

static void share(struct pool_run *run, uint64_t id, uint64_t end)
{
	uint32_t batch = run->p->batch;
	struct wp_job *jobs = bench_alloc(batch, sizeof(*jobs));

	for (uint32_t i = 0; i < batch; i++)
		jobs[i].fn = tally_job;
	while (id < end) {
		size_t n = end - id < batch ? (size_t)(end - id) : batch;
		ssize_t taken;

		for (size_t i = 0; i < n; i++)
			jobs[i].payload = tally_payload(id + i);
		taken = wp_submit_batch(run->pool, jobs, n);
		if (__builtin_expect(taken != (ssize_t)n, 0))
			bench_die("pool_batch: wp_submit_batch of %zu jobs returned %zd", n, taken);
		id += n;
	}
	free(jobs);
}

static void run(const struct bench_params *p, struct bench_sample *sample)
{
	struct pool_run pool = { .workload = "pool_batch", .p = p, .share = share };

	pool_run(&pool, sample);
}

const struct bench_workload bench_pool_batch = {
	.name = "pool_batch",
	.about = "wp_submit_batch of k empty jobs",
	.kind = BENCH_TIME,
	.costs = true,
	.producers = "1,2",
	.workers = "1,4",
	.profile = true,
	.batch = "64",
	.segment_size = "0",
	.jobs = 2000000,
	.quick_jobs = 200000,
	.run = run,
};
