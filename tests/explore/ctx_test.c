/* SPDX-License-Identifier: MIT */
/*
 * Contexts by themselves: a cancel against polling, sleeping, children that come and go, the last
 * references, and callbacks that are taken back.
 */
#include <wpool/clock.h>
#include <wpool/ctx.h>
#include <wpool/error.h>

#include "base/alloc.h"
#include "base/atomic.h"
#include "explore.h"
#include "work/ctx.h"

#define CAUSE (-5)

static struct wp_ctx *top, *child, *leaf;

static struct wp_ctx *make(struct wp_ctx *parent, uint64_t deadline)
{
	struct wp_ctx *ctx;
	explore_assert(wp_ctx_create(&ctx, parent, deadline) == 0);
	return ctx;
}

static void make_top(void)
{
	top = make(NULL, WP_FOREVER);
}

static void make_two(void)
{
	make_top();
	child = make(top, WP_FOREVER);
}

static void make_three(void)
{
	make_two();
	leaf = make(child, WP_FOREVER);
}

static void end_top(void)
{
	explore_assert(top->first_child == NULL);
	explore_assert(wp_load_rlx_u64(&top->references) == 1);
	wp_ctx_unref(top);
}

static void end_two(void)
{
	explore_assert(child->waiters == 0 && child->first_child == NULL);
	wp_ctx_unref(child);
	end_top();
}

static void end_three(void)
{
	explore_assert(leaf->waiters == 0);
	wp_ctx_unref(leaf);
	end_two();
}

static void cancel_top(void)
{
	wp_ctx_cancel(top, CAUSE);
	explore_assert(wp_ctx_err(top) != 0);
}

static void cancel_child(void)
{
	wp_ctx_cancel(child, CAUSE - 1);
	explore_assert(wp_ctx_err(child) != 0);
}

/* ---- who is told sees what was done before: plain memory ---- */

static uint32_t data;

static void write_and_cancel(void)
{
	data = 1;
	wp_ctx_cancel(top, CAUSE);
}

static void poll_leaf(void)
{
	int err = wp_ctx_err(leaf);
	explore_assert(err == 0 || (err == CAUSE && data == 1));
	while (!wp_ctx_err(leaf))
		explore_wait_hint();
	explore_assert(wp_ctx_err(leaf) == CAUSE && data == 1);
}

EXPLORE_TEST(ctx_poll, .setup = make_three, .body = { write_and_cancel, poll_leaf, poll_leaf },
	.check = end_three, .no_leaks = true);

/* ---- sleeping ---- */

static void sleep_in_leaf(void)
{
	explore_assert(wp_ctx_wait(leaf, WP_FOREVER) == CAUSE && data == 1);
}

static void sleep_in_top(void)
{
	explore_assert(wp_ctx_wait(top, WP_FOREVER) == CAUSE && data == 1);
}

EXPLORE_TEST(ctx_sleep, .setup = make_three,
	.body = { write_and_cancel, sleep_in_leaf, sleep_in_top }, .check = end_three,
	.no_leaks = true);

EXPLORE_TEST(ctx_sleep_two, .setup = make_three,
	.body = { write_and_cancel, sleep_in_leaf, sleep_in_leaf }, .check = end_three,
	.no_leaks = true);

/* Until a deadline of its own: 0 only when that has passed. */
static void sleep_a_moment(void)
{
	uint64_t until = wp_now_ns() + 1000;
	int err = wp_ctx_wait(child, until);
	explore_assert(err == CAUSE || (err == 0 && wp_now_ns() >= until));
}

EXPLORE_TEST(ctx_sleep_until, .setup = make_two,
	.body = { write_and_cancel, sleep_a_moment, sleep_a_moment }, .check = end_two,
	.no_leaks = true, .timeouts = 2);

/* ---- one end for everybody, whatever comes first ---- */

static int seen[3];

static void make_with_deadline(void)
{
	top = make(NULL, wp_now_ns() + 1500);
	child = make(top, WP_FOREVER);
}

static void see(unsigned i)
{
	while (!(seen[i] = wp_ctx_err(child)))
		explore_wait_hint();
}

static void cancel_and_see(void)
{
	cancel_child();
	see(0);
}

static void cancel_top_and_see(void)
{
	cancel_top();
	see(1);
}

static void wait_and_see(void)
{
	seen[2] = wp_ctx_wait(child, WP_FOREVER);
}

static void one_end(void)
{
	int err = wp_ctx_err(child);
	explore_assert(err == WP_ETIMEDOUT || err == CAUSE || err == CAUSE - 1);
	for (unsigned i = 0; i < 3; i++)
		explore_assert(seen[i] == err);
	end_two();
}

EXPLORE_TEST(ctx_one_end, .setup = make_with_deadline,
	.body = { cancel_and_see, cancel_top_and_see, wait_and_see }, .check = one_end,
	.no_leaks = true);

/* ---- children that are made and freed meanwhile ---- */

static wp_atomic_u32 cancelled;

static void cancel_and_tell(void)
{
	cancel_top();
	wp_store_rel_u32(&cancelled, 1);
}

/* Made after the cancel it has ended; and whenever it was made, once the cancel has returned. */
static void make_and_free(void)
{
	bool before = wp_load_acq_u32(&cancelled);
	struct wp_ctx *mine = make(top, WP_FOREVER), *below = make(mine, WP_FOREVER);
	bool after = wp_load_acq_u32(&cancelled);
	int err = wp_ctx_err(below);
	explore_assert(before || after ? err == CAUSE : err == 0 || err == CAUSE);
	wp_ctx_unref(mine);
	wp_ctx_unref(below);
}

