/* SPDX-License-Identifier: MIT */
/*
 * libcds: VyukovMPMCCycleQueue (bounded), SegmentedQueue, MoirQueue and WeakRingBuffer.
 *
 * Manual: libcds, "How to use" (cds::Initialize, a garbage collector object, attachThread in each
 * thread that uses a container) and the reference of the four classes. SegmentedQueue is the one
 * that the manual calls for high contention; it is not strictly first in, first out: within a
 * segment of 64 jobs any order may come. MoirQueue is its improved Michael and Scott queue. Both
 * allocate a node for each job and reclaim by hazard pointers. WeakRingBuffer is for one producer
 * and one consumer, and the only one with bulk calls ("batch operations").
 */
#include <algorithm>

#include <cds/container/moir_queue.h>
#include <cds/container/segmented_queue.h>
#include <cds/container/vyukov_mpmc_cycle_queue.h>
#include <cds/container/weak_ringbuffer.h>
#include <cds/gc/hp.h>
#include <cds/init.h>

#include "peer.hpp"

const char *const peer_library = "libcds " CDS_VERSION_STRING;

namespace
{

constexpr size_t segment_jobs = 64;

/* The library's own state; the main thread is attached as long as the program runs. */
struct library {
	library()
	{
		cds::Initialize();
		collector = new cds::gc::HP;
		cds::threading::Manager::attachThread();
	}

	~library()
	{
		cds::threading::Manager::detachThread();
		delete collector;
		cds::Terminate();
	}

	cds::gc::HP *collector;
};

library the_library;

/* Each producer and consumer, while it works. */
struct attached {
	attached()
	{
		cds::threading::Manager::attachThread();
	}

	~attached()
	{
		cds::threading::Manager::detachThread();
	}
};

template <typename Queue> struct adapter {
	Queue queue;

	template <typename... Arguments>
	explicit adapter(int, Arguments... arguments) : queue(arguments...)
	{
	}

	void produce(const peer_case &c, peer_share share)
	{
		attached here;

		for (; share.id < share.end; share.id++)
			peer_push_until_taken(
				c, [&] { return queue.enqueue(peer_job_of(share.id)); });
	}

	void consume(peer_consumer *me)
	{
		attached here;

		peer_consume_one_by_one(me, [&](peer_job &out) { return queue.dequeue(out); });
	}
};

struct vyukov : adapter<cds::container::VyukovMPMCCycleQueue<peer_job>> {
	explicit vyukov(const peer_case &) : adapter(0, size_t{ PEER_CAPACITY })
	{
	}
};

struct segmented : adapter<cds::container::SegmentedQueue<cds::gc::HP, peer_job>> {
	explicit segmented(const peer_case &) : adapter(0, segment_jobs)
	{
	}
};

struct moir : adapter<cds::container::MoirQueue<cds::gc::HP, peer_job>> {
	explicit moir(const peer_case &) : adapter(0)
	{
	}
};

/* A pop of several takes so many or none, so it is asked first how many there are. */
struct weak_base {
	cds::container::WeakRingBuffer<peer_job> queue{ PEER_CAPACITY };

	explicit weak_base(const peer_case &)
	{
	}

	void consume(peer_consumer *me)
	{
		peer_consume_with(me, [&](peer_job *out, size_t most) {
			size_t n = std::min(queue.size(), most);

			return n != 0 && queue.pop(out, n) ? n : 0;
		});
	}
};

struct weak : weak_base {
	using weak_base::weak_base;

	void produce(const peer_case &c, peer_share share)
	{
		for (; share.id < share.end; share.id++)
			peer_push_until_taken(c, [&] { return queue.push(peer_job_of(share.id)); });
	}
};

struct weak_bulk : weak_base {
	using weak_base::weak_base;

	void produce(const peer_case &c, peer_share share)
	{
		peer_job jobs[PEER_BATCH];

		while (share.id < share.end) {
			size_t n = 0;

			while (n < PEER_BATCH && share.id < share.end)
				jobs[n++] = peer_job_of(share.id++);
			peer_push_until_taken(c, [&] { return queue.push(jobs, n); });
		}
	}
};

const peer_queue queues[] = {
	queue_entry<vyukov>("cds_vyukov", "VyukovMPMCCycleQueue: enqueue, dequeue"),
	queue_entry<segmented>("cds_segmented", "SegmentedQueue of 64: enqueue, dequeue"),
	queue_entry<moir>("cds_moir", "MoirQueue: enqueue, dequeue"),
	queue_entry<weak>("cds_weak", "WeakRingBuffer: push, pop of arrays", false, 1, 1),
	queue_entry<weak_bulk>(
		"cds_weak_bulk", "WeakRingBuffer: push and pop of arrays", true, 1, 1),
};

} // namespace

const peer_queue *const peer_queues[] = { &queues[0], &queues[1], &queues[2], &queues[3],
	&queues[4], nullptr };
const peer_pool *const peer_pools[] = { nullptr };
