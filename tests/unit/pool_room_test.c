/* SPDX-License-Identifier: MIT */
/*
 * Consumers wake waiting producers only when there is room for a lot. What keeps that from becoming
 * a wait for ever, each by itself: a producer's patience, and the offer of whoever may be gone for
 * long. In all of these there is room for one job, and nobody claims another.
 */
#include "pool.h"
#include "queue/segqueue.h"

/* A quarter of it is the room that a claim wakes producers for. */
#define CAPACITY 100u

/* ---- the lane ---- */

static struct wp__segqueue lane;

static void push_one(void *arg, unsigned me)
{
	struct wp_job job = { .fn = count_fn };
	(void)me;
	t_assert_int_eq(wp__segqueue_push(arg, &job), 0);
}

/* A full lane, a producer that waits, and then room for one job that nobody tells it of. */
static void make_silent_room(struct crew *crew, uint64_t patience)
{
	struct wp__segqueue_options options = {
		.capacity = CAPACITY, .segment_size = 16, .room_patience = patience
	};
	struct wp_job job = { .fn = count_fn }, out;
	struct wp__claim claim;
	t_assert_int_eq(wp__segqueue_init(&lane, &options), 0);
	for (unsigned i = 0; i < CAPACITY; i++)
		t_assert_int_eq(wp__segqueue_push(&lane, &job), 0);
	crew_start(crew, 1, push_one, &lane);
	pool_until(wp_load_rlx_u32(&lane.room.waiters) == 1);
	wp__os_sleep(20000000);
	t_assert(wp__segqueue_claim(&lane, &out, 1, 1, CAPACITY / 4, &claim));
	t_assert_u64_eq(wp_load_rlx_u32(&lane.room.epoch), 0);
}

static void expect_pushed(struct crew *crew)
{
	pool_until(wp__segqueue_accepted(&lane) == CAPACITY + 1);
	crew_join(crew);
	wp__segqueue_fini(&lane);
}

T_TEST(pool_room, a_producer_with_patience_looks_by_itself)
{
	struct crew crew;
	make_silent_room(&crew, 1000000);
	expect_pushed(&crew);
}

T_TEST(pool_room, an_offer_wakes_whoever_waits)
{
	struct crew crew;
	make_silent_room(&crew, 0);
	wp__segqueue_offer_room(&lane);
	expect_pushed(&crew);
}

/* ---- several producers wait: how many a claim wakes ---- */

#define CROWD 8u

/* A full lane of 64, whose producers no patience helps. */
static void make_full(void)
{
	struct wp__segqueue_options options = {
		.capacity = 64, .segment_size = 64, .room_patience = UINT64_C(3600000000000)
	};
	struct wp_job job = { .fn = count_fn };
	t_assert_int_eq(wp__segqueue_init(&lane, &options), 0);
	for (unsigned i = 0; i < 64; i++)
		t_assert_int_eq(wp__segqueue_push(&lane, &job), 0);
}

static uint64_t after(unsigned claimed)
{
	return lane.first + claimed * WP__TICKET_ONE;
}

/* What a claim would do that leaves `claimed` jobs taken. */
static void expect_plan(unsigned claimed, uint64_t wake_room, uint64_t wake)
{
	struct wp__room_plan plan = wp__room_plan(&lane, after(claimed), wake_room);
	t_assert_u64_eq(plan.wake, wake);
	t_assert_u64_eq(plan.keep, wake == UINT32_MAX ? 0 : WP__HEAD_WAITERS);
}

T_TEST(pool_room, producers_are_woken_in_proportion_to_the_room)
{
	make_full();
	wp_store_rlx_u32(&lane.room.waiters, CROWD);
	expect_plan(0, 1, 0);
	expect_plan(7, 8, 0);
	expect_plan(8, 8, 1);
	expect_plan(40, 8, 5);
	expect_plan(63, 8, 7);
	expect_plan(64, 8, UINT32_MAX); /* it empties the lane */
	wp_store_rlx_u32(&lane.room.waiters, 100);
	expect_plan(64, 8, 64);
	expect_plan(1, 1, 1);
	wp_store_rlx_u32(&lane.room.waiters, 2);
	expect_plan(1, 1, 1); /* one at least */
	wp_store_rlx_u32(&lane.room.waiters, 1);
	expect_plan(1, 1, UINT32_MAX);
	wp__segqueue_fini(&lane);
}

