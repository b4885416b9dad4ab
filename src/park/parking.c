/* SPDX-License-Identifier: MIT */
#include "park/parking.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hooks.h"
#include "base/os.h"

int wp__parking_init(struct wp__parking *p, unsigned workers)
{
	memset(p, 0, sizeof(*p));
	p->workers = workers;
	p->standby_ns = WP__STANDBY_NS;
	p->spots = wp__alloc(WP_ALONE, workers * sizeof(*p->spots));
	return p->spots ? 0 : -ENOMEM;
}

void wp__parking_fini(struct wp__parking *p)
{
	wp__free(p->spots);
	p->spots = NULL;
}

/*
 * Takes one count of activity away from a worker, if it has one. Relaxed: the worker, a waker and
 * the standby may race here; each count is taken away once, and idle is changed by whoever did.
 */
static bool take_active(struct wp__spot *spot)
{
	uint32_t active = wp_load_rlx_u32(&spot->active);
	while (active)
		if (wp_cas_weak_rlx_u32(&spot->active, &active, active - 1))
			return true;
	return false;
}

bool wp__parking_join(struct wp__parking *p, unsigned i)
{
	/* idle first: it never counts fewer than the spots do, so taking away cannot go below 0. */
	/* [K1] ar: the order of joins, leaves and parks; pairs with itself, [K2] and [K3] */
	uint64_t idle = wp_add_ar_u64(&p->idle, WP__IDLE_ACTIVE_ONE);
	WP_POINT("K1");
	wp_add_rlx_u32(&p->spots[i].active, 1);
	return wp__idle_active(idle) == 0;
}

uint64_t wp__parking_leave(struct wp__parking *p, unsigned i)
{
	uint64_t counted = take_active(&p->spots[i]) ? WP__IDLE_ACTIVE_ONE : 0;
	/* [K2] acq: sees the bits of all that parked before; pairs with [K3] */
	uint64_t idle = wp_sub_acq_u64(&p->idle, counted) - counted;
	WP_POINT("K2");
	return idle;
}

bool wp__parking_park(struct wp__parking *p, unsigned i)
{
	struct wp__spot *spot = &p->spots[i];
	spot->appointed = false;
	WP_POINT("K0");
	/* [K4] ar: from here a waker can pick this worker; pairs with [K5] */
	wp_or_ar_u64(&p->parked[i / 64], UINT64_C(1) << i % 64);
	WP_POINT("K4");
	uint64_t counted = take_active(spot);
	uint64_t idle = wp_load_rlx_u64(&p->idle), next;
	do {
		next = idle - counted * WP__IDLE_ACTIVE_ONE + WP__IDLE_PARKED_ONE;
		spot->standby = wp__idle_active(next) && !(next & WP__IDLE_STANDBY);
		if (spot->standby)
			next |= WP__IDLE_STANDBY;
		/* [K3] ar: the bit before the count; pairs with [K1] and [K2] */
	} while (!wp_cas_weak_ar_u64(&p->idle, &idle, next));
	WP_POINT("K3");
	return wp__idle_active(next) == 0;
}

/* Clears worker i's bit; true to the one who did. */
static bool pick(struct wp__parking *p, unsigned i)
{
	uint64_t bit = UINT64_C(1) << i % 64;
	/* [K5] ar: a worker that parks later sees what the waker did; pairs with [K4] */
	return wp_and_ar_u64(&p->parked[i / 64], ~bit) & bit;
}

/* Worker i counts as active, whether it knows or not. */
static void count_active(struct wp__parking *p, unsigned i)
{
	/* [K1] ar: as in join, and in the same order */
	wp_add_ar_u64(&p->idle, WP__IDLE_ACTIVE_ONE - WP__IDLE_PARKED_ONE);
	wp_add_rlx_u32(&p->spots[i].active, 1);
}

static void give_up_standby(struct wp__parking *p, struct wp__spot *spot)
{
	if (spot->standby)
		wp_and_rel_u64(&p->idle, ~WP__IDLE_STANDBY); /* [K6] rel: as in tick */
	spot->standby = false;
}

bool wp__parking_unpark(struct wp__parking *p, unsigned i)
{
	if (!pick(p, i))
		return false;
	count_active(p, i);
	give_up_standby(p, &p->spots[i]);
	return true;
}

