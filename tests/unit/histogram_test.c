/* SPDX-License-Identifier: MIT */
#include "work/histogram.h"

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "crew.h"
#include "t.h"

static struct wp__histogram h;
static struct wp__histogram_view view;

static void look(void)
{
	memset(&view, 0, sizeof(view));
	wp__histogram_merge(&view, &h);
}

/* |told - value| <= value / (2 * STEPS) */
static bool is_close(uint64_t told, uint64_t value)
{
	uint64_t off = told > value ? told - value : value - told;
	return off <= value / (2 * WP__HISTOGRAM_STEPS);
}

T_TEST(histogram, empty)
{
	look();
	t_assert_u64_eq(view.total + view.sum + view.max, 0);
	t_assert_u64_eq(wp__histogram_quantile(&view, 5000), 0);
	t_assert_u64_eq(wp__histogram_quantile(&view, 10000), 0);
	t_assert_u64_eq(wp__histogram_mean(&view), 0);
}

/* Buckets are in order, without gaps, and each tells its values as the header promises. */
T_TEST(histogram, buckets)
{
	uint64_t top = UINT64_C(1) << WP__HISTOGRAM_BITS;
	unsigned last = 0;
	for (uint64_t v = 0; v < 100000; v++) {
		unsigned b = wp__histogram_bucket(v);
		t_assert(b == last || b == last + 1);
		t_assert(is_close(wp__histogram_middle(b), v));
		t_assert(v >= 2 * WP__HISTOGRAM_STEPS || wp__histogram_middle(b) == v);
		last = b;
	}
	for (unsigned bit = 6; bit < WP__HISTOGRAM_BITS; bit++)
		for (int d = -2; d <= 2; d++) {
			uint64_t v = (UINT64_C(1) << bit) + (uint64_t)(int64_t)d;
			t_assert(is_close(wp__histogram_middle(wp__histogram_bucket(v)), v));
			t_assert(wp__histogram_bucket(v) <= wp__histogram_bucket(v + 1));
		}
	t_assert_u64_eq(wp__histogram_bucket(top - 1), WP__HISTOGRAM_BUCKETS - 1);
	t_assert_u64_eq(wp__histogram_bucket(top), WP__HISTOGRAM_BUCKETS - 1);
	t_assert_u64_eq(wp__histogram_bucket(UINT64_MAX), WP__HISTOGRAM_BUCKETS - 1);
}

T_TEST(histogram, one_value)
{
	wp__histogram_add(&h, 1000003);
	look();
	t_assert_u64_eq(view.total, 1);
	t_assert_u64_eq(view.sum, 1000003);
	t_assert_u64_eq(view.max, 1000003);
	t_assert_u64_eq(wp__histogram_mean(&view), 1000003);
	for (unsigned p = 0; p <= 10000; p += 500) {
		t_assert(is_close(wp__histogram_quantile(&view, p), 1000003));
		t_assert(wp__histogram_quantile(&view, p) <= 1000003);
	}
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

/* Against the values themselves, sorted: of several histograms, several kinds of values. */
T_TEST(histogram, quantiles_of_many_values)
{
	enum { N = 20000 };
	static uint64_t values[N];
	static struct wp__histogram parts[3];
	for (unsigned kind = 0; kind < 4; kind++) {
		struct wp__rng rng = { kind + 1 };
		uint64_t sum = 0;
		memset(parts, 0, sizeof(parts));
		for (unsigned i = 0; i < N; i++) {
			uint64_t v = kind == 0   ? wp__rng_below(&rng, 50)
				     : kind == 1 ? wp__rng_below(&rng, 5000)
				     : kind == 2 ? UINT64_C(1) << wp__rng_below(&rng, 48)
						 : (i % 1000 ? 20 : 50000000) + i % 7;
			values[i] = v;
			sum += v;
			wp__histogram_add(&parts[i % 3], v);
		}
		memset(&view, 0, sizeof(view));
		for (unsigned i = 0; i < 3; i++)
			wp__histogram_merge(&view, &parts[i]);
		qsort(values, N, sizeof(values[0]), compare);
		t_assert_u64_eq(view.total, N);
		t_assert_u64_eq(view.sum, sum);
		t_assert_u64_eq(view.max, values[N - 1]);
		uint64_t last = 0;
		for (unsigned p = 1; p <= 10000; p++) {
			uint64_t told = wp__histogram_quantile(&view, p);
			uint64_t exact = values[((uint64_t)p * N + 9999) / 10000 - 1];
			t_assert_msg(is_close(told, exact), "kind %u, p %u: %llu for %llu", kind, p,
				(unsigned long long)told, (unsigned long long)exact);
			t_assert(told >= last && told <= view.max);
			last = told;
		}
	}
}

static wp_atomic_u32 writing;

static void write_or_read(void *arg, unsigned me)
{
	(void)arg;
	if (me == 0) {
		for (uint64_t i = 0; i < t_scaled(2000000); i++)
			wp__histogram_add(&h, i % 100000);
		wp_store_rel_u32(&writing, 0);
		return;
	}
	static struct wp__histogram_view before, now;
	while (wp_load_acq_u32(&writing)) {
		memset(&now, 0, sizeof(now));
		wp__histogram_merge(&now, &h);
		for (unsigned i = 0; i < WP__HISTOGRAM_BUCKETS; i++)
			t_assert(now.counts[i] >= before.counts[i]);
		t_assert(now.total >= before.total && now.sum >= before.sum);
		t_assert(now.max >= before.max && now.max < 100000);
		before = now;
	}
}

T_TEST(histogram, read_while_it_is_written)
{
	struct crew crew;
	wp_store_rlx_u32(&writing, 1);
	crew_start(&crew, 2, write_or_read, NULL);
	crew_join(&crew);
	look();
	t_assert_u64_eq(view.total, t_scaled(2000000));
}
