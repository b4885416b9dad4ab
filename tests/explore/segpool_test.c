/* SPDX-License-Identifier: MIT */
/*
 * The pool of segments by itself: a segment that was taken belongs to one thread, with all that was
 * done to it before. Every taker writes its slot and its header's count as a user would.
 */
#include "queue/segpool.h"

#include "explore.h"

static struct wp__segpool pool;

static void make_pool(uint32_t reserved, uint32_t touch, uint32_t keep)
{
	explore_assert(wp__segpool_init(&pool, 1, false, reserved, touch, keep) == 0);
}

static struct wp_job *slot_of(struct wp__segment *segment)
{
	return wp__segment_slots(segment, &pool.shape);
}

static struct wp__segment *take(void)
{
	struct wp__segment *segment;
	while (!(segment = wp__segpool_take(&pool)))
		wp_spin_hint();
	uint8_t mark = wp__segment_mark(segment);
	explore_assert(wp__segment_ready_run(segment, mark, 0, 1) == 0);
	explore_assert(wp_load_rlx_u32(&segment->done) == 0);
	slot_of(segment)->payload = segment;
	wp__segment_publish(segment, mark, 0, 1);
	wp_store_rlx_u32(&segment->done, explore_self());
	return segment;
}

static void give(struct wp__segment *segment)
{
	explore_assert(slot_of(segment)->payload == segment);
	explore_assert(wp__segment_ready_run(segment, wp__segment_mark(segment), 0, 1) == 1);
	explore_assert(wp_load_rlx_u32(&segment->done) == explore_self());
	wp__segment_renew(segment);
	wp__segpool_give(&pool, segment);
}

static void take_give(void)
{
	give(take());
}

static void take_give_twice(void)
{
	take_give();
	take_give();
}

/* Takes two and gives back the first: the stack's top is what it was, and what is below is not. */
static void take_two_give_first(void)
{
	struct wp__segment *first = take(), *second = take();
	explore_assert(first != second);
	give(first);
	struct wp__segment *third = take();
	explore_assert(third != second);
	give(second);
	give(third);
}

static void all_free(void)
{
	explore_assert(wp__segpool_free(&pool) == wp_load_rlx_u32(&pool.touched));
	for (uint32_t n = wp__segpool_free(&pool), i = 0; i < n; i++)
		explore_assert(wp__segpool_take(&pool) != NULL);
	explore_assert(wp__segpool_free(&pool) == 0);
	wp__segpool_fini(&pool);
}

/* ---- a segment for everybody; fewer; one ---- */

static void two_touched(void)
{
	make_pool(4, 2, UINT32_MAX);
}

static void none_touched(void)
{
	make_pool(4, 0, UINT32_MAX);
}

static void only_one(void)
{
	make_pool(1, 0, UINT32_MAX);
}

EXPLORE_TEST(segpool_2t, .setup = two_touched, .body = { take_give_twice, take_give_twice },
	.check = all_free, .no_leaks = true);

EXPLORE_TEST(segpool_3t_untouched, .setup = none_touched,
	.body = { take_give, take_give, take_give }, .check = all_free, .no_leaks = true);

EXPLORE_TEST(segpool_one_for_3t, .setup = only_one, .body = { take_give, take_give, take_give },
	.check = all_free, .no_leaks = true);

/* ---- a top that comes back, and a tag that wraps ---- */

EXPLORE_TEST(segpool_aba, .setup = two_touched, .body = { take_give_twice, take_two_give_first },
	.check = all_free, .no_leaks = true);

static void last_tags(void)
{
	two_touched();
	/* One take before the tag goes from 2^40 - 1 to 0. */
	wp_or_rlx_u64(&pool.warm.top, ((UINT64_C(1) << 40) - 1) << 24);
}

EXPLORE_TEST(segpool_tag_wraps, .setup = last_tags,
	.body = { take_give_twice, take_two_give_first }, .check = all_free, .no_leaks = true);

/* ---- warm and cold ---- */

static void keep_one(void)
{
	make_pool(3, 2, 1);
}

EXPLORE_TEST(segpool_keep_one, .setup = keep_one, .body = { take_give, take_two_give_first },
	.check = all_free, .no_leaks = true);
