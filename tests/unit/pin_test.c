/* SPDX-License-Identifier: MIT */
/* Pinning on the real machine, the plan on made-up ones, and wp_pin_order. */
#define _GNU_SOURCE
#include "topo/pin.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <wpool/error.h>
#include <wpool/topo.h>

#include "base/os.h"
#include "hooks.h"
#include "t.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MANY         2048
#define UNTOUCHED    0xdeadbeefu

static struct wp__cpu_set mask;
static unsigned cpus[MANY];

/* The mask of the test's process, which is what has to be put back. */
static void begin(void)
{
	unsetenv("HWLOC_SYNTHETIC");
	unsetenv("HWLOC_XMLFILE");
	unsetenv("HWLOC_FSROOT");
	unsetenv("WP_PIN_WORKERS");
	t_assert_int_eq(wp__os_get_affinity(&mask), 0);
	for (size_t i = 0; i < MANY; i++)
		cpus[i] = UNTOUCHED;
}

static unsigned cpus_of(const struct wp__cpu_set *set)
{
	unsigned n = 0;
	for (unsigned cpu = 0; cpu < WP__CPU_MAX; cpu++)
		n += wp__cpu_isset(set, cpu);
	return n;
}

static bool has_affinity(const struct wp__cpu_set *wanted)
{
	struct wp__cpu_set now;
	t_assert_int_eq(wp__os_get_affinity(&now), 0);
	return memcmp(&now, wanted, sizeof(now)) == 0;
}

static bool is_pinned_to(unsigned cpu)
{
	struct wp__cpu_set only = { { 0 } };
	only.bits[cpu / 64] = UINT64_C(1) << (cpu % 64);
	return has_affinity(&only);
}

static unsigned first_cpu(void)
{
	unsigned cpu = 0;
	while (!wp__cpu_isset(&mask, cpu))
		cpu++;
	return cpu;
}

T_TEST(pin, the_environment_overrides_the_option)
{
	static const char *const others[] = { "", "2", "01", "10", "1 ", " 1", "yes", "true",
		"-1" };
	begin();
	t_assert(wp__pin_wanted(true));
	t_assert(!wp__pin_wanted(false));
	setenv("WP_PIN_WORKERS", "1", 1);
	t_assert(wp__pin_wanted(true));
	t_assert(wp__pin_wanted(false));
	setenv("WP_PIN_WORKERS", "0", 1);
	t_assert(!wp__pin_wanted(true));
	t_assert(!wp__pin_wanted(false));
	for (size_t i = 0; i < COUNT(others); i++) {
		setenv("WP_PIN_WORKERS", others[i], 1);
		t_assert(wp__pin_wanted(true));
		t_assert(!wp__pin_wanted(false));
	}
}

T_TEST(pin, each_allowed_cpu_can_be_had)
{
	begin();
	errno = 4711;
	for (unsigned cpu = 0; cpu < WP__CPU_MAX; cpu++) {
		if (!wp__cpu_isset(&mask, cpu))
			continue;
		t_assert_int_eq(wp__pin_self(cpu), 0);
		t_assert(is_pinned_to(cpu));
		t_assert_int_eq(wp_usable_cpus(), 1);
	}
	t_assert_int_eq(errno, 4711);
	t_assert_int_eq(wp__os_set_affinity(&mask), 0);
	t_assert(has_affinity(&mask));
}

T_TEST(pin, what_fails_changes_nothing)
{
	begin();
	errno = 4711;
	t_assert_int_eq(wp__pin_self(WP__CPU_MAX), -EINVAL);
	t_assert_int_eq(wp__pin_self(UINT_MAX), -EINVAL);
	if (!wp__cpu_isset(&mask, WP__CPU_MAX - 1))
		t_assert_int_eq(wp__pin_self(WP__CPU_MAX - 1), -EINVAL);
	wp__fault_arm(WP_FAULT_SET_AFFINITY, 1, false, EPERM);
	t_assert_int_eq(wp__pin_self(first_cpu()), -EPERM);
	t_assert_int_eq(errno, 4711);
	t_assert(has_affinity(&mask));
}

static void *pin_and_look(void *cpu)
{
	t_assert_int_eq(wp__pin_self(*(unsigned *)cpu), 0);
	t_assert(is_pinned_to(*(unsigned *)cpu));
	return NULL;
}

T_TEST(pin, only_the_calling_thread_is_bound)
{
	begin();
	int found = wp__pin_plan(cpus, MANY);
	t_assert(found >= 1);
	for (int i = 0; i < found; i++) {
		struct wp__thread thread;
		t_assert_int_eq(wp__os_thread_create(&thread, 0, pin_and_look, &cpus[i]), 0);
		wp__os_thread_join(&thread);
	}
	t_assert(has_affinity(&mask));
}

