/* SPDX-License-Identifier: MIT */
/* Callbacks of contexts: who is called, when, in which order; taking one back at any time. */
#include <wpool/ctx.h>

#include <errno.h>
#include <stdlib.h>

#include <wpool/clock.h>
#include <wpool/error.h>

#include "base/atomic.h"
#include "base/os.h"
#include "crew.h"
#include "ctx.h"
#include "t.h"
#include "work/ctx.h"

static uint64_t references(const struct wp_ctx *ctx)
{
	return wp_load_rlx_u64(&ctx->references);
}

/* ---- who is called ---- */

static unsigned calls;
static int called_with;

static void note(void *self, int err)
{
	t_assert(self == &calls);
	calls++;
	called_with = err;
}

T_TEST(ctx_callback, is_called_once_by_the_cancel)
{
	struct wp_ctx *ctx = ctx_make(NULL, WP_FOREVER);
	struct wp_ctx_callback callback;
	t_assert_int_eq(wp_ctx_on_cancel(ctx, &callback, note, &calls), 0);
	t_assert_u64_eq(references(ctx), 2);
	t_assert_u64_eq(calls, 0);
	wp_ctx_cancel(ctx, -EIO);
	t_assert_u64_eq(calls, 1);
	t_assert_int_eq(called_with, -EIO);
	wp_ctx_cancel(ctx, -EPERM);
	t_assert_u64_eq(calls, 1);
	t_assert(!wp_ctx_remove_callback(&callback));
	t_assert(!wp_ctx_remove_callback(&callback));
	t_assert_u64_eq(references(ctx), 1);
	wp_ctx_unref(ctx);
}

T_TEST(ctx_callback, is_not_called_once_removed)
{
	struct wp_ctx *ctx = ctx_make(NULL, WP_FOREVER);
	struct wp_ctx_callback callback[3];
	for (int i = 0; i < 3; i++)
		t_assert_int_eq(wp_ctx_on_cancel(ctx, &callback[i], note, &calls), 0);
	t_assert(wp_ctx_remove_callback(&callback[1]));
	t_assert(wp_ctx_remove_callback(&callback[1]));
	t_assert_u64_eq(references(ctx), 3);
	wp_ctx_cancel(ctx, 0);
	t_assert_u64_eq(calls, 2);
	t_assert(wp_ctx_remove_callback(&callback[1]));
	t_assert(!wp_ctx_remove_callback(&callback[0]));
	t_assert(!wp_ctx_remove_callback(&callback[2]));
	wp_ctx_unref(ctx);
}

T_TEST(ctx_callback, is_refused_by_one_that_has_ended)
{
	struct wp_ctx *ctx = ctx_make(NULL, WP_FOREVER), *late = ctx_make(NULL, 1);
	struct wp_ctx *child = ctx_make(ctx, WP_FOREVER);
	struct wp_ctx_callback callback;
	wp_ctx_cancel(ctx, -EIO);
	t_assert_int_eq(wp_ctx_on_cancel(ctx, &callback, note, &calls), -EIO);
	t_assert(wp_ctx_remove_callback(&callback));
	t_assert_int_eq(wp_ctx_on_cancel(child, &callback, note, &calls), -EIO);
	t_assert_int_eq(wp_ctx_on_cancel(late, &callback, note, &calls), WP_ETIMEDOUT);
	t_assert(wp_ctx_remove_callback(&callback));
	t_assert_u64_eq(calls, 0);
	t_assert_u64_eq(references(ctx), 2);
	t_assert_u64_eq(references(late), 1);
	wp_ctx_unref(ctx);
	wp_ctx_unref(child);
	wp_ctx_unref(late);
}

/* A deadline calls nobody; the cancel that comes after it does, and tells that it was late. */
T_TEST(ctx_callback, after_a_deadline)
{
	struct wp_ctx *ctx = ctx_make(NULL, wp_after_ms(5));
	struct wp_ctx_callback callback;
	for (uint64_t ms = 50; wp_ctx_on_cancel(ctx, &callback, note, &calls); ms *= 2) {
		wp_ctx_unref(ctx); /* passed already: a slow machine */
		ctx = ctx_make(NULL, wp_after_ms(ms));
	}
	t_assert_int_eq(wp_ctx_wait(ctx, WP_FOREVER), WP_ETIMEDOUT);
	t_assert_u64_eq(calls, 0);
	wp_ctx_cancel(ctx, -EIO);
	t_assert_u64_eq(calls, 1);
	t_assert_int_eq(called_with, WP_ETIMEDOUT);
	t_assert(!wp_ctx_remove_callback(&callback));
	wp_ctx_unref(ctx);
}

/* ---- order ---- */

