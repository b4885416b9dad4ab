/* SPDX-License-Identifier: MIT */
/*
 * unequal: 99 jobs of 100 ns for each of 1 ms, beside the best that any pool could do with
 * them.
 *
 * One producer submits by a schedule, an open loop with pauses of random length (exponential,
 * the same ones in each run) at the rate of the case: 40 k jobs/s are a load of 20 % for two
 * workers, 120 k one of 60 %. Every hundredth job, chosen at random, is a long one. Each job
 * notes when it starts and when it ends.
 *
 * The yardstick is computed, from the same times: jobs stand in one line, and whichever server
 * is free first takes the first of them, without losing any time. Job i arrives when its submit
 * call began, and takes as long as it took in the pool, however it was disturbed there; so this
 * "ideal" has had the same work and the same machine, and no hand-over. Told are percentiles of
 * the time from the submit call to the start of the job, of the pool and of the ideal, and the
 * quotient at p99.
 *
 * Where there are not enough CPUs for the workers and the producer, which needs one to keep its
 * schedule, the long jobs sleep, as a job does that waits for a disk ("long jobs sleep" is 1):
 * a thread that waits for a CPU would be the system's delay, not the pool's.
 *
 * Not measured: the lateness of the producer; see latency.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "bench.h"
#include "crew.h"
#include "histogram.h"
#include "pin.h"
#include "pool_run.h"
#include "tally.h"
#include "task.h"

#define LONG_ONE_IN  100
#define LONG_NS      1000000u
#define SHORT_NS     100u
#define RUN_NS       1500000000u
#define RUN_BRIEF_NS 100000000u
#define LEAD_NS      100000u
#define SEED         0x9e3779b97f4a7c15u

struct job_times {
	uint64_t due, sent, start, end;
	bool is_long;
};

struct unequal_run {
	struct pool_run pool;
	uint64_t jobs;
};

/* By id; a job has only its payload. */
static struct job_times *times;
static bool long_jobs_sleep;

static void work_ns(uint64_t from, uint64_t ns)
{
	while (bench_now_ns() - from < ns)
		bench_relax();
}

static int unequal_job(void *payload)
{
	struct job_times *job = &times[tally_id(payload)];
	struct timespec t = { .tv_nsec = LONG_NS };

	job->start = bench_now_ns();
	if (!job->is_long)
		work_ns(job->start, SHORT_NS);
	else if (!long_jobs_sleep)
		task_burn_ns(LONG_NS);
	else
		while (clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &t) == EINTR)
			;
	tally_add(tally_of_thread(), tally_id(payload));
	job->end = bench_now_ns();
	return 0;
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Offsets from the beginning; made before the clock starts. */
static void make_schedule(uint64_t jobs, uint64_t warm, uint64_t rate)
{
	uint64_t state = SEED;
	double at = LEAD_NS;

	for (uint64_t i = 0; i < jobs; i++) {
		double share = (double)(next_random(&state) >> 11) * 0x1p-53;

		at -= log(1 - share) * 1e9 / (double)rate;
		times[warm + 1 + i].due = (uint64_t)at;
		times[warm + 1 + i].is_long = next_random(&state) % LONG_ONE_IN == 0;
	}
}

static void send(struct crew_member *me)
{
	struct unequal_run *run = me->shared;
	uint64_t begin = bench_now_ns();

	for (uint64_t i = 0; i < run->jobs; i++) {
		uint64_t id = run->pool.warm + 1 + i, now;

		while ((now = bench_now_ns()) < begin + times[id].due)
			bench_relax();
		times[id].sent = now;
		pool_run_must(&run->pool, "wp_submit",
			wp_submit(run->pool.pool, unequal_job, tally_payload(id)));
		if (i % 64 == 0 && bench_interrupted())
			run->jobs = i + 1;
	}
}

/* Starts by one line and `workers` servers that lose no time. */
static void add_ideal(const struct unequal_run *run, unsigned workers, struct histogram *waits)
{
	uint64_t *free_at = bench_alloc(workers, sizeof(*free_at));

	for (uint64_t i = 0; i < run->jobs; i++) {
		const struct job_times *job = &times[run->pool.warm + 1 + i];
		unsigned first = 0;
		uint64_t start;

		for (unsigned w = 1; w < workers; w++)
			if (free_at[w] < free_at[first])
				first = w;
		start = free_at[first] > job->sent ? free_at[first] : job->sent;
		free_at[first] = start + (job->end - job->start);
		histogram_add(waits, start - job->sent);
	}
	free(free_at);
}

