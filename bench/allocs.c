/* SPDX-License-Identifier: MIT */
/*
 * allocs: how often a pool at work calls malloc and its relatives.
 *
 * Measured: the exact number of calls, by all threads together, while the jobs of a run are
 * submitted and run by a pool that has warmed up: a quarter of the jobs each by wp_submit,
 * wp_try_submit and wp_submit_batch, 1000 of them by wp_submit_wait, and the rest through a queue
 * without a pool, push and pop. The calls are counted where they arrive (mallocs.h), not estimated
 * from memory use. The target is 0, exactly, for any number of jobs.
 *
 * Not measured: creation and destruction, and memory that is mapped without malloc: address space
 * for the whole capacity is reserved at creation, and a page of it costs memory once touched.
 */
#include <sched.h>

#include <wpool/wpool.h>

#include "bench.h"
#include "crew.h"
#include "mallocs.h"
#include "pin.h"
#include "pool_run.h"
#include "queue_run.h"
#include "tally.h"

#define BATCH     64
#define WAITS_MAX 1000

enum way { WAY_SUBMIT, WAY_TRY, WAY_BATCH, WAY_WAIT, WAY_QUEUE, WAYS };

static const char *const way_names[WAYS] = {
	"wp_submit: calls",
	"wp_try_submit: calls",
	"wp_submit_batch: calls",
	"wp_submit_wait: calls",
	"wp_queue: calls",
};

static const char *const kind_names[MALLOCS_KINDS] = {
	"malloc",
	"calloc",
	"realloc",
	"aligned_alloc",
	"free",
};

struct allocs_run {
	struct pool_run pool;
	struct wp_queue *queue;
	uint64_t next_id;
	uint64_t popped;
	uint64_t jobs[WAYS];
	struct mallocs counts[WAYS];
};

static void try_jobs(struct allocs_run *run, uint64_t n)
{
	struct wp_job job = { .fn = tally_job };

	while (n > 0) {
		int error;

		job.payload = tally_payload(run->next_id);
		error = wp_try_submit(run->pool.pool, &job);
		if (error == WP_EFULL) {
			sched_yield();
			continue;
		}
		pool_run_must(&run->pool, "wp_try_submit", error);
		run->next_id++;
		n--;
	}
}

static void batch_jobs(struct allocs_run *run, uint64_t n)
{
	while (n > 0) {
		struct wp_job jobs[BATCH];
		size_t k = n < BATCH ? (size_t)n : BATCH;

		for (size_t i = 0; i < k; i++)
			jobs[i] = (struct wp_job){ .fn = tally_job,
				.payload = tally_payload(run->next_id++) };
		if (wp_submit_batch(run->pool.pool, jobs, k) != (ssize_t)k)
			bench_die("allocs: wp_submit_batch did not take %zu jobs", k);
		n -= k;
	}
}

static void queue_jobs(struct allocs_run *run, uint64_t n)
{
	struct wp_job job = { .fn = tally_job }, out;

	for (; n > 0; n--) {
		pool_run_must(&run->pool, "wp_queue_push", wp_queue_push(run->queue, &job));
		run->popped += wp_queue_pop_many(run->queue, &out, 1);
	}
}

static void go_way(struct allocs_run *run, enum way way)
{
	struct pool_run *pool = &run->pool;
	struct wp_job job = { .fn = tally_job };
	uint64_t n = run->jobs[way];

	switch (way) {
	case WAY_SUBMIT:
		for (; n > 0; n--)
			pool_run_must(pool, "wp_submit",
				wp_submit(pool->pool, tally_job, tally_payload(run->next_id++)));
		break;
	case WAY_TRY:
		try_jobs(run, n);
		break;
	case WAY_BATCH:
		batch_jobs(run, n);
		break;
	case WAY_WAIT:
		for (; n > 0; n--) {
			job.payload = tally_payload(run->next_id++);
			pool_run_must(pool, "wp_submit_wait", wp_submit_wait(pool->pool, &job));
		}
		break;
	default:
		queue_jobs(run, n);
	}
}

/* Nothing in here may call malloc, or it would be counted. */
static void produce(struct crew_member *me)
{
	struct allocs_run *run = me->shared;

	for (unsigned way = 0; way < WAYS; way++) {
		mallocs_begin();
		go_way(run, (enum way)way);
		pool_run_must(&run->pool, "wp_pool_wait", wp_pool_wait(run->pool.pool, WP_FOREVER));
		run->counts[way] = mallocs_end();
	}
}

static void report(const struct allocs_run *run, struct bench_sample *sample)
{
	uint64_t of_kind[MALLOCS_KINDS] = { 0 }, total = 0;

	for (unsigned way = 0; way < WAYS; way++) {
		uint64_t of_way = 0;

		for (unsigned kind = 0; kind < MALLOCS_KINDS; kind++) {
			of_way += run->counts[way].calls[kind];
			of_kind[kind] += run->counts[way].calls[kind];
		}
		bench_sample_add(sample, way_names[way], "", (double)of_way);
		total += of_way;
	}
	for (unsigned kind = 0; kind < MALLOCS_KINDS; kind++)
		bench_sample_add(sample, kind_names[kind], "", (double)of_kind[kind]);
	bench_sample_add(sample, "all calls", "", (double)total);
	bench_sample_add(sample, "jobs", "", (double)sample->jobs);
}

static void run(const struct bench_params *p, struct bench_sample *sample)
{
	struct allocs_run run = { .pool = { .workload = "allocs", .p = p } };
	uint64_t warm = p->jobs < POOL_RUN_WARM ? p->jobs : POOL_RUN_WARM, pool_jobs;
	struct crew crew;

	if (!mallocs_available()) {
		bench_sample_add(sample, "cannot count in this build", "", 0);
		return;
	}
	run.jobs[WAY_SUBMIT] = run.jobs[WAY_TRY] = run.jobs[WAY_BATCH] = p->jobs / 4;
	run.jobs[WAY_WAIT] = p->jobs / 4 < WAITS_MAX ? p->jobs / 4 : WAITS_MAX;
	run.jobs[WAY_QUEUE] = p->jobs - 3 * (p->jobs / 4) - run.jobs[WAY_WAIT];
	pool_jobs = warm + p->jobs - run.jobs[WAY_QUEUE];
	run.queue = queue_run_create("allocs", p);
	tally_begin(p->workers);
	pool_run_open(&run.pool, pool_run_options(p));
	pool_run_warm(&run.pool, 1, warm);
	run.next_id = warm + 1;
	crew_init(&crew, 1);
	crew_add_producer(&crew, produce, &run, 0, pin_cpu_if(p->pin, p->workers));
	crew_open(&crew);
	crew_join(&crew);
	sample->cpu_ns = (double)(bench_cpu_ns() - crew.cpu_begin_ns);
	sample->wall_ns = (double)(crew_end_ns(&crew) - crew_begin_ns(&crew));
	sample->jobs = p->jobs;
	crew_fini(&crew);
	if (run.popped != run.jobs[WAY_QUEUE])
		bench_die("allocs: %llu jobs pushed into a queue, %llu popped",
			(unsigned long long)run.jobs[WAY_QUEUE], (unsigned long long)run.popped);
	wp_queue_destroy(run.queue);
	pool_run_close(&run.pool, pool_jobs);
	report(&run, sample);
}

const struct bench_workload bench_allocs = {
	.name = "allocs",
	.about = "exact number of heap calls per run of a warm pool and queue",
	.kind = BENCH_VALUES,
	.workers = "1,4",
	.profile = true,
	.segment_size = "0",
	.jobs = 1000000,
	.quick_jobs = 100000,
	.run = run,
};
