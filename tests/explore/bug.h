/* SPDX-License-Identifier: MIT */
/*
 * Known bugs: small programs of shapes that shipped somewhere, with the bug in their broken form
 * (explore_variant() is true) and without it in their fixed form. The explorer must find the one
 * and not complain about the other.
 */
#ifndef WP_TESTS_EXPLORE_BUG_H
#define WP_TESTS_EXPLORE_BUG_H

#include "base/alloc.h"
#include "base/atomic.h"
#include "base/os.h"
#include "explore.h"

#define BROKEN explore_variant()

#define KNOWN_BUG(name_, says, ...) \
	EXPLORE_TEST(name_, .has_bug = true, .bug_says = says, __VA_ARGS__)

/* The fence is there in the fixed form, or where `cond` holds. */
#define FENCE_IF(cond)                 \
	do {                           \
		if (cond)              \
			wp_fence_sc(); \
	} while (0)

#endif
