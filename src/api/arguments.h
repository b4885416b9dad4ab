/* SPDX-License-Identifier: MIT */
/*
 * What the public functions ask of the jobs they are given, before the engine sees them: that there
 * is something to run. Pure functions of their arguments.
 */
#ifndef WP_API_ARGUMENTS_H
#define WP_API_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <wpool/job.h>

static inline bool wp__is_job(const struct wp_job *job)
{
	return job && job->fn;
}

/* Also says whether there is a context among them. */
static inline bool wp__are_jobs(const struct wp_job *jobs, size_t n, bool *in_ctx)
{
	uintptr_t contexts = 0;
	for (size_t i = 0; i < n; i++) {
		if (!jobs[i].fn)
			return false;
		contexts |= (uintptr_t)jobs[i].ctx;
	}
	*in_ctx = contexts != 0;
	return true;
}

#endif
