/* SPDX-License-Identifier: MIT */
/*
 * The pin order on machines that hwloc makes up: synthetic ones, and irregular ones that are cut
 * out of those with hwloc itself and handed over as XML files.
 */
#define _GNU_SOURCE
#include "topo/topo.h"

#include <errno.h>
#include <hwloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/rng.h"
#include "hooks.h"
#include "t.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define UNTOUCHED    0xdeadbeefu

static unsigned cpus[WP__CPU_MAX + 1];

/* Only what the test says describes the machine. */
static void on_real_machine(void)
{
	unsetenv("HWLOC_SYNTHETIC");
	unsetenv("HWLOC_XMLFILE");
	unsetenv("HWLOC_FSROOT");
	unsetenv("HWLOC_COMPONENTS");
	unsetenv("HWLOC_THISSYSTEM");
}

static void on_machine(const char *synthetic)
{
	if (t_memcheck())
		t_skip("hwloc copies overlapping memory where it makes up a machine");
	on_real_machine();
	t_assert_int_eq(setenv("HWLOC_SYNTHETIC", synthetic, 1), 0);
}

static int order(const struct wp__cpu_set *allowed, size_t n)
{
	for (size_t i = 0; i < COUNT(cpus); i++)
		cpus[i] = UNTOUCHED;
	errno = 4711;
	int found = wp__topo_pin_order(allowed, cpus, n);
	t_assert_int_eq(errno, 4711);
	for (size_t i = found < 0 ? 0 : (size_t)found; i < COUNT(cpus); i++)
		t_assert(cpus[i] == UNTOUCHED);
	return found;
}

static void allow(struct wp__cpu_set *set, unsigned cpu)
{
	set->bits[cpu / 64] |= UINT64_C(1) << (cpu % 64);
}

/* A list of CPUs for each test: { 0, 2, 1 } in the order that is wanted. */
#define EXPECT(allowed, ...)                                                   \
	do {                                                                   \
		static const unsigned wanted[] = { __VA_ARGS__ };              \
		t_assert_int_eq(order((allowed), WP__CPU_MAX), COUNT(wanted)); \
		for (size_t i_ = 0; i_ < COUNT(wanted); i_++)                  \
			t_assert_int_eq(cpus[i_], wanted[i_]);                 \
	} while (0)

