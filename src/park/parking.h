/* SPDX-License-Identifier: MIT */
/*
 * Parking lot: which workers are awake, which sleep, and who wakes whom.
 *
 * It knows nothing of lanes. A worker is in one of three states:
 *
 *   active   it looks for work, or runs jobs that are expected to be done within microseconds and
 *            will look again then: new jobs need not wake anybody;
 *   away     it runs jobs that may take long: somebody else has to look;
 *   parked   it sleeps.
 *
 * One word counts them, so that every transition has one place in one order:
 *
 *     idle = active | STANDBY | parked << 32
 *
 * `parked` may be below zero for a moment, when a worker is woken before it has counted itself; it
 * has the top of the word, where that disturbs nothing else.
 *
 * Duty of the last. Whoever leaves or parks and finds that nobody is active then, must arm the
 * lanes (so that the next submit wakes somebody) and look at them once more; if there is work after
 * all he looks for it himself (unpark) or wakes somebody.
 *
 * Standby. An active worker that runs jobs it believes cheap may be wrong. Therefore the first
 * worker that parks while another is active parks lightly: it wakes by itself every standby_ns
 * and calls wp__parking_tick, which declares active workers away that have shown no progress
 * since the last tick. When nobody is active any more the standby parks for good: an idle pool
 * has no timer. A standby that is woken gives its role up. Whoever leaves, or relies on a standby,
 * and finds none wakes a worker to be one (wp__parking_appoint): it parks again at once, lightly.
 *
 * Waking. wp__parking_wake_one picks a parked worker by clearing its bit; whoever clears a bit owns
 * the wake-up, makes the worker active on its behalf and gives it its token. So each wake-up
 * reaches exactly one worker, none is woken twice for one park, and a worker is counted active from
 * the moment somebody decided to wake it. Low numbers are preferred: under light load the same few
 * workers run, with warm caches, and the others sleep on.
 *
 * Help. Who finds a worker that holds jobs and does not get on with them, and cannot see to it
 * himself, wakes another one for that (wp__parking_wake_to_help): it does so before it looks at the
 * lanes, because what it finds there may take long.
 *
 * Invariants.   active >= sum of spot.active, equal while no call is going on
 *               active + parked <= workers                     (no call going on)
 *               bit set => parked;  parked and bit clear => its token is on the way
 *               STANDBY => exactly one parked (or just woken) worker has a timer
 *
 * Why no wake-up is lost. Parking sets the bit (read-modify-write) before it changes idle; a waker
 * finds the bit or ran before it was set. In the first case the worker gets its token. In the
 * second the worker's later steps (duty of the last) see what the waker did before: the waker's
 * last step and the worker's first one are read-modify-writes of one word ([K5], [K4]).
 */
#ifndef WP_PARK_PARKING_H
#define WP_PARK_PARKING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/layout.h"

#define WP__PARKING_MAX 1024
#define WP__STANDBY_NS  UINT64_C(1000000)

#define WP__IDLE_ACTIVE_ONE UINT64_C(1)
#define WP__IDLE_STANDBY    (UINT64_C(1) << 16)
#define WP__IDLE_PARKED_ONE (UINT64_C(1) << 32)

#define WP__TOKEN_LOOK UINT32_C(1) /* there may be work */
#define WP__TOKEN_PARK UINT32_C(2) /* a standby is missing: park again */
#define WP__TOKEN_HELP UINT32_C(3) /* somebody is stuck: see to him before there is other work */

/* A worker's place. */
struct wp__spot {
	_Alignas(WP_ALONE)
		wp_atomic_u32 token; /* WP__TOKEN_*: set by others, cleared by the worker */
	wp_atomic_u32 active;        /* how often it counts as active: 0 or 1, and one more
	                         while it is woken in the middle of wp__parking_park */
	bool standby;                /* the worker's own: it holds STANDBY */
	bool appointed;              /* the worker's own: it was woken by wp__parking_appoint */
	bool to_help;                /* the same: by wp__parking_wake_to_help */
	uint64_t seen;               /* the standby's note of progress at its last tick */
	_Alignas(WP_ALONE) wp_atomic_u64 progress; /* advanced by the worker at every look */
};

struct wp__parking {
	struct wp__spot *spots;
	unsigned workers;
	uint64_t standby_ns; /* WP__STANDBY_NS, unless the owner sets it before workers come */
	_Alignas(WP_ALONE) wp_atomic_u64 idle;
	_Alignas(WP_ALONE) wp_atomic_u64 parked[WP__PARKING_MAX / 64]; /* a bit per worker */
};

static inline unsigned wp__idle_active(uint64_t idle)
{
	return (unsigned)(idle & 0xffff);
}

static inline unsigned wp__idle_parked(uint64_t idle)
{
	int32_t parked = (int32_t)(idle >> 32);
	return parked < 0 ? 0 : (unsigned)parked;
}

/* A recent view. Whoever it counts as parked can be woken by who has it. */
static inline uint64_t wp__parking_idle(const struct wp__parking *p)
{
	/* [K9] acq: the bits of those it counts; pairs with [K3] */
	return wp_load_acq_u64(&p->idle);
}

/* `workers` places (1 .. WP__PARKING_MAX), all away. 0 or -ENOMEM. */
int wp__parking_init(struct wp__parking *p, unsigned workers);
void wp__parking_fini(struct wp__parking *p);

/* ---- by worker i itself ---- */

/* It looks for work from now on. True: nobody did, the lanes may be armed for no reason. */
bool wp__parking_join(struct wp__parking *p, unsigned i);

/* It will not look for a while. Returns idle without it: see "duty of the last" and "standby". */
uint64_t wp__parking_leave(struct wp__parking *p, unsigned i);

/* Whether it is still counted as active; a standby may have declared it away. */
static inline bool wp__parking_is_active(const struct wp__parking *p, unsigned i)
{
	return wp_load_rlx_u32(&p->spots[i].active);
}

/*
 * It is about to sleep. True: nobody is active now. Then wp__parking_sleep, or wp__parking_unpark
 * if there is work after all.
 */
bool wp__parking_park(struct wp__parking *p, unsigned i);

/* Takes the park back: true, it is active again. False: a wake-up is on the way; sleep for it. */
bool wp__parking_unpark(struct wp__parking *p, unsigned i);

/*
 * Sleeps until woken: true, and it is active. As standby it returns false every standby_ns:
 * call wp__parking_tick.
 */
bool wp__parking_sleep(struct wp__parking *p, unsigned i);

/*
 * The standby's duty. Declares stuck workers away. True: nobody is active, unpark and look at the
 * lanes. Otherwise sleep on; where nobody was active to begin with it is no standby any more.
 */
bool wp__parking_tick(struct wp__parking *p, unsigned i);

/* ---- by any thread ---- */

/* Wakes one parked worker, if there is one; returns whether. */
bool wp__parking_wake_one(struct wp__parking *p);

/* The same, but not worker i (WP__PARKING_MAX: any), and to see to somebody who is stuck. */
bool wp__parking_wake_to_help(struct wp__parking *p, unsigned i);

/* Wakes one parked worker to park again, as the standby if there still is none; returns whether. */
bool wp__parking_appoint(struct wp__parking *p);

/* Wakes worker i if it is parked; else what the caller did is visible to it when it parks. */
bool wp__parking_wake(struct wp__parking *p, unsigned i);

/* Wakes all that are parked. */
void wp__parking_wake_all(struct wp__parking *p);

#endif
