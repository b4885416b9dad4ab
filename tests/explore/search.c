/* SPDX-License-Identifier: MIT */
/*
 * Where choices come from.
 *
 * dfs     every path, in the order of a depth-first search: the choices of the last execution up to
 *         the last one that has an untried value, and that value. With sleep sets (P. Godefroid,
 *         "Partial-order methods for the verification of concurrent systems", 1996) where
 *         preemptions are not bounded; bounded (M. Musuvathi, S. Qadeer, "Iterative context
 *         bounding", PLDI 2007) where they are.
 * pct     random priorities, lowered at d - 1 random points (S. Burckhardt et al., "A randomized
 *         scheduler with probabilistic guarantees of finding bugs", ASPLOS 2010).
 * random  each choice by itself, with a bias to go on that is drawn for each execution.
 * replay  given choices, then the harmless ones.
 */
#include "rt.h"

uint64_t rt_random(void)
{
	uint64_t z = rt->rng += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static unsigned below(unsigned n)
{
	return (unsigned)(((rt_random() >> 32) * n) >> 32);
}

static struct choice *new_choice(enum choice_kind kind, unsigned n)
{
	if (rt->nchoices == RT_CHOICES)
		rt_fail("livelock", "more than %u choices in one execution", RT_CHOICES);
	struct choice *c = &rt->choice[rt->nchoices];
	c->kind = (uint8_t)kind;
	c->n = (uint8_t)n;
	return c;
}

/* Out of 256. */
static unsigned chance_of(enum choice_kind kind)
{
	switch (kind) {
	case C_READ:
		return rt->stale_chance;
	case C_WEAK:
	case C_ALLOC:
		return 48;
	case C_EVENT:
		return 12;
	case C_SCHED:
	case C_PICK:
	case C_USER:
		break;
	}
	return 256;
}

static unsigned pick(enum choice_kind kind, unsigned n)
{
	unsigned chance = chance_of(kind);
	if (chance == 256)
		return below(n);
	return below(256) < chance ? 1 + below(n - 1) : 0;
}

unsigned rt_choose(enum choice_kind kind, unsigned n, bool branch)
{
	if (n <= 1)
		return 0;
	bool given = rt->nchoices < rt->fixed;
	struct choice *c = new_choice(kind, n);
	rt->nchoices++;
	if (given) {
		if (c->value >= n)
			c->value = 0;
	} else if (!branch || rt->search == SEARCH_DFS || rt->search == SEARCH_REPLAY) {
		c->value = 0;
	} else {
		c->value = (uint8_t)pick(kind, n);
	}
	if (!branch && rt->search == SEARCH_DFS)
		c->n = 1; /* nothing else to try here */
	c->sleeping = 0;
	return c->value;
}

static bool commute(const struct op *a, const struct op *b)
{
	if (a->all || b->all)
		return false;
	if (a->addr && b->addr && a->addr >> 3 == b->addr >> 3 && (a->write || b->write))
		return false;
	return !(a->fence && b->fence) && !(a->global && b->global);
}

/* Those of `sleeping` whose next operation commutes with that of f stay asleep. */
static uint8_t still_sleeping(uint8_t sleeping, const struct fiber *f)
{
	uint8_t still = 0;
	for (unsigned i = 0; i < rt->nfibers; i++)
		if (sleeping >> i & 1 && commute(&rt->fiber[i].op, &f->op))
			still |= (uint8_t)(1u << i);
	return still;
}

/* The first choice from `from` on whose fiber is not asleep; n if there is none. */
static unsigned next_awake(const uint8_t *cand, unsigned n, uint8_t sleeping, unsigned from)
{
	while (from < n && (sleeping >> cand[from] & 1))
		from++;
	return from;
}

static uint8_t choose_with_sleep(const uint8_t *cand, unsigned n)
{
	unsigned v = next_awake(cand, n, rt->sleeping_set, 0);
	if (v == n) {
		/* Whatever comes now was seen already, with independent steps in another order. */
		rt->end = END_REDUNDANT;
		void *nowhere;
		rt_switch(&nowhere, rt->main_context);
	}
	uint8_t sleeping = rt->sleeping_set;
	if (n > 1) {
		bool given = rt->nchoices < rt->fixed;
		struct choice *c = new_choice(C_SCHED, n);
		rt->nchoices++;
		if (given)
			v = c->value;
		c->value = (uint8_t)v;
		c->sleeping = sleeping;
		for (unsigned i = 0; i < n; i++)
			c->cand[i] = cand[i];
		for (unsigned i = 0; i < v; i++)
			sleeping |= (uint8_t)(1u << cand[i]);
	}
	rt->sleeping_set = still_sleeping(sleeping, &rt->fiber[cand[v]]);
	return cand[v];
}

static unsigned highest_priority(const uint8_t *cand, unsigned n)
{
	unsigned best = 0;
	for (unsigned i = 1; i < n; i++)
		if (rt->fiber[cand[i]].priority > rt->fiber[cand[best]].priority)
			best = i;
	return best;
}

void rt_lower_priority(struct fiber *f)
{
	f->priority = --rt->lowest;
}

uint8_t rt_choose_fiber(const uint8_t *cand, unsigned n, bool branch)
{
	if (rt->sleep_sets)
		return choose_with_sleep(cand, n);
	if (n == 1)
		return cand[0];
	if (rt->nchoices < rt->fixed || rt->search == SEARCH_DFS || rt->search == SEARCH_REPLAY)
		return cand[rt_choose(C_SCHED, n, branch)];
	struct choice *c = new_choice(C_SCHED, n);
	rt->nchoices++;
	if (rt->search == SEARCH_PCT)
		c->value = (uint8_t)highest_priority(cand, n);
	else
		c->value = (uint8_t)(below(256) < rt->sticky ? 0 : below(n));
	return cand[c->value];
}

void rt_search_begin(void)
{
	static const unsigned sticky[] = { 0, 0, 128, 192, 232 };
	static const unsigned stale[] = { 0, 32, 64, 128, 192 };
	rt->nchoices = 0;
	rt->sleeping_set = 0;
	rt->lowest = 0;
	if (rt->search != SEARCH_PCT && rt->search != SEARCH_RANDOM)
		return;
	rt->fixed = 0;
	rt->sticky = sticky[below(5)];
	rt->stale_chance = stale[below(5)];
	for (unsigned i = 0; i < RT_FIBERS; i++)
		rt->fiber[i].priority = (int64_t)(rt_random() >> 2) + 1;
	for (unsigned i = 0; i + 1 < rt->depth; i++)
		rt->change[i] = 1 + below(rt->steps_expected ? rt->steps_expected : 1);
}

bool rt_dfs_next(void)
{
	while (rt->nchoices) {
		struct choice *c = &rt->choice[rt->nchoices - 1];
		unsigned next = c->value + 1u;
		if (c->kind == C_SCHED && rt->sleep_sets)
			next = next_awake(c->cand, c->n, c->sleeping, next);
		if (next < c->n) {
			c->value = (uint8_t)next;
			rt->fixed = rt->nchoices;
			return true;
		}
		rt->nchoices--;
	}
	return false;
}
