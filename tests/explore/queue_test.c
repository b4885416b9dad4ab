/* SPDX-License-Identifier: MIT */
/* The segmented queue, with segments so small that every corner is a few operations away. */
#include <wpool/error.h>

#include "base/os.h"
#include "explore.h"
#include "queue/segqueue.h"

#define JOBS_MAX 8u

static struct wp__segqueue queue;
/* Who took the job of a number; 0 nobody. Written as plain memory by whoever claimed it. */
static uint32_t taken_by[JOBS_MAX];
static wp_atomic_u32 accepted, consumed;

static int no_job(void *payload)
{
	(void)payload;
	return 0;
}

static void make_queue(uint64_t capacity, uint32_t segment_size)
{
	struct wp__segqueue_options o = { .capacity = capacity, .segment_size = segment_size };
	explore_assert(wp__segqueue_init(&queue, &o) == 0);
}

static int push(uint32_t number)
{
	struct wp_job job = { .fn = no_job, .payload = &taken_by[number] };
	int r = wp__segqueue_push(&queue, &job);
	if (r >= 0)
		wp_add_rlx_u32(&accepted, 1);
	return r;
}

/* Claims once; counts what it got. Each job once, tickets without gaps, first in first out. */
static bool claim(uint32_t max)
{
	struct wp_job out[JOBS_MAX];
	struct wp__claim c;
	if (!wp__segqueue_claim(&queue, out, max, 1, 1, &c))
		return false;
	explore_assert(c.count >= 1 && c.count <= max);
	for (uint32_t i = 0; i < c.count; i++) {
		uint32_t *at = out[i].payload;
		explore_assert(out[i].fn == no_job);
		explore_assert(at >= taken_by && at < taken_by + JOBS_MAX);
		explore_assert(*at == 0);
		*at = explore_self() + 1;
	}
	wp_add_rlx_u32(&consumed, c.count);
	return true;
}

static void claim_until(uint32_t n, uint32_t max)
{
	while (wp_load_acq_u32(&consumed) < n)
		if (!claim(max))
			wp_spin_hint();
}

static void all_taken(uint32_t n)
{
	explore_assert(wp_load_rlx_u32(&consumed) == n);
	explore_assert(wp__segqueue_accepted(&queue) == n);
	explore_assert(wp__segqueue_claimed(&queue) == n);
	explore_assert(wp__segqueue_depth(&queue) == 0);
	explore_assert(wp__segqueue_is_valid(&queue));
	wp__segqueue_fini(&queue);
}

/* ---- two producers, consumers that stop when all is taken ---- */

static void small_segments(void)
{
	make_queue(8, 1);
}

static void pair_segments(void)
{
	make_queue(8, 2);
}

static void push_0(void)
{
	explore_assert(push(0) >= 0);
}

static void push_1(void)
{
	explore_assert(push(1) >= 0);
}

static void push_01(void)
{
	push_0();
	push_1();
}

static void push_23(void)
{
	explore_assert(push(2) >= 0);
	explore_assert(push(3) >= 0);
}

static void consume_2(void)
{
	claim_until(2, 4);
}

static void consume_4(void)
{
	claim_until(4, 4);
}

static void consume_4_by_one(void)
{
	claim_until(4, 1);
}

static void check_n(uint32_t n)
{
	all_taken(n);
	for (uint32_t i = 0; i < n; i++)
		explore_assert(taken_by[i] != 0);
}

static void check_2(void)
{
	check_n(2);
}

static void check_4(void)
{
	check_n(4);
}

EXPLORE_TEST(queue_1p1c_size1, .setup = small_segments, .body = { push_01, consume_2 },
	.check = check_2, .no_leaks = true);

EXPLORE_TEST(queue_2p1c_size1, .setup = small_segments, .body = { push_0, push_1, consume_2 },
	.check = check_2, .no_leaks = true);

EXPLORE_TEST(queue_2p1c_size2, .setup = pair_segments, .body = { push_0, push_1, consume_2 },
	.check = check_2, .no_leaks = true);

EXPLORE_TEST(queue_2p2c_size1, .setup = small_segments,
	.body = { push_01, push_23, consume_4, consume_4 }, .check = check_4, .no_leaks = true);

EXPLORE_TEST(queue_2p2c_size2, .setup = pair_segments,
	.body = { push_01, push_23, consume_4, consume_4_by_one }, .check = check_4,
	.no_leaks = true);

/* ---- first in, first out: one producer's jobs in order, to one consumer ---- */

static void consume_in_order(void)
{
	for (uint64_t next = 0; next < 4;) {
		struct wp_job out[2];
		struct wp__claim c;
		if (!wp__segqueue_claim(&queue, out, 2, 1, 1, &c)) {
			wp_spin_hint();
			continue;
		}
		explore_assert(c.ticket == next);
		for (uint32_t i = 0; i < c.count; i++, next++)
			explore_assert(out[i].payload == &taken_by[next]);
	}
}

static void push_0123(void)
{
	push_01();
	push_23();
}

static void finish_queue(void)
{
	explore_assert(wp__segqueue_is_valid(&queue));
	wp__segqueue_fini(&queue);
}

EXPLORE_TEST(queue_fifo, .setup = pair_segments, .body = { push_0123, consume_in_order },
	.check = finish_queue, .no_leaks = true);

/* ---- a full queue: producers sleep until there is room ---- */

static void room_for_one(void)
{
	make_queue(1, 1);
}

