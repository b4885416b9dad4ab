/* SPDX-License-Identifier: MIT */
/*
 * What a programmer writes with nothing but POSIX threads.
 *
 * mutex_pool, mutex_pool_claim, mutex_pool_batch: a bounded ring of 65,536 jobs under one mutex
 * with condition variables, as in pthread_cond_wait(3) and Butenhof, "Programming with POSIX
 * Threads", section 3.3. With what experience adds to the textbook: a signal is sent only when
 * somebody waits, so that a busy pool makes no system call for it, and after the mutex has been
 * released, so that the one woken does not run into it; producers that found the ring full are
 * woken when it is half empty, so that they do not go back to sleep after one job. In
 * mutex_pool_claim a worker takes up to 64 jobs each time it has the mutex (one where jobs have a
 * task, because what a worker has taken nobody else can run); in mutex_pool_batch a producer also
 * puts 64 there.
 *
 * thread_per_job: a detached thread with a small stack for each job (pthread_create(3),
 * pthread_attr_setstacksize(3)); never more than 512 at a time, by a semaphore, because a program
 * without a limit runs out of threads. It has no workers to choose.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include "peer.h"

const char *const peer_library = "POSIX threads";

/* ---- the textbook's pool ---- */

struct pool {
	pthread_mutex_t mutex;
	pthread_cond_t not_empty, not_full, all_done;
	uint64_t head, tail; /* head <= tail <= head + PEER_CAPACITY */
	unsigned workers_waiting, producers_waiting;
	unsigned workers, claim;
	unsigned running; /* workers outside the mutex with jobs in hand */
	bool closed;
	struct peer_job *ring;
	pthread_t *threads;
};

/* Copies up to `most` jobs out; the mutex is held. */
static unsigned take(struct pool *pool, struct peer_job *jobs, unsigned most)
{
	unsigned n = 0;

	while (n < most && pool->head < pool->tail)
		jobs[n++] = pool->ring[pool->head++ % PEER_CAPACITY];
	return n;
}

static void *work(void *arg)
{
	struct pool *pool = arg;
	struct peer_job jobs[PEER_BATCH];

	pthread_mutex_lock(&pool->mutex);
	for (;;) {
		bool wake;
		unsigned n;

		while (pool->head == pool->tail && !pool->closed) {
			if (pool->running == 0)
				pthread_cond_signal(&pool->all_done);
			pool->workers_waiting++;
			pthread_cond_wait(&pool->not_empty, &pool->mutex);
			pool->workers_waiting--;
		}
		n = take(pool, jobs, pool->claim);
		if (n == 0)
			break;
		pool->running++;
		wake = pool->producers_waiting != 0 && pool->tail - pool->head <= PEER_CAPACITY / 2;
		pthread_mutex_unlock(&pool->mutex);
		if (wake)
			pthread_cond_signal(&pool->not_full);
		for (unsigned i = 0; i < n; i++)
			jobs[i].fn(jobs[i].payload);
		pthread_mutex_lock(&pool->mutex);
		pool->running--;
	}
	pthread_mutex_unlock(&pool->mutex);
	return NULL;
}

static void *open_with(const struct peer_case *c, unsigned claim)
{
	struct pool *pool = bench_alloc(1, sizeof(*pool));

	pthread_mutex_init(&pool->mutex, NULL);
	pthread_cond_init(&pool->not_empty, NULL);
	pthread_cond_init(&pool->not_full, NULL);
	pthread_cond_init(&pool->all_done, NULL);
	pool->claim = claim;
	pool->workers = c->workers;
	pool->ring = bench_alloc(PEER_CAPACITY, sizeof(*pool->ring));
	pool->threads = bench_alloc(c->workers, sizeof(*pool->threads));
	for (unsigned i = 0; i < c->workers; i++)
		peer_must(pthread_create(&pool->threads[i], NULL, work, pool) == 0,
			"a worker could not be created");
	return pool;
}

static void *open_single(const struct peer_case *c)
{
	return open_with(c, 1);
}

static void *open_batch(const struct peer_case *c)
{
	return open_with(c, peer_task != NULL ? 1 : PEER_BATCH);
}

