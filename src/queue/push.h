/* SPDX-License-Identifier: MIT */
/*
 * Push: a single push into a shared lane, as far as nothing comes between: the lane is far from
 * full, nobody sleeps, it is not closed, and the ticket is an easy one (place.h). That is all but
 * every push of a stream, and short enough to be a part of whoever pushes: a fetch-add waits for
 * all stores before it and holds up all loads behind it, so that a job written to the stack for a
 * function that is called, and read there again, costs more than it looks like.
 *
 * Who may call what: any thread, as segqueue.h says. A push that came as far as its ticket has to
 * be gone on with at once, by the same thread: consumers wait for it.
 */
#ifndef WP_QUEUE_PUSH_H
#define WP_QUEUE_PUSH_H

#include "base/hooks.h"
#include "queue/place.h"
#include "queue/segqueue.h"

/* The block of a shared lane that this thread pushed to last. */
extern _Thread_local struct wp__place wp__last_place __attribute__((tls_model("initial-exec")));

/* How far a push has come. */
enum wp__push_step {
	WP__PUSH_DONE,
	WP__PUSH_NOT_BEGUN,
	WP__PUSH_AT_TICKET, /* the ticket came with *tail; what is to be done with it is open */
};

static inline enum wp__push_step wp__push_try(
	struct wp__segqueue *q, const struct wp_job *job, uint64_t *tail)
{
	if (wp_unlikely(wp_load_rlx_u32(&q->near)))
		return WP__PUSH_NOT_BEGUN;
	WP_POINT("Q0");
	/* Relaxed: a ticket carries no data; SLEEP and CLOSED are decided in this word alone. */
	uint64_t position = *tail = wp_add_rlx_u64(&q->tail, WP__TICKET_ONE);
	WP_POINT("Q1");
	if (wp_unlikely(position & ~WP__POSITION) ||
		wp_unlikely(!wp__place_is_easy(&wp__last_place, q->id, position)))
		return WP__PUSH_AT_TICKET;
	wp__place_write(&wp__last_place, position, job);
	return WP__PUSH_DONE;
}

/* The rest of a push: as wp__segqueue_push. */
int wp__push_go_on(
	struct wp__segqueue *q, const struct wp_job *job, enum wp__push_step step, uint64_t tail);

#endif
