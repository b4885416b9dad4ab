/* SPDX-License-Identifier: MIT */
/* What the files of a made-up machine say, well formed and not; and the real machine. */
#define _GNU_SOURCE
#include "topo/quota.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <wpool/topo.h>

#include "base/os.h"
#include "hooks.h"
#include "made_up_machine.h"
#include "t.h"

T_TEST(quota, without_files_there_is_no_limit)
{
	begin();
	t_assert_int_eq(quota(), 0);
	put("/proc/self/cgroup", "0::/a\n");
	t_assert_int_eq(quota(), 0);
	put("/proc/self/mountinfo", "");
	t_assert_int_eq(quota(), 0);
	put("/proc/self/mountinfo", V2_MOUNT("/", "/cg"));
	t_assert_int_eq(quota(), 0);
	put("/cg/a/cpu.max", "100000 100000\n");
	t_assert_int_eq(quota(), 1);
	put("/proc/self/cgroup", "");
	t_assert_int_eq(quota(), 0);
	end();
}

T_TEST(quota, v2_contents)
{
	static const struct {
		const char *text;
		unsigned cpus;
	} cases[] = {
		{ "max 100000\n", 0 },
		{ "50000 100000\n", 1 },
		{ "100000 100000\n", 1 },
		{ "100001 100000\n", 2 },
		{ "150000 100000\n", 2 },
		{ "200000 100000\n", 2 },
		{ "800000 100000", 8 },
		{ "1000 1000000\n", 1 },
		{ "6400000 50000\n", 128 },
		{ "18446744073709551615 1\n", UINT_MAX },
		{ "18446744073709551615 18446744073709551615\n", 1 },
		{ "18446744073709551616 100000\n", 0 },
		{ "100000 18446744073709551616\n", 0 },
		{ "99999999999999999999999999999 100000\n", 0 },
		{ "100000 0\n", 0 },
		{ "0 100000\n", 0 },
		{ "0 0\n", 0 },
		{ "", 0 },
		{ "\n", 0 },
		{ " \n", 0 },
		{ "100000\n", 0 },
		{ "100000 \n", 0 },
		{ "100000 max\n", 0 },
		{ "max\n", 0 },
		{ "-1 100000\n", 0 },
		{ "+1 100000\n", 0 },
		{ " 100000 100000\n", 0 },
		{ "100000  100000\n", 0 },
		{ "100000\t100000\n", 0 },
		{ "100000 100000 1\n", 0 },
		{ "100000 100000x\n", 0 },
		{ "1e5 100000\n", 0 },
		{ "0x10 100000\n", 0 },
		{ "100000 100000\n\n", 0 },
		{ "00000000000000000000000000000000000000000000000001 000000000000000000001\n", 0 },
		/* Longer than any that the kernel writes: what fits must not pass for all. */
		{ "00000000000000000000000000000000000000000000000000100000 1000000\n", 0 },
	};
	begin();
	machine("0::/app\n", V2_MOUNT("/", "/cg"));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put("/cg/app/cpu.max", cases[i].text);
		t_assert_msg(quota() == cases[i].cpus, "\"%s\" gives %u, not %u", cases[i].text,
			quota(), cases[i].cpus);
	}
	put_bytes("/cg/app/cpu.max", "100000 100000\0", 14);
	t_assert_int_eq(quota(), 0);
	put_bytes("/cg/app/cpu.max", "1\0 1\n", 5);
	t_assert_int_eq(quota(), 0);
	end();
}

T_TEST(quota, v1_contents)
{
	static const struct {
		const char *quota, *period;
		unsigned cpus;
	} cases[] = {
		{ "-1\n", "100000\n", 0 },
		{ "50000\n", "100000\n", 1 },
		{ "250000\n", "100000\n", 3 },
		{ "250000", "100000", 3 },
		{ "400000\n", "100000\n", 4 },
		{ "400000\n", "0\n", 0 },
		{ "0\n", "100000\n", 0 },
		{ "400000\n", "", 0 },
		{ "", "100000\n", 0 },
		{ "400000\n", "-1\n", 0 },
		{ "max\n", "100000\n", 0 },
		{ "9223372036854775807\n", "1000\n", UINT_MAX },
		{ "99999999999999999999\n", "100000\n", 0 },
		{ "400000 100000\n", "100000\n", 0 },
		{ "400000\n", "100000 5\n", 0 },
	};
	begin();
	machine("4:memory:/m\n3:cpu,cpuacct:/app\n0::/\n", V1_MOUNT("/", CPU));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put_v1(CPU "/app", cases[i].quota, cases[i].period);
		t_assert_msg(quota() == cases[i].cpus, "\"%s\" \"%s\" gives %u, not %u",
			cases[i].quota, cases[i].period, quota(), cases[i].cpus);
	}
	put_v1(CPU "/app", "400000\n", "100000\n");
	put(CPU "/app/cpu.max", "100000 100000\n");
	t_assert_int_eq(quota(), 4);
	char path[512];
	snprintf(path, sizeof(path), "%s" CPU "/app/cpu.cfs_period_us", root);
	t_assert_int_eq(unlink(path), 0);
	t_assert_int_eq(quota(), 0);
	end();
}

