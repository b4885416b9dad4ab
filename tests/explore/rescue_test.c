/* SPDX-License-Identifier: MIT */
/*
 * The handshake of owner and rescuer, alone: no pool runs here. Jobs are numbers; `ran` counts how
 * often each was started, by whomever. Every test exists twice, with a membarrier and without one.
 */
#include <string.h>

#include "engine/rescue.h"
#include "explore.h"

#define JOBS 4u

static struct wp_pool pool;
static struct wp__worker owner;
static wp_atomic_u32 ran[JOBS];
/* Plain: only one thread may ever touch a job's place. */
static uint32_t started_by[JOBS];
static wp_atomic_u32 taken;

static int no_job(void *payload)
{
	(void)payload;
	return 0;
}

static void with_membarrier(void)
{
	pool.has_membarrier = true;
	owner.pool = &pool;
}

static void with_fence(void)
{
	pool.has_membarrier = false;
	owner.pool = &pool;
}

static void run(const struct wp_job *job, uint64_t id)
{
	uint32_t *at = job->payload;
	explore_assert(job->fn == no_job);
	explore_assert(at == &started_by[id]);
	explore_assert(wp_add_rlx_u32(&ran[id], 1) == 0);
	*at = explore_self();
}

/* ---- the owner ---- */

static void offer(uint32_t first, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		owner.batch[i] = (struct wp_job){ .fn = no_job, .payload = &started_by[first + i] };
	wp__rescue_offer(&owner, count, first);
}

static void run_what_is_left(void)
{
	uint32_t index, before = owner.count, started = 0;
	while (wp__rescue_next(&owner, &index)) {
		explore_assert(index == started);
		run(&owner.batch[index], owner.first_id + index);
		started++;
	}
	explore_assert(started == owner.count && started <= before);
}

static void own_two(void)
{
	offer(0, 2);
	run_what_is_left();
}

static void own_three(void)
{
	offer(0, 3);
	run_what_is_left();
}

static void own_two_and_two(void)
{
	own_two();
	offer(2, 2);
	run_what_is_left();
}

/* A nested wait: a job of the batch runs the next ones; the batch goes on around it. */
static void own_nested(void)
{
	uint32_t outer, inner;
	offer(0, 3);
	while (wp__rescue_next(&owner, &outer)) {
		if (wp__rescue_next(&owner, &inner))
			run(&owner.batch[inner], inner);
		run(&owner.batch[outer], outer);
	}
}

/* ---- rescuers ---- */

static void rescue(void)
{
	struct wp_job out[WP__BATCH_MAX];
	uint64_t first_id;
	if (!wp__rescue_is_wanted(&owner))
		return;
	uint32_t n = wp__rescue_take(&owner, out, NULL, &first_id);
	for (uint32_t i = 0; i < n; i++)
		run(&out[i], first_id + i);
	wp_add_rlx_u32(&taken, n);
}

static void rescue_twice(void)
{
	rescue();
	rescue();
}

static void discard(void)
{
	wp_or_rlx_u32(&owner.interrupt, WP__DISCARD);
}

/* ---- afterwards ---- */

static void check_ran(uint32_t jobs, uint32_t interrupt)
{
	for (uint32_t i = 0; i < jobs; i++)
		explore_assert(wp_load_rlx_u32(&ran[i]) == 1);
	explore_assert(wp_load_rlx_u32(&owner.left) == 0);
	explore_assert(wp_load_rlx_u32(&owner.interrupt) == interrupt);
}

static void two_ran(void)
{
	check_ran(2, 0);
}

static void three_ran(void)
{
	check_ran(3, 0);
}

static void four_ran(void)
{
	check_ran(4, 0);
}

/* The flag stays: nothing of the handshake takes it away. */
static void three_ran_discarding(void)
{
	check_ran(3, WP__DISCARD);
}

#define RESCUE_TEST(name_, check_, ...)                                                  \
	EXPLORE_TEST(rescue_##name_, .setup = with_membarrier, .body = { __VA_ARGS__ },  \
		.check = (check_));                                                      \
	EXPLORE_TEST(rescue_fence_##name_, .setup = with_fence, .body = { __VA_ARGS__ }, \
		.check = (check_))

RESCUE_TEST(two_jobs, two_ran, own_two, rescue);
RESCUE_TEST(three_jobs, three_ran, own_three, rescue_twice);
RESCUE_TEST(second_batch, four_ran, own_two_and_two, rescue_twice);
RESCUE_TEST(two_rescuers, three_ran, own_three, rescue, rescue);
RESCUE_TEST(two_rescuers_two_batches, four_ran, own_two_and_two, rescue, rescue);
RESCUE_TEST(discard, three_ran_discarding, own_three, rescue, discard);
RESCUE_TEST(nested, three_ran, own_nested, rescue_twice);
