/* SPDX-License-Identifier: MIT */
/* Contexts by themselves: how they end, trees, sleeping, callbacks, references, memory. */
#include <wpool/ctx.h>

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include <wpool/clock.h>
#include <wpool/error.h>

#include "base/atomic.h"
#include "base/os.h"
#include "crew.h"
#include "hooks.h"
#include "t.h"
#include "work/ctx.h"

static struct wp_ctx *make(struct wp_ctx *parent, uint64_t deadline)
{
	struct wp_ctx *ctx = NULL;
	t_assert_int_eq(wp_ctx_create(&ctx, parent, deadline), 0);
	t_assert(ctx != NULL);
	return ctx;
}

static struct wp_ctx *root(void)
{
	return make(NULL, WP_FOREVER);
}

/* ---- arguments ---- */

static void never(void *self, int err)
{
	(void)self;
	(void)err;
	t_assert_msg(false, "called");
}

T_TEST(ctx, null_is_never_cancelled)
{
	struct wp_ctx_callback callback;
	errno = 4711;
	t_assert_int_eq(wp_ctx_create(NULL, NULL, WP_FOREVER), WP_EINVAL);
	t_assert_int_eq(wp_ctx_err(NULL), 0);
	t_assert_u64_eq(wp_ctx_deadline(NULL), WP_FOREVER);
	t_assert(wp_ctx_ref(NULL) == NULL);
	wp_ctx_unref(NULL);
	wp_ctx_cancel(NULL, 0);
	t_assert_int_eq(wp_ctx_wait(NULL, WP_FOREVER), WP_EINVAL);
	t_assert_int_eq(wp_ctx_wait(NULL, 0), 0);
	uint64_t until = wp_after_ms(5);
	t_assert_int_eq(wp_ctx_wait(NULL, until), 0);
	t_assert(wp_now_ns() >= until);
	t_assert_int_eq(wp_ctx_on_cancel(NULL, &callback, never, NULL), 0);
	t_assert(wp_ctx_remove_callback(&callback));
	t_assert(wp_ctx_remove_callback(NULL));
	t_assert_int_eq(errno, 4711);
}

T_TEST(ctx, callbacks_need_a_function_and_memory)
{
	struct wp_ctx *ctx = root();
	struct wp_ctx_callback callback;
	t_assert_int_eq(wp_ctx_on_cancel(ctx, NULL, never, NULL), WP_EINVAL);
	t_assert_int_eq(wp_ctx_on_cancel(ctx, &callback, NULL, NULL), WP_EINVAL);
	wp_ctx_unref(ctx);
}

T_TEST(ctx, without_memory_there_is_none)
{
	struct wp_ctx *parent = root();
	for (int child = 0; child < 2; child++) {
		struct wp_ctx *ctx = parent;
		wp__fault_arm(WP_FAULT_ALLOC, 1, false, ENOMEM);
		int error = wp_ctx_create(&ctx, child ? parent : NULL, WP_FOREVER);
		wp__fault_disarm();
		t_assert_int_eq(error, WP_ENOMEM);
		t_assert(ctx == NULL);
	}
	t_assert_u64_eq(wp_load_rlx_u64(&parent->references), 1);
	wp_ctx_unref(parent);
}

/* ---- how one ends ---- */

T_TEST(ctx, stands_until_it_is_cancelled)
{
	static const int given[] = { 0, WP_ECANCELED, WP_ETIMEDOUT, -EIO, WP_EFULL, 1, INT_MIN };
	static const int told[] = { WP_ECANCELED, WP_ECANCELED, WP_ETIMEDOUT, -EIO, WP_EFULL,
		WP_ECANCELED, INT_MIN };
	for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++) {
		struct wp_ctx *ctx = root();
		t_assert_int_eq(wp_ctx_err(ctx), 0);
		wp_ctx_cancel(ctx, given[i]);
		t_assert_int_eq(wp_ctx_err(ctx), told[i]);
		wp_ctx_cancel(ctx, -EPERM); /* the first one counts */
		t_assert_int_eq(wp_ctx_err(ctx), told[i]);
		wp_ctx_unref(ctx);
	}
}

T_TEST(ctx, a_deadline_ends_it_without_help)
{
	uint64_t deadline = wp_after_ms(20);
	struct wp_ctx *ctx = make(NULL, deadline);
	t_assert_u64_eq(wp_ctx_deadline(ctx), deadline);
	int err;
	uint64_t before;
	do {
		before = wp_now_ns();
		err = wp_ctx_err(ctx);
		t_assert(!err || wp_now_ns() >= deadline);
	} while (!err);
	t_assert(before < deadline + UINT64_C(30000000000));
	t_assert_int_eq(err, WP_ETIMEDOUT);
	wp_ctx_cancel(ctx, -EIO); /* too late */
	t_assert_int_eq(wp_ctx_err(ctx), WP_ETIMEDOUT);
	wp_ctx_unref(ctx);
}

