/* SPDX-License-Identifier: MIT */
/* A queue that loses or doubles a job, to see that bench/peers finds it out. */
#include <pthread.h>
#include <stdlib.h>

#include "peer.h"

const char *const peer_library = "broken on purpose";

/* One job at a time is enough to be wrong. */
struct queue {
	pthread_mutex_t mutex;
	struct peer_job jobs[PEER_CAPACITY];
	size_t count;
	uint64_t spoiled; /* the id that gets lost, doubled or exchanged for another */
};

static void *create(const struct peer_case *c)
{
	struct queue *queue = bench_alloc(1, sizeof(*queue));

	pthread_mutex_init(&queue->mutex, NULL);
	queue->spoiled = c->jobs / 2;
	return queue;
}

static void put(struct queue *queue, uint64_t id)
{
	pthread_mutex_lock(&queue->mutex);
	peer_must(queue->count < PEER_CAPACITY, "too many jobs for this test");
	queue->jobs[queue->count++] = peer_job_of(id);
	pthread_mutex_unlock(&queue->mutex);
}

static void lose(void *object, const struct peer_case *c, struct peer_share share)
{
	struct queue *queue = object;

	(void)c;
	for (; share.id < share.end; share.id++)
		if (share.id != queue->spoiled)
			put(queue, share.id);
}

static void twice(void *object, const struct peer_case *c, struct peer_share share)
{
	struct queue *queue = object;

	(void)c;
	for (; share.id < share.end; share.id++)
		for (int i = 0; i < 1 + (share.id == queue->spoiled); i++)
			put(queue, share.id);
}

/* The count is right: two jobs are run in place of two others with the same sum of ids. */
static void exchange(void *object, const struct peer_case *c, struct peer_share share)
{
	struct queue *queue = object;
	uint64_t a = queue->spoiled;

	(void)c;
	for (; share.id < share.end; share.id++)
		put(queue, share.id == a ? a + 1 : share.id == a + 3 ? a + 2 : share.id);
}

static size_t pop(void *object, struct peer_job *out, size_t most)
{
	struct queue *queue = object;
	size_t n = 0;

	pthread_mutex_lock(&queue->mutex);
	while (n < most && queue->count != 0)
		out[n++] = queue->jobs[--queue->count];
	pthread_mutex_unlock(&queue->mutex);
	return n;
}

static void consume(void *queue, struct peer_consumer *me)
{
	peer_consume(me, pop, queue);
}

#define QUEUE(which)                                                                            \
	{                                                                                       \
		.name = "lossy_" #which, .about = "broken", .create = create, .produce = which, \
		.consume = consume, .destroy = free                                             \
	}

static const struct peer_queue queues[] = { QUEUE(lose), QUEUE(twice), QUEUE(exchange) };

const struct peer_queue *const peer_queues[] = { &queues[0], &queues[1], &queues[2], NULL };
const struct peer_pool *const peer_pools[] = { NULL };
