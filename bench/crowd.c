/* SPDX-License-Identifier: MIT */
/*
 * crowd, crowd_lanes: 1 to 64 workers and 1 to 64 producers on the CPUs there are.
 *
 * Measured: ns per job of empty jobs, first submit to last job finished, with far more threads than
 * CPUs on both sides; `crowd` submits by wp_submit, `crowd_lanes` through a wp_producer per thread.
 * A note below the table says how many times the best case the worst one costs: a pool that spins
 * while others need the CPU, or wakes more threads than it has work for, collapses here. Beside it:
 *
 *   slowest producer   each producer has an equal share of the jobs. When the last one was done,
 *                      in average times at which they were done, from the common start: 1 when all
 *                      end together, 2 when they run one after another, more when some starve.
 *   start p50, p99.9   from just before the submit to the start of the job. The producers never
 *                      pause, so the line is full and this is mostly the time it takes to run
 *                      what is in it: the capacity of the line, times the time per job.
 *
 * Each SAMPLE-th job is stamped for the latter: two looks at the clock, some 50 ns, of which each
 * job bears a SAMPLE-th part. A run has to be long against the time that the kernel lets a thread
 * run, or producers would be done in the order in which they happen to be started.
 *
 * The lines of producers are filled once before the clock starts, so that their memory has been
 * touched.
 *
 * Not measured: jobs that do something; with those the CPUs, not the pool, are what threads fight
 * over. See matrix_cpu.
 */
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "costs.h"
#include "crew.h"
#include "histogram.h"
#include "pin.h"
#include "pool_run.h"
#include "tally.h"

#define SAMPLE 16u

struct crowd_run {
	struct pool_run pool;
	bool lanes;
	size_t lane_room;
	uint64_t warm; /* ids of warm-up jobs come before the measured ones */
};

/* By id / SAMPLE. Static: a job has only its payload. */
static uint64_t *sent_ns, *started_ns;

static int stamp_job(void *payload)
{
	uint64_t id = tally_id(payload);

	started_ns[id / SAMPLE] = bench_now_ns();
	tally_add(tally_of_thread(), id);
	return 0;
}

static wp_job_fn stamped(uint64_t id)
{
	if (id % SAMPLE != 0)
		return tally_job;
	sent_ns[id / SAMPLE] = bench_now_ns();
	return stamp_job;
}

static struct wp_producer *open_producer(struct crowd_run *run)
{
	struct wp_producer *producer;

	pool_run_must(&run->pool, "wp_producer_open", wp_producer_open(&producer, run->pool.pool));
	return producer;
}

static void submit_to_lane(struct crowd_run *run, uint64_t id, uint64_t end)
{
	struct wp_producer *producer = open_producer(run);

	for (; id < end; id++)
		pool_run_must(&run->pool, "wp_producer_submit",
			wp_producer_submit(producer, stamped(id), tally_payload(id)));
	wp_producer_close(producer);
}

static void submit_to_all(struct crowd_run *run, uint64_t id, uint64_t end)
{
	for (; id < end; id++)
		pool_run_must(&run->pool, "wp_submit",
			wp_submit(run->pool.pool, stamped(id), tally_payload(id)));
}

static void produce(struct crew_member *me)
{
	struct crowd_run *run = me->shared;
	const struct bench_params *p = run->pool.p;
	uint64_t begin = run->warm + 1 + p->jobs * me->index / p->producers;
	uint64_t end = run->warm + 1 + p->jobs * (me->index + 1) / p->producers;

	(run->lanes ? submit_to_lane : submit_to_all)(run, begin, end);
	if (atomic_fetch_sub_explicit(&run->pool.producers_left, 1, memory_order_relaxed) == 1)
		atomic_store_explicit(&run->pool.all_submitted, true, memory_order_relaxed);
}

/* Fills a line for each producer; who opens later gets one of these. */
static void warm_lanes(struct crowd_run *run)
{
	unsigned count = run->pool.p->producers;
	struct wp_producer **producers = bench_alloc(count, sizeof(struct wp_producer *));

	for (unsigned i = 0; i < count; i++)
		producers[i] = open_producer(run);
	for (unsigned i = 0; i < count; i++)
		for (size_t j = 0; j < run->lane_room; j++)
			pool_run_must(&run->pool, "wp_producer_submit",
				wp_producer_submit(
					producers[i], tally_job, tally_payload(++run->warm)));
	for (unsigned i = 0; i < count; i++)
		wp_producer_close(producers[i]);
	free(producers);
	pool_run_must(&run->pool, "wp_pool_wait", wp_pool_wait(run->pool.pool, WP_FOREVER));
}

