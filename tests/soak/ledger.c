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
	wp_add_rlx_u64(&arena->rounds, 1);
}

/* ---- settling ---- */

struct sums {
	struct fingerprint book[SOAK_BOOKS];
	uint64_t failed, handled, refused;
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
			(unsigned long long)(ids[i] & ((UINT64_C(1) << 35) - 1)),
			soak_slot_of(ids[i]), soak_depth_of(ids[i]));
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
		sums->failed += slot->failed;
		sums->handled += slot->handled;
		sums->refused += slot->refused;
	}
}

/* What the pool says about itself. */
static void check_accounts(struct soak_arena *arena, const struct sums *sums,
	const struct wp_stop_report *report, const struct wp_stats *stats,
	const struct wp_metrics_counters *counters)
{
	uint64_t accepted =
		fp_count(&sums->book[SOAK_ACCEPTED]) + fp_count(&sums->book[SOAK_BARE_ACCEPTED]);
	uint64_t dropped = fp_count(&sums->book[SOAK_DROPPED]), ran = accepted - dropped;
	expect(arena, "on_error was called", sums->handled, sums->failed);
	if (report) {
		expect(arena, "report.completed", report->completed, ran - sums->failed);
		expect(arena, "report.dropped", report->dropped, dropped);
		expect(arena, "report.failed", report->failed, sums->failed);
		expect(arena, "report.running", report->running, 0);
	}
	if (stats) {
		expect(arena, "stats.submitted", stats->submitted, accepted);
		expect(arena, "stats.completed", stats->completed, ran - sums->failed);
		expect(arena, "stats.failed", stats->failed, sums->failed);
		expect(arena, "stats.dropped", stats->dropped, dropped);
		expect(arena, "stats.queued", stats->queued, 0);
		expect(arena, "stats.running", stats->running, 0);
	}
	if (counters) {
		struct wp_metrics_snapshot snapshot;
		wp_metrics_read(counters, &snapshot);
		expect(arena, "metrics: executed", snapshot.executed, ran);
		expect(arena, "metrics: queued", (uint64_t)snapshot.queued, 0);
	}
}

void soak_settle(struct soak_arena *arena, const struct wp_stop_report *report,
	const struct wp_stats *stats, const struct wp_metrics_counters *counters)
{
	static _Thread_local struct sums sums;
	sum_up(arena, &sums);
	struct fingerprint *book = sums.book;
	struct soak_totals *totals = &arena->totals;
	uint64_t dropped = fp_count(&book[SOAK_DROPPED]);
	if (dropped && !arena->stops)
		soak_complain("%llu jobs dropped and nobody stopped: %s",
			(unsigned long long)dropped, arena->what);
	if (arena->pool)
		compare(arena, "cleaned up", &book[SOAK_ACCEPTED], &book[SOAK_CLEANED], NULL);
	fp_join(&book[SOAK_RAN], &book[SOAK_DROPPED]);
	compare(arena, "run or dropped", &book[SOAK_ACCEPTED], &book[SOAK_RAN], &totals->found);
	compare(arena, "run, without a cleanup", &book[SOAK_BARE_ACCEPTED], &book[SOAK_BARE_RAN],
		&totals->found);
	if (arena->pool)
		check_accounts(arena, &sums, report, stats, counters);

	uint64_t strays = wp_swap_rlx_u64(&arena->strays, 0);
	if (strays) {
		totals->found.duplicated += strays;
		soak_complain("%llu jobs of earlier rounds came again: %s",
			(unsigned long long)strays, arena->what);
	}
	totals->accepted += fp_count(&book[SOAK_ACCEPTED]) + fp_count(&book[SOAK_BARE_ACCEPTED]);
	totals->dropped += dropped;
	totals->failed += sums.failed;
	totals->refused += sums.refused;
	totals->nested += wp_swap_rlx_u64(&arena->nested, 0);
	totals->events += wp_swap_rlx_u64(&arena->events, 0);
}