static void submit(void *object, struct peer_share share, unsigned batch)
{
	struct pool *pool = object;

	while (share.id < share.end) {
		bool wake;

		pthread_mutex_lock(&pool->mutex);
		while (pool->tail - pool->head == PEER_CAPACITY) {
			pool->producers_waiting++;
			pthread_cond_wait(&pool->not_full, &pool->mutex);
			pool->producers_waiting--;
		}
		for (unsigned n = 0; n < batch && share.id < share.end &&
				     pool->tail - pool->head < PEER_CAPACITY;
			n++)
			pool->ring[pool->tail++ % PEER_CAPACITY] = peer_job_of(share.id++);
		wake = pool->workers_waiting != 0;
		pthread_mutex_unlock(&pool->mutex);
		if (wake)
			pthread_cond_signal(&pool->not_empty);
	}
}

static void submit_single(void *pool, const struct peer_case *c, struct peer_share share)
{
	(void)c;
	submit(pool, share, 1);
}

static void submit_batch(void *pool, const struct peer_case *c, struct peer_share share)
{
	(void)c;
	submit(pool, share, PEER_BATCH);
}

static void finish(void *object)
{
	struct pool *pool = object;

	pthread_mutex_lock(&pool->mutex);
	while (pool->head != pool->tail || pool->running != 0)
		pthread_cond_wait(&pool->all_done, &pool->mutex);
	pthread_mutex_unlock(&pool->mutex);
}

static void close_pool(void *object)
{
	struct pool *pool = object;

	pthread_mutex_lock(&pool->mutex);
	pool->closed = true;
	pthread_mutex_unlock(&pool->mutex);
	pthread_cond_broadcast(&pool->not_empty);
	for (unsigned i = 0; i < pool->workers; i++)
		pthread_join(pool->threads[i], NULL);
	free(pool->threads);
	free(pool->ring);
	free(pool);
}

static const struct peer_pool mutex_pool = {
	.name = "mutex_pool",
	.about = "ring, mutex, condition variables; one job at a time",
	.open = open_single,
	.submit = submit_single,
	.finish = finish,
	.close = close_pool,
};

static const struct peer_pool mutex_pool_claim = {
	.name = "mutex_pool_claim",
	.about = "the same, workers take up to 64 jobs at a time",
	.open = open_batch,
	.submit = submit_single,
	.finish = finish,
	.close = close_pool,
};

static const struct peer_pool mutex_pool_batch = {
	.name = "mutex_pool_batch",
	.about = "the same, 64 jobs at a time on both sides",
	.bulk = true,
	.open = open_batch,
	.submit = submit_batch,
	.finish = finish,
	.close = close_pool,
};

/* ---- a thread for each job ---- */

#define THREADS_AT_ONCE 512
#define STACK_BYTES     65536

struct threads {
	sem_t free;
	pthread_attr_t attributes;
};

static struct threads threads;

static void *threads_open(const struct peer_case *c)
{
	(void)c;
	sem_init(&threads.free, 0, THREADS_AT_ONCE);
	pthread_attr_init(&threads.attributes);
	pthread_attr_setdetachstate(&threads.attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&threads.attributes, STACK_BYTES);
	return &threads;
}

static void *run_one(void *payload)
{
	peer_run_job_alone(peer_id(payload));
	sem_post(&threads.free);
	return NULL;
}

static void threads_acquire(void)
{
	while (sem_wait(&threads.free) != 0)
		peer_must(errno == EINTR, "sem_wait failed");
}

static void threads_submit(void *object, const struct peer_case *c, struct peer_share share)
{
	pthread_t thread;
	int error;

	(void)object;
	(void)c;
	for (; share.id < share.end; share.id++) {
		threads_acquire();
		error = pthread_create(
			&thread, &threads.attributes, run_one, peer_payload(share.id));
		if (error != 0)
			bench_die("thread_per_job: pthread_create: %s", strerror(error));
	}
}

static void threads_finish(void *object)
{
	(void)object;
	for (unsigned i = 0; i < THREADS_AT_ONCE; i++)
		threads_acquire();
}

static void threads_close(void *object)
{
	(void)object;
	pthread_attr_destroy(&threads.attributes);
}

static const struct peer_pool thread_per_job = {
	.name = "thread_per_job",
	.about = "pthread_create of a detached thread, 512 at a time at most",
	.no_workers = true,
	.open = threads_open,
	.submit = threads_submit,
	.finish = threads_finish,
	.close = threads_close,
};

const struct peer_queue *const peer_queues[] = { NULL };
const struct peer_pool *const peer_pools[] = {
	&mutex_pool,
	&mutex_pool_claim,
	&mutex_pool_batch,
	&thread_per_job,
	NULL,
};
