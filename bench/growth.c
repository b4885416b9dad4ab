/* SPDX-License-Identifier: MIT */
/*
 * growth: 10^4, 10^5, ... 10^7 empty jobs through a pool with one producer (10^8 with --jobs 1e8).
 *
 * Measured: whether a job gets dearer when there are more of them. ns per job should be the same in
 * each decade; a structure that grows, a list that is walked or a counter that is shared shows as a
 * rise. So that the decades can be compared, what happens once per run is kept out: the pool has
 * warmed up, its workers stay awake between runs (spin_ns is 10 ms here), and the decades below
 * 10^6 are repeated on the same pool until 10^6 jobs have run, each repetition with its own begin
 * and end, the time being the sum.
 *
 * Not measured: the cost of beginning (see first_job).
 */
#include <string.h>

#include "bench.h"
#include "costs.h"
#include "crew.h"
#include "pin.h"
#include "pool_run.h"
#include "tally.h"

#define JOBS_AT_LEAST 1000000
#define ROUNDS_MAX    100
#define SPIN_NS       10000000

struct growth {
	struct pool_run pool;
	uint64_t rounds;
	uint64_t next_id;
	uint64_t total_ns;
};

static void produce(struct crew_member *me)
{
	struct growth *growth = me->shared;
	struct pool_run *pool = &growth->pool;

	for (uint64_t r = 0; r < growth->rounds; r++) {
		uint64_t end_id = growth->next_id + pool->p->jobs;
		uint64_t begin, submitted, last;

		atomic_store_explicit(&pool->all_submitted, false, memory_order_relaxed);
		begin = bench_now_ns();
		for (uint64_t id = growth->next_id; id < end_id; id++)
			pool_run_must(pool, "wp_submit",
				wp_submit(pool->pool, tally_job, tally_payload(id)));
		atomic_store_explicit(&pool->all_submitted, true, memory_order_relaxed);
		submitted = bench_now_ns();
		last = pool_run_last_ns(pool, end_id - 1);
		growth->total_ns += (last > submitted ? last : submitted) - begin;
		growth->next_id = end_id;
	}
}

static void run(const struct bench_params *p, struct bench_sample *sample)
{
	struct growth growth = { .pool = { .workload = "growth", .p = p } };
	struct wp_options options = pool_run_options(p);
	struct crew crew;

	growth.rounds = p->jobs < JOBS_AT_LEAST ? JOBS_AT_LEAST / p->jobs : 1;
	if (growth.rounds > (p->brief ? 10 : ROUNDS_MAX))
		growth.rounds = p->brief ? 10 : ROUNDS_MAX;
	options.spin_ns = SPIN_NS;
	tally_begin(p->workers);
	pool_run_open(&growth.pool, options);
	pool_run_warm(&growth.pool, 1, POOL_RUN_WARM);
	growth.next_id = POOL_RUN_WARM + 1;
	crew_init(&crew, 1);
	crew_add_producer(&crew, produce, &growth, 0, pin_cpu_if(p->pin, p->workers));
	costs_begin();
	crew_open(&crew);
	crew_join(&crew);
	costs_end(sample);
	sample->cpu_ns = (double)(bench_cpu_ns() - crew.cpu_begin_ns);
	sample->wall_ns = (double)growth.total_ns;
	sample->jobs = p->jobs * growth.rounds;
	crew_fini(&crew);
	pool_run_close(&growth.pool, growth.next_id - 1);
}

const struct bench_workload bench_growth = {
	.name = "growth",
	.about = "10^4 .. 10^7 empty jobs through a pool, up to 10^8 with --jobs 1e8",
	.kind = BENCH_TIME,
	.costs = true,
	.workers = "1",
	.profile = true,
	.segment_size = "0",
	.jobs = 10000000,
	.quick_jobs = 1000000,
	.decades = true,
	.run = run,
};
