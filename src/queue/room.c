/* SPDX-License-Identifier: MIT */
#include "queue/room.h"

#include <wpool/error.h>

#include "base/hooks.h"
#include "base/os.h"
#include "queue/segqueue.h"

/* How long a blocked producer spins before it sleeps, in looks. */
#define LOOKS_BEFORE_SLEEP WP_TUNED(100, 1)
#define EVERYBODY          UINT32_MAX

static int64_t room_after(const struct wp__segqueue *q, uint64_t position, uint64_t head)
{
	return (int64_t)(head + q->capacity_span - position);
}

void wp__room_wake(struct wp__segqueue *q, uint64_t n)
{
	/* [W3] rel: the head that makes room, or the close; pairs with [W1] */
	wp_add_rel_u32(&q->room.epoch, 1);
	WP_POINT("W3");
	wp__os_futex_wake(&q->room.epoch, (uint32_t)wp_min_u64(n, EVERYBODY));
}

static void join(struct wp__segqueue *q)
{
	wp_add_rlx_u32(&q->room.waiters, 1);
}

/*
 * The last one out clears WAITERS, unless somebody came in meanwhile: then the bit is set again,
 * and because a consumer may have passed in between, everybody looks again.
 */
static void leave(struct wp__segqueue *q, bool room_unused)
{
	if (wp_sub_rlx_u32(&q->room.waiters, 1) == 1) {
		WP_POINT("W4");
		/* [W5] acq: whoever's bit this clears counted himself before; pairs with [W2] */
		wp_and_acq_u64(&q->head, ~WP__HEAD_WAITERS);
		if (wp_load_rlx_u32(&q->room.waiters) == 0)
			return;
		wp_or_rlx_u64(&q->head, WP__HEAD_WAITERS);
		wp__room_wake(q, EVERYBODY);
	} else if (room_unused) {
		wp__room_wake(q, 1);
	}
}

/* What a producer waits for, and how long. */
struct wait {
	const uint64_t *ticket;    /* a holder's position, or NULL */
	const wp_atomic_u32 *stop; /* not 0: the producer is to give up; or NULL */
	uint64_t deadline;
	uint64_t patience; /* how long the next round may sleep; grows */
};

/* One round of waiting: 0 there is room, WP_EFULL look again, or why the wait is over. */
static int sleep_once(struct wp__segqueue *q, struct wait *wait)
{
	/* [W1] acq: what was done before the wake-ups seen; pairs with [W3] */
	uint32_t epoch = wp_load_acq_u32(&q->room.epoch);
	WP_POINT("W1");
	/* [W2] ar: consumers from here on see WAITERS and the counts; pairs with [H1] and [W5] */
	uint64_t head = wp_or_ar_u64(&q->head, WP__HEAD_WAITERS) & WP__POSITION;
	WP_POINT("W2");
	uint64_t tail = wp_load_rlx_u64(&q->tail);
	if (wp__segqueue_is_closed(q))
		return WP_ECLOSED;
	/* Relaxed: not before [W1], which sees the wake-up that follows it. */
	if (wait->stop && wp_load_rlx_u32(wait->stop))
		return WP_ECANCELED;
	if (room_after(q, wait->ticket ? *wait->ticket : tail & WP__POSITION, head) > 0)
		return 0;
	uint64_t until = wait->deadline;
	if (wait->patience)
		until = wp_min_u64(until, wp__os_now_ns() + wait->patience);
	/* Not after wake-ups: any number may come while others keep taking the room. */
	if (wp__os_futex_wait(&q->room.epoch, epoch, until) != 0)
		wait->patience *= 2;
	/* By the clock, for the same reason. */
	if (wait->deadline != UINT64_MAX && wp__os_now_ns() >= wait->deadline)
		return WP_ETIMEDOUT;
	return WP_EFULL;
}

/* Spins for a moment, because room often comes soon and a sleep costs microseconds. */
static bool spin(struct wp__segqueue *q)
{
	for (unsigned i = 0; i < LOOKS_BEFORE_SLEEP; i++) {
		uint64_t tail = wp_load_rlx_u64(&q->tail);
		uint64_t head = wp_load_rlx_u64(&q->head) & WP__POSITION;
		if (wp__segqueue_is_closed(q) || room_after(q, tail & WP__POSITION, head) > 0)
			return true;
		wp_spin_hint();
	}
	return false;
}