static unsigned order[8], ordered;
static unsigned numbers[8] = { 0, 1, 2, 3, 4, 5, 6, 7 };

static void note_order(void *self, int err)
{
	t_assert_int_eq(err, -EIO);
	order[ordered++] = *(unsigned *)self;
}

T_TEST(ctx_callback, order_of_adding_and_parents_first)
{
	struct wp_ctx *top = ctx_make(NULL, WP_FOREVER), *child = ctx_make(top, WP_FOREVER);
	struct wp_ctx *leaf = ctx_make(child, WP_FOREVER);
	struct wp_ctx *of[8] = { leaf, child, top, leaf, top, child, top, leaf };
	static const unsigned expected[8] = { 2, 4, 6, 1, 5, 0, 3, 7 };
	struct wp_ctx_callback callback[8];
	for (int i = 0; i < 8; i++)
		t_assert_int_eq(wp_ctx_on_cancel(of[i], &callback[i], note_order, &numbers[i]), 0);
	wp_ctx_cancel(top, -EIO);
	t_assert_u64_eq(ordered, 8);
	for (int i = 0; i < 8; i++) {
		t_assert_u64_eq(order[i], expected[i]);
		t_assert(!wp_ctx_remove_callback(&callback[i]));
	}
	wp_ctx_unref(top);
	wp_ctx_unref(child);
	wp_ctx_unref(leaf);
}

/* ---- from inside of a callback ---- */

struct scene {
	struct wp_ctx *ctx, *child, *sibling;
	struct wp_ctx_callback callback[3];
	unsigned entered, left;
};

static void removes_all(void *self, int err)
{
	struct scene *s = self;
	(void)err;
	s->entered++;
	t_assert(!wp_ctx_remove_callback(&s->callback[0])); /* this one */
	t_assert(wp_ctx_remove_callback(&s->callback[1]));  /* not called yet: never is */
	t_assert(wp_ctx_remove_callback(&s->callback[2]));
	s->left++;
}

T_TEST(ctx_callback, removes_itself_and_those_after_it)
{
	struct scene s = { .ctx = ctx_make(NULL, WP_FOREVER) };
	s.child = ctx_make(s.ctx, WP_FOREVER);
	t_assert_int_eq(wp_ctx_on_cancel(s.ctx, &s.callback[0], removes_all, &s), 0);
	t_assert_int_eq(wp_ctx_on_cancel(s.ctx, &s.callback[1], removes_all, &s), 0);
	t_assert_int_eq(wp_ctx_on_cancel(s.child, &s.callback[2], removes_all, &s), 0);
	wp_ctx_cancel(s.ctx, 0);
	t_assert_u64_eq(s.entered, 1);
	t_assert_u64_eq(s.left, 1);
	t_assert_u64_eq(references(s.child), 1);
	wp_ctx_unref(s.child);
	wp_ctx_unref(s.ctx);
}

/* Gives up everything it can: its own memory, and the last reference to its context. */
struct own {
	struct wp_ctx_callback callback;
	struct wp_ctx *ctx;
};

static void frees_itself(void *self, int err)
{
	struct own *own = self;
	t_assert_int_eq(err, -EIO);
	t_assert(!wp_ctx_remove_callback(&own->callback));
	wp_ctx_unref(own->ctx);
	free(own);
	calls++;
}

T_TEST(ctx_callback, frees_its_own_memory_and_its_context)
{
	struct wp_ctx *ctx = ctx_make(NULL, WP_FOREVER);
	struct own *own = malloc(sizeof(*own));
	t_assert(own != NULL);
	own->ctx = ctx;
	t_assert_int_eq(wp_ctx_on_cancel(ctx, &own->callback, frees_itself, own), 0);
	wp_ctx_cancel(ctx, -EIO);
	t_assert_u64_eq(calls, 1);
}

/* Cancels another context, whose callback removes the one that is being called further out. */
static void removes_the_outer(void *self, int err)
{
	struct scene *s = self;
	t_assert_int_eq(err, -EPERM);
	t_assert(!wp_ctx_remove_callback(&s->callback[0]));
	s->left++;
}

static void cancels_another(void *self, int err)
{
	struct scene *s = self;
	t_assert_int_eq(err, -EIO);
	t_assert_int_eq(wp_ctx_err(s->sibling), 0);
	wp_ctx_cancel(s->sibling, -EPERM);
	t_assert_u64_eq(s->left, 1);
	wp_ctx_cancel(s->ctx, -EPERM); /* its own: nothing happens */
	s->entered++;
}

