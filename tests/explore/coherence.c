/* SPDX-License-Identifier: MIT */
#include "coherence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rt.h"

#define LINE_SHIFT 6
#define LINES      (1u << 18) /* places in the table; far more than any path touches */

struct line {
	uint64_t number; /* address / 64; 0: the place is free */
	uint8_t holders; /* cores that have it */
	bool alone;      /* the only holder may write */
	uint32_t seen;   /* the last operation that touched it */
};

struct counts {
	uint64_t rmw, lines, loads, rmws, stores;
};

static struct line *table;
static struct counts counts[SIDES];
static bool counting;
static enum side side_of[RT_FIBERS];
static unsigned core_of[RT_FIBERS];
static uint32_t operation, operation_of[RT_FIBERS];
static bool fiber_paused[RT_FIBERS];
static uint64_t jobs_counted;

const struct coherence_path *coherence_path;

/* ---- the caches ---- */

static struct line *line_at(uint64_t number)
{
	uint64_t hash = number * UINT64_C(0x9e3779b97f4a7c15) >> 40;
	for (;; hash++) {
		struct line *line = &table[hash % LINES];
		if (line->number == number)
			return line;
		if (line->number == 0) {
			line->number = number;
			return line;
		}
	}
}

/* Whether the core has to get the line, or the right to write it, from elsewhere. */
static bool get(struct line *line, unsigned core, bool write)
{
	uint8_t me = (uint8_t)(1u << core);
	bool nowhere = line->holders == 0, mine = line->holders & me;
	if (mine && (!write || line->alone))
		return false;
	if (nowhere || write) {
		line->holders = me;
		line->alone = true;
	} else {
		line->holders |= me;
		line->alone = false;
	}
	return !nowhere;
}

static void touch(uint64_t number, enum access how, struct counts *c)
{
	struct line *line = line_at(number);
	bool travels = get(line, core_of[rt->cur], how != ACCESS_READ);
	if (!counting)
		return;
	if (line->seen != operation_of[rt->cur]) {
		line->seen = operation_of[rt->cur];
		c->lines++;
	}
	c->rmw += how == ACCESS_RMW;
	if (!travels)
		return;
	if (how == ACCESS_READ)
		c->loads++;
	else if (how == ACCESS_RMW)
		c->rmws++;
	else
		c->stores++;
}

static void see(uintptr_t addr, size_t size, enum access how)
{
	uintptr_t stacks = (uintptr_t)rt->arena, tls = (uintptr_t)rt->tls;
	if (fiber_paused[rt->cur] || addr - stacks < RT_STACKS || addr - tls < rt->tls_size ||
		size == 0)
		return;
	for (uint64_t n = addr >> LINE_SHIFT; n <= (addr + size - 1) >> LINE_SHIFT; n++)
		touch(n, how, &counts[side_of[rt->cur]]);
}

/* ---- what scenarios tell ---- */

/* One after the other in one fiber: what a thread keeps to itself is changed with the core. */
static char *tls_of_cores;
static unsigned tls_core;

static void change_tls(unsigned core)
{
	if (core == tls_core || !rt->tls_size)
		return;
	memcpy(tls_of_cores + tls_core * rt->tls_size, rt->tls, rt->tls_size);
	memcpy(rt->tls, tls_of_cores + core * rt->tls_size, rt->tls_size);
	tls_core = core;
}

static void begin_tls(void)
{
	memset(tls_of_cores, 0, RT_FIBERS * rt->tls_size);
	for (unsigned i = 0; i < RT_FIBERS; i++)
		memcpy(tls_of_cores + i * rt->tls_size, rt->tls_image, rt->tls_init_size);
	tls_core = 0;
}

void coherence_operation(enum side side, unsigned core)
{
	side_of[rt->cur] = side;
	core_of[rt->cur] = core;
	operation_of[rt->cur] = ++operation;
	fiber_paused[rt->cur] = false;
	if (rt->solo)
		change_tls(core);
}

void coherence_pause(void)
{
	fiber_paused[rt->cur] = true;
}

void coherence_begin(void)
{
	counting = true;
}

void coherence_end(uint64_t jobs)
{
	counting = false;
	jobs_counted = jobs;
}

void coherence_overlap(void)
{
	rt->fair = true;
}

/* ---- running a path ---- */

#define FIBER(n)                    \
	static void fiber_##n(void) \
	{                           \
		coherence_fiber(n); \
	}
FIBER(0)
FIBER(1)
FIBER(2)
FIBER(3)
FIBER(4)
FIBER(5)
FIBER(6)

static void (*const fibers[EXPLORE_THREADS])(
	void) = { fiber_0, fiber_1, fiber_2, fiber_3, fiber_4, fiber_5, fiber_6 };

static bool run(const struct coherence_path *path)
{
	static struct explore_test test;
	unsigned threads = path->producers + path->workers;
	coherence_path = path;
	memset(table, 0, LINES * sizeof(*table));
	memset(counts, 0, sizeof(counts));
	for (unsigned i = 0; i < RT_FIBERS; i++)
		fiber_paused[i] = true;
	counting = false;
	begin_tls();
	test = (struct explore_test){ .name = path->name,
		.weak_failures = -1,
		.spurious = -1,
		.timeouts = -1,
		.rushes = -1,
		.steps = 100000000,
		.setup = path->backlog ? coherence_in_turn : coherence_set_up };
	for (unsigned i = 0; !path->backlog && i < threads; i++)
		test.body[i] = fibers[i];
	test.check = path->backlog ? NULL : coherence_finish;
	rt->search = SEARCH_REPLAY;
	rt->fixed = 0;
	rt->watch = see;
	enum end end = rt_execute(&test, false);
	rt->watch = NULL;
	if (end == END_OK)
		return true;
	fprintf(stderr, "coherence: %s: %s: %s\n", path->name, rt->what, rt->message);
	return false;
}

static void print(const struct coherence_path *path, enum side side)
{
	const struct counts *c = &counts[side];
	double jobs = (double)jobs_counted;
	printf("%s,%u,%u,%s,%.4f,%.4f,%.4f,%.4f,%.4f\n", path->name, path->producers, path->workers,
		side == SIDE_PRODUCER ? "producer" : "worker", (double)c->rmw / jobs,
		(double)c->lines / jobs, (double)c->loads / jobs, (double)c->rmws / jobs,
		(double)c->stores / jobs);
}

int main(void)
{
	rt_init();
	table = calloc(LINES, sizeof(*table));
	tls_of_cores = calloc(RT_FIBERS, rt->tls_size + 1);
	if (!table || !tls_of_cores)
		return 1;
	puts("path,producers,workers,side,rmw,lines,loads,rmws,stores");
	for (unsigned i = 0; i < coherence_path_count; i++) {
		if (!run(&coherence_paths[i]))
			return 1;
		print(&coherence_paths[i], SIDE_PRODUCER);
		print(&coherence_paths[i], SIDE_WORKER);
	}
	return fflush(stdout) != 0;
}
