/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <time.h>

#include <wpool/clock.h>

#include "t.h"

static uint64_t kernel_clock(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

T_TEST(clock, now_is_clock_monotonic)
{
	for (int i = 0; i < 1000; i++) {
		uint64_t before = kernel_clock();
		uint64_t now = wp_now_ns();
		uint64_t after = kernel_clock();
		t_assert(before <= now && now <= after);
	}
}

T_TEST(clock, after_lies_that_far_ahead)
{
	uint64_t before = wp_now_ns();
	uint64_t in_ns = wp_after_ns(1234567);
	uint64_t in_ms = wp_after_ms(250);
	uint64_t after = wp_now_ns();
	t_assert(before + 1234567 <= in_ns && in_ns <= after + 1234567);
	t_assert(before + 250000000 <= in_ms && in_ms <= after + 250000000);
}

T_TEST(clock, after_nothing_is_now)
{
	uint64_t before = wp_now_ns();
	uint64_t zero = wp_after_ns(0);
	uint64_t zero_ms = wp_after_ms(0);
	uint64_t after = wp_now_ns();
	t_assert(before <= zero && zero <= zero_ms && zero_ms <= after);
}

T_TEST(clock, what_does_not_fit_is_forever)
{
	t_assert_u64_eq(wp_after_ns(WP_FOREVER), WP_FOREVER);
	t_assert_u64_eq(wp_after_ns(WP_FOREVER - 1), WP_FOREVER);
	t_assert_u64_eq(wp_after_ns(WP_FOREVER - wp_now_ns() + 1), WP_FOREVER);
	t_assert_u64_eq(wp_after_ms(WP_FOREVER), WP_FOREVER);
	t_assert_u64_eq(wp_after_ms(WP_FOREVER / 1000000), WP_FOREVER);
	t_assert_u64_eq(wp_after_ms(WP_FOREVER / 1000000 + 1), WP_FOREVER);
	/* The largest sums that fit must not be cut. */
	uint64_t far = WP_FOREVER / 2;
	t_assert(wp_after_ns(far) >= far && wp_after_ns(far) != WP_FOREVER);
	t_assert(wp_after_ms(far / 1000000) != WP_FOREVER);
}

T_TEST(clock, errno_stays)
{
	errno = 4711;
	(void)wp_now_ns();
	(void)wp_after_ns(1);
	(void)wp_after_ms(WP_FOREVER);
	t_assert_int_eq(errno, 4711);
}
