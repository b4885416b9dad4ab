/* SPDX-License-Identifier: MIT */
/*
 * A lane with one producer: push against claim, sleep, close and count. Each test exists twice:
 * where the other side's membarrier executes the producer's fence, and where there is none.
 */
#include "queue/single.h"

#include <wpool/error.h>

#include "base/os.h"
#include "queue_lab.h"

static struct wp__single producer;

static void make(uint64_t capacity, uint32_t segment_size, bool light)
{
	struct wp__segqueue_options o = {
		.capacity = capacity, .segment_size = segment_size, .single = true, .light = light
	};
	lab_make_with(&o);
	wp__single_init(&producer, &lab_queue);
}

/* TEST(name, capacity, segment size, check, bodies...) */
#define TEST(name, capacity, size, at_end, ...)                                           \
	static void name##_light(void)                                                    \
	{                                                                                 \
		make(capacity, size, true);                                               \
	}                                                                                 \
	static void name##_fence(void)                                                    \
	{                                                                                 \
		make(capacity, size, false);                                              \
	}                                                                                 \
	EXPLORE_TEST(single_##name, .setup = name##_light, .body = { __VA_ARGS__ },       \
		.check = at_end, .no_leaks = true);                                       \
	EXPLORE_TEST(single_fence_##name, .setup = name##_fence, .body = { __VA_ARGS__ }, \
		.check = at_end, .no_leaks = true)

static int push(uint32_t number)
{
	struct wp_job job = lab_job(number);
	int r = wp__single_push(&producer, &job);
	explore_assert(r >= 0 || r == WP_EFULL || r == WP_ECLOSED);
	wp_add_rlx_u32(&lab_accepted, r >= 0);
	return r;
}

/* Waits for room. False: closed. */
static bool push_one(uint32_t number)
{
	int r;
	while ((r = push(number)) == WP_EFULL)
		(void)wp__room_wait(&lab_queue, UINT64_MAX);
	return r >= 0;
}

static void push_n(uint32_t from, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		explore_assert(push_one(from + i));
}

/* ---- push against claim ---- */

static void push_3(void)
{
	push_n(0, 3);
}

static void claim_3(void)
{
	lab_claim_until(3, 4);
}

static void claim_3_by_one(void)
{
	lab_claim_until(3, 1);
}

static void check_3(void)
{
	lab_all_taken(3);
}

TEST(pair_size1, 8, 1, check_3, push_3, claim_3);
TEST(pair_size2, 8, 2, check_3, push_3, claim_3);
TEST(three_size1, 8, 1, check_3, push_3, claim_3_by_one, claim_3);
TEST(three_size2, 8, 2, check_3, push_3, claim_3_by_one, claim_3);
TEST(full, 1, 1, check_3, push_3, claim_3);
TEST(full_2c, 1, 2, check_3, push_3, claim_3_by_one, claim_3);

/* The marks of the segment in use mean what they meant in its first use, and before it in none. */
static void push_7(void)
{
	push_n(0, 7);
}

static void claim_7(void)
{
	lab_claim_until(7, 2);
}

static void check_7(void)
{
	lab_all_taken(7);
}

TEST(marks_come_round, 2, 2, check_7, push_7, claim_7);
TEST(marks_come_round_2c, 1, 1, check_7, push_7, claim_7, claim_7);

static void push_3_at_once(void)
{
	struct wp_job jobs[3] = { lab_job(0), lab_job(1), lab_job(2) };
	for (size_t done = 0, n; done < 3; done += n) {
		int r = wp__single_push_some(&producer, jobs + done, 3 - done, &n);
		explore_assert((r >= 0) == (n > 0));
		wp_add_rlx_u32(&lab_accepted, (uint32_t)n);
		if (r == WP_EFULL)
			(void)wp__room_wait(&lab_queue, UINT64_MAX);
	}
}

TEST(some, 8, 2, check_3, push_3_at_once, claim_3, claim_3_by_one);
TEST(some_full, 2, 2, check_3, push_3_at_once, claim_3_by_one);

/* ---- close ---- */

static bool close_lane(void)
{
	bool mine = false;
	if (wp__single_begin_close(&lab_queue)) {
		wp__single_heavy_fence(lab_queue.light);
		mine = wp__single_finish_close(&lab_queue);
	}
	explore_assert(wp__segqueue_is_closed(&lab_queue));
	return mine;
}

static void close_only(void)
{
	explore_assert(close_lane());
}

