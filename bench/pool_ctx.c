/* SPDX-License-Identifier: MIT */
/*
 * pool_ctx: producers submit empty jobs that have a context.
 *
 * Measured: as pool_empty, with wp_submit_job and a context for each producer, made and given back
 * inside of the timed region, that could be cancelled at any time and never is. Each job holds a
 * reference to it, and is looked after twice: at the submit and before it runs. What that costs is
 * the difference to pool_empty.
 *
 * Not measured: cancelling. A job that is refused or skipped ends the program.
 */
#include "bench.h"
#include "pool_run.h"
#include "tally.h"

static void share(struct pool_run *run, uint64_t id, uint64_t end)
{
	struct wp_job job = { .fn = tally_job };

	pool_run_must(run, "wp_ctx_create", wp_ctx_create(&job.ctx, NULL, WP_FOREVER));
	for (; id < end; id++) {
		job.payload = tally_payload(id);
		pool_run_must(run, "wp_submit_job", wp_submit_job(run->pool, &job));
	}
	wp_ctx_unref(job.ctx);
}

static void run(const struct bench_params *p, struct bench_sample *sample)
{
	struct pool_run pool = { .workload = "pool_ctx", .p = p, .share = share };

	pool_run(&pool, sample);
}

const struct bench_workload bench_pool_ctx = {
	.name = "pool_ctx",
	.about = "wp_submit_job of an empty job with a context that never ends",
	.kind = BENCH_TIME,
	.costs = true,
	.producers = "1,2",
	.workers = "1,4",
	.profile = true,
	.segment_size = "0",
	.jobs = 2000000,
	.quick_jobs = 100000,
	.run = run,
};
