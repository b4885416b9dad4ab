/* SPDX-License-Identifier: MIT */
/*
 * pacing: what it gives in throughput, and whether it takes anything in latency.
 *
 * Two pools of one worker that never sleeps (spin_ns of 1 s); one pauses between looks as by
 * default, the other looks at once, always (poll_gap_ns of 1 ns). Nothing else differs.
 *
 *   1 k/s, 10 k/s, 100 k/s   an open loop, as in latency.c; the median from the moment when a job
 *                            was due to its start, of both, and their ratio
 *   full speed               one producer, wp_submit, an empty job, as in pool_empty: ns per job of
 *                            both, and how many times the unpaced one costs
 *
 * "asleep" is a third pool, with the options of the case (--profile), which may sleep: from 20 k
 * jobs/s down the default one does between any two jobs, and its figure is that of waking a thread
 * (first_job.c). It stands here so that nobody takes the other two for what a program will see that
 * leaves the options alone.
 *
 * The pools take turns many times within a run, so that a machine that changes its speed changes it
 * for all. The figures are over all turns of the run.
 */
#include <stdlib.h>

#include "bench.h"
#include "latency.h"
#include "pool_run.h"
#include "tally.h"

#define ALWAYS_NS 1000000000u
#define TURNS     6
#define RATES     3

enum { PACED, UNPACED, ASLEEP, KINDS };

static const uint64_t rates[RATES] = { 1000, 10000, 100000 };

static const char *const names[RATES][KINDS + 1] = {
	{ "1 k/s: paced", "1 k/s: unpaced", "1 k/s: asleep", "1 k/s: paced / unpaced" },
	{ "10 k/s: paced", "10 k/s: unpaced", "10 k/s: asleep", "10 k/s: paced / unpaced" },
	{ "100 k/s: paced", "100 k/s: unpaced", "100 k/s: asleep", "100 k/s: paced / unpaced" },
};

static struct wp_options options_of(const struct bench_params *p, int kind)
{
	struct wp_options options = pool_run_options(p);

	if (kind != ASLEEP) {
		options.profile = WP_PROFILE_BALANCED;
		options.spin_ns = ALWAYS_NS;
	}
	if (kind == UNPACED)
		options.poll_gap_ns = 1;
	return options;
}

static void compare_latency(
	const struct bench_params *p, unsigned rate, unsigned turns, struct bench_sample *sample)
{
	struct latency *sums = bench_alloc(KINDS, sizeof(*sums));
	struct bench_params one = *p;
	double medians[KINDS];

	/* Many short turns rather than a long one. */
	one.brief = true;
	one.rate = rates[rate];
	for (unsigned turn = 0; turn < turns; turn++)
		for (int kind = 0; kind < KINDS; kind++) {
			struct wp_options options = options_of(p, kind);

			latency_measure("pacing", &one, &options, &sums[kind]);
		}
	for (int kind = 0; kind < KINDS; kind++) {
		medians[kind] = (double)histogram_percentile(&sums[kind].due, 0.5);
		bench_sample_add(sample, names[rate][kind], "ns", medians[kind]);
		sample->wall_ns += sums[kind].wall_ns;
		sample->cpu_ns += sums[kind].cpu_ns;
		sample->jobs += sums[kind].jobs;
	}
	bench_sample_add(sample, names[rate][KINDS], "x",
		medians[UNPACED] > 0 ? medians[PACED] / medians[UNPACED] : 0);
	free(sums);
}

static void share(struct pool_run *run, uint64_t id, uint64_t end)
{
	for (; id != end; id++)
		pool_run_must(run, "wp_submit", wp_submit(run->pool, tally_job, tally_payload(id)));
}

static void compare_speed(const struct bench_params *p, unsigned turns, struct bench_sample *sample)
{
	struct bench_params one = *p;
	double ns[KINDS] = { 0 };

	one.producers = 1;
	one.jobs = p->jobs / turns + 1;
	for (unsigned turn = 0; turn < turns; turn++)
		for (int kind = PACED; kind <= UNPACED; kind++) {
			struct wp_options options = options_of(p, kind);
			struct pool_run run = {
				.workload = "pacing", .p = &one, .share = share, .options = &options
			};
			struct bench_sample of_turn = { 0 };

			pool_run(&run, &of_turn);
			ns[kind] += of_turn.wall_ns / (double)of_turn.jobs / turns;
			sample->wall_ns += of_turn.wall_ns;
			sample->cpu_ns += of_turn.cpu_ns;
			sample->jobs += of_turn.jobs;
		}
	bench_sample_add(sample, "full speed: paced", "ns", ns[PACED]);
	bench_sample_add(sample, "full speed: unpaced", "ns", ns[UNPACED]);
	bench_sample_add(sample, "unpaced / paced", "x", ns[UNPACED] / ns[PACED]);
}

static void run(const struct bench_params *p, struct bench_sample *sample)
{
	unsigned turns = p->brief ? 1 : TURNS;

	for (unsigned rate = 0; rate < RATES; rate++)
		compare_latency(p, rate, turns, sample);
	compare_speed(p, turns, sample);
}

const struct bench_workload bench_pacing = {
	.name = "pacing",
	.about = "a paced worker beside one that always looks: latency and throughput",
	.kind = BENCH_VALUES,
	.workers = "1",
	.profile = true,
	.jobs = 1000000,
	.quick_jobs = 100000,
	.run = run,
};
