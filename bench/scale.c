/* SPDX-License-Identifier: MIT */
/*
 * scale_empty, scale_sha256, scale_cpu, scale_io: one producer, 1 to 128 workers.
 *
 * Measured: ns per job, first submit to last job finished, for four kinds of jobs (task.h). What to
 * look for: scale_cpu and scale_sha256 should divide by the number of workers up to the CPUs and
 * then stay; scale_io should divide by the number of workers all the way, for sleeping needs no
 * CPU; scale_empty should not get dearer. "of ideal" says how near they come; task_run.h says what
 * that is.
 *
 * Not measured: the jobs' memory traffic, which would bound real jobs before the cores do.
 * scale_sha256 needs nettle at build time and is left out without.
 */
#include "bench.h"
#include "task_run.h"

#define WORKERS "1..128"

static void run_empty(const struct bench_params *p, struct bench_sample *sample)
{
	task_run("scale_empty", &task_empty, p, sample);
}

static void run_cpu(const struct bench_params *p, struct bench_sample *sample)
{
	task_run("scale_cpu", &task_cpu, p, sample);
}

static void run_io(const struct bench_params *p, struct bench_sample *sample)
{
	task_run("scale_io", &task_io, p, sample);
}

const struct bench_workload bench_scale_empty = {
	.name = "scale_empty",
	.about = "empty jobs, 1 producer, 1 to 128 workers",
	.kind = BENCH_TIME,
	.costs = true,
	.producers = "1",
	.workers = WORKERS,
	.profile = true,
	.jobs = 1000000,
	.quick_jobs = 50000,
	.run = run_empty,
};

const struct bench_workload bench_scale_cpu = {
	.name = "scale_cpu",
	.about = "jobs of 100,000 additions, 1 producer, 1 to 128 workers",
	.kind = BENCH_TIME,
	.costs = true,
	.producers = "1",
	.workers = WORKERS,
	.profile = true,
	.jobs = 5000,
	.quick_jobs = 200,
	.jobs_at_most = true,
	.run = run_cpu,
};

const struct bench_workload bench_scale_io = {
	.name = "scale_io",
	.about = "jobs that sleep 1 ms, 1 producer, 1 to 128 workers",
	.kind = BENCH_TIME,
	.costs = true,
	.producers = "1",
	.workers = WORKERS,
	.profile = true,
	.jobs = 25600,
	.quick_jobs = 1280,
	.jobs_at_most = true,
	.run = run_io,
};

#ifdef BENCH_HAVE_NETTLE
static void run_sha256(const struct bench_params *p, struct bench_sample *sample)
{
	task_run("scale_sha256", &task_sha256, p, sample);
}

const struct bench_workload bench_scale_sha256 = {
	.name = "scale_sha256",
	.about = "SHA-256 of 8 KiB, 1 producer, 1 to 128 workers",
	.kind = BENCH_TIME,
	.costs = true,
	.producers = "1",
	.workers = WORKERS,
	.profile = true,
	.jobs = 20000,
	.quick_jobs = 500,
	.jobs_at_most = true,
	.run = run_sha256,
};
#endif
