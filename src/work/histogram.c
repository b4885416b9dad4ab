/* SPDX-License-Identifier: MIT */
#include "work/histogram.h"

uint64_t wp__histogram_middle(unsigned bucket)
{
	if (bucket < 2 * WP__HISTOGRAM_STEPS)
		return bucket;
	unsigned shift = bucket / WP__HISTOGRAM_STEPS - 1;
	uint64_t low = (uint64_t)(bucket % WP__HISTOGRAM_STEPS + WP__HISTOGRAM_STEPS) << shift;
	return low + (UINT64_C(1) << shift) / 2;
}

void wp__histogram_merge(struct wp__histogram_view *view, const struct wp__histogram *h)
{
	/* The sum first and the maximum last: so the mean is not above the maximum. */
	view->sum += wp_load_rlx_u64(&h->sum);
	for (unsigned i = 0; i < WP__HISTOGRAM_BUCKETS; i++) {
		uint64_t count = wp_load_rlx_u64(&h->counts[i]);
		view->counts[i] += count;
		view->total += count;
	}
	view->max = wp_max_u64(view->max, wp_load_rlx_u64(&h->max));
}

uint64_t wp__histogram_quantile(const struct wp__histogram_view *view, unsigned per_10000)
{
	uint64_t rank = (uint64_t)(((wp_u128)view->total * per_10000 + 9999) / 10000);
	uint64_t seen = 0;
	for (unsigned i = 0; i < WP__HISTOGRAM_BUCKETS; i++) {
		seen += view->counts[i];
		if (seen && seen >= rank)
			return wp_min_u64(wp__histogram_middle(i), view->max);
	}
	return 0;
}

uint64_t wp__histogram_mean(const struct wp__histogram_view *view)
{
	return view->total ? view->sum / view->total : 0;
}
