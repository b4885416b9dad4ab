/* SPDX-License-Identifier: MIT */
#include "pool_run.h"

#include <sched.h>
#include <string.h>

#include "costs.h"
#include "crew.h"
#include "pin.h"
#include "tally.h"

/* How long the report of a job's end may lag behind the end of wp_pool_wait. */
#define REPORT_LAG_MAX_NS 10000000000u

/* How long workers without jobs may stay awake: far longer than any profile lets them. */
#define ASLEEP_MAX_NS 10000000000u

static void note_executed(void *self, size_t n)
{
	struct pool_run *run = self;
	struct tally *tally = tally_of_thread();
	uint64_t executed = atomic_load_explicit(&tally->executed, memory_order_relaxed) + n;

	if (atomic_load_explicit(&run->all_submitted, memory_order_relaxed))
		atomic_store_explicit(&tally->last_ns, bench_now_ns(), memory_order_relaxed);
	/* Release: who sees the number sees the time. One writer, so a store will do. */
	atomic_store_explicit(&tally->executed, executed, memory_order_release);
}

struct wp_options pool_run_options(const struct bench_params *p)
{
	struct wp_options options = WP_OPTIONS_INIT;

	options.name = "bench";
	options.workers = p->workers;
	options.capacity = p->capacity;
	options.segment_size = p->segment_size;
	options.pin_workers = p->pin;
	if (p->profile != 0)
		options.profile = (enum wp_profile)(p->profile - 1);
	return options;
}

void pool_run_open(struct pool_run *run, struct wp_options options)
{
	struct wp_metrics_ops metrics = wp_metrics_noop;
	const char *why = NULL;
	int error;

	metrics.inc_executed = note_executed;
	options.metrics = &metrics;
	options.metrics_self = run;
	error = wp_pool_create(&run->pool, &options);
	if (error == 0)
		return;
	(void)wp_options_validate(&options, &why);
	bench_die("%s: wp_pool_create (%u workers, capacity %zu): %s", run->workload,
		options.workers, options.capacity, why != NULL ? why : wp_strerror(error));
}

void pool_run_warm(struct pool_run *run, uint64_t from, uint64_t to)
{
	for (uint64_t id = from; id <= to; id++)
		pool_run_must(run, "wp_submit", wp_submit(run->pool, tally_job, tally_payload(id)));
	pool_run_must(run, "wp_pool_wait", wp_pool_wait(run->pool, WP_FOREVER));
}

uint64_t pool_run_last_ns(struct pool_run *run, uint64_t jobs)
{
	uint64_t give_up;

	pool_run_must(run, "wp_pool_wait", wp_pool_wait(run->pool, WP_FOREVER));
	give_up = bench_now_ns() + REPORT_LAG_MAX_NS;
	while (tally_executed() != jobs) {
		if (bench_now_ns() > give_up)
			bench_die("%s: %llu jobs were submitted, inc_executed reported %llu",
				run->workload, (unsigned long long)jobs,
				(unsigned long long)tally_executed());
		sched_yield();
	}
	return tally_last_ns();
}

void pool_run_sleep(const struct pool_run *run, uint64_t pause_ns)
{
	uint64_t give_up = bench_now_ns() + ASLEEP_MAX_NS;
	struct wp_stats stats = WP_STATS_INIT;

	do {
		bench_sleep_ns(pause_ns);
		pool_run_must(run, "wp_pool_stats", wp_pool_stats(run->pool, &stats));
		if (bench_now_ns() > give_up)
			bench_die("%s: %u of %u workers sleep 10 s after the last job",
				run->workload, stats.workers_idle, stats.workers_alive);
	} while (stats.workers_idle < stats.workers_alive);
}

void pool_run_close(struct pool_run *run, uint64_t jobs)
{
	struct wp_stop_report report;

	memset(&report, 0, sizeof(report));
	pool_run_must(run, "wp_pool_shutdown", wp_pool_shutdown(run->pool, WP_FOREVER, &report));
	wp_pool_destroy(run->pool);
	tally_check(run->workload, jobs);
	if (report.completed != jobs || report.failed != 0 || report.dropped != 0 ||
		report.cancelled != 0 || report.running != 0)
		bench_die("%s: %llu jobs ran, but the pool reports %llu completed, %llu failed, "
			  "%llu dropped, %llu cancelled, %llu running",
			run->workload, (unsigned long long)jobs,
			(unsigned long long)report.completed, (unsigned long long)report.failed,
			(unsigned long long)report.dropped, (unsigned long long)report.cancelled,
			(unsigned long long)report.running);
}

static uint64_t share_begin(const struct pool_run *run, unsigned index)
{
	const struct bench_params *p = run->p;

	return run->warm + 1 + p->jobs * index / p->producers;
}

static void produce(struct crew_member *me)
{
	struct pool_run *run = me->shared;

	run->share(run, share_begin(run, me->index), share_begin(run, me->index + 1));
	if (atomic_fetch_sub_explicit(&run->producers_left, 1, memory_order_relaxed) == 1)
		atomic_store_explicit(&run->all_submitted, true, memory_order_relaxed);
}

/* What the producers spent, all together. */
static double submit_ns(const struct crew *crew)
{
	double sum = 0;

	for (unsigned i = 0; i < crew->count; i++)
		sum += (double)(crew->members[i].end_ns - crew->members[i].begin_ns);
	return sum;
}

void pool_run(struct pool_run *run, struct bench_sample *sample)
{
	const struct bench_params *p = run->p;
	struct wp_options options = run->options ? *run->options : pool_run_options(p);
	struct crew crew;
	uint64_t last_ns, end_ns;

	options.timing |= run->timing;
	/* Not more than a run's own jobs: a run of ten jobs is to be short. */
	run->warm = p->jobs < POOL_RUN_WARM ? p->jobs : POOL_RUN_WARM;
	atomic_store_explicit(&run->producers_left, p->producers, memory_order_relaxed);
	tally_begin(p->workers);
	pool_run_open(run, options);
	pool_run_warm(run, 1, run->warm);
	if (run->prepare != NULL)
		run->prepare(run);
	crew_init(&crew, p->producers);
	for (unsigned i = 0; i < p->producers; i++)
		crew_add_producer(&crew, produce, run, i, pin_cpu_if(p->pin, p->workers + i));
	costs_begin();
	crew_open(&crew);
	crew_join(&crew);
	last_ns = pool_run_last_ns(run, run->warm + p->jobs);
	sample->cpu_ns = (double)(bench_cpu_ns() - crew.cpu_begin_ns);
	/* The later: the last batch may have ended before all_submitted told it to note when. */
	end_ns = crew_end_ns(&crew) > last_ns ? crew_end_ns(&crew) : last_ns;
	sample->wall_ns = (double)(end_ns - crew_begin_ns(&crew));
	sample->jobs = p->jobs;
	costs_end(sample);
	bench_sample_add(sample, "submit", "ns", submit_ns(&crew) / (double)p->jobs);
	crew_fini(&crew);
	pool_run_close(run, run->warm + p->jobs);
}
