/* SPDX-License-Identifier: MIT */
/*
 * wakeup: a burst of jobs for a pool whose workers are all asleep.
 *
 * Measured, each time after a pause in which every worker has gone to sleep: a thousand jobs
 * are submitted one after the other, by wp_submit. Every second burst is submitted with its
 * system calls counted (syscalls.h): "system calls" is their number in the worst burst, "on
 * average" that over all of them. The first submit wakes a worker, and workers wake each other;
 * so the submitter should make one. The other bursts are timed: "burst" is how long the
 * submitter takes for all thousand, "done" how long it is from the first submit until the last
 * job has ended. Medians over the bursts.
 *
 * The bursts are of three kinds, each told by itself: empty jobs, jobs of 1 us and jobs of 20
 * us, which are more work than one worker should do while others sleep.
 *
 * What a single job costs its submitter, and how soon it starts, is told by first_job.
 */
#include <stdlib.h>

#include "bench.h"
#include "crew.h"
#include "histogram.h"
#include "pin.h"
#include "pool_run.h"
#include "syscalls.h"
#include "tally.h"

#define BURST    1000u
#define PAUSE_NS 500000u
#define KINDS    3

struct kind {
	uint64_t job_ns;
	const char *most, *mean, *burst, *done;
};

static const struct kind kinds[KINDS] = {
	{ 0, "empty: system calls", "empty: on average", "empty: burst", "empty: done" },
	{ 1000, "1 us: system calls", "1 us: on average", "1 us: burst", "1 us: done" },
	{ 20000, "20 us: system calls", "20 us: on average", "20 us: burst", "20 us: done" },
};

struct wakeup_run {
	struct pool_run pool;
	uint64_t next_id;
	bool can_count;
	uint64_t bursts; /* of each kind, of which half are counted */
	struct {
		uint64_t most, sum, counted;
		struct histogram burst, done;
	} of[KINDS];
};

static uint64_t job_ns; /* of the present burst; workers read it after they were woken */

static int burst_job(void *payload)
{
	uint64_t begin = job_ns ? bench_now_ns() : 0;

	while (job_ns && bench_now_ns() - begin < job_ns)
		bench_relax();
	tally_add(tally_of_thread(), tally_id(payload));
	return 0;
}

static void submit_burst(struct wakeup_run *run)
{
	for (unsigned i = 0; i < BURST; i++)
		pool_run_must(&run->pool, "wp_submit",
			wp_submit(run->pool.pool, burst_job, tally_payload(run->next_id++)));
}

static void one_burst(struct wakeup_run *run, unsigned kind, bool count)
{
	uint64_t begin, after, calls;

	pool_run_sleep(&run->pool, PAUSE_NS);
	job_ns = kinds[kind].job_ns;
	begin = bench_now_ns();
	if (count)
		syscalls_begin();
	submit_burst(run);
	if (count) {
		calls = syscalls_end();
		run->of[kind].sum += calls;
		run->of[kind].counted++;
		if (calls > run->of[kind].most)
			run->of[kind].most = calls;
	}
	after = bench_now_ns();
	pool_run_must(&run->pool, "wp_pool_wait", wp_pool_wait(run->pool.pool, WP_FOREVER));
	if (!count) {
		histogram_add(&run->of[kind].burst, after - begin);
		histogram_add(&run->of[kind].done, bench_now_ns() - begin);
	}
}

static void produce(struct crew_member *me)
{
	struct wakeup_run *run = me->shared;

	for (uint64_t i = 0; i < run->bursts && !bench_interrupted(); i++)
		for (unsigned kind = 0; kind < KINDS; kind++)
			one_burst(run, kind, run->can_count && i % 2 == 0);
}

static void report(const struct wakeup_run *run, struct bench_sample *sample)
{
	for (unsigned i = 0; i < KINDS; i++) {
		double counted = (double)run->of[i].counted;

		if (run->can_count) {
			bench_sample_add(sample, kinds[i].most, "", (double)run->of[i].most);
			bench_sample_add(sample, kinds[i].mean, "",
				counted > 0 ? (double)run->of[i].sum / counted : 0);
		}
		bench_sample_add(sample, kinds[i].burst, "ns",
			(double)histogram_percentile(&run->of[i].burst, 0.5));
		bench_sample_add(sample, kinds[i].done, "ns",
			(double)histogram_percentile(&run->of[i].done, 0.5));
	}
	if (!run->can_count)
		bench_sample_add(sample, "cannot count system calls here", "", 0);
}

static void run(const struct bench_params *p, struct bench_sample *sample)
{
	struct wakeup_run *run = bench_alloc(1, sizeof(*run));
	struct crew crew;

	run->pool.workload = "wakeup";
	run->pool.p = p;
	run->next_id = 1;
	run->bursts = p->jobs;
	run->can_count = syscalls_available();
	tally_begin(p->workers);
	pool_run_open(&run->pool, pool_run_options(p));
	crew_init(&crew, 1);
	crew_add_producer(&crew, produce, run, 0, pin_cpu_if(p->pin, p->workers));
	crew_open(&crew);
	crew_join(&crew);
	sample->jobs = run->next_id - 1;
	sample->cpu_ns = (double)(bench_cpu_ns() - crew.cpu_begin_ns);
	sample->wall_ns = (double)(crew_end_ns(&crew) - crew_begin_ns(&crew));
	crew_fini(&crew);
	pool_run_close(&run->pool, run->next_id - 1);
	report(run, sample);
	free(run);
}

const struct bench_workload bench_wakeup = {
	.name = "wakeup",
	.about = "a burst of 1000 jobs for a sleeping pool: the submitter's system calls",
	.kind = BENCH_VALUES,
	.workers = "4",
	.profile = true,
	.jobs = 50,
	.quick_jobs = 10,
	.jobs_at_most = true,
	.run = run,
};
