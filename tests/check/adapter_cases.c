/* SPDX-License-Identifier: MIT */
/* Tests of which most must not pass; adapter.py looks at what is reported. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "t.h"

T_TEST(good, passes)
{
	int three = 3;
	t_assert(three == 3);
	t_assert_msg(three == 3, "never %d", 1);
	t_assert_int_eq(three, 3);
	t_assert_int_eq(-1, -1);
	t_assert_u64_eq(UINT64_MAX, UINT64_MAX);
	t_assert_str_eq("a", "a");
	t_assert_str_eq((const char *)NULL, NULL);
}

T_TEST(good, leaves_early)
{
	exit(0);
}

T_TEST(good, skips)
{
	t_skip("for the reason given");
}

T_TEST(bad, assert_fails)
{
	int three = 3;
	t_assert(three == 4);
}

T_TEST(bad, message_fails)
{
	int three = 3;
	t_assert_msg(three == 4, "three is %d", three);
}

T_TEST(bad, int_fails)
{
	t_assert_int_eq(-3, 4);
}

T_TEST(bad, u64_fails)
{
	t_assert_u64_eq(UINT64_MAX, 4);
}

T_TEST(bad, string_fails)
{
	t_assert_str_eq("apples", "pears");
}

T_TEST(bad, string_is_null)
{
	const char *none = NULL;
	t_assert_str_eq(none, "pears");
}

T_TEST(bad, exits_with_status)
{
	exit(3);
}

T_TEST(bad, aborts)
{
	abort();
}

T_TEST(bad, crashes)
{
	/* With the default action also where a sanitizer has a handler of its own. */
	signal(SIGSEGV, SIG_DFL);
	raise(SIGSEGV);
}

static void *fail_in_thread(void *arg)
{
	t_assert_msg(arg != NULL, "seen in a thread");
	return NULL;
}

T_TEST(bad, thread_fails)
{
	pthread_t thread;
	pthread_create(&thread, NULL, fail_in_thread, NULL);
	for (;;)
		pause();
}

T_TEST_TIMEOUT(bad, hangs, 1)
{
	for (;;)
		pause();
}
