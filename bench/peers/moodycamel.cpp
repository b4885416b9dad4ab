/* SPDX-License-Identifier: MIT */
/*
 * moodycamel::ConcurrentQueue and BlockingConcurrentQueue.
 *
 * Manual: the project's README.md, sections "Basic use", "Bulk operations", "Preallocation
 * (correctly using try_enqueue)" and "Tokens"; samples.md, "Threads talking independently to a
 * queue" and "Object pool" for the loops. "The best performance is had with bulk operations and
 * tokens": so each way takes jobs in bulk; implicit has no tokens, tokens has one for each thread,
 * bulk enqueues 64 jobs per call as well. Room for the jobs is made in the constructor.
 *
 * It is unbounded and first in, first out only per producer; wpool is bounded and first in, first
 * out over all.
 */
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include <concurrentqueue/blockingconcurrentqueue.h>
#include <concurrentqueue/concurrentqueue.h>

#include "peer.hpp"

const char *const peer_library = "moodycamel::ConcurrentQueue";

namespace
{

using queue_type = moodycamel::ConcurrentQueue<peer_job>;

/* Common to the three; the constructor takes the room and the explicit and implicit producers. */
struct base {
	queue_type queue;

	base(size_t explicit_producers, size_t implicit_producers)
	    : queue(PEER_CAPACITY, explicit_producers, implicit_producers)
	{
	}

	void consume_with_token(peer_consumer *me)
	{
		moodycamel::ConsumerToken token(queue);

		peer_consume_with(me, [&](peer_job *out, size_t most) {
			return queue.try_dequeue_bulk(token, out, most);
		});
	}
};

struct implicit : base {
	explicit implicit(const peer_case &c) : base(0, c.producers)
	{
	}

	void produce(const peer_case &, peer_share share)
	{
		for (; share.id < share.end; share.id++)
			peer_must(queue.enqueue(peer_job_of(share.id)), "enqueue: no memory");
	}

	void consume(peer_consumer *me)
	{
		peer_consume_with(me, [&](peer_job *out, size_t most) {
			return queue.try_dequeue_bulk(out, most);
		});
	}
};

struct tokens : base {
	explicit tokens(const peer_case &c) : base(c.producers, 0)
	{
	}

	void produce(const peer_case &, peer_share share)
	{
		moodycamel::ProducerToken token(queue);

		for (; share.id < share.end; share.id++)
			peer_must(
				queue.enqueue(token, peer_job_of(share.id)), "enqueue: no memory");
	}

	void consume(peer_consumer *me)
	{
		consume_with_token(me);
	}
};

/* Fills in up to PEER_BATCH jobs; how many. */
size_t fill(peer_job *jobs, peer_share &share)
{
	size_t n = 0;

	while (n < PEER_BATCH && share.id < share.end)
		jobs[n++] = peer_job_of(share.id++);
	return n;
}

struct bulk : base {
	explicit bulk(const peer_case &c) : base(c.producers, 0)
	{
	}

	void produce(const peer_case &, peer_share share)
	{
		moodycamel::ProducerToken token(queue);
		peer_job jobs[PEER_BATCH];

		while (size_t n = fill(jobs, share))
			peer_must(queue.enqueue_bulk(token, jobs, n), "enqueue_bulk: no memory");
	}

	void consume(peer_consumer *me)
	{
		consume_with_token(me);
	}
};

/*
 * A pool of threads that wait_dequeue_bulk; one at a time where jobs have a task, because what a
 * thread has taken nobody else can run. A job without a function ends a worker; it comes behind
 * all jobs of the producer that sent it, not of the others, so it is sent when all jobs have run.
 */
class pool
{
	moodycamel::BlockingConcurrentQueue<peer_job> queue;
	std::vector<std::thread> threads;
	std::atomic<uint64_t> left{ 0 };
	moodycamel::LightweightSemaphore all_done;
	bool bulk;

	void work()
	{
		moodycamel::ConsumerToken token(queue);
		peer_job jobs[PEER_CLAIM];
		const size_t most = peer_task != nullptr ? 1 : PEER_CLAIM;

		for (;;) {
			size_t n = queue.wait_dequeue_bulk(token, jobs, most), ends = 0;

			for (size_t i = 0; i < n; i++) {
				if (jobs[i].fn == nullptr)
					ends++;
				else
					jobs[i].fn(jobs[i].payload);
			}
			if (ends == 0) {
				/* Once per batch: the last one tells who waits in finish. */
				if (left.fetch_sub(n, std::memory_order_acq_rel) == n)
					all_done.signal();
				continue;
			}
			/* The other workers' ends, taken along. */
			for (; ends > 1; ends--)
				queue.enqueue(peer_job{});
			return;
		}
	}

      public:
	pool(const peer_case &c, bool in_bulk) : queue(PEER_CAPACITY, c.producers, 1), bulk(in_bulk)
	{
		left.store(c.jobs, std::memory_order_relaxed);
		for (unsigned i = 0; i < c.workers; i++)
			threads.emplace_back([this] { work(); });
	}

	~pool()
	{
		for (size_t i = 0; i < threads.size(); i++)
			queue.enqueue(peer_job{});
		for (std::thread &thread : threads)
			thread.join();
	}

	void submit(const peer_case &, peer_share share)
	{
		moodycamel::ProducerToken token(queue);
		peer_job jobs[PEER_BATCH];

		if (bulk) {
			while (size_t n = fill(jobs, share))
				peer_must(queue.enqueue_bulk(token, jobs, n), "no memory");
			return;
		}
		for (; share.id < share.end; share.id++)
			peer_must(queue.enqueue(token, peer_job_of(share.id)), "no memory");
	}

	void finish()
	{
		while (!all_done.wait())
			;
	}
};

struct pool_single : pool {
	explicit pool_single(const peer_case &c) : pool(c, false)
	{
	}
};

struct pool_bulk : pool {
	explicit pool_bulk(const peer_case &c) : pool(c, true)
	{
	}
};

const peer_queue queues[] = {
	queue_entry<implicit>("moodycamel_implicit", "enqueue, try_dequeue_bulk, no tokens"),
	queue_entry<tokens>("moodycamel_tokens", "enqueue, try_dequeue_bulk, with tokens"),
	queue_entry<bulk>("moodycamel_bulk", "enqueue_bulk of 64, try_dequeue_bulk, tokens", true),
};

const peer_pool pools[] = {
	pool_entry<pool_single>(
		"moodycamel_blocking", "threads that wait_dequeue_bulk, enqueue with tokens"),
	pool_entry<pool_bulk>(
		"moodycamel_blocking_bulk", "the same, enqueue_bulk of 64 with tokens", true),
};

} // namespace

const peer_queue *const peer_queues[] = { &queues[0], &queues[1], &queues[2], nullptr };
const peer_pool *const peer_pools[] = { &pools[0], &pools[1], nullptr };
