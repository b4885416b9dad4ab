/* SPDX-License-Identifier: MIT */
/*
 * The two ends of a lane as others see them: sleep, close, and what the tickets count. See
 * segqueue.h, which includes this.
 */
#ifndef WP_QUEUE_SEGQUEUE_ENDS_H
#define WP_QUEUE_SEGQUEUE_ENDS_H

#include <stdbool.h>
#include <stdint.h>

struct wp__segqueue;

/* Wakes producers that wait although there is room, for a consumer that stops before wake_room. */
void wp__segqueue_offer_room(struct wp__segqueue *q);

/*
 * Announces that no consumer looks at the lane any more: the next push returns WP__PUSHED_WAKE.
 * True: everything accepted so far is claimed, the caller may sleep. False: there is work, perhaps
 * not published yet; look again.
 */
bool wp__segqueue_arm_sleep(struct wp__segqueue *q);

/* Whether everything accepted so far is claimed; false while a close is being carried out. */
bool wp__segqueue_is_empty(const struct wp__segqueue *q);

/* Takes the announcement back; returns whether it stood. The caller of a wake-up does it first. */
bool wp__segqueue_disarm_sleep(struct wp__segqueue *q);

/* ---- anybody ---- */

/* Refuses pushes from now on, wakes those that wait. Returns true to the first caller. */
bool wp__segqueue_close(struct wp__segqueue *q);
bool wp__segqueue_is_closed(const struct wp__segqueue *q);

/*
 * Closes a lane that is the copy of another process's, in the child of a fork that has one thread:
 * the parent's threads may have been in the middle of anything. Such a lane only refuses.
 */
void wp__segqueue_close_copy(struct wp__segqueue *q);

/*
 * Tickets given out, i.e. jobs accepted; after a close: the final number. A blocking push that
 * waits for room with its ticket counts already.
 */
uint64_t wp__segqueue_accepted(const struct wp__segqueue *q);

/* Jobs claimed so far. A look at accepted that comes after it finds at least as many. */
uint64_t wp__segqueue_claimed(const struct wp__segqueue *q);

/* accepted - claimed, never negative, at most capacity. */
uint64_t wp__segqueue_depth(const struct wp__segqueue *q);

/* Whether the invariants above hold; only while nobody pushes, claims or waits. */
bool wp__segqueue_is_valid(struct wp__segqueue *q);

#endif
