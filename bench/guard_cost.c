/* SPDX-License-Identifier: MIT */
/*
 * guard_cost: what a job pays for what it does not do: give up, and ask its context.
 *
 * One thread calls the jobs of a full batch in a loop, four ways. "plain" goes through the array.
 * "guarded" does beside it what the worker does so that a panic or a fault can be concluded: the
 * running job is noted, and a guard (wp__guard_run) stands around the loop; around each batch here,
 * around all that a worker does there, so that the figure is rather too high. "each" has a guard
 * for each job, as nested jobs have: what was not chosen for the others. "poll" is "plain" with a
 * wp_ctx_err before each job, of a context that stands and has no deadline. The ways take turns of
 * some microseconds, in changing order. A figure is the lower decile over the turns of one run, in
 * ns per job: what disturbs a turn makes it longer, never shorter.
 *
 * The job is an indirect call of a function that does nothing, so that nothing hides the price.
 * Not measured: a job that gives up, most of which is its backtrace; a context with a deadline,
 * whose poll reads the clock.
 */
#include <stdlib.h>
#include <string.h>

#include <wpool/ctx.h>

#include "bench.h"
#include "engine/guard.h"
#include "engine/pool.h"

#define TURNS       2001
#define TURNS_BRIEF 101
#define LOOPS       16 /* batches in a turn: longer than reading the clock */

enum way { PLAIN, GUARDED, EACH, POLL, WAYS };

static const char *const names[WAYS] = { "plain", "guarded", "each", "poll" };

static uint64_t ran; /* on the calling thread alone */
static struct wp_ctx *ctx;

static int nothing(void *payload)
{
	ran += (uintptr_t)payload;
	return 0;
}

/* Not inlined: each way is code of its own, and nothing is known about the worker. */
__attribute__((noinline)) static void run_plain(void *worker)
{
	const struct wp__worker *w = worker;

	for (uint32_t i = 0; i < w->count; i++)
		(void)w->batch[i].fn(w->batch[i].payload);
}

__attribute__((noinline)) static void run_noted(void *worker)
{
	struct wp__worker *w = worker;

	w->outermost = (struct wp__running){ .jobs = w->batch };
	w->running = &w->outermost;
	for (uint32_t i = 0; i < w->count; i++) {
		w->outermost.index = i;
		(void)w->batch[i].fn(w->batch[i].payload);
	}
	w->running = NULL;
}

static void run_one(void *worker)
{
	struct wp__worker *w = worker;

	(void)w->batch[w->outermost.index].fn(w->batch[w->outermost.index].payload);
}

__attribute__((noinline)) static void run_each(struct wp__worker *w)
{
	for (uint32_t i = 0; i < w->count; i++) {
		w->outermost.index = i;
		(void)wp__guard_run(w, run_one);
	}
}

__attribute__((noinline)) static void run_polling(const struct wp__worker *w)
{
	for (uint32_t i = 0; i < w->count; i++)
		if (wp_ctx_err(ctx) == 0)
			(void)w->batch[i].fn(w->batch[i].payload);
}

static double turn(struct wp__worker *w, enum way way)
{
	uint64_t begin = bench_now_ns();

	for (int i = 0; i < LOOPS; i++) {
		if (way == PLAIN)
			run_plain(w);
		else if (way == GUARDED)
			(void)wp__guard_run(w, run_noted);
		else if (way == EACH)
			run_each(w);
		else
			run_polling(w);
	}
	return (double)(bench_now_ns() - begin) / (LOOPS * WP__BATCH_MAX);
}

static double decile(double *values, unsigned count)
{
	bench_sort(values, count);
	return values[count / 10];
}

static void run(const struct bench_params *p, struct bench_sample *sample)
{
	unsigned turns = p->brief ? TURNS_BRIEF : TURNS;
	double *ns[WAYS], figure[WAYS];
	struct wp__worker *w = aligned_alloc(WP_ALONE, sizeof(*w));
	uint64_t begin = bench_now_ns(), cpu_begin = bench_cpu_ns();
	uint64_t expected = (uint64_t)turns * WAYS * LOOPS * WP__BATCH_MAX;

	if (w == NULL || wp_ctx_create(&ctx, NULL, WP_FOREVER) != 0)
		bench_die("out of memory");
	memset(w, 0, sizeof(*w));
	w->count = WP__BATCH_MAX;
	for (unsigned i = 0; i < WP__BATCH_MAX; i++)
		w->batch[i] = (struct wp_job){ .fn = nothing, .payload = (void *)(uintptr_t)1 };
	for (int i = 0; i < WAYS; i++)
		ns[i] = bench_alloc(turns, sizeof(**ns));
	ran = 0;
	for (unsigned i = 0; i < turns; i++)
		for (unsigned k = 0; k < WAYS; k++)
			ns[(i + k) % WAYS][i] = turn(w, (enum way)((i + k) % WAYS));
	if (ran != expected)
		bench_die("guard_cost: %llu jobs ran, not %llu", (unsigned long long)ran,
			(unsigned long long)expected);
	sample->wall_ns = (double)(bench_now_ns() - begin);
	sample->cpu_ns = (double)(bench_cpu_ns() - cpu_begin);
	sample->jobs = expected;
	for (int i = 0; i < WAYS; i++) {
		figure[i] = decile(ns[i], turns);
		bench_sample_add(sample, names[i], "ns/job", figure[i]);
		free(ns[i]);
	}
	bench_sample_add(sample, "guarded - plain", "ns/job", figure[GUARDED] - figure[PLAIN]);
	bench_sample_add(sample, "poll - plain", "ns/job", figure[POLL] - figure[PLAIN]);
	wp_ctx_unref(ctx);
	free(w);
}

const struct bench_workload bench_guard_cost = {
	.name = "guard_cost",
	.about = "what jobs pay because they might give up, and for asking their context",
	.kind = BENCH_VALUES,
	.jobs = 1,
	.quick_jobs = 1,
	.jobs_at_most = true,
	.run = run,
};
