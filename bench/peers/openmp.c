/* SPDX-License-Identifier: MIT */
/*
 * OpenMP tasks.
 *
 * Manual: OpenMP API Specification, "Tasking Constructs" (task, untied is of no use here) and
 * "Parallel Construct": tasks are made by threads of a team and run by threads of the same team,
 * so the team has a thread for each producer and each worker. Each producer makes its share of
 * tasks and then waits at the barrier that ends the region, where it takes part in the work;
 * libgomp also makes a thread run a task at once when there are more than 64 waiting for each
 * thread of the team. So "workers" are here the threads beside the producers, and a producer is
 * never blocked. No bulk call that would keep one task per job.
 */
#include <omp.h>

#include "peer.h"

const char *const peer_library = "OpenMP tasks";

static void *open_pool(const struct peer_case *c)
{
	static int token;

	omp_set_dynamic(0);
	omp_set_num_threads((int)(c->producers + c->workers));
	return &token;
}

static void run(void *pool, const struct peer_case *c, uint64_t id, uint64_t end)
{
	(void)pool;
#pragma omp parallel default(none) shared(c, id, end)
	{
		unsigned me = (unsigned)omp_get_thread_num();

		if (me < c->producers) {
			struct peer_share share = peer_share_of(c, me, id, end);

			for (uint64_t job = share.id; job < share.end; job++) {
#pragma omp task default(none) firstprivate(job)
				peer_run_job(peer_payload(job));
			}
		}
	}
}

static void close_pool(void *pool)
{
	(void)pool;
}

static const struct peer_pool tasks = {
	.name = "openmp_task",
	.about = "omp task in a team of producers and workers",
	.open = open_pool,
	.run = run,
	.close = close_pool,
};

const struct peer_queue *const peer_queues[] = { NULL };
const struct peer_pool *const peer_pools[] = { &tasks, NULL };
