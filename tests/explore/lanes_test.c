/* SPDX-License-Identifier: MIT */
/*
 * Producers' lanes: workers that are nothing but the sleep handshake of engine/worker.c, and lanes
 * that are put to sleep, woken, opened and closed meanwhile. No job may be left while all workers
 * sleep; whoever sleeps for ever is a deadlock. Each test exists twice: where the worker's
 * membarrier executes the producer's fence, and where there is none.
 */
#include "engine/lanes.h"

#include <string.h>

#include <wpool/wpool.h>

#include "base/rcu.h"
#include "engine/producer.h"
#include "explore.h"

#define WORKERS 2u
#define JOBS    3u

static struct wp_pool pool;
static struct wp__worker workers[WORKERS];
static struct wp_producer *producers[2];
static wp_atomic_u32 ran[JOBS], accepted, finished, expected, must_exit;
static uint32_t written[JOBS]; /* plain: the producer's, then the job's */

static void make(bool light, unsigned opened, uint32_t jobs)
{
	struct wp__segqueue_options o = { .capacity = 4, .segment_size = 2 };
	pool.options.size = sizeof(pool.options);
	wp_options_fill_defaults(&pool.options);
	pool.options.workers = WORKERS;
	pool.options.segment_size = 2;
	pool.options.producer_capacity = 4;
	pool.metrics = wp_metrics_noop;
	pool.ticks_per_1024ns = 1024;
	pool.has_membarrier = light;
	pool.workers = workers;
	wp__os_mutex_init(&pool.mutex);
	explore_assert(wp__segqueue_init(&pool.lane, &o) == 0);
	explore_assert(wp__parking_init(&pool.parking, WORKERS) == 0);
	explore_assert(wp__lanes_init(&pool) == 0);
	for (unsigned i = 0; i < WORKERS; i++) {
		workers[i].pool = &pool;
		workers[i].index = i;
	}
	for (unsigned i = 0; i < opened; i++)
		explore_assert(wp_producer_open(&producers[i], &pool) == 0);
	wp_store_rlx_u32(&expected, jobs);
}

static struct wp__lane_sums sums(void)
{
	wp__os_mutex_lock(&pool.mutex);
	struct wp__lane_sums s = wp__lanes_sum(&pool);
	wp__os_mutex_unlock(&pool.mutex);
	return s;
}

static void end(void)
{
	explore_assert(wp__parking_idle(&pool.parking) == 0);
	explore_assert(sums().accepted == wp_load_rlx_u32(&accepted));
	explore_assert(sums().claimed == wp_load_rlx_u32(&accepted));
	explore_assert(wp_load_rlx_u32(&finished) == wp_load_rlx_u32(&accepted));
	for (unsigned i = 0; i < 2; i++)
		wp_producer_close(producers[i]);
	wp__parking_fini(&pool.parking);
	wp__lanes_fini(&pool);
	wp__segqueue_fini(&pool.lane);
	wp__os_mutex_destroy(&pool.mutex);
}

/* TEST(name, producers open at first, jobs that end it, bodies...) */
#define TEST(name, opened, jobs, ...)                                                            \
	static void name##_light(void)                                                           \
	{                                                                                        \
		make(true, opened, jobs);                                                        \
	}                                                                                        \
	static void name##_fence(void)                                                           \
	{                                                                                        \
		make(false, opened, jobs);                                                       \
	}                                                                                        \
	EXPLORE_TEST(lanes_##name, .setup = name##_light, .body = { __VA_ARGS__ }, .check = end, \
		.no_leaks = true);                                                               \
	EXPLORE_TEST(lanes_fence_##name, .setup = name##_fence, .body = { __VA_ARGS__ },         \
		.check = end, .no_leaks = true)

/* ---- jobs ---- */

static void let_workers_end(void)
{
	/* Relaxed, as in engine/pool.c: the parking lot hands it over. */
	wp_store_rlx_u32(&must_exit, 1);
	wp__parking_wake_all(&pool.parking);
}

static int run(void *payload)
{
	uint32_t *at = payload;
	explore_assert(*at == 1);
	explore_assert(wp_add_rlx_u32(&ran[at - written], 1) == 0);
	if (wp_add_rlx_u32(&finished, 1) + 1 == wp_load_rlx_u32(&expected))
		let_workers_end();
	return 0;
}

static bool submit_by(struct wp_producer *p, uint32_t number)
{
	struct wp_job job = { .fn = run, .payload = &written[number] };
	written[number] = 1;
	int error = p ? wp_producer_submit_job(p, &job) : wp_submit_job(&pool, &job);
	explore_assert(error == 0 || error == WP_ECLOSED);
	wp_add_rlx_u32(&accepted, error == 0);
	return error == 0;
}

static void submit_2_by_0(void)
{
	explore_assert(submit_by(producers[0], 0) && submit_by(producers[0], 1));
}

static void submit_1_by_0(void)
{
	explore_assert(submit_by(producers[0], 0));
}

static void submit_1_by_1(void)
{
	explore_assert(submit_by(producers[1], 1));
}

static void submit_1_shared(void)
{
	explore_assert(submit_by(NULL, 1));
}

/* ---- workers ---- */

