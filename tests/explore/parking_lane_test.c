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

#define JOBS     3u
#define SLACK_NS (WP__STANDBY_NS / 2) /* for what everybody does meanwhile */

static struct wp__parking p;
static struct wp__segqueue lane;
static struct wp__latch second_ran;
static wp_atomic_u32 started[JOBS], finished, must_exit;
static uint32_t written[JOBS]; /* plain: a producer's, then the job's */

static void setup_workers(unsigned workers)
{
	struct wp__segqueue_options o = { .capacity = 4, .segment_size = 4 };
	explore_assert(wp__parking_init(&p, workers) == 0);
	explore_assert(wp__segqueue_init(&lane, &o) == 0);
}

static void setup_lane(void)
{
	setup_workers(2);
}

static void at_rest(void)
{
	explore_assert(wp__parking_idle(&p) == 0);
	explore_assert(wp_load_rlx_u64(&p.parked[0]) == 0);
	explore_assert(wp__segqueue_depth(&lane) == 0);
	for (unsigned i = 0; i < p.workers; i++) {
		explore_assert(wp_load_rlx_u32(&p.spots[i].active) == 0);
		explore_assert(wp_load_rlx_u32(&p.spots[i].token) == 0);
	}
	wp__parking_fini(&p);
	wp__segqueue_fini(&lane);
}

/* ---- forms that are broken on purpose ---- */

/* What is left out in the broken form of a test. */
enum fault { NOTHING, NOBODY_STANDS_BY, NO_TIMER, ROLE_IS_LOST };

static enum fault fault;

static bool is_broken(enum fault f)
{
	return fault == f && explore_variant();
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

/* ---- jobs that only end when the last one has run ---- */

static uint32_t jobs_in_all;
static bool in_time; /* the last one must not wait longer than two looks of a standby */
static uint64_t last_came;

/* Believed to be short, wrongly. */
static int run_short(void *payload)
{
	(void)payload;
	wp__latch_wait(&second_ran);
	finish_one(jobs_in_all);
	return 0;
}

/* The same, but nobody believes that. */
static int run_long(void *payload)
{
	return run_short(payload);
}

static int run_last(void *payload)
{
	(void)payload;
	if (in_time)
		explore_assert(wp__os_now_ns() - last_came <= 2 * WP__STANDBY_NS + SLACK_NS);
	wp__latch_set(&second_ran);
	finish_one(jobs_in_all);
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
	} else if (!(idle & WP__IDLE_STANDBY) && wp__idle_parked(idle) &&
		   !is_broken(ROLE_IS_LOST)) {
		wp__parking_appoint(&p);
	}
}

/* The job is believed to be short: the worker stays active, and somebody has to watch over it. */
static void see_to_standby(void)
{
	uint64_t idle = wp__parking_idle(&p);
	if (!(idle & WP__IDLE_STANDBY) && wp__idle_parked(idle) && !is_broken(NOBODY_STANDS_BY))
		wp__parking_appoint(&p);
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
	if (job.fn == run_short)
		see_to_standby();
	else
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

/*
 * ---- one stands by with a timed wait while the others sleep ----
 *
 * The worker that runs the first job is believed to be back soon, and is not. The lane is not
 * armed, so nobody is woken for the jobs behind: the standby has to find out.
 */

static void worker_2(void)
{
	work(2);
}

static void setup_two(enum fault f)
{
	fault = f;
	jobs_in_all = 2;
	in_time = f == NO_TIMER;
	setup_workers(2);
	if (is_broken(NO_TIMER))
		p.standby_ns = 1000 * WP__STANDBY_NS;
}

static void setup_unwatched(void)
{
	setup_two(NOBODY_STANDS_BY);
}

static void setup_in_time(void)
{
	setup_two(NO_TIMER);
}

static void submit_short_and_last(void)
{
	submit(0, run_short);
	last_came = wp__os_now_ns();
	submit(1, run_last);
}

EXPLORE_TEST(parking_lane_watched, .setup = setup_unwatched,
	.body = { worker_0, worker_1, submit_short_and_last }, .check = at_rest, .no_leaks = true,
	.has_bug = true, .bug_says = "deadlock");

/*
 * Deadlines pass only when nobody can run: then what the last job waited for is somebody's timer.
 * Old stores are not read: how soon a store is seen is a matter of the machine, and each look at an
 * old count of progress costs one more look.
 */
EXPLORE_TEST(parking_lane_watched_in_time, .setup = setup_in_time,
	.body = { worker_0, worker_1, submit_short_and_last }, .check = at_rest, .no_leaks = true,
	.timeouts = -1, .stale = -1, .has_bug = true, .bug_says = "last_came");

/* The standby is woken and leaves for something long: the third one has to take over its role. */
static void setup_handed_on(void)
{
	fault = ROLE_IS_LOST;
	jobs_in_all = 3;
	setup_workers(3);
}

static void submit_short_long_last(void)
{
	submit(0, run_short);
	submit(1, run_long);
	submit(2, run_last);
}

static void wake_somebody(void)
{
	wp__parking_wake_one(&p);
}

EXPLORE_TEST(parking_lane_watch_handed_on, .setup = setup_handed_on,
	.body = { worker_0, worker_1, worker_2, submit_short_long_last, wake_somebody },
	.check = at_rest, .no_leaks = true, .has_bug = true, .bug_says = "deadlock");