T_TEST(pool_room, they_are_woken_again_when_as_much_room_was_made_again)
{
	make_full();
	wp_store_rlx_u32(&lane.room.waiters, CROWD);
	struct wp__room_plan plan = wp__room_plan(&lane, after(8), 8);
	wp__room_made(&lane, &plan);
	expect_plan(15, 8, 0);
	expect_plan(16, 8, 2);
	expect_plan(12, 4, 1); /* jobs became dearer, so less room will do */
	expect_plan(11, 4, 0);
	/* Whatever was woken before, for who stops claiming, and in a lane without patience. */
	t_assert_u64_eq(wp__room_plan_all(&lane, after(9)).wake, UINT32_MAX);
	t_assert_u64_eq(wp__room_plan_all(&lane, after(3)).wake, 3);
	t_assert_u64_eq(wp__room_plan_all(&lane, after(0)).wake, 0);
	lane.room.in_turn = false;
	expect_plan(7, 8, 0);
	expect_plan(9, 8, UINT32_MAX);
	wp__segqueue_fini(&lane);
}

T_TEST(pool_room, the_claim_that_empties_the_lane_wakes_all)
{
	struct wp_job out[64];
	struct wp__claim claim;
	struct crew crew;
	make_full();
	crew_start(&crew, CROWD, push_one, &lane);
	pool_until(wp_load_rlx_u32(&lane.room.waiters) == CROWD);
	t_assert(wp__segqueue_claim(&lane, out, 64, 1, 64, &claim));
	t_assert_u64_eq(claim.count, 64);
	pool_until(wp__segqueue_accepted(&lane) == 64 + CROWD);
	crew_join(&crew);
	wp__segqueue_fini(&lane);
}

/* ---- the pool ---- */

static void submit_one(void *arg, unsigned me)
{
	static wp_atomic_u64 ran;
	(void)me;
	t_assert_int_eq(wp_submit(arg, count_fn, &ran), 0);
}

/* Holds the worker that has just claimed a job, without its taking that job for a long one. */
static void hold_claim(void *self, size_t n)
{
	(void)n;
	gate_fn(self);
}

/*
 * The last free worker, which believes that jobs are short, claims one that does not end before the
 * producer got in; the others are held at a gate all the time.
 */
static void expect_room_for_one(unsigned workers, bool patient)
{
	struct gate claimed = { .open = { 0 } }, inside = claimed, others = claimed;
	wp_atomic_u64 ran = { 0 };
	struct wp_metrics_ops ops = wp_metrics_noop;
	struct wp_options o = WP_OPTIONS_INIT;
	struct crew crew;
	ops.batch_dec_queued = hold_claim;
	o.workers = workers;
	o.capacity = CAPACITY;
	o.batch_max = 1;
	o.metrics = &ops;
	o.metrics_self = &claimed;
	struct wp_pool *pool = pool_make(&o);
	t_assert(pool->lane.room.patience > 0);
	if (!patient)
		pool->lane.room.patience = 0;
	wp_store_rlx_u32(&claimed.open, 1);
	gate_hold(&others, pool, workers - 1);
	wp_store_rlx_u32(&claimed.open, 0);
	uint32_t claims = wp_load_rlx_u32(&claimed.entered);
	t_assert_int_eq(wp_submit(pool, count_fn, &ran), 0);
	pool_until(wp_load_acq_u32(&claimed.entered) == claims + 1);
	t_assert_int_eq(wp_submit(pool, gate_fn, &inside), 0);
	for (unsigned i = 1; i < CAPACITY; i++)
		t_assert_int_eq(wp_submit(pool, count_fn, &ran), 0);
	crew_start(&crew, 1, submit_one, pool);
	pool_until(wp_load_rlx_u32(&pool->lane.room.waiters) == 1);
	wp__os_sleep(20000000);
	gate_open(&claimed);
	pool_until(wp__segqueue_accepted(&pool->lane) == workers + CAPACITY + 1);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), 1);
	gate_open(&inside);
	gate_open(&others);
	crew_join(&crew);
	pool_end(pool);
}

/* The only worker: it believes its jobs cheap and stays on watch, and nobody stands by. */
T_TEST(pool_room, producers_of_a_pool_have_patience)
{
	expect_room_for_one(1, true);
}

T_TEST(pool_room, a_worker_that_leaves_the_watch_offers_room)
{
	expect_room_for_one(2, false);
}
