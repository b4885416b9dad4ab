/* SPDX-License-Identifier: MIT */
/*
 * first_job: a job for a pool whose workers are all asleep.
 *
 * Measured, each time after a pause in which every worker has gone to sleep: how long wp_submit
 * takes ("submit"), which now contains the system call that wakes a worker; and how long it is from
 * the call to the start of the job ("start"). In turn with each such job, the same is done without
 * any pool: one thread sleeps on a futex, the other stores a word and wakes it; "wake" is how long
 * the wake call takes and "ping" how long it is until the sleeper runs. That is what the machine
 * demands for waking a thread, and the two quotients say what the pool adds to it. The values are
 * medians over the jobs of a run.
 *
 * Not measured: the second job. It finds a worker awake; see latency.
 */
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"
#include "crew.h"
#include "histogram.h"
#include "pin.h"
#include "pool_run.h"
#include "tally.h"

#define PAUSE_NS 1000000u

struct first_run {
	struct pool_run pool;
	struct histogram submit, start, wake, ping;
	_Atomic uint32_t bell; /* the sleeper of the ping waits for it to change */
	_Atomic uint64_t woken_ns;
};

static _Atomic uint64_t started_ns;

static int stamp_job(void *payload)
{
	uint64_t now = bench_now_ns();

	tally_add(tally_of_thread(), tally_id(payload));
	atomic_store_explicit(&started_ns, now, memory_order_release);
	return 0;
}

static long futex(_Atomic uint32_t *word, int operation, uint32_t value)
{
	return syscall(SYS_futex, word, operation | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

/* The sleeper: answers each ring with the time at which it woke. */
static void answer(struct crew_member *me)
{
	struct first_run *run = me->shared;

	for (uint32_t seen = 0; seen < run->pool.p->jobs; seen++) {
		while (atomic_load_explicit(&run->bell, memory_order_acquire) == seen)
			futex(&run->bell, FUTEX_WAIT, seen);
		atomic_store_explicit(&run->woken_ns, bench_now_ns(), memory_order_release);
	}
}

static uint64_t wait_for_stamp(_Atomic uint64_t *stamp)
{
	uint64_t ns;

	while ((ns = atomic_load_explicit(stamp, memory_order_acquire)) == 0)
		bench_relax();
	return ns;
}

static void one_job(struct first_run *run, uint64_t id)
{
	uint64_t before, after, started;

	atomic_store_explicit(&started_ns, 0, memory_order_relaxed);
	pool_run_sleep(&run->pool, PAUSE_NS);
	before = bench_now_ns();
	pool_run_must(
		&run->pool, "wp_submit", wp_submit(run->pool.pool, stamp_job, tally_payload(id)));
	after = bench_now_ns();
	started = wait_for_stamp(&started_ns);
	histogram_add(&run->submit, after - before);
	histogram_add(&run->start, started > before ? started - before : 0);
}

static void one_ping(struct first_run *run, uint32_t number)
{
	uint64_t before, after, woken;

	atomic_store_explicit(&run->woken_ns, 0, memory_order_relaxed);
	bench_sleep_ns(PAUSE_NS);
	before = bench_now_ns();
	atomic_store_explicit(&run->bell, number, memory_order_release);
	futex(&run->bell, FUTEX_WAKE, 1);
	after = bench_now_ns();
	woken = wait_for_stamp(&run->woken_ns);
	histogram_add(&run->wake, after - before);
	histogram_add(&run->ping, woken > before ? woken - before : 0);
}

static void ring(struct crew_member *me)
{
	struct first_run *run = me->shared;

	for (uint64_t id = 1; id <= run->pool.p->jobs; id++) {
		one_job(run, id);
		one_ping(run, (uint32_t)id);
	}
}

static void run(const struct bench_params *p, struct bench_sample *sample)
{
	struct first_run *first = bench_alloc(1, sizeof(*first));
	double submit, start, wake, ping;
	struct crew crew;

	first->pool.workload = "first_job";
	first->pool.p = p;
	tally_begin(p->workers);
	pool_run_open(&first->pool, pool_run_options(p));
	crew_init(&crew, 2);
	crew_add_consumer(&crew, answer, first, 0, pin_cpu_if(p->pin, 0));
	crew_add_producer(&crew, ring, first, 0, pin_cpu_if(p->pin, p->workers));
	crew_open(&crew);
	crew_join(&crew);
	sample->jobs = p->jobs;
	sample->cpu_ns = (double)(bench_cpu_ns() - crew.cpu_begin_ns);
	sample->wall_ns = (double)(crew_end_ns(&crew) - crew_begin_ns(&crew));
	submit = (double)histogram_percentile(&first->submit, 0.5);
	start = (double)histogram_percentile(&first->start, 0.5);
	wake = (double)histogram_percentile(&first->wake, 0.5);
	ping = (double)histogram_percentile(&first->ping, 0.5);
	bench_sample_add(sample, "submit", "ns", submit);
	bench_sample_add(sample, "start", "ns", start);
	bench_sample_add(sample, "futex wake", "ns", wake);
	bench_sample_add(sample, "futex ping", "ns", ping);
	bench_sample_add(sample, "submit / wake", "x", wake > 0 ? submit / wake : 0);
	bench_sample_add(sample, "start / ping", "x", ping > 0 ? start / ping : 0);
	crew_fini(&crew);
	pool_run_close(&first->pool, p->jobs);
	free(first);
}

const struct bench_workload bench_first_job = {
	.name = "first_job",
	.about = "a job for a sleeping pool, beside a bare futex ping",
	.kind = BENCH_VALUES,
	.workers = "1,4",
	.profile = true,
	.jobs = 100,
	.quick_jobs = 20,
	.jobs_at_most = true,
	.run = run,
};
