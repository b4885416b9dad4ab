/* SPDX-License-Identifier: MIT */
/*
 * The parking lot under load: workers that do nothing but the protocol, on a lane of two words.
 * After each round all of them must have gone to sleep, and the counts must be what they were.
 */
#include "park/parking.h"

#include <string.h>

#include "base/os.h"
#include "base/rng.h"
#include "crew.h"
#include "hooks.h"
#include "patience.h"
#include "t.h"

#define SLEEP UINT64_C(1)
#define ONE   UINT64_C(2)

struct lot {
	struct wp__parking parking;
	wp_atomic_u64 tail; /* tickets and SLEEP, as in the segmented queue */
	wp_atomic_u64 head;
	wp_atomic_u32 exit;
	unsigned workers, producers, per_round;
	uint64_t rounds;
	wp_atomic_u64 next_round;
};

static bool arm(struct lot *lot)
{
	uint64_t tail = wp_or_ar_u64(&lot->tail, SLEEP);
	return (tail & ~SLEEP) == wp_load_acq_u64(&lot->head);
}

static bool disarm(struct lot *lot)
{
	return wp_and_ar_u64(&lot->tail, ~SLEEP) & SLEEP;
}

static void submit(struct lot *lot)
{
	if ((wp_add_ar_u64(&lot->tail, ONE) & SLEEP) && disarm(lot))
		wp__parking_wake_one(&lot->parking);
}

static bool take(struct lot *lot)
{
	uint64_t head = wp_load_acq_u64(&lot->head);
	while (head != (wp_load_acq_u64(&lot->tail) & ~SLEEP))
		if (wp_cas_weak_ar_u64(&lot->head, &head, head + ONE))
			return true;
	return false;
}

static bool any_left(struct lot *lot)
{
	return wp_load_acq_u64(&lot->head) != (wp_load_acq_u64(&lot->tail) & ~SLEEP);
}

/* As if the scheduler had taken the processor away, for longer than a standby has patience. */
static void be_preempted(struct wp__rng *rng)
{
	if (wp__rng_below(rng, 100) == 0)
		wp__os_sleep(3 * WP__STANDBY_NS);
}

/* Declared away before it disarmed, it would take away what others have armed since: once more. */
static void come_back(struct lot *lot, unsigned me, struct wp__rng *rng)
{
	while (!wp__parking_is_active(&lot->parking, me)) {
		bool first = wp__parking_join(&lot->parking, me);
		be_preempted(rng);
		if (first)
			disarm(lot);
	}
}

static void step_away(struct lot *lot, unsigned me)
{
	uint64_t idle = wp__parking_leave(&lot->parking, me);
	bool wake = any_left(lot);
	if (wp__idle_active(idle) == 0)
		wake |= !arm(lot);
	else
		wake |= !(idle & WP__IDLE_STANDBY);
	if (wake)
		wp__parking_wake_one(&lot->parking);
}

static void go_to_sleep(struct lot *lot, unsigned me, struct wp__rng *rng)
{
	struct wp__parking *p = &lot->parking;
	be_preempted(rng);
	bool last = wp__parking_park(p, me);
	if (wp_load_rlx_u32(&lot->exit) || (last && !arm(lot))) {
		if (wp__parking_unpark(p, me)) {
			disarm(lot);
			return;
		}
	}
	while (!wp__parking_sleep(p, me)) {
		if (wp__parking_tick(p, me) && wp__parking_unpark(p, me)) {
			disarm(lot);
			return;
		}
	}
}

/* Runs a job: away or not, quick or slow; now and then so slow that a standby notices. */
static void run_job(struct lot *lot, unsigned me, struct wp__rng *rng)
{
	uint64_t dice = wp__rng_below(rng, 64);
	if (dice < 32)
		step_away(lot, me);
	if (dice % 32 == 0)
		wp__os_sleep(3000000);
	else if (dice % 4 == 0)
		wp__os_yield();
}

static void work(struct lot *lot, unsigned me)
{
	struct wp__rng rng = { me };
	for (unsigned looks = 0;;) {
		wp_add_rlx_u64(&lot->parking.spots[me].progress, 1);
		come_back(lot, me, &rng);
		if (take(lot)) {
			run_job(lot, me, &rng);
			looks = 0;
		} else if (wp_load_rlx_u32(&lot->exit)) {
			break;
		} else if (++looks > wp__rng_below(&rng, 8)) {
			go_to_sleep(lot, me, &rng);
		}
	}
	wp__parking_leave(&lot->parking, me);
}

