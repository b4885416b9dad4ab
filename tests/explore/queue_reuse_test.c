/* SPDX-License-Identifier: MIT */
/*
 * Segments and directory entries that are used again, as soon as possible: lanes that go round a
 * directory of two or four entries within one execution, old lanes whose laps and positions are
 * about to wrap, and queues that are made again in memory that was just freed.
 */
#include <wpool/queue.h>

#include "queue_lab.h"

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

static void push_34(void)
{
	lab_must_push(3);
	lab_must_push(4);
}

static void push_234(void)
{
	push_2();
	push_34();
}

static void consume_5_by_one(void)
{
	lab_claim_until(5, 1);
}

static void check_5(void)
{
	lab_all_taken(5);
}

/*
 * ---- memory: a producer that finds an entry free finds the segment that was in it, too, so that
 * one producer never touches more segments than the directory has entries ----
 */

static void half_way_through_the_first(void)
{
	lab_make(1, 2);
	explore_assert(lab_queue.directory_mask == 1);
	push_0();
	explore_assert(lab_claim(1) == 1);
	push_1();
}

static void as_many_as_entries(void)
{
	explore_assert(wp_load_rlx_u32(&lab_queue.pool.touched) <= 2);
	lab_all_taken(5);
}

EXPLORE_TEST(queue_memory, .setup = half_way_through_the_first,
	.body = { push_234, consume_5_by_one }, .check = as_many_as_entries, .no_leaks = true);

EXPLORE_TEST(queue_entry_reuse_2p1c, .setup = half_way_through_the_first,
	.body = { push_2, push_34, consume_5_by_one }, .check = check_5, .no_leaks = true);

EXPLORE_TEST(queue_entry_reuse_1p2c, .setup = half_way_through_the_first,
	.body = { push_234, consume_5_by_one, consume_5_by_one }, .check = check_5,
	.no_leaks = true);

/* ---- a consumer that is still copying out when the entry's turn comes again ---- */

static void one_slot(void)
{
	lab_make(2, 1);
	explore_assert(lab_queue.directory_mask == 3);
	push_0();
	push_1();
}

EXPLORE_TEST(queue_slow_copy, .setup = one_slot,
	.body = { push_234, consume_5_by_one, consume_5_by_one }, .check = check_5,
	.no_leaks = true);

/* ---- pages go back: only one free segment keeps its own ---- */

static void keep_one(void)
{
	struct wp__segqueue_options o = {
		.capacity = 3, .segment_size = 1, .segment_count = 2, .keep_free = 1
	};
	lab_make_with(&o);
	push_0();
	push_1();
}

EXPLORE_TEST(queue_keep_free, .setup = keep_one,
	.body = { push_234, consume_5_by_one, consume_5_by_one }, .check = check_5,
	.no_leaks = true);

/* ---- old lanes: the lap of an entry wraps at 2^16, a position at 2^64 ---- */

static void begin_at(uint64_t ticket, uint64_t capacity, uint32_t segment_size)
{
	struct wp__segqueue_options o = {
		.capacity = capacity, .segment_size = segment_size, .first_ticket = ticket
	};
	lab_make_with(&o);
	push_0();
	explore_assert(lab_claim(1) == 1);
	push_1();
}

static void before_last_lap_ends(void)
{
	begin_at((UINT64_C(1) << 16) * 2 * 2 - 2, 1, 2);
}

static void before_last_position(void)
{
	begin_at((UINT64_C(1) << 62) - 2, 1, 2);
}

static void before_last_position_fetch_add(void)
{
	begin_at((UINT64_C(1) << 62) - 4, 4, 2);
}

EXPLORE_TEST(queue_lap_wraps, .setup = before_last_lap_ends,
	.body = { push_2, push_34, consume_5_by_one }, .check = check_5, .no_leaks = true);

EXPLORE_TEST(queue_position_wraps, .setup = before_last_position,
	.body = { push_2, push_34, consume_5_by_one }, .check = check_5, .no_leaks = true);

EXPLORE_TEST(queue_position_wraps_far_from_full, .setup = before_last_position_fetch_add,
	.body = { push_2, push_34, consume_5_by_one }, .check = check_5, .no_leaks = true);

/*
 * ---- whole queues one after the other: the second is made in the memory of the first, or in no
 * memory that was ever used ----
 */

static wp_atomic_ptr shared;
static wp_atomic_u32 popped;

static void pass_through_two_queues(void)
{
	struct wp_queue_options o = WP_QUEUE_OPTIONS_INIT;
	o.capacity = 1;
	o.segment_size = 2;
	for (uint32_t i = 0; i < 2; i++) {
		struct wp_queue *q;
		explore_assert(wp_queue_create(&q, &o) == 0);
		struct wp_job job = lab_job(i);
		wp_store_rel_ptr(&shared, q);
		explore_assert(wp_queue_push(q, &job) == 0);
		while (wp_load_acq_u32(&popped) <= i)
			wp_spin_hint();
		wp_queue_destroy(q);
	}
}

static void pop_from_two_queues(void)
{
	for (uint32_t i = 0; i < 2; i++) {
		struct wp_queue *q;
		struct wp_job job;
		while (!(q = wp_load_acq_ptr(&shared)) || wp_queue_pop_many(q, &job, 1) == 0)
			wp_spin_hint();
		explore_assert(job.payload == &lab_taken_by[i]);
		wp_store_rlx_ptr(&shared, NULL);
		wp_store_rel_u32(&popped, i + 1);
	}
}

EXPLORE_TEST(queue_made_again, .body = { pass_through_two_queues, pop_from_two_queues },
	.reuse = EXPLORE_REUSE_LAST, .no_leaks = true);

EXPLORE_TEST(queue_made_anew, .body = { pass_through_two_queues, pop_from_two_queues },
	.reuse = EXPLORE_NEVER_REUSE, .no_leaks = true);

/*
 * ---- a late look: one consumer reads head, another takes that job and its segment is retired;
 * the late one must go on to the second job, which has been ready all the time ----
 */

static void two_ready(void)
{
	lab_make(4, 1);
	push_0();
	push_1();
}

static void claim_one_of_two(void)
{
	explore_assert(lab_claim(1) == 1);
}

static void check_2(void)
{
	lab_all_taken(2);
}

EXPLORE_TEST(queue_late_look, .setup = two_ready, .body = { claim_one_of_two, claim_one_of_two },
	.check = check_2, .no_leaks = true);

/*
 * ---- marks come round: in its third use a segment has the mark of its first. A consumer that
 * knows of no use but the first, and finds the entry of the third, must not take the old mark for
 * a job ----
 */

static void one_segment(void)
{
	lab_make(1, 1);
}

static void push_and_claim_two_push_third(void)
{
	push_0();
	(void)lab_claim(1);
	push_1();
	(void)lab_claim(1);
	push_2();
}

static void look_once(void)
{
	(void)lab_claim(1);
}

static void take_the_rest(void)
{
	while (lab_claim(1))
		;
	lab_all_taken(3);
}

EXPLORE_TEST(queue_marks_come_round, .setup = one_segment,
	.body = { push_and_claim_two_push_third, look_once }, .check = take_the_rest,
	.no_leaks = true);