static void cancel_in_callback(bool same_tree)
{
	struct wp_ctx *top = ctx_make(NULL, WP_FOREVER);
	struct scene s = { .ctx = ctx_make(top, WP_FOREVER) };
	s.sibling = ctx_make(same_tree ? top : NULL, WP_FOREVER);
	t_assert_int_eq(wp_ctx_on_cancel(s.ctx, &s.callback[0], cancels_another, &s), 0);
	t_assert_int_eq(wp_ctx_on_cancel(s.sibling, &s.callback[1], removes_the_outer, &s), 0);
	wp_ctx_cancel(s.ctx, -EIO);
	t_assert_u64_eq(s.entered, 1);
	t_assert(!wp_ctx_remove_callback(&s.callback[1]));
	t_assert_int_eq(wp_ctx_err(top), 0);
	wp_ctx_unref(s.sibling);
	wp_ctx_unref(s.ctx);
	wp_ctx_unref(top);
}

T_TEST(ctx_callback, cancels_inside_of_a_cancel)
{
	cancel_in_callback(true);
	cancel_in_callback(false);
}

/* Uses the tree in every way: no lock is held. */
static void uses_the_tree(void *self, int err)
{
	struct scene *s = self;
	struct wp_ctx_callback other;
	struct wp_ctx *child = ctx_make(s->ctx, WP_FOREVER);
	t_assert_int_eq(wp_ctx_err(child), err);
	t_assert_int_eq(wp_ctx_on_cancel(child, &other, note, &calls), err);
	t_assert_int_eq(wp_ctx_wait(child, WP_FOREVER), err);
	wp_ctx_unref(child);
	s->entered++;
}

T_TEST(ctx_callback, may_call_anything)
{
	struct scene s = { .ctx = ctx_make(NULL, WP_FOREVER) };
	t_assert_int_eq(wp_ctx_on_cancel(s.ctx, &s.callback[0], uses_the_tree, &s), 0);
	wp_ctx_cancel(s.ctx, -EIO);
	t_assert_u64_eq(s.entered, 1);
	t_assert_u64_eq(calls, 0);
	t_assert(!wp_ctx_remove_callback(&s.callback[0]));
	wp_ctx_unref(s.ctx);
}

/* ---- removal against the call in another thread ---- */

static wp_atomic_u32 inside, go_on, over;

static void stays_inside(void *self, int err)
{
	(void)self;
	(void)err;
	wp_store_rel_u32(&inside, 1);
	while (!wp_load_acq_u32(&go_on))
		wp__os_sleep(100000);
	wp_store_rel_u32(&over, 1);
}

static void *cancel_it(void *ctx)
{
	wp_ctx_cancel(ctx, 0);
	return NULL;
}

static void *remove_it(void *callback)
{
	t_assert(!wp_ctx_remove_callback(callback));
	t_assert(wp_load_acq_u32(&over));
	return NULL;
}

static void until(wp_atomic_u32 *word)
{
	while (!wp_load_acq_u32(word))
		wp__os_sleep(100000);
}

T_TEST(ctx_callback, removal_waits_for_a_call_elsewhere)
{
	struct wp_ctx *ctx = ctx_make(NULL, WP_FOREVER), *other = ctx_make(ctx, WP_FOREVER);
	struct wp_ctx_callback callback, quick;
	struct wp__thread canceller, remover;
	t_assert_int_eq(wp_ctx_on_cancel(ctx, &callback, stays_inside, NULL), 0);
	t_assert_int_eq(wp_ctx_on_cancel(ctx, &quick, note, &calls), 0);
	t_assert_int_eq(wp__os_thread_create(&canceller, 0, cancel_it, ctx), 0);
	until(&inside);
	t_assert_int_eq(wp__os_thread_create(&remover, 0, remove_it, &callback), 0);
	/* The remover is asleep; meanwhile the tree works for others. */
	while (!wp_load_rlx_u32(&go_on)) {
		wp__os_mutex_lock(&ctx->tree->mutex);
		bool waits = ctx->tree->removers == 1;
		wp__os_mutex_unlock(&ctx->tree->mutex);
		if (waits)
			break;
		wp__os_sleep(100000);
	}
	t_assert(!wp_load_acq_u32(&over));
	t_assert(wp_ctx_remove_callback(&quick)); /* the cancel has it, but has not called it */
	wp_ctx_cancel(ctx, -EIO);                 /* returns though the first is going on */
	struct wp_ctx *child = ctx_make(other, WP_FOREVER);
	t_assert_int_eq(wp_ctx_err(child), WP_ECANCELED);
	wp_ctx_unref(child);
	wp_store_rel_u32(&go_on, 1);
	wp__os_thread_join(&remover);
	wp__os_thread_join(&canceller);
	t_assert_u64_eq(ctx->tree->removers, 0);
	t_assert_u64_eq(references(ctx), 2);
	wp_ctx_unref(other);
	wp_ctx_unref(ctx);
}
