/* SPDX-License-Identifier: MIT */
#include "soak.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct soak_arena soak_arenas[SOAK_ARENAS];
wp_atomic_u32 soak_to_lose, soak_to_duplicate;

static wp_atomic_u64 complaints;
static _Thread_local struct soak_slot *mine;

#define COMPLAINTS_SHOWN 20u

void soak_complain(const char *format, ...)
{
	char text[512];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	uint64_t before = wp_add_rlx_u64(&complaints, 1);
	if (before < COMPLAINTS_SHOWN)
		printf("WRONG: %s\n", text);
	else if (before == COMPLAINTS_SHOWN)
		printf("WRONG: and so on\n");
	fflush(stdout);
}

uint64_t soak_complaints(void)
{
	return wp_load_rlx_u64(&complaints);
}

bool soak_take_one(wp_atomic_u32 *count)
{
	uint32_t left = wp_load_rlx_u32(count);
	while (left)
		if (wp_cas_weak_rlx_u32(count, &left, left - 1))
			return true;
	return false;
}

/* ---- slots ---- */

struct soak_slot *soak_slot_here(struct soak_arena *arena)
{
	if (mine && mine->arena == arena && mine->round == arena->round)
		return mine;
	uint32_t number = wp_add_rlx_u32(&arena->slots, 1);
	if (number >= SOAK_SLOTS) {
		printf("WRONG: more threads than a round can have: %s\n", arena->what);
		exit(1);
	}
	mine = &arena->slot[number];
	memset(mine, 0, sizeof(*mine));
	mine->arena = arena;
	mine->number = number;
	mine->round = arena->round;
	mine->rng.state = fp_mix(arena->seed, number);
	return mine;
}

uint64_t soak_new_id(struct soak_slot *slot, unsigned depth)
{
	return (uint64_t)slot->arena->number << 61 | (uint64_t)slot->round << 45 |
	       (uint64_t)depth << 43 | (uint64_t)slot->number << 35 | ++slot->sequence;
}

void soak_open(struct soak_arena *arena)
{
	/* A slot is recognised by its round: no two rounds in a row may have the same number. */
	arena->round = (arena->round + 1) & 0xffff;
	arena->seed = wp__rng_next(&arena->rng);
	wp_store_rlx_u32(&arena->slots, 0);
	wp_store_rlx_u32(&arena->enough, 0);
	wp_store_rlx_u32(&arena->gone, 0);
	wp_store_rlx_u32(&arena->deaths, SOAK_DEATHS);
	memset(arena->last_ran, 0, sizeof(arena->last_ran));
	wp_add_rlx_u64(&arena->rounds, 1);
}

/* ---- settling ---- */

struct sums {
	struct fingerprint book[SOAK_BOOKS];
	uint64_t count[SOAK_KINDS];
};

static void expect(struct soak_arena *arena, const char *what, uint64_t actual, uint64_t expected)
{
	if (actual != expected)
		soak_complain("%s: %llu, not %llu: %s", what, (unsigned long long)actual,
			(unsigned long long)expected, arena->what);
}

static void show(const char *what, unsigned n, const uint64_t *ids)
{
	for (unsigned i = 0; i < n; i++)
		soak_complain("%s: job %llu of thread %u, depth %u", what,
			(unsigned long long)soak_sequence_of(ids[i]), soak_slot_of(ids[i]),
			soak_depth_of(ids[i]));
}

/* Where more than one book misses a job, only one of them adds it to the totals. */
static void compare(struct soak_arena *arena, const char *what, const struct fingerprint *promised,
	const struct fingerprint *kept, struct fp_findings *totals)
{
	struct fp_findings f;
	memset(&f, 0, sizeof(f));
	fp_compare(promised, kept, &f);
	if (!f.lost && !f.duplicated)
		return;
	if (totals) {
		totals->lost += f.lost;
		totals->duplicated += f.duplicated;
	}
	soak_complain("%s: %llu lost, %llu duplicated: %s", what, (unsigned long long)f.lost,
		(unsigned long long)f.duplicated, arena->what);
	show("lost", f.named_lost, f.lost_id);
	show("duplicated", f.named_duplicated, f.duplicated_id);
}

static void sum_up(struct soak_arena *arena, struct sums *sums)
{
	memset(sums, 0, sizeof(*sums));
	for (uint32_t i = 0; i < wp_load_rlx_u32(&arena->slots); i++) {
		struct soak_slot *slot = &arena->slot[i];
		for (unsigned b = 0; b < SOAK_BOOKS; b++)
			fp_join(&sums->book[b], &slot->book[b]);
		for (unsigned k = 0; k < SOAK_KINDS; k++)
			sums->count[k] += slot->count[k];
	}
}

/* How all accepted jobs of a round ended. */
struct ends {
	uint64_t accepted, completed, failed, panicked, cancelled, dropped;
};

static struct ends ends_of(const struct sums *sums)
{
	const struct fingerprint *book = sums->book;
	struct ends e = {
		.accepted = fp_count(&book[SOAK_ACCEPTED]) + fp_count(&book[SOAK_BARE_ACCEPTED]),
		.failed = sums->count[SOAK_FAILED],
		.panicked = sums->count[SOAK_PANICKED],
		.cancelled = fp_count(&book[SOAK_CANCELLED]),
		.dropped = fp_count(&book[SOAK_DROPPED]),
	};
	e.completed =
		fp_count(&book[SOAK_RAN]) + fp_count(&book[SOAK_BARE_RAN]) - e.failed - e.panicked;
	return e;
}

