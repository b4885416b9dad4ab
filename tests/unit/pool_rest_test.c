/* SPDX-License-Identifier: MIT */
/*
 * When a pool is at rest: what is over is read before what was accepted. The other way
 * round, a job that comes and goes between the two looks makes up for one that still runs.
 */
#include "pool.h"

#define TRIES 5u

static void ask(void *arg, unsigned me)
{
	(void)me;
	t_assert_int_eq(wp_pool_wait(arg, 0), WP_ETIMEDOUT);
}

static uint64_t completed(struct wp_pool *pool)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < pool->options.workers; i++)
		sum += wp_load_acq_u64(&pool->workers[i].over[WP__COMPLETED]);
	return sum;
}

T_TEST(pool_rest, is_not_seen_while_a_job_runs)
{
	struct gate gate = { .open = { 0 } };
	wp_atomic_u64 ran = { 0 };
	struct wp_pool *pool = pool_of(2, 64, 16);
	struct crew crew;
	gate_hold(&gate, pool, 1);
	for (unsigned i = 0; i < TRIES; i++) {
		/* Who asks is held between the two looks, or before them if it is slow. */
		wp__os_mutex_lock(&pool->mutex);
		crew_start(&crew, 1, ask, pool);
		wp__os_sleep(50000000);
		t_assert_int_eq(wp_submit(pool, count_fn, &ran), 0);
		pool_until(completed(pool) == i + 1);
		wp__os_mutex_unlock(&pool->mutex);
		crew_join(&crew);
	}
	gate_open(&gate);
	pool_wait(pool);
	pool_end(pool);
}
