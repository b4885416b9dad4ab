/* SPDX-License-Identifier: MIT */
/*
 * Context: says that work is not wanted any more, because somebody cancelled it or because its
 * deadline has passed. Nothing is interrupted: whoever works for a context asks it.
 *
 *     struct wp_ctx *request;
 *     wp_ctx_create(&request, NULL, wp_after_ms(200));
 *     struct wp_job job = { .fn = work, .payload = item, .ctx = request };
 *     wp_submit_job(pool, &job);
 *     wp_ctx_unref(request);                      the job holds a reference of its own
 *     ...
 *     static int work(void *item)                 a job asks now and then
 *     {
 *             while (more(item)) {
 *                     int err = wp_ctx_err(wp_job_current()->ctx);
 *                     if (err)
 *                             return err;
 *                     ...
 *
 * A context ends once, by whatever comes first: wp_ctx_cancel on it or on one above it, or its
 * deadline. wp_ctx_err is 0 until then and the same negative code ever after.
 *
 * Contexts form trees. A child ends with its parent at the latest; its deadline is the earlier of
 * its own and its parent's; cancelling it leaves the parent alone. A child keeps its parent in
 * memory, but not the other way round: a parent that lives long may have any number of short-lived
 * children, one after the other, and holds no memory for those that are gone.
 *
 * Deadlines have no timer and no thread: each look at a context with a deadline compares the clock,
 * and who sleeps in wp_ctx_wait or in a submit wakes up by itself. A callback is therefore called
 * by a cancel only, never by a deadline.
 *
 * Every function may be called by any thread at any time, also from inside a job or a callback, but
 * not in a signal handler. Whoever passes a context in holds a reference to it. Where a context is
 * passed NULL means: never cancelled.
 *
 * What it costs: wp_ctx_err one relaxed load, and for a context with a deadline a look at the clock
 * (about 25 ns where the kernel lets programs read it directly); making or freeing a child, a
 * callback, and a sleep take a lock that all contexts of the tree share, for a few instructions; a
 * cancel holds it while it marks all that are below.
 */
#ifndef WPOOL_CTX_H
#define WPOOL_CTX_H

#include <stdbool.h>
#include <stdint.h>

#include <wpool/export.h>

WP_BEGIN_DECLS

struct wp_ctx;

/*
 * Makes a context that ends at `deadline` (clock.h; WP_FOREVER: only when cancelled) or with its
 * parent (may be NULL), and gives the caller one reference. A child of a context that has ended is
 * made all the same, and has ended. 0; WP_EINVAL: ctx is NULL; WP_ENOMEM: *ctx is NULL then.
 */
WP_API int wp_ctx_create(struct wp_ctx **ctx, struct wp_ctx *parent, uint64_t deadline);

/* One reference more; returns ctx. NULL is fine. */
WP_API struct wp_ctx *wp_ctx_ref(struct wp_ctx *ctx);

/* Gives one reference back; the last one frees the context. NULL is fine. Does not cancel. */
WP_API void wp_ctx_unref(struct wp_ctx *ctx);

/*
 * Ends the context and all below it, with the reason `cause`: a negative error; anything else
 * stands for WP_ECANCELED. One whose deadline has passed keeps WP_ETIMEDOUT. When it returns,
 * wp_ctx_err is not 0 for any of them, those who sleep are being woken, and the callbacks have been
 * called, but for those that another thread's cancel is calling just now. A second cancel does
 * nothing. However many there are below, the stack does not grow and nothing is allocated. NULL is
 * fine.
 */
WP_API void wp_ctx_cancel(struct wp_ctx *ctx, int cause);

/*
 * 0 while the context stands; else why it has ended: the cause, WP_ECANCELED or WP_ETIMEDOUT.
 * Whoever is told of a cancel also sees what the canceller did before it. NULL: 0.
 */
WP_API int wp_ctx_err(const struct wp_ctx *ctx);

/* When the context ends by itself at the latest; WP_FOREVER: never. NULL: WP_FOREVER. */
WP_API uint64_t wp_ctx_deadline(const struct wp_ctx *ctx);

/*
 * A sleep that a cancel ends: until the context has ended, and then as wp_ctx_err; or until
 * `deadline`, and then 0. With deadline 0 it does not sleep. WP_EINVAL: ctx is NULL and deadline is
 * WP_FOREVER, which would never end. Inside a job other workers take over what its worker looked
 * after.
 */
WP_API int wp_ctx_wait(struct wp_ctx *ctx, uint64_t deadline);

/* ---- being told of a cancel ---- */

/* err is what wp_ctx_err says from now on. */
typedef void (*wp_cancel_fn)(void *self, int err);

struct wp_ctx_link {
	struct wp_ctx_link *next, *prev;
};

/* Memory for a callback, the caller's; its content is the library's. */
struct wp_ctx_callback {
	struct wp_ctx_link link;
	struct wp_ctx *ctx;
	wp_cancel_fn fn;
	void *self;
	void *caller;
	bool called;
};

/*
 * Has fn(self, err) called when the context is cancelled: at most once, on the thread that cancels,
 * inside of its wp_ctx_cancel, with no lock held. So it may call anything here and submit jobs, but
 * should be short; it must end by returning. Callbacks of one context are called in the order they
 * were added; a context's before those of the ones below it.
 *
 * *callback must stay where it is, and whatever fn uses must stay alive, until
 * wp_ctx_remove_callback, which must be called for each callback that was added; until then it
 * holds a reference to the context.
 *
 * 0; the context's error if it has ended already: then nothing was added and fn is never called;
 * WP_EINVAL: callback or fn is NULL. With ctx NULL 0, and fn is never called.
 */
WP_API int wp_ctx_on_cancel(
	struct wp_ctx *ctx, struct wp_ctx_callback *callback, wp_cancel_fn fn, void *self);

/*
 * Takes the callback back. true: it has not been called and never will be. false: it has been
 * called; if that is still going on in another thread the call waits until it is over. From inside
 * of the callback itself it does not wait, and *callback may be freed right after it. So what a
 * callback uses may be freed when this has returned. A callback may remove others, but two that
 * wait for each other's end wait for ever. Harmless for one that was refused or is removed already.
 * One thread at a time for each callback.
 */
WP_API bool wp_ctx_remove_callback(struct wp_ctx_callback *callback);

WP_END_DECLS

#endif
