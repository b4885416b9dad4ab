/* SPDX-License-Identifier: MIT */
#include "engine/fork.h"

#include <wpool/error.h>

#include "base/rcu.h"
#include "base/trap.h"
#include "engine/lanes.h"

static struct wp__mutex mutex = WP__MUTEX_INIT;
static struct wp_pool *pools; /* under mutex */

void wp__fork_hold(void)
{
	wp__os_mutex_lock(&mutex);
}

void wp__fork_release(void)
{
	wp__os_mutex_unlock(&mutex);
}

/* No other thread is there. */
static void mark(struct wp_pool *pool)
{
	const struct wp__table *table = wp_load_acq_ptr(&pool->table); /* [T1] acq */
	wp_store_rlx_u32(&pool->state, WP_STATE_FORKED);
	wp_store_rlx_u32(&pool->exit, 1);
	wp__lanes_close_copies(pool);
	/* Stored, not added: a rescue that went on will never end. */
	for (unsigned i = 0; i < table->worker_count; i++)
		wp_store_rlx_u32(&table->workers[i]->interrupt, WP__FORKED);
	wp__os_mutex_init(&pool->mutex);
	wp__os_mutex_init(&pool->end_mutex);
	wp__os_mutex_init(&pool->panic_mutex);
	/* The handlers stay, and pass everything on: this pool's part in them is not given back. */
	pool->has_traps = false;
}

static void before(void)
{
	wp__fork_hold();
	wp__trap_hold();
}

static void in_parent(void)
{
	wp__trap_let_go();
	wp__fork_release();
}

static void in_child(void)
{
	wp__rcu_forked();
	for (struct wp_pool *pool = pools; pool; pool = pool->next)
		mark(pool);
	wp__trap_let_go();
	wp__fork_release();
}

int wp__fork_enter(struct wp_pool *pool)
{
	wp__fork_hold();
	int error = wp__os_at_fork(before, in_parent, in_child);
	if (!error) {
		pool->next = pools;
		pool->link = &pools;
		if (pools)
			pools->link = &pool->next;
		pools = pool;
	}
	wp__fork_release();
	return error ? WP_ENOMEM : 0;
}

void wp__fork_leave(struct wp_pool *pool)
{
	wp__fork_hold();
	if (pool->link) {
		*pool->link = pool->next;
		if (pool->next)
			pool->next->link = pool->link;
		pool->link = NULL;
	}
	wp__fork_release();
}
