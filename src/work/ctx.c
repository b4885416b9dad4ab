/* SPDX-License-Identifier: MIT */
#include "work/ctx.h"

#include <wpool/error.h>

#include "base/alloc.h"
#include "base/hooks.h"

/* A cancel that is calling callbacks; on the stack of its thread. */
struct wp__ctx_walk {
	struct wp__ctx_walk *outer;      /* of this thread: a callback may cancel, too */
	struct wp_ctx_callback *current; /* NULL: none, or removed from inside */
	struct wp_ctx_link pending;
};

/* This thread's, from the inside out. */
static _Thread_local struct wp__ctx_walk *innermost __attribute__((tls_model("initial-exec")));

/* ---- lists of callbacks ---- */

static void init_list(struct wp_ctx_link *list)
{
	list->next = list->prev = list;
}

static void append(struct wp_ctx_link *list, struct wp_ctx_link *link)
{
	link->prev = list->prev;
	link->next = list;
	list->prev->next = link;
	list->prev = link;
}

static void take_off(struct wp_ctx_link *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	link->next = link->prev = NULL;
}

/* Moves all of `from` behind what is on `list`. */
static void move_all(struct wp_ctx_link *list, struct wp_ctx_link *from)
{
	if (from->next == from)
		return;
	from->next->prev = list->prev;
	list->prev->next = from->next;
	from->prev->next = list;
	list->prev = from->prev;
	init_list(from);
}

/* ---- one context ---- */

static void link_child(struct wp_ctx *parent, struct wp_ctx *child)
{
	child->next_sibling = parent->first_child;
	if (parent->first_child)
		parent->first_child->previous_sibling = child;
	parent->first_child = child;
}

static void unlink_child(struct wp_ctx *parent, struct wp_ctx *child)
{
	if (child->previous_sibling)
		child->previous_sibling->next_sibling = child->next_sibling;
	else
		parent->first_child = child->next_sibling;
	if (child->next_sibling)
		child->next_sibling->previous_sibling = child->previous_sibling;
}

static void adopt(struct wp_ctx *parent, struct wp_ctx *child)
{
	wp__ctx_ref(parent, 1);
	child->parent = parent;
	child->tree = parent->tree;
	child->deadline = wp_min_u64(child->deadline, parent->deadline);
	wp__os_mutex_lock(&child->tree->mutex);
	child->reached = parent->reached;
	if (child->reached) /* relaxed: nobody else has the child yet */
		wp_store_rlx_u32(&child->state, wp_load_rlx_u32(&parent->state));
	link_child(parent, child);
	wp__os_mutex_unlock(&child->tree->mutex);
}

int wp__ctx_create(struct wp_ctx **out, struct wp_ctx *parent, uint64_t deadline)
{
	size_t size = sizeof(struct wp_ctx) + (parent ? 0 : sizeof(struct wp__ctx_tree));
	struct wp_ctx *ctx = wp__alloc(WP_CACHE_LINE, size);
	if (!ctx)
		return WP_ENOMEM;
	ctx->deadline = deadline;
	wp_store_rlx_u64(&ctx->references, 1);
	init_list(&ctx->callbacks);
	if (parent) {
		adopt(parent, ctx);
	} else {
		ctx->tree = (struct wp__ctx_tree *)(void *)(ctx + 1);
		wp__os_mutex_init(&ctx->tree->mutex);
	}
	*out = ctx;
	return 0;
}

void wp__ctx_unref(struct wp_ctx *ctx, uint64_t n)
{
	/* [N3] ar: what was done with the other references; pairs with itself */
	while (ctx && wp_sub_ar_u64(&ctx->references, n) == n) {
		struct wp_ctx *parent = ctx->parent;
		WP_POINT("N3");
		if (parent) {
			wp__os_mutex_lock(&ctx->tree->mutex);
			unlink_child(parent, ctx);
			wp__os_mutex_unlock(&ctx->tree->mutex);
		} else {
			wp__os_mutex_destroy(&ctx->tree->mutex);
		}
		wp__free(ctx);
		/* The child's reference to it. */
		ctx = parent;
		n = 1;
	}
}

int wp__ctx_look(struct wp_ctx *ctx)
{
	/* [N2] acq: what the canceller did before; pairs with [N1] */
	uint32_t state = wp_load_acq_u32(&ctx->state);
	if (state || ctx->deadline == WP_FOREVER || wp__os_now_ns() < ctx->deadline)
		return (int)state;
	/* Relaxed: a deadline tells of nothing that was done. */
	if (wp_cas_strong_rlx_u32(&ctx->state, &state, (uint32_t)WP_ETIMEDOUT))
		return WP_ETIMEDOUT;
	/* [N2] acq: a cancel was faster */
	return (int)wp_load_acq_u32(&ctx->state);
}

int wp__ctx_wait(struct wp_ctx *ctx, uint64_t deadline)
{
	int err = wp__ctx_err(ctx);
	if (err || deadline == 0)
		return err;
	uint64_t until = wp_min_u64(deadline, ctx->deadline);
	wp__os_mutex_lock(&ctx->tree->mutex);
	ctx->waiters++;
	wp__os_mutex_unlock(&ctx->tree->mutex);
	bool late = false;
	while (!(err = wp__ctx_err(ctx)) && !late)
		late = wp__os_futex_wait(&ctx->state, 0, until) != 0;
	wp__os_mutex_lock(&ctx->tree->mutex);
	ctx->waiters--;
	wp__os_mutex_unlock(&ctx->tree->mutex);
	return err;
}

/* ---- cancel ---- */

