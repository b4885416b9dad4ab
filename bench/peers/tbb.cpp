/* SPDX-License-Identifier: MIT */
/*
 * oneTBB: concurrent_queue, concurrent_bounded_queue, task_group, task_arena.
 *
 * Manual: oneTBB Developer Guide, "Concurrent Queue Classes" (concurrent_queue is unbounded and
 * never blocks; concurrent_bounded_queue has set_capacity and a push that waits); oneTBB
 * Specification, "task_group" (run, wait; "safe to call from different threads"), "task_arena"
 * (enqueue, execute, reserved slots for the threads that come from outside) and "global_control"
 * (as many workers as asked for, where there are fewer CPUs). The queues have no bulk calls.
 *
 * tbb_task_group submits by task_group::run inside the arena, so tasks go to the producer's own
 * deque and are stolen, last in first out for the owner; tbb_enqueue by task_arena::enqueue with
 * the group's deferred tasks, which is the arena's shared queue, nearly first in, first out. In
 * both the thread that waits takes part in the work. An arena has a slot for each worker and for
 * each producer.
 */
#include <oneapi/tbb/concurrent_queue.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>
#include <oneapi/tbb/version.h>

#include "peer.hpp"

const char *const peer_library = "oneTBB " TBB_VERSION_STRING;

namespace
{

struct unbounded {
	oneapi::tbb::concurrent_queue<peer_job> queue;

	explicit unbounded(const peer_case &)
	{
	}

	void produce(const peer_case &, peer_share share)
	{
		for (; share.id < share.end; share.id++)
			queue.push(peer_job_of(share.id));
	}

	void consume(peer_consumer *me)
	{
		peer_consume_one_by_one(me, [&](peer_job &out) { return queue.try_pop(out); });
	}
};

struct bounded {
	oneapi::tbb::concurrent_bounded_queue<peer_job> queue;

	explicit bounded(const peer_case &)
	{
		queue.set_capacity(PEER_CAPACITY);
	}

	void produce(const peer_case &, peer_share share)
	{
		for (; share.id < share.end; share.id++)
			queue.push(peer_job_of(share.id));
	}

	void consume(peer_consumer *me)
	{
		peer_consume_one_by_one(me, [&](peer_job &out) { return queue.try_pop(out); });
	}
};

/* The threads that submit and the main thread, which waits, come from outside. */
struct arena_pool {
	oneapi::tbb::global_control limit;
	oneapi::tbb::task_arena arena;
	oneapi::tbb::task_group group;

	explicit arena_pool(const peer_case &c)
	    : limit(oneapi::tbb::global_control::max_allowed_parallelism, c.workers + c.producers),
	      arena(static_cast<int>(c.workers + c.producers), c.producers)
	{
		arena.initialize();
	}

	void finish()
	{
		arena.execute([&] { group.wait(); });
	}
};

struct run_pool : arena_pool {
	using arena_pool::arena_pool;

	void submit(const peer_case &, peer_share share)
	{
		arena.execute([&] {
			for (; share.id < share.end; share.id++)
				group.run([id = share.id] { peer_run_job(peer_payload(id)); });
		});
	}
};

struct enqueue_pool : arena_pool {
	using arena_pool::arena_pool;

	void submit(const peer_case &, peer_share share)
	{
		for (; share.id < share.end; share.id++)
			arena.enqueue(
				group.defer([id = share.id] { peer_run_job(peer_payload(id)); }));
	}
};

const peer_queue queues[] = {
	queue_entry<unbounded>("tbb_queue", "concurrent_queue: push, try_pop"),
	queue_entry<bounded>("tbb_bounded_queue", "concurrent_bounded_queue: push, try_pop"),
};

const peer_pool pools[] = {
	pool_entry<run_pool>("tbb_task_group", "task_group::run in a task_arena, wait"),
	pool_entry<enqueue_pool>("tbb_enqueue", "task_arena::enqueue of deferred tasks, wait"),
};

} // namespace

const peer_queue *const peer_queues[] = { &queues[0], &queues[1], nullptr };
const peer_pool *const peer_pools[] = { &pools[0], &pools[1], nullptr };
