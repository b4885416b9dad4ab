/* SPDX-License-Identifier: MIT */
#include "engine/worker.h"

#include <limits.h>

#include "base/hooks.h"
#include "base/rcu.h"
#include "engine/fork.h"
#include "engine/lanes.h"
#include "engine/rescue.h"
#include "engine/run.h"
#include "engine/timing.h"
#include "park/latch.h"

/* Jobs that come further apart than this are not worth waiting for more of them. */
#define RATE_FOR_PACING_NS  200
/* The same for pauses in which the worker sleeps: so many must come in one, or it parks instead. */
#define JOBS_PER_DOZE       4
/* Claims in a row before a worker believes that jobs are flowing. */
#define STREAK_FOR_FLOW     8
/* A dry spell that ends a streak. */
#define DRY_ENDS_STREAK_NS  10000
/* Claims in a row that left nothing behind before one of several active workers is too many. */
#define CALM_TO_STAND_DOWN  8
#define VETERAN_STREAK      64
/* How long claims leave work behind before another worker is woken for cheap jobs. */
#define BEHIND_NS           50000
/* Dry looks between two yields: a woken worker often shares its CPU with whoever woke it. */
#define LOOKS_PER_YIELD     16
/* A worker that is not the last one active searches only this part of spin_ns. */
#define SPIN_PART_OF_OTHERS 8
/* Yields before naps, and the nap, when work is there but not published yet. */
#define STALL_YIELDS        16
#define STALL_NAP_NS        50000

/* ---- wake-ups ---- */

void wp__worker_wake_for(struct wp_pool *pool, struct wp__segqueue *lane)
{
	if (wp__segqueue_disarm_sleep(lane))
		wp__parking_wake_one(&pool->parking);
}

/* ---- active or not ---- */

static void become_active(struct wp__worker *w)
{
	do {
		if (wp__parking_join(&w->pool->parking, w->index))
			wp__lanes_disarm(w->pool);
		/* Declared away in between: then the standby armed the lanes, and [P2] undid it. */
	} while (!wp__parking_is_active(&w->pool->parking, w->index));
}

static void back_to_looking(struct wp__worker *w)
{
	if (!wp__parking_is_active(&w->pool->parking, w->index))
		become_active(w);
}

/* Parked and unparked by itself, because there may be work. */
static void look_after_all(struct wp__worker *w)
{
	wp__lanes_disarm(w->pool);
	back_to_looking(w);
}

/* Somebody has to watch over a worker that may be wrong, or holds jobs. The worker is active. */
static void see_to_standby(struct wp__worker *w)
{
	struct wp_pool *pool = w->pool;
	uint64_t idle = wp__parking_idle(&pool->parking);
	if ((idle & WP__IDLE_STANDBY) || !wp__idle_parked(idle))
		return;
	/* Whoever was appointed a moment ago may be on its way. */
	uint64_t now = wp__os_ticks();
	if (now - w->appointed_at < wp__ns_to_ticks(pool, BEHIND_NS))
		return;
	w->appointed_at = now;
	wp__parking_appoint(&pool->parking);
}

/* Not active from now on; the duty of the last, and of whoever leaves others without a standby. */
static void leave_watch(struct wp__worker *w, bool work_left)
{
	struct wp_pool *pool = w->pool;
	uint64_t idle = wp__parking_leave(&pool->parking, w->index);
	if (wp__idle_active(idle) == 0) {
		/* Work that is left concerns those who look; others only if nobody does. */
		if (work_left || !wp__lanes_arm(pool))
			wp__parking_wake_one(&pool->parking);
	} else if (!(idle & WP__IDLE_STANDBY) && wp__idle_parked(idle)) {
		wp__parking_appoint(&pool->parking);
	}
	wp__lanes_offer_room(pool);
}

void wp__worker_step_away(struct wp__worker *w, bool work_left)
{
	if (w->stuck) /* a rescue that this worker cannot make any more */
		wp__parking_wake_to_help(&w->pool->parking, WP__PARKING_MAX);
	w->stuck = NULL;
	if (wp_load_rlx_u32(&w->left)) {
		/* Who holds jobs stays active, so that a standby comes to look after them. */
		back_to_looking(w);
		see_to_standby(w);
		wp__lanes_offer_room(w->pool);
		if (work_left)
			wp__parking_wake_one(&w->pool->parking);
	} else {
		leave_watch(w, work_left);
	}
}