T_TEST(quota, the_smallest_on_the_way_up_counts)
{
	begin();
	machine("0::/a/b/c\n", V2_MOUNT("/", "/cg"));
	put("/cg/a/b/c/cpu.max", "max 100000\n");
	put("/cg/a/b/cpu.max", "800000 100000\n");
	t_assert_int_eq(quota(), 8);
	put("/cg/a/cpu.max", "20000 10000\n");
	t_assert_int_eq(quota(), 2);
	put("/cg/a/b/cpu.max", "nonsense");
	t_assert_int_eq(quota(), 2);
	put("/cg/a/b/cpu.max", "0 100000\n");
	t_assert_int_eq(quota(), 2);
	put("/cg/cpu.max", "100000 100000\n");
	t_assert_int_eq(quota(), 1);
	put("/cg/cpu.max", "0 100000\n");
	t_assert_int_eq(quota(), 2);
	put("/cg/cpu.max", "max 100000\n");
	put("/cg/a/b/c/cpu.max", "150000 100000\n");
	put("/cg/a/cpu.max", "300000 100000\n");
	t_assert_int_eq(quota(), 2);
	/* Beside the way and below it nothing counts. */
	put("/cg/a/b/c/d/cpu.max", "1000 100000\n");
	put("/cg/a/x/cpu.max", "1000 100000\n");
	put("/cpu.max", "1000 100000\n");
	t_assert_int_eq(quota(), 2);

	machine("3:cpu:/a/b\n", V1_MOUNT("/", CPU));
	put_v1(CPU "/a/b", "-1\n", "100000\n");
	put_v1(CPU "/a", "350000\n", "100000\n");
	put_v1(CPU, "-1\n", "100000\n");
	t_assert_int_eq(quota(), 4);
	put_v1(CPU, "100000\n", "100000\n");
	t_assert_int_eq(quota(), 1);
	end();
}

T_TEST(quota, hybrid_systems_are_asked_in_both_versions)
{
	static const char *const mounts = V1_MOUNT("/", CPU) V2_MOUNT("/", UNI);
	begin();
	machine("5:cpuacct:/x\n2:cpu:/one\n1:name=systemd:/y\n0::/two\n", mounts);
	put_v1(CPU "/one", "300000\n", "100000\n");
	t_assert_int_eq(quota(), 3);
	put(UNI "/two/cpu.max", "200000 100000\n");
	t_assert_int_eq(quota(), 2);
	put_v1(CPU "/one", "100000\n", "100000\n");
	t_assert_int_eq(quota(), 1);
	/* A group of one version is not looked for in the tree of the other. */
	put_v1(CPU "/one", "-1\n", "100000\n");
	put(UNI "/one/cpu.max", "1000 100000\n");
	put_v1(CPU "/two", "1000\n", "100000\n");
	t_assert_int_eq(quota(), 2);
	end();
}

T_TEST(quota, only_the_cpu_controller_counts)
{
	begin();
	put_v1("/cg/app", "100000\n", "100000\n");
	machine("3:cpuacct,cpuset:/app\n1:name=cpu:/app\n", V1_MOUNT("/", "/cg"));
	t_assert_int_eq(quota(), 0);
	machine("3:cpuacct,cpu:/app\n", "33 31 0:30 / /cg rw - cgroup cgroup rw,cpuacct,cpuset\n"
					"34 31 0:30 / /cg rw - cgroup cpu rw,name=cpu\n"
					"35 31 0:30 / /cg rw - tmpfs cgroup rw,cpu\n");
	t_assert_int_eq(quota(), 0);
	machine("3:cpuacct,cpu:/app\n", "33 31 0:30 / /cg rw - cgroup  rw,cpuacct,cpu\n");
	t_assert_int_eq(quota(), 1);
	end();
}

