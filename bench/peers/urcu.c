/* SPDX-License-Identifier: MIT */
/*
 * liburcu's wfcqueue: a wait-free enqueue, a blocking dequeue.
 *
 * Manual: doc/cds-api.md of userspace-rcu ("wfcqueue: concurrent queue with wait-free enqueue,
 * blocking dequeue") and the table of exclusions at the top of urcu/static/wfcqueue.h: several
 * threads may take only under a lock, which cds_wfcq_splice_blocking holds. As recommended there
 * and in the example doc/examples/wfcqueue/cds_wfcq_splice.c, a consumer takes all there is in one
 * step (splice) into a queue of its own and iterates over that without a lock.
 *
 * The queue is intrusive: the program provides the nodes. They stand in an array that is made
 * before the clock starts, one for each job, so their allocation, which a program would have to pay
 * somehow, costs nothing here. The queue has no bound.
 */
#include <stdlib.h>

#include <urcu/wfcqueue.h>

#include "peer.h"

const char *const peer_library = "liburcu wfcqueue";

struct node {
	struct cds_wfcq_node link;
	struct peer_job job;
};

struct queue {
	struct cds_wfcq_head head __attribute__((aligned(BENCH_ALONE)));
	struct cds_wfcq_tail tail __attribute__((aligned(BENCH_ALONE)));
	struct node *nodes __attribute__((aligned(BENCH_ALONE))); /* by id */
};

static void *create(const struct peer_case *c)
{
	struct queue *queue = bench_alloc(1, sizeof(*queue));

	cds_wfcq_init(&queue->head, &queue->tail);
	queue->nodes = bench_alloc(c->jobs + 1, sizeof(*queue->nodes));
	return queue;
}

static void destroy(void *object)
{
	struct queue *queue = object;

	cds_wfcq_destroy(&queue->head, &queue->tail);
	free(queue->nodes);
	free(queue);
}

static void produce(void *object, const struct peer_case *c, struct peer_share share)
{
	struct queue *queue = object;

	(void)c;
	for (; share.id < share.end; share.id++) {
		struct node *node = &queue->nodes[share.id];

		node->job = peer_job_of(share.id);
		cds_wfcq_node_init(&node->link);
		cds_wfcq_enqueue(&queue->head, &queue->tail, &node->link);
	}
}

/* What one consumer has taken and not yet counted. */
struct taken {
	struct queue *from;
	struct __cds_wfcq_head head;
	struct cds_wfcq_tail tail;
};

static size_t pop(void *context, struct peer_job *out, size_t most)
{
	struct taken *taken = context;
	struct cds_wfcq_node *link;
	size_t n = 0;

	if (__cds_wfcq_first_blocking(&taken->head, &taken->tail) == NULL &&
		cds_wfcq_empty(&taken->from->head, &taken->from->tail))
		return 0;
	if (__cds_wfcq_first_blocking(&taken->head, &taken->tail) == NULL) {
		cds_wfcq_dequeue_lock(&taken->from->head, &taken->from->tail);
		(void)__cds_wfcq_splice_blocking(
			&taken->head, &taken->tail, &taken->from->head, &taken->from->tail);
		cds_wfcq_dequeue_unlock(&taken->from->head, &taken->from->tail);
	}
	while (n < most && (link = __cds_wfcq_dequeue_blocking(&taken->head, &taken->tail)) != NULL)
		out[n++] = caa_container_of(link, struct node, link)->job;
	return n;
}

static void consume(void *queue, struct peer_consumer *me)
{
	struct taken taken = { .from = queue };

	__cds_wfcq_init(&taken.head, &taken.tail);
	peer_consume(me, pop, &taken);
}

static const struct peer_queue wfcqueue = {
	.name = "urcu_wfcqueue",
	.about = "cds_wfcq_enqueue, splice into a queue of the consumer's own",
	.create = create,
	.produce = produce,
	.consume = consume,
	.destroy = destroy,
};

const struct peer_queue *const peer_queues[] = { &wfcqueue, NULL };
const struct peer_pool *const peer_pools[] = { NULL };