static void push_2_or_closed(void)
{
	if (!push_one(0)) {
		explore_assert(push(1) == WP_ECLOSED);
		return;
	}
	(void)push_one(1);
}

/* All that was promised can be claimed, and nobody counts more than that at any time after. */
static void close_and_claim(void)
{
	explore_assert(close_lane());
	uint64_t promised = wp__segqueue_accepted(&lab_queue);
	explore_assert(wp__segqueue_depth(&lab_queue) <= promised);
	while (wp_load_acq_u32(&lab_consumed) < promised)
		if (!lab_claim(4))
			wp_spin_hint();
	explore_assert(wp__segqueue_accepted(&lab_queue) == promised);
	explore_assert(wp__segqueue_depth(&lab_queue) == 0);
	explore_assert(wp__segqueue_is_empty(&lab_queue));
}

static void claim_until_closed(void)
{
	lab_claim_until_closed(2);
}

TEST(close, 8, 1, lab_drain_and_end, push_2_or_closed, close_and_claim);
TEST(close_2c, 8, 2, lab_drain_and_end, push_2_or_closed, close_only, claim_until_closed);
TEST(close_full, 1, 1, lab_drain_and_end, push_2_or_closed, close_only);
TEST(close_full_2c, 1, 1, lab_drain_and_end, push_2_or_closed, close_and_claim);

/* Whoever's close has returned gets nothing in any more, though another began it. */
static wp_atomic_u32 closers;

static void close_first(void)
{
	wp_add_rlx_u32(&closers, close_lane());
}

static void close_and_push(void)
{
	(void)push(0);
	wp_add_rlx_u32(&closers, close_lane());
	explore_assert(push(1) == WP_ECLOSED);
}

static void closed_once(void)
{
	explore_assert(wp_load_rlx_u32(&closers) == 1);
	lab_drain_and_end();
}

TEST(close_twice, 8, 2, closed_once, close_first, close_and_push);

/* ---- slots that are filled in place ---- */

static uint32_t reserve(uint32_t from, size_t n)
{
	int error = 0;
	struct wp_job *slots = wp__single_reserve(&producer, &n, &error);
	explore_assert(slots || error == WP_ECLOSED || error == WP_EFULL);
	for (uint32_t i = 0; slots && i < n; i++)
		slots[i] = lab_job(from + i);
	return slots ? (uint32_t)n : 0;
}

static bool commit(uint32_t n)
{
	int r = wp__single_commit(&producer, n);
	explore_assert(r == 0 || r == WP_ECLOSED);
	wp_add_rlx_u32(&lab_accepted, r < 0 ? 0 : n);
	return r == 0;
}

static void fill_and_commit(void)
{
	if (reserve(0, 3) == 2) /* up to the segment's end */
		(void)commit(2);
	if (reserve(2, 2) == 2 && commit(1))
		(void)commit(1);
}

static void all_or_none(void)
{
	while (lab_claim(4))
		;
	explore_assert(!lab_taken_by[0] == !lab_taken_by[1]);
	explore_assert(!lab_taken_by[3] || lab_taken_by[2]);
	lab_drain_and_end();
}

TEST(commit_close, 8, 2, all_or_none, fill_and_commit, close_only);
TEST(commit_close_2c, 8, 2, all_or_none, fill_and_commit, close_only, claim_until_closed);

static void fill_3(void)
{
	explore_assert(reserve(0, 1) == 1 && commit(0) && commit(1));
	explore_assert(reserve(1, 9) == 1 && commit(1));
	explore_assert(reserve(2, 1) == 1 && commit(1));
}

TEST(commit, 8, 2, check_3, fill_3, claim_3, claim_3_by_one);

/* ---- counts: a ticket that came too late was never accepted ---- */

static wp_atomic_u64 counted;

static void count(void)
{
	uint64_t before = wp__segqueue_accepted(&lab_queue);
	uint64_t after = wp__segqueue_accepted(&lab_queue);
	explore_assert(before <= after);
	wp_store_rlx_u64(&counted, after);
}

static void push_1_or_closed(void)
{
	(void)push(0);
}

static void counted_right(void)
{
	explore_assert(wp_load_rlx_u64(&counted) <= wp__segqueue_accepted(&lab_queue));
	lab_drain_and_end();
}

TEST(count, 8, 2, counted_right, push_1_or_closed, close_only, count);

/* ---- sleep ---- */

static wp_atomic_u32 bell;
/* Whether consumers know of the lane; plain: it belongs to whoever changed ASLEEP last. */
static bool listed;

