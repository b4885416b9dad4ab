/* SPDX-License-Identifier: MIT */
/*
 * idle: what a pool costs while there is nothing to do.
 *
 * Measured: a pool runs some jobs, is left alone until its workers sleep, and is then watched for
 * two seconds: the CPU time of all its threads, and how often the kernel switched to or from one of
 * them, as counted in /proc/self/task/<tid>/status and schedstat. A pool that sleeps well shows 0
 * and 0: a thread that wakes up for a timer or a poll must be switched to. The workload also notes
 * how many of the jobs ran, and that all workers report to be asleep at the end.
 *
 * Not measured: memory, and how soon a worker goes to sleep (spin_ns).
 */
#include "bench.h"
#include "pool_run.h"
#include "procfs.h"
#include "tally.h"

#define SETTLE_NS      300000000u
#define WATCH_NS       2000000000u
#define WATCH_BRIEF_NS 500000000u

static void run(const struct bench_params *p, struct bench_sample *sample)
{
	struct pool_run pool = { .workload = "idle", .p = p };
	struct procfs_threads before, after;
	struct wp_stats stats = WP_STATS_INIT;
	uint64_t begin, cpu_begin;
	double seconds;

	tally_begin(p->workers);
	pool_run_open(&pool, pool_run_options(p));
	pool_run_warm(&pool, 1, p->jobs);
	bench_sleep_ns(SETTLE_NS);
	if (!procfs_other_threads(&before))
		bench_die("idle: /proc/self/task cannot be read");
	cpu_begin = bench_cpu_ns();
	begin = bench_now_ns();
	bench_sleep_ns(p->brief ? WATCH_BRIEF_NS : WATCH_NS);
	seconds = (double)(bench_now_ns() - begin) / 1e9;
	sample->wall_ns = seconds * 1e9;
	sample->cpu_ns = (double)(bench_cpu_ns() - cpu_begin);
	sample->jobs = p->jobs;
	if (!procfs_other_threads(&after))
		bench_die("idle: /proc/self/task cannot be read");
	if (after.threads != before.threads)
		bench_die("idle: %u threads became %u", before.threads, after.threads);
	pool_run_must(&pool, "wp_pool_stats", wp_pool_stats(pool.pool, &stats));
	bench_sample_add(sample, "threads", "", after.threads);
	bench_sample_add(sample, "asleep", "", stats.workers_idle);
	bench_sample_add(
		sample, "CPU time", "ns/s", (double)(after.cpu_ns - before.cpu_ns) / seconds);
	bench_sample_add(sample, "context switches", "per s",
		(double)(after.switches - before.switches) / seconds);
	pool_run_close(&pool, p->jobs);
}

const struct bench_workload bench_idle = {
	.name = "idle",
	.about = "CPU time and context switches of a pool that has nothing to do",
	.kind = BENCH_VALUES,
	.workers = "1,4",
	.profile = true,
	.jobs = 10000,
	.quick_jobs = 10000,
	.jobs_at_most = true,
	.run = run,
};
