/* SPDX-License-Identifier: MIT */
/*
 * Easy tickets (queue/place.h): a push that looks at nothing but tail, against everything else that
 * is decided there or by other words: a close, a sleeper, a batch by the same thread that moves its
 * place, another lane in between, and a limit that a producer without a ticket waits at.
 */
#include <wpool/error.h>

#include "base/os.h"
#include "queue_lab.h"

/* Far from full until the last two: the second and third push of a block are easy. */
static void one_block(void)
{
	lab_make(8, 8);
}

static void small_blocks(void)
{
	lab_make(8, 3);
}

static void push_n(uint32_t from, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		lab_must_push(from + i);
}

/* ---- close: the first that is refused is the last that is tried ---- */

static void push_until_closed(uint32_t from, uint32_t n)
{
	uint32_t i = 0;
	while (i < n && lab_push(from + i) >= 0)
		i++;
	if (i < n)
		explore_assert(lab_push(from + i) == WP_ECLOSED);
}

static void push_0_to_3_or_closed(void)
{
	push_until_closed(0, 4);
}

static void push_4_to_6_or_closed(void)
{
	push_until_closed(4, 3);
}

static void close_then_claim(void)
{
	lab_close();
	uint64_t promised = wp__segqueue_accepted(&lab_queue);
	while (wp_load_acq_u32(&lab_consumed) < promised)
		if (!lab_claim(4))
			wp_spin_hint();
	explore_assert(wp__segqueue_accepted(&lab_queue) == promised);
}

EXPLORE_TEST(easy_close, .setup = one_block, .body = { push_0_to_3_or_closed, close_then_claim },
	.check = lab_drain_and_end, .no_leaks = true);

EXPLORE_TEST(easy_close_2p, .setup = small_blocks,
	.body = { push_0_to_3_or_closed, push_4_to_6_or_closed, close_then_claim },
	.check = lab_drain_and_end, .no_leaks = true);

/* ---- a sleeper is told by an easy push as by any other ---- */

static wp_atomic_u32 bell;

static void push_3_and_ring(void)
{
	for (uint32_t i = 0; i < 3; i++) {
		if (lab_push(i) != WP__PUSHED_WAKE)
			continue;
		/* Who takes the bit away wakes. */
		if (wp__segqueue_disarm_sleep(&lab_queue)) {
			wp_add_rel_u32(&bell, 1);
			wp__os_futex_wake(&bell, 1);
		}
	}
}

static void claim_3_asleep(void)
{
	while (wp_load_rlx_u32(&lab_consumed) < 3) {
		uint32_t rung = wp_load_acq_u32(&bell);
		if (lab_claim(2))
			continue;
		if (wp__segqueue_arm_sleep(&lab_queue))
			wp__os_futex_wait(&bell, rung, UINT64_MAX);
		else
			wp_spin_hint();
		wp__segqueue_disarm_sleep(&lab_queue);
	}
}

static void check_3(void)
{
	lab_all_taken(3);
}

EXPLORE_TEST(easy_sleep, .setup = one_block, .body = { push_3_and_ring, claim_3_asleep },
	.check = check_3, .no_leaks = true);

/* ---- batches in between, which may move the place to another block ---- */

static void push_alone_and_many(void)
{
	push_n(0, 2);
	lab_must_push_many(2, 2);
	push_n(4, 2);
}

static void push_3_alone(void)
{
	push_n(6, 3);
}

static void consume_9(void)
{
	lab_claim_until(9, 4);
}

static void check_9(void)
{
	lab_all_taken(9);
}

EXPLORE_TEST(easy_and_many, .setup = small_blocks,
	.body = { push_alone_and_many, push_3_alone, consume_9 }, .check = check_9,
	.no_leaks = true);

/* ---- another lane in between ---- */

static struct wp__segqueue other;
static uint32_t other_taken[3];

static void two_lanes(void)
{
	struct wp__segqueue_options o = { .capacity = 4, .segment_size = 3 };
	one_block();
	explore_assert(wp__segqueue_init(&other, &o) == 0);
}

static int no_job(void *payload)
{
	(void)payload;
	return 0;
}

static void push_in_turn(void)
{
	for (uint32_t i = 0; i < 3; i++) {
		struct wp_job job = { .fn = no_job, .payload = &other_taken[i] };
		lab_must_push(i);
		explore_assert(wp__segqueue_push(&other, &job) >= 0);
		lab_must_push(3 + i);
	}
}

static void consume_other(void)
{
	for (uint32_t taken = 0; taken < 3;) {
		struct wp_job out;
		struct wp__claim claim;
		if (!wp__segqueue_claim(&other, &out, 1, 1, 1, &claim)) {
			wp_spin_hint();
			continue;
		}
		explore_assert(out.payload == &other_taken[taken]);
		other_taken[taken++] = 1;
	}
}

static void consume_6(void)
{
	lab_claim_until(6, 2);
}

static void both_taken(void)
{
	explore_assert(wp__segqueue_is_valid(&other));
	wp__segqueue_fini(&other);
	lab_all_taken(6);
}

EXPLORE_TEST(easy_two_lanes, .setup = two_lanes, .body = { push_in_turn, consume_other, consume_6 },
	.check = both_taken, .no_leaks = true);

/* ---- the limit: easy tickets, one that is waited with, and one who waits without ---- */

static void two_of_four(void)
{
	lab_make(4, 8);
	push_n(0, 2);
}

static void push_2_to_4(void)
{
	push_n(2, 3);
}

static void push_5_6(void)
{
	push_n(5, 2);
}

static void push_7_exactly(void)
{
	lab_must_push_many(7, 1);
}

static void consume_8_for_four(void)
{
	while (wp_load_acq_u32(&lab_consumed) < 8)
		if (!lab_claim_share(2, 1, 4))
			wp_spin_hint();
	wp__segqueue_offer_room(&lab_queue);
}

static void check_8(void)
{
	lab_all_taken(8);
}

EXPLORE_TEST(easy_to_the_limit, .setup = two_of_four,
	.body = { push_2_to_4, push_5_6, push_7_exactly, consume_8_for_four }, .check = check_8,
	.no_leaks = true);
