/* SPDX-License-Identifier: MIT */
#include "peer_run.h"

#include <sched.h>

#include "../crew.h"

/* An eighth of the jobs, so that warming up stays in proportion; enough to touch all memory. */
#define WARM_SHARE 8
#define WARM_MAX   200000u

/* How often the main thread looks whether the pool has run the warm-up. */
#define LOOK_NS 200000u

static unsigned producers_left;

bool peer_all_pushed(void)
{
	/* Acquire: who sees 0 sees every job that was pushed. */
	return __atomic_load_n(&producers_left, __ATOMIC_ACQUIRE) == 0;
}

uint64_t peer_warm_jobs(uint64_t jobs)
{
	uint64_t warm = jobs / WARM_SHARE + 1;

	return warm < WARM_MAX ? warm : WARM_MAX;
}

struct peer_share peer_share_of(
	const struct peer_case *c, unsigned producer, uint64_t id, uint64_t end)
{
	uint64_t jobs = end - id;

	return (struct peer_share){
		.producer = producer,
		.id = id + jobs * producer / c->producers,
		.end = id + jobs * (producer + 1) / c->producers,
	};
}

/* What the threads of one part of a run share. */
struct part {
	const struct peer_queue *queue;
	const struct peer_pool *pool;
	void *object;
	const struct peer_case *c;
	uint64_t id, end; /* its jobs */
};

static void push(struct crew_member *me)
{
	struct part *part = me->shared;

	part->queue->produce(
		part->object, part->c, peer_share_of(part->c, me->index, part->id, part->end));
	__atomic_fetch_sub(&producers_left, 1, __ATOMIC_RELEASE);
}

static void pop(struct crew_member *me)
{
	struct part *part = me->shared;
	struct peer_consumer consumer = { .c = part->c, .index = me->index };

	part->queue->consume(part->object, &consumer);
	me->end_ns = consumer.end_ns;
}

/* The jobs of one part through the queue, with new threads. */
static void queue_part(struct part *part, struct bench_sample *sample)
{
	const struct peer_case *c = part->c;
	struct crew crew;

	__atomic_store_n(&producers_left, c->producers, __ATOMIC_RELAXED);
	crew_init(&crew, c->producers + c->workers);
	for (unsigned i = 0; i < c->workers; i++)
		crew_add_consumer(&crew, pop, part, i, -1);
	for (unsigned i = 0; i < c->producers; i++)
		crew_add_producer(&crew, push, part, i, -1);
	crew_open(&crew);
	crew_join(&crew);
	sample->cpu_ns = (double)(bench_cpu_ns() - crew.cpu_begin_ns);
	sample->wall_ns = (double)(crew_end_ns(&crew) - crew_begin_ns(&crew));
	sample->jobs = part->end - part->id;
	crew_fini(&crew);
}

void peer_run_queue(
	const struct peer_queue *queue, const struct peer_case *c, struct bench_sample *sample)
{
	uint64_t warm = peer_warm_jobs(c->jobs);
	struct peer_case all = *c;
	struct part part = { .queue = queue, .c = &all, .id = 1, .end = 1 + warm };

	all.jobs += warm;
	peer_tally_begin();
	part.object = queue->create(&all);
	queue_part(&part, sample);
	part.id = part.end;
	part.end += c->jobs;
	queue_part(&part, sample);
	queue->destroy(part.object);
	peer_tally_check(queue->name, all.jobs);
}

static void submit(struct crew_member *me)
{
	struct part *part = me->shared;

	part->pool->submit(
		part->object, part->c, peer_share_of(part->c, me->index, part->id, part->end));
}

/* Has the producers submit the jobs of one part; returns when the first of them began. */
static uint64_t pool_part(struct part *part, uint64_t *cpu_begin_ns)
{
	struct crew crew;
	uint64_t begin;

	crew_init(&crew, part->c->producers);
	for (unsigned i = 0; i < part->c->producers; i++)
		crew_add_producer(&crew, submit, part, i, -1);
	crew_open(&crew);
	crew_join(&crew);
	*cpu_begin_ns = crew.cpu_begin_ns;
	begin = crew_begin_ns(&crew);
	crew_fini(&crew);
	return begin;
}

/* A library whose own threads submit: all of it is one call. */
static uint64_t run_part(struct part *part, uint64_t *cpu_begin_ns)
{
	uint64_t begin = bench_now_ns();

	*cpu_begin_ns = bench_cpu_ns();
	part->pool->run(part->object, part->c, part->id, part->end);
	return begin;
}

void peer_run_pool(
	const struct peer_pool *pool, const struct peer_case *c, struct bench_sample *sample)
{
	uint64_t (*run)(struct part *, uint64_t *) = pool->run != NULL ? run_part : pool_part;
	uint64_t warm = peer_warm_jobs(c->jobs);
	struct peer_case all = *c;
	struct part part = { .pool = pool, .c = &all, .id = 1, .end = 1 + warm };
	uint64_t begin, cpu_begin;

	all.jobs += warm;
	peer_tally_begin();
	part.object = pool->open(&all);
	run(&part, &cpu_begin);
	while (peer_tally_count() != warm)
		bench_sleep_ns(LOOK_NS);
	part.id = part.end;
	part.end += c->jobs;
	begin = run(&part, &cpu_begin);
	if (pool->finish != NULL)
		pool->finish(part.object);
	sample->wall_ns = (double)(bench_now_ns() - begin);
	sample->cpu_ns = (double)(bench_cpu_ns() - cpu_begin);
	sample->jobs = c->jobs;
	pool->close(part.object);
	peer_tally_check(pool->name, all.jobs);
}
