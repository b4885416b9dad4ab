/* SPDX-License-Identifier: MIT */
/*
 * Contexts: trees of cancellation tokens. What they promise is in <wpool/ctx.h>.
 *
 * The state of a context is one word: 0 while it stands, else the error it ended with. It changes
 * once, by a compare-and-swap: a cancel's, or that of a look that finds the deadline passed. So
 * everybody sees one and the same end. The word is what wp__ctx_err loads and what wp__ctx_wait
 * sleeps on.
 *
 * Everything else is under one mutex per tree, which lies in the memory of its root: who is whose
 * child, the lists of callbacks, how many sleep, whether a cancel has passed (`reached`). A child
 * holds a reference to its parent, so the root and the mutex outlive all that use them. A context
 * whose last reference is gone unlinks itself under the mutex; until it has, a cancel may still
 * find it, and marks it. Frees go up from parent to parent, and a cancel walks down by the links
 * between parents, children and siblings: neither needs a stack.
 *
 * A cancel (1) marks ctx and all below it under the mutex: state, `reached`, the sleepers woken,
 * the callbacks moved to a list of its own; then (2) calls these one by one without the mutex.
 * Below a context that is reached already everything is, so the walk turns back there.
 *
 * Callbacks. One of: on a list, and `link.next` is set (of its context, or of the cancel that is
 * about to call it: taking it off is the same); being called, and `caller` is the cancel that does
 * (wp__ctx_walk, on that thread's stack); neither: removed, or called. wp__ctx_remove takes it off
 * the list, or waits for the end of the call on the tree's `calls_ended`, unless the call is going
 * on in its own thread: that it knows by the list of the thread's own cancels. Then it takes the
 * callback away from its caller, which does not touch it any more.
 *
 * Why no sleep is missed. A sleeper counts itself in `waiters` under the mutex and then sleeps on
 * state == 0; a cancel sets state and then looks at `waiters`, in one critical section. Either that
 * comes first, and the sleep does not begin, or the sleeper is counted and woken.
 *
 * Memory order. state: set with release by a cancel, taken up with acquire by who finds it set
 * ([N1], [N2]); while it is 0 a relaxed load is all. References: see [N3].
 *
 * Invariants.   deadline of a child <= deadline of its parent
 *               reached  =>  state != 0, and all below are reached and hold no callback
 *               references == those given out + children + callbacks added + jobs accepted
 */
#ifndef WP_WORK_CTX_H
#define WP_WORK_CTX_H

#include <stdbool.h>
#include <stdint.h>

#include <wpool/clock.h>
#include <wpool/ctx.h>

#include "base/atomic.h"
#include "base/layout.h"
#include "base/os.h"

struct wp__ctx_tree {
	struct wp__mutex mutex;
	wp_atomic_u32 calls_ended; /* advanced when a call has ended that somebody waits for */
	uint32_t removers;         /* who wait for it; under the mutex */
};

struct wp_ctx {
	/* Read by those who ask; state is written once, the others never. */
	wp_atomic_u32 state; /* 0, or the error, as unsigned */
	uint64_t deadline;
	struct wp_ctx *parent;
	struct wp__ctx_tree *tree;

	/* Each job writes it. */
	_Alignas(WP_CACHE_LINE) wp_atomic_u64 references;

	/* Under the tree's mutex. */
	struct wp_ctx *first_child, *next_sibling, *previous_sibling;
	struct wp_ctx_link callbacks; /* circular */
	uint32_t waiters;
	bool reached; /* by a cancel */
};

/* As the public functions. In these three ctx is not NULL. */
int wp__ctx_create(struct wp_ctx **out, struct wp_ctx *parent, uint64_t deadline);
void wp__ctx_cancel(struct wp_ctx *ctx, int cause);
int wp__ctx_wait(struct wp_ctx *ctx, uint64_t deadline);

int wp__ctx_on_cancel(
	struct wp_ctx *ctx, struct wp_ctx_callback *callback, wp_cancel_fn fn, void *self);
bool wp__ctx_remove(struct wp_ctx_callback *callback);

/* n references more, or less; the last one frees it. */
static inline void wp__ctx_ref(struct wp_ctx *ctx, uint64_t n)
{
	/* Relaxed: who adds one has one. */
	wp_add_rlx_u64(&ctx->references, n);
}

/* NULL is fine. */
void wp__ctx_unref(struct wp_ctx *ctx, uint64_t n);

/* The state is set, or there is a deadline to look at. */
int wp__ctx_look(struct wp_ctx *ctx);

/* 0 or why it has ended. NULL: 0. */
static inline int wp__ctx_err(struct wp_ctx *ctx)
{
	if (!ctx || wp_likely(wp_load_rlx_u32(&ctx->state) == 0 && ctx->deadline == WP_FOREVER))
		return 0;
	return wp__ctx_look(ctx);
}

/* NULL: none. */
static inline uint64_t wp__ctx_deadline(const struct wp_ctx *ctx)
{
	return ctx ? ctx->deadline : WP_FOREVER;
}

#endif