/* Every count is back, and the next submit will wake somebody. */
static bool all_asleep(struct lot *lot)
{
	return wp__parking_idle(&lot->parking) == lot->workers * WP__IDLE_PARKED_ONE &&
	       (wp_load_rlx_u64(&lot->tail) & SLEEP);
}

static void await_sleep(struct lot *lot)
{
	struct patience patience = { 0 };
	while (any_left(lot) || !all_asleep(lot)) {
		t_assert_msg(!patience_ends(&patience), "idle %#llx, tail %llu, head %llu",
			(unsigned long long)wp__parking_idle(&lot->parking),
			(unsigned long long)wp_load_rlx_u64(&lot->tail),
			(unsigned long long)wp_load_rlx_u64(&lot->head));
		wp__os_sleep(20000);
	}
	for (unsigned i = 0; i < lot->workers; i++)
		t_assert_u64_eq(wp_load_rlx_u32(&lot->parking.spots[i].active), 0);
}

static void produce(struct lot *lot, unsigned me)
{
	struct wp__rng rng = { 1000 + me };
	for (uint64_t r = 0; r < lot->rounds; r++) {
		uint64_t n = wp__rng_below(&rng, lot->per_round) + 1;
		for (uint64_t i = 0; i < n; i++) {
			submit(lot);
			uint64_t dice = wp__rng_below(&rng, 16);
			if (dice == 0)
				wp__os_sleep(wp__rng_below(&rng, 200000));
			else if (dice < 4)
				wp__os_yield();
		}
		/*
		 * The first producer checks the sleep between two rounds, the others wait for
		 * it.
		 */
		wp_add_ar_u64(&lot->next_round, 1);
		uint64_t all = (r + 1) * (lot->producers + 1);
		if (me == 0) {
			while (wp_load_acq_u64(&lot->next_round) < all - 1)
				wp__os_sleep(20000);
			await_sleep(lot);
			wp_add_ar_u64(&lot->next_round, 1);
		}
		while (wp_load_acq_u64(&lot->next_round) < all)
			wp__os_sleep(20000);
	}
	if (me == 0) {
		wp_store_rlx_u32(&lot->exit, 1);
		wp__parking_wake_all(&lot->parking);
	}
}

static void take_part(void *arg, unsigned me)
{
	struct lot *lot = arg;
	if (me < lot->producers)
		produce(lot, me);
	else
		work(lot, me - lot->producers);
}

static void torture(unsigned workers, unsigned producers, uint64_t rounds, unsigned per_round)
{
	static struct lot lot;
	memset(&lot, 0, sizeof(lot));
	t_assert_int_eq(wp__parking_init(&lot.parking, workers), 0);
	lot.workers = workers;
	lot.producers = producers;
	lot.rounds = t_scaled(rounds);
	lot.per_round = per_round;
	struct crew crew;
	crew_start(&crew, workers + producers, take_part, &lot);
	crew_join(&crew);
	t_assert(!any_left(&lot));
	t_assert_u64_eq(wp__parking_idle(&lot.parking), 0);
	for (unsigned w = 0; w * 64 < workers; w++)
		t_assert_u64_eq(wp_load_rlx_u64(&lot.parking.parked[w]), 0);
	wp__parking_fini(&lot.parking);
}

T_TEST(parking_torture, one_worker)
{
	torture(1, 2, 1000, 8);
}

T_TEST(parking_torture, few_workers)
{
	torture(2, 1, 1000, 8);
	torture(3, 2, 1000, 8);
}

T_TEST(parking_torture, many_workers)
{
	torture(16, 3, 300, 40);
}

T_TEST(parking_torture, one_worker_under_chaos)
{
	wp__chaos(1, 200, 20);
	torture(1, 2, 1000, 8);
}

T_TEST(parking_torture, few_workers_under_chaos)
{
	for (uint64_t seed = 0; seed < 4; seed++) {
		wp__chaos(seed, 200, 20);
		torture(2 + (unsigned)seed, 2, 300, 8);
	}
}

T_TEST(parking_torture, many_workers_under_chaos)
{
	wp__chaos(9, 200, 20);
	torture(16, 3, 200, 40);
}
