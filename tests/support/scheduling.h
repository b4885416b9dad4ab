/* SPDX-License-Identifier: MIT */
/* How the kernel schedules the calling thread, as it tells. Needs _GNU_SOURCE. */
#ifndef WP_TESTS_SCHEDULING_H
#define WP_TESTS_SCHEDULING_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "t.h"

/* The first members of struct sched_attr, whose header cannot be included beside <sched.h>. */
struct scheduling {
	uint32_t size;
	uint32_t policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t slice; /* ns; of ordinary policies since Linux 6.12 */
	uint64_t deadline;
	uint64_t period;
};

static inline struct scheduling scheduling_of_self(void)
{
	struct scheduling s = { .size = sizeof(s) };
	t_assert_int_eq(syscall(SYS_sched_getattr, 0, &s, sizeof(s), 0), 0);
	return s;
}

/* Older kernels accept a request for slices of a length, and do nothing. */
static inline bool scheduling_has_slices(void)
{
	struct utsname name;
	unsigned major = 0, minor = 0;
	t_assert_int_eq(uname(&name), 0);
	t_assert_int_eq(sscanf(name.release, "%u.%u", &major, &minor), 2);
	return major > 6 || (major == 6 && minor >= 12);
}

#endif
