/* SPDX-License-Identifier: MIT */
/*
 * stats_cost: what a look at the pool's statistics costs.
 *
 * Measured: ns per call of wp_pool_stats by one thread, while jobs flow from another producer. A
 * pool that is watched once a second does not care; one that asks before each submit does. The
 * "jobs" of this workload are calls; the jobs that flow are checked as everywhere.
 *
 * Not measured: how much the calls slow down the jobs.
 */
#include "bench.h"
#include "costs.h"
#include "crew.h"
#include "pin.h"
#include "pool_run.h"
#include "tally.h"

struct stats_run {
	struct pool_run pool;
	uint64_t submitted; /* by the one producer; read after it has ended */
	atomic_bool done;
};

static void produce(struct crew_member *me)
{
	struct stats_run *run = me->shared;
	uint64_t id = 0;

	while (!atomic_load_explicit(&run->done, memory_order_relaxed)) {
		id++;
		pool_run_must(&run->pool, "wp_submit",
			wp_submit(run->pool.pool, tally_job, tally_payload(id)));
	}
	run->submitted = id;
}

static void watch(struct crew_member *me)
{
	struct stats_run *run = me->shared;
	uint64_t before = 0;

	for (uint64_t i = 0; i < run->pool.p->jobs; i++) {
		struct wp_stats stats = WP_STATS_INIT;

		pool_run_must(&run->pool, "wp_pool_stats", wp_pool_stats(run->pool.pool, &stats));
		if (stats.completed < before)
			bench_die("stats_cost: completed went back from %llu to %llu",
				(unsigned long long)before, (unsigned long long)stats.completed);
		before = stats.completed;
	}
	me->end_ns = bench_now_ns();
	atomic_store_explicit(&run->done, true, memory_order_relaxed);
}

static void run(const struct bench_params *p, struct bench_sample *sample)
{
	struct stats_run run = { .pool = { .workload = "stats_cost", .p = p } };
	struct crew crew;

	tally_begin(p->workers);
	pool_run_open(&run.pool, pool_run_options(p));
	crew_init(&crew, 2);
	crew_add_consumer(&crew, watch, &run, 0, pin_cpu_if(p->pin, p->workers + 1));
	crew_add_producer(&crew, produce, &run, 0, pin_cpu_if(p->pin, p->workers));
	costs_begin();
	crew_open(&crew);
	crew_join(&crew);
	costs_end(sample);
	sample->cpu_ns = (double)(bench_cpu_ns() - crew.cpu_begin_ns);
	sample->wall_ns = (double)(crew.members[0].end_ns - crew.members[0].begin_ns);
	sample->jobs = p->jobs;
	crew_fini(&crew);
	(void)pool_run_last_ns(&run.pool, run.submitted);
	pool_run_close(&run.pool, run.submitted);
}

const struct bench_workload bench_stats_cost = {
	.name = "stats_cost",
	.about = "wp_pool_stats while jobs flow, ns per call",
	.kind = BENCH_TIME,
	.costs = true,
	.workers = "1,16,128",
	.profile = true,
	.jobs = 50000,
	.quick_jobs = 2000,
	.jobs_at_most = true,
	.run = run,
};
