/* SPDX-License-Identifier: MIT */
#include "queue/segqueue_ends.h"

#include "base/hooks.h"
#include "queue/segqueue_parts.h"
#include "queue/single.h"

/* Tail, so that a signal that is read next is not older. */
static inline uint64_t load_tail(const struct wp__segqueue *q)
{
	/* [G5] acq: the fence before a single producer's store of tail; pairs with [G1] */
	uint64_t tail = wp_load_acq_u64(&q->tail);
	if (q->single && !q->light) {
		WP_POINT("G6");
		/* [G6] sc: there this thread has not passed the closer's fence; pairs with [G2] */
		wp_fence_sc();
	}
	return tail;
}

static bool is_closed(const struct wp__segqueue *q, uint64_t tail)
{
	if (q->single)
		return wp_load_rlx_u32(&q->signal) & WP__SIGNAL_CLOSED;
	return tail & WP__TAIL_CLOSED;
}

/* The position up to which tickets are promises; false while a close is being carried out. */
static bool end_position(const struct wp__segqueue *q, uint64_t tail, uint64_t *end)
{
	*end = tail & WP__POSITION;
	if (!is_closed(q, tail))
		return true;
	/* Relaxed: it is written once and stands for itself; 0 means not yet. */
	uint64_t final = wp_load_rlx_u64(&q->final);
	if (!(final & 1))
		return false;
	*end = final & WP__POSITION;
	return true;
}

void wp__segqueue_offer_room(struct wp__segqueue *q)
{
	uint64_t head = wp_load_rlx_u64(&q->head);
	if (!(head & WP__HEAD_WAITERS))
		return;
	struct wp__room_plan plan = wp__room_plan_all(q, head & WP__POSITION);
	wp__room_made(q, &plan);
}

bool wp__segqueue_arm_sleep(struct wp__segqueue *q)
{
	/* [P1] ar: a push that takes its ticket later sees SLEEP; pairs with [P2] */
	uint64_t tail = wp_or_ar_u64(&q->tail, WP__TAIL_SLEEP), end;
	WP_POINT("P1");
	if (!end_position(q, tail, &end))
		return false;
	return (wp_load_rlx_u64(&q->head) & WP__POSITION) == end;
}

bool wp__segqueue_is_empty(const struct wp__segqueue *q)
{
	uint64_t end;
	return end_position(q, load_tail(q), &end) &&
	       (wp_load_rlx_u64(&q->head) & WP__POSITION) == end;
}

bool wp__segqueue_disarm_sleep(struct wp__segqueue *q)
{
	/* [P2] ar: what the sleeper did before it armed; pairs with [P1] */
	return wp_and_ar_u64(&q->tail, ~WP__TAIL_SLEEP) & WP__TAIL_SLEEP;
}

bool wp__segqueue_close(struct wp__segqueue *q)
{
	/* Relaxed: tail alone decides who was in time; sleepers learn of it through [W3]. */
	uint64_t tail = wp_or_rlx_u64(&q->tail, WP__TAIL_CLOSED);
	WP_POINT("C3");
	if (tail & WP__TAIL_CLOSED)
		return false;
	wp_store_rlx_u64(&q->final, (tail & WP__POSITION) | 1);
	wp__room_wake(q, UINT32_MAX);
	return true;
}

void wp__segqueue_close_copy(struct wp__segqueue *q)
{
	uint64_t tail = wp_load_rlx_u64(&q->tail);
	if (q->single)
		wp_or_rlx_u32(&q->signal, WP__SIGNAL_CLOSED);
	else
		wp_or_rlx_u64(&q->tail, WP__TAIL_CLOSED);
	/* Perhaps a close was being carried out. */
	if (!(wp_load_rlx_u64(&q->final) & 1))
		wp_store_rlx_u64(&q->final, (tail & WP__POSITION) | 1);
}

bool wp__segqueue_is_closed(const struct wp__segqueue *q)
{
	return is_closed(q, wp_load_rlx_u64(&q->tail));
}

uint64_t wp__segqueue_accepted(const struct wp__segqueue *q)
{
	uint64_t end;
	/* Relaxed: who learnt of a job by an acquire reads no older tail than its push's. */
	for (unsigned round = 0; !end_position(q, load_tail(q), &end); round++)
		wp__back_off(round); /* the closer stores it next, or after his heavy fence */
	return (end - q->first) >> 2;
}

uint64_t wp__segqueue_claimed(const struct wp__segqueue *q)
{
	/* [C4] acq: a tail read later is not older; pairs with [H1] */
	return ((wp_load_acq_u64(&q->head) & WP__POSITION) - q->first) >> 2;
}

uint64_t wp__segqueue_depth(const struct wp__segqueue *q)
{
	/* [C4] acq: head first, so that the tail read is not older; pairs with [H1] */
	uint64_t head = wp_load_acq_u64(&q->head) & WP__POSITION, end;
	end_position(q, load_tail(q), &end);
	int64_t depth = wp__span(head, end);
	return depth <= 0 ? 0 : wp_min_u64((uint64_t)depth, q->capacity_span) >> 2;
}

bool wp__segqueue_is_valid(struct wp__segqueue *q)
{
	uint64_t head = wp_load_rlx_u64(&q->head) & WP__POSITION, end;
	if (!end_position(q, load_tail(q), &end))
		return false;
	int64_t depth = wp__span(head, end);
	if (depth < 0)
		return false;
	/* After a close, producers that waited with a ticket write beyond the capacity. */
	if (!wp__segqueue_is_closed(q) && depth > (int64_t)q->capacity_span)
		return false;
	if (wp__span(wp_load_rlx_u64(&q->limit), head + q->capacity_span) < 0)
		return false;
	uint32_t in_use = 0;
	for (uint64_t i = 0; i <= q->directory_mask; i++) {
		uint64_t e = wp_load_rlx_u64(&q->directory[i]);
		if (!(e & WP__INSTALLED))
			continue;
		in_use++;
		struct wp__segment *segment = wp__segment_in(q, e);
		uint32_t published = 0, done = wp_load_rlx_u32(&segment->done);
		for (uint32_t s = 0; s < q->segment_size; s++)
			published +=
				wp_load_rlx_u8(&wp__segment_marks(segment)[s]) == wp__mark_in(e);
		if (wp__mark_in(e) != wp__segment_mark(segment))
			return false;
		if (done > published || published > q->segment_size || done == q->segment_size)
			return false;
	}
	return wp_load_rlx_u32(&q->pool.touched) == in_use + wp__segpool_free(&q->pool);
}
