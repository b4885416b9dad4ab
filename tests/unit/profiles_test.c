/* SPDX-License-Identifier: MIT */
/* The profiles: what each sets, what overrides them, and that a pool works in each. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hooks.h"
#include "pool.h"
#include "scheduling.h"
#include "t.h"

static const enum wp_profile all[] = { WP_PROFILE_BALANCED, WP_PROFILE_LATENCY, WP_PROFILE_ECO };

static struct wp_options filled(enum wp_profile profile)
{
	struct wp_options o = WP_OPTIONS_INIT;
	o.profile = profile;
	t_assert_int_eq(wp_options_fill_defaults(&o), 0);
	return o;
}

static void expect(const struct wp_options *o, enum wp_profile profile, uint64_t spin_ns,
	uint64_t poll_gap_ns, uint64_t standby_ns)
{
	t_assert_int_eq(o->profile, profile);
	t_assert_u64_eq(o->spin_ns, spin_ns);
	t_assert_u64_eq(o->poll_gap_ns, poll_gap_ns);
	t_assert_u64_eq(o->standby_ns, standby_ns);
	t_assert_int_eq(wp_options_validate(o, NULL), 0);
}

T_TEST(profiles, what_they_set)
{
	struct wp_options o = filled(WP_PROFILE_BALANCED);
	expect(&o, WP_PROFILE_BALANCED, 50000, 4000, 1000000);
	o = filled(WP_PROFILE_LATENCY);
	expect(&o, WP_PROFILE_LATENCY, 10000000, 1000, 250000);
	o = filled(WP_PROFILE_ECO);
	expect(&o, WP_PROFILE_ECO, 2000, 500000, 5000000);
	o = filled((enum wp_profile)0);
	t_assert_int_eq(o.profile, WP_PROFILE_BALANCED);
}

T_TEST(profiles, what_is_set_stays)
{
	for (unsigned i = 0; i < 3; i++) {
		struct wp_options o = WP_OPTIONS_INIT;
		o.profile = all[i];
		o.poll_gap_ns = 23;
		t_assert_int_eq(wp_options_fill_defaults(&o), 0);
		struct wp_options own = filled(all[i]);
		expect(&o, all[i], own.spin_ns, 23, own.standby_ns);
		o = (struct wp_options)WP_OPTIONS_INIT;
		o.profile = all[i];
		o.spin_ns = 19;
		o.standby_ns = 77777;
		t_assert_int_eq(wp_options_fill_defaults(&o), 0);
		expect(&o, all[i], 19, own.poll_gap_ns, 77777);
		/* And again: nothing changes. */
		t_assert_int_eq(wp_options_fill_defaults(&o), 0);
		expect(&o, all[i], 19, own.poll_gap_ns, 77777);
	}
}

T_TEST(profiles, names)
{
	t_assert_str_eq(wp_profile_name(WP_PROFILE_BALANCED), "balanced");
	t_assert_str_eq(wp_profile_name(WP_PROFILE_LATENCY), "latency");
	t_assert_str_eq(wp_profile_name(WP_PROFILE_ECO), "eco");
	t_assert_str_eq(wp_profile_name((enum wp_profile)3), "unknown");
	t_assert_str_eq(wp_profile_name((enum wp_profile) - 1), "unknown");
}

T_TEST(profiles, one_that_does_not_exist)
{
	const char *why = NULL;
	struct wp_options o = WP_OPTIONS_INIT;
	struct wp_pool *pool;
	o.profile = (enum wp_profile)3;
	t_assert_int_eq(wp_options_validate(&o, &why), WP_EINVAL);
	t_assert(why && strncmp(why, "profile:", 8) == 0);
	t_assert_int_eq(wp_pool_create(&pool, &o), WP_EINVAL);
	/* Filling does not hide it. */
	t_assert_int_eq(wp_options_fill_defaults(&o), 0);
	t_assert_int_eq(wp_options_validate(&o, NULL), WP_EINVAL);
}

/* What the environment makes of a pool that asks for a profile. */
static enum wp_profile with(const char *variable, enum wp_profile asked)
{
	if (variable)
		setenv("WP_PROFILE", variable, 1);
	else
		unsetenv("WP_PROFILE");
	struct wp_options o = WP_OPTIONS_INIT;
	o.profile = asked;
	o.workers = 1;
	struct wp_pool *pool = pool_make(&o);
	unsetenv("WP_PROFILE");
	struct wp_options own = filled(pool->options.profile);
	expect(&pool->options, own.profile, own.spin_ns, own.poll_gap_ns, own.standby_ns);
	pool_end(pool);
	return own.profile;
}

