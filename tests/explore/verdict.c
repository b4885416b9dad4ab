/* SPDX-License-Identifier: MIT */
/*
 * What it takes for a test to pass.
 *
 * A litmus program (one with `allowed`) is searched exhaustively; every allowed outcome must be
 * seen and no other. A known bug must be found in its broken form, from several seeds, and not in
 * its fixed form. Any other test must not fail in its budget of executions, half of which goes to
 * the exhaustive search with growing limits, the other half to random ones.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rt.h"

#define CHECK_EVERY    1000u /* executions between two looks whether a run can be repeated */
#define LITMUS_MAX     3000000u
#define LITMUS_PLAIN   100000u
#define LITMUS_RANDOM  5000u
#define BUG_MAX        1000000u
#define BUG_SEEDS      5u
#define BUG_FIXED_RUNS 30000u

/* Of this process's own processor time: other load on the machine is no excuse. */
double rt_seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static const char *file_of(const struct settings *s, const struct explore_test *test)
{
	static char path[512];
	snprintf(path, sizeof(path), "%s/%s.trace", s->save, test->name);
	return path;
}

static void save(const struct explore_test *test, bool variant, const struct settings *s)
{
	static char choices[4096];
	FILE *f = fopen(file_of(s, test), "w");
	if (!f)
		return;
	rt_print_choices(choices, sizeof(choices));
	fprintf(f, "# %s: %s\ntest %s\n", rt->what, rt->message, test->name);
	const char *label;
	enum mutation what = rt_only_mutation(&label);
	if (what != MUTATE_NONE)
		fprintf(f, "mutant %s %s\n", rt_mutation_names[what], label);
	else
		fprintf(f, "form %s\n", variant ? "broken" : "fixed");
	fprintf(f, "choices %s\n", choices);
	fclose(f);
	printf("  saved in %s\n", file_of(s, test));
}

/* The last execution failed: makes it small and shows it. */
static enum verdict show_failure(struct explore_test *test, bool variant, const struct settings *s)
{
	if (s->kill) {
		printf("killed by %s: %s: %s\n", test->name, rt->what, rt->message);
		return FAILED;
	}
	if (strcmp(rt->what, "determinism") == 0) {
		printf("FAILED %s: determinism: %s\n", test->name, rt->message);
		return FAILED;
	}
	rt_shrink(test, variant);
	if (rt_again(test, variant, true) != END_FAILED) {
		printf("FAILED %s: a failure that cannot be repeated\n", test->name);
		return FAILED;
	}
	rt_report();
	if (s->save)
		save(test, variant, s);
	return FAILED;
}

/* One execution of the current search; false when it failed or could not be repeated. */
static bool once(struct explore_test *test, bool variant, uint64_t number)
{
	enum end end = rt_execute(test, variant);
	if (end == END_FAILED)
		return false;
	if (number % CHECK_EVERY != 1)
		return true;
	if (rt_same_again(test, variant))
		return true;
	rt->what = "determinism";
	snprintf(rt->message, sizeof(rt->message),
		"the same choices gave another execution: does the test use anything undefined?");
	return false;
}

/* ---- searches ---- */

struct limits {
	uint64_t runs;
	double until; /* rt_seconds, 0: no limit */
};

static bool out_of(const struct limits *l, uint64_t done)
{
	return done >= l->runs || (l->until > 0 && done % 64 == 0 && rt_seconds() > l->until);
}

enum result { COMPLETE, EXHAUSTED, FOUND };

/* Limits as in struct explore_test: -1 none, 0 any number. */
static enum result search_all(struct explore_test *test, bool variant, int preemptions, int stale,
	bool sleep_sets, const struct limits *l, uint64_t *done)
{
	rt->search = SEARCH_DFS;
	rt->sleep_sets = sleep_sets;
	rt->limit_preemptions = preemptions;
	rt->limit_stale = stale;
	rt->fixed = 0;
	enum result result = EXHAUSTED;
	for (;;) {
		++*done;
		if (!once(test, variant, *done)) {
			result = FOUND;
			break;
		}
		if (!rt_dfs_next()) {
			result = COMPLETE;
			break;
		}
		if (out_of(l, *done))
			break;
	}
	rt->sleep_sets = false;
	return result;
}