T_TEST(quota, a_mount_may_show_a_part_of_the_tree)
{
	/* 7 is the limit at the mount point, 5 that of /cg/b, 3 that of /cg/b/c. */
	static const struct {
		const char *group, *shown;
		unsigned cpus;
	} cases[] = {
		{ "/", "/", 7 },
		{ "/b", "/", 5 },
		{ "/b/", "/", 5 },
		{ "//b//c", "/", 3 },
		{ "/b/c", "/", 3 },
		{ "/b/c/gone (deleted)", "/", 3 },
		{ "/docker/id", "/docker/id", 7 },
		{ "/docker/id/b", "/docker/id", 5 },
		{ "/docker/id/b/c", "/docker/id/", 3 },
		{ "/docker/id2/b", "/docker/id", 0 },
		{ "/docker/i", "/docker/id", 0 },
		{ "/docker", "/docker/id", 0 },
		{ "/", "/docker/id", 0 },
		{ "/other/b", "/docker/id", 0 },
		/*
		 * A namespace whose root lies below what is mounted, which binds us all the
		 * same.
		 */
		{ "/", "/..", 7 },
		{ "/b", "/..", 7 },
		{ "/b/c", "/../..", 7 },
		{ "/../b", "/../..", 7 },
		{ "/b/../..", "/../..", 0 },
		{ "/../b", "/..", 5 },
		{ "/../../b/c", "/../..", 3 },
		{ "/b", "/../b", 0 },
		{ "/", "/../b", 0 },
		/* A group outside of the mount, and attempts to get out of it. */
		{ "/..", "/", 0 },
		{ "/../b", "/", 0 },
		{ "/../../b", "/..", 0 },
		{ "/x/../b", "/", 0 },
		{ "/b/..", "/", 0 },
		{ "/b/...", "/", 5 },
		{ "b", "/", 0 },
		{ "b", "b", 0 },
		{ "/b", "", 0 },
	};
	char line[256], mount[256];
	begin();
	put("/cg/cpu.max", "700000 100000\n");
	put("/cg/b/cpu.max", "500000 100000\n");
	put("/cg/b/c/cpu.max", "300000 100000\n");
	put("/cpu.max", "100000 100000\n");
	put("/b/cpu.max", "100000 100000\n");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(line, sizeof(line), "0::%s\n", cases[i].group);
		snprintf(mount, sizeof(mount), "30 23 0:26 %s /cg rw - cgroup2 cgroup2 rw\n",
			cases[i].shown);
		machine(line, mount);
		t_assert_msg(quota() == cases[i].cpus, "%s in %s gives %u, not %u", cases[i].group,
			cases[i].shown, quota(), cases[i].cpus);
	}
	end();
}

T_TEST(quota, every_mount_that_shows_the_group_is_asked)
{
	begin();
	machine("0::/a/b\n", V2_MOUNT("/a/b", "/leaf") V2_MOUNT("/", "/all") V2_MOUNT("/z", "/z"));
	put("/leaf/cpu.max", "300000 100000\n");
	put("/all/a/cpu.max", "200000 100000\n");
	put("/z/cpu.max", "100000 100000\n");
	t_assert_int_eq(quota(), 2);
	put("/leaf/cpu.max", "100000 100000\n");
	t_assert_int_eq(quota(), 1);
	end();
}

T_TEST(quota, names_may_contain_anything)
{
	begin();
	put("/my cg\\x/a:b c\\d/cpu.max", "200000 100000\n");
	machine("0::/a:b c\\d\n", V2_MOUNT("/", "/my\\040cg\\134x"));
	t_assert_int_eq(quota(), 2);
	put("/my\tcg/cpu.max", "300000 100000\n");
	machine("0::/in d\\e\n", V2_MOUNT("/in\\040d\\134e", "/my\\011cg"));
	t_assert_int_eq(quota(), 3);
	/* What is no escape stays as it is. */
	put("/my\\09\\4/cpu.max", "400000 100000\n");
	machine("0::/\n", V2_MOUNT("/", "/my\\09\\4"));
	t_assert_int_eq(quota(), 4);
	put("/b\\0x0\\00x\\400\\/0\\0/\\08x/cpu.max", "700000 100000\n");
	machine("0::/\n", V2_MOUNT("/", "/b\\0x0\\00x\\400\\/0\\0/\\08x"));
	t_assert_int_eq(quota(), 7);
	put("/a - b/cpu.max", "500000 100000\n");
	machine("0::/\n", V2_MOUNT("/", "/a\\040-\\040b"));
	t_assert_int_eq(quota(), 5);
	put("/my/cpu.max", "600000 100000\n");
	machine("0::/\n", V2_MOUNT("/", "/my\\000cg"));
	t_assert_int_eq(quota(), 0);
	end();
}

