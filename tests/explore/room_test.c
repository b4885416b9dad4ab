/* SPDX-License-Identifier: MIT */
/* Room: exact capacity, producers that wait for room, with and without a ticket. */
#include <wpool/error.h>

#include "base/os.h"
#include "queue_lab.h"

static void push_1(void)
{
	lab_must_push(1);
}

static void push_2(void)
{
	lab_must_push(2);
}

static void push_3(void)
{
	lab_must_push(3);
}

static void push_4(void)
{
	lab_must_push(4);
}

static void full_with_one(void)
{
	lab_make(1, 1);
	lab_must_push(0);
}

static void full_with_two(void)
{
	lab_make(2, 2);
	lab_must_push(0);
	lab_must_push(1);
}

static void check_3(void)
{
	lab_all_taken(3);
}

static void check_4(void)
{
	lab_all_taken(4);
}

static void check_5(void)
{
	lab_all_taken(5);
}

/* ---- exact: as many as the capacity go in, and no refusal comes too early ---- */

static void empty_of_two(void)
{
	lab_make(2, 2);
	/* One went through, so that the limit which producers read is out of date. */
	lab_must_push(0);
	explore_assert(lab_claim(1) == 1);
}

static void try_number(uint32_t number)
{
	int r = lab_push_until(number, 0);
	explore_assert(r == 0 || r == WP_EFULL);
}

static void try_1(void)
{
	try_number(1);
}

static void try_2(void)
{
	try_number(2);
}

static void try_3(void)
{
	try_number(3);
}

static void two_went_in(void)
{
	explore_assert(wp_load_rlx_u32(&lab_accepted) == 3);
	explore_assert(wp__segqueue_depth(&lab_queue) == 2);
	lab_drain_and_end();
}

EXPLORE_TEST(room_exact_3p, .setup = empty_of_two, .body = { try_1, try_2, try_3 },
	.check = two_went_in, .no_leaks = true);

static void try_pair(void)
{
	explore_assert(lab_push_some(1, 2) <= 2);
}

EXPLORE_TEST(room_exact_many, .setup = empty_of_two, .body = { try_pair, try_3 },
	.check = two_went_in, .no_leaks = true);

static wp_atomic_u32 claimed_one;

static void claim_and_tell(void)
{
	explore_assert(lab_claim(1) == 1);
	wp_store_rel_u32(&claimed_one, 1);
}

/* Whoever knows of the claim finds the room. */
static void push_when_told(void)
{
	bool told = wp_load_acq_u32(&claimed_one);
	int r = lab_push_until(1, 0);
	explore_assert(told ? r == 0 : r == 0 || r == WP_EFULL);
}

EXPLORE_TEST(room_is_known, .setup = full_with_one, .body = { claim_and_tell, push_when_told },
	.check = lab_drain_and_end, .no_leaks = true);

/* ---- several wait ---- */

static void consume_3(void)
{
	lab_claim_until(3, 4);
}

static void consume_4(void)
{
	lab_claim_until(4, 4);
}

EXPLORE_TEST(room_2p1c, .setup = full_with_one, .body = { push_1, push_2, consume_3 },
	.check = check_3, .no_leaks = true);

EXPLORE_TEST(room_3p1c, .setup = full_with_one, .body = { push_1, push_2, push_3, consume_4 },
	.check = check_4, .no_leaks = true);

EXPLORE_TEST(room_2p2c, .setup = full_with_two, .body = { push_2, push_3, consume_4, consume_4 },
	.check = check_4, .no_leaks = true);

/*
 * ---- the last one who leaves clears WAITERS, though somebody else has just come ----
 *
 * Nothing is claimed before the first has given up; its deadline has passed when it would sleep.
 */

static void give_up_then_consume(void)
{
	explore_assert(lab_push_until(2, wp__os_now_ns() + 1) == WP_ETIMEDOUT);
	lab_claim_until(2, 1);
}

static void check_2(void)
{
	lab_all_taken(2);
}

EXPLORE_TEST(room_leave_against_join, .setup = full_with_one,
	.body = { give_up_then_consume, push_1 }, .check = check_2, .no_leaks = true,
	.weak_failures = -1, .spurious = -1, .rushes = -1);

