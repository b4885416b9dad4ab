/* SPDX-License-Identifier: MIT */
/*
 * Boost.Lockfree queue and spsc_queue, Boost.Asio thread_pool.
 *
 * Manual: Boost.Lockfree, "Examples" (queue, spsc_queue) and the reference of
 * boost::lockfree::queue ("queue(size_type n): construct variable-sized queue, allocate n nodes
 * initially"; capacity<>: "maximum number of elements ... cannot be larger than 65,534", with links
 * that are indices, of half the size) and of spsc_queue, whose push and pop take arrays. boost_queue
 * is variable-sized with 65,536 nodes at first, boost_queue_fixed holds 65,534. spsc_queue is for
 * one producer and one consumer.
 *
 * Boost.Asio reference, "thread_pool": boost::asio::post(pool, ...), pool.join(). Asio cannot
 * submit several at once; join() ends the pool.
 */
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/lockfree/queue.hpp>
#include <boost/lockfree/spsc_queue.hpp>
#include <boost/version.hpp>

#include "peer.hpp"

const char *const peer_library = "Boost " BOOST_LIB_VERSION;

namespace
{

template <typename Queue> struct mpmc_base {
	Queue queue;

	template <typename... Arguments>
	explicit mpmc_base(Arguments... arguments) : queue(arguments...)
	{
	}

	void consume(peer_consumer *me)
	{
		peer_consume_one_by_one(me, [&](peer_job &out) { return queue.pop(out); });
	}
};

struct mpmc : mpmc_base<boost::lockfree::queue<peer_job>> {
	explicit mpmc(const peer_case &) : mpmc_base(size_t{ PEER_CAPACITY })
	{
	}

	void produce(const peer_case &, peer_share share)
	{
		for (; share.id < share.end; share.id++)
			peer_must(queue.push(peer_job_of(share.id)), "boost: no memory");
	}
};

constexpr size_t fixed_capacity = 65534;

using fixed_queue = boost::lockfree::queue<peer_job, boost::lockfree::capacity<fixed_capacity>>;

struct fixed : mpmc_base<fixed_queue> {
	explicit fixed(const peer_case &)
	{
	}

	void produce(const peer_case &c, peer_share share)
	{
		for (; share.id < share.end; share.id++)
			peer_push_until_taken(c, [&] { return queue.push(peer_job_of(share.id)); });
	}
};

struct spsc_base {
	boost::lockfree::spsc_queue<peer_job> queue{ PEER_CAPACITY };

	explicit spsc_base(const peer_case &)
	{
	}

	void consume(peer_consumer *me)
	{
		peer_consume_with(
			me, [&](peer_job *out, size_t most) { return queue.pop(out, most); });
	}
};

struct spsc : spsc_base {
	using spsc_base::spsc_base;

	void produce(const peer_case &c, peer_share share)
	{
		for (; share.id < share.end; share.id++)
			peer_push_until_taken(c, [&] { return queue.push(peer_job_of(share.id)); });
	}
};

struct spsc_bulk : spsc_base {
	using spsc_base::spsc_base;

	void produce(const peer_case &c, peer_share share)
	{
		peer_job jobs[PEER_BATCH];
		unsigned looks = 0;

		while (share.id < share.end) {
			size_t n = 0, sent = 0;

			while (n < PEER_BATCH && share.id < share.end)
				jobs[n++] = peer_job_of(share.id++);
			while ((sent += queue.push(jobs + sent, n - sent)) < n)
				peer_wait_for_room(&c, &looks);
		}
	}
};

struct asio {
	boost::asio::thread_pool pool;

	explicit asio(const peer_case &c) : pool(c.workers)
	{
	}

	void submit(const peer_case &, peer_share share)
	{
		for (; share.id < share.end; share.id++)
			boost::asio::post(
				pool, [id = share.id] { peer_run_job(peer_payload(id)); });
	}

	void finish()
	{
		pool.join();
	}
};

const peer_queue queues[] = {
	queue_entry<mpmc>("boost_queue", "lockfree::queue: push, pop"),
	queue_entry<fixed>("boost_queue_fixed", "lockfree::queue of fixed size: push, pop"),
	queue_entry<spsc>("boost_spsc", "lockfree::spsc_queue: push, pop of arrays", false, 1, 1),
	queue_entry<spsc_bulk>(
		"boost_spsc_bulk", "lockfree::spsc_queue: push and pop of arrays", true, 1, 1),
};

const peer_pool pools[] = {
	pool_entry<asio>("boost_asio", "asio::post to a thread_pool, join"),
};

} // namespace

const peer_queue *const peer_queues[] = { &queues[0], &queues[1], &queues[2], &queues[3], nullptr };
const peer_pool *const peer_pools[] = { &pools[0], nullptr };
