/* SPDX-License-Identifier: MIT */
#include "park/parking.h"

#include <errno.h>
#include <string.h>

#include "base/os.h"
#include "hooks.h"
#include "t.h"

static struct wp__parking parking;

static void begin(unsigned workers)
{
	t_assert_int_eq(wp__parking_init(&parking, workers), 0);
}

static void end(void)
{
	wp__parking_fini(&parking);
}

/* The counts, and each worker's own. */
static void expect(unsigned active, unsigned parked, bool standby)
{
	uint64_t idle = wp__parking_idle(&parking);
	t_assert_u64_eq(wp__idle_active(idle), active);
	t_assert_u64_eq(wp__idle_parked(idle), parked);
	t_assert_u64_eq(idle & WP__IDLE_STANDBY, standby ? WP__IDLE_STANDBY : 0);
	unsigned sum = 0;
	for (unsigned i = 0; i < parking.workers; i++)
		sum += wp_load_rlx_u32(&parking.spots[i].active);
	t_assert_u64_eq(sum, active);
}

/* Leaves; says whether nobody is active then. */
static bool leave(unsigned i)
{
	return wp__idle_active(wp__parking_leave(&parking, i)) == 0;
}

static bool has_bit(unsigned i)
{
	return wp_load_rlx_u64(&parking.parked[i / 64]) >> i % 64 & 1;
}

static void make_progress(unsigned i)
{
	wp_add_rlx_u64(&parking.spots[i].progress, 1);
}

/* ---- counts and the duty of the last ---- */

T_TEST(parking, everybody_is_away_at_first)
{
	begin(3);
	expect(0, 0, false);
	for (unsigned i = 0; i < 3; i++)
		t_assert(!wp__parking_is_active(&parking, i) && !has_bit(i));
	end();
}

T_TEST(parking, init_without_memory)
{
	wp__fault_arm(WP_FAULT_ALLOC, 1, false, ENOMEM);
	t_assert_int_eq(wp__parking_init(&parking, 4), -ENOMEM);
	wp__parking_fini(&parking);
}

T_TEST(parking, the_first_to_join_and_the_last_to_leave_are_told)
{
	begin(3);
	t_assert(wp__parking_join(&parking, 1));
	t_assert(wp__parking_is_active(&parking, 1));
	t_assert(!wp__parking_join(&parking, 0));
	expect(2, 0, false);
	t_assert(!leave(1));
	t_assert(!wp__parking_is_active(&parking, 1));
	t_assert(leave(0));
	expect(0, 0, false);
	end();
}

T_TEST(parking, who_is_away_cannot_leave)
{
	begin(2);
	t_assert(leave(0)); /* but it is told that it has to look */
	expect(0, 0, false);
	wp__parking_join(&parking, 1);
	t_assert(!leave(0));
	expect(1, 0, false);
	end();
}

T_TEST(parking, the_last_to_park_is_told)
{
	begin(2);
	wp__parking_join(&parking, 0);
	wp__parking_join(&parking, 1);
	t_assert(!wp__parking_park(&parking, 1));
	expect(1, 1, true);
	t_assert(has_bit(1));
	t_assert(wp__parking_park(&parking, 0));
	expect(0, 2, true);
	end();
}

/* He may have looked before somebody submitted and woke nobody, because nobody slept yet. */
T_TEST(parking, who_parks_while_away_has_the_duty_if_nobody_is_active)
{
	begin(3);
	t_assert(wp__parking_park(&parking, 2));
	expect(0, 1, false);
	t_assert(wp__parking_unpark(&parking, 2));
	wp__parking_leave(&parking, 2);
	wp__parking_join(&parking, 0);
	t_assert(!wp__parking_park(&parking, 1));
	expect(1, 1, true);
	end();
}

