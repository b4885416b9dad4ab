/* SPDX-License-Identifier: MIT */
/*
 * What statistics are made of: stamps that travel with the jobs of a lane, and counts that are read
 * while workers count.
 */
#include <wpool/wpool.h>

#include "base/atomic.h"
#include "base/os.h"
#include "explore.h"
#include "queue/segqueue.h"
#include "queue/single.h"

#define JOBS 4u

/* ---- stamps ---- */

static struct wp__segqueue queue;
static uint64_t begun[JOBS]; /* before the push; plain memory, handed over with the job */
static wp_atomic_u32 taken;

static int no_job(void *payload)
{
	(void)payload;
	return 0;
}

static void make_lane(uint64_t capacity, uint32_t segment_size)
{
	struct wp__segqueue_options o = {
		.capacity = capacity, .segment_size = segment_size, .stamps = true
	};
	explore_assert(wp__segqueue_init(&queue, &o) == 0);
}

/* One job to a segment: each is stamped, and every slot is used again. */
static void lane_of_one(void)
{
	make_lane(2, 1);
}

static void lane_of_two(void)
{
	make_lane(2, 2);
}

static void lane_of_four(void)
{
	make_lane(8, 4);
}

static void push(uint32_t number)
{
	struct wp_job job = { .fn = no_job, .payload = &begun[number] };
	begun[number] = wp__os_ticks();
	explore_assert(wp__segqueue_push(&queue, &job) >= 0);
}

static void push_0_1(void)
{
	push(0);
	push(1);
}

static void push_2_3(void)
{
	push(2);
	push(3);
}

static void push_2_3_together(void)
{
	struct wp_job jobs[2];
	for (uint32_t i = 0; i < 2; i++) {
		jobs[i] = (struct wp_job){ .fn = no_job, .payload = &begun[2 + i] };
		begun[2 + i] = wp__os_ticks();
	}
	for (size_t done = 0, n; done < 2; done += n) {
		int r = wp__segqueue_push_some(&queue, jobs + done, 2 - done, &n);
		if (r == WP_EFULL)
			explore_assert(wp__room_wait(&queue, UINT64_MAX) == 0);
	}
}

/* A stamp lies between the push's begin and the claim's end, or is not there. */
static uint32_t claim(uint32_t max)
{
	struct wp_job out[JOBS];
	uint64_t stamps[JOBS];
	struct wp__claim c = { .stamps = stamps };
	if (!wp__segqueue_claim(&queue, out, max, 1, 1, &c))
		return 0;
	uint64_t now = wp__os_ticks();
	for (uint32_t i = 0; i < c.count; i++) {
		uint64_t *at = out[i].payload;
		explore_assert(!stamps[i] || (stamps[i] > *at && stamps[i] < now));
		*at = 0;
	}
	wp_add_rlx_u32(&taken, c.count);
	return c.count;
}

static void claim_all(void)
{
	while (wp_load_acq_u32(&taken) < JOBS)
		if (!claim(2))
			wp_spin_hint();
}

/* Another worker sees the jobs differently. */
static void change_view(void)
{
	wp__segqueue_stamp_all(&queue, false);
	wp__segqueue_stamp_all(&queue, true);
}

static void claim_all_and_change_view(void)
{
	while (wp_load_acq_u32(&taken) < JOBS) {
		if (claim(1))
			wp__segqueue_stamp_all(&queue, wp_load_rlx_u32(&taken) % 2);
		else
			wp_spin_hint();
	}
}

static void end_lane(void)
{
	explore_assert(wp_load_rlx_u32(&taken) == JOBS);
	explore_assert(wp__segqueue_is_valid(&queue));
	wp__segqueue_fini(&queue);
}

EXPLORE_TEST(stamps_of_slots_used_again, .setup = lane_of_one,
	.body = { push_0_1, push_2_3, claim_all }, .check = end_lane, .no_leaks = true);

EXPLORE_TEST(stamps_of_many, .setup = lane_of_four,
	.body = { push_0_1, push_2_3_together, claim_all_and_change_view }, .check = end_lane,
	.no_leaks = true);

EXPLORE_TEST(stamps_of_two_consumers, .setup = lane_of_two,
	.body = { push_0_1, push_2_3, claim_all, claim_all }, .check = end_lane, .no_leaks = true);

EXPLORE_TEST(stamps_change_of_view, .setup = lane_of_two,
	.body = { push_0_1, push_2_3, claim_all, change_view }, .check = end_lane,
	.no_leaks = true);

/* A lane with one producer: it stops at each slot that may be stamped. */
static struct wp__single producer;

