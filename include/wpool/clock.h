/* SPDX-License-Identifier: MIT */
/*
 * Deadlines: absolute CLOCK_MONOTONIC time in nanoseconds. They neither stretch nor shrink when a
 * wait is interrupted and restarted, and setting the wall clock does not move them.
 */
#ifndef WPOOL_CLOCK_H
#define WPOOL_CLOCK_H

#include <stdint.h>

#include <wpool/export.h>

WP_BEGIN_DECLS

#define WP_FOREVER UINT64_MAX /* no deadline; 0 means: do not wait */

/* The present time on the clock that deadlines use, in nanoseconds. Any thread. */
WP_API uint64_t wp_now_ns(void);

/* The deadline that lies `ns` (or `ms`) after now; WP_FOREVER where the sum does not fit. */
WP_API uint64_t wp_after_ns(uint64_t ns);
WP_API uint64_t wp_after_ms(uint64_t ms);

WP_END_DECLS

#endif
