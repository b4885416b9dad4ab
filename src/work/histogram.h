/* SPDX-License-Identifier: MIT */
/*
 * Log-linear histogram: how long things took, in buckets whose width grows with the value.
 *
 * Each power of two is divided into WP__HISTOGRAM_STEPS buckets of equal width. Values below
 * 2 * STEPS have a bucket each; above, a bucket's width is at most its lower edge / STEPS. A value
 * is told as the middle of its bucket, so
 *
 *     |told - value| <= value / (2 * STEPS)                     1.6 %; 0 below 2 * STEPS
 *
 * Sum and maximum are kept exactly. Values from 2^WP__HISTOGRAM_BITS on count as the largest below
 * it (in ticks of a 3 GHz clock: 26 hours).
 *
 * One thread writes, without a read-modify-write; any thread may read at any time. A histogram per
 * worker, merged when somebody asks: wp__histogram_merge adds one to a view. A view is plain memory
 * of the reader. While the writer goes on, a view holds for each bucket a number that it had during
 * the merge; numbers never go back from one merge to the next.
 *
 * Invariants.   view.total == sum of view.counts
 *               quantile(a) <= quantile(b) <= view.max   for a <= b
 *
 * Source: the layout is that of G. Tene's HdrHistogram.
 */
#ifndef WP_WORK_HISTOGRAM_H
#define WP_WORK_HISTOGRAM_H

#include <stdint.h>

#include "base/atomic.h"
#include "base/layout.h"

#define WP__HISTOGRAM_STEP_BITS 5
#define WP__HISTOGRAM_STEPS     (1u << WP__HISTOGRAM_STEP_BITS)
#define WP__HISTOGRAM_BITS      48
#define WP__HISTOGRAM_BUCKETS \
	((WP__HISTOGRAM_BITS - WP__HISTOGRAM_STEP_BITS + 1) * WP__HISTOGRAM_STEPS)

/* Zeroed: empty. */
struct wp__histogram {
	wp_atomic_u64 sum, max;
	wp_atomic_u64 counts[WP__HISTOGRAM_BUCKETS];
};

struct wp__histogram_view {
	uint64_t total, sum, max;
	uint64_t counts[WP__HISTOGRAM_BUCKETS];
};

static inline unsigned wp__histogram_bucket(uint64_t value)
{
	value = wp_min_u64(value, (UINT64_C(1) << WP__HISTOGRAM_BITS) - 1);
	if (value < UINT64_C(2) * WP__HISTOGRAM_STEPS)
		return (unsigned)value;
	unsigned shift = wp_log2(value) - WP__HISTOGRAM_STEP_BITS;
	return shift * WP__HISTOGRAM_STEPS + (unsigned)(value >> shift);
}

/* Counts a value. By the histogram's one writer. Relaxed: it orders nothing. */
static inline void wp__histogram_add(struct wp__histogram *h, uint64_t value)
{
	wp_atomic_u64 *count = &h->counts[wp__histogram_bucket(value)];
	wp_store_rlx_u64(count, wp_load_rlx_u64(count) + 1);
	wp_store_rlx_u64(&h->sum, wp_load_rlx_u64(&h->sum) + value);
	if (value > wp_load_rlx_u64(&h->max))
		wp_store_rlx_u64(&h->max, value);
}

/* What a value of this bucket is told as. */
uint64_t wp__histogram_middle(unsigned bucket);

/* Adds what h holds to the view, which begins zeroed. */
void wp__histogram_merge(struct wp__histogram_view *view, const struct wp__histogram *h);

/*
 * The value that at least per_10000 / 10000 of the values do not exceed, told as above and never
 * more than the maximum; 0 when there are none.
 */
uint64_t wp__histogram_quantile(const struct wp__histogram_view *view, unsigned per_10000);

/* The mean; 0 when there are none. */
uint64_t wp__histogram_mean(const struct wp__histogram_view *view);

#endif
