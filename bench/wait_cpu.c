/* SPDX-License-Identifier: MIT */
/*
 * wait_cpu: a producer submits a job of 100,000 additions with wp_submit_wait, and then the next.
 *
 * Measured: the round trip of a job that does something, for 1 to 128 workers, of which one at a
 * time has work. It should be the job itself and two hand-overs (pool_wait) whatever the number of
 * workers; the value "round trip" is that difference to the bare job, in ns.
 *
 * Not measured: throughput. Whoever has more than one job at a time should not wait for each.
 */
#include "bench.h"
#include "pool_run.h"
#include "tally.h"
#include "task.h"

static void share(struct pool_run *run, uint64_t id, uint64_t end)
{
	struct wp_job job = { .fn = task_cpu.fn };

	for (; id < end; id++) {
		job.payload = tally_payload(id);
		pool_run_must(run, "wp_submit_wait", wp_submit_wait(run->pool, &job));
	}
}

static void run(const struct bench_params *p, struct bench_sample *sample)
{
	struct pool_run pool = { .workload = "wait_cpu", .p = p, .share = share };
	double bare_ns = task_bare_ns(&task_cpu, 1, p->brief), ns;

	pool_run(&pool, sample);
	ns = sample->wall_ns / (double)sample->jobs;
	bench_sample_add(sample, "round trip", "ns", ns > bare_ns ? ns - bare_ns : 0);
}

const struct bench_workload bench_wait_cpu = {
	.name = "wait_cpu",
	.about = "wp_submit_wait of a job of 100,000 additions",
	.kind = BENCH_TIME,
	.costs = true,
	.producers = "1",
	.workers = "1,4,cpus,32,128",
	.profile = true,
	.jobs = 3000,
	.quick_jobs = 100,
	.jobs_at_most = true,
	.run = run,
};