/* See "handing over the watch" in the header. */
static void hand_over(struct wp__worker *w, const struct wp__claim *claim, uint64_t now)
{
	struct wp_pool *pool = w->pool;
	if (pool->options.workers == 1)
		return;
	struct wp__parking *parking = &pool->parking;
	uint64_t idle = wp__parking_idle(parking);
	bool parked = wp__idle_parked(idle) != 0;
	if (!claim->more)
		w->behind_since = 0;
	else if (!w->behind_since)
		w->behind_since = now;
	bool cheap = w->streak >= STREAK_FOR_FLOW && w->cost <= pool->batch_ticks;
	if (cheap || claim->count > 1) {
		bool behind =
			w->behind_since && now - w->behind_since > wp__ns_to_ticks(pool, BEHIND_NS);
		if (parked && behind) {
			wp__parking_wake_one(parking);
			w->behind_since = now;
		}
		see_to_standby(w);
		return;
	}
	leave_watch(w, claim->more);
}

/* ---- sleeping ---- */

/* Work is there. If it still cannot be taken at the second try, its producer has to run first. */
static void stall(struct wp__worker *w)
{
	if (w->stalls++ == 0)
		return;
	if (w->stalls < STALL_YIELDS)
		wp__os_yield();
	else
		wp__os_sleep(STALL_NAP_NS);
}

/* A worker that holds jobs it has not started and does not get on with them, or NULL. */
static struct wp__worker *find_stuck(struct wp__worker *w)
{
	struct wp__worker *stuck = NULL;
	wp__rcu_read_lock();
	const struct wp__table *table = wp_load_acq_ptr(&w->pool->table); /* [T1] acq: as above */
	for (unsigned i = 0; i < table->worker_count && !stuck; i++) {
		struct wp__worker *v = table->workers[i];
		/* Declared away: who holds jobs is active otherwise. */
		if (v != w && wp__rescue_is_wanted(v) &&
			!wp__parking_is_active(&w->pool->parking, v->index))
			stuck = v;
	}
	wp__rcu_read_unlock();
	return stuck;
}

/*
 * Sleeps until woken, or until this worker as the standby has to look. The worker is parked. It may
 * come back with a rescue to make; in a job it leaves that to others, if there are any.
 */
static void sleep_parked(struct wp__worker *w)
{
	struct wp__parking *parking = &w->pool->parking;
	wp__count(&w->parks, 1);
	while (!wp__parking_sleep(parking, w->index)) {
		bool look = wp__parking_tick(parking, w->index);
		w->stuck = find_stuck(w);
		if (w->stuck && w->running && wp__parking_wake_to_help(parking, w->index))
			w->stuck = NULL;
		if ((look || w->stuck) && wp__parking_unpark(parking, w->index)) {
			look_after_all(w);
			return;
		}
		wp__lanes_offer_room(w->pool);
	}
	wp__count(&w->wakes, 1);
	/* Not after a look at the lanes: what comes from there may take long. */
	if (parking->spots[w->index].to_help)
		w->stuck = find_stuck(w);
}

static bool must_exit(const struct wp__worker *w)
{
	return wp_load_rlx_u32(&w->pool->exit);
}

/* Tells those who wait until the pool is at rest, if a job of this worker is over since. */
static void tell_rest(struct wp__worker *w)
{
	if (!w->ran)
		return;
	w->ran = false;
	wp__ec_notify(&w->pool->rest);
}

/* One park; returns whether the worker was only woken to park again. */
static bool park_once(struct wp__worker *w)
{
	struct wp__parking *parking = &w->pool->parking;
	bool nobody_active = wp__parking_park(parking, w->index);
	/* Relaxed: set before [K5], so seen after [K4], or the wake-up finds this worker's bit. */
	bool stay = must_exit(w);
	bool work = !stay && nobody_active && !wp__lanes_arm(w->pool);
	if ((stay || work) && wp__parking_unpark(parking, w->index)) {
		if (work) {
			look_after_all(w);
			stall(w);
		}
		return false;
	}
	sleep_parked(w);
	w->dry_since = 0;
	w->streak = 0;
	w->calm = 0;
	w->appointed_at = 0; /* whoever it appointed may have been woken, too */
	return parking->spots[w->index].appointed;
}

