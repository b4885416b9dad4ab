/* SPDX-License-Identifier: MIT */
/*
 * Producers' lanes. A thread from outside keeps one for a while, also beyond the end of the pool; a
 * job opens one and closes it again: a handle is for one thread at a time, and while a job waits
 * for room another job may run on top of it.
 */
#include "soak.h"

#include <string.h>

static int open_lane(struct soak_slot *slot, struct wp_producer **lane)
{
	int error = wp_producer_open(lane, slot->arena->pool);
	if (error && error != WP_ECLOSED)
		soak_complain("wp_producer_open returned %d: %s", error, slot->arena->what);
	slot->count[SOAK_LANES] += error == 0;
	return error;
}

void soak_lane_close(struct soak_slot *slot)
{
	wp_producer_close(slot->lane);
	slot->lane = NULL;
}

/* Fills in place as many as there is room for, and commits some of them. */
static ssize_t by_commit(
	struct soak_slot *slot, struct wp_producer *lane, const struct wp_job *jobs, size_t n)
{
	size_t room = n;
	struct wp_job *place = wp_producer_reserve(lane, &room);
	if (!place)
		return wp_pool_is_closed(slot->arena->pool) ? WP_ECLOSED : WP_EFULL;
	if (room == 0 || room > n)
		soak_complain("room for %zu jobs of %zu: %s", room, n, slot->arena->what);
	memcpy(place, jobs, room * sizeof(*jobs));
	room = wp__rng_below(&slot->rng, 16) ? 1 + wp__rng_below(&slot->rng, room) : 0;
	slot->committing = true;
	slot->bounced = 0;
	wp_producer_commit(lane, room);
	slot->committing = false;
	slot->count[SOAK_BOUNCED] += slot->bounced;
	if (slot->bounced) {
		if (slot->bounced != room || !wp_pool_is_closed(slot->arena->pool))
			soak_complain("%llu of %zu committed jobs were refused: %s",
				(unsigned long long)slot->bounced, room, slot->arena->what);
		return WP_ECLOSED;
	}
	slot->count[SOAK_COMMITTED] += room;
	return room ? (ssize_t)room : WP_EFULL;
}

static ssize_t one(int error)
{
	return error ? error : 1;
}

static ssize_t submit(
	struct soak_slot *slot, struct wp_producer *lane, const struct wp_job *jobs, size_t n)
{
	switch (wp__rng_below(&slot->rng, 6)) {
	case 0:
		return one(wp_producer_submit_job(lane, jobs));
	case 1:
		return one(wp_producer_try_submit(lane, jobs));
	case 2:
		return one(wp_producer_submit_until(
			lane, jobs, wp_after_ns(wp__rng_below(&slot->rng, 1000000))));
	case 3:
		return wp_producer_submit_batch(lane, jobs, n);
	case 4:
		return wp_producer_try_submit_batch(lane, jobs, n);
	default:
		return by_commit(slot, lane, jobs, n);
	}
}

ssize_t soak_by_lane(struct soak_slot *slot, const struct wp_job *jobs, size_t n)
{
	struct wp_producer *lane = slot->lane;
	bool keeps = soak_depth_of((uint64_t)(uintptr_t)jobs[0].payload) == 0;
	if (!keeps || !lane) {
		int error = open_lane(slot, &lane);
		if (error)
			return error;
		if (keeps)
			slot->lane = lane;
	}
	ssize_t accepted = submit(slot, lane, jobs, n);
	slot->count[SOAK_BY_LANE] += accepted > 0 ? (uint64_t)accepted : 0;
	if (!keeps)
		wp_producer_close(lane);
	else if (wp__rng_below(&slot->rng, 64) == 0)
		soak_lane_close(slot);
	return accepted;
}
