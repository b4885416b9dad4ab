/* SPDX-License-Identifier: MIT */
/*
 * rescue: a job of 1 s and 63 of 1 us, in one batch.
 *
 * Nobody may wait for the long job but itself. In each round 64 jobs are handed over by one
 * wp_submit_batch, of which one would run for 1 s and the others for 1 us; measured is the time
 * from the call to the end of the 63rd. Told is in how many rounds that was within 20 ms, and
 * the percentiles over the rounds. The long job is told to end when the 63 are done, so that a
 * round does not take a second; it is told nothing before, and a round in which it ended by
 * itself counts as one that took too long.
 *
 * Every second round is a hard one: cheap jobs are in flow when the batch comes, so the worker
 * that takes it believes that all jobs are cheap and claims many at once, and the long one is
 * the first of them. What it holds can then only be run if somebody takes it back: "rescues"
 * counts how often that happened. In the other rounds the pool is asleep and the long job's
 * place changes.
 */
#include <stdlib.h>

#include "bench.h"
#include "histogram.h"
#include "pool_run.h"
#include "tally.h"

#define BATCH    64
#define LONG_NS  1000000000u
#define SHORT_NS 1000u
#define LIMIT_NS 20000000u
#define CHEAP    20000u
#define REST_NS  200000u

struct rescue_run {
	struct pool_run pool;
	_Atomic uint64_t done;    /* short jobs of the round */
	_Atomic uint64_t last_ns; /* when the last of them ended */
	atomic_bool ran_long;     /* the long job ended by itself */
};

static struct rescue_run *current;

static int short_job(void *payload)
{
	uint64_t begin = bench_now_ns();

	while (bench_now_ns() - begin < SHORT_NS)
		bench_relax();
	tally_add(tally_of_thread(), tally_id(payload));
	if (atomic_fetch_add(&current->done, 1) + 1 == BATCH - 1)
		atomic_store(&current->last_ns, bench_now_ns());
	return 0;
}

static int long_job(void *payload)
{
	uint64_t end = bench_now_ns() + LONG_NS;
	bool in_time;

	while ((in_time = bench_now_ns() < end) && atomic_load(&current->last_ns) == 0)
		bench_relax();
	if (!in_time)
		atomic_store(&current->ran_long, true);
	tally_add(tally_of_thread(), tally_id(payload));
	return 0;
}

/* Returns what the 63 took. */
static uint64_t one_round(struct rescue_run *run, unsigned round, uint64_t *id)
{
	struct wp_job jobs[BATCH];
	bool hard = round % 2;
	unsigned at = hard ? 0 : round / 2 % BATCH;
	uint64_t begin;

	atomic_store(&run->done, 0);
	atomic_store(&run->last_ns, 0);
	for (unsigned i = 0; hard && i < CHEAP; i++)
		pool_run_must(&run->pool, "wp_submit",
			wp_submit(run->pool.pool, tally_job, tally_payload((*id)++)));
	for (unsigned i = 0; i < BATCH; i++)
		jobs[i] = (struct wp_job){ .fn = i == at ? long_job : short_job,
			.payload = tally_payload((*id)++) };
	begin = bench_now_ns();
	if (wp_submit_batch(run->pool.pool, jobs, BATCH) != BATCH)
		bench_die("rescue: wp_submit_batch did not take %d jobs", BATCH);
	pool_run_must(&run->pool, "wp_pool_wait", wp_pool_wait(run->pool.pool, WP_FOREVER));
	/* Long enough to fall asleep by default. */
	bench_sleep_ns(REST_NS);
	return atomic_load(&run->last_ns) - begin;
}

static void run(const struct bench_params *p, struct bench_sample *sample)
{
	struct rescue_run run = { .pool = { .workload = "rescue", .p = p } };
	struct histogram *took = bench_alloc(1, sizeof(*took));
	uint64_t id = 1, in_time = 0, begin, cpu_begin;
	struct wp_stats stats = WP_STATS_INIT;

	current = &run;
	tally_begin(p->workers);
	pool_run_open(&run.pool, pool_run_options(p));
	cpu_begin = bench_cpu_ns();
	begin = bench_now_ns();
	for (unsigned round = 0; round < p->jobs && !bench_interrupted(); round++) {
		uint64_t ns = one_round(&run, round, &id);

		histogram_add(took, ns);
		in_time += ns <= LIMIT_NS && !atomic_exchange(&run.ran_long, false);
	}
	sample->wall_ns = (double)(bench_now_ns() - begin);
	sample->cpu_ns = (double)(bench_cpu_ns() - cpu_begin);
	sample->jobs = id - 1;
	pool_run_must(&run.pool, "wp_pool_stats", wp_pool_stats(run.pool.pool, &stats));
	pool_run_close(&run.pool, id - 1);
	bench_sample_add(sample, "rounds", "", (double)took->total);
	bench_sample_add(sample, "within 20 ms", "", (double)in_time);
	bench_sample_add(sample, "p50", "ns", (double)histogram_percentile(took, 0.5));
	bench_sample_add(sample, "p90", "ns", (double)histogram_percentile(took, 0.9));
	bench_sample_add(sample, "max", "ns", (double)took->max);
	bench_sample_add(sample, "rescues", "", (double)stats.rescues);
	free(took);
}

const struct bench_workload bench_rescue = {
	.name = "rescue",
	.about = "63 jobs of 1 us in a batch with one of 1 s: rounds that end within 20 ms",
	.kind = BENCH_VALUES,
	.workers = "2",
	.profile = true,
	.jobs = 100,
	.quick_jobs = 20,
	.jobs_at_most = true,
	.run = run,
};