/* The next one of the tree below `top`, parents first; with `down` false not below ctx. */
static struct wp_ctx *next_below(const struct wp_ctx *top, struct wp_ctx *ctx, bool down)
{
	if (down && ctx->first_child)
		return ctx->first_child;
	while (ctx != top && !ctx->next_sibling)
		ctx = ctx->parent;
	return ctx == top ? NULL : ctx->next_sibling;
}

static void reach(struct wp_ctx *ctx, int cause, uint64_t now, struct wp__ctx_walk *walk)
{
	uint32_t standing = 0;
	ctx->reached = true;
	WP_POINT("N1");
	/* [N1] rel: what the canceller did before; pairs with [N2] */
	(void)wp_cas_strong_rel_u32(
		&ctx->state, &standing, (uint32_t)(now >= ctx->deadline ? WP_ETIMEDOUT : cause));
	if (ctx->waiters)
		wp__os_futex_wake(&ctx->state, UINT32_MAX);
	move_all(&walk->pending, &ctx->callbacks);
}

/* Under the mutex: the call of walk->current is over. */
static void end_call(struct wp__ctx_tree *tree, struct wp__ctx_walk *walk)
{
	if (!walk->current)
		return;
	walk->current->caller = NULL;
	walk->current = NULL;
	if (!tree->removers)
		return;
	/* [N4] rlx: who sleeps on it has read it under the mutex; wakes those who do */
	wp_add_rlx_u32(&tree->calls_ended, 1);
	wp__os_futex_wake(&tree->calls_ended, UINT32_MAX);
}

/* With the mutex held, which is free during each call. */
static void call_pending(struct wp__ctx_tree *tree, struct wp__ctx_walk *walk)
{
	walk->outer = innermost;
	innermost = walk;
	while (walk->pending.next != &walk->pending) {
		struct wp_ctx_callback *callback =
			wp_container_of(walk->pending.next, struct wp_ctx_callback, link);
		take_off(&callback->link);
		callback->caller = walk;
		callback->called = true;
		walk->current = callback;
		wp_cancel_fn fn = callback->fn;
		void *self = callback->self;
		/* Relaxed: this thread has set it, or it is a deadline's. */
		int err = (int)wp_load_rlx_u32(&callback->ctx->state);
		wp__os_mutex_unlock(&tree->mutex);
		WP_POINT("N4");
		fn(self, err);
		wp__os_mutex_lock(&tree->mutex);
		end_call(tree, walk);
	}
	innermost = walk->outer;
}

void wp__ctx_cancel(struct wp_ctx *ctx, int cause)
{
	struct wp__ctx_walk walk = { 0 };
	struct wp__ctx_tree *tree = ctx->tree;
	init_list(&walk.pending);
	/* A callback may give back the reference that the caller relied on. */
	wp__ctx_ref(ctx, 1);
	wp__os_mutex_lock(&tree->mutex);
	uint64_t now = wp__os_now_ns();
	bool down;
	for (struct wp_ctx *at = ctx; at; at = next_below(ctx, at, down)) {
		down = !at->reached;
		if (down)
			reach(at, cause < 0 ? cause : WP_ECANCELED, now, &walk);
	}
	call_pending(tree, &walk);
	wp__os_mutex_unlock(&tree->mutex);
	wp__ctx_unref(ctx, 1);
}

/* ---- callbacks ---- */

int wp__ctx_on_cancel(
	struct wp_ctx *ctx, struct wp_ctx_callback *callback, wp_cancel_fn fn, void *self)
{
	*callback = (struct wp_ctx_callback){ .fn = fn, .self = self };
	if (!ctx)
		return 0;
	wp__os_mutex_lock(&ctx->tree->mutex);
	/* A cancel under way has set the state of all that it has to reach. */
	int err = wp__ctx_err(ctx);
	if (!err) {
		wp__ctx_ref(ctx, 1);
		callback->ctx = ctx;
		append(&ctx->callbacks, &callback->link);
	}
	wp__os_mutex_unlock(&ctx->tree->mutex);
	return err;
}

static bool is_called_here(const struct wp_ctx_callback *callback)
{
	const struct wp__ctx_walk *walk = innermost;
	while (walk && walk != callback->caller)
		walk = walk->outer;
	return walk;
}

/* With the mutex held, which is free during the sleep. */
static void wait_for_call(struct wp__ctx_tree *tree, const struct wp_ctx_callback *callback)
{
	tree->removers++;
	while (callback->caller) {
		uint32_t seen = wp_load_rlx_u32(&tree->calls_ended);
		wp__os_mutex_unlock(&tree->mutex);
		WP_POINT("N5");
		wp__os_futex_wait(&tree->calls_ended, seen, UINT64_MAX);
		wp__os_mutex_lock(&tree->mutex);
	}
	tree->removers--;
}

bool wp__ctx_remove(struct wp_ctx_callback *callback)
{
	struct wp_ctx *ctx = callback->ctx;
	if (!ctx)
		return !callback->called;
	struct wp__ctx_tree *tree = ctx->tree;
	wp__os_mutex_lock(&tree->mutex);
	if (callback->link.next)
		take_off(&callback->link);
	else if (callback->caller && is_called_here(callback))
		((struct wp__ctx_walk *)callback->caller)->current = NULL;
	else
		wait_for_call(tree, callback);
	callback->ctx = NULL;
	callback->caller = NULL;
	bool in_time = !callback->called;
	wp__os_mutex_unlock(&tree->mutex);
	wp__ctx_unref(ctx, 1);
	return in_time;
}
