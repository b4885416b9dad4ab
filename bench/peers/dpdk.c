/* SPDX-License-Identifier: MIT */
/*
 * DPDK's rte_ring, a bounded ring with bulk calls.
 *
 * Manual: DPDK Programmer's Guide, "Ring Library". rte_ring_init on memory of our own needs no
 * environment layer; the calls with elem store the 32-byte job by value. By section "Producer/
 * consumer synchronization modes": SP/SC where there is one producer or consumer, MP/MC (the
 * default) for several, MP_RTS/MC_RTS "for over-committed systems", that is with more threads than
 * CPUs. Consumers take in bursts; dpdk_ring pushes one job a call, dpdk_ring_bulk 64. A ring of
 * 65,536 holds 65,535.
 */
#include <stdlib.h>

#include <rte_ring.h>
#include <rte_ring_elem.h>
#include <rte_version.h>

#include "peer.h"

const char *const peer_library =
	"DPDK " RTE_STR(RTE_VER_YEAR) "." RTE_STR(RTE_VER_MONTH) " rte_ring";

#define JOB ((unsigned)sizeof(struct peer_job))

static unsigned flags_for(const struct peer_case *c)
{
	unsigned flags = 0;

	if (c->producers == 1)
		flags |= RING_F_SP_ENQ;
	else if (c->crowded)
		flags |= RING_F_MP_RTS_ENQ;
	if (c->workers == 1)
		flags |= RING_F_SC_DEQ;
	else if (c->crowded)
		flags |= RING_F_MC_RTS_DEQ;
	return flags;
}

static void *create(const struct peer_case *c)
{
	ssize_t bytes = rte_ring_get_memsize_elem(JOB, PEER_CAPACITY);
	struct rte_ring *ring;

	peer_must(bytes > 0, "rte_ring_get_memsize_elem refused the size");
	ring = bench_alloc(1, (size_t)bytes);
	peer_must(rte_ring_init(ring, "peer", PEER_CAPACITY, flags_for(c)) == 0,
		"rte_ring_init refused the ring");
	return ring;
}

static void produce_single(void *ring, const struct peer_case *c, struct peer_share share)
{
	unsigned looks = 0;

	for (; share.id < share.end; share.id++) {
		struct peer_job job = peer_job_of(share.id);

		while (rte_ring_enqueue_elem(ring, &job, JOB) != 0)
			peer_wait_for_room(c, &looks);
	}
}

static void produce_bulk(void *ring, const struct peer_case *c, struct peer_share share)
{
	struct peer_job jobs[PEER_BATCH];
	unsigned looks = 0;

	while (share.id < share.end) {
		unsigned n = 0, sent = 0;

		while (n < PEER_BATCH && share.id < share.end)
			jobs[n++] = peer_job_of(share.id++);
		while ((sent += rte_ring_enqueue_burst_elem(
				ring, jobs + sent, JOB, n - sent, NULL)) < n)
			peer_wait_for_room(c, &looks);
	}
}

static size_t pop(void *ring, struct peer_job *out, size_t most)
{
	return rte_ring_dequeue_burst_elem(ring, out, JOB, (unsigned)most, NULL);
}

static void consume(void *ring, struct peer_consumer *me)
{
	peer_consume(me, pop, ring);
}

static const struct peer_queue single = {
	.name = "dpdk_ring",
	.about = "rte_ring_enqueue_elem, dequeue_burst",
	.create = create,
	.produce = produce_single,
	.consume = consume,
	.destroy = free,
};

static const struct peer_queue bulk = {
	.name = "dpdk_ring_bulk",
	.about = "rte_ring_enqueue_burst_elem of 64, dequeue_burst",
	.bulk = true,
	.create = create,
	.produce = produce_bulk,
	.consume = consume,
	.destroy = free,
};

const struct peer_queue *const peer_queues[] = { &single, &bulk, NULL };
const struct peer_pool *const peer_pools[] = { NULL };