/* ---- consumers that wake only when there is much room ---- */

static void consume_one_for_two(void)
{
	explore_assert(lab_claim_share(1, 1, 2) == 1);
	wp__segqueue_offer_room(&lab_queue);
}

EXPLORE_TEST(room_offered, .setup = full_with_two, .body = { push_2, consume_one_for_two },
	.check = lab_drain_and_end, .no_leaks = true);

static void full_and_patient(void)
{
	struct wp__segqueue_options o = { .capacity = 2, .segment_size = 2, .room_patience = 1000 };
	lab_make_with(&o);
	lab_must_push(0);
	lab_must_push(1);
}

static void consume_one_and_forget(void)
{
	explore_assert(lab_claim_share(1, 1, 2) == 1);
}

EXPLORE_TEST(room_patience, .setup = full_and_patient, .body = { push_2, consume_one_and_forget },
	.check = lab_drain_and_end, .no_leaks = true);

/*
 * ---- woken in vain, again and again: what is left to the patience is not later for it. Time jumps
 * only when nobody can run, so what the producer waits is its sleep ----
 */

#define PATIENCE_NS UINT64_C(1000)

static wp_atomic_u64 claimed_at;

static void push_after_the_claim(void)
{
	lab_must_push(2);
	explore_assert(wp__os_now_ns() <= wp_load_rlx_u64(&claimed_at) + 4 * PATIENCE_NS);
}

static void wake_in_vain_then_claim(void)
{
	for (unsigned i = 0; i < 8; i++) {
		wp__os_sleep(PATIENCE_NS / 4);
		wp__room_wake(&lab_queue, UINT32_MAX);
	}
	wp__os_sleep(PATIENCE_NS / 4);
	wp_store_rlx_u64(&claimed_at, wp__os_now_ns());
	consume_one_and_forget();
}

EXPLORE_TEST(room_patience_stays, .setup = full_and_patient,
	.body = { push_after_the_claim, wake_in_vain_then_claim }, .check = lab_drain_and_end,
	.no_leaks = true, .timeouts = -1, .stale = -1, .weak_failures = -1, .spurious = -1);

/*
 * ---- woken a few at a time: without patience, which would make up for a lost wake-up. With a
 * wake_room of three of four, only the claim that empties the lane wakes the second in the end ----
 */

static void full_with_four_in_turn(void)
{
	lab_make(4, 4);
	lab_queue.room.in_turn = true;
	for (uint32_t i = 0; i < 4; i++)
		lab_must_push(i);
}

static void push_5(void)
{
	lab_must_push(5);
}

static void push_6(void)
{
	lab_must_push(6);
}

static void push_4_and_6(void)
{
	lab_must_push(4);
	lab_must_push(6);
}

static void consume_one_by_one(uint32_t n, uint64_t wake_room)
{
	while (wp_load_acq_u32(&lab_consumed) < n)
		if (!lab_claim_share(1, 1, wake_room))
			wp_spin_hint();
}

static void consume_6_in_ones(void)
{
	consume_one_by_one(6, 1);
}

static void consume_7_in_ones(void)
{
	consume_one_by_one(7, 1);
}

static void consume_7_for_three(void)
{
	consume_one_by_one(7, 3);
}

static void six_taken(void)
{
	lab_all_taken(6);
}

static void check_7(void)
{
	lab_all_taken(7);
}

EXPLORE_TEST(room_in_turn, .setup = full_with_four_in_turn,
	.body = { push_4, push_5, consume_6_in_ones }, .check = six_taken, .no_leaks = true);

EXPLORE_TEST(room_in_turn_again, .setup = full_with_four_in_turn,
	.body = { push_4_and_6, push_5, consume_7_for_three }, .check = check_7, .no_leaks = true);

EXPLORE_TEST(room_in_turn_2c, .setup = full_with_four_in_turn,
	.body = { push_4_and_6, push_5, consume_7_in_ones, consume_7_for_three }, .check = check_7,
	.no_leaks = true);

/* One gives up, and may have been the only one woken. */
static void give_up_4(void)
{
	int r = lab_push_until(4, wp__os_now_ns() + 1000);
	explore_assert(r >= 0 || r == WP_ETIMEDOUT);
}

