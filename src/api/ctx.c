/* SPDX-License-Identifier: MIT */
#include <wpool/ctx.h>

#include <wpool/error.h>

#include "engine/pool.h"
#include "engine/worker.h"
#include "work/ctx.h"

int wp_ctx_create(struct wp_ctx **ctx, struct wp_ctx *parent, uint64_t deadline)
{
	if (!ctx)
		return WP_EINVAL;
	*ctx = NULL;
	return wp__ctx_create(ctx, parent, deadline);
}

struct wp_ctx *wp_ctx_ref(struct wp_ctx *ctx)
{
	if (ctx)
		wp__ctx_ref(ctx, 1);
	return ctx;
}

void wp_ctx_unref(struct wp_ctx *ctx)
{
	wp__ctx_unref(ctx, 1);
}

void wp_ctx_cancel(struct wp_ctx *ctx, int cause)
{
	if (ctx)
		wp__ctx_cancel(ctx, cause);
}

int wp_ctx_err(const struct wp_ctx *ctx)
{
	/* Finding the deadline passed changes the state; to the caller it had changed already. */
	return wp__ctx_err((struct wp_ctx *)(uintptr_t)ctx);
}

uint64_t wp_ctx_deadline(const struct wp_ctx *ctx)
{
	return wp__ctx_deadline(ctx);
}

/* A worker that sleeps in its job is not there for others. */
static void step_away(void)
{
	struct wp__worker *w = wp__self;
	if (w && w->running)
		wp__worker_step_away(w, false);
}

int wp_ctx_wait(struct wp_ctx *ctx, uint64_t deadline)
{
	wp_atomic_u32 nobody = { 0 };
	if (!ctx && deadline == WP_FOREVER)
		return WP_EINVAL;
	int err = wp__ctx_err(ctx);
	if (err || deadline == 0)
		return err;
	step_away();
	if (ctx)
		return wp__ctx_wait(ctx, deadline);
	while (!wp__os_futex_wait(&nobody, 0, deadline))
		;
	return 0;
}

int wp_ctx_on_cancel(
	struct wp_ctx *ctx, struct wp_ctx_callback *callback, wp_cancel_fn fn, void *self)
{
	if (!callback || !fn)
		return WP_EINVAL;
	return wp__ctx_on_cancel(ctx, callback, fn, self);
}

bool wp_ctx_remove_callback(struct wp_ctx_callback *callback)
{
	return !callback || wp__ctx_remove(callback);
}
