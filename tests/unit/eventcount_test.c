/* SPDX-License-Identifier: MIT */
#include "park/eventcount.h"

#include <errno.h>
#include <string.h>

#include "base/os.h"
#include "crew.h"
#include "hooks.h"
#include "t.h"

T_TEST(eventcount, notify_without_waiters_makes_no_call)
{
	struct wp__eventcount ec = { 0 };
	wp__fault_reset_counts();
	for (int i = 0; i < 1000; i++)
		wp__ec_notify(&ec);
	t_assert_u64_eq(wp__fault_calls(WP_FAULT_FUTEX_WAKE), 0);
	t_assert_u64_eq(wp_load_rlx_u32(&ec.epoch), 0);
}

T_TEST(eventcount, a_notify_after_prepare_ends_the_wait)
{
	struct wp__eventcount ec = { 0 };
	uint32_t key = wp__ec_prepare(&ec);
	wp__ec_notify(&ec);
	t_assert_int_eq(wp__ec_wait(&ec, key, UINT64_MAX), 0); /* hangs if the notify is not seen */
	uint32_t next = wp__ec_again(&ec);
	t_assert(next != key);
	wp__ec_leave(&ec);
	t_assert_u64_eq(wp_load_rlx_u32(&ec.waiters), 0);
}

T_TEST(eventcount, wait_ends_at_the_deadline)
{
	struct wp__eventcount ec = { 0 };
	uint32_t key = wp__ec_prepare(&ec);
	uint64_t deadline = wp__os_now_ns() + 5000000;
	int result;
	while ((result = wp__ec_wait(&ec, key, deadline)) == 0)
		t_assert(wp__os_now_ns() < deadline + UINT64_C(30000000000));
	t_assert_int_eq(result, -ETIMEDOUT);
	t_assert(wp__os_now_ns() >= deadline);
	wp__ec_leave(&ec);
}

T_TEST(eventcount, a_wait_survives_interruptions)
{
	struct wp__eventcount ec = { 0 };
	wp__fault_arm(WP_FAULT_FUTEX_WAIT, 1, false, EINTR);
	uint32_t key = wp__ec_prepare(&ec);
	t_assert_int_eq(wp__ec_wait(&ec, key, UINT64_MAX), 0);
	t_assert_u64_eq(wp__fault_failures(WP_FAULT_FUTEX_WAIT), 1);
	wp__ec_leave(&ec);
}

/*
 * One counter goes up; each waiter waits for every value in turn. A lost notification stops the
 * notifier, which goes on only when all have seen the value.
 */
struct ladder {
	struct wp__eventcount up, seen;
	wp_atomic_u64 value, answers;
	uint64_t rounds;
	unsigned waiters;
};

/* Hangs where a notification was lost, until the test's time is over. */
static void await(struct wp__eventcount *ec, wp_atomic_u64 *word, uint64_t least)
{
	if (wp_load_acq_u64(word) >= least)
		return;
	uint32_t key = wp__ec_prepare(ec);
	while (wp_load_acq_u64(word) < least) {
		t_assert_int_eq(wp__ec_wait(ec, key, UINT64_MAX), 0);
		key = wp__ec_again(ec);
	}
	wp__ec_leave(ec);
}

static void climb(void *arg, unsigned me)
{
	struct ladder *l = arg;
	for (uint64_t r = 1; r <= l->rounds; r++) {
		if (me == 0) {
			wp_store_rel_u64(&l->value, r);
			wp__ec_notify(&l->up);
			await(&l->seen, &l->answers, r * l->waiters);
		} else {
			await(&l->up, &l->value, r);
			wp_add_rel_u64(&l->answers, 1);
			wp__ec_notify(&l->seen);
		}
	}
}

static void run_ladder(unsigned waiters, uint64_t rounds)
{
	struct ladder l;
	memset(&l, 0, sizeof(l));
	l.rounds = t_scaled(rounds);
	l.waiters = waiters;
	struct crew crew;
	crew_start(&crew, waiters + 1, climb, &l);
	crew_join(&crew);
	t_assert_u64_eq(wp_load_rlx_u64(&l.answers), l.rounds * waiters);
	t_assert_u64_eq(wp_load_rlx_u32(&l.up.waiters), 0);
	t_assert_u64_eq(wp_load_rlx_u32(&l.seen.waiters), 0);
}

T_TEST(eventcount, no_notification_is_lost)
{
	run_ladder(1, 50000);
	run_ladder(4, 5000);
}

T_TEST(eventcount, no_notification_is_lost_under_chaos)
{
	wp__chaos(3, 200, 20);
	run_ladder(1, 10000);
	run_ladder(3, 2000);
	t_assert(wp__point_hits("V1") > 0 && wp__point_hits("V4") > 0);
}

/* The two halves of the handshake against each other, held at their points by turns. */
static struct wp__eventcount crossed;
static wp_atomic_u64 crossed_flag;
static wp_atomic_u32 hold_notifier, at_v4;

static void stop_at_v4(const char *label)
{
	if (strcmp(label, "V4") != 0 || !wp_load_acq_u32(&hold_notifier))
		return;
	wp_store_rel_u32(&at_v4, 1);
	while (wp_load_acq_u32(&hold_notifier))
		wp__os_yield();
}

static void cross(void *arg, unsigned me)
{
	(void)arg;
	if (me == 0) {
		wp_store_rel_u64(&crossed_flag, 1);
		wp__ec_notify(&crossed);
		return;
	}
	/* Counted after the notifier's fence, before its look: it sees the count. */
	while (!wp_load_acq_u32(&at_v4))
		wp__os_yield();
	uint32_t key = wp__ec_prepare(&crossed);
	t_assert_u64_eq(wp_load_acq_u64(&crossed_flag), 1);
	wp_store_rel_u32(&hold_notifier, 0);
	t_assert_int_eq(wp__ec_wait(&crossed, key, UINT64_MAX), 0);
	wp__ec_leave(&crossed);
}

T_TEST(eventcount, notifier_held_before_its_look_sees_the_waiter)
{
	wp_store_rel_u32(&hold_notifier, 1);
	wp__set_point_hook(stop_at_v4);
	struct crew crew;
	crew_start(&crew, 2, cross, NULL);
	crew_join(&crew);
	wp__set_point_hook(NULL);
	t_assert_u64_eq(wp_load_rlx_u32(&crossed.epoch), 1);
}
