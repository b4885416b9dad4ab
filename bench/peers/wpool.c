/* SPDX-License-Identifier: MIT */
/*
 * wpool itself, through the same frame as everybody else.
 *
 * Manual: include/wpool/queue.h, pool.h, submit.h and producer.h; docs/tuning.md. All options are
 * the defaults; queues hold 65,536 jobs. wp_queue_push waits when the queue is full, as the pool's
 * submits do. A producer is opened and closed inside of the measured time, once per thread.
 *
 * Another way to hand jobs over is one more share function, one more entry here and one more name
 * in driver/programs.py.
 */
#include <stdlib.h>

#include <wpool/wpool.h>

#include "peer.h"

_Static_assert(sizeof(struct peer_job) == sizeof(struct wp_job), "the same 32 bytes");

const char *const peer_library = "wpool " WP_VERSION_STRING;

static void must(const char *call, int error)
{
	if (__builtin_expect(error != 0, 0))
		bench_die("%s: %s", call, wp_strerror(error));
}

/* ---- the queue alone ---- */

static void *create_with(bool single_producer)
{
	struct wp_queue_options options = WP_QUEUE_OPTIONS_INIT;
	struct wp_queue *queue;

	options.capacity = PEER_CAPACITY;
	options.single_producer = single_producer;
	must("wp_queue_create", wp_queue_create(&queue, &options));
	return queue;
}

static void *queue_create(const struct peer_case *c)
{
	(void)c;
	return create_with(false);
}

static void *lane_create(const struct peer_case *c)
{
	(void)c;
	return create_with(true);
}

static void queue_destroy(void *queue)
{
	wp_queue_destroy(queue);
}

static void queue_push(void *queue, const struct peer_case *c, struct peer_share share)
{
	struct wp_job job = { .fn = peer_run_job };

	(void)c;
	for (; share.id < share.end; share.id++) {
		job.payload = peer_payload(share.id);
		must("wp_queue_push", wp_queue_push(queue, &job));
	}
}

/* Fills in the payloads of up to PEER_BATCH jobs; how many. */
static size_t fill(struct wp_job *jobs, struct peer_share *share)
{
	size_t n = 0;

	while (n < PEER_BATCH && share->id < share->end)
		jobs[n++].payload = peer_payload(share->id++);
	return n;
}

static void prepare(struct wp_job *jobs)
{
	for (size_t i = 0; i < PEER_BATCH; i++)
		jobs[i] = (struct wp_job){ .fn = peer_run_job };
}

static void queue_push_many(void *queue, const struct peer_case *c, struct peer_share share)
{
	struct wp_job jobs[PEER_BATCH];
	size_t n;

	(void)c;
	prepare(jobs);
	while ((n = fill(jobs, &share)) != 0)
		peer_must(wp_queue_push_many(queue, jobs, n) == n,
			"wp_queue_push_many took fewer jobs than it was given");
}

static size_t pop(void *queue, struct peer_job *out, size_t most)
{
	return wp_queue_pop_many(queue, (struct wp_job *)(void *)out, most);
}

static void queue_consume(void *queue, struct peer_consumer *me)
{
	peer_consume(me, pop, queue);
}

static const struct peer_queue single = {
	.name = "wpool",
	.about = "wp_queue_push, wp_queue_pop_many",
	.create = queue_create,
	.produce = queue_push,
	.consume = queue_consume,
	.destroy = queue_destroy,
};

static const struct peer_queue batch = {
	.name = "wpool_batch",
	.about = "wp_queue_push_many of 64, wp_queue_pop_many",
	.bulk = true,
	.create = queue_create,
	.produce = queue_push_many,
	.consume = queue_consume,
	.destroy = queue_destroy,
};

static const struct peer_queue lane = {
	.name = "wpool_lane",
	.about = "the same as wpool, with single_producer",
	.max_producers = 1,
	.create = lane_create,
	.produce = queue_push,
	.consume = queue_consume,
	.destroy = queue_destroy,
};

