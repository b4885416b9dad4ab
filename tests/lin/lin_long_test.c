/* SPDX-License-Identifier: MIT */
/*
 * Histories of a million operations from real threads, checked by the rules of long.h. Stamps come
 * from a counter, and where it can be relied on also from the clock.
 */
#include <stdio.h>

#include "crew.h"
#include "hooks.h"
#include "long.h"
#include "record.h"

#define OPERATIONS 1000000

static void check(const struct record_load *load)
{
	struct long_history history;
	record_run(load, &history);
	size_t idle = 0;
	for (size_t i = 0; i < history.pop_count; i++)
		idle += history.pops[i].count == 0;
	struct long_verdict verdict = long_check(&history);
	printf("%uP%uC, capacity %zu, segments of %u, %s: %zu pushes, %zu pops (%zu of nothing): "
	       "%s\n",
		load->producers, load->consumers, load->capacity, load->segment_size,
		load->clock ? "clock" : "counter", history.push_count, history.pop_count, idle,
		long_rule_name(verdict.rule));
	t_assert_msg(verdict.rule == LONG_ACCEPTED, "%s", verdict.text);
	t_assert((history.push_count + history.pop_count) * load->burst >= history.values);
	record_free(&history);
}

/* A push and a pop per value: half as many values as operations. */
static void check_all(unsigned producers, unsigned consumers, uint64_t operations)
{
	static const struct {
		size_t capacity;
		uint32_t segment_size;
		unsigned burst;
	} shapes[] = { { 1024, 64, 1 }, { 7, 3, 4 }, { 65536, 1024, 64 }, { 100, 1, 2 } };
	bool clock_works = stamp_clock_works();
	if (!clock_works)
		printf("the clock cannot be relied on: stamps from the counter only\n");
	for (unsigned i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		uint64_t values = t_scaled(operations / 2);
		struct record_load load = { producers, consumers, shapes[i].capacity,
			shapes[i].segment_size, shapes[i].burst, values, i % 2 && clock_works };
		check(&load);
	}
}

T_TEST(lin_long, two_producers_two_consumers)
{
	check_all(2, 2, OPERATIONS);
}

T_TEST(lin_long, four_producers_four_consumers)
{
	check_all(4, 4, OPERATIONS);
}

T_TEST(lin_long, one_producer_three_consumers)
{
	check_all(1, 3, OPERATIONS);
}

T_TEST(lin_long, three_producers_one_consumer)
{
	check_all(3, 1, OPERATIONS / 4);
}

T_TEST(lin_long, by_the_clock)
{
	if (!stamp_clock_works())
		t_skip("the clock cannot be relied on");
	struct record_load load = { 2, 2, 256, 64, 1, t_scaled(OPERATIONS / 2), true };
	check(&load);
}

/* Threads are interrupted where it hurts. */
T_TEST(lin_long, disturbed)
{
	wp__chaos(11, 32, 1);
	for (uint32_t size = 1; size <= 64; size *= 4) {
		struct record_load load = { 2, 2, 8 * size, size, 4, t_scaled(20000), size > 4 };
		load.clock &= stamp_clock_works();
		check(&load);
	}
	wp__chaos(0, 0, 0);
}

/*
 * Consumers that stop in the middle of their copy, while others go once round the directory of
 * segments, which is as small as it can be.
 */
T_TEST(lin_long, round_the_directory)
{
	wp__chaos(12, 0, 24);
	struct record_load load = { 2, 6, 2, 1, 1, t_scaled(10000), false };
	check(&load);
	wp__chaos(0, 0, 0);
}