T_TEST(ctx, a_deadline_that_nobody_saw_still_came_first)
{
	struct wp_ctx *ctx = make(NULL, wp_after_ms(1)), *child = make(ctx, WP_FOREVER);
	wp__os_sleep(3000000);
	wp_ctx_cancel(ctx, -EIO);
	t_assert_int_eq(wp_ctx_err(ctx), WP_ETIMEDOUT);
	t_assert_int_eq(wp_ctx_err(child), WP_ETIMEDOUT);
	wp_ctx_unref(ctx);
	wp_ctx_unref(child);
}

T_TEST(ctx, a_deadline_in_the_past)
{
	struct wp_ctx *ctx = make(NULL, 0), *child = make(ctx, WP_FOREVER);
	t_assert_int_eq(wp_ctx_err(child), WP_ETIMEDOUT);
	t_assert_int_eq(wp_ctx_err(ctx), WP_ETIMEDOUT);
	t_assert_int_eq(wp_ctx_wait(ctx, WP_FOREVER), WP_ETIMEDOUT);
	wp_ctx_unref(ctx);
	wp_ctx_unref(child);
}

T_TEST(ctx, a_cancel_before_the_deadline_keeps_its_cause)
{
	struct wp_ctx *ctx = make(NULL, wp_after_ms(600000));
	wp_ctx_cancel(ctx, -EIO);
	t_assert_int_eq(wp_ctx_err(ctx), -EIO);
	wp_ctx_unref(ctx);
}

/* ---- trees ---- */

T_TEST(ctx, a_child_has_the_earlier_deadline)
{
	uint64_t soon = wp_after_ms(100000), late = wp_after_ms(200000);
	struct wp_ctx *parent = make(NULL, soon);
	struct wp_ctx *later = make(parent, late), *never_ending = make(parent, WP_FOREVER);
	struct wp_ctx *endless = root(), *earlier = make(endless, soon);
	t_assert_u64_eq(wp_ctx_deadline(later), soon);
	t_assert_u64_eq(wp_ctx_deadline(never_ending), soon);
	t_assert_u64_eq(wp_ctx_deadline(earlier), soon);
	t_assert_u64_eq(wp_ctx_deadline(endless), WP_FOREVER);
	struct wp_ctx *all[] = { parent, later, never_ending, endless, earlier };
	for (int i = 0; i < 5; i++)
		wp_ctx_unref(all[i]);
}

T_TEST(ctx, a_cancel_goes_down_and_not_up)
{
	struct wp_ctx *a = root(), *b = make(a, WP_FOREVER), *c = make(b, WP_FOREVER);
	struct wp_ctx *d = make(b, WP_FOREVER), *e = make(a, WP_FOREVER);
	wp_ctx_cancel(c, -EPERM);
	t_assert_int_eq(wp_ctx_err(b), 0);
	wp_ctx_cancel(b, -EIO);
	t_assert_int_eq(wp_ctx_err(a), 0);
	t_assert_int_eq(wp_ctx_err(b), -EIO);
	t_assert_int_eq(wp_ctx_err(c), -EPERM);
	t_assert_int_eq(wp_ctx_err(d), -EIO);
	t_assert_int_eq(wp_ctx_err(e), 0);
	struct wp_ctx *born_dead = make(c, WP_FOREVER), *f = make(d, WP_FOREVER);
	t_assert_int_eq(wp_ctx_err(born_dead), -EPERM);
	t_assert_int_eq(wp_ctx_err(f), -EIO);
	wp_ctx_cancel(a, 0);
	t_assert_int_eq(wp_ctx_err(a), WP_ECANCELED);
	t_assert_int_eq(wp_ctx_err(d), -EIO);
	t_assert_int_eq(wp_ctx_err(e), WP_ECANCELED);
	struct wp_ctx *all[] = { a, b, c, d, e, born_dead, f };
	for (int i = 0; i < 7; i++)
		wp_ctx_unref(all[i]);
}

/* Every context's parent is one of those before it: chosen as the shape says. */
static size_t parent_of(size_t i, int shape)
{
	return shape == 0   ? 0
	       : shape == 1 ? i - 1
	       : shape == 2 ? (i - 1) / 2
			    : (i * 2654435761u >> 7) % i;
}

#define MANY 10000

/* Flat, a chain, a binary tree, any tree: cancelled from the top, or below, freed in any order. */
T_TEST(ctx, trees_of_ten_thousand)
{
	static struct wp_ctx *ctx[MANY];
	static bool below[MANY];
	for (int shape = 0; shape < 4; shape++) {
		for (int top = 0; top < 2; top++) {
			size_t at = top ? 0 : MANY / 100;
			ctx[0] = root();
			for (size_t i = 1; i < MANY; i++)
				ctx[i] = make(ctx[parent_of(i, shape)], WP_FOREVER);
			wp_ctx_cancel(ctx[at], -EIO);
			for (size_t i = 0; i < MANY; i++) {
				below[i] = i == at || (i > 0 && below[parent_of(i, shape)]);
				t_assert_int_eq(wp_ctx_err(ctx[i]), below[i] ? -EIO : 0);
			}
			wp_ctx_cancel(ctx[0], -EPERM);
			for (size_t i = 0; i < MANY; i++) {
				t_assert_int_eq(wp_ctx_err(ctx[i]), below[i] ? -EIO : -EPERM);
				below[i] = false;
			}
			/* The parents first, the children first, or some of each. */
			for (size_t i = 0; i < MANY; i++)
				wp_ctx_unref(ctx[shape % 2 == top ? i : MANY - 1 - i]);
		}
	}
}