/* What it tells is of the moment in which it left: whether there is a standby for the others. */
T_TEST(parking, leave_tells_what_it_leaves_behind)
{
	begin(3);
	wp__parking_join(&parking, 0);
	wp__parking_join(&parking, 1);
	uint64_t idle = wp__parking_leave(&parking, 0);
	t_assert_u64_eq(idle, WP__IDLE_ACTIVE_ONE);
	wp__parking_park(&parking, 2);
	wp__parking_join(&parking, 0);
	idle = wp__parking_leave(&parking, 0);
	t_assert_u64_eq(idle, WP__IDLE_ACTIVE_ONE | WP__IDLE_STANDBY | WP__IDLE_PARKED_ONE);
	end();
}

T_TEST(parking, a_count_below_zero_reads_as_zero)
{
	t_assert_u64_eq(wp__idle_parked(0 - WP__IDLE_PARKED_ONE), 0);
	t_assert_u64_eq(wp__idle_parked(3 * WP__IDLE_PARKED_ONE), 3);
}

T_TEST(parking, unpark_takes_the_park_back)
{
	begin(2);
	wp__parking_join(&parking, 0);
	t_assert(wp__parking_park(&parking, 0));
	t_assert(wp__parking_unpark(&parking, 0));
	expect(1, 0, false);
	t_assert(!has_bit(0));
	/* Also that of a standby. */
	t_assert(!wp__parking_park(&parking, 1));
	expect(1, 1, true);
	t_assert(wp__parking_unpark(&parking, 1));
	expect(2, 0, false);
	end();
}

/* ---- waking ---- */

T_TEST(parking, nobody_parked_nobody_woken)
{
	begin(70);
	wp__parking_join(&parking, 3);
	wp__fault_reset_counts();
	t_assert(!wp__parking_wake_one(&parking));
	t_assert(!wp__parking_wake(&parking, 3));
	t_assert(!wp__parking_wake(&parking, 69));
	wp__parking_wake_all(&parking);
	t_assert_u64_eq(wp__fault_calls(WP_FAULT_FUTEX_WAKE), 0);
	expect(1, 0, false);
	end();
}

T_TEST(parking, wake_one_wakes_exactly_one_and_the_lowest)
{
	begin(130);
	static const unsigned order[] = { 129, 64, 63, 7 };
	for (size_t i = 0; i < 4; i++)
		wp__parking_park(&parking, order[i]);
	for (unsigned left = 4; left-- > 0;) {
		wp__fault_reset_counts();
		t_assert(wp__parking_wake_one(&parking));
		t_assert_u64_eq(wp__fault_calls(WP_FAULT_FUTEX_WAKE), 1);
		expect(4 - left, left, false);
		unsigned woken = order[left];
		t_assert(!has_bit(woken) && wp__parking_is_active(&parking, woken));
		for (size_t i = 0; i < left; i++)
			t_assert(has_bit(order[i]) && !wp__parking_is_active(&parking, order[i]));
		t_assert(wp__parking_sleep(&parking, woken)); /* the token is there */
	}
	t_assert(!wp__parking_wake_one(&parking));
	end();
}

T_TEST(parking, no_wake_up_is_given_twice)
{
	begin(2);
	wp__parking_park(&parking, 0);
	t_assert(wp__parking_wake(&parking, 0));
	t_assert(!wp__parking_wake(&parking, 0));
	t_assert(!wp__parking_wake_one(&parking));
	wp__parking_wake_all(&parking);
	expect(1, 0, false);
	t_assert(!wp__parking_unpark(&parking, 0)); /* it is on its way */
	t_assert(wp__parking_sleep(&parking, 0));
	expect(1, 0, false);
	end();
}

T_TEST(parking, wake_all_wakes_all)
{
	begin(200);
	for (unsigned i = 0; i < 200; i += 3)
		wp__parking_park(&parking, i);
	expect(0, 67, false);
	wp__parking_wake_all(&parking);
	expect(67, 0, false);
	for (unsigned i = 0; i < 200; i += 3)
		t_assert(wp__parking_sleep(&parking, i));
	end();
}

