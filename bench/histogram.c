/* SPDX-License-Identifier: MIT */
#include "histogram.h"

#include <math.h>

/* Values below 2 * STEPS are their own bucket; above, the leading STEP_BITS + 1 bits choose it. */
static unsigned bucket_of(uint64_t ns)
{
	unsigned shift;

	if (ns < 2 * HISTOGRAM_STEPS)
		return (unsigned)ns;
	shift = 63u - (unsigned)__builtin_clzll(ns) - HISTOGRAM_STEP_BITS;
	return shift * HISTOGRAM_STEPS + (unsigned)(ns >> shift);
}

/* The largest value that falls into the bucket. */
static uint64_t upper_edge(unsigned bucket)
{
	unsigned shift;

	if (bucket < 2 * HISTOGRAM_STEPS)
		return bucket;
	shift = bucket / HISTOGRAM_STEPS - 1;
	return ((uint64_t)(bucket % HISTOGRAM_STEPS + HISTOGRAM_STEPS + 1) << shift) - 1;
}

void histogram_add(struct histogram *h, uint64_t ns)
{
	h->counts[bucket_of(ns)]++;
	h->total++;
	if (ns > h->max)
		h->max = ns;
}

void histogram_merge(struct histogram *h, const struct histogram *other)
{
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		h->counts[i] += other->counts[i];
	h->total += other->total;
	if (other->max > h->max)
		h->max = other->max;
}

uint64_t histogram_percentile(const struct histogram *h, double share)
{
	uint64_t wanted = (uint64_t)ceil(share * (double)h->total);
	uint64_t seen = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += h->counts[i];
		if (seen != 0 && seen >= wanted)
			return upper_edge(i) < h->max ? upper_edge(i) : h->max;
	}
	return 0;
}
