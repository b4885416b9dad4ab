/* SPDX-License-Identifier: MIT */
#include "engine/lifecycle.h"

#include <wpool/error.h>

#include "base/hooks.h"
#include "engine/lanes.h"
#include "engine/rescue.h"
#include "engine/stats.h"
#include "work/ctx.h"

/* The jobs that are over first, accepted last: both only grow, so equal means equal at once. */
static bool at_rest(struct wp_pool *pool)
{
	struct wp__jobs jobs = wp__stats_jobs(pool);
	return jobs.over == jobs.accepted;
}

static void notify(void *rest, int err)
{
	(void)err;
	wp__ec_notify(rest);
}

int wp__pool_wait_rest(struct wp_pool *pool, struct wp_ctx *ctx, uint64_t deadline)
{
	if (at_rest(pool))
		return 0;
	struct wp_ctx_callback callback;
	int ended = wp__ctx_on_cancel(ctx, &callback, notify, &pool->rest);
	if (ended)
		return ended;
	uint64_t until = wp_min_u64(deadline, wp__ctx_deadline(ctx));
	uint32_t key = wp__ec_prepare(&pool->rest);
	bool rest = at_rest(pool), in_time = true;
	while (!rest && in_time && !(ended = wp__ctx_err(ctx))) {
		in_time = wp__ec_wait(&pool->rest, key, until) == 0;
		key = wp__ec_again(&pool->rest);
		rest = at_rest(pool);
	}
	wp__ec_leave(&pool->rest);
	(void)wp__ctx_remove(&callback);
	if (rest)
		return 0;
	return ended || (ended = wp__ctx_err(ctx)) ? ended : WP_ETIMEDOUT;
}

/* ---- the way to the end ---- */

static void advance(struct wp_pool *pool, enum wp_state to)
{
	uint32_t state = wp_load_rlx_u32(&pool->state);
	/* [J1] rel: what was done to get there; pairs with [J2] */
	while (state < to && !wp_cas_weak_rel_u32(&pool->state, &state, to))
		;
}

enum wp_state wp__pool_state(const struct wp_pool *pool)
{
	/* [J2] acq: for STOPPED, all that the jobs did; pairs with [J1] */
	return (enum wp_state)wp_load_acq_u32(&pool->state);
}

void wp__pool_close(struct wp_pool *pool)
{
	wp__lanes_close(pool);
	advance(pool, WP_STATE_DRAINING);
}

void wp__pool_discard(struct wp_pool *pool)
{
	wp__os_mutex_lock(&pool->mutex);
	const struct wp__table *table = wp_load_acq_ptr(&pool->table); /* [T1] acq */
	for (unsigned i = 0; i < table->worker_count; i++)
		wp_or_rlx_u32(&table->workers[i]->interrupt, WP__DISCARD);
	wp__os_mutex_unlock(&pool->mutex);
	advance(pool, WP_STATE_STOPPING);
}

void wp__pool_end(struct wp_pool *pool)
{
	wp__os_mutex_lock(&pool->end_mutex);
	if (pool->threads)
		wp__pool_join(pool);
	wp__os_mutex_unlock(&pool->end_mutex);
	advance(pool, WP_STATE_STOPPED);
	/* A worker may have ended without a last dry look: tell the others who wait. */
	wp__ec_notify(&pool->rest);
}
