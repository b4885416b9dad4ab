/* SPDX-License-Identifier: MIT */
/* Limits of cgroups when calls fail, with random contents, and against plain arithmetic. */
#define _GNU_SOURCE
#include "topo/quota.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/os.h"
#include "base/rng.h"
#include "hooks.h"
#include "made_up_machine.h"
#include "t.h"

T_TEST(quota_fuzz, failures_mean_no_limit)
{
	static const enum wp_fault_site sites[] = { WP_FAULT_READ_FILE, WP_FAULT_ALLOC };
	begin();
	machine("2:cpu:/a\n0::/a\n", V1_MOUNT("/", CPU) V2_MOUNT("/", UNI));
	put_v1(CPU "/a", "200000\n", "100000\n");
	put(UNI "/a/cpu.max", "300000 100000\n");
	t_assert_int_eq(quota(), 2);
	for (size_t i = 0; i < 2; i++) {
		uint64_t nth = 0, failures;
		do {
			wp__fault_reset_counts();
			wp__fault_arm(sites[i], ++nth, false, ENOMEM);
			errno = 4711;
			unsigned cpus = quota();
			t_assert_int_eq(errno, 4711);
			failures = wp__fault_failures(sites[i]);
			if (failures == 0)
				t_assert_int_eq(cpus, 2);
			else
				t_assert(cpus == 0 || cpus == 2 || cpus == 3);
		} while (failures > 0);
		t_assert(nth > 3);
		wp__fault_arm(sites[i], 1, true, EIO);
		t_assert_int_eq(quota(), 0);
		wp__fault_disarm();
	}
	end();
}

/* Pieces of the right kind in the wrong place get further than random bytes do. */
static size_t random_text(struct wp__rng *rng, char *out, size_t size)
{
	static const char *const pieces[] = { "0::/", "2:cpu:/", "cpu", ",", ":", "/", "/a", "/b",
		"..", "\n", "\n", " ", " - ", "cgroup2 cgroup2 rw\n", "cgroup c rw,cpu\n", "/cg",
		"30 23 0:26 / /cg rw - ", "30 23 0:26 /.. /cg rw x:1 - ", "max", "-1", "100000",
		"50000 ", "18446744073709551615", "0", "\\040", "\\", "\\777", "9" };
	size_t n = 0, parts = wp__rng_next(rng) % 24;
	for (size_t i = 0; i < parts; i++) {
		char byte = (char)wp__rng_next(rng);
		const char *piece = &byte;
		size_t length = 1;
		if (wp__rng_next(rng) % 8) {
			piece = pieces[wp__rng_next(rng) % (sizeof(pieces) / sizeof(pieces[0]))];
			length = strlen(piece);
		}
		if (length > size - n)
			break;
		memcpy(out + n, piece, length);
		n += length;
	}
	return n;
}

T_TEST_TIMEOUT(quota_fuzz, random_contents, 600)
{
	static const char *const names[] = { "/proc/self/cgroup", "/proc/self/mountinfo",
		"/cg/cpu.max", "/cg/a/cpu.max", "/cg/cpu.cfs_quota_us", "/cg/cpu.cfs_period_us",
		"/sys/devices/system/cpu/online" };
	struct wp__rng rng = { 20 };
	char text[512];
	unsigned limited = 0;
	begin();
	for (unsigned i = 0; i < 6000; i++) {
		if (i % 16 == 0) {
			machine("2:cpu:/\n0::/a\n", V1_MOUNT("/", "/cg") V2_MOUNT("/", "/cg"));
			put("/cg/a/cpu.max", "300000 100000\n");
		}
		size_t which = wp__rng_next(&rng) % (sizeof(names) / sizeof(names[0]));
		put_bytes(names[which], text, random_text(&rng, text, sizeof(text)));
		unsigned cpus = quota(), usable = wp__usable_cpus(root);
		limited += cpus > 0;
		t_assert(usable >= 1 && usable <= WP__CPU_MAX && (cpus == 0 || usable <= cpus));
		wp__fault_arm(WP_FAULT_GET_AFFINITY, 1, false, ENOSYS);
		usable = wp__usable_cpus(root);
		t_assert(usable >= 1 && usable <= WP__CPU_MAX && (cpus == 0 || usable <= cpus));
	}
	/* Both outcomes were reached often, or this tests less than it seems to. */
	t_assert(limited > 300 && limited < 5700);
	end();
}

/* One random group on the way: its files are written, and the least limit so far is returned. */
static uint64_t random_group(struct wp__rng *rng, const char *dir, bool v2, uint64_t least)
{
	uint64_t limit = 1 + wp__rng_next(rng) % 1000000;
	uint64_t period = 1000 + wp__rng_next(rng) % 100000;
	bool none = wp__rng_next(rng) % 3 == 0;
	char name[160], first[32], second[32], line[80];
	snprintf(first, sizeof(first), "%ju", (uintmax_t)limit);
	snprintf(second, sizeof(second), "%ju\n", (uintmax_t)period);
	if (v2) {
		snprintf(name, sizeof(name), "%s/cpu.max", dir);
		snprintf(line, sizeof(line), "%s %s", none ? "max" : first, second);
		put(name, line);
	} else {
		put_v1(dir, none ? "-1" : first, second);
	}
	uint64_t cpus = (limit + period - 1) / period;
	return none || (least != 0 && least < cpus) ? least : cpus;
}

/* The limit of a random chain of groups, seen through a random mount. */
T_TEST_TIMEOUT(quota_fuzz, random_groups_against_arithmetic, 600)
{
	struct wp__rng rng = { 21 };
	begin();
	for (unsigned round = 0; round < 1500; round++) {
		bool v2 = wp__rng_next(&rng) % 2;
		unsigned depth = (unsigned)(wp__rng_next(&rng) % 6);
		unsigned hidden = (unsigned)(wp__rng_next(&rng) % (depth + 1));
		char group[64] = "", shown[64] = "/", dir[128] = "/cg", line[256];
		uint64_t least = 0;
		for (unsigned level = 0; level <= depth; level++) {
			if (level > 0)
				snprintf(group + strlen(group), 4, "/g%u", level % 10);
			if (level == hidden && level > 0)
				memcpy(shown, group, sizeof(shown));
			if (level > hidden)
				snprintf(dir + strlen(dir), 4, "/g%u", level % 10);
			if (level >= hidden)
				least = random_group(&rng, dir, v2, least);
		}
		snprintf(line, sizeof(line), "%s%s\n",
			v2 ? "0::" : "7:cpu,cpuacct:", depth ? group : "/");
		put("/proc/self/cgroup", line);
		snprintf(line, sizeof(line), "30 23 0:26 %s /cg rw - cgroup%s cg rw,cpu\n", shown,
			v2 ? "2" : "");
		put("/proc/self/mountinfo", line);
		t_assert_msg(quota() == least, "%s in %s: %u, not %u", group, shown, quota(),
			(unsigned)least);
	}
	end();
}
