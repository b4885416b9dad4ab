/* SPDX-License-Identifier: MIT */
/*
 * Jobs that only count that they ran and were cleaned up. One file of a program includes this: the
 * counts are its own.
 */
#ifndef WP_TESTS_COUNTED_H
#define WP_TESTS_COUNTED_H

#include <wpool/wpool.h>

#include "base/atomic.h"

static wp_atomic_u64 ran, cleaned;

static inline int works(void *payload)
{
	(void)payload;
	wp_add_rlx_u64(&ran, 1);
	return 0;
}

static inline void cleanup(void *payload)
{
	(void)payload;
	wp_add_rlx_u64(&cleaned, 1);
}

static inline struct wp_job works_in(struct wp_ctx *ctx)
{
	return (struct wp_job){ .fn = works, .ctx = ctx, .cleanup = cleanup };
}

#endif
