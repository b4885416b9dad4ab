/* SPDX-License-Identifier: MIT */
/*
 * Lanes: several producers against several consumers, one by one and many at once, with and
 * without a close; and what other threads learn from a lane's counts and its sleep bit.
 */
#include <wpool/error.h>

#include "queue_lab.h"

static void size_2(void)
{
	lab_make(8, 2);
}

static void push_0(void)
{
	lab_must_push(0);
}

static void push_1(void)
{
	lab_must_push(1);
}

static void push_2(void)
{
	lab_must_push(2);
}

static void push_012(void)
{
	push_0();
	push_1();
	push_2();
}

static void consume_3(void)
{
	lab_claim_until(3, 4);
}

static void consume_3_by_one(void)
{
	lab_claim_until(3, 1);
}

static void check_3(void)
{
	lab_all_taken(3);
}

EXPLORE_TEST(queue_1p3c, .setup = size_2,
	.body = { push_012, consume_3, consume_3_by_one, consume_3_by_one }, .check = check_3,
	.no_leaks = true);

EXPLORE_TEST(queue_3p1c, .setup = size_2, .body = { push_0, push_1, push_2, consume_3 },
	.check = check_3, .no_leaks = true);

/* ---- many at once: one change of tail, over the end of a segment ---- */

static void push_many_012(void)
{
	lab_must_push_many(0, 3);
}

static void push_many_345(void)
{
	lab_must_push_many(3, 3);
}

static void push_many_01(void)
{
	lab_must_push_many(0, 2);
}

static void push_many_23(void)
{
	lab_must_push_many(2, 2);
}

static void push_4(void)
{
	lab_must_push(4);
}

static void consume_5(void)
{
	lab_claim_until(5, 4);
}

static void consume_6(void)
{
	lab_claim_until(6, 4);
}

static void check_5(void)
{
	lab_all_taken(5);
}

static void check_6(void)
{
	lab_all_taken(6);
}

EXPLORE_TEST(queue_many_1p1c, .setup = size_2, .body = { push_many_012, consume_3 },
	.check = check_3, .no_leaks = true);

EXPLORE_TEST(queue_many_1p3c, .setup = size_2,
	.body = { push_many_012, consume_3, consume_3_by_one, consume_3_by_one }, .check = check_3,
	.no_leaks = true);

EXPLORE_TEST(queue_many_2p2c, .setup = size_2,
	.body = { push_many_012, push_many_345, consume_6, consume_6 }, .check = check_6,
	.no_leaks = true);

EXPLORE_TEST(queue_many_3p1c, .setup = size_2,
	.body = { push_many_01, push_many_23, push_4, consume_5 }, .check = check_5,
	.no_leaks = true);

/* The lane holds two of the three: the rest waits for room. */
static void room_for_two(void)
{
	lab_make(2, 2);
}

EXPLORE_TEST(queue_many_full, .setup = room_for_two, .body = { push_many_012, consume_3 },
	.check = check_3, .no_leaks = true);

/* ---- a share of what is ready, so that others get some, too ---- */

static void three_inside(void)
{
	lab_make(8, 4);
	push_012();
}

static void consume_half(void)
{
	uint32_t before = lab_claim_share(4, 2, 1);
	/* All three were ready all the time: a share is half of what is left, rounded up. */
	explore_assert(before == 2 || before == 1);
}

EXPLORE_TEST(queue_share, .setup = three_inside, .body = { consume_half, consume_half },
	.check = check_3, .no_leaks = true);

/* ---- close: who took a ticket before it comes out, who did not is refused ---- */

static void push_0_or_closed(void)
{
	lab_push_or_closed(0);
}

static void push_1_or_closed(void)
{
	lab_push_or_closed(1);
}

static void push_then_close(void)
{
	lab_must_push(2);
	lab_close();
}

static void push_many_or_closed(void)
{
	(void)lab_push_some(3, 3);
}

static void consume_all(void)
{
	lab_claim_until_closed(4);
}

EXPLORE_TEST(queue_close_2p2c, .setup = size_2,
	.body = { push_0_or_closed, push_then_close, consume_all, consume_all },
	.check = lab_drain_and_end, .no_leaks = true);

EXPLORE_TEST(queue_close_1p3c, .setup = size_2,
	.body = { push_then_close, consume_all, consume_all, consume_all },
	.check = lab_drain_and_end, .no_leaks = true);

EXPLORE_TEST(queue_close_3p1c, .setup = size_2,
	.body = { push_0_or_closed, push_1_or_closed, push_then_close, consume_all },
	.check = lab_drain_and_end, .no_leaks = true);

EXPLORE_TEST(queue_close_many, .setup = size_2,
	.body = { push_many_or_closed, push_then_close, consume_all }, .check = lab_drain_and_end,
	.no_leaks = true);

static wp_atomic_u32 closers;

static void close_too(void)
{
	if (wp__segqueue_close(&lab_queue))
		wp_add_rlx_u32(&closers, 1);
	uint64_t promised = wp__segqueue_accepted(&lab_queue);
	explore_assert(lab_push(1) == WP_ECLOSED);
	explore_assert(wp__segqueue_accepted(&lab_queue) == promised);
}

static void closed_once(void)
{
	explore_assert(wp_load_rlx_u32(&closers) == 1);
	lab_drain_and_end();
}

EXPLORE_TEST(queue_close_twice, .setup = size_2, .body = { push_0_or_closed, close_too, close_too },
	.check = closed_once, .no_leaks = true);

/* ---- depth: two jobs go in at once, one comes out; who knows that sees one inside ---- */

static void push_pair(void)
{
	explore_assert(lab_push_some(0, 2) == 2);
}

static void consume_1(void)
{
	lab_claim_until(1, 1);
}

static void look_at_depth(void)
{
	if (wp__segqueue_claimed(&lab_queue) == 1)
		explore_assert(wp__segqueue_depth(&lab_queue) == 1);
}

EXPLORE_TEST(queue_depth, .setup = size_2, .body = { push_pair, consume_1, look_at_depth },
	.check = lab_drain_and_end, .no_leaks = true);

/*
 * ---- the sleep bit: whoever takes it away has what the sleeper left behind, and the sleeper who
 * finds it gone has what was left for him ----
 */

static uint32_t bed, note;

static void arm_and_disarm(void)
{
	bed = 1;
	if (wp__segqueue_arm_sleep(&lab_queue))
		explore_assert(wp__segqueue_claimed(&lab_queue) == 0);
	if (!wp__segqueue_disarm_sleep(&lab_queue))
		explore_assert(note == 1);
}

static void push_and_wake(void)
{
	if (lab_push(0) != WP__PUSHED_WAKE)
		return;
	note = 1;
	if (wp__segqueue_disarm_sleep(&lab_queue))
		explore_assert(bed == 1);
}

EXPLORE_TEST(queue_sleep_hand_over, .setup = size_2, .body = { arm_and_disarm, push_and_wake },
	.check = lab_drain_and_end, .no_leaks = true);
