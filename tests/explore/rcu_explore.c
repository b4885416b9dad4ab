/* SPDX-License-Identifier: MIT */
/*
 * src/base/rcu.h by its specification (P. McKenney et al., the RCU guarantee): a read side that
 * ended before a grace period did happens before its end; one that began after it began happens
 * after that. Linked instead of src/base/rcu.c.
 */
#include "base/rcu.h"

#include "rt.h"

void wp__rcu_register(void)
{
}

void wp__rcu_unregister(void)
{
	if (rt_self()->rcu_nest)
		rt_fail("rcu", "a thread leaves inside of a read side");
}

void wp__rcu_read_lock(void)
{
	struct fiber *f = rt_self();
	rt_point((struct op){ .kind = OP_RCU, .global = true });
	if (f->rcu_nest++)
		return;
	f->rcu_section = ++rt->rcu_sections;
	rt_tick(f);
	know(&f->knows, &rt->updates);
}

void wp__rcu_read_unlock(void)
{
	struct fiber *f = rt_self();
	rt_point((struct op){ .kind = OP_RCU, .global = true });
	if (!f->rcu_nest)
		rt_fail("rcu", "the end of a read side that did not begin");
	if (--f->rcu_nest)
		return;
	rt_tick(f);
	know(&rt->read_sides, &f->knows);
	for (unsigned i = 0; i < rt->nfibers; i++)
		if (rt->fiber[i].state == F_RCU)
			rt_make_ready(&rt->fiber[i]);
}

static bool somebody_reads(uint32_t last)
{
	for (unsigned i = 0; i < rt->nfibers; i++) {
		const struct fiber *f = &rt->fiber[i];
		if (f->state != F_DONE && f->rcu_nest && f->rcu_section <= last)
			return true;
	}
	return false;
}

bool wp__rcu_synchronize(void)
{
	struct fiber *f = rt_self();
	rt_point((struct op){ .kind = OP_RCU, .all = true });
	if (f->rcu_nest)
		rt_fail("deadlock", "a grace period inside of a read side");
	rt_tick(f);
	rt_fence_all();
	know(&rt->updates, &f->knows);
	uint32_t last = rt->rcu_sections;
	while (somebody_reads(last))
		rt_block(F_RCU);
	rt_tick(f);
	know(&f->knows, &rt->read_sides);
	rt_fence_all();
	return true;
}

void wp__rcu_forked(void)
{
}
