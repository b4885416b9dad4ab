/* SPDX-License-Identifier: MIT */
/*
 * xenium::ramalhete_queue (unbounded) and xenium::vyukov_bounded_queue.
 *
 * Manual: xenium's reference of the two classes and of generic_epoch_based (package libxenium-doc):
 * entering a critical region takes a fence, "so it might make sense to extend the size of the
 * region and only pay the price of the fence once", by a region_guard. So there is one around each
 * look of a consumer and around each PEER_BATCH pushes; the jobs still go in one by one.
 * vyukov_bounded_queue holds the 32-byte job by value, 65,536 of them, and is used with the strong
 * calls, its default; neither has bulk calls.
 */
#include <algorithm>

#include <xenium/ramalhete_queue.hpp>
#include <xenium/vyukov_bounded_queue.hpp>

#include "xenium.hpp"

const char *const peer_library = "xenium";

namespace
{

struct ramalhete {
	xenium::ramalhete_queue<peer_job *, xenium::policy::reclaimer<xenium_reclaimer>> queue;
	job_array array;

	explicit ramalhete(const peer_case &c) : array(c)
	{
	}

	void produce(const peer_case &, peer_share share)
	{
		while (share.id < share.end) {
			xenium_reclaimer::region_guard region;
			uint64_t end = std::min(share.end, share.id + PEER_BATCH);

			for (; share.id < end; share.id++)
				queue.push(array.fill(share.id));
		}
	}

	void consume(peer_consumer *me)
	{
		peer_consume_with(me, [&](peer_job *out, size_t most) {
			xenium_reclaimer::region_guard region;
			peer_job *job;
			size_t n = 0;

			while (n < most && queue.try_pop(job))
				out[n++] = *job;
			return n;
		});
	}
};

struct vyukov {
	xenium::vyukov_bounded_queue<peer_job> queue{ PEER_CAPACITY };

	explicit vyukov(const peer_case &)
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
	queue_entry<ramalhete>("xenium_ramalhete", "ramalhete_queue of pointers: push, try_pop"),
	queue_entry<vyukov>("xenium_vyukov", "vyukov_bounded_queue: try_push, try_pop"),
};

} // namespace

const peer_queue *const peer_queues[] = { &queues[0], &queues[1], nullptr };
const peer_pool *const peer_pools[] = { nullptr };
