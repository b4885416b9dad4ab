/* SPDX-License-Identifier: MIT */
/*
 * latency: from submit to the start of the job, while jobs come at a given rate.
 *
 * Measured: one producer submits empty jobs by a schedule, one every 1/rate seconds, whatever the
 * pool does (an open loop). Each job notes the time when it starts. Two latencies are told:
 *
 *   due     from the moment at which the schedule wanted the job sent to its start. When a submit
 *           call takes long, or the producer loses its CPU, the jobs that should have been sent
 *           meanwhile are late, and their lateness counts. Leaving it out ("coordinated omission")
 *           would let the slowest moments of a system hide themselves. Quote this one.
 *   submit  from just before the call of wp_submit to the start: what the pool itself adds. The
 *           difference to "due" is the producer's own trouble in keeping to the schedule.
 *
 * At 1 k and 10 k jobs/s the gaps are longer than a worker of default options stays awake, so each
 * job pays a futex wake-up; at 100 k and 1 M jobs/s the worker is awake. Percentiles come from a
 * histogram (histogram.h), over the jobs of one run; the table shows their median over the runs.
 *
 * Cost, over the same time: "worker CPU" is what the kernel counted for the pool's threads, and
 * "submit call" the mean time that the producer spent in wp_submit, waking workers included. "CPU"
 * is both together, as a share of one CPU: what this latency costs.
 *
 * Not measured: how long jobs take, and what happens beyond the rate that the workers can serve;
 * there every latency grows with the length of the test. The producer spins on the clock while it
 * waits, as a device would keep its time: it needs a CPU of its own.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "costs.h"
#include "crew.h"
#include "histogram.h"
#include "latency.h"
#include "pin.h"
#include "pool_run.h"
#include "procfs.h"
#include "tally.h"

/* How long a run takes: enough for percentiles at low rates, bounded by memory at high ones. */
#define RUN_NS         1000000000u
#define RUN_BRIEF_NS   100000000u
#define RUN_JOBS_MAX   300000u
#define RUN_JOBS_LEAST 1000u

/* A head start for the producer before the first job is due. */
#define LEAD_NS 100000u

struct latency_run {
	struct pool_run pool;
	uint64_t jobs;
	uint64_t warm; /* ids of warm-up jobs come before the measured ones */
	uint64_t first_due_ns;
	uint64_t *sent_ns; /* by the producer */
	struct latency *sum;
};

/* When each job started, by its id; workers write it. Static: a job has only its payload. */
static uint64_t *started_ns;

static int stamp_job(void *payload)
{
	uint64_t now = bench_now_ns();
	uint64_t id = tally_id(payload);

	started_ns[id] = now;
	tally_add(tally_of_thread(), id);
	return 0;
}

/* In units of a job, to keep the schedule exact at any rate. */
static uint64_t due_ns(const struct latency_run *run, uint64_t index)
{
	return run->first_due_ns + index * 1000000000u / run->pool.p->rate;
}

static void read_threads(struct procfs_threads *threads, const char *workload)
{
	if (!procfs_other_threads(threads))
		bench_die("%s: /proc/self/task cannot be read", workload);
}

static void send(struct crew_member *me)
{
	struct latency_run *run = me->shared;
	struct procfs_threads before, after;
	uint64_t in_submit = 0;

	read_threads(&before, run->pool.workload);
	run->first_due_ns = bench_now_ns() + LEAD_NS;
	for (uint64_t i = 0; i < run->jobs; i++) {
		uint64_t due = due_ns(run, i), now;

		while ((now = bench_now_ns()) < due)
			bench_relax();
		run->sent_ns[i] = now;
		pool_run_must(&run->pool, "wp_submit",
			wp_submit(run->pool.pool, stamp_job, tally_payload(run->warm + 1 + i)));
		in_submit += bench_now_ns() - now;
		if (i % 64 == 0 && bench_interrupted())
			run->jobs = i + 1;
	}
	run->sum->wall_ns += (double)(bench_now_ns() - run->first_due_ns);
	read_threads(&after, run->pool.workload);
	run->sum->worker_cpu_ns += (double)(after.cpu_ns - before.cpu_ns);
	run->sum->submit_ns += (double)in_submit;
}

