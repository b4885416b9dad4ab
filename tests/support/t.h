/* SPDX-License-Identifier: MIT */
/*
 * What the unit tests are written against: either Criterion (-DWP_USE_CRITERION) or the plain
 * runner of runner.c, which needs nothing but the C library and runs under every sanitizer.
 *
 *     T_TEST(queue, is_empty_at_first)
 *     {
 *             t_assert_u64_eq(wp_queue_depth(queue), 0);
 *     }
 *
 * Each test runs in a process of its own. An assertion may fail in any thread of it: it prints
 * where and what, and ends the process. A test that takes longer than its limit is killed and
 * counts as failed; WP_TEST_TIMEOUT_SCALE=3 in the environment makes all limits three times as
 * long.
 */
#ifndef WP_TESTS_T_H
#define WP_TESTS_T_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Seconds; a limit for hangs, not a measurement. */
#define T_DEFAULT_TIMEOUT 120

/* 1 in a build with a sanitizer: a stress test does less there, and malloc(SIZE_MAX) aborts. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define T_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define T_SANITIZED 1
#endif
#endif
#ifndef T_SANITIZED
#define T_SANITIZED 0
#endif

/* Under valgrind: tools/memcheck says so. For what valgrind, or a library of others, gets wrong. */
bool t_memcheck(void);

#define T_TEST(suite, name) T_TEST_TIMEOUT(suite, name, T_DEFAULT_TIMEOUT)

#define t_assert(expr) t__check((expr), "%s", #expr)

#define t_assert_msg(expr, ...) t__check((expr), __VA_ARGS__)

#define t_assert_int_eq(actual, expected)                                      \
	t__int_eq(__FILE__, __LINE__, #actual, #expected, (long long)(actual), \
		(long long)(expected))

#define t_assert_u64_eq(actual, expected)                                               \
	t__u64_eq(__FILE__, __LINE__, #actual, #expected, (unsigned long long)(actual), \
		(unsigned long long)(expected))

#define t_assert_str_eq(actual, expected) \
	t__str_eq(__FILE__, __LINE__, #actual, #expected, (actual), (expected))

#define t__check(ok, ...) ((ok) ? (void)0 : t__fail(__FILE__, __LINE__, __VA_ARGS__))

_Noreturn void t__fail(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void t__int_eq(const char *file, int line, const char *a_text, const char *b_text, long long a,
	long long b);
void t__u64_eq(const char *file, int line, const char *a_text, const char *b_text,
	unsigned long long a, unsigned long long b);
void t__str_eq(const char *file, int line, const char *a_text, const char *b_text, const char *a,
	const char *b);

#ifdef WP_USE_CRITERION

#include <criterion/criterion.h>

#define T_TEST_TIMEOUT(suite, name, seconds) Test(suite, name, .timeout = (seconds))

/* Ends the test as skipped. Only from the test's own thread. */
#define t_skip(reason) cr_skip("%s", reason)

#else

struct t__test {
	const char *suite, *name;
	double timeout;
	void (*run)(void);
	struct t__test *next;
};

void t__register(struct t__test *test);
_Noreturn void t__skip(const char *reason);

#define T_TEST_TIMEOUT(suite_, name_, seconds)                                                   \
	static void t_##suite_##_##name_(void);                                                  \
	__attribute__((constructor)) static void t_register_##suite_##_##name_(void)             \
	{                                                                                        \
		static struct t__test test = { #suite_, #name_, (seconds), t_##suite_##_##name_, \
			NULL };                                                                  \
		t__register(&test);                                                              \
	}                                                                                        \
	static void t_##suite_##_##name_(void)

#define t_skip(reason) t__skip(reason)

#endif
#endif
