/* SPDX-License-Identifier: MIT */
/*
 * The table of lanes and workers, replaced while workers walk over it: they see the old one or the
 * new one, both whole, and the old one is not freed under them. The pool itself has one table for
 * its life; this is what lanes and workers that come and go rely on.
 */
#include <wpool/wpool.h>

#include "base/alloc.h"
#include "base/rcu.h"
#include "engine/pool.h"
#include "explore.h"

static struct wp_pool *pool;
static wp_atomic_u32 ran;

static int runs(void *payload)
{
	(void)payload;
	wp_add_rlx_u32(&ran, 1);
	return 0;
}

static void make_pool(unsigned workers)
{
	struct wp_options o = WP_OPTIONS_INIT;
	o.workers = workers;
	o.capacity = 4;
	o.segment_size = 4;
	o.spin_ns = 1;
	explore_assert(wp_pool_create(&pool, &o) == 0);
}

static void one_worker(void)
{
	make_pool(1);
}

static void two_workers(void)
{
	make_pool(2);
}

struct whole_table {
	struct wp__table head;
	wp_atomic_ptr lane;
	struct wp__worker *worker[2];
};

static void replace_table(void)
{
	struct whole_table *made = wp__alloc(WP_CACHE_LINE, sizeof(*made));
	wp_store_rlx_ptr(&made->lane, &pool->lane);
	for (unsigned i = 0; i < pool->options.workers; i++)
		made->worker[i] = &pool->workers[i];
	made->head = (struct wp__table){
		.lane_room = 1,
		.worker_count = pool->options.workers,
		.lanes = &made->lane,
		.workers = made->worker,
	};
	wp__os_mutex_lock(&pool->mutex);
	void *old = wp_load_rlx_ptr(&pool->table);
	/* Release: as [T2] in engine/lanes.c; pairs with [T1]. */
	wp_store_rel_ptr(&pool->table, made);
	wp__os_mutex_unlock(&pool->mutex);
	wp__rcu_synchronize();
	wp__free(old);
}

static void submit(void)
{
	struct wp_job job = { .fn = runs };
	explore_assert(wp_submit_job(pool, &job) == 0);
}

static void submit_and_rest(void)
{
	submit();
	explore_assert(wp_pool_wait(pool, WP_FOREVER) == 0);
}

static void drain(void)
{
	explore_assert(wp_pool_shutdown(pool, WP_FOREVER, NULL) == 0);
	wp_pool_destroy(pool);
	explore_assert(wp_load_rlx_u32(&ran) == 1);
}

EXPLORE_TEST(table_replaced_1w, .setup = one_worker, .body = { replace_table, submit },
	.check = drain, .no_leaks = true);

EXPLORE_TEST(table_replaced_2w, .setup = two_workers, .body = { replace_table, submit_and_rest },
	.check = drain, .no_leaks = true);
