/* SPDX-License-Identifier: MIT */
/*
 * Contexts: each round has a root and some branches, which all its threads share and somebody
 * cancels; each thread makes children of them, or contexts of its own, one after the other, gives
 * them to its jobs, and cancels some. Some have deadlines, some a callback.
 */
#include "soak.h"

/* Why something was cancelled. */
#define CAUSE (-1234)

static struct wp_ctx *make(struct soak_arena *arena, struct wp_ctx *parent, uint64_t deadline)
{
	struct wp_ctx *ctx;
	int error = wp_ctx_create(&ctx, parent, deadline);
	if (error)
		soak_complain("wp_ctx_create returned %d: %s", error, arena->what);
	return ctx;
}

static uint64_t some_deadline(struct wp__rng *rng)
{
	return wp__rng_below(rng, 3) ? WP_FOREVER : wp_after_ns(soak_log_uniform(rng, 10, 30));
}

void soak_contexts_open(struct soak_arena *arena)
{
	arena->root = make(arena, NULL, WP_FOREVER);
	for (unsigned i = 0; i < SOAK_BRANCHES; i++)
		arena->branch[i] = make(arena, arena->root, some_deadline(&arena->rng));
}

bool soak_is_end(int err, const struct wp_ctx *ctx)
{
	if (ctx)
		return err && wp_ctx_err(ctx) == err;
	return err == WP_ECANCELED || err == WP_ETIMEDOUT || err == CAUSE;
}

/* ---- a thread's own ---- */

static void on_cancel(void *self, int err)
{
	struct soak_slot *slot = self;
	if (!soak_is_end(err, NULL))
		soak_complain("a callback was told %d: %s", err, slot->arena->what);
	wp_add_rlx_u32(&slot->told, 1);
}

static void drop(struct soak_slot *slot)
{
	if (!slot->ctx)
		return;
	bool removed = wp_ctx_remove_callback(&slot->callback);
	uint32_t told = wp_swap_rlx_u32(&slot->told, 0);
	/* One that was never added is neither: it was refused, or not tried. */
	if (told > 1 || (told && removed))
		soak_complain("a callback was called %u times%s: %s", told,
			removed ? " and then removed" : "", slot->arena->what);
	slot->count[SOAK_TOLD] += told;
	wp_ctx_unref(slot->ctx);
	slot->ctx = NULL;
}

static void renew(struct soak_slot *slot)
{
	drop(slot);
	struct wp_ctx *parent = wp__rng_below(&slot->rng, 2) ? soak_branch(slot) : NULL;
	slot->ctx = make(slot->arena, parent, some_deadline(&slot->rng));
	if (!slot->ctx)
		return;
	slot->count[SOAK_CONTEXTS]++;
	slot->callback = (struct wp_ctx_callback){ .fn = NULL };
	if (wp__rng_below(&slot->rng, 2) == 0) {
		int error = wp_ctx_on_cancel(slot->ctx, &slot->callback, on_cancel, slot);
		if (error && !soak_is_end(error, slot->ctx))
			soak_complain("wp_ctx_on_cancel returned %d: %s", error, slot->arena->what);
	}
}

static void cancel(struct soak_slot *slot, struct wp_ctx *ctx)
{
	slot->count[SOAK_CANCELS]++;
	wp_ctx_cancel(ctx, wp__rng_below(&slot->rng, 2) ? CAUSE : 0);
	if (!soak_is_end(wp_ctx_err(ctx), NULL))
		soak_complain("a context was cancelled and stands: %s", slot->arena->what);
}

struct wp_ctx *soak_draw_context(struct soak_slot *slot)
{
	uint64_t dice = wp__rng_below(&slot->rng, 512);
	if (dice >= 128)
		return NULL;
	if (!slot->ctx || dice < 8)
		renew(slot);
	else if (dice == 8)
		cancel(slot, slot->ctx);
	return wp_ctx_ref(slot->ctx);
}

/* ---- what is shared ---- */

struct wp_ctx *soak_branch(struct soak_slot *slot)
{
	return slot->arena->branch[wp__rng_below(&slot->rng, SOAK_BRANCHES)];
}

void soak_cancel_some(struct soak_slot *slot)
{
	uint64_t dice = wp__rng_below(&slot->rng, 128);
	if (dice == 0)
		cancel(slot, slot->arena->root);
	else if (dice < 8)
		cancel(slot, soak_branch(slot));
}

void soak_contexts_close(struct soak_arena *arena)
{
	for (uint32_t i = 0; i < wp_load_rlx_u32(&arena->slots); i++)
		drop(&arena->slot[i]);
	for (unsigned i = 0; i < SOAK_BRANCHES; i++)
		wp_ctx_unref(arena->branch[i]);
	wp_ctx_unref(arena->root);
}