static void park(struct wp__worker *w)
{
	tell_rest(w);
	w->stuck = find_stuck(w);
	while (!w->stuck && park_once(w))
		;
}

/* ---- claims ---- */

static uint32_t batch_cap(const struct wp__worker *w)
{
	/* Out of the blue: nobody stands by yet to rescue what is not started. */
	if (w->streak < STREAK_FOR_FLOW && w->pool->options.workers > 1)
		return 1;
	uint64_t by_cost = w->pool->batch_ticks / (w->cost + 1);
	return (uint32_t)wp_max_u64(1, wp_min_u64(by_cost, w->pool->options.batch_max));
}

/* Cheap jobs are not worth sharing: a full batch of them is done within batch_ns. */
static uint32_t batch_share(const struct wp__worker *w)
{
	if (w->cost * w->pool->options.batch_max <= w->pool->batch_ticks)
		return 1;
	return wp__idle_active(wp__parking_idle(&w->pool->parking));
}

/* By what has passed: where the clock jumps back the pause ends, instead of lasting as long. */
static void pause_since(uint64_t claimed, uint64_t gap)
{
	while (wp__os_ticks() - claimed < gap)
		wp_spin_hint();
}

/*
 * So many jobs should come in a pause: a little less than a batch, and at most half of what there
 * is room for, or a producer would have to wait for the end of the pause.
 */
static uint64_t worth_a_doze(const struct wp_options *o)
{
	uint64_t batch = o->batch_max - o->batch_max / 8;
	uint64_t room = wp_min_u64(o->capacity, o->producer_capacity) / 2;
	return wp_max_u64(1, wp_min_u64(batch, room));
}

/*
 * As pace, where pauses may be long. How far apart jobs come is taken over all that one pause
 * brought; a dry spell or a park in between does not matter, because both are short against it.
 */
static WP_COLD void doze(struct wp__worker *w, const struct wp__claim *claim, uint64_t claimed)
{
	struct wp_pool *pool = w->pool;
	w->streak++;
	w->flow_jobs += claim->count;
	if (claim->more || w->mid_round)
		return;
	uint64_t apart = (claimed - w->flow_since) / w->flow_jobs;
	w->flow_since = claimed;
	w->flow_jobs = 0;
	if (apart > pool->gap_ticks / JOBS_PER_DOZE) {
		w->gap = 0;
		return;
	}
	uint64_t wanted = wp_min_u64(apart * worth_a_doze(&pool->options), pool->gap_ticks);
	w->gap = (w->gap + wanted) / 2;
	uint64_t passed = wp__os_ticks() - claimed;
	uint64_t left = w->gap - wp_min_u64(w->gap, passed);
	if (left < wp__ns_to_ticks(pool, WP__DOZE_NS)) {
		pause_since(claimed, w->gap);
		return;
	}
	tell_rest(w);
	wp__os_sleep(wp__ticks_to_ns(pool, left));
}

/* Sets the pause by how far apart jobs come, and makes it. */
static void pace(struct wp__worker *w, const struct wp__claim *claim, uint64_t claimed)
{
	struct wp_pool *pool = w->pool;
	if (wp_unlikely(pool->dozes)) {
		doze(w, claim, claimed);
		return;
	}
	uint64_t apart = (claimed - w->last_claim) / claim->count;
	w->last_claim = claimed;
	w->streak++;
	if (w->streak == 1 || apart > wp__ns_to_ticks(pool, RATE_FOR_PACING_NS)) {
		w->gap = 0;
		return;
	}
	if (claim->more || w->mid_round)
		return;
	/* A little less than a batch: what is left over would have to be fetched by itself. */
	uint64_t wanted = pool->options.batch_max - pool->options.batch_max / 8;
	w->gap = (w->gap + wp_min_u64(apart * wanted, pool->gap_ticks)) / 2;
	/* From the claim on: more jobs have come while these ran. */
	pause_since(claimed, w->gap);
}

