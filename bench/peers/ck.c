/* SPDX-License-Identifier: MIT */
/*
 * Concurrency Kit's ck_ring, a bounded ring.
 *
 * Manual: ck_ring_init(3), CK_RING_PROTOTYPE(3) for entries that are stored by value (the 32-byte
 * job, not a pointer to it), ck_ring_enqueue_reserve_spsc(3) .. _mpmc with their commits, which
 * have the job written where it will lie, and ck_ring_dequeue_spsc(3) .. _mpmc: "the caller is
 * expected to use the variant for the number of producers and consumers", so each shape uses its
 * own. There are no bulk calls. A ring of 65,536 holds 65,535.
 *
 * Several producers commit in the order in which they reserved, and each spins until those before
 * it have; with more threads than CPUs it spins for one that is not running.
 */
#include <stdlib.h>
#include <string.h>

#include <ck_ring.h>

#include "peer.h"

CK_RING_PROTOTYPE(job, peer_job)

const char *const peer_library = "Concurrency Kit ck_ring";

struct queue {
	struct ck_ring ring __attribute__((aligned(BENCH_ALONE)));
	struct peer_job *jobs __attribute__((aligned(BENCH_ALONE)));
};

static void *create(const struct peer_case *c)
{
	struct queue *queue = bench_alloc(1, sizeof(*queue));

	(void)c;
	queue->jobs = bench_alloc(PEER_CAPACITY, sizeof(*queue->jobs));
	ck_ring_init(&queue->ring, PEER_CAPACITY);
	return queue;
}

static void destroy(void *object)
{
	struct queue *queue = object;

	free(queue->jobs);
	free(queue);
}

/*
 * One loop for each variant, so that the choice is made once and not for each job. RESERVED and
 * COMMIT stand for what differs where there are several producers: a ticket goes from a reservation
 * to its commit.
 */
#define PRODUCE(variant, RESERVED, COMMIT)                                               \
	static void produce_##variant(                                                   \
		struct queue *queue, const struct peer_case *c, struct peer_share share) \
	{                                                                                \
		struct ck_ring *ring = &queue->ring;                                     \
		unsigned looks = 0, ticket = 0;                                          \
                                                                                         \
		(void)ticket;                                                            \
		for (; share.id < share.end; share.id++) {                               \
			struct peer_job *slot;                                           \
                                                                                         \
			while ((slot = RESERVED(variant)) == NULL)                       \
				peer_wait_for_room(c, &looks);                           \
			*slot = peer_job_of(share.id);                                   \
			COMMIT(variant);                                                 \
		}                                                                        \
	}

#define RESERVED_BY_ONE(variant) ck_ring_enqueue_reserve_##variant##_job(ring, queue->jobs)
#define RESERVED_BY_MANY(variant) \
	ck_ring_enqueue_reserve_##variant##_job(ring, queue->jobs, &ticket)
#define COMMIT_BY_ONE(variant)  ck_ring_enqueue_commit_##variant(ring)
#define COMMIT_BY_MANY(variant) ck_ring_enqueue_commit_##variant(ring, ticket)

PRODUCE(spsc, RESERVED_BY_ONE, COMMIT_BY_ONE)
PRODUCE(spmc, RESERVED_BY_ONE, COMMIT_BY_ONE)
PRODUCE(mpsc, RESERVED_BY_MANY, COMMIT_BY_MANY)
PRODUCE(mpmc, RESERVED_BY_MANY, COMMIT_BY_MANY)

#define POP(variant)                                                                         \
	static size_t pop_##variant(void *context, struct peer_job *out, size_t most)        \
	{                                                                                    \
		struct queue *queue = context;                                               \
		size_t n = 0;                                                                \
                                                                                             \
		while (n < most &&                                                           \
			ck_ring_dequeue_##variant##_job(&queue->ring, queue->jobs, &out[n])) \
			n++;                                                                 \
		return n;                                                                    \
	}

POP(spsc)
POP(spmc)
POP(mpsc)
POP(mpmc)

static void produce(void *queue, const struct peer_case *c, struct peer_share share)
{
	if (c->producers == 1 && c->workers == 1)
		produce_spsc(queue, c, share);
	else if (c->producers == 1)
		produce_spmc(queue, c, share);
	else if (c->workers == 1)
		produce_mpsc(queue, c, share);
	else
		produce_mpmc(queue, c, share);
}

static void consume(void *queue, struct peer_consumer *me)
{
	if (me->c->producers == 1 && me->c->workers == 1)
		peer_consume(me, pop_spsc, queue);
	else if (me->c->producers == 1)
		peer_consume(me, pop_spmc, queue);
	else if (me->c->workers == 1)
		peer_consume(me, pop_mpsc, queue);
	else
		peer_consume(me, pop_mpmc, queue);
}

static const struct peer_queue ring = {
	.name = "ck_ring",
	.about = "reserve, commit, dequeue of the variant for the shape (spsc .. mpmc)",
	.create = create,
	.produce = produce,
	.consume = consume,
	.destroy = destroy,
};

const struct peer_queue *const peer_queues[] = { &ring, NULL };
const struct peer_pool *const peer_pools[] = { NULL };