static void ring(void)
{
	wp_add_rel_u32(&bell, 1);
	wp__os_futex_wake(&bell, UINT32_MAX);
}

static void push_and_ring(uint32_t number)
{
	int r = push(number);
	explore_assert(r >= 0);
	if (r == WP__PUSHED_WAKE && wp__single_wake(&lab_queue)) {
		explore_assert(!listed);
		listed = true;
		ring();
	}
}

/* One consumer: takes the lane off the list, sleeps until it is there again. */
static void claim_asleep(uint32_t n)
{
	while (wp_load_rlx_u32(&lab_consumed) < n) {
		uint32_t rung = wp_load_acq_u32(&bell);
		if (lab_claim(4))
			continue;
		listed = false;
		wp__single_put_to_sleep(&lab_queue);
		wp__single_heavy_fence(lab_queue.light);
		if (wp__segqueue_is_empty(&lab_queue)) {
			while (wp_load_acq_u32(&bell) == rung)
				wp__os_futex_wait(&bell, rung, UINT64_MAX);
			explore_assert(listed);
		} else if (wp__single_wake(&lab_queue)) {
			/* A job is on its way. */
			listed = true;
			wp_spin_hint();
		} else {
			/* The producer was faster. */
			while (wp_load_acq_u32(&bell) == rung)
				wp_spin_hint();
		}
	}
}

static void push_1_and_ring(void)
{
	push_and_ring(0);
}

static void push_2_and_ring(void)
{
	push_and_ring(0);
	push_and_ring(1);
}

static void claim_1_asleep(void)
{
	claim_asleep(1);
}

static void claim_2_asleep(void)
{
	claim_asleep(2);
}

static void check_1(void)
{
	lab_all_taken(1);
}

static void check_2(void)
{
	lab_all_taken(2);
}

TEST(sleep, 8, 1, check_1, push_1_and_ring, claim_1_asleep);
TEST(sleep_2, 8, 2, check_2, push_2_and_ring, claim_2_asleep);

static void commit_and_ring(void)
{
	explore_assert(reserve(0, 2) == 2);
	int r = wp__single_commit(&producer, 2);
	explore_assert(r >= 0);
	wp_add_rlx_u32(&lab_accepted, 2);
	if (r == WP__PUSHED_WAKE && wp__single_wake(&lab_queue)) {
		listed = true;
		ring();
	}
}

TEST(sleep_commit, 8, 2, check_2, commit_and_ring, claim_2_asleep);

/* Whoever put the lane to sleep does not wait: each of three may be the one who wakes it. */
static wp_atomic_u32 wakers;
static uint32_t state;

static void put_to_sleep(void)
{
	state = 1;
	wp__single_put_to_sleep(&lab_queue);
	wp__single_heavy_fence(lab_queue.light);
	if (!wp__segqueue_is_empty(&lab_queue) && wp__single_wake(&lab_queue)) {
		state++;
		wp_add_rlx_u32(&wakers, 1);
	}
}

static void wake(void)
{
	if (wp__single_wake(&lab_queue)) {
		state++;
		wp_add_rlx_u32(&wakers, 1);
	}
}

static void push_and_wake(void)
{
	int r = push(0);
	explore_assert(r >= 0);
	if (r == WP__PUSHED_WAKE)
		wake();
}

static void woken_once(void)
{
	bool asleep = wp_load_rlx_u32(&lab_queue.signal) & WP__SIGNAL_ASLEEP;
	explore_assert(!asleep && wp_load_rlx_u32(&wakers) == 1 && state == 2);
	lab_drain_and_end();
}

TEST(woken_once, 8, 1, woken_once, put_to_sleep, push_and_wake, wake);

/* Asleep and closed at once: the job is in time or refused, and the lane is made known if it is. */
static void close_then_look(void)
{
	close_only();
	if (!wp__segqueue_is_empty(&lab_queue))
		wake();
}

static void push_sleeper_or_closed(void)
{
	if (push(0) == WP__PUSHED_WAKE)
		wake();
}

static void not_left_asleep(void)
{
	bool asleep = wp_load_rlx_u32(&lab_queue.signal) & WP__SIGNAL_ASLEEP;
	explore_assert(!asleep || wp_load_rlx_u32(&lab_accepted) == 0);
	explore_assert(wp_load_rlx_u32(&wakers) == !asleep);
	lab_drain_and_end();
}

TEST(sleep_close, 8, 1, not_left_asleep, put_to_sleep, push_sleeper_or_closed, close_then_look);