/* PCT with d = 2, 3, 4 and random, in turns; or only one of them. */
static enum result search_random(
	struct explore_test *test, bool variant, int only, const struct limits *l, uint64_t *done)
{
	rt->steps_expected = 20;
	while (!out_of(l, *done)) {
		unsigned turn = (unsigned)(*done % 4);
		rt->search = turn == 3 ? SEARCH_RANDOM : SEARCH_PCT;
		if (only >= 0)
			rt->search = (enum search)only;
		rt->depth = 2 + turn % 3;
		++*done;
		if (!once(test, variant, *done))
			return FOUND;
	}
	return EXHAUSTED;
}

/* ---- an ordinary test ---- */

static const int steps_of_limits[][2] = { { -1, -1 }, { 1, -1 }, { 1, 1 }, { 2, 1 }, { 2, 2 },
	{ 3, 3 }, { 0, 0 } };

enum verdict rt_run_test(struct explore_test *test, const struct settings *s)
{
	double start = rt_seconds();
	struct limits all = { s->runs, s->seconds > 0 ? start + s->seconds : 0 };
	struct limits half = { s->runs / 2, s->seconds > 0 ? start + s->seconds / 2 : 0 };
	if (s->only == SEARCH_DFS)
		half = all;
	uint64_t done = 0;
	enum result result = EXHAUSTED;
	char complete[64] = "nothing complete";
	size_t n = sizeof(steps_of_limits) / sizeof(steps_of_limits[0]);
	rt->rng = s->seed;
	for (size_t i = 0; i < n && (s->only < 0 || s->only == SEARCH_DFS); i++) {
		int preemptions = steps_of_limits[i][0], stale = steps_of_limits[i][1];
		bool any = i == n - 1;
		result = search_all(test, s->broken, any ? test->preemptions : preemptions,
			any ? test->stale : stale, any && !test->preemptions && !test->stale, &half,
			&done);
		if (result == FOUND)
			return show_failure(test, s->broken, s);
		if (result == EXHAUSTED)
			break;
		snprintf(complete, sizeof(complete), "complete for %d preemptions, %d old reads",
			preemptions < 0 ? 0 : preemptions, stale < 0 ? 0 : stale);
		if (any)
			snprintf(complete, sizeof(complete), "complete");
	}
	if (result != COMPLETE && s->only != SEARCH_DFS)
		result = search_random(test, s->broken, s->only, &all, &done);
	if (result == FOUND)
		return show_failure(test, s->broken, s);
	if (s->kill)
		return PASSED;
	double took = rt_seconds() - start;
	printf("passed %-32s %9llu runs, %s%s, %.0f runs/s\n", test->name, (unsigned long long)done,
		result == COMPLETE ? "complete" : complete,
		rt->evictions ? ", some reads forgotten" : "",
		(double)done / (took > 0 ? took : 1));
	return PASSED;
}

/* ---- a litmus program ---- */

static bool was_seen(unsigned outcome)
{
	for (unsigned i = 0; i < rt->nseen; i++)
		if (rt->seen[i].outcome == outcome)
			return true;
	return false;
}

static enum verdict all_seen(const struct explore_test *test, const char *how)
{
	enum verdict v = PASSED;
	for (const unsigned *a = test->allowed; *a != EXPLORE_LAST; a++) {
		if (was_seen(*a))
			continue;
		printf("FAILED %s: outcome %u is allowed and was not seen (%s)\n", test->name, *a,
			how);
		v = FAILED;
	}
	return v;
}

