/* SPDX-License-Identifier: MIT */
/*
 * Adapters in C++17. An adapter is a class; queue_entry and pool_entry make of it what the frame
 * wants. A queue adapter has
 *
 *     explicit Q(const peer_case &c);
 *     void produce(const peer_case &c, peer_share share);
 *     void consume(peer_consumer *me);
 *
 * and a pool adapter submit(c, share) and finish() in place of produce and consume.
 */
#ifndef BENCH_PEERS_PEER_HPP
#define BENCH_PEERS_PEER_HPP

#include "peer.h"

/* The consumer's loop around any callable pop(peer_job *out, size_t most) -> size_t. */
template <typename Pop> inline void peer_consume_with(peer_consumer *me, Pop pop)
{
	peer_consume(
		me,
		[](void *context, peer_job *out, size_t most) {
			return (*static_cast<Pop *>(context))(out, most);
		},
		&pop);
}

/* The same for a queue that gives one job at a time: up to PEER_CLAIM of them make a look. */
template <typename PopOne> inline void peer_consume_one_by_one(peer_consumer *me, PopOne pop_one)
{
	peer_consume_with(me, [&](peer_job *out, size_t most) {
		size_t n = 0;

		while (n < most && pop_one(out[n]))
			n++;
		return n;
	});
}

/* Pushes with a call that refuses when the queue is full, until it is taken. */
template <typename Push> inline void peer_push_until_taken(const peer_case &c, Push push)
{
	unsigned looks = 0;

	while (!push())
		peer_wait_for_room(&c, &looks);
}

/* The 64-byte aligned parts of some queues want more than plain new gives before C++17. */
template <typename Q>
peer_queue queue_entry(const char *name, const char *about, bool bulk = false,
	unsigned max_producers = 0, unsigned max_consumers = 0)
{
	return peer_queue{ name, about, bulk, max_producers, max_consumers,
		[](const peer_case *c) -> void * { return new Q(*c); },
		[](void *queue, const peer_case *c, peer_share share) {
			static_cast<Q *>(queue)->produce(*c, share);
		},
		[](void *queue, peer_consumer *me) { static_cast<Q *>(queue)->consume(me); },
		[](void *queue) { delete static_cast<Q *>(queue); } };
}

template <typename P> peer_pool pool_entry(const char *name, const char *about, bool bulk = false)
{
	return peer_pool{ name, about, bulk, false, 0,
		[](const peer_case *c) -> void * { return new P(*c); },
		[](void *pool, const peer_case *c, peer_share share) {
			static_cast<P *>(pool)->submit(*c, share);
		},
		[](void *pool) { static_cast<P *>(pool)->finish(); },
		[](void *pool) { delete static_cast<P *>(pool); }, nullptr };
}

#endif