/* A waker who comes between the bit and the count. */
static void wake_at_k4(const char *label)
{
	if (strcmp(label, "K4") == 0) {
		wp__set_point_hook(NULL);
		t_assert(wp__parking_wake_one(&parking));
	}
}

T_TEST(parking, woken_in_the_middle_of_parking)
{
	begin(2);
	wp__parking_join(&parking, 0);
	wp__set_point_hook(wake_at_k4);
	t_assert(!wp__parking_park(&parking, 0)); /* it counts as active already: no duty */
	expect(1, 0, wp__parking_idle(&parking) & WP__IDLE_STANDBY);
	t_assert(!wp__parking_unpark(&parking, 0));
	t_assert(wp__parking_sleep(&parking, 0));
	expect(1, 0, false);
	t_assert(wp__parking_park(&parking, 0));
	expect(0, 1, false);
	end();
}

T_TEST(parking, woken_in_the_middle_of_parking_while_away)
{
	begin(2);
	wp__set_point_hook(wake_at_k4);
	wp__parking_park(&parking, 0);
	t_assert(wp__parking_sleep(&parking, 0));
	uint64_t idle = wp__parking_idle(&parking);
	/* Whether its count was taken as its own or not, the two counts agree. */
	expect(wp__idle_active(idle), 0, false);
	end();
}

/* ---- standby ---- */

T_TEST(parking, only_the_first_who_parks_lightly_is_standby)
{
	begin(4);
	wp__parking_join(&parking, 0);
	wp__parking_park(&parking, 1);
	wp__parking_park(&parking, 2);
	expect(1, 2, true);
	t_assert(parking.spots[1].standby && !parking.spots[2].standby);
	t_assert(wp__parking_wake(&parking, 1));
	t_assert(wp__parking_sleep(&parking, 1));
	expect(2, 1, false);
	t_assert(!parking.spots[1].standby);
	wp__parking_park(&parking, 3);
	expect(2, 2, true);
	t_assert(parking.spots[3].standby);
	end();
}

T_TEST(parking, standby_wakes_by_itself_and_declares_the_stuck_away)
{
	begin(4);
	for (unsigned i = 0; i < 3; i++)
		wp__parking_join(&parking, i);
	wp__parking_park(&parking, 3);
	for (unsigned i = 0; i < 3; i++)
		make_progress(i);
	t_assert(!wp__parking_sleep(&parking, 3));
	t_assert(!wp__parking_tick(&parking, 3)); /* all have moved since */
	expect(3, 1, true);
	make_progress(1);
	t_assert(!wp__parking_sleep(&parking, 3));
	t_assert(!wp__parking_tick(&parking, 3));
	expect(1, 1, true);
	t_assert(!wp__parking_is_active(&parking, 0) && wp__parking_is_active(&parking, 1));
	t_assert(!wp__parking_sleep(&parking, 3));
	t_assert(wp__parking_tick(&parking, 3)); /* nobody is left: it has to look itself */
	expect(0, 1, true);
	t_assert(wp__parking_unpark(&parking, 3));
	expect(1, 0, false);
	/* Those who were declared away have nothing left to give up, and come back. */
	t_assert(!leave(0));
	t_assert(!wp__parking_join(&parking, 1));
	expect(2, 0, false);
	end();
}

T_TEST(parking, the_parked_are_not_declared_anything)
{
	begin(3);
	wp__parking_join(&parking, 0);
	wp__parking_park(&parking, 1);
	wp__parking_park(&parking, 2);
	for (int i = 0; i < 3; i++) {
		make_progress(0);
		t_assert(!wp__parking_tick(&parking, 1));
		expect(1, 2, true);
	}
	end();
}

