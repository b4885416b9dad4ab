/* SPDX-License-Identifier: MIT */
/*
 * Parking and a lane together: workers that are nothing but the sleep handshake of engine/worker.c.
 * No job may be left while all workers sleep; whoever sleeps for ever is a deadlock.
 *
 * Job 0 takes long: it does not end before job 1 has run. So whoever runs it has to leave, and the
 * other worker has to be found.
 */
#include "base/os.h"
#include "explore.h"
#include "park/latch.h"
#include "park/parking.h"
#include "queue/segqueue.h"

#define WORKERS 2u
#define JOBS    2u

static struct wp__parking p;
static struct wp__segqueue lane;
static struct wp__latch second_ran;
static wp_atomic_u32 started[JOBS], finished, must_exit;
static uint32_t written[JOBS]; /* plain: a producer's, then the job's */

static void setup_lane(void)
{
	struct wp__segqueue_options o = { .capacity = 4, .segment_size = 4 };
	explore_assert(wp__parking_init(&p, WORKERS) == 0);
	explore_assert(wp__segqueue_init(&lane, &o) == 0);
}

static void at_rest(void)
{
	explore_assert(wp__parking_idle(&p) == 0);
	explore_assert(wp_load_rlx_u64(&p.parked[0]) == 0);
	explore_assert(wp__segqueue_depth(&lane) == 0);
	for (unsigned i = 0; i < WORKERS; i++) {
		explore_assert(wp_load_rlx_u32(&p.spots[i].active) == 0);
		explore_assert(wp_load_rlx_u32(&p.spots[i].token) == 0);
	}
	wp__parking_fini(&p);
	wp__segqueue_fini(&lane);
}

/* ---- jobs ---- */

static void finish_one(uint32_t of)
{
	if (wp_add_rlx_u32(&finished, 1) + 1 < of)
		return;
	/* Relaxed, as in engine/pool.c: the parking lot hands it over. */
	wp_store_rlx_u32(&must_exit, 1);
	wp__parking_wake_all(&p);
}

static int run_first(void *payload)
{
	uint32_t *at = payload;
	explore_assert(*at == 1);
	wp__latch_wait(&second_ran);
	finish_one(2);
	return 0;
}

static int run_second(void *payload)
{
	uint32_t *at = payload;
	explore_assert(*at == 1);
	wp__latch_set(&second_ran);
	finish_one(2);
	return 0;
}

static int run_only(void *payload)
{
	uint32_t *at = payload;
	explore_assert(*at == 1);
	finish_one(1);
	return 0;
}

static void submit(uint32_t number, wp_job_fn fn)
{
	struct wp_job job = { .fn = fn, .payload = &written[number] };
	written[number] = 1;
	int pushed = wp__segqueue_push(&lane, &job);
	explore_assert(pushed >= 0);
	if (pushed == WP__PUSHED_WAKE && wp__segqueue_disarm_sleep(&lane))
		wp__parking_wake_one(&p);
}

/* ---- the worker ---- */

static void become_active(unsigned i)
{
	while (!wp__parking_is_active(&p, i))
		if (wp__parking_join(&p, i))
			wp__segqueue_disarm_sleep(&lane);
}

static void step_away(unsigned i, bool work_left)
{
	uint64_t idle = wp__parking_leave(&p, i);
	if (wp__idle_active(idle) == 0) {
		if (work_left || !wp__segqueue_arm_sleep(&lane))
			wp__parking_wake_one(&p);
	} else if (!(idle & WP__IDLE_STANDBY) && wp__idle_parked(idle)) {
		wp__parking_appoint(&p);
	}
}

static void look_again(unsigned i)
{
	wp__segqueue_disarm_sleep(&lane);
	become_active(i);
}

/* Returns whether the worker was only woken to park again. */
static bool park_once(unsigned i)
{
	bool nobody_active = wp__parking_park(&p, i);
	bool stay = wp_load_rlx_u32(&must_exit);
	bool work = !stay && nobody_active && !wp__segqueue_arm_sleep(&lane);
	if ((stay || work) && wp__parking_unpark(&p, i)) {
		if (work) {
			look_again(i);
			wp_spin_hint(); /* what is there may not be published yet */
		}
		return false;
	}
	while (!wp__parking_sleep(&p, i)) {
		if (wp__parking_tick(&p, i) && wp__parking_unpark(&p, i)) {
			look_again(i);
			return false;
		}
	}
	return p.spots[i].appointed;
}

static void run_job(unsigned i)
{
	struct wp_job job;
	struct wp__claim claim;
	if (!wp__segqueue_claim(&lane, &job, 1, 1, 1, &claim)) {
		while (park_once(i))
			;
		return;
	}
	step_away(i, claim.more);
	explore_assert(wp_add_rlx_u32(&started[claim.ticket], 1) == 0);
	job.fn(job.payload);
}

static void work(unsigned i)
{
	become_active(i);
	while (!wp_load_rlx_u32(&must_exit)) {
		wp_add_rlx_u64(&p.spots[i].progress, 1);
		if (!wp__parking_is_active(&p, i))
			become_active(i);
		run_job(i);
	}
	wp__parking_leave(&p, i);
}

static void worker_0(void)
{
	work(0);
}

static void worker_1(void)
{
	work(1);
}

/* ---- producers ---- */

static void submit_only(void)
{
	submit(0, run_only);
}

static void submit_first(void)
{
	submit(0, run_first);
}

static void submit_second(void)
{
	submit(1, run_second);
}

static void submit_both(void)
{
	submit_first();
	submit_second();
}

EXPLORE_TEST(parking_lane_1w1p, .setup = setup_lane, .body = { worker_0, submit_only },
	.check = at_rest, .no_leaks = true);

EXPLORE_TEST(parking_lane_2w1p, .setup = setup_lane, .body = { worker_0, worker_1, submit_only },
	.check = at_rest, .no_leaks = true);

EXPLORE_TEST(parking_lane_2w1p_two, .setup = setup_lane,
	.body = { worker_0, worker_1, submit_both }, .check = at_rest, .no_leaks = true);

EXPLORE_TEST(parking_lane_2w2p, .setup = setup_lane,
	.body = { worker_0, worker_1, submit_first, submit_second }, .check = at_rest,
	.no_leaks = true);

/* ---- one that leaves, one that parks: the next submit must find the latter ---- */

static wp_atomic_u32 joined;

/* Active, and then busy with something long: never to look again. */
static void leave_for_good(void)
{
	become_active(0);
	wp_store_rlx_u32(&joined, 1);
	step_away(0, false);
}

/* Comes second, so that the other one may be the last to leave. */
static void worker_1_after(void)
{
	while (!wp_load_rlx_u32(&joined))
		wp_spin_hint();
	work(1);
}

EXPLORE_TEST(parking_lane_leave, .setup = setup_lane,
	.body = { leave_for_good, worker_1_after, submit_only }, .check = at_rest,
	.no_leaks = true);