T_TEST(topo, nodes_take_turns_and_cores_come_before_siblings)
{
	on_machine("node:2 core:2 pu:2");
	EXPECT(NULL, 0, 4, 2, 6, 1, 5, 3, 7);
	on_machine("node:4 core:4 pu:1");
	EXPECT(NULL, 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
	on_machine("pack:2 node:1 core:2 pu:4");
	EXPECT(NULL, 0, 8, 4, 12, 1, 9, 5, 13, 2, 10, 6, 14, 3, 11, 7, 15);
	on_machine("core:1 pu:1");
	EXPECT(NULL, 0);
	/* No cores known: each CPU counts as one. */
	on_machine("node:2 pu:3");
	EXPECT(NULL, 0, 3, 1, 4, 2, 5);
	/* The kernel's usual numbering: the siblings after all cores. */
	on_machine("node:2 core:2 pu:2(indexes=0,4,1,5,2,6,3,7)");
	EXPECT(NULL, 0, 2, 1, 3, 4, 6, 5, 7);
	/* Nodes that hang on a cache, and a machine without any node. */
	on_machine("pack:1 l3:2 [numa] core:2 pu:2");
	EXPECT(NULL, 0, 4, 2, 6, 1, 5, 3, 7);
	on_machine("l2:2 core:2 pu:1");
	EXPECT(NULL, 0, 1, 2, 3);
	/* A node inside a core is odd, but must not break anything. */
	on_machine("core:2 node:2 pu:2");
	t_assert_int_eq(order(NULL, WP__CPU_MAX), 8);
}

T_TEST(topo, several_memories_behind_the_same_cpus_are_one_node)
{
	on_machine("pack:2 [numa] [numa] core:2 pu:2");
	EXPECT(NULL, 0, 4, 2, 6, 1, 5, 3, 7);
	on_machine("[numa] pack:2 [numa] core:2 pu:2");
	EXPECT(NULL, 0, 4, 2, 6, 1, 5, 3, 7);
	on_machine("[numa] [numa] [numa] pack:2 core:2 pu:1");
	EXPECT(NULL, 0, 1, 2, 3);
}

T_TEST(topo, only_allowed_cpus_are_used)
{
	struct wp__cpu_set set = { { 0 } };
	on_machine("node:2 core:2 pu:2");
	t_assert_int_eq(order(&set, WP__CPU_MAX), 0);
	/* 1 and 3: of these cores only the second hardware thread, which then is the first. */
	allow(&set, 1), allow(&set, 3), allow(&set, 6), allow(&set, 7);
	EXPECT(&set, 1, 6, 3, 7);
	/* CPUs that the machine does not have change nothing, up to the last bit. */
	allow(&set, 8), allow(&set, 64), allow(&set, 500), allow(&set, WP__CPU_MAX - 1);
	EXPECT(&set, 1, 6, 3, 7);
	memset(&set, 0, sizeof(set));
	allow(&set, 5);
	EXPECT(&set, 5);
	memset(&set, 0, sizeof(set));
	for (unsigned cpu = 8; cpu < WP__CPU_MAX; cpu++)
		allow(&set, cpu);
	t_assert_int_eq(order(&set, WP__CPU_MAX), 0);
	memset(&set, 0xff, sizeof(set));
	EXPECT(&set, 0, 4, 2, 6, 1, 5, 3, 7);
}

/*
 * Any subset of a regular machine, against the rule itself: in the order of (round, turn, node) as
 * plain arithmetic gives them, every CPU comes after the one before it.
 */
static void check_subset(
	unsigned cores, unsigned threads, unsigned all, const struct wp__cpu_set *set)
{
	static unsigned taken[64][64]; /* [node][round]: cores that had their turn */
	unsigned in_set = 0;
	for (unsigned cpu = 0; cpu < all; cpu++)
		in_set += wp__cpu_isset(set, cpu);
	t_assert_int_eq(order(set, WP__CPU_MAX), in_set);
	memset(taken, 0, sizeof(taken));
	uint64_t before = 0;
	for (unsigned i = 0; i < in_set; i++) {
		unsigned cpu = cpus[i], node = cpu / (cores * threads), round = 0;
		t_assert(cpu < all && wp__cpu_isset(set, cpu));
		for (unsigned other = cpu - cpu % threads; other < cpu; other++)
			round += wp__cpu_isset(set, other);
		uint64_t key = (uint64_t)round << 40 | (uint64_t)taken[node][round]++ << 20 | node;
		t_assert(i == 0 || key > before);
		before = key;
	}
}

T_TEST_TIMEOUT(topo, any_subset_of_any_machine, 600)
{
	static const struct {
		const char *synthetic;
		unsigned cores, threads, all;
	} machines[] = {
		{ "node:2 core:2 pu:2", 2, 2, 8 },
		{ "node:1 core:8 pu:1", 8, 1, 8 },
		{ "pack:2 node:1 core:4 pu:4", 4, 4, 32 },
		{ "node:4 core:4 pu:2", 4, 2, 32 },
		{ "pack:2 node:4 core:8 pu:2", 8, 2, 128 },
		{ "node:8 core:16 pu:4", 16, 4, 512 },
	};
	struct wp__rng rng = { 22 };
	for (size_t m = 0; m < COUNT(machines); m++) {
		on_machine(machines[m].synthetic);
		for (unsigned round = 0; round < 24; round++) {
			struct wp__cpu_set set;
			/* From a quarter of the CPUs to all of them. */
			for (size_t i = 0; i < COUNT(set.bits); i++) {
				set.bits[i] = wp__rng_next(&rng);
				if (round % 4 == 1)
					set.bits[i] &= wp__rng_next(&rng);
				if (round % 4 == 2)
					set.bits[i] |= wp__rng_next(&rng);
				if (round == 3)
					set.bits[i] = UINT64_MAX;
			}
			check_subset(machines[m].cores, machines[m].threads, machines[m].all, &set);
		}
	}
}

T_TEST(topo, fewer_are_the_beginning_of_all)
{
	static unsigned all[1024];
	on_machine("node:4 core:16 pu:2");
	t_assert_int_eq(order(NULL, WP__CPU_MAX), 128);
	memcpy(all, cpus, sizeof(all));
	static const size_t sizes[] = { 0, 1, 2, 3, 4, 5, 63, 64, 65, 127, 128, 129, 1000 };
	for (size_t i = 0; i < COUNT(sizes); i++) {
		size_t wanted = sizes[i] < 128 ? sizes[i] : 128;
		t_assert_int_eq(order(NULL, sizes[i]), wanted);
		t_assert(memcmp(cpus, all, wanted * sizeof(cpus[0])) == 0);
	}
}

T_TEST(topo, cpus_beyond_a_set_are_left_out)
{
	struct wp__cpu_set set;
	memset(&set, 0xff, sizeof(set));
	on_machine("node:2 core:3 pu:1(indexes=8191,9000,5,8192,100000,70)");
	/* hwloc sorts what lies inside one object by number. */
	EXPECT(NULL, 5, 70, 8191);
	EXPECT(&set, 5, 70, 8191);
}

/* ---- irregular machines ---- */

enum cut {
	CUT_CPUS,       /* only these CPUs exist; nodes may lose all of theirs */
	CUT_NODES,      /* only these nodes exist; the CPUs stay */
	CUT_PERMISSION, /* only these CPUs are permitted */
	CUT_MEMORY,     /* only these nodes' memory is permitted */
};

/* Cuts a synthetic machine down to a hwloc list of CPUs or nodes and makes it the machine. */
static void on_cut_machine(const char *synthetic, enum cut cut, const char *list)
{
	static char path[] = "/tmp/wpool-topo-XXXXXX";
	hwloc_topology_t topology;
	hwloc_bitmap_t set = hwloc_bitmap_alloc();
	on_real_machine();
	t_assert(set && hwloc_bitmap_list_sscanf(set, list) == 0);
	t_assert_int_eq(hwloc_topology_init(&topology), 0);
	t_assert_int_eq(
		hwloc_topology_set_flags(topology, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED), 0);
	t_assert_int_eq(hwloc_topology_set_synthetic(topology, synthetic), 0);
	t_assert_int_eq(hwloc_topology_load(topology), 0);
	if (cut == CUT_CPUS)
		t_assert_int_eq(hwloc_topology_restrict(topology, set, 0), 0);
	else if (cut == CUT_NODES)
		t_assert_int_eq(
			hwloc_topology_restrict(topology, set, HWLOC_RESTRICT_FLAG_BYNODESET), 0);
	else if (cut == CUT_PERMISSION)
		t_assert_int_eq(
			hwloc_topology_allow(topology, set, NULL, HWLOC_ALLOW_FLAG_CUSTOM), 0);
	else
		t_assert_int_eq(
			hwloc_topology_allow(topology, NULL, set, HWLOC_ALLOW_FLAG_CUSTOM), 0);
	memcpy(path + sizeof(path) - 7, "XXXXXX", 6);
	int fd = mkstemp(path);
	t_assert(fd >= 0);
	close(fd);
	t_assert_int_eq(hwloc_topology_export_xml(topology, path, 0), 0);
	hwloc_topology_destroy(topology);
	hwloc_bitmap_free(set);
	t_assert_int_eq(setenv("HWLOC_XMLFILE", path, 1), 0);
}

static void drop_cut_machine(void)
{
	t_assert_int_eq(unlink(getenv("HWLOC_XMLFILE")), 0);
}

T_TEST(topo, nodes_of_different_size)
{
	/* Node 0: cores 0-1, 2-3, 4-5, 6-7; node 1: core 8-9; node 2: cores 16-17, 18. */
	on_cut_machine("node:3 core:4 pu:2", CUT_CPUS, "0-9,16-18");
	EXPECT(NULL, 0, 8, 16, 2, 18, 4, 6, 1, 9, 17, 3, 5, 7);
	struct wp__cpu_set set = { { 0 } };
	allow(&set, 8), allow(&set, 9), allow(&set, 7), allow(&set, 18), allow(&set, 6);
	EXPECT(&set, 6, 8, 18, 7, 9);
	drop_cut_machine();
}

T_TEST(topo, cores_of_different_size)
{
	on_cut_machine("node:1 core:4 pu:4", CUT_CPUS, "0-3,4,8-9,13-15");
	EXPECT(NULL, 0, 4, 8, 13, 1, 9, 14, 2, 15, 3);
	drop_cut_machine();
}

T_TEST(topo, nodes_without_cpus_take_no_turn)
{
	on_cut_machine("node:4 core:2 pu:1", CUT_CPUS, "2-3,6-7");
	EXPECT(NULL, 2, 6, 3, 7);
	drop_cut_machine();
}

T_TEST(topo, cpus_in_no_node_are_one_more_place)
{
	on_cut_machine("node:3 core:2 pu:1", CUT_NODES, "1");
	EXPECT(NULL, 2, 0, 3, 1, 4, 5);
	drop_cut_machine();
}

T_TEST(topo, forbidden_cpus_are_left_out)
{
	struct wp__cpu_set set;
	memset(&set, 0xff, sizeof(set));
	on_cut_machine("node:2 core:2 pu:2", CUT_PERMISSION, "1-5");
	EXPECT(NULL, 1, 4, 2, 3, 5);
	EXPECT(&set, 1, 4, 2, 3, 5);
	memset(&set, 0, sizeof(set));
	allow(&set, 0), allow(&set, 7);
	t_assert_int_eq(order(&set, WP__CPU_MAX), 0);
	drop_cut_machine();
}

T_TEST(topo, cpus_keep_a_node_whose_memory_is_forbidden)
{
	on_cut_machine("node:3 core:2 pu:1", CUT_MEMORY, "0");
	EXPECT(NULL, 0, 2, 4, 1, 3, 5);
	drop_cut_machine();
}

/* ---- the real machine, and failures ---- */

T_TEST(topo, the_real_machine)
{
	struct wp__cpu_set mask, seen = { { 0 } }, after;
	on_real_machine();
	t_assert_int_eq(wp__os_get_affinity(&mask), 0);
	int found = order(&mask, WP__CPU_MAX);
	t_assert(found >= 1);
	for (int i = 0; i < found; i++) {
		t_assert(wp__cpu_isset(&mask, cpus[i]));
		t_assert(!wp__cpu_isset(&seen, cpus[i]));
		allow(&seen, cpus[i]);
	}
	t_assert(memcmp(&mask, &seen, sizeof(mask)) == 0);
	t_assert_int_eq(wp__os_get_affinity(&after), 0);
	t_assert(memcmp(&mask, &after, sizeof(mask)) == 0);
}

T_TEST(topo, failures_are_reported)
{
	on_machine("node:2 core:2 pu:2");
	wp__fault_arm(WP_FAULT_TOPOLOGY, 1, false, EIO);
	t_assert_int_eq(order(NULL, 8), -EIO);
	t_assert_int_eq(order(NULL, 8), 8);
	for (uint64_t nth = 1; nth <= 2; nth++) {
		wp__fault_arm(WP_FAULT_ALLOC, nth, false, ENOMEM);
		t_assert_int_eq(order(NULL, 8), -ENOMEM);
	}
	wp__fault_arm(WP_FAULT_ALLOC, 3, false, ENOMEM);
	t_assert_int_eq(order(NULL, 8), 8);
	/* hwloc's own failure: it is told to look nowhere. */
	on_real_machine();
	t_assert_int_eq(setenv("HWLOC_COMPONENTS", "stop", 1), 0);
	t_assert_int_eq(order(NULL, 8), -EINVAL);
	/* Nothing wanted, nothing loaded. */
	wp__fault_reset_counts();
	t_assert_int_eq(order(NULL, 0), 0);
	t_assert_int_eq(wp__fault_calls(WP_FAULT_TOPOLOGY), 0);
}