static void evaluate(const struct unequal_run *run, struct bench_sample *sample)
{
	struct histogram *pool = bench_alloc(1, sizeof(*pool));
	struct histogram *ideal = bench_alloc(1, sizeof(*ideal));
	unsigned workers = run->pool.p->workers;
	double busy = 0, pool_sum = 0, p99;
	struct wp_stats stats = WP_STATS_INIT;

	for (uint64_t i = 0; i < run->jobs; i++) {
		const struct job_times *job = &times[run->pool.warm + 1 + i];
		uint64_t wait = job->start > job->sent ? job->start - job->sent : 0;

		histogram_add(pool, wait);
		pool_sum += (double)wait;
		busy += (double)(job->end - job->start);
	}
	add_ideal(run, workers, ideal);
	pool_run_must(&run->pool, "wp_pool_stats", wp_pool_stats(run->pool.pool, &stats));
	p99 = (double)histogram_percentile(ideal, 0.99);
	bench_sample_add(sample, "load", "%", 100 * busy / sample->wall_ns / workers);
	bench_sample_add(sample, "long jobs sleep", "", long_jobs_sleep);
	bench_sample_add(sample, "p50", "ns", (double)histogram_percentile(pool, 0.5));
	bench_sample_add(sample, "p90", "ns", (double)histogram_percentile(pool, 0.9));
	bench_sample_add(sample, "p99", "ns", (double)histogram_percentile(pool, 0.99));
	bench_sample_add(sample, "p99.9", "ns", (double)histogram_percentile(pool, 0.999));
	bench_sample_add(sample, "mean", "ns", pool_sum / (double)run->jobs);
	bench_sample_add(sample, "ideal p50", "ns", (double)histogram_percentile(ideal, 0.5));
	bench_sample_add(sample, "ideal p90", "ns", (double)histogram_percentile(ideal, 0.9));
	bench_sample_add(sample, "ideal p99", "ns", p99);
	bench_sample_add(sample, "ideal p99.9", "ns", (double)histogram_percentile(ideal, 0.999));
	bench_sample_add(sample, "p99 / ideal", "x",
		p99 > 0 ? (double)histogram_percentile(pool, 0.99) / p99 : 0);
	bench_sample_add(sample, "rescues", "", (double)stats.rescues);
	free(pool);
	free(ideal);
}

static void run(const struct bench_params *p, struct bench_sample *sample)
{
	struct unequal_run run = { .pool = { .workload = "unequal", .p = p, .warm = 1000 } };
	struct crew crew;

	long_jobs_sleep = wp_usable_cpus() <= p->workers;
	run.jobs = p->rate * (p->brief ? RUN_BRIEF_NS : RUN_NS) / 1000000000u;
	if (run.jobs > p->jobs)
		run.jobs = p->jobs;
	times = bench_alloc(run.pool.warm + run.jobs + 1, sizeof(*times));
	make_schedule(run.jobs, run.pool.warm, p->rate);
	tally_begin(p->workers);
	pool_run_open(&run.pool, pool_run_options(p));
	pool_run_warm(&run.pool, 1, run.pool.warm);
	crew_init(&crew, 1);
	crew_add_producer(&crew, send, &run, 0, pin_cpu_if(p->pin, p->workers));
	crew_open(&crew);
	crew_join(&crew);
	(void)pool_run_last_ns(&run.pool, run.pool.warm + run.jobs);
	sample->cpu_ns = (double)(bench_cpu_ns() - crew.cpu_begin_ns);
	sample->wall_ns = (double)(bench_now_ns() - crew_begin_ns(&crew));
	sample->jobs = run.jobs;
	crew_fini(&crew);
	evaluate(&run, sample);
	pool_run_close(&run.pool, run.pool.warm + run.jobs);
	free(times);
}

const struct bench_workload bench_unequal = {
	.name = "unequal",
	.about = "99 jobs of 100 ns for each of 1 ms: submit to start, beside an ideal line",
	.kind = BENCH_VALUES,
	.workers = "2",
	.profile = true,
	.rates = "40k,80k,120k",
	.jobs = 10000000,
	.quick_jobs = 10000000,
	.jobs_at_most = true,
	.run = run,
};
