/* SPDX-License-Identifier: MIT */
#include "queue/single.h"

#include <string.h>

#include "base/os.h"
#include "queue/segqueue_parts.h"
#include "queue/stamp.h"

/* Longer than a store can stay invisible to other processors. */
#define HEAVY_NAP_NS UINT64_C(1000000)

void wp__single_init(struct wp__single *s, struct wp__segqueue *lane)
{
	*s = (struct wp__single){ .lane = lane };
	s->stop = s->limit = wp__single_position(s);
}

/* ---- the producer ---- */

/* Slots that there is room for, as positions; 0 or less if there is none. */
static int64_t look_for_room(struct wp__single *s, uint64_t position)
{
	if (wp__span(position, s->limit) <= 0) {
		/* Relaxed: head is a count here; slots are handed over by the directory. */
		uint64_t head = wp_load_rlx_u64(&s->lane->head) & WP__POSITION;
		s->limit = head + s->lane->capacity_span;
	}
	return wp__span(position, s->limit);
}

/* The producer has reached `stop`: moves it on. 0; WP_EFULL: capacity jobs inside; WP_ECLOSED. */
static int extend(struct wp__single *s)
{
	struct wp__segqueue *q = s->lane;
	uint64_t position = wp__single_position(s);
	/* Relaxed: a close that is missed here is found by the announcement. */
	if (wp_load_rlx_u32(&q->signal) & WP__SIGNAL_CLOSED)
		return WP_ECLOSED;
	int64_t room = look_for_room(s, position);
	if (room <= 0)
		return WP_EFULL;
	if (!wp__place_has(&s->place, q->id, position))
		wp__place_find(&s->place, q, position);
	uint32_t slot = (uint32_t)((position - s->place.start) / WP__TICKET_ONE);
	uint64_t n = q->segment_size - slot;
	if (wp_unlikely(q->pool.shape.stamp_row)) {
		/* Its job may be stamped; the next one that may be is as far as it goes. */
		uint32_t mask = wp_load_rlx_u32(&q->stamp_mask);
		wp__stamp_jobs(
			wp__place_segment(&s->place), &q->pool.shape, slot, position >> 2, 1, mask);
		n = wp_min_u64(n, mask + 1 - (slot & mask));
	}
	s->stop = position + wp_min_u64((uint64_t)room, n * WP__TICKET_ONE);
	return 0;
}

/* The lane was closed: whether the tickets before `next` were given out in time. */
static bool in_time(struct wp__single *s, uint64_t next)
{
	uint64_t final;
	/* Relaxed: it is written once and stands for itself; 0 means not yet. */
	for (unsigned round = 0; !((final = wp_load_rlx_u64(&s->lane->final)) & 1); round++)
		wp__back_off(round);
	return wp__span(next, final & WP__POSITION) >= 0;
}

/* The announcement found a signal: what it says once the fence has been passed. */
static WP_COLD uint32_t look_again(struct wp__segqueue *q)
{
	if (!q->light)
		/* [G1] sc: tail before the signal; pairs with [G2] */
		wp_fence_sc();
	return wp_load_rlx_u32(&q->signal);
}

WP_COLD int wp__single_go_on(
	struct wp__single *s, const struct wp_job *job, enum wp__single_step step)
{
	if (step == WP__SINGLE_AT_STOP) {
		int error = extend(s);
		return error ? error : wp__single_push(s, job);
	}
	uint64_t next = wp__single_position(s);
	uint32_t signal = look_again(s->lane);
	if ((signal & WP__SIGNAL_CLOSED) && !in_time(s, next))
		return WP_ECLOSED;
	wp__place_write(&s->place, next - WP__TICKET_ONE, job);
	return signal & WP__SIGNAL_ASLEEP ? WP__PUSHED_WAKE : 0;
}

struct wp_job *wp__single_reserve(struct wp__single *s, size_t *n, int *error)
{
	uint64_t position = wp__single_position(s);
	if (position == s->stop && (*error = extend(s)) != 0)
		return NULL;
	*n = wp_min_u64(*n, (s->stop - position) / WP__TICKET_ONE);
	return wp__place_slot(&s->place, position);
}

int wp__single_commit(struct wp__single *s, uint64_t n)
{
	uint64_t position = wp__single_position(s), next = position + n * WP__TICKET_ONE;
	uint32_t signal = wp__single_announce(s->lane, next);
	if (wp_unlikely(signal != 0))
		signal = look_again(s->lane);
	/* All or none: final is a value that tail had. */
	if (wp_unlikely(signal & WP__SIGNAL_CLOSED) && !in_time(s, next))
		return WP_ECLOSED;
	wp__marks_publish(wp__place_mark(&s->place, position), s->place.mark, (uint32_t)n);
	return signal & WP__SIGNAL_ASLEEP ? WP__PUSHED_WAKE : 0;
}

int wp__single_push_some(struct wp__single *s, const struct wp_job *jobs, size_t n, size_t *pushed)
{
	int result = 0;
	*pushed = 0;
	while (*pushed < n) {
		int error;
		size_t here = n - *pushed;
		struct wp_job *slots = wp__single_reserve(s, &here, &error);
		if (slots) {
			memcpy(slots, jobs + *pushed, here * sizeof(*jobs));
			error = wp__single_commit(s, here);
			*pushed += error >= 0 ? here : 0;
		}
		if (error < 0)
			return *pushed ? result : error;
		result |= error;
	}
	return result;
}

/* ---- anybody ---- */

void wp__single_heavy_fence(bool light)
{
	WP_POINT("G2");
	/* [G2] sc: the signal before the look at tail, for every thread; pairs with [G1] */
	if (light && wp__os_membarrier() != 0)
		wp__os_sleep(HEAVY_NAP_NS);
	if (!light)
		wp_fence_sc();
}

void wp__single_put_to_sleep(struct wp__segqueue *lane)
{
	/* [G3] rel: the sleeper took the lane off the list; pairs with [G4] */
	wp_or_rel_u32(&lane->signal, WP__SIGNAL_ASLEEP);
}

bool wp__single_wake(struct wp__segqueue *lane)
{
	/* [G4] acq: that the lane is off the list; pairs with [G3] */
	return wp_and_acq_u32(&lane->signal, ~WP__SIGNAL_ASLEEP) & WP__SIGNAL_ASLEEP;
}

bool wp__single_begin_close(struct wp__segqueue *lane)
{
	/* Relaxed: [G2] orders it before the look at tail. */
	wp_or_rlx_u32(&lane->signal, WP__SIGNAL_CLOSED);
	WP_POINT("C3");
	return !(wp_load_rlx_u64(&lane->final) & 1);
}

bool wp__single_finish_close(struct wp__segqueue *lane)
{
	/* Relaxed: the heavy fence came before; final stands for itself. */
	uint64_t tail = wp_load_rlx_u64(&lane->tail) & WP__POSITION, missing = 0;
	if (!wp_cas_strong_rlx_u64(&lane->final, &missing, tail | 1))
		return false;
	wp__room_wake(lane, UINT32_MAX);
	return true;
}
