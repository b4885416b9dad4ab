/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <sys/resource.h>

#include "base/atomic.h"
#include "hooks.h"
#include "t.h"

#define THREADS 4
#define CALLS   5000

T_TEST(hooks, nothing_fails_unasked)
{
	for (int site = 0; site < WP_FAULT_SITES; site++)
		t_assert_int_eq(wp__fault((enum wp_fault_site)site), 0);
	t_assert_u64_eq(wp__fault_calls(WP_FAULT_ANY), WP_FAULT_SITES);
	t_assert_u64_eq(wp__fault_failures(WP_FAULT_ANY), 0);
}

T_TEST(hooks, each_site_has_its_own_setting)
{
	wp__fault_arm(WP_FAULT_RESERVE, 1, false, ENOMEM);
	wp__fault_arm(WP_FAULT_THREAD, 2, true, EAGAIN);
	t_assert_int_eq(wp__fault(WP_FAULT_ALLOC), 0);
	t_assert_int_eq(wp__fault(WP_FAULT_THREAD), 0);
	t_assert_int_eq(wp__fault(WP_FAULT_RESERVE), ENOMEM);
	t_assert_int_eq(wp__fault(WP_FAULT_RESERVE), 0);
	t_assert_int_eq(wp__fault(WP_FAULT_THREAD), EAGAIN);
	t_assert_int_eq(wp__fault(WP_FAULT_THREAD), EAGAIN);
	t_assert_u64_eq(wp__fault_calls(WP_FAULT_THREAD), 3);
	t_assert_u64_eq(wp__fault_failures(WP_FAULT_THREAD), 2);
	t_assert_u64_eq(wp__fault_failures(WP_FAULT_ANY), 3);
	wp__fault_disarm();
	t_assert_int_eq(wp__fault(WP_FAULT_THREAD), 0);
	wp__fault_reset_counts();
	t_assert_u64_eq(wp__fault_calls(WP_FAULT_ANY), 0);
}

T_TEST(hooks, any_counts_over_all_sites)
{
	wp__fault_arm(WP_FAULT_ANY, 3, false, EIO);
	t_assert_int_eq(wp__fault(WP_FAULT_ALLOC), 0);
	t_assert_int_eq(wp__fault(WP_FAULT_READ_FILE), 0);
	t_assert_int_eq(wp__fault(WP_FAULT_TOPOLOGY), EIO);
	t_assert_int_eq(wp__fault(WP_FAULT_ALLOC), 0);
}

static wp_atomic_u64 failed;

static void *call_often(void *arg)
{
	(void)arg;
	for (int i = 0; i < CALLS; i++)
		wp_add_rlx_u64(&failed, wp__fault(WP_FAULT_ALLOC) == ENOMEM);
	return NULL;
}

static void in_threads(void *(*start)(void *))
{
	pthread_t threads[THREADS];
	for (int i = 0; i < THREADS; i++)
		t_assert_int_eq(pthread_create(&threads[i], NULL, start, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

T_TEST(hooks, among_threads_exactly_the_nth_call_fails)
{
	wp__fault_arm(WP_FAULT_ALLOC, THREADS * CALLS / 2, false, ENOMEM);
	in_threads(call_often);
	t_assert_u64_eq(wp_load_rlx_u64(&failed), 1);
	t_assert_u64_eq(wp__fault_calls(WP_FAULT_ALLOC), THREADS * CALLS);
}

T_TEST(hooks, among_threads_all_calls_from_the_nth_on_fail)
{
	wp__fault_arm(WP_FAULT_ALLOC, 101, true, ENOMEM);
	in_threads(call_often);
	t_assert_u64_eq(wp_load_rlx_u64(&failed), THREADS * CALLS - 100);
	t_assert_u64_eq(wp__fault_failures(WP_FAULT_ALLOC), THREADS * CALLS - 100);
}

T_TEST(hooks, points_are_counted_by_label)
{
	/* Two arrays: one label in two source files has two addresses. */
	static const char here[] = "hooks:twice", there[] = "hooks:twice";
	WP_POINT("hooks:one");
	WP_POINT(here);
	WP_POINT(there);
	WP_POINT(here);
	t_assert_u64_eq(wp__point_hits("hooks:one"), 1);
	t_assert_u64_eq(wp__point_hits("hooks:twice"), 3);
	t_assert_u64_eq(wp__point_hits("hooks:none"), 0);
	wp__point_reset_hits();
	t_assert_u64_eq(wp__point_hits("hooks:twice"), 0);
	WP_POINT(here);
	t_assert_u64_eq(wp__point_hits("hooks:twice"), 1);
}

static void *pass_points(void *arg)
{
	(void)arg;
	for (int i = 0; i < CALLS; i++) {
		WP_POINT("hooks:a");
		WP_POINT("hooks:b");
	}
	return NULL;
}

T_TEST(hooks, points_of_many_threads_are_counted_roughly)
{
	wp__chaos(42, 32, 1);
	in_threads(pass_points);
	t_assert(wp__point_hits("hooks:a") > 0);
	t_assert(wp__point_hits("hooks:a") <= THREADS * CALLS);
	t_assert(wp__point_hits("hooks:b") > 0);
}

static char last_label;

static void remember(const char *label)
{
	last_label = label[0];
}

T_TEST(hooks, a_hook_sees_the_label)
{
	wp__set_point_hook(remember);
	WP_POINT("x");
	t_assert_int_eq(last_label, 'x');
	WP_POINT("y");
	t_assert_int_eq(last_label, 'y');
	wp__set_point_hook(NULL);
	WP_POINT("z");
	t_assert_int_eq(last_label, 'y');
}

static long sleeps_in_points(int n)
{
	struct rusage before, after;
	getrusage(RUSAGE_SELF, &before);
	for (int i = 0; i < n; i++)
		WP_POINT("hooks:sleep");
	getrusage(RUSAGE_SELF, &after);
	return after.ru_nvcsw - before.ru_nvcsw;
}

T_TEST(hooks, chaos_gives_up_the_processor)
{
	wp__chaos(1, 0, 1024);
	t_assert(sleeps_in_points(200) >= 100);
	wp__chaos(1, 0, 256);
	t_assert(sleeps_in_points(1000) >= 100);
	wp__chaos(0, 0, 0);
	t_assert(sleeps_in_points(1000) < 100);
}

T_TEST(hooks, first_ticket)
{
	t_assert_u64_eq(wp__first_ticket(), 0);
	wp__set_first_ticket(UINT64_C(1) << 33);
	t_assert_u64_eq(WP_FIRST_TICKET(), UINT64_C(1) << 33);
}
