/* SPDX-License-Identifier: MIT */
#include "engine/stats.h"

#include <string.h>

#include "engine/error.h"
#include "engine/lanes.h"
#include "engine/timing.h"

/* ---- sums; under the mutex ---- */

static struct wp__jobs sum_jobs(const struct wp_pool *pool, const struct wp__table *table)
{
	struct wp__jobs jobs = { 0 };
	for (unsigned i = 0; i < table->worker_count; i++)
		for (unsigned o = 0; o < WP__OUTCOMES; o++) {
			/* [E2] acq: the jobs' effects, and their tickets; pairs with [E1] */
			uint64_t n = wp_load_acq_u64(&table->workers[i]->over[o]);
			jobs.outcomes[o] += n;
			jobs.over += n;
		}
	struct wp__lane_sums lanes = wp__lanes_sum(pool);
	jobs.claimed = lanes.claimed;
	jobs.accepted = lanes.accepted;
	return jobs;
}

static void sum_workers(
	const struct wp_pool *pool, const struct wp__table *table, struct wp_stats *out)
{
	uint64_t busy_ticks = 0;
	for (unsigned i = 0; i < table->worker_count; i++) {
		const struct wp__worker *w = table->workers[i];
		out->batches += wp_load_rlx_u64(&w->batches);
		out->parks += wp_load_rlx_u64(&w->parks);
		out->wakes += wp_load_rlx_u64(&w->wakes);
		out->rescues += wp_load_rlx_u64(&w->rescues);
		out->handler_panics += wp_load_rlx_u64(&w->handler_panics);
		out->workers_replaced += wp_load_rlx_u64(&w->replaced);
		busy_ticks += wp_load_rlx_u64(&w->busy_ticks);
	}
	uint64_t ran = out->completed + out->failed + out->panicked;
	out->run_ns_average = ran ? wp__ticks_to_ns(pool, busy_ticks) / ran : 0;
}

static void sum_lanes(const struct wp_pool *pool, struct wp_stats *out)
{
	struct wp__lane_sums lanes = wp__lanes_sum(pool);
	out->segments_touched = lanes.segments_touched;
	out->segments_free = lanes.segments_free;
	out->segments_reused = lanes.segments_reused;
}

static void sum_times(struct wp_pool *pool, const struct wp__table *table, struct wp_stats *out)
{
	struct wp__times *t = pool->times;
	if (!t)
		return;
	memset(t, 0, sizeof(*t));
	for (unsigned i = 0; i < table->worker_count; i++)
		wp__timing_sum(t, table->workers[i]);
	out->wait_samples = t->wait.total;
	out->wait_ns_average = wp__ticks_to_ns(pool, wp__histogram_mean(&t->wait));
	out->wait_ns_p50 = wp__ticks_to_ns(pool, wp__histogram_quantile(&t->wait, 5000));
	out->wait_ns_p90 = wp__ticks_to_ns(pool, wp__histogram_quantile(&t->wait, 9000));
	out->wait_ns_p99 = wp__ticks_to_ns(pool, wp__histogram_quantile(&t->wait, 9900));
	out->wait_ns_p999 = wp__ticks_to_ns(pool, wp__histogram_quantile(&t->wait, 9990));
	out->wait_ns_max = wp__ticks_to_ns(pool, t->wait.max);
	out->run_samples = t->run.total;
	out->run_ns_p50 = wp__ticks_to_ns(pool, wp__histogram_quantile(&t->run, 5000));
	out->run_ns_p90 = wp__ticks_to_ns(pool, wp__histogram_quantile(&t->run, 9000));
	out->run_ns_p99 = wp__ticks_to_ns(pool, wp__histogram_quantile(&t->run, 9900));
	out->run_ns_p999 = wp__ticks_to_ns(pool, wp__histogram_quantile(&t->run, 9990));
	out->run_ns_max = wp__ticks_to_ns(pool, wp_max_u64(t->longest, t->run.max));
}

/* ---- what is told ---- */

struct wp__jobs wp__stats_jobs(struct wp_pool *pool)
{
	wp__os_mutex_lock(&pool->mutex);
	struct wp__jobs jobs = sum_jobs(pool, wp_load_acq_ptr(&pool->table)); /* [T1] acq */
	wp__os_mutex_unlock(&pool->mutex);
	return jobs;
}

void wp__stats_report(struct wp_pool *pool, struct wp_stop_report *report)
{
	struct wp__jobs jobs = wp__stats_jobs(pool);
	*report = (struct wp_stop_report){
		.completed = jobs.outcomes[WP__COMPLETED],
		.failed = jobs.outcomes[WP__FAILED],
		.panicked = jobs.outcomes[WP__PANICKED],
		.cancelled = jobs.outcomes[WP__CANCELLED],
		.dropped = jobs.outcomes[WP__DROPPED],
		.running = jobs.accepted - jobs.over,
	};
}

static void tell_jobs(const struct wp__jobs *jobs, struct wp_stats *out)
{
	out->submitted = jobs->accepted;
	out->queued = jobs->accepted - jobs->claimed;
	out->running = jobs->claimed - jobs->over;
	out->completed = jobs->outcomes[WP__COMPLETED];
	out->failed = jobs->outcomes[WP__FAILED];
	out->panicked = jobs->outcomes[WP__PANICKED];
	out->cancelled = jobs->outcomes[WP__CANCELLED];
	out->dropped = jobs->outcomes[WP__DROPPED];
}

static void tell_threads(const struct wp_pool *pool, struct wp_stats *out)
{
	unsigned parked = wp__idle_parked(wp__parking_idle(&pool->parking));
	out->workers_alive = pool->threads;
	out->workers_peak = pool->threads_peak;
	out->workers_idle = (unsigned)wp_min_u64(parked, pool->threads);
	out->workers_busy = out->workers_alive - out->workers_idle;
}

void wp__stats_read(struct wp_pool *pool, struct wp_stats *out)
{
	*out = (struct wp_stats){ .size = sizeof(*out) };
	wp__os_mutex_lock(&pool->mutex);
	const struct wp__table *table = wp_load_acq_ptr(&pool->table); /* [T1] acq */
	struct wp__jobs jobs = sum_jobs(pool, table);
	tell_jobs(&jobs, out);
	tell_threads(pool, out);
	sum_workers(pool, table, out);
	sum_lanes(pool, out);
	sum_times(pool, table, out);
	wp__os_mutex_unlock(&pool->mutex);
	/* Whoever claimed them had counted the batches before, or will in a moment. */
	out->batch_average = out->batches ? (double)jobs.claimed / (double)out->batches : 0;
	out->rejected_full = wp_load_rlx_u64(&pool->rejected[WP__REJECT_FULL]);
	out->rejected_timeout = wp_load_rlx_u64(&pool->rejected[WP__REJECT_TIMEOUT]);
	out->rejected_closed = wp_load_rlx_u64(&pool->rejected[WP__REJECT_CLOSED]);
	out->rejected_cancelled = wp_load_rlx_u64(&pool->rejected[WP__REJECT_CANCELLED]);
	out->last_error = wp__error_last(pool, NULL, 0);
	out->uptime_ns = wp__os_now_ns() - pool->started_ns;
}
