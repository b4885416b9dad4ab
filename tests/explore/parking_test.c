/* SPDX-License-Identifier: MIT */
/*
 * The parking lot without lanes: what it promises to those who park and to those who wake. Whatever
 * happens, at the end everybody is away, nobody parked, no role taken, no token left.
 */
#include "base/os.h"
#include "explore.h"
#include "park/parking.h"

#define WORKERS 2u

static struct wp__parking p;
static wp_atomic_u32 flag, ended;
static wp_atomic_u32 done[WORKERS];

static void setup(void)
{
	explore_assert(wp__parking_init(&p, WORKERS) == 0);
}

static void at_rest(void)
{
	explore_assert(wp__parking_idle(&p) == 0);
	explore_assert(wp_load_rlx_u64(&p.parked[0]) == 0);
	for (unsigned i = 0; i < WORKERS; i++) {
		explore_assert(wp_load_rlx_u32(&p.spots[i].active) == 0);
		explore_assert(wp_load_rlx_u32(&p.spots[i].token) == 0);
		explore_assert(!p.spots[i].standby);
	}
	wp__parking_fini(&p);
}

/* Sleeps, and does the standby's duty meanwhile. True: woken by somebody. */
static bool sleep_parked(unsigned i)
{
	while (!wp__parking_sleep(&p, i))
		if (wp__parking_tick(&p, i) && wp__parking_unpark(&p, i))
			return false;
	return true;
}

/* ---- a flag and wake_all: seen after parking, or woken; seen once woken ---- */

static void until_flag(unsigned i)
{
	wp__parking_join(&p, i);
	for (bool seen = false; !seen;) {
		wp__parking_park(&p, i);
		seen = wp_load_rlx_u32(&flag);
		if (seen && wp__parking_unpark(&p, i))
			break;
		if (sleep_parked(i)) {
			seen = true;
			explore_assert(wp_load_rlx_u32(&flag));
		}
	}
	wp__parking_leave(&p, i);
}

static void until_flag_0(void)
{
	until_flag(0);
}

static void until_flag_1(void)
{
	until_flag(1);
}

static void raise_flag(void)
{
	wp_store_rlx_u32(&flag, 1);
	wp__parking_wake_all(&p);
}

EXPLORE_TEST(parking_exit_1, .setup = setup, .body = { until_flag_0, raise_flag }, .check = at_rest,
	.no_leaks = true);

EXPLORE_TEST(parking_exit_2, .setup = setup, .body = { until_flag_0, until_flag_1, raise_flag },
	.check = at_rest, .no_leaks = true);

EXPLORE_TEST(parking_exit_late_stores, .setup = setup, .body = { until_flag_0, raise_flag },
	.check = at_rest, .late_stores = true);

/* ---- one worker, woken by name, twice: as in a job that waits ---- */

static void wait_done(unsigned round)
{
	while (!wp_load_rlx_u32(&done[round])) {
		wp__parking_park(&p, 0);
		if (wp_load_rlx_u32(&done[round]) && wp__parking_unpark(&p, 0))
			break;
		sleep_parked(0);
	}
}

static void wait_twice(void)
{
	wp__parking_join(&p, 0);
	wait_done(0);
	/* The job that waited goes on. */
	wp__parking_leave(&p, 0);
	wait_done(1);
	wp__parking_leave(&p, 0);
}

static void finish_twice(void)
{
	for (unsigned round = 0; round < 2; round++) {
		wp_store_rlx_u32(&done[round], 1);
		wp__parking_wake(&p, 0);
	}
}

static void finish_first(void)
{
	wp_store_rlx_u32(&done[0], 1);
	wp__parking_wake(&p, 0);
}

static void finish_second(void)
{
	wp_store_rlx_u32(&done[1], 1);
	wp__parking_wake(&p, 0);
}

EXPLORE_TEST(
	parking_wake_twice, .setup = setup, .body = { wait_twice, finish_twice }, .check = at_rest);

EXPLORE_TEST(parking_wake_twice_late_stores, .setup = setup, .body = { wait_twice, finish_twice },
	.check = at_rest, .late_stores = true);

EXPLORE_TEST(parking_wake_from_two, .setup = setup,
	.body = { wait_twice, finish_first, finish_second }, .check = at_rest);