T_TEST(quota, malformed_lines_are_passed_over)
{
	static const char *const mounts[] = {
		"30 23 0:26 / cg rw - cgroup2 cgroup2 rw\n",
		"30 23 0:26 / /x/../cg rw - cgroup2 cgroup2 rw\n",
		"30 23 0:26 / /.. rw - cgroup2 cgroup2 rw\n",
		"30 23 0:26 / /cg rw cgroup2 cgroup2 rw\n",
		"30 23 0:26 / /cg rw -\n",
		"30 23 0:26 / /cg rw - cgroup2\n",
		"30 23 0:26 / /cg rw - cgroup2 cgroup2\n",
		"30 23 0:26 / /cg\n",
		"30 23 / /cg rw - cgroup2 cgroup2 rw\n",
		"30  23 0:26 / /cg rw - cgroup2 cgroup2 rw\n",
		"- cgroup2 cgroup2 rw\n",
		"\n\n\n",
		" ",
	};
	static const char *const groups[] = { "0::\n", "0:/app\n", "0\n", ":::::\n", "0:cpu\n",
		"1::/app\n", "0:memory:/app\n", "0::app\n", "00::/app\n", " 0::/app\n" };
	char both[512];
	begin();
	put("/cg/app/cpu.max", "100000 100000\n");
	put("/cg/cpu.max", "200000 100000\n");
	put("/x/file", "");
	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		machine("0::/app\n", mounts[i]);
		t_assert_msg(quota() == 0, "accepted \"%s\"", mounts[i]);
		snprintf(both, sizeof(both), "%s\n%s", mounts[i], V2_MOUNT("/", "/cg"));
		put("/proc/self/mountinfo", both);
		t_assert_msg(quota() == 1, "stopped at \"%s\"", mounts[i]);
	}
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		machine(groups[i], V2_MOUNT("/", "/cg"));
		t_assert_msg(quota() == 0, "accepted \"%s\"", groups[i]);
		snprintf(both, sizeof(both), "%s0::/app\n", groups[i]);
		put("/proc/self/cgroup", both);
		t_assert_msg(quota() == 1, "stopped at \"%s\"", groups[i]);
	}
	put_bytes("/proc/self/cgroup", "0::/a\0p\n0::/app\n", 16);
	t_assert_int_eq(quota(), 1);
	/* Of two groups the first is ours. */
	put("/proc/self/cgroup", "0::/\n0::/app\n");
	t_assert_int_eq(quota(), 2);
	/* The last line may lack its end. */
	machine("0::/app", "30 23 0:26 / /cg rw - cgroup2 cgroup2 rw");
	t_assert_int_eq(quota(), 1);
	end();
}

T_TEST(quota, long_and_deep_paths)
{
	static char line[20000];
	begin();
	put("/cg/cpu.max", "200000 100000\n");
	put("/cg/a/cpu.max", "100000 100000\n");
	put("/proc/self/mountinfo", V2_MOUNT("/", "/cg"));
	/* One name that no kernel takes, then so many names that only the lowest are asked. */
	memset(line, 'a', sizeof(line));
	memcpy(line, "0::/", 4);
	line[sizeof(line) - 1] = '\0';
	put("/proc/self/cgroup", line);
	t_assert_int_eq(quota(), 2);
	for (size_t size = 100; size < 4200; size += size < 3900 ? 50 : 1) {
		memset(line, 'x', size);
		memcpy(line, "0::/a/", 6);
		line[size] = '\0';
		for (size_t i = 200; i < size; i += 200)
			line[i] = '/';
		put("/proc/self/cgroup", line);
		t_assert_int_eq(quota(), 1);
	}
	for (size_t i = 3; i + 2 < sizeof(line); i += 2)
		memcpy(&line[i], "/a", 3);
	put("/proc/self/cgroup", line);
	wp__fault_reset_counts();
	quota();
	t_assert(wp__fault_calls(WP_FAULT_READ_FILE) < 2000);
	/* A mount point that is too long by itself, or with the root in front; and such a root. */
	put("/proc/self/cgroup", "0::/\n");
	for (size_t size = 4000; size < 5000; size += size < 4200 ? 1 : 400) {
		int at = snprintf(line, sizeof(line), "30 23 0:26 / ");
		memset(line + at, '/', size);
		snprintf(line + at + size, 100, "cg rw - cgroup2 cgroup2 rw\n");
		put("/proc/self/mountinfo", line);
		t_assert(quota() == 0 || quota() == 2);
	}
	memset(line, 'r', 5000);
	line[5000] = '\0';
	t_assert_int_eq(wp__quota_cpus(line), 0);
	end();
}