bool wp__parking_sleep(struct wp__parking *p, unsigned i)
{
	struct wp__spot *spot = &p->spots[i];
	uint64_t deadline = spot->standby ? wp__os_now_ns() + p->standby_ns : UINT64_MAX;
	uint32_t token;
	/* [K7] acq: what the waker did before; pairs with [K8] */
	while (!(token = wp_load_acq_u32(&spot->token))) {
		if (wp__os_futex_wait(&spot->token, 0, deadline) == -ETIMEDOUT)
			return false;
	}
	/* Relaxed: nobody sets it again before this worker has parked again. */
	wp_store_rlx_u32(&spot->token, 0);
	spot->appointed = token == WP__TOKEN_PARK;
	spot->to_help = token == WP__TOKEN_HELP;
	give_up_standby(p, spot);
	return true;
}

/* Declares v away if it is active without progress since the last tick. */
static void check_progress(struct wp__parking *p, unsigned v)
{
	struct wp__spot *spot = &p->spots[v];
	uint64_t progress = wp_load_rlx_u64(&spot->progress);
	bool stuck = progress == spot->seen;
	spot->seen = progress;
	if (stuck && take_active(spot))
		wp_sub_acq_u64(&p->idle, WP__IDLE_ACTIVE_ONE); /* [K2] acq: as in leave */
}

bool wp__parking_tick(struct wp__parking *p, unsigned i)
{
	struct wp__spot *spot = &p->spots[i];
	uint64_t idle = wp_load_rlx_u64(&p->idle);
	/* Everybody left by himself, so the lanes are armed: the timer has no purpose any more. */
	while (wp__idle_active(idle) == 0) {
		/* [K6] rel: what it noted of the others, for the next one; pairs with [K3] */
		if (wp_cas_weak_rel_u64(&p->idle, &idle, idle & ~WP__IDLE_STANDBY)) {
			spot->standby = false;
			return false;
		}
	}
	for (unsigned v = 0; v < p->workers; v++)
		if (v != i)
			check_progress(p, v);
	return wp__idle_active(wp_load_rlx_u64(&p->idle)) == 0;
}

/* The bit is cleared and the wake-up ours. */
static void deliver(struct wp__parking *p, unsigned i, uint32_t token)
{
	struct wp__spot *spot = &p->spots[i];
	count_active(p, i);
	/* [K8] rel: what the waker did before; pairs with [K7] */
	wp_store_rel_u32(&spot->token, token);
	WP_POINT("K8");
	wp__os_futex_wake(&spot->token, 1);
}

/* Picks worker i; the one who does gives it the token. */
static bool wake(struct wp__parking *p, unsigned i, uint32_t token)
{
	if (!pick(p, i))
		return false;
	deliver(p, i, token);
	return true;
}

/* Any worker but `not` (WP__PARKING_MAX: any at all). */
static bool wake_any(struct wp__parking *p, unsigned not, uint32_t token)
{
	for (unsigned w = 0; w * 64 < p->workers; w++) {
		uint64_t mask = not / 64 == w ? ~(UINT64_C(1) << not % 64) : ~UINT64_C(0), bits;
		while ((bits = wp_load_rlx_u64(&p->parked[w]) & mask) != 0)
			if (wake(p, w * 64 + (unsigned)__builtin_ctzll(bits), token))
				return true;
	}
	return false;
}

bool wp__parking_wake(struct wp__parking *p, unsigned i)
{
	return wake(p, i, WP__TOKEN_LOOK);
}

bool wp__parking_wake_one(struct wp__parking *p)
{
	return wake_any(p, WP__PARKING_MAX, WP__TOKEN_LOOK);
}

bool wp__parking_wake_to_help(struct wp__parking *p, unsigned i)
{
	return wake_any(p, i, WP__TOKEN_HELP);
}

bool wp__parking_appoint(struct wp__parking *p)
{
	return wake_any(p, WP__PARKING_MAX, WP__TOKEN_PARK);
}

void wp__parking_wake_all(struct wp__parking *p)
{
	for (unsigned w = 0; w * 64 < p->workers; w++) {
		/* [K5] ar: even where no bit is set, for those that park later; pairs with [K4] */
		uint64_t bits = wp_swap_ar_u64(&p->parked[w], 0);
		for (; bits; bits &= bits - 1)
			deliver(p, w * 64 + (unsigned)__builtin_ctzll(bits), WP__TOKEN_LOOK);
	}
}
