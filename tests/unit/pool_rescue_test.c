/* SPDX-License-Identifier: MIT */
/*
 * Jobs that a worker holds behind a long one are run by the other worker although that one waits
 * inside a job: by the handshake of engine/rescue.h, and by nobody else. And a batch is done but
 * for its long job, however long that is.
 */
#include <errno.h>
#include <stdlib.h>

#include "hooks.h"
#include "pool.h"

#define TRIES 200u

struct scene {
	struct wp_pool *pool;
	wp_atomic_u64 counter;
	wp_atomic_u32 waiting; /* a job is about to wait for the long one */
	wp_atomic_u32 enough;  /* the flow of cheap jobs may end */
	uint32_t waiter;       /* the worker of the job that waits */
	/* The long job ran on the other worker, held jobs, and they were taken from it. */
	bool rescued;
	wp_job_fn long_fn; /* what is waited for */
};

/* The worker that runs the long job, if it holds jobs behind it and another one waits; or NULL. */
static struct wp__worker *begin_long_job(struct scene *scene)
{
	unsigned me = wp_job_current()->worker;
	struct wp__worker *w = &scene->pool->workers[me];
	bool held = wp_load_rlx_u32(&w->left) > 0 && me != scene->waiter;
	wp_store_rlx_u32(&scene->enough, 1);
	return held ? w : NULL;
}

/* Long: until the jobs behind it are taken from the worker that holds them. */
static int long_job(void *payload)
{
	struct scene *scene = payload;
	struct wp__worker *w = begin_long_job(scene);
	if (!w)
		return 0;
	/* `left` is its owner's; whoever rescues says so by a bit that the owner takes away. */
	pool_until(wp_load_rlx_u32(&w->interrupt) & WP__RESCUED);
	scene->rescued = true;
	return 0;
}

static int waiting_job(void *payload)
{
	struct scene *scene = payload;
	struct wp_job job = { .fn = scene->long_fn, .payload = scene };
	scene->waiter = wp_job_current()->worker;
	wp_store_rel_u32(&scene->waiting, 1);
	return wp_submit_wait(scene->pool, &job);
}

/* One try: the other worker is in the flow of cheap jobs when the long one comes. */
static void play(struct scene *scene)
{
	wp_store_rlx_u32(&scene->waiting, 0);
	wp_store_rlx_u32(&scene->enough, 0);
	t_assert_int_eq(wp_submit(scene->pool, waiting_job, scene), 0);
	while (!wp_load_rlx_u32(&scene->enough)) {
		struct wp_job jobs[64];
		for (unsigned i = 0; i < 64; i++)
			jobs[i] = (struct wp_job){ .fn = count_fn, .payload = &scene->counter };
		t_assert_int_eq((int)wp_submit_batch(scene->pool, jobs, 64), 64);
	}
	pool_wait(scene->pool);
}

static void play_until_rescued(struct scene *scene)
{
	for (unsigned i = 0; i < TRIES && !scene->rescued; i++) {
		pool_make_cheap(scene->pool, &scene->counter);
		play(scene);
	}
	t_assert(scene->rescued);
	pool_end(scene->pool);
}

T_TEST(pool_rescue, from_inside_a_job)
{
	struct scene scene = { .pool = pool_of(2, 4096, 64), .long_fn = long_job };
	play_until_rescued(&scene);
}

/* A filter on system calls was installed when the pool was there already. */
T_TEST(pool_rescue, membarrier_is_taken_away)
{
	struct scene scene = { .pool = pool_of(2, 4096, 64), .long_fn = long_job };
	wp__fault_arm(WP_FAULT_MEMBARRIER, 1, true, EPERM);
	play_until_rescued(&scene);
}

/* ---- other long jobs come when one is stuck: who is woken to help sees to it first ---- */

static bool is_holding(const struct wp__worker *w)
{
	return wp_load_rlx_u32(&w->left) != 0;
}

static int until_rescued(void *payload)
{
	struct wp__worker *stuck = payload;
	pool_until((wp_load_rlx_u32(&stuck->interrupt) & WP__RESCUED) || !is_holding(stuck));
	return 0;
}

/* The others sleep, one of them as the standby, and this worker counts as one that looks. */
static bool is_watched(struct wp__worker *w)
{
	uint64_t idle = wp__parking_idle(&w->pool->parking);
	return wp__idle_parked(idle) == 2 && (idle & WP__IDLE_STANDBY) &&
	       wp__parking_is_active(&w->pool->parking, w->index);
}

static int long_one_of_three(void *payload)
{
	struct scene *scene = payload;
	struct wp__worker *w = begin_long_job(scene);
	if (!w)
		return 0;
	pool_until(is_watched(w) || (wp_load_rlx_u32(&w->interrupt) & WP__RESCUED));
	/* As many as there are others: who looks at the lane first has no time for a rescue. */
	for (unsigned i = 0; i < 2; i++)
		t_assert_int_eq(wp_submit(scene->pool, until_rescued, w), 0);
	pool_until(wp_load_rlx_u32(&w->interrupt) & WP__RESCUED);
	return 0;
}

T_TEST(pool_rescue, before_long_jobs_that_came_later)
{
	struct scene scene = { .pool = pool_of(3, 4096, 64), .long_fn = long_one_of_three };
	for (unsigned i = 0; i < t_scaled(TRIES); i++) {
		pool_make_cheap(scene.pool, &scene.counter);
		play(&scene);
	}
	pool_end(scene.pool);
}

/* ---- a batch with a long job ---- */

#define SHORT_JOBS 63u

struct company {
	wp_atomic_u64 counter; /* of short jobs, over all rounds */
	uint64_t enough;       /* of which all of this round have run */
};

/* Longer than any round: it ends when the short jobs have run, and they must not wait for it. */
static int job_without_end(void *payload)
{
	const struct company *company = payload;
	pool_until(wp_load_rlx_u64(&company->counter) >= company->enough);
	return 0;
}

static void play_with(struct wp_pool *pool, struct company *company, unsigned place)
{
	struct wp_job jobs[SHORT_JOBS + 1];
	company->enough = wp_load_rlx_u64(&company->counter) + SHORT_JOBS;
	for (unsigned i = 0; i <= SHORT_JOBS; i++)
		jobs[i] = i == place
				  ? (struct wp_job){ .fn = job_without_end, .payload = company }
				  : (struct wp_job){ .fn = count_fn, .payload = &company->counter };
	t_assert_int_eq((int)wp_submit_batch(pool, jobs, SHORT_JOBS + 1), SHORT_JOBS + 1);
	pool_wait(pool);
}

static void play_profile(enum wp_profile profile)
{
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = 2;
	o.profile = profile;
	struct wp_pool *pool = pool_make(&o);
	struct company company = { .enough = 0 };
	for (unsigned round = 0; round < t_scaled(60); round++) {
		if (round % 3)
			pool_make_cheap(pool, &company.counter);
		play_with(pool, &company, round % 2 ? 0 : round % (SHORT_JOBS + 1));
	}
	pool_end(pool);
}

T_TEST(pool_rescue, short_jobs_do_not_wait_for_a_long_one_of_their_batch)
{
	play_profile(WP_PROFILE_BALANCED);
	play_profile(WP_PROFILE_LATENCY);
	play_profile(WP_PROFILE_ECO);
}
