/* SPDX-License-Identifier: MIT */
/*
 * Runs the cases round by round and keeps what they yield.
 *
 * A round runs each case once, the raw limit first. One round is run without being kept, to warm up
 * caches, page tables and the CPU's clock; then as many as were asked for. The median over rounds
 * is what a case is quoted by, the minimum and maximum show how far to trust it. A ratio to the raw
 * limit is taken within each round, and the median of these ratios is quoted: a machine that slows
 * down for a round slows both.
 */
#ifndef BENCH_HARNESS_H
#define BENCH_HARNESS_H

#include <stdbool.h>
#include <stddef.h>

#include "args.h"
#include "bench.h"

/* A case and its samples, one per kept round. */
struct bench_result {
	const struct bench_workload *workload;
	struct bench_params params;
	struct bench_sample *samples;
	unsigned runs;
};

struct harness {
	struct bench_result *results; /* the first is the raw limit */
	size_t count;
	unsigned runs_wanted;
	bool complete; /* not interrupted */
};

struct spread {
	double min, median, max;
};

/* Makes the list of cases. */
void harness_plan(struct harness *h, const struct args *args);

/* Runs them all, or until the user interrupts. Says where it is on stderr if that is a terminal. */
void harness_run(struct harness *h);

void harness_fini(struct harness *h);

/* Of a result with at least one run. */
double harness_ns_per_job(const struct bench_sample *sample);
struct spread harness_time(const struct bench_result *result);
struct spread harness_cpu(const struct bench_result *result);
struct spread harness_value(const struct bench_result *result, unsigned value);

/* Of `result` to `base`, round by round over the rounds that both have. */
struct spread harness_ratio(const struct bench_result *result, const struct bench_result *base);

#endif
