/* SPDX-License-Identifier: MIT */
#include <wpool/queue.h>

#include <wpool/clock.h>
#include <wpool/error.h>

#include "api/arguments.h"
#include "base/alloc.h"
#include "base/hooks.h"
#include "base/os.h"
#include "queue/push.h"
#include "queue/segqueue.h"
#include "queue/single.h"

#define DEFAULT_CAPACITY     65536
#define DEFAULT_SEGMENT_SIZE 1024
#define CLAIM_MAX            65536u

struct wp_queue {
	struct wp__segqueue lane;
	/* Of the one producer, where options.single_producer says so. */
	_Alignas(WP_ALONE) struct wp__single producer;
};

int wp_queue_create(struct wp_queue **out, const struct wp_queue_options *given)
{
	struct wp_queue_options o = WP_QUEUE_OPTIONS_INIT;
	if (!out)
		return WP_EINVAL;
	*out = NULL;
	if (given && given->size != sizeof(o))
		return WP_EINVAL;
	if (given)
		o = *given;
	if (!o.capacity)
		o.capacity = DEFAULT_CAPACITY;
	if (!o.segment_size)
		o.segment_size = DEFAULT_SEGMENT_SIZE;
	if (o.capacity > WP_CAPACITY_MAX || o.segment_size > WP_SEGMENT_SIZE_MAX)
		return WP_EINVAL;
	bool light = o.single_producer && wp__os_membarrier_register() == 0;
	struct wp_queue *q = wp__alloc(WP_ALONE, sizeof(*q));
	if (!q)
		return WP_ENOMEM;
	int error = wp__segqueue_init(&q->lane, &(struct wp__segqueue_options){
							.capacity = o.capacity,
							.segment_size = o.segment_size,
							.segment_count = o.segment_count,
							.first_ticket = WP_FIRST_TICKET(),
							.single = o.single_producer,
							.light = light,
						});
	if (error) {
		wp__free(q);
		return error;
	}
	wp__single_init(&q->producer, &q->lane);
	*out = q;
	return 0;
}

void wp_queue_destroy(struct wp_queue *q)
{
	if (!q)
		return;
	wp__segqueue_fini(&q->lane);
	wp__free(q);
}

/* The rest of a push that came only as far as `step`. */
static WP_COLD int push_the_rest(
	struct wp_queue *q, const struct wp_job *job, uint64_t deadline, enum wp__single_step step)
{
	int error = 0, result = wp__single_go_on(&q->producer, job, step);
	while (result == WP_EFULL && !error) {
		error = deadline ? wp__room_wait(&q->lane, deadline) : WP_EFULL;
		/* Room may have come at the last moment. */
		result = wp__single_push(&q->producer, job);
	}
	return result == WP_EFULL ? error : result;
}

static inline int push_single(struct wp_queue *q, const struct wp_job *job, uint64_t deadline)
{
	enum wp__single_step step = wp__single_try(&q->producer, job);
	return wp_likely(step == WP__SINGLE_DONE) ? 0 : push_the_rest(q, job, deadline, step);
}

static int push_until(struct wp_queue *q, const struct wp_job *job, uint64_t deadline)
{
	if (q->lane.single)
		return push_single(q, job, deadline);
	return wp__segqueue_push_until(&q->lane, job, deadline);
}

static int push_some(struct wp_queue *q, const struct wp_job *jobs, size_t n, size_t *pushed)
{
	if (q->lane.single)
		return wp__single_push_some(&q->producer, jobs, n, pushed);
	return wp__segqueue_push_some(&q->lane, jobs, n, pushed);
}

int wp_queue_push(struct wp_queue *q, const struct wp_job *job)
{
	if (wp_unlikely(!q || !wp__is_job(job)))
		return WP_EINVAL;
	/* Nobody sleeps on a bare queue: no push is told to wake somebody. */
	if (q->lane.single)
		return push_single(q, job, WP_FOREVER);
	uint64_t tail = 0;
	enum wp__push_step step = wp__push_try(&q->lane, job, &tail);
	return wp_likely(step == WP__PUSH_DONE) ? 0 : wp__push_go_on(&q->lane, job, step, tail);
}

int wp_queue_push_until(struct wp_queue *q, const struct wp_job *job, uint64_t deadline)
{
	if (!q || !wp__is_job(job))
		return WP_EINVAL;
	int result = push_until(q, job, deadline);
	return result == WP_EFULL ? WP_ETIMEDOUT : result;
}

int wp_queue_try_push(struct wp_queue *q, const struct wp_job *job)
{
	if (!q || !wp__is_job(job))
		return WP_EINVAL;
	return push_until(q, job, 0);
}

static bool are_jobs(const struct wp_job *jobs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!jobs[i].fn)
			return false;
	return true;
}

size_t wp_queue_push_many(struct wp_queue *q, const struct wp_job *jobs, size_t n)
{
	if (!q || !jobs || !are_jobs(jobs, n))
		return 0;
	size_t done = 0;
	while (done < n) {
		size_t pushed;
		int error = push_some(q, jobs + done, n - done, &pushed);
		done += pushed;
		if (error == WP_EFULL)
			error = wp__room_wait(&q->lane, WP_FOREVER);
		if (error < 0)
			break;
	}
	return done;
}

size_t wp_queue_try_push_many(struct wp_queue *q, const struct wp_job *jobs, size_t n)
{
	size_t pushed;
	if (!q || !jobs || !n || !are_jobs(jobs, n))
		return 0;
	(void)push_some(q, jobs, n, &pushed);
	return pushed;
}

size_t wp_queue_pop_many(struct wp_queue *q, struct wp_job *out, size_t max)
{
	size_t got = 0;
	if (!q || !out)
		return 0;
	while (got < max) {
		uint32_t want = (uint32_t)wp_min_u64(max - got, CLAIM_MAX);
		struct wp__claim claim;
		/* Whoever takes `max` at a time leaves room for as many: then producers go on. */
		if (!wp__segqueue_claim(&q->lane, out + got, want, 1, max, &claim))
			break;
		got += claim.count;
		/* Only a segment's end or a full buffer stops short of what is ready. */
		if (!claim.at_segment_end && claim.count < want)
			break;
	}
	if (got)
		wp__segqueue_offer_room(&q->lane);
	return got;
}

void wp_queue_close(struct wp_queue *q)
{
	if (!q)
		return;
	if (!q->lane.single) {
		wp__segqueue_close(&q->lane);
	} else if (wp__single_begin_close(&q->lane)) {
		wp__single_heavy_fence(q->lane.light);
		(void)wp__single_finish_close(&q->lane);
	}
}

size_t wp_queue_depth(const struct wp_queue *q)
{
	return q ? wp__segqueue_depth(&q->lane) : 0;
}

void wp_queue_memory(const struct wp_queue *q, struct wp_queue_memory *out)
{
	if (!q || !out)
		return;
	const struct wp__segpool *pool = &q->lane.pool;
	*out = (struct wp_queue_memory){
		.segments_reserved = pool->reserved,
		.segments_touched = wp_load_rlx_u32(&pool->touched),
		.segments_free = wp__segpool_free(pool),
		.segments_reused = wp__segpool_reused(pool),
		.segment_bytes = pool->shape.bytes,
	};
}
