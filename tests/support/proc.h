/* SPDX-License-Identifier: MIT */
/* What a process has, as /proc shows it. */
#ifndef WP_TESTS_PROC_H
#define WP_TESTS_PROC_H

#include <dirent.h>

#include "t.h"

/*
 * Entries of a folder, "." and ".." among them: good to compare with an earlier count. A thread
 * that was joined is still listed for a moment.
 */
static inline unsigned proc_entries(const char *path)
{
	unsigned n = 0;
	DIR *dir = opendir(path);
	t_assert(dir != NULL);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static inline unsigned proc_threads(void)
{
	return proc_entries("/proc/self/task");
}

static inline unsigned proc_files(void)
{
	return proc_entries("/proc/self/fd");
}

#endif
