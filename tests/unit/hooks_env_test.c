/* SPDX-License-Identifier: MIT */
/* The hooks' settings from the environment; tests/meson.build sets it for this program. */
#include <sys/resource.h>

#include "hooks.h"
#include "t.h"

T_TEST(hooks_env, first_ticket)
{
	t_assert_u64_eq(wp__first_ticket(), UINT64_C(0xfffffff0));
}

T_TEST(hooks_env, chaos)
{
	struct rusage before, after;
	getrusage(RUSAGE_SELF, &before);
	for (int i = 0; i < 20000; i++)
		WP_POINT("hooks_env:point"); /* sleeps at 8 of 1024 */
	getrusage(RUSAGE_SELF, &after);
	t_assert(after.ru_nvcsw - before.ru_nvcsw >= 50);
}
