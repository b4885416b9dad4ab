/* SPDX-License-Identifier: MIT */
#include "task_run.h"

#include <wpool/wpool.h>

#include "pool_run.h"
#include "tally.h"

#define BRIEF_DIVISOR 10

struct task_pool {
	struct pool_run pool; /* the first: a pointer to it is a pointer to all */
	const struct task *task;
};

static void share(struct pool_run *run, uint64_t id, uint64_t end)
{
	const struct task_pool *pool = (const struct task_pool *)run;
	wp_job_fn fn = pool->task->fn;

	for (; id < end; id++)
		pool_run_must(run, "wp_submit", wp_submit(run->pool, fn, tally_payload(id)));
}

uint64_t task_run_jobs(const struct task *task, const struct bench_params *params)
{
	uint64_t most = task->per_worker * params->workers;

	if (params->brief)
		most /= BRIEF_DIVISOR;
	return most != 0 && most < params->jobs ? most : params->jobs;
}

void task_run_add_ideal(struct bench_sample *sample, const struct task *task,
	const struct bench_params *params, double bare_ns)
{
	unsigned lanes = params->workers;
	double ns = sample->wall_ns / (double)sample->jobs;

	if (!task->sleeps && lanes > wp_usable_cpus())
		lanes = wp_usable_cpus();
	bench_sample_add(sample, "of ideal", "%", 100 * bare_ns / lanes / ns);
}

void task_run(const char *workload, const struct task *task, const struct bench_params *params,
	struct bench_sample *sample)
{
	bool empty = task == &task_empty;
	double bare_ns = empty ? 0 : task_bare_ns(task, params->brief);
	struct bench_params p = *params;
	struct task_pool run = {
		.pool = { .workload = workload, .p = &p, .share = share },
		.task = task,
	};

	p.jobs = task_run_jobs(task, params);
	pool_run(&run.pool, sample);
	if (!empty)
		task_run_add_ideal(sample, task, params, bare_ns);
}