/* The second waker's token must not come before the worker has put the first one away. */
EXPLORE_TEST(parking_wake_from_two_late_stores, .setup = setup,
	.body = { wait_twice, finish_first, finish_second }, .check = at_rest, .late_stores = true);

/* ---- each wake-up reaches one worker, once ---- */

static void until_woken(unsigned i)
{
	wp__parking_join(&p, i);
	do {
		wp__parking_park(&p, i);
	} while (!sleep_parked(i));
	wp_add_rlx_u32(&ended, 1);
	wp__parking_leave(&p, i);
}

static void until_woken_0(void)
{
	until_woken(0);
}

static void until_woken_1(void)
{
	until_woken(1);
}

static void wake_one(void)
{
	while (!wp__parking_wake_one(&p))
		wp_spin_hint();
}

static void wake_two(void)
{
	wake_one();
	wake_one();
}

EXPLORE_TEST(parking_one_each, .setup = setup,
	.body = { until_woken_0, until_woken_1, wake_one, wake_one }, .check = at_rest);

EXPLORE_TEST(parking_two_of_one, .setup = setup, .body = { until_woken_0, until_woken_1, wake_two },
	.check = at_rest);

/* ---- unpark against a wake: one of the two is the owner of the park ---- */

static void park_unpark(void)
{
	wp__parking_join(&p, 0);
	wp__parking_park(&p, 0);
	bool own = wp__parking_unpark(&p, 0);
	if (!own)
		explore_assert(sleep_parked(0));
	explore_assert(wp__parking_is_active(&p, 0));
	wp_store_rlx_u32(&done[0], !own);
	wp__parking_leave(&p, 0);
}

static void wake_if_parked(void)
{
	wp_store_rlx_u32(&done[1], wp__parking_wake(&p, 0));
}

static void one_owner(void)
{
	explore_assert(wp_load_rlx_u32(&done[0]) == wp_load_rlx_u32(&done[1]));
	at_rest();
}

EXPLORE_TEST(parking_unpark_against_wake, .setup = setup, .body = { park_unpark, wake_if_parked },
	.check = one_owner);

/* ---- standby: a worker without progress is declared away, by one that had to be there ---- */

/* Runs a job that cannot end before somebody else has looked. */
static void stuck(void)
{
	wp__parking_join(&p, 0);
	while (!wp_load_rlx_u32(&flag)) {
		uint64_t idle = wp__parking_idle(&p);
		if (wp__idle_active(idle) && !(idle & WP__IDLE_STANDBY) && wp__idle_parked(idle))
			wp__parking_appoint(&p);
		wp_spin_hint();
	}
	wp__parking_leave(&p, 0);
}

/* Goes to sleep; must find out by itself that worker 0 is stuck. */
static void stand_by(void)
{
	while (wp_load_rlx_u64(&p.idle) == 0)
		wp_spin_hint();
	wp__parking_join(&p, 1);
	do {
		/* Nobody is active: the other one was declared away at an earlier tick. */
		if (wp__parking_park(&p, 1) && wp__parking_unpark(&p, 1))
			break;
	} while (sleep_parked(1));
	wp_store_rlx_u32(&flag, 1);
	wp__parking_leave(&p, 1);
}

EXPLORE_TEST(parking_standby, .setup = setup, .body = { stuck, stand_by }, .check = at_rest);

/* The same while a third party wakes, so that the role is given up, and has to be given again. */
static void wake_any_once(void)
{
	wp__parking_wake_one(&p);
}

EXPLORE_TEST(parking_standby_woken, .setup = setup, .body = { stuck, stand_by, wake_any_once },
	.check = at_rest);

/* ---- the standby ticks while the active worker leaves by itself ---- */

static void join_leave_twice(void)
{
	for (unsigned i = 0; i < 2; i++) {
		wp__parking_join(&p, 0);
		wp_add_rlx_u64(&p.spots[0].progress, 1);
		wp__parking_leave(&p, 0);
	}
	wp_store_rlx_u32(&flag, 1);
	wp__parking_wake_all(&p);
}

EXPLORE_TEST(parking_tick_against_leave, .setup = setup, .body = { join_leave_twice, until_flag_1 },
	.check = at_rest, .timeouts = 2);
