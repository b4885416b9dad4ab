/* SPDX-License-Identifier: MIT */
/*
 * matrix_empty, matrix_cpu, matrix_io: kind of job x workers x submitters.
 *
 * Measured: ns per job and the submitters' time per job for every combination of 1, 4, all CPUs, 32
 * and 128 workers with 1, all CPUs and 32 submitters. Each submitter has its share of the jobs. The
 * corners are what a pool is chosen for badly: many submitters with one worker (the line is full,
 * submitters wait), and one submitter with many workers (workers wait).
 *
 * Not measured: how fair it is between the submitters; see fairness.
 */
#include "bench.h"
#include "task_run.h"

#define PRODUCERS "1,cpus,32"
#define WORKERS   "1,4,cpus,32,128"

static void run_empty(const struct bench_params *p, struct bench_sample *sample)
{
	task_run("matrix_empty", &task_empty, p, sample);
}

static void run_cpu(const struct bench_params *p, struct bench_sample *sample)
{
	task_run("matrix_cpu", &task_cpu, p, sample);
}

static void run_io(const struct bench_params *p, struct bench_sample *sample)
{
	task_run("matrix_io", &task_io, p, sample);
}

const struct bench_workload bench_matrix_empty = {
	.name = "matrix_empty",
	.about = "empty jobs, each number of workers with each number of submitters",
	.kind = BENCH_TIME,
	.costs = true,
	.producers = PRODUCERS,
	.workers = WORKERS,
	.profile = true,
	.jobs = 500000,
	.quick_jobs = 20000,
	.run = run_empty,
};

const struct bench_workload bench_matrix_cpu = {
	.name = "matrix_cpu",
	.about = "jobs of 100,000 additions, workers x submitters",
	.kind = BENCH_TIME,
	.costs = true,
	.producers = PRODUCERS,
	.workers = WORKERS,
	.profile = true,
	.jobs = 3000,
	.quick_jobs = 100,
	.jobs_at_most = true,
	.run = run_cpu,
};

const struct bench_workload bench_matrix_io = {
	.name = "matrix_io",
	.about = "jobs that sleep 1 ms, workers x submitters",
	.kind = BENCH_TIME,
	.costs = true,
	.producers = PRODUCERS,
	.workers = WORKERS,
	.profile = true,
	.jobs = 12800,
	.quick_jobs = 640,
	.jobs_at_most = true,
	.run = run_io,
};
