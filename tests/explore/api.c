/* SPDX-License-Identifier: MIT */
/* What tests call; see explore.h. */
#include <string.h>

#include "rt.h"

void explore_fail(const char *file, int line, const char *what)
{
	const char *base = strrchr(file, '/');
	rt->fail_pc[0] = __builtin_return_address(0);
	rt_fail("assertion", "%s:%d: %s", base ? base + 1 : file, line, what);
}

unsigned explore_choose(unsigned n)
{
	rt_point((struct op){ .kind = OP_CHOOSE, .global = true });
	unsigned v = rt_choose(C_USER, n, true);
	rt_event(OP_CHOOSE, 0, 0, v, n, false, 0, __builtin_return_address(0));
	return v;
}

void explore_outcome(unsigned outcome)
{
	rt->outcome = outcome;
	rt->has_outcome = true;
	unsigned i = 0;
	while (i < rt->nseen && rt->seen[i].outcome != outcome)
		i++;
	if (i == rt->nseen) {
		if (i == RT_OUTCOMES)
			rt_fail("test", "more than %u outcomes", RT_OUTCOMES);
		rt->seen[rt->nseen].outcome = outcome;
		rt->seen[rt->nseen++].count = 0;
	}
	rt->seen[i].count++;
	const unsigned *a = rt->test->allowed;
	if (!a)
		return;
	while (*a != EXPLORE_LAST && *a != outcome)
		a++;
	if (*a == EXPLORE_LAST)
		rt_fail("outcome", "%u is forbidden", outcome);
}

bool explore_variant(void)
{
	return rt->variant;
}

void explore_ticks_jump_back(uint64_t ns)
{
	rt->ticks_behind += ns;
}

unsigned explore_self(void)
{
	return rt->cur;
}

void explore_note(const char *text, uint64_t value)
{
	rt_event(OP_NOTE, 0, 0, value, 0, false, 0, __builtin_return_address(0));
	if (rt->tracing && rt->nevents)
		rt->event[rt->nevents - 1].text = text;
}

void explore_wait_hint(void)
{
	rt_hint();
}