static void look_again(unsigned i)
{
	wp__lanes_disarm(&pool);
	while (!wp__parking_is_active(&pool.parking, i))
		if (wp__parking_join(&pool.parking, i))
			wp__lanes_disarm(&pool);
}

/* As in engine/worker.c. Returns whether the worker was only woken to park again. */
static bool park_once(unsigned i)
{
	struct wp__parking *p = &pool.parking;
	bool nobody_active = wp__parking_park(p, i);
	bool stay = wp_load_rlx_u32(&must_exit);
	bool work = !stay && nobody_active && !wp__lanes_arm(&pool);
	if ((stay || work) && wp__parking_unpark(p, i)) {
		if (work) {
			look_again(i);
			wp_spin_hint(); /* what is there may not be published yet */
		}
		return false;
	}
	while (!wp__parking_sleep(p, i)) {
		if (wp__parking_tick(p, i) && wp__parking_unpark(p, i)) {
			look_again(i);
			return false;
		}
	}
	return p->spots[i].appointed;
}

static void serve(unsigned i)
{
	struct wp__claim claim;
	struct wp_job job;
	wp__rcu_register();
	if (wp__parking_join(&pool.parking, i))
		wp__lanes_disarm(&pool);
	for (;;) {
		if (wp__lanes_claim(&workers[i], &job, 1, 1, &claim)) {
			job.fn(job.payload);
			continue;
		}
		if (wp_load_rlx_u32(&must_exit))
			break;
		while (park_once(i))
			;
	}
	wp__parking_leave(&pool.parking, i);
	wp__rcu_unregister();
}

static void worker_0(void)
{
	serve(0);
}

static void worker_1(void)
{
	serve(1);
}

/* ---- sleep ---- */

TEST(sleep, 1, 2, worker_0, submit_2_by_0);
TEST(sleep_2w, 1, 2, worker_0, worker_1, submit_2_by_0);
TEST(two, 2, 2, worker_0, submit_1_by_0, submit_1_by_1);
TEST(two_2w, 2, 2, worker_0, worker_1, submit_1_by_0, submit_1_by_1);
TEST(and_shared, 1, 2, worker_0, submit_1_by_0, submit_1_shared);

/* Somebody else looks, puts lanes to sleep and finds that there is work, as step_away does. */
static void arms(void)
{
	if (!wp__lanes_arm(&pool))
		wp__parking_wake_one(&pool.parking);
}

TEST(armed_by_others, 1, 2, worker_0, arms, submit_2_by_0);

/* ---- open ---- */

static void open_and_submit(unsigned which)
{
	explore_assert(wp_producer_open(&producers[which], &pool) == 0);
	explore_assert(submit_by(producers[which], which));
}

static void open_0(void)
{
	open_and_submit(0);
}

static void open_1(void)
{
	open_and_submit(1);
}

/* The table has room for the shared lane only: the first and the second opening replace it. */
TEST(open, 0, 1, worker_0, open_0);
TEST(open_two, 0, 2, worker_0, open_0, open_1);
TEST(open_2w, 0, 1, worker_0, worker_1, open_0);

/* The lane of one that closes, with what is in it, goes to the next. */
static void submit_and_hand_on(void)
{
	struct wp_producer *p;
	explore_assert(wp_producer_open(&p, &pool) == 0);
	explore_assert(submit_by(p, 0));
	wp_producer_close(p);
	explore_assert(wp_producer_open(&p, &pool) == 0);
	explore_assert(submit_by(p, 1));
	wp_producer_close(p);
}

TEST(hand_on, 0, 2, worker_0, submit_and_hand_on);

/* Hands its lane to whoever opens, before or after. */
static void submit_and_close(uint32_t number)
{
	struct wp_producer *p;
	explore_assert(wp_producer_open(&p, &pool) == 0);
	explore_assert(submit_by(p, number));
	wp_producer_close(p);
}

static void open_close_0(void)
{
	submit_and_close(0);
}

static void open_close_1(void)
{
	submit_and_close(1);
}

TEST(hand_over, 0, 2, worker_0, open_close_0, open_close_1);

/* ---- close ---- */

static void submit_until_closed(void)
{
	(void)(submit_by(producers[0], 0) && submit_by(producers[0], 1));
}

static void open_or_closed(void)
{
	int error = wp_producer_open(&producers[1], &pool);
	explore_assert(error == 0 || error == WP_ECLOSED);
	if (error == 0)
		(void)submit_by(producers[1], 2);
}

/* What was accepted by then is all there will be: `accepted` counts, and workers end after it. */
static void close_all(void)
{
	wp__lanes_close(&pool);
	uint64_t jobs = sums().accepted;
	while (wp_load_rlx_u32(&finished) < jobs)
		wp_spin_hint();
	explore_assert(sums().accepted == jobs);
	let_workers_end();
}

TEST(close, 1, 99, worker_0, submit_until_closed, close_all);
TEST(close_2w, 1, 99, worker_0, worker_1, submit_until_closed, close_all);
TEST(close_open, 1, 99, worker_0, submit_until_closed, open_or_closed, close_all);

/* Who has found the pool closed is refused, by its own lane, too. */
static void submit_after_close(void)
{
	if (wp_pool_is_closed(&pool))
		explore_assert(!submit_by(producers[0], 0));
}

TEST(close_told, 1, 99, worker_0, submit_after_close, close_all);