EXPLORE_TEST(queue_full_1p1c, .setup = room_for_one, .body = { push_01, consume_2 },
	.check = check_2, .no_leaks = true);

EXPLORE_TEST(queue_full_2p1c, .setup = room_for_one, .body = { push_0, push_1, consume_2 },
	.check = check_2, .no_leaks = true);

EXPLORE_TEST(queue_full_2p2c, .setup = room_for_one,
	.body = { push_01, push_23, consume_4, consume_4 }, .check = check_4, .no_leaks = true);

/* ---- full: one waits, one gives up at its deadline and passes a wake-up on ---- */

static wp_atomic_u32 pushers_done;

static void room_is_taken(void)
{
	make_queue(1, 1);
	push_0();
}

static void push_patiently(void)
{
	push_1();
	wp_add_rel_u32(&pushers_done, 1);
}

static void push_until_deadline(void)
{
	struct wp_job job = { .fn = no_job, .payload = &taken_by[2] };
	int r = wp__segqueue_push_until(&queue, &job, wp__os_now_ns() + 1000);
	explore_assert(r >= 0 || r == WP_ETIMEDOUT);
	if (r >= 0)
		wp_add_rlx_u32(&accepted, 1);
	wp_add_rel_u32(&pushers_done, 1);
}

static void consume_until_done(void)
{
	for (;;) {
		bool done = wp_load_acq_u32(&pushers_done) == 2;
		if (!claim(1)) {
			if (done)
				return;
			wp_spin_hint();
		}
	}
}

static void all_accepted_taken(void)
{
	explore_assert(taken_by[0] && taken_by[1]);
	all_taken(wp_load_rlx_u32(&accepted));
}

EXPLORE_TEST(queue_full_deadline, .setup = room_is_taken,
	.body = { push_patiently, push_until_deadline, consume_until_done },
	.check = all_accepted_taken, .no_leaks = true);

/* ---- full: blocked producers are let go by a close ---- */

static void push_blocked(void)
{
	int r = push(1);
	explore_assert(r >= 0 || r == WP_ECLOSED);
}

static void close_only(void)
{
	explore_assert(wp__segqueue_close(&queue));
}

static void nobody_is_left(void)
{
	while (claim(1))
		;
	explore_assert(wp_load_rlx_u32(&consumed) == wp__segqueue_accepted(&queue));
	explore_assert(wp__segqueue_is_valid(&queue));
	wp__segqueue_fini(&queue);
}

EXPLORE_TEST(queue_close_blocked, .setup = room_is_taken,
	.body = { push_blocked, push_blocked, close_only }, .check = nobody_is_left,
	.no_leaks = true);

/* ---- far from full: tickets by fetch-add ---- */

static void large_queue(void)
{
	make_queue(64, 2);
}

EXPLORE_TEST(queue_fetch_add_2p1c, .setup = large_queue, .body = { push_01, push_23, consume_4 },
	.check = check_4, .no_leaks = true);

EXPLORE_TEST(queue_fetch_add_2p2c, .setup = large_queue,
	.body = { push_01, push_23, consume_4, consume_4_by_one }, .check = check_4,
	.no_leaks = true);

/* ---- close: everything accepted comes out, everything else was refused ---- */

static void push_or_closed(void)
{
	int r = push(0);
	explore_assert(r >= 0 || r == WP_ECLOSED);
}

static void push_or_closed_too(void)
{
	int r = push(1);
	explore_assert(r >= 0 || r == WP_ECLOSED);
}

static void close_queue(void)
{
	explore_assert(wp__segqueue_close(&queue));
	explore_assert(wp__segqueue_is_closed(&queue));
	uint64_t promised = wp__segqueue_accepted(&queue);
	while (wp_load_acq_u32(&consumed) < promised)
		if (!claim(4))
			wp_spin_hint();
}

static void what_was_accepted(void)
{
	explore_assert(wp_load_rlx_u32(&accepted) == wp_load_rlx_u32(&consumed));
	explore_assert(wp__segqueue_accepted(&queue) == wp_load_rlx_u32(&consumed));
	wp__segqueue_fini(&queue);
}

EXPLORE_TEST(queue_close, .setup = small_segments,
	.body = { push_or_closed, push_or_closed_too, close_queue }, .check = what_was_accepted,
	.no_leaks = true);

EXPLORE_TEST(queue_close_full, .setup = room_for_one,
	.body = { push_or_closed, push_or_closed_too, close_queue }, .check = what_was_accepted,
	.no_leaks = true);

/* ---- sleep: a consumer that armed is told of the next push ---- */

static wp_atomic_u32 bell;

static void push_and_ring(void)
{
	int r = push(0);
	explore_assert(r >= 0);
	if (r == WP__PUSHED_WAKE) {
		wp_add_rel_u32(&bell, 1);
		wp__os_futex_wake(&bell, 1);
	}
}

static void consume_asleep(void)
{
	while (wp_load_rlx_u32(&consumed) < 1) {
		uint32_t rung = wp_load_acq_u32(&bell);
		if (claim(1))
			continue;
		if (wp__segqueue_arm_sleep(&queue))
			wp__os_futex_wait(&bell, rung, UINT64_MAX);
		else
			wp_spin_hint();
		wp__segqueue_disarm_sleep(&queue);
	}
}

static void check_1(void)
{
	check_n(1);
}

EXPLORE_TEST(queue_sleep_1p1c, .setup = small_segments, .body = { push_and_ring, consume_asleep },
	.check = check_1, .no_leaks = true);