/* Deep down, the last reference to the leaf frees the whole chain: without recursion. */
static void *free_a_chain(void *leaf)
{
	wp_ctx_unref(leaf);
	return NULL;
}

T_TEST(ctx, a_long_chain_is_cancelled_and_freed_on_a_small_stack)
{
	struct wp_ctx *top = root(), *leaf = wp_ctx_ref(top);
	for (uint64_t i = 0; i < t_scaled(300000); i++) {
		struct wp_ctx *child = make(leaf, WP_FOREVER);
		wp_ctx_unref(leaf);
		leaf = child;
	}
	wp_ctx_cancel(top, 0);
	t_assert_int_eq(wp_ctx_err(leaf), WP_ECANCELED);
	wp_ctx_unref(top);
	struct wp__thread thread;
	t_assert_int_eq(
		wp__os_thread_create(&thread, T_SANITIZED ? 0 : 16384, free_a_chain, leaf), 0);
	wp__os_thread_join(&thread);
}

/* ---- references ---- */

T_TEST(ctx, a_parent_lives_as_long_as_its_children)
{
	struct wp_ctx *parent = root(), *child = make(parent, WP_FOREVER);
	t_assert(wp_ctx_ref(parent) == parent);
	wp_ctx_unref(parent);
	t_assert_u64_eq(wp_load_rlx_u64(&parent->references), 2);
	wp_ctx_unref(parent);
	wp_ctx_cancel(parent, -EIO); /* the child holds it: nothing else does */
	t_assert_int_eq(wp_ctx_err(child), -EIO);
	wp_ctx_unref(child);
}

T_TEST(ctx, children_that_are_gone_leave_nothing_with_their_parent)
{
	struct wp_ctx *parent = root(), *some[3] = { 0 };
	for (uint64_t i = 0; i < t_scaled(100000); i++) {
		struct wp_ctx **at = &some[i * 2654435761u % 3];
		wp_ctx_unref(*at);
		*at = make(parent, i % 2 ? WP_FOREVER : wp_after_ms(1000000));
	}
	size_t children = 0;
	for (struct wp_ctx *c = parent->first_child; c; c = c->next_sibling)
		children++;
	t_assert_u64_eq(children, 3);
	t_assert_u64_eq(wp_load_rlx_u64(&parent->references), 4);
	for (int i = 0; i < 3; i++)
		wp_ctx_unref(some[i]);
	t_assert(parent->first_child == NULL);
	wp_ctx_unref(parent);
}

/* ---- sleeping ---- */

T_TEST(ctx, wait_sleeps_to_its_deadline)
{
	struct wp_ctx *ctx = root();
	uint64_t until = wp_after_ms(10);
	t_assert_int_eq(wp_ctx_wait(ctx, until), 0);
	t_assert(wp_now_ns() >= until);
	t_assert_int_eq(wp_ctx_wait(ctx, until), 0); /* in the past */
	t_assert_int_eq(wp_ctx_wait(ctx, 0), 0);
	t_assert_u64_eq(ctx->waiters, 0);
	wp_ctx_cancel(ctx, -EIO);
	t_assert_int_eq(wp_ctx_wait(ctx, 0), -EIO);
	t_assert_int_eq(wp_ctx_wait(ctx, WP_FOREVER), -EIO);
	wp_ctx_unref(ctx);
}

T_TEST(ctx, wait_ends_at_the_contexts_own_deadline)
{
	uint64_t deadline = wp_after_ms(10);
	struct wp_ctx *parent = make(NULL, deadline), *ctx = make(parent, WP_FOREVER);
	t_assert_int_eq(wp_ctx_wait(ctx, WP_FOREVER), WP_ETIMEDOUT);
	t_assert(wp_now_ns() >= deadline);
	wp_ctx_unref(parent);
	wp_ctx_unref(ctx);
}

static void sleep_in(void *arg, unsigned me)
{
	struct wp_ctx **ctx = arg;
	t_assert_int_eq(wp_ctx_wait(ctx[me], me % 2 ? WP_FOREVER : wp_after_ms(600000)), -EIO);
}

T_TEST(ctx, a_cancel_wakes_all_who_sleep_below)
{
	struct wp_ctx *top = root(), *ctx[12];
	struct crew crew;
	for (int i = 0; i < 12; i++)
		ctx[i] = i < 4 ? top : make(ctx[i - 4], WP_FOREVER);
	crew_start(&crew, 12, sleep_in, ctx);
	wp__os_sleep(10000000);
	wp_ctx_cancel(top, -EIO);
	crew_join(&crew);
	for (int i = 4; i < 12; i++) {
		t_assert_u64_eq(ctx[i]->waiters, 0);
		wp_ctx_unref(ctx[i]);
	}
	wp_ctx_unref(top);
}
