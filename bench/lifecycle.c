/* SPDX-License-Identifier: MIT */
/*
 * lifecycle: how long a pool takes to begin and to end.
 *
 * Measured, for 1 to 128 workers: "create" is wp_pool_create, all threads started; "shutdown idle"
 * is wp_pool_shutdown of a pool whose workers sleep; "shutdown busy" the same right after empty
 * jobs have been submitted, which all have to run before it returns; "destroy" frees the pool.
 *
 * Not measured: how long the last job itself takes.
 */
#include "bench.h"
#include "costs.h"
#include "pool_run.h"
#include "tally.h"

#define SETTLE_NS 2000000u

struct times {
	uint64_t create, shutdown, destroy;
};

static struct times live(const struct bench_params *p, uint64_t jobs, bool idle)
{
	struct pool_run run = { .workload = "lifecycle", .p = p };
	struct wp_stop_report report;
	struct times times;
	uint64_t t[4];

	tally_begin(p->workers);
	t[0] = bench_now_ns();
	pool_run_open(&run, pool_run_options(p));
	times.create = bench_now_ns() - t[0];
	if (idle) {
		pool_run_warm(&run, 1, jobs);
		bench_sleep_ns(SETTLE_NS);
	}
	for (uint64_t id = 1; !idle && id <= jobs; id++)
		pool_run_must(&run, "wp_submit", wp_submit(run.pool, tally_job, tally_payload(id)));
	t[1] = bench_now_ns();
	pool_run_must(&run, "wp_pool_shutdown", wp_pool_shutdown(run.pool, WP_FOREVER, &report));
	t[2] = bench_now_ns();
	wp_pool_destroy(run.pool);
	t[3] = bench_now_ns();
	if (report.completed != jobs)
		bench_die("lifecycle: %llu jobs submitted, %llu completed",
			(unsigned long long)jobs, (unsigned long long)report.completed);
	tally_check("lifecycle", jobs);
	times.shutdown = t[2] - t[1];
	times.destroy = t[3] - t[2];
	return times;
}

static void run(const struct bench_params *p, struct bench_sample *sample)
{
	uint64_t begin = bench_now_ns(), cpu_begin = bench_cpu_ns();
	struct times idle, busy;

	costs_begin();
	idle = live(p, p->jobs, true);
	busy = live(p, p->jobs, false);
	costs_end(sample);
	sample->wall_ns = (double)(bench_now_ns() - begin);
	sample->cpu_ns = (double)(bench_cpu_ns() - cpu_begin);
	sample->jobs = 2 * p->jobs;
	bench_sample_add(sample, "create", "ns", (double)idle.create);
	bench_sample_add(sample, "shutdown idle", "ns", (double)idle.shutdown);
	bench_sample_add(sample, "shutdown busy", "ns", (double)busy.shutdown);
	bench_sample_add(sample, "destroy", "ns", (double)idle.destroy);
}

const struct bench_workload bench_lifecycle = {
	.name = "lifecycle",
	.about = "creation, shutdown and destruction of a pool",
	.kind = BENCH_VALUES,
	.costs = true,
	.workers = "1,16,128",
	.profile = true,
	.jobs = 10000,
	.quick_jobs = 1000,
	.jobs_at_most = true,
	.run = run,
};
