/* SPDX-License-Identifier: MIT */
/*
 * A log-linear histogram of durations in nanoseconds: each power of two is divided into 64 steps of
 * equal width, so a percentile is exact below 128 ns and wrong by less than 1.6 % above. The
 * largest value is kept exactly. Filled by one thread.
 */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEP_BITS 6
#define HISTOGRAM_STEPS     (1u << HISTOGRAM_STEP_BITS)
#define HISTOGRAM_BUCKETS   ((64 - HISTOGRAM_STEP_BITS + 1) * HISTOGRAM_STEPS)

struct histogram {
	uint64_t counts[HISTOGRAM_BUCKETS];
	uint64_t total;
	uint64_t max;
};

void histogram_add(struct histogram *h, uint64_t ns);

/* Adds all that is in `other`. */
void histogram_merge(struct histogram *h, const struct histogram *other);

/*
 * The smallest bucket edge that at least `share` (0 .. 1) of the values do not exceed, and never
 * more than the largest value; 0 when there are no values.
 */
uint64_t histogram_percentile(const struct histogram *h, double share);

#endif