/*
 * A context may end between the moment when the pool looks at it, and drops the job, and the
 * cleanup, which looks again: where jobs are dropped only the sum is certain, and on which side a
 * job may be.
 */
static void check_skipped(struct soak_arena *arena, const char *what, const struct ends *e,
	uint64_t cancelled, uint64_t dropped)
{
	if (cancelled + dropped != e->cancelled + e->dropped || dropped < e->dropped ||
		(!arena->stops && dropped))
		soak_complain("%s: %llu cancelled and %llu dropped, not %llu and %llu: %s", what,
			(unsigned long long)cancelled, (unsigned long long)dropped,
			(unsigned long long)e->cancelled, (unsigned long long)e->dropped,
			arena->what);
}

/* What the pool says about itself. */
static void check_accounts(struct soak_arena *arena, const struct ends *e,
	const struct wp_stop_report *report, const struct wp_stats *stats,
	const struct wp_metrics_counters *counters)
{
	if (report) {
		expect(arena, "report.completed", report->completed, e->completed);
		expect(arena, "report.failed", report->failed, e->failed);
		expect(arena, "report.panicked", report->panicked, e->panicked);
		expect(arena, "report.running", report->running, 0);
		check_skipped(arena, "report", e, report->cancelled, report->dropped);
	}
	if (stats) {
		expect(arena, "stats.submitted", stats->submitted, e->accepted);
		expect(arena, "stats.completed", stats->completed, e->completed);
		expect(arena, "stats.failed", stats->failed, e->failed);
		expect(arena, "stats.panicked", stats->panicked, e->panicked);
		expect(arena, "stats.queued", stats->queued, 0);
		expect(arena, "stats.running", stats->running, 0);
		expect(arena, "stats.handler_panics", stats->handler_panics, 0);
		check_skipped(arena, "stats", e, stats->cancelled, stats->dropped);
	}
	if (counters) {
		struct wp_metrics_snapshot snapshot;
		wp_metrics_read(counters, &snapshot);
		expect(arena, "metrics: executed", snapshot.executed,
			e->completed + e->failed + e->panicked);
		expect(arena, "metrics: queued", (uint64_t)snapshot.queued, 0);
	}
}

/* A pool's round: its books against each other, and against what it says. */
static void settle_pool(struct soak_arena *arena, struct sums *sums,
	const struct wp_stop_report *report, const struct wp_stats *stats,
	const struct wp_metrics_counters *counters)
{
	struct fingerprint *book = sums->book;
	struct ends e = ends_of(sums);
	if (e.dropped && !arena->stops)
		soak_complain("%llu jobs dropped and nobody stopped: %s",
			(unsigned long long)e.dropped, arena->what);
	compare(arena, "cleaned up", &book[SOAK_ACCEPTED], &book[SOAK_CLEANED], NULL);
	expect(arena, "on_error was called", sums->count[SOAK_HANDLED], e.failed + e.panicked);
	check_accounts(arena, &e, report, stats, counters);
	struct soak_totals *totals = &arena->totals;
	totals->completed += e.completed;
	totals->cancelled += e.cancelled;
	totals->dropped += e.dropped;
	if (stats) {
		totals->parks += stats->parks;
		totals->rescues += stats->rescues;
		totals->replaced += stats->workers_replaced;
	}
}

void soak_settle(struct soak_arena *arena, const struct wp_stop_report *report,
	const struct wp_stats *stats, const struct wp_metrics_counters *counters)
{
	static _Thread_local struct sums sums;
	sum_up(arena, &sums);
	struct fingerprint *book = sums.book;
	struct soak_totals *totals = &arena->totals;
	if (arena->pool)
		settle_pool(arena, &sums, report, stats, counters);
	else
		totals->popped += fp_count(&book[SOAK_RAN]);
	fp_join(&book[SOAK_RAN], &book[SOAK_DROPPED]);
	fp_join(&book[SOAK_RAN], &book[SOAK_CANCELLED]);
	compare(arena, "run, cancelled or dropped", &book[SOAK_ACCEPTED], &book[SOAK_RAN],
		&totals->found);
	compare(arena, "run, without a cleanup", &book[SOAK_BARE_ACCEPTED], &book[SOAK_BARE_RAN],
		&totals->found);

	uint64_t strays = wp_swap_rlx_u64(&arena->strays, 0);
	if (strays) {
		totals->found.duplicated += strays;
		soak_complain("%llu jobs of earlier rounds came again: %s",
			(unsigned long long)strays, arena->what);
	}
	totals->accepted += fp_count(&book[SOAK_ACCEPTED]) + fp_count(&book[SOAK_BARE_ACCEPTED]);
	for (unsigned k = 0; k < SOAK_KINDS; k++)
		totals->count[k] += sums.count[k];
	totals->nested += wp_swap_rlx_u64(&arena->nested, 0);
	totals->events += wp_swap_rlx_u64(&arena->events, 0);
}
