/* SPDX-License-Identifier: MIT */
/*
 * A pool run (pool_run.h) of jobs that do something (task.h): shared by the scale_*, matrix_* and
 * other workloads. Beside the time it tells
 *
 *   submit       ns of the producers' time per job: what handing one over costs its producer, with
 *                waiting for room where the pool is full
 *   of ideal     the time that the bare jobs would take if they were spread over the workers (up to
 *                the CPUs, for jobs that use one) without any loss, in per cent of the time taken.
 *                The bare job is timed just before and after, by as many threads as can work at
 *                once, or by one where jobs sleep. Not told for empty jobs.
 *   heap calls   in the timed region; see costs.h
 */
#ifndef BENCH_TASK_RUN_H
#define BENCH_TASK_RUN_H

#include "bench.h"
#include "task.h"

void task_run(const char *workload, const struct task *task, const struct bench_params *params,
	struct bench_sample *sample);

/* How many jobs a run of this task has: params->jobs, or fewer when there are few workers. */
uint64_t task_run_jobs(const struct task *task, const struct bench_params *params);

/* ns per bare job of each of the threads that can work at once. */
double task_run_bare_ns(const struct task *task, const struct bench_params *params);

/* Adds "of ideal" for `ns` per job. */
void task_run_add_ideal(struct bench_sample *sample, const struct task *task,
	const struct bench_params *params, double bare_ns);

#endif
