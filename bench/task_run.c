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

/* How many jobs can get on at once. */
static unsigned at_once(const struct task *task, const struct bench_params *params)
{
	bool bounded = !task->sleeps && params->workers > wp_usable_cpus();

	return bounded ? wp_usable_cpus() : params->workers;
}

double task_run_bare_ns(const struct task *task, const struct bench_params *params)
{
	return task_bare_ns(task, task->sleeps ? 1 : at_once(task, params), params->brief);
}

void task_run_add_ideal(struct bench_sample *sample, const struct task *task,
	const struct bench_params *params, double bare_ns)
{
	double ns = sample->wall_ns / (double)sample->jobs;

	bench_sample_add(sample, "of ideal", "%", 100 * bare_ns / at_once(task, params) / ns);
}

void task_run(const char *workload, const struct task *task, const struct bench_params *params,
	struct bench_sample *sample)
{
	bool empty = task == &task_empty;
	double bare_ns = empty ? 0 : task_run_bare_ns(task, params);
	struct bench_params p = *params;
	struct task_pool run = {
		.pool = { .workload = workload, .p = &p, .share = share },
		.task = task,
	};

	p.jobs = task_run_jobs(task, params);
	pool_run(&run.pool, sample);
	if (!empty) {
		/* Before and after: a machine's speed may drift meanwhile. */
		bare_ns = (bare_ns + task_run_bare_ns(task, params)) / 2;
		task_run_add_ideal(sample, task, params, bare_ns);
	}
}
