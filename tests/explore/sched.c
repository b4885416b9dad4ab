/* SPDX-License-Identifier: MIT */
/*
 * Fibers, and who runs next. A fiber stops before each visible operation (atomic, futex, mutex,
 * thread); what it does there and up to the next one is one step, because plain accesses of
 * programs without races do not depend on the order of the threads, and races are found by clocks
 * and not by order.
 *
 * Virtual time stands still while somebody can run, but for a little at each look at it. When
 * nobody can, it jumps to the next deadline.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "rt.h"

#define STEPS_DEFAULT 20000u
#define QUANTUM       20u
#define IDLE_ROUNDS   3000u
#define IDLE_NS       1000u
#define RUSH_ROUNDS   150u

_Noreturn void rt_fail(const char *what, const char *format, ...)
{
	va_list list;
	va_start(list, format);
	vsnprintf(rt->message, sizeof(rt->message), format, list);
	va_end(list);
	rt->what = what;
	rt->end = END_FAILED;
	void *nowhere;
	rt_switch(&nowhere, rt->main_context);
	__builtin_unreachable();
}

/* ---- switching ---- */

static void switch_to(uint8_t next)
{
	struct fiber *from = rt_self(), *to = &rt->fiber[next];
	if (from == to)
		return;
	if (rt->tls_size) {
		memcpy(rt->tls_copy + from->id * rt->tls_size, rt->tls, rt->tls_size);
		memcpy(rt->tls, rt->tls_copy + to->id * rt->tls_size, rt->tls_size);
	}
	from->saved_errno = errno;
	errno = to->saved_errno;
	rt->cur = next;
	rt_switch(&from->context, to->context);
}

void rt_make_ready(struct fiber *f)
{
	uint8_t bit = (uint8_t)(1u << f->id);
	f->state = F_READY;
	rt->ready |= bit;
	rt->spinning &= (uint8_t)~bit;
	rt->timed &= (uint8_t)~bit;
}

static void count_step(void)
{
	unsigned limit = rt->test->steps ? rt->test->steps : STEPS_DEFAULT;
	rt->steps++;
	if (rt->steps > limit)
		rt_fail("livelock", "still running after %u steps, the last half of them in turns",
			limit);
	if (rt->steps > limit / 2)
		rt->fair = true;
	if (rt->search == SEARCH_PCT)
		for (unsigned i = 0; i + 1 < rt->depth; i++)
			if (rt->steps == rt->change[i])
				rt_lower_priority(rt_self());
}

/* ---- time, and things that happen to sleepers ---- */

static void expire(struct fiber *f)
{
	if (f->deadline > rt->now)
		rt->now = f->deadline;
	f->timed_out = true;
	rt_make_ready(f);
}

static void expire_first(void)
{
	struct fiber *first = NULL;
	for (unsigned i = 0; i < rt->nfibers; i++) {
		struct fiber *f = &rt->fiber[i];
		if ((rt->timed >> i & 1) && (!first || f->deadline < first->deadline))
			first = f;
	}
	expire(first);
}

static const char *state_name(const struct fiber *f)
{
	static const char *const names[] = { "unused", "ready", "spinning", "asleep on a futex",
		"waiting for a mutex", "waiting for a thread", "asleep", "in a grace period",
		"waiting for the bodies", "done" };
	return names[f->state];
}

static void deadlock(void)
{
	char text[400] = "", where[64];
	size_t n = 0;
	for (unsigned i = 0; i < rt->nfibers && n < sizeof(text) - 100; i++) {
		struct fiber *f = &rt->fiber[i];
		if (f->state == F_DONE || f->state == F_UNUSED || f->state == F_ALL)
			continue;
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%sthread %u %s", n ? "; " : "",
			i, state_name(f));
		if (f->state == F_FUTEX || f->state == F_MUTEX)
			n += (size_t)snprintf(text + n, sizeof(text) - n, " (%s)",
				rt_where(f->waits_on, where, sizeof(where)));
	}
	rt_fail("deadlock", "nobody can run: %s", text);
}

static void idle(void)
{
	rt->idle++;
	if (rt->idle > IDLE_ROUNDS)
		rt_fail("livelock", "waiting loops went round %u times and nobody wrote anything",
			IDLE_ROUNDS);
	if (rt->spinning && (!rt->timed || rt->idle % 2)) {
		rt->now += IDLE_NS;
		for (unsigned i = 0; i < rt->nfibers; i++)
			if (rt->spinning >> i & 1)
				rt_make_ready(&rt->fiber[i]);
	} else if (rt->timed) {
		expire_first();
	} else {
		deadlock();
	}
}