EXPLORE_TEST(ctx_children, .setup = make_top, .body = { cancel_and_tell, make_and_free },
	.check = end_top, .no_leaks = true);

EXPLORE_TEST(ctx_children_two, .setup = make_top,
	.body = { cancel_and_tell, make_and_free, make_and_free }, .check = end_top,
	.no_leaks = true);

EXPLORE_TEST(ctx_children_reused, .setup = make_top,
	.body = { cancel_and_tell, make_and_free, make_and_free }, .check = end_top,
	.no_leaks = true, .reuse = EXPLORE_REUSE_LAST);

/* ---- the last references of a tree, in any order, against a cancel ---- */

static void cancel_child_and_let_go(void)
{
	cancel_child();
	wp_ctx_unref(child);
}

static void let_go_of_leaf(void)
{
	wp_ctx_unref(leaf);
}

static void cancel_top_and_let_go(void)
{
	cancel_top();
	wp_ctx_unref(top);
}

EXPLORE_TEST(ctx_last_references, .setup = make_three,
	.body = { cancel_child_and_let_go, let_go_of_leaf, cancel_top_and_let_go },
	.no_leaks = true);

static void share_top(void)
{
	make_top();
	wp_ctx_ref(top);
	wp_ctx_ref(top);
	data = 0;
}

static wp_atomic_u32 gone;

/* What each did to the context's memory comes before its end. */
static void use_and_let_go(void)
{
	struct wp_ctx *below = make(top, WP_FOREVER);
	wp_ctx_unref(below);
	wp_add_rlx_u32(&gone, 1);
	wp_ctx_unref(top);
}

EXPLORE_TEST(ctx_shared, .setup = share_top,
	.body = { use_and_let_go, use_and_let_go, use_and_let_go }, .no_leaks = true);

/* ---- callbacks ---- */

struct target {
	struct wp_ctx_callback callback;
	uint32_t calls; /* plain: removal and call are ordered */
};

static struct target *target[2];

static void called(void *self, int err)
{
	struct target *t = self;
	explore_assert(err == CAUSE || err == CAUSE - 1);
	explore_assert(t->calls++ == 0);
}

static struct target *add(struct wp_ctx *ctx)
{
	struct target *t = wp__alloc(sizeof(void *), sizeof(*t));
	explore_assert(t != NULL);
	explore_assert(wp_ctx_on_cancel(ctx, &t->callback, called, t) == 0);
	return t;
}

static void remove_and_free(struct target *t)
{
	bool in_time = wp_ctx_remove_callback(&t->callback);
	explore_assert(t->calls == (in_time ? 0 : 1));
	wp__free(t);
}

static void make_callbacks(void)
{
	make_two();
	target[0] = add(top);
	target[1] = add(child);
}

static void remove_first(void)
{
	remove_and_free(target[0]);
}

static void remove_second(void)
{
	remove_and_free(target[1]);
}

EXPLORE_TEST(ctx_removal, .setup = make_callbacks,
	.body = { cancel_top, remove_first, remove_second }, .check = end_two, .no_leaks = true);

EXPLORE_TEST(ctx_removal_reused, .setup = make_callbacks,
	.body = { cancel_top, remove_first, remove_second }, .check = end_two, .no_leaks = true,
	.reuse = EXPLORE_REUSE_LAST);

/* Two cancels divide the callbacks between them; both are called once. */
static void called_both(void)
{
	explore_assert(target[0]->calls == 1 && target[1]->calls == 1);
	remove_first();
	remove_second();
	end_two();
}

EXPLORE_TEST(ctx_two_cancels, .setup = make_callbacks, .body = { cancel_top, cancel_child },
	.check = called_both, .no_leaks = true);

static void end_with_first(void)
{
	explore_assert(target[0]->calls == 1);
	remove_first();
	end_two();
}

EXPLORE_TEST(ctx_two_cancels_and_removal, .setup = make_callbacks,
	.body = { cancel_top, cancel_child, remove_second }, .check = end_with_first,
	.no_leaks = true);

/* Adding against the cancel: either it is refused, or called. */
static void add_and_remove(void)
{
	struct target *t = wp__alloc(sizeof(void *), sizeof(*t));
	explore_assert(t != NULL);
	int err = wp_ctx_on_cancel(child, &t->callback, called, t);
	explore_assert(err == 0 || err == CAUSE);
	while (!err && !wp_ctx_err(child))
		explore_wait_hint();
	bool in_time = wp_ctx_remove_callback(&t->callback);
	explore_assert(t->calls == (in_time ? 0 : 1));
	explore_assert(!err || in_time);
	wp__free(t);
}

EXPLORE_TEST(ctx_adding, .setup = make_two, .body = { cancel_top, add_and_remove },
	.check = end_two, .no_leaks = true);

/* A callback that removes the other one, and itself, and frees both. */
static void removes_both(void *self, int err)
{
	(void)self;
	explore_assert(err == CAUSE);
	explore_assert(!wp_ctx_remove_callback(&target[0]->callback));
	explore_assert(wp_ctx_remove_callback(&target[1]->callback) == (target[1]->calls == 0));
	wp__free(target[0]);
	wp__free(target[1]);
}

static void make_remover(void)
{
	make_two();
	target[0] = wp__alloc(sizeof(void *), sizeof(struct target));
	explore_assert(target[0] != NULL);
	explore_assert(wp_ctx_on_cancel(top, &target[0]->callback, removes_both, NULL) == 0);
	target[1] = add(child);
}

EXPLORE_TEST(ctx_removal_inside, .setup = make_remover, .body = { cancel_top, cancel_child },
	.check = end_two, .no_leaks = true);