enum verdict rt_run_litmus(struct explore_test *test, const struct settings *s)
{
	double start = rt_seconds();
	uint64_t done = 0, plain = 0, random = 0;
	struct limits most = { LITMUS_MAX, 0 }, few = { LITMUS_PLAIN, 0 },
		      some = { LITMUS_RANDOM, 0 };
	rt->nseen = 0;
	enum result result = search_all(test, false, 0, 0, true, &most, &done);
	if (result == FOUND)
		return show_failure(test, false, s);
	if (result == EXHAUSTED) {
		printf("FAILED %s: not complete after %u runs\n", test->name, LITMUS_MAX);
		return FAILED;
	}
	if (all_seen(test, "sleep sets") == FAILED)
		return FAILED;
	unsigned outcomes = rt->nseen;
	/* The same without sleep sets, and at random: the searchers check each other. */
	rt->nseen = 0;
	result = search_all(test, false, 0, 0, false, &few, &plain);
	if (result == FOUND)
		return show_failure(test, false, s);
	if (result == COMPLETE && all_seen(test, "no sleep sets") == FAILED)
		return FAILED;
	rt->rng = s->seed;
	if (search_random(test, false, -1, &some, &random) == FOUND)
		return show_failure(test, false, s);
	double took = rt_seconds() - start;
	printf("passed %-32s %2u outcomes, complete in %llu runs (%llu%s without sleep sets), "
	       "%.0f runs/s\n",
		test->name, outcomes, (unsigned long long)done, (unsigned long long)plain,
		result == COMPLETE ? "" : "+", (double)(done + plain + random) / took);
	if (s->list_outcomes)
		for (unsigned i = 0; i < rt->nseen; i++)
			printf("    %4u %llu\n", rt->seen[i].outcome,
				(unsigned long long)rt->seen[i].count);
	return PASSED;
}

/* ---- a known bug ---- */

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

/* The failure that was just found can be repeated, made small, and repeated from its string. */
static bool is_repeatable(struct explore_test *test)
{
	static char choices[4096];
	rt_shrink(test, true);
	rt_print_choices(choices, sizeof(choices));
	return rt_parse_choices(choices) && rt_again(test, true, false) == END_FAILED &&
	       (!test->bug_says || strstr(rt->what, test->bug_says) ||
		       strstr(rt->message, test->bug_says));
}

static bool fixed_form_holds(struct explore_test *test, uint64_t runs)
{
	struct limits half = { runs / 2, 0 }, all = { runs, 0 };
	uint64_t done = 0;
	return search_all(test, false, 2, 2, false, &half, &done) != FOUND &&
	       search_random(test, false, -1, &all, &done) != FOUND;
}

enum verdict rt_run_bug(struct explore_test *test, const struct settings *s)
{
	uint64_t needed[BUG_SEEDS], total = 0;
	struct limits l = { BUG_MAX, 0 };
	double start = rt_seconds();
	for (unsigned i = 0; i < BUG_SEEDS; i++) {
		needed[i] = 0;
		rt->rng = s->seed * 1000003u + i;
		enum result result = search_random(test, true, s->only, &l, &needed[i]);
		total += needed[i];
		if (result != FOUND) {
			printf("FAILED %s: not found in %u runs (seed %u)\n", test->name, BUG_MAX,
				i);
			return FAILED;
		}
		if (test->bug_says && !strstr(rt->what, test->bug_says) &&
			!strstr(rt->message, test->bug_says)) {
			printf("FAILED %s: another failure than the known one\n", test->name);
			return show_failure(test, true, s);
		}
	}
	double took = rt_seconds() - start;
	if (!is_repeatable(test)) {
		printf("FAILED %s: a failure that cannot be repeated\n", test->name);
		return FAILED;
	}
	unsigned shrunk = 0;
	for (uint32_t i = 0; i < rt->nchoices; i++)
		shrunk += rt->choice[i].value != 0;
	char what[40];
	snprintf(what, sizeof(what), "%s", rt->what);
	if (s->verbose)
		show_failure(test, true, s);
	if (!fixed_form_holds(test, s->runs > BUG_FIXED_RUNS ? s->runs : BUG_FIXED_RUNS)) {
		printf("FAILED %s: the fixed form fails\n", test->name);
		return show_failure(test, false, s);
	}
	qsort(needed, BUG_SEEDS, sizeof(needed[0]), by_number);
	printf("passed %-28s found as %-15s in %7llu runs (median; most %llu), %2u choices left, "
	       "%.0f runs/s\n",
		test->name, what, (unsigned long long)needed[BUG_SEEDS / 2],
		(unsigned long long)needed[BUG_SEEDS - 1], shrunk,
		(double)total / (took > 0 ? took : 1));
	return PASSED;
}

enum verdict rt_run_replay(struct explore_test *test, bool variant, bool verbose)
{
	enum end end = rt_again(test, variant, true);
	if (end == END_FAILED && verbose)
		rt_report();
	if (end == END_OK && verbose)
		printf("passed %s (replay, %u steps)\n", test->name, rt->steps);
	return end == END_FAILED ? FAILED : PASSED;
}