T_TEST(parking, standby_gives_up_when_nobody_is_active)
{
	begin(3);
	wp__parking_join(&parking, 0);
	wp__parking_park(&parking, 1);
	t_assert(!wp__parking_sleep(&parking, 1));
	t_assert(leave(0));
	t_assert(!wp__parking_tick(&parking, 1)); /* whoever left had the duty */
	expect(0, 1, false);
	t_assert(!parking.spots[1].standby);
	/* From here on it sleeps without a timer: the next return is a wake-up. */
	t_assert(wp__parking_wake_one(&parking));
	t_assert(wp__parking_sleep(&parking, 1));
	expect(1, 0, false);
	end();
}

T_TEST(parking, an_appointed_worker_is_told_so_and_becomes_standby)
{
	begin(3);
	t_assert(!wp__parking_appoint(&parking));
	wp__parking_join(&parking, 0);
	wp__parking_park(&parking, 1); /* standby */
	wp__parking_park(&parking, 2);
	t_assert(wp__parking_wake(&parking, 1));
	t_assert(wp__parking_sleep(&parking, 1));
	t_assert(!parking.spots[1].appointed);
	wp__parking_leave(&parking, 1);
	expect(1, 1, false);
	t_assert(wp__parking_appoint(&parking));
	expect(2, 0, false);
	t_assert(!wp__parking_appoint(&parking));
	t_assert(wp__parking_sleep(&parking, 2));
	t_assert(parking.spots[2].appointed);
	t_assert(!wp__parking_park(&parking, 2));
	expect(1, 1, true);
	t_assert(parking.spots[2].standby);
	end();
}

T_TEST(parking, one_woken_to_help_is_told_so_once)
{
	begin(3);
	t_assert(!wp__parking_wake_to_help(&parking, WP__PARKING_MAX));
	wp__parking_park(&parking, 1);
	t_assert(!wp__parking_wake_to_help(&parking, 1)); /* not itself */
	wp__parking_park(&parking, 2);
	t_assert(wp__parking_wake_to_help(&parking, 1));
	t_assert(wp__parking_sleep(&parking, 2));
	t_assert(parking.spots[2].to_help && !parking.spots[2].appointed);
	expect(1, 1, false);
	wp__parking_park(&parking, 2);
	t_assert(wp__parking_wake(&parking, 2));
	t_assert(wp__parking_sleep(&parking, 2));
	t_assert(!parking.spots[2].to_help);
	wp__parking_leave(&parking, 2);
	t_assert(wp__parking_wake_to_help(&parking, WP__PARKING_MAX));
	t_assert(wp__parking_sleep(&parking, 1));
	t_assert(parking.spots[1].to_help);
	wp__parking_leave(&parking, 1);
	end();
}

T_TEST(parking, standby_that_is_woken_during_its_tick)
{
	begin(2);
	wp__parking_join(&parking, 0);
	wp__parking_park(&parking, 1);
	t_assert(!wp__parking_sleep(&parking, 1));
	wp__parking_tick(&parking, 1);
	t_assert(wp__parking_wake_one(&parking));
	t_assert(!wp__parking_unpark(&parking, 1));
	t_assert(wp__parking_sleep(&parking, 1));
	t_assert(!(wp__parking_idle(&parking) & WP__IDLE_STANDBY));
	t_assert(wp__parking_is_active(&parking, 1));
	end();
}

T_TEST(parking, as_many_as_there_can_be)
{
	begin(WP__PARKING_MAX);
	for (unsigned i = 0; i < WP__PARKING_MAX; i++)
		wp__parking_join(&parking, i);
	expect(WP__PARKING_MAX, 0, false);
	for (unsigned i = 0; i < WP__PARKING_MAX; i++)
		t_assert(wp__parking_park(&parking, i) == (i == WP__PARKING_MAX - 1));
	expect(0, WP__PARKING_MAX, true);
	for (unsigned i = 0; i < WP__PARKING_MAX; i++)
		t_assert(wp__parking_wake_one(&parking));
	t_assert(!wp__parking_wake_one(&parking));
	expect(WP__PARKING_MAX, 0, true);
	end();
}
