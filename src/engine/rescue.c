/* SPDX-License-Identifier: MIT */
#include "engine/rescue.h"

#include <string.h>

#include "base/hooks.h"
#include "engine/timing.h"

#define SPINS_BEFORE_YIELD WP_TUNED(128, 2)
/* Longer than a store can stay invisible to other processors. */
#define HEAVY_NAP_NS       UINT64_C(1000000)

void wp__rescue_offer(struct wp__worker *w, uint32_t count, uint64_t first_id)
{
	w->count = count;
	w->first_id = first_id;
	/* [X3] rel: the batch, count and first_id; pairs with [X4] */
	wp_store_rel_u32(&w->left, count);
}

bool wp__rescue_yield(struct wp__worker *w, uint32_t index)
{
	uint32_t state;
	WP_POINT("X5");
	/* [X5] acq: taken_from, and that the batch is not read any more; pairs with [X2] */
	for (unsigned round = 0; (state = wp_load_acq_u32(&w->interrupt)) & WP__RESCUING; round++) {
		if (round < SPINS_BEFORE_YIELD)
			wp_spin_hint();
		else
			wp__os_yield();
	}
	if (wp_unlikely(state & WP__FORKED))
		return false;
	if (!(state & WP__RESCUED))
		return true;
	w->count = w->taken_from;
	wp_store_rlx_u32(&w->left, 0);
	/* [X7] rel: left == 0, for the next rescuer; pairs with [X1] */
	wp_and_rel_u32(&w->interrupt, ~WP__RESCUED);
	return index < w->taken_from;
}

uint32_t wp__rescue_take(
	struct wp__worker *v, struct wp_job *out, uint64_t *stamps, uint64_t *first_id)
{
	uint32_t before = wp_load_rlx_u32(&v->interrupt);
	do {
		if (before & (WP__RESCUING | WP__RESCUED))
			return 0;
		/* Relaxed: [X1] orders it. */
	} while (!wp_cas_weak_rlx_u32(&v->interrupt, &before, before | WP__RESCUING));
	WP_POINT("X1");
	/* [X1] sc: RESCUING before the look at left, for every thread; pairs with [X6] */
	if (v->pool->has_membarrier && wp__os_membarrier() != 0)
		wp__os_sleep(HEAVY_NAP_NS);
	if (!v->pool->has_membarrier)
		wp_fence_sc();
	/* [X4] acq: the batch, count and first_id; pairs with [X3] */
	uint32_t n = wp_load_acq_u32(&v->left);
	uint32_t outcome = 0;
	if (n) {
		uint32_t from = v->count - n;
		memcpy(out, v->batch + from, n * sizeof(*out));
		if (v->timing)
			memcpy(stamps, v->timing->stamps + from, n * sizeof(*stamps));
		*first_id = v->first_id + from;
		v->taken_from = from;
		outcome = WP__RESCUED;
	}
	WP_POINT("X2");
	/* [X2] rel: taken_from, and the end of reading the batch; pairs with [X5] */
	wp_add_rel_u32(&v->interrupt, outcome - WP__RESCUING);
	return n;
}