static void lane_of_single(void)
{
	struct wp__segqueue_options o = {
		.capacity = 3, .segment_size = 3, .stamps = true, .single = true, .light = true
	};
	explore_assert(wp__segqueue_init(&queue, &o) == 0);
	wp__single_init(&producer, &queue);
}

static void push_single(void)
{
	for (uint32_t i = 0; i < JOBS; i++) {
		struct wp_job job = { .fn = no_job, .payload = &begun[i] };
		begun[i] = wp__os_ticks();
		while (wp__single_push(&producer, &job) == WP_EFULL)
			wp_spin_hint();
	}
}

EXPLORE_TEST(stamps_of_single, .setup = lane_of_single,
	.body = { push_single, claim_all_and_change_view }, .check = end_lane, .no_leaks = true);

/* ---- counts ---- */

static struct wp_pool *pool;

static void make_pool(unsigned workers)
{
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = workers;
	o.capacity = 2;
	o.segment_size = 1;
	explore_assert(wp_pool_create(&pool, &o) == 0);
}

static void pool_of_one(void)
{
	make_pool(1);
}

static void pool_of_two(void)
{
	make_pool(2);
}

static int fail(void *payload)
{
	(void)payload;
	return -1;
}

static void submit_two(void)
{
	explore_assert(wp_submit(pool, no_job, NULL) == 0);
	explore_assert(wp_submit(pool, fail, NULL) == 0);
}

static struct wp_stats read_stats(void)
{
	struct wp_stats s = WP_STATS_INIT;
	explore_assert(wp_pool_stats(pool, &s) == 0);
	explore_assert(s.queued + s.running + s.completed + s.failed + s.dropped == s.submitted);
	explore_assert(s.submitted <= 2 && s.completed <= 1 && s.failed <= 1);
	explore_assert(s.queued <= 2 && s.running <= 2);
	return s;
}

static void read_twice(void)
{
	struct wp_stats a = read_stats(), b = read_stats();
	explore_assert(b.submitted >= a.submitted && b.completed >= a.completed);
	explore_assert(b.failed >= a.failed);
}

static void stop(void)
{
	struct wp_stop_report r;
	explore_assert(wp_pool_stop(pool, &r) == 0);
	struct wp_stats s = read_stats();
	explore_assert(s.queued == 0 && s.running == 0);
	explore_assert(r.completed == s.completed && r.failed == s.failed);
	explore_assert(r.dropped == s.dropped && r.running == 0);
}

static void submit_two_or_closed(void)
{
	(void)wp_submit(pool, no_job, NULL);
	(void)wp_submit(pool, fail, NULL);
}

static void end_pool(void)
{
	struct wp_stop_report r;
	explore_assert(wp_pool_shutdown(pool, WP_FOREVER, &r) == 0);
	explore_assert(r.completed == 1 && r.failed == 1 && r.running == 0);
	wp_pool_destroy(pool);
}

static void destroy(void)
{
	wp_pool_destroy(pool);
}

EXPLORE_TEST(stats_while_one_works, .setup = pool_of_one, .body = { submit_two, read_twice },
	.check = end_pool, .no_leaks = true);

EXPLORE_TEST(stats_while_two_work, .setup = pool_of_two, .body = { submit_two, read_twice },
	.check = end_pool, .no_leaks = true);

EXPLORE_TEST(stats_of_a_stop, .setup = pool_of_two,
	.body = { submit_two_or_closed, stop, read_twice }, .check = destroy, .no_leaks = true);

/* ---- the state ---- */

static uint64_t effect; /* plain: handed over by the state alone */

static int have_effect(void *payload)
{
	*(uint64_t *)payload = 1;
	return 0;
}

static void pool_with_a_job(void)
{
	make_pool(1);
	explore_assert(wp_submit(pool, have_effect, &effect) == 0);
}

static void shut_down(void)
{
	explore_assert(wp_pool_shutdown(pool, WP_FOREVER, NULL) == 0);
}

static void read_state(void)
{
	enum wp_state before = wp_pool_state(pool), now = wp_pool_state(pool);
	explore_assert(now >= before && now <= WP_STATE_STOPPED);
	if (now == WP_STATE_STOPPED)
		explore_assert(effect == 1);
}

static void read_state_until_stopped(void)
{
	while (wp_pool_state(pool) != WP_STATE_STOPPED)
		wp_spin_hint();
	explore_assert(effect == 1);
}

EXPLORE_TEST(state_hands_over, .setup = pool_with_a_job, .body = { shut_down, read_state },
	.check = destroy, .no_leaks = true);

EXPLORE_TEST(state_until_stopped, .setup = pool_with_a_job,
	.body = { shut_down, read_state_until_stopped, read_state }, .check = destroy,
	.no_leaks = true);
