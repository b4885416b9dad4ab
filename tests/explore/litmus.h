/* SPDX-License-Identifier: MIT */
/*
 * Short names for litmus programs. x, y, z are atomics and d is plain memory, all 0 at first;
 * r[0..5] are what the threads found out. LITMUS2 and so on take the threads' code and the
 * outcome, a number, usually the digits of what was read.
 */
#ifndef WP_TESTS_EXPLORE_LITMUS_H
#define WP_TESTS_EXPLORE_LITMUS_H

#include "base/atomic.h"
#include "explore.h"

static wp_atomic_u32 x, y, z;
static uint32_t d;
static unsigned r[6];

#define LITMUS_BODY(name, code) \
	static void name(void)  \
	{                       \
		code;           \
	}

#define LITMUS_CHECK(name, outcome)                                              \
	static void name(void)                                                   \
	{                                                                        \
		/* Every program names what it uses; the others are silenced. */ \
		(void)x, (void)y, (void)z, (void)d, (void)r[0];                  \
		explore_outcome(outcome);                                        \
	}

#define LITMUS2(name, code1, code2, outcome, ...) \
	LITMUS_BODY(name##_1, code1)              \
	LITMUS_BODY(name##_2, code2)              \
	LITMUS_CHECK(name##_check, outcome)       \
	EXPLORE_TEST(name, .body = { name##_1, name##_2 }, .check = name##_check, __VA_ARGS__)

#define LITMUS3(name, code1, code2, code3, outcome, ...)                                    \
	LITMUS_BODY(name##_1, code1)                                                        \
	LITMUS_BODY(name##_2, code2)                                                        \
	LITMUS_BODY(name##_3, code3)                                                        \
	LITMUS_CHECK(name##_check, outcome)                                                 \
	EXPLORE_TEST(name, .body = { name##_1, name##_2, name##_3 }, .check = name##_check, \
		__VA_ARGS__)

#define LITMUS4(name, code1, code2, code3, code4, outcome, ...)                \
	LITMUS_BODY(name##_1, code1)                                           \
	LITMUS_BODY(name##_2, code2)                                           \
	LITMUS_BODY(name##_3, code3)                                           \
	LITMUS_BODY(name##_4, code4)                                           \
	LITMUS_CHECK(name##_check, outcome)                                    \
	EXPLORE_TEST(name, .body = { name##_1, name##_2, name##_3, name##_4 }, \
		.check = name##_check, __VA_ARGS__)

#define ALLOWED(...) .allowed = EXPLORE_OUTCOMES(__VA_ARGS__)
#define LATE         .late_stores = true

#define SET(var, value, order)  wp_store_##order##_u32(&var, value)
#define GET(var, order)         wp_load_##order##_u32(&var)
#define SWAP(var, value, order) wp_swap_##order##_u32(&var, value)
#define ADD(var, value, order)  wp_add_##order##_u32(&var, value)
#define SC                      wp_fence_sc()
#define FENCE(order)            atomic_thread_fence(memory_order_##order)
#define FINAL(var)              wp_load_rlx_u32(&var)

#endif