static const struct peer_queue lane_batch = {
	.name = "wpool_lane_batch",
	.about = "the same as wpool_batch, with single_producer",
	.bulk = true,
	.max_producers = 1,
	.create = lane_create,
	.produce = queue_push_many,
	.consume = queue_consume,
	.destroy = queue_destroy,
};

/* ---- the pool ---- */

static void *pool_open(const struct peer_case *c)
{
	struct wp_options options = WP_OPTIONS_INIT;
	struct wp_pool *pool;

	options.workers = c->workers;
	must("wp_pool_create", wp_pool_create(&pool, &options));
	return pool;
}

static void pool_submit(void *pool, const struct peer_case *c, struct peer_share share)
{
	(void)c;
	for (; share.id < share.end; share.id++)
		must("wp_submit", wp_submit(pool, peer_run_job, peer_payload(share.id)));
}

static void pool_submit_batch(void *pool, const struct peer_case *c, struct peer_share share)
{
	struct wp_job jobs[PEER_BATCH];
	size_t n;

	(void)c;
	prepare(jobs);
	while ((n = fill(jobs, &share)) != 0)
		peer_must(wp_submit_batch(pool, jobs, n) == (ssize_t)n,
			"wp_submit_batch took fewer jobs than it was given");
}

static void pool_producer(void *pool, const struct peer_case *c, struct peer_share share)
{
	struct wp_producer *producer;

	(void)c;
	must("wp_producer_open", wp_producer_open(&producer, pool));
	for (; share.id < share.end; share.id++)
		must("wp_producer_submit",
			wp_producer_submit(producer, peer_run_job, peer_payload(share.id)));
	wp_producer_close(producer);
}

static void pool_producer_batch(void *pool, const struct peer_case *c, struct peer_share share)
{
	struct wp_job jobs[PEER_BATCH];
	struct wp_producer *producer;
	size_t n;

	(void)c;
	prepare(jobs);
	must("wp_producer_open", wp_producer_open(&producer, pool));
	while ((n = fill(jobs, &share)) != 0)
		peer_must(wp_producer_submit_batch(producer, jobs, n) == (ssize_t)n,
			"wp_producer_submit_batch took fewer jobs than it was given");
	wp_producer_close(producer);
}

static void pool_finish(void *pool)
{
	must("wp_pool_wait", wp_pool_wait(pool, WP_FOREVER));
}

static void pool_close(void *pool)
{
	must("wp_pool_shutdown", wp_pool_shutdown(pool, WP_FOREVER, NULL));
	wp_pool_destroy(pool);
}

static const struct peer_pool pool_single = {
	.name = "wpool_submit",
	.about = "wp_submit, wp_pool_wait",
	.open = pool_open,
	.submit = pool_submit,
	.finish = pool_finish,
	.close = pool_close,
};

static const struct peer_pool pool_batch = {
	.name = "wpool_submit_batch",
	.about = "wp_submit_batch of 64, wp_pool_wait",
	.bulk = true,
	.open = pool_open,
	.submit = pool_submit_batch,
	.finish = pool_finish,
	.close = pool_close,
};

static const struct peer_pool pool_lane = {
	.name = "wpool_producer",
	.about = "wp_producer_submit, a producer per thread, wp_pool_wait",
	.open = pool_open,
	.submit = pool_producer,
	.finish = pool_finish,
	.close = pool_close,
};

static const struct peer_pool pool_lane_batch = {
	.name = "wpool_producer_batch",
	.about = "wp_producer_submit_batch of 64, a producer per thread, wp_pool_wait",
	.bulk = true,
	.open = pool_open,
	.submit = pool_producer_batch,
	.finish = pool_finish,
	.close = pool_close,
};

const struct peer_queue *const peer_queues[] = { &single, &batch, &lane, &lane_batch, NULL };
const struct peer_pool *const peer_pools[] = {
	&pool_single,
	&pool_batch,
	&pool_lane,
	&pool_lane_batch,
	NULL,
};