/* A deadline passes early, or a sleeper wakes for no reason: at any time, a limited number. */
static void happen(void)
{
	uint8_t who[2 * RT_FIBERS];
	bool time[2 * RT_FIBERS];
	unsigned n = 0;
	for (uint8_t i = 0; i < rt->nfibers; i++) {
		struct fiber *f = &rt->fiber[i];
		if (f->state == F_FUTEX && rt->left.spurious > 0) {
			who[n] = i;
			time[n++] = false;
		}
		if ((rt->timed >> i & 1) && rt->left.timeouts > 0) {
			who[n] = i;
			time[n++] = true;
		}
	}
	if (!n)
		return;
	unsigned v = rt_choose(C_EVENT, n + 1, true);
	if (!v)
		return;
	struct fiber *f = &rt->fiber[who[v - 1]];
	rt->sleeping_set = 0;
	if (time[v - 1]) {
		rt->left.timeouts--;
		expire(f);
	} else {
		rt->left.spurious--;
		rt_make_ready(f);
	}
}

/* ---- who is next ---- */

static uint8_t in_turn(void)
{
	if ((rt->ready >> rt->cur & 1) && rt->steps % QUANTUM)
		return rt->cur;
	for (unsigned i = 1; i <= rt->nfibers; i++) {
		uint8_t next = (uint8_t)((rt->cur + i) % rt->nfibers);
		if (rt->ready >> next & 1)
			return next;
	}
	return rt->cur;
}

static uint8_t pick(void)
{
	if (rt->fair) {
		while (!rt->ready)
			idle();
		return in_turn();
	}
	if (rt->left.spurious > 0 || (rt->timed && rt->left.timeouts > 0))
		happen();
	while (!rt->ready)
		idle();
	uint8_t cand[RT_FIBERS];
	unsigned n = 0;
	bool on = rt->ready >> rt->cur & 1;
	if (on)
		cand[n++] = rt->cur;
	for (unsigned i = 1; i < rt->nfibers; i++) {
		uint8_t next = (uint8_t)((rt->cur + i) % rt->nfibers);
		if (rt->ready >> next & 1)
			cand[n++] = next;
	}
	/* Without branch the current fiber goes on; it stands first. */
	uint8_t next = rt_choose_fiber(cand, n, !on || rt->left.preemptions > 0);
	if (on && next != rt->cur)
		rt->left.preemptions--;
	return next;
}

/* The fiber has come as far as it runs by itself: back to whoever created it. */
static bool started(struct fiber *f)
{
	if (!f->starting)
		return false;
	f->starting = false;
	switch_to(f->starter);
	return true;
}

void rt_point(struct op op)
{
	struct fiber *f = rt_self();
	f->op = op;
	if (rt->solo) {
		count_step();
		return;
	}
	count_step();
	if (f->rush) {
		if (!op.write)
			return;
		f->rush = 0;
	}
	if (!started(f))
		switch_to(pick());
}

void rt_block(enum fiber_state state)
{
	struct fiber *f = rt_self();
	uint8_t bit = (uint8_t)(1u << f->id);
	f->rush = 0;
	f->state = (uint8_t)state;
	rt->ready &= (uint8_t)~bit;
	if (state == F_SPIN)
		rt->spinning |= bit;
	else if ((state == F_FUTEX || state == F_SLEEP) && f->deadline != UINT64_MAX)
		rt->timed |= bit;
	/* What it does when it goes on depends on who made it go on. */
	f->op = (struct op){ .kind = OP_NONE, .all = true };
	if (started(f) && f->state == F_READY)
		return;
	if (f->state != F_READY)
		switch_to(pick());
}

void rt_wrote(void)
{
	rt->writes++;
	rt->idle = 0;
	if (!rt->spinning)
		return;
	for (unsigned i = 0; i < rt->nfibers; i++)
		if (rt->spinning >> i & 1)
			rt_make_ready(&rt->fiber[i]);
}

/*
 * A waiting loop goes round: not before somebody else has written something. But a loop that gives
 * up after so many rounds may do that before anybody else moves: the thread rushes, alone, to the
 * next operation that is not a load.
 */
void rt_hint(void)
{
	struct fiber *f = rt_self();
	count_step();
	f->hints++;
	if (rt->solo)
		return;
	rt_lower_priority(f);
	if (f->rush && --f->rush)
		return;
	uint64_t others = rt->writes - f->own_writes;
	if (others == f->seen_writes) {
		if (rt->left.rushes > 0 && !rt->fair && rt_choose(C_EVENT, 2, true)) {
			rt->left.rushes--;
			f->rush = RUSH_ROUNDS;
			return;
		}
		rt_block(F_SPIN);
	}
	f->seen_writes = rt->writes - f->own_writes;
}

