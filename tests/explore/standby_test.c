/* SPDX-License-Identifier: MIT */
/*
 * The standby's duty goes from one worker to the next while a third one is active, and with it what
 * the standby keeps of the others (`seen`), which is plain memory.
 */
#include "explore.h"
#include "park/parking.h"

#define WORKERS 3u
#define ACTIVE  2u /* joined before and leaves after all the others */

static struct wp__parking p;
static wp_atomic_u32 over[WORKERS];

static void setup(void)
{
	explore_assert(wp__parking_init(&p, WORKERS) == 0);
	wp__parking_join(&p, ACTIVE);
	wp_add_rlx_u64(&p.spots[ACTIVE].progress, 1);
}

static void stand_by(unsigned i)
{
	wp__parking_join(&p, i);
	wp__parking_park(&p, i);
	bool alone = p.spots[i].standby && wp__parking_tick(&p, i);
	if (!alone || !wp__parking_unpark(&p, i))
		while (!wp__parking_sleep(&p, i))
			;
	wp__parking_leave(&p, i);
	wp_store_rlx_u32(&over[i], 1);
}

static void stand_by_0(void)
{
	stand_by(0);
}

static void stand_by_1(void)
{
	stand_by(1);
}

static void wake_both(void)
{
	for (unsigned i = 0; i < 2; i++)
		while (!wp__parking_wake(&p, i) && !wp_load_rlx_u32(&over[i]))
			wp_spin_hint();
}

static void at_rest(void)
{
	wp__parking_leave(&p, ACTIVE);
	explore_assert(wp__parking_idle(&p) == 0);
	for (unsigned i = 0; i < WORKERS; i++)
		explore_assert(!p.spots[i].standby && wp_load_rlx_u32(&p.spots[i].token) == 0);
	wp__parking_fini(&p);
}

EXPLORE_TEST(parking_standby_handed_on, .setup = setup,
	.body = { stand_by_0, stand_by_1, wake_both }, .check = at_rest, .no_leaks = true);
