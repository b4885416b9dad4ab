/* SPDX-License-Identifier: MIT */
/*
 * fairness: 4 producers, jobs of three classes, a line as long as 32 jobs per worker.
 * submit_latency: how long a call of wp_submit itself takes, with 8 submitters.
 *
 * Measured by fairness: the time from submit to start, by class: every tenth job is "high", three
 * are "medium", six "low". The pool is first in, first out and knows no classes, so all three must
 * wait alike; a pool that is unfair to those that come seldom shows it here. "last producer" is how
 * much later the last producer was done than the first, in per cent of the run: a queue under which
 * some producers starve is fast on average.
 *
 * Measured by submit_latency: percentiles of the duration of the call, waiting for room included.
 * Two looks at the clock, some 40 to 60 ns, are contained.
 *
 * Not measured: jobs that are worth waiting for; they are empty.
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

#define INFLIGHT_PER_WORKER 32

enum class_of_job { HIGH, MEDIUM, LOW, CLASSES };

struct stamped_run {
	struct pool_run pool;
	struct histogram *calls; /* one per producer */
};

/* By id: when the call was made, and when the job started. Static: a job has only its payload. */
static uint64_t *sent_ns, *started_ns;

static int stamp_job(void *payload)
{
	uint64_t id = tally_id(payload);

	started_ns[id] = bench_now_ns();
	tally_add(tally_of_thread(), id);
	return 0;
}

static void produce(struct crew_member *me)
{
	struct stamped_run *run = me->shared;
	const struct bench_params *p = run->pool.p;
	uint64_t id = 1 + p->jobs * me->index / p->producers;
	uint64_t end = 1 + p->jobs * (me->index + 1) / p->producers;

	for (; id < end; id++) {
		sent_ns[id] = bench_now_ns();
		pool_run_must(&run->pool, "wp_submit",
			wp_submit(run->pool.pool, stamp_job, tally_payload(id)));
		histogram_add(&run->calls[me->index], bench_now_ns() - sent_ns[id]);
	}
}

/* One run of the pool with stamps; how much later the last producer was done, in per cent. */
static double run_stamped(struct stamped_run *run, struct bench_sample *sample)
{
	const struct bench_params *p = run->pool.p;
	uint64_t first_end = UINT64_MAX;
	struct crew crew;

	run->calls = bench_alloc(p->producers, sizeof(*run->calls));
	sent_ns = bench_alloc(p->jobs + 1, sizeof(*sent_ns));
	started_ns = bench_alloc(p->jobs + 1, sizeof(*started_ns));
	tally_begin(p->workers);
	pool_run_open(&run->pool, pool_run_options(p));
	crew_init(&crew, p->producers);
	for (unsigned i = 0; i < p->producers; i++)
		crew_add_producer(&crew, produce, run, i, pin_cpu_if(p->pin, p->workers + i));
	costs_begin();
	crew_open(&crew);
	crew_join(&crew);
	(void)pool_run_last_ns(&run->pool, p->jobs);
	costs_end(sample);
	sample->cpu_ns = (double)(bench_cpu_ns() - crew.cpu_begin_ns);
	sample->wall_ns = (double)(bench_now_ns() - crew_begin_ns(&crew));
	sample->jobs = p->jobs;
	for (unsigned i = 0; i < crew.count; i++)
		if (crew.members[i].end_ns < first_end)
			first_end = crew.members[i].end_ns;
	first_end = crew_end_ns(&crew) - first_end;
	crew_fini(&crew);
	pool_run_close(&run->pool, p->jobs);
	return 100 * (double)first_end / sample->wall_ns;
}

static void fini(struct stamped_run *run)
{
	free(run->calls);
	free(sent_ns);
	free(started_ns);
}

static enum class_of_job class_of(uint64_t id)
{
	return id % 10 == 0 ? HIGH : id % 10 <= 3 ? MEDIUM : LOW;
}

static void run_fairness(const struct bench_params *params, struct bench_sample *sample)
{
	static const char *const names[CLASSES][2] = {
		[HIGH] = { "high p50", "high p99" },
		[MEDIUM] = { "medium p50", "medium p99" },
		[LOW] = { "low p50", "low p99" },
	};
	struct histogram *waits = bench_alloc(CLASSES, sizeof(*waits));
	struct bench_params p = *params;
	struct stamped_run run = { .pool = { .workload = "fairness", .p = &p } };
	double last;

	if (p.capacity == 0)
		p.capacity = (size_t)INFLIGHT_PER_WORKER * p.workers;
	last = run_stamped(&run, sample);
	for (uint64_t id = 1; id <= p.jobs; id++)
		histogram_add(&waits[class_of(id)],
			started_ns[id] > sent_ns[id] ? started_ns[id] - sent_ns[id] : 0);
	for (unsigned c = 0; c < CLASSES; c++) {
		bench_sample_add(
			sample, names[c][0], "ns", (double)histogram_percentile(&waits[c], 0.5));
		bench_sample_add(
			sample, names[c][1], "ns", (double)histogram_percentile(&waits[c], 0.99));
	}
	bench_sample_add(sample, "last producer", "% of the run later", last);
	free(waits);
	fini(&run);
}

static void run_submit_latency(const struct bench_params *p, struct bench_sample *sample)
{
	static const char *const names[] = { "p50", "p90", "p95", "p99", "p99.9" };
	static const double shares[] = { 0.5, 0.9, 0.95, 0.99, 0.999 };
	struct stamped_run run = { .pool = { .workload = "submit_latency", .p = p } };

	(void)run_stamped(&run, sample);
	for (unsigned i = 1; i < p->producers; i++)
		histogram_merge(&run.calls[0], &run.calls[i]);
	for (unsigned i = 0; i < 5; i++)
		bench_sample_add(sample, names[i], "ns",
			(double)histogram_percentile(&run.calls[0], shares[i]));
	bench_sample_add(sample, "max", "ns", (double)run.calls[0].max);
	fini(&run);
}

const struct bench_workload bench_fairness = {
	.name = "fairness",
	.about = "waiting time of jobs of three classes from 4 producers",
	.kind = BENCH_VALUES,
	.costs = true,
	.producers = "4",
	.workers = "cpus",
	.profile = true,
	.jobs = 200000,
	.quick_jobs = 10000,
	.jobs_at_most = true,
	.run = run_fairness,
};

const struct bench_workload bench_submit_latency = {
	.name = "submit_latency",
	.about = "duration of a wp_submit call with 1 and 8 submitters",
	.kind = BENCH_VALUES,
	.costs = true,
	.producers = "1,8",
	.workers = "cpus",
	.profile = true,
	.jobs = 500000,
	.quick_jobs = 20000,
	.jobs_at_most = true,
	.run = run_submit_latency,
};
