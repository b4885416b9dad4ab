/* SPDX-License-Identifier: MIT */
#include <limits.h>

#include <wpool/error.h>
#include <wpool/pool.h>

#include "engine/error.h"
#include "engine/fork.h"
#include "engine/lifecycle.h"
#include "engine/pool.h"
#include "engine/stats.h"
#include "work/ctx.h"

int wp_pool_create(struct wp_pool **pool, const struct wp_options *options)
{
	struct wp_options o = WP_OPTIONS_INIT;
	if (!pool)
		return WP_EINVAL;
	*pool = NULL;
	if (options && wp_options_validate(options, NULL))
		return WP_EINVAL;
	if (options)
		o = *options;
	wp_options_fill_defaults(&o);
	return wp__pool_start(pool, &o);
}

/* Not in the child of a fork, nor from inside a job of the pool. */
static int check_may_wait(const struct wp_pool *pool)
{
	if (!pool)
		return WP_EINVAL;
	if (wp__is_forked(pool))
		return WP_EFORKED;
	return wp__self_in(pool) ? WP_EDEADLK : 0;
}

int wp_pool_wait_ctx(struct wp_pool *pool, struct wp_ctx *ctx, uint64_t deadline)
{
	int error = check_may_wait(pool);
	if (error)
		return error;
	return wp__pool_wait_rest(pool, ctx, deadline);
}

int wp_pool_wait(struct wp_pool *pool, uint64_t deadline)
{
	return wp_pool_wait_ctx(pool, NULL, deadline);
}

static int end(
	struct wp_pool *pool, struct wp_ctx *ctx, uint64_t deadline, struct wp_stop_report *report)
{
	int error = wp__pool_wait_rest(pool, ctx, deadline);
	if (!error)
		wp__pool_end(pool);
	if (report)
		wp__stats_report(pool, report);
	int ended = error ? wp__ctx_err(ctx) : 0;
	return ended ? ended : error ? WP_EFORCED : 0;
}

int wp_pool_shutdown_ctx(
	struct wp_pool *pool, struct wp_ctx *ctx, uint64_t deadline, struct wp_stop_report *report)
{
	int error = check_may_wait(pool);
	if (error)
		return error;
	wp__pool_close(pool);
	return end(pool, ctx, deadline, report);
}

int wp_pool_shutdown(struct wp_pool *pool, uint64_t deadline, struct wp_stop_report *report)
{
	return wp_pool_shutdown_ctx(pool, NULL, deadline, report);
}

int wp_pool_stop(struct wp_pool *pool, struct wp_stop_report *report)
{
	int error = check_may_wait(pool);
	if (error)
		return error;
	wp__pool_close(pool);
	wp__pool_discard(pool);
	return end(pool, NULL, WP_FOREVER, report);
}

bool wp_pool_is_closed(const struct wp_pool *pool)
{
	return !pool || wp__segqueue_is_closed(&pool->lane);
}

enum wp_state wp_pool_state(const struct wp_pool *pool)
{
	return pool ? wp__pool_state(pool) : WP_STATE_STOPPED;
}

const char *wp_state_name(enum wp_state state)
{
	switch (state) {
	case WP_STATE_OPEN:
		return "open";
	case WP_STATE_DRAINING:
		return "draining";
	case WP_STATE_STOPPING:
		return "stopping";
	case WP_STATE_STOPPED:
		return "stopped";
	case WP_STATE_FORKED:
		return "forked";
	}
	return "unknown";
}

/* In a child. From inside a job of the pool the job's way back needs the memory. */
static void free_copy(struct wp_pool *pool)
{
	if (wp__self_in(pool))
		pool->orphaned = true;
	else
		wp__pool_free(pool);
}

void wp_pool_destroy(struct wp_pool *pool)
{
	if (!pool)
		return;
	if (wp__is_forked(pool)) {
		free_copy(pool);
		return;
	}
	if (wp__self_in(pool)) {
		wp__pool_event(
			pool, WP_EDEADLK, UINT_MAX, "pool destroyed from inside its own job");
		return;
	}
	if (wp_pool_shutdown(pool, wp_after_ns(pool->options.shutdown_timeout), NULL))
		wp_pool_stop(pool, NULL);
	wp__pool_free(pool);
}

int wp_pool_last_error(const struct wp_pool *pool, char *message, size_t size)
{
	if (!pool)
		return WP_EINVAL;
	if (wp__is_forked(pool))
		return WP_EFORKED;
	/* Reading takes a mutex of the pool and changes nothing else. */
	return wp__error_last((struct wp_pool *)(uintptr_t)pool, message, size);
}