/* When the last producer was done, in average times of being done. */
static double slowest(const struct crew *crew)
{
	uint64_t begin = crew_begin_ns(crew);
	double sum = 0;

	for (unsigned i = 0; i < crew->count; i++)
		sum += (double)(crew->members[i].end_ns - begin);
	return sum > 0 ? (double)(crew_end_ns(crew) - begin) * crew->count / sum : 1;
}

static void add_starts(const struct crowd_run *run, struct bench_sample *sample)
{
	struct histogram *starts = bench_alloc(1, sizeof(*starts));
	uint64_t last = (run->warm + run->pool.p->jobs) / SAMPLE;

	for (uint64_t i = run->warm / SAMPLE + 1; i <= last; i++)
		histogram_add(starts, started_ns[i] > sent_ns[i] ? started_ns[i] - sent_ns[i] : 0);
	bench_sample_add(sample, "start p50", "ns", (double)histogram_percentile(starts, 0.5));
	bench_sample_add(sample, "start p99.9", "ns", (double)histogram_percentile(starts, 0.999));
	free(starts);
}

static void run_region(struct crowd_run *run, struct bench_sample *sample)
{
	const struct bench_params *p = run->pool.p;
	uint64_t last_ns, end_ns;
	struct crew crew;

	crew_init(&crew, p->producers);
	for (unsigned i = 0; i < p->producers; i++)
		crew_add_producer(&crew, produce, run, i, pin_cpu_if(p->pin, p->workers + i));
	costs_begin();
	crew_open(&crew);
	crew_join(&crew);
	last_ns = pool_run_last_ns(&run->pool, run->warm + p->jobs);
	sample->cpu_ns = (double)(bench_cpu_ns() - crew.cpu_begin_ns);
	end_ns = crew_end_ns(&crew) > last_ns ? crew_end_ns(&crew) : last_ns;
	sample->wall_ns = (double)(end_ns - crew_begin_ns(&crew));
	sample->jobs = p->jobs;
	/* Opening a line allocates its handle. */
	if (!run->lanes)
		costs_end(sample);
	bench_sample_add(sample, "slowest producer", "x average", slowest(&crew));
	crew_fini(&crew);
}

static void run_crowd(struct crowd_run *run, struct bench_sample *sample)
{
	const struct bench_params *p = run->pool.p;
	struct wp_options options = pool_run_options(p);
	uint64_t warm = p->jobs < POOL_RUN_WARM ? p->jobs : POOL_RUN_WARM, stamps;

	pool_run_must(&run->pool, "wp_options_fill_defaults", wp_options_fill_defaults(&options));
	run->lane_room = options.producer_capacity;
	stamps = (warm + (uint64_t)p->producers * run->lane_room + p->jobs) / SAMPLE + 1;
	sent_ns = bench_alloc(stamps, sizeof(*sent_ns));
	started_ns = bench_alloc(stamps, sizeof(*started_ns));
	atomic_store_explicit(&run->pool.producers_left, p->producers, memory_order_relaxed);
	tally_begin(p->workers);
	pool_run_open(&run->pool, options);
	run->warm = warm;
	pool_run_warm(&run->pool, 1, warm);
	if (run->lanes)
		warm_lanes(run);
	run_region(run, sample);
	pool_run_close(&run->pool, run->warm + p->jobs);
	add_starts(run, sample);
	free(sent_ns);
	free(started_ns);
}

static void run_shared(const struct bench_params *p, struct bench_sample *sample)
{
	struct crowd_run run = { .pool = { .workload = "crowd", .p = p } };

	run_crowd(&run, sample);
}

static void run_lanes(const struct bench_params *p, struct bench_sample *sample)
{
	struct crowd_run run = { .pool = { .workload = "crowd_lanes", .p = p }, .lanes = true };

	run_crowd(&run, sample);
}

const struct bench_workload bench_crowd = {
	.name = "crowd",
	.about = "empty jobs by wp_submit, 1 to 64 producers x 1 to 64 workers",
	.kind = BENCH_TIME,
	.costs = true,
	.producers = "1,2,4,16,64",
	.workers = "1,2,4,16,64",
	.jobs = 4000000,
	.quick_jobs = 100000,
	.run = run_shared,
};

const struct bench_workload bench_crowd_lanes = {
	.name = "crowd_lanes",
	.about = "the same, through a wp_producer per thread",
	.kind = BENCH_TIME,
	.costs = true,
	.producers = "1,2,4,16,64",
	.workers = "1,2,4,16,64",
	.jobs = 4000000,
	.quick_jobs = 100000,
	.run = run_lanes,
};