void rt_fence_all(void)
{
	rt_fence_sc(rt_self());
	for (unsigned i = 0; i < rt->nfibers; i++)
		rt_fence_sc(&rt->fiber[i]);
	rt_fence_sc(rt_self());
}

/* ---- threads ---- */

static void finish(struct fiber *f)
{
	rt_tick(f);
	rt_event(OP_END, 0, 0, 0, 0, false, 0, NULL);
	f->state = F_DONE;
	rt->ready &= (uint8_t) ~(1u << f->id);
	bool bodies = false;
	for (unsigned i = 0; i < rt->nfibers; i++) {
		struct fiber *o = &rt->fiber[i];
		if (o->state == F_JOIN && o->waits_on == f->id + 1u)
			rt_make_ready(o);
		bodies = bodies || (o->body && o->state != F_DONE);
	}
	if (!bodies && rt->fiber[0].state == F_ALL)
		rt_make_ready(&rt->fiber[0]);
	if (f->starting) {
		f->starting = false;
		switch_to(f->starter);
	}
	switch_to(pick());
	__builtin_unreachable();
}

static void fiber_main(void)
{
	struct fiber *f = rt_self();
	f->start(f->arg);
	finish(f);
}

static struct fiber *unused_fiber(void)
{
	for (unsigned i = 1; i < RT_FIBERS; i++)
		if (rt->fiber[i].state == F_UNUSED)
			return &rt->fiber[i];
	for (unsigned i = 1; i < RT_FIBERS; i++)
		if (rt->fiber[i].state == F_DONE && !rt->fiber[i].body)
			return &rt->fiber[i];
	return NULL;
}

int rt_create(void *(*start)(void *), void *arg)
{
	struct fiber *self = rt_self(), *f = unused_fiber();
	if (!f)
		return -EAGAIN;
	rt->solo = false;
	rt_tick(self);
	int32_t clock = f->clock;
	int64_t priority = f->priority;
	uint8_t id = (uint8_t)(f - rt->fiber);
	memset(f, 0, sizeof(*f));
	f->id = id;
	f->clock = clock;
	f->priority = priority;
	f->knows = self->knows;
	f->start = start;
	f->arg = arg;
	f->state = F_READY;
	f->starting = true;
	f->starter = self->id;
	rt->ready |= (uint8_t)(1u << id);
	if (id >= rt->nfibers)
		rt->nfibers = (uint8_t)(id + 1);
	if (rt->tls_size) {
		char *copy = rt->tls_copy + id * rt->tls_size;
		memset(copy, 0, rt->tls_size);
		memcpy(copy, rt->tls_image, rt->tls_init_size);
	}
	f->context = rt_context(rt->arena + id * RT_STACK, RT_STACK, fiber_main);
	switch_to(id);
	return id;
}

void rt_join(unsigned id)
{
	struct fiber *self = rt_self(), *f = &rt->fiber[id];
	rt_point((struct op){ .kind = OP_JOIN });
	while (f->state != F_DONE) {
		self->waits_on = id + 1u;
		rt_block(F_JOIN);
	}
	rt_tick(self);
	know(&self->knows, &f->knows);
}

static void *run_body(void *arg)
{
	rt->test->body[(uintptr_t)arg]();
	return NULL;
}

void rt_begin_threads(void)
{
	struct fiber *self = rt_self();
	unsigned bodies[EXPLORE_THREADS], n = 0;
	for (unsigned i = 0; i < EXPLORE_THREADS && rt->test->body[i]; i++) {
		int id = rt_create(run_body, (void *)(uintptr_t)i);
		if (id < 0)
			rt_fail("test", "too many threads");
		rt->fiber[id].body = true;
		bodies[n++] = (unsigned)id;
	}
	bool running = false;
	for (unsigned i = 0; i < n; i++)
		running = running || rt->fiber[bodies[i]].state != F_DONE;
	if (running)
		rt_block(F_ALL);
	rt_tick(self);
	bool others = false;
	for (unsigned i = 1; i < rt->nfibers; i++) {
		struct fiber *f = &rt->fiber[i];
		if (f->body || f->state == F_DONE)
			know(&self->knows, &f->knows);
		others = others || f->state != F_DONE;
	}
	if (!others) {
		rt->solo = true;
		rt->stamp++; /* everything so far happened before; what was recorded is of no use */
	}
}
