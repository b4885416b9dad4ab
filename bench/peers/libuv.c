/* SPDX-License-Identifier: MIT */
/*
 * libuv's thread pool.
 *
 * Manual: libuv, "Thread pool work scheduling": uv_queue_work(loop, request, work, after). The
 * pool is one for the process; its size is UV_THREADPOOL_SIZE, read at its first use.
 * uv_queue_work is not thread-safe but "may be called from the loop's thread", so each producer
 * has a loop of its own and runs it when it has submitted its share: uv_run returns when all of
 * its requests are done. Requests stand in an array that is made before, one for each job. It has
 * no bound and no bulk call, and a completion travels back to the loop for each job, which is part
 * of what it offers.
 */
#include <stdio.h>
#include <stdlib.h>

#include <uv.h>

#include "peer.h"

#define TEXT(number)  #number
#define TEXT_OF(name) TEXT(name)

const char *const peer_library = "libuv " TEXT_OF(UV_VERSION_MAJOR) "." TEXT_OF(
	UV_VERSION_MINOR) "." TEXT_OF(UV_VERSION_PATCH);

struct pool {
	uv_work_t *requests; /* by id */
};

static void *open_pool(const struct peer_case *c)
{
	struct pool *pool = bench_alloc(1, sizeof(*pool));
	char workers[16];

	snprintf(workers, sizeof(workers), "%u", c->workers);
	setenv("UV_THREADPOOL_SIZE", workers, 1);
	pool->requests = bench_alloc(c->jobs + 1, sizeof(*pool->requests));
	return pool;
}

static void work(uv_work_t *request)
{
	peer_run_job(request->data);
}

static void after(uv_work_t *request, int status)
{
	(void)request;
	peer_must(status == 0, "a libuv request was cancelled");
}

static void submit(void *object, const struct peer_case *c, struct peer_share share)
{
	struct pool *pool = object;
	uv_loop_t loop;

	(void)c;
	peer_must(uv_loop_init(&loop) == 0, "uv_loop_init failed");
	for (; share.id < share.end; share.id++) {
		uv_work_t *request = &pool->requests[share.id];

		request->data = peer_payload(share.id);
		peer_must(uv_queue_work(&loop, request, work, after) == 0, "uv_queue_work failed");
	}
	peer_must(uv_run(&loop, UV_RUN_DEFAULT) == 0, "uv_run left something behind");
	peer_must(uv_loop_close(&loop) == 0, "uv_loop_close failed");
}

static void close_pool(void *object)
{
	struct pool *pool = object;

	free(pool->requests);
	free(pool);
}

static const struct peer_pool uv_pool = {
	.name = "libuv_pool",
	.about = "uv_queue_work from a loop per producer, uv_run",
	.open = open_pool,
	.submit = submit,
	.close = close_pool,
};

const struct peer_queue *const peer_queues[] = { NULL };
const struct peer_pool *const peer_pools[] = { &uv_pool, NULL };
