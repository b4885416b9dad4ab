/* SPDX-License-Identifier: MIT */
/*
 * job_cost: the empty job of the pool workloads, called in a loop by one thread, without a pool.
 *
 * Measured: what it costs to call a function through a pointer and to let it count itself as
 * tally.h describes. Every figure of a pool_* workload contains this; subtract it if you want to
 * know the pool alone. It is not subtracted in the table, because workers count while the producer
 * submits: where the producer is what takes the time, counting costs nothing.
 */
#include "bench.h"
#include "tally.h"

static void run(const struct bench_params *p, struct bench_sample *sample)
{
	/* Volatile: the compiler must not see which function it is, as a pool does not. */
	int (*volatile hidden)(void *) = tally_job;
	int (*job)(void *) = hidden;
	uint64_t begin, cpu_begin;

	tally_begin(1);
	cpu_begin = bench_cpu_ns();
	begin = bench_now_ns();
	for (uint64_t id = 1; id <= p->jobs; id++)
		if (job(tally_payload(id)) != 0)
			bench_die("job_cost: the empty job failed");
	sample->wall_ns = (double)(bench_now_ns() - begin);
	sample->cpu_ns = (double)(bench_cpu_ns() - cpu_begin);
	sample->jobs = p->jobs;
	tally_check("job_cost", p->jobs);
	tally_mine = NULL;
}

const struct bench_workload bench_job_cost = {
	.name = "job_cost",
	.about = "the counting empty job itself, in a loop: contained in all pool figures",
	.kind = BENCH_TIME,
	.jobs = 5000000,
	.quick_jobs = 500000,
	.run = run,
};
