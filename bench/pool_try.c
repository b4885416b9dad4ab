/* SPDX-License-Identifier: MIT */
/*
 * pool_try: producers submit empty jobs with wp_try_submit, which never waits.
 *
 * Measured: as pool_empty, with the call that must find out exactly whether there is room before it
 * takes a place in line. When the pool is full (WP_EFULL) the producer yields its CPU and tries the
 * same job again; how often that happened, per job that ran, is the value "refused".
 *
 * Not measured: what a program would do with a job that is refused.
 */
#include <sched.h>

#include "bench.h"
#include "pool_run.h"
#include "tally.h"

static void share(struct pool_run *run, uint64_t id, uint64_t end)
{
	struct wp_job job = { .fn = tally_job };
	uint64_t refused = 0;

	while (id < end) {
		int error;

		job.payload = tally_payload(id);
		error = wp_try_submit(run->pool, &job);
		if (error == WP_EFULL) {
			refused++;
			sched_yield();
			continue;
		}
		pool_run_must(run, "wp_try_submit", error);
		id++;
	}
	atomic_fetch_add_explicit(&run->refused, refused, memory_order_relaxed);
}

static void run(const struct bench_params *p, struct bench_sample *sample)
{
	struct pool_run pool = { .workload = "pool_try", .p = p, .share = share };

	pool_run(&pool, sample);
	bench_sample_add(sample, "refused", "per job", (double)pool.refused / (double)p->jobs);
}

const struct bench_workload bench_pool_try = {
	.name = "pool_try",
	.about = "wp_try_submit of an empty job, tried again when refused",
	.kind = BENCH_TIME,
	.costs = true,
	.producers = "1,2",
	.workers = "1,4",
	.profile = true,
	.segment_size = "0",
	.jobs = 2000000,
	.quick_jobs = 200000,
	.run = run,
};
