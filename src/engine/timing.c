/* SPDX-License-Identifier: MIT */
#include "engine/timing.h"

#include <wpool/error.h>

#include "base/alloc.h"
#include "engine/lanes.h"

/* Batches after which a worker repeats its view to the lanes. */
#define BATCHES_PER_REMINDER 16

int wp__timing_init(struct wp__worker *w)
{
	struct wp__timing *t = wp__alloc(WP_ALONE, sizeof(*t));
	if (!t)
		return WP_ENOMEM;
	t->all = true; /* as the lanes begin, and as w->cost does */
	t->all_ticks = wp__ns_to_ticks(w->pool, WP__TIME_ALL_NS);
	t->group_ticks = wp__ns_to_ticks(w->pool, WP__TIME_GROUP_NS);
	w->timing = t;
	return 0;
}

/* The processors' counters may be a few ticks apart. */
static uint64_t elapsed(uint64_t from, uint64_t to)
{
	return (int64_t)(to - from) > 0 ? to - from : 0;
}

/* Relaxed: one writer, and it orders nothing. */
static void note_longest(struct wp__timing *t, uint64_t ticks)
{
	if (ticks > wp_load_rlx_u64(&t->longest))
		wp_store_rlx_u64(&t->longest, ticks);
}

/* Jobs that were not timed one by one have run until now. */
static void note_group(struct wp__timing *t, uint64_t now)
{
	uint64_t ticks = elapsed(t->mark, now);
	if (ticks >= t->group_ticks)
		note_longest(t, ticks);
}

void wp__timing_batch_begins(struct wp__worker *w, uint64_t now)
{
	w->timing->mark = now;
}

void wp__timing_job(struct wp__worker *w, uint64_t stamp, uint64_t start, uint64_t end)
{
	struct wp__timing *t = w->timing;
	if (stamp)
		wp__histogram_add(&t->wait, elapsed(stamp, start));
	uint64_t ticks = elapsed(start, end);
	wp__histogram_add(&t->run, ticks);
	note_longest(t, ticks);
	if (w->help_depth)
		return; /* the group is that of the jobs around this one */
	note_group(t, start);
	t->mark = end;
}

void wp__timing_batch_ends(struct wp__worker *w)
{
	struct wp__timing *t = w->timing;
	note_group(t, wp__os_ticks());
	bool all = t->all ? w->cost > t->all_ticks / 2 : w->cost > t->all_ticks;
	if (all == t->all && ++t->batches % BATCHES_PER_REMINDER)
		return;
	t->all = all;
	wp__lanes_stamp_all(w->pool, all);
}

void wp__timing_sum(struct wp__times *times, const struct wp__worker *w)
{
	const struct wp__timing *t = w->timing;
	wp__histogram_merge(&times->wait, &t->wait);
	wp__histogram_merge(&times->run, &t->run);
	times->longest = wp_max_u64(times->longest, wp_load_rlx_u64(&t->longest));
}