int wp__room_wait_unless(struct wp__segqueue *q, const wp_atomic_u32 *stop, uint64_t deadline)
{
	if (spin(q))
		return wp__segqueue_is_closed(q) ? WP_ECLOSED : 0;
	int result;
	struct wait wait = { .stop = stop, .deadline = deadline, .patience = q->room.patience };
	join(q);
	do
		result = sleep_once(q, &wait);
	while (result == WP_EFULL);
	leave(q, result != 0);
	return result;
}

int wp__room_wait(struct wp__segqueue *q, uint64_t deadline)
{
	return wp__room_wait_unless(q, NULL, deadline);
}

void wp__room_wait_with_ticket(struct wp__segqueue *q, uint64_t position)
{
	struct wait wait = { &position, NULL, UINT64_MAX, q->room.patience };
	join(q);
	/* Relaxed: [W2] publishes it. */
	wp_add_rlx_u32(&q->room.holders, 1);
	while (sleep_once(q, &wait) == WP_EFULL)
		;
	wp_sub_rlx_u32(&q->room.holders, 1);
	leave(q, true);
}

static int64_t room_in_jobs(const struct wp__segqueue *q, uint64_t head)
{
	uint64_t tail = wp_load_rlx_u64(&q->tail) & WP__POSITION;
	return room_after(q, tail, head) / (int64_t)WP__TICKET_ONE;
}

/* There is room for `room` jobs, and it is time to wake somebody. */
static struct wp__room_plan wake_for(
	struct wp__segqueue *q, uint64_t head, uint64_t room, uint64_t most)
{
	struct wp__room_plan plan = { wp_min_u64(room, most), WP__HEAD_WAITERS, head };
	if (plan.wake >= wp_load_rlx_u32(&q->room.waiters)) {
		/* Nobody is left waiting: who joins now has read an epoch that will change. */
		plan.wake = EVERYBODY;
		plan.keep = 0;
	}
	return plan;
}

struct wp__room_plan wp__room_plan(struct wp__segqueue *q, uint64_t next, uint64_t wake_room)
{
	uint64_t capacity = q->capacity_span / WP__TICKET_ONE;
	int64_t room = room_in_jobs(q, next), made;
	wake_room = wp_min_u64(wake_room, capacity);
	if (room < (int64_t)wake_room)
		return (struct wp__room_plan){ 0, WP__HEAD_WAITERS, next };
	if (!q->room.in_turn || room >= (int64_t)capacity)
		return wake_for(q, next, (uint64_t)room, EVERYBODY);
	/* Relaxed: an old value wakes more of them. */
	made = (int64_t)(next - wp_load_rlx_u64(&q->room.woken_at)) / (int64_t)WP__TICKET_ONE;
	if (made < (int64_t)wake_room)
		return (struct wp__room_plan){ 0, WP__HEAD_WAITERS, next };
	uint64_t share = wp_load_rlx_u32(&q->room.waiters) * (uint64_t)room / capacity;
	return wake_for(q, next, (uint64_t)room, wp_max_u64(1, share));
}

struct wp__room_plan wp__room_plan_all(struct wp__segqueue *q, uint64_t head)
{
	int64_t room = room_in_jobs(q, head);
	if (room <= 0)
		return (struct wp__room_plan){ 0, WP__HEAD_WAITERS, head };
	return wake_for(q, head, (uint64_t)room, EVERYBODY);
}

void wp__room_made(struct wp__segqueue *q, const struct wp__room_plan *plan)
{
	/* Only now: a holder may have set the bit that was set already, just before the claim. */
	uint64_t wake = wp_load_rlx_u32(&q->room.holders) ? EVERYBODY : plan->wake;
	if (!wake)
		return;
	wp_store_rlx_u64(&q->room.woken_at, plan->at);
	wp__room_wake(q, wake);
}
