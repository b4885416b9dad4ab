/* SPDX-License-Identifier: MIT */
/*
 * pool_wait: a producer submits an empty job with wp_submit_wait, which returns when it has run,
 * and then the next.
 *
 * Measured: the round trip. One job is under way at a time per producer, so nothing is shared out
 * over batches: to the worker, possibly waking it, and back to the caller, possibly waking that.
 * Where the caller or the worker sleeps, most of the figure is the kernel's futex wake-up; compare
 * with the futex ping of first_job.
 *
 * Not measured: throughput. Whoever has more than one job at a time should not wait for each.
 */
#include "bench.h"
#include "pool_run.h"
#include "tally.h"

static void share(struct pool_run *run, uint64_t id, uint64_t end)
{
	struct wp_job job = { .fn = tally_job };

	for (; id < end; id++) {
		job.payload = tally_payload(id);
		pool_run_must(run, "wp_submit_wait", wp_submit_wait(run->pool, &job));
	}
}

static void run(const struct bench_params *p, struct bench_sample *sample)
{
	struct pool_run pool = { .workload = "pool_wait", .p = p, .share = share };

	pool_run(&pool, sample);
}

const struct bench_workload bench_pool_wait = {
	.name = "pool_wait",
	.about = "wp_submit_wait of an empty job: the round trip",
	.kind = BENCH_TIME,
	.costs = true,
	.producers = "1",
	.workers = "1,4",
	.profile = true,
	.segment_size = "0",
	.jobs = 10000,
	.quick_jobs = 1000,
	.jobs_at_most = true,
	.run = run,
};