/* See "one active worker is enough" in the header. */
static bool is_one_too_many(struct wp__worker *w, const struct wp__claim *claim)
{
	struct wp_pool *pool = w->pool;
	if (w->mid_round)
		return false;
	bool alone = wp__idle_active(wp__parking_idle(&pool->parking)) <= 1;
	if (alone || claim->more || w->cost * claim->count > pool->batch_ticks) {
		w->calm = 0;
		return false;
	}
	/* He who came last goes first: the other is in the flow of jobs, with no hand-over. */
	unsigned enough = w->streak > VETERAN_STREAK ? 4 * CALM_TO_STAND_DOWN : CALM_TO_STAND_DOWN;
	return ++w->calm >= enough;
}

/*
 * Rises fast and falls slowly: to believe costly jobs cheap is the worse mistake, and one in 100
 * that is long must not be forgotten before the next one comes.
 */
static void learn_cost(struct wp__worker *w, uint64_t cost)
{
	if (cost > w->cost)
		w->cost += (cost - w->cost) / 2;
	else
		w->cost -= (w->cost - cost + 63) / 64;
}

static void handle_claim(struct wp__worker *w, const struct wp__claim *claim)
{
	uint64_t claimed = wp__os_ticks();
	w->dry_since = 0;
	w->ran = true;
	wp__rescue_offer(w, claim->count, claim->ticket);
	hand_over(w, claim, claimed);
	uint64_t start = wp__os_ticks();
	if (wp_unlikely(w->timing != NULL))
		wp__timing_batch_begins(w, start);
	wp__run_batch(w);
	uint64_t ticks = wp__os_ticks() - start;
	wp__count(&w->busy_ticks, ticks);
	learn_cost(w, ticks / claim->count);
	back_to_looking(w);
	pace(w, claim, claimed);
	if (is_one_too_many(w, claim) && !w->dying)
		park(w);
}

/* Takes over what a stuck worker holds, as if it had been claimed in a flow of jobs. */
static WP_COLD void rescue(struct wp__worker *w)
{
	struct wp__claim claim = { .more = false };
	claim.count = wp__rescue_take(w->stuck, w->batch, wp__timing_stamps(w), &claim.ticket);
	w->stuck = NULL;
	if (!claim.count)
		return;
	wp__count(&w->rescues, 1);
	w->appointed_at = 0; /* it needs a standby of its own now */
	handle_claim(w, &claim);
}

/* ---- nothing there ---- */

/* The last look found nothing. */
static void search(struct wp__worker *w)
{
	struct wp_pool *pool = w->pool;
	uint64_t now = wp__os_ticks();
	tell_rest(w);
	if (!w->dry_since)
		w->dry_since = now;
	w->gap = 0;
	uint64_t dry = now - w->dry_since;
	if (dry > wp__ns_to_ticks(pool, DRY_ENDS_STREAK_NS))
		w->streak = 0;
	bool others = wp__idle_active(wp__parking_idle(&pool->parking)) > 1;
	if (dry >= (others ? pool->spin_ticks / SPIN_PART_OF_OTHERS : pool->spin_ticks))
		park(w);
	else if (++w->looks % LOOKS_PER_YIELD == 0)
		wp__os_yield();
	else
		wp_spin_hint();
}

/* ---- all together ---- */

void wp__worker_work(struct wp__worker *w)
{
	struct wp__parking *parking = &w->pool->parking;
	wp_atomic_u64 *progress = &parking->spots[w->index].progress;
	struct wp__claim claim = { .stamps = wp__timing_stamps(w) };
	while (!w->dying && !wp_unlikely(wp__is_orphan(w))) {
		wp__count(progress, 1);
		back_to_looking(w);
		if (wp_unlikely(w->stuck != NULL))
			rescue(w);
		else if (wp__lanes_claim(w, w->batch, batch_cap(w), batch_share(w), &claim))
			handle_claim(w, &claim);
		else if (must_exit(w))
			return;
		else
			search(w);
	}
}

/* ---- waiting inside a job ---- */

void wp__worker_wait_in_job(struct wp__worker *w, const struct wp__latch *done)
{
	struct wp__parking *parking = &w->pool->parking;
	bool last = wp__parking_park(parking, w->index);
	bool work = last && !wp__lanes_arm(w->pool);
	if ((work || wp__latch_is_set(done)) && wp__parking_unpark(parking, w->index)) {
		if (work) {
			look_after_all(w);
			stall(w);
		}
		return;
	}
	sleep_parked(w);
}