T_TEST(pin, the_plan_has_every_allowed_cpu_and_wraps_around)
{
	begin();
	unsigned allowed = cpus_of(&mask);
	t_assert_int_eq(wp__pin_plan(cpus, MANY), allowed);
	t_assert(has_affinity(&mask));
	struct wp__cpu_set seen = { { 0 } };
	for (size_t i = 0; i < MANY; i++) {
		seen.bits[cpus[i] / 64] |= UINT64_C(1) << (cpus[i] % 64);
		if (i >= allowed)
			t_assert_int_eq(cpus[i], cpus[i - allowed]);
		if (i == allowed - 1)
			t_assert(memcmp(&seen, &mask, sizeof(mask)) == 0);
	}
	t_assert(memcmp(&seen, &mask, sizeof(mask)) == 0);
}

T_TEST(pin, the_plan_follows_the_mask)
{
	begin();
	unsigned cpu = first_cpu();
	t_assert_int_eq(wp__pin_self(cpu), 0);
	t_assert_int_eq(wp__pin_plan(cpus, 5), 1);
	for (size_t i = 0; i < 5; i++)
		t_assert_int_eq(cpus[i], cpu);
	t_assert(cpus[5] == UNTOUCHED);
	t_assert_int_eq(wp__os_set_affinity(&mask), 0);
	if (t_memcheck())
		t_skip("hwloc copies overlapping memory where it makes up a machine");
	/* A machine that has none of these CPUs. */
	setenv("HWLOC_SYNTHETIC", "core:2 pu:1(indexes=8000,8001)", 1);
	if (!wp__cpu_isset(&mask, 8000) && !wp__cpu_isset(&mask, 8001)) {
		cpus[0] = UNTOUCHED;
		t_assert_int_eq(wp__pin_plan(cpus, 5), 0);
		t_assert_int_eq(wp_pin_order(cpus, 5), 0);
		t_assert(cpus[0] == UNTOUCHED);
	}
}

T_TEST(pin, without_a_mask_the_whole_topology_counts)
{
	static const unsigned wanted[] = { 0, 4, 2, 6, 1, 5, 3, 7, 0, 4, 2 };
	begin();
	if (t_memcheck())
		t_skip("hwloc copies overlapping memory where it makes up a machine");
	setenv("HWLOC_SYNTHETIC", "node:2 core:2 pu:2", 1);
	wp__fault_arm(WP_FAULT_GET_AFFINITY, 1, true, EINVAL);
	t_assert_int_eq(wp__pin_plan(cpus, COUNT(wanted)), 8);
	t_assert(memcmp(cpus, wanted, sizeof(wanted)) == 0);
	t_assert(cpus[COUNT(wanted)] == UNTOUCHED);
	for (size_t n = 1; n <= 8; n++) {
		t_assert_int_eq(wp_pin_order(cpus, n), n);
		t_assert(memcmp(cpus, wanted, n * sizeof(cpus[0])) == 0);
	}
}

T_TEST(pin, the_public_order_checks_its_arguments)
{
	begin();
	t_assert_int_eq(wp_pin_order(NULL, 1), WP_EINVAL);
	t_assert_int_eq(wp_pin_order(cpus, (size_t)INT_MAX + 1), WP_EINVAL);
	t_assert_int_eq(wp_pin_order(cpus, SIZE_MAX), WP_EINVAL);
	t_assert_int_eq(wp_pin_order(cpus, 0), 0);
	t_assert_int_eq(wp_pin_order(NULL, 0), 0);
	t_assert_int_eq(wp__fault_calls(WP_FAULT_TOPOLOGY), 0);
	t_assert(cpus[0] == UNTOUCHED);
	t_assert_int_eq(wp_pin_order(cpus, 1), 1);
	t_assert(wp__cpu_isset(&mask, cpus[0]));
	t_assert_int_eq(wp__fault_calls(WP_FAULT_TOPOLOGY), 1);
}

T_TEST(pin, failures_are_reported)
{
	begin();
	wp__fault_arm(WP_FAULT_TOPOLOGY, 1, false, ENOSYS);
	t_assert_int_eq(wp__pin_plan(cpus, 4), -ENOSYS);
	wp__fault_arm(WP_FAULT_TOPOLOGY, 1, false, ENOSYS);
	t_assert_int_eq(wp_pin_order(cpus, 4), WP_EINVAL);
	wp__fault_arm(WP_FAULT_TOPOLOGY, 1, false, ENOMEM);
	t_assert_int_eq(wp_pin_order(cpus, 4), WP_ENOMEM);
	wp__fault_arm(WP_FAULT_ALLOC, 1, false, ENOMEM);
	t_assert_int_eq(wp_pin_order(cpus, 4), WP_ENOMEM);
	t_assert(cpus[0] == UNTOUCHED);
}

T_TEST(pin, the_topology_is_loaded_only_on_demand)
{
	begin();
	wp__pin_wanted(true);
	t_assert_int_eq(wp__pin_self(first_cpu()), 0);
	wp_usable_cpus();
	t_assert_int_eq(wp__fault_calls(WP_FAULT_TOPOLOGY), 0);
	t_assert_int_eq(wp__os_set_affinity(&mask), 0);
}
