/* SPDX-License-Identifier: MIT */
/*
 * A made-up machine for tests of topo/quota.h: a temporary directory with /proc/self/cgroup,
 * /proc/self/mountinfo and whatever the mount points in it are to show. One per test process,
 * between begin() and end(). Included by one file per program; the including file defines
 * _GNU_SOURCE first.
 */
#ifndef WP_TESTS_MADE_UP_MACHINE_H
#define WP_TESTS_MADE_UP_MACHINE_H

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "t.h"
#include "topo/quota.h"

#define CPU "/sys/fs/cgroup/cpu"
#define UNI "/sys/fs/cgroup/unified"

#define V1_MOUNT(shown, where) "33 31 0:30 " shown " " where " rw - cgroup cgroup rw,cpu\n"
#define V2_MOUNT(shown, where) "30 23 0:26 " shown " " where " rw shared:4 - cgroup2 cgroup2 rw\n"

static char root[256];

static inline void begin(void)
{
	const char *tmp = getenv("TMPDIR");
	snprintf(root, sizeof(root), "%s/wpool-quota-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	t_assert(mkdtemp(root));
}

static inline int drop(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static inline void end(void)
{
	t_assert_int_eq(nftw(root, drop, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static inline void put_bytes(const char *name, const void *bytes, size_t size)
{
	char path[8192];
	size_t length = (size_t)snprintf(path, sizeof(path), "%s%s", root, name);
	for (size_t i = strlen(root) + 1; i < length; i++) {
		if (path[i] != '/')
			continue;
		path[i] = '\0';
		t_assert(mkdir(path, 0700) == 0 || errno == EEXIST);
		path[i] = '/';
	}
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	t_assert(fd >= 0);
	t_assert(write(fd, bytes, size) == (ssize_t)size);
	close(fd);
}

static inline void put(const char *name, const char *text)
{
	put_bytes(name, text, strlen(text));
}

static inline void put_v1(const char *group, const char *quota, const char *period)
{
	char name[4096];
	snprintf(name, sizeof(name), "%s/cpu.cfs_quota_us", group);
	put(name, quota);
	snprintf(name, sizeof(name), "%s/cpu.cfs_period_us", group);
	put(name, period);
}

static inline void machine(const char *groups, const char *mounts)
{
	put("/proc/self/cgroup", groups);
	put("/proc/self/mountinfo", mounts);
}

static inline unsigned quota(void)
{
	return wp__quota_cpus(root);
}

#endif
