/* SPDX-License-Identifier: MIT */
/*
 * producer_pressure: 1 to 16 producers, as many workers as CPUs, CPU jobs.
 * submit_path: 1 to 128 submitters of empty jobs, one worker.
 *
 * Measured: producer_pressure shows whether more producers than CPUs slow down jobs that do real
 * work: the time per job should be that of the jobs alone, however many hand them over. submit_path
 * is about the submitters: its value "submit" is what a call costs when so many contend, waiting
 * for room included once the line is full.
 *
 * Not measured: who of the producers gets how far; see fairness.
 */
#include "bench.h"
#include "task_run.h"

static void run_pressure(const struct bench_params *p, struct bench_sample *sample)
{
	task_run("producer_pressure", &task_cpu, p, sample);
}

static void run_path(const struct bench_params *p, struct bench_sample *sample)
{
	task_run("submit_path", &task_empty, p, sample);
}

const struct bench_workload bench_producer_pressure = {
	.name = "producer_pressure",
	.about = "jobs of 100,000 additions from 1 to 16 producers",
	.kind = BENCH_TIME,
	.costs = true,
	.producers = "1..16",
	.workers = "cpus",
	.profile = true,
	.jobs = 5000,
	.quick_jobs = 200,
	.jobs_at_most = true,
	.run = run_pressure,
};

const struct bench_workload bench_submit_path = {
	.name = "submit_path",
	.about = "empty jobs from 1 to 128 submitters, 1 worker",
	.kind = BENCH_TIME,
	.costs = true,
	.producers = "1,2,32,64,128",
	.workers = "1",
	.profile = true,
	.jobs = 1000000,
	.quick_jobs = 50000,
	.run = run_path,
};
