/* SPDX-License-Identifier: MIT */
#include "queue_lab.h"

#include <wpool/error.h>

#include "base/os.h"

struct wp__segqueue lab_queue;
uint32_t lab_taken_by[LAB_JOBS];
wp_atomic_u32 lab_accepted, lab_consumed;

static int no_job(void *payload)
{
	(void)payload;
	return 0;
}

struct wp_job lab_job(uint32_t number)
{
	return (struct wp_job){ .fn = no_job, .payload = &lab_taken_by[number] };
}

void lab_make_with(const struct wp__segqueue_options *options)
{
	explore_assert(wp__segqueue_init(&lab_queue, options) == 0);
}

void lab_make(uint64_t capacity, uint32_t segment_size)
{
	struct wp__segqueue_options o = { .capacity = capacity, .segment_size = segment_size };
	lab_make_with(&o);
}

/* ---- pushes ---- */

int lab_push(uint32_t number)
{
	struct wp_job job = lab_job(number);
	int r = wp__segqueue_push(&lab_queue, &job);
	explore_assert(r >= 0 || r == WP_ECLOSED);
	if (r >= 0)
		wp_add_rlx_u32(&lab_accepted, 1);
	return r;
}

int lab_push_until(uint32_t number, uint64_t deadline)
{
	struct wp_job job = lab_job(number);
	int r = wp__segqueue_push_until(&lab_queue, &job, deadline);
	if (r >= 0)
		wp_add_rlx_u32(&lab_accepted, 1);
	return r;
}

size_t lab_push_some(uint32_t number, size_t n)
{
	struct wp_job jobs[LAB_JOBS];
	size_t pushed = 0;
	for (uint32_t i = 0; i < n; i++)
		jobs[i] = lab_job(number + i);
	int r = wp__segqueue_push_some(&lab_queue, jobs, n, &pushed);
	explore_assert(pushed <= n && (r >= 0) == (pushed > 0));
	explore_assert(r >= 0 || r == WP_EFULL || r == WP_ECLOSED);
	wp_add_rlx_u32(&lab_accepted, (uint32_t)pushed);
	return pushed;
}

void lab_must_push(uint32_t number)
{
	explore_assert(lab_push(number) >= 0);
}

void lab_push_or_closed(uint32_t number)
{
	(void)lab_push(number);
}

void lab_must_push_many(uint32_t number, size_t n)
{
	while (n) {
		size_t pushed = lab_push_some(number, n);
		number += (uint32_t)pushed;
		n -= pushed;
		if (!pushed)
			explore_assert(wp__room_wait(&lab_queue, UINT64_MAX) == 0);
	}
}

/* ---- claims ---- */

uint32_t lab_claim_share(uint32_t max, uint32_t share, uint64_t wake_room)
{
	struct wp_job out[LAB_JOBS];
	struct wp__claim c;
	if (!wp__segqueue_claim(&lab_queue, out, max, share, wake_room, &c))
		return 0;
	explore_assert(c.count >= 1 && c.count <= max);
	for (uint32_t i = 0; i < c.count; i++) {
		uint32_t *at = out[i].payload;
		explore_assert(out[i].fn == no_job);
		explore_assert(at >= lab_taken_by && at < lab_taken_by + LAB_JOBS);
		explore_assert(*at == 0);
		*at = explore_self() + 1;
	}
	wp_add_rlx_u32(&lab_consumed, c.count);
	return c.count;
}

uint32_t lab_claim(uint32_t max)
{
	return lab_claim_share(max, 1, 1);
}

void lab_claim_until(uint32_t n, uint32_t max)
{
	while (wp_load_acq_u32(&lab_consumed) < n)
		if (!lab_claim(max))
			wp_spin_hint();
}

void lab_claim_until_closed(uint32_t max)
{
	for (;;) {
		bool closed = wp__segqueue_is_closed(&lab_queue);
		if (lab_claim(max))
			continue;
		uint32_t consumed = wp_load_acq_u32(&lab_consumed);
		if (closed && consumed == wp__segqueue_accepted(&lab_queue))
			return;
		wp_spin_hint();
	}
}

void lab_close(void)
{
	explore_assert(wp__segqueue_close(&lab_queue));
	explore_assert(wp__segqueue_is_closed(&lab_queue));
}

/* ---- afterwards ---- */

static void end(uint32_t n)
{
	explore_assert(wp_load_rlx_u32(&lab_consumed) == n);
	explore_assert(wp_load_rlx_u32(&lab_accepted) == n);
	explore_assert(wp__segqueue_accepted(&lab_queue) == n);
	explore_assert(wp__segqueue_claimed(&lab_queue) == n);
	explore_assert(wp__segqueue_depth(&lab_queue) == 0);
	explore_assert(wp__segqueue_is_valid(&lab_queue));
	explore_assert(wp_load_rlx_u32(&lab_queue.room.waiters) == 0);
	explore_assert(wp_load_rlx_u32(&lab_queue.room.holders) == 0);
	wp__segqueue_fini(&lab_queue);
}

void lab_drain_and_end(void)
{
	while (lab_claim(4))
		;
	end(wp_load_rlx_u32(&lab_accepted));
}

void lab_all_taken(uint32_t n)
{
	for (uint32_t i = 0; i < LAB_JOBS; i++)
		explore_assert((lab_taken_by[i] != 0) == (i < n));
	end(n);
}