static void consume_all_for_three(void)
{
	/* Four were there, and 5 and 6 will go in; 4 may. */
	while (!lab_taken_by[5] || !lab_taken_by[6])
		if (!lab_claim_share(1, 1, 3))
			wp_spin_hint();
}

EXPLORE_TEST(room_in_turn_given_up, .setup = full_with_four_in_turn,
	.body = { give_up_4, push_5, push_6, consume_all_for_three }, .check = lab_drain_and_end,
	.no_leaks = true);

/*
 * ---- tickets that need no further look (queue/place.h): never more jobs inside than there is room
 * for, although the block goes on beyond the limit; and none in a block that is not theirs ----
 */

static void little_room_in_a_large_block(void)
{
	lab_make(4, 8);
}

static void room_in_small_blocks(void)
{
	lab_make(8, 3);
}

static void push_within_capacity(uint32_t number)
{
	lab_must_push(number);
	/* Read-modify-writes, which read no old value; head last, so it is not too low. */
	uint32_t accepted = wp_add_rlx_u32(&lab_accepted, 0);
	uint64_t head = wp_add_rlx_u64(&lab_queue.head, 0) & WP__POSITION;
	uint64_t most = head - lab_queue.first + lab_queue.capacity_span;
	explore_assert(accepted * WP__TICKET_ONE <= most);
}

static void push_0_to_4(void)
{
	for (uint32_t i = 0; i < 5; i++)
		push_within_capacity(i);
}

static void push_5_to_9(void)
{
	for (uint32_t i = 5; i < 10; i++)
		push_within_capacity(i);
}

static void consume_10(void)
{
	lab_claim_until(10, 2);
}

static void check_10(void)
{
	lab_all_taken(10);
}

EXPLORE_TEST(room_easy_2p, .setup = little_room_in_a_large_block,
	.body = { push_0_to_4, push_5_to_9, consume_10 }, .check = check_10, .no_leaks = true);

EXPLORE_TEST(room_easy_blocks, .setup = room_in_small_blocks,
	.body = { push_0_to_4, push_5_to_9, consume_10 }, .check = check_10, .no_leaks = true);

/*
 * ---- holders: two that read "far from full" take the last ticket and one beyond the limit, and
 * the latter waits with it ----
 */

static void three_of_four(void)
{
	lab_make(4, 4);
	lab_must_push(0);
	lab_must_push(1);
	lab_must_push(2);
	explore_assert(!wp_load_rlx_u32(&lab_queue.near));
}

/* As large a claim as there is, and a wake-up only for as much room: a holder is woken at once. */
static void consume_5_for_four(void)
{
	while (wp_load_acq_u32(&lab_consumed) < 5)
		if (!lab_claim_share(4, 1, 4))
			wp_spin_hint();
}

EXPLORE_TEST(room_holder, .setup = three_of_four, .body = { push_3, push_4, consume_5_for_four },
	.check = check_5, .no_leaks = true);

static void consume_5(void)
{
	lab_claim_until(5, 1);
}

EXPLORE_TEST(room_holder_2c, .setup = three_of_four,
	.body = { push_3, push_4, consume_5, consume_5 }, .check = check_5, .no_leaks = true);

static void push_3_or_closed(void)
{
	lab_push_or_closed(3);
}

static void push_4_or_closed(void)
{
	lab_push_or_closed(4);
}

EXPLORE_TEST(room_holder_closed, .setup = three_of_four,
	.body = { push_3_or_closed, push_4_or_closed, lab_close }, .check = lab_drain_and_end,
	.no_leaks = true);

/* A holder and one without a ticket: a wake-up meant for one must not be lost on the other. */
static void try_2_patiently(void)
{
	lab_must_push_many(5, 1);
}

static void consume_6_for_four(void)
{
	while (wp_load_acq_u32(&lab_consumed) < 6)
		if (!lab_claim_share(4, 1, 4))
			wp_spin_hint();
	wp__segqueue_offer_room(&lab_queue);
}

EXPLORE_TEST(room_holder_and_waiter, .setup = three_of_four,
	.body = { push_3, push_4, try_2_patiently, consume_6_for_four }, .check = six_taken,
	.no_leaks = true);
