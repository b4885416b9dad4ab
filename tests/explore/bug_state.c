/* SPDX-License-Identifier: MIT */
/* Known bugs: two steps where one was needed. */
#include "bug.h"

/* ---- a job is finished twice: run and cancelled ---- */

enum { QUEUED, RUN, CANCELLED };
static wp_atomic_u32 state, completions;

static void finish(uint32_t as)
{
	uint32_t was = QUEUED;
	if (BROKEN) {
		if (wp_load_acq_u32(&state) != QUEUED)
			return;
		wp_store_rel_u32(&state, as);
	} else if (!wp_cas_strong_ar_u32(&state, &was, as)) {
		return;
	}
	explore_assert(wp_add_rlx_u32(&completions, 1) == 0);
}

static void runner(void)
{
	finish(RUN);
}

static void canceller(void)
{
	finish(CANCELLED);
}

KNOWN_BUG(double_completion, "assertion", .body = { runner, canceller });

/* ---- look whether it is closed, then push: the drain comes in between ---- */

#define CLOSED 2u
static wp_atomic_u32 tail, queued, drained, accepted;

static void submit(void)
{
	if (BROKEN) {
		if (wp_load_acq_u32(&tail) & CLOSED)
			return;
		wp_add_rel_u32(&queued, 1);
	} else {
		uint32_t t = wp_load_rlx_u32(&tail);
		do
			if (t & CLOSED)
				return;
		while (!wp_cas_weak_ar_u32(&tail, &t, t + 4));
		wp_add_rel_u32(&queued, 1);
	}
	wp_add_rlx_u32(&accepted, 1);
}

static void close_and_drain(void)
{
	uint32_t promised = wp_or_ar_u32(&tail, CLOSED) / 4;
	while (!BROKEN && wp_load_acq_u32(&queued) < promised)
		wp_spin_hint();
	wp_add_rlx_u32(&drained, wp_swap_ar_u32(&queued, 0));
}

static void nothing_is_lost(void)
{
	explore_assert(wp_load_rlx_u32(&accepted) == wp_load_rlx_u32(&drained));
}

KNOWN_BUG(close_check_then_push, "assertion", .body = { submit, close_and_drain },
	.check = nothing_is_lost);

/* ---- first block installed in two steps: a closer walks from a head that is not there yet ---- */

struct segment {
	wp_atomic_u32 ready;
};

static wp_atomic_ptr head_segment, tail_segment;
static wp_atomic_u32 tail_index;

static void first_push(void)
{
	struct segment *s = wp__alloc(16, sizeof(*s));
	if (!BROKEN)
		wp_store_rel_ptr(&head_segment, s);
	wp_store_rel_ptr(&tail_segment, s);
	wp_store_rel_u32(&tail_index, 1);
	if (BROKEN)
		wp_store_rel_ptr(&head_segment, s);
	wp_store_rel_u32(&s->ready, 1);
}

static void discard_all(void)
{
	/* "Something was pushed, so there is a first segment." */
	if (wp_load_acq_u32(&tail_index) == 0)
		return;
	struct segment *s = wp_load_acq_ptr(&head_segment);
	while (!wp_load_acq_u32(&s->ready))
		wp_spin_hint();
}

KNOWN_BUG(close_against_first_push, "crash", .body = { first_push, discard_all });

/* ---- installed before it is clear: the entry first, then the bitmap ---- */

static uint32_t bitmap = 0xff;
static wp_atomic_u32 entry;

static void install(void)
{
	if (BROKEN) {
		wp_store_rel_u32(&entry, 1);
		bitmap = 0;
	} else {
		bitmap = 0;
		wp_store_rel_u32(&entry, 1);
	}
}

static void look_up(void)
{
	if (wp_load_acq_u32(&entry))
		explore_assert(bitmap == 0);
}

KNOWN_BUG(two_step_install, "race", .body = { install, look_up });

/* ---- two helpers install the same block ---- */

static wp_atomic_u32 installs;

static void help_install(void)
{
	uint32_t none = 0;
	if (BROKEN) {
		if (wp_load_acq_u32(&entry) == 0) {
			wp_store_rel_u32(&entry, explore_self());
			wp_add_rlx_u32(&installs, 1);
		}
	} else if (wp_cas_strong_ar_u32(&entry, &none, explore_self())) {
		wp_add_rlx_u32(&installs, 1);
	}
}

static void installed_once(void)
{
	explore_assert(wp_load_rlx_u32(&installs) == 1);
}

KNOWN_BUG(double_install, "assertion", .body = { help_install, help_install },
	.check = installed_once);

/* ---- a permit is given back before the work is over ---- */

static wp_atomic_u32 permits, running;

static void one_permit(void)
{
	wp_store_rlx_u32(&permits, 1);
}

static void limited_job(void)
{
	uint32_t p = wp_load_acq_u32(&permits);
	do {
		while (!p) {
			wp_spin_hint();
			p = wp_load_acq_u32(&permits);
		}
	} while (!wp_cas_weak_ar_u32(&permits, &p, p - 1));
	explore_assert(wp_add_rlx_u32(&running, 1) == 0);
	if (BROKEN)
		wp_add_rel_u32(&permits, 1);
	wp_sub_rlx_u32(&running, 1);
	if (!BROKEN)
		wp_add_rel_u32(&permits, 1);
}

KNOWN_BUG(permit_too_early, "assertion", .setup = one_permit, .body = { limited_job, limited_job });

/* ---- a weak compare-and-swap that is tried once ---- */

static void claim_once(void)
{
	uint32_t free_word = 0;
	bool mine = BROKEN ? wp_cas_weak_ar_u32(&entry, &free_word, 1)
			   : wp_cas_strong_ar_u32(&entry, &free_word, 1);
	if (mine)
		wp_add_rlx_u32(&installs, 1);
}

KNOWN_BUG(weak_cas_tried_once, "assertion", .body = { claim_once }, .check = installed_once);

/* ---- tickets counted, slots not: a claim runs ahead of a publication ---- */

#define SLOTS 2
static uint32_t slot[SLOTS];
static wp_atomic_u32 next_ticket, published[SLOTS];

static void push_slot(void)
{
	uint32_t t = wp_add_rlx_u32(&next_ticket, 1);
	slot[t] = t + 1;
	wp_store_rel_u32(&published[t], 1);
}

static void claim_all(void)
{
	uint32_t n = wp_load_acq_u32(&next_ticket);
	for (uint32_t i = 0; i < n; i++) {
		if (!BROKEN && !wp_load_acq_u32(&published[i]))
			return;
		explore_assert(slot[i] == i + 1);
	}
}

KNOWN_BUG(claim_ahead_of_publication, NULL, .body = { push_slot, push_slot, claim_all });
