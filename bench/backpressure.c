/* SPDX-License-Identifier: MIT */
/*
 * backpressure: 4 producers and 4 workers with a pool of capacity 64, CPU jobs.
 *
 * Measured: ns per job when producers are stopped by a full pool most of the time, and that the
 * bound holds. The workload keeps its own count of jobs that were accepted and have not finished:
 * "at once" is the most there were. A line of `capacity` jobs and what the workers have claimed is
 * the limit (one job each while jobs are dear, HELD_MAX each at the very most); beyond it the
 * program ends. "refused" is the share of jobs that found no room at first (wp_try_submit) and then
 * waited (wp_submit_job).
 *
 * Not measured: what waiting costs a producer who has other things to do.
 */
#include "bench.h"
#include "pool_run.h"
#include "tally.h"
#include "task_run.h"

#define CAPACITY 64
#define HELD_MAX 256 /* the largest batch that a worker may claim */

struct bounded_run {
	struct pool_run pool; /* the first: a pointer to it is a pointer to all */
	_Atomic uint64_t most;
};

/* Static: a job has only its payload. */
static _Atomic uint64_t accepted, finished;

static int bounded_job(void *payload)
{
	int result = task_cpu.fn(payload);

	atomic_fetch_add_explicit(&finished, 1, memory_order_relaxed);
	return result;
}

/* The difference is read too small rather than too large: accepted first, then finished. */
static void note_accepted(struct bounded_run *run)
{
	uint64_t in = atomic_fetch_add_explicit(&accepted, 1, memory_order_acquire) + 1;
	uint64_t out = atomic_load_explicit(&finished, memory_order_relaxed);
	uint64_t most = atomic_load_explicit(&run->most, memory_order_relaxed);
	uint64_t now = in > out ? in - out : 0;

	while (now > most && !atomic_compare_exchange_weak_explicit(&run->most, &most, now,
				     memory_order_relaxed, memory_order_relaxed))
		;
}

static void share(struct pool_run *pool, uint64_t id, uint64_t end)
{
	struct bounded_run *run = (struct bounded_run *)pool;
	struct wp_job job = { .fn = bounded_job };
	uint64_t refused = 0;

	for (; id < end; id++) {
		int error;

		job.payload = tally_payload(id);
		error = wp_try_submit(pool->pool, &job);
		if (error == WP_EFULL) {
			refused++;
			error = wp_submit_job(pool->pool, &job);
		}
		pool_run_must(pool, "wp_submit_job", error);
		note_accepted(run);
	}
	atomic_fetch_add_explicit(&pool->refused, refused, memory_order_relaxed);
}

static void run(const struct bench_params *params, struct bench_sample *sample)
{
	double bare_ns = task_run_bare_ns(&task_cpu, params);
	struct bench_params p = *params;
	struct bounded_run run = {
		.pool = { .workload = "backpressure", .p = &p, .share = share },
	};

	if (p.capacity == 0)
		p.capacity = CAPACITY;
	atomic_store_explicit(&accepted, 0, memory_order_relaxed);
	atomic_store_explicit(&finished, 0, memory_order_relaxed);
	pool_run(&run.pool, sample);
	if (run.most > p.capacity + (size_t)HELD_MAX * p.workers)
		bench_die("backpressure: %llu jobs at once in a pool of capacity %zu with %u "
			  "workers",
			(unsigned long long)run.most, p.capacity, p.workers);
	task_run_add_ideal(sample, &task_cpu, &p, bare_ns);
	bench_sample_add(sample, "refused", "per job", (double)run.pool.refused / (double)p.jobs);
	bench_sample_add(sample, "at once", "jobs", (double)run.most);
}

const struct bench_workload bench_backpressure = {
	.name = "backpressure",
	.about = "jobs of 100,000 additions through a pool of capacity 64",
	.kind = BENCH_TIME,
	.costs = true,
	.producers = "4",
	.workers = "4",
	.profile = true,
	.jobs = 5000,
	.quick_jobs = 300,
	.jobs_at_most = true,
	.run = run,
};
