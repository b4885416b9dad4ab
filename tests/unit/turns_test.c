/* SPDX-License-Identifier: MIT */
/* When a producer yields to others. Its pushes are told to wp__turns_look as they would be. */
#include "queue/turns.h"

#include <string.h>

#include "base/os.h"
#include "hooks.h"
#include "queue/segqueue.h"
#include "t.h"

#define ROOM_BEYOND UINT64_C(100000)

static unsigned turns_taken, looks;
static struct wp__place place;
static uint64_t position;

static void count_turns(const char *label)
{
	turns_taken += strcmp(label, "turn") == 0;
}

static void start(void (*hook)(const char *label))
{
	wp__set_point_hook(hook);
	place = (struct wp__place){ .lane = 1 };
	position = 4000;
}

/* A careful push, `others` tickets after the last one. The rest of its block would be easy. */
static void push(uint64_t others)
{
	position += (1 + others) * WP__TICKET_ONE;
	place.easy_span = ROOM_BEYOND * WP__TICKET_ONE;
	wp__turns_look(&place, position);
	looks += place.easy_span == 0;
}

/* The first push is looked at, and then one in 1024: the ticket behind has to be its own. */
T_TEST(turns, a_producer_alone_never_yields)
{
	start(count_turns);
	for (unsigned i = 0; i < 10240; i++)
		push(0);
	t_assert_int_eq(turns_taken, 0);
	t_assert_int_eq(looks, 10);
}

/* Preempted in between it cannot know. */
static void push_among_others(unsigned wanted)
{
	while (turns_taken < wanted)
		push(1);
}

T_TEST_TIMEOUT(turns, one_among_others_does, 60)
{
	start(count_turns);
	push_among_others(1);
	/* It looks again soon. */
	t_assert_u64_eq(place.easy_span, 256 * WP__TICKET_ONE);
	push_among_others(100);
}

/* Others' tickets are nothing that hurts when there was time for them. */
T_TEST(turns, not_where_pushes_are_far_apart)
{
	start(count_turns);
	for (unsigned i = 0; i < 20; i++) {
		wp__os_sleep(1000000);
		push(1);
		wp__os_sleep(1000000);
		push(512);
	}
	t_assert(looks > 0);
	t_assert_int_eq(turns_taken, 0);
}

T_TEST(turns, not_between_two_lanes)
{
	start(count_turns);
	for (unsigned i = 0; i < 10000; i++) {
		place.lane = 1 + i % 2;
		push(1);
	}
	t_assert(looks > 0);
	t_assert_int_eq(turns_taken, 0);
}

/* ---- beside a thread that only computes ---- */

#define SLICE_NS UINT64_C(3000000)

static uint64_t taken_at[2];

static void yields_for_a_slice(const char *label)
{
	if (strcmp(label, "turn") != 0)
		return;
	if (turns_taken < 2)
		taken_at[turns_taken] = wp__os_now_ns();
	if (turns_taken++ == 0)
		wp__os_sleep(SLICE_NS);
}

T_TEST_TIMEOUT(turns, as_long_on_the_cpu_as_away, 60)
{
	start(yields_for_a_slice);
	push_among_others(2);
	/* Away for SLICE_NS, then at work for as long. */
	t_assert(taken_at[1] - taken_at[0] >= 2 * SLICE_NS);
}
