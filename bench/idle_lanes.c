/* SPDX-License-Identifier: MIT */
/*
 * idle_lanes, idle_lanes_shared: one busy line among 1 to 1024 that hardly anything comes from.
 *
 * Measured: ns per job of empty jobs from one busy thread while P other producers are open. In
 * idle_lanes the busy thread submits through a wp_producer of its own, in idle_lanes_shared by
 * wp_submit. Each TRICKLE-th job goes into one of the P lines instead, in turn: with 1024 of them
 * each gets a job every million, with one it gets all of these. What the workers pay for looking at
 * lines that are empty, and everybody for putting them to sleep and waking them, is in the figure.
 * Beside it, "trickle" is what one such submit takes the thread.
 *
 * A note below the table compares most lines with fewest. (None at all is pool_producer, and
 * pool_empty.)
 *
 * Not measured: memory; each line that was used once keeps a segment.
 */
#include <stdlib.h>

#include "bench.h"
#include "pool_run.h"
#include "tally.h"

#define TRICKLE 1024u

struct idle_run {
	struct pool_run pool; /* the first: a pointer to it is a pointer to all */
	struct bench_params one;
	unsigned idle_lanes;
	bool shared;
	struct wp_producer **idle;
	uint64_t next, trickled, trickle_ns;
};

static struct wp_producer *open_producer(struct pool_run *run)
{
	struct wp_producer *producer;

	pool_run_must(run, "wp_producer_open", wp_producer_open(&producer, run->pool));
	return producer;
}

/* One job into the next of the idle lines. */
static void trickle(struct idle_run *run, uint64_t id)
{
	struct wp_producer *producer = run->idle[run->next++ % run->idle_lanes];
	uint64_t begin = bench_now_ns();

	pool_run_must(&run->pool, "wp_producer_submit",
		wp_producer_submit(producer, tally_job, tally_payload(id)));
	run->trickle_ns += bench_now_ns() - begin;
	run->trickled++;
}

static void share_own(struct idle_run *run, uint64_t id, uint64_t end)
{
	struct wp_producer *producer = open_producer(&run->pool);

	for (; id < end; id++)
		if (id % TRICKLE == 0)
			trickle(run, id);
		else
			pool_run_must(&run->pool, "wp_producer_submit",
				wp_producer_submit(producer, tally_job, tally_payload(id)));
	wp_producer_close(producer);
}

static void share_common(struct idle_run *run, uint64_t id, uint64_t end)
{
	for (; id < end; id++)
		if (id % TRICKLE == 0)
			trickle(run, id);
		else
			pool_run_must(&run->pool, "wp_submit",
				wp_submit(run->pool.pool, tally_job, tally_payload(id)));
}

/* Each line is used once, so that its memory has been touched. */
static void prepare(struct pool_run *pool)
{
	struct idle_run *run = (struct idle_run *)pool;

	for (unsigned i = 0; i < run->idle_lanes; i++) {
		run->idle[i] = open_producer(pool);
		pool_run_must(pool, "wp_producer_submit",
			wp_producer_submit(run->idle[i], tally_job, tally_payload(++pool->warm)));
	}
	pool_run_must(pool, "wp_pool_wait", wp_pool_wait(pool->pool, WP_FOREVER));
}

static void share(struct pool_run *pool, uint64_t id, uint64_t end)
{
	struct idle_run *run = (struct idle_run *)pool;

	(run->shared ? share_common : share_own)(run, id, end);
}

static void run_idle(struct idle_run *run, const struct bench_params *p, const char *name,
	struct bench_sample *sample)
{
	run->one = *p;
	run->one.producers = 1;
	run->idle_lanes = p->producers;
	run->idle = bench_alloc(p->producers, sizeof(*run->idle));
	run->pool.workload = name;
	run->pool.p = &run->one;
	run->pool.prepare = prepare;
	run->pool.share = share;
	pool_run(&run->pool, sample);
	bench_sample_add(sample, "trickle", "ns",
		run->trickled != 0 ? (double)run->trickle_ns / (double)run->trickled : 0);
	for (unsigned i = 0; i < run->idle_lanes; i++)
		wp_producer_close(run->idle[i]); /* its pool is gone already */
	free(run->idle);
}

static void run_own(const struct bench_params *p, struct bench_sample *sample)
{
	struct idle_run run = { .shared = false };

	run_idle(&run, p, "idle_lanes", sample);
}

static void run_shared(const struct bench_params *p, struct bench_sample *sample)
{
	struct idle_run run = { .shared = true };

	run_idle(&run, p, "idle_lanes_shared", sample);
}

const struct bench_workload bench_idle_lanes = {
	.name = "idle_lanes",
	.about = "a busy wp_producer beside P that hardly submit",
	.kind = BENCH_TIME,
	.costs = true,
	.producers = "1,8,64,1024",
	.workers = "1,2",
	.jobs = 4000000,
	.quick_jobs = 200000,
	.run = run_own,
};

const struct bench_workload bench_idle_lanes_shared = {
	.name = "idle_lanes_shared",
	.about = "wp_submit beside P producers that hardly submit",
	.kind = BENCH_TIME,
	.costs = true,
	.producers = "1,8,64,1024",
	.workers = "1,2",
	.jobs = 4000000,
	.quick_jobs = 200000,
	.run = run_shared,
};