T_TEST(profiles, and_the_environment)
{
	t_assert_int_eq(with(NULL, WP_PROFILE_ECO), WP_PROFILE_ECO);
	t_assert_int_eq(with("latency", WP_PROFILE_ECO), WP_PROFILE_LATENCY);
	t_assert_int_eq(with("eco", WP_PROFILE_BALANCED), WP_PROFILE_ECO);
	t_assert_int_eq(with("balanced", WP_PROFILE_LATENCY), WP_PROFILE_BALANCED);
	t_assert_int_eq(with("", WP_PROFILE_LATENCY), WP_PROFILE_LATENCY);
	t_assert_int_eq(with("ECO", WP_PROFILE_LATENCY), WP_PROFILE_LATENCY);
	t_assert_int_eq(with("unknown", WP_PROFILE_LATENCY), WP_PROFILE_LATENCY);
}

/* ---- pools at work ---- */

static void pause_ns(uint64_t ns)
{
	for (uint64_t end = wp__os_now_ns() + ns; wp__os_now_ns() < end;)
		wp_spin_hint();
}

/* Jobs at full speed, in a stream, and one by one. */
static void work(enum wp_profile profile, unsigned workers, size_t capacity)
{
	struct wp_options o = WP_OPTIONS_INIT;
	o.profile = profile;
	o.workers = workers;
	o.capacity = capacity;
	struct wp_pool *pool = pool_make(&o);
	wp_atomic_u64 ran = { 0 };
	uint64_t jobs = 0, n = t_scaled(5000);
	for (; jobs < n; jobs++)
		t_assert_int_eq(wp_submit(pool, count_fn, &ran), 0);
	for (; jobs < n + n / 10; jobs++) {
		t_assert_int_eq(wp_submit(pool, count_fn, &ran), 0);
		pause_ns(2000);
	}
	for (; jobs < n + n / 10 + 20; jobs++) {
		t_assert_int_eq(wp_submit(pool, count_fn, &ran), 0);
		pool_wait(pool);
	}
	for (unsigned i = 0; i < 20; i++, jobs++) {
		struct wp_job job = { .fn = count_fn, .payload = &ran };
		t_assert_int_eq(wp_submit_wait(pool, &job), 0);
	}
	pool_wait(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), jobs);
	pool_expect_asleep(pool);
	pool_end(pool);
}

T_TEST(profiles, every_job_runs_in_each)
{
	for (unsigned i = 0; i < 3; i++) {
		work(all[i], 1, 0);
		work(all[i], 3, 0);
		work(all[i], 2, 1);
		work(all[i], 2, 16);
	}
}

static int look_at_slice(void *payload)
{
	*(uint64_t *)payload = scheduling_of_self().slice;
	return 0;
}

T_TEST(profiles, workers_have_short_slices_but_for_eco)
{
	if (!scheduling_has_slices())
		t_skip("time slices are no matter of threads before Linux 6.12");
	for (unsigned i = 0; i < 3; i++) {
		struct wp_options o = WP_OPTIONS_INIT;
		o.profile = all[i];
		o.workers = 1;
		struct wp_pool *pool = pool_make(&o);
		uint64_t slice = 0, own = scheduling_of_self().slice;
		struct wp_job job = { .fn = look_at_slice, .payload = &slice };
		t_assert_int_eq(wp_submit_wait(pool, &job), 0);
		t_assert_u64_eq(slice, all[i] == WP_PROFILE_ECO ? own : 100000);
		pool_end(pool);
	}
}

/* A worker that sleeps in its pauses is no stuck one for the standby. */
T_TEST(profiles, pauses_longer_than_the_standby_has_patience)
{
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = 3;
	o.poll_gap_ns = 1000000;
	o.standby_ns = 50000;
	struct wp_pool *pool = pool_make(&o);
	wp_atomic_u64 ran = { 0 };
	uint64_t n = t_scaled(5000);
	for (uint64_t i = 0; i < n; i++) {
		t_assert_int_eq(wp_submit(pool, count_fn, &ran), 0);
		pause_ns(i % 1000 * 5);
	}
	pool_wait(pool);
	t_assert_u64_eq(wp_load_rlx_u64(&ran), n);
	pool_end(pool);
}

static int do_nothing(void *payload)
{
	(void)payload;
	return 0;
}

T_TEST(profiles, a_pause_does_not_hold_up_the_end)
{
	struct wp_options o = WP_OPTIONS_INIT;
	o.profile = WP_PROFILE_ECO;
	o.workers = 2;
	for (unsigned i = 0; i < 50; i++) {
		struct wp_pool *pool = pool_make(&o);
		for (unsigned k = 0; k < 100; k++)
			t_assert_int_eq(wp_submit(pool, do_nothing, NULL), 0);
		t_assert_int_eq(wp_pool_stop(pool, NULL), 0);
		pool_destroy(pool);
	}
}
