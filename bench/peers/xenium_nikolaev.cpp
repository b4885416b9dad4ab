/* SPDX-License-Identifier: MIT */
/*
 * xenium::nikolaev_bounded_queue, which the xenium of Debian 12 (0.0.2) does not have yet: a
 * program of its own, so that the others do not depend on it.
 *
 * Manual: xenium's reference of the class. It holds the 32-byte job by value, 65,536 of them.
 */
#include <xenium/nikolaev_bounded_queue.hpp>

#include "peer.hpp"

const char *const peer_library = "xenium";

namespace
{

struct nikolaev {
	xenium::nikolaev_bounded_queue<peer_job> queue{ PEER_CAPACITY };

	explicit nikolaev(const peer_case &)
	{
	}

	void produce(const peer_case &c, peer_share share)
	{
		for (; share.id < share.end; share.id++)
			peer_push_until_taken(
				c, [&] { return queue.try_push(peer_job_of(share.id)); });
	}

	void consume(peer_consumer *me)
	{
		peer_consume_one_by_one(me, [&](peer_job &out) { return queue.try_pop(out); });
	}
};

const peer_queue queues[] = {
	queue_entry<nikolaev>("xenium_nikolaev", "nikolaev_bounded_queue: try_push, try_pop"),
};

} // namespace

const peer_queue *const peer_queues[] = { &queues[0], nullptr };
const peer_pool *const peer_pools[] = { nullptr };
