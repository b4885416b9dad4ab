/* SPDX-License-Identifier: MIT */
/*
 * rescue_cost: what it costs a job that others could take it back.
 *
 * One thread calls the jobs of a full batch in a loop, three ways: "plain" goes through the array;
 * "rescue" takes each job by wp__rescue_next, the function that the worker itself calls before each
 * job (a store, a compiler barrier and two loads: engine/rescue.h); "fence" is the same where the
 * kernel has no membarrier. The ways take turns of some microseconds, in changing order. A figure
 * is the lower decile over the turns of one run, in ns per job: what disturbs a turn makes it
 * longer, never shorter. "rescue - plain" is the price of rescue for the common path.
 *
 * The job is an indirect call of a function that does nothing, so that nothing hides the price.
 * Not measured: a rescue that happens; see rescue.
 */
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "engine/rescue.h"

#define TURNS       2001
#define TURNS_BRIEF 101
#define LOOPS       16 /* batches in a turn: longer than reading the clock */

enum way { PLAIN, RESCUE, FENCE, WAYS };

static uint64_t ran; /* on the calling thread alone */

static int nothing(void *payload)
{
	ran += (uintptr_t)payload;
	return 0;
}

/* Not inlined: each way is code of its own, and nothing is known about the worker. */
__attribute__((noinline)) static void run_plain(const struct wp__worker *w)
{
	for (uint32_t i = 0; i < w->count; i++)
		(void)w->batch[i].fn(w->batch[i].payload);
}

__attribute__((noinline)) static void run_rescue(struct wp__worker *w)
{
	uint32_t i;

	wp__rescue_offer(w, WP__BATCH_MAX, 0);
	while (wp__rescue_next(w, &i))
		(void)w->batch[i].fn(w->batch[i].payload);
}

static double turn(struct wp__worker *w, struct wp_pool *pool, enum way way)
{
	uint64_t begin;

	pool->has_membarrier = way == RESCUE;
	w->count = WP__BATCH_MAX;
	begin = bench_now_ns();
	for (int i = 0; i < LOOPS; i++) {
		if (way == PLAIN)
			run_plain(w);
		else
			run_rescue(w);
	}
	return (double)(bench_now_ns() - begin) / (LOOPS * WP__BATCH_MAX);
}

static double decile(double *values, unsigned count)
{
	bench_sort(values, count);
	return values[count / 10];
}

static void run(const struct bench_params *p, struct bench_sample *sample)
{
	unsigned turns = p->brief ? TURNS_BRIEF : TURNS;
	double *ns[WAYS], plain, rescue;
	static const enum way orders[2][WAYS] = { { PLAIN, RESCUE, FENCE },
		{ RESCUE, PLAIN, FENCE } };
	struct wp_pool *pool = aligned_alloc(WP_ALONE, sizeof(*pool));
	struct wp__worker *w = aligned_alloc(WP_ALONE, sizeof(*w));
	uint64_t begin = bench_now_ns(), cpu_begin = bench_cpu_ns();
	uint64_t expected = (uint64_t)turns * WAYS * LOOPS * WP__BATCH_MAX;

	if (pool == NULL || w == NULL)
		bench_die("out of memory");
	memset(pool, 0, sizeof(*pool));
	memset(w, 0, sizeof(*w));
	w->pool = pool;
	for (unsigned i = 0; i < WP__BATCH_MAX; i++)
		w->batch[i] = (struct wp_job){ .fn = nothing, .payload = (void *)(uintptr_t)1 };
	for (int i = 0; i < WAYS; i++)
		ns[i] = bench_alloc(turns, sizeof(**ns));
	ran = 0;
	for (unsigned i = 0; i < turns; i++) {
		for (int k = 0; k < WAYS; k++) {
			enum way way = orders[i % 2][k];

			ns[way][i] = turn(w, pool, way);
		}
	}
	if (ran != expected)
		bench_die("rescue_cost: %llu jobs ran, not %llu", (unsigned long long)ran,
			(unsigned long long)expected);
	sample->wall_ns = (double)(bench_now_ns() - begin);
	sample->cpu_ns = (double)(bench_cpu_ns() - cpu_begin);
	sample->jobs = expected;
	plain = decile(ns[PLAIN], turns);
	rescue = decile(ns[RESCUE], turns);
	bench_sample_add(sample, "plain", "ns/job", plain);
	bench_sample_add(sample, "rescue", "ns/job", rescue);
	bench_sample_add(sample, "fence", "ns/job", decile(ns[FENCE], turns));
	bench_sample_add(sample, "rescue - plain", "ns/job", rescue - plain);
	for (int i = 0; i < WAYS; i++)
		free(ns[i]);
	free(w);
	free(pool);
}

const struct bench_workload bench_rescue_cost = {
	.name = "rescue_cost",
	.about = "what the common path pays so that jobs can be taken back",
	.kind = BENCH_VALUES,
	.jobs = 1,
	.quick_jobs = 1,
	.jobs_at_most = true,
	.run = run,
};