static void add_percentiles(struct bench_sample *sample, const struct histogram *h, bool from_due)
{
	static const double shares[] = { 0.5, 0.9, 0.95, 0.99, 0.999 };
	static const char *const names[2][6] = {
		{ "submit p50", "submit p90", "submit p95", "submit p99", "submit p99.9",
			"submit max" },
		{ "due p50", "due p90", "due p95", "due p99", "due p99.9", "due max" },
	};

	for (unsigned i = 0; i < 5; i++)
		bench_sample_add(sample, names[from_due][i], "ns",
			(double)histogram_percentile(h, shares[i]));
	bench_sample_add(sample, names[from_due][5], "ns", (double)h->max);
}

/* The clocks of two CPUs may differ by a few nanoseconds. */
static uint64_t since(uint64_t from, uint64_t to)
{
	return to > from ? to - from : 0;
}

static void evaluate(const struct latency_run *run)
{
	for (uint64_t i = 0; i < run->jobs; i++) {
		uint64_t started = started_ns[run->warm + 1 + i];

		histogram_add(&run->sum->due, since(due_ns(run, i), started));
		histogram_add(&run->sum->submit, since(run->sent_ns[i], started));
	}
	run->sum->jobs += run->jobs;
}

static uint64_t jobs_of_run(const struct bench_params *p)
{
	uint64_t ns = p->brief ? RUN_BRIEF_NS : RUN_NS;
	uint64_t jobs = p->rate * ns / 1000000000u;

	if (jobs < RUN_JOBS_LEAST && !p->brief)
		jobs = RUN_JOBS_LEAST;
	if (jobs > RUN_JOBS_MAX)
		jobs = RUN_JOBS_MAX;
	return jobs < p->jobs ? jobs : p->jobs;
}

void latency_measure(const char *workload, const struct bench_params *p,
	const struct wp_options *options, struct latency *sum)
{
	struct latency_run run = { .pool = { .workload = workload, .p = p }, .sum = sum };
	struct crew crew;

	run.jobs = jobs_of_run(p);
	run.warm = run.jobs < POOL_RUN_WARM ? run.jobs : POOL_RUN_WARM;
	run.sent_ns = bench_alloc(run.jobs, sizeof(*run.sent_ns));
	started_ns = bench_alloc(run.warm + run.jobs + 1, sizeof(*started_ns));
	tally_begin(options->workers);
	pool_run_open(&run.pool, *options);
	pool_run_warm(&run.pool, 1, run.warm);
	crew_init(&crew, 1);
	crew_add_producer(&crew, send, &run, 0, pin_cpu_if(p->pin, options->workers));
	if (sum->costs != NULL)
		costs_begin();
	crew_open(&crew);
	crew_join(&crew);
	(void)pool_run_last_ns(&run.pool, run.warm + run.jobs);
	sum->cpu_ns += (double)(bench_cpu_ns() - crew.cpu_begin_ns);
	if (sum->costs != NULL)
		costs_end(sum->costs);
	crew_fini(&crew);
	pool_run_close(&run.pool, run.warm + run.jobs);
	evaluate(&run);
	free(run.sent_ns);
	free(started_ns);
}

static void run(const struct bench_params *p, struct bench_sample *sample)
{
	struct wp_options options = pool_run_options(p);
	struct latency *sum = bench_alloc(1, sizeof(*sum));

	sum->costs = sample;
	latency_measure("latency", p, &options, sum);
	sample->jobs = sum->jobs;
	sample->wall_ns = sum->wall_ns;
	sample->cpu_ns = sum->cpu_ns;
	add_percentiles(sample, &sum->due, true);
	add_percentiles(sample, &sum->submit, false);
	bench_sample_add(
		sample, "CPU", "%", 100 * (sum->worker_cpu_ns + sum->submit_ns) / sum->wall_ns);
	bench_sample_add(sample, "worker CPU", "%", 100 * sum->worker_cpu_ns / sum->wall_ns);
	bench_sample_add(sample, "submit call", "ns", sum->submit_ns / (double)sum->jobs);
	free(sum);
}

const struct bench_workload bench_latency = {
	.name = "latency",
	.about = "submit to start at 1 k .. 1 M jobs/s, open loop, percentiles",
	.kind = BENCH_VALUES,
	.costs = true,
	.workers = "1",
	.profile = true,
	.segment_size = "0",
	.rates = "1k,10k,100k,1M",
	.jobs = 10000000,
	.quick_jobs = 10000000,
	.jobs_at_most = true,
	.run = run,
};
