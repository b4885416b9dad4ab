/* SPDX-License-Identifier: MIT */
/* The parking layer: latch and event count. */
#include <errno.h>

#include "base/alloc.h"
#include "base/os.h"
#include "explore.h"
#include "park/eventcount.h"
#include "park/latch.h"

/* ---- latch: seen set means that what was done before is visible ---- */

static struct wp__latch latch;
static uint32_t before;

static void latch_set(void)
{
	before = 1;
	wp__latch_set(&latch);
}

static void latch_await(void)
{
	wp__latch_wait(&latch);
	explore_assert(wp__latch_is_set(&latch));
	explore_assert(before == 1);
}

EXPLORE_TEST(latch_set_against_wait, .body = { latch_set, latch_await, latch_await });

/* ---- latch: it may be gone as soon as a wait has returned ---- */

static wp_atomic_ptr passed;

static void latch_own(void)
{
	struct wp__latch *own = wp__alloc(16, sizeof(*own));
	wp_store_rel_ptr(&passed, own);
	wp__latch_wait(own);
	wp__free(own);
}

static void latch_set_theirs(void)
{
	struct wp__latch *theirs;
	while (!(theirs = wp_load_acq_ptr(&passed)))
		wp_spin_hint();
	wp__latch_set(theirs);
}

EXPLORE_TEST(latch_gone_after_wait, .body = { latch_own, latch_set_theirs }, .no_leaks = true);

/* ---- event count: as many sleepers as conditions ---- */

static struct wp__eventcount ec;
static wp_atomic_u32 items;

static bool take(void)
{
	uint32_t n = wp_load_rlx_u32(&items);
	while (n)
		if (wp_cas_weak_ar_u32(&items, &n, n - 1))
			return true;
	return false;
}

static bool take_until(uint64_t deadline)
{
	bool got = false;
	uint32_t key = wp__ec_prepare(&ec);
	for (;;) {
		got = take();
		if (got || wp__ec_wait(&ec, key, deadline) == -ETIMEDOUT)
			break;
		key = wp__ec_again(&ec);
	}
	wp__ec_leave(&ec);
	return got || take();
}

static void take_one(void)
{
	explore_assert(take_until(UINT64_MAX));
}

static void give_one(void)
{
	wp_add_rel_u32(&items, 1);
	wp__ec_notify(&ec);
}

static void give_two(void)
{
	give_one();
	give_one();
}

static void nothing_left(void)
{
	explore_assert(wp_load_rlx_u32(&items) == 0);
	explore_assert(wp_load_rlx_u32(&ec.waiters) == 0);
}

EXPLORE_TEST(eventcount_1w1n, .body = { take_one, give_one }, .check = nothing_left);

EXPLORE_TEST(eventcount_2w1n, .body = { take_one, take_one, give_two }, .check = nothing_left);

EXPLORE_TEST(
	eventcount_2w2n, .body = { take_one, take_one, give_one, give_one }, .check = nothing_left);

/* ---- event count: one gives up at its deadline; the other must not suffer ---- */

static wp_atomic_u32 gave_up;

static void take_or_give_up(void)
{
	if (!take_until(wp__os_now_ns() + 1000))
		wp_store_rlx_u32(&gave_up, 1);
}

static void what_was_not_taken(void)
{
	explore_assert(wp_load_rlx_u32(&items) == wp_load_rlx_u32(&gave_up));
	explore_assert(wp_load_rlx_u32(&ec.waiters) == 0);
}

EXPLORE_TEST(eventcount_deadline, .body = { take_one, take_or_give_up, give_two },
	.check = what_was_not_taken);