T_TEST(quota, large_mount_tables)
{
	static const char filler[] = "99 1 8:1 / /var/lib/containers/overlay rw - overlay o rw\n";
	static const char wanted[] = V2_MOUNT("/", "/cg");
	static char text[6 << 20];
	begin();
	put("/proc/self/cgroup", "0::/\n");
	put("/cg/cpu.max", "100000 100000\n");
	for (size_t i = 0; i + sizeof(filler) < sizeof(text); i += sizeof(filler) - 1)
		memcpy(text + i, filler, sizeof(filler) - 1);
	for (size_t lines = 0; lines <= 64000; lines = lines ? lines * 2 : 250) {
		char *end_of_lines = text + lines * (sizeof(filler) - 1), saved[sizeof(wanted)];
		memcpy(saved, end_of_lines, sizeof(wanted));
		memcpy(end_of_lines, wanted, sizeof(wanted) - 1);
		put_bytes("/proc/self/mountinfo", text, sizeof(text) / 4);
		t_assert_int_eq(quota(), lines <= 16000 ? 1 : 0);
		memcpy(end_of_lines, saved, sizeof(wanted));
	}
	/* All of it is more than is read; the line cut in two must not count as a whole one. */
	put_bytes("/proc/self/mountinfo", text, sizeof(text));
	t_assert_int_eq(quota(), 0);
	memset(text, 'x', sizeof(text));
	memcpy(text, wanted, sizeof(wanted) - 1);
	text[sizeof(wanted) - 2] = ' ';
	put_bytes("/proc/self/mountinfo", text, sizeof(text));
	t_assert_int_eq(quota(), 0);
	end();
}

static unsigned cpus_in_mask(void)
{
	struct wp__cpu_set mask;
	unsigned n = 0;
	t_assert_int_eq(wp__os_get_affinity(&mask), 0);
	for (unsigned cpu = 0; cpu < WP__CPU_MAX; cpu++)
		n += wp__cpu_isset(&mask, cpu);
	return n;
}

T_TEST(quota, usable_cpus_are_the_smaller_of_mask_and_limit)
{
	unsigned in_mask = cpus_in_mask();
	char limit[64];
	begin();
	t_assert_int_eq(wp__usable_cpus(root), in_mask);
	machine("0::/\n", V2_MOUNT("/", "/cg"));
	for (unsigned cpus = 1; cpus <= in_mask + 2; cpus++) {
		snprintf(limit, sizeof(limit), "%u 100000\n", cpus * 100000 - 99999);
		put("/cg/cpu.max", limit);
		t_assert_int_eq(wp__usable_cpus(root), cpus < in_mask ? cpus : in_mask);
	}
	end();
}

T_TEST(quota, without_a_mask_the_cpus_online_count)
{
	static const struct {
		const char *text;
		unsigned cpus;
	} cases[] = { { "0\n", 1 }, { "0-3\n", 4 }, { "0-3,8-11,15\n", 9 }, { "5", 1 },
		{ "0-8191\n", 8192 }, { "0-8191,0-8191\n", 1 }, { "0-8192\n", 1 }, { "3-0\n", 1 },
		{ "5-4,0-3\n", 1 }, { "", 1 }, { "\n", 1 }, { "0-\n", 1 }, { "-3\n", 1 },
		{ "0,\n", 1 }, { "0-3 \n", 1 }, { "0-3-5\n", 1 }, { "all\n", 1 },
		{ "0-99999999999999999999\n", 1 } };
	begin();
	wp__fault_arm(WP_FAULT_GET_AFFINITY, 1, true, EINVAL);
	t_assert_int_eq(wp__usable_cpus(root), 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put("/sys/devices/system/cpu/online", cases[i].text);
		t_assert_msg(wp__usable_cpus(root) == cases[i].cpus, "\"%s\" gives %u",
			cases[i].text, wp__usable_cpus(root));
	}
	put("/sys/devices/system/cpu/online", "0-3\n");
	machine("0::/\n", V2_MOUNT("/", "/cg"));
	put("/cg/cpu.max", "200000 100000\n");
	t_assert_int_eq(wp__usable_cpus(root), 2);
	wp__fault_arm(WP_FAULT_READ_FILE, 1, true, EACCES);
	t_assert_int_eq(wp__usable_cpus(root), 1);
	end();
}

T_TEST(quota, the_real_machine)
{
	unsigned in_mask = cpus_in_mask(), limit = wp__quota_cpus("");
	errno = 4711;
	unsigned usable = wp_usable_cpus();
	t_assert_int_eq(errno, 4711);
	t_assert_int_eq(usable, limit && limit < in_mask ? limit : in_mask);
	wp__fault_arm(WP_FAULT_GET_AFFINITY, 1, false, EPERM);
	t_assert(wp_usable_cpus() >= 1);
}
